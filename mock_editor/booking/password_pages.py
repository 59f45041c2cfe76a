"""Signing in with a password, or as a visitor; signing out; a forgotten password; the terms of use."""

from datetime import timedelta

from flask import Response, g, request, url_for

from mock_editor.base.errors import refused
from mock_editor.base.issues import Code, issue
from mock_editor.base.parameters import Parameters
from mock_editor.base.words import french
from mock_editor.booking.access import accepted_origin
from mock_editor.booking.entrance import Detour, admitted, arriving, signed_in
from mock_editor.booking.site import SESSION_COOKIE, inside, page, redirect, set_cookie, sign_out, site


def log_in() -> Response:
    """The form for an e-mail address and a password."""
    parameters = Parameters(request.query_string)
    return _log_in_page(parameters.one("suite") or "", parameters.one("origine") or "")


def _log_in_page(target: str, origin: str, *, status: int = 200, problem: str = "", email: str = "") -> Response:
    return page("connexion.html", status, target=target, origin=origin, problem=problem, email=email)


def try_password() -> Response:
    """Signs a visitor in, or shows the form again with the reason why not."""
    settings, provider = site().settings, site().provider
    field = site().forms.read(anybodys=True)
    target, origin, email = field("suite"), field("origine"), field("email")
    if origin and provider is None:
        accepted_origin([origin], settings.accepted_origins)
    lock = timedelta(minutes=settings.login_lock)
    attempt = site().log_in.attempt(g.slug, email, field("mot_de_passe"), tries=settings.login_tries, lock=lock)
    wrong = None
    if attempt.locked_until:
        wrong = issue(Code.PASSWORD_LOCKED, until=f"{attempt.locked_until.astimezone(g.editor.zone):%H:%M}")
    elif attempt.account is None:
        wrong = issue(Code.PASSWORD_WRONG)
    if wrong:
        return _log_in_page(target, origin, status=wrong.code.status, problem=french(wrong), email=email)
    # With an identity provider, the regulator's level is opened there and nowhere else.
    sas = bool(origin) and provider is None
    return signed_in(admitted(attempt.account), target=target, sas=sas)


def visit() -> Response:
    """Goes on without an account, as a private person."""
    return signed_in(None, target=site().forms.read(anybodys=True)("suite"))


def log_out() -> Response:
    """Ends the session."""
    site().forms.read(anybodys=True)
    sign_out()
    response = page("message.html", title="Vous êtes déconnecté", text="Votre session est terminée.")
    set_cookie(response, SESSION_COOKIE, "", seconds=0)
    return response


def forgotten() -> Response:
    """The form for a forgotten password."""
    return page("oublie.html", done=False)


def renew() -> Response:
    """Gives an account a new password."""
    site().log_in.renew_password(g.slug, site().forms.read(anybodys=True)("email"))
    return page("oublie.html", done=True)


def terms() -> Response:
    """The terms of use, to be accepted once."""
    if not g.account:
        raise Detour(redirect(url_for("web.log_in")))
    return page("cgu.html", target=Parameters(request.query_string).one("suite") or "")


def answer_terms() -> Response:
    """Notes that the terms are accepted. A visitor who declines is signed out."""
    if not g.account:
        raise Detour(redirect(url_for("web.log_in")))
    field = site().forms.read()
    if field("accepter"):
        site().log_in.accept_terms(g.slug, g.account.id)
        return arriving(inside(field("suite")), g.session.key)
    sign_out()
    raise refused(Code.TERMS_DECLINED)


PAGES = (
    ("GET", "/connexion", log_in),
    ("POST", "/connexion", try_password),
    ("POST", "/visite", visit),
    ("POST", "/deconnexion", log_out),
    ("GET", "/mot-de-passe-oublie", forgotten),
    ("POST", "/mot-de-passe-oublie", renew),
    ("GET", "/cgu", terms),
    ("POST", "/cgu", answer_terms),
)

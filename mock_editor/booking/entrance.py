"""Decides who may see a page, and what comes first: the identity provider, a password or the terms of use.

A browser that comes back from the provider has a signed cookie, which tells the next page that its visitor has just
been identified. Any other arrival from the SAS goes to the provider: somebody else may be using this browser by now.
"""

import secrets

from flask import Response, g, request, url_for
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.urls import iri_to_uri

from mock_editor.accounts.model import Account
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.booking.access import Session, accepted_origin, origins
from mock_editor.booking.sessions import key_of
from mock_editor.booking.site import SESSION_COOKIE, here, inside, redirect, set_cookie, sign_out, site
from mock_editor.booking.sso import SIGN_IN_SECONDS, Identified, IdentityProvider, SignIn, sealed, unsealed

_SIGN_IN, _ARRIVED = "sso-", "arrivee-"
# The browser follows the redirect at once.
_ARRIVED_SECONDS = 60
# The cookies of sign-ins in progress: how many names there are, how many of the latest are kept, and about how many
# bytes of a request's head they may take together. Two slots may be opened at once, and a browser that restores its
# tabs opens them all before it has any of these cookies. Long cookies have fewer names.
_NAMES, _KEPT, _BYTES = 16, 5, 6000


class Detour(Exception):  # noqa: N818 - not an error: another page comes first
    """``response`` comes before the requested page."""

    def __init__(self, response: Response) -> None:
        self.response = response


def visitor() -> Session:
    """The session of a visitor who may see the requested page. Raises Detour when something has to come first."""
    session: Session | None = g.session
    target, settings, provider = here(), site().settings, site().provider
    if found := origins(request.query_string):
        origin = accepted_origin(found, settings.accepted_origins)
        regulator = session is not None and session.sas
        if provider is None and not regulator:
            raise Detour(redirect(url_for("web.log_in", suite=target, origine=origin)))
        # Somebody else may be using this browser or the platform by now, so each arrival goes to the provider.
        if provider and not (regulator if request.method == "POST" else _has_arrived(target)):
            raise Detour(leave_for(provider, target))
    if session is None:
        raise Detour(redirect(url_for("web.log_in", suite=target)))
    if g.account and not g.account.terms_accepted:
        raise Detour(redirect(url_for("web.terms", suite=target)))
    return session


# --- arriving


def arriving(target: str, session_key: str) -> Response:
    """Sends a browser on to a page, with a proof that the person of this session has just been identified."""
    response = redirect(target)
    proof = _arrivals().dumps([session_key, _page_key(target)])
    set_cookie(response, _arrival_name(target), proof, seconds=_ARRIVED_SECONDS)
    return response


def _has_arrived(target: str) -> bool:
    """Whether the browser comes straight from the provider, with the session that was opened then."""
    if not g.session:
        return False
    name = _arrival_name(target)
    try:
        found = _arrivals().loads(request.cookies.get(name, ""), max_age=_ARRIVED_SECONDS)
    except BadData:
        return False
    straight: bool = found == [g.session.key, _page_key(target)]
    if straight and request.method == "GET":
        g.over.append(name)  # valid once: the next visitor may be somebody else
    return straight


def _page_key(target: str) -> str:
    # The Location header escapes some characters of a URL.
    return key_of(iri_to_uri(target))


def _arrival_name(target: str) -> str:
    # One of sixteen names, as a browser may arrive at several pages at once.
    return f"{_ARRIVED}{_page_key(target)[:1]}"


def _arrivals() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(site().secret(), "arrival")


# --- signing in


def admitted(account: Account | None) -> Account:
    """The account, if its owner may enter. Raises 403 when there is none, or access was withdrawn."""
    if account is None:
        raise refused(Code.SITE_ACCOUNT_UNKNOWN)
    if not account.active:
        raise refused(Code.ACCESS_WITHDRAWN)
    return account


def signed_in(account: Account | None, *, target: str, sas: bool = False, who: Identified | None = None) -> Response:
    """Opens a new session and goes on to ``target``. ``who`` comes from the identity provider, if there was one."""
    sign_out()
    of_provider = {"subject": who.subject, "sid": who.sid} if who else {}
    cookie = site().sessions.open(g.slug, account.id if account else None, sas=sas, **of_provider)
    response = arriving(inside(target), key_of(cookie))
    set_cookie(response, SESSION_COOKIE, cookie)
    return response


def leave_for(provider: IdentityProvider, target: str) -> Response:
    """Sends a browser to the identity provider. It comes back to ``return_url``, and goes on to ``target``."""
    url, begun = provider.begin(g.slug, return_url(), target)
    response = redirect(url)
    others = sign_ins()
    kept = sorted(others, key=lambda name: others[name].begun)[-(_KEPT - 1) :]
    value = sealed(begun, site().secret())
    names = min(_NAMES, max(_KEPT, _BYTES // len(value)))
    free = [name for name in (f"{_SIGN_IN}{number}" for number in range(names)) if name not in kept]
    chosen = secrets.choice(free)
    for name in request.cookies:
        if name.startswith(_SIGN_IN) and name not in (chosen, *kept):
            set_cookie(response, name, "", seconds=0)
    set_cookie(response, chosen, value, seconds=SIGN_IN_SECONDS)
    return response


def sign_ins() -> dict[str, SignIn]:
    """The sign-ins that this browser has begun at the provider, by the name of their cookie."""
    cookies = ((name, value) for name, value in request.cookies.items() if name.startswith(_SIGN_IN))
    return {name: begun for name, value in cookies if (begun := unsealed(value, site().secret()))}


def return_url() -> str:
    """The URL to which the identity provider sends browsers back."""
    return f"{site().public_url}/{g.slug}/sso/retour"

"""The pages for the identity provider: browsers that come back from it, and its calls when sessions have ended."""

import logging
import secrets

from flask import Response, g, jsonify, request

from mock_editor.accounts.payload import Token
from mock_editor.base import codes
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.issues import Code, issue
from mock_editor.base.parameters import Parameters
from mock_editor.base.words import english
from mock_editor.booking.access import Session
from mock_editor.booking.entrance import admitted, arriving, return_url, sign_ins, signed_in
from mock_editor.booking.site import inside, sign_out, site
from mock_editor.booking.sso import IdentityProvider, ProviderError

_LARGEST_LOGOUT = 20_000
_log = logging.getLogger(__name__)


def sso_return() -> Response:
    """The page to which the identity provider sends browsers back."""
    provider, parameters = _provider(), Parameters(request.query_string)
    state = (parameters.one("state") or "").encode()
    name, begun = next(
        ((name, known) for name, known in sign_ins().items() if secrets.compare_digest(known.state.encode(), state)),
        (None, None),
    )
    if begun is None:
        raise refused(Code.SIGN_IN_NOT_EXPECTED)
    g.over.append(name)  # whatever the result
    answer = {key: parameters.one(key) for key in ("code", "error", "error_description", "iss")}
    try:
        who = provider.finish(g.slug, return_url(), begun, answer)
    except ProviderError as error:
        # The provider does not confirm the person who came from the SAS before.
        if error.refused and g.session and g.session.sas:
            sign_out()
        raise
    tokens = [Token(codes.PRACTITIONER_OID, value) for value in who.national_ids]
    tokens += [Token(codes.SAS_OID, value) for value in who.technical_ids]
    account = site().accounts.identify(g.slug, tokens, who.emails)
    session: Session | None = g.session
    if account and session and session.sas and session.account == account.id:
        # The session goes on, so that other tabs still work.
        site().sessions.renew(session, subject=who.subject, sid=who.sid)
        return arriving(inside(begun.target), session.key)
    sign_out()
    return signed_in(admitted(account), target=begun.target, sas=True, who=who)


def sso_logout() -> Response:
    """Receives logout tokens of the identity provider (OpenID Connect Back-Channel Logout 1.0)."""
    provider, settings = _provider(), site().settings
    try:
        expect_media_type(request.headers, (codes.FORM,))
        sent = Parameters(read_body(request.environ, seconds=settings.body_timeout, limit=_LARGEST_LOGOUT))
        ended = provider.read_logout(g.slug, sent.one("logout_token") or "")
    except EditorError as error:
        return _logout_refused(error.status, english(error.issues[0]))
    except ProviderError as error:
        _log.warning("A logout of the identity provider is not followed: %s", error)
        return _logout_refused(400 if error.refused else 502, english(error.issue))
    # A provider tells each client once, and all editors may share one client id.
    client_id = settings.oidc_client_id
    editors = site().catalogue.editors if client_id else [g.slug]
    if not site().sessions.end_elsewhere(editors, client_id or g.slug, ended):
        return _logout_refused(400, english(issue(Code.LOGOUT_TOKEN_USED)))
    return Response(status=200)


def _provider() -> IdentityProvider:
    provider = site().provider
    if provider is None:
        raise refused(Code.NO_IDENTITY_PROVIDER)
    return provider


def _logout_refused(status: int, reason: str) -> Response:
    response = jsonify(error="invalid_request", error_description=reason)
    response.status_code = status
    return response


PAGES = (("GET", "/sso/retour", sso_return), ("POST", "/sso/deconnexion", sso_logout))

"""The endpoints of the provider, ``/_idp/…``: pages in French for people, JSON for clients."""

import logging
from collections.abc import Iterable
from urllib.parse import SplitResult, unquote_plus, urlsplit

from flask import Blueprint, Response, jsonify, render_template, request
from requests import RequestException
from werkzeug.datastructures import Authorization

from mock_editor.base import client
from mock_editor.base.errors import EditorError
from mock_editor.base.http import PROTECTION, expect_media_type, read_body
from mock_editor.base.issues import Code, issue
from mock_editor.base.parameters import Parameters
from mock_editor.base.paths import Surface
from mock_editor.base.words import french
from mock_editor.base.worlds import of_world
from mock_editor.bench.idp.provider import (
    CLAIMS,
    CLIENT_AUTHENTICATION,
    SESSION_LIFETIME,
    LogoutNotice,
    PageError,
    ProtocolError,
    Provider,
    absolute_url,
    read_client,
    read_request,
    with_parameters,
)
from mock_editor.bench.idp.site import ProviderSite

_COOKIE = "mock_idp"
_log = logging.getLogger(__name__)
_LARGEST_BODY = 100_000
_FORM = ("application/x-www-form-urlencoded",)
_PAGES = frozenset({"idp.authorize", "idp.connect", "idp.disconnect"})
# What pages and programs of other sites send by the protocol.
FOR_OTHER_SITES = frozenset({"idp.authorize", "idp.disconnect", "idp.token", "idp.userinfo"})
_PORTS = {"http": 80, "https": 443}

_HEADERS = {
    **dict(PROTECTION),
    "Cache-Control": "no-store",
    # No form-action: Chromium applies it to the redirect that follows the form, and that goes to the client.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
}

# What people see of a refusal meant for developers, by status.
_ON_PAGES = {
    408: Code.OIDC_BODY_LATE,
    413: Code.OIDC_BODY_TOO_LARGE,
    415: Code.OIDC_NO_FORM,
    503: Code.OIDC_UNAVAILABLE,
}


bp = Blueprint("idp", __name__, url_prefix=f"/{Surface.IDP}", template_folder="templates")


def _provider() -> Provider:
    return of_world(ProviderSite).provider


def _sent() -> Parameters:
    """The parameters, from the query or the body. Raises 400, 408, 413, 415."""
    if request.method != "POST":
        return Parameters(request.query_string)
    expect_media_type(request.headers, _FORM)
    return Parameters(read_body(request.environ, seconds=of_world(ProviderSite).body_timeout, limit=_LARGEST_BODY))


def _set_session(response: Response, value: str, seconds: int) -> Response:
    home = urlsplit(_provider().issuer)
    secure = home.scheme == "https"
    response.set_cookie(_COOKIE, value, max_age=seconds, path=home.path, secure=secure, httponly=True, samesite="Lax")
    return response


def _notify(notices: Iterable[LogoutNotice]) -> None:
    """Tells clients that a session has ended; a failure is ignored."""
    site = of_world(ProviderSite)
    for notice in notices:
        try:
            with client.session(client.Limits()) as session:
                session.mount(site.public_url, site.to_clients)
                answer = session.post(notice.uri, data={"logout_token": notice.token})
                answer.raise_for_status()
        except RequestException as error:
            _log.warning("A client does not take a logout: %s: %s", notice.uri, error)


@bp.get("/.well-known/openid-configuration")
def configuration() -> Response:
    """The metadata that OpenID Connect Discovery 1.0 asks for."""
    issuer = _provider().issuer
    return jsonify(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/token",
        userinfo_endpoint=f"{issuer}/userinfo",
        jwks_uri=f"{issuer}/jwks",
        end_session_endpoint=f"{issuer}/deconnexion",
        backchannel_logout_supported=True,
        backchannel_logout_session_supported=True,
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["RS256"],
        token_endpoint_auth_methods_supported=CLIENT_AUTHENTICATION,
        code_challenge_methods_supported=["S256"],
        scopes_supported=["openid", "profile", "email"],
        claims_supported=CLAIMS,
        prompt_values_supported=["none", "login", "consent", "select_account"],
        ui_locales_supported=["fr"],
        claims_parameter_supported=False,
        request_parameter_supported=False,
        request_uri_parameter_supported=False,
        authorization_response_iss_parameter_supported=True,
    )


@bp.get("/jwks")
def jwks() -> Response:
    """The public keys."""
    return jsonify(_provider().jwks())


# --- for people


@bp.route("/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Sends a browser back with a code, after asking who is there if necessary."""
    provider, parameters = _provider(), _sent()
    asking = read_client(parameters, provider.clients)
    try:
        authentication, prompting = read_request(asking, parameters)
        session = provider.signed_in(request.cookies.get(_COOKIE), prompting)
    except ProtocolError as error:
        return _redirect(asking.answer(provider.issuer, error=error.error, error_description=error.description))
    if session:
        return _redirect(asking.answer(provider.issuer, code=provider.code(authentication, session)))
    known = provider.people()
    hinted = [person for person in known if person.answers_to(prompting.login_hint)]
    listed = hinted + [person for person in known if person not in hinted]
    signed = provider.suspend(authentication)
    return _page("connexion.html", client=asking, people=listed, preselected=hinted[:1], demand=signed)


@bp.post("/connexion")
def connect() -> Response:
    """Takes the choice that was made on the page."""
    provider, parameters = _provider(), _sent()
    authentication = provider.resume(parameters.one("demande"))
    if parameters.one("refus"):
        return _redirect(
            authentication.client.answer(provider.issuer, error="access_denied", error_description="The person refused")
        )
    session, value, notices = provider.sign_in(parameters.one("personne"), request.cookies.get(_COOKIE))
    _notify(notices)
    response = _redirect(authentication.client.answer(provider.issuer, code=provider.code(authentication, session)))
    return _set_session(response, value, SESSION_LIFETIME)


@bp.route("/deconnexion", methods=["GET", "POST"])
def disconnect() -> Response:
    """Ends the session (OpenID Connect RP-Initiated Logout), and goes back to a page of ours only."""
    provider, parameters = _provider(), _sent()
    _notify(provider.sign_out(request.cookies.get(_COOKIE)))
    back = parameters.one("post_logout_redirect_uri")
    url = absolute_url(back) if back else None
    if back and url and _origin(url) == _origin(urlsplit(provider.issuer)):
        response = _redirect(with_parameters(back, state=parameters.one("state")))
    else:
        response = _page("message.html", title="Vous êtes déconnecté", text="Votre session est terminée.")
    return _set_session(response, "", 0)


@bp.errorhandler(PageError)
def refuse_person(error: PageError) -> Response:
    """What only the person in front of the browser can be told."""
    return _page("message.html", error.status, title="La connexion n’est pas possible", text=french(error.issue))


# --- for clients


@bp.post("/token")
def token() -> Response:
    """The tokens for a code."""
    parameters = _sent()
    return jsonify(_provider().tokens(_client_ids(parameters), parameters))


@bp.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """The person whom a token belongs to."""
    bearer = _authorization()
    if not bearer or bearer.type != "bearer" or not bearer.token:
        # RFC 6750, 3.1: no error code in the header for a client that may not know that it needs a token.
        response = jsonify(error="invalid_token", error_description="An access token is required")
        response.status_code = 401
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return jsonify(_provider().userinfo(bearer.token))


@bp.errorhandler(ProtocolError)
def refuse_client(error: ProtocolError) -> Response:
    """An error for a client, in the form of OAuth 2.0."""
    response = jsonify(error=error.error, error_description=error.description)
    response.status_code = error.status
    if error.status == 401:
        # RFC 7617 wants a realm, RFC 6750 an error.
        basic = error.error == "invalid_client"
        response.headers["WWW-Authenticate"] = 'Basic realm="idp"' if basic else f'Bearer error="{error.error}"'
    return response


# --- for both


@bp.errorhandler(EditorError)
def refuse(error: EditorError) -> Response:
    """Refusals of the shared modules, in the form that the endpoint's clients know."""
    if request.endpoint in _PAGES:
        response = refuse_person(PageError(issue(_ON_PAGES.get(error.status, Code.OIDC_MALFORMED)), error.status))
    else:
        code = "temporarily_unavailable" if error.status == 503 else "invalid_request"
        response = refuse_client(ProtocolError(code, error.issues[0], error.status))
    response.headers.extend(error.headers)
    return response


@bp.after_request
def protect(response: Response) -> Response:
    """Forbids caches and frames."""
    response.headers.update(_HEADERS)
    return response


def _page(template: str, status: int = 200, **content: object) -> Response:
    return Response(render_template(f"idp/{template}", **content), status)


def _redirect(url: str) -> Response:
    """Redirects to a client with 303, so that a form is never sent on (RFC 9700, 4.12)."""
    return Response(status=303, headers={"Location": url})


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def _authorization() -> Authorization | None:
    """The credentials that the client presents, if they can be read."""
    try:
        return request.authorization
    except ValueError:  # Basic with anything but ASCII
        return None


def _client_ids(parameters: Parameters) -> set[str]:
    """The ids that a client may mean at the token endpoint; any secret will do. Raises ProtocolError."""
    given, header = parameters.one("client_id"), "Authorization" in request.headers
    basic = _authorization()
    if header and basic and basic.type == "basic" and basic.username:
        # RFC 6749, 2.3.1 wants the id encoded, but not every client does that.
        ids = {basic.username, unquote_plus(basic.username)}
    elif given and not header:
        ids = {given}
    else:
        raise ProtocolError("invalid_client", issue(Code.OIDC_CLIENT_MISSING), 401)
    if header and (parameters.one("client_secret") or (given and given not in ids)):
        raise ProtocolError("invalid_request", issue(Code.OIDC_CLIENT_TWICE))
    return ids

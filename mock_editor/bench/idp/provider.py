"""The rules of the provider, without a framework: what may be asked, who is signed in, codes and tokens.

Rules: OpenID Connect Core 1.0 with the code flow only, OAuth 2.0 (RFC 6749, 6750), PKCE (RFC 7636) and the best current
practice (RFC 9700). Sessions and codes are stored; access tokens and what a page sends back are signed values. When a
session ends, its clients are notified (OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0).
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from itsdangerous import BadData, URLSafeSerializer
from joserfc import jwt

from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.parameters import Parameters
from mock_editor.base.words import english
from mock_editor.bench.idp.clients import Registration, registered
from mock_editor.bench.idp.people import Person
from mock_editor.bench.idp.store import ProviderStore, SessionRow, Visit

# Seconds.
SESSION_LIFETIME = 8 * 3600
TOKEN_LIFETIME = 3600
_CODE_LIFETIME = 60
_DEMAND_LIFETIME = 1800
_LOGOUT_LIFETIME = 120
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"

CLIENT_AUTHENTICATION = ("client_secret_basic", "client_secret_post", "none")
CLAIMS = (
    *("iss", "aud", "iat", "exp", "auth_time", "nonce", "amr", "at_hash", "sid", "sub", "SubjectNameID"),
    *("preferred_username", "email", "email_verified", "given_name", "family_name", "name"),
)
_GRANT = "authorization_code"
_INTERACTIVE = frozenset({"login", "consent", "select_account"})
_PROMPTS = _INTERACTIVE | {"none"}
# OpenID Connect Core 6 and 7.2.1: what a provider may refuse, each with an error of its own.
_UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}

_URI = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")  # RFC 3986, without the fragment
_S256 = re.compile(r"[A-Za-z0-9_-]{43}")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(eq=False)
class ProtocolError(Exception):
    """An error for the client: its name in OAuth 2.0 or OpenID Connect, what is wrong, and a status."""

    error: str
    issue: Issue
    status: int = 400

    @property
    def description(self) -> str:
        """What is wrong, for the client's developer."""
        return english(self.issue)


@dataclass(eq=False)
class PageError(Exception):
    """An error that only the person in front of the browser can be shown."""

    issue: Issue
    status: int = 400


@dataclass(frozen=True, slots=True)
class Client:
    """The client that asks, and where the answer goes."""

    id: str
    redirect_uri: str
    state: str | None

    @property
    def site(self) -> str:
        """The site where the person is sent afterwards, for the screen."""
        return urlsplit(self.redirect_uri).netloc

    def answer(self, issuer: str, **parameters: str) -> str:
        """The URL that brings ``parameters`` to the client. ``iss`` tells it who answers (RFC 9207)."""
        return with_parameters(self.redirect_uri, **parameters, state=self.state, iss=issuer)


@dataclass(frozen=True, slots=True)
class AuthenticationRequest:
    """What a client asks for; ``challenge`` is that of PKCE."""

    client: Client
    scope: str
    nonce: str | None
    challenge: str | None


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """How a client wants the person to be asked."""

    prompts: Collection[str]
    max_age: int | None
    login_hint: str


class Session(NamedTuple):
    """A session: who signed in, and when; clients know it by ``sid``."""

    person: Person
    since: int
    sid: str


class LogoutNotice(NamedTuple):
    """That a session has ended: the ``token`` for the client that wants it at ``uri``."""

    uri: str
    token: str


def read_client(parameters: Parameters, known: Sequence[Registration]) -> Client:
    """The client that asks. Raises PageError: without a known client, nobody is redirected (RFC 6749, 4.1.2.1)."""
    client_id, redirect_uri = parameters.one("client_id"), parameters.one("redirect_uri")
    if not client_id:
        raise PageError(issue(Code.OIDC_CLIENT))
    if not redirect_uri or not absolute_url(redirect_uri):
        raise PageError(issue(Code.OIDC_REDIRECT_URI))
    if registered(known, client_id, redirect_uri) is None:
        raise PageError(issue(Code.OIDC_REDIRECT_URI_UNKNOWN))
    return Client(client_id, redirect_uri, parameters.one("state"))


def read_request(client: Client, parameters: Parameters) -> tuple[AuthenticationRequest, PromptOptions]:
    """The rest of an authentication request. Raises ProtocolError."""
    for name, error in _UNSUPPORTED.items():
        if name in parameters.names():
            raise ProtocolError(error, issue(Code.OIDC_PARAMETER, name=name))
    response_type = parameters.one("response_type")
    mode = parameters.one("response_mode")
    scope = parameters.one("scope") or ""
    challenge, method = parameters.one("code_challenge"), parameters.one("code_challenge_method")
    prompts = (parameters.one("prompt") or "").split()
    max_age = parameters.one("max_age")
    nonce, hint = parameters.one("nonce"), parameters.one("login_hint")

    if parameters.issues:
        raise ProtocolError("invalid_request", parameters.issues[0])
    if not response_type:
        raise ProtocolError("invalid_request", issue(Code.OIDC_RESPONSE_TYPE_MISSING))
    if response_type != "code":
        raise ProtocolError("unsupported_response_type", issue(Code.OIDC_RESPONSE_TYPE))
    if mode not in (None, "query"):
        raise ProtocolError("invalid_request", issue(Code.OIDC_RESPONSE_MODE))
    if "openid" not in scope.split():
        raise ProtocolError("invalid_scope", issue(Code.OIDC_SCOPE))
    # Without a method it is `plain` (RFC 7636, 4.3).
    if (challenge or method) and (method != "S256" or not _S256.fullmatch(challenge or "")):
        raise ProtocolError("invalid_request", issue(Code.OIDC_CHALLENGE))
    if not _PROMPTS.issuperset(prompts) or ("none" in prompts and len(prompts) > 1):
        raise ProtocolError("invalid_request", issue(Code.OIDC_PROMPT))
    if max_age and not _SECONDS.fullmatch(max_age):
        raise ProtocolError("invalid_request", issue(Code.OIDC_MAX_AGE))
    authentication = AuthenticationRequest(client, " ".join(scope.split()), nonce, challenge)
    return authentication, PromptOptions(prompts, int(max_age) if max_age else None, hint or "")


class Provider:
    """The provider ``issuer``, where everybody whom ``people`` returns may sign in.

    ``now`` is in seconds since 1970. It is real time, wherever the simulator's clock stands: clients compare the times
    in tokens with their own clock.
    """

    def __init__(
        self,
        people: Callable[[], Sequence[Person]],
        clients: Sequence[Registration],
        issuer: str,
        store: ProviderStore,
        now: Callable[[], float],
    ) -> None:
        self.people = people
        self.clients = clients
        self.issuer = issuer
        self._store = store
        self._now = now

    # --- signing in

    def signed_in(self, cookie: str | None, prompting: PromptOptions) -> Session | None:
        """The session of a browser, unless the client wants the person to be asked.

        Raises ProtocolError when the client wants nobody to be asked, but the person would have to be.
        """
        session = self._session(cookie)
        # max_age=0 is prompt=login (OpenID Connect Core, 3.1.2.1).
        recent = session and (prompting.max_age is None or self._now() - session.since < prompting.max_age)
        if recent and not _INTERACTIVE.intersection(prompting.prompts):
            return session
        if "none" in prompting.prompts:
            raise ProtocolError("login_required", issue(Code.OIDC_LOGIN_REQUIRED))
        return None

    def sign_in(self, key: str | None, cookie: str | None) -> tuple[Session, str, list[LogoutNotice]]:
        """The session of the person just chosen, its cookie, and the logout notices if another person's session ended.

        ``cookie`` is the browser's present one. Raises PageError.
        """
        person = self._person(key)
        if not person:
            raise PageError(issue(Code.OIDC_NOBODY_CHOSEN))
        before = self._row(cookie)
        same = before is not None and before.person == person.key
        notices = [] if same else self._end(before)
        sid = before.sid if before and same else None
        row, value = self._store.open(person.key, sid, now=int(self._now()), seconds=SESSION_LIFETIME)
        return Session(person, row.since, row.sid), value, notices

    def sign_out(self, cookie: str | None) -> list[LogoutNotice]:
        """Ends the session of a browser; returns the logout notices to send."""
        return self._end(self._row(cookie))

    def _end(self, row: SessionRow | None) -> list[LogoutNotice]:
        if row is None:
            return []
        person = self._person(row.person)
        visits = self._store.end(row.sid)
        return [LogoutNotice(visit.logout_uri, self._logout_token(visit, row.sid, person)) for visit in visits]

    def _logout_token(self, visit: Visit, sid: str, person: Person | None) -> str:
        now = int(self._now())
        claims = {
            "iss": self.issuer,
            "aud": visit.client_id,
            "iat": now,
            "exp": now + _LOGOUT_LIFETIME,
            "jti": secrets.token_urlsafe(16),
            "events": {_LOGOUT: {}},
            "sid": sid,
            **({"sub": person.claims()["sub"]} if person else {}),
        }
        return self._signed_token(claims, typ="logout+jwt")

    def _signed_token(self, claims: dict[str, Any], **header: str) -> str:
        key = self._store.keys().signing
        return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key)

    def _row(self, cookie: str | None) -> SessionRow | None:
        return self._store.session(cookie, now=int(self._now())) if cookie else None

    def _session(self, cookie: str | None) -> Session | None:
        row = self._row(cookie)
        person = self._person(row.person) if row else None
        return Session(person, row.since, row.sid) if row and person else None

    def _person(self, key: str | None) -> Person | None:
        return next((person for person in self.people() if person.key == key), None)

    def suspend(self, authentication: AuthenticationRequest) -> str:
        """The request as the page sends it back with the choice; nobody else can forge it."""
        return self._sign("demand", {"demand": asdict(authentication)}, _DEMAND_LIFETIME)

    def resume(self, text: str | None) -> AuthenticationRequest:
        """The authentication that ``suspend`` wrote. Raises PageError."""
        content = self._signed("demand", text)
        if not content:
            raise PageError(issue(Code.OIDC_REQUEST_EXPIRED))
        return _authentication(content["demand"])

    # --- codes and tokens

    def code(self, authentication: AuthenticationRequest, session: Session) -> str:
        """A code for the client."""
        client = authentication.client
        content = {
            "demand": asdict(authentication),
            "person": session.person.key,
            "since": session.since,
            "sid": session.sid,
        }
        known = registered(self.clients, client.id, client.redirect_uri)
        visit = Visit(client.id, known.logout_uri) if known and known.logout_uri else None
        return self._store.keep(content, visit, now=int(self._now()), seconds=_CODE_LIFETIME)

    def tokens(self, clients: Collection[str], parameters: Parameters) -> dict[str, Any]:
        """The tokens for a code, for a client that may write its id as one of ``clients``. Raises ProtocolError."""
        grant_type, code, redirect_uri, verifier = map(
            parameters.one, ("grant_type", "code", "redirect_uri", "code_verifier")
        )
        if parameters.issues:
            raise ProtocolError("invalid_request", parameters.issues[0])
        if grant_type and grant_type != _GRANT:
            raise ProtocolError("unsupported_grant_type", issue(Code.OIDC_GRANT_TYPE, grant=_GRANT))
        if not (grant_type and code and redirect_uri):
            raise ProtocolError("invalid_request", issue(Code.OIDC_GRANT_INCOMPLETE))
        # The first attempt uses up the code, even a wrong one: then somebody has seen it who should not have.
        now = int(self._now())
        content = self._store.take(code, now=now)
        lasts = content and self._store.lasts(content["sid"], now=now)
        person = self._person(content["person"]) if content and lasts else None
        if not content or not person:
            raise ProtocolError("invalid_grant", issue(Code.OIDC_CODE))
        authentication = _authentication(content["demand"])
        if authentication.client.id not in clients or authentication.client.redirect_uri != redirect_uri:
            raise ProtocolError("invalid_grant", issue(Code.OIDC_CODE_OF_ANOTHER))
        if not _verifies(verifier, authentication.challenge):
            raise ProtocolError("invalid_grant", issue(Code.OIDC_VERIFIER))

        access_token = self._sign("access", {"person": person.key}, TOKEN_LIFETIME)
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME,
            "scope": authentication.scope,
            "id_token": self._id_token(Session(person, content["since"], content["sid"]), authentication, access_token),
        }

    def _id_token(self, session: Session, authentication: AuthenticationRequest, access_token: str) -> str:
        now = int(self._now())
        claims = session.person.claims() | {
            "iss": self.issuer,
            "aud": authentication.client.id,
            "iat": now,
            "exp": now + TOKEN_LIFETIME,
            "auth_time": session.since,
            "sid": session.sid,
            # Only somebody's presence is tested (RFC 8176).
            "amr": ["user"],
            "at_hash": _base64(hashlib.sha256(access_token.encode()).digest()[:16]),
        }
        if authentication.nonce:
            claims["nonce"] = authentication.nonce
        return self._signed_token(claims)

    def userinfo(self, access_token: str) -> dict[str, Any]:
        """The claims of a person. Raises ProtocolError."""
        content = self._signed("access", access_token)
        person = self._person(content["person"]) if content else None
        if not person:
            raise ProtocolError("invalid_token", issue(Code.OIDC_TOKEN), 401)
        return person.claims()

    def jwks(self) -> dict[str, Any]:
        """The public key."""
        return {"keys": [self._store.keys().signing.as_dict(private=False)]}

    # --- signed values

    def _sign(self, purpose: str, content: Mapping[str, Any], seconds: int) -> str:
        """``content``, readable by anybody. The purpose is signed as well: an access token is no cookie."""
        expires = int(self._now()) + seconds
        text: str = URLSafeSerializer(self._store.keys().secret, purpose).dumps({**content, "expires": expires})
        return text

    def _signed(self, purpose: str, text: str | None) -> dict[str, Any] | None:
        """The content that was signed for this purpose and has not expired."""
        try:
            content: dict[str, Any] = URLSafeSerializer(self._store.keys().secret, purpose).loads(text or "")
        except BadData:
            return None
        return content if content["expires"] > self._now() else None


def _authentication(content: Mapping[str, Any]) -> AuthenticationRequest:
    """What ``asdict`` made a dictionary of."""
    return AuthenticationRequest(**{**content, "client": Client(**content["client"])})


def _verifies(verifier: str | None, challenge: str | None) -> bool:
    """Whether a code_verifier fits the challenge; without a challenge, there must be none (RFC 9700, 2.1.1)."""
    if not verifier or not challenge:
        return not verifier and not challenge
    return hmac.compare_digest(_base64(hashlib.sha256(verifier.encode()).digest()), challenge)


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


# --- URLs


def absolute_url(text: str) -> SplitResult | None:
    """An absolute http(s) URL with neither fragment nor user, if ``text`` is one."""
    if not _URI.fullmatch(text):
        return None
    try:
        url = urlsplit(text)
        # Werkzeug encodes the host of a redirect like this, and fails on labels that are empty or too long.
        host = (url.hostname or "").encode("idna")
        valid = url.scheme in ("http", "https") and host and url.port != 0 and "@" not in url.netloc
    except ValueError:
        return None
    return url if valid else None


def with_parameters(url: str, **parameters: str | None) -> str:
    """``url`` with more parameters: those that have a value."""
    more = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{url}{'&' if '?' in url else '?'}{more}" if more else url

"""Signing in through an identity provider: OpenID Connect, authorization code with state, nonce and PKCE.

Source: OpenID Connect Core 1.0; the guide delegates the authentication of regulators to their platform account or to
Pro Santé Connect. Protocol times are real ones: the provider's clock is not ours.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oauth2.rfc7523 import ClientSecretJWT
from itsdangerous import BadData, URLSafeTimedSerializer
from joserfc.errors import JoseError
from joserfc.jwk import Key
from requests import PreparedRequest, RequestException, Response
from requests.adapters import BaseAdapter
from requests.exceptions import HTTPError, InvalidJSONError

from mock_editor.base.client import Limits, equip, within
from mock_editor.base.errors import InvalidValueError, refused
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.words import english
from mock_editor.booking import tokens
from mock_editor.booking.tokens import Ended
from mock_editor.journal.journal import Journal
from mock_editor.journal.outgoing import record_with
from mock_editor.settings import Settings

# The person may have to find a smart card first.
SIGN_IN_SECONDS = 15 * 60
_METADATA_SECONDS = 300
# The time limit for all calls to the provider together, while a browser waits.
_SECONDS = 15.0
# Logout tokens may come from anybody: they cause the keys to be fetched no more often than this.
_KEYS_SECONDS = 10
# Errors about the person, not the provider or our request (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6).
_REFUSALS = frozenset(
    {
        *("access_denied", "login_required", "interaction_required", "consent_required"),
        *("account_selection_required", "unmet_authentication_requirements"),
    }
)
_LONGEST_REASON = 300
# A request has to have room for several of them.
_LONGEST_COOKIE = 1500


@dataclass(eq=False)
class ProviderError(Exception):
    """Why a sign-in fails: the provider has ``refused`` the person, or does not work as it should."""

    issue: Issue
    refused: bool = False

    def __str__(self) -> str:
        # For logs and tracebacks.
        return english(self.issue)


class SignIn(NamedTuple):
    """A sign-in in progress, from here to the provider and back.

    ``begun`` is in seconds since 1970; ``target`` is the requested page.
    """

    state: str
    nonce: str
    verifier: str
    target: str
    begun: float


class Identified(NamedTuple):
    """Who a person is, according to the provider: values of the claims that may hold each identifier, in order.

    ``subject`` and ``sid`` are its names for the person and their session, needed when it ends that session.
    """

    national_ids: Sequence[str]
    technical_ids: Sequence[str]
    emails: Sequence[str]
    subject: str
    sid: str | None


class _Metadata:
    """The metadata of a provider. Raises InvalidValueError for required values that are missing."""

    def __init__(self, issuer: str, content: Mapping[str, Any]) -> None:
        # With or without a slash at its end, an issuer has its metadata at the same URL.
        published = content.get("issuer")
        if not isinstance(published, str) or published.rstrip("/") != issuer.rstrip("/"):
            raise InvalidValueError(Code.PROVIDER_ISSUER, found=str(published)[:100], issuer=issuer)
        self.issuer = published
        self._content = content

    def endpoint(self, name: str) -> str:
        """The URL of an endpoint. Raises InvalidValueError when there is none."""
        url = self._content.get(name)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise InvalidValueError(Code.PROVIDER_METADATA_LACKS, name=name)
        return url

    def has(self, name: str) -> bool:
        """Whether the metadata has this value."""
        return self._content.get(name) is not None

    @property
    def names_itself(self) -> bool:
        """Whether each answer of the provider names it as the issuer (RFC 9207, 3)."""
        return self._content.get("authorization_response_iss_parameter_supported") is True

    def listed(self, name: str, default: Sequence[str] = ()) -> Sequence[str]:
        """A list of what the provider supports."""
        found = self._content.get(name)
        return found if isinstance(found, list) else default


@dataclass(slots=True)
class _Discovered:
    metadata: _Metadata
    keys: list[Key]
    at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.at


class IdentityProvider:
    """The provider with this ``issuer``, as ``settings`` describe it. ``journal`` records the calls to it.

    ``embedded`` carries the calls to a provider in this process. Its public URL may not be reachable from here, and a
    server with one thread would wait for itself.
    """

    def __init__(
        self, issuer: str, settings: Settings, journal: Journal | None = None, embedded: BaseAdapter | None = None
    ) -> None:
        self._issuer = issuer
        self._settings = settings
        self._journal = journal
        self._embedded = embedded
        self._discovered: _Discovered | None = None

    def begin(self, editor: str, redirect_uri: str, target: str) -> tuple[str, SignIn]:
        """Where to send the browser, and what to remember until it comes back. Raises ProviderError."""
        begun = SignIn(generate_token(32), generate_token(32), generate_token(64), target, time.time())
        extra = {"acr_values": self._settings.oidc_acr_values} if self._settings.oidc_acr_values else {}
        with self._client(editor, redirect_uri) as client, _failures():
            url, _ = client.create_authorization_url(
                self._discover(client).metadata.endpoint("authorization_endpoint"),
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
                **extra,
            )
        return url, begun

    def finish(self, editor: str, redirect_uri: str, begun: SignIn, answer: Mapping[str, str | None]) -> Identified:
        """The person who came back with these parameters. Raises ProviderError."""
        if error := answer.get("error"):
            raise ProviderError(_said(error, answer.get("error_description")), refused=error in _REFUSALS)
        with self._client(editor, redirect_uri) as client, _failures():
            found = self._discover(client)
            # RFC 9207, 2.4: otherwise the answer is from another provider.
            claimed = answer.get("iss")
            if claimed != found.metadata.issuer and (claimed is not None or found.metadata.names_itself):
                raise InvalidValueError(Code.SIGN_IN_OF_ANOTHER_ISSUER, found=str(claimed)[:100])
            if not (code := answer.get("code")):
                raise InvalidValueError(Code.SIGN_IN_EMPTY)
            token = self._fetch_token(client, found.metadata, begun, code)
            if not isinstance(id_token := token.get("id_token"), str):
                raise InvalidValueError(Code.SIGN_IN_WITHOUT_ID_TOKEN)
            claims = self._verified(client, id_token)
            client_id = self._client_id(editor)
            tokens.check_id_token(claims, issuer=found.metadata.issuer, client_id=client_id, nonce=begun.nonce)
            subject, sid = claims["sub"], claims.get("sid")
            if found.metadata.has("userinfo_endpoint"):
                claims |= self._userinfo(client, found.metadata, editor, token, subject)
        return self._identity(claims, subject, sid if isinstance(sid, str) else None)

    def read_logout(self, editor: str, token: str) -> Ended:
        """Which sessions the provider ends. Raises ProviderError, ``refused`` for a token that is not valid for us."""
        with self._client(editor, "") as client, _failures():
            issuer = self._discover(client).metadata.issuer
            try:
                claims = self._verified(client, token, anybodys=True)
                return tokens.check_logout(claims, issuer=issuer, client_id=self._client_id(editor))
            except RequestException:
                raise  # the provider failed, not the token
            except (JoseError, ValueError, TypeError, LookupError, ArithmeticError) as error:
                reason = error.issue if isinstance(error, InvalidValueError) else _line(error)
                raise ProviderError(issue(Code.LOGOUT_TOKEN_WRONG, reason=reason), refused=True) from error

    def _fetch_token(self, client: OAuth2Session, metadata: _Metadata, begun: SignIn, code: str) -> Mapping[str, Any]:
        client.token_endpoint_auth_method = self._authentication(metadata)
        token: Mapping[str, Any] = client.fetch_token(
            metadata.endpoint("token_endpoint"),
            code=code,
            code_verifier=begun.verifier,
            grant_type="authorization_code",
            allow_redirects=False,
        )
        return token

    def _authentication(self, metadata: _Metadata) -> str:
        """The client authentication to use with the provider (OpenID Connect Core, 9). Raises InvalidValueError."""
        if not self._settings.oidc_client_secret:
            return "none"
        # The default is that of OpenID Connect Discovery, 3.
        supported = metadata.listed("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        for method in ("client_secret_basic", "client_secret_post", ClientSecretJWT.name, "none"):
            if method in supported:
                return method
        raise InvalidValueError(Code.PROVIDER_AUTHENTICATION, taken=", ".join(map(str, supported))[:200])

    def _userinfo(
        self, client: OAuth2Session, metadata: _Metadata, editor: str, token: Mapping[str, Any], subject: str
    ) -> Mapping[str, Any]:
        access = token.get("access_token")
        kind = token.get("token_type", "Bearer")
        if not isinstance(access, str) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise InvalidValueError(Code.SIGN_IN_WITHOUT_BEARER)
        answer = client.request(
            "GET",
            metadata.endpoint("userinfo_endpoint"),
            headers={"Authorization": f"Bearer {access}"},
            withhold_token=True,
            allow_redirects=False,
        )
        answer.raise_for_status()
        if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/jwt":
            claims = self._verified(client, answer.text.strip())
            tokens.check_userinfo(claims, issuer=metadata.issuer, client_id=self._client_id(editor))
        else:
            claims = _json_object(answer)
        # OpenID Connect Core, 5.3.2: otherwise these are another person's claims.
        if claims.get("sub") != subject:
            raise InvalidValueError(Code.USERINFO_SUBJECT)
        return claims

    def _verified(self, client: OAuth2Session, token: str, *, anybodys: bool = False) -> dict[str, Any]:
        """The claims of a token that the provider has signed. ``anybodys``: the token may come from anybody.

        Raises JoseError or ValueError.
        """
        found = self._discover(client)
        try:
            return tokens.signed_claims(token, found.keys)
        except (JoseError, ValueError):
            if anybodys and found.age < _KEYS_SECONDS:
                raise
            # The provider may have changed its keys since we fetched them.
            return tokens.signed_claims(token, self._discover(client, anew=True).keys)

    def _identity(self, claims: Mapping[str, Any], subject: str, sid: str | None) -> Identified:
        settings = self._settings
        # An address that the provider itself does not trust identifies nobody.
        emails = tokens.texts(claims, settings.oidc_email_claims) if tokens.trusted_email(claims) else []
        national, technical = settings.oidc_national_id_claims, settings.oidc_technical_id_claims
        return Identified(tokens.texts(claims, national), tokens.texts(claims, technical), emails, subject, sid)

    def _client_id(self, editor: str) -> str:
        return self._settings.oidc_client_id or editor

    def _client(self, editor: str, redirect_uri: str) -> OAuth2Session:
        client = OAuth2Session(
            self._client_id(editor),
            self._settings.oidc_client_secret,
            scope=self._settings.oidc_scope,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            # Tokens are used at once: with the default leeway, one that lives a minute would count as expired.
            leeway=0,
        )
        client.register_client_auth_method(("client_secret_basic", _encoded_basic))
        client.register_client_auth_method(ClientSecretJWT())
        equip(client, Limits())
        # Takes precedence over an entry for the provider's host in ~/.netrc.
        client.auth = _as_it_is
        if self._embedded:
            client.mount(self._issuer, self._embedded)
        if self._journal:
            record_with(client, self._journal.writer, editor, Flow.SSO)
        return client

    def _discover(self, client: OAuth2Session, *, anew: bool = False) -> _Discovered:
        """The provider's metadata and keys, cached for a while."""
        if anew or self._discovered is None or self._discovered.age > _METADATA_SECONDS:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = _Metadata(self._issuer, self._fetched(client, url))
            secret = self._settings.oidc_client_secret
            declared = metadata.listed("id_token_signing_alg_values_supported")
            by_secret = any(isinstance(name, str) and name.startswith("HS") for name in declared)
            keys = tokens.verification_keys(
                self._fetched(client, metadata.endpoint("jwks_uri")), secret if by_secret else None
            )
            if not keys:
                raise InvalidValueError(Code.PROVIDER_KEYS_UNREADABLE)
            self._discovered = _Discovered(metadata, keys, time.monotonic())
        return self._discovered

    def _fetched(self, client: OAuth2Session, url: str) -> dict[str, Any]:
        answer = client.request("GET", url, withhold_token=True)
        answer.raise_for_status()
        return _json_object(answer)


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    return request


def _encoded_basic(auth: Any, method: str, uri: str, headers: Any, body: Any) -> Any:
    """HTTP Basic with id and secret encoded as RFC 6749, 2.3.1 requires, which the library does not do."""
    encoded = _Credentials(quote_plus(auth.client_id), quote_plus(auth.client_secret))
    return encode_client_secret_basic(encoded, method, uri, headers, body)


class _Credentials(NamedTuple):
    client_id: str
    client_secret: str


def _json_object(answer: Response) -> dict[str, Any]:
    content = answer.json()
    if not isinstance(content, dict):
        raise InvalidValueError(Code.PROVIDER_NOT_OBJECT, url=answer.url)
    return content


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turns any failure of a provider into a ProviderError."""
    try:
        # One request of a browser may cause several calls.
        with within(_SECONDS):
            yield
    except InvalidValueError as error:
        raise ProviderError(error.issue) from error
    except AuthlibBaseError as error:
        raise ProviderError(_said(error.error, error.description)) from error
    except JoseError as error:
        detail = " ".join(filter(None, (error.error, getattr(error, "claim", ""))))
        wrong = issue(Code.TOKEN_NOT_ACCEPTED, error=type(error).__name__, description=_line(error), what=_line(detail))
        raise ProviderError(wrong) from error
    except RequestException as error:
        raise ProviderError(_failed_call(error)) from error
    # A hostile answer may be nested too deeply for Python to read.
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        name, text = type(error).__name__, _line(error)
        raise ProviderError(issue(Code.PROVIDER_ANSWER_UNREADABLE, error=name, description=text)) from error


def _failed_call(error: RequestException) -> Issue:
    """Why a call to the provider gave no usable answer."""
    name, text = type(error).__name__, _line(error)
    if isinstance(error, HTTPError):
        url, status = error.response.url, error.response.status_code
        return issue(Code.PROVIDER_STATUS, error=name, description=text, url=url, status=status)
    code = Code.PROVIDER_ANSWER_UNREADABLE if isinstance(error, InvalidJSONError) else Code.PROVIDER_CALL_FAILED
    return issue(code, error=name, description=text)


def _said(error: object, description: object) -> Issue:
    """An error in the provider's own words."""
    if description:
        return issue(Code.PROVIDER_SAYS, error=_line(error), description=_line(description))
    return issue(Code.PROVIDER_SAYS_ONLY, error=_line(error))


def _line(text: object) -> str:
    """A foreign text as one line that is safe to show."""
    return " ".join("".join(character if character.isprintable() else " " for character in str(text)).split())[
        :_LONGEST_REASON
    ]


def sealed(begun: SignIn, secret: str) -> str:
    """The cookie of a sign-in: signed, but readable by the browser. Raises 400 for a long target."""
    text: str = URLSafeTimedSerializer(secret, "sso").dumps(list(begun))
    if len(text) > _LONGEST_COOKIE:
        raise refused(Code.SIGN_IN_TARGET_TOO_LONG)
    return text


def unsealed(cookie: str, secret: str) -> SignIn | None:
    """The sign-in of a cookie; None unless it is signed by us and recent."""
    try:
        return SignIn(*URLSafeTimedSerializer(secret, "sso").loads(cookie, max_age=SIGN_IN_SECONDS))
    except (BadData, TypeError):
        return None

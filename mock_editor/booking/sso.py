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
# That all calls to the provider may take together while a browser waits.
_SECONDS = 15.0
# Whoever may send us tokens without having signed in has the keys fetched no more often.
_KEYS_SECONDS = 10
# What is said of the person, not of the provider or of how we asked (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6).
_REFUSALS = frozenset(
    {
        *("access_denied", "login_required", "interaction_required", "consent_required"),
        *("account_selection_required", "unmet_authentication_requirements"),
    }
)
_LONGEST_REASON = 300
# Of several there has to be room in a request.
_LONGEST_COOKIE = 1500


@dataclass(eq=False)
class ProviderError(Exception):
    """Why nobody is signed in: the provider has ``refused`` the person, or does not do its part."""

    issue: Issue
    refused: bool = False

    def __str__(self) -> str:
        # For logs and tracebacks.
        return english(self.issue)


class SignIn(NamedTuple):
    """One that is under way, to the provider and back.

    It was ``begun`` in seconds since 1970; ``target`` is the page that was asked for.
    """

    state: str
    nonce: str
    verifier: str
    target: str
    begun: float


class Identified(NamedTuple):
    """Whom the provider says somebody is: values of the claims that may hold each identifier, in order.

    ``subject`` and ``sid`` are what it calls the person and their session, should it end that.
    """

    national_ids: Sequence[str]
    technical_ids: Sequence[str]
    emails: Sequence[str]
    subject: str
    sid: str | None


class _Metadata:
    """What a provider says of itself. Raises InvalidValueError for what has to be there and is not."""

    def __init__(self, issuer: str, content: Mapping[str, Any]) -> None:
        # One that ends in a slash has its metadata at the same URL.
        published = content.get("issuer")
        if not isinstance(published, str) or published.rstrip("/") != issuer.rstrip("/"):
            raise InvalidValueError(Code.PROVIDER_ISSUER, found=str(published)[:100], issuer=issuer)
        self.issuer = published
        self._content = content

    def endpoint(self, name: str) -> str:
        """A URL. Raises InvalidValueError when there is none."""
        url = self._content.get(name)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise InvalidValueError(Code.PROVIDER_METADATA_LACKS, name=name)
        return url

    def has(self, name: str) -> bool:
        """Whether the provider says anything of it."""
        return self._content.get(name) is not None

    @property
    def names_itself(self) -> bool:
        """Whether the provider says with each answer that it is its own (RFC 9207, 3)."""
        return self._content.get("authorization_response_iss_parameter_supported") is True

    def listed(self, name: str, default: Sequence[str] = ()) -> Sequence[str]:
        """What the provider can do of a kind."""
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
    """The provider of ``issuer``, as ``settings`` describe it; ``journal`` takes down what is sent to it.

    ``embedded`` carries the calls to a provider in this very process: it may not be reachable under its public URL
    from here, and a server with one thread would wait for itself.
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
        """Where to send the browser, and what to remember until it is back. Raises ProviderError."""
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
        """Who came back with these parameters. Raises ProviderError."""
        if error := answer.get("error"):
            raise ProviderError(_said(error, answer.get("error_description")), refused=error in _REFUSALS)
        with self._client(editor, redirect_uri) as client, _failures():
            found = self._discover(client)
            # RFC 9207, 2.4: otherwise it is another one's answer.
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
        """Whose sessions the provider ends. Raises ProviderError, ``refused`` for a token that is none for us."""
        with self._client(editor, "") as client, _failures():
            issuer = self._discover(client).metadata.issuer
            try:
                claims = self._verified(client, token, anybodys=True)
                return tokens.check_logout(claims, issuer=issuer, client_id=self._client_id(editor))
            except RequestException:
                raise  # of the provider itself
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
        """How the client authenticates, as the provider takes it (OpenID Connect Core, 9). Raises InvalidValueError."""
        if not self._settings.oidc_client_secret:
            return "none"
        # What a provider takes that says nothing (OpenID Connect Discovery, 3).
        taken = metadata.listed("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        for method in ("client_secret_basic", "client_secret_post", ClientSecretJWT.name, "none"):
            if method in taken:
                return method
        raise InvalidValueError(Code.PROVIDER_AUTHENTICATION, taken=", ".join(map(str, taken))[:200])

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
        # OpenID Connect Core, 5.3.2: otherwise these are somebody else's.
        if claims.get("sub") != subject:
            raise InvalidValueError(Code.USERINFO_SUBJECT)
        return claims

    def _verified(self, client: OAuth2Session, token: str, *, anybodys: bool = False) -> dict[str, Any]:
        """What a token says that the provider has signed; ``anybodys`` may have been made by anybody.

        Raises JoseError or ValueError.
        """
        found = self._discover(client)
        try:
            return tokens.signed_claims(token, found.keys)
        except (JoseError, ValueError):
            if anybodys and found.age < _KEYS_SECONDS:
                raise
            # The provider may have changed its keys since we asked for them.
            return tokens.signed_claims(token, self._discover(client, anew=True).keys)

    def _identity(self, claims: Mapping[str, Any], subject: str, sid: str | None) -> Identified:
        settings = self._settings
        # An address that the provider itself does not trust is nobody's.
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
            # Tokens are used at once: one that lives a minute is no token that is over.
            leeway=0,
        )
        client.register_client_auth_method(("client_secret_basic", _encoded_basic))
        client.register_client_auth_method(ClientSecretJWT())
        equip(client, Limits())
        # Stands before what ~/.netrc may say about the provider's machine.
        client.auth = _as_it_is
        if self._embedded:
            client.mount(self._issuer, self._embedded)
        if self._journal:
            record_with(client, self._journal.writer, editor, Flow.SSO)
        return client

    def _discover(self, client: OAuth2Session, *, anew: bool = False) -> _Discovered:
        """What the provider says of itself, kept for a while."""
        if anew or self._discovered is None or self._discovered.age > _METADATA_SECONDS:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = _Metadata(self._issuer, self._fetched(client, url))
            secret = self._settings.oidc_client_secret
            declared = metadata.listed("id_token_signing_alg_values_supported")
            by_secret = any(isinstance(one, str) and one.startswith("HS") for one in declared)
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
    """HTTP Basic with id and secret encoded as RFC 6749, 2.3.1 wants it, which the library does not do."""
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
    """Turns whatever a provider does wrong into a ProviderError."""
    try:
        # In one request of a browser, several calls may be made.
        with within(_SECONDS):
            yield
    except InvalidValueError as error:
        raise ProviderError(error.issue) from error
    except AuthlibBaseError as error:
        raise ProviderError(_said(error.error, error.description)) from error
    except JoseError as error:
        what = " ".join(filter(None, (error.error, getattr(error, "claim", ""))))
        wrong = issue(Code.TOKEN_NOT_ACCEPTED, error=type(error).__name__, description=_line(error), what=_line(what))
        raise ProviderError(wrong) from error
    except RequestException as error:
        raise ProviderError(_failed_call(error)) from error
    # A hostile answer may be nested deeper than Python reads.
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        name, text = type(error).__name__, _line(error)
        raise ProviderError(issue(Code.PROVIDER_ANSWER_UNREADABLE, error=name, description=text)) from error


def _failed_call(error: RequestException) -> Issue:
    """Why a call to the provider brought nothing that can be used."""
    name, text = type(error).__name__, _line(error)
    if isinstance(error, HTTPError):
        url, status = error.response.url, error.response.status_code
        return issue(Code.PROVIDER_STATUS, error=name, description=text, url=url, status=status)
    code = Code.PROVIDER_ANSWER_UNREADABLE if isinstance(error, InvalidJSONError) else Code.PROVIDER_CALL_FAILED
    return issue(code, error=name, description=text)


def _said(error: object, description: object) -> Issue:
    """What the provider itself says of an error."""
    if description:
        return issue(Code.PROVIDER_SAYS, error=_line(error), description=_line(description))
    return issue(Code.PROVIDER_SAYS_ONLY, error=_line(error))


def _line(text: object) -> str:
    """What comes from elsewhere, in a line that may be shown."""
    return " ".join("".join(one if one.isprintable() else " " for one in str(text)).split())[:_LONGEST_REASON]


def sealed(begun: SignIn, secret: str) -> str:
    """A sign-in as a cookie holds it: readable by the browser, made by nobody else. Raises 400 for a long target."""
    text: str = URLSafeTimedSerializer(secret, "sso").dumps(list(begun))
    if len(text) > _LONGEST_COOKIE:
        raise refused(Code.SIGN_IN_TARGET_TOO_LONG)
    return text


def unsealed(cookie: str, secret: str) -> SignIn | None:
    """The sign-in of a cookie, begun by this very browser and not too long ago."""
    try:
        return SignIn(*URLSafeTimedSerializer(secret, "sso").loads(cookie, max_age=SIGN_IN_SECONDS))
    except (BadData, TypeError):
        return None

"""Signing in through an identity provider: OpenID Connect, authorization code with state, nonce and PKCE.

Source: OpenID Connect Core 1.0; the guide delegates the authentication of regulators to their platform account or to
Pro Santé Connect. Protocol times are real ones: the provider's clock is not ours.
"""

import contextlib
import logging
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from itsdangerous import BadData, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests import RequestException, Response
from requests.adapters import BaseAdapter

from mock_editor.base.flows import Flow as Kind
from mock_editor.booking.access import PageError
from mock_editor.journal.journal import Journal
from mock_editor.journal.outgoing import record_with
from mock_editor.settings import Settings

# The person may have to find a smart card first.
FLOW_SECONDS = 15 * 60
_TIMEOUT = (3, 10)
_METADATA_SECONDS = 300
_LEEWAY = 120
_log = logging.getLogger(__name__)
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class Flow(NamedTuple):
    """One way to the provider and back; ``target`` is the page that was asked for."""

    state: str
    nonce: str
    verifier: str
    target: str


class Identity(NamedTuple):
    """Whom the provider says somebody is: values of the claims that may hold each identifier, in order."""

    national_ids: Sequence[str]
    technical_ids: Sequence[str]
    emails: Sequence[str]


@dataclass(slots=True)
class _Discovered:
    metadata: Mapping[str, Any]
    keys: KeySet
    until: float


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

    def begin(self, editor: str, redirect_uri: str, target: str) -> tuple[str, Flow]:
        """Where to send the browser, and what to remember until it is back. Raises PageError."""
        flow = Flow(generate_token(32), generate_token(32), generate_token(64), target)
        extra = {"acr_values": self._settings.oidc_acr_values} if self._settings.oidc_acr_values else {}
        with self._client(editor, redirect_uri) as client, _failures():
            url, _ = client.create_authorization_url(
                self._discover(client).metadata["authorization_endpoint"],
                state=flow.state,
                nonce=flow.nonce,
                code_verifier=flow.verifier,
                **extra,
            )
        return url, flow

    def finish(self, editor: str, redirect_uri: str, flow: Flow, code: str) -> Identity:
        """Who came back with ``code``. Raises PageError."""
        with self._client(editor, redirect_uri) as client, _failures():
            found = self._discover(client)
            token = client.fetch_token(
                found.metadata["token_endpoint"],
                code=code,
                code_verifier=flow.verifier,
                grant_type="authorization_code",
            )
            claims = self._verified(client, editor, flow, token.get("id_token"))
            if endpoint := found.metadata.get("userinfo_endpoint"):
                answer = client.get(endpoint)
                answer.raise_for_status()
                told = _json_object(answer)
                # OpenID Connect Core, 5.3.2: otherwise these are somebody else's.
                if told.get("sub") != claims["sub"]:
                    raise ValueError("userinfo is about another subject than the ID token")
                claims = claims | told
        return self._identity(claims)

    def _verified(self, client: OAuth2Session, editor: str, flow: Flow, id_token: object) -> dict[str, Any]:
        """The claims of an ID token. Raises JoseError or ValueError."""
        if not isinstance(id_token, str):
            raise ValueError("the answer holds no ID token")
        try:
            decoded = jwt.decode(id_token, self._discover(client).keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have changed its keys since we asked for them.
            self._discovered = None
            decoded = jwt.decode(id_token, self._discover(client).keys, algorithms=_ALGORITHMS)
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id(editor)},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": flow.nonce},
        )
        rules.validate(decoded.claims)
        return decoded.claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        def values(names: Sequence[str]) -> list[str]:
            return [value for name in names if isinstance(value := claims.get(name), str) and value.strip()]

        settings = self._settings
        # An address that the provider itself does not trust is nobody's.
        emails = [] if claims.get("email_verified") is False else values(settings.oidc_email_claims)
        return Identity(values(settings.oidc_national_id_claims), values(settings.oidc_technical_id_claims), emails)

    def _client_id(self, editor: str) -> str:
        return self._settings.oidc_client_id or editor

    def _client(self, editor: str, redirect_uri: str) -> OAuth2Session:
        secret = self._settings.oidc_client_secret
        client = OAuth2Session(
            self._client_id(editor),
            secret,
            scope=self._settings.oidc_scope,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            default_timeout=_TIMEOUT,
            # Tokens are used at once: one that lives a minute is no token that is over.
            leeway=0,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
        )
        if self._embedded:
            client.mount(self._issuer, self._embedded)
        if self._journal:
            record_with(client, self._journal, editor, Kind.SSO)
        return client

    def _discover(self, client: OAuth2Session) -> _Discovered:
        """What the provider says of itself, kept for a while."""
        if self._discovered is None or self._discovered.until < time.monotonic():
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = self._fetched(client, url)
            if metadata.get("issuer") != self._issuer:
                raise ValueError(f"{url} is about the issuer {str(metadata.get('issuer'))[:100]!r}")
            keys = KeySet.import_key_set(self._fetched(client, metadata["jwks_uri"]))  # type: ignore[arg-type]
            self._discovered = _Discovered(metadata, keys, time.monotonic() + _METADATA_SECONDS)
        return self._discovered

    def _fetched(self, client: OAuth2Session, url: str) -> dict[str, Any]:
        answer = client.request("GET", url, withhold_token=True)
        answer.raise_for_status()
        return _json_object(answer)


def _json_object(answer: Response) -> dict[str, Any]:
    told = answer.json()
    if not isinstance(told, dict):
        raise ValueError(f"{answer.url} does not answer with a JSON object")
    return told


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turns whatever a provider does wrong into a page; the log says what it was."""
    try:
        yield
    except (RequestException, JoseError, AuthlibBaseError, ValueError, LookupError, TypeError) as error:
        _log.warning("The identity provider fails: %s: %s", type(error).__name__, error)
        text = "Le fournisseur d’identité n’a pas répondu comme attendu. Réessayez dans un instant."
        raise PageError(502, "Authentification impossible", text) from error


def sealed(flow: Flow, secret: str) -> str:
    """A flow as a cookie holds it: readable by the browser, made by nobody else."""
    text: str = URLSafeTimedSerializer(secret, "sso").dumps(list(flow))
    return text


def unsealed(cookie: str | None, state: str | None, secret: str) -> Flow:
    """The flow of a cookie, begun by this very browser. Raises PageError."""
    try:
        flow = Flow(*URLSafeTimedSerializer(secret, "sso").loads(cookie or "", max_age=FLOW_SECONDS))
    except (BadData, TypeError):
        flow = None
    if flow is None or state is None or not secrets.compare_digest(flow.state.encode(), state.encode()):
        text = "Cette réponse du fournisseur d’identité n’était pas attendue, ou elle vient trop tard. Revenez au SAS."
        raise PageError(400, "Connexion interrompue", text)
    return flow

"""Signing regulators in at the identity provider of the bench: authorization code with state and PKCE.

With the provider's session, they enter the editors' sites without being asked again; when it ends, so do the sessions
there (back-channel logout). Their identity comes directly from the provider's userinfo endpoint. Protocol times are
real: the provider does not follow the simulator's clock.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from itsdangerous import BadData, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests import RequestException
from requests.adapters import BaseAdapter

from mock_editor.base import client
from mock_editor.bench.idp.people import Person

CLIENT_ID, RETURN_PATH, LOGOUT_PATH = "sas", "/_sas/connexion/retour", "/_sas/connexion/fin"
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
PENDING_SECONDS = 15 * 60
_log = logging.getLogger(__name__)


class PendingSignIn(NamedTuple):
    """A sign-in in progress; ``target`` is the page that was asked for."""

    state: str
    verifier: str
    target: str


class SignIn:
    """Sends browsers to the provider ``issuer``, reached through ``embedded``, and back to ``redirect_uri``."""

    def __init__(
        self,
        people: Callable[[], Sequence[Person]],
        issuer: str,
        redirect_uri: str,
        embedded: BaseAdapter,
        secret: Callable[[], str],
    ) -> None:
        self._people = people
        self._issuer = issuer
        self._redirect_uri = redirect_uri
        self._embedded = embedded
        self._secret = secret

    def begin(self, target: str) -> tuple[str, str]:
        """Where to send a browser that asked for ``target``, and the cookie that it needs to come back."""
        pending = PendingSignIn(generate_token(32), generate_token(64), target)
        with self._client() as session:
            url, _ = session.create_authorization_url(
                f"{self._issuer}/authorize", state=pending.state, code_verifier=pending.verifier
            )
        return url, self._serializer().dumps(list(pending))

    def pending(self, cookie: str | None, state: str | None) -> PendingSignIn | None:
        """The sign-in that this browser began itself, not too long ago; otherwise None."""
        try:
            pending = PendingSignIn(*self._serializer().loads(cookie or "", max_age=PENDING_SECONDS))
        except (BadData, TypeError):
            return None
        return pending if secrets.compare_digest(pending.state.encode(), (state or "").encode()) else None

    def finish(self, pending: PendingSignIn, code: str) -> tuple[Person, str] | None:
        """The person behind ``code``, and the ``sid`` of their session; None when the provider does not tell."""
        try:
            with self._client() as session:
                tokens = session.fetch_token(
                    f"{self._issuer}/token", code=code, code_verifier=pending.verifier, grant_type="authorization_code"
                )
                sid = str(self._claims(session, tokens["id_token"])["sid"])
                answer = session.get(f"{self._issuer}/userinfo")
                answer.raise_for_status()
                subject = answer.json()["sub"]
        except (RequestException, AuthlibBaseError, JoseError, ValueError, LookupError, TypeError) as error:
            _log.warning("The identity provider fails: %s: %s", type(error).__name__, error)
            return None
        person = next((person for person in self._people() if person.claims()["sub"] == subject), None)
        return (person, sid) if person else None

    def ended(self, token: str) -> str | None:
        """The ``sid`` of the session that a logout token ends; None for an invalid token.

        A token that comes twice ends what has ended: a ``sid`` is of one session.
        """
        try:
            with self._client() as session:
                claims = self._claims(session, token)
        except (RequestException, JoseError, ValueError, LookupError, TypeError):
            return None
        events, sid = claims.get("events"), claims.get("sid")
        sound = isinstance(events, dict) and _LOGOUT in events and "nonce" not in claims
        return sid if sound and isinstance(sid, str) else None

    def _claims(self, session: OAuth2Session, token: str) -> dict[str, Any]:
        """The claims that the provider has signed for us. Raises RequestException, JoseError, ValueError…"""
        answer = session.request("GET", f"{self._issuer}/jwks", withhold_token=True)
        answer.raise_for_status()
        claims = jwt.decode(token, KeySet.import_key_set(answer.json()), algorithms=["RS256"]).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": CLIENT_ID},
            exp={"essential": True},
        ).validate(claims)
        return claims

    def _client(self) -> OAuth2Session:
        session = OAuth2Session(
            CLIENT_ID,
            scope="openid profile email",
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            leeway=0,
            token_endpoint_auth_method="none",  # noqa: S106 - that there is no secret
        )
        client.equip(session, client.Limits())
        session.mount(self._issuer, self._embedded)
        return session

    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret(), "sas")

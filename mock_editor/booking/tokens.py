"""Checks what an identity provider signs: the signature, and the claims that a token for us has to have.

Sources: RFC 7515 and 7517 (signatures, key sets), OpenID Connect Core 1.0 (3.1.3.7, 5.3.2), OpenID Connect Back-Channel
Logout 1.0. Token times are compared with the real clock: the provider's is not the simulator's.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, OctKey

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code

# These warn of outdated algorithms and short secrets, which the provider chooses.
warnings.filterwarnings("ignore", category=SecurityWarning)

_LEEWAY = 120
# All algorithms that the library supports, with their type of key, without `none`.
_KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512", "ES256K"), "EC"),
    **dict.fromkeys(("EdDSA", "Ed25519", "Ed448"), "OKP"),
    **dict.fromkeys(("HS256", "HS384", "HS512"), "oct"),
}
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
# The errors that reading a foreign key may raise: the library's own, and those that it lets through.
_UNREADABLE = (JoseError, UnsupportedAlgorithm, ValueError, TypeError, LookupError, ArithmeticError)


class _Signed(jws.JWSRegistry):
    """What a provider may write into a token's header. Unknown parameters are ignored (RFC 7515, 4).

    Certificates in it (``x5c``), and signatures of large keys, are longer than the library allows by default.
    """

    max_header_length = 32_000
    max_signature_length = 4_000

    def __init__(self, algorithm: str | None = None) -> None:
        super().__init__(algorithms=[algorithm] if algorithm else None, strict_check_header=False)


class Ended(NamedTuple):
    """Which sessions a provider ends: those with this ``subject`` and this ``sid``, where given.

    ``token`` is the id of the logout token, ``until`` its expiry in seconds since 1970.
    """

    subject: str | None
    sid: str | None
    token: str
    until: float


def verification_keys(key_set: Mapping[str, Any], secret: str | None) -> list[Key]:
    """The readable keys of a set that can verify; with ``secret``, the client's secret as well.

    Others are skipped (RFC 7517, 5). Raises InvalidValueError if it is not a key set.
    """
    published = key_set.get("keys")
    if not isinstance(published, list):
        raise InvalidValueError(Code.PROVIDER_KEYS_MISSING)
    found = [OctKey.import_key(secret)] if secret else []
    return found + [key for member in published if (key := _readable(member)) is not None]


def _readable(published: object) -> Key | None:
    if not isinstance(published, dict) or published.get("use", "sig") != "sig" or published.get("kty") == "oct":
        return None
    try:
        key = JWKRegistry.import_key(published)
        key.get_op_key("verify")
    except _UNREADABLE:
        return None
    return key


def signed_claims(token: str, keys: Iterable[Key]) -> dict[str, Any]:
    """The claims of a token signed by one of ``keys``. Raises InvalidValueError or JoseError."""
    header = jws.extract_compact(token.encode(), registry=_Signed()).headers()
    algorithm, kid = header.get("alg"), header.get("kid")
    kind = _KEY_TYPES.get(algorithm) if isinstance(algorithm, str) else None
    if algorithm is None or kind is None:
        raise InvalidValueError(Code.TOKEN_ALGORITHM, found=str(algorithm)[:40])
    # A provider may give two keys the same name: then both are tried.
    fitting = [
        key
        for key in keys
        if key.key_type == kind and key.alg in (None, algorithm) and (kid is None or key.kid in (None, kid))
    ]
    for key in fitting:
        try:
            return jwt.decode(token, key, registry=_Signed(algorithm)).claims
        except _UNREADABLE:
            continue
    raise InvalidValueError(Code.TOKEN_SIGNATURE, algorithm=algorithm, kid=str(kid)[:80])


def check_id_token(claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str) -> None:
    """Checks that an ID token belongs to this sign-in. Raises JoseError or InvalidValueError."""
    jwt.JWTClaimsRegistry(
        leeway=_LEEWAY,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        exp={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(dict(claims))
    if not isinstance(claims["sub"], str):
        raise InvalidValueError(Code.TOKEN_CLAIM_NO_TEXT, claim="sub")
    audience, party = claims["aud"], claims.get("azp")
    # Several audiences are fine, if the token was issued to us.
    if party is None and isinstance(audience, list) and len(audience) > 1:
        raise InvalidValueError(Code.TOKEN_WITHOUT_PARTY)
    if party is not None and party != client_id:
        raise InvalidValueError(Code.TOKEN_OF_ANOTHER_CLIENT, found=str(party)[:80])


def check_userinfo(claims: Mapping[str, Any], *, issuer: str, client_id: str) -> None:
    """Checks that signed userinfo is from this provider and for us, if it has these claims. Raises JoseError."""
    rules: dict[str, Any] = {"iss": {"value": issuer}, "aud": {"value": client_id}}
    jwt.JWTClaimsRegistry(leeway=_LEEWAY, **{name: rule for name, rule in rules.items() if name in claims}).validate(
        dict(claims)
    )


def check_logout(claims: Mapping[str, Any], *, issuer: str, client_id: str) -> Ended:
    """Which sessions a logout token ends (Back-Channel Logout, 2.6). Raises JoseError or InvalidValueError."""
    jwt.JWTClaimsRegistry(
        leeway=_LEEWAY,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    ).validate(dict(claims))
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT), dict):
        raise InvalidValueError(Code.LOGOUT_TOKEN_EVENTS, event=_LOGOUT)
    if "nonce" in claims:
        raise InvalidValueError(Code.LOGOUT_TOKEN_NONCE)
    subject, sid, token = (_text_of(claims, name) for name in ("sub", "sid", "jti"))
    if token is None or (subject is None and sid is None):
        raise InvalidValueError(Code.LOGOUT_TOKEN_ABOUT_NOBODY)
    return Ended(subject, sid, token, float(claims["exp"]) + _LEEWAY)


def _text_of(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not (isinstance(value, str) and value):
        raise InvalidValueError(Code.TOKEN_CLAIM_NO_TEXT, claim=name)
    return value


def texts(claims: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The values of those of these claims that are present, in order. A list of one value counts as that value."""
    found = [_alone(claims.get(name)) for name in names]
    # A national identifier may come as a number. To Python, True is a number as well.
    written = [str(value) if isinstance(value, int) and not isinstance(value, bool) else value for value in found]
    return [text for text in written if isinstance(text, str) and text.strip()]


def trusted_email(claims: Mapping[str, Any]) -> bool:
    """Whether the address may be used: ``email_verified`` has to be true, or missing."""
    verified = _alone(claims.get("email_verified", True))
    # To Python, 1 equals True: it does not count.
    return verified is True or verified == "true"


def _alone(value: object) -> object:
    return value[0] if isinstance(value, list) and len(value) == 1 else value

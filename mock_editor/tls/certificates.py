"""Whose certificate a client shows, and whether it is accepted: its names, dates and use, its authority, revocation.

All of that is looked at with each request: a connection may live longer than what it was opened with. The handshake
has checked it before, where it is ours; where a proxy passes a certificate on, nobody else does. Dates are compared
with real time, wherever the simulator's clock stands.
"""

import base64
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_log = logging.getLogger(__name__)

_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_PEM_LINE = re.compile("-----(?:BEGIN|END)[ +]CERTIFICATE-----")
# How a header in Envoy's way begins.
_ENVOY = re.compile("(?i)(?:by|hash|cert|chain|subject|uri|dns)=")
# Certificates that a client, or a proxy, may send besides the client's own; and authorities above one, and signatures
# that are looked at, before a way up to one that is trusted is given up.
MOST_OTHERS = 10
_MOST_SIGNATURES = 50
# Clients whose ways are remembered.
_MOST_CLIENTS = 1000


class TlsError(ValueError):
    """A file of certificates or keys that cannot be used: says which and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What is looked at of a certificate. Its string is how a log, an answer or the journal names it."""

    cn: str
    ous: Sequence[str]
    serial: int
    issuer: str
    since: datetime
    until: datetime
    misuse: str | None  # why it is not one to come in with
    parsed: x509.Certificate = field(repr=False)

    def __str__(self) -> str:
        names = [f"CN={_printable(self.cn)}", *(f"OU={_printable(one)}" for one in self.ous)]
        return f"{', '.join(names)}, serial {self.serial:X}, issued by {_printable(self.issuer)}"

    def out_of_date(self, now: datetime) -> str | None:
        """What is wrong with its dates."""
        if now < self.since:
            return f"is not valid before {self.since:%Y-%m-%dT%H:%M:%SZ}"
        if now > self.until:
            return f"has expired on {self.until:%Y-%m-%dT%H:%M:%SZ}"
        return None


def _printable(text: str) -> str:
    """A name as it may stand in a line: whoever made the certificate chose it."""
    return "".join(one if one.isprintable() else "?" for one in text[:200])


@lru_cache(maxsize=_MOST_CLIENTS)
def read_certificate(der: bytes) -> Certificate:
    """The certificate in DER. Raises ValueError."""
    try:
        return _read(x509.load_der_x509_certificate(der))
    except (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, TypeError) as error:
        # Such as a name of a type that its part of a subject must not have.
        raise ValueError(str(error)) from None


def _read(parsed: x509.Certificate) -> Certificate:
    subject = parsed.subject
    names = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    ous = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    dates = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    misuse = "it is not made for clients (key usage, extended key usage)" if _unfit(parsed, authority=False) else None
    # The last name is the most specific.
    issuer = parsed.issuer.rfc4514_string()
    return Certificate(names[-1] if names else "", ous, parsed.serial_number, issuer, *dates, misuse, parsed)


def _unfit(one: x509.Certificate, *, authority: bool) -> bool:
    """Whether a certificate says that it is not for clients of TLS, or not for authorities of theirs.

    RFC 5280, 4.2, 4.2.1.3 and 4.2.1.12, as OpenSSL reads them: what is not said is not restricted, and what has to be
    understood, and is not, is.
    """
    said = one.extensions
    if any(each.critical and isinstance(each.value, x509.UnrecognizedExtension) for each in said):
        return True
    usage = next((each.value for each in said if isinstance(each.value, x509.KeyUsage)), None)
    if usage and not (usage.key_cert_sign if authority else usage.digital_signature or usage.key_agreement):
        return True
    purposes = next((each.value for each in said if isinstance(each.value, x509.ExtendedKeyUsage)), None)
    return purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes


# --- headers


def from_header(text: str) -> list[bytes]:
    """The certificates, in DER, that a proxy writes into a header: the client's, then those above it, if it says them.

    Raises ValueError. Known are PEM and DER in Base64, with URL escapes or without, with or without the lines around
    and line ends, one after another or with commas between them: so write nginx, HAProxy, Traefik, AWS and RFC 9440.
    And Envoy's ``x-forwarded-client-cert``, in which the last element is about the client of the proxy itself, and
    those before it are what that client says.
    """
    found: list[bytes] = []
    if _ENVOY.match(text.lstrip()):
        *_, last = _elements(text)
        own, above = (_decoded(last.get(name, "")) for name in ("cert", "chain"))
        found = [*own, *(one for one in above if one not in own)]
    else:
        found = _decoded(text)
    if not found:
        raise ValueError("it is empty")
    return found


def _elements(text: str) -> Iterator[dict[str, str]]:
    """Those of a header in Envoy's way: pairs with ``;`` between them, ``,`` between elements, values may be quoted."""
    element: dict[str, str] = {}
    word: list[str] = []
    name, quoted, escaped = "", False, False
    for sign in f"{text},":
        if escaped:
            word.append(sign)
            escaped = False
        elif quoted and sign == "\\":
            escaped = True
        elif sign == '"':
            quoted = not quoted
        elif quoted or sign not in ";,=" or (sign == "=" and name):
            word.append(sign)
        elif sign == "=":
            name, word = "".join(word).strip().lower(), []
        else:
            if name:
                element.setdefault(name, "".join(word))
            name, word = "", []
            if sign == ",":
                yield element
                element = {}
    if quoted:
        raise ValueError("a quotation mark is missing")


def _decoded(text: str) -> list[bytes]:
    """Certificates of a text in PEM, or in Base64, with or without escapes."""
    found: list[bytes] = []
    for piece in _PEM_LINE.sub(",", unquote(text) if "%" in text else text).split(","):
        if coded := "".join(piece.split()).strip(":"):
            try:
                content = base64.b64decode(coded, validate=True)
            except ValueError:
                raise ValueError("neither PEM nor DER in Base64") from None
            for one in _split(content):
                if len(found) > MOST_OTHERS:
                    raise ValueError(f"more than {1 + MOST_OTHERS} certificates")
                found.append(one)
    return found


def _split(content: bytes) -> Iterator[bytes]:
    """Certificates of which one follows the other, by the length that each begins with (X.690, 8.1.3)."""
    at = 0
    while at < len(content):
        head = int.from_bytes(content[at + 1 : at + 2], "big")
        digits = head & 0x7F if head & 0x80 else 0
        size = 2 + digits + (int.from_bytes(content[at + 2 : at + 2 + digits], "big") if digits else head)
        yield content[at : at + size]
        at += size


# --- who is accepted


@dataclass(frozen=True, slots=True)
class Names:
    """The names that are accepted, compared as they are written; None accepts any.

    Sign by sign: what only looks or folds alike (a long s) is another name, that somebody else may have.
    """

    cns: Sequence[str] | None = None
    ous: Sequence[str] | None = None

    def refusal(self, shown: Certificate) -> str | None:
        """What is wrong with the names of a certificate."""
        if self.cns is not None and shown.cn not in self.cns:
            return f"its CN is none of those accepted ({', '.join(self.cns)})"
        if self.ous is not None and not any(one in self.ous for one in shown.ous):
            return f"none of its OU is accepted ({', '.join(self.ous)})"
        return None


class Watched:
    """A file that is to be read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = self._look()

    def _look(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def changed(self) -> bool:
        """Whether it is another one than when this was asked last."""
        before, self._state = self._state, self._look()
        return before != self._state


Way = tuple[Certificate, ...]
Serials = frozenset[tuple[str, int]]  # with their issuers


class Authorities:
    """The authorities of a PEM file, which is read again when it has changed. Raises TlsError.

    ``version`` says how often it has.
    """

    def __init__(self, path: Path) -> None:
        self._file = Watched(path)
        self._certificates = self._read()
        self.version = 0
        self._ways: dict[tuple[Certificate, Sequence[bytes]], list[Way]] = {}

    def _read(self) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates(self._file.path.read_bytes())
        except (OSError, ValueError) as error:
            raise TlsError(f"{self._file.path}: no certificates in PEM: {error}") from None

    def follow(self) -> None:
        """Has a new file count. One that cannot be read is told in the log, and the old one goes on counting."""
        if self._file.changed():
            self.version += 1
            try:
                self._certificates = self._read()
            except TlsError as error:
                _log.warning("The authorities stay as they were: %s", error)
            self._ways = {}

    def ways(self, shown: Certificate, others: Sequence[bytes] = ()) -> list[Way]:
        """Each way from a certificate up to a root that is trusted, by ``others`` that came with it if need be.

        It begins with the certificate itself. Neither dates nor revocation are looked at, so it holds for long.
        """
        ways, key = self._ways, (shown, tuple(others))
        if key not in ways:
            found = list(self._climb([shown.parsed], [*self._certificates, *_readable(others)], [_MOST_SIGNATURES]))
            if len(ways) >= _MOST_CLIENTS:
                ways.clear()
            ways[key] = [(shown, *map(_read, way[1:])) for way in found]
        return ways[key]

    def _climb(
        self, way: list[x509.Certificate], known: Sequence[x509.Certificate], left: list[int]
    ) -> Iterator[list[x509.Certificate]]:
        """Ways that go on from ``way``; ``left`` is how many signatures may still be looked at."""
        top = way[-1]
        if top.subject == top.issuer and top in self._certificates:
            yield way
            return
        # An authority that was renewed is there twice, under the same name and with the same key.
        for one in known:
            if one.subject == top.issuer and one not in way and left[0] > 0:
                left[0] -= 1
                if _issued(top, one, len(way) - 1):
                    yield from self._climb([*way, one], known, left)

    def refusal(
        self, shown: Certificate, now: datetime, others: Sequence[bytes] = (), revoked: Serials = frozenset()
    ) -> str | None:
        """What is wrong with a certificate and those above it, if there is no way on which nothing is."""
        wrong = [_wrong_on(way, now, revoked) for way in self.ways(shown, others)]
        return None if None in wrong else next(iter(wrong), "it is of no authority that is trusted")

    def signed(self, crl: x509.CertificateRevocationList) -> bool:
        """Whether a list of revoked certificates is of one of them."""
        # Their keys are of the types that sign certificates.
        return any(
            one.subject == crl.issuer and crl.is_signature_valid(one.public_key())  # type: ignore[arg-type]
            for one in self._certificates
        )


def _readable(others: Sequence[bytes]) -> Iterator[x509.Certificate]:
    for der in others[:MOST_OTHERS]:
        try:
            yield read_certificate(der).parsed
        except ValueError:
            continue


def _wrong_on(way: Way, now: datetime, revoked: Serials) -> str | None:
    for number, one in enumerate(way):
        whose = "its authority" if number else "it"
        if wrong := one.out_of_date(now):
            return f"{whose} {wrong}"
        if (one.issuer, one.serial) in revoked:
            return f"{whose} is revoked"
    return None


def is_authority(der: bytes) -> bool:
    """Whether a certificate is one that issues others."""
    try:
        return read_certificate(der).parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound):
        return False


def _issued(one: x509.Certificate, by: x509.Certificate, authorities: int) -> bool:
    """Whether ``by``, an authority, issued a certificate, below which there are so many ``authorities``."""
    try:
        one.verify_directly_issued_by(by)
        limits = by.extensions.get_extension_for_class(x509.BasicConstraints).value
        unfit = _unfit(by, authority=True)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return not unfit and limits.ca and (limits.path_length is None or limits.path_length >= authorities)


class Revoked:
    """The certificates that a file revokes, which is read again when it has changed. Raises TlsError.

    A new file that cannot be read is told in the log, and the old one goes on counting.
    """

    def __init__(self, path: Path, authorities: Authorities | None) -> None:
        self._file = Watched(path)
        self._authorities = authorities
        self._certificates = self._read()
        self._refused = 0

    def __contains__(self, shown: Certificate) -> bool:
        return (shown.issuer, shown.serial) in self.now()

    def now(self) -> Serials:
        """All of them, as the file says at present."""
        version = self._authorities.version if self._authorities else 0
        # One that was refused may be of an authority that has come since.
        if self._file.changed() or 0 < self._refused <= version:
            self._refused = 0
            try:
                self._certificates = self._read()
            except TlsError as error:
                self._refused = version + 1
                _log.warning("The revoked certificates stay as they were: %s", error)
        return self._certificates

    def _read(self) -> Serials:
        path = self._file.path
        try:
            content = path.read_bytes()
            texts = _PEM_CRL.findall(content)
            lists = [*map(x509.load_pem_x509_crl, texts)] or [x509.load_der_x509_crl(content)]
        except (OSError, ValueError, x509.InvalidVersion) as error:
            raise TlsError(f"{path}: not a list of revoked certificates: {error}") from None
        for one in lists:
            if self._authorities and not self._authorities.signed(one):
                raise TlsError(f"{path}: not signed by an authority that is trusted")
            if one.next_update_utc and one.next_update_utc < datetime.now(UTC):
                _log.warning("%s was to be renewed on %s", path, one.next_update_utc)
        return frozenset((one.issuer.rfc4514_string(), entry.serial_number) for one in lists for entry in one)


@dataclass(frozen=True, slots=True)
class Gate:
    """Which clients are accepted. Those of ``editors`` have names of their own in place of ``names``.

    Without ``authorities``, whoever passes a certificate on is believed as to whose it is.
    """

    names: Names
    editors: Callable[[], Mapping[str, Names]] = dict
    revoked: Revoked | None = None
    authorities: Authorities | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def refusal(self, shown: Certificate | None, editor: str | None, others: Sequence[bytes] | None = ()) -> str | None:
        """Why a client is refused at an editor, or None if it may come in.

        ``others`` came with its certificate. They are None if a handshake has followed them, with the authorities as
        they were at the start, but does not know them any more.
        """
        if shown is None:
            return "No client certificate was presented, and this asks for one (mutual TLS)"
        wrong = self._standing(shown, others) or self.editors().get(editor or "", self.names).refusal(shown)
        return wrong and f"The client certificate is refused: {wrong}; presented: {shown}"

    def _standing(self, shown: Certificate, others: Sequence[bytes] | None) -> str | None:
        if shown.misuse:
            return shown.misuse
        if self.authorities:
            self.authorities.follow()
        revoked = self.revoked.now() if self.revoked else frozenset()
        if self.authorities and (others is not None or self.authorities.version):
            return self.authorities.refusal(shown, self.now(), others or (), revoked)
        return _wrong_on((shown,), self.now(), revoked)

    def refusal_everywhere(self, shown: Certificate | None, others: Sequence[bytes] | None = ()) -> str | None:
        """Why no editor accepts a client, or None if one of them does."""
        first = self.refusal(shown, None, others)
        return first if first is None or all(self.refusal(shown, slug, others) for slug in self.editors()) else None

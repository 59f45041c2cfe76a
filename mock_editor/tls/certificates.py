"""Whose certificate a client shows, and whether it is accepted: its CN and OU, and that nobody has revoked it.

That it is of a trusted authority and of today is checked in the handshake, or here, where a proxy passes it on. Dates
are compared with real time, wherever the simulator's clock stands.
"""

import base64
import binascii
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

_log = logging.getLogger(__name__)

_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
# Of one that proxies pass on in Envoy's way, with other things beside it.
_FORWARDED = re.compile(r'(?:^|;)Cert="([^"]*)"')


class TlsError(ValueError):
    """A file of certificates or keys that cannot be used: says which and why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is looked at of a certificate. Its string is how a log, an answer or the journal names it."""

    cn: str
    ous: Sequence[str]
    serial: int
    issuer: x509.Name
    parsed: x509.Certificate = field(repr=False)

    def __str__(self) -> str:
        names = [f"CN={_printable(self.cn)}", *(f"OU={_printable(one)}" for one in self.ous)]
        return f"{', '.join(names)}, serial {self.serial:X}, issued by {_printable(self.issuer.rfc4514_string())}"


def _printable(text: str) -> str:
    """A name as it may stand in a line: whoever made the certificate chose it."""
    return "".join(one if one.isprintable() else "?" for one in text[:200])


@lru_cache(maxsize=1000)
def read_certificate(der: bytes) -> Certificate:
    """The certificate in DER. Raises ValueError."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        subject, issuer = parsed.subject, parsed.issuer
    except (x509.InvalidVersion, TypeError) as error:
        # Such as a name of a type that its part of a subject must not have.
        raise ValueError(str(error)) from None
    names = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    ous = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    # The last one is the most specific.
    return Certificate(names[-1] if names else "", ous, parsed.serial_number, issuer, parsed)


def from_header(text: str) -> bytes:
    """The DER of a certificate as proxies write it into a header. Raises ValueError.

    Known are PEM, with URL escapes (nginx) or without line ends, DER in Base64 (HAProxy; between colons: RFC 9440),
    and Envoy's ``x-forwarded-client-cert``.
    """
    if found := _FORWARDED.search(text):
        text = found[1]
    text = unquote(text) if "%" in text else text
    text = re.sub(r"-----(BEGIN|END) CERTIFICATE-----|\s", "", text).strip(":")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("neither PEM nor DER in Base64") from None


@dataclass(frozen=True, slots=True)
class Names:
    """The names that are accepted, compared without regard to case (X.520); None accepts any."""

    cns: Sequence[str] | None = None
    ous: Sequence[str] | None = None

    def refusal(self, shown: Certificate) -> str | None:
        """What is wrong with the names of a certificate."""
        if self.cns is not None and not _meets([shown.cn], self.cns):
            return f"its CN is none of those accepted ({', '.join(self.cns)})"
        if self.ous is not None and not _meets(shown.ous, self.ous):
            return f"none of its OU is accepted ({', '.join(self.ous)})"
        return None


def _meets(some: Iterable[str], others: Iterable[str]) -> bool:
    return not {one.casefold() for one in some}.isdisjoint(one.casefold() for one in others)


class Authorities:
    """The authorities of a PEM file. Raises TlsError."""

    def __init__(self, path: Path) -> None:
        try:
            self._certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            raise TlsError(f"{path}: no certificates in PEM: {error}") from None

    def refusal(self, shown: Certificate, now: datetime) -> str | None:
        """What is wrong with a certificate that no handshake has checked."""
        return self._refusal(shown.parsed, now, [])

    def _refusal(self, at: x509.Certificate, now: datetime, below: list[x509.Certificate]) -> str | None:
        """The same of one that has issued those ``below`` it, the last of them directly."""
        whose = "its authority" if below else "it"
        if now < at.not_valid_before_utc:
            return f"{whose} is not valid before {at.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}"
        if now > at.not_valid_after_utc:
            return f"{whose} has expired on {at.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
        if at.subject == at.issuer and at in self._certificates:
            return None
        # An authority that was renewed is there twice, under the same name and with the same key.
        wrong = [
            self._refusal(one, now, [*below, at])
            for one in self._certificates
            if one not in below and _issued(at, one, len(below))
        ]
        return None if None in wrong else next(iter(wrong), "it is of no authority that is trusted")

    def signed(self, crl: x509.CertificateRevocationList) -> bool:
        """Whether a list of revoked certificates is of one of them."""
        # Their keys are of the types that sign certificates.
        return any(
            one.subject == crl.issuer and crl.is_signature_valid(one.public_key())  # type: ignore[arg-type]
            for one in self._certificates
        )


def _issued(one: x509.Certificate, by: x509.Certificate, authorities: int) -> bool:
    """Whether ``by``, an authority, issued a certificate, below which there are so many ``authorities``."""
    try:
        one.verify_directly_issued_by(by)
        limits = by.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return limits.ca and (limits.path_length is None or limits.path_length >= authorities)


class Revoked:
    """The certificates that a file revokes, which is read again when it has changed. Raises TlsError.

    A new file that cannot be read is told in the log, and the old one goes on counting.
    """

    def __init__(self, path: Path, authorities: Authorities | None) -> None:
        self._path = path
        self._authorities = authorities
        self._state = self._look()
        self._certificates = self._read()

    def __contains__(self, shown: Certificate) -> bool:
        state = self._look()
        if state != self._state:
            self._state = state
            try:
                self._certificates = self._read()
            except TlsError as error:
                _log.warning("The revoked certificates stay as they were: %s", error)
        return (shown.issuer, shown.serial) in self._certificates

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> frozenset[tuple[x509.Name, int]]:
        try:
            content = self._path.read_bytes()
            texts = _PEM_CRL.findall(content)
            lists = [*map(x509.load_pem_x509_crl, texts)] or [x509.load_der_x509_crl(content)]
        except (OSError, ValueError, x509.InvalidVersion) as error:
            raise TlsError(f"{self._path}: not a list of revoked certificates: {error}") from None
        for one in lists:
            if self._authorities and not self._authorities.signed(one):
                raise TlsError(f"{self._path}: not signed by an authority that is trusted")
            if one.next_update_utc and one.next_update_utc < datetime.now(UTC):
                _log.warning("%s was to be renewed on %s", self._path, one.next_update_utc)
        return frozenset((one.issuer, entry.serial_number) for one in lists for entry in one)


@dataclass(frozen=True, slots=True)
class Gate:
    """Which clients are accepted. Those of ``editors`` have names of their own in place of ``names``."""

    names: Names
    editors: Callable[[], Mapping[str, Names]] = dict
    revoked: Revoked | None = None

    def refusal(self, shown: Certificate | None, editor: str | None) -> str | None:
        """Why a client is refused at an editor, or None if it may come in."""
        if shown is None:
            return "No client certificate was presented, and this asks for one (mutual TLS)"
        wrong = self.editors().get(editor or "", self.names).refusal(shown)
        if wrong is None and self.revoked is not None and shown in self.revoked:
            wrong = "it is revoked"
        return wrong and f"The client certificate is refused: {wrong}; presented: {shown}"

    def refusal_everywhere(self, shown: Certificate | None) -> str | None:
        """Why no editor accepts a client, or None if one of them does."""
        first = self.refusal(shown, None)
        return first if first is None or all(self.refusal(shown, slug) for slug in self.editors()) else None

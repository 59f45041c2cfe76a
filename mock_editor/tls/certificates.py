"""A certificate as checks look at it: its names, dates and use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Certificates that a client, or a proxy, may send besides the client's own.
MOST_IN_CHAIN = 10
# Clients whose certificates are remembered, and what was found out about them.
MOST_CLIENTS = 1000
# Characters of a name that are shown.
_LONGEST = 200


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What checks look at. Its string is how a log, an answer or the journal names it."""

    cn: str
    ous: Sequence[str]
    serial: int
    issuer: str
    since: datetime
    until: datetime
    for_clients: bool
    parsed: x509.Certificate = field(repr=False)

    def __str__(self) -> str:
        names = [f"CN={_printable(self.cn)}", *(f"OU={_printable(ou)}" for ou in self.ous)]
        return f"{', '.join(names)}, serial {self.serial:X}, issued by {_printable(self.issuer)}"


def _printable(text: str) -> str:
    """A name as it may stand in a line: it was chosen by the author of the certificate."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST])


@lru_cache(maxsize=MOST_CLIENTS)
def read_certificate(der: bytes) -> Certificate:
    """The certificate in DER. Raises ValueError."""
    try:
        return read(x509.load_der_x509_certificate(der))
    except (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, TypeError) as error:
        # For instance a part of a subject whose value has a type that is not allowed there.
        raise ValueError(str(error)) from None


def read(parsed: x509.Certificate) -> Certificate:
    """What checks look at in a parsed certificate."""
    subject = parsed.subject
    names = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    ous = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    dates = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    # The last name is the most specific.
    cn = names[-1] if names else ""
    issuer = parsed.issuer.rfc4514_string()
    return Certificate(cn, ous, parsed.serial_number, issuer, *dates, is_for_clients(parsed), parsed)


def is_for_clients(parsed: x509.Certificate, *, authority: bool = False) -> bool:
    """Whether a certificate may be used by TLS clients, or by authorities that issue to them.

    RFC 5280, 4.2, 4.2.1.3 and 4.2.1.12, as OpenSSL reads them: what a certificate does not mention is not restricted,
    but a critical extension that is not understood rules it out.
    """
    extensions = parsed.extensions
    if any(extension.critical and isinstance(extension.value, x509.UnrecognizedExtension) for extension in extensions):
        return False
    usage = next((extension.value for extension in extensions if isinstance(extension.value, x509.KeyUsage)), None)
    if usage and not (usage.key_cert_sign if authority else usage.digital_signature or usage.key_agreement):
        return False
    purposes = next(
        (extension.value for extension in extensions if isinstance(extension.value, x509.ExtendedKeyUsage)), None
    )
    return purposes is None or ExtendedKeyUsageOID.CLIENT_AUTH in purposes


def is_authority(der: bytes) -> bool:
    """Whether a certificate in DER is one that issues others."""
    try:
        return read_certificate(der).parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound):
        return False

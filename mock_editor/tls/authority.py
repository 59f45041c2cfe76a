"""Making certificates and revocation lists.

Keys are RSA of 2048 bits, like those of IGC-Santé: every client takes them, even one whose TLS 1.2 cipher suites are
for RSA only. The PKCS#12 files are encrypted the old way (3DES, SHA-1), which Java 8, older Windows and macOS can read
and OpenSSL 3 still can.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Validity(NamedTuple):
    """From when until when a certificate is valid; aware."""

    start: datetime
    end: datetime


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def subject(common_name: str, unit: str | None = None) -> x509.Name:
    """The name that a certificate is issued to."""
    parts = {NameOID.COUNTRY_NAME: "FR", NameOID.ORGANIZATION_NAME: "mock_editor"}
    if unit:
        parts[NameOID.ORGANIZATIONAL_UNIT_NAME] = unit
    parts[NameOID.COMMON_NAME] = common_name
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    """What the certificates of authorities and of others have in common."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def make_authority(name: str, validity: Validity) -> Pair:
    """A new root authority, which issues certificates and revocation lists."""
    key, own = _new_key(), subject(name)
    certificate = (
        _builder(own, own, key, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(_issuer_key(key), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def issue(
    authority: Pair,
    to: x509.Name,
    validity: Validity,
    purpose: x509.ObjectIdentifier,
    addresses: Sequence[x509.GeneralName] = (),
) -> Pair:
    """A new certificate for a client or a server (``purpose``), the latter under ``addresses``."""
    key = _new_key()
    # For a client without elliptic curves, the server decrypts a secret.
    usage = _key_usage(digital_signature=True, key_encipherment=purpose == ExtendedKeyUsageOID.SERVER_AUTH)
    builder = (
        _builder(to, authority.certificate.subject, key, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(_issuer_key(authority.key), critical=False)
    )
    if addresses:
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_key(key: rsa.RSAPrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def revocation(certificate: x509.Certificate, since: datetime) -> x509.RevokedCertificate:
    """The entry of a revocation list."""
    builder = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
    return builder.revocation_date(since).build()


def revocation_list(authority: Pair, entries: Sequence[x509.RevokedCertificate], number: int, since: datetime) -> bytes:
    """A revocation list in PEM, valid for as long as its authority."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(since)
        .next_update(authority.certificate.not_valid_after_utc)
        .add_extension(_issuer_key(authority.key), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def pem(pair: Pair) -> tuple[bytes, bytes]:
    """The certificate and the key, each in PEM."""
    return (
        pair.certificate.public_bytes(Encoding.PEM),
        pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def p12(name: str, pair: Pair, authority: Pair, password: str) -> bytes:
    """Certificate, key and authority in PKCS#12, encrypted the old way that old clients can read."""
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2048)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - what old clients read
        .build(password.encode())
    )
    chain = [authority.certificate]
    return pkcs12.serialize_key_and_certificates(name.encode(), pair.key, pair.certificate, chain, encryption)


def is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether ``authority`` has issued a certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True

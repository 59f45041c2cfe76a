"""A throw-away authority in the place of IGC-Santé: all that mutual TLS between the SAS and editors needs to be tried.

Keys are RSA of 2048 bits, as those of IGC-Santé: every client takes them, also one whose TLS 1.2 cipher suites are for
RSA only. The ``.p12`` files are encrypted the old way (3DES, SHA-1), which Java 8, older Windows and macOS can read and
OpenSSL 3 still can. Nothing here protects anything: the keys lie beside the certificates, the password is known.
"""

import contextlib
import fcntl
import ipaddress
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# What the SAS's certificate says of itself. The real values differ from one environment of the SAS to the next.
SAS_COMMON_NAME, SAS_UNIT = "sas.example", "SAS"
EDITOR_COMMON_NAME, EDITOR_UNIT = "lga.example", "LGA"
P12_PASSWORD = "changeit"  # noqa: S105 - told in the README.md beside the files

_AUTHORITY, _OTHER = "authority", "other-authority"
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_MOST_NAMES, _MOST_DAYS = 100, 3650
# Clocks of clients that are slow still find the certificates valid.
_SKEW = timedelta(days=1)
# Compose gives services names with an underscore. One that ends in a number would be taken for an IP address.
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+$){_LABEL}")


class CertificatesError(ValueError):
    """Certificates that cannot be made or revoked: says which and why."""


class _Span(NamedTuple):
    start: datetime
    end: datetime


class _Pair(NamedTuple):
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class _Client:
    """A client certificate; ``meeting`` is what it meets at the simulator's TLS port."""

    name: str
    meeting: str
    common_name: str = SAS_COMMON_NAME
    unit: str = SAS_UNIT
    authority: str = _AUTHORITY
    when: Literal["before", "now", "after"] = "now"
    revoked: bool = False


_ANSWERED = "answered with 403: "
_CUT = "refused in the handshake: "
_CLIENTS = (
    _Client("sas", "the SAS platform: accepted"),
    _Client("sas-wrong-cn", f"{_ANSWERED}another CN", common_name="other.example"),
    _Client("sas-wrong-ou", f"{_ANSWERED}another OU", unit="OTHER"),
    _Client("sas-revoked", f"{_ANSWERED}in `authority.crl.pem`", revoked=True),
    _Client("sas-expired", f"{_CUT}no longer valid", when="before"),
    _Client("sas-not-yet-valid", f"{_CUT}not valid as long as the others are", when="after"),
    _Client("sas-other-authority", f"{_CUT}issued by `other-authority.pem`", authority=_OTHER),
    _Client(
        "editor",
        f"an editor's own, shown to the SAS in INT_R03; {_ANSWERED}not the SAS",
        common_name=EDITOR_COMMON_NAME,
        unit=EDITOR_UNIT,
    ),
)


def _pair_names(name: str) -> tuple[str, str]:
    return f"{name}.pem", f"{name}.key.pem"


_CRL = f"{_AUTHORITY}.crl.pem"
_README = "README.md"
# All that init writes, in its order.
_FILES = (
    *_pair_names(_AUTHORITY),
    _CRL,
    *_pair_names(_OTHER),
    *(file for name in ("server", *(one.name for one in _CLIENTS)) for file in (*_pair_names(name), f"{name}.p12")),
    _README,
)


def init(
    folder: Path,
    names: Sequence[str] = (),
    *,
    force: bool = False,
    renew: int | None = None,
    days: int = 365,
    now: datetime | None = None,
) -> list[Path]:
    """Fills ``folder`` with an authority, certificates good and bad, and a README.md that explains them.

    The server's certificate is for this machine and ``names``, host names or IP addresses. All are valid for ``days``
    from ``now`` (aware; real time by default), but those that are bad by their dates. A folder that is made here is its
    owner's only. With ``renew``, those that are there stay if they are valid for so many days more, and are replaced
    otherwise. Gives the files written: all of them, or none.

    Raises CertificatesError, before anything is written, if a name is wrong or, without ``force``, if one of the files
    is there; and if they cannot be written.
    """
    addresses = _addresses(names)
    if not 1 <= days <= _MOST_DAYS:
        raise CertificatesError(f"{days} days: expected 1 to {_MOST_DAYS}")
    now = now or datetime.now(UTC)
    try:
        with _alone_in(folder):
            there = [name for name in _FILES if os.path.lexists(folder / name)]
            if renew is not None and len(there) == len(_FILES):
                server = _certificate(folder / "server.pem")
                if not _issued_by(server, _certificate(folder / f"{_AUTHORITY}.pem")):
                    raise CertificatesError(f"{folder / 'server.pem'} was not made here; --force replaces it")
                if server.not_valid_after_utc - now > timedelta(days=renew):
                    return []
            elif there and not force:
                raise CertificatesError(f"{folder} has already {', '.join(there)}; --force replaces them")
            return _put(folder, _made(addresses, _Span(now - _SKEW, now + timedelta(days=days))))
    except OSError as error:
        raise CertificatesError(f"cannot write to {folder}: {_reason(error)}") from None


def revoke(folder: Path, certificate: Path, *, now: datetime | None = None) -> None:
    """Adds the PEM file ``certificate`` to the revocation list in ``folder``; one that is in it stays as it is.

    Raises CertificatesError if it is not a certificate of the authority in ``folder``, or a file is missing or wrong.
    """
    now = now or datetime.now(UTC)
    try:
        revoked = _certificate(certificate)
        with _alone_in(folder, make=False):
            authority = _Pair(_certificate(folder / f"{_AUTHORITY}.pem"), _key(folder / f"{_AUTHORITY}.key.pem"))
            listed, number = _revocation_list(folder / _CRL)
            if revoked == authority.certificate or not _issued_by(revoked, authority.certificate):
                raise CertificatesError(f"{certificate} was not issued by {folder / _AUTHORITY}.pem")
            if now >= authority.certificate.not_valid_after_utc:
                raise CertificatesError(f"{folder / _AUTHORITY}.pem is no longer valid")
            if listed.get_revoked_certificate_by_serial_number(revoked.serial_number) is None:
                entries = [*listed, _entry(revoked, now - _SKEW)]
                _put(folder, {_CRL: _signed_list(authority, entries, number + 1, now - _SKEW)})
    except OSError as error:
        raise CertificatesError(f"cannot revoke: {error.filename or folder}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _addresses(names: Sequence[str]) -> list[x509.GeneralName]:
    """What the server's certificate is for, each once."""
    if len(names) > _MOST_NAMES:
        raise CertificatesError(f"{len(names)} names: expected {_MOST_NAMES} at most")
    return list(dict.fromkeys(_address(name) for name in (*_LOCAL_NAMES, *names)))


def _address(name: str) -> x509.GeneralName:
    # An IPv6 zone is one of this machine's, and has no place in a certificate.
    if "%" not in name:
        with contextlib.suppress(ValueError):
            return x509.IPAddress(ipaddress.ip_address(name))
    host = name.lower()
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise CertificatesError(
            f"bad name {json.dumps(name, ensure_ascii=False)}: expected a host name or an IP address"
        )
    return x509.DNSName(host)


def _made(addresses: Sequence[x509.GeneralName], span: _Span) -> dict[str, bytes]:
    """The content of every file, by its name."""
    length = span.end - span.start
    spans = {
        "before": _Span(span.start - length, span.start),
        "now": span,
        "after": _Span(span.end, span.end + length),
    }
    # Certificates lie within the time of their authority, also those that are bad by their dates.
    whole = _Span(spans["before"].start, spans["after"].end)
    authorities = {
        _AUTHORITY: _authority("mock_editor throw-away authority", whole),
        _OTHER: _authority("mock_editor other authority", whole),
    }
    authority = authorities[_AUTHORITY]
    server = _issued(authority, _subject("localhost", EDITOR_UNIT), span, ExtendedKeyUsageOID.SERVER_AUTH, addresses)
    clients = {
        one.name: _issued(
            authorities[one.authority],
            _subject(one.common_name, one.unit),
            spans[one.when],
            ExtendedKeyUsageOID.CLIENT_AUTH,
        )
        for one in _CLIENTS
    }
    revoked = [_entry(clients[one.name].certificate, span.start) for one in _CLIENTS if one.revoked]
    contents = {_CRL: _signed_list(authority, revoked, 1, span.start), _README: _readme(addresses, span)}
    for name, pair in {**authorities, "server": server, **clients}.items():
        contents |= zip(_pair_names(name), _pem(pair), strict=True)
    contents["server.p12"] = _p12("server", server, authority)
    contents |= {f"{one.name}.p12": _p12(one.name, clients[one.name], authorities[one.authority]) for one in _CLIENTS}
    return {name: contents[name] for name in _FILES}


def _subject(common_name: str, unit: str | None = None) -> x509.Name:
    parts = {NameOID.COUNTRY_NAME: "FR", NameOID.ORGANIZATION_NAME: "mock_editor"}
    if unit:
        parts[NameOID.ORGANIZATIONAL_UNIT_NAME] = unit
    parts[NameOID.COMMON_NAME] = common_name
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, span: _Span) -> x509.CertificateBuilder:
    """What an authority's certificate and one that it issues have in common."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span.start)
        .not_valid_after(span.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority(name: str, span: _Span) -> _Pair:
    key, subject = _new_key(), _subject(name)
    certificate = (
        _builder(subject, subject, key, span)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(_issuer_key(key), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Pair(certificate, key)


def _issued(
    authority: _Pair,
    subject: x509.Name,
    span: _Span,
    purpose: x509.ObjectIdentifier,
    addresses: Sequence[x509.GeneralName] = (),
) -> _Pair:
    key = _new_key()
    # A client without elliptic curves has the server decrypt a secret.
    usage = _key_usage(digital_signature=True, key_encipherment=purpose == ExtendedKeyUsageOID.SERVER_AUTH)
    builder = (
        _builder(subject, authority.certificate.subject, key, span)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(_issuer_key(authority.key), critical=False)
    )
    if addresses:
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    return _Pair(builder.sign(authority.key, hashes.SHA256()), key)


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


def _entry(certificate: x509.Certificate, since: datetime) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
    return builder.revocation_date(since).build()


def _signed_list(authority: _Pair, entries: Sequence[x509.RevokedCertificate], number: int, since: datetime) -> bytes:
    """A revocation list, good for as long as its authority is."""
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


def _pem(pair: _Pair) -> tuple[bytes, bytes]:
    """Certificate and key."""
    return (
        pair.certificate.public_bytes(Encoding.PEM),
        pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _p12(name: str, pair: _Pair, authority: _Pair) -> bytes:
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2048)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - what old clients read
        .build(P12_PASSWORD.encode())
    )
    chain = [authority.certificate]
    return pkcs12.serialize_key_and_certificates(name.encode(), pair.key, pair.certificate, chain, encryption)


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (ValueError, x509.InvalidVersion):
        raise CertificatesError(f"{path} is not a certificate in PEM") from None


def _key(path: Path) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificatesError(f"{path} is not an RSA key in PEM, without password")
    return key


def _revocation_list(path: Path) -> tuple[x509.CertificateRevocationList, int]:
    """A list and its number."""
    try:
        listed = x509.load_pem_x509_crl(path.read_bytes())
        return listed, listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (ValueError, x509.InvalidVersion, x509.ExtensionNotFound):
        raise CertificatesError(f"{path} is not a revocation list in PEM, with a number") from None


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


@contextlib.contextmanager
def _alone_in(folder: Path, *, make: bool = True) -> Iterator[None]:
    """Keeps other processes of ours out of ``folder``; one that was made for nothing goes again."""
    if folder.exists() and not folder.is_dir():
        raise CertificatesError(f"{folder} is a file, expected a folder")
    made = make and not folder.exists()
    if made:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    finally:
        os.close(descriptor)


def _put(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Writes all of these files into ``folder``, or, if something goes wrong, leaves it as it was."""
    for name in contents:
        if (folder / name).is_dir():
            raise CertificatesError(f"{folder / name} is a folder, expected a file")
    # In the folder itself, which may be a file system of its own.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as temporary, contextlib.ExitStack() as undo:
        new = Path(temporary)
        for name, content in contents.items():
            (new / name).write_bytes(content)
            (new / name).chmod(0o600 if name.endswith((".key.pem", ".p12")) else 0o644)
        for name in contents:
            target, former = folder / name, new / f"{name}.former"
            if os.path.lexists(target):
                target.rename(former)
                undo.callback(former.replace, target)
            else:
                undo.callback(target.unlink, missing_ok=True)
            (new / name).rename(target)
        undo.pop_all()
    return [folder / name for name in contents]


def _readme(addresses: Sequence[x509.GeneralName], span: _Span) -> bytes:
    names = [str(one.value) for one in addresses]
    return _README_TEXT.format(
        names=", ".join(names),
        more_names="".join(f" --name {name}" for name in names[len(_LOCAL_NAMES) :]),
        start=f"{span.start:%Y-%m-%d}",
        end=f"{span.end:%Y-%m-%d}",
        password=P12_PASSWORD,
        common_name=SAS_COMMON_NAME,
        unit=SAS_UNIT,
        clients="\n".join(f"| `{one.name}` | {one.common_name} | {one.unit} | {one.meeting} |" for one in _CLIENTS),
        client_names=" ".join(one.name for one in _CLIENTS),
    ).encode()


_README_TEXT = """\
# Certificates for trying mutual TLS

**They protect nothing**: the keys lie beside them and the password is known. Trust `authority.pem` for tests only,
never in a browser or a system that is used for anything else.

`mock-editor certs init` made them; they stand in for those of IGC-Santé. But for those that are bad by their dates,
they are valid from {start} to {end}, by real time, wherever the simulator's clock stands.
`mock-editor certs init --force{more_names} .` makes new ones. All keys are RSA, 2048 bits.

| File | What |
|---|---|
| `NAME.pem`, `NAME.key.pem` | certificate and key, PEM |
| `NAME.p12` | both, with the authority's certificate, PKCS#12; password: `{password}` |
| `authority` | issued all but `sas-other-authority`; its key is there, so it can issue more |
| `authority.crl.pem` | what it has revoked: `sas-revoked`, and what `mock-editor certs revoke` adds |
| `other-authority` | a second one, which nobody trusts |
| `server` | the simulator's own: {names} |

| Client | CN | OU | At the simulator's TLS port |
|---|---|---|---|
{clients}
| none | | | answered with 403 |

## Start

In this folder:

    mock-editor serve --tls-port 8443 --tls-cert server.pem --tls-key server.key.pem \\
      --tls-client-ca authority.pem --tls-crl authority.crl.pem \\
      --tls-client-cn {common_name} --tls-client-ou {unit}

With `--tls-strict`, whatever is refused is refused in the handshake. For INT_R03, where the simulator calls the SAS and
shows `editor`, add

    --sas-certificate editor.pem --sas-key editor.key.pem --sas-authority authority.pem

and for the bench in the place of the SAS, which calls editors and shows `sas`,

    --bench-certificate sas.pem --bench-key sas.key.pem --bench-authority authority.pem

## Call

    curl --cacert authority.pem --cert sas.pem --key sas.key.pem \\
      https://localhost:8443/agenda-ville/fhir/metadata

With `--cert-type P12 --cert sas.p12:{password}` in the place of `--cert` and `--key`, it is the same; without, there is
no certificate. Each client in turn:

    for name in {client_names}; do
      curl -sS -o /dev/null -w "$name: %{{http_code}}\\n" --cacert authority.pem --cert $name.pem --key $name.key.pem \\
        https://localhost:8443/agenda-ville/fhir/metadata
    done

A 403 says why in its OperationOutcome. When the handshake is refused, curl has no answer (`000`) and fails, mostly with
exit code 56 (with TLS 1.2 also 35 or 60): `certificate expired`, `bad certificate` (not yet valid), `unknown ca`. The
simulator's log says why.

## Revoke and issue

    mock-editor certs revoke . sas.pem

puts it on the list, which the simulator reads again. One more client certificate (OpenSSL 3):

    openssl req -newkey rsa:2048 -nodes -keyout more.key.pem -out more.csr \\
      -subj /OU={unit}/CN={common_name} -addext extendedKeyUsage=clientAuth
    openssl x509 -req -in more.csr -copy_extensions copy -days 30 \\
      -CA authority.pem -CAkey authority.key.pem -out more.pem
"""

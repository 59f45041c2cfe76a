"""Certificates for trying mutual TLS between the SAS and editors: a throw-away authority that stands in for IGC-Santé.

They protect nothing: the keys lie beside the certificates, and the password is known.
"""

import contextlib
import ipaddress
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from mock_editor.base.issues import Code
from mock_editor.tls.authority import (
    Pair,
    Validity,
    is_issued_by,
    issue,
    make_authority,
    p12,
    pem,
    revocation,
    revocation_list,
    subject,
)
from mock_editor.tls.files import (
    CertificatesError,
    locked,
    read_certificate_file,
    read_key_file,
    read_revocation_list,
    write_all,
)

# The names in the SAS's certificate. The real ones differ between the environments of the SAS.
SAS_COMMON_NAME, SAS_UNIT = "sas.example", "SAS"
EDITOR_COMMON_NAME, EDITOR_UNIT = "lga.example", "LGA"
P12_PASSWORD = "changeit"  # noqa: S105 - the README.md beside the files says it

_AUTHORITY, _OTHER = "authority", "other-authority"
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_MOST_NAMES, _MOST_DAYS = 100, 3650
# A client whose clock is slow still finds the certificates valid.
_SKEW = timedelta(days=1)
# Compose gives services names with underscores. A name that ends in a number would be taken for an IP address.
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+$){_LABEL}")


@dataclass(frozen=True, slots=True)
class _Client:
    """A client certificate; ``outcome`` is how the simulator's TLS port answers it."""

    name: str
    outcome: str
    common_name: str = SAS_COMMON_NAME
    unit: str = SAS_UNIT
    authority: str = _AUTHORITY
    when: Literal["before", "now", "after"] = "now"
    revoked: bool = False


_ANSWERED = "answered with 403: "
_HANDSHAKE = "refused in the handshake: "
_CLIENTS = (
    _Client("sas", "the SAS platform: accepted"),
    _Client("sas-wrong-cn", f"{_ANSWERED}another CN", common_name="other.example"),
    _Client("sas-wrong-ou", f"{_ANSWERED}another OU", unit="OTHER"),
    _Client("sas-revoked", f"{_ANSWERED}in `authority.crl.pem`", revoked=True),
    _Client("sas-expired", f"{_HANDSHAKE}no longer valid", when="before"),
    _Client("sas-not-yet-valid", f"{_HANDSHAKE}not valid as long as the others are", when="after"),
    _Client("sas-other-authority", f"{_HANDSHAKE}issued by `other-authority.pem`", authority=_OTHER),
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
# All files that init writes, in this order.
_FILES = (
    *_pair_names(_AUTHORITY),
    _CRL,
    *_pair_names(_OTHER),
    *(
        file
        for name in ("server", *(client.name for client in _CLIENTS))
        for file in (*_pair_names(name), f"{name}.p12")
    ),
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
    """Fills ``folder`` with an authority, good and bad certificates, and a README.md that explains them.

    The server's certificate is for this machine and ``names`` (host names or IP addresses). All are valid for ``days``
    from ``now`` (aware; real time by default), except those whose fault is their dates. A folder that is created here
    is readable by its owner only. With ``renew``, existing certificates stay if they are valid for that many more days,
    and are replaced otherwise. Returns the files written: all of them, or none.

    Raises CertificatesError, before anything is written, if a name is wrong or, without ``force``, if one of the files
    exists; and if they cannot be written.
    """
    addresses = _addresses(names)
    if not 1 <= days <= _MOST_DAYS:
        raise CertificatesError(Code.CERTS_DAYS, days=days, most=_MOST_DAYS)
    now = now or datetime.now(UTC)
    try:
        with locked(folder):
            there = [name for name in _FILES if os.path.lexists(folder / name)]
            if renew is not None and len(there) == len(_FILES):
                server = read_certificate_file(folder / "server.pem")
                if not is_issued_by(server, read_certificate_file(folder / f"{_AUTHORITY}.pem")):
                    raise CertificatesError(Code.CERTS_NOT_OURS, path=str(folder / "server.pem"))
                if server.not_valid_after_utc - now > timedelta(days=renew):
                    return []
            elif there and not force:
                raise CertificatesError(Code.CERTS_EXIST, folder=str(folder), files=there)
            return write_all(folder, _contents(addresses, Validity(now - _SKEW, now + timedelta(days=days))))
    except OSError as error:
        raise CertificatesError(Code.CERTS_UNWRITABLE, folder=str(folder), reason=_reason(error)) from None


def revoke(folder: Path, certificate: Path, *, now: datetime | None = None) -> None:
    """Adds the certificate in a PEM file to the revocation list in ``folder``, unless it is listed already.

    Raises CertificatesError if the authority in ``folder`` has not issued it, or if a file is missing or wrong.
    """
    now = now or datetime.now(UTC)
    try:
        revoked = read_certificate_file(certificate)
        with locked(folder, make=False):
            certificate_file, key_file = (folder / name for name in _pair_names(_AUTHORITY))
            authority = Pair(read_certificate_file(certificate_file), read_key_file(key_file))
            listed, number = read_revocation_list(folder / _CRL)
            if revoked == authority.certificate or not is_issued_by(revoked, authority.certificate):
                raise CertificatesError(
                    Code.CERTS_ISSUER, path=str(certificate), authority=f"{folder / _AUTHORITY}.pem"
                )
            if now >= authority.certificate.not_valid_after_utc:
                raise CertificatesError(Code.CERTS_AUTHORITY_EXPIRED, authority=str(certificate_file))
            if listed.get_revoked_certificate_by_serial_number(revoked.serial_number) is None:
                entries = [*listed, revocation(revoked, now - _SKEW)]
                write_all(folder, {_CRL: revocation_list(authority, entries, number + 1, now - _SKEW)})
    except OSError as error:
        path = str(error.filename or folder)
        raise CertificatesError(Code.CERTS_UNREVOKED, path=path, reason=_reason(error)) from None


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _addresses(names: Sequence[str]) -> list[x509.GeneralName]:
    """The names and addresses in the server's certificate, each once."""
    if len(names) > _MOST_NAMES:
        raise CertificatesError(Code.CERTS_NAMES, number=len(names), most=_MOST_NAMES)
    return list(dict.fromkeys(_address(name) for name in (*_LOCAL_NAMES, *names)))


def _address(name: str) -> x509.GeneralName:
    # An IPv6 zone means something on one machine only, and has no place in a certificate.
    if "%" not in name:
        with contextlib.suppress(ValueError):
            return x509.IPAddress(ipaddress.ip_address(name))
    host = name.lower()
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise CertificatesError(Code.CERTS_NAME, name=json.dumps(name, ensure_ascii=False))
    return x509.DNSName(host)


def _contents(addresses: Sequence[x509.GeneralName], validity: Validity) -> dict[str, bytes]:
    """The content of every file, by its name."""
    length = validity.end - validity.start
    validities = {
        "before": Validity(validity.start - length, validity.start),
        "now": validity,
        "after": Validity(validity.end, validity.end + length),
    }
    # An authority is valid for longer than its certificates, including those whose fault is their dates.
    whole = Validity(validities["before"].start, validities["after"].end)
    authorities = {
        _AUTHORITY: make_authority("mock_editor throw-away authority", whole),
        _OTHER: make_authority("mock_editor other authority", whole),
    }
    authority = authorities[_AUTHORITY]
    server = issue(authority, subject("localhost", EDITOR_UNIT), validity, ExtendedKeyUsageOID.SERVER_AUTH, addresses)
    clients = {
        client.name: issue(
            authorities[client.authority],
            subject(client.common_name, client.unit),
            validities[client.when],
            ExtendedKeyUsageOID.CLIENT_AUTH,
        )
        for client in _CLIENTS
    }
    revoked = [revocation(clients[client.name].certificate, validity.start) for client in _CLIENTS if client.revoked]
    contents = {_CRL: revocation_list(authority, revoked, 1, validity.start), _README: _readme(addresses, validity)}
    for name, pair in {**authorities, "server": server, **clients}.items():
        contents |= zip(_pair_names(name), pem(pair), strict=True)
    contents["server.p12"] = p12("server", server, authority, P12_PASSWORD)
    contents |= {
        f"{client.name}.p12": p12(client.name, clients[client.name], authorities[client.authority], P12_PASSWORD)
        for client in _CLIENTS
    }
    return {name: contents[name] for name in _FILES}


def _readme(addresses: Sequence[x509.GeneralName], validity: Validity) -> bytes:
    names = [str(address.value) for address in addresses]
    return _README_TEXT.format(
        names=", ".join(names),
        more_names="".join(f" --name {name}" for name in names[len(_LOCAL_NAMES) :]),
        start=f"{validity.start:%Y-%m-%d}",
        end=f"{validity.end:%Y-%m-%d}",
        password=P12_PASSWORD,
        common_name=SAS_COMMON_NAME,
        unit=SAS_UNIT,
        clients="\n".join(
            f"| `{client.name}` | {client.common_name} | {client.unit} | {client.outcome} |" for client in _CLIENTS
        ),
        client_names=" ".join(client.name for client in _CLIENTS),
    ).encode()


_README_TEXT = """\
# Certificates for trying mutual TLS

**They protect nothing**: the keys lie beside them and the password is known. Trust `authority.pem` for tests only,
never in a browser or a system that is used for anything else.

`mock-editor certs init` made them; they stand in for those of IGC-Santé. Except those whose fault is their dates,
they are valid from {start} to {end}, by real time, whatever the simulator's clock shows.
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

With `--tls-strict`, every refusal happens in the handshake. For INT_R03, where the simulator calls the SAS and
shows `editor`, add

    --sas-certificate editor.pem --sas-key editor.key.pem --sas-authority authority.pem

and for the bench, which calls editors in the place of the SAS and shows `sas`,

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

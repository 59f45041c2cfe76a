"""Which certificates are trusted: the authorities of a file, the certification paths up to them, and revocation lists.

All of that is checked with each request, because a connection may live longer than what it was opened with. The
handshake has checked it before, where it is ours; where a proxy passes a certificate on, nobody else does. Dates are
compared with real time, wherever the simulator's clock stands.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from mock_editor.base.issues import Code, Issue, Term, issue
from mock_editor.tls.certificates import (
    MOST_CLIENTS,
    MOST_IN_CHAIN,
    Certificate,
    is_for_clients,
    read,
    read_certificate,
)
from mock_editor.tls.errors import TlsError

_log = logging.getLogger(__name__)

_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
# Signatures that are checked before the search for certification paths is given up.
_MOST_SIGNATURES = 50
# What a certificate is to the client that shows it.
_OWN, _AUTHORITY = Term("certificate", "own"), Term("certificate", "authority")

# From a client's certificate up to a trusted root.
CertificationPath = tuple[Certificate, ...]
# Serial numbers, each with its issuer.
Serials = frozenset[tuple[str, int]]


class WatchedFile:
    """A file that is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = self._look()

    def _look(self) -> tuple[int, ...]:
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino

    def changed(self) -> bool:
        """Whether it has changed since this was asked last."""
        before, self._state = self._state, self._look()
        return before != self._state


class TrustStore:
    """The authorities of a PEM file, which is read again when it has changed. Raises TlsError.

    ``version`` counts the changes.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path)
        self._authorities = self._read()
        self.version = 0
        self._paths: dict[tuple[Certificate, Sequence[bytes]], list[CertificationPath]] = {}

    def _read(self) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates(self._file.path.read_bytes())
        except (OSError, ValueError) as error:
            raise TlsError(Code.TLS_AUTHORITIES, path=str(self._file.path), reason=str(error)) from None

    def refresh(self) -> None:
        """Reads a file that has changed. If it cannot be read, the log says so, and the old authorities still count."""
        if self._file.changed():
            self.version += 1
            try:
                self._authorities = self._read()
            except TlsError as error:
                _log.warning("The authorities stay as they were: %s", error)
            self._paths = {}

    def paths(self, certificate: Certificate, chain: Sequence[bytes] = ()) -> list[CertificationPath]:
        """Each path from a certificate up to a trusted root, by way of the ``chain`` that came with it if need be.

        It begins with the certificate itself. Neither dates nor revocation are checked, so the result stays valid.
        """
        paths, key = self._paths, (certificate, tuple(chain))
        if key not in paths:
            known = [*self._authorities, *_readable(chain)]
            found = list(self._climb([certificate.parsed], known, [_MOST_SIGNATURES]))
            if len(paths) >= MOST_CLIENTS:
                paths.clear()
            paths[key] = [(certificate, *map(read, path[1:])) for path in found]
        return paths[key]

    def _climb(
        self, path: list[x509.Certificate], known: Sequence[x509.Certificate], signatures_left: list[int]
    ) -> Iterator[list[x509.Certificate]]:
        """The continuations of ``path``; ``left`` is how many signatures may still be checked."""
        top = path[-1]
        if top.subject == top.issuer and top in self._authorities:
            yield path
            return
        # An authority that was renewed is there twice, under the same name and with the same key.
        for authority in known:
            if authority.subject == top.issuer and authority not in path and signatures_left[0] > 0:
                signatures_left[0] -= 1
                if _has_issued(authority, top, len(path) - 1):
                    yield from self._climb([*path, authority], known, signatures_left)

    def refusal(
        self, certificate: Certificate, now: datetime, chain: Sequence[bytes] = (), revoked: Serials = frozenset()
    ) -> Issue | None:
        """What is wrong with a certificate and its authorities, unless nothing is wrong on one of its paths."""
        wrong = [wrong_on(path, now, revoked) for path in self.paths(certificate, chain)]
        return None if None in wrong else next(iter(wrong), issue(Code.CERTIFICATE_UNTRUSTED))

    def has_signed(self, crl: x509.CertificateRevocationList) -> bool:
        """Whether one of the authorities has signed a revocation list."""
        # Their keys are of types that sign certificates.
        return any(
            authority.subject == crl.issuer and crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
            for authority in self._authorities
        )


def _readable(chain: Sequence[bytes]) -> Iterator[x509.Certificate]:
    for der in chain[:MOST_IN_CHAIN]:
        try:
            yield read_certificate(der).parsed
        except ValueError:
            continue


def wrong_on(path: CertificationPath, now: datetime, revoked: Serials) -> Issue | None:
    """What is wrong on a certification path: dates and revocation of each certificate."""
    for number, certificate in enumerate(path):
        whose = _AUTHORITY if number else _OWN
        if now < certificate.since:
            return issue(Code.CERTIFICATE_NOT_YET_VALID, whose=whose, since=certificate.since)
        if now > certificate.until:
            return issue(Code.CERTIFICATE_EXPIRED, whose=whose, until=certificate.until)
        if (certificate.issuer, certificate.serial) in revoked:
            return issue(Code.CERTIFICATE_REVOKED, whose=whose)
    return None


def _has_issued(authority: x509.Certificate, certificate: x509.Certificate, authorities: int) -> bool:
    """Whether an authority has issued a certificate below which there are so many other ``authorities``."""
    try:
        certificate.verify_directly_issued_by(authority)
        limits = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        fit = is_for_clients(authority, authority=True)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return fit and limits.ca and (limits.path_length is None or limits.path_length >= authorities)


class RevocationLists:
    """The certificates that a file revokes, which is read again when it has changed. Raises TlsError.

    If a new file cannot be read, the log says so, and the old lists still count.
    """

    def __init__(self, path: Path, trust_store: TrustStore | None) -> None:
        self._file = WatchedFile(path)
        self._trust_store = trust_store
        self._serials = self._read()
        self._refused = 0

    def __contains__(self, certificate: Certificate) -> bool:
        return (certificate.issuer, certificate.serial) in self.current()

    def current(self) -> Serials:
        """All revoked certificates, as the file has them now."""
        version = self._trust_store.version if self._trust_store else 0
        # The authority that signed a list which was refused may have been added since.
        if self._file.changed() or 0 < self._refused <= version:
            self._refused = 0
            try:
                self._serials = self._read()
            except TlsError as error:
                self._refused = version + 1
                _log.warning("The revoked certificates stay as they were: %s", error)
        return self._serials

    def _read(self) -> Serials:
        path = self._file.path
        try:
            content = path.read_bytes()
            texts = _PEM_CRL.findall(content)
            lists = [*map(x509.load_pem_x509_crl, texts)] or [x509.load_der_x509_crl(content)]
        except (OSError, ValueError, x509.InvalidVersion) as error:
            raise TlsError(Code.TLS_REVOCATION_LIST, path=str(path), reason=str(error)) from None
        for revocation_list in lists:
            if self._trust_store and not self._trust_store.has_signed(revocation_list):
                raise TlsError(Code.TLS_REVOCATION_LIST_SIGNATURE, path=str(path))
            if revocation_list.next_update_utc and revocation_list.next_update_utc < datetime.now(UTC):
                _log.warning("%s was to be renewed on %s", path, revocation_list.next_update_utc)
        return frozenset(
            (revocation_list.issuer.rfc4514_string(), entry.serial_number)
            for revocation_list in lists
            for entry in revocation_list
        )

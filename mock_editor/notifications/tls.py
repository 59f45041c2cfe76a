"""TLS with the SAS: the certificate that an editor shows, and whom it trusts."""

import ssl
from pathlib import Path
from typing import NamedTuple

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from mock_editor.base.issues import Code, Issue, Term, issue
from mock_editor.base.words import english

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsFileError(ValueError):
    """A file that cannot be used: ``name`` says which (``certificate``, ``key``, ``authority``), ``issue`` why."""

    def __init__(self, name: str, why: Issue) -> None:
        super().__init__(name, why)
        self.name = name
        self.issue = why

    def __str__(self) -> str:
        # For logs and tracebacks.
        return english(self.issue)


class Identity(NamedTuple):
    """What an editor shows (a certificate with its key, in one PEM file or two), whom it trusts (a PEM file, or the
    authorities that come with requests), and the lowest TLS version, ``1.2`` or ``1.3``."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    minimum: str = "1.2"

    def context(self) -> ssl.SSLContext:
        """The context for connections to the SAS. Raises TlsFileError; never prompts for a pass phrase."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = _VERSIONS[self.minimum]
        if self.authority:
            _expect("authority", self.authority, "CERTIFICATE")
        try:
            context.load_verify_locations(self.authority or DEFAULT_CA_BUNDLE_PATH)
        except ssl.SSLError:
            path = str(self.authority or "")
            raise TlsFileError("authority", issue(Code.TLS_FILE_NO_CERTIFICATE, path=path)) from None
        if self.certificate:
            self._show(context, self.certificate)
        return context

    def _show(self, context: ssl.SSLContext, certificate: Path) -> None:
        name, key = ("key", self.key) if self.key else ("certificate", certificate)
        _expect("certificate", certificate, "CERTIFICATE")
        _expect(name, key, "PRIVATE KEY")
        try:
            context.load_cert_chain(certificate, key, password=_no_pass_phrase)
        except _EncryptedError:
            raise TlsFileError(name, issue(Code.TLS_FILE_ENCRYPTED, path=str(key))) from None
        except ssl.SSLError as error:
            path = str(certificate)
            if error.reason == "KEY_VALUES_MISMATCH":
                raise TlsFileError(name, issue(Code.TLS_FILE_OTHER_KEY, path=str(key), certificate=path)) from None
            reason = str(error.reason or error)
            unusable = issue(Code.TLS_FILE_UNUSABLE, path=path, key=str(key), reason=reason)
            raise TlsFileError("certificate", unusable) from None


class _EncryptedError(Exception):
    pass


def _no_pass_phrase() -> str:
    raise _EncryptedError


def _expect(name: str, path: Path, label: str) -> None:
    """Raises TlsFileError for a file without such a part. OpenSSL would not say which file is meant."""
    try:
        content = path.read_bytes()
    except OSError as error:
        unreadable = issue(Code.TLS_FILE_UNREADABLE, path=str(path), reason=error.strerror)
        raise TlsFileError(name, unreadable) from None
    if f"{label}-----".encode() not in content:
        part = Term("part of a PEM file", label.lower())
        raise TlsFileError(name, issue(Code.TLS_FILE_WITHOUT, path=str(path), part=part))

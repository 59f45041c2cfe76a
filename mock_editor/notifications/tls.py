"""TLS with the SAS: what an editor shows and whom it trusts; and, in French, why there is no connection."""

import ssl
from pathlib import Path
from typing import NamedTuple

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from mock_editor.base.client import tls_error

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

# OpenSSL's codes for what is wrong with a certificate (X509_V_ERR_…).
_WRONG = {
    2: "son autorité est inconnue",
    9: "il n’est pas encore valable, ou celui de son autorité",
    10: "il a expiré, ou celui de son autorité",
    18: "il est auto-signé, et n’est pas de ceux auxquels l’éditeur fait confiance",
    19: "son autorité est inconnue, et auto-signée",
    20: "son autorité est inconnue",
    21: "son autorité est inconnue",
    26: "il n’est pas fait pour un serveur",
    62: "il n’est pas à ce nom",
    64: "il n’est pas à cette adresse",
}
# OpenSSL's names for what the other side says while the connection is made. Under TLS 1.3 it comes with the answer.
_REFUSED = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "il en exige un",
    "TLSV1_ALERT_UNKNOWN_CA": "il n’en connaît pas l’autorité",
    "SSLV3_ALERT_BAD_CERTIFICATE": "il le tient pour mauvais",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "il n’en accepte pas le type",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "il est révoqué",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "il a expiré, ou n’est pas encore valable",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "il ne dit pas pourquoi",
    "TLSV1_ALERT_ACCESS_DENIED": "il ne lui donne pas accès",
}
_TOO_OLD = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION")
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")


class TlsFileError(ValueError):
    """A file that cannot be used: ``name`` says which, ``certificate``, ``key`` or ``authority``."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.name = name


class Identity(NamedTuple):
    """What is shown (a certificate with its key, in one PEM file or two), whom one trusts (a PEM file, or those that
    come with requests), and the lowest version that is spoken, ``1.2`` or ``1.3``."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    minimum: str = "1.2"

    def context(self) -> ssl.SSLContext:
        """For connections to the SAS. Raises TlsFileError; asks nobody for a pass phrase."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = _VERSIONS[self.minimum]
        if self.authority:
            _expect("authority", self.authority, "CERTIFICATE")
        try:
            context.load_verify_locations(self.authority or DEFAULT_CA_BUNDLE_PATH)
        except ssl.SSLError:
            raise TlsFileError("authority", self.authority or Path(), "holds no certificate that can be read") from None
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
            text = "the key is encrypted; expected one without a pass phrase"
            raise TlsFileError(name, key, text) from None
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                text = f"the key is not that of the certificate in {certificate}"
                raise TlsFileError(name, key, text) from None
            text = f"cannot be used with the key in {key}: {error.reason or error}"
            raise TlsFileError("certificate", certificate, text) from None


class _EncryptedError(Exception):
    pass


def _no_pass_phrase() -> str:
    raise _EncryptedError


def _expect(name: str, path: Path, label: str) -> None:
    """Raises TlsFileError for a file without such a part. OpenSSL would not say which file is meant."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TlsFileError(name, path, f"cannot be read: {error.strerror}") from None
    if f"{label}-----".encode() not in content:
        raise TlsFileError(name, path, f"holds no {label.lower()} in PEM")


def trouble(error: Exception, identity: Identity) -> str | None:
    """What is wrong with certificates or versions, in French; None for any other error.

    In each of these cases the request was not taken: either side refuses the connection itself.
    """
    found = tls_error(error)
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        wrong = _WRONG.get(found.verify_code, "il n’est pas valable")
        return f"certificat du SAS refusé : {wrong} ({found.verify_message.rstrip('.')})"
    if found.reason in _REFUSED:
        ours = "notre certificat" if identity.certificate else "l’éditeur, qui ne montre aucun certificat"
        return f"le SAS refuse {ours} : {_REFUSED[found.reason]} ({found.reason})"
    if found.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":
        ours = "notre certificat ne lui convient pas" if identity.certificate else "il exige peut-être un certificat"
        return f"le SAS refuse la négociation TLS : {ours}, ou aucun chiffrement n’est commun ({found.reason})"
    if found.reason in _TOO_OLD:
        return f"version de TLS trop ancienne : le SAS ne parle pas TLS {identity.minimum} ou plus ({found.reason})"
    if found.reason in _NO_TLS:
        return f"le serveur ne parle pas TLS à cette adresse ({found.reason})"
    return None

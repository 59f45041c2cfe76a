"""Files of certificates and keys: reading them, and writing a set of them as a whole."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code


class CertificatesError(InvalidValueError):
    """Certificates cannot be made or revoked."""


def read_certificate_file(path: Path) -> x509.Certificate:
    """The certificate in a PEM file. Raises CertificatesError and OSError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (ValueError, x509.InvalidVersion):
        raise CertificatesError(Code.CERTS_NO_CERTIFICATE, path=str(path)) from None


def read_key_file(path: Path) -> rsa.RSAPrivateKey:
    """The RSA key in a PEM file. Raises CertificatesError and OSError."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificatesError(Code.CERTS_NO_KEY, path=str(path))
    return key


def read_revocation_list(path: Path) -> tuple[x509.CertificateRevocationList, int]:
    """The revocation list in a PEM file, and its number. Raises CertificatesError and OSError."""
    try:
        listed = x509.load_pem_x509_crl(path.read_bytes())
        return listed, listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (ValueError, x509.InvalidVersion, x509.ExtensionNotFound):
        raise CertificatesError(Code.CERTS_NO_LIST, path=str(path)) from None


@contextlib.contextmanager
def locked(folder: Path, *, make: bool = True) -> Iterator[None]:
    """Keeps other processes of ours out of ``folder``. It is created if need be, and removed again after a failure."""
    if folder.exists() and not folder.is_dir():
        raise CertificatesError(Code.CERTS_NO_FOLDER, path=str(folder))
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


def write_all(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Writes all of these files into ``folder``, or leaves it as it was if something goes wrong."""
    for name in contents:
        if (folder / name).is_dir():
            raise CertificatesError(Code.CERTS_NO_FILE, path=str(folder / name))
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

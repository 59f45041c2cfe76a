"""What goes wrong with files of certificates and with handshakes."""

import ssl

from mock_editor.base import errors
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Issue
from mock_editor.base.words import english


class TlsError(InvalidValueError):
    """A file of certificates or keys that cannot be used."""


class HandshakeRefusedError(OSError):
    """A client is refused in the handshake. ``issue`` says why, and which certificate it has presented."""

    def __init__(self, issue: Issue) -> None:
        super().__init__()
        self.issue = issue

    def __str__(self) -> str:
        # For logs and tracebacks.
        return english(self.issue)


def reason_of(error: Exception) -> Issue | str:
    """What went wrong with a handshake, a file or a certificate: ours as data, a library's in its own few words."""
    if isinstance(error, HandshakeRefusedError):
        return error.issue
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return errors.reason_of(error)

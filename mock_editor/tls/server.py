"""The server's side of TLS: its context, and handshakes."""

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

from mock_editor.tls.certificates import TlsError

# What is written stays in the system until this is taken off.
_HOLD_BACK: int | None = getattr(socket, "TCP_CORK", None)
_PROTOCOLS = ["http/1.1"]


class RefusedError(OSError):
    """A client that is refused in the handshake: says why, and what it has presented."""


class TlsServer:
    """Speaks TLS 1.2 and 1.3 with clients, and asks for a certificate of ``authorities``, which they need not have.

    ``refusal`` is asked before the handshake ends, with the certificate in DER; if it answers why a client is refused,
    the connection is reset. Raises TlsError.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path | None,
        authorities: Path,
        *,
        refusal: Callable[[bytes | None], str | None] | None = None,
    ) -> None:
        self._refusal = refusal
        # One for all connections: it holds what sessions are taken up again with.
        self._context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL if refusal is None else ssl.CERT_REQUIRED
        context.set_alpn_protocols(_PROTOCOLS)
        # A client that ends without a word, or whom a deadline cuts off, still gets an answer: that a request is not
        # whole, HTTP knows itself.
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            name = f"{certificate}, {key}" if key else str(certificate)
            raise TlsError(f"{name}: {reason(error)}") from None
        try:
            context.load_verify_locations(authorities)
        except OSError as error:
            raise TlsError(f"{authorities}: {reason(error)}") from None

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """A connection that has just been accepted; the handshake is still to come. Raises OSError."""
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def shake_hands(self, sock: ssl.SSLSocket) -> bytes | None:
        """Returns the client's certificate, in DER. Raises OSError, of which RefusedError."""
        if self._refusal is None:
            sock.do_handshake()
            return sock.getpeercert(binary_form=True)
        # With TLS 1.2, the last message is ours: a client that is refused must not get it.
        sock.setblocking(False)
        readable = select.poll()
        readable.register(sock, select.POLLIN)
        while True:
            _hold_back(sock, True)
            try:
                sock.do_handshake()
                break
            except ssl.SSLWantReadError:
                _hold_back(sock, False)
                readable.poll()
            except OSError:
                # What the client is told then would stay in the system for a while.
                _hold_back(sock, False)
                raise
        shown = sock.getpeercert(binary_form=True)
        try:
            wrong = self._refusal(shown)
        except ValueError as error:
            wrong = f"The client certificate cannot be read: {error}"
        if wrong:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            raise RefusedError(wrong)
        _hold_back(sock, False)
        sock.setblocking(True)
        return shown


def _hold_back(sock: socket.socket, on: bool) -> None:
    if _HOLD_BACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _HOLD_BACK, on)


def _no_password() -> str:
    raise ValueError("the key is encrypted: it has to be without a pass phrase")


def reason(error: Exception) -> str:
    """What went wrong with a handshake or a file, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def say_goodbye(sock: ssl.SSLSocket) -> None:
    """Tells the client that nothing more comes, without waiting for it."""
    sock.setblocking(False)
    # It has not said so itself yet, or is gone.
    with contextlib.suppress(OSError, ValueError):
        sock.unwrap()

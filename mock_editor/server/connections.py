"""One client's connection, and an answer on its way out."""

import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from gunicorn.http import wsgi
from gunicorn.workers.gthread import TConn

from mock_editor.base.sockets import reset_on_close


class Connection(TConn):  # type: ignore[misc]
    """One client's connection, from accept to close.

    With TLS, ``sock`` is the wrapped socket from the start. Stock gunicorn wraps it in ``init``, which leaves those who
    watch the connection with a socket that has lost its descriptor.
    """

    # With TLS, the client's certificate in DER: None before the handshake, empty if it has none; and its issuers.
    certificate: bytes | None = None
    chain: Sequence[bytes] | None = ()
    # A deadline has shut its reading side: the end that is read from it is ours, not the client's.
    cut = False


class TimedResponse(wsgi.Response):  # type: ignore[misc]
    """An answer on its way out. The client has ``seconds`` to take each piece."""

    def __init__(self, req: Any, sock: socket.socket, cfg: Any, seconds: float) -> None:
        super().__init__(req, sock, cfg)
        self._seconds = seconds

    def default_headers(self) -> list[str]:
        # Nobody needs to know which server this is: scanners look for it, and real editors run something else.
        return [line for line in super().default_headers() if not line.startswith("Server:")]

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        super().process_headers(headers)
        # Stock gunicorn drops this header and then keeps the connection.
        if any(name.lower() == "connection" and value.strip().lower() == "close" for name, value in headers):
            self.force_close()

    def write(self, arg: bytes) -> None:
        with sending_within(self.sock, self._seconds):
            super().write(arg)

    def close(self) -> None:
        with sending_within(self.sock, self._seconds):
            super().close()


@contextlib.contextmanager
def sending_within(sock: socket.socket, seconds: float) -> Iterator[None]:
    """Gives each call that sends on ``sock`` so many ``seconds``.

    Raises BrokenPipeError if the client does not take what is sent, or has gone.
    """
    sock.settimeout(seconds)
    try:
        yield
    except OSError as error:
        # After an orderly close, the system would go on offering the rest for minutes.
        reset_on_close(sock)
        raise BrokenPipeError(errno.EPIPE, "The client does not take the answer") from error
    finally:
        sock.settimeout(None)


def decrypted(sock: socket.socket) -> int:
    """How many received bytes are held by TLS, where polling the socket does not show them."""
    return sock.pending() if isinstance(sock, ssl.SSLSocket) else 0


def peer(address: Any) -> str:
    """A client's address as the journal writes it."""
    return f"{address[0]}:{address[1]}"


def origin(sock: socket.socket) -> str:
    """The scheme, host and port where a connection came in; empty when they are not known any more."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return ""
    scheme = "https" if isinstance(sock, ssl.SSLSocket) else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

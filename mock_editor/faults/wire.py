"""How an answer is sent wrongly, as data, and the few calls on a client's connection that this needs.

gunicorn's own socket is never closed here: its count of connections would stay wrong. EPIPE tells it of the end.
"""

import contextlib
import errno
import fcntl
import socket
import struct
import termios
import time
from dataclasses import dataclass

from mock_editor.base import sockets

# Seconds that a client has to receive the bytes before the end of its connection.
_TAKING = 10.0
# How long, in seconds, a reset waits for these bytes to arrive: it would throw away those on their way.
_ARRIVING, _LOOK = 2.0, 0.002


@dataclass(frozen=True, slots=True)
class Pace:
    """The body goes out in pieces of ``size`` bytes, and ``seconds`` pass before each."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The answer ends after a ``share`` of its head, or of its body, followed by ``last``, which is sent as it is.

    With ``chunked``, the body has no length: it is sent in chunks.
    """

    in_head: bool = False
    share: float = 0.5
    reset: bool = False
    last: bytes = b""
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """How an answer is sent wrongly, if at all."""

    pace: Pace | None = None
    cut: Cut | None = None


WHOLE = Wire()


class ConnectionEndedError(BrokenPipeError):
    """The connection has ended as a fault wants it. Without a socket, as in tests, ``sent`` and ``reset`` tell how."""

    def __init__(self, text: str, *, sent: bytes, reset: bool) -> None:
        super().__init__(errno.EPIPE, text)
        self.sent, self.reset = sent, reset


def end(sock: socket.socket | None, text: str, *, sent: bytes = b"", reset: bool = False) -> ConnectionEndedError:
    """Sends bytes as they are, and ends the connection; the caller raises the result.

    Without a reset the server closes it, and takes what the client still sends: what was sent is not lost.
    """
    if sock is not None:
        with contextlib.suppress(OSError):
            _send(sock, sent)
            if reset:
                _await_delivery(sock)
                sockets.reset(sock)
    return ConnectionEndedError(text, sent=sent, reset=reset)


def _send(sock: socket.socket, data: bytes) -> None:
    if data:
        sock.settimeout(_TAKING)
        try:
            sock.sendall(data)
        finally:
            sock.settimeout(None)


def reset_when_closed(sock: socket.socket) -> None:
    """Makes the next close of ``sock`` a reset, and waits a little until the other side has received everything."""
    _await_delivery(sock)
    sockets.reset_on_close(sock)


def _await_delivery(sock: socket.socket) -> None:
    until = time.monotonic() + _ARRIVING
    while _on_their_way(sock) and time.monotonic() < until:
        time.sleep(_LOOK)


def _on_their_way(sock: socket.socket) -> int:
    """How many bytes the client's system has not confirmed yet."""
    count: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return count

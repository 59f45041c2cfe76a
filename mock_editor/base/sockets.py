"""Ending a connection with a reset (RST) instead of an orderly end (FIN): the one place that does it."""

import os
import socket
import struct

_NO_LINGER = struct.pack("ii", 1, 0)  # struct linger: on, for zero seconds


def reset_on_close(sock: socket.socket) -> None:
    """Makes the next close of ``sock`` a reset, which throws away what has not been sent yet. Raises OSError."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def reset(sock: socket.socket) -> None:
    """Resets the connection now and leaves ``sock`` open, unconnected, for its owner to close. Raises OSError.

    gunicorn closes its sockets itself and counts them by that: a socket that was closed behind its back would stay in
    its count of connections for ever.
    """
    reset_on_close(sock)
    with socket.socket() as unconnected:
        os.dup2(unconnected.fileno(), sock.fileno(), inheritable=False)

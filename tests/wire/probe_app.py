"""A tiny application behind the real server: prints its port; its settings come from the environment."""

import errno
import os
import socket
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from mock_editor.base import sockets
from mock_editor.base.errors import EditorError
from mock_editor.base.http import read_body
from mock_editor.server import running
from mock_editor.settings import Settings

BIG = b"x" * 340_000


def answer(start_response: Any, status: str, body: bytes, *headers: tuple[str, str]) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]


def reset(sock: socket.socket) -> None:
    """Ends a connection with RST, as a fault does: gunicorn's own socket must not be closed, and is told by EPIPE."""
    sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf an ans")
    sockets.reset(sock)
    raise BrokenPipeError(errno.EPIPE, "reset on purpose")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    match environ["PATH_INFO"]:
        case "/now":
            return answer(start_response, "200 OK", str(os.getpid()).encode())
        case "/big":
            return answer(start_response, "200 OK", BIG * int(query.get("times", "1")))
        case "/pieces":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return (BIG for _ in range(int(query["times"])))
        case "/wait":
            threading.Event().wait(float(query["seconds"]))
            return answer(start_response, "200 OK", b"waited")
        case "/body":
            try:
                body = read_body(environ, seconds=SETTINGS.body_timeout)
            except EditorError as error:
                return answer(start_response, f"{error.status} Refused", str(error).encode(), *error.headers.items())
            return answer(start_response, "200 OK", str(len(body)).encode())
        case "/close":
            return answer(start_response, "200 OK", b"bye", ("Connection", "close"))
        case "/fail":
            raise FileNotFoundError("a secret of the inside")
        case "/fail-late":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return (1 // (5 - n) * b"piece" for n in range(10))
        case "/reset":
            reset(environ["gunicorn.socket"])
        case "/bad-header":
            return answer(start_response, "200 OK", b"", ("X-Bad", "a\nb"))
    return answer(start_response, "404 Not Found", b"")


SETTINGS = Settings.from_env(os.environ)

if __name__ == "__main__":
    listener = running.open_listener(SETTINGS.host, SETTINGS.port)
    port = listener.getsockname()[1]
    running.run(app, listener, SETTINGS, on_ready=lambda: print(port, flush=True), grace=int(os.environ["GRACE"]))

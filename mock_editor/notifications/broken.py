"""Sends a request in a wrong way, as a fault wants it, in the place of the adapter that would send it rightly.

It stands behind the adapter of the journal, which takes all of it down like any other request.
"""

import contextlib
import itertools
import ssl
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from requests import ConnectionError as BrokenError
from requests import PreparedRequest, RequestException, Response
from requests.adapters import BaseAdapter
from requests.exceptions import SSLError as TlsError
from requests.structures import CaseInsensitiveDict

from mock_editor.base.client import Limits, connection, prolong
from mock_editor.faults import messages
from mock_editor.faults.wire import Cut, reset_when_closed
from mock_editor.notifications.faulted import Way


class Dropped(RequestException):
    """Nothing was sent, as a rule wants it."""


class _Wrongly(NamedTuple):
    way: Way
    wait: Callable[[float], None]


_wrongly: ContextVar[_Wrongly | None] = ContextVar("wrongly", default=None)


@contextlib.contextmanager
def sending(way: Way | None, wait: Callable[[float], None]) -> Iterator[None]:
    """What this thread sends in here goes out in this way; ``wait`` holds it for so many seconds between two pieces."""
    before = _wrongly.set(_Wrongly(way, wait) if way else None)
    try:
        yield
    finally:
        _wrongly.reset(before)


class Breaking(BaseAdapter):
    """An adapter around another one, which speaks TLS with ``context``; without a ``network``, there is no connection
    that could break."""

    def __init__(self, behind: BaseAdapter, *, network: bool = True, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._behind = behind
        self._network = network
        self._context = context

    def send(self, request: PreparedRequest, *args: Any, **how: Any) -> Response:
        """The answer of the SAS, or a rule's. Raises RequestException."""
        wrongly = _wrongly.get()
        if wrongly is None:
            return self._behind.send(request, *args, **how)
        way, wait = wrongly
        if way.lost:
            raise Dropped(f"by the rule {way.name}")
        if way.answer:
            if way.first:
                self._behind.send(request, *args, **how).close()
            return _response(way.answer, request)
        if way.closed or way.wire.cut:
            return self._break(request, way, wait, **how)
        if way.wire.pace and self._network:
            # There is a length, so urllib3 sends the pieces as they come.
            request.body = _pieces(way, way.body, wait)  # type: ignore[assignment]
        return self._behind.send(request, *args, **how)

    def close(self) -> None:
        """Closes the adapter behind."""
        self._behind.close()

    def _break(
        self,
        request: PreparedRequest,
        way: Way,
        wait: Callable[[float], None],
        *,
        timeout: tuple[float, float],
        **_: Any,
    ) -> Response:
        head, body, last, reset = _broken(request, way)
        if way.first and not self._network:
            self._behind.send(request)
        if self._network:
            try:
                with connection(request.url or "", Limits(*timeout), self._context) as sock:
                    for piece in itertools.chain([head], _pieces(way, body, wait), [last]):
                        sock.until = time.monotonic() + timeout[1]
                        sock.sendall(piece)
                    if reset:
                        reset_when_closed(sock)
            except ssl.SSLError as error:
                raise TlsError(error) from error
            except OSError as error:
                raise BrokenError(f"{type(error).__name__}: {error}") from error
        sent = len(head) + len(body) + len(last)
        raise BrokenError(f"{'reset' if reset else 'closed'} after {sent} bytes, by the rule {way.name}")


def _broken(request: PreparedRequest, way: Way) -> tuple[bytes, bytes, bytes, bool]:
    """What goes out of a request: of its head, of its body, and after that; and whether it ends with a reset."""
    if way.closed:
        whole = (_head(request, way.body, chunked=False), way.body) if way.first else (b"", b"")
        return *whole, way.closed.sent, way.closed.reset
    cut = way.wire.cut or Cut()
    head = _head(request, way.body, chunked=cut.chunked)
    if cut.in_head:
        return head[: min(max(int(len(head) * cut.share), 1), len(head) - 1)], b"", b"", cut.reset
    body = way.body[: int(len(way.body) * cut.share)]
    if cut.chunked and body:
        body = b"%x\r\n%s\r\n" % (len(body), body)
    return head, body, cut.last, cut.reset


def _head(request: PreparedRequest, body: bytes, *, chunked: bool) -> bytes:
    left_out = ("content-length", "host")
    headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
    headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    lines = [f"{request.method} {request.path_url} HTTP/1.1", f"Host: {urlsplit(request.url or '').netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _pieces(way: Way, body: bytes, wait: Callable[[float], None]) -> Iterator[bytes]:
    pace = way.wire.pace
    size = pace.size if pace else max(len(body), 1)
    for start in range(0, len(body), size):
        if pace:
            begin = time.monotonic()
            wait(pace.seconds)
            prolong(time.monotonic() - begin)
        yield body[start : start + size]


def _response(answer: messages.Response, request: PreparedRequest) -> Response:
    response = Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response.raw = BytesIO(answer.body)
    response.url = request.url or ""
    response.request = request
    return response

"""Sends a request with the faults of a rule, in place of the adapter that would send it properly.

It stands behind the journal's adapter, which records this request like any other.
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
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.exceptions import SSLError as TlsError
from requests.structures import CaseInsensitiveDict

from mock_editor.base.client import CallEndedError, Limits, connection, prolong
from mock_editor.base.issues import Code, issue
from mock_editor.faults import messages
from mock_editor.faults.wire import Cut, reset_when_closed
from mock_editor.notifications.outcomes import rule_acted
from mock_editor.notifications.rule_effects import Effect


class DroppedError(CallEndedError):
    """Nothing was sent, as a rule demands."""


class _Sending(NamedTuple):
    effect: Effect
    wait: Callable[[float], None]


_sending: ContextVar[_Sending | None] = ContextVar("sending", default=None)


@contextlib.contextmanager
def sending_with(effect: Effect | None, wait: Callable[[float], None]) -> Iterator[None]:
    """Applies this effect to what this thread sends in the block; ``wait`` waits so many seconds between two pieces."""
    before = _sending.set(_Sending(effect, wait) if effect else None)
    try:
        yield
    finally:
        _sending.reset(before)


class FaultyAdapter(BaseAdapter):
    """An adapter around another one that speaks TLS with ``context``. Without a ``network``, there is no connection
    that could break."""

    def __init__(self, behind: BaseAdapter, *, network: bool = True, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._behind = behind
        self._network = network
        self._context = context

    def send(self, request: PreparedRequest, *args: Any, **how: Any) -> Response:
        """The answer of the SAS, or that of a rule. Raises RequestException."""
        current = _sending.get()
        if current is None:
            return self._behind.send(request, *args, **how)
        effect, wait = current
        if effect.lost:
            raise DroppedError(issue(Code.SENDING_LOST, rule=rule_acted(effect.applied)))
        if effect.answer:
            if effect.first:
                self._behind.send(request, *args, **how).close()
            return _response(effect.answer, request)
        if effect.closed or effect.wire.cut:
            return self._break(request, effect, wait, **how)
        if effect.wire.pace and self._network:
            # With a Content-Length, urllib3 sends the pieces as they come.
            request.body = _pieces(effect, effect.body, wait)  # type: ignore[assignment]
        return self._behind.send(request, *args, **how)

    def close(self) -> None:
        """Closes the adapter behind."""
        self._behind.close()

    def _break(
        self,
        request: PreparedRequest,
        effect: Effect,
        wait: Callable[[float], None],
        *,
        timeout: tuple[float, float],
        **_: Any,
    ) -> Response:
        head, body, last, reset = _sent_parts(request, effect)
        if effect.first and not self._network:
            self._behind.send(request)
        if self._network:
            try:
                with connection(request.url or "", Limits(*timeout), self._context) as sock:
                    for piece in itertools.chain([head], _pieces(effect, body, wait), [last]):
                        sock.until = time.monotonic() + timeout[1]
                        sock.sendall(piece)
                    if reset:
                        reset_when_closed(sock)
            except ssl.SSLError as error:
                raise TlsError(error) from error
            except OSError as error:
                raise BrokenError(f"{type(error).__name__}: {error}") from error
        sent = len(head) + len(body) + len(last)
        if reset:
            raise CallEndedError(issue(Code.SENDING_RESET, count=sent, rule=rule_acted(effect.applied)))
        raise CallEndedError(issue(Code.SENDING_CLOSED, count=sent, rule=rule_acted(effect.applied)))


def _sent_parts(request: PreparedRequest, effect: Effect) -> tuple[bytes, bytes, bytes, bool]:
    """Which parts of a request are sent: of its head, of its body, and after that; and whether a reset ends it."""
    if effect.closed:
        whole = (_head(request, effect.body, chunked=False), effect.body) if effect.first else (b"", b"")
        return *whole, effect.closed.sent, effect.closed.reset
    cut = effect.wire.cut or Cut()
    head = _head(request, effect.body, chunked=cut.chunked)
    if cut.in_head:
        return head[: min(max(int(len(head) * cut.share), 1), len(head) - 1)], b"", b"", cut.reset
    body = effect.body[: int(len(effect.body) * cut.share)]
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


def _pieces(effect: Effect, body: bytes, wait: Callable[[float], None]) -> Iterator[bytes]:
    pace = effect.wire.pace
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

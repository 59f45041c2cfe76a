"""Wraps the whole application and records each exchange without changing it.

It is in the hot path: whatever can wait is left to the journal's writer.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from mock_editor.base.errors import EditorError
from mock_editor.base.exchanges import CERTIFICATE, ENDED, ENDING, RULE, received_at, received_url
from mock_editor.base.flows import flow_of
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.paths import Surface, classify
from mock_editor.journal.model import ExchangeRecord
from mock_editor.journal.writer import JournalWriter

# Recording must not change what is recorded.
_UNRECORDED = frozenset({Surface.ADMIN, Surface.CONSOLE, Surface.HEALTH, Surface.METRICS, Surface.STATIC})
# Bytes kept of a posted search to tell its flow, whatever the journal's limits.
_FORM = 16_384
_LEFT = issue(Code.CLIENT_LEFT)
_GONE = (BrokenPipeError, ConnectionResetError)


class JournalMiddleware:
    """A WSGI application around the one ``behind``; ``editors`` returns the slugs of the played editors."""

    def __init__(self, behind: WSGIApplication, journal: JournalWriter, editors: Callable[[], Collection[str]]) -> None:
        self._behind = behind
        self._journal = journal
        self._editors = editors

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if classify(environ["PATH_INFO"]).surface in _UNRECORDED:
            return self._behind(environ, start_response)
        recording = _Recording(self._journal, self._editors, environ, start_response)
        try:
            pieces = self._behind(environ, recording.start_response)
        except BaseException as error:
            recording.fail(error)
            raise
        return recording.passing(pieces)

    def refused(
        self, peer: str, origin: str, method: str, url: str, status: int | None, body: bytes, error: Issue
    ) -> None:
        """Records what the server answers by itself, or not at all: the application never saw it."""
        path, _, query = url.partition("?")
        editor, flow = flow_of(method, path, query, self._editors())
        self._journal.record(
            ExchangeRecord(
                began=time.time(),
                clock=self._journal.clock_now(),
                direction="in",
                editor=editor,
                flow=flow,
                method=method,
                url=url,
                origin=origin,
                status=status,
                peer=peer,
                answer_body=body[: self._journal.limits.body] if self._journal.keep else b"",
                answer_size=len(body),
                error=error,
            )
        )


class _Body:
    """The body of a request as the application reads it; never read further than that."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._room = most
        self.beginning: list[bytes] = []
        self.size = 0

    def _note(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self._room > 0:
            self.beginning.append(piece[: self._room])
            self._room -= len(piece)
        return piece

    def read(self, *size: int) -> bytes:
        return self._note(self._stream.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._note(self._stream.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        return [self._note(line) for line in self._stream.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._note, self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Recording:
    """One exchange in progress, and the answer on its way to the server."""

    __slots__ = (
        "_began",
        "_begin",
        "_body",
        "_clock",
        "_editors",
        "_ended",
        "_environ",
        "_error",
        "_exchange",
        "_expected",
        "_headers",
        "_journal",
        "_kept",
        "_next",
        "_pieces",
        "_room",
        "_size",
        "_start",
        "_status",
    )  # fmt: skip

    def __init__(
        self,
        journal: JournalWriter,
        editors: Callable[[], Collection[str]],
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> None:
        self._journal = journal
        self._editors = editors
        self._environ = environ
        self._start = start_response
        self._begin, self._began = time.perf_counter(), time.time()
        self._clock: datetime = journal.clock_now()
        self._status: str | None = None
        self._headers: list[tuple[str, str]] = []
        self._expected = -1  # bytes of the answer, if known
        self._size = 0
        self._room = journal.limits.body if journal.keep else 0
        self._kept: list[bytes] = []
        self._error: Issue | None = None
        self._ended = False
        self._exchange: ExchangeRecord | None = None
        self._pieces: Iterable[bytes] = ()
        self._next: Callable[[], bytes]
        self._body: _Body | None = None
        if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
            most = max(self._room, _FORM) if classify(environ["PATH_INFO"]).posted_search else self._room
            environ["wsgi.input"] = self._body = _Body(environ["wsgi.input"], most)
        environ[ENDING] = self._fail

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Calls the server's ``start_response`` and notes what passes."""
        self._status, self._headers = status, headers
        for name, value in headers:
            if name == "Content-Length" and value.isdecimal():
                self._expected = int(value)
                self._room = min(self._room, self._journal.limits.bytes_of(self._expected))
        return self._start(status, headers, exc_info) if exc_info else self._start(status, headers)

    def passing(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        """The answer; it is recorded before the server gets its last piece."""
        if type(pieces) is list and self._expected < 0:
            self._expected = sum(map(len, pieces))
        self._pieces = pieces
        self._next = iter(pieces).__next__
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = self._next()
        except StopIteration:
            # When the length is unknown, the end of the answer is still to come.
            self._ended = True
            self._record()
            raise
        except BaseException as error:
            self.fail(error)
            raise
        size = len(piece)
        self._size += size
        if self._room > 0:
            self._kept.append(piece[: self._room])
            self._room -= size
        if self._size >= self._expected >= 0:
            self._record()
        return piece

    def close(self) -> None:
        """Ends the answer; the server calls this in any case."""
        try:
            if hasattr(self._pieces, "close"):
                self._pieces.close()
        finally:
            if not self._ended:
                # The server did not ask for the end: it failed to send what it had.
                self._fail(_LEFT)

    def fail(self, error: BaseException) -> None:
        """Notes that the application failed; if nothing has been sent yet, the server answers by itself."""
        if self._ended:
            return  # whoever ended the connection has said so before
        if isinstance(error, _GONE):
            self._fail(self._environ.get(ENDED, _LEFT))
            return
        if self._size == 0:
            status = error.status if isinstance(error, EditorError) else 500
            self._status, self._headers = f"{status} ", []
        self._fail(issue(Code.APPLICATION_FAILED, reason=f"{type(error).__name__}: {str(error)[:200]}"))

    def _fail(self, error: Issue) -> None:
        self._ended = True
        if self._exchange:
            self._journal.amend(self._exchange, error)
        else:
            self._error = error
            self._record()

    def _record(self) -> None:
        if self._exchange:
            return
        environ, body = self._environ, self._body
        # Break the reference cycle, which would delay the release of the memory.
        environ.pop(ENDING, None)
        method, query = environ["REQUEST_METHOD"], environ["QUERY_STRING"]
        sent = b"".join(body.beginning) if body else b""
        editor, flow = flow_of(method, environ["PATH_INFO"], query, self._editors(), sent)
        exchange = self._exchange = ExchangeRecord(
            began=self._began,
            clock=self._clock,
            direction="in",
            editor=editor,
            flow=flow,
            method=method,
            url="",
            seconds=time.perf_counter() - self._begin,
            status=int(self._status[:3]) if self._status else None,
            answer_size=self._size,
            error=self._error,
            rule=environ.get(RULE),
        )
        if self._journal.keep:
            exchange.url, exchange.origin = received_url(environ, query), received_at(environ)
            exchange.peer = _peer(environ)
            exchange.certificate = environ.get(CERTIFICATE)
            exchange.request_headers = [(name, value) for key, value in environ.items() if (name := _NAMES[key])]
            exchange.answer_headers = self._headers
            exchange.answer_body = self._kept[0] if len(self._kept) == 1 else b"".join(self._kept)
            if body:
                exchange.request_body, exchange.request_size = sent, body.size
        self._journal.record(exchange)


def _peer(environ: WSGIEnvironment) -> str | None:
    address = environ.get("REMOTE_ADDR")
    return f"{address}:{environ.get('REMOTE_PORT', '?')}" if address else None


class _Names(dict[str, str]):
    """The names of headers by their names in WSGI; empty for what is not a header."""

    def __missing__(self, key: str) -> str:
        header = key.startswith(("HTTP_", "CONTENT_"))
        name = key.removeprefix("HTTP_").replace("_", "-").title() if header else ""
        # Clients choose these names, so only so many are remembered.
        if len(self) < 500:
            self[key] = name
        return name


_NAMES = _Names()

"""Records what a session of ``requests`` sends, and what came of it."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.client import CallEndedError
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.journal.model import ExchangeRecord
from mock_editor.journal.writer import JournalWriter

_sender: ContextVar[tuple[str | None, Flow, AppliedRule | None] | None] = ContextVar("sender", default=None)


@contextlib.contextmanager
def sent_by(editor: str | None, flow: Flow, rule: AppliedRule | None = None) -> Iterator[None]:
    """Whatever this thread sends in the block belongs to this editor and flow; ``rule`` acts on it."""
    before = _sender.set((editor, flow, rule))
    try:
        yield
    finally:
        _sender.reset(before)


def record_with(session: Session, journal: JournalWriter, editor: str | None = None, flow: Flow = Flow.OTHER) -> None:
    """Records what ``session`` sends through the adapters that are mounted now."""
    for prefix, adapter in session.adapters.items():
        session.adapters[prefix] = _Recording(adapter, journal, editor, flow)


class _Recording(BaseAdapter):
    """An adapter around another one."""

    def __init__(self, behind: BaseAdapter, journal: JournalWriter, editor: str | None, flow: Flow) -> None:
        super().__init__()
        self._behind = behind
        self._journal = journal
        self._sender = editor, flow, None

    def send(self, request: PreparedRequest, *args: Any, **how: Any) -> Response:
        """The answer, its body still to come; recorded once the body has been read or given up."""
        editor, flow, rule = _sender.get() or self._sender
        sent = request.body or b""
        # A streamed body can be read only once, and not by us.
        body = sent.encode() if isinstance(sent, str) else sent if isinstance(sent, bytes) else b""
        begin, keep = time.perf_counter(), self._journal.keep
        exchange = ExchangeRecord(
            began=time.time(),
            clock=self._journal.clock_now(),
            direction="out",
            editor=editor,
            flow=flow,
            method=request.method or "",
            url=request.url or "",
            request_headers=[(name, _text(value)) for name, value in request.headers.items()],
            request_body=body[: self._journal.limits.body] if keep else b"",
            request_size=len(body),
            rule=rule,
        )
        try:
            response = self._behind.send(request, *args, **how)
        except Exception as error:
            exchange.seconds = time.perf_counter() - begin
            exchange.error = _failure(error)
            self._journal.record(exchange)
            raise
        exchange.status = response.status_code
        exchange.answer_headers = list(response.headers.items())
        exchange.peer, exchange.certificate = _other_side(response.raw)
        response.raw = _Answer(response.raw, self._journal, exchange, begin)
        return response

    def close(self) -> None:
        """Closes the adapter behind."""
        self._behind.close()


class _Answer:
    """The body of an answer while it is read; it stands in for urllib3's, which does the work."""

    def __init__(self, raw: Any, journal: JournalWriter, exchange: ExchangeRecord, begin: float) -> None:
        self._raw = raw
        self._journal = journal
        self._exchange = exchange
        self._begin = begin
        self._room = journal.limits.body if journal.keep else 0
        self._kept: list[bytes] = []
        self._recorded = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._raw, name)
        # Not every adapter's body has it; requests asks.
        return self._stream if name == "stream" else found

    def _stream(self, *args: Any, **how: Any) -> Iterator[bytes]:
        with self._failures():
            for piece in self._raw.stream(*args, **how):
                self._note(piece)
                yield piece
        self._record()

    def read(self, *args: Any, **how: Any) -> bytes:
        """The next bytes; none at the end."""
        with self._failures():
            piece: bytes = self._raw.read(*args, **how)
        self._note(piece)
        if not piece or not args:
            self._record()
        return piece

    def close(self) -> None:
        """Ends the answer, whether it was read to its end or not."""
        self._record()
        self._raw.close()

    def release_conn(self) -> None:
        """Gives the connection back, if there is one."""
        self._record()
        if hasattr(self._raw, "release_conn"):
            self._raw.release_conn()

    def _note(self, piece: bytes) -> None:
        self._exchange.answer_size += len(piece)
        if self._room > 0:
            self._kept.append(piece[: self._room])
            self._room -= len(piece)

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._exchange.error = _failure(error)
            self._record()
            raise

    def _record(self) -> None:
        if not self._recorded:
            self._recorded = True
            self._exchange.answer_body = b"".join(self._kept)
            self._exchange.seconds = time.perf_counter() - self._begin
            self._journal.record(self._exchange)


def _failure(error: Exception) -> Issue:
    if isinstance(error, CallEndedError):
        return error.issue
    return issue(Code.CALL_FAILED, reason=f"{type(error).__name__}: {str(error)[:500]}")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _other_side(raw: Any) -> tuple[str | None, str | None]:
    """The address and certificate of the other side, as far as urllib3 shows the socket."""
    sock = getattr(getattr(raw, "_connection", None), "sock", None)
    if sock is None:
        # After "Connection: close", only the answer holds it.
        sock = getattr(getattr(getattr(getattr(raw, "_fp", None), "fp", None), "raw", None), "_sock", None)
    if not isinstance(sock, socket.socket):
        return None, None
    try:
        address = sock.getpeername()
        certificate = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    except (OSError, ValueError):
        return None, None
    return f"{address[0]}:{address[1]}", _subject(certificate or {})


def _subject(certificate: Mapping[str, Any]) -> str | None:
    """The subject in one line, e.g. ``organizationName=SAS, commonName=sas.example``."""
    names = [f"{name}={value}" for part in certificate.get("subject", ()) for name, value in part]
    return ", ".join(names) or None

"""Stands between the journal and the simulator, and has rules act on what comes in.

Faults of kinds do not look like those of an editor: when a kind fails, the right answer goes out, the log tells why,
and the journal has it beside the rule. When too many requests wait already, the next one is not answered as if nothing
were wrong: it gets a 503 that says so.
"""

import errno
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any, Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from zoneinfo import ZoneInfo

from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.errors import EditorError
from mock_editor.base.exchanges import ENDED, ENDING, RULE, received_url
from mock_editor.base.fhir import dumps, operation_outcome
from mock_editor.base.flows import Flow, flow_of
from mock_editor.base.http import PROTECTION, read_body
from mock_editor.base.waits import Ended, Hold, Waits, stopped
from mock_editor.faults.engine import FaultEngine, Match, WaitEndedError
from mock_editor.faults.messages import CloseConnection, Proceed, Request, Response
from mock_editor.faults.wire import Cut, Wire, end

# Surfaces that belong to no editor.
_ZONE = ZoneInfo("Europe/Paris")
# Seconds between two warnings that no place to wait is free.
_SILENCE = 10.0
# When a rule goes, all that it holds go on together. Thousands of threads that compute at the same time mostly wait for
# each other, and everybody else for them: so only so many do. Nobody waits for his turn longer than so many seconds,
# because one that has it may need the answer of one that has not.
_AT_ONCE, _TURN = 16, 2.0
_log = logging.getLogger(__name__)


class _Editor(Protocol):
    @property
    def zone(self) -> ZoneInfo: ...


class FaultMiddleware:
    """A WSGI application in front of the one ``behind``; ``editors`` tells those that are played, by slug.

    ``body_timeout`` is how many seconds a client has to send the body of a request that a rule looks at.
    """

    def __init__(
        self,
        behind: WSGIApplication,
        faults: FaultEngine,
        waits: Waits,
        editors: Callable[[], Mapping[str, _Editor]],
        body_timeout: float,
    ) -> None:
        self._behind = behind
        self._faults = faults
        self._waits = waits
        self._editors = editors
        self._body_timeout = body_timeout
        self._unheld, self._told = 0, -math.inf
        self._turns = threading.Semaphore(_AT_ONCE)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Most of the time, there is no rule at all.
        if self._faults.idle:
            return self._behind(environ, start_response)
        body = _Body(environ, self._body_timeout)
        method, path, query = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]
        form = body.read() if method == "POST" and path.rstrip("/").endswith("/_search") else b""
        editors = self._editors()
        slug, flow = flow_of(method, path, query, editors, form)
        if flow is Flow.OTHER:
            return self._behind(environ, start_response)
        zone = editors[slug].zone if slug else _ZONE
        url = received_url(environ, query)
        try:
            acting = self._faults.match(
                direction="in",
                editor=slug,
                flow=flow,
                method=method,
                url=url,
                header=partial(_header, environ),
                body=body.read,
                zone=zone,
            )
        except EditorError as error:
            _log.warning("No rule acts, because the counts cannot be kept: %s", error)
            acting = None
        if acting is None:
            return self._behind(environ, start_response)
        faulty = _Faulty(self._behind, self._waits, self._turns, self.note_unheld, acting, environ)
        request = Request(
            editor=slug,
            flow=flow,
            method=method,
            url=url,
            headers=dict(_headers(environ)),
            body=body.read(),
            now=self._faults.now(),
            zone=zone,
            draw=acting.draw,
            wait=faulty.wait,
            tally=partial(acting.tally, slug),
        )
        return faulty.answered(request, start_response)

    def note_unheld(self, error: EditorError) -> None:
        """Says now and then that requests could not wait."""
        self._unheld += 1
        now = time.monotonic()
        if now - self._told > _SILENCE:
            _log.warning("%d request(s) that a fault should hold were refused, last because: %s", self._unheld, error)
            self._unheld, self._told = 0, now


class _Body:
    """The body of a request, read once, when it is needed; the application reads the same afterwards."""

    def __init__(self, environ: WSGIEnvironment, seconds: float) -> None:
        self._environ, self._seconds = environ, seconds
        self._read: bytes | None = None
        if environ.get("CONTENT_LENGTH", "0") in ("", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
            self._read = b""

    def read(self) -> bytes:
        """The whole; empty if it cannot be had: then the application is refused it in the same way."""
        if self._read is None:
            try:
                self._read = read_body(self._environ, seconds=self._seconds)
                self._environ["wsgi.input"] = BytesIO(self._read)
            except EditorError as error:
                self._read = b""
                self._environ["wsgi.input"] = _Refusing(error)
        return self._read


class _Refusing:
    """A body that cannot be read."""

    def __init__(self, error: EditorError) -> None:
        self._error = error

    def read(self, *_: int) -> bytes:
        raise self._error

    readline = readlines = __iter__ = read


class _Faulty:
    """An exchange on which a rule acts."""

    def __init__(
        self,
        behind: WSGIApplication,
        waits: Waits,
        turns: threading.Semaphore,
        note_unheld: Callable[[EditorError], None],
        acting: Match,
        environ: WSGIEnvironment,
    ) -> None:
        self._behind = behind
        self._waits = waits
        self._turns = turns
        self._note_unheld = note_unheld
        self._acting = acting
        self._environ = environ
        self._sock = environ.get("gunicorn.socket")
        self._hold: Hold | None = None
        self._right: Response | None = None
        self._failure: BaseException | None = None

    # --- what kinds call

    def wait(self, seconds: float) -> None:
        """Holds the request. Raises 503 when there is no place for it, WaitEndedError."""
        if seconds > 0:
            self._acting.wait(self._place(), seconds)

    def _place(self) -> Hold:
        if self._hold is None:
            try:
                self._hold = self._waits.hold(self._environ)
            except EditorError as error:
                self._note_unheld(error)
                self._environ[RULE] += " (refused: no place to wait)"
                raise
        return self._hold

    def proceed(self) -> Response:
        """The right answer; the application makes it only once."""
        if self._right is None:
            has_turn = self._hold is not None and self._turns.acquire(timeout=_TURN)
            try:
                self._right = _answer_of(self._behind, self._environ)
            except BaseException as error:
                self._failure = error
                raise
            finally:
                if has_turn:
                    self._turns.release()
        return self._right

    # --- the answer

    def answered(self, request: Request, start_response: StartResponse) -> Iterable[bytes]:
        """What WSGI wants. Raises ConnectionEndedError when there is no answer, or none that WSGI could send."""
        self._environ[RULE] = self._acting.name
        try:
            return self._sent(self._answer(request), start_response)
        except BaseException:
            self.release()
            raise

    def _answer(self, request: Request) -> Response:
        try:
            response = _chain(self._acting, request, self.proceed)
            if response.wire.pace:
                self._place()
        except CloseConnection as ended:
            text = f"the connection was {'reset' if ended.reset else 'closed'} "
            text += f"after {len(ended.sent)} bytes that are no answer" if ended.sent else "before any byte"
            raise self._end(text, ended.sent, reset=ended.reset) from None
        except WaitEndedError as ended:
            return self._unfinished(ended)
        except Exception as error:
            if error is self._failure:
                raise
            if isinstance(error, EditorError):
                return _refusal(error)
            _log.exception("A fault failed (%s), the right answer goes out", self._acting.name)
            self._environ[RULE] += f" (failed: {type(error).__name__})"
            return self.proceed()
        return response

    def _unfinished(self, ended: WaitEndedError) -> Response:
        """What to answer instead of waiting on. Raises BrokenPipeError if nobody is there any more."""
        if ended.why is Ended.GONE:
            raise BrokenPipeError(errno.EPIPE, "the client has left") from None
        self._environ[RULE] += " (ended: the simulator stops)"
        return _refusal(stopped())

    def _sent(self, response: Response, start_response: StartResponse) -> Iterable[bytes]:
        response = _with_allowed_content(response, self._environ["REQUEST_METHOD"])
        cut = response.wire.cut
        status = f"{response.status} {_phrase(response.status)}"
        if cut and cut.in_head:
            # The journal hears what was begun; the server sends nothing of it.
            start_response(status, list(response.headers))
            raise self._cut_head(cut, status, response.headers)
        start_response(status, _headers_for(response, cut))
        if cut is None and response.wire.pace is None:
            self.release()
            return [response.body]
        return _Pieces(self._pieces(response.body, response.wire), self.release)

    def _cut_head(self, cut: Cut, status: str, headers: Iterable[tuple[str, str]]) -> Exception:
        lines = [
            f"HTTP/1.1 {status}",
            f"Date: {formatdate(usegmt=True)}",
            *(f"{name}: {text}" for name, text in headers),
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        size = min(max(int(len(head) * cut.share), 1), len(head) - 1)
        return self._end(f"{_ended(cut)} after {size} of {len(head)} bytes of the head", head[:size], reset=cut.reset)

    def _pieces(self, body: bytes, wire: Wire) -> Iterator[bytes]:
        """The body as it is sent. The first piece is empty: with it the head leaves."""
        pace, cut = wire.pace, wire.cut
        going = body[: int(len(body) * cut.share)] if cut else body
        size = pace.size if pace else max(len(going), 1)
        yield b""
        for start in range(0, len(going), size):
            if pace:
                self._wait_for_piece(pace.seconds, start, len(body))
            yield going[start : start + size]
        if cut:
            more = " and a chunk that is none" if cut.last else ""
            text = f"{_ended(cut)} after {len(going)} of {len(body)} bytes of the body{more}"
            raise self._end(text, cut.last, reset=cut.reset)

    def _wait_for_piece(self, seconds: float, sent: int, size: int) -> None:
        try:
            self.wait(seconds)
        except WaitEndedError as ended:
            if ended.why is Ended.STOPPING:
                self._environ[ENDED] = f"the simulator stopped after {sent} of {size} bytes of the body"
            raise BrokenPipeError(errno.EPIPE, "the rest is not sent") from None

    def _end(self, text: str, sent: bytes, *, reset: bool) -> Exception:
        self._environ[ENDED] = text
        # Whoever sees the connection end finds the exchange in the journal.
        if ending := self._environ.get(ENDING):
            ending(text)
        # Before the descriptor becomes that of another socket.
        self.release()
        return end(self._sock, text, sent=sent, reset=reset)

    def release(self) -> None:
        """Gives the place of a waiting request back."""
        if self._hold:
            self._hold.close()
            self._hold = None


class _Pieces:
    """An answer that is sent bit by bit, and what is to be done when the server is through with it."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces, self.close = pieces, close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def _chain(acting: Match, request: Request, proceed: Proceed) -> Response:
    """Has each kind act on what the next one answers."""
    for kind in reversed(acting.kinds):
        proceed = partial(kind.apply, request, proceed)
    return proceed()


def _answer_of(app: WSGIApplication, environ: WSGIEnvironment) -> Response:
    """The whole answer of an application; to a HEAD that to the same GET, whose headers it gets, spoilt alike."""
    is_head = environ["REQUEST_METHOD"] == "HEAD"
    if is_head:
        environ = environ | {"REQUEST_METHOD": "GET"}
    began: tuple[int, tuple[tuple[str, str], ...]] = (500, ())
    pieces: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], object]:
        nonlocal began
        began = int(status[:3]), tuple(headers)
        return pieces.append

    response = app(environ, start_response)
    try:
        # A stream of events has no length that could be told, and no end.
        if not is_head or any(name.lower() == "content-length" for name, _ in began[1]):
            pieces.extend(response)
    finally:
        if hasattr(response, "close"):
            response.close()
    return Response(*began, b"".join(pieces))


def _refusal(error: EditorError) -> Response:
    headers = (*error.headers.items(), *PROTECTION)
    return Response(error.status, headers, b"").with_body(dumps(operation_outcome(error.issues)), FHIR_JSON)


def _with_allowed_content(response: Response, method: str) -> Response:
    """The answer without the content that it may not have, and without what would announce some.

    Source: RFC 9110, 8.6, 9.3.2, 15.3.5, 15.3.6 and 15.4.5.
    """
    without = response.status in (204, 205, 304)
    if not without and method != "HEAD":
        return response
    cut = response.wire.cut
    response = replace(response, body=b"", wire=replace(response.wire, cut=cut if cut and cut.in_head else None))
    if not without:
        return response
    headers = [one for one in response.headers if one[0].lower() not in ("content-length", "content-type")]
    # Only of a 205 would a client otherwise wait for content.
    return replace(response, headers=(*headers, *([("Content-Length", "0")] if response.status == 205 else ())))


def _headers_for(response: Response, cut: Cut | None) -> list[tuple[str, str]]:
    """The headers as they are sent: a body that is cut has the length that is missing, or none at all."""
    if cut is None:
        return list(response.headers)
    headers = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
    return headers if cut.chunked else [*headers, ("Content-Length", str(len(response.body)))]


def _ended(cut: Cut) -> str:
    return f"the connection was {'reset' if cut.reset else 'closed'}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _header(environ: WSGIEnvironment, name: str) -> str | None:
    key = name.upper().replace("-", "_")
    return environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            yield key.removeprefix("HTTP_").replace("_", "-").title(), value

"""Stands between the journal and the simulator, and applies fault rules to what comes in.

A bug in a kind must not look like a fault of an editor: the right response is sent, the log says why, and the journal
notes it beside the rule. When too many requests are already waiting, the next one is not answered as if nothing were
wrong: it gets a 503 that says so.
"""

import errno
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Any, Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from zoneinfo import ZoneInfo

from mock_editor.base.applied_rules import RuleOutcome
from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.errors import EditorError
from mock_editor.base.exchanges import RULE, received_url
from mock_editor.base.fhir import dumps, operation_outcome
from mock_editor.base.flows import Flow, flow_of
from mock_editor.base.http import PROTECTION, read_body
from mock_editor.base.paths import classify
from mock_editor.base.waits import Ended, Hold, Waits, stopped
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.faults.delivery import Delivery
from mock_editor.faults.engine import FaultEngine, Match
from mock_editor.faults.messages import CloseConnection, Proceed, Request, Response
from mock_editor.faults.waiting import WaitEndedError

# Seconds between two warnings that no place to wait is free.
_SILENCE = 10.0
# When a rule is removed, all requests that it holds continue together. Thousands of threads that compute at the same
# time mostly wait for each other, and delay everybody else. So only this many continue at a time. None waits longer
# than this many seconds for its turn, because a request that has its turn may need the response of one that has not.
_AT_ONCE, _TURN = 16, 2.0
_log = logging.getLogger(__name__)


class _Editor(Protocol):
    @property
    def zone(self) -> ZoneInfo: ...


class FaultMiddleware:
    """A WSGI application in front of the one ``behind``; ``editors`` returns the played editors by slug.

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
        form = body.read() if method == "POST" and classify(path).posted_search else b""
        editors = self._editors()
        slug, flow = flow_of(method, path, query, editors, form)
        if flow is Flow.OTHER:
            return self._behind(environ, start_response)
        zone = editors[slug].zone if slug else DEFAULT_ZONE
        url = received_url(environ, query)
        try:
            match = self._faults.match(
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
            match = None
        if match is None:
            return self._behind(environ, start_response)
        faulty = _FaultyRequest(self._behind, self._waits, self._turns, self.note_unheld, match, environ)
        request = Request(
            editor=slug,
            flow=flow,
            method=method,
            url=url,
            headers=dict(_headers(environ)),
            body=body.read(),
            now=self._faults.now(),
            zone=zone,
            draw=match.draw,
            wait=faulty.wait,
            tally=partial(match.tally, slug),
        )
        return faulty.respond(request, start_response)

    def note_unheld(self, error: EditorError) -> None:
        """Logs now and then that requests could not wait."""
        self._unheld += 1
        now = time.monotonic()
        if now - self._told > _SILENCE:
            _log.warning("%d request(s) that a fault should hold were refused, last because: %s", self._unheld, error)
            self._unheld, self._told = 0, now


class _Body:
    """The body of a request, read once, when it is needed; the application then reads the same bytes."""

    def __init__(self, environ: WSGIEnvironment, seconds: float) -> None:
        self._environ, self._seconds = environ, seconds
        self._read: bytes | None = None
        if environ.get("CONTENT_LENGTH", "0") in ("", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
            self._read = b""

    def read(self) -> bytes:
        """The whole body; empty if it cannot be read: then the application gets the same refusal."""
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


class _FaultyRequest:
    """A request on which a rule acts."""

    def __init__(
        self,
        behind: WSGIApplication,
        waits: Waits,
        turns: threading.Semaphore,
        note_unheld: Callable[[EditorError], None],
        match: Match,
        environ: WSGIEnvironment,
    ) -> None:
        self._behind = behind
        self._waits = waits
        self._turns = turns
        self._note_unheld = note_unheld
        self._match = match
        self._environ = environ
        self._hold: Hold | None = None
        self._right: Response | None = None
        self._failure: BaseException | None = None

    # --- what kinds call

    def wait(self, seconds: float) -> None:
        """Holds the request. Raises 503 when there is no place for it, WaitEndedError."""
        if seconds > 0:
            self._match.wait(self._place(), seconds)

    def _place(self) -> Hold:
        if self._hold is None:
            try:
                self._hold = self._waits.hold(self._environ)
            except EditorError as error:
                self._note_unheld(error)
                self._note(RuleOutcome.REFUSED)
                raise
        return self._hold

    def proceed(self) -> Response:
        """The right answer; the application makes it only once."""
        if self._right is None:
            has_turn = self._hold is not None and self._turns.acquire(timeout=_TURN)
            try:
                self._right = _response_of(self._behind, self._environ)
            except BaseException as error:
                self._failure = error
                raise
            finally:
                if has_turn:
                    self._turns.release()
        return self._right

    # --- the answer

    def respond(self, request: Request, start_response: StartResponse) -> Iterable[bytes]:
        """The pieces for WSGI. Raises ConnectionEndedError when there is no answer, or none that WSGI could send."""
        self._environ[RULE] = self._match.applied
        try:
            return self._delivery().send(self._response(request), start_response)
        except BaseException:
            self.release()
            raise

    def _response(self, request: Request) -> Response:
        try:
            response = _chain(self._match, request, self.proceed)
            if response.wire.pace:
                self._place()
        except CloseConnection as closed:
            raise self._delivery().close(closed) from None
        except WaitEndedError as ended:
            return self._unfinished(ended)
        except Exception as error:
            if error is self._failure:
                raise
            if isinstance(error, EditorError):
                return _refusal(error)
            _log.exception("A fault failed (%s), the right answer goes out", self._match.applied)
            self._note(RuleOutcome.FAILED, type(error).__name__)
            return self.proceed()
        return response

    def _unfinished(self, ended: WaitEndedError) -> Response:
        """The answer when a wait ended early. Raises BrokenPipeError if the client has left."""
        if ended.why is Ended.GONE:
            raise BrokenPipeError(errno.EPIPE, "the client has left") from None
        self._note(RuleOutcome.STOPPED)
        return _refusal(stopped())

    def _note(self, outcome: RuleOutcome, error: str = "") -> None:
        """Tells the journal what came of the rule."""
        self._environ[RULE] = replace(self._match.applied, outcome=outcome, error=error)

    def _delivery(self) -> Delivery:
        # Dropped, because a reference cycle with a whole body in it stays in memory until the next collection.
        return Delivery(self._environ, self.wait, self.release)

    def release(self) -> None:
        """Frees the place of a waiting request."""
        if self._hold:
            self._hold.close()
            self._hold = None


def _chain(match: Match, request: Request, proceed: Proceed) -> Response:
    """Applies the kinds, each to what the next one answers."""
    for kind in reversed(match.kinds):
        proceed = partial(kind.apply, request, proceed)
    return proceed()


def _response_of(app: WSGIApplication, environ: WSGIEnvironment) -> Response:
    """The whole answer of an application. For a HEAD, it is that to the same GET, so that headers are spoilt alike."""
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
        # A stream of events has no length to declare, and no end.
        if not is_head or any(name.lower() == "content-length" for name, _ in began[1]):
            pieces.extend(response)
    finally:
        if hasattr(response, "close"):
            response.close()
    return Response(*began, b"".join(pieces))


def _refusal(error: EditorError) -> Response:
    headers = (*error.headers.items(), *PROTECTION)
    return Response(error.status, headers, b"").with_body(dumps(operation_outcome(error.issues)), FHIR_JSON)


def _header(environ: WSGIEnvironment, name: str) -> str | None:
    key = name.upper().replace("-", "_")
    return environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            yield key.removeprefix("HTTP_").replace("_", "-").title(), value

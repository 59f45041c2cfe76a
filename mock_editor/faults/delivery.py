"""How a response under a fault is sent: whole, bit by bit, or until the connection ends."""

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

from mock_editor.base.exchanges import ENDED, ENDING
from mock_editor.base.issues import Code, Issue, Term, issue
from mock_editor.base.waits import Ended
from mock_editor.base.words import english
from mock_editor.faults.messages import CloseConnection, Response
from mock_editor.faults.waiting import WaitEndedError
from mock_editor.faults.wire import Cut, Wire, end


class Delivery:
    """One response being sent. ``wait`` holds the request; ``release`` gives its place back at the end."""

    def __init__(self, environ: WSGIEnvironment, wait: Callable[[float], None], release: Callable[[], None]) -> None:
        self._environ = environ
        self._wait = wait
        self._release = release

    def send(self, response: Response, start_response: StartResponse) -> Iterable[bytes]:
        """The pieces for WSGI. Raises ConnectionEndedError for what WSGI cannot send."""
        response = _with_allowed_content(response, self._environ["REQUEST_METHOD"])
        cut = response.wire.cut
        status = f"{response.status} {_phrase(response.status)}"
        if cut and cut.in_head:
            # The journal learns which answer was begun; the server sends nothing of it.
            start_response(status, list(response.headers))
            raise self._cut_head(cut, status, response.headers)
        start_response(status, _headers_for(response, cut))
        if cut is None and response.wire.pace is None:
            self._release()
            return [response.body]
        return _Pieces(self._pieces(response.body, response.wire), self._release)

    def close(self, closed: CloseConnection) -> Exception:
        """Ends the connection instead of answering; the caller raises the result."""
        how = _how(closed.reset)
        ended = issue(Code.CONNECTION_ENDED, how=how)
        if closed.sent:
            ended = issue(Code.CONNECTION_ENDED_AFTER, how=how, sent=len(closed.sent))
        return self._end(ended, closed.sent, reset=closed.reset)

    def _cut_head(self, cut: Cut, status: str, headers: Iterable[tuple[str, str]]) -> Exception:
        lines = [
            f"HTTP/1.1 {status}",
            f"Date: {formatdate(usegmt=True)}",
            *(f"{name}: {text}" for name, text in headers),
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        size = min(max(int(len(head) * cut.share), 1), len(head) - 1)
        ended = issue(Code.HEAD_ENDED, how=_how(cut.reset), sent=size, size=len(head))
        return self._end(ended, head[:size], reset=cut.reset)

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
            code = Code.BODY_ENDED_IN_CHUNK if cut.last else Code.BODY_ENDED
            ended = issue(code, how=_how(cut.reset), sent=len(going), size=len(body))
            raise self._end(ended, cut.last, reset=cut.reset)

    def _wait_for_piece(self, seconds: float, sent: int, size: int) -> None:
        try:
            self._wait(seconds)
        except WaitEndedError as ended:
            if ended.why is Ended.STOPPING:
                self._environ[ENDED] = issue(Code.BODY_STOPPED, sent=sent, size=size)
            raise BrokenPipeError(errno.EPIPE, "the rest is not sent") from None

    def _end(self, ended: Issue, sent: bytes, *, reset: bool) -> Exception:
        self._environ[ENDED] = ended
        # A client that sees the connection end already finds the exchange in the journal.
        if ending := self._environ.get(ENDING):
            ending(ended)
        # Before the descriptor can belong to another socket.
        self._release()
        return end(self._environ.get("gunicorn.socket"), english(ended), sent=sent, reset=reset)


class _Pieces:
    """A response sent bit by bit, and what to do when the server has finished with it."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces, self.close = pieces, close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def _with_allowed_content(response: Response, method: str) -> Response:
    """The response without the content that it may not have, and without headers that would announce some.

    Source: RFC 9110, 8.6, 9.3.2, 15.3.5, 15.3.6 and 15.4.5.
    """
    without = response.status in (204, 205, 304)
    if not without and method != "HEAD":
        return response
    cut = response.wire.cut
    response = replace(response, body=b"", wire=replace(response.wire, cut=cut if cut and cut.in_head else None))
    if not without:
        return response
    headers = [
        (name, value) for name, value in response.headers if name.lower() not in ("content-length", "content-type")
    ]
    # Only with a 205 would a client otherwise wait for content.
    return replace(response, headers=(*headers, *([("Content-Length", "0")] if response.status == 205 else ())))


def _headers_for(response: Response, cut: Cut | None) -> list[tuple[str, str]]:
    """The headers to send: a cut body has the length of the whole, or none at all."""
    if cut is None:
        return list(response.headers)
    headers = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
    return headers if cut.chunked else [*headers, ("Content-Length", str(len(response.body)))]


def _how(reset: bool) -> Term:
    return Term("ending", "reset" if reset else "closed")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"

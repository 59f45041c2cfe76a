"""What the recorder sees of an exchange, whatever the application and the client do, and that it changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.test import run_wsgi_app as run_lazily

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.errors import EditorError
from mock_editor.base.exchanges import RULE
from mock_editor.base.flows import Flow
from mock_editor.base.http import read_body
from mock_editor.base.issues import Code, issue
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.journal import Journal
from mock_editor.journal.middleware import JournalMiddleware
from mock_editor.journal.model import Entry
from tests.journal.conftest import CLOCK, MakeJournal

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
PLAIN = ("Content-Type", "text/plain")
FAILED = issue(Code.APPLICATION_FAILED, reason="KeyError: 'inside'")


def no_start(*_: Any) -> Callable[[bytes], object]:
    """For those who take an answer without its head."""
    return len


def environ(path: str = "/e/fhir/Slot", **how: Any) -> dict[str, Any]:
    return EnvironBuilder(path=path, **how).get_environ() | {"REMOTE_ADDR": "10.0.0.1", "REMOTE_PORT": "4000"}


def run_wsgi_app(app: App, asked: dict[str, Any]) -> Any:
    """What a server does: takes the whole answer, and closes it."""
    return run_lazily(app, asked, buffered=True)


def recorded(journal: Journal, app: App) -> JournalMiddleware:
    return JournalMiddleware(app, journal.writer, lambda: ["e"])


def only(journal: Journal) -> Entry:
    [entry] = journal.find(EntryFilter(limit=10))
    return entry


def answering(pieces: Callable[[], Iterable[bytes]], *headers: tuple[str, str], status: str = "200 OK") -> App:
    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, [PLAIN, *headers])
        return pieces()

    return app


class Piecewise:
    """An answer that notes whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self.closed = True


def fails() -> Iterator[bytes]:
    yield b"half"
    raise KeyError("inside")


@pytest.mark.parametrize(
    "pieces",
    [
        lambda: [b"hello world"],
        lambda: [b"hello ", b"world"],
        lambda: (piece for piece in (b"hello ", b"", b"world")),
        lambda: Piecewise(b"hello ", b"world"),
    ],
)
@pytest.mark.parametrize("headers", [(), (("Content-Length", "11"),)])
def test_an_answer_passes_as_it_is_and_is_taken_down(
    journal: Journal, pieces: Callable[[], Iterable[bytes]], headers: tuple[tuple[str, str], ...]
) -> None:
    app = recorded(journal, answering(pieces, *headers))
    passed, status, _ = run_wsgi_app(app, environ(query_string="status=free", headers={"X-One": "a"}))
    assert (b"".join(passed), status) == (b"hello world", "200 OK")
    entry = only(journal)
    assert (entry.method, entry.url, entry.status) == ("GET", "/e/fhir/Slot?status=free", 200)
    assert (entry.editor, entry.flow, entry.direction) == ("e", Flow.INT_R01, "in")
    assert (entry.peer, entry.clock, entry.error) == ("10.0.0.1:4000", CLOCK, None)
    assert (entry.answer_body, entry.answer_size) == (b"hello world", 11)
    assert ("X-One", "a") in entry.request_headers
    assert entry.answer_headers == [PLAIN, *headers]


@pytest.mark.parametrize(
    ("pieces", "headers"),
    [
        (lambda: [b"hello ", b"world"], ()),
        (lambda: (piece for piece in (b"hello ", b"world")), (("Content-Length", "11"),)),
        # The end of an answer of unknown length is told by a last chunk, which the server makes of the end.
        (lambda: (piece for piece in (b"hello ", b"world", b"")), ()),
    ],
)
def test_it_is_taken_down_before_the_last_piece_is_given_away(
    journal: Journal, pieces: Callable[[], Iterable[bytes]], headers: tuple[tuple[str, str], ...]
) -> None:
    answer = recorded(journal, answering(pieces, *headers))(environ(), no_start)
    whole = b""
    for piece in answer:
        whole += piece
        seen = journal.count(EntryFilter())
        assert seen == (1 if whole == b"hello world" and (headers or type(pieces()) is list) else 0)
    assert only(journal).answer_body == b"hello world"


def test_a_stream_is_passed_on_piece_by_piece(journal: Journal) -> None:
    made: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"x"

    answer = iter(recorded(journal, answering(pieces))(environ(), no_start))
    next(answer)
    assert made == [0]


def test_an_answer_to_head_has_no_body(journal: Journal) -> None:
    run_wsgi_app(recorded(journal, answering(list, ("Content-Length", "340000"))), environ(method="HEAD"))
    entry = only(journal)
    assert (entry.method, entry.status, entry.answer_size, entry.error) == ("HEAD", 200, 0, None)


def test_long_bodies_are_kept_to_the_bound(make_journal: MakeJournal) -> None:
    journal = make_journal(body=10)
    pieces = [b"0123456", b"789abc", b"def"]
    app = recorded(journal, lambda env, start: (read_body(env, seconds=1), answering(lambda: pieces)(env, start))[1])
    run_wsgi_app(app, environ(method="POST", data=b"x" * 50))
    entry = only(journal)
    assert (entry.answer_body, entry.answer_size) == (b"0123456789", 16)
    assert (entry.request_body, entry.request_size) == (b"x" * 10, 50)


@pytest.mark.parametrize("told", [(), (("Content-Length", "3001"),)])
def test_of_a_long_answer_the_beginning_is_kept(make_journal: MakeJournal, told: Sequence[tuple[str, str]]) -> None:
    journal = make_journal(body=3000)
    run_wsgi_app(recorded(journal, answering(lambda: [b"0" * 2000, b"1" * 1001], *told)), environ())
    entry = only(journal)
    assert (entry.answer_body, entry.answer_size) == (b"0" * 2000 + b"1" * 48, 3001)


# --- requests


class Stream(BytesIO):
    """A body that notes what was read of it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads = 0

    def read(self, *size: Any) -> bytes:
        self.reads += 1
        return super().read(*size)


@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        lambda body: body.read(4) + body.read(100),
        lambda body: body.readline() + body.readline(),
        lambda body: b"".join(body.readlines()),
        lambda body: b"".join(body),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_taken_down_as_the_application_reads_it(
    journal: Journal, read: Callable[[Any], bytes], chunked: bool
) -> None:
    got: list[bytes] = []

    def app(env: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        got.append(read(env["wsgi.input"]))
        start_response("200 OK", [])
        return []

    asked = environ(method="POST") | {"wsgi.input": BytesIO(b"one\ntwo"), "CONTENT_LENGTH": "" if chunked else "7"}
    run_wsgi_app(recorded(journal, app), asked | ({"HTTP_TRANSFER_ENCODING": "chunked"} if chunked else {}))
    assert got == [b"one\ntwo"]
    assert (only(journal).request_body, only(journal).request_size) == (b"one\ntwo", 7)


def test_nothing_is_read_that_the_application_does_not_read(journal: Journal) -> None:
    body = Stream(b"unread")
    asked = environ(method="POST") | {"wsgi.input": body, "CONTENT_LENGTH": "6"}
    run_wsgi_app(recorded(journal, answering(lambda: [b"no"])), asked)
    assert body.reads == 0
    assert only(journal).request_size == 0


@pytest.mark.parametrize("keep", [True, False])
def test_a_posted_search_is_told_by_its_body_even_if_bodies_are_not_kept(make_journal: MakeJournal, keep: bool) -> None:
    journal = make_journal(keep=keep, body=0)
    app = recorded(journal, lambda env, start: (read_body(env, seconds=1), answering(lambda: [b"ok"])(env, start))[1])
    data = b"status=free&_include=Slot%3Aservice-type-reference"
    run_wsgi_app(app, environ("/e/fhir/Slot/_search", method="POST", data=data))
    assert journal.writer.flush()
    [counted] = journal.entries.counts()
    assert counted.flow == Flow.INT_R04
    if keep:
        assert (only(journal).request_body, only(journal).request_size) == (b"", len(data))


@pytest.mark.parametrize("path", ["/_admin/journal", "/_console/", "/_health", "/_metrics", "/_static/a.css"])
def test_who_looks_leaves_no_trace(journal: Journal, path: str) -> None:
    run_wsgi_app(recorded(journal, answering(lambda: [b"ok"])), environ(path))
    assert journal.count(EntryFilter()) == 0
    assert list(journal.entries.counts()) == []


def test_the_rule_of_a_fault_is_named(journal: Journal) -> None:
    def app(env: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        env[RULE] = AppliedRule("slow-slots", ("latency",))
        start_response("503 Service Unavailable", [])
        return []

    run_wsgi_app(recorded(journal, app), environ())
    assert (only(journal).rule, only(journal).status) == (AppliedRule("slow-slots", ("latency",)), 503)


# --- what goes wrong


def test_an_application_that_fails_is_taken_down_with_what_the_server_answers(journal: Journal) -> None:
    def app(_: dict[str, Any], __: Any) -> Iterable[bytes]:
        raise KeyError("inside")

    with pytest.raises(KeyError):
        run_wsgi_app(recorded(journal, app), environ())
    entry = only(journal)
    assert (entry.status, entry.error) == (500, FAILED)


def test_a_refusal_that_gets_to_the_server_is_taken_down_with_its_status(journal: Journal) -> None:
    def app(_: dict[str, Any], __: Any) -> Iterable[bytes]:
        raise EditorError(503, [issue(Code.NO_MORE_THREADS, reason="no room")])

    with pytest.raises(EditorError):
        run_wsgi_app(recorded(journal, app), environ())
    assert only(journal).status == 503


def test_an_application_that_fails_in_the_middle_is_taken_down_as_far_as_it_came(journal: Journal) -> None:
    with pytest.raises(KeyError):
        run_wsgi_app(recorded(journal, answering(fails)), environ())
    entry = only(journal)
    assert (entry.status, entry.answer_body) == (200, b"half")
    assert entry.error == FAILED


@pytest.mark.parametrize("headers", [(), (("Content-Length", "11"),)])
@pytest.mark.parametrize("taken", [1, 2])
def test_a_client_that_leaves_is_noted(journal: Journal, taken: int, headers: tuple[tuple[str, str], ...]) -> None:
    pieces = Piecewise(b"hello ", b"world")
    answer: Any = recorded(journal, answering(lambda: pieces, *headers))(environ(), no_start)
    for _ in range(taken):
        next(answer)
    answer.close()  # what the server does when it cannot send
    entry = only(journal)
    assert (entry.status, entry.error) == (200, issue(Code.CLIENT_LEFT))
    assert entry.answer_body == b"hello world"[: 6 if taken == 1 else 11]
    assert pieces.closed


def test_an_answer_that_was_taken_whole_has_no_error(journal: Journal) -> None:
    pieces = Piecewise(b"hello")
    answer: Any = recorded(journal, answering(lambda: pieces))(environ(), no_start)
    assert list(answer) == [b"hello"]
    answer.close()
    assert only(journal).error is None
    assert pieces.closed


def test_a_client_that_leaves_while_the_application_reads_has_no_status(journal: Journal) -> None:
    def app(_: dict[str, Any], __: Any) -> Iterable[bytes]:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_wsgi_app(recorded(journal, app), environ())
    entry = only(journal)
    assert (entry.status, entry.error) == (None, issue(Code.CLIENT_LEFT))


def test_what_the_server_refuses_by_itself_is_taken_down(journal: Journal) -> None:
    recorder = recorded(journal, answering(list))
    recorder.refused("10.0.0.1:4000", "http://lga:80", "", "", 400, b"{}", issue(Code.BODY_CUT))
    no = issue(Code.INTERNAL)
    recorder.refused("10.0.0.1:4000", "http://lga:80", "POST", "/e/fhir/Practitioner?a=b", 501, b"{}", no)
    first, second = journal.find(EntryFilter(limit=10, oldest_first=True))
    assert (first.status, first.method, first.url, first.flow) == (400, "", "", Flow.OTHER)
    assert first.error
    assert first.error == issue(Code.BODY_CUT)
    assert (first.answer_body, first.peer) == (b"{}", "10.0.0.1:4000")
    assert (second.editor, second.flow, second.path) == ("e", Flow.INT_R02, "/e/fhir/Practitioner")

"""What stands between the journal and the simulator, without a server: chains of kinds, and what goes wrong in them."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from mock_editor.base import controls
from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.errors import EditorError
from mock_editor.base.exchanges import ENDED, ENDING, RULE
from mock_editor.base.http import MAX_BODY, read_body
from mock_editor.base.store import Store
from mock_editor.base.waits import Waits
from mock_editor.base.words import english
from mock_editor.faults import store as fault_store
from mock_editor.faults.engine import FaultEngine
from mock_editor.faults.kinds import body as body_kinds
from mock_editor.faults.middleware import FaultMiddleware
from mock_editor.faults.rules import Rule
from mock_editor.faults.wire import ConnectionEndedError
from mock_editor.journal import middleware as journal
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.journal import Journal
from mock_editor.journal.tables import JournalFile
from tests.journal.conftest import limits

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
EDITORS = {"e": SimpleNamespace(zone=ZoneInfo("Europe/Paris"))}
SLOT = "/e/fhir/Slot"


class Front:
    """The middleware before an application that says what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.waits = Waits(3)
        self.store = Store(folder / "state.db", (controls.SCHEMA, fault_store.SCHEMA))
        self.faults = FaultEngine(self.store, lambda: NOW)
        self.front = FaultMiddleware(self.app, self.faults, self.waits, lambda: EDITORS, 1)
        self.calls = 0
        self.environ: dict[str, Any] = {}
        self.fails: Exception | None = None

    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        if self.fails:
            raise self.fails
        said = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode() + read_body(environ, seconds=1)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(said)))])
        return iter([said[:5], said[5:]])

    def put(self, *kinds: dict[str, Any], **conditions: Any) -> None:
        self.faults.put(Rule.model_validate({"name": "r", "do": list(kinds)} | conditions))

    def ask(self, path: str = SLOT, **how: Any) -> tuple[int, bytes, dict[str, str]]:
        def noted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.environ = environ
            return self.front(environ, start_response)

        pieces, status, headers = run_wsgi_app(noted, EnvironBuilder(path=path, **how).get_environ(), buffered=True)
        return int(status[:3]), b"".join(pieces), dict(headers)

    @property
    def rule(self) -> str | None:
        applied: AppliedRule | None = self.environ.get(RULE)
        return applied.english if applied else None


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    one = Front(tmp_path)
    yield one
    assert one.waits.waiting == 0
    one.store.close()


def test_it_leaves_what_it_knows_where_the_journal_looks() -> None:
    assert (RULE, ENDED) == (journal.RULE, journal.ENDED)  # type: ignore[attr-defined]


def test_without_any_rule_the_application_answers_by_itself(front: Front) -> None:
    assert front.ask()[:2] == (200, b"GET /e/fhir/Slot ")
    assert front.rule is None
    front.put({"kind": "status"}, flows=["SOS"])
    assert front.ask()[:2] == (200, b"GET /e/fhir/Slot ")
    assert front.rule is None


@pytest.mark.parametrize(
    "path", ["/_admin/x", "/_health", "/_metrics", "/_console/", "/_static/a", "/", "/x/fhir/Slot"]
)
def test_no_rule_acts_on_what_belongs_to_no_flow(front: Front, path: str) -> None:
    front.put({"kind": "status"})
    assert front.ask(path)[0] == 200


@pytest.mark.parametrize("path", ["/_sas/fhir/Appointment", "/_idp/authorize", "/e/agenda/1", "/e/sso/callback"])
def test_a_rule_acts_on_all_other_surfaces(front: Front, path: str) -> None:
    front.put({"kind": "status"})
    assert front.ask(path)[0] == 500
    assert front.rule == "r: status"


def test_kinds_act_in_their_order_the_first_one_outermost(front: Front) -> None:
    front.put({"kind": "byte-order-mark"}, {"kind": "cut-body", "size": 3})
    assert front.ask()[1] == b"\xef\xbb\xbfGET"
    front.put({"kind": "cut-body", "size": 3}, {"kind": "byte-order-mark"})
    assert front.ask()[1] == b"\xef\xbb\xbf"
    assert front.rule == "r: cut-body, byte-order-mark"
    front.put({"kind": "status", "code": 418}, {"kind": "connection-reset"})
    assert front.ask()[0] == 418
    assert front.calls == 2


def test_the_quota_of_an_editor_is_used_up(front: Front) -> None:
    front.put({"kind": "quota", "per_minute": 2})
    assert [front.ask()[0] for _ in range(4)] == [200, 200, 429, 429]


def test_a_posted_search_is_told_by_its_body_and_can_still_be_read(front: Front) -> None:
    front.put({"kind": "byte-order-mark"}, flows=["INT_R04"])
    form = b"_include=Slot:service-type-reference"
    how: dict[str, Any] = {"method": "POST", "content_type": "application/x-www-form-urlencoded"}
    assert front.ask(f"{SLOT}/_search", data=form, **how)[1] == b"\xef\xbb\xbfPOST /e/fhir/Slot/_search " + form
    assert front.ask(f"{SLOT}/_search", data=b"status=free", **how)[1] == b"POST /e/fhir/Slot/_search status=free"


def test_a_body_that_is_too_large_is_refused_by_the_application(front: Front) -> None:
    front.put({"kind": "latency", "seconds": 0})
    with pytest.raises(EditorError) as refused:
        front.ask("/e/fhir/Practitioner", method="POST", data=b"x" * (MAX_BODY + 1))
    assert (refused.value.status, front.calls) == (413, 1)


def test_an_application_that_fails_still_fails(front: Front) -> None:
    front.put({"kind": "latency", "seconds": 0})
    front.fails = KeyError("inside")
    with pytest.raises(KeyError, match="inside"):
        front.ask()
    assert front.rule == "r: latency"


def test_when_a_kind_fails_the_right_answer_goes_out(
    front: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(body_kinds.EmptyBody, "spoilt", fail)
    front.put({"kind": "empty-body"})
    assert front.ask()[:2] == (200, b"GET /e/fhir/Slot ")
    assert front.rule == "r: empty-body (failed: ZeroDivisionError)"
    assert front.calls == 1
    assert "A fault failed (r: empty-body), the right answer goes out" in caplog.text


@pytest.mark.parametrize(
    ("kind", "reset", "sent", "text"),
    [
        ({"kind": "connection-closed"}, False, b"", "closed before any byte"),
        ({"kind": "connection-reset"}, True, b"", "reset before any byte"),
        ({"kind": "connection-reset", "where": "headers", "share": 0.01}, True, b"H", "reset after 1 of"),
        ({"kind": "connection-reset", "where": "body"}, True, b"", "reset after 8 of 17 bytes of the body"),
        ({"kind": "truncated-body"}, False, b"", "closed after 8 of 17 bytes of the body"),
        ({"kind": "malformed-chunk"}, False, b"not-a-size\r\nthis is no chunk\r\n", "and a chunk that is none"),
    ],
)
def test_without_a_socket_the_end_of_a_connection_is_an_error(
    front: Front, kind: dict[str, Any], reset: bool, sent: bytes, text: str
) -> None:
    front.put(kind)
    with pytest.raises(ConnectionEndedError, match=text) as ended:
        front.ask()
    assert (ended.value.reset, ended.value.sent[:40]) == (reset, sent)
    assert text in english(front.environ[ENDED])


def test_an_answer_that_waits_is_told_apart_when_no_place_is_free(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    front.put({"kind": "latency", "seconds": 60})
    held = [front.waits.hold({}) for _ in range(3)]
    for _ in range(2):
        status, said, headers = front.ask()
        assert (status, headers["Retry-After"]) == (503, "1")
        assert b"3 requests are waiting already" in said
        assert front.rule == "r: latency (refused: no place to wait)"
    assert caplog.text.count("request(s) that a fault should hold were refused") == 1
    for hold in held:
        hold.close()


@pytest.mark.parametrize(("kind", "status"), [({"kind": "hang"}, 503), ({"kind": "slow-body", "seconds": 60}, None)])
def test_a_process_that_stops_ends_what_it_holds(front: Front, kind: dict[str, Any], status: int | None) -> None:
    front.put(kind)
    threading.Timer(0.1, front.waits.stop).start()
    if status:
        assert front.ask()[0] == status
        assert front.rule == "r: hang (ended: the simulator stops)"
    else:
        with pytest.raises(BrokenPipeError):
            front.ask()
        assert english(front.environ[ENDED]) == "the simulator stopped after 0 of 17 bytes of the body"


def test_a_wait_ends_with_its_rule(front: Front) -> None:
    front.put({"kind": "hang"})
    end: Callable[[], None] = front.faults.clear
    threading.Timer(0.1, end).start()
    assert front.ask()[:2] == (200, b"GET /e/fhir/Slot ")


def test_an_answer_to_head_stays_without_a_body(front: Front) -> None:
    for kind in ({"kind": "status"}, {"kind": "truncated-body"}, {"kind": "slow-body", "seconds": 60}):
        front.put(kind)
        assert front.ask(method="HEAD")[1] == b""


def test_when_nothing_can_be_counted_no_rule_acts(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    front.put({"kind": "status"})
    with front.store.writing() as db:
        db.execute("pragma query_only = on")
    assert front.ask()[0] == 200
    assert "No rule acts, because the counts cannot be kept" in caplog.text


class Noting(socket.socket):
    """The server's end of a connection, which notes what the journal has when the connection is about to be reset."""

    def __init__(self, end: socket.socket, look: Callable[[], list[Any]]) -> None:
        super().__init__(end.family, end.type, end.proto, end.detach())
        self.look = look
        self.seen: list[list[Any]] = []

    def setsockopt(self, *option: Any) -> None:
        self.seen.append(self.look())
        super().setsockopt(*option)


@pytest.mark.parametrize("where", ["start", "headers", "body"])
def test_the_journal_has_an_exchange_before_its_connection_is_reset(tmp_path: Path, where: str) -> None:
    front = Front(tmp_path)
    front.put({"kind": "connection-reset", "where": where})
    kept = Journal(JournalFile(tmp_path / "journal.db"), lambda: NOW, limits())
    recorder = journal.JournalMiddleware(front.front, kept.writer, lambda: EDITORS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        end = Noting(listener.accept()[0], lambda: [one.error for one in kept.find(EntryFilter(limit=2))])
    environ = EnvironBuilder(path=SLOT).get_environ() | {"gunicorn.socket": end}
    with client, end, pytest.raises(BrokenPipeError):
        run_wsgi_app(recorder, environ, buffered=True)
    kept.writer.close()
    [[error]] = end.seen
    assert error
    assert english(error).startswith("the connection was reset")
    # And nothing of it is held by itself.
    assert ENDING not in environ

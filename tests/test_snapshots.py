"""Saved states that somebody has made up: nothing of them is taken over, and the answer says what is wrong where."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from mock_editor.base.clock import Clock
from mock_editor.base.store import digest_of
from mock_editor.faults.rules import Rule
from mock_editor.scenario import LoadedScenario
from mock_editor.simulator.simulator import Simulator
from mock_editor.snapshots import CHECKS
from mock_editor.world.tables import tables
from tests.accounts.conftest import BASE, regulator
from tests.admin.conftest import TAKEN
from tests.conftest import NOW, playing

NOT_SAVED = {"keys", "generations", "workers"}
DAY = {"state": "closed"}
Craft = Callable[..., bytes]
SLOW = Rule(name="slow", do=[{"kind": "latency", "seconds": 1}])


@pytest.fixture(scope="module")
def on(played: LoadedScenario, tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    """A world in which something of everything has happened; what is refused leaves it as it is."""
    made = playing(played, Clock(NOW), tmp_path_factory.mktemp("world"))
    assert call(made, "POST", BASE, json=regulator()).status_code == 201
    assert call(made, "POST", "/_admin/appointments", json=TAKEN).status_code == 201
    made.faults.put(SLOW)
    calendar = TAKEN["slot"].rpartition("-")[0]
    for path in (f"days/{NOW.date()}", f"slots/{TAKEN['slot']}"):
        place = "slots" if "slots" in path else f"{calendar}/days"
        last = path.rpartition("/")[2]
        assert call(made, "PUT", f"/_admin/calendars/agenda-ville/{place}/{last}", json=DAY).status_code == 204
    absence = {"owner": calendar.rpartition("-")[0], "first": "2026-12-01", "last": "2026-12-02"}
    assert call(made, "POST", "/_admin/calendars/agenda-ville/absences", json=absence).status_code == 201
    made.world.sessions.open("agenda-ville", None, sas=False)
    return made


@pytest.fixture
def craft(on: Simulator, tmp_path: Path) -> Craft:
    """A saved state of it in which some SQL was done afterwards, sealed as if it had been saved so."""

    def make(*statements: str, definitions: bool = False) -> bytes:
        path = tmp_path / "crafted"
        path.unlink(missing_ok=True)
        on.save(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("pragma ignore_check_constraints = on")
            for statement in statements:
                assert db.execute(statement).rowcount or definitions, statement
            db.execute("update seal set digest = ?", [digest_of(db)])
        return path.read_bytes()

    return make


def call(on: Simulator, method: str, path: str, **content: Any) -> TestResponse:
    return Client(on).open(path, method=method, environ_base={"REMOTE_ADDR": "127.0.0.1"}, **content)


def restore(on: Simulator, content: bytes) -> TestResponse:
    return call(on, "PUT", "/_admin/snapshot", data=content, content_type="application/octet-stream")


def state(on: Simulator) -> list[tuple[object, ...]]:
    tables = CHECKS.keys()
    with on.store.reading() as db:
        return [row for table in tables for row in db.execute(f"select * from {table}").fetchall()]  # noqa: S608 - ours


def test_every_value_that_is_saved_is_checked() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(";\n".join(tables()))
        names = db.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
        found = {name: {row[1] for row in db.execute(f"pragma table_info({name})")} for (name,) in names.fetchall()}
    assert {name: set(checks) for name, checks in CHECKS.items()} == {
        name: columns for name, columns in found.items() if name not in NOT_SAVED
    }


def test_what_was_saved_here_is_taken(on: Simulator, craft: Craft) -> None:
    content = craft()
    before = state(on)
    assert len(before) > 10
    answer = restore(on, content)
    assert answer.status_code == 204, answer.text
    assert state(on) == before


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("update accounts set content = '{}'", "accounts.content"),
        ("update accounts set content = 'no JSON'", "accounts.content"),
        ("update accounts set content = '[' || content || ']'", "accounts.content"),
        ("update accounts set updated = 'yesterday'", "accounts.updated"),
        ("update accounts set active = 7", "accounts.active"),
        ("update accounts set number = 9223372036854775807 where number = 1", "accounts.number"),
        ("update accounts set locked_until = '9999-12-31T23:59:59+00:00'", "accounts.locked_until"),
        ("update account_emails set account = 'nobody'", "account_emails"),
        ("update appointments set status = 'lost'", "appointments.status"),
        ("update appointments set start = '2026-11-20T08:15:00'", "appointments.start"),
        ("update appointments set start = '2026-11-20T08:15:00+01:00'", "appointments.start"),
        ("update appointments set regulator = 'x'", "appointments.regulator"),
        ("update appointments set patient = hex(zeroblob(20000))", "appointments.patient"),
        ("update notifications set state = 'elsewhere'", "notifications.state"),
        ("update notifications set body = 'null'", "notifications.body"),
        ("update notifications set due = '2026'", "notifications.due"),
        ("update notifications set rule = '{}'", "notifications.rule"),
        ("update notifications set draws = '[1]'", "notifications.draws"),
        ("insert into notification_attempts values (1, 77, '2026-11-20T07:15:00+00:00', 'PUT', 200, 1.0, '', '')",
         "notification_attempts"),
        ("update fault_rules set rule = '{}'", "fault_rules.rule"),
        ("update slot_overrides set open = 2", "slot_overrides.open"),
        ("update day_overrides set day = '2026-02-30'", "day_overrides.day"),
        ("update absences set first = '20261201'", "absences.first"),
        ("update sessions set expires = ''", "sessions.expires"),
        ("update controls set value = '{' where name = 'clock'", "controls.value"),
        ("""update controls set value = '["2026-11-20T07:15:00+00:00", "2026-11-20T07:15:00+00:00", 1e9]'
         where name = 'clock'""", "controls.value of 'clock'"),
        ("update controls set value = '{}' where name = 'script'", "controls.value of 'script'"),
        ("""update controls set value = json_set(value, '$.text', 5) where name = 'script'""",
         "controls.value of 'script'"),
        ("insert into received_deliveries values (1, 'x', 1, '2026-11-20T07:15:00+00:00', 'PUT', '{}')",
         "received_deliveries.content"),
        ("insert into platform_sessions values ('k', 'p', '{\"key\": 1}', '2026-11-20T07:15:00+00:00', null)",
         "platform_sessions.content"),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_named_and_changes_nothing(
    on: Simulator, craft: Craft, statement: str, place: str
) -> None:
    content = craft(statement)
    before = state(on)
    answer = restore(on, content)
    assert answer.status_code == 422, answer.text
    assert place in answer.text
    assert state(on) == before
    # And goes on.
    assert call(on, "GET", "/_admin/appointments").status_code == 200


@pytest.mark.parametrize(
    "statements",
    [
        ["create view more as select 1"],
        ["drop table slot_overrides", "create table slot_overrides (editor text)"],
        ["drop index appointments_hold"],
        ["create trigger t after insert on controls begin delete from controls; end"],
    ],
)
def test_other_tables_are_refused(on: Simulator, craft: Craft, statements: list[str]) -> None:
    content = craft(*statements, definitions=True)
    before = state(on)
    answer = restore(on, content)
    assert answer.status_code == 422
    assert "has other tables" in answer.text
    assert state(on) == before


def test_whether_a_file_exists_is_not_told(on: Simulator, craft: Craft, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("anything", encoding="utf-8")
    said = []
    for name in ("there", "not there"):
        changes = f"'$.source', '{tmp_path / name}', '$.file', json('true')"
        content = craft(f"update controls set value = json_set(value, {changes}) where name = 'script'")  # noqa: S608
        answers = [restore(on, content), call(on, "POST", "/_admin/scenario/reload", json={})]
        said.append([(one.status_code, one.text.replace(str(tmp_path / name), "FILE")) for one in answers])
    assert said[0] == said[1]
    assert [status for status, _ in said[0]] == [204, 409]


def test_a_scenario_that_is_a_file_here_stays_one(on: Simulator, craft: Craft, played: LoadedScenario) -> None:
    on.load(played.script, keep_state=True)
    assert restore(on, craft()).status_code == 204
    assert call(on, "POST", "/_admin/scenario/reload", json={}).status_code == 200
    # The rules are the scenario's now; the other tests count on this one.
    on.faults.put(SLOW)

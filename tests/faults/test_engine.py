"""Which rule acts on which exchange, what is counted, and how rules and timelines come and go."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mock_editor.base import controls
from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.errors import EditorError
from mock_editor.base.flows import Flow
from mock_editor.base.store import Store
from mock_editor.base.waits import Ended, Waits
from mock_editor.faults import store as fault_store
from mock_editor.faults import waiting as waiting_module
from mock_editor.faults.engine import FaultEngine, Match, UnknownRuleError
from mock_editor.faults.rules import MOST_RULES, Rule, Timeline
from mock_editor.faults.store import MOST_DIFFERENT
from mock_editor.faults.waiting import WaitEndedError
from tests.timing import LONG, SOON
from tests.wire.conftest import eventually

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)  # 08:00 in Paris
PARIS = ZoneInfo("Europe/Paris")
SLOT = "/e/fhir/Slot?schedule.actor:Practitioner.identifier=urn:oid:1.2.250.1.71.4.2.1%7C810002673899,x%7C810100050075"


def rule(name: str = "r", *, kind: dict[str, Any] | None = None, **conditions: Any) -> Rule:
    return Rule.model_validate({"name": name, "do": [kind or {"kind": "status"}]} | conditions)


class Process:
    """The rules as one process has them, and exchanges with it; ``now`` can be set."""

    def __init__(self, folder: Path, seed: str = "seed") -> None:
        self.now = NOW
        self.store = Store(folder / "state.db", (controls.SCHEMA, fault_store.SCHEMA))
        self.faults = FaultEngine(self.store, lambda: self.now)
        self.faults.play((), (), seed)
        self.faults.follow()

    def match(
        self,
        *,
        direction: str = "in",
        editor: str | None = "e",
        flow: Flow = Flow.INT_R01,
        method: str = "GET",
        url: str = SLOT,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        zone: ZoneInfo = PARIS,
    ) -> Match | None:
        return self.faults.match(
            direction=direction, editor=editor, flow=flow, method=method, url=url,
            header=(headers or {}).get, body=lambda: body, zone=zone,
        )  # fmt: skip

    def acting(self, times: int = 1, **asked: Any) -> str:
        """A letter for each of so many exchanges: the first one of the rule's name, or a dot."""
        found = [self.match(**asked) for _ in range(times)]
        return "".join(one.rule.name[0] if one else "." for one in found)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process(tmp_path)
    yield one
    one.store.close()


@pytest.fixture
def other(tmp_path: Path, process: Process) -> Iterator[Process]:
    """Another process on the same store."""
    one = Process(tmp_path)
    assert process.store is not one.store
    yield one
    one.store.close()


# --- filters

MATCHES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({"on": False}, {}, False),
    ({"flows": ["INT_R01", "SOS"]}, {}, True),
    ({"flows": ["INT_R04"]}, {}, False),
    ({"flows": ["web"]}, {"flow": Flow.WEB}, True),
    ({}, {"flow": Flow.OTHER}, False),
    ({}, {"flow": Flow.SAS, "editor": None}, True),
    ({"editors": ["e", "f"]}, {}, True),
    ({"editors": ["f"]}, {}, False),
    ({"editors": ["e"]}, {"flow": Flow.IDP, "editor": None}, False),
    ({"methods": ["post", "get"]}, {}, True),
    ({"methods": ["POST"]}, {}, False),
    ({"identifiers": ["810002673899"]}, {}, True),
    ({"identifiers": ["899", "810100050075"]}, {}, True),
    ({"identifiers": ["899", "810002673899"]}, {"url": SLOT.replace("%7C", "|")}, True),
    ({"identifiers": ["@"]}, {"url": "/e/agenda/1?mail=a%40b"}, False),
    ({"identifiers": ["81000267389"]}, {}, False),
    ({"identifiers": ["10002673899"]}, {}, False),
    ({"identifiers": ["345/112"]}, {"method": "POST", "body": b'{"value": "345/112"}'}, True),
    ({"identifiers": ["345/112"]}, {"url": "/e/fhir/Practitioner?identifier=a%7C345%2F112"}, True),
    ({"identifiers": ["345/112"]}, {"method": "POST", "body": b"identifier=a%7C345%2F112&x=y"}, True),
    ({"identifiers": ["345/112"]}, {"method": "POST", "body": b'{"value": "345/1123"}'}, False),
    ({"headers": {"X-One": "a"}}, {"headers": {"X-One": "a"}}, True),
    ({"headers": {"X-One": "a"}}, {"headers": {"X-One": "ab"}}, False),
    ({"headers": {"X-One": "a*"}}, {"headers": {"X-One": "ab"}}, True),
    ({"headers": {"X-One": "*"}}, {}, False),
    ({"headers": {"X-One": "a.c"}}, {"headers": {"X-One": "abc"}}, False),
    ({"headers": {"X-One": "a", "X-Two": "b"}}, {"headers": {"X-One": "a"}}, False),
    ({"since": "2026-11-20T08:00:00+01:00"}, {}, True),
    ({"since": "2026-11-20T08:00:01+01:00"}, {}, False),
    ({"until": "2026-11-20T08:00:00+01:00"}, {}, False),
    ({"until": "2026-11-20T08:00:01+01:00"}, {}, True),
    ({"hours": "08:00-09:00"}, {}, True),
    ({"hours": "07:00-08:00"}, {}, False),
    ({"hours": "22:00-08:01"}, {}, True),
    ({"hours": "22:00-08:00"}, {}, False),
    ({"hours": "03:00-03:30"}, {"zone": ZoneInfo("America/Martinique")}, True),
    # What an editor sends, and what it receives, are two things.
    ({}, {"flow": Flow.INT_R03}, False),
    ({}, {"flow": Flow.INT_R03, "direction": "out"}, True),
    ({}, {"direction": "out"}, False),
    ({"flows": ["sas"]}, {"flow": Flow.INT_R03, "direction": "out"}, False),
    # Nothing of what it does concerns a search.
    ({"do": [{"kind": "appointment-status-missing"}]}, {}, False),
    ({"do": [{"kind": "appointment-status-missing"}]}, {"flow": Flow.INT_R03, "direction": "out"}, True),
]


@pytest.mark.parametrize(("conditions", "asked", "expected"), MATCHES)
def test_a_rule_acts_where_all_that_it_says_holds(
    process: Process, conditions: dict[str, Any], asked: dict[str, Any], expected: bool
) -> None:
    process.faults.put(rule(**conditions))
    assert (process.match(**asked) is not None) is expected
    assert process.faults.uses() == {"r": (int(expected), int(expected))}


@pytest.mark.parametrize(
    ("conditions", "acted"),
    [
        ({}, "rrrrrrrrrr"),
        ({"every": 3}, "..r..r..r."),
        ({"first": 2}, "rr........"),
        ({"uses": 3}, "rrr......."),
        ({"every": 2, "uses": 2}, ".r.r......"),
        ({"every": 2, "first": 5}, ".r.r......"),
    ],
)
def test_counts_say_which_of_the_exchanges_that_match_it_acts_on(
    process: Process, conditions: dict[str, Any], acted: str
) -> None:
    process.faults.put(rule(**conditions))
    assert process.acting(flow=Flow.SOS, times=1) == acted[0]
    assert process.acting(9) == acted[1:]
    assert process.faults.uses() == {"r": (10, acted.count("r"))}


def test_counts_are_those_of_all_workers(process: Process, other: Process) -> None:
    process.faults.put(rule(first=3))
    other.faults.follow()
    assert [one.acting() for one in (process, other, process, other, process)] == ["r", "r", "r", ".", "."]
    assert other.faults.uses() == {"r": (5, 3)}


def test_the_highest_priority_comes_first_and_among_equals_the_older_rule(process: Process) -> None:
    for name, priority in {"b": 0, "a": 0, "c": 5, "d": -1}.items():
        process.faults.put(rule(name, priority=priority, uses=1))
    assert [one.name for one in process.faults.in_force()] == ["c", "b", "a", "d"]
    assert process.acting(6) == "cbad.."
    assert process.faults.uses() == {"c": (6, 1), "b": (5, 1), "a": (4, 1), "d": (3, 1)}


def test_only_the_kinds_that_concern_the_flow_act_and_are_named(process: Process) -> None:
    kinds = [{"kind": "status"}, {"kind": "appointment-status-missing"}, {"kind": "latency", "seconds": 1}]
    process.faults.put(Rule.model_validate({"name": "several", "do": kinds}))
    search, sent = process.match(), process.match(flow=Flow.INT_R03, direction="out")
    assert search
    assert sent
    assert search.applied == AppliedRule("several", ("status", "latency"))
    assert sent.applied == AppliedRule("several", ("status", "appointment-status-missing", "latency"))


def test_the_body_is_asked_for_only_when_a_rule_is_about_the_exchange(process: Process) -> None:
    asked: list[int] = []

    def asked_for() -> bytes:
        asked.append(1)
        return b""

    process.faults.put(rule(flows=["SOS"]))
    process.faults.match(
        direction="in", editor="e", flow=Flow.INT_R02, method="POST", url="/e/fhir/Practitioner",
        header=lambda _: None, body=asked_for, zone=PARIS,
    )  # fmt: skip
    assert not asked


# --- draws


def drawn(process: Process, requests: list[str]) -> dict[tuple[str, int], tuple[str, float] | None]:
    """By request and how manieth: what acted, and what it drew next."""
    seen: Counter[str] = Counter()
    found: dict[tuple[str, int], tuple[str, float] | None] = {}
    for url in requests:
        acting = process.match(url=url)
        seen[url] += 1
        found[url, seen[url]] = (acting.rule.name, acting.draw.random()) if acting else None
    return found


def test_the_same_requests_get_the_same_faults_in_any_order(tmp_path: Path) -> None:
    requests = [f"/e/fhir/Slot?n={number % 60}" for number in range(180)]
    results = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        one = Process(folder)
        for name in "abc":
            one.faults.put(rule(name, share=0.3))
        results.append(drawn(one, requests))
        random.Random(number).shuffle(requests)
        one.store.close()
    assert results[0] == results[1] == results[2]
    assert {acted[0] if acted else None for acted in results[0].values()} == {"a", "b", "c", None}
    # Repeated, a request draws anew.
    assert len({acted[1] for acted in results[0].values() if acted}) == sum(map(bool, results[0].values()))


def test_two_workers_draw_as_one(process: Process, other: Process, tmp_path: Path) -> None:
    process.faults.put(rule(share=0.5))
    other.faults.follow()
    requests = [f"/e/fhir/Slot?n={number % 30}" for number in range(90)]
    apart = [(process, other)[number % 2].acting(url=url) for number, url in enumerate(requests)]
    (tmp_path / "alone").mkdir()
    alone = Process(tmp_path / "alone")
    alone.faults.put(rule(share=0.5))
    assert [alone.acting(url=url) for url in requests] == apart
    alone.store.close()


@pytest.mark.parametrize("changed", [{"url": "/e/fhir/Slot?n=1"}, {"method": "POST"}, {"editor": "f"}, {"body": b"x"}])
def test_another_request_draws_something_else(process: Process, changed: dict[str, Any]) -> None:
    process.faults.put(rule())
    first, second = process.match(), process.match(**changed)
    assert first
    assert second
    assert first.draw.random() != second.draw.random()


def test_another_seed_draws_something_else(tmp_path: Path) -> None:
    found = []
    for seed in ("one", "two"):
        (tmp_path / seed).mkdir()
        one = Process(tmp_path / seed, seed)
        one.faults.put(rule(share=0.5))
        found.append("".join(one.acting(url=f"/e/fhir/Slot?n={number}") for number in range(40)))
        one.store.close()
    assert found[0] != found[1]


def test_about_the_share_that_is_asked_for_is_acted_on(process: Process) -> None:
    process.faults.put(rule(share=0.2))
    assert 60 < sum(process.match(url=f"/e/fhir/Slot?n={n}") is not None for n in range(500)) < 140


def test_requests_are_remembered_up_to_a_bound(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_DIFFERENT >= 10_000
    monkeypatch.setattr(fault_store, "MOST_DIFFERENT", 5)
    process.faults.put(rule())
    for number in range(23):
        process.match(url=f"/e/fhir/Slot?n={number}")
    with process.store.reading() as db:
        [(kept,)] = db.execute("select count(*) from fault_requests").fetchall()
    assert kept == 3
    assert process.faults.uses() == {"r": (23, 23)}


# --- changes


def test_a_rule_is_added_once_and_then_replaced_where_it_is(process: Process) -> None:
    assert process.faults.put(rule("a"))
    assert process.faults.put(rule("b"))
    assert process.acting(3) == "aaa"
    assert not process.faults.put(rule("a", methods=["POST"]))
    assert [one.name for one in process.faults.rules()] == ["a", "b"]
    assert process.faults.get("a").methods == ["POST"]
    assert process.faults.uses() == {"a": (0, 0), "b": (0, 0)}


def test_every_kind_of_rule_is_kept_as_it_was_set(process: Process) -> None:
    one = Rule.model_validate(
        {
            "name": "all", "priority": 3, "flows": ["INT_R01"], "editors": ["e"], "identifiers": ["1"],
            "methods": ["GET"], "headers": {"A": "*"}, "since": "2026-01-01T00:00:00+01:00",
            "until": "2027-01-01T00:00:00+01:00", "hours": "08:00-09:00", "every": 2, "first": 4, "share": 0.5,
            "uses": 1, "do": [{"kind": "latency-percentiles", "seconds_at": {"50": 1, "99.5": 2}}],
        }
    )  # fmt: skip
    process.faults.put(one)
    assert process.faults.get("all") == one


def test_a_rule_that_is_switched_off_does_not_act_and_goes_on_counting_later(process: Process) -> None:
    process.faults.put(rule(first=3))
    assert process.acting(2) == "rr"
    assert not process.faults.switch("r", on=False).on
    assert process.acting(2) == ".."
    assert process.faults.in_force() == []
    process.faults.switch("r", on=True)
    assert process.acting(2) == "r."


def test_an_unknown_rule_is_told_by_name(process: Process) -> None:
    for do in (process.faults.get, process.faults.remove, lambda name: process.faults.switch(name, on=True)):
        with pytest.raises(UnknownRuleError, match="'nobody'") as refused:
            do("nobody")
        assert refused.value.status == 404


def test_there_may_only_be_so_many_rules(process: Process) -> None:
    with process.store.writing() as db:
        process.faults.reset(db, [rule(f"r-{number}") for number in range(MOST_RULES)])
    with pytest.raises(EditorError, match="200 fault rules already") as refused:
        process.faults.put(rule("one-more"))
    assert refused.value.status == 422
    assert not process.faults.put(rule("r-7"))


def test_other_processes_follow(process: Process, other: Process) -> None:
    process.faults.put(rule())
    assert other.acting() == "."
    other.faults.follow()
    assert other.acting() == "r"
    other.faults.remove("r")
    # This one does not know yet, but finds out before it counts.
    assert process.acting() == "."
    assert process.faults.idle


def test_reset_goes_back_to_the_rules_of_the_scenario(process: Process) -> None:
    process.faults.play([rule("s", uses=1), rule("t", on=False)], [], "seed")
    process.faults.put(rule("x"))
    for _ in range(2):
        with process.store.writing() as db:
            process.faults.reset(db)
        process.faults.follow()
        assert [one.name for one in process.faults.rules()] == ["s", "t"]
        assert process.faults.running() is None
        assert process.acting(2) == "s."
        process.faults.start(Timeline(name="t", steps=[{"at": 0, "clear": True}]))
        process.faults.remove("t")
    process.faults.clear()
    assert (process.faults.rules(), process.faults.idle) == ([], True)
    assert process.faults.uses() == {}


def test_what_has_gone_leaves_no_counts(process: Process) -> None:
    process.faults.put(rule("a"))
    process.faults.put(rule("b"))
    process.faults.start(Timeline(name="t", steps=[{"at": 0, "add": [rule("c", priority=1)]}]))
    found = process.match()
    assert found
    assert found.tally("e", 60) == 1
    process.faults.stop()
    process.acting()
    process.faults.remove("a")
    with process.store.reading() as db:
        for table in ("fault_counts", "fault_requests", "fault_tallies"):
            [(count,)] = db.execute(f"select count(*) from {table}").fetchall()  # noqa: S608 - names of ours
            assert count == 0, table


def test_a_rule_of_another_version_is_left_out(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.faults.put(rule("old"))
    process.faults.put(rule("new"))
    with process.store.writing() as db:
        db.execute("""update fault_rules set rule = '{"name": "old", "do": [{"kind": "gone"}]}' where name = 'old'""")
        controls.put(db, "faults", "changed")
    assert [one.name for one in process.faults.rules()] == ["new"]
    assert "rule old is left out" in caplog.text


# --- tallies


def test_a_tally_counts_over_all_workers_by_editor_and_period(process: Process, other: Process) -> None:
    process.faults.put(rule())
    one = process.match()
    other.faults.follow()
    two = other.match()
    assert one
    assert two
    assert [one.tally("e", 60), two.tally("e", 60), two.tally("f", 60), one.tally("e", 60)] == [1, 2, 1, 3]
    process.now += timedelta(seconds=59)
    assert one.tally("e", 60) == 4
    process.now += timedelta(seconds=1)
    assert one.tally("e", 60) == 1


# --- timelines

STEPS: list[dict[str, Any]] = [
    {"at": 10, "add": [rule("a", priority=9)]},
    {"at": 20, "remove": ["base"], "add": [rule("b", uses=1)]},
    {"at": 30, "clear": True},
    {"at": 40, "add": [rule("a", every=2)]},
]
TIMELINE = Timeline.model_validate({"name": "story", "steps": STEPS})


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        (-1, ["base"]), (0, ["base"]), (9.9, ["base"]), (10, ["a", "base"]), (20, ["a", "b"]), (29, ["a", "b"]),
        (30, []), (39, []), (40, ["a"]), (9_999_999, ["a"]),
    ],
)  # fmt: skip
def test_a_timeline_says_which_rules_there_are_when(process: Process, passed: float, expected: list[str]) -> None:
    process.faults.put(rule("base"))
    process.faults.start(TIMELINE)
    process.now += timedelta(seconds=passed)
    assert [one.name for one in process.faults.in_force()] == expected
    assert [one.name for one in process.faults.rules()] == ["base"]
    assert process.faults.running() == (TIMELINE, NOW)
    process.faults.stop()
    assert [one.name for one in process.faults.in_force()] == ["base"]
    assert process.faults.running() is None


def test_rules_of_a_timeline_count_from_their_step_on(process: Process) -> None:
    process.faults.start(TIMELINE)
    process.now += timedelta(seconds=20)
    process.faults.put(rule("c", priority=-1))
    assert process.acting(3) == "aaa"
    assert process.faults.uses() == {"a": (3, 3), "b": (0, 0), "c": (0, 0)}
    process.now += timedelta(seconds=20)
    assert process.acting(4) == ".a.a"
    process.faults.start(TIMELINE)
    assert process.acting() == "c"
    process.now += timedelta(seconds=10)
    assert process.faults.uses() == {"a": (0, 0), "c": (1, 1)}


def test_every_process_runs_the_timeline_without_any_signal(process: Process, other: Process) -> None:
    process.faults.start(TIMELINE)
    other.faults.follow()
    for passed, acting in ((5, "."), (12, "a"), (31, "."), (-5, ".")):
        other.now = process.now = NOW + timedelta(seconds=passed)
        assert (process.acting(), other.acting()) == (acting, acting)


def test_the_timelines_of_the_scenario_are_those_that_are_known(process: Process) -> None:
    process.faults.play([], [TIMELINE], "seed")
    assert process.faults.timelines() == [TIMELINE]


# --- waits


class Waiting:
    """An exchange that a rule holds, in a thread of its own."""

    def __init__(self, process: Process) -> None:
        self.waits = Waits(1)
        self.hold = self.waits.hold({})
        acting = process.match()
        assert acting
        self.acting = acting
        self.ended: object = None
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()
        assert eventually(lambda: process.faults._waits._waiting)

    def _wait(self) -> None:
        try:
            self.acting.wait(self.hold, LONG)
            self.ended = "over"
        except WaitEndedError as ended:
            self.ended = ended.why

    def end(self) -> object:
        self._thread.join(SOON)
        return self.ended


Change = Callable[[Process], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.faults.clear(),
        lambda one: one.faults.remove("r"),
        lambda one: one.faults.switch("r", on=False),
        lambda one: one.faults.put(rule(kind={"kind": "hang"})),
        lambda one: one.faults.start(Timeline.model_validate({"name": "t", "steps": [{"at": 0, "clear": True}]})),
    ],
)
def test_a_wait_ends_when_its_rule_goes(process: Process, other: Process, change: Change) -> None:
    process.faults.put(rule())
    waiting = Waiting(process)
    other.faults.follow()
    change(other)
    process.faults.follow()
    assert waiting.end() == "over"
    assert not waiting.acting.in_force()
    assert not process.faults._waits._waiting


@pytest.mark.parametrize("change", [lambda one: one.faults.put(rule("another")), lambda one: one.faults.follow()])
def test_a_wait_goes_on_when_another_rule_changes(process: Process, change: Change) -> None:
    process.faults.put(rule())
    waiting = Waiting(process)
    change(process)
    waiting.hold.wake()
    assert waiting.acting.in_force()
    assert waiting.ended is None
    process.faults.clear()
    assert waiting.end() == "over"


def test_a_step_of_a_timeline_ends_waits_by_itself(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "_LOOK", 0.05)
    process.faults.start(TIMELINE)
    process.now += timedelta(seconds=20)
    waiting = Waiting(process)
    process.now += timedelta(seconds=10)
    assert waiting.end() == "over"


@pytest.mark.parametrize(
    ("end", "why"),
    [(lambda one: one.hold.end(Ended.GONE), Ended.GONE), (lambda one: one.waits.stop(), Ended.STOPPING)],
)
def test_a_wait_tells_that_the_client_left_or_the_process_stops(
    process: Process, end: Callable[[Waiting], object], why: Ended
) -> None:
    process.faults.put(rule())
    waiting = Waiting(process)
    end(waiting)
    assert waiting.end() is why


def test_a_wait_takes_its_time(process: Process) -> None:
    process.faults.put(rule())
    acting = process.match()
    assert acting
    begin = time.monotonic()
    with Waits(1).hold({}) as hold:
        acting.wait(hold, 0.15)
    assert time.monotonic() - begin > 0.14

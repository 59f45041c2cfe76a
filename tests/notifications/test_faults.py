"""Fault rules that act on notifications: what the SAS gets, in which order, how often, and what the editor believes."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import trustme

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.clock import Clock, frozen
from mock_editor.base.in_process import InProcessAdapter
from mock_editor.base.words import english, french_detail
from mock_editor.bench.receiver.received import Inbox
from mock_editor.calendars.model import Appointment, AppointmentStatus, Editor
from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Proceed, Request, Response
from mock_editor.faults.rules import Rule
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.model import Entry
from mock_editor.notifications.model import NotificationFilter, NotificationSummary, RuleDraws
from mock_editor.notifications.rule_effects import ActingRule, OutgoingRequest, effect_of
from mock_editor.notifications.sender import Sender
from mock_editor.notifications.target import Target
from mock_editor.scenario import LoadedScenario
from tests.conftest import NOW, PUBLIC_URL, playing
from tests.notifications.conftest import Ended, Sas, Side
from tests.wire.conftest import eventually

Make = Callable[..., Side]

CANCELLED, FULFILLED, NOSHOW = AppointmentStatus.CANCELLED, AppointmentStatus.FULFILLED, AppointmentStatus.NOSHOW
HOUR = timedelta(hours=1)
LONG = 3600


def rule(*do: dict[str, Any] | str, name: str = "r", **says: Any) -> Rule:
    """A rule with these kinds, which are named if they have no parameters."""
    kinds = [{"kind": one} if isinstance(one, str) else one for one in do]
    return Rule.model_validate({"name": name, "flows": ["INT_R03"], "do": kinds, **says})


def kind(name: str, **parameters: Any) -> dict[str, Any]:
    return {"kind": name, **parameters}


def got(sas: Sas, of: Appointment | None = None) -> list[tuple[str, str]]:
    """What the SAS received whole, of an appointment if it is named: methods and states."""
    every = [(one.method, one.body) for one in sas.received]
    return [(method, body["status"]) for method, body in every if of is None or body["identifier"][0]["value"] == of.id]


def tried(one: Side, of: Appointment, number: int = 0) -> list[tuple[str, int | None]]:
    """Methods and statuses of the attempts of a notification."""
    return [(attempt.method, attempt.status) for _, attempt in one.told(of)[number].attempts]


def states(one: Side, of: Appointment) -> list[str]:
    return [str(told.state) for told in one.told(of)]


def later(one: Side, by: timedelta = HOUR) -> None:
    one.clock.follow(one.clock.advanced(by))


def every(one: Side) -> Sequence[NotificationSummary]:
    return one.notifications.listing(NotificationFilter()).items


def held(one: Side) -> bool:
    return eventually(one.outbox.holds.rules)


def free(one: Side) -> bool:
    return eventually(lambda: not one.outbox.holds.rules())


def first_ended(sas: Sas) -> Ended:
    """What was left on the first connection when the editor ended it."""
    assert eventually(lambda: any(each.connection == 1 for each in sas.ended))
    return next(each for each in sas.ended if each.connection == 1)


def entries(one: Side) -> list[Entry]:
    assert one.journal.writer.flush()
    return one.journal.entries.find(EntryFilter(direction="out", limit=100, oldest_first=True))


@pytest.fixture
def both(played: LoadedScenario) -> Editor:
    """A second editor."""
    return next(one for one in played.editors if one.slug == "agenda-cpts")


# --- delay


def test_a_delayed_notification_is_sent_once_when_its_time_has_come(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-delay", seconds=LONG)))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert held(one)
    later(one, HOUR / 2)
    assert not eventually(lambda: sas.received, 0.6)
    assert (states(one, made), tried(one, made)) == (["waiting", "waiting"], [])
    later(one, HOUR / 2)
    # The following one has its own delay, which begins when it could be sent.
    assert eventually(lambda: one.told(made)[1].due > one.clock.now() + HOUR / 2)
    assert got(sas) == [("POST", "booked")]
    assert (states(one, made), tried(one, made)) == (["accepted", "waiting"], [("POST", 201)])
    later(one)
    assert one.settled(2)
    assert got(sas) == [("POST", "booked"), ("PUT", "cancelled")]


def test_what_failed_after_its_delay_is_tried_again_as_usual(side: Make, sas: Sas) -> None:
    sas.script = ["503"]
    one = side()
    one.faults.put(rule(kind("notification-delay", seconds=LONG)))
    made = one.book()
    one.send()
    assert held(one)
    later(one)
    assert one.settled(1)
    assert tried(one, made) == [("POST", 503), ("PUT", 201)]


def test_drawn_delays_repeat(tmp_path: Path, editor: Editor, sas: Sas) -> None:
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        one = Side(tmp_path / name, editor, Target(sas.url))
        one.clock.follow(frozen(NOW))
        one.faults.put(rule(kind("notification-delay", seconds=10, most=1000)))
        for hour in range(5):
            one.book(hour)
        one.send()
        assert eventually(partial(all_wait, one))
        runs.append([(told.due - NOW).total_seconds() for told in every(one)])
        one.stop()
    assert runs[0] == runs[1]
    assert all(10 <= seconds <= 1000 for seconds in runs[0])
    assert len({round(seconds) for seconds in runs[0]}) > 3


@pytest.mark.parametrize(
    "what", [kind("notification-delay", seconds=LONG), kind("notification-reorder", seconds=LONG), "hang"]
)
def test_what_a_rule_holds_back_goes_with_it(side: Make, sas: Sas, what: dict[str, Any] | str) -> None:
    one = side()
    one.faults.put(rule(what, "appointment-status-missing"))
    made = one.book()
    one.send()
    assert held(one)
    assert sas.received == []
    one.faults.remove("r")
    assert one.settled(1)
    # As it should be: the whole rule has gone.
    assert got(sas) == [("POST", "booked")]
    assert tried(one, made) == [("POST", 201)]


def test_a_rule_that_is_switched_off_lets_go_too(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-delay", seconds=LONG)))
    one.book()
    one.send()
    assert held(one)
    one.faults.switch("r", on=False)
    assert one.settled(1)
    assert got(sas) == [("POST", "booked")]


# --- drop


def test_a_dropped_notification_passes_for_accepted(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule("notification-drop", first=1))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert one.settled(2)
    assert got(sas) == [("PUT", "cancelled")]
    assert states(one, made) == ["accepted", "accepted"]
    [(_, attempt)] = one.told(made)[0].attempts
    assert attempt[:2] == ("POST", None)
    assert english(attempt.result) == "Dropped: by the rule r: notification-drop"
    assert french_detail(attempt.result) == "perdue par la règle r: notification-drop"
    assert one.outbox.replay() == 0
    lost, sent = entries(one)
    assert lost.error == attempt.result
    assert (lost.status, str(lost.rule)) == (None, "r: notification-drop")
    assert (lost.method, lost.editor) == ("POST", "agenda-ville")
    assert (sent.status, sent.rule) == (201, None)


def test_what_was_dropped_and_given_up_can_be_sent_again(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-drop", pretend="given-up")))
    made = one.book()
    one.send()
    assert one.settled(1)
    assert states(one, made) == ["given up"]
    assert sas.received == []
    one.faults.clear()
    assert one.outbox.replay() == 1
    assert eventually(lambda: states(one, made) == ["accepted"])
    assert got(sas) == [("POST", "booked")]


def test_the_same_ones_are_dropped_again(tmp_path: Path, editor: Editor, sas: Sas) -> None:
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        one = Side(tmp_path / name, editor, Target(sas.url))
        one.faults.put(rule("notification-drop", share=0.5))
        made = [one.book(hour) for hour in range(30)]
        one.send()
        assert one.settled(30)
        runs.append([tried(one, each) == [("POST", None)] for each in made])
        one.stop()
    assert runs[0] == runs[1]
    assert 5 < sum(runs[0]) < 25


# --- duplicate


def test_a_notification_is_sent_again_though_it_was_accepted(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-duplicate", times=2), methods=["POST"]))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert one.settled(2)
    assert got(sas) == [("POST", "booked")] * 3 + [("PUT", "cancelled")]
    assert len({one.raw for one in sas.received[:3]}) == 1
    assert states(one, made) == ["accepted", "accepted"]
    # The SAS says what it thinks of it, nobody listens.
    assert tried(one, made) == [("POST", 201), ("POST", 422), ("POST", 422)]
    assert [entry.rule and entry.rule.english for entry in entries(one)] == ["r: notification-duplicate"] * 3 + [None]


def test_duplicates_come_apart_and_hold_up_what_follows(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-duplicate", times=2, seconds=LONG), methods=["POST"]))
    made = one.book()
    one.change(made, status=CANCELLED)
    other = one.book(1, created=NOW)
    one.send()
    assert eventually(lambda: states(one, made) == ["accepted", "waiting"])
    assert eventually(lambda: states(one, other) == ["accepted"])
    later(one)
    assert eventually(lambda: len(got(sas, made)) == 2)
    # Noted, too: the next one is due so long after that.
    assert eventually(lambda: len(tried(one, made)) == 2)
    assert states(one, made) == ["accepted", "waiting"]
    later(one)
    assert one.settled(3)
    assert got(sas, made) == [("POST", "booked")] * 3 + [("PUT", "cancelled")]
    assert free(one)


def test_without_its_rule_nothing_is_sent_again(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-duplicate", seconds=LONG)))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert eventually(lambda: states(one, made) == ["accepted", "waiting"])
    one.faults.remove("r")
    assert one.settled(2)
    later(one)
    assert free(one)
    assert got(sas) == [("POST", "booked"), ("PUT", "cancelled")]


def test_a_duplicate_is_as_wrong_as_the_first_one(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule("notification-duplicate", "xml-body"))
    sas.script = ["201", "201"]
    one.book()
    one.send()
    assert eventually(lambda: len(sas.received) == 2)
    assert free(one)
    first, again = sas.received
    assert first.raw == again.raw
    assert first.raw.lstrip().startswith(b"<")
    assert "xml" in first.content_type
    assert first.content_type == again.content_type


# --- reorder


def test_a_notification_is_sent_after_the_following_one(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-reorder", seconds=LONG), first=1))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert one.settled(2)
    # The editor wants it created when it is there already.
    assert got(sas) == [("PUT", "cancelled"), ("POST", "booked")]
    assert states(one, made) == ["refused", "accepted"]


def test_the_sas_falls_back_to_the_state_that_came_last(side: Make, sas: Sas) -> None:
    one = side()
    made = one.book()
    one.send()
    assert one.settled(1)
    one.faults.put(rule(kind("notification-reorder", seconds=LONG)))
    one.change(made, status=NOSHOW)
    assert held(one)
    one.change(made, status=FULFILLED)
    assert one.settled(3)
    assert got(sas)[1:] == [("PUT", "fulfilled"), ("PUT", "noshow")]
    assert states(one, made) == ["accepted"] * 3
    [at_the_sas] = sas.state.values()
    assert at_the_sas["status"] == "noshow"


def test_what_passes_is_not_passed_itself(side: Make, sas: Sas) -> None:
    one = side()
    made = one.book()
    one.faults.put(rule(kind("notification-reorder", seconds=LONG), methods=["PUT"]))
    for status in (NOSHOW, FULFILLED, CANCELLED, AppointmentStatus.BOOKED):
        one.change(made, status=status)
    one.send()
    assert one.settled(5)
    assert [status for _, status in got(sas)] == ["booked", "fulfilled", "noshow", "booked", "cancelled"]


def test_when_none_follows_it_is_sent_after_a_while(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-reorder", seconds=LONG)))
    made = one.book()
    one.send()
    assert held(one)
    later(one)
    assert one.settled(1)
    one.faults.clear()
    one.change(made, status=CANCELLED)
    assert one.settled(2)
    assert got(sas) == [("POST", "booked"), ("PUT", "cancelled")]


def test_it_waits_as_long_as_the_following_one_is_tried(side: Make, sas: Sas) -> None:
    sas.script = ["503", "503"]
    one = side()
    one.faults.put(rule(kind("notification-reorder", seconds=1), first=1))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    later(one)
    assert one.settled(2)
    assert got(sas) == [("PUT", "cancelled")] * 3 + [("POST", "booked")]


def test_two_of_an_appointment_are_never_on_their_way_together(side: Make, sas: Sas) -> None:
    sas.script = ["silence"]
    one = side(answer_timeout=1.5)
    one.faults.put(rule(kind("notification-reorder", seconds=LONG), first=1))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert eventually(lambda: got(sas) == [("PUT", "cancelled")])
    one.faults.remove("r")
    assert free(one)
    assert not eventually(lambda: len(sas.received) > 1, 0.5)
    assert one.settled(2)
    assert got(sas) == [("PUT", "cancelled"), ("POST", "booked"), ("PUT", "cancelled")]


# --- stale


@pytest.mark.parametrize(("which", "state", "number"), [("previous", "noshow", 1), ("first", "booked", 0)])
def test_an_old_state_is_sent_last(side: Make, sas: Sas, which: str, state: str, number: int) -> None:
    one = side()
    made = one.book()
    one.change(made, status=NOSHOW)
    one.send()
    assert one.settled(2)
    one.faults.put(rule(kind("notification-stale", state=which)))
    one.change(made, status=CANCELLED)
    assert one.settled(3)
    assert eventually(lambda: len(sas.received) == 4)
    assert got(sas) == [("POST", "booked"), ("PUT", "noshow"), ("PUT", "cancelled"), ("PUT", state)]
    [at_the_sas] = sas.state.values()
    assert at_the_sas["status"] == state
    assert free(one)
    assert states(one, made) == ["accepted"] * 3
    assert tried(one, made, number)[-1] == ("PUT", 200)
    assert len(tried(one, made, number)) == 2
    assert str(entries(one)[-1].rule) == "r: notification-stale"


def test_a_stale_one_waits_until_nothing_newer_is_left(side: Make, sas: Sas) -> None:
    sas.script = ["ok", "ok", "429 Retry-After: 1"]
    one = side()
    one.faults.put(rule(kind("notification-stale", seconds=2), first=2))
    made = one.book()
    one.change(made, status=NOSHOW)
    one.change(made, status=CANCELLED)
    one.send()
    assert one.settled(3)
    later(one)
    assert eventually(lambda: len(sas.received) == 5)
    states = [status for _, status in got(sas)]
    assert states == ["booked", "noshow", "cancelled", "cancelled", "booked"]


def test_the_first_state_has_none_before_it(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule("notification-stale"))
    one.book()
    one.send()
    assert one.settled(1)
    assert free(one)
    assert got(sas) == [("POST", "booked")]


# --- more than one life


def test_a_delay_outlives_the_process(side: Make, sas: Sas) -> None:
    first = side()
    first.faults.put(rule(kind("notification-delay", seconds=LONG), "appointment-status-missing", uses=1))
    made = first.book()
    first.send()
    assert held(first)
    first.stop()
    second = side()
    second.send()
    assert not eventually(lambda: sas.received, 0.6)
    later(second)
    assert second.settled(1)
    # What else the rule does is done too, though it is used up.
    assert [list(one.body) for one in sas.received] == [[name for name in sas.received[0].body if name != "status"]]
    assert tried(second, made) == [("POST", 201)]


def test_a_reordering_outlives_the_process(side: Make, sas: Sas) -> None:
    first = side()
    first.faults.put(rule(kind("notification-reorder", seconds=LONG), uses=1))
    made = first.book()
    first.send()
    assert held(first)
    first.stop()
    second = side()
    second.change(made, status=CANCELLED)
    second.send()
    assert second.settled(2)
    assert got(sas) == [("PUT", "cancelled"), ("POST", "booked")]


def test_duplicates_outlive_the_process(side: Make, sas: Sas) -> None:
    first = side()
    first.faults.put(rule(kind("notification-duplicate", times=2, seconds=LONG)))
    first.book()
    first.send()
    assert first.settled(1)
    later(first)
    assert eventually(lambda: len(sas.received) == 2)
    first.stop()
    second = side()
    second.send()
    later(second, 3 * HOUR)
    assert eventually(lambda: len(sas.received) == 3)
    assert free(second)


def test_a_copy_whose_process_died_is_sent_again(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("notification-duplicate", seconds=LONG)))
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert eventually(lambda: states(one, made) == ["accepted", "waiting"])
    one.stop()
    other = side()
    later(other)
    assert [claimed.copy is not None for claimed in other.outbox.claim(5, -1)] == [True]  # by one whose time is up
    other.send()
    assert eventually(lambda: got(sas) == [("POST", "booked")] * 2)


def test_two_processes_carry_a_plan_out_once(side: Make, sas: Sas) -> None:
    one, other = side(), side()
    one.faults.put(rule(kind("notification-delay", seconds=LONG), kind("notification-duplicate", times=2)))
    other.faults.follow()
    made = [one.book(hour) for hour in range(10)]
    for booked in made:
        one.change(booked, status=CANCELLED)
    one.send()
    other.send()
    soon = HOUR / 2
    assert eventually(lambda: sum(told.due > one.clock.now() + soon for told in every(one)) == 10)
    later(one)
    later(other)
    assert eventually(lambda: len(sas.received) == 30)
    assert eventually(lambda: sum(told.due > one.clock.now() + soon for told in every(one)) == 10)
    later(one)
    later(other)
    assert one.settled(20)
    assert eventually(lambda: len(sas.received) == 60)
    assert free(one)
    for booked in made:
        assert got(sas, booked) == [("POST", "booked")] * 3 + [("PUT", "cancelled")] * 3


# --- what is sent


def test_a_wrong_notification_is_refused_and_the_outbox_keeps_the_right_one(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule("appointment-identifier-missing", "appointment-patient-data"))
    made = one.book()
    one.send()
    assert one.settled(1)
    [wrong] = sas.received
    assert "identifier" not in wrong.body
    assert "contained" in wrong.body
    [told] = one.told(made)
    assert told.state == "refused"
    assert '"identifier"' in told.body
    assert english(told.attempts[0][1].result) == (
        "HTTP 422, by the rule r: appointment-identifier-missing, appointment-patient-data"
    )
    [entry] = entries(one)
    assert str(entry.rule) == "r: appointment-identifier-missing, appointment-patient-data"
    assert b'"identifier"' not in entry.request_body.partition(b'"status"')[2].partition(b'"participant"')[0]


def test_a_rule_of_another_flow_or_editor_leaves_them_alone(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule("connection-reset", flows=["INT_R01", "INT_R02"], name="a"))
    one.faults.put(rule("appointment-status-missing", editors=["agenda-cpts"], name="b"))
    one.faults.put(rule("appointment-status-missing", methods=["PUT"], name="c"))
    one.faults.put(rule("appointment-status-missing", headers={"Content-Type": "text/*"}, name="d"))
    one.faults.put(rule("appointment-status-missing", identifiers=["899000000010"], name="e"))
    one.book()
    one.send()
    assert one.settled(1)
    assert got(sas) == [("POST", "booked")]
    assert [entry.rule for entry in entries(one)] == [None]


def test_a_rule_for_all_flows_spoils_the_body_that_an_editor_sends(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(Rule.model_validate({"name": "r", "do": [{"kind": "malformed-json"}]}))
    one.book()
    one.send()
    assert one.settled(1)
    assert sas.received[0].raw.endswith(b",}")


class Failing(Kind):
    """A kind with a mistake in it."""

    kind: str = "failing"

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """Fails when it has what it wants to spoil."""
        return replace(proceed(), body=bytes([request.body[len(request.body)]]))


def test_when_a_kind_fails_the_right_notification_goes_out(editor: Editor, caplog: pytest.LogCaptureFixture) -> None:
    right = OutgoingRequest(editor.slug, editor.zone, "POST", "/fhir/Appointment", {"Accept": "*/*"}, b'{"a": 1}')
    found = effect_of(
        ActingRule("{}", AppliedRule("r", ("failing",)), [Failing()], RuleDraws(1), lambda _: 1), right, NOW
    )
    assert (found.body, found.headers, found.answer, found.closed) == (right.body, right.headers, None, None)
    assert found.applied.english == "r: failing (failed: IndexError)"
    assert "A fault failed (r: failing)" in caplog.text


# --- time


def test_latency_is_real_time_even_for_a_clock_that_stands(side: Make, sas: Sas) -> None:
    one = side()
    one.clock.follow(frozen(NOW))
    one.faults.put(rule(kind("latency", seconds=0.6)))
    made = one.book()
    one.send()
    assert held(one)
    assert sas.received == []
    assert one.settled(1)
    assert tried(one, made) == [("POST", 201)]
    assert got(sas) == [("POST", "booked")]


@pytest.mark.parametrize("what", ["hang", kind("notification-delay", seconds=LONG), kind("slow-body", seconds=300)])
def test_what_an_editor_holds_back_holds_up_no_other(
    side: Make, sas: Sas, both: Editor, what: dict[str, Any] | str
) -> None:
    one = side(others=[both], parallel=1)
    one.faults.put(rule(what, editors=["agenda-ville"]))
    slow = [one.book(hour) for hour in range(25)]
    one.send()
    assert eventually(
        lambda: sum(state in ("waiting", "sending") for each in slow for state in states(one, each)) == 25
    )
    quick = [one.book(hour, editor="agenda-cpts") for hour in range(10)]
    one.sender.wake()
    assert eventually(lambda: all(states(one, each) == ["accepted"] for each in quick), 30)
    assert len(sas.received) == 10


def test_a_body_comes_bit_by_bit(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("slow-body", seconds=0.9, pieces=3)))
    made = one.book()
    one.send()
    assert one.settled(1)
    [received] = sas.received
    assert received.seconds > 0.5
    assert tried(one, made) == [("POST", 201)]


def test_the_rest_of_a_slow_body_comes_when_the_rule_goes(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("slow-body", seconds=600, pieces=3)))
    made = one.book()
    one.send()
    assert eventually(lambda: sas.connections == 1)
    assert states(one, made) == ["sending"]
    one.faults.remove("r")
    assert one.settled(1)
    assert got(sas) == [("POST", "booked")]


def test_a_process_that_stops_does_not_wait_for_a_slow_body(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("slow-body", seconds=600, pieces=3)))
    made = one.book()
    one.send()
    assert eventually(lambda: sas.connections == 1)
    one.stop()
    assert states(one, made) == ["waiting"]
    assert tried(one, made) == [("POST", None)]


# --- answers that the SAS does not give


def test_a_status_comes_without_the_sas(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("status", code=503), uses=2))
    made = one.book()
    one.send()
    assert one.settled(1)
    assert tried(one, made) == [("POST", 503), ("PUT", 503), ("PUT", 201)]
    assert [method for method, _ in got(sas)] == ["PUT"]
    assert [(entry.status, entry.rule and entry.rule.english) for entry in entries(one)] == [
        (503, "r: status"),
        (503, "r: status"),
        (201, None),
    ]


def test_a_status_asks_to_come_later(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("status", code=429, retry_after_seconds=LONG), uses=1))
    made = one.book()
    one.send()
    assert eventually(lambda: tried(one, made) == [("POST", 429)])
    assert one.told(made)[0].due > one.clock.now() + HOUR / 2
    later(one)
    assert one.settled(1)
    assert got(sas) == [("POST", "booked")]


def test_the_sas_has_taken_it_and_the_editor_hears_an_error(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("status", code=500, done_first=True), uses=1))
    made = one.book()
    one.send()
    assert one.settled(1)
    assert got(sas) == [("POST", "booked"), ("PUT", "booked")]
    assert tried(one, made) == [("POST", 500), ("PUT", 200)]
    assert sas.creates == 1


def test_a_quota_counts_once_what_waited_before(side: Make, sas: Sas) -> None:
    one = side()
    one.clock.follow(frozen(NOW))
    one.faults.put(rule(kind("latency", seconds=0.3), kind("quota", per_minute=2, code=422)))
    made = [one.book(hour) for hour in range(3)]
    one.send()
    assert one.settled(3)
    assert sorted(states(one, each) for each in made) == [["accepted"], ["accepted"], ["refused"]]
    assert len(sas.received) == 2


# --- connections

# What the SAS sees of a connection: the beginning of what comes, how much of it, and whether it ends with a reset.
BROKEN: dict[str, tuple[dict[str, Any], bytes, bytes, bool]] = {
    "closed": (kind("connection-closed"), b"", b"", False),
    "reset": (kind("connection-reset"), b"", b"", True),
    "in the head": (kind("connection-reset", where="headers"), b"POST /fhir/Appointment HTTP/1.1\r\n", b"", True),
    "in the body": (kind("connection-reset", where="body"), b"POST ", b'{"resourceType":"Appointment"', True),
    "truncated": (kind("truncated-body"), b"POST ", b'{"resourceType":"Appointment"', False),
    "chunk": (kind("malformed-chunk"), b"POST ", b"this is no chunk", False),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_connection_that_breaks_off_is_followed_by_an_update(side: Make, sas: Sas, name: str) -> None:
    what, begin, part, reset = BROKEN[name]
    one = side()
    one.faults.put(rule(what, uses=1))
    made = one.book()
    one.send()
    assert one.settled(1)
    broken = first_ended(sas)
    assert broken.reset == reset
    assert broken.left.startswith(begin)
    assert part in broken.left
    assert (broken.left == b"") == (begin == b"")
    assert not broken.left.endswith(b"}")
    assert got(sas) == [("PUT", "booked")]
    assert tried(one, made) == [("POST", None), ("PUT", 201)]
    first, second = entries(one)
    assert (first.status, str(first.rule), second.rule) == (None, f"r: {what['kind']}", None)
    assert first.error
    assert "by the rule r" in english(first.error)


def test_garbage_comes_instead_of_a_request(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("garbage", size=50), uses=1))
    one.book()
    one.send()
    assert one.settled(1)
    broken = first_ended(sas)
    assert len(broken.left) == 50
    assert got(sas) == [("PUT", "booked")]


def test_the_editor_does_not_wait_for_the_answer(side: Make, sas: Sas) -> None:
    one = side()
    one.faults.put(rule(kind("connection-closed", done_first=True), uses=1))
    made = one.book()
    one.send()
    assert one.settled(1)
    assert eventually(lambda: len(sas.received) == 2)
    assert sorted(got(sas)) == [("POST", "booked"), ("PUT", "booked")]
    assert tried(one, made)[0] == ("POST", None)


def all_wait(side: Side) -> bool:
    return all(told.due > NOW for told in every(side))


def test_the_order_is_kept_through_breaks(side: Make, sas: Sas) -> None:
    """Half of the attempts break off, one way or another."""
    one = side(tries=1000)
    faults: list[dict[str, Any]] = [kind("connection-reset"), kind("truncated-body")]
    for number, what in enumerate((*faults, kind("status", code=503, done_first=True))):
        one.faults.put(rule(what, name=f"r{number}", share=0.2))
    made = [one.book(hour) for hour in range(10)]
    for each in made:
        for status in (NOSHOW, CANCELLED):
            one.change(each, status=status)
    one.send()
    assert one.settled(30)
    for each in made:
        assert [state for state, _ in groupby(status for _, status in got(sas, each))] == [
            "booked",
            "noshow",
            "cancelled",
        ]
    assert len(entries(one)) > 36


def test_one_that_always_breaks_off_is_given_up(side: Make, sas: Sas) -> None:
    one = side(tries=3)
    one.faults.put(rule("truncated-body"))
    made = one.book()
    one.send()
    assert one.settled(1)
    assert states(one, made) == ["given up"]
    assert sas.received == []
    assert sas.connections == 3


def test_a_sas_that_is_down_is_no_matter(side: Make, sas: Sas) -> None:
    one = side(tries=2)
    one.faults.put(rule("truncated-body"))
    sas.close()
    made = one.book()
    one.send()
    assert one.settled(1)
    assert states(one, made) == ["given up"]
    assert "ConnectionRefusedError" in english(one.told(made)[0].attempts[0][1].result)


def test_within_the_process_nothing_of_a_broken_request_arrives(
    side: Make, played: LoadedScenario, editor: Editor, clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The embedded receiver has no connection that could break."""
    receiving = playing(played, clock, tmp_path_factory.mktemp("sas"))
    one, editors = side(), {editor.slug: editor}
    target = Target(f"{PUBLIC_URL}/_sas/fhir", tries=2, first_wait=0.01)
    here = {f"{PUBLIC_URL}/_sas/": InProcessAdapter(receiving.app, PUBLIC_URL)}
    targets = {editor.slug: target}
    sender = Sender(one.outbox, editors, targets, parallel=2, embedded=here, faults=one.faults)
    thread = sender.start()
    try:
        for number, (what, state, arrived) in enumerate(
            (
                (kind("truncated-body"), "given up", 0),
                (kind("connection-closed", done_first=True), "given up", 1),
                (kind("slow-body", seconds=0.2), "accepted", 2),
            )
        ):
            one.faults.put(rule(what))
            one.book(number)
            assert one.settled(number + 1)
            assert every(one)[0].state == state
            assert Inbox(receiving.store, clock.now).latest(9)[1] == arrived
    finally:
        sender.stop()
        thread.join(10)


def test_a_tls_connection_breaks_off_too(tmp_path: Path, editor: Editor) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    trusted, own = tmp_path / "authority.pem", tmp_path / "editor.pem"
    authority.cert_pem.write_to_path(str(trusted))
    authority.issue_cert("lga.example").private_key_and_cert_chain_pem.write_to_path(str(own))
    sas = Sas(tls=context)
    one = Side(tmp_path, editor, Target(sas.url, own, None, trusted, 2, 1, first_wait=0.02, longest_wait=0.1))
    try:
        one.faults.put(rule(kind("truncated-body"), uses=1))
        made = one.book()
        one.send()
        assert one.settled(1)
        assert got(sas) == [("PUT", "booked")]
        assert tried(one, made) == [("POST", None), ("PUT", 201)]
        assert "closed after" in english(one.told(made)[0].attempts[0][1].result)
        assert first_ended(sas).left.startswith(b"POST ")
        assert b'{"resourceType":"Appointment"' in first_ended(sas).left
    finally:
        one.stop()
        sas.close()

"""Notifications against a SAS that misbehaves: nothing is lost, nothing doubled, the order kept, every attempt told."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from requests import Response
from requests.adapters import BaseAdapter

from mock_editor.base import controls
from mock_editor.base.clock import Clock, frozen
from mock_editor.base.errors import EditorError
from mock_editor.base.words import english
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.model import AppointmentStatus
from mock_editor.calendars.taken import Taken
from mock_editor.notifications.model import Attempt, NotificationState
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.outcomes import answered
from mock_editor.notifications.sender import Sender
from mock_editor.notifications.target import Target
from mock_editor.scenario import LoadedScenario
from tests.calendars.test_appointments import appointment
from tests.conftest import NOW
from tests.notifications.conftest import Sas, Side
from tests.wire.conftest import eventually

CANCELLED = AppointmentStatus.CANCELLED


def test_a_create_then_updates_in_order(side: Callable[..., Side], sas: Sas) -> None:
    one = side()
    made = one.book()
    one.change(made, start=NOW + timedelta(hours=3), end=NOW + timedelta(hours=4))
    one.change(made, status=CANCELLED)
    one.send()
    assert one.settled(3)
    system = "urn:oid:1.2.250.1.999.1.1"
    assert [(r.method, r.identifier) for r in sas.received] == [
        ("POST", None),
        ("PUT", f"{system}|{made.id}"),
        ("PUT", f"{system}|{made.id}"),
    ]
    assert [r.body["status"] for r in sas.received] == ["booked", "booked", "cancelled"]
    assert {r.body["created"] for r in sas.received} == {"2026-11-20T08:00:00.000+01:00"}
    assert [n.state for n in one.told(made)] == ["accepted"] * 3


def test_an_appointment_that_is_not_the_sass_is_not_told(side: Callable[..., Side], sas: Sas) -> None:
    one = side()
    one.book(regulator=None)
    one.book(1)
    one.send()
    assert one.settled(1)
    assert len(sas.received) == 1


# What the SAS does first; the methods that it then sees; the state in the end; how many creates it took.
STORIES: dict[str, tuple[list[str], list[str], str, int]] = {
    "503, then well": (["503", "503"], ["POST", "PUT", "PUT"], "accepted", 0),
    "429 with a time": (["429 Retry-After: 0"], ["POST", "POST"], "accepted", 1),
    "425": (["425"], ["POST", "POST"], "accepted", 1),
    "408": (["408"], ["POST", "PUT"], "accepted", 0),
    "silence": (["silence"], ["POST", "PUT"], "accepted", 0),
    "reset": (["reset"], ["POST", "PUT"], "accepted", 0),
    "taken, the answer lost": (["lost"], ["POST", "PUT"], "accepted", 1),
    "taken, the answer cut": (["cut"], ["POST"], "accepted", 1),
    "taken, the head of the answer drips": (["drip"], ["POST", "PUT"], "accepted", 1),
    "taken, the answer drips": (["drip body"], ["POST"], "accepted", 1),
    "interim answers": (["102 103 100 103|ok"], ["POST"], "accepted", 1),
    "interim answers, then 422": (["102|422"], ["POST"], "refused", 0),
    "interim answers, then a drip": (["102|drip"], ["POST", "PUT"], "accepted", 1),
    "interim answers, then silence": (["102 102|silence"], ["POST", "PUT"], "accepted", 0),
    "interim answers without end": (["103 " * 60 + "|ok"], ["POST", "PUT"], "accepted", 1),
    "another protocol": (["101"], ["POST", "PUT"], "accepted", 0),
    "422": (["422"], ["POST"], "refused", 0),
    "404": (["404"], ["POST"], "refused", 0),
    "a redirect": (["302 Location: /"], ["POST"], "refused", 0),
    "always 500": (["500"] * 20, ["POST"] + ["PUT"] * 5, "given up", 0),
}


@pytest.mark.parametrize(("script", "methods", "state", "creates"), STORIES.values(), ids=STORIES.keys())
def test_whatever_the_sas_does(
    side: Callable[..., Side], sas: Sas, script: list[str], methods: list[str], state: str, creates: int
) -> None:
    late = any("silence" in order or "drip" in order for order in script)
    sas.script = script
    one = side(answer_timeout=1.5) if late else side()
    made = one.book()
    one.send()
    assert one.settled(1)
    assert [r.method for r in sas.received] == methods
    [told] = one.told(made)
    assert told.state == state
    assert [attempt.method for _, attempt in told.attempts] == methods
    assert all(attempt.result for _, attempt in told.attempts)
    assert sas.creates == creates
    assert len(sas.state) == (state == "accepted")


LATER = {
    "Fri, 31 Dec 100000000000000000000 23:59:59 GMT": "not readable",
    "Fri, 31 Dec 2027 99:99:99 GMT": "not readable",
    "Fri, 31 Dec 2027 23:59:59 +99999999": "not readable",
    "in a while": "not readable",
    "-5": "not readable",
    "1e999": "not readable",
    "NaN": "not readable",
    "Fri, 31 Dec 1999 23:59:59 GMT": "in the past",
    "Sunday, 06-Nov-94 08:49:37 GMT": "in the past",
    "Fri, 31 Dec 0001 00:00:00 +1400": "in the past",
}


@pytest.mark.parametrize("status", ["429", "503"])
def test_a_time_that_makes_no_sense_is_noted_and_does_not_count(
    side: Callable[..., Side], sas: Sas, status: str
) -> None:
    sas.script = [f"{status} Retry-After: {text}" for text in LATER]
    one = side(tries=1000)
    made = one.book()
    one.send()
    assert one.settled(1)
    *put_off, accepted = [english(attempt.result) for _, attempt in one.told(made)[0].attempts]
    assert put_off == [f"HTTP {status} (Retry-After: {text}: {why})" for text, why in LATER.items()]
    assert accepted == "HTTP 201"


@pytest.mark.parametrize("text", ["Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400, "172800"])
def test_no_sas_puts_anything_off_for_more_than_a_day(side: Callable[..., Side], sas: Sas, text: str) -> None:
    sas.script = [f"503 Retry-After: {text}"]
    one = side()
    one.clock.follow(frozen(NOW))
    made = one.book()
    one.send()
    assert eventually(lambda: one.told(made)[0].attempts)
    [told] = one.told(made)
    assert (told.state, told.due) == ("waiting", NOW + timedelta(days=1))
    assert "too long" in english(told.attempts[0][1].result)


class Unforeseen(BaseAdapter):
    """What nobody has thought of."""

    def send(self, *_: object, **__: object) -> Response:
        raise ZeroDivisionError("unforeseen")

    def close(self) -> None:
        """Nothing is open."""


def test_an_attempt_that_fails_as_nobody_has_thought_of_is_one(side: Callable[..., Side], sas: Sas) -> None:
    """Otherwise it would be made again, for ever, and told nowhere."""
    one = side()
    made = one.book()
    target = Target(sas.url, first_wait=0.01, longest_wait=0.05, tries=3)
    editor = one.notifications.of(made.editor, made.id)[0].editor
    sender = Sender(one.outbox, one.editors, {editor: target}, parallel=2, embedded={sas.url: Unforeseen()})
    thread = sender.start()
    try:
        assert one.settled(1)
    finally:
        sender.stop()
        thread.join(30)
    [told] = one.told(made)
    assert told.state == "given up"
    assert [english(attempt.result) for _, attempt in told.attempts] == ["ZeroDivisionError: unforeseen"] * 3
    assert [attempt.method for _, attempt in told.attempts] == ["POST", "PUT", "PUT"]


def test_a_sas_that_is_down_gets_it_when_it_is_back(side: Callable[..., Side], sas: Sas) -> None:
    sas.close()
    one = side(tries=1000, first_wait=0.05)
    made = one.book()
    one.send()
    assert eventually(lambda: len(one.told(made)[0].attempts) >= 2)
    back = Sas(port=sas.port)
    try:
        assert one.settled(1)
        assert {r.method for r in back.received} == {"POST"}  # what was certainly never sent is still a create
        assert back.creates == 1
    finally:
        back.close()


def test_one_that_waits_holds_up_its_own_appointment_only(side: Callable[..., Side], sas: Sas) -> None:
    sas.script = ["429 Retry-After: 1000"]
    one = side()
    held = one.book()
    one.send()
    assert eventually(lambda: len(one.told(held)[0].attempts) == 1)
    one.change(held, status=CANCELLED)
    others = [one.book(hour) for hour in range(1, 6)]
    assert one.settled(5)
    assert [n.state for n in one.told(held)] == ["waiting", "waiting"]
    assert all(one.told(other)[0].state == "accepted" for other in others)


def test_after_a_refused_create_an_update_creates(side: Callable[..., Side], sas: Sas) -> None:
    sas.script = ["422"]
    one = side()
    made = one.book()
    one.change(made, status=CANCELLED)
    one.send()
    assert one.settled(2)
    assert [n.state for n in one.told(made)] == ["refused", "accepted"]
    assert [body["status"] for body in sas.state.values()] == ["cancelled"]
    # The older one would take the SAS back to "booked".
    with pytest.raises(EditorError) as refused:
        one.outbox.replay(one.told(made)[0].id)
    assert refused.value.status == 409
    assert one.outbox.replay() == 0


def test_what_was_given_up_can_be_sent_again(side: Callable[..., Side], sas: Sas) -> None:
    sas.script = ["500"] * 2 + ["422"]
    one = side(tries=2)
    given_up = one.book()
    one.send()
    assert one.settled(1)
    refused = one.book(1)
    assert one.settled(2)
    assert one.outbox.replay() == 2
    one.sender.wake()
    assert eventually(lambda: all(one.told(a)[0].state == "accepted" for a in (given_up, refused)))
    assert len(sas.state) == 2


def test_many_go_in_parallel_over_few_connections(side: Callable[..., Side], sas: Sas) -> None:
    one = side()
    for hour in range(60):
        one.book(hour)
    one.send()
    assert one.settled(60)
    assert len(sas.state) == sas.creates == 60
    assert sas.connections <= 8


def test_two_processes_share_the_work(side: Callable[..., Side], sas: Sas) -> None:
    one, other = side(), side()
    made = [one.book(hour) for hour in range(40)]
    for booked in made:
        one.change(booked, status=CANCELLED)
    one.send()
    other.send()
    assert one.settled(80)
    assert len(sas.received) == 80
    assert [body["status"] for body in sas.state.values()] == ["cancelled"] * 40


def test_a_process_that_died_on_the_way_is_followed_by_an_update(side: Callable[..., Side], sas: Sas) -> None:
    one = side()
    one.book()
    assert len(one.outbox.claim(5, -1)) == 1  # taken by somebody whose time is up
    one.send()
    assert one.settled(1)
    assert [r.method for r in sas.received] == ["PUT"]


def test_the_lease_of_a_process_that_died_does_not_outlive_it_when_the_clock_jumps_back(
    side: Callable[..., Side], sas: Sas, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = side()
    one.book()
    right = time.time
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: right() + 7 * 24 * 3600)
        assert len(one.outbox.claim(5, 0.5)) == 1
    one.send()
    assert one.settled(1)
    assert [r.method for r in sas.received] == ["PUT"]


def test_leases_of_another_start_of_the_machine_count_for_nothing(side: Callable[..., Side], sas: Sas) -> None:
    one = side()
    one.book()
    assert len(one.outbox.claim(5, 10_000)) == 1
    assert one.outbox.claim(5, 10) == []
    with one.store.writing() as db:
        controls.put(db, "boot of leases", "another one")
    one.send()
    assert one.settled(1)
    assert [r.method for r in sas.received] == ["PUT"]


def test_whoever_lost_the_lease_has_no_say(side: Callable[..., Side], sas: Sas) -> None:
    one = side()
    made = one.book()
    [late] = one.outbox.claim(5, -1)
    one.send()
    assert one.settled(1)
    one.outbox.finish(
        late, Attempt("POST", None, 1, answered(503), ""), NotificationState.WAITING, wait=timedelta(), unsure=True
    )
    assert one.told(made)[0].state == "accepted"
    assert len(sas.received) == 1


def test_an_older_one_is_not_sent_again_while_a_newer_one_is_on_its_way(side: Callable[..., Side], sas: Sas) -> None:
    sas.script = ["422"]
    one = side()
    made = one.book()
    one.send()
    assert one.settled(1)
    one.sender.stop()
    one.change(made, status=CANCELLED)
    assert eventually(lambda: one.outbox.claim(1, 100))
    with pytest.raises(EditorError):
        one.outbox.replay(one.told(made)[0].id)


def test_notifications_of_an_editor_that_is_not_played_wait(side: Callable[..., Side]) -> None:
    one = side()
    one.book()
    other = Outbox(one.store, Clock(), {})
    assert other.claim(5, 10) == []
    one.send()
    assert one.settled(1)


@pytest.mark.parametrize("order", ["drip", "drip body"])
def test_a_sas_that_drips_holds_a_sender_for_no_longer_than_it_may_take(
    side: Callable[..., Side], sas: Sas, order: str
) -> None:
    """With one sender at a time, the last one waits for all those before it."""
    sas.script = [order] * 4
    one = side(parallel=1, answer_timeout=0.5, tries=1000)
    made = [one.book(hour) for hour in range(5)]
    one.send()
    assert one.settled(5, 30)
    assert len(sas.state) == 5
    assert all(one.told(each)[0].state == "accepted" for each in made)


def test_a_sas_that_drips_takes_no_sender_from_another(
    side: Callable[..., Side], played: LoadedScenario, sas: Sas
) -> None:
    """However long an answer may take, and before anything was ever put off."""
    slow = [Sas(script=["drip"] * 1000) for _ in range(2)]
    one = side()
    editors = {editor.slug: editor for editor in played.editors[:3]}
    target = Target(sas.url, answer_timeout=60)
    targets = dict(zip(editors, [*(replace(target, url=each.url) for each in slow), target], strict=True))
    outbox = Outbox(one.store, Clock(), editors)
    diary = Appointments(one.store, editors, Taken(), outbox.add)

    def book(slug: str, hour: int) -> None:
        start = NOW + timedelta(hours=hour)
        diary.add(appointment(editor=slug, start=start, end=start + timedelta(minutes=15)))

    *held_up, quick = editors
    for slug in held_up:
        for hour in range(10):
            book(slug, hour)
    sender = Sender(outbox, editors, targets, parallel=4)
    thread = sender.start()
    try:
        assert eventually(lambda: sum(len(each.received) for each in slow) == 3, 20)
        for hour in range(5):
            book(quick, hour)
        sender.wake()
        assert eventually(lambda: len(sas.state) == 5, 20)
        assert sum(len(each.received) for each in slow) == 3
    finally:
        for each in slow:
            each.close()
        sender.stop()
        thread.join(30)


def test_a_sas_that_is_silent_holds_up_no_other(side: Callable[..., Side], played: LoadedScenario, sas: Sas) -> None:
    """Two editors, each with a SAS of its own; that of the first one never answers, and has a long queue."""
    silent = Sas(script=["silence"] * 1000)
    one = side()
    editors = {editor.slug: editor for editor in played.editors[:2]}
    quick = Target(sas.url, answer_timeout=60, first_wait=0.01, longest_wait=0.05, tries=1000)
    targets = {"agenda-ville": replace(quick, url=silent.url, answer_timeout=0.3), "agenda-cpts": quick}
    outbox = Outbox(one.store, Clock(), editors)
    diary = Appointments(one.store, editors, Taken(), outbox.add)
    for hour in range(300):
        start = NOW + timedelta(hours=hour)
        diary.add(appointment(start=start, end=start + timedelta(minutes=15)))
    sender = Sender(outbox, editors, targets, parallel=4)
    thread = sender.start()
    try:
        assert eventually(lambda: len(silent.received) > 12)
        for hour in range(5):
            start = NOW + timedelta(hours=hour)
            diary.add(appointment(editor="agenda-cpts", start=start, end=start + timedelta(minutes=15)))
        sender.wake()
        assert eventually(lambda: len(sas.state) == 5, 10)
    finally:
        silent.close()
        sender.stop()
        thread.join(10)

"""Why a slot cannot be had, reason by reason."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from mock_editor.base.clock import frozen
from mock_editor.calendars.availability import Availability, Unavailable, for_whom_and_when
from mock_editor.calendars.catalogue import find_calendar
from mock_editor.calendars.model import Booking, SlotType
from tests.calendars.test_overrides import (
    DOCTOR,
    FREE,
    FULL,
    MONDAY,
    NIGHTS,
    SATURDAY,
    SUNDAY,
    Worker,
    at,
    by_hand,
    one,
    worker,
)

__all__ = ["by_hand", "one", "worker"]

PUBLIC = frozenset({SlotType.PUBLIC})
REASONS: dict[str, tuple[Callable[[Worker], object], str, datetime, Unavailable | None]] = {
    "free": (lambda _: None, FREE, at(10), None),
    "no slot": (lambda _: None, FREE, at(10) + timedelta(minutes=1), Unavailable.NO_SLOT),
    "no opening": (lambda _: None, FREE, at(10, SUNDAY), Unavailable.NO_SLOT),
    "absence of the scenario": (lambda _: None, FREE, at(10, date(2026, 12, 24)), Unavailable.ABSENT),
    "no opening in an absence of the scenario": (
        lambda _: None,
        FREE,
        at(10, date(2026, 12, 24)) + timedelta(minutes=1),
        Unavailable.NO_SLOT,
    ),
    "booked": (lambda one: one.book(at(10)), FREE, at(10), Unavailable.BOOKED),
    "closed": (lambda one: one.overrides.close_slot("one", FREE, at(10)), FREE, at(10), Unavailable.CLOSED),
    "day closed": (lambda one: one.overrides.close_day("one", FREE, MONDAY), FREE, at(10), Unavailable.DAY_CLOSED),
    "night of a closed day": (
        lambda one: one.overrides.close_day("one", NIGHTS, SATURDAY),
        NIGHTS,
        at(2, SUNDAY),
        Unavailable.DAY_CLOSED,
    ),
    "absent": (lambda one: one.overrides.absent("one", DOCTOR, MONDAY, MONDAY), FREE, at(10), Unavailable.ABSENT),
    "taken": (lambda _: None, FULL, at(10), Unavailable.TAKEN),
    "taken, whoever is absent": (
        lambda one: one.overrides.absent("one", DOCTOR, MONDAY, MONDAY),
        FULL,
        at(10),
        Unavailable.TAKEN,
    ),
    "taken and closed": (
        lambda one: one.overrides.close_slot("one", FULL, at(10)),
        FULL,
        at(10),
        Unavailable.CLOSED,
    ),
    "opened": (lambda one: one.overrides.open_slot("one", FULL, at(10)), FULL, at(10), None),
    "beyond the horizon": (lambda _: None, FREE, at(10, MONDAY + timedelta(days=35)), Unavailable.TOO_FAR),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_slot_that_cannot_be_had_has_one_reason(one: Worker, name: str) -> None:
    prepare, key, start, expected = REASONS[name]
    prepare(one)
    found = find_calendar(one.catalogue.editors["one"], key)
    assert found
    slot, why = one.catalogue.availability(found.calendar, start, PUBLIC)
    assert why == expected
    # The scenario makes no slots in its own absences.
    assert (slot is None) == (expected is Unavailable.NO_SLOT or name == "absence of the scenario")


@pytest.mark.parametrize(
    ("before", "public", "practice"),
    [
        (timedelta(days=20), None, None),
        (timedelta(seconds=1), None, None),
        (timedelta(0), None, None),
        (-timedelta(seconds=1), Unavailable.PAST, None),
        (-timedelta(hours=1), Unavailable.PAST, Unavailable.PAST),
        (timedelta(days=28), Unavailable.TOO_FAR, None),
    ],
)
def test_the_practice_has_its_slots_until_they_are_over(
    one: Worker, before: timedelta, public: Unavailable | None, practice: Unavailable | None
) -> None:
    found = find_calendar(one.catalogue.editors["one"], FREE)
    assert found
    one.catalogue.clock.follow(frozen(at(10) - before))
    assert one.catalogue.availability(found.calendar, at(10), PUBLIC).why == public
    assert one.catalogue.availability(found.calendar, at(10), None).why == practice


def test_a_slot_is_for_those_to_whom_one_of_its_types_is_exposed(one: Worker) -> None:
    found = find_calendar(one.catalogue.editors["one"], FREE)
    assert found
    reasons = {kind: one.catalogue.availability(found.calendar, at(10), frozenset({kind})).why for kind in SlotType}
    assert {kind for kind, why in reasons.items() if why is None} == {SlotType.PUBLIC, SlotType.CPTS}
    assert set(reasons.values()) == {None, Unavailable.NOT_FOR_THEM}
    one.book(at(10))
    # Those who may not see it are not told what became of it.
    assert one.catalogue.availability(found.calendar, at(10), frozenset({SlotType.PRO})).why == Unavailable.NOT_FOR_THEM


def test_a_lead_time_keeps_slots_that_are_too_near(one: Worker) -> None:
    found = find_calendar(one.catalogue.editors["one"], FREE)
    assert found
    slot, _ = one.catalogue.availability(found.calendar, at(10), PUBLIC)
    booking = Booking(lead=timedelta(hours=2), horizon=timedelta(days=1), overnight=False)

    def why(now: datetime) -> Unavailable | None:
        return for_whom_and_when(Availability(slot, None), PUBLIC, booking, now).why

    assert why(at(8)) is None
    assert why(at(8) + timedelta(seconds=1)) == why(at(10)) == Unavailable.TOO_SOON
    assert why(at(10) + timedelta(seconds=1)) == Unavailable.PAST
    assert why(at(10) - timedelta(days=1)) == Unavailable.TOO_FAR

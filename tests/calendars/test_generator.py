from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_editor.calendars.generator import slots_of_day
from mock_editor.calendars.model import (
    Absence,
    AppointmentType,
    Booking,
    Calendar,
    ConsultationType,
    Opening,
    Plan,
    SlotMix,
    SlotShape,
    SlotType,
)

PARIS = ZoneInfo("Europe/Paris")
PUBLIC = SlotShape((SlotType.PUBLIC,), (ConsultationType.AMB,), (), AppointmentType.ROUTINE)
SNP = SlotShape((SlotType.SNP,), (ConsultationType.AMB,), (), AppointmentType.ROUTINE)


BOOKING = Booking(timedelta(), timedelta(days=28), overnight=True)


def opening(hours: str, minutes: int = 20, taken: float = 0.0, mix: Sequence[tuple[float, SlotShape]] = ()) -> Opening:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
    return Opening(start, end if end > start else end + 1440, minutes, taken, SlotMix(mix or [(1, PUBLIC)]))


def calendar(
    *openings: Opening,
    zone: str = "Europe/Paris",
    key: str = "810100050075-1",
    absences: Sequence[Absence] = (),
    exceptional: dict[date, tuple[Opening, ...]] | None = None,
) -> Calendar:
    plan = Plan((openings,) * 7, exceptional or {}, tuple(absences), BOOKING)
    return Calendar(key, ZoneInfo(zone), plan, "seed", "seed")


def starts(calendar: Calendar, day: date) -> list[str]:
    return [slot.start.astimezone(calendar.zone).strftime("%d %H:%M%z") for slot in slots_of_day(calendar, day)]


def test_an_opening_is_filled_with_whole_slots() -> None:
    made = slots_of_day(calendar(opening("09:00-10:10", 20)), date(2026, 11, 20))
    assert [slot.start for slot in made] == [
        datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
        datetime(2026, 11, 20, 8, 20, tzinfo=UTC),
        datetime(2026, 11, 20, 8, 40, tzinfo=UTC),
    ]
    assert all(slot.end - slot.start == timedelta(minutes=20) for slot in made)


def test_the_share_already_taken_is_kept() -> None:
    day = calendar(opening("00:00-24:00", 5, 0.7))
    slots = [slot for number in range(40) for slot in slots_of_day(day, date(2026, 1, 1) + timedelta(days=number))]
    assert 0.68 < sum(slot.taken for slot in slots) / len(slots) < 0.72
    assert not any(slot.taken for slot in slots_of_day(calendar(opening("00:00-24:00")), date(2026, 1, 1)))
    assert all(slot.taken for slot in slots_of_day(calendar(opening("00:00-24:00", taken=1.0)), date(2026, 1, 1)))


def test_a_mix_keeps_its_shares() -> None:
    day = calendar(opening("00:00-24:00", 5, mix=[(3, PUBLIC), (1, SNP)]))
    slots = [slot for number in range(40) for slot in slots_of_day(day, date(2026, 1, 1) + timedelta(days=number))]
    assert 0.72 < sum(slot.shape is PUBLIC for slot in slots) / len(slots) < 0.78


@pytest.mark.parametrize(
    ("day", "hours", "expected"),
    [
        # Spring: 02:00 to 03:00 does not exist.
        (date(2026, 3, 29), "00:00-06:00", 5),
        # Autumn: it comes twice.
        (date(2026, 10, 25), "00:00-06:00", 7),
        (date(2026, 3, 28), "20:00-08:00", 11),
        (date(2026, 10, 24), "20:00-08:00", 13),
        (date(2026, 10, 25), "09:00-12:00", 3),
        (date(2026, 3, 29), "02:00-03:00", 0),
        (date(2026, 3, 29), "02:30-05:00", 2),
    ],
)
def test_openings_are_laid_out_in_elapsed_time_when_the_clocks_change(day: date, hours: str, expected: int) -> None:
    made = slots_of_day(calendar(opening(hours, 60)), day)
    assert len(made) == expected
    assert all(slot.end - slot.start == timedelta(hours=1) for slot in made)


def test_the_hour_that_comes_twice_has_two_offsets() -> None:
    made = starts(calendar(opening("01:00-04:00", 60)), date(2026, 10, 25))
    assert made == ["25 01:00+0200", "25 02:00+0200", "25 02:00+0100", "25 03:00+0100"]


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("Indian/Reunion", "+0400"), ("America/Guadeloupe", "-0400"), ("America/Cayenne", "-0300")],
)
def test_hours_are_local_overseas(zone: str, offset: str) -> None:
    assert starts(calendar(opening("09:00-10:00", 60), zone=zone), date(2026, 7, 1)) == [f"01 09:00{offset}"]


def test_a_night_belongs_to_the_day_it_begins() -> None:
    night = calendar(opening("22:00-02:00", 60))
    assert starts(night, date(2026, 11, 20)) == ["20 22:00+0100", "20 23:00+0100", "21 00:00+0100", "21 01:00+0100"]


def test_absences_close_and_exceptional_openings_open() -> None:
    christmas = Absence(date(2024, 12, 24), date(2024, 12, 26), yearly=True)
    summer = Absence(date(2026, 8, 1), date(2026, 8, 15), yearly=False)
    special: dict[date, tuple[Opening, ...]] = {date(2026, 12, 25): (opening("10:00-11:00", 60),)}
    made = calendar(opening("09:00-10:00", 60), absences=[christmas, summer], exceptional=special)
    assert starts(made, date(2026, 12, 24)) == []
    assert starts(made, date(2031, 12, 26)) == []
    assert starts(made, date(2026, 12, 25)) == ["25 10:00+0100"]
    assert starts(made, date(2026, 8, 15)) == []
    assert starts(made, date(2027, 8, 15)) == ["15 09:00+0200"]


def test_a_yearly_absence_runs_over_new_year() -> None:
    absence = Absence(date(2024, 12, 30), date(2024, 1, 2), yearly=True)
    covered = [date(2026, 12, 29) + timedelta(days=number) for number in range(6)]
    assert [absence.covers(day) for day in covered] == [False, True, True, True, True, False]


def test_draws_do_not_depend_on_what_else_the_day_holds() -> None:
    day = date(2026, 11, 20)
    alone = slots_of_day(calendar(opening("14:00-18:00", 20, 0.5)), day)
    beside = slots_of_day(calendar(opening("08:00-12:00", 15, 0.5), opening("14:00-18:00", 20, 0.5)), day)
    assert [slot.taken for slot in alone] == [slot.taken for slot in beside][-len(alone) :]


def test_another_calendar_has_other_draws() -> None:
    day, hours = date(2026, 11, 20), opening("00:00-24:00", 5, 0.5)
    one, other = (slots_of_day(calendar(hours, key=key), day) for key in ("a-1", "a-2"))
    assert [slot.taken for slot in one] != [slot.taken for slot in other]


@given(
    day=st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    minutes=st.integers(5, 180),
    spans=st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=8, unique=True),
    zone=st.sampled_from(["Europe/Paris", "Indian/Reunion", "America/Cayenne", "America/Miquelon"]),
)
def test_slots_of_a_calendar_never_overlap(day: date, minutes: int, spans: list[int], zone: str) -> None:
    spans.sort()
    openings = [
        Opening(start, end, minutes, 0.3, SlotMix([(1, PUBLIC)]))
        for start, end in zip(spans[::2], spans[1::2], strict=False)
    ]
    made = calendar(*openings, zone=zone)
    slots = [slot for shift in (-1, 0, 1) for slot in slots_of_day(made, day + timedelta(days=shift))]
    assert slots == sorted(slots, key=lambda slot: slot.start)
    for earlier, later in pairwise(slots):
        assert earlier.end <= later.start
    assert slots_of_day(made, day) == slots_of_day(made, day)

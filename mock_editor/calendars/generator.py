"""The slots of a calendar on a day: a pure function of (seed, calendar, day), without clock, store or state.

So the same scenario gives the same slots in every process and on every machine, and a million calendars cost nothing
until somebody asks for one of their days.
"""

import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import shake_256
from operator import attrgetter
from struct import unpack
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mock_editor.calendars.model import Calendar, Opening, Plan, Slot, start_of_day

# The draws of a slot depend on the five-minute step at which it starts. A change of openings, slot lengths or absences
# elsewhere in the day leaves them unchanged. Slots are at least this long (checked with the scenario).
_STEP = timedelta(minutes=5)
_DRAWS = 2  # per step: is it taken, and which shape
_RANGE = 65536


class _Interval(NamedTuple):
    """The times of a slot, before its calendar's draws are applied. ``step`` counts from the day's midnight."""

    start: datetime
    end: datetime
    step: int
    opening: Opening


def slots_of_day(calendar: Calendar, day: date, extra: Sequence[Opening] = ()) -> tuple[Slot, ...]:
    """All slots of the openings that begin on ``day`` (local), in order: free and taken, exposed or not.

    ``extra`` are openings besides those of the calendar's plan. They replace the slots of the plan that they overlap;
    the other slots are unchanged.
    An opening that runs past midnight belongs to the day on which it begins. Openings are laid out in elapsed time:
    a night has one hour of slots less or more when the clocks change.
    """
    intervals = _layout(calendar.plan, calendar.zone, day)
    if extra:
        added = _intervals(extra, calendar.zone, day)
        remaining = [old for old in intervals if not any(old.start < new.end and new.start < old.end for new in added)]
        intervals = _in_order((*remaining, *added))
    if not intervals:
        return ()
    count = (intervals[-1].step + 1) * _DRAWS
    seed = f"{calendar.seed}:{calendar.key}:{day.isoformat()}".encode()
    # The first draws are the same, however many follow.
    draws = unpack(f">{count}H", shake_256(seed).digest(2 * count))
    slots = []
    for start, end, step, opening in intervals:
        taken = draws[step * _DRAWS] < opening.taken * _RANGE
        shape = opening.mix.shape(draws[step * _DRAWS + 1] / _RANGE)
        slots.append(Slot(start, end, shape, taken))
    return tuple(slots)


def times_of(openings: Sequence[Opening], zone: ZoneInfo, day: date) -> list[tuple[datetime, datetime]]:
    """Start and end, in UTC, of each slot of openings that begin on ``day``."""
    return [(interval.start, interval.end) for interval in _intervals(openings, zone, day)]


@functools.lru_cache(maxsize=4096)  # most calendars share a plan and a zone
def _layout(plan: Plan, zone: ZoneInfo, day: date) -> tuple[_Interval, ...]:
    """The intervals of a day, in order, for every calendar that follows ``plan`` in ``zone``."""
    return _in_order(_intervals(plan.openings(day), zone, day))


def _intervals(openings: Sequence[Opening], zone: ZoneInfo, day: date) -> list[_Interval]:
    midnight = start_of_day(day, zone)
    intervals = []
    for opening in openings:
        length = timedelta(minutes=opening.slot_minutes)
        start, finish = _instant(day, opening.start, zone), _instant(day, opening.end, zone)
        while start + length <= finish:
            intervals.append(_Interval(start, start + length, (start - midnight) // _STEP, opening))
            start += length
    return intervals


def _in_order(intervals: Sequence[_Interval]) -> tuple[_Interval, ...]:
    return tuple(sorted(intervals, key=attrgetter("start")))


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of a local wall-clock time. A time that the change of clocks skips is that change itself."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    while True:
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            return instant
        wall += timedelta(minutes=1)

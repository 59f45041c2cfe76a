"""The slots of a calendar on a day: a pure function of (seed, calendar, day), without clock, store or state.

The same scenario therefore gives the same slots in every process and on every machine, and a million calendars cost
nothing until somebody asks for one of their days.
"""

from datetime import UTC, date, datetime, time, timedelta
from hashlib import shake_256
from operator import attrgetter
from zoneinfo import ZoneInfo

from mock_editor.calendars.model import Calendar, Slot, start_of_day

# A slot's draws are found by the five-minute step at which it starts, so that another opening, slot length or absence
# elsewhere in the day leaves them as they were. Slots are at least this long (checked with the scenario).
STEP = timedelta(minutes=5)
_BYTES = 4


def slots_of_day(calendar: Calendar, day: date) -> tuple[Slot, ...]:
    """All slots of the openings that begin on ``day`` (local), in order: free and taken, exposed or not.

    An opening that runs past midnight belongs to the day it begins. Openings are laid out in elapsed time: a night
    has one hour less or more of slots when the clocks change.
    """
    openings = calendar.plan.openings(day)
    if not openings:
        return ()
    midnight = start_of_day(day, calendar.zone)
    spans = [
        (opening, _instant(day, opening.start, calendar.zone), _instant(day, opening.end, calendar.zone))
        for opening in openings
    ]
    steps = (max(end for _, _, end in spans) - midnight) // STEP + 1
    draws = shake_256(f"{calendar.seed}:{calendar.key}:{day.isoformat()}".encode()).digest(steps * _BYTES)
    slots = []
    for opening, start, finish in spans:
        length = timedelta(minutes=opening.slot_minutes)
        end = start + length
        while end <= finish:
            at = (start - midnight) // STEP * _BYTES
            taken = int.from_bytes(draws[at : at + 2]) / 65536 < opening.taken
            shape = opening.mix.shape(int.from_bytes(draws[at + 2 : at + 4]) / 65536)
            slots.append(Slot(start, end, shape, taken))
            start, end = end, end + length
    slots.sort(key=attrgetter("start"))
    return tuple(slots)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of a local wall-clock time; one that the change of clocks skips is that change itself."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    while True:
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            return instant
        wall += timedelta(minutes=1)

"""A week of a calendar as a grid: every slot, free or not, how it stands and why, and the appointments in it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR
from mock_editor.booking.week import Week, day_name, moment
from mock_editor.calendars.availability import Unavailable
from mock_editor.calendars.catalogue import OwnedCalendar, stamp
from mock_editor.calendars.generator import times_of
from mock_editor.calendars.model import Appointment, SlotShape, Window, start_of_day
from mock_editor.calendars.taken import Standing

_FIRST, _LAST = date(FIRST_YEAR, 1, 8), date(LAST_YEAR, 12, 20)
_A_WEEK = timedelta(days=7)
# A cell is as high as the rows that it covers, up to so many (console.css).
_MOST_ROWS = 12


class CellState(StrEnum):
    """How a slot stands, as a cell shows it."""

    FREE = "free"
    HELD = "held"
    TAKEN = "taken"
    CLOSED = "closed"
    CLOSED_DAY = "closed-day"
    ABSENT = "absent"


STATES = {
    CellState.FREE: "libre",
    CellState.HELD: "rendez-vous",
    CellState.TAKEN: "occupé, dans le scénario",
    CellState.CLOSED: "fermé à la main",
    CellState.CLOSED_DAY: "journée fermée à la main",
    CellState.ABSENT: "absence saisie à la main",
}


_STATES = {
    None: CellState.FREE,
    Unavailable.BOOKED: CellState.TAKEN,  # since the appointments were read
    Unavailable.TAKEN: CellState.TAKEN,
    Unavailable.CLOSED: CellState.CLOSED,
    Unavailable.DAY_CLOSED: CellState.CLOSED_DAY,
    Unavailable.ABSENT: CellState.ABSENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A slot, or an appointment where there is no slot any more (then without ``shape``).

    ``opened``: by hand, or its day was; ``set``: it was opened or closed by itself; ``extra``: of an extra opening.
    """

    id: str
    start: datetime
    end: datetime
    times: str
    moment: str
    state: CellState
    shape: SlotShape | None = None
    appointment: Appointment | None = None
    opened: bool = False
    set: bool = False
    extra: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the grid: the time at which slots start, or a pause without any."""

    minute: int
    pause: bool = False

    @property
    def time(self) -> str:
        """« 08:15 »."""
        return "" if self.pause else f"{self.minute // 60:02}:{self.minute % 60:02}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where slots are in the column of a day, or nothing is: ``rows`` of the grid from ``row`` on."""

    cells: Sequence[Cell]
    row: Row
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Day:
    """The column of a day. ``opened`` tells that it was opened or closed as a whole, by hand."""

    date: date
    today: bool
    over: bool
    opened: bool | None
    absent: bool
    extra: bool
    cells: Sequence[Cell]
    places: Sequence[Place]

    @property
    def name(self) -> str:
        """« vendredi 20 novembre 2026 »."""
        return day_name(self.date)

    def count(self, state: str) -> int:
        """How many of its slots stand so."""
        return sum(cell.state == state for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Grid:
    """Seven days with the lines that they share."""

    week: Week
    rows: Sequence[Row]
    days: Sequence[Day]

    @property
    def cells(self) -> list[Cell]:
        """All of them, in order."""
        return [cell for day in self.days for cell in day.cells]

    def day(self, asked: date | None) -> Day | None:
        """One of its days."""
        return next((one for one in self.days if one.date == asked), None)

    def at(self, start: datetime) -> Cell | None:
        """The slot that starts then."""
        return next((one for one in self.cells if one.start == start), None)


def week_of(asked: date, at: OwnedCalendar) -> Week:
    """The week with a day."""
    day, zone = min(max(asked, _FIRST), _LAST), at.zone
    first = day - timedelta(days=day.weekday())
    window = Window(start_of_day(first, zone), start_of_day(first + _A_WEEK, zone))
    previous, following = first - _A_WEEK, first + _A_WEEK
    return Week(first, window, previous if previous >= _FIRST else None, following if following <= _LAST else None)


def grid(at: OwnedCalendar, week: Week, standing: Standing, appointments: Iterable[Appointment], now: datetime) -> Grid:
    """A week of a calendar. ``appointments`` are those that hold slots of it."""
    zone, calendar, overlay = at.zone, at.calendar, standing.overlay
    held = {one.start: one for one in appointments}
    dates = [week.first + timedelta(days=shift) for shift in range(7)]
    found: dict[date, list[Cell]] = {day: [] for day in dates}
    # A night's slots belong to the opening of the day before.
    for opened_on in (week.first - timedelta(days=1), *dates):
        extra = overlay.extra.get(opened_on, ())
        added = {start for start, _ in times_of(extra, zone, opened_on)}
        for slot, why in standing.day(calendar, opened_on):
            day = slot.start.astimezone(zone).date()
            if day in found:
                appointment = held.pop(slot.start, None)
                state = CellState.HELD if appointment else _STATES[why]
                by_hand = overlay.slots.get(slot.start, overlay.days.get(opened_on, False))
                found[day].append(
                    Cell(
                        **_times(at, slot.start, slot.end),
                        state=state,
                        shape=slot.shape,
                        appointment=appointment,
                        opened=state is CellState.FREE and by_hand,
                        set=slot.start in overlay.slots,
                        extra=slot.start in added,
                        over=slot.end <= now,
                    )
                )
    for one in held.values():
        cell = Cell(**_times(at, one.start, one.end), state=CellState.HELD, appointment=one, over=one.end <= now)
        found[one.start.astimezone(zone).date()].append(cell)
    rows = _rows([(_minute(cell, at), cell) for cells in found.values() for cell in cells])
    today = now.astimezone(zone).date()
    days = []
    for day, cells in found.items():
        cells.sort(key=lambda cell: cell.start)
        absent = any(one.covers(day) for one in (*overlay.absences, *calendar.plan.absences))
        places = _places(cells, rows, at)
        opened, more = overlay.days.get(day), day in overlay.extra
        days.append(Day(day, day == today, day < today, opened, absent, more, cells, places))
    return Grid(week, rows, days)


def _times(at: OwnedCalendar, start: datetime, end: datetime) -> dict[str, Any]:
    zone = at.zone
    return {
        "id": f"{at.key}-{stamp(start)}",
        "start": start,
        "end": end,
        "times": f"{start.astimezone(zone):%H:%M} – {end.astimezone(zone):%H:%M}",
        "moment": moment(start, zone),
    }


def _minute(cell: Cell, at: OwnedCalendar) -> int:
    """When it starts on the clock of its day."""
    local = cell.start.astimezone(at.zone)
    return local.hour * 60 + local.minute


def _rows(cells: Sequence[tuple[int, Cell]]) -> list[Row]:
    """A line for each time at which something starts, and one for each pause of all days."""
    ends: defaultdict[int, int] = defaultdict(int)
    for minute, cell in cells:
        ends[minute] = max(ends[minute], minute + (cell.end - cell.start) // timedelta(minutes=1))
    rows: list[Row] = []
    until = 0
    for minute in sorted(ends):
        if rows and minute > until:
            rows.append(Row(until, pause=True))
        rows.append(Row(minute))
        until = max(until, ends[minute])
    return rows


def _places(cells: Sequence[Cell], rows: Sequence[Row], at: OwnedCalendar) -> list[Place]:
    starting: defaultdict[int, list[Cell]] = defaultdict(list)
    for cell in cells:
        starting[_minute(cell, at)].append(cell)
    places: list[Place] = []
    rest = list(rows)
    while rest:
        row, count = rest[0], 1
        here = [] if row.pause else starting[row.minute]
        if here:
            until = row.minute + max(cell.end - cell.start for cell in here) // timedelta(minutes=1)
            count = min(sum(other.minute < until for other in rest), _MOST_ROWS)
            # What lies across others, since the scenario has changed.
            here = [cell for other in rest[:count] for cell in starting[other.minute]]
        places.append(Place(here, row, count))
        rest = rest[count:]
    return places

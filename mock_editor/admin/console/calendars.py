"""Calendars of practitioners and associations, week by week: what is free, what is not and why, and changing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from flask import Response, url_for

from mock_editor.admin.console.appointments import Bookers
from mock_editor.admin.console.context import Console, Route, number
from mock_editor.admin.console.grid import STATES, Cell, CellState, Day, Grid, grid, week_of
from mock_editor.admin.operations.calendars import ChangeFilter, list_changes
from mock_editor.admin.practice import PlacedAppointment, Practice, read_slot
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import Page
from mock_editor.booking.week import (
    CONSULTATION_TYPES,
    day_and_month,
    day_name,
    day_of_month,
    moment,
    read_day,
    weekday,
)
from mock_editor.calendars.catalogue import OwnedCalendar, calendars_of, find_calendar
from mock_editor.calendars.model import (
    AppointmentType,
    Editor,
    SlotType,
)
from mock_editor.calendars.owners import MOST_SEARCHED, OwnerFilter, owners

_PEOPLE = 20
_MOST_PAGES = MOST_SEARCHED // _PEOPLE
_TOUCHED, _CHANGES = 12, 100
TYPES = {
    SlotType.PUBLIC: "Grand public",
    SlotType.PRO: "Professionnels",
    SlotType.SNP: "Soins non programmés (SAS)",
    SlotType.CPTS: "Membres de CPTS",
    SlotType.OWN_PATIENTS: "Patients du praticien, jamais exposé",
    SlotType.PRIVATE: "Privé, jamais exposé",
    SlotType.STRUCTURE: "Structure, jamais exposé",
}
# What stands in a slot of the grid.
_BADGES = {SlotType.OWN_PATIENTS: "Patients", SlotType.PRIVATE: "Privé", SlotType.STRUCTURE: "Structure"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was clicked on in a grid: an appointment, a slot or a day; ``gone`` when it is not there (any more)."""

    placed: PlacedAppointment | None = None
    cell: Cell | None = None
    day: Day | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class ChangeByHand:
    """What was opened or closed by hand, and the operation that takes it back, with its path and its fields."""

    what: str
    where: str
    url: str
    operation: str
    path: Mapping[str, str]
    hidden: Mapping[str, str]


def calendars(console: Console) -> Response:
    catalogue = console.world.catalogue
    asked = console.asked()
    editor = catalogue.editor(asked.one("editeur") or next(iter(catalogue.editors)))
    text, page = (asked.one("q") or "").strip(), number(asked.one("page"), _MOST_PAGES) or 1
    found, more = owners(editor, OwnerFilter(text=text or None), Page(_PEOPLE, page))
    touched = [] if text or page > 1 else _touched(console, editor)
    return console.show(
        "agendas.html",
        editors=catalogue.editors.values(),
        editor=editor,
        text=text,
        page=page,
        found=[(owner, calendars_of(editor, owner.id)) for owner in found],
        more=more and page < _MOST_PAGES,
        total=len(editor.directory) + len(editor.associations),
        searched=MOST_SEARCHED,
        touched=touched,
        held=lambda at: len(catalogue.taken.standing(at.calendar).held),
    )


def calendar(console: Console, editor: str, calendar: str) -> Response:
    catalogue = console.world.catalogue
    at = find_calendar(catalogue.editor(editor), calendar)
    if at is None:
        raise refused(Code.NO_SUCH_PAGE)
    asked, now = console.asked(), catalogue.clock.now()
    placed, start = _placed(console, asked.one("rdv"), at), _start(asked.one("creneau"), at)
    instant = placed.appointment.start if placed else start
    day = read_day(asked.one("jour"))
    first = instant.astimezone(at.zone).date() if instant else day or read_day(asked.one("semaine"))
    today = now.astimezone(at.zone).date()
    shown_week = week_of(first or today, at)
    standing = catalogue.taken.standing(at.calendar)
    held = console.world.appointments.during(editor, calendar, shown_week.window)
    found = grid(at, shown_week, standing, held, now)
    return console.show(
        "agenda.html",
        at=at,
        grid=found,
        today=today,
        chosen=_chosen(found, placed, start, day),
        # On a narrow screen there is room for one day.
        shown=found.day(first) or found.day(today) or found.days[0],
        asked=any(asked.one(name) for name in ("rdv", "creneau", "jour")),
        others=calendars_of(at.editor, at.owner.id),
        changes=_changes(console, at),
        most=_CHANGES,
        overlay=standing.overlay,
        bookers=Bookers(console.world),
        states=STATES,
        types=TYPES,
        badge=lambda one: _BADGES.get(one, one.value),
        kinds=CONSULTATION_TYPES,
        walk_in=AppointmentType.WALKIN,
        short=_short,
        site=f"{console.world.public_url}/{editor}/agenda/{at.owner.id}?lieu={at.place.key}",
        free=[(one.id, _option(one, at)) for one in found.cells if one.state is CellState.FREE and not one.over],
    )


def _placed(console: Console, identifier: str | None, at: OwnedCalendar) -> PlacedAppointment | None:
    """The appointment that was chosen, if it is in this calendar."""
    if not identifier or console.world.appointments.find(at.editor.slug, identifier) is None:
        return None
    placed = Practice(console.world).find(at.editor.slug, identifier)
    return placed if placed.appointment.calendar == at.key else None


def _option(cell: Cell, at: OwnedCalendar) -> str:
    """« vendredi 20, 08:15 – 08:30, PUBLIC PRO »."""
    day = cell.start.astimezone(at.zone).date()
    types = " ".join(cell.shape.types) if cell.shape else ""
    return f"{weekday(day)} {day_of_month(day)}, {cell.times}, {types}"


def _start(slot: str | None, at: OwnedCalendar) -> datetime | None:
    """When the slot starts that was chosen, if it is one of this calendar."""
    try:
        key, start = read_slot(slot or "")
    except ValueError:
        return None
    return start if key == at.key else None


def _chosen(found: Grid, placed: PlacedAppointment | None, start: datetime | None, day: date | None) -> Chosen:
    if placed:
        return Chosen(placed=placed, cell=found.at(placed.appointment.start))
    if start:
        cell = found.at(start)
        return Chosen(cell=cell, gone=cell is None)
    return Chosen(day=found.day(day))


def _touched(console: Console, editor: Editor) -> Sequence[OwnedCalendar]:
    """Some calendars in which something has happened: appointments, or changes by hand."""
    keys = list(islice(list(console.world.catalogue.taken.of(editor.seed)), _TOUCHED))
    return [found for key in keys if (found := find_calendar(editor, key))]


# --- what was done by hand


def _changes(console: Console, at: OwnedCalendar) -> list[ChangeByHand]:
    """What was opened and closed by hand in a calendar, or for its owner."""
    found = list_changes.run(console.control, at.editor.slug, ChangeFilter(calendar=at.key)).changes
    return [_change(one, at) for one in found]


def _change(one: Any, at: OwnedCalendar) -> ChangeByHand:
    here: dict[str, Any] = {"editor": at.editor.slug, "calendar": at.key}
    link: dict[str, Any] = {"jour": one.first.isoformat()}
    days = _days(one.first, one.last)
    if one.kind == "slot":
        _, start = read_slot(one.slot)
        place, hidden = {"editor": at.editor.slug, "slot": one.slot}, {"body.state": "scenario"}
        operation, link = "setSlot", {"creneau": one.slot}
        what, days = f"Créneau {'ouvert' if one.open else 'fermé'}", moment(start, at.zone)
    elif one.kind == "day":
        place, hidden = here | {"day": one.first.isoformat()}, {"body.state": "scenario"}
        operation, what = "setDay", f"Journée {'ouverte' if one.open else 'fermée'}"
    else:
        place, hidden = {"editor": at.editor.slug, "identifier": one.id}, {}
        extra = one.kind == "extra"
        operation, what = ("removeOpening", "Créneaux ajoutés") if extra else ("endAbsence", "Absence")
        if extra:
            days += f", {', '.join(one.opening['hours'])}"
    return ChangeByHand(
        what, days, url_for("console.calendar", **here, **link, _anchor="choix"), operation, place, hidden
    )


def _days(first: date, last: date) -> str:
    return day_name(first) if first == last else f"du {day_name(first)} au {day_name(last)}"


def _short(day: date) -> tuple[str, str]:
    """« vendredi », « 20 novembre »."""
    return weekday(day), day_and_month(day)


ROUTES = (
    Route("/agendas", calendars),
    Route("/agendas/<editor>/<calendar>", calendar),
)

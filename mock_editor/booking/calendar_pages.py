"""The calendars of an editor: the directory, a week of one, and booking a slot of it."""

import itertools
from datetime import datetime
from typing import Any

from flask import Response, g, request, url_for

from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.booking import week as view
from mock_editor.booking.access import Session
from mock_editor.booking.entrance import visitor
from mock_editor.booking.site import page, redirect, site
from mock_editor.calendars.catalogue import OwnedCalendar, calendars_of, read_stamp
from mock_editor.calendars.model import Editor

_LISTED = 40


def entry() -> Response:
    """The first page."""
    return redirect(url_for("web.directory"))


def directory() -> Response:
    """The list of owners of calendars."""
    visitor()
    people = list(itertools.islice(g.editor.directory, _LISTED))
    more = len(g.editor.directory) > len(people)
    return page("annuaire.html", people=people, more=more, associations=list(g.editor.associations.values()))


def calendar(owner: str) -> Response:
    """A week of a calendar."""
    session = visitor()
    # Some clients append `?origin=` to the link, so a second `?` separates as well.
    asked = Parameters(request.query_string.replace(b"?", b"&"))
    at = _calendar(g.editor, owner, asked.one("lieu"))
    return page("agenda.html", **week_of(session, at, asked), moved=None)


def booking_form(owner: str) -> Response:
    """The form to book a slot."""
    session = visitor()
    asked = Parameters(request.query_string)
    at = _calendar_to_book(owner, asked.one("lieu"))
    exposed = session.exposed(at)
    slot = site().bookings.bookable_slot(at, required_start(asked.one("creneau")), exposed)
    return page("reserver.html", at=at, slot=view.shown(slot, at.zone, exposed))


def book(owner: str) -> Response:
    """Books a slot for a patient."""
    session = visitor()
    field = site().forms.read()
    at = _calendar_to_book(owner, field("lieu"))
    patient = f"{field('prenom')} {field('nom')}" if field("nom") else ""
    start = required_start(field("creneau"))
    regulator = g.account.regulator if g.account else None
    made = site().bookings.book(at, start, session, regulator, patient=patient, reason=field("motif"))
    return redirect(url_for("web.appointment", identifier=made.id, nouveau=1))


def week_of(session: Session, at: OwnedCalendar, asked: Parameters) -> dict[str, Any]:
    """The content of a week, for the page of a calendar and the one that moves an appointment."""
    now = site().catalogue.clock.now()
    wanted = _start(asked.one("creneau"))
    day = view.read_day(asked.one("semaine")) or (view.local_day(wanted, at) if wanted else None)
    exposed = session.exposed(at)
    week = view.week(at, day, now)
    slots = site().bookings.free_slots(at, week.window, exposed)
    today = view.local_day(now, at)
    days = [
        (date, [view.shown(slot, at.zone, exposed, wanted) for slot in of_day])
        for date, of_day in week.days(slots, at.zone)
        if date >= today
    ]
    missing = wanted is not None and not any(slot.start == wanted for slot in slots)
    calendars = calendars_of(at.editor, at.owner.id)
    return {"at": at, "calendars": calendars, "week": week, "days": days, "missing": missing}


def required_start(text: str | None) -> datetime:
    """The start of the chosen slot. Raises 400 when none was chosen."""
    start = _start(text)
    if start is None:
        raise refused(Code.SLOT_NOT_CHOSEN)
    return start


def _start(text: str | None) -> datetime | None:
    try:
        return read_stamp(text or "")
    except ValueError:
        return None


def _calendar_to_book(owner: str, place: str | None) -> OwnedCalendar:
    """A calendar by its owner and place. A refusal then links back to it."""
    found = _calendar(g.editor, owner, place)
    g.back = url_for("web.calendar", owner=owner, lieu=found.place.key)
    return found


def _calendar(editor: Editor, owner: str, place: str | None) -> OwnedCalendar:
    """A calendar by its owner and place; without a place, the owner's first. Raises 404."""
    chosen = next((at for at in calendars_of(editor, owner) if not place or at.place.key == place), None)
    if chosen is None:
        raise refused(Code.CALENDAR_NOT_ON_SITE)
    return chosen


PAGES = (
    ("GET", "/", entry),
    ("GET", "/agenda", directory),
    ("GET", "/agenda/<owner>", calendar),
    ("GET", "/agenda/<owner>/reserver", booking_form),
    ("POST", "/agenda/<owner>/reserver", book),
)

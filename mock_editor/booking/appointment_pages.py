"""The visitor's appointments: the list, the page of one, cancelling and moving."""

from flask import Response, g, request, url_for

from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.booking.access import Session
from mock_editor.booking.calendar_pages import required_start, week_of
from mock_editor.booking.entrance import visitor
from mock_editor.booking.site import page, redirect, site
from mock_editor.calendars.catalogue import OwnedCalendar
from mock_editor.calendars.model import OPEN_STATUSES, Appointment


def mine() -> Response:
    """The list of the visitor's appointments."""
    session, bookings = visitor(), site().bookings
    appointments = site().appointments.of(g.slug, session.booker)
    return page("rendez_vous.html", appointments=[(booked, bookings.calendar_of(booked)) for booked in appointments])


def appointment(identifier: str) -> Response:
    """The page of one appointment."""
    _, found = _own(identifier)
    is_open = found.status in OPEN_STATUSES
    new = bool(Parameters(request.query_string).one("nouveau"))
    return page("fiche.html", appointment=found, at=site().bookings.calendar_of(found), open=is_open, new=new)


def cancel(identifier: str) -> Response:
    """Cancels an appointment."""
    visitor()
    site().forms.read()
    _, found = _own(identifier)
    site().bookings.cancel(found)
    return redirect(url_for("web.appointment", identifier=identifier))


def choose(identifier: str) -> Response:
    """The page on which another slot is chosen for an appointment."""
    session, found = _own(identifier)
    asked = Parameters(request.query_string)
    return page("agenda.html", **week_of(session, _calendar_of(found), asked), moved=found)


def move(identifier: str) -> Response:
    """Moves an appointment to another slot."""
    visitor()
    field = site().forms.read()
    session, found = _own(identifier)
    to = _calendar_of(found)
    g.back = url_for("web.appointment", identifier=identifier)
    site().bookings.move(found, to, required_start(field("creneau")), session.exposed(to))
    return redirect(url_for("web.appointment", identifier=identifier))


def _own(identifier: str) -> tuple[Session, Appointment]:
    """An appointment of the visitor. Raises the same 404 for an unknown one and for somebody else's."""
    session = visitor()
    found = site().appointments.find(g.slug, identifier)
    if found is None or found.booker != session.booker or (found.sas and not session.sas):
        raise refused(Code.APPOINTMENT_NOT_THEIRS)
    return session, found


def _calendar_of(found: Appointment) -> OwnedCalendar:
    """The calendar of an appointment. Raises 409 when it no longer exists."""
    at = site().bookings.calendar_of(found)
    if at is None:
        raise refused(Code.CALENDAR_LOST)
    return at


PAGES = (
    ("GET", "/rendez-vous", mine),
    ("GET", "/rendez-vous/<identifier>", appointment),
    ("POST", "/rendez-vous/<identifier>/annuler", cancel),
    ("GET", "/rendez-vous/<identifier>/deplacer", choose),
    ("POST", "/rendez-vous/<identifier>/deplacer", move),
)

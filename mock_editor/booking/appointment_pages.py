"""The appointments of whoever is there: their list, each of them, cancelling and moving one."""

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
    """Their list."""
    session, bookings = visitor(), site().bookings
    found = [(one, bookings.calendar_of(one)) for one in site().appointments.of(g.slug, session.booker)]
    return page("rendez_vous.html", found=found)


def appointment(identifier: str) -> Response:
    """One of them."""
    _, found = _own(identifier)
    still = found.status in OPEN_STATUSES
    new = bool(Parameters(request.query_string).one("nouveau"))
    return page("fiche.html", one=found, at=site().bookings.calendar_of(found), open=still, new=new)


def cancel(identifier: str) -> Response:
    """Cancels one."""
    visitor()
    site().forms.read()
    _, found = _own(identifier)
    site().bookings.cancel(found)
    return redirect(url_for("web.appointment", identifier=identifier))


def choose(identifier: str) -> Response:
    """The choice of another slot for one."""
    session, found = _own(identifier)
    asked = Parameters(request.query_string)
    return page("agenda.html", **week_of(session, _calendar_of(found), asked), moved=found)


def move(identifier: str) -> Response:
    """Moves one to another slot."""
    visitor()
    field = site().forms.read()
    session, found = _own(identifier)
    to = _calendar_of(found)
    g.back = url_for("web.appointment", identifier=identifier)
    site().bookings.move(found, to, required_start(field("creneau")), session.exposed(to))
    return redirect(url_for("web.appointment", identifier=identifier))


def _own(identifier: str) -> tuple[Session, Appointment]:
    """An appointment of whoever asks. Raises 404, which does not tell whether it is somebody else's."""
    session = visitor()
    found = site().appointments.find(g.slug, identifier)
    if found is None or found.booker != session.booker or (found.sas and not session.sas):
        raise refused(Code.APPOINTMENT_NOT_THEIRS)
    return session, found


def _calendar_of(found: Appointment) -> OwnedCalendar:
    """The calendar that an appointment is in. Raises 409."""
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

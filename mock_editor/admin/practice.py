"""Appointments as the practitioners' side sees them: what is around one, and what may be done with it now.

``booking/bookings.py`` has the last word on every operation; this says which are worth offering.
"""

from dataclasses import dataclass
from datetime import datetime

from mock_editor.accounts.model import Account
from mock_editor.base.errors import InvalidValueError, refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import Listing, Page
from mock_editor.booking.week import moment
from mock_editor.calendars.appointments import AppointmentFilter
from mock_editor.calendars.catalogue import OwnedCalendar, find_calendar, read_stamp
from mock_editor.calendars.identifiers import read_practitioner_id
from mock_editor.calendars.model import (
    HELD_STATUSES,
    OPEN_STATUSES,
    Appointment,
    AppointmentStatus,
    Editor,
    Practitioner,
)
from mock_editor.world.world import World

# Who has taken an appointment at the practice: neither an account nor a visitor of the web site.
PRACTICE = "practice"

_OUTCOMES = (AppointmentStatus.FULFILLED, AppointmentStatus.NOSHOW)
_LONGEST_KEY = 100


@dataclass(frozen=True, slots=True)
class PlacedAppointment:
    """An appointment with its editor and calendar; ``calendar`` is None when the scenario has lost it."""

    editor: Editor
    appointment: Appointment
    calendar: OwnedCalendar | None

    @property
    def when(self) -> str:
        """« vendredi 20 novembre 2026 à 09:20 », where it is."""
        zone = self.calendar.zone if self.calendar else self.editor.zone
        return moment(self.appointment.start, zone)

    @property
    def practitioner(self) -> Practitioner | None:
        """Who sees the patient, if the editor knows them."""
        return self.editor.directory.find(self.appointment.practitioner or "")

    @property
    def open(self) -> bool:
        """Whether it is still to come."""
        return self.appointment.status in OPEN_STATUSES

    @property
    def outcomes(self) -> list[AppointmentStatus]:
        """What may be noted of the patient's coming."""
        held = self.appointment.status in HELD_STATUSES
        return [one for one in _OUTCOMES if held and one is not self.appointment.status]

    @property
    def movable(self) -> bool:
        """Whether it can go to another slot."""
        return self.open and self.calendar is not None

    def calendar_for(self, key: str | None) -> OwnedCalendar:
        """The calendar to move it to, its own unless another is named. Raises 404, 409."""
        if self.calendar is None:
            raise refused(Code.CALENDAR_LOST)
        if not self.open:
            raise refused(Code.APPOINTMENT_NOT_MOVABLE)
        if not key:
            return self.calendar
        found = find_calendar(self.editor, key)
        # An association keeps its patients, and takes none from practitioners.
        same_owner = found is not None and found.owner.id == self.calendar.owner.id
        if found is None or not (same_owner or (isinstance(found.owner, Practitioner) and not self.appointment.sos)):
            raise refused(Code.CALENDAR_NOT_SUITABLE)
        return found


class Practice:
    """The appointments of every editor, and what is done to them."""

    def __init__(self, world: World) -> None:
        self._world = world

    # --- looking

    def find(self, editor: str, identifier: str) -> PlacedAppointment:
        """One of them. Raises 404."""
        slug = self._world.catalogue.editor(editor).slug
        return self._placed(self._world.appointments.read(slug, identifier))

    def listing(self, wanted: AppointmentFilter, page: Page) -> Listing[PlacedAppointment]:
        """A page of those that are asked for, the very last that was made first."""
        found = self._world.appointments.listing(wanted, page)
        return Listing([self._placed(one) for one in found.items], found.total)

    def _placed(self, appointment: Appointment) -> PlacedAppointment:
        editor = self._world.catalogue.editor(appointment.editor)
        return PlacedAppointment(editor, appointment, self._world.bookings.calendar_of(appointment))

    # --- doing

    def take(
        self, editor: Editor, key: str, start: datetime, account: Account | None, *, patient: str, reason: str
    ) -> Appointment:
        """Takes a slot as the regulator with this account, through the SAS; without one, at the practice.

        Raises 404 for a calendar that is not there, and 409, 422.
        """
        found = find_calendar(editor, key)
        if found is None:
            raise refused(Code.CALENDAR_UNKNOWN, calendar=key[:_LONGEST_KEY], editor=editor.slug)
        if account and not account.active:
            raise refused(Code.BOOKER_INACTIVE)
        regulator = account.regulator if account else None
        if account and not regulator:
            raise refused(Code.BOOKER_UNKNOWN_TO_SAS)
        return self._world.bookings.take(
            found,
            start,
            regulator=regulator,
            booker=account.id if account else PRACTICE,
            patient=patient,
            reason=reason,
        )

    def move(self, placed: PlacedAppointment, key: str | None, start: datetime) -> Appointment:
        """Moves an appointment to any free slot, of its own calendar unless another is named. Raises 404, 409."""
        return self._world.bookings.move(placed.appointment, placed.calendar_for(key), start, None)

    def assign(self, placed: PlacedAppointment, typed: str) -> Appointment:
        """Says who sees the patient of SOS Médecins. Raises 409, 422 for what is no identifier."""
        if not placed.appointment.sos:
            raise refused(Code.ASSIGNMENT_NOT_SOS)
        national_id = read_practitioner_id(typed)
        if national_id is None:
            raise refused(Code.PRACTITIONER_ID_WRONG)
        return self._world.bookings.assign(placed.appointment, national_id)


def read_slot(identifier: str) -> tuple[str, datetime]:
    """The key of the calendar and the start of the slot with this FHIR id. Raises InvalidValueError."""
    key, _, start = identifier.rpartition("-")
    try:
        return key, read_stamp(start)
    except ValueError:
        raise InvalidValueError(Code.SLOT_ID_MALFORMED) from None

"""Appointments as the practitioners' side sees them: what is around one, and what may be done with it now.

``booking/bookings.py`` has the last word on every operation; this says which are worth offering.
"""

from dataclasses import dataclass

from mock_editor.booking.access import PageError
from mock_editor.booking.bookings import Bookings
from mock_editor.booking.week import moment
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Agenda, Catalogue, agenda
from mock_editor.calendars.model import (
    HELD_STATUSES,
    OPEN_STATUSES,
    Appointment,
    AppointmentStatus,
    Editor,
    Practitioner,
)

_OUTCOMES = (AppointmentStatus.FULFILLED, AppointmentStatus.NOSHOW)


@dataclass(frozen=True, slots=True)
class Case:
    """An appointment with its editor and agenda; ``agenda`` is None when the scenario has lost it."""

    editor: Editor
    appointment: Appointment
    agenda: Agenda | None

    @property
    def when(self) -> str:
        """« vendredi 20 novembre 2026 à 09:20 », where it is."""
        zone = self.agenda.calendar.zone if self.agenda else self.editor.zone
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
        return self.open and self.agenda is not None

    def agenda_for(self, key: str | None) -> Agenda:
        """The agenda to move it to, its own unless another is named. Raises PageError."""
        if self.agenda is None:
            raise PageError(409, "Agenda disparu", "L’agenda de ce rendez-vous n’existe plus.")
        if not self.open:
            text = "Dans l’état où se trouve ce rendez-vous, il ne peut plus être déplacé."
            raise PageError(409, "Rendez-vous clos", text)
        if not key:
            return self.agenda
        found = agenda(self.editor, key)
        # An association keeps its patients, and takes none from practitioners.
        same_owner = found is not None and found.owner.id == self.agenda.owner.id
        if found is None or not (same_owner or (isinstance(found.owner, Practitioner) and not self.appointment.sos)):
            raise PageError(404, "Agenda introuvable", "Ce rendez-vous ne peut pas aller dans cet agenda.")
        return found


class Cases:
    """The appointments of every editor."""

    def __init__(self, catalogue: Catalogue, appointments: Appointments, bookings: Bookings) -> None:
        self._catalogue = catalogue
        self._appointments = appointments
        self._bookings = bookings

    def find(self, editor: str, identifier: str) -> Case:
        """One of them. Raises NotFoundError."""
        return self._case(self._appointments.read(self._catalogue.editor(editor).slug, identifier))

    def latest(self, editors: list[Editor], count: int) -> tuple[list[Case], int]:
        """The last ``count`` that were made at some editors, the very last first; and how many there are."""
        found = [one for editor in editors for one in self._appointments.of(editor.slug)]
        # Under a frozen clock all are made at once.
        found.sort(key=lambda one: (one.created, one.start), reverse=True)
        return [self._case(one) for one in found[:count]], len(found)

    def _case(self, appointment: Appointment) -> Case:
        return Case(self._catalogue.editor(appointment.editor), appointment, self._bookings.agenda_of(appointment))

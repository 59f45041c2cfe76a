"""Taking, moving and ending appointments: the rules, whoever asks. ``calendars/appointments.py`` keeps them."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.booking.access import Session
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.availability import Unavailable, refusal
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, find_calendar
from mock_editor.calendars.model import (
    HELD_STATUSES,
    OPEN_STATUSES,
    Appointment,
    AppointmentStatus,
    AppointmentType,
    Practitioner,
    RegulatorId,
    Slot,
    SlotType,
    Window,
)

_LONGEST = 200


class Bookings:
    """What may happen to appointments. Every operation raises EditorError when it may not."""

    def __init__(self, catalogue: Catalogue, appointments: Appointments) -> None:
        self._catalogue = catalogue
        self._appointments = appointments

    # --- looking

    def free_slots(self, at: OwnedCalendar, window: Window, exposed: frozenset[SlotType]) -> list[Slot]:
        """What a calendar shows in a window."""
        return list(self._catalogue.free_slots(at.calendar, window, exposed))

    def bookable_slot(self, at: OwnedCalendar, start: datetime, exposed: frozenset[SlotType]) -> Slot:
        """The slot that starts then, if it can be booked now."""
        slot = self._available(at, start, exposed)
        if slot.shape.appointment_type is AppointmentType.WALKIN:
            raise refused(Code.SLOT_WALK_IN)
        return slot

    def calendar_of(self, appointment: Appointment) -> OwnedCalendar | None:
        """Where an appointment is; None when the scenario no longer has that calendar."""
        return find_calendar(self._catalogue.editor(appointment.editor), appointment.calendar)

    # --- doing

    def book(
        self,
        at: OwnedCalendar,
        start: datetime,
        session: Session,
        regulator: RegulatorId | None,
        *,
        patient: str,
        reason: str,
    ) -> Appointment:
        """Takes a slot for a patient. ``regulator`` is how the SAS knows who does, in a session opened from there."""
        _expect_named(patient)
        slot = self.bookable_slot(at, start, session.exposed(at))
        return self._add(at, slot, regulator if session.sas else None, session.booker, patient, reason)

    def take(
        self,
        at: OwnedCalendar,
        start: datetime,
        *,
        regulator: RegulatorId | None,
        booker: str,
        patient: str,
        reason: str,
    ) -> Appointment:
        """Takes a slot for a patient without anybody's session; ``booker`` is whose the appointment is.

        The practice itself takes any free slot that is not over yet; ``regulator``, as one of the SAS, what such a one
        sees and may book.
        """
        _expect_named(patient)
        if regulator is None:
            slot = self._slot_of_practice(at, start)
        else:
            # Theirs would show the same.
            session = Session(key="", editor=at.editor.slug, account=booker, sas=True)
            slot = self.bookable_slot(at, start, session.exposed(at))
        return self._add(at, slot, regulator, booker, patient, reason)

    def move(
        self, of: Appointment, to: OwnedCalendar, start: datetime, exposed: frozenset[SlotType] | None
    ) -> Appointment:
        """Moves an appointment to another slot, of the same calendar or another practitioner's.

        To one of the types ``exposed`` to whoever does; None stands for the practice itself, as in ``take``.
        """
        slot = self._slot_of_practice(to, start) if exposed is None else self.bookable_slot(to, start, exposed)
        other = to.key != of.calendar
        changes: dict[str, Any] = {"calendar": to.key, "start": slot.start, "end": slot.end}
        if other and isinstance(to.owner, Practitioner):
            changes |= {"practitioner": to.owner.id, "status": AppointmentStatus.BOOKED, "sos": False}
        elif other:
            changes |= {"practitioner": None, "status": AppointmentStatus.PENDING, "sos": True}
        return self._change(of, OPEN_STATUSES, **changes)

    def cancel(self, of: Appointment) -> Appointment:
        """Cancels an appointment; its slot is free again."""
        return self._change(of, OPEN_STATUSES, status=AppointmentStatus.CANCELLED)

    def assign(self, of: Appointment, practitioner: str) -> Appointment:
        """Says who sees the patient, at a place of SOS Médecins; ``practitioner`` is a prefixed national identifier."""
        return self._change(of, OPEN_STATUSES, practitioner=practitioner, status=AppointmentStatus.BOOKED)

    def close(self, of: Appointment, *, honoured: bool, only_booked: bool = False) -> Appointment:
        """Notes whether the patient came; with ``only_booked``, unless it has been noted already."""
        status = AppointmentStatus.FULFILLED if honoured else AppointmentStatus.NOSHOW
        allowed = frozenset({AppointmentStatus.BOOKED}) if only_booked else HELD_STATUSES
        return self._change(of, allowed, status=status)

    def _slot_of_practice(self, at: OwnedCalendar, start: datetime) -> Slot:
        """The slot that starts then, if the practice itself can take it: it knows neither types nor lead times."""
        return self._available(at, start, None)

    def _available(self, at: OwnedCalendar, start: datetime, exposed: frozenset[SlotType] | None) -> Slot:
        slot, why = self._catalogue.availability(at.calendar, start, exposed)
        if slot is None or why:
            raise refusal(why or Unavailable.NO_SLOT)
        return slot

    def _add(
        self, at: OwnedCalendar, slot: Slot, regulator: RegulatorId | None, booker: str, patient: str, reason: str
    ) -> Appointment:
        now = self._catalogue.clock.now()
        with_practitioner = isinstance(at.owner, Practitioner)
        return self._appointments.add(
            Appointment(
                id="",
                editor=at.editor.slug,
                calendar=at.key,
                start=slot.start,
                end=slot.end,
                # A SOS place says later who consults.
                status=AppointmentStatus.BOOKED if with_practitioner else AppointmentStatus.PENDING,
                created=now,
                updated=now,
                regulator=regulator,
                booker=booker,
                sos=not with_practitioner,
                practitioner=at.owner.id if with_practitioner else None,
                patient=patient.strip()[:_LONGEST],
                reason=reason.strip()[:_LONGEST],
            )
        )

    def _change(self, of: Appointment, allowed: frozenset[AppointmentStatus], **changes: Any) -> Appointment:
        def edit(found: Appointment) -> Appointment:
            if found.status not in allowed:
                raise refused(Code.APPOINTMENT_CLOSED)
            return replace(found, updated=self._catalogue.clock.now(), **changes)

        return self._appointments.change(of.editor, of.id, edit)


def _expect_named(patient: str) -> None:
    if not patient.strip():
        raise refused(Code.PATIENT_NAME_MISSING)

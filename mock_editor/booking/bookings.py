"""The rules for booking, moving and ending appointments. ``calendars/appointments.py`` stores them."""

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
    """The operations on appointments. Each raises EditorError when it is not allowed."""

    def __init__(self, catalogue: Catalogue, appointments: Appointments) -> None:
        self._catalogue = catalogue
        self._appointments = appointments

    # --- looking

    def free_slots(self, at: OwnedCalendar, window: Window, exposed: frozenset[SlotType]) -> list[Slot]:
        """The slots that a calendar shows in a window."""
        return list(self._catalogue.free_slots(at.calendar, window, exposed))

    def bookable_slot(self, at: OwnedCalendar, start: datetime, exposed: frozenset[SlotType]) -> Slot:
        """The slot that starts then. Raises EditorError when it cannot be booked now."""
        slot = self._available(at, start, exposed)
        if slot.shape.appointment_type is AppointmentType.WALKIN:
            raise refused(Code.SLOT_WALK_IN)
        return slot

    def calendar_of(self, appointment: Appointment) -> OwnedCalendar | None:
        """The calendar of an appointment; None when the scenario no longer has it."""
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
        """Books a slot for a patient. ``regulator`` is the SAS's name for the visitor, used in SAS sessions only."""
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
        """Books a slot for a patient without a session; ``booker`` owns the appointment.

        With a ``regulator``, the slot has to be one that regulators see and may book. Without, the practice itself
        books: any free slot that is not over yet.
        """
        _expect_named(patient)
        if regulator is None:
            slot = self._slot_of_practice(at, start)
        else:
            # A session of the regulator would show the same slots.
            session = Session(key="", editor=at.editor.slug, account=booker, sas=True)
            slot = self.bookable_slot(at, start, session.exposed(at))
        return self._add(at, slot, regulator, booker, patient, reason)

    def move(
        self, of: Appointment, to: OwnedCalendar, start: datetime, exposed: frozenset[SlotType] | None
    ) -> Appointment:
        """Moves an appointment to another slot, in the same calendar or another one.

        ``exposed`` are the types that the caller sees. None stands for the practice itself, as in ``take``.
        """
        slot = self._slot_of_practice(to, start) if exposed is None else self.bookable_slot(to, start, exposed)
        other_calendar = to.key != of.calendar
        changes: dict[str, Any] = {"calendar": to.key, "start": slot.start, "end": slot.end}
        if other_calendar and isinstance(to.owner, Practitioner):
            changes |= {"practitioner": to.owner.id, "status": AppointmentStatus.BOOKED, "sos": False}
        elif other_calendar:
            changes |= {"practitioner": None, "status": AppointmentStatus.PENDING, "sos": True}
        return self._change(of, OPEN_STATUSES, **changes)

    def cancel(self, of: Appointment) -> Appointment:
        """Cancels an appointment; its slot is free again."""
        return self._change(of, OPEN_STATUSES, status=AppointmentStatus.CANCELLED)

    def assign(self, of: Appointment, practitioner: str) -> Appointment:
        """Notes who sees the patient at a place of SOS Médecins; ``practitioner`` is a prefixed national identifier."""
        return self._change(of, OPEN_STATUSES, practitioner=practitioner, status=AppointmentStatus.BOOKED)

    def close(self, of: Appointment, *, honoured: bool, only_booked: bool = False) -> Appointment:
        """Notes whether the patient came. With ``only_booked``, raises 409 when that has been noted already."""
        status = AppointmentStatus.FULFILLED if honoured else AppointmentStatus.NOSHOW
        allowed = frozenset({AppointmentStatus.BOOKED}) if only_booked else HELD_STATUSES
        return self._change(of, allowed, status=status)

    def _slot_of_practice(self, at: OwnedCalendar, start: datetime) -> Slot:
        """The slot that starts then, for the practice itself: neither types nor lead times apply to it."""
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
                # A SOS place assigns the practitioner later.
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

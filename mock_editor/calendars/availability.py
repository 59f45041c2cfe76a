"""Why a slot is not available: one list of reasons for searches, the web site, the console and the API."""

from collections.abc import Set
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code
from mock_editor.calendars.model import Booking, Slot, SlotType


class Unavailable(StrEnum):
    """Why a slot is not available. The first reason that applies counts."""

    NO_SLOT = "no-slot"
    """None starts at that time."""
    NOT_FOR_THEM = "not-for-them"
    """None of its types is exposed to the caller."""
    BOOKED = "booked"
    """An appointment holds it."""
    CLOSED = "closed"
    """It was closed by hand."""
    DAY_CLOSED = "day-closed"
    """Its day was closed by hand."""
    TAKEN = "taken"
    """The scenario has it taken."""
    ABSENT = "absent"
    """It lies in an absence: one entered by hand, or one of the scenario, which makes no slots then."""
    PAST = "past"
    """It has begun. For the practice itself: it is over."""
    TOO_SOON = "too-soon"
    """It begins before the lead time is over."""
    TOO_FAR = "too-far"
    """It begins beyond the horizon of its calendar."""


_CODES = {
    Unavailable.NO_SLOT: Code.SLOT_NO_SLOT,
    Unavailable.NOT_FOR_THEM: Code.SLOT_NOT_FOR_THEM,
    Unavailable.BOOKED: Code.SLOT_BOOKED,
    Unavailable.CLOSED: Code.SLOT_CLOSED,
    Unavailable.DAY_CLOSED: Code.SLOT_DAY_CLOSED,
    Unavailable.TAKEN: Code.SLOT_TAKEN,
    Unavailable.ABSENT: Code.SLOT_ABSENT,
    Unavailable.PAST: Code.SLOT_PAST,
    Unavailable.TOO_SOON: Code.SLOT_TOO_SOON,
    Unavailable.TOO_FAR: Code.SLOT_TOO_FAR,
}


def refusal(why: Unavailable) -> EditorError:
    """A 409 that gives the reason."""
    return refused(_CODES[why])


class Availability(NamedTuple):
    """A slot, if there is one, and why it is not available; ``why`` is None when it is."""

    slot: Slot | None
    why: Unavailable | None


def for_whom_and_when(
    found: Availability, exposed: Set[SlotType] | None, booking: Booking, now: datetime
) -> Availability:
    """The availability of a slot for one caller at this time; ``found`` is its availability for anybody.

    ``exposed`` are the types that the caller sees. None stands for the practice itself: neither types nor lead times
    apply to it. ``Catalogue.free_slots`` and the searches follow the same rules for all slots of a window at once.
    """
    slot, why = found
    if slot is None:
        return found
    if exposed is not None and exposed.isdisjoint(slot.shape.types):
        return Availability(slot, Unavailable.NOT_FOR_THEM)
    return Availability(slot, why or _too_late_or_early(slot, booking if exposed is not None else None, now))


def _too_late_or_early(slot: Slot, booking: Booking | None, now: datetime) -> Unavailable | None:
    if booking is None:
        return Unavailable.PAST if slot.end <= now else None
    if slot.start < now + booking.lead:
        return Unavailable.PAST if slot.start < now else Unavailable.TOO_SOON
    return Unavailable.TOO_FAR if slot.start >= now + booking.horizon else None

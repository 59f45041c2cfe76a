"""Calendars and appointments as pages show them, in French: weeks, labels, dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from mock_editor.base.data import specialties as specialty_labels
from mock_editor.calendars.catalogue import OwnedCalendar, stamp
from mock_editor.calendars.model import (
    AppointmentStatus,
    AppointmentType,
    ConsultationType,
    Practitioner,
    Slot,
    SlotShape,
    SlotType,
    Window,
    start_of_day,
)

_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)
SLOT_TYPES = {
    SlotType.PUBLIC: "Grand public",
    SlotType.PRO: "Professionnels",
    SlotType.SNP: "SNP (SAS)",
    SlotType.CPTS: "CPTS",
}
CONSULTATION_TYPES = {
    ConsultationType.AMB: "au cabinet",
    ConsultationType.HH: "à domicile",
    ConsultationType.VR: "téléconsultation",
}
STATUSES = {
    AppointmentStatus.PENDING: "En attente d’un médecin",
    AppointmentStatus.BOOKED: "Confirmé",
    AppointmentStatus.FULFILLED: "Honoré",
    AppointmentStatus.NOSHOW: "Non honoré",
    AppointmentStatus.CANCELLED: "Annulé",
}


def weekday(day: date) -> str:
    """« vendredi »."""
    return _DAYS[day.weekday()]


def day_and_month(day: date) -> str:
    """« 20 novembre »."""
    return f"{day_of_month(day)} {_MONTHS[day.month - 1]}"


def day_name(day: date) -> str:
    """« vendredi 20 novembre 2026 »."""
    return f"{weekday(day)} {day_and_month(day)} {day.year}"


def day_of_month(day: date) -> str:
    """« 20 », « 1er »."""
    return "1er" if day.day == 1 else str(day.day)


def moment(instant: datetime, zone: ZoneInfo) -> str:
    """« vendredi 20 novembre 2026 à 09:20 », in the time zone of the calendar."""
    local = instant.astimezone(zone)
    return f"{day_name(local.date())} à {local:%H:%M}"


def title(at: OwnedCalendar) -> str:
    """The name of the calendar's owner."""
    owner = at.owner
    if isinstance(owner, Practitioner):
        return " ".join(filter(None, ("Dr", owner.given, owner.family)))
    return owner.name


def place_name(at: OwnedCalendar) -> str:
    """The place of the calendar, in one line."""
    place = at.place
    name = "" if isinstance(at.owner, Practitioner) else f"{getattr(place, 'name', '')}, "
    return f"{name}{place.line}, {place.postal_code} {place.city}"


def specialties(at: OwnedCalendar) -> list[str]:
    """The labels of a practitioner's specialities."""
    owner = at.owner
    known = owner.specialties if isinstance(owner, Practitioner) else ()
    labels = specialty_labels()
    return [specialty.text or labels.get(str(specialty.code), str(specialty.code)) for specialty in known]


@dataclass(frozen=True, slots=True)
class ShownSlot:
    """A slot as a page shows it. ``types`` is empty for visitors who see one type only."""

    stamp: str
    time: str
    moment: str
    types: Sequence[str]
    kinds: Sequence[str]
    reasons: Sequence[str]
    walk_in: bool
    asked: bool


def shown(slot: Slot, zone: ZoneInfo, exposed: frozenset[SlotType], asked: datetime | None = None) -> ShownSlot:
    """A slot as a visitor sees it who is shown the types ``exposed``; ``asked`` is the start that was asked for."""
    shape: SlotShape = slot.shape
    start, end = slot.start.astimezone(zone), slot.end.astimezone(zone)
    return ShownSlot(
        stamp(slot.start),
        f"{start:%H:%M} – {end:%H:%M}",
        moment(slot.start, zone),
        [SLOT_TYPES[kind] for kind in shape.types if kind in exposed] if len(exposed) > 1 else [],
        [CONSULTATION_TYPES[kind] for kind in shape.consultation_types],
        shape.reasons,
        shape.appointment_type is AppointmentType.WALKIN,
        slot.start == asked,
    )


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days of a calendar from a Monday. ``previous`` and ``next`` are None where nothing can be booked."""

    first: date
    window: Window
    previous: date | None
    next: date | None

    @property
    def title(self) -> str:
        """« du 16 au 22 novembre 2026 »."""
        first, last = self.first, self.first + timedelta(days=6)
        # The month and the year appear once where they are the same.
        begin = f"{day_and_month(first)} {first.year}"
        if first.year == last.year:
            begin = day_of_month(first) if first.month == last.month else day_and_month(first)
        return f"du {begin} au {day_and_month(last)} {last.year}"

    def days(self, slots: Sequence[Slot], zone: ZoneInfo) -> list[tuple[date, list[Slot]]]:
        """The days of the week, each with the ``slots`` that start on it."""
        by_day: dict[date, list[Slot]] = {self.first + timedelta(days=shift): [] for shift in range(7)}
        for slot in slots:
            by_day[slot.start.astimezone(zone).date()].append(slot)
        return list(by_day.items())


def week(at: OwnedCalendar, asked: date | None, now: datetime) -> Week:
    """The week with the day ``asked``, or the first one, within the weeks that can be booked."""
    zone, booking = at.zone, at.calendar.plan.booking
    earliest = (now + booking.lead).astimezone(zone).date()
    latest = max(earliest, (now + booking.horizon).astimezone(zone).date())
    day = min(max(asked or earliest, earliest), latest)
    first = day - timedelta(days=day.weekday())
    after = first + timedelta(days=7)
    window = Window(start_of_day(first, zone), start_of_day(after, zone))
    previous = first - timedelta(days=7) if first > earliest else None
    return Week(first, window, previous, after if after <= latest else None)


def read_day(text: str | None) -> date | None:
    """A day as written in the links of a week; None for anything else."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def local_day(instant: datetime, at: OwnedCalendar) -> date:
    """The day of an instant in the time zone of a calendar."""
    return instant.astimezone(at.zone).date()

"""The terms of the domain as types: practitioner, structure, place, calendar, slot. A scenario creates them once."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo


class SlotType(StrEnum):
    """Whom a slot is for. Own-patients, private and structure are never exposed to the SAS; others vary by flow."""

    PUBLIC = "PUBLIC"
    PRO = "PRO"
    SNP = "SNP"
    CPTS = "CPTS"
    OWN_PATIENTS = "own-patients"
    PRIVATE = "private"
    STRUCTURE = "structure"


NEVER_EXPOSED = frozenset({SlotType.OWN_PATIENTS, SlotType.PRIVATE, SlotType.STRUCTURE})


class ConsultationType(StrEnum):
    """Where the consultation takes place: surgery, home or remote (v3 ActCode)."""

    AMB = "AMB"
    HH = "HH"
    VR = "VR"


class AppointmentType(StrEnum):
    """With (ROUTINE) or without (WALKIN) booking."""

    ROUTINE = "ROUTINE"
    WALKIN = "WALKIN"


@dataclass(frozen=True, slots=True)
class Specialty:
    """A speciality: a code of the national list, or a text where it has none."""

    code: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Cpts:
    """A territorial community of practitioners (CPTS). ``id`` is its FINESS, prefixed; it is the FHIR id too."""

    id: str
    name: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class SlotShape:
    """What slots of one sort have in common: everything but their times.

    ``cpts`` are the communities to which a slot of type CPTS is open. ``specialties`` replace the practitioner's.
    """

    types: tuple[SlotType, ...]
    consultation_types: tuple[ConsultationType, ...]
    reasons: tuple[str, ...]
    appointment_type: AppointmentType
    cpts: tuple[Cpts, ...] = ()
    specialties: tuple[Specialty, ...] | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """Hours during which a calendar has slots, in minutes since local midnight of the day to which they belong.

    ``end`` is above 1440 when the opening runs past midnight. ``taken`` is the share of slots already booked.
    """

    start: int
    end: int
    slot_minutes: int
    taken: float
    mix: "SlotMix"


def overlap(days: Iterable[tuple[int, Iterable[Opening]]]) -> bool:
    """Whether openings of some days overlap. Each day is given by its distance, in days, to a common one."""
    shift = 24 * 60
    spans = sorted(
        (day * shift + opening.start, day * shift + opening.end) for day, openings in days for opening in openings
    )
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


class SlotMix:
    """Slot shapes, each with its share of the draws."""

    def __init__(self, shares: Sequence[tuple[float, SlotShape]]) -> None:
        total = sum(share for share, _ in shares)
        self.shapes = tuple(shape for _, shape in shares)
        # The last edge is left out: rounding might put it below 1.
        self._edges = [edge / total for edge in accumulate(share for share, _ in shares[:-1])]

    def shape(self, draw: float) -> SlotShape:
        """The shape for a draw in [0, 1)."""
        return self.shapes[bisect_right(self._edges, draw)]


@dataclass(frozen=True, slots=True)
class Absence:
    """Days without slots, both ends included. A ``yearly`` absence recurs every year: its own years do not count."""

    first: date
    last: date
    yearly: bool

    def covers(self, day: date) -> bool:
        """Whether ``day`` is one of these days. A yearly absence may run over New Year."""
        if not self.yearly:
            return self.first <= day <= self.last
        begin, end, today = ((d.month, d.day) for d in (self.first, self.last, day))
        return begin <= today <= end if begin <= end else today >= begin or today <= end


class Booking(NamedTuple):
    """When slots can be booked: until ``lead`` before they start, up to ``horizon`` ahead.

    ``overnight``: some openings run past midnight, so a day's slots may lie on the next day.
    """

    lead: timedelta
    horizon: timedelta
    overnight: bool


@dataclass(frozen=True, slots=True, eq=False)  # caches use the plan itself as their key
class Plan:
    """How a calendar is filled: shared by all calendars that follow the same description."""

    week: tuple[tuple[Opening, ...], ...]
    exceptional: dict[date, tuple[Opening, ...]]
    absences: tuple[Absence, ...]
    booking: Booking

    def openings(self, day: date) -> tuple[Opening, ...]:
        """The openings of a day: those of its weekday, unless it is in an absence, and its exceptional ones."""
        exceptional = self.exceptional.get(day, ())
        if self.is_absent(day):
            return exceptional
        return self.week[day.weekday()] + exceptional

    def is_absent(self, day: date) -> bool:
        """Whether an absence removes the openings of a day's weekday."""
        return any(absence.covers(day) for absence in self.absences)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar at one place, a ``Schedule`` on the wire. Its slots are drawn from ``seed``.

    ``editor`` is the seed of its editor, the key in ``Taken``. For practitioners made in bulk, the two seeds differ.
    """

    key: str
    zone: ZoneInfo
    plan: Plan
    seed: str
    editor: str


class Slot(NamedTuple):
    """One interval of a calendar. ``start`` and ``end`` are aware, in UTC."""

    start: datetime
    end: datetime
    shape: SlotShape
    taken: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a practitioner consults, with the one calendar kept there."""

    key: str
    structure_id: str
    location_id: str
    line: str
    postal_code: str
    city: str
    phone: str | None
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Practitioner:
    """A doctor with calendars. ``id`` is the national identifier, prefixed; it is the FHIR id too."""

    id: str
    family: str
    given: str | None
    specialties: tuple[Specialty, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class OperatingHours:
    """Hours of a place on some days, in minutes since midnight; an end not after the start is on the next day."""

    days: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SosPlace:
    """A fixed consultation place (LFC, PFG) of a SOS Médecins association, with its one calendar.

    ``announced_id`` is the structure identifier to announce instead of the editor's own ``location_id``, if any.
    """

    key: str
    location_id: str
    announced_id: str | None
    name: str
    line: str
    postal_code: str
    city: str
    phone: str | None
    hours: tuple[OperatingHours, ...]
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Association:
    """A SOS Médecins association. ``id`` is its SIRET, prefixed; it is the FHIR id too."""

    id: str
    name: str
    places: tuple[SosPlace, ...]


class Directory(Protocol):
    """The practitioners that an editor knows."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Practitioner]: ...

    def starting(self, position: int) -> Iterator[Practitioner]:
        """The practitioners from a position on, counted from 0. The cost does not depend on the position."""

    def find(self, national_id: str) -> Practitioner | None:
        """The practitioner with this prefixed national identifier. The cost does not depend on the size."""


@dataclass(frozen=True, slots=True)
class Editor:
    """One simulated agenda software. ``identifier_system`` is its own OID or URL.

    ``associations`` and ``cpts`` are keyed by id. ``seed`` is the start of every seed used for it.
    """

    slug: str
    name: str
    seed: str
    identifier_system: str
    zone: ZoneInfo
    directory: Directory
    associations: Mapping[str, Association]
    cpts: Mapping[str, Cpts]


class AppointmentStatus(StrEnum):
    """FHIR appointment status. ``PENDING``: a SOS place has not said yet who consults."""

    PENDING = "pending"
    BOOKED = "booked"
    FULFILLED = "fulfilled"
    NOSHOW = "noshow"
    CANCELLED = "cancelled"


# Appointments still to come, which may be moved or cancelled; and those for which attendance can be noted.
OPEN_STATUSES = frozenset({AppointmentStatus.PENDING, AppointmentStatus.BOOKED})
HELD_STATUSES = frozenset({AppointmentStatus.BOOKED, AppointmentStatus.FULFILLED, AppointmentStatus.NOSHOW})


class RegulatorId(NamedTuple):
    """How the SAS identifies a regulator: by a national identifier, or by its own technical one."""

    system: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """A slot that somebody booked for a patient. Instants are in UTC.

    ``regulator`` is set when it was booked through the SAS. ``booker`` is the id of an account, or of a visit without
    one. ``practitioner`` is the national identifier of the practitioner who sees the patient, if known. ``sos``: it is
    at a place of SOS Médecins.
    """

    id: str
    editor: str
    calendar: str
    start: datetime
    end: datetime
    status: AppointmentStatus
    created: datetime
    updated: datetime
    regulator: RegulatorId | None
    booker: str
    sos: bool
    practitioner: str | None
    patient: str
    reason: str

    @property
    def sas(self) -> bool:
        """Whether a regulator booked it through the SAS."""
        return self.regulator is not None


class Window(NamedTuple):
    """Instants from ``first`` up to, not including, ``after``, in which a slot has to start. Both in UTC."""

    first: datetime
    after: datetime

    def bookable(self, booking: Booking, now: datetime) -> "Window":
        """The part of the window in which a calendar offers slots: after the lead time, before the horizon."""
        return Window(max(self.first, now + booking.lead), min(self.after, now + booking.horizon))

    def days(self, booking: Booking, zone: ZoneInfo) -> range:
        """Ordinals of the days whose openings may have slots in the window. A night belongs to the day it begins."""
        if self.first >= self.after:
            return range(0)
        first = self.first.astimezone(zone).toordinal() - booking.overnight
        last = (self.after - timedelta(microseconds=1)).astimezone(zone).toordinal()
        return range(first, last + 1)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Midnight of ``day`` in ``zone``, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

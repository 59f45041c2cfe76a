"""What a scenario file may say: the keys, their types and their limits. ``docs/scenarios.md`` tells it to people."""

import re
import typing
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from mock_editor.base import sas_target
from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR, Clock
from mock_editor.base.data import communes
from mock_editor.base.errors import EditorError, InvalidValueError
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.validation import findings
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.calendars.identifiers import (
    PractitionerIdKind,
    StructureIdKind,
    phone,
    practitioner_id,
    structure_id,
)
from mock_editor.calendars.model import NEVER_EXPOSED, AppointmentType, ConsultationType, SlotType
from mock_editor.calendars.people import LARGEST_GROUP
from mock_editor.faults.rules import MOST_RULES, Rule, Timeline
from mock_editor.faults.wrong import problems
from mock_editor.scenario.reader import Document, Location, ScenarioError, of_part

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = typing.get_args(Day)
_MINUTES_A_DAY = 24 * 60


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise InvalidValueError(Code.TIME_ZONE_EXPECTED) from None


def _hours(text: object) -> tuple[int, int]:
    """``HH:MM-HH:MM`` as minutes since midnight; an end not after the start is on the next day."""
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", str(text), re.ASCII)
    if not found or (found[3] == "24" and found[4] != "00"):
        raise InvalidValueError(Code.HOURS_EXPECTED)
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    return start, end if end > start else end + _MINUTES_A_DAY


def _day(text: object) -> tuple[date, bool]:
    """``YYYY-MM-DD``, or ``MM-DD`` for every year (then True)."""
    yearly = re.fullmatch(r"\d\d-\d\d", str(text), re.ASCII) is not None
    try:
        # 2024 is a leap year: 02-29 is a day of some years.
        return date.fromisoformat(f"2024-{text}" if yearly else str(text)), yearly
    except ValueError:
        raise InvalidValueError(Code.DAY_EXPECTED) from None


def _date(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise InvalidValueError(Code.DATE_OF_SCENARIO) from None


def _playable(moment: datetime) -> datetime:
    Clock(moment)
    return moment


def _hidden_alone(types: list[SlotType]) -> list[SlotType]:
    if not NEVER_EXPOSED.isdisjoint(types) and len(types) > 1:
        raise InvalidValueError(Code.NOT_ALONE)
    return types


def _siret(value: str) -> str:
    return structure_id(StructureIdKind.SIRET, value)


def _finess(value: str) -> str:
    prefixed = structure_id(StructureIdKind.FINESS, value)
    if not prefixed.isdecimal():
        raise InvalidValueError(Code.CPTS_DIGITS)
    return prefixed


def _distinct(items: list[Any]) -> list[Any]:
    if len(set(items)) < len(items):
        raise InvalidValueError(Code.VALUE_TWICE)
    return items


def _department(code: str) -> str:
    if code not in communes():
        raise InvalidValueError(Code.DEPARTMENT_UNKNOWN, known=list(communes()))
    return code


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Hours = Annotated[tuple[int, int], BeforeValidator(_hours)]
YearDay = Annotated[tuple[date, bool], BeforeValidator(_day)]
# Not whatever else pydantic takes for one: seconds since 1970, an instant.
PlayableDate = Annotated[date, Field(ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 31)), BeforeValidator(_date)]
Days = Annotated[list[Day], Field(min_length=1), AfterValidator(_distinct)]
PlaceKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,12}$")]
Share = Annotated[float, Field(ge=0, le=1)]
SlotTypes = Annotated[list[SlotType], Field(min_length=1), AfterValidator(_distinct), AfterValidator(_hidden_alone)]
SlotMinutes = Annotated[int, Field(ge=5, le=720)]
Phone = Annotated[str, AfterValidator(phone)]
SpecialtyCode = Annotated[str, StringConstraints(pattern=r"^S[A-Z]{1,3}[0-9]{2}$")]
Specialties = Annotated[list[SpecialtyCode], AfterValidator(_distinct)]
OtherSpecialties = Annotated[list[Text], AfterValidator(_distinct)]
IdentifierSystem = Annotated[
    str, StringConstraints(pattern=r"^(urn:oid:[0-2](\.(0|[1-9][0-9]*))+|https?://[^\s|]+)$", max_length=200)
]


class _Section(BaseModel):
    # ZoneInfo is not a type that pydantic makes schemas for by itself in every release.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ShapeSection(_Section):
    """What slots are like; what is left out is taken from the section around, at last from the calendar."""

    slot_types: SlotTypes | None = None
    consultation_types: Annotated[list[ConsultationType], AfterValidator(_distinct)] | None = None
    reasons: Annotated[list[Text], AfterValidator(_distinct)] | None = None
    appointment_type: AppointmentType | None = None
    cpts: Annotated[list[Slug], Field(min_length=1), AfterValidator(_distinct)] | None = None
    specialties: Specialties | None = None
    other_specialties: OtherSpecialties | None = None


class MixSection(ShapeSection):
    """One sort of slot among several, and its share of them (any unit)."""

    share: Annotated[float, Field(gt=0, le=1_000_000)]


class OpeningSection(ShapeSection):
    """Hours with slots."""

    hours: Annotated[list[Hours], Field(min_length=1)]
    slot_minutes: SlotMinutes | None = None
    taken: Share | None = None
    mix: Annotated[list[MixSection], Field(min_length=1)] | None = None


class WeekSection(OpeningSection):
    """Hours of days of every week."""

    days: Days


class ExceptionalSection(OpeningSection):
    """Hours of one date, besides those of its weekday; kept even during an absence."""

    date: PlayableDate


class ExtraOpeningSection(OpeningSection):
    """Hours of a date that is told apart, as people open them by hand."""

    @model_validator(mode="after")
    def _of_one_day(self) -> "ExtraOpeningSection":
        if any(end > _MINUTES_A_DAY for _, end in self.hours):
            raise InvalidValueError(Code.HOURS_OF_ONE_DAY)
        return self

    @model_validator(mode="after")
    def _printable(self) -> "ExtraOpeningSection":
        # The reader of scenario files does it there.
        texts = [text for one in (self, *(self.mix or ())) for text in (one.reasons or [], one.other_specialties or [])]
        if any(unicodedata.category(sign) in ("Cc", "Cs") for several in texts for text in several for sign in text):
            raise InvalidValueError(Code.TEXT_HAS_CONTROL)
        return self


class AbsenceSection(_Section):
    """Days without slots, both included."""

    first: YearDay = Field(alias="from")
    last: YearDay = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> "AbsenceSection":
        if self.first[1] != self.last[1]:
            raise InvalidValueError(Code.DAYS_ALIKE)
        if not self.first[1] and self.last < self.first:
            raise InvalidValueError(Code.TO_BEFORE_FROM)
        return self


class CalendarSection(ShapeSection):
    """How a calendar is filled."""

    slot_minutes: SlotMinutes = 20
    taken: Share = 0.0
    lead_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 30)] = 0
    horizon_days: Annotated[int, Field(ge=1, le=3660)] = 28
    mix: Annotated[list[MixSection], Field(min_length=1)] | None = None
    week: list[WeekSection] = []
    exceptional_openings: list[ExceptionalSection] = []
    absences: list[AbsenceSection] = []


class StructureSection(_Section):
    """National identifiers of a structure, with or without prefix; the guide's order of preference picks one."""

    finess: str | None = None
    siret: str | None = None
    rpps_rang: str | None = None
    adeli_rang: str | None = None

    @model_validator(mode="after")
    def _identified(self) -> "StructureSection":
        _ = self.national_id
        return self

    @property
    def national_id(self) -> str:
        """The preferred identifier, prefixed."""
        for kind in StructureIdKind:
            value = getattr(self, kind.value)
            if value is not None:
                try:
                    return structure_id(kind, value)
                except InvalidValueError as error:
                    raise InvalidValueError(Code.IDENTIFIER_OF_KIND, kind=kind.value, problem=error.issue) from None
        raise InvalidValueError(Code.STRUCTURE_ID_EXPECTED, known=list(StructureIdKind))


class AddressSection(_Section):
    """A postal address."""

    line: Text
    postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
    city: Text


class PlaceSection(_Section):
    """Where a practitioner consults."""

    key: PlaceKey | None = None
    structure: StructureSection
    location_id: Text | None = None
    address: AddressSection
    phone: Phone | None = None
    timezone: Zone | None = None
    calendar: Text


class PractitionerSection(_Section):
    """A practitioner written out."""

    rpps: str | None = None
    adeli: str | None = None
    family: Text
    given: Text | None = None
    specialties: Specialties = []
    other_specialties: OtherSpecialties = []
    places: Annotated[list[PlaceSection], Field(min_length=1, max_length=9)]

    @model_validator(mode="after")
    def _identified(self) -> "PractitionerSection":
        if (self.rpps is None) == (self.adeli is None):
            raise InvalidValueError(Code.RPPS_OR_ADELI)
        _ = self.national_id
        return self

    @property
    def national_id(self) -> str:
        """The national identifier, prefixed."""
        for kind in PractitionerIdKind:
            value = getattr(self, kind.value)
            if value is not None:
                try:
                    return practitioner_id(kind, value)
                except InvalidValueError as error:
                    raise InvalidValueError(Code.IDENTIFIER_OF_KIND, kind=kind.value, problem=error.issue) from None
        raise InvalidValueError(Code.RPPS_OR_ADELI)


class GroupSection(_Section):
    """Practitioners made in bulk."""

    name: Slug
    count: Annotated[int, Field(ge=1, le=LARGEST_GROUP)]
    departments: Annotated[list[Annotated[str, AfterValidator(_department)]], Field(min_length=1)]
    specialties: Annotated[list[SpecialtyCode], Field(min_length=1)] = ["SM54"]
    calendars: Annotated[list[Text], Field(min_length=1)]
    two_places: Share = 0.0
    without_phone: Share = 0.0


class CptsSection(_Section):
    """A CPTS that slots may be opened to."""

    finess: Annotated[str, AfterValidator(_finess)]
    name: Text | None = None
    phone: Phone | None = None


class HoursSection(_Section):
    """When a place is open."""

    days: Days
    hours: Annotated[list[Hours], Field(min_length=1)]


class SosPlaceSection(_Section):
    """A fixed consultation place of a SOS Médecins association."""

    key: PlaceKey | None = None
    location_id: Text | None = None
    structure: StructureSection | None = None
    announced_identifier: Literal["internal", "national"] = "internal"
    name: Text
    address: AddressSection
    phone: Phone | None = None
    timezone: Zone | None = None
    calendar: Text
    hours_of_operation: list[HoursSection] | None = None

    @model_validator(mode="after")
    def _announceable(self) -> "SosPlaceSection":
        if self.announced_identifier == "national" and self.structure is None:
            raise InvalidValueError(Code.NATIONAL_NEEDS_STRUCTURE)
        return self


class AssociationSection(_Section):
    """A SOS Médecins association."""

    siret: Annotated[str, AfterValidator(_siret)]
    name: Text
    places: Annotated[list[SosPlaceSection], Field(min_length=1, max_length=50)]


class RegulatorSection(_Section):
    """Somebody whom the SAS knows as a regulator; the embedded identity provider lets them sign in."""

    national_id: Text | None = None
    technical_id: Text | None = None
    family: Text
    given: Text
    email: Text

    @model_validator(mode="after")
    def _identified(self) -> "RegulatorSection":
        if self.national_id is None and self.technical_id is None:
            raise InvalidValueError(Code.IDENTIFIERS_EXPECTED)
        return self


class AccountSection(_Section):
    """A regulator's account that is there from the start, as INT_R02 would have made it."""

    regulator: Slug
    active: bool = True


def _within(bounds: sas_target.Seconds) -> Any:
    return Field(gt=bounds.above, le=bounds.most)


class NotificationsSection(_Section):
    """Where an editor sends its appointments (INT_R03), where it differs from the settings; times in seconds."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#]+$", max_length=500)] | None = None
    certificate: Text | None = None
    key: Text | None = None
    authority: Text | None = None
    connect_timeout: Annotated[float, _within(sas_target.CONNECT_TIMEOUT)] | None = None
    answer_timeout: Annotated[float, _within(sas_target.ANSWER_TIMEOUT)] | None = None
    tries: Annotated[int, Field(ge=sas_target.TRIES.least, le=sas_target.TRIES.most)] | None = None
    first_wait: Annotated[float, _within(sas_target.FIRST_WAIT)] | None = None
    longest_wait: Annotated[float, _within(sas_target.LONGEST_WAIT)] | None = None
    tls_minimum: sas_target.TlsVersion | None = None


class TlsSection(_Section):
    """Whose certificates an editor accepts on its FHIR paths, where it differs from the settings."""

    client_cn: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = None
    client_ou: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = None


class EndingsSection(_Section):
    """What comes of appointments that are over: shares of them."""

    fulfilled: Share = 0.0
    noshow: Share = 0.0

    @model_validator(mode="after")
    def _at_most_all(self) -> "EndingsSection":
        if self.fulfilled + self.noshow > 1:
            raise InvalidValueError(Code.SHARES_OVER_ONE)
        return self


class EditorSection(_Section):
    """One editor."""

    slug: Slug
    name: Text
    identifier_system: IdentifierSystem
    timezone: Zone | None = None
    practitioners: list[PractitionerSection] = []
    groups: list[GroupSection] = []
    associations: list[AssociationSection] = []
    accounts: list[AccountSection] = []
    notifications: NotificationsSection | None = None
    endings: EndingsSection | None = None
    tls: TlsSection | None = None


class ClockSection(_Section):
    """Where the simulator's clock stands at the start."""

    frozen_at: Annotated[AwareDatetime, AfterValidator(_playable)]


class ScenarioSection(_Section):
    """The whole file."""

    name: Slug
    title: Text
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] | None = None
    seed: Text
    timezone: Zone = DEFAULT_ZONE
    clock: ClockSection | None = None
    cpts: dict[Slug, CptsSection] = {}
    regulators: dict[Slug, RegulatorSection] = {}
    calendars: dict[Slug, CalendarSection]
    editors: Annotated[list[EditorSection], Field(min_length=1, max_length=100)]
    faults: Annotated[list[Rule], Field(max_length=MOST_RULES)] = []
    timelines: Annotated[list[Timeline], Field(max_length=100)] = []


def check(document: Document) -> ScenarioSection:
    """The document as a scenario. Raises ScenarioError that tells every problem with its line."""
    try:
        return ScenarioSection.model_validate(document.data)
    except ValidationError as error:
        found = [document.problem(*one) for one in _problems(error, ScenarioSection)]
        raise ScenarioError(document.source, found) from None


def check_extra_opening(section: Mapping[str, Any]) -> ExtraOpeningSection:
    """An extra opening. Raises EditorError (422) that tells every problem."""
    try:
        return ExtraOpeningSection.model_validate(section)
    except ValidationError as error:
        raise refused(_problems(error, ExtraOpeningSection)) from None


def refused(problems: Iterable[tuple[Location, Issue]]) -> EditorError:
    """422 for an extra opening, with what is wrong where in its section."""
    return EditorError(422, [of_part(".".join(map(str, where)), what) for where, what in problems])


def _problems(error: ValidationError, root: type[BaseModel]) -> Iterator[tuple[Location, Issue]]:
    """Where in a ``root`` something is wrong, and what."""
    found = zip(findings(error), problems(error, root, json=False), strict=True)
    for one, (location, wrong) in found:
        if one.type == "extra_forbidden" and location == one.location:
            yield location, issue(Code.SCENARIO_KEY_UNKNOWN, part=None, known=_known_keys(location[:-1], root))
        elif one.type == "missing":
            yield location, issue(Code.SCENARIO_KEY_MISSING, part=None)
        else:
            yield location, wrong


def _known_keys(location: Location, root: type[BaseModel]) -> list[str]:
    """The keys that the section at ``location`` may have."""
    at: Any = root
    for part in location:
        section = _section_in(at)
        # Of a list or a mapping, each member is the section inside.
        at = section.model_fields[str(part)].annotation if at is section else section
    return [field.alias or name for name, field in _section_in(at).model_fields.items()]


def _section_in(annotation: Any) -> type[BaseModel]:
    """The section that an annotation is about: itself, or the one inside a list, a mapping or an option."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_section_in(inner) for inner in typing.get_args(annotation) if _holds_section(inner))


def _holds_section(annotation: Any) -> bool:
    inner = typing.get_args(annotation)
    if inner:
        return any(_holds_section(one) for one in inner)
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

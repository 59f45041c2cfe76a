"""What a scenario file may say: the keys of its sections and their limits. ``docs/scenarios.md`` is for its authors."""

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from mock_editor.base import sas_target
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.calendars.identifiers import (
    PractitionerIdKind,
    StructureIdKind,
    practitioner_id,
    structure_id,
)
from mock_editor.calendars.model import AppointmentType, ConsultationType
from mock_editor.calendars.people import LARGEST_GROUP
from mock_editor.faults.rules import MOST_RULES, Rule, Timeline
from mock_editor.scenario.values import (
    MINUTES_A_DAY,
    Days,
    Hours,
    IdentifierSystem,
    OtherSpecialties,
    Phone,
    PlaceKey,
    PlayableDate,
    Share,
    SlotMinutes,
    SlotTypes,
    Slug,
    Specialties,
    SpecialtyCode,
    Text,
    YearDay,
    Zone,
    department,
    distinct,
    finess,
    playable,
    siret,
)


class _Section(BaseModel):
    # Not every release of pydantic makes schemas for ZoneInfo by itself.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ShapeSection(_Section):
    """What slots are like. Missing values come from the section around it, and finally from the calendar."""

    slot_types: SlotTypes | None = None
    consultation_types: Annotated[list[ConsultationType], AfterValidator(distinct)] | None = None
    reasons: Annotated[list[Text], AfterValidator(distinct)] | None = None
    appointment_type: AppointmentType | None = None
    cpts: Annotated[list[Slug], Field(min_length=1), AfterValidator(distinct)] | None = None
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
    """Hours on some days of every week."""

    days: Days


class ExceptionalSection(OpeningSection):
    """Hours on one date, in addition to those of its weekday. They count even during an absence."""

    date: PlayableDate


class ExtraOpeningSection(OpeningSection):
    """Hours that people open by hand. The date comes separately."""

    @model_validator(mode="after")
    def _of_one_day(self) -> "ExtraOpeningSection":
        if any(end > MINUTES_A_DAY for _, end in self.hours):
            raise InvalidValueError(Code.HOURS_OF_ONE_DAY)
        return self

    @model_validator(mode="after")
    def _printable(self) -> "ExtraOpeningSection":
        # In a scenario file, the reader checks this.
        shapes = (self, *(self.mix or ()))
        texts = [text for shape in shapes for text in (*(shape.reasons or ()), *(shape.other_specialties or ()))]
        if any(unicodedata.category(character) in ("Cc", "Cs") for text in texts for character in text):
            raise InvalidValueError(Code.TEXT_HAS_CONTROL)
        return self


class AbsenceSection(_Section):
    """Days without slots, from the first to the last, both included."""

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
    """National identifiers of a structure, with or without prefix. The first in the guide's order counts."""

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
    departments: Annotated[list[Annotated[str, AfterValidator(department)]], Field(min_length=1)]
    specialties: Annotated[list[SpecialtyCode], Field(min_length=1)] = ["SM54"]
    calendars: Annotated[list[Text], Field(min_length=1)]
    two_places: Share = 0.0
    without_phone: Share = 0.0


class CptsSection(_Section):
    """A CPTS that slots may be opened to."""

    finess: Annotated[str, AfterValidator(finess)]
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

    siret: Annotated[str, AfterValidator(siret)]
    name: Text
    places: Annotated[list[SosPlaceSection], Field(min_length=1, max_length=50)]


class RegulatorSection(_Section):
    """A regulator whom the SAS knows, and who can sign in at the embedded identity provider."""

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
    """A regulator's account that exists from the start, as if INT_R02 had created it."""

    regulator: Slug
    active: bool = True


def _within(bounds: sas_target.Seconds) -> Any:
    return Field(gt=bounds.above, le=bounds.most)


class NotificationsSection(_Section):
    """Where an editor sends its appointments (INT_R03), in place of the settings. Times are in seconds."""

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
    """The client certificates that an editor accepts on its FHIR paths, in place of the settings."""

    client_cn: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = None
    client_ou: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = None


class EndingsSection(_Section):
    """How appointments end once their time is over: the share of each ending."""

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

    frozen_at: Annotated[AwareDatetime, AfterValidator(playable)]


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

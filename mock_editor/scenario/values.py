"""Types of the single values of a scenario file: how they are written, and which are accepted."""

import re
import typing
from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
)

from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR, Clock
from mock_editor.base.data import communes
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code
from mock_editor.calendars.identifiers import (
    StructureIdKind,
    phone,
    structure_id,
)
from mock_editor.calendars.model import NEVER_EXPOSED, SlotType

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = typing.get_args(Day)
MINUTES_A_DAY = 24 * 60


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise InvalidValueError(Code.TIME_ZONE_EXPECTED) from None


def _hours(text: object) -> tuple[int, int]:
    """``HH:MM-HH:MM`` as minutes since midnight. An end that is not after the start is on the next day."""
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", str(text), re.ASCII)
    if not found or (found[3] == "24" and found[4] != "00"):
        raise InvalidValueError(Code.HOURS_EXPECTED)
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    return start, end if end > start else end + MINUTES_A_DAY


def _day(text: object) -> tuple[date, bool]:
    """``YYYY-MM-DD``, or ``MM-DD`` for every year; whether it is for every year."""
    yearly = re.fullmatch(r"\d\d-\d\d", str(text), re.ASCII) is not None
    try:
        # 2024 is a leap year: 02-29 exists in some years.
        return date.fromisoformat(f"2024-{text}" if yearly else str(text)), yearly
    except ValueError:
        raise InvalidValueError(Code.DAY_EXPECTED) from None


def _date(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise InvalidValueError(Code.DATE_OF_SCENARIO) from None


def playable(moment: datetime) -> datetime:
    """An instant that the clock can play. Raises InvalidValueError."""
    Clock(moment)
    return moment


def _expect_hidden_alone(types: list[SlotType]) -> list[SlotType]:
    if not NEVER_EXPOSED.isdisjoint(types) and len(types) > 1:
        raise InvalidValueError(Code.NOT_ALONE)
    return types


def siret(value: str) -> str:
    """A SIRET, prefixed. Raises InvalidValueError."""
    return structure_id(StructureIdKind.SIRET, value)


def finess(value: str) -> str:
    """The FINESS of a CPTS. Raises InvalidValueError."""
    prefixed = structure_id(StructureIdKind.FINESS, value)
    if not prefixed.isdecimal():
        raise InvalidValueError(Code.CPTS_DIGITS)
    return prefixed


def distinct(items: list[Any]) -> list[Any]:
    """A list without duplicates. Raises InvalidValueError."""
    if len(set(items)) < len(items):
        raise InvalidValueError(Code.VALUE_TWICE)
    return items


def department(code: str) -> str:
    """The code of a department. Raises InvalidValueError."""
    if code not in communes():
        raise InvalidValueError(Code.DEPARTMENT_UNKNOWN, known=list(communes()))
    return code


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Hours = Annotated[tuple[int, int], BeforeValidator(_hours)]
YearDay = Annotated[tuple[date, bool], BeforeValidator(_day)]
# Stricter than pydantic, which also takes seconds since 1970 or an instant for a date.
PlayableDate = Annotated[date, Field(ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 31)), BeforeValidator(_date)]
Days = Annotated[list[Day], Field(min_length=1), AfterValidator(distinct)]
PlaceKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,12}$")]
Share = Annotated[float, Field(ge=0, le=1)]
SlotTypes = Annotated[
    list[SlotType], Field(min_length=1), AfterValidator(distinct), AfterValidator(_expect_hidden_alone)
]
SlotMinutes = Annotated[int, Field(ge=5, le=720)]
Phone = Annotated[str, AfterValidator(phone)]
SpecialtyCode = Annotated[str, StringConstraints(pattern=r"^S[A-Z]{1,3}[0-9]{2}$")]
Specialties = Annotated[list[SpecialtyCode], AfterValidator(distinct)]
OtherSpecialties = Annotated[list[Text], AfterValidator(distinct)]
IdentifierSystem = Annotated[
    str, StringConstraints(pattern=r"^(urn:oid:[0-2](\.(0|[1-9][0-9]*))+|https?://[^\s|]+)$", max_length=200)
]

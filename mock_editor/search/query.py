"""Search parameters -> what is asked for, or a 400 that tells all that is wrong with them.

Source: the guide's pages on INT_R01, INT_R04 and SOS Médecins, and FHIR R4 "search".
"""

import re
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mock_editor.base.codes import PRACTITIONER_OID, SLOT_STATUS, SLOT_STATUSES, STRUCTURE_OID
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.fhir import FIRST_INSTANT, LAST_INSTANT, parse_date, parse_token, refuse, split_list
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.calendars.model import Window

MOST_IDENTIFIERS = 25
_INCLUDE = ("_include", "_include:iterate")
_REVINCLUDE = ("_revinclude", "_revinclude:iterate")
_SUMMARIES = frozenset({"true", "text", "data", "count", "false"})

_NOTHING = Window(LAST_INSTANT, FIRST_INSTANT)

START = "start"
STATUS = "status"
IDENTIFIER = "schedule.actor:Practitioner.identifier"

SOS_START = "_has:Slot:schedule:start"
SOS_STATUS = "_has:Slot:schedule:status"
SOS_IDENTIFIER = "actor:Location.organization.identifier"
_SOS_FILTERS = re.compile("_has:|actor(?:[.:]|$)")


# What an include asks for, in the spellings that FHIR allows and those that are seen.
_SLOT_INCLUDES = {
    "Slot:schedule": {"schedule"},
    "Slot:schedule:Schedule": {"schedule"},
    "Schedule:actor": {"practitioner", "role"},
    "Schedule:actor:Practitioner": {"practitioner"},
    "Schedule:actor:PractitionerRole": {"role"},
    "Slot:service-type-reference": {"service"},
    "Slot:service-type-reference:HealthcareService": {"service"},
    "HealthcareService:organization": {"organization"},
    "HealthcareService:organization:Organization": {"organization"},
}
_SOS_INCLUDES = {
    "Schedule:actor": {"location"},
    "Schedule:actor:Location": {"location"},
    "Location:organization": {"organization"},
    "Location:Organization": {"organization"},
    "Location:organization:Organization": {"organization"},
}
_SOS_REVINCLUDES = {"Slot:schedule": {"slots"}, "Slot:schedule:Schedule": {"slots"}}


class Output(NamedTuple):
    """How the answer is wanted, whatever was searched."""

    count_only: bool
    pretty: bool


def output(parameters: Parameters) -> Output:
    """Reads ``_summary``, ``_count`` and ``_pretty``. There is no paging: a ``_count`` above 0 changes nothing."""
    summary = parameters.one("_summary")
    if summary is not None and summary not in _SUMMARIES:
        parameters.wrong(Code.PARAMETER_CHOICE, "_summary", choices=_SUMMARIES, found=summary[:50])
    count = parameters.one("_count")
    if count is not None and not (count.isascii() and count.isdecimal()):
        parameters.wrong(Code.PARAMETER_NOT_WHOLE, "_count", found=count[:50])
    # FHIR R4: `_count=0` is the same as `_summary=count`.
    count_only = summary == "count" or (count is not None and not count.strip("0"))
    return Output(count_only, wants_pretty(parameters))


class SlotQuery(NamedTuple):
    """An INT_R01 search, or, with the HealthcareService, an INT_R04 one.

    ``identifiers`` are prefixed national ones, each once, in the order asked.
    ``window`` is empty when the statuses asked for are not those of a free slot: nothing is found then.
    """

    identifiers: tuple[str, ...]
    window: Window
    with_schedule: bool
    with_practitioner: bool
    with_role: bool
    with_healthcare_service: bool
    with_organization: bool
    output: Output


def slot_query(parameters: Parameters, zone: ZoneInfo, *, strict: bool) -> SlotQuery:
    """Reads the parameters of ``GET Slot``. Raises BadRequestError with every problem found."""
    if strict:
        parameters.refuse_unknown((START, STATUS, IDENTIFIER, *_INCLUDE))
    window = _window(parameters, START, zone)
    wants_free = _wants_free(parameters, STATUS)
    identifiers = national_identifiers(parameters, IDENTIFIER, PRACTITIONER_OID)
    includes = _asked(parameters, _INCLUDE, _SLOT_INCLUDES, strict=strict)
    wanted_output = output(parameters)
    refuse(parameters.issues)
    # What is not in the answer brings nothing else into it: a Schedule its actors, a HealthcareService its CPTS.
    with_schedule = "schedule" in includes
    with_service = "service" in includes
    return SlotQuery(
        identifiers,
        window if wants_free else _NOTHING,
        with_schedule=with_schedule,
        with_practitioner=with_schedule and "practitioner" in includes,
        with_role=with_schedule and "role" in includes,
        with_healthcare_service=with_service,
        with_organization=with_service and "organization" in includes,
        output=wanted_output,
    )


class SosQuery(NamedTuple):
    """A search for SOS Médecins places. ``identifiers`` are prefixed SIRET, each once, in the order asked."""

    identifiers: tuple[str, ...]
    window: Window
    with_slots: bool
    with_location: bool
    with_organization: bool
    output: Output


def sos_query(parameters: Parameters, zone: ZoneInfo, *, strict: bool) -> SosQuery:
    """Reads the parameters of ``GET Schedule`` with ``_has``. Raises BadRequestError with every problem found."""
    known = (SOS_START, SOS_STATUS, SOS_IDENTIFIER)
    for name in parameters.names():
        # Left aside, such a filter would give more than was asked for.
        if _SOS_FILTERS.match(name) and name not in known:
            parameters.wrong(Code.SEARCH_FILTER_AT_SOS, name, supported=known)
    if strict:
        filters = (name for name in parameters.names() if _SOS_FILTERS.match(name))
        parameters.refuse_unknown((*filters, *_INCLUDE, *_REVINCLUDE))
    window = _window(parameters, SOS_START, zone)
    wants_free = _wants_free(parameters, SOS_STATUS)
    identifiers = national_identifiers(parameters, SOS_IDENTIFIER, STRUCTURE_OID)
    for identifier in identifiers:
        if not re.fullmatch("3[0-9]{14}", identifier):
            parameters.wrong(Code.SEARCH_SIRET, SOS_IDENTIFIER, system=STRUCTURE_OID, found=identifier[:100])
    includes = _asked(parameters, _INCLUDE, _SOS_INCLUDES, strict=strict)
    revincludes = _asked(parameters, _REVINCLUDE, _SOS_REVINCLUDES, strict=strict)
    wanted_output = output(parameters)
    refuse(parameters.issues)
    with_location = "location" in includes
    return SosQuery(
        identifiers,
        window if wants_free else _NOTHING,
        with_slots="slots" in revincludes,
        with_location=with_location,
        with_organization=with_location and "organization" in includes,
        output=wanted_output,
    )


def national_identifiers(parameters: Parameters, name: str, expected: str) -> tuple[str, ...]:
    """The values of a required list of at most 25 tokens of the system ``expected``, each once, in order."""
    text = parameters.one(name, required=True)
    if text is None:
        return ()
    tokens = split_list(text)
    if len(tokens) > MOST_IDENTIFIERS:
        parameters.wrong(Code.SEARCH_TOO_MANY_IDENTIFIERS, name, count=len(tokens), most=MOST_IDENTIFIERS)
        return ()
    start = f"{expected}|"
    found: dict[str, None] = {}
    for token in tokens:
        value = token.removeprefix(start)
        if value == token or not value:
            parameters.wrong(Code.SEARCH_IDENTIFIER, name, system=expected, found=token[:100])
        else:
            found[value] = None
    return tuple(found)


def _window(parameters: Parameters, name: str, zone: ZoneInfo) -> Window:
    """The window of ``name=ge<dateTime>`` and ``name=le<dateTime>``, both required, once each."""
    bounds: dict[str, str] = {}
    sound = True
    for value in parameters.all(name):
        prefix, moment = value[:2], value[2:]
        if prefix not in ("ge", "le"):
            parameters.wrong(Code.SEARCH_BOUND, name, found=value[:60])
            sound = False
        elif prefix in bounds:
            parameters.wrong(Code.SEARCH_BOUND_TWICE, name, bound=prefix)
            sound = False
        else:
            bounds[prefix] = moment
    for prefix in ("ge", "le"):
        if sound and prefix not in bounds:
            parameters.wrong(Code.SEARCH_BOUND_MISSING, name, bound=prefix)
            sound = False
    periods = {}
    for prefix, moment in bounds.items():
        try:
            periods[prefix] = parse_date(moment, zone)
        except InvalidValueError as error:
            parameters.wrong(Code.SEARCH_DATE, name, bound=prefix, problem=error.issue, found=moment[:60])
            sound = False
    if not sound:
        return _NOTHING
    window = Window(periods["ge"].first, periods["le"].after)
    if window.after < window.first or window.after == window.first not in (FIRST_INSTANT, LAST_INSTANT):
        parameters.wrong(Code.SEARCH_BOUNDS_REVERSED, name)
    return window


def _wants_free(parameters: Parameters, name: str) -> bool:
    """Whether free slots are among the statuses asked for."""
    text = parameters.one(name, required=True)
    wanted = set()
    for token in split_list(text) if text else ():
        system, code = parse_token(token)
        if system not in ("", SLOT_STATUS) or code not in SLOT_STATUSES:
            parameters.wrong(Code.SEARCH_STATUS, name, statuses=frozenset(SLOT_STATUSES), found=token[:60])
        wanted.add(code)
    return "free" in wanted


def _asked(
    parameters: Parameters, names: Sequence[str], supported: Mapping[str, Set[str]], *, strict: bool
) -> Set[str]:
    """What the includes ask for; they may be repeated or joined with commas. Unknown ones are left aside."""
    asked: set[str] = set()
    for name in names:
        for value in parameters.all(name):
            for include in split_list(value):
                if strict and include not in supported:
                    parameters.wrong(Code.SEARCH_INCLUDE, name, found=include[:60])
                asked |= supported.get(include, frozenset())
    return asked

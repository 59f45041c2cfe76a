"""Search parameters -> what is asked for, or a 400 that tells all that is wrong with them.

Source: the guide's page on INT_R01, and FHIR R4 "search". The SAS and people's tools do not always encode: `+` may come
as a space, `|` raw, a space after a comma.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from mock_editor.base.codes import PRACTITIONER_OID, SLOT_STATUS, SLOT_STATUSES
from mock_editor.base.errors import BadRequestError, Issue
from mock_editor.base.fhir import parse_date, parse_token, refuse, split_list
from mock_editor.calendars.model import Window

MOST_IDENTIFIERS = 25
_MOST_PARAMETERS = 200
_RESULT_PARAMETERS = frozenset({"_count", "_format", "_pretty", "_summary", "_include", "_include:iterate"})
_SUMMARIES = frozenset({"true", "text", "data", "count", "false"})

_NOTHING = Window(datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC))

START = "start"
STATUS = "status"
IDENTIFIER = "schedule.actor:Practitioner.identifier"


class Parameters:
    """The parameters of one request, and what is wrong with those looked at so far."""

    def __init__(self, encoded: bytes) -> None:
        try:
            pairs = parse_qsl(
                encoded.decode("utf-8", "replace"),
                keep_blank_values=True,
                errors="replace",
                max_num_fields=_MOST_PARAMETERS,
            )
        except ValueError:
            raise BadRequestError(Issue("too-costly", f"More than {_MOST_PARAMETERS} parameters")) from None
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        self.issues: list[Issue] = []

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be repeated."""
        return self._values.get(name, [])

    def one(self, name: str, *, required: bool = False) -> str | None:
        """The value of a parameter that stands at most once; a blank one counts as missing."""
        values = self.all(name)
        if len(values) > 1:
            self.wrong(name, f"given {len(values)} times, expected once")
            return None
        if not values or not values[0].strip():
            if required:
                self.wrong(name, "required parameter, missing", "required")
            return None
        return values[0]

    def wrong(self, name: str, what: str, code: str = "invalid") -> None:
        """Notes one thing wrong."""
        self.issues.append(Issue(code, f"Parameter '{name[:100]}': {what}"))

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Under ``Prefer: handling=strict``, a parameter that is not supported is an error."""
        for name in self._values:
            if name not in known and name not in _RESULT_PARAMETERS:
                self.wrong(name, "not supported, refused because of Prefer: handling=strict", "not-supported")


@dataclass(frozen=True, slots=True)
class Output:
    """How the answer is wanted, whatever was searched."""

    count_only: bool
    pretty: bool


def output(parameters: Parameters) -> Output:
    """Reads ``_summary``, ``_count`` and ``_pretty``. There is no paging: a ``_count`` above 0 changes nothing."""
    summary = parameters.one("_summary")
    if summary is not None and summary not in _SUMMARIES:
        parameters.wrong("_summary", f"expected one of {', '.join(sorted(_SUMMARIES))}, not {summary[:50]!r}")
    count = parameters.one("_count")
    if count is not None and not (count.isascii() and count.isdecimal()):
        parameters.wrong("_count", f"expected a whole number, not {count[:50]!r}")
    # FHIR R4: `_count=0` is the same as `_summary=count`.
    count_only = summary == "count" or (count is not None and not count.strip("0"))
    return Output(count_only, wants_pretty(parameters))


def wants_pretty(parameters: Parameters) -> bool:
    """Whether indented JSON is asked for."""
    return parameters.one("_pretty") == "true"


@dataclass(frozen=True, slots=True)
class SlotQuery:
    """An INT_R01 search. ``identifiers`` are prefixed national ones, each once, in the order asked.

    ``window`` is empty when the statuses asked for are not those of a free slot: nothing is found then.
    """

    identifiers: tuple[str, ...]
    window: Window
    with_schedule: bool
    with_practitioner: bool
    with_role: bool
    output: Output


def slot_query(parameters: Parameters, zone: ZoneInfo, *, strict: bool) -> SlotQuery:
    """Reads the parameters of ``GET Slot``. Raises BadRequestError with every problem found."""
    if strict:
        parameters.refuse_unknown((START, STATUS, IDENTIFIER))
    window = _window(parameters, START, zone)
    wants_free = _wants_free(parameters, STATUS)
    identifiers = national_identifiers(parameters, IDENTIFIER)
    includes = set(_includes(parameters, strict=strict))
    wanted_output = output(parameters)
    refuse(parameters.issues)
    # A Schedule that is not in the answer has no actors to add to it.
    with_schedule = bool(includes & {"Slot:schedule", "Slot:schedule:Schedule"})
    every_actor = with_schedule and "Schedule:actor" in includes
    return SlotQuery(
        identifiers,
        window if wants_free else _NOTHING,
        with_schedule,
        every_actor or (with_schedule and "Schedule:actor:Practitioner" in includes),
        every_actor or (with_schedule and "Schedule:actor:PractitionerRole" in includes),
        wanted_output,
    )


def national_identifiers(parameters: Parameters, name: str) -> tuple[str, ...]:
    """The values of a required list of national practitioner identifiers."""
    text = parameters.one(name, required=True)
    if text is None:
        return ()
    tokens = split_list(text)
    if len(tokens) > MOST_IDENTIFIERS:
        parameters.wrong(name, f"{len(tokens)} identifiers, at most {MOST_IDENTIFIERS} are accepted", "too-costly")
        return ()
    found: dict[str, None] = {}
    for token in tokens:
        system, value = parse_token(token)
        if system != PRACTITIONER_OID or not value:
            parameters.wrong(name, f"expected {PRACTITIONER_OID}|<identifier>, not {token[:100]!r}")
        found[value] = None
    return tuple(found)


def _window(parameters: Parameters, name: str, zone: ZoneInfo) -> Window:
    """The window of ``name=ge<dateTime>`` and ``name=le<dateTime>``, both required, once each."""
    bounds: dict[str, str] = {}
    sound = True
    for value in parameters.all(name):
        prefix, moment = value[:2], value[2:]
        if prefix not in ("ge", "le"):
            parameters.wrong(name, f"expected ge<dateTime> or le<dateTime>, not {value[:60]!r}")
            sound = False
        elif prefix in bounds:
            parameters.wrong(name, f"{prefix} is given twice")
            sound = False
        else:
            bounds[prefix] = moment
    for prefix in ("ge", "le"):
        if sound and prefix not in bounds:
            parameters.wrong(name, f"required: {name}=ge… and {name}=le…, {prefix} is missing", "required")
            sound = False
    periods = {}
    for prefix, moment in bounds.items():
        try:
            periods[prefix] = parse_date(moment, zone)
        except ValueError as error:
            parameters.wrong(name, f"{prefix}: {error}, not {moment[:60]!r}")
            sound = False
    if not sound:
        return _NOTHING
    window = Window(periods["ge"].first, periods["le"].after)
    if window.after <= window.first:
        parameters.wrong(name, "le is before ge")
    return window


def _wants_free(parameters: Parameters, name: str) -> bool:
    """Whether free slots are among the statuses asked for."""
    text = parameters.one(name, required=True)
    wanted = set()
    for token in split_list(text) if text else ():
        system, code = parse_token(token)
        if system not in ("", SLOT_STATUS) or code not in SLOT_STATUSES:
            parameters.wrong(name, f"expected a slot status ({', '.join(sorted(SLOT_STATUSES))}), not {token[:60]!r}")
        wanted.add(code)
    return "free" in wanted


def _includes(parameters: Parameters, *, strict: bool) -> Iterable[str]:
    """The includes asked for, written ``_include`` or ``_include:iterate``, repeated or joined with commas."""
    supported = {
        "Slot:schedule",
        "Slot:schedule:Schedule",
        "Schedule:actor",
        "Schedule:actor:Practitioner",
        "Schedule:actor:PractitionerRole",
    }
    for name in ("_include", "_include:iterate"):
        for value in parameters.all(name):
            for include in split_list(value):
                if strict and include not in supported:
                    parameters.wrong(name, f"{include[:60]!r} is not supported", "not-supported")
                yield include

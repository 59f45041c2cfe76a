"""Reading FHIR search parameters and writing FHIR JSON: shared by every flow.

Rules: HL7 FHIR R4 "search" and "http", and the common rules of the guide (tolerances of what the SAS sends).
"""

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import MINYEAR, UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from flask import Response
from werkzeug.http import parse_list_header, parse_options_header

from mock_editor.base.codes import ACCEPTED_JSON, FHIR_JSON
from mock_editor.base.errors import BadRequestError, InvalidValueError, refused
from mock_editor.base.issues import Code, Issue
from mock_editor.base.words import english

Resource = dict[str, Any]


# --- writing


def dumps(resource: Resource | str) -> bytes:
    """The JSON of a resource, or of a text in one, compact, UTF-8."""
    return orjson.dumps(resource)


def operation_outcome(issues: Sequence[Issue]) -> Resource:
    """The OperationOutcome that tells ``issues``."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": issue.severity,
                "code": issue.type,
                "diagnostics": english(issue),
                **({"expression": [issue.place]} if issue.place else {}),
            }
            for issue in issues
        ],
    }


def response(
    body: bytes, status: int = 200, *, pretty: bool = False, headers: Mapping[str, str] | None = None
) -> Response:
    """A FHIR answer; ``pretty`` writes it indented (``_pretty=true``)."""
    if pretty:
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    return Response(body, status, headers, content_type=FHIR_JSON)


def instant(moment: datetime, zone: ZoneInfo) -> str:
    """``YYYY-MM-DDTHH:MM:SS.sss±HH:MM``: three decimals and an explicit offset, never ``Z``."""
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


# Legal in the query of a URI (RFC 3986): pchar, "/" and "?". Everything else is percent-encoded.
_LEGAL_IN_QUERY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/?%"
_ILLEGAL_IN_QUERY = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")
_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def legal_query(raw_query: bytes) -> str:
    """The query as received, with only what no URI may hold percent-encoded."""
    if not raw_query.translate(None, _LEGAL_IN_QUERY) and not _LONE_PERCENT.search(raw_query):
        return raw_query.decode("ascii")
    return _ILLEGAL_IN_QUERY.sub(lambda match: b"%%%02X" % match.group()[0], raw_query).decode("ascii")


# --- content negotiation

_JSON_OR_ANYTHING = ACCEPTED_JSON | {"json", "*/*", "application/*", "*"}


def check_acceptable(accept: str, formats: Sequence[str]) -> None:
    """Raises 406 unless JSON may be answered. ``_format`` overrides ``Accept``; parameters of a type do not matter."""
    # In a query, the `+` of `application/fhir+json` often arrives as a space; there is a short form, too.
    if _means_json(formats[-1].strip().replace(" ", "+")) if formats else _means_json(accept):
        return
    named, wanted = ("_format", formats[-1]) if formats else ("Accept", accept)
    raise refused(Code.NOT_ACCEPTABLE, name=named, found=wanted[:200])


@functools.lru_cache(maxsize=256)
def _means_json(accept: str) -> bool:
    """Whether an ``Accept`` header, or a ``_format``, leaves room for JSON."""
    if not accept.strip():
        return True
    for item in parse_list_header(accept):
        media_type, options = parse_options_header(item)
        refused = re.fullmatch(r"0(\.0*)?", options.get("q", "1").strip()) is not None
        if not refused and media_type.lower() in _JSON_OR_ANYTHING:
            return True
    return False


def prefers_strict(prefer: str) -> bool:
    """Whether ``Prefer: handling=strict`` was sent: unknown parameters are then refused."""
    return "handling=strict" in _preferences(prefer)


def preferred_return(prefer: str) -> str:
    """What ``Prefer: return=`` wants of a write: representation (the default), minimal or operationoutcome."""
    wanted = (part.removeprefix("return=") for part in _preferences(prefer) if part.startswith("return="))
    return next(
        (preference for preference in wanted if preference in ("minimal", "operationoutcome")), "representation"
    )


def _preferences(prefer: str) -> list[str]:
    return [part.replace(" ", "").replace('"', "").lower() for part in re.split("[,;]", prefer)]


# --- dates

_DATE = re.compile(
    r"""(?P<year>\d{4})
        (?:-(?P<month>\d\d)
          (?:-(?P<day>\d\d)
            (?:T(?P<hour>\d\d):(?P<minute>\d\d)
              (?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?
              (?P<offset>Z|[+\- ]\d\d:\d\d)?
            )?
          )?
        )?""",
    re.VERBOSE | re.ASCII,
)


class Period(NamedTuple):
    """What a FHIR date stands for: the instants from ``first`` up to, not including, ``after``. Both in UTC."""

    first: datetime
    after: datetime


# A FHIR date goes from 0001 to 9999 in any zone; instants here, in UTC, end where Python's do.
FIRST_INSTANT, LAST_INSTANT = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@functools.lru_cache(maxsize=256)  # the batches of one search of the SAS share their bounds
def parse_date(text: str, zone: ZoneInfo) -> Period:
    """Reads a FHIR ``date`` or ``dateTime`` of any precision; without an offset it is read in ``zone``.

    The `+` of an offset may have arrived as a space. What lies before the first or after the last instant is that
    instant, and a leap second is the next one. Raises InvalidValueError.
    """
    match = _DATE.fullmatch(text.strip())
    if not match:
        raise InvalidValueError(Code.DATE_EXPECTED)
    part = match.groupdict()
    year, month, day = int(part["year"]), int(part["month"] or 1), int(part["day"] or 1)
    try:
        if part["hour"] is None:
            begin = datetime(year, month, day, tzinfo=zone)
            return Period(_in_utc(begin), _in_utc(_next(begin, part)))
        fraction, offset = part["fraction"] or "", (part["offset"] or "").replace(" ", "+")
        leap = part["second"] == "60"
        second = "59" if leap else part["second"] or "00"
        written = f"{text.strip()[:10]}T{part['hour']}:{part['minute']}:{second}.{fraction.ljust(6, '0')[:6]}{offset}"
        begin = datetime.fromisoformat(written)
    except ValueError:
        raise InvalidValueError(Code.DATE_IMPOSSIBLE) from None
    if fraction:
        length = timedelta(microseconds=10 ** max(0, 6 - len(fraction)))
    else:
        length = timedelta(seconds=1) if part["second"] else timedelta(minutes=1)
    first = _after(_in_utc(begin if begin.tzinfo else begin.replace(tzinfo=zone)), timedelta(seconds=leap))
    return Period(first, _after(first, length))


def _next(begin: datetime, part: Mapping[str, str | None]) -> datetime:
    """The day after, or the first one of the month or year after, as precise as the date was."""
    year, month = begin.year, begin.month
    try:
        if part["day"]:
            return begin + timedelta(days=1)
        if part["month"]:
            return begin.replace(year=year + month // 12, month=month % 12 + 1)
        return begin.replace(year=year + 1)
    except (OverflowError, ValueError):  # after 9999
        return LAST_INSTANT


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return FIRST_INSTANT if moment.year == MINYEAR else LAST_INSTANT


def _after(moment: datetime, length: timedelta) -> datetime:
    try:
        return moment + length
    except OverflowError:
        return LAST_INSTANT


# --- tokens


def split_list(value: str) -> list[str]:
    """The members of a comma-separated list; a space may follow a comma."""
    return [member.strip() for member in value.split(",")]


def parse_token(text: str) -> tuple[str, str]:
    """``system|value`` as a pair; a missing system is ``""``."""
    system, bar, value = text.partition("|")
    return (system, value) if bar else ("", system)


def refuse(issues: Sequence[Issue]) -> None:
    """Raises one 400 that tells all of ``issues``, if there are any."""
    if issues:
        raise BadRequestError(*issues)

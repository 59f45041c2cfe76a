"""Checks every value of every row of a saved state before it is restored.

Code that reads a row trusts it, so an invented file must not become the state. SQLite checks types, missing values (its
tables are strict), references and uniqueness. The rest is here.
"""

import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import orjson

from mock_editor.accounts import payload as accounts
from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR, Course
from mock_editor.base.errors import EditorError, InvalidValueError
from mock_editor.base.fhir import Resource
from mock_editor.base.issues import Code, Issue, from_text
from mock_editor.base.store import StoreError
from mock_editor.bench.idp.people import Person
from mock_editor.bench.receiver import payload as receiver
from mock_editor.calendars.model import AppointmentStatus
from mock_editor.calendars.override_rows import OverrideKind
from mock_editor.faults.rules import Rule, Timeline
from mock_editor.notifications.model import NotificationState

# Raises ValueError, or any of the other exceptions that ``_check`` expects of an invalid value.
Check = Callable[[Any], object]

_LONGEST, _LARGEST, _MOST = 20_000, 6_000_000, 2**53
_METHODS = ("POST", "PUT")


def _expect(fits: bool, code: Code, **values: object) -> None:
    if not fits:
        raise InvalidValueError(code, **values)


def _text(value: str) -> None:
    _expect(len(value) <= _LONGEST, Code.SAVED_LENGTH, most=_LONGEST)


def _name(value: str) -> None:
    _expect(0 < len(value) <= _LONGEST, Code.SAVED_NAME, most=_LONGEST)


def _whole(value: int) -> None:
    _expect(0 <= value <= _MOST, Code.SAVED_WHOLE, most=_MOST)


def _number(value: float) -> None:
    _expect(0 <= value <= _MOST, Code.SAVED_NUMBER, most=_MOST)


def _flag(value: int) -> None:
    _expect(value in (0, 1), Code.SAVED_FLAG)


def _instant(value: str) -> None:
    at = datetime.fromisoformat(value)
    _expect(at.tzinfo is not None, Code.SAVED_INSTANT_OFFSET)
    # Instants in the future may lie beyond the years that can be played.
    fits = FIRST_YEAR - 1 <= at.year <= LAST_YEAR + 100
    _expect(fits, Code.SAVED_INSTANT_YEARS, first=FIRST_YEAR, last=LAST_YEAR)


def _utc(value: str) -> None:
    # These instants are compared as texts, so they must all have the same form.
    _instant(value)
    at = datetime.fromisoformat(value)
    _expect(at.astimezone(UTC).isoformat() == value, Code.SAVED_INSTANT_UTC)


def _day(value: str) -> None:
    year = date.fromisoformat(value).year
    _expect(len(value) == len("2026-11-20"), Code.SAVED_DAY)
    _expect(FIRST_YEAR <= year <= LAST_YEAR, Code.SAVED_DAY_YEARS, first=FIRST_YEAR, last=LAST_YEAR)


def _one_of(values: Collection[str] | type[StrEnum]) -> Check:
    known = [str(value) for value in values]

    def check(value: str) -> None:
        _expect(value in known, Code.SAVED_ONE_OF, known=known)

    return check


def _json(check: Check) -> Check:
    def check_text(value: str) -> None:
        _expect(len(value) <= _LARGEST, Code.SAVED_LENGTH, most=_LARGEST)
        check(orjson.loads(value))

    return check_text


def _object(value: object) -> None:
    _expect(isinstance(value, dict), Code.SAVED_OBJECT)


def _any(_: object) -> None:
    pass


def _person(value: Any) -> None:
    person = Person(**value)
    for field in fields(person):
        attribute = getattr(person, field.name)
        fits = isinstance(attribute, str) or (attribute is None and field.default is None)
        _expect(fits, Code.SAVED_PERSON, field=field.name)


def _issue(value: str) -> None:
    _text(value)
    _expect(isinstance(from_text(value), Issue), Code.SAVED_ISSUE)


def _draws(value: Any) -> None:
    [seed, tallies] = value
    _expect(isinstance(seed, int) and all(isinstance(tally, int) for tally in tallies), Code.SAVED_TALLIES)


def _regulator(value: str) -> None:
    _expect("|" in value, Code.SAVED_REGULATOR)


def _account(value: Resource) -> None:
    accounts.regulator(value)


def _appointment(value: str) -> None:
    receiver.read(value.encode())


def _script(value: Mapping[str, object]) -> None:
    _expect(set(value) == {"source", "text", "file"}, Code.SAVED_SCENARIO)
    _expect(isinstance(value["source"], str) and isinstance(value["text"], str), Code.SAVED_SCENARIO_TEXTS)
    _expect(isinstance(value["file"], bool), Code.SAVED_FILE)
    _text(str(value["source"]))


def _course(value: tuple[str, str, float]) -> None:
    since, at, rate = value
    _instant(since)
    _instant(at)
    Course(datetime.fromisoformat(since), datetime.fromisoformat(at), rate)


_CONTROLS: dict[str, Check] = {
    "script": _script,
    "clock": _course,
    "saved at": _instant,
    "sending paused": lambda value: _expect(isinstance(value, bool), Code.SAVED_BOOLEAN),
    "faults": lambda value: _expect(isinstance(value, str), Code.SAVED_TEXT),
}
_OF_EDITOR: dict[str, Check] = {"editor": _name}
_OF_CALENDAR: dict[str, Check] = _OF_EDITOR | {"calendar": _name}

# The checks of every table that is saved, by column.
CHECKS: dict[str, dict[str, Check]] = {
    "absences": _OF_EDITOR | {"number": _whole, "owner": _name, "first": _day, "last": _day},
    "account_emails": _OF_EDITOR | {"email": _name, "account": _name, "active": _flag},
    "account_identifiers": _OF_EDITOR | {"system": _name, "value": _name, "account": _name},
    "accounts": _OF_EDITOR
    | {
        "id": _name, "number": _whole, "version": _whole, "updated": _instant, "active": _flag,
        "content": _json(_account), "password": _text, "terms_accepted": _instant, "declared": _text,
        "passwords": _whole, "failures": _whole, "locked_until": _utc,
    },
    "appointments": _OF_CALENDAR
    | {
        "id": _name, "number": _whole, "start": _utc, "end": _utc, "status": _one_of(AppointmentStatus),
        "created": _utc, "updated": _utc, "regulator": _regulator, "booker": _text, "sos": _flag,
        "practitioner": _name, "patient": _text, "reason": _text,
    },
    "calendar_changes": _OF_CALENDAR | {"id": _whole},
    "controls": {"name": _name, "value": _json(_any)},
    "day_overrides": _OF_CALENDAR | {"day": _day, "open": _flag, "extra": _whole},
    "extra_openings": _OF_CALENDAR | {"number": _whole, "day": _day, "section": _json(_object)},
    "fault_counts": {"mark": _name, "matched": _whole, "acted": _whole, "different": _whole},
    "fault_requests": {"mark": _name, "fingerprint": _name, "times": _whole},
    "fault_rules": {"name": _name, "place": _whole, "mark": _name, "rule": Rule.model_validate_json},
    "fault_tallies": {"mark": _name, "editor": _text, "seconds": _number, "period": _any, "times": _whole},
    "fault_timeline": {"id": _whole, "mark": _name, "began": _instant, "timeline": Timeline.model_validate_json},
    "idp_codes": {"code": _name, "expires": _whole, "content": _json(_object)},
    "idp_sessions": {"sid": _name, "key": _name, "person": _name, "since": _whole, "expires": _whole},
    "idp_visited": {"sid": _name, "client": _name, "logout_uri": _text},
    "logout_tokens": {"client": _name, "token": _name, "until": _number},
    "notification_attempts": {
        "id": _whole, "notification": _whole, "at": _instant, "method": _one_of(_METHODS), "status": _whole,
        "seconds": _number, "result": _issue, "answer": _text,
    },
    "notification_copies": _OF_EDITOR
    | {
        "id": _whole, "notification": _whole, "appointment": _name, "rule": Rule.model_validate_json,
        "applied": AppliedRule.from_text,
        "method": _one_of(_METHODS), "content_type": _name, "body": _any, "last": _flag, "rest": _whole,
        "apart": _number, "due": _utc, "lease": _number,
    },
    "notifications": _OF_EDITOR
    | {
        "id": _whole, "appointment": _name, "creates": _flag, "body": _json(_object),
        "state": _one_of(NotificationState), "created": _utc, "due": _utc, "attempts": _whole, "unsure": _flag,
        "lease": _number, "rule": Rule.model_validate_json, "draws": _json(_draws), "passed": _flag,
    },
    "override_numbers": _OF_EDITOR | {"kind": _one_of(OverrideKind), "last": _whole},
    "platform_accounts": _OF_EDITOR
    | {"person": _name, "active": _flag, "status": _whole, "trouble": _issue, "at": _instant, "seconds": _number},
    "platform_known": _OF_EDITOR | {"practitioner": _name},
    "platform_sessions": {"key": _name, "person": _name, "content": _json(_person), "expires": _utc, "sid": _text},
    "platform_withdrawn": {"person": _name},
    "received_appointments": {"id": _name, "system": _name, "value": _name, "first": _whole, "latest": _whole},
    "received_deliveries": {
        "number": _whole, "appointment": _name, "version": _whole, "received": _instant, "method": _one_of(_METHODS),
        "content": _appointment,
    },
    "sessions": _OF_EDITOR
    | {"key": _name, "account": _name, "sas": _flag, "expires": _utc, "subject": _text, "sid": _text},
    "slot_overrides": _OF_CALENDAR | {"start": _utc, "open": _flag},
}  # fmt: skip


def check(saved: sqlite3.Connection, without: Collection[str]) -> None:
    """Raises StoreError with the table and column of the first invalid value. The state must have our tables.

    Tables in ``without`` are skipped.
    """
    for table, checks in CHECKS.items():
        if table in without:
            continue
        cursor = saved.execute(f'select * from "{table}"')  # noqa: S608 - names of ours
        columns = [column[0] for column in cursor.description]
        for number, row in enumerate(cursor, 1):
            for column, value in zip(columns, row, strict=True):
                if value is not None:  # SQLite has checked where NULL is allowed
                    _check(table, number, column, value, checks.get(column, _any))
    for name, value in saved.execute("select name, value from controls"):
        _check("controls", 0, f"value of {name!r:.60}", orjson.loads(value), _CONTROLS.get(name, _any))


def _check(table: str, row: int, column: str, value: Any, check: Check) -> None:
    try:
        check(value)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, EditorError) as error:
        where: dict[str, object] = {"column": f"{table}.{column}", "reason": _reason(error)}
        if row:
            raise StoreError(Code.SNAPSHOT_VALUE_OF_ROW, row=row, **where) from None
        raise StoreError(Code.SNAPSHOT_VALUE, **where) from None


def _reason(error: Exception) -> object:
    if isinstance(error, InvalidValueError):
        return error.issue
    return error.issues[0] if isinstance(error, EditorError) else str(error)[:300]

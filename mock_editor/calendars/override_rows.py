"""The tables of what people open and close by hand: slots, days, absences, extra openings, with all their SQL.

The rules are in ``overrides``. The functions work in their caller's transaction.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlite_utils import Database

from mock_editor.calendars.catalogue import OwnedCalendar

# Instants are in UTC, days local. The numbers count everything ever created, so that no id is used twice. `extra` is
# the number of the last extra opening when a day was opened or closed: later ones are not affected by that.
SCHEMA = """
create table if not exists slot_overrides (
    editor text not null, calendar text not null, start text not null, open integer not null,
    primary key (editor, calendar, start)) strict;
create table if not exists day_overrides (
    editor text not null, calendar text not null, day text not null, open integer not null, extra integer not null,
    primary key (editor, calendar, day)) strict;
create table if not exists absences (
    editor text not null, number integer not null, owner text not null, first text not null, last text not null,
    primary key (editor, number)) strict;
create index if not exists absences_of on absences (editor, owner);
create table if not exists extra_openings (
    editor text not null, number integer not null, calendar text not null, day text not null, section text not null,
    primary key (editor, number)) strict;
create index if not exists extra_openings_of on extra_openings (editor, calendar);
create table if not exists override_numbers (
    editor text not null, kind text not null, last integer not null, primary key (editor, kind)) strict
"""
_TABLES = ("slot_overrides", "day_overrides", "absences", "extra_openings", "override_numbers")

Section = Mapping[str, Any]


class OverrideKind(StrEnum):
    """What an override opens or closes."""

    SLOT = "slot"
    DAY = "day"
    ABSENCE = "absence"
    EXTRA = "extra"


# Absences and extra openings have ids; these are their tables.
_NUMBERED = {OverrideKind.ABSENCE: "absences", OverrideKind.EXTRA: "extra_openings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One thing that was opened or closed by hand, from the local day ``first`` to ``last``, both included.

    Absences and extra openings have an ``id``. An absence has no ``calendar``: it closes all calendars of its owner.
    A slot has a ``start`` (UTC), an extra opening its ``section`` as given; ``again``: it reopens a closed day.
    """

    kind: OverrideKind
    open: bool
    owner: str
    calendar: str | None
    id: str | None = None
    first: date
    last: date
    start: datetime | None = None
    section: Section | None = None
    again: bool = False


class SlotRow(NamedTuple):
    """A slot that was opened or closed; ``start`` is in UTC."""

    calendar: str
    start: datetime
    open: bool

    def override(self, at: OwnedCalendar) -> Override:
        """The row as a record; ``at`` is its calendar."""
        day = self.start.astimezone(at.zone).date()
        kind = OverrideKind.SLOT
        return Override(
            kind=kind, open=self.open, owner=at.owner.id, calendar=at.key, first=day, last=day, start=self.start
        )


class DayRow(NamedTuple):
    """A day that was opened or closed; ``extra`` is the number of the last extra opening before that."""

    calendar: str
    day: date
    open: bool
    extra: int

    def override(self, at: OwnedCalendar) -> Override:
        """The row as a record; ``at`` is its calendar."""
        kind = OverrideKind.DAY
        return Override(kind=kind, open=self.open, owner=at.owner.id, calendar=at.key, first=self.day, last=self.day)


class AbsenceRow(NamedTuple):
    """An absence of an owner of calendars."""

    number: int
    owner: str
    first: date
    last: date

    @property
    def id(self) -> str:
        """By which it is named and taken back."""
        return f"{OverrideKind.ABSENCE}-{self.number}"

    def override(self) -> Override:
        """The row as a record."""
        kind = OverrideKind.ABSENCE
        return Override(
            kind=kind,
            open=False,
            owner=self.owner,
            calendar=None,
            id=self.id,
            first=self.first,
            last=self.last,
        )


class ExtraRow(NamedTuple):
    """An extra opening; ``section`` is the given one, as JSON."""

    number: int
    calendar: str
    day: date
    section: str

    @property
    def id(self) -> str:
        """By which it is named and taken back."""
        return f"{OverrideKind.EXTRA}-{self.number}"

    def override(self, at: OwnedCalendar, *, again: bool) -> Override:
        """The row as a record; ``at`` is its calendar, ``again`` whether it reopens a closed day."""
        kind = OverrideKind.EXTRA
        return Override(
            kind=kind,
            open=True,
            owner=at.owner.id,
            calendar=at.key,
            id=self.id,
            first=self.day,
            last=self.day,
            section=json.loads(self.section),
            again=again,
        )


# --- reading


def slots(db: Database, editor: str, calendar: str | None = None) -> list[SlotRow]:
    """The slots opened or closed at an editor, or in one of its calendars, by calendar and start."""
    query = "select calendar, start, open from slot_overrides"
    rows = _of(db, query, editor, "calendar", calendar, "calendar, start")
    return [SlotRow(key, datetime.fromisoformat(start), bool(is_open)) for key, start, is_open in rows]


def days(db: Database, editor: str, calendar: str | None = None) -> list[DayRow]:
    """The days opened or closed at an editor, or in one of its calendars, by calendar and day."""
    query = "select calendar, day, open, extra from day_overrides"
    rows = _of(db, query, editor, "calendar", calendar, "calendar, day")
    return [DayRow(key, date.fromisoformat(day), bool(is_open), extra) for key, day, is_open, extra in rows]


def absences(db: Database, editor: str, owner: str | None = None) -> list[AbsenceRow]:
    """The absences at an editor, or of one owner there, in the order of their entry."""
    rows = _of(db, "select number, owner, first, last from absences", editor, "owner", owner, "number")
    return [
        AbsenceRow(number, absent, date.fromisoformat(first), date.fromisoformat(last))
        for number, absent, first, last in rows
    ]


def extra_openings(db: Database, editor: str, calendar: str | None = None) -> list[ExtraRow]:
    """The extra openings at an editor, or in one calendar there, in the order of their entry."""
    query = "select number, calendar, day, section from extra_openings"
    rows = _of(db, query, editor, "calendar", calendar, "number")
    return [ExtraRow(number, key, date.fromisoformat(day), section) for number, key, day, section in rows]


def _of(db: Database, query: str, editor: str, column: str, value: str | None, order: str) -> list[tuple[Any, ...]]:
    if value is None:
        found = db.execute(f"{query} where editor = ? order by {order}", [editor])
    else:
        found = db.execute(f"{query} where editor = ? and {column} = ? order by {order}", [editor, value])
    return found.fetchall()


def last_extra(db: Database, editor: str) -> int:
    """The number of the last extra opening ever made at an editor; 0 before the first."""
    query = "select coalesce(max(last), 0) from override_numbers where editor = ? and kind = ?"
    [(number,)] = db.execute(query, [editor, OverrideKind.EXTRA.value]).fetchall()
    return int(number)


def calendars(db: Database) -> Iterator[tuple[str, str]]:
    """Editor and key of each calendar with overrides of its own. Absences, which have no calendar, do not count."""
    for table in ("slot_overrides", "day_overrides", "extra_openings"):
        yield from db.execute(f"select distinct editor, calendar from {table}").fetchall()  # noqa: S608 - names of ours


def absent_owners(db: Database) -> list[tuple[str, str]]:
    """Editor and identifier of each owner who has an absence."""
    return db.execute("select distinct editor, owner from absences").fetchall()


# --- writing


def put_slot(db: Database, editor: str, row: SlotRow) -> None:
    """Opens or closes a slot."""
    values = {"editor": editor, "calendar": row.calendar, "start": row.start.isoformat(), "open": int(row.open)}
    db.table("slot_overrides").upsert(values, pk=("editor", "calendar", "start"))


def delete_slot(db: Database, editor: str, calendar: str, start: datetime) -> bool:
    """Removes the override of a slot; False if there was none."""
    query = "delete from slot_overrides where editor = ? and calendar = ? and start = ?"
    return bool(db.execute(query, [editor, calendar, start.isoformat()]).rowcount)


def delete_slots(db: Database, editor: str, calendar: str, starts: Iterable[datetime]) -> None:
    """Removes the overrides of these slots."""
    for start in starts:
        delete_slot(db, editor, calendar, start)


def put_day(db: Database, editor: str, row: DayRow) -> None:
    """Opens or closes a day."""
    values = {"editor": editor, "calendar": row.calendar, "day": row.day.isoformat(), "open": int(row.open)}
    db.table("day_overrides").upsert(values | {"extra": row.extra}, pk=("editor", "calendar", "day"))


def delete_day(db: Database, editor: str, calendar: str, day: date) -> None:
    """Removes the override of a day."""
    query = "delete from day_overrides where editor = ? and calendar = ? and day = ?"
    db.execute(query, [editor, calendar, day.isoformat()])


def add_absence(db: Database, editor: str, owner: str, first: date, last: date) -> AbsenceRow:
    """Enters an absence."""
    row = AbsenceRow(_next_number(db, editor, OverrideKind.ABSENCE), owner, first, last)
    values = {"editor": editor, "number": row.number, "owner": owner}
    db.table("absences").insert(values | {"first": first.isoformat(), "last": last.isoformat()})
    return row


def add_extra(db: Database, editor: str, calendar: str, day: date, section: Section) -> ExtraRow:
    """Enters an extra opening."""
    text = json.dumps(dict(section), ensure_ascii=False)
    row = ExtraRow(_next_number(db, editor, OverrideKind.EXTRA), calendar, day, text)
    values = {"editor": editor, "number": row.number, "calendar": calendar, "day": day.isoformat(), "section": text}
    db.table("extra_openings").insert(values)
    return row


def delete(db: Database, editor: str, row: AbsenceRow | ExtraRow) -> None:
    """Deletes an absence or an extra opening."""
    table = _NUMBERED[OverrideKind.ABSENCE if isinstance(row, AbsenceRow) else OverrideKind.EXTRA]
    db.execute(f"delete from {table} where editor = ? and number = ?", [editor, row.number])  # noqa: S608 - names of ours


def delete_all(db: Database) -> None:
    """Deletes every override."""
    for table in _TABLES:
        db.execute(f"delete from {table}")  # noqa: S608 - names of ours


def _next_number(db: Database, editor: str, kind: OverrideKind) -> int:
    query = """insert into override_numbers values (?, ?, 1)
        on conflict do update set last = last + 1 returning last"""
    [(number,)] = db.execute(query, [editor, kind.value]).fetchall()
    return int(number)

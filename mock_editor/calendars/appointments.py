"""Appointments and the slots that they hold, with all SQL about them.

A slot is held by one appointment at most: an index of the table enforces this, even for concurrent requests.
"""

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import EVERYTHING, LIMIT, Listing, Page, says, where
from mock_editor.base.store import Store
from mock_editor.calendars import following
from mock_editor.calendars.availability import Unavailable, refusal
from mock_editor.calendars.model import Appointment, AppointmentStatus, Editor, RegulatorId, Window
from mock_editor.calendars.taken import Taken

# `number` counts the appointments of an editor from 1.
SCHEMA = """
create table if not exists appointments (
    editor text not null, id text not null, number integer not null, calendar text not null, start text not null,
    "end" text not null, status text not null, created text not null, updated text not null,
    regulator text, booker text not null, sos integer not null, practitioner text, patient text not null,
    reason text not null,
    primary key (editor, id), unique (editor, number)) strict;
create unique index if not exists appointments_hold on appointments (editor, calendar, start)
    where status <> 'cancelled';
create index if not exists appointments_of on appointments (editor, booker)
"""
_NAMESPACE = uuid.UUID("b5a7c0de-3c1f-5d0e-8e6a-94a1d1f7c202")
_INSTANTS = ("start", "end", "created", "updated")
_COLUMNS = [field.name for field in fields(Appointment)]
_SELECT = "select " + ", ".join(f'"{column}"' for column in _COLUMNS) + " from appointments"  # noqa: S608
_CONDITIONS = {
    "editors": "editor in (select value from json_each(:editors))",
    "status": "status = :status",
    "practitioner": "practitioner = :practitioner",
    "sas": "(regulator is not null) = :sas",
    "sos": "sos = :sos",
    "since": "start >= :since",
    "until": "start < :until",
    "text": says("patient", "reason", "id", "calendar", "booker", "practitioner", "regulator"),
}


@dataclass(frozen=True, slots=True)
class AppointmentFilter:
    """Which appointments are wanted. Only those match that meet every condition given.

    ``since`` and ``until`` (exclusive) are about their start. ``text`` is searched in patient, reason, ids and people.
    """

    editors: Collection[str]
    status: AppointmentStatus | None = None
    practitioner: str | None = None
    sas: bool | None = None
    sos: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class Appointments:
    """The appointments of every editor. ``taken`` mirrors them: call ``follow`` when others may have changed some.

    ``on_write`` is called with each new state of an appointment, in the transaction that writes it. ``check`` is called
    with editor, calendar and start before an appointment takes a slot, and raises an error if it may not.
    """

    def __init__(
        self,
        store: Store,
        editors: Mapping[str, Editor],
        taken: Taken,
        on_write: Callable[[Database, Appointment], None] = lambda _, __: None,
        check: Callable[[Database, str, str, datetime], None] = lambda _, __, ___, ____: None,
    ) -> None:
        self._store = store
        self._on_write = on_write
        self._check = check
        self._editors = editors
        self._taken = taken
        self._follower = following.Follower(store, self._everything, self._look)

    # --- reading

    def find(self, editor: str, identifier: str) -> Appointment | None:
        """The appointment with this id, if there is one."""
        with self._store.reading() as db:
            return _find(db, editor, identifier)

    def read(self, editor: str, identifier: str) -> Appointment:
        """The appointment with this id. Raises 404."""
        with self._store.reading() as db:
            return _read(db, editor, identifier)

    def of(self, editor: str, booker: str | None = None) -> list[Appointment]:
        """The appointments of an editor, or of one booker there, by start."""
        where, parameters = "where editor = ?", [editor]
        if booker is not None:
            where, parameters = "where editor = ? and booker = ?", [editor, booker]
        with self._store.reading() as db:
            return [_from_row(row) for row in db.execute(f"{_SELECT} {where} order by start, number", parameters)]

    def listing(self, wanted: AppointmentFilter, page: Page = EVERYTHING) -> Listing[Appointment]:
        """A page of the wanted appointments, the newest first."""
        condition, values = where(wanted, _CONDITIONS)
        values |= {"editors": json.dumps([*wanted.editors])}
        values |= {name: values[name].astimezone(UTC).isoformat() for name in ("since", "until") if name in values}
        # Under a frozen clock many have the same instant: these are sorted in the order of the editors.
        ranks = "(select key from json_each(:editors) where value = editor)"
        query = f"{_SELECT} where {condition} order by created desc, start desc, {ranks}, number {LIMIT}"
        with self._store.reading() as db:
            [(total,)] = db.execute(f"select count(*) from appointments where {condition}", values)  # noqa: S608 - words of ours
            return Listing([_from_row(row) for row in db.execute(query, values | page.values)], total)

    def during(self, editor: str, calendar: str, window: Window) -> list[Appointment]:
        """The appointments of a calendar that start in a window and hold their slots, in order."""
        where = "where editor = ? and calendar = ? and status <> 'cancelled' and start >= ? and start < ?"
        with self._store.reading() as db:
            rows = db.execute(
                f"{_SELECT} {where} order by start",
                [editor, calendar, window.first.isoformat(), window.after.isoformat()],
            )
            return [_from_row(row) for row in rows]

    def over(self, editor: str, now: datetime) -> list[Appointment]:
        """The appointments of an editor that are over, while nobody has noted yet whether the patient came."""
        where = """where editor = ? and status = 'booked' and "end" <= ? order by "end", number"""
        with self._store.reading() as db:
            rows = db.execute(f"{_SELECT} {where}", [editor, now.isoformat()])
            return [_from_row(row) for row in rows]

    # --- writing

    def add(self, appointment: Appointment) -> Appointment:
        """Stores a new appointment and gives it an id. Raises 409 when the slot is held or closed."""
        with self._store.writing() as db:
            self._check(db, appointment.editor, appointment.calendar, appointment.start)
            query = "select coalesce(max(number), 0) + 1 from appointments where editor = ?"
            [(number,)] = db.execute(query, [appointment.editor])
            # Derived from the seed, so that the same requests give the same appointments.
            seed = f"{self._editors[appointment.editor].seed}:appointment:{number}"
            added = replace(appointment, id=str(uuid.uuid5(_NAMESPACE, seed)))
            with _held():
                db.table("appointments").insert(_row(added) | {"number": number})
            following.note(db, added.editor, added.calendar)
            self._on_write(db, added)
        self._follow_own()
        return added

    def change(self, editor: str, identifier: str, edit: Callable[[Appointment], Appointment]) -> Appointment:
        """Replaces an appointment by the result of ``edit``. Raises 404, 409, and what ``edit`` raises."""
        with self._store.writing() as db:
            old = _read(db, editor, identifier)
            new = edit(old)
            if (new.calendar, new.start) != (old.calendar, old.start):
                self._check(db, editor, new.calendar, new.start)
            columns = ", ".join(f'"{column}" = :{column}' for column in _COLUMNS)
            with _held():
                db.execute(f"update appointments set {columns} where editor = :editor and id = :id", _row(new))  # noqa: S608
            following.note(db, editor, old.calendar)
            following.note(db, editor, new.calendar)
            self._on_write(db, new)
        self._follow_own()
        return new

    def reset(self, db: Database) -> None:
        """Deletes every appointment. Call ``follow`` after the transaction."""
        db.execute("delete from appointments")
        following.note_all(db)

    def _follow_own(self) -> None:
        """Follows what was just written here. The write has succeeded, so a failed read is not its error."""
        with contextlib.suppress(EditorError):  # the regular look for changes tries again
            self.follow()

    def follow(self) -> None:
        """Updates what is in memory. Cheap when nothing has changed."""
        self._follower.follow()

    def _everything(self, db: Database) -> set[tuple[str, str]]:
        # Copies, as other threads add to these mappings.
        known = {(slug, key) for slug, editor in self._editors.items() for key in list(self._taken.of(editor.seed))}
        return known.union(db.execute("select distinct editor, calendar from appointments").fetchall())

    def _look(self, db: Database, editor: str, calendar: str) -> None:
        if editor in self._editors:
            self._taken.hold(self._editors[editor].seed, calendar, frozenset(held(db, editor, calendar)))


def held(db: Database, editor: str, calendar: str) -> dict[datetime, datetime]:
    """The slots of a calendar that appointments hold: their ends by their starts, in UTC."""
    query = """select start, "end" from appointments where editor = ? and calendar = ? and status <> 'cancelled'"""
    rows = db.execute(query, [editor, calendar])
    return {datetime.fromisoformat(start): datetime.fromisoformat(end) for start, end in rows}


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Turns a violation of the index into a 409."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise refusal(Unavailable.BOOKED) from None


def _find(db: Database, editor: str, identifier: str) -> Appointment | None:
    row = db.execute(f"{_SELECT} where editor = ? and id = ?", [editor, identifier]).fetchone()
    return _from_row(row) if row else None


def _read(db: Database, editor: str, identifier: str) -> Appointment:
    found = _find(db, editor, identifier)
    if found is None:
        raise refused(Code.APPOINTMENT_NOT_FOUND, name=identifier[:100])
    return found


def _row(appointment: Appointment) -> dict[str, Any]:
    row = {column: getattr(appointment, column) for column in _COLUMNS}
    row |= {column: row[column].isoformat() for column in _INSTANTS}
    regulator = appointment.regulator
    return row | {
        "status": appointment.status.value,
        "regulator": regulator and f"{regulator.system}|{regulator.value}",
    }


def _from_row(row: tuple[Any, ...]) -> Appointment:
    values = dict(zip(_COLUMNS, row, strict=True))
    values |= {column: datetime.fromisoformat(values[column]) for column in _INSTANTS}
    regulator = RegulatorId(*values["regulator"].split("|", 1)) if values["regulator"] else None
    values |= {"status": AppointmentStatus(values["status"]), "regulator": regulator, "sos": bool(values["sos"])}
    return Appointment(**values)

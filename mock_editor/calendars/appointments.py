"""Appointments, and the slots that they hold. All SQL about them stands here.

One slot is held by one appointment at most: an index of the table says so, whatever races.
"""

import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from mock_editor.base.errors import EditorError, Issue, NotFoundError
from mock_editor.base.store import Store
from mock_editor.calendars.model import Appointment, AppointmentStatus, Editor, RegulatorId
from mock_editor.calendars.taken import Taken

# `number` counts the appointments of an editor from 1. The changes tell other workers which calendars to look at again;
# one without a calendar, all of them.
SCHEMA = """
create table if not exists appointments (
    editor text not null, id text not null, number integer not null, calendar text not null, start text not null,
    "end" text not null, status text not null, created text not null, updated text not null,
    regulator text, booker text not null, sos integer not null, practitioner text, patient text not null,
    reason text not null,
    primary key (editor, id), unique (editor, number)) strict;
create unique index if not exists appointments_hold on appointments (editor, calendar, start)
    where status <> 'cancelled';
create index if not exists appointments_of on appointments (editor, booker);
create table if not exists appointment_changes (
    id integer primary key autoincrement, editor text, calendar text) strict
"""
_KEPT_CHANGES = 10_000  # far more than happen between two looks
_NAMESPACE = uuid.UUID("b5a7c0de-3c1f-5d0e-8e6a-94a1d1f7c202")
_INSTANTS = ("start", "end", "created", "updated")
_COLUMNS = [field.name for field in fields(Appointment)]
_SELECT = "select " + ", ".join(f'"{column}"' for column in _COLUMNS) + " from appointments"  # noqa: S608


class Appointments:
    """The appointments of every editor. ``taken`` follows them: call ``follow`` when others may have changed some.

    ``on_write`` is called with each new state of an appointment, in the transaction that writes it.
    """

    def __init__(
        self,
        store: Store,
        editors: Mapping[str, Editor],
        taken: Taken,
        on_write: Callable[[Database, Appointment], None] = lambda _, __: None,
    ) -> None:
        self._store = store
        self._on_write = on_write
        self._editors = editors
        self._taken = taken
        self._following = threading.Lock()
        self._seen = -1

    # --- reading

    def find(self, editor: str, identifier: str) -> Appointment | None:
        """The appointment with this id, if there is one."""
        with self._store.reading() as db:
            return _find(db, editor, identifier)

    def read(self, editor: str, identifier: str) -> Appointment:
        """The appointment with this id. Raises NotFoundError."""
        with self._store.reading() as db:
            return _read(db, editor, identifier)

    def of(self, editor: str, booker: str | None = None) -> list[Appointment]:
        """Those of an editor, or of somebody there, the next to come last."""
        where, parameters = "where editor = ?", [editor]
        if booker is not None:
            where, parameters = "where editor = ? and booker = ?", [editor, booker]
        with self._store.reading() as db:
            return [_from_row(row) for row in db.execute(f"{_SELECT} {where} order by start, number", parameters)]

    def over(self, editor: str, now: datetime) -> list[Appointment]:
        """Those of an editor that have ended, and of which nobody has said whether the patient came."""
        where = """where editor = ? and status = 'booked' and "end" <= ? order by "end", number"""
        with self._store.reading() as db:
            rows = db.execute(f"{_SELECT} {where}", [editor, now.isoformat()])
            return [_from_row(row) for row in rows]

    # --- writing

    def add(self, appointment: Appointment) -> Appointment:
        """Keeps a new appointment, and gives it its id. Raises 409 when somebody else holds the slot."""
        with self._store.writing() as db:
            query = "select coalesce(max(number), 0) + 1 from appointments where editor = ?"
            [(number,)] = db.execute(query, [appointment.editor])
            # Drawn, so that the same requests give the same appointments.
            seed = f"{self._editors[appointment.editor].seed}:appointment:{number}"
            added = replace(appointment, id=str(uuid.uuid5(_NAMESPACE, seed)))
            with _held():
                db.table("appointments").insert(_row(added) | {"number": number})
            _note(db, added)
            self._on_write(db, added)
        self.follow()
        return added

    def change(self, editor: str, identifier: str, edit: Callable[[Appointment], Appointment]) -> Appointment:
        """Replaces an appointment by what ``edit`` makes of it. Raises NotFoundError, 409, and what ``edit`` raises."""
        with self._store.writing() as db:
            old = _read(db, editor, identifier)
            new = edit(old)
            columns = ", ".join(f'"{column}" = :{column}' for column in _COLUMNS)
            with _held():
                db.execute(f"update appointments set {columns} where editor = :editor and id = :id", _row(new))  # noqa: S608
            _note(db, old)
            _note(db, new)
            self._on_write(db, new)
        self.follow()
        return new

    def reset(self) -> None:
        """Forgets every appointment."""
        with self._store.writing() as db:
            db.execute("delete from appointments")
            db.table("appointment_changes").insert({"editor": None, "calendar": None})
        self.follow()

    def follow(self) -> None:
        """Brings what is in memory up to date. Cheap when there is nothing new."""
        with self._following, self._store.reading() as db:
            news = "select id, editor, calendar from appointment_changes where id > ? order by id"
            told = db.execute(news, [self._seen]).fetchall()
            if self._seen < 0 or any(editor is None for _, editor, _ in told):
                calendars = set(db.execute("select distinct editor, calendar from appointments").fetchall())
                calendars |= self._known()
            else:
                calendars = {(editor, calendar) for _, editor, calendar in told}
            for slug, calendar in calendars:
                if slug in self._editors:
                    self._taken.hold(self._editors[slug].seed, calendar, _starts(db, slug, calendar))
            self._seen = max((one for one, _, _ in told), default=max(self._seen, 0))

    def _known(self) -> set[tuple[str, str]]:
        return {(slug, calendar) for slug, editor in self._editors.items() for calendar in self._taken.of(editor.seed)}


def _starts(db: Database, editor: str, calendar: str) -> frozenset[datetime]:
    held = "select start from appointments where editor = ? and calendar = ? and status <> 'cancelled'"
    return frozenset(datetime.fromisoformat(start) for (start,) in db.execute(held, [editor, calendar]))


def _note(db: Database, appointment: Appointment) -> None:
    changes = db.table("appointment_changes")
    changes.insert({"editor": appointment.editor, "calendar": appointment.calendar})
    db.execute("delete from appointment_changes where id < ?", [(changes.last_pk or 0) - _KEPT_CHANGES])


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Turns the refusal of the index into what is told to people."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise EditorError(409, [Issue("conflict", "Somebody else has taken this slot")]) from None


def _find(db: Database, editor: str, identifier: str) -> Appointment | None:
    row = db.execute(f"{_SELECT} where editor = ? and id = ?", [editor, identifier]).fetchone()
    return _from_row(row) if row else None


def _read(db: Database, editor: str, identifier: str) -> Appointment:
    found = _find(db, editor, identifier)
    if found is None:
        raise NotFoundError(f"No appointment {identifier[:100]!r}")
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

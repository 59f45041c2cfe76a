"""The appointments that editors have sent, with every version and every delivery. All their SQL is here."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple

import orjson
from sqlite_utils import Database

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.fhir import Resource, instant
from mock_editor.base.fhir_bodies import refuse
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.preconditions import Current, Preconditions
from mock_editor.base.store import Store
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.receiver.payload import KIND, IncomingAppointment, moment

# `first` and `latest` are the deliveries that made the first and the current version. One without content repeats
# the version that there is.
SCHEMA = """
create table if not exists received_appointments (
    id text primary key, system text not null, value text not null, first integer not null, latest integer not null,
    unique (system, value)) strict;
create index if not exists received_appointments_latest on received_appointments (latest);
create table if not exists received_deliveries (
    number integer primary key, appointment text not null, version integer not null, received text not null,
    method text not null, content text,
    foreign key (appointment) references received_appointments (id)) strict;
create index if not exists received_deliveries_of on received_deliveries (appointment, number)
"""
_SELECT = """
select a.id, latest.version, first.received, latest.received, latest.content from received_appointments a
join received_deliveries first on first.number = a.first
join received_deliveries latest on latest.number = a.latest
"""
_NAMESPACE = uuid.UUID("0d3e9f60-54a7-5c55-9d0f-3f6a0c1b7e42")


@dataclass(frozen=True, slots=True)
class ReceivedAppointment:
    """An appointment as last notified. ``first`` is when it came, ``changed`` when it last changed."""

    id: str
    version: int
    first: datetime
    changed: datetime
    content: Resource

    @property
    def current(self) -> Current:
        """Its current version."""
        return Current(f"{KIND}/{self.id}", self.version, self.changed)

    @property
    def resource(self) -> Resource:
        """The appointment on the wire."""
        meta = {"versionId": str(self.version), "lastUpdated": instant(self.changed, DEFAULT_ZONE)}
        return {"resourceType": KIND, "id": self.id, "meta": meta | self.content["meta"]} | {
            name: value for name, value in self.content.items() if name not in ("resourceType", "meta")
        }


class Saved(NamedTuple):
    """The appointment after a request, and what the request did."""

    appointment: ReceivedAppointment
    outcome: Literal["created", "updated", "unchanged"]


class Version(NamedTuple):
    """A version of an appointment: when and how it came, its content, and when the same came again."""

    number: int
    received: datetime
    method: str
    content: Resource
    again: list[datetime]


class Inbox:
    """Keeps the notifications that come; ``now`` returns the instant."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    # --- reading

    def read(self, identifier: str) -> ReceivedAppointment:
        """The appointment with this id. Raises 404."""
        with self._store.reading() as db:
            return _read(db, identifier)

    def find(self, system: str, value: str) -> ReceivedAppointment | None:
        """The appointment with this identifier, if it came."""
        with self._store.reading() as db:
            return _find(db, system, value)

    def latest(self, most: int) -> tuple[list[ReceivedAppointment], int]:
        """Those that changed last, the newest first, and how many there are in all."""
        with self._store.reading() as db:
            [(total,)] = db.execute("select count(*) from received_appointments")
            rows = db.execute(f"{_SELECT} order by a.latest desc limit ?", [most])
            return [_from_row(row) for row in rows], total

    def newest(self) -> int:
        """The number of the last delivery; it changes when something new has come, or after a reset."""
        with self._store.reading() as db:
            return _next_number(db)

    def versions(self, identifier: str) -> list[Version]:
        """Every version of an appointment, the newest first; none for an unknown one."""
        query = (
            "select version, received, method, content from received_deliveries where appointment = ? order by number"
        )
        with self._store.reading() as db:
            rows = db.execute(query, [identifier]).fetchall()
        versions = []
        for number, deliveries in groupby(rows, key=lambda row: row[0]):
            (_, received, method, content), *again = deliveries
            times = [datetime.fromisoformat(row[1]) for row in again]
            versions.append(Version(number, datetime.fromisoformat(received), method, orjson.loads(content), times))
        return versions[::-1]

    # --- writing

    def create(self, incoming: IncomingAppointment) -> Saved:
        """A new appointment. Raises 422 when it is known: the editor has created it twice, or meant to update it."""
        with self._store.writing() as db:
            known = _find(db, incoming.system, incoming.value)
            if known:
                identifier = f"{incoming.system}|{incoming.value}"
                appointment = f"{KIND}/{known.id}"
                raise refused(Code.APPOINTMENT_KNOWN, incoming.place, identifier=identifier, appointment=appointment)
            return self._insert(db, incoming, "POST")

    def put(self, asked: tuple[str, str], incoming: IncomingAppointment, conditions: Preconditions) -> Saved:
        """Updates the appointment with the identifier ``asked``, or creates it. Raises 422, and 412 unless
        ``conditions`` hold for it."""
        if asked != (incoming.system, incoming.value):
            raise refused(Code.APPOINTMENT_OTHER_IN_URL, incoming.place, identifier="|".join(asked)[:200])
        with self._store.writing() as db:
            known = _find(db, *asked)
            conditions.check(known.current if known else None)
            return self._update(db, known, incoming) if known else self._insert(db, incoming, "PUT")

    def update(self, identifier: str, incoming: IncomingAppointment, conditions: Preconditions) -> Saved:
        """Updates the appointment with this id. Raises 422, 405 for an unknown one, and 412 unless ``conditions`` hold
        for it."""
        with self._store.writing() as db:
            try:
                known = _read(db, identifier)
            except EditorError:
                appointment = f"{KIND}/{identifier[:100]}"
                headers = {"Allow": "GET, HEAD"}
                raise refused(Code.APPOINTMENT_NOT_MADE_BY_ID, appointment=appointment, headers=headers) from None
            conditions.check(known.current)
            return self._update(db, known, incoming)

    def reset(self, db: Database) -> None:
        """Deletes everything."""
        db.execute("delete from received_deliveries")
        db.execute("delete from received_appointments")

    def _insert(self, db: Database, incoming: IncomingAppointment, method: str) -> Saved:
        # Derived from its identifier, so that the same requests give the same ids.
        identifier = str(uuid.uuid5(_NAMESPACE, f"{incoming.system}|{incoming.value}"))
        number = _next_number(db)
        row = {"id": identifier, "system": incoming.system, "value": incoming.value, "first": number, "latest": number}
        db.table("received_appointments").insert(row)
        self._deliver(db, number, identifier, 1, method, incoming.content)
        return Saved(_read(db, identifier), "created")

    def _update(self, db: Database, known: ReceivedAppointment, incoming: IncomingAppointment) -> Saved:
        refuse(422, _changes_forbidden(known, incoming))
        number = _next_number(db)
        if known.content == incoming.content:
            self._deliver(db, number, known.id, known.version, "PUT", None)
            return Saved(known, "unchanged")
        self._deliver(db, number, known.id, known.version + 1, "PUT", incoming.content)
        db.execute("update received_appointments set latest = ? where id = ?", [number, known.id])
        return Saved(_read(db, known.id), "updated")

    def _deliver(
        self, db: Database, number: int, appointment: str, version: int, method: str, content: Resource | None
    ) -> None:
        row = {
            "number": number,
            "appointment": appointment,
            "version": version,
            "received": self._now().isoformat(),
            "method": method,
            "content": orjson.dumps(content).decode() if content else None,
        }
        db.table("received_deliveries").insert(row)


def _changes_forbidden(known: ReceivedAppointment, incoming: IncomingAppointment) -> list[Issue]:
    """The issues of a version that changes what it may not: the identifiers, and the time of creation (INT_R03)."""
    issues = []
    [identifier] = known.content["identifier"]
    if (identifier["system"].strip(), identifier["value"].strip()) != (incoming.system, incoming.value):
        appointment, expected = f"{KIND}/{known.id}", f"{identifier['system']}|{identifier['value']}"[:233]
        issues.append(issue(Code.APPOINTMENT_OTHER, incoming.place, appointment=appointment, expected=expected))
    created = known.content["created"]
    if moment(created) != moment(incoming.content["created"]):
        issues.append(issue(Code.APPOINTMENT_CREATED, f"{KIND}.created", expected=created))
    return issues


def _next_number(db: Database) -> int:
    [(number,)] = db.execute("select coalesce(max(number), 0) + 1 from received_deliveries")
    return int(number)


def _find(db: Database, system: str, value: str) -> ReceivedAppointment | None:
    row = db.execute(f"{_SELECT} where a.system = ? and a.value = ?", [system, value]).fetchone()
    return _from_row(row) if row else None


def _read(db: Database, identifier: str) -> ReceivedAppointment:
    row = db.execute(f"{_SELECT} where a.id = ?", [identifier]).fetchone()
    if row is None:
        raise refused(Code.APPOINTMENT_UNKNOWN, appointment=f"{KIND}/{identifier[:100]}")
    return _from_row(row)


def _from_row(row: tuple[Any, ...]) -> ReceivedAppointment:
    identifier, version, first, changed, content = row
    return ReceivedAppointment(
        identifier, version, datetime.fromisoformat(first), datetime.fromisoformat(changed), orjson.loads(content)
    )

"""What waits to be told to the SAS, and what came of it. All SQL of INT_R03 stands here.

A notification is written in the transaction that changes its appointment: both are there, or neither. Those of one
appointment go one after the other, in order; those of different ones do not wait for each other.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlite_utils import Database

from mock_editor.base import controls
from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.store import Store
from mock_editor.calendars.model import Appointment, Editor
from mock_editor.notifications import payload

# Instants are ISO 8601 in UTC, by the simulator's clock; `lease` is real time, in seconds since 1970: it is about
# processes that die. `unsure`: an attempt went out, and nobody knows whether it was taken.
SCHEMA = """
create table if not exists notifications (
    id integer primary key autoincrement, editor text not null, appointment text not null, creates integer not null,
    body text not null, state text not null, created text not null, due text not null, attempts integer not null,
    unsure integer not null, lease real) strict;
create index if not exists notifications_open on notifications (editor, due) where state in ('waiting', 'sending');
create index if not exists notifications_of on notifications (editor, appointment, id);
create table if not exists notification_attempts (
    id integer primary key autoincrement, notification integer not null references notifications (id), at text not null,
    method text not null, status integer, seconds real not null, result text not null, answer text not null) strict;
create index if not exists notification_attempts_of on notification_attempts (notification)
"""
_OPEN = "('waiting', 'sending')"
_LONGEST_ANSWER = 10_000
_PAUSED = "sending paused"


class State(StrEnum):
    """Where a notification stands."""

    WAITING = "waiting"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    GIVEN_UP = "given up"


OPEN_STATES = frozenset({State.WAITING, State.SENDING})


class Claimed(NamedTuple):
    """A notification that this process is to send now."""

    id: int
    editor: str
    appointment: str
    body: bytes
    attempts: int
    creates: bool
    unsure: bool

    @property
    def method(self) -> str:
        """A create whose fate is unknown is repeated as an update, which the SAS takes for a create if need be."""
        return "POST" if self.creates and not self.unsure else "PUT"


class Attempt(NamedTuple):
    """One try: by which method, what was answered (None: nothing), how long it took, and what came of it in words."""

    method: str
    status: int | None
    seconds: float
    result: str
    answer: str


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification with its attempts, as it is shown."""

    id: int
    editor: str
    appointment: str
    state: State
    created: datetime
    due: datetime
    body: str
    attempts: Sequence[tuple[datetime, Attempt]]


class Brief(NamedTuple):
    """A notification as it is listed: ``held`` by an earlier one of its appointment that has yet to come to an end,
    with the number of its attempts, and the status and the result of the last one."""

    id: int
    editor: str
    appointment: str
    state: State
    created: datetime
    due: datetime
    body: str
    held: bool
    attempts: int
    status: int | None
    result: str | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many notifications of an editor are in a state, and when the oldest of them was made."""

    editor: str
    state: State
    count: int
    oldest: datetime


class Outbox:
    """The notifications of every editor."""

    def __init__(self, store: Store, clock: Clock, editors: Mapping[str, Editor]) -> None:
        self._store = store
        self._clock = clock
        self._editors = editors

    def add(self, db: Database, appointment: Appointment) -> None:
        """Queues the present state of an appointment, in the transaction that made it so; only for the SAS's own."""
        if not appointment.sas:
            return
        now = self._clock.now().isoformat()
        query = "select 1 from notifications where editor = ? and appointment = ?"
        known = db.execute(query, [appointment.editor, appointment.id]).fetchone()
        db.table("notifications").insert(
            {
                "editor": appointment.editor,
                "appointment": appointment.id,
                "creates": known is None,
                "body": payload.body(appointment, self._editors[appointment.editor]).decode(),
                "state": State.WAITING,
                "created": now,
                "due": now,
                "attempts": 0,
                "unsure": False,
            }
        )

    # --- sending

    def claim(self, most: int, seconds: float, room: Mapping[str, int] | None = None) -> list[Claimed]:
        """Takes notifications that are due, at most one per appointment, for ``seconds``: after that, whoever took
        them is believed dead, and nobody knows how far they got. No more of an editor than there is ``room`` for."""
        # A file may hold those of more editors: they wait for their scenario.
        room = dict.fromkeys(self._editors, most) if room is None else room
        now, real = self._clock.now().isoformat(), time.time()
        with self._store.reading() as db:
            # Most looks find nothing, and need not wait for the writers.
            if controls.get(db, _PAUSED) or not _due(db, now, real, 1, room):
                return []
        with self._store.writing() as db:
            found = [] if controls.get(db, _PAUSED) else _due(db, now, real, most, room)
            for one in found:
                db.execute(
                    "update notifications set state = 'sending', lease = ?, attempts = attempts + 1, unsure = ? "
                    "where id = ?",
                    [real + seconds, one.unsure, one.id],
                )
        return found

    def finish(self, claimed: Claimed, attempt: Attempt, state: State, *, wait: timedelta, unsure: bool) -> None:
        """Notes an attempt. ``wait`` is until the next one, if the notification is to wait; ``unsure`` whether the SAS
        may have taken it without our knowing."""
        now = self._clock.now()
        with self._store.writing() as db:
            # Whoever lost the lease has no say any more.
            db.execute(
                "update notifications set state = ?, due = ?, unsure = ?, lease = null "
                "where id = ? and state = 'sending' and attempts = ?",
                [state, (now + wait).isoformat(), unsure, claimed.id, claimed.attempts + 1],
            )
            if db.execute("select 1 from notifications where id = ?", [claimed.id]).fetchone():  # not after a reset
                row = attempt._asdict() | {"notification": claimed.id, "at": now.isoformat()}
                db.table("notification_attempts").insert(row | {"answer": attempt.answer[:_LONGEST_ANSWER]})

    # --- looking, and starting again

    def of(self, editor: str, appointment: str) -> list[Notification]:
        """Those of an appointment, in order."""
        return self._listed("where editor = ? and appointment = ? order by id", [editor, appointment])

    def briefly(self, most: int, *, editor: str | None = None, state: State | None = None) -> list[Brief]:
        """The last ones, newest first; of one editor, or in one state, if these are named."""
        # Not the attempts themselves: their answers may weigh megabytes.
        query = f"""
            select n.id, n.editor, n.appointment, n.state, n.created, n.due, n.body, exists (
                select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment
                and e.id < n.id and e.state in {_OPEN}),
                (select count(*) from notification_attempts where notification = n.id), last.status, last.result
            from notifications n left join notification_attempts last on last.id = (
                select max(id) from notification_attempts where notification = n.id)
            where n.editor = coalesce(?, n.editor) and n.state = coalesce(?, n.state)
            order by n.id desc limit ?"""  # noqa: S608
        with self._store.reading() as db:
            return [_brief(*row) for row in db.execute(query, [editor, state, most])]

    def counts(self, editor: str | None = None) -> dict[State, int]:
        """How many there are in each state; of one editor, if it is named."""
        with self._store.reading() as db:
            query = "select state, count(*) from notifications where editor = coalesce(?, editor) group by 1"
            rows = db.execute(query, [editor]).fetchall()
        return {State(state): count for state, count in rows}

    def depths(self) -> list[Depth]:
        """How many there are at each editor in each state."""
        query = "select editor, state, count(*), min(created) from notifications group by 1, 2 order by 1, 2"
        with self._store.reading() as db:
            rows = db.execute(query).fetchall()
        return [
            Depth(editor, State(state), count, datetime.fromisoformat(oldest)) for editor, state, count, oldest in rows
        ]

    def replay(self, identifier: int | None = None) -> int:
        """Has one that was refused or given up sent again, or all that were; returns how many.

        Not one after which another of its appointment was accepted, or is on its way: the SAS would fall back to an
        older state. Raises 409 for one that cannot be sent again.
        """
        again = """
            update notifications as n set state = 'waiting', due = ?, attempts = 0
            where state in ('refused', 'given up') and not exists (
                select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment
                and e.id > n.id and e.state in ('accepted', 'sending'))"""
        now = self._clock.now().isoformat()
        with self._store.writing() as db:
            if identifier is None:
                return int(db.execute(again, [now]).rowcount)
            if not db.execute(f"{again} and id = ?", [now, identifier]).rowcount:
                text = f"Notification {identifier} was neither refused nor given up, or a later one went or goes out"
                raise EditorError(409, [Issue("conflict", text)])
            return 1

    def pause(self, *, paused: bool) -> None:
        """Has nothing sent by any process until further notice, or everything again. What is on its way goes on."""
        with self._store.writing() as db:
            controls.put(db, _PAUSED, paused)

    def paused(self) -> bool:
        """Whether nothing is sent for now."""
        with self._store.reading() as db:
            return bool(controls.get(db, _PAUSED))

    def reset(self, db: Database) -> None:
        """Forgets every notification, and sends again."""
        db.execute("delete from notification_attempts")
        db.execute("delete from notifications")
        controls.put(db, _PAUSED, value=False)

    def _listed(self, where: str, parameters: Sequence[Any]) -> list[Notification]:
        columns = "id, editor, appointment, state, created, due, body"
        with self._store.reading() as db:
            rows = db.execute(f"select {columns} from notifications {where}", parameters).fetchall()  # noqa: S608
            return [_shown(db, *row) for row in rows]


def _due(db: Database, now: str, real: float, most: int, room: Mapping[str, int]) -> list[Claimed]:
    # A lease that has run out is about a process that died on the way: nobody knows whether it got through. An editor
    # at a time, by the index: one whose SAS is down may have thousands that are due.
    query = f"""
        select due, id, editor, appointment, body, attempts, creates, unsure or state = 'sending' from notifications n
        where editor = ? and state in {_OPEN} and due <= ? and (state = 'waiting' or lease < ?) and not exists (
            select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment and e.id < n.id
            and e.state in {_OPEN})
        order by due, id limit ?"""  # noqa: S608
    found = [row for editor, some in room.items() if some for row in db.execute(query, [editor, now, real, some])]
    return [
        Claimed(number, editor, appointment, body.encode(), attempts, bool(creates), bool(unsure))
        for _, number, editor, appointment, body, attempts, creates, unsure in sorted(found)[:most]
    ]


def _shown(
    db: Database, number: int, editor: str, appointment: str, state: str, created: str, due: str, body: str
) -> Notification:
    columns = "at, method, status, seconds, result, answer"
    query = f"select {columns} from notification_attempts where notification = ? order by id"  # noqa: S608
    attempts = [(datetime.fromisoformat(at), Attempt(*rest)) for at, *rest in db.execute(query, [number])]
    instants = datetime.fromisoformat(created), datetime.fromisoformat(due)
    return Notification(number, editor, appointment, State(state), *instants, body, attempts)


def _brief(
    number: int,
    editor: str,
    appointment: str,
    state: str,
    created: str,
    due: str,
    body: str,
    held: int,
    attempts: int,
    status: int | None,
    result: str | None,
) -> Brief:
    instants = datetime.fromisoformat(created), datetime.fromisoformat(due)
    return Brief(number, editor, appointment, State(state), *instants, body, bool(held), attempts, status, result)

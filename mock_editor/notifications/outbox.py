"""What waits to be told to the SAS, and what came of it. All SQL of INT_R03 stands here.

A notification is written in the transaction that changes its appointment: both are there, or neither. Those of one
appointment go one after the other, in order; those of different ones do not wait for each other.

Fault rules hold notifications back, have the following one go first, or have one sent again once it was accepted (a
*copy*). That is in the tables too, so that any worker goes on with it. Un-faulted notifications know nothing of it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import orjson
from sqlite_utils import Database

from mock_editor.base import controls
from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.instants import set_back
from mock_editor.base.processes import boot
from mock_editor.base.store import Store
from mock_editor.calendars.model import Appointment, Editor
from mock_editor.faults.kinds.outgoing import Again, Stale
from mock_editor.notifications import payload

# Instants are ISO 8601 in UTC, by the simulator's clock; `lease` is the machine's monotonic time, which nobody sets: it
# is about processes that die, and until then a fault may hold what waits. `unsure`: an attempt went out, and nobody
# knows whether it was taken. `rule` (as JSON) has held it back last, `held` (see Held) is there until it has been sent
# after that, `passed`: the following one is to go first. Copies: `rest` of them are still to be sent, `apart` seconds
# from each other; the `last` ones go when nothing of their appointment is open.
SCHEMA = """
create table if not exists notifications (
    id integer primary key autoincrement, editor text not null, appointment text not null, creates integer not null,
    body text not null, state text not null, created text not null, due text not null, attempts integer not null,
    unsure integer not null, lease real, rule text, held text, passed integer not null default 0) strict;
create index if not exists notifications_open on notifications (editor, due)
    where state in ('waiting', 'sending', 'tls failed');
create index if not exists notifications_of on notifications (editor, appointment, id);
create index if not exists notifications_held on notifications (rule) where held is not null;
create table if not exists notification_attempts (
    id integer primary key autoincrement, notification integer not null references notifications (id), at text not null,
    method text not null, status integer, seconds real not null, result text not null, answer text not null) strict;
create index if not exists notification_attempts_of on notification_attempts (notification);
create table if not exists notification_copies (
    id integer primary key autoincrement, notification integer not null references notifications (id),
    editor text not null, appointment text not null, rule text not null, acting text not null, method text not null,
    content_type text not null, body blob not null, last integer not null, rest integer not null, apart real not null,
    due text not null, lease real) strict;
create index if not exists notification_copies_of on notification_copies (editor, appointment)
"""
_OPEN = "('waiting', 'sending', 'tls failed')"
_LONGEST_ANSWER = 10_000
_PAUSED, _BOOT = "sending paused", "boot of leases"


class State(StrEnum):
    """Where a notification stands. TLS_FAILED waits too, and is never given up: certificates are not its fault."""

    WAITING = "waiting"
    SENDING = "sending"
    TLS_FAILED = "tls failed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    GIVEN_UP = "given up"


OPEN_STATES = frozenset({State.WAITING, State.SENDING, State.TLS_FAILED})


class Held(NamedTuple):
    """What a rule goes on with when a notification that it held back is sent: the seed of its draws, and the tallies
    that it was told."""

    seed: int
    tallies: Sequence[int] = ()


class Copy(NamedTuple):
    """What is sent again although it was accepted, for a rule that the journal calls ``acting``."""

    id: int
    acting: str
    method: str
    content_type: str
    lease: float


class Claimed(NamedTuple):
    """A notification that this process is to send now. ``rule`` (as JSON) has held it back, and is to go on if
    ``held``; ``passes``: an earlier one of its appointment waits until this one is through. ``tls_failed``: the last
    attempt did, on TLS."""

    id: int
    editor: str
    appointment: str
    body: bytes
    attempts: int
    creates: bool
    unsure: bool
    rule: str | None = None
    held: Held | None = None
    passes: bool = False
    tls_failed: bool = False
    copy: Copy | None = None

    @property
    def method(self) -> str:
        """A create whose fate is unknown is repeated as an update, which the SAS takes for a create if need be."""
        if self.copy:
            return self.copy.method
        return "POST" if self.creates and not self.unsure else "PUT"


class Then(NamedTuple):
    """What a rule (as JSON; ``acting`` in the journal) has sent again after a notification was accepted, which was
    sent as ``content_type`` and ``body``."""

    rule: str
    acting: str
    content_type: str
    body: bytes
    plans: Sequence[Again | Stale]


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
    """The notifications of every editor. ``outcomes`` is the store for what comes of what was claimed, if another."""

    def __init__(
        self, store: Store, clock: Clock, editors: Mapping[str, Editor], outcomes: Store | None = None
    ) -> None:
        self._store = store
        self._outcomes = outcomes or store
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
        if most <= 0:
            return []
        now, real = self._clock.now().isoformat(), time.monotonic()
        with self._store.reading() as db:
            # Most looks find nothing, and need not wait for the writers.
            same = controls.get(db, _BOOT) == boot()
            if controls.get(db, _PAUSED) or (same and not _due(db, now, real, 1, room, real + seconds)):
                return []
        with self._store.writing() as db:
            now = self._clock.now().isoformat()
            # Asked again: somebody else may have been first, and hold leases by now.
            if controls.get(db, _BOOT) != boot():
                # Whoever had taken them is gone with the machine's last start, or they come from another one.
                controls.put(db, _BOOT, boot())
                db.execute("update notifications set lease = null where lease is not null")
                db.execute("update notification_copies set lease = null where lease is not null")
            found = [] if controls.get(db, _PAUSED) else _due(db, now, real, most, room, real + seconds)
            for one in found:
                if one.copy:
                    db.execute("update notification_copies set lease = ? where id = ?", [one.copy.lease, one.copy.id])
                    continue
                db.execute(
                    "update notifications set state = 'sending', lease = ?, attempts = attempts + 1, unsure = ?, "
                    "passed = 0 where id = ?",
                    [real + seconds, one.unsure, one.id],
                )
        return found

    def finish(
        self,
        claimed: Claimed,
        attempt: Attempt,
        state: State,
        *,
        wait: timedelta,
        unsure: bool,
        first: bool = False,
        then: Then | None = None,
    ) -> None:
        """Notes an attempt. ``wait`` is until the next one, if the notification is to wait; ``unsure`` whether the SAS
        may have taken it without our knowing; ``first``: those before do not count; ``then`` what follows if it is
        accepted."""
        with self._outcomes.writing() as db:
            now = self._clock.now()
            # Whoever lost the lease has no say any more.
            ours = db.execute(
                "update notifications set state = ?, due = ?, unsure = ?, attempts = ?, lease = null, held = null "
                "where id = ? and state = 'sending' and attempts = ?",
                [
                    state,
                    (now + wait).isoformat(),
                    unsure,
                    1 if first else claimed.attempts + 1,
                    claimed.id,
                    claimed.attempts + 1,
                ],
            ).rowcount
            if ours and claimed.passes and state not in OPEN_STATES:
                db.execute(
                    "update notifications set passed = 0, due = ? "
                    "where editor = ? and appointment = ? and id < ? and passed",
                    [now.isoformat(), claimed.editor, claimed.appointment, claimed.id],
                )
            if ours and then and state is State.ACCEPTED:
                for plan in then.plans:
                    _copy(db, claimed, then, plan, now)
            _note(db, claimed, attempt, now)

    # --- what rules have done with them

    def hold(
        self, claimed: Claimed, rule: str, held: Held, *, wait: timedelta, real: float = 0.0, passed: bool = False
    ) -> None:
        """Holds back what was claimed, which is then no attempt, for a rule (as JSON): ``wait`` by the simulator's
        clock, and ``real`` seconds. With ``passed``, until the following one of its appointment is through, if there
        is one by then."""
        with self._outcomes.writing() as db:
            now = self._clock.now()
            db.execute(
                "update notifications set state = 'waiting', due = ?, lease = ?, attempts = ?, rule = ?, "
                "held = ?, passed = ? where id = ? and state = 'sending' and attempts = ?",
                [
                    (now + wait).isoformat(),
                    time.monotonic() + real if real else None,
                    # Those that failed on TLS count for nothing, which the state does not tell any more.
                    0 if claimed.tls_failed else claimed.attempts,
                    rule,
                    orjson.dumps([*held]).decode(),
                    passed,
                    claimed.id,
                    claimed.attempts + 1,
                ],
            )

    def extend(self, claimed: Claimed, seconds: float) -> None:
        """Has the lease of what was claimed last for so many seconds from now."""
        with self._outcomes.writing() as db:
            db.execute(
                "update notifications set lease = ? where id = ? and state = 'sending' and attempts = ?",
                [time.monotonic() + seconds, claimed.id, claimed.attempts + 1],
            )

    def copied(self, claimed: Claimed, attempt: Attempt) -> None:
        """Notes that a copy was sent; whatever came of it, it is not tried again."""
        if not claimed.copy:
            raise ValueError(f"notification {claimed.id} was not claimed as a copy")
        with self._outcomes.writing() as db:
            now = self._clock.now()
            found = db.execute(
                "select rest, apart from notification_copies where id = ? and lease = ?",
                [claimed.copy.id, claimed.copy.lease],
            ).fetchone()
            if found:
                rest, apart = found
                db.execute(
                    "update notification_copies set rest = ?, due = ?, lease = null where id = ?",
                    [rest - 1, (now + timedelta(seconds=apart)).isoformat(), claimed.copy.id],
                )
                db.execute("delete from notification_copies where id = ? and rest = 0", [claimed.copy.id])
            _note(db, claimed, attempt, now)

    def holders(self) -> set[str]:
        """The rules (as JSON) that hold something back, or still have copies to send."""
        query = "select rule from notifications where held is not null union select rule from notification_copies"
        with self._store.reading() as db:
            return {rule for (rule,) in db.execute(query)}

    def release(self, rule: str) -> None:
        """Ends what a rule (as JSON) has done: what it holds back is due, what it would still send again is not."""
        with self._store.writing() as db:
            now, real = self._clock.now().isoformat(), time.monotonic()
            db.execute(
                "update notifications set due = ?, lease = null, rule = null, held = null, passed = 0 "
                "where rule = ? and held is not null and state = 'waiting'",
                [now, rule],
            )
            free = "(lease is null or lease < ?)"
            db.execute(f"delete from notification_copies where rule = ? and {free}", [rule, real])  # noqa: S608
            # The one that is on its way is the last.
            db.execute("update notification_copies set rest = 1 where rule = ?", [rule])

    # --- looking, and starting again

    def of(self, editor: str, appointment: str) -> list[Notification]:
        """Those of an appointment, in order."""
        return self._listed("where editor = ? and appointment = ? order by id", [editor, appointment])

    def read(self, identifier: int) -> Notification | None:
        """The one with this number, if there is one."""
        return next(iter(self._listed("where id = ?", [identifier])), None)

    def briefly(
        self,
        most: int,
        *,
        editor: str | None = None,
        state: State | None = None,
        appointment: str | None = None,
    ) -> list[Brief]:
        """The last ones, newest first; of one editor, in one state, or of one appointment, if these are named."""
        # Not the attempts themselves: their answers may weigh megabytes.
        query = f"""
            select n.id, n.editor, n.appointment, n.state, n.created, n.due, n.body, exists (
                select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment
                and e.id < n.id and e.state in {_OPEN} and not e.passed) or exists (
                select 1 from notification_copies c where c.editor = n.editor and c.appointment = n.appointment
                and c.notification < n.id and not c.last),
                (select count(*) from notification_attempts where notification = n.id), last.status, last.result
            from notifications n left join notification_attempts last on last.id = (
                select max(id) from notification_attempts where notification = n.id)
            where n.editor = coalesce(?, n.editor) and n.state = coalesce(?, n.state)
            and n.appointment = coalesce(?, n.appointment)
            order by n.id desc limit ?"""  # noqa: S608
        with self._store.reading() as db:
            return [_brief(*row) for row in db.execute(query, [editor, state, appointment, most])]

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
        """Has one that was refused, given up or stopped by TLS sent again at once, or all that were; returns how many.

        Not one after which another of its appointment was accepted, or is on its way: the SAS would fall back to an
        older state. Raises 409 for one that cannot be sent again.
        """
        again = """
            update notifications as n set state = 'waiting', due = ?, attempts = 0, rule = null
            where state in ('refused', 'given up', 'tls failed') and not exists (
                select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment
                and e.id > n.id and e.state in ('accepted', 'sending'))"""
        with self._store.writing() as db:
            now = self._clock.now().isoformat()
            if identifier is None:
                return int(db.execute(again, [now]).rowcount)
            if not db.execute(f"{again} and id = ?", [now, identifier]).rowcount:
                text = f"Notification {identifier} has not failed, or a later one went or goes out"
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

    def set_back(self, db: Database, by: timedelta) -> None:
        """Sets back with the clock when what is open is due."""
        set_back(db, "notifications", "due", by, f"state in {_OPEN}")
        set_back(db, "notification_copies", "due", by)

    def reset(self, db: Database) -> None:
        """Forgets every notification, and sends again."""
        db.execute("delete from notification_copies")
        db.execute("delete from notification_attempts")
        db.execute("delete from notifications")
        controls.put(db, _PAUSED, value=False)

    def _listed(self, where: str, parameters: Sequence[Any]) -> list[Notification]:
        columns = "id, editor, appointment, state, created, due, body"
        with self._store.reading() as db:
            rows = db.execute(f"select {columns} from notifications {where}", parameters).fetchall()  # noqa: S608
            return [_shown(db, *row) for row in rows]


def _due(db: Database, now: str, real: float, most: int, room: Mapping[str, int], lease: float) -> list[Claimed]:
    # A lease that has run out is about a process that died on the way: nobody knows whether it got through. An editor
    # at a time, by the index: one whose SAS is down may have thousands that are due.
    query = f"""
        select due, id, editor, appointment, body, attempts, creates, unsure or state = 'sending', rule, held, exists (
            select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment and e.id < n.id
            and e.passed), state = 'tls failed'
        from notifications n
        where editor = ? and state in {_OPEN} and due <= ? and (lease is null or lease < ?) and not exists (
            select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment and e.id < n.id
            and e.state in {_OPEN} and not e.passed)
        and not exists (
            select 1 from notifications f where f.editor = n.editor and f.appointment = n.appointment and f.id > n.id
            and f.state in {_OPEN} and (n.passed or (f.state = 'sending' and f.lease >= ?)))
        and not exists (
            select 1 from notification_copies c where c.editor = n.editor and c.appointment = n.appointment
            and (not c.last or c.lease >= ?))
        order by due, id limit ?"""  # noqa: S608
    found = []
    for editor, some in room.items():
        if some:
            rows = db.execute(query, [editor, now, real, real, real, some]).fetchall()
            found += [(due, _claimed(*row)) for due, *row in rows]
            found += _due_copies(db, editor, now, real, some - len(rows), lease)
    return [one for _, one in sorted(found, key=lambda each: (each[0], each[1].id))[:most]]


def _claimed(
    number: int,
    editor: str,
    appointment: str,
    body: str,
    attempts: int,
    creates: int,
    unsure: int,
    rule: str | None,
    held: str | None,
    passes: int,
    tls_failed: int,
) -> Claimed:
    kept = Held(*orjson.loads(held)) if held else None
    flags = bool(creates), bool(unsure)
    later = bool(passes), bool(tls_failed)
    return Claimed(number, editor, appointment, body.encode(), attempts, *flags, rule, kept, *later)


def _due_copies(db: Database, editor: str, now: str, real: float, most: int, lease: float) -> list[tuple[str, Claimed]]:
    # Nothing else of the appointment may be on its way. Those that go last wait for all others.
    query = f"""
        select due, notification, appointment, body, id, acting, method, content_type from notification_copies c
        where editor = ? and due <= ? and (lease is null or lease < ?) and not exists (
            select 1 from notifications n where n.editor = c.editor and n.appointment = c.appointment
            and n.state in {_OPEN} and (c.last or (n.state = 'sending' and n.lease >= ?)))
        and not exists (
            select 1 from notification_copies d where d.editor = c.editor and d.appointment = c.appointment
            and d.id <> c.id and (d.lease >= ? or d.last < c.last or (d.last = c.last and d.id < c.id)))
        order by due, id limit ?"""  # noqa: S608
    rows = db.execute(query, [editor, now, real, real, real, most]).fetchall()
    return [
        (due, Claimed(number, editor, appointment, body, 0, False, False, copy=Copy(copy, acting, method, kind, lease)))
        for due, number, appointment, body, copy, acting, method, kind in rows
    ]


def _copy(db: Database, claimed: Claimed, then: Then, plan: Again | Stale, now: datetime) -> None:
    """Writes down what is to be sent again after a notification."""
    row = {
        "notification": claimed.id,
        "editor": claimed.editor,
        "appointment": claimed.appointment,
        "rule": then.rule,
        "acting": then.acting,
        "method": claimed.method,
        "content_type": then.content_type,
        "body": then.body,
        "last": False,
        "rest": 1,
        "apart": plan.seconds,
        "due": (now + timedelta(seconds=plan.seconds)).isoformat(),
    }
    if isinstance(plan, Again):
        row["rest"] = plan.times
    else:
        order = "asc" if plan.first else "desc"
        query = f"""
            select e.id, e.body from notifications e join notifications n on n.id = ? where e.editor = n.editor
            and e.appointment = n.appointment and e.id < n.id and e.body <> n.body order by e.id {order} limit 1"""  # noqa: S608
        older = db.execute(query, [claimed.id]).fetchone()
        if not older:
            return
        # As an update: a create would be refused, and the SAS stay as it is.
        row |= {"notification": older[0], "method": "PUT", "body": older[1].encode(), "last": True}
    db.table("notification_copies").insert(row)


def _note(db: Database, claimed: Claimed, attempt: Attempt, now: datetime) -> None:
    if db.execute("select 1 from notifications where id = ?", [claimed.id]).fetchone():  # not after a reset
        row = attempt._asdict() | {"notification": claimed.id, "at": now.isoformat()}
        db.table("notification_attempts").insert(row | {"answer": attempt.answer[:_LONGEST_ANSWER]})


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

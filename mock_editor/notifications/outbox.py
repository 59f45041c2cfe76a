"""The queue of what is to be sent to the SAS: what is due is claimed, sent, and finished.

A notification is written in the transaction that changes its appointment: both are there, or neither. Those of one
appointment go one after the other, in order; those of different ones do not wait for each other.
"""

import time
from collections.abc import Mapping
from datetime import timedelta

import orjson
from sqlite_utils import Database

from mock_editor.base import controls
from mock_editor.base.clock import Clock
from mock_editor.base.errors import refused
from mock_editor.base.instants import set_back
from mock_editor.base.issues import Code
from mock_editor.base.processes import boot
from mock_editor.base.store import Store
from mock_editor.calendars.model import Appointment, Editor
from mock_editor.notifications import payload
from mock_editor.notifications.holds import Holds, Resending, add_copies, due_copies
from mock_editor.notifications.model import OPEN_STATES, Attempt, Claimed, NotificationState, RuleDraws
from mock_editor.notifications.tables import OPEN, note_attempt

_PAUSED, _BOOT = "sending paused", "boot of leases"


class Outbox:
    """The notifications of every editor. ``outcomes`` is the store for the results of what was claimed, if another."""

    def __init__(
        self, store: Store, clock: Clock, editors: Mapping[str, Editor], outcomes: Store | None = None
    ) -> None:
        self._store = store
        self._outcomes = outcomes or store
        self._clock = clock
        self.holds = Holds(store, self._outcomes, clock)
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
                "state": NotificationState.WAITING,
                "created": now,
                "due": now,
                "attempts": 0,
                "unsure": False,
            }
        )

    # --- sending

    def claim(self, most: int, seconds: float, room: Mapping[str, int] | None = None) -> list[Claimed]:
        """Takes notifications that are due, at most one per appointment, and no more of an editor than ``room`` says.

        They are taken for ``seconds``: after that, whoever took them is believed dead, and nobody knows how far they
        got.
        """
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
            claims = [] if controls.get(db, _PAUSED) else _due(db, now, real, most, room, real + seconds)
            for claimed in claims:
                if copy := claimed.copy:
                    db.execute("update notification_copies set lease = ? where id = ?", [copy.lease, copy.id])
                    continue
                db.execute(
                    "update notifications set state = 'sending', lease = ?, attempts = attempts + 1, unsure = ?, "
                    "passed = 0 where id = ?",
                    [real + seconds, claimed.unsure, claimed.id],
                )
        return claims

    def finish(
        self,
        claimed: Claimed,
        attempt: Attempt,
        state: NotificationState,
        *,
        wait: timedelta,
        unsure: bool,
        first: bool = False,
        resending: Resending | None = None,
    ) -> None:
        """Notes an attempt.

        ``wait`` is until the next one, if the notification is to wait; ``unsure``: the SAS may have taken it without
        our knowing; ``first``: those before do not count; ``resending`` follows if it is accepted.
        """
        with self._outcomes.writing() as db:
            now = self._clock.now()
            # Whoever lost the lease has no say any more.
            ours = db.execute(
                "update notifications set state = ?, due = ?, unsure = ?, attempts = ?, lease = null, draws = null "
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
            if ours and resending and state is NotificationState.ACCEPTED:
                add_copies(db, claimed, resending, now)
            note_attempt(db, claimed.id, attempt, now)

    def extend(self, claimed: Claimed, seconds: float) -> None:
        """Makes the lease of what was claimed last for so many seconds from now."""
        with self._outcomes.writing() as db:
            db.execute(
                "update notifications set lease = ? where id = ? and state = 'sending' and attempts = ?",
                [time.monotonic() + seconds, claimed.id, claimed.attempts + 1],
            )

    # --- starting again, pausing, putting back

    def replay(self, identifier: int | None = None) -> int:
        """Makes one that was refused, given up or stopped by TLS due again, or all of them; returns how many.

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
                raise refused(Code.NOTIFICATION_NOT_FAILED, number=identifier)
            return 1

    def pause(self, *, paused: bool) -> None:
        """Stops every process from sending until further notice, or lets them go on. What is on its way goes on."""
        with self._store.writing() as db:
            controls.put(db, _PAUSED, paused)

    def paused(self) -> bool:
        """Whether nothing is sent for now."""
        with self._store.reading() as db:
            return bool(controls.get(db, _PAUSED))

    def set_back(self, db: Database, by: timedelta) -> None:
        """Sets back with the clock when what is open is due."""
        set_back(db, "notifications", "due", by, f"state in {OPEN}")
        set_back(db, "notification_copies", "due", by)

    def reset(self, db: Database) -> None:
        """Forgets every notification, and sends again."""
        db.execute("delete from notification_copies")
        db.execute("delete from notification_attempts")
        db.execute("delete from notifications")
        controls.put(db, _PAUSED, value=False)


def _due(db: Database, now: str, real: float, most: int, room: Mapping[str, int], lease: float) -> list[Claimed]:
    # A lease that has run out is about a process that died on the way: nobody knows whether it got through. An editor
    # at a time, by the index: one whose SAS is down may have thousands that are due.
    query = f"""
        select due, id, editor, appointment, body, attempts, creates, unsure or state = 'sending', rule, draws, exists (
            select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment and e.id < n.id
            and e.passed), state = 'tls failed'
        from notifications n
        where editor = ? and state in {OPEN} and due <= ? and (lease is null or lease < ?) and not exists (
            select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment and e.id < n.id
            and e.state in {OPEN} and not e.passed)
        and not exists (
            select 1 from notifications f where f.editor = n.editor and f.appointment = n.appointment and f.id > n.id
            and f.state in {OPEN} and (n.passed or (f.state = 'sending' and f.lease >= ?)))
        and not exists (
            select 1 from notification_copies c where c.editor = n.editor and c.appointment = n.appointment
            and (not c.last or c.lease >= ?))
        order by due, id limit ?"""  # noqa: S608
    due_now = []
    for editor, places in room.items():
        if places:
            rows = db.execute(query, [editor, now, real, real, real, places]).fetchall()
            due_now += [(due, _claimed(*row)) for due, *row in rows]
            due_now += due_copies(db, editor, now, real, places - len(rows), lease)
    return [claimed for _, claimed in sorted(due_now, key=lambda due: (due[0], due[1].id))[:most]]


def _claimed(
    number: int,
    editor: str,
    appointment: str,
    body: str,
    attempts: int,
    creates: int,
    unsure: int,
    rule: str | None,
    draws: str | None,
    passes: int,
    tls_failed: int,
) -> Claimed:
    rule_draws = RuleDraws(*orjson.loads(draws)) if draws else None
    flags = bool(creates), bool(unsure)
    later = bool(passes), bool(tls_failed)
    return Claimed(number, editor, appointment, body.encode(), attempts, *flags, rule, rule_draws, *later)

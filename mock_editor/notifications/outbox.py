"""The queue of notifications to the SAS: those that are due are claimed, sent, and finished.

A notification is written in the transaction that changes its appointment: both are there, or neither. Notifications of
one appointment are sent one after the other, in order; those of different appointments do not wait for each other.
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
    """The notifications of every editor. ``outcomes`` is the store for results, if it is not ``store``."""

    def __init__(
        self, store: Store, clock: Clock, editors: Mapping[str, Editor], outcomes: Store | None = None
    ) -> None:
        self._store = store
        self._outcomes = outcomes or store
        self._clock = clock
        self.holds = Holds(store, self._outcomes, clock)
        self._editors = editors

    def add(self, db: Database, appointment: Appointment) -> None:
        """Queues the present state of an appointment that belongs to the SAS, in the transaction that changed it."""
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

        The claim lasts ``seconds``. After that, the process that made it is presumed dead, and nobody knows how far it
        got.
        """
        # A file may hold notifications of other editors: they wait for their scenario.
        room = dict.fromkeys(self._editors, most) if room is None else room
        if most <= 0:
            return []
        now, real = self._clock.now().isoformat(), time.monotonic()
        with self._store.reading() as db:
            # Most looks find nothing, and so need not wait for a turn to write.
            same = controls.get(db, _BOOT) == boot()
            if controls.get(db, _PAUSED) or (same and not _due(db, now, real, 1, room, real + seconds)):
                return []
        with self._store.writing() as db:
            now = self._clock.now().isoformat()
            # Looked up again: another process may have claimed them in the meantime.
            if controls.get(db, _BOOT) != boot():
                # Their leases are from before the machine's last start, or from another machine.
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

        ``wait`` is the time until the next attempt, if there is to be one. ``unsure``: the SAS may have taken it
        without our knowledge. ``first``: earlier attempts do not count. ``resending`` follows if it is accepted.
        """
        with self._outcomes.writing() as db:
            now = self._clock.now()
            # A process that has lost the lease may no longer write the result.
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
        """Extends the lease of what was claimed to so many seconds from now."""
        with self._outcomes.writing() as db:
            db.execute(
                "update notifications set lease = ? where id = ? and state = 'sending' and attempts = ?",
                [time.monotonic() + seconds, claimed.id, claimed.attempts + 1],
            )

    # --- starting again, pausing, putting back

    def replay(self, identifier: int | None = None) -> int:
        """Makes one notification, or all, that was refused, given up or stopped by TLS due again; returns how many.

        Left out is one that a later notification of its appointment has overtaken, accepted or on its way: the SAS
        would fall back to an older state. Raises 409 for a single one that cannot be sent again.
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
        """Stops every process from sending until further notice, or lets them continue. Running attempts go on."""
        with self._store.writing() as db:
            controls.put(db, _PAUSED, paused)

    def paused(self) -> bool:
        """Whether nothing is sent for now."""
        with self._store.reading() as db:
            return bool(controls.get(db, _PAUSED))

    def set_back(self, db: Database, by: timedelta) -> None:
        """Moves the instants at which notifications are due back with the clock."""
        set_back(db, "notifications", "due", by, f"state in {OPEN}")
        set_back(db, "notification_copies", "due", by)

    def reset(self, db: Database) -> None:
        """Deletes every notification, and ends a pause."""
        db.execute("delete from notification_copies")
        db.execute("delete from notification_attempts")
        db.execute("delete from notifications")
        controls.put(db, _PAUSED, value=False)


def _due(db: Database, now: str, real: float, most: int, room: Mapping[str, int], lease: float) -> list[Claimed]:
    # An expired lease means that a process died while sending: nobody knows whether the request arrived. One editor at
    # a time, by the index: an editor whose SAS is down may have thousands of due notifications.
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

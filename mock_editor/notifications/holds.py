"""What fault rules do with notifications over time: hold them back, or send them again once they are accepted.

All of this is in the tables, so that any process can continue it. Other notifications are not affected.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
from sqlite_utils import Database

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.clock import Clock
from mock_editor.base.store import Store
from mock_editor.faults.kinds.outgoing import Again, Stale
from mock_editor.notifications.model import Attempt, Claimed, Copy, RuleDraws
from mock_editor.notifications.tables import OPEN, note_attempt


class Resending(NamedTuple):
    """A rule (as JSON; ``applied`` in the journal) that sends a notification again after it was accepted.

    The notification itself was sent as ``content_type`` and ``body``.
    """

    rule: str
    applied: AppliedRule
    content_type: str
    body: bytes
    plans: Sequence[Again | Stale]


class Holds:
    """Notifications that rules hold back, and copies still to be sent. ``outcomes`` is the store for the results of
    what was claimed before another world took over."""

    def __init__(self, store: Store, outcomes: Store, clock: Clock) -> None:
        self._store = store
        self._outcomes = outcomes
        self._clock = clock

    def hold(
        self, claimed: Claimed, rule: str, draws: RuleDraws, *, wait: timedelta, real: float = 0.0, passed: bool = False
    ) -> None:
        """Holds back a claimed notification for a rule (as JSON); this does not count as an attempt.

        ``wait`` is by the simulator's clock, ``real`` in real seconds. With ``passed``, it waits until the next
        notification of its appointment has been sent, if there is one by then.
        """
        with self._outcomes.writing() as db:
            now = self._clock.now()
            db.execute(
                "update notifications set state = 'waiting', due = ?, lease = ?, attempts = ?, rule = ?, "
                "draws = ?, passed = ? where id = ? and state = 'sending' and attempts = ?",
                [
                    (now + wait).isoformat(),
                    time.monotonic() + real if real else None,
                    # Attempts that failed on TLS do not count; the state, which said so, has changed.
                    0 if claimed.tls_failed else claimed.attempts,
                    rule,
                    orjson.dumps([*draws]).decode(),
                    passed,
                    claimed.id,
                    claimed.attempts + 1,
                ],
            )

    def finish_copy(self, claimed: Claimed, attempt: Attempt) -> None:
        """Notes that a copy was sent; it is not tried again, whatever the result."""
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
            note_attempt(db, claimed.id, attempt, now)

    def rules(self) -> set[str]:
        """The rules (as JSON) that hold something back, or still have copies to send."""
        query = "select rule from notifications where draws is not null union select rule from notification_copies"
        with self._store.reading() as db:
            return {rule for (rule,) in db.execute(query)}

    def release(self, rule: str) -> None:
        """Ends what a rule (as JSON) has begun: what it holds back becomes due, its remaining copies are dropped."""
        with self._store.writing() as db:
            now, real = self._clock.now().isoformat(), time.monotonic()
            db.execute(
                "update notifications set due = ?, lease = null, rule = null, draws = null, passed = 0 "
                "where rule = ? and draws is not null and state = 'waiting'",
                [now, rule],
            )
            free = "(lease is null or lease < ?)"
            db.execute(f"delete from notification_copies where rule = ? and {free}", [rule, real])  # noqa: S608
            # The copy being sent now is the last.
            db.execute("update notification_copies set rest = 1 where rule = ?", [rule])


# --- in the transactions of the outbox


def due_copies(db: Database, editor: str, now: str, real: float, most: int, lease: float) -> list[tuple[str, Claimed]]:
    """Claims the due copies of an editor until ``lease``; returns each with the instant at which it was due."""
    # Nothing else of the appointment may be on its way. Copies that go last wait for all others.
    query = f"""
        select due, notification, appointment, body, id, applied, method, content_type from notification_copies c
        where editor = ? and due <= ? and (lease is null or lease < ?) and not exists (
            select 1 from notifications n where n.editor = c.editor and n.appointment = c.appointment
            and n.state in {OPEN} and (c.last or (n.state = 'sending' and n.lease >= ?)))
        and not exists (
            select 1 from notification_copies d where d.editor = c.editor and d.appointment = c.appointment
            and d.id <> c.id and (d.lease >= ? or d.last < c.last or (d.last = c.last and d.id < c.id)))
        order by due, id limit ?"""  # noqa: S608
    rows = db.execute(query, [editor, now, real, real, real, most]).fetchall()
    return [
        (
            due,
            Claimed(
                number,
                editor,
                appointment,
                body,
                0,
                False,
                False,
                copy=Copy(copy, AppliedRule.from_text(applied), method, kind, lease),
            ),
        )
        for due, number, appointment, body, copy, applied, method, kind in rows
    ]


def add_copies(db: Database, claimed: Claimed, resending: Resending, now: datetime) -> None:
    """Adds the copies to be sent after a notification was accepted."""
    for plan in resending.plans:
        row = {
            "notification": claimed.id,
            "editor": claimed.editor,
            "appointment": claimed.appointment,
            "rule": resending.rule,
            "applied": resending.applied.as_text(),
            "method": claimed.method,
            "content_type": resending.content_type,
            "body": resending.body,
            "last": False,
            "rest": 1,
            "apart": plan.seconds,
            "due": (now + timedelta(seconds=plan.seconds)).isoformat(),
        }
        if isinstance(plan, Again):
            row["rest"] = plan.times
        elif older := _older(db, claimed.id, first=plan.first):
            # As an update: a create would be refused, and the SAS would stay unchanged.
            row |= {"notification": older[0], "method": "PUT", "body": older[1].encode(), "last": True}
        else:
            continue
        db.table("notification_copies").insert(row)


def _older(db: Database, number: int, *, first: bool) -> tuple[int, str] | None:
    """The number and body of an earlier notification with another state of the appointment: the first or the last."""
    query = f"""
        select e.id, e.body from notifications e join notifications n on n.id = ? where e.editor = n.editor
        and e.appointment = n.appointment and e.id < n.id and e.body <> n.body
        order by e.id {"asc" if first else "desc"} limit 1"""  # noqa: S608
    found: tuple[int, str] | None = db.execute(query, [number]).fetchone()
    return found

"""Reads, lists and counts notifications."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from mock_editor.base.issues import Issue, from_text
from mock_editor.base.listings import EVERYTHING, LIMIT, Listing, Page, says, where
from mock_editor.base.store import Store
from mock_editor.notifications.model import (
    Attempt,
    Notification,
    NotificationFilter,
    NotificationState,
    NotificationSummary,
    QueueDepth,
)
from mock_editor.notifications.tables import OPEN

_ANSWERS = f"select 1 from notification_attempts t where t.notification = n.id and {says('t.answer')}"  # noqa: S608
_CONDITIONS = {
    "editor": "n.editor = :editor",
    "state": "n.state = :state",
    "appointment": "n.appointment = :appointment",
    "text": f"({says('n.appointment', 'n.body')} or exists ({_ANSWERS}))",
}


class NotificationRepository:
    """The notifications in a store. Everything raises 503 when the store cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, number: int) -> Notification | None:
        """The notification with this number, if there is one."""
        return next(iter(self._select("where id = ?", [number])), None)

    def of(self, editor: str, appointment: str) -> list[Notification]:
        """Those of an appointment, in order."""
        return self._select("where editor = ? and appointment = ? order by id", [editor, appointment])

    def listing(self, wanted: NotificationFilter, page: Page = EVERYTHING) -> Listing[NotificationSummary]:
        """A page of notifications, newest first. Equal results are the same object, so their words are made once."""
        results = _Results()
        condition, values = where(wanted, _CONDITIONS)
        # Without the attempts: their answers may take megabytes.
        query = f"""
            select n.id, n.editor, n.appointment, n.state, n.created, n.due, n.body, exists (
                select 1 from notifications e where e.editor = n.editor and e.appointment = n.appointment
                and e.id < n.id and e.state in {OPEN} and not e.passed) or exists (
                select 1 from notification_copies c where c.editor = n.editor and c.appointment = n.appointment
                and c.notification < n.id and not c.last),
                (select count(*) from notification_attempts where notification = n.id), last.status, last.result
            from notifications n left join notification_attempts last on last.id = (
                select max(id) from notification_attempts where notification = n.id)
            where {condition} order by n.id desc {LIMIT}"""  # noqa: S608 - words of ours
        with self._store.reading() as db:
            [(total,)] = db.execute(f"select count(*) from notifications n where {condition}", values)  # noqa: S608
            return Listing([_summary(results, *row) for row in db.execute(query, values | page.values)], total)

    def counts(self, editor: str | None = None) -> dict[NotificationState, int]:
        """How many there are in each state; of one editor only, if it is given."""
        with self._store.reading() as db:
            query = "select state, count(*) from notifications where editor = coalesce(?, editor) group by 1"
            rows = db.execute(query, [editor]).fetchall()
        return {NotificationState(state): count for state, count in rows}

    def depths(self) -> list[QueueDepth]:
        """How many there are at each editor in each state."""
        query = "select editor, state, count(*), min(created) from notifications group by 1, 2 order by 1, 2"
        with self._store.reading() as db:
            rows = db.execute(query).fetchall()
        return [
            QueueDepth(editor, NotificationState(state), count, datetime.fromisoformat(oldest))
            for editor, state, count, oldest in rows
        ]

    def _select(self, where: str, parameters: Sequence[Any]) -> list[Notification]:
        columns = "id, editor, appointment, state, created, due, body"
        with self._store.reading() as db:
            rows = db.execute(f"select {columns} from notifications {where}", parameters).fetchall()  # noqa: S608
            return [_notification(db, *row) for row in rows]


def _notification(
    db: Database, number: int, editor: str, appointment: str, state: str, created: str, due: str, body: str
) -> Notification:
    columns = "at, method, status, seconds, result, answer"
    query = f"select {columns} from notification_attempts where notification = ? order by id"  # noqa: S608
    attempts = [
        (datetime.fromisoformat(at), Attempt(method, status, seconds, from_text(result), answer))
        for at, method, status, seconds, result, answer in db.execute(query, [number])
    ]
    instants = datetime.fromisoformat(created), datetime.fromisoformat(due)
    return Notification(number, editor, appointment, NotificationState(state), *instants, body, attempts)


class _Results(dict[str, Issue]):
    """Results by their texts. A page has only a few different ones."""

    def __missing__(self, text: str) -> Issue:
        self[text] = from_text(text)
        return self[text]


def _summary(
    results: _Results,
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
) -> NotificationSummary:
    instants = datetime.fromisoformat(created), datetime.fromisoformat(due)
    known, last = NotificationState(state), results[result] if result else None
    return NotificationSummary(number, editor, appointment, known, *instants, body, bool(held), attempts, status, last)

"""How each worker learns which calendars any of them has changed: a log in the store, and its followers."""

import threading
from collections.abc import Callable, Iterable

from sqlite_utils import Database

from mock_editor.base.store import Store

# The calendars to look at again. A row without a calendar stands for all of them.
SCHEMA = """
create table if not exists calendar_changes (
    id integer primary key autoincrement, editor text, calendar text) strict
"""
_KEPT = 10_000  # far more than are written between two looks


def note(db: Database, editor: str, calendar: str) -> None:
    """Notes that something about a calendar has changed, in the transaction that changes it."""
    changes = db.table("calendar_changes")
    changes.insert({"editor": editor, "calendar": calendar})
    db.execute("delete from calendar_changes where id < ?", [(changes.last_pk or 0) - _KEPT])


def note_all(db: Database) -> None:
    """Notes that everything may have changed."""
    db.table("calendar_changes").insert({"editor": None, "calendar": None})


class Follower:
    """Keeps what is in memory about calendars up to date.

    ``everything`` lists the calendars (editor, key) about which the store or the memory has anything; ``look`` updates
    one of them.
    """

    def __init__(
        self,
        store: Store,
        everything: Callable[[Database], Iterable[tuple[str, str]]],
        look: Callable[[Database, str, str], None],
    ) -> None:
        self._store = store
        self._everything = everything
        self._look = look
        self._following = threading.Lock()
        self._seen = -1

    def follow(self) -> None:
        """Updates what is in memory. Cheap when nothing has changed."""
        with self._following, self._store.reading() as db:
            news = "select id, editor, calendar from calendar_changes where id > ? order by id"
            changes = db.execute(news, [self._seen]).fetchall()
            if self._seen < 0 or any(editor is None for _, editor, _ in changes):
                calendars = set(self._everything(db))
            else:
                calendars = {(editor, calendar) for _, editor, calendar in changes}
            for editor, calendar in calendars:
                self._look(db, editor, calendar)
            self._seen = max((number for number, _, _ in changes), default=max(self._seen, 0))

"""Sessions of the web site: a random key in a cookie, its SHA-256 in the store. All their SQL."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlite_utils import Database

from mock_editor.base.clock import Clock
from mock_editor.base.store import Store
from mock_editor.booking.access import Session

SCHEMA = """
create table if not exists sessions (
    key text primary key, editor text not null, account text, sas integer not null, expires text not null) strict;
create index if not exists sessions_of on sessions (editor, account)
"""
LIFETIME = timedelta(hours=12)  # a duty


class Sessions:
    """The sessions of every editor; they follow the simulator's clock."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def open(self, editor: str, account: str | None, *, sas: bool) -> str:
        """Opens a session and returns what its cookie holds. Forgets those that are over."""
        cookie = secrets.token_urlsafe(32)
        now = self._clock.now()
        row = {"key": _key(cookie), "editor": editor, "account": account, "sas": sas}
        with self._store.writing() as db:
            db.execute("delete from sessions where expires <= ?", [now.isoformat()])
            db.table("sessions").insert(row | {"expires": (now + LIFETIME).isoformat()})
        return cookie

    def find(self, editor: str, cookie: str | None) -> Session | None:
        """The session of a cookie at an editor, if it is not over."""
        if not cookie:
            return None
        query = "select account, sas, expires from sessions where key = ? and editor = ?"
        with self._store.reading() as db:
            row = db.execute(query, [_key(cookie), editor]).fetchone()
        if row is None or datetime.fromisoformat(row[2]) <= self._clock.now():
            return None
        return Session(_key(cookie), editor, row[0], bool(row[1]))

    def end(self, session: Session) -> None:
        """Ends a session."""
        with self._store.writing() as db:
            db.execute("delete from sessions where key = ?", [session.key])

    def reset(self, db: Database) -> None:
        """Ends all sessions."""
        db.execute("delete from sessions")


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()

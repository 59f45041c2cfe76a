"""Sessions of the web site, with all their SQL: a random key in a cookie, its SHA-256 in the store.

A session opened through an identity provider stores the provider's names of the person and of their session there, and
ends with that one.
"""

import hashlib
import secrets
import time
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlite_utils import Database

from mock_editor.base.clock import Clock
from mock_editor.base.instants import set_back
from mock_editor.base.store import Store
from mock_editor.booking.access import Session
from mock_editor.booking.tokens import Ended

SCHEMA = """
create table if not exists sessions (
    key text primary key, editor text not null, account text, sas integer not null, expires text not null,
    subject text, sid text) strict;
create index if not exists sessions_of on sessions (editor, account);
create table if not exists logout_tokens (
    client text not null, token text not null, until real not null, primary key (client, token)) strict
"""
LIFETIME = timedelta(hours=12)  # a duty
# A session to which the provider gave no sid may be any of that person's.
_END = """
delete from sessions where editor = :editor and (:subject is null or subject = :subject)
and (:sid is null or sid = :sid or (sid is null and :subject is not null))
"""


class Sessions:
    """The sessions of every editor; they follow the simulator's clock."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def open(
        self, editor: str, account: str | None, *, sas: bool, subject: str | None = None, sid: str | None = None
    ) -> str:
        """Opens a session and returns the value of its cookie. Deletes expired sessions.

        ``subject`` and ``sid`` come from the identity provider.
        """
        cookie = secrets.token_urlsafe(32)
        row = {"key": key_of(cookie), "editor": editor, "account": account, "sas": sas, "subject": subject, "sid": sid}
        with self._store.writing() as db:
            now = self._clock.now()
            db.execute("delete from sessions where expires <= ?", [now.isoformat()])
            db.table("sessions").insert(row | {"expires": (now + LIFETIME).isoformat()})
        return cookie

    def find(self, editor: str, cookie: str | None) -> Session | None:
        """The session of a cookie at an editor, unless it has expired."""
        if not cookie:
            return None
        query = "select account, sas, expires from sessions where key = ? and editor = ?"
        with self._store.reading() as db:
            row = db.execute(query, [key_of(cookie), editor]).fetchone()
        if row is None or datetime.fromisoformat(row[2]) <= self._clock.now():
            return None
        return Session(key_of(cookie), editor, row[0], bool(row[1]))

    def renew(self, session: Session, *, subject: str, sid: str | None) -> None:
        """Makes a session last as long as a new one, when its person comes from the identity provider again."""
        expires = (self._clock.now() + LIFETIME).isoformat()
        with self._store.writing() as db:
            values = [subject, sid, expires, session.key]
            db.execute("update sessions set subject = ?, sid = ?, expires = ? where key = ?", values)

    def end(self, session: Session) -> None:
        """Ends a session."""
        with self._store.writing() as db:
            db.execute("delete from sessions where key = ?", [session.key])

    def end_elsewhere(self, editors: Collection[str], client_id: str, ended: Ended) -> bool:
        """Ends the sessions that the identity provider has ended, at all editors that share this client id.

        False for a token that was used before.
        """
        with self._store.writing() as db:
            db.execute("delete from logout_tokens where until <= ?", [time.time()])
            new = db.execute(
                "insert or ignore into logout_tokens values (?, ?, ?)", [client_id, ended.token, ended.until]
            ).rowcount
            if new:
                for editor in editors:
                    db.execute(_END, {"editor": editor, "subject": ended.subject, "sid": ended.sid})
        return bool(new)

    def set_back(self, db: Database, by: timedelta) -> None:
        """Moves the expiry of sessions back with the clock."""
        set_back(db, "sessions", "expires", by)

    def reset(self, db: Database) -> None:
        """Ends all sessions."""
        db.execute("delete from sessions")


def key_of(cookie: str) -> str:
    """The key of the session with this cookie."""
    return hashlib.sha256(cookie.encode()).hexdigest()

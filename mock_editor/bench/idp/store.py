"""What all workers share: keys, sessions and their clients, codes that wait for a client. All of its SQL."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from joserfc.jwk import RSAKey
from sqlite_utils import Database

from mock_editor.base.keys import Keys
from mock_editor.base.store import Store

SCHEMA = """
create table if not exists idp_codes (
    code text primary key, expires integer not null, content text not null) strict;
create index if not exists idp_codes_expires on idp_codes (expires);
create table if not exists idp_sessions (
    sid text primary key, key text not null unique, person text not null, since integer not null,
    expires integer not null) strict;
create table if not exists idp_visited (
    sid text not null, client text not null, logout_uri text not null, primary key (sid, client, logout_uri)) strict
"""


class SigningKeys(NamedTuple):
    """``signing`` is for what clients verify, ``secret`` for what only comes back to us."""

    signing: RSAKey
    secret: str


class SessionRow(NamedTuple):
    """A session: who signed in, and when; ``sid`` is what clients know it by."""

    sid: str
    person: str
    since: int


class Visit(NamedTuple):
    """A client at which a session was used, and the URL at which it wants to be told that the session has ended."""

    client_id: str
    logout_uri: str


class ProviderStore:
    """The tables, and the keys that outlive a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._named = Keys(store)
        self._keys: SigningKeys | None = None

    def keys(self) -> SigningKeys:
        """The keys, made when there are none. Raises 503."""
        if self._keys is None:
            signing = RSAKey.import_key(orjson.loads(self._named.get("idp-signing", _signing_key)))
            self._keys = SigningKeys(signing, self._named.get("idp-secret", lambda: secrets.token_hex(32)))
        return self._keys

    # --- sessions

    def open(self, person: str, sid: str | None, *, now: int, seconds: int) -> tuple[SessionRow, str]:
        """Begins a session, or renews that of ``sid``; returns the value of its cookie. Raises 503."""
        cookie = secrets.token_urlsafe(32)
        row = SessionRow(sid or secrets.token_urlsafe(16), person, now)
        with self._store.writing() as db:
            _forget(db, now)
            values = row._asdict() | {"key": _hashed(cookie), "expires": now + seconds}
            db.table("idp_sessions").upsert(values, pk="sid")
        return row, cookie

    def session(self, cookie: str, *, now: int) -> SessionRow | None:
        """The session of a cookie, if it is not over. Raises 503."""
        query = "select sid, person, since from idp_sessions where key = ? and expires > ?"
        with self._store.reading() as db:
            found = db.execute(query, [_hashed(cookie), now]).fetchone()
        return SessionRow(*found) if found else None

    def lasts(self, sid: str, *, now: int) -> bool:
        """Whether a session is not over. Raises 503."""
        with self._store.reading() as db:
            found = db.execute("select 1 from idp_sessions where sid = ? and expires > ?", [sid, now]).fetchone()
        return bool(found)

    def end(self, sid: str) -> list[Visit]:
        """Ends a session; returns the clients to be told. Raises 503."""
        with self._store.writing() as db:
            db.execute("delete from idp_sessions where sid = ?", [sid])
            rows = db.execute("delete from idp_visited where sid = ? returning client, logout_uri", [sid]).fetchall()
        return [Visit(*row) for row in rows]

    # --- codes

    def keep(self, content: Mapping[str, Any], visit: Visit | None = None, *, now: int, seconds: int) -> str:
        """A new code for ``content``, valid for some seconds; its session is the ``sid`` in it. Raises 503.

        The session remembers the client that the code goes to.
        """
        code = secrets.token_urlsafe(32)
        with self._store.writing() as db:
            _forget(db, now)
            row = {"code": code, "expires": now + seconds, "content": orjson.dumps(content).decode()}
            db.table("idp_codes").insert(row)
            if visit:
                db.execute("insert or ignore into idp_visited values (?, ?, ?)", [content["sid"], *visit])
        return code

    def take(self, code: str, *, now: int) -> dict[str, Any] | None:
        """The content of a code, only once; None for a code that is unknown, used or expired. Raises 503."""
        with self._store.writing() as db:
            _forget(db, now)
            rows = db.execute("delete from idp_codes where code = ? returning content", [code]).fetchall()
        return orjson.loads(rows[0][0]) if rows else None

    def reset(self, db: Database) -> None:
        """Forgets the codes, and ends every session."""
        for table in ("idp_codes", "idp_sessions", "idp_visited"):
            db.execute(f"delete from {table}")  # noqa: S608 - names of ours


def _signing_key() -> str:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    return orjson.dumps(key.as_dict(private=True)).decode()


def _forget(db: Database, now: int) -> None:
    db.execute("delete from idp_codes where expires <= ?", [now])
    db.execute("delete from idp_sessions where expires <= ?", [now])
    db.execute("delete from idp_visited where sid not in (select sid from idp_sessions)")


def _hashed(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()

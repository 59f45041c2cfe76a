"""What the platform remembers: sessions, withdrawn regulators, editors' answers about accounts, who is known where.

All SQL of the platform stands here.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import orjson
from sqlite_utils import Database

from mock_editor.base.instants import set_back
from mock_editor.base.issues import Issue, as_text, from_text
from mock_editor.base.store import Store
from mock_editor.bench.idp.people import Person

SCHEMA = """
create table if not exists platform_sessions (
    key text primary key, person text not null, content text not null, expires text not null, sid text) strict;
create table if not exists platform_withdrawn (person text primary key) strict;
create table if not exists platform_accounts (
    person text not null, editor text not null, active integer not null, status integer, trouble text,
    at text not null, seconds real not null, primary key (person, editor)) strict;
create table if not exists platform_known (
    practitioner text not null, editor text not null, primary key (practitioner, editor)) strict
"""
LIFETIME = timedelta(hours=12)  # a duty
# Parameters that every build of SQLite accepts in a statement.
_MOST = 500


@dataclass(frozen=True, slots=True)
class ProvisioningResult:
    """What an editor answered when it was last told of a regulator (INT_R02).

    ``status`` is the HTTP status, None without an answer; ``trouble`` is the editor's objection, or why there was no
    answer. ``seconds`` is how long it took.
    """

    active: bool
    status: int | None
    trouble: Issue | None
    at: datetime
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the editor accepted the account."""
        return self.status in (200, 201)


class PlatformStore:
    """The tables; sessions follow the simulator's clock, ``now``."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    # --- sessions

    def open(self, person: Person, sid: str | None = None) -> str:
        """Opens a session and returns the value of its cookie. Deletes expired sessions.

        ``sid`` is that of the session at the identity provider.
        """
        cookie = secrets.token_urlsafe(32)
        content = orjson.dumps(asdict(person)).decode()
        row = {"key": _hashed(cookie), "person": person.key, "content": content, "sid": sid}
        with self._store.writing() as db:
            db.execute("delete from platform_sessions where expires <= ?", [self._now().isoformat()])
            db.table("platform_sessions").insert(row | {"expires": (self._now() + LIFETIME).isoformat()})
        return cookie

    def session(self, cookie: str | None) -> Person | None:
        """The regulator whose session a cookie is for, unless it has expired or the regulator is withdrawn."""
        if not cookie:
            return None
        with self._store.reading() as db:
            # Somebody may be withdrawn while they sign in.
            query = (
                "select content, expires from platform_sessions "
                "where key = ? and person not in (select person from platform_withdrawn)"
            )
            row = db.execute(query, [_hashed(cookie)]).fetchone()
        if row is None or datetime.fromisoformat(row[1]) <= self._now():
            return None
        return Person(**orjson.loads(row[0]))

    def close(self, cookie: str | None) -> None:
        """Ends the session of a cookie."""
        with self._store.writing() as db:
            db.execute("delete from platform_sessions where key = ?", [_hashed(cookie or "")])

    def close_from(self, sid: str) -> None:
        """Ends the sessions opened from a session at the identity provider."""
        with self._store.writing() as db:
            db.execute("delete from platform_sessions where sid = ?", [sid])

    def set_back(self, db: Database, by: timedelta) -> None:
        """Moves the ends of sessions back with the clock."""
        set_back(db, "platform_sessions", "expires", by)

    # --- regulators

    def withdraw(self, key: str) -> None:
        """Ends the sessions of a regulator, who may not sign in any more."""
        with self._store.writing() as db:
            db.execute("insert or ignore into platform_withdrawn values (?)", [key])
            db.execute("delete from platform_sessions where person = ?", [key])

    def bring_back(self, key: str) -> None:
        """Lets a regulator sign in again."""
        with self._store.writing() as db:
            db.execute("delete from platform_withdrawn where person = ?", [key])

    def withdrawn(self) -> set[str]:
        """The regulators who may not sign in."""
        with self._store.reading() as db:
            return {key for (key,) in db.execute("select person from platform_withdrawn").fetchall()}

    def note(self, key: str, results: Mapping[str, ProvisioningResult]) -> None:
        """Stores what each editor, by slug, answered about a regulator."""
        rows = [
            {
                "person": key,
                "editor": editor,
                "active": result.active,
                "status": result.status,
                "trouble": as_text(result.trouble) if result.trouble else None,
                "at": result.at.isoformat(),
                "seconds": result.seconds,
            }
            for editor, result in results.items()
        ]
        with self._store.writing() as db:
            db.table("platform_accounts").upsert_all(rows, pk=("person", "editor"))

    def results(self) -> dict[tuple[str, str], ProvisioningResult]:
        """What editors answered last, by regulator and editor."""
        query = "select person, editor, active, status, trouble, at, seconds from platform_accounts"
        with self._store.reading() as db:
            rows = db.execute(query).fetchall()
        return {
            (person, editor): ProvisioningResult(
                bool(active), status, from_text(trouble) if trouble else None, datetime.fromisoformat(at), seconds
            )
            for person, editor, active, status, trouble, at, seconds in rows
        }

    # --- who is known where

    def known(self, practitioners: Collection[str]) -> dict[str, set[str]]:
        """The editors that have answered with slots of each of these."""
        editors: dict[str, set[str]] = {practitioner: set() for practitioner in practitioners}
        asked = list(practitioners)
        with self._store.reading() as db:
            for start in range(0, len(asked), _MOST):
                portion = asked[start : start + _MOST]
                query = f"select * from platform_known where practitioner in ({', '.join('?' * len(portion))})"  # noqa: S608
                for practitioner, editor in db.execute(query, portion).fetchall():
                    editors[practitioner].add(editor)
        return editors

    def learn(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remembers practitioners with an editor that has answered with slots of each."""
        rows = [{"practitioner": practitioner, "editor": editor} for practitioner, editor in pairs]
        if rows:
            with self._store.writing() as db:
                db.table("platform_known").insert_all(rows, pk=("practitioner", "editor"), ignore=True)

    def reset(self, db: Database) -> None:
        """Deletes everything."""
        for table in ("platform_sessions", "platform_withdrawn", "platform_accounts", "platform_known"):
            db.execute(f"delete from {table}")  # noqa: S608 - names of ours


def _hashed(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()

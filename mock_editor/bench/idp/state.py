"""What all workers share: the keys, the codes that wait for their client, the resets. All its SQL."""

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
create table if not exists idp_resets (number integer primary key) strict
"""


class SigningKeys(NamedTuple):
    """``signing`` is for what clients verify, ``secret`` for what comes back to us only."""

    signing: RSAKey
    secret: str


class State:
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

    def keep(self, content: Mapping[str, Any], *, now: int, seconds: int) -> str:
        """A code that stands for ``content`` for some seconds. Raises 503."""
        code = secrets.token_urlsafe(32)
        with self._store.writing() as db:
            _forget(db, now)
            row = {"code": code, "expires": now + seconds, "content": orjson.dumps(content).decode()}
            db.table("idp_codes").insert(row)
        return code

    def take(self, code: str, *, now: int) -> dict[str, Any] | None:
        """What a code stands for, once; None for one that is unknown, taken or expired. Raises 503."""
        with self._store.writing() as db:
            _forget(db, now)
            rows = db.execute("delete from idp_codes where code = ? returning content", [code]).fetchall()
        return orjson.loads(rows[0][0]) if rows else None

    def resets(self) -> int:
        """How often everything was forgotten: a session from before the last time is over. Raises 503."""
        with self._store.reading() as db:
            [(number,)] = db.execute("select coalesce(max(number), 0) from idp_resets")
        return int(number)

    def reset(self, db: Database) -> None:
        """Forgets the codes, and ends every session."""
        db.execute("delete from idp_codes")
        db.execute("insert into idp_resets select coalesce(max(number), 0) + 1 from idp_resets")


def _signing_key() -> str:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    return orjson.dumps(key.as_dict(private=True)).decode()


def _forget(db: Database, now: int) -> None:
    db.execute("delete from idp_codes where expires <= ?", [now])

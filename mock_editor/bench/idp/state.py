"""What all workers share: the keys, which outlive a restart, and the codes that wait for their client. All its SQL."""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from joserfc.jwk import RSAKey
from sqlite_utils import Database

from mock_editor.base.store import Store

SCHEMA = """
create table if not exists idp_keys (
    name text primary key, value text not null) strict;
create table if not exists idp_codes (
    code text primary key, expires integer not null, content text not null) strict;
create index if not exists idp_codes_expires on idp_codes (expires)
"""
_SIGNING, _SECRET = "signing", "secret"


class Keys(NamedTuple):
    """``signing`` is for what clients verify, ``secret`` for what comes back to us only."""

    signing: RSAKey
    secret: str


class State:
    """The tables. Nothing is read before the first request: a connection may not live through a fork."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: Keys | None = None

    def keys(self) -> Keys:
        """The keys, made when there are none. Raises 503."""
        if self._keys is None:
            with self._store.reading() as db:
                found = _find(db)
            self._keys = found or self._make()
        return self._keys

    def _make(self) -> Keys:
        with self._store.writing() as db:
            # Another worker may have been first.
            if found := _find(db):
                return found
            keys = Keys(RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True), secrets.token_hex(32))
            signing = orjson.dumps(keys.signing.as_dict(private=True)).decode()
            db.table("idp_keys").insert_all(
                [{"name": _SIGNING, "value": signing}, {"name": _SECRET, "value": keys.secret}]
            )
            return keys

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


def _find(db: Database) -> Keys | None:
    found = dict(db.execute("select name, value from idp_keys").fetchall())
    return Keys(RSAKey.import_key(orjson.loads(found[_SIGNING])), found[_SECRET]) if found else None


def _forget(db: Database, now: int) -> None:
    db.execute("delete from idp_codes where expires <= ?", [now])

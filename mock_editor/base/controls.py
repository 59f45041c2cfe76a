"""Settings that change at run time, shared by all workers: a few named values, with all their SQL."""

from typing import Any

import orjson
from sqlite_utils import Database

SCHEMA = "create table if not exists controls (name text primary key, value text not null) strict"


def put(db: Database, name: str, value: Any) -> None:
    """Stores ``value``, which must be JSON, under a name, in the caller's transaction."""
    db.table("controls").upsert({"name": name, "value": orjson.dumps(value).decode()}, pk="name")


def get(db: Database, name: str) -> Any:
    """The value with this name; None when there is none."""
    row = db.execute("select value from controls where name = ?", [name]).fetchone()
    return orjson.loads(row[0]) if row else None

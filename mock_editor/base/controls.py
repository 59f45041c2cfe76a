"""How the simulator is set at run time, for all workers: a few named values. All their SQL."""

from typing import Any

import orjson
from sqlite_utils import Database

SCHEMA = "create table if not exists controls (name text primary key, value text not null) strict"


def put(db: Database, name: str, value: Any) -> None:
    """Keeps ``value``, which JSON can say, under a name. In the transaction of the caller."""
    db.table("controls").upsert({"name": name, "value": orjson.dumps(value).decode()}, pk="name")


def get(db: Database, name: str) -> Any:
    """The value with this name; None when there is none."""
    found = db.execute("select value from controls where name = ?", [name]).fetchone()
    return orjson.loads(found[0]) if found else None

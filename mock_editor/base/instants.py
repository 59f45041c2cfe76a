"""Instants of the simulator's clock that are kept in tables, for when it is set back.

What waits for one would wait until the clock has come back to where it was. So all of them are set back with the clock:
what was to happen in a minute still happens in a minute, what was over stays so.
"""

from datetime import datetime, timedelta

from sqlite_utils import Database


def set_back(db: Database, table: str, column: str, by: timedelta, where: str = "true") -> None:
    """Sets back all instants (ISO 8601, with an offset) of a column, in the transaction that sets the clock back."""
    query = f"select rowid, {column} from {table} where {column} is not null and ({where})"  # noqa: S608 - names of ours
    moved = [((datetime.fromisoformat(text) - by).isoformat(), row) for row, text in db.execute(query).fetchall()]
    db.conn.executemany(f"update {table} set {column} = ? where rowid = ?", moved)  # noqa: S608 - likewise

"""Sets stored instants back when the simulator's clock is set back.

Otherwise, whatever waits for an instant would wait until the clock reaches it again. So stored instants move with the
clock: what was due in a minute is still due in a minute, and what was over stays over.
"""

from datetime import datetime, timedelta

from sqlite_utils import Database


def set_back(db: Database, table: str, column: str, by: timedelta, where: str = "true") -> None:
    """Sets back all instants of a column (ISO 8601, with an offset), in the transaction that sets the clock back."""
    query = f"select rowid, {column} from {table} where {column} is not null and ({where})"  # noqa: S608 - names of ours
    moved = [((datetime.fromisoformat(text) - by).isoformat(), row) for row, text in db.execute(query).fetchall()]
    db.conn.executemany(f"update {table} set {column} = ? where rowid = ?", moved)  # noqa: S608 - likewise

"""Which generation of the state is current, and which processes have followed. All that share the file go by it.

A generation begins whenever another world or state replaces the current one. Work begun in an earlier generation may
no longer write.
"""

import time
from collections.abc import Callable, Iterable

from sqlite_utils import Database

from mock_editor.base import issues
from mock_editor.base.database import begun
from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Code

# How often another world was put in the place of one, since which of them the state goes on, and since when (monotonic,
# which is the same for all processes) something may have begun that writes; and how far each process that shares the
# file has followed.
SCHEMA = """
create table if not exists generations (
    number integer primary key, state integer not null, since real not null) strict;
create table if not exists workers (pid integer primary key, generation integer not null) strict
"""

# Seconds that the other processes have to follow.
PATIENCE = 5.0
# Seconds for which writing may be closed while they follow.
_CLOSED = 2 * PATIENCE


class OverError(EditorError):
    """503: the world of this request is over; the client may ask the next one again."""

    def __init__(self) -> None:
        super().__init__(503, [issues.issue(Code.GENERATION_OVER)], {"Retry-After": "1"})


class Turn:
    """The time in which a world is in play: its generation, once it has one; ``keep_time`` has the clock right."""

    def __init__(self, keep_time: Callable[[Database], None]) -> None:
        self.generation: int | None = None
        self._keep_time = keep_time

    def check(self, db: Database) -> None:
        """Raises 503 in a transaction when the turn has not begun or is over, or when the work was begun before it."""
        self._keep_time(db)
        expect(db, self.generation)
        began = begun()
        if began is not None and began < _since(db):
            raise OverError

    def check_state(self, db: Database) -> None:
        """Raises 503 when another state has replaced the one of that time."""
        self._keep_time(db)
        [(since,)] = db.execute("select coalesce(max(state), 0) from generations")
        if self.generation is None or self.generation < since:
            raise OverError


def last(db: Database) -> int:
    """The current generation; 0 before the first."""
    [(number,)] = db.execute("select coalesce(max(number), 0) from generations")
    return int(number)


def expect(db: Database, generation: int | None) -> None:
    """Raises 503 unless this generation is current."""
    if generation != last(db):
        raise OverError


def begin(db: Database, *, keep_state: bool, closed: bool = True) -> int:
    """Begins another generation, with the present state or another; returns its number.

    With ``closed``, nothing is written until ``reopen``: work begun for the old state may still be running.
    """
    number = last(db) + 1
    [(state, since)] = db.execute("select coalesce(max(state), 0), coalesce(max(since), 0.0) from generations")
    if not keep_state:
        state = number
    if closed:
        since = time.monotonic() + _CLOSED
    db.execute("delete from generations")
    db.execute("insert into generations values (?, ?, ?)", [number, state, since])
    return number


def reopen(db: Database, generation: int) -> None:
    """Lets work that is begun from now on write again."""
    now = time.monotonic()
    query = "update generations set since = ? where number = ? and since > ?"
    db.execute(query, [now, generation, now])


def note(db: Database, pid: int, generation: int) -> None:
    """Notes how far a process has followed."""
    db.table("workers").upsert({"pid": pid, "generation": generation}, pk="pid")


def forget(db: Database, pids: Iterable[int]) -> None:
    """Forgets processes that have ended."""
    for pid in pids:
        db.execute("delete from workers where pid = ?", [pid])


def behind(db: Database, generation: int) -> list[int]:
    """The processes that have not followed so far."""
    query = "select pid from workers where generation < ?"
    return [pid for (pid,) in db.execute(query, [generation]).fetchall()]


def _since(db: Database) -> float:
    """The earliest start of work that may write."""
    [(since,)] = db.execute("select coalesce(max(since), 0.0) from generations")
    # From before a restart of the machine, which also restarts the monotonic time.
    return 0.0 if since > time.monotonic() + _CLOSED else float(since)

"""The clock as all processes of a state share it: how it runs is a row, which each of them follows."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlite_utils import Database

from mock_editor.base import controls
from mock_editor.base.clock import REAL, Clock, Course
from mock_editor.base.store import Store

_NAME = "clock"


class SharedClock:
    """Keeps ``clock`` as the store says; ``changed`` is called when it runs differently."""

    def __init__(self, store: Store, clock: Clock, changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        # What was read before another course was set must not be followed after it.
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Runs as any process has set it last. Raises 503."""
        with self._lock, self._store.reading() as db:
            self._run(course(db))

    def follow_within(self, db: Database) -> None:
        """The same in a transaction: what it writes would otherwise have the time of a course that is over."""
        with self._lock:
            self._run(course(db))

    def set(self, db: Database, new: Course) -> timedelta:
        """Has all processes run by another course, in the caller's transaction; returns by how much that is earlier."""
        real = datetime.now(UTC)
        back = course(db).instant(real) - new.instant(real)
        put_course(db, new)
        return back

    def _run(self, new: Course) -> None:
        if new != self._clock.course:
            self._clock.follow(new)
            self._changed()


def course(db: Database) -> Course:
    """How the clock runs. Raises TypeError or ValueError for a row that makes no sense."""
    found = controls.get(db, _NAME)
    if not found:
        return REAL
    since, at, rate = found
    return Course(datetime.fromisoformat(since), datetime.fromisoformat(at), rate)


def put_course(db: Database, new: Course) -> None:
    """Stores how it runs, in the caller's transaction."""
    controls.put(db, _NAME, [new.since.isoformat(), new.at.isoformat(), new.rate])

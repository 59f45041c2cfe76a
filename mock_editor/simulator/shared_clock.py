"""The clock that all processes of a state share. A row of the store says how it runs, and each process follows it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlite_utils import Database

from mock_editor.base import controls
from mock_editor.base.clock import REAL, Clock, Course
from mock_editor.base.store import Store

_NAME = "clock"


class SharedClock:
    """Makes ``clock`` run as the store says. Calls ``changed`` when that is different."""

    def __init__(self, store: Store, clock: Clock, changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        # A course must not be followed by one that was read before it.
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Follows the course that a process has set last. Raises 503."""
        with self._lock, self._store.reading() as db:
            self._run(course(db))

    def follow_within(self, db: Database) -> None:
        """The same within a transaction, so that its rows do not get the time of an earlier course."""
        with self._lock:
            self._run(course(db))

    def set(self, db: Database, new: Course) -> timedelta:
        """Sets another course for all processes, in the caller's transaction. Returns how far it goes back in time."""
        real = datetime.now(UTC)
        back = course(db).instant(real) - new.instant(real)
        put_course(db, new)
        return back

    def _run(self, new: Course) -> None:
        if new != self._clock.course:
            self._clock.follow(new)
            self._changed()


def course(db: Database) -> Course:
    """How the clock runs. Raises TypeError or ValueError if the row is invalid."""
    stored = controls.get(db, _NAME)
    if not stored:
        return REAL
    since, at, rate = stored
    return Course(datetime.fromisoformat(since), datetime.fromisoformat(at), rate)


def put_course(db: Database, new: Course) -> None:
    """Stores how the clock runs, in the caller's transaction."""
    controls.put(db, _NAME, [new.since.isoformat(), new.at.isoformat(), new.rate])

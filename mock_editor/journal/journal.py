"""The journal for its readers: questions wait until everything so far can be read, or follow new entries.

``writer.py`` records exchanges; ``repository.py`` has the SQL.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import datetime

from mock_editor.base.event_streams import HEARTBEAT
from mock_editor.base.waits import Ended, Hold
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.model import Entry, EntrySummary, Limits
from mock_editor.journal.repository import JournalRepository, after
from mock_editor.journal.tables import JournalFile
from mock_editor.journal.writer import JournalWriter

# Seconds that a reader waits for the writers of other processes: a little longer than their pace and a batch.
_SETTLE = 0.04
# Seconds between two looks of a reader that waits for entries, however often it is woken.
_LOOK = 0.05
_PAGE = 200


class Journal:
    """The exchanges of a simulator, in a separate file that all its processes share.

    ``clock_now`` is the simulator's time. Without ``keep``, exchanges are only counted. With several ``workers``,
    readers wait a little for the entries of the others. ``waiting`` returns how many requests wait on purpose here.
    """

    def __init__(
        self,
        store: JournalFile,
        clock_now: Callable[[], datetime],
        limits: Limits,
        keep: bool = True,
        *,
        workers: int = 1,
        waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self.entries = JournalRepository(store, limits)
        self.writer = JournalWriter(
            store, clock_now, limits, keep, shared=workers > 1, waiting=waiting, committed=self._wake_listeners
        )
        self._store = store
        self._shared = workers > 1
        self._lock = threading.Lock()
        self._watching = False
        self._listeners: list[Callable[[], None]] = []

    def start(self) -> None:
        """Starts the writer, and the watch for entries of other processes; after a fork, call it in the child.

        Without this call, the first exchange starts the writer, and the first waiting reader starts the watch.
        Raises 503.
        """
        self._watch()
        self.writer.start()

    def _watch(self) -> None:
        with self._lock:
            if self._watching:
                return
            self._store.watch()
            self._watching = True
        self._store.on_change(self._wake_listeners)

    def fresh(self) -> None:
        """Waits until every exchange that is already answered can be read, in whichever process it was."""
        self.writer.flush()
        if self._shared:
            threading.Event().wait(_SETTLE)

    def find(self, wanted: EntryFilter) -> list[Entry]:
        """A page of whole entries. Raises 503, as do all the questions below."""
        self.fresh()
        return self.entries.find(wanted)

    def summaries(self, wanted: EntryFilter) -> list[EntrySummary]:
        """A page of entries without heads and bodies."""
        self.fresh()
        return self.entries.summaries(wanted)

    def get(self, identifier: int) -> Entry | None:
        """One entry; None if there is none, or if it was deleted."""
        self.fresh()
        return self.entries.get(identifier)

    def count(self, wanted: EntryFilter) -> int:
        """How many entries match."""
        self.fresh()
        return self.entries.count(wanted)[0]

    def clear(self) -> None:
        """Deletes all entries, including those about to be written; ids continue from where they were."""
        self.fresh()
        self.entries.clear()
        self._wake_listeners()

    def export(self, wanted: EntryFilter) -> Iterator[Entry]:
        """All entries that match and exist now, the oldest first, without ever holding many in memory."""
        self.fresh()
        newest = self.entries.totals().sequence
        last = wanted.after or 0
        while page := [found for found in self.entries.ids(after(wanted, last, _PAGE)) if found <= newest]:
            for identifier in page:
                # It may have been deleted by now.
                if entry := self.entries.get(identifier):
                    yield entry
            last = page[-1]

    def wait(self, wanted: EntryFilter, count: int, seconds: float, hold: Hold) -> int:
        """Waits until ``count`` entries match, or the wait ends; returns how many there are."""
        until = time.monotonic() + seconds
        self.fresh()
        with self._listening(hold):
            reached, last = self.entries.count(wanted)
            while reached < count:
                ended = self._pause(hold, until)
                more, last = self.entries.count(after(wanted, last, _PAGE))
                reached += more
                if ended:
                    break
        return reached

    def follow(self, wanted: EntryFilter, hold: Hold, last: int | None = None) -> Generator[Entry | None]:
        """New entries as they come, from now on or after the id ``last``; None every 15 seconds, as a sign of life.

        Ends when the client has left or the simulator stops. Whoever made ``hold`` closes it.
        """
        if last is None:
            self.fresh()
            last = self.entries.totals().sequence
        return self._followed(wanted, hold, last)

    def follow_briefly(
        self, wanted: EntryFilter, hold: Hold, pace: float, last: int | None = None
    ) -> Generator[list[EntrySummary]]:
        """The newest of the entries that have come since the last look, up to the filter's limit.

        It looks every ``pace`` seconds at most, from now on or after an id. It gives an empty list at the beginning
        and every 15 seconds. Ends as ``follow`` does. Raises 503.
        """
        self.fresh()
        if last is None:
            last = self.entries.totals().sequence
        with self._listening(hold):
            yield []
            while True:
                newest = self.entries.totals().sequence
                found = self.entries.summaries(replace(wanted, after=last)) if newest > last else []
                last = newest
                if found:
                    yield [entry for entry in found if entry.id <= newest]
                    if hold.sleep(pace) is not Ended.TIME:
                        return
                ended = self._pause(hold, time.monotonic() + HEARTBEAT)
                if ended is Ended.TIME:
                    yield []
                elif ended:
                    return

    def _followed(self, wanted: EntryFilter, hold: Hold, last: int) -> Generator[Entry | None]:
        with self._listening(hold):
            while True:
                # Asked first: what is written after that has a higher id.
                newest = self.entries.totals().sequence
                page = self.entries.ids(after(wanted, last, _PAGE))
                for identifier in page:
                    if entry := self.entries.get(identifier):
                        yield entry
                last = page[-1] if page else max(last, newest)
                if len(page) < _PAGE:
                    ended = self._pause(hold, time.monotonic() + HEARTBEAT)
                    if ended is Ended.TIME:
                        yield None
                    elif ended:
                        return

    def _pause(self, hold: Hold, until: float) -> Ended | None:
        """Waits until something has been written, or ``until``."""
        begin = time.monotonic()
        ended = hold.wait(until - begin)
        if ended is None:
            # Under load it is woken by every commit of every process, and there may be hundreds like it.
            rest = begin + _LOOK - time.monotonic()
            if rest > 0 and begin + _LOOK < until:
                ended = hold.sleep(rest)
                ended = None if ended is Ended.TIME else ended
        return ended

    @contextlib.contextmanager
    def _listening(self, hold: Hold) -> Iterator[None]:
        self._watch()
        with self._lock:
            self._listeners.append(hold.wake)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(hold.wake)

    def _wake_listeners(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

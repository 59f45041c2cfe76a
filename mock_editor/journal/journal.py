"""The journal: takes down exchanges without holding them up, writes them in the background, and answers questions.

Each process has one thread that writes, in batches: at once when there was nothing to do, else some twenty times a
second, or fifty if others read. What it cannot write in time is given up, counted and logged; serving never waits for
a database.
"""

import contextlib
import dataclasses
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from datetime import datetime

from mock_editor.base import threads
from mock_editor.base.errors import EditorError
from mock_editor.base.waits import Ended, Hold
from mock_editor.journal.entries import Batch, Brief, Entries, Entry, Exchange, JournalFile, Limits
from mock_editor.journal.filters import Filters

_log = logging.getLogger(__name__)

# Seconds between two commits under load: each costs the searches some of their time. When others read in other
# processes, commits come more often, and a reader waits a little longer than that and a batch.
_PACE, _PACE_FOR_OTHERS, _SETTLE = 0.05, 0.02, 0.04
# What waits for the writer, at most, in exchanges and bytes, and how large a batch is.
_QUEUE, _QUEUE_BYTES = 5_000, 24_000_000
_BATCH, _BATCH_BYTES = 500, 8_000_000
_OVERHEAD = 2_000  # bytes of an exchange besides its bodies, about
# Seconds that an exchange waits for room, and after which a write is taken for one that hangs.
_PATIENCE, _HANGS = 0.2, 1.0
# Seconds between two attempts when the database is out of order: the first time, and at most.
_RETRY, _RETRY_MOST = 0.1, 5.0
# Seconds between two looks at what changes without exchanges: old entries, the number of requests that wait.
_TICK = 1.0
# Seconds between two searches for old entries when there is nothing else to do.
_SWEEP = 60.0
# Ticks without work after which a writer ends that was not started, but began by itself.
_LINGER = 3
# Seconds that a reader waits for what this process has taken down.
_FLUSH = 2.0
# Seconds between two looks of one that waits for entries, however often it is woken.
_LOOK = 0.05
_HEARTBEAT = 15.0
_PAGE = 200


class Journal:
    """The exchanges of a simulator, in a file of its own, which all its processes share.

    ``clock_now`` is the simulator's time. Without ``keep``, exchanges are only counted. With several ``workers``, those
    who read wait a little for the entries of the others. ``waiting`` tells how many requests wait on purpose here.
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
        self.clock_now = clock_now
        self.limits = limits
        self.keep = keep
        self.entries = Entries(store, limits)
        self._store = store
        self._others = workers > 1
        self._pace = _PACE_FOR_OTHERS if workers > 1 else _PACE
        self._waiting = waiting
        self._told_waiting = 0
        self._queue: deque[Exchange] = deque()
        self._queued_bytes = 0
        self._taken_down = self._done = self._lost = 0
        self._lock = threading.Lock()
        self._something = threading.Condition(self._lock)  # to write
        self._progress = threading.Condition(self._lock)  # of the writer
        self._urgent = threading.Event()
        self._idle = False
        self._failing = self._closing = False
        self._busy_since: float | None = None
        self._writer: threading.Thread | None = None
        self._stays = self._watching = False
        self._swept = time.monotonic()
        self._listeners: list[Callable[[], None]] = []

    # --- the process

    def start(self) -> None:
        """Starts what writes, and what looks for the entries of other processes; after a fork, in the child.

        Without it, the first exchange has the writer begin, and the first who waits for one has the other begin.
        Raises 503.
        """
        self._stays = True
        self._watch()
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        if self._writer is None:
            self._writer = threads.start("journal", self._run)

    def _watch(self) -> None:
        with self._lock:
            if self._watching:
                return
            self._store.watch()
            self._watching = True
        self._store.on_change(self._tell)

    def flush(self, seconds: float = _FLUSH) -> bool:
        """Waits until what this process has taken down is written, or given up; False if that takes longer."""
        with self._lock:
            goal = self._taken_down
            if self._done >= goal:
                return True
            self._urgent.set()
            return self._progress.wait_for(lambda: self._done >= goal, seconds)

    def close(self, seconds: float = 1.0) -> None:
        """Writes what is left, for so long, and ends the writer."""
        self.flush(seconds)
        with self._lock:
            self._closing = True
            self._something.notify()
        self._urgent.set()
        writer = self._writer
        if writer:
            writer.join(seconds)

    # --- taking down

    def record(self, exchange: Exchange) -> None:
        """Takes down an exchange; it is written soon after, or given up when the writer cannot follow."""
        weight = _weight(exchange)
        with self._lock:
            try:
                self._begin()
            except EditorError:
                self._give_up()
                return
            if self._is_full() and not self._wait_for_room():
                self._give_up()
                return
            self._queue.append(exchange)
            self._queued_bytes += weight
            self._taken_down += 1
            if self._idle:
                self._something.notify()

    def amend(self, exchange: Exchange, error: str) -> None:
        """Notes afterwards what went wrong with an exchange that was taken down before its end."""
        with self._lock:
            exchange.error = error
            if exchange.taken:
                self._queue.append(exchange)
                self._queued_bytes += _weight(exchange)
                self._taken_down += 1
                if self._idle:
                    self._something.notify()

    def _is_full(self) -> bool:
        return len(self._queue) >= _QUEUE or self._queued_bytes >= _QUEUE_BYTES

    def _wait_for_room(self) -> bool:
        # Only a writer that gets on is worth waiting for.
        hangs = self._busy_since is not None and time.monotonic() - self._busy_since > _HANGS
        return not (self._failing or hangs) and self._progress.wait_for(lambda: not self._is_full(), _PATIENCE)

    def _give_up(self) -> None:
        if self._lost == 0:
            _log.warning("The journal cannot follow: exchanges are lost")
        self._lost += 1

    # --- the writer

    def _run(self) -> None:
        idle = 0
        while self._goes_on(idle):
            began = time.monotonic()
            try:
                exchanges, urgent = self._next()
                self._commit(exchanges)
            except Exception:
                # A mistake of ours, or a database that cannot even be looked at: the next batch may be written.
                _log.exception("The journal's writer fails")
                exchanges, urgent = [], False
                self._urgent.wait(_TICK)
            idle = 0 if exchanges else idle + 1
            if exchanges and not urgent and not self._closing:
                self._urgent.wait(max(0.0, began + self._pace - time.monotonic()))

    def _goes_on(self, idle: int) -> bool:
        with self._lock:
            ends = not self._queue and (self._closing or (idle > _LINGER and not self._stays))
            if ends:
                self._writer = None  # the next exchange has another one begin
            return not ends

    def _next(self) -> tuple[list[Exchange], bool]:
        """What there is to write, when there is something or a tick has passed; and whether somebody waits for it."""
        with self._lock:
            if not self._queue and not self._closing:
                self._idle = True
                self._something.wait(_TICK)
                self._idle = False
            urgent = self._urgent.is_set()
            self._urgent.clear()
            batch: list[Exchange] = []
            size = 0
            while self._queue and len(batch) < _BATCH and size < _BATCH_BYTES:
                one = self._queue.popleft()
                size += _weight(one)
                batch.append(one)
            self._queued_bytes -= size
            self._progress.notify_all()  # there is room again
            return batch, urgent and bool(self._queue)

    def _commit(self, exchanges: list[Exchange]) -> None:
        """Writes exchanges; done with, in the end, whatever came of them."""
        try:
            batch = self._batch(exchanges)
            if batch:
                try:
                    self._write(batch)
                except Exception:
                    _log.exception("What was recorded cannot be written together")
                    self._write_one_by_one(batch)
        finally:
            with self._lock:
                self._done += len(exchanges)
                self._progress.notify_all()
            self._tell()

    def _batch(self, exchanges: list[Exchange]) -> Batch | None:
        """What is to be written; None if there is nothing."""
        batch = Batch()
        for one in exchanges:
            if one.taken:
                batch.errors.append(one)
                continue
            with self._lock:
                one.taken = True
            self._add(batch, one)
        waiting = self._waiting()
        if waiting != self._told_waiting:
            batch.waiting = (os.getpid(), waiting)
        batch.lost = self._lost
        return batch if exchanges or batch.lost or batch.waiting or self._sweeps() else None

    def _add(self, batch: Batch, one: Exchange) -> None:
        try:
            batch.count(one)
            if self.keep:
                batch.keep(one, self.limits)
        except Exception:
            _log.exception("An exchange cannot be written down: %s %s", one.method, one.flow)
            self._give_up()

    def _write(self, batch: Batch) -> None:
        """Writes a batch, however often that has to be tried; gives it up only when the process ends."""
        pause, failed = _RETRY, False
        while True:
            self._busy_since = time.monotonic()
            try:
                self.entries.write(batch, time.time())
                break
            except EditorError as error:
                if not failed:
                    _log.warning("The journal cannot be written, and waits: %s", error)
                failed = self._failing = True
                if self._closing:
                    _log.warning("%d exchanges are not in the journal", len(batch.rows))
                    return
                self._urgent.wait(pause)
                self._urgent.clear()
                pause = min(2 * pause, _RETRY_MOST)
            finally:
                self._busy_since = None
        if failed:
            _log.warning("The journal is written again")
        self._failing = False
        if batch.waiting:
            self._told_waiting = batch.waiting[1]
        if batch.lost:
            _log.warning("%d exchanges were lost to the journal", batch.lost)
            with self._lock:
                self._lost -= batch.lost

    def _write_one_by_one(self, batch: Batch) -> None:
        """Writes what can be written of a batch that cannot."""
        for one in batch.exchanges:
            alone = Batch()
            self._add(alone, one)
            try:
                self._write(alone)
            except Exception as error:
                _log.warning("An exchange cannot be written: %s", error)
                self._give_up()

    def _sweeps(self) -> bool:
        """Whether it is time to let go of what has become too old."""
        if time.monotonic() - self._swept < _SWEEP:
            return False
        self._swept = time.monotonic()
        return self.entries.has_old(time.time())

    # --- questions

    @property
    def waiting(self) -> int:
        """How many requests wait on purpose, in this process."""
        return self._waiting()

    def fresh(self) -> None:
        """Waits until everything that has got its answer can be read, of all processes."""
        self.flush()
        if self._others:
            threading.Event().wait(_SETTLE)

    def find(self, filters: Filters, limit: int, *, newest_first: bool = True) -> list[Entry]:
        """The first ``limit`` entries that are meant. Raises 503, as all of these."""
        self.fresh()
        return self.entries.find(filters, limit, newest_first=newest_first)

    def get(self, identifier: int) -> Entry | None:
        """One entry; None if there is none, or not any more."""
        self.fresh()
        return self.entries.get(identifier)

    def count(self, filters: Filters) -> int:
        """How many entries are meant."""
        self.fresh()
        return self.entries.count(filters)[0]

    def clear(self) -> None:
        """Forgets all entries, those that are about to be written too; ids go on where they were."""
        self.fresh()
        self.entries.clear()
        self._tell()

    def export(self, filters: Filters) -> Iterator[Entry]:
        """All entries that are meant and there now, the oldest first, without ever holding many."""
        self.fresh()
        last = self.entries.totals().sequence
        after = filters.after or 0
        while page := [identifier for identifier in self.entries.ids(filters, after, _PAGE) if identifier <= last]:
            for identifier in page:
                # By now, it may be gone.
                if entry := self.entries.get(identifier):
                    yield entry
            after = page[-1]

    def wait(self, filters: Filters, count: int, seconds: float, hold: Hold) -> int:
        """Waits until ``count`` entries are there that are meant, or the wait ends; returns how many there are."""
        until = time.monotonic() + seconds
        self.fresh()
        with self._listening(hold):
            reached, last = self.entries.count(filters)
            while reached < count:
                ended = self._pause(hold, until)
                more, last = self.entries.count(filters, last)
                reached += more
                if ended:
                    break
        return reached

    def follow(self, filters: Filters, hold: Hold, after: int | None = None) -> Generator[Entry | None]:
        """Entries as they come, from now on or after an id; None every 15 seconds, to see whether somebody listens.

        Ends when the client has left or the simulator stops. Whoever made ``hold`` closes it.
        """
        if after is None:
            self.fresh()
            after = self.entries.totals().sequence
        return self._followed(filters, hold, after)

    def follow_briefly(
        self, filters: Filters, hold: Hold, most: int, pace: float, after: int | None = None
    ) -> Generator[list[Brief]]:
        """The last ``most`` of the entries that have come, the newest first, from now on or after an id.

        Every ``pace`` seconds at most; nothing at once, and every 15 seconds. Ends as ``follow`` does. Raises 503.
        """
        self.fresh()
        last = self.entries.totals().sequence if after is None else after
        with self._listening(hold):
            yield []
            while True:
                newest = self.entries.totals().sequence
                found = self.entries.briefs(dataclasses.replace(filters, after=last), most) if newest > last else []
                last = newest
                if found:
                    yield [one for one in found if one.id <= newest]
                    if hold.sleep(pace) is not Ended.TIME:
                        return
                ended = self._pause(hold, time.monotonic() + _HEARTBEAT)
                if ended is Ended.TIME:
                    yield []
                elif ended:
                    return

    def _followed(self, filters: Filters, hold: Hold, last: int) -> Generator[Entry | None]:
        with self._listening(hold):
            while True:
                # Asked first: what is written after that has a higher id.
                newest = self.entries.totals().sequence
                page = self.entries.ids(filters, last, _PAGE)
                for identifier in page:
                    if entry := self.entries.get(identifier):
                        yield entry
                last = page[-1] if page else max(last, newest)
                if len(page) < _PAGE:
                    ended = self._pause(hold, time.monotonic() + _HEARTBEAT)
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

    def _tell(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()


def _weight(exchange: Exchange) -> int:
    return _OVERHEAD + len(exchange.request_body) + len(exchange.answer_body)

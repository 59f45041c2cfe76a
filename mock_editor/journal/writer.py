"""Records exchanges without holding them up, and writes them in the background.

Each process has one thread that writes, in batches: at once when it was idle, otherwise about twenty times a second,
or fifty times if other processes read. What it cannot write in time is given up, counted and logged; serving never
waits for a database.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from mock_editor.base import threads
from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Issue
from mock_editor.journal.batches import Batch, BatchWriter
from mock_editor.journal.model import ExchangeRecord, Limits
from mock_editor.journal.repository import JournalRepository
from mock_editor.journal.tables import JournalFile

_log = logging.getLogger(__name__)

# Seconds between two commits under load: each slows down the searches. When readers may be in other processes,
# commits come more often.
_PACE, _PACE_FOR_OTHERS = 0.05, 0.02
# Limits of the queue and of a batch, each in exchanges and in bytes.
_QUEUE, _QUEUE_BYTES = 5_000, 24_000_000
_BATCH, _BATCH_BYTES = 500, 8_000_000
_OVERHEAD = 2_000  # roughly the bytes of an exchange besides its bodies
# Seconds that an exchange waits for room in the queue; seconds after which a write counts as hanging.
_PATIENCE, _HANGS = 0.2, 1.0
# Seconds between two attempts when the database is out of order: the first and the longest pause.
_RETRY, _RETRY_MOST = 0.1, 5.0
# Seconds between two looks at what changes without any exchange: entries grow old, requests wait.
_TICK = 1.0
# Seconds between two searches for old entries when there is nothing else to do.
_SWEEP = 60.0
# Ticks without work after which a writer ends, if it was only started by the first exchange.
_LINGER = 3
# Seconds that a reader waits for this process to write what it has recorded.
_FLUSH = 2.0


class JournalWriter:
    """Records exchanges; ``clock_now`` is the simulator's time.

    Without ``keep``, exchanges are only counted. ``shared`` means that other processes read the same file;
    ``waiting`` returns how many requests wait on purpose in this one; ``committed`` is called after every batch.
    """

    def __init__(
        self,
        store: JournalFile,
        clock_now: Callable[[], datetime],
        limits: Limits,
        keep: bool,
        *,
        shared: bool,
        waiting: Callable[[], int],
        committed: Callable[[], None],
    ) -> None:
        self.clock_now = clock_now
        self.limits = limits
        self.keep = keep
        self.waiting = waiting
        self._entries = JournalRepository(store, limits)
        self._batches = BatchWriter(store, limits)
        self._pace = _PACE_FOR_OTHERS if shared else _PACE
        self._committed = committed
        self._reported_waiting = 0
        self._queue: deque[ExchangeRecord] = deque()
        self._queued_bytes = 0
        self._recorded = self._done = self._lost = 0
        self._lock = threading.Lock()
        self._something = threading.Condition(self._lock)  # to write
        self._progress = threading.Condition(self._lock)  # of the thread
        self._urgent = threading.Event()
        self._idle = False
        self._failing = self._closing = False
        self._busy_since: float | None = None
        self._thread: threading.Thread | None = None
        self._stays = False
        self._swept = time.monotonic()

    # --- the thread

    def start(self) -> None:
        """Starts the thread; otherwise the first exchange does. After a fork, call it in the child. Raises 503."""
        self._stays = True
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threads.start("journal", self._run)

    def flush(self, seconds: float = _FLUSH) -> bool:
        """Waits until everything recorded here is written or given up; False if that takes longer than ``seconds``."""
        with self._lock:
            goal = self._recorded
            if self._done >= goal:
                return True
            self._urgent.set()
            return self._progress.wait_for(lambda: self._done >= goal, seconds)

    def close(self, seconds: float = 1.0) -> None:
        """Writes the rest, for at most ``seconds``, and ends the thread."""
        self.flush(seconds)
        with self._lock:
            self._closing = True
            self._something.notify()
        self._urgent.set()
        thread = self._thread
        if thread:
            thread.join(seconds)

    # --- recording

    def record(self, exchange: ExchangeRecord) -> None:
        """Records an exchange. It is written soon after, or given up when the thread cannot keep up."""
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
            self._recorded += 1
            if self._idle:
                self._something.notify()

    def amend(self, exchange: ExchangeRecord, error: Issue) -> None:
        """Adds what went wrong to an exchange that was recorded before its end."""
        with self._lock:
            exchange.error = error
            if exchange.taken:
                self._queue.append(exchange)
                self._queued_bytes += _weight(exchange)
                self._recorded += 1
                if self._idle:
                    self._something.notify()

    def _is_full(self) -> bool:
        return len(self._queue) >= _QUEUE or self._queued_bytes >= _QUEUE_BYTES

    def _wait_for_room(self) -> bool:
        # Waiting only helps while the writer makes progress.
        hangs = self._busy_since is not None and time.monotonic() - self._busy_since > _HANGS
        return not (self._failing or hangs) and self._progress.wait_for(lambda: not self._is_full(), _PATIENCE)

    def _give_up(self) -> None:
        if self._lost == 0:
            _log.warning("The journal cannot follow: exchanges are lost")
        self._lost += 1

    # --- writing

    def _run(self) -> None:
        idle = 0
        while self._goes_on(idle):
            began = time.monotonic()
            try:
                exchanges, urgent = self._next()
                self._commit(exchanges)
            except Exception:
                # A bug, or an unreadable database. The next batch may succeed.
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
                self._thread = None  # the next exchange starts another one
            return not ends

    def _next(self) -> tuple[list[ExchangeRecord], bool]:
        """Waits for exchanges, one tick at most; returns them, and whether somebody waits for the rest."""
        with self._lock:
            if not self._queue and not self._closing:
                self._idle = True
                self._something.wait(_TICK)
                self._idle = False
            urgent = self._urgent.is_set()
            self._urgent.clear()
            batch: list[ExchangeRecord] = []
            size = 0
            while self._queue and len(batch) < _BATCH and size < _BATCH_BYTES:
                exchange = self._queue.popleft()
                size += _weight(exchange)
                batch.append(exchange)
            self._queued_bytes -= size
            self._progress.notify_all()  # there is room again
            return batch, urgent and bool(self._queue)

    def _commit(self, exchanges: list[ExchangeRecord]) -> None:
        """Writes exchanges, and counts them as done even if that fails."""
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
            self._committed()

    def _batch(self, exchanges: list[ExchangeRecord]) -> Batch | None:
        """The batch to write; None if there is nothing to write."""
        batch = Batch()
        for exchange in exchanges:
            if exchange.taken:
                batch.errors.append(exchange)
                continue
            with self._lock:
                exchange.taken = True
            self._add(batch, exchange)
        waiting = self.waiting()
        if waiting != self._reported_waiting:
            batch.waiting = (os.getpid(), waiting)
        batch.lost = self._lost
        return batch if exchanges or batch.lost or batch.waiting or self._sweeps() else None

    def _add(self, batch: Batch, exchange: ExchangeRecord) -> None:
        try:
            batch.count(exchange)
            if self.keep:
                batch.keep(exchange, self.limits)
        except Exception:
            _log.exception("An exchange cannot be written down: %s %s", exchange.method, exchange.flow)
            self._give_up()

    def _write(self, batch: Batch) -> None:
        """Writes a batch, trying again as often as needed; gives up only when the process ends."""
        pause, failed = _RETRY, False
        while True:
            self._busy_since = time.monotonic()
            try:
                self._batches.write(batch, time.time())
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
            self._reported_waiting = batch.waiting[1]
        if batch.lost:
            _log.warning("%d exchanges were lost to the journal", batch.lost)
            with self._lock:
                self._lost -= batch.lost

    def _write_one_by_one(self, batch: Batch) -> None:
        """Writes the exchanges of a failed batch one at a time."""
        for exchange in batch.exchanges:
            alone = Batch()
            self._add(alone, exchange)
            try:
                self._write(alone)
            except Exception as error:
                _log.warning("An exchange cannot be written: %s", error)
                self._give_up()

    def _sweeps(self) -> bool:
        """Whether it is time to delete entries that have become too old."""
        if time.monotonic() - self._swept < _SWEEP:
            return False
        self._swept = time.monotonic()
        return self._entries.has_old(time.time())


def _weight(exchange: ExchangeRecord) -> int:
    return _OVERHEAD + len(exchange.request_body) + len(exchange.answer_body)

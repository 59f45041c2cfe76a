"""Total deadlines for reading from a client, kept by one thread for a whole process.

A socket's own time-out starts again with each piece received, so a client that sends one byte now and then never meets
it. Here the reading side of the socket is shut down when the time is over, whatever has arrived. The blocked read then
returns as if the client had finished, and an answer can still be written.
"""

import contextlib
import heapq
import itertools
import socket
import threading
import time
from typing import Self

from mock_editor.base.threads import start

# Cancelled watches stay in the heap until their time. Above this number, they are removed once they are the majority.
_TOLERATED = 64


class Watch:
    """One deadline on one socket. ``expired`` says whether it fired; it no longer changes once cancelled."""

    __slots__ = ("_deadlines", "expired", "sock")

    def __init__(self, deadlines: "Deadlines", sock: socket.socket) -> None:
        self._deadlines = deadlines
        self.sock: socket.socket | None = sock
        self.expired = False

    def cancel(self) -> None:
        """Releases the socket: once this returns, it is not touched any more."""
        self._deadlines.cancel(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


class Deadlines:
    """The watches of one process. Threads do not survive a fork: start it in the process that uses it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Watch]] = []
        self._cancelled = 0

    def start(self) -> None:
        """Starts the thread that keeps the deadlines. Raises 503."""
        start("deadlines", self._run)

    def watch(self, sock: socket.socket, seconds: float) -> Watch:
        """Shuts the reading side of ``sock`` after ``seconds``, unless the watch ends first (``cancel``, ``with``)."""
        watch = Watch(self, sock)
        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), watch))
            if self._heap[0][2] is watch:
                self._changed.notify()
        return watch

    def cancel(self, watch: Watch) -> None:
        """See ``Watch.cancel``."""
        with self._changed:
            if watch.sock is None:
                return
            watch.sock = None
            self._cancelled += 1
            if self._cancelled > max(_TOLERATED, len(self._heap) // 2):
                self._heap = [entry for entry in self._heap if entry[2].sock]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def _run(self) -> None:
        with self._changed:
            while True:
                if not self._heap:
                    self._changed.wait()
                    continue
                when, _, watch = self._heap[0]
                seconds_left = when - time.monotonic()
                if seconds_left > 0:
                    self._changed.wait(seconds_left)
                    continue
                heapq.heappop(self._heap)
                if watch.sock is None:
                    self._cancelled -= 1
                else:
                    self._fire(watch, watch.sock)

    def _fire(self, watch: Watch, sock: socket.socket) -> None:
        # Under the lock: once cancel() has returned, the descriptor may already belong to another connection.
        watch.expired, watch.sock = True, None
        # The base class's method: under TLS, the socket's own would discard the session.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RD)

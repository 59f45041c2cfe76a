"""Requests that wait on purpose, for something to happen or for a time, without holding up the others.

A waiting request is a sleeping thread. So their number in a process is limited, all of them end when the process stops,
and a request ends when its client has left: one thread watches the connections of all.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Self

from mock_editor.base import threads
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code

_LEFT = select.EPOLLRDHUP
_AGAIN = {"Retry-After": "1"}


class Ended(Enum):
    """Why a wait has ended."""

    TIME = auto()  # its time is over
    GONE = auto()  # the client has left
    STOPPING = auto()  # the process stops


class Hold:
    """One request that may wait, until this is closed or left as a context."""

    def __init__(self, waits: "Waits", descriptor: int | None) -> None:
        self._waits = waits
        self.descriptor = descriptor
        self._event = threading.Event()
        self._ended: Ended | None = None

    def wake(self) -> None:
        """Makes ``wait`` return, now or when it is called next."""
        self._event.set()

    def end(self, why: Ended) -> None:
        """Ends this wait and all later ones."""
        self._ended = self._ended or why
        self._event.set()

    def wait(self, seconds: float) -> Ended | None:
        """Waits ``seconds`` at most; None when ``wake`` was called before."""
        woken = self._event.wait(max(seconds, 0))
        # In this order: an end that comes in between is seen, or ends the next wait.
        self._event.clear()
        if self._ended:
            self._event.set()
            return self._ended
        return None if woken else Ended.TIME

    def sleep(self, seconds: float) -> Ended:
        """Waits ``seconds``, unless it ends before."""
        until = time.monotonic() + seconds
        while True:
            ended = self.wait(until - time.monotonic())
            if ended:
                return ended

    def close(self) -> None:
        """Ends the hold: the request does not wait any more."""
        self._waits.release(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Waits:
    """The waiting requests of one process, ``most`` at once. It may be forked, until ``start`` or the first of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._holds: set[Hold] = set()
        self._watched: dict[int, Hold] = {}
        self._epoll: select.epoll | None = None
        self._stopping = False

    def start(self) -> None:
        """Begins to look for clients that leave; otherwise the first waiting request does. Raises 503."""
        with self._lock:
            self._begin()

    def _begin(self) -> select.epoll:
        if self._epoll is None:
            epoll = select.epoll()
            try:
                threads.start("waits", self._run, epoll)
            except EditorError:
                epoll.close()
                raise
            self._epoll = epoll
        return self._epoll

    @property
    def waiting(self) -> int:
        """How many requests hold a place now."""
        return len(self._holds)

    def hold(self, environ: Mapping[str, Any]) -> Hold:
        """A place for the request of ``environ``. Raises 503 when all are taken, the process stops, or it cannot be
        noticed any more when a client leaves: then no place is taken."""
        sock: socket.socket | None = environ.get("gunicorn.socket")  # there is none in tests
        with self._lock:
            if self._stopping:
                raise stopped()
            if len(self._holds) >= self._most:
                raise refused(Code.TOO_MANY_WAITING, headers=_AGAIN, most=self._most)
            hold = Hold(self, sock.fileno() if sock else None)
            if hold.descriptor is not None:
                self._watch(hold, hold.descriptor)
            self._holds.add(hold)
        return hold

    def _watch(self, hold: Hold, descriptor: int) -> None:
        # A client that has sent FIN counts as gone, although it may still read: nothing tells it from one that has
        # closed, short of writing to it, and no HTTP client in use does so. Bytes alone (a next request) mean nothing.
        try:
            self._begin().register(descriptor, _LEFT | select.EPOLLONESHOT)
        except OSError as error:
            raise refused(Code.CONNECTIONS_UNWATCHED, headers=_AGAIN, reason=error.strerror) from error
        self._watched[descriptor] = hold

    def _run(self, epoll: select.epoll) -> None:
        while True:
            for descriptor, _ in epoll.poll():
                with self._lock:
                    hold = self._watched.get(descriptor)
                    # Before we had the lock, the descriptor may have become that of another client.
                    if hold and _has_left(descriptor):
                        hold.end(Ended.GONE)
                    elif hold:
                        try:
                            epoll.modify(descriptor, _LEFT | select.EPOLLONESHOT)
                        except OSError:
                            # Closed before it was released, and another's by now: that ends one wait, not this thread.
                            hold.end(Ended.GONE)

    def release(self, hold: Hold) -> None:
        """See ``Hold.close``. From the return of this call on, the connection is not looked at any more."""
        with self._lock:
            self._holds.discard(hold)
            if hold.descriptor is not None and self._watched.get(hold.descriptor) is hold and self._epoll:
                del self._watched[hold.descriptor]
                with contextlib.suppress(OSError):
                    self._epoll.unregister(hold.descriptor)

    def stop(self) -> None:
        """Ends every wait, and allows no new ones."""
        with self._lock:
            self._stopping = True
            for hold in self._holds:
                hold.end(Ended.STOPPING)


def stopped() -> EditorError:
    """The refusal of a request that would have to wait, or to wait on, when the process stops."""
    return refused(Code.STOPPING, headers=_AGAIN)


def _has_left(descriptor: int) -> bool:
    look = select.poll()
    look.register(descriptor, select.POLLRDHUP)
    return bool(look.poll(0))

"""Work that several threads want at the same time is done by one of them, for all.

Under the interpreter's lock, doing it in each of them would take just as long as one after the other, and more memory.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code

Item = TypeVar("Item")


class _Run(Generic[Item]):
    """Work in progress; ``item`` is set once it is ``over``, unless it failed."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.item: Item | None = None


class Once(Generic[Item]):
    """Does up to ``at_once`` pieces of work; whoever waits longer than ``patience`` seconds is refused."""

    def __init__(self, at_once: int, patience: float) -> None:
        self._places = threading.Semaphore(at_once)
        self._patience = patience
        self._runs: dict[Hashable, _Run[Item]] = {}
        self._lock = threading.Lock()

    def do(self, key: Hashable, known: Callable[[], Item | None], make: Callable[[], Item]) -> Item:
        """What ``known`` finds, otherwise what ``make`` makes, shared with everybody who waits for the same ``key``.

        Raises what they raise, and 503 after ``patience`` seconds. When ``make`` fails, the next one that waits tries.
        """
        until = time.monotonic() + self._patience
        while True:
            with self._lock:
                run = self._runs.get(key)
                leads = run is None
                if run is None:
                    run = self._runs[key] = _Run()
            if leads:
                try:
                    # Another thread may just have finished it.
                    run.item = item = known() or self._made(make, until)
                    return item
                finally:
                    with self._lock:
                        del self._runs[key]
                    run.over.set()
            if not run.over.wait(max(0, until - time.monotonic())):
                raise _busy()
            if run.item is not None:
                return run.item

    def _made(self, make: Callable[[], Item], until: float) -> Item:
        if not self._places.acquire(timeout=max(0, until - time.monotonic())):
            raise _busy()
        try:
            return make()
        finally:
            self._places.release()


def _busy() -> EditorError:
    return refused(Code.TOO_MANY_SEARCHES, headers={"Retry-After": "1"})

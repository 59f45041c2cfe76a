"""How many notifications one SAS gets at once."""

import threading
import time
from collections.abc import Sequence

# A SAS that has put us off this many times in a row gets one notification at a time, this many seconds after the last,
# until it takes one. Retrying a backlog would slow down this process's searches; waiting for an answer that never
# comes would block every thread.
_IN_A_ROW = 8
REST = 0.02


class Pacing:
    """How many notifications one SAS gets at once from the ``editors`` that send to it."""

    def __init__(self, editors: Sequence[str]) -> None:
        self.editors = editors
        self._lock = threading.Lock()
        self._put_off = self._going = 0
        self._rests_until = 0.0

    @property
    def further(self) -> int:
        """How many are on their way, beyond the first."""
        return max(self._going - 1, 0)

    def room(self, shared: int) -> int:
        """How many may be sent now: a first one, and more from the ``shared`` places that all SAS have in common."""
        with self._lock:
            first = 0 if self._going else 1
            if self._put_off < _IN_A_ROW:
                return first + shared
            return 0 if time.monotonic() < self._rests_until else first

    def begin(self) -> None:
        """Notes that an attempt begins."""
        with self._lock:
            self._going += 1

    def end(self, *, put_off: bool | None) -> None:
        """Notes the end of an attempt; ``put_off`` is None when the SAS had nothing to do with it."""
        with self._lock:
            self._going -= 1
            if put_off is not None:
                self._put_off = self._put_off + 1 if put_off else 0
                self._rests_until = time.monotonic() + REST

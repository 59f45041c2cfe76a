"""When to replace a process that has ended: at once, or after growing pauses while its successors keep failing."""

import time
from collections.abc import Callable

# Seconds before the next attempt: the first and the longest pause.
_FIRST, _LONGEST = 0.5, 30.0
# After serving for this many seconds, the next failure counts as a first one.
_SETTLED = 10.0


class Restarts:
    """The pauses between attempts, for all processes of a server together. ``now`` is in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures = 0
        self._next = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next process may be started; 0 if it may start now."""
        return max(0.0, self._next - self._now())

    def ended(self, served: float | None) -> None:
        """Notes that a process has ended after serving this many seconds; None if it never served."""
        if served is not None and served >= _SETTLED:
            self._failures = 0
        elif not self.pause:
            # Processes that end together have the same reason.
            self._next = self._now() + min(_FIRST * 2.0 ** min(self._failures, 10), _LONGEST)
            self._failures += 1

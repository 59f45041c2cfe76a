"""When a process that has ended is replaced: at once, or later and later as long as its successors do not get on."""

import time
from collections.abc import Callable

# Seconds before the next attempt: the first time, and at most.
_FIRST, _LONGEST = 0.5, 30.0
# Seconds of serving after which an end is nothing that would repeat itself at once.
_SETTLED = 10.0


class Restarts:
    """The pauses between attempts, for all processes of a server together. ``now`` is in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures = 0
        self._next = 0.0

    @property
    def pause(self) -> float:
        """Seconds until another one may be started; 0 if it may now."""
        return max(0.0, self._next - self._now())

    def ended(self, served: float | None) -> None:
        """Notes the end of one that has served so many seconds; None if it never did."""
        if served is not None and served >= _SETTLED:
            self._failures = 0
        elif not self.pause:
            # Several that end together have one reason.
            self._next = self._now() + min(_FIRST * 2.0 ** min(self._failures, 10), _LONGEST)
            self._failures += 1

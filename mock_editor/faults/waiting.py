"""Requests that rules hold: a wait ends with its time, with its rule, with its client, or with the process."""

import threading
import time
from collections import deque
from collections.abc import Callable

from mock_editor.base.waits import Ended, Hold

# While a timeline runs, waits check this often (seconds) whether a step has ended their rule: nothing else wakes them.
_LOOK = 1.0
# Thousands of threads that wake at the same time would mostly wait for each other. So each wakes the next.
_WOKEN_AT_ONCE = 16


class WaitEndedError(Exception):
    """A wait ended because the client has left, or the process stops: ``why`` is one of these two."""

    def __init__(self, why: Ended) -> None:
        super().__init__(why.name)
        self.why = why


class RuleWaits:
    """The waits of this process that end with their rules."""

    def __init__(self) -> None:
        # By hold: a function that tells whether its rule is still in force.
        self._waiting: dict[Hold, Callable[[], bool]] = {}
        self._to_wake: deque[Hold] = deque()
        self._lock = threading.Lock()

    def wait(self, hold: Hold, seconds: float, in_force: Callable[[], bool], has_steps: Callable[[], bool]) -> None:
        """Returns when the time is over, or the rule is not in force any more. Raises WaitEndedError.

        ``has_steps`` says whether a timeline runs, which may end the rule without any notice.
        """
        until = time.monotonic() + seconds
        with self._lock:
            self._waiting[hold] = in_force
        try:
            # Checked only once it can be woken, so that no change is missed.
            while in_force() and (seconds_left := until - time.monotonic()) > 0:
                ended = hold.wait(min(seconds_left, _LOOK) if has_steps() else seconds_left)
                if ended in (Ended.GONE, Ended.STOPPING):
                    raise WaitEndedError(ended)
        finally:
            with self._lock:
                del self._waiting[hold]
            self._wake_next()

    def rules_changed(self) -> None:
        """Ends the waits whose rules are not in force any more."""
        with self._lock:
            waiting = list(self._waiting.items())
        self._to_wake.extend(hold for hold, in_force in waiting if not in_force())
        for _ in range(_WOKEN_AT_ONCE):
            self._wake_next()

    def _wake_next(self) -> None:
        """Wakes the next one in line; when its wait has ended, it wakes another."""
        with self._lock:
            while self._to_wake:
                hold = self._to_wake.popleft()
                # It may have ended by itself.
                if hold in self._waiting:
                    hold.wake()
                    return

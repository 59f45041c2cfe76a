"""What the parent of a worker learns about it."""

import mmap
import struct
import time

_MOMENT = struct.Struct("d")


class WorkerStatus:
    """Since when a worker has served, or why it could not start: in memory that it shares with its parent."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)

    def serves(self) -> None:
        """Notes that the worker answers requests from now on."""
        _MOMENT.pack_into(self._shared, 0, time.monotonic())

    def fails(self, reason: str) -> None:
        """Notes why the worker cannot start."""
        text = reason.encode("utf-8", "replace")[: mmap.PAGESIZE - _MOMENT.size]
        self._shared[_MOMENT.size : _MOMENT.size + len(text)] = text

    @property
    def served(self) -> float | None:
        """For how many seconds it has answered requests; None if it never has."""
        [since] = _MOMENT.unpack_from(self._shared)
        return time.monotonic() - since if since else None

    @property
    def reason(self) -> str:
        """Why it could not start; empty if it did not say."""
        return self._shared[_MOMENT.size :].rstrip(b"\0").decode("utf-8", "replace")

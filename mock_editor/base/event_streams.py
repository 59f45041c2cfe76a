"""Server-sent events (WHATWG HTML, 9.2): the one writer of what streams send to pages and scripts."""

from collections.abc import Generator, Iterator
from io import StringIO

from mock_editor.base.waits import Hold

EVENT_STREAM = "text/event-stream"
# A comment: it shows that we are there, and finds out whether anybody still listens.
KEEP_ALIVE = b":\n\n"
# Seconds between two of them while there is nothing to send.
HEARTBEAT = 15.0


def event(data: str, *, name: str | None = None, number: object = None) -> bytes:
    """An event. ``number`` is its id, which a client that comes back sends as ``Last-Event-ID``."""
    lines = [f"id: {number}"] if number is not None else []
    if name:
        lines.append(f"event: {name}")
    # Lines end as the format has it, and nowhere else: Python would also split where JSON has other separators.
    lines += [f"data: {line}".rstrip("\n") for line in StringIO(data, newline=None)] or ["data:"]
    return "\n".join([*lines, "\n"]).encode()


class EventStream(Iterator[bytes]):
    """The body of an answer: ``pieces``, for as long as somebody listens; then ``hold`` is closed.

    A class, because a generator that never began does not close what it holds.
    """

    def __init__(self, hold: Hold, pieces: Generator[bytes]) -> None:
        self._hold = hold
        self._pieces = pieces

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Nobody listens any more."""
        self._pieces.close()
        self._hold.close()

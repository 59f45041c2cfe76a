"""Pages that change while they are looked at: pieces of HTML as server-sent events, for ``static/live.js``."""

from collections.abc import Generator, Iterator

from flask import Response, stream_with_context

from mock_editor.base.waits import Ended, Hold

# How often a stream with nothing to say shows whether somebody still listens, in seconds.
HEARTBEAT = 15.0
_END = b"event: end\ndata:\n\n"


def stream(hold: Hold, pieces: Generator[str | None]) -> Response:
    """The answer that brings ``pieces`` to an element of a page; None keeps the connection alive.

    It says when there are no more, unless the client has left or the process stops. ``hold`` is let go of at its end.
    """
    events = stream_with_context(_Events(hold, pieces))
    return Response(events, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


class _Events(Iterator[bytes]):
    """A class, because a generator that never began does not end what it holds."""

    def __init__(self, hold: Hold, pieces: Generator[str | None]) -> None:
        self._hold = hold
        self._pieces = pieces
        self._over = False

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._over = True
            if self._hold.wait(0) in (Ended.GONE, Ended.STOPPING):
                raise
            return _END
        if piece is None:
            return b":\n\n"
        return "".join(f"data: {line}\n" for line in piece.splitlines()).encode() + b"\n"

    def close(self) -> None:
        """Nobody listens any more."""
        self._pieces.close()
        self._hold.close()

"""Pages that change while they are open: pieces of HTML as server-sent events, for ``static/live.js``."""

from collections.abc import Generator

from flask import Response, stream_with_context

from mock_editor.base.event_streams import EVENT_STREAM, KEEP_ALIVE, EventStream, event
from mock_editor.base.waits import Ended, Hold


def stream(hold: Hold, pieces: Generator[str | None]) -> Response:
    """The answer that sends ``pieces`` to an element of a page; None keeps the connection alive.

    It says when there are no more, unless the client has left or the process stops. ``hold`` is closed at its end.
    """
    events = stream_with_context(EventStream(hold, _events(hold, pieces)))
    return Response(events, mimetype=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})


def _events(hold: Hold, pieces: Generator[str | None]) -> Generator[bytes]:
    for piece in pieces:
        yield KEEP_ALIVE if piece is None else event(piece)
    if hold.wait(0) not in (Ended.GONE, Ended.STOPPING):
        yield event("", name="end")

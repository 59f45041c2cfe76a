"""Parts of pages that change by themselves: streams of server-sent events, each of which is a piece of HTML.

``static/live.js`` puts it where an element asks for it with ``data-live``. Each stream is a thread that waits; it ends
when the browser leaves, the simulator stops, or another world is played, which a browser that comes back finds.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Generic, TypeVar

from flask import Response, current_app, request

from mock_editor.admin.console.context import Console
from mock_editor.base.errors import EditorError
from mock_editor.base.event_streams import EVENT_STREAM, KEEP_ALIVE, event
from mock_editor.base.waits import Ended, Hold

# Seconds between two pieces at least.
PACE = 1.0
_Item = TypeVar("_Item")


def stream(console: Console, draw: Callable[[], str], *, pace: float = PACE) -> Response:
    """Calls ``draw`` every ``pace`` seconds for a piece of HTML, and sends it if it is another one.

    It is called as in a request for the stream's URL. Raises 503 when too many requests wait already.
    """
    last = ""

    def drawn(_: None) -> str:
        nonlocal last
        piece = draw()
        if piece == last:
            return ""
        last = piece
        return piece

    return follow(console, partial(_ticks, pace=max(pace, PACE)), drawn)


def follow(
    console: Console,
    source: Callable[[Hold], Generator[_Item]],
    draw: Callable[[_Item], str],
    name: Callable[[_Item], object] = lambda _: "",
) -> Response:
    """Sends what ``draw`` makes of each thing that comes from ``source``, which waits with a Hold; nothing of "".

    ``name`` gives the id of an event, if it has one: see ``seen``.
    """
    if request.method == "HEAD":
        return Response(mimetype=EVENT_STREAM)
    return Response(_Pieces(console, source, draw, name), mimetype=EVENT_STREAM)


def seen(console: Console) -> str | None:
    """The id of the last event that a browser has seen which opens a stream again, or that its page knows."""
    return request.headers.get("Last-Event-ID") or console.asked().one("dernier")


def _ticks(hold: Hold, pace: float) -> Generator[None]:
    yield
    while hold.sleep(pace) is Ended.TIME:
        yield


class _Pieces(Iterator[bytes], Generic[_Item]):
    """A class, because a generator that never began does not end what it holds."""

    def __init__(
        self,
        console: Console,
        source: Callable[[Hold], Generator[_Item]],
        draw: Callable[[_Item], str],
        name: Callable[[_Item], object],
    ) -> None:
        self._console, self._draw, self._name = console, draw, name
        self._hold: Hold = console.simulator.waits.hold(request.environ)
        self._items = source(self._hold)
        app, environ = current_app._get_current_object(), request.environ  # type: ignore[attr-defined]
        self._request: Callable[[], AbstractContextManager[object]] = lambda: app.request_context(environ)

    def __next__(self) -> bytes:
        piece, name = "", ""
        # What cannot be read for a moment may be the next time.
        with suppress(EditorError):
            item = next(self._items)
            if self._console.simulator.world is not self._console.world:
                raise StopIteration
            with self._request():
                piece, name = self._draw(item), str(self._name(item))
        if not piece:
            return KEEP_ALIVE
        return event(piece, number=name or None)

    def close(self) -> None:
        """Nobody listens any more."""
        self._items.close()
        self._hold.close()

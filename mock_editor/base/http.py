"""Reading a request's body with a size and a deadline, whatever the client does.

``MAX_CONTENT_LENGTH`` of Flask cuts a chunked body silently and a read has no deadline of its own, so the bytes are
counted and timed here.
"""

import time
from typing import Any

from mock_editor.base.errors import EditorError, Issue

MAX_BODY = 1_000_000
_PIECE = 64 * 1024


def read_body(environ: dict[str, Any], *, seconds: float, limit: int = MAX_BODY) -> bytes:
    """The whole body. Raises 413 above ``limit`` bytes, 408 when it takes longer than ``seconds``, 400 when cut."""
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    socket = environ.get("gunicorn.socket")
    earlier = socket.gettimeout() if socket else None
    deadline = time.monotonic() + seconds
    pieces: list[bytes] = []
    size = 0
    try:
        while True:
            if socket:
                socket.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = environ["wsgi.input"].read(_PIECE)
            if not piece:
                break
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
    except TimeoutError:
        raise EditorError(
            408, [Issue("timeout", f"The body did not arrive within {seconds:g} s")], {"Connection": "close"}
        ) from None
    finally:
        if socket:
            socket.settimeout(earlier)
    if declared.isdecimal() and size < int(declared):
        raise EditorError(400, [Issue("incomplete", f"The body has {size} bytes, Content-Length says {declared}")])
    return b"".join(pieces)


def _too_large(limit: int) -> EditorError:
    return EditorError(413, [Issue("too-long", f"The body is larger than {limit} bytes")], {"Connection": "close"})

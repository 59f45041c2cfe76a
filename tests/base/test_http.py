"""Reading a body; the deadline of a dripping one is tested on the wire."""

import io
import socket
from typing import Any

import pytest
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from mock_editor.base.deadlines import Deadlines
from mock_editor.base.errors import EditorError
from mock_editor.base.http import read_body


class Broken(io.BytesIO):
    """Gives what it has, then fails as gunicorn's body or a socket does."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise self._error
        return piece


def environ(stream: Any, length: str | None = None) -> dict[str, Any]:
    return {"wsgi.input": stream, **({"CONTENT_LENGTH": length} if length is not None else {})}


@pytest.mark.parametrize("length", [None, "", "200000"])
def test_whole_body_is_read(length: str | None) -> None:
    assert read_body(environ(io.BytesIO(b"a" * 200_000), length), seconds=1) == b"a" * 200_000


@pytest.mark.parametrize(
    ("stream", "length", "status", "code"),
    [
        (io.BytesIO(b""), "11", 413, "too-long"),
        (io.BytesIO(b"a" * 11), None, 413, "too-long"),
        (io.BytesIO(b"a" * 9), "10", 400, "incomplete"),
        (Broken(b"abc", NoMoreData()), None, 400, "incomplete"),
        (Broken(b"abc", ConnectionResetError()), "10", 400, "incomplete"),
        (Broken(b"abc", InvalidChunkSize(b"zz")), None, 400, "structure"),
    ],
)
def test_other_bodies_are_refused(stream: Any, length: str | None, status: int, code: str) -> None:
    with pytest.raises(EditorError) as refusal:
        read_body(environ(stream, length), seconds=1, limit=10)
    assert refusal.value.status == status
    assert refusal.value.issues[0].type == code
    assert refusal.value.headers == {"Connection": "close"}


def test_body_at_the_limit_passes() -> None:
    assert read_body(environ(io.BytesIO(b"a" * 10), "10"), seconds=1, limit=10) == b"a" * 10


def test_body_that_takes_too_long_is_a_408() -> None:
    deadlines = Deadlines()
    deadlines.start()
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stream:
        theirs.send(b"abc")
        with pytest.raises(EditorError, match=r"408: The body did not arrive within 0\.1 s"):
            read_body(
                {**environ(stream, "10"), "gunicorn.socket": ours, "mock_editor.deadlines": deadlines}, seconds=0.1
            )

from collections.abc import Generator

import pytest

from mock_editor.base.event_streams import EventStream, event
from mock_editor.base.waits import Waits


@pytest.mark.parametrize(
    ("data", "written"),
    [
        ("a", b"data: a\n\n"),
        ("a\nb", b"data: a\ndata: b\n\n"),
        ("a\r\nb\rc\n", b"data: a\ndata: b\ndata: c\n\n"),
        ("a\n\nb", b"data: a\ndata: \ndata: b\n\n"),
        ("a\u2028b\x0cc", "data: a\u2028b\x0cc\n\n".encode()),
        ("", b"data:\n\n"),
    ],
)
def test_an_event_keeps_the_lines_of_its_data(data: str, written: bytes) -> None:
    assert event(data) == written


def test_an_event_has_a_number_and_a_name() -> None:
    assert event("a", name="end", number=7) == b"id: 7\nevent: end\ndata: a\n\n"


def test_a_stream_that_never_began_lets_go_of_what_it_holds() -> None:
    waits = Waits(1)
    hold = waits.hold({})

    def pieces() -> Generator[bytes]:
        yield b"never"

    assert waits.waiting == 1
    EventStream(hold, pieces()).close()
    assert waits.waiting == 0

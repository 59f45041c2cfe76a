"""Total deadlines on sockets."""

import gc
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mock_editor.base.deadlines import Deadlines, Watch
from tests.timing import SOON


@pytest.fixture
def deadlines() -> Deadlines:
    deadlines = Deadlines()
    deadlines.start()
    return deadlines


Pair = tuple[socket.socket, socket.socket]


def connected() -> Pair:
    """Two ends of a TCP connection; Unix sockets behave otherwise when one end is shut."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.settimeout(5)
    return ours, theirs


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = connected()
    with ours, theirs:
        yield ours, theirs


def test_blocked_read_returns_when_the_time_is_over(deadlines: Deadlines, pair: Pair) -> None:
    begin = time.monotonic()
    with deadlines.watch(pair[0], 0.2) as watch:
        assert pair[0].recv(10) == b""
    assert watch.expired
    assert time.monotonic() - begin >= 0.2


def test_received_pieces_do_not_prolong_it(deadlines: Deadlines, pair: Pair) -> None:
    ours, theirs = pair
    begin = time.monotonic()
    with deadlines.watch(ours, 0.2) as watch:
        while not watch.expired:
            theirs.send(b"a")
            ours.recv(10)
            assert time.monotonic() - begin < SOON


def test_answer_can_still_be_written(deadlines: Deadlines, pair: Pair) -> None:
    ours, theirs = pair
    with deadlines.watch(ours, 0.05):
        ours.recv(10)
    ours.sendall(b"too late")
    assert theirs.recv(20) == b"too late"


def test_cancelled_watch_leaves_the_socket_alone(deadlines: Deadlines, pair: Pair) -> None:
    ours, theirs = pair
    watch = deadlines.watch(ours, 0.05)
    watch.cancel()
    watch.cancel()
    # A later deadline than the cancelled one proves that this is past.
    other, end = connected()
    with other, end, deadlines.watch(other, 0.15):
        assert other.recv(1) == b""
    theirs.send(b"a")
    assert ours.recv(10) == b"a"
    assert not watch.expired


def test_deadlines_fire_in_the_order_of_their_time(deadlines: Deadlines) -> None:
    pairs = [connected() for _ in range(3)]
    fired: list[int] = []

    def read(number: int) -> None:
        pairs[number][0].recv(1)
        fired.append(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    watches = [deadlines.watch(ours, seconds) for (ours, _), seconds in zip(pairs, (0.3, 0.1, 0.2), strict=True)]
    for thread in threads:
        thread.join(5)
    for ours, theirs in pairs:
        ours.close()
        theirs.close()
    assert fired == [1, 2, 0]
    assert all(watch.expired for watch in watches)


def test_closed_socket_does_not_end_the_thread(deadlines: Deadlines, pair: Pair) -> None:
    closed, end = connected()
    with end:
        watch = deadlines.watch(closed, 0.05)
        closed.close()
        with deadlines.watch(pair[0], 0.15):
            assert pair[0].recv(1) == b""
    assert watch.expired


def test_cancelled_watches_do_not_pile_up(deadlines: Deadlines, pair: Pair) -> None:
    held = [deadlines.watch(pair[0], 1000) for _ in range(50)]
    for _ in range(100_000):
        with deadlines.watch(pair[0], 1000):
            pass
    assert sum(isinstance(thing, Watch) for thing in gc.get_objects()) < 300
    assert not any(watch.expired for watch in held)


def test_watches_from_many_threads_all_fire(deadlines: Deadlines) -> None:
    pairs = [connected() for _ in range(40)]
    expired: list[bool] = []

    def wait(ours: socket.socket) -> None:
        for _ in range(200):
            with deadlines.watch(ours, 100):
                pass
        with deadlines.watch(ours, 0.1) as watch:
            ours.recv(1)
        expired.append(watch.expired)

    threads = [threading.Thread(target=wait, args=(ours,)) for ours, _ in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for ours, theirs in pairs:
        ours.close()
        theirs.close()
    assert expired == [True] * 40

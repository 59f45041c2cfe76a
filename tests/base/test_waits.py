"""Requests that wait: how a wait ends, how many there may be, and what a client that leaves changes."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mock_editor.base.errors import EditorError
from mock_editor.base.waits import Ended, Waits
from tests.timing import LONG, SOON
from tests.wire.conftest import eventually


class Client:
    """Both ends of a client's connection."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.sock = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()
        self.environ = {"gunicorn.socket": self.server}


@pytest.fixture
def client() -> Iterator[Client]:
    one = Client()
    yield one
    one.sock.close()
    one.server.close()


def later(seconds: float, do: object) -> None:
    threading.Timer(seconds, do).start()  # type: ignore[arg-type]


def test_a_wait_takes_its_time() -> None:
    with Waits(1).hold({}) as hold:
        begin = time.monotonic()
        assert hold.sleep(0.2) is Ended.TIME
        assert time.monotonic() - begin > 0.19


def test_a_wait_that_is_woken_may_go_on() -> None:
    with Waits(1).hold({}) as hold:
        later(0.1, hold.wake)
        assert hold.wait(LONG) is None
        assert hold.wait(0.1) is Ended.TIME


def test_being_woken_does_not_cut_a_sleep() -> None:
    with Waits(1).hold({}) as hold:
        hold.wake()
        later(0.05, hold.wake)
        begin = time.monotonic()
        assert hold.sleep(0.2) is Ended.TIME
        assert time.monotonic() - begin > 0.19


def test_all_waits_end_at_once_when_the_process_stops_and_none_begins() -> None:
    waits = Waits(10)
    holds = [waits.hold({}) for _ in range(10)]
    later(0.1, waits.stop)
    begin = time.monotonic()
    assert [hold.sleep(LONG) for hold in holds] == [Ended.STOPPING] * 10
    assert holds[0].wait(LONG) is Ended.STOPPING
    assert time.monotonic() - begin < SOON
    with pytest.raises(EditorError, match="stops") as refused:
        waits.hold({})
    assert refused.value.status == 503


def test_more_than_there_may_be_are_refused_until_one_ends() -> None:
    waits = Waits(2)
    first, _second = waits.hold({}), waits.hold({})
    assert waits.waiting == 2
    with pytest.raises(EditorError, match="2 requests are waiting already") as refused:
        waits.hold({})
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    first.close()
    first.close()
    with waits.hold({}):
        assert waits.waiting == 2
    assert waits.waiting == 1


def test_a_client_that_leaves_ends_its_wait(client: Client) -> None:
    other = Client()
    waits = Waits(2)
    with waits.hold(client.environ) as hold, waits.hold(other.environ) as unconcerned:
        later(0.1, client.sock.close)
        begin = time.monotonic()
        assert hold.sleep(LONG) is Ended.GONE
        assert 0.05 < time.monotonic() - begin < SOON
        assert unconcerned.sleep(0.1) is Ended.TIME
    other.sock.close()
    other.server.close()


def test_a_client_that_had_left_before_does_not_wait(client: Client) -> None:
    client.sock.close()
    with Waits(1).hold(client.environ) as hold:
        assert hold.sleep(5) is Ended.GONE


def test_a_client_that_sends_its_next_request_already_is_there(client: Client) -> None:
    with Waits(1).hold(client.environ) as hold:
        client.sock.sendall(b"GET /next HTTP/1.1\r\n\r\n")
        assert hold.sleep(0.2) is Ended.TIME


def test_a_client_that_has_closed_its_end_counts_as_gone(client: Client) -> None:
    with Waits(1).hold(client.environ) as hold:
        client.sock.sendall(b"more")
        client.sock.shutdown(socket.SHUT_WR)
        assert hold.sleep(5) is Ended.GONE


def test_a_connection_may_wait_again_and_again(client: Client) -> None:
    waits = Waits(1)
    for _ in range(3):
        with waits.hold(client.environ) as hold:
            assert hold.sleep(0.01) is Ended.TIME
    client.sock.close()
    with waits.hold(client.environ) as hold:
        assert hold.sleep(5) is Ended.GONE


def test_hundreds_wait_and_end_together() -> None:
    waits = Waits(300)
    ended: list[Ended] = []

    def wait() -> None:
        with waits.hold({}) as hold:
            ended.append(hold.sleep(LONG))

    threads = [threading.Thread(target=wait) for _ in range(300)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: waits.waiting == 300)
    waits.stop()
    for thread in threads:
        thread.join(SOON)
    assert ended == [Ended.STOPPING] * 300
    assert waits.waiting == 0


def test_a_connection_that_is_closed_before_it_is_released_ends_its_own_wait_only(client: Client) -> None:
    waits, lost, other = Waits(2), Client(), Client()
    still = lost.server.dup()  # has the system go on telling of it
    hold = waits.hold(lost.environ)
    assert hold.descriptor
    os.dup2(other.server.fileno(), lost.server.fileno())  # closed, and another connection's by now
    lost.sock.close()
    assert hold.wait(20) is Ended.GONE
    with waits.hold(client.environ) as next_one:
        client.sock.close()
        assert next_one.wait(20) is Ended.GONE
    for one in (still, lost.server, other.sock, other.server):
        one.close()

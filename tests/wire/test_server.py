"""What clients can do to the server, and what stops it, on real sockets."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException

import pytest

from mock_editor.base.sockets import reset_on_close
from mock_editor.server import running
from tests.timing import SOON
from tests.wire.conftest import Server, eventually, read_all, read_head

pytestmark = pytest.mark.wire

GET = b"GET /now HTTP/1.1\r\nHost: probe\r\n\r\n"
CHUNKED = b"POST /body HTTP/1.1\r\nHost: probe\r\nTransfer-Encoding: chunked\r\n\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def outcome_of(answer: bytes) -> dict[str, str]:
    """The one issue of a refusal, received whole and as FHIR."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert "Connection: close" in lines
    assert "Content-Type: application/fhir+json; charset=utf-8" in lines
    assert f"Content-Length: {len(body)}" in lines
    outcome = json.loads(body)
    assert outcome["resourceType"] == "OperationOutcome"
    issue: dict[str, str]
    (issue,) = outcome["issue"]
    return issue


@contextmanager
def dripping(socks: Iterable[socket.socket], byte: bytes) -> Iterator[None]:
    """Sends a byte on each socket ten times a second."""
    enough = threading.Event()

    def drip() -> None:
        while not enough.wait(0.1):
            for sock in socks:
                with suppress(OSError):
                    sock.send(byte)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


# --- slow clients


def test_dripping_head_is_cut_at_the_deadline_while_others_are_answered(server: Server) -> None:
    socks = [server.connect(b"GET /now HTTP/1.1\r\nHost: probe\r\nX-Slow: ") for _ in range(4)]
    begin = time.monotonic()
    with dripping(socks, b"a"):
        assert server.answers_at_once()
        answers = [read_all(sock) for sock in socks]
    assert 0.9 < time.monotonic() - begin < SOON
    assert [status_of(answer) for answer in answers] == [408] * 4
    assert outcome_of(answers[0])["code"] == "timeout"


def test_dripping_head_on_a_kept_connection_is_cut(server: Server) -> None:
    sock = server.connect(GET)
    assert status_of(read_head(sock)) == 200
    begin = time.monotonic()
    sock.sendall(b"GET /n")
    with dripping([sock], b"o"):
        assert status_of(read_all(sock)) == 408
    assert 0.9 < time.monotonic() - begin < SOON


def test_client_that_closes_in_its_head_gets_no_408_and_leaves_nothing(server: Server) -> None:
    sock = server.connect(b"GET /now HT")
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock) == b""


def test_dripping_body_is_cut_at_the_deadline(server: Server) -> None:
    sock = server.connect(b"POST /body HTTP/1.1\r\nHost: probe\r\nContent-Length: 1000\r\n\r\n")
    begin = time.monotonic()
    with dripping([sock], b"a"):
        answer = read_all(sock)
    assert 0.9 < time.monotonic() - begin < SOON
    assert status_of(answer) == 408
    assert b"Connection: close" in answer


def test_dripping_chunks_are_cut_at_the_deadline(server: Server) -> None:
    sock = server.connect(CHUNKED + b"ff\r\n")
    with dripping([sock], b"a"):
        assert status_of(read_all(sock)) == 408


def test_waits_of_the_application_are_longer_than_any_deadline_of_a_client(server: Server) -> None:
    assert server.get("/wait?seconds=1.6") == (200, b"waited")


def test_silent_connections_hold_no_thread(server: Server) -> None:
    threads = server.threads()
    silent = [server.connect() for _ in range(200)]
    assert server.answers_at_once()
    assert server.threads() <= max(threads, 2) + 2
    assert read_all(silent[-1], SOON) == b""


def test_clients_that_never_close_do_not_stall_others(server: Server) -> None:
    socks = [server.connect(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) for _ in range(20)]
    # Everything is there, the end of the connection included; only our end stays open.
    assert all(read_all(sock, 0.5).startswith(b"HTTP/1.1 200 OK") for sock in socks)
    assert server.answers_at_once()


def test_half_closed_client_gets_its_answer(server: Server) -> None:
    sock = server.connect(b"GET /wait?seconds=0.2 HTTP/1.1\r\nHost: probe\r\n\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock).endswith(b"waited")


@pytest.mark.parametrize("path", ["/big?times=20", "/pieces?times=20"])
def test_client_that_never_reads_frees_its_thread(server: Server, path: str) -> None:
    for _ in range(10):
        server.connect(f"GET {path} HTTP/1.1\r\nHost: probe\r\n\r\n".encode(), receive_buffer=4096)
    # More of them than threads: this one is answered when they are given up.
    assert server.get(seconds=5)[0] == 200
    assert eventually(server.answers_at_once)


# --- what is refused before the application


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"garbage\r\n\r\n", 400, "structure"),
        (b"get /now HTTP/1.1\r\n\r\n", 400, "structure"),
        (b"GET /now HTTP/9.9\r\n\r\n", 400, "structure"),
        (b"GET /n\x00w HTTP/1.1\r\n\r\n", 400, "structure"),
        (b"GET /now HTTP/1.1\nHost: probe\n\n", 400, "structure"),
        (b"GET /now HTTP/1.1\r\nno colon\r\n\r\n", 400, "structure"),
        (b"GET /now HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "structure"),
        (b"GET /now HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400, "structure"),
        (b"POST /body HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "structure"),
        (b"POST /body HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "structure"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414, "too-long"),
        (b"GET /now HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431, "too-long"),
        (b"GET /now HTTP/1.1\r\nA: " + b"b" * 9_000 + b"\r\n\r\n", 431, "too-long"),
        (b"POST /body HTTP/1.1\r\nTransfer-Encoding: foo\r\n\r\n", 501, "not-supported"),
        (b"POST /body HTTP/1.1\r\nExpect: miracles\r\n\r\n", 417, "not-supported"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
def test_refusal_is_an_operation_outcome(server: Server, request_bytes: bytes, status: int, code: str) -> None:
    answer = read_all(server.connect(request_bytes))
    assert status_of(answer) == status
    issue = outcome_of(answer)
    assert issue["code"] == code
    assert len(issue["diagnostics"]) < 250
    assert b"gunicorn" not in answer


def test_limits_themselves_pass(server: Server) -> None:
    line = b"GET /now?" + b"a" * (8190 - len(b"GET /now? HTTP/1.1")) + b" HTTP/1.1\r\n"
    headers = b"Connection: close\r\n" + b"A: b\r\n" * 98 + b"B: " + b"b" * (8190 - 5) + b"\r\n"
    assert status_of(read_all(server.connect(line + headers + b"\r\n"))) == 200


@pytest.mark.parametrize(
    "rest", [b"zz\r\nab\r\n0\r\n\r\n", b"2\r\nabc\r\n0\r\n\r\n", b"2;=\r\nab\r\n0\r\n\r\n", b"0\r\nbad trailer\r\n\r\n"]
)
def test_malformed_chunks_are_refused(server: Server, rest: bytes) -> None:
    answer = read_all(server.connect(CHUNKED + rest))
    assert status_of(answer) == 400
    assert b"malformed" in answer


def test_malformed_chunks_that_nobody_reads_get_one_answer(server: Server) -> None:
    answer = read_all(server.connect(CHUNKED.replace(b"/body", b"/now") + b"zz\r\n"))
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("head", [CHUNKED + b"64\r\n", CHUNKED, b"POST /body HTTP/1.1\r\nContent-Length: 9\r\n\r\n"])
def test_body_cut_short_is_refused(server: Server, head: bytes) -> None:
    sock = server.connect(head + b"abc")
    sock.shutdown(socket.SHUT_WR)
    assert status_of(read_all(sock)) == 400


def test_body_is_read_whole(server: Server) -> None:
    body = b"x" * 1_000_000
    head = b"POST /body HTTP/1.1\r\nConnection: close\r\n"
    whole = server.connect(head + b"Content-Length: 1000000\r\n\r\n" + body)
    chunked = server.connect(head + b"Transfer-Encoding: chunked\r\n\r\nf4240\r\n" + body + b"\r\n0\r\n\r\n")
    assert read_all(whole).endswith(b"\r\n\r\n1000000")
    assert read_all(chunked).endswith(b"\r\n\r\n1000000")


def test_large_body_is_refused(server: Server) -> None:
    for size in (1_000_001, 6_000_000):
        sock = server.connect(b"POST /body HTTP/1.1\r\nHost: probe\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        assert status_of(read_all(sock)) == 413


def test_large_chunked_body_is_refused(server: Server) -> None:
    sock = server.connect(CHUNKED + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 60 + b"0\r\n\r\n")
    assert status_of(read_all(sock)) == 413


def test_expectation_of_a_continuation_is_met(server: Server) -> None:
    sock = server.connect(
        b"POST /body HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    )
    assert status_of(read_head(sock)) == 100
    sock.sendall(b"abc")
    assert read_all(sock).endswith(b"\r\n\r\n3")


# --- connections


def test_pipelined_requests_are_all_answered_in_order(server: Server) -> None:
    post = b"POST /body HTTP/1.1\r\nHost: probe\r\nContent-Length: 3\r\n\r\nabc"
    last = b"GET /big HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
    answer = read_all(server.connect(GET + post + GET + last))
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert len(answer) > 340_000


def test_connection_is_kept(server: Server) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        ports = set()
        for path in ("/now", "/big", "/pieces?times=2", "/nowhere", "/now"):
            connection.request("GET", path)
            connection.getresponse().read()
            ports.add(connection.sock.getsockname())
        assert len(ports) == 1
    finally:
        connection.close()


def test_body_that_nobody_reads_does_not_disturb_the_next_request(server: Server) -> None:
    post = b"POST /now HTTP/1.1\r\nHost: probe\r\nContent-Length: 30\r\n\r\n" + b"GET /fail HTTP/1.1\r\n\r\n        "
    answer = read_all(server.connect(post + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_application_can_close_the_connection(server: Server) -> None:
    answer = read_all(server.connect(b"GET /close HTTP/1.1\r\nHost: probe\r\n\r\n"))
    assert b"Connection: close" in answer
    assert answer.endswith(b"bye")


def test_aborted_connections_leave_nothing_behind(start: Callable[..., Server]) -> None:
    server = start()
    descriptors = server.idle_descriptors()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(server.get, ["/wait?seconds=0.1"] * 8))
    threads = server.threads()
    parts = [b"", b"GET /n", GET, CHUNKED + b"5\r\nab", b"GET /big?times=9 HTTP/1.1\r\n\r\n", b"garbage\r\n\r\n"]
    for number in range(300):
        sock = server.connect(parts[number % len(parts)])
        if number % 2:
            reset_on_close(sock)
        sock.close()
    assert eventually(lambda: server.descriptors() <= descriptors)
    assert server.threads() <= threads
    assert server.answers_at_once()
    assert "Traceback" not in server.log()


def test_connections_are_counted_right_whatever_becomes_of_them(start: Callable[..., Server]) -> None:
    server = start(threads=2, worker_connections=5, header_timeout=10)
    descriptors = server.idle_descriptors()
    for number in range(30):
        path = (b"reset", b"close", b"now")[number % 3]
        sock = server.connect(b"GET /" + path + b" HTTP/1.1\r\nHost: probe\r\n\r\n")
        read_head(sock)
        sock.close()
    assert eventually(lambda: server.descriptors() == descriptors)
    for _ in range(8):
        server.connect()
    # The limit is exact. The others wait in the system's queue, until these go.
    assert eventually(lambda: server.descriptors() == descriptors + 5)
    server.close_sockets()
    assert eventually(server.answers_at_once)
    assert server.descriptors() <= descriptors + 5
    assert server.log() == ""


# --- failures of the application


@pytest.mark.parametrize("path", ["/fail", "/bad-header"])
def test_unexpected_failure_is_answered_without_its_details(start: Callable[..., Server], path: str) -> None:
    server = start()
    answer = read_all(server.connect(f"GET {path} HTTP/1.1\r\nHost: probe\r\n\r\n".encode()))
    assert status_of(answer) == 500
    assert outcome_of(answer)["code"] == "exception"
    assert b"secret" not in answer
    assert "Traceback" in server.log()
    head = read_all(server.connect(f"HEAD {path} HTTP/1.1\r\nHost: probe\r\n\r\n".encode()))
    assert head.endswith(b"\r\n\r\n")
    assert server.answers_at_once()


def test_application_can_reset_a_connection(server: Server) -> None:
    sock = server.connect(b"GET /reset HTTP/1.1\r\nHost: probe\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        read_all(sock)
    assert server.answers_at_once()


def test_failure_in_the_middle_of_an_answer_cuts_it(start: Callable[..., Server]) -> None:
    server = start()
    answer = read_all(server.connect(b"GET /fail-late HTTP/1.1\r\nHost: probe\r\n\r\n"))
    assert answer.count(b"HTTP/1.1") == 1
    assert not answer.endswith(b"0\r\n\r\n")
    assert "ZeroDivisionError" in server.log()


# --- stopping


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_idle_server_stops_at_once(start: Callable[..., Server], sig: signal.Signals) -> None:
    server = start(header_timeout=100, grace=100)
    silent, kept = server.connect(), server.connect(GET)
    answer = read_head(kept)
    code, seconds = server.stop(sig)
    assert code == 0
    assert seconds < SOON
    assert read_all(silent) == b""
    assert status_of(answer + read_all(kept)) == 200
    assert server.log() == ""


def test_server_that_has_just_started_stops_at_once(start: Callable[..., Server]) -> None:
    for _ in range(3):
        code, seconds = start(workers=2, grace=100).stop()
        assert (code, seconds < SOON) == (0, True)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_running_request_may_finish_on_stop(start: Callable[..., Server], sig: signal.Signals) -> None:
    server = start(grace=100)
    sock = server.connect(b"GET /wait?seconds=1 HTTP/1.1\r\nHost: probe\r\n\r\n")
    assert eventually(lambda: server.threads() == 3)
    code, seconds = server.stop(sig)
    assert code == 0
    assert seconds < SOON
    answer = read_all(sock)
    assert answer.endswith(b"waited")
    assert b"Connection: close" in answer


def test_long_wait_does_not_hold_the_stop(start: Callable[..., Server]) -> None:
    server = start()
    server.connect(b"GET /wait?seconds=300 HTTP/1.1\r\nHost: probe\r\n\r\n")
    assert eventually(lambda: server.threads() == 3)
    code, seconds = server.stop()
    assert code == 0
    assert 3.5 < seconds < SOON
    assert server.log() == ""


def test_second_interrupt_stops_at_once(start: Callable[..., Server]) -> None:
    server = start(grace=100)
    server.connect(b"GET /wait?seconds=300 HTTP/1.1\r\nHost: probe\r\n\r\n")
    assert eventually(lambda: server.threads() == 3)
    server.process.send_signal(signal.SIGINT)
    assert eventually(server.refuses_connections)
    code, seconds = server.stop(signal.SIGINT)
    assert code == 0
    assert seconds < SOON


def test_killed_master_leaves_no_worker(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    workers = server.workers()
    server.connect(b"GET /wait?seconds=60 HTTP/1.1\r\nHost: probe\r\n\r\n")
    server.process.kill()
    server.process.wait(5)
    # They look for their parent once a second, on a machine that may be busy.
    assert eventually(lambda: not any(alive(pid) for pid in workers), 10)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_workers_share_the_port(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    assert eventually(lambda: {int(server.get()[1]) for _ in range(20)} == set(server.workers()))


def test_dead_worker_is_replaced(start: Callable[..., Server]) -> None:
    server = start()
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: server.workers() not in ([], [worker]))
    assert server.get()[0] == 200


# --- listening


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::"])
def test_listener_takes_addresses_and_names(host: str) -> None:
    with running.open_listener(host, 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
        with pytest.raises(OSError, match="in use"):
            running.open_listener(host, port)


def test_unknown_host_cannot_be_listened_on() -> None:
    with pytest.raises(OSError, match=r".+"):
        running.open_listener("no.such.host.invalid", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="the system has no IPv6")
def test_server_listens_on_ipv6(start: Callable[..., Server]) -> None:
    server = start(host="::1")
    with socket.create_connection(("::1", server.port), 5) as sock:
        sock.sendall(GET)
        assert status_of(read_head(sock)) == 200


def logged(server: Server, text: str) -> bool:
    return text in server.log()


def test_the_log_tells_of_a_failure_without_secrets(start: Callable[..., Server]) -> None:
    server = start()
    for path in ("/fail", "/fail-late"):
        with suppress(HTTPException, ConnectionError):
            server.get(f"{path}?access_token=S3CRET&a=b")
        assert eventually(partial(logged, server, f"{path}?access_token=***&a=b"))
    assert "S3CRET" not in server.log()

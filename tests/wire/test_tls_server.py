"""What clients and faults can do to the server over TLS, and what stops it, on real sockets."""

import os
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from mock_editor.base.sockets import reset_on_close
from mock_editor.tls import samples
from tests.timing import SOON
from tests.wire.conftest import Serve, Simulator, eventually, run
from tests.wire.tls import (
    METADATA,
    TLS_1_2,
    TLS_1_3,
    ask,
    asked,
    connected,
    connection_to,
    get,
    listening,
    secured,
    showing,
)

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
SLOT = "/agenda-ville/fhir/Slot?status=free&start=ge2026-11-20T08:00:00%2B01:00&start=le2026-11-21T08:00:00%2B01:00"
SLOT += "&schedule.actor:Practitioner.identifier=urn:oid:1.2.250.1.71.4.2.1%7C810100050075"
VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
THREADS = 120
# Deadlines short enough for tests to wait for them.
SHORT = ("--header-timeout", "2", "--write-timeout", "1", "--threads", str(THREADS), "--now", NOW)
LARGE = 340_000


@pytest.fixture(scope="module")
def shared(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("simulator")
    one = Simulator(folder, *SHORT, *listening(made), log=folder / "log")
    yield one
    code, said = one.stop()
    assert code == 0
    assert "Traceback" not in said


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    """One that other tests have used; without faults, and with an empty journal."""
    for path in ("faults", "journal"):
        assert requests.delete(f"{shared.url}/_admin/{path}", timeout=10).ok
    return shared


def journal(simulator: Simulator, query: str = "limit=1000") -> list[dict[str, Any]]:
    answer = requests.get(f"{simulator.url}/_admin/journal?{query}", timeout=10)
    assert answer.ok, answer.text
    return list(answer.json()["entries"])


def put_rule(simulator: Simulator, *kinds: dict[str, Any], **rule: Any) -> None:
    answer = requests.put(f"{simulator.url}/_admin/faults/fault", json={"do": kinds, **rule}, timeout=10)
    assert answer.ok, answer.text


def read_answers(sock: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many answers on one connection."""
    received, bodies = b"", list[bytes]()
    while len(bodies) < count:
        head, _, rest = received.partition(b"\r\n\r\n")
        size = re.search(rb"\r\nContent-Length: (\d+)", head)
        if size and len(rest) >= int(size[1]):
            assert head.startswith(b"HTTP/1.1 200 ")
            bodies.append(rest[: int(size[1])])
            received = rest[int(size[1]) :]
            continue
        piece = sock.recv(65536)
        assert piece, received
        received += piece
    assert not received
    return bodies


@contextmanager
def nothing_is_lost(simulator: Simulator) -> Iterator[None]:
    """No descriptor, and no worker."""

    def idle() -> int:
        requests.get(f"{simulator.url}/_health", timeout=10, headers={"Connection": "close"})
        return simulator.descriptors()

    workers = simulator.workers()
    steady = idle()
    yield
    # Kept connections of the tests are closed by now; the store may have opened a reader more.
    assert eventually(lambda: idle() <= steady + 4, 10), (steady, simulator.descriptors())
    assert simulator.workers() == workers


# --- clients that are slow, silent, or gone


def test_unfinished_handshakes_do_not_hold_up_others_and_end(simulator: Simulator, made: Path) -> None:
    context = showing(made)
    hello = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1").do_handshake()
    said = hello.read()
    # Silent, in the middle of the first message, and after it.
    started = (b"", b"", b"", said[:20], said[:-1], said)
    with nothing_is_lost(simulator), ExitStack() as stack:
        socks = []
        for number in range(100):
            sock = stack.enter_context(connected(simulator.fhir_url))
            sock.sendall(started[number % len(started)])
            socks.append(sock)
        socks += [stack.enter_context(connected(simulator.fhir_url)) for _ in range(400)]
        for url, who in ((simulator.fhir_url, context), (simulator.url, None)):
            begin = time.monotonic()
            ask(url, METADATA, who)
            assert time.monotonic() - begin < SOON
        # A few are the process's own.
        assert simulator.threads() <= THREADS + 20
        begin = time.monotonic()
        for sock in socks:
            while sock.recv(65536):
                pass
        assert time.monotonic() - begin < 2 * SOON
    told = [entry["error"] for entry in journal(simulator) if entry["status"] is None]
    assert set(told) == {"The TLS handshake failed: it did not end within 2 s"}
    assert len(told) == sum(bool(started[number % len(started)]) for number in range(100))


def test_a_client_that_is_silent_after_the_handshake_holds_no_thread(simulator: Simulator, made: Path) -> None:
    context = showing(made)
    ask(simulator.fhir_url, METADATA, context)
    before = simulator.threads()
    with nothing_is_lost(simulator), ExitStack() as stack:
        socks = [stack.enter_context(secured(simulator.fhir_url, context)) for _ in range(60)]
        assert simulator.threads() <= before + 5
        assert ask(simulator.fhir_url, METADATA, context).status == 200
        # Ended with a word.
        assert {sock.recv(1) for sock in socks} == {b""}


@pytest.mark.parametrize("reset", [False, True])
def test_who_only_looks_if_somebody_listens_is_not_taken_down(simulator: Simulator, made: Path, reset: bool) -> None:
    with nothing_is_lost(simulator):
        for _ in range(3):
            with connected(simulator.fhir_url) as sock:
                if reset:
                    reset_on_close(sock)
                else:
                    sock.shutdown(socket.SHUT_WR)
                    assert sock.recv(1) == b""
        assert ask(simulator.fhir_url, METADATA, showing(made)).status == 200
    assert [entry["status"] for entry in journal(simulator)] == [200]


@VERSIONS
def test_a_client_that_leaves_without_a_word_does_no_harm(
    simulator: Simulator, made: Path, version: ssl.TLSVersion
) -> None:
    context = showing(made, version=version)
    with nothing_is_lost(simulator):
        for said in (b"", get()[:10], get(), get(SLOT) * 3):
            for reset in (False, True):
                sock = secured(simulator.fhir_url, context)
                sock.sendall(said)
                if reset:
                    reset_on_close(sock)
                # Not a TLS alert: Python's own close sends none.
                sock.close()
    assert ask(simulator.fhir_url, METADATA, context).status == 200


POST = (
    b"POST /agenda-ville/fhir/Practitioner HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
    b"Content-Length: 100\r\n\r\n{"
)


@VERSIONS
@pytest.mark.parametrize("said", [POST[:30], POST], ids=["in the head", "in the body"])
def test_a_client_that_stops_halfway_is_told_so(
    simulator: Simulator, made: Path, version: ssl.TLSVersion, said: bytes
) -> None:
    with secured(simulator.fhir_url, showing(made, version=version)) as sock:
        sock.sendall(said)
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within" in received


@VERSIONS
def test_a_client_that_ends_its_side_in_a_body_is_told_so(
    simulator: Simulator, made: Path, version: ssl.TLSVersion
) -> None:
    with secured(simulator.fhir_url, showing(made, version=version)) as sock:
        sock.sendall(POST)
        socket.socket.shutdown(sock, socket.SHUT_WR)
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 400 ")


@VERSIONS
def test_a_client_that_ends_its_side_gets_its_answer(simulator: Simulator, made: Path, version: ssl.TLSVersion) -> None:
    with secured(simulator.fhir_url, showing(made, version=version)) as sock:
        sock.sendall(get(METADATA, "Connection: close"))
        socket.socket.shutdown(sock, socket.SHUT_WR)
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"}")


# --- requests on one connection


@VERSIONS
def test_a_kept_connection_is_used_again(simulator: Simulator, made: Path, version: ssl.TLSVersion) -> None:
    connection = connection_to(simulator.fhir_url, showing(made, version=version))
    assert {asked(connection, path).status for path in (METADATA, SLOT) * 10} == {200}
    sock = connection.sock
    assert asked(connection, "/agenda-ville/fhir/Slot?status=x").status == 400
    assert asked(connection).status == 200
    assert connection.sock is sock
    connection.close()


@VERSIONS
@pytest.mark.parametrize("together", [True, False], ids=["in one record", "in several"])
def test_pipelined_requests_are_all_answered_in_order(
    simulator: Simulator, made: Path, version: ssl.TLSVersion, together: bool
) -> None:
    asking = [get(path) for path in (METADATA, SLOT, METADATA, SLOT, SLOT)]
    with secured(simulator.fhir_url, showing(made, version=version)) as sock:
        for said in [b"".join(asking)] if together else asking:
            sock.sendall(said)
        bodies = read_answers(sock, len(asking))
    assert bodies[0] == bodies[2]
    assert bodies[1] == bodies[3] == bodies[4] != bodies[0]


def test_a_request_may_come_byte_by_byte(simulator: Simulator, made: Path) -> None:
    with secured(simulator.fhir_url, showing(made)) as sock:
        for at in get():
            sock.sendall(bytes([at]))
        read_answers(sock, 1)


# --- large answers


@VERSIONS
def test_a_slow_reader_gets_a_large_answer_whole(simulator: Simulator, made: Path, version: ssl.TLSVersion) -> None:
    put_rule(simulator, {"kind": "huge-body", "size": LARGE}, flows=["INT_R01"])
    right = ask(simulator.fhir_url, SLOT, showing(made)).body
    assert len(right) == LARGE
    with secured(simulator.fhir_url, showing(made, version=version), receive_buffer=4096) as sock:
        sock.sendall(get(SLOT, "Connection: close"))
        received = b"".join(iter(lambda: sock.recv(1000), b""))
    assert received.partition(b"\r\n\r\n")[2] == right


def test_readers_that_never_read_are_given_up(simulator: Simulator, made: Path) -> None:
    put_rule(simulator, {"kind": "huge-body", "size": 30 * LARGE}, flows=["INT_R01"])
    with nothing_is_lost(simulator), ExitStack() as stack:
        for _ in range(5):
            sock = stack.enter_context(secured(simulator.fhir_url, showing(made), receive_buffer=4096))
            sock.sendall(get(SLOT))
        assert ask(simulator.fhir_url, METADATA, showing(made)).status == 200
        assert eventually(lambda: len([one for one in journal(simulator) if one["error"]]) == 5, 15)
    assert {one["error"] for one in journal(simulator, "flow=INT_R01")} == {
        "the client left, or did not take the whole answer"
    }


# --- sessions that are taken up again


def session_of(url: str, context: ssl.SSLContext) -> ssl.SSLSession:
    with secured(url, context) as sock:
        # Under TLS 1.3, it comes with the answer.
        sock.sendall(get())
        read_answers(sock, 1)
        assert sock.session
        return sock.session


@VERSIONS
def test_a_session_taken_up_again_is_checked_like_a_new_one(
    serve: Serve, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    folder = tmp_path / "certs"
    samples.init(folder)
    simulator = serve("--workers", "2", *listening(folder))
    context = showing(folder, version=version)
    session = session_of(simulator.fhir_url, context)

    def again() -> bytes:
        with secured(simulator.fhir_url, context, session=session) as sock:
            assert sock.session_reused
            sock.sendall(get(METADATA, "Connection: close"))
            return b"".join(iter(lambda: sock.recv(65536), b""))

    # In either worker.
    assert all(again().startswith(b"HTTP/1.1 200 ") for _ in range(10))
    assert {bool(one["status"]) for one in journal(simulator)} == {True}
    entry = requests.get(f"{simulator.url}/_admin/journal/{journal(simulator)[0]['id']}", timeout=10).json()
    assert entry["certificate"].startswith("CN=sas.example, OU=SAS, serial ")
    samples.revoke(folder, folder / "sas.pem")
    refused = again()
    assert refused.startswith(b"HTTP/1.1 403 ")
    assert b"it is revoked" in refused


@VERSIONS
def test_strictly_a_session_taken_up_again_is_checked_too(
    serve: Serve, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    folder = tmp_path / "certs"
    samples.init(folder)
    simulator = serve("--tls-strict", *listening(folder))
    context = showing(folder, version=version)
    session = session_of(simulator.fhir_url, context)
    with secured(simulator.fhir_url, context, session=session) as sock:
        assert sock.session_reused
        sock.sendall(get())
        read_answers(sock, 1)
    samples.revoke(folder, folder / "sas.pem")
    for _ in range(20):
        with pytest.raises(OSError), secured(simulator.fhir_url, context, session=session) as sock:  # noqa: PT011, PT012 - reset or ended, where depends
            sock.sendall(get())
            if not sock.recv(1):
                raise ConnectionResetError


# --- faults


@dataclass
class Seen:
    """What a client has observed of one exchange: the bytes, and how the connection ended, if it did."""

    received: bytes
    end: str
    seconds: float

    @property
    def head(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]

    @property
    def announced(self) -> int:
        found = re.search(rb"\r\nContent-Length: (\d+)", self.head)
        return int(found[1]) if found else -1


def seen(simulator: Simulator, context: ssl.SSLContext) -> Seen:
    begin = time.monotonic()
    received = b""
    with secured(simulator.fhir_url, context) as sock:
        sock.sendall(get(SLOT))
        end = "kept"
        try:
            while True:
                one = Seen(received, "", 0)
                if one.announced >= 0 and len(one.body) >= one.announced:
                    break
                piece = sock.recv(65536)
                if not piece:
                    end = "closed"
                    break
                received += piece
        except ConnectionResetError:
            end = "reset"
        except ssl.SSLEOFError as error:
            # Without words of OpenSSL, it is how Python tells that the connection was reset.
            end = "cut" if error.reason else "reset"
    return Seen(received, end, time.monotonic() - begin)


CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "connection-closed"}, "closed", "nothing"),
    ({"kind": "connection-closed", "done_first": True}, "closed", "nothing"),
    ({"kind": "connection-reset"}, "reset", "nothing"),
    ({"kind": "connection-reset", "where": "headers"}, "reset", "part of the head"),
    ({"kind": "connection-reset", "where": "body"}, "reset", "half"),
    ({"kind": "truncated-body"}, "closed", "half"),
    ({"kind": "garbage", "size": 300}, "closed", "garbage"),
    ({"kind": "malformed-chunk"}, "closed", "no chunk"),
    ({"kind": "slow-body", "seconds": 0.3, "pieces": 4}, "kept", "late"),
    ({"kind": "latency", "seconds": 0.3}, "kept", "late"),
    ({"kind": "hang", "most_seconds": 0.3}, "kept", "late"),
    ({"kind": "status", "code": 503}, "kept", "503"),
]


@VERSIONS
@pytest.mark.parametrize(("kind", "end", "what"), CASES, ids=[str(case[0]) for case in CASES])
def test_faults_look_over_tls_as_they_do_without(
    simulator: Simulator, made: Path, version: ssl.TLSVersion, kind: dict[str, Any], end: str, what: str
) -> None:
    context = showing(made, version=version)
    right = ask(simulator.fhir_url, SLOT, context).body
    put_rule(simulator, kind, flows=["INT_R01"])
    with nothing_is_lost(simulator):
        ones = [seen(simulator, context) for _ in range(5)]
    for one in ones:
        assert one.end == end
        match what:
            case "nothing":
                assert one.received == b""
            case "part of the head":
                assert one.received.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"\r\n\r\n" not in one.received
            case "half":
                assert (one.announced, one.body) == (len(right), right[: len(right) // 2])
            case "garbage":
                assert len(one.received) == 300
            case "no chunk":
                assert one.received.endswith(b"not-a-size\r\nthis is no chunk\r\n")
            case "late":
                assert (one.body, one.seconds > 0.29) == (right, True)
            case _:
                assert one.head.startswith(f"HTTP/1.1 {what} ".encode())
    assert {one["rule"] for one in journal(simulator, "flow=INT_R01&limit=5")} == {f"fault: {kind['kind']}"}


@VERSIONS
def test_a_client_that_leaves_frees_its_place(simulator: Simulator, made: Path, version: ssl.TLSVersion) -> None:
    put_rule(simulator, {"kind": "hang"}, flows=["INT_R01"])
    with nothing_is_lost(simulator):
        for _ in range(10):
            with secured(simulator.fhir_url, showing(made, version=version)) as sock:
                sock.sendall(get(SLOT))
        assert eventually(lambda: len(journal(simulator, "flow=INT_R01")) == 10)
    assert {"client left" in one["error"] for one in journal(simulator, "flow=INT_R01")} == {True}


# --- processes


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_is_killed_is_replaced_on_both_listeners(serve: Serve, made: Path, workers: str) -> None:
    simulator = serve("--workers", workers, *listening(made))
    assert eventually(lambda: len(simulator.workers()) == int(workers))
    for pid in simulator.workers():
        os.kill(pid, signal.SIGKILL)

    def both_answer() -> bool:
        try:
            return [ask(simulator.fhir_url, METADATA, showing(made)).status, ask(simulator.url, "/_health").status] == [
                200,
                200,
            ]
        except OSError:
            return False

    assert eventually(both_answer, 20)


def test_two_workers_answer_alike_on_both_listeners(serve: Serve, made: Path) -> None:
    simulator = serve("--workers", "2", "--plain-fhir", "--now", NOW, *listening(made))
    context = showing(made)

    def answer(number: int) -> bytes:
        return ask(*((simulator.fhir_url, SLOT, context) if number % 2 else (simulator.url, SLOT))).body

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(answer, range(60)))) == 1


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_both_listeners(serve: Serve, made: Path, sig: signal.Signals) -> None:
    simulator = serve(*listening(made))
    kept = connection_to(simulator.fhir_url, showing(made))
    assert asked(kept).status == 200
    begin = time.monotonic()
    code, said = simulator.stop(sig)
    assert (code, "Traceback" in said) == (0, False)
    assert time.monotonic() - begin < SOON
    assert kept.sock.recv(1) == b""
    kept.close()
    for url in (simulator.url, simulator.fhir_url):
        with pytest.raises(ConnectionRefusedError):
            connected(url)


def test_a_request_that_runs_is_answered_before_the_stop(serve: Serve, made: Path) -> None:
    simulator = serve("--now", NOW, *listening(made))
    put_rule(simulator, {"kind": "hang"}, flows=["INT_R01"])
    with secured(simulator.fhir_url, showing(made)) as sock:
        sock.sendall(get(SLOT))
        waits = f"{simulator.url}/_admin/faults"
        assert eventually(lambda: requests.get(waits, timeout=10).json()["faults"][0]["acted"] == 1)
        simulator.process.terminate()
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 503 ")


def test_many_at_once_on_both_listeners(simulator: Simulator, made: Path) -> None:
    context = showing(made)
    lock = threading.Lock()
    found: list[int] = []

    def some(number: int) -> None:
        connection = connection_to(*((simulator.fhir_url, context) if number % 2 else (simulator.url,)))
        statuses = [asked(connection, METADATA).status for _ in range(5)]
        connection.close()
        with lock:
            found.extend(statuses)

    with nothing_is_lost(simulator), ThreadPoolExecutor(30) as threads:
        list(threads.map(some, range(100)))
    assert (found.count(200), found.count(403)) == (250, 250)


def test_certificates_that_end_soon_are_told_once_and_renewed_while_it_runs(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    samples.init(folder, days=20)
    own = ("--sas-certificate", str(folder / "editor.pem"), "--sas-key", str(folder / "editor.key.pem"))
    simulator = serve(*listening(folder), *own, "--workers", "2", log=tmp_path / "log")
    parts = urlsplit(simulator.fhir_url)
    address = (str(parts.hostname), int(parts.port or 0))
    assert ssl.get_server_certificate(address, timeout=20) == (folder / "server.pem").read_text()
    done = run("certs", "init", str(folder), "--renew", "30")
    assert (done.returncode, done.stderr) == (0, "")
    assert eventually(
        lambda: ssl.get_server_certificate(address, timeout=20) == (folder / "server.pem").read_text(), 20
    )
    assert run("certs", "init", str(folder), "--renew", "30").stdout.endswith("more than 30 days, and stay\n")
    said = simulator.stop()[1]
    for name in ("server", "editor"):
        assert said.count(f"{folder / name}.pem: the certificate ends on ") == 1

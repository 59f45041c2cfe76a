"""Faults on real sockets: what a client observes, what the journal keeps, and what all others do not notice."""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from mock_editor.base.flows import Flow
from mock_editor.faults.kinds import KINDS
from tests.faults.probe_server import BODY
from tests.forks import Python
from tests.timing import LONG, SOON
from tests.wire.conftest import SHORT, Server, end, eventually, read_head

pytestmark = pytest.mark.wire

Start = Callable[..., Server]
SLOT = "/e/fhir/Slot?status=free"
ASKED = f"GET {SLOT} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def launch(folder: Path, **settings: object) -> Server:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MOCK_EDITOR_")}
    environ |= {f"MOCK_EDITOR_{key.upper()}": str(value) for key, value in (SHORT | {"port": 0} | settings).items()}
    folder.mkdir(exist_ok=True)
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = Python(
            [sys.executable, "-m", "tests.faults.probe_server", str(folder)],
            env=environ, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdout
    server = Server(process, int(process.stdout.readline() or 0), log_file)
    assert server.port, server.log()
    assert eventually(lambda: len(server.workers()) == settings.get("workers", 1))
    return server


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def start_one(**settings: object) -> Server:
        servers.append(launch(tmp_path / str(len(servers)), **settings))
        return servers[-1]

    yield start_one
    for server in servers:
        end(server)
        assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = launch(tmp_path_factory.mktemp("faults"), threads=40)
    yield server
    end(server)
    assert "Traceback" not in server.log()


@pytest.fixture
def server(shared: Server) -> Iterator[Server]:
    """A server that other tests have used; without rules."""
    order(shared, clear=True)
    yield shared
    shared.close_sockets()


def order(server: Server, **what: Any) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/_admin", json.dumps(what))
    assert connection.getresponse().status == 200
    connection.close()


def put(server: Server, *kinds: dict[str, Any], name: str = "fault", **conditions: Any) -> None:
    order(server, put={"name": name, "flows": ["INT_R01"], "do": list(kinds)} | conditions)


def known(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.get("/_admin")[1])
    return found


def await_workers(server: Server) -> None:
    """Until all of them know the rules: who asks one for them has it look."""
    told: set[int] = set()

    def all_told() -> bool:
        told.add(known(server)["pid"])
        return told == set(server.workers())

    assert eventually(all_told)


def waiting(server: Server) -> int:
    return int(known(server)["waiting"])


@dataclass
class Seen:
    """What came over the connection until its end."""

    received: bytes
    reset: bool
    seconds: float

    @property
    def head(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]

    @property
    def status(self) -> int:
        return int(self.received[9:12])

    def header(self, name: str) -> str | None:
        found = re.search(rf"\r\n{name}: ([^\r]*)", self.head.decode("latin-1"), re.IGNORECASE)
        return found[1] if found else None


def seen(server: Server, asked: bytes = ASKED) -> Seen:
    """Asks on a connection of its own; an answer that is complete ends it too."""
    sock = server.connect(asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    received, reset, begin = b"", False, time.monotonic()
    try:
        while piece := sock.recv(65536):
            received += piece
    except ConnectionResetError:
        reset = True
    sock.close()
    return Seen(received, reset, time.monotonic() - begin)


# --- what each kind looks like

Check = Callable[[Seen], object]


def whole(least: float = 0.0) -> Check:
    def check(one: Seen) -> None:
        assert (one.status, one.body, one.reset) == (200, BODY, False)
        assert one.seconds >= least

    return check


def refused(status: int, content_type: str | None, begins: bytes, **headers: str) -> Check:
    def check(one: Seen) -> None:
        assert (one.status, one.header("Content-Type"), one.reset) == (status, content_type, False)
        assert one.body.startswith(begins)
        assert one.header("Content-Length") == str(len(one.body))
        assert {name: one.header(name) for name in headers} == headers

    return check


def nothing(one: Seen) -> None:
    assert (one.received, one.reset) == (b"", False)


def reset_at_once(one: Seen) -> None:
    assert (one.received, one.reset) == (b"", True)


def reset_in_headers(one: Seen) -> None:
    assert one.reset
    assert one.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in one.received


def reset_in_body(one: Seen) -> None:
    assert (one.reset, one.status, one.header("Content-Length")) == (True, 200, str(len(BODY)))
    assert one.body == BODY[: len(BODY) // 2]


def truncated(one: Seen) -> None:
    assert (one.reset, one.status, one.header("Content-Length")) == (False, 200, str(len(BODY)))
    assert one.body == BODY[: len(BODY) // 4]


def garbage(one: Seen) -> None:
    assert (one.reset, len(one.received)) == (False, 300)
    assert b"HTTP" not in one.received


def bad_chunk(one: Seen) -> None:
    assert (one.reset, one.status, one.header("Transfer-Encoding")) == (False, 200, "chunked")
    half = BODY[: len(BODY) // 2]
    assert one.body == b"%X\r\n%s\r\nnot-a-size\r\nthis is no chunk\r\n" % (len(half), half)


OUTCOME = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"%s","diagnostics":"%s'
FHIR = "application/fhir+json; charset=utf-8"
# The parameters of a kind, what a client sees of it, and what the journal has beside the rule: status, bytes of the
# body and, unless the answer went out whole, why not.
CASES: list[tuple[dict[str, Any], Check, tuple[int | None, int | None, str | None]]] = [
    ({"kind": "latency", "seconds": 0.2}, whole(0.2), (200, len(BODY), None)),
    ({"kind": "latency", "seconds": 0.2, "done_first": True}, whole(0.2), (200, len(BODY), None)),
    (
        {"kind": "latency-uniform", "least_seconds": 0.1, "most_seconds": 0.2},
        whole(0.1),
        (200, len(BODY), None),
    ),
    (
        {"kind": "latency-normal", "mean_seconds": 9, "deviation_seconds": 0.1, "most_seconds": 0.2},
        whole(0.2),
        (200, len(BODY), None),
    ),
    (
        {"kind": "latency-lognormal", "median_seconds": 99, "p95_seconds": 100, "most_seconds": 0.2},
        whole(0.2),
        (200, len(BODY), None),
    ),
    ({"kind": "latency-exponential", "mean_seconds": 500, "most_seconds": 0.1}, whole(0.1), (200, len(BODY), None)),
    ({"kind": "latency-percentiles", "seconds_at": {"0": 0.1, "99": 0.2}}, whole(0.1), (200, len(BODY), None)),
    ({"kind": "hang", "most_seconds": 0.2}, whole(0.2), (200, len(BODY), None)),
    ({"kind": "slow-body", "bytes_per_second": len(BODY) * 4}, whole(0.2), (200, len(BODY), None)),
    ({"kind": "slow-body", "seconds": 0.2, "pieces": 4}, whole(0.2), (200, len(BODY), None)),
    ({"kind": "status"}, refused(500, FHIR, OUTCOME % (b"exception", b"Internal Server Error")), (500, None, None)),
    ({"kind": "status", "code": 429, "retry_after_seconds": 7},
     refused(429, FHIR, OUTCOME % (b"throttled", b"Too Many Requests"), **{"Retry-After": "7"}), (429, None, None)),
    ({"kind": "status", "code": 503, "body": "html", "text": "Fermé"},
     refused(503, "text/html; charset=utf-8", b"<!doctype html>"), (503, None, None)),
    ({"kind": "status", "code": 502, "body": "empty"}, refused(502, None, b""), (502, 0, None)),
    ({"kind": "status", "code": 404, "content_type": "text/plain"},
     refused(404, "text/plain", OUTCOME % (b"not-found", b"Not Found")), (404, None, None)),
    ({"kind": "status", "code": 599, "body": "text", "text": "no"},
     refused(599, "text/plain; charset=utf-8", b"no"), (599, 2, None)),
    # The clock of the server stands at 07:00 UTC.
    ({"kind": "flapping", "up_seconds": 7 * 3600 - 10, "down_seconds": 60},
     refused(503, FHIR, OUTCOME % (b"transient", b"Service Unavailable"), **{"Retry-After": "50"}), (503, None, None)),
    ({"kind": "flapping", "up_seconds": 7 * 3600 + 10, "down_seconds": 60}, whole(), (200, len(BODY), None)),
    ({"kind": "quota", "per_minute": 0},
     refused(429, FHIR, OUTCOME % (b"throttled", b"More than 0"), **{"Retry-After": "60"}), (429, None, None)),
    ({"kind": "quota", "per_minute": 1}, whole(), (200, len(BODY), None)),
    ({"kind": "connection-closed"}, nothing, (None, 0, "closed before any byte")),
    ({"kind": "connection-reset"}, reset_at_once, (None, 0, "reset before any byte")),
    ({"kind": "connection-reset", "where": "headers"}, reset_in_headers, (200, 0, r"reset after \d+ of \d+ bytes of")),
    ({"kind": "connection-reset", "where": "body"}, reset_in_body,
     (200, len(BODY) // 2, f"reset after {len(BODY) // 2} of {len(BODY)} bytes of the body")),
    ({"kind": "truncated-body", "share": 0.25}, truncated,
     (200, len(BODY) // 4, f"closed after {len(BODY) // 4} of {len(BODY)} bytes of the body")),
    ({"kind": "garbage", "size": 300}, garbage, (None, 0, "closed after 300 bytes that are no answer")),
    ({"kind": "malformed-chunk"}, bad_chunk, (200, len(BODY) // 2, "of the body and a chunk that is none")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "check", "journal"), CASES, ids=[json.dumps(kind) for kind, _, _ in CASES])
def test_a_client_sees_what_the_kind_says_and_the_journal_what_went_out(
    server: Server, kind: dict[str, Any], check: Check, journal: tuple[int | None, int | None, str | None]
) -> None:
    put(server, kind)
    one = seen(server)
    check(one)
    assert eventually(lambda: [one["rule"] for one in known(server)["journal"][:1]] == [f"fault: {kind['kind']}"])
    entry = known(server)["journal"][0]
    status, size, error = journal
    assert (entry["status"], entry["flow"], entry["editor"]) == (status, Flow.INT_R01, "e")
    assert entry["answer"]["size"] == (len(one.body) if size is None else size)
    assert re.search(error, entry["error"]) if error else entry["error"] is None
    assert known(server)["uses"] == {"fault": [1, 1]}


def test_every_kind_of_time_http_and_connection_is_shown() -> None:
    families = {"time", "http", "connection"}
    kinds = {kind.model_fields["kind"].default for kind in KINDS if kind.family in families}
    assert kinds == {kind["kind"] for kind, _, _ in CASES}


def test_a_kept_connection_goes_on_after_a_fault_that_does_not_end_it(server: Server) -> None:
    put(server, {"kind": "status", "code": 503}, {"kind": "latency", "seconds": 0.1}, first=1)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    for status in (503, 200):
        connection.request("GET", SLOT)
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (status, True)
    connection.close()


@pytest.mark.parametrize(
    "kind", [{"kind": "status", "code": 503}, {"kind": "slow-body", "seconds": 60}, {"kind": "truncated-body"}]
)
def test_an_answer_to_head_has_no_body_to_spoil(server: Server, kind: dict[str, Any]) -> None:
    put(server, kind)
    one = seen(server, ASKED.replace(b"GET", b"HEAD"))
    assert (one.body, one.reset) == (b"", False)
    assert one.seconds < SOON


def test_a_body_reaches_the_editor_although_a_rule_has_looked_at_it(server: Server) -> None:
    put(server, {"kind": "latency", "seconds": 0.01}, flows=["INT_R02"], identifiers=["3456780581/11242343"])
    body = b'{"identifier": [{"value": "3456780581/11242343"}]}'
    head = b"POST /e/fhir/Practitioner HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert seen(server, head + body).body == body
    chunked = (
        b"POST /e/fhir/Practitioner HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%X\r\n%s\r\n0\r\n\r\n"
    )
    assert seen(server, chunked % (len(body), body)).body == body
    assert known(server)["uses"] == {"fault": [2, 2]}
    assert known(server)["journal"][0]["request"]["size"] == len(body)


def test_a_request_whose_body_ends_in_a_reset_is_read_before(server: Server) -> None:
    put(server, {"kind": "garbage", "size": 9}, flows=["INT_R02"])
    body = b"x" * 500_000
    head = b"POST /e/fhir/Practitioner HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    one = seen(server, head + body)
    assert (len(one.received), one.reset) == (9, False)


def test_a_slow_body_comes_piece_by_piece(server: Server) -> None:
    put(server, {"kind": "slow-body", "seconds": 0.4, "pieces": 4})
    sock = server.connect(ASKED)
    received = read_head(sock)
    assert len(received) < len(BODY)
    sizes = [len(received.partition(b"\r\n\r\n")[2])]
    while sum(sizes) < len(BODY):
        sizes.append(len(sock.recv(65536)))
    assert len(sizes) > 3


def test_what_python_makes_of_a_truncated_body(server: Server) -> None:
    put(server, {"kind": "truncated-body"})
    with pytest.raises(IncompleteRead):
        server.get(SLOT)


# --- waits


def test_faults_leave_the_simulators_own_surfaces_alone(server: Server) -> None:
    put(server, {"kind": "connection-reset"}, flows=[])
    for path in ("/_health", "/_admin", "/_metrics", "/_console/", "/", "/other/fhir/Slot"):
        assert server.get(path)[0] == 200
    with pytest.raises((ConnectionError, HTTPException)):
        server.get(SLOT)


CHANGED = {"name": "fault", "do": [{"kind": "latency", "seconds": 0}]}


@pytest.mark.parametrize("change", [{"clear": True}, {"off": "fault"}, {"put": CHANGED}])
def test_a_rule_that_goes_ends_its_waits_in_every_worker(start: Start, change: dict[str, Any]) -> None:
    server = start(threads=60, workers=2)
    put(server, {"kind": "latency", "seconds": LONG})
    await_workers(server)
    socks = [server.connect(ASKED) for _ in range(30)]
    assert eventually(lambda: known(server)["uses"]["fault"][1] == 30)
    order(server, **change)
    begin = time.monotonic()
    for sock in socks:
        assert read_head(sock).startswith(b"HTTP/1.1 200 OK")
    assert time.monotonic() - begin < SOON


def test_the_rest_of_a_slow_body_comes_at_once_when_its_rule_goes(server: Server) -> None:
    put(server, {"kind": "slow-body", "seconds": LONG})
    sock = server.connect(ASKED)
    assert read_head(sock).startswith(b"HTTP/1.1 200 OK")
    assert eventually(lambda: waiting(server) == 1)
    order(server, clear=True)
    begin = time.monotonic()
    received = 0
    while received < len(BODY):
        received += len(sock.recv(65536))
    assert time.monotonic() - begin < SOON


@pytest.mark.parametrize("kind", [{"kind": "hang"}, {"kind": "slow-body", "seconds": LONG}])
def test_a_client_that_leaves_frees_its_place(server: Server, kind: dict[str, Any]) -> None:
    put(server, kind)
    socks = [server.connect(ASKED) for _ in range(20)]
    assert eventually(lambda: waiting(server) == 20)
    for sock in socks:
        sock.close()
    assert eventually(lambda: waiting(server) == 0, SOON)
    assert eventually(lambda: sum(bool(entry["rule"]) for entry in known(server)["journal"]) >= 20)
    assert "client left" in known(server)["journal"][0]["error"]


def test_with_no_place_left_a_request_is_refused_and_told_why(start: Start) -> None:
    server = start(threads=4)
    put(server, {"kind": "latency", "seconds": 60})
    for _ in range(3):
        server.connect(ASKED)
    assert eventually(lambda: waiting(server) == 3)
    one = seen(server)
    assert (one.status, one.header("Retry-After")) == (503, "1")
    assert b"3 requests are waiting already" in one.body
    assert known(server)["journal"][0]["rule"] == "fault: latency (refused: no place to wait)"
    assert "3 requests are waiting already" in server.log()


def test_a_server_that_stops_waits_for_no_fault(start: Start) -> None:
    server = start(threads=60)
    put(server, {"kind": "hang"}, methods=["GET"])
    put(server, {"kind": "slow-body", "seconds": 60}, methods=["POST"], name="slow")
    hung = [server.connect(ASKED) for _ in range(20)]
    asked = b"POST /e/fhir/Slot/_search HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    slow = [server.connect(asked) for _ in range(20)]
    assert eventually(lambda: waiting(server) == 40)
    assert server.stop()[0] == 0
    # Those that it had to cut off would have no answer.
    for sock in hung:
        assert read_head(sock).startswith(b"HTTP/1.1 503")
    for sock in slow:
        assert read_head(sock).startswith(b"HTTP/1.1 200")


def test_two_hundred_waiting_requests_slow_nobody_down(start: Start) -> None:
    server = start(threads=230)

    def milliseconds() -> float:
        spent = []
        for _ in range(150):
            begin = time.perf_counter()
            assert server.get("/_health")[0] == 200
            spent.append((time.perf_counter() - begin) * 1e3)
        return statistics.median(spent)

    idle = milliseconds()
    put(server, {"kind": "latency", "seconds": 60})
    for _ in range(200):
        server.connect(ASKED)
    assert eventually(lambda: waiting(server) == 200)
    assert milliseconds() < 3 * idle + 1
    order(server, clear=True)


# --- many


def test_two_thousand_faults_leave_nothing_behind(start: Start) -> None:
    server = start(threads=20)
    kinds = [
        {"kind": "connection-closed"},
        {"kind": "connection-reset"},
        {"kind": "connection-reset", "where": "headers"},
        {"kind": "connection-reset", "where": "body"},
        {"kind": "truncated-body"},
        {"kind": "garbage"},
        {"kind": "malformed-chunk"},
    ]
    for number, kind in enumerate(kinds):
        put(server, kind, name=f"fault-{number}", every=len(kinds) - number)

    def memory() -> int:
        [pid] = server.workers()
        return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])

    def run(times: int) -> None:
        def one(_: int) -> int:
            sock = socket.create_connection(("127.0.0.1", server.port), 10)
            with sock:
                sock.sendall(ASKED)
                try:
                    while sock.recv(65536):
                        pass
                except ConnectionResetError:
                    return 1
            return 0

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(one, range(times))) > times / 5

    run(200)
    before, threads, held = server.idle_descriptors(), server.threads(), memory()
    run(2000)
    assert eventually(lambda: server.idle_descriptors() <= before)
    assert server.threads() <= threads + 2
    assert memory() - held < 10_000
    uses = known(server)["uses"]
    assert sum(acted for _, acted in uses.values()) == 2200
    assert min(acted for _, acted in uses.values()) > 100


def test_the_same_requests_get_the_same_faults_however_they_come(start: Start) -> None:
    rules: list[dict[str, Any]] = [
        {"kind": "status", "code": 503},
        {"kind": "connection-closed"},
        {"kind": "latency-uniform", "most_seconds": 0.001},
    ]

    def outcomes(workers: int, clients: int, salt: int) -> list[int]:
        server = start(workers=workers, threads=20)
        for number, kind in enumerate(rules):
            put(server, kind, name=f"fault-{number}", share=0.3)
        await_workers(server)

        def one(number: int) -> int:
            return (
                seen(server, b"GET /e/fhir/Slot?n=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number).received or b"1234567890"
            )[9]

        order_of = sorted(range(1000), key=lambda number: (number * salt) % 1009)
        with ThreadPoolExecutor(clients) as pool:
            found = dict(zip(order_of, pool.map(one, order_of), strict=True))
        server.stop()
        return [found[number] for number in range(1000)]

    first = outcomes(1, 1, 1)
    assert len(set(first)) == 3
    assert outcomes(1, 8, 1) == first
    assert outcomes(2, 8, 7) == first


def test_a_reset_comes_after_the_bytes_before_it(server: Server) -> None:
    kinds = {"kind": "connection-reset", "where": "body", "share": 0.99}, {"kind": "huge-body", "size": 500_000}
    put(server, *kinds)
    sock = server.connect(ASKED, receive_buffer=4096)
    received = len(read_head(sock).partition(b"\r\n\r\n")[2])
    while received < 495_000:
        received += len(sock.recv(4096))
    with pytest.raises(ConnectionResetError):
        sock.recv(1)

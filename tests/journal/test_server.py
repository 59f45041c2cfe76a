"""The journal behind the real server: what clients do on their sockets, several workers, and the end of one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.journal import Journal
from mock_editor.journal.tables import JournalFile
from tests.forks import Python
from tests.journal.conftest import CLOCK, limits
from tests.timing import SOON
from tests.wire.conftest import SHORT, Server, end, eventually, read_all, read_head

pytestmark = pytest.mark.wire
LEFT = "the client left, or did not take the whole answer"

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def start_one(**settings: object) -> Server:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MOCK_EDITOR_")}
        environ |= {f"MOCK_EDITOR_{key.upper()}": str(value) for key, value in (SHORT | {"port": 0} | settings).items()}
        log_file = tmp_path / f"{len(servers)}.log"
        with log_file.open("wb") as log:
            process = Python(
                [sys.executable, "-m", "tests.journal.probe_server", str(tmp_path / "journal.db")],
                env=environ, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert process.stdout
        servers.append(Server(process, int(process.stdout.readline() or 0), log_file))
        assert eventually(lambda: len(servers[-1].workers()) == settings.get("workers", 1))
        return servers[-1]

    yield start_one
    for server in servers:
        end(server)


def entries(server: Server) -> list[dict[str, Any]]:
    """The newest first."""
    found: list[dict[str, Any]] = json.loads(server.get("/_admin")[1])
    return found


def waiting(server: Server) -> int:
    return int(json.loads(server.get("/_health")[1])["waiting"])


def test_who_has_the_answer_finds_the_exchange(start: Start) -> None:
    server = start()
    for number in range(20):
        assert server.get(f"/e/now?{number}")[0] == 200
        newest = entries(server)[0]
        assert newest["url"] == f"/e/now?{number}"
        assert newest["peer"].startswith("127.0.0.1:")


def test_also_if_another_worker_has_given_it(start: Start) -> None:
    server = start(workers=2)
    for number in range(40):
        assert server.get(f"/e/now?{number}")[0] == 200
        assert entries(server)[0]["url"] == f"/e/now?{number}"


def test_bodies_of_any_kind_are_taken_down(start: Start) -> None:
    server = start()
    head = b"POST /e/body HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    read_all(server.connect(head + b"Content-Length: 5\r\n\r\nhello"))
    read_all(server.connect(head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"))
    for entry in entries(server):
        assert (entry["request"]["body"], entry["answer"]["body"]) == ("hello", "hello")


@pytest.mark.parametrize(
    ("sent", "status", "method"),
    [
        (b"GET / HTTX/1.1\r\n\r\n", 400, ""),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, ""),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, ""),
        (b"GET /e/never HTT", 408, ""),
    ],
)
def test_what_the_server_refuses_by_itself_is_in_the_journal(
    start: Start, sent: bytes, status: int, method: str
) -> None:
    server = start()
    sock = server.connect(sent)
    assert read_all(sock).startswith(b"HTTP/1.1 %d " % status)
    [entry] = entries(server)
    assert (entry["status"], entry["method"], entry["flow"]) == (status, method, "other")
    assert entry["error"]
    assert entry["peer"] == f"127.0.0.1:{sock.getsockname()[1]}"
    assert "OperationOutcome" in entry["answer"]["body"]


def test_what_the_application_fails_on_is_there_once(start: Start) -> None:
    server = start()
    assert server.get("/e/fail")[0] == 500
    [entry] = entries(server)
    assert (entry["status"], entry["error"]) == (500, "the application failed: KeyError: 'inside'")


@pytest.mark.parametrize("path", ["/e/pieces", "/e/big"])
def test_a_client_that_leaves_in_the_middle_is_noted(start: Start, path: str) -> None:
    server = start()
    sock = server.connect(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), receive_buffer=4096)
    read_head(sock)
    sock.close()
    assert eventually(lambda: [entry["error"] for entry in entries(server)] == [LEFT])
    assert entries(server)[0]["status"] == 200


# --- waiting


def test_a_client_that_leaves_ends_its_wait_at_once(start: Start) -> None:
    server = start()
    sock = server.connect(b"GET /e/wait HTTP/1.1\r\nHost: x\r\n\r\n")
    assert eventually(lambda: waiting(server) == 1)
    sock.close()
    assert eventually(lambda: waiting(server) == 0, SOON)


def test_more_waits_than_allowed_are_refused_and_others_go_on(start: Start) -> None:
    server = start()
    socks = [server.connect(b"GET /e/wait HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(6)]
    assert eventually(lambda: waiting(server) == 6)
    status, body = server.get("/e/wait")
    assert (status, b"6 requests are waiting already" in body) == (503, True)
    assert server.get("/e/now")[0] == 200
    for sock in socks:
        sock.close()


def test_a_stop_ends_the_waits_and_they_are_answered_and_recorded(start: Start, tmp_path: Path) -> None:
    server = start()
    socks = [server.connect(b"GET /e/wait HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(5)]
    assert eventually(lambda: waiting(server) == 5)
    code, _ = server.stop()
    assert code == 0
    # Ended by the stop, not cut off at the end of its patience.
    assert [read_all(sock).endswith(b"STOPPING") for sock in socks] == [True] * 5
    journal = Journal(JournalFile(tmp_path / "journal.db"), lambda: CLOCK, limits())
    assert journal.count(EntryFilter(path="/e/wait", status="200")) == 5


def test_a_live_stream_shows_what_comes_and_ends_with_its_client(start: Start) -> None:
    server = start()
    sock = server.connect(b"GET /e/follow HTTP/1.1\r\nHost: x\r\n\r\n")
    sock.settimeout(0.2)
    received: list[bytes] = []

    def shown() -> bool:
        # It may not follow yet when the first of these comes.
        server.get("/e/now?live")
        with suppress(TimeoutError):
            received.append(sock.recv(65536))
        return b"/e/now?live" in b"".join(received)

    assert eventually(shown)
    sock.close()
    assert eventually(lambda: waiting(server) == 0, SOON)
    assert eventually(lambda: entries(server)[0]["url"] == "/e/follow")


# --- the end of a worker


def test_what_had_its_answer_is_written_when_the_server_stops(start: Start, tmp_path: Path) -> None:
    server = start()
    for _ in range(50):
        server.get("/e/now")
    assert server.stop()[0] == 0
    journal = Journal(JournalFile(tmp_path / "journal.db"), lambda: CLOCK, limits())
    assert journal.count(EntryFilter()) == 50


def test_a_worker_that_is_killed_loses_only_what_was_waiting(start: Start) -> None:
    server = start()
    for _ in range(50):
        server.get("/e/now")
    assert len(entries(server)) == 50
    [worker] = server.workers()
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: server.workers() not in ([], [worker]))
    assert eventually(lambda: server.get("/e/now")[0] == 200)
    found = entries(server)
    assert len(found) == 51
    assert [entry["id"] for entry in found] == list(range(51, 0, -1))

"""Real servers on free ports, each ended by its fixture."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from mock_editor.tls import samples
from tests.forks import Python
from tests.timing import SOON

# Deadlines short enough for tests to wait for them.
SHORT = {"threads": 8, "header_timeout": 1, "body_timeout": 1, "write_timeout": 1, "keepalive": 300}


def eventually(condition: Callable[[], object], seconds: float = 30) -> bool:
    """Whether ``condition`` comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.02)
    return True


def read_all(sock: socket.socket, seconds: float = SOON) -> bytes:
    """What arrives until the server ends the connection. A reset raises."""
    sock.settimeout(seconds)
    received = b""
    while piece := sock.recv(65536):
        received += piece
    return received


def read_head(sock: socket.socket, seconds: float = SOON) -> bytes:
    """What arrives until the end of the first answer's head, or of the connection."""
    sock.settimeout(seconds)
    received = b""
    while b"\r\n\r\n" not in received and (piece := sock.recv(65536)):
        received += piece
    return received


def form_key(page: str) -> str:
    """What the forms of a page bring back."""
    return next(iter(re.findall(r'name="jeton" value="([^"]*)"', page)), "")


@dataclass
class Server:
    """A server process: requests to it, and what the system knows of it."""

    process: "subprocess.Popen[Any]"
    port: int
    log_file: Path
    sockets: list[socket.socket] = field(default_factory=list)

    def connect(self, data: bytes = b"", *, receive_buffer: int = 0) -> socket.socket:
        """A connection on which ``data`` was sent; closed by the fixture at the latest."""
        sock = socket.socket()
        self.sockets.append(sock)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(SOON)
        sock.connect(("127.0.0.1", self.port))
        sock.sendall(data)
        return sock

    def get(self, path: str = "/now", seconds: float = SOON) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            answer: HTTPResponse = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def refuses_connections(self) -> bool:
        try:
            self.connect()
        except ConnectionError:
            return True
        return False

    def answers_at_once(self) -> bool:
        begin = time.monotonic()
        return self.get(seconds=SOON)[0] == 200 and time.monotonic() - begin < SOON

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def descriptors(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.workers())

    def idle_descriptors(self) -> int:
        """Those of a server that is up and has done with its last client."""
        self.get()
        before = -1
        while before != (now := self.descriptors()):
            before = now
            threading.Event().wait(0.1)
        return now

    def threads(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.workers())

    def log(self) -> str:
        return self.log_file.read_text()

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Exit code and seconds that it took."""
        begin = time.monotonic()
        self.process.send_signal(sig)
        return self.process.wait(60), time.monotonic() - begin

    def close_sockets(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()


def launch(log_file: Path, *, grace: int = 4, **settings: object) -> Server:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MOCK_EDITOR_")}
    environ |= {f"MOCK_EDITOR_{name.upper()}": str(value) for name, value in (SHORT | {"port": 0} | settings).items()}
    environ["GRACE"] = str(grace)
    with log_file.open("wb") as log:
        process = Python(
            [sys.executable, str(Path(__file__).with_name("probe_app.py"))],
            env=environ, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdout
    server = Server(process, int(process.stdout.readline() or 0), log_file)
    assert server.port, server.log()
    assert eventually(lambda: len(server.workers()) == settings.get("workers", 1))
    return server


def end(server: Server) -> None:
    server.close_sockets()
    workers = server.workers() if server.process.poll() is None else []
    for pid in [*workers, server.process.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.process.wait(SOON)
    assert server.process.stdout
    server.process.stdout.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the test's own, with settings in place of the short ones."""
    servers: list[Server] = []

    def start_one(**settings: Any) -> Server:
        servers.append(launch(tmp_path / f"{len(servers)}.log", **settings))
        return servers[-1]

    yield start_one
    for server in servers:
        end(server)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = launch(tmp_path_factory.mktemp("wire") / "log")
    yield server
    end(server)


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """A server that other tests have used before. No test on it may leave a traceback in its log."""
    yield shared_server
    shared_server.close_sockets()
    assert "Traceback" not in shared_server.log()


Serve = Callable[..., "Simulator"]


class Simulator:
    """A running ``mock-editor serve`` of the default scenario; ``announced`` is what it printed until it was ready.

    ``before`` is a command that runs it. FHIR clients are told ``fhir_url``. What it says on standard error goes into
    the file ``log``, if there is one: a pipe that nobody reads holds 64 kB, and then stalls it.
    """

    def __init__(
        self, folder: Path, *options: str, log: Path | None = None, before: Sequence[str] = (), **environment: str
    ) -> None:
        self._log = log
        with log.open("w") if log else nullcontext() as errors:
            program = subprocess.Popen if before else Python
            self.process = program(
                [*before, sys.executable, "-m", "mock_editor", "serve", "--port", "0", *options],
                stdout=subprocess.PIPE,
                stderr=errors or subprocess.PIPE,
                text=True,
                env=clean_environment() | {"TMPDIR": str(folder)} | environment,
            )
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Agenda SOS"):  # the last editor of the default scenario
                lines += [self.process.stdout.readline() for _ in range(3)]
                break
        self.announced = "".join(lines)
        found = re.search(r" on (http://[^\s,]+)", self.announced)
        if not found:
            self.process.kill()
            said = self.process.communicate()[1]
            raise AssertionError(self.announced + (log.read_text() if log else said))
        self.url = found[1]
        base = re.search(r"^  (http\S+)/agenda-ville/fhir$", self.announced, re.MULTILINE)
        self.fhir_url = base[1] if base else self.url

    def log(self) -> str:
        """What it has said on standard error so far, where that goes into a file."""
        return self._log.read_text() if self._log else ""

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def threads(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.workers())

    def descriptors(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.workers())

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Exit code, and what it has said on standard error."""
        self.process.send_signal(sig)
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, self._log.read_text() if self._log else said


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of ``mock-editor certs init``."""
    folder = tmp_path_factory.mktemp("made") / "certs"
    samples.init(folder)
    return folder


def clean_environment() -> dict[str, str]:
    """Without settings of ours, and without proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MOCK_EDITOR_") and not name.lower().endswith("_proxy")
    } | {"PYTHONUNBUFFERED": "1"}


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command that is expected to end by itself."""
    with Python(
        [sys.executable, "-m", "mock_editor", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment() | environment,
    ) as process:
        try:
            # A machine may be busy; only a command that hangs is meant.
            output, errors = process.communicate(timeout=90)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts simulators, each a process of its own, and ends them."""
    running: list[Simulator] = []

    def start(*options: str, **environment: Any) -> Simulator:
        running.append(Simulator(tmp_path, *options, **environment))
        return running[-1]

    yield start
    for simulator in running:
        # Not killed: its workers would notice a second later, and hold the pipes until then.
        simulator.process.terminate()
        try:
            simulator.process.communicate(timeout=SOON)
        finally:
            simulator.process.kill()

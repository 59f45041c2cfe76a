"""A SAS that does what it is told, and one editor's side of INT_R03 against it."""

import contextlib
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mock_editor.base.clock import Clock
from mock_editor.base.sockets import reset_on_close
from mock_editor.base.store import Store
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.model import Appointment, Editor
from mock_editor.calendars.taken import Taken
from mock_editor.faults import store as fault_store
from mock_editor.faults.engine import FaultEngine
from mock_editor.journal.journal import Journal
from mock_editor.journal.model import Limits
from mock_editor.journal.tables import JournalFile
from mock_editor.notifications.model import OPEN_STATES, Notification
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.repository import NotificationRepository
from mock_editor.notifications.sender import Sender
from mock_editor.notifications.target import Target
from mock_editor.world.tables import tables
from tests.calendars.test_appointments import appointment
from tests.conftest import NOW
from tests.wire.conftest import eventually


@dataclass(frozen=True)
class Received:
    """A request that arrived whole."""

    method: str
    identifier: str | None
    raw: bytes
    connection: int
    content_type: str
    seconds: float  # from its first byte to its last

    @property
    def body(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.raw)
        return read


@dataclass(frozen=True)
class Ended:
    """A connection that the editor has ended, and what came on it after the last whole request."""

    connection: int
    left: bytes
    reset: bool


@dataclass
class Sas:
    """A server that answers each request as ``script`` says, in order; when that is used up, properly.

    An entry is a status with headers, or what happens instead of an answer: silence, reset, lost (taken, then the
    connection ends), cut (the head of a 201, then the end), drip (taken, and answered a byte now and then, for longer
    than any test takes), drip body (the same after the head of a 201). What stands before a ``|`` are interim statuses.
    """

    script: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    creates: int = 0
    connections: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/fhir"

    def close(self) -> None:
        self._ended.set()
        for one in (self.listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self._sockets.append(sock)
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        left = b""
        with contextlib.suppress(OSError):
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            while True:
                left, reset, request = _read(sock, left, number)
                if request is None:
                    self.ended.append(Ended(number, left, reset))
                    return
                if not self._answer(sock, request):
                    return

    def _answer(self, sock: socket.socket, request: Received) -> bool:
        with self._lock:
            self.received.append(request)
            order = self.script.pop(0) if self.script else "ok"
            interim, _, order = order.rpartition("|")
            taken = order in ("ok", "lost", "cut", "drip", "drip body")
            status = self._take(request) if taken else order
        if order == "silence":
            self._ended.wait(30)
            return False
        if order == "reset":
            reset_on_close(sock)
            sock.close()
            return False
        if order == "lost":
            sock.shutdown(socket.SHUT_RDWR)
            return False
        if order == "cut":
            sock.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
            sock.shutdown(socket.SHUT_RDWR)
            return False
        for code in interim.split():
            sock.sendall(f"HTTP/1.1 {code} X\r\nX-Interim: 1\r\n\r\n".encode())
        if order in ("drip", "drip body"):
            sock.sendall(b"HTTP/1.1 201 Created\r\n")
            if order == "drip body":
                sock.sendall(b"Content-Length: 100000\r\n\r\n")
            while not self._ended.wait(0.05):
                sock.sendall(b"x")
            return False
        code, _, headers = status.partition(" ")
        more = f"{headers}\r\n" if headers else ""
        answer = b'{"resourceType":"OperationOutcome"}'
        sock.sendall(f"HTTP/1.1 {code} X\r\n{more}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        return True

    def _take(self, request: Received) -> str:
        try:
            [identifier] = request.body["identifier"]
        except (ValueError, KeyError):
            return "422"
        key = f"{identifier['system']}|{identifier['value']}"
        if request.method == "POST":
            self.creates += 1
            if key in self.state:
                return "422"
        new = key not in self.state
        self.state[key] = request.body
        return "201" if new else "200"


def _read(sock: socket.socket, left: bytes, number: int) -> tuple[bytes, bool, Received | None]:
    """The next request, what came after it, and whether the editor has reset the connection instead."""
    began = 0.0
    while True:
        head, end, rest = left.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *([0-9]+)", head, re.IGNORECASE)
        if end and length and len(rest) >= int(length[1]):
            break
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return left, True, None
        if not piece:
            return left, False, None
        began = began or time.monotonic()
        left += piece
    size = int(length[1])
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    asked = parse_qs(urlsplit(target).query).get("identifier")
    kind = re.search(rb"content-type: *([^\r]*)", head, re.IGNORECASE)
    took = time.monotonic() - began
    told = kind[1].decode() if kind else ""
    return rest[size:], False, Received(method, asked[0] if asked else None, rest[:size], number, told, took)


@pytest.fixture
def sas() -> Iterator[Sas]:
    server = Sas()
    yield server
    server.close()


class Side:
    """One editor's side, or that of several: appointments, an outbox, and a sender that is quick to try again."""

    def __init__(
        self, folder: Path, editor: Editor, target: Target, *, others: Sequence[Editor] = (), parallel: int = 8
    ) -> None:
        self.store = Store(folder / "state.db", (*tables(), fault_store.SCHEMA))
        self.editors = editors = {one.slug: one for one in (editor, *others)}
        self.clock = Clock()
        self.faults = FaultEngine(self.store, self.clock.now)
        self.faults.follow()
        self.outbox = Outbox(self.store, self.clock, editors)
        self.notifications = NotificationRepository(self.store)
        self.appointments = Appointments(self.store, editors, Taken(), self.outbox.add)
        self.journal_file = JournalFile(folder / "journal.db")
        limits = Limits(1000, 10_000_000, timedelta(hours=1), 100_000)
        self.journal = Journal(self.journal_file, self.clock.now, limits)
        targets = dict.fromkeys(editors, target)
        self.sender = Sender(self.outbox, editors, targets, parallel=parallel, journal=self.journal, faults=self.faults)
        self._thread: threading.Thread | None = None

    def send(self) -> None:
        """Sends in the background from now on."""
        self._thread = self.sender.start()

    def stop(self) -> None:
        self.sender.stop()
        if self._thread:
            self._thread.join(30)
        self.store.close()
        self.journal.writer.close()
        self.journal_file.close()

    def book(self, hours: int = 0, **changes: object) -> Appointment:
        start = NOW + timedelta(hours=hours)
        return self.appointments.add(appointment(start=start, end=start + timedelta(minutes=15), **changes))

    def change(self, of: Appointment, **changes: Any) -> Appointment:
        return self.appointments.change(of.editor, of.id, lambda old: replace(old, **changes))

    def told(self, of: Appointment) -> list[Notification]:
        return self.notifications.of(of.editor, of.id)

    def settled(self, count: int, seconds: float = 60) -> bool:
        """Whether so many notifications come to an end in time."""

        def done() -> bool:
            counts = self.notifications.counts()
            return sum(n for state, n in counts.items() if state not in OPEN_STATES) == count

        return eventually(done, seconds)


@pytest.fixture
def side(tmp_path: Path, editor: Editor, sas: Sas) -> Iterator[Callable[..., Side]]:
    """Makes an editor's side against the SAS; answers have more time than any machine takes, unless a test wants them
    to be late."""
    made: list[Side] = []

    def make(others: Sequence[Editor] = (), parallel: int = 8, **changes: Any) -> Side:
        target = Target(sas.url, connect_timeout=30, answer_timeout=30, first_wait=0.02, longest_wait=0.2, tries=6)
        made.append(Side(tmp_path, editor, replace(target, **changes), others=others, parallel=parallel))
        return made[-1]

    yield make
    for one in made:
        one.stop()

"""A SAS that does what it is told, and one editor's side of INT_R03 against it."""

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mock_editor.app import SCHEMAS
from mock_editor.base.clock import Clock
from mock_editor.base.store import Store
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.model import Appointment, Editor
from mock_editor.calendars.taken import Taken
from mock_editor.notifications.outbox import Notification, Outbox
from mock_editor.notifications.sender import Sender, Target
from tests.calendars.test_appointments import appointment
from tests.conftest import NOW
from tests.wire.conftest import eventually


@dataclass(frozen=True)
class Received:
    """A request that arrived whole."""

    method: str
    identifier: str | None
    body: dict[str, Any]
    connection: int


@dataclass
class Sas:
    """A server that answers each request as ``script`` says, in order; when that is used up, properly.

    An entry is a status with headers, or what happens instead of an answer: silence, reset, lost (taken, then the
    connection ends), cut (the head of a 201, then the end).
    """

    script: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
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
        buffer = b""
        with contextlib.suppress(OSError):
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            while True:
                while b"\r\n\r\n" not in buffer:
                    piece = sock.recv(65536)
                    if not piece:
                        return
                    buffer += piece
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                while len(buffer) < length:
                    buffer += sock.recv(65536)
                body, buffer = buffer[:length], buffer[length:]
                method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
                asked = parse_qs(urlsplit(target).query).get("identifier")
                if not self._answer(sock, Received(method, asked[0] if asked else None, json.loads(body), number)):
                    return

    def _answer(self, sock: socket.socket, request: Received) -> bool:
        with self._lock:
            self.received.append(request)
            order = self.script.pop(0) if self.script else "ok"
            taken = order in ("ok", "lost", "cut")
            status = self._take(request) if taken else order
        if order == "silence":
            self._ended.wait(30)
            return False
        if order == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            return False
        if order == "lost":
            sock.shutdown(socket.SHUT_RDWR)
            return False
        if order == "cut":
            sock.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
            sock.shutdown(socket.SHUT_RDWR)
            return False
        code, _, headers = status.partition(" ")
        more = f"{headers}\r\n" if headers else ""
        answer = b'{"resourceType":"OperationOutcome"}'
        sock.sendall(f"HTTP/1.1 {code} X\r\n{more}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        return True

    def _take(self, request: Received) -> str:
        [identifier] = request.body["identifier"]
        key = f"{identifier['system']}|{identifier['value']}"
        if request.method == "POST":
            self.creates += 1
            if key in self.state:
                return "422"
        new = key not in self.state
        self.state[key] = request.body
        return "201" if new else "200"


@pytest.fixture
def sas() -> Iterator[Sas]:
    server = Sas()
    yield server
    server.close()


class Side:
    """One editor's side: its appointments, its outbox, and a sender that is quick to try again."""

    def __init__(self, folder: Path, editor: Editor, target: Target) -> None:
        self.store = Store(folder / "state.db", SCHEMAS)
        editors = {editor.slug: editor}
        clock = Clock()
        self.outbox = Outbox(self.store, clock, editors)
        self.appointments = Appointments(self.store, editors, Taken(), self.outbox.add)
        self.sender = Sender(self.outbox, editors, {editor.slug: target}, parallel=8)
        self._thread = threading.Thread(target=self.sender.run, daemon=True)

    def send(self) -> None:
        """Sends in the background from now on."""
        self._thread.start()

    def stop(self) -> None:
        self.sender.stop()
        if self._thread.ident:
            self._thread.join(30)
        self.store.close()

    def book(self, hours: int = 0, **changes: object) -> Appointment:
        start = NOW + timedelta(hours=hours)
        return self.appointments.add(appointment(start=start, end=start + timedelta(minutes=15), **changes))

    def change(self, of: Appointment, **changes: Any) -> Appointment:
        return self.appointments.change(of.editor, of.id, lambda old: replace(old, **changes))

    def told(self, of: Appointment) -> list[Notification]:
        return self.outbox.of(of.editor, of.id)

    def settled(self, count: int, seconds: float = 15) -> bool:
        """Whether so many notifications come to an end in time."""

        def done() -> bool:
            counts = self.outbox.counts()
            return sum(n for state, n in counts.items() if state not in ("waiting", "sending")) == count

        return eventually(done, seconds)


@pytest.fixture
def side(tmp_path: Path, editor: Editor, sas: Sas) -> Iterator[Callable[..., Side]]:
    """Makes an editor's side against the SAS."""
    made: list[Side] = []

    def make(**changes: Any) -> Side:
        target = Target(sas.url, connect_timeout=2, answer_timeout=0.5, first_wait=0.02, longest_wait=0.2, tries=6)
        made.append(Side(tmp_path, editor, replace(target, **changes)))
        return made[-1]

    yield make
    for one in made:
        one.stop()

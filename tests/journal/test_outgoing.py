"""What a session sends to a real server is taken down, whatever comes of it, and the caller notices nothing."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import trustme
from flask import Flask, request

from mock_editor.base.flows import Flow
from mock_editor.base.in_process import InProcessAdapter
from mock_editor.base.words import english
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.journal import Journal
from mock_editor.journal.model import Entry
from mock_editor.journal.outgoing import record_with, sent_by
from tests.journal.conftest import MakeJournal

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 11\r\n\r\nhello world"


class Peer:
    """Answers every request with the same bytes, and ends the connection when told so; no answer: silence."""

    def __init__(self, answer: bytes = OK, *, tls: ssl.SSLContext | None = None, ends: bool = False) -> None:
        self._answer, self._tls, self._ends = answer, tls, ends
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.address}"
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[sock], daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self.connections.append(sock)
            while sock.recv(65536):
                sock.sendall(self._answer)
                if self._ends:
                    sock.shutdown(socket.SHUT_RDWR)
                    return

    def close(self) -> None:
        self._listener.close()
        for sock in self.connections:
            sock.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(*args: bytes, **how: object) -> Peer:
        made.append(Peer(*args, **how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def session(journal: Journal) -> Iterator[requests.Session]:
    with requests.Session() as one:
        one.trust_env = False
        record_with(one, journal.writer, "e", Flow.INT_R03)
        yield one


def only(journal: Journal) -> Entry:
    [entry] = journal.find(EntryFilter(limit=10))
    return entry


def test_an_exchange_is_taken_down(journal: Journal, session: requests.Session, peer: Callable[..., Peer]) -> None:
    url = f"{peer().url}/fhir/Appointment?identifier=a%7Cb"
    answer = session.put(
        url, data=b"{}", headers={"Content-Type": "application/fhir+json", "Authorization": "Bearer x"}
    )
    assert answer.content == b"hello world"
    entry = only(journal)
    assert (entry.direction, entry.editor, entry.flow) == ("out", "e", Flow.INT_R03)
    assert (entry.method, entry.url, entry.path) == ("PUT", url, "/fhir/Appointment")
    assert (entry.status, entry.error) == (200, None)
    assert entry.peer == url.split("/")[2]
    assert (entry.request_body, entry.request_size) == (b"{}", 2)
    assert (entry.answer_body, entry.answer_size) == (b"hello world", 11)
    assert ("Authorization", "Bearer ***") in entry.request_headers
    assert ("Content-Type", "application/fhir+json") in entry.answer_headers
    assert entry.duration > 0


def test_the_editor_may_differ_from_request_to_request(
    journal: Journal, session: requests.Session, peer: Callable[..., Peer]
) -> None:
    url = peer().url
    with sent_by("other", Flow.SSO):
        session.get(url)
    session.get(url)
    assert [(one.editor, one.flow) for one in journal.find(EntryFilter(limit=5))] == [
        ("e", Flow.INT_R03),
        ("other", Flow.SSO),
    ]


def test_a_connection_is_used_again(journal: Journal, session: requests.Session, peer: Callable[..., Peer]) -> None:
    one = peer()
    for _ in range(3):
        with session.get(one.url, stream=True) as answer:
            assert b"".join(answer.iter_content(4)) == b"hello world"
    assert len(one.connections) == 1
    assert journal.count(EntryFilter()) == 3


def test_an_answer_that_is_not_read_to_its_end_is_taken_down_as_far_as_it_was(
    journal: Journal, session: requests.Session, peer: Callable[..., Peer]
) -> None:
    with session.get(peer().url, stream=True) as answer:
        assert next(answer.iter_content(4)) == b"hell"
    entry = only(journal)
    assert (entry.status, entry.answer_body, entry.error) == (200, b"hell", None)


def test_an_answer_of_which_nobody_reads_anything_is_taken_down(
    journal: Journal, session: requests.Session, peer: Callable[..., Peer]
) -> None:
    session.get(peer().url, stream=True).close()
    assert (only(journal).status, only(journal).answer_size) == (200, 0)


def test_the_peer_is_known_when_it_ends_the_connection(
    journal: Journal, session: requests.Session, peer: Callable[..., Peer]
) -> None:
    one = peer(b"HTTP/1.1 503 No\r\nConnection: close\r\n\r\nlater", ends=True)
    assert session.get(one.url).text == "later"
    assert (only(journal).status, only(journal).peer) == (503, one.address)


def test_long_bodies_are_kept_to_the_bound(make_journal: MakeJournal, peer: Callable[..., Peer]) -> None:
    journal = make_journal(body=4)
    with requests.Session() as session:
        record_with(session, journal.writer)
        assert session.post(peer().url, data="0123456").content == b"hello world"
    entry = only(journal)
    assert (entry.request_body, entry.request_size) == (b"0123", 7)
    assert (entry.answer_body, entry.answer_size) == (b"hell", 11)


# --- failures


def test_a_refused_connection(journal: Journal, session: requests.Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(requests.ConnectionError):
        session.get(f"http://127.0.0.1:{port}/x?token=S3CRET")
    entry = only(journal)
    assert entry.status is None
    assert entry.error
    assert "ConnectionError" in english(entry.error)
    assert "S3CRET" not in english(entry.error)
    assert entry.url.endswith("?token=***")


def test_a_peer_that_says_nothing(journal: Journal, session: requests.Session, peer: Callable[..., Peer]) -> None:
    with pytest.raises(requests.ReadTimeout):
        session.get(peer(b"").url, timeout=(1, 0.2))
    entry = only(journal)
    assert (entry.status, entry.error and english(entry.error).split(":")[0]) == (None, "ReadTimeout")
    assert entry.duration >= 200


@pytest.mark.parametrize("how", [{"ends": True}, {}])
def test_an_answer_that_breaks_off(
    journal: Journal, session: requests.Session, peer: Callable[..., Peer], how: dict[str, bool]
) -> None:
    with pytest.raises(requests.RequestException):
        session.get(peer(OK[:-6], **how).url, timeout=(1, 0.3))
    entry = only(journal)
    assert (entry.status, entry.answer_body[:5]) in ((200, b"hello"), (200, b""))
    assert entry.error


def test_over_tls_the_certificate_of_the_peer_is_told(
    journal: Journal, session: requests.Session, peer: Callable[..., Peer], tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", common_name="sas.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    one = peer(tls=context)
    session.verify = str(tmp_path / "authority.pem")
    assert session.get(one.url).content == b"hello world"
    entry = only(journal)
    assert entry.peer == one.address
    assert entry.certificate
    assert entry.certificate.endswith("commonName=sas.example")


def test_a_certificate_that_is_not_trusted(
    journal: Journal, session: requests.Session, peer: Callable[..., Peer]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with pytest.raises(requests.exceptions.SSLError):
        session.get(peer(tls=context).url)
    entry = only(journal)
    assert entry.status is None
    assert entry.error
    assert english(entry.error).startswith("SSLError")


# --- in the same process


def test_an_application_of_this_process_is_recorded_alike(journal: Journal) -> None:
    app = Flask(__name__)
    app.add_url_rule("/fhir/echo", "echo", lambda: request.get_data(), methods=["POST"])
    with requests.Session() as session:
        session.mount("https://lga.example/_sas/", InProcessAdapter(app, "https://lga.example/_sas"))
        record_with(session, journal.writer)
        for stream in (False, True):
            with session.post("https://lga.example/_sas/fhir/echo", data=b"same", stream=stream) as answer:
                assert answer.content == b"same"
    for entry in journal.find(EntryFilter(limit=5)):
        assert (entry.status, entry.answer_body, entry.request_body) == (200, b"same", b"same")
        assert (entry.peer, entry.certificate) == (None, None)
    assert journal.count(EntryFilter()) == 2

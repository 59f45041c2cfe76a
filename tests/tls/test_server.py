"""The contexts that sessions are taken up again with: for how long, and with which files."""

import socket
import ssl
from pathlib import Path

import pytest

from mock_editor.tls import samples
from mock_editor.tls.server import TlsServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples.init(tmp_path / "certs")
    return tmp_path / "certs"


class Hour:
    """A time that passes when the test says so."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def context_of(server: TlsServer) -> ssl.SSLContext:
    one, other = socket.socketpair()
    with one, other, server.wrap(one) as wrapped:
        return wrapped.context


def test_a_context_is_for_an_hour_and_for_files_as_they_are(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = Hour()
    files = (folder / "server.pem", folder / "server.key.pem", folder / "authority.pem")
    server = TlsServer(*files, now=now)
    first = context_of(server)
    assert first.num_tickets == 1
    now.seconds += 3599
    assert context_of(server) is first
    now.seconds += 1
    second = context_of(server)
    assert second is not first
    assert context_of(server) is second
    for number, file in enumerate(files):
        before, content = context_of(server), file.read_bytes()
        file.write_bytes(b"half a")
        assert context_of(server) is before
        assert caplog.text.count("Certificate and authorities stay as they were") == number + 1
        file.write_bytes(content)
        assert context_of(server) is not before

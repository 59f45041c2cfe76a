"""Notifications over TLS: whom the editor trusts, and what it shows."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from mock_editor.calendars.model import Editor
from mock_editor.notifications.sender import Target
from tests.notifications.conftest import Sas, Side
from tests.wire.conftest import eventually

Pem = Callable[[trustme.CA], tuple[Path, Path]]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def sas(authority: trustme.CA) -> Iterator[Sas]:
    """A SAS that wants a certificate of the same authority as its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    server = Sas(tls=context)
    yield server
    server.close()


@pytest.fixture
def pem(tmp_path: Path) -> Pem:
    """Files of an authority: its own certificate, and one that it issued for an editor, with the key."""

    def write(ca: trustme.CA) -> tuple[Path, Path]:
        trusted, own = tmp_path / "authority.pem", tmp_path / "editor.pem"
        ca.cert_pem.write_to_path(str(trusted))
        ca.issue_cert("lga.example").private_key_and_cert_chain_pem.write_to_path(str(own))
        return trusted, own

    return write


@pytest.fixture
def side(tmp_path: Path, editor: Editor, sas: Sas) -> Iterator[Callable[..., Side]]:
    made: list[Side] = []

    def make(authority: Path | None, certificate: Path | None) -> Side:
        target = Target(sas.url, certificate, None, authority, 2, 1, tries=3, first_wait=0.02, longest_wait=0.1)
        made.append(Side(tmp_path, editor, target))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_with_the_right_certificates_it_is_accepted(
    side: Callable[..., Side], sas: Sas, authority: trustme.CA, pem: Pem
) -> None:
    one = side(*pem(authority))
    made = one.book()
    one.send()
    assert one.settled(1)
    assert one.told(made)[0].state == "accepted"
    assert sas.creates == 1


def test_a_sas_that_is_not_trusted_is_told_nothing(side: Callable[..., Side], sas: Sas, pem: Pem) -> None:
    one = side(*pem(trustme.CA()))
    made = one.book()
    one.send()
    assert one.settled(1)
    [told] = one.told(made)
    assert told.state == "given up"
    # It certainly never left: every attempt is still a create.
    assert [attempt.method for _, attempt in told.attempts] == ["POST"] * 3
    assert all("certificate verify failed" in attempt.result for _, attempt in told.attempts)
    assert sas.received == []


def test_without_a_certificate_of_its_own_it_is_given_up(
    side: Callable[..., Side], sas: Sas, authority: trustme.CA, pem: Pem
) -> None:
    trusted, own = pem(authority)
    one = side(trusted, None)
    made = one.book()
    one.send()
    assert one.settled(1)
    assert one.told(made)[0].state == "given up"
    assert sas.received == []
    # With one, it can be sent again, if the other does not take it first.
    one.stop()
    again = side(trusted, own)
    assert again.outbox.replay() == 1
    again.send()
    assert eventually(lambda: again.told(made)[0].state == "accepted")
    assert len(sas.state) == 1

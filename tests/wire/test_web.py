"""The web site over sockets: many at once, several workers, and a process that is killed."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tests.conftest import GUIDE_THOMAS, slot_search
from tests.wire.conftest import Serve, Simulator, eventually, form_key
from tests.wire.test_accounts import at_once, kill_group

pytestmark = pytest.mark.wire

NOW = ("--now", "2026-11-20T08:00:00+01:00")
AGENDA = f"/agenda-ville/agenda/{GUIDE_THOMAS}"
SEARCH = slot_search([GUIDE_THOMAS])
# The login is not what these tests are about: whoever comes from the SAS is known by a password.
BY_PASSWORD = (*NOW, "--oidc-issuer", "none")


class Visitor:
    """Somebody with a browser; without an account, or from the SAS."""

    def __init__(self, simulator: Simulator) -> None:
        self.url = simulator.url
        self.session = requests.Session()
        self.key = ""

    def get(self, path: str) -> requests.Response:
        """A page, whose forms can then be sent."""
        page = self.session.get(self.url + path, timeout=20)
        self.key = form_key(page.text)
        return page

    def send(self, path: str, **fields: str) -> requests.Response:
        """Sends a form, as the page that was shown before would."""
        data = {"jeton": self.key, **fields}
        return self.session.post(self.url + path, data=data, allow_redirects=False, timeout=20)

    def come_in(self) -> "Visitor":
        """Goes on without an account."""
        assert self.get("/agenda-ville/connexion").status_code == 200
        assert self.send("/agenda-ville/visite", suite=AGENDA).status_code == 303
        assert self.get(f"{AGENDA}?lieu=1").status_code == 200
        return self

    def come_from_sas(self) -> "Visitor":
        """Signs in as the first regulator, and accepts the terms."""
        told = requests.get(f"{self.url}/_admin/accounts?editor=agenda-ville", timeout=20).json()["accounts"][0]
        email = told["resource"]["telecom"][0]["value"]
        assert self.get(f"{AGENDA}?lieu=1&origin=sas").status_code == 200
        answer = self.send("/agenda-ville/connexion", email=email, mot_de_passe=told["password"], origine="sas")
        assert answer.status_code == 303
        assert self.get("/agenda-ville/cgu").status_code == 200
        assert self.send("/agenda-ville/cgu", accepter="1").status_code == 303
        return self

    def slots(self) -> list[dict[str, str]]:
        """What the forms of the slots would send that the agenda shows now."""
        page = self.get(f"{AGENDA}?lieu=1").text
        links = re.findall(r'href="([^"]*/reserver\?[^"]*)"', page)
        return [dict(parse_qsl(urlsplit(link.replace("&amp;", "&")).query)) for link in links]

    def book(self, slot: dict[str, str]) -> requests.Response:
        return self.send(f"{AGENDA}/reserver", nom="Fictif", **slot)


def found(answer: bytes, slot: dict[str, str]) -> bool:
    """Whether an answer to a search has this slot."""
    return f"Slot/{GUIDE_THOMAS}-{slot['lieu']}-{slot['creneau']}".encode() in answer


@pytest.mark.parametrize("workers", ["1", "2"])
def test_of_twenty_who_book_the_same_slot_at_once_one_gets_it(serve: Serve, workers: str) -> None:
    simulator = serve(*NOW, "--workers", workers)
    visitors = [Visitor(simulator).come_in() for _ in range(20)]
    for slot in visitors[0].slots()[:5]:
        answers = at_once([partial(visitor.book, slot) for visitor in visitors])
        assert sorted(answer.status_code for answer in answers) == [303] + [409] * 19
        assert all("Ce créneau n’est plus libre" in one.text for one in answers if one.status_code == 409)
        [won] = [one for one in answers if one.status_code == 303]
        seen = [visitor.get(urlsplit(won.headers["Location"]).path).status_code for visitor in visitors]
        assert sorted(seen) == [200] + [404] * 19


def test_a_form_sent_twenty_times_at_once_takes_one_slot(serve: Serve) -> None:
    visitor = Visitor(serve(*NOW, "--workers", "2")).come_in()
    slots = visitor.slots()
    answers = at_once([lambda: visitor.book(slots[0])] * 20)
    assert sorted(answer.status_code for answer in answers) == [303] + [409] * 19
    assert eventually(lambda: visitor.slots() == slots[1:], 1)


@contextmanager
def a_line_to_each_worker(simulator: Simulator) -> Iterator[list[HTTPConnection]]:
    """Connections to two workers, which stay with them."""
    lines: dict[int, HTTPConnection] = {}
    opened: list[HTTPConnection] = []
    try:
        while len(lines) < 2:
            assert len(opened) < 200, "one worker takes all connections"
            opened.append(HTTPConnection("127.0.0.1", urlsplit(simulator.url).port, timeout=20))
            search(opened[-1])
            lines.setdefault(worker_of(simulator, opened[-1].sock), opened[-1])
        yield list(lines.values())
    finally:
        for line in opened:
            line.close()


def search(line: HTTPConnection) -> bytes:
    line.request("GET", SEARCH.replace("|", "%7C"))
    answer = line.getresponse()
    body = answer.read()
    assert answer.status == 200
    return body


def worker_of(simulator: Simulator, sock: socket.socket) -> int:
    """The process that has the other end of a connection."""
    ports = f":{urlsplit(simulator.url).port:04X}", f":{sock.getsockname()[1]:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    [inode] = [row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ports]
    master = simulator.process.pid
    for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        if f"socket:[{inode}]" in {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}:
            return int(pid)
    raise AssertionError("no worker has this connection")


def test_every_worker_knows_within_a_second_what_was_booked_moved_or_cancelled(serve: Serve) -> None:
    simulator = serve(*NOW, "--workers", "2")
    visitor = Visitor(simulator).come_in()
    first, second = visitor.slots()[:2]
    with a_line_to_each_worker(simulator) as lines:

        def shown(slot: dict[str, str]) -> list[bool]:
            return [found(search(line), slot) for line in lines]

        assert shown(first) == shown(second) == [True, True]
        own = urlsplit(visitor.book(first).headers["Location"]).path
        assert eventually(lambda: shown(first) == [False, False], 1)
        assert visitor.send(f"{own}/deplacer", creneau=second["creneau"]).status_code == 303
        assert eventually(lambda: shown(first) == [True, True] and shown(second) == [False, False], 1)
        assert visitor.send(f"{own}/annuler").status_code == 303
        assert eventually(lambda: shown(second) == [True, True], 1)


def test_kill_9_loses_no_appointment_and_no_session(serve: Serve, tmp_path: Path) -> None:
    options = (*BY_PASSWORD, "--database", str(tmp_path / "state.db"), "--workers", "2")
    before = serve(*options)
    visitor = Visitor(before).come_from_sas()
    slots = visitor.slots()
    booked = [urlsplit(visitor.book(slot).headers["Location"]).path for slot in slots[:10]]
    assert visitor.send(f"{booked[9]}/annuler").status_code == 303
    kill_group(before)

    after = serve(*options)
    visitor.url = after.url
    pages = [visitor.get(path) for path in booked]
    assert [page.status_code for page in pages] == [200] * 10
    assert ["Annulé" in page.text for page in pages] == [False] * 9 + [True]
    assert "Régulateur SAS" in pages[0].text
    assert visitor.slots() == slots[9:]
    searched = requests.get(after.url + SEARCH, timeout=20).content
    assert [found(searched, slot) for slot in slots[:11]] == [False] * 9 + [True] * 2
    # The form of before is still good, the slot still taken, and the terms accepted.
    assert visitor.book(slots[0]).status_code == 409
    assert visitor.book(slots[10]).status_code == 303


def test_kill_9_between_leaving_for_the_provider_and_coming_back_does_not_matter(serve: Serve, tmp_path: Path) -> None:
    database = ("--database", str(tmp_path / "state.db"))
    before = serve(*NOW, *database)
    visitor = Visitor(before)
    page = visitor.get(f"{AGENDA}?lieu=1&origin=sas")
    demand = re.search(r'name="demande" value="([^"]*)"', page.text)
    assert demand
    kill_group(before)

    port = str(urlsplit(before.url).port)
    serve(*NOW, *database, "--port", port)  # the last one counts: the same address again
    answer = visitor.session.post(
        f"{before.url}/_idp/connexion", data={"demande": demand[1], "personne": "mercier"}, timeout=20
    )
    assert answer.status_code == 200
    assert "Conditions générales d’utilisation" in answer.text


def test_a_form_without_the_key_of_its_browser_does_nothing(serve: Serve) -> None:
    simulator = serve(*NOW)
    visitor, other = Visitor(simulator).come_in(), Visitor(simulator).come_in()
    slots = visitor.slots()
    for key in ("", "guessed", other.key):
        data = {"nom": "Fictif", "jeton": key} | slots[0]
        answer = visitor.session.post(f"{simulator.url}{AGENDA}/reserver", data=data, timeout=20)
        assert answer.status_code == 400
        assert "Formulaire expiré" in answer.text
    assert visitor.slots() == slots

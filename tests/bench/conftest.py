"""A platform before editors that do what a test says, and a browser without scripts before a whole simulator."""

import html
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from flask_bootstrap import Bootstrap5
from werkzeug.test import TestResponse

from mock_editor.base import keys
from mock_editor.base.store import Store
from mock_editor.base.waits import Waits
from mock_editor.base.worlds import WORLD
from mock_editor.bench.idp.people import Person
from mock_editor.bench.platform import routes as platform
from mock_editor.bench.platform import store as tables
from mock_editor.bench.platform.accounts import Peer
from mock_editor.bench.platform.calls import TlsFiles
from mock_editor.bench.platform.directory import Directory, Listed, Site
from mock_editor.bench.platform.platform import Platform as SasPlatform
from mock_editor.bench.receiver import received
from mock_editor.bench.receiver import routes as receiver
from mock_editor.bench.receiver.received import Inbox
from mock_editor.bench.receiver.receiver import Receiver
from tests.conftest import NOW
from tests.wire.conftest import Simulator, serve

__all__ = ["serve"]

PUBLIC_URL = "https://sas.example"
RENEE = Person("renee", "Régulateur", "Renée", "renee@sas.example", "3456780581/11242343")
MARC = Person("marc", "Martin", "Marc", "marc@sas.example", None, "1ef1c748-01a3-6180-b098-73283ce4e5b1")
BRIAND = Listed(
    "810100050075",
    "BRIAND",
    "Anna",
    {"SM54": "Médecine générale"},
    [Site("", "1810004421", "1 rue Fictive", "35000", "RENNES", "+33261910001")],
)
# More than any machine takes; a test of somebody who is late says so.
SECONDS = 30.0


class Peers:
    """Editors on real sockets. ``answers`` says by slug what each does with a request; the requests are kept."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, str, bytes]] = []
        peers = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                peers.requests.append((self.command, self.path, body))
                peers.answers[self.path.split("/")[1]](self)

            do_GET = do_PUT = answer  # noqa: N815 - names of theirs

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 100

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def peer(self, slug: str) -> Peer:
        return Peer(slug, slug.title(), f"{self.url}/{slug}/fhir")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answering(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answers so."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def editors() -> Iterator[Peers]:
    made = Peers()
    yield made
    made.close()


@pytest.fixture
def silent() -> Iterator[Peer]:
    """An editor that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Peer("muet", "Muet", f"http://127.0.0.1:{server.getsockname()[1]}/muet/fhir")


@dataclass
class Platform:
    """A platform without an identity provider: people are signed in by hand."""

    client: FlaskClient
    store: Store
    now: Callable[[], Any]
    people: Sequence[Person] = field(default=(RENEE, MARC))

    def sign_in(self, person: Person = RENEE) -> None:
        cookie = tables.PlatformStore(self.store, self.now).open(person)
        self.client.set_cookie("sas_session", cookie, path="/_sas", domain="localhost")

    def page(self, path: str) -> str:
        """What is read on a page."""
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return text(answer.text)

    def search(self, query: str = "territoire=35") -> str:
        """What a search brings, when all have answered."""
        return self.page(f"/_sas/recherche?{query}&complet=oui")

    def send(self, path: str) -> TestResponse:
        """Posts a form that a page has shown."""
        [key, *_] = re.findall(r'name="jeton" value="([^"]*)"', self.client.get("/_sas/regulateurs").text)
        return self.client.post(path, data={"jeton": key})


@dataclass
class World:
    """A world that has no more than what a test gives it."""

    parts: Sequence[object]

    def part(self, kind: type[Any]) -> Any:
        return next(part for part in self.parts if type(part) is kind)


def in_world(app: Flask, *parts: object) -> None:
    """Has an application answer in a world with these parts."""
    behind, world = app.wsgi_app, World(parts)
    app.wsgi_app = lambda environ, start: behind(environ | {WORLD: world}, start)  # type: ignore[method-assign,assignment]


def platform_app(
    store: Store,
    public_url: str = PUBLIC_URL,
    now: Callable[[], Any] = lambda: NOW,
    peers: Sequence[Peer] = (),
    people: Sequence[Person] = (RENEE, MARC),
    listed: Sequence[Listed] = (BRIAND,),
    seconds: float = SECONDS,
) -> Flask:
    """The bench alone: the receiver and the platform, without editors of ours."""
    app = Flask("mock_editor", static_url_path="/_static")
    app.url_map.strict_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    app.register_blueprint(receiver.bp)
    app.register_blueprint(platform.bp)
    directory, waits = Directory(lambda: (listed, ())), Waits(100)
    parts = (
        Receiver(Inbox(store, now), f"{public_url}/_sas/fhir", now, waits, directory, lambda: people, 5),
        SasPlatform(
            public_url=public_url,
            store=tables.PlatformStore(store, now),
            keys=keys.Keys(store),
            now=now,
            waits=waits,
            directory=directory,
            peers=peers,
            people=lambda: people,
            provider=requests.adapters.HTTPAdapter(),
            files=TlsFiles(),
            body_timeout=5,
            seconds=seconds,
        ),
    )
    in_world(app, *parts)
    return app


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state.db", [received.SCHEMA, tables.SCHEMA, keys.SCHEMA])
    yield opened
    opened.close()


@pytest.fixture
def platform_of(store: Store) -> Callable[..., Platform]:
    """Makes a platform, with somebody signed in."""

    def make(*peers: Peer, **options: Any) -> Platform:
        made = Platform(platform_app(store, peers=peers, **options).test_client(), store, lambda: NOW)
        made.sign_in()
        return made

    return make


class Visitor:
    """A browser without scripts before a running simulator. ``html`` is the page that it shows."""

    def __init__(self, world: Simulator) -> None:
        self.url = world.url
        self.session = requests.Session()
        self.status, self.html, self.at = 0, "", ""

    def go(self, path: str) -> str:
        """What is read on a page."""
        return self._shown(self.session.get(f"{self.url}{path}", timeout=20))

    def _shown(self, answer: requests.Response) -> str:
        self.status, self.html, self.at = answer.status_code, answer.text, answer.url
        return text(answer.text)

    def press(self, name: str) -> str:
        """Sends the form with a button."""
        [form] = [one for one in re.findall(r"<form.*?</form>", self.html, re.S) if text(one).endswith(name)]
        action = re.findall(r'action="([^"]*)"', form)[0]
        fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form))
        return self._shown(self.session.post(f"{self.url}{action}", data=fields, timeout=20))

    def sign_in(self, person: str = "mercier", path: str = "/_sas/connexion") -> str:
        """Goes somewhere and chooses at the identity provider."""
        self.go(path)
        asked = re.search(r'name="demande" value="([^"]*)"', self.html)
        assert asked, self.html
        form = {"demande": html.unescape(asked[1]), "personne": person}
        return self._shown(self.session.post(f"{self.url}/_idp/connexion", data=form, timeout=20))

    @property
    def heading(self) -> str:
        return text(re.findall(r"<h1>(.*?)</h1>", self.html, re.S)[0])

    def journal(self, **filters: str) -> list[dict[str, Any]]:
        """Exchanges, the first one first."""
        asked = {"limit": "500", "order": "oldest", **filters}
        answer = requests.get(f"{self.url}/_admin/journal", params=asked, timeout=20)
        found: list[dict[str, Any]] = answer.json()["entries"]
        return found

    def sent(self, number: int) -> Any:
        """The body of a request of the journal."""
        answer = requests.get(f"{self.url}/_admin/journal/{number}", timeout=20)
        return json.loads(answer.json()["request"]["body"])

    def rule(self, **rule: Any) -> None:
        answer = requests.put(f"{self.url}/_admin/faults/panne", json=rule, timeout=20)
        assert answer.ok, answer.text


def text(page: str) -> str:
    """What is read of a page, in one line."""
    seen = re.sub(r"<(head|datalist|select)\b.*?</\1>", " ", page, flags=re.S)
    # Inside a line there is no space around a tag.
    seen = re.sub(r"</?(a|strong|span|code)\b[^>]*>", "", seen)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", seen)).split())


@pytest.fixture(scope="package")
def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    world = Simulator(tmp_path_factory.mktemp("bench"), "--now", NOW.isoformat())
    yield world
    world.process.terminate()
    try:
        world.process.communicate(timeout=10)
    finally:
        world.process.kill()


@pytest.fixture
def visitor(shared_simulator: Simulator) -> Visitor:
    """Before a simulator as at its start."""
    requests.post(f"{shared_simulator.url}/_admin/reset", timeout=20).raise_for_status()
    return Visitor(shared_simulator)

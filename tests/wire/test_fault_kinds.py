"""Every kind that spoils an answer or a notification, set in a running simulator and seen by a plain HTTP client.

Those of time, HTTP and connections are in ``tests/faults/test_wire.py``, those that change when notifications go out in
``tests/notifications/test_faults.py``.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from mock_editor import scenario
from mock_editor.faults.kinds import KINDS
from mock_editor.faults.kinds.conformance import bundles
from tests.admin.conftest import TAKEN
from tests.conftest import GUIDE_THOMAS
from tests.faults.conftest import SEARCHES
from tests.faults.differ import differences
from tests.faults.test_conformance import CASES
from tests.faults.test_payload import CASES as NOTIFICATIONS
from tests.wire.conftest import Simulator

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
BODY = [kind for kind in KINDS if kind.family == "body"]
OF_THE_GUIDE = [name for name, case in CASES.items() if SEARCHES[case.search][0] == "exemples-guide"]
INSTEAD_OF_EMPTY: dict[type[Any], int] = {bundles.NotFoundInsteadOfEmpty: 404, bundles.ErrorInsteadOfEmpty: 500}


class World:
    """An editor's side, and another simulator whose receiver is the SAS."""

    def __init__(self, folder: Any) -> None:
        self.sas = Simulator(folder, "--now", NOW)
        self.editor = Simulator(folder, "--now", NOW, "--sas-url", f"{self.sas.url}/_sas/fhir", "--sas-tries", "1")
        self._right: dict[str, requests.Response] = {}

    def ask(self, method: str, path: str, body: Any = None, *, of: Simulator | None = None) -> requests.Response:
        return requests.request(method, (of or self.editor).url + path, json=body, timeout=20)

    def told(self, path: str, *, of: Simulator | None = None) -> Any:
        answer = self.ask("GET", path, of=of)
        assert answer.ok, answer.text
        return answer.json()

    def set_rule(self, kind: dict[str, Any]) -> None:
        answer = self.ask("PUT", "/_admin/faults/spoilt", {"do": [kind]})
        assert answer.ok, answer.text

    def spoilt(self, search: str, kind: dict[str, Any]) -> tuple[requests.Response, requests.Response]:
        """The right answer to a search, and the one of an editor that has the fault."""
        _, _, target = SEARCHES[search]
        if search not in self._right:
            assert self.ask("DELETE", "/_admin/faults").ok
            self._right[search] = self.ask("GET", target)
        self.set_rule(kind)
        answer = self.ask("GET", target)
        [entry] = self.told("/_admin/journal?limit=1")["entries"]
        assert (entry["rule"], entry["status"]) == (f"spoilt: {kind['kind']}", answer.status_code)
        return self._right[search], answer

    def put_back(self) -> None:
        for one in (self.sas, self.editor):
            assert self.ask("POST", "/_admin/reset", of=one).ok

    def end(self) -> None:
        for one in (self.editor, self.sas):
            one.process.terminate()
            one.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("kinds"))
    yield made
    made.end()


@pytest.fixture
def guide(world: World) -> Iterator[World]:
    """The same with the guide's own examples, at their time."""
    at = scenario.load(scenario.find("exemples-guide")).frozen_at
    assert at
    assert world.ask("PUT", "/_admin/scenario", {"name": "exemples-guide"}).ok
    assert world.ask("POST", "/_admin/clock/freeze", {"at": at.isoformat()}).ok
    yield world
    assert world.ask("PUT", "/_admin/scenario", {"name": "decouverte"}).ok


def spoils_as_it_says(world: World, name: str) -> None:
    case = CASES[name]
    right, answer = world.spoilt(case.search, case.kind.model_dump(mode="json"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == right.headers["Content-Type"]
    assert differences(right.json(), answer.json()).keys() == case.differences


@pytest.mark.parametrize("name", [name for name in CASES if name not in OF_THE_GUIDE])
def test_a_client_sees_the_mistake_and_nothing_else(world: World, name: str) -> None:
    spoils_as_it_says(world, name)


@pytest.mark.parametrize("name", OF_THE_GUIDE)
def test_a_client_sees_it_in_the_examples_of_the_guide_too(guide: World, name: str) -> None:
    spoils_as_it_says(guide, name)


@pytest.mark.parametrize("kind", INSTEAD_OF_EMPTY, ids=lambda kind: kind().name)
def test_a_client_sees_a_refusal_instead_of_the_empty_answer(world: World, kind: type[Any]) -> None:
    right, answer = world.spoilt("r01 of nobody", {"kind": kind().name})
    assert right.json()["total"] == 0
    assert answer.status_code == INSTEAD_OF_EMPTY[kind]
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("kind", BODY, ids=lambda kind: kind().name)
def test_a_client_gets_another_body(world: World, kind: type[Any]) -> None:
    right, answer = world.spoilt("r01", {"kind": kind().name})
    assert answer.status_code == 200
    assert answer.content != right.content
    assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_the_sas_gets_a_notification_with_the_mistake_and_no_other(world: World, name: str) -> None:
    sent: list[dict[str, Any]] = []
    for rule in (None, NOTIFICATIONS[name].kind.model_dump(mode="json")):
        world.put_back()
        if rule:
            world.set_rule(rule)
        assert world.ask("POST", "/_admin/appointments", TAKEN).ok
        assert world.ask("GET", "/_admin/journal/wait?flow=sas&timeout=10", of=world.sas).ok
        [entry] = world.told("/_admin/journal?flow=sas", of=world.sas)["entries"]
        received = world.told(f"/_admin/journal/{entry['id']}", of=world.sas)
        sent.append(json.loads(received["request"]["body"]))
    [told] = world.told("/_admin/journal?flow=INT_R03")["entries"]
    assert told["rule"] == f"spoilt: {name}"
    assert differences(*sent).keys() == NOTIFICATIONS[name].differences


def test_every_kind_that_spoils_something_is_shown() -> None:
    shown = (
        {type(case.kind) for case in CASES.values()}
        | {type(case.kind) for case in NOTIFICATIONS.values()}
        | {*INSTEAD_OF_EMPTY, *BODY}
    )
    assert shown == {kind for kind in KINDS if kind.family in ("conformance", "body", "payload")}


def test_the_receiver_can_be_made_to_fail_so_that_retries_are_seen(tmp_path_factory: pytest.TempPathFactory) -> None:
    simulator = Simulator(tmp_path_factory.mktemp("retries"), "--sas-first-wait", "0.1")
    try:
        rule = {"flows": ["sas"], "first": 2, "do": [{"kind": "status", "code": 503}]}
        requests.put(f"{simulator.url}/_admin/faults/deux-pannes", json=rule, timeout=20).raise_for_status()
        # Retries follow the clock: it has to run.
        requests.post(f"{simulator.url}/_admin/clock/run", json={"at": NOW}, timeout=20).raise_for_status()
        requests.post(f"{simulator.url}/_admin/appointments", json=TAKEN, timeout=20).raise_for_status()
        wait = f"{simulator.url}/_admin/journal/wait?flow=INT_R03&status=2xx&timeout=15"
        assert requests.get(wait, timeout=30).ok
        listed = requests.get(f"{simulator.url}/_admin/journal?order=oldest", timeout=20).json()["entries"]
        assert [one["status"] for one in listed if one["flow"] == "INT_R03"] == [503, 503, 201]
        assert [one["rule"] for one in listed if one["flow"] == "sas"] == ["deux-pannes: status"] * 2 + [None]
    finally:
        simulator.process.terminate()
        simulator.process.communicate(timeout=10)


# --- what has no body


class Kept:
    """One connection, used for all: what stands where no content may be spoils the answer after it."""

    def __init__(self, world: World) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(world.editor.url).netloc, timeout=20)
        self._socket: Any = None

    def ask(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, path)
        self._socket = self._socket or self._connection.sock
        assert self._connection.sock is self._socket, "a new connection"
        answer = self._connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        del headers["date"]
        return answer.status, headers, answer.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def kept(world: World) -> Iterator[Kept]:
    assert world.ask("DELETE", "/_admin/faults").ok
    made = Kept(world)
    yield made
    made.close()
    assert world.ask("DELETE", "/_admin/faults").ok


BASE = "/agenda-ville/fhir"


@pytest.mark.parametrize(
    "path",
    [
        SEARCHES["r01"][2],
        SEARCHES["r01 of nobody"][2],
        SEARCHES["r04"][2],
        SEARCHES["sos"][2],
        f"{BASE}/Slot?start=x&_pretty=true",
        f"{BASE}/Slot/?_format=xml",
        f"{BASE}/Slot/_search",
        f"{BASE}/metadata",
        f"{BASE}/Practitioner?identifier={GUIDE_THOMAS}",
        f"{BASE}/Practitioner/{GUIDE_THOMAS}",
        f"{BASE}/Practitioner/6f2d3c1e-8f0b-4b43-9a51-2d7c0d1c5a10",
        f"{BASE}/Schedule?actor={GUIDE_THOMAS}",
        f"{BASE}/Nothing/x",
        "/nowhere/fhir/Slot",
        f"/agenda-ville/agenda/{GUIDE_THOMAS}?lieu=1",
        f"/agenda-ville/agenda/{GUIDE_THOMAS}?lieu=1&origin=sas",
        "/agenda-ville/agenda/x?lieu=1",
        "/agenda-ville/connexion",
    ],
)
def test_head_tells_the_headers_of_get(world: World, kept: Kept, path: str) -> None:
    for rule in (None, {"kind": "latency", "seconds": 0.001}):
        if rule:
            world.set_rule(rule)
        status, headers, body = kept.ask("GET", path)
        told = kept.ask("HEAD", path)
        # A form's key and the state of a sign-in are drawn anew.
        for drawn in ("set-cookie", "location"):
            assert (drawn in headers) == (drawn in told[1])
            headers.pop(drawn, None), told[1].pop(drawn, None)
        assert told == (status, headers, b"")
        assert int(headers["content-length"]) == len(body)


@pytest.mark.parametrize("kind", BODY, ids=lambda kind: kind().name)
def test_head_tells_the_headers_of_a_spoilt_body(world: World, kept: Kept, kind: type[Any]) -> None:
    path = SEARCHES["r01"][2]
    right = kept.ask("HEAD", path)
    world.set_rule({"kind": kind().name})
    status, headers, body = kept.ask("GET", path)
    assert kept.ask("HEAD", path) == (status, headers, b"")
    assert int(headers["content-length"]) == len(body)
    assert headers != right[1]


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        ({"kind": "status", "code": 204}, None),
        ({"kind": "status", "code": 204, "body": "html"}, None),
        ({"kind": "status", "code": 204, "body": "text", "content_type": "text/csv"}, None),
        ({"kind": "status", "code": 205}, "0"),
        ({"kind": "status", "code": 205, "done_first": True}, "0"),
        ({"kind": "status", "code": 304}, None),
        ({"kind": "html-page", "status": 204}, None),
        ({"kind": "plain-text", "status": 205}, "0"),
        ({"kind": "flapping", "up_seconds": 0.001, "down_seconds": 86_400, "code": 204}, None),
        ({"kind": "quota", "per_minute": 0, "code": 304}, None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_status_without_content_has_none(
    world: World, kept: Kept, method: str, kind: dict[str, Any], length: str | None
) -> None:
    world.set_rule(kind)
    # Sent by hand: a client that knows the status would not even look for content.
    address = urlsplit(world.editor.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as client:
        path = SEARCHES["r01"][2] if method != "POST" else f"{BASE}/Practitioner"
        head = f"{method} {quote(path, safe='/?&=:|,.+')} HTTP/1.1\r\nHost: x\r\n"
        client.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())
        client.sendall(b"GET /_health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(65536), b""))
    told, _, rest = received.partition(b"\r\n\r\n")
    status, *lines = told.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    code = kind.get("code", kind.get("status"))
    assert int(status.split()[1]) == code
    assert headers.get("content-length") == length
    assert headers.keys().isdisjoint({"content-type", "transfer-encoding"})
    # The next answer begins where the head ends.
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert [kept.ask(method, path)[0], kept.ask("GET", path)[0], kept.ask("GET", "/_health")[0]] == [code, code, 200]

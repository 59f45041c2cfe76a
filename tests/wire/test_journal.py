"""What a running simulator has in its journal, whatever it is sent."""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.wire.conftest import Simulator, read_all
from tests.wire.tls import listening, showing

pytestmark = pytest.mark.wire

# Far more than anything here takes, far less than what a pattern takes that starts again at every sign.
WAIT = 10
NOW = "2026-11-20T08:00:00+01:00"
ACCOUNTS = "/agenda-ville/fhir/Practitioner"
FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal")


@pytest.fixture(scope="module")
def simulator(folder: Path) -> Iterator[Simulator]:
    one = Simulator(folder, "--now", NOW, "--database", str(folder / "state.db"))
    yield one
    one.process.terminate()
    one.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Iterator[Simulator]:
    """One with a second listener, for mutual TLS, whose plain one has FHIR too."""
    one = Simulator(tmp_path_factory.mktemp("secured"), *listening(made), "--plain-fhir", "on", "--now", NOW)
    yield one
    one.process.terminate()
    one.process.communicate(timeout=10)


@pytest.fixture
def emptied(simulator: Simulator) -> Simulator:
    """The simulator, with nothing in its journal and no fault."""
    requests.delete(f"{simulator.url}/_admin/journal", timeout=WAIT).raise_for_status()
    requests.delete(f"{simulator.url}/_admin/faults", timeout=WAIT).raise_for_status()
    return simulator


def entries(simulator: Simulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{simulator.url}/_admin/journal", timeout=WAIT).json()["entries"]
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"<a" * 1300 + b' id="' + b"secret" * 920,
        b"<input " + b"'\"" * 4000,
        b"token:a " * 1000,
        b'{"name":"token","value":' * 330,
    ],
)
def test_no_body_stops_the_simulator(emptied: Simulator, body: bytes) -> None:
    answer = requests.post(emptied.url + ACCOUNTS, body, headers=FHIR, timeout=WAIT)
    assert answer.status_code == 400
    # What writes the journal shares the interpreter with all the others.
    assert [one["status"] for one in entries(emptied)] == [400]


def test_a_rule_with_many_stars_stops_nothing_and_can_be_deleted(emptied: Simulator) -> None:
    rule = {"headers": {"User-Agent": "*a" * 40 + "b"}, "do": [{"kind": "status", "code": 503}]}
    url = f"{emptied.url}/_admin/faults/stars"
    requests.put(url, json=rule, timeout=WAIT).raise_for_status()
    search = f"{emptied.url}/agenda-ville/fhir/metadata"
    agents = {"a" * 8000: 200, "a" * 8000 + "b": 503}
    for agent, status in agents.items():
        assert requests.get(search, headers={"User-Agent": agent}, timeout=WAIT).status_code == status
    assert requests.delete(url, timeout=WAIT).status_code == 204
    assert requests.get(search, headers={"User-Agent": "ab"}, timeout=WAIT).status_code == 200


def test_secrets_are_in_no_entry_and_no_file(emptied: Simulator, folder: Path) -> None:
    url = emptied.url
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJTM0NSRVQifQ.UzNDUkVU"
    headers = {
        "X-Forwarded-Access": "Bearer S3CRET1", "DPoP": "S3CRET2", "X-Api-Key": "S3CRET3", "Cookie": "a=S3CRET4",
        "X-Note": f"got {jwt}", "Referer": "https://x.example/?%61uthorization=S3CRET5",
    }  # fmt: skip
    requests.get(
        f"{url}/agenda-ville/fhir/Slot?authorization=Bearer%20S3CRET6&token=S3CRET7", headers=headers, timeout=WAIT
    )
    for media_type, body in {
        "application/fhir+json": r'{"pass\u0077ord":"S3CRET8","a":"{\"client_secret\":\"S3CRET9\"}"}',
        "application/json": '{"note":"Authorization: Basic UzNDUkVU"}',
        "application/xml": "<Password>S3CRET</Password>",
        "application/x-www-form-urlencoded": "p%61ssword=S3CRET&data=%7B%22token%22%3A%22S3CRET%22%7D",
    }.items():
        for path in (ACCOUNTS, "/agenda-ville/connexion", "/_idp/token", "/_sas/fhir/Appointment"):
            requests.post(url + path, body, headers={"Content-Type": media_type}, timeout=WAIT)
    assert len(entries(emptied)) == 17
    shown = [requests.get(f"{url}/_admin/{path}", timeout=WAIT).text for path in ("journal/har", "journal/ndjson")]
    shown += [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    assert any("pass\\\\u0077ord" in text for text in shown)
    assert {found for text in shown for found in re.findall("S3CRET.|UzNDUkVU|eyJzdWIi", text)} == set()


@pytest.mark.parametrize("since", ["2026-11-20T08:00:00+01:00", "2026-11-20T08:00:00%2B01:00"])
@pytest.mark.parametrize("path", ["journal", "journal/count", "journal/wait", "journal/har", "journal/ndjson"])
def test_the_plus_of_an_offset_may_arrive_as_a_space(simulator: Simulator, path: str, since: str) -> None:
    requests.get(f"{simulator.url}/agenda-ville/fhir/metadata", timeout=WAIT).raise_for_status()
    assert requests.get(f"{simulator.url}/_admin/{path}?since={since}", timeout=WAIT).status_code == 200


@pytest.mark.parametrize(
    "path", ["journal", "journal/count", "journal/wait", "journal/har", "journal/ndjson", "journal/stream"]
)
def test_an_editor_that_there_is_not_is_not_found(simulator: Simulator, path: str) -> None:
    answer = requests.get(f"{simulator.url}/_admin/{path}?editor=nobody", timeout=WAIT)
    assert (answer.status_code, "nobody" in answer.json()["detail"]) == (404, True)


def test_every_url_of_a_har_is_absolute(emptied: Simulator) -> None:
    host, port = emptied.url.removeprefix("http://").split(":")
    for line in (
        "GET /agenda-ville/fhir/metadata?x=http://elsewhere HTTP/1.1\r\nHost: lga.example:81",
        f"GET {emptied.url}/agenda-ville/fhir/metadata HTTP/1.1\r\nHost: {host}",
        "OPTIONS * HTTP/1.1\r\nHost: lga.example",
        "GET //agenda-ville/fhir/metadata HTTP/1.0",
        "GET /agenda-ville/fhir/metadata HTTP/9",
        "nonsense",
    ):
        with socket.create_connection((host, int(port)), timeout=WAIT) as sock:
            sock.sendall(f"{line}\r\nConnection: close\r\n\r\n".encode())
            read_all(sock)
    har = requests.get(f"{emptied.url}/_admin/journal/har", timeout=WAIT).json()
    assert [one["request"]["url"] for one in har["log"]["entries"]] == [
        "http://lga.example:81/agenda-ville/fhir/metadata?x=http://elsewhere",
        f"{emptied.url}/agenda-ville/fhir/metadata",
        "http://lga.example/",
        f"{emptied.url}//agenda-ville/fhir/metadata",
        f"{emptied.url}/",
        f"{emptied.url}/",
    ]


CONNECTION = [
    {"kind": "connection-closed"},
    {"kind": "connection-closed", "done_first": True},
    *({"kind": "connection-reset", "where": where} for where in ("start", "headers", "body")),
    {"kind": "truncated-body"},
    {"kind": "garbage"},
    {"kind": "malformed-chunk"},
]


@pytest.mark.parametrize("kind", CONNECTION, ids=lambda kind: "-".join(map(str, kind.values())))
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_an_exchange_is_there_before_its_connection_ends(
    secured: Simulator, made: Path, secure: bool, kind: dict[str, Any]
) -> None:
    admin = f"{secured.url}/_admin"
    requests.delete(f"{admin}/journal", timeout=WAIT).raise_for_status()
    requests.put(f"{admin}/faults/broken", json={"do": [kind]}, timeout=WAIT).raise_for_status()
    url = urlsplit(secured.fhir_url if secure else secured.url)
    sock: socket.socket = socket.create_connection((url.hostname or "", url.port or 0), timeout=WAIT)
    if secure:
        sock = showing(made).wrap_socket(sock, server_hostname="localhost")
    with sock:
        sock.sendall(b"GET /agenda-ville/fhir/metadata HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            read_all(sock)
        [entry] = entries(secured)
    assert entry["rule"] == f"broken: {kind['kind']}"
    assert entry["error"].startswith("the connection was ")


def test_a_har_tells_what_came_by_mutual_tls(secured: Simulator, made: Path) -> None:
    requests.delete(f"{secured.url}/_admin/journal", timeout=WAIT).raise_for_status()
    requests.delete(f"{secured.url}/_admin/faults", timeout=WAIT).raise_for_status()
    certificate = str(made / "sas.pem"), str(made / "sas.key.pem")
    url = f"{secured.fhir_url}/agenda-ville/fhir/metadata"
    requests.get(url, cert=certificate, verify=str(made / "authority.pem"), timeout=WAIT).raise_for_status()
    har = requests.get(f"{secured.url}/_admin/journal/har", timeout=WAIT).json()
    assert [one["request"]["url"] for one in har["log"]["entries"]] == [url]

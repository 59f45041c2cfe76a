"""What a running simulator has in its journal, whatever it is sent."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.wire.conftest import Simulator

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

"""The clock is set back while something waits, on a running server: nothing waits for the old time to come again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mock_editor.admin.operations.accounts import MERCIER
from tests.notifications.conftest import Sas
from tests.wire.conftest import Simulator, eventually
from tests.wire.test_notifications import AGENDA, Regulator, fields

pytestmark = pytest.mark.wire

DECEMBER, NOVEMBER = "2026-12-15T08:00:00+01:00", "2026-11-20T08:00:00+01:00"
CUT = {"name": "coupe", "flows": ["INT_R01"], "do": [{"kind": "cut-body"}]}
SLOW = {"name": "lent", "flows": ["INT_R01"], "do": [{"kind": "latency", "seconds": 0.1}]}


class Admin:
    """The admin API of a running simulator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, path: str, **body: object) -> Any:
        answer = requests.request(method, f"{self.url}/_admin{path}", json=body or None, timeout=20)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def freeze(self, at: str) -> None:
        self("POST", "/clock/freeze", at=at)

    def advance(self, **by: int) -> None:
        self("POST", "/clock/advance", **by)


@pytest.fixture(scope="module")
def sas() -> Iterator[Sas]:
    server = Sas()
    yield server
    server.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, sas: Sas) -> Iterator[Simulator]:
    folder: Path = tmp_path_factory.mktemp("clock")
    waits = ("--sas-first-wait", "60", "--sas-longest-wait", "60", "--sas-answer-timeout", "60")
    simulator = Simulator(folder, "--now", DECEMBER, "--workers", "2", "--sas-url", sas.url, *waits, log=folder / "log")
    yield simulator
    simulator.process.terminate()
    simulator.process.communicate(timeout=20)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture
def admin(running: Simulator) -> Admin:
    """In December, with nothing on its way."""
    found = Admin(running.url)
    found("POST", "/reset")
    found.freeze(DECEMBER)
    return found


def notification(admin: Admin) -> dict[str, Any]:
    [one] = admin("GET", "/notifications")["notifications"]
    found: dict[str, Any] = one
    return found


def test_a_retry_comes_when_it_would_have(admin: Admin, sas: Sas) -> None:
    sas.script = ["503", "503 Retry-After: 3600"]
    Regulator(admin.url).book()
    assert eventually(lambda: notification(admin)["attempts"] == 1, 20)
    admin.freeze(NOVEMBER)
    assert "2026-11-20T07:00" <= notification(admin)["due"] <= "2026-11-20T07:01:00Z"
    admin.advance(minutes=1)
    assert eventually(lambda: notification(admin)["attempts"] == 2, 20)
    # The SAS itself has said when; a second time, and by an amount.
    admin.advance(days=-3)
    admin.advance(minutes=59)
    assert (notification(admin)["attempts"], notification(admin)["state"]) == (2, "waiting")
    admin.advance(minutes=1)
    assert eventually(lambda: notification(admin)["state"] == "accepted", 20)


def test_real_time_after_a_frozen_future_is_no_wait(admin: Admin, sas: Sas) -> None:
    admin.freeze("2199-12-15T08:00:00+01:00")
    sas.script = ["503 Retry-After: 2"]
    answer = requests.get(f"{admin.url}/agenda-ville/fhir/metadata", timeout=20)
    assert answer.status_code == 200
    Regulator(admin.url).book()
    assert eventually(lambda: notification(admin)["attempts"] == 1, 20)
    admin("POST", "/clock/run", at=NOVEMBER, rate=3600)
    assert eventually(lambda: notification(admin)["state"] == "accepted", 20)


def test_a_lock_is_over_when_it_would_have_been(admin: Admin) -> None:
    [account] = [one for one in admin("GET", "/accounts?editor=agenda-ville")["accounts"] if one["id"] == MERCIER]
    email = account["resource"]["telecom"][0]["value"]
    browser = requests.Session()
    page = browser.get(f"{admin.url}/agenda-ville/connexion", timeout=20).text

    def log_in(password: str) -> str:
        data = fields(page, "mot_de_passe") | {"email": email, "mot_de_passe": password}
        return browser.post(f"{admin.url}/agenda-ville/connexion", data, timeout=20).text

    for _ in range(5):
        told = log_in("faux")
    assert "verrouillé jusqu’à 08:15" in told
    admin.freeze(NOVEMBER)
    assert "verrouillé jusqu’à 08:15" in log_in(account["password"])
    admin.advance(minutes=14)
    assert "verrouillé" in log_in(account["password"])
    admin.advance(minutes=1)
    assert "verrouillé" not in log_in("faux")
    # Nor is it locked again where the clock has been before.
    admin.freeze(NOVEMBER)
    assert "verrouillé" not in log_in("faux")


def test_a_timeline_goes_on_where_it_was(admin: Admin) -> None:
    steps = [{"at": 0, "add": [CUT]}, {"at": 60, "add": [SLOW]}, {"at": 120, "clear": True}]
    admin("POST", "/timelines", name="a-moi", steps=steps)

    def rules() -> list[str]:
        return [one["rule"]["name"] for one in admin("GET", "/faults")["faults"]]

    admin.advance(seconds=30)
    assert rules() == ["coupe"]
    admin.freeze(NOVEMBER)
    assert admin("GET", "/timelines")["running"]["seconds"] == 30
    assert rules() == ["coupe"]
    admin.advance(seconds=30)
    assert rules() == ["coupe", "lent"]
    admin.advance(seconds=60)
    assert rules() == []


def test_a_session_is_over_when_it_would_have_been(admin: Admin) -> None:
    regulator = Regulator(admin.url)

    def signed_in() -> bool:
        page = regulator.session.get(f"{admin.url}{AGENDA}&origin=", timeout=20, allow_redirects=False)
        return "/deconnexion" in page.text

    # The other worker follows a moment later.
    assert eventually(signed_in)
    admin.freeze(NOVEMBER)
    admin.advance(hours=11)
    assert eventually(signed_in)
    admin.advance(hours=2)
    assert eventually(lambda: not signed_in())
    # What was over is over.
    admin.freeze("2026-11-19T08:00:00+01:00")
    assert eventually(lambda: admin("GET", "/clock")["now"] == "2026-11-19T07:00:00Z")
    assert not signed_in()

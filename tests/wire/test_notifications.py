"""INT_R03 end to end, in processes of their own: booked on the pages, received by the SAS."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import matched
from tests.forks import Python
from tests.notifications.conftest import Sas
from tests.wire.conftest import Serve, clean_environment, eventually, run

pytestmark = pytest.mark.wire

NOW = ("--now", "2026-11-20T08:00:00+01:00")
AGENDA = "/agenda-ville/agenda/810100050075?lieu=1"


def fields(page: str, part: str) -> dict[str, str]:
    """The hidden fields of the form that has this part."""
    [form] = [one for one in re.findall(r"<form.*?</form>", page, re.DOTALL) if part in one]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


class Regulator:
    """Somebody who came from the SAS and books."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        page = self.session.get(f"{url}{AGENDA}&origin=sas", timeout=10).text
        demands = re.findall(r'name="demande" value="([^"]*)"', page)
        assert demands, page
        demand = demands[-1]
        page = self.session.post(f"{url}/_idp/connexion", {"demande": demand, "personne": "mercier"}, timeout=10).text
        hidden = fields(page, "accepter")
        self.session.post(f"{url}/agenda-ville/cgu", hidden | {"accepter": "1"}, timeout=10)

    def book(self) -> str:
        """Takes the first slot; returns the path of the appointment."""
        page = self.session.get(f"{self.url}{AGENDA}", timeout=10).text
        link = matched(r'href="([^"]*/reserver[^"]*)"', page)[1].replace("&amp;", "&")
        form = self.session.get(self.url + link, timeout=10).text
        hidden = fields(form, "Confirmer") | {"nom": "Fictif"}
        done = self.session.post(f"{self.url}/agenda-ville/agenda/810100050075/reserver", hidden, timeout=10)
        assert "/rendez-vous/" in done.url, done.text
        return done.url.partition("?")[0].removeprefix(self.url)

    def cancel(self, path: str) -> None:
        """Cancels an appointment."""
        hidden = fields(self.session.get(self.url + path, timeout=10).text, "/annuler")
        assert self.session.post(f"{self.url}{path}/annuler", hidden, timeout=10).status_code == 200


@pytest.fixture
def sas() -> Iterator[Sas]:
    server = Sas()
    yield server
    server.close()


def received(url: str) -> list[dict[str, Any]]:
    bundle = requests.get(f"{url}/_sas/fhir/Appointment", timeout=10).json()
    return [entry["resource"] for entry in bundle.get("entry", [])]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_embedded_receiver_gets_every_state(serve: Serve, workers: str) -> None:
    simulator = serve(*NOW, "--workers", workers)
    regulator = Regulator(simulator.url)
    path = regulator.book()
    assert eventually(lambda: [one["status"] for one in received(simulator.url)] == ["booked"])
    regulator.cancel(path)
    assert eventually(lambda: [one["status"] for one in received(simulator.url)] == ["cancelled"])
    [one] = received(simulator.url)
    assert path.endswith(one["identifier"][0]["value"])
    assert one["meta"]["versionId"] == "2"
    assert requests.get(f"{simulator.url}/_sas/rendez-vous", timeout=10).status_code == 200


def test_another_sas_gets_them_from_a_process_apart(serve: Serve, sas: Sas, tmp_path: Path) -> None:
    database = ("--database", str(tmp_path / "shared.db"))
    simulator = serve(*NOW, *database, "--deliver", "off")
    Regulator(simulator.url).book()
    command = [sys.executable, "-m", "mock_editor", "deliver", *database, "--sas-url", sas.url, *NOW]
    with Python(
        command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as apart:
        assert eventually(lambda: len(sas.received) == 1, 15)
        apart.terminate()
        assert apart.wait(10) == 0
        assert apart.stderr
        assert apart.stderr.read() == ""
    assert received(simulator.url) == []


def test_the_page_never_waits_for_the_sas(serve: Serve, sas: Sas) -> None:
    sas.script = ["silence"] * 10
    simulator = serve(*NOW, "--sas-url", sas.url, "--sas-answer-timeout", "60")
    regulator = Regulator(simulator.url)
    for _ in range(3):
        regulator.book()
    assert eventually(lambda: len(sas.received) == 3)


def test_a_sas_that_talks_before_it_answers_or_drips_its_answer_is_told_once(serve: Serve, sas: Sas) -> None:
    sas.script = ["102 103|ok", "drip body"]
    simulator = serve(*NOW, "--sas-url", sas.url, "--sas-answer-timeout", "5", "--workers", "2")
    regulator = Regulator(simulator.url)
    for _ in range(2):
        regulator.book()

    def states() -> list[str]:
        told = requests.get(f"{simulator.url}/_admin/notifications", timeout=20).json()["notifications"]
        return [one["state"] for one in told]

    assert eventually(lambda: states() == ["accepted"] * 2)
    assert [one.method for one in sas.received] == ["POST", "POST"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), "--database: deliver needs the file"),
        (("--database", "{folder}/x.db"), "--sas-url: deliver needs the URL of the SAS"),
        (("--database", "{folder}/x.db", "--sas-url", "ftp://x"), "--sas-url: expected http://"),
        (("--sas-certificate", "{folder}/nowhere.pem"), "--sas-certificate: expected a file that exists"),
    ],
)
def test_what_deliver_cannot_do_is_said_in_a_line(tmp_path: Path, options: tuple[str, ...], text: str) -> None:
    done = run("deliver", *(one.format(folder=tmp_path) for one in options))
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1

"""The pages of the scenario: the one in play, those of the list, one's own; reset and snapshots."""

import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from mock_editor.scenario import find, shipped
from mock_editor.simulator.simulator import Simulator
from tests.admin.conftest import TAKEN
from tests.admin.console_browser import Console, text
from tests.conftest import json_of

PAGE, TEXT, OWN = "/_console/scenario", "/_console/scenario/texte", "/_console/scenario/essai"
GUIDE = find("exemples-guide").read_text(encoding="utf-8")


class Turning(FlaskClient):
    """A client of whatever a simulator plays at the moment."""

    playing: Simulator

    def open(self, *args: Any, **options: Any) -> Any:
        self.application = self.playing.app
        return super().open(*args, **options)


@pytest.fixture
def client(simulator: Simulator) -> FlaskClient:
    found = Turning(simulator.app, use_cookies=True)
    found.playing = simulator
    return found


@pytest.fixture
def console(simulator: Simulator, client: FlaskClient) -> Console:
    found = Console(simulator.app)
    found.client = client
    found.open(PAGE)
    return found


def playing(client: FlaskClient) -> str:
    name: str = json_of(client.get("/_admin/scenario"))["name"]
    return name


def upload(console: Console, operation: str, content: bytes, **fields: str) -> None:
    """Sends the form with a file."""
    target, _, data = next(one for one in console.forms() if one[0].endswith(operation) and "body" in one[2])
    sent = {name: value for name, value in data.items() if name != "body"} | fields
    console._follow(
        console.client.post(
            target, data=sent | {"body": (io.BytesIO(content), "un-fichier")}, content_type="multipart/form-data"
        ),
        target,
    )


# --- what there is


def test_the_scenario_in_play_is_described(console: Console) -> None:
    told = text(console.page)
    assert "Découverte de la recherche de créneaux" in told
    assert "Nom decouverte" in told
    assert "Graine du hasard" in told
    assert "Solène MERCIER" in told
    assert "Agenda Ville agenda-ville" in told


def test_all_scenarios_are_listed_with_what_they_are_about(console: Console) -> None:
    told = text(console.page)
    for path in shipped():
        assert path.stem in told
    assert "Éditeur à la limite des 7 secondes Un éditeur dont une réponse sur cinq environ" in told
    assert "decouverte en jeu" in told


def test_the_text_is_shown_by_lines(console: Console) -> None:
    lines = find("decouverte").read_text(encoding="utf-8").splitlines()
    page = console.open(TEXT).text
    assert page.count('<li id="l') == len(lines)
    assert f"{len(lines)} lignes" in text(console.page)
    assert "chaos-limite-7s" in text(console.open(f"{TEXT}?nom=chaos-limite-7s"))
    assert console.open(f"{TEXT}?nom=nulle-part").status_code == 404


# --- another one


def test_a_scenario_is_loaded(console: Console, client: FlaskClient) -> None:
    client.post("/_admin/appointments", json=TAKEN)
    console.act("loadScenario", "Charger exemples-guide")
    assert (console.told, console.title) == ("Le scénario « exemples-guide » est en jeu.", "Scénario")
    assert playing(client) == "exemples-guide"
    console.act("loadScenario", "Charger decouverte")
    assert json_of(client.get("/_admin/appointments"))["appointments"] == []


def test_a_scenario_is_loaded_with_the_state_kept(console: Console, client: FlaskClient) -> None:
    assert client.post("/_admin/appointments", json=TAKEN).status_code == 201
    console.act("loadScenario", "Charger decouverte", keep_state="true")
    assert len(json_of(client.get("/_admin/appointments"))["appointments"]) == 1


def test_the_file_is_read_again(console: Console, client: FlaskClient) -> None:
    assert client.post("/_admin/appointments", json=TAKEN).status_code == 201
    console.act("reloadScenario", keep_state="true")
    assert console.told == "Le scénario « decouverte » est relu."
    assert len(json_of(client.get("/_admin/appointments"))["appointments"]) == 1


def test_a_file_is_sent_and_played(console: Console, client: FlaskClient) -> None:
    upload(console, "sendScenario", GUIDE.encode())
    assert console.told == "Le scénario « exemples-guide » est en jeu."
    assert playing(client) == "exemples-guide"
    assert "un texte envoyé, « envoi.yaml »" in text(console.page)
    assert not [one for one in console.forms() if one[0].endswith("reloadScenario")]


def test_a_wrong_file_changes_nothing_and_its_lines_are_told(console: Console, client: FlaskClient) -> None:
    upload(console, "sendScenario", b"name: essai\ntitel: x\n")
    assert (console.page.status_code, console.title) == (422, "Scénario")
    assert "envoi.yaml:2" in console.told
    upload(console, "sendScenario", b"\xff")
    assert console.page.status_code in (400, 422)
    assert playing(client) == "decouverte"


# --- one's own


def test_a_text_is_checked_and_then_played(console: Console, client: FlaskClient) -> None:
    console.open(OWN)
    own = GUIDE.replace("name: exemples-guide", "name: a-moi", 1)
    console.act("checkScenario", body=own)
    assert console.told == "Le scénario « a-moi » est correct."
    assert playing(client) == "decouverte"
    assert console.form("checkScenario")[2]["body"].splitlines() == own.splitlines()
    console.act("sendScenario")
    assert console.told == "Le scénario « a-moi » est en jeu."
    assert playing(client) == "a-moi"


def test_what_is_doubtful_is_shown_and_played_all_the_same(console: Console) -> None:
    console.open(OWN)
    own = find("decouverte").read_text(encoding="utf-8").replace("specialties: [SM54]", "specialties: [SM98]", 1)
    line = next(at for at, one in enumerate(own.splitlines(), 1) if "SM98" in one)
    for action, state in (("checkScenario", "correct"), ("sendScenario", "en jeu")):
        console.act(action, body=own)
        assert console.told.startswith(f"Le scénario « decouverte » est {state}. À vérifier : ")
        assert f".yaml:{line} : " in console.told
        assert "SM98 n’est pas un code de la liste nationale" in console.told


def test_lines_that_are_wrong_are_shown(console: Console, client: FlaskClient) -> None:
    console.open(OWN)
    assert console.form("checkScenario")[2]["body"] == find("decouverte").read_text(encoding="utf-8")
    console.act("checkScenario", body="name: essai\ntitel: <b>x</b>\n")
    assert (console.page.status_code, console.title) == (422, "Écrire un scénario")
    assert "essai.yaml:2" in console.told
    assert "« titel » est inconnu ; possibles : name, title" in console.told
    assert '<li value="2"><code>titel: &lt;b&gt;x&lt;/b&gt;</code>' in console.page.text
    assert "<b>x" not in console.page.text
    assert "titel: <b>x</b>" in console.form("checkScenario")[2]["body"]
    assert not [one for one in console.forms() if one[0].endswith("sendScenario")]
    assert playing(client) == "decouverte"


@pytest.mark.parametrize("body", ["", "a: [", "- a\n- b", "\u0001: x", "x"])
def test_a_text_that_is_none_is_refused(console: Console, body: str) -> None:
    console.open(OWN)
    console.act("checkScenario", body=body)
    assert (console.page.status_code, console.title) == (422, "Écrire un scénario")


def test_one_starts_from_a_scenario_of_the_list(console: Console) -> None:
    console.open(f"{TEXT}?nom=chaos-limite-7s")
    console.open(console.links("/scenario/essai?nom=")[0])
    assert "name: chaos-limite-7s" in console.form("checkScenario")[2]["body"]


# --- reset


def test_parts_are_put_back(console: Console, client: FlaskClient) -> None:
    client.post("/_admin/appointments", json=TAKEN)
    client.post("/_admin/clock/advance", json={"hours": 1})
    before = json_of(client.get("/_admin/clock"))["now"]
    target, _, data = console.form("reset", "Remettre ces parties")
    console.post(target, **data | {"body.parts": "appointments"})
    assert console.told == "Le simulateur est remis à zéro."
    assert json_of(client.get("/_admin/appointments"))["appointments"] == []
    assert json_of(client.get("/_admin/clock"))["now"] == before
    for part in ("accounts", "appointments", "calendars", "clock", "faults", "journal"):
        assert f'name="body.parts" value="{part}"' in console.page.text


def test_everything_is_put_back(console: Console, client: FlaskClient) -> None:
    before = json_of(client.get("/_admin/clock"))["now"]
    client.post("/_admin/appointments", json=TAKEN)
    client.post("/_admin/clock/advance", json={"hours": 1})
    console.act("reset", "Tout remettre à zéro")
    assert json_of(client.get("/_admin/appointments"))["appointments"] == []
    assert json_of(client.get("/_admin/clock"))["now"] == before


# --- snapshots


def test_a_snapshot_is_downloaded_and_restored(console: Console, client: FlaskClient) -> None:
    assert client.post("/_admin/appointments", json=TAKEN).status_code == 201
    [link] = console.links("/fichier/saveSnapshot")
    saved = client.get(link)
    assert "attachment" in saved.headers["Content-Disposition"]
    client.post("/_admin/reset")
    upload(console, "restoreSnapshot", saved.data)
    assert console.told == "L’état enregistré est rétabli."
    assert len(json_of(client.get("/_admin/appointments"))["appointments"]) == 1


def test_what_is_no_snapshot_is_refused(console: Console, client: FlaskClient) -> None:
    upload(console, "restoreSnapshot", b"rien")
    assert (console.page.status_code, console.title) == (422, "Scénario")
    assert playing(client) == "decouverte"

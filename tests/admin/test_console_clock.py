"""The page of the clock."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.admin.console_browser import Console, text
from tests.conftest import NOW, json_of, pieces_of

PAGE = "/_console/horloge"


@pytest.fixture
def console(app: Flask) -> Console:
    found = Console(app)
    found.open(PAGE)
    return found


def told(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = json_of(client.get("/_admin/clock"))
    return found


def now(client: FlaskClient) -> datetime:
    return datetime.fromisoformat(told(client)["now"])


def test_the_page_shows_both_times_and_the_mode(console: Console) -> None:
    page = text(console.page)
    assert "08:00:00 vendredi 20 novembre 2026 figée Elle est arrêtée" in page
    assert "Heure réelle : " in page
    assert "Heures affichées : Europe/Paris." in page


@pytest.mark.parametrize(
    ("label", "by"),
    [
        ("15 min d’avance", timedelta(minutes=15)),
        ("1 h d’avance", timedelta(hours=1)),
        ("1 jour d’avance", timedelta(days=1)),
        ("1 semaine d’avance", timedelta(weeks=1)),
        ("− 1 h en arrière", timedelta(hours=-1)),
    ],
)
def test_a_button_moves_the_clock(console: Console, client: FlaskClient, label: str, by: timedelta) -> None:
    console.act("advanceClock", label)
    assert console.told == "L’horloge est avancée."
    assert now(client) == NOW + by
    assert told(client)["mode"] == "frozen"


def test_the_clock_is_moved_by_what_was_typed(console: Console, client: FlaskClient) -> None:
    console.act("advanceClock", "Avancer", days="1", minutes="-30")
    assert now(client) == NOW + timedelta(days=1, minutes=-30)
    console.act("advanceClock", "Aller à cet instant", to="2026-12-24T20:30")
    assert told(client)["now"].startswith("2026-12-24T19:30:00")
    assert "20:30:00 jeudi 24 décembre 2026" in text(console.page)


def test_moving_by_nothing_is_refused(console: Console, client: FlaskClient) -> None:
    console.act("advanceClock", "Avancer")
    assert (console.page.status_code, console.title) == (422, "Horloge")
    assert console.told.startswith("Saisie refusée")
    assert now(client) == NOW


def test_the_clock_is_frozen_run_and_real_again(console: Console, client: FlaskClient) -> None:
    console.act("runClock", "Vitesse réelle")
    assert (told(client)["mode"], console.told) == ("shifted", "L’horloge tourne.")
    assert "décalée Elle avance à la vitesse réelle" in text(console.page)
    console.act("runClock", "3 600 ×")
    assert (told(client)["mode"], told(client)["rate"]) == ("scaled", 3600)
    assert "accélérée, 3\u202f600 ×" in text(console.open(PAGE)).replace("3 600", "3\u202f600")
    console.act("runClock", "Laisser tourner", rate="0.5", at="2026-11-21T09:00")
    assert told(client)["rate"] == 0.5
    assert "ralentie, 0,5 ×" in text(console.page)
    console.act("freezeClock", "Figer maintenant")
    assert told(client)["mode"] == "frozen"
    console.act("freezeClock", "Figer à cet instant", at="2026-11-21T09:00")
    assert told(client)["now"].startswith("2026-11-21T08:00:00")
    console.act("realClock")
    assert told(client)["mode"] == "real"
    assert "réelle Elle donne l’heure réelle." in text(console.page)


@pytest.mark.parametrize("fields", [{"rate": "0"}, {"rate": "1000000"}, {"rate": "vite"}, {"at": "2300-01-01T00:00"}])
def test_what_cannot_be_played_comes_back(console: Console, client: FlaskClient, fields: dict[str, str]) -> None:
    console.act("runClock", "Laisser tourner", **fields)
    assert (console.page.status_code, console.title) == (422, "Horloge")
    assert console.page.text.count("is-invalid")
    assert told(client)["mode"] == "frozen"


def test_the_time_streams(client: FlaskClient) -> None:
    answer = client.get(f"{PAGE}/direct", buffered=False)
    pieces = pieces_of(answer)
    assert "08:00:00" in next(pieces).decode()
    client.post("/_admin/clock/advance", json={"hours": 1})
    assert "09:00:00" in next(pieces).decode()
    answer.close()

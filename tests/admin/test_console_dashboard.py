"""The dashboard of the console: how every editor is doing, and what changes while one looks."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from mock_editor.admin.console.charts import Chart
from mock_editor.base.flows import Flow
from mock_editor.journal.model import ExchangeRecord
from mock_editor.simulator.simulator import Simulator
from tests.admin.conftest import AT_SOS, TAKEN
from tests.admin.console_browser import Console, text, words
from tests.conftest import json_of, pieces_of

HOME, LIVE = "/_console/", "/_console/direct"
SLOW = {"name": "coupe", "editors": ["agenda-ville"], "do": [{"kind": "cut-body", "share": 0.5}]}
Answer = Callable[..., None]


@pytest.fixture
def answer(simulator: Simulator) -> Answer:
    """Takes down that an editor has answered, so long ago (seconds)."""

    def one(*, ago: float = 0, times: int = 1, **values: object) -> None:
        began = time.time() - ago
        for _ in range(times):
            usual = {"began": began, "clock": datetime.now(UTC), "direction": "in", "editor": "agenda-ville"}
            given = (
                usual | {"flow": Flow.INT_R01, "method": "GET", "url": "/x", "status": 200, "seconds": 0.01} | values
            )
            simulator.journal.writer.record(ExchangeRecord(**given))  # type: ignore[arg-type]
        simulator.journal.writer.flush()

    return one


def row(console: Console, editor: str) -> str:
    """What is said of an editor."""
    [found] = [one for one in re.findall("<tr>(.*?)</tr>", console.page.text, re.DOTALL) if f">{editor}<" in one]
    return words(found)


def table(console: Console, title: str) -> dict[str, list[int]]:
    """The numbers of a chart, by the names of its columns."""
    chart = console.page.text.partition(f"{title}</figcaption>")[2].partition("</figure>")[0]
    lines = re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', chart)
    return {name: [int(one) for one in re.findall(r"<td>(\d+)</td>", cells)] for name, cells in lines}


def test_rates_and_latencies_are_those_of_the_last_five_minutes(console: Console, answer: Answer) -> None:
    answer(times=17, seconds=0.02)
    answer(times=2, seconds=0.2)
    answer(seconds=0.9)
    answer(ago=400, times=50, seconds=5.0)
    answer(direction="out", times=50, seconds=5.0)
    console.open(HOME)
    assert "normal 4,0 20 ms 200 ms" in row(console, "Agenda Ville")
    assert "normal 0,0 – –" in row(console, "Agenda SOS")
    answer(times=4, seconds=1.5)
    console.open(HOME)
    assert "lent 4,8 20 ms 1,5 s" in row(console, "Agenda Ville")


def test_answers_are_counted_by_minute_and_status(console: Console, answer: Answer) -> None:
    answer(ago=3600, times=7)
    answer(ago=600, times=7)
    for status in (200, 201, 302, 404, 422, 500, 503, 504, None):
        answer(status=status)
    answer(editor=None, flow=Flow.SAS, times=7)
    console.open(HOME)
    counts = table(console, "Réponses par minute, selon leur statut")
    assert len(counts) == 30
    found = [one for one in counts.values() if any(one)]
    assert found[0] == [7, 0, 0, 0, 0]
    # A minute may have begun meanwhile.
    assert [sum(kind) for kind in zip(*found, strict=True)] == [9, 1, 2, 3, 1]
    assert "16 réponses des logiciels au cours des 30 dernières minutes." in console.page.text
    assert "Le journal ne remonte qu’à" not in text(console.page)


def test_a_journal_that_does_not_reach_back_says_so(console: Console, answer: Answer) -> None:
    answer(ago=60)
    assert re.search(r"Le journal ne remonte qu’à \d\d:\d\d\.", text(console.open(HOME)))


def test_latencies_are_counted_by_class(console: Console, answer: Answer) -> None:
    for seconds in (0.0004, 0.001, 0.0011, 0.3, 61.0):
        answer(seconds=seconds)
    answer(direction="out", seconds=0.3)
    console.open(HOME)
    counts = {name: count for name, [count] in table(console, "Durées des réponses").items() if count}
    assert counts == {"jusqu’à 1 ms": 2, "jusqu’à 2,5 ms": 1, "jusqu’à 500 ms": 1, "plus de 60 s": 1}


def test_bars_fill_the_drawing_to_the_highest_column() -> None:
    chart = Chart("t", "d", [("ok", "2xx"), ("failed", "5xx")], ["a", "b", "c"], ["", "", ""], [[3, 1], [0, 0], [1, 1]])
    assert chart.most == 4
    assert [(one.kind, one.x, one.y, one.height, one.told) for one in chart.bars] == [
        ("ok", 0.75, 25, 75, "a : 3 2xx"),
        ("failed", 0.75, 0, 25, "a : 1 5xx"),
        ("ok", 20.75, 75, 25, "c : 1 2xx"),
        ("failed", 20.75, 50, 25, "c : 1 5xx"),
    ]
    assert Chart("t", "d", [("ok", "2xx")], ["a"], [""], [[0]]).bars == []


def test_faults_in_force_are_shown_and_can_be_switched_off(console: Console, client: FlaskClient) -> None:
    client.post("/_admin/faults", json=SLOW)
    client.post("/_admin/faults", json={**SLOW, "name": "eteinte", "on": False})
    told = text(console.open(HOME))
    assert "Pannes en cours 1" in told
    assert "en panne : coupe" in row(console, "Agenda Ville")
    assert "normal" in row(console, "Agenda SOS")
    assert "coupe : Réponse tronquée, chez Agenda Ville, 0 fois" in told
    # From the editor, and from the list.
    assert console.links("/pannes/regle/") == ["/_console/pannes/regle/coupe"] * 2
    console.act("switchFaultOff", "coupe")
    assert (console.visited[-1], console.told) == (HOME, "La panne « coupe » est désactivée.")
    assert "Pannes en cours 0" in text(console.page)
    assert [one["in_force"] for one in json_of(client.get("/_admin/faults"))["faults"]] == [False, False]


def test_a_timeline_is_stopped_as_a_whole(console: Console, client: FlaskClient) -> None:
    client.post("/_admin/timelines", json={"name": "panne", "steps": [{"at": 0, "add": [SLOW]}]})
    assert "coupe : Réponse tronquée, chez Agenda Ville, 0 fois, du déroulé panne" in text(console.open(HOME))
    console.act("stopTimeline", "panne")
    assert console.told == "Le déroulé est arrêté."
    assert "Pannes en cours 0" in text(console.page)


def test_the_clock_and_what_is_not_sent(console: Console, client: FlaskClient) -> None:
    client.post("/_admin/notifications/pause")
    client.post("/_admin/appointments", json=TAKEN)
    client.post("/_admin/appointments", json=AT_SOS)
    client.post("/_admin/clock/run", json={"at": "2026-12-24T20:00:00+01:00", "rate": 60})
    told = text(console.open(HOME))
    assert "Horloge (accélérée) jeudi 24 décembre 2026 à 20:0" in told
    assert "Notifications au SAS, suspendues 1 en attente, 0 en échec" in told


# --- live


def events(client: FlaskClient) -> Iterator[bytes]:
    """What the stream says, without its heartbeats."""
    answer = client.get(LIVE, buffered=False)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    yield from (one for one in pieces_of(answer) if one != b":\n\n")


def test_what_changes_is_told_as_a_part_of_the_page(client: FlaskClient) -> None:
    pieces = events(client)
    first = next(pieces).decode()
    assert ("Logiciels" in first, "<html" in first, "en panne" in first) == (True, False, False)
    client.post("/_admin/faults", json=SLOW)
    second = next(pieces).decode()
    assert "en panne : coupe" in words(second)
    # Its form leads to the page, not to the stream.
    assert 'name="vers" value="/_console/"' in second

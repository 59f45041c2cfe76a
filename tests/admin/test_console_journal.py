"""The journal in the console: the list with its filters, what comes while one looks, and an exchange as a whole."""

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from werkzeug.test import Client

from mock_editor.admin.console.journal import indented
from mock_editor.app import from_inside
from mock_editor.base.applied_rules import AppliedRule, RuleOutcome
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, issue
from mock_editor.journal.model import ExchangeRecord
from mock_editor.scenario import Script
from mock_editor.simulator.simulator import Simulator
from tests.accounts.conftest import NATIONAL, regulator
from tests.admin.console_browser import Console, text, words
from tests.conftest import GUIDE_THOMAS, pieces_of, slot_search, sos_search

FAILED = issue(Code.CALL_FAILED, reason="x")

LIST, LIVE = "/_console/journal", "/_console/journal/direct"
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def sas(simulator: Simulator) -> Client:
    """A client whose exchanges are taken down."""
    return Client(from_inside(simulator, simulator.app))


@pytest.fixture
def record(simulator: Simulator) -> Callable[..., int]:
    """Takes down an exchange of one's own making; returns its number."""

    def one(**values: object) -> int:
        usual = {"began": 1_800_000_000.0, "clock": datetime.now(UTC), "direction": "in", "editor": "agenda-ville"}
        given = usual | {"flow": Flow.READ, "method": "GET", "url": "/agenda-ville/fhir/x", "status": 200} | values
        exchange = ExchangeRecord(**given)  # type: ignore[arg-type]
        for part in ("request", "answer"):
            size = len(getattr(exchange, f"{part}_body"))
            setattr(exchange, f"{part}_size", max(size, getattr(exchange, f"{part}_size")))
        simulator.journal.writer.record(exchange)
        simulator.journal.writer.flush()
        return exchange.id

    return one


def rows(console: Console) -> list[str]:
    """What the rows of the list say."""
    body = console.page.text.partition("<tbody")[2].partition("</tbody>")[0]
    return [words(row) for row in re.findall("<tr>(.*?)</tr>", body, re.DOTALL)]


def numbers(console: Console) -> list[int]:
    return [int(row.split()[0]) for row in rows(console)]


# --- the list


def test_nothing_yet(console: Console) -> None:
    assert console.open(LIST).status_code == 200
    assert "Aucun échange." in text(console.page)
    assert rows(console) == []


def test_exchanges_are_listed_the_last_first(console: Console, sas: Client) -> None:
    sas.get(slot_search([GUIDE_THOMAS]))
    sas.get(sos_search(["334173748400020"]))
    sas.post("/agenda-ville/fhir/Practitioner", json=regulator((NATIONAL, "x/1")))
    sas.get("/agenda-cpts/fhir/Slot")
    console.open(LIST)
    found = [re.sub(r" \d\d/\d\d/\d{4} à [\d:]+,\d{3}", "", row) for row in rows(console)]
    assert [re.sub(r" [\d,]+ m?s$", "", row) for row in found] == [
        "4 INT_R01 agenda-cpts GET /agenda-cpts/fhir/Slot 400",
        "3 INT_R02 agenda-ville POST /agenda-ville/fhir/Practitioner 201",
        "2 SOS Médecins agenda-sos GET /agenda-sos/fhir/Schedule 200",
        "1 INT_R01 agenda-ville GET /agenda-ville/fhir/Slot 200",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("editor=agenda-ville", [4, 3, 1]),
        ("editor=&flow=&status=", [5, 4, 3, 2, 1]),
        ("flow=INT_R02", [2]),
        ("direction=out", [4]),
        ("direction=in&editor=agenda-ville", [3, 1]),
        ("status=4xx", [2]),
        ("status=422", [2]),
        ("status=none", [4]),
        ("method=POST", [4, 2]),
        ("path=/agenda-sos", [5]),
        ("contains=Garance", [3]),
        ("contains=%3Cscript%3E", [1]),
        ("min_ms=1500", [5]),
        # In Paris.
        ("since=2027-01-15T09:00:10", [5, 4]),
        ("since=2027-01-15T09:00:10.001", [5]),
    ],
)
def test_filters(console: Console, record: Callable[..., int], query: str, expected: list[int]) -> None:
    record(url=f"/agenda-ville/fhir/x?a={HOSTILE}")
    record(flow=Flow.INT_R02, editor="agenda-sos", method="POST", status=422, url="/x")
    record(answer_body=b"Garance")
    record(
        direction="out",
        flow=Flow.INT_R03,
        method="POST",
        status=None,
        error=FAILED,
        began=1_800_000_010.0,
    )
    record(editor=None, url="/agenda-sos/fhir/y", seconds=1.5, began=1_800_000_010.5)
    assert console.open(f"{LIST}?{query}").status_code == 200
    assert numbers(console) == expected
    [har] = console.links("/fichier/exportHar")
    told = json.loads(console.client.get(har).text)["log"]["entries"]
    assert [one["_id"] for one in told] == expected[::-1]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("status=zz", "statut : la forme n’est pas la bonne"),
        ("min_ms=x", "durée minimale : un nombre est attendu"),
        ("since=hier", "début : une date et une heure sont attendues"),
        ("flow=x", "flux : valeurs possibles"),
        ("editor=%00", "logiciel : la forme"),
    ],
)
def test_a_filter_that_is_none(console: Console, record: Callable[..., int], query: str, told: str) -> None:
    record()
    assert console.open(f"{LIST}?{query}").status_code == 422
    assert told in text(console.page)
    assert (rows(console), "data-live=" in console.page.text) == ([], False)
    name, _, value = query.partition("=")
    if name in ("status", "min_ms"):
        assert re.search(f'name="{name}"[^>]* value="{value}"[^>]*aria-invalid="true"', console.page.text)
    assert console.open(f"{LIVE}?{query}").status_code == 422


def test_a_filter_that_nothing_has_to_do_with_is_left_alone(console: Console, record: Callable[..., int]) -> None:
    record()
    console.open(f"{LIST}?x=y&limit=0&avant=x&apres=-1&avant=1")
    assert numbers(console) == [1]


def test_pages_of_the_list(console: Console, record: Callable[..., int]) -> None:
    for at in range(120):
        record(editor="agenda-sos" if at == 60 else "agenda-ville")

    def follow(words_of_link: str) -> list[int]:
        links = re.findall(r'href="([^"]*)">([^<]*)</a>', console.page.text)
        [url] = (html.unescape(url) for url, label in links if words_of_link in label)
        console.open(url)
        assert "editor=agenda-ville" in url
        return numbers(console)

    console.open(f"{LIST}?editor=agenda-ville")
    assert numbers(console) == [*range(120, 70, -1)]
    assert follow("Plus anciens") == [*range(70, 61, -1), *range(60, 19, -1)]
    assert "data-live=" not in console.page.text
    assert follow("Plus anciens") == [*range(19, 0, -1)]
    assert "Plus anciens" not in console.page.text
    assert follow("Plus récents") == [*range(70, 61, -1), *range(60, 19, -1)]
    assert follow("Plus récents") == [*range(120, 70, -1)]
    assert follow("Les derniers") == [*range(120, 70, -1)]
    assert "Aucun échange de cette sorte de plus." in text(console.open(f"{LIST}?editor=agenda-ville&avant=1"))


def test_clearing(console: Console, record: Callable[..., int]) -> None:
    record()
    console.open(LIST)
    console.act("clearJournal")
    assert (console.told, rows(console)) == ("Le journal est vidé.", [])


# --- an exchange


def test_an_exchange_as_a_whole(console: Console, sas: Client) -> None:
    sent = regulator((NATIONAL, "x/1"))
    sas.post("/agenda-ville/fhir/Practitioner", json=sent, headers={"X-Trace": "abc'd"})
    console.open(LIST)
    told = text(console.open(console.links("/journal/1")[0]))
    assert console.title == "Échange 1"
    assert "Flux INT_R02, comptes Sens reçu par le logiciel agenda-ville" in told
    assert "Heure simulée 20/11/2026 à 08:00:00,000 Demande POST /agenda-ville/fhir/Practitioner Statut 201" in told
    assert "X-Trace abc'd" in told
    bodies = [html.unescape(one) for one in re.findall(r"<pre[^>]*>\n(.*?)</pre>", console.page.text, re.DOTALL)]
    assert bodies[0] == json.dumps(sent, indent=2)
    assert bodies[1].startswith("curl -X POST https://lga.example/agenda-ville/fhir/Practitioner \\\n")
    assert "-H 'X-Trace: abc'\"'\"'d'" in bodies[1]
    assert "Content-Length" not in bodies[1]
    assert '"resourceType": "Practitioner"' in bodies[2]


def test_everything_hostile_is_escaped(console: Console, record: Callable[..., int]) -> None:
    heads = [(HOSTILE, HOSTILE)]
    number = record(
        url=f"/agenda-ville/fhir/{HOSTILE}?a={HOSTILE}",
        method=HOSTILE,
        peer=HOSTILE,
        certificate=HOSTILE,
        error=issue(Code.CALL_FAILED, reason=HOSTILE),
        rule=AppliedRule(HOSTILE, (HOSTILE,), RuleOutcome.FAILED, HOSTILE),
        request_headers=heads,
        answer_headers=heads,
        request_body=HOSTILE.encode(),
        answer_body=b'{"a": "' + HOSTILE.encode()[1:] + b'"}',
    )
    for url in (LIST, f"{LIST}?contains={HOSTILE}", f"{LIST}/{number}"):
        page = console.open(url)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text


def test_a_body_that_was_cut_is_shown_as_cut(console: Console, record: Callable[..., int]) -> None:
    number = record(answer_body=b'{"a":[1,{"b":"tru', answer_size=5000, request_size=12)
    told = text(console.open(f"{LIST}/{number}"))
    assert "12 octets, que le journal ne garde pas." in told
    assert "5000 octets : le corps est coupé , le journal n’en garde que le début." in told
    assert '{\n  "a": [\n    1,\n    {\n      "b": "tru</pre>' in html.unescape(console.page.text)


def test_a_body_that_is_no_text(console: Console, record: Callable[..., int]) -> None:
    number = record(request_body=b"\xff\xfe", method="POST")
    told = text(console.open(f"{LIST}/{number}"))
    assert "2 octets, en base64 car ce n’est pas du texte UTF-8." in told
    assert "//4=" in told
    assert "--data-raw" not in told


def test_an_exchange_without_an_answer(console: Console, record: Callable[..., int]) -> None:
    number = record(
        direction="out",
        flow=Flow.INT_R03,
        status=None,
        error=issue(Code.CALL_FAILED, reason="ConnectTimeout: x"),
        url="https://sas.example/x",
    )
    told = text(console.open(f"{LIST}/{number}"))
    assert "envoyé par le logiciel" in told
    assert "Statut aucune réponse" in told
    assert "Incident L’appel a échoué : ConnectTimeout: x" in told
    assert told.endswith("Réponse Il n’y en a pas eu.")
    assert "curl -X GET https://sas.example/x" in told


def test_the_rule_that_acted(console: Console, sas: Client, client: FlaskClient) -> None:
    body = {"name": "coupe", "do": [{"kind": "cut-body", "share": 0.25}]}
    assert client.post("/_admin/faults", json=body).status_code == 201
    assert sas.get(slot_search([GUIDE_THOMAS])).status_code == 200
    console.open(LIST)
    assert "200 panne : coupe" in rows(console)[0]
    assert "Panne coupe Réponse tronquée (part envoyée : 0,25) : Le contenu s’arrête" in text(console.open(f"{LIST}/1"))
    assert console.open(console.links("/coupe")[0]).status_code == 200
    client.delete("/_admin/faults")
    assert "Panne coupe Réponse tronquée : Le contenu s’arrête" in text(console.open(f"{LIST}/1"))
    assert console.links("/coupe") == []


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (RuleOutcome.FAILED, "en échec : KeyError"),
        (RuleOutcome.REFUSED, "refusée : plus de place pour attendre"),
        (RuleOutcome.STOPPED, "interrompue : le simulateur s’arrête"),
    ],
)
def test_what_came_of_the_rule(console: Console, record: Callable[..., int], outcome: RuleOutcome, said: str) -> None:
    number = record(rule=AppliedRule("attente", ("hang",), outcome, "KeyError"))
    told = text(console.open(f"{LIST}/{number}"))
    assert "Panne attente Silence : Aucune réponse" in told
    assert said in told


@pytest.mark.parametrize("number", ["0", "7", "99999999999999999999999", "x", "1/2", "-1"])
def test_an_exchange_that_there_is_not(console: Console, number: str) -> None:
    assert console.open(f"{LIST}/{number}").status_code == 404
    assert console.title == "Page introuvable"


VALUES = {"a": [], "b": {}, "c": [1, {"x": 'y,}"{'}], "d": "é\\", "e": -1.5e3, "f": None, "g": [[[]]]}


@pytest.mark.parametrize("value", [VALUES, [], {}, [[]], [1], [{}]])
def test_whole_json_is_indented_as_usual(value: object) -> None:
    for separators in ((",", ":"), (" , ", " : ")):
        written = json.dumps(value, ensure_ascii=False, separators=separators)
        assert indented(written) == json.dumps(value, indent=2, ensure_ascii=False)


def test_json_cut_off_anywhere_keeps_all_its_signs() -> None:
    written = json.dumps(VALUES, ensure_ascii=False)
    for end in range(len(written)):
        assert re.sub(r"\s", "", indented(written[:end])) == re.sub(r"\s", "", written[:end])


@pytest.mark.parametrize("other", ["", "x", "<a>", "]", "[]]", "{]}}", "[" * 5000, '"[', "null"])
def test_anything_else_is_left_alone(other: str) -> None:
    assert indented(other) == other


# --- live


def stream(client: FlaskClient, url: str = LIVE) -> Iterator[bytes]:
    answer = client.get(url, buffered=False)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    return pieces_of(answer)


def test_what_comes_is_added(simulator: Simulator, client: FlaskClient, record: Callable[..., int]) -> None:
    record()
    pieces = stream(client, f"{LIVE}?status=4xx")
    # The head of an answer goes with its first piece.
    assert next(pieces) == b":\n\n"
    record()
    for _ in range(3):
        last = record(status=404, url=f"/x/{HOSTILE}")
    event = next(pieces).decode()
    assert event.endswith("\n\n")
    assert all(line.startswith("data: ") for line in event.strip().splitlines()[1:])
    assert re.findall(r"/_console/journal/(\d+)", event) == [str(last), str(last - 1), str(last - 2)]
    assert "<script>" not in event
    assert event.startswith(f"id: {last}\ndata: ")
    assert simulator.waits.waiting == 1
    pieces.close()  # type: ignore[attr-defined]
    assert simulator.waits.waiting == 0


def test_a_stream_goes_on_after_what_was_seen(client: FlaskClient, record: Callable[..., int]) -> None:
    seen = record()
    missed = [record() for _ in range(2)]
    for query, headers in (
        (f"?dernier={seen}", {}),
        ("?dernier=1", {"Last-Event-ID": str(seen)}),
        (f"?dernier={seen}&flow=read", {}),
    ):
        answer = client.get(f"{LIVE}{query}", headers=headers, buffered=False)
        pieces = pieces_of(answer)
        assert next(pieces) == b":\n\n"
        event = next(pieces).decode()
        assert re.findall(r"/_console/journal/(\d+)", event) == [str(one) for one in missed[::-1]]
        answer.close()


def test_a_stream_ends_with_the_simulator_and_with_its_world(simulator: Simulator) -> None:
    for ending in (
        lambda: simulator.load(Script.of("x.yaml", simulator.world.scenario.script.text.encode()), keep_state=True),
        simulator.waits.stop,
    ):
        pieces = stream(simulator.app.test_client(), "/_console/direct")
        assert b"Logiciels" in next(pieces)
        ending()
        assert list(pieces) == []
        pieces.close()  # type: ignore[attr-defined]
        assert simulator.waits.waiting == 0


def test_streams_are_for_those_who_may_see_the_console(client: FlaskClient) -> None:
    for url in (LIVE, "/_console/direct"):
        assert client.get(url, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 403
        assert client.head(url).status_code == 200

"""The pages of faults: the list, the form of every kind, those that are ready, timelines."""

import html
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import Client

from mock_editor.admin.console.kinds import parameters
from mock_editor.admin.console.presets import PRESETS
from mock_editor.base.clock import Clock
from mock_editor.faults.catalogue import catalogue, name_of
from mock_editor.faults.kinds import FAMILIES, KINDS
from mock_editor.faults.middleware import FaultMiddleware
from mock_editor.scenario import LoadedScenario, find, load
from mock_editor.simulator.simulator import Simulator
from tests.admin.console_browser import Console, text
from tests.conftest import GUIDE_THOMAS, NOW, json_of, matched, pieces_of, playing, slot_search

FAULTS, NEW = "/_console/pannes", "/_console/pannes/nouvelle?genre="
ALL_KINDS = [name_of(kind) for kind in KINDS]
SLOW = {"flows": ["INT_R01"], "do": [{"kind": "latency", "seconds": 0}]}


@pytest.fixture
def served(simulator: Simulator) -> Client:
    """A client of what is served: the editors with the faults before them."""
    return Client(
        FaultMiddleware(simulator, simulator.faults, simulator.waits, lambda: simulator.world.catalogue.editors, 1)
    )


def send(console: Console, operation: str, label: str, fields: dict[str, str]) -> None:
    """Sends a form with what was typed and chosen, by the whole names of its fields."""
    target, _, data = console.form(operation, label)
    assert all(f'name="{name}"' in console.page.text for name in fields)
    console.post(target, **data | fields)


def keep(console: Console) -> None:
    """Sends the form of a rule as it is, with what is checked in it."""
    boxes = re.findall(r'name="(body[^"]*)" value="([^"]*)" checked', console.page.text)
    send(console, "setFault", "Enregistrer", dict(boxes))


def rules(client: FlaskClient) -> dict[str, Any]:
    return {one["rule"]["name"]: one for one in json_of(client.get("/_admin/faults"))["faults"]}


def put(client: FlaskClient, name: str, **rule: Any) -> None:
    answer = client.put(f"/_admin/faults/{name}", json=SLOW | rule)
    assert answer.status_code == 200, answer.text


def row(console: Console, name: str) -> str:
    """What the list says of a rule."""
    found = [one for one in re.findall(r"<tr.*?</tr>", console.page.text, re.DOTALL) if f"/regle/{name}" in one]
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", found[0])).split())


# --- words


def test_every_kind_has_french_words() -> None:
    assert all(kind.french.title and kind.french.description.endswith(".") for kind in KINDS)
    assert all(one.labels.keys() == one.parameters["properties"].keys() for one in catalogue().values())
    assert all(label.text for one in catalogue().values() for label in one.labels.values())
    assert set(FAMILIES) == {kind.family for kind in KINDS}


def test_titles_are_told_apart_within_a_family() -> None:
    titles = [(kind.family, kind.french.title) for kind in KINDS]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_either_all_choices_have_words_or_they_are_words_of_a_standard(kind: str) -> None:
    labels = catalogue()[kind].labels
    for one in parameters(kind):
        choices = {value for value, _ in one.options if value}
        assert labels[one.name].values.keys() in (choices, set()), one.name


# --- the form of each kind


@pytest.mark.parametrize("family", FAMILIES)
def test_the_form_of_every_kind_makes_a_rule(console: Console, client: FlaskClient, family: str) -> None:
    told = text(console.open(f"{FAULTS}/genres"))
    for kind in (name_of(one) for one in KINDS if one.family == family):
        words = catalogue()[kind].french
        assert f"{words.title} {kind} {words.description}" in told
        console.open(f"{NEW}{kind}")
        assert console.title == "Nouvelle panne"
        _, _, fields = console.form("addFault")
        expected = {f"body.do.0.{name}" for name in catalogue()[kind].parameters["properties"]}
        assert {name for name in fields if name.startswith("body.do.")} == expected | {"body.do.0.kind"}
        send(console, "addFault", "Ajouter", {"body.editors": "agenda-ville"})
        assert (console.page.status_code, console.title) == (200, "Pannes"), console.told
        assert console.told == f"La panne « {kind} » est créée."
        rule = rules(client)[kind]["rule"]
        assert (rule["editors"], rule["do"][0]["kind"]) == (["agenda-ville"], kind)
        # What the form shows of the rule that it has made says the same rule again.
        console.open(f"{FAULTS}/regle/{kind}")
        keep(console)
        assert console.told == f"La panne « {kind} » est enregistrée."
        assert rules(client)[kind]["rule"] == rule


def test_all_that_a_form_says_is_in_the_rule(console: Console, client: FlaskClient) -> None:
    console.open(f"{NEW}status")
    fields = {
        "body.name": "tout",
        "body.do.0.code": "503",
        "body.do.0.retry_after_seconds": "30",
        "body.flows": "INT_R01",
        "body.identifiers": f"{GUIDE_THOMAS}\r\n810002673899",
        "body.methods": "GET",
        "body.headers": '{"User-Agent": "curl*"}',
        "body.share": "0.5",
        "body.every": "2",
        "body.first": "10",
        "body.uses": "3",
        "body.since": "2026-11-20T09:00",
        "body.until": "2026-11-20T10:00:30",
        "body.hours": "08:00-12:00",
        "body.priority": "7",
    }
    send(console, "addFault", "Ajouter", fields)
    assert console.told == "La panne « tout » est créée."
    rule = rules(client)["tout"]["rule"]
    assert rule["do"][0] == rule["do"][0] | {"kind": "status", "code": 503, "retry_after_seconds": 30}
    said = {key: rule[key] for key in ("identifiers", "methods", "headers", "share", "every", "first", "uses")}
    assert said == {
        "identifiers": [GUIDE_THOMAS, "810002673899"],
        "methods": ["GET"],
        "headers": {"User-Agent": "curl*"},
        "share": 0.5,
        "every": 2,
        "first": 10,
        "uses": 3,
    }
    assert [datetime.fromisoformat(rule[key]) for key in ("since", "until")] == [
        NOW + timedelta(hours=1),
        NOW + timedelta(hours=2, seconds=30),
    ]
    assert (rule["hours"], rule["priority"], rule["on"]) == ("08:00-12:00", 7, True)
    told = row(console, "tout")
    assert "Statut imposé (statut HTTP : 503, retry-After : 30 s)" in told
    assert "tous les logiciels ; INT_R01 ; seulement" in told
    assert (
        "50 % des échanges, un échange sur 2, 10 premiers échanges, 3 fois au plus, chaque jour 08:00 – 12:00" in told
    )
    assert "à venir" in told
    console.open(f"{FAULTS}/regle/tout")
    keep(console)
    assert rules(client)["tout"]["rule"] == rule


def test_a_wrong_rule_comes_back_with_what_was_typed(console: Console, client: FlaskClient) -> None:
    console.open(f"{NEW}latency")
    fields = {"body.name": "Très lent", "body.do.0.seconds": "-1", "body.hours": "toujours"}
    send(console, "addFault", "Ajouter", fields)
    assert (console.page.status_code, console.title) == (422, "Nouvelle panne")
    assert console.told.startswith("Saisie refusée")
    _, _, fields = console.form("addFault")
    assert (fields["body.name"], fields["body.do.0.seconds"], fields["body.hours"]) == ("Très lent", "-1", "toujours")
    assert console.page.text.count("is-invalid") == 3
    assert "au moins 0" in console.told
    assert rules(client) == {}


@pytest.mark.parametrize(
    ("kind", "typed", "told"),
    [
        ("latency", {"seconds": "601"}, "retard : au plus 600"),
        (
            "latency-uniform",
            {"least_seconds": "3", "most_seconds": "2"},
            "« Au plus » est inférieur à « Au moins »",
        ),
        ("slow-body", {"seconds": "", "bytes_per_second": ""}, "il faut « Débit » ou « Durée totale », l’un des deux"),
        ("latency-percentiles", {"seconds_at": '{"50": 2, "90": 1}'}, "« Secondes par centile » : un centile plus"),
        ("specialty-missing", {"share": "0.5", "first": "2"}, "« Part touchée » ou « Combien », mais pas les deux"),
        ("notification-delay", {"seconds": "3", "most": "2"}, "« Jusqu’à » est inférieur à « Retard »"),
    ],
)
def test_what_is_wrong_with_a_kind_is_told_in_french(
    console: Console, kind: str, typed: dict[str, str], told: str
) -> None:
    console.open(f"{NEW}{kind}")
    send(console, "addFault", "Ajouter", {f"body.do.0.{name}": value for name, value in typed.items()})
    assert console.page.status_code == 422
    assert told in console.told
    # Its own names are for programs.
    assert not any(f"{name} " in console.told for name in typed)


def test_a_name_that_is_taken_is_refused(console: Console, client: FlaskClient) -> None:
    put(client, "latency")
    console.open(f"{NEW}latency")
    assert console.form("addFault")[2]["body.name"] == "latency-2"
    console.act("addFault", name="latency")
    assert console.page.status_code == 409
    assert console.told.startswith("Action impossible")


def test_a_rule_may_have_several_effects_and_what_was_typed_before_stays(
    console: Console, client: FlaskClient, served: Client
) -> None:
    console.open(f"{NEW}latency")
    typed = {
        "body.name": "deux",
        "body.do.0.seconds": "-1",
        "body.editors": "agenda-ville",
        "body.identifiers": "8x\n8y",
    }
    send(console, "addFault", "Ajouter", typed | {"refaire": "1", "encore": "genre=status"})
    assert (console.page.status_code, console.title) == (200, "Nouvelle panne")
    assert "rien n’est encore enregistré" in console.told
    assert rules(client) == {}
    fields = console.form("addFault")[2]
    assert {name: fields[name] for name in typed} == typed
    send(console, "addFault", "Ajouter", {"body.do.0.seconds": "0", "body.do.1.code": "503", "body.identifiers": ""})
    rule = rules(client)["deux"]["rule"]
    assert ([one["kind"] for one in rule["do"]], rule["editors"]) == (["latency", "status"], ["agenda-ville"])
    assert served.get(slot_search([GUIDE_THOMAS])).status_code == 503
    console.open(f"{FAULTS}/regle/deux")
    send(console, "setFault", "Enregistrer", {"body.do.1.code": "500", "refaire": "1", "encore": "genre=quota"})
    assert rules(client)["deux"]["rule"] == rule
    send(console, "setFault", "Enregistrer", {"body.do.2.per_minute": "0"})
    done = rules(client)["deux"]["rule"]["do"]
    assert ([one["kind"] for one in done], done[1]["code"]) == (["latency", "status", "quota"], 500)
    assert console.visited[-1].endswith("/regle/deux")


def test_fields_are_only_added_to_pages_of_the_console(console: Console) -> None:
    console.open(f"{NEW}latency")
    for encore in ("genre=lenteur", "genre=latency#x", "x\r\nX: y", "&" * 3000, "é"):
        send(console, "addFault", "Ajouter", {"refaire": "1", "encore": encore})
        assert console.page.status_code == 200
        console.open(f"{NEW}latency")


@pytest.mark.parametrize(
    "path", ["/pannes/nouvelle?genre=lenteur", "/pannes/genres?famille=x", "/pannes/regle/x", "/pannes?editeur=x"]
)
def test_what_there_is_not_is_not_found(console: Console, path: str) -> None:
    assert console.open(f"/_console{path}").status_code == 404


def test_a_new_rule_without_a_kind_leads_to_the_choice(console: Console) -> None:
    console.open(f"{FAULTS}/nouvelle")
    assert console.title == "Choisir une panne"


# --- the choice of a kind


def found(console: Console) -> list[str]:
    return re.findall(r"<code>([^<]*)</code>", console.page.text)


def test_kinds_are_searched_in_french_without_accents(console: Console) -> None:
    console.open(f"{FAULTS}/genres?cherche=TELEPHONE")
    assert found(console) == ["phone-not-international"]
    console.open(f"{FAULTS}/genres?cherche=int_r03+retard")
    assert found(console) == []
    console.open(f"{FAULTS}/genres?cherche=int_r03+perdue")
    assert found(console) == ["notification-drop"]
    console.open(f"{FAULTS}/genres?cherche=%3Cb%3E")
    assert "Aucune panne ne répond à « <b> »." in text(console.page)


def test_kinds_of_a_family(console: Console) -> None:
    console.open(f"{FAULTS}/genres?famille=http")
    assert found(console) == [name_of(kind) for kind in KINDS if kind.family == "http"]
    console.open(f"{FAULTS}/genres")
    assert found(console) == ALL_KINDS


# --- the list


def test_without_rules_the_list_says_so(console: Console) -> None:
    assert "Aucune panne : les logiciels répondent comme le scénario le veut." in text(console.open(FAULTS))


def test_rules_stand_in_the_order_in_which_they_are_tried(console: Console, client: FlaskClient) -> None:
    put(client, "basse", priority=-1)
    put(client, "premiere")
    put(client, "deuxieme")
    put(client, "haute", priority=5)
    console.open(FAULTS)
    order = re.findall(r'/pannes/regle/([a-z]+)"', console.page.text)
    assert order == ["haute", "premiere", "deuxieme", "basse"]


def test_the_list_counts(console: Console, client: FlaskClient, served: Client) -> None:
    put(client, "deux", first=2)
    for _ in range(3):
        served.get(slot_search([GUIDE_THOMAS]))
    told = row(console, "deux") if console.open(FAULTS) else ""
    assert "2 premiers échanges 3 2 épuisée" in told


def test_a_rule_is_switched_off_and_on_and_removed(console: Console, client: FlaskClient) -> None:
    put(client, "lent")
    console.open(FAULTS)
    console.act("switchFaultOff", "lent")
    assert console.told == "La panne « lent » est désactivée."
    assert "désactivée" in row(console, "lent")
    assert not rules(client)["lent"]["in_force"]
    console.act("switchFaultOn", "lent")
    assert rules(client)["lent"]["in_force"]
    console.act("removeFault", "lent")
    assert (console.told, rules(client)) == ("La panne est supprimée.", {})


def test_what_is_gone_meanwhile_is_told(console: Console, client: FlaskClient) -> None:
    put(client, "lent")
    console.open(FAULTS)
    client.delete("/_admin/faults/lent")
    console.act("switchFaultOff", "lent")
    assert (console.page.status_code, console.title) == (404, "Pannes")


def test_all_rules_go_and_those_of_the_scenario_come_back(world_of_faults: Simulator) -> None:
    console, client = Console(world_of_faults.app), world_of_faults.app.test_client()
    console.open(FAULTS)
    there = set(rules(client))
    assert there
    console.act("clearFaults")
    assert rules(client) == {}
    console.act("reset")
    assert set(rules(client)) == there


def test_the_list_says_where_a_rule_comes_from(world_of_faults: Simulator) -> None:
    console, client = Console(world_of_faults.app), world_of_faults.app.test_client()
    [name, *_] = rules(client)
    put(client, "ajoute")
    console.open(FAULTS)
    assert row(console, "ajoute").startswith("ajoute ajoutée")
    assert row(console, name).startswith(f"{name} scénario ")
    put(client, name)
    console.open(FAULTS)
    assert row(console, name).startswith(f"{name} scénario, modifiée")


def test_a_rule_is_shown_as_the_api_takes_it(console: Console, client: FlaskClient) -> None:
    put(client, "lent", priority=3, do=[{"kind": "latency", "seconds": 2}, {"kind": "empty-body"}])
    before = rules(client)["lent"]["rule"]
    page = console.open(f"{FAULTS}/regle/lent").text
    shown = json.loads(html.unescape(matched(r'<pre class="block">(.*?)</pre>', page, re.DOTALL)[1]))
    client.delete("/_admin/faults/lent")
    assert client.post("/_admin/faults", json=shown).status_code == 201
    assert rules(client)["lent"]["rule"] == before


def test_what_rules_say_is_escaped(console: Console, client: FlaskClient) -> None:
    put(client, "piege", identifiers=["<i>x</i>"], headers={"X-A": "<b>*"})
    for page in (FAULTS, f"{FAULTS}/regle/piege"):
        assert "<i>x" not in console.open(page).text
        assert "<b>" not in console.page.text
        assert "<i>x</i>" in html.unescape(console.page.text)


# --- ready ones


def test_a_button_sets_what_is_ready_and_another_removes_it(console: Console, client: FlaskClient) -> None:
    for preset in PRESETS:
        console.open(f"{FAULTS}?editeur=agenda-ville")
        name = f"{preset.name}-agenda-ville"
        console.act("setFault", f"Poser {preset.title}")
        assert console.told == f"La panne « {name} » est enregistrée."
        rule = rules(client)[name]["rule"]
        said = (rule["editors"], set(rule["flows"]), rule["share"])
        assert said == (["agenda-ville"], set(preset.flows), preset.share)
        assert [one["kind"] for one in rule["do"]] == [one["kind"] for one in preset.do]
        console.act("removeFault", f"Retirer {preset.title}")
        assert rules(client) == {}


def test_what_is_ready_is_for_all_editors_unless_one_is_chosen(console: Console, client: FlaskClient) -> None:
    console.open(FAULTS)
    console.act("setFault", "Poser Lent")
    assert rules(client)["lent"]["rule"]["editors"] == []


def test_ready_faults_act_on_the_editor_that_was_chosen(console: Console, served: Client) -> None:
    console.open(f"{FAULTS}?editeur=agenda-ville")
    console.act("setFault", "Poser En panne")
    assert served.get(slot_search([GUIDE_THOMAS])).status_code == 503
    assert served.get("/agenda-ville/agenda").status_code == 503
    assert served.get(slot_search([GUIDE_THOMAS], editor="agenda-cpts")).status_code == 200
    console.act("removeFault", "Retirer En panne")
    assert served.get(slot_search([GUIDE_THOMAS])).status_code == 200


def test_cut_answers_are_no_json(console: Console, served: Client) -> None:
    console.open(FAULTS)
    console.act("setFault", "Poser Réponses tronquées")
    answer = served.get(slot_search([GUIDE_THOMAS]))
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)


def test_mistakes_of_the_faq_are_in_the_answer(console: Console, served: Client) -> None:
    right = served.get(slot_search([GUIDE_THOMAS])).json
    console.open(FAULTS)
    console.act("setFault", "Poser Erreurs FAQ")
    wrong = served.get(slot_search([GUIDE_THOMAS]))
    assert wrong.status_code == 200
    assert GUIDE_THOMAS in json.dumps(right)
    # Every second Slot would do for each mistake; some are on all of them.
    assert json.dumps(wrong.json) != json.dumps(right)
    nothing = slot_search([GUIDE_THOMAS], start="2040-01-01T08:00:00.000+01:00", end="2040-01-02T08:00:00.000+01:00")
    assert served.get(nothing).status_code == 404


# --- timelines


@pytest.fixture
def world_of_faults(tmp_path: Any, clock: Clock) -> Simulator:
    played: LoadedScenario = load(find("chaos-editeur-mort"))
    return playing(played, clock, tmp_path)


def timeline(console: Console) -> tuple[str, str]:
    """The value of the bar, and the step in force, of the timeline that runs."""
    page = console.open(FAULTS).text
    bar = re.search(r'<progress max="([^"]*)" value="([^"]*)"', page)
    here = re.search(r'aria-current="step"><strong>([^<]*)<', page)
    return f"{float(bar[2]):g}/{float(bar[1]):g}" if bar else "", here[1] if here else ""


def test_a_timeline_is_started_followed_and_stopped(world_of_faults: Simulator) -> None:
    console, client = Console(world_of_faults.app), world_of_faults.app.test_client()
    told = text(console.open(FAULTS))
    assert (
        "Le témoin tombe, puis se remet panne-de-dix-minutes 0 s temoin-mort (agenda-temoin) : Connexion fermée" in told
    )
    assert timeline(console) == ("", "")
    console.act("startTimeline")
    assert console.told == "Le déroulé « panne-de-dix-minutes » a commencé."
    assert timeline(console) == ("0/600", "0 s")
    assert "Étape 1 sur 3 , la suivante dans 5 min, la dernière dans 10 min." in text(console.page)
    assert "L’horloge est figée, le déroulé attend" in text(console.page)
    assert "déroulé panne-de-dix-minutes" in row(console, "temoin-mort")
    assert "elle ne se modifie pas" in text(console.open(f"{FAULTS}/regle/temoin-mort"))
    client.post("/_admin/clock/advance", json={"minutes": 6})
    assert timeline(console) == ("360/600", "5 min")
    client.post("/_admin/clock/advance", json={"minutes": 6})
    assert timeline(console) == ("600/600", "10 min")
    assert "Dernière étape passée" in text(console.page)
    console.act("stopTimeline")
    assert console.told == "Le déroulé est arrêté."
    assert timeline(console) == ("", "")


def test_a_timeline_of_ones_own_is_played(console: Console, client: FlaskClient) -> None:
    console.open(FAULTS)
    console.act("playTimeline", name="a-moi", title="À moi")
    assert console.told == "Le déroulé « a-moi » a commencé."
    assert timeline(console) == ("0/90", "0 s")
    assert list(rules(client)) == ["essai-lent"]
    console.act("stopTimeline")
    assert rules(client) == {}


def test_a_wrong_timeline_comes_back(console: Console, client: FlaskClient) -> None:
    console.open(FAULTS)
    console.act("playTimeline", steps='[{"at": 60}, {"at": 0}]')
    assert (console.page.status_code, console.title) == (422, "Pannes")
    assert console.form("playTimeline")[2]["body.steps"] == '[{"at": 60}, {"at": 0}]'
    assert re.search(r"<details[^>]* open>\s*<summary>Écrire les étapes", console.page.text)
    console.act("playTimeline", steps="[")
    assert console.page.status_code == 422
    assert json_of(client.get("/_admin/timelines"))["running"] is None


def test_the_list_streams_what_changes(client: FlaskClient) -> None:
    answer = client.get(f"{FAULTS}/direct", buffered=False)
    pieces = pieces_of(answer)
    assert "Aucune panne" in next(pieces).decode()
    put(client, "lent")
    assert "/pannes/regle/lent" in next(pieces).decode()
    answer.close()

"""The actions of the console: every one is an operation of the admin API, whatever is typed into its form."""

import io
import json
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.http import parse_cookie

from mock_editor.admin.console.fields import body_of, query_of
from mock_editor.admin.console.words import DONE
from mock_editor.admin.operations import OPERATIONS
from mock_editor.base.clock import Clock
from mock_editor.base.words import Language, catalogue
from mock_editor.scenario import LoadedScenario
from tests.admin.conftest import AT_SOS, TAKEN
from tests.admin.console_browser import Console, text
from tests.conftest import NOW, application, json_of, matched

HOME, DIARY = "/_console/", "/_console/rendez-vous"
PARIS = ZoneInfo("Europe/Paris")
BY_ID = {one.id: one for one in OPERATIONS}


@pytest.fixture
def console(app: Flask) -> Console:
    console = Console(app)
    console.open(HOME)
    return console


def act(console: Console, operation: str, fields: dict[str, Any], vers: str = HOME) -> int:
    """Sends a form of one's own, with the key of the page; returns the status of the first answer."""
    _, _, reset = console.form("reset")
    data = {"jeton": reset["jeton"], "vers": vers} | fields
    answer = console.client.post(f"/_console/faire/{operation}", data=data)
    console._follow(answer, operation) if answer.status_code == 303 else setattr(console, "page", answer)
    return answer.status_code


def appointment(client: FlaskClient, body: dict[str, str] = TAKEN) -> tuple[str, dict[str, str]]:
    """The page of a new appointment, and the fields that name it."""
    made = json_of(client.post("/_admin/appointments", json=body))
    named = {"path.editor": made["editor"], "path.appointment": made["id"]}
    return f"{DIARY}/{made['editor']}/{made['id']}", named


# --- what was typed, as the operation takes it


def of(**kind: Any) -> Any:
    """A rule that does one thing."""
    return {"do": [kind]}


def body(operation: str, **fields: str | list[str]) -> Any:
    typed = {name: one if isinstance(one, list) else [one] for name, one in fields.items()}
    return json.loads(body_of(BY_ID[operation], typed, PARIS))


@pytest.mark.parametrize(
    ("operation", "fields", "expected"),
    [
        ("advanceClock", {"body.days": "1", "body.hours": "-0.5", "body.minutes": ""}, {"days": 1, "hours": -0.5}),
        ("advanceClock", {"body.to": "2026-11-21T09:00"}, {"to": "2026-11-21T09:00:00+01:00"}),
        ("advanceClock", {"body.to": "2026-07-21T09:00:30"}, {"to": "2026-07-21T09:00:30+02:00"}),
        ("advanceClock", {"body.to": "2026-11-21T09:00Z"}, {"to": "2026-11-21T09:00Z"}),
        ("advanceClock", {"body.to": "2026-13-21T09:00"}, {"to": "2026-13-21T09:00"}),
        ("advanceClock", {"body.days": "un"}, {"days": "un"}),
        ("closeAppointment", {"body.honoured": ["false", "true"]}, {"honoured": True}),
        ("closeAppointment", {"body.honoured": "oui"}, {"honoured": "oui"}),
        ("createAppointment", {"body.reason": " Toux ", "body.patient": ""}, {"reason": "Toux"}),
        ("createAppointment", {"body.reason!": "", "body.account!": ""}, {"reason": "", "account": None}),
        ("editAccount", {"body.national_id!": "", "body.email": ""}, {"national_id": None}),
        ("editAccount", {"body.national_id!": "3339900018/1"}, {"national_id": "3339900018/1"}),
        ("editAccount", {"body.password": "123"}, {"password": "123"}),
        ("reset", {}, {}),
        ("reset", {"body.parts": ["accounts", "clock"]}, {"parts": ["accounts", "clock"]}),
        ("reset", {"body.parts": ""}, {}),
        ("addFault", {"body.identifiers": "1\r\n\r\n2"}, {"identifiers": ["1", "2"]}),
        ("addFault", {"body.headers": '{"X-A": "*"}'}, {"headers": {"X-A": "*"}}),
        ("addFault", {"body.headers.X-A": "*", "body.headers.X-B": ""}, {"headers": {"X-A": "*"}}),
        ("addFault", {"body.headers": "{"}, {"headers": "{"}),
        ("addFault", {"body.do.0.kind": "cut-body", "body.do.0.share": "1"}, of(kind="cut-body", share=1)),
        ("addFault", {"body.do.0.kind": "x", "body.do.0.share": "1"}, of(kind="x", share="1")),
        ("addFault", {"body.do.0.kind": "", "body.do.10.kind": "b"}, of(kind="b")),
        ("reset", {"body.parts.10": "c", "body.parts.2": "b"}, {"parts": ["b", "c"]}),
        ("addFault", {"body.do": '[{"kind": "cut-body"}]'}, of(kind="cut-body")),
        ("addFault", {"body.do.x": "y"}, {"do": ["y"]}),
        ("addFault", {"body.nothing.at.all": "y"}, {"nothing": {"at": {"all": "y"}}}),
        ("addFault", {"body.name": "a", "body.name.b": "c"}, {"name": "a"}),
        ("playTimeline", {"body.steps.0.at": "60", "body.steps.0.clear": ""}, {"steps": [{"at": 60}]}),
        ("addOpening", {"body.opening": '{"a": 1}'}, {"opening": '{"a": 1}'}),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_what_the_operation_takes(operation: str, fields: dict[str, Any], expected: Any) -> None:
    assert body(operation, **fields) == expected


def test_texts_and_queries_are_as_typed() -> None:
    operation = BY_ID["sendScenario"]
    typed = {"body": ["name: é\r\n"], "query.keep_state": ["false", "true"], "query.source": [""]}
    assert body_of(operation, typed, PARIS).decode() == "name: é\r\n"
    assert query_of(operation, typed, PARIS) == {"keep_state": "true"}


def test_every_action_has_words_for_its_end() -> None:
    assert {one.id for one in OPERATIONS if one.method != "GET"} == set(DONE)


def test_words_are_for_fields_that_there_are() -> None:
    known = json.dumps([one.json_body.model_json_schema() for one in OPERATIONS if one.json_body])
    known += " ".join(name for one in OPERATIONS for name in one.place.model_fields)
    known += " ".join(name for one in OPERATIONS if one.query for name in one.query.model_fields)
    fields = [str(one.id) for one in catalogue(Language.FRENCH) if one.context == "field"]
    assert fields
    assert [name for name in fields if name not in known and name != "body"] == []


# --- doing it


def test_an_action_does_what_the_operation_does(console: Console, client: FlaskClient) -> None:
    fields = {
        "body.name": "lent",
        "body.flows": ["INT_R01", "INT_R04"],
        "body.do.0.kind": "cut-body",
        "body.do.0.share": "0.25",
    }
    assert act(console, "addFault", fields) == 303
    assert console.told == "La panne « lent » est créée."
    [told] = json_of(client.get("/_admin/faults"))["faults"]
    assert (told["rule"]["flows"], told["rule"]["do"][0]["share"]) == (["INT_R01", "INT_R04"], 0.25)


def test_the_page_after_it_may_be_about_its_result(console: Console) -> None:
    fields = {f"body.{name}": value for name, value in TAKEN.items() if name != "account"}
    assert act(console, "createAppointment", fields, f"{DIARY}/{{editor}}/{{id}}") == 303
    assert (console.title, console.told) == ("Rendez-vous de Zoé Fictif", "Le rendez-vous est pris.")


@pytest.mark.parametrize(
    "vers",
    [
        "",
        "/",
        "//evil.example/_console/",
        "https://evil.example/_console/",
        "/_console",
        "/_console/../agenda-ville/agenda",
        "/_console/%2e%2E/agenda-ville/agenda",
        "/_console/x/..",
        "/_console/.%2e/agenda?a",
        "/_console/\\..\\x",
        "/_console/é",
        "/_console/\r\nSet-Cookie: a=b",
        "/agenda-ville/agenda",
        "/_console/{nothing}/../..",
    ],
)
def test_an_action_leads_to_the_console_only(console: Console, vers: str) -> None:
    _, _, data = console.form("reset")
    sent = console.client.post("/_console/faire/reset", data=data | {"vers": vers})
    assert (sent.status_code, sent.headers["Location"]) == (303, HOME)


def test_an_action_that_names_no_page_leads_home(console: Console) -> None:
    _, _, data = console.form("reset")
    del data["vers"]
    assert console.client.post("/_console/faire/reset", data=data).headers["Location"] == HOME


@pytest.mark.parametrize("name", ["listJournal", "saveSnapshot", "followJournal", "nothing", "reset/x"])
def test_only_operations_that_change_something_are_actions(console: Console, name: str) -> None:
    assert act(console, name, {}) in (404, 405)


def test_the_message_is_for_the_console_only_and_is_escaped(console: Console) -> None:
    _, _, data = console.form("reset")
    sent = console.client.post("/_console/faire/reset", data=data)
    [cookie] = (one for one in sent.headers.getlist("Set-Cookie") if one.startswith("message="))
    assert {"HttpOnly", "Path=/_console", "SameSite=Lax"} <= set(cookie.split("; "))
    console.client.set_cookie("message", "%3Cscript%3Ealert(1)%3C/script%3E", path="/_console")
    assert "<script>alert" not in console.open(HOME).text
    assert console.told == "<script>alert(1)</script>"


# --- refusals


def test_what_was_typed_is_still_there_after_a_refusal(console: Console, client: FlaskClient) -> None:
    page, named = appointment(client, AT_SOS)
    console.open(page)
    for typed, wrong in (('"><b>', "Indiquez un RPPS"), ("9" * 300, "praticien : au plus 200 caractères")):
        console.act("assignAppointment", practitioner=typed)
        assert (console.page.status_code, console.title) == (422, "Rendez-vous de Patient Fictif")
        assert wrong in console.told
        assert "<b>" not in console.page.text
        assert console.form("assignAppointment")[2] == {
            **named,
            "jeton": console.form("cancelAppointment")[2]["jeton"],
            "vers": page,
            "body.practitioner": typed,
        }
    [field] = re.findall(r"<input[^>]*body.practitioner[^>]*>", console.page.text)
    described = matched('aria-describedby="([^"]*)"', field)[1]
    assert 'aria-invalid="true"' in field
    assert f'id="{described}">au plus 200 caractères<' in console.page.text
    console.act("assignAppointment", practitioner="10100050075")
    assert (console.page.status_code, console.told) == (200, "Le médecin est affecté.")
    assert "aria-invalid" not in console.page.text


def test_a_refusal_about_something_else_leaves_a_form_alone(console: Console, client: FlaskClient) -> None:
    page, _ = appointment(client, AT_SOS)
    _, other = appointment(client)
    assert act(console, "assignAppointment", other | {"body.practitioner": "typed"}, page) == 409
    assert console.told.startswith("Affectation impossible")
    assert console.form("assignAppointment")[2]["body.practitioner"] == ""


def test_a_refusal_where_the_page_is_gone_has_a_page_of_its_own(console: Console) -> None:
    gone = f"{DIARY}/agenda-ville/gone"
    fields = {"path.editor": "agenda-ville", "path.appointment": "<i>"}
    assert act(console, "cancelAppointment", fields, gone) == 404
    assert (console.title, "<i>" in console.page.text) == ("Page introuvable", False)


def test_everything_that_is_wrong_is_told(console: Console) -> None:
    assert act(console, "advanceClock", {"body.days": "un", "body.nothing": "x"}) == 422
    assert "Saisie refusée Rien n’a été changé." in console.told
    assert "un nombre est attendu" in console.told
    assert "body.nothing : ce champ n’est pas attendu" in console.told


def test_a_refusal_keeps_the_filter_of_a_list(console: Console) -> None:
    assert act(console, "cancelAppointment", {}, f"{DIARY}?editeur=agenda-sos#x") == 422
    assert 'aria-current="page" href="/_console/rendez-vous?editeur=agenda-sos"' in console.page.text


def test_forms_work_below_the_path_of_the_public_url(played: LoadedScenario, tmp_path: Path) -> None:
    app = application(played, Clock(NOW), tmp_path, "https://lga.example/essai")
    console = Console(app)
    page, _ = appointment(app.test_client())
    console.open(page)
    target, _, data = console.form("cancelAppointment")
    assert (target, data["vers"]) == ("/essai/_console/faire/cancelAppointment", page)
    # The proxy takes the path off, and puts it before that of cookies.
    url = target.removeprefix("/essai")
    [(name, held)] = parse_cookie(console.page.headers["Set-Cookie"].partition(";")[0]).items()
    console.client.set_cookie(name, held, path="/_console")
    sent = console.client.post(url, data=data)
    assert (sent.status_code, sent.headers["Location"]) == (303, f"/essai{page}")
    refused = console.client.post(url, data=data)
    assert (refused.status_code, "Rendez-vous clos" in refused.text) == (409, True)
    assert "<h1>Rendez-vous de Zoé Fictif</h1>" in refused.text


# --- files


def test_a_text_is_sent_with_its_form_or_as_a_file(console: Console, client: FlaskClient) -> None:
    written = client.get("/_admin/scenario/text").text
    for sent in (written.replace("\n", "\r\n"), (io.BytesIO(written.encode()), "decouverte.yaml")):
        assert act(console, "checkScenario", {"body": sent}) == 303
        assert console.told == "Le scénario « decouverte » est correct."
    assert act(console, "sendScenario", {"body": "name: x\n", "query.source": "essai.yaml"}) == 422
    assert "Saisie refusée" in console.told
    assert "essai.yaml" in console.told
    assert json_of(client.get("/_admin/scenario"))["name"] == "decouverte"


def test_with_success_the_page_may_come_back_as_it_was(console: Console, client: FlaskClient) -> None:
    written = client.get("/_admin/scenario/text").text
    assert act(console, "checkScenario", {"body": written, "rester": "1"}) == 200
    assert (console.title, console.told) == ("Tableau de bord", "Le scénario « decouverte » est correct.")


def test_the_state_is_saved_and_put_back(console: Console, client: FlaskClient) -> None:
    page, _ = appointment(client)
    saved = client.get("/_console/fichier/saveSnapshot")
    assert saved.headers["Content-Disposition"] == 'attachment; filename="mock-editor-state.db"'
    assert act(console, "reset", {}) == 303
    assert console.open(page).status_code == 404
    console.open(HOME)
    assert act(console, "restoreSnapshot", {"body": (io.BytesIO(saved.data), "state.db")}) == 303
    assert console.told == "L’état enregistré est rétabli."
    assert console.open(page).status_code == 200
    console.open(HOME)
    assert act(console, "restoreSnapshot", {"body": (io.BytesIO(b"nonsense"), "state.db")}) == 422


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("exportHar", 200),
        ("exportHar?flow=INT_R01&editor=&since=2026-11-20T08:00", 200),
        ("exportHar?flow=x", 422),
        ("exportLines?nothing=x", 422),
        ("showScenarioText", 200),
        ("listJournal", 404),
        ("x", 404),
    ],
)
def test_files_are_those_of_the_api(console: Console, url: str, status: int) -> None:
    page = console.open(f"/_console/fichier/{url}")
    assert (page.status_code, "attachment" in page.headers.get("Content-Disposition", "")) == (status, status == 200)


def test_files_are_for_those_who_may_see_the_console(client: FlaskClient) -> None:
    far = client.get("/_console/fichier/saveSnapshot", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert (far.status_code, "Accès refusé" in text(far)) == (403, True)

"""Fault rules and timelines through the admin API, and with commands."""

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import orjson
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server
from werkzeug.wsgi import get_input_stream

from mock_editor.base.clock import Clock
from mock_editor.cli import commands
from mock_editor.faults.catalogue import catalogue
from mock_editor.faults.kinds import KINDS
from mock_editor.scenario import load
from tests.conftest import NOW, json_of, playing
from tests.scenario.test_scenario import FAULTY

CUT = {"kind": "cut-body", "share": 0.5}
RULE = {"name": "coupe", "flows": ["INT_R01"], "do": [CUT]}


@pytest.fixture
def faulty(tmp_path: Path, clock: Clock) -> FlaskClient:
    """A client of a world with a rule, ``coupe``, and a timeline, ``essai``, which removes it after 90.5 s."""
    path = tmp_path / "essai.yaml"
    path.write_text(FAULTY, encoding="utf-8")
    found: FlaskClient = playing(load(path), clock, tmp_path).app.test_client()
    return found


def names(client: FlaskClient) -> dict[str, bool]:
    """The rules, and whether each is in force."""
    return {one["rule"]["name"]: one["in_force"] for one in json_of(client.get("/_admin/faults"))["faults"]}


def wrong(client: FlaskClient, method: str, path: str, body: Any) -> dict[str, str]:
    """What a refusal says is wrong, by its place."""
    answer = client.open(f"/_admin{path}", method=method, json=body)
    assert answer.status_code == 422, answer.text
    return {one["where"]: one["what"] for one in json_of(answer)["errors"]}


# --- rules


def test_a_rule_is_added_and_shown_as_it_was_given(client: FlaskClient) -> None:
    added = client.post("/_admin/faults", json=RULE)
    assert added.status_code == 201, added.text
    assert added.json == client.get("/_admin/faults/coupe").json
    assert {**RULE, "on": True, "priority": 0, "share": 1.0}.items() <= (json_of(added)["rule"] | {"do": [CUT]}).items()
    assert (json_of(added)["in_force"], json_of(added)["matched"], json_of(added)["acted"]) == (True, 0, 0)


@pytest.mark.parametrize("do", [CUT, {"kind": "slots-in-the-past", "first": 3}, {"kind": "slow-body", "seconds": 2}])
def test_what_is_shown_of_a_rule_can_be_set_again(client: FlaskClient, do: dict[str, Any]) -> None:
    assert client.post("/_admin/faults", json={**RULE, "do": [do]}).status_code == 201
    shown = json_of(client.get("/_admin/faults/coupe"))["rule"]
    name = shown.pop("name")
    assert json_of(client.put(f"/_admin/faults/{name}", json=shown))["rule"] == {"name": name, **shown}


def test_a_rule_of_a_known_name_is_not_added(client: FlaskClient) -> None:
    client.post("/_admin/faults", json=RULE)
    again = client.post("/_admin/faults", json={**RULE, "flows": []})
    assert again.status_code == 409
    assert json_of(client.get("/_admin/faults/coupe"))["rule"]["flows"] == ["INT_R01"]


def test_a_rule_is_set_under_the_name_of_the_path_again_and_again(client: FlaskClient) -> None:
    for flow in ("INT_R01", "INT_R04"):
        put = client.put("/_admin/faults/coupe", json={"flows": [flow], "do": [CUT]})
        assert (put.status_code, json_of(put)["rule"]["name"], json_of(put)["rule"]["flows"]) == (200, "coupe", [flow])
    assert names(client) == {"coupe": True}
    assert client.put("/_admin/faults/coupe", json=RULE).status_code == 200
    assert wrong(client, "PUT", "/faults/autre", RULE) == {"body.name": "the path names 'autre'"}


def test_a_rule_is_switched_and_removed(client: FlaskClient) -> None:
    client.post("/_admin/faults", json=RULE)
    assert json_of(client.post("/_admin/faults/coupe/off"))["rule"]["on"] is False
    assert names(client) == {"coupe": False}
    assert json_of(client.post("/_admin/faults/coupe/on"))["in_force"] is True
    assert client.delete("/_admin/faults/coupe").status_code == 204
    assert names(client) == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/faults/rien"),
        ("POST", "/faults/rien/on"),
        ("POST", "/faults/rien/off"),
        ("DELETE", "/faults/rien"),
        ("POST", "/timelines/rien/start"),
    ],
)
def test_what_there_is_not_is_not_found(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(f"/_admin{path}", method=method).status_code == 404


def test_the_rules_of_the_scenario_come_back_with_a_reset(faulty: FlaskClient) -> None:
    assert names(faulty) == {"coupe": True}
    assert faulty.delete("/_admin/faults").status_code == 204
    assert names(faulty) == {}
    assert faulty.post("/_admin/reset", json={"parts": ["faults"]}).status_code == 204
    assert names(faulty) == {"coupe": True}


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"priority": "1"}, "body.priority", "Input should be a valid integer"),
        ({"on": 1}, "body.on", "Input should be a valid boolean"),
        ({"do": [CUT, {"kind": "cut-body", "share": "0.5"}]}, "body.do[1].share", "cut-body: Input should be a valid"),
        ({"do": [{"kind": "cut-body", "part": 1}]}, "body.do[0].part", "cut-body: unknown parameter; expected: share"),
        ({"do": [{"kind": "lenteur"}]}, "body.do[0].kind", "no kind of fault 'lenteur'; there are: "),
        ({"do": [{"seconds": 2}]}, "body.do[0]", "expected a kind of fault with its parameters"),
        ({"do": []}, "body.do", "List should have at least 1 item"),
        ({"editors": ["agenda-vile"]}, "body.editors[0]", "no editor 'agenda-vile'; there are: agenda-ville, agenda-c"),
        ({"flows": ["INT_R01", "INT_R9"]}, "body.flows[1]", "Input should be 'INT_R01'"),
        ({"since": "2026-11-20T09:00:00"}, "body.since", "expected a date and time with an offset"),
        ({"since": "2026-11-20T09:00:00Z", "until": "2026-11-20T08:00:00Z"}, "body", "until is not after since"),
        ({"hours": "nuit"}, "body.hours", "expected hours such as 22:00-06:00"),
        ({"name": "Très lent"}, "body.name", "String should match pattern"),
        ({"vite": True}, "body.vite", "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_in_its_place(
    client: FlaskClient, change: dict[str, Any], where: str, what: str
) -> None:
    [(place, told)] = wrong(client, "POST", "/faults", {**RULE, **change}).items()
    assert place == where
    assert told.startswith(what)
    assert names(client) == {}


def test_all_that_is_wrong_with_a_rule_is_told_at_once(client: FlaskClient) -> None:
    body = {"priority": "1", "do": [{"kind": "cut-body", "share": 2}, {"kind": "rien"}]}
    assert list(wrong(client, "PUT", "/faults/coupe", body)) == ["body.priority", "body.do[0].share", "body.do[1].kind"]


def test_no_more_rules_are_taken_than_can_be_tried(client: FlaskClient) -> None:
    for number in range(200):
        assert client.put(f"/_admin/faults/r{number}", json={"do": [CUT]}).status_code == 200
    assert client.put("/_admin/faults/r0", json={"do": [CUT]}).status_code == 200
    assert client.put("/_admin/faults/un-de-trop", json={"do": [CUT]}).status_code == 422


# --- kinds


def test_the_catalogue_has_every_kind(client: FlaskClient) -> None:
    kinds = json_of(client.get("/_admin/faults/kinds"))["kinds"]
    assert [one["kind"] for one in kinds] == [one.kind for one in catalogue().values()]
    assert len(kinds) == len(KINDS)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"kind": "cut-body"}, lambda one: one.kind == "cut-body"),
        ({"family": "payload"}, lambda one: one.family == "payload"),
        ({"flow": "INT_R02"}, lambda one: not one.flows),
        ({"flow": "INT_R03", "family": "payload"}, lambda one: one.family == "payload"),
    ],
)
def test_the_catalogue_can_be_asked_for_a_part(
    client: FlaskClient, query: dict[str, str], expected: Callable[..., bool]
) -> None:
    found = [one["kind"] for one in json_of(client.get("/_admin/faults/kinds", query_string=query))["kinds"]]
    assert found == [one.kind for one in catalogue().values() if expected(one)]
    assert found


def test_the_document_tells_kinds_apart_by_their_name(client: FlaskClient) -> None:
    schemas = json_of(client.get("/_admin/openapi.json"))["components"]["schemas"]
    members = schemas["NewRule"]["properties"]["do"]["items"]
    assert members["discriminator"]["propertyName"] == "kind"
    assert set(members["discriminator"]["mapping"]) == {one.kind for one in catalogue().values()}
    assert len(members["oneOf"]) == len(KINDS)
    assert "name" not in schemas["RuleOfPath"]["properties"]
    assert schemas["RuleOfPath"]["required"] == ["do"]


# --- timelines


def running(client: FlaskClient) -> Any:
    return json_of(client.get("/_admin/timelines"))["running"]


def advance(client: FlaskClient, seconds: float) -> None:
    assert client.post("/_admin/clock/advance", json={"seconds": seconds}).status_code == 200


def test_a_timeline_of_the_scenario_runs_by_the_simulators_clock(faulty: FlaskClient) -> None:
    assert [one["name"] for one in json_of(faulty.get("/_admin/timelines"))["timelines"]] == ["essai"]
    assert running(faulty) is None
    started = json_of(faulty.post("/_admin/timelines/essai/start"))
    assert (started["timeline"]["name"], started["since"]) == ("essai", NOW.isoformat().replace("+00:00", "Z"))
    assert names(faulty) == {"coupe": True, "vide": True}
    assert json_of(faulty.get("/_admin/faults"))["timeline"] == "essai"
    assert json_of(faulty.get("/_admin/faults/vide"))["timeline"] == "essai"
    assert json_of(faulty.get("/_admin/faults/coupe"))["timeline"] is None
    advance(faulty, 91)
    assert running(faulty)["seconds"] == 91
    assert names(faulty) == {"coupe": False}


def test_a_timeline_that_is_stopped_leaves_what_there_was(faulty: FlaskClient) -> None:
    faulty.post("/_admin/timelines/essai/start")
    advance(faulty, 91)
    assert faulty.post("/_admin/timelines/stop").status_code == 204
    assert (names(faulty), running(faulty)) == ({"coupe": True}, None)
    assert faulty.post("/_admin/timelines/stop").status_code == 204


def test_a_timeline_of_ones_own_is_played(client: FlaskClient) -> None:
    body = {"name": "a-moi", "steps": [{"at": 10, "add": [RULE]}, {"at": 20, "clear": True}]}
    assert client.post("/_admin/timelines", json=body).status_code == 200
    found = []
    for _ in range(3):
        found.append(names(client))
        advance(client, 10)
    assert found == [{}, {"coupe": True}, {}]


def test_what_is_wrong_with_a_timeline_is_told_in_its_place(client: FlaskClient) -> None:
    steps = [{"at": 0, "add": [{"name": "a", "do": [{"kind": "cut-body", "size": 1.5}]}]}, {"at": "1"}]
    told = wrong(client, "POST", "/timelines", {"name": "a-moi", "steps": steps})
    assert list(told) == ["body.steps[0].add[0].do[0].size", "body.steps[1].at"]
    steps = [{"at": 0, "add": [{**RULE, "editors": ["agenda-ville", "rien"]}]}]
    told = wrong(client, "POST", "/timelines", {"name": "a-moi", "steps": steps})
    assert list(told) == ["body.steps[0].add[0].editors[1]"]
    assert running(client) is None


# --- with commands


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    def whole(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Unlike the simulator's own server, this one does not end a body where it ends.
        return app({**environ, "wsgi.input": get_input_stream(environ)}, start_response)

    server = make_server("127.0.0.1", 0, whole, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(url: str, *words: str) -> Result:
    done = CliRunner(env={"MOCK_EDITOR_ADMIN_TOKEN": None}).invoke(commands, [*words, "--url", url])
    assert not isinstance(done.exception, Exception), done.exception
    return done


def test_a_rule_is_added_by_a_command(url: str) -> None:
    done = run(url, "fault", "add", "--name", "coupe", "--flows", "INT_R01", "--do", '[{"kind": "cut-body"}]')
    assert done.exit_code == 0, done.output
    assert orjson.loads(run(url, "fault", "show", "coupe").stdout)["rule"]["flows"] == ["INT_R01"]
    assert run(url, "fault", "off", "coupe").exit_code == 0
    assert orjson.loads(run(url, "fault", "list").stdout)["faults"][0]["in_force"] is False


def test_what_a_command_cannot_do_is_told_in_a_line(url: str) -> None:
    done = run(url, "fault", "add", "--name", "coupe", "--do", '[{"kind": "cut-body", "share": 3}]')
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "cut-body: Input should be less than 1" in done.stderr


def test_long_values_of_a_command_are_read_from_files(url: str, tmp_path: Path) -> None:
    (tmp_path / "do.yaml").write_text("- kind: cut-body\n  size: 10\n- {kind: html-page, title: 'Fermé'}\n")
    done = run(url, "fault", "set", "coupe", "--do", f"@{tmp_path / 'do.yaml'}")
    assert done.exit_code == 0, done.output
    assert orjson.loads(done.stdout)["rule"]["do"][0]["size"] == 10
    (tmp_path / "steps.json").write_text('[{"at": 0, "add": [{"name": "a", "do": [{"kind": "empty-body"}]}]}]')
    done = run(url, "timeline", "play", "--name", "une", "--steps", f"@{tmp_path / 'steps.json'}")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("content", [None, "a: [", "{1: 2}", "!!binary aGVsbG8="])
def test_a_file_of_a_command_that_says_nothing_is_refused(url: str, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "do.yaml").write_text(content)
    done = run(url, "fault", "set", "coupe", "--do", f"@{tmp_path / 'do.yaml'}")
    assert done.exit_code == 2
    assert "neither JSON nor @ and a file in YAML" in done.stderr

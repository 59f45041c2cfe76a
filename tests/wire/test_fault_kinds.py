"""Every kind that spoils an answer or a notification, set in a running simulator and seen by a plain HTTP client.

Those of time, HTTP and connections are in ``tests/faults/test_wire.py``, those that change when notifications go out in
``tests/notifications/test_faults.py``.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from mock_editor import scenario
from mock_editor.faults.kinds import KINDS
from mock_editor.faults.kinds.conformance import bundles
from tests.admin.conftest import TAKEN
from tests.faults.conftest import SEARCHES
from tests.faults.differ import differences
from tests.faults.test_conformance import CASES
from tests.faults.test_payload import CASES as NOTIFICATIONS
from tests.wire.conftest import Simulator

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
BODY = [kind for kind in KINDS if kind.family == "body"]
OF_THE_GUIDE = [name for name, case in CASES.items() if SEARCHES[case.search][0] == "exemples-guide"]
INSTEAD_OF_EMPTY = {bundles.NotFoundInsteadOfEmpty: 404, bundles.ErrorInsteadOfEmpty: 500}


class World:
    """An editor's side, and another simulator whose receiver is the SAS."""

    def __init__(self, folder: Any) -> None:
        self.sas = Simulator(folder, "--now", NOW)
        self.editor = Simulator(folder, "--now", NOW, "--sas-url", f"{self.sas.url}/_sas/fhir", "--sas-tries", "1")
        self._right: dict[str, requests.Response] = {}

    def ask(self, method: str, path: str, body: Any = None, *, of: Simulator | None = None) -> requests.Response:
        return requests.request(method, (of or self.editor).url + path, json=body, timeout=20)

    def told(self, path: str, *, of: Simulator | None = None) -> Any:
        answer = self.ask("GET", path, of=of)
        assert answer.ok, answer.text
        return answer.json()

    def set_rule(self, kind: dict[str, Any]) -> None:
        answer = self.ask("PUT", "/_admin/faults/spoilt", {"do": [kind]})
        assert answer.ok, answer.text

    def spoilt(self, search: str, kind: dict[str, Any]) -> tuple[requests.Response, requests.Response]:
        """The right answer to a search, and the one of an editor that has the fault."""
        _, _, target = SEARCHES[search]
        if search not in self._right:
            assert self.ask("DELETE", "/_admin/faults").ok
            self._right[search] = self.ask("GET", target)
        self.set_rule(kind)
        answer = self.ask("GET", target)
        [entry] = self.told("/_admin/journal?limit=1")["entries"]
        assert (entry["rule"], entry["status"]) == (f"spoilt: {kind['kind']}", answer.status_code)
        return self._right[search], answer

    def put_back(self) -> None:
        for one in (self.sas, self.editor):
            assert self.ask("POST", "/_admin/reset", of=one).ok

    def end(self) -> None:
        for one in (self.editor, self.sas):
            one.process.terminate()
            one.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("kinds"))
    yield made
    made.end()


@pytest.fixture
def guide(world: World) -> Iterator[World]:
    """The same with the guide's own examples, at their time."""
    at = scenario.load(scenario.find("exemples-guide")).frozen_at
    assert at
    assert world.ask("PUT", "/_admin/scenario", {"name": "exemples-guide"}).ok
    assert world.ask("POST", "/_admin/clock/freeze", {"at": at.isoformat()}).ok
    yield world
    assert world.ask("PUT", "/_admin/scenario", {"name": "decouverte"}).ok


def spoils_as_it_says(world: World, name: str) -> None:
    case = CASES[name]
    right, answer = world.spoilt(case.search, case.kind.model_dump(mode="json"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == right.headers["Content-Type"]
    assert differences(right.json(), answer.json()).keys() == case.differences


@pytest.mark.parametrize("name", [name for name in CASES if name not in OF_THE_GUIDE])
def test_a_client_sees_the_mistake_and_nothing_else(world: World, name: str) -> None:
    spoils_as_it_says(world, name)


@pytest.mark.parametrize("name", OF_THE_GUIDE)
def test_a_client_sees_it_in_the_examples_of_the_guide_too(guide: World, name: str) -> None:
    spoils_as_it_says(guide, name)


@pytest.mark.parametrize("kind", INSTEAD_OF_EMPTY, ids=lambda kind: kind().name)
def test_a_client_sees_a_refusal_instead_of_the_empty_answer(world: World, kind: type[Any]) -> None:
    right, answer = world.spoilt("r01 of nobody", {"kind": kind().name})
    assert right.json()["total"] == 0
    assert answer.status_code == INSTEAD_OF_EMPTY[kind]
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("kind", BODY, ids=lambda kind: kind().name)
def test_a_client_gets_another_body(world: World, kind: type[Any]) -> None:
    right, answer = world.spoilt("r01", {"kind": kind().name})
    assert answer.status_code == 200
    assert answer.content != right.content
    assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_the_sas_gets_a_notification_with_the_mistake_and_no_other(world: World, name: str) -> None:
    sent: list[dict[str, Any]] = []
    for rule in (None, NOTIFICATIONS[name].kind.model_dump(mode="json")):
        world.put_back()
        if rule:
            world.set_rule(rule)
        assert world.ask("POST", "/_admin/appointments", TAKEN).ok
        assert world.ask("GET", "/_admin/journal/wait?flow=sas&timeout=10", of=world.sas).ok
        [entry] = world.told("/_admin/journal?flow=sas", of=world.sas)["entries"]
        received = world.told(f"/_admin/journal/{entry['id']}", of=world.sas)
        sent.append(json.loads(received["request"]["body"]))
    [told] = world.told("/_admin/journal?flow=INT_R03")["entries"]
    assert told["rule"] == f"spoilt: {name}"
    assert differences(*sent).keys() == NOTIFICATIONS[name].differences


def test_every_kind_that_spoils_something_is_shown() -> None:
    shown = {type(case.kind) for case in (*CASES.values(), *NOTIFICATIONS.values())} | {*INSTEAD_OF_EMPTY, *BODY}
    assert shown == {kind for kind in KINDS if kind.family in ("conformance", "body", "payload")}


def test_the_receiver_can_be_made_to_fail_so_that_retries_are_seen(tmp_path_factory: pytest.TempPathFactory) -> None:
    simulator = Simulator(tmp_path_factory.mktemp("retries"), "--sas-first-wait", "0.1")
    try:
        rule = {"flows": ["sas"], "first": 2, "do": [{"kind": "status", "code": 503}]}
        requests.put(f"{simulator.url}/_admin/faults/deux-pannes", json=rule, timeout=20).raise_for_status()
        # Retries follow the clock: it has to run.
        requests.post(f"{simulator.url}/_admin/clock/run", json={"at": NOW}, timeout=20).raise_for_status()
        requests.post(f"{simulator.url}/_admin/appointments", json=TAKEN, timeout=20).raise_for_status()
        wait = f"{simulator.url}/_admin/journal/wait?flow=INT_R03&status=2xx&timeout=15"
        assert requests.get(wait, timeout=30).ok
        listed = requests.get(f"{simulator.url}/_admin/journal?order=oldest", timeout=20).json()["entries"]
        assert [one["status"] for one in listed if one["flow"] == "INT_R03"] == [503, 503, 201]
        assert [one["rule"] for one in listed if one["flow"] == "sas"] == ["deux-pannes: status"] * 2 + [None]
    finally:
        simulator.process.terminate()
        simulator.process.communicate(timeout=10)

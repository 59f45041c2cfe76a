"""The chaos scenarios: each does what its header says, by a clock that is moved, without waiting for anything."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click
import pytest
from werkzeug.test import Client, TestResponse

from mock_editor.accounts.model import AccountFilter
from mock_editor.base.clock import Clock
from mock_editor.base.files import folder
from mock_editor.base.flows import Flow, flow_of
from mock_editor.cli import commands
from mock_editor.faults.kinds.outgoing import Again, Later, Lost, OutgoingKind, Plan, Stale
from mock_editor.faults.messages import Proceed, Request, Response
from mock_editor.faults.middleware import FaultMiddleware
from mock_editor.faults.wire import ConnectionEndedError
from mock_editor.scenario import find, load
from tests.conftest import NOW, PUBLIC_URL, WITH_CPTS, json_of, of_type, playing, slot_search, sos_search
from tests.faults.checks import Asked, violations

CHAOS = sorted(path.stem for path in folder("scenarios").glob("chaos-*.yaml"))
PARIS = ZoneInfo("Europe/Paris")
NIGHT = datetime(2026, 11, 20, 2, 0, tzinfo=PARIS)


class Played:
    """A chaos scenario that is played, and whoever asks its editors."""

    def __init__(self, name: str, at: datetime, folder: Path) -> None:
        self.simulator = playing(load(find(name)), Clock(at), folder)
        self.editors = self.simulator.world.catalogue.editors
        self.faults = self.simulator.faults
        front = FaultMiddleware(self.simulator, self.faults, self.simulator.waits, lambda: self.editors, 10.0)
        self.client = Client(front)

    def search(self, editor: str, identifier: str | None = None) -> str:
        """A search for somebody at an editor, or for all that it has."""
        found = self.editors[editor]
        day = self.simulator.clock.now().astimezone(found.zone)
        window = {"start": day.isoformat(timespec="milliseconds")}
        window["end"] = (day + timedelta(days=2)).isoformat(timespec="milliseconds")
        if found.associations:
            return sos_search([identifier] if identifier else list(found.associations), editor=editor, **window)
        people = [identifier] if identifier else [one.id for one in found.directory][:25]
        return slot_search(people, editor=editor, extra=WITH_CPTS if found.cpts else "", **window)

    def ask(self, editor: str, identifier: str | None = None) -> TestResponse:
        """Searches through everything that stands before an editor. Raises ConnectionEndedError."""
        return self.client.get(self.search(editor, identifier))

    def seconds(self, editor: str, url: str | None = None, method: str = "GET") -> float | None:
        """How long an answer to a search would take; None for one that comes at once and is an error."""
        url = url or self.search(editor)
        found = self.editors[editor]
        slug, flow = flow_of(method, *urlsplit(url)[2:4], self.editors)
        acting = self.faults.match(
            direction="in", editor=slug, flow=flow, method=method, url=url,
            header=lambda _: None, body=lambda: b"", zone=found.zone,
        )  # fmt: skip
        if acting is None:
            return 0.0
        waits: list[float] = []
        request = Request(
            editor=editor, flow=flow, method=method, url=url, headers={}, body=b"", now=self.faults.now(),
            zone=found.zone, draw=acting.draw, wait=waits.append, tally=partial(acting.tally, editor),
        )  # fmt: skip
        proceed: Proceed = lambda: Response(200, (), b"")  # noqa: E731
        for kind in reversed(acting.kinds):
            proceed = partial(kind.apply, request, proceed)
        return sum(waits) if proceed().status == 200 else None

    def plans(self, editor: str, count: int) -> Iterator[Plan | None]:
        """What is to be done with notifications."""
        for number in range(count):
            acting = self.faults.match(
                direction="out", editor=editor, flow=Flow.INT_R03, method="POST", url="/_sas/fhir/Appointment",
                header=lambda _: None, body=f"{number}".encode, zone=PARIS,
            )  # fmt: skip
            kinds = acting.kinds if acting else ()
            plans = [kind.plan(acting.draw) for kind in kinds if isinstance(kind, OutgoingKind) and acting]
            assert len(plans) <= 1
            yield plans[0] if plans else None

    def wrong(self, editor: str, identifier: str | None = None) -> set[str]:
        """What is wrong with the answer to a search, by the names of the checks that tell it."""
        url = self.search(editor, identifier)
        flow = flow_of("GET", *urlsplit(url)[2:4], self.editors)[1]
        right = self.simulator.app.test_client().get(url).json
        answer = self.client.get(url)
        assert answer.status_code == 200, answer.text
        return set(violations(json_of(answer), Asked(flow, PUBLIC_URL + url, self.simulator.clock.now(), right)))

    def start(self, name: str) -> None:
        """Starts a timeline."""
        [timeline] = [one for one in self.faults.timelines() if one.name == name]
        self.faults.start(timeline)

    def advance(self, **by: float) -> None:
        """Moves the clock."""
        self.simulator.run_clock(self.simulator.clock.advanced(timedelta(**by)))


def header_of(name: str) -> str:
    """What a scenario says of itself."""
    return find(name).read_text(encoding="utf-8").partition("\nname:")[0]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Played]:
    """Plays a scenario, by default on a Friday at 08:00."""
    return lambda name, at=NOW: Played(f"chaos-{name}", at, tmp_path)


@pytest.mark.parametrize("name", CHAOS)
def test_without_its_faults_it_answers_as_it_should(play: Callable[..., Played], name: str) -> None:
    played = play(name.removeprefix("chaos-"))
    assert played.faults.rules()
    played.faults.clear()
    for slug in played.editors:
        assert played.wrong(slug) == set()
        assert json_of(played.ask(slug))["total"] > 0


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """The first word of a command, and what is given to it. Raises UsageError."""
    group, *words = shlex.split(line, comments=True)
    command = commands.commands[group]
    if isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    return group, command.make_context(line, words).params


@pytest.mark.parametrize("name", CHAOS)
def test_its_header_names_commands_and_rules_that_there_are(name: str) -> None:
    played, header = load(find(name)), header_of(name)
    timelines, rules = {one.name for one in played.timelines}, {one.name for one in played.faults}
    lines = re.findall(r"mock-editor (.*?)(?: {3,}|;|$)", header, re.MULTILINE)
    assert lines
    for group, given in map(parsed, lines):
        assert given.get("name") in {None, *(timelines if group == "timeline" else rules)}
        assert given.get("editor") in {None, *(one.slug for one in played.editors)}
    assert all(one.name in header for one in played.timelines)
    assert all(slug in header for slug in (editor.slug for editor in played.editors))


def test_the_page_about_faults_names_commands_and_scenarios_that_there_are() -> None:
    page = (folder("docs") / "faults.md").read_text(encoding="utf-8")
    # Inline, in backticks, over two lines perhaps; or a line of a block.
    lines = re.findall(r"(?<=`)mock-editor ([^`]+)`|^mock-editor (.+)$", page, re.MULTILINE)
    told = [" ".join((inline or whole).split()) for inline, whole in lines]
    named = [line for line in told if "…" not in line and "FILE" not in line and "@" not in line]
    assert len(named) > 6
    for line in named:
        parsed(line)
    assert sorted(re.findall(r"^\| `(chaos-.*?)`", page, re.MULTILINE)) == CHAOS


# --- limite-7s


def test_at_the_limit_one_answer_in_five_comes_too_late(play: Callable[..., Played]) -> None:
    played = play("limite-7s")
    waits = sorted(played.seconds("agenda-limite") or 0 for _ in range(400))
    assert waits[200] == pytest.approx(6, abs=0.2)
    assert 0.14 < sum(one > 7 for one in waits) / 400 < 0.26
    assert waits[-1] <= 15
    assert {played.seconds("agenda-temoin") for _ in range(10)} == {0.0}


def test_at_the_limit_accounts_are_slow_and_in_time(play: Callable[..., Played]) -> None:
    played = play("limite-7s")
    waits = [played.seconds("agenda-limite", "/agenda-limite/fhir/Practitioner", "POST") for _ in range(50)]
    assert all(one and 1 <= one <= 4 for one in waits)
    assert max(filter(None, waits)) > 3


def test_at_the_limit_the_same_waits_come_in_each_run(play: Callable[..., Played]) -> None:
    played = play("limite-7s")
    first = [played.seconds("agenda-limite") for _ in range(20)]
    played.simulator.reset()
    assert [played.seconds("agenda-limite") for _ in range(20)] == first
    assert len(set(first)) == 20


# --- intermittent


def outcome(played: Played, editor: str) -> int | str:
    """The status of an answer, or that there was none."""
    try:
        return played.ask(editor).status_code
    except ConnectionEndedError as ended:
        return "reset" if ended.reset else "closed"


def test_a_fickle_editor_fails_in_several_ways_and_answers_mostly(play: Callable[..., Played]) -> None:
    played = play("intermittent")
    found = Counter(outcome(played, "agenda-capricieux") for _ in range(500))
    assert set(found) == {200, 500, 502, "reset"}
    assert 0.11 < found[500] / 500 < 0.19
    assert 0.02 < found[502] / 500 < 0.07
    assert 0.02 < found["reset"] / 500 < 0.07


def test_a_fickle_editor_makes_the_account_although_it_answers_503(play: Callable[..., Played]) -> None:
    played = play("intermittent")
    statuses, retry = [], []
    for number in range(8):
        token = f"urn:oid:1.2.250.1.213.3.6|essai-{number}"
        body = {
            "resourceType": "Practitioner",
            "meta": {"source": "urn:oid:1.2.250.1.213.3.6"},
            "identifier": [
                {
                    "type": {
                        "coding": [{"system": "http://interopsante.org/fhir/CodeSystem/fr-v2-0203", "code": "INTRN"}]
                    },
                    "system": "urn:oid:1.2.250.1.213.3.6",
                    "value": f"essai-{number}",
                }
            ],
            "active": True,
            "name": [{"family": "ESSAI", "given": ["Un"]}],
            "telecom": [{"system": "email", "value": f"essai-{number}@regulation.example"}],
        }
        answer = played.client.put(
            "/agenda-capricieux/fhir/Practitioner", query_string={"identifier": token}, json=body
        )
        statuses.append(answer.status_code)
        retry.append(answer.headers.get("Retry-After"))
    assert statuses == [201, 201, 201, 503] * 2
    assert retry == [None, None, None, "5"] * 2
    assert played.simulator.world.accounts.listing(AccountFilter(["agenda-capricieux"])).total == 8


def test_a_flickering_editor_tells_when_it_is_back(play: Callable[..., Played]) -> None:
    played = play("intermittent")
    found = []
    for _ in range(12):
        answer = played.ask("agenda-clignotant")
        found.append((answer.status_code, answer.headers.get("Retry-After")))
        played.advance(seconds=5)
    assert found == [(200, None)] * 10 + [(503, "10"), (503, "5")]


# --- editeur-mort


def test_dead_editors_do_not_answer(play: Callable[..., Played]) -> None:
    played = play("editeur-mort")
    assert outcome(played, "agenda-coupe") == "reset"
    assert outcome(played, "agenda-ferme") == "closed"
    assert played.seconds("agenda-muet") == 600
    assert outcome(played, "agenda-temoin") == 200


@pytest.mark.parametrize("path", ["fhir/metadata", "connexion", "fhir/Practitioner/x"])
def test_of_dead_editors_nothing_answers(play: Callable[..., Played], path: str) -> None:
    played = play("editeur-mort")
    with pytest.raises(ConnectionEndedError):
        played.client.get(f"/agenda-ferme/{path}")
    assert played.client.get("/_health").status_code == 200


def test_the_witness_dies_and_comes_back_slowly(play: Callable[..., Played]) -> None:
    played = play("editeur-mort")
    played.start("panne-de-dix-minutes")
    found: list[object] = [outcome(played, "agenda-temoin")]
    for _ in range(2):
        played.advance(minutes=5)
        found.append(played.seconds("agenda-temoin"))
    assert found == ["closed", 3.0, 0.0]


# --- charge


def test_a_loaded_editor_refuses_beyond_its_quota_until_the_next_minute(play: Callable[..., Played]) -> None:
    played = play("charge")
    waits = [played.seconds("agenda-charge") for _ in range(61)]
    assert waits[60] is None
    answered = sorted(one for one in waits if one is not None)
    assert len(answered) == 60
    assert answered[30] == pytest.approx(0.8, abs=0.3)
    assert answered[-1] <= 6
    refused = played.ask("agenda-charge")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert played.ask("agenda-temoin").status_code == 200
    played.advance(seconds=60)
    assert played.seconds("agenda-charge") is not None


def test_a_loaded_editor_gets_slower_then_fails_then_recovers(play: Callable[..., Played]) -> None:
    played = play("charge")
    played.start("montee-en-charge")
    means, failed = [], []
    for _ in range(5):
        waits = [played.seconds("agenda-charge") for _ in range(60)]
        answered = [one for one in waits if one is not None]
        means.append(sum(answered) / len(answered))
        failed.append(60 - len(answered))
        played.advance(minutes=2)
    assert means[0] < 1.5 < 2 < means[1] < means[2] == 5
    assert means[3:] == [1.5, 0.0]
    assert failed[0] == 0
    assert failed[1] == 30
    assert 15 < failed[2] < 33
    assert failed[3:] == [0, 0]


# --- maintenance-de-nuit


def test_by_night_editors_are_down_and_the_duty_goes_on(play: Callable[..., Played]) -> None:
    played = play("maintenance-de-nuit", NIGHT)
    down = played.ask("agenda-nuit")
    assert (down.status_code, down.headers["Retry-After"]) == (503, "1800")
    assert down.headers["Content-Type"].startswith("text/html")
    assert "Maintenance en cours" in down.text
    assert played.client.get("/agenda-nuit/connexion").status_code == 503
    assert json_of(played.ask("agenda-garde"))["total"] > 0
    [plan] = played.plans("agenda-nuit", 1)
    assert plan == Later(14400)


@pytest.mark.parametrize(
    ("hour", "nuit", "austral"),
    [(21, 200, 200), (22, 200, 503), (0, None, 503), (1, 503, 503), (2, 503, 200), (5, 200, 200), (8, 200, 200)],
)
def test_the_night_is_that_of_the_place(play: Callable[..., Played], hour: int, nuit: int | None, austral: int) -> None:
    played = play("maintenance-de-nuit", NIGHT.replace(hour=hour))
    if nuit:
        assert played.ask("agenda-nuit").status_code == nuit
    else:
        waited = played.seconds("agenda-nuit")
        assert waited
        assert 2 <= waited <= 5
    assert played.ask("agenda-austral").status_code == austral


# --- notifications


def test_a_storm_has_notifications_of_every_sort(play: Callable[..., Played]) -> None:
    played = play("notifications")
    plans = list(played.plans("agenda-tempete", 1000))
    found = Counter(type(plan).__name__ + str(getattr(plan, "passed", "")) for plan in plans)
    shares = {name: count / 1000 for name, count in found.items()}
    assert shares == {
        "Lost": pytest.approx(0.05, abs=0.025),
        "LaterTrue": pytest.approx(0.095, abs=0.03),
        "Stale": pytest.approx(0.1, abs=0.03),
        "Again": pytest.approx(0.25, abs=0.045),
        "LaterFalse": pytest.approx(0.17, abs=0.04),
        "NoneType": pytest.approx(0.33, abs=0.05),
    }
    late = [plan.seconds for plan in plans if isinstance(plan, Later) and not plan.passed]
    assert 120 <= min(late) < 200 < 800 < max(late) <= 900
    assert {plan for plan in plans if isinstance(plan, Again)} == {Again(2, 20)}
    assert {plan for plan in plans if isinstance(plan, Lost)} == {Lost(accepted=True)}
    assert {plan for plan in plans if isinstance(plan, Stale)} == {Stale(first=False, seconds=30)}


def test_the_witness_of_the_storm_tells_everything_at_once(play: Callable[..., Played]) -> None:
    assert set(play("notifications").plans("agenda-temoin", 50)) == {None}


# --- erreurs-faq

PRACTITIONERS = [
    ("899000003212", {"prefixes"}),
    ("899000003220", {"prefixes"}),
    ("899000003238", {"prefixes"}),
    ("899000003246", {"attached"}),
    ("899000003253", {"slot_types", "consultation_types", "contents"}),
    ("899000003261", {"date_form"}),
    ("899000003279", {"links"}),
    ("899000003287", {"emptiness"}),
    ("899000003303", {"window"}),
]


@pytest.mark.parametrize(
    ("editor", "identifier", "expected"),
    [
        *(("agenda-faq", *one) for one in PRACTITIONERS),
        ("agenda-faq-cpts", "899000003311", {"contents"}),
        ("agenda-faq-cpts", "899000003329", {"references"}),
        ("agenda-faq-sos", "300000335000014", {"attached"}),
    ],
)
def test_each_of_the_faq_makes_its_mistake(
    play: Callable[..., Played], editor: str, identifier: str, expected: set[str]
) -> None:
    played = play("erreurs-faq")
    assert identifier in header_of("chaos-erreurs-faq")
    assert played.wrong(editor, identifier) >= expected


def test_the_association_of_the_faq_has_its_siret_without_prefix(play: Callable[..., Played]) -> None:
    found = of_type(json_of(play("erreurs-faq").ask("agenda-faq-sos", "300000333500015")), "Organization")
    assert [one["identifier"][0]["value"] for one in found] == ["00000333500015"]


@pytest.mark.parametrize(
    ("editor", "identifier", "status"),
    [("agenda-faq", "899000003295", 404), ("agenda-faq-sos", "300000334300019", 500)],
)
def test_who_has_no_slot_in_the_faq_is_answered_with_an_error(
    play: Callable[..., Played], editor: str, identifier: str, status: int
) -> None:
    assert play("erreurs-faq").ask(editor, identifier).status_code == status


def test_all_mistakes_of_the_faq_can_be_made_at_once(play: Callable[..., Played]) -> None:
    played = play("erreurs-faq")
    played.faults.switch("tout-a-la-fois", on=True)
    assert played.wrong("agenda-faq") >= {"prefixes", "attached", "slot_types", "date_form", "links", "emptiness"}

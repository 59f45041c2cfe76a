"""What the kinds of outgoing faults plan; that it is carried out: tests/notifications/test_faults.py."""

import random
from typing import Any

import pytest
from pydantic import ValidationError

from mock_editor.faults.kinds import KINDS
from mock_editor.faults.kinds.outgoing import (
    Again,
    Later,
    Lost,
    NotificationDelay,
    NotificationDrop,
    NotificationDuplicate,
    NotificationReorder,
    NotificationStale,
    OutgoingKind,
    Plan,
    Stale,
)
from mock_editor.faults.messages import Response
from mock_editor.faults.rules import Rule
from tests.conftest import NOW
from tests.faults.checks import Asked
from tests.faults.conftest import Right

OUTGOING = [kind for kind in KINDS if issubclass(kind, OutgoingKind)]

PLANS: list[tuple[OutgoingKind, Plan]] = [
    (NotificationDelay(seconds=5), Later(5)),
    (NotificationDelay(seconds=5, most=5), Later(5)),
    (NotificationDrop(), Lost(accepted=True)),
    (NotificationDrop(pretend="given-up"), Lost(accepted=False)),
    (NotificationDuplicate(), Again(1, 0)),
    (NotificationDuplicate(times=3, seconds=10), Again(3, 10)),
    (NotificationReorder(seconds=30), Later(30, passed=True)),
    (NotificationStale(), Stale(first=False, seconds=0)),
    (NotificationStale(state="first", seconds=2), Stale(first=True, seconds=2)),
]


@pytest.mark.parametrize(("kind", "plan"), PLANS)
def test_a_kind_plans_what_its_parameters_say(kind: OutgoingKind, plan: Plan) -> None:
    assert kind.plan(random.Random(1)) == plan


def test_every_kind_has_its_case() -> None:
    assert {type(kind) for kind, _ in PLANS} == set(OUTGOING)


@pytest.mark.parametrize("kind", OUTGOING)
def test_a_kind_says_what_the_sas_sees_and_which_rule_it_breaks(kind: type[OutgoingKind]) -> None:
    assert (kind.__doc__ or "").strip().endswith(".")
    assert kind.breaks
    assert kind.family == "outgoing"


@pytest.mark.parametrize("kind", OUTGOING)
def test_the_answer_of_the_sas_is_let_through(kind: type[OutgoingKind]) -> None:
    response = Response(201, (), b"{}")
    assert Right(Asked("INT_R03", "https://lga.example/fhir/Appointment", NOW), response).spoilt_by(kind()) is response


def test_a_delay_between_two_bounds_is_drawn() -> None:
    kind = NotificationDelay(seconds=10, most=20)
    plans = [kind.plan(random.Random(seed)) for seed in range(200)]
    seconds = [plan.seconds for plan in plans if isinstance(plan, Later)]
    assert len(seconds) == 200
    assert 10 <= min(seconds) < 11 < 19 < max(seconds) <= 20
    assert [kind.plan(random.Random(seed)) for seed in range(200)] == plans


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "notification-delay", "seconds": -1},
        {"kind": "notification-delay", "seconds": 10, "most": 9},
        {"kind": "notification-drop", "pretend": "refused"},
        {"kind": "notification-duplicate", "times": 0},
        {"kind": "notification-duplicate", "times": 101},
        {"kind": "notification-reorder", "seconds": -1},
        {"kind": "notification-stale", "state": "next"},
        {"kind": "notification-stale", "second": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate({"name": "x", "do": [wrong]})


@pytest.mark.parametrize("kind", OUTGOING)
def test_they_act_on_notifications_only(kind: type[OutgoingKind]) -> None:
    name = kind().name
    assert Rule.model_validate({"name": "x", "flows": ["INT_R03"], "do": [{"kind": name}]}).do == [kind()]
    with pytest.raises(ValidationError, match=f"{name} acts on INT_R03 only"):
        Rule.model_validate({"name": "x", "flows": ["INT_R01"], "do": [{"kind": name}]})

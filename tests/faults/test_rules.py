"""Rules and timelines as data: what they say, and what cannot be said."""

from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from mock_editor.faults.rules import Rule, Timeline

STATUS = {"kind": "status"}


def rule(**said: Any) -> Rule:
    return Rule.model_validate({"name": "r", "do": [STATUS]} | said)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"name": "Two Words"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"flows": ["other"]}, "expected one of INT_R01"),
        ({"flows": ["INT_R09"]}, "flows"),
        ({"since": "2026-11-20T08:00:00"}, "since"),
        ({"since": "2400-11-20T08:00:00Z"}, "expected an instant from 1900 to 2200"),
        ({"since": "2026-11-20T08:00:00Z", "until": "2026-11-20T08:00:00Z"}, "until is not after since"),
        ({"hours": "8-9"}, "expected hours such as 22:00-06:00"),
        ({"hours": "08:00-24:00"}, "expected hours"),
        ({"every": 0}, "every"),
        ({"share": 0}, "share"),
        ({"share": 1.1}, "share"),
        ({"uses": 0}, "uses"),
        ({"priority": 1001}, "priority"),
        ({"identifiers": [" "]}, "identifiers"),
        ({"do": []}, "do"),
        ({"do": [{"kind": "no-such-kind"}]}, "no-such-kind"),
        ({"do": [STATUS] * 11}, "do"),
        ({"flows": ["INT_R01"], "do": [{"kind": "appointment-end-missing"}]}, "acts on INT_R03 only"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_said_of_a_rule(said: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        rule(**said)


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        (None, "12:00", True),
        ("08:00-09:00", "07:59", False), ("08:00-09:00", "08:00", True), ("08:00-09:00", "08:59:59", True),
        ("08:00-09:00", "09:00", False),
        ("22:00-06:00", "21:59", False), ("22:00-06:00", "22:00", True), ("22:00-06:00", "00:00", True),
        ("22:00-06:00", "05:59", True), ("22:00-06:00", "06:00", False),
        ("08:00-08:00", "03:00", True),
    ],
)  # fmt: skip
def test_hours_may_run_past_midnight(hours: str | None, at: str, expected: bool) -> None:
    assert rule(hours=hours).in_hours(time.fromisoformat(at)) is expected


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ([], "steps"),
        ([{"at": -1}], "at"),
        ([{"at": 5}, {"at": 4}], "not in the order of their times"),
        ([{"at": 0, "remove": ["No Name"]}], "remove"),
    ],
)
def test_what_cannot_be_said_of_a_timeline(steps: list[dict[str, Any]], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        Timeline.model_validate({"name": "t", "steps": steps})


def test_a_step_clears_then_removes_then_adds() -> None:
    step = {"at": 1, "clear": True, "remove": ["b"], "add": [rule(name="b", priority=2), rule(name="c")]}
    timeline = Timeline.model_validate({"name": "t", "steps": [step]})
    before = [rule(name="a"), rule(name="b")]
    assert timeline.rules(before, 0.9) == before
    assert [(one.name, one.priority) for one in timeline.rules(before, 1)] == [("b", 2), ("c", 0)]


def test_a_rule_that_is_added_again_is_replaced_where_it_is() -> None:
    timeline = Timeline.model_validate({"name": "t", "steps": [{"at": 0, "add": [rule(name="a", priority=1)]}]})
    after = timeline.rules([rule(name="a"), rule(name="b")], 0)
    assert [(one.name, one.priority) for one in after] == [("a", 1), ("b", 0)]

"""Timelines of faults as pages show them: their steps, and how far the one that runs has come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mock_editor.admin.console.context import Console
from mock_editor.admin.console.kinds import summary
from mock_editor.admin.operations.faults import Running, list_timelines
from mock_editor.faults.rules import Step, Timeline


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of a timeline: when it comes, what it does, whether it is over, and whether it is the one in force."""

    at: str
    changes: Sequence[str]
    done: bool
    here: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a timeline has run, in seconds of the simulator's clock; ``number`` steps have come.

    ``next_in`` and ``left`` say how long it is to the next step and to the last; None after the last.
    """

    passed: float
    total: float
    number: int
    next_in: str | None
    left: str | None


@dataclass(frozen=True, slots=True)
class Played:
    """A timeline with its steps, and how far it is if it runs."""

    timeline: Timeline
    steps: Sequence[Moment]
    progress: Progress | None


def timelines(console: Console) -> list[Played]:
    """Those of the scenario, and the one that runs, which may be another."""
    found = list_timelines.run(console.control)
    running: Running | None = found.running
    known = list(found.timelines)
    if running and running.timeline not in known:
        known.insert(0, running.timeline)
    return [
        _played(timeline, running.seconds if running and timeline == running.timeline else None) for timeline in known
    ]


def _played(timeline: Timeline, passed: float | None) -> Played:
    steps, here = timeline.steps, -1
    if passed is not None:
        here = sum(step.at <= passed for step in steps) - 1
    moments = [
        Moment(_lasting(step.at), list(_changes(step)), number < here, number == here)
        for number, step in enumerate(steps)
    ]
    if passed is None:
        return Played(timeline, moments, None)
    total = steps[-1].at
    following = steps[here + 1].at - passed if here + 1 < len(steps) else None
    progress = Progress(
        passed=min(passed, total),
        total=total,
        number=here + 1,
        next_in=None if following is None else _lasting(following),
        left=None if following is None else _lasting(total - passed),
    )
    return Played(timeline, moments, progress)


def _changes(step: Step) -> Iterator[str]:
    if step.clear:
        yield "toutes les pannes s’en vont"
    if step.remove:
        yield f"{', '.join(step.remove)} : fin"
    for rule in step.add:
        whom = f" ({', '.join(rule.editors)})" if rule.editors else ""
        yield f"{rule.name}{whom} : {', '.join(map(summary, rule.do))}"


def _lasting(seconds: float) -> str:
    """« 5 min 30 s »."""
    whole = round(seconds)
    parts = [(whole // 86400, "j"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"

"""The simulator's clock: slots, sessions, retries and the ends of appointments follow it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from mock_editor.admin.operation import Control, Example, Instant, Model, operation
from mock_editor.base.clock import FASTEST, REAL, Clock, Course, Mode
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code

_AT = Field(description="Simulated time to begin at; without it, where the clock is now")
_TOO_FAR = {422: "No such time can be played"}


class Time(Model):
    """How the clock runs, and where it is."""

    mode: Annotated[Mode, Field(description="`shifted`: at the pace of real time; `scaled`: at another one")]
    now: Annotated[Instant, Field(description="Simulated time")]
    real: Annotated[Instant, Field(description="Real time")]
    rate: Annotated[float, Field(description="Simulated seconds in a real one; 0 when frozen")]


class Freeze(Model):
    """Where the clock is to stand."""

    at: Annotated[Instant | None, _AT] = None


class Run(Model):
    """Where the clock is to begin, and how fast it is to go."""

    at: Annotated[Instant | None, _AT] = None
    rate: Annotated[float, Field(gt=0, le=FASTEST, description="Simulated seconds in a real one")] = 1.0


_Amount = Annotated[float, Field(ge=-1_000_000, le=1_000_000)]


class Advance(Model):
    """By how much the clock is to move, all together, or where to."""

    days: _Amount = 0.0
    hours: _Amount = 0.0
    minutes: _Amount = 0.0
    seconds: _Amount = 0.0
    to: Annotated[Instant | None, Field(description="Simulated time to go to, instead of an amount")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Advance":
        if (self.to is None) == (self.amount == timedelta()):
            raise InvalidValueError(Code.CLOCK_AMOUNT_OR_TO)
        return self

    @property
    def amount(self) -> timedelta:
        """All together."""
        return timedelta(days=self.days, hours=self.hours, minutes=self.minutes, seconds=self.seconds)


@operation("GET", "/clock", "clock show", "Tell the simulated time", examples=[Example("Now")])
def show_clock(control: Control) -> Time:
    """Where the simulator's clock is, and how it runs."""
    clock = control.simulator.clock
    return Time(mode=clock.course.mode, now=clock.now(), real=datetime.now(UTC), rate=clock.course.rate)


@operation(
    "POST",
    "/clock/freeze",
    "clock freeze",
    "Stop the clock",
    refusals=_TOO_FAR,
    examples=[
        Example("Where it is"),
        Example("On a Friday morning", body={"at": "2026-11-20T08:00:00+01:00"}),
        Example("Beyond what can be played", body={"at": "2300-01-01T00:00:00Z"}, status=422),
    ],
)
def freeze_clock(control: Control, body: Freeze) -> Time:
    """Stops the clock, where it is or at a given time, until it is told otherwise."""
    return _run(control, rate=0.0, at=body.at)


@operation(
    "POST",
    "/clock/run",
    "clock run",
    "Let the clock run, from another time or faster",
    refusals=_TOO_FAR,
    examples=[
        Example("From another day on", body={"at": "2026-12-24T20:00:00+01:00"}),
        Example("An hour in a minute", body={"rate": 60}),
    ],
)
def run_clock(control: Control, body: Run) -> Time:
    """Lets the clock run: from where it is or from a given time, as fast as real time or at another rate."""
    return _run(control, rate=body.rate, at=body.at)


@operation(
    "POST",
    "/clock/advance",
    "clock advance",
    "Move the clock",
    refusals=_TOO_FAR,
    examples=[
        Example("By a day and a half", body={"days": 1, "hours": 12}),
        Example("Back by an hour", body={"hours": -1}),
        Example("To a given time", body={"to": "2026-11-21T09:00:00+01:00"}),
        Example("By nothing", body={}, status=422),
    ],
)
def advance_clock(control: Control, body: Advance) -> Time:
    """Moves the clock by an amount or to a given time; it goes on as it did, frozen or running."""
    if body.to:
        return _run(control, at=body.to)
    try:
        return _move(control, lambda clock: clock.advanced(body.amount))
    except InvalidValueError as error:
        raise error.at("body") from None


@operation("POST", "/clock/real", "clock real", "Tell real time again", examples=[Example("Real time")])
def real_clock(control: Control) -> Time:
    """Has the clock tell real time."""
    return _move(control, lambda _: REAL)


def _run(control: Control, *, at: datetime | None, rate: float | None = None) -> Time:
    """Runs on from there, at this rate or as it does."""
    try:
        return _move(control, lambda clock: clock.at_rate(clock.course.rate if rate is None else rate, at))
    except InvalidValueError as error:
        raise error.at("body.at") from None


def _move(control: Control, course_of: Callable[[Clock], Course]) -> Time:
    control.simulator.move_clock(course_of)
    shown: Time = show_clock.run(control)
    return shown

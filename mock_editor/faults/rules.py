"""Fault rules and timelines as data, as in scenarios, the admin API and the store."""

import contextlib
import re
from collections.abc import Sequence
from datetime import datetime, time
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    model_validator,
)

from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, Named
from mock_editor.faults.kinds import AnyKind

MOST_RULES = 200
_NAME = StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
Name = Annotated[str, _NAME]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
# Identifiers and similar filters of a rule at most: every request waits while it is compared with them.
_MOST = 1000
_Value = Annotated[str, StringConstraints(max_length=1000)]

# The flows that a rule can act on. The simulator's own surfaces are left out, so that they can always be reached.
TARGETS = frozenset(Flow) - {Flow.OTHER}


def _target(flow: Flow) -> Flow:
    if flow not in TARGETS:
        raise InvalidValueError(Code.FAULT_FLOW, flows=TARGETS)
    return flow


def _read(value: object) -> object:
    # Without the other form that pydantic accepts: a number of seconds since 1970.
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            at = datetime.fromisoformat(value)
            if at.tzinfo and len(value) > len("2026-11-20T"):
                return at
        raise InvalidValueError(Code.FAULT_INSTANT)
    return value


def _playable(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidValueError(Code.FAULT_YEAR, first=FIRST_YEAR, last=LAST_YEAR)
    return moment


def _hours(text: object) -> object:
    if isinstance(text, str) and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise InvalidValueError(Code.FAULT_HOURS)
    return text


Target = Annotated[Flow, AfterValidator(_target)]
Moment = Annotated[AwareDatetime, BeforeValidator(_read), AfterValidator(_playable)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """When which faults act. All that is said of an exchange has to hold; what is left out holds for all.

    Of several rules that match, the one with the highest priority acts, among equals the first; one that does not act
    because of its share or its counts leaves the exchange to the next. Counts and draws go on over all workers.
    """

    name: Annotated[str, _NAME, Field(description="Its name, unique")]
    on: Annotated[bool, Field(description="Whether it acts at all")] = True
    priority: Annotated[int, Field(ge=-1000, le=1000, description="The highest acts first")] = 0
    flows: Annotated[list[Target], Field(description="Flows that it acts on")] = []
    editors: Annotated[list[_Text], Field(description="Slugs of editors")] = []
    identifiers: Annotated[
        list[_Text],
        Field(
            max_length=_MOST,
            description="Identifiers of practitioners, structures or regulators, in the URL or the body",
        ),
    ] = []
    methods: Annotated[list[_Text], Field(description="HTTP methods")] = []
    headers: Annotated[
        dict[_Text, _Value],
        Field(max_length=_MOST, description="Values that headers of the request have; * stands for anything"),
    ] = {}
    since: Annotated[Moment | None, Field(description="From then on, by the simulator's clock")] = None
    until: Annotated[Moment | None, Field(description="Before then, by the simulator's clock")] = None
    hours: Annotated[
        str | None, BeforeValidator(_hours), Field(description="Every day, like 22:00-06:00, where the editor is")
    ] = None
    every: Annotated[Count | None, Field(description="Every so many exchanges that match")] = None
    first: Annotated[Count | None, Field(description="The first so many exchanges that match")] = None
    share: Annotated[float, Field(gt=0, le=1, description="Share of the exchanges that match")] = 1.0
    uses: Annotated[Count | None, Field(description="How often it acts at most")] = None
    do: Annotated[
        list[Annotated[AnyKind, Discriminator("kind")]],
        Field(min_length=1, max_length=10, description="What it does; the first is the outermost"),
    ]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.since and self.until and self.until <= self.since:
            raise InvalidValueError(Code.FAULT_UNTIL)
        for kind in self.do:
            if kind.flows and self.flows and kind.flows.isdisjoint(self.flows):
                raise InvalidValueError(
                    Code.FAULT_KIND_FLOWS, kind=Named(kind.name, kind.french.title), flows=kind.flows
                )
        return self

    def in_hours(self, at: time) -> bool:
        """Whether a local time is within the rule's hours of the day."""
        if self.hours is None:
            return True
        begin, end = (time.fromisoformat(part) for part in self.hours.split("-"))
        return begin <= at < end if begin < end else at >= begin or at < end


class Step(_Part):
    """What happens at a moment of a timeline: first ``clear``, then ``remove``, then ``add``."""

    at: Annotated[float, Field(ge=0, le=10_000_000, description="Seconds of the simulator's clock after its start")]
    clear: Annotated[bool, Field(description="Every rule goes")] = False
    remove: Annotated[list[Name], Field(description="Names of rules that go")] = []
    add: Annotated[list[Rule], Field(description="Rules that come; one of the same name is replaced")] = []


class Timeline(_Part):
    """Faults that come and go by themselves."""

    name: Name
    title: _Text | None = None
    steps: Annotated[list[Step], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if any(later.at < earlier.at for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise InvalidValueError(Code.TIMELINE_ORDER)
        return self

    def rules(self, before: Sequence[Rule], passed: float) -> list[Rule]:
        """The rules after a number of seconds, starting from the rules ``before``."""
        rules = {rule.name: rule for rule in before}
        for step in self.steps:
            if step.at > passed:
                break
            if step.clear:
                rules.clear()
            for name in step.remove:
                rules.pop(name, None)
            rules |= {rule.name: rule for rule in step.add}
        return list(rules.values())

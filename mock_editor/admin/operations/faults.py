"""Faults on demand: rules that make editors slow, failing or wrong, and timelines by which they come and go."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, to_json

from mock_editor.admin.operation import Control, Example, Instant, Line, Model, operation
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, issue
from mock_editor.base.validation import invalid
from mock_editor.faults.catalogue import catalogue
from mock_editor.faults.rules import Name, Rule, Timeline
from mock_editor.faults.wrong import problems

_OF_RULE = "Name of a rule"
RuleName = Annotated[Line, Field(description=_OF_RULE)]
_NO_RULE = {404: "There is no such rule"}
_SLOW = {"flows": ["INT_R01"], "do": [{"kind": "cut-body", "share": 0.5}]}
_BARE = {"name": "sans-prefixe", "do": [{"kind": "practitioner-id-without-prefix"}]}
_MINUTE = {"name": "une-minute", "steps": [{"at": 0, "add": [_BARE]}, {"at": 60, "remove": ["sans-prefixe"]}]}

_Said = TypeVar("_Said", bound=BaseModel)


def _strictly(model: type[_Said], value: Any) -> _Said:
    """What came in, with no type in the place of another: in scenarios, which the models are for too, all is text."""
    try:
        return model.model_validate_json(to_json(value), strict=True)
    except ValidationError as error:
        details = [
            InitErrorDetails(type=invalid(what.code, **what.values), loc=where, input=None)
            for where, what in problems(error, model)
        ]
        raise ValidationError.from_exception_data(model.__name__, details) from None


class NewRule(Rule):
    """A rule that comes in."""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, _: Any) -> Any:
        return _strictly(Rule, value)


def _without_name(schema: dict[str, Any]) -> None:
    del schema["properties"]["name"]
    schema["required"].remove("name")


_UNNAMED = "named-by-the-path"


class RuleOfPath(Rule):
    """A rule that comes in, named by the path: on its own, or with all that is told of it (see Fault)."""

    model_config = ConfigDict(json_schema_extra=_without_name)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, _: Any) -> Any:
        if isinstance(value, dict):
            told = value.keys() == Fault.model_fields.keys() and isinstance(value["rule"], dict)
            value = {"name": _UNNAMED} | (value["rule"] if told else value)
        return _strictly(Rule, value)


class NewTimeline(Timeline):
    """A timeline that comes in."""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, _: Any) -> Any:
        return _strictly(Timeline, value)


class Fault(Model):
    """A rule, and what became of it."""

    rule: Rule
    in_force: Annotated[bool, Field(description="Whether it is there and switched on at this moment")]
    timeline: Annotated[str | None, Field(description="The timeline that brought it, if one did")]
    matched: Annotated[int, Field(description="How many exchanges it was for")]
    acted: Annotated[int, Field(description="On how many of them it acted")]


class FaultList(Model):
    """Rules, in the order in which they were set."""

    faults: list[Fault]
    timeline: Annotated[str | None, Field(description="The timeline that runs")]


class Running(Model):
    """A timeline that runs."""

    timeline: Timeline
    since: Annotated[Instant, Field(description="When it began, by the simulator's clock")]
    seconds: Annotated[float, Field(description="How long ago that is, by the simulator's clock")]


class TimelineList(Model):
    """The timelines of the scenario in play, and the one that runs."""

    timelines: list[Timeline]
    running: Running | None


class FaultKind(Model):
    """What a rule can do."""

    kind: str
    family: str
    flows: Annotated[list[str], Field(description="Flows that it can act on; none: all of them")]
    description: Annotated[str, Field(description="What the client sees")]
    breaks: Annotated[str, Field(description="The rule of the guide or of a standard that this breaks, if any")]
    parameters: Annotated[dict[str, Any], Field(description="JSON schema of its parameters")]


class FaultKinds(Model):
    """The catalogue."""

    kinds: list[FaultKind]


class KindFilter(Model):
    """Which kinds are asked for."""

    kind: Annotated[Line | None, Field(description="Only this one")] = None
    family: Annotated[Line | None, Field(description="Only those of this family")] = None
    flow: Annotated[Flow | None, Field(description="Only those that can act on this flow")] = None


# --- rules


@operation("GET", "/faults", "fault list", "List fault rules", examples=[Example("All of them")])
def list_faults(control: Control) -> FaultList:
    """The rules as they were set, then those that a running timeline has brought."""
    running = control.simulator.faults.running()
    return FaultList(faults=_faults(control), timeline=running[0].name if running else None)


@operation(
    "GET",
    "/faults/kinds",
    "fault kinds",
    "List the kinds of faults",
    examples=[
        Example("One", query={"kind": "cut-body"}),
        Example("Those of a family", query={"family": "body"}),
        Example("Those for notifications", query={"flow": "INT_R03"}),
    ],
)
def list_fault_kinds(_: Control, query: KindFilter) -> FaultKinds:
    """The catalogue of what rules can do, with the parameters of each kind."""
    return FaultKinds(
        kinds=[
            FaultKind(
                kind=one.kind,
                family=one.family,
                flows=list(one.flows),
                description=one.description,
                breaks=one.breaks,
                parameters=dict(one.parameters),
            )
            for one in catalogue().values()
            if query.kind in (None, one.kind)
            and query.family in (None, one.family)
            and (query.flow is None or not one.flows or query.flow in one.flows)
        ]
    )


@operation(
    "GET",
    "/faults/{name}",
    "fault show",
    "Show a fault rule",
    refusals=_NO_RULE,
    examples=[Example("One that there is not", path={"name": "lent"}, status=404)],
)
def show_fault(control: Control, name: RuleName) -> Fault:
    """A rule, set or brought by a timeline, with how often it matched and acted."""
    found = [one for one in _faults(control) if one.rule.name == name]
    if not found:
        raise refused(Code.RULE_NOT_FOUND, name=name)
    return found[-1]


@operation(
    "POST",
    "/faults",
    "fault add",
    "Add a fault rule",
    status=201,
    refusals={409: "There is a rule of that name already"},
    examples=[
        Example("Every INT_R01 is cut in the middle", body={"name": "lent", **_SLOW}),
        Example("A kind that there is not", body={"name": "lent", "do": [{"kind": "lenteur"}]}, status=422),
    ],
)
def add_fault(control: Control, body: NewRule) -> Fault:
    """Adds a rule; it acts from now on."""
    if any(one.name == body.name for one in control.simulator.faults.rules()):
        raise refused(Code.RULE_EXISTS, "body.name", name=body.name)
    return _put(control, body)


@operation(
    "PUT",
    "/faults/{name}",
    "fault set",
    "Add a fault rule, or replace one",
    examples=[
        Example("Every INT_R01 is cut in the middle", path={"name": "lent"}, body=_SLOW),
        Example("A name that is none", path={"name": "Très lent"}, body=_SLOW, status=422),
    ],
)
def set_fault(control: Control, name: Annotated[Name, Field(description=_OF_RULE)], body: RuleOfPath) -> Fault:
    """Puts a rule in the place of the one of that name, if there is one; its counts begin anew.

    What `GET` has told of a rule can be put as it is, with its name and its counts, of which the latter are not read.
    """
    if body.name not in (_UNNAMED, name):
        raise refused(Code.RULE_NAMED_OTHERWISE, "body.name", name=name)
    return _put(control, body.model_copy(update={"name": name}))


@operation(
    "POST",
    "/faults/{name}/on",
    "fault on",
    "Switch a fault rule on",
    refusals=_NO_RULE,
    examples=[Example("One that there is not", path={"name": "lent"}, status=404)],
)
def switch_fault_on(control: Control, name: RuleName) -> Fault:
    """Switches a rule on; its counts go on."""
    control.simulator.faults.switch(name, on=True)
    return _shown(control, name)


@operation(
    "POST",
    "/faults/{name}/off",
    "fault off",
    "Switch a fault rule off",
    refusals=_NO_RULE,
    examples=[Example("One that there is not", path={"name": "lent"}, status=404)],
)
def switch_fault_off(control: Control, name: RuleName) -> Fault:
    """Switches a rule off; requests that it makes wait are answered."""
    control.simulator.faults.switch(name, on=False)
    return _shown(control, name)


@operation(
    "DELETE",
    "/faults/{name}",
    "fault remove",
    "Remove a fault rule",
    refusals=_NO_RULE,
    examples=[Example("One that there is not", path={"name": "lent"}, status=404)],
)
def remove_fault(control: Control, name: RuleName) -> None:
    """Removes a rule; requests that it makes wait are answered."""
    control.simulator.faults.remove(name)


@operation("DELETE", "/faults", "fault clear", "Remove all fault rules", examples=[Example("All of them")])
def clear_faults(control: Control) -> None:
    """Removes all rules, those of the scenario too, and ends the running timeline.

    A reset brings those of the scenario back.
    """
    control.simulator.faults.clear()


# --- timelines


@operation("GET", "/timelines", "timeline list", "List timelines of faults", examples=[Example("All of them")])
def list_timelines(control: Control) -> TimelineList:
    """The timelines of the scenario in play, and the one that runs, which may be another."""
    return TimelineList(timelines=control.simulator.faults.timelines(), running=_running(control))


@operation(
    "POST",
    "/timelines/{name}/start",
    "timeline start",
    "Run a timeline of the scenario",
    refusals={404: "There is no such timeline"},
    examples=[Example("One that there is not", path={"name": "panne"}, status=404)],
)
def start_timeline(
    control: Control, name: Annotated[Line, Field(description="Name of a timeline, as `GET /timelines` tells it")]
) -> Running:
    """Runs a timeline of the scenario in play from now on, in the place of the one that runs."""
    known = {one.name: one for one in control.simulator.faults.timelines()}
    if name not in known:
        raise refused(Code.TIMELINE_NOT_FOUND if known else Code.NO_TIMELINES, name=name, known=list(known))
    return _started(control, known[name])


@operation(
    "POST",
    "/timelines",
    "timeline play",
    "Run a timeline that is sent",
    examples=[
        Example("A fault for a minute", body=_MINUTE),
        Example("Steps that go back", body={"name": "retour", "steps": [{"at": 60}, {"at": 0}]}, status=422),
    ],
)
def play_timeline(control: Control, body: NewTimeline) -> Running:
    """Runs a timeline of one's own from now on, in the place of the one that runs."""
    for at, step in enumerate(body.steps):
        for number, rule in enumerate(step.add):
            _only_known_editors(control, rule, f"body.steps[{at}].add[{number}]")
    return _started(control, body)


@operation("POST", "/timelines/stop", "timeline stop", "Stop the timeline that runs", examples=[Example("None runs")])
def stop_timeline(control: Control) -> None:
    """Ends the timeline that runs, if one does: its rules go, and those that it removed are back."""
    control.simulator.faults.stop()


# ---


def _faults(control: Control) -> list[Fault]:
    faults = control.simulator.faults
    rules, uses, running = faults.rules(), faults.uses(), faults.running()
    in_force = {one.name: one for one in faults.in_force()}
    brought = [one for one in in_force.values() if one not in rules]

    def made(rule: Rule, timeline: str | None = None) -> Fault:
        matched, acted = uses.get(rule.name, (0, 0))
        return Fault(
            rule=rule,
            in_force=in_force.get(rule.name) == rule,
            timeline=timeline,
            matched=matched,
            acted=acted,
        )

    name = running[0].name if running else None
    return [*map(made, rules), *(made(one, name) for one in brought)]


def _shown(control: Control, name: str) -> Fault:
    shown: Fault = show_fault.run(control, name)
    return shown


def _put(control: Control, rule: Rule) -> Fault:
    _only_known_editors(control, rule, "body")
    control.simulator.faults.put(rule)
    return _shown(control, rule.name)


def _only_known_editors(control: Control, rule: Rule, where: str) -> None:
    """Raises 422 for a rule about editors that the scenario in play does not have."""
    known = control.world.catalogue.editors
    wrong = [
        issue(Code.RULE_EDITOR_UNKNOWN, f"{where}.editors[{at}]", editor=slug, known=list(known))
        for at, slug in enumerate(rule.editors)
        if slug not in known
    ]
    if wrong:
        raise EditorError(422, wrong)


def _started(control: Control, timeline: Timeline) -> Running:
    control.simulator.faults.start(timeline)
    # Somebody may have stopped it at once.
    return _running(control) or Running(timeline=timeline, since=control.simulator.clock.now(), seconds=0.0)


def _running(control: Control) -> Running | None:
    running = control.simulator.faults.running()
    if running is None:
        return None
    timeline, since = running
    return Running(timeline=timeline, since=since, seconds=(control.simulator.clock.now() - since).total_seconds())

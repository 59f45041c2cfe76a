"""Scenarios: which there are, and which is played."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from mock_editor.admin.operation import Control, Download, Example, Line, Model, operation
from mock_editor.base.errors import MOST_ISSUES, EditorError, refused
from mock_editor.base.issues import Code, Issue
from mock_editor.base.words import english
from mock_editor.scenario import LoadedScenario, ScenarioError, Script
from mock_editor.scenario.reader import LARGEST_FILE
from mock_editor.simulator.simulator import Simulator, checked

ScenarioName = Annotated[Line, Field(description="Name of a scenario, as `GET /scenarios` tells it")]
_YAML = ("application/yaml", "text/yaml", "application/x-yaml", "text/plain")
_WRONG = {422: "The scenario is wrong; `errors` tells every fault with its file and line"}
_GONE = {404: "There is no such scenario"}
_KEEP = Field(description="Whether accounts, appointments and all other state stay")
_EXAMPLE = "name: essai\n# …"


class ScenarioEditor(Model):
    """An editor of a scenario."""

    slug: str
    name: str
    practitioners: int
    associations: int


class Scenario(Model):
    """A scenario that can be played."""

    name: str
    title: str
    source: Annotated[str, Field(description="Where it was read from")]
    file: Annotated[bool, Field(description="Whether that is a file, which can be read again")]
    editors: list[ScenarioEditor]
    warnings: Annotated[list[str], Field(description="What is doubtful in it, each with its file and line")]
    # The same as data, for screens: where, and what.
    _doubts: Sequence[tuple[str, Issue]] = PrivateAttr(())

    @property
    def doubts(self) -> Sequence[tuple[str, Issue]]:
        """What is doubtful in it: file and line, and what it is."""
        return self._doubts


class KnownScenario(Model):
    """A scenario in the list."""

    name: str
    source: str
    in_play: bool


class KnownScenarios(Model):
    """Those that can be loaded by name: the shipped ones, and those beside the file that the simulator began with."""

    scenarios: list[KnownScenario]


class Load(Model):
    """Which scenario to play; or one as it is told (see Scenario), of which the name counts."""

    name: ScenarioName
    keep_state: Annotated[bool, _KEEP] = False
    _described: Scenario | None = PrivateAttr(None)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, dict) or value.keys() != Scenario.model_fields.keys():
            return read(value)
        found = read({"name": value["name"]})
        with contextlib.suppress(ValidationError):
            found._described = Scenario.model_validate(value)
        return found

    def describes(self, played: Scenario) -> bool:
        """Whether it is what is told of the scenario in play, and so changes nothing."""
        return self._described is not None and self._described.model_dump() == played.model_dump()


class Source(Model):
    """What a text is called."""

    source: Annotated[Line, Field(description="What the text is called where its faults are told")] = "scenario.yaml"


class Sent(Source):
    """What a text is called, and what becomes of the state."""

    keep_state: Annotated[bool, _KEEP] = False


class Reload(Model):
    """What becomes of the state."""

    keep_state: Annotated[bool, _KEEP] = True


@operation("GET", "/scenarios", "scenario list", "List scenarios", examples=[Example("All of them")])
def list_scenarios(control: Control) -> KnownScenarios:
    """The scenarios that can be loaded by name."""
    playing = control.world.scenario.script.source
    found = _known(control.simulator)
    return KnownScenarios(
        scenarios=[KnownScenario(name=name, source=str(path), in_play=str(path) == playing) for name, path in found]
    )


@operation(
    "GET",
    "/scenario",
    "scenario show",
    "Show the scenario in play",
    examples=[Example("The one in play")],
)
def show_scenario(control: Control) -> Scenario:
    """The scenario in play, with its editors."""
    return _shown(control.world.scenario)


@operation(
    "GET",
    "/scenario/text",
    "scenario text",
    "Show how the scenario in play is written",
    produces=["application/yaml"],
    examples=[Example("As it was read")],
)
def show_scenario_text(control: Control) -> Download:
    """The scenario in play as it was written, in YAML."""
    played = control.world.scenario
    return Download(f"{played.name}.yaml", [played.script.text.encode()])


@operation(
    "GET",
    "/scenarios/{name}",
    "scenario describe",
    "Show a scenario that could be played",
    refusals=_GONE | _WRONG,
    examples=[
        Example("A shipped one", path={"name": "exemples-guide"}),
        Example("One that there is not", path={"name": "nulle-part"}, status=404),
    ],
)
def describe_scenario(control: Control, name: ScenarioName) -> Scenario:
    """A scenario of the list, with its editors."""
    with _faults():
        return _shown(checked(_script(control.simulator, name)))


@operation(
    "POST",
    "/scenario/check",
    "scenario check",
    "Check a scenario without playing it",
    accepts=_YAML,
    limit=LARGEST_FILE,
    refusals=_WRONG,
    examples=[Example("One that lacks almost everything", body=_EXAMPLE, status=422)],
)
def check_scenario(control: Control, query: Source, body: str) -> Scenario:  # noqa: ARG001 - as all operations have it
    """Checks a scenario that is sent as YAML: everything that loading it would check, and nothing changes."""
    with _faults():
        return _shown(checked(Script.of(query.source, body.encode())))


@operation(
    "PUT",
    "/scenario",
    "scenario load",
    "Play another scenario",
    refusals=_GONE | _WRONG,
    examples=[
        Example("The guide's examples", body={"name": "exemples-guide"}),
        Example("One that there is not", body={"name": "nulle-part"}, status=404),
    ],
)
def load_scenario(control: Control, body: Load) -> Scenario:
    """Plays a scenario of the list, in all workers when this is answered; a wrong one changes nothing.

    The state becomes what the scenario says, its clock included, unless it is to be kept. What `GET` tells of the
    scenario in play can be put as it is, and changes nothing.
    """
    if body.describes(now := _shown(control.world.scenario)):
        return now
    with _faults():
        return _shown(control.simulator.load(_script(control.simulator, body.name), keep_state=body.keep_state))


@operation(
    "PUT",
    "/scenario/text",
    "scenario send",
    "Play a scenario that is sent",
    accepts=_YAML,
    limit=LARGEST_FILE,
    refusals=_WRONG,
    examples=[Example("One that lacks almost everything", query={"source": "essai.yaml"}, body=_EXAMPLE, status=422)],
)
def send_scenario(control: Control, query: Sent, body: str) -> Scenario:
    """Plays a scenario that is sent as YAML, in all workers when this is answered; a wrong one changes nothing.

    The state becomes what the scenario says, its clock included, unless it is to be kept. Files that it names
    (certificates) are looked for from the simulator's working directory, and have to be below it.
    """
    with _faults():
        script = Script.of(query.source, body.encode())
        return _shown(control.simulator.load(script, keep_state=query.keep_state))


@operation(
    "POST",
    "/scenario/reload",
    "scenario reload",
    "Read the file of the scenario again",
    refusals={409: "The scenario in play was sent as a text, or saved elsewhere"} | _WRONG,
    examples=[Example("Keeping the state"), Example("From the beginning", body={"keep_state": False})],
)
def reload_scenario(control: Control, body: Reload) -> Scenario:
    """Plays the scenario as its file is now; a wrong one changes nothing."""
    script = control.world.scenario.script
    # A snapshot may say that it is of any file.
    if script.file and script.source not in map(str, control.simulator.files()):
        raise refused(Code.FILE_NOT_OF_SCENARIOS, file=script.source)
    with _faults():
        return _shown(control.simulator.reload(keep_state=body.keep_state))


def _known(simulator: Simulator) -> list[tuple[str, Path]]:
    """The files that can be named; one beside the simulator's own wins over a shipped one."""
    return sorted({path.stem: path for path in simulator.files()}.items())


def _script(simulator: Simulator, name: str) -> Script:
    path = dict(_known(simulator)).get(name)
    if path is None:
        raise refused(Code.SCENARIO_NOT_FOUND, name=name, known=[known for known, _ in _known(simulator)])
    return Script.read(path)


@contextlib.contextmanager
def _faults() -> Iterator[None]:
    """Tells what is wrong with a scenario, each fault with its file and line."""
    try:
        yield
    except ScenarioError as error:
        issues = [replace(problem.what, place=problem.where(error.source)) for problem in error.problems[:MOST_ISSUES]]
        raise EditorError(422, issues) from None


def _shown(played: LoadedScenario) -> Scenario:
    doubts = [(one.where(played.script.source), one.what) for one in played.warnings[:MOST_ISSUES]]
    shown = Scenario(
        name=played.name,
        title=played.title,
        source=played.script.source,
        file=played.script.file,
        editors=[
            ScenarioEditor(
                slug=one.slug,
                name=one.name,
                practitioners=len(one.directory),
                associations=len(one.associations),
            )
            for one in played.editors
        ],
        warnings=[f"{where}: {english(what)}" for where, what in doubts],
    )
    shown._doubts = doubts
    return shown

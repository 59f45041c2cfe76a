"""The scenario in play, those that can be loaded, its text, one's own, and the state as a whole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask import Response

from mock_editor.admin.console.context import Console, Route
from mock_editor.admin.operations.scenarios import list_scenarios
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.words import french
from mock_editor.scenario import ScenarioError, Script
from mock_editor.scenario.reader import Document
from mock_editor.world.world import StatePart

# What can be put back, in French.
PARTS = (
    (StatePart.ACCOUNTS, "Comptes, et sessions sur les sites"),
    (StatePart.APPOINTMENTS, "Rendez-vous, et leurs notifications"),
    (StatePart.CALENDARS, "Agendas : ce qui a été ouvert et fermé à la main"),
    (StatePart.CLOCK, "Horloge"),
    (StatePart.FAULTS, "Pannes"),
    (StatePart.JOURNAL, "Journal"),
)
_OWN = "essai.yaml"


@dataclass(frozen=True, slots=True)
class Known:
    """A scenario of the list; ``problem`` is why its file cannot be read."""

    name: str
    source: str
    in_play: bool
    title: str = ""
    text: str = ""
    problem: str = ""


def scenario(console: Console) -> Response:
    played = console.world.scenario
    return console.show(
        "scenario.html",
        played=played,
        text=_described(played.script).get("description", ""),
        known=[_known(one.name, one.source, one.in_play) for one in list_scenarios.run(console.control).scenarios],
        parts=[(one.value, words) for one, words in PARTS],
    )


def scenario_text(console: Console) -> Response:
    name, script = _asked(console)
    return console.show("scenario_texte.html", name=name, script=script, lines=script.text.splitlines())


def scenario_own(console: Console) -> Response:
    _, script = _asked(console)
    typed = console.refused.typed.get("body", [""])[-1] if console.refused else ""
    well = bool(typed and console.notice and console.notice.well)
    return console.show(
        "scenario_essai.html",
        text=script.text,
        name=_OWN,
        checked=typed if well else "",
        excerpts=_excerpts(console, typed),
    )


def _asked(console: Console) -> tuple[str, Script]:
    """The scenario of ``?nom=``, else the one in play. Raises 404."""
    name = console.asked().one("nom")
    if name is None:
        return console.world.scenario.name, console.world.scenario.script
    sources = {one.name: one.source for one in list_scenarios.run(console.control).scenarios}
    try:
        return name, Script.read(Path(sources[name]))
    except (KeyError, ScenarioError):
        raise refused(Code.NO_SUCH_PAGE) from None


def _known(name: str, source: str, in_play: bool) -> Known:
    try:
        found = _described(Script.read(Path(source)))
    except ScenarioError as error:
        return Known(name, source, in_play, problem=" ; ".join(french(one.what) for one in error.problems))
    return Known(name, source, in_play, found.get("title", ""), found.get("description", ""))


def _described(script: Script) -> dict[str, str]:
    """What a scenario says of itself; it is checked when it is loaded. Raises ScenarioError."""
    data = Document(script).data
    return {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, dict) else {}


def _excerpts(console: Console, typed: str) -> Sequence[tuple[int, str]]:
    """The lines of a text that was refused on which something is wrong, with their numbers."""
    if not console.notice or console.notice.well:
        return ()
    lines = typed.splitlines()
    found = (re.search(r":(\d+)$", where) for where, _ in console.notice.details)
    numbers = sorted({int(at[1]) for at in found if at})
    return [(number, lines[number - 1]) for number in numbers if 0 < number <= len(lines)]


ROUTES = (
    Route("/scenario", scenario),
    Route("/scenario/texte", scenario_text),
    Route("/scenario/essai", scenario_own),
)

"""Reads a scenario file. It is YAML whose scalars are all text; messages about problems need the line of each part.

Scalars are read as text because YAML would turn identifiers and hours (``0123456789``, ``12:30``) into numbers. The
schema then says which type each one has.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.files import folder
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.words import english

LARGEST_FILE = 5_000_000
_MOST_NODES = 200_000
_DEEPEST = 50

# FHIR texts must not contain them, and search/bundle.py relies on NUL for its own marks.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

Location = tuple[int | str, ...]
# The words of these codes name the part, which ``of_part`` adds.
_NAMES_ITS_PART = frozenset({Code.SCENARIO_KEY_MISSING, Code.SCENARIO_KEY_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing in a scenario that is wrong or doubtful: line (from 1; 0 for the whole file), path of keys, issue."""

    line: int
    location: Location
    issue: Issue

    def where(self, source: str) -> str:
        """File and line. The scenario was read from ``source``."""
        return f"{source}:{self.line}" if self.line else source

    @property
    def what(self) -> Issue:
        """The issue with the path of the part."""
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.location).lstrip(".")
        return of_part(path, self.issue)


def of_part(path: str, what: Issue) -> Issue:
    """The issue with the path of the part that it is about. An empty path stands for the whole file."""
    if not path:
        return what
    if what.code in _NAMES_ITS_PART:
        return replace(what, values={**what.values, "part": path})
    return issue(Code.SCENARIO_PART, part=path, problem=what)


class ScenarioError(ValueError):
    """A scenario cannot be played. As text it has a line per problem: file, line, place, what was expected."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__(source)

    def __str__(self) -> str:
        # For commands and logs.
        return "\n".join(f"{problem.where(self.source)}: {english(problem.what)}" for problem in self.problems)


def _unreadable(source: str, error: OSError) -> ScenarioError:
    return ScenarioError(source, [Problem(0, (), issue(Code.SCENARIO_FILE_UNREADABLE, reason=error.strerror))])


def shipped() -> list[Path]:
    """The scenario files that come with the product."""
    return sorted(folder("scenarios").glob("*.yaml"))


def find(name: str) -> Path:
    """The file of a scenario, by the name of a shipped one or by a path. Raises ScenarioError if there is none."""
    paths = [folder("scenarios") / f"{name}.yaml"] if re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) else []
    try:
        for path in (*paths, Path(name)):
            if path.is_file():
                return path
    except OSError as error:
        raise _unreadable(name, error) from None
    known = [file.stem for file in shipped()]
    raise ScenarioError(name, [Problem(0, (), issue(Code.SCENARIO_NAME_UNKNOWN, known=known))])


@dataclass(frozen=True, slots=True)
class Script:
    """A scenario as it was written. ``source`` names it in messages; with ``file``, that is a path on this machine."""

    source: str
    text: str
    file: bool

    @classmethod
    def read(cls, path: Path) -> "Script":
        """Reads a file. Raises ScenarioError when it cannot be read."""
        source = str(path)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise _unreadable(source, error) from None
        return cls.of(source, raw, file=True)

    @classmethod
    def of(cls, source: str, raw: bytes, *, file: bool = False) -> "Script":
        """The script in some bytes. Raises ScenarioError if they are not UTF-8, or too many."""
        if len(raw) > LARGEST_FILE:
            raise ScenarioError(source, [Problem(1, (), issue(Code.SCENARIO_FILE_LARGE, most=LARGEST_FILE))])
        try:
            return cls(source, raw.decode("utf-8"), file)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ScenarioError(source, [Problem(line, (), issue(Code.NOT_UTF8))]) from None


class Document:
    """A YAML document as plain lists, mappings and texts, and the line of each part.

    Raises ScenarioError if it is not YAML.
    """

    def __init__(self, script: Script) -> None:
        self.source = script.source
        self._file = script.file
        text = script.text
        try:
            self._expect_shallow(text)
            root = yaml.compose(text, Loader=yaml.CBaseLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self.error((), issue(Code.NOT_YAML, error=error.problem), mark.line + 1 if mark else 1) from None
        except yaml.YAMLError as error:
            raise self.error((), issue(Code.NOT_YAML, error=str(error)), 1) from None
        if root is None:
            raise self.error((), issue(Code.SCENARIO_EMPTY), 1)
        self._root: yaml.Node = root
        self._nodes = 0
        self.data = self._plain(self._root, (), ())

    def _expect_shallow(self, text: str) -> None:
        """Raises for deep nesting: libyaml recurses in C, and would crash the process."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                mark = event.start_mark
                raise self.error((), issue(Code.NESTED_TOO_DEEP, most=_DEEPEST), mark.line + 1 if mark else 1)

    def _plain(self, node: yaml.Node, location: Location, above: tuple[yaml.Node, ...]) -> Any:
        self._nodes += 1
        if node in above or self._nodes > _MOST_NODES:
            raise self.error(location, issue(Code.ALIAS_ENDLESS), node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*location, at), (*above, node)) for at, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            plain: dict[str, Any] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise self.error(location, issue(Code.MAPPING_KEY), key.start_mark.line + 1)
                if key.value in plain:
                    raise self.error((*location, key.value), issue(Code.KEY_TWICE), key.start_mark.line + 1)
                plain[key.value] = self._plain(value, (*location, key.value), (*above, node))
            return plain
        if _UNPRINTABLE.search(node.value):
            raise self.error(location, issue(Code.CONTROL_CHARACTER), node.start_mark.line + 1)
        return node.value

    def beside(self, name: str) -> Path:
        """The path of a file that the scenario names. Raises InvalidValueError if a text must not name it."""
        if self._file:
            return Path(self.source).parent / name
        # The sender of a text is not a user of this machine, and must not find out by guessing which files exist.
        path = Path(name)
        if not path.resolve().is_relative_to(Path.cwd()):
            raise InvalidValueError(Code.FILE_OUTSIDE)
        return path

    def line(self, location: Location) -> int:
        """The line (from 1) of the part at ``location``, or of the nearest part around it that exists."""
        node = self._root
        line = node.start_mark.line
        for part in location:
            if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line
            elif isinstance(node, yaml.MappingNode):
                pair = next(((key, value) for key, value in node.value if key.value == part), None)
                if pair:
                    node, line = pair[1], pair[0].start_mark.line
        return int(line) + 1

    def error(self, location: Location, what: Issue, line: int | None = None) -> ScenarioError:
        """A ScenarioError with one problem."""
        return ScenarioError(self.source, [self.problem(location, what, line)])

    def problem(self, location: Location, what: Issue, line: int | None = None) -> Problem:
        """A problem at ``location``."""
        return Problem(line if line is not None else self.line(location), location, what)

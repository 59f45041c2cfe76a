"""Checks a scenario against the schema, and reports what is wrong and where."""

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.validation import findings
from mock_editor.faults import wrong
from mock_editor.scenario.reader import Document, Location, ScenarioError, of_part
from mock_editor.scenario.schema import ExtraOpeningSection, ScenarioSection


def check(document: Document) -> ScenarioSection:
    """The document as a scenario. Raises ScenarioError with every problem and its line."""
    try:
        return ScenarioSection.model_validate(document.data)
    except ValidationError as error:
        problems = [document.problem(location, found) for location, found in _problems(error, ScenarioSection)]
        raise ScenarioError(document.source, problems) from None


def check_extra_opening(section: Mapping[str, Any]) -> ExtraOpeningSection:
    """An extra opening. Raises EditorError (422) with every problem."""
    try:
        return ExtraOpeningSection.model_validate(section)
    except ValidationError as error:
        raise refused(_problems(error, ExtraOpeningSection)) from None


def refused(problems: Iterable[tuple[Location, Issue]]) -> EditorError:
    """The refusal (422) of an extra opening. Locations are those in its section."""
    return EditorError(422, [of_part(".".join(map(str, location)), found) for location, found in problems])


def _problems(error: ValidationError, root: type[BaseModel]) -> Iterator[tuple[Location, Issue]]:
    """Where a ``root`` is wrong, and what is wrong there."""
    pairs = zip(findings(error), wrong.problems(error, root, json=False), strict=True)
    for finding, (location, problem) in pairs:
        if finding.type == "extra_forbidden" and location == finding.location:
            yield location, issue(Code.SCENARIO_KEY_UNKNOWN, part=None, known=_known_keys(location[:-1], root))
        elif finding.type == "missing":
            yield location, issue(Code.SCENARIO_KEY_MISSING, part=None)
        else:
            yield location, problem


def _known_keys(location: Location, root: type[BaseModel]) -> list[str]:
    """The keys that the section at ``location`` may have."""
    at: Any = root
    for part in location:
        section = _section_in(at)
        # In the annotation of a list or a mapping, the part is an index or a key: it leads to the section inside.
        at = section.model_fields[str(part)].annotation if at is section else section
    return [field.alias or name for name, field in _section_in(at).model_fields.items()]


def _section_in(annotation: Any) -> type[BaseModel]:
    """The section in an annotation: the annotation itself, or what a list, a mapping or an option of it holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_section_in(inner) for inner in typing.get_args(annotation) if _holds_section(inner))


def _holds_section(annotation: Any) -> bool:
    inner = typing.get_args(annotation)
    if inner:
        return any(_holds_section(argument) for argument in inner)
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

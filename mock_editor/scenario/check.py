"""Checks what was written against the schema, and says what is wrong where."""

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.validation import findings
from mock_editor.faults.wrong import problems
from mock_editor.scenario.reader import Document, Location, ScenarioError, of_part
from mock_editor.scenario.schema import ExtraOpeningSection, ScenarioSection


def check(document: Document) -> ScenarioSection:
    """The document as a scenario. Raises ScenarioError that tells every problem with its line."""
    try:
        return ScenarioSection.model_validate(document.data)
    except ValidationError as error:
        found = [document.problem(*one) for one in _problems(error, ScenarioSection)]
        raise ScenarioError(document.source, found) from None


def check_extra_opening(section: Mapping[str, Any]) -> ExtraOpeningSection:
    """An extra opening. Raises EditorError (422) that tells every problem."""
    try:
        return ExtraOpeningSection.model_validate(section)
    except ValidationError as error:
        raise refused(_problems(error, ExtraOpeningSection)) from None


def refused(problems: Iterable[tuple[Location, Issue]]) -> EditorError:
    """422 for an extra opening, with what is wrong where in its section."""
    return EditorError(422, [of_part(".".join(map(str, where)), what) for where, what in problems])


def _problems(error: ValidationError, root: type[BaseModel]) -> Iterator[tuple[Location, Issue]]:
    """Where in a ``root`` something is wrong, and what."""
    found = zip(findings(error), problems(error, root, json=False), strict=True)
    for one, (location, wrong) in found:
        if one.type == "extra_forbidden" and location == one.location:
            yield location, issue(Code.SCENARIO_KEY_UNKNOWN, part=None, known=_known_keys(location[:-1], root))
        elif one.type == "missing":
            yield location, issue(Code.SCENARIO_KEY_MISSING, part=None)
        else:
            yield location, wrong


def _known_keys(location: Location, root: type[BaseModel]) -> list[str]:
    """The keys that the section at ``location`` may have."""
    at: Any = root
    for part in location:
        section = _section_in(at)
        # Of a list or a mapping, each member is the section inside.
        at = section.model_fields[str(part)].annotation if at is section else section
    return [field.alias or name for name, field in _section_in(at).model_fields.items()]


def _section_in(annotation: Any) -> type[BaseModel]:
    """The section that an annotation is about: itself, or the one inside a list, a mapping or an option."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_section_in(inner) for inner in typing.get_args(annotation) if _holds_section(inner))


def _holds_section(annotation: Any) -> bool:
    inner = typing.get_args(annotation)
    if inner:
        return any(_holds_section(one) for one in inner)
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

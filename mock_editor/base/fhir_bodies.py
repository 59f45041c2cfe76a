"""Reads a FHIR resource that a client sends: JSON -> the cleaned resource, and the places where it is wrong.

The rules of a profile are checked afterwards: ``items``, ``issue`` and ``refuse`` report everything with its place.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import Headers

from mock_editor.base import fhir
from mock_editor.base.errors import MOST_ISSUES, EditorError, refused
from mock_editor.base.fhir import Resource
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.parameters import Parameters
from mock_editor.base.validation import Finding, Location, described, findings

_DEEPEST = 50
_MOST_ROUNDS = 5
# FHIR names are plain; the models of fhir.resources also accept Python spellings.
_ELEMENT_NAME = re.compile("_?[A-Za-z][A-Za-z0-9]{0,59}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
# In FHIRPath, an element of several types has no type in its name: `valueReference` is `value`.
_CHOICE = re.compile("value(?!Set$)[A-Z][A-Za-z0-9]*")
# In JSON written by orjson: the beginning of a string that itself contains a JSON object.
_TEXT_OF_OBJECT = re.compile(rb'(?<!\\)"((?: |\\[nrt])*){')
_ESCAPED = re.compile(r"\\([\\,|$])")
_COMMA, _BAR = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\)\|")


def parse(body: bytes) -> Any:
    """The JSON of a body. Raises 400."""
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise refused(Code.BODY_NOT_JSON, error=str(error)) from None


def structure(
    document: Any, kind: str, model: type[BaseModel], also: Callable[[Resource], Iterable[Issue]]
) -> tuple[Resource, list[str]]:
    """``document`` as a resource of type ``kind``, without what is empty, unknown to FHIR or for the server to say.

    The FHIRPaths of unknown elements are returned too. ``model`` is that of fhir.resources; ``also`` finds what it does
    not see. Raises 400 with every problem found.
    """
    if not isinstance(document, dict) or document.get("resourceType") != kind:
        given = document.get("resourceType") if isinstance(document, dict) else type(document).__name__
        raise refused(Code.RESOURCE_TYPE, kind, expected=kind, found=str(given)[:60])
    cleaning = _Cleaning(kind)
    meta = document.get("meta")
    # The server decides the id and the version; what the client says of them is not even read.
    members = {name: value for name, value in document.items() if name != "id"}
    if isinstance(meta, dict):
        members["meta"] = {name: value for name, value in meta.items() if name not in ("versionId", "lastUpdated")}
    cleaned = cleaning.value(members, kind, 0)
    issues, unknown = _model_issues(cleaned, kind, model)
    for _ in range(_MOST_ROUNDS):
        # Unknown elements hide other problems.
        cleaning.ignored += [_path(cleaned, kind, location) for location in unknown]
        for location in reversed(unknown):
            _remove(cleaned, location)
        if not unknown:
            break
        issues, unknown = _model_issues(cleaned, kind, model)
    refuse(400, itertools.chain(cleaning.issues, issues, also(cleaned)))
    return cleaned, cleaning.ignored[:MOST_ISSUES]


def asked_identifier(parameters: Parameters, *, alone: bool = False) -> tuple[str, str]:
    """System and value of ``?identifier=``, which may hold anything, a comma too, but not a list. Raises 400.

    ``alone``: no other criterion may stand beside it. A conditional update that ignored one could change another
    resource than the client means.
    """
    text = parameters.one("identifier", required=True)
    system, value = fhir.parse_token(text) if text else ("", "")
    comma = _COMMA.search(value)
    if comma and _BAR.search(value, comma.end()):
        parameters.wrong(Code.ONE_TOKEN, "identifier")
    system, value = system.strip(), _ESCAPED.sub(r"\1", value).strip()
    if text and not (system and value):
        parameters.wrong(Code.TOKEN_EXPECTED, "identifier", found=text[:100])
    if alone:
        parameters.refuse_unknown(("identifier",), Code.PARAMETER_BESIDE_IDENTIFIER)
    fhir.refuse(parameters.issues)
    return system, value


def refuse_conditional_create(headers: Headers) -> None:
    """Raises 400 for a conditional create (``If-None-Exist``): ignoring the condition would create a duplicate."""
    if "If-None-Exist" in headers:
        raise refused(Code.CONDITIONAL_CREATE)


# --- reporting what is wrong


def items(of: Resource, element: str, path: str) -> Iterator[tuple[str, Resource]]:
    """The members of a list in a cleaned resource at ``path``, each with its FHIRPath in the body as sent."""
    members = of.get(element)
    if isinstance(members, _Items):
        for position, item in zip(members.positions, members, strict=True):
            yield f"{path}.{element}[{position}]", item


def step(path: str, name: str) -> str:
    """The FHIRPath of the element ``name`` at ``path``."""
    return f"{path}.{'value' if _CHOICE.fullmatch(name) else name[:60]}"


def not_one_of(allowed: Collection[str], found: str, path: str) -> Issue:
    """The issue that a code is none of ``allowed``."""
    return issue(Code.CODE_NOT_ONE_OF, path, allowed=sorted(allowed), found=found[:60])


def refuse(status: int, issues: Iterable[Issue]) -> None:
    """Raises what is wrong, if anything is."""
    problems = list(itertools.islice(issues, MOST_ISSUES))
    if problems:
        raise EditorError(status, problems)


# --- cleaning


class _Items(list[Any]):
    """A list without its empty members; ``positions`` are those of the remaining members in the body."""

    def __init__(self) -> None:
        super().__init__()
        self.positions: list[int] = []


class _Cleaning:
    """Removes what counts as absent: empty texts, lists and objects, null; and names that are not element names."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.issues: list[Issue] = []
        self.ignored: list[str] = []

    def value(self, value: Any, path: str, depth: int, *, gaps: bool = False) -> Any:
        """The cleaned ``value``; None if nothing is left. Raises 400 if it is nested too deeply."""
        if depth > _DEEPEST:
            raise refused(Code.TOO_DEEP, self._kind, most=_DEEPEST)
        match value:
            case str():
                if _CONTROL.search(value):
                    self.issues.append(issue(Code.CONTROL_CHARACTERS, path))
                return value if value.strip() else None
            case dict():
                return self._object(value, path, depth) or None
            case list():
                left_over = _Items()
                for at, item in enumerate(value):
                    cleaned = self.value(item, f"{path}[{at}]", depth + 1)
                    if cleaned is not None or gaps:
                        left_over.append(cleaned)
                        left_over.positions.append(at)
                return left_over or None
        return value

    def _object(self, value: Resource, path: str, depth: int) -> Resource:
        cleaned: Resource = {}
        for name, inner in value.items():
            if not _ELEMENT_NAME.fullmatch(name):
                self.ignored.append(f"{path}.{name[:60]}")
                continue
            if name == "resourceType" and not isinstance(inner, str):
                # The models would crash on it.
                self.issues.append(issue(Code.TYPE_NAME_EXPECTED, step(path, name)))
                continue
            # Lists of a primitive and of its extensions belong together by position.
            twin = name[1:] if name.startswith("_") else f"_{name}"
            member = self.value(inner, step(path, name), depth + 1, gaps=twin in value)
            if member is not None:
                cleaned[name] = member
        return cleaned


def _model_issues(cleaned: Resource, kind: str, model: type[BaseModel]) -> tuple[list[Issue], list[Location]]:
    """What fhir.resources finds wrong, and where it finds elements that FHIR does not know."""
    # The models would read such a string as the object. With a second brace it is not one.
    written = _TEXT_OF_OBJECT.sub(rb'"\1{{', orjson.dumps(cleaned))
    try:
        model.model_validate_json(written)
    except ValidationError as error:
        all_findings = findings(error)
        unknown = [finding.location for finding in all_findings if finding.type == "extra_forbidden"]
        issues = [
            _finding_issue(finding, _path(cleaned, kind, finding.location))
            for finding in all_findings
            if finding.type != "extra_forbidden"
        ]
        return issues, unknown
    except LookupError:
        # The models report an unknown type of contained resource like this.
        return [issue(Code.RESOURCE_TYPE_UNKNOWN, f"{kind}.contained")], []
    return [], []


def _finding_issue(finding: Finding, path: str) -> Issue:
    """A finding of the models as an issue at a path."""
    # The models read a text in the place of an object as its JSON.
    problem = issue(Code.OBJECT_EXPECTED) if finding.type == "json_invalid" else described(finding)
    code = Code.ELEMENT_MISSING if problem.type == "required" else Code.ELEMENT
    return issue(code, path, problem=problem)


def _path(cleaned: Resource, kind: str, location: Location) -> str:
    """The FHIRPath, in the body as sent, of a location in the cleaned resource."""
    path = kind
    at: Any = cleaned
    for part in location:
        if isinstance(part, int) and isinstance(at, _Items) and part < len(at):
            path, at = f"{path}[{at.positions[part]}]", at[part]
        elif isinstance(part, str):
            path, at = step(path, part), at.get(part) if isinstance(at, dict) else None
    return path


def _remove(at: Any, location: Location) -> None:
    """Removes an element, and its parents if they are empty without it."""
    part, *rest = location
    if rest:
        _remove(at[part], tuple(rest))
        if at[part]:
            return
    del at[part]
    if isinstance(at, _Items):
        del at.positions[part]  # type: ignore[arg-type]

"""What a request of INT_R02 says: JSON -> ``Regulator``, or a refusal that tells all that is wrong.

In two steps: what is no FHIR ``Practitioner`` is a 400; one that breaks a rule of the profile ``FrPractitionerRegul``
is a 422. Source: the profile, and the guide's page on regulator accounts.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from fhir.resources.R4B.practitioner import Practitioner as PractitionerModel
from pydantic import ValidationError

from mock_editor.base import codes
from mock_editor.base.errors import MOST_ISSUES, BadRequestError, EditorError, Issue
from mock_editor.base.fhir import Resource

KIND = "Practitioner"
_DEEPEST = 50
_MOST_ROUNDS = 5
# FHIR names are plain; the models of fhir.resources also take Python's spellings of them.
_ELEMENT_NAME = re.compile("_?[A-Za-z][A-Za-z0-9]{0,59}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")

# Kind of identifier by its system: the type that has to come with it, and how to call it.
_IDENTIFIER_TYPES = {
    codes.PRACTITIONER_OID: ("IDNPS", "national"),
    codes.SAS_OID: ("INTRN", "SAS technical"),
}
_SYSTEM_OF_TYPE = {code: system for system, (code, _) in _IDENTIFIER_TYPES.items()}

# Required bindings of FHIR R4 that the models leave open.
_CODES: Mapping[tuple[str, str], frozenset[str]] = {
    ("identifier", "use"): frozenset({"usual", "official", "temp", "secondary", "old"}),
    ("name", "use"): frozenset({"usual", "official", "temp", "nickname", "anonymous", "old", "maiden"}),
    ("telecom", "use"): frozenset({"home", "work", "temp", "old", "mobile"}),
}
_GENDERS = frozenset({"male", "female", "other", "unknown"})


class Token(NamedTuple):
    """An identifier as it is compared. Nothing is assumed about the shape of the value."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Regulator:
    """What a sound body says of a regulator.

    ``content`` is the resource as it was sent, without what is empty, unknown to FHIR or for the server to say.
    ``identifiers`` and ``emails`` are as they are compared, each with the FHIRPath of where it stands.
    """

    content: Resource
    active: bool
    identifiers: Mapping[Token, str]
    emails: Mapping[str, str]
    ignored: Sequence[str] = ()


def read(body: bytes) -> Regulator:
    """The regulator that a body describes. Raises 400 or 422 with every problem found."""
    try:
        document = orjson.loads(body)
    except ValueError as error:
        raise BadRequestError(Issue("structure", f"The body is not JSON in UTF-8: {error}")) from None
    return regulator(document)


def regulator(document: Any) -> Regulator:
    """The regulator that a parsed body describes. Raises 400 or 422 with every problem found."""
    if not isinstance(document, dict) or document.get("resourceType") != KIND:
        found = document.get("resourceType") if isinstance(document, dict) else type(document).__name__
        raise BadRequestError(Issue("structure", f"Expected the resource type {KIND}, not {str(found)[:60]!r}", KIND))
    cleaned, ignored = _structure(document)
    _refuse(422, _violations(cleaned))
    return Regulator(
        content=cleaned,
        active=cleaned["active"],
        identifiers={token_of(item): path for path, item in _items(cleaned, "identifier")},
        emails={email_key(item["value"]): path for path, item in _items(cleaned, "telecom")},
        ignored=ignored,
    )


def described(
    *, national_id: str | None, technical_id: str | None, family: str, given: str, email: str, active: bool
) -> Regulator:
    """The regulator that a request with these elements would describe."""
    identifiers = [(codes.PRACTITIONER_OID, national_id), (codes.SAS_OID, technical_id)]
    return regulator(
        {
            "resourceType": KIND,
            "meta": {"source": codes.SAS_OID},
            "identifier": [
                {
                    "type": {"coding": [{"system": codes.FR_V2_0203, "code": _IDENTIFIER_TYPES[system][0]}]},
                    "system": system,
                    "value": value,
                }
                for system, value in identifiers
                if value
            ],
            "active": active,
            "name": [{"family": family, "given": [given]}],
            "telecom": [{"system": "email", "value": email}],
        }
    )


def token_of(identifier: Resource) -> Token:
    """An Identifier as it is compared."""
    return Token(identifier["system"], identifier["value"].strip())


def email_key(address: str) -> str:
    """An e-mail address as it is compared: without case."""
    return address.strip().casefold()


# --- first step: FHIR


class _Items(list[Any]):
    """A list without its empty members; ``positions`` are where those that are left stood in the body."""

    def __init__(self) -> None:
        super().__init__()
        self.positions: list[int] = []


def _structure(document: Resource) -> tuple[Resource, list[str]]:
    """The document without what is empty, and without unknown elements, whose FHIRPaths come along."""
    cleaning = _Cleaning()
    meta = document.get("meta")
    # The server says which resource this is and which version: what a client says of it is not even looked at.
    said = {name: value for name, value in document.items() if name != "id"}
    if isinstance(meta, dict):
        said["meta"] = {name: value for name, value in meta.items() if name not in ("versionId", "lastUpdated")}
    cleaned = cleaning.value(said, KIND, 0)
    issues, unknown = _model_issues(cleaned)
    for _ in range(_MOST_ROUNDS):
        # Unknown elements hide what else is wrong.
        cleaning.ignored += [_path(cleaned, location) for location in unknown]
        for location in reversed(unknown):
            _remove(cleaned, location)
        if not unknown:
            break
        issues, unknown = _model_issues(cleaned)
    if not isinstance(cleaned.get("active", True), bool):
        # The model takes "true" and 1 as well.
        issues.append(_issue("structure", f"{KIND}.active", "expected true or false"))
    _refuse(400, iter(cleaning.issues + issues))
    return cleaned, cleaning.ignored[:MOST_ISSUES]


class _Cleaning:
    """Takes out what counts as absent: empty texts, lists and objects, null; and names that are no element names."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.ignored: list[str] = []

    def value(self, value: Any, path: str, depth: int, *, gaps: bool = False) -> Any:
        """What is left of ``value``; None for nothing. Raises 400 where it is nested too deeply."""
        if depth > _DEEPEST:
            raise BadRequestError(_issue("too-costly", KIND, f"nested deeper than {_DEEPEST} levels"))
        match value:
            case str():
                if _CONTROL.search(value):
                    self.issues.append(_issue("structure", path, "a text may not hold control characters"))
                return value if value.strip() else None
            case dict():
                return self._object(value, path, depth) or None
            case list():
                items = _Items()
                for at, item in enumerate(value):
                    left = self.value(item, f"{path}[{at}]", depth + 1)
                    if left is not None or gaps:
                        items.append(left)
                        items.positions.append(at)
                return items or None
        return value

    def _object(self, value: Resource, path: str, depth: int) -> Resource:
        kept: Resource = {}
        for name, inner in value.items():
            if not _ELEMENT_NAME.fullmatch(name):
                self.ignored.append(f"{path}.{name[:60]}")
                continue
            # Lists of a primitive and of its extensions belong together by position.
            twin = name[1:] if name.startswith("_") else f"_{name}"
            left = self.value(inner, f"{path}.{name}", depth + 1, gaps=twin in value)
            if left is not None:
                kept[name] = left
        return kept


Location = tuple[int | str, ...]


def _model_issues(cleaned: Resource) -> tuple[list[Issue], list[Location]]:
    """What fhir.resources finds wrong, and where it finds elements that FHIR does not know."""
    try:
        PractitionerModel.model_validate_json(orjson.dumps(cleaned))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        unknown = [one["loc"] for one in found if one["type"] == "extra_forbidden"]
        issues = [
            _issue(
                "required" if one["type"].endswith("missing") else "structure",
                _path(cleaned, one["loc"]),
                one["msg"].removeprefix("Value error, "),
            )
            for one in found
            if one["type"] != "extra_forbidden"
        ]
        return issues, unknown
    except LookupError:
        # How the models say that they do not know the type of a contained resource.
        return [_issue("structure", f"{KIND}.contained", "a resource is of no type of FHIR R4")], []
    return [], []


def _path(cleaned: Resource, location: Location) -> str:
    """The FHIRPath, in the body as it was sent, of a location in what is left of it."""
    path = KIND
    at: Any = cleaned
    for part in location:
        if isinstance(part, int) and isinstance(at, _Items) and part < len(at):
            path, at = f"{path}[{at.positions[part]}]", at[part]
        elif isinstance(part, str):
            path, at = f"{path}.{part[:60]}", at.get(part) if isinstance(at, dict) else None
    return path


def _remove(at: Any, location: Location) -> None:
    """Takes out an element, and what is empty without it."""
    part, *rest = location
    if rest:
        _remove(at[part], tuple(rest))
        if at[part]:
            return
    del at[part]
    if isinstance(at, _Items):
        del at.positions[part]  # type: ignore[arg-type]


# --- second step: the profile


def _violations(resource: Resource) -> Iterator[Issue]:
    """What ``resource`` breaks of the profile, each with its place."""
    source = resource.get("meta", {}).get("source")
    if source not in (None, codes.SAS_OID):
        yield _issue("value", f"{KIND}.meta.source", f"expected {codes.SAS_OID}, not {source[:100]!r}")
    yield from _identifier_violations(resource)
    if "active" not in resource:
        yield _issue("required", f"{KIND}.active", "required: whether the account may act")
    if "name" not in resource:
        yield _issue("required", f"{KIND}.name", "required: family and given name")
    for path, name in _items(resource, "name"):
        for part in ("family", "given"):
            if part not in name:
                yield _issue("required", f"{path}.{part}", "required")
        for part in ("given", "prefix"):
            if len(name.get(part, ())) > 1:
                yield _issue("structure", f"{path}.{part}", "at most one is allowed")
    if "telecom" not in resource:
        yield _issue("required", f"{KIND}.telecom", "required: an e-mail address")
    for path, telecom in _items(resource, "telecom"):
        system = telecom.get("system")
        if system is None:
            yield _issue("required", f"{path}.system", "required: email")
        elif system != "email":
            yield _issue("value", f"{path}.system", f"expected email, not {system[:60]!r}")
        if "value" not in telecom:
            yield _issue("required", f"{path}.value", "required: an e-mail address")
    for (element, part), allowed in _CODES.items():
        for path, item in _items(resource, element):
            if part in item and item[part] not in allowed:
                yield _not_one_of(allowed, item[part], f"{path}.{part}")
    if resource.get("gender", "unknown") not in _GENDERS:
        yield _not_one_of(_GENDERS, resource["gender"], f"{KIND}.gender")


def _identifier_violations(resource: Resource) -> Iterator[Issue]:
    systems: set[str] = set()
    tokens: set[Token] = set()
    for path, identifier in _items(resource, "identifier"):
        system, value = identifier.get("system"), identifier.get("value")
        if system is None:
            yield _issue("required", f"{path}.system", f"required: {' or '.join(_IDENTIFIER_TYPES)}")
        if value is None:
            yield _issue("required", f"{path}.value", "required")
        yield from _type_violations(path, identifier, system)
        if system is None:
            continue
        if system in _IDENTIFIER_TYPES and system in systems:
            kind = _IDENTIFIER_TYPES[system][1]
            yield _issue("structure", path, f"at most one {kind} identifier ({system}) is allowed")
        elif value is not None and token_of(identifier) in tokens:
            yield _issue("duplicate", path, "the same identifier stands twice")
        systems.add(system)
        if value is not None:
            tokens.add(token_of(identifier))
    if systems.isdisjoint(_IDENTIFIER_TYPES):
        kinds = " or ".join(f"{kind} ({system})" for system, (_, kind) in _IDENTIFIER_TYPES.items())
        yield _issue("required", f"{KIND}.identifier", f"at least one is required: {kinds}")


def _type_violations(path: str, identifier: Resource, system: str | None) -> Iterator[Issue]:
    """Where type and system of an identifier do not agree. One of a system unknown to the guide may have any type."""
    if "type" not in identifier:
        yield _issue("required", f"{path}.type", f"required: {' or '.join(_SYSTEM_OF_TYPE)} of {codes.FR_V2_0203}")
        return
    codings = identifier["type"].get("coding", ())
    types = {one.get("code") for one in codings if one.get("system") == codes.FR_V2_0203} & _SYSTEM_OF_TYPE.keys()
    if system in _IDENTIFIER_TYPES:
        code, kind = _IDENTIFIER_TYPES[system]
        if types != {code}:
            text = f"the type of a {kind} identifier ({system}) is {code} of {codes.FR_V2_0203}"
            yield _issue("value", f"{path}.type", text)
    elif system is not None and types:
        expected = " or ".join(_SYSTEM_OF_TYPE[code] for code in sorted(types))
        text = f"the system of type {' and '.join(sorted(types))} is {expected}, not {system[:100]!r}"
        yield _issue("value", f"{path}.system", text)


def _items(resource: Resource, element: str) -> Iterator[tuple[str, Resource]]:
    """The members of a list with their FHIRPaths in the body as it was sent."""
    items = resource.get(element)
    if isinstance(items, _Items):
        for position, item in zip(items.positions, items, strict=True):
            yield f"{KIND}.{element}[{position}]", item


def _issue(code: str, path: str, text: str) -> Issue:
    # The place stands in the text as well: many clients log nothing else.
    return Issue(code, f"{path}: {text}", path)


def _not_one_of(allowed: frozenset[str], found: str, path: str) -> Issue:
    return _issue("code-invalid", path, f"expected one of {', '.join(sorted(allowed))}, not {found[:60]!r}")


def _refuse(status: int, issues: Iterator[Issue]) -> None:
    """Raises what is wrong, if anything is."""
    found = list(itertools.islice(issues, MOST_ISSUES))
    if found:
        raise EditorError(status, found)

"""What the checks of an answer share: the answer taken apart, the request, and what they find."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from mock_editor.base.fhir import Resource

# What a check may trip over where the structure is broken.
BROKEN = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
# An instant as the guide wants it: three decimals, and an offset in digits.
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")


class Finding(NamedTuple):
    """One thing wrong: its path in the answer, and what it is; ``key`` leads to its words, which name the values."""

    place: str
    key: str
    values: Mapping[str, object]


def finding(place: str, key: str, **values: object) -> Finding:
    """One thing wrong at a place."""
    return Finding(place, key, values)


@dataclass(frozen=True)
class SearchRequest:
    """A search: its flow, its whole URL, and when it was sent."""

    flow: str
    url: str
    now: datetime

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """Its parameters, without escapes; a `+` in an offset stays one."""
        return parse_qsl(urlsplit(self.url).query.replace("+", "%2B"))

    def bound(self, prefix: str) -> datetime:
        """The bound of its window with a prefix, ``ge`` or ``le``."""
        bounds = (value for name, value in self.parameters if name.endswith("start") and value.startswith(prefix))
        return datetime.fromisoformat(next(bounds).removeprefix(prefix))

    @cached_property
    def identifiers(self) -> set[str]:
        """The identifiers that it asks for."""
        lists = (value for name, value in self.parameters if name.endswith(".identifier") and name != "identifier")
        return {token.partition("|")[2] for value in lists for token in value.split(",")}


class AnswerBundle:
    """A Bundle that an editor has answered with, taken apart."""

    def __init__(self, bundle: Resource) -> None:
        self.bundle = bundle
        self.entries: list[Resource] = bundle.get("entry", [])
        self.resources: list[Resource] = [entry["resource"] for entry in self.entries if "resource" in entry]
        self.by_reference = {name_of(resource): resource for resource in self.resources}

    def of(self, *kinds: str) -> list[Resource]:
        """The resources of some types."""
        return [resource for resource in self.resources if resource["resourceType"] in kinds]

    @cached_property
    def slots(self) -> list[Resource]:
        """The slots."""
        return self.of("Slot")

    @cached_property
    def _paths(self) -> dict[int, str]:
        return {id(entry.get("resource")): f"entry[{at}].resource" for at, entry in enumerate(self.entries)}

    def at(self, resource: Resource, element: str = "") -> str:
        """The place of a resource, or of an element of it."""
        path = self._paths.get(id(resource), "Bundle")
        name = f" ({name_of(resource)})" if resource is not self.bundle else ""
        return f"{path}.{element}{name}" if element else f"{path}{name}"


# Finds what breaks one rule; the name of the function leads to the rule's words.
Check = Callable[[AnswerBundle, SearchRequest], Iterator[Finding]]


def name_of(resource: Resource) -> str:
    """The type of a resource and its id."""
    return f"{resource['resourceType']}/{resource.get('id')}"


def parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside with its path, itself included."""
    yield path, value
    if isinstance(value, dict):
        for name, part in value.items():
            yield from parts(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from parts(part, f"{path}[{at}]")


def objects(value: Any) -> Iterator[Resource]:
    """Every JSON object inside, itself included."""
    return (part for _, part in parts(value) if isinstance(part, dict))


def codings(concept: Resource, system: str) -> list[str]:
    """The codes that a concept has in a system."""
    return [coding.get("code", "") for coding in concept.get("coding", []) if coding.get("system") == system]


def concepts(slot: Resource, system: str) -> list[Resource]:
    """The service types of a slot that are coded in a system."""
    return [concept for concept in slot.get("serviceType", []) if codings(concept, system)]

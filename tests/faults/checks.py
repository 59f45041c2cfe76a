"""The checks that the bench makes of an answer to a slot search, and those that only who knows the right answer can."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.bench.platform.checks import model, slots
from mock_editor.bench.platform.checks import violations as made
from mock_editor.bench.platform.checks.model import AnswerBundle, objects

__all__ = ["CHECKS", "Asked", "objects", "violations"]


@dataclass(frozen=True)
class Asked(model.SearchRequest):
    """A search; ``right`` is what the editor's data answer to it."""

    right: Resource | None = None


def links(told: AnswerBundle, asked: Asked) -> Iterator[object]:
    """Slots have that of their agenda, and not any that looks like one."""
    yield from slots.links(told, asked)
    known = {slot["id"]: slot["comment"] for slot in AnswerBundle(asked.right or {}).slots}
    yield from (slot["id"] for slot in told.slots if known.get(slot["id"], slot.get("comment")) != slot.get("comment"))


def attached(told: AnswerBundle, asked: Asked) -> Iterator[object]:
    """Slots are on the Schedule that they belong to."""
    known: dict[str, Any] = {slot["id"]: slot["schedule"] for slot in AnswerBundle(asked.right or {}).slots}
    for slot in told.slots:
        expected: Any = known.get(slot["id"].removesuffix("-bis"), slot["schedule"])
        if slot["schedule"] != expected:
            yield f"{slot['id']} is on {slot['schedule']['reference']}, not on {expected['reference']}"


def _identifiers(bundle: Resource | None) -> set[str]:
    resources = [one for one in AnswerBundle(bundle or {}).resources if one["resourceType"] != "Slot"]
    return {part["value"] for part in objects(resources) if part.get("system") == codes.STRUCTURE_OID}


def structures(told: AnswerBundle, asked: Asked) -> Iterator[object]:
    """Structures have the identifiers that they are known by, prefix aside."""
    known = _identifiers(asked.right)
    unknown = {one for one in _identifiers(told.bundle) if one not in known | {each[1:] for each in known}}
    yield from (f"structure {one} is not known" for one in unknown if asked.right)


def contents(told: AnswerBundle, asked: Asked) -> Iterator[object]:
    """Slots have all their reasons, and all their CPTS."""
    known = {slot["id"]: _texts_and_communities(slot) for slot in AnswerBundle(asked.right or {}).slots}
    for slot in told.slots:
        missing = known.get(slot["id"], Counter()) - _texts_and_communities(slot)
        yield from (f"{slot['id']}: {one} is missing" for one in missing)


def _texts_and_communities(slot: Resource) -> Counter[str]:
    return Counter(
        str(one.get("text") or "CPTS")
        for one in slot.get("serviceType", [])
        if "text" in one or any(coding.get("code") == codes.CPTS_CATEGORY for coding in one["coding"])
    )


CHECKS: Mapping[str, Callable[[AnswerBundle, Any], Iterator[object]]] = made.CHECKS | {  # type: ignore[operator]
    check.__name__: check for check in (links, attached, structures, contents)
}


def violations(bundle: Resource, asked: Asked) -> dict[str, list[object]]:
    """What is wrong with an answer, by the name of the check that tells it."""
    told = AnswerBundle(bundle)
    found = {name: [*check(told, asked)] for name, check in CHECKS.items()}
    return {name: lines for name, lines in found.items() if lines}

"""Finds what is not FHIR in an answer."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from mock_editor.base import validation
from mock_editor.bench.platform.checks.model import BROKEN, INSTANT, Finding, finding


def structure(bundle: Any) -> list[Finding]:
    """What is not FHIR in an answer that is JSON."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        kind = bundle.get("resourceType") if isinstance(bundle, dict) else type(bundle).__name__
        return [finding("Bundle", "not-a-bundle", found=str(kind)[:60])]
    try:
        alike = _alike(bundle.get("entry", []))
        first = [bundle["entry"][places[0]] for places in alike]
        Bundle.model_validate(bundle | ({"entry": first} if first else {}))
    except ValidationError as error:
        return [
            _malformed(wrong, location)
            for wrong in validation.findings(error)
            for location in _everywhere(wrong.location, alike)
        ]
    except BROKEN:
        # The models report an unknown type of resource like this.
        return [finding("Bundle.entry", "resource-type-unknown")]
    return []


_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_SOUND = "\0"


def _alike(entries: list[Any]) -> list[list[int]]:
    """Groups the entries that differ only in sound ids and times: checking one of each group is enough.

    The models need half a millisecond for a slot, and an answer may have thousands.
    """
    groups: dict[bytes, list[int]] = {}
    for at, entry in enumerate(entries):
        groups.setdefault(orjson.dumps(_shape(entry)), []).append(at)
    return list(groups.values())


def _shape(entry: Any) -> Any:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or resource.get("resourceType") != "Slot":
        return entry
    sound = {name: _SOUND for name in ("start", "end") if _is_instant(resource.get(name))}
    identifier = resource.get("id")
    if isinstance(identifier, str) and _ID.fullmatch(identifier):
        url = str(entry.get("fullUrl"))
        return entry | {
            "fullUrl": url.removesuffix(identifier),
            "resource": resource | sound | {"id": _SOUND},
        }
    return entry | {"resource": resource | sound}


def _is_instant(value: Any) -> bool:
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _everywhere(location: tuple[int | str, ...], alike: list[list[int]]) -> Iterator[tuple[int | str, ...]]:
    """A location in a checked entry, for all entries of its group."""
    match location:
        case ("entry", int(at), *rest):
            yield from (("entry", place, *rest) for place in alike[at])
        case _:
            yield location


def _path(location: tuple[int | str, ...]) -> str:
    path = "Bundle"
    for part in location:
        path = f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}"
    return path


def _malformed(wrong: validation.Finding, location: validation.Location) -> Finding:
    if wrong.type.endswith("missing"):
        return finding(_path(location), "element-absent")
    if wrong.type == "extra_forbidden":
        return finding(_path(location), "element-unknown")
    return finding(_path(location), "value-malformed", reason=validation.described(wrong, json=False))

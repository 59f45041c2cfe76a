"""What each feature supports of FHIR, and how this becomes one CapabilityStatement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_editor.base.fhir import Resource


@dataclass(frozen=True, slots=True)
class Supported:
    """What a feature supports of a resource type.

    Each of ``searches`` has a name, a type and a description. ``interactions`` are those besides read and search, which
    are implied. ``more`` are further elements of ``CapabilityStatement.rest.resource``.
    """

    profiles: tuple[str, ...]
    searches: tuple[tuple[str, str, str], ...] = ()
    includes: tuple[str, ...] = ()
    revincludes: tuple[str, ...] = ()
    interactions: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def merged(*features: Mapping[str, Supported]) -> list[Resource]:
    """``CapabilityStatement.rest.resource``: one entry per type, however many features support it."""
    kinds = dict.fromkeys(kind for feature in features for kind in feature)
    return [_entry(kind, [feature[kind] for feature in features if kind in feature]) for kind in kinds]


def _entry(kind: str, parts: list[Supported]) -> Resource:
    searches = [(name, of, text) for part in parts for name, of, text in part.searches]
    listed = {
        "supportedProfile": [profile for part in parts for profile in part.profiles],
        "interaction": [
            {"code": code}
            for code in (
                "read",
                *(["search-type"] if searches else []),
                *(i for part in parts for i in part.interactions),
            )
        ],
        "searchInclude": [include for part in parts for include in part.includes],
        "searchRevInclude": [include for part in parts for include in part.revincludes],
        "searchParam": [{"name": name, "type": of, "documentation": text} for name, of, text in searches],
    }
    more = {name: value for part in parts for name, value in part.more.items()}
    return {"type": kind} | {name: values for name, values in listed.items() if values} | more

"""The parameters of the plain searches, in every form that FHIR R4 "search" gives tokens and references.

A repeated parameter narrows the search, a list within it widens it. A filter that is not supported is refused: left
aside, it would give more than was asked for.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from mock_editor.base.fhir import parse_token, split_list
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.search.query import MOST_IDENTIFIERS

ACTOR = "actor"
IDENTIFIER = "identifier"
ORGANIZATION = "organization"

# What may be referred to, by parameter; of some types there is nothing here.
_TARGETS = {
    ACTOR: (
        "Practitioner", "PractitionerRole", "Location",
        "Patient", "RelatedPerson", "Device", "HealthcareService",
    ),
    ORGANIZATION: ("Organization",),
}  # fmt: skip

_ADDRESS = ("address", "address-city", "address-country", "address-postalcode", "address-state", "address-use")
# The search parameters of FHIR R4, those of all types first.
_OF_ALL = (
    "_content", "_filter", "_id", "_lastUpdated", "_list", "_profile", "_query", "_security", "_source", "_tag",
    "_text", "_type",
)  # fmt: skip
_OF_TYPE = {
    "Practitioner": (
        *_ADDRESS, "active", "communication", "email", "family", "gender", "given", "identifier", "name", "phone",
        "phonetic", "telecom",
    ),
    "Schedule": ("active", "actor", "date", "identifier", "service-category", "service-type", "specialty"),
    "Location": (
        *_ADDRESS, "endpoint", "identifier", "name", "near", "operational-status", "organization", "partof", "status",
        "type",
    ),
    "Organization": (*_ADDRESS, "active", "endpoint", "identifier", "name", "partof", "phonetic", "type"),
}  # fmt: skip
_INCLUDES = ("_include", "_include:iterate", "_revinclude", "_revinclude:iterate")


class Reference(NamedTuple):
    """What a reference names: an id, of one of some types; without any type, nothing that is here."""

    kinds: tuple[str, ...]
    id: str


def asks_for_actor(parameters: Parameters) -> bool:
    """Whether a search of Schedules is by their actors, and not that for places of SOS Médecins."""
    return any(name == ACTOR or re.fullmatch("actor:[^.]*", name) for name in parameters.names())


def check_filters(parameters: Parameters, kind: str, supported: str, *, strict: bool) -> None:
    """Notes every filter on ``kind`` besides ``supported``; with ``strict``, every other unknown parameter too."""
    known = {supported, *_typed(supported)}
    of_fhir = {*_OF_ALL, *_OF_TYPE[kind]}
    for name in parameters.names():
        if name not in known and name not in _INCLUDES and (name in of_fhir or re.search("[:.]", name)):
            parameters.wrong(Code.SEARCH_FILTER, name, kind=kind, supported=supported)
            known.add(name)
    if strict:
        parameters.refuse_unknown(known)


def identifiers(parameters: Parameters, system: str) -> list[set[str | None]]:
    """For each ``identifier``, the values of ``system`` that it lists; None stands for all that there are.

    A value alone is one of any system, ``|value`` one without a system: there is none.
    """
    wanted = []
    for tokens in _lists(parameters, IDENTIFIER):
        found: set[str | None] = set()
        for token in tokens:
            asked, value = parse_token(token)
            if not (asked or value):
                parameters.wrong(Code.SEARCH_TOKEN, IDENTIFIER, system=system, found=token[:100])
            elif asked == system or "|" not in token:
                found.add(value or None)
        wanted.append(found)
    _expect_any(parameters, IDENTIFIER, wanted)
    return wanted


def references(parameters: Parameters, name: str, bases: Collection[str]) -> list[set[Reference]]:
    """For each ``name``, also with a type as its modifier, what it lists: ids, relative references and URLs.

    URLs below ``bases`` are ours.
    """
    wanted = []
    for one in (name, *_typed(name)):
        kinds = (one.partition(":")[2],) if one != name else _TARGETS[name]
        for texts in _lists(parameters, one):
            found = set()
            for text in texts:
                if reference := _reference(text, kinds, bases):
                    found.add(reference)
                else:
                    expected = " or ".join(f"{kind}/<id>" for kind in kinds)
                    parameters.wrong(Code.SEARCH_REFERENCE, one, expected=expected, kinds=kinds, found=text[:100])
            wanted.append(found)
    _expect_any(parameters, name, wanted)
    return wanted


def _typed(name: str) -> list[str]:
    """A reference parameter with the type of what is referred to."""
    return [f"{name}:{kind}" for kind in _TARGETS.get(name, ())]


def _lists(parameters: Parameters, name: str) -> Iterator[list[str]]:
    for text in filter(str.strip, parameters.all(name)):
        members = split_list(text)
        if len(members) > MOST_IDENTIFIERS:
            parameters.wrong(Code.SEARCH_TOO_MANY, name, count=len(members), what=name, most=MOST_IDENTIFIERS)
            members = []
        yield members


def _expect_any(parameters: Parameters, name: str, found: Sequence[object]) -> None:
    if not found:
        parameters.wrong(Code.PARAMETER_MISSING, name)


def _reference(text: str, kinds: tuple[str, ...], bases: Collection[str]) -> Reference | None:
    """What a text refers to, of one of ``kinds``; None for what is no such reference."""
    path = text
    if re.match("[A-Za-z][A-Za-z0-9+.-]*:", text):
        ours = next((base for base in bases if text.startswith(f"{base}/")), None)
        if ours is None:
            return Reference((), text)
        path = text[len(ours) + 1 :]
    kind, slash, identifier = path.rpartition("/")
    if not identifier or (slash and kind not in kinds):
        return None
    return Reference((kind,) if slash else kinds, identifier)

"""The CapabilityStatement of an editor: what it really supports, no more."""

from datetime import datetime

from mock_editor import __version__
from mock_editor.base import codes
from mock_editor.base.fhir import Resource, instant
from mock_editor.calendars.model import Editor
from mock_editor.search.query import IDENTIFIER, START, STATUS

_SEARCHES: dict[str, list[tuple[str, str, str]]] = {
    "Slot": [
        (START, "date", "Début du créneau : ge et le, tous deux obligatoires"),
        (STATUS, "token", "Obligatoire ; seuls des créneaux free existent"),
        (IDENTIFIER, "token", "Obligatoire ; 1 à 25 identifiants nationaux de PS"),
    ],
    "Schedule": [("actor", "reference", "Practitioner/… ou PractitionerRole/…")],
    "Practitioner": [("identifier", "token", "1 à 25 identifiants nationaux de PS")],
    "PractitionerRole": [],
}
_PROFILES = {
    "Slot": codes.SLOT_PROFILE,
    "Schedule": codes.SCHEDULE_PROFILE,
    "Practitioner": codes.PRACTITIONER_PROFILE,
    "PractitionerRole": codes.PRACTITIONER_ROLE_PROFILE,
}


def capability_statement(editor: Editor, base: str, now: datetime) -> Resource:
    """The CapabilityStatement of ``editor``, whose FHIR base is ``base``."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(now, editor.zone),
        "kind": "instance",
        "instantiates": [codes.CAPABILITIES_INDIVIDUAL],
        "software": {"name": "mock_editor", "version": __version__},
        "implementation": {"description": editor.name, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": [_resource(name) for name in _SEARCHES]}],
    }


def _resource(name: str) -> Resource:
    searches = _SEARCHES[name]
    return {
        "type": name,
        "profile": _PROFILES[name],
        "interaction": [{"code": "read"}, *([{"code": "search-type"}] if searches else [])],
        **({"searchInclude": ["Slot:schedule", "Schedule:actor"]} if name == "Slot" else {}),
        **(
            {"searchParam": [{"name": key, "type": kind, "documentation": text} for key, kind, text in searches]}
            if searches
            else {}
        ),
    }

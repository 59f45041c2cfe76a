"""The CapabilityStatement of an editor: what it really supports, no more."""

from collections.abc import Mapping
from datetime import datetime

from mock_editor import __version__
from mock_editor.base import codes
from mock_editor.base.capabilities import Supported, merged
from mock_editor.base.fhir import Resource, instant
from mock_editor.calendars.model import Editor
from mock_editor.search.query import IDENTIFIER, SOS_IDENTIFIER, SOS_START, SOS_STATUS, START, STATUS

_IDENTIFIERS = "<valeur>, <système>|<valeur> ou <système>|, 25 au plus"
_REFERENCES = "<id>, <type>/<id>, URL de cet éditeur ou modificateur de type, 25 au plus"

_SUPPORTED = {
    "Slot": Supported(
        (codes.SLOT_PROFILE, codes.CPTS_SLOT_PROFILE, codes.SOS_SLOT_PROFILE),
        (
            (START, "date", "Début du créneau : ge et le, tous deux obligatoires"),
            (STATUS, "token", "Obligatoire ; seuls des créneaux free existent"),
            (IDENTIFIER, "token", "Obligatoire ; 1 à 25 identifiants nationaux de PS"),
        ),
        ("Slot:schedule", "Schedule:actor", "Slot:service-type-reference", "HealthcareService:organization"),
    ),
    "Schedule": Supported(
        (codes.SCHEDULE_PROFILE, codes.SOS_SCHEDULE_PROFILE),
        (
            ("actor", "reference", f"Practitioner, PractitionerRole ou Location : {_REFERENCES}"),
            (SOS_START, "date", "Début du créneau, sans actor : ge et le, tous deux obligatoires"),
            (SOS_STATUS, "token", "Obligatoire sans actor ; seuls des créneaux free existent"),
            (SOS_IDENTIFIER, "token", "Obligatoire sans actor ; 1 à 25 associations SOS Médecins (3 + SIRET)"),
        ),
        ("Schedule:actor:Location", "Location:organization"),
        ("Slot:schedule",),
    ),
    "Practitioner": Supported(
        (codes.PRACTITIONER_PROFILE,), (("identifier", "token", f"Identifiants nationaux de PS : {_IDENTIFIERS}"),)
    ),
    "PractitionerRole": Supported((codes.PRACTITIONER_ROLE_PROFILE,)),
    "Location": Supported(
        (codes.SOS_LOCATION_PROFILE,), (("organization", "reference", f"Association SOS Médecins : {_REFERENCES}"),)
    ),
    "Organization": Supported(
        (codes.CPTS_ORGANIZATION_PROFILE, codes.SOS_ORGANIZATION_PROFILE),
        (("identifier", "token", f"Identifiants nationaux de structure : {_IDENTIFIERS}"),),
    ),
    "HealthcareService": Supported((codes.CPTS_HEALTHCARE_SERVICE_PROFILE,)),
}


def capability_statement(
    editor: Editor, base: str, now: datetime, also: Mapping[str, Supported], follows: tuple[str, ...]
) -> Resource:
    """The CapabilityStatement of ``editor``, whose FHIR base is ``base``.

    Every editor understands every search; it follows the guide's statements for the kinds of calendar that it keeps.
    ``also`` is what other features support, by resource type; ``follows`` the statements that go with it.
    """
    kinds = [(len(editor.directory) > 0, codes.CAPABILITIES_INDIVIDUAL), (bool(editor.cpts), codes.CAPABILITIES_CPTS)]
    kinds += [(bool(editor.associations), codes.CAPABILITIES_SOS)]
    followed = [statement for kept, statement in kinds if kept]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(now, editor.zone),
        "kind": "instance",
        "instantiates": [*followed, *follows],
        "software": {"name": "mock_editor", "version": __version__},
        "implementation": {"description": editor.name, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": merged(_SUPPORTED, also)}],
    }

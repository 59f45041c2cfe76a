"""The CapabilityStatement of the SAS side: what it really supports, no more."""

from datetime import datetime

from mock_editor import __version__
from mock_editor.base import codes
from mock_editor.base.capabilities import Supported, merged
from mock_editor.base.fhir import Resource, instant
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.receiver.payload import KIND

_SUPPORTED = {
    KIND: Supported(
        (codes.APPOINTMENT_PROFILE, codes.SOS_APPOINTMENT_PROFILE),
        searches=(("identifier", "token", "<système>|<valeur> ; sans lui, tous, les derniers modifiés d'abord"),),
        interactions=("create", "update"),
        more={
            "documentation": "Rendez-vous pris par un régulateur venu du SAS (INT_R03). Le guide annonce "
            "updateCreate à true ; ici il est à false, parce que le serveur attribue les id : "
            "PUT Appointment/<id> ne crée rien (405), PUT ?identifier= (conditionalUpdate) crée celui qui n'existe "
            "pas. La lecture et la recherche sont propres au simulateur.",
            "versioning": "versioned",
            "readHistory": False,
            "updateCreate": False,
            "conditionalCreate": False,
            "conditionalRead": "full-support",
            "conditionalUpdate": True,
            "conditionalDelete": "not-supported",
        },
    )
}


def capability_statement(base: str, now: datetime) -> Resource:
    """The CapabilityStatement of the receiver whose FHIR base is ``base``."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(now, DEFAULT_ZONE),
        "kind": "instance",
        "instantiates": [codes.CAPABILITIES_APPOINTMENTS, codes.CAPABILITIES_SOS_APPOINTMENTS],
        "software": {"name": "mock_editor", "version": __version__},
        "implementation": {"description": "Simulateur de la plateforme SAS : réception des rendez-vous", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": merged(_SUPPORTED)}],
    }

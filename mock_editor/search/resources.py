"""The model as FHIR resources, by the profiles of INT_R01. One function per resource; an unknown part is left out."""

from datetime import UTC, datetime

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import EXPOSED, Editor, Place, Practitioner, SlotShape

_STAMP = "%Y%m%d%H%M"


def stamp(start: datetime) -> str:
    """The part of a slot's id that tells when it starts: UTC, because local times come twice in autumn."""
    return start.strftime(_STAMP)


def read_stamp(text: str) -> datetime:
    """The way back from ``stamp``. Raises ValueError."""
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


def slot_id(place: Place, start: str) -> str:
    """The id of the slot of a place's calendar that starts at ``start`` (a stamp)."""
    return f"{place.calendar.key}-{start}"


def slot(
    practitioner: Practitioner,
    place: Place,
    shape: SlotShape,
    *,
    identifier: str,
    start: str,
    end: str,
    agenda_url: str,
) -> Resource:
    """A free slot (FrSlotAgregateur). ``start`` and ``end`` are instants with an offset."""
    service_types: list[Resource] = [
        {"coding": [{"system": codes.ACT_CODE, "code": kind.value}]} for kind in shape.consultation_types
    ]
    service_types += [{"text": reason} for reason in shape.reasons]
    specialties: list[Resource] = [
        {"coding": [{"system": codes.SPECIALTY, "code": specialty.code}]}
        if specialty.code
        else {"text": specialty.text}
        for specialty in practitioner.specialties
    ]
    return {
        "resourceType": "Slot",
        "id": identifier,
        "meta": {
            "profile": [codes.SLOT_PROFILE],
            "security": [
                {"system": codes.SLOT_TYPE, "code": slot_type.value}
                for slot_type in shape.types
                if slot_type in EXPOSED
            ],
        },
        **({"serviceType": service_types} if service_types else {}),
        **({"specialty": specialties} if specialties else {}),
        "appointmentType": {
            "coding": [{"system": codes.APPOINTMENT_REASON, "code": shape.appointment_type.value}],
        },
        "schedule": {"reference": f"Schedule/{place.calendar.key}"},
        "status": "free",
        "start": start,
        "end": end,
        "comment": agenda_url,
    }


def schedule(practitioner: Practitioner, place: Place) -> Resource:
    """The calendar of a practitioner at a place (FrScheduleAgregateur)."""
    return {
        "resourceType": "Schedule",
        "id": place.calendar.key,
        "meta": {"profile": [codes.SCHEDULE_PROFILE]},
        "actor": [
            {"reference": f"Practitioner/{practitioner.id}"},
            {"reference": f"PractitionerRole/{place.calendar.key}"},
        ],
    }


def practitioner(person: Practitioner) -> Resource:
    """A practitioner (FrPractitionerAgregateur)."""
    return {
        "resourceType": "Practitioner",
        "id": person.id,
        "meta": {"profile": [codes.PRACTITIONER_PROFILE]},
        "identifier": [
            {
                "type": {"coding": [{"system": codes.FR_V2_0203, "code": "IDNPS"}]},
                "system": codes.PRACTITIONER_OID,
                "value": person.id,
            }
        ],
        "name": [{"family": person.family, **({"given": [person.given]} if person.given else {})}],
    }


def practitioner_role(editor: Editor, person: Practitioner, place: Place) -> Resource:
    """A practitioner at a place, the place contained (FrPractitionerRoleExerciceAgregateur)."""
    return {
        "resourceType": "PractitionerRole",
        "id": place.calendar.key,
        "meta": {"profile": [codes.PRACTITIONER_ROLE_PROFILE]},
        "contained": [_location(editor, place)],
        "practitioner": {"reference": f"Practitioner/{person.id}"},
        "organization": {
            "identifier": {
                "type": {"coding": [{"system": codes.FR_V2_0203, "code": "IDNST"}]},
                "system": codes.STRUCTURE_OID,
                "value": place.structure_id,
            }
        },
        "location": [{"reference": f"#{_LOCATION_ID}"}],
        **({"telecom": [{"system": "phone", "value": place.phone}]} if place.phone else {}),
    }


_LOCATION_ID = "lieu"


def _location(editor: Editor, place: Place) -> Resource:
    return {
        "resourceType": "Location",
        "id": _LOCATION_ID,
        "meta": {"profile": [codes.LOCATION_PROFILE]},
        "identifier": [
            {
                "type": {"coding": [{"system": codes.FR_LOCATION_IDENTIFIER_TYPE, "code": "INTRN"}]},
                "system": editor.identifier_system,
                "value": place.location_id,
            }
        ],
        "address": {"line": [place.line], "city": place.city, "postalCode": place.postal_code},
    }

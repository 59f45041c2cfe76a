"""The model as FHIR resources, by the guide's profiles. One function per resource; an unknown part is left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import (
    Association,
    Calendar,
    Cpts,
    Editor,
    OperatingHours,
    Place,
    Practitioner,
    SlotShape,
    SosPlace,
    Specialty,
)
from mock_editor.search.slot_searches import SOS, SlotSearch


@dataclass(frozen=True, slots=True)
class SlotTimes:
    """What tells one slot from the others of its shape: a stamp, and the instants of start and end with an offset."""

    stamp: str
    start: str
    end: str


# --- slots


def slot_of_practitioner(
    search: SlotSearch, web: str, person: Practitioner, place: Place, shape: SlotShape, times: SlotTimes
) -> Resource:
    """A free slot of a practitioner at a place (FrSlotAgregateur, sas-cpts-slot-aggregator)."""
    service_types: list[Resource] = [*_consultation_types(shape), *({"text": reason} for reason in shape.reasons)]
    if search.exposed.issuperset(shape.types):
        service_types += [_cpts_service_type(cpts) for cpts in shape.cpts]
    specialties = person.specialties if shape.specialties is None else shape.specialties
    # It always has a query of its own: some clients append `&origin=…` blindly.
    page_url = f"{web}/agenda/{person.id}?lieu={place.key}"
    return _slot(search, place.calendar, shape, times, service_types, specialties, page_url)


def slot_of_sos_place(
    web: str, association: Association, place: SosPlace, shape: SlotShape, times: SlotTimes
) -> Resource:
    """A free slot of a SOS Médecins place (sas-sos-slot-aggregator)."""
    # The guide wants the slot itself to be opened where possible.
    page_url = f"{web}/agenda/{association.id}?lieu={place.key}&creneau={times.stamp}"
    return _slot(SOS, place.calendar, shape, times, _consultation_types(shape), (), page_url)


def _slot(
    search: SlotSearch,
    calendar: Calendar,
    shape: SlotShape,
    times: SlotTimes,
    service_types: Sequence[Resource],
    specialties: Sequence[Specialty],
    page_url: str,
) -> Resource:
    return {
        "resourceType": "Slot",
        "id": f"{calendar.key}-{times.stamp}",
        "meta": {
            "profile": [search.slot_profile],
            "security": [
                {"system": codes.SLOT_TYPE, "code": slot_type.value}
                for slot_type in shape.types
                if slot_type in search.exposed
            ],
        },
        **({"serviceType": list(service_types)} if service_types else {}),
        **({"specialty": [_specialty(specialty) for specialty in specialties]} if specialties else {}),
        "appointmentType": {
            "coding": [{"system": codes.APPOINTMENT_REASON, "code": shape.appointment_type.value}],
        },
        "schedule": {"reference": f"Schedule/{calendar.key}"},
        "status": "free",
        "start": times.start,
        "end": times.end,
        "comment": page_url,
    }


def _consultation_types(shape: SlotShape) -> list[Resource]:
    return [{"coding": [{"system": codes.ACT_CODE, "code": kind.value}]} for kind in shape.consultation_types]


def _cpts_service_type(cpts: Cpts) -> Resource:
    return {
        "extension": [
            {
                "url": codes.SLOT_SERVICE_EXTENSION,
                "valueReference": {"reference": f"HealthcareService/{cpts.id}"},
            }
        ],
        "coding": [{"system": codes.ESTABLISHMENT_CATEGORY, "code": codes.CPTS_CATEGORY}],
    }


def _specialty(specialty: Specialty) -> Resource:
    if specialty.code is None:
        return {"text": specialty.text}
    return {"coding": [{"system": codes.SPECIALTY, "code": specialty.code}]}


# --- practitioners on their own


def schedule(person: Practitioner, place: Place) -> Resource:
    """The calendar of a practitioner at a place (FrScheduleAgregateur)."""
    return {
        "resourceType": "Schedule",
        "id": place.calendar.key,
        "meta": {"profile": [codes.SCHEDULE_PROFILE]},
        "actor": [
            {"reference": f"Practitioner/{person.id}"},
            {"reference": f"PractitionerRole/{place.calendar.key}"},
        ],
    }


def practitioner(person: Practitioner) -> Resource:
    """A practitioner (FrPractitionerAgregateur)."""
    return {
        "resourceType": "Practitioner",
        "id": person.id,
        "meta": {"profile": [codes.PRACTITIONER_PROFILE]},
        "identifier": [_identifier("IDNPS", codes.PRACTITIONER_OID, person.id, codes.FR_V2_0203)],
        "name": [{"family": person.family, **({"given": [person.given]} if person.given else {})}],
    }


def practitioner_role(editor: Editor, person: Practitioner, place: Place) -> Resource:
    """A practitioner at a place, the place contained (FrPractitionerRoleExerciceAgregateur)."""
    return {
        "resourceType": "PractitionerRole",
        "id": place.calendar.key,
        "meta": {"profile": [codes.PRACTITIONER_ROLE_PROFILE]},
        "contained": [
            {
                "resourceType": "Location",
                "id": _CONTAINED,
                "meta": {"profile": [codes.LOCATION_PROFILE]},
                "identifier": [_internal_identifier(editor, place)],
                "address": _address(place),
            }
        ],
        "practitioner": {"reference": f"Practitioner/{person.id}"},
        "organization": {"identifier": _identifier("IDNST", codes.STRUCTURE_OID, place.structure_id, codes.FR_V2_0203)},
        "location": [{"reference": f"#{_CONTAINED}"}],
        **_phone(place.phone),
    }


_CONTAINED = "lieu"


# --- CPTS


def healthcare_service(cpts: Cpts) -> Resource:
    """The care that a CPTS provides (sas-cpts-healthcareservice-aggregator)."""
    return {
        "resourceType": "HealthcareService",
        "id": cpts.id,
        "meta": {"profile": [codes.CPTS_HEALTHCARE_SERVICE_PROFILE]},
        "providedBy": {"reference": f"Organization/{cpts.id}"},
    }


def cpts_organization(cpts: Cpts) -> Resource:
    """A CPTS (sas-cpts-organization-aggregator). Each version of the guide wants another coding of the same type."""
    systems = (codes.FR_LOCATION_IDENTIFIER_TYPE, codes.FR_CORE_V2_0203)
    return {
        "resourceType": "Organization",
        "id": cpts.id,
        "meta": {"profile": [codes.CPTS_ORGANIZATION_PROFILE]},
        "identifier": [_identifier("IDNST", codes.STRUCTURE_OID, cpts.id, *systems)],
        **({"name": cpts.name} if cpts.name else {}),
        **_phone(cpts.phone),
    }


# --- SOS Médecins


def sos_schedule(place: SosPlace) -> Resource:
    """The calendar of a place (sas-sos-schedule-aggregator)."""
    return {
        "resourceType": "Schedule",
        "id": place.calendar.key,
        "meta": {"profile": [codes.SOS_SCHEDULE_PROFILE]},
        "actor": [{"reference": f"Location/{place.calendar.key}"}],
    }


def sos_location(editor: Editor, association: Association, place: SosPlace) -> Resource:
    """A fixed consultation place (sas-sos-location-aggregator)."""
    announced = place.announced_id and _identifier(
        "IDNST", codes.STRUCTURE_OID, place.announced_id, codes.FR_LOCATION_IDENTIFIER_TYPE
    )
    return {
        "resourceType": "Location",
        "id": place.calendar.key,
        "meta": {"profile": [codes.SOS_LOCATION_PROFILE]},
        "identifier": [announced or _internal_identifier(editor, place)],
        "name": place.name,
        **_phone(place.phone),
        "address": _address(place),
        "managingOrganization": {"reference": f"Organization/{association.id}"},
        **({"hoursOfOperation": [_hours(hours) for hours in place.hours]} if place.hours else {}),
    }


def sos_organization(association: Association) -> Resource:
    """A SOS Médecins association (sas-sos-organization-aggregator)."""
    return {
        "resourceType": "Organization",
        "id": association.id,
        "meta": {"profile": [codes.SOS_ORGANIZATION_PROFILE]},
        "identifier": [_identifier("IDNST", codes.STRUCTURE_OID, association.id, codes.FR_LOCATION_IDENTIFIER_TYPE)],
        "name": association.name,
    }


def _hours(hours: OperatingHours) -> Resource:
    if hours.end - hours.start == 24 * 60:
        return {"daysOfWeek": list(hours.days), "allDay": True}
    return {"daysOfWeek": list(hours.days), "openingTime": _time(hours.start), "closingTime": _time(hours.end)}


def _time(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}:00"


# --- parts


def _identifier(kind: str, system: str, value: str, *type_systems: str) -> Resource:
    return {
        "type": {"coding": [{"system": type_system, "code": kind} for type_system in type_systems]},
        "system": system,
        "value": value,
    }


def _internal_identifier(editor: Editor, place: Place | SosPlace) -> Resource:
    return _identifier("INTRN", editor.identifier_system, place.location_id, codes.FR_LOCATION_IDENTIFIER_TYPE)


def _address(place: Place | SosPlace) -> Resource:
    return {"line": [place.line], "city": place.city, "postalCode": place.postal_code}


def _phone(phone: str | None) -> Resource:
    return {"telecom": [{"system": "phone", "value": phone}]} if phone else {}

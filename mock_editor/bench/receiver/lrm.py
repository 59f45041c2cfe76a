"""The messages that the platform would send to the LRM of a SAMU: INT_L02, one per version of an appointment.

EDXL-DE around RC-DE around the appointment, as JSON, through the Hub Santé. Source: the guide on passing appointments
on to LRMs. What notifications do not tell is left out: the place of a practitioner with several; the organization of a
SOS Médecins place, until it is known who consults there.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from mock_editor.base import codes
from mock_editor.base.fhir import Resource, instant
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.idp.people import Person
from mock_editor.bench.platform.directory import Listed, department
from mock_editor.bench.receiver.payload import regulator_of
from mock_editor.bench.receiver.received import ReceivedAppointment, Version

SENDER = "fr.health.test.ptfsas"
# How long the Hub tries to deliver it.
_EXPIRES = timedelta(days=1)
_NAMESPACE = uuid.UUID("6b6d1f0f-2f35-5a0a-8b0c-61c1f1f5e2a4")
# Medical doctor, in the national list of professions.
_DOCTOR = "10"
_PROFESSIONS = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
# Where nobody knows in which department a patient is seen.
_NOWHERE = "000"


def message(
    appointment: ReceivedAppointment, version: Version, listed: Mapping[str, Listed], people: Iterable[Person]
) -> dict[str, Any]:
    """The message about a version of an appointment; practitioners are ``listed``, regulators are among ``people``."""
    doctor = listed.get(practitioner_of(version.content))
    identifier, sent = (
        f"{SENDER}_{uuid.uuid5(_NAMESPACE, f'{appointment.id}:{version.number}')}",
        instant(version.received, DEFAULT_ZONE),
    )
    samu = f"fr.health.samu{_samu(doctor)}"
    content = {
        "messageId": identifier,
        "sender": {"name": "Plateforme numérique SAS", "URI": f"hubex:{SENDER}"},
        "sentAt": sent,
        "kind": "Report",
        "status": "Actual",
        "recipient": [{"name": samu.removeprefix("fr.health."), "URI": f"hubex:{samu}"}],
        "appointment": _appointment(appointment.id, version, doctor, people),
    }
    return {
        "distributionID": identifier,
        "senderID": SENDER,
        "dateTimeSent": sent,
        "dateTimeExpires": instant(version.received + _EXPIRES, DEFAULT_ZONE),
        "distributionStatus": "Actual",
        "distributionKind": "Report",
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": samu},
        },
        "content": [{"jsonContent": {"embeddedJsonContent": {"message": content}}}],
    }


def _samu(doctor: Listed | None) -> str:
    """The number of a SAMU: that of its department, followed by a zero if it has two characters."""
    departments = {department(site.postal_code) for site in doctor.sites} if doctor else set()
    return f"{departments.pop():0<3}" if len(departments) == 1 else _NOWHERE


def _appointment(identifier: str, version: Version, doctor: Listed | None, people: Iterable[Person]) -> dict[str, Any]:
    content = version.content
    sos = codes.SOS_APPOINTMENT_PROFILE in content["meta"]["profile"]
    site = doctor.sites[0] if doctor and len(doctor.sites) == 1 else None
    return {
        "appointmentId": identifier,
        "method": "CreateAppointment" if version.number == 1 else "UpdateAppointment",
        "created": content["created"],
        "start": content["start"],
        "end": content["end"],
        "status": content["status"],
        # A notification does not tell whether the slot was opened to a CPTS.
        "orientationCategory": "SOS" if sos else "PS",
        **_filled(
            practitioner=_practitioner(practitioner_of(content), doctor),
            organization=_filled(organizationId=site.structure, name=site.name) if site else {},
            regulator=_regulator(regulator_of(content), people),
        ),
    }


def practitioner_of(content: Resource) -> str:
    """The prefixed identifier of the practitioner; empty while it is not known who consults."""
    actors = (participant.get("actor", {}) for participant in content["participant"])
    return next((str(actor["identifier"]["value"]).strip() for actor in actors if "identifier" in actor), "")


def _practitioner(identifier: str, doctor: Listed | None) -> dict[str, Any]:
    # An ADELI number is not an RPPS number.
    rpps = identifier[1:] if identifier.startswith("8") else ""
    if doctor is None:
        return _filled(rppsId=rpps)
    specialty = next(iter(doctor.specialties), "")
    return _filled(
        rppsId=rpps,
        lastName=doctor.family,
        firstName=doctor.given,
        specialityCode=specialty,
        specialityUrl=codes.SPECIALTY if specialty else "",
        professionCode=_DOCTOR,
        professionUrl=_PROFESSIONS,
    )


def _regulator(identifier: Resource, people: Iterable[Person]) -> dict[str, Any]:
    value = identifier["value"]
    known = next((person for person in people if value in (person.national_id, person.technical_id)), None)
    # Only a national identifier is passed on.
    national = value if identifier["system"] == codes.PRACTITIONER_OID else ""
    if known is None:
        return _filled(regulatorId=national)
    return _filled(
        regulatorId=national or known.national_id,
        regulatorName=known.family,
        regulatorFirstname=known.given,
        regulatorEmail=known.email,
    )


def _filled(**elements: str | Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in elements.items() if value}

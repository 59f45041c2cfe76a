"""Appointment notifications (INT_R03) that break a rule of their profiles: one kind for each rule.

Sources: FrAppointmentSAS, sas-sos-appointment, and the guide's page on appointments.
"""

import random
import re
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

import orjson
from pydantic import Field

from mock_editor.base import codes
from mock_editor.base.fhir import Resource, dumps
from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Proceed, Request, Response

_BOTH = "FrAppointmentSAS and sas-sos-appointment"
_OPERATOR = f"{_BOTH}, Appointment.extension:appointmentOperator"
_ACTOR = "FrAppointmentSAS, Appointment.participant.actor.identifier"


class PayloadKind(Kind):
    """A mistake in what an editor sends to the SAS: the sender asks ``spoil`` for the body, and gets its answer."""

    family: ClassVar[str] = "payload"
    flows: ClassVar[frozenset[str]] = frozenset({"INT_R03"})

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the request is what is spoilt
        """The answer of the SAS."""
        return proceed()

    def spoil(self, body: bytes, draw: random.Random) -> bytes:
        """The body to send instead; the same when it is no Appointment or has nothing to spoil."""
        try:
            read = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        if not isinstance(read, dict) or read.get("resourceType") != "Appointment":
            return body
        right = dumps(read)
        self.change_drawn(read, draw)
        spoilt = dumps(read)
        return body if spoilt == right else spoilt

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:  # noqa: ARG002 - for kinds that draw
        """Makes the mistake in place: by ``change``, unless something is drawn for it."""
        self.change(appointment)

    def change(self, appointment: Resource) -> None:
        """Makes the mistake in place."""
        raise NotImplementedError


# --- elements that have to be there


class _ElementMissing(PayloadKind):
    """An element is not there."""

    missing: ClassVar[str]

    def change(self, appointment: Resource) -> None:
        """Takes it off."""
        appointment.pop(self.missing, None)


class AppointmentProfileMissing(_ElementMissing):
    """The appointment claims no profile."""

    kind: Literal["appointment-profile-missing"] = "appointment-profile-missing"
    breaks: ClassVar[str] = "INT_R03, Appointment.meta.profile: exactly one"
    missing: ClassVar[str] = "meta"


class AppointmentIdentifierMissing(_ElementMissing):
    """The appointment has no identifier."""

    kind: Literal["appointment-identifier-missing"] = "appointment-identifier-missing"
    breaks: ClassVar[str] = f"{_BOTH}, Appointment.identifier: exactly one"
    missing: ClassVar[str] = "identifier"


class AppointmentOperatorMissing(_ElementMissing):
    """The appointment does not say which regulator took it."""

    kind: Literal["appointment-operator-missing"] = "appointment-operator-missing"
    breaks: ClassVar[str] = f"{_OPERATOR}: exactly one"
    missing: ClassVar[str] = "extension"


class AppointmentStatusMissing(_ElementMissing):
    """The appointment has no status."""

    kind: Literal["appointment-status-missing"] = "appointment-status-missing"
    breaks: ClassVar[str] = "FHIR R4, Appointment.status: exactly one"
    missing: ClassVar[str] = "status"


class AppointmentStartMissing(_ElementMissing):
    """The appointment has no start."""

    kind: Literal["appointment-start-missing"] = "appointment-start-missing"
    breaks: ClassVar[str] = f"{_BOTH}, Appointment.start: exactly one"
    missing: ClassVar[str] = "start"


class AppointmentEndMissing(_ElementMissing):
    """The appointment has no end."""

    kind: Literal["appointment-end-missing"] = "appointment-end-missing"
    breaks: ClassVar[str] = f"{_BOTH}, Appointment.end: exactly one"
    missing: ClassVar[str] = "end"


class AppointmentCreatedMissing(_ElementMissing):
    """The appointment does not say when it was taken."""

    kind: Literal["appointment-created-missing"] = "appointment-created-missing"
    breaks: ClassVar[str] = "INT_R03, Appointment.created: when it was taken, in every notification"
    missing: ClassVar[str] = "created"


class AppointmentParticipantMissing(_ElementMissing):
    """The appointment is with nobody."""

    kind: Literal["appointment-participant-missing"] = "appointment-participant-missing"
    breaks: ClassVar[str] = "FHIR R4, Appointment.participant: at least one"
    missing: ClassVar[str] = "participant"


# --- what it claims to be


class AppointmentProfileWrong(PayloadKind):
    """The appointment claims another profile: by default its own name under the other address that the guide shows."""

    kind: Literal["appointment-profile-wrong"] = "appointment-profile-wrong"
    breaks: ClassVar[str] = (
        "INT_R03, Appointment.meta.profile: http://sas.fr/…/FrAppointmentSAS, or sas-sos-appointment"
    )
    profile: str | None = Field(None, min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        for at, profile in enumerate(appointment.get("meta", {}).get("profile", [])):
            sas, guide = (url.rpartition("/")[0] for url in (codes.APPOINTMENT_PROFILE, codes.SOS_APPOINTMENT_PROFILE))
            base, _, name = profile.rpartition("/")
            appointment["meta"]["profile"][at] = self.profile or f"{guide if base == sas else sas}/{name}"


# --- its identifier


class AppointmentIdentifierWithoutSystem(PayloadKind):
    """The appointment's identifier does not say whose it is."""

    kind: Literal["appointment-identifier-without-system"] = "appointment-identifier-without-system"
    breaks: ClassVar[str] = f"{_BOTH}, Appointment.identifier.system: exactly one, the editor's OID or URL"

    def change(self, appointment: Resource) -> None:
        """Takes the system off."""
        for identifier in appointment.get("identifier", []):
            identifier.pop("system", None)


class AppointmentIdentifierTwice(PayloadKind):
    """The appointment has a second identifier."""

    kind: Literal["appointment-identifier-twice"] = "appointment-identifier-twice"
    breaks: ClassVar[str] = f"{_BOTH}, Appointment.identifier: exactly one"

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:
        """Adds one of the same system."""
        found = appointment.get("identifier", [])
        found += [{**identifier, "value": _uuid(draw)} for identifier in found[:1]]


class AppointmentIdentifierChanges(PayloadKind):
    """Every notification of the appointment has another identifier, which is not that of the URL."""

    kind: Literal["appointment-identifier-changes"] = "appointment-identifier-changes"
    breaks: ClassVar[str] = "INT_R03: an update carries the identifier of the creation, which its URL names"

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:
        """Draws a new one."""
        for identifier in appointment.get("identifier", []):
            identifier["value"] = _uuid(draw)


def _uuid(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


# --- its status and dates


class AppointmentStatusUnknown(PayloadKind):
    """The appointment has a status that does not exist."""

    kind: Literal["appointment-status-unknown"] = "appointment-status-unknown"
    breaks: ClassVar[str] = (
        "FHIR R4, Appointment.status: required binding; INT_R03: booked, fulfilled, noshow, cancelled"
    )
    status: str = Field("confirmed", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        appointment["status"] = self.status


class AppointmentDatesWithoutOffset(PayloadKind):
    """The dates of the appointment have no offset."""

    kind: Literal["appointment-dates-without-offset"] = "appointment-dates-without-offset"
    breaks: ClassVar[str] = "FHIR R4, instant and dateTime: with an offset; INT_R03, Appointment.start, end, created"

    def change(self, appointment: Resource) -> None:
        """Takes them off."""
        for member in {"start", "end", "created"} & appointment.keys():
            appointment[member] = re.sub(r"(Z|[+-]\d\d:\d\d)$", "", appointment[member])


class AppointmentEndBeforeStart(PayloadKind):
    """The appointment ends before it starts: start and end are the wrong way round."""

    kind: Literal["appointment-end-before-start"] = "appointment-end-before-start"
    breaks: ClassVar[str] = "INT_R03, Appointment: start before end"

    def change(self, appointment: Resource) -> None:
        """Swaps them."""
        if "start" in appointment and "end" in appointment:
            appointment["start"], appointment["end"] = appointment["end"], appointment["start"]


class AppointmentCreatedChanges(PayloadKind):
    """The appointment was taken some minutes later than it was, in every notification at another time."""

    kind: Literal["appointment-created-changes"] = "appointment-created-changes"
    breaks: ClassVar[str] = "INT_R03, Appointment.created: never changes"

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:
        """Moves it on by up to a day."""
        if "created" in appointment:
            moved = datetime.fromisoformat(appointment["created"]) + timedelta(minutes=draw.randint(1, 1440))
            appointment["created"] = moved.isoformat(timespec="milliseconds")


# --- who took it


def _operators(appointment: Resource) -> list[Resource]:
    """The identifiers of the regulator."""
    found = (one.get("valueReference", {}).get("identifier") for one in appointment.get("extension", []))
    return [identifier for identifier in found if identifier]


class AppointmentOperatorUrl(PayloadKind):
    """The extension that tells the regulator has another URL than its own."""

    kind: Literal["appointment-operator-url"] = "appointment-operator-url"
    breaks: ClassVar[str] = f"{_OPERATOR}.url: {codes.APPOINTMENT_OPERATOR}"
    url: str = Field("https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-appointment-operator", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        for extension in appointment.get("extension", []):
            extension["url"] = self.url


class AppointmentOperatorTwice(PayloadKind):
    """The appointment has a second extension beside the regulator's, which itself comes twice."""

    kind: Literal["appointment-operator-twice"] = "appointment-operator-twice"
    breaks: ClassVar[str] = f"{_OPERATOR}: exactly one; sas-sos-appointment allows no other extension beside it"

    def change(self, appointment: Resource) -> None:
        """Repeats the first."""
        found = appointment.get("extension", [])
        found += found[:1]


class AppointmentOperatorType(PayloadKind):
    """The type of the regulator's identifier is coded in a system, or with a code, that the profile does not allow."""

    kind: Literal["appointment-operator-type"] = "appointment-operator-type"
    breaks: ClassVar[str] = f"{_OPERATOR}, identifier.type.coding: IDNPS or INTRN of {codes.FR_V2_0203}"
    system: str = Field("http://terminology.hl7.org/CodeSystem/v2-0203", min_length=1)
    code: str | None = Field(None, min_length=1, description="The right one if none is given.")

    def change(self, appointment: Resource) -> None:
        """Recodes it."""
        for identifier in _operators(appointment):
            for coding in identifier.get("type", {}).get("coding", []):
                coding |= {"system": self.system, "code": self.code or coding["code"]}


class AppointmentOperatorByReference(PayloadKind):
    """The regulator is told by a reference to an account of the editor instead of by the identifier."""

    kind: Literal["appointment-operator-by-reference"] = "appointment-operator-by-reference"
    breaks: ClassVar[str] = f"{_OPERATOR}.valueReference.identifier: exactly one, as INT_R02 gave it"

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:
        """Puts a reference in its place."""
        for extension in appointment.get("extension", []):
            extension["valueReference"] = {"reference": f"Practitioner/{draw.randrange(1, 10**6)}"}


# --- with whom it is


def _actors(appointment: Resource) -> list[Resource]:
    """The identifiers of the practitioners."""
    found = (one.get("actor", {}).get("identifier") for one in appointment.get("participant", []))
    return [identifier for identifier in found if identifier]


class AppointmentPractitionerWithoutPrefix(PayloadKind):
    """The practitioner has the bare RPPS or ADELI number: the prefix 8 or 0 is missing."""

    kind: Literal["appointment-practitioner-without-prefix"] = "appointment-practitioner-without-prefix"
    breaks: ClassVar[str] = "INT_R03, Appointment.participant.actor.identifier.value: 8 + RPPS or 0 + ADELI"

    def change(self, appointment: Resource) -> None:
        """Takes it off."""
        for identifier in _actors(appointment):
            if re.fullmatch("8[0-9]{11}|0[0-9A-Z]{9}", identifier.get("value", "")):
                identifier["value"] = identifier["value"][1:]


class AppointmentPractitionerSystem(PayloadKind):
    """The practitioner's identifier says that it is of another system, by default that of structures."""

    kind: Literal["appointment-practitioner-system"] = "appointment-practitioner-system"
    breaks: ClassVar[str] = f"{_ACTOR}.system: {codes.PRACTITIONER_OID}"
    system: str = Field(codes.STRUCTURE_OID, min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        for identifier in _actors(appointment):
            identifier["system"] = self.system


class AppointmentPractitionerType(PayloadKind):
    """The type of the practitioner's identifier has another code than IDNPS."""

    kind: Literal["appointment-practitioner-type"] = "appointment-practitioner-type"
    breaks: ClassVar[str] = f"{_ACTOR}.type.coding: IDNPS of {codes.FR_V2_0203}"
    code: str = Field("INTRN", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Recodes it."""
        for identifier in _actors(appointment):
            for coding in identifier.get("type", {}).get("coding", []):
                coding["code"] = self.code


class AppointmentParticipantStatus(PayloadKind):
    """Who takes part has a status that does not exist."""

    kind: Literal["appointment-participant-status"] = "appointment-participant-status"
    breaks: ClassVar[str] = f"{_BOTH}, Appointment.participant.status: required binding (accepted, needs-action…)"
    status: str = Field("booked", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        for participant in appointment.get("participant", []):
            participant["status"] = self.status


# --- what must not leave the editor, and what must not be written


class AppointmentPatientData(PayloadKind):
    """The appointment names the patient, as a contained Patient who takes part."""

    kind: Literal["appointment-patient-data"] = "appointment-patient-data"
    breaks: ClassVar[str] = "INT_R03: no patient data leaves the editor"
    family_name: str = Field("PATIENTFICTIF", min_length=1)
    given_name: str = Field("Camille", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Adds the patient."""
        name = {"family": self.family_name, "given": [self.given_name]}
        patient = {"resourceType": "Patient", "id": "patient", "name": [name]}
        appointment.setdefault("contained", []).append(patient)
        appointment.setdefault("participant", []).append({"actor": {"reference": "#patient"}, "status": "accepted"})


_EMPTIES: dict[str, tuple[str, Any]] = {"string": ("comment", ""), "list": ("slot", []), "object": ("text", {})}


class AppointmentEmptyElement(PayloadKind):
    """The appointment carries an optional element without a value: an empty comment, list of slots, or narrative."""

    kind: Literal["appointment-empty-element"] = "appointment-empty-element"
    breaks: ClassVar[str] = "FHIR R4 JSON: an element without a value is left out, never empty"
    value: Literal["string", "list", "object"] = "string"

    def change(self, appointment: Resource) -> None:
        """Adds it."""
        member, value = _EMPTIES[self.value]
        appointment.setdefault(member, value)

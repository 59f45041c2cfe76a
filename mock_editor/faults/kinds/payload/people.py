"""Notifications that name the regulator, the practitioner or other participants wrongly."""

import random
import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.payload.notification import BOTH_PROFILES, PayloadKind
from mock_editor.faults.words import French, Label

_OPERATOR = f"{BOTH_PROFILES}, Appointment.extension:appointmentOperator"
_ACTOR = "FrAppointmentSAS, Appointment.participant.actor.identifier"

# --- who took it


def _operators(appointment: Resource) -> list[Resource]:
    """The identifiers of the regulator."""
    identifiers = (
        extension.get("valueReference", {}).get("identifier") for extension in appointment.get("extension", [])
    )
    return [identifier for identifier in identifiers if identifier]


class AppointmentOperatorUrl(PayloadKind):
    """The extension that names the regulator has the wrong URL."""

    kind: Literal["appointment-operator-url"] = "appointment-operator-url"
    french: ClassVar[French] = French(
        "Extension du régulateur mal nommée", "L’extension qui désigne le régulateur a une autre URL que la sienne."
    )
    breaks: ClassVar[str] = f"{_OPERATOR}.url: {codes.APPOINTMENT_OPERATOR}"
    url: Annotated[str, Label("URL")] = Field(
        "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-appointment-operator", min_length=1
    )

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        for extension in appointment.get("extension", []):
            extension["url"] = self.url


class AppointmentOperatorTwice(PayloadKind):
    """The appointment has a second extension beside the regulator's, which itself comes twice."""

    kind: Literal["appointment-operator-twice"] = "appointment-operator-twice"
    french: ClassVar[French] = French(
        "Extension de trop", "Une autre extension accompagne celle du régulateur, qui figure elle-même deux fois."
    )
    breaks: ClassVar[str] = f"{_OPERATOR}: exactly one; sas-sos-appointment allows no other extension beside it"

    def change(self, appointment: Resource) -> None:
        """Repeats the first."""
        extensions = appointment.get("extension", [])
        extensions += extensions[:1]


class AppointmentOperatorType(PayloadKind):
    """The type of the regulator's identifier is coded in a system, or with a code, that the profile does not allow."""

    kind: Literal["appointment-operator-type"] = "appointment-operator-type"
    french: ClassVar[French] = French(
        "Type d’identifiant du régulateur",
        "Le type de l’identifiant du régulateur a un système ou un code que le profil n’admet pas.",
    )
    breaks: ClassVar[str] = f"{_OPERATOR}, identifier.type.coding: IDNPS or INTRN of {codes.FR_V2_0203}"
    system: Annotated[str, Label("Système")] = Field("http://terminology.hl7.org/CodeSystem/v2-0203", min_length=1)
    code: Annotated[str | None, Label("Code", hint="sinon le bon")] = Field(
        None, min_length=1, description="The right one if none is given."
    )

    def change(self, appointment: Resource) -> None:
        """Recodes it."""
        for identifier in _operators(appointment):
            for coding in identifier.get("type", {}).get("coding", []):
                coding |= {"system": self.system, "code": self.code or coding["code"]}


class AppointmentOperatorByReference(PayloadKind):
    """The regulator is named by a reference to an account of the editor instead of by the identifier."""

    kind: Literal["appointment-operator-by-reference"] = "appointment-operator-by-reference"
    french: ClassVar[French] = French(
        "Régulateur par référence",
        "Le régulateur est désigné par une référence à un compte au lieu de son identifiant.",
    )
    breaks: ClassVar[str] = f"{_OPERATOR}.valueReference.identifier: exactly one, as INT_R02 gave it"

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:
        """Puts a reference in its place."""
        for extension in appointment.get("extension", []):
            extension["valueReference"] = {"reference": f"Practitioner/{draw.randrange(1, 10**6)}"}


# --- with whom it is


def _actors(appointment: Resource) -> list[Resource]:
    """The identifiers of the practitioners."""
    identifiers = (participant.get("actor", {}).get("identifier") for participant in appointment.get("participant", []))
    return [identifier for identifier in identifiers if identifier]


class AppointmentPractitionerWithoutPrefix(PayloadKind):
    """The practitioner has the bare RPPS or ADELI number: the prefix 8 or 0 is missing."""

    kind: Literal["appointment-practitioner-without-prefix"] = "appointment-practitioner-without-prefix"
    french: ClassVar[French] = French(
        "Praticien sans préfixe", "Le numéro RPPS ou ADELI du praticien est nu : il manque le préfixe 8 ou 0."
    )
    breaks: ClassVar[str] = "INT_R03, Appointment.participant.actor.identifier.value: 8 + RPPS or 0 + ADELI"

    def change(self, appointment: Resource) -> None:
        """Takes it off."""
        for identifier in _actors(appointment):
            if re.fullmatch("8[0-9]{11}|0[0-9A-Z]{9}", identifier.get("value", "")):
                identifier["value"] = identifier["value"][1:]


class AppointmentPractitionerSystem(PayloadKind):
    """The practitioner's identifier claims another system, by default that of structures."""

    kind: Literal["appointment-practitioner-system"] = "appointment-practitioner-system"
    french: ClassVar[French] = French(
        "Système du praticien",
        "L’identifiant du praticien se dit d’un autre système, celui des structures si rien n’est précisé.",
    )
    breaks: ClassVar[str] = f"{_ACTOR}.system: {codes.PRACTITIONER_OID}"
    system: Annotated[str, Label("Système")] = Field(codes.STRUCTURE_OID, min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        for identifier in _actors(appointment):
            identifier["system"] = self.system


class AppointmentPractitionerType(PayloadKind):
    """The type of the practitioner's identifier has another code than IDNPS."""

    kind: Literal["appointment-practitioner-type"] = "appointment-practitioner-type"
    french: ClassVar[French] = French(
        "Type d’identifiant du praticien", "Le type de l’identifiant du praticien a un autre code que IDNPS."
    )
    breaks: ClassVar[str] = f"{_ACTOR}.type.coding: IDNPS of {codes.FR_V2_0203}"
    code: Annotated[str, Label("Code")] = Field("INTRN", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Recodes it."""
        for identifier in _actors(appointment):
            for coding in identifier.get("type", {}).get("coding", []):
                coding["code"] = self.code


class AppointmentParticipantStatus(PayloadKind):
    """Participants have a status that does not exist."""

    kind: Literal["appointment-participant-status"] = "appointment-participant-status"
    french: ClassVar[French] = French("Statut du participant", "Le participant a un statut qui n’existe pas.")
    breaks: ClassVar[str] = (
        f"{BOTH_PROFILES}, Appointment.participant.status: required binding (accepted, needs-action…)"
    )
    status: Annotated[str, Label("Statut")] = Field("booked", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        for participant in appointment.get("participant", []):
            participant["status"] = self.status

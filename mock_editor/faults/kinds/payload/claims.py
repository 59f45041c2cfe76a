"""Notifications whose profile, identifier, status or dates are wrong."""

import random
import re
import uuid
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.payload.notification import BOTH_PROFILES, PayloadKind
from mock_editor.faults.words import French, Label

# --- what it claims to be


class AppointmentProfileWrong(PayloadKind):
    """The appointment claims another profile: by default its own name under the other address that the guide shows."""

    kind: Literal["appointment-profile-wrong"] = "appointment-profile-wrong"
    french: ClassVar[French] = French(
        "Autre profil", "Le rendez-vous annonce un autre profil : le bon nom, sous l’autre adresse du guide."
    )
    breaks: ClassVar[str] = (
        "INT_R03, Appointment.meta.profile: http://sas.fr/…/FrAppointmentSAS, or sas-sos-appointment"
    )
    profile: Annotated[str | None, Label("Profil annoncé", hint="l’URL ; sinon l’autre adresse du guide")] = Field(
        None, min_length=1
    )

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
    french: ClassVar[French] = French(
        "Identifiant sans système", "L’identifiant du rendez-vous ne dit pas à qui il est."
    )
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.identifier.system: exactly one, the editor's OID or URL"

    def change(self, appointment: Resource) -> None:
        """Takes the system off."""
        for identifier in appointment.get("identifier", []):
            identifier.pop("system", None)


class AppointmentIdentifierTwice(PayloadKind):
    """The appointment has a second identifier."""

    kind: Literal["appointment-identifier-twice"] = "appointment-identifier-twice"
    french: ClassVar[French] = French("Deux identifiants", "Le rendez-vous a un second identifiant.")
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.identifier: exactly one"

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:
        """Adds one of the same system."""
        identifiers = appointment.get("identifier", [])
        identifiers += [{**identifier, "value": _uuid(draw)} for identifier in identifiers[:1]]


class AppointmentIdentifierChanges(PayloadKind):
    """Every notification of the appointment has another identifier, which is not that of the URL."""

    kind: Literal["appointment-identifier-changes"] = "appointment-identifier-changes"
    french: ClassVar[French] = French(
        "Identifiant qui change",
        "Chaque notification du rendez-vous a un autre identifiant, qui n’est pas celui de l’URL.",
    )
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
    french: ClassVar[French] = French("Statut inconnu", "Le rendez-vous a un statut qui n’existe pas.")
    breaks: ClassVar[str] = (
        "FHIR R4, Appointment.status: required binding; INT_R03: booked, fulfilled, noshow, cancelled"
    )
    status: Annotated[str, Label("Statut")] = Field("confirmed", min_length=1)

    def change(self, appointment: Resource) -> None:
        """Replaces it."""
        appointment["status"] = self.status


class AppointmentDatesWithoutOffset(PayloadKind):
    """The dates of the appointment have no offset."""

    kind: Literal["appointment-dates-without-offset"] = "appointment-dates-without-offset"
    french: ClassVar[French] = French("Dates sans fuseau", "Les dates du rendez-vous n’ont pas de décalage horaire.")
    breaks: ClassVar[str] = "FHIR R4, instant and dateTime: with an offset; INT_R03, Appointment.start, end, created"

    def change(self, appointment: Resource) -> None:
        """Takes them off."""
        for member in {"start", "end", "created"} & appointment.keys():
            appointment[member] = re.sub(r"(Z|[+-]\d\d:\d\d)$", "", appointment[member])


class AppointmentEndBeforeStart(PayloadKind):
    """The appointment ends before it starts: start and end are the wrong way round."""

    kind: Literal["appointment-end-before-start"] = "appointment-end-before-start"
    french: ClassVar[French] = French("Fin avant le début", "Le début et la fin du rendez-vous sont inversés.")
    breaks: ClassVar[str] = "INT_R03, Appointment: start before end"

    def change(self, appointment: Resource) -> None:
        """Swaps them."""
        if "start" in appointment and "end" in appointment:
            appointment["start"], appointment["end"] = appointment["end"], appointment["start"]


class AppointmentCreatedChanges(PayloadKind):
    """The time at which the appointment was taken is later than it was, and differs in every notification."""

    kind: Literal["appointment-created-changes"] = "appointment-created-changes"
    french: ClassVar[French] = French(
        "Date de prise qui change", "La date à laquelle le rendez-vous a été pris change à chaque notification."
    )
    breaks: ClassVar[str] = "INT_R03, Appointment.created: never changes"

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:
        """Moves it on by up to a day."""
        if "created" in appointment:
            moved = datetime.fromisoformat(appointment["created"]) + timedelta(minutes=draw.randint(1, 1440))
            appointment["created"] = moved.isoformat(timespec="milliseconds")

"""Appointment notifications (INT_R03) that lack an element, or have one that must not be there.

Sources: FrAppointmentSAS, sas-sos-appointment, and the guide's page on appointments.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.payload.notification import BOTH_PROFILES, PayloadKind
from mock_editor.faults.words import French, Label


class _ElementMissing(PayloadKind):
    """An element is not there."""

    missing: ClassVar[str]

    def change(self, appointment: Resource) -> None:
        """Takes it off."""
        appointment.pop(self.missing, None)


class AppointmentProfileMissing(_ElementMissing):
    """The appointment claims no profile."""

    kind: Literal["appointment-profile-missing"] = "appointment-profile-missing"
    french: ClassVar[French] = French("Sans profil", "Le rendez-vous n’annonce aucun profil.")
    breaks: ClassVar[str] = "INT_R03, Appointment.meta.profile: exactly one"
    missing: ClassVar[str] = "meta"


class AppointmentIdentifierMissing(_ElementMissing):
    """The appointment has no identifier."""

    kind: Literal["appointment-identifier-missing"] = "appointment-identifier-missing"
    french: ClassVar[French] = French("Sans identifiant", "Le rendez-vous n’a pas d’identifiant.")
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.identifier: exactly one"
    missing: ClassVar[str] = "identifier"


class AppointmentOperatorMissing(_ElementMissing):
    """The appointment does not say which regulator took it."""

    kind: Literal["appointment-operator-missing"] = "appointment-operator-missing"
    french: ClassVar[French] = French("Sans régulateur", "Le rendez-vous ne dit pas quel régulateur l’a pris.")
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.extension:appointmentOperator: exactly one"
    missing: ClassVar[str] = "extension"


class AppointmentStatusMissing(_ElementMissing):
    """The appointment has no status."""

    kind: Literal["appointment-status-missing"] = "appointment-status-missing"
    french: ClassVar[French] = French("Sans statut", "Le rendez-vous n’a pas de statut.")
    breaks: ClassVar[str] = "FHIR R4, Appointment.status: exactly one"
    missing: ClassVar[str] = "status"


class AppointmentStartMissing(_ElementMissing):
    """The appointment has no start."""

    kind: Literal["appointment-start-missing"] = "appointment-start-missing"
    french: ClassVar[French] = French("Sans début", "Le rendez-vous n’a pas de début.")
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.start: exactly one"
    missing: ClassVar[str] = "start"


class AppointmentEndMissing(_ElementMissing):
    """The appointment has no end."""

    kind: Literal["appointment-end-missing"] = "appointment-end-missing"
    french: ClassVar[French] = French("Sans fin", "Le rendez-vous n’a pas de fin.")
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.end: exactly one"
    missing: ClassVar[str] = "end"


class AppointmentCreatedMissing(_ElementMissing):
    """The appointment does not say when it was taken."""

    kind: Literal["appointment-created-missing"] = "appointment-created-missing"
    french: ClassVar[French] = French("Sans date de prise", "Le rendez-vous ne dit pas quand il a été pris.")
    breaks: ClassVar[str] = "INT_R03, Appointment.created: when it was taken, in every notification"
    missing: ClassVar[str] = "created"


class AppointmentParticipantMissing(_ElementMissing):
    """The appointment is with nobody."""

    kind: Literal["appointment-participant-missing"] = "appointment-participant-missing"
    french: ClassVar[French] = French("Sans participant", "Le rendez-vous n’est avec personne.")
    breaks: ClassVar[str] = "FHIR R4, Appointment.participant: at least one"
    missing: ClassVar[str] = "participant"


# --- what must not leave the editor, and what must not be written


class AppointmentPatientData(PayloadKind):
    """The appointment names the patient, as a contained Patient among its participants."""

    kind: Literal["appointment-patient-data"] = "appointment-patient-data"
    french: ClassVar[French] = French(
        "Données du patient", "Le rendez-vous nomme le patient (fictif), ce qui ne doit jamais sortir du logiciel."
    )
    breaks: ClassVar[str] = "INT_R03: no patient data leaves the editor"
    family_name: Annotated[str, Label("Nom")] = Field("PATIENTFICTIF", min_length=1)
    given_name: Annotated[str, Label("Prénom")] = Field("Camille", min_length=1)

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
    french: ClassVar[French] = French(
        "Élément vide", "Le rendez-vous porte un élément facultatif sans valeur : texte, liste ou objet vide."
    )
    breaks: ClassVar[str] = "FHIR R4 JSON: an element without a value is left out, never empty"
    value: Annotated[
        Literal["string", "list", "object"],
        Label("Valeur vide", values={"string": "texte vide", "list": "liste vide", "object": "objet vide"}),
    ] = "string"

    def change(self, appointment: Resource) -> None:
        """Adds it."""
        member, value = _EMPTIES[self.value]
        appointment.setdefault(member, value)

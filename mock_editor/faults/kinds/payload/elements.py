"""Appointment notifications (INT_R03) that lack an element, or have one that must not be there.

Sources: FrAppointmentSAS, sas-sos-appointment, and the guide's page on appointments.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.payload.notification import BOTH_PROFILES, PayloadKind


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
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.identifier: exactly one"
    missing: ClassVar[str] = "identifier"


class AppointmentOperatorMissing(_ElementMissing):
    """The appointment does not say which regulator took it."""

    kind: Literal["appointment-operator-missing"] = "appointment-operator-missing"
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.extension:appointmentOperator: exactly one"
    missing: ClassVar[str] = "extension"


class AppointmentStatusMissing(_ElementMissing):
    """The appointment has no status."""

    kind: Literal["appointment-status-missing"] = "appointment-status-missing"
    breaks: ClassVar[str] = "FHIR R4, Appointment.status: exactly one"
    missing: ClassVar[str] = "status"


class AppointmentStartMissing(_ElementMissing):
    """The appointment has no start."""

    kind: Literal["appointment-start-missing"] = "appointment-start-missing"
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.start: exactly one"
    missing: ClassVar[str] = "start"


class AppointmentEndMissing(_ElementMissing):
    """The appointment has no end."""

    kind: Literal["appointment-end-missing"] = "appointment-end-missing"
    breaks: ClassVar[str] = f"{BOTH_PROFILES}, Appointment.end: exactly one"
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

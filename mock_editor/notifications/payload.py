"""An appointment as sent to the SAS (INT_R03): profile FrAppointmentSAS, or sas-sos-appointment for SOS Médecins.

Source: the guide's page on appointments, and both profiles. No patient data leaves the editor.
"""

from fhir.resources.R4B.appointment import Appointment as AppointmentModel

from mock_editor.base import codes
from mock_editor.base.fhir import Resource, dumps, instant
from mock_editor.calendars.model import Appointment, Editor

_IDENTIFIER_TYPES = {codes.PRACTITIONER_OID: "IDNPS", codes.SAS_OID: "INTRN"}


def appointment(of: Appointment, editor: Editor) -> Resource:
    """The whole resource, as in every notification. Raises ValueError for an appointment that is not the SAS's."""
    if of.regulator is None:
        raise ValueError(f"appointment {of.id} was not taken through the SAS, so the SAS is not notified of it")
    zone = editor.zone
    return {
        "resourceType": "Appointment",
        "meta": {"profile": [codes.SOS_APPOINTMENT_PROFILE if of.sos else codes.APPOINTMENT_PROFILE]},
        "extension": [
            {
                "url": codes.APPOINTMENT_OPERATOR,
                "valueReference": {"identifier": _identifier(of.regulator.system, of.regulator.value)},
            }
        ],
        "identifier": [{"system": editor.identifier_system, "value": of.id}],
        "status": of.status.value,
        "start": instant(of.start, zone),
        "end": instant(of.end, zone),
        "created": instant(of.created, zone),
        "participant": [_participant(of)],
    }


def _participant(of: Appointment) -> Resource:
    if of.practitioner is None:
        # The association has not said yet who consults.
        administrator = {"system": codes.PARTICIPATION_TYPE, "code": "ADM"}
        return {"type": [{"coding": [administrator]}], "status": "needs-action"}
    return {"actor": {"identifier": _identifier(codes.PRACTITIONER_OID, of.practitioner)}, "status": "accepted"}


def _identifier(system: str, value: str) -> Resource:
    coding = {"system": codes.FR_V2_0203, "code": _IDENTIFIER_TYPES[system]}
    return {"type": {"coding": [coding]}, "system": system, "value": value}


def body(of: Appointment, editor: Editor) -> bytes:
    """The bytes to send, checked with the FHIR models but not written by them. Raises pydantic's ValidationError."""
    written = dumps(appointment(of, editor))
    AppointmentModel.model_validate_json(written)
    return written

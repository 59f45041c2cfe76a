"""What the SAS is told of an appointment."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mock_editor.base import codes
from mock_editor.calendars.model import AppointmentStatus, Editor, RegulatorId
from mock_editor.notifications import payload
from tests.calendars.test_appointments import appointment
from tests.validation.guide import errors_of, needs_validator

NATIONAL = RegulatorId(codes.PRACTITIONER_OID, "3456780581/11242343")
TECHNICAL = RegulatorId(codes.SAS_OID, "1ef1c748-01a3-6180-b098-73283ce4e5b1")

CASES: dict[str, dict[str, Any]] = {
    **{status.value: {"status": status} for status in AppointmentStatus if status is not AppointmentStatus.PENDING},
    "technical": {"regulator": TECHNICAL},
    "sos-pending": {"sos": True, "practitioner": None, "status": AppointmentStatus.PENDING},
    "sos-cancelled": {"sos": True, "practitioner": None, "status": AppointmentStatus.CANCELLED},
    "sos-booked": {"sos": True, "practitioner": "899000000010"},
    "sos-fulfilled": {"sos": True, "practitioner": "0359900017", "status": AppointmentStatus.FULFILLED},
}


def told(editor: Editor, **changes: Any) -> dict[str, Any]:
    one = replace(appointment(id="b6e39355-8a61-4556-b340-36f7b95fec6a", regulator=NATIONAL), **changes)
    read: dict[str, Any] = json.loads(payload.body(one, editor))
    return read


def test_an_appointment_with_a_practitioner(editor: Editor) -> None:
    assert told(editor) == {
        "resourceType": "Appointment",
        "meta": {"profile": ["http://sas.fr/fhir/StructureDefinition/FrAppointmentSAS"]},
        "extension": [
            {
                "url": "http://interopsante.org/fhir/StructureDefinition/FrAppointmentOperator",
                "valueReference": {
                    "identifier": {
                        "type": {"coding": [{"system": codes.FR_V2_0203, "code": "IDNPS"}]},
                        "system": "urn:oid:1.2.250.1.71.4.2.1",
                        "value": "3456780581/11242343",
                    }
                },
            }
        ],
        "identifier": [{"system": "urn:oid:1.2.250.1.999.1.1", "value": "b6e39355-8a61-4556-b340-36f7b95fec6a"}],
        "status": "booked",
        "start": "2026-11-20T08:00:00.000+01:00",
        "end": "2026-11-20T08:15:00.000+01:00",
        "created": "2026-11-20T08:00:00.000+01:00",
        "participant": [
            {
                "actor": {
                    "identifier": {
                        "type": {"coding": [{"system": codes.FR_V2_0203, "code": "IDNPS"}]},
                        "system": "urn:oid:1.2.250.1.71.4.2.1",
                        "value": "810100050075",
                    }
                },
                "status": "accepted",
            }
        ],
    }


def test_a_place_of_sos_medecins_that_has_yet_to_name_a_doctor(editor: Editor) -> None:
    one = told(editor, **CASES["sos-pending"])
    assert one["meta"]["profile"] == [codes.SOS_APPOINTMENT_PROFILE]
    assert one["status"] == "pending"
    assert one["participant"] == [
        {"type": [{"coding": [{"system": codes.PARTICIPATION_TYPE, "code": "ADM"}]}], "status": "needs-action"}
    ]


def test_no_patient_data_leaves_the_editor(editor: Editor) -> None:
    text = json.dumps(told(editor, patient="SECRET Patient", reason="SECRET reason"))
    assert "SECRET" not in text


def test_one_that_is_not_the_sass_has_no_payload(editor: Editor) -> None:
    with pytest.raises(ValueError, match="not taken through the SAS"):
        told(editor, regulator=None)


@pytest.mark.shared
@needs_validator
def test_every_payload_follows_its_profile(editor: Editor, tmp_path: Path) -> None:
    files = []
    for name, changes in CASES.items():
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(told(editor, **changes)))
    assert errors_of(files) == []

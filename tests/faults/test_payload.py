"""Notifications that break a rule: what each kind changes and nothing else, and who sees it."""

import random
import re
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from mock_editor.base import codes
from mock_editor.base.fhir import dumps
from mock_editor.calendars.model import Editor
from mock_editor.faults.kinds import KINDS
from mock_editor.faults.kinds.payload import claims, elements, people
from mock_editor.faults.kinds.payload.notification import PayloadKind
from mock_editor.faults.messages import Response
from tests.conftest import NOW
from tests.faults.checks import Asked
from tests.faults.conftest import Right
from tests.faults.differ import differences
from tests.notifications.test_payload import CASES as RIGHT
from tests.notifications.test_payload import told
from tests.validation.guide import VERSIONS, errors_of, needs_validator

PAYLOAD = [kind for kind in KINDS if issubclass(kind, PayloadKind)]
RIGHT_ID = "b6e39355-8a61-4556-b340-36f7b95fec6a"


def wrong(appointment: dict[str, Any]) -> set[str]:
    """What a receiver can check of a notification beyond the profiles, by name. Source: SPEC, INT_R03."""
    found = {
        "profile": appointment.get("meta", {}).get("profile")
        in ([codes.APPOINTMENT_PROFILE], [codes.SOS_APPOINTMENT_PROFILE]),
        "identifier": [one["value"] for one in appointment.get("identifier", [])] == [RIGHT_ID],
        "created": appointment.get("created") == "2026-11-20T08:00:00.000+01:00",
        "operator": [one["url"] for one in appointment.get("extension", [])] == [codes.APPOINTMENT_OPERATOR],
        "times": _ordered(appointment.get("start", ""), appointment.get("end", "")),
        "status": appointment.get("status") in ("pending", "booked", "fulfilled", "noshow", "cancelled"),
        "prefix": all(
            re.fullmatch("8[0-9]{11}|0[0-9A-Z]{9}", one["actor"]["identifier"]["value"])
            for one in appointment.get("participant", [])
            if "identifier" in one.get("actor", {})
        ),
        "no patient": "contained" not in appointment and '"Patient"' not in str(appointment),
    }
    return {name for name, right in found.items() if not right}


def _ordered(start: str, end: str) -> bool:
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
    written = re.fullmatch(form, start) and re.fullmatch(form, end)
    return bool(written) and datetime.fromisoformat(start) < datetime.fromisoformat(end)


class Case(NamedTuple):
    """A mistake in the notification of a booked appointment: what differs, which checks and profiles see it."""

    kind: PayloadKind
    differences: set[str]
    checks: set[str]
    validator: bool


OPERATOR = "extension.valueReference"
ACTOR = "participant.actor.identifier"
CASES = {
    case.kind.name: case
    for case in (
        Case(elements.AppointmentProfileMissing(), {"-meta"}, {"profile"}, False),
        Case(claims.AppointmentProfileWrong(), {"~meta.profile"}, {"profile"}, False),
        Case(elements.AppointmentIdentifierMissing(), {"-identifier"}, {"identifier"}, True),
        Case(claims.AppointmentIdentifierWithoutSystem(), {"-identifier.system"}, set(), True),
        Case(claims.AppointmentIdentifierTwice(), {"+identifier"}, {"identifier"}, True),
        Case(claims.AppointmentIdentifierChanges(), {"~identifier.value"}, {"identifier"}, False),
        Case(elements.AppointmentOperatorMissing(), {"-extension"}, {"operator"}, True),
        Case(people.AppointmentOperatorUrl(), {"~extension.url"}, {"operator"}, True),
        Case(people.AppointmentOperatorTwice(), {"+extension"}, {"operator"}, True),
        Case(people.AppointmentOperatorType(), {f"~{OPERATOR}.identifier.type.coding.system"}, set(), True),
        Case(
            people.AppointmentOperatorByReference(), {f"-{OPERATOR}.identifier", f"+{OPERATOR}.reference"}, set(), True
        ),
        Case(elements.AppointmentStatusMissing(), {"-status"}, {"status"}, True),
        Case(claims.AppointmentStatusUnknown(), {"~status"}, {"status"}, True),
        Case(elements.AppointmentStartMissing(), {"-start"}, {"times"}, True),
        Case(elements.AppointmentEndMissing(), {"-end"}, {"times"}, True),
        Case(elements.AppointmentCreatedMissing(), {"-created"}, {"created"}, False),
        Case(claims.AppointmentCreatedChanges(), {"~created"}, {"created"}, False),
        Case(claims.AppointmentDatesWithoutOffset(), {"~start", "~end", "~created"}, {"times", "created"}, True),
        Case(claims.AppointmentEndBeforeStart(), {"~start", "~end"}, {"times"}, False),
        Case(elements.AppointmentParticipantMissing(), {"-participant"}, set(), True),
        Case(people.AppointmentParticipantStatus(), {"~participant.status"}, set(), True),
        Case(people.AppointmentPractitionerWithoutPrefix(), {f"~{ACTOR}.value"}, {"prefix"}, False),
        Case(people.AppointmentPractitionerSystem(), {f"~{ACTOR}.system"}, set(), True),
        Case(people.AppointmentPractitionerType(), {f"~{ACTOR}.type.coding.code"}, set(), True),
        Case(elements.AppointmentPatientData(), {"+contained", "+participant"}, {"no patient"}, False),
        Case(elements.AppointmentEmptyElement(), {"+comment"}, set(), True),
    )
}


@pytest.fixture
def right(editor: Editor) -> dict[str, Any]:
    return told(editor)


def spoilt(kind: PayloadKind, appointment: dict[str, Any], seed: str = "") -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(kind.spoil(dumps(appointment), random.Random(seed)))
    return read


def test_every_kind_has_its_case() -> None:
    assert {type(case.kind) for case in CASES.values()} == set(PAYLOAD)


@pytest.mark.parametrize("kind", PAYLOAD)
def test_a_kind_says_what_the_sas_sees_and_which_rule_it_breaks(kind: type[PayloadKind]) -> None:
    assert (kind.__doc__ or "").strip().endswith(".")
    assert kind.breaks
    assert kind.flows == {"INT_R03"}


def test_right_notifications_pass_every_check(editor: Editor) -> None:
    for changes in RIGHT.values():
        assert wrong(told(editor, **changes)) == set()


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_changes_what_it_says_and_nothing_else(right: dict[str, Any], name: str) -> None:
    found = spoilt(CASES[name].kind, right)
    assert differences(right, found).keys() == CASES[name].differences
    assert wrong(found) == CASES[name].checks


@pytest.mark.shared
@needs_validator
def test_the_independent_validator_sees_what_it_can(right: dict[str, Any], tmp_path: Path) -> None:
    files = {}
    for name, case in CASES.items():
        assert case.validator or case.checks
        files[name] = tmp_path / f"{name}.json"
        files[name].write_bytes(dumps(spoilt(case.kind, right)))
    found = errors_of([*files.values()], "--profile", codes.APPOINTMENT_PROFILE)
    for version in VERSIONS:
        blamed = {name for name, path in files.items() if any(e.startswith(f"{version} {path.name} ") for e in found)}
        assert blamed == {name for name, case in CASES.items() if case.validator}


@pytest.mark.parametrize("kind", PAYLOAD)
def test_kinds_take_any_notification(editor: Editor, kind: type[PayloadKind]) -> None:
    """One that another kind has spoilt, too."""
    for changes in RIGHT.values():
        appointment = told(editor, **changes)
        for earlier in PAYLOAD:
            spoilt(kind(), spoilt(earlier(), appointment))


@pytest.mark.parametrize("kind", PAYLOAD)
def test_what_is_no_appointment_stays(kind: type[PayloadKind]) -> None:
    for body in (b"", b"{", b"[]", b"{}", b'{"resourceType": "Slot"}'):
        assert kind().spoil(body, random.Random(1)) is body


def test_what_has_nothing_to_spoil_stays(editor: Editor) -> None:
    """The doctor of a SOS Médecins place is not known yet."""
    body = dumps(told(editor, **RIGHT["sos-pending"]))
    for kind in (people.AppointmentPractitionerSystem(), people.AppointmentPractitionerType()):
        assert kind.spoil(body, random.Random(1)) is body


@pytest.mark.parametrize("kind", PAYLOAD)
def test_the_answer_of_the_sas_is_let_through(kind: type[PayloadKind]) -> None:
    response = Response(201, (("Location", "https://sas.example/fhir/Appointment/1"),), b"{}")
    sent = Right(Asked("INT_R03", "https://lga.example/fhir/Appointment", NOW), response)
    assert sent.spoilt_by(kind()) is response


@pytest.mark.parametrize("kind", PAYLOAD)
def test_one_seed_gives_one_body(right: dict[str, Any], kind: type[PayloadKind]) -> None:
    assert spoilt(kind(), right, "a") == spoilt(kind(), right, "a")


@pytest.mark.parametrize(
    "kind",
    [
        claims.AppointmentIdentifierChanges(),
        claims.AppointmentIdentifierTwice(),
        claims.AppointmentCreatedChanges(),
        people.AppointmentOperatorByReference(),
    ],
)
def test_another_seed_gives_another_one(right: dict[str, Any], kind: PayloadKind) -> None:
    assert spoilt(kind, right, "a") != spoilt(kind, right, "b")


def test_the_other_address_of_a_profile(editor: Editor) -> None:
    kind = claims.AppointmentProfileWrong()
    practitioner, sos = spoilt(kind, told(editor)), spoilt(kind, told(editor, **RIGHT["sos-booked"]))
    assert practitioner["meta"]["profile"] == [
        "https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrAppointmentSAS"
    ]
    assert sos["meta"]["profile"] == ["http://sas.fr/fhir/StructureDefinition/sas-sos-appointment"]


def test_the_patient_is_named(right: dict[str, Any]) -> None:
    found = spoilt(elements.AppointmentPatientData(family_name="FICTIF", given_name="Alix"), right)
    (patient,) = found["contained"]
    assert patient["name"] == [{"family": "FICTIF", "given": ["Alix"]}]
    assert found["participant"][-1]["actor"]["reference"] == f"#{patient['id']}"

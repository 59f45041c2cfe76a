"""Each mistake in search answers: what it changes and nothing else, and who sees it: the validator, or a check."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

from mock_editor.base.codes import FHIR_JSON, STRUCTURE_OID
from mock_editor.base.fhir import dumps
from mock_editor.calendars.identifiers import luhn_digit
from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import KINDS
from mock_editor.faults.kinds.conformance import attachments, bundles, cpts, identities, slots, times
from mock_editor.faults.messages import Response
from tests.conftest import (
    GUIDE_MARCEL,
    GUIDE_THOMAS,
    NOW,
    PUBLIC_URL,
    SYSTEM,
    json_of,
    of_type,
    slot_search,
    sos_search,
)
from tests.faults.checks import CHECKS, Asked, objects, violations
from tests.faults.conftest import Right
from tests.faults.differ import differences
from tests.validation.guide import VERSIONS, errors_of, needs_validator

CONFORMANCE = [kind for kind in KINDS if kind.family == "conformance"]


class Case(NamedTuple):
    """A mistake made in a right answer: what then differs, which checks see it, whether the validator does."""

    kind: Kind
    search: str
    differences: set[str]
    checks: set[str]
    validator: bool


ROLE_ID = "~PractitionerRole.organization.identifier.value"
DATES = {"~Slot.start", "~Slot.end"}
ON_ANOTHER = {"~Slot.schedule.reference"}
NEW_SLOT = {"~total", "+entry Slot"}
NEW_PERSON = {"+entry Schedule", "+entry PractitionerRole", "+entry Practitioner"}
NOT_CONTAINED = {"-PractitionerRole.contained", "~PractitionerRole.location.reference"}
COMMUNITIES = {"+entry HealthcareService", "+entry Organization"}

CASES = {
    # --- identifiers and phones
    "ids of practitioners": Case(
        identities.PractitionerIdWithoutPrefix(), "r01", {"~Practitioner.identifier.value"}, {"prefixes"}, False
    ),
    "ids of structures": Case(identities.StructureIdWithoutPrefix(), "r01", {ROLE_ID}, {"prefixes"}, False),
    "ids of CPTS": Case(
        identities.StructureIdWithoutPrefix(), "r04", {ROLE_ID, "~Organization.identifier.value"}, {"prefixes"}, True
    ),
    "ids of associations": Case(
        identities.StructureIdWithoutPrefix(), "sos", {"~Organization.identifier.value"}, {"prefixes"}, True
    ),
    "other ids of structures": Case(identities.StructureIdOfAnotherKind(), "r01", {ROLE_ID}, {"structures"}, False),
    "other ids of CPTS": Case(
        identities.StructureIdOfAnotherKind(), "r04", {ROLE_ID, "~Organization.identifier.value"}, {"structures"}, True
    ),
    "other ids of associations": Case(
        identities.StructureIdOfAnotherKind(),
        "sos",
        {"~Organization.identifier.value"},
        {"structures", "asked_for"},
        True,
    ),
    "phones": Case(identities.PhoneNotInternational(), "r01", {"~PractitionerRole.telecom.value"}, {"prefixes"}, False),
    "phones of CPTS": Case(
        identities.PhoneNotInternational(form="spaced"),
        "r04",
        {"~PractitionerRole.telecom.value", "~Organization.telecom.value"},
        {"prefixes"},
        False,
    ),
    "phones of places": Case(
        identities.PhoneNotInternational(form="trunk-zero"), "sos", {"~Location.telecom.value"}, {"prefixes"}, False
    ),
    # --- what slots say
    "no slot type": Case(slots.SlotTypeMissing(), "r01", {"-Slot.meta.security"}, {"slot_types"}, False),
    "no slot type at a place": Case(slots.SlotTypeMissing(), "sos", {"-Slot.meta.security"}, {"slot_types"}, False),
    "CPTS in INT_R01": Case(
        slots.SlotTypeOfAnotherFlow(),
        "r01 of one",
        {"~Slot.meta.security.code"},
        {"slot_types", "communities"},
        True,
    ),
    "PRO at a place": Case(
        slots.SlotTypeOfAnotherFlow(),
        "guide sos",
        {"~Slot.meta.security.code", "-Slot.meta.security", "+Slot.meta.security"},
        {"slot_types"},
        True,
    ),
    "no speciality": Case(slots.SpecialtyMissing(), "r01", {"-Slot.specialty"}, {"specialties"}, False),
    "text specialities": Case(
        slots.SpecialtyAsText(), "r01", {"-Slot.specialty.coding", "+Slot.specialty.text"}, {"specialties"}, False
    ),
    "no consultation type": Case(
        slots.ConsultationTypeMissing(), "r01", {"-Slot.serviceType"}, {"consultation_types"}, False
    ),
    "text consultation types": Case(
        slots.ConsultationTypeUncoded(),
        "r01",
        {"-Slot.serviceType.coding", "+Slot.serviceType.text"},
        {"consultation_types"},
        False,
    ),
    "unknown consultation types": Case(
        slots.ConsultationTypeUnknown(), "r01", {"~Slot.serviceType.coding.code"}, {"consultation_types"}, True
    ),
    "unknown consultation types at a place": Case(
        slots.ConsultationTypeUnknown(code="EMER"),
        "sos",
        {"~Slot.serviceType.coding.code"},
        {"consultation_types"},
        True,
    ),
    "no reasons": Case(slots.ReasonsMissing(), "r01", {"-Slot.serviceType"}, {"contents"}, False),
    "no appointment type": Case(
        slots.AppointmentTypeMissing(), "r01", {"-Slot.appointmentType"}, {"appointment_types"}, False
    ),
    "busy": Case(slots.SlotsNotFree(), "r01", {"~Slot.status"}, {"free"}, True),
    "entered in error": Case(slots.SlotsNotFree(status="entered-in-error"), "sos", {"~Slot.status"}, {"free"}, True),
    "no comment": Case(slots.CommentMissing(), "r01", {"-Slot.comment"}, {"links"}, False),
    "no comment at a place": Case(slots.CommentMissing(), "sos", {"-Slot.comment"}, {"links"}, False),
    "empty comment": Case(slots.CommentBlank(), "r01", {"~Slot.comment"}, {"links", "emptiness"}, True),
    "blank comment": Case(slots.CommentBlank(text="  "), "r01", {"~Slot.comment"}, {"links", "emptiness"}, True),
    "slot as comment": Case(slots.CommentIsSlotUrl(), "r01", {"~Slot.comment"}, {"links"}, False),
    # --- CPTS
    "no 604": Case(
        cpts.CptsServiceTypeMissing(),
        "r04",
        {"-Slot.serviceType"},
        {"communities", "contents", "companions"},
        True,
    ),
    "604 without reference": Case(
        cpts.CptsReferenceMissing(), "r04", {"-Slot.serviceType.extension"}, {"communities", "companions"}, True
    ),
    "no HealthcareService": Case(
        cpts.CptsWithoutHealthcareService(),
        "r04",
        {"-entry HealthcareService"},
        {"references", "companions"},
        True,
    ),
    "no Organization": Case(cpts.CptsWithoutOrganization(), "r04", {"-entry Organization"}, {"references"}, True),
    "one CPTS of two": Case(
        cpts.CptsShowsOnlyOne(), "guide r04", {"-Slot.serviceType"}, {"contents", "companions"}, True
    ),
    "short system": Case(cpts.CptsCodeSystem(), "r04", {"~Slot.serviceType.coding.system"}, {"communities"}, False),
    "doubled system": Case(
        cpts.CptsCodeSystem(spelling="doubled"),
        "r04",
        {"~Slot.serviceType.coding.system"},
        {"communities"},
        False,
    ),
    # --- times
    "naive": Case(times.DatesWithoutOffset(), "r01", DATES, {"date_form"}, True),
    "UTC": Case(times.DatesInUtc(), "r01", DATES, {"date_form"}, False),
    "seconds": Case(times.DatesToTheSecond(), "r01", DATES, {"date_form"}, False),
    "no start": Case(times.StartMissing(), "r01", {"-Slot.start"}, {"times"}, True),
    "no end": Case(times.EndMissing(), "sos", {"-Slot.end"}, {"times"}, True),
    "end first": Case(times.EndBeforeStart(), "r01", {"~Slot.end"}, {"times"}, True),
    "past": Case(times.SlotsInThePast(), "r01", DATES, {"window"}, False),
    "later": Case(times.SlotsOutsideWindow(), "r01", DATES, {"window"}, False),
    "later at a place": Case(times.SlotsOutsideWindow(more=10), "sos", DATES, {"window"}, False),
    "next month": Case(times.SlotsNextMonth(), "r01", DATES, {"window"}, False),
    # --- attachments
    "second place": Case(
        attachments.SecondPlaceOnFirstSchedule(), "r01", ON_ANOTHER, {"attached", "links", "companions"}, True
    ),
    "one Schedule": Case(
        attachments.OneScheduleForTwoPlaces(),
        "r01",
        ON_ANOTHER | {"+Schedule.actor", "-entry Schedule"},
        {"attached", "links", "places"},
        False,
    ),
    "other practitioner": Case(
        attachments.SlotsOfAnotherPractitioner(), "r01", ON_ANOTHER, {"attached", "links", "companions"}, True
    ),
    "other place": Case(attachments.SlotsOfAnotherPlace(), "sos", ON_ANOTHER, {"attached"}, False),
    "dangling": Case(
        attachments.UnresolvableReference(), "r01", ON_ANOTHER, {"attached", "references", "companions"}, True
    ),
    "place as entry": Case(
        attachments.LocationNotContained(), "r01", NOT_CONTAINED | {"+entry Location"}, {"places", "profiles"}, True
    ),
    "place nowhere": Case(
        attachments.LocationNotContained(where="nowhere"), "r01", NOT_CONTAINED, {"places", "references"}, True
    ),
    "unasked": Case(attachments.UnaskedPractitioner(), "r01", NEW_SLOT | NEW_PERSON, {"asked_for"}, False),
    "unasked with CPTS": Case(
        attachments.UnaskedPractitioner(slots=5), "r04", NEW_SLOT | NEW_PERSON, {"asked_for"}, False
    ),
    # --- the Bundle
    "total": Case(bundles.WrongTotal(), "r01", {"~total"}, {"total"}, False),
    "total of nothing": Case(bundles.WrongTotal(by=7), "r01 of nobody", {"~total"}, {"total"}, False),
    "no query": Case(bundles.SelfLinkDiffers(), "r01", {"~link.url"}, {"self_link"}, False),
    "other address": Case(
        bundles.SelfLinkDiffers(how="internal-address"), "r01 of nobody", {"~link.url"}, {"self_link"}, False
    ),
    "profile": Case(bundles.WrongProfile(), "r01", {"~Slot.meta.profile"}, {"profiles"}, False),
    "profile of a place": Case(
        bundles.WrongProfile(resource="Location"), "sos", {"~Location.meta.profile"}, {"profiles"}, False
    ),
    "profile of the Bundle": Case(
        bundles.WrongProfile(resource="Bundle", profile="http://sas.fr/Bundle"),
        "r04",
        {"~meta.profile"},
        {"profiles"},
        False,
    ),
    **{
        f"empty {value}": Case(
            bundles.EmptyElements(value=value),
            "sos",
            {f"+{kind}.{member}" for kind in ("Slot", "Schedule", "Location", "Organization")},
            {"emptiness"},
            True,
        )
        for value, member in [
            ("string", "language"),
            ("list", "extension"),
            ("object", "text"),
            ("null", "implicitRules"),
        ]
    },
    "slots twice": Case(bundles.SameSlotTwice(), "r01", NEW_SLOT, {"once"}, False),
    "entries twice": Case(bundles.SameEntryTwice(), "r04", NEW_SLOT | NEW_PERSON | COMMUNITIES, {"once"}, True),
}


@pytest.fixture(scope="module")
def spoilt(rights: Mapping[str, Right]) -> Mapping[str, Response]:
    """The answer of each case."""
    return {name: rights[case.search].spoilt_by(case.kind) for name, case in CASES.items()}


def test_right_answers_pass_every_check(rights: Mapping[str, Right]) -> None:
    for name, right in rights.items():
        assert violations(right.bundle, right.asked) == {}, name
        assert bool(right.bundle["total"]) == ("nobody" not in name)


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_changes_what_it_says_and_nothing_else(
    rights: Mapping[str, Right], spoilt: Mapping[str, Response], name: str
) -> None:
    right, response = rights[CASES[name].search], spoilt[name]
    assert differences(right.bundle, orjson.loads(response.body)).keys() == CASES[name].differences
    assert response.status == 200
    assert response.header("Content-Type") == right.response.header("Content-Type")
    assert response.header("Content-Length") == str(len(response.body))
    assert response.body == dumps(orjson.loads(response.body))


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_seen(rights: Mapping[str, Right], spoilt: Mapping[str, Response], name: str) -> None:
    found = violations(orjson.loads(spoilt[name].body), rights[CASES[name].search].asked)
    assert found.keys() == CASES[name].checks


def test_every_kind_has_its_case() -> None:
    instead_of_empty = {bundles.NotFoundInsteadOfEmpty, bundles.ErrorInsteadOfEmpty}
    assert {type(case.kind) for case in CASES.values()} == set(CONFORMANCE) - instead_of_empty


@pytest.mark.parametrize("kind", CONFORMANCE)
def test_a_kind_says_what_the_client_sees_and_which_rule_it_breaks(kind: type[Kind]) -> None:
    assert (kind.__doc__ or "").strip().endswith(".")
    assert kind.breaks
    assert kind.flows <= {"INT_R01", "INT_R04", "SOS"}
    name = re.sub("(?<=.)([A-Z])", r"-\1", kind.__name__).lower()
    assert kind.model_fields["kind"].default == name


def test_every_check_sees_a_mistake() -> None:
    assert {check for case in CASES.values() for check in case.checks} == CHECKS.keys()


@pytest.mark.shared
@needs_validator
@pytest.mark.timeout(300)
def test_the_independent_validator_sees_what_it_can(
    rights: Mapping[str, Right], spoilt: Mapping[str, Response], tmp_path: Path
) -> None:
    files = {}
    for name, body in {
        **{f"right {search}": rights[search].response.body for search in {case.search for case in CASES.values()}},
        **{name: response.body for name, response in spoilt.items()},
    }.items():
        files[name] = tmp_path / f"{name}.json"
        files[name].write_bytes(body)
    found = errors_of([*files.values()])
    for version in VERSIONS:
        blamed = {name for name, path in files.items() if any(e.startswith(f"{version} {path.name} ") for e in found)}
        assert blamed == {name for name, case in CASES.items() if case.validator}


# --- nothing found, and nothing to spoil


@pytest.mark.parametrize("search", ["r01 of nobody", "r04 of nobody", "sos of nobody"])
def test_an_error_stands_in_place_of_an_empty_answer(rights: Mapping[str, Right], search: str) -> None:
    for kind, status in [
        (bundles.NotFoundInsteadOfEmpty(), 404),
        (bundles.ErrorInsteadOfEmpty(), 500),
        (bundles.ErrorInsteadOfEmpty(status=422, text="PS inconnu"), 422),
    ]:
        response = rights[search].spoilt_by(kind)
        assert response.status == status
        assert response.header("Content-Type") == FHIR_JSON
        outcome = orjson.loads(response.body)
        assert outcome["resourceType"] == "OperationOutcome"
        assert outcome["issue"][0]["diagnostics"] == getattr(kind, "text", "Aucun créneau trouvé")


def test_only_an_empty_answer_becomes_an_error(rights: Mapping[str, Right]) -> None:
    for kind in (bundles.NotFoundInsteadOfEmpty(), bundles.ErrorInsteadOfEmpty()):
        assert rights["r01"].spoilt_by(kind) is rights["r01"].response
        counted = replace(rights["r01"].response, body=dumps(rights["r01"].bundle | {"entry": []}))
        assert replace(rights["r01"], response=counted).spoilt_by(kind) is counted


@pytest.mark.parametrize("kind", CONFORMANCE)
def test_what_is_no_right_answer_goes_through(rights: Mapping[str, Right], kind: type[Kind]) -> None:
    right = rights["r01 of nobody"]
    bundle = right.bundle
    for response in (
        Response(200, (), b""),
        Response(200, (), b"[]"),
        Response(200, (), b"<Bundle/>"),
        Response(200, (), right.response.body[:-1]),
        Response(200, (), dumps(bundle | {"type": "collection"})),
        Response(200, (), dumps({"resourceType": "CapabilityStatement"})),
        Response(400, (), dumps({"resourceType": "OperationOutcome", "issue": []})),
        Response(503, (), right.response.body),
    ):
        assert replace(right, response=response).spoilt_by(kind()) is response


@pytest.mark.parametrize("kind", CONFORMANCE)
def test_each_kind_shows_in_each_of_its_flows_and_is_always_seen(rights: Mapping[str, Right], kind: type[Kind]) -> None:
    shown = set()
    for right in rights.values():
        if right.asked.flow in kind.flows:
            response = right.spoilt_by(kind())
            if response is not right.response:
                shown.add(right.asked.flow)
                assert response.status != 200 or violations(orjson.loads(response.body), right.asked)
            elif right.bundle["total"] == 0:
                assert kind not in (bundles.WrongTotal, bundles.SelfLinkDiffers, bundles.NotFoundInsteadOfEmpty)
    assert shown == kind.flows


@pytest.mark.parametrize("kind", CONFORMANCE)
def test_other_bundles_are_spoilt_as_far_as_it_goes(
    rights: Mapping[str, Right], client: FlaskClient, kind: type[Kind]
) -> None:
    for query in (
        f"/agenda-ville/fhir/Schedule?actor=Practitioner/{GUIDE_THOMAS}",
        f"/agenda-ville/fhir/Practitioner?identifier={SYSTEM}|{GUIDE_THOMAS}",
        slot_search([GUIDE_THOMAS], extra="&_summary=count"),
        slot_search([GUIDE_THOMAS]).replace("&_include:iterate=Schedule:actor", ""),
        slot_search([GUIDE_THOMAS]).replace("_include", "_without"),
        sos_search(["334173748400020"]).replace("_revinclude", "_without"),
    ):
        found = client.get(query)
        assert json_of(found)["total"]
        response = Response(200, (), found.data)
        for right in rights.values():
            spoilt = replace(right, response=response).spoilt_by(kind())
            assert orjson.loads(spoilt.body)["resourceType"] == "Bundle"


def test_an_answer_without_slots_has_little_to_spoil(rights: Mapping[str, Right]) -> None:
    spoilt = {
        kind
        for kind in CONFORMANCE
        if rights["r01 of nobody"].spoilt_by(kind()).body != rights["r01 of nobody"].response.body
    }
    assert spoilt == {
        bundles.NotFoundInsteadOfEmpty,
        bundles.ErrorInsteadOfEmpty,
        bundles.WrongTotal,
        bundles.SelfLinkDiffers,
    }


@pytest.mark.parametrize("kind", CONFORMANCE)
def test_kinds_may_follow_one_another(rights: Mapping[str, Right], kind: type[Kind]) -> None:
    """One that meets an answer that another has spoilt does what it can."""
    for right in (rights["r01"], rights["r04"], rights["sos"]):
        for earlier in CONFORMANCE:
            response = right.spoilt_by(earlier(), kind())
            assert response.status in (200, 404, 500)
            orjson.loads(response.body)


# --- how much is affected


@pytest.mark.parametrize(
    ("options", "affected"),
    [
        ({}, lambda all_of_them: all_of_them),
        ({"share": 1.0}, lambda all_of_them: all_of_them),
        ({"share": 0.5}, lambda all_of_them: round(all_of_them / 2)),
        ({"share": 0.0001}, lambda _: 1),
        ({"first": 3}, lambda _: 3),
        ({"first": 500}, lambda all_of_them: all_of_them),
    ],
)
def test_a_share_or_a_number_of_slots_is_affected(
    rights: Mapping[str, Right], options: dict[str, Any], affected: Callable[[int], int]
) -> None:
    right = rights["r01 of days"]
    assert 100 < right.bundle["total"] < 500
    for kind, difference in [
        (slots.CommentMissing(**options), "-Slot.comment"),
        (bundles.SameSlotTwice(**options), "+entry Slot"),
    ]:
        found = differences(right.bundle, orjson.loads(right.spoilt_by(kind).body))
        assert found[difference] == affected(right.bundle["total"])


def test_the_first_ones_are_those_that_can_be_affected(rights: Mapping[str, Right]) -> None:
    """The first slots of the answer are at the first place, which has nothing to move."""
    right = rights["r01"]
    response = orjson.loads(right.spoilt_by(attachments.SecondPlaceOnFirstSchedule(first=1)).body)
    assert differences(right.bundle, response) == {"~Slot.schedule.reference": 1}


def test_a_seed_tells_which_ones_are_affected(rights: Mapping[str, Right]) -> None:
    right, kind = rights["r01 of days"], slots.CommentMissing(share=0.3)
    assert right.spoilt_by(kind, seed="a") == right.spoilt_by(kind, seed="a")
    assert right.spoilt_by(kind, seed="a") != right.spoilt_by(kind, seed="b")


@pytest.mark.parametrize("kind", CONFORMANCE)
def test_one_seed_gives_one_answer(rights: Mapping[str, Right], kind: type[Kind]) -> None:
    for right in rights.values():
        assert right.spoilt_by(kind(), seed="a") == right.spoilt_by(kind(), seed="a")


@pytest.mark.parametrize(
    "options", [{"share": 0}, {"share": 1.5}, {"first": 0}, {"share": 0.5, "first": 2}, {"part": 0.5}]
)
def test_parameters_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        slots.CommentMissing(**options)


def test_the_answer_keeps_its_other_headers(rights: Mapping[str, Right]) -> None:
    response = replace(rights["r01"].response, headers=(("X-Request-Id", "1"), ("content-length", "1")))
    spoilt = replace(rights["r01"], response=response).spoilt_by(bundles.WrongTotal())
    assert spoilt.headers == (("X-Request-Id", "1"), ("Content-Length", str(len(spoilt.body))))


def test_an_indented_answer_can_be_spoilt(rights: Mapping[str, Right]) -> None:
    indented = replace(rights["r01"].response, body=orjson.dumps(rights["r01"].bundle, option=orjson.OPT_INDENT_2))
    right = replace(rights["r01"], response=indented)
    assert right.spoilt_by(bundles.WrongTotal()) == rights["r01"].spoilt_by(bundles.WrongTotal())
    assert right.spoilt_by(bundles.NotFoundInsteadOfEmpty()) is indented


# --- what exactly is written


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("national", "0658913859"),
        ("spaced", "06 58 91 38 59"),
        ("dotted", "06.58.91.38.59"),
        ("double-zero", "0033658913859"),
        ("trunk-zero", "+330658913859"),
    ],
)
def test_forms_of_a_phone(rights: Mapping[str, Right], form: Any, written: str) -> None:
    response = rights["r01 of one"].spoilt_by(identities.PhoneNotInternational(form=form))
    (role,) = of_type(orjson.loads(response.body), "PractitionerRole")
    assert role["telecom"] == [{"system": "phone", "value": written}]


def _structures(bundle: dict[str, Any]) -> list[str]:
    return [part["value"] for part in objects(bundle) if part.get("system") == STRUCTURE_OID]


def test_identifiers_of_another_kind_are_right_ones_of_that_kind(rights: Mapping[str, Right]) -> None:
    kinds = {"1": "3", "3": "1", "4": "1", "0": "1"}
    seen = set()
    for search in ("r01", "guide r04", "sos"):
        response = orjson.loads(rights[search].spoilt_by(identities.StructureIdOfAnotherKind()).body)
        for before, after in zip(_structures(rights[search].bundle), _structures(response), strict=True):
            assert after[0] == kinds[before[0]]
            assert re.fullmatch("1[0-9A-Z]{9}|3[0-9]{14}", after)
            if after[0] == "3":
                assert luhn_digit(after[1:-1]) == after[-1]
            seen.add(before[0])
    assert seen == set(kinds)


def test_identifiers_lose_their_first_digit_only(rights: Mapping[str, Right]) -> None:
    response = orjson.loads(rights["r01"].spoilt_by(identities.StructureIdWithoutPrefix()).body)
    assert _structures(response) == [value[1:] for value in _structures(rights["r01"].bundle)]


def test_labels_stand_for_specialities(rights: Mapping[str, Right]) -> None:
    response = orjson.loads(rights["r01"].spoilt_by(slots.SpecialtyAsText()).body)
    assert of_type(response, "Slot")[0]["specialty"] == [{"text": "Médecine générale"}, {"text": "Chirurgie générale"}]


def test_a_slot_that_links_to_itself(rights: Mapping[str, Right]) -> None:
    before = of_type(rights["r01"].bundle, "Slot")[0]
    after = of_type(orjson.loads(rights["r01"].spoilt_by(slots.CommentIsSlotUrl()).body), "Slot")[0]
    assert after["comment"] == f"{before['comment']}&creneau={before['id'][-12:]}"


def _slot(start: str, end: str) -> dict[str, Any]:
    return {"resourceType": "Slot", "id": "1", "schedule": {"reference": "Schedule/1"}, "start": start, "end": end}


def _times(kind: Kind, start: str, end: str, now: datetime = NOW, url: str = "/e/fhir/Slot") -> tuple[str, str]:
    """The times of the only slot of an answer, after a mistake in it."""
    entries = [{"fullUrl": "https://e/Slot/1", "resource": _slot(start, end)}]
    body = dumps({"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": entries})
    right = Right(Asked("INT_R01", f"{PUBLIC_URL}{url}", now), Response(200, (), body))
    (slot,) = of_type(orjson.loads(right.spoilt_by(kind).body), "Slot")
    return slot["start"], slot["end"]


MORNING = ("2026-11-20T08:00:00.000+01:00", "2026-11-20T08:15:00.000+01:00")


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        (times.DatesWithoutOffset(), "2026-11-20T08:00:00.000", "2026-11-20T08:15:00.000"),
        (times.DatesInUtc(), "2026-11-20T07:00:00.000Z", "2026-11-20T07:15:00.000Z"),
        (times.DatesToTheSecond(), "2026-11-20T08:00:00+01:00", "2026-11-20T08:15:00+01:00"),
        (times.EndBeforeStart(), MORNING[0], "2026-11-20T07:45:00.000+01:00"),
        (times.SlotsNextMonth(), "2026-12-20T08:00:00.000+01:00", "2026-12-20T08:15:00.000+01:00"),
        (times.SlotsInThePast(), "2026-11-19T08:00:00.000+01:00", "2026-11-19T08:15:00.000+01:00"),
    ],
)
def test_forms_of_times(kind: Kind, start: str, end: str) -> None:
    assert _times(kind, *MORNING) == (start, end)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-01-31T23:30:00.000+01:00", "2026-03-31T23:30:00.000+02:00"),  # no 31 February, and summer time
        ("2026-10-20T00:10:00.000+02:00", "2026-11-20T00:10:00.000+01:00"),
        ("2026-10-20T08:00:00.000+04:00", "2026-11-20T08:00:00.000+04:00"),  # La Réunion has none
        ("2026-12-31T08:00:00.000+00:00", "2027-01-31T08:00:00.000+00:00"),
    ],
)
def test_next_month_is_the_same_day_at_the_same_time(before: str, after: str) -> None:
    assert _times(times.SlotsNextMonth(), before, before)[0] == after


def test_forms_that_another_kind_has_written_stay() -> None:
    kind = times.SlotsNextMonth()
    assert _times(kind, "2026-11-20T08:00:00.000", "2026-11-20T08:15:00")[1] == "2026-12-20T08:15:00"
    assert _times(kind, "2026-11-20T08:00:00Z", "2026-11-20T08:15:00Z")[0] == "2026-12-20T08:00:00Z"
    kind_ends = times.EndBeforeStart()
    assert _times(kind_ends, "2026-11-20T08:00:00Z", "2026-11-20T08:15:00Z")[1] == "2026-11-20T07:45:00Z"


@pytest.mark.parametrize("hours", [*range(0, 80, 7), 71.9, 72.1])
@pytest.mark.parametrize(
    "now", [NOW, datetime(2026, 10, 24, 22, 30, tzinfo=UTC), datetime(2026, 3, 28, 23, 30, tzinfo=UTC)]
)
def test_slots_are_before_now_or_after_the_window_whatever_the_day(now: datetime, hours: float) -> None:
    start = (now + timedelta(hours=hours)).astimezone(ZoneInfo("Europe/Paris"))
    written = start.isoformat(timespec="milliseconds"), (start + timedelta(minutes=20)).isoformat()
    assert datetime.fromisoformat(_times(times.SlotsInThePast(), *written, now)[0]) < now
    url = f"/e/fhir/Slot?start=ge{now.isoformat()}&start=le{(now + timedelta(days=3)).isoformat()}"
    moved = datetime.fromisoformat(_times(times.SlotsOutsideWindow(), *written, now, url)[0])
    assert now + timedelta(days=3) < moved < now + timedelta(days=6)
    assert moved.astimezone(ZoneInfo("Europe/Paris")).time() == start.time()


def test_no_two_slots_meet_on_their_new_days(rights: Mapping[str, Right]) -> None:
    right = rights["r01 of days"]
    for kind in (times.SlotsInThePast(), times.SlotsOutsideWindow()):
        assert violations(orjson.loads(right.spoilt_by(kind).body), right.asked).keys() == {"window"}


def test_the_window_of_a_posted_search_counts(rights: Mapping[str, Right]) -> None:
    right, kind = rights["r01"], times.SlotsOutsideWindow()
    form = right.asked.url.partition("?")[2].encode()
    posted = kind.apply(right.request(method="POST", body=form), lambda: right.response)
    assert posted == right.spoilt_by(kind)


@pytest.mark.parametrize("end", ["", "&start=le9999-12-31", "&start=le9999"])
def test_a_search_whose_window_has_no_end_keeps_its_slots(end: str) -> None:
    url = f"/e/fhir/Slot?start=ge2026-11-20{end}"
    assert _times(times.SlotsOutsideWindow(), *MORNING, NOW, url) == MORNING


def test_a_practitioner_that_was_asked_for_is_not_told_twice(rights: Mapping[str, Right]) -> None:
    kind = attachments.UnaskedPractitioner(identifier=GUIDE_MARCEL)
    assert rights["r01 of one"].spoilt_by(kind) is rights["r01 of one"].response


def test_the_unasked_practitioner_is_whole(rights: Mapping[str, Right]) -> None:
    right = rights["r01 of days"]
    bundle = orjson.loads(right.spoilt_by(attachments.UnaskedPractitioner(slots=3)).body)
    person = of_type(bundle, "Practitioner")[-1]
    assert person["id"] == person["identifier"][0]["value"] == "899999999990"
    assert person["name"][0]["family"] == "IMPREVU"
    assert luhn_digit(person["id"][1:-1]) == person["id"][-1]
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert sorted(kinds, key="Slot".__ne__) == kinds
    assert bundle["total"] == right.bundle["total"] + 3


def test_the_total_never_gets_below_nothing(rights: Mapping[str, Right]) -> None:
    response = rights["r01 of one"].spoilt_by(bundles.WrongTotal(by=-100))
    assert orjson.loads(response.body)["total"] == 0

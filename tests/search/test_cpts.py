"""INT_R04: slots opened to CPTS."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from mock_editor.base import codes
from tests.conftest import WITH_CPTS, json_of, of_type, slot_search

FORET = "810002909371"
ONE_PLACE = "899000000200"
TWO_PLACES = "899000000218"
PUBLIC_AND_CPTS = "899000000226"
IN_NO_CPTS = "899000000234"
EVERYBODY = [FORET, ONE_PLACE, TWO_PLACES, PUBLIC_AND_CPTS, IN_NO_CPTS]
AXE_MAJEUR, VAL_D_OISE, WITHOUT_NAME = "1950047225", "1950046227", "1959900301"

Search = Callable[..., dict[str, Any]]


@pytest.fixture
def r01(search: Search) -> Search:
    return lambda identifiers, **options: search(identifiers, editor="agenda-cpts", **options)


@pytest.fixture
def r04(r01: Search) -> Search:
    return lambda identifiers, **options: r01(identifiers, extra=WITH_CPTS, **options)


def services(slot: dict[str, Any]) -> list[str]:
    """The HealthcareServices that a slot refers to."""
    return [
        concept["extension"][0]["valueReference"]["reference"]
        for concept in slot.get("serviceType", [])
        if "extension" in concept
    ]


def slot_types(slot: dict[str, Any]) -> list[str]:
    return [security["code"] for security in slot["meta"]["security"]]


def test_profiles(r04: Search) -> None:
    bundle = r04(EVERYBODY)
    assert bundle["meta"]["profile"] == [codes.CPTS_BUNDLE_PROFILE]
    profiles = {
        (resource["resourceType"], *resource["meta"]["profile"])
        for resource in (entry["resource"] for entry in bundle["entry"])
    }
    assert profiles == {
        ("Slot", codes.CPTS_SLOT_PROFILE),
        ("Schedule", codes.SCHEDULE_PROFILE),
        ("Practitioner", codes.PRACTITIONER_PROFILE),
        ("PractitionerRole", codes.PRACTITIONER_ROLE_PROFILE),
        ("HealthcareService", codes.CPTS_HEALTHCARE_SERVICE_PROFILE),
        ("Organization", codes.CPTS_ORGANIZATION_PROFILE),
    }


def test_each_cpts_comes_once_with_its_service(r04: Search) -> None:
    bundle = r04(EVERYBODY)
    assert {service["id"] for service in of_type(bundle, "HealthcareService")} == {AXE_MAJEUR, VAL_D_OISE, WITHOUT_NAME}
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(urls) == len(set(urls))
    for service in of_type(bundle, "HealthcareService"):
        assert service["providedBy"] == {"reference": f"Organization/{service['id']}"}


def test_a_slot_open_to_cpts_refers_to_each_of_them(r04: Search) -> None:
    for slot in of_type(r04(EVERYBODY), "Slot"):
        assert ("CPTS" in slot_types(slot)) == bool(services(slot))
        for concept in slot.get("serviceType", []):
            if "extension" in concept:
                assert concept["extension"][0]["url"] == codes.SLOT_SERVICE_EXTENSION
                assert concept["coding"] == [{"system": codes.ESTABLISHMENT_CATEGORY, "code": "604"}]
                assert "text" not in concept


def test_two_communities_may_share_a_slot(r04: Search) -> None:
    bundle = r04([TWO_PLACES])
    slots = of_type(bundle, "Slot")
    assert all(slot_types(slot) == ["CPTS"] for slot in slots)
    by_place = {
        reference: {tuple(services(slot)) for slot in slots if slot["schedule"]["reference"] == reference}
        for reference in (f"Schedule/{TWO_PLACES}-1", f"Schedule/{TWO_PLACES}-2")
    }
    assert by_place == {
        f"Schedule/{TWO_PLACES}-1": {(f"HealthcareService/{AXE_MAJEUR}",)},
        f"Schedule/{TWO_PLACES}-2": {
            (f"HealthcareService/{AXE_MAJEUR}", f"HealthcareService/{VAL_D_OISE}"),
            (f"HealthcareService/{VAL_D_OISE}",),
        },
    }
    assert len(of_type(bundle, "Schedule")) == 2


def test_only_communities_of_slots_in_the_window_come_along(r04: Search) -> None:
    # On that morning only the first place is open.
    window = {"start": "2026-11-21T09:00:00+01:00", "end": "2026-11-21T13:00:00+01:00"}
    assert [service["id"] for service in of_type(r04([TWO_PLACES], **window), "HealthcareService")] == [AXE_MAJEUR]


def test_the_organization_bears_the_type_of_both_versions_of_the_guide(r04: Search) -> None:
    (organization,) = of_type(r04([FORET]), "Organization")
    (identifier,) = organization["identifier"]
    assert [coding["system"] for coding in identifier["type"]["coding"]] == [
        "http://interopsante.org/fhir/CodeSystem/fr-location-identifier-type",
        "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203",
    ]
    assert (identifier["system"], identifier["value"]) == (codes.STRUCTURE_OID, AXE_MAJEUR)
    assert organization["name"] == "CPTS AXE MAJEUR"
    assert organization["telecom"] == [{"system": "phone", "value": "+33102030405"}]


def test_a_cpts_without_name_or_phone_leaves_them_out(r04: Search) -> None:
    (organization,) = of_type(r04([PUBLIC_AND_CPTS]), "Organization")
    assert not {"name", "telecom"} & organization.keys()


def test_r01_shows_no_slot_that_only_cpts_may_see(r01: Search) -> None:
    assert r01([ONE_PLACE, TWO_PLACES])["total"] == 0
    bundle = r01(EVERYBODY)
    for slot in of_type(bundle, "Slot"):
        assert slot["meta"]["profile"] == [codes.SLOT_PROFILE]
        assert "CPTS" not in slot_types(slot)
        assert services(slot) == []
    assert not of_type(bundle, "HealthcareService")


def test_a_public_slot_of_a_cpts_is_public_in_r01(r01: Search, r04: Search) -> None:
    public, shared = (of_type(search([PUBLIC_AND_CPTS]), "Slot") for search in (r01, r04))
    assert {tuple(slot_types(slot)) for slot in public} == {("PUBLIC",)}
    assert {tuple(slot_types(slot)) for slot in shared} == {("PUBLIC", "CPTS")}
    assert [slot["id"] for slot in public] == [slot["id"] for slot in shared]


def test_r04_shows_slots_of_no_cpts_too(r01: Search, r04: Search) -> None:
    plain, with_cpts = r01([IN_NO_CPTS]), r04([IN_NO_CPTS])
    assert with_cpts["total"] == plain["total"] > 0
    assert not of_type(with_cpts, "HealthcareService")


def test_nothing_found_is_an_empty_bundle_of_the_flow(r04: Search) -> None:
    bundle = r04(["810999999999"])
    assert (bundle["meta"]["profile"], bundle["total"]) == ([codes.CPTS_BUNDLE_PROFILE], 0)
    assert "entry" not in bundle


@pytest.mark.parametrize(
    ("includes", "expected"),
    [
        ("&_include=Slot:service-type-reference", {"HealthcareService"}),
        ("&_include:iterate=HealthcareService:organization", set()),
        (
            "&_include=Slot:service-type-reference,HealthcareService:organization",
            {"HealthcareService", "Organization"},
        ),
        (
            "&_include=HealthcareService:organization&_include=Slot:service-type-reference",
            {"HealthcareService", "Organization"},
        ),
    ],
)
def test_includes_may_be_repeated_or_joined(client: FlaskClient, includes: str, expected: set[str]) -> None:
    bundle = json_of(client.get(slot_search([FORET], editor="agenda-cpts", extra=includes)))
    found = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert found - {"Slot", "Schedule", "Practitioner", "PractitionerRole"} == expected
    assert (bundle["meta"]["profile"] == [codes.CPTS_BUNDLE_PROFILE]) == ("HealthcareService" in expected)


def test_an_editor_without_cpts_answers_r04_like_any_other(client: FlaskClient) -> None:
    bundle = json_of(client.get(slot_search(["810100050075"], extra=WITH_CPTS)))
    assert bundle["meta"]["profile"] == [codes.CPTS_BUNDLE_PROFILE]
    assert bundle["total"] > 0

"""Reads, plain searches and the CapabilityStatement."""

import pytest
from flask.testing import FlaskClient

from mock_editor.base import codes
from mock_editor.scenario import LoadedScenario
from tests.conftest import (
    GUIDE_MARCEL,
    GUIDE_THOMAS,
    PUBLIC_URL,
    STRUCTURE_SYSTEM,
    SYSTEM,
    WITH_CPTS,
    slot_search,
    sos_search,
)

BASE = "/agenda-ville/fhir"


def test_what_a_full_url_names_can_be_read(client: FlaskClient, played: LoadedScenario) -> None:
    ville, cpts, sos = played.editors
    everybody = [person.id for person in ville.directory]
    queries = [slot_search(everybody[at : at + 25]) for at in (0, 25)]
    queries.append(slot_search([person.id for person in cpts.directory], editor=cpts.slug, extra=WITH_CPTS))
    queries.append(sos_search(list(sos.associations)))
    for query in queries:
        for entry in client.get(query).json["entry"]:
            read, found = client.get(entry["fullUrl"].removeprefix(PUBLIC_URL)).json, entry["resource"]
            # In an INT_R04 answer every slot claims the CPTS profile; read alone, only one that is open to a CPTS does.
            if codes.CPTS_SLOT_PROFILE in found["meta"]["profile"] and codes.SLOT_PROFILE in read["meta"]["profile"]:
                found["meta"]["profile"] = [codes.SLOT_PROFILE]
            assert read == found


@pytest.mark.parametrize(
    "path",
    [
        "Practitioner/1",
        "Practitioner/810999999999",
        "Schedule/810100050075",
        "Schedule/810100050075-9",
        "PractitionerRole/x-1",
        f"Slot/{GUIDE_MARCEL}-1-202611200901",
        f"Slot/{GUIDE_MARCEL}-1-999912312359",
        f"Slot/{GUIDE_MARCEL}-1-000101010000",
        f"Slot/{GUIDE_MARCEL}-1-20261120900",
        f"Slot/{GUIDE_MARCEL}-1-x",
        "Slot/x",
        "Slot/" + "9" * 2000,
        "HealthcareService/1950047225",
        "Organization/1",
        "Location/334173748400020-1",
        "Schedule/334173748400020-1",
    ],
)
def test_what_is_not_there_is_a_404(client: FlaskClient, path: str) -> None:
    response = client.get(f"{BASE}/{path}")
    assert response.status_code == 404
    assert response.json["issue"][0]["code"] == "not-found"


def test_a_practitioner_is_found_by_identifier(client: FlaskClient) -> None:
    bundle = client.get(f"{BASE}/Practitioner?identifier={SYSTEM}|{GUIDE_THOMAS},{SYSTEM}|810999999999").json
    assert bundle["total"] == 1
    assert bundle["entry"][0]["resource"]["name"] == [{"family": "THOMAS", "given": ["Sébastien"]}]
    assert bundle["entry"][0]["search"]["mode"] == "match"


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (f"Practitioner/{GUIDE_THOMAS}", 2),
        (f"PractitionerRole/{GUIDE_THOMAS}-2", 1),
        (f"Practitioner/{GUIDE_THOMAS},Practitioner/{GUIDE_MARCEL}", 3),
        (f"{PUBLIC_URL}{BASE}/Practitioner/{GUIDE_THOMAS}", 2),
        (f"Practitioner/{GUIDE_THOMAS},PractitionerRole/{GUIDE_THOMAS}-2", 2),
        ("Practitioner/nobody", 0),
    ],
)
def test_schedules_are_found_by_actor(client: FlaskClient, actor: str, expected: int) -> None:
    bundle = client.get(f"{BASE}/Schedule?actor={actor}").json
    assert bundle["total"] == len(bundle.get("entry", [])) == expected


@pytest.mark.parametrize("query", ["?actor=", "?actor=Patient/1", "?actor=Practitioner/", "?actor=a&actor=b"])
def test_a_wrong_actor_is_refused(client: FlaskClient, query: str) -> None:
    response = client.get(f"{BASE}/Schedule{query}")
    assert response.status_code == 400
    assert "'actor'" in response.json["issue"][0]["diagnostics"]


def test_places_are_found_by_association(client: FlaskClient) -> None:
    bundle = client.get("/agenda-sos/fhir/Location?organization=Organization/334173748400020,Organization/3").json
    assert [entry["resource"]["name"] for entry in bundle["entry"]] == [
        "Centre de consultation Rennes Nord",
        "Centre de consultation Rennes Cleunay",
    ]


@pytest.mark.parametrize(
    ("editor", "identifier", "name"),
    [
        ("agenda-sos", "392080466300010", "SOS Médecins Lorient et agglomération"),
        ("agenda-cpts", "1950047225", "CPTS AXE MAJEUR"),
        ("agenda-cpts", "392080466300010", None),
    ],
)
def test_structures_are_found_by_identifier(
    client: FlaskClient, editor: str, identifier: str, name: str | None
) -> None:
    bundle = client.get(f"/{editor}/fhir/Organization?identifier={STRUCTURE_SYSTEM}|{identifier}").json
    assert [entry["resource"]["name"] for entry in bundle.get("entry", [])] == ([name] if name else [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Organization", "'identifier': required"),
        (f"Organization?identifier={SYSTEM}|1", f"expected {STRUCTURE_SYSTEM}|<identifier>"),
        ("Organization?identifier=" + ",".join(["x"] * 26), "26 identifiers, at most 25"),
        ("Location", "'organization': required"),
        ("Location?organization=Practitioner/1", "expected Organization/<id>"),
    ],
)
def test_wrong_plain_searches_are_refused(client: FlaskClient, query: str, expected: str) -> None:
    response = client.get(f"/agenda-sos/fhir/{query}")
    assert response.status_code == 400
    assert expected in response.json["issue"][0]["diagnostics"]


def test_the_calendar_of_a_sos_place_is_found_by_its_location(client: FlaskClient) -> None:
    bundle = client.get("/agenda-sos/fhir/Schedule?actor=Location/334173748400020-2").json
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == ["334173748400020-2"]
    assert client.get("/agenda-sos/fhir/Schedule?actor=PractitionerRole/334173748400020-2").json["total"] == 0


def test_plain_searches_may_be_posted_and_counted(client: FlaskClient) -> None:
    searches = {"Practitioner": f"identifier={SYSTEM}|{GUIDE_THOMAS}", "Schedule": f"actor=Practitioner/{GUIDE_THOMAS}"}
    for path, query in searches.items():
        posted = client.post(
            f"{BASE}/{path}/_search", data=query, content_type="application/x-www-form-urlencoded; charset=utf-8"
        )
        assert posted.json == client.get(f"{BASE}/{path}?{query}").json
        assert "entry" not in client.get(f"{BASE}/{path}?{query}&_summary=count").json


def test_the_capability_statement_states_what_is_there(client: FlaskClient) -> None:
    statement = client.get(f"{BASE}/metadata").json
    assert statement["implementation"]["url"] == f"{PUBLIC_URL}{BASE}"
    for resource in statement["rest"][0]["resource"]:
        kind = resource["type"]
        assert {"code": "read"} in resource["interaction"]
        assert client.get(f"{BASE}/{kind}/nothing").json["issue"][0]["diagnostics"] == f"{kind}/nothing is not known"
        searchable = {"code": "search-type"} in resource["interaction"]
        assert (client.get(f"{BASE}/{kind}").status_code == 400) == searchable

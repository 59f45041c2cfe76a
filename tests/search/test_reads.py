"""Reads, plain searches and the CapabilityStatement."""

import re
from pathlib import Path

import orjson
import pytest
from flask.testing import FlaskClient

from mock_editor import scenario
from mock_editor.base import codes
from mock_editor.base.clock import Clock
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.scenario import LoadedScenario, Script
from mock_editor.search.searches import Searches
from tests.conftest import (
    GUIDE_MARCEL,
    GUIDE_THOMAS,
    PUBLIC_URL,
    STRUCTURE_SYSTEM,
    SYSTEM,
    WITH_CPTS,
    application,
    json_of,
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
        for entry in json_of(client.get(query))["entry"]:
            read, found = json_of(client.get(entry["fullUrl"].removeprefix(PUBLIC_URL))), entry["resource"]
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
    assert json_of(response)["issue"][0]["code"] == "not-found"


def test_a_practitioner_is_found_by_identifier(client: FlaskClient) -> None:
    bundle = json_of(client.get(f"{BASE}/Practitioner?identifier={SYSTEM}|{GUIDE_THOMAS},{SYSTEM}|810999999999"))
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
        # The id alone is that of any type.
        (GUIDE_THOMAS, 2),
        (f"{GUIDE_THOMAS}-2", 1),
        (f"{GUIDE_THOMAS}, {GUIDE_MARCEL}", 3),
        ("nobody", 0),
        # Whose calendars there are none of here.
        ("Patient/1,Device/1", 0),
        (f"Location/{GUIDE_THOMAS}-2", 0),
        # A URL names something of ours, or nothing.
        (f"https://elsewhere.example{BASE}/Practitioner/{GUIDE_THOMAS}", 0),
        (f"{PUBLIC_URL}/agenda-cpts/fhir/Practitioner/{GUIDE_THOMAS}", 0),
        (f"urn:uuid:{GUIDE_THOMAS}", 0),
    ],
)
def test_schedules_are_found_by_actor(client: FlaskClient, actor: str, expected: int) -> None:
    bundle = json_of(client.get(f"{BASE}/Schedule?actor={actor}"))
    assert bundle["total"] == len(bundle.get("entry", [])) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"actor:Practitioner={GUIDE_THOMAS}", 2),
        (f"actor:Practitioner=Practitioner/{GUIDE_THOMAS}", 2),
        (f"actor:Practitioner={PUBLIC_URL}{BASE}/Practitioner/{GUIDE_THOMAS}", 2),
        (f"actor:PractitionerRole={GUIDE_THOMAS}-2", 1),
        (f"actor:PractitionerRole={GUIDE_THOMAS}", 0),
        (f"actor:Location={GUIDE_THOMAS}-2", 0),
        # Repeated, it narrows the search.
        (f"actor={GUIDE_THOMAS}&actor=PractitionerRole/{GUIDE_THOMAS}-2", 1),
        (f"actor={GUIDE_THOMAS}&actor:Practitioner={GUIDE_MARCEL}", 0),
        (f"actor={GUIDE_THOMAS}&unknown=x&_include=Schedule:actor", 2),
    ],
)
@pytest.mark.parametrize("posted", [False, True])
def test_schedules_are_found_by_actor_of_a_type(client: FlaskClient, query: str, expected: int, posted: bool) -> None:
    form = {"data": query, "content_type": "application/x-www-form-urlencoded"}
    answer = client.post(f"{BASE}/Schedule/_search", **form) if posted else client.get(f"{BASE}/Schedule?{query}")
    assert json_of(answer)["total"] == expected


def test_the_url_of_either_listener_is_ours(played: LoadedScenario, clock: Clock) -> None:
    searches = Searches(Catalogue(played.editors, clock), PUBLIC_URL, "https://mtls.example:8443")
    for base, expected in {PUBLIC_URL: 2, "https://mtls.example:8443": 2, "https://other.example": 0}.items():
        query = f"actor={base}{BASE}/Practitioner/{GUIDE_THOMAS}"
        environ = {"QUERY_STRING": query, "PATH_INFO": f"{BASE}/Schedule"}
        answer = searches.schedules(searches.asked("agenda-ville", environ))
        assert orjson.loads(answer.body)["total"] == expected


@pytest.mark.parametrize(
    "query",
    [
        "?actor=",
        "?actor=Slot/1",
        "?actor=Practitioner/",
        "?actor=Practitioner/1/_history/2",
        "?actor:Patient=",
        "?actor=1," + "1," * 30,
    ],
)
def test_a_wrong_actor_is_refused(client: FlaskClient, query: str) -> None:
    response = client.get(f"{BASE}/Schedule{query}")
    assert response.status_code == 400
    assert "'actor'" in json_of(response)["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (GUIDE_THOMAS, [GUIDE_THOMAS]),
        (f"{GUIDE_THOMAS}, {SYSTEM}|{GUIDE_THOMAS},x,|y,urn:x|{GUIDE_MARCEL}", [GUIDE_THOMAS]),
        # Its identifier has a system.
        (f"|{GUIDE_THOMAS}", []),
        (f"urn:unknown|{GUIDE_THOMAS}", []),
        ("urn:unknown|", []),
        (f"{STRUCTURE_SYSTEM}|{GUIDE_THOMAS}", []),
        (f"{GUIDE_THOMAS}&identifier={GUIDE_MARCEL}", []),
        (f"{GUIDE_THOMAS},{GUIDE_MARCEL}&identifier={GUIDE_MARCEL}", [GUIDE_MARCEL]),
    ],
)
def test_a_token_has_every_form_of_fhir(client: FlaskClient, identifier: str, expected: list[str]) -> None:
    answer = client.get(f"{BASE}/Practitioner?identifier={identifier}")
    assert answer.status_code == 200
    assert [entry["resource"]["id"] for entry in json_of(answer).get("entry", [])] == expected


def test_a_system_alone_finds_all_of_it_unless_they_are_too_many(
    client: FlaskClient, played: LoadedScenario, clock: Clock, tmp_path: Path
) -> None:
    everybody = json_of(client.get(f"{BASE}/Practitioner?identifier={SYSTEM}|"))
    assert everybody["total"] == len(everybody["entry"]) == len(played.editors[0].directory)
    structures = json_of(client.get(f"/agenda-sos/fhir/Organization?identifier={STRUCTURE_SYSTEM}|"))
    assert structures["total"] == len(played.editors[2].associations)
    text = scenario.find("decouverte").read_text(encoding="utf-8")
    many = scenario.play(Script("many", re.sub(r"(?m)^( +count: ).*$", r"\g<1>100000", text), file=False))
    large = application(many, clock, tmp_path).test_client()
    slug = max(many.editors, key=lambda editor: len(editor.directory)).slug
    refused = large.get(f"/{slug}/fhir/Practitioner?identifier={SYSTEM}|&identifier={GUIDE_THOMAS}")
    assert (refused.status_code, json_of(refused)["issue"][0]["code"]) == (400, "too-costly")
    assert large.get(f"/{slug}/fhir/Practitioner?identifier={GUIDE_THOMAS}").status_code == 200


def test_places_are_found_by_association(client: FlaskClient) -> None:
    bundle = json_of(client.get("/agenda-sos/fhir/Location?organization=Organization/334173748400020,Organization/3"))
    assert [entry["resource"]["name"] for entry in bundle["entry"]] == [
        "Centre de consultation Rennes Nord",
        "Centre de consultation Rennes Cleunay",
    ]
    for same in (
        "organization=334173748400020",
        "organization:Organization=334173748400020",
        f"organization={PUBLIC_URL}/agenda-sos/fhir/Organization/334173748400020",
    ):
        assert json_of(client.get(f"/agenda-sos/fhir/Location?{same}"))["entry"] == bundle["entry"]
    foreign = "https://elsewhere.example/agenda-sos/fhir/Organization/334173748400020"
    assert json_of(client.get(f"/agenda-sos/fhir/Location?organization={foreign}"))["total"] == 0


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
    bundle = json_of(client.get(f"/{editor}/fhir/Organization?identifier={STRUCTURE_SYSTEM}|{identifier}"))
    assert [entry["resource"]["name"] for entry in bundle.get("entry", [])] == ([name] if name else [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Organization", "'identifier': required"),
        ("Organization?identifier=|", f"expected {STRUCTURE_SYSTEM}|<identifier>"),
        ("Organization?identifier=1,,2", f"expected {STRUCTURE_SYSTEM}|<identifier>"),
        ("Organization?identifier=" + ",".join(["x"] * 26), "26 identifiers, at most 25"),
        # A filter that is left aside would give more than was asked for.
        ("Organization?identifier=1&name=x", "'name': not supported"),
        ("Organization?identifier:of-type=a|b|1", "'identifier:of-type': not supported"),
        ("Organization?identifier:missing=false&identifier=1", "'identifier:missing': not supported"),
        ("Organization?identifier=1&_id=2", "'_id': not supported"),
        ("Organization?identifier=1&_lastUpdated=ge2026", "'_lastUpdated': not supported"),
        ("Practitioner?identifier=1&family=x", "'family': not supported"),
        ("Practitioner?identifier=1&_has:Schedule:actor:date=2026", "not supported"),
        ("Schedule?actor:Practitioner=PractitionerRole/1", "'actor:Practitioner': expected Practitioner/<id>"),
        ("Schedule?actor:identifier=a|1", "'actor:identifier': not supported"),
        ("Schedule?actor=1&actor.name=x", "'actor.name': not supported"),
        ("Schedule?actor=1&date=2026", "'date': not supported"),
        ("Schedule?actor=1&_has:Slot:schedule:status=free", "'_has:Slot:schedule:status': not supported"),
        ("Schedule?actor=1&actor:Location.organization.identifier=2", "'actor': not supported"),
        ("Location?organization=1&address=x", "'address': not supported"),
        ("Location?organization:Practitioner=1", "'organization:Practitioner': not supported"),
        ("Location", "'organization': required"),
        ("Location?organization=Practitioner/1", "expected Organization/<id>"),
    ],
)
def test_wrong_plain_searches_are_refused(client: FlaskClient, query: str, expected: str) -> None:
    response = client.get(f"/agenda-sos/fhir/{query}")
    assert response.status_code == 400
    assert expected in json_of(response)["issue"][0]["diagnostics"]


def test_the_calendar_of_a_sos_place_is_found_by_its_location(client: FlaskClient) -> None:
    bundle = json_of(client.get("/agenda-sos/fhir/Schedule?actor=Location/334173748400020-2"))
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == ["334173748400020-2"]
    assert json_of(client.get("/agenda-sos/fhir/Schedule?actor=PractitionerRole/334173748400020-2"))["total"] == 0


def test_plain_searches_may_be_posted_and_counted(client: FlaskClient) -> None:
    searches = {"Practitioner": f"identifier={SYSTEM}|{GUIDE_THOMAS}", "Schedule": f"actor=Practitioner/{GUIDE_THOMAS}"}
    for path, query in searches.items():
        posted = client.post(
            f"{BASE}/{path}/_search", data=query, content_type="application/x-www-form-urlencoded; charset=utf-8"
        )
        assert posted.json == client.get(f"{BASE}/{path}?{query}").json
        assert "entry" not in json_of(client.get(f"{BASE}/{path}?{query}&_summary=count"))


def test_the_capability_statement_states_what_is_there(client: FlaskClient) -> None:
    statement = json_of(client.get(f"{BASE}/metadata"))
    assert statement["implementation"]["url"] == f"{PUBLIC_URL}{BASE}"
    for resource in statement["rest"][0]["resource"]:
        kind = resource["type"]
        assert {"code": "read"} in resource["interaction"]
        assert (
            json_of(client.get(f"{BASE}/{kind}/nothing"))["issue"][0]["diagnostics"] == f"{kind}/nothing is not known"
        )
        searchable = {"code": "search-type"} in resource["interaction"]
        assert (client.get(f"{BASE}/{kind}").status_code == 400) == searchable

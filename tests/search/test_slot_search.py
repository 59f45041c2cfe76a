"""INT_R01 over the application: what is answered, with which tolerances, and what is refused how."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_editor.base import codes
from mock_editor.base.clock import Clock, frozen
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Editor, Window
from mock_editor.scenario import LoadedScenario
from mock_editor.search.query import IDENTIFIER, MOST_IDENTIFIERS
from mock_editor.search.slot_searches import INT_R01
from mock_editor.simulator.simulator import Simulator
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

Search = Callable[..., dict[str, Any]]

FULL = "899000000077"
CLOSED_TO_SAS = "899000000093"
WALKIN = "899000000069"
ALL_TYPES = "899000000044"
NO_PHONE_NO_GIVEN = "899000000010"
TEXT_SPECIALTY = "899000000036"
ADELI = "0359900017"
MESSY = "899000000085"
REUNION = "899000000101"


def without(query: str, name: str) -> str:
    """The path and query without the parameters of that name."""
    path, _, parameters = query.partition("?")
    return path + "?" + "&".join(part for part in parameters.split("&") if not part.startswith(f"{name}="))


SOUND = slot_search([GUIDE_THOMAS])


# --- the answer


def test_a_search_answers_a_bundle_with_its_companions(search: Search) -> None:
    bundle = search([GUIDE_THOMAS, GUIDE_MARCEL])
    assert bundle["resourceType"] == "Bundle"
    assert bundle["type"] == "searchset"
    assert bundle["meta"] == {"profile": [codes.BUNDLE_PROFILE]}
    slots = of_type(bundle, "Slot")
    assert bundle["total"] == len(slots) > 0
    assert {person["id"] for person in of_type(bundle, "Practitioner")} == {GUIDE_THOMAS, GUIDE_MARCEL}
    # Two places of one practitioner are two calendars, each with its role.
    assert len(of_type(bundle, "Schedule")) == len(of_type(bundle, "PractitionerRole")) == 3
    modes = {entry["resource"]["resourceType"]: entry["search"]["mode"] for entry in bundle["entry"]}
    assert modes == {"Slot": "match", "Schedule": "include", "Practitioner": "include", "PractitionerRole": "include"}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["fullUrl"] == f"{PUBLIC_URL}/agenda-ville/fhir/{resource['resourceType']}/{resource['id']}"
        assert len(resource["meta"]["profile"]) == 1


def test_media_type_and_charset(client: FlaskClient) -> None:
    response = client.get(SOUND)
    assert response.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert "Sébastien".encode() in response.data


def test_a_slot_says_what_the_guide_asks(search: Search) -> None:
    slot = of_type(search([GUIDE_MARCEL]), "Slot")[0]
    assert slot["meta"]["security"] == [{"system": codes.SLOT_TYPE, "code": "PUBLIC"}]
    assert [kind["coding"][0]["code"] for kind in slot["serviceType"][:2]] == ["AMB", "VR"]
    assert [kind["text"] for kind in slot["serviceType"][2:]] == [
        "Visite de contrôle",
        "Visite urgente",
        "Renouvellement d'ordonnance",
    ]
    assert slot["specialty"] == [{"coding": [{"system": codes.SPECIALTY, "code": "SM41"}]}]
    assert slot["appointmentType"] == {"coding": [{"system": codes.APPOINTMENT_REASON, "code": "ROUTINE"}]}
    assert slot["status"] == "free"
    assert slot["start"] == "2026-11-20T10:00:00.000+01:00"
    assert slot["end"] == "2026-11-20T10:30:00.000+01:00"
    assert slot["comment"] == f"{PUBLIC_URL}/agenda-ville/agenda/{GUIDE_MARCEL}?lieu=1"


def test_overseas_slots_bear_their_local_offset(search: Search) -> None:
    slots = of_type(search([REUNION]), "Slot")
    assert {slot["start"][-6:] for slot in slots} == {"+04:00"}


def test_the_guides_own_practitioner_has_two_places(search: Search) -> None:
    roles = of_type(search([GUIDE_THOMAS]), "PractitionerRole")
    assert [role["organization"]["identifier"]["value"] for role in roles] == ["1810004421", "1810004956"]
    for role in roles:
        (location,) = role["contained"]
        assert role["location"] == [{"reference": f"#{location['id']}"}]
        assert location["address"]["postalCode"] == "47000"
        assert len(location["address"]["line"]) == 1


@pytest.mark.parametrize("identifier", [FULL, "810999999999", "3456780581/11242343"])
def test_nothing_found_is_an_empty_bundle(search: Search, identifier: str) -> None:
    bundle = search([identifier])
    assert bundle["total"] == 0
    assert "entry" not in bundle
    assert bundle["link"][0]["relation"] == "self"


def test_slots_that_are_not_for_the_sas_never_show(search: Search, editor: Editor) -> None:
    slots = of_type(search([CLOSED_TO_SAS]), "Slot")
    assert {slot["start"][11:16] for slot in slots} == {"18:00", "18:20", "18:40"}
    everything = [person.id for person in editor.directory]
    for at in range(0, len(everything), MOST_IDENTIFIERS):
        for slot in of_type(search(everything[at : at + MOST_IDENTIFIERS]), "Slot"):
            assert {security["code"] for security in slot["meta"]["security"]} <= {"PUBLIC", "PRO", "SNP"}


def test_walk_in_slots_are_shown_with_their_agenda(search: Search) -> None:
    slots = of_type(search([WALKIN]), "Slot")
    assert {slot["appointmentType"]["coding"][0]["code"] for slot in slots} == {"WALKIN"}
    assert all(slot["comment"] for slot in slots)


def test_every_consultation_type_shows(search: Search) -> None:
    slots = of_type(search([ALL_TYPES]), "Slot")
    combinations = {tuple(kind["coding"][0]["code"] for kind in slot["serviceType"]) for slot in slots}
    assert combinations == {("AMB",), ("HH",), ("VR",), ("AMB", "HH", "VR")}


def test_what_is_unknown_is_left_out(search: Search) -> None:
    bundle = search([NO_PHONE_NO_GIVEN])
    (person,), (role,) = of_type(bundle, "Practitioner"), of_type(bundle, "PractitionerRole")
    assert person["name"] == [{"family": "LE GOFF"}]
    assert "telecom" not in role


def test_a_speciality_without_code_is_a_text(search: Search) -> None:
    slot = of_type(search([TEXT_SPECIALTY]), "Slot")[0]
    assert slot["specialty"][1] == {"text": "Médecine du sport"}


def test_messy_editor_data_gives_a_right_answer(search: Search) -> None:
    bundle = search([MESSY])
    (person,) = of_type(bundle, "Practitioner")
    assert person["identifier"][0]["value"] == MESSY
    roles = of_type(bundle, "PractitionerRole")
    assert [role["organization"]["identifier"]["value"] for role in roles] == ["1339900018", "499000000085001"]
    assert [role["telecom"][0]["value"] for role in roles] == ["+33536490008", "+33536490009"]


def test_an_adeli_number_is_found(search: Search) -> None:
    assert of_type(search([ADELI]), "Practitioner")[0]["identifier"][0]["value"] == ADELI


@pytest.mark.parametrize(
    ("includes", "expected"),
    [
        ("", {"Slot"}),
        ("&_include=Slot:schedule", {"Slot", "Schedule"}),
        ("&_include=Schedule:actor", {"Slot"}),
        ("&_include=Slot:schedule,Schedule:actor", {"Slot", "Schedule", "Practitioner", "PractitionerRole"}),
        ("&_include=Slot:schedule&_include=Schedule:actor", {"Slot", "Schedule", "Practitioner", "PractitionerRole"}),
        ("&_include=Slot:schedule&_include:iterate=Schedule:actor:Practitioner", {"Slot", "Schedule", "Practitioner"}),
        ("&_include=Slot:schedule&_include=Slot:patient", {"Slot", "Schedule"}),
    ],
)
def test_companions_come_only_when_asked(client: FlaskClient, includes: str, expected: set[str]) -> None:
    query = without(without(SOUND, "_include"), "_include:iterate") + includes
    entries = json_of(client.get(query))["entry"]
    assert {entry["resource"]["resourceType"] for entry in entries} == expected


def test_a_practitioner_without_slots_brings_no_companion(search: Search) -> None:
    assert {person["id"] for person in of_type(search([FULL, GUIDE_MARCEL]), "Practitioner")} == {GUIDE_MARCEL}


def test_an_identifier_asked_twice_counts_once(search: Search) -> None:
    assert search([GUIDE_MARCEL, GUIDE_MARCEL])["entry"] == search([GUIDE_MARCEL])["entry"]


# --- tolerances


@pytest.mark.parametrize(
    "query",
    [
        SOUND.replace("/Slot?", "/Slot/?"),
        SOUND.replace("+01:00", "%2B01:00"),
        SOUND.replace("+01:00", " 01:00".replace(" ", "%20")),
        SOUND.replace("|", "%7C"),
        SOUND.replace("urn:oid", "urn%3Aoid"),
        SOUND.replace(".000+01:00", "+01:00").replace(".999+01:00", "+01:00"),
        SOUND + "&_count=1000&_format=json&unknown=1&_unknown=2",
        SOUND + "&_format=application/fhir+json",
        SOUND + "&_format=application/json%2Bfhir",
        SOUND.replace("status=free", "status=free,busy"),
        SOUND.replace("status=free", f"status={codes.SLOT_STATUS}|free"),
        slot_search([GUIDE_THOMAS], end="2026-11-22"),
        slot_search([GUIDE_THOMAS], start="2026-11-20T07:00:00Z"),
        slot_search([GUIDE_THOMAS], start="2026-11-20T08:00:00", end="2026-11-22T23:59"),
        slot_search([GUIDE_THOMAS], start="2026-11-20", end="2026-11-22"),
        slot_search([GUIDE_THOMAS], start="1999"),
    ],
)
def test_what_clients_really_send_is_understood(client: FlaskClient, search: Search, query: str) -> None:
    response = client.get(query)
    assert response.status_code == 200, response.text
    assert json_of(response)["entry"] == search([GUIDE_THOMAS])["entry"]


def test_a_space_may_follow_a_comma(client: FlaskClient, search: Search) -> None:
    query = SOUND.replace(GUIDE_THOMAS, f"{GUIDE_THOMAS},%20{SYSTEM}|{GUIDE_MARCEL}")
    assert json_of(client.get(query))["entry"] == search([GUIDE_THOMAS, GUIDE_MARCEL])["entry"]


@pytest.mark.parametrize(
    "accept",
    [
        "application/json+fhir",
        "application/fhir+json",
        "application/json",
        "*/*",
        "",
        "text/html, */*;q=0.1",
        "application/fhir+json; fhirVersion=4.0",
    ],
)
def test_every_way_to_ask_for_json_is_accepted(client: FlaskClient, accept: str) -> None:
    response = client.get(SOUND, headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == codes.FHIR_JSON


def test_format_overrides_accept(client: FlaskClient) -> None:
    assert client.get(SOUND + "&_format=json", headers={"Accept": "application/fhir+xml"}).status_code == 200


def test_the_self_link_repeats_the_query_as_received(client: FlaskClient) -> None:
    query = SOUND.replace("/Slot?", "/Slot/?").replace("|", "%7c") + "&é=1&a=%zz&_include=x|y&b=<c>"
    (link,) = json_of(client.get(query))["link"]
    expected = query.replace("é", "%C3%A9").replace("%zz", "%25zz").replace("|", "%7C").replace("<c>", "%3Cc%3E")
    assert link == {"relation": "self", "url": f"{PUBLIC_URL}{expected}"}


def test_post_search_reads_the_body(client: FlaskClient, search: Search) -> None:
    path, _, query = SOUND.replace("+", "%2B").partition("?")
    response = client.post(f"{path}/_search", data=query, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 200
    assert json_of(response)["entry"] == search([GUIDE_THOMAS])["entry"]
    assert json_of(response)["link"][0]["url"] == f"{PUBLIC_URL}{path}?{query.replace('|', '%7C')}"


@pytest.mark.parametrize("extra", ["&_summary=count", "&_count=0"])
def test_a_count_has_no_entries(search: Search, extra: str) -> None:
    bundle = search([GUIDE_THOMAS], extra=extra)
    assert bundle["total"] == search([GUIDE_THOMAS])["total"]
    assert "entry" not in bundle


def test_pretty_is_the_same_indented(client: FlaskClient) -> None:
    plain, pretty = client.get(SOUND), client.get(SOUND + "&_pretty=true")
    assert b'\n  "type": "searchset"' in pretty.data
    assert json_of(pretty)["entry"] == json_of(plain)["entry"]


def test_another_status_finds_nothing(client: FlaskClient) -> None:
    bundle = json_of(client.get(SOUND.replace("status=free", "status=busy")))
    assert (bundle["total"], "entry" in bundle) == (0, False)


def test_head_answers_as_get_without_a_body(client: FlaskClient) -> None:
    got, response = client.get(SOUND), client.head(SOUND)
    assert (response.status_code, response.data) == (200, b"")
    # Flask answers the one, what stands before it the other.
    assert response.headers == got.headers


# --- refusals


def refusal(response: Any, status: int) -> str:
    """The diagnostics of an OperationOutcome with that status, on a FHIR path."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == codes.FHIR_JSON
    outcome = response.json
    assert outcome["resourceType"] == "OperationOutcome"
    assert all(issue["severity"] == "error" and issue["code"] for issue in outcome["issue"])
    return "\n".join(issue["diagnostics"] for issue in outcome["issue"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (without(SOUND, "start"), "'start': required: start=ge… and start=le…, ge is missing"),
        (SOUND.replace("&start=le2026-11-22T23:59:59.999+01:00", ""), "le is missing"),
        (SOUND + "&start=ge2026-11-20", "'start': ge is given twice"),
        (SOUND.replace("start=ge", "start=gt"), "expected ge<dateTime> or le<dateTime>, not 'gt2026"),
        (SOUND.replace("start=ge", "start="), "expected ge<dateTime> or le<dateTime>, not '2026"),
        (SOUND.replace("start=ge2026-11-20", "start=gedemain"), "ge: expected a date such as"),
        (SOUND.replace("start=ge2026-11-20", "start=ge2026-02-30"), "ge: no such date or time"),
        (SOUND.replace("start=ge2026-11-20T08", "start=ge2026-11-20T25"), "ge: no such date or time"),
        (SOUND.replace("start=ge2026-11-20", "start=ge2026-11-20,ge2026-11-21"), "ge: expected a date"),
        (slot_search([GUIDE_THOMAS], end="9999-12-32"), "le: no such date or time"),
        (slot_search([GUIDE_THOMAS], start="0000-01-01"), "ge: no such date or time"),
        (slot_search([GUIDE_THOMAS], end="2026-11-19"), "le is before ge"),
        (slot_search([GUIDE_THOMAS], start="9999-12-31", end="9999-12-30"), "le is before ge"),
        (slot_search([GUIDE_THOMAS], end="0001-01-01T00:00:00+14:00"), "le is before ge"),
        (without(SOUND, IDENTIFIER), "identifier': required parameter, missing"),
        (slot_search([""]), "expected urn:oid:1.2.250.1.71.4.2.1|<identifier>"),
        (without(SOUND, IDENTIFIER) + f"&{IDENTIFIER}=", "missing"),
        (SOUND + f",{SYSTEM}|", "expected urn:oid:1.2.250.1.71.4.2.1|<identifier>"),
        (slot_search(["8"] * 26), "26 identifiers, at most 25"),
        (SOUND.replace(f"{SYSTEM}|", ""), f"not '{GUIDE_THOMAS}'"),
        (SOUND.replace(f"{SYSTEM}|", "|"), "expected urn:oid:1.2.250.1.71.4.2.1|<identifier>"),
        (SOUND.replace(SYSTEM, "urn:oid:1.2.3"), "not 'urn:oid:1.2.3|810100050075'"),
        (SOUND + f"&schedule.actor:Practitioner.identifier={SYSTEM}|1", "given 2 times, expected once"),
        (without(SOUND, "status"), "'status': required parameter, missing"),
        (SOUND + "&status=free", "'status': given 2 times, expected once"),
        (SOUND.replace("status=free", "status=gratuit"), "expected a slot status"),
        (SOUND.replace("status=free", "status=urn:x|free"), "expected a slot status"),
        (SOUND + "&_count=beaucoup", "'_count': expected a whole number"),
        (SOUND + "&_count=-1", "'_count': expected a whole number"),
        (SOUND + "&_count=1&_count=2", "'_count': given 2 times"),
        (SOUND + "&_summary=short", "'_summary': expected one of"),
        ("/agenda-ville/fhir/Slot", "required"),
        ("/agenda-ville/fhir/Slot?" + "a=1&" * 300, "More than 200 parameters"),
        ("/agenda-ville/fhir/Slot?start=ge%00&status=%ff%fe", "expected"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused_by_name(client: FlaskClient, query: str, expected: str) -> None:
    assert expected in refusal(client.get(query), 400)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, "9999-12-31"),
        (None, "9999"),
        (None, "9999-12"),
        (None, "9999-12-31T23:59:59.999-12:00"),
        ("0001-01-01", None),
        ("0001", "9999"),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60Z"),
    ],
)
def test_a_window_may_be_open(client: FlaskClient, start: str | None, end: str | None) -> None:
    bounds = {"start": start or "2026-11-20T08:00:00.000+01:00", "end": end or "2027-01-31"}
    # The horizon of the calendars ends before.
    whole = json_of(client.get(slot_search([GUIDE_THOMAS], end="2027-01-31")))
    found = client.get(slot_search([GUIDE_THOMAS], **bounds))
    assert found.status_code == 200
    assert json_of(found)["entry"] == whole["entry"]
    places = client.get(sos_search(["334173748400020"], **bounds))
    assert places.status_code == 200
    assert (
        json_of(places)["total"] == json_of(client.get(sos_search(["334173748400020"], end="2027-01-31")))["total"] > 0
    )


@pytest.mark.parametrize("edge", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00.0+14:00"])
def test_a_window_beyond_all_time_is_empty(client: FlaskClient, edge: str) -> None:
    found = client.get(slot_search([GUIDE_THOMAS], start=edge, end=edge))
    assert found.status_code == 200
    assert json_of(found)["total"] == 0


def test_all_that_is_wrong_is_told_at_once(client: FlaskClient) -> None:
    told = refusal(client.get("/agenda-ville/fhir/Slot?start=ge2026-11-20&_count=x"), 400)
    named = [line.split("'")[1] for line in told.splitlines()]
    assert named == ["start", "status", IDENTIFIER, "_count"]


def test_a_megabyte_of_mistakes_is_not_told_one_by_one(client: FlaskClient) -> None:
    form = {"data": "status=" + "," * 900_000, "content_type": "application/x-www-form-urlencoded"}
    response = client.post("/agenda-ville/fhir/Slot/_search", **form)
    assert len(refusal(response, 400).splitlines()) == 50


def test_unknown_parameters_are_refused_when_strictness_is_asked_for(client: FlaskClient) -> None:
    strict = {"Prefer": "return=minimal, handling=strict"}
    assert client.get(SOUND, headers=strict).status_code == 200
    told = refusal(client.get(SOUND + "&couleur=bleu&_include=Slot:x&_revinclude=x", headers=strict), 400)
    assert "'couleur': not supported" in told
    assert "'_revinclude': not supported" in told
    assert "'Slot:x' is not supported" in told


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        (SOUND + "&_format=xml", ""),
        (SOUND + "&_format=application/fhir%2Bxml", "application/json"),
        (SOUND, "application/fhir+xml"),
        (SOUND, "text/html"),
        (SOUND, "application/json;q=0"),
    ],
)
def test_only_json_can_be_had(client: FlaskClient, query: str, accept: str) -> None:
    assert "only JSON is answered" in refusal(client.get(query, headers={"Accept": accept}), 406)


@pytest.mark.parametrize(
    "path",
    [
        "/personne/fhir/Slot",
        "/agenda-ville/fhir",
        "/agenda-ville/fhir/",
        "/agenda-ville/fhir/Rien",
        "/agenda-ville/fhir/Slot/1/_history",
        "/agenda-ville/fhir//Slot",
        "/agenda-ville/fhir/Patient/1",
    ],
)
def test_an_unknown_path_is_a_404(client: FlaskClient, path: str) -> None:
    assert refusal(client.get(path), 404)


def test_an_unknown_editor_is_told_those_there_are(client: FlaskClient) -> None:
    assert "there are: agenda-ville, agenda-cpts, agenda-sos" in refusal(
        client.get(SOUND.replace("agenda-ville", "autre")), 404
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_a_405(client: FlaskClient, method: str) -> None:
    response = client.open("/agenda-ville/fhir/Slot", method=method)
    assert f"{method} is not supported" in refusal(response, 405)
    assert response.headers["Allow"] == "GET, HEAD"


def test_a_body_that_is_no_form_is_a_415(client: FlaskClient) -> None:
    response = client.post("/agenda-ville/fhir/Slot/_search", data="{}", content_type="application/json")
    assert "application/x-www-form-urlencoded" in refusal(response, 415)


def test_a_body_over_a_megabyte_is_a_413(client: FlaskClient) -> None:
    response = client.post(
        "/agenda-ville/fhir/Slot/_search", data="a" * 1_000_001, content_type="application/x-www-form-urlencoded"
    )
    refusal(response, 413)


def test_outside_the_fhir_paths_an_error_is_a_problem_document(client: FlaskClient) -> None:
    response = client.get("/_nulle-part")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == codes.PROBLEM_JSON
    assert json_of(response)["status"] == 404
    assert "there are: /agenda-ville/fhir/metadata" in json_of(response)["detail"]


def test_health_tells_the_version_and_the_scenario(client: FlaskClient) -> None:
    told = json_of(client.get("/_health"))
    assert (told["status"], told["scenario"], told["editors"]) == (
        "ok",
        "decouverte",
        ["agenda-ville", "agenda-cpts", "agenda-sos"],
    )


# --- properties

# An ordinary week, and those in which the clocks change.
WEEKS = st.sampled_from([NOW, datetime(2027, 3, 26, 8, 0, tzinfo=UTC), datetime(2026, 10, 23, 8, 0, tzinfo=UTC)])
MINUTES = st.integers(-24 * 60, 6 * 24 * 60)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), week=WEEKS, minutes=st.tuples(MINUTES, MINUTES, MINUTES))
def test_a_search_gives_the_free_slots_of_the_window_and_no_other(
    played: LoadedScenario, simulator: Simulator, data: st.DataObject, week: datetime, minutes: tuple[int, int, int]
) -> None:
    """Against the plain reference ``Catalogue.free_slots``: in the window, not before now, union of its members."""
    now, *bounds = (week + timedelta(minutes=shift) for shift in minutes)
    start, end = sorted(bounds)
    catalogue = Catalogue(played.editors, Clock(now))
    people = {person.id: person for person in played.editors[0].directory}
    asked = data.draw(st.lists(st.sampled_from(sorted(people)), min_size=1, max_size=6, unique=True))
    simulator.clock.follow(frozen(now))
    client = simulator.app.test_client()
    window = Window(start, end + timedelta(milliseconds=1))

    def entries(identifiers: list[str]) -> dict[str, Any]:
        query = slot_search(
            identifiers,
            start=start.isoformat(timespec="milliseconds"),
            end=end.isoformat(timespec="milliseconds"),
        )
        bundle = client.get(query).json
        assert bundle["total"] == len(of_type(bundle, "Slot"))
        found = {entry["fullUrl"]: entry["resource"] for entry in bundle.get("entry", [])}
        assert len(found) == len(bundle.get("entry", []))
        return found

    together = entries(asked)
    alone = [entries([identifier]) for identifier in asked]
    assert together == {url: resource for one in alone for url, resource in one.items()}
    for identifier, found in zip(asked, alone, strict=True):
        slots = [resource for resource in found.values() if resource["resourceType"] == "Slot"]
        expected = [
            (f"Schedule/{place.calendar.key}", slot.start, slot.end)
            for place in people[identifier].places
            for slot in catalogue.free_slots(place.calendar, window, INT_R01.exposed)
        ]
        given_slots = [
            (slot["schedule"]["reference"], datetime.fromisoformat(slot["start"]), datetime.fromisoformat(slot["end"]))
            for slot in slots
        ]
        assert given_slots == expected
        for _, begin, finish in given_slots:
            assert max(start, now) <= begin <= end
            assert begin < finish

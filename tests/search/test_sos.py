"""The search for free slots of SOS Médecins places."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_editor import scenario
from mock_editor.base import codes
from mock_editor.base.clock import Clock, frozen
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Window
from mock_editor.scenario import LoadedScenario
from mock_editor.search.query import SOS_IDENTIFIER, SOS_START, SOS_STATUS
from mock_editor.search.slot_searches import SOS
from mock_editor.simulator.simulator import Simulator
from tests.conftest import (
    NOW,
    PUBLIC_URL,
    STRUCTURE_SYSTEM,
    SYSTEM,
    application,
    json_of,
    of_type,
    slot_search,
    sos_search,
)

RENNES = "334173748400020"
LORIENT = "392080466300010"
SIX_PLACES = "300000101600013"
CLOSED = "300000102400017"

Find = Callable[..., dict[str, Any]]


@pytest.fixture
def find(client: FlaskClient) -> Find:
    def run(identifiers: Sequence[str], **options: str) -> dict[str, Any]:
        response = client.get(sos_search(identifiers, **options))
        assert response.status_code == 200, response.text
        bundle: dict[str, Any] = json_of(response)
        return bundle

    return run


def test_the_default_scenario_has_the_associations_that_these_tests_name(played: LoadedScenario) -> None:
    assert list(played.editors[2].associations) == [RENNES, LORIENT, SIX_PLACES, CLOSED]


def test_a_search_answers_calendars_with_slots_places_and_associations(find: Find) -> None:
    bundle = find([RENNES, LORIENT])
    assert bundle["meta"] == {"profile": [codes.SOS_BUNDLE_PROFILE]}
    slots = of_type(bundle, "Slot")
    assert bundle["total"] == len(slots) > 0
    modes = {entry["resource"]["resourceType"]: entry["search"]["mode"] for entry in bundle["entry"]}
    assert modes == {"Schedule": "match", "Slot": "include", "Location": "include", "Organization": "include"}
    assert [schedule["actor"] for schedule in of_type(bundle, "Schedule")] == [
        [{"reference": f"Location/{place['id']}"}] for place in of_type(bundle, "Location")
    ]
    assert [place["name"] for place in of_type(bundle, "Location")] == [
        "Centre de consultation Rennes Nord",
        "Centre de consultation Rennes Cleunay",
        "Centre de consultation Lorient",
    ]
    assert [association["identifier"][0]["value"] for association in of_type(bundle, "Organization")] == [
        RENNES,
        LORIENT,
    ]


def test_a_slot_says_what_the_guide_asks(find: Find) -> None:
    slots = of_type(find([RENNES, LORIENT, SIX_PLACES]), "Slot")
    types = {tuple(security["code"] for security in slot["meta"]["security"]) for slot in slots}
    assert types == {("PUBLIC",), ("SNP",), ("PUBLIC", "SNP")}
    for slot in slots:
        assert slot["meta"]["profile"] == [codes.SOS_SLOT_PROFILE]
        assert "specialty" not in slot
        assert all(concept.keys() == {"coding"} for concept in slot["serviceType"])
        assert slot["start"] < slot["end"]
    first = slots[0]
    assert first["start"] == "2026-11-20T08:30:00.000+01:00"
    assert first["comment"] == f"{PUBLIC_URL}/agenda-sos/agenda/{RENNES}?lieu=1&creneau=202611200730"
    assert {slot["appointmentType"]["coding"][0]["code"] for slot in slots} == {"ROUTINE", "WALKIN"}


def test_a_place_says_what_the_guide_asks(find: Find) -> None:
    place = of_type(find([RENNES]), "Location")[0]
    assert place["identifier"] == [
        {
            "type": {"coding": [{"system": codes.FR_LOCATION_IDENTIFIER_TYPE, "code": "INTRN"}]},
            "system": "https://agenda-sos.example/lieux",
            "value": "1111111111",
        }
    ]
    assert place["address"] == {"line": ["320 avenue Général Georges Patton"], "city": "RENNES", "postalCode": "35700"}
    assert place["telecom"] == [{"system": "phone", "value": "+33193246789"}]
    assert place["managingOrganization"] == {"reference": f"Organization/{RENNES}"}
    assert place["hoursOfOperation"] == [
        {
            "daysOfWeek": ["tue", "wed", "thu", "fri", "sat", "sun"],
            "openingTime": "08:00:00",
            "closingTime": "19:00:00",
        }
    ]


def test_nights_and_round_the_clock_hours_are_told(find: Find) -> None:
    places = {place["name"]: place for place in of_type(find([RENNES, LORIENT]), "Location")}
    assert places["Centre de consultation Rennes Cleunay"]["hoursOfOperation"][0] == {
        "daysOfWeek": ["mon", "tue", "wed", "thu", "fri"],
        "openingTime": "20:00:00",
        "closingTime": "00:30:00",
    }
    assert places["Centre de consultation Lorient"]["hoursOfOperation"] == [
        {"daysOfWeek": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "allDay": True}
    ]


def test_a_place_that_is_closed_or_full_stays_out(find: Find) -> None:
    # Monday morning: Rennes Nord is closed on Mondays, Cleunay opens in the evening.
    monday = {"start": "2026-11-23T08:00:00+01:00", "end": "2026-11-23T12:00:00+01:00"}
    assert "entry" not in find([RENNES], **monday)
    both = find([RENNES, LORIENT], **monday)
    assert [place["name"] for place in of_type(both, "Location")] == ["Centre de consultation Lorient"]
    assert len(of_type(both, "Organization")) == 1
    names = {place["name"] for place in of_type(find([SIX_PLACES]), "Location")}
    assert len(names) == 5
    assert "Point de garde Arcachon" not in names


@pytest.mark.parametrize("identifier", [CLOSED, "312345678901234"])
def test_nothing_found_is_an_empty_bundle_of_the_flow(find: Find, identifier: str) -> None:
    bundle = find([identifier])
    assert (bundle["meta"]["profile"], bundle["total"]) == ([codes.SOS_BUNDLE_PROFILE], 0)
    assert "entry" not in bundle
    assert bundle["link"][0]["url"].startswith(f"{PUBLIC_URL}/agenda-sos/fhir/Schedule?_revinclude=Slot:schedule")


def test_a_night_goes_on_past_midnight(find: Find) -> None:
    night = {"start": "2026-11-21T00:00:00+01:00", "end": "2026-11-21T01:00:00+01:00"}
    slots = of_type(find([RENNES], **night), "Slot")
    assert [slot["start"] for slot in slots] == ["2026-11-21T00:00:00.000+01:00"]


def test_a_national_identifier_is_announced_when_the_scenario_says_so(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    text = scenario.find("decouverte").read_text(encoding="utf-8")
    structure = 'structure: {finess: "339900101"}'
    path.write_text(text.replace(structure, f"{structure}\n            announced_identifier: national"))
    client = application(scenario.load(path), Clock(NOW), tmp_path).test_client()
    places = of_type(json_of(client.get(sos_search([SIX_PLACES]))), "Location")
    kinds = {place["name"]: place["identifier"][0] for place in places}
    assert kinds["Point de garde Mérignac"]["value"] == "1339900101"
    assert kinds["Point de garde Mérignac"]["system"] == codes.STRUCTURE_OID
    assert kinds["Point de garde Mérignac"]["type"]["coding"][0]["code"] == "IDNST"
    assert kinds["Point de garde Pessac"]["type"]["coding"][0]["code"] == "INTRN"


SOUND = sos_search([RENNES])


@pytest.mark.parametrize(
    "query",
    [
        SOUND.replace("Location:organization", "Location:Organization"),
        SOUND.replace("_include:iterate", "_include"),
        SOUND.replace("&_include:iterate=", ","),
        SOUND.replace("Schedule:actor:Location", "Schedule:actor"),
        SOUND.replace("/Schedule?", "/Schedule/?"),
        SOUND.replace("|", "%7C").replace(":", "%3A"),
        SOUND + "&_count=1000",
    ],
)
def test_every_spelling_is_understood(client: FlaskClient, find: Find, query: str) -> None:
    answer = client.get(query)
    assert answer.status_code == 200, answer.text
    assert json_of(answer)["entry"] == find([RENNES])["entry"]


@pytest.mark.parametrize(
    ("taken_out", "expected"),
    [
        ("&_include:iterate=Location:organization", {"Schedule", "Slot", "Location"}),
        ("&_include=Schedule:actor:Location", {"Schedule", "Slot"}),
        ("_revinclude=Slot:schedule&", {"Schedule", "Location", "Organization"}),
    ],
)
def test_companions_come_only_when_asked(client: FlaskClient, taken_out: str, expected: set[str]) -> None:
    bundle = json_of(client.get(SOUND.replace(taken_out, "")))
    assert {entry["resource"]["resourceType"] for entry in bundle["entry"]} == expected


def test_a_count_has_no_entries(find: Find) -> None:
    assert "entry" not in find([RENNES], extra="&_summary=count")
    assert find([RENNES], extra="&_summary=count")["total"] == find([RENNES])["total"]


def test_an_editor_answers_the_search_of_a_kind_that_it_does_not_keep(client: FlaskClient) -> None:
    for query in (sos_search([RENNES], editor="agenda-ville"), slot_search(["810100050075"], editor="agenda-sos")):
        answer = client.get(query)
        assert (answer.status_code, json_of(answer)["total"]) == (200, 0)
        assert "entry" not in json_of(answer)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("/agenda-sos/fhir/Schedule", "required"),
        (SOUND.replace("start=ge", "start=gt"), "expected ge<dateTime> or le<dateTime>"),
        (SOUND.replace("&_has:Slot:schedule:status=free", ""), f"'{SOS_STATUS}': required"),
        (SOUND.replace(SOS_START, "start"), f"'{SOS_START}': required"),
        (SOUND.replace(SOS_STATUS, "status"), f"'{SOS_STATUS}': required"),
        (SOUND + "&_has:Slot:schedule:specialty=SM54", "'_has:Slot:schedule:specialty': not supported; those that are"),
        (SOUND + "&_has:Appointment:actor:status=booked", "'_has:Appointment:actor:status': not supported"),
        (SOUND.replace("actor:Location.", "actor:Practitioner."), "'actor:Practitioner.organization.identifier': not"),
        (SOUND.replace("actor:Location.", "actor:Practitioner."), f"'{SOS_IDENTIFIER}': required parameter, missing"),
        (SOUND + "&actor.name=x", "'actor.name': not supported"),
        (sos_search(["34173748400020"]), "expected urn:oid:1.2.250.1.71.4.2.2|3 followed by the 14 digits of a SIRET"),
        (sos_search(["1330000001"]), "3 followed by the 14 digits"),
        (SOUND + f",{SYSTEM}|810100050075", f"expected {STRUCTURE_SYSTEM}|<identifier>, not '{SYSTEM}|810100050075'"),
        (SOUND.replace(f"{STRUCTURE_SYSTEM}|", ""), f"expected {STRUCTURE_SYSTEM}|<identifier>"),
        (sos_search([str(300000000000000 + n) for n in range(26)]), "26 identifiers, at most 25"),
        (SOUND + f"&{SOS_STATUS}=free", "given 2 times"),
    ],
)
def test_wrong_parameters_are_refused_by_name(client: FlaskClient, query: str, expected: str) -> None:
    answer = client.get(query)
    assert answer.status_code == 400, answer.text
    assert expected in "\n".join(issue["diagnostics"] for issue in json_of(answer)["issue"])


def test_strictness_refuses_what_is_not_known(client: FlaskClient) -> None:
    strict = {"Prefer": "handling=strict"}
    assert client.get(SOUND, headers=strict).status_code == 200
    answer = client.get(SOUND + "&couleur=bleu&_revinclude=Slot:x", headers=strict)
    told = [issue["diagnostics"] for issue in json_of(answer)["issue"]]
    assert answer.status_code == 400
    assert any("'couleur'" in one for one in told)
    assert any("'Slot:x' is not supported" in one for one in told)


INSTANTS = st.integers(-24 * 60, 6 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=INSTANTS, end=INSTANTS, now=INSTANTS, data=st.data())
def test_a_search_gives_the_free_slots_of_the_window_and_no_other(
    played: LoadedScenario, simulator: Simulator, start: datetime, end: datetime, now: datetime, data: st.DataObject
) -> None:
    start, end = sorted((start, end))
    associations = played.editors[2].associations
    asked = data.draw(st.lists(st.sampled_from(sorted(associations)), min_size=1, unique=True))
    catalogue = Catalogue(played.editors, Clock(now))
    simulator.clock.follow(frozen(now))
    client = simulator.app.test_client()
    query = sos_search(
        asked, start=start.isoformat(timespec="milliseconds"), end=end.isoformat(timespec="milliseconds")
    )
    bundle = client.get(query).json
    window = Window(start, end + timedelta(milliseconds=1))
    expected = [
        (f"Schedule/{place.calendar.key}", slot.start, slot.end)
        for identifier in asked
        for place in associations[identifier].places
        for slot in catalogue.free_slots(place.calendar, window, SOS.exposed)
    ]
    found = [
        (slot["schedule"]["reference"], datetime.fromisoformat(slot["start"]), datetime.fromisoformat(slot["end"]))
        for slot in of_type(bundle, "Slot")
    ]
    assert found == expected
    assert bundle["total"] == len(expected)
    assert {place["id"] for place in of_type(bundle, "Location")} == {
        reference.removeprefix("Schedule/") for reference, _, _ in expected
    }

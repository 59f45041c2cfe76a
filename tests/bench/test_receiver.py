"""The SAS side of INT_R03, as editors and browsers meet it."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mock_editor.base import codes
from mock_editor.base.store import Store
from mock_editor.bench.receiver.received import Inbox
from tests.bench.conftest import BRIAND, RENEE, platform_app, text
from tests.conftest import json_of, pieces_of
from tests.validation.guide import SHARED, VERSIONS, errors_of, needs_validator

PUBLIC_URL = "https://sas.example"
BASE = "/_sas/fhir/Appointment"
EDITOR = "urn:oid:1.2.3.4"
UUID = "b6e39355-8a61-4556-b340-36f7b95fec6a"
ABSENT = object()

Resource = dict[str, Any]
Send = Callable[..., TestResponse]


class Time:
    """The time of a test: a second later with every look."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def identifier(system: str, code: str, value: str) -> Resource:
    return {"type": {"coding": [{"system": codes.FR_V2_0203, "code": code}]}, "system": system, "value": value}


def operator(**changes: Any) -> Resource:
    """The extension that names the regulator."""
    regulator = identifier(codes.PRACTITIONER_OID, "IDNPS", "3456780581/11242343") | changes
    return {"url": codes.APPOINTMENT_OPERATOR, "valueReference": {"identifier": sent(regulator)}}


def practitioner(**changes: Any) -> Resource:
    """The participant who consults."""
    known = identifier(codes.PRACTITIONER_OID, "IDNPS", "810100050075") | changes
    return {"actor": {"identifier": sent(known)}, "status": "accepted"}


UNKNOWN = {"type": [{"coding": [{"system": codes.PARTICIPATION_TYPE, "code": "ADM"}]}], "status": "needs-action"}
OTHER = {"url": "urn:x", "valueString": "y"}
PENDING: Resource = {"status": "pending", "participant": [UNKNOWN]}


def sent(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if value is not ABSENT}


def appointment(value: Any = UUID, **changes: Any) -> Resource:
    """A sound body, as the guide's own example."""
    return sent(
        {
            "resourceType": "Appointment",
            "meta": {"profile": [codes.APPOINTMENT_PROFILE]},
            "extension": [operator()],
            "identifier": [{"system": EDITOR, "value": value}],
            "status": "booked",
            "start": "2026-11-20T14:00:00.000+01:00",
            "end": "2026-11-20T14:15:00.000+01:00",
            "created": "2026-11-20T08:00:00.000+01:00",
            "participant": [practitioner()],
        }
        | changes
    )


def sos(**changes: Any) -> Resource:
    """A sound body for SOS Médecins, whose doctor is not known."""
    return appointment(**{"meta": {"profile": [codes.SOS_APPOINTMENT_PROFILE]}} | PENDING | changes)


def application(store: Store, public_url: str = PUBLIC_URL) -> Flask:
    return platform_app(store, public_url, Time())


@pytest.fixture
def client(store: Store) -> FlaskClient:
    return application(store).test_client()


@pytest.fixture
def post(client: FlaskClient) -> Send:
    def send(body: Any, **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return client.post(BASE, data=data, content_type="application/fhir+json", headers=headers)

    return send


@pytest.fixture
def put(client: FlaskClient) -> Send:
    def send(body: Any, token: str = f"{EDITOR}|{UUID}", **headers: str) -> TestResponse:
        return client.put(f"{BASE}?identifier={token}", json=body, headers=headers)

    return send


@pytest.fixture
def kept(client: FlaskClient) -> Callable[[], list[Resource]]:
    """What the receiver has."""

    def listed() -> list[Resource]:
        bundle = json_of(client.get(BASE))
        Bundle.model_validate(bundle)
        return [entry["resource"] for entry in bundle.get("entry", [])]

    return listed


def expressions(response: TestResponse) -> list[str]:
    outcome = json_of(response)
    assert outcome["resourceType"] == "OperationOutcome", response.text
    return [issue["expression"][0].removeprefix("Appointment.") for issue in outcome["issue"] if "expression" in issue]


# --- create and update


def test_a_notification_is_kept_under_an_id_of_the_server(post: Send, client: FlaskClient) -> None:
    answer = post(appointment(id="mine", meta={"profile": [codes.APPOINTMENT_PROFILE], "versionId": "77"}))
    assert answer.status_code == 201
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Fri, 20 Nov 2026 07:00:01 GMT"
    told = json_of(answer)
    assert told["id"] != "mine"
    assert answer.location == f"{PUBLIC_URL}{BASE}/{told['id']}"
    assert told == appointment(id=told["id"]) | {
        "meta": {
            "versionId": "1",
            "lastUpdated": "2026-11-20T08:00:01.000+01:00",
            "profile": [codes.APPOINTMENT_PROFILE],
        }
    }
    read = client.get(answer.location.removeprefix(PUBLIC_URL))
    assert (read.json, read.headers["ETag"]) == (told, 'W/"1"')
    assert read.content_type == codes.FHIR_JSON


def test_an_update_makes_a_version(post: Send, put: Send, kept: Callable[[], list[Resource]]) -> None:
    first = post(appointment())
    answer = put(appointment(status="cancelled"))
    assert (answer.status_code, answer.headers["ETag"], answer.location) == (200, 'W/"2"', first.location)
    assert answer.headers["Last-Modified"] == "Fri, 20 Nov 2026 07:00:02 GMT"
    [now] = kept()
    assert (now["status"], now["meta"]["versionId"]) == ("cancelled", "2")


def test_an_update_of_an_unknown_appointment_creates_it(put: Send, kept: Callable[[], list[Resource]]) -> None:
    answer = put(appointment())
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"1"')
    assert answer.location
    assert len(kept()) == 1


def test_the_same_again_changes_nothing_and_is_remembered(put: Send, post: Send, store: Store) -> None:
    post(appointment())
    again = [put(appointment() | {"text": {}, "id": str(n)}) for n in range(2)]
    assert [(one.status_code, one.headers["ETag"]) for one in again] == [(200, 'W/"1"')] * 2
    assert again[1].headers["Last-Modified"] == "Fri, 20 Nov 2026 07:00:01 GMT"
    [version] = Inbox(store, Time()).versions(json_of(again[0])["id"])
    assert [one.second for one in (version.received, *version.again)] == [1, 2, 3]
    assert version.method == "POST"


def test_back_to_an_earlier_state_is_a_third_version(put: Send) -> None:
    for status in ("booked", "noshow", "booked"):
        answer = put(appointment(status=status))
    assert answer.headers["ETag"] == 'W/"3"'


def test_a_second_creation_is_refused(post: Send, kept: Callable[[], list[Resource]]) -> None:
    first = post(appointment())
    answer = post(appointment(status="cancelled"))
    assert (answer.status_code, json_of(answer)["issue"][0]["code"]) == (422, "duplicate")
    assert expressions(answer) == ["identifier[0]"]
    assert kept() == [first.json]


def test_ids_follow_from_identifiers(post: Send, store: Store) -> None:
    before = json_of(post(appointment()))["id"]
    with store.writing() as db:
        Inbox(store, Time()).reset(db)
    assert json_of(post(appointment("other")))["id"] != before
    assert json_of(post(appointment()))["id"] == before


def test_the_same_value_of_another_editor_is_another_appointment(
    post: Send, kept: Callable[[], list[Resource]]
) -> None:
    for system in (EDITOR, "https://editor.example/rdv"):
        assert post(appointment(identifier=[{"system": system, "value": UUID}])).status_code == 201
    assert len(kept()) == 2


def test_an_update_by_id(post: Send, client: FlaskClient) -> None:
    path = post(appointment()).location.removeprefix(PUBLIC_URL)
    answer = client.put(path, json=appointment(status="fulfilled"))
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    answer = client.put(path, json=appointment("other"))
    assert (answer.status_code, expressions(answer)) == (422, ["identifier[0]"])
    answer = client.put(f"{BASE}/unknown", json=appointment())
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_body_with_another_identifier_than_the_url(put: Send, kept: Callable[[], list[Resource]]) -> None:
    answer = put(appointment("other"))
    assert (answer.status_code, expressions(answer)) == (422, ["identifier[0]"])
    assert kept() == []


@pytest.mark.parametrize(
    ("created", "status"),
    [
        ("2026-11-20T08:00:00.001+01:00", 422),
        ("2026-11-20T07:00:00+01:00", 422),
        # The same instant, written in another way.
        ("2026-11-20T07:00:00Z", 200),
    ],
)
def test_created_never_changes(post: Send, put: Send, created: str, status: int) -> None:
    post(appointment())
    answer = put(appointment(status="cancelled", created=created))
    assert answer.status_code == status
    if status == 422:
        assert expressions(answer) == ["created"]


def test_the_life_of_an_appointment_at_sos(post: Send, put: Send) -> None:
    assert post(sos()).status_code == 201
    assert put(sos(status="booked", participant=[practitioner()])).status_code == 200
    assert put(sos(status="noshow", participant=[practitioner()])).headers["ETag"] == 'W/"3"'


@pytest.mark.parametrize("method", ["post", "put"])
@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        ("return=minimal", None),
        ("return=OperationOutcome", "OperationOutcome"),
        ("return=representation", "Appointment"),
    ],
)
def test_what_is_wanted_in_return(post: Send, put: Send, method: str, prefer: str, kind: str | None) -> None:
    body = appointment(colour="blue")
    answer = post(body, Prefer=prefer) if method == "post" else put(body, Prefer=prefer)
    assert answer.status_code == 201
    assert answer.location
    assert answer.headers["ETag"] == 'W/"1"'
    if kind is None:
        assert answer.data == b""
    else:
        assert json_of(answer)["resourceType"] == kind
    if kind == "OperationOutcome":
        assert expressions(answer) == ["colour"]


# --- reading and searching


def test_a_search_by_identifier(post: Send, client: FlaskClient) -> None:
    told = [json_of(post(appointment(value))) for value in ("a,b", "c|d ")]
    for value, expected in (("a,b", told[0]), ("a\\,b", told[0]), ("c|d", told[1]), ("c%7Cd+", told[1])):
        bundle = json_of(client.get(f"{BASE}?identifier={EDITOR}|{value}"))
        Bundle.model_validate(bundle)
        assert (bundle["type"], bundle["total"]) == ("searchset", 1)
        [entry] = bundle["entry"]
        assert entry == {
            "fullUrl": f"{PUBLIC_URL}{BASE}/{expected['id']}",
            "resource": expected,
            "search": {"mode": "match"},
        }


def test_a_search_that_finds_nothing(client: FlaskClient) -> None:
    query = f"identifier={EDITOR}%7C%C3%A9{UUID}"
    bundle = json_of(client.get(f"{BASE}/?{query}"))
    assert (bundle["total"], "entry" in bundle) == (0, False)
    assert bundle["link"] == [{"relation": "self", "url": f"{PUBLIC_URL}{BASE}?{query}"}]


def test_all_are_listed_the_last_changed_first_and_not_too_many(post: Send, put: Send, client: FlaskClient) -> None:
    for n in range(201):
        assert post(appointment(f"{n}")).status_code == 201
    put(appointment("7", status="cancelled"), f"{EDITOR}|7")
    put(appointment("5"), f"{EDITOR}|5")  # came again as it was
    bundle = json_of(client.get(BASE))
    values = [entry["resource"]["identifier"][0]["value"] for entry in bundle["entry"]]
    assert (bundle["total"], len(values)) == (201, 200)
    assert values[:3] == ["7", "200", "199"]
    page = client.get("/_sas/rendez-vous").text
    assert "Les 200 derniers modifiés, sur 201." in page
    assert page.count("<tr>") == 201


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "required"),
        ("?identifier=", "required"),
        ("?identifier=+", "required"),
        ("?identifier=b6e39355", "expected <system>|<value>"),
        ("?identifier=|b6e39355", "expected <system>|<value>"),
        ("?identifier=urn:oid:1.2|", "expected <system>|<value>"),
        ("?identifier=a|b&identifier=a|b", "given 2 times"),
        ("?Identifier=a|b", "required"),
    ],
)
def test_an_identifier_that_makes_no_sense(client: FlaskClient, query: str, text: str) -> None:
    answers = [client.put(BASE + query, json=appointment())]
    if query.startswith("?i"):
        answers.append(client.get(BASE + query))
    for answer in answers:
        assert answer.status_code == 400
        assert text in json_of(answer)["issue"][0]["diagnostics"]


def test_a_conditional_update_is_by_identifier_alone(
    client: FlaskClient, put: Send, kept: Callable[[], list[Resource]]
) -> None:
    put(appointment())
    answer = client.put(f"{BASE}?identifier={EDITOR}|{UUID}&status=booked", json=appointment(status="cancelled"))
    assert (answer.status_code, json_of(answer)["issue"][0]["code"]) == (400, "not-supported")
    assert [one["status"] for one in kept()] == ["booked"]


def test_a_request_that_is_for_another_version_changes_nothing(
    client: FlaskClient, post: Send, put: Send, kept: Callable[[], list[Resource]]
) -> None:
    assert post(appointment(), **{"If-None-Exist": "identifier=x"}).status_code == 400
    assert put(appointment(), **{"If-Match": "*"}).status_code == 412
    created = put(appointment(), **{"If-None-Match": "*"})
    assert created.status_code == 201
    path = created.headers["Location"].removeprefix(PUBLIC_URL)
    cancelled = appointment(status="cancelled")
    for headers in ({"If-None-Match": "*"}, {"If-Match": 'W/"2", W/"3"'}):
        assert put(cancelled, **headers).status_code == 412
        assert client.put(path, json=cancelled, headers=headers).status_code == 412
    assert [one["status"] for one in kept()] == ["booked"]
    assert client.get(path, headers={"If-None-Match": 'W/"1"'}).status_code == 304
    assert client.put(path, json=cancelled, headers={"If-Match": 'W/"3", W/"1"'}).status_code == 200


def test_an_unknown_parameter_is_refused_where_that_is_wanted(client: FlaskClient) -> None:
    for path in (f"{BASE}?status=booked", f"{BASE}?identifier=a|b&status=booked"):
        assert client.get(path).status_code == 200
        assert client.get(path, headers={"Prefer": "handling=strict"}).status_code == 400


@pytest.mark.parametrize("identifier", ["unknown", "%00", "%FF", "a'b", "é" * 500])
def test_an_unknown_id(client: FlaskClient, identifier: str) -> None:
    answer = client.get(f"{BASE}/{identifier}")
    assert (answer.status_code, json_of(answer)["issue"][0]["code"]) == (404, "not-found")


def test_metadata_says_what_there_is(client: FlaskClient) -> None:
    told = json_of(client.get("/_sas/fhir/metadata"))
    CapabilityStatement.model_validate(told)
    [resource] = told["rest"][0]["resource"]
    assert resource["type"] == "Appointment"
    assert resource["supportedProfile"] == [codes.APPOINTMENT_PROFILE, codes.SOS_APPOINTMENT_PROFILE]
    assert {one["code"] for one in resource["interaction"]} == {"read", "search-type", "create", "update"}
    assert [one["name"] for one in resource["searchParam"]] == ["identifier"]
    # Ids are the server's own (an unknown one is a 405), whatever the guide says.
    assert (resource["conditionalUpdate"], resource["updateCreate"]) == (True, False)
    assert "updateCreate" in resource["documentation"]
    assert told["implementation"]["url"] == f"{PUBLIC_URL}/_sas/fhir"


def test_the_platforms_own_statements_are_kept(client: FlaskClient) -> None:
    found = sorted((SHARED / "ig").glob("*/CapabilityStatement-SAS-GestionnaireAgenda-RDV*.json"))
    if not found:
        pytest.skip("needs the guide in ../shared/ig")
    told = json_of(client.get("/_sas/fhir/metadata"))
    [offered] = told["rest"][0]["resource"]
    statements = [json.loads(path.read_bytes()) for path in found]
    assert {one["url"] for one in statements} == set(told["instantiates"])
    for statement in statements:
        [wanted] = statement["rest"][0]["resource"]
        assert wanted["profile"] in offered["supportedProfile"]
        assert all(one in offered["interaction"] for one in wanted["interaction"])
        assert {one["name"] for one in wanted["searchParam"]} <= {one["name"] for one in offered["searchParam"]}
        assert offered["conditionalUpdate"] == wanted["conditionalUpdate"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *((method, "", "GET, HEAD, POST, PUT") for method in ("DELETE", "PATCH", "OPTIONS")),
        *((method, "/x", "GET, HEAD, PUT") for method in ("DELETE", "PATCH", "POST")),
    ],
)
def test_other_methods(client: FlaskClient, method: str, path: str, allowed: str) -> None:
    answer = client.open(BASE + path, method=method)
    assert answer.status_code == 405
    assert ", ".join(sorted(answer.headers["Allow"].replace(" ", "").split(","))) == allowed


# --- what a request is


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/fhir+json; charset=utf-8", "application/json+fhir", "Application/JSON"],
)
def test_the_media_types_of_json(client: FlaskClient, media_type: str) -> None:
    assert client.post(BASE, data=json.dumps(appointment()), content_type=media_type).status_code == 201


@pytest.mark.parametrize("headers", [{"Content-Type": "application/fhir+xml"}, {"Content-Type": "text/plain"}, {}])
def test_other_media_types(client: FlaskClient, headers: dict[str, str]) -> None:
    body = json.dumps(appointment())
    for answer in (
        client.post(BASE, data=body, headers=headers),
        client.put(f"{BASE}?identifier=a|b", data=body, headers=headers),
    ):
        assert (answer.status_code, json_of(answer)["resourceType"]) == (415, "OperationOutcome")


def test_xml_wanted_in_return_changes_nothing(post: Send, client: FlaskClient, kept: Callable[..., Any]) -> None:
    assert post(appointment(), Accept="application/fhir+xml").status_code == 406
    assert client.get(BASE, headers={"Accept": "application/fhir+xml"}).status_code == 406
    assert client.get(f"{BASE}?_format=xml").status_code == 406
    assert kept() == []


def test_a_body_over_a_megabyte(post: Send) -> None:
    answer = post(appointment(comment="x" * 1_000_000))
    assert (answer.status_code, json_of(answer)["issue"][0]["code"]) == (413, "too-long")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not JSON"),
        (b"<Appointment/>", "not JSON"),
        (b"[]", "not 'list'"),
        (b'{"resourceType": "Practitioner"}', "not 'Practitioner'"),
        (b'{"resourceType": "Appointment", "x": ' + b"[" * 900 + b"]" * 900 + b"}", "nested deeper than"),
        # Where nobody looks, there is no depth either.
        (b'{"resourceType": "Appointment", "id": ' + b"[" * 900 + b"]" * 900 + b"}", "required"),
        (b'{"resourceType": "Appointment", "@": ' + b'{"a":' * 900 + b"1" + b"}" * 901, "required"),
    ],
)
def test_what_is_no_appointment(post: Send, body: bytes, text: str) -> None:
    answer = post(body)
    assert answer.status_code == 400
    assert text in json_of(answer)["issue"][0]["diagnostics"] + json_of(answer)["issue"][0]["code"]


def test_depth_where_nobody_looks_is_no_error_of_ours(post: Send) -> None:
    deep = json.loads(b'{"a":' * 900 + b"1" + b"}" * 900)
    assert post(appointment(id=deep, **{"@": deep})).status_code == 201


# --- the rules of the flow and of its profiles

EDITOR_IDENTIFIER = {"system": EDITOR, "value": UUID}
TECHNICAL = {"system": codes.SAS_OID, "type": {"coding": [{"system": codes.FR_V2_0203, "code": "INTRN"}]}}

SOUND: dict[str, Resource] = {
    "as the guide shows it": appointment(),
    **{status: appointment(status=status) for status in ("fulfilled", "noshow", "cancelled")},
    "the regulator by technical identifier": appointment(extension=[operator(**TECHNICAL)]),
    "any shape of the regulator's identifier": appointment(extension=[operator(value="é, |/?\\")]),
    "another extension": appointment(extension=[OTHER, operator()]),
    "an ADELI": appointment(participant=[practitioner(value="0750123456")]),
    "an ADELI of Corsica": appointment(participant=[practitioner(value="02A0123456")]),
    "the editor by URL": appointment(identifier=[{"system": "https://editor.example/rdv", "value": "1"}]),
    "times in UTC": appointment(start="2026-11-20T13:00:00Z", created="2026-11-20T07:00:00.123456Z"),
    "start and end with different offsets": appointment(end="2026-11-20T13:00:00.001Z"),
    "two practitioners": appointment(participant=[practitioner(), practitioner(value="810002673899")]),
    "texts": appointment(comment="Rappeler le patient", description="Toux", patientInstruction="À jeun"),
    "a reason for cancelling": appointment(status="cancelled", cancelationReason={"text": "x"}),
    "a practitioner contained": appointment(
        contained=[{"resourceType": "Practitioner", "id": "p"}], supportingInformation=[{"reference": "#p"}]
    ),
    "an empty element": appointment(comment="", slot=[], text={}),
    "an unknown element": appointment(colour="blue", location={"name": "x"}),
    "SOS: pending": sos(),
    "SOS: pending, with the doctor's name to come": sos(participant=[UNKNOWN | {"required": "required"}]),
    "SOS: booked": sos(status="booked", participant=[practitioner()]),
    "SOS: cancelled by a known doctor": sos(status="cancelled", participant=[practitioner()]),
    "SOS: cancelled before a doctor was known": sos(status="cancelled"),
    "SOS: nobody came before a doctor was known": sos(status="noshow"),
}

# The body; the status; where the faults are told to be.
UNSOUND: dict[str, tuple[Resource, int, list[str]]] = {
    # profile
    "no profile": (appointment(meta=ABSENT), 422, ["meta.profile"]),
    "an empty profile": (appointment(meta={"profile": [""]}), 422, ["meta.profile"]),
    "an unknown profile": (appointment(meta={"profile": [codes.SLOT_PROFILE]}), 422, ["meta.profile"]),
    "the profile's URL as on the guide's page": (
        appointment(
            meta={"profile": ["https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrAppointmentSAS"]}
        ),
        422,
        ["meta.profile"],
    ),
    "both profiles": (
        appointment(meta={"profile": [codes.APPOINTMENT_PROFILE, codes.SOS_APPOINTMENT_PROFILE]}),
        422,
        ["meta.profile"],
    ),
    # identifier
    "no identifier": (appointment(identifier=[]), 422, ["identifier"]),
    "an identifier as JSON in a text": (appointment(identifier=['{"value": "1"}']), 400, ["identifier[0]"]),
    "two identifiers": (
        appointment(identifier=[EDITOR_IDENTIFIER, EDITOR_IDENTIFIER | {"value": "2"}]),
        422,
        ["identifier[1]"],
    ),
    "an identifier without system": (appointment(identifier=[{"value": UUID}]), 422, ["identifier[0].system"]),
    "an identifier without value": (
        appointment(identifier=[EDITOR_IDENTIFIER | {"value": " "}]),
        422,
        ["identifier[0].value"],
    ),
    **{
        f"a system that is {name}": (
            appointment(identifier=[{"system": system, "value": UUID}]),
            422,
            ["identifier[0].system"],
        )
        for name, system in {
            "an OID alone": "1.2.3.4",
            "no OID": "urn:oid:4.5",
            "another URN": "urn:uuid:1",
            "a name": "editor",
            "a URL without host": "https://",
            "a URL of another kind": "ftp://editor.example",
        }.items()
    },
    "an unknown use": (
        appointment(identifier=[EDITOR_IDENTIFIER | {"use": "rare"}]),
        422,
        ["identifier[0].use"],
    ),
    "the fault after an empty member": (
        appointment(identifier=[{}, {"system": "x"}]),
        422,
        [
            "identifier[1].system",
            "identifier[1].value",
        ],
    ),
    "an identifier that is no list": (appointment(identifier=EDITOR_IDENTIFIER), 400, ["identifier"]),
    # status
    "no status": (appointment(status=ABSENT), 400, ["status"]),
    "a status that only has an extension": (
        appointment(status=ABSENT, _status={"extension": [OTHER]}),
        422,
        ["status"],
    ),
    "a status of FHIR that is none of the flow": (appointment(status="arrived"), 422, ["status"]),
    "pending elsewhere than at SOS": (appointment(status="pending"), 422, ["status"]),
    "a reason for cancelling what is booked": (
        appointment(cancelationReason={"text": "x"}),
        422,
        ["cancelationReason"],
    ),
    # times
    **{f"no {name}": (appointment(**{name: ABSENT}), 422, [name]) for name in ("start", "end", "created")},
    **{
        f"{name} {how}": (appointment(**{name: value}), 400, [name])
        for name in ("start", "end", "created")
        for how, value in {
            "without offset": "2026-11-20T14:05:00",
            "without seconds": "2026-11-20T14:05+01:00",
            "as a number": 1_800_000_000,
            "as a list": ["2026-11-20T14:05:00+01:00"],
            "in French": "20/11/2026 14:05",
            "on a day that is none": "2026-11-31T14:05:00+01:00",
        }.items()
    },
    "start as a day": (appointment(start="2026-11-20"), 400, ["start"]),
    "created as a day": (appointment(created="2026-11-20"), 422, ["created"]),
    "created as a year": (appointment(created="2026"), 422, ["created"]),
    "end at start": (appointment(end="2026-11-20T13:00:00Z"), 422, ["end"]),
    "end before start": (appointment(end="2026-11-20T14:15:00+02:00"), 422, ["end"]),
    # the regulator
    "no regulator": (appointment(extension=ABSENT), 422, ["extension"]),
    "another extension alone": (appointment(extension=[OTHER]), 422, ["extension"]),
    "two regulators": (appointment(extension=[operator(), operator()]), 422, ["extension[1]"]),
    "a regulator by name": (
        appointment(extension=[{"url": codes.APPOINTMENT_OPERATOR, "valueString": "Camille"}]),
        422,
        ["extension[0].value.identifier"],
    ),
    "a regulator by reference": (
        appointment(extension=[{"url": codes.APPOINTMENT_OPERATOR, "valueReference": {"reference": "Practitioner/1"}}]),
        422,
        ["extension[0].value.identifier"],
    ),
    "an extension in the regulator's": (
        appointment(extension=[operator() | {"extension": [OTHER]}]),
        422,
        ["extension[0].extension"],
    ),
    "a regulator without system": (
        appointment(extension=[operator(system=ABSENT)]),
        422,
        ["extension[0].value.identifier.system"],
    ),
    "a regulator of another system": (
        appointment(extension=[operator(system=EDITOR)]),
        422,
        ["extension[0].value.identifier.system"],
    ),
    "a regulator without value": (
        appointment(extension=[operator(value="")]),
        422,
        ["extension[0].value.identifier.value"],
    ),
    "a regulator without type": (
        appointment(extension=[operator(type=ABSENT)]),
        422,
        ["extension[0].value.identifier.type.coding"],
    ),
    "a regulator whose type does not go with the system": (
        appointment(extension=[operator(system=codes.SAS_OID)]),
        422,
        ["extension[0].value.identifier.type.coding[0].code"],
    ),
    "a regulator's type of another code system": (
        appointment(extension=[operator(type={"coding": [{"system": codes.FR_CORE_V2_0203, "code": "IDNPS"}]})]),
        422,
        ["extension[0].value.identifier.type.coding[0].system"],
    ),
    "a regulator's type without code system": (
        appointment(extension=[operator(type={"coding": [{}, {"code": "IDNPS"}]})]),
        422,
        ["extension[0].value.identifier.type.coding[1].system"],
    ),
    "a regulator's type twice": (
        appointment(extension=[operator(type={"coding": 2 * [{"system": codes.FR_V2_0203, "code": "IDNPS"}]})]),
        422,
        ["extension[0].value.identifier.type.coding"],
    ),
    "a value of the wrong kind, as FHIRPath says it": (
        appointment(extension=[{"url": codes.APPOINTMENT_OPERATOR, "valueReference": "Practitioner/1"}]),
        400,
        ["extension[0].value"],
    ),
    # the practitioner
    "no participant": (appointment(participant=[]), 400, ["participant"]),
    "a participant without status": (
        appointment(participant=[{"actor": practitioner()["actor"]}]),
        400,
        ["participant[0].status"],
    ),
    "a participant without actor": (
        appointment(participant=[{"status": "accepted"}]),
        422,
        ["participant[0].actor.identifier"],
    ),
    "a participant by reference": (
        appointment(participant=[{"actor": {"reference": "Practitioner/1"}, "status": "accepted"}]),
        422,
        ["participant[0].actor.identifier"],
    ),
    "a second participant that is a place": (
        appointment(participant=[practitioner(), {"actor": {"display": "Cabinet"}, "status": "accepted"}]),
        422,
        ["participant[1].actor.identifier"],
    ),
    "a participant that has not accepted": (
        appointment(participant=[practitioner() | {"status": "needs-action"}]),
        422,
        ["participant[0].status"],
    ),
    "a participant of another system": (
        appointment(participant=[practitioner(system=EDITOR)]),
        422,
        ["participant[0].actor.identifier.system"],
    ),
    "a participant by technical identifier": (
        appointment(participant=[practitioner(**TECHNICAL)]),
        422,
        ["participant[0].actor.identifier.system", "participant[0].actor.identifier.type.coding[0].code"],
    ),
    "a participant of another type": (
        appointment(participant=[practitioner(type={"coding": [{"system": codes.FR_V2_0203, "code": "RPPS"}]})]),
        422,
        ["participant[0].actor.identifier.type.coding[0].code"],
    ),
    **{
        f"a practitioner's identifier {name}": (
            appointment(participant=[practitioner(value=value)]),
            422,
            ["participant[0].actor.identifier.value"],
        )
        for name, value in {
            "without prefix": "10100050075",
            "with a prefix of structures": "310100050075",
            "too long": "8101000500755",
            "in other digits": "8١0100050075",
            "missing": "",
        }.items()
    },
    "an unknown requirement": (
        appointment(participant=[practitioner() | {"required": "yes"}]),
        422,
        ["participant[0].required"],
    ),
    "nobody known elsewhere than at SOS": (
        appointment(participant=[UNKNOWN]),
        422,
        ["participant[0].status", "participant[0].actor.identifier"],
    ),
    # SOS Médecins
    "SOS: another extension": (sos(extension=[OTHER, operator()]), 422, ["extension[0]"]),
    "SOS: pending without ADM": (sos(participant=[{"status": "needs-action"}]), 422, ["participant[0].type"]),
    "SOS: pending with another type": (
        sos(participant=[{"status": "needs-action", "type": [{"coding": [{"system": "urn:x", "code": "ADM"}]}]}]),
        422,
        ["participant[0].type"],
    ),
    "SOS: pending and accepted": (sos(participant=[UNKNOWN | {"status": "accepted"}]), 422, ["participant[0].status"]),
    "SOS: pending with a doctor": (
        sos(participant=[practitioner()]),
        422,
        ["participant[0].type", "participant[0].status"],
    ),
    "SOS: booked with nobody": (
        sos(status="booked"),
        422,
        ["participant[0].status", "participant[0].actor.identifier"],
    ),
    "SOS: honoured by nobody": (
        sos(status="fulfilled"),
        422,
        ["participant[0].status", "participant[0].actor.identifier"],
    ),
    "SOS: a status of FHIR that is none of the flow": (
        sos(status="waitlist", participant=[practitioner()]),
        422,
        ["status"],
    ),
    # patients
    "a patient by reference": (
        appointment(participant=[practitioner(), {"actor": {"reference": "Patient/1"}, "status": "accepted"}]),
        422,
        ["participant[1].actor"],
    ),
    "a patient by name": (
        appointment(participant=[{"actor": {"type": "Patient", "display": "Jean"}, "status": "accepted"}]),
        422,
        ["participant[0].actor"],
    ),
    "a patient by URL": (
        appointment(supportingInformation=[{"reference": "https://x.example/fhir/Patient/1/_history/2"}]),
        422,
        ["supportingInformation[0]"],
    ),
    "a patient by national identifier": (
        appointment(
            participant=[
                {
                    "actor": {"identifier": {"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "1"}},
                    "status": "accepted",
                }
            ]
        ),
        422,
        [
            "participant[0].actor.identifier.system",
            "participant[0].actor.identifier.type.coding",
            "participant[0].actor.identifier.value",
            "participant[0].actor.identifier",
        ],
    ),
    "a patient contained": (
        appointment(contained=[{"resourceType": "Location", "id": "l"}, {"resourceType": "Patient", "id": "p"}]),
        422,
        ["contained[1]"],
    ),
    "a relative contained": (
        appointment(contained=[{"resourceType": "RelatedPerson", "patient": {"display": "x"}}]),
        422,
        ["contained[0]"],
    ),
    "a patient where FHIR has no element": (
        appointment(patient={"subject": [{"reference": "Patient/1"}]}),
        422,
        ["patient.subject[0]"],
    ),
    "a patient in an extension": (
        appointment(extension=[operator(), {"url": "urn:x", "valueReference": {"reference": "Patient?identifier=1"}}]),
        422,
        ["extension[1].value"],
    ),
    # several
    "many faults": (
        {
            "resourceType": "Appointment",
            "status": "arrived",
            "start": "2026-11-20T14:00:00+01:00",
            "end": "2026-11-20T13:00:00+01:00",
            "participant": [{"status": "declined", "actor": {"reference": "Patient/1"}}, {"status": "declined"}],
        },
        422,
        [
            *("meta.profile", "extension", "identifier", "status", "created", "end"),
            *("participant[1].status", "participant[1].actor.identifier", "participant[0].actor"),
        ],
    ),
    "several that are no FHIR": (
        appointment(status=5, start="14 h", comment="\u0000", colour=1),
        400,
        ["comment", "start", "status"],
    ),
}


@pytest.mark.parametrize("body", SOUND.values(), ids=SOUND.keys())
def test_a_sound_body_is_kept(put: Send, post: Send, client: FlaskClient, body: Resource) -> None:
    answer = post(body)
    assert answer.status_code == 201, answer.text
    left = {name: value for name, value in body.items() if value and name not in ("meta", "colour", "location")}
    assert {name: value for name, value in json_of(answer).items() if name not in ("id", "meta")} == left
    system, value = (body["identifier"][0][name] for name in ("system", "value"))
    assert put(body, f"{system}|{value}").status_code == 200
    assert client.get("/_sas/rendez-vous").status_code == 200
    assert client.get(f"/_sas/rendez-vous/{json_of(answer)['id']}").status_code == 200


@pytest.mark.parametrize("method", ["post", "put"])
@pytest.mark.parametrize(("body", "status", "places"), UNSOUND.values(), ids=UNSOUND.keys())
def test_an_unsound_body_is_refused_with_every_fault_in_its_place(
    post: Send, put: Send, kept: Callable[..., Any], method: str, body: Resource, status: int, places: list[str]
) -> None:
    answer = post(body) if method == "post" else put(body)
    assert answer.status_code == status, answer.text
    assert sorted(expressions(answer)) == sorted(places)
    assert kept() == []


def test_a_refused_update_changes_nothing(post: Send, put: Send, kept: Callable[[], list[Resource]]) -> None:
    before = post(appointment()).json
    assert put(appointment(status="arrived")).status_code == 422
    assert kept() == [before]


EXAMPLES = [
    path for version in VERSIONS for path in sorted((SHARED / "ig" / version / "example").glob("Appointment-*.json"))
]


# Those of 1.1.0 lack what INT_R03 wants and their profile leaves open.
REFUSED = {("1.1.0", "Appointment-1"): ["created"], ("1.1.0", "Appointment-2"): ["created"]}


@pytest.mark.shared
@pytest.mark.skipif(not EXAMPLES, reason="needs the guide in ../shared/ig")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_the_guides_examples(client: FlaskClient, path: Path) -> None:
    body = json.loads(path.read_bytes())
    [known] = body["identifier"]
    answer = client.put(f"{BASE}?identifier={known['system']}|{known['value']}", json=body)
    if refused := REFUSED.get((path.parents[1].name, path.stem)):
        assert (answer.status_code, expressions(answer)) == (422, refused)
        return
    assert answer.status_code == 201, answer.text
    assert json_of(answer)["meta"]["profile"] == body["meta"]["profile"]
    assert {**json_of(answer), "id": body["id"], "meta": body["meta"]} == body


# What INT_R03 wants and its profiles leave open, or say in words only.
NOT_IN_THE_PROFILES = {
    *(name for name in UNSOUND if name.startswith(("a system that is", "SOS:", "a patient by", "a practitioner's"))),
    *("no profile", "both profiles", "the profile's URL as on the guide's page"),
    *("no created", "created as a day", "created as a year", "end at start", "end before start"),
    *("a status of FHIR that is none of the flow", "a status that only has an extension"),
    *("pending elsewhere than at SOS", "a participant by reference", "a second participant that is a place"),
    *("a regulator of another system", "a regulator whose type does not go with the system"),
} - {
    *("SOS: another extension", "SOS: pending without ADM"),
    *("a patient by national identifier", "a practitioner's identifier missing"),
}
# 1.2.0 lets the participant of every appointment wait; the guide's page and 1.1.0 do not.
ONLY_IN_1_1_0 = {"a participant that has not accepted", "nobody known elsewhere than at SOS"}


@pytest.mark.shared
@needs_validator
def test_what_is_sound_follows_its_profile(tmp_path: Path) -> None:
    files = []
    for at, body in enumerate(SOUND.values()):
        files.append(tmp_path / f"{at}.json")
        known = {name: value for name, value in body.items() if value and name not in ("colour", "location")}
        files[-1].write_text(json.dumps(known))
    assert errors_of(files) == []


@pytest.mark.shared
@needs_validator
def test_what_is_refused_breaks_its_profile(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{at}.json" for at, name in enumerate(UNSOUND)}
    for name, path in files.items():
        path.write_text(json.dumps(UNSOUND[name][0]))
    found = errors_of(list(files.values()))
    for version in VERSIONS:
        blamed = {name for name, path in files.items() if any(e.startswith(f"{version} {path.name} ") for e in found)}
        allowed = NOT_IN_THE_PROFILES | (ONLY_IN_1_1_0 if version == "1.2.0" else set())
        assert set(files) - blamed == allowed


# --- many at once, and anything


def test_thirty_updates_at_once_make_one_appointment(store: Store, kept: Callable[[], list[Resource]]) -> None:
    app = application(store)

    def send(_: int) -> int:
        return app.test_client().put(f"{BASE}?identifier={EDITOR}|{UUID}", json=appointment()).status_code

    with ThreadPoolExecutor(30) as pool:
        assert sorted(pool.map(send, range(30))) == [200] * 29 + [201]
    [one] = kept()
    assert one["meta"]["versionId"] == "1"
    [version] = Inbox(store, Time()).versions(one["id"])
    assert len(version.again) == 29


def test_of_twenty_creations_at_once_one_is_taken(store: Store, kept: Callable[[], list[Resource]]) -> None:
    app = application(store)

    def send(_: int) -> int:
        return app.test_client().post(BASE, json=appointment()).status_code

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(send, range(20))) == [201] + [422] * 19
    assert len(kept()) == 1


def test_different_updates_at_once_are_all_kept(store: Store, post: Send) -> None:
    identifier = json_of(post(appointment()))["id"]
    app = application(store)

    def send(number: int) -> int:
        body = appointment(comment=f"{number}")
        return app.test_client().put(f"{BASE}?identifier={EDITOR}|{UUID}", json=body).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(send, range(20))) == {200}
    versions = Inbox(store, Time()).versions(identifier)
    assert [one.number for one in versions] == list(range(21, 0, -1))
    assert {one.content.get("comment") for one in versions} == {None, *map(str, range(20))}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ELEMENTS = [
    "id", "meta", "text", "contained", "extension", "modifierExtension", "identifier", "status", "start", "end",
    "created", "participant", "_status", "_start", "_created", "_identifier", "_participant", "actor", "reference",
    "type", "coding", "system", "code", "value", "url", "valueReference", "valueString", "profile", "use", "required",
    "cancelationReason", "priority", "minutesDuration", "slot", "period", "resourceType", "_profile", "_value", "_url",
]  # fmt: skip
WORDS = [
    "Patient", "Appointment", "booked", "pending", "accepted", "needs-action", "2026-11-20T14:00:00+01:00",
    "2026-11-20", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-20T23:59:60Z",
    "10:00:00.000000001Z", EDITOR, codes.PRACTITIONER_OID, codes.APPOINTMENT_OPERATOR, codes.SOS_APPOINTMENT_PROFILE,
]  # fmt: skip
NESTED = st.recursive(
    JSON | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ELEMENTS), inner, max_size=5),
    max_leaves=25,
)


def places(value: Any) -> Iterator[tuple[Any, str | int]]:
    """Every place in a body that can be replaced."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.sampled_from([appointment(), sos()]),
    change=st.dictionaries(st.sampled_from(ELEMENTS), NESTED, max_size=3),
    at=st.none() | st.integers(0, 60),
    instead=NESTED,
    name=st.sampled_from(ELEMENTS),
)
def test_any_json_gets_an_answer_that_is_no_error_of_ours(
    put: Send, client: FlaskClient, base: Resource, change: Resource, at: int | None, instead: Any, name: str
) -> None:
    body = copy.deepcopy(base) | change
    if at is not None:
        # Somewhere inside, an element is replaced, and another added beside it.
        every = list(places(body))
        inside, key = every[at % len(every)]
        inside[key] = instead
        if isinstance(inside, dict):
            inside[name] = instead
    try:
        json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    answer = put(body)
    assert answer.status_code in (200, 201, 400, 422), answer.text
    if answer.status_code < 300:
        assert client.get(f"/_sas/rendez-vous/{json_of(answer)['id']}").status_code == 200
    else:
        assert json_of(answer)["resourceType"] == "OperationOutcome"


def test_a_megabyte_of_faults_is_told_in_a_few(post: Send) -> None:
    answer = post(appointment(participant=[{"status": "x", "actor": {"reference": "Patient/1"}}] * 15_000))
    assert answer.status_code == 422
    assert len(json_of(answer)["issue"]) == 50


def test_a_database_that_is_out_of_order_is_told(store: Store, client: FlaskClient, tmp_path: Path) -> None:
    store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    tmp_path.joinpath("state.db").mkdir()
    answer = client.get(BASE)
    assert (answer.status_code, json_of(answer)["issue"][0]["code"]) == (503, "transient")
    page = client.get("/_sas/rendez-vous")
    assert page.status_code == 503
    assert "momentanément indisponible" in page.text


# --- pages


def rows(page: str) -> list[str]:
    """The text of each appointment listed."""
    body = page.partition("<tbody>")[2]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in body.split("</tr>")[:-1]]


def test_the_page_without_appointments_says_so(client: FlaskClient) -> None:
    page = client.get("/_sas/rendez-vous")
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert '<html lang="fr">' in page.text
    assert "Toutes les personnes et données sont fictives" in page.text
    assert "Aucun rendez-vous reçu." in page.text
    assert f"{PUBLIC_URL}{BASE}" in page.text
    assert re.findall(r"<script[^>]*", page.text) == ['<script src="/_static/live.js" defer']
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    sheet = client.get("/_sas/static/sas.css")
    assert sheet.content_type.startswith("text/css")
    sheet.close()


def test_the_page_lists_what_came(client: FlaskClient, post: Send, put: Send) -> None:
    post(appointment())
    put(appointment(status="cancelled"))
    post(sos(identifier=[{"system": "https://sos.example", "value": "1"}]))
    page = client.get("/_sas/rendez-vous").text
    assert rows(page) == [
        "20/11/2026 à 14:00 (UTC+01:00) En attente d’un médecin https://sos.example pas encore connu "
        "3456780581/11242343 20/11/2026 à 08:00:03 1",
        "20/11/2026 à 14:00 (UTC+01:00) Annulé urn:oid:1.2.3.4 810100050075 3456780581/11242343 "
        "20/11/2026 à 08:00:01 20/11/2026 à 08:00:02 2",
    ]
    assert "2 rendez-vous" in page


def test_the_page_of_an_appointment_has_every_version(client: FlaskClient, post: Send, put: Send) -> None:
    identifier = json_of(post(appointment(comment="<b>gras</b> & co")))["id"]
    for _ in range(2):
        put(appointment(status="noshow"))
    put(appointment(status="noshow"))
    listed = client.get("/_sas/rendez-vous").text
    assert f'href="/_sas/rendez-vous/{identifier}"' in listed
    page = client.get(f"/_sas/rendez-vous/{identifier}").text
    assert [text(one) for one in re.findall(r"<h2>.+</h2>", page)] == [
        "Version 2 (actuelle) : Non honoré",
        "Version 1 : Confirmé",
    ]
    assert page.count("Du 20/11/2026 à 14:00 (UTC+01:00) au 20/11/2026 à 14:15 (UTC+01:00).") == 2
    assert "Reçue le 20/11/2026 à 08:00:01 par POST." in page
    assert "Reçue le 20/11/2026 à 08:00:02 par PUT." in page
    again = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "Reçue de nouveau à l’identique 2 fois, en dernier le 20/11/2026 à 08:00:04." in again
    assert "&lt;b&gt;gras&lt;/b&gt; &amp; co" in page
    assert "<b>" not in page
    assert "&#34;noshow&#34;" in page
    assert "Non honoré" in page
    assert f'href="/_sas/fhir/Appointment/{identifier}"' in page


def for_lrm(client: FlaskClient, identifier: str, version: int) -> Any:
    answer = client.get(f"/_sas/rendez-vous/{identifier}/versions/{version}/lrm.json")
    assert answer.status_code == 200, answer.text
    name = f"INT_L02-{identifier}-{version}.json"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer.content_type == "application/json"
    return answer.json


def test_the_lrm_is_told_of_each_version(client: FlaskClient, post: Send, put: Send) -> None:
    identifier = json_of(post(appointment()))["id"]
    put(appointment(status="cancelled"))
    told = for_lrm(client, identifier, 1)
    name = told["distributionID"]
    assert name.startswith("fr.health.test.ptfsas_")
    message = told.pop("content")[0]["jsonContent"]["embeddedJsonContent"]["message"]
    assert told == {
        "distributionID": name,
        "senderID": "fr.health.test.ptfsas",
        "dateTimeSent": "2026-11-20T08:00:01.000+01:00",
        "dateTimeExpires": "2026-11-21T08:00:01.000+01:00",
        "distributionStatus": "Actual",
        "distributionKind": "Report",
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": "fr.health.samu350"},
        },
    }
    assert message == {
        "messageId": name,
        "sender": {"name": "Plateforme numérique SAS", "URI": "hubex:fr.health.test.ptfsas"},
        "sentAt": told["dateTimeSent"],
        "kind": "Report",
        "status": "Actual",
        "recipient": [{"name": "samu350", "URI": "hubex:fr.health.samu350"}],
        "appointment": {
            "appointmentId": identifier,
            "method": "CreateAppointment",
            "created": "2026-11-20T08:00:00.000+01:00",
            "start": "2026-11-20T14:00:00.000+01:00",
            "end": "2026-11-20T14:15:00.000+01:00",
            "status": "booked",
            "orientationCategory": "PS",
            "practitioner": {
                "rppsId": "10100050075",
                "lastName": BRIAND.family,
                "firstName": BRIAND.given,
                "specialityCode": "SM54",
                "specialityUrl": codes.SPECIALTY,
                "professionCode": "10",
                "professionUrl": "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante",
            },
            "organization": {"organizationId": "1810004421"},
            "regulator": {
                "regulatorId": "3456780581/11242343",
                "regulatorName": RENEE.family,
                "regulatorFirstname": RENEE.given,
                "regulatorEmail": RENEE.email,
            },
        },
    }
    later = for_lrm(client, identifier, 2)
    assert later["distributionID"] != name
    changed = later["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["appointment"]
    assert changed == message["appointment"] | {"method": "UpdateAppointment", "status": "cancelled"}
    page = client.get(f"/_sas/rendez-vous/{identifier}").text
    assert page.count("Message au LRM (INT_L02)") == 2
    assert f'href="/_sas/rendez-vous/{identifier}/versions/2/lrm.json"' in page


def test_the_lrm_is_not_told_what_nobody_knows(client: FlaskClient, post: Send) -> None:
    technical = operator(**TECHNICAL, value="unknown")
    unknown = [practitioner(value="0750123456")]
    for body, category in ((sos(extension=[technical]), "SOS"), (appointment("2", participant=unknown), "PS")):
        told = for_lrm(client, json_of(post(body))["id"], 1)
        assert told["descriptor"]["explicitAddress"]["explicitAddressValue"] == "fr.health.samu000"
        told = told["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["appointment"]
        assert told["orientationCategory"] == category
        # An ADELI is no RPPS, a technical identifier no national one.
        assert not {"practitioner", "organization"} & told.keys()
        assert ("regulator" in told) == (category == "PS")


def test_a_version_that_there_is_not_has_no_message(client: FlaskClient, post: Send) -> None:
    identifier = json_of(post(appointment()))["id"]
    for path in (f"{identifier}/versions/2", f"{identifier}/versions/0", "unknown/versions/1"):
        assert client.get(f"/_sas/rendez-vous/{path}/lrm.json").status_code == 404


def test_the_list_shows_what_comes_while_it_is_looked_at(client: FlaskClient, post: Send, put: Send) -> None:
    pieces = pieces_of(client.get("/_sas/rendez-vous/flux", buffered=False))
    assert "Aucun rendez-vous reçu." in next(pieces).decode()
    post(appointment())
    assert "Confirmé" in next(pieces).decode()
    put(appointment(status="cancelled"))
    assert "Annulé" in next(pieces).decode()
    pieces.close()


def test_an_unknown_page(client: FlaskClient) -> None:
    page = client.get("/_sas/rendez-vous/unknown")
    assert (page.status_code, page.content_type) == (404, "text/html; charset=utf-8")
    assert "Page introuvable" in page.text


def test_links_follow_the_path_of_the_public_url(store: Store) -> None:
    client = application(store, "https://sas.example/bench").test_client()
    answer = client.post(BASE, json=appointment())
    assert answer.location.startswith("https://sas.example/bench/_sas/fhir/Appointment/")
    page = client.get("/_sas/rendez-vous", base_url="https://sas.example/bench").text
    assert 'href="/bench/_sas/rendez-vous/' in page
    assert 'href="/bench/_sas/static/sas.css"' in page

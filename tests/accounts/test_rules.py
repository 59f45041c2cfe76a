"""What a body of INT_R02 may say: every rule of the profile, and what is no FHIR at all."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mock_editor.base import codes
from tests.accounts.conftest import BASE, NATIONAL, TECHNICAL, Put, Resource, expressions, identifier, regulator
from tests.conftest import json_of

ABSENT = object()
Post = Callable[..., TestResponse]

SOUND: dict[str, Resource] = {
    "as the guide shows it": {},
    "without a source": {"meta": ABSENT},
    "a source that is empty": {"meta": {"source": ""}},
    "an id that no FHIR server would take": {"id": "a b/ç"},
    "an id that is a number": {"id": 7},
    "with a version of its own": {"meta": {"source": codes.SAS_OID, "versionId": "77", "lastUpdated": "hier"}},
    "an identifier of each kind": {"identifier": [identifier(NATIONAL, "1"), identifier(TECHNICAL, "2")]},
    "the technical identifier alone": {"identifier": [identifier(TECHNICAL, "1ef1c748-01a3-6180-b098-73283ce4e5b1")]},
    "a UUID under the national system": {"identifier": [identifier(NATIONAL, "1ef1c748-01a3-6180-b098-73283ce4e5b1")]},
    "any shape of value": {"identifier": [identifier(NATIONAL, "é, |/?\\ ü")]},
    "an identifier of a third system": {
        "identifier": [identifier(NATIONAL, "1"), {"type": {"text": "badge"}, "system": "urn:badge", "value": "1"}]
    },
    "a type with a second coding": {
        "identifier": [
            identifier(NATIONAL, "1")
            | {"type": {"coding": [{"code": "RPPS"}, {"system": codes.FR_V2_0203, "code": "IDNPS"}]}}
        ]
    },
    "withdrawn": {"active": False},
    "two names": {"name": [{"family": "A", "given": ["B"]}, {"use": "maiden", "family": "C", "given": ["B"]}]},
    "two e-mails": {"telecom": [{"system": "email", "value": "a@b.c"}, {"system": "email", "value": "d@b.c"}]},
    "an unknown element": {"colour": "blue", "resource_type": "Patient", "fhir_comments": ["x"]},
    "an unknown element deep inside": {"name": [{"family": "A", "given": ["B"], "shoe": {"size": 43}}]},
    "an empty element": {"gender": "", "photo": [], "text": {}, "birthDate": None},
    "what FHIR has besides": {
        "gender": "female",
        "birthDate": "1980-02-29",
        "extension": [{"url": "urn:x", "valueString": "y"}],
        "_birthDate": {"extension": [{"url": "urn:x", "valueString": "y"}]},
    },
}

# What is replaced in a sound body; the status; where the faults are told to be.
UNSOUND: dict[str, tuple[Resource, int, list[str]]] = {
    "wrong source": ({"meta": {"source": "urn:oid:1.2.3"}}, 422, ["meta.source"]),
    "source of another type": ({"meta": {"source": 5}}, 400, ["meta.source"]),
    "no identifier": ({"identifier": ABSENT}, 422, ["identifier"]),
    "an empty list of identifiers": ({"identifier": []}, 422, ["identifier"]),
    "an identifier as JSON in a text": ({"identifier": [' {"value": "1"}']}, 400, ["identifier[0]"]),
    "a name as JSON in a text that FHIR does not know": ({"name": ['{"shoe": 43}']}, 400, ["name[0]"]),
    "identifiers that are no list": ({"identifier": {"value": "1"}}, 400, ["identifier"]),
    "two national identifiers": (
        {"identifier": [identifier(NATIONAL, "1"), identifier(NATIONAL, "2")]},
        422,
        ["identifier[1]"],
    ),
    "two technical identifiers": (
        {"identifier": [identifier(TECHNICAL, "1"), identifier(NATIONAL, "1"), identifier(TECHNICAL, "1")]},
        422,
        ["identifier[2]"],
    ),
    "the same third identifier twice": (
        {"identifier": [identifier(NATIONAL, "1"), *2 * [{"type": {"text": "b"}, "system": "urn:b", "value": "1"}]]},
        422,
        ["identifier[2]"],
    ),
    "an identifier of a third system alone": (
        {"identifier": [{"type": {"text": "badge"}, "system": "urn:badge", "value": "1"}]},
        422,
        ["identifier"],
    ),
    "no system": (
        {"identifier": [identifier(NATIONAL, "1") | {"system": ""}]},
        422,
        ["identifier[0].system", "identifier"],
    ),
    "wrong system for the type": (
        {"identifier": [identifier(NATIONAL, "1") | {"system": codes.STRUCTURE_OID}]},
        422,
        ["identifier[0].system", "identifier"],
    ),
    "system and type of different kinds": (
        {"identifier": [identifier(NATIONAL, "1") | {"system": TECHNICAL}]},
        422,
        ["identifier[0].type"],
    ),
    "no type": ({"identifier": [{"system": NATIONAL, "value": "1"}]}, 422, ["identifier[0].type"]),
    "a type that is empty": ({"identifier": [identifier(NATIONAL, "1") | {"type": {}}]}, 422, ["identifier[0].type"]),
    "a type without a code": (
        {"identifier": [identifier(NATIONAL, "1") | {"type": {"text": "IDNPS"}}]},
        422,
        ["identifier[0].type"],
    ),
    "wrong code": (
        {
            "identifier": [
                identifier(NATIONAL, "1") | {"type": {"coding": [{"system": codes.FR_V2_0203, "code": "RPPS"}]}}
            ]
        },
        422,
        ["identifier[0].type"],
    ),
    "wrong code system": (
        {
            "identifier": [
                identifier(NATIONAL, "1")
                | {"type": {"coding": [{"system": codes.FR_LOCATION_IDENTIFIER_TYPE, "code": "IDNPS"}]}}
            ]
        },
        422,
        ["identifier[0].type"],
    ),
    "both types at once": (
        {
            "identifier": [
                identifier(NATIONAL, "1")
                | {"type": {"coding": [{"system": codes.FR_V2_0203, "code": code} for code in ("IDNPS", "INTRN")]}}
            ]
        },
        422,
        ["identifier[0].type"],
    ),
    "no value": ({"identifier": [identifier(NATIONAL, "  ")]}, 422, ["identifier[0].value"]),
    "a value that is a number": (
        {"identifier": [identifier(NATIONAL, "1") | {"value": 5}]},
        400,
        ["identifier[0].value"],
    ),
    "an unknown use": (
        {"identifier": [identifier(NATIONAL, "1") | {"use": "rare"}]},
        422,
        ["identifier[0].use"],
    ),
    "the fault after an empty member": (
        {"identifier": [{}, identifier(NATIONAL, "1") | {"value": ""}]},
        422,
        ["identifier[1].value"],
    ),
    "active missing": ({"active": ABSENT}, 422, ["active"]),
    "active null": ({"active": None}, 422, ["active"]),
    "active as a text": ({"active": "true"}, 400, ["active"]),
    "active as a number": ({"active": 1}, 400, ["active"]),
    "no name": ({"name": []}, 422, ["name"]),
    "a name that is a text": ({"name": "Loridon"}, 400, ["name"]),
    "no family name": ({"name": [{"given": ["B"]}]}, 422, ["name[0].family"]),
    "an empty family name": ({"name": [{"family": "", "given": ["B"]}]}, 422, ["name[0].family"]),
    "no given name": ({"name": [{"family": "A"}]}, 422, ["name[0].given"]),
    "a given name that is empty": ({"name": [{"family": "A", "given": [""]}]}, 422, ["name[0].given"]),
    "a given name that is no list": ({"name": [{"family": "A", "given": "B"}]}, 400, ["name[0].given"]),
    "two given names": ({"name": [{"family": "A", "given": ["B", "C"]}]}, 422, ["name[0].given"]),
    "a second name without family": (
        {"name": [{"family": "A", "given": ["B"]}, {"text": "x"}]},
        422,
        [
            "name[1].family",
            "name[1].given",
        ],
    ),
    "an unknown use of a name": ({"name": [{"use": "stage", "family": "A", "given": ["B"]}]}, 422, ["name[0].use"]),
    "a control character": ({"name": [{"family": "A\u0000", "given": ["B"]}]}, 400, ["name[0].family"]),
    "no telecom": ({"telecom": ABSENT}, 422, ["telecom"]),
    "a telecom without system": ({"telecom": [{"value": "a@b.c"}]}, 422, ["telecom[0].system"]),
    "a phone": ({"telecom": [{"system": "phone", "value": "+33100000000"}]}, 422, ["telecom[0].system"]),
    "a phone besides the e-mail": (
        {"telecom": [{"system": "email", "value": "a@b.c"}, {"system": "phone", "value": "1"}]},
        422,
        ["telecom[1].system"],
    ),
    "an e-mail without value": ({"telecom": [{"system": "email", "value": " "}]}, 422, ["telecom[0].value"]),
    "an unknown use of an e-mail": (
        {"telecom": [{"system": "email", "value": "a@b.c", "use": "fun"}]},
        422,
        ["telecom[0].use"],
    ),
    "an unknown gender": ({"gender": "x"}, 422, ["gender"]),
    "no such day": ({"birthDate": "1980-02-30"}, 400, ["birthDate"]),
    "a qualification without code": (
        {"qualification": [{"identifier": [{"value": "1"}]}]},
        400,
        ["qualification[0].code"],
    ),
    "a contained resource of no type": ({"contained": [{"resourceType": "Regulator"}]}, 400, ["contained"]),
    "a contained resource whose type is no text": (
        {"contained": [{"resourceType": True, "id": "a"}]},
        400,
        ["contained[0].resourceType"],
    ),
    "many faults": (
        {"meta": {"source": "x"}, "identifier": [], "active": None, "name": [{}], "telecom": [{"system": "fax"}]},
        422,
        ["meta.source", "identifier", "active", "name", "telecom[0].system", "telecom[0].value"],
    ),
    "a fault besides an unknown element": ({"colour": 1, "name": [{"size": 1, "family": 3}]}, 400, ["name[0].family"]),
}


def changed(change: Resource) -> Resource:
    return {name: value for name, value in (regulator() | change).items() if value is not ABSENT}


@pytest.mark.parametrize("change", SOUND.values(), ids=SOUND.keys())
def test_a_sound_body_makes_an_account(put: Put, change: Resource) -> None:
    body = changed(change)
    answer = put((NATIONAL, "new"), body)
    assert answer.status_code == 201, answer.text
    assert json_of(answer)["active"] is body["active"]
    assert json_of(answer)["identifier"] == body["identifier"]
    assert json_of(answer)["meta"]["profile"] == [codes.REGULATOR_PROFILE]
    assert not {"colour", "resource_type", "fhir_comments", "photo", "text"} & json_of(answer).keys()


@pytest.mark.parametrize("method", ["post", "put"])
@pytest.mark.parametrize(("change", "status", "places"), UNSOUND.values(), ids=UNSOUND.keys())
def test_an_unsound_body_is_refused_with_every_fault_in_its_place(
    post: Post,
    put: Put,
    accounts: Callable[[], list[Resource]],
    method: str,
    change: Resource,
    status: int,
    places: list[str],
) -> None:
    body = changed(change)
    answer = post(body) if method == "post" else put((NATIONAL, "new"), body)
    assert answer.status_code == status, answer.text
    assert expressions(answer) == [f"Practitioner.{place}" for place in places]
    assert accounts() == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"<Practitioner/>", "not JSON"),
        ('{"resourceType": "Practitioner", "name": "é"}'.encode("latin-1"), "not JSON in UTF-8"),
        (b"[]", "not 'list'"),
        (b"null", "not 'NoneType'"),
        (b"{}", "not 'None'"),
        (b'{"resourceType": "Patient"}', "not 'Patient'"),
        (b'{"resourceType": ["Practitioner"]}', "Expected the resource type Practitioner"),
        (b'{"resourceType": "Practitioner", "active": 1e400}', "number is infinity"),
        (b'{"resourceType": "Practitioner", "active": ' + b"9" * 5000 + b"}", "number is infinity"),
        (b"[" * 100_000, "depth limit"),
        (b'{"resourceType": "Practitioner", "a": ' + b"[" * 900 + b"]" * 900 + b"}", "nested deeper than"),
        (
            b'{"resourceType": "Practitioner", "extension": ' + b'[{"extension":' * 400 + b"1" + b"}]" * 400 + b"}",
            "nested",
        ),
    ],
)
def test_what_is_no_fhir_resource_is_a_400(post: Post, body: bytes, text: str) -> None:
    answer = post(body)
    assert answer.status_code == 400
    assert json_of(answer)["issue"][0]["diagnostics"].find(text) >= 0, answer.json


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/fhir+json; charset=utf-8", "application/json+fhir", "Application/JSON"],
)
def test_the_media_types_of_json(client: FlaskClient, content_type: str) -> None:
    assert client.post(BASE, data=json.dumps(regulator()), content_type=content_type).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/fhir+xml"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/json"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_other_media_types_are_a_415(client: FlaskClient, headers: dict[str, str]) -> None:
    for answer in (
        client.post(BASE, data=json.dumps(regulator()), headers=headers),
        client.put(f"{BASE}?identifier=a|b", data=json.dumps(regulator()), headers=headers),
    ):
        assert answer.status_code == 415
        assert json_of(answer)["resourceType"] == "OperationOutcome"


def test_a_body_over_a_megabyte_is_a_413(post: Post) -> None:
    answer = post(regulator(family="x" * 1_000_000))
    assert answer.status_code == 413
    assert json_of(answer)["issue"][0]["code"] == "too-long"


def test_a_megabyte_of_faults_is_told_in_a_few(post: Post) -> None:
    answer = post(regulator() | {"telecom": [{"system": "fax"}] * 40_000})
    assert answer.status_code == 422
    assert len(json_of(answer)["issue"]) == 50
    answer = post(regulator() | {f"x{n}": 1 for n in range(60_000)})
    assert answer.status_code == 201


def test_xml_wanted_in_return_is_a_406_and_changes_nothing(post: Post, accounts: Callable[[], list[Resource]]) -> None:
    assert post(regulator(), Accept="application/fhir+xml").status_code == 406
    assert accounts() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ELEMENTS = [
    "id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension", "identifier",
    "active", "name", "telecom", "address", "gender", "birthDate", "photo", "qualification", "communication", "_active",
    "_given", "resourceType", "family", "given", "use", "system", "value", "type", "coding", "code", "url",
    "valueBoolean", "valueDecimal", "period", "start", "reference", "assigner", "div", "status", "data", "source",
]  # fmt: skip
NESTED = st.recursive(
    JSON | st.sampled_from(["Practitioner", "Bundle", "Patient", "email", NATIONAL, "1980-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ELEMENTS), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.dictionaries(st.sampled_from(ELEMENTS), NESTED, max_size=4))
def test_any_json_gets_an_answer_that_is_no_error_of_ours(post: Post, change: dict[str, Any]) -> None:
    try:
        body = json.dumps(regulator() | change).encode()
    except UnicodeEncodeError:
        return
    answer = post(body)
    assert answer.status_code in (201, 400, 422), answer.text
    if answer.status_code != 201:
        assert json_of(answer)["resourceType"] == "OperationOutcome"

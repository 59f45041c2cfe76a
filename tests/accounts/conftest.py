"""A regulator as the SAS describes it, and the requests of INT_R02."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mock_editor.base import codes
from tests.conftest import json_of

NATIONAL, TECHNICAL = codes.PRACTITIONER_OID, codes.SAS_OID
TYPES = {NATIONAL: "IDNPS", TECHNICAL: "INTRN"}
BASE = "/agenda-ville/fhir/Practitioner"

Resource = dict[str, Any]
Put = Callable[..., TestResponse]


def identifier(system: str, value: str) -> Resource:
    coding = {"system": codes.FR_V2_0203, "code": TYPES[system]}
    return {"type": {"coding": [coding]}, "system": system, "value": value}


def regulator(
    *identifiers: tuple[str, str],
    family: str = "Loridon",
    given: str = "Sébastien",
    email: str = "sebastien.loridon@test.com",
    active: bool = True,
) -> Resource:
    """A sound body; by default with the guide's own national identifier."""
    return {
        "resourceType": "Practitioner",
        "id": "ExamplePractitionerRegul1",
        "meta": {"source": codes.SAS_OID, "profile": [codes.REGULATOR_PROFILE]},
        "identifier": [identifier(*one) for one in identifiers or [(NATIONAL, "3456780581/11242343")]],
        "active": active,
        "name": [{"family": family, "given": [given]}],
        "telecom": [{"system": "email", "value": email}],
    }


@pytest.fixture
def post(client: FlaskClient) -> Callable[..., TestResponse]:
    """Sends a creation."""

    def send(body: Any, *, base: str = BASE, **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return client.post(base, data=data, content_type="application/fhir+json", headers=headers)

    return send


@pytest.fixture
def put(client: FlaskClient) -> Put:
    """Sends a conditional update."""

    def send(asked: tuple[str, str], body: Any, *, base: str = BASE, **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body)
        url = f"{base}?identifier={quote('|'.join(asked), safe='|/:')}"
        return client.put(url, data=data, content_type="application/json", headers=headers)

    return send


@pytest.fixture
def accounts(client: FlaskClient) -> Callable[[], list[Resource]]:
    """Those accounts of the default editor that requests made."""

    def listed() -> list[Resource]:
        told: list[Resource] = json_of(client.get("/_admin/accounts?editor=agenda-ville"))["accounts"]
        return [one for one in told if not one["resource"]["telecom"][0]["value"].endswith("@regulation.example")]

    return listed


def expressions(response: TestResponse) -> list[str]:
    """Where an OperationOutcome says that something is wrong."""
    outcome = json_of(response)
    assert outcome["resourceType"] == "OperationOutcome", response.text
    return [issue["expression"][0] for issue in outcome["issue"] if "expression" in issue]

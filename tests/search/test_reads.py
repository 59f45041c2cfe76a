"""Reads, plain searches and the CapabilityStatement."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from mock_editor.calendars.model import Editor
from tests.conftest import GUIDE_MARCEL, GUIDE_THOMAS, PUBLIC_URL, SYSTEM

BASE = "/agenda-ville/fhir"


def test_what_a_full_url_names_can_be_read(
    client: FlaskClient, search: Callable[..., dict[str, Any]], editor: Editor
) -> None:
    everybody = [person.id for person in editor.directory]
    for at in (0, 25):
        for entry in search(everybody[at : at + 25])["entry"]:
            response = client.get(entry["fullUrl"].removeprefix(PUBLIC_URL))
            assert response.json == entry["resource"]


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


@pytest.mark.parametrize("query", ["", "?actor=", "?actor=Location/1", "?actor=a&actor=b"])
def test_a_wrong_actor_is_refused(client: FlaskClient, query: str) -> None:
    response = client.get(f"{BASE}/Schedule{query}")
    assert response.status_code == 400
    assert "'actor'" in response.json["issue"][0]["diagnostics"]


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

"""One editor may keep calendars of every kind."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from mock_editor import scenario
from mock_editor.base import codes
from mock_editor.base.clock import Clock
from tests.conftest import NOW, WITH_CPTS, application, json_of, of_type, slot_search, sos_search

SCENARIO = """\
name: tout
title: Tout à la fois
seed: "1"
cpts:
  une: {finess: "990000001"}
calendars:
  jour: {slot_types: [PUBLIC, CPTS], cpts: [une], week: [{days: [fri], hours: ["09:00-10:00"]}]}
editors:
  - slug: tout
    name: Tout
    identifier_system: urn:oid:1.2.3
    practitioners:
      - rpps: "10100050075"
        family: THOMAS
        places:
          - structure: {finess: "810004421"}
            address: {line: 1 rue, postal_code: "47000", city: AGEN}
            calendar: jour
    groups:
      - {name: foule, count: 5, departments: ["33"], calendars: [jour]}
    associations:
      - siret: "00000000000001"
        name: SOS
        places:
          - name: Point de garde
            address: {line: 2 rue, postal_code: "47000", city: AGEN}
            calendar: jour
"""


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    path = tmp_path / "tout.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return application(scenario.load(path), Clock(NOW), tmp_path).test_client()


def test_each_search_finds_its_own_kind(client: FlaskClient) -> None:
    r01 = json_of(client.get(slot_search(["810100050075"], editor="tout")))
    r04 = json_of(client.get(slot_search(["810100050075"], editor="tout", extra=WITH_CPTS)))
    sos = json_of(client.get(sos_search(["300000000000001"], editor="tout")))
    assert [bundle["total"] for bundle in (r01, r04, sos)] == [3, 3, 3]
    assert [bundle["meta"]["profile"] for bundle in (r01, r04, sos)] == [
        [codes.BUNDLE_PROFILE],
        [codes.CPTS_BUNDLE_PROFILE],
        [codes.SOS_BUNDLE_PROFILE],
    ]
    first = [of_type(bundle, "Slot")[0]["meta"]["security"] for bundle in (r01, r04, sos)]
    types = [[security["code"] for security in security_of_slot] for security_of_slot in first]
    assert types == [["PUBLIC"], ["PUBLIC", "CPTS"], ["PUBLIC"]]


def test_it_follows_every_statement_of_the_guide(client: FlaskClient) -> None:
    statement = json_of(client.get("/tout/fhir/metadata"))
    assert statement["instantiates"] == [
        codes.CAPABILITIES_INDIVIDUAL,
        codes.CAPABILITIES_CPTS,
        codes.CAPABILITIES_SOS,
        codes.CAPABILITIES_ACCOUNTS,
    ]
    for identifier in ("1990000001", "300000000000001"):
        assert client.get(f"/tout/fhir/Organization/{identifier}").status_code == 200

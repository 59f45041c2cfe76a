"""Entries for others: JSON, a line each, and HAR 1.2 with all that its specification requires."""

import base64
import json
from typing import Any

import pytest

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, issue
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.har import as_har, as_json, as_lines
from mock_editor.journal.journal import Journal
from tests.journal.conftest import exchange

# HAR 1.2: the members that must be there, and of what type.
RULE = AppliedRule("slow", ("latency", "cut-body"))
NAME_VALUE = {"name": str, "value": str}
ENTRY = {
    "startedDateTime": str,
    "time": (int, float),
    "request": dict,
    "response": dict,
    "cache": dict,
    "timings": dict,
}
REQUEST = {
    "method": str, "url": str, "httpVersion": str, "cookies": list, "headers": list, "queryString": list,
    "headersSize": int, "bodySize": int,
}  # fmt: skip
RESPONSE = {
    "status": int, "statusText": str, "httpVersion": str, "cookies": list, "headers": list, "content": dict,
    "redirectURL": str, "headersSize": int, "bodySize": int,
}  # fmt: skip
TIMINGS = {"send": (int, float), "wait": (int, float), "receive": (int, float)}


def has(members: dict[str, Any], wanted: dict[str, Any], *optional: str) -> None:
    for name, kind in wanted.items():
        assert isinstance(members.get(name), kind), (name, members)
    for name in members:
        assert name in wanted or name in optional or name.startswith("_"), name


def conforms(har: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a HAR that is as it must be."""
    assert list(har) == ["log"]
    has(har["log"], {"version": str, "creator": dict, "entries": list})
    has(har["log"]["creator"], {"name": str, "version": str})
    for entry in har["log"]["entries"]:
        has(entry, ENTRY, "serverIPAddress")
        has(entry["request"], REQUEST, "postData")
        has(entry["response"], RESPONSE)
        has(entry["timings"], TIMINGS)
        has(entry["response"]["content"], {"size": int, "mimeType": str}, "text", "encoding", "comment")
        pairs = entry["request"]["headers"] + entry["request"]["queryString"] + entry["response"]["headers"]
        for pair in pairs:
            has(pair, NAME_VALUE)
        if sent := entry["request"].get("postData"):
            has(sent, {"mimeType": str, "text": str}, "comment")
        assert entry["request"]["url"].startswith("http")
    found: list[dict[str, Any]] = har["log"]["entries"]
    return found


@pytest.fixture
def filled(journal: Journal) -> Journal:
    fhir = [("Content-Type", "application/fhir+json")]
    for one in (
        exchange(url="/e/fhir/Slot?start=ge2026-11-20T08:00:00%2B01:00&start=le&_count=0", seconds=0.0125),
        exchange(direction="out", flow=Flow.INT_R03, method="POST", url="https://sas.example/fhir/Appointment",
                 request_headers=fhir, request_body="é".encode(), answer_headers=[*fhir, ("Location", "/x")],
                 answer_body=b"\xff\xfe", peer="10.0.0.1:443", status=201),
        exchange(status=None, error=issue(Code.CALL_FAILED, reason="ReadTimeout: x"), answer_body=b""),
        exchange(answer_body="ré".encode()[:-1], answer_size=100, request_body=b"\x80abc", rule=RULE),
        exchange(method="", url="", status=400, editor=None),
    ):  # fmt: skip
        journal.writer.record(one)
    return journal


def test_the_har_is_as_it_must_be(filled: Journal) -> None:
    pieces = list(as_har(filled.export(EntryFilter()), version="1"))
    assert len(pieces) == 7
    search, sent, lost, cut, malformed = conforms(json.loads(b"".join(pieces)))
    assert search["startedDateTime"] == "2027-03-01T12:00:00.000Z"
    assert (search["time"], search["timings"]["wait"]) == (12.5, 12.5)
    assert search["request"]["url"].startswith("https://lga.example:8443/e/fhir/Slot?start=")
    assert search["request"]["queryString"] == [
        {"name": "start", "value": "ge2026-11-20T08:00:00+01:00"}, {"name": "start", "value": "le"},
        {"name": "_count", "value": "0"},
    ]  # fmt: skip
    assert "postData" not in search["request"]
    assert (search["_editor"], search["_flow"], search["_direction"]) == ("agenda-ville", "INT_R01", "in")
    assert "serverIPAddress" not in search
    assert sent["serverIPAddress"] == "10.0.0.1"
    assert sent["request"]["postData"] == {"mimeType": "application/fhir+json", "text": "é"}
    assert sent["response"]["redirectURL"] == "/x"
    assert sent["response"]["statusText"] == "Created"
    content = sent["response"]["content"]
    assert (content["encoding"], base64.b64decode(content["text"])) == ("base64", b"\xff\xfe")
    assert (lost["response"]["status"], lost["_error"]) == (0, "ReadTimeout: x")
    assert cut["response"]["content"] == {
        "size": 100, "mimeType": "application/octet-stream", "text": "r", "comment": "the first 2 of 100 bytes",
    }  # fmt: skip
    assert cut["request"]["postData"]["comment"] == "in base64"
    assert cut["_rule"] == "slow: latency, cut-body"
    assert malformed["response"]["status"] == 400


def test_a_har_of_nothing_is_one(journal: Journal) -> None:
    assert conforms(json.loads(b"".join(as_har(journal.export(EntryFilter()), version="1")))) == []


def test_each_line_is_an_entry_as_the_api_shows_it(filled: Journal) -> None:
    entries = filled.find(EntryFilter(limit=10, oldest_first=True))
    lines = b"".join(as_lines(entries)).splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(json.dumps(as_json(entry))) for entry in entries]
    shown = json.loads(lines[3])
    assert (shown["id"], shown["time"], shown["clock"]) == (4, "2027-03-01T12:00:00.000Z", "2026-11-20T07:00:00.000Z")
    assert shown["answer"] == {"headers": [], "body": "r", "encoding": None, "size": 100, "cut": True}
    assert shown["request"] == {"headers": [], "body": "gGFiYw==", "encoding": "base64", "size": 4, "cut": False}

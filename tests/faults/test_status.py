"""Kinds of the family "http": which status comes when, and with what."""

from typing import Any

import orjson
import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome
from pydantic import ValidationError

from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import status
from tests.faults.acting import RIGHT, Asked, made

FHIR = "application/fhir+json; charset=utf-8"
HTML = "text/html; charset=utf-8"


@pytest.mark.parametrize("code", [200, 400, 404, 418, 429, 500, 503, 599])
def test_any_status_comes_with_a_right_outcome(code: int) -> None:
    asked = Asked()
    response = asked.response(made(status.Status, code=code, text="Pas <maintenant>"))
    assert (response.status, response.header("Content-Type")) == (code, FHIR)
    assert response.header("Content-Length") == str(len(response.body))
    outcome = OperationOutcome.model_validate_json(response.body)
    assert [issue.diagnostics for issue in outcome.issue] == ["Pas <maintenant>"]
    assert asked.done == []


@pytest.mark.parametrize(
    ("code", "issue"), [(401, "login"), (404, "not-found"), (429, "throttled"), (503, "transient"), (418, "processing")]
)
def test_the_outcome_tells_what_kind_of_error_it_is(code: int, issue: str) -> None:
    response = Asked().response(made(status.Status, code=code))
    assert orjson.loads(response.body)["issue"][0]["code"] == issue


@pytest.mark.parametrize(
    ("parameters", "flow", "content_type", "body"),
    [
        ({"body": "empty"}, "INT_R01", "", b""),
        ({"body": "empty", "content_type": "image/png"}, "INT_R01", "image/png", b""),
        ({"body": "text", "text": "é"}, "INT_R01", "text/plain; charset=utf-8", "é".encode()),
        ({"body": "html"}, "INT_R01", HTML, b"<!doctype html>"),
        ({}, "web", HTML, b"<!doctype html>"),
        ({}, "SSO", HTML, b"<!doctype html>"),
        ({"body": "operation-outcome"}, "web", FHIR, b'{"resourceType":"OperationOutcome"'),
        ({}, "INT_R02", FHIR, b'{"resourceType":"OperationOutcome"'),
        ({"content_type": "text/html"}, "INT_R01", "text/html", b'{"resourceType":"OperationOutcome"'),
    ],
)
def test_the_body_is_the_one_that_is_asked_for(
    parameters: dict[str, Any], flow: str, content_type: str, body: bytes
) -> None:
    response = Asked(flow=flow).response(made(status.Status, **parameters))
    assert (response.status, response.header("Content-Type")) == (500, content_type)
    assert response.body.startswith(body)
    assert bool(response.body) is bool(body)


def test_the_editor_may_have_done_what_it_says_failed() -> None:
    asked = Asked()
    assert asked.response(made(status.Status, done_first=True)).status == 500
    assert asked.done == ["done"]


def test_retry_after_is_told_if_wanted() -> None:
    assert Asked().response(made(status.Status, code=503)).header("Retry-After") == ""
    assert Asked().response(made(status.Status, code=503, retry_after_seconds=0)).header("Retry-After") == "0"


@pytest.mark.parametrize(
    ("seconds", "retry_after"),
    [(0, None), (29.9, None), (30, "10"), (39.5, "1"), (40, None), (69, None), (70, "10"), (86_400, None)],
)
def test_a_flapping_editor_is_well_and_down_in_turns(seconds: float, retry_after: str | None) -> None:
    response = Asked(seconds=seconds).response(made(status.Flapping, up_seconds=30, down_seconds=10))
    assert (response is RIGHT) is (retry_after is None)
    if retry_after:
        assert (response.status, response.header("Retry-After")) == (503, retry_after)


@pytest.mark.parametrize("kind", [status.Flapping, status.Quota])
def test_retry_after_may_be_kept_back(kind: type[Kind]) -> None:
    parameters = {"up_seconds": 1} if kind is status.Flapping else {"per_minute": 0}
    response = Asked(seconds=10).response(made(kind, retry_after=False, code=502, **parameters))
    assert (response.status, response.header("Retry-After")) == (502, "")


@pytest.mark.parametrize(
    ("tallied", "seconds", "retry_after"), [(3, 0, None), (4, 0, "60"), (4, 59.5, "1"), (99, 60, "60")]
)
def test_beyond_a_quota_nothing_is_answered_until_the_next_minute(
    tallied: int, seconds: float, retry_after: str | None
) -> None:
    response = Asked(seconds=seconds, tallied=tallied).response(made(status.Quota, per_minute=3))
    assert (response is RIGHT) is (retry_after is None)
    if retry_after:
        assert (response.status, response.header("Retry-After")) == (429, retry_after)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (status.Status, {"code": 199}),
        (status.Status, {"code": 600}),
        (status.Status, {"body": "xml"}),
        (status.Status, {"content_type": "text"}),
        (status.Status, {"content_type": "text/html\r\nX: y"}),
        (status.Status, {"retry_after_seconds": -1}),
        (status.Flapping, {"up_seconds": 0}),
        (status.Flapping, {"down_seconds": 86_401}),
        (status.Quota, {}),
        (status.Quota, {"per_minute": -1}),
    ],
)
def test_parameters_that_cannot_be(kind: type[Kind], parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(parameters), "per_minute")):
        made(kind, **parameters)

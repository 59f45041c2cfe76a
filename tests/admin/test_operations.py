"""Every operation of the list: what it says of itself, and its examples, executed as they stand."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from mock_editor.admin.operation import NDJSON, Answers, Example, Operation, parameters
from mock_editor.admin.operations import OPERATIONS
from mock_editor.admin.operations.accounts import MERCIER
from mock_editor.cli import commands
from mock_editor.faults.catalogue import catalogue
from tests.admin.conftest import TAKEN
from tests.conftest import json_of

DOCUMENT = "/_admin/openapi.json"
EXAMPLES = [(one, example) for one in OPERATIONS for example in one.examples]


def named(value: object) -> str:
    if isinstance(value, Operation):
        return value.id
    return value.summary if isinstance(value, Example) else str(value)


def url_of(operation: Operation, example: Example) -> str:
    """The path and query of an example."""
    path = operation.path.format(**{name: quote(str(value), safe="") for name, value in example.path.items()})
    query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in example.query.items()}
    return f"/_admin{path}" + (f"?{urlencode(query)}" if query else "")


def execute(client: FlaskClient, operation: Operation, example: Example) -> TestResponse:
    body: dict[str, Any] = {}
    if operation.json_body and example.body is not None:
        body = {"json": example.body}
    elif operation.body and example.body is not None:
        body = {"data": example.body, "content_type": operation.accepts[0]}
    return client.open(url_of(operation, example), method=operation.method, **body)


def agrees(told: Any, expected: Any) -> bool:
    """Whether an answer is what an example says; objects may have more."""
    if isinstance(expected, Mapping):
        return isinstance(told, Mapping) and all(
            name in told and agrees(told[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return len(told) == len(expected) and all(map(agrees, told, expected))
    return bool(told == expected)


def schema_of(document: dict[str, Any], operation: Operation, status: int) -> dict[str, Any] | None:
    """The JSON schema that the document has for an answer, with what it refers to; None for what is no JSON."""
    answers = document["paths"][f"/_admin{operation.path}"][operation.method.lower()]["responses"]
    assert str(status) in answers, f"{operation.id} answers {status}, the document has {list(answers)}"
    for media_type, content in answers[str(status)].get("content", {}).items():
        if media_type.endswith("json") and media_type != NDJSON:
            found: dict[str, Any] = content["schema"] | {"components": document["components"]}
            return found
    return None


@pytest.mark.parametrize(("operation", "example"), EXAMPLES, ids=named)
def test_every_example_is_answered_as_it_says(prepared: FlaskClient, operation: Operation, example: Example) -> None:
    document = json_of(prepared.get(DOCUMENT))
    expected = example.status or operation.status
    answer = execute(prepared, operation, example)
    with answer:
        if operation.answers is Answers.STREAM and expected == operation.status:
            assert answer.status_code == expected  # some never end
            return
        assert answer.status_code == expected, answer.text
        schema = schema_of(document, operation, expected)
        if schema:
            Draft202012Validator(schema).validate(answer.json)
            if example.answer is not None:
                Draft202012Validator(schema).validate(example.answer)
                assert example.varies or agrees(answer.json, example.answer), answer.json
        elif expected == HTTPStatus.NO_CONTENT:
            assert answer.data == b""


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_operation_says_what_it_is(operation: Operation) -> None:
    assert re.fullmatch(r"[A-Z].*[^.]", operation.summary)
    assert operation.description.endswith((".", "``"))
    assert operation.tag_description.endswith(".")
    assert operation.examples
    assert all(operation.refusals.values())
    assert operation.method in ("GET", "POST", "PUT", "PATCH", "DELETE")


def test_no_two_are_alike() -> None:
    for attribute in ("id", "command"):
        found = [getattr(one, attribute) for one in OPERATIONS]
        assert len(set(found)) == len(found)
    routes = [(one.method, one.path) for one in OPERATIONS]
    assert len(set(routes)) == len(routes)


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_operation_is_a_command(operation: Operation) -> None:
    found: click.Command = commands
    for word in operation.command.split(" ", 1):
        assert isinstance(found, click.Group)
        found = found.commands[word]
    assert found.get_short_help_str(200) == operation.summary.rstrip(".")
    given = {one.name for one in found.params}
    models = [model for model in (operation.place, operation.query, operation.json_body) if model]
    fields = [field.name for model in models for field in parameters(model)]
    assert len(set(fields)) == len(fields), "two of one name"
    assert not {"url", "output", "file"} & set(fields), "an option that every command has"
    assert given >= {*fields, "url"}


def test_the_document_is_sound_and_has_every_operation(client: FlaskClient) -> None:
    document = json_of(client.get(DOCUMENT))
    validate(document)
    found = {
        (one["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    }
    assert found == {(one.id, one.method, f"/_admin{one.path}") for one in OPERATIONS}
    for methods in document["paths"].values():
        for one in methods.values():
            assert one["summary"]
            assert one["description"]
            assert one["tags"][0] in {tag["name"] for tag in document["tags"]}


def test_the_document_and_the_routes_agree(app: Flask, client: FlaskClient) -> None:
    routes = {
        (method, re.sub("<(.*?)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/_admin") and rule.rule != DOCUMENT
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    document = json_of(client.get(DOCUMENT))
    assert routes == {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}


def test_the_document_is_the_same_each_time(client: FlaskClient, app: Flask) -> None:
    assert client.get(DOCUMENT).data == app.test_client().get(DOCUMENT).data


def putting_back() -> list[tuple[str, dict[str, str]]]:
    """The paths under which something is told and set, and how their places are filled in."""
    told = {one.path for one in OPERATIONS if one.method == "GET"}
    return [
        (f"/_admin{one.path}", {"name": "everything"}) for one in OPERATIONS if one.method == "PUT" and one.path in told
    ]


@pytest.mark.parametrize(("path", "places"), putting_back(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_told_can_be_put_back_as_it_is_and_changes_nothing(
    client: FlaskClient, path: str, places: dict[str, str]
) -> None:
    rule = {
        "priority": 3, "flows": ["INT_R01"], "editors": ["agenda-ville"], "identifiers": ["810"], "methods": ["GET"],
        "headers": {"X-A": "*"}, "since": "2026-11-20T08:00:00+01:00", "until": "2026-11-21T08:00:00+01:00",
        "hours": "22:00-06:00", "every": 2, "first": 4, "share": 0.5, "uses": 3,
        "do": [{"kind": "latency", "seconds": 2}, {"kind": "status", "code": 500}],
    }  # fmt: skip
    assert client.put("/_admin/faults/everything", json=rule).status_code == 200
    taken = client.post("/_admin/appointments", json=TAKEN)
    assert taken.status_code == 201
    url = path.format(**places)
    with client.get(url) as told:
        assert told.status_code == 200
    back = client.put(url, data=told.data, content_type=told.content_type)
    assert back.status_code in (200, 204), back.text
    if back.data and told.is_json:
        assert back.json == told.json
    with client.get(url) as again:
        assert "/snapshot" in path or again.data == told.data  # a file of a database tells when it was written
    # Only a text is played anew, and does away with what has happened.
    kept = json_of(client.get("/_admin/appointments"))["appointments"]
    assert len(kept) == (0 if path.endswith("/scenario/text") else 1)


def test_counts_that_go_on_do_not_keep_a_rule_from_being_put_back(client: FlaskClient) -> None:
    body = {"do": [{"kind": "status", "code": 500}]}
    told = json_of(client.put("/_admin/faults/broken", json=body))
    for sent in (told | {"matched": 3, "acted": 1, "in_force": False}, told["rule"]):
        assert json_of(client.put("/_admin/faults/broken", json=sent))["rule"] == told["rule"]
    other = client.put("/_admin/faults/other", json=told["rule"])
    assert (other.status_code, json_of(other)["errors"][0]["where"]) == (422, "body.name")
    half = client.put("/_admin/faults/broken", json={"rule": told["rule"]})
    assert half.status_code == 422


def test_a_rule_of_any_kind_is_told_as_it_is_put(client: FlaskClient) -> None:
    for kind in catalogue().values():
        required: dict[str, Any] = dict.fromkeys(kind.parameters.get("required", ()), 1)
        if "seconds_at" in required:
            required["seconds_at"] = {"50": 1, "99.9": 2}
        if "bytes_per_second" in kind.parameters["properties"]:
            required["bytes_per_second"] = 1000
        told = client.put("/_admin/faults/one", json={"do": [{"kind": kind.kind, **required}]})
        assert told.status_code == 200, (kind.kind, told.text)
        assert client.put("/_admin/faults/one", data=told.data, content_type="application/json").data == told.data


def test_an_account_that_was_read_can_be_put_back(client: FlaskClient) -> None:
    url = f"/agenda-ville/fhir/Practitioner/{MERCIER}"
    told = client.get(url)
    back = client.put(url, data=told.data, content_type=told.content_type)
    assert back.status_code == 200, back.text
    # It is a version of its own, of the same content.
    assert json_of(back) | {"meta": None} == json_of(told) | {"meta": None}

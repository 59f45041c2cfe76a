"""Bodies that cannot be read as they should: what a client's own decoding says of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest
from pydantic import ValidationError

from mock_editor.base.fhir import dumps
from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import KINDS, body
from mock_editor.faults.messages import Response
from tests.conftest import of_type
from tests.faults.conftest import Right
from tests.faults.differ import differences

BODY = [kind for kind in KINDS if kind.family == "body"]
XML = "{http://hl7.org/fhir}"


@pytest.fixture
def right(rights: Mapping[str, Right]) -> Right:
    return rights["r01"]


def read(response: Response) -> Any:
    """As a client reads it: by the encoding that is told."""
    assert response.header("Content-Type") == "application/fhir+json; charset=utf-8"
    return json.loads(response.body.decode("utf-8"))


@pytest.mark.parametrize("kind", BODY)
def test_the_length_is_that_of_the_body(right: Right, kind: type[Kind]) -> None:
    response = right.spoilt_by(kind())
    assert response != right.response
    assert response.status == 200
    lengths = [value for name, value in response.headers if name.lower() == "content-length"]
    assert lengths == [str(len(response.body))]
    types = [value for name, value in response.headers if name.lower() == "content-type"]
    assert len(types) == 1


@pytest.mark.parametrize("kind", BODY)
def test_an_answer_of_another_kind_can_be_spoilt_or_stays(right: Right, kind: type[Kind]) -> None:
    for found in (b"", b"x", b"\xff\xfe", b"<html></html>", b"[1]", b'{"a": 1}'):
        response = replace(right, response=Response(200, (), found)).spoilt_by(kind())
        assert isinstance(response.body, bytes)
        if not found and kind not in (body.HtmlPage, body.PlainText):
            assert response == Response(200, (), b"")


@pytest.mark.parametrize(
    ("how", "end"),
    [("trailing-comma", b"],}"), ("single-quotes", b"'}}]}"), ("no-closing-brace", b"}}]")],
)
def test_malformed_json(right: Right, how: Any, end: bytes) -> None:
    response = right.spoilt_by(body.MalformedJson(how=how))
    with pytest.raises(json.JSONDecodeError):
        read(response)
    assert response.body.endswith(end)


@pytest.mark.parametrize(
    ("options", "part"), [({}, 0.5), ({"share": 0.9}, 0.9), ({"size": 100}, None), ({"size": 1}, None)]
)
def test_a_cut_body(right: Right, options: dict[str, Any], part: float | None) -> None:
    response = right.spoilt_by(body.CutBody(**options))
    with pytest.raises(json.JSONDecodeError):
        read(response)
    whole = right.response.body
    assert whole.startswith(response.body)
    assert len(response.body) == (int(len(whole) * part) if part else options["size"])


def test_a_cut_beyond_the_end_cuts_nothing(right: Right) -> None:
    assert right.spoilt_by(body.CutBody(size=10_000_000)) is right.response


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_another_encoding(right: Right, encoding: Any) -> None:
    response = right.spoilt_by(body.WrongEncoding(encoding=encoding))
    with pytest.raises(UnicodeDecodeError):
        read(response)
    assert json.loads(response.body.decode(encoding)) == right.bundle


def test_latin_1_shows_in_accents_only(rights: Mapping[str, Right]) -> None:
    empty = rights["r01 of nobody"]
    assert empty.spoilt_by(body.WrongEncoding()) is empty.response


def test_a_byte_order_mark(right: Right) -> None:
    response = right.spoilt_by(body.ByteOrderMark())
    with pytest.raises(json.JSONDecodeError, match="BOM"):
        read(response)
    assert json.loads(response.body.decode("utf-8-sig")) == right.bundle


def at(element: "ET.Element", path: str) -> "ET.Element":
    """What is at a path inside an element. There has to be something."""
    found = element.find(path)
    assert found is not None, path
    return found


def test_xml(right: Right) -> None:
    response = right.spoilt_by(body.XmlBody())
    assert response.header("Content-Type") == "application/fhir+xml; charset=utf-8"
    root = ET.fromstring(response.body)  # noqa: S314 - our own
    assert root.tag == f"{XML}Bundle"
    assert at(root, f"{XML}total").attrib == {"value": str(right.bundle["total"])}
    found = [at(entry, f"{XML}resource")[0] for entry in root.findall(f"{XML}entry")]
    expected = [entry["resource"] for entry in right.bundle["entry"]]
    assert [(one.tag, at(one, f"{XML}id").get("value")) for one in found] == [
        (f"{XML}{one['resourceType']}", one["id"]) for one in expected
    ]
    given = at(root, f".//{XML}given")
    assert given.get("value") == "Sébastien"
    roles = len(of_type(right.bundle, "PractitionerRole"))
    assert [one.tag for one in root.findall(f".//{XML}contained/*")] == [f"{XML}Location"] * roles


def test_extensions_in_xml_have_their_url_as_an_attribute(rights: Mapping[str, Right]) -> None:
    root = ET.fromstring(rights["r04"].spoilt_by(body.XmlBody()).body)  # noqa: S314 - our own
    extension = at(root, f".//{XML}extension")
    assert extension.get("url") == "http://hl7.org/fhir/5.0/StructureDefinition/extension-Slot.serviceType"
    assert at(root, f"{XML}link/{XML}url").get("value") == rights["r04"].asked.url.replace("|", "%7C")


def test_entries_twice(right: Right) -> None:
    bundle = read(right.spoilt_by(body.DuplicatedEntry()))
    assert bundle["entry"][::2] == bundle["entry"][1::2] == right.bundle["entry"]
    once = read(right.spoilt_by(body.DuplicatedEntry(first=1)))
    assert differences(right.bundle, once) == {"+entry Slot": 1, "~total": 1}


def test_a_member_twice(right: Right) -> None:
    response = right.spoilt_by(body.DuplicatedMember(member="total"))
    assert response.body.count(b'"total":') == 2
    pairs = json.loads(response.body, object_pairs_hook=lambda pairs: pairs)
    assert [value for name, value in pairs if name == "total"] == [right.bundle["total"], None]
    assert read(response) == right.bundle | {"total": None}


def test_a_member_that_is_not_there_does_not_come_twice(right: Right) -> None:
    assert right.spoilt_by(body.DuplicatedMember(member="identifiant")) is right.response


@pytest.mark.parametrize("padding", ["blanks", "tag"])
def test_a_huge_body(right: Right, padding: Any) -> None:
    response = right.spoilt_by(body.HugeBody(size=1_000_000, padding=padding))
    assert len(response.body) == 1_000_000
    bundle = read(response)
    bundle["meta"].pop("tag", None)
    assert bundle == right.bundle


def test_a_body_that_is_long_enough_stays(right: Right) -> None:
    for padding in ("blanks", "tag"):
        assert right.spoilt_by(body.HugeBody(size=100, padding=padding)) is right.response


def test_an_empty_body(right: Right) -> None:
    response = right.spoilt_by(body.EmptyBody())
    assert response.body == b""
    with pytest.raises(json.JSONDecodeError):
        read(response)


def test_a_page(right: Right) -> None:
    response = right.spoilt_by(body.HtmlPage(status=503, title="<En panne>"))
    assert response.status == 503
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert response.body.startswith(b"<!doctype html>")
    assert b"<h1>En panne</h1>" in response.body


def test_a_sentence(right: Right) -> None:
    with pytest.raises(json.JSONDecodeError):
        read(right.spoilt_by(body.PlainText()))
    other = right.spoilt_by(body.PlainText(text="non", content_type="text/plain"))
    assert (other.body, other.header("Content-Type")) == (b"non", "text/plain")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (body.CutBody, {"share": 1}),
        (body.HugeBody, {"size": 10**12}),
        (body.PlainText, {"content_type": "text/plain\r\nX: y"}),
        (body.HtmlPage, {"status": 100}),
        (body.DuplicatedMember, {"member": 'x"'}),
    ],
)
def test_parameters_are_checked(kind: type[Kind], options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind(**options)


def test_errors_can_be_spoilt_too(right: Right) -> None:
    """The kinds do not ask what is in the body."""
    refused = Response(400, (), dumps({"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}))
    response = replace(right, response=refused).spoilt_by(body.MalformedJson())
    assert response.status == 400
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(response.body)

"""All that an operation may take and answer, shown with operations of the tests' own: over HTTP and as commands."""

import threading
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from wsgiref.types import StartResponse, WSGIEnvironment

import click
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from pydantic import Field
from werkzeug.serving import make_server
from werkzeug.wsgi import get_input_stream

from mock_editor.admin import problem, routes
from mock_editor.admin.operation import Control, Download, Example, Line, Model, operation
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code
from mock_editor.base.worlds import WORLD
from mock_editor.commands import remote
from mock_editor.commands.description import read
from mock_editor.commands.generate import content
from mock_editor.simulator.simulator import Simulator
from tests.conftest import json_of

EXAMPLES = [Example("One")]
closed: list[str] = []


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Settings(Model):
    """What may be said."""

    colour: Colour | None = None
    colours: list[Colour] = Field(default_factory=list)
    words: list[str] = Field(default_factory=list)
    size: Annotated[float, Field(ge=0)] = 1.0
    more: dict[str, int] = Field(default_factory=dict)
    on: bool = False


class Name(Model):
    """A name, which may go."""

    name: Line | None = None
    title: Line | None = None


class Told(Model):
    """What came in."""

    id: int = 1
    text: str


@operation("POST", "/settings", "settings put", "Take settings", examples=EXAMPLES)
def take_settings(_: Control, body: Settings) -> Told:
    """Takes settings."""
    return Told(text=body.model_dump_json(exclude_defaults=True))


@operation("PATCH", "/name", "name change", "Change a name", examples=EXAMPLES)
def change_name(_: Control, body: Name) -> Told:
    """Changes a name."""
    return Told(text=body.model_dump_json(exclude_unset=True))


@operation("PUT", "/text", "text put", "Take a text", accepts=["application/yaml"], limit=20, examples=EXAMPLES)
def take_text(_: Control, body: str) -> Told:
    """Takes a text."""
    return Told(text=body)


@operation("PUT", "/files/{name}", "file put", "Take a file", examples=[Example("One", path={"name": "x"}, body=b"x")])
def take_file(_: Control, name: Line, body: bytes) -> Told:
    """Takes a file."""
    return Told(text=f"{name}: {len(body)}")


@operation(
    "GET",
    "/files/{number}",
    "file get",
    "Give a file",
    produces=["application/yaml"],
    refusals={404: "None"},
    examples=[Example("One", path={"number": 1})],
)
def give_file(_: Control, number: int) -> Download:
    """Gives a file."""
    if number < 1:
        raise refused(Code.EXCHANGE_NOT_FOUND, "path.number", number=number)
    return Download(f"file-{number}.yaml", [b"a: ", b"\xc3\xa9\n"])


@operation("GET", "/har", "har", "Give an archive", produces=["application/json"], examples=EXAMPLES)
def give_har(_: Control) -> Download:
    """Gives JSON that no model describes."""
    return Download("all.har", [b"{}"])


@operation("GET", "/follow", "follow", "Follow", examples=EXAMPLES)
def follow(_: Control) -> Iterator[Told | None]:
    """Tells one thing after the other."""

    def told() -> Iterator[Told | None]:
        try:
            yield Told(text="é\n")
            yield None
            yield Told(id=2, text="last")
        finally:
            closed.append("follow")

    return told()


OPERATIONS = (take_settings, change_name, take_text, take_file, give_file, give_har, follow)


@pytest.fixture
def app(simulator: Simulator) -> Flask:
    made = Flask(__name__)
    made.register_blueprint(routes.blueprint(OPERATIONS))
    made.register_error_handler(EditorError, problem.response)
    answer, own = made.wsgi_app, {WORLD: simulator.world}
    made.wsgi_app = lambda environ, start: answer(environ | own, start)  # type: ignore[method-assign,assignment]
    return made


# --- over HTTP


def test_the_document_tells_of_all_of_them(client: FlaskClient) -> None:
    document = json_of(client.get("/_admin/openapi.json"))
    validate(document)
    paths = document["paths"]
    assert paths["/_admin/settings"]["post"]["requestBody"]["required"] is False
    assert list(paths["/_admin/text"]["put"]["requestBody"]["content"]) == ["application/yaml"]
    assert paths["/_admin/text"]["put"]["requestBody"]["required"] is True
    assert paths["/_admin/har"]["get"]["responses"]["200"]["content"] == {"application/json": {"schema": {}}}
    assert list(paths["/_admin/files/{number}"]["get"]["responses"]["200"]["content"]) == ["application/yaml"]
    told = paths["/_admin/follow"]["get"]["responses"]["200"]["content"]
    assert set(told) == {"application/x-ndjson", "text/event-stream"}


def test_a_body_without_any_required_field_may_be_missing(client: FlaskClient) -> None:
    assert client.post("/_admin/settings").json == {"id": 1, "text": "{}"}
    assert client.post("/_admin/settings", json={}).json == {"id": 1, "text": "{}"}
    assert client.post("/_admin/settings", data=b"", content_type="text/plain").status_code == 415
    assert client.post("/_admin/settings", data=b" ", content_type="text/plain").status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        {"colour": "green"},
        {"colour": 1},
        {"colours": "red"},
        {"colours": ["green"]},
        {"size": "1"},
        {"size": True},
        {"size": -1},
        {"more": {"x": 1.5}},
        {"more": []},
        {"on": "on"},
        {"on": 1},
    ],
)
def test_no_type_stands_for_another(client: FlaskClient, body: dict[str, Any]) -> None:
    refused = client.post("/_admin/settings", json=body)
    assert refused.status_code == 422
    assert json_of(refused)["errors"][0]["where"].startswith(f"body.{next(iter(body))}")


def test_a_text_is_of_its_media_type_in_utf_8_and_not_too_long(client: FlaskClient) -> None:
    def put(data: bytes, kind: str = "application/yaml") -> tuple[int, str | None]:
        answer = client.put("/_admin/text", data=data, content_type=kind)
        return answer.status_code, json_of(answer).get("text")

    assert put("é: 1".encode()) == (200, "é: 1")
    assert put(b"a: 1", "application/yaml; charset=utf-8") == (200, "a: 1")
    assert put(b"") == (200, "")
    assert put(b"\xff") == (400, None)
    assert put(b"a" * 21) == (413, None)
    assert put(b"a", "application/json") == (415, None)


def test_a_file_is_whatever_it_is(client: FlaskClient) -> None:
    answer = client.put("/_admin/files/x", data=b"\x00\xff", content_type="application/octet-stream")
    assert json_of(answer)["text"] == "x: 2"


def test_a_download_has_a_name(client: FlaskClient) -> None:
    answer = client.get("/_admin/files/3")
    assert (answer.data, answer.mimetype) == ("a: é\n".encode(), "application/yaml")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="file-3.yaml"'
    answer = client.get("/_admin/files/0")
    assert (answer.status_code, json_of(answer)["errors"]) == (
        404,
        [{"where": "path.number", "what": "The journal has no exchange 0, or not any more"}],
    )


@pytest.mark.parametrize("accept", [None, "*/*", "application/x-ndjson", "application/json", "text/html"])
def test_a_stream_is_a_line_each(client: FlaskClient, accept: str | None) -> None:
    answer = client.get("/_admin/follow", headers={"Accept": accept} if accept else {})
    assert answer.mimetype == "application/x-ndjson"
    assert answer.text == '{"id":1,"text":"é\\n"}\n\n{"id":2,"text":"last"}\n'


def test_a_stream_is_events_for_browsers(client: FlaskClient) -> None:
    answer = client.get("/_admin/follow", headers={"Accept": "text/event-stream"})
    assert answer.mimetype == "text/event-stream"
    assert answer.text == 'id: 1\ndata: {"id":1,"text":"é\\n"}\n\n:\n\nid: 2\ndata: {"id":2,"text":"last"}\n\n'


def test_a_stream_ends_when_nobody_listens(client: FlaskClient) -> None:
    closed.clear()
    answer = client.get("/_admin/follow")
    next(answer.iter_encoded())
    assert closed == []
    answer.close()
    assert closed == ["follow"]


# --- as commands


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    def whole(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Unlike the simulator's own server, this one does not end a body where it ends.
        return app({**environ, "wsgi.input": get_input_stream(environ)}, start_response)

    server = make_server("127.0.0.1", 0, whole, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(url: str, *words: str, stdin: bytes | None = None) -> Result:
    group = click.Group("mock-editor")
    remote.add_to(group, read(content(OPERATIONS)))
    done = CliRunner(env={"MOCK_EDITOR_ADMIN_TOKEN": None}).invoke(group, [*words, "--url", url], input=stdin)
    assert not isinstance(done.exception, Exception), done.exception
    return done


def test_options_are_typed(url: str) -> None:
    words = (
        "--colour", "red", "--colours", "red", "--colours", "blue", "--words", "a b", "--size", "2",
        "--more", '{"x": 1}', "--on", "on",
    )  # fmt: skip
    told = run(url, "settings", "put", *words).stdout
    expected = '{"colour":"red","colours":["red","blue"],"words":["a b"],"size":2.0,"more":{"x":1},"on":true}'
    assert expected.replace('"', '\\"') in told
    assert '"text": "{}"' in run(url, "settings", "put").stdout


@pytest.mark.parametrize("words", [("--colour", "green"), ("--more", "{"), ("--on", "yes"), ("--size", "big")])
def test_options_of_another_type_are_usage_errors(url: str, words: tuple[str, str]) -> None:
    assert run(url, "settings", "put", *words).exit_code == 2


def test_an_empty_text_takes_away_what_may_go(url: str) -> None:
    assert '{\\"name\\":null,\\"title\\":\\"x\\"}' in run(url, "name", "change", "--name", "", "--title", "x").stdout


def test_a_file_comes_from_a_path_or_standard_input(url: str, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("é: 1", encoding="utf-8")
    assert '"text": "é: 1"' in run(url, "text", "put", str(path)).stdout
    assert '"text": "é: 2"' in run(url, "text", "put", "-", stdin="é: 2".encode()).stdout
    assert '"text": "a b: 5"' in run(url, "file", "put", "a b", str(path)).stdout
    assert run(url, "text", "put", str(tmp_path / "nothing")).exit_code == 2
    assert run(url, "text", "put", "-", stdin=b"a" * 30).exit_code == 1


def test_a_download_goes_to_a_file_or_standard_output(url: str, tmp_path: Path) -> None:
    path = tmp_path / "there"
    assert run(url, "file", "get", "1").stdout == "a: é\n"
    assert run(url, "file", "get", "1", "--output", str(path)).stdout == ""
    assert path.read_text(encoding="utf-8") == "a: é\n"
    path.unlink()
    assert run(url, "file", "get", "0", "--output", str(path)).exit_code == 1
    assert not path.exists()


def test_a_stream_is_printed_line_by_line(url: str) -> None:
    assert run(url, "follow").stdout.splitlines() == ['{"id":1,"text":"é\\n"}', '{"id":2,"text":"last"}']

"""The OpenAPI document of the admin API, made from the list of operations."""

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mock_editor import __version__
from mock_editor.admin.operation import JSON, NDJSON, OCTETS, Answers, Example, Operation, parameters
from mock_editor.admin.problem import Problem
from mock_editor.base.event_streams import EVENT_STREAM

_TEMPLATE = "#/components/schemas/{model}"
_DESCRIPTION = """\
Looks into the simulator's state and changes it while it runs.

From the simulator's own machine it is open; from elsewhere it wants the token of `MOCK_EDITOR_ADMIN_TOKEN`.
Every refusal is a problem document (RFC 9457), those of paths that are not below (404) and of methods that a path does
not know (405) too. Each operation is a command too: see `mock-editor --help`.
"""
# What every operation may refuse, and those with a body besides.
_COMMON = {
    400: "The request is not understood",
    401: "From another machine, and without the token or with a wrong one",
    403: "From a page of another site, or from another machine where no token opens it",
    422: "The request is understood and cannot be accepted: unknown names, wrong types, values out of range",
    429: "Too many wrong tokens from this address lately",
    503: "The simulator's database cannot be used now",
}
_WITH_BODY = {
    408: "The body did not arrive in time",
    413: "The body is too large",
    415: "The body is not of a media type that is expected",
}
_Mode = Literal["validation", "serialization"]


@functools.lru_cache(maxsize=2)  # half a second of work, the same for every scenario
def written(operations: Sequence[Operation], public_url: str) -> bytes:
    """The whole document, as it is sent."""
    return orjson.dumps(document(operations, public_url))


def document(operations: Sequence[Operation], public_url: str) -> dict[str, Any]:
    """The whole document."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(f"/_admin{one.path}", {})[one.method.lower()] = _operation(one, schemas)
    tags = {one.tag: one.tag_description for one in operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mock-editor, admin API", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": public_url}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        # Nothing (from the same machine), or the token.
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """The models of all operations as components."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        bodies = {one.json_body for one in operations} - {None}
        answers = {one.answer for one in operations} - {None}
        wanted: list[tuple[type[BaseModel], _Mode]] = [(model, "validation") for model in bodies if model]
        wanted += [(model, "serialization") for model in answers if model]
        wanted.append((Problem, "serialization"))
        # The same document in every process.
        wanted.sort(key=lambda one: (one[0].__name__, one[1]))
        self._references, shared = models_json_schema(wanted, ref_template=_TEMPLATE)
        self.components = shared["$defs"]

    def of(self, model: type[BaseModel], mode: _Mode = "serialization") -> dict[str, Any]:
        """The reference to a model."""
        return self._references[model, mode]


def _operation(one: Operation, schemas: _Schemas) -> dict[str, Any]:
    refusals = _COMMON | (_WITH_BODY if one.body else {}) | dict(one.refusals)
    described: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": one.summary,
        "description": f"{one.description}\n\nCommand: `mock-editor {one.command}`",
        "parameters": [*_parameters(one, "path"), *_parameters(one, "query")],
        "responses": {
            str(one.status): _answer(one, schemas),
            **{str(status): _refusal(one, status, refusals[status], schemas) for status in sorted(refusals)},
        },
    }
    if one.body:
        schema = schemas.of(one.json_body, "validation") if one.json_body else _file(one.accepts[0])
        told = {} if one.body is bytes else _examples(one.examples, lambda example: example.body)
        content = {media_type: {"schema": schema, **told} for media_type in one.accepts}
        described["requestBody"] = {"required": one.body_required, "content": content}
    return described


def _parameters(one: Operation, where: Literal["path", "query"]) -> list[dict[str, Any]]:
    model = one.place if where == "path" else one.query
    found = []
    for parameter in parameters(model) if model else ():
        schema = {key: value for key, value in parameter.schema.items() if key != "description"}
        given = _examples(one.examples, partial(_given, where, parameter.name))
        described = {"name": parameter.name, "in": where, "required": where == "path" or parameter.required}
        found.append({**described, "description": parameter.description, "schema": schema, **given})
    return found


def _given(where: str, name: str, example: Example) -> Any:
    return (example.path if where == "path" else example.query).get(name)


def _answer(one: Operation, schemas: _Schemas) -> dict[str, Any]:
    if one.answers is Answers.NOTHING:
        return {"description": "Done"}
    if one.answers is Answers.DOWNLOAD:
        return {"description": "The file", "content": {kind: {"schema": _file(kind)} for kind in one.produces}}
    model = one.answer or Problem
    if one.answers is Answers.STREAM:
        told = f"As it comes: {model.__name__} after {model.__name__}, one a line, or one an event ({EVENT_STREAM})"
        content = {kind: {"schema": _file(kind)} for kind in one.produces}
        return {"description": told, "content": content}
    done = [example for example in one.examples if example.status in (None, one.status)]
    examples = _examples(done, lambda example: example.answer)
    return {"description": "Done", "content": {JSON: {"schema": schemas.of(model), **examples}}}


def _refusal(one: Operation, status: int, meaning: str, schemas: _Schemas) -> dict[str, Any]:
    examples = _examples(
        [example for example in one.examples if example.status == status], lambda example: example.answer
    )
    return {
        "description": meaning,
        "content": {"application/problem+json": {"schema": schemas.of(Problem), **examples}},
    }


def _examples(examples: Sequence[Example], value: Callable[[Example], Any]) -> dict[str, Any]:
    """What examples have of something, as the document wants it; nothing where none has any."""
    found = [(example.summary, value(example)) for example in examples]
    numbered = enumerate(found, 1)
    told = {str(rank): {"summary": summary, "value": one} for rank, (summary, one) in numbered if one is not None}
    return {"examples": told} if told else {}


def _file(media_type: str) -> dict[str, Any]:
    """What is to be said of a body that no model describes."""
    if media_type == OCTETS:
        return {"type": "string", "contentMediaType": OCTETS}
    return {} if media_type.endswith(("json", "yaml")) and media_type != NDJSON else {"type": "string"}

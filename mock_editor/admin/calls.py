"""Calling an operation: what the HTTP API and the console have in common, from texts to the function and back."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from flask import Response
from pydantic import BaseModel

from mock_editor.admin.operation import Control, Download, Operation, check, read_texts
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code, Issue


class _NoQuery(BaseModel, extra="forbid"):
    pass


def call(
    operation: Operation, control: Control, path: Mapping[str, str], query: Mapping[str, str], body: bytes | None
) -> Any:
    """Runs an operation with the texts of its path and its query, and its body if it takes one; returns its result.

    Raises 400; 422 with everything that is not acceptable; and what the operation does.
    """
    issues: list[Issue] = []
    place = check(operation.place, orjson.dumps(read_texts(operation.place, path)), "path", issues)
    given: dict[str, Any] = {}
    model = operation.query or _NoQuery
    found = check(model, orjson.dumps(read_texts(model, query)), "query", issues)
    if operation.query:
        given["query"] = found
    if body is not None:
        given["body"] = _body(operation, body, issues)
    if issues:
        raise EditorError(422, issues)
    # Another worker may just have set it. Not everything needs the store.
    with contextlib.suppress(EditorError):
        control.simulator.follow_clock()
    names = operation.place.model_fields
    return operation.run(control, **given, **{name: getattr(place, name) for name in names})


def _body(operation: Operation, content: bytes, issues: list[Issue]) -> Any:
    """The body as the function takes it. Raises 400."""
    if operation.body is bytes:
        return content
    model = operation.json_body
    try:
        if model is None:
            return content.decode()
        # pydantic would take NaN, and numbers that are none.
        orjson.loads(content)
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise refused(Code.NOT_UTF8, "body") from None
        raise refused(Code.NOT_JSON, "body", error=str(error)) from None
    return check(model, content, "body", issues)


def download(operation: Operation, result: Download) -> Response:
    """A file as an answer."""
    headers = {"Content-Disposition": f'attachment; filename="{result.name}"'}
    pieces = Closing(result.content, result.content)
    return Response(pieces, operation.status, headers, mimetype=operation.produces[0])


class Closing:
    """Ends what pieces are made from once all of them are out, or nobody listens any more."""

    def __init__(self, pieces: Iterable[bytes], source: Any) -> None:
        self._pieces = iter(pieces)
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends it; a server calls this in the end."""
        if hasattr(self._source, "close"):
            self._source.close()

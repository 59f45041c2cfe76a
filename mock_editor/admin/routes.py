"""The operations under ``/_admin``, over HTTP."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
from flask import Blueprint, Response, request
from pydantic import BaseModel

from mock_editor.admin import openapi, problem
from mock_editor.admin.guard import Guard
from mock_editor.admin.operation import EVENTS, Answers, Control, Operation, check, read_texts
from mock_editor.admin.operations import OPERATIONS
from mock_editor.base.errors import BadRequestError, EditorError, Issue
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.booking.access import PageError
from mock_editor.simulator import Simulator
from mock_editor.stage import Stage

_MOST_PARAMETERS = 200


def blueprint(
    simulator: Simulator, stage: Stage, guard: Guard, operations: Sequence[Operation] = OPERATIONS
) -> Blueprint:
    """Every operation of the list, and the document about them, for those whom ``guard`` lets in."""
    bp = Blueprint("admin", __name__, url_prefix="/_admin")
    bp.before_request(guard.only_with_access)
    control, seconds = Control(simulator, stage), simulator.settings.body_timeout

    for one in operations:
        rule = one.path.replace("{", "<").replace("}", ">")
        bp.add_url_rule(rule, one.id, partial(_answer, one, control, seconds), methods=[one.method])

    @bp.get("/openapi.json")
    def describe() -> Response:
        return Response(openapi.written(tuple(operations), simulator.public_url), mimetype="application/json")

    @bp.errorhandler(PageError)
    def refuse(error: PageError) -> Response:
        return problem.response(problem.in_english(error))

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
        return response

    return bp


def _answer(operation: Operation, control: Control, seconds: float, **path: str) -> Response:
    result = operation.run(control, **_input(operation, path, seconds))
    if operation.answers is Answers.JSON:
        return Response(result.model_dump_json(), operation.status, mimetype=operation.produces[0])
    if operation.answers is Answers.DOWNLOAD:
        headers = {"Content-Disposition": f'attachment; filename="{result.name}"'}
        return Response(
            _Closing(result.content, result.content), operation.status, headers, mimetype=operation.produces[0]
        )
    if operation.answers is Answers.STREAM:
        media_type = request.accept_mimetypes.best_match(operation.produces, operation.produces[0])
        written = _events(result) if media_type == EVENTS else _lines(result)
        return Response(_Closing(written, result), operation.status, mimetype=media_type)
    return Response(status=operation.status)


# --- what comes in


def _input(operation: Operation, path: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """What the function is called with. Raises 400, 408, 413, 415; 422 with everything that is not acceptable."""
    issues: list[Issue] = []
    texts = read_texts(operation.place, path)
    place = check(operation.place, orjson.dumps(texts), "path", issues)
    given: dict[str, Any] = {}
    query = operation.query or _NoQuery
    found = check(query, orjson.dumps(read_texts(query, _query(request.query_string))), "query", issues)
    if operation.query:
        given["query"] = found
    if operation.body:
        given["body"] = _body(operation, seconds, issues)
    elif request.content_length or "Transfer-Encoding" in request.headers:
        # What is left of the body makes the connection useless.
        raise EditorError(400, [Issue("invalid", "A body, where none is expected")], {"Connection": "close"})
    if issues:
        raise EditorError(422, issues)
    return given | {name: getattr(place, name) for name in path}


class _NoQuery(BaseModel, extra="forbid"):
    pass


def _query(raw: bytes) -> dict[str, str]:
    """The parameters of a query, each at most once. Raises 400."""
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS, separator="&"
        )
    except ValueError as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"more than {_MOST_PARAMETERS} parameters"
        raise BadRequestError(Issue("invalid", what, "query")) from None
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadRequestError(
            *(Issue("invalid", "given more than once", f"query.{one[:100]}") for one in found if names.count(one) > 1)
        )
    return found


def _body(operation: Operation, seconds: float, issues: list[Issue]) -> Any:
    """The body as the function takes it. Raises 400, 408, 413, 415."""
    model = operation.json_body
    if not operation.body_required and not request.content_length and "Transfer-Encoding" not in request.headers:
        content = b"{}"
    else:
        expect_media_type(request.headers, operation.accepts)
        content = read_body(request.environ, seconds=seconds, limit=operation.limit)
    if operation.body is bytes:
        return content
    try:
        if model is None:
            return content.decode()
        # pydantic would take NaN, and numbers that are none.
        orjson.loads(content)
    except ValueError as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not JSON: {error}"
        raise BadRequestError(Issue("structure", what, "body")) from None
    return check(model, content, "body", issues)


# --- what goes out as it comes


def _lines(items: Iterable[BaseModel | None]) -> Iterator[bytes]:
    for item in items:
        yield b"\n" if item is None else item.model_dump_json().encode() + b"\n"


def _events(items: Iterable[BaseModel | None]) -> Iterator[bytes]:
    for item in items:
        if item is None:
            yield b":\n\n"
        else:
            number = f"id: {item.id}\n" if hasattr(item, "id") else ""
            yield f"{number}data: {item.model_dump_json()}\n\n".encode()


class _Closing:
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

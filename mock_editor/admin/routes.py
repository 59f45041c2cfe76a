"""The operations under ``/_admin``, over HTTP."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request
from pydantic import BaseModel
from werkzeug.http import parse_options_header

from mock_editor.admin import openapi
from mock_editor.admin.calls import Closing, call, download
from mock_editor.admin.guard import Guard
from mock_editor.admin.operation import JSON, Answers, Control, Operation
from mock_editor.admin.operations import OPERATIONS
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.event_streams import EVENT_STREAM, KEEP_ALIVE, event
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.issues import Code, issue
from mock_editor.base.sites import SENT_UNASKED
from mock_editor.base.worlds import Urls, of_world
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.world import World

_MOST_PARAMETERS = 200


def blueprint(operations: Sequence[Operation] = OPERATIONS) -> Blueprint:
    """Every operation of the list, and the document about them, for those whom the world's guard lets in."""
    bp = Blueprint("admin", __name__, url_prefix="/_admin")
    bp.before_request(_only_with_access)
    bp.after_request(_protect)
    for one in operations:
        rule = one.path.replace("{", "<").replace("}", ">")
        bp.add_url_rule(rule, one.id, partial(_answer, one), methods=[one.method])
    bp.add_url_rule("/openapi.json", "describe", partial(_describe, tuple(operations)))
    return bp


def _only_with_access() -> None:
    of_world(Guard).only_with_access()


def _protect(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _describe(operations: Sequence[Operation]) -> Response:
    return Response(openapi.written(operations, of_world(Urls).public), mimetype="application/json")


def _answer(operation: Operation, **path: str) -> Response:
    control = Control(of_world(World), of_world(Simulator))
    query = _query(request.query_string)
    result = call(operation, control, path, query, _body(operation, control.world.settings.body_timeout))
    if operation.answers is Answers.JSON:
        return Response(result.model_dump_json(), operation.status, mimetype=operation.produces[0])
    if operation.answers is Answers.DOWNLOAD:
        return download(operation, result)
    if operation.answers is Answers.STREAM:
        media_type = request.accept_mimetypes.best_match(operation.produces, operation.produces[0])
        written = _events(result) if media_type == EVENT_STREAM else _lines(result)
        return Response(Closing(written, result), operation.status, mimetype=media_type)
    return Response(status=operation.status)


# --- what comes in


def _query(raw: bytes) -> dict[str, str]:
    """The parameters of a query, each at most once. Raises 400."""
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS, separator="&"
        )
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise refused(Code.NOT_UTF8, "query") from None
        raise refused(Code.PARAMETERS_TOO_MANY, "query", most=_MOST_PARAMETERS) from None
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = [one for one in found if names.count(one) > 1]
        raise EditorError(400, [issue(Code.GIVEN_TWICE, f"query.{one[:100]}") for one in twice])
    return found


def _body(operation: Operation, seconds: float) -> bytes | None:
    """The body that was sent; None for an operation that takes none. Raises 400, 408, 413, 415."""
    sent = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if not sent and parse_options_header(request.headers.get("Content-Type", ""))[0].lower() in SENT_UNASKED:
        # A form of another site, from a browser that does not tell where it is from, may have no fields.
        expect_media_type(request.headers, operation.accepts or [JSON])
    if operation.body is None:
        if sent:
            # What is left of the body makes the connection useless.
            raise refused(Code.BODY_UNEXPECTED, headers={"Connection": "close"})
        return None
    if not sent and not operation.body_required:
        return b"{}"
    expect_media_type(request.headers, operation.accepts)
    return read_body(request.environ, seconds=seconds, limit=operation.limit)


# --- what goes out as it comes


def _lines(items: Iterable[BaseModel | None]) -> Iterator[bytes]:
    for item in items:
        yield b"\n" if item is None else item.model_dump_json().encode() + b"\n"


def _events(items: Iterable[BaseModel | None]) -> Iterator[bytes]:
    for item in items:
        yield KEEP_ALIVE if item is None else event(item.model_dump_json(), number=getattr(item, "id", None))

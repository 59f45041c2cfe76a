"""The actions of the console: forms that are operations of the admin API, so that it can do nothing else.

A form is posted to ``/_console/faire/<operation id>``. Its fields are those of the operation (``fields.py``); besides,
``jeton`` is the key of our forms and ``vers`` the page that is shown afterwards, in which ``{name}`` stands for a field
of the result. A refusal shows that page again, with what was typed and what is wrong with it; with ``rester``, success
does so too. With ``refaire`` nothing is done: the form comes back with what was typed, on the page with ``encore`` in
its query too, which has more fields. Files that operations answer with are at ``/_console/fichier/<operation id>``.
"""

import io
import re
from typing import Any
from urllib.parse import quote, unquote

from flask import Response, current_app, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from mock_editor.admin.calls import call, download
from mock_editor.admin.console import words
from mock_editor.admin.console.context import Console, Notice, RefusedForm, Route, inside
from mock_editor.admin.console.fields import Typed, body_of, flat, place_of, query_of
from mock_editor.admin.operation import Answers, Operation
from mock_editor.admin.operations import OPERATIONS
from mock_editor.base import codes
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.issues import Code
from mock_editor.base.words import french, french_page, has_title

_ACTIONS = {one.id: one for one in OPERATIONS if one.method != "GET"}
_FILES = {one.id: one for one in OPERATIONS if one.answers is Answers.DOWNLOAD}
_MULTIPART = "multipart/form-data"
# What a form has besides the body of its operation, in bytes; and how many fields.
_BESIDES, _MOST_FIELDS = 20_000, 500


def act(console: Console, name: str) -> Response:
    operation = _known(_ACTIONS, name)
    typed, file = _read(console, operation)
    target = inside(next(iter(typed.get("vers", ())), None))
    if "refaire" in typed:
        mark, more = "&" if "?" in target else "?", typed.get("encore", [""])[-1]
        notice = Notice("Le formulaire a de nouveaux champs : rien n’est encore enregistré.")
        return _again(console, inside(f"{target}{mark}{more}"), notice, RefusedForm(operation.id, typed))
    try:
        result = _run(console, operation, typed, file)
    except EditorError as error:
        return _again(console, target, _notice(error), _refused(operation, typed, error), error)
    said = words.done(operation.id, result)
    if "rester" in typed:
        return _again(console, target, Notice(said), RefusedForm(operation.id, typed))
    return console.back(_filled(target, result), said)


def file(console: Console, name: str) -> Response:
    operation = _known(_FILES, name)
    asked = console.asked()
    query = {one: asked.all(one) for one in asked.names()}
    texts = flat(operation.query, query, console.zone) if operation.query else {}
    return download(operation, call(operation, console.control, {}, texts, None))


def _known(some: dict[str, Operation], name: str) -> Operation:
    if name not in some:
        raise refused(Code.NO_SUCH_PAGE)
    return some[name]


# --- what comes in


def _read(console: Console, operation: Operation) -> tuple[Typed, bytes | None]:
    """The fields of the form that was posted, and the file that came with it.

    Raises 400 (a foreign form among them), 408, 413, 415.
    """
    expect_media_type(request.headers, (codes.FORM, _MULTIPART))
    # Text that is not sent as a part of its own has three signs for a byte.
    limit = 3 * operation.limit if operation.body is str else operation.limit
    content = read_body(request.environ, seconds=console.world.settings.body_timeout, limit=limit + _BESIDES)
    media_type, options = parse_options_header(request.headers["Content-Type"])
    parser = FormDataParser(silent=False, max_form_memory_size=limit + _BESIDES, max_form_parts=_MOST_FIELDS)
    form: MultiDict[str, Any]
    try:
        _, form, files = parser.parse(io.BytesIO(content), media_type, len(content), options)
    except (ValueError, RequestEntityTooLarge):
        raise refused(Code.NOT_A_FORM) from None
    file = None
    for name, sent in files.items(multi=True):
        with sent.stream as stream:
            # Without a name, none was chosen.
            file = stream.read() if name == "body" and sent.filename else file
    if len(form) > _MOST_FIELDS:
        raise refused(Code.FIELDS_TOO_MANY, most=_MOST_FIELDS)
    console.forms.check(form.get("jeton", ""))
    return dict(form.lists()), file


def _run(console: Console, operation: Operation, typed: Typed, file: bytes | None) -> Any:
    """Does it. Raises EditorError."""
    body = None
    if operation.body:
        body = body_of(operation, typed, console.zone) if file is None else file
    return call(operation, console.control, place_of(typed), query_of(operation, typed, console.zone), body)


# --- what comes out


def _notice(error: EditorError) -> Notice:
    if has_title(error):
        title, text = french_page(error)
        return Notice(text, well=False, title=title)
    title, text = words.refused(error)
    return Notice(text, well=False, title=title, details=words.details(error.issues))


def _refused(operation: Operation, typed: Typed, error: EditorError) -> RefusedForm:
    wrong = {re.sub(r"\[(\d+)\]", r".\1", one.place): french(one) for one in error.issues if one.place}
    return RefusedForm(operation.id, typed, wrong)


def _again(
    console: Console, target: str, notice: Notice, form: RefusedForm, error: EditorError | None = None
) -> Response:
    """The page that the form was on, as the answer to it; or one of its own, if that one is not there any more."""
    url, _, _ = target.partition("#")
    path, _, query = url.partition("?")
    environ = {
        **request.environ,
        "REQUEST_METHOD": "GET",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(),
    }
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"):
        environ.pop(name, None)
    # The context of the application stays, and what is in `g`.
    g.console_notice, g.console_refused = notice, form
    with current_app.request_context(environ):
        response = current_app.full_dispatch_request()
    if response.status_code != 200:
        response.close()
        response = console.show("message.html", title=notice.title or notice.text, text=notice.text, back=None)
    if error:
        response.status_code = error.status
        response.headers.update(error.headers)
    return response


def _filled(target: str, result: Any) -> str:
    """A page that is named by what came of the action."""
    return inside(re.sub(r"\{(\w+)\}", lambda found: quote(str(getattr(result, found[1], "")), safe=""), target))


ROUTES = (
    Route("/faire/<name>", act, "POST"),
    Route("/fichier/<name>", file),
)

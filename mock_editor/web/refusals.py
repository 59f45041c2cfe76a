"""Turns refusals into answers, for all paths. Some features answer with pages of their own, in their own look."""

from flask import Response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from mock_editor.admin import problem
from mock_editor.base import fhir
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.forms import HEADERS
from mock_editor.base.http import PROTECTION
from mock_editor.base.issues import Code, issue
from mock_editor.base.paths import Surface, classify
from mock_editor.base.words import french_page
from mock_editor.base.worlds import of_world
from mock_editor.calendars.catalogue import Catalogue


def answer(error: EditorError) -> Response:
    """The answer to a refused request: an OperationOutcome for FHIR clients, a page for browsers, else a problem."""
    meaning = classify(request.path)
    if meaning.fhir:
        return fhir.response(fhir.dumps(fhir.operation_outcome(error.issues)), error.status, headers=error.headers)
    if "text/html" in request.headers.get("Accept", "") and meaning.surface is not Surface.ADMIN:
        title, text = french_page(error)
        page = render_template("erreur.html", title=title, text=text)
        return Response(page, error.status, HEADERS | dict(error.headers))
    return problem.response(error)


def answer_http(error: HTTPException) -> Response:
    """The same for what Flask refuses (no such path, wrong method), and for our own errors, without any detail."""
    return answer(_refusal(error))


def protect(response: Response) -> Response:
    """Adds the protective headers, except those that the response sets itself: its content may come from others."""
    for name, value in PROTECTION:
        response.headers.setdefault(name, value)
    return response


def _refusal(error: HTTPException) -> EditorError:
    path = request.path[:200]
    if isinstance(error, MethodNotAllowed):
        headers = {"Allow": ", ".join(sorted(error.valid_methods))} if error.valid_methods else {}
        return refused(Code.METHOD_NOT_ALLOWED, headers=headers, method=request.method, path=path)
    if error.code == Code.NO_SUCH_PATH.status:
        return refused(Code.NO_SUCH_PATH, path=path, paths=_paths())
    if error.code in (None, Code.INTERNAL.status):
        return refused(Code.INTERNAL)
    return EditorError(error.code or 500, [issue(Code.HTTP_ERROR, name=error.name)])


def _paths() -> list[str]:
    """Paths that exist, for somebody who asked for one that does not."""
    editors = of_world(Catalogue).editors
    return [*(f"/{slug}/fhir/metadata" for slug in editors), "/_console/", "/_admin/openapi.json", "/_health"]

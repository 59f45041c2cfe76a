"""The FHIR endpoints of slot search: ``/<editor>/fhir/…``."""

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, request

from mock_editor.base import fhir
from mock_editor.base.codes import FORM
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.worlds import of_world
from mock_editor.search.searches import SearchAnswer, Searches, SearchRequest
from mock_editor.settings import Settings

_SEARCHES = {
    "Slot": Searches.slots,
    "Schedule": Searches.schedules,
    "Practitioner": Searches.practitioners,
    "Location": Searches.locations,
    "Organization": Searches.organizations,
}


def blueprint() -> Blueprint:
    """The endpoints; what they answer is that of the world of each request."""
    bp = Blueprint("search", __name__, url_prefix="/<editor>/fhir")
    for kind, search in _SEARCHES.items():
        view = partial(_search, search)
        bp.add_url_rule(f"/{kind}", f"get {kind}", view, methods=["GET"])
        bp.add_url_rule(f"/{kind}/_search", f"post {kind}", view, methods=["POST"])
    bp.add_url_rule("/metadata", view_func=metadata)
    bp.add_url_rule("/<kind>/<identifier>", view_func=read)
    return bp


def metadata(editor: str) -> Response:
    """The CapabilityStatement."""
    return _search(Searches.metadata, editor)


def read(editor: str, kind: str, identifier: str) -> Response:
    """A resource by its id."""
    searches = of_world(Searches)
    return _answer(searches.read(searches.asked(editor, request.environ), kind, identifier))


def _search(search: Callable[[Searches, SearchRequest], SearchAnswer], editor: str) -> Response:
    searches = of_world(Searches)
    form = _form() if request.method == "POST" else b""
    return _answer(search(searches, searches.asked(editor, request.environ, form)))


def _form() -> bytes:
    """The parameters in the body of ``POST …/_search``."""
    expect_media_type(request.headers, (FORM,))
    return read_body(request.environ, seconds=of_world(Settings).body_timeout)


def _answer(it: SearchAnswer) -> Response:
    return fhir.response(it.body, pretty=it.pretty)

"""The FHIR endpoints of slot search: ``/<editor>/fhir/…``."""

from collections.abc import Callable

from flask import Blueprint, Response, request

from mock_editor.base import fhir
from mock_editor.base.codes import FORM
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.search.searches import Answer, Asked, Searches


def blueprint(searches: Searches, body_timeout: float) -> Blueprint:
    """The endpoints. A client has ``body_timeout`` seconds to send the body of a posted search."""
    bp = Blueprint("search", __name__, url_prefix="/<editor>/fhir")

    def answer(it: Answer) -> Response:
        return fhir.response(it.body, pretty=it.pretty)

    def asked(editor: str) -> Asked:
        return searches.asked(editor, request.environ, _form(body_timeout) if request.method == "POST" else b"")

    def add_search(kind: str, search: Callable[[Asked], Answer]) -> None:
        def view(editor: str) -> Response:
            return answer(search(asked(editor)))

        bp.add_url_rule(f"/{kind}", f"get {kind}", view, methods=["GET"])
        bp.add_url_rule(f"/{kind}/_search", f"post {kind}", view, methods=["POST"])

    add_search("Slot", searches.slots)
    add_search("Schedule", searches.schedules)
    add_search("Practitioner", searches.practitioners)
    add_search("Location", searches.locations)
    add_search("Organization", searches.organizations)

    @bp.get("/metadata")
    def metadata(editor: str) -> Response:
        return answer(searches.metadata(asked(editor)))

    @bp.get("/<kind>/<identifier>")
    def read(editor: str, kind: str, identifier: str) -> Response:
        return answer(searches.read(asked(editor), kind, identifier))

    return bp


def _form(seconds: float) -> bytes:
    """The parameters in the body of ``POST …/_search``."""
    expect_media_type(request.headers, (FORM,))
    return read_body(request.environ, seconds=seconds)

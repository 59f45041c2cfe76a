"""The FHIR endpoints of slot search: ``/<editor>/fhir/…``."""

from flask import Blueprint, Response, request
from werkzeug.http import parse_options_header

from mock_editor.base import fhir
from mock_editor.base.codes import FORM
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.http import read_body
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Editor
from mock_editor.search import query, reads
from mock_editor.search.bundle import BundleWriter
from mock_editor.search.capabilities import capability_statement
from mock_editor.search.query import Parameters


def blueprint(catalogue: Catalogue, public_url: str, body_timeout: float) -> Blueprint:
    """The endpoints for the editors of ``catalogue``, reached under ``public_url``."""
    bp = Blueprint("search", __name__, url_prefix="/<editor>/fhir")
    writers = {
        slug: BundleWriter(editor, f"{public_url}/{slug}/fhir", f"{public_url}/{slug}")
        for slug, editor in catalogue.editors.items()
    }

    def asked(editor: str) -> tuple[Editor, BundleWriter, Parameters, str, bool]:
        """What every request needs: editor, writer, parameters, self link, strict handling. Checks the format."""
        played = catalogue.editor(editor)
        raw = request.query_string
        if request.method == "POST":
            raw = b"&".join(part for part in (raw, _form(body_timeout)) if part)
        parameters = Parameters(raw)
        fhir.check_acceptable(request.headers.get("Accept", ""), parameters.all("_format"))
        path = request.path.removesuffix("/_search")
        link = f"{public_url}{path}?{fhir.legal_query(raw)}" if raw else f"{public_url}{path}"
        strict = fhir.prefers_strict(request.headers.get("Prefer", ""))
        return played, writers[editor], parameters, link, strict

    @bp.get("/Slot")
    @bp.post("/Slot/_search")
    def slots(editor: str) -> Response:
        played, writer, parameters, link, strict = asked(editor)
        wanted = query.slot_query(parameters, played.zone, strict=strict)
        found = [played.directory.find(identifier) for identifier in wanted.identifiers]
        body = writer.slots(wanted, [person for person in found if person], catalogue.clock.now(), link)
        return fhir.response(body, pretty=wanted.output.pretty)

    @bp.get("/Practitioner")
    @bp.post("/Practitioner/_search")
    def practitioners(editor: str) -> Response:
        played, writer, parameters, link, strict = asked(editor)
        wanted = query.output(parameters)
        found = reads.practitioners(played, parameters, strict=strict)
        return fhir.response(writer.resources(found, link, count_only=wanted.count_only), pretty=wanted.pretty)

    @bp.get("/Schedule")
    @bp.post("/Schedule/_search")
    def schedules(editor: str) -> Response:
        played, writer, parameters, link, strict = asked(editor)
        wanted = query.output(parameters)
        found = reads.schedules(played, parameters, strict=strict)
        return fhir.response(writer.resources(found, link, count_only=wanted.count_only), pretty=wanted.pretty)

    @bp.get("/metadata")
    def metadata(editor: str) -> Response:
        played, _, parameters, _, _ = asked(editor)
        statement = capability_statement(played, f"{public_url}/{editor}/fhir", catalogue.clock.now())
        return fhir.response(fhir.dumps(statement), pretty=query.wants_pretty(parameters))

    @bp.get("/<kind>/<identifier>")
    def read(editor: str, kind: str, identifier: str) -> Response:
        played, writer, parameters, _, _ = asked(editor)
        resource = reads.read(played, writer, kind, identifier)
        return fhir.response(fhir.dumps(resource), pretty=query.wants_pretty(parameters))

    return bp


def _form(seconds: float) -> bytes:
    """The parameters in the body of ``POST …/_search``."""
    media_type = parse_options_header(request.headers.get("Content-Type", ""))[0]
    if media_type.lower() != FORM:
        raise EditorError(415, [Issue("not-supported", f"Content-Type: expected {FORM}, not {media_type[:100]!r}")])
    return read_body(request.environ, seconds=seconds)

"""The FHIR endpoints of slot search: ``/<editor>/fhir/…``."""

from collections.abc import Callable
from typing import NamedTuple

from flask import Blueprint, Response, request
from werkzeug.http import parse_options_header

from mock_editor.base import fhir
from mock_editor.base.codes import BUNDLE_PROFILE, FORM
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.fhir import Resource
from mock_editor.base.http import read_body
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Editor
from mock_editor.search import query
from mock_editor.search.bundle import EntryWriter, bundle
from mock_editor.search.capabilities import capability_statement
from mock_editor.search.individual import IndividualWriter
from mock_editor.search.query import Parameters
from mock_editor.search.reads import ACTOR, Reader
from mock_editor.search.sos import SosWriter


class _Played:
    """An editor and what answers for it."""

    def __init__(self, editor: Editor, web: str) -> None:
        self.editor = editor
        self.base = f"{web}/fhir"
        self.entries = EntryWriter(self.base)
        self.individual = IndividualWriter(editor, self.entries, web)
        self.sos = SosWriter(editor, self.entries, web)
        self.reader = Reader(editor, self.individual, self.sos)


class _Asked(NamedTuple):
    """What every request brings: whom it asks, with which parameters, the link to itself, and how strict to be."""

    played: _Played
    parameters: Parameters
    link: str
    strict: bool


def blueprint(catalogue: Catalogue, public_url: str, body_timeout: float) -> Blueprint:
    """The endpoints for the editors of ``catalogue``, reached under ``public_url``."""
    bp = Blueprint("search", __name__, url_prefix="/<editor>/fhir")
    everybody = {slug: _Played(editor, f"{public_url}/{slug}") for slug, editor in catalogue.editors.items()}

    def asked(editor: str) -> _Asked:
        """Reads what every request brings. Raises 404 for an unknown editor, 406 unless JSON is wanted."""
        catalogue.editor(editor)
        environ = request.environ  # its parts cost less than those of the request, and this is the hot path
        raw: bytes = environ.get("QUERY_STRING", "").encode("latin-1")
        if environ["REQUEST_METHOD"] == "POST":
            raw = b"&".join(part for part in (raw, _form(body_timeout)) if part)
        parameters = Parameters(raw)
        fhir.check_acceptable(environ.get("HTTP_ACCEPT", ""), parameters.all("_format"))
        path = request.path.removesuffix("/_search")
        link = f"{public_url}{path}?{fhir.legal_query(raw)}" if raw else f"{public_url}{path}"
        return _Asked(everybody[editor], parameters, link, fhir.prefers_strict(environ.get("HTTP_PREFER", "")))

    @bp.get("/Slot")
    @bp.post("/Slot/_search")
    def slots(editor: str) -> Response:
        it = asked(editor)
        wanted = query.slot_query(it.parameters, it.played.editor.zone, strict=it.strict)
        found = map(it.played.editor.directory.find, wanted.identifiers)
        body = it.played.individual.slots(wanted, [*filter(None, found)], catalogue.clock.now(), it.link)
        return fhir.response(body, pretty=wanted.output.pretty)

    @bp.get("/Schedule")
    @bp.post("/Schedule/_search")
    def schedules(editor: str) -> Response:
        it = asked(editor)
        if it.parameters.all(ACTOR):
            return _plain_search(it, it.played.reader.schedules)
        wanted = query.sos_query(it.parameters, it.played.editor.zone, strict=it.strict)
        body = it.played.sos.schedules(wanted, catalogue.clock.now(), it.link)
        return fhir.response(body, pretty=wanted.output.pretty)

    @bp.get("/Practitioner")
    @bp.post("/Practitioner/_search")
    def practitioners(editor: str) -> Response:
        it = asked(editor)
        return _plain_search(it, it.played.reader.practitioners)

    @bp.get("/Location")
    @bp.post("/Location/_search")
    def locations(editor: str) -> Response:
        it = asked(editor)
        return _plain_search(it, it.played.reader.locations)

    @bp.get("/Organization")
    @bp.post("/Organization/_search")
    def organizations(editor: str) -> Response:
        it = asked(editor)
        return _plain_search(it, it.played.reader.organizations)

    @bp.get("/metadata")
    def metadata(editor: str) -> Response:
        it = asked(editor)
        statement = capability_statement(it.played.editor, it.played.base, catalogue.clock.now())
        return fhir.response(fhir.dumps(statement), pretty=query.wants_pretty(it.parameters))

    @bp.get("/<kind>/<identifier>")
    def read(editor: str, kind: str, identifier: str) -> Response:
        it = asked(editor)
        resource = it.played.reader.read(kind, identifier)
        return fhir.response(fhir.dumps(resource), pretty=query.wants_pretty(it.parameters))

    return bp


def _plain_search(it: _Asked, search: Callable[..., list[Resource]]) -> Response:
    """A search that lists whole resources, all of them matches."""
    wanted = query.output(it.parameters)
    found = search(it.parameters, strict=it.strict)
    entries = [] if wanted.count_only else [it.played.entries.entry(resource, "match") for resource in found]
    return fhir.response(bundle(BUNDLE_PROFILE, len(found), it.link, entries), pretty=wanted.pretty)


def _form(seconds: float) -> bytes:
    """The parameters in the body of ``POST …/_search``."""
    media_type = parse_options_header(request.headers.get("Content-Type", ""))[0]
    if media_type.lower() != FORM:
        raise EditorError(415, [Issue("not-supported", f"Content-Type: expected {FORM}, not {media_type[:100]!r}")])
    return read_body(request.environ, seconds=seconds)

"""The endpoints of INT_R03 on the side of the SAS, ``/_sas/fhir/…``, and the pages that show what came."""

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.http import http_date

from mock_editor.base import fhir, forms
from mock_editor.base.codes import JSON_BODIES
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.fhir_bodies import asked_identifier
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.base.store import Store
from mock_editor.bench.receiver import payload, view
from mock_editor.bench.receiver.capabilities import capability_statement
from mock_editor.bench.receiver.payload import KIND, Notification
from mock_editor.bench.receiver.received import Inbox, Received, Saved

_IDENTIFIER = "identifier"
# A load test leaves more behind than a client, or a browser, wants at once.
_MOST = 200


def blueprint(store: Store, public_url: str, body_timeout: float, now: Callable[[], datetime]) -> Blueprint:
    """The endpoints and pages. A client has ``body_timeout`` seconds to send a body; ``now`` tells when it came."""
    bp = Blueprint("receiver", __name__, url_prefix="/_sas", template_folder="templates", static_folder="static")
    inbox = Inbox(store, now)
    base = f"{public_url}/_sas/fhir"

    # --- what every request brings, and gets

    def asked() -> Parameters:
        """Raises 406 for XML; 400 for an unknown parameter, where that is wanted."""
        parameters = Parameters(request.query_string)
        fhir.check_acceptable(request.headers.get("Accept", ""), parameters.all("_format"))
        if fhir.prefers_strict(request.headers.get("Prefer", "")):
            parameters.refuse_unknown((_IDENTIFIER,))
        fhir.refuse(parameters.issues)
        return parameters

    def body() -> Notification:
        expect_media_type(request.headers, JSON_BODIES)
        return payload.read(read_body(request.environ, seconds=body_timeout))

    def answer(parameters: Parameters, saved: Saved, told: Notification) -> Response:
        status = 201 if saved.outcome == "created" else 200
        headers = {"Location": f"{base}/{KIND}/{saved.appointment.id}", **_version(saved.appointment)}
        wanted = fhir.preferred_return(request.headers.get("Prefer", ""))
        if wanted == "minimal":
            return Response(status=status, headers=headers)
        resource = saved.appointment.resource if wanted == "representation" else _outcome(saved, told)
        return fhir.response(fhir.dumps(resource), status, pretty=wants_pretty(parameters), headers=headers)

    def page(template: str, status: int = 200, **content: object) -> Response:
        return Response(render_template(f"receiver/{template}", **content), status)

    @bp.errorhandler(EditorError)
    def refuse(error: EditorError) -> Response:
        """On FHIR paths for developers, elsewhere in French."""
        if request.path.startswith("/_sas/fhir/"):
            return fhir.response(fhir.dumps(fhir.operation_outcome(error.issues)), error.status, headers=error.headers)
        title, text = forms.in_french(error)
        return page("message.html", error.status, title=title, text=text)

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.update(forms.HEADERS)
        return response

    # --- for editors

    @bp.post(f"/fhir/{KIND}")
    def create() -> Response:
        parameters, told = asked(), body()
        return answer(parameters, inbox.create(told), told)

    @bp.put(f"/fhir/{KIND}")
    def put() -> Response:
        parameters = asked()
        identifier = asked_identifier(parameters)
        told = body()
        return answer(parameters, inbox.put(identifier, told), told)

    @bp.put(f"/fhir/{KIND}/<identifier>")
    def update(identifier: str) -> Response:
        parameters, told = asked(), body()
        return answer(parameters, inbox.update(identifier, told), told)

    @bp.get(f"/fhir/{KIND}/<identifier>")
    def read(identifier: str) -> Response:
        parameters = asked()
        found = inbox.read(identifier)
        return fhir.response(fhir.dumps(found.resource), pretty=wants_pretty(parameters), headers=_version(found))

    @bp.get(f"/fhir/{KIND}")
    def search() -> Response:
        parameters = asked()
        if _IDENTIFIER in parameters.names():
            one = inbox.find(*asked_identifier(parameters))
            found, total = ([one], 1) if one else ([], 0)
        else:
            found, total = inbox.latest(_MOST)
        raw = request.query_string
        link = f"{base}/{KIND}?{fhir.legal_query(raw)}" if raw else f"{base}/{KIND}"
        return fhir.response(fhir.dumps(_searchset(base, link, found, total)), pretty=wants_pretty(parameters))

    @bp.get("/fhir/metadata")
    def metadata() -> Response:
        parameters = asked()
        return fhir.response(fhir.dumps(capability_statement(base, now())), pretty=wants_pretty(parameters))

    # --- for people

    @bp.get("/rendez-vous")
    def appointments() -> Response:
        found, total = inbox.latest(_MOST)
        return page("liste.html", rows=[view.row(one) for one in found], total=total, url=f"{base}/{KIND}")

    @bp.get("/rendez-vous/<identifier>")
    def appointment(identifier: str) -> Response:
        one = inbox.read(identifier)
        raw = url_for("receiver.read", identifier=one.id)
        return page("rendez_vous.html", row=view.row(one), versions=inbox.versions(one.id), view=view, raw=raw)

    return bp


def _version(one: Received) -> Mapping[str, str]:
    return {"ETag": f'W/"{one.version}"', "Last-Modified": http_date(one.changed)}


def _searchset(base: str, link: str, found: list[Received], total: int) -> fhir.Resource:
    entries = [
        {"fullUrl": f"{base}/{KIND}/{one.id}", "resource": one.resource, "search": {"mode": "match"}} for one in found
    ]
    bundle: fhir.Resource = {"resourceType": "Bundle", "type": "searchset", "total": total}
    return bundle | {"link": [{"relation": "self", "url": link}]} | ({"entry": entries} if entries else {})


def _outcome(saved: Saved, told: Notification) -> fhir.Resource:
    """What ``Prefer: return=OperationOutcome`` gets; it tells what was left aside, too."""
    text = f"{KIND}/{saved.appointment.id}: {saved.outcome}, version {saved.appointment.version}"
    ignored = (Issue("not-supported", f"{path}: unknown, ignored", path, "warning") for path in told.ignored)
    return fhir.operation_outcome([Issue("informational", text, severity="information"), *ignored])

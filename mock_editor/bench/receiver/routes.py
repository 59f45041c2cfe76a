"""The endpoints of INT_R03 on the side of the SAS, ``/_sas/fhir/…``, and the pages that show what came."""

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from mock_editor.base import fhir, forms
from mock_editor.base.codes import JSON_BODIES
from mock_editor.base.errors import EditorError, Issue, NotFoundError
from mock_editor.base.event_streams import EVENT_STREAM, HEARTBEAT
from mock_editor.base.fhir_bodies import asked_identifier, refuse_conditional_create
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.base.paths import classify
from mock_editor.base.preconditions import Preconditions
from mock_editor.base.store import Store
from mock_editor.base.waits import Ended, Hold, Waits
from mock_editor.base.words import french_page
from mock_editor.bench.idp.people import Person
from mock_editor.bench.live import stream
from mock_editor.bench.platform.directory import Directory
from mock_editor.bench.receiver import lrm, payload, view
from mock_editor.bench.receiver.capabilities import capability_statement
from mock_editor.bench.receiver.payload import KIND, Notification
from mock_editor.bench.receiver.received import Inbox, Received, Saved, Version

_IDENTIFIER = "identifier"
# A load test leaves more behind than a client, or a browser, wants at once.
_MOST = 200
# Seconds between two looks for what is new; a look takes some microseconds.
_LOOK = 0.5


def blueprint(
    store: Store,
    public_url: str,
    body_timeout: float,
    now: Callable[[], datetime],
    waits: Waits,
    directory: Directory,
    people: Callable[[], Sequence[Person]],
) -> Blueprint:
    """The endpoints and pages. A client has ``body_timeout`` seconds to send a body; ``now`` tells when it came.

    What an LRM would be told of an appointment comes from ``directory`` and ``people``, the regulators.
    """
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
        headers = {"Location": f"{base}/{KIND}/{saved.appointment.id}", **saved.appointment.current.headers}
        wanted = fhir.preferred_return(request.headers.get("Prefer", ""))
        if wanted == "minimal":
            return Response(status=status, headers=headers)
        resource = saved.appointment.resource if wanted == "representation" else _outcome(saved, told)
        return fhir.response(fhir.dumps(resource), status, pretty=wants_pretty(parameters), headers=headers)

    def page(template: str, status: int = 200, **content: Any) -> Response:
        return Response(render_template(f"receiver/{template}", **content), status)

    @bp.errorhandler(EditorError)
    def refuse(error: EditorError) -> Response:
        """On FHIR paths for developers, elsewhere in French."""
        if classify(request.path).fhir:
            return fhir.response(fhir.dumps(fhir.operation_outcome(error.issues)), error.status, headers=error.headers)
        title, text = french_page(error)
        return Response(render_template("platform/message.html", title=title, text=text), error.status)

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.update(forms.HEADERS_WITH_SCRIPTS)
        return response

    # --- for editors

    @bp.post(f"/fhir/{KIND}")
    def create() -> Response:
        parameters = asked()
        refuse_conditional_create(request.headers)
        told = body()
        return answer(parameters, inbox.create(told), told)

    @bp.put(f"/fhir/{KIND}")
    def put() -> Response:
        parameters = asked()
        identifier = asked_identifier(parameters, alone=True)
        told = body()
        return answer(parameters, inbox.put(identifier, told, Preconditions.of(request.headers)), told)

    @bp.put(f"/fhir/{KIND}/<identifier>")
    def update(identifier: str) -> Response:
        parameters, told = asked(), body()
        return answer(parameters, inbox.update(identifier, told, Preconditions.of(request.headers)), told)

    @bp.get(f"/fhir/{KIND}/<identifier>")
    def read(identifier: str) -> Response:
        parameters = asked()
        found = inbox.read(identifier)
        headers = found.current.headers
        if Preconditions.of(request.headers).has(found.current):
            return Response(status=304, headers=headers)
        return fhir.response(fhir.dumps(found.resource), pretty=wants_pretty(parameters), headers=headers)

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
        return page("liste.html", live=url_for("receiver.news"), **listed())

    @bp.get("/rendez-vous/flux")
    def news() -> Response:
        if request.method == "HEAD":
            return Response(mimetype=EVENT_STREAM)
        hold = waits.hold(request.environ)
        return stream(hold, changes(hold))

    def changes(hold: Hold) -> Generator[str | None]:
        seen = None
        while True:
            newest = inbox.newest()
            yield render_template("receiver/rendez_vous_recus.html", **listed()) if newest != seen else None
            seen = newest
            silent = 0.0
            while inbox.newest() == newest and silent < HEARTBEAT:
                if hold.sleep(_LOOK) is not Ended.TIME:
                    return
                silent += _LOOK

    def listed() -> dict[str, Any]:
        found, total = inbox.latest(_MOST)
        return {"rows": [view.row(one) for one in found], "total": total, "url": f"{base}/{KIND}"}

    @bp.get("/rendez-vous/<identifier>")
    def appointment(identifier: str) -> Response:
        one = inbox.read(identifier)
        raw = url_for("receiver.read", identifier=one.id)
        versions = [(version, passed_on(one, version)) for version in inbox.versions(one.id)]
        return page("rendez_vous.html", row=view.row(one), versions=versions, view=view, raw=raw)

    @bp.get("/rendez-vous/<identifier>/versions/<int:number>/lrm.json")
    def for_lrm(identifier: str, number: int) -> Response:
        one = inbox.read(identifier)
        version = next((each for each in inbox.versions(one.id) if each.number == number), None)
        if version is None:
            raise NotFoundError(f"{KIND}/{one.id} has no version {number}")
        name = f"INT_L02-{one.id}-{number}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(view.text(passed_on(one, version)), headers=headers, mimetype="application/json")

    def passed_on(one: Received, version: Version) -> dict[str, Any]:
        return lrm.message(one, version, directory.practitioners, people())

    return bp


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

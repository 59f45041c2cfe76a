"""The endpoints of INT_R03 on the SAS side, ``/_sas/fhir/…``, and the pages that show what was received."""

from collections.abc import Generator
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from mock_editor.base import fhir, forms
from mock_editor.base.codes import JSON_BODIES
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.event_streams import EVENT_STREAM, HEARTBEAT
from mock_editor.base.fhir_bodies import asked_identifier, refuse_conditional_create
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.issues import Code, Issue, Term
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.base.paths import Surface, classify
from mock_editor.base.preconditions import Preconditions
from mock_editor.base.waits import Ended, Hold
from mock_editor.base.words import french_page
from mock_editor.base.worlds import of_world
from mock_editor.bench.live import stream
from mock_editor.bench.receiver import lrm, payload, view
from mock_editor.bench.receiver.capabilities import capability_statement
from mock_editor.bench.receiver.payload import KIND, IncomingAppointment
from mock_editor.bench.receiver.received import Inbox, ReceivedAppointment, Saved, Version
from mock_editor.bench.receiver.receiver import Receiver

_IDENTIFIER = "identifier"
# Appointments listed at most: a load test leaves more than a client or a browser wants at once.
_MOST = 200
# Seconds between two looks for something new; a look takes some microseconds.
_LOOK = 0.5


bp = Blueprint("receiver", __name__, url_prefix=f"/{Surface.SAS}", template_folder="templates", static_folder="static")


def _receiver() -> Receiver:
    return of_world(Receiver)


def _inbox() -> Inbox:
    return _receiver().inbox


# --- shared by all requests


def _asked() -> Parameters:
    """Raises 406 for XML; 400 for an unknown parameter, where that is wanted."""
    parameters = Parameters(request.query_string)
    fhir.check_acceptable(request.headers.get("Accept", ""), parameters.all("_format"))
    if fhir.prefers_strict(request.headers.get("Prefer", "")):
        parameters.refuse_unknown((_IDENTIFIER,))
    fhir.refuse(parameters.issues)
    return parameters


def _body() -> IncomingAppointment:
    expect_media_type(request.headers, JSON_BODIES)
    return payload.read(read_body(request.environ, seconds=_receiver().body_timeout))


def _answer(parameters: Parameters, saved: Saved, incoming: IncomingAppointment) -> Response:
    status = 201 if saved.outcome == "created" else 200
    headers = {"Location": f"{_receiver().base}/{KIND}/{saved.appointment.id}", **saved.appointment.current.headers}
    wanted = fhir.preferred_return(request.headers.get("Prefer", ""))
    if wanted == "minimal":
        return Response(status=status, headers=headers)
    resource = saved.appointment.resource if wanted == "representation" else _outcome(saved, incoming)
    return fhir.response(fhir.dumps(resource), status, pretty=wants_pretty(parameters), headers=headers)


def _page(template: str, status: int = 200, **content: Any) -> Response:
    return Response(render_template(f"receiver/{template}", **content), status)


@bp.errorhandler(EditorError)
def refuse(error: EditorError) -> Response:
    """Answers a refusal: for developers on FHIR paths, in French elsewhere."""
    if classify(request.path).fhir:
        return fhir.response(fhir.dumps(fhir.operation_outcome(error.issues)), error.status, headers=error.headers)
    title, text = french_page(error)
    return Response(render_template("platform/message.html", title=title, text=text), error.status)


@bp.after_request
def protect(response: Response) -> Response:
    """Allows our own scripts in our pages."""
    response.headers.update(forms.HEADERS_WITH_SCRIPTS)
    return response


# --- for editors


@bp.post(f"/fhir/{KIND}")
def create() -> Response:
    """Takes a new appointment."""
    parameters = _asked()
    refuse_conditional_create(request.headers)
    incoming = _body()
    return _answer(parameters, _inbox().create(incoming), incoming)


@bp.put(f"/fhir/{KIND}")
def put() -> Response:
    """Takes an appointment by its identifier, new or not."""
    parameters = _asked()
    identifier = asked_identifier(parameters, alone=True)
    incoming = _body()
    return _answer(parameters, _inbox().put(identifier, incoming, Preconditions.of(request.headers)), incoming)


@bp.put(f"/fhir/{KIND}/<identifier>")
def update(identifier: str) -> Response:
    """Takes a version of an appointment by its id."""
    parameters, incoming = _asked(), _body()
    return _answer(parameters, _inbox().update(identifier, incoming, Preconditions.of(request.headers)), incoming)


@bp.get(f"/fhir/{KIND}/<identifier>")
def read(identifier: str) -> Response:
    """An appointment by its id."""
    parameters = _asked()
    found = _inbox().read(identifier)
    headers = found.current.headers
    if Preconditions.of(request.headers).has(found.current):
        return Response(status=304, headers=headers)
    return fhir.response(fhir.dumps(found.resource), pretty=wants_pretty(parameters), headers=headers)


@bp.get(f"/fhir/{KIND}")
def search() -> Response:
    """Appointments by identifier, or those that changed last."""
    parameters = _asked()
    if _IDENTIFIER in parameters.names():
        appointment = _inbox().find(*asked_identifier(parameters))
        appointments, total = ([appointment], 1) if appointment else ([], 0)
    else:
        appointments, total = _inbox().latest(_MOST)
    raw = request.query_string
    link = f"{_receiver().base}/{KIND}?{fhir.legal_query(raw)}" if raw else f"{_receiver().base}/{KIND}"
    return fhir.response(
        fhir.dumps(_searchset(_receiver().base, link, appointments, total)), pretty=wants_pretty(parameters)
    )


@bp.get("/fhir/metadata")
def metadata() -> Response:
    """The CapabilityStatement."""
    parameters, receiver = _asked(), _receiver()
    statement = capability_statement(receiver.base, receiver.now())
    return fhir.response(fhir.dumps(statement), pretty=wants_pretty(parameters))


# --- for people


@bp.get("/rendez-vous")
def appointments() -> Response:
    """The page of all received appointments."""
    return _page("liste.html", live=url_for("receiver.news"), **_listed())


@bp.get("/rendez-vous/flux")
def news() -> Response:
    """The parts of that page that change."""
    if request.method == "HEAD":
        return Response(mimetype=EVENT_STREAM)
    hold = _receiver().waits.hold(request.environ)
    return stream(hold, _changes(hold))


def _changes(hold: Hold) -> Generator[str | None]:
    seen = None
    while True:
        newest = _inbox().newest()
        yield render_template("receiver/rendez_vous_recus.html", **_listed()) if newest != seen else None
        seen = newest
        silent = 0.0
        while _inbox().newest() == newest and silent < HEARTBEAT:
            if hold.sleep(_LOOK) is not Ended.TIME:
                return
            silent += _LOOK


def _listed() -> dict[str, Any]:
    appointments, total = _inbox().latest(_MOST)
    return {
        "rows": [view.row(appointment) for appointment in appointments],
        "total": total,
        "url": f"{_receiver().base}/{KIND}",
    }


@bp.get("/rendez-vous/<identifier>")
def appointment(identifier: str) -> Response:
    """The page of one appointment, with its versions."""
    received = _inbox().read(identifier)
    raw = url_for("receiver.read", identifier=received.id)
    versions = [(version, _passed_on(received, version)) for version in _inbox().versions(received.id)]
    return _page("rendez_vous.html", row=view.row(received), versions=versions, view=view, raw=raw)


@bp.get("/rendez-vous/<identifier>/versions/<int:number>/lrm.json")
def for_lrm(identifier: str, number: int) -> Response:
    """The message to an LRM about a version."""
    received = _inbox().read(identifier)
    version = next((version for version in _inbox().versions(received.id) if version.number == number), None)
    if version is None:
        raise refused(Code.APPOINTMENT_NO_VERSION, appointment=f"{KIND}/{received.id}", number=number)
    name = f"INT_L02-{received.id}-{number}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(view.text(_passed_on(received, version)), headers=headers, mimetype="application/json")


def _passed_on(appointment: ReceivedAppointment, version: Version) -> dict[str, Any]:
    receiver = _receiver()
    return lrm.message(appointment, version, receiver.directory.practitioners, receiver.people())


def _searchset(base: str, link: str, appointments: list[ReceivedAppointment], total: int) -> fhir.Resource:
    entries = [
        {"fullUrl": f"{base}/{KIND}/{appointment.id}", "resource": appointment.resource, "search": {"mode": "match"}}
        for appointment in appointments
    ]
    bundle: fhir.Resource = {"resourceType": "Bundle", "type": "searchset", "total": total}
    return bundle | {"link": [{"relation": "self", "url": link}]} | ({"entry": entries} if entries else {})


def _outcome(saved: Saved, incoming: IncomingAppointment) -> fhir.Resource:
    """The answer to ``Prefer: return=OperationOutcome``; it also says what was ignored."""
    values = {
        "appointment": f"{KIND}/{saved.appointment.id}",
        "outcome": Term("outcome", saved.outcome),
        "version": saved.appointment.version,
    }
    ignored = (Issue(Code.ELEMENT_IGNORED, path, severity="warning") for path in incoming.ignored)
    return fhir.operation_outcome([Issue(Code.APPOINTMENT_SAVED, values=values, severity="information"), *ignored])

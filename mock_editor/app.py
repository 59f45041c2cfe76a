"""Wires the simulator together. Read from top to bottom it is the life of a request."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, jsonify, render_template, request, url_for
from flask_bootstrap import Bootstrap5
from prometheus_client import Metric
from requests.adapters import BaseAdapter
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from mock_editor import __version__
from mock_editor import stage as stage_of
from mock_editor.accounts import capabilities
from mock_editor.accounts import routes as account_routes
from mock_editor.accounts.payload import email_key, token_of
from mock_editor.admin import console, problem
from mock_editor.admin import routes as admin_routes
from mock_editor.admin.guard import Guard
from mock_editor.base import fhir
from mock_editor.base.clock import Clock
from mock_editor.base.codes import PRACTITIONER_OID, SAS_OID
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.forms import in_french
from mock_editor.base.in_process import InProcessAdapter
from mock_editor.base.store import Store
from mock_editor.base.waits import Waits
from mock_editor.bench.idp import routes as idp_routes
from mock_editor.bench.idp import state as idp_state
from mock_editor.bench.idp.people import Person
from mock_editor.bench.receiver import received
from mock_editor.bench.receiver import routes as receiver_routes
from mock_editor.bench.receiver.received import Inbox
from mock_editor.booking import routes as web_routes
from mock_editor.booking.sso import IdentityProvider
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Editor
from mock_editor.faults import faults
from mock_editor.faults.faults import Faults
from mock_editor.faults.middleware import FaultFront
from mock_editor.journal.entries import JournalFile, Limits
from mock_editor.journal.journal import Journal
from mock_editor.journal.metrics import CONTENT_TYPE, gauge, render
from mock_editor.journal.middleware import Recorder
from mock_editor.notifications.outbox import OPEN_STATES
from mock_editor.notifications.sender import Sender
from mock_editor.scenario import LoadedScenario
from mock_editor.search import routes as search_routes
from mock_editor.search.front import SearchFront
from mock_editor.search.searches import Searches
from mock_editor.settings import Settings
from mock_editor.simulator import SCHEMAS as EDITOR_SCHEMAS
from mock_editor.simulator import Simulator
from mock_editor.stage import Stage

_FHIR_PATH = re.compile(r"/[^/]+/fhir(/|$)")


# The tables of both sides.
SCHEMAS = (*EDITOR_SCHEMAS, stage_of.SCHEMA, faults.SCHEMA, idp_state.SCHEMA, received.SCHEMA)


def make_stage(
    settings: Settings,
    played: LoadedScenario,
    *,
    public_url: str,
    store: Store,
    journal_store: JournalFile,
    make_app: Callable[[Stage, Simulator], WSGIApplication] | None = None,
    leads: bool = True,
) -> Stage:
    """What the server calls, with all that one process has of it; ``make_app`` is ``create_app`` unless told otherwise.

    The state is in ``store``, the journal in ``journal_store``. For ``leads`` see Stage.
    """
    clock = Clock()
    # Some threads stay free, for whoever ends the waits.
    waits = Waits(settings.threads - max(1, settings.threads // 20))
    limits = Limits(
        settings.journal_entries, settings.journal_bytes, timedelta(hours=settings.journal_hours), settings.journal_body
    )
    journal = Journal(
        journal_store,
        clock.now,
        limits,
        settings.journal,
        # A process apart may deliver.
        workers=settings.workers if settings.deliver and leads else settings.workers + 1,
        waiting=lambda: waits.waiting,
    )
    return Stage(
        settings,
        played,
        public_url=public_url,
        clock=clock,
        store=store,
        journal=journal,
        waits=waits,
        faults=Faults(store, clock.now),
        make_app=make_app or create_app,
        leads=leads,
    )


def surrounded(stage: Stage, app: WSGIApplication) -> Recorder:
    """An application with faults around it, and around both the journal, which has what goes out."""

    def editors() -> Mapping[str, Editor]:
        return stage.simulator.catalogue.editors

    return Recorder(
        FaultFront(app, stage.faults, stage.waits, editors, stage.settings.body_timeout), stage.journal, editors
    )


def create_app(stage: Stage, simulator: Simulator) -> Flask:
    """The WSGI application of a simulator that is played on a stage."""
    app = Flask(__name__, static_url_path="/_static")
    # The SAS writes `/Slot/?…` as well as `/Slot?…`, and a redirect would be HTML.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # From this process, as everything that a page shows.
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)

    settings, public_url, catalogue = simulator.settings, simulator.public_url, simulator.catalogue
    searches = Searches(catalogue, public_url, capabilities.SUPPORTED, capabilities.FOLLOWS)
    app.wsgi_app = SearchFront(_Mounted(app.wsgi_app, public_url), searches)  # type: ignore[method-assign]
    app.register_blueprint(search_routes.blueprint(searches, settings.body_timeout))
    app.register_blueprint(account_routes.blueprint(catalogue, simulator.accounts, public_url, settings.body_timeout))

    # The other side is in this process too, unless the settings name a real one.
    here = InProcessAdapter(surrounded(stage, app), public_url)
    pages = web_routes.blueprint(
        settings,
        public_url,
        catalogue,
        simulator.accounts,
        simulator.appointments,
        simulator.bookings,
        simulator.sessions,
        _identity_provider(settings, public_url, stage.journal, here),
        simulator.keys,
    )
    app.register_blueprint(pages)
    people = partial(_people, simulator)
    app.register_blueprint(idp_routes.blueprint(people, public_url, simulator.store, settings.body_timeout))
    inbox = receiver_routes.blueprint(simulator.store, public_url, settings.body_timeout, simulator.clock.now)
    app.register_blueprint(inbox)
    simulator.on_reset_of_appointments(Inbox(simulator.store, simulator.clock.now).reset)
    simulator.sender = make_sender(stage, simulator, {f"{public_url}/_sas/": here})

    # One for all, so that wrong tokens count wherever they are tried.
    guard = Guard(settings.admin_token)
    app.register_blueprint(admin_routes.blueprint(simulator, stage, guard))
    app.register_blueprint(console.blueprint(simulator, stage, guard))

    @app.get("/")
    def root() -> Response:
        return Response(status=302, headers={"Location": url_for("console.home")})

    @app.get("/_health")
    def health() -> Response:
        return jsonify(
            status="ok", version=__version__, scenario=simulator.played.name, editors=list(catalogue.editors)
        )

    @app.get("/_metrics")
    def metrics() -> Response:
        guard.only_with_access()
        return Response(render(stage.journal, simulator.played.name, _metrics(simulator)), content_type=CONTENT_TYPE)

    app.register_error_handler(EditorError, _refusal)
    app.register_error_handler(HTTPException, partial(_http_error, catalogue))
    return app


def make_sender(stage: Stage, simulator: Simulator, embedded: Mapping[str, BaseAdapter] | None = None) -> Sender:
    """What sends the notifications of a simulator; ``embedded`` carries those to a receiver in this process."""
    return Sender(
        simulator.outbox,
        simulator.catalogue.editors,
        simulator.targets(),
        parallel=simulator.settings.sas_parallel,
        embedded=embedded,
        journal=stage.journal,
        faults=stage.faults,
    )


def _metrics(simulator: Simulator) -> Iterator[Metric]:
    """What the journal's metrics say nothing of."""
    depths, now = simulator.outbox.depths(), simulator.clock.now()
    counts = [((one.editor, one.state), one.count) for one in depths]
    yield gauge("mock_editor_notifications", "Notifications (INT_R03), by state.", ["editor", "state"], counts)
    waiting = [one for one in depths if one.state in OPEN_STATES]
    ages = {
        one.editor: max((now - other.oldest).total_seconds() for other in waiting if other.editor == one.editor)
        for one in waiting
    }
    yield gauge(
        "mock_editor_notification_oldest_seconds",
        "Age of the oldest notification that is not settled, by the simulator's clock.",
        ["editor"],
        [((editor,), age) for editor, age in ages.items()],
    )


def _people(simulator: Simulator) -> list[Person]:
    """Who signs in at the embedded provider: the scenario's regulators, and whoever has got an account besides."""
    found = [Person(key, **one.model_dump()) for key, one in simulator.played.regulators.items()]
    known = {name for one in found for name in (one.national_id, one.technical_id, email_key(one.email)) if name}
    for slug in simulator.catalogue.editors:
        for account in simulator.accounts.all(slug):
            tokens = {token.system: token.value for token in map(token_of, account.content.get("identifier", ()))}
            ids = tokens.get(PRACTITIONER_OID), tokens.get(SAS_OID)
            names = {*filter(None, ids), email_key(account.email)}
            if known.isdisjoint(names):
                name = account.content["name"][0]
                found.append(Person(account.id, name["family"], name["given"][0], account.email, *ids))
            known |= names
    return found


def deliverer(stage: Stage, simulator: Simulator) -> WSGIApplication:
    """Sends the notifications of a simulator whose web side is in other processes."""
    simulator.sender = make_sender(stage, simulator)
    return NotFound()


class _Mounted:
    """Tells Flask the path of the public URL, which a proxy has taken off: links of pages begin with it."""

    def __init__(self, behind: WSGIApplication, public_url: str) -> None:
        self._behind = behind
        self._path = urlsplit(public_url).path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = self._path
        return self._behind(environ, start_response)


def _identity_provider(
    settings: Settings, public_url: str, journal: Journal, here: BaseAdapter
) -> IdentityProvider | None:
    """Where regulators sign in: the embedded provider, that of the settings, or none."""
    if settings.oidc_issuer == "none":
        return None
    if settings.oidc_issuer == "embedded":
        return IdentityProvider(f"{public_url}/_idp", settings, journal, here)
    return IdentityProvider(settings.oidc_issuer, settings, journal)


def _refusal(error: EditorError) -> Response:
    """The one place where a refusal becomes an answer: for FHIR clients, for people, for others.

    Pages of the web site and the console have their own, in their own look.
    """
    if _FHIR_PATH.match(request.path):
        return fhir.response(fhir.dumps(fhir.operation_outcome(error.issues)), error.status, headers=error.headers)
    if "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/_admin"):
        title, text = in_french(error)
        return Response(render_template("erreur.html", title=title, text=text), error.status, error.headers)
    return problem.response(error)


def _paths(catalogue: Catalogue) -> list[str]:
    """Where somebody who is lost may go on."""
    return [*(f"/{slug}/fhir/metadata" for slug in catalogue.editors), "/_console/", "/_admin/openapi.json", "/_health"]


# FHIR issue types for what Flask itself refuses.
_ISSUE_CODES = {404: "not-found", 405: "not-supported", 500: "exception"}


def _http_error(catalogue: Catalogue, error: HTTPException) -> Response:
    """What Flask refuses (no such path, wrong method) and, without any detail, an error of ours."""
    status = error.code or 500
    diagnostics = {
        404: f"No such path: {request.path[:200]}; there are: {', '.join(_paths(catalogue))}",
        405: f"{request.method} is not supported on {request.path[:200]}",
        500: "Internal error of the simulator; its log tells more",
    }.get(status, error.name)
    issue = Issue(_ISSUE_CODES.get(status, "invalid"), diagnostics)
    allowed = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    return _refusal(EditorError(status, [issue], {"Allow": ", ".join(sorted(allowed))} if allowed else {}))

"""Wires the simulator together. From top to bottom, it shows the life of a request."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from importlib import resources
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import flask_bootstrap
from flask import Blueprint, Flask, request
from werkzeug.exceptions import NotFound

from mock_editor.accounts import routes as account_routes
from mock_editor.admin import console
from mock_editor.admin import routes as admin_routes
from mock_editor.admin.guard import Guard
from mock_editor.base.clock import Clock
from mock_editor.base.exchanges import REFUSED
from mock_editor.base.paths import Surface
from mock_editor.base.store import Store
from mock_editor.base.waits import Waits
from mock_editor.base.worlds import Urls, world_of
from mock_editor.bench.idp import routes as idp_routes
from mock_editor.bench.platform import routes as platform_routes
from mock_editor.bench.receiver import routes as receiver_routes
from mock_editor.booking import routes as site_routes
from mock_editor.calendars.model import Editor
from mock_editor.faults.middleware import FaultMiddleware
from mock_editor.journal.journal import Journal
from mock_editor.journal.middleware import JournalMiddleware
from mock_editor.journal.model import Limits
from mock_editor.journal.tables import JournalFile
from mock_editor.scenario import LoadedScenario
from mock_editor.search import routes as search_routes
from mock_editor.search.front import SearchMiddleware
from mock_editor.settings import Settings
from mock_editor.simulator.simulator import Simulator
from mock_editor.tls.forwarded import CertificateProxies
from mock_editor.tls.middleware import AccessMiddleware
from mock_editor.tls.policy import AcceptedNames, ClientPolicy
from mock_editor.tls.trust import RevocationLists, TrustStore
from mock_editor.web import refusals
from mock_editor.web import routes as web_routes


def make_simulator(
    settings: Settings,
    scenario: LoadedScenario,
    *,
    public_url: str,
    fhir_url: str | None = None,
    store: Store,
    journal_store: JournalFile,
    serves: bool = True,
) -> Simulator:
    """The simulator of a process, with everything that its worlds share.

    FHIR clients reach it under ``fhir_url``, by default the same as ``public_url``. The state is in ``store``, the
    journal in ``journal_store``. A process that does not serve sends the notifications of those that do.
    """
    clock = Clock()
    # Some threads stay free for the requests that end the waits.
    waits = Waits(settings.threads - max(1, settings.threads // 20))
    limits = Limits(
        settings.journal_entries, settings.journal_bytes, timedelta(hours=settings.journal_hours), settings.journal_body
    )
    journal = Journal(
        journal_store,
        clock.now,
        limits,
        settings.journal,
        # One more if a separate process delivers.
        workers=settings.workers if settings.deliver and serves else settings.workers + 1,
        waiting=lambda: waits.waiting,
    )
    return Simulator(
        settings,
        scenario,
        public_url=public_url,
        fhir_url=fhir_url or public_url,
        clock=clock,
        store=store,
        journal=journal,
        waits=waits,
        app=create_app() if serves else NotFound(),
        inside=from_inside if serves else None,
        # One guard for all worlds, so that it counts all wrong tokens.
        parts=(Guard(settings.admin_token, public_url, settings.all_proxies, partial(_pause, waits)),),
        leads=serves,
    )


def from_inside(simulator: Simulator, app: WSGIApplication) -> JournalMiddleware:
    """The application with the fault middleware around it, and the journal around both, which records what goes out."""
    return JournalMiddleware(_with_faults(simulator, app), simulator.journal.writer, partial(_editors, simulator))


def from_outside(simulator: Simulator, policy: ClientPolicy | None) -> JournalMiddleware:
    """The same for requests from outside: only paths that are open there, and only clients that ``policy`` accepts."""
    settings = simulator.settings
    proxies = None
    if settings.certificate_header:
        proxies = CertificateProxies(settings.certificate_header, settings.certificate_proxies or ())
    access = AccessMiddleware(
        _with_faults(simulator, simulator),
        simulator,
        policy=policy,
        plain_fhir=settings.plain_fhir,
        proxies=proxies,
        closed=() if settings.shows_bench else (Surface.SAS, Surface.IDP),
        fhir_url=simulator.fhir_url if simulator.fhir_url != simulator.public_url else None,
    )
    return JournalMiddleware(access, simulator.journal.writer, partial(_editors, simulator))


def make_client_policy(simulator: Simulator) -> ClientPolicy | None:
    """The clients that settings and scenario accept on FHIR paths. None if no certificate is required.

    Raises TlsError.
    """
    settings = simulator.settings
    if settings.tls_port is None and settings.certificate_header is None:
        return None
    trust_store = TrustStore(settings.tls_client_ca) if settings.tls_client_ca else None
    return ClientPolicy(
        AcceptedNames(settings.tls_client_cn, settings.tls_client_ou),
        partial(_names, simulator),
        RevocationLists(settings.tls_crl, trust_store) if settings.tls_crl else None,
        trust_store,
    )


def _names(simulator: Simulator) -> dict[str, AcceptedNames]:
    """The names that each editor accepts: those in the scenario, or else those of the settings."""
    settings = simulator.settings
    return {
        slug: AcceptedNames(section.client_cn or settings.tls_client_cn, section.client_ou or settings.tls_client_ou)
        for slug, section in simulator.world.scenario.tls.items()
    }


def _with_faults(simulator: Simulator, app: WSGIApplication) -> FaultMiddleware:
    return FaultMiddleware(
        app, simulator.faults, simulator.waits, partial(_editors, simulator), simulator.settings.body_timeout
    )


def _editors(simulator: Simulator) -> Mapping[str, Editor]:
    return simulator.world.catalogue.editors


def create_app() -> Flask:
    """The WSGI application of all worlds. It answers each request with the world that the request is for."""
    app = Flask(__name__, static_url_path="/_static")
    # The SAS writes `/Slot/?…` as well as `/Slot?…`, and a redirect would be HTML.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # Only the files of flask_bootstrap: its Flask extension would serve them under a path that an editor may have.
    files = resources.files(flask_bootstrap) / "static" / "bootstrap5"
    app.register_blueprint(
        Blueprint("bootstrap", __name__, static_folder=str(files), static_url_path="/_static/bootstrap")
    )

    for blueprint in (
        search_routes.blueprint(),
        account_routes.blueprint(),
        site_routes.blueprint(),
        idp_routes.bp,
        receiver_routes.bp,
        platform_routes.bp,
        admin_routes.blueprint(),
        console.blueprint(),
        web_routes.blueprint(idp_routes.FOR_OTHER_SITES),
    ):
        app.register_blueprint(blueprint)
    app.wsgi_app = SearchMiddleware(_Mounted(app))  # type: ignore[method-assign]
    return app


def _pause(waits: Waits, seconds: float) -> None:
    """Makes the current request wait, for as long as its client does."""
    with waits.hold(request.environ) as hold:
        hold.sleep(seconds)


class _Mounted:
    """Tells Flask the path of the public URL, which a proxy has removed: links in pages begin with it.

    A request that a middleware has refused is answered here and does not reach its view.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._behind = app.wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = world_of(environ).part(Urls).path
        if REFUSED in environ:
            with self._app.request_context(environ):
                return refusals.protect(refusals.answer(environ[REFUSED]))(environ, start_response)
        return self._behind(environ, start_response)

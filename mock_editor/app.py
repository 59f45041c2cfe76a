"""Wires the simulator together. Read from top to bottom it is the life of a request."""

import re
from functools import partial

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from mock_editor import __version__
from mock_editor.accounts import capabilities, regulators
from mock_editor.accounts import routes as account_routes
from mock_editor.accounts.regulators import Regulators
from mock_editor.admin import routes as admin_routes
from mock_editor.base import fhir
from mock_editor.base.clock import Clock
from mock_editor.base.codes import PROBLEM_JSON
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.store import Store
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.scenario import LoadedScenario
from mock_editor.search import routes as search_routes
from mock_editor.search.front import SearchFront
from mock_editor.search.searches import Searches
from mock_editor.settings import Settings

_FHIR_PATH = re.compile(r"/[^/]+/fhir(/|$)")


# The tables of every feature that keeps something.
SCHEMAS = (regulators.SCHEMA,)


def create_app(settings: Settings, played: LoadedScenario, *, public_url: str, clock: Clock, store: Store) -> Flask:
    """The WSGI application that plays a scenario, whose clients reach it under ``public_url``."""
    app = Flask(__name__, static_folder=None)
    # The SAS writes `/Slot/?…` as well as `/Slot?…`, and a redirect would be HTML.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    catalogue = Catalogue(played.editors, clock)
    accounts = Regulators(store, clock, catalogue.editors, declared=played.accounts, follow_email=settings.follow_email)
    accounts.declare()

    searches = Searches(catalogue, public_url, capabilities.SUPPORTED, capabilities.FOLLOWS)
    app.wsgi_app = SearchFront(app.wsgi_app, searches)  # type: ignore[method-assign]
    app.register_blueprint(search_routes.blueprint(searches, settings.body_timeout))
    app.register_blueprint(account_routes.blueprint(catalogue, accounts, public_url, settings.body_timeout))
    app.register_blueprint(admin_routes.blueprint(catalogue, accounts))

    @app.get("/_health")
    def health() -> Response:
        return jsonify(status="ok", version=__version__, scenario=played.name, editors=list(catalogue.editors))

    app.register_error_handler(EditorError, _refusal)
    app.register_error_handler(HTTPException, partial(_http_error, catalogue))
    return app


def _refusal(error: EditorError) -> Response:
    """The one place where a refusal becomes an answer."""
    if _FHIR_PATH.match(request.path):
        return fhir.response(fhir.dumps(fhir.operation_outcome(error.issues)), error.status, headers=error.headers)
    problem = jsonify(
        title=error.issues[0].code, status=error.status, detail="; ".join(issue.diagnostics for issue in error.issues)
    )
    problem.status_code = error.status
    problem.content_type = PROBLEM_JSON
    problem.headers.extend(error.headers)
    return problem


def _paths(catalogue: Catalogue) -> list[str]:
    """Where somebody who is lost may go on."""
    return [*(f"/{slug}/fhir/metadata" for slug in catalogue.editors), "/_health"]


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

"""Paths that belong to no feature (first page, health, metrics), and rules for the requests of all features."""

from collections.abc import Collection

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import HTTPException

from mock_editor import __version__
from mock_editor.admin.guard import Guard
from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.base.http import ignore_absurd_dates
from mock_editor.base.paths import classify
from mock_editor.base.sites import SAFE, refuse_foreign
from mock_editor.base.store import Store
from mock_editor.base.words import english
from mock_editor.base.worlds import Urls, of_world
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.journal.journal import Journal
from mock_editor.journal.metrics import CONTENT_TYPE, render
from mock_editor.notifications.metrics import gauges
from mock_editor.notifications.repository import NotificationRepository
from mock_editor.scenario import LoadedScenario
from mock_editor.web import refusals


def blueprint(for_other_sites: Collection[str]) -> Blueprint:
    """A blueprint of these paths and rules. Pages of other sites may call the endpoints ``for_other_sites``."""
    bp = Blueprint("root", __name__)

    @bp.before_app_request
    def refuse_other_sites() -> Response | None:
        # FHIR paths take JSON only, which browsers do not send for another site without asking first.
        if request.method in SAFE or request.endpoint in for_other_sites or classify(request.path).fhir:
            return None
        try:
            refuse_foreign(request.headers, request.remote_addr or "", of_world(Urls).public)
        except EditorError as error:
            # Answered here, because the error page of a feature is only for requests that reach the feature.
            return refusals.answer(error)
        return None

    bp.before_app_request(_ignore_absurd_dates)
    bp.after_app_request(refusals.protect)
    bp.app_errorhandler(EditorError)(refusals.answer)
    bp.app_errorhandler(HTTPException)(refusals.answer_http)
    bp.add_url_rule("/", view_func=first_page)
    bp.add_url_rule("/_health", view_func=health)
    bp.add_url_rule("/_metrics", view_func=metrics)
    return bp


def first_page() -> Response:
    """Redirects to the console."""
    return Response(status=302, headers={"Location": url_for("console.home")})


def health() -> Response:
    """Whether the process is alive. It answers from memory, so that nobody has to wait for the database."""
    # A database that cannot be written is reported, but searches still work.
    trouble = of_world(Store).trouble
    return jsonify(
        status="ok",
        version=__version__,
        scenario=of_world(LoadedScenario).name,
        editors=list(of_world(Catalogue).editors),
        **{"database": f"writes are refused: {english(trouble)}"} if trouble else {},
    )


def metrics() -> Response:
    """The metrics that Prometheus reads."""
    of_world(Guard).only_with_access()
    notifications = gauges(of_world(NotificationRepository), of_world(Clock).now())
    text = render(of_world(Journal), of_world(LoadedScenario).name, notifications)
    return Response(text, content_type=CONTENT_TYPE)


def _ignore_absurd_dates() -> None:
    # Only static files have conditions that are dates.
    ignore_absurd_dates(request.environ)

"""The paths of no feature: the first page, health and metrics; and what applies to the requests of all features."""

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
    """These paths and rules. Pages of other sites may call the endpoints ``for_other_sites``."""
    bp = Blueprint("root", __name__)

    @bp.before_app_request
    def refuse_other_sites() -> Response | None:
        # FHIR paths take JSON only, which no page sends unasked.
        if request.method in SAFE or request.endpoint in for_other_sites or classify(request.path).fhir:
            return None
        try:
            refuse_foreign(request.headers, request.remote_addr or "", of_world(Urls).public)
        except EditorError as error:
            # Not in the look of a page that it did not get to.
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
    """Leads to the console."""
    return Response(status=302, headers={"Location": url_for("console.home")})


def health() -> Response:
    """Whether this lives: from memory, so that whoever asks waits for nobody."""
    # It does without its database, too: it reads.
    trouble = of_world(Store).trouble
    return jsonify(
        status="ok",
        version=__version__,
        scenario=of_world(LoadedScenario).name,
        editors=list(of_world(Catalogue).editors),
        **{"database": f"writes are refused: {english(trouble)}"} if trouble else {},
    )


def metrics() -> Response:
    """What Prometheus reads."""
    of_world(Guard).only_with_access()
    notifications = gauges(of_world(NotificationRepository), of_world(Clock).now())
    text = render(of_world(Journal), of_world(LoadedScenario).name, notifications)
    return Response(text, content_type=CONTENT_TYPE)


def _ignore_absurd_dates() -> None:
    # Only static files have conditions that are dates.
    ignore_absurd_dates(request.environ)

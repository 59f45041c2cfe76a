"""The web site of an editor, ``/<editor>/…``: its routes, the visitor of each request, and the pages of refusals.

Pages are rendered by the server, in French, without JavaScript.
"""

import logging
from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, g, request

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.forms import HEADERS
from mock_editor.base.issues import Code
from mock_editor.base.words import french_page
from mock_editor.booking import appointment_pages, calendar_pages, password_pages, sso_pages
from mock_editor.booking.entrance import Detour
from mock_editor.booking.site import SESSION_COOKIE, page, set_cookie, site
from mock_editor.booking.sso import ProviderError

_SUBJECTS = (sso_pages, password_pages, calendar_pages, appointment_pages)
_log = logging.getLogger(__name__)


def blueprint() -> Blueprint:
    """The pages. Their content comes from the world of each request."""
    bp = Blueprint("web", __name__, url_prefix="/<editor>", template_folder="templates", static_folder="static")
    bp.url_value_preprocessor(_read_slug)
    bp.url_defaults(_add_slug)
    bp.before_request(_enter)
    bp.after_request(_protect)
    bp.register_error_handler(Detour, lambda detour: detour.response)
    bp.register_error_handler(ProviderError, _refuse_unidentified)
    bp.register_error_handler(EditorError, _refuse)
    for subject in _SUBJECTS:
        for method, rule, view in subject.PAGES:
            bp.add_url_rule(rule, view_func=view, methods=[method])
    return bp


def _read_slug(_: str | None, values: dict[str, Any] | None) -> None:
    g.slug = values.pop("editor") if values else ""


def _add_slug(_: str, values: dict[str, Any]) -> None:
    if "editor" not in values:
        values["editor"] = g.slug


def _enter() -> None:
    """Finds the visitor's session and account. Ends the session when access was withdrawn."""
    editors = site().catalogue.editors
    if g.slug not in editors:
        abort(404)  # as for any unknown path
    g.editor = editors[g.slug]
    g.over = []
    g.account = None
    g.session = session = site().sessions.find(g.slug, request.cookies.get(SESSION_COOKIE))
    if session and session.account:
        account = site().accounts.find(g.slug, session.account)
        if account is None or not account.active:
            site().sessions.end(session)
            g.session = None
            raise refused(Code.ACCESS_WITHDRAWN)
        g.account = account


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    for name in g.get("over", ()):
        set_cookie(response, name, "", seconds=0)
    if "editor" in g:
        site().forms.remember(response)
    return response


def _refuse(error: EditorError) -> Response:
    title, text = french_page(error)
    message = partial(page, "message.html", error.status, title=title, text=text, back=g.get("back"))
    try:
        response = message()
    except EditorError:
        # The layout of a session has a form, whose secret is not available either: show the page without a session.
        g.session = None
        response = message()
    response.headers.extend(error.headers)
    return response


def _refuse_unidentified(error: ProviderError) -> Response:
    if error.refused:
        return _refuse(refused(Code.SIGN_IN_REFUSED))
    _log.warning("The identity provider fails: %s", error)
    return _refuse(refused(Code.SIGN_IN_FAILED, reason=error.issue))

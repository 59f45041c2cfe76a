"""The console, ``/_console/…``: pages in French for those who run the simulator, on its own machine or with its token.

Here they stand in for the practitioners too: what happens to an appointment on their side is done on its page.
A page is a function in the module of its subject, with a template; ``context.py`` has what all of them need. What
people do on a page is an operation of the admin API (``actions.py``); what changes by itself is a stream (``live.py``).
"""

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, request

from mock_editor.admin.console import (
    access,
    accounts,
    actions,
    appointments,
    calendars,
    clock,
    dashboard,
    faults,
    journal,
    notifications,
    scenarios,
    tour,
)
from mock_editor.admin.console.context import this_console
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.forms import HEADERS_WITH_SCRIPTS
from mock_editor.base.issues import Code
from mock_editor.base.words import french_page, has_title

_SUBJECTS = (
    access,
    actions,
    dashboard,
    calendars,
    accounts,
    appointments,
    notifications,
    journal,
    faults,
    scenarios,
    clock,
    tour,
)
_REFUSALS = {
    403: (
        "Accès refusé",
        "La console ne s’ouvre que dans un navigateur de la machine du simulateur, et pas depuis un autre site.",
    ),
    429: ("Trop d’essais", "Trop de jetons incorrects sont essayés en ce moment. Réessayez dans un instant."),
}


def blueprint() -> Blueprint:
    """The console of whichever world a request is for."""
    bp = Blueprint(
        "console", __name__, url_prefix="/_console", template_folder="../templates", static_folder="../static"
    )
    bp.before_request(_admit)
    bp.after_request(_protect)
    bp.register_error_handler(EditorError, _refuse)
    for subject in _SUBJECTS:
        for route in subject.ROUTES:
            bp.add_url_rule(route.rule, route.view.__name__, partial(_answer, route.view), methods=[route.method])
    bp.add_url_rule("/<path:_>", "nothing", _nothing)
    return bp


def _answer(view: Callable[..., Response], **path: str) -> Response:
    return view(this_console(), **path)


def _admit() -> Response | None:
    return access.admit(this_console())


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS_WITH_SCRIPTS)
    this_console().forms.remember(response)
    return response


def _refuse(error: EditorError) -> Response:
    title, text = french_page(error)
    if error.status in _REFUSALS and error.issues[0].code is not Code.CONSOLE_ACCESS_ENDED:
        title, text = _REFUSALS[error.status]
    about = request.view_args or {}
    # Back to the appointment, where it is about one.
    back = "console.appointment" if "identifier" in about and has_title(error) else None
    response = this_console().show("message.html", error.status, title=title, text=text, back=back, about=about)
    response.headers.extend(error.headers)
    return response


def _nothing(_: str) -> Response:
    raise refused(Code.NO_SUCH_PAGE)

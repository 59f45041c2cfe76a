"""The console, ``/_console/…``: pages in French for those who run the simulator, on its own machine or with its token.

Here they stand in for the practitioners too: what happens to an appointment on their side is done on its page.
A page is a function in the module of its subject, with a template; ``context.py`` has what all of them need. What
people do on a page is an operation of the admin API (``actions.py``); what changes by itself is a stream (``live.py``).
"""

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
from mock_editor.admin.console.context import Console
from mock_editor.admin.guard import Guard
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.forms import HEADERS_WITH_SCRIPTS
from mock_editor.base.issues import Code
from mock_editor.base.words import french_page, has_title
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.world import World

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


def blueprint(world: World, simulator: Simulator, guard: Guard) -> Blueprint:
    """The console, for those whom ``guard`` lets in."""
    bp = Blueprint(
        "console", __name__, url_prefix="/_console", template_folder="../templates", static_folder="../static"
    )
    console = Console(bp, world, simulator, guard)
    for subject in _SUBJECTS:
        subject.add(console)

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS_WITH_SCRIPTS)
        console.forms.remember(response)
        return response

    @bp.errorhandler(EditorError)
    def refuse(error: EditorError) -> Response:
        title, text = french_page(error)
        if error.status in _REFUSALS and error.issues[0].code is not Code.CONSOLE_ACCESS_ENDED:
            title, text = _REFUSALS[error.status]
        about = request.view_args or {}
        # Back to the appointment, where it is about one.
        back = "console.appointment" if "identifier" in about and has_title(error) else None
        response = console.show("message.html", error.status, title=title, text=text, back=back, about=about)
        response.headers.extend(error.headers)
        return response

    @bp.get("/<path:_>")
    def nothing(_: str) -> Response:
        raise refused(Code.NO_SUCH_PAGE)

    return bp

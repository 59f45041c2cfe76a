"""Who may come in: browsers of this machine, and from elsewhere those that were shown the token."""

from flask import Response, request, url_for
from werkzeug.urls import iri_to_uri

from mock_editor.admin import guard as access
from mock_editor.admin.console.context import Console, inside, redirect
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code


def add(console: Console) -> None:
    """The page where the token is typed, and what keeps everybody else out of the others."""
    bp, guard, forms = console.blueprint, console.guard, console.forms

    @bp.before_request
    def admit() -> Response | None:
        """Sends a browser without access to the page where the token is typed."""
        if request.endpoint in ("console.static", "console.access_form", "console.enter") or guard.admits_browser():
            return None
        guard.expect_token()
        if request.method not in ("GET", "HEAD"):
            raise refused(Code.CONSOLE_ACCESS_ENDED)
        return redirect(url_for("console.access_form", vers=iri_to_uri(request.full_path.rstrip("?"))))

    @bp.get("/acces")
    def access_form() -> Response:
        guard.expect_token()
        return console.show("acces.html", target=inside(console.asked().one("vers")))

    @bp.post("/acces")
    def enter() -> Response:
        guard.expect_token()
        field = forms.read()
        target = inside(field("vers"))
        if not guard.knows(field("acces")):
            return console.show("acces.html", 403, target=target, problem="Ce jeton d’accès n’est pas le bon.")
        response = console.back(target)
        response.set_cookie(
            access.COOKIE,
            guard.pass_for_browser(),
            max_age=access.LIFETIME,
            path=console.path,
            secure=console.secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    @bp.post("/quitter")
    def leave() -> Response:
        forms.read()
        response = redirect(url_for("console.access_form"))
        response.delete_cookie(
            access.COOKIE, path=console.path, secure=console.secure, httponly=True, samesite="Strict"
        )
        return response

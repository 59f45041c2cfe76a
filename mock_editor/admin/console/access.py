"""Who may come in: browsers of this machine, and from elsewhere those that were shown the token."""

from flask import Response, request, url_for
from werkzeug.urls import iri_to_uri

from mock_editor.admin import guard as access
from mock_editor.admin.console.context import Console, Route, inside, redirect
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code


def admit(console: Console) -> Response | None:
    """Sends a browser without access to the page where the token is typed."""
    if request.endpoint in ("console.static", "console.access_form", "console.enter") or console.guard.admits_browser():
        return None
    console.guard.expect_token()
    if request.method not in ("GET", "HEAD"):
        raise refused(Code.CONSOLE_ACCESS_ENDED)
    return redirect(url_for("console.access_form", vers=iri_to_uri(request.full_path.rstrip("?"))))


def access_form(console: Console) -> Response:
    console.guard.expect_token()
    return console.show("acces.html", target=inside(console.asked().one("vers")))


def enter(console: Console) -> Response:
    console.guard.expect_token()
    field = console.forms.read()
    target = inside(field("vers"))
    if not console.guard.knows(field("acces")):
        return console.show("acces.html", 403, target=target, problem="Ce jeton d’accès n’est pas le bon.")
    response = console.back(target)
    response.set_cookie(
        access.COOKIE,
        console.guard.pass_for_browser(),
        max_age=access.LIFETIME,
        path=console.path,
        secure=console.secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def leave(console: Console) -> Response:
    console.forms.read()
    response = redirect(url_for("console.access_form"))
    response.delete_cookie(access.COOKIE, path=console.path, secure=console.secure, httponly=True, samesite="Strict")
    return response


ROUTES = (
    Route("/acces", access_form),
    Route("/acces", enter, "POST"),
    Route("/quitter", leave, "POST"),
)

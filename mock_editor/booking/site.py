"""What every page of an editor's web site needs: its part of the world, sessions, cookies, forms, the layout.

During a request, ``flask.g`` holds the ``slug`` and the ``editor`` of the site, the ``session`` and the ``account`` of
the visitor, ``over``: names of cookies to delete, and ``back``: the link that a refusal shows.
"""

import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from flask import Response, g, render_template, request, url_for

from mock_editor.accounts.log_in import LogIn
from mock_editor.accounts.repository import AccountRepository
from mock_editor.base.forms import Forms
from mock_editor.base.keys import Keys
from mock_editor.base.worlds import of_world
from mock_editor.booking import week as view
from mock_editor.booking.access import Session
from mock_editor.booking.bookings import Bookings
from mock_editor.booking.sessions import Sessions
from mock_editor.booking.sso import IdentityProvider
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.settings import Settings

SESSION_COOKIE = "agenda"


@dataclass(frozen=True)
class WebSite:
    """A world's part for the web sites of its editors, which browsers reach under ``public_url``.

    Without a ``provider``, regulators who come from the SAS sign in with a password too.
    """

    settings: Settings
    public_url: str
    catalogue: Catalogue
    accounts: AccountRepository
    log_in: LogIn
    appointments: Appointments
    bookings: Bookings
    sessions: Sessions
    provider: IdentityProvider | None
    keys: Keys

    @cached_property
    def forms(self) -> Forms:
        """The forms of the pages."""
        return Forms("web", self.keys, self.public_url, seconds=self.settings.body_timeout, owner=_owner)

    @cached_property
    def home(self) -> SplitResult:
        """The parts of the public URL."""
        return urlsplit(self.public_url)

    def secret(self) -> str:
        """The key that signs cookies. Raises 503 when there is none and none can be stored."""
        return self.keys.get("web", lambda: secrets.token_hex(32))


def site() -> WebSite:
    """The web sites in the world of the current request."""
    return of_world(WebSite)


def _owner() -> str:
    """Identifies the visitor and their rights, so that forms of anybody else are refused."""
    session: Session | None = g.get("session")
    return f"{g.slug} {session.booker} {session.sas}" if session else g.slug


def set_cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Sets a cookie for this editor's pages. Without ``seconds`` it lasts until the browser is closed."""
    home = site().home
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=f"{home.path}/{g.slug}/",
        secure=home.scheme == "https",
        httponly=True,
        samesite="Lax",
    )


def redirect(target: str) -> Response:
    """A 303: the browser gets ``target`` next."""
    return Response(status=303, headers={"Location": target})


def page(template: str, status: int = 200, **content: Any) -> Response:
    """A page in the layout of the web site."""
    shared = {name: g.get(name) for name in ("editor", "session", "account")}
    shared |= {"form_key": site().forms.key, "view": view}
    return Response(render_template(f"booking/{template}", **shared, **content), status)


def here() -> str:
    """A link to the requested page; for a submitted form, to its path alone."""
    query = request.query_string.decode("ascii", "replace")
    path = quote(request.script_root + request.path)
    return f"{path}?{query}" if query and request.method == "GET" else path


def inside(target: str) -> str:
    """The page to show after signing in: ``target`` if it is one of this editor, else the list of appointments."""
    ours = f"{site().home.path}/{g.slug}/"
    plain = target.startswith(ours) and "\\" not in target and target.isprintable()
    return target if plain and not target.startswith("//") else url_for("web.mine")


def sign_out() -> None:
    """Ends the current session, if there is one."""
    if g.session:
        site().sessions.end(g.session)
    g.session = g.account = None

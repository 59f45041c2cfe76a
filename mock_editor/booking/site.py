"""What every page of an editor's web site needs: what the world has of it, sessions, cookies, forms, the layout.

Of a request, ``flask.g`` holds the ``slug`` and the ``editor`` that it is for, the ``session`` and the ``account`` of
whoever sent it, ``over``: names of cookies that have served their purpose, and ``back``: where a refusal leads back to.
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
    """What a world has of the web sites of its editors, which browsers reach under ``public_url``.

    Without a ``provider``, a regulator who comes from the SAS signs in with a password as well.
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
        """The forms of its pages."""
        return Forms("web", self.keys, self.public_url, seconds=self.settings.body_timeout, owner=_owner)

    @cached_property
    def home(self) -> SplitResult:
        """The parts of the public URL."""
        return urlsplit(self.public_url)

    def secret(self) -> str:
        """The key with which cookies are signed. Raises 503 when there is none and none can be kept."""
        return self.keys.get("web", lambda: secrets.token_hex(32))


def site() -> WebSite:
    """What the world of the request at hand has of web sites."""
    return of_world(WebSite)


def _owner() -> str:
    """Whose page this is, and with which rights: forms of somebody else's are refused."""
    session: Session | None = g.get("session")
    return f"{g.slug} {session.booker} {session.sas}" if session else g.slug


def set_cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Sets a cookie of this editor's pages; without ``seconds`` it goes with the browser's session."""
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
    """Leads a browser to a URL, which it gets."""
    return Response(status=303, headers={"Location": target})


def page(template: str, status: int = 200, **content: Any) -> Response:
    """A page in the layout of the web site."""
    shared = {name: g.get(name) for name in ("editor", "session", "account")}
    shared |= {"form_key": site().forms.key, "view": view}
    return Response(render_template(f"booking/{template}", **shared, **content), status)


def here() -> str:
    """The page asked for, as a link to it; that a form was sent to one is forgotten."""
    query = request.query_string.decode("ascii", "replace")
    path = quote(request.script_root + request.path)
    return f"{path}?{query}" if query and request.method == "GET" else path


def inside(target: str) -> str:
    """Where to go on after signing in: ``target`` if it is a page of this editor, else the list of appointments."""
    ours = f"{site().home.path}/{g.slug}/"
    plain = target.startswith(ours) and "\\" not in target and target.isprintable()
    return target if plain and not target.startswith("//") else url_for("web.mine")


def sign_out() -> None:
    """Ends the session that there is, if any."""
    if g.session:
        site().sessions.end(g.session)
    g.session = g.account = None

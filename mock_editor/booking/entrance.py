"""Who may see a page, and what comes first: a detour to the identity provider, a password or the terms of use.

A browser that comes back from the provider brings a signed cookie which tells the next page that its visitor was just
asked for. Any other arrival from the SAS goes to the provider, as somebody else may be at this browser by now.
"""

import secrets

from flask import Response, g, request, url_for
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.urls import iri_to_uri

from mock_editor.accounts.model import Account
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.booking.access import Session, accepted_origin, origins
from mock_editor.booking.sessions import key_of
from mock_editor.booking.site import SESSION_COOKIE, here, inside, redirect, set_cookie, sign_out, site
from mock_editor.booking.sso import SIGN_IN_SECONDS, Identified, IdentityProvider, SignIn, sealed, unsealed

_SIGN_IN, _ARRIVED = "sso-", "arrivee-"
# The browser goes on at once.
_ARRIVED_SECONDS = 60
# So many names there are for the cookies of sign-ins that are under way, and so many of the latest are kept: two slots
# may be opened at once, and a browser that restores its tabs opens them all before it has any of these. Long ones have
# fewer names, so that all of them take about so many bytes of a request's head.
_NAMES, _KEPT, _BYTES = 16, 5, 6000


class Detour(Exception):  # noqa: N818 - not an error: another page comes first
    """The page asked for has to wait for ``response``."""

    def __init__(self, response: Response) -> None:
        self.response = response


def visitor() -> Session:
    """Whoever may see the page asked for. Raises Detour when something has to come first."""
    session: Session | None = g.session
    target, settings, provider = here(), site().settings, site().provider
    if found := origins(request.query_string):
        origin = accepted_origin(found, settings.accepted_origins)
        regulator = session is not None and session.sas
        if provider is None and not regulator:
            raise Detour(redirect(url_for("web.log_in", suite=target, origine=origin)))
        # Somebody else may be at this browser by now, or at the platform: that is asked at each arrival.
        if provider and not (regulator if request.method == "POST" else _has_arrived(target)):
            raise Detour(leave_for(provider, target))
    if session is None:
        raise Detour(redirect(url_for("web.log_in", suite=target)))
    if g.account and not g.account.terms_accepted:
        raise Detour(redirect(url_for("web.terms", suite=target)))
    return session


# --- arriving


def arriving(target: str, session_key: str) -> Response:
    """Sends a browser on to a page, of whose session it has just been proved whose it is."""
    response = redirect(target)
    proof = _arrivals().dumps([session_key, _page_key(target)])
    set_cookie(response, _arrival_name(target), proof, seconds=_ARRIVED_SECONDS)
    return response


def _has_arrived(target: str) -> bool:
    """Whether the browser comes here straight from the provider, with the session that was opened then."""
    if not g.session:
        return False
    name = _arrival_name(target)
    try:
        found = _arrivals().loads(request.cookies.get(name, ""), max_age=_ARRIVED_SECONDS)
    except BadData:
        return False
    straight: bool = found == [g.session.key, _page_key(target)]
    if straight and request.method == "GET":
        g.over.append(name)  # once: the next time it may be somebody else
    return straight


def _page_key(target: str) -> str:
    # In the header that leads to it, some signs of a URL are escaped.
    return key_of(iri_to_uri(target))


def _arrival_name(target: str) -> str:
    # One of sixteen: several pages may be arrived at at once.
    return f"{_ARRIVED}{_page_key(target)[:1]}"


def _arrivals() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(site().secret(), "arrival")


# --- signing in


def admitted(account: Account | None) -> Account:
    """The account of somebody who proved who they are. Raises 403."""
    if account is None:
        raise refused(Code.SITE_ACCOUNT_UNKNOWN)
    if not account.active:
        raise refused(Code.ACCESS_WITHDRAWN)
    return account


def signed_in(account: Account | None, *, target: str, sas: bool = False, who: Identified | None = None) -> Response:
    """Opens a session, always a new one, and goes on. ``who`` is what an identity provider said, if one did."""
    sign_out()
    of_provider = {"subject": who.subject, "sid": who.sid} if who else {}
    held = site().sessions.open(g.slug, account.id if account else None, sas=sas, **of_provider)
    response = arriving(inside(target), key_of(held))
    set_cookie(response, SESSION_COOKIE, held)
    return response


def leave_for(provider: IdentityProvider, target: str) -> Response:
    """Sends a browser to the identity provider, which sends it back to ``return_url``, and from there to ``target``."""
    url, begun = provider.begin(g.slug, return_url(), target)
    response = redirect(url)
    others = sign_ins()
    kept = sorted(others, key=lambda name: others[name].begun)[-(_KEPT - 1) :]
    value = sealed(begun, site().secret())
    names = min(_NAMES, max(_KEPT, _BYTES // len(value)))
    free = [name for name in (f"{_SIGN_IN}{number}" for number in range(names)) if name not in kept]
    mine = secrets.choice(free)
    for name in request.cookies:
        if name.startswith(_SIGN_IN) and name not in (mine, *kept):
            set_cookie(response, name, "", seconds=0)
    set_cookie(response, mine, value, seconds=SIGN_IN_SECONDS)
    return response


def sign_ins() -> dict[str, SignIn]:
    """The sign-ins that this browser has begun at the provider, by the name of their cookie."""
    held = ((name, value) for name, value in request.cookies.items() if name.startswith(_SIGN_IN))
    return {name: begun for name, value in held if (begun := unsealed(value, site().secret()))}


def return_url() -> str:
    """Where the identity provider sends browsers back to."""
    return f"{site().public_url}/{g.slug}/sso/retour"

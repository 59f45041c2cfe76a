"""The pages of an editor's web site, ``/<editor>/…``: server-rendered, in French, without JavaScript."""

import itertools
import logging
import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, abort, g, jsonify, render_template, request, url_for
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.urls import iri_to_uri

from mock_editor.accounts.log_in import LogIn
from mock_editor.accounts.model import Account
from mock_editor.accounts.payload import Token
from mock_editor.accounts.repository import AccountRepository
from mock_editor.base import codes
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.forms import HEADERS, Forms
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.issues import Code
from mock_editor.base.keys import Keys
from mock_editor.base.parameters import Parameters
from mock_editor.base.words import english, french_page
from mock_editor.booking import week as view
from mock_editor.booking.access import Session, accepted_origin, origins
from mock_editor.booking.bookings import Bookings
from mock_editor.booking.sessions import Sessions, key_of
from mock_editor.booking.sso import (
    FLOW_SECONDS,
    Flow,
    Identity,
    IdentityProvider,
    ProviderError,
    sealed,
    unsealed,
)
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, calendars_of, read_stamp
from mock_editor.calendars.model import OPEN_STATUSES, Appointment, Editor
from mock_editor.settings import Settings

_SESSION, _FLOW, _ARRIVED = "agenda", "sso-", "arrivee-"
# The browser goes on at once.
_ARRIVED_SECONDS = 60
# So many names there are for the cookies of sign-ins that are under way, and so many of the latest are kept: two slots
# may be opened at once, and a browser that restores its tabs opens them all before it has any of these. Long ones have
# fewer names, so that all of them take about so many bytes of a request's head.
_FLOW_NAMES, _FLOWS_KEPT, _FLOWS_BYTES = 16, 5, 6000
_LISTED = 40
_LARGEST_LOGOUT = 20_000
_log = logging.getLogger(__name__)


class _Detour(Exception):  # noqa: N818 - not an error: another page comes first
    """The page asked for has to wait."""

    def __init__(self, response: Response) -> None:
        self.response = response


def blueprint(
    settings: Settings,
    public_url: str,
    catalogue: Catalogue,
    accounts: AccountRepository,
    login: LogIn,
    appointments: Appointments,
    bookings: Bookings,
    sessions: Sessions,
    provider: IdentityProvider | None,
    keys: Keys,
) -> Blueprint:
    """The pages. Without a ``provider``, a regulator who comes from the SAS signs in with a password as well."""
    bp = Blueprint("web", __name__, url_prefix="/<editor>", template_folder="templates", static_folder="static")
    home = urlsplit(public_url)
    forms = Forms("web", keys, public_url, seconds=settings.body_timeout, owner=lambda: owner())

    # --- what every page needs

    def cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
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
        return Response(status=303, headers={"Location": target})

    def owner() -> str:
        """Whose page this is, and with which rights: forms of somebody else's are refused."""
        session: Session | None = g.get("session")
        return f"{g.slug} {session.booker} {session.sas}" if session else g.slug

    def page(template: str, status: int = 200, **content: Any) -> Response:
        shared = {name: g.get(name) for name in ("editor", "session", "account")}
        shared |= {"form_key": forms.key, "view": view}
        return Response(render_template(f"booking/{template}", **shared, **content), status)

    @bp.url_value_preprocessor
    def read_slug(_: str | None, values: dict[str, Any] | None) -> None:
        g.slug = values.pop("editor") if values else ""

    @bp.url_defaults
    def add_slug(_: str, values: dict[str, Any]) -> None:
        if "editor" not in values:
            values["editor"] = g.slug

    @bp.before_request
    def enter() -> None:
        """Who is there. A withdrawn account is put out here."""
        if g.slug not in catalogue.editors:
            abort(404)  # told as for any path that is not there
        g.editor = catalogue.editor(g.slug)
        g.over = []  # cookies that have served
        g.account = None
        g.session = session = sessions.find(g.slug, request.cookies.get(_SESSION))
        if session and session.account:
            account = accounts.find(g.slug, session.account)
            if account is None or not account.active:
                sessions.end(session)
                g.session = None
                raise refused(Code.ACCESS_WITHDRAWN)
            g.account = account

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        for name in g.get("over", ()):
            cookie(response, name, "", seconds=0)
        if "editor" in g:
            forms.remember(response)
        return response

    @bp.errorhandler(_Detour)
    def take(detour: _Detour) -> Response:
        return detour.response

    @bp.errorhandler(ProviderError)
    def refuse_unidentified(error: ProviderError) -> Response:
        if error.refused:
            return refuse(refused(Code.SIGN_IN_REFUSED))
        _log.warning("The identity provider fails: %s", error.reason)
        return refuse(refused(Code.SIGN_IN_FAILED, reason=error.reason))

    @bp.errorhandler(EditorError)
    def refuse(error: EditorError) -> Response:
        title, text = french_page(error)
        message = partial(page, "message.html", error.status, title=title, text=text, back=g.get("back"))
        try:
            response = message()
        except EditorError:
            # There is no secret for its form either: as to anybody, a page without any.
            g.session = None
            response = message()
        response.headers.extend(error.headers)
        return response

    def visitor() -> Session:
        """Whoever may see the page asked for. Raises _Detour when something has to come first."""
        session: Session | None = g.session
        target = _here()
        if found := origins(request.query_string):
            origin = accepted_origin(found, settings.accepted_origins)
            regulator = session is not None and session.sas
            if provider is None and not regulator:
                raise _Detour(redirect(url_for("web.log_in", suite=target, origine=origin)))
            # Somebody else may be at this browser by now, or at the platform: that is asked at each arrival.
            if provider and not (regulator if request.method == "POST" else has_arrived(target)):
                raise _Detour(leave_for(provider, target))
        if session is None:
            raise _Detour(redirect(url_for("web.log_in", suite=target)))
        if g.account and not g.account.terms_accepted:
            raise _Detour(redirect(url_for("web.terms", suite=target)))
        return session

    def has_arrived(target: str) -> bool:
        """Whether the browser comes here straight from the provider, with the session that was opened then."""
        if not g.session:
            return False
        name = arrival_name(target)
        try:
            found = arrivals().loads(request.cookies.get(name, ""), max_age=_ARRIVED_SECONDS)
        except BadData:
            return False
        straight: bool = found == [g.session.key, page_key(target)]
        if straight and request.method == "GET":
            g.over.append(name)  # once: the next time it may be somebody else
        return straight

    def page_key(target: str) -> str:
        # In the header that leads to it, some signs of a URL are escaped.
        return key_of(iri_to_uri(target))

    def arriving(target: str, session_key: str) -> Response:
        """Sends a browser on to a page, of whose session it has just been proved whose it is."""
        response = redirect(target)
        told = arrivals().dumps([session_key, page_key(target)])
        cookie(response, arrival_name(target), told, seconds=_ARRIVED_SECONDS)
        return response

    def arrival_name(target: str) -> str:
        # One of sixteen: several pages may be arrived at at once.
        return f"{_ARRIVED}{page_key(target)[:1]}"

    def arrivals() -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(secret(), "arrival")

    def inside(target: str) -> str:
        """Where to go on after signing in: a page of this editor, or the list of appointments."""
        ours = f"{home.path}/{g.slug}/"
        plain = target.startswith(ours) and "\\" not in target and target.isprintable()
        return target if plain and not target.startswith("//") else url_for("web.mine")

    # --- signing in

    def signed_in(account: Account | None, *, target: str, sas: bool = False, who: Identity | None = None) -> Response:
        """Opens a session, always a new one, and goes on. ``who`` is what an identity provider said, if one did."""
        sign_out()
        told = {"subject": who.subject, "sid": who.sid} if who else {}
        held = sessions.open(g.slug, account.id if account else None, sas=sas, **told)
        response = arriving(inside(target), key_of(held))
        cookie(response, _SESSION, held)
        return response

    def sign_out() -> None:
        """Ends the session that there is, if any."""
        if g.session:
            sessions.end(g.session)
        g.session = g.account = None

    def admitted(account: Account | None) -> Account:
        """The account of somebody who proved who they are. Raises 403."""
        if account is None:
            raise refused(Code.SITE_ACCOUNT_UNKNOWN)
        if not account.active:
            raise refused(Code.ACCESS_WITHDRAWN)
        return account

    def leave_for(to_provider: IdentityProvider, target: str) -> Response:
        url, flow = to_provider.begin(g.slug, redirect_uri(), target)
        response = redirect(url)
        begun = flows()
        kept = sorted(begun, key=lambda name: begun[name].begun)[-(_FLOWS_KEPT - 1) :]
        value = sealed(flow, secret())
        names = min(_FLOW_NAMES, max(_FLOWS_KEPT, _FLOWS_BYTES // len(value)))
        free = [name for name in (f"{_FLOW}{number}" for number in range(names)) if name not in kept]
        mine = secrets.choice(free)
        for name in request.cookies:
            if name.startswith(_FLOW) and name not in (mine, *kept):
                cookie(response, name, "", seconds=0)
        cookie(response, mine, value, seconds=FLOW_SECONDS)
        return response

    def flows() -> dict[str, Flow]:
        """The ways to the provider on which this browser is, by the name of their cookie."""
        held = ((name, value) for name, value in request.cookies.items() if name.startswith(_FLOW))
        return {name: flow for name, value in held if (flow := unsealed(value, secret()))}

    def redirect_uri() -> str:
        return f"{public_url}/{g.slug}/sso/retour"

    def secret() -> str:
        return keys.get("web", lambda: secrets.token_hex(32))

    @bp.get("/sso/retour")
    def sso_return() -> Response:
        """Where the identity provider sends the browser back to."""
        if provider is None:
            raise refused(Code.NO_IDENTITY_PROVIDER)
        parameters = Parameters(request.query_string)
        state = (parameters.one("state") or "").encode()
        held = flows().items()
        name, flow = next(
            ((one, flow) for one, flow in held if secrets.compare_digest(flow.state.encode(), state)), (None, None)
        )
        if flow is None:
            raise refused(Code.SIGN_IN_NOT_EXPECTED)
        g.over.append(name)  # however it ends
        answer = {one: parameters.one(one) for one in ("code", "error", "error_description", "iss")}
        try:
            who = provider.finish(g.slug, redirect_uri(), flow, answer)
        except ProviderError as error:
            # The provider does not stand for whoever came from the SAS before.
            if error.refused and g.session and g.session.sas:
                sign_out()
            raise
        tokens = [Token(codes.PRACTITIONER_OID, one) for one in who.national_ids]
        tokens += [Token(codes.SAS_OID, one) for one in who.technical_ids]
        account = accounts.identify(g.slug, tokens, who.emails)
        session: Session | None = g.session
        if account and session and session.sas and session.account == account.id:
            # What they do in other tabs goes on.
            sessions.renew(session, subject=who.subject, sid=who.sid)
            return arriving(inside(flow.target), session.key)
        sign_out()
        return signed_in(admitted(account), target=flow.target, sas=True, who=who)

    @bp.post("/sso/deconnexion")
    def sso_logout() -> Response:
        """Where the identity provider says which sessions have ended (OpenID Connect Back-Channel Logout 1.0)."""
        if provider is None:
            raise refused(Code.NO_IDENTITY_PROVIDER)
        try:
            expect_media_type(request.headers, (codes.FORM,))
            sent = Parameters(read_body(request.environ, seconds=settings.body_timeout, limit=_LARGEST_LOGOUT))
            ended = provider.read_logout(g.slug, sent.one("logout_token") or "")
        except EditorError as error:
            return refuse_logout(error.status, english(error.issues[0]))
        except ProviderError as error:
            _log.warning("A logout of the identity provider is not followed: %s", error.reason)
            return refuse_logout(400 if error.refused else 502, error.reason)
        # A provider tells a client once, and all editors may be the same.
        client_id = settings.oidc_client_id
        if not sessions.end_elsewhere(catalogue.editors if client_id else [g.slug], client_id or g.slug, ended):
            return refuse_logout(400, "the token was used before")
        return Response(status=200)

    def refuse_logout(status: int, reason: str) -> Response:
        response = jsonify(error="invalid_request", error_description=reason)
        response.status_code = status
        return response

    @bp.get("/connexion")
    def log_in() -> Response:
        parameters = Parameters(request.query_string)
        return login_page(parameters.one("suite") or "", parameters.one("origine") or "")

    def login_page(target: str, origin: str, *, status: int = 200, problem: str = "", email: str = "") -> Response:
        return page("connexion.html", status, target=target, origin=origin, problem=problem, email=email)

    @bp.post("/connexion")
    def try_password() -> Response:
        field = forms.read(anybodys=True)
        target, origin, email = field("suite"), field("origine"), field("email")
        if origin and provider is None:
            accepted_origin([origin], settings.accepted_origins)
        lock = timedelta(minutes=settings.login_lock)
        done = login.attempt(g.slug, email, field("mot_de_passe"), tries=settings.login_tries, lock=lock)
        if done.locked_until:
            until = f"{done.locked_until.astimezone(g.editor.zone):%H:%M}"
            problem = f"Trop d’essais : ce compte est verrouillé jusqu’à {until}."
            return login_page(target, origin, status=403, problem=problem, email=email)
        if done.account is None:
            problem = "Adresse e-mail ou mot de passe incorrect."
            return login_page(target, origin, status=403, problem=problem, email=email)
        # With an identity provider, the regulator's level is opened there and nowhere else.
        sas = bool(origin) and provider is None
        return signed_in(admitted(done.account), target=target, sas=sas)

    @bp.post("/visite")
    def visit() -> Response:
        """Goes on without an account, as a private person."""
        return signed_in(None, target=forms.read(anybodys=True)("suite"))

    @bp.post("/deconnexion")
    def log_out() -> Response:
        forms.read(anybodys=True)
        sign_out()
        response = page("message.html", title="Vous êtes déconnecté", text="Votre session est terminée.")
        cookie(response, _SESSION, "", seconds=0)
        return response

    @bp.get("/mot-de-passe-oublie")
    def forgotten() -> Response:
        return page("oublie.html", done=False)

    @bp.post("/mot-de-passe-oublie")
    def renew() -> Response:
        login.renew_password(g.slug, forms.read(anybodys=True)("email"))
        return page("oublie.html", done=True)

    @bp.get("/cgu")
    def terms() -> Response:
        if not g.account:
            raise _Detour(redirect(url_for("web.log_in")))
        return page("cgu.html", target=Parameters(request.query_string).one("suite") or "")

    @bp.post("/cgu")
    def answer_terms() -> Response:
        if not g.account:
            raise _Detour(redirect(url_for("web.log_in")))
        field = forms.read()
        if field("accepter"):
            login.accept_terms(g.slug, g.account.id)
            return arriving(inside(field("suite")), g.session.key)
        sign_out()
        raise refused(Code.TERMS_DECLINED)

    # --- calendars

    @bp.get("/")
    def entry() -> Response:
        return redirect(url_for("web.directory"))

    @bp.get("/agenda")
    def directory() -> Response:
        visitor()
        people = list(itertools.islice(g.editor.directory, _LISTED))
        more = len(g.editor.directory) > len(people)
        return page("annuaire.html", people=people, more=more, associations=list(g.editor.associations.values()))

    @bp.get("/agenda/<owner>")
    def calendar(owner: str) -> Response:
        session = visitor()
        # Some clients append `?origin=` to the link: a second `?` separates, too.
        asked = Parameters(request.query_string.replace(b"?", b"&"))
        shown = _calendar(g.editor, owner, asked.one("lieu"))
        return page("agenda.html", **week_of(session, shown, asked), moved=None)

    def week_of(session: Session, shown: OwnedCalendar, asked: Parameters) -> dict[str, Any]:
        """A week of a calendar, as both its own page and the one that moves an appointment show it."""
        wanted = _start(asked.one("creneau"))
        day = view.read_day(asked.one("semaine")) or (view.local_day(wanted, shown) if wanted else None)
        zone, exposed = shown.zone, session.exposed(shown)
        week = view.week(shown, day, catalogue.clock.now())
        slots = bookings.free_slots(shown, week.window, exposed)
        today = view.local_day(catalogue.clock.now(), shown)
        days = [
            (name, [view.shown(slot, zone, exposed, wanted) for slot in found])
            for name, found in week.days(slots, zone)
            if name >= today
        ]
        missing = wanted is not None and not any(slot.start == wanted for slot in slots)
        return {
            "at": shown,
            "calendars": calendars_of(shown.editor, shown.owner.id),
            "week": week,
            "days": days,
            "missing": missing,
        }

    def calendar_to_book(owner: str, place: str | None) -> OwnedCalendar:
        """A calendar, to which a refusal then leads back."""
        found = _calendar(g.editor, owner, place)
        g.back = url_for("web.calendar", owner=owner, lieu=found.place.key)
        return found

    @bp.get("/agenda/<owner>/reserver")
    def booking_form(owner: str) -> Response:
        session = visitor()
        asked = Parameters(request.query_string)
        shown = calendar_to_book(owner, asked.one("lieu"))
        exposed = session.exposed(shown)
        slot = bookings.bookable_slot(shown, _required_start(asked.one("creneau")), exposed)
        return page("reserver.html", at=shown, slot=view.shown(slot, shown.zone, exposed))

    @bp.post("/agenda/<owner>/reserver")
    def book(owner: str) -> Response:
        session = visitor()
        field = forms.read()
        shown = calendar_to_book(owner, field("lieu"))
        patient = f"{field('prenom')} {field('nom')}" if field("nom") else ""
        start = _required_start(field("creneau"))
        regulator = g.account.regulator if g.account else None
        made = bookings.book(shown, start, session, regulator, patient=patient, reason=field("motif"))
        return redirect(url_for("web.appointment", identifier=made.id, nouveau=1))

    # --- appointments

    @bp.get("/rendez-vous")
    def mine() -> Response:
        session = visitor()
        found = [(one, bookings.calendar_of(one)) for one in appointments.of(g.slug, session.booker)]
        return page("rendez_vous.html", found=found)

    def own(identifier: str) -> tuple[Session, Appointment]:
        """An appointment of whoever asks. Raises 404, which does not tell whether it is somebody else's."""
        session = visitor()
        found = appointments.find(g.slug, identifier)
        if found is None or found.booker != session.booker or (found.sas and not session.sas):
            raise refused(Code.APPOINTMENT_NOT_THEIRS)
        return session, found

    @bp.get("/rendez-vous/<identifier>")
    def appointment(identifier: str) -> Response:
        _, found = own(identifier)
        still = found.status in OPEN_STATUSES
        new = bool(Parameters(request.query_string).one("nouveau"))
        return page("fiche.html", one=found, at=bookings.calendar_of(found), open=still, new=new)

    @bp.post("/rendez-vous/<identifier>/annuler")
    def cancel(identifier: str) -> Response:
        visitor()
        forms.read()
        _, found = own(identifier)
        bookings.cancel(found)
        return redirect(url_for("web.appointment", identifier=identifier))

    @bp.get("/rendez-vous/<identifier>/deplacer")
    def choose(identifier: str) -> Response:
        session, found = own(identifier)
        asked = Parameters(request.query_string)
        return page("agenda.html", **week_of(session, calendar_to_move_to(found), asked), moved=found)

    @bp.post("/rendez-vous/<identifier>/deplacer")
    def move(identifier: str) -> Response:
        visitor()
        field = forms.read()
        session, found = own(identifier)
        where = calendar_to_move_to(found)
        g.back = url_for("web.appointment", identifier=identifier)
        bookings.move(found, where, _required_start(field("creneau")), session.exposed(where))
        return redirect(url_for("web.appointment", identifier=identifier))

    def calendar_to_move_to(found: Appointment) -> OwnedCalendar:
        where = bookings.calendar_of(found)
        if where is None:
            raise refused(Code.CALENDAR_LOST)
        return where

    return bp


def _here() -> str:
    """The page asked for, as a link to it; that a form was sent to one is forgotten."""
    query = request.query_string.decode("ascii", "replace")
    path = quote(request.script_root + request.path)
    return f"{path}?{query}" if query and request.method == "GET" else path


def _calendar(editor: Editor, owner: str, place: str | None) -> OwnedCalendar:
    """A calendar by its owner and place; without a place, the first. Raises 404."""
    found = calendars_of(editor, owner)
    chosen = next((one for one in found if not place or one.place.key == place), None)
    if chosen is None:
        raise refused(Code.CALENDAR_NOT_ON_SITE)
    return chosen


def _start(text: str | None) -> datetime | None:
    try:
        return read_stamp(text or "")
    except ValueError:
        return None


def _required_start(text: str | None) -> datetime:
    start = _start(text)
    if start is None:
        raise refused(Code.SLOT_NOT_CHOSEN)
    return start

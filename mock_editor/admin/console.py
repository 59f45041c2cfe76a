"""The console, ``/_console/…``: pages in French for those who run the simulator, on its own machine or with its token.

Here they stand in for the practitioners too: what happens to an appointment on their side is done on its page.
"""

import itertools
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.urls import iri_to_uri

from mock_editor.accounts.payload import token_of
from mock_editor.accounts.regulators import Account
from mock_editor.admin import guard as access
from mock_editor.admin.cases import WRONG_ID, Case, Cases, read_practitioner_id
from mock_editor.admin.guard import Guard
from mock_editor.admin.notifications import FAILED, STATES, Notifications
from mock_editor.base import codes
from mock_editor.base.errors import EditorError, NotFoundError
from mock_editor.base.forms import HEADERS, Forms, in_french
from mock_editor.base.parameters import Parameters
from mock_editor.booking import week as view
from mock_editor.booking.access import PageError
from mock_editor.calendars.catalogue import agendas, read_stamp
from mock_editor.calendars.model import NEVER_EXPOSED, AppointmentStatus, Editor, SlotType
from mock_editor.notifications.outbox import State
from mock_editor.simulator import Simulator
from mock_editor.stage import Stage

# A practice is offered whatever is shown to anybody.
_OFFERED = frozenset(SlotType) - NEVER_EXPOSED
_PEOPLE = 40
# A load test leaves more behind than a page can show.
_ROWS = 200

_SYSTEMS = {codes.PRACTITIONER_OID: "national", codes.SAS_OID: "technique SAS"}
_REFUSALS = {
    403: (
        "Accès refusé",
        "La console ne s’ouvre que dans un navigateur de la machine du simulateur, et pas depuis un autre site.",
    ),
    429: ("Trop d’essais", "Trop de jetons incorrects ont été essayés d’ici. Réessayez dans une minute."),
}


def blueprint(simulator: Simulator, stage: Stage, guard: Guard) -> Blueprint:
    """The pages, for those whom ``guard`` lets in."""
    bp = Blueprint("console", __name__, url_prefix="/_console", template_folder="templates", static_folder="static")
    public_url, catalogue, bookings = simulator.public_url, simulator.catalogue, simulator.bookings
    base, secure = urlsplit(public_url).path, public_url.startswith("https:")
    path = f"{base}/_console"
    forms = Forms(seconds=simulator.settings.body_timeout)
    cases = Cases(simulator)
    notifications = Notifications(simulator)

    # --- what every page needs

    def page(template: str, status: int = 200, **content: Any) -> Response:
        guest = not access.from_here()
        shown = render_template(f"console/{template}", forms=forms, view=view, url=_url, guest=guest, **content)
        return Response(shown, status)

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        # On this machine it is plain HTTP, whatever the public URL is.
        forms.remember(response, path=path, secure=secure and not access.from_here())
        return response

    @bp.errorhandler(PageError)
    def refuse(error: PageError) -> Response:
        # Back to the appointment, where it is about one.
        about = request.view_args or {}
        back = url_for("console.appointment", **about) if "identifier" in about else None
        return page("message.html", error.status, title=error.title, text=error.text, back=back)

    @bp.errorhandler(EditorError)
    def refuse_plainly(error: EditorError) -> Response:
        title, text = _REFUSALS.get(error.status) or in_french(error)
        response = page("message.html", error.status, title=title, text=text, back=None)
        response.headers.extend(error.headers)
        return response

    @bp.get("/<path:_>")
    def nothing(_: str) -> Response:
        raise NotFoundError("No such page")

    def asked_editors() -> tuple[str | None, list[Editor]]:
        """The slug by which a list is filtered, and the editors that it leaves. Raises 404."""
        slug = Parameters(request.query_string).one("editeur")
        return slug, [catalogue.editor(slug)] if slug else list(catalogue.editors.values())

    # --- from elsewhere

    @bp.before_request
    def admit() -> Response | None:
        """Sends a browser without access to the page where the token is typed."""
        if request.endpoint in ("console.static", "console.access_form", "console.enter") or guard.admits_browser():
            return None
        guard.expect_token()
        if request.method not in ("GET", "HEAD"):
            raise PageError(403, "Accès terminé", "Votre accès à la console a pris fin. Ouvrez-la de nouveau.")
        return _redirect(url_for("console.access_form", vers=iri_to_uri(request.full_path.rstrip("?"))))

    @bp.get("/acces")
    def access_form() -> Response:
        guard.expect_token()
        return page("acces.html", target=_inside(Parameters(request.query_string).one("vers")))

    @bp.post("/acces")
    def enter() -> Response:
        guard.expect_token()
        field = forms.read()
        target = _inside(field("vers"))
        if not guard.knows(field("acces")):
            return page("acces.html", 403, target=target, problem="Ce jeton d’accès n’est pas le bon.")
        response = _redirect(f"{base}{target}")
        response.set_cookie(
            access.COOKIE,
            guard.pass_for_browser(),
            max_age=access.LIFETIME,
            path=path,
            secure=secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    @bp.post("/quitter")
    def leave() -> Response:
        forms.read()
        response = _redirect(url_for("console.access_form"))
        response.delete_cookie(access.COOKIE, path=path, secure=secure, httponly=True, samesite="Strict")
        return response

    # --- the simulator

    @bp.get("/")
    def home() -> Response:
        counts = [
            (editor, len(simulator.accounts.all(slug)), len(simulator.appointments.of(slug)))
            for slug, editor in catalogue.editors.items()
        ]
        done = bool(Parameters(request.query_string).one("fait"))
        told = notifications.counts()
        return page(
            "accueil.html",
            played=simulator.played,
            counts=counts,
            public_url=public_url,
            done=done,
            untold=sum(told.values()) - told[State.ACCEPTED],
            embedded=simulator.settings.sas_url == "embedded",
        )

    @bp.post("/remise-a-zero")
    def reset() -> Response:
        if not forms.read()("confirmer"):
            text = "Pour remettre le simulateur à zéro, cochez « Je confirme »."
            raise PageError(422, "Confirmation manquante", text)
        stage.reset()
        return _redirect(url_for("console.home", fait=1))

    @bp.get("/comptes")
    def accounts() -> Response:
        slug, editors = asked_editors()
        every = [(editor, simulator.accounts.all(editor.slug)) for editor in editors]
        found = [(editor, [(one, _identifiers(one)) for one in some[-_ROWS:]], len(some)) for editor, some in every]
        return page("comptes.html", editors=catalogue.editors.values(), chosen=slug, found=found)

    # --- appointments

    @bp.get("/rendez-vous")
    def diary() -> Response:
        slug, editors = asked_editors()
        found, total = cases.latest(editors, _ROWS)
        return page("rendez_vous.html", editors=catalogue.editors.values(), chosen=slug, found=found, total=total)

    @bp.get("/rendez-vous/<editor>/<identifier>")
    def appointment(editor: str, identifier: str) -> Response:
        return sheet(cases.find(editor, identifier))

    def sheet(case: Case, status: int = 200, **content: Any) -> Response:
        booker = simulator.accounts.find(case.editor.slug, case.appointment.booker)
        told = notifications.of(case.editor.slug, case.appointment.id)
        return page("fiche.html", status, case=case, booker=booker, told=told, states=STATES, **content)

    @bp.post("/rendez-vous/<editor>/<identifier>/annuler")
    def cancel(editor: str, identifier: str) -> Response:
        forms.read()
        case = cases.find(editor, identifier)
        bookings.cancel(case.appointment)
        return _redirect(_url(case))

    @bp.post("/rendez-vous/<editor>/<identifier>/clore")
    def close(editor: str, identifier: str) -> Response:
        """Notes whether the patient came."""
        state = forms.read()("etat")
        case = cases.find(editor, identifier)
        if state not in (AppointmentStatus.FULFILLED, AppointmentStatus.NOSHOW):
            raise PageError(400, "État manquant", "Indiquez si le rendez-vous a été honoré ou non.")
        bookings.close(case.appointment, honoured=state == AppointmentStatus.FULFILLED)
        return _redirect(_url(case))

    @bp.post("/rendez-vous/<editor>/<identifier>/affecter")
    def assign(editor: str, identifier: str) -> Response:
        """Says who sees the patient of SOS Médecins."""
        typed = forms.read()("identifiant")
        case = cases.find(editor, identifier)
        try:
            cases.assign(case, typed)
        except PageError as error:
            if error.status != 422:
                raise
            return sheet(case, 422, problem=error.text, typed=typed)
        return _redirect(_url(case))

    @bp.get("/rendez-vous/<editor>/<identifier>/deplacer")
    def choose_slot(editor: str, identifier: str) -> Response:
        case = cases.find(editor, identifier)
        asked = Parameters(request.query_string)
        agenda = case.agenda_for(asked.one("agenda"))
        zone = agenda.calendar.zone
        week = view.week(agenda, view.read_day(asked.one("semaine")), catalogue.clock.now())
        slots = bookings.free_slots(agenda, week.window, _OFFERED)
        days = [(day, [view.shown(slot, zone, _OFFERED) for slot in some]) for day, some in week.days(slots, zone)]
        others = agendas(agenda.editor, agenda.owner.id)
        return page("deplacer.html", case=case, agenda=agenda, agendas=others, week=week, days=days)

    @bp.post("/rendez-vous/<editor>/<identifier>/deplacer")
    def move(editor: str, identifier: str) -> Response:
        field = forms.read()
        case = cases.find(editor, identifier)
        start = _start(field("creneau"))
        bookings.move(case.appointment, case.agenda_for(field("agenda")), start, _OFFERED)
        return _redirect(_url(case))

    @bp.get("/rendez-vous/<editor>/<identifier>/praticien")
    def choose_practitioner(editor: str, identifier: str) -> Response:
        return people(with_practitioner(editor, identifier))

    @bp.post("/rendez-vous/<editor>/<identifier>/praticien")
    def find_practitioner(editor: str, identifier: str) -> Response:
        typed = forms.read()("identifiant")
        case = with_practitioner(editor, identifier)
        national_id = read_practitioner_id(typed)
        if national_id is None:
            return people(case, 422, problem=WRONG_ID, typed=typed)
        found = case.editor.directory.find(national_id)
        if found is None:
            return people(case, 404, problem="Ce logiciel ne connaît pas ce praticien.", typed=typed)
        return _redirect(_url(case, "choose_slot", agenda=found.places[0].calendar.key))

    def people(case: Case, status: int = 200, **content: Any) -> Response:
        others = (one for one in case.editor.directory if one.id != case.appointment.practitioner)
        return page("praticien.html", status, case=case, people=list(itertools.islice(others, _PEOPLE)), **content)

    def with_practitioner(editor: str, identifier: str) -> Case:
        """An appointment that another practitioner may take over. Raises NotFoundError, PageError."""
        case = cases.find(editor, identifier)
        case.agenda_for(None)
        if case.appointment.sos:
            text = "Le médecin d’un rendez-vous SOS Médecins s’affecte sur la page du rendez-vous."
            raise PageError(409, "Changement impossible", text)
        return case

    # --- notifications

    @bp.get("/notifications")
    def outbox() -> Response:
        slug, _ = asked_editors()
        asked = Parameters(request.query_string)
        state = _state(asked.one("etat"))
        every, counts = notifications.counts(), notifications.counts(slug)
        found = notifications.latest(_ROWS, slug, state)
        return page(
            "notifications.html",
            editors=catalogue.editors.values(),
            chosen=slug,
            states=STATES,
            state=state,
            counts=counts,
            found=found,
            total=counts[state] if state else sum(counts.values()),
            failed=any(every[one] for one in FAILED),
            again=_count(asked.one("renvoyees")),
        )

    @bp.post("/notifications/renvoyer")
    def replay_all() -> Response:
        forms.read()
        return _redirect(url_for("console.outbox", renvoyees=notifications.replay_all()))

    @bp.post("/rendez-vous/<editor>/<identifier>/renvoyer")
    def replay(editor: str, identifier: str) -> Response:
        typed = forms.read()("notification")
        case = cases.find(editor, identifier)
        number = notifications.replay(editor, case.appointment.id, typed)
        return _redirect(_url(case, _anchor=f"notification-{number}"))

    return bp


def _redirect(target: str) -> Response:
    return Response(status=303, headers={"Location": target})


def _inside(target: str | None) -> str:
    """Where somebody wanted to go, if that is a page of the console; else its first one."""
    return target if target and re.fullmatch("/_console/[!-~]*", target) else "/_console/"


def _url(case: Case, endpoint: str = "appointment", **more: Any) -> str:
    """Of a page about an appointment, or of an operation."""
    return url_for(f"console.{endpoint}", editor=case.editor.slug, identifier=case.appointment.id, **more)


def _identifiers(account: Account) -> list[tuple[str, str]]:
    """An account's identifiers, each after the name of its system."""
    tokens = map(token_of, account.content.get("identifier", ()))
    return [(_SYSTEMS.get(token.system, token.system), token.value) for token in tokens]


def _state(text: str | None) -> State | None:
    """The state by which notifications are filtered. Raises NotFoundError."""
    try:
        return State(text) if text else None
    except ValueError:
        raise NotFoundError("No such state") from None


def _count(text: str | None) -> int | None:
    """A number as our own redirects bring it; None for anything else."""
    return int(text) if text and re.fullmatch("[0-9]{1,9}", text) else None


def _start(text: str) -> datetime:
    """The start of a slot, as its button brings it. Raises PageError."""
    try:
        return read_stamp(text)
    except ValueError:
        raise PageError(400, "Créneau manquant", "Choisissez un créneau dans l’agenda.") from None

"""Appointments: what became of each, what the SAS was told of it, and what practitioners do to it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from flask import Response, url_for

from mock_editor.accounts.model import Account
from mock_editor.admin.console.context import Console, Route, chosen, number, redirect
from mock_editor.admin.console.shown_notifications import STATES, NotificationSheet, ShownNotifications
from mock_editor.admin.practice import PRACTICE, PlacedAppointment, Practice
from mock_editor.base.errors import refused
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, issue
from mock_editor.base.listings import Page
from mock_editor.base.words import french
from mock_editor.booking import week as view
from mock_editor.calendars.appointments import AppointmentFilter
from mock_editor.calendars.catalogue import calendars_of, stamp
from mock_editor.calendars.identifiers import read_practitioner_id
from mock_editor.calendars.model import NEVER_EXPOSED, Appointment, AppointmentStatus, SlotType
from mock_editor.journal.filters import EntryFilter
from mock_editor.world.world import World

# A practice is offered whatever is shown to anybody.
_OFFERED = frozenset(SlotType) - NEVER_EXPOSED
_PEOPLE, _ROWS, _EXCHANGES = 40, 50, 30
_MOST_PAGES = 10_000
# By kind: its words, whether its appointments were taken through the SAS, and whether they are with SOS Médecins.
KINDS: Mapping[str, tuple[str, bool | None, bool | None]] = {
    "sas": ("Pris depuis le SAS", True, None),
    "hors-sas": ("Pris hors SAS", False, None),
    "sos": ("SOS Médecins", None, True),
}


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A change of an appointment that the SAS is told of, in a few words, and when the appointment is since then."""

    what: str
    when: str
    sheet: NotificationSheet


class Bookers:
    """Who has taken appointments, in words."""

    def __init__(self, world: World) -> None:
        self._accounts = world.accounts
        self._known: dict[tuple[str, str], Account | None] = {}

    def account(self, one: Appointment) -> Account | None:
        """The account that took it, if one did and is there."""
        key = (one.editor, one.booker)
        if key not in self._known:
            self._known[key] = self._accounts.find(*key)
        return self._known[key]

    def name(self, one: Appointment) -> str:
        """« Solène MERCIER », « le cabinet »."""
        account = self.account(one)
        return account.name if account else " ".join(self._unnamed(one))

    def short(self, one: Appointment) -> str:
        """The same where there is little room: « MERCIER », « cabinet »."""
        if account := self.account(one):
            return str(account.content["name"][0]["family"])
        return self._unnamed(one)[1]

    def _unnamed(self, one: Appointment) -> tuple[str, str]:
        """Who took it without an account that is there: an article and a noun."""
        if one.booker == PRACTICE:
            return ("la", "permanence") if one.sos else ("le", "cabinet")
        return ("un", "visiteur du site") if one.booker.startswith("visit-") else ("un", "compte disparu")


def _show(console: Console, template: str, status: int = 200, **content: Any) -> Response:
    return console.show(template, status, url=_url, **content)


def appointments(console: Console) -> Response:
    slug, editors = console.asked_editors()
    asked = console.asked()
    state: AppointmentStatus | None = chosen(asked.one("etat"), AppointmentStatus)
    kind, text = asked.one("genre"), (asked.one("q") or "").strip()
    if kind and kind not in KINDS:
        raise refused(Code.NO_SUCH_PAGE)
    _, sas, sos = KINDS[kind] if kind else ("", None, None)
    slugs = [editor.slug for editor in editors]
    wanted = AppointmentFilter(slugs, status=state, sas=sas, sos=sos, text=text or None)
    page = number(asked.one("page"), _MOST_PAGES) or 1
    found, total = Practice(console.world).listing(wanted, Page(_ROWS, page))
    return _show(
        console,
        "rendez_vous.html",
        editors=console.world.catalogue.editors.values(),
        chosen=slug,
        states=view.STATUSES,
        state=state,
        kinds={name: words for name, (words, *_) in KINDS.items()},
        kind=kind,
        text=text,
        page=page,
        found=found,
        total=total,
        rows=_ROWS,
        bookers=Bookers(console.world),
    )


def appointment(console: Console, editor: str, identifier: str) -> Response:
    placed = Practice(console.world).find(editor, identifier)
    one = placed.appointment
    told = ShownNotifications(console.world).of(placed.editor.slug, one.id)
    exchanges = console.simulator.journal.summaries(
        EntryFilter(editor=placed.editor.slug, flow=Flow.INT_R03, contains=one.id, limit=_EXCHANGES)
    )
    return _show(
        console,
        "fiche.html",
        placed=placed,
        bookers=Bookers(console.world),
        changes=_changes(told, placed.calendar.zone if placed.calendar else placed.editor.zone),
        states=STATES,
        exchanges=exchanges,
        slot=f"{one.calendar}-{stamp(one.start)}",
        received=_received(console, told),
    )


def choose_slot(console: Console, editor: str, identifier: str) -> Response:
    placed = Practice(console.world).find(editor, identifier)
    asked = console.asked()
    at = placed.calendar_for(asked.one("agenda"))
    zone = at.zone
    week = view.week(at, view.read_day(asked.one("semaine")), console.world.catalogue.clock.now())
    slots = console.world.bookings.free_slots(at, week.window, _OFFERED)
    days = [(day, [view.shown(slot, zone, _OFFERED) for slot in some]) for day, some in week.days(slots, zone)]
    others = calendars_of(at.editor, at.owner.id)
    return _show(console, "deplacer.html", placed=placed, at=at, others=others, week=week, days=days)


def choose_practitioner(console: Console, editor: str, identifier: str) -> Response:
    return _people(console, _with_practitioner(console, editor, identifier))


def find_practitioner(console: Console, editor: str, identifier: str) -> Response:
    """Opens the calendar of the practitioner with this identifier; nothing is changed."""
    typed = console.forms.read()("identifiant")
    placed = _with_practitioner(console, editor, identifier)
    national_id = read_practitioner_id(typed)
    if national_id is None:
        return _people(console, placed, 422, problem=french(issue(Code.PRACTITIONER_ID_WRONG)), typed=typed)
    found = placed.editor.directory.find(national_id)
    if found is None:
        return _people(console, placed, 404, problem=french(issue(Code.PRACTITIONER_NOT_KNOWN)), typed=typed)
    return redirect(_url(placed, "choose_slot", agenda=found.places[0].calendar.key))


def _people(console: Console, placed: PlacedAppointment, status: int = 200, **content: Any) -> Response:
    others = (one for one in placed.editor.directory if one.id != placed.appointment.practitioner)
    some = list(itertools.islice(others, _PEOPLE))
    return _show(console, "praticien.html", status, placed=placed, people=some, **content)


def _with_practitioner(console: Console, editor: str, identifier: str) -> PlacedAppointment:
    """An appointment that another practitioner may take over. Raises 404, 409."""
    placed = Practice(console.world).find(editor, identifier)
    placed.calendar_for(None)
    if placed.appointment.sos:
        raise refused(Code.CHANGE_NOT_FOR_SOS)
    return placed


def _received(console: Console, told: Sequence[NotificationSheet]) -> str:
    """Where the bench shows what it has received of an appointment; empty where it has not, or another SAS has."""
    if not console.elsewhere or console.world.settings.sas_url != "embedded":
        return ""
    identifier = next((one.received for one in reversed(told) if one.received), "")
    return f"{console.world.public_url}/_sas/rendez-vous/{quote(identifier, safe='')}" if identifier else ""


def _changes(told: Sequence[NotificationSheet], zone: ZoneInfo) -> list[ToldChange]:
    bodies = [orjson.loads(one.body) for one in told]
    before = [None, *bodies]
    return [
        ToldChange(_change(old, new), view.moment(datetime.fromisoformat(new["start"]), zone), sheet)
        for old, new, sheet in zip(before, bodies, told, strict=False)
    ]


def _change(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """What has happened, from what the SAS was told before to what it is told."""
    if old is None:
        return "Pris"
    if new["status"] == AppointmentStatus.CANCELLED:
        return "Annulé"
    if new["status"] in (AppointmentStatus.FULFILLED, AppointmentStatus.NOSHOW):
        return view.STATUSES[AppointmentStatus(new["status"])]
    if new["start"] != old["start"]:
        return "Déplacé"
    if new.get("participant") != old.get("participant"):
        return "Médecin affecté" if old["status"] == AppointmentStatus.PENDING else "Changé de praticien ou de lieu"
    return "Modifié"


def _url(placed: PlacedAppointment, endpoint: str = "appointment", **more: Any) -> str:
    """Of a page about an appointment."""
    return url_for(f"console.{endpoint}", editor=placed.editor.slug, identifier=placed.appointment.id, **more)


ROUTES = (
    Route("/rendez-vous", appointments),
    Route("/rendez-vous/<editor>/<identifier>", appointment),
    Route("/rendez-vous/<editor>/<identifier>/deplacer", choose_slot),
    Route("/rendez-vous/<editor>/<identifier>/praticien", choose_practitioner),
    Route("/rendez-vous/<editor>/<identifier>/praticien", find_practitioner, "POST"),
)

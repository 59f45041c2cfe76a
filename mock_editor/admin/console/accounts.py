"""Regulators: their accounts at every editor, and what the SAS did to each (INT_R02)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from flask import Response

from mock_editor.accounts.model import Account, AccountFilter
from mock_editor.admin.console.context import Console, Route, number
from mock_editor.base import codes
from mock_editor.base.errors import refused
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code
from mock_editor.base.listings import Page
from mock_editor.calendars.appointments import AppointmentFilter
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.model import Entry

_SYSTEMS = {codes.PRACTITIONER_OID: "national", codes.SAS_OID: "technique SAS"}
_ACTIVE = {"actif": ("Actifs", True), "retire": ("Retirés", False)}
# Rows of a page; of each editor, where all are shown.
_ROWS, _EACH = 50, 20
_MOST_PAGES, _CALLS = 10_000, 50


@dataclass(frozen=True, slots=True)
class Call:
    """A request of INT_R02 about an account, and what it did to it."""

    entry: Entry
    what: str
    refused: bool


def accounts(console: Console) -> Response:
    slug, editors = console.asked_editors()
    asked = console.asked()
    state, text = asked.one("habilitation"), (asked.one("q") or "").strip()
    if state and state not in _ACTIVE:
        raise refused(Code.NO_SUCH_PAGE)
    active = _ACTIVE[state][1] if state else None
    rows, page = (_ROWS, number(asked.one("page"), _MOST_PAGES) or 1) if slug else (_EACH, 1)
    found = []
    for editor in editors:
        wanted = AccountFilter([editor.slug], active=active, text=text or None)
        some, total = console.world.accounts.listing(wanted, Page(rows, page), newest_first=True)
        found.append((editor, [(one, _identifiers(one)) for one in some], total))
    return console.show(
        "comptes.html",
        editors=console.world.catalogue.editors.values(),
        chosen=slug,
        states={name: words for name, (words, _) in _ACTIVE.items()},
        state=state,
        text=text,
        page=page,
        rows=rows,
        found=found,
        locked=_locked(console),
    )


def account(console: Console, editor: str, identifier: str) -> Response:
    known = console.world.catalogue.editor(editor)
    one = console.world.accounts.read(editor, identifier)
    console.simulator.journal.fresh()
    taken = console.world.appointments.listing(AppointmentFilter([editor], text=one.id), Page(1)).total
    return console.show(
        "compte.html",
        editor=known,
        one=one,
        identifiers=_identifiers(one),
        national=_identifier(one, codes.PRACTITIONER_OID),
        technical=_identifier(one, codes.SAS_OID),
        resource=orjson.dumps(one.resource, option=orjson.OPT_INDENT_2).decode(),
        locked=_locked(console),
        calls=_calls(console, editor, one),
        taken=taken,
        instant=_instant,
        path={"editor": editor, "account": one.id},
    )


def _identifiers(account: Account) -> list[tuple[str, str]]:
    """An account's identifiers, each after the name of its system."""
    return [(_SYSTEMS.get(token.system, token.system), token.value) for token in account.tokens]


def _identifier(account: Account, system: str) -> str:
    return next((token.value for token in account.tokens if token.system == system), "")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _locked(console: Console) -> Callable[[Account], bool]:
    """Tells whether an account takes no password now."""
    now = console.world.clock.now()
    return lambda one: one.locked_until is not None and datetime.fromisoformat(one.locked_until) > now


# --- what the SAS did


def _calls(console: Console, editor: str, account: Account) -> list[Call]:
    """The requests about an account that the journal still has, the last first."""
    keys = {account.id, account.email, *(value for _, value in _identifiers(account))}
    found: dict[int, Entry] = {}
    for key in keys:
        asked = EntryFilter(editor=editor, flow=Flow.INT_R02, contains=key, limit=_CALLS)
        found |= {one.id: one for one in console.simulator.journal.entries.find(asked)}
    calls: list[Call] = []
    before: tuple[str, bool | None] | None = None
    for _, entry in sorted(found.items()):
        if entry.status is None or entry.status >= 300:
            calls.append(Call(entry, "Refusé" if entry.status else "Sans réponse", refused=True))
            continue
        identifier, version, active = _saved(entry)
        if identifier == account.id:
            calls.append(Call(entry, _what(entry, before, (version, active)), refused=False))
            before = version, active
    return calls[-_CALLS:][::-1]


def _saved(entry: Entry) -> tuple[str, str, bool | None]:
    """What a request that was accepted has left behind: id, version, and whether the account is active."""
    heads = {name.lower(): value for name, value in entry.answer_headers}
    answer, sent = _object(entry.answer_body), _object(entry.request_body)
    place = re.search("/Practitioner/([^/]+)", heads.get("location", "") or heads.get("content-location", ""))
    identifier = str(answer.get("id") or (place[1] if place else ""))
    active = answer.get("active", sent.get("active"))
    return identifier, heads.get("etag", ""), active if isinstance(active, bool) else None


def _what(entry: Entry, before: tuple[str, bool | None] | None, now: tuple[str, bool | None]) -> str:
    if entry.status == 201:
        return "Créé"
    if now[1] is False and (before is None or before[1]):
        return "Retiré"
    if now[1] and before is not None and before[1] is False:
        return "Rétabli"
    return "Sans changement" if before is not None and before[0] == now[0] else "Modifié"


def _object(body: bytes) -> Mapping[str, Any]:
    """The JSON object that a body is; an empty one for any other."""
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


ROUTES = (
    Route("/comptes", accounts),
    Route("/comptes/<editor>/<identifier>", account),
)

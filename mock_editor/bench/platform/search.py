"""Asking the editors for slots, all at once: INT_R01, INT_R04 and the search for SOS Médecins.

Source: the guide's pages on these flows. Once an editor has answered with slots of a practitioner, only it is asked for
that practitioner. For one whom no editor has offered yet, every editor is asked.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from mock_editor.base import codes
from mock_editor.base.fhir import instant
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.platform.accounts import Peer
from mock_editor.bench.platform.answers import json_of, refusal
from mock_editor.bench.platform.calls import CallResult, EditorClient, begin
from mock_editor.bench.platform.checks.model import SearchRequest, finding
from mock_editor.bench.platform.checks.violations import Violation, violations
from mock_editor.bench.platform.directory import Listed, Offer
from mock_editor.bench.platform.place_results import OfferedCalendar, offered_calendars
from mock_editor.bench.platform.store import PlatformStore

BATCH = 25
DAYS = 3
# One answer at a time: checking it holds the interpreter, which would falsify the measured times of the others.
_looking = threading.Lock()

_INDIVIDUAL: tuple[str, ...] = ("_include=Slot:schedule", "_include:iterate=Schedule:actor")
_CPTS: tuple[str, ...] = ("_include=Slot:service-type-reference", "_include:iterate=HealthcareService:organization")
_SOS: tuple[str, ...] = (
    "_revinclude=Slot:schedule",
    "_include=Schedule:actor:Location",
    "_include:iterate=Location:organization",
)


def search_url(offer: Offer, base: str, identifiers: Sequence[str], now: datetime) -> str:
    """The URL of a search, from now to the end of the third day."""
    local = now.astimezone(DEFAULT_ZONE)
    last = datetime.combine(local.date() + timedelta(days=DAYS - 1), time(23, 59, 59, 999_000), DEFAULT_ZONE)
    first, after = (quote(instant(bound, DEFAULT_ZONE), safe=":") for bound in (local, last))
    if offer is Offer.SOS:
        kind, includes, prefix, system = "Schedule", _SOS, "_has:Slot:schedule:", codes.STRUCTURE_OID
        owner = "actor:Location.organization.identifier"
    else:
        kind, prefix, system = "Slot", "", codes.PRACTITIONER_OID
        includes = _INDIVIDUAL + _CPTS if offer is Offer.CPTS else _INDIVIDUAL
        owner = "schedule.actor:Practitioner.identifier"
    tokens = quote(",".join(f"{system}|{identifier}" for identifier in identifiers), safe=":,")
    window = (f"{prefix}start=ge{first}", f"{prefix}start=le{after}", f"{prefix}status=free")
    return f"{base}/{kind}?{'&'.join((*includes, *window, f'{owner}={tokens}'))}"


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The result of a request: what is ``offered``, even if it breaks rules; ``trouble`` if it is no answer."""

    result: CallResult
    trouble: Issue | None
    offered: Sequence[OfferedCalendar]
    violations: Sequence[Violation]

    @property
    def slots(self) -> int:
        """How many slots came."""
        return sum(len(calendar.slots) for calendar in self.offered)


@dataclass(frozen=True, slots=True)
class SearchCall:
    """A request to an editor, and its answer when that is there."""

    peer: Peer
    request: SearchRequest
    identifiers: Sequence[str]
    future: "Future[SearchAnswer]"

    @property
    def answer(self) -> SearchAnswer | None:
        """The answer, if it is there."""
        return self.future.result() if self.future.done() and not self.future.cancelled() else None


@dataclass(frozen=True, slots=True)
class Search:
    """A search under way, at a moment of the simulator's clock."""

    offer: Offer
    listed: Sequence[Listed]
    now: datetime
    calls: Sequence[SearchCall]

    @property
    def over(self) -> bool:
        """Whether every answer is there."""
        return all(call.future.done() for call in self.calls)

    def cancel(self) -> None:
        """Drops the requests that have not been sent yet."""
        for call in self.calls:
            call.future.cancel()


class Searcher:
    """Asks the editors ``peers``."""

    def __init__(
        self, peers: Sequence[Peer], client: EditorClient, store: PlatformStore, now: Callable[[], datetime]
    ) -> None:
        self._peers = peers
        self._client = client
        self._store = store
        self._now = now

    def begin(self, offer: Offer, listed: Sequence[Listed]) -> Search:
        """Begins a search for the slots of ``listed``."""
        now = self._now()
        known = self._store.known([owner.id for owner in listed])
        calls = []
        for peer in self._peers:
            whom = [owner.id for owner in listed if peer.slug in known[owner.id] or not known[owner.id]]
            for start in range(0, len(whom), BATCH):
                batch = whom[start : start + BATCH]
                request = SearchRequest(offer.flow, search_url(offer, peer.base, batch, now), now)
                calls.append(SearchCall(peer, request, batch, begin(self._ask, peer, request, batch)))
        return Search(offer, listed, now, calls)

    def _ask(self, peer: Peer, request: SearchRequest, identifiers: Sequence[str]) -> SearchAnswer:
        result = self._client.call("GET", request.url)
        if result.status is None:
            return SearchAnswer(result, result.trouble, (), ())
        if result.status != 200:
            return SearchAnswer(result, refusal(result), (), ())
        with _looking:
            return self._looked_at(peer, request, identifiers, result)

    def _looked_at(
        self, peer: Peer, request: SearchRequest, identifiers: Sequence[str], result: CallResult
    ) -> SearchAnswer:
        bundle: Any = json_of(result.body)
        if bundle is None:
            wrong = Violation("json", [finding("", "not-json")], 1)
            return SearchAnswer(result, issue(Code.EDITOR_ANSWER_NOT_JSON), (), [wrong])
        offered = offered_calendars(bundle)
        with_slots = {calendar.owner for calendar in offered if calendar.slots}
        # Identifiers come with or without their prefix.
        self._store.learn(
            (identifier, peer.slug)
            for identifier in identifiers
            if identifier in with_slots or identifier[1:] in with_slots
        )
        return SearchAnswer(result, None, offered, violations(bundle, request))

"""Asking the editors for slots, all at once: INT_R01, INT_R04 and the search for SOS Médecins.

Source: the guide's pages on these flows. Whoever has answered with slots of somebody is asked alone for them from then
on; for those of whom nobody has, every editor is asked.
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
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.platform.accounts import Peer
from mock_editor.bench.platform.answers import json_of, refusal
from mock_editor.bench.platform.calls import Caller, Outcome, begin
from mock_editor.bench.platform.cards import Offered, offered_by
from mock_editor.bench.platform.checks import Asked, Finding, Violation, violations
from mock_editor.bench.platform.directory import Listed, Offer
from mock_editor.bench.platform.state import State

BATCH = 25
DAYS = 3
# One answer after the other: looking at it takes the interpreter, and the others' times are being taken.
_looking = threading.Lock()

_INDIVIDUAL: tuple[str, ...] = ("_include=Slot:schedule", "_include:iterate=Schedule:actor")
_CPTS: tuple[str, ...] = ("_include=Slot:service-type-reference", "_include:iterate=HealthcareService:organization")
_SOS: tuple[str, ...] = (
    "_revinclude=Slot:schedule",
    "_include=Schedule:actor:Location",
    "_include:iterate=Location:organization",
)


def request(offer: Offer, base: str, identifiers: Sequence[str], now: datetime) -> str:
    """The URL of a search, from now to the end of the third day."""
    local = now.astimezone(DEFAULT_ZONE)
    last = datetime.combine(local.date() + timedelta(days=DAYS - 1), time(23, 59, 59, 999_000), DEFAULT_ZONE)
    first, after = (quote(instant(one, DEFAULT_ZONE), safe=":") for one in (local, last))
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
class Answer:
    """What became of a request: what is ``offered``, even by an answer that breaks rules; ``trouble`` if it is none."""

    outcome: Outcome
    trouble: str
    offered: Sequence[Offered]
    violations: Sequence[Violation]

    @property
    def slots(self) -> int:
        """How many came."""
        return sum(len(one.slots) for one in self.offered)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to an editor, and its answer when that is there."""

    peer: Peer
    asked: Asked
    identifiers: Sequence[str]
    future: "Future[Answer]"

    @property
    def answer(self) -> Answer | None:
        """The answer, if it is there."""
        return self.future.result() if self.future.done() and not self.future.cancelled() else None


@dataclass(frozen=True, slots=True)
class Search:
    """A search under way, at a moment of the simulator's clock."""

    offer: Offer
    listed: Sequence[Listed]
    now: datetime
    calls: Sequence[Call]

    @property
    def over(self) -> bool:
        """Whether nothing is to come."""
        return all(call.future.done() for call in self.calls)

    def cancel(self) -> None:
        """Asks nobody who has not been asked yet."""
        for call in self.calls:
            call.future.cancel()


class Searcher:
    """Asks the editors ``peers``."""

    def __init__(self, peers: Sequence[Peer], caller: Caller, state: State, now: Callable[[], datetime]) -> None:
        self._peers = peers
        self._caller = caller
        self._state = state
        self._now = now

    def begin(self, offer: Offer, listed: Sequence[Listed]) -> Search:
        """Asks for the slots of some."""
        now = self._now()
        known = self._state.known([one.id for one in listed])
        calls = []
        for peer in self._peers:
            whom = [one.id for one in listed if peer.slug in known[one.id] or not known[one.id]]
            for start in range(0, len(whom), BATCH):
                batch = whom[start : start + BATCH]
                asked = Asked(offer.flow, request(offer, peer.base, batch, now), now)
                calls.append(Call(peer, asked, batch, begin(self._ask, peer, asked, batch)))
        return Search(offer, listed, now, calls)

    def _ask(self, peer: Peer, asked: Asked, identifiers: Sequence[str]) -> Answer:
        outcome = self._caller.call("GET", asked.url)
        if outcome.status is None:
            return Answer(outcome, outcome.trouble, (), ())
        if outcome.status != 200:
            return Answer(outcome, refusal(outcome), (), ())
        with _looking:
            return self._looked_at(peer, asked, identifiers, outcome)

    def _looked_at(self, peer: Peer, asked: Asked, identifiers: Sequence[str], outcome: Outcome) -> Answer:
        bundle: Any = json_of(outcome.body)
        if bundle is None:
            wrong = Violation("La réponse est du JSON.", [Finding("", "le corps n’est pas du JSON en UTF-8")], 1)
            return Answer(outcome, "réponse illisible", (), [wrong])
        offered = offered_by(bundle)
        told = {one.owner for one in offered if one.slots}
        # With or without its prefix.
        self._state.learn((one, peer.slug) for one in identifiers if one in told or one[1:] in told)
        return Answer(outcome, "", offered, violations(bundle, asked))

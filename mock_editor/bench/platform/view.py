"""What the pages of the platform show, in French words."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mock_editor.base import fhir
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.base.words import Language, french, say
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.platform.accounts import Peer
from mock_editor.bench.platform.checks.model import Finding
from mock_editor.bench.platform.checks.violations import Violation
from mock_editor.bench.platform.directory import Listed, Offer
from mock_editor.bench.platform.place_results import Day, PlaceResult, columns, place_results
from mock_editor.bench.platform.search import Search, SearchAnswer, SearchCall
from mock_editor.bench.platform.store import ProvisioningResult

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class SearchCriteria:
    """What is searched for: an empty territory means anywhere, an empty speciality any.

    ``complete``: the page waits for all answers, for browsers without scripts.
    """

    offer: Offer = Offer.INDIVIDUAL
    territory: str = ""
    specialty: str = ""
    complete: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """The same as parameters of a URL."""
        return {"territoire": self.territory, "specialite": self.specialty, "offre": self.offer.value}


def read_criteria(parameters: Parameters) -> SearchCriteria:
    """What the parameters of a URL ask for. Raises 400."""
    offer, territory, specialty, complete = (
        (parameters.one(name) or "").strip()[:_LONGEST] for name in ("offre", "territoire", "specialite", "complet")
    )
    offer = offer or Offer.INDIVIDUAL.value
    fhir.refuse(parameters.issues)
    if offer not in list(Offer):
        raise refused(Code.OFFER_UNKNOWN, offers=[*Offer], found=offer[:60])
    return SearchCriteria(Offer(offer), territory, specialty, complete == "oui")


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The state of a regulator's account at an editor: ``sort`` is a Bootstrap colour."""

    peer: Peer
    sort: str
    words: str
    text: str
    when: str


def account_statuses(
    peers: Sequence[Peer], provisioned: Mapping[tuple[str, str], ProvisioningResult], person: str
) -> list[AccountStatus]:
    """The state of a regulator's accounts, editor by editor."""
    return [_account_status(peer, provisioned.get((person, peer.slug))) for peer in peers]


def _account_status(peer: Peer, result: ProvisioningResult | None) -> AccountStatus:
    if result is None:
        return AccountStatus(peer, "secondary", "jamais transmis", "", "")
    when = f"{here(result.at)}, en {duration(result.seconds)}"
    if not result.accepted:
        words = f"refusé (HTTP {result.status})" if result.status else "pas de réponse"
        return AccountStatus(peer, "danger", words, french(result.trouble) if result.trouble else "", when)
    if not result.active:
        return AccountStatus(peer, "warning", "retiré", "", when)
    return AccountStatus(peer, "success", "créé" if result.status == 201 else "mis à jour", "", when)


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a search so far. ``total`` counts the matches in the directory; slots are sought for the first."""

    total: int
    asked: int
    calls: Sequence[SearchCall]
    answered: int
    over: bool
    slots: int
    days: Sequence[Day]
    places: Sequence[PlaceResult]
    without: Sequence[Listed]


def results(search: Search, total: int) -> Results:
    """The same for the page: places in the order of their first slot."""
    places: list[PlaceResult] = []
    answered = [call for call in search.calls if call.answer]
    served: set[str] = set()
    for call in answered:
        if call.answer:
            places += place_results(call.peer, call.answer.offered, search.listed, search.now)
            served |= {calendar.owner for calendar in call.answer.offered}
    return Results(
        total,
        len(search.listed),
        search.calls,
        len(answered),
        search.over,
        sum(len(day) for place in places for day in place.days),
        columns(search.now),
        sorted(places, key=lambda place: (place.first, place.name)),
        [owner for owner in search.listed if owner.id not in served and owner.id[1:] not in served],
    )


def here(moment: datetime) -> str:
    """A moment in French time."""
    return f"{moment.astimezone(DEFAULT_ZONE):%d/%m/%Y à %H:%M:%S}"


def duration(seconds: float) -> str:
    """A number of seconds, in words."""
    return f"{seconds:.2f} s".replace(".", ",")


def count(number: int, word: str, plural: str = "") -> str:
    """A number and what it counts."""
    return f"{number} {(plural or f'{word}s') if number > 1 else word}"


def new_secret() -> str:
    """What cookies are signed with."""
    return secrets.token_hex(32)


def rule(violation: Violation) -> str:
    """The rule that an answer breaks."""
    return say(Language.FRENCH, violation.rule, {}, "rule")


def finding(found: Finding) -> str:
    """What is wrong at a place."""
    return say(Language.FRENCH, found.key, found.values, "finding")


def trouble(answer: SearchAnswer) -> str:
    """Why an answer is unusable; empty for a usable one."""
    return french(answer.trouble) if answer.trouble else ""

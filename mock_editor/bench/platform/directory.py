"""The directory of the platform: who can be consulted and where, as in the national registers.

It knows nothing of editors: the platform has to find out which one keeps whose calendar.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from mock_editor.base.flows import Flow


class Offer(StrEnum):
    """What is looked for."""

    INDIVIDUAL = "ps"
    CPTS = "cpts"
    SOS = "sos"

    @property
    def label(self) -> str:
        """On the screen."""
        return {"ps": "PS à titre individuel", "cpts": "PS en CPTS", "sos": "SOS Médecins"}[self]

    @property
    def flow(self) -> Flow:
        """The flow in which editors are asked."""
        return {"ps": Flow.INT_R01, "cpts": Flow.INT_R04, "sos": Flow.SOS}[self]


@dataclass(frozen=True, slots=True)
class Site:
    """A place to consult. ``structure`` is the identifier of its structure, with prefix; ``phone`` begins with +."""

    name: str
    structure: str
    line: str
    postal_code: str
    city: str
    phone: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A practitioner by national identifier, or a SOS Médecins association by SIRET, both with prefix.

    An association has its whole name in ``family``, and no specialities; these are labels by code.
    """

    id: str
    family: str
    given: str
    specialties: Mapping[str, str]
    sites: Sequence[Site]

    @property
    def name(self) -> str:
        """As on the screen."""
        return " ".join(filter(None, [self.given, self.family]))


class Directory:
    """Everybody in the registers. ``read`` is called on first use, because it may take a while."""

    def __init__(self, read: Callable[[], tuple[Iterable[Listed], Iterable[Listed]]]) -> None:
        self._read = read

    @cached_property
    def _lists(self) -> tuple[Mapping[str, Listed], Mapping[str, Listed]]:
        practitioners, associations = self._read()
        return _by_id(practitioners), _by_id(associations)

    @property
    def practitioners(self) -> Mapping[str, Listed]:
        """By identifier."""
        return self._lists[0]

    @property
    def associations(self) -> Mapping[str, Listed]:
        """By identifier."""
        return self._lists[1]

    @cached_property
    def specialties(self) -> dict[str, str]:
        """The labels of the specialities that somebody has, by code, in alphabetical order."""
        labels = {
            code: label
            for practitioner in self.practitioners.values()
            for code, label in practitioner.specialties.items()
        }
        return dict(sorted(labels.items(), key=lambda item: plain(item[1])))

    @cached_property
    def territories(self) -> list[str]:
        """The territories that can be searched: departments, communes, postal codes."""
        sites = [site for listed in self._lists for owner in listed.values() for site in owner.sites]
        departments = {department(site.postal_code) for site in sites}
        communes = {site.city for site in sites}
        return [*sorted(departments), *sorted(communes), *sorted({site.postal_code for site in sites})]

    def find(self, offer: Offer, territory: str, specialty: str) -> list[Listed]:
        """Those who consult in a territory: a department, a commune or a postal code; anywhere if empty.

        ``specialty`` is a code, or empty for any; associations have none.
        """
        listed = self.associations if offer is Offer.SOS else self.practitioners
        owners = [
            owner
            for owner in listed.values()
            if any(_lies_in(site, territory) for site in owner.sites)
            and (offer is Offer.SOS or not specialty or specialty in owner.specialties)
        ]
        return sorted(owners, key=lambda owner: plain(owner.name))


def _by_id(listed: Iterable[Listed]) -> dict[str, Listed]:
    """The owners by identifier; one listed twice gets the sites of both entries."""
    by_id: dict[str, Listed] = {}
    for owner in listed:
        if known := by_id.get(owner.id):
            sites = [*known.sites, *(site for site in owner.sites if site not in known.sites)]
            owner = Listed(owner.id, owner.family, owner.given, {**known.specialties, **owner.specialties}, sites)
        by_id[owner.id] = owner
    return by_id


def department(postal_code: str) -> str:
    """The department of a postal code."""
    return postal_code[:3] if postal_code.startswith("97") else postal_code[:2]


def _lies_in(site: Site, territory: str) -> bool:
    wanted = plain(territory)
    return not wanted or wanted in (site.postal_code, department(site.postal_code), plain(site.city))


def plain(text: str) -> str:
    """A text in the form in which texts are compared: without accents, case and punctuation."""
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^0-9a-z]+", " ", bare.casefold()).strip()

"""What the page shows of the answers: places with their slots of today, tomorrow and the day after.

It does what the real platform's front end does, simplifications included, so that the effects of wrong data can be
seen: days are compared by their number in the month, a missing time is now, an end before the start is on the next day.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mock_editor.base import codes
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.platform.accounts import Peer
from mock_editor.bench.platform.answers import mapping, mappings, sequence, text
from mock_editor.bench.platform.directory import Listed, Site, plain

_DAYS = ("Aujourd’hui", "Demain", "Après-demain")
_WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_CONSULTATIONS = {"AMB": "au cabinet", "HH": "à domicile", "VR": "téléconsultation"}
_TYPES = ("PUBLIC", "PRO", "SNP", "CPTS")
_PHONE = re.compile(r"\+(33|262|590|594|596)[0-9]{9}")
_ORIGIN = "origin=sas"


@dataclass(slots=True)
class OfferedCalendar:
    """The slots of one calendar as an editor gives them; ``owner`` and ``structure`` are its identifiers."""

    owner: str
    owner_name: str
    structure: str
    site: Site
    slots: list[dict[str, Any]] = field(default_factory=list)
    communities: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownSlot:
    """A slot on the screen. Without ``link`` there is nothing to follow; ``day`` is 0, 1 or 2."""

    begin: datetime
    start: str
    end: str
    day: int
    link: str
    types: Sequence[str]
    consultations: str
    reasons: str
    walk_in: bool
    communities: str


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """A place with its slots, by day. ``matched`` says how it was found in the directory; empty if it was not."""

    name: str
    site: Site
    phone: str
    specialties: str
    peer: Peer
    matched: str
    days: Sequence[Sequence[ShownSlot]]
    unseen: int

    @property
    def first(self) -> datetime:
        """When its first slot begins."""
        return min(slot.begin for day in self.days for slot in day)


@dataclass(frozen=True, slots=True)
class Day:
    """The heading of a column."""

    name: str
    date: str


# --- reading an answer


def offered_calendars(bundle: Any) -> list[OfferedCalendar]:
    """The calendars of an answer that have slots, whatever else may be wrong with it."""
    resources = [mapping(entry.get("resource")) for entry in mappings(mapping(bundle).get("entry"))]
    by_reference = {f"{resource.get('resourceType')}/{resource.get('id')}": resource for resource in resources}
    calendars: dict[str, OfferedCalendar] = {}
    for slot in resources:
        if slot.get("resourceType") != "Slot":
            continue
        reference = text(mapping(slot.get("schedule")).get("reference"))
        if reference not in calendars:
            calendars[reference] = _offered(mapping(by_reference.get(reference)), by_reference)
        calendars[reference].slots.append(slot)
        calendars[reference].communities |= _communities(slot, by_reference)
    return list(calendars.values())


def _offered(schedule: dict[str, Any], by_reference: dict[str, dict[str, Any]]) -> OfferedCalendar:
    actors = [by_reference.get(text(actor.get("reference")), {}) for actor in mappings(schedule.get("actor"))]
    kinds = {text(actor.get("resourceType")): actor for actor in actors}
    role = kinds.get("PractitionerRole", {})
    if "Location" in kinds:
        place = kinds["Location"]
        organization = by_reference.get(text(mapping(place.get("managingOrganization")).get("reference")), {})
        owner, structure = organization, _identifier(organization)
        name, telecom = text(organization.get("name")), place.get("telecom")
    else:
        reference = text(mapping(role.get("practitioner")).get("reference"))
        owner = kinds.get("Practitioner") or by_reference.get(reference, {})
        contained = [
            resource for resource in mappings(role.get("contained")) if resource.get("resourceType") == "Location"
        ]
        elsewhere = [text(location.get("reference")) for location in mappings(role.get("location"))]
        place = next(
            iter(contained + [by_reference[reference] for reference in elsewhere if reference in by_reference]), {}
        )
        structure = text(mapping(mapping(role.get("organization")).get("identifier")).get("value"))
        name, telecom = _name(owner), role.get("telecom")
    address = mapping(place.get("address"))
    lines = [text(line) for line in sequence(address.get("line"))]
    phone = next((text(contact.get("value")) for contact in mappings(telecom) if contact.get("system") == "phone"), "")
    site = Site(
        text(place.get("name")),
        structure,
        ", ".join(filter(None, lines)),
        text(address.get("postalCode")),
        text(address.get("city")),
        phone or None,
    )
    return OfferedCalendar(_identifier(owner), name, structure, site)


def _identifier(resource: dict[str, Any]) -> str:
    return next((text(identifier.get("value")) for identifier in mappings(resource.get("identifier"))), "")


def _name(practitioner: dict[str, Any]) -> str:
    for name in mappings(practitioner.get("name")):
        given = [text(part) for part in sequence(name.get("given"))]
        return " ".join(filter(None, [*given, text(name.get("family"))]))
    return ""


def _communities(slot: dict[str, Any], by_reference: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The names of the CPTS that a slot leads to, by the reference that it has."""
    communities = {}
    for concept in mappings(slot.get("serviceType")):
        for extension in mappings(concept.get("extension")):
            reference = text(mapping(extension.get("valueReference")).get("reference"))
            provider = text(mapping(by_reference.get(reference, {}).get("providedBy")).get("reference"))
            organization = by_reference.get(provider, {})
            if reference:
                communities[reference] = text(organization.get("name")) or _identifier(organization) or "CPTS sans nom"
    return communities


# --- finding a place in the directory


def matched(offered: OfferedCalendar, listed: Iterable[Listed]) -> tuple[Listed | None, Site | None, str]:
    """The owner of a place, their site, and how it was found: by structure, then address, then phone."""
    owner = next(
        (candidate for candidate in listed if offered.owner and offered.owner in (candidate.id, candidate.id[1:])),
        None,
    )
    if owner is None:
        return None, None, ""
    claimed = offered.site
    by_structure = [
        site for site in owner.sites if claimed.structure and claimed.structure in (site.structure, site.structure[1:])
    ]
    if len(by_structure) == 1:
        return owner, by_structure[0], "identifiant de structure"
    address = plain(f"{claimed.postal_code} {claimed.line}")
    for site in by_structure or owner.sites:
        if claimed.line and plain(f"{site.postal_code} {site.line}") == address:
            return owner, site, "identifiant de structure et adresse" if by_structure else "adresse"
    for site in by_structure or owner.sites:
        if claimed.phone and claimed.phone == site.phone:
            return owner, site, "téléphone"
    return owner, None, ""


def place_results(
    peer: Peer, offers: Iterable[OfferedCalendar], listed: Sequence[Listed], now: datetime
) -> list[PlaceResult]:
    """The places of what an editor has answered; places without a slot on the three days have none."""
    results = []
    for offered in offers:
        owner, site, how = matched(offered, listed)
        visible = [result for result in (_shown(slot, offered, now) for slot in offered.slots) if result]
        days = [
            sorted((slot for slot in visible if slot.day == day), key=lambda slot: slot.begin)
            for day in range(len(_DAYS))
        ]
        if not visible:
            continue
        site = site or offered.site
        # The front end hides a phone that is not a number.
        phone = offered.site.phone or site.phone or ""
        results.append(
            PlaceResult(
                owner.name if owner else offered.owner_name or "Nom absent de la réponse",
                site,
                phone if _PHONE.fullmatch(phone) else "",
                ", ".join(owner.specialties.values()) if owner else "",
                peer,
                how,
                days,
                len(offered.slots) - len(visible),
            )
        )
    return results


def columns(now: datetime) -> list[Day]:
    """The headings of the three columns."""
    days = [now.astimezone(DEFAULT_ZONE) + timedelta(days=more) for more in range(len(_DAYS))]
    return [Day(name, f"{_WEEKDAYS[day.weekday()]} {day:%d/%m}") for name, day in zip(_DAYS, days, strict=True)]


def _shown(slot: dict[str, Any], offered: OfferedCalendar, now: datetime) -> ShownSlot | None:
    start = _moment(slot.get("start")) or now.astimezone(DEFAULT_ZONE)
    end = _moment(slot.get("end")) or now.astimezone(start.tzinfo)
    today = now.astimezone(start.tzinfo)
    numbers = [(today + timedelta(days=more)).day for more in range(len(_DAYS))]
    if start.day not in numbers:
        return None
    coded = [
        text(coding.get("code"))
        for concept in mappings(slot.get("serviceType"))
        for coding in mappings(concept.get("coding"))
        if coding.get("system") == codes.ACT_CODE
    ]
    walk_in = "WALKIN" in [
        coding.get("code") for coding in mappings(mapping(slot.get("appointmentType")).get("coding"))
    ]
    security = [text(label.get("code")) for label in mappings(mapping(slot.get("meta")).get("security"))]
    comment = text(slot.get("comment"))
    references = [
        text(mapping(extension.get("valueReference")).get("reference"))
        for concept in mappings(slot.get("serviceType"))
        for extension in mappings(concept.get("extension"))
    ]
    return ShownSlot(
        begin=start,
        start=f"{start:%H:%M}",
        end=f"{end:%H:%M}{' (lendemain)' if end < start else ''}",
        day=numbers.index(start.day),
        link=link(comment) if not walk_in else "",
        types=[slot_type for slot_type in _TYPES if slot_type in security],
        consultations=", ".join(_CONSULTATIONS[code] for code in coded if code in _CONSULTATIONS),
        reasons=", ".join(filter(None, (text(concept.get("text")) for concept in mappings(slot.get("serviceType"))))),
        walk_in=walk_in,
        communities=", ".join(
            offered.communities[reference] for reference in references if reference in offered.communities
        ),
    )


def link(comment: str) -> str:
    """The URL for a slot, with the mark that the visitor comes from the SAS; empty without an address."""
    if not comment.startswith(("http://", "https://")):
        return ""
    return f"{comment}{'&' if '?' in comment else '?'}{_ORIGIN}"


def _moment(value: Any) -> datetime | None:
    """A time as a browser there shows it: without an offset or in UTC, it becomes the time in Paris."""
    try:
        at = datetime.fromisoformat(text(value))
        if at.tzinfo is None:
            return at.replace(tzinfo=DEFAULT_ZONE)
        return at if at.utcoffset() else at.astimezone(DEFAULT_ZONE)
    # The last hour of the year 9999 does not exist in Paris.
    except (OverflowError, ValueError):
        return None

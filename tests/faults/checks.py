"""What a client can check of an answer to a slot search, beyond the profiles: against the request, and against itself.

Each check yields a line for every thing wrong. They take broken answers, and say nothing of what another one tells:
``times`` alone misses a start. Source: the guide's pages on INT_R01, INT_R04 and SOS Médecins, and its FAQ.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from mock_editor.base import codes
from mock_editor.base.files import folder

Resource = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A search: its flow, its whole URL, and when it was sent; ``right`` is what the editor's data answer to it."""

    flow: str
    url: str
    now: datetime
    right: Resource | None = None

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """Its parameters, without escapes; a `+` in an offset stays one."""
        return parse_qsl(urlsplit(self.url).query.replace("+", "%2B"))

    def bound(self, prefix: str) -> datetime:
        """The bound of its window with a prefix, ``ge`` or ``le``."""
        found = (value for name, value in self.parameters if name.endswith("start") and value.startswith(prefix))
        return datetime.fromisoformat(next(found).removeprefix(prefix))

    @cached_property
    def identifiers(self) -> set[str]:
        """Whom it asks for."""
        lists = (value for name, value in self.parameters if name.endswith(".identifier") and name != "identifier")
        return {token.partition("|")[2] for value in lists for token in value.split(",")}


class Told:
    """A Bundle, looked at."""

    def __init__(self, bundle: Resource) -> None:
        self.bundle = bundle
        self.entries = bundle.get("entry", [])
        self.resources: list[Resource] = [entry["resource"] for entry in self.entries]
        self.by_reference = {f"{one['resourceType']}/{one['id']}": one for one in self.resources}

    def of(self, *kinds: str) -> list[Resource]:
        """The resources of some types."""
        return [one for one in self.resources if one["resourceType"] in kinds]

    @cached_property
    def slots(self) -> list[Resource]:
        """The slots."""
        return self.of("Slot")


def parts(value: Any) -> Iterator[Any]:
    """Every value inside, itself included."""
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(part)


def objects(value: Any) -> Iterator[Resource]:
    """Every JSON object inside, itself included."""
    return (part for part in parts(value) if isinstance(part, dict))


def concepts(slot: Resource, system: str) -> list[Resource]:
    """The service types of a slot that are coded in a system."""
    found = slot.get("serviceType", [])
    return [one for one in found if any(coding["system"] == system for coding in one.get("coding", []))]


# --- the Bundle


def total(told: Told, _: Asked) -> Iterator[str]:
    """It counts the slots."""
    if told.bundle.get("total") != len(told.slots):
        yield f"total is {told.bundle.get('total')}, there are {len(told.slots)} slots"


def self_link(told: Told, asked: Asked) -> Iterator[str]:
    """It is the request."""
    links = [link["url"] for link in told.bundle.get("link", []) if link["relation"] == "self"]
    for link in links or [""]:
        answered = Asked(asked.flow, link, asked.now)
        if urlsplit(link)[:3] != urlsplit(asked.url)[:3] or answered.parameters != asked.parameters:
            yield f"self is {link!r}"


_INDIVIDUAL_PROFILES = {
    "Schedule": codes.SCHEDULE_PROFILE,
    "Practitioner": codes.PRACTITIONER_PROFILE,
    "PractitionerRole": codes.PRACTITIONER_ROLE_PROFILE,
}
_PROFILES = {
    "INT_R01": {"Bundle": codes.BUNDLE_PROFILE, "Slot": codes.SLOT_PROFILE, **_INDIVIDUAL_PROFILES},
    "INT_R04": {
        "Bundle": codes.CPTS_BUNDLE_PROFILE,
        "Slot": codes.CPTS_SLOT_PROFILE,
        "HealthcareService": codes.CPTS_HEALTHCARE_SERVICE_PROFILE,
        "Organization": codes.CPTS_ORGANIZATION_PROFILE,
        **_INDIVIDUAL_PROFILES,
    },
    "SOS": {
        "Bundle": codes.SOS_BUNDLE_PROFILE,
        "Slot": codes.SOS_SLOT_PROFILE,
        "Schedule": codes.SOS_SCHEDULE_PROFILE,
        "Location": codes.SOS_LOCATION_PROFILE,
        "Organization": codes.SOS_ORGANIZATION_PROFILE,
    },
}


def profiles(told: Told, asked: Asked) -> Iterator[str]:
    """Each resource claims the one of its flow; no type is there that the flow does not know."""
    for one in (told.bundle, *told.resources):
        expected = _PROFILES[asked.flow].get(one["resourceType"])
        if one["meta"].get("profile") != [expected]:
            yield f"{one['resourceType']} claims {one['meta'].get('profile')}, not {expected}"


def references(told: Told, _: Asked) -> Iterator[str]:
    """All of them lead to an entry, or to what is contained."""
    for one in told.resources:
        contained = {f"#{inside['id']}" for inside in one.get("contained", [])}
        for part in objects(one):
            reference = part.get("reference")
            if reference is not None and reference not in told.by_reference and reference not in contained:
                yield f"{one['id']}: {reference} leads nowhere"


def companions(told: Told, _: Asked) -> Iterator[str]:
    """What comes along with slots is led to by something; a Schedule by a slot."""
    led_to = {part["reference"] for one in told.resources for part in objects(one) if "reference" in part}
    for name in told.by_reference:
        if not name.startswith("Slot/") and name not in led_to:
            yield f"nothing leads to {name}"


def once(told: Told, _: Asked) -> Iterator[str]:
    """No address, no resource, and no time of a Schedule twice."""
    for what, found in {
        "fullUrl": [entry["fullUrl"] for entry in told.entries],
        "resource": [f"{one['resourceType']}/{one['id']}" for one in told.resources],
        "slot": [
            f"{slot['schedule']['reference']} {slot['start']} {slot.get('end')}"
            for slot in told.slots
            if "start" in slot
        ],
    }.items():
        yield from (f"{what} {one} {count} times" for one, count in Counter(found).items() if count > 1)


def emptiness(told: Told, _: Asked) -> Iterator[str]:
    """No element is empty."""
    for part in parts(told.bundle):
        if part is None or (not isinstance(part, int) and not part) or (isinstance(part, str) and not part.strip()):
            yield f"an element is {part!r}"


# --- who and where


def asked_for(told: Told, asked: Asked) -> Iterator[str]:
    """Nobody is there that was not asked for."""
    system = codes.STRUCTURE_OID if asked.flow == "SOS" else codes.PRACTITIONER_OID
    for one in told.of("Organization" if asked.flow == "SOS" else "Practitioner"):
        for identifier in one["identifier"]:
            bare = {known[1:] for known in asked.identifiers}
            if identifier["system"] == system and identifier["value"] not in asked.identifiers | bare:
                yield f"{identifier['value']} was not asked for"


_FORMS = {
    codes.PRACTITIONER_OID: "8[0-9]{11}|0[0-9A-Z]{9}",
    codes.STRUCTURE_OID: "1[0-9A-Z]{9}|[34][0-9]{14}|0[0-9A-Z]{11,13}",
    "phone": r"\+(33|262|590|594|596)[0-9]{9}",
}


def prefixes(told: Told, _: Asked) -> Iterator[str]:
    """National identifiers have theirs, phones their country's."""
    for part in objects(told.resources):
        form = _FORMS.get(part.get("system", ""))
        if form and "value" in part and not re.fullmatch(form, part["value"]):
            yield f"{part['system']}: {part['value']!r}"


_ACTORS = {"INT_R01": ["Practitioner", "PractitionerRole"], "SOS": ["Location"]}


def places(told: Told, asked: Asked) -> Iterator[str]:
    """Each Schedule is that of one place; the place of a practitioner is inside the role."""
    expected = _ACTORS.get(asked.flow, _ACTORS["INT_R01"])
    for schedule in told.of("Schedule"):
        actors = [actor["reference"].partition("/")[0] for actor in schedule["actor"]]
        if actors != expected:
            yield f"{schedule['id']} is of {actors}"
    for role in told.of("PractitionerRole"):
        if [one["resourceType"] for one in role.get("contained", [])] != ["Location"]:
            yield f"{role['id']} has no place inside"


# --- slots


def _moments(slot: Resource) -> Iterator[tuple[str, datetime]]:
    for name in ("start", "end"):
        if name in slot:
            moment = datetime.fromisoformat(slot[name])
            # One without an offset is wrong by its form only.
            yield name, moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("Europe/Paris"))


def window(told: Told, asked: Asked) -> Iterator[str]:
    """Slots start inside of it, and not before now."""
    first, last = max(asked.bound("ge"), asked.now), asked.bound("le")
    for slot in told.slots:
        start = dict(_moments(slot)).get("start")
        if start and not first <= start <= last:
            yield f"{slot['id']} starts at {start}"


def times(told: Told, _: Asked) -> Iterator[str]:
    """Slots start, and then end."""
    for slot in told.slots:
        moments = dict(_moments(slot))
        if len(moments) < 2 or moments["start"] >= moments["end"]:
            yield f"{slot['id']} is from {slot.get('start')} to {slot.get('end')}"


def date_form(told: Told, _: Asked) -> Iterator[str]:
    """Three decimals and an offset in digits."""
    for slot in told.slots:
        for text in (slot[name] for name in ("start", "end") if name in slot):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", text):
                yield f"{slot['id']}: {text}"


def free(told: Told, _: Asked) -> Iterator[str]:
    """Slots are."""
    yield from (f"{slot['id']} is {slot['status']}" for slot in told.slots if slot["status"] != "free")


_SLOT_TYPES = {
    "INT_R01": {"PUBLIC", "PRO", "SNP"},
    "INT_R04": {"PUBLIC", "PRO", "SNP", "CPTS"},
    "SOS": {"PUBLIC", "SNP"},
}


def slot_types(told: Told, asked: Asked) -> Iterator[str]:
    """Slots have one at least, of those of the flow."""
    for slot in told.slots:
        found = {one["code"] for one in slot["meta"].get("security", []) if one["system"] == codes.SLOT_TYPE}
        if not found or found - _SLOT_TYPES[asked.flow]:
            yield f"{slot['id']} is {found or 'for nobody'}"


def specialties(told: Told, asked: Asked) -> Iterator[str]:
    """Slots of practitioners have one at least, coded where there is a code; a text may repeat it."""
    with (folder("data") / "specialties.csv").open(encoding="utf-8", newline="") as file:
        known = {row["label"]: row["code"] for row in csv.DictReader(file)}
    for slot in told.slots if asked.flow != "SOS" else ():
        found = slot.get("specialty", [])
        coded = {coding["code"] for one in found for coding in one.get("coding", [])}
        if not found or any(known.get(one.get("text")) not in coded | {None} for one in found):
            yield f"{slot['id']}: {found}"


def consultation_types(told: Told, _: Asked) -> Iterator[str]:
    """Slots have one at least, with a code that the SAS knows."""
    for slot in told.slots:
        found = [coding["code"] for one in concepts(slot, codes.ACT_CODE) for coding in one["coding"]]
        if not found or set(found) - {"AMB", "HH", "VR"}:
            yield f"{slot['id']}: {found}"


def appointment_types(told: Told, _: Asked) -> Iterator[str]:
    """Slots are booked, or walked into."""
    for slot in told.slots:
        found = [coding["code"] for coding in slot.get("appointmentType", {}).get("coding", [])]
        if found not in (["ROUTINE"], ["WALKIN"]):
            yield f"{slot['id']}: {found}"


def links(told: Told, asked: Asked) -> Iterator[str]:
    """Slots have that of their agenda; those of a practitioner's place all have the same."""
    known = {slot["id"]: slot["comment"] for slot in Told(asked.right or {}).slots}
    agendas: dict[str, str] = {}
    for slot in told.slots:
        comment = slot.get("comment", "")
        expected = {known.get(slot["id"], comment)}
        if asked.flow != "SOS":
            expected.add(agendas.setdefault(slot["schedule"]["reference"], comment))
        if not comment.startswith("https://") or expected != {comment}:
            yield f"{slot['id']}: {comment!r}"


def communities(told: Told, _: Asked) -> Iterator[str]:
    """Slots opened to CPTS, and no others, lead to each."""
    for slot in told.slots:
        opened = any(one["code"] == "CPTS" for one in slot["meta"].get("security", []))
        found = concepts(slot, codes.ESTABLISHMENT_CATEGORY)
        led_to = [
            part
            for concept in found
            for part in concept.get("extension", [])
            if part["url"] == codes.SLOT_SERVICE_EXTENSION
        ]
        if opened != bool(found) or len(led_to) != len(found):
            yield f"{slot['id']} leads to {len(led_to)} CPTS"


# --- against what the editor's data hold


def attached(told: Told, asked: Asked) -> Iterator[str]:
    """Slots are on the Schedule that they belong to."""
    known = {slot["id"]: slot["schedule"] for slot in Told(asked.right or {}).slots}
    for slot in told.slots:
        expected = known.get(slot["id"].removesuffix("-bis"), slot["schedule"])
        if slot["schedule"] != expected:
            yield f"{slot['id']} is on {slot['schedule']['reference']}, not on {expected['reference']}"


def _identifiers(bundle: Resource | None) -> set[str]:
    resources = [one for one in Told(bundle or {}).resources if one["resourceType"] != "Slot"]
    return {part["value"] for part in objects(resources) if part.get("system") == codes.STRUCTURE_OID}


def structures(told: Told, asked: Asked) -> Iterator[str]:
    """Structures have the identifiers that they are known by, prefix aside."""
    known = _identifiers(asked.right)
    unknown = {one for one in _identifiers(told.bundle) if one not in known | {each[1:] for each in known}}
    yield from (f"structure {one} is not known" for one in unknown if asked.right)


def contents(told: Told, asked: Asked) -> Iterator[str]:
    """Slots have all their reasons, and all their CPTS."""
    known = {slot["id"]: _texts_and_communities(slot) for slot in Told(asked.right or {}).slots}
    for slot in told.slots:
        missing = known.get(slot["id"], Counter()) - _texts_and_communities(slot)
        yield from (f"{slot['id']}: {one} is missing" for one in missing)


def _texts_and_communities(slot: Resource) -> Counter[str]:
    return Counter(
        str(one.get("text") or "CPTS")
        for one in slot.get("serviceType", [])
        if "text" in one or any(coding["code"] == codes.CPTS_CATEGORY for coding in one["coding"])
    )


CHECKS: dict[str, Callable[[Told, Asked], Iterator[str]]] = {
    check.__name__: check
    for check in (
        *(total, self_link, profiles, references, companions, once, emptiness),
        *(asked_for, prefixes, places),
        *(window, times, date_form, free, slot_types, specialties, consultation_types, appointment_types, links),
        *(communities, attached, structures, contents),
    )
}


def violations(bundle: Resource, asked: Asked) -> dict[str, list[str]]:
    """What is wrong with an answer, by the name of the check that tells it."""
    told = Told(bundle)
    found = {name: [*check(told, asked)] for name, check in CHECKS.items()}
    return {name: lines for name, lines in found.items() if lines}

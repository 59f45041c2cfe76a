"""What the SAS can check of an answer to a slot search: its structure, then the answer against its request and itself.

Each check tells every thing wrong with its place, in French. They take broken answers, and say nothing of what another
one tells: ``times`` alone misses a start. Source: the guide's pages on INT_R01, INT_R04 and SOS Médecins, and its FAQ.
"""

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson
from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from mock_editor.base import codes
from mock_editor.base.data import specialties as specialty_labels
from mock_editor.base.fhir import Resource
from mock_editor.base.flows import Flow
from mock_editor.base.zones import DEFAULT_ZONE

# Of each check; an answer that is wrong everywhere is told in a page's worth.
_MOST = 20
# What a check may trip over where the structure is broken.
_BROKEN = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)


class Finding(NamedTuple):
    """One thing wrong: where, as a path in the answer, and what."""

    place: str
    text: str


@dataclass(frozen=True)
class Asked:
    """A search: its flow, its whole URL, and when it was sent."""

    flow: str
    url: str
    now: datetime

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
        self.entries: list[Resource] = bundle.get("entry", [])
        self.resources: list[Resource] = [entry["resource"] for entry in self.entries if "resource" in entry]
        self.by_reference = {name_of(one): one for one in self.resources}

    def of(self, *kinds: str) -> list[Resource]:
        """The resources of some types."""
        return [one for one in self.resources if one["resourceType"] in kinds]

    @cached_property
    def slots(self) -> list[Resource]:
        """The slots."""
        return self.of("Slot")

    @cached_property
    def _paths(self) -> dict[int, str]:
        return {id(entry.get("resource")): f"entry[{at}].resource" for at, entry in enumerate(self.entries)}

    def at(self, resource: Resource, element: str = "") -> str:
        """The place of a resource, or of an element of it."""
        path = self._paths.get(id(resource), "Bundle")
        name = f" ({name_of(resource)})" if resource is not self.bundle else ""
        return f"{path}.{element}{name}" if element else f"{path}{name}"


Check = Callable[[Told, Asked], Iterator[Finding]]
# By the name of the function.
CHECKS: dict[str, Check] = {}
_RULES: dict[str, str] = {}


def _rule(text: str) -> Callable[[Check], Check]:
    """Makes a check of a function; ``text`` is the rule in French."""

    def kept(check: Check) -> Check:
        CHECKS[check.__name__], _RULES[check.__name__] = check, text
        return check

    return kept


def name_of(resource: Resource) -> str:
    """The type of a resource and its id."""
    return f"{resource['resourceType']}/{resource.get('id')}"


def parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside with its path, itself included."""
    yield path, value
    if isinstance(value, dict):
        for name, part in value.items():
            yield from parts(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from parts(part, f"{path}[{at}]")


def objects(value: Any) -> Iterator[Resource]:
    """Every JSON object inside, itself included."""
    return (part for _, part in parts(value) if isinstance(part, dict))


def codings(concept: Resource, system: str) -> list[str]:
    """The codes that a concept has in a system."""
    return [one.get("code", "") for one in concept.get("coding", []) if one.get("system") == system]


def concepts(slot: Resource, system: str) -> list[Resource]:
    """The service types of a slot that are coded in a system."""
    return [one for one in slot.get("serviceType", []) if codings(one, system)]


# --- the structure


def structure(bundle: Any) -> list[Finding]:
    """What is no FHIR in an answer that is JSON."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        kind = bundle.get("resourceType") if isinstance(bundle, dict) else type(bundle).__name__
        return [Finding("Bundle", f"un Bundle est attendu, pas « {str(kind)[:60]} »")]
    try:
        alike = _alike(bundle.get("entry", []))
        first = [bundle["entry"][places[0]] for places in alike]
        Bundle.model_validate(bundle | ({"entry": first} if first else {}))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return [
            Finding(_path(location), _in_french(one["type"], one["msg"]))
            for one in found
            for location in _everywhere(one["loc"], alike)
        ]
    except _BROKEN:
        # How the models say that they do not know the type of a resource.
        return [Finding("Bundle.entry", "une ressource n’est d’aucun type de FHIR R4")]
    return []


_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")
_SOUND = "\0"


def _alike(entries: list[Any]) -> list[list[int]]:
    """The places of the entries that differ in nothing but sound ids and times: one of each is enough to look at.

    The models need half a millisecond for a slot, and an answer may have thousands.
    """
    found: dict[bytes, list[int]] = {}
    for at, entry in enumerate(entries):
        found.setdefault(orjson.dumps(_shape(entry)), []).append(at)
    return list(found.values())


def _shape(entry: Any) -> Any:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or resource.get("resourceType") != "Slot":
        return entry
    sound = {name: _SOUND for name in ("start", "end") if _is_instant(resource.get(name))}
    identifier = resource.get("id")
    if isinstance(identifier, str) and _ID.fullmatch(identifier):
        url = str(entry.get("fullUrl"))
        return entry | {
            "fullUrl": url.removesuffix(identifier),
            "resource": resource | sound | {"id": _SOUND},
        }
    return entry | {"resource": resource | sound}


def _is_instant(value: Any) -> bool:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _everywhere(location: tuple[int | str, ...], alike: list[list[int]]) -> Iterator[tuple[int | str, ...]]:
    """A location in what was looked at, in all that is like it."""
    match location:
        case ("entry", int(at), *rest):
            yield from (("entry", place, *rest) for place in alike[at])
        case _:
            yield location


def _path(location: tuple[int | str, ...]) -> str:
    path = "Bundle"
    for part in location:
        path = f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}"
    return path


def _in_french(kind: str, text: str) -> str:
    if kind.endswith("missing"):
        return "élément obligatoire, absent"
    if kind == "extra_forbidden":
        return "élément que FHIR ne connaît pas"
    return f"valeur qui n’est pas du type attendu ({text.removeprefix('Value error, ')[:200]})"


# --- the Bundle


@_rule("« total » est le nombre de créneaux.")
def total(told: Told, _: Asked) -> Iterator[Finding]:
    """It counts the slots."""
    if told.bundle.get("total") != len(told.slots):
        yield Finding("Bundle.total", f"{told.bundle.get('total')}, pour {len(told.slots)} créneau(x)")


@_rule("Le lien « self » est la requête envoyée.")
def self_link(told: Told, asked: Asked) -> Iterator[Finding]:
    """It is the request."""
    links = [link.get("url", "") for link in told.bundle.get("link", []) if link.get("relation") == "self"]
    for link in links or [""]:
        answered = Asked(asked.flow, link, asked.now)
        if urlsplit(link)[:3] != urlsplit(asked.url)[:3] or answered.parameters != asked.parameters:
            yield Finding("Bundle.link", f"{link!r} n’est pas la requête" if link else "il n’y a pas de lien « self »")


_INDIVIDUAL_PROFILES = {
    "Schedule": codes.SCHEDULE_PROFILE,
    "Practitioner": codes.PRACTITIONER_PROFILE,
    "PractitionerRole": codes.PRACTITIONER_ROLE_PROFILE,
}
_PROFILES = {
    Flow.INT_R01: {"Bundle": codes.BUNDLE_PROFILE, "Slot": codes.SLOT_PROFILE, **_INDIVIDUAL_PROFILES},
    Flow.INT_R04: {
        "Bundle": codes.CPTS_BUNDLE_PROFILE,
        "Slot": codes.CPTS_SLOT_PROFILE,
        "HealthcareService": codes.CPTS_HEALTHCARE_SERVICE_PROFILE,
        "Organization": codes.CPTS_ORGANIZATION_PROFILE,
        **_INDIVIDUAL_PROFILES,
    },
    Flow.SOS: {
        "Bundle": codes.SOS_BUNDLE_PROFILE,
        "Slot": codes.SOS_SLOT_PROFILE,
        "Schedule": codes.SOS_SCHEDULE_PROFILE,
        "Location": codes.SOS_LOCATION_PROFILE,
        "Organization": codes.SOS_ORGANIZATION_PROFILE,
    },
}


@_rule("Chaque ressource annonce le seul profil de son flux.")
def profiles(told: Told, asked: Asked) -> Iterator[Finding]:
    """Each resource claims the one of its flow; no type is there that the flow does not know."""
    for one in (told.bundle, *told.resources):
        expected = _PROFILES[Flow(asked.flow)].get(one["resourceType"])
        claimed = one.get("meta", {}).get("profile", [])
        if expected is None:
            yield Finding(told.at(one), f"le flux {asked.flow} ne connaît pas le type {one['resourceType']}")
        elif claimed != [expected]:
            yield Finding(told.at(one, "meta.profile"), f"{', '.join(claimed) or 'absent'}, au lieu de {expected}")


@_rule("Chaque référence mène à une ressource de la réponse.")
def references(told: Told, _: Asked) -> Iterator[Finding]:
    """All of them lead to an entry, or to what is contained."""
    for one in told.resources:
        contained = {f"#{inside.get('id')}" for inside in one.get("contained", [])}
        for path, part in parts(one):
            reference = part.get("reference") if isinstance(part, dict) else None
            if reference is not None and reference not in told.by_reference and reference not in contained:
                yield Finding(told.at(one, f"{path}.reference"), f"{reference} n’est pas dans la réponse")


@_rule("Rien n’accompagne les créneaux sans qu’une référence y mène.")
def companions(told: Told, _: Asked) -> Iterator[Finding]:
    """What comes along with slots is led to by something; a Schedule by a slot."""
    led_to = {part["reference"] for one in told.resources for part in objects(one) if "reference" in part}
    for name, one in told.by_reference.items():
        if not name.startswith("Slot/") and name not in led_to:
            yield Finding(told.at(one), "aucune référence n’y mène")


@_rule("Aucune adresse, aucune ressource et aucun créneau d’un agenda n’est présent deux fois.")
def once(told: Told, _: Asked) -> Iterator[Finding]:
    """No address, no resource, and no time of a Schedule twice."""
    counted: dict[str, list[Any]] = {
        "fullUrl": [entry.get("fullUrl") for entry in told.entries],
        "ressource": [name_of(one) for one in told.resources],
        "créneau": [
            f"{slot.get('schedule', {}).get('reference')} {slot['start']} {slot.get('end')}"
            for slot in told.slots
            if "start" in slot
        ],
    }
    for what, found in counted.items():
        for one, count in Counter(found).items():
            if count > 1:
                yield Finding("Bundle.entry", f"{what} {one}, {count} fois")


@_rule("Un élément sans valeur est absent, jamais vide.")
def emptiness(told: Told, _: Asked) -> Iterator[Finding]:
    """No element is empty."""
    for path, part in parts(told.bundle):
        if part is None or (not isinstance(part, int) and not part) or (isinstance(part, str) and not part.strip()):
            yield Finding(path, f"élément vide : {'null' if part is None else repr(part)}")


# --- who and where


@_rule("Seuls ceux qui ont été demandés sont dans la réponse.")
def asked_for(told: Told, asked: Asked) -> Iterator[Finding]:
    """Nobody is there that was not asked for."""
    sos = asked.flow == Flow.SOS
    system = codes.STRUCTURE_OID if sos else codes.PRACTITIONER_OID
    bare = {known[1:] for known in asked.identifiers}
    for one in told.of("Organization" if sos else "Practitioner"):
        for identifier in one.get("identifier", []):
            if identifier.get("system") == system and identifier.get("value") not in asked.identifiers | bare:
                yield Finding(told.at(one, "identifier"), f"{identifier.get('value')} n’a pas été demandé")


_FORMS = {
    codes.PRACTITIONER_OID: ("8[0-9]{11}|0[0-9A-Z]{9}", "8 et un RPPS, ou 0 et un ADELI"),
    codes.STRUCTURE_OID: (
        "1[0-9A-Z]{9}|[34][0-9]{14}|0[0-9A-Z]{11,13}",
        "1 et un FINESS, 3 et un SIRET, ou 4 et un RPPS-rang",
    ),
    "phone": (r"\+(33|262|590|594|596)[0-9]{9}", "+33 et neuf chiffres, ou l’indicatif d’outre-mer"),
}


@_rule("Les identifiants nationaux ont leur préfixe, les téléphones leur indicatif.")
def prefixes(told: Told, _: Asked) -> Iterator[Finding]:
    """National identifiers have theirs, phones their country's."""
    for one in told.resources:
        for path, part in parts(one):
            form, words = _FORMS.get(part.get("system", ""), (None, "")) if isinstance(part, dict) else (None, "")
            if form and "value" in part and not re.fullmatch(form, part["value"]):
                yield Finding(told.at(one, f"{path}.value"), f"« {part['value'][:60]} », {words} est attendu")


_INDIVIDUAL_ACTORS, _SOS_ACTORS = ["Practitioner", "PractitionerRole"], ["Location"]


@_rule("Un agenda est d’un seul lieu ; celui d’un PS est contenu dans son PractitionerRole.")
def places(told: Told, asked: Asked) -> Iterator[Finding]:
    """Each Schedule is that of one place; the place of a practitioner is inside the role."""
    expected = _SOS_ACTORS if asked.flow == Flow.SOS else _INDIVIDUAL_ACTORS
    for schedule in told.of("Schedule"):
        actors = [actor.get("reference", "").partition("/")[0] for actor in schedule.get("actor", [])]
        if sorted(actors) != expected:
            text = f"{', '.join(actors) or 'personne'}, au lieu de {', '.join(expected)}"
            yield Finding(told.at(schedule, "actor"), text)
    for role in told.of("PractitionerRole"):
        if [one["resourceType"] for one in role.get("contained", [])] != ["Location"]:
            yield Finding(told.at(role, "contained"), "une seule Location est attendue à l’intérieur")


# --- slots


def moment(text: str) -> datetime:
    """A time of a slot. Raises ValueError. One without an offset is wrong by its form only: it is taken as in Paris."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=DEFAULT_ZONE)


def _moments(slot: Resource) -> dict[str, datetime]:
    return {name: moment(slot[name]) for name in ("start", "end") if name in slot}


@_rule("Les créneaux commencent dans la fenêtre demandée, et pas avant maintenant.")
def window(told: Told, asked: Asked) -> Iterator[Finding]:
    """Slots start inside of it, and not before now."""
    first, last = max(asked.bound("ge"), asked.now), asked.bound("le")
    for slot in told.slots:
        start = _moments(slot).get("start")
        if start and not first <= start <= last:
            yield Finding(told.at(slot, "start"), f"{slot['start']} est hors de la fenêtre")


@_rule("Un créneau a un début, puis une fin.")
def times(told: Told, _: Asked) -> Iterator[Finding]:
    """Slots start, and then end."""
    for slot in told.slots:
        moments = _moments(slot)
        if len(moments) < 2 or moments["start"] >= moments["end"]:
            yield Finding(told.at(slot), f"de {slot.get('start', '(rien)')} à {slot.get('end', '(rien)')}")


@_rule("Les heures ont trois décimales et un décalage en chiffres.")
def date_form(told: Told, _: Asked) -> Iterator[Finding]:
    """Three decimals and an offset in digits."""
    for slot in told.slots:
        for name in ("start", "end"):
            if name in slot and not _INSTANT.fullmatch(str(slot[name])):
                yield Finding(told.at(slot, name), f"« {slot[name]} » n’a pas la forme 2026-11-20T08:00:00.000+01:00")


@_rule("Les créneaux sont libres.")
def free(told: Told, _: Asked) -> Iterator[Finding]:
    """Slots are."""
    for slot in told.slots:
        if slot.get("status") != "free":
            yield Finding(told.at(slot, "status"), f"« {slot.get('status')} » au lieu de « free »")


_SLOT_TYPES = {
    Flow.INT_R01: {"PUBLIC", "PRO", "SNP"},
    Flow.INT_R04: {"PUBLIC", "PRO", "SNP", "CPTS"},
    Flow.SOS: {"PUBLIC", "SNP"},
}


def types_of(slot: Resource) -> list[str]:
    """The slot types of a slot."""
    security = slot.get("meta", {}).get("security", [])
    return [one.get("code", "") for one in security if one.get("system") == codes.SLOT_TYPE]


@_rule("Un créneau a un type au moins, de ceux du flux.")
def slot_types(told: Told, asked: Asked) -> Iterator[Finding]:
    """Slots have one at least, of those of the flow."""
    allowed = _SLOT_TYPES[Flow(asked.flow)]
    for slot in told.slots:
        found = types_of(slot)
        if not found or set(found) - allowed:
            text = f"{', '.join(found) or 'aucun type'} ; sont possibles : {', '.join(sorted(allowed))}"
            yield Finding(told.at(slot, "meta.security"), text)


@functools.cache
def _specialty_codes() -> Mapping[str, str]:
    return {label: code for code, label in specialty_labels().items()}


@_rule("Un créneau de PS a une spécialité au moins, codée quand un code existe.")
def specialties(told: Told, asked: Asked) -> Iterator[Finding]:
    """Slots of practitioners have one at least, coded where there is a code; a text may repeat it."""
    known = _specialty_codes()
    for slot in told.slots if asked.flow != Flow.SOS else ():
        found = slot.get("specialty", [])
        coded = {coding.get("code") for one in found for coding in one.get("coding", [])}
        texts = [one["text"] for one in found if known.get(one.get("text")) not in coded | {None}]
        if not found:
            yield Finding(told.at(slot, "specialty"), "absente")
        elif texts:
            yield Finding(told.at(slot, "specialty"), f"« {texts[0]} » en texte, alors que {known[texts[0]]} existe")


@_rule("Un créneau a un type de consultation au moins, que le SAS connaît : AMB, HH ou VR.")
def consultation_types(told: Told, _: Asked) -> Iterator[Finding]:
    """Slots have one at least, with a code that the SAS knows."""
    for slot in told.slots:
        found = [code for one in concepts(slot, codes.ACT_CODE) for code in codings(one, codes.ACT_CODE)]
        if not found or set(found) - {"AMB", "HH", "VR"}:
            yield Finding(told.at(slot, "serviceType"), ", ".join(found) or "aucun type de consultation codé")


def _appointments(slot: Resource) -> list[str]:
    return [coding.get("code", "") for coding in slot.get("appointmentType", {}).get("coding", [])]


@_rule("Un créneau est avec rendez-vous (ROUTINE) ou sans (WALKIN).")
def appointment_types(told: Told, _: Asked) -> Iterator[Finding]:
    """Slots are booked, or walked into."""
    for slot in told.slots:
        found = _appointments(slot)
        if found not in (["ROUTINE"], ["WALKIN"]):
            yield Finding(told.at(slot, "appointmentType"), ", ".join(found) or "absent")


@_rule("« comment » est l’adresse d’un agenda, la même pour tous les créneaux d’un lieu d’un PS.")
def links(told: Told, asked: Asked) -> Iterator[Finding]:
    """Slots have that of their agenda; those of a practitioner's place all have the same.

    Where nothing is booked, a place of SOS Médecins need not have any.
    """
    agendas: dict[str, str] = {}
    for slot in told.slots:
        comment = slot.get("comment", "")
        agenda = slot.get("schedule", {}).get("reference", "")
        if asked.flow == Flow.SOS and "comment" not in slot and _appointments(slot) == ["WALKIN"]:
            continue
        if not comment.startswith(("http://", "https://")):
            yield Finding(told.at(slot, "comment"), f"« {comment[:200]} » n’est pas une adresse")
        elif asked.flow != Flow.SOS and agendas.setdefault(agenda, comment) != comment:
            text = f"{comment[:200]}, mais {agendas[agenda][:200]} pour d’autres créneaux de {agenda}"
            yield Finding(told.at(slot, "comment"), text)


@_rule("Un créneau ouvert à des CPTS, et lui seul, mène à chacune.")
def communities(told: Told, _: Asked) -> Iterator[Finding]:
    """Slots opened to CPTS, and no others, lead to each."""
    for slot in told.slots:
        opened = "CPTS" in types_of(slot)
        found = concepts(slot, codes.ESTABLISHMENT_CATEGORY)
        led_to = [
            part
            for concept in found
            for part in concept.get("extension", [])
            if part.get("url") == codes.SLOT_SERVICE_EXTENSION
        ]
        if opened != bool(found) or len(led_to) != len(found):
            what = "créneau CPTS" if opened else "créneau qui n’est pas de type CPTS"
            text = f"{what}, {len(found)} type(s) 604, {len(led_to)} lien(s) vers une CPTS"
            yield Finding(told.at(slot, "serviceType"), text)


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that an answer breaks, in French, with the first places where it does; ``count`` is of all."""

    rule: str
    findings: list[Finding]
    count: int


def violations(bundle: Any, asked: Asked) -> list[Violation]:
    """All that is wrong with an answer that is JSON."""
    wrong = structure(bundle)
    checks: Iterable[tuple[str, Callable[[], Iterable[Finding]]]] = ()
    try:
        told = Told(bundle)
        checks = [(name, partial(check, told, asked)) for name, check in CHECKS.items()]
    except _BROKEN:
        wrong = wrong or [Finding("Bundle.entry", "chaque entrée doit avoir une ressource")]
    found = [Violation("La réponse est une ressource FHIR R4 bien formée.", wrong, len(wrong))] if wrong else []
    for name, check in checks:
        try:
            findings = list(check())
        except _BROKEN:
            # The structure tells what it tripped over; if not, that is worth a line.
            findings = [] if wrong else [Finding("Bundle", "cette règle n’a pas pu être vérifiée")]
        if findings:
            found.append(Violation(_RULES[name], findings[:_MOST], len(findings)))
    return found

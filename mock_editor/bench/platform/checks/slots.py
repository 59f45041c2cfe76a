"""Checks of the slots: their times, types, specialities and links."""

import functools
from collections.abc import Iterator, Mapping
from datetime import datetime

from mock_editor.base import codes
from mock_editor.base.data import specialties as specialty_labels
from mock_editor.base.fhir import Resource
from mock_editor.base.flows import Flow
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.platform.checks.model import (
    INSTANT,
    AnswerBundle,
    Finding,
    SearchRequest,
    codings,
    concepts,
    finding,
)


def moment(text: str) -> datetime:
    """A time of a slot. Raises ValueError. Without an offset, only the form is wrong: it is read as Paris time."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=DEFAULT_ZONE)


def _moments(slot: Resource) -> dict[str, datetime]:
    return {name: moment(slot[name]) for name in ("start", "end") if name in slot}


def window(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """Slots start within the window, and not before now."""
    first, last = max(request.bound("ge"), request.now), request.bound("le")
    for slot in answer.slots:
        start = _moments(slot).get("start")
        if start and not first <= start <= last:
            yield finding(answer.at(slot, "start"), "outside-window", start=slot["start"])


def times(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """Slots start, and then end."""
    for slot in answer.slots:
        moments = _moments(slot)
        if len(moments) < 2 or moments["start"] >= moments["end"]:
            yield finding(answer.at(slot), "times", start=slot.get("start", "(rien)"), end=slot.get("end", "(rien)"))


def date_form(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """Dates have three decimals and an offset in digits."""
    for slot in answer.slots:
        for name in ("start", "end"):
            if name in slot and not INSTANT.fullmatch(str(slot[name])):
                yield finding(answer.at(slot, name), "time-form", value=slot[name])


def free(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """Slots are free."""
    for slot in answer.slots:
        if slot.get("status") != "free":
            yield finding(answer.at(slot, "status"), "not-free", status=slot.get("status"))


_SLOT_TYPES = {
    Flow.INT_R01: {"PUBLIC", "PRO", "SNP"},
    Flow.INT_R04: {"PUBLIC", "PRO", "SNP", "CPTS"},
    Flow.SOS: {"PUBLIC", "SNP"},
}


def types_of(slot: Resource) -> list[str]:
    """The slot types of a slot."""
    security = slot.get("meta", {}).get("security", [])
    return [label.get("code", "") for label in security if label.get("system") == codes.SLOT_TYPE]


def slot_types(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """Slots have at least one type, and only types of the flow."""
    allowed = _SLOT_TYPES[Flow(request.flow)]
    for slot in answer.slots:
        found = types_of(slot)
        if not found or set(found) - allowed:
            key = "slot-types-other" if found else "slot-types-absent"
            yield finding(answer.at(slot, "meta.security"), key, types=found, allowed=allowed)


@functools.cache
def _specialty_codes() -> Mapping[str, str]:
    return {label: code for code, label in specialty_labels().items()}


def specialties(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """Slots of practitioners have at least one speciality, coded where there is a code; a text may repeat it."""
    known = _specialty_codes()
    for slot in answer.slots if request.flow != Flow.SOS else ():
        given = slot.get("specialty", [])
        coded = {coding.get("code") for concept in given for coding in concept.get("coding", [])}
        texts = [concept["text"] for concept in given if known.get(concept.get("text")) not in coded | {None}]
        if not given:
            yield finding(answer.at(slot, "specialty"), "specialty-absent")
        elif texts:
            yield finding(answer.at(slot, "specialty"), "specialty-uncoded", text=texts[0], code=known[texts[0]])


def consultation_types(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """Slots have at least one type of consultation, with a code that the SAS knows."""
    for slot in answer.slots:
        types = [code for concept in concepts(slot, codes.ACT_CODE) for code in codings(concept, codes.ACT_CODE)]
        if not types or set(types) - {"AMB", "HH", "VR"}:
            key = "consultation-types-other" if types else "consultation-types-absent"
            yield finding(answer.at(slot, "serviceType"), key, types=types)


def _appointments(slot: Resource) -> list[str]:
    return [coding.get("code", "") for coding in slot.get("appointmentType", {}).get("coding", [])]


def appointment_types(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """Slots are booked, or walked into."""
    for slot in answer.slots:
        types = _appointments(slot)
        if types not in (["ROUTINE"], ["WALKIN"]):
            key = "appointment-types-other" if types else "appointment-types-absent"
            yield finding(answer.at(slot, "appointmentType"), key, types=types)


def links(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """Slots have the link of their calendar; those of a practitioner's place all have the same link.

    Where nothing is booked, a place of SOS Médecins need not have a link.
    """
    first: dict[str, str] = {}
    for slot in answer.slots:
        comment = slot.get("comment", "")
        schedule = slot.get("schedule", {}).get("reference", "")
        if request.flow == Flow.SOS and "comment" not in slot and _appointments(slot) == ["WALKIN"]:
            continue
        if not comment.startswith(("http://", "https://")):
            yield finding(answer.at(slot, "comment"), "link-malformed", link=comment[:200])
        elif request.flow != Flow.SOS and first.setdefault(schedule, comment) != comment:
            others = first[schedule][:200]
            yield finding(
                answer.at(slot, "comment"), "links-differ", link=comment[:200], others=others, schedule=schedule
            )


def communities(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """Slots opened to CPTS, and no others, lead to each of these communities."""
    for slot in answer.slots:
        opened = "CPTS" in types_of(slot)
        categories = concepts(slot, codes.ESTABLISHMENT_CATEGORY)
        led_to = [
            part
            for concept in categories
            for part in concept.get("extension", [])
            if part.get("url") == codes.SLOT_SERVICE_EXTENSION
        ]
        if opened != bool(categories) or len(led_to) != len(categories):
            key = "communities-opened" if opened else "communities-not-opened"
            yield finding(answer.at(slot, "serviceType"), key, types=len(categories), links=len(led_to))

"""Checks of the Bundle as a whole: its total and links, profiles, references, and what may not occur twice."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from mock_editor.base import codes
from mock_editor.base.flows import Flow
from mock_editor.bench.platform.checks.model import (
    AnswerBundle,
    Finding,
    SearchRequest,
    finding,
    name_of,
    objects,
    parts,
)


def total(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """The total counts the slots."""
    if answer.bundle.get("total") != len(answer.slots):
        yield finding("Bundle.total", "total", total=answer.bundle.get("total"), slots=len(answer.slots))


def self_link(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """The self link is the request."""
    links = [link.get("url", "") for link in answer.bundle.get("link", []) if link.get("relation") == "self"]
    for link in links or [""]:
        answered = SearchRequest(request.flow, link, request.now)
        if urlsplit(link)[:3] != urlsplit(request.url)[:3] or answered.parameters != request.parameters:
            yield finding("Bundle.link", "self-link-other" if link else "self-link-absent", link=link)


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


def profiles(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """Each resource claims the profile of its flow; there is no type that the flow does not know."""
    for resource in (answer.bundle, *answer.resources):
        expected = _PROFILES[Flow(request.flow)].get(resource["resourceType"])
        claimed = resource.get("meta", {}).get("profile", [])
        if expected is None:
            yield finding(answer.at(resource), "type-unknown", flow=request.flow, type=resource["resourceType"])
        elif claimed != [expected]:
            key = "profile-other" if claimed else "profile-absent"
            yield finding(answer.at(resource, "meta.profile"), key, claimed=claimed, expected=expected)


def references(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """All references lead to an entry, or to a contained resource."""
    for resource in answer.resources:
        contained = {f"#{inside.get('id')}" for inside in resource.get("contained", [])}
        for path, part in parts(resource):
            reference = part.get("reference") if isinstance(part, dict) else None
            if reference is not None and reference not in answer.by_reference and reference not in contained:
                yield finding(answer.at(resource, f"{path}.reference"), "reference-broken", reference=reference)


def companions(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """Something refers to each resource that comes with the slots; to a Schedule, a slot does."""
    led_to = {part["reference"] for resource in answer.resources for part in objects(resource) if "reference" in part}
    for name, resource in answer.by_reference.items():
        if not name.startswith("Slot/") and name not in led_to:
            yield finding(answer.at(resource), "not-referenced")


def once(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """No fullUrl, no resource, and no time of a Schedule occurs twice."""
    counted: dict[str, list[Any]] = {
        "url": [entry.get("fullUrl") for entry in answer.entries],
        "resource": [name_of(resource) for resource in answer.resources],
        "slot": [
            f"{slot.get('schedule', {}).get('reference')} {slot['start']} {slot.get('end')}"
            for slot in answer.slots
            if "start" in slot
        ],
    }
    for what, values in counted.items():
        for value, count in Counter(values).items():
            if count > 1:
                yield finding("Bundle.entry", f"twice-{what}", value=value, times=count)


def emptiness(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """No element is empty."""
    for path, part in parts(answer.bundle):
        if part is None or (not isinstance(part, int) and not part) or (isinstance(part, str) and not part.strip()):
            yield finding(path, "empty", value="null" if part is None else repr(part))

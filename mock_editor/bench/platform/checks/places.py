"""Checks of who and where: identifiers, phones, and places of Schedules."""

import re
from collections.abc import Iterator

from mock_editor.base import codes
from mock_editor.base.flows import Flow
from mock_editor.bench.platform.checks.model import AnswerBundle, Finding, SearchRequest, finding, parts


def asked_for(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """Nobody is there who was not asked for."""
    sos = request.flow == Flow.SOS
    system = codes.STRUCTURE_OID if sos else codes.PRACTITIONER_OID
    bare = {known[1:] for known in request.identifiers}
    for owner in answer.of("Organization" if sos else "Practitioner"):
        for identifier in owner.get("identifier", []):
            if identifier.get("system") == system and identifier.get("value") not in request.identifiers | bare:
                yield finding(answer.at(owner, "identifier"), "not-asked-for", identifier=identifier.get("value"))


_FORMS = {
    codes.PRACTITIONER_OID: ("8[0-9]{11}|0[0-9A-Z]{9}", "practitioner"),
    codes.STRUCTURE_OID: (
        "1[0-9A-Z]{9}|[34][0-9]{14}|0[0-9A-Z]{11,13}",
        "structure",
    ),
    "phone": (r"\+(33|262|590|594|596)[0-9]{9}", "phone"),
}


def prefixes(answer: AnswerBundle, _: SearchRequest) -> Iterator[Finding]:
    """National identifiers have their prefix, phones that of their country."""
    for resource in answer.resources:
        for path, part in parts(resource):
            form, kind = _FORMS.get(part.get("system", ""), (None, "")) if isinstance(part, dict) else (None, "")
            if form and "value" in part and not re.fullmatch(form, part["value"]):
                yield finding(answer.at(resource, f"{path}.value"), f"form-{kind}", value=part["value"][:60])


_INDIVIDUAL_ACTORS, _SOS_ACTORS = ["Practitioner", "PractitionerRole"], ["Location"]


def places(answer: AnswerBundle, request: SearchRequest) -> Iterator[Finding]:
    """Each Schedule belongs to one place; the place of a practitioner is contained in the role."""
    expected = _SOS_ACTORS if request.flow == Flow.SOS else _INDIVIDUAL_ACTORS
    for schedule in answer.of("Schedule"):
        actors = [actor.get("reference", "").partition("/")[0] for actor in schedule.get("actor", [])]
        if sorted(actors) != expected:
            key = "actors-other" if actors else "actors-absent"
            yield finding(answer.at(schedule, "actor"), key, actors=actors, expected=expected)
    for role in answer.of("PractitionerRole"):
        if [contained["resourceType"] for contained in role.get("contained", [])] != ["Location"]:
            yield finding(answer.at(role, "contained"), "not-one-place")

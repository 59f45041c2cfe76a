"""All that is wrong with an answer: its structure first, then each rule that it breaks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mock_editor.bench.platform.checks import bundle as whole
from mock_editor.bench.platform.checks import places, slots
from mock_editor.bench.platform.checks.model import BROKEN, AnswerBundle, Check, Finding, SearchRequest, finding
from mock_editor.bench.platform.checks.structure import structure

# Findings kept of each check, so that an answer that is wrong everywhere fills only a page.
_MOST = 20
# By their names, in the order in which they are shown.
CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        whole.total,
        whole.self_link,
        whole.profiles,
        whole.references,
        whole.companions,
        whole.once,
        whole.emptiness,
        places.asked_for,
        places.prefixes,
        places.places,
        slots.window,
        slots.times,
        slots.date_form,
        slots.free,
        slots.slot_types,
        slots.specialties,
        slots.consultation_types,
        slots.appointment_types,
        slots.links,
        slots.communities,
    )
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that an answer breaks, by name, with the first findings; ``count`` is the number of all."""

    rule: str
    findings: list[Finding]
    count: int


def violations(bundle: Any, request: SearchRequest) -> list[Violation]:
    """All that is wrong with an answer that is JSON."""
    wrong = structure(bundle)
    checks: Iterable[tuple[str, Callable[[], Iterable[Finding]]]] = ()
    try:
        answer = AnswerBundle(bundle)
        checks = [(name, partial(check, answer, request)) for name, check in CHECKS.items()]
    except BROKEN:
        wrong = wrong or [finding("Bundle.entry", "entry-empty")]
    found = [Violation("structure", wrong, len(wrong))] if wrong else []
    for name, check in checks:
        try:
            findings = list(check())
        except BROKEN:
            # The structure has usually reported what the check tripped over; if not, say so.
            findings = [] if wrong else [finding("Bundle", "unchecked")]
        if findings:
            found.append(Violation(name, findings[:_MOST], len(findings)))
    return found

"""Faults: the rules in force, those that are ready, a form for each kind, and the timelines."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from flask import Response, url_for

from mock_editor.admin.console import live
from mock_editor.admin.console.context import Console, Route, redirect
from mock_editor.admin.console.kinds import Parameter, parameters, summary
from mock_editor.admin.console.presets import PRESETS
from mock_editor.admin.console.timelines import timelines
from mock_editor.admin.console.words import FLOWS
from mock_editor.admin.operations.clock import show_clock
from mock_editor.admin.operations.faults import Fault, list_faults, show_fault
from mock_editor.base.clock import Mode
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import plain
from mock_editor.booking import week
from mock_editor.faults.catalogue import catalogue
from mock_editor.faults.kinds import FAMILIES
from mock_editor.faults.rules import TARGETS, Rule
from mock_editor.faults.words import French

# As many as a rule can have.
_MOST_KINDS = 10
_STEPS = """[
  {"at": 0, "add": [{"name": "essai-lent", "flows": ["INT_R01"], "do": [{"kind": "latency", "seconds": 3}]}]},
  {"at": 60, "remove": ["essai-lent"], "add": [{"name": "essai-mort", "do": [{"kind": "connection-closed"}]}]},
  {"at": 90, "remove": ["essai-mort"]}
]"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule as the list shows it: what it does, for whom, when, whether it acts now, and where it comes from."""

    fault: Fault
    effects: Sequence[str]
    target: str
    limits: str
    state: str
    acts: bool
    origin: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A kind in a form: where its fields are, and which it has."""

    kind: str
    prefix: str
    words: French
    parameters: Sequence[Parameter]


def faults(console: Console) -> Response:
    slug, _ = console.asked_editors()
    there = {one.name for one in console.simulator.faults.rules()}
    ready = [(one, one.name_for(slug), one.fields_for(slug), one.name_for(slug) in there) for one in PRESETS]
    return console.show(
        "pannes.html", now=_drawn(console), chosen=slug, editors=_editors(console), ready=ready, example=_STEPS
    )


def faults_live(console: Console) -> Response:
    return live.stream(console, partial(_drawn, console))


def _drawn(console: Console) -> str:
    frozen = show_clock.run(console.control).mode is Mode.FROZEN
    return console.drawn("pannes_part.html", found=_listed(console), timelines=timelines(console), frozen=frozen)


def fault_kinds(console: Console) -> Response:
    asked, family = console.asked().one("cherche") or "", console.asked().one("famille")
    if family is not None and family not in FAMILIES:
        raise refused(Code.NO_SUCH_PAGE)
    found = [(name, _kinds_of(name, asked)) for name in FAMILIES if family in (None, name)]
    return console.show(
        "pannes_genres.html",
        families=FAMILIES,
        words={name: kind.french for name, kind in catalogue().items()},
        asked=asked,
        family=family,
        found=[(name, some) for name, some in found if some],
    )


def new_fault(console: Console) -> Response:
    if _done(console):
        # The rule has just been added; the list says so.
        return redirect(url_for("console.faults"))
    kinds = _kinds_asked(console)
    if not kinds:
        return redirect(url_for("console.fault_kinds"))
    there = {one.rule.name for one in list_faults.run(console.control).faults}
    name = next(one for one in _names(kinds[0]) if one not in there)
    return console.show("pannes_nouvelle.html", effects=_effects(kinds), name=name, **_for_form(console, kinds))


def fault(console: Console, name: str) -> Response:
    found: Fault = show_fault.run(console.control, name)
    kinds = [one.name for one in found.rule.do]
    values = [one.model_dump(mode="json") for one in found.rule.do]
    added = _kinds_asked(console)
    if added and _done(console):
        # They are part of the rule now.
        return redirect(url_for("console.fault", name=name))
    kinds = [*kinds, *added][:_MOST_KINDS]
    return console.show(
        "pannes_regle.html",
        fault=_shown(console, found),
        rule=found.rule,
        effects=_effects(kinds, values),
        json=_json(found.rule),
        headers=json.dumps(found.rule.headers, ensure_ascii=False) if found.rule.headers else "",
        **_for_form(console, kinds),
    )


# --- rules


def _listed(console: Console) -> list[Shown]:
    """In the order in which they are asked whether they act."""
    found: list[Fault] = list_faults.run(console.control).faults
    return [_shown(console, one) for one in sorted(found, key=lambda one: -one.rule.priority)]


def _shown(console: Console, fault: Fault) -> Shown:
    state, acts = _state(console, fault)
    rule = fault.rule
    return Shown(
        fault=fault,
        effects=[summary(one) for one in rule.do],
        target=_target(console, rule),
        limits=", ".join(_limits(console, rule)),
        state=state,
        acts=acts,
        origin=_origin(console, fault),
    )


def _json(rule: Rule) -> str:
    """A rule as one writes it for the API, without what is usual."""
    effects = [{"kind": one.name, **one.model_dump(mode="json", exclude_defaults=True)} for one in rule.do]
    said = {**rule.model_dump(mode="json", exclude_defaults=True), "do": effects}
    return json.dumps(said, ensure_ascii=False, indent=2)


def _state(console: Console, fault: Fault) -> tuple[str, bool]:
    """In a word, and whether the rule can act now."""
    rule, now = fault.rule, console.simulator.clock.now()
    if not rule.on:
        return "désactivée", False
    if not fault.in_force:
        return "écartée par le déroulé", False
    if rule.since and now < rule.since:
        return "à venir", False
    if rule.until and now >= rule.until:
        return "terminée", False
    if (rule.uses and fault.acted >= rule.uses) or (rule.first and fault.matched >= rule.first):
        return "épuisée", False
    return "active", True


def _origin(console: Console, fault: Fault) -> str:
    if fault.timeline:
        return f"déroulé {fault.timeline}"
    of_scenario = {one.name: one for one in console.world.scenario.faults}.get(fault.rule.name)
    if of_scenario is None:
        return "ajoutée"
    same = of_scenario == fault.rule.model_copy(update={"on": of_scenario.on})
    return "scénario" if same else "scénario, modifiée"


def _target(console: Console, rule: Rule) -> str:
    names = {one.slug: one.name for one in _editors(console)}
    parts = [
        ", ".join(names.get(one, one) for one in rule.editors) or "tous les logiciels",
        ", ".join(rule.flows) or "tous les flux",
        *([f"seulement {', '.join(rule.identifiers)}"] if rule.identifiers else []),
        *([", ".join(rule.methods)] if rule.methods else []),
        *(f"{name} : {value}" for name, value in rule.headers.items()),
    ]
    return " ; ".join(parts)


def _limits(console: Console, rule: Rule) -> Iterator[str]:
    """When a rule acts, and how often."""
    if rule.share < 1:
        yield f"{100 * rule.share:.3g} % des échanges".replace(".", ",")
    if rule.every:
        yield f"un échange sur {rule.every}"
    if rule.first:
        yield f"{rule.first} premier{'s' if rule.first > 1 else ''} échange{'s' if rule.first > 1 else ''}"
    if rule.uses:
        yield f"{rule.uses} fois au plus"
    if rule.hours:
        yield f"chaque jour {rule.hours.replace('-', ' – ')}"
    if rule.since:
        yield f"depuis le {week.moment(rule.since, console.zone)}"
    if rule.until:
        yield f"jusqu’au {week.moment(rule.until, console.zone)}"


# --- forms


def _editors(console: Console) -> list[Any]:
    return list(console.world.catalogue.editors.values())


def _done(console: Console) -> bool:
    """Whether the page is shown after its form has done what it is for."""
    return bool(console.notice and console.notice.well and not console.refused)


def _kinds_asked(console: Console) -> list[str]:
    """The kinds that a new rule is to have (``?genre=``), in their order. Raises 404."""
    kinds = list(console.asked().all("genre"))
    if any(one not in catalogue() for one in kinds) or len(kinds) > _MOST_KINDS:
        raise refused(Code.NO_SUCH_PAGE)
    return kinds


def _kinds_of(family: str, asked: str) -> list[str]:
    words = plain(asked).split()
    texts = {
        name: plain(f"{name} {kind.french.title} {kind.french.description} {' '.join(kind.flows)}")
        for name, kind in catalogue().items()
        if kind.family == family
    }
    return [name for name, text in texts.items() if all(word in text for word in words)]


def _names(kind: str) -> Iterator[str]:
    yield kind
    yield from (f"{kind}-{number}" for number in itertools.count(2))


def _effects(kinds: Sequence[str], values: Sequence[Mapping[str, Any]] = ()) -> list[Effect]:
    known = itertools.chain(values, itertools.repeat(None))
    return [
        Effect(kind, f"body.do.{number}", catalogue()[kind].french, parameters(kind, own))
        for number, (kind, own) in enumerate(zip(kinds, known, strict=False))
    ]


def _for_form(console: Console, kinds: Sequence[str]) -> dict[str, Any]:
    """What a form of a rule asks from."""
    some = [catalogue()[kind].flows for kind in kinds]
    allowed = TARGETS if not all(some) else set().union(*some)
    return {
        "editors": [(one.slug, one.name) for one in _editors(console)],
        "flows": [(flow.value, words) for flow, words in FLOWS.items() if flow in allowed],
        "more": len(kinds) < _MOST_KINDS
        and [
            (words.title, [(kind, catalogue()[kind].french.title) for kind in _kinds_of(family, "")])
            for family, words in FAMILIES.items()
        ],
        "local": lambda instant: _local(console, instant),
    }


def _local(console: Console, instant: datetime | None) -> str:
    """As a field takes it."""
    return f"{instant.astimezone(console.zone):%Y-%m-%dT%H:%M:%S}" if instant else ""


ROUTES = (
    Route("/pannes", faults),
    Route("/pannes/direct", faults_live),
    Route("/pannes/genres", fault_kinds),
    Route("/pannes/nouvelle", new_fault),
    Route("/pannes/regle/<name>", fault),
)

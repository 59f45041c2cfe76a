"""Which rules concern a request: rules prepared for matching, and which of them are in force when. No SQL.

A *mark* stands for one life of a rule: it changes when the rule is set anew.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from mock_editor.base.flows import Flow
from mock_editor.base.globs import matches
from mock_editor.faults.kind import Kind
from mock_editor.faults.rules import TARGETS, Rule, Timeline

_PLAIN = re.compile("[A-Za-z0-9]+")


class Facts(NamedTuple):
    """What filters look at. ``body`` is called only when a filter needs it."""

    method: str
    url: str
    header: Callable[[str], str | None]
    body: Callable[[], bytes]
    now: datetime
    zone: ZoneInfo


class Matcher:
    """A rule prepared for matching."""

    def __init__(self, rule: Rule, mark: str) -> None:
        self.rule, self.mark = rule, mark
        self._editors, self._flows = frozenset(rule.editors), frozenset(rule.flows) or TARGETS
        self._methods = frozenset(method.upper() for method in rule.methods)
        self._headers = list(rule.headers.items())
        self._identifiers = rule.identifiers
        # The longest part of each identifier that no escape changes.
        self.clues = [max(_PLAIN.findall(text), key=len, default="") for text in rule.identifiers]

    def kinds(self, flow: Flow, editor: str | None) -> tuple[Kind, ...]:
        """The kinds that apply to requests of this flow with this editor; none if the rule does not concern them."""
        if flow not in self._flows or (self._editors and editor not in self._editors):
            return ()
        return tuple(kind for kind in self.rule.do if not kind.flows or flow in kind.flows)

    def fits(self, facts: Facts) -> bool:
        """Whether its other filters let a request through."""
        rule = self.rule
        if self._methods and facts.method not in self._methods:
            return False
        if rule.since and facts.now < rule.since:
            return False
        if rule.until and facts.now >= rule.until:
            return False
        for name, pattern in self._headers:
            value = facts.header(name)
            if value is None or not matches(pattern, value):
                return False
        if rule.hours and not rule.in_hours(facts.now.astimezone(facts.zone).time()):
            return False
        return not self._identifiers or self._names(facts)

    def _names(self, facts: Facts) -> bool:
        """Whether one of its identifiers stands in the URL or the body, with escapes or without."""
        body = facts.body().decode("utf-8", "replace")
        texts = {unquote_plus(facts.url), body, unquote_plus(body)}
        return any(_stands_in(text, identifier) for text in texts for identifier in self._identifiers)

    def acts(self, matched: int, acted: int, drawn: float) -> bool:
        """Whether it acts on its match number ``matched``, after having acted on ``acted`` matches."""
        rule = self.rule
        return (
            (rule.every is None or matched % rule.every == 0)
            and (rule.first is None or matched <= rule.first)
            and (rule.uses is None or acted < rule.uses)
            and drawn < rule.share
        )


def _stands_in(text: str, identifier: str) -> bool:
    """Whether an identifier occurs in a text, and not as a part of a longer one."""
    begin = -1
    while (begin := text.find(identifier, begin + 1)) >= 0:
        end = begin + len(identifier)
        if not ((begin and _is_plain(text[begin - 1])) or _is_plain(text[end : end + 1])):
            return True
    return False


def _is_plain(sign: str) -> bool:
    return sign.isascii() and sign.isalnum()


# A rule that concerns a flow of an editor, with the kinds that it applies there.
Candidate = tuple[Matcher, tuple[Kind, ...]]


class ActiveRules:
    """The rules that are in force together."""

    def __init__(self, rules: Iterable[tuple[Rule, str]]) -> None:
        matchers = [Matcher(rule, mark) for rule, mark in rules if rule.on]
        self.matchers = sorted(matchers, key=lambda matcher: -matcher.rule.priority)
        self.marks = frozenset(matcher.mark for matcher in matchers)
        # Bounded by the number of flows and editors.
        self._candidates: dict[tuple[Flow, str | None], Candidates] = {}

    def candidates(self, flow: Flow, editor: str | None) -> "Candidates":
        """The rules that concern such requests."""
        candidates = self._candidates.get((flow, editor))
        if candidates is None:
            by_matcher = ((matcher, matcher.kinds(flow, editor)) for matcher in self.matchers)
            candidates = self._candidates[flow, editor] = Candidates(
                [(matcher, kinds) for matcher, kinds in by_matcher if kinds]
            )
        return candidates


class Candidates:
    """The rules that concern a flow of an editor, in the order in which they are tried."""

    def __init__(self, rules: list[Candidate]) -> None:
        self.rules = rules
        self._without_identifiers = [(matcher, kinds) for matcher, kinds in rules if not matcher.clues]
        clues: dict[str, set[str]] = {}
        for matcher, _ in rules:
            for clue in matcher.clues:
                clues.setdefault(clue[:1], set()).add(clue)
        # One pattern per first letter: alternatives with a common beginning are found far faster.
        self._clues = [re.compile("|".join(sorted(texts))) for texts in clues.values()]

    def likely(self, url: str, *, bodiless: bool) -> list[Candidate]:
        """The rules that may concern such a request: most rules name other identifiers, and need no closer look."""
        if bodiless and self._clues and not any(clue.search(url) for clue in self._clues):
            return self._without_identifiers
        return self.rules


class Running(NamedTuple):
    """A running timeline."""

    timeline: Timeline
    began: datetime
    mark: str


class RuleSet:
    """Everything that is set, in one version of the store: rules with their marks, and the running timeline."""

    def __init__(self, version: str | None, rules: list[tuple[Rule, str]], running: Running | None) -> None:
        self.version = version
        self.rules = rules
        self.running = running
        self.empty = not rules and running is None
        self._steps = [step.at for step in running.timeline.steps] if running else []
        self._active: dict[int, ActiveRules] = {}

    def active(self, now: datetime) -> ActiveRules:
        """The rules in force at an instant."""
        done = bisect_right(self._steps, (now - self.running.began).total_seconds()) if self.running else 0
        active = self._active.get(done)
        if active is None:
            active = self._active[done] = ActiveRules(self._after(done))
        return active

    def _after(self, done: int) -> Iterable[tuple[Rule, str]]:
        """The rules after the first ``done`` steps, with their marks."""
        if not self.running or not done:
            return self.rules
        timeline, _, mark = self.running
        marks = {id(rule): own for rule, own in self.rules}
        for number, step in enumerate(timeline.steps):
            marks |= {id(rule): f"{mark}:{number}:{rule.name}" for rule in step.add}
        rules = timeline.rules([rule for rule, _ in self.rules], self._steps[done - 1])
        return [(rule, marks[id(rule)]) for rule in rules]


def fingerprint(editor: str | None, method: str, url: str, body: bytes) -> str:
    """The same number for the same request, whenever it comes, whoever sends it, whichever worker gets it."""
    whole = "\0".join((editor or "", method, url)).encode("utf-8", "surrogatepass") + b"\0" + body
    return hashlib.blake2b(whole, digest_size=16).hexdigest()

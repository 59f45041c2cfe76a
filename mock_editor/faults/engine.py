"""The fault rules in force, and which of them acts on a request.

Rules and counts are in the store, so that all workers agree; each process has the rules in memory too, ready to be
matched.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, issue
from mock_editor.base.store import Store
from mock_editor.base.waits import Hold
from mock_editor.faults import store
from mock_editor.faults.kind import Kind
from mock_editor.faults.matching import ActiveRules, Candidate, Facts, Matcher, RuleSet, fingerprint
from mock_editor.faults.rules import MOST_RULES, Rule, Timeline
from mock_editor.faults.waiting import RuleWaits

# The flow that an editor sends; all others come in.
_OUTGOING = frozenset({Flow.INT_R03})
_BODILESS = frozenset({"GET", "HEAD"})


class UnknownRuleError(EditorError):
    """404: no rule of this name."""

    def __init__(self, name: str) -> None:
        code = Code.FAULT_RULE_UNKNOWN
        super().__init__(code.status, [issue(code, name=name[:100])])


class Match:
    """A rule that acts on one request. ``kinds`` are its kinds that concern the flow, the outermost first."""

    def __init__(self, engine: "FaultEngine", matcher: Matcher, kinds: tuple[Kind, ...], draw: random.Random) -> None:
        self._engine, self._mark = engine, matcher.mark
        self.rule = matcher.rule
        self.kinds = kinds
        self.draw = draw

    @property
    def applied(self) -> AppliedRule:
        """What the journal records."""
        return AppliedRule(self.rule.name, tuple(kind.name for kind in self.kinds))

    def in_force(self) -> bool:
        """Whether the rule is still there, switched on and unchanged. Its hours and dates do not count."""
        return self._engine.knows(self._mark)

    def wait(self, hold: Hold, seconds: float) -> None:
        """Returns when the time is over, or the rule is not in force any more. Raises WaitEndedError."""
        self._engine.wait(self, hold, seconds)

    def tally(self, editor: str | None, seconds: float) -> int:
        """How often the rule has counted this editor in this period, including this time, over all workers.

        Periods last this many ``seconds`` of the simulator's clock, and one begins with every whole minute. Raises 503.
        """
        return self._engine.tally(self._mark, editor or "", seconds)


class FaultEngine:
    """The rules that are set, the running timeline, and their counts. One per process.

    ``keep_time`` is called before rules that others have set are followed, so that the clock is right by then.
    """

    def __init__(
        self,
        database: Store,
        clock_now: Callable[[], datetime],
        keep_time: Callable[[Database], None] = lambda _: None,
    ) -> None:
        self._store = database
        self._clock_now = clock_now
        self._keep_time = keep_time
        self._rules = RuleSet(None, [], None)
        self._following = threading.Lock()
        self._followed: ActiveRules | None = None
        self._waits = RuleWaits()
        self._scenario: tuple[Sequence[Rule], Sequence[Timeline], str] = ((), (), "")

    # --- reading

    def rules(self) -> list[Rule]:
        """The rules as set, in order, without those of a running timeline. Raises 503."""
        self.follow()
        return [rule for rule, _ in self._rules.rules]

    def in_force(self) -> list[Rule]:
        """The rules in force now, including the timeline's, in the order in which they are tried. Raises 503."""
        self.follow()
        return [matcher.rule for matcher in self._active().matchers]

    def get(self, name: str) -> Rule:
        """A rule as set. Raises UnknownRuleError, 503."""
        for rule in self.rules():
            if rule.name == name:
                return rule
        raise UnknownRuleError(name)

    def uses(self) -> dict[str, tuple[int, int]]:
        """How often each rule, by name, matched and acted, over all workers. Raises 503."""
        self.follow()
        rules = self._rules
        marks = {rule.name: mark for rule, mark in rules.rules}
        marks |= {matcher.rule.name: matcher.mark for matcher in rules.active(self._clock_now()).matchers}
        with self._store.reading() as db:
            counts = store.counts(db)
        return {name: counts.get(mark, (0, 0)) for name, mark in marks.items()}

    @property
    def idle(self) -> bool:
        """Whether nothing at all is set."""
        return self._rules.empty

    def knows(self, mark: str) -> bool:
        """Whether this life of a rule goes on."""
        rules = self._rules
        return not rules.empty and mark in rules.active(self._clock_now()).marks

    def now(self) -> datetime:
        """The simulator's time."""
        return self._clock_now()

    def _active(self) -> ActiveRules:
        return self._rules.active(self._clock_now())

    # --- changes

    def put(self, rule: Rule) -> bool:
        """Adds a rule, or replaces the one with its name; its counts start again. True if it is new.

        Raises 422 when there are MOST_RULES already, 503.
        """
        with self._store.writing() as db:
            known = store.exists(db, rule.name)
            if not known and store.number(db) >= MOST_RULES:
                raise refused(Code.FAULT_RULES_TOO_MANY, most=MOST_RULES)
            store.put(db, rule)
        self._follow_own()
        return not known

    def switch(self, name: str, *, on: bool) -> Rule:
        """Switches a rule on or off; its counts continue. Raises UnknownRuleError, 503."""
        with self._store.writing() as db:
            rule = store.switch(db, name, on=on)
            if rule is None:
                raise UnknownRuleError(name)
        self._follow_own()
        return rule

    def remove(self, name: str) -> None:
        """Removes a rule. Raises UnknownRuleError, 503."""
        with self._store.writing() as db:
            if not store.remove(db, name):
                raise UnknownRuleError(name)
        self._follow_own()

    def clear(self) -> None:
        """Removes all rules, and ends the running timeline. Raises 503."""
        with self._store.writing() as db:
            store.replace(db, ())
        self._follow_own()

    # --- timelines

    def timelines(self) -> list[Timeline]:
        """The timelines of the current scenario."""
        return list(self._scenario[1])

    def start(self, timeline: Timeline) -> None:
        """Runs a timeline from now on, in place of a running one. While it runs, it determines all rules.

        Raises 503.
        """
        with self._store.writing() as db:
            store.start(db, timeline, self._clock_now())
        self._follow_own()

    def stop(self) -> None:
        """Ends the running timeline, if any: its rules go, and the rules that it removed come back. Raises 503."""
        with self._store.writing() as db:
            store.stop(db)
        self._follow_own()

    def running(self) -> tuple[Timeline, datetime] | None:
        """The running timeline, and when it began by the simulator's clock. Raises 503."""
        self.follow()
        running = self._rules.running
        return (running.timeline, running.began) if running else None

    # --- the world

    def play(self, rules: Sequence[Rule], timelines: Sequence[Timeline], seed: str) -> None:
        """Takes the rules and timelines of a scenario, for ``reset``. To be called in every process; no SQL."""
        self._scenario = (rules, timelines, seed)

    def reset(self, db: Database, rules: Sequence[Rule] | None = None) -> None:
        """In the caller's transaction: the rules of the scenario in play, or these; no timeline, no counts.

        ``follow`` is for afterwards.
        """
        store.replace(db, self._scenario[0] if rules is None else rules)

    def set_back(self, db: Database, by: timedelta) -> None:
        """Moves the start of the running timeline back with the clock, so that it continues where it was."""
        store.set_beginning_back(db, by)

    def _follow_own(self) -> None:
        """Follows what this process has just written. As that is done, failing to read it again is no error."""
        with contextlib.suppress(EditorError):  # the watch for changes tries again
            self.follow()

    def follow(self) -> None:
        """Takes over what any process has set, and ends the waits of removed rules. Cheap when nothing is new.

        Raises 503.
        """
        with self._following:
            with self._store.reading() as db:
                if store.version(db) != self._rules.version:
                    # The instant at which a timeline began is by the clock as it is set now.
                    self._keep_time(db)
                    self._rules = store.load(db)
            active = self._active()
            known, self._followed = self._followed, active
        if active is not known:
            self._waits.rules_changed()

    # --- requests

    def match(
        self,
        *,
        direction: str,
        editor: str | None,
        flow: Flow,
        method: str,
        url: str,
        header: Callable[[str], str | None],
        body: Callable[[], bytes],
        zone: ZoneInfo,
    ) -> Match | None:
        """The rule that acts on a request, if there is one; it is counted. ``direction`` is "in" or "out".

        ``body`` is called only when a rule needs it. Raises 503, and what ``body`` does.
        """
        while True:
            rules = self._rules
            if rules.empty or (flow in _OUTGOING) != (direction == "out"):
                return None
            now = self._clock_now()
            likely = rules.active(now).candidates(flow, editor).likely(url, bodiless=method in _BODILESS)
            if not likely:
                return None
            facts = Facts(method, url, header, body, now, zone)
            fitting = [(matcher, kinds) for matcher, kinds in likely if matcher.fits(facts)]
            if not fitting:
                return None
            known = fingerprint(editor, method, url, body())
            with self._store.writing() as db:
                # Another worker may have just changed something that we would only notice a moment later.
                if store.version(db) == rules.version:
                    return self._first_acting(db, fitting, known)
            self.follow()

    def _first_acting(self, db: Database, candidates: list[Candidate], known: str) -> Match | None:
        """The first rule that acts. Those before it have matched, those after it are not asked."""
        for matcher, kinds in candidates:
            matched, acted = store.count_match(db, matcher.mark)
            times = store.count_request(db, matcher.mark, known)
            draw = random.Random(f"{self._scenario[2]}:{matcher.rule.name}:{known}:{times}")
            # Drawn in any case, so that what kinds draw does not depend on whether there is a share.
            if matcher.acts(matched, acted, draw.random()):
                store.count_action(db, matcher.mark)
                return Match(self, matcher, kinds, draw)
        return None

    def tally(self, mark: str, editor: str, seconds: float) -> int:
        """See ``Match.tally``."""
        period = int(self._clock_now().timestamp() // seconds)
        with self._store.writing() as db:
            return store.tally(db, mark, editor, seconds, period)

    def wait(self, match: Match, hold: Hold, seconds: float) -> None:
        """See ``Match.wait``."""
        self._waits.wait(hold, seconds, match.in_force, self._timeline_runs)

    def _timeline_runs(self) -> bool:
        return self._rules.running is not None

"""The fault rules in force: where they are kept, and which of them acts on an exchange. All SQL of them.

Rules and counts are in the store, so that all workers agree; each process has the rules in memory too, ready to be
matched. A *mark* stands for one life of a rule: it changes when the rule is set anew, and its counts go with it.
"""

import contextlib
import functools
import hashlib
import logging
import random
import re
import threading
import time
import uuid
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlite_utils import Database

from mock_editor.base import controls
from mock_editor.base.errors import EditorError, Issue, NotFoundError
from mock_editor.base.flows import Flow
from mock_editor.base.globs import matches
from mock_editor.base.instants import set_back
from mock_editor.base.store import Store
from mock_editor.base.waits import Ended, Hold
from mock_editor.faults.kind import Kind
from mock_editor.faults.rules import MOST_RULES, TARGETS, Rule, Timeline

# fault_requests: how often a rule has met each request, see MOST_DIFFERENT. fault_tallies: see Acting.tally.
SCHEMA = """
create table if not exists fault_rules (
    name text primary key, place integer not null, mark text not null, rule text not null) strict;
create table if not exists fault_timeline (
    id integer primary key check (id = 1), mark text not null, began text not null, timeline text not null) strict;
create table if not exists fault_counts (
    mark text primary key, matched integer not null, acted integer not null, different integer not null)
    strict, without rowid;
create table if not exists fault_requests (
    mark text, fingerprint text, times integer not null, primary key (mark, fingerprint)) strict, without rowid;
create table if not exists fault_tallies (
    mark text, editor text, seconds real, period integer not null, times integer not null,
    primary key (mark, editor, seconds)) strict, without rowid
"""
# A rule remembers so many different requests. With the next one it forgets them, and repetitions are counted from the
# first again: their draws are those of the first ones again.
MOST_DIFFERENT = 20_000

_VERSION = "faults"
# What an editor sends; everything else comes in.
_OUTGOING = frozenset({Flow.INT_R03})
# While a timeline runs, waits look so often (seconds) whether a step has ended their rule: nothing else tells them.
_LOOK = 1.0
_MARK = 32
# Thousands of threads that wake at the same time would mostly wait for each other. So each wakes another one.
_WOKEN_AT_ONCE = 16
_BODILESS = frozenset({"GET", "HEAD"})
_log = logging.getLogger(__name__)


class UnknownRuleError(NotFoundError):
    """404: no rule of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no fault rule {name[:100]!r}")


class WaitEndedError(Exception):
    """A wait ended because the client has left, or the process stops: ``why`` is one of these two."""

    def __init__(self, why: Ended) -> None:
        super().__init__(why.name)
        self.why = why


class Match:
    """A rule that acts on one exchange. ``kinds`` are those of its kinds that concern the flow, the outermost first."""

    def __init__(self, faults: "FaultEngine", ready: "_Ready", kinds: tuple[Kind, ...], draw: random.Random) -> None:
        self._faults, self._ready = faults, ready
        self.rule = ready.rule
        self.kinds = kinds
        self.draw = draw

    @property
    def name(self) -> str:
        """``<rule>: <kind>, <kind>``, for the journal."""
        return f"{self.rule.name}: {', '.join(kind.name for kind in self.kinds)}"

    def in_force(self) -> bool:
        """Whether the rule is still there, switched on and unchanged. Its hours and dates do not count."""
        return self._faults.knows(self._ready.mark)

    def wait(self, hold: Hold, seconds: float) -> None:
        """Returns when the time is over, or the rule is not in force any more. Raises WaitEndedError."""
        self._faults.wait(self, hold, seconds)

    def tally(self, editor: str | None, seconds: float) -> int:
        """How often it has asked for this editor's tally in this period, this time too, over all workers.

        Periods are so many ``seconds`` of the simulator's clock, on which whole minutes begin one. Raises 503.
        """
        return self._faults.tally(self._ready.mark, editor or "", seconds)


class _Asked(NamedTuple):
    """What filters look at."""

    method: str
    url: str
    header: Callable[[str], str | None]
    body: Callable[[], bytes]
    now: datetime
    zone: ZoneInfo


class _Ready:
    """A rule made ready for matching."""

    def __init__(self, rule: Rule, mark: str) -> None:
        self.rule, self.mark = rule, mark
        self._editors, self._flows = frozenset(rule.editors), frozenset(rule.flows) or TARGETS
        self._methods = frozenset(method.upper() for method in rule.methods)
        self._headers = list(rule.headers.items())
        self._identifiers = rule.identifiers
        # Of each identifier a part that no escape changes.
        self.clues = [max(_PLAIN.findall(text), key=len, default="") for text in rule.identifiers]

    def kinds(self, flow: Flow, editor: str | None) -> tuple[Kind, ...]:
        """What it does in exchanges of this flow with this editor; nothing if it is not about them."""
        if flow not in self._flows or (self._editors and editor not in self._editors):
            return ()
        return tuple(kind for kind in self.rule.do if not kind.flows or flow in kind.flows)

    def fits(self, asked: _Asked) -> bool:
        """Whether the rest of what it says of an exchange holds."""
        rule = self.rule
        if self._methods and asked.method not in self._methods:
            return False
        if rule.since and asked.now < rule.since:
            return False
        if rule.until and asked.now >= rule.until:
            return False
        for name, pattern in self._headers:
            value = asked.header(name)
            if value is None or not matches(pattern, value):
                return False
        if rule.hours and not rule.in_hours(asked.now.astimezone(asked.zone).time()):
            return False
        return not self._identifiers or self._names(asked)

    def _names(self, asked: _Asked) -> bool:
        """Whether one of its identifiers stands in the URL or the body, with escapes or without."""
        body = asked.body().decode("utf-8", "replace")
        texts = {unquote_plus(asked.url), body, unquote_plus(body)}
        return any(_stands_in(text, one) for text in texts for one in self._identifiers)

    def acts(self, matched: int, acted: int, drawn: float) -> bool:
        """Whether it acts on the ``matched``-th exchange that it matches, having acted on so many before."""
        rule = self.rule
        return (
            (rule.every is None or matched % rule.every == 0)
            and (rule.first is None or matched <= rule.first)
            and (rule.uses is None or acted < rule.uses)
            and drawn < rule.share
        )


_PLAIN = re.compile("[A-Za-z0-9]+")


def _stands_in(text: str, identifier: str) -> bool:
    """Whether an identifier stands somewhere in a text, and not as a part of a longer one."""
    begin = -1
    while (begin := text.find(identifier, begin + 1)) >= 0:
        end = begin + len(identifier)
        if not ((begin and _is_plain(text[begin - 1])) or _is_plain(text[end : end + 1])):
            return True
    return False


def _is_plain(sign: str) -> bool:
    return sign.isascii() and sign.isalnum()


class _Table:
    """Rules that are in force together."""

    def __init__(self, rules: Iterable[tuple[Rule, str]]) -> None:
        ready = [_Ready(rule, mark) for rule, mark in rules if rule.on]
        self.ready = sorted(ready, key=lambda one: -one.rule.priority)
        self.marks = frozenset(one.mark for one in ready)
        # Bounded by the flows and the editors that there are.
        self._about: dict[tuple[Flow, str | None], _About] = {}

    def about(self, flow: Flow, editor: str | None) -> "_About":
        """Those that concern such exchanges."""
        found = self._about.get((flow, editor))
        if found is None:
            each = ((one, one.kinds(flow, editor)) for one in self.ready)
            found = self._about[flow, editor] = _About([(one, kinds) for one, kinds in each if kinds])
        return found


class _About:
    """The rules that concern a flow of an editor, with what they do there, in the order in which they are tried."""

    def __init__(self, rules: list[tuple[_Ready, tuple[Kind, ...]]]) -> None:
        self.rules = rules
        self._of_anybody = [(one, kinds) for one, kinds in rules if not one.clues]
        clues: dict[str, set[str]] = {}
        for one, _ in rules:
            for clue in one.clues:
                clues.setdefault(clue[:1], set()).add(clue)
        # By their first sign: what has a beginning in common is found far faster.
        self._clues = [re.compile("|".join(sorted(some))) for some in clues.values()]

    def those_for(self, url: str, *, bodiless: bool) -> list[tuple[_Ready, tuple[Kind, ...]]]:
        """Those that may be about such a request: most rules are about somebody else, and need not be looked at."""
        if bodiless and self._clues and not any(clue.search(url) for clue in self._clues):
            return self._of_anybody
        return self.rules


class _Running(NamedTuple):
    """A timeline that runs."""

    timeline: Timeline
    began: datetime
    mark: str


class _Plan:
    """All that is set, as of one version of it."""

    def __init__(self, version: str | None, rules: list[tuple[Rule, str]], running: _Running | None) -> None:
        self.version = version
        self.rules = rules
        self.running = running
        self.empty = not rules and running is None
        self._steps = [step.at for step in running.timeline.steps] if running else []
        self._tables: dict[int, _Table] = {}

    def table(self, now: datetime) -> _Table:
        """What is in force at an instant."""
        done = bisect_right(self._steps, (now - self.running.began).total_seconds()) if self.running else 0
        found = self._tables.get(done)
        if found is None:
            found = self._tables[done] = _Table(self._after(done))
        return found

    def _after(self, done: int) -> Iterable[tuple[Rule, str]]:
        """The rules after so many steps, with their marks."""
        if not self.running or not done:
            return self.rules
        timeline, _, mark = self.running
        marks = {id(rule): own for rule, own in self.rules}
        for number, step in enumerate(timeline.steps):
            marks |= {id(rule): f"{mark}:{number}:{rule.name}" for rule in step.add}
        rules = timeline.rules([rule for rule, _ in self.rules], self._steps[done - 1])
        return [(rule, marks[id(rule)]) for rule in rules]


class FaultEngine:
    """The rules that were set, the timeline that runs, and their counts. One per process."""

    def __init__(self, store: Store, clock_now: Callable[[], datetime]) -> None:
        self._store = store
        self._clock_now = clock_now
        self._plan = _Plan(None, [], None)
        self._keep_time: Callable[[Database], None] = lambda _: None
        self._following = threading.Lock()
        self._followed: _Table | None = None
        self._waiting: dict[Hold, Match] = {}
        self._to_wake: deque[Hold] = deque()
        self._waiting_lock = threading.Lock()
        self._scenario: tuple[Sequence[Rule], Sequence[Timeline], str] = ((), (), "")

    # --- what there is

    def rules(self) -> list[Rule]:
        """As set, in order; without those of a running timeline. Raises 503."""
        self.follow()
        return [rule for rule, _ in self._plan.rules]

    def in_force(self) -> list[Rule]:
        """Those that are on at this moment, the timeline's too, in the order in which they are tried. Raises 503."""
        self.follow()
        return [one.rule for one in self._plan.table(self._clock_now()).ready]

    def get(self, name: str) -> Rule:
        """A rule as set. Raises UnknownRuleError, 503."""
        for rule in self.rules():
            if rule.name == name:
                return rule
        raise UnknownRuleError(name)

    def uses(self) -> dict[str, tuple[int, int]]:
        """By name of a rule: how often it matched, and how often it acted, over all workers. Raises 503."""
        self.follow()
        plan = self._plan
        marks = {rule.name: mark for rule, mark in plan.rules}
        marks |= {one.rule.name: one.mark for one in plan.table(self._clock_now()).ready}
        with self._store.reading() as db:
            rows = db.execute("select mark, matched, acted from fault_counts").fetchall()
        counts = {mark: (matched, acted) for mark, matched, acted in rows}
        return {name: counts.get(mark, (0, 0)) for name, mark in marks.items()}

    @property
    def idle(self) -> bool:
        """Whether nothing at all is set."""
        return self._plan.empty

    def knows(self, mark: str) -> bool:
        """Whether this life of a rule goes on."""
        plan = self._plan
        return not plan.empty and mark in plan.table(self._clock_now()).marks

    def now(self) -> datetime:
        """The simulator's time."""
        return self._clock_now()

    # --- changes

    def put(self, rule: Rule) -> bool:
        """Adds a rule, or replaces the one of its name; its counts begin anew. True if it is new.

        Raises 422 when there are MOST_RULES already, 503.
        """
        with self._store.writing() as db:
            [(known,)] = db.execute("select count(*) from fault_rules where name = ?", [rule.name])
            [(count, last)] = db.execute("select count(*), coalesce(max(place), 0) from fault_rules")
            if not known and count >= MOST_RULES:
                raise EditorError(422, [Issue("too-costly", f"There are {MOST_RULES} fault rules already, the most")])
            _insert(db, rule, last + 1)
            _changed(db)
        self._follow_own()
        return not known

    def switch(self, name: str, *, on: bool) -> Rule:
        """Switches a rule on or off; its counts go on. Raises UnknownRuleError, 503."""
        with self._store.writing() as db:
            found = db.execute("select rule from fault_rules where name = ?", [name]).fetchone()
            if not found:
                raise UnknownRuleError(name)
            rule = _rule(found[0]).model_copy(update={"on": on})
            db.execute("update fault_rules set rule = ? where name = ?", [_written(rule), name])
            _changed(db)
        self._follow_own()
        return rule

    def remove(self, name: str) -> None:
        """Removes a rule. Raises UnknownRuleError, 503."""
        with self._store.writing() as db:
            if not db.execute("delete from fault_rules where name = ?", [name]).rowcount:
                raise UnknownRuleError(name)
            _changed(db)
        self._follow_own()

    def clear(self) -> None:
        """Removes all rules, and ends the running timeline. Raises 503."""
        with self._store.writing() as db:
            self.reset(db, ())
        self._follow_own()

    # --- timelines

    def timelines(self) -> list[Timeline]:
        """Those of the scenario in play."""
        return list(self._scenario[1])

    def start(self, timeline: Timeline) -> None:
        """Runs a timeline from now on, in the place of one that runs. While it does, all rules are as it says.

        Raises 503.
        """
        with self._store.writing() as db:
            row = {"id": 1, "mark": uuid.uuid4().hex, "began": self._clock_now().isoformat()}
            db.table("fault_timeline").upsert(row | {"timeline": timeline.model_dump_json()}, pk="id")
            _changed(db)
        self._follow_own()

    def stop(self) -> None:
        """Ends the timeline that runs, if any: its rules go, those that it took away are back. Raises 503."""
        with self._store.writing() as db:
            db.execute("delete from fault_timeline")
            _changed(db)
        self._follow_own()

    def running(self) -> tuple[Timeline, datetime] | None:
        """The timeline that runs, and when it began by the simulator's clock. Raises 503."""
        self.follow()
        running = self._plan.running
        return (running.timeline, running.began) if running else None

    # --- the world

    def keep_time_with(self, keep_time: Callable[[Database], None]) -> None:
        """Has ``keep_time`` called before rules that others have set are followed: it has the clock right."""
        self._keep_time = keep_time

    def play(self, rules: Sequence[Rule], timelines: Sequence[Timeline], seed: str) -> None:
        """What the scenario in play says, of which ``reset`` takes the rules. In every process; no SQL."""
        self._scenario = (rules, timelines, seed)

    def reset(self, db: Database, rules: Sequence[Rule] | None = None) -> None:
        """In the caller's transaction: the rules of the scenario in play, or these; no timeline, no counts.

        ``follow`` is for afterwards.
        """
        db.execute("delete from fault_timeline")
        db.execute("delete from fault_rules")
        for place, rule in enumerate(self._scenario[0] if rules is None else rules):
            _insert(db, rule, place)
        _changed(db)

    def _follow_own(self) -> None:
        """Follows what was just written here. It has happened: that it cannot be read again now is no error of it."""
        with contextlib.suppress(EditorError):  # what looks for changes does it once more
            self.follow()

    def set_back(self, db: Database, by: timedelta) -> None:
        """Sets back with the clock when the running timeline began: it goes on where it was."""
        set_back(db, "fault_timeline", "began", by)
        _changed(db)

    def follow(self) -> None:
        """Does what any process has set, and ends the waits of rules that went. Cheap when there is nothing new.

        Raises 503.
        """
        with self._following:
            with self._store.reading() as db:
                version = controls.get(db, _VERSION)
                if version != self._plan.version:
                    # When a timeline began is told by the clock that is set now.
                    self._keep_time(db)
                    self._plan = _load(db, version)
            table = self._plan.table(self._clock_now())
            known, self._followed = self._followed, table
        if table is known:
            return
        with self._waiting_lock:
            waiting = list(self._waiting.items())
        self._to_wake.extend(hold for hold, acting in waiting if not acting.in_force())
        for _ in range(_WOKEN_AT_ONCE):
            self._wake_next()

    def _wake_next(self) -> None:
        """Wakes one of those that are to be woken; when its wait has ended, it does the same."""
        with self._waiting_lock:
            while self._to_wake:
                hold = self._to_wake.popleft()
                # It may have ended by itself.
                if hold in self._waiting:
                    hold.wake()
                    return

    # --- exchanges

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
        """The rule that acts on an exchange, if one does; then it is counted. ``direction`` is "in" or "out".

        ``body`` is called when a rule needs it only. Raises 503, and what ``body`` does.
        """
        while True:
            plan = self._plan
            if plan.empty or (flow in _OUTGOING) != (direction == "out"):
                return None
            now = self._clock_now()
            about = plan.table(now).about(flow, editor)
            likely = about.those_for(url, bodiless=method in _BODILESS)
            if not likely:
                return None
            asked = _Asked(method, url, header, body, now, zone)
            found = [(one, kinds) for one, kinds in likely if one.fits(asked)]
            if not found:
                return None
            fingerprint = _fingerprint(editor, method, url, body())
            with self._store.writing() as db:
                # Another worker may just have changed something, which we would hear of a moment later.
                if controls.get(db, _VERSION) == plan.version:
                    return self._first_acting(db, found, fingerprint)
            self.follow()

    def _first_acting(
        self, db: Database, found: list[tuple[_Ready, tuple[Kind, ...]]], fingerprint: str
    ) -> Match | None:
        """The first rule that acts. Those before it have matched, those after it are not asked."""
        for ready, kinds in found:
            matched, acted = _count(db, ready.mark)
            times = _count_request(db, ready.mark, fingerprint)
            draw = random.Random(f"{self._scenario[2]}:{ready.rule.name}:{fingerprint}:{times}")
            # Drawn in any case: what kinds draw does not depend on whether there is a share.
            if ready.acts(matched, acted, draw.random()):
                db.execute("update fault_counts set acted = acted + 1 where mark = ?", [ready.mark])
                return Match(self, ready, kinds, draw)
        return None

    def tally(self, mark: str, editor: str, seconds: float) -> int:
        """See ``Acting.tally``."""
        period = int(self._clock_now().timestamp() // seconds)
        with self._store.writing() as db:
            [(times,)] = db.execute(
                "insert into fault_tallies values (?, ?, ?, ?, 1) on conflict (mark, editor, seconds) do update"
                " set times = case when period = excluded.period then times + 1 else 1 end, period = excluded.period"
                " returning times",
                [mark, editor, seconds, period],
            ).fetchall()
        return int(times)

    def wait(self, acting: Match, hold: Hold, seconds: float) -> None:
        """See ``Acting.wait``."""
        until = time.monotonic() + seconds
        with self._waiting_lock:
            self._waiting[hold] = acting
        try:
            # Looked at after it is among those that are woken, so that no change is missed.
            while acting.in_force() and (left := until - time.monotonic()) > 0:
                ended = hold.wait(min(left, _LOOK) if self._plan.running else left)
                if ended in (Ended.GONE, Ended.STOPPING):
                    raise WaitEndedError(ended)
        finally:
            with self._waiting_lock:
                del self._waiting[hold]
            self._wake_next()


# --- rows


def _written(rule: Rule) -> str:
    return rule.model_dump_json()


@functools.lru_cache(maxsize=2 * MOST_RULES)
def _rule(text: str) -> Rule:
    return Rule.model_validate_json(text)


def _insert(db: Database, rule: Rule, place: int) -> None:
    """Adds a rule at a place, or replaces the one of its name where it is."""
    db.execute(
        "insert into fault_rules values (?, ?, ?, ?)"
        " on conflict (name) do update set mark = excluded.mark, rule = excluded.rule",
        [rule.name, place, uuid.uuid4().hex, _written(rule)],
    )


def _changed(db: Database) -> None:
    """Has all processes read anew, and forgets the counts of what has gone."""
    for table in ("fault_counts", "fault_requests", "fault_tallies"):
        db.execute(
            f"delete from {table} where mark not in (select mark from fault_rules)"  # noqa: S608 - names of ours
            f" and substr(mark, 1, {_MARK}) not in (select mark from fault_timeline)"
        )
    # Drawn, not counted: a state that is put back from a file must not pass for the one of the same number.
    controls.put(db, _VERSION, uuid.uuid4().hex)


def _load(db: Database, version: str | None) -> _Plan:
    rules = []
    for name, text, mark in db.execute("select name, rule, mark from fault_rules order by place").fetchall():
        try:
            rules.append((_rule(text), mark))
        except ValidationError as error:
            _log.warning("The fault rule %s is left out, another version of the simulator has set it: %s", name, error)
    found = db.execute("select timeline, began, mark from fault_timeline").fetchone()
    running = None
    if found:
        try:
            timeline = Timeline.model_validate_json(found[0])
            running = _Running(timeline, datetime.fromisoformat(found[1]).astimezone(UTC), found[2])
        except ValidationError as error:
            _log.warning("The timeline is left out, another version of the simulator has started it: %s", error)
    return _Plan(version, rules, running)


def _count(db: Database, mark: str) -> tuple[int, int]:
    """Counts a match; tells which one it is, and how often the rule has acted."""
    [(matched, acted)] = db.execute(
        "insert into fault_counts values (?, 1, 0, 0) on conflict (mark) do update set matched = matched + 1"
        " returning matched, acted",
        [mark],
    ).fetchall()
    return matched, acted


def _count_request(db: Database, mark: str, fingerprint: str) -> int:
    """The how manieth time the rule meets this request."""
    [(times,)] = db.execute(
        "insert into fault_requests values (?, ?, 1) on conflict (mark, fingerprint) do update set times = times + 1"
        " returning times",
        [mark, fingerprint],
    ).fetchall()
    if times == 1:
        [(different,)] = db.execute(
            "update fault_counts set different = different % ? + 1 where mark = ? returning different",
            [MOST_DIFFERENT, mark],
        ).fetchall()
        if different == MOST_DIFFERENT:
            db.execute("delete from fault_requests where mark = ?", [mark])
    return int(times)


def _fingerprint(editor: str | None, method: str, url: str, body: bytes) -> str:
    """The same for the same request, whenever, by whomever and to whichever worker it is sent."""
    whole = "\0".join((editor or "", method, url)).encode("utf-8", "surrogatepass") + b"\0" + body
    return hashlib.blake2b(whole, digest_size=16).hexdigest()

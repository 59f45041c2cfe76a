"""The fault rules and their counts in the store: all of their SQL. Each function is part of its caller's transaction.

A *mark* stands for one life of a rule: it changes when the rule is set anew, and its counts go with it.
"""

import functools
import logging
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from sqlite_utils import Database

from mock_editor.base import controls
from mock_editor.base.instants import set_back
from mock_editor.faults.matching import RuleSet, Running
from mock_editor.faults.rules import MOST_RULES, Rule, Timeline

# fault_requests: how often a rule has met each request, see MOST_DIFFERENT. fault_tallies: see `tally`.
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
# A rule remembers this many different requests. With the next one it forgets them, and repetitions are counted from
# the first again, with the same draws.
MOST_DIFFERENT = 20_000

_VERSION = "faults"
_MARK = 32
_log = logging.getLogger(__name__)


# --- rules and timelines


def version(db: Database) -> str | None:
    """Changes with everything that is set."""
    value: str | None = controls.get(db, _VERSION)
    return value


def load(db: Database) -> RuleSet:
    """All that is set. What another version of the simulator wrote, and this one cannot read, is left out."""
    rules = []
    for name, text, mark in db.execute("select name, rule, mark from fault_rules order by place").fetchall():
        try:
            rules.append((_read(text), mark))
        except ValidationError as error:
            _log.warning("The fault rule %s is left out, another version of the simulator has set it: %s", name, error)
    row = db.execute("select timeline, began, mark from fault_timeline").fetchone()
    running = None
    if row:
        try:
            timeline = Timeline.model_validate_json(row[0])
            running = Running(timeline, datetime.fromisoformat(row[1]).astimezone(UTC), row[2])
        except ValidationError as error:
            _log.warning("The timeline is left out, another version of the simulator has started it: %s", error)
    return RuleSet(version(db), rules, running)


def exists(db: Database, name: str) -> bool:
    """Whether there is a rule of this name."""
    [(count,)] = db.execute("select count(*) from fault_rules where name = ?", [name])
    return bool(count)


def number(db: Database) -> int:
    """How many rules there are."""
    [(count,)] = db.execute("select count(*) from fault_rules")
    return int(count)


def put(db: Database, rule: Rule) -> None:
    """Adds a rule as the last one, or replaces the one of its name where it is."""
    [(last,)] = db.execute("select coalesce(max(place), 0) from fault_rules")
    _insert(db, rule, last + 1)
    _changed(db)


def switch(db: Database, name: str, *, on: bool) -> Rule | None:
    """Switches a rule on or off, and returns it; None if there is no such rule."""
    row = db.execute("select rule from fault_rules where name = ?", [name]).fetchone()
    if not row:
        return None
    rule = _read(row[0]).model_copy(update={"on": on})
    db.execute("update fault_rules set rule = ? where name = ?", [_written(rule), name])
    _changed(db)
    return rule


def remove(db: Database, name: str) -> bool:
    """Removes a rule; False if there is no such rule."""
    if not db.execute("delete from fault_rules where name = ?", [name]).rowcount:
        return False
    _changed(db)
    return True


def replace(db: Database, rules: Iterable[Rule]) -> None:
    """Replaces all rules by these; no timeline, no counts."""
    db.execute("delete from fault_timeline")
    db.execute("delete from fault_rules")
    for place, rule in enumerate(rules):
        _insert(db, rule, place)
    _changed(db)


def start(db: Database, timeline: Timeline, began: datetime) -> None:
    """Runs a timeline in place of the one that runs."""
    row = {"id": 1, "mark": uuid.uuid4().hex, "began": began.isoformat()}
    db.table("fault_timeline").upsert(row | {"timeline": timeline.model_dump_json()}, pk="id")
    _changed(db)


def stop(db: Database) -> None:
    """Ends the timeline that runs, if any."""
    db.execute("delete from fault_timeline")
    _changed(db)


def set_beginning_back(db: Database, by: timedelta) -> None:
    """Sets back when the running timeline began."""
    set_back(db, "fault_timeline", "began", by)
    _changed(db)


def _written(rule: Rule) -> str:
    return rule.model_dump_json()


@functools.lru_cache(maxsize=2 * MOST_RULES)
def _read(text: str) -> Rule:
    return Rule.model_validate_json(text)


def _insert(db: Database, rule: Rule, place: int) -> None:
    db.execute(
        "insert into fault_rules values (?, ?, ?, ?)"
        " on conflict (name) do update set mark = excluded.mark, rule = excluded.rule",
        [rule.name, place, uuid.uuid4().hex, _written(rule)],
    )


def _changed(db: Database) -> None:
    """Makes all processes read again, and forgets the counts of what has gone."""
    for table in ("fault_counts", "fault_requests", "fault_tallies"):
        db.execute(
            f"delete from {table} where mark not in (select mark from fault_rules)"  # noqa: S608 - names of ours
            f" and substr(mark, 1, {_MARK}) not in (select mark from fault_timeline)"
        )
    # Drawn, not counted: a restored state must not pass for another one with the same number.
    controls.put(db, _VERSION, uuid.uuid4().hex)


# --- counts


def counts(db: Database) -> dict[str, tuple[int, int]]:
    """By mark of a rule: how often it matched, and how often it acted."""
    rows = db.execute("select mark, matched, acted from fault_counts").fetchall()
    return {mark: (matched, acted) for mark, matched, acted in rows}


def count_match(db: Database, mark: str) -> tuple[int, int]:
    """Counts a match; returns its number, and how often the rule has acted before."""
    [(matched, acted)] = db.execute(
        "insert into fault_counts values (?, 1, 0, 0) on conflict (mark) do update set matched = matched + 1"
        " returning matched, acted",
        [mark],
    ).fetchall()
    return matched, acted


def count_action(db: Database, mark: str) -> None:
    """Counts that the rule acts."""
    db.execute("update fault_counts set acted = acted + 1 where mark = ?", [mark])


def count_request(db: Database, mark: str, fingerprint: str) -> int:
    """Counts that the rule meets this request; returns how often it has, this time included."""
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


def tally(db: Database, mark: str, editor: str, seconds: float, period: int) -> int:
    """Counts for a rule and an editor within the ``period``-th period of so many ``seconds``; returns the count."""
    [(times,)] = db.execute(
        "insert into fault_tallies values (?, ?, ?, ?, 1) on conflict (mark, editor, seconds) do update"
        " set times = case when period = excluded.period then times + 1 else 1 end, period = excluded.period"
        " returning times",
        [mark, editor, seconds, period],
    ).fetchall()
    return int(times)

"""All SQL that reads the journal's entries and counts, or deletes them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.flows import Flow
from mock_editor.base.issues import from_text
from mock_editor.journal.filters import EntryFilter, prepare
from mock_editor.journal.model import Answered, Count, Entry, EntrySummary, Latencies, Limits, Tally, Totals
from mock_editor.journal.tables import COLUMNS, TOTALS, JournalFile, milliseconds

_SELECT = f"select {', '.join(COLUMNS)} from entries"  # noqa: S608 - names of ours
_ERROR, _RULE = EntrySummary._fields.index("error"), EntrySummary._fields.index("rule")
_SUMMARY = f"select {', '.join(EntrySummary._fields)} from entries"  # noqa: S608 - likewise


@dataclass(slots=True)
class JournalRepository:
    """The rows of the journal in ``store``. Everything raises 503 when the file cannot be read."""

    store: JournalFile
    limits: Limits

    def find(self, wanted: EntryFilter) -> list[Entry]:
        """A page of whole entries."""
        page, values = wanted.page()
        return [_entry(row) for row in self._rows(f"{_SELECT} where {page}", values)]

    def summaries(self, wanted: EntryFilter) -> list[EntrySummary]:
        """A page of entries; heads and bodies are not even read."""
        page, values = wanted.page()
        return [_summary(row) for row in self._rows(f"{_SUMMARY} where {page}", values)]

    def ids(self, wanted: EntryFilter) -> list[int]:
        """A page of ids."""
        page, values = wanted.page()
        return [identifier for (identifier,) in self._rows(f"select id from entries where {page}", values)]  # noqa: S608 - conditions of ours

    def get(self, identifier: int) -> Entry | None:
        """One entry, if it is there."""
        return next((_entry(row) for row in self._rows(f"{_SELECT} where id = :id", {"id": identifier})), None)

    def count(self, wanted: EntryFilter) -> tuple[int, int]:
        """How many entries match, and the last id that had been given at that moment."""
        where, values = wanted.where()
        query = (
            f"select (select count(*) from entries where {where}), "  # noqa: S608 - likewise
            "(select sequence from totals)"
        )
        [(found, last)] = self._rows(query, values)
        return found, last

    def answered(self, since: datetime, most: int) -> list[Answered]:
        """What editors were asked since ``since``, among the last ``most`` entries; the last first."""
        query = (
            "select editor, time, duration, status from "
            "(select editor, time, duration, status, direction from entries order by id desc limit :most) "
            "where time >= :since and direction = 'in' and editor is not null"
        )
        return list(map(Answered._make, self._rows(query, {"most": most, "since": milliseconds(since)})))

    def tallies(self, most: int) -> list[Tally]:
        """What came in by flow, among the last ``most`` entries."""
        query = (
            "select flow, count(*), count(rule) from "
            "(select flow, rule, direction from entries order by id desc limit :most) "
            "where direction = 'in' group by flow"
        )
        return [Tally(Flow(flow), *counts) for flow, *counts in self._rows(query, {"most": most})]

    def oldest(self) -> datetime | None:
        """When the oldest remaining entry began."""
        found = self._rows("select time from entries order by id limit 1", {})
        return next((_instant(time) for (time,) in found), None)

    def has_old(self, now: float) -> bool:
        """Whether there are entries older than allowed; ``now`` in seconds since 1970."""
        rows = self._rows("select time from entries order by id limit 1", {})
        return any(time < (now - self.limits.age.total_seconds()) * 1000 for (time,) in rows)

    def totals(self) -> Totals:
        """The sums over all entries."""
        return Totals(*self._rows(TOTALS, {})[0])

    def counts(self) -> Iterator[Count]:
        """All that is counted, by label."""
        return map(Count._make, self._rows("select * from counts order by 1, 2, 3, 4", {}))

    def latencies(self) -> Iterator[Latencies]:
        """How long exchanges took, by label."""
        return map(Latencies._make, self._rows("select * from latencies order by 1, 2, 3, 4", {}))

    def processes(self) -> Mapping[int, int]:
        """The waiting requests of each process, as it last reported them."""
        return dict(self._rows("select pid, waiting from processes", {}))

    # --- deleting

    def clear(self) -> None:
        """Deletes all entries; ids continue from where they were, and counts stay."""
        with self.store.writing() as db:
            db.execute("delete from entries")
            db.execute("update totals set entries = 0, bytes = 0")

    def forget_processes(self, pids: Iterable[int]) -> None:
        """Deletes the reports of processes that have ended."""
        with self.store.writing() as db:
            db.conn.executemany("delete from processes where pid = ?", [(pid,) for pid in pids])

    def _rows(self, query: str, values: Mapping[str, Any]) -> list[Any]:
        with self.store.reading() as db:
            if values.get("contains") is not None:
                prepare(db.conn)
            return db.conn.execute(query, values).fetchall()  # whole: an open one would keep the log from shrinking


def after(wanted: EntryFilter, identifier: int, limit: int) -> EntryFilter:
    """The same filter for the first entries after an id."""
    return replace(wanted, after=identifier, limit=limit, oldest_first=True)


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(milliseconds=milliseconds % 1000)


def _entry(row: Sequence[Any]) -> Entry:
    values = dict(zip(COLUMNS, row, strict=True))
    del values["weight"]
    values |= {"time": _instant(values["time"]), "clock": _instant(values["clock"]), "flow": Flow(values["flow"])}
    values["error"] = from_text(values["error"]) if values["error"] else None
    values["rule"] = AppliedRule.from_text(values["rule"]) if values["rule"] else None
    for name in ("request_headers", "answer_headers"):
        values[name] = [(header, value) for header, value in orjson.loads(values[name])]
    return Entry(**values)


def _summary(row: Sequence[Any]) -> EntrySummary:
    summary = EntrySummary._make(row)
    error = from_text(row[_ERROR]) if row[_ERROR] else None
    rule = AppliedRule.from_text(row[_RULE]) if row[_RULE] else None
    return summary._replace(
        time=_instant(row[1]), clock=_instant(row[2]), flow=Flow(summary.flow), error=error, rule=rule
    )

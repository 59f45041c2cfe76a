"""What the journal holds, and all of its SQL.

Ids are given in the transaction that writes, so they follow the order of the commits over all processes: whoever has
seen the entry 7 will never have to look for a 6 that comes later.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import orjson
from sqlite_utils import Database

from mock_editor.base.flows import SEARCHES, Flow
from mock_editor.base.store import Store
from mock_editor.journal import redaction
from mock_editor.journal.filters import Filters, milliseconds, prepare

# `weight` stands before the bodies: to read it, SQLite need not read them. Totals: see Totals.
SCHEMA = """
create table if not exists entries (
    id integer primary key, weight integer not null, time integer not null, clock integer not null,
    duration real not null, direction text not null, origin text not null, editor text, flow text not null,
    method text not null,
    status integer, error text, rule text, peer text, certificate text, request_size integer not null,
    answer_size integer not null, path text not null, url text not null, request_headers text not null,
    answer_headers text not null, request_body blob not null, answer_body blob not null) strict;
create table if not exists totals (
    id integer primary key check (id = 1), sequence integer not null, entries integer not null, bytes integer not null,
    lost integer not null) strict;
insert or ignore into totals values (1, 0, 0, 0, 0);
create table if not exists counts (
    direction text, editor text, flow text, status text, requests integer not null, seconds real not null,
    primary key (direction, editor, flow, status)) strict, without rowid;
create table if not exists latencies (
    direction text, editor text, flow text, bucket integer, requests integer not null,
    primary key (direction, editor, flow, bucket)) strict, without rowid;
create table if not exists processes (pid integer primary key, waiting integer not null) strict
"""
_COLUMNS = (
    "id", "weight", "time", "clock", "duration", "direction", "origin", "editor", "flow", "method", "status",
    "error", "rule", "peer", "certificate", "request_size", "answer_size", "path", "url", "request_headers",
    "answer_headers", "request_body", "answer_body",
)  # fmt: skip
# Each step of SQLite lets another thread run and has to wait for its turn again, which costs more than the row: so
# there are statements for so many rows at once.
_AT_ONCE = (16, 4, 1)
_INSERT = f"insert into entries ({', '.join(_COLUMNS)}) values "  # noqa: S608
_ROW = f"({', '.join('?' * len(_COLUMNS))})"
_SELECT = f"select {', '.join(_COLUMNS)} from entries"  # noqa: S608 - names of ours
# Of a search's answer, this is the Bundle with its links, and some of the first entry. Each byte has its cost, and
# nobody can make much of a body that is cut.
_BEGINNING = 2048
# What an entry takes besides its texts and bodies, about.
_OVERHEAD = 200
# An entry is larger than SQLite's usual page of 4 kB: with these, and without waiting for the disk, writing it takes
# half as long. The write-ahead log is copied into the file at 4 MB, and then shortened to 8 MB if it has grown beyond.
# Without such a log, writing costs a third less, but who reads for long holds up the writer until exchanges are lost.
# Debian's SQLite writes zeros over whatever is deleted, unless told not to; no secret ever gets here.
_SETTINGS = (
    "secure_delete = off",
    "page_size = 16384",
    "wal_autocheckpoint = 250",
    "journal_size_limit = 8000000",
    "synchronous = off",
)
_TOTALS = "select sequence, entries, bytes, lost from totals"
_OLDEST_PAGE = 50
_OLDEST = (
    "select json_group_array(json_array(id, weight, time)) from "
    "(select id, weight, time from entries where id > ? order by id limit ?)"
)
# Upper bounds in seconds of the classes of the latency histogram; above the last one, there is one more.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """An exchange as it happened, secrets included. Bodies are what was kept of them, sizes those of the whole.

    ``origin`` is where it was received (``https://lga.example:8443``), if it was; ``began`` is in seconds since 1970,
    ``seconds`` is how long it took until the answer was complete. The writer notes the ``id`` that it got, and in
    ``taken`` that a change comes too late to go along.
    """

    began: float
    clock: datetime
    direction: str
    editor: str | None
    flow: Flow
    method: str
    url: str
    origin: str = ""
    seconds: float = 0.0
    status: int | None = None
    peer: str | None = None
    certificate: str | None = None
    request_headers: Sequence[tuple[str, str]] = ()
    request_body: bytes = b""
    request_size: int = 0
    answer_headers: Sequence[tuple[str, str]] = ()
    answer_body: bytes = b""
    answer_size: int = 0
    error: str | None = None
    rule: str | None = None
    id: int = 0
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An exchange as the journal shows it. ``time`` is real, ``clock`` the simulator's; ``duration`` in milliseconds.

    A body may be shorter than its size: then it is the beginning. Without a ``status``, ``error`` tells why; with one,
    why the answer did not arrive whole.
    """

    id: int
    time: datetime
    clock: datetime
    duration: float
    direction: str
    origin: str
    editor: str | None
    flow: Flow
    method: str
    status: int | None
    error: str | None
    rule: str | None
    peer: str | None
    certificate: str | None
    request_size: int
    answer_size: int
    path: str
    url: str
    request_headers: Sequence[tuple[str, str]]
    answer_headers: Sequence[tuple[str, str]]
    request_body: bytes
    answer_body: bytes


class Brief(NamedTuple):
    """An entry in a list, without its heads and bodies; see Entry."""

    id: int
    time: datetime
    clock: datetime
    duration: float
    direction: str
    editor: str | None
    flow: Flow
    method: str
    status: int | None
    error: str | None
    rule: str | None
    url: str


class Answered(NamedTuple):
    """What an editor has answered: when that was asked (milliseconds since 1970), and how long it took (likewise)."""

    editor: str
    time: int
    duration: float
    status: int | None


class Tally(NamedTuple):
    """The exchanges of a flow, and on how many of them a fault has acted."""

    flow: Flow
    exchanges: int
    faulted: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the journal keeps at most. A body that is longer than ``body`` is not kept whole, but its beginning is."""

    entries: int
    bytes: int
    age: timedelta
    body: int

    def kept(self, size: int) -> int:
        """How many bytes are kept of a body with so many."""
        return size if size <= self.body else min(self.body, _BEGINNING)


class JournalFile(Store):
    """The file of a journal, which is made if need be. Raises StoreError.

    ``sequence`` is the last id that this process has seen. When the file is taken away, there is soon another one, with
    what comes from then on. Nothing in it waits for the disk: what was committed survives ``kill -9``, but a power cut
    may spoil the file.
    """

    def __init__(self, path: Path) -> None:
        self.sequence = 0
        super().__init__(path, (SCHEMA,), settings=_SETTINGS, anew=True)

    def _prepared(self, db: Database) -> None:
        # In a file that was made anew, ids go on.
        db.execute("update totals set sequence = max(sequence, ?)", [self.sequence])


class Count(NamedTuple):
    """The exchanges with one combination of labels since the journal was begun; ``editor`` may be empty."""

    direction: str
    editor: str
    flow: str
    status: str
    requests: int
    seconds: float


class Latencies(NamedTuple):
    """How many exchanges fell into one class of the histogram, see BUCKETS."""

    direction: str
    editor: str
    flow: str
    bucket: int
    requests: int


class Batch:
    """What one transaction writes: rows of entries, and what is counted."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.rows: list[list[Any]] = []
        self.errors: list[Exchange] = []
        self.counts: dict[tuple[str, str, str, str], list[float]] = {}
        self.latencies: dict[tuple[str, str, str, int], int] = {}
        self.lost = 0
        self.waiting: tuple[int, int] | None = None  # of the process

    def count(self, one: Exchange) -> None:
        """Counts an exchange."""
        status = "none" if one.status is None else str(one.status)
        sums = self.counts.setdefault((one.direction, one.editor or "", one.flow, status), [0, 0.0])
        sums[0] += 1
        sums[1] += one.seconds
        key = (one.direction, one.editor or "", one.flow, bisect_left(BUCKETS, one.seconds))
        self.latencies[key] = self.latencies.get(key, 0) + 1

    def keep(self, one: Exchange, limits: Limits) -> None:
        """Makes the row of an exchange, without secrets, with as much of its bodies as the limits allow."""
        self.rows.append(_row(one, limits))
        self.exchanges.append(one)


def _row(one: Exchange, limits: Limits) -> list[Any]:
    fhir = "/fhir/" in one.url.partition("?")[0] or one.flow is Flow.INT_R03
    url = redaction.url(one.url, fhir=fhir)
    request_body = one.request_body[: limits.kept(one.request_size)]
    answer_body = one.answer_body[: limits.kept(one.answer_size)]
    if request_body:
        # Of an answer, what was compressed is not any more.
        compressed = _header(one.request_headers, "content-encoding").strip().lower() not in ("", "identity")
        request_body = (
            redaction.MASK.encode()
            if compressed
            else _redacted(request_body, one.request_size, one.request_headers, fhir)
        )
    # What a search answers is made of the scenario and of the URL, and no other body is as large or as frequent.
    if not (one.flow in SEARCHES and one.status == 200 and one.method == "GET" and url is one.url):
        answer_body = _redacted(answer_body, one.answer_size, one.answer_headers, fhir)
    request_headers = orjson.dumps(redaction.headers(one.request_headers)).decode()
    answer_headers = orjson.dumps(redaction.headers(one.answer_headers)).decode()
    weight = _OVERHEAD + len(url) + len(request_headers) + len(answer_headers) + len(request_body) + len(answer_body)
    return [
        0, weight, int(one.began * 1000), milliseconds(one.clock), round(one.seconds * 1000, 3), one.direction,
        one.origin, one.editor, one.flow.value, one.method, one.status,
        redaction.text(one.error) if one.error else None, one.rule, one.peer, one.certificate, one.request_size,
        one.answer_size, _path(url), url, request_headers, answer_headers, request_body, answer_body,
    ]  # fmt: skip


def _redacted(body: bytes, size: int, headers: Iterable[tuple[str, str]], fhir: bool) -> bytes:
    media_type = _header(headers, "content-type")
    fhir = fhir or "fhir+json" in media_type or "json+fhir" in media_type
    return redaction.body(body, media_type, fhir=fhir, cut=len(body) < size)


def _header(headers: Iterable[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _path(url: str) -> str:
    path = url.partition("?")[0] if url.startswith("/") else urlsplit(url).path
    return unquote(path) if "%" in path else path


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(milliseconds=milliseconds % 1000)


def _entry(row: Sequence[Any]) -> Entry:
    values = dict(zip(_COLUMNS, row, strict=True))
    del values["weight"]
    values |= {"time": _instant(values["time"]), "clock": _instant(values["clock"]), "flow": Flow(values["flow"])}
    for name in ("request_headers", "answer_headers"):
        values[name] = [(header, value) for header, value in orjson.loads(values[name])]
    return Entry(**values)


def _brief(row: Sequence[Any]) -> Brief:
    found = Brief._make(row)
    return found._replace(time=_instant(row[1]), clock=_instant(row[2]), flow=Flow(found.flow))


def _portions(rows: list[list[Any]]) -> Iterator[list[list[Any]]]:
    at = 0
    for size in _AT_ONCE:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


@dataclass(slots=True)
class Totals:
    """Sums that would cost a scan: the last id given, the entries there are, their bytes, and exchanges lost."""

    sequence: int
    entries: int
    bytes: int
    lost: int


@dataclass(slots=True)
class Entries:
    """The rows of the journal in ``store``."""

    store: JournalFile
    limits: Limits

    # --- writing

    def write(self, batch: Batch, now: float) -> None:
        """Writes a batch and lets go of what is beyond the limits; ``now`` in seconds since 1970. Raises 503."""
        with self.store.writing() as db:
            totals = Totals(*db.execute(_TOTALS).fetchone())
            for row in batch.rows:
                totals.sequence += 1
                row[0] = totals.sequence
                totals.bytes += row[1]
            totals.entries += len(batch.rows)
            totals.lost += batch.lost
            for rows in _portions(batch.rows):
                db.execute(_INSERT + ", ".join([_ROW] * len(rows)), list(chain.from_iterable(rows)))
            if batch.errors:
                late = [(redaction.text(one.error or ""), one.id) for one in batch.errors if one.id]
                db.conn.executemany("update entries set error = ? where id = ?", late)
            self._forget(db, totals, int((now - self.limits.age.total_seconds()) * 1000))
            self._count(db, batch)
            sums = [totals.sequence, totals.entries, totals.bytes, totals.lost]
            db.execute("update totals set sequence = ?, entries = ?, bytes = ?, lost = ?", sums)
        self.store.sequence = totals.sequence
        for one, row in zip(batch.exchanges, batch.rows, strict=True):
            one.id = row[0]

    def _forget(self, db: Database, totals: Totals, oldest: int) -> None:
        """Deletes the oldest entries as long as there is too much, or they are too old."""
        last, going = 0, True
        while going:
            going = False
            # As one value, see _AT_ONCE; usually as many have to go as have come.
            [page] = db.execute(_OLDEST, [last, _OLDEST_PAGE]).fetchone()
            for identifier, weight, time in orjson.loads(page):
                beyond = totals.entries > self.limits.entries or totals.bytes > self.limits.bytes
                going = beyond or time < oldest
                if not going:
                    break
                last = identifier
                totals.entries -= 1
                totals.bytes -= weight
        if last:
            db.execute("delete from entries where id <= ?", [last])

    def _count(self, db: Database, batch: Batch) -> None:
        db.conn.executemany(
            "insert into counts values (?, ?, ?, ?, ?, ?) on conflict do update set "
            "requests = requests + excluded.requests, seconds = seconds + excluded.seconds",
            [(*key, int(requests), seconds) for key, (requests, seconds) in batch.counts.items()],
        )
        db.conn.executemany(
            "insert into latencies values (?, ?, ?, ?, ?) on conflict do update set "
            "requests = requests + excluded.requests",
            [(*key, requests) for key, requests in batch.latencies.items()],
        )
        if batch.waiting:
            db.execute("insert or replace into processes values (?, ?)", batch.waiting)

    def clear(self) -> None:
        """Forgets all entries; ids go on where they were. What is counted stays."""
        with self.store.writing() as db:
            db.execute("delete from entries")
            db.execute("update totals set entries = 0, bytes = 0")

    def forget_processes(self, gone: Iterable[int]) -> None:
        """Forgets what processes that are gone have said of themselves."""
        with self.store.writing() as db:
            db.conn.executemany("delete from processes where pid = ?", [(pid,) for pid in gone])

    # --- reading

    def find(self, filters: Filters, limit: int, *, newest_first: bool) -> list[Entry]:
        """The first entries that are meant."""
        where, values = filters.where()
        order = "desc" if newest_first else "asc"
        query = f"{_SELECT} where {where} order by id {order} limit :limit"
        return [_entry(row) for row in self._rows(query, values | {"limit": limit})]

    def get(self, identifier: int) -> Entry | None:
        """One entry, if it is there."""
        return next((_entry(row) for row in self._rows(f"{_SELECT} where id = :id", {"id": identifier})), None)

    def briefs(
        self, filters: Filters, limit: int, *, before: int | None = None, newest_first: bool = True
    ) -> list[Brief]:
        """The first entries that are meant, of those before an id if one is given. No body is read for it."""
        where, values = filters.where()
        order = "desc" if newest_first else "asc"
        query = (
            f"select {', '.join(Brief._fields)} from entries where {where} and (:before is null or id < :before) "  # noqa: S608 - likewise
            f"order by id {order} limit :limit"
        )
        return [_brief(row) for row in self._rows(query, values | {"limit": limit, "before": before})]

    def answered(self, since: datetime, most: int) -> list[Answered]:
        """What editors were asked since then, of the last ``most`` entries; the last first."""
        query = (
            "select editor, time, duration, status from "
            "(select editor, time, duration, status, direction from entries order by id desc limit :most) "
            "where time >= :since and direction = 'in' and editor is not null"
        )
        return list(map(Answered._make, self._rows(query, {"most": most, "since": milliseconds(since)})))

    def tallies(self, most: int) -> list[Tally]:
        """What came in by flow, of the last ``most`` entries."""
        query = (
            "select flow, count(*), count(rule) from "
            "(select flow, rule, direction from entries order by id desc limit :most) "
            "where direction = 'in' group by flow"
        )
        return [Tally(Flow(flow), *counts) for flow, *counts in self._rows(query, {"most": most})]

    def oldest(self) -> datetime | None:
        """When the oldest entry began that is still there."""
        return next(
            (_instant(time) for (time,) in self._rows("select time from entries order by id limit 1", {})), None
        )

    def count(self, filters: Filters, after: int | None = None) -> tuple[int, int]:
        """How many are meant, of those after an id; and the last id that was given at that moment."""
        where, values = filters.where(after=after)
        query = (
            "select (select count(*) from entries where " + where + "), "  # noqa: S608 - conditions of ours
            "(select sequence from totals)"
        )
        [(found, last)] = self._rows(query, values)
        return found, last

    def ids(self, filters: Filters, after: int, limit: int) -> list[int]:
        """The ids of the first that are meant after an id."""
        where, values = filters.where(after=after)
        query = f"select id from entries where {where} order by id limit :limit"  # noqa: S608 - likewise
        return [identifier for (identifier,) in self._rows(query, values | {"limit": limit})]

    def has_old(self, now: float) -> bool:
        """Whether there are entries that are older than they may be; ``now`` in seconds since 1970."""
        rows = self._rows("select time from entries order by id limit 1", {})
        return any(time < (now - self.limits.age.total_seconds()) * 1000 for (time,) in rows)

    def totals(self) -> Totals:
        """The sums over all entries."""
        return Totals(*self._rows(_TOTALS, {})[0])

    def counts(self) -> Iterator[Count]:
        """All that is counted, by label."""
        return map(Count._make, self._rows("select * from counts order by 1, 2, 3, 4", {}))

    def latencies(self) -> Iterator[Latencies]:
        """How long exchanges took, by label."""
        return map(Latencies._make, self._rows("select * from latencies order by 1, 2, 3, 4", {}))

    def processes(self) -> Mapping[int, int]:
        """The waiting requests of each process, as it has last told."""
        return dict(self._rows("select pid, waiting from processes", {}))

    def _rows(self, query: str, values: Mapping[str, Any]) -> list[Any]:
        with self.store.reading() as db:
            if "decoded(" in query:
                prepare(db.conn)
            return db.conn.execute(query, values).fetchall()  # whole: an open one would keep the log from shrinking

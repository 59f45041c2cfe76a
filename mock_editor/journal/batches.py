"""What one transaction of the journal writes: new entries without their secrets, counts, and what is deleted."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from sqlite_utils import Database

from mock_editor.base.flows import SEARCHES, Flow
from mock_editor.base.issues import Issue, as_text
from mock_editor.journal import redaction
from mock_editor.journal.model import BUCKETS, ExchangeRecord, Limits, Totals
from mock_editor.journal.tables import COLUMNS, TOTALS, JournalFile, milliseconds

# With each step of SQLite another thread may run, and waiting for the next turn costs more than the row itself. So
# there are statements for this many rows at once.
_AT_ONCE = (16, 4, 1)
_INSERT = f"insert into entries ({', '.join(COLUMNS)}) values "  # noqa: S608
_ROW = f"({', '.join('?' * len(COLUMNS))})"
# The approximate size of an entry without its texts and bodies, in bytes.
_OVERHEAD = 200
_OLDEST_PAGE = 50
_OLDEST = (
    "select json_group_array(json_array(id, weight, time)) from "
    "(select id, weight, time from entries where id > ? order by id limit ?)"
)


class Batch:
    """What one transaction writes: the rows of entries, and the counts."""

    def __init__(self) -> None:
        self.exchanges: list[ExchangeRecord] = []
        self.rows: list[list[Any]] = []
        self.errors: list[ExchangeRecord] = []
        self.counts: dict[tuple[str, str, str, str], list[float]] = {}
        self.latencies: dict[tuple[str, str, str, int], int] = {}
        self.lost = 0
        self.waiting: tuple[int, int] | None = None  # of the process

    def count(self, exchange: ExchangeRecord) -> None:
        """Counts an exchange."""
        status = "none" if exchange.status is None else str(exchange.status)
        sums = self.counts.setdefault((exchange.direction, exchange.editor or "", exchange.flow, status), [0, 0.0])
        sums[0] += 1
        sums[1] += exchange.seconds
        key = (exchange.direction, exchange.editor or "", exchange.flow, bisect_left(BUCKETS, exchange.seconds))
        self.latencies[key] = self.latencies.get(key, 0) + 1

    def keep(self, exchange: ExchangeRecord, limits: Limits) -> None:
        """Makes the row of an exchange, without secrets, with as much of its bodies as the limits allow."""
        self.rows.append(_row(exchange, limits))
        self.exchanges.append(exchange)


def _row(exchange: ExchangeRecord, limits: Limits) -> list[Any]:
    fhir = "/fhir/" in exchange.url.partition("?")[0] or exchange.flow is Flow.INT_R03
    url = redaction.url(exchange.url, fhir=fhir)
    request_body = exchange.request_body[: limits.bytes_of(exchange.request_size)]
    answer_body = exchange.answer_body[: limits.bytes_of(exchange.answer_size)]
    if request_body:
        # Answers are no longer compressed at this point; requests may be.
        compressed = _header(exchange.request_headers, "content-encoding").strip().lower() not in ("", "identity")
        request_body = (
            redaction.MASK.encode()
            if compressed
            else _redacted(request_body, exchange.request_size, exchange.request_headers, fhir)
        )
    # The answer to a search is made from the scenario and the URL alone. No other body is as large or as frequent.
    if not (exchange.flow in SEARCHES and exchange.status == 200 and exchange.method == "GET" and url is exchange.url):
        answer_body = _redacted(answer_body, exchange.answer_size, exchange.answer_headers, fhir)
    request_headers = orjson.dumps(redaction.headers(exchange.request_headers)).decode()
    answer_headers = orjson.dumps(redaction.headers(exchange.answer_headers)).decode()
    weight = _OVERHEAD + len(url) + len(request_headers) + len(answer_headers) + len(request_body) + len(answer_body)
    return [
        0, weight, int(exchange.began * 1000), milliseconds(exchange.clock), round(exchange.seconds * 1000, 3),
        exchange.direction, exchange.origin, exchange.editor, exchange.flow.value, exchange.method, exchange.status,
        _error_text(exchange.error) if exchange.error else None, exchange.rule.as_text() if exchange.rule else None,
        exchange.peer, exchange.certificate, exchange.request_size, exchange.answer_size, _path(url), url,
        request_headers, answer_headers, request_body, answer_body,
    ]  # fmt: skip


def _error_text(error: Issue) -> str:
    """What went wrong, without the secrets that other programs' texts may hold."""
    values = {name: redaction.text(value) if isinstance(value, str) else value for name, value in error.values.items()}
    return as_text(replace(error, values=values))


def _redacted(body: bytes, size: int, headers: Iterable[tuple[str, str]], fhir: bool) -> bytes:
    media_type = _header(headers, "content-type")
    fhir = fhir or "fhir+json" in media_type or "json+fhir" in media_type
    return redaction.body(body, media_type, fhir=fhir, cut=len(body) < size)


def _header(headers: Iterable[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _path(url: str) -> str:
    path = url.partition("?")[0] if url.startswith("/") else urlsplit(url).path
    return unquote(path) if "%" in path else path


def _portions(rows: list[list[Any]]) -> Iterator[list[list[Any]]]:
    at = 0
    for size in _AT_ONCE:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


@dataclass(slots=True)
class BatchWriter:
    """Writes to the journal in ``store`` and keeps it within ``limits``."""

    store: JournalFile
    limits: Limits

    def write(self, batch: Batch, now: float) -> None:
        """Writes a batch and deletes what exceeds the limits; ``now`` is in seconds since 1970. Raises 503."""
        with self.store.writing() as db:
            totals = Totals(*db.execute(TOTALS).fetchone())
            for row in batch.rows:
                totals.sequence += 1
                row[0] = totals.sequence
                totals.bytes += row[1]
            totals.entries += len(batch.rows)
            totals.lost += batch.lost
            for rows in _portions(batch.rows):
                db.execute(_INSERT + ", ".join([_ROW] * len(rows)), list(chain.from_iterable(rows)))
            if batch.errors:
                late = [
                    (_error_text(exchange.error), exchange.id)
                    for exchange in batch.errors
                    if exchange.id and exchange.error
                ]
                db.conn.executemany("update entries set error = ? where id = ?", late)
            self._delete_oldest(db, totals, int((now - self.limits.age.total_seconds()) * 1000))
            _count(db, batch)
            sums = [totals.sequence, totals.entries, totals.bytes, totals.lost]
            db.execute("update totals set sequence = ?, entries = ?, bytes = ?, lost = ?", sums)
        self.store.sequence = totals.sequence
        for exchange, row in zip(batch.exchanges, batch.rows, strict=True):
            exchange.id = row[0]

    def _delete_oldest(self, db: Database, totals: Totals, oldest: int) -> None:
        """Deletes the oldest entries while there are too many, or while they are too old."""
        last, going = 0, True
        while going:
            going = False
            # Read as one value, see _AT_ONCE. Usually as many entries are deleted as were added.
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


def _count(db: Database, batch: Batch) -> None:
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

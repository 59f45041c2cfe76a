"""The file of the journal and its tables.

Ids are given in the transaction that writes, so they follow the order of the commits of all processes: a reader that
has seen entry 7 need not expect an entry 6 later.
"""

from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from mock_editor.base.store import Store

# `weight` stands before the bodies, so that SQLite can read it without them. The columns of `totals`: see Totals.
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
COLUMNS = (
    "id", "weight", "time", "clock", "duration", "direction", "origin", "editor", "flow", "method", "status",
    "error", "rule", "peer", "certificate", "request_size", "answer_size", "path", "url", "request_headers",
    "answer_headers", "request_body", "answer_body",
)  # fmt: skip
# An entry is larger than SQLite's usual page of 4 kB: with these, and without waiting for the disk, writing it takes
# half as long. The write-ahead log is copied into the file at 4 MB, and then shortened to 8 MB if it has grown beyond.
# Without such a log, writing costs a third less, but a slow reader holds up the writer until exchanges are lost.
# Debian's SQLite overwrites deleted data with zeros unless told not to; no secret ever gets here.
_SETTINGS = (
    "secure_delete = off",
    "page_size = 16384",
    "wal_autocheckpoint = 250",
    "journal_size_limit = 8000000",
    "synchronous = off",
)
TOTALS = "select sequence, entries, bytes, lost from totals"


class JournalFile(Store):
    """The file of a journal, made if it does not exist. Raises StoreError.

    ``sequence`` is the last id that this process has seen. If the file is removed, a new one is soon made for what
    comes from then on. Writes do not wait for the disk: what was committed survives ``kill -9``, but a power cut may
    spoil the file.
    """

    def __init__(self, path: Path) -> None:
        self.sequence = 0
        super().__init__(path, (SCHEMA,), settings=_SETTINGS, anew=True)

    def _prepared(self, db: Database) -> None:
        # In a new file, ids continue.
        db.execute("update totals set sequence = max(sequence, ?)", [self.sequence])


def milliseconds(at: datetime) -> int:
    """An instant as the journal stores it: milliseconds since 1970."""
    return int(at.timestamp() * 1000)

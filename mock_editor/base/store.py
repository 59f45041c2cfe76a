"""The run-time state: one SQLite file that all workers share. All SQL of a feature stands in one module of it.

What was committed survives ``kill -9``; only a power cut may take the last moments (WAL with ``synchronous=NORMAL``).
"""

import contextlib
import copy
import hashlib
import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from sqlite_utils import Database

from mock_editor.base import threads
from mock_editor.base.database import DatabaseFile, unavailable
from mock_editor.base.errors import EditorError, InvalidValueError
from mock_editor.base.issues import Code, Issue

# Seconds between two looks for changes by others; a look takes some microseconds. One at the files is as cheap, and
# in so many looks one is enough: whoever writes has one too.
_LOOK, _LOOKS = 0.05, 20
# Threads that may wait to write, unless told otherwise.
_WRITERS = 750
# Seconds that the end of a process waits for others who read.
_LAST_PATIENCE = 2.0
# Marks a file as ours ("mock" in ASCII).
_APPLICATION_ID = 0x6D6F636B

_log = logging.getLogger(__name__)

_TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
# The table of a saved file that tells what it was saved with.
_SEAL = "seal"
_DEFINITIONS = (
    "select type, name, tbl_name, sql from sqlite_master "  # noqa: S608 - a name of ours
    f"where name not like 'sqlite_%' and name <> '{_SEAL}' order by 1, 2"
)


class StoreError(InvalidValueError):
    """A file that cannot be the store, or the state that somebody wants put back."""


class Store:
    """The tables of ``schemas`` (SQL, ``create … if not exists``) in the file ``path``, which is made if need be.

    ``settings`` (pragmas) are for each connection; ``writers`` is how many threads may wait to write. If the file is
    removed while in use, everything fails, unless ``anew``: then a new one is soon made. Connections are opened on
    first use: none may survive a fork, hence ``close``.
    Raises StoreError for a file that is not one of ours, is of another version, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        schemas: Sequence[str],
        *,
        settings: Sequence[str] = (),
        writers: int = _WRITERS,
        anew: bool = False,
    ) -> None:
        self._schemas = schemas
        self._file = DatabaseFile(path, settings, writers, self._renew if anew else None)
        self._listeners: list[Callable[[], None]] = []
        self._watcher: threading.Thread | None = None
        self._ended = threading.Event()
        self._check: Callable[[Database], None] | None = None
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise StoreError(Code.FILE_IS_NO_DATABASE, reason=str(error)) from None
        finally:
            self.close()

    def _prepare(self) -> None:
        text = ";\n".join(self._schemas)
        version = zlib.crc32(text.encode()) & 0x7FFFFFFF
        with contextlib.closing(self._file.open()) as db:
            # Before anything is written: not even the journal mode of somebody else's file may change.
            [(application,)] = db.execute("pragma application_id")
            [(stored_version,)] = db.execute("pragma user_version")
            [(tables,)] = db.execute("select count(*) from sqlite_master")
            if tables and application != _APPLICATION_ID:
                raise StoreError(Code.STORE_OF_ANOTHER_PROGRAM)
            if tables and stored_version != version:
                raise StoreError(Code.STORE_OF_ANOTHER_VERSION)
            db.enable_wal()  # the file remembers it
            with self._file.transaction(db):
                for statement in filter(str.strip, text.split(";")):
                    db.execute(statement)
                db.execute(f"pragma application_id = {_APPLICATION_ID}")
                db.execute(f"pragma user_version = {version}")
                self._prepared(db)
            self._file.keep()

    def _prepared(self, db: Database) -> None:
        """Adds the first rows of a new file, in the transaction that makes its tables."""

    def _renew(self) -> None:
        try:
            self._prepare()
        except StoreError as error:
            raise unavailable(Code.DATABASE_NOT_RENEWED, file=self._file.path.name, problem=error.issue) from None
        _log.warning("%s is made anew", self._file.path.name)

    def guarded(self, check: Callable[[Database], None]) -> "Store":
        """The same store for callers that may write only if ``check`` raises nothing in their transaction."""
        store = copy.copy(self)
        store._check = check
        return store

    def unguarded(self) -> "Store":
        """The same store for data that belongs to no world."""
        store = copy.copy(self)
        store._check = None
        return store

    def close(self) -> None:
        """Closes every connection; the next use opens them anew. Nobody else may be using the store."""
        self._file.close()

    def settle(self) -> None:
        """Ends the watch, closes, and moves all that is committed into the file itself: alone, it is the whole state.

        For the end of a process, when no thread uses the store any more. Logs if that was not possible.
        """
        self._ended.set()
        if self._watcher:
            self._watcher.join(_LAST_PATIENCE)
        self.close()
        path = self._file.path
        try:
            if not self._file.look():  # else it would be made anew, or somebody else's be written to
                with contextlib.closing(self._file.open()) as db:
                    db.execute(f"pragma busy_timeout = {int(_LAST_PATIENCE * 1000)}")
                    [(busy, _, _)] = db.execute("pragma wal_checkpoint(truncate)")
                # The last connection to close clears up.
                if busy:
                    _log.warning("%s: another process uses it, and %s-wal belongs to it", path, path.name)
        except (sqlite3.DatabaseError, EditorError) as error:
            text = "%s: cannot be brought to its end, and %s-wal belongs to it: %s"
            _log.warning(text, path, path.name, error)

    @property
    def trouble(self) -> Issue | None:
        """Why nothing can be written: the file was removed or replaced. None if it is there."""
        return self._file.trouble

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls ``listener`` soon after each commit to the file, by any process, once ``watch`` is on."""
        self._listeners.append(listener)

    def watch(self) -> None:
        """Starts the thread that looks for changes, until ``settle`` or the end of the process. Raises 503."""
        self._watcher = threads.start("store-watch", self._watch)

    def _watch(self) -> None:
        while not self._ended.is_set():
            renewals = self._file.renewals
            try:
                db = self._file.open()
                try:
                    self._watch_with(db, renewals)
                finally:
                    self._file.drop(db, renewals)
            except Exception as error:
                # This thread must not end, whatever the error: nothing else tells this process of changes.
                if not isinstance(error, sqlite3.DatabaseError | EditorError):
                    _log.exception("The database cannot be watched")
                self._ended.wait(1)

    def _watch_with(self, db: Database, renewals: int) -> None:
        seen, looks = None, 0
        while not self._ended.wait(_LOOK):
            # It differs once another connection has committed.
            [(version,)] = db.execute("pragma data_version")
            if version != seen:
                for listener in self._listeners:
                    listener()
                seen = version
            looks += 1
            if looks % _LOOKS == 0 and self._file.look():
                with contextlib.suppress(EditorError), self._file.turn():
                    pass  # it does what can be done
            if renewals != self._file.renewals:
                return

    def save(self, path: Path, *, without: Sequence[str]) -> None:
        """Writes all that is committed into a new file, except the rows of some tables. Raises 503."""
        with self.reading() as db:
            db.execute("vacuum into ?", [str(path)])
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
            for table in without:
                copy.execute(f"delete from {table}")  # noqa: S608 - names of ours
            copy.execute("vacuum")
            seal = digest_of(copy)
            copy.execute(f"create table {_SEAL} (digest text not null) strict")
            copy.execute(f"insert into {_SEAL} values (?)", [seal])  # noqa: S608 - likewise

    def restore(
        self,
        path: Path,
        *,
        without: Sequence[str],
        check: Callable[[sqlite3.Connection], None],
        then: Callable[[Database], None],
    ) -> None:
        """Replaces all data, except the rows of some tables, by what ``save`` has written.

        First, ``check`` is called with the file, and may raise; ``then`` may continue in the same transaction. Raises
        StoreError for a file that ``save`` of this version has not written, or that was changed since; 503.
        """
        self._expect_saved(path, check)
        with self._file.turn() as db:
            db.execute("attach ? as saved", [str(path)])
            # Tables are copied one after the other, even those that refer to each other.
            db.execute("pragma foreign_keys = off")
            try:
                with self._file.transaction(db):
                    for (table,) in db.execute(_TABLES).fetchall():
                        if table not in without:
                            db.execute(f"delete from main.{table}")  # noqa: S608 - names of ours
                            db.execute(f"insert into main.{table} select * from saved.{table}")  # noqa: S608
                    if alone := db.execute("pragma main.foreign_key_check").fetchone():
                        raise StoreError(Code.SNAPSHOT_ROWS_ALONE, table=alone[0], other=alone[2])
                    then(db)
            except sqlite3.IntegrityError as error:
                raise StoreError(Code.SNAPSHOT_ROWS_CONTRADICT, reason=str(error)) from None
            finally:
                db.execute("pragma foreign_keys = on")
                db.execute("detach saved")

    def _expect_saved(self, path: Path, check: Callable[[sqlite3.Connection], None]) -> None:
        marks = ("pragma application_id", "pragma user_version")
        with self.reading() as db:
            ours, definitions = [db.execute(mark).fetchall() for mark in marks], db.execute(_DEFINITIONS).fetchall()
        try:
            with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as saved:
                if [saved.execute(mark).fetchall() for mark in marks] != ours:
                    raise StoreError(Code.SNAPSHOT_OF_ANOTHER_VERSION)
                [(sound,)] = saved.execute("pragma quick_check(1)")
                if sound != "ok":
                    raise StoreError(Code.SNAPSHOT_DAMAGED, reason=sound)
                if (_SEAL,) not in saved.execute("select name from sqlite_master"):
                    raise StoreError(Code.SNAPSHOT_NOT_SAVED)
                if saved.execute(_DEFINITIONS).fetchall() != definitions:
                    raise StoreError(Code.SNAPSHOT_OTHER_TABLES)
                # Somebody may have forged a file that passes the checks so far.
                if saved.execute(f"select digest from {_SEAL}").fetchall() != [(digest_of(saved),)]:  # noqa: S608
                    raise StoreError(Code.SNAPSHOT_OTHER_ROWS)
                check(saved)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreError(Code.SNAPSHOT_DAMAGED, reason=str(error)) from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Database]:
        """A connection to read with; each statement sees what was committed before it. Raises 503."""
        with self._file.reading() as db:
            yield db

    @contextlib.contextmanager
    def writing(self) -> Iterator[Database]:
        """A transaction, one at a time over all workers: committed at the end, rolled back by an error.

        Raises 503 when the database is out of order, busy for too long, or no longer there.
        """
        with self._file.turn() as db, self._file.transaction(db):
            if self._check:
                self._check(db)
            yield db


def digest_of(connection: sqlite3.Connection) -> str:
    """A checksum of all rows to be restored."""
    digest = hashlib.sha256()
    for (table,) in connection.execute(_TABLES).fetchall():
        if table != _SEAL:
            digest.update(table.encode())
            # In the order of the table, not of an index.
            for row in connection.execute(f'select * from "{table}" not indexed'):  # noqa: S608 - quoted, and read only
                digest.update(repr(row).encode())
    return digest.hexdigest()

"""A SQLite file as one process uses it: its connections, whose turn it is to write, and whether it still is the file.

One connection writes and a few read: a thousand connections would hold a hundred megabytes. Waiting is bounded; for a
request, the bound is on all of its waits together. Only so many threads may wait to write that some remain for others.
"""

import contextlib
import logging
import math
import os
import queue
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from sqlite_utils import Database

from mock_editor.base import listings
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.files import OWN_MODE
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.words import english

# Seconds that a request waits for the database in total; other work may wait this long each time.
PATIENCE = 5.0
_READERS = 4
# Seconds during which the log does not repeat a message.
_QUIET = 60.0
# The files beside a database that is in use.
_BESIDE = ("-wal", "-shm")

# The database is out of order or busy: neither the client's fault nor ours.
_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_log = logging.getLogger(__name__)


class _Work(threading.local):
    """The work of this thread: when it began, and how long it may still wait; None if it is not a request."""

    began: float | None = None
    left: float | None = None


_work = _Work()


def begin_request(patience: float = PATIENCE) -> None:
    """Notes that this thread begins another request: its waits for databases count from here on."""
    _work.began, _work.left = time.monotonic(), patience


def begin_task(at: float) -> None:
    """Notes that this thread continues work that was begun ``at`` (monotonic) and is not a request."""
    _work.began = at


def begun() -> float | None:
    """When the work of this thread was begun, if that was noted."""
    return _work.began


def unavailable(code: Code, **values: object) -> EditorError:
    """503: the client may ask again in a moment."""
    return refused(code, headers={"Retry-After": "1"}, **values)


# Which file stands under a name: device and number. It is looked up with each write, hence os.stat and not pathlib.
_Identity = tuple[int, int]


class DatabaseFile:
    """The file ``path`` in this process, with ``settings`` (pragmas) for each connection.

    At most ``writers`` threads wait for their turn to write. Connections are opened on first use: none may survive a
    fork, hence ``close``. After ``keep``, only that same file is opened and written to. If it disappears, ``renew``, if
    given, makes a new one and calls ``keep``.
    """

    def __init__(
        self, path: Path, settings: Sequence[str], writers: int, renew: Callable[[], None] | None = None
    ) -> None:
        self.path = path
        self._name = str(path)
        self._names = [self._name + part for part in _BESIDE]
        self._settings = settings
        self._renew = renew
        self.renewals = 0  # how often it was
        self._turn = threading.Lock()
        self._places = threading.Semaphore(writers)
        self._writer: Database | None = None
        self._timeout = 0
        self._readers: queue.LifoQueue[Database | None] = queue.LifoQueue()
        for _ in range(_READERS):
            self._readers.put(None)
        self._lost: list[Database] = []
        self._opening = threading.Lock()
        self._home: _Identity | None = None
        self._beside: tuple[_Identity | None, ...] | None = None
        self._size = 0
        self._trouble: Issue | None = None
        self._complained: tuple[tuple[object, ...], float] = ((), 0.0)

    # --- connections

    def open(self) -> Database:
        """Another connection. Raises 503 when the file is gone."""
        # Once a file is kept, no other may be made in its place.
        mode = "rw" if self._home else "rwc"
        address = f"file:{quote(str(self.path))}?mode={mode}"
        with self._opening:
            self._expect_there()
            if not self._home:
                # Independent of the umask; SQLite gives the files beside it the same mode.
                with contextlib.suppress(OSError):
                    os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWN_MODE))
            # Threads take turns on a connection.
            connection = sqlite3.connect(
                address, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                listings.prepare(connection)
                for setting in ("foreign_keys = on", "synchronous = normal", *self._settings):
                    connection.execute(f"pragma {setting}").fetchall()
                if self._home:
                    # Reading makes SQLite create the files beside it.
                    connection.execute("select 1 from sqlite_master limit 1").fetchall()
                    if self._beside is None:
                        self._beside = tuple(map(_found, self._names))
                    self._expect_there()
            except BaseException:
                connection.close()
                raise
        return Database(connection)

    def keep(self) -> None:
        """Keeps the present file from now on, readable by its owner only."""
        for path in map(Path, (self._name, *self._names)):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                if stat.S_IMODE(path.stat().st_mode) != OWN_MODE:
                    path.chmod(OWN_MODE)
        self._home, self._beside = _found(self._name), None

    def close(self) -> None:
        """Closes every connection; the next use opens them anew. Nobody else may be using the file."""
        self._close_writer()
        self._close_readers()
        self._beside, self._size = None, 0

    def _rescue(self) -> None:
        """Writes what was acknowledged into the file, if only the files beside it are missing."""
        if self._writer and _found(self._name) == self._home and Path(self._name).stat().st_size >= self._size:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("pragma wal_checkpoint(full)").fetchall()

    def _let_go(self) -> None:
        """Closes an incomplete file and removes its remains, but not those of a file that another process has made."""
        ours = _found(self._name) in (None, self._home)
        for name, known in zip(self._names, self._beside or (None, None), strict=True):
            # Otherwise SQLite would take the remains for parts of the next file.
            if ours or (known and _found(name) == known):
                Path(name).unlink(missing_ok=True)
        if ours:
            self.path.unlink(missing_ok=True)
        self._close_writer()
        self._close_readers()
        self.renewals += 1
        self._home, self._beside, self._size = None, None, 0

    def drop(self, db: Database, renewals: int) -> None:
        """Closes a connection opened after ``renewals`` renewals; one to a removed file stays open, unused.

        The last one to close a database removes the files beside it by name, and these may be those of a new file by
        now.
        """
        if renewals != self.renewals or self.strange():
            self._lost.append(db)
        else:
            db.close()

    def _close_writer(self) -> None:
        if self._writer:
            self.drop(self._writer, self.renewals)
            self._writer = None

    def _close_readers(self) -> None:
        for connection in [self._readers.get() for _ in range(_READERS)]:
            if connection:
                self.drop(connection, self.renewals)
        for _ in range(_READERS):
            self._readers.put(None)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Database]:
        """A connection to read with. Raises 503."""
        if self._renew and self.look():
            with self.turn():
                pass
        begin = time.monotonic()
        try:
            db = self._readers.get_nowait()
        except queue.Empty:
            try:
                db = self._readers.get(timeout=_left())
            except queue.Empty:
                raise unavailable(Code.DATABASE_BUSY_READING) from None
            _spend(time.monotonic() - begin)
        try:
            with self.available():
                db = db or self.open()
                yield db
        finally:
            self._readers.put(db)

    # --- turns

    @contextlib.contextmanager
    def turn(self) -> Iterator[Database]:
        """The connection to write with, for one thread at a time. Raises 503 after a time, or if the file is gone."""
        self._take_turn()
        try:
            with self.available():
                trouble = self.look()
                if trouble and self._renew:
                    self._let_go()
                    self._renew()
                elif trouble:
                    self._rescue()
                self._expect_there()
                if self._writer is None:
                    self._writer, self._timeout = self.open(), 0
                yield self._writer
                # What was written into a removed file may not be acknowledged.
                self._expect_there()
        finally:
            self._turn.release()

    def _take_turn(self) -> None:
        if self._turn.acquire(blocking=False):
            return
        # Background work is little, and cannot ask again later.
        counted = _work.left is not None
        if counted and not self._places.acquire(blocking=False):
            raise unavailable(Code.DATABASE_QUEUE_FULL)
        begin = time.monotonic()
        try:
            taken = self._turn.acquire(timeout=_left())
        finally:
            if counted:
                self._places.release()
            _spend(time.monotonic() - begin)
        if not taken:
            raise unavailable(Code.DATABASE_BUSY_WRITING)

    @contextlib.contextmanager
    def transaction(self, db: Database) -> Iterator[None]:
        """A transaction within a turn: committed at the end, rolled back by an error."""
        # In tenths of a second, so that it seldom changes.
        timeout = math.ceil(_left() * 10) * 100
        if timeout != self._timeout:
            db.execute(f"pragma busy_timeout = {timeout}")
            self._timeout = timeout
        begin = time.monotonic()
        try:
            # Not a deferred transaction: one that begins by reading fails at once if another process has written.
            db.execute("begin immediate")
        finally:
            _spend(time.monotonic() - begin)
        try:
            yield
            db.commit()
        except BaseException:
            db.rollback()
            raise

    # --- whether the file is intact

    @contextlib.contextmanager
    def available(self) -> Iterator[None]:
        """Turns SQLite's errors about a database that is out of order into 503, and logs them, but not each time."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            # The lower byte is the kind of error; the others give details.
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) not in _UNAVAILABLE:
                raise
            now, (complaint, at) = time.monotonic(), self._complained
            if complaint != error.args or now - at > _QUIET:
                self._complained = error.args, now
                _log.warning("The database %s cannot be used: %s", self.path.name, error)
            raise unavailable(Code.DATABASE_UNUSABLE, reason=str(error)) from error

    @property
    def trouble(self) -> Issue | None:
        """What was wrong with the files at the last look; None if nothing was."""
        return self._trouble

    def look(self) -> Issue | None:
        """Looks at the files, and logs when something has gone wrong, or is right again."""
        before, self._trouble = self._trouble, self.strange()
        if self._trouble is before is None:
            return None
        if self._trouble and not before:
            _log.error("The database is not there: %s", english(self._trouble))
        elif before and not self._trouble:
            _log.warning("The database is there again: %s", self.path.name)
        return self._trouble

    def _expect_there(self) -> None:
        if trouble := self.look():
            raise unavailable(Code.DATABASE_GONE, trouble=trouble)

    def strange(self) -> Issue | None:
        """What is wrong with the files: removed, cut, or replaced. None if nothing is."""
        if self._home is None:
            return None
        # Read before the look: meanwhile, another thread may see the file grow.
        size = self._size
        try:
            now = os.stat(self._name)  # noqa: PTH116
        except OSError as error:
            return issue(Code.FILE_GONE, file=self.path.name, reason=error.strerror)
        if (now.st_dev, now.st_ino) != self._home:
            return issue(Code.FILE_REPLACED, file=self.path.name)
        if now.st_size < size:
            return issue(Code.FILE_CUT, file=self.path.name, before=size, now=now.st_size)
        self._size = now.st_size
        if self._beside is not None:
            for name, known in zip(self._names, self._beside, strict=True):
                if _found(name) != known:
                    return issue(Code.FILE_BESIDE_CHANGED, file=Path(name).name)
        return None


def _found(name: str) -> _Identity | None:
    try:
        status = os.stat(name)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _left() -> float:
    """Seconds that this thread may still wait."""
    return PATIENCE if _work.left is None else max(0.0, _work.left)


def _spend(seconds: float) -> None:
    # Tiny waits do not count: a busy machine causes them by itself.
    if _work.left is not None and seconds > 0.001:
        _work.left -= seconds

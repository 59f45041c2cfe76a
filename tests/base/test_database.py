"""A database file in use: how long one waits for it, and what happens when it is taken away."""

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mock_editor.base.database import begin_request
from mock_editor.base.errors import EditorError
from mock_editor.base.store import Store
from mock_editor.base.words import in_english

SCHEMA = "create table if not exists things (name text primary key) strict"
# Far from the seconds that everything together may take on a slow machine, and from what nobody waits for.
LONG = 60.0
PATIENCE = 1.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "state.db"


@pytest.fixture
def store(path: Path) -> Store:
    made = Store(path, [SCHEMA], writers=2)
    write(made, "before")
    return made


def write(store: Store, name: str) -> None:
    with store.writing() as db:
        db.table("things").insert({"name": name})


def names(store: Store) -> list[str]:
    with store.reading() as db:
        return [name for (name,) in db.execute("select name from things order by name")]


# --- taken away


def _deleted(path: Path) -> None:
    path.unlink()


def _replaced(path: Path) -> None:
    other = path.with_name("other.db")
    Store(other, [SCHEMA]).close()
    other.replace(path)


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(0)


def _without_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _without_log(path: Path) -> None:
    path.with_name("state.db-wal").unlink()


def _without_index(path: Path) -> None:
    path.with_name("state.db-shm").unlink()


LOSSES = [_deleted, _replaced, _cut, _without_folder, _without_log, _without_index]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_nothing_is_acknowledged_that_goes_into_a_file_that_was_taken_away(
    store: Store, path: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    lose(path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(EditorError) as refused:
                write(store, "after")
            assert refused.value.status == 503
            assert "restart the simulator" in in_english(refused.value)
            assert refused.value.headers["Retry-After"]
    assert len(caplog.records) == 1
    assert store.trouble
    assert path.exists() == (lose not in (_deleted, _without_folder))


@pytest.mark.parametrize("lose", [_without_log, _without_index], ids=lambda lose: lose.__name__)
def test_what_was_acknowledged_before_is_in_the_file_that_is_left(
    store: Store, path: Path, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    lose(path)
    with pytest.raises(EditorError, match="removed or replaced"):
        write(store, "after")
    copy = shutil.copy(path, tmp_path / "copy.db")
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("select name from things").fetchall() == [("before",)]


def test_nor_what_was_under_way_when_it_was(store: Store, path: Path) -> None:
    def write_and_lose() -> None:
        with store.writing() as db:
            db.table("things").insert({"name": "after"})
            path.unlink()

    with pytest.raises(EditorError, match="is gone"):
        write_and_lose()


def test_it_goes_on_when_the_file_is_back(store: Store, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(EditorError, match="is gone"):
        write(store, "refused")
    path.with_name("elsewhere").rename(path)
    write(store, "accepted")
    assert names(store) == ["accepted", "before"]
    assert store.trouble is None
    assert caplog.messages[-1] == "The database is there again: state.db"


def test_no_other_one_is_made_for_a_connection_that_comes_later(store: Store, path: Path) -> None:
    store.close()
    path.unlink()
    with pytest.raises(EditorError, match="is gone"):
        names(store)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("lose", [*LOSSES[:3], *LOSSES[4:]], ids=lambda lose: lose.__name__)
def test_one_in_which_nothing_is_promised_is_made_anew(path: Path, lose: Callable[[Path], None]) -> None:
    one, other = Store(path, [SCHEMA], anew=True), Store(path, [SCHEMA], anew=True)
    write(one, "before")
    assert names(other) == ["before"]
    lose(path)
    write(one, "after")
    write(other, "of another process")
    write(one, "later")
    assert names(one) == names(Store(path, [SCHEMA])) == ["after", "later", "of another process"]


def test_a_file_that_grows_while_it_is_looked_at_was_not_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a look and what is made of it, another process brings its commits in, and another thread sees them."""
    store = Store(path, [SCHEMA], anew=True)
    write(store, "before")
    look, looks = os.stat, 0

    def stat(name: str, **how: Any) -> os.stat_result:
        nonlocal looks
        found = look(name, **how)
        if name == str(path):
            looks += 1
            if looks == 1:
                with closing(sqlite3.connect(path)) as other, other:
                    other.execute("insert into things values (?)", ["x" * 100_000])
                with closing(sqlite3.connect(path)) as other:
                    other.execute("pragma wal_checkpoint(full)")
                assert look(path).st_size > found.st_size
                names(store)
        return found

    monkeypatch.setattr(os, "stat", stat)
    write(store, "after")
    assert looks > 1
    assert names(store)[:2] == ["after", "before"]


def test_a_file_of_somebody_else_in_its_place_is_left_alone(path: Path) -> None:
    store = Store(path, [SCHEMA], anew=True)
    write(store, "before")
    path.unlink()
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("create table t (a)")
        theirs.commit()
    before = path.read_bytes()
    with pytest.raises(EditorError, match="not one of the simulator"):
        write(store, "after")
    assert path.read_bytes() == before


# --- waiting


@pytest.fixture
def locked(path: Path, store: Store) -> Iterator[Store]:
    """A store that another process writes to all the time."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as foreign:
        foreign.execute("begin immediate")
        yield store


def _as_request(work: Callable[[], object]) -> tuple[float, EditorError | None]:
    begin_request(PATIENCE)
    begin = time.monotonic()
    try:
        work()
    except EditorError as error:
        return time.monotonic() - begin, error
    return time.monotonic() - begin, None


def test_many_writers_wait_together_and_not_one_after_the_other(locked: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_as_request, lambda: write(locked, "x")) for _ in range(8)]
        # Readers wait for nobody.
        assert names(locked) == ["before"]
        assert not all(one.done() for one in asked)
        answers = [one.result() for one in asked]
    assert {error.status for _, error in answers if error} == {503}
    assert all(error for _, error in answers)
    # The one whose turn it was, and two who waited for theirs; the others were told at once.
    assert sum("too many" in str(error) for _, error in answers) >= 8 - 3
    # Each after the other would take eight times as long.
    assert max(seconds for seconds, _ in answers) < 6 * PATIENCE


def test_what_a_request_waits_for_counts_together(locked: Store) -> None:
    def write_three_times() -> None:
        for _ in range(3):
            with pytest.raises(EditorError):
                write(locked, "x")

    with ThreadPoolExecutor(1) as pool:
        seconds, _ = pool.submit(_as_request, write_three_times).result()
    assert PATIENCE * 0.9 <= seconds < 2.5 * PATIENCE


def test_whoever_waits_goes_on_as_soon_as_it_can(store: Store) -> None:
    within, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with store.writing():
            within.set()
            assert go_on.wait(LONG)

    with ThreadPoolExecutor(3) as pool:
        holding = pool.submit(hold)
        assert within.wait(LONG)
        waiting = pool.submit(write, store, "after")
        go_on.set()
        holding.result()
        waiting.result()
    assert names(store) == ["after", "before"]

"""The store: what is written together, what an error undoes, and a file that goes bad."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from mock_editor.base.errors import EditorError
from mock_editor.base.store import Store, StoreError
from mock_editor.base.words import in_english

SCHEMA = "create table if not exists things (name text primary key) strict"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state.db", [SCHEMA])


def names(store: Store) -> list[str]:
    with store.reading() as db:
        return [name for (name,) in db.execute("select name from things order by name")]


def test_what_is_written_is_read_also_by_another_process_of_the_same_file(store: Store, tmp_path: Path) -> None:
    with store.writing() as db:
        db.table("things").insert_all({"name": name} for name in "ab")
    assert names(store) == names(Store(tmp_path / "state.db", [SCHEMA])) == ["a", "b"]


def test_an_error_undoes_the_whole_transaction(store: Store) -> None:
    def fail() -> None:
        with store.writing() as db:
            db.table("things").insert({"name": "a"})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(store) == []
    with store.writing() as db:
        db.table("things").insert({"name": "b"})
    assert names(store) == ["b"]


def test_it_goes_on_after_it_was_closed(store: Store) -> None:
    names(store)
    store.close()
    assert names(store) == []


def test_a_file_that_goes_bad_is_a_503_and_no_traceback(store: Store, tmp_path: Path) -> None:
    with store.writing() as db:
        db.table("things").insert({"name": "a"})
    store.close()
    (tmp_path / "state.db").write_bytes(b"no database " * 1000)
    for use in (store.reading, store.writing):
        with pytest.raises(EditorError) as refused, use() as db:
            db.execute("select * from things")
        assert refused.value.status == 503
        assert "not a database" in in_english(refused.value)


def test_a_mistake_in_our_sql_is_not_taken_for_a_database_out_of_order(store: Store) -> None:
    with pytest.raises(Exception, match="no such column"), store.reading() as db:
        db.execute("select colour from things")


def test_somebody_elses_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("create table t (a)")
    theirs.commit()
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not one of the simulator"):
        Store(path, [SCHEMA])
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["theirs.db"]


# --- saving and restoring


def test_what_is_saved_is_restored_in_another_file_but_for_some_tables(tmp_path: Path) -> None:
    schemas = [SCHEMA, SCHEMA.replace("things", "secrets")]
    store, other = (Store(tmp_path / f"{name}.db", schemas) for name in "ab")
    for one, name in ((store, "saved"), (other, "there before")):
        with one.writing() as db:
            db.table("things").insert({"name": name})
            db.table("secrets").insert({"name": f"{name}, of nobody else's business"})
    store.save(tmp_path / "saved", without=["secrets"])
    # Neither in the table nor in what is left of it.
    assert b"of nobody" not in (tmp_path / "saved").read_bytes()
    other.restore(
        tmp_path / "saved",
        without=["secrets"],
        check=lambda _: None,
        then=lambda db: db.execute("insert into things (name) values ('then')").close(),
    )
    assert names(other) == ["saved", "then"]
    with other.reading() as db:
        assert db.execute("select name from secrets").fetchall() == [("there before, of nobody else's business",)]


def test_a_restore_that_fails_at_the_end_changes_nothing(store: Store, tmp_path: Path) -> None:
    store.save(tmp_path / "saved", without=[])
    with store.writing() as db:
        db.table("things").insert({"name": "kept"})

    def fail(_: object) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        store.restore(tmp_path / "saved", without=[], check=lambda _: None, then=fail)
    assert names(store) == ["kept"]
    store.restore(tmp_path / "saved", without=[], check=lambda _: None, then=lambda _: None)
    assert names(store) == []


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text", "is damaged"),
        ("empty", "was not saved by this version"),
        ("foreign", "was not saved by this version"),
        ("other version", "was not saved by this version"),
        ("damaged", "is damaged"),
        ("no text", "is damaged"),
        ("other text", "are not those that were saved"),
        ("live", "was not saved as a snapshot"),
    ],
)
def test_only_what_was_saved_by_this_version_is_restored(store: Store, tmp_path: Path, kind: str, said: str) -> None:
    with store.writing() as db:
        db.table("things").insert_all({"name": f"{number:04}" * 50} for number in range(500))
    path = tmp_path / "saved"
    if kind == "foreign":
        with sqlite3.connect(path) as db:
            db.execute("create table things (name text)")
    elif kind == "other version":
        Store(path, [SCHEMA, "create table if not exists more (a)"]).close()
    elif kind == "damaged":
        store.save(path, without=[])
        content = path.read_bytes()
        path.write_bytes(content[:8192] + b"\xff" * 4096 + content[12288:])
    elif kind == "no text":
        store.save(path, without=[])
        path.write_bytes(path.read_bytes().replace(b"0100" * 50, b"0100" * 49 + b"\xff\xff\xff\xff"))
    elif kind == "other text":
        store.save(path, without=[])
        path.write_bytes(path.read_bytes().replace(b"0100" * 50, b"0100" * 49 + b"0101"))
    elif kind == "live":
        store.close()
        shutil.copy(tmp_path / "state.db", path)
    else:
        path.write_bytes(b"Ceci n'est pas une base. " * 300 if kind == "text" else b"")
    with pytest.raises(StoreError, match=said):
        store.restore(path, without=[], check=lambda _: None, then=lambda _: None)
    assert len(names(store)) == 500


def test_in_the_end_the_file_alone_holds_everything(store: Store, tmp_path: Path) -> None:
    store.watch()
    with store.writing() as db:
        db.table("things").insert({"name": "a"})
    assert names(store) == ["a"]
    store.settle()
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


def test_who_reads_at_the_end_is_told_of(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select * from things").fetchall()
        with store.writing() as db:
            db.table("things").insert({"name": "a"})
        store.settle()
    assert "another process uses it, and state.db-wal belongs to it" in caplog.text
    store.settle()
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
    (tmp_path / "state.db").unlink()
    store.settle()
    assert list(tmp_path.iterdir()) == []

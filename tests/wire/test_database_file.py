"""What is left of a simulator that has ended: the database file, which is the whole state by itself."""

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.admin.conftest import TAKEN
from tests.forks import Python
from tests.wire.conftest import Serve, Simulator, clean_environment, eventually
from tests.wire.test_accounts import kill_group

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
FILES = {"state.db", "state.journal.db"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "kept"
    made.mkdir()
    return made


def book(simulator: Simulator) -> None:
    answer = requests.post(f"{simulator.url}/_admin/appointments", json=TAKEN, timeout=20)
    assert answer.ok, answer.text


def kept(folder: Path, table: str, file: str = "state.db") -> int:
    """How many rows a copy of the file has, and of nothing that lies beside it."""
    with tempfile.TemporaryDirectory() as elsewhere:
        copy = shutil.copy(folder / file, elsewhere)
        with closing(sqlite3.connect(copy)) as db:
            [(count,)] = db.execute(f"select count(*) from {table}")  # noqa: S608 - ours
            return int(count)


def there(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("workers", "sig"), [("1", signal.SIGTERM), ("2", signal.SIGINT)])
def test_after_a_stop_the_file_alone_is_the_state(
    serve: Serve, folder: Path, workers: str, sig: signal.Signals
) -> None:
    simulator = serve("--database", str(folder / "state.db"), "--workers", workers, "--now", NOW)
    book(simulator)
    assert requests.get(f"{simulator.url}/agenda-ville/fhir/metadata", timeout=20).ok
    # Who asks for it waits until it is written.
    count = requests.get(f"{simulator.url}/_admin/journal/count?flow=metadata", timeout=20)
    assert count.json() == {"count": 1}
    assert simulator.stop(sig)[0] == 0
    assert there(folder) == FILES
    assert kept(folder, "appointments") == 1
    assert kept(folder, "entries", "state.journal.db") > 0


def test_after_kill_9_the_next_stop_makes_it_whole(serve: Serve, folder: Path) -> None:
    options = ("--database", str(folder / "state.db"), "--now", NOW)
    simulator = serve(*options)
    book(simulator)
    kill_group(simulator)
    assert (folder / "state.db-wal").stat().st_size > 0
    assert serve(*options).stop() == (0, "")
    assert there(folder) == FILES
    assert kept(folder, "appointments") == 1


@pytest.fixture
def deliverer(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = ["deliver", "--database", str(folder / "state.db"), "--sas-url", "http://127.0.0.1:9/fhir"]
    process = Python(
        [sys.executable, "-m", "mock_editor", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment(),
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate(timeout=10)


def test_one_that_delivers_may_still_have_it_open(
    serve: Serve, folder: Path, deliverer: "subprocess.Popen[str]"
) -> None:
    simulator = serve("--database", str(folder / "state.db"), "--deliver", "off", "--now", NOW)
    assert deliverer.stdout
    assert re.search("delivers the notifications", deliverer.stdout.readline())
    book(simulator)
    assert simulator.stop()[0] == 0
    assert kept(folder, "appointments") == 1
    deliverer.send_signal(signal.SIGINT)
    assert (deliverer.wait(20), deliverer.stderr and deliverer.stderr.read()) == (0, "")
    assert there(folder) == FILES
    assert kept(folder, "appointments") == 1


def test_a_start_that_is_broken_off_leaves_nothing(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mock_editor", "serve", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment() | {"TMPDIR": str(folder)},
    )  # fmt: skip
    try:
        assert eventually(lambda: there(folder), 30)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20)[1] == ""
    finally:
        process.kill()
        process.wait(10)
    assert process.returncode == 0
    assert there(folder) == set()

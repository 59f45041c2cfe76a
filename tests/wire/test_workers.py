"""Workers that cannot start, or do not get on: the others serve, and the server tries again, but not without a rest."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.forks import Python
from tests.wire.conftest import Serve, Server, clean_environment, end, eventually

pytestmark = pytest.mark.wire

LOCKED = "The system gives the simulator no more threads: locked"


class Probe(Server):
    """A server whose workers do what it was told last."""

    folder: Path

    def tell(self, what: str) -> None:
        (self.folder / "what").write_text(what)

    def starts(self) -> int:
        return len((self.folder / "starts").read_text().splitlines())


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Callable[..., Probe]]:
    running: list[Probe] = []

    def start(workers: int, what: str = "") -> Probe:
        (tmp_path / "what").write_text(what)
        command = [str(Path(__file__).with_name("probe_workers.py")), str(workers), str(tmp_path / "what")]
        with (tmp_path / "log").open("wb") as log:
            process = Python([sys.executable, *command], stdout=subprocess.PIPE, stderr=log, env=clean_environment())
        assert process.stdout
        one = Probe(process, int(process.stdout.readline() or 0), tmp_path / "log")
        one.folder = tmp_path
        running.append(one)
        return one

    yield start
    for one in running:
        end(one)


def all_serve(one: Probe, count: int) -> bool:
    """Whether so many processes answer."""
    return len({one.get()[1] for _ in range(8 * count)}) == count


def test_the_others_go_on_and_it_is_tried_again(probe: Callable[..., Probe]) -> None:
    server = probe(2)
    assert eventually(lambda: all_serve(server, 2), 20), server.log()
    [gone, stays] = server.workers()
    server.tell("refuse")
    os.kill(gone, signal.SIGKILL)
    told = "A worker could not start: The system gives the simulator no more threads: locked; 1 others go on"
    assert eventually(lambda: server.log().count(told) >= 2, 20), server.log()
    assert f"{told}, and it is tried again in 1.0 s" in server.log()
    assert server.get() == (200, str(stays).encode())
    server.tell("")
    assert eventually(lambda: all_serve(server, 2), 40), server.log()
    assert server.stop()[0] == 0


def test_the_only_one_is_tried_again_too(probe: Callable[..., Probe]) -> None:
    server = probe(1)
    server.get()
    server.tell("refuse")
    os.kill(server.workers()[0], signal.SIGKILL)
    assert eventually(lambda: "0 others go on" in server.log(), 20), server.log()
    server.tell("")
    assert server.get(seconds=40)[0] == 200
    assert server.stop()[0] == 0


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("what", ["refuse", "fail"])
def test_a_server_that_cannot_start_at_all_ends_and_says_why(
    probe: Callable[..., Probe], workers: int, what: str
) -> None:
    server = probe(workers, what)
    assert server.process.wait(40) == 1
    why = {
        "refuse": LOCKED,
        "fail": "ValueError: a mistake",
    }[what]
    assert f"Reason: the server cannot start: {why}" in server.log()
    # What is wrong outside needs no traceback.
    assert ("Traceback" in server.log()) == (what == "fail")
    assert server.starts() <= 2 * workers


def test_workers_that_die_soon_after_their_start_do_not_come_back_at_once(probe: Callable[..., Probe]) -> None:
    server = probe(2)
    assert eventually(lambda: all_serve(server, 2), 20), server.log()
    server.tell("die")
    os.kill(server.workers()[0], signal.SIGKILL)
    assert eventually(lambda: "it is tried again in 2.0 s" in server.log(), 40), server.log()
    # After 0.5 s, 1 s, 2 s (and more, if this process has slept): without a rest it would be dozens.
    assert server.starts() <= 12
    assert "s after its start; 1 others go on" in server.log()
    server.tell("")
    assert eventually(lambda: all_serve(server, 2), 40), server.log()


# --- what really happens to a simulator


def test_a_locked_or_lost_database_stops_no_healthy_worker(serve: Serve, tmp_path: Path) -> None:
    log, database = tmp_path / "log", tmp_path / "state.db"
    simulator = serve("--workers", "2", "--database", str(database), log=log)

    def all_are_there() -> bool:
        with closing(sqlite3.connect(database)) as db:
            ready = {pid for (pid,) in db.execute("select pid from workers")}
        return len(simulator.workers()) == 2 and ready.issuperset(simulator.workers())

    def replaced_in_vain() -> int:
        return log.read_text().count("A worker could not start: ")

    assert eventually(all_are_there, 40)
    with closing(sqlite3.connect(database, isolation_level=None)) as foreign:
        foreign.execute("begin immediate")
        os.kill(simulator.workers()[0], signal.SIGKILL)
        assert eventually(replaced_in_vain, 60), log.read_text()
        assert requests.get(f"{simulator.url}/_health", timeout=30).ok
    assert eventually(all_are_there, 60), log.read_text()
    before = replaced_in_vain()
    (tmp_path / "elsewhere").mkdir()
    for path in tmp_path.glob("state.db*"):
        path.rename(tmp_path / "elsewhere" / path.name)
    os.kill(simulator.workers()[0], signal.SIGKILL)
    assert eventually(lambda: replaced_in_vain() > before, 60), log.read_text()
    assert "A worker could not start: The simulator's database is not there: state.db is gone" in log.read_text()
    assert requests.get(f"{simulator.url}/_health", timeout=30).ok
    for path in (tmp_path / "elsewhere").iterdir():
        path.replace(tmp_path / path.name)
    assert eventually(all_are_there, 60), log.read_text()
    assert simulator.stop()[0] == 0

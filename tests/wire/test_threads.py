"""A process for which the system has no more threads: it goes on with those it has, and loses no place."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.admin.conftest import TAKEN
from tests.wire.conftest import Serve, Simulator, eventually

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(
        os.getuid() != 0 or not (shutil.which("setpriv") and shutil.which("prlimit")),
        reason="needs root, setpriv and prlimit: the number of threads is limited for a user other than root",
    ),
]

NOW = "2026-11-20T08:00:00+01:00"
# A user that has no other processes; it may read what root may.
USER = 54_321
AS_USER = (
    "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override", "--",
)  # fmt: skip


def limit(pid: int, threads: str) -> None:
    subprocess.run(
        ["prlimit", "--pid", str(pid), f"--nproc={threads}:"], user=USER, group=USER, extra_groups=[], check=True
    )


@contextmanager
def no_more_of(pid: int) -> Iterator[None]:
    """The process gets no more threads, nor children."""
    found = re.search(r"^Max processes +(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)
    assert found
    limit(pid, "1")
    try:
        yield
    finally:
        limit(pid, found[1])


@contextmanager
def no_more_threads(simulator: Simulator) -> Iterator[None]:
    [worker] = simulator.workers()
    with no_more_of(worker):
        yield


def waiting(simulator: Simulator) -> str:
    metrics = requests.get(f"{simulator.url}/_metrics", timeout=30).text
    [found] = re.findall(r"^mock_editor_waiting_requests (\S+)$", metrics, re.MULTILINE)
    return str(found)


def scenario(simulator: Simulator) -> str:
    return str(requests.get(f"{simulator.url}/_health", timeout=30).json()["scenario"])


def load(simulator: Simulator, name: str) -> requests.Response:
    return requests.put(f"{simulator.url}/_admin/scenario", json={"name": name}, timeout=30)


@pytest.fixture
def simulator(serve: Serve) -> Simulator:
    one = serve("--now", NOW, before=AS_USER)
    before = one.threads()

    def ask(_: int) -> bool:
        return requests.get(f"{one.url}/_health", timeout=30).ok

    def has_some() -> bool:
        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(64)))
        return one.threads() >= before + 2

    assert eventually(has_some, 30)
    return one


def test_a_client_that_leaves_still_frees_its_place(simulator: Simulator) -> None:
    with no_more_threads(simulator):
        stream = f"{simulator.url}/_admin/journal/stream"
        with requests.get(stream, headers={"Accept": "text/event-stream"}, stream=True, timeout=30) as heard:
            assert heard.status_code == 200
            assert eventually(lambda: waiting(simulator) == "1.0", 30)
        assert eventually(lambda: waiting(simulator) == "0.0", 30)


def test_notifications_go_out_and_the_journal_is_written(simulator: Simulator) -> None:
    with no_more_threads(simulator):
        assert requests.post(f"{simulator.url}/_admin/appointments", json=TAKEN, timeout=30).ok
        wait = f"{simulator.url}/_admin/journal/wait?flow=INT_R03&status=201&count=1&timeout=30"
        assert requests.get(wait, timeout=60).json() == {"count": 1}


def test_a_scenario_whose_threads_cannot_begin_is_not_played(simulator: Simulator) -> None:
    threads = simulator.threads()
    with no_more_threads(simulator):
        refused = load(simulator, "exemples-guide")
        assert refused.status_code == 503
        assert "no more threads" in refused.json()["detail"]
        assert scenario(simulator) == "decouverte"
        assert requests.get(f"{simulator.url}/agenda-ville/fhir/metadata", timeout=30).ok
        # Nothing of it has stayed: what was in play goes on, notifications too.
        assert requests.post(f"{simulator.url}/_admin/appointments", json=TAKEN, timeout=30).ok
        wait = f"{simulator.url}/_admin/journal/wait?flow=INT_R03&status=201&count=1&timeout=30"
        assert requests.get(wait, timeout=60).json() == {"count": 1}
    assert eventually(lambda: simulator.threads() <= threads + 1, 30)
    assert load(simulator, "exemples-guide").ok
    assert scenario(simulator) == "exemples-guide"


def test_a_parent_that_gets_no_more_processes_goes_on_and_tries_again(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "log"
    simulator = serve("--now", NOW, before=AS_USER, log=log)
    # A server of which no worker has ever served ends instead.
    assert requests.get(f"{simulator.url}/_health", timeout=30).ok
    with no_more_of(simulator.process.pid):
        [gone] = simulator.workers()
        os.kill(gone, signal.SIGKILL)
        assert eventually(lambda: "A worker could not start: BlockingIOError" in log.read_text(), 60)
        assert simulator.process.poll() is None
    assert requests.get(f"{simulator.url}/_health", timeout=90).ok
    assert simulator.stop()[0] == 0

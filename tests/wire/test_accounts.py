"""Accounts over sockets: many at once, several workers, and a process that is killed."""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from mock_editor.base.store import Store
from mock_editor.world.tables import tables
from tests.accounts.conftest import BASE, NATIONAL, TECHNICAL, regulator
from tests.wire.conftest import Serve, Simulator, run

pytestmark = pytest.mark.wire

N, T = (NATIONAL, "3456780581/11242343"), (TECHNICAL, "1ef1c748-01a3-6180-b098-73283ce4e5b1")
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "accounts.md"


def put(url: str, asked: tuple[str, str], body: dict[str, Any]) -> requests.Response:
    return requests.put(f"{url}{BASE}", params={"identifier": "|".join(asked)}, json=body, timeout=20)


def post(url: str, body: dict[str, Any]) -> requests.Response:
    return requests.post(f"{url}{BASE}", json=body, timeout=20)


def accounts(simulator: Simulator) -> list[dict[str, Any]]:
    told = requests.get(f"{simulator.url}/_admin/accounts", params={"editor": "agenda-ville"}, timeout=20).json()
    return [one for one in told["accounts"] if "@regulation.example" not in json.dumps(one)]


def at_once(calls: Sequence[Callable[[], requests.Response]]) -> list[requests.Response]:
    """Runs all calls together: each thread waits for the others before it sends."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], requests.Response]) -> requests.Response:
        start.wait(20)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_fifty_identical_puts_at_once_leave_one_account(serve: Serve, workers: str) -> None:
    simulator = serve("--workers", workers)
    answers = at_once([lambda: put(simulator.url, N, regulator(N))] * 50)
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(accounts(simulator)) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_posts_racing_puts_never_share_an_identifier_or_an_e_mail(serve: Serve, workers: str) -> None:
    simulator = serve("--workers", workers)
    for attempt in range(5):
        email = f"race-{attempt}@test.com"
        own, other = (NATIONAL, f"n-{attempt}"), (TECHNICAL, f"t-{attempt}")
        calls = [
            partial(post, simulator.url, regulator(own, email=email)),
            partial(put, simulator.url, own, regulator(own, email=email)),
            partial(post, simulator.url, regulator(other, email=email.upper())),
            partial(put, simulator.url, other, regulator(own, other, email=email)),
        ]
        answers = at_once(calls * 5)
        assert {answer.status_code for answer in answers} <= {200, 201, 422}
    found = [one["resource"] for one in accounts(simulator)]
    identifiers = [i["value"] for one in found for i in one["identifier"]]
    emails = [one["telecom"][0]["value"].lower() for one in found if one["active"]]
    assert len(identifiers) == len(set(identifiers))
    assert len(emails) == len(set(emails)) == 5


def test_kill_9_during_a_stream_of_puts_loses_no_acknowledged_account(serve: Serve, tmp_path: Path) -> None:
    database = tmp_path / "accounts.db"
    acknowledged: list[str] = []
    numbers = count()
    for _ in range(3):
        simulator = serve("--database", str(database))
        enough = threading.Event()
        before = len(acknowledged)

        def stream(url: str = simulator.url, enough: threading.Event = enough, before: int = before) -> None:
            with requests.Session() as session:
                while True:
                    value = f"killed-{next(numbers)}"
                    body = regulator((NATIONAL, value), email=f"{value}@test.com")
                    try:
                        answer = session.put(f"{url}{BASE}?identifier={NATIONAL}|{value}", json=body, timeout=20)
                    except requests.RequestException:
                        return
                    assert answer.status_code == 201
                    acknowledged.append(value)
                    if len(acknowledged) - before > 100:
                        enough.set()

        with ThreadPoolExecutor(4) as pool:
            streams = [pool.submit(stream) for _ in range(4)]
            assert enough.wait(20)
            kill_group(simulator)
            for done in streams:
                done.result()
    after = serve("--database", str(database))
    kept = {i["value"] for one in accounts(after) for i in one["resource"]["identifier"]}
    assert len(acknowledged) > 300
    assert set(acknowledged) <= kept
    assert len(kept) <= len(acknowledged) + 3 * 4  # those that were on their way


def kill_group(simulator: Simulator) -> None:
    """Kills the workers and the master at once, as a machine that fails would."""
    children = Path(f"/proc/{simulator.process.pid}/task/{simulator.process.pid}/children").read_text().split()
    for pid in (simulator.process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    simulator.process.wait(5)


def test_without_a_file_the_state_is_gone_at_the_end(serve: Serve, tmp_path: Path) -> None:
    simulator = serve()
    put(simulator.url, N, regulator(N))
    assert list(tmp_path.glob("mock-editor-*/state.db"))
    simulator.process.send_signal(signal.SIGTERM)
    assert simulator.process.wait(10) == 0
    assert not list(tmp_path.glob("mock-editor-*"))


def test_two_simulators_may_share_a_file(serve: Serve, tmp_path: Path) -> None:
    shared = ("--database", str(tmp_path / "shared.db"))
    one, other = serve(*shared), serve(*shared)
    first, second = put(one.url, N, regulator(N)), put(other.url, N, regulator(N))
    assert (first.status_code, second.status_code) == (201, 200)
    assert len(accounts(one)) == len(accounts(other)) == 1


@pytest.fixture
def unfit(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a file that cannot be the store."""

    def make(kind: str) -> Path:
        path = tmp_path / "file.db"
        if kind == "text":
            path.write_text("Ceci n'est pas une base de données. " * 100)
        elif kind == "foreign":
            with sqlite3.connect(path) as db:
                db.execute("create table t (a)")
        elif kind == "older":
            Store(path, (*tables(), "create table if not exists gone (a)"))
        elif kind == "folder":
            path.mkdir()
        elif kind == "nowhere":
            return tmp_path / "nowhere" / "file.db"
        return path

    return make


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", "file is not a database"),
        ("foreign", "is a database, but not one of the simulator"),
        ("older", "was made by another version of the simulator"),
        ("folder", "expected a file, this is a folder"),
        ("nowhere", "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_the_store_is_said_in_a_line(unfit: Callable[[str], Path], kind: str, text: str) -> None:
    path = unfit(kind)
    done = run("serve", "--port", "0", "--database", str(path))
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_commands_of_the_documentation_work_in_their_order(serve: Serve) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    simulator = serve()
    text = DOCUMENTATION.read_text(encoding="utf-8").partition("## Which account")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [command for block in blocks for command in re.split(r"\n(?=curl)", block.strip())]
    assert len(commands) >= 5
    statuses = []
    for command in commands:
        told = subprocess.run(
            [*shlex.split(command.replace("http://127.0.0.1:8000", simulator.url)), "-w", "\n%{http_code}", "-s"],
            capture_output=True,
            check=True,
            timeout=10,
            text=True,
        ).stdout
        statuses.append(int(told.rpartition("\n")[2]))
    expected = re.findall(r"^\| [0-9]+ \|.*\| ([0-9]{3}) \|$", text, re.MULTILINE)
    assert statuses == list(map(int, expected))

"""A database that others lock or take away while the simulator uses it, over sockets."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.accounts.conftest import NATIONAL, regulator
from tests.admin.conftest import TAKEN
from tests.conftest import GUIDE_THOMAS, slot_search
from tests.wire.conftest import Serve, Simulator, eventually
from tests.wire.test_accounts import put

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
MANY = 12


def _put(simulator: Simulator, number: int) -> requests.Response:
    token = (NATIONAL, f"3456780581/{number:08}")
    return put(simulator.url, token, regulator(token, email=f"n{number}@test.com"))


def _told(simulator: Simulator, path: str) -> Any:
    answer = requests.get(simulator.url + path, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_lock_of_somebody_else_stops_no_reader_and_is_told_in_time(serve: Serve, tmp_path: Path) -> None:
    # Fewer threads than writers.
    simulator = serve("--database", str(tmp_path / "state.db"), "--threads", "8", "--now", NOW)
    _told(simulator, "/_health")  # it has begun
    with (
        closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as foreign,
        ThreadPoolExecutor(100) as pool,
    ):
        foreign.execute("begin immediate")
        writing = [pool.submit(_put, simulator, number) for number in range(99)]
        booking = pool.submit(requests.post, f"{simulator.url}/_admin/appointments", json=TAKEN, timeout=60)
        assert eventually(lambda: any(one.done() for one in writing), 20)
        while not all(one.done() for one in writing):
            assert _told(simulator, "/_health")["status"] == "ok"
            assert _told(simulator, slot_search([GUIDE_THOMAS]))["total"] > 0
            assert _told(simulator, "/_admin/accounts")["accounts"]
        # While the lock still holds.
        answers = [one.result() for one in writing]
        assert {one.status_code for one in answers} == {503}
        assert {one.json()["resourceType"] for one in answers} == {"OperationOutcome"}
        refused = booking.result()
        assert refused.status_code == 503
        assert refused.headers["Content-Type"].startswith("application/problem+json")
        assert {one.headers["Retry-After"] for one in [*answers, refused]} == {"1"}
        # Everybody waited for the same, and not for each other.
        assert max(one.elapsed.total_seconds() for one in answers) < 20
        foreign.execute("rollback")
    assert _put(simulator, 0).status_code == 201


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_is_taken_away_takes_no_acknowledged_write_with_it(
    serve: Serve, tmp_path: Path, workers: str
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    options = "--database", str(folder / "state.db"), "--workers", workers, "--now", NOW
    simulator = serve(*options)
    assert eventually(lambda: len(simulator.workers()) == int(workers), 20)
    assert _put(simulator, 0).status_code == 201
    folder.rename(tmp_path / "elsewhere")
    assert {_put(simulator, number).status_code for number in range(1, MANY)} == {503}
    # The first page needs a secret of this database, and so would one that says so by its forms.
    for page in ("/agenda-ville/connexion", "/_sas/regulateurs", "/_console/visite"):
        answer = requests.get(simulator.url + page, headers={"Accept": "text/html"}, timeout=20)
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert "<html" in answer.text
    # It still plays.
    assert "writes are refused" in _told(simulator, "/_health")["database"]
    assert _told(simulator, slot_search([GUIDE_THOMAS]))["total"] > 0
    assert not folder.exists()
    (tmp_path / "elsewhere").rename(folder)
    for number in range(1, MANY):
        assert _put(simulator, number).status_code == 201
    (folder / "state.db").unlink()
    assert {_put(simulator, number).status_code for number in range(MANY, 2 * MANY)} == {503}
    status, said = simulator.stop()
    assert status == 0
    assert "Traceback" not in said
    # Each worker once for each time, and the end.
    assert said.count("The database is not there: state.db ") <= 2 * int(workers) + 1
    assert _told(serve(*options), "/_admin/accounts?editor=agenda-ville")["accounts"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_journal_that_is_taken_away_goes_on_in_another_file(serve: Serve, tmp_path: Path, workers: str) -> None:
    simulator = serve("--database", str(tmp_path / "state.db"), "--workers", workers, "--now", NOW)
    assert eventually(lambda: len(simulator.workers()) == int(workers), 20)
    for _ in range(MANY):
        _told(simulator, "/agenda-ville/fhir/metadata")
    [last] = _told(simulator, "/_admin/journal?limit=1")["entries"]
    for path in tmp_path.glob("state.journal.db*"):
        path.unlink()

    def goes_on() -> bool:
        _told(simulator, "/agenda-ville/fhir/metadata")
        found = [_told(simulator, "/_admin/journal?limit=1")["entries"] for _ in range(MANY)]
        return all(entries and entries[0]["id"] > last["id"] for entries in found)

    assert eventually(goes_on, 60)
    assert (tmp_path / "state.journal.db").exists()
    # Of all workers, in the one file.
    before = _told(simulator, "/_admin/journal/count?flow=metadata")["count"]
    for _ in range(MANY):
        _told(simulator, "/agenda-ville/fhir/metadata")
    assert _told(simulator, "/_admin/journal/count?flow=metadata")["count"] == before + MANY

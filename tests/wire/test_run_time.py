"""What is changed while it runs, over sockets: every worker knows of it, and so does one that was started anew."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest
import requests

from tests.admin.conftest import TAKEN
from tests.conftest import GUIDE_THOMAS, slot_search
from tests.timing import SOON
from tests.wire.conftest import Serve, Simulator, eventually

pytestmark = pytest.mark.wire

SCRIPT = Path(__file__).parents[2] / "docs" / "scenario-curl.sh"
NOW = "2026-11-20T08:00:00+01:00"
LATER = "2026-11-21T10:00:00Z"
# Enough connections of their own to meet every one of two workers.
MANY = 24


def get(simulator: Simulator, path: str, **how: Any) -> requests.Response:
    """On a connection of its own: any worker may answer."""
    return requests.get(simulator.url + path, timeout=20, **how)


def told(simulator: Simulator, path: str) -> Any:
    answer = get(simulator, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def change(simulator: Simulator, method: str, path: str, body: Any = None) -> requests.Response:
    answer = requests.request(method, simulator.url + path, json=body, timeout=20)
    assert answer.ok, answer.text
    return answer


@pytest.fixture(params=["1", "2"], ids=lambda count: f"workers={count}")
def simulator(request: pytest.FixtureRequest, serve: Serve) -> Simulator:
    return serve("--workers", request.param, "--now", NOW)


def test_a_test_written_with_curl_runs_as_it_stands(simulator: Simulator) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    for _ in range(2):  # it leaves nothing behind
        done = subprocess.run(
            ["sh", str(SCRIPT), simulator.url], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("All as expected.\n")


def test_the_same_test_fails_where_something_is_wrong(serve: Serve) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    deaf = serve("--deliver", "off")
    script = SCRIPT.read_text(encoding="utf-8").replace("timeout=10", "timeout=0.2")
    done = subprocess.run(["sh", "-s", deaf.url], input=script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "0 such exchange(s) after 0.2 s, 1 expected" in done.stdout


def test_the_same_test_fails_where_a_request_has_failed(serve: Serve) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    simulator = serve()
    # In the middle of it, somebody gets a 500.
    rule = '{"name": "broken", "flows": ["metadata"], "do": [{"kind": "status", "code": 500}]}'
    begin = "# What has to be in the journal"
    script = SCRIPT.read_text(encoding="utf-8").replace(
        begin,
        f"""json -X POST "$MOCK/_admin/faults" -d '{rule}'
curl -s "$MOCK/agenda-ville/fhir/metadata"
{begin}""",
    )
    done = subprocess.run(
        ["sh", "-s", simulator.url], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert done.stdout.endswith('Expected {"count":0}, but the answer is: {"count":1}\n')


def test_every_worker_knows_the_time_at_once(simulator: Simulator) -> None:
    stale = 0.0
    for hour in range(5):
        at = f"2026-11-21T{10 + hour}:00:00Z"
        change(simulator, "POST", "/_admin/clock/freeze", {"at": at})
        begin, fresh = time.monotonic(), 0
        while fresh < MANY:
            asked = time.monotonic()
            right = told(simulator, "/_admin/clock")["now"] == at
            fresh, stale = (fresh + 1, stale) if right else (0, max(stale, asked - begin))
            assert asked - begin < SOON
    # It is 0.1 s on a machine that has nothing else to do.
    assert stale < 0.5


def test_every_worker_plays_what_has_been_loaded(simulator: Simulator) -> None:
    for name, editor in (("exemples-guide", "agenda-ps"), ("decouverte", "agenda-ville")) * 2:
        change(simulator, "PUT", "/_admin/scenario", {"name": name})
        for _ in range(MANY):
            assert told(simulator, "/_health")["scenario"] == name
            assert get(simulator, f"/{editor}/fhir/metadata").status_code == 200


def test_searches_go_on_while_scenarios_change(simulator: Simulator) -> None:
    ended = threading.Event()
    statuses: set[int] = set()

    def search() -> None:
        with requests.Session() as session:
            while not ended.is_set():
                statuses.add(session.get(simulator.url + slot_search([GUIDE_THOMAS]), timeout=20).status_code)

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(4)]
        try:
            for _ in range(3):
                change(simulator, "POST", "/_admin/scenario/reload", {"keep_state": False})
        finally:
            ended.set()
        for done in searches:
            done.result()
    assert statuses == {200}


def test_a_worker_that_was_killed_comes_back_to_where_the_others_are(simulator: Simulator) -> None:
    change(simulator, "PUT", "/_admin/scenario", {"name": "exemples-guide"})
    change(simulator, "POST", "/_admin/clock/freeze", {"at": LATER})
    arguments = [str(one) for one in cast("list[str]", simulator.process.args)]
    count = int(arguments[arguments.index("--workers") + 1])
    # The first one serves before the others are there.
    assert eventually(lambda: len(simulator.workers()) == count, 20)
    [gone, *_] = simulator.workers()
    os.kill(gone, signal.SIGKILL)

    def replaced() -> bool:
        now = simulator.workers()
        return len(now) == count and gone not in now

    assert eventually(replaced, 20), simulator.workers()
    assert eventually(lambda: get(simulator, "/_health").ok, 20)
    for _ in range(MANY):
        assert told(simulator, "/_health")["scenario"] == "exemples-guide"
    # The other one may still have been busy with the scenario when the clock was set.
    assert eventually(lambda: {told(simulator, "/_admin/clock")["now"] for _ in range(MANY)} == {LATER}, 20)


def test_a_wrong_scenario_is_told_with_file_and_line(simulator: Simulator) -> None:
    text = "name: essai\nseed: s\ntitle: Essai\ncalendars: {}\neditors:\n  - slug: Pas Bon\n"
    url = f"{simulator.url}/_admin/scenario/text?source=essai.yaml"
    answer = requests.put(url, data=text, headers={"Content-Type": "application/yaml"}, timeout=20)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert "essai.yaml:6" in {one["where"] for one in answer.json()["errors"]}
    assert told(simulator, "/_health")["scenario"] == "decouverte"


def test_the_journal_has_every_exchange_of_every_worker_at_once(simulator: Simulator) -> None:
    for count in range(1, 41):
        assert get(simulator, slot_search([GUIDE_THOMAS])).status_code == 200
        if count % 10 == 0:
            assert told(simulator, "/_admin/journal/count?flow=INT_R01&status=200") == {"count": count}
    [last] = told(simulator, "/_admin/journal?limit=1")["entries"]
    shown = told(simulator, f"/_admin/journal/{last['id']}")
    assert unquote(shown["url"]) == slot_search([GUIDE_THOMAS])
    assert json.loads(shown["answer"]["body"][: shown["answer"]["body"].index(',"entry"')] + "}")["total"] > 0
    assert shown["answer"]["cut"]
    har = told(simulator, "/_admin/journal/har")
    assert len(har["log"]["entries"]) == 40
    lines = get(simulator, "/_admin/journal/ndjson?status=200").text.splitlines()
    assert len(lines) == 40
    change(simulator, "DELETE", "/_admin/journal")
    assert told(simulator, "/_admin/journal/count") == {"count": 0}


def test_whoever_waits_gets_the_notification_when_it_comes(simulator: Simulator) -> None:
    change(simulator, "POST", "/_admin/notifications/pause")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(get, simulator, "/_admin/journal/wait?flow=INT_R03&status=201&count=1&timeout=15")
        change(simulator, "POST", "/_admin/appointments", TAKEN)
        [waits] = told(simulator, "/_admin/notifications")["notifications"]
        assert (waits["state"], waiting.done()) == ("waiting", False)
        change(simulator, "POST", "/_admin/notifications/resume")
        assert waiting.result().json() == {"count": 1}
    [sent] = told(simulator, "/_admin/journal?flow=INT_R03")["entries"]
    assert (sent["direction"], sent["editor"], sent["status"]) == ("out", "agenda-ville", 201)


def test_a_wait_that_is_not_fulfilled_says_so_in_time(simulator: Simulator) -> None:
    begin = time.monotonic()
    answer = get(simulator, "/_admin/journal/wait?flow=INT_R03&count=2&timeout=0.3")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "0 such exchange(s) after 0.3 s, 2 expected"
    assert time.monotonic() - begin >= 0.3


def events(answer: requests.Response) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("id: "):
            number = int(line.removeprefix("id: "))
        elif line.startswith("data: "):
            yield number, json.loads(line.removeprefix("data: "))


def test_exchanges_are_heard_as_they_come_and_from_where_one_left_off(simulator: Simulator) -> None:
    stream = f"{simulator.url}/_admin/journal/stream?flow=metadata"
    with requests.get(stream, headers={"Accept": "text/event-stream"}, stream=True, timeout=20) as live:
        assert live.headers["Content-Type"].startswith("text/event-stream")
        heard = events(live)
        for editor in ("agenda-ville", "agenda-sos"):
            get(simulator, "/_health")
            get(simulator, f"/{editor}/fhir/metadata")
            number, entry = next(heard)
            assert (entry["id"], entry["editor"]) == (number, editor)
    get(simulator, "/agenda-cpts/fhir/metadata")
    again = {"Accept": "text/event-stream", "Last-Event-ID": str(number)}
    with requests.get(stream, headers=again, stream=True, timeout=20) as live:
        assert next(events(live))[1]["editor"] == "agenda-cpts"


def test_a_listener_that_leaves_frees_its_place(simulator: Simulator) -> None:
    def waiting() -> str:
        [found] = re.findall(r"^mock_editor_waiting_requests (\S+)$", get(simulator, "/_metrics").text, re.MULTILINE)
        return str(found)

    with requests.get(f"{simulator.url}/_admin/journal/stream", stream=True, timeout=20):
        assert eventually(lambda: waiting() == "1.0", 10)
    assert eventually(lambda: waiting() == "0.0", 10)


def test_the_server_stops_at_once_while_somebody_listens(serve: Serve) -> None:
    stopped = serve()
    with requests.get(f"{stopped.url}/_admin/journal/stream", stream=True, timeout=SOON) as live:
        stopped.process.terminate()
        assert stopped.process.wait(SOON) == 0
        # It has come to its end, not been cut off.
        assert [*live.iter_lines()] == [b""]


def test_the_numbers_of_all_workers_are_the_same(simulator: Simulator) -> None:
    for _ in range(MANY):
        get(simulator, slot_search([GUIDE_THOMAS]))
    get(simulator, "/agenda-ville/fhir/Slot")
    labels = 'direction="in",editor="agenda-ville",flow="INT_R01"'
    for _ in range(6):
        lines = get(simulator, "/_metrics").text.splitlines()
        assert f'mock_editor_requests_total{{{labels},status="200"}} {MANY}.0' in lines
        assert f'mock_editor_requests_total{{{labels},status="400"}} 1.0' in lines
        assert f"mock_editor_request_seconds_count{{{labels}}} {MANY + 1}.0" in lines
        assert any(line.startswith("mock_editor_build_info{") and "decouverte" in line for line in lines)


def test_what_waits_is_in_the_numbers(simulator: Simulator) -> None:
    change(simulator, "POST", "/_admin/notifications/pause")
    change(simulator, "POST", "/_admin/appointments", TAKEN)
    change(simulator, "POST", "/_admin/clock/advance", {"minutes": 2})
    text = get(simulator, "/_metrics").text
    assert 'mock_editor_notifications{editor="agenda-ville",state="waiting"} 1.0' in text
    # The other worker follows the clock within a moment.
    age = 'mock_editor_notification_oldest_seconds{editor="agenda-ville"} 120.0'
    assert eventually(lambda: age in get(simulator, "/_metrics").text)


def test_a_slot_that_is_closed_is_gone_from_every_search(simulator: Simulator) -> None:
    search = slot_search([GUIDE_THOMAS])
    first = next(one["resource"] for one in told(simulator, search)["entry"] if one["search"]["mode"] == "match")
    change(simulator, "PUT", f"/_admin/calendars/agenda-ville/slots/{first['id']}", {"state": "closed"})

    def seen() -> set[bool]:
        answers = [told(simulator, search) for _ in range(MANY)]
        return {any(one["resource"]["id"] == first["id"] for one in answer["entry"]) for answer in answers}

    assert eventually(lambda: seen() == {False})
    change(simulator, "POST", "/_admin/reset", {"parts": ["calendars"]})
    assert eventually(lambda: seen() == {True})


def test_an_advance_has_retries_and_endings_follow(serve: Serve, tmp_path: Path) -> None:
    text = Path("scenarios/decouverte.yaml").read_text(encoding="utf-8")
    name = "    name: Agenda Ville\n"
    assert name in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(name, f"{name}    endings: {{fulfilled: 1}}\n"), encoding="utf-8")
    simulator = serve("--scenario", str(file), "--now", NOW)
    change(simulator, "POST", "/_admin/appointments", TAKEN)
    change(simulator, "POST", "/_admin/clock/advance", {"hours": 1})
    assert eventually(lambda: told(simulator, "/_admin/appointments")["appointments"][0]["status"] == "fulfilled")
    assert eventually(lambda: told(simulator, "/_admin/journal/count?flow=INT_R03&status=2xx")["count"] == 2)

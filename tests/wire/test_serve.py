"""The command as a user runs it: ``mock-editor serve`` in a process of its own, asked over a socket."""

import re
import shlex
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from mock_editor import scenario
from tests.conftest import GUIDE_THOMAS, slot_search
from tests.search.test_large_searches import TEN_YEARS
from tests.test_settings import LINKS
from tests.wire.conftest import Serve, eventually, run

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
YAML = {"Content-Type": "application/yaml"}
PUBLIC = "https://lga.example"


def test_every_printed_curl_returns_slots(serve: Serve) -> None:
    simulator = serve()
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    commands = re.findall(r"curl '.*'", simulator.announced)
    assert len(commands) == 4
    for command in commands:
        told = subprocess.run(shlex.split(command), capture_output=True, check=True, timeout=10).stdout
        assert b'"resourceType":"Slot"' in told


def test_the_same_scenario_gives_the_same_bytes_in_two_processes(serve: Serve) -> None:
    options = ("--now", NOW, "--public-url", PUBLIC)
    path = slot_search([GUIDE_THOMAS, "899000000044", "899000000101"])
    one, other = (requests.get(serve(*options).url + path, timeout=5) for _ in range(2))
    assert one.status_code == 200
    assert one.content == other.content
    assert one.json()["link"][0]["url"].startswith(PUBLIC)


def test_two_workers_answer_alike(serve: Serve) -> None:
    simulator = serve("--workers", "2", "--now", NOW)
    path = slot_search([GUIDE_THOMAS])
    answers = {requests.get(simulator.url + path, timeout=5).content for _ in range(20)}
    assert len(answers) == 1


def test_raw_bars_and_spaces_on_the_wire(serve: Serve) -> None:
    """A client that encodes nothing: requests would encode the bar by itself."""
    simulator = serve("--now", NOW, "--public-url", PUBLIC)
    port = int(simulator.url.rpartition(":")[2])
    path = slot_search([GUIDE_THOMAS])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert PUBLIC.encode() + path.replace("|", "%7C").encode() in body


def test_a_query_of_100_kilobytes_is_a_414_with_an_outcome(serve: Serve) -> None:
    simulator = serve()
    answer = requests.get(f"{simulator.url}/agenda-ville/fhir/Slot?status=" + "a" * 100_000, timeout=5)
    assert answer.status_code == 414
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_it_cleanly(serve: Serve, sig: signal.Signals) -> None:
    simulator = serve()
    simulator.process.send_signal(sig)
    out, err = simulator.process.communicate(timeout=5)
    assert simulator.process.returncode == 0
    assert "Traceback" not in out + err


def test_kill_9_leaves_nothing_behind_and_it_starts_again(serve: Serve) -> None:
    simulator = serve()
    port = simulator.url.rpartition(":")[2]
    simulator.process.kill()
    simulator.process.wait(5)
    assert eventually(lambda: run_port_is_free(int(port)))
    assert serve("--port", port).url == simulator.url


def run_port_is_free(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("serve", "--port", "x"), "--port: expected a whole number"),
        (("serve", "--public-url", "ftp://x"), "--public-url: expected http://"),
        (("serve", "--public-url", "http://x:port"), "--public-url: "),
        (("serve", "--header-timeout", "0"), "--header-timeout: expected a number of seconds"),
        (("serve", "--now", "demain"), "--now: "),
        (("serve", "--now", "9999-12-31T00:00:00Z"), "--now: expected an instant with an offset, from 1900 to 2200"),
        (("serve", "--threads", "500", "--worker-connections", "400"), "worker connections (400) must be above"),
        (("serve", "--scenario", "nulle-part"), "nulle-part: no such file, nor a shipped scenario"),
        (("serve", "--colour"), "No such option '--colour'"),
        (("serve", "--host", "203.0.113.1", "--port", "0"), "cannot listen on 203.0.113.1:0: "),
        (("check", "nulle-part"), "no such file"),
        (("demarre",), "No such command"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(arguments: tuple[str, ...], expected: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    if arguments[0] == "serve":
        assert len(done.stderr.splitlines()) == 1


def test_a_wrong_variable_is_said_in_a_line() -> None:
    assert "MOCK_EDITOR_PORT: expected a whole number" in run("serve", MOCK_EDITOR_PORT="huit").stderr


def test_variables_of_others_do_not_stop_it_and_a_wrong_name_is_told(serve: Serve) -> None:
    simulator = serve(MOCK_EDITOR_PROT="1", MOCK_EDITOR_VERSION="1.2.3", **LINKS)
    assert requests.get(f"{simulator.url}/_health", timeout=5).ok
    shown = run("clock", "show", "--url", simulator.url, MOCK_EDITOR_PROT="1", **LINKS)
    assert (shown.returncode, len(shown.stderr.splitlines())) == (0, 1)
    told = "mock-editor: unknown environment variable {} counts for nothing; the nearest setting is {}\n"
    assert shown.stderr == told.format("MOCK_EDITOR_PROT", "MOCK_EDITOR_PORT")
    nothing = run("deliver", MOCK_EDITOR_SAS_ULR="https://sas.example", **LINKS)
    assert nothing.stderr.startswith(told.format("MOCK_EDITOR_SAS_ULR", "MOCK_EDITOR_SAS_URL"))
    said = simulator.stop()[1]
    assert said.splitlines()[0] + "\n" == told.format("MOCK_EDITOR_PROT", "MOCK_EDITOR_PORT")
    assert len(said.splitlines()) == 2


def test_a_port_in_use_is_said_in_a_line(serve: Serve) -> None:
    port = serve().url.rpartition(":")[2]
    done = run("serve", "--port", port)
    assert done.returncode == 2
    assert done.stderr == f"mock-editor: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_wrong_scenario_is_said_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "faux.yaml"
    path.write_text("name: faux\ntitle: Faux\nseeed: 1\n")
    done = run("serve", "--scenario", str(path))
    assert done.returncode == 2
    assert f"{path}:3: seeed: unknown key; expected: name, title" in done.stderr


def test_a_doubtful_scenario_is_played_and_said_with_file_and_line(tmp_path: Path, serve: Serve) -> None:
    path = tmp_path / "douteux.yaml"
    text = scenario.find("decouverte").read_text(encoding="utf-8")
    path.write_text(text.replace("specialties: [SM54]", "specialties: [SM54, SM98]", 1), encoding="utf-8")
    line = next(at for at, one in enumerate(path.read_text().splitlines(), 1) if "SM98" in one)
    done = run("check", str(path), "decouverte")
    assert done.returncode == 0
    assert [one.partition(",")[0] for one in done.stdout.splitlines()] == [f"{path}: ok", "decouverte: ok"]
    [told] = done.stderr.splitlines()
    assert told.startswith(f"{path}:{line}: warning: ")
    assert told.endswith("SM98 is no code of the national list (TRE_R38-SpecialiteOrdinale)")
    simulator = serve("--scenario", str(path))
    answer = requests.post(f"{simulator.url}/_admin/scenario/check", path.read_bytes(), headers=YAML, timeout=20)
    assert answer.json()["warnings"] == [told.replace(f"{path}", "scenario.yaml").replace("warning: ", "")]
    # The bench shows the specialities of its directory by their labels.
    assert "SM98" in requests.get(f"{simulator.url}/_sas/lrm", timeout=20).text


def test_twelve_searches_of_ten_years_at_once_hold_neither_memory_nor_others_up(tmp_path: Path, serve: Serve) -> None:
    path = tmp_path / "gros.yaml"
    # The last editor of the announcement is to have this name.
    path.write_text(TEN_YEARS.replace("name: Agenda\n", "name: Agenda SOS\n"), encoding="utf-8")
    [warning] = run("check", str(path)).stderr.splitlines()
    assert "a search of its 3660 days finds about 1054080 slots; 25000 are answered at most" in warning
    simulator = serve("--scenario", str(path), "--now", NOW)
    assert eventually(lambda: requests.get(f"{simulator.url}/_health", timeout=20).ok)
    [worker] = simulator.workers()

    def peak() -> int:
        return int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())[0]) // 1000

    directory = scenario.load(path).editors[0].directory
    queries = [slot_search([one.id], end="2099-01-01") for one in directory][:12]
    before = peak()
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(requests.get, simulator.url + query, timeout=60) for query in queries]
        assert requests.get(f"{simulator.url}/_health", timeout=20).status_code == 200
    assert {one.result().status_code for one in answers} == {400}
    assert {one.result().json()["issue"][0]["code"] for one in answers} == {"too-costly"}
    # In megabytes; it took thousands.
    assert peak() - before < 600


def test_options_can_come_from_the_environment() -> None:
    assert "cannot listen on 203.0.113.1:0" in run("serve", MOCK_EDITOR_HOST="203.0.113.1", MOCK_EDITOR_PORT="0").stderr

"""What nobody gets from a running simulator: lines of their own in its log, files of its machine, its secrets."""

import json
import logging
import os
import re
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mock_editor import scenario
from mock_editor.base.http import PROTECTION
from mock_editor.base.logs import CONFIG, Formatter, visible
from mock_editor.base.store import digest_of
from mock_editor.settings import Settings
from tests.conftest import slot_search
from tests.wire.conftest import Simulator, run

TOKEN = "token-that-nobody-may-read-0123456789"  # noqa: S105 - made up, as is the next one
SECRET = "client-secret-that-nobody-may-read"  # noqa: S105
WAIT = 20
ROOT = Path(__file__).parents[2]
LOG_LINE = re.compile(r"\[[0-9-]{10} [0-9:]{8} [+-][0-9]{4}\] \[[0-9]+\] \[[A-Z]+\] |    ")

Started = Callable[..., Simulator]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Started]:
    made: list[Simulator] = []

    def start(*options: str, **environment: Any) -> Simulator:
        made.append(Simulator(tmp_path, *options, **environment))
        return made[-1]

    yield start
    for one in made:
        ended(one)


def ended(simulator: Simulator) -> str:
    """What it has said on standard error, when it is at its end."""
    if simulator.process.stderr is None or simulator.process.stderr.closed:
        return ""
    simulator.process.terminate()
    try:
        return simulator.process.communicate(timeout=10)[1]
    finally:
        simulator.process.kill()


def send(url: str, raw: bytes) -> bytes:
    """What comes back for bytes that no decent client sends."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), WAIT) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while piece := sock.recv(65536):
            received += piece
    return received


# --- the log

FORGED = "[2026-11-20 08:00:00 +0000] [1] [CRITICAL] all is lost"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a\n{FORGED}", rf"a\n{FORGED}"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\u009b31m"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\u0085d"),
        ("\u202egpj.exe\u2066", r"\u202egpj.exe\u2066"),
        ("\ud800\x7f\x00", r"\ud800\u007f\x00"),
        ("Hélène, 日本, 🩺", "Hélène, 日本, 🩺"),
    ],
)
def test_a_text_is_one_line_that_no_terminal_obeys(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert len(shown.splitlines()) == 1


def test_json_stays_json() -> None:
    assert json.loads(visible(json.dumps("\x9b\x7f\u2028é", ensure_ascii=False))) == "\x9b\x7f\u2028é"


def test_what_an_exception_says_begins_no_line(caplog: pytest.LogCaptureFixture) -> None:
    lines = CONFIG["formatters"]["lines"]
    formatter = Formatter(lines["format"], lines["datefmt"])
    try:
        raise ValueError(f"wrong: x\n{FORGED}\x1b[2J")
    except ValueError:
        logging.getLogger("probe").exception("Failed on %s", f"/\n{FORGED}")
    written = formatter.format(caplog.records[-1])
    assert "\x1b" not in written
    assert [line for line in written.split("\n") if not LOG_LINE.match(line)] == []
    assert written.count("CRITICAL") == 2
    assert written.split("\n")[0].endswith(rf"Failed on /\n{FORGED}")


def test_clients_write_no_lines_of_their_own(serve: Started) -> None:
    """A raw line break ends a head; what is escaped, or in other control characters, comes through."""
    one = serve()
    forged = b"[2026-11-20 08:00:00 +0000] [1] [CRITICAL] all is lost\x1b[2J"
    wild = b"\x1b[2J\x9b31m\xc2\x9b31m\xe2\x80\xa8" + forged
    for raw in (
        b"GET /" + wild + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%0d%0a%0a" + forged.replace(b" ", b"%20") + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        wild + b" / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/" + wild + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + wild + b": x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\n" + wild + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + wild + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: " + wild + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nExpect: " + wild + b"\r\n\r\n",
    ):
        assert b" 500 " not in send(one.url, raw).split(b"\r\n")[0]
    # An identity provider, for whom a client chooses the words: the sign-in fails, and the log says so.
    path = "/agenda-ville/sso/retour"
    requests.get(f"{one.url}{path}", params={"error": f"x\n{FORGED}\x1b[2J", "state": "y"}, timeout=WAIT)
    said = ended(one)
    assert said  # otherwise this test says nothing
    assert [line for line in said.splitlines() if not LOG_LINE.match(line)] == []
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", said) is None
    assert "Traceback" not in said


def test_a_command_shows_what_others_have_sent_without_obeying_it(serve: Started) -> None:
    one = serve()
    send(one.url, "GET /x\x9b31m\u2028y HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    send(one.url, "GET /agenda-ville/fhir/Slot?x=\x9b31m\u2028 HTTP/1.1\r\nHost: a\r\nX-Y: \x9b31m\r\n\r\n".encode())
    told = run("journal", "list", MOCK_EDITOR_URL=one.url)
    assert told.returncode == 0
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", told.stdout) is None
    assert json.loads(told.stdout)


# --- who is of this machine

ACCOUNTS = "/_admin/accounts"


@pytest.mark.parametrize(
    "head",
    [
        f"GET {ACCOUNTS} HTTP/1.1",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost:",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: 127.1",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: lga.example",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: localhost\r\nHost: lga.example",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: localhost\r\nHost: localhost",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 127.0.0.1",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: localhost\r\nfOrWaRdEd: for=127.0.0.1",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: localhost\r\nVia: 1.0 x",
        f"GET {ACCOUNTS} HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: 127.0.0.1",
        f"GET {ACCOUNTS} HTTP/1.0\r\nHost: localhost",
        f"GET {ACCOUNTS} HTTP/1.0",
        f"GET http://localhost{ACCOUNTS} HTTP/1.1\r\nHost: localhost",
        f"GET http://lga.example{ACCOUNTS} HTTP/1.1\r\nHost: localhost",
        f"GET HTTP://lga.example{ACCOUNTS} HTTP/1.1\r\nHost: localhost",
        f"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET {ACCOUNTS} HTTP/1.1\r\nHost: localhost",
    ],
)
def test_what_may_have_been_passed_on_wants_the_token(shared: Simulator, head: str) -> None:
    answer = send(shared.url, f"{head}\r\n\r\n".encode())
    status = int(answer.split()[1])
    assert status in (400, 401)
    assert b"password" not in answer
    for host in ("localhost", "127.0.0.1:8000", "[::1]", "LOCALHOST."):
        own = f"GET {ACCOUNTS} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert send(shared.url, own.encode()).startswith(b"HTTP/1.1 200 ")


def test_wrong_tokens_are_slowed_and_the_right_one_is_not_locked_out(serve: Started) -> None:
    token = "un-jeton-de-trente-signes-au-moins"  # noqa: S105 - of this test only
    simulator = serve(MOCK_EDITOR_ADMIN_TOKEN=token)

    def tried(given: str) -> int:
        headers = {"Authorization": f"Bearer {given}"}
        return requests.get(f"{simulator.url}{ACCOUNTS}", headers=headers, timeout=WAIT).status_code

    began = time.monotonic()
    assert [tried("faux") for _ in range(7)] == [401] * 7
    assert time.monotonic() - began >= 0.75
    with ThreadPoolExecutor(40) as pool:
        wrong = [pool.submit(tried, "faux") for _ in range(40)]
        assert [tried(token) for _ in range(20)] == [200] * 20
        # Few of them hold a thread.
        assert {one.result(WAIT) for one in wrong} <= {401, 429}
    assert tried(token) == 200


# --- files


@pytest.mark.parametrize(
    "name",
    [
        "../scenarios/decouverte",
        "../../../../etc/passwd",
        "/etc/passwd",
        "%2e%2e/decouverte",
        "%2e%2e%2fdecouverte",
        "..\\decouverte",
        "..%5cdecouverte",
        "C:\\scenarios\\decouverte",
        "./decouverte",
        "decouverte.yaml",
        "decouverte%00",
        "decouverte\x00.yaml",
        "",
        ".",
        "..",
        "elsewhere",
    ],
)
def test_over_the_api_only_names_are_scenarios(shared: Simulator, name: str) -> None:
    played = requests.get(f"{shared.url}/_admin/scenario", timeout=WAIT).json()
    loaded = requests.put(f"{shared.url}/_admin/scenario", json={"name": name}, timeout=WAIT)
    assert loaded.status_code in (404, 422), loaded.text
    # Raw, because clients put paths in order.
    target = name.replace(" ", "%20").replace("\x00", "%00")
    for path in (target, target.replace("/", "%2f").replace("\\", "%5c"), target.replace("..", "%2e%2e")):
        head = send(shared.url, f"GET /_admin/scenarios/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status = int(head.split(b" ")[1])
        assert status in (400, 404, 422) or (status == 200 and path == ""), head
        assert b"root:" not in head
    assert requests.get(f"{shared.url}/_admin/scenario", timeout=WAIT).json() == played


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator whose scenario lies in a folder with links, one of which leads out of it."""
    folder = tmp_path_factory.mktemp("scenarios")
    text = scenario.find("decouverte").read_text(encoding="utf-8")
    outside = tmp_path_factory.mktemp("outside") / "elsewhere.yaml"
    outside.write_text(text)
    (folder / "own.yaml").write_text(text)
    (folder / "beside.yaml").symlink_to(folder / "own.yaml")
    (folder / "elsewhere.yaml").symlink_to(outside)
    made = Simulator(folder, "--scenario", str(folder / "own.yaml"))
    yield made
    ended(made)


def test_a_file_with_too_long_a_name_is_told_in_a_line(shared: Simulator) -> None:
    # In bytes: of characters there are not too many.
    name = "é" * 200
    text = scenario.find("decouverte").read_text(encoding="utf-8")
    text = text.replace("    name: Agenda SOS\n", f"    name: Agenda SOS\n    notifications: {{authority: {name}}}\n")
    answer = requests.post(
        f"{shared.url}/_admin/scenario/check",
        data=text.encode(),
        headers={"Content-Type": "application/yaml"},
        timeout=WAIT,
    )
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert "File name too long" in error["what"]
    with pytest.raises(scenario.ScenarioError, match="File name too long"):
        scenario.find(name)
    assert requests.put(f"{shared.url}/_admin/scenario", json={"name": name}, timeout=WAIT).status_code in (404, 422)


def test_the_folder_of_the_scenario_is_known_but_for_links_out_of_it(shared: Simulator) -> None:
    listed = requests.get(f"{shared.url}/_admin/scenarios", timeout=WAIT).json()["scenarios"]
    names = {one["name"] for one in listed}
    assert {"own", "beside", "decouverte"} <= names
    assert "elsewhere" not in names
    assert requests.get(f"{shared.url}/_admin/scenarios/beside", timeout=WAIT).status_code == 200


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "/etc/nothing-of-the-kind", "../../etc/hostname", "~/x", "/root/.ssh/x"]
)
@pytest.mark.parametrize("source", ["scenario.yaml", "/etc/scenario.yaml"])
def test_a_scenario_that_is_sent_learns_nothing_of_files(shared: Simulator, path: str, source: str) -> None:
    text = scenario.find("decouverte").read_text(encoding="utf-8")
    text = text.replace("    name: Agenda SOS\n", f"    name: Agenda SOS\n    notifications: {{authority: {path}}}\n")
    answer = requests.post(
        f"{shared.url}/_admin/scenario/check",
        params={"source": source},
        data=text.encode(),
        headers={"Content-Type": "application/yaml"},
        timeout=WAIT,
    )
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    outside = not path.startswith("~")
    expected = "expected a file below the simulator's working directory" if outside else "there is no file ~/x"
    assert expected in error["what"]


def test_a_snapshot_names_no_file_to_read(serve: Started, tmp_path: Path) -> None:
    one = serve()
    saved = tmp_path / "saved.db"
    saved.write_bytes(requests.get(f"{one.url}/_admin/snapshot", timeout=WAIT).content)
    with sqlite3.connect(saved) as db:
        [(name, text)] = db.execute("select * from controls where name = 'script'").fetchall()
        script = json.loads(text) | {"source": "/etc/passwd", "file": True}
        db.execute("update controls set value = ? where name = ?", [json.dumps(script), name])
        db.execute("update seal set digest = ?", [digest_of(db)])
    db.close()
    kind = {"Content-Type": "application/octet-stream"}
    data = saved.read_bytes()
    requests.put(f"{one.url}/_admin/snapshot", data=data, headers=kind, timeout=WAIT).raise_for_status()
    answer = requests.post(f"{one.url}/_admin/scenario/reload", json={}, timeout=WAIT)
    assert answer.status_code == 409
    assert "root" not in answer.text


# --- secrets


def arguments() -> Iterator[str]:
    """The command lines of all processes that are shown."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue


def test_secrets_are_nowhere_to_be_read(serve: Started, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    one = serve(
        *("--oidc-issuer", "http://127.0.0.1:9/issuer"),
        MOCK_EDITOR_ADMIN_TOKEN_FILE=str(file),
        MOCK_EDITOR_OIDC_CLIENT_SECRET=SECRET,
    )
    elsewhere = {"Host": "lga.example"}
    admin = f"{one.url}/_admin/accounts"
    assert requests.get(admin, headers=elsewhere, timeout=WAIT).status_code == 401
    right = elsewhere | {"Authorization": f"Bearer {TOKEN}"}
    assert requests.get(admin, headers=right, timeout=WAIT).status_code == 200
    # Almost right, in the wrong place, and cut off on the way.
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"{TOKEN}"):
        assert requests.get(admin, headers=elsewhere | {"Authorization": wrong}, timeout=WAIT).status_code == 401
    send(one.url, f"GET /_admin/accounts HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nBad Header\r\n\r\n".encode())
    for given in (f"{TOKEN}x", TOKEN):
        requests.post(f"{one.url}/_console/acces", data={"acces": given, "vers": "/"}, headers=elsewhere, timeout=WAIT)
    # Nobody is at the provider, and the log says so.
    requests.get(f"{one.url}/agenda-ville/sso?origin=sas", timeout=WAIT)
    requests.get(f"{one.url}/agenda-ville/agenda/810100050075-1?origin=sas", timeout=WAIT)
    told = run("account", "list", MOCK_EDITOR_URL=one.url, MOCK_EDITOR_ADMIN_TOKEN_FILE=str(file))
    assert told.returncode == 0
    wrong_file = run("account", "list", MOCK_EDITOR_URL=one.url, MOCK_EDITOR_ADMIN_TOKEN_FILE=str(tmp_path / "none"))
    assert (wrong_file.returncode, "cannot be read" in wrong_file.stderr) == (2, True)

    shown = [*arguments(), one.announced, told.stdout, told.stderr]
    for export in ("journal?limit=1000", "journal/har", "journal/ndjson"):
        answer = requests.get(f"{one.url}/_admin/{export}", timeout=WAIT)
        assert "/agenda-ville/agenda" in answer.text
        shown.append(answer.text)
    entries = requests.get(f"{one.url}/_admin/journal?limit=1000", timeout=WAIT).json()["entries"]
    assert len(entries) > 2
    shown += [requests.get(f"{one.url}/_admin/journal/{entry['id']}", timeout=WAIT).text for entry in entries]
    shown.append(requests.get(f"{one.url}/_metrics", timeout=WAIT).text)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != file]
    assert any(".journal" in path.name for path in files)
    shown += [path.read_bytes().decode("latin-1") for path in files]
    shown.append(ended(one))
    assert [text[:200] for text in shown if TOKEN in text or SECRET in text] == []


@pytest.mark.parametrize("command", ["serve", "deliver"])
@pytest.mark.parametrize("option", ["--admin-token", "--oidc-client-secret"])
def test_secrets_are_no_options(command: str, option: str) -> None:
    for words in ((option, TOKEN), (f"{option}={TOKEN}",)):
        refused = run(command, *words)
        assert refused.returncode == 2
        assert f"No such option '{option}'" in refused.stderr
        assert TOKEN not in refused.stderr
    assert f"MOCK_EDITOR_{option[2:].upper().replace('-', '_')}" in run(command, "--help").stdout


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"ADMIN_TOKEN": "short-secret"}, "MOCK_EDITOR_ADMIN_TOKEN: expected 16 to 200 letters"),
        ({"ADMIN_TOKEN": TOKEN, "ADMIN_TOKEN_FILE": "/x"}, "MOCK_EDITOR_ADMIN_TOKEN_FILE: expected one of them"),
        ({"ADMIN_TOKEN_FILE": "/nowhere"}, "/nowhere cannot be read: No such file or directory"),
        ({"ADMIN_TOKEN_FILE": "/"}, "/ cannot be read: Is a directory"),
    ],
)
def test_a_secret_that_cannot_be_is_told_without_it(environment: dict[str, str], text: str) -> None:
    refused = run("serve", **{f"MOCK_EDITOR_{name}": value for name, value in environment.items()})
    assert refused.returncode == 2
    assert text in refused.stderr
    assert TOKEN not in refused.stderr
    assert "short-secret" not in refused.stderr


# --- the certificate for the SAS


def test_files_for_the_sas_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    leaf, other = trustme.CA().issue_cert("lga.example"), trustme.CA().issue_cert("lga.example")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(str(certificate))
    locked = load_pem_private_key(leaf.private_key_pem.bytes(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"pass phrase"),
    )
    for content, text in (
        (other.private_key_pem.bytes(), f"the key is not that of the certificate in {certificate}"),
        (locked, "the key is encrypted; expected one without a pass phrase"),
        (b"nothing", "holds no private key in PEM"),
    ):
        key.write_bytes(content)
        refused = run("serve", "--sas-certificate", str(certificate), "--sas-key", str(key))
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"mock-editor: --sas-key: {key}: {text}\n"
    if os.getuid():
        key.chmod(0)
        assert "cannot be read: Permission denied" in run("serve", "--sas-key", str(key)).stderr


# --- as shipped


def test_the_example_for_compose_is_closed(tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for service in services.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    # A name that there is not, or a value that cannot be, would stop the start; the files are the volume's.
    command = [str(tmp_path) if word == "/certs" else word for word in services["certificates"]["command"]]
    assert run(*command).returncode == 0
    environment = services["simulator"]["environment"]
    settings = Settings.from_env({name: value.replace("/certs", str(tmp_path)) for name, value in environment.items()})
    assert (settings.tls_port, settings.with_bench) == (8443, True)


def test_the_image_runs_as_nobody_and_writes_in_one_folder() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    assert [line for line in lines if line.startswith(("USER", "VOLUME", "WORKDIR"))][1:] == [
        "USER 10001:10001",
        "WORKDIR /data",
        "VOLUME /data",
    ]
    assert any("TMPDIR=/data" in line and "MOCK_EDITOR_DATABASE=/data/" in line for line in lines)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.is_file()}


def test_files_are_for_their_owner_only_whatever_the_umask_and_before(serve: Started, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    database = folder / "state.db"
    before = os.umask(0)
    try:
        one = serve("--database", str(database))
        requests.get(f"{one.url}/agenda-ville/fhir/metadata", timeout=WAIT).raise_for_status()
        assert requests.get(f"{one.url}/_admin/journal/count", timeout=WAIT).ok
        while_running = modes(folder)
        saved = folder / "saved.db"
        saved.write_text("for all to read")
        assert run("snapshot", "save", "--output", str(saved), MOCK_EDITOR_URL=one.url).returncode == 0
        ended(one)
        for path in folder.iterdir():
            path.chmod(0o644)
        serve("--database", str(database))
    finally:
        os.umask(before)
    assert {"state.db", "state.db-wal", "state.db-shm"} <= set(while_running)
    assert len([name for name in while_running if "journal" in name]) > 1
    assert set(while_running.values()) == {0o600}
    again = modes(folder)
    assert again.pop("saved.db") == 0o644  # which nobody has asked for again
    assert set(again.values()) == {0o600}


def test_a_snapshot_is_for_its_owner_only(serve: Started, tmp_path: Path) -> None:
    one = serve()
    saved = tmp_path / "saved.db"
    saved.touch(0o644)
    assert run("snapshot", "save", "--output", str(saved), MOCK_EDITOR_URL=one.url).returncode == 0
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    nowhere = run("snapshot", "save", "--output", str(tmp_path), MOCK_EDITOR_URL=one.url)
    assert nowhere.returncode == 2
    assert nowhere.stderr.splitlines()[-1] == f"mock-editor: --output: {tmp_path}: Is a directory"


PAGES = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/agenda-ville/fhir/metadata", {}, 200),
        ("HEAD", "/agenda-ville/fhir/metadata", {}, 200),
        ("GET", slot_search(["810100050075"]), {}, 200),
        ("GET", "/agenda-ville/fhir/Slot?status=busy", {}, 400),
        ("DELETE", "/agenda-ville/fhir/Slot", {}, 405),
        ("OPTIONS", "/agenda-ville/fhir/Slot", {}, 405),
        ("GET", "/agenda-ville/fhir/Nothing", {}, 404),
        ("GET", "/agenda-ville/connexion", {}, 200),
        ("DELETE", "/agenda-ville/connexion", PAGES, 405),
        ("GET", "/nowhere", PAGES, 404),
        ("GET", "/nowhere", {}, 404),
        ("GET", "/", {}, 302),
        ("GET", "/_static/erreur.css", {}, 200),
        ("HEAD", "/_static/erreur.css", {}, 200),
        ("GET", "/_static/nowhere.css", {}, 404),
        ("GET", "/_health", {}, 200),
        ("POST", "/_health", {}, 405),
        ("GET", "/_metrics", {}, 200),
        ("GET", "/_metrics", {"Host": "lga.example"}, 401),
        ("GET", "/_admin/accounts", {}, 200),
        ("GET", "/_admin/nowhere", {}, 404),
        ("DELETE", "/_admin/accounts", {}, 405),
        ("GET", "/_admin/journal/stream", {}, 200),
        ("GET", "/_console/", {}, 200),
        ("GET", "/_console/nowhere", PAGES, 404),
        ("GET", "/_idp/.well-known/openid-configuration", {}, 200),
        ("GET", "/_idp/authorize", {}, 400),
        ("GET", "/_sas/", {}, 200),
        ("POST", "/_sas/fhir/Appointment", {}, 415),
        ("GET", "/agenda-ville/fhir/metadata", {"Expect": "something"}, 417),
        ("GET", "/agenda-ville/fhir/metadata", {"X-Long": "a" * 9000}, 431),
    ],
)  # fmt: skip
def test_every_answer_says_how_it_is_to_be_taken(
    shared: Simulator, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = requests.request(
        method, shared.url + path, headers=headers, timeout=WAIT, allow_redirects=False, stream=True
    )
    with answer:
        assert answer.status_code == status
        expected = dict(PROTECTION)
        policy = expected.pop("Content-Security-Policy").partition(";")[0]
        assert expected.items() <= answer.headers.items()
        assert answer.headers["Content-Security-Policy"].startswith(policy)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]

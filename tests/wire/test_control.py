"""The admin API as people's scripts use it: over a socket, and by the commands of ``mock-editor``."""

import contextlib
import functools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from mock_editor.admin.operation import Answers, Operation
from mock_editor.admin.operations import OPERATIONS
from mock_editor.cli import commands
from mock_editor.commands.generate import arguments
from tests.admin.conftest import AT_SOS, TAKEN
from tests.admin.test_operations import url_of
from tests.wire.conftest import Serve, Simulator, eventually, run

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
TOKEN = "jeton-de-seize-signes-au-moins"  # noqa: S105 - of these tests only
# Those whose end is up to the listener have tests of their own.
ENDING = [one for one in OPERATIONS if one.answers is not Answers.STREAM]


class World:
    """A running simulator, and the state that examples begin with, to go back to."""

    def __init__(self, url: str) -> None:
        self.url = url
        for body in (TAKEN, AT_SOS):
            requests.post(f"{url}/_admin/appointments", json=body, timeout=10).raise_for_status()
        assert eventually(lambda: self.get("/_admin/notifications/1")["state"] == "given up")
        self._saved = requests.get(f"{url}/_admin/snapshot", timeout=10).content
        self.put_back()

    def get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=10).json()

    @contextlib.contextmanager
    def unchanged_by(self, operation: Operation) -> Iterator[None]:
        """Whatever an operation does in here is undone."""
        try:
            yield
        finally:
            if operation.method != "GET":
                self.put_back()

    def put_back(self) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        requests.put(f"{self.url}/_admin/snapshot", self._saved, headers=headers, timeout=20).raise_for_status()
        # Which is in no snapshot.
        requests.delete(f"{self.url}/_admin/journal", timeout=10).raise_for_status()
        requests.get(f"{self.url}/agenda-ville/fhir/metadata", timeout=10).raise_for_status()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """A world by its number of workers. Both go on to the end: tests of the two come in any order."""
    simulators: list[Simulator] = []

    @functools.cache
    def world_of(workers: str) -> World:
        options = ("--workers", workers, "--now", NOW, "--sas-url", sas, "--sas-tries", "1")
        simulators.append(Simulator(tmp_path_factory.mktemp("control"), *options))
        return World(simulators[-1].url)

    with socket.socket() as nobody:
        # Bound, and not listening: a SAS that cannot be reached.
        nobody.bind(("127.0.0.1", 0))
        sas = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        yield world_of
        for simulator in simulators:
            simulator.process.terminate()
            simulator.process.communicate(timeout=10)


@pytest.fixture(params=["1", "2"], ids=lambda count: f"workers={count}")
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> World:
    return worlds(request.param)


def command(url: str, *words: str, **environment: str) -> Result:
    """Runs a command of ``mock-editor`` that works with a running one."""
    return CliRunner(env={"MOCK_EDITOR_URL": url, "MOCK_EDITOR_ADMIN_TOKEN": None, **environment}).invoke(
        commands, words, prog_name="mock-editor"
    )


@pytest.mark.parametrize("operation", ENDING, ids=lambda one: one.id)
def test_an_operation_over_http_and_by_its_command(world: World, operation: Operation, tmp_path: Path) -> None:
    example = operation.examples[0]
    status = example.status or operation.status
    body: dict[str, Any] = {"json": example.body} if operation.json_body and example.body is not None else {}
    if operation.body and not operation.json_body:
        body = {"data": example.body, "headers": {"Content-Type": operation.accepts[0]}}
    with world.unchanged_by(operation):
        answer = requests.request(operation.method, world.url + url_of(operation, example), timeout=20, **body)
    assert answer.status_code == status, answer.text

    file = tmp_path / "body"
    content = example.body if isinstance(example.body, str | bytes) else b""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    words = [str(file) if word == "FILE" else word for word in arguments(operation, example)]
    output = tmp_path / "answer"
    words += ["--output", str(output)] if operation.answers is Answers.DOWNLOAD else []
    with world.unchanged_by(operation):
        done = command(world.url, *operation.command.split(), *words)
    assert done.exit_code == (0 if status < 400 else 1), done.output
    if status >= 400:
        assert answer.json()["title"] in done.stderr
    elif operation.answers is Answers.JSON:
        assert json.loads(done.stdout).keys() == answer.json().keys()
    elif operation.answers is Answers.DOWNLOAD:
        assert output.exists()
    else:
        assert done.stdout == ""


# --- what is common to all commands


def test_a_refusal_is_told_with_all_that_is_wrong(world: World) -> None:
    done = command(world.url, "account", "show", "nulle-part", "x")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Not Found: No editor 'nulle-part'" in done.stderr
    done = command(world.url, "appointment", "list", "--since", "hier", "--limit", "0")
    assert done.exit_code == 1
    assert "Unprocessable" in done.stderr
    assert "  query.since: expected a date and time" in done.stderr
    assert "  query.limit: " in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("appointment", "list", "--limit", "x"), "'x' is not a valid integer"),
        (("appointment", "list", "--sas", "maybe"), "'on', 'off'"),
        (("appointment", "close", "agenda-ville", "x"), "Missing option '--honoured'"),
        (("appointment", "show", "agenda-ville"), "Missing argument 'APPOINTMENT'"),
        (("appointment", "dance"), "No such command 'dance'"),
        (("account", "list", "--url", "x"), "--url: "),
        (("account", "list", "--url", "http://x:port"), "--url: "),
        (("account", "list", "--token", "x"), "No such option '--token'"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(world: World, words: tuple[str, ...], expected: str) -> None:
    done = command(world.url, *words)
    assert done.exit_code == 2
    assert expected in done.stderr


def test_a_switch_is_on_or_off(world: World) -> None:
    found = {
        switch: len(json.loads(command(world.url, "account", "list", "--active", switch).stdout)["accounts"])
        for switch in ("on", "off")
    }
    assert found == {"on": 4, "off": 2}


def test_where_nobody_answers_is_said_in_a_line() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        done = run("reset", MOCK_EDITOR_URL=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mock-editor: no simulator answers at {url} (see --url)\n"


PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.1"])
def test_a_simulator_on_this_machine_is_asked_directly(worlds: Callable[[str], World], host: str) -> None:
    url = worlds("1").url.replace("127.0.0.1", host)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        environment = dict.fromkeys(PROXIES, proxy)
        done = run("journal", "count", MOCK_EDITOR_URL=url, **environment)
    # Nobody listens at the other addresses of this machine; that is told, and not of the proxy.
    told = (0, "") if host != "127.8.9.1" else (2, f"mock-editor: no simulator answers at {url} (see --url)\n")
    assert (done.returncode, done.stderr) == told


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://sim.example:8000", "HTTP_PROXY"),
        ("http://sim.example:8000", "http_proxy"),
        ("http://sim.example:8000", "ALL_PROXY"),
        ("https://sim.example", "HTTPS_PROXY"),
    ],
)
def test_a_proxy_that_does_not_answer_is_named(url: str, name: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{nobody.getsockname()[1]}"
        done = run("reset", MOCK_EDITOR_URL=url, **{name: f"http://me:S3CRET@{at}"})
    assert done.returncode == 2
    assert done.stderr.startswith(f"mock-editor: no simulator answers at {url} through the proxy http://{at} (see ")


def test_a_proxy_answers_for_others_and_not_for_those_that_are_excepted(answering: Callable[[bytes], str]) -> None:
    told = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"count": 7}'
    url = "http://sim.invalid:8000"
    by = run("journal", "count", MOCK_EDITOR_URL=url, HTTP_PROXY=answering(told))
    assert (by.returncode, json.loads(by.stdout)) == (0, {"count": 7})
    proxy = answering(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
    refused = run("journal", "count", MOCK_EDITOR_URL=url, HTTP_PROXY=proxy)
    assert (refused.returncode, f"answers 503 No through the proxy {proxy} (see " in refused.stderr) == (1, True)
    directly = run("journal", "count", MOCK_EDITOR_URL=url, HTTP_PROXY=proxy, NO_PROXY="sim.invalid")
    assert directly.stderr == f"mock-editor: no simulator answers at {url} (see --url)\n"


def test_what_is_no_simulator_is_said_in_a_line(answering: Callable[[bytes], str]) -> None:
    url = answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n<br/>")
    assert f"{url}/_admin/reset answers 502 Bad Gateway: <br/>" in command(url, "reset").stderr
    url = answering(b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n")
    done = command(url, "reset")
    assert (done.exit_code, "https://elsewhere.example/" in done.stderr) == (1, True)
    url = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert command(url, "account", "list").exit_code == 1
    url = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok")
    assert "broke off" in command(url, "account", "list").stderr


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Servers that say one thing to their first client."""
    listeners: list[socket.socket] = []

    def listen(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve_one() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

        threading.Thread(target=serve_one, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield listen
    for listener in listeners:
        listener.close()


def test_the_token_opens_from_elsewhere(serve: Serve, tmp_path: Path) -> None:
    """A name that is not this machine's stands for another machine."""
    url = serve(MOCK_EDITOR_ADMIN_TOKEN=TOKEN).url
    host = {"Host": "lga.example"}
    assert requests.get(f"{url}/_admin/accounts", headers=host, timeout=10).status_code == 401
    opened = requests.get(f"{url}/_admin/accounts", headers={**host, "Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert opened.status_code == 200
    assert command(url, "account", "list").exit_code == 0
    assert command(url, "account", "list", MOCK_EDITOR_ADMIN_TOKEN=TOKEN).exit_code == 0
    wrong = command(url, "account", "list", MOCK_EDITOR_ADMIN_TOKEN=f"{TOKEN}x")
    assert (wrong.exit_code, "Unauthorized: The token is wrong" in wrong.stderr) == (1, True)
    # A file of passwords for this machine is not asked.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y\n")
    assert command(url, "account", "list", MOCK_EDITOR_ADMIN_TOKEN=TOKEN, NETRC=str(netrc)).exit_code == 0
    impossible = command(url, "account", "list", MOCK_EDITOR_ADMIN_TOKEN=f"{TOKEN}\nx")
    assert (impossible.exit_code, "MOCK_EDITOR_ADMIN_TOKEN: expected letters" in impossible.stderr) == (2, True)


def test_help_is_there_for_everything_at_once() -> None:
    told = CliRunner().invoke(commands, ["--help"], prog_name="mock-editor").stdout
    for word in {one.command.split()[0] for one in OPERATIONS}:
        assert f"\n  {word} " in told
    assert max(map(len, told.splitlines())) <= 80
    for one in OPERATIONS:
        shown = CliRunner().invoke(commands, [*one.command.split(), "--help"], prog_name="mock-editor").stdout
        assert f"mock-editor {one.command} " in shown
        assert "MOCK_EDITOR_URL" in shown
        assert "Example:" in shown

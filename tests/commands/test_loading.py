"""What commands load: those for a running simulator nothing of the server, so that they answer at once."""

import subprocess
import sys

import pytest

from tests.wire.conftest import clean_environment

# What takes long to import, and belongs to those who play or check something.
HEAVY = [
    "authlib", "cryptography", "faker", "fhir.resources", "flask", "gunicorn", "phonenumbers", "pydantic",
    "sqlite_utils", "werkzeug", "mock_editor.app", "mock_editor.scenario", "mock_editor.server",
]  # fmt: skip


def loaded_by(*words: str) -> set[str]:
    """The modules that are there at the end of a command."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from mock_editor.__main__ import main\n"
        f"sys.argv[1:] = {list(words)!r}\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=clean_environment()
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words", [("clock", "show", "--url", "http://127.0.0.1:1"), ("fault", "add", "--help"), ("--version",)]
)
def test_a_command_for_a_running_simulator_loads_no_server(words: tuple[str, ...]) -> None:
    assert loaded_by(*words) & set(HEAVY) == set()


def test_certificates_are_made_without_the_server() -> None:
    assert loaded_by("certs", "--help") & set(HEAVY) == {"cryptography"}


def test_a_command_that_checks_scenarios_loads_what_it_needs() -> None:
    assert {"fhir.resources", "mock_editor.scenario"} <= loaded_by("check", "--help")

"""Keeps the level table of docs/architecture.md true: imports only go down."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mock_editor
from mock_editor.commands import generate
from mock_editor.commands.description import FILE

PACKAGE = Path(mock_editor.__file__).parent
# Features of one level never import each other.
LEVELS = {
    "base": 0,
    "settings": 1,
    "tls": 1,
    "health": 2,
    "calendars": 1,
    "journal": 1,
    "faults": 1,
    "search": 2,
    "accounts": 2,
    "notifications": 2,
    "bench": 3,
    "booking": 3,
    "scenario": 4,
    "world": 5,
    "snapshots": 5,
    "simulator": 6,
    "admin": 7,
    "web": 8,
    "server": 8,
    "app": 9,
    "commands": 10,
    "cli": 11,
    "__main__": 12,
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The full names of what a module of ours imports from the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def feature(name: str) -> str | None:
    """The module or package of the table that an imported name is in; None for what is none of ours."""
    parts = name.split(".")
    return parts[1] if parts[0] == "mock_editor" and parts[1:] not in ([], ["__version__"]) else None


def test_every_module_has_its_level() -> None:
    """An unknown module fails, wherever it stands: the table is the whole of the package."""
    found = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES}
    assert found - {"__init__"} == set(LEVELS)


def test_the_bench_knows_base_only() -> None:
    """It knows of the editors what the SAS knows: what they answer over HTTP."""
    known = {feature(name) for path in MODULES if "bench" in path.parts for name in imported(path)}
    assert known - {None} <= {"base", "bench"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        return
    for name in imported(path):
        other = feature(name)
        if other and other != own:
            assert LEVELS[other] < LEVELS[own], f"{own} (level {LEVELS[own]}) imports {name}"


def test_routes_are_wired_in_one_place() -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for name in imported(path)
        if name.startswith("mock_editor")
        and any(one in name for one in (".routes", ".front", ".console", ".middleware"))
        and not (".console" in name and path.parent.name == "console")
    }
    assert users == {"app.py"}


def test_calls_to_others_go_by_one_client() -> None:
    """Only ``base/client.py`` has total deadlines and limits of size."""
    ways = ("urllib3", "http.client", "urllib.request", "requests.adapters.HTTPAdapter", "requests.Session")
    users = {
        path.relative_to(PACKAGE).as_posix() for path in MODULES for name in imported(path) if name.startswith(ways)
    }
    # Those that name the type of a session which was made there.
    assert users == {"base/client.py", "journal/outgoing.py", "notifications/attempts.py"}
    made = re.compile(r"\brequests\.(Session|request|get|post|put|patch|delete|head|options)\(|create_connection\(")
    makers = {
        path.relative_to(PACKAGE).as_posix(): found
        for path in MODULES
        for line in path.read_text(encoding="utf-8").splitlines()
        if (found := made.search(line)) and "equip(" not in line
    }
    assert list(makers) == ["base/client.py"]


def test_every_import_stands_at_the_top() -> None:
    for path in MODULES:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                hidden = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                assert not hidden, f"{path}: import inside {function.name}"


def test_the_file_that_commands_are_made_from_is_not_stale() -> None:
    """If it is: ``make generated``."""
    assert (PACKAGE / "commands" / FILE).read_bytes() == generate.content()


def test_connections_are_reset_in_one_place() -> None:
    users = [path for path in MODULES if "SO_LINGER" in path.read_text(encoding="utf-8")]
    assert [path.relative_to(PACKAGE).as_posix() for path in users] == ["base/sockets.py"]

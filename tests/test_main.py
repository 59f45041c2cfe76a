"""``python -m mock_editor`` as somebody runs it who has a checkout and nothing else."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mock_editor

ROOT = Path(mock_editor.__file__).parents[1]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is in the repository, which no installed package leads to."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("mock_editor", "scenarios", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(checkout: Path, *arguments: str, code: str = "") -> "subprocess.CompletedProcess[str]":
    """Without the packages of this environment, but for those that ``code`` brings."""
    start = f"import sys, runpy; {code}\nsys.path.insert(0, {str(checkout)!r}); sys.argv[1:] = {list(arguments)}\n"
    start += "runpy.run_module('mock_editor', run_name='__main__')"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MOCK_EDITOR_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-S", "-B", "-c", start],
        cwd=checkout, capture_output=True, text=True, timeout=110, check=False, env=environ,
    )  # fmt: skip


@pytest.fixture
def with_packages(tmp_path: Path) -> str:
    """Code that makes all installed packages known, but for this one and what tells of it."""
    [packages] = {path for path in sys.path if path.endswith("site-packages") and path.startswith(sys.prefix)}
    for path in Path(packages).iterdir():
        if not path.name.startswith(("mock_editor", "_editable")):
            (tmp_path / path.name).symlink_to(path)
    return f"sys.path.append({str(tmp_path)!r})"


def test_it_runs_where_only_its_dependencies_are_installed(checkout: Path, with_packages: str) -> None:
    done = run(checkout, "check", "decouverte", code=with_packages)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("decouverte: ok, ")
    assert run(checkout, "--version", code=with_packages).stdout.split()[-1] == mock_editor.__version__


def test_without_its_dependencies_it_says_so_in_a_line(checkout: Path) -> None:
    done = run(checkout, "serve")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mock-editor: No module named '")
    assert done.stderr.endswith("'; in its folder, `pip install .` gets what it needs (or `make run`)\n")
    assert len(done.stderr.splitlines()) == 1


def test_an_older_python_is_told_in_a_line(checkout: Path) -> None:
    done = run(checkout, "serve", code="sys.version_info = (3, 10, 9, 'final', 0)")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mock-editor: Python 3.11 or newer is needed, this is 3.10\n"
    for name in ("__init__.py", "__main__.py"):
        ast.parse((ROOT / "mock_editor" / name).read_text(encoding="utf-8"), feature_version=(3, 6))


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "mock_editor/__init__.py"
    assert project["project"]["scripts"] == {"mock-editor": "mock_editor.__main__:main"}

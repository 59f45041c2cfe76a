"""The image as the Dockerfile makes it: built, and started as its user with a root that cannot be written to.

There need be no Docker engine: ``buildah`` builds it, and namespaces that end with the test stand in for a container.
The base of the Dockerfile may be out of reach; one of Debian's packages, with its Python, takes its place.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.wire.conftest import children, eventually

ROOT = Path(__file__).parents[2]
# Kept over runs: the packages need not be fetched each time.
BASE = ROOT / "var" / "image" / "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
TOOLS = ("buildah", "debootstrap", "unshare", "nsenter")
# Whatever is mounted on the way goes with the command.
APART = ("unshare", "--mount", "--propagation", "private", "--")

pytestmark = [
    pytest.mark.wire,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        os.getuid() != 0 or not all(map(shutil.which, TOOLS)), reason=f"needs root, and {', '.join(TOOLS)}"
    ),
]


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=1500, env=os.environ | environment, cwd=ROOT
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def base() -> Path:
    """The files of a small Debian with Python."""
    if not BASE.is_dir():
        BASE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BASE.parent) as folder:
            made = Path(folder) / BASE.name
            run(*APART, "debootstrap", "--variant=minbase", f"--include={PACKAGES}", BASE.name, str(made))
            made.rename(BASE)
    return BASE


def configuration_of_pip() -> list[str]:
    """What the build has to see of this machine for pip to find packages as it does here: options of buildah."""
    told = run(sys.executable, "-m", "pip", "config", "debug")
    files = re.findall(r"^  (/\S+), exists: True$", told, re.MULTILINE)
    named = re.findall(r"file://(/[^\s']+)/[^\s'/]+", told) + re.findall(r"(?<![\w:/])(/[^\s',]+)", told)
    # A folder brings what lies in it.
    paths = sorted({path for path in (*files, *named) if Path(path).exists() and not path.startswith(sys.prefix)})
    volumes = [one for one in paths if not any(Path(other) in Path(one).parents for other in paths)]
    found = [option for path in volumes for option in ("--volume", f"{path}:{path}:ro")]
    for name in ("PIP_INDEX_URL", "PIP_CERT"):
        if value := os.environ.get(name):
            found += ["--build-arg", f"{name}={value}"]
    return found


def driver(folder: Path) -> str:
    """What keeps layers in a folder: one that copies none of them, where the system can."""
    for name in ("lower", "upper", "work", "all"):
        (folder / name).mkdir()
    layers = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
    mount = [*APART, "mount", "-t", "overlay", "overlay", "-o", layers, str(folder / "all")]
    return "vfs" if subprocess.run(mount, capture_output=True, check=False).returncode else "overlay"


class Image(NamedTuple):
    """What was built: a container of it that was not started yet, for whoever sees ``environment``."""

    container: str
    root: Path
    config: dict[str, Any]
    environment: dict[str, str]


@pytest.fixture(scope="module")
def image(base: Path) -> Iterator[Image]:
    with tempfile.TemporaryDirectory(prefix="mock-editor-image-", dir=BASE.parent) as name:
        folder = Path(name)
        store = folder / "storage.conf"
        places = {"driver": driver(folder), "graphroot": folder / "storage", "runroot": folder / "run"}
        lines = ["[storage]", *(f'{key} = "{value}"' for key, value in places.items())]
        store.write_text("\n".join(lines), encoding="utf-8")
        known = {"CONTAINERS_STORAGE_CONF": str(store), "BUILDAH_ISOLATION": "chroot"}

        def buildah(*arguments: str) -> str:
            return run(*APART, "buildah", *arguments, **known).strip()

        empty = buildah("from", "scratch")
        buildah("copy", "--quiet", empty, f"{base}/", "/")
        buildah("commit", "--quiet", "--rm", empty, "localhost/base")
        # Only Docker's format knows health checks.
        built = ("bud", "--quiet", "--format", "docker", "--build-arg", "BASE=localhost/base")
        buildah(*built, *configuration_of_pip(), "--tag", "localhost/mock_editor", ".")
        described = json.loads(buildah("inspect", "--type", "image", "localhost/mock_editor"))
        container = buildah("from", "localhost/mock_editor")
        root = Path(buildah("mount", container))
        assert root.is_relative_to(folder)
        yield Image(container, root, described["Docker"]["config"], known)


class Container:
    """The image, started: with its user, its environment and its first process, on a root that is only read."""

    def __init__(self, image: Image, data: Path, *arguments: str, **environment: str) -> None:
        self._root, self._config = root, config = image.root, image.config
        self._environment = dict(one.split("=", 1) for one in config["Env"]) | environment
        user, group = map(int, config["User"].split(":"))
        os.chown(data, user, group)
        [volume] = config["Volumes"]
        mounts = (
            f'--bind "{root}" "{root}"', f'--bind "{data}" "{root}{volume}"', f'--bind /dev "{root}/dev"',
            f'-t proc proc "{root}/proc"', f'-o remount,bind,ro "{root}"',
        )  # fmt: skip
        begin = " && ".join([f"buildah mount {image.container}", *(f"mount {one}" for one in mounts), 'exec "$@"'])
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--",
             "sh", "-c", begin, "sh", *self._inside(*config["Entrypoint"], *arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | image.environment,
        )  # fmt: skip

    def _inside(self, *command: str) -> list[str]:
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        place = f'cd "{self._config["WorkingDir"]}" && exec "$@"'
        user = f"--userspec={self._config['User']}"
        start = ["sh", "-c", place, "sh", *command]
        return ["chroot", user, "--groups=", str(self._root), "/usr/bin/env", "-i", *variables, *start]

    @property
    def first(self) -> int:
        [pid] = children(self.process.pid)
        return pid

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Another command in it, as the same user."""
        enter = ["nsenter", "--target", str(self.first), "--mount", "--pid"]
        return subprocess.run(
            [*enter, "--", *self._inside(*command)], capture_output=True, text=True, timeout=60, check=False
        )


@contextmanager
def started(image: Image, data: Path, *arguments: str, **environment: str) -> Iterator[Container]:
    one = Container(image, data, *arguments, **environment)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.communicate(timeout=20)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_it_runs_as_its_user_on_a_root_that_cannot_be_written_to(image: Image, tmp_path: Path) -> None:
    config = image.config
    assert config["User"] == "10001:10001"
    assert (list(config["ExposedPorts"]), config["Cmd"]) == (["8000/tcp"], ["serve"])
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # As where a Service is named like it, and with another port than the usual one.
    link = "tcp://10.0.0.1:8000"
    with started(image, tmp_path, *config["Cmd"], "--port", str(port), MOCK_EDITOR_PORT=link) as container:

        def well() -> bool:
            try:
                return requests.get(f"{url}/_health", timeout=20).status_code == 200
            except requests.ConnectionError:
                assert container.process.poll() is None, container.process.communicate()[0]
                return False

        assert eventually(well, 60)
        status = Path(f"/proc/{container.first}/status").read_text()
        assert re.search(r"^Uid:\s+10001\s+10001\s+10001\s+10001$", status, re.MULTILINE)
        assert re.search(r"^Gid:\s+10001\s+10001\s+10001\s+10001$", status, re.MULTILINE)
        mounts = Path(f"/proc/{container.first}/mountinfo").read_text()
        assert any(line.split()[4] == "/" and line.split()[5].startswith("ro") for line in mounts.splitlines())
        kind, *command = config["Healthcheck"]["Test"]
        asked = container.run(*command)
        assert (kind, asked.returncode) == ("CMD", 0), asked.stderr
        certs = container.run(*config["Entrypoint"], "certs", "init", "/data/certs")
        assert certs.returncode == 0, certs.stderr
        os.kill(container.first, signal.SIGTERM)
        assert container.process.wait(30) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"state.db", "state.journal.db", "certs"}

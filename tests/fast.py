"""The fast tests (``--fast``, ``make test-fast``): no socket, no browser, no process, nothing that takes long.

Folders and the markers say which tests are left out. One that is not, and reaches for a socket or a process, fails: it
belongs among those that ``tests/conftest.py`` marks as slow.
"""

import sys
from pathlib import Path
from typing import Any

import pytest

_FOLDERS = {"browser", "image", "validation", "wire"}
_MARKS = {"browser", "shared", "slow", "wire"}
_REFUSED = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "socket.__new__", "subprocess.Popen"}


class Fast:
    """Registered as a plugin when only the fast tests are asked for."""

    def __init__(self) -> None:
        self._running = False
        # An audit hook cannot be removed: it lives as long as the process.
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _: tuple[Any, ...]) -> None:
        if event in _REFUSED and self._running:
            raise PermissionError(f"{event}: a fast test opens no socket and starts no process (tests/fast.py)")

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return True if collection_path.parent.name == "tests" and collection_path.name in _FOLDERS else None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        left_out = {item for item in items if any(item.get_closest_marker(name) for name in _MARKS)}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]

    def pytest_runtest_setup(self) -> None:
        self._running = True

    def pytest_runtest_teardown(self) -> None:
        self._running = False

"""The fast tests (``--fast``, ``make test-fast``): no socket, no browser, no process.

Nobody keeps a list of them. Folders and markers leave out most of the others before they are imported; whatever else
reaches for a socket or a process is stopped there and skipped. ``make test`` runs everything.
"""

import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_FOLDERS = {"browser", "image", "validation", "wire"}
_MARKS = {"browser", "shared", "slow", "wire"}
_REFUSED = {"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "socket.bind", "socket.connect", "subprocess.Popen"}
_WHY = "opens a socket or starts a process"


class Fast:
    """Registered as a plugin when only the fast tests are asked for."""

    def __init__(self) -> None:
        self._running = self._reached = False
        # There is no way to remove it again: it lives as long as the process.
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _: tuple[Any, ...]) -> None:
        if event not in _REFUSED or not self._running:
            return
        self._reached = True
        if threading.current_thread() is threading.main_thread():
            pytest.skip(_WHY)
        # A skip would end the thread with an error; this one it has to bear.
        raise PermissionError(_WHY)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return True if collection_path.parent.name == "tests" and collection_path.name in _FOLDERS else None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        left_out = [item for item in items if any(item.get_closest_marker(name) for name in _MARKS)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, bool | None, bool | None]:
        self._running, self._reached = True, False
        try:
            return (yield)
        finally:
            self._running = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if self._reached and report.failed:
            # What was refused to a thread, or in the middle of a test, may fail in any way.
            report.outcome, report.longrepr = "skipped", (__file__, 0, _WHY)
        return report

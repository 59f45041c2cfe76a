"""Threads. When the system refuses one, the request that needs it gets a 503.

Background threads start with the process, not when they are first needed.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code

_log = logging.getLogger(__name__)


def start(name: str, target: Callable[..., object], *arguments: Any) -> threading.Thread:
    """Starts a thread that does not keep the process alive. Raises 503."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise _refusal(error) from error
    return thread


class Pool(ThreadPoolExecutor):
    """A pool of up to ``most`` threads. The first one is started at once; raises 503 if that fails.

    When the system refuses more threads, submitted work waits for the existing ones. It is neither lost nor an error.
    """

    def __init__(self, most: int, name: str) -> None:
        super().__init__(most, thread_name_prefix=name)
        self.submit(int).result()

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError as error:
            if not self._threads:
                raise _refusal(error) from error
            _log.warning("Work has to wait: %s", error)


def _refusal(error: RuntimeError) -> EditorError:
    return refused(Code.NO_MORE_THREADS, reason=str(error))

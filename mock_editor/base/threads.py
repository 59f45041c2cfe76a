"""Threads, of which the system may give no more: whoever needs one hears of it as of a database that is out of order.

Those that work in the background of a process begin with it, not when they are needed first.
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
    """A thread that does not hold up the end of the process, begun. Raises 503."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise _refusal(error) from error
    return thread


class Pool(ThreadPoolExecutor):
    """Threads for work, ``most`` at once, of which one is there from the beginning, or this raises 503.

    Where the system gives no more, what is submitted waits for those that are there: it is not lost, and no error.
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

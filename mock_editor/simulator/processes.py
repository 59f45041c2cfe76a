"""The processes that share a state. Each notes which generation it plays; who begins a new one waits for the others."""

import os
import threading

from mock_editor.base import generations
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.processes import runs
from mock_editor.base.store import Store

# Seconds between two looks at the generations of the others.
_LOOK = 0.01


class Processes:
    """The processes that share ``store``, from the point of view of this one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pid: int | None = None

    @property
    def joined(self) -> bool:
        """Whether this process is one of them, because it serves or delivers."""
        return self._pid is not None

    def join(self) -> None:
        """Makes this process one of them. Call it after the fork."""
        self._pid = os.getpid()

    def note(self, generation: int) -> None:
        """Notes that this process plays ``generation``, if it is one of them. Raises 503."""
        if self._pid is not None:
            with self._store.writing() as db:
                generations.note(db, self._pid, generation)

    def await_others(self, generation: int) -> None:
        """Waits until every other process plays ``generation``. Raises 503."""
        pause = threading.Event()
        for _ in range(int(generations.PATIENCE / _LOOK)):
            behind = self._behind(generation)
            if not behind:
                return
            pause.wait(_LOOK)
        with self._store.writing() as db:
            # Nobody waits again for a process that no longer follows.
            generations.forget(db, behind)
        raise refused(Code.PROCESSES_BEHIND, count=len(behind), seconds=generations.PATIENCE)

    def _behind(self, generation: int) -> list[int]:
        with self._store.reading() as db:
            pids = generations.behind(db, generation)
        return [pid for pid in pids if pid != self._pid and runs(pid)]

"""The processes that share a state: each says which generation it plays; whoever changes it waits for the others."""

import os
import threading

from mock_editor.base import generations
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.processes import runs
from mock_editor.base.store import Store

# Seconds between two looks at who has followed.
_LOOK = 0.01


class Processes:
    """The processes that share ``store``, as this one sees them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pid: int | None = None

    @property
    def joined(self) -> bool:
        """Whether this process is one of them: it serves, or delivers."""
        return self._pid is not None

    def join(self) -> None:
        """Makes this process one of them. To be called after a fork."""
        self._pid = os.getpid()

    def say(self, generation: int) -> None:
        """Says that this process plays ``generation``, if it is one of them. Raises 503."""
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
            # Whoever no longer follows is not waited for again.
            generations.forget(db, behind)
        raise refused(Code.PROCESSES_BEHIND, count=len(behind), seconds=generations.PATIENCE)

    def _behind(self, generation: int) -> list[int]:
        with self._store.reading() as db:
            pids = generations.behind(db, generation)
        return [pid for pid in pids if pid != self._pid and runs(pid)]

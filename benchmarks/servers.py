"""Servers as processes of their own: started on a free port, looked at from outside, always ended."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 120.0
_STOP = 10.0

_server_cpus = _client_cpus = os.sched_getaffinity(0)


def place(*, pin: bool) -> str:
    """Where servers and client run from now on; says it in words.

    Pinned, they do not compete for a core, nor does the system move them about: steadier figures, the same for all.
    """
    global _server_cpus, _client_cpus
    first, *others = sorted(os.sched_getaffinity(0))
    if not pin or not others:
        return "not pinned"
    _server_cpus, _client_cpus = {first}, {others[0]}
    os.sched_setaffinity(0, _client_cpus)
    return f"servers pinned to CPU {first}, client to CPU {others[0]}"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; ``started`` is when its process was, on the clock of ``time.perf_counter``."""

    pid: int
    port: int
    started: float

    def memory(self) -> tuple[float, float]:
        """MiB that master and workers hold: resident, and with shared pages counted once (RSS, PSS)."""
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text("ascii") for pid in (str(self.pid), *self._workers())]
        rss, pss = (
            sum(int(found[1]) for text in texts if (found := re.search(rf"^{name}: +(\d+) kB", text, re.MULTILINE)))
            for name in ("Rss", "Pss")
        )
        return rss / 1024, pss / 1024

    def computed(self) -> float:
        """CPU seconds of the workers' threads so far; the time that others take from them does not count."""
        files = [file for pid in self._workers() for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(file.read_text("ascii").split()[0]) for file in files) / 1e9

    def _workers(self) -> list[str]:
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        assert workers, "the server has no worker yet: it has not answered anything"
        return workers


@contextlib.contextmanager
def running(*module: str) -> Iterator[Server]:
    """Runs ``python -m`` with these arguments, from its first line on. Raises RuntimeError when it does not start."""
    os.sched_setaffinity(0, _server_cpus)  # the process inherits it
    started = time.perf_counter()
    try:
        # In a group of its own: Ctrl-C reaches the benchmark alone, which then ends its servers.
        process = subprocess.Popen(
            [sys.executable, "-m", *module], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
    finally:
        os.sched_setaffinity(0, _client_cpus)
    assert process.stdout
    silence = threading.Timer(_PATIENCE, process.kill)
    try:
        silence.start()
        line = process.stdout.readline()
        found = re.search(r" on http://127\.0\.0\.1:(\d+)$", line.rstrip())
        if not found:
            raise RuntimeError(f"python -m {' '.join(module)} does not start: {line!r}")
        silence.cancel()
        yield Server(process.pid, int(found[1]), started)
    finally:
        silence.cancel()
        process.terminate()
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()

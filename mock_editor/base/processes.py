"""Other processes of this machine."""

import os
from functools import cache
from pathlib import Path


@cache
def boot() -> str:
    """The id of the current boot. Monotonic time, which all processes share, starts with it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def runs(pid: int) -> bool:
    """Whether a process with this id exists, ours or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

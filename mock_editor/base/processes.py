"""Other processes of this machine."""

import os
from functools import cache
from pathlib import Path


@cache
def boot() -> str:
    """What this start of the machine is called: its monotonic time, which all processes share, begins with it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def runs(pid: int) -> bool:
    """Whether there is such a process, be it somebody else's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

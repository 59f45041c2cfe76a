"""What the benchmarks print: the circumstances, tables, and targets with their verdict."""

import math
import os
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("mock-editor", "gunicorn", "flask", "werkzeug", "orjson")


def circumstances(cpus: str) -> None:
    """Prints what the figures depend on: command, date, machine, versions."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    print(f"Command: {shlex.join(['python', '-m', 'benchmarks', *sys.argv[1:]])}")
    print(f"Date: {datetime.now(UTC).astimezone().isoformat(timespec='seconds')}")
    print(f"Machine: {os.cpu_count()} x {model[1] if model else platform.machine()}, Linux {platform.release()}")
    print(f"CPUs: {cpus}")
    print(f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in _PACKAGES)}")
    load()


def load() -> None:
    """Prints how busy the machine is with everything, us included."""
    print(f"Load average: {os.getloadavg()[0]:.2f}")


def section(title: str, *lines: str) -> None:
    """Prints a heading and what is below it."""
    print(f"\n## {title}\n", *lines, "", sep="\n", flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table, aligned: the first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, [f"{'-' * (width - 1)}{':' if at else '-'}" for at, width in enumerate(widths)], *rows):
        cells = [
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print(f"| {' | '.join(cells)} |")
    print()


def target(what: str, measured: float, *, at_least: float = -math.inf, at_most: float = math.inf) -> None:
    """Prints what was measured beside its target, and whether that is good enough."""
    bound = f">= {at_least:g}" if at_least > -math.inf else f"<= {at_most:g}"
    verdict = "met" if at_least <= measured <= at_most else "NOT met"
    print(f"- {verdict}: {what}: {measured:.2f}, target {bound}", flush=True)

"""``python -m benchmarks.writer PORT RATE KNOWN``: updates KNOWN accounts, RATE a second at most, until killed."""

import itertools
import signal
import sys
import time
from collections.abc import Iterator

from benchmarks import load
from benchmarks.workload import account_request


def main() -> None:
    """Raises RuntimeError for a wrong answer."""
    port, rate, known = map(int, sys.argv[1:])
    print("ready", flush=True)
    if rate == 0:
        signal.pause()
    if load.run(port, _updates(rate, known)).errors:
        raise RuntimeError("wrong answers")


def _updates(rate: int, known: int) -> Iterator[bytes]:
    """Endless; each comes when it is due."""
    due = time.monotonic()
    for number in itertools.count():
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))
        yield account_request(number % known, f"Martin-{number}")


if __name__ == "__main__":
    main()

"""``python -m benchmarks [--quick] [--no-pin]``: runs every benchmark and prints its figures. Needs Linux."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import accounts, report, rounds, search, servers


def main() -> None:
    """Exits with 0 when everything was measured, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures slot searches and accounts.")
    parser.add_argument("--quick", action="store_true", help="40 seconds, rougher figures")
    parser.add_argument("--no-pin", action="store_true", help="let the system place server and client on the CPUs")
    options = parser.parse_args()
    # By default it would end this process without ending the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    report.circumstances(servers.place(pin=not options.no_pin))
    effort = rounds.QUICK if options.quick else rounds.NORMAL
    with tempfile.TemporaryDirectory() as folder:
        for benchmark in (
            search.over_http,
            search.by_directory_size,
            search.memory,
            search.in_process,
            accounts.written,
            accounts.beside_searches,
        ):
            benchmark(Path(folder), effort)
    print()
    report.load()


if __name__ == "__main__":
    main()

"""``python -m benchmarks [--quick] [--no-pin] [--only …]``: prints figures. Needs Linux."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import accounts, faults, journal, notifications, pages, report, rounds, search, servers, tls

_BENCHMARKS = {
    "search": (search.over_http, search.by_directory_size, search.memory, search.in_process),
    "accounts": (accounts.written, accounts.beside_searches),
    "journal": (journal.beside_searches, journal.growth),
    "faults": (faults.beside_rules, faults.beside_waits),
    "notifications": (notifications.sent, notifications.delay, notifications.beside_searches),
    "pages": (pages.with_much,),
    "tls": (tls.new_connections, tls.kept_connections),
}


def main() -> None:
    """Exits with 0 when everything was measured, whatever the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures searches, accounts, journal, faults, notifications, pages and TLS.",
    )
    parser.add_argument("--quick", action="store_true", help="under two minutes, rougher figures")
    parser.add_argument("--no-pin", action="store_true", help="let the system place server and client on the CPUs")
    parser.add_argument("--only", choices=_BENCHMARKS, help="measure that alone")
    options = parser.parse_args()
    # By default it would end this process without ending the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    report.circumstances(servers.place(pin=not options.no_pin))
    effort = rounds.QUICK if options.quick else rounds.NORMAL
    with tempfile.TemporaryDirectory() as folder:
        for name, benchmarks in _BENCHMARKS.items():
            for benchmark in benchmarks if options.only in (None, name) else ():
                benchmark(Path(folder), effort)
    print()
    report.load()


if __name__ == "__main__":
    main()

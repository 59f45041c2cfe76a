"""The benchmarks of regulator accounts (INT_R02), and of what writing them costs the searches."""

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import report
from benchmarks.load import Load
from benchmarks.rounds import Effort, in_turns, measured_load, ratios_of, simulator, spread
from benchmarks.servers import Server, running
from benchmarks.workload import INT_R01, LISTED, Workload, account_request, request

_CONNECTIONS = (1, 8)
_KNOWN = 3500  # the accounts of a full deployment
_RATES = (10, 50)


def written(folder: Path, effort: Effort) -> None:
    """Accounts created and updated, beside the least that keeps what it is sent."""
    report.section(
        "Accounts over HTTP",
        "PUT ?identifier= of one account each. Created: never seen before. Updated: one of",
        f"{_KNOWN} known, with another family name each time. Latencies in ms. The reference is a Flask application",
        "under the same server that writes the body into one row of SQLite, with the same safety, and sends it back.",
        f"Medians of {effort.rounds} rounds of {effort.seconds:g} s on each side.",
    )
    workload = Workload(folder, LISTED)
    fresh = itertools.count(_KNOWN)
    turn = itertools.count()

    def created() -> Iterator[bytes]:
        return (account_request(number, "Loridon") for number in fresh)

    def updated() -> Iterator[bytes]:
        return (account_request(number % _KNOWN, f"Loridon-{number}") for number in turn)

    kinds = {"created": created, "updated": updated}
    served = folder / "nothing"
    served.mkdir()
    with simulator(workload) as ours, running("benchmarks.reference_app", str(served)) as reference:
        for server in (ours, reference):
            measured_load(server, (account_request(number, "Loridon") for number in range(_KNOWN)))
        sides = [(kind, at, server) for kind in kinds for at in _CONNECTIONS for server in (ours, reference)]
        runs: dict[tuple[str, int, Server], list[Load]] = {side: [] for side in sides}
        for kind, connections, server in in_turns(sides, effort.rounds):
            measured = measured_load(server, kinds[kind](), connections=connections, seconds=effort.seconds)
            runs[kind, connections, server].append(measured)
    rows = []
    for kind in kinds:
        for connections in _CONNECTIONS:
            figures: list[str] = []
            for server in (ours, reference):
                side = runs[kind, connections, server]
                figures += [f"{median(run.per_second for run in side):.0f}"]
                figures += [f"{median(run.p50 for run in side):.2f}", f"{median(run.p99 for run in side):.2f}"]
            both = [[run.per_second for run in runs[kind, connections, server]] for server in (ours, reference)]
            rows.append([f"{kind}, {connections} connections", *figures, spread(ratios_of(*both))])
    report.table(["", "ours/s", "p50", "p99", "reference/s", "p50", "p99", "ours/reference"], rows)


def beside_searches(folder: Path, effort: Effort) -> None:
    """Searches while accounts are written."""
    report.section(
        "Searches while accounts are written",
        "INT_R01 at one connection, latencies in ms, alone and while another process updates accounts at a steady",
        'rate; "all it can" does so without a pause. A real platform makes a handful of changes a day.',
    )
    workload = Workload(folder, LISTED)
    search = request(workload.first_target(INT_R01))
    cases = {"alone": 0, **{f"{rate}/s": rate for rate in _RATES}, "all it can": sys.maxsize}
    runs: dict[str, list[Load]] = {name: [] for name in cases}
    with simulator(workload) as server:
        measured_load(server, (account_request(number, "Loridon") for number in range(_KNOWN)))
        for name in in_turns(cases, effort.rounds):
            with _writing(server, cases[name]):
                runs[name].append(measured_load(server, itertools.repeat(search), seconds=effort.seconds))
    rows = []
    alone = [run.p50 for run in runs["alone"]]
    for name, loads in runs.items():
        row = [name, f"{median(run.p50 for run in loads):.2f}", f"{median(run.p99 for run in loads):.2f}"]
        rows.append([*row, spread(ratios_of([run.p50 for run in loads], alone))])
    report.table(["accounts", "p50", "p99", "p50 x of alone"], rows)
    busiest = f"{_RATES[-1]}/s"
    report.target(
        f"search p50 while {busiest} are written, x of alone",
        median(ratios_of([run.p50 for run in runs[busiest]], alone)),
        at_most=1.2,
    )


@contextlib.contextmanager
def _writing(server: Server, rate: int) -> Iterator[None]:
    """Updates accounts from a process of its own; at the rate 0 it is there as well, and does nothing."""
    command = [sys.executable, "-m", "benchmarks.writer", str(server.port), str(rate), str(_KNOWN)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert writer.stdout
        assert writer.stdout.readline(), "the writer does not start"
        yield
        assert writer.poll() is None, "the writer has stopped"
    finally:
        writer.kill()
        writer.communicate()

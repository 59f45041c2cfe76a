"""The benchmark of the console's and the bench's pages, with much behind them."""

import itertools
import re
import time
from pathlib import Path
from statistics import median

import requests

from benchmarks import report
from benchmarks.notifications import RunningScenario
from benchmarks.rounds import Effort, measured_load
from benchmarks.servers import running

_ENTRIES, _APPOINTMENTS = 5_000, 1_000
_REFERENCE = "/_health"
_LISTS = (
    "/_console/", "/_console/visite", "/_console/agendas", "/_console/comptes", "/_console/rendez-vous",
    "/_console/notifications", "/_console/journal", "/_console/journal?contains=Slot", "/_console/pannes",
    "/_console/pannes/nouvelle", "/_console/scenario", "/_console/horloge", "/_sas/", "/_sas/rendez-vous",
    "/_sas/regulateurs",
)  # fmt: skip
# On these lists stand links to pages of one thing each.
_ONE_OF = (
    ("/_console/rendez-vous", r"/_console/rendez-vous/[^\"?#]+"),
    ("/_console/journal", r"/_console/journal/\d+"),
    ("/_console/agendas?editeur=agenda-ville", r"/_console/agendas/[^\"]+"),
)


def with_much(folder: Path, effort: Effort) -> None:
    """Every page, with thousands of entries in the journal and of appointments."""
    times = effort.rounds + 2
    report.section(
        "Pages",
        f"Milliseconds until a page is there, slowest and median of {times} visits, with {_ENTRIES:,} exchanges",
        f"in the journal and {_APPOINTMENTS:,} appointments, none of which the SAS has been told of.",
    )
    workload = RunningScenario(folder)
    database = workload.filled(folder / "pages.db", _APPOINTMENTS)
    options = ("--scenario", str(workload.file), "--port", "0", "--database", str(database), "--deliver", "off")
    with running("mock_editor", "serve", *options) as server, requests.Session() as session:
        root = f"http://127.0.0.1:{server.port}"
        measured_load(server, itertools.islice(itertools.repeat(workload.search()), _ENTRIES), connections=4)

        def visit(path: str) -> tuple[float, str]:
            begin = time.perf_counter()
            answer = session.get(root + path, timeout=60)
            answer.raise_for_status()
            return (time.perf_counter() - begin) * 1000, answer.text

        single = [found[0] for path, link in _ONE_OF if (found := re.search(link, visit(path)[1]))]
        rows, slowest = [], 0.0
        for path in (_REFERENCE, *_LISTS, *single):
            visits = [visit(path)[0] for _ in range(times)]
            rows.append([path, f"{max(visits):.0f}", f"{median(visits):.1f}"])
            slowest = max(slowest, *visits)
    report.table(["page", "slowest", "median"], rows)
    report.target("slowest page, in ms", slowest, at_most=300)

"""The benchmarks of the journal: what it costs a search, and that it stops growing."""

import itertools
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median

from benchmarks import report
from benchmarks.load import Load
from benchmarks.rounds import Effort, in_turns, measured_load, ratios_of, spread
from benchmarks.servers import Server, running
from benchmarks.workload import ASKED, INT_R01, LISTED, Workload, answer, drawn_anew, request

_CONNECTIONS = 8
_WARM_UP = 300
# Rounds are short and many: what one worker's writer happens to do then evens out. Servers are started anew:
# two processes of one program differ by some percent for as long as they live.
_SHORTER, _STARTS = 2, 4
_FULL = 12_000  # searches after which it is, by default: from then on, nothing may grow
_SAMPLES = 10


def _server(workload: Workload, database: Path, *, journal: str) -> AbstractContextManager[Server]:
    frozen_at = workload.played.frozen_at
    assert frozen_at
    options = ("--scenario", str(workload.file), "--port", "0", "--now", frozen_at.isoformat())
    return running("mock_editor", "serve", *options, "--database", str(database), "--journal", journal)


def beside_searches(folder: Path, effort: Effort) -> None:
    """A search with the journal, beside one without."""
    rounds, seconds = effort.rounds, effort.seconds / _SHORTER
    report.section(
        "Searches with the journal",
        f"{INT_R01.title}; {_CONNECTIONS} connections; latencies in ms; CPU: microseconds of the server per answer.",
        f"Medians of {rounds} rounds of {seconds:g} s on each side, of {_STARTS} servers each.",
        "Once the journal is full. Off, it only counts.",
    )
    workload = Workload(folder, LISTED)
    runs: dict[str, list[tuple[Load, float]]] = {"off": [], "on": []}
    for start in range(_STARTS):
        with ExitStack() as stack:
            servers = {
                side: stack.enter_context(_server(workload, folder / f"journal-{side}-{start}.db", journal=side))
                for side in runs
            }
            target = workload.first_target(INT_R01)
            requests, size = itertools.repeat(request(target)), len(answer(servers["on"].port, target))
            for side, server in servers.items():
                many = _FULL if side == "on" else _WARM_UP
                measured_load(server, itertools.islice(requests, many), connections=_CONNECTIONS)
            for side in in_turns(runs, rounds):
                server = servers[side]
                before = server.computed()
                measured = measured_load(server, requests, connections=_CONNECTIONS, seconds=seconds, size=size)
                runs[side].append((measured, (server.computed() - before) / measured.answers * 1e6))
    rows = []
    for side, loads in runs.items():
        figures = [median(getattr(load, name) for load, _ in loads) for name in ("per_second", "p50", "p99")]
        ratios = ratios_of([load.per_second for load, _ in loads], [load.per_second for load, _ in runs["off"]])
        row = [side, f"{figures[0]:.0f}", f"{figures[1]:.2f}", f"{figures[2]:.2f}"]
        rows.append([*row, f"{median(cpu for _, cpu in loads):.0f}", spread(ratios)])
    report.table(["journal", "searches/s", "p50", "p99", "CPU", "x of off"], rows)
    ratios = ratios_of(*([load.per_second for load, _ in runs[side]] for side in ("on", "off")))
    report.target("searches per second with the journal, x of without", median(ratios), at_least=0.9)


def growth(folder: Path, effort: Effort) -> None:
    """Memory and files while far more is searched than the journal keeps."""
    report.section(
        "The journal over time",
        f"MiB of master and worker, and of the journal's files; {_CONNECTIONS} connections, each search for {ASKED} of",
        f"the {LISTED} people, drawn anew. The journal keeps 10,000 exchanges.",
    )
    workload = Workload(folder, LISTED)
    many = max(effort.many, 2 * _FULL)
    requests = map(request, map(workload.target, drawn_anew(many)))
    database = folder / "growth.db"
    rows: list[tuple[int, float, float, float]] = []
    searches = 0
    with _server(workload, database, journal="on") as server:
        for _ in range(_SAMPLES):
            part = itertools.islice(requests, many // _SAMPLES)
            searches += measured_load(server, part, connections=_CONNECTIONS).answers
            rows.append((searches, *server.memory(), _size(folder, database)))
    report.table(
        ["searches", "RSS", "PSS", "files"], [[f"{n:,}", *(f"{one:.1f}" for one in figures)] for n, *figures in rows]
    )
    full = [row for row in rows if row[0] >= _FULL]
    report.target("RSS at the end, x of when the journal was full", full[-1][1] / full[0][1], at_most=1.1)
    report.target("files at the end, x of when the journal was full", full[-1][3] / full[0][3], at_most=1.1)


def _size(folder: Path, database: Path) -> float:
    """MiB of the journal beside a database, its write-ahead log included."""
    return sum(file.stat().st_size for file in folder.glob(f"{database.stem}*journal*")) / 2**20

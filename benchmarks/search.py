"""The benchmarks of the slot search. Figures are medians over rounds in which the sides take turns."""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

from benchmarks import reference_app, report
from benchmarks.load import Load
from benchmarks.rounds import Effort, in_turns, measured_load, ratios_of, simulator, spread
from benchmarks.servers import Server, running
from benchmarks.workload import (
    ASKED,
    HEADERS,
    LISTED,
    SAME,
    SEARCHES,
    Search,
    Workload,
    answer,
    drawn_anew,
    never_asked,
    request,
)
from mock_editor.app import make_simulator
from mock_editor.base.parameters import Parameters
from mock_editor.base.store import Store
from mock_editor.calendars.taken import Taken
from mock_editor.journal.tables import JournalFile
from mock_editor.search.bundle import EntryWriter
from mock_editor.search.individual import IndividualWriter
from mock_editor.search.query import slot_query
from mock_editor.settings import Settings
from mock_editor.world.tables import tables

_LARGE = (10_000, 1_000_000)
_SIZES = (LISTED, *_LARGE)
_CONNECTIONS = (1, 8, 64)
_WARM_UP = 300
_FEW = 1_000
_PUBLIC_URL = "http://127.0.0.1:40000"  # in process; as long as those of the servers


class _Run(NamedTuple):
    """One run of one side: what the client measured, and the microseconds that the server computed per answer."""

    load: Load
    cpu: float


def over_http(folder: Path, effort: Effort) -> None:
    """The searches, each beside a reference that has the same bytes in memory."""
    workload = Workload(folder, LISTED)
    targets = {search: workload.first_target(search) for search in SEARCHES}
    served = folder / "answers"
    runs: dict[tuple[Search, int, Server], list[_Run]] = {}
    with simulator(workload) as ours:
        bodies = {search: answer(ours.port, target) for search, target in targets.items()}
        contents = {search: _content(search, body) for search, body in bodies.items()}
        for search, body in bodies.items():
            file = served / search.path.lstrip("/")
            file.parent.mkdir(parents=True)
            file.write_bytes(body)
        with running("benchmarks.reference_app", str(served)) as reference:
            assert bodies == {search: answer(reference.port, target) for search, target in targets.items()}
            report.section(
                "Searches over HTTP",
                "Latencies in ms. The reference is a Flask application under the same server that has the answers as",
                "bytes in memory. CPU: microseconds that the server computed per answer; its waiting for a busy core",
                f"does not count. Medians of {effort.rounds} rounds of {effort.seconds:g} s on each side.",
            )
            sides = [(search, server) for search in SEARCHES for server in (ours, reference)]
            for connections in _CONNECTIONS:
                for search, server in sides:
                    runs[search, connections, server] = []
                    measured_load(server, itertools.repeat(request(targets[search]), _WARM_UP), connections=connections)
                for search, server in in_turns(sides, effort.rounds):
                    requests, size = itertools.repeat(request(targets[search])), len(bodies[search])
                    before = server.computed()
                    measured = measured_load(
                        server, requests, connections=connections, seconds=effort.seconds, size=size
                    )
                    cpu = (server.computed() - before) / measured.answers * 1e6
                    runs[search, connections, server].append(_Run(measured, cpu))
    for search, content in contents.items():
        report.section(search.title, content)
        _beside_reference({at: (runs[search, at, ours], runs[search, at, reference]) for at in _CONNECTIONS})


def _content(search: Search, body: bytes) -> str:
    """What is in an answer, in words; fails when that is not what the search should bring."""
    bundle = json.loads(body)
    slots, entries = bundle["total"], len(bundle["entry"])
    told = f"{slots} slots, {entries} entries, {len(body):,} bytes."
    assert 270 <= slots <= 330, f"{search.title}: {told} Expected about 300 slots"
    assert entries == slots + search.companions, f"{search.title}: {told} Expected {search.companions} besides slots"
    return told


def _beside_reference(runs: Mapping[int, tuple[list[_Run], list[_Run]]]) -> None:
    """Prints the runs of one search, by the number of connections: ours and the reference's."""
    rows, ratios = [], {}
    for connections, sides in runs.items():
        figures: list[str] = []
        for side in sides:
            figures += [f"{median(run.load.per_second for run in side):.0f}"]
            figures += [f"{median(run.load.p50 for run in side):.2f}", f"{median(run.load.p99 for run in side):.2f}"]
            figures += [f"{median(run.cpu for run in side):.0f}"]
        ratios[connections] = ratios_of(*([run.load.per_second for run in side] for side in sides))
        busy = max(run.load.busy for side in sides for run in side)
        rows.append([str(connections), *figures, spread(ratios[connections]), f"{busy:.0%}"])
    more = ["p50", "p99", "CPU"]
    report.table(["connections", "ours/s", *more, "reference/s", *more, "ours/reference", "client busy"], rows)
    report.target("ours/reference at 8 connections", median(ratios[8]), at_least=0.8)
    report.target("p99 at 1 connection, ms", median(run.load.p99 for run in runs[1][0]), at_most=10)


def by_directory_size(folder: Path, effort: Effort) -> None:
    """The same search in directories of different sizes."""
    report.section(
        "Size of the directory",
        "Ready: seconds from the start of the process to its first line and first answer, first start / second start.",
        "Memory: MiB of master and worker after the start / after the searches; PSS counts shared pages once.",
        "A search at one connection, p50 in ms. Warm: the same 25 people again and again, the same in every size.",
        f"Cold: 25 never asked for before, drawn over the whole directory; {effort.rounds * effort.cold} searches.",
    )
    workloads = {count: Workload(folder, count) for count in _SIZES}
    starts: dict[int, list[float]] = {count: [] for count in _SIZES}
    for count, workload in workloads.items():
        with simulator(workload) as server:
            starts[count].append(_ready(server, workload))
    with ExitStack() as stack:
        servers: dict[int, Server] = {}
        for count, workload in workloads.items():
            servers[count] = stack.enter_context(simulator(workload))
            starts[count].append(_ready(servers[count], workload))
        held = {count: [server.memory()] for count, server in servers.items()}
        answers = {count: answer(server.port, workloads[count].target(SAME)) for count, server in servers.items()}
        without_port = {body.replace(b":%d/" % servers[count].port, b"/") for count, body in answers.items()}
        assert len(without_port) == 1, "the first people of a directory depend on its size"

        warm: dict[int, list[float]] = {count: [] for count in _SIZES}
        for count in in_turns(_SIZES, effort.rounds):
            requests, size = itertools.repeat(request(workloads[count].target(SAME))), len(answers[count])
            warm[count].append(measured_load(servers[count], requests, seconds=effort.seconds / 2, size=size).p50)
        cold: dict[int, list[float]] = {count: [] for count in _LARGE}
        people = {count: never_asked(count, effort.rounds * effort.cold) for count in _LARGE}
        for count in in_turns(_LARGE, effort.rounds):
            cold_targets = map(workloads[count].target, itertools.islice(people[count], effort.cold))
            measured = measured_load(servers[count], map(request, cold_targets))
            share = measured.received / measured.answers / len(answers[count])
            assert 0.8 < share < 1.25, "other people should have about as many slots"
            cold[count].append(measured.p50)
        for count, server in servers.items():
            held[count].append(server.memory())

    warm_ratios = {count: ratios_of(warm[count], warm[LISTED]) for count in _LARGE}
    cold_ratios = ratios_of(*(cold[count] for count in reversed(_LARGE)))
    rows = []
    for count in _SIZES:
        row = [f"{count:,}", " / ".join(f"{seconds:.2f}" for seconds in starts[count])]
        row += [" / ".join(f"{after:.0f}" for after in kind) for kind in zip(*held[count], strict=True)]
        row += [f"{median(warm[count]):.2f}", spread(warm_ratios[count]) if count in warm_ratios else "1"]
        row += [f"{median(cold[count]):.2f}" if count in cold else "-"]
        row += [spread(cold_ratios) if count == _LARGE[1] else "1" if count in cold else "-"]
        rows.append(row)
    report.table(
        ["practitioners", "ready", "RSS", "PSS", "warm", f"x of {LISTED}", "cold", f"x of {_LARGE[0]:,}"], rows
    )
    for count, ratios in warm_ratios.items():
        report.target(f"{count:,}, warm, x of {LISTED}", median(ratios), at_most=1.2)
    report.target(f"{_LARGE[1]:,}, cold, x of {_LARGE[0]:,}", median(cold_ratios), at_most=1.2)
    first, second = starts[_LARGE[1]]
    report.target(f"{_LARGE[1]:,}, ready at the first start, s", first, at_most=60)
    report.target(f"{_LARGE[1]:,}, ready at the second start, s", second, at_most=3)
    report.target(f"{_LARGE[1]:,}, RSS after the searches, MiB", held[_LARGE[1]][1][0], at_most=1024)


def memory(folder: Path, effort: Effort) -> None:
    """What many searches leave behind."""
    report.section(
        "Memory over time",
        f"MiB of master and worker; 8 connections, each search for {ASKED} of the {LISTED} people, drawn anew.",
    )
    workload = Workload(folder, LISTED)
    requests = map(request, map(workload.target, drawn_anew(effort.many)))
    held: dict[int, tuple[float, float]] = {}
    searches = 0
    with simulator(workload) as server:
        for more in (_FEW, effort.many - _FEW):
            searches += measured_load(server, itertools.islice(requests, more), connections=8).answers
            held[searches] = server.memory()
    report.table(["searches", "RSS", "PSS"], [[f"{n:,}", f"{rss:.1f}", f"{pss:.1f}"] for n, (rss, pss) in held.items()])
    (few, (before, _)), (many, (after, _)) = held.items()
    report.target(f"RSS after {many:,} searches, x of {few:,}", after / before, at_most=1.1)


def in_process(folder: Path, effort: Effort) -> None:
    """The parts of a search without server and sockets."""
    report.section(
        "Without HTTP",
        f"Microseconds of one search for {ASKED} people in the process of the benchmark. Warm: the same people again",
        "and again. Cold: nothing rendered yet. New people: nor did anybody ask for these people before.",
    )
    workload = Workload(folder, _LARGE[0])
    app, writer = _application(workload), _writer(workload)
    now = workload.played.frozen_at
    assert now
    environ = _environ(workload.target(SAME))
    wanted = slot_query(Parameters(environ["QUERY_STRING"].encode()), workload.editor.zone, strict=False)
    found = [person for identifier in wanted.identifiers if (person := workload.editor.directory.find(identifier))]
    body = _call(app, environ)
    yardstick = reference_app.create_app({environ["PATH_INFO"].lstrip("/"): body})
    assert writer.slots(wanted, found, now, "")[-1000:] == body[-1000:]
    people = never_asked(workload.count, effort.rounds * effort.cold)

    def new_people() -> None:
        _call(app, _environ(workload.target(next(people))))

    cases: dict[str, tuple[int, Callable[[], Any]]] = {
        "WSGI application, warm": (effort.calls, lambda: _call(app, environ)),
        "reference WSGI application": (effort.calls, lambda: _call(yardstick, environ)),
        "IndividualWriter.slots alone, warm": (effort.calls, lambda: writer.slots(wanted, found, now, "")),
        "IndividualWriter.slots alone, cold": (effort.cold, lambda: _writer(workload).slots(wanted, found, now, "")),
        "WSGI application, new people": (effort.cold, new_people),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for name in in_turns(cases, effort.rounds):
        calls, case = cases[name]
        begin = time.perf_counter()
        for _ in range(calls):
            case()
        spent[name].append((time.perf_counter() - begin) / calls * 1e6)
    report.table(["", "us (range)"], [[name, spread(values, digits=0)] for name, values in spent.items()])


def _ready(server: Server, workload: Workload) -> float:
    """Seconds from the start of the server's process to its first answer, the one just received."""
    answer(server.port, workload.target(SAME))
    return time.perf_counter() - server.started


def _application(workload: Workload) -> WSGIApplication:
    """What the server calls, the journal switched off: it has a benchmark of its own."""
    store, journal = Store(workload.file.with_suffix(".db"), tables()), JournalFile(workload.file.with_suffix(".j.db"))
    settings = Settings(journal=False)
    return make_simulator(settings, workload.played, public_url=_PUBLIC_URL, store=store, journal_store=journal)


def _writer(workload: Workload) -> IndividualWriter:
    web = f"{_PUBLIC_URL}/{workload.editor.slug}"
    return IndividualWriter(workload.editor, EntryWriter(workload.editor, f"{web}/fhir", Taken()), web)


def _environ(target: str) -> dict[str, Any]:
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()}
    setup_testing_defaults(environ)
    return environ


def _call(app: WSGIApplication, environ: dict[str, Any]) -> bytes:
    def start_response(status: str, *_: Any) -> Callable[[bytes], object]:
        assert status == "200 OK"
        return lambda _: None

    # The application keeps things of its own in the dictionary.
    return b"".join(app(dict(environ), start_response))

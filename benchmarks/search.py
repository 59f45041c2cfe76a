"""The benchmarks of the slot search. Figures are medians over rounds in which the sides take turns."""

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

from benchmarks import load, reference_app, report
from benchmarks.load import Load
from benchmarks.servers import Server, running
from benchmarks.workload import ASKED, HEADERS, LISTED, SAME, Workload, drawn_anew, never_asked
from mock_editor.app import create_app
from mock_editor.base.clock import Clock
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.search.bundle import EntryWriter
from mock_editor.search.individual import IndividualWriter
from mock_editor.search.query import Parameters, slot_query

_LARGE = (10_000, 1_000_000)
_SIZES = (LISTED, *_LARGE)
_WARM_UP = 300
_FEW = 1_000
_PUBLIC_URL = "http://127.0.0.1:40000"  # in process; as long as those of the servers

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured; ``cold`` is the number of searches of a round for people whom nobody asked for before."""

    rounds: int
    seconds: float
    cold: int
    many: int
    calls: int


NORMAL = Effort(rounds=7, seconds=2.5, cold=50, many=100_000, calls=400)
QUICK = Effort(rounds=3, seconds=0.5, cold=15, many=5_000, calls=100)


def over_http(folder: Path, effort: Effort) -> None:
    """The search, beside a reference that has the same bytes in memory."""
    workload = Workload(folder, LISTED)
    file = folder / "answer.json"
    with _simulator(workload) as ours:
        body = workload.answer(ours.port, SAME)
        file.write_bytes(body)
        with running("benchmarks.reference_app", str(file)) as reference:
            assert workload.answer(reference.port, SAME) == body
            bundle = json.loads(body)
            report.section(
                f"Search for {ASKED} practitioners over HTTP",
                f"{bundle['total']} slots, {len(bundle['entry'])} entries, {len(body):,} bytes; latencies in ms.",
                "The reference is a Flask application under the same server that has these bytes in memory.",
                "CPU: microseconds that the server computed per answer; its waiting for a busy core does not count.",
                f"Medians of {effort.rounds} rounds of {effort.seconds:g} s on each side.",
            )
            requests = itertools.repeat(workload.request(SAME))
            loads: dict[int, dict[Server, list[Load]]] = {}
            computed: dict[int, dict[Server, list[float]]] = {}
            for connections in (1, 8, 64):
                sides = loads[connections] = {ours: [], reference: []}
                computed[connections] = {ours: [], reference: []}
                for server in sides:
                    _load(server, itertools.islice(requests, _WARM_UP), connections=connections)
                for server in _in_turns(sides, effort.rounds):
                    before = server.computed()
                    measured = _load(server, requests, connections=connections, seconds=effort.seconds, size=len(body))
                    computed[connections][server].append((server.computed() - before) / measured.answers * 1e6)
                    sides[server].append(measured)
    rows, ratios = [], {}
    for connections, sides in loads.items():
        figures: list[str] = []
        for server, runs in sides.items():
            figures += [f"{median(run.per_second for run in runs):.0f}"]
            figures += [f"{median(run.p50 for run in runs):.2f}", f"{median(run.p99 for run in runs):.2f}"]
            figures += [f"{median(computed[connections][server]):.0f}"]
        ratios[connections] = _ratios(*([run.per_second for run in runs] for runs in sides.values()))
        busy = max(run.busy for runs in sides.values() for run in runs)
        rows.append([str(connections), *figures, _range(ratios[connections]), f"{busy:.0%}"])
    side = ["p50", "p99", "CPU"]
    report.table(["connections", "ours/s", *side, "reference/s", *side, "ours/reference", "client busy"], rows)
    report.target("ours/reference at 8 connections", median(ratios[8]), at_least=0.8)
    report.target("p99 at 1 connection, ms", median(run.p99 for run in loads[1][ours]), at_most=10)


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
        with _simulator(workload) as server:
            starts[count].append(_ready(server, workload))
    with ExitStack() as stack:
        servers: dict[int, Server] = {}
        for count, workload in workloads.items():
            servers[count] = stack.enter_context(_simulator(workload))
            starts[count].append(_ready(servers[count], workload))
        held = {count: [server.memory()] for count, server in servers.items()}
        answers = {count: workloads[count].answer(server.port, SAME) for count, server in servers.items()}
        without_port = {answer.replace(b":%d/" % servers[count].port, b"/") for count, answer in answers.items()}
        assert len(without_port) == 1, "the first people of a directory depend on its size"

        warm: dict[int, list[float]] = {count: [] for count in _SIZES}
        for count in _in_turns(_SIZES, effort.rounds):
            requests, size = itertools.repeat(workloads[count].request(SAME)), len(answers[count])
            warm[count].append(_load(servers[count], requests, seconds=effort.seconds / 2, size=size).p50)
        cold: dict[int, list[float]] = {count: [] for count in _LARGE}
        people = {count: never_asked(count, effort.rounds * effort.cold) for count in _LARGE}
        for count in _in_turns(_LARGE, effort.rounds):
            searches = itertools.islice(people[count], effort.cold)
            measured = _load(servers[count], map(workloads[count].request, searches))
            share = measured.received / measured.answers / len(answers[count])
            assert 0.8 < share < 1.25, "other people should have about as many slots"
            cold[count].append(measured.p50)
        for count, server in servers.items():
            held[count].append(server.memory())

    warm_ratios = {count: _ratios(warm[count], warm[LISTED]) for count in _LARGE}
    cold_ratios = _ratios(*(cold[count] for count in reversed(_LARGE)))
    rows = []
    for count in _SIZES:
        row = [f"{count:,}", " / ".join(f"{seconds:.2f}" for seconds in starts[count])]
        row += [" / ".join(f"{after:.0f}" for after in kind) for kind in zip(*held[count], strict=True)]
        row += [f"{median(warm[count]):.2f}", _range(warm_ratios[count]) if count in warm_ratios else "1"]
        row += [f"{median(cold[count]):.2f}" if count in cold else "-"]
        row += [_range(cold_ratios) if count == _LARGE[1] else "1" if count in cold else "-"]
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
    requests = map(workload.request, drawn_anew(effort.many))
    held: dict[int, tuple[float, float]] = {}
    searches = 0
    with _simulator(workload) as server:
        for more in (_FEW, effort.many - _FEW):
            searches += _load(server, itertools.islice(requests, more), connections=8).answers
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
    query = workload.query(SAME)
    environ = _environ(workload, query)
    wanted = slot_query(Parameters(query.encode()), workload.editor.zone, strict=False)
    found = [person for identifier in wanted.identifiers if (person := workload.editor.directory.find(identifier))]
    body = _call(app, environ)
    yardstick = reference_app.create_app(body)
    assert writer.slots(wanted, found, now, "")[-1000:] == body[-1000:]
    people = never_asked(workload.count, effort.rounds * effort.cold)

    def new_people() -> None:
        _call(app, _environ(workload, workload.query(next(people))))

    cases: dict[str, tuple[int, Callable[[], Any]]] = {
        "WSGI application, warm": (effort.calls, lambda: _call(app, environ)),
        "reference WSGI application": (effort.calls, lambda: _call(yardstick, environ)),
        "IndividualWriter.slots alone, warm": (effort.calls, lambda: writer.slots(wanted, found, now, "")),
        "IndividualWriter.slots alone, cold": (effort.cold, lambda: _writer(workload).slots(wanted, found, now, "")),
        "WSGI application, new people": (effort.cold, new_people),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for name in _in_turns(cases, effort.rounds):
        calls, case = cases[name]
        begin = time.perf_counter()
        for _ in range(calls):
            case()
        spent[name].append((time.perf_counter() - begin) / calls * 1e6)
    report.table(["", "us (range)"], [[name, _range(values, digits=0)] for name, values in spent.items()])


def _simulator(workload: Workload) -> AbstractContextManager[Server]:
    frozen_at = workload.played.frozen_at
    assert frozen_at
    options = ("--scenario", str(workload.file), "--port", "0", "--now", frozen_at.isoformat())
    return running("mock_editor", "serve", *options)


def _ready(server: Server, workload: Workload) -> float:
    """Seconds from the start of the server's process to its first answer, the one just received."""
    workload.answer(server.port, SAME)
    return time.perf_counter() - server.started


def _load(server: Server, requests: Iterator[bytes], **how: Any) -> Load:
    measured = load.run(server.port, requests, **how)
    if measured.errors:
        raise RuntimeError(f"{measured.errors} wrong answers")
    return measured


def _application(workload: Workload) -> WSGIApplication:
    catalogue = Catalogue(workload.played.editors, Clock(workload.played.frozen_at))
    return create_app(catalogue, scenario="benchmark", public_url=_PUBLIC_URL, body_timeout=10)


def _writer(workload: Workload) -> IndividualWriter:
    web = f"{_PUBLIC_URL}/{workload.editor.slug}"
    return IndividualWriter(workload.editor, EntryWriter(f"{web}/fhir"), web)


def _environ(workload: Workload, query: str) -> dict[str, Any]:
    environ: dict[str, Any] = {"PATH_INFO": workload.path, "QUERY_STRING": query}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()}
    setup_testing_defaults(environ)
    return environ


def _call(app: WSGIApplication, environ: dict[str, Any]) -> bytes:
    def start_response(status: str, *_: Any) -> Callable[[bytes], object]:
        assert status == "200 OK"
        return lambda _: None

    # The application keeps things of its own in the dictionary.
    return b"".join(app(dict(environ), start_response))


def _in_turns(sides: Iterable[Item], rounds: int) -> Iterator[Item]:
    """Every side once per round, in an order that turns round: what disturbs the machine then hits all sides alike."""
    order = list(sides)
    for _ in range(rounds):
        yield from order
        order.reverse()


def _ratios(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Round by round: what disturbs the machine lasts longer than a round, and then cancels out."""
    return [one / other for one, other in zip(ours, others, strict=True)]


def _range(values: Sequence[float], digits: int = 2) -> str:
    """The median and, in brackets, the lowest and highest."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"

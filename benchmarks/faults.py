"""The benchmarks of faults: what a search costs beside rules, and beside thousands of requests that wait."""

import itertools
import json
import resource
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import report
from benchmarks.load import Load
from benchmarks.rounds import Effort, in_turns, measured_load, ratios_of, spread
from benchmarks.servers import Server, running
from benchmarks.workload import INT_R01, INT_R04, LISTED, Workload, answer, request

_CONNECTIONS = 8
_WARM_UP = 300
_RULES = (0, 1, 50)
# Rounds are short and many: what one worker happens to do then evens out.
_MORE_ROUNDS = 3
# How many requests wait, for how many seconds, and the options that this takes. Opening four thousand takes a while.
_WAITING = ((1_000, 5, ()), (4_000, 15, ("--threads", "4300")))
_HEALTH = "/_health"
_PATIENCE = 60.0


@contextmanager
def _server(workload: Workload, *options: str) -> Iterator[Server]:
    frozen_at = workload.played.frozen_at
    assert frozen_at
    usual = ("--scenario", str(workload.file), "--port", "0", "--now", frozen_at.isoformat())
    with running("mock_editor", "serve", *usual, *options) as server:
        yield server


def beside_rules(folder: Path, effort: Effort) -> None:
    """A search that no rule matches, beside 0, 1 and 50 rules about it."""
    rounds, seconds = effort.rounds * _MORE_ROUNDS, effort.seconds / _MORE_ROUNDS
    report.section(
        "Searches beside rules that do not act",
        f"{INT_R01.title}; {_CONNECTIONS} connections; CPU: microseconds of the server per answer. The rules are about",
        "this flow and this editor, and other practitioners, so each has to be looked at.",
        f"Medians of {rounds} rounds of {seconds:.1f} s on each side.",
    )
    workload = Workload(folder, LISTED)
    target = workload.first_target(INT_R01)
    requests = itertools.repeat(request(target))
    runs: dict[int, list[tuple[Load, float]]] = {count: [] for count in _RULES}
    with ExitStack() as stack:
        servers = {count: stack.enter_context(_server(workload)) for count in _RULES}
        for count, server in servers.items():
            for number in range(count):
                _put(server, f"rule-{number}", [{"kind": "status"}], flows=["INT_R01"], editors=[INT_R01.slug],
                     identifiers=[f"8199999{number:05}"])  # fmt: skip
            measured_load(server, itertools.islice(requests, _WARM_UP), connections=_CONNECTIONS)
        size = len(answer(servers[0].port, target))
        for count in in_turns(runs, rounds):
            server = servers[count]
            before = server.computed()
            measured = measured_load(server, requests, connections=_CONNECTIONS, seconds=seconds, size=size)
            runs[count].append((measured, (server.computed() - before) / measured.answers * 1e6))
    rows, ratios = [], {}
    for count, loads in runs.items():
        speeds = [load.per_second for load, _ in loads]
        ratios[count] = ratios_of(speeds, [load.per_second for load, _ in runs[0]])
        cpu = f"{median(cpu for _, cpu in loads):.0f}"
        rows.append([str(count), f"{median(speeds):.0f}", cpu, spread(ratios[count])])
    report.table(["rules", "searches/s", "CPU", "x of none"], rows)
    for count in _RULES[1:]:
        report.target(f"searches per second with {count} rule(s), x of none", median(ratios[count]), at_least=0.95)


@dataclass
class _Round:
    """The 99th percentiles in ms, and seconds: until all were waiting, and until all had their answer after the end."""

    idle: dict[str, float]
    beside: dict[str, float]
    opened: float
    ended: float


def beside_waits(folder: Path, effort: Effort) -> None:
    """Whoever does not wait, beside thousands who do."""
    # Their connections are ours, too.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    workload = Workload(folder, LISTED)
    for count, seconds, options in _WAITING:
        _beside_waits(workload, effort, count, seconds, options)


def _beside_waits(workload: Workload, effort: Effort, count: int, seconds: float, options: tuple[str, ...]) -> None:
    report.section(
        f"Beside {count:,} requests that wait",
        f"Options of serve: {' '.join(options) or 'none'}. They are {INT_R04.title}, and wait for {seconds} s.",
        f"{INT_R01.title} does not, nor does {_HEALTH}, each over one connection. p99 in ms, medians of",
        f"{effort.rounds} rounds of {effort.seconds / 2:.2f} s. Each ends with their rule.",
    )
    targets = {_HEALTH: _HEALTH, "search": workload.first_target(INT_R01)}
    waiting = f"GET {workload.first_target(INT_R04)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    with _server(workload, *options) as server:
        for target in targets.values():
            measured_load(server, itertools.repeat(request(target), _WARM_UP))
        before = server.memory()[0]
        rounds = [_round(server, targets, waiting, count, seconds, effort.seconds / 2) for _ in range(effort.rounds)]
        after = server.memory()[0]
    rows = []
    ratios = {
        name: ratios_of([one.beside[name] for one in rounds], [one.idle[name] for one in rounds]) for name in targets
    }
    for name in targets:
        idle, beside = (median(getattr(one, side)[name] for one in rounds) for side in ("idle", "beside"))
        rows.append([name, f"{idle:.2f}", f"{beside:.2f}", spread(ratios[name])])
    report.table(["p99", "idle", "beside", "x of idle"], rows)
    opened = median(one.opened for one in rounds)
    print(f"All waiting after {opened:.1f} s; RSS {before:.0f} MiB before, {after:.0f} after.")
    print(f"All answered {spread([one.ended for one in rounds])} s after the rule was removed.\n")
    for name in targets:
        report.target(f"p99 of {name} beside {count:,} waits, x of idle", median(ratios[name]), at_most=3)


def _round(
    server: Server, targets: dict[str, str], waiting: bytes, count: int, seconds: float, measured: float
) -> _Round:
    def percentiles() -> dict[str, float]:
        loads = {
            name: measured_load(server, itertools.repeat(request(target)), seconds=measured / len(targets))
            for name, target in targets.items()
        }
        return {name: load.p99 for name, load in loads.items()}

    idle = percentiles()
    _put(server, "wait", [{"kind": "latency", "seconds": seconds}], flows=["INT_R04"])
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        begin = time.perf_counter()
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), _PATIENCE))
            selector.register(sock, selectors.EVENT_READ)
            sock.sendall(waiting)
        while _acted(server) < count:
            time.sleep(0.01)
        opened = time.perf_counter() - begin
        beside = percentiles()
        if selector.select(0):
            raise RuntimeError("a request that was to wait has its answer already: the machine is too slow for this")
        begin = time.perf_counter()
        _ask(server, "DELETE", "/_admin/faults")
        _take_all(selector)
    return _Round(idle, beside, opened, time.perf_counter() - begin)


def _take_all(selector: selectors.BaseSelector) -> None:
    """Reads every connection to its end."""
    heads: dict[Any, bytes] = {}
    while selector.get_map():
        for key, _ in selector.select(_PATIENCE):
            sock: Any = key.fileobj
            piece = sock.recv(1024 * 1024)
            heads.setdefault(sock, piece[:12])
            if not piece:
                selector.unregister(sock)
    assert set(heads.values()) == {b"HTTP/1.1 200"}, set(heads.values())


def _put(server: Server, name: str, kinds: list[dict[str, Any]], **conditions: Any) -> None:
    _ask(server, "POST", "/_admin/faults", {"name": name, "do": kinds} | conditions)


def _acted(server: Server) -> int:
    return int(_ask(server, "GET", "/_admin/faults/wait")["acted"])


def _ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    assert response.status in (200, 201, 204), said[:500]
    return json.loads(said) if said else None

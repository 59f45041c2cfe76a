"""The benchmarks of mutual TLS: what a new connection costs, and a search on one that is kept."""

import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks import report
from benchmarks.load import Load
from benchmarks.rounds import Effort, in_turns, measured_load, ratios_of, spread
from benchmarks.servers import Server, running
from benchmarks.workload import INT_R01, LISTED, Workload, answer, request
from mock_editor.tls import samples

_CONNECTIONS = 8
_WARM_UP = 300
_REQUEST = request(f"/{INT_R01.slug}/fhir/metadata").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_PLAIN = "plain"


@contextlib.contextmanager
def _both(workload: Workload, folder: Path) -> Iterator[tuple[Server, Server]]:
    """One simulator, by its plain and by its TLS listener."""
    frozen_at = workload.played.frozen_at
    assert frozen_at
    samples.init(folder, force=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    files = {"cert": "server", "key": "server.key", "client-ca": "authority", "crl": "authority.crl"}
    options = [f"--tls-{option}={folder / name}.pem" for option, name in files.items()]
    options += [f"--tls-client-cn={samples.SAS_COMMON_NAME}", f"--tls-client-ou={samples.SAS_UNIT}", "--plain-fhir"]
    options += ["--scenario", str(workload.file), "--now", frozen_at.isoformat()]
    with running("mock_editor", "serve", "--port", "0", "--tls-port", str(port), *options) as server:
        yield server, replace(server, port=port)


def _context(folder: Path, version: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    context.minimum_version = context.maximum_version = _VERSIONS[version]
    context.load_cert_chain(folder / "sas.pem", folder / "sas.key.pem")
    return context


def _once(port: int, context: ssl.SSLContext | None, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
    """A request on a connection of its own; with TLS, the session that came with it."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), 60))
        # As every HTTP client: else the request waits until the end of the handshake is confirmed.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname="127.0.0.1", session=session))
            if sock.session_reused != (session is not None):
                raise RuntimeError("the session was not taken up again")
        sock.sendall(_REQUEST)
        received = b"".join(iter(lambda: sock.recv(65536), b""))
        if not received.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"wrong answer: {received[:300]!r}")
        return sock.session if isinstance(sock, ssl.SSLSocket) else None


def new_connections(folder: Path, effort: Effort) -> None:
    """Connections one after the other, each for one request."""
    report.section(
        "New connections",
        "Each for one request (metadata), one after the other; RSA keys of 2048 bits on both sides.",
        "CPU: microseconds of the server per connection. Much of the time is the client's own share of the handshake.",
        f"Medians of {effort.rounds} rounds of {effort.seconds:g} s on each side.",
    )
    workload, certificates = Workload(folder, LISTED), folder / "certificates"
    with _both(workload, certificates) as (plain, secure):
        contexts = {version: _context(certificates, version) for version in _VERSIONS}
        sides: dict[str, tuple[int, ssl.SSLContext | None, ssl.SSLSession | None]] = {_PLAIN: (plain.port, None, None)}
        for version, context in contexts.items():
            sides[f"TLS {version}, new"] = (secure.port, context, None)
            sides[f"TLS {version}, resumed"] = (secure.port, context, _once(secure.port, context))
        for side in itertools.islice(itertools.cycle(sides.values()), _WARM_UP):
            _once(*side)
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for name in in_turns(sides, effort.rounds):
            computed, begin, count = plain.computed(), time.perf_counter(), 0
            while (elapsed := time.perf_counter() - begin) < effort.seconds:
                _once(*sides[name])
                count += 1
            runs[name].append((count / elapsed, (plain.computed() - computed) / count * 1e6))
    rows = []
    for name, found in runs.items():
        rates, costs = zip(*found, strict=True)
        ratios = ratios_of(costs, [cost for _, cost in runs[_PLAIN]])
        rows.append([name, f"{median(rates):.0f}", f"{median(costs):.0f}", spread(ratios)])
    report.table(["connections", "per second", "CPU", "CPU, x of plain"], rows)


def kept_connections(folder: Path, effort: Effort) -> None:
    """Searches on connections that are kept."""
    report.section(
        "Kept connections with mutual TLS",
        f"{INT_R01.title}; {_CONNECTIONS} connections; latencies in ms; CPU: microseconds of the server per answer.",
        f"Medians of {effort.rounds} rounds of {effort.seconds:g} s on each side; handshakes are not in them.",
    )
    workload, certificates = Workload(folder, LISTED), folder / "certificates"
    runs: dict[str, list[tuple[Load, float]]] = {_PLAIN: [], "TLS 1.2": [], "TLS 1.3": []}
    with _both(workload, certificates) as (plain, secure):
        target = workload.first_target(INT_R01)
        requests, size = itertools.repeat(request(target)), len(answer(plain.port, target))
        contexts: dict[str, ssl.SSLContext | None] = {_PLAIN: None}
        contexts |= {f"TLS {version}": _context(certificates, version) for version in _VERSIONS}
        for name in runs:
            server, context = plain if name == _PLAIN else secure, contexts[name]
            measured_load(server, itertools.islice(requests, _WARM_UP), connections=_CONNECTIONS, context=context)
        for name in in_turns(runs, effort.rounds):
            server, context = plain if name == _PLAIN else secure, contexts[name]
            before = server.computed()
            measured = measured_load(
                server, requests, connections=_CONNECTIONS, seconds=effort.seconds, size=size, context=context
            )
            runs[name].append((measured, (server.computed() - before) / measured.answers * 1e6))
    rows = []
    for name, loads in runs.items():
        figures = [median(getattr(load, one) for load, _ in loads) for one in ("per_second", "p50", "p99")]
        ratios = ratios_of([cpu for _, cpu in loads], [cpu for _, cpu in runs[_PLAIN]])
        row = [name, f"{figures[0]:.0f}", f"{figures[1]:.2f}", f"{figures[2]:.2f}"]
        busy = median(load.busy for load, _ in loads)
        rows.append([*row, f"{median(cpu for _, cpu in loads):.0f}", spread(ratios), f"{busy:.0%}"])
    report.table(["connections", "searches/s", "p50", "p99", "CPU", "CPU, x of plain", "client busy"], rows)

"""Metrics in the text format of Prometheus. The journal's writers count, so every worker shows the same numbers."""

import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from mock_editor import __version__
from mock_editor.base.processes import runs
from mock_editor.journal.journal import Journal
from mock_editor.journal.model import BUCKETS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def gauge(name: str, text: str, labels: Iterable[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    """A metric family for ``render``: ``values`` has the values of the labels and the number of each sample."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    for of_labels, value in values:
        family.add_metric(list(of_labels), value)
    return family


def render(journal: Journal, scenario: str, extra: Iterable[Metric] = ()) -> bytes:
    """All metrics, including those of ``extra``. Raises 503."""
    journal.fresh()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*_families(journal, scenario), *extra]))
    return generate_latest(registry)


@dataclass(eq=False)
class _Families:
    """What the exposition asks for its metrics."""

    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families

    def describe(self) -> Iterable[Metric]:
        return ()


def _families(journal: Journal, scenario: str) -> Iterator[Metric]:
    entries = journal.entries
    requests = CounterMetricFamily(
        "mock_editor_requests", "Exchanges, received and sent.", labels=["direction", "editor", "flow", "status"]
    )
    seconds: dict[tuple[str, str, str], float] = {}
    for one in entries.counts():
        requests.add_metric([one.direction, one.editor, one.flow, one.status], one.requests)
        key = one.direction, one.editor, one.flow
        seconds[key] = seconds.get(key, 0.0) + one.seconds
    yield requests

    latency = HistogramMetricFamily(
        "mock_editor_request_seconds",
        "Seconds until the answer was complete.",
        labels=["direction", "editor", "flow"],
    )
    classes: dict[tuple[str, str, str], list[int]] = {}
    for two in entries.latencies():
        found = classes.setdefault((two.direction, two.editor, two.flow), [0] * (len(BUCKETS) + 1))
        found[two.bucket] = two.requests
    for key, found in classes.items():
        below, buckets = 0, []
        for bound, here in zip([*map(str, BUCKETS), "+Inf"], found, strict=True):
            below += here
            buckets.append((bound, float(below)))
        latency.add_metric(list(key), buckets, sum_value=seconds.get(key, 0.0))
    yield latency

    totals = entries.totals()
    yield gauge("mock_editor_waiting_requests", "Requests that wait on purpose.", [], [((), _waiting(journal))])
    yield gauge("mock_editor_journal_entries", "Exchanges in the journal.", [], [((), totals.entries)])
    yield gauge("mock_editor_journal_bytes", "Bytes of the exchanges in the journal.", [], [((), totals.bytes)])
    lost = CounterMetricFamily("mock_editor_journal_lost", "Exchanges that the journal could not take down.")
    lost.add_metric([], totals.lost)
    yield lost
    # `build_info`: the exposition adds the end of the name.
    about = InfoMetricFamily("mock_editor_build", "What runs, and what it plays.")
    about.add_metric([], {"version": __version__, "python": platform.python_version(), "scenario": scenario})
    yield about


def _waiting(journal: Journal) -> int:
    """Of all processes that are there."""
    reported = journal.entries.processes()
    ended = [pid for pid in reported if not runs(pid)]
    if ended:
        journal.entries.forget_processes(ended)
    here = os.getpid()
    return (
        sum(waiting for pid, waiting in reported.items() if pid not in ended and pid != here) + journal.writer.waiting()
    )

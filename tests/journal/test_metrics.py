"""Metrics: the same from every process, in the format that Prometheus reads."""

import os
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from mock_editor.base.flows import Flow
from mock_editor.journal.journal import Journal
from mock_editor.journal.metrics import gauge, render
from tests.journal.conftest import MakeJournal, exchange
from tests.wire.conftest import eventually

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(journal: Journal, *extra: object) -> Samples:
    text = render(journal, "decouverte", extra).decode()  # type: ignore[arg-type]
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_exchanges_are_counted_and_timed(journal: Journal) -> None:
    for seconds in (0.002, 0.003, 0.7, 100):
        journal.writer.record(exchange(seconds=seconds))
    journal.writer.record(exchange(status=404))
    journal.writer.record(exchange(direction="out", flow=Flow.INT_R03, status=None, editor=None))
    found = samples(journal)
    search = {"direction": "in", "editor": "agenda-ville", "flow": "INT_R01"}
    assert found[of("mock_editor_requests_total", **search, status="200")] == 4
    assert found[of("mock_editor_requests_total", **search, status="404")] == 1
    assert found[of("mock_editor_requests_total", direction="out", editor="", flow="INT_R03", status="none")] == 1
    name = "mock_editor_request_seconds"
    assert found[of(f"{name}_count", **search)] == 5
    assert round(found[of(f"{name}_sum", **search)], 3) == 100.707
    below = {
        bound: found[of(f"{name}_bucket", **search, le=bound)] for bound in ("0.001", "0.0025", "0.005", "1.0", "+Inf")
    }
    assert below == {"0.001": 0, "0.0025": 2, "0.005": 3, "1.0": 4, "+Inf": 5}


def test_the_journal_is_measured_too(make_journal: MakeJournal) -> None:
    journal = make_journal(entries=2)
    for _ in range(3):
        journal.writer.record(exchange())
    found = samples(journal)
    assert found[of("mock_editor_journal_entries")] == 2
    assert found[of("mock_editor_journal_bytes")] == journal.entries.totals().bytes > 100
    assert found[of("mock_editor_journal_lost_total")] == 0
    about = next(labels for name, labels in found if name == "mock_editor_build_info")
    assert dict(about)["scenario"] == "decouverte"


def test_counting_goes_on_when_nothing_is_kept_or_all_is_cleared(make_journal: MakeJournal) -> None:
    kept, unkept = make_journal(), make_journal(keep=False)
    kept.writer.record(exchange())
    unkept.writer.record(exchange())
    assert unkept.writer.flush()
    kept.clear()
    name = of("mock_editor_requests_total", direction="in", editor="agenda-ville", flow="INT_R01", status="200")
    assert samples(kept)[name] == samples(unkept)[name] == 2


def test_further_families_are_shown(journal: Journal) -> None:
    depth = gauge("mock_editor_outbox", "Notifications.", ["editor", "state"], [(("e", "waiting"), 3)])
    assert samples(journal, depth)[of("mock_editor_outbox", editor="e", state="waiting")] == 3


def test_requests_that_wait_are_summed_over_the_processes_that_are_there(make_journal: MakeJournal) -> None:
    there = make_journal()
    there.writer.waiting = lambda: 5
    there.start()
    assert eventually(lambda: there.entries.processes() == {os.getpid(): 5})
    # Another process, and one that has gone without a word.
    script = (
        "import sys, pathlib\n"
        "from mock_editor.journal.tables import JournalFile; from mock_editor.journal.journal import Journal\n"
        "from tests.journal.conftest import *\n"
        "j = Journal(JournalFile(pathlib.Path(sys.argv[1])), lambda: CLOCK, limits(), waiting=lambda: 7)\n"
        "j.writer.record(exchange()); j.writer.flush(); print(flush=True); sys.stdin.read()"
    )
    path = str(there._store._file.path)
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        assert samples(there)[of("mock_editor_waiting_requests")] == 12
        process.stdin.close()
    assert samples(there)[of("mock_editor_waiting_requests")] == 5
    assert there.entries.processes() == {os.getpid(): 5}

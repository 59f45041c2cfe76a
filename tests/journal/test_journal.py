"""What goes into the journal comes out of it, from every process, and never takes more room than it may."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, issue
from mock_editor.base.waits import Ended, Hold, Waits
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.journal import Journal
from mock_editor.journal.tables import JournalFile
from tests.journal.conftest import BEGAN, CLOCK, MakeJournal, exchange, limits
from tests.timing import LONG, SOON
from tests.wire.conftest import eventually

ALL = EntryFilter()

# Writes exchanges until it is killed, and says which it knows to be committed.
RECORDS = """
import sys
from pathlib import Path
from mock_editor.journal.tables import JournalFile
from mock_editor.journal.journal import Journal
from tests.journal.conftest import CLOCK, exchange, limits
from tests.timing import LONG, SOON
journal = Journal(JournalFile(Path(sys.argv[1])), lambda: CLOCK, limits(entries=1_000_000))
count, most = 0, int(sys.argv[2])
while count < most:
    count += 1
    journal.writer.record(exchange(url=f"/{sys.argv[3]}/{count}"))
    if count % 10 == 0:
        journal.writer.flush(10)
        print(count, flush=True)
"""


def recorder(path: Path, most: int, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", RECORDS, str(path), str(most), name], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def hold() -> Iterator[Hold]:
    with Waits(10).hold({}) as one:
        yield one


def urls(journal: Journal, filters: EntryFilter = ALL) -> list[str]:
    return [entry.url for entry in journal.find(replace(filters, limit=1000, oldest_first=True))]


def later(seconds: float, do: object, *args: object) -> None:
    threading.Timer(seconds, do, args).start()  # type: ignore[arg-type]


# --- in and out


def test_an_exchange_comes_out_as_it_went_in(journal: Journal) -> None:
    journal.writer.record(
        exchange(
            request_headers=[("Accept", "application/json"), ("X-Twice", "a,b")], request_body=b"asked",
            answer_headers=[("Content-Type", "text/plain")], answer_body=b"\xff\x00", answer_size=70,
            certificate="CN=sas", rule=AppliedRule("slow", ("latency",)),
        )
    )  # fmt: skip
    [entry] = journal.find(EntryFilter(limit=10))
    assert journal.get(entry.id) == entry
    assert (entry.id, entry.time, entry.clock) == (1, datetime.fromtimestamp(BEGAN, UTC), CLOCK)
    assert (entry.direction, entry.editor, entry.flow, entry.method) == ("in", "agenda-ville", Flow.INT_R01, "GET")
    assert (entry.url, entry.path) == ("/agenda-ville/fhir/Slot?status=free", "/agenda-ville/fhir/Slot")
    assert (entry.status, entry.duration, entry.error, entry.rule) == (
        200,
        2.0,
        None,
        AppliedRule("slow", ("latency",)),
    )
    assert (entry.peer, entry.certificate) == ("127.0.0.1:4000", "CN=sas")
    assert entry.request_headers == [("Accept", "application/json"), ("X-Twice", "a,b")]
    assert (entry.request_body, entry.request_size) == (b"asked", 5)
    assert (entry.answer_body, entry.answer_size) == (b"\xff\x00", 70)


def test_a_body_is_kept_whole_or_only_its_beginning_is(make_journal: MakeJournal) -> None:
    journal = make_journal(body=3000)
    journal.writer.record(exchange(request_body=b"x" * 3000, answer_body=b"y" * 3001))
    [entry] = journal.find(EntryFilter(limit=1))
    assert (len(entry.request_body), entry.request_size) == (3000, 3000)
    assert (len(entry.answer_body), entry.answer_size) == (2048, 3001)


def test_bodies_are_bounded_and_their_sizes_are_not(make_journal: MakeJournal) -> None:
    journal = make_journal(body=4)
    journal.writer.record(exchange(request_body=b"0123456", answer_body=b"abcdefgh"))
    [entry] = journal.find(EntryFilter(limit=1))
    assert (entry.request_body, entry.request_size) == (b"0123", 7)
    assert (entry.answer_body, entry.answer_size) == (b"abcd", 8)


def test_what_went_wrong_after_all_is_noted_with_what_is_written_already(journal: Journal) -> None:
    one = exchange()
    journal.writer.record(one)
    assert journal.writer.flush()
    journal.writer.amend(one, issue(Code.CLIENT_LEFT))
    [entry] = journal.find(EntryFilter(limit=10))
    assert (entry.status, entry.error) == (200, issue(Code.CLIENT_LEFT))


def test_an_entry_that_is_not_there_is_none(journal: Journal) -> None:
    assert journal.get(7) is None


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (EntryFilter(), "abcd"),
        (EntryFilter(editor="agenda-ville"), "ad"),
        (EntryFilter(flow=Flow.INT_R03), "b"),
        (EntryFilter(direction="out"), "b"),
        (EntryFilter(method="POST"), "bc"),
        (EntryFilter(status="201"), "b"),
        (EntryFilter(status="2xx"), "ab"),
        (EntryFilter(status="4xx"), "c"),
        (EntryFilter(status="none"), "d"),
        (EntryFilter(path="/agenda-ville/fhir/"), "a"),
        (EntryFilter(path="/sas/fhir/Appointment"), "b"),
        (EntryFilter(path="/agenda_ville"), ""),
        (EntryFilter(path="/cabinet été"), "c"),
        (EntryFilter(contains="810|1"), "a"),
        (EntryFilter(contains="né à"), "b"),
        (EntryFilter(contains="Né à"), ""),
        (EntryFilter(contains="%"), "d"),
        (EntryFilter(contains="_lost_"), "c"),
        (EntryFilter(since=datetime.fromtimestamp(BEGAN + 1, UTC)), "bcd"),
        (EntryFilter(until=datetime.fromtimestamp(BEGAN + 1, UTC)), "a"),
        (EntryFilter(since=datetime.fromtimestamp(BEGAN + 1, UTC), until=datetime.fromtimestamp(BEGAN + 3, UTC)), "bc"),
        (EntryFilter(after=2), "cd"),
        (EntryFilter(min_ms=100), "cd"),
        (EntryFilter(min_ms=100, status="4xx", method="POST", direction="in"), "c"),
        (EntryFilter(min_ms=100, status="4xx", method="GET"), ""),
    ],
)
def test_filters(journal: Journal, filters: EntryFilter, found: str) -> None:
    made = [
        exchange(url="/agenda-ville/fhir/Slot?identifier=810%7C1"),
        exchange(url="https://sas.example/sas/fhir/Appointment", direction="out", flow=Flow.INT_R03, editor="other",
                 method="POST", status=201, began=BEGAN + 1, request_body="né à Lyon".encode()),
        exchange(url="/cabinet%20%C3%A9t%C3%A9", editor=None, flow=Flow.OTHER, method="POST", status=404,
                 began=BEGAN + 2, seconds=0.1, answer_body=b"it is _lost_"),
        exchange(url="/agenda-ville?a=100%25", status=None, error=issue(Code.CLIENT_LEFT),
                 began=BEGAN + 3, seconds=2.0),
    ]  # fmt: skip
    for one in made:
        journal.writer.record(one)
    ids = [entry.id for entry in journal.find(replace(filters, limit=100, oldest_first=True))]
    assert ids == ["abcd".index(name) + 1 for name in found]
    assert journal.count(filters) == len(found)
    assert [entry.id for entry in journal.export(filters)] == ids
    assert [entry.id for entry in journal.find(replace(filters, limit=100))] == ids[::-1]
    assert [entry.id for entry in journal.find(replace(filters, limit=1))] == ids[-1:]


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "20"},
        {"status": "xxx"},
        {"status": "600x"},
        {"direction": "up"},
        {"since": datetime.fromtimestamp(BEGAN, UTC).replace(tzinfo=None)},
    ],
)
def test_filters_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        EntryFilter(**wrong)  # type: ignore[arg-type]


def test_without_keeping_exchanges_are_counted_only(make_journal: MakeJournal) -> None:
    journal = make_journal(keep=False)
    journal.writer.record(exchange())
    assert journal.writer.flush()
    assert urls(journal) == []
    [counted] = journal.entries.counts()
    assert (counted.status, counted.requests, counted.seconds) == ("200", 1, 0.002)


def test_an_export_of_a_full_journal_shows_every_entry_once(make_journal: MakeJournal) -> None:
    journal = make_journal()
    for number in range(450):
        journal.writer.record(exchange(url=f"/{number}"))
    assert [entry.url for entry in journal.export(ALL)] == [f"/{number}" for number in range(450)]


# --- bounds


def test_the_oldest_go_when_there_are_too_many(make_journal: MakeJournal) -> None:
    journal = make_journal(entries=3)
    for number in range(10):
        journal.writer.record(exchange(url=f"/{number}"))
        assert journal.writer.flush()
    assert urls(journal) == ["/7", "/8", "/9"]
    assert journal.entries.totals().entries == 3


def test_the_oldest_go_when_they_are_too_large_together(make_journal: MakeJournal) -> None:
    journal = make_journal(bytes=100_000, body=50_000)
    for number in range(6):
        journal.writer.record(exchange(url=f"/{number}", answer_body=bytes(30_000)))
    assert urls(journal) == ["/3", "/4", "/5"]
    assert 90_000 < journal.entries.totals().bytes <= 100_000
    journal.writer.record(exchange(url="/large", request_body=bytes(50_000), answer_body=bytes(45_000)))
    assert urls(journal) == ["/large"]


def test_the_oldest_go_when_they_are_too_old(make_journal: MakeJournal) -> None:
    journal = make_journal(age=timedelta(hours=24))
    now = time.time()
    for hours in (30, 25, 23):
        journal.writer.record(exchange(url=f"/{hours}", began=now - hours * 3600))
    assert urls(journal) == ["/23"]
    assert journal.entries.totals().entries == 1
    assert not journal.entries.has_old(now)
    assert journal.entries.has_old(now + 2 * 3600)


def test_the_file_stays_as_large_as_it_was_when_it_was_full(make_journal: MakeJournal, tmp_path: Path) -> None:
    journal = make_journal(bytes=3_000_000, entries=10_000, body=16_000)
    sizes = []
    for _ in range(12):
        for number in range(200):
            journal.writer.record(exchange(answer_body=os.urandom(16_000)))
            if number % 20 == 0:
                assert journal.writer.flush(20)
        sizes.append(sum(file.stat().st_size for file in tmp_path.glob("journal.db*")))
    assert max(sizes) < 15_000_000, sizes
    assert max(sizes[4:]) <= max(sizes[:4]), sizes


def test_ids_are_never_used_again(make_journal: MakeJournal) -> None:
    journal = make_journal()
    for _ in range(2):
        journal.writer.record(exchange())
    journal.clear()
    assert urls(journal) == []
    assert (journal.entries.totals().entries, journal.entries.totals().bytes) == (0, 0)
    journal.writer.record(exchange())
    assert journal.find(EntryFilter(limit=1))[0].id == 3
    journal.clear()
    again = make_journal()
    again.writer.record(exchange())
    assert again.find(EntryFilter(limit=1))[0].id == 4


# --- several processes


def test_two_processes_share_a_file_and_its_ids(make_journal: MakeJournal, tmp_path: Path) -> None:
    journal = make_journal(entries=1_000_000, workers=2)
    processes = [recorder(tmp_path / "journal.db", 300, name) for name in ("a", "b")]
    for process in processes:
        process.communicate(timeout=60)
    entries = journal.find(EntryFilter(limit=1000, oldest_first=True))
    assert [entry.id for entry in entries] == list(range(1, 601))
    for name in ("a", "b"):
        assert [entry.url for entry in entries if entry.url.startswith(f"/{name}/")] == [
            f"/{name}/{number}" for number in range(1, 301)
        ]
    assert journal.entries.totals().entries == 600
    assert sum(one.requests for one in journal.entries.counts()) == 600


def test_what_was_committed_survives_a_kill(make_journal: MakeJournal, tmp_path: Path) -> None:
    process = recorder(tmp_path / "journal.db", 1_000_000, "killed")
    assert process.stdout
    committed = [int(process.stdout.readline()) for _ in range(20)][-1]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    journal = make_journal(entries=1_000_000)
    found = urls(journal)
    assert found[:committed] == [f"/killed/{number}" for number in range(1, committed + 1)]
    assert journal.entries.totals().entries == len(found)
    journal.writer.record(exchange(url="/after"))
    assert urls(journal)[-1] == "/after"


def last_is(journal: Journal, url: str) -> bool:
    return urls(journal)[-1:] == [url]


def test_entries_of_another_process_can_be_read_soon(make_journal: MakeJournal) -> None:
    writer, reader = make_journal(workers=2), make_journal(workers=2)
    for number in range(5):
        writer.writer.record(exchange(url=f"/{number}"))
        # A reader waits some milliseconds for other processes, of which a busy machine may need more.
        assert eventually(partial(last_is, reader, f"/{number}"), 30)


# --- waiting for entries


def test_a_wait_ends_as_soon_as_enough_is_there(make_journal: MakeJournal, hold: Hold) -> None:
    journal = make_journal()
    journal.writer.record(exchange(status=404))
    later(0.1, journal.writer.record, exchange())
    later(0.2, journal.writer.record, exchange())
    begin = time.monotonic()
    assert journal.wait(EntryFilter(status="200"), 2, LONG, hold) == 2
    assert 0.15 < time.monotonic() - begin < SOON


def test_a_wait_sees_what_another_process_writes(make_journal: MakeJournal, hold: Hold) -> None:
    here, there = make_journal(workers=2), make_journal(workers=2)
    later(0.1, there.writer.record, exchange())
    begin = time.monotonic()
    assert here.wait(ALL, 1, LONG, hold) == 1
    assert time.monotonic() - begin < SOON


def test_a_wait_for_what_is_there_already_takes_no_time(journal: Journal, hold: Hold) -> None:
    journal.writer.record(exchange())
    begin = time.monotonic()
    assert journal.wait(ALL, 1, LONG, hold) == 1
    assert time.monotonic() - begin < SOON


def test_a_wait_tells_what_is_there_when_the_time_is_over(journal: Journal, hold: Hold) -> None:
    journal.writer.record(exchange())
    begin = time.monotonic()
    assert journal.wait(ALL, 2, 0.3, hold) == 1
    assert time.monotonic() - begin > 0.25


def test_a_wait_goes_on_counting_when_the_journal_is_cleared(journal: Journal, hold: Hold) -> None:
    journal.writer.record(exchange())
    later(0.05, journal.clear)
    later(0.2, journal.writer.record, exchange())
    assert journal.wait(ALL, 2, LONG, hold) == 2


def test_a_wait_ends_when_the_client_has_left(journal: Journal, hold: Hold) -> None:
    later(0.1, hold.end, Ended.GONE)
    begin = time.monotonic()
    assert journal.wait(ALL, 1, LONG, hold) == 0
    assert time.monotonic() - begin < SOON


def test_who_follows_gets_what_comes_from_now_on_and_what_is_meant(journal: Journal, hold: Hold) -> None:
    journal.writer.record(exchange(url="/before"))
    followed = journal.follow(EntryFilter(status="200"), hold)
    for one in (exchange(url="/a"), exchange(url="/b", status=404), exchange(url="/c")):
        journal.writer.record(one)
    assert [entry.url for entry in islice(followed, 2) if entry] == ["/a", "/c"]
    later(0.1, journal.writer.record, exchange(url="/d"))
    assert (found := next(followed))
    assert found.url == "/d"
    later(0.1, hold.end, Ended.STOPPING)
    assert list(followed) == []


def test_who_follows_may_go_on_after_the_last_seen(journal: Journal, hold: Hold) -> None:
    for number in range(450):
        journal.writer.record(exchange(url=f"/{number}"))
    assert journal.writer.flush()
    followed = journal.follow(ALL, hold, last=100)
    ids = [entry.id for entry in islice(followed, 350) if entry]
    assert ids == list(range(101, 451))


# --- a database out of order


def test_while_the_file_is_locked_nobody_waits_and_nothing_is_lost(make_journal: MakeJournal, tmp_path: Path) -> None:
    journal = make_journal()
    journal.writer.record(exchange(url="/before"))
    assert journal.writer.flush()
    with sqlite3.connect(tmp_path / "journal.db", isolation_level=None) as other:
        other.execute("begin immediate")
        begin = time.monotonic()
        for number in range(100):
            journal.writer.record(exchange(url=f"/{number}"))
        assert time.monotonic() - begin < 0.2
        assert not journal.writer.flush(0.1)
        other.execute("rollback")
    other.close()
    assert journal.writer.flush(10)
    assert urls(journal) == ["/before", *(f"/{number}" for number in range(100))]
    assert journal.entries.totals().lost == 0


def test_what_the_writer_cannot_take_is_given_up_counted_and_logged_once(
    make_journal: MakeJournal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = make_journal(entries=100_000, body=1_000_000)
    journal.writer.record(exchange())
    assert journal.writer.flush()
    with (
        caplog.at_level(logging.WARNING, "mock_editor.journal"),
        sqlite3.connect(tmp_path / "journal.db", isolation_level=None) as other,
    ):
        other.execute("begin immediate")
        large = bytes(1_000_000)
        begin = time.monotonic()
        for _ in range(60):
            journal.writer.record(exchange(answer_body=large))
        # The first ones without room wait a little, until it is clear that the writer hangs.
        assert time.monotonic() - begin < 3
        other.execute("rollback")
    other.close()
    assert journal.writer.flush(20)
    journal.writer.record(exchange())
    totals = (journal.count(ALL), journal.entries.totals().lost)
    assert journal.entries.totals().lost > 10
    assert sum(totals) == 62 or journal.entries.totals().bytes > 8_000_000
    assert [record.message for record in caplog.records if "cannot follow" in record.message] == [
        "The journal cannot follow: exchanges are lost"
    ]


def test_under_load_recording_waits_for_the_writer_rather_than_lose(make_journal: MakeJournal) -> None:
    journal = make_journal(bytes=900_000_000, entries=100_000, body=1_000_000)
    body = bytes(1_000_000)
    for _ in range(80):
        journal.writer.record(exchange(answer_body=body))
    assert journal.writer.flush(30)
    assert (journal.count(ALL), journal.entries.totals().lost) == (80, 0)


def test_an_exchange_that_cannot_be_written_takes_no_other_with_it(journal: Journal) -> None:
    journal.writer.record(exchange(url="/a"))
    journal.writer.record(exchange(method=object()))
    journal.writer.record(exchange(url="/b"))
    assert urls(journal) == ["/a", "/b"]
    journal.writer.record(exchange(url="/c"))
    assert urls(journal) == ["/a", "/b", "/c"]
    assert journal.entries.totals().lost == 1


def test_it_goes_on_after_its_writer_had_nothing_to_do(journal: Journal) -> None:
    journal.writer.record(exchange(url="/a"))
    assert journal.writer.flush()
    assert eventually(lambda: journal.writer._thread is None, 10)
    journal.writer.record(exchange(url="/b"))
    assert urls(journal) == ["/a", "/b"]


def test_a_file_is_found_again(tmp_path: Path) -> None:
    for url in ("/a", "/b"):
        journal = Journal(JournalFile(tmp_path / "journal.db"), lambda: CLOCK, limits())
        journal.writer.record(exchange(url=url))
        journal.writer.close()
    assert urls(Journal(JournalFile(tmp_path / "journal.db"), lambda: CLOCK, limits())) == ["/a", "/b"]

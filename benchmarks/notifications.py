"""The benchmarks of notifications to the SAS (INT_R03): how many, how soon, and what they cost the searches."""

import contextlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote

import requests

from benchmarks import report
from benchmarks.load import Load
from benchmarks.rounds import Effort, in_turns, measured_load, ratios_of, spread
from benchmarks.servers import Server, running
from benchmarks.workload import INT_R01, LISTED, SAME, Workload, account_request, request
from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.base.codes import PRACTITIONER_OID
from mock_editor.base.fhir import instant
from mock_editor.base.store import Store
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue, calendars_of, stamp
from mock_editor.calendars.model import Appointment, AppointmentStatus, RegulatorId, SlotType, Window
from mock_editor.calendars.taken import Taken
from mock_editor.notifications import payload
from mock_editor.notifications.model import Attempt, NotificationState
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.outcomes import answered
from mock_editor.settings import Settings
from mock_editor.world.tables import tables

_PATIENCE = 60.0
_MANY = 10_000
_WARM_UP = 300  # attempts
_PER_SECOND = 400  # about as many as are sent in a second
_BOOKINGS = 30  # in a round


class RunningScenario(Workload):
    """The workload under a clock that runs: under a frozen one nothing is tried again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, LISTED)
        self.file = folder / "running.yaml"
        text = re.sub("^clock:.*\n", "", (folder / f"scenario-{LISTED}.yaml").read_text("utf-8"), flags=re.MULTILINE)
        self.file.write_text(text, "utf-8")
        self.played = scenario.load(self.file)

    def search(self) -> bytes:
        """INT_R01 for the next 72 hours but one: as long as the benchmark takes, it finds the same slots."""
        begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
        zone = self.editor.zone
        start, end = (quote(instant(at, zone), safe=":") for at in (begin, begin + timedelta(hours=72)))
        tokens = ",".join(f"{INT_R01.system}%7C{self.identifier(number)}" for number in SAME)
        return request(f"{INT_R01.path}?{INT_R01.parameters.format(start=start, end=end, identifiers=tokens)}")

    @contextlib.contextmanager
    def serving(self, sas: "_Receiver", *options: str) -> Iterator[Server]:
        """A simulator that tells ``sas``."""
        settings = ("--scenario", str(self.file), "--port", "0", "--sas-url", sas.url, "--oidc-issuer", "none")
        with running("mock_editor", "serve", *settings, *options) as server:
            yield server

    def filled(self, file: Path, count: int, *, tried: bool = False) -> Path:
        """A database, made once, in which so many notifications wait, each of an appointment of its own, and ``tried``
        once or not. Beside it are the bodies of those that were not, a line each.
        """
        if file.exists():
            return file
        store, clock = Store(file, tables()), Clock()
        editors = Catalogue(self.played.editors, clock).editors
        outbox = Outbox(store, clock, editors)
        now = clock.now()
        # More of them than there are slots: nothing is asked of a slot here.
        appointments = Appointments(store, editors, Taken(), outbox.add, lambda *_: None)
        people = [self.identifier(number) for number in range(LISTED)]
        bodies = []
        for number in range(count):
            rank, person = divmod(number, len(people))
            [at, *_] = calendars_of(self.editor, people[person])
            start = now + timedelta(days=1, minutes=15 * rank)
            made = appointments.add(
                Appointment(
                    id="",
                    editor=self.editor.slug,
                    calendar=at.calendar.key,
                    start=start,
                    end=start + timedelta(minutes=15),
                    status=AppointmentStatus.BOOKED,
                    created=now,
                    updated=now,
                    regulator=RegulatorId(PRACTITIONER_OID, "3456780581/11242343"),
                    booker="benchmark",
                    sos=False,
                    practitioner=people[person],
                    patient="Fictif",
                    reason="",
                )
            )
            if not tried:
                bodies.append(payload.body(made, self.editor))
        put_off = Attempt("POST", 503, 0.01, answered(503), "{}")
        for one in outbox.claim(count, _PATIENCE) if tried else ():
            outbox.finish(one, put_off, NotificationState.WAITING, wait=timedelta(), unsure=True)
        store.close()
        file.with_suffix(".bodies").write_bytes(b"\n".join(bodies))
        return file


@dataclass(frozen=True, slots=True)
class _Receiver:
    """A running ``benchmarks.receiver``."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def url(self) -> str:
        """The FHIR base."""
        return f"http://127.0.0.1:{self.port}/fhir"

    def arrivals(self, first: int = 0) -> list[float]:
        """When requests came, from the one with this number on."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.request("GET", f"/{first}")
            found: list[float] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return found

    def wait(self, count: int, first: int = 0, *, pause: float = 0.05) -> list[float]:
        """The same, once there are so many."""
        until = time.monotonic() + _PATIENCE
        while len(found := self.arrivals(first)) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} notifications came"
            time.sleep(pause)
        return found


@contextlib.contextmanager
def _receiver(status: int) -> Iterator[_Receiver]:
    """Runs a receiver on the client's CPU, which this process has and it inherits."""
    command = [sys.executable, "-m", "benchmarks.receiver", str(status)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        found = re.search(r":(\d+)$", process.stdout.readline())
        assert found, "the receiver does not start"
        yield _Receiver(process, int(found[1]))
    finally:
        process.kill()
        process.communicate()


def sent(folder: Path, effort: Effort) -> None:
    """How many notifications go out in a second."""
    count = int(effort.seconds * _PER_SECOND)
    threads = Settings().sas_parallel
    report.section(
        "Notifications per second",
        "So many wait in the outbox when the simulator starts, for a receiver that answers at once; from the first",
        f"arrival to that numbered {count}. The reference posts {count} with requests, with as many threads",
        f"({threads}), and keeps nothing. {effort.rounds} rounds.",
    )
    workload = RunningScenario(folder)
    few = workload.filled(folder / "few.db", count)
    kinds = {f"ours, of {count:,}": few, f"ours, of {_MANY:,}": workload.filled(folder / "many.db", _MANY, tried=True)}
    rates: dict[str, list[float]] = {name: [] for name in (*kinds, "reference")}
    database = folder / "sent.db"
    with _receiver(201) as sas:
        for name in in_turns(kinds, effort.rounds):
            shutil.copy(kinds[name], database)
            before = len(sas.arrivals())
            with workload.serving(sas, "--database", str(database)) as server:
                rates[name].append(_rate(sas, count, before))
                if kinds[name] is few:
                    before = len(sas.arrivals())
                    with _posting(server, sas, few.with_suffix(".bodies"), threads):
                        rates["reference"].append(_rate(sas, count, before))
            for left in folder.glob("sent.db*"):
                left.unlink()
    reference = rates["reference"]
    rows = [[name, spread(found, 0), spread(ratios_of(found, reference))] for name, found in rates.items()]
    report.table(["", "per second", "x of reference"], rows)
    for name in kinds:
        report.target(f"notifications per second, {name}", median(rates[name]), at_least=300)


def _rate(sas: _Receiver, count: int, before: int) -> float:
    """How many come in a second: so many, after those that came before."""
    times = sas.wait(count, before)[:count]
    return (count - 1) / (times[-1] - times[0])


@contextlib.contextmanager
def _posting(server: Server, sas: _Receiver, bodies: Path, threads: int) -> Iterator[None]:
    """Runs the reference where the server is, which has nothing to do."""
    command = [sys.executable, "-m", "benchmarks.poster", f"{sas.url}/Appointment", str(threads), str(bodies)]
    poster = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert poster.stdout
        os.sched_setaffinity(poster.pid, os.sched_getaffinity(server.pid))  # its threads are yet to come
        assert poster.stdout.readline(), "the reference does not start"
        assert poster.stdin
        poster.stdin.write("go\n")
        poster.stdin.flush()
        yield
        assert poster.wait(_PATIENCE) == 0, "the reference was refused"
    finally:
        poster.kill()
        poster.communicate()


def delay(folder: Path, effort: Effort) -> None:
    """How soon the SAS knows of a booking."""
    count = effort.rounds * _BOOKINGS
    report.section(
        "From a booking to the SAS",
        "Milliseconds from the web site's answer to the form that books until the notification is at a receiver that",
        f"answers at once; {count} bookings, one at a time.",
    )
    workload = RunningScenario(folder)
    delays: list[float] = []
    think = random.Random(1)
    with _receiver(201) as sas, workload.serving(sas) as server, requests.Session() as session:
        book = _regulator(session, server, workload)
        for number in range(count + 1):
            booked = book()
            [came, *others] = sas.wait(1, number, pause=0.005)
            assert not others
            delays.append((came - booked) * 1e3)
            # The server looks at regular times: not to meet them always at the same moment.
            time.sleep(think.uniform(0.0, 0.2))
    cuts = quantiles(delays[1:], n=100, method="inclusive")  # the first one opens connections
    report.table(
        ["", "p50", "p99", "longest"], [["delay", *(f"{one:.0f}" for one in (cuts[49], cuts[98], max(delays)))]]
    )
    report.target("booking to SAS, p99, ms", cuts[98], at_most=250)


def _regulator(session: requests.Session, server: Server, workload: RunningScenario) -> Callable[[], float]:
    """Signs a regulator in; what it returns books the next free slot and tells when that was answered."""
    slug, url = workload.editor.slug, f"http://127.0.0.1:{server.port}"
    session.trust_env = False
    measured_load(server, (account_request(number, "Loridon") for number in range(2)))
    account, *_ = session.get(f"{url}/_admin/accounts?editor={slug}", timeout=_PATIENCE).json()["accounts"]
    page = f"{url}/{slug}/agenda"
    key = ""

    def look(target: str) -> None:
        nonlocal key
        shown = session.get(target, timeout=_PATIENCE)
        shown.raise_for_status()
        [key, *_] = re.findall('name="jeton" value="([^"]*)"', shown.text)

    def send(target: str, **fields: str) -> str:
        data = {"jeton": key, **fields}
        answer = session.post(target, data=data, allow_redirects=False, timeout=_PATIENCE)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    email = account["resource"]["telecom"][0]["value"]
    look(f"{page}?origin=sas")
    send(f"{url}/{slug}/connexion", email=email, mot_de_passe=account["password"], origine="sas")
    look(f"{url}/{slug}/cgu")
    send(f"{url}/{slug}/cgu", accepter="1")
    catalogue, now = Catalogue(workload.played.editors, Clock()), datetime.now(UTC)
    window = Window(now + timedelta(hours=2), now + timedelta(days=27))
    free = (
        (at, slot.start)
        for number in range(LISTED)
        for at in calendars_of(workload.editor, workload.identifier(number))
        for slot in catalogue.free_slots(at.calendar, window, frozenset({SlotType.PUBLIC}))
    )

    def book() -> float:
        at, start = next(free)
        fields = {"lieu": at.place.key, "creneau": stamp(start), "nom": "Fictif"}
        location = send(f"{page}/{at.owner.id}/reserver", **fields)
        booked = time.perf_counter()
        assert "nouveau" in location, f"not booked: {location}"
        return booked

    return book


def beside_searches(folder: Path, effort: Effort) -> None:
    """Searches while notifications are tried again and again."""
    report.section(
        "Searches while notifications are tried again",
        f"INT_R01 at one connection, latencies in ms, while {_MANY:,} notifications wait for a SAS that answers 503 to",
        "all. Alone: the same server while the SAS is silent, so that nothing moves. Tried: attempts per second.",
    )
    workload = RunningScenario(folder)
    database = workload.filled(folder / "many.db", _MANY, tried=True)
    search = workload.search()
    runs: dict[bool, list[Load]] = {False: [], True: []}
    tried: list[float] = []
    options = ("--sas-first-wait", "1", "--sas-longest-wait", "1", "--sas-tries", "1000", "--sas-answer-timeout", "60")
    with _receiver(503) as sas, workload.serving(sas, "--database", str(database), *options) as server:
        sas.wait(_WARM_UP)
        for again in in_turns(runs, effort.rounds):
            sas.process.send_signal(signal.SIGCONT if again else signal.SIGSTOP)
            time.sleep(0.3)
            before = len(sas.arrivals()) if again else 0
            measured = measured_load(server, itertools.repeat(search), seconds=effort.seconds)
            runs[again].append(measured)
            if again:
                tried.append((len(sas.arrivals()) - before) * measured.per_second / measured.answers)
        sas.process.send_signal(signal.SIGCONT)
    alone = [run.p50 for run in runs[False]]
    rows = []
    for again, loads in runs.items():
        row = ["tried again" if again else "alone", f"{median(tried):.0f}" if again else "0"]
        row += [f"{median(run.p50 for run in loads):.2f}", f"{median(run.p99 for run in loads):.2f}"]
        rows.append([*row, spread(ratios_of([run.p50 for run in loads], alone))])
    report.table(["notifications", "tried", "p50", "p99", "p50 x of alone"], rows)
    ratios = ratios_of([run.p50 for run in runs[True]], alone)
    report.target(f"search p50 while {_MANY:,} are tried again, x of alone", median(ratios), at_most=1.2)

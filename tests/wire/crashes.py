"""Kills a simulator again and again while regulators book, and counts what became of every appointment at the SAS.

``python -m tests.wire.crashes --kills 200 --appointments 2000 --workers 3`` by hand; the tests run a short one.
The SAS is a second simulator, which is not killed: its receiver refuses an appointment that is created twice.
"""

import argparse
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.base.store import Store
from mock_editor.bench.receiver.received import Inbox
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, calendars_of, stamp
from mock_editor.calendars.model import Appointment, Editor, SlotType, Window
from mock_editor.calendars.taken import Taken
from mock_editor.notifications.model import NotificationState
from mock_editor.notifications.repository import NotificationRepository
from mock_editor.world.tables import tables
from tests.forks import Python
from tests.wire.conftest import clean_environment, eventually, form_key

VILLE, SOS = "agenda-ville", "agenda-sos"
# More slots than are needed, all free. The clock runs: retries wait by it.
SCENARIO = """
name: crashes
title: Slots for every regulator
seed: "2026"
timezone: Europe/Paris
regulators:
  national: {national_id: "3339900018/00000001", family: A, given: A, email: a@regulation.example}
  technical: {technical_id: 7d0a2f6e-5a0b-4c1c-9f5e-0d6b3f1c2a01, family: B, given: B, email: b@regulation.example}
calendars:
  open:
    slot_minutes: 5
    slot_types: [PUBLIC]
    week:
      - {days: [mon, tue, wed, thu, fri, sat, sun], hours: ["00:00-24:00"]}
editors:
  - slug: agenda-ville
    name: Agenda Ville
    identifier_system: urn:oid:1.2.250.1.999.1.1
    groups:
      - {name: town, count: 12, departments: ["33"], specialties: [SM54], calendars: [open]}
    accounts: [{regulator: national}, {regulator: technical}]
  - slug: agenda-sos
    name: Agenda SOS
    identifier_system: https://agenda-sos.example/lieux
    associations:
      - siret: "00000201000001"
        name: SOS Médecins fictif
        places:
          - name: Point de garde
            address: {line: 1 rue du Pont fictif, postal_code: "33100", city: BORDEAUX}
            phone: 05 36 49 02 01
            calendar: open
    accounts: [{regulator: national}, {regulator: technical}]
"""
DOCTORS = ("899000000010", "899000000028", "899000000036")  # who consults at the association
# Short, so that a lease that a dead process held runs out soon.
QUICK = {
    "sas-first-wait": "0.1", "sas-longest-wait": "1", "sas-answer-timeout": "1", "sas-connect-timeout": "0.2",
    "sas-tries": "1000",
}  # fmt: skip
PATIENCE = 60.0


class Standing(NamedTuple):
    """What an appointment is, for the editor and (but for the calendar) for the SAS."""

    calendar: str
    status: str
    start: datetime
    practitioner: str | None


@dataclass
class Asked:
    """An appointment that was asked for. ``standing`` is what was acknowledged last (None: nothing, not even that it
    was taken), ``unknown`` what was asked for after that, when the answer was lost: nobody touches it from then on."""

    patient: str
    editor: str
    id: str = ""
    standing: Standing | None = None
    unknown: Standing | None = None

    @property
    def stands(self) -> Standing:
        """The last one, of an appointment that was acknowledged."""
        assert self.standing
        return self.standing


@dataclass
class Counts:
    """What happened in a run."""

    killed_while_starting: int = 0
    killed: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unknown_but_done: int = 0
    lost: list[str] = field(default_factory=list)  # acknowledged, and not so in the editor's database
    appointments: int = 0
    notifications: int = 0
    states: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    attempts_that_died: int = 0
    creates_sent_as_updates: int = 0
    received: int = 0
    received_again: int = 0
    resources: int = 0
    missing: list[str] = field(default_factory=list)  # at the SAS
    wrong: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    seconds_of_kills: float = 0.0
    seconds_of_end: float = 0.0

    @property
    def faults(self) -> list[str]:
        """What must not happen, in words; nothing when all is well."""
        found = [
            (len(self.lost), f"acknowledged operations are lost: {self.lost[:3]}"),
            (len(self.missing), f"appointments are missing at the SAS: {self.missing[:3]}"),
            (len(self.wrong), f"appointments are wrong at the SAS: {self.wrong[:3]}"),
            (self.resources - self.appointments, "resources too many at the SAS"),
            (len(self.out_of_order), f"appointments came in another order: {self.out_of_order[:3]}"),
            (self.refused.total(), f"operations were refused: {dict(self.refused)}"),
            (self.notifications - self.states.get("accepted", 0), f"notifications not accepted: {self.states}"),
            (len(self.tracebacks), f"tracebacks: {self.tracebacks[:1]}"),
        ]
        return [f"{count} {text}" for count, text in found if count]

    def __str__(self) -> str:
        def told(counter: Counter[str]) -> str:
            return f"{counter.total()} ({', '.join(f'{count} {name}' for name, count in sorted(counter.items()))})"

        return "\n".join(
            (
                f"killed                    {self.killed}, and {self.killed_while_starting} while starting",
                f"operations acknowledged   {told(self.acknowledged)}",
                f"answers lost              {told(self.unknown)}; {self.unknown_but_done} had been done",
                f"refused                   {told(self.refused)}",
                f"acknowledged, then lost   {len(self.lost)}",
                f"appointments kept         {self.appointments}",
                f"notifications             {self.notifications}: {self.states}",
                f"attempts                  {self.attempts}; {self.attempts_that_died} died with their process",
                f"creates sent as updates   {self.creates_sent_as_updates}",
                f"received by the SAS       {self.received}, {self.received_again} of them again",
                f"resources at the SAS      {self.resources}: {len(self.missing)} missing, {len(self.wrong)} wrong, "
                f"{self.resources - self.appointments} too many, {len(self.out_of_order)} out of order",
                f"tracebacks                {len(self.tracebacks)}",
                f"seconds                   {self.seconds_of_kills:.0f}, and {self.seconds_of_end:.0f} to the end\n",
            )
        )


class Process:
    """A ``mock-editor serve`` that leads a process group of its own."""

    def __init__(self, folder: Path, name: str, *more: str, **options: str) -> None:
        self.log = folder / f"{name}.log"
        arguments = [*more, *(text for key, one in options.items() for text in (f"--{key.replace('_', '-')}", one))]
        with self.log.open("ab") as log:
            self.process = Python(
                [sys.executable, "-m", "mock_editor", "serve", "--port", "0", "--oidc-issuer", "none", *arguments],
                stdout=subprocess.PIPE, stderr=log, text=True, env=clean_environment(), start_new_session=True,
            )  # fmt: skip

    def url(self) -> str:
        """Where it listens; waits until it does."""
        assert self.process.stdout
        found = re.search(r" on (http://[^\s,]+)", self.process.stdout.readline())
        assert found, self.log.read_text()
        return found[1]

    def kill(self) -> None:
        """Ends the master and the workers at once, as a machine that fails would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self._closed()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self._closed()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _closed(self) -> None:
        self.process.wait(20)
        assert self.process.stdout
        self.process.stdout.close()


class Stage:
    """Where the simulator is at present, for those who use it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._url: str | None = None
        self._allowed = 0
        self.over = False

    def set(self, url: str | None, allowed: int = 0) -> None:
        """It listens there, or nowhere; so many bookings may have been made by its end."""
        with self._changed:
            self._url, self._allowed = url, max(allowed, self._allowed)
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self.over = True
            self._changed.notify_all()

    def url(self) -> str | None:
        """Where it listens, once it does; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._url or self.over)
            return None if self.over else self._url

    def left(self, made: int) -> bool:
        """Whether there is a booking left to be made in this life."""
        return made < self._allowed


class Supply(NamedTuple):
    """An agenda, and starts of its slots that nobody has been told of."""

    at: OwnedCalendar
    starts: Iterator[datetime]


class Regulator:
    """Somebody in a session from the SAS, and the practice's side of the same appointments."""

    def __init__(self, number: int, editor: Editor, slots: dict[str, Supply], counts: Counts) -> None:
        self.editor = editor
        self.made: list[Asked] = []
        self._number = number
        self._slots = slots
        self._counts = counts
        self._random = random.Random(f"regulator-{number}")
        self._session = requests.Session()
        self._keys: dict[str, str] = {}
        self._url = ""

    def close(self) -> None:
        self._session.close()

    @property
    def booked(self) -> int:
        """How many appointments were acknowledged."""
        return sum(bool(one.id) for one in self.made)

    def arrive(self, url: str) -> None:
        """Signs in, and accepts the terms. The session outlives the process."""
        self._url = url
        slug = self.editor.slug
        told = self._session.get(f"{url}/_admin/accounts?editor={slug}", timeout=20).json()["accounts"]
        account = told[self._number % len(told)]
        owner = next(iter(self._slots.values())).at.owner.id
        for page in ("/_console/", f"/{slug}/agenda/{owner}?origin=sas"):
            self._look(page)
        email = account["resource"]["telecom"][0]["value"]
        self._send(f"/{slug}/connexion", email=email, mot_de_passe=account["password"], origine="sas")
        self._look(f"/{slug}/cgu")
        self._send(f"/{slug}/cgu", accepter="1")

    def _look(self, page: str) -> None:
        """Keeps what the forms of a page bring back, by the first part of its path."""
        answer = self._session.get(self._url + page, timeout=20)
        assert answer.status_code == 200
        self._keys[page.split("/")[1]] = form_key(answer.text)

    def work(self, stage: Stage) -> None:
        """Books, moves and cancels until the end."""
        while self._url_from(stage):
            known = [one for one in self.made if one.standing and not one.unknown]
            open_ones = [one for one in known if one.standing and one.standing.status in ("pending", "booked")]
            if stage.left(self.booked) and (not open_ones or self._random.random() < 0.5):
                self._book()
            elif open_ones:
                # Often one that has just been made: its create may be on the way.
                one = open_ones[-1] if self._random.random() < 0.5 else self._random.choice(open_ones)
                self._random.choice((self._move, self._move, self._hand_over, self._cancel))(one)
            # Everybody at once would only wait for each other.
            threading.Event().wait(self._random.uniform(0, 0.08))

    def _url_from(self, stage: Stage) -> bool:
        """Whether it is not over. Where it listens anew, the pages are loaded anew: their forms are for one address."""
        while url := stage.url():
            if url == self._url:
                return True
            self._url = url
            try:
                for page in ("/_console/", f"/{self.editor.slug}/rendez-vous"):
                    self._look(page)
            except requests.RequestException:
                self._url = ""  # killed again
        return False

    # --- operations

    def _book(self) -> None:
        at, starts = self._random.choice(list(self._slots.values()))
        start = next(starts)
        sos = self.editor.slug == SOS
        one = Asked(f"Fictif-{self._number}-{len(self.made)}", self.editor.slug)
        self.made.append(one)
        wanted = Standing(at.calendar.key, "pending" if sos else "booked", start, None if sos else at.owner.id)
        path = f"/{self.editor.slug}/agenda/{at.owner.id}/reserver"
        done = self._try(one, "bookings", wanted, path, lieu=at.place.key, creneau=stamp(start), nom=one.patient)
        one.id = urlsplit(done).path.rpartition("/")[2] if done else ""

    def _move(self, one: Asked) -> None:
        start = next(self._slots[one.stands.calendar].starts)
        wanted = one.stands._replace(start=start)
        self._try(one, "moves", wanted, f"/{self.editor.slug}/rendez-vous/{one.id}/deplacer", creneau=stamp(start))

    def _hand_over(self, one: Asked) -> None:
        """The practice has somebody else do it; at SOS Médecins, it says who does."""
        page = f"/_console/rendez-vous/{self.editor.slug}/{one.id}"
        about = {"path.editor": self.editor.slug, "path.appointment": one.id, "vers": page}
        act = "/_console/faire/{}Appointment".format
        if self.editor.slug == SOS:
            doctor = self._random.choice([other for other in DOCTORS if other != one.stands.practitioner])
            wanted = one.stands._replace(status="booked", practitioner=doctor)
            self._try(one, "assignments", wanted, act("assign"), **about | {"body.practitioner": doctor})
        else:
            key = self._random.choice([other for other in self._slots if other != one.stands.calendar])
            at, starts = self._slots[key]
            start = next(starts)
            wanted = one.stands._replace(calendar=key, start=start, practitioner=at.owner.id)
            slot = f"{key}-{stamp(start)}"
            self._try(one, "hand-overs", wanted, act("move"), **about | {"body.slot": slot})

    def _cancel(self, one: Asked) -> None:
        # Fewer than the rest, or there is soon nothing left to move.
        if self._random.random() < 0.5:
            wanted = one.stands._replace(status="cancelled")
            self._try(one, "cancellations", wanted, f"/{self.editor.slug}/rendez-vous/{one.id}/annuler")

    def _try(self, one: Asked, what: str, wanted: Standing, path: str, **fields: str) -> str | None:
        """Sends a form and notes what is known after it; returns where it leads, if that is known."""
        try:
            answer = self._send(path, **fields)
        except requests.RequestException:
            one.unknown = wanted
            self._counts.unknown[what] += 1
            return None
        if answer.status_code != 303 or "/rendez-vous/" not in answer.headers["Location"]:
            self._counts.refused[f"{what}: {answer.status_code}"] += 1
            return None
        one.standing = wanted
        self._counts.acknowledged[what] += 1
        return answer.headers["Location"]

    def _send(self, path: str, **fields: str) -> requests.Response:
        data = {"jeton": self._keys[path.split("/")[1]], **fields}
        return self._session.post(self._url + path, data=data, allow_redirects=False, timeout=20)


def slots_of(editor: Editor, share: int, shares: int, now: datetime) -> dict[str, Supply]:
    """The slots of every agenda, by calendar, that are for one of several regulators, never the same twice."""
    catalogue = Catalogue([editor], Clock())
    window = Window(now + timedelta(hours=2), now + timedelta(days=27))
    owners = (*editor.associations, *(person.id for person in editor.directory))

    def starts(at: OwnedCalendar) -> Iterator[datetime]:
        free = catalogue.free_slots(at.calendar, window, frozenset({SlotType.PUBLIC}))
        return (slot.start for slot in itertools.islice(free, share, None, shares))

    found = [at for owner in owners for at in calendars_of(editor, owner)]
    return {at.calendar.key: Supply(at, starts(at)) for at in found}


@dataclass
class Run:
    """One run: what is kept where, and by whom it is used."""

    folder: Path
    kills: int
    appointments: int
    seed: int = 1
    regulators: int = 6
    workers: int = 2
    seconds: float = 1e9  # after which no more are killed
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.file = self.folder / "scenario.yaml"
        self.file.write_text(SCENARIO, "utf-8")
        self.editors = {editor.slug: editor for editor in scenario.load(self.file).editors}
        self.database, self.received = self.folder / "editor.db", self.folder / "sas.db"

    def run(self) -> Counts:
        """Kills, waits for the end, and counts."""
        sas = Process(self.folder, "sas", scenario=str(self.file), database=str(self.received))
        try:
            self._with_sas(f"{sas.url()}/_sas/fhir")
        finally:
            sas.stop()
        self._compare()
        for log in self.folder.glob("*.log"):
            text = log.read_text()
            self.counts.tracebacks += [text[at.start() : at.start() + 3000] for at in re.finditer("Traceback", text)]
        return self.counts

    def _start(self) -> Process:
        common = {"scenario": str(self.file), "database": str(self.database), "workers": str(self.workers)}
        return Process(self.folder, "editor", **common, sas_url=self.sas_url, **QUICK)

    def _with_sas(self, sas_url: str) -> None:
        self.sas_url = sas_url
        now, stage = datetime.now(UTC), Stage()
        # One in three at SOS Médecins.
        of = [self.editors[SOS if number % 3 == 2 else VILLE] for number in range(self.regulators)]
        people = [
            Regulator(number, editor, slots_of(editor, number, self.regulators, now), self.counts)
            for number, editor in enumerate(of)
        ]
        current = self._start()
        begin = time.monotonic()
        try:
            url = current.url()
            for one in people:
                one.arrive(url)
            with ThreadPoolExecutor(len(people)) as pool:
                working = [pool.submit(one.work, stage) for one in people]
                try:
                    draw = random.Random(self.seed)
                    each = -(-self.appointments // len(people))
                    for life in range(self.kills):
                        if time.monotonic() - begin > self.seconds:
                            # Those of the lives that there were.
                            each = each * life // (self.kills + 1)
                            break
                        early = draw.random() < 0.1 and life > 0
                        if early:
                            threading.Event().wait(draw.uniform(0, 1.5))
                            self.counts.killed_while_starting += 1
                        else:
                            stage.set(current.url() if life else url, each * (life + 1) // (self.kills + 1))
                            threading.Event().wait(draw.uniform(0, 1.2))
                            self.counts.killed += 1
                        # Killed in the middle of their operations: they notice by themselves.
                        current.kill()
                        stage.set(None)
                        current = self._start()
                    stage.set(current.url(), each)
                    self.counts.seconds_of_kills = time.monotonic() - begin
                    begin = time.monotonic()
                    done = eventually(lambda: all(one.booked == each for one in people), PATIENCE)
                finally:
                    stage.end()
                for job in working:
                    job.result()
            assert done, "the last life is too short for all bookings"
            self.made = [one for regulator in people for one in regulator.made]
            self._wait_for_the_end()
        finally:
            self.counts.seconds_of_end = time.monotonic() - begin
            for one in people:
                one.close()
            current.stop()

    def _wait_for_the_end(self) -> None:
        store = Store(self.database, tables())
        notifications = NotificationRepository(store)
        try:
            before = -1
            # As long as there is progress.
            while (left := self._left(notifications)) and left != before:
                before = left
                eventually(partial(self._fewer, notifications, left), PATIENCE)
        finally:
            store.close()

    def _fewer(self, notifications: NotificationRepository, than: int) -> bool:
        return self._left(notifications) < than

    def _left(self, notifications: NotificationRepository) -> int:
        counts = notifications.counts()
        return counts.get(NotificationState.WAITING, 0) + counts.get(NotificationState.SENDING, 0)

    # --- afterwards

    def _compare(self) -> None:
        store, sas = Store(self.database, tables()), Store(self.received, tables())
        try:
            appointments = Appointments(store, self.editors, Taken())
            kept = [one for slug in self.editors for one in appointments.of(slug)]
            assert all(one.sas for one in kept)
            self._compare_with_operations(kept)
            self._compare_with_sas(store, Inbox(sas, Clock().now), kept)
        finally:
            store.close()
            sas.close()

    def _compare_with_operations(self, kept: list[Appointment]) -> None:
        """What is in the editor's database, and what was acknowledged."""
        counts = self.counts
        by_patient: dict[str, Appointment] = {one.patient: one for one in kept}
        counts.appointments = len(kept)
        counts.lost += [f"{one.patient} is there twice" for one in kept if by_patient[one.patient] is not one]
        asked = {one.patient for one in self.made}
        counts.lost += [f"{one} was never asked for" for one in by_patient if one not in asked]
        for one in self.made:
            found = by_patient.get(one.patient)
            stands = _standing(found) if found else None
            # Without an acknowledgement, it need not be there at all.
            if stands != one.standing and (one.unknown is None or stands != one.unknown):
                counts.lost.append(f"{one}: {stands}")
            elif one.unknown and stands == one.unknown:
                counts.unknown_but_done += 1

    def _compare_with_sas(self, store: Store, inbox: Inbox, kept: list[Appointment]) -> None:
        """What is in the editor's database, and what the SAS holds."""
        counts = self.counts
        repository = NotificationRepository(store)
        received, counts.resources = inbox.latest(sys.maxsize)
        at_sas = {(i["system"], i["value"]): one for one in received for i in one.content["identifier"]}
        for one in kept:
            found = at_sas.get((self.editors[one.editor].identifier_system, one.id))
            if found is None:
                counts.missing.append(one.id)
                continue
            if (told := _told(found.content)) != _standing(one)[1:]:
                counts.wrong.append(f"{one.id}: {told} for {_standing(one)}")
            versions = inbox.versions(found.id)[::-1]
            counts.received += sum(1 + len(version.again) for version in versions)
            counts.received_again += sum(len(version.again) for version in versions)
            notifications = repository.of(one.editor, one.id)
            # Each state once, and in the order in which the editor had it.
            if [version.content for version in versions] != [json.loads(sent.body) for sent in notifications]:
                counts.out_of_order.append(one.id)
            counts.notifications += len(notifications)
            counts.attempts += sum(len(sent.attempts) for sent in notifications)
            counts.creates_sent_as_updates += any(tried.method == "PUT" for _, tried in notifications[0].attempts)
        counts.states = {str(state): count for state, count in repository.counts().items()}
        with store.reading() as db:
            # An attempt that died was counted when it was begun, and never told.
            [(begun,)] = db.execute("select coalesce(sum(attempts), 0) from notifications")
        counts.attempts_that_died = begun - counts.attempts
        counts.attempts = begun


def _standing(one: Appointment) -> Standing:
    return Standing(one.calendar, str(one.status), one.start, one.practitioner)


def _told(content: dict[str, Any]) -> tuple[str, datetime, str | None]:
    """Status, start and practitioner, as the SAS was told."""
    [participant] = content["participant"]
    practitioner = participant.get("actor", {}).get("identifier", {}).get("value")
    return content["status"], datetime.fromisoformat(content["start"]), practitioner


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.wire.crashes", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--appointments", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=30, help="after which no more are killed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), options.kills, options.appointments, options.seed, workers=options.workers)
        run.seconds = options.minutes * 60
        counts = run.run()
    print(counts)
    sys.exit("\n".join(counts.faults) or None)


if __name__ == "__main__":
    main()

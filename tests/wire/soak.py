"""Loads, restores and resets, one after the other, while others book, make accounts, close days and search.

``python -m tests.wire.soak --minutes 10 --workers 2`` by hand; the tests run a short one. Two scenarios have the same
editor, and calendars of their own: a row about a calendar of the other one is a ghost, in the editor's tables as in
those of the SAS (the simulator's own receiver).
"""

import argparse
import itertools
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.calendars.catalogue import Catalogue, calendars_of, stamp
from mock_editor.calendars.model import Editor, SlotType, Window
from tests.accounts.conftest import NATIONAL, regulator
from tests.conftest import slot_search
from tests.wire.conftest import eventually
from tests.wire.crashes import QUICK, Process

SLUG = "agenda-ville"
# All slots are free and open to the SAS; the clock runs.
SCENARIO = """
name: {name}
title: Slots for every regulator
seed: "{name}"
timezone: Europe/Paris
regulators:
  national: {{national_id: "3339900018/00000001", family: A, given: A, email: a@regulation.example}}
calendars:
  open:
    slot_minutes: 5
    slot_types: [PUBLIC]
    week:
      - {{days: [mon, tue, wed, thu, fri, sat, sun], hours: ["00:00-24:00"]}}
editors:
  - slug: agenda-ville
    name: Agenda Ville
    identifier_system: urn:oid:1.2.250.1.999.1.1
    groups:
      - {{name: town, count: 6, departments: ["33"], specialties: [SM54], calendars: [open]}}
    accounts: [{{regulator: national}}]
"""
NAMES = ("first", "second")
_KINDS = ("save", "load", "restore", "reset", "load", "restore")
# What is refused because another world is being put in the place of the one that was asked.
TOO_LATE = 503


@dataclass(frozen=True)
class Played:
    """A scenario: its text, and the editor that it has."""

    name: str
    text: str
    editor: Editor

    @property
    def calendars(self) -> set[str]:
        return {at.calendar.key for one in self.editor.directory for at in calendars_of(self.editor, one.id)}


@dataclass
class Counts:
    """What happened in a run."""

    changes: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    appointments: int = 0
    received: int = 0
    ghosts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """What must not happen, in words; nothing when all is well."""
        found = [(self.ghosts, "ghosts"), (self.wrong, "other faults")]
        return [f"{len(some)} {what}: {some[:5]}" for some, what in found if some]

    def __str__(self) -> str:
        def told(counter: Counter[str]) -> str:
            return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))

        return (
            f"changes       {told(self.changes)}\nanswers       {told(self.answers)}\n"
            f"looks         {self.looks}\nat the end    {self.appointments} appointments, {self.received} at the SAS\n"
            f"ghosts        {len(self.ghosts)}\nother faults  {len(self.wrong)}\n"
        )


class Changing:
    """When another world takes the place of one, for those who want to know whether a refusal is due to that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[list[float]] = []

    def begin(self) -> None:
        with self._lock:
            self._spans.append([time.monotonic(), float("inf")])
            del self._spans[:-200]

    def end(self) -> None:
        with self._lock:
            self._spans[-1][1] = time.monotonic()

    def during(self, begin: float, end: float) -> bool:
        with self._lock:
            return any(first <= end and begin <= last for first, last in self._spans)


class Run:
    """One run, in ``folder``: for so many seconds, or until so much was changed."""

    def __init__(
        self, folder: Path, workers: int, *, seconds: float = 1e9, changes: int = sys.maxsize, seed: int = 1
    ) -> None:
        self.folder, self.workers, self.seconds, self.changes, self.seed = folder, workers, seconds, changes, seed
        self.counts = Counts()
        self.changing = Changing()
        self.database = folder / "editor.db"
        self.scenarios = []
        for name in NAMES:
            file = folder / f"{name}.yaml"
            file.write_text(SCENARIO.format(name=name), "utf-8")
            [editor] = scenario.load(file).editors
            self.scenarios.append(Played(name, file.read_text("utf-8"), editor))
        assert self.scenarios[0].calendars.isdisjoint(self.scenarios[1].calendars)
        self.now = self.scenarios[0]
        self._over = threading.Event()
        self._counting = threading.Lock()

    def run(self) -> Counts:
        options = {"scenario": str(self.folder / "first.yaml"), "database": str(self.database)}
        server = Process(self.folder, "editor", **options, workers=str(self.workers), **QUICK)
        try:
            self._url = server.url()
            self._soak()
        finally:
            server.stop()
        log = server.log.read_text()
        if "Traceback" in log:
            self.counts.wrong.append(log[log.index("Traceback") :][:3000])
        return self.counts

    def _soak(self) -> None:
        actors = [
            *(lambda number=number: self._book(number) for number in range(6)),
            *(lambda number=number: self._make_accounts(number) for number in range(2)),
            self._close_days,
            self._search,
            self._look,
        ]
        with ThreadPoolExecutor(len(actors)) as pool:
            acting = [pool.submit(actor) for actor in actors]
            try:
                self._change()
            finally:
                self._over.set()
            for one in acting:
                one.result()
        self._compare()

    # --- requests

    def _ask(
        self, session: requests.Session, method: str, path: str, what: str, expected: set[int], **how: Any
    ) -> requests.Response | None:
        """An answer, if it is one of those that are expected; a write may come too late while a world changes."""
        begin = time.monotonic()
        try:
            answer = session.request(method, self._url + path, timeout=60, **how)
        except requests.RequestException as error:
            self._wrong(f"{what}: {error}")
            return None
        status = answer.status_code
        with self._counting:
            self.counts.answers[f"{what} {status}"] += 1
        if status == TOO_LATE and method != "GET" and self.changing.during(begin, time.monotonic()):
            if answer.headers.get("Retry-After") != "1":
                self._wrong(f"{what}: 503 without Retry-After")
            return None
        if status not in expected:
            self._wrong(f"{what}: {status} {answer.text[:300]}")
            return None
        return answer

    def _wrong(self, text: str) -> None:
        with self._counting:
            self.counts.wrong.append(text)

    # --- those who go on all the time

    def _book(self, number: int) -> None:
        """Books as a regulator through the SAS; now and then, moves or cancels what was booked last."""
        draw, supplies = random.Random(f"{self.seed}-{number}"), [self._slots(one, number) for one in self.scenarios]
        last = None
        with requests.Session() as session:
            account = None
            while not self._over.is_set():
                if account is None:
                    found = self._ask(session, "GET", f"/_admin/accounts?editor={SLUG}", "accounts", {200})
                    account = found.json()["accounts"][0]["id"] if found and found.json()["accounts"] else None
                    continue
                slot = next(supplies[self.scenarios.index(self.now)])
                if last and draw.random() < 0.3:
                    act, body = draw.choice((("move", {"slot": slot}), ("cancel", None)))
                    path = f"/_admin/appointments/{SLUG}/{last}/{act}"
                    self._ask(session, "POST", path, act, {200, 404, 409}, json=body)
                    last = None
                    continue
                body = {"editor": SLUG, "slot": slot, "account": account, "patient": f"Fictif-{number}"}
                # It may be of the scenario that was in play a moment ago, and the account too.
                made = self._ask(session, "POST", "/_admin/appointments", "book", {201, 404, 409, 422}, json=body)
                last = made.json()["id"] if made is not None and made.status_code == 201 else None
                if made is not None and made.status_code != 201:
                    account = None

    def _slots(self, played: Played, number: int) -> Iterator[str]:
        """Ids of slots, the same again when there is none left: they are free again after a change."""
        catalogue, now = Catalogue([played.editor], Clock()), datetime.now(UTC)
        window = Window(now + timedelta(hours=3), now + timedelta(days=20))
        found = [at for one in played.editor.directory for at in calendars_of(played.editor, one.id)]
        calendar = found[number % len(found)].calendar
        free = catalogue.free_slots(calendar, window, frozenset({SlotType.PUBLIC}))
        starts = [f"{calendar.key}-{stamp(slot.start)}" for slot in free]
        return itertools.cycle(starts)

    def _make_accounts(self, number: int) -> None:
        with requests.Session() as session:
            for count in itertools.count():
                if self._over.is_set():
                    return
                key = NATIONAL, f"33399000{number}{count % 50:02}/00000002"
                query = f"/{SLUG}/fhir/Practitioner?identifier={key[0]}%7C{key[1]}"
                body = regulator(key, email=f"{number}.{count % 50}@regulation.example", family=f"N{count}")
                headers = {"Content-Type": "application/fhir+json"}
                expected = {200, 201, 422}
                self._ask(session, "PUT", query, "account", expected, data=json.dumps(body), headers=headers)

    def _close_days(self) -> None:
        days = itertools.cycle(range(21, 27))
        with requests.Session() as session:
            while not self._over.is_set():
                day = datetime.now(UTC).date() + timedelta(days=next(days))
                calendar = min(self.now.calendars)
                path = f"/_admin/calendars/{SLUG}/{calendar}/days/{day}"
                self._ask(session, "PUT", path, "day", {204, 404}, json={"state": "closed"})

    def _search(self) -> None:
        with requests.Session() as session:
            while not self._over.is_set():
                people = [one.id for one in itertools.islice(self.now.editor.directory, 3)]
                now = datetime.now(UTC)
                start, end = (f"{day:%Y-%m-%d}T08:00:00.000+00:00" for day in (now, now + timedelta(days=2)))
                self._ask(session, "GET", slot_search(people, start=start, end=end), "search", {200, 404})

    def _look(self) -> None:
        with requests.Session() as session:
            while not self._over.is_set():
                self._ask(session, "GET", "/_health", "health", {200})
                self._ask(session, "GET", f"/_admin/appointments?editor={SLUG}", "list", {200})
                self._over.wait(0.05)

    # --- what takes the place of what

    def _change(self) -> None:
        draw, until = random.Random(self.seed), time.monotonic() + self.seconds
        saved: list[tuple[Played, bytes]] = []
        with requests.Session() as session:
            for count in itertools.count():
                self._over.wait(draw.uniform(0.05, 0.6))
                if time.monotonic() > until or self.counts.changes.total() >= self.changes:
                    return
                kind = _KINDS[count] if count < len(_KINDS) else draw.choice(_KINDS)
                if kind == "save":
                    content = session.get(f"{self._url}/_admin/snapshot", timeout=60).content
                    saved = [*saved[-3:], (self.now, content)]
                    continue
                self.changing.begin()
                if kind == "load":
                    new = self.scenarios[1 - self.scenarios.index(self.now)]
                    path, body = f"/_admin/scenario/text?source={new.name}.yaml", new.text.encode()
                    done = session.put(self._url + path, body, headers={"Content-Type": "application/yaml"}, timeout=60)
                elif kind == "restore":
                    others = [one for one in saved if one[0] is not self.now]
                    new, content = draw.choice(others or saved)
                    headers = {"Content-Type": "application/octet-stream"}
                    done = session.put(f"{self._url}/_admin/snapshot", content, headers=headers, timeout=60)
                else:
                    new = self.now
                    done = session.post(f"{self._url}/_admin/reset", json={}, timeout=60)
                self.changing.end()
                self.counts.changes[kind] += 1
                if done.ok:
                    self.now = new
                else:
                    self._wrong(f"{kind}: {done.status_code} {done.text[:300]}")
                self._find_ghosts(f"{kind} {count}")
                # Some of those that were on their way are late.
                self._over.wait(draw.uniform(0, 0.3))
                self._find_ghosts(f"{kind} {count}, later")

    def _find_ghosts(self, when: str) -> None:
        """Looks for rows of the scenario that is not in play."""
        self.counts.looks += 1
        people = {one.id for one in self.now.editor.directory}
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as db:
            for table in ("appointments", "day_overrides"):
                found = {calendar for (calendar,) in db.execute(f"select distinct calendar from {table}")}  # noqa: S608 - names of ours
                self.counts.ghosts += [f"{when}: {one} in {table}" for one in found - self.now.calendars]
            query = "select distinct content ->> '$.participant[0].actor.identifier.value' from received_deliveries"
            told = {one for (one,) in db.execute(query) if one}
            self.counts.ghosts += [f"{when}: {one} at the SAS" for one in told - people]

    # --- at the end

    def _compare(self) -> None:
        """The SAS knows of the editor's appointments, and of no others."""

        def known(query: str) -> set[tuple[str, str]]:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as db:
                return set(db.execute(query))

        def settled() -> bool:
            return not known("select id, state from notifications where state in ('waiting', 'sending')")

        if not eventually(settled, 90):
            self.counts.wrong.append("notifications do not come to their end")
        kept = known("select id, status from appointments where regulator is not null")
        told = known(
            "select a.value, d.content ->> '$.status' from received_appointments a "
            "join received_deliveries d on d.number = a.latest"
        )
        self.counts.appointments, self.counts.received = len(kept), len(told)
        self.counts.ghosts += [f"{one} is at the SAS only" for one in told - kept]
        self.counts.wrong += [f"the SAS was not told of {one}" for one in kept - told]
        self._find_ghosts("at the end")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.wire.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = Run(Path(folder), options.workers, seconds=options.minutes * 60, seed=options.seed).run()
    print(counts)
    sys.exit("\n".join(counts.faults) or None)


if __name__ == "__main__":
    main()

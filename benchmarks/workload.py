"""What is asked: scenarios with one group of practitioners, and searches for 25 of them as the SAS writes them."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from mock_editor import scenario
from mock_editor.base.codes import PRACTITIONER_OID
from mock_editor.base.fhir import instant
from mock_editor.calendars.people import NumberSpace

ASKED = 25
LISTED = 40
_HOURS = 72
_SCENARIO = Path(__file__).with_name(f"scenario-{LISTED}.yaml")
_SEED, _GROUP = "2026", "town"  # as in the scenario
HEADERS = {"Host": "127.0.0.1", "Accept": "application/json+fhir", "User-Agent": "benchmark"}


class Workload:
    """A scenario with ``count`` practitioners, written into ``folder``, and the searches in it."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self.file = folder / f"scenario-{count}.yaml"
        self.file.write_text(_SCENARIO.read_text("utf-8").replace(f"count: {LISTED}", f"count: {count}"), "utf-8")
        self.played = scenario.load(self.file)
        self.editor = self.played.editors[0]
        self.path = f"/{self.editor.slug}/fhir/Slot"
        # Identifiers by arithmetic: reading a directory of a million through takes minutes.
        self._numbers = NumberSpace(_SEED)
        self._block = self._numbers.block(f"{_SEED}:{self.editor.slug}:{_GROUP}")
        assert len(self.editor.directory) == count
        assert next(iter(self.editor.directory)).id == self.identifier(0)
        assert self.editor.directory.find(self.identifier(count - 1))

    def identifier(self, number: int) -> str:
        """The national identifier of a practitioner, numbered from 0."""
        return "8" + self._numbers.rpps(self._block, number)

    def query(self, people: Sequence[int]) -> str:
        """The query of the search for free slots of ``people`` over the next 72 hours."""
        now = self.played.frozen_at
        assert now
        start, end = (quote(instant(at, self.editor.zone), safe=":") for at in (now, now + timedelta(hours=_HOURS)))
        tokens = ",".join(f"{PRACTITIONER_OID}%7C{self.identifier(number)}" for number in people)
        return (
            f"_include=Slot:schedule&_include:iterate=Schedule:actor&status=free&start=ge{start}&start=le{end}"
            f"&schedule.actor:Practitioner.identifier={tokens}"
        )

    def request(self, people: Sequence[int]) -> bytes:
        """That search as it goes over the wire."""
        headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        return f"GET {self.path}?{self.query(people)} HTTP/1.1\r\n{headers}\r\n".encode("ascii")

    def answer(self, port: int, people: Sequence[int]) -> bytes:
        """The answer of a server to that search."""
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", f"{self.path}?{self.query(people)}", headers=HEADERS)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        assert response.status == 200, body[:500]
        return body


# The same 25 in every size of directory: its first people do not depend on its size.
SAME = range(ASKED)


def never_asked(count: int, searches: int) -> Iterator[Sequence[int]]:
    """25 people for each of the searches, drawn over a directory of ``count``: nobody twice, and none of the first."""
    drawn = random.Random(_SEED).sample(range(ASKED, count), searches * ASKED)
    return (drawn[at : at + ASKED] for at in range(0, len(drawn), ASKED))


def drawn_anew(searches: int) -> Iterator[Sequence[int]]:
    """25 people for each of the searches, out of the same 40."""
    draw = random.Random(_SEED)
    return (draw.sample(range(LISTED), ASKED) for _ in range(searches))

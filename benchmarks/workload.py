"""What is asked: the searches as the SAS writes them, and the scenarios that they are asked of."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from itertools import chain, islice
from pathlib import Path
from urllib.parse import quote

from mock_editor import scenario
from mock_editor.accounts.payload import described
from mock_editor.base.codes import PRACTITIONER_OID, STRUCTURE_OID
from mock_editor.base.fhir import dumps, instant
from mock_editor.calendars.people import NumberSpace

ASKED = 25
LISTED = 40
_HOURS = 72
_SCENARIO = Path(__file__).with_name(f"scenario-{LISTED}.yaml")
_SEED, _GROUP = "2026", "town"  # as in the scenario
HEADERS = {"Host": "127.0.0.1", "Accept": "application/json+fhir", "User-Agent": "benchmark"}


@dataclass(frozen=True, slots=True)
class Search:
    """A kind of search, asked of the editor ``slug``; ``parameters`` has gaps for the bounds and the identifiers.

    ``companions`` is how many entries besides the slots an answer about the first identifiers of the editor has.
    """

    title: str
    slug: str
    resource: str
    parameters: str
    system: str
    companions: int

    @property
    def path(self) -> str:
        """Where it is asked."""
        return f"/{self.slug}/fhir/{self.resource}"


INT_R01 = Search(
    title=f"INT_R01, {ASKED} practitioners",
    slug="agenda-ville",
    resource="Slot",
    parameters="_include=Slot:schedule&_include:iterate=Schedule:actor&status=free&start=ge{start}&start=le{end}"
    "&schedule.actor:Practitioner.identifier={identifiers}",
    system=PRACTITIONER_OID,
    companions=3 * ASKED,  # Schedule, Practitioner, PractitionerRole
)
INT_R04 = Search(
    title=f"INT_R04, {ASKED} practitioners and 5 CPTS",
    slug="agenda-cpts",
    resource="Slot",
    parameters=INT_R01.parameters
    + "&_include=Slot:service-type-reference&_include:iterate=HealthcareService:organization",
    system=PRACTITIONER_OID,
    companions=3 * ASKED + 2 * 5,  # HealthcareService, Organization
)
SOS = Search(
    title="SOS Médecins, 10 associations with 5 places each",
    slug="agenda-sos",
    resource="Schedule",
    parameters="_revinclude=Slot:schedule&_include=Schedule:actor:Location&_include:iterate=Location:organization"
    "&_has:Slot:schedule:start=ge{start}&_has:Slot:schedule:start=le{end}&_has:Slot:schedule:status=free"
    "&actor:Location.organization.identifier={identifiers}",
    system=STRUCTURE_OID,
    companions=2 * 50 + 10,  # Schedule and Location, Organization
)
SEARCHES = (INT_R01, INT_R04, SOS)


class Workload:
    """The scenario with ``count`` practitioners for INT_R01, written into ``folder``, and the searches in it."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self.file = folder / f"scenario-{count}.yaml"
        self.file.write_text(_SCENARIO.read_text("utf-8").replace(f"count: {LISTED}", f"count: {count}"), "utf-8")
        self.played = scenario.load(self.file)
        self._editors = {editor.slug: editor for editor in self.played.editors}
        self.editor = self._editors[INT_R01.slug]
        # Identifiers by arithmetic: reading a directory of a million through takes minutes.
        self._numbers = NumberSpace(_SEED)
        self._block = self._numbers.block(f"{_SEED}:{self.editor.slug}:{_GROUP}")
        assert len(self.editor.directory) == count
        assert next(iter(self.editor.directory)).id == self.identifier(0)
        assert self.editor.directory.find(self.identifier(count - 1))

    def identifier(self, number: int) -> str:
        """The national identifier of a practitioner, numbered from 0."""
        return "8" + self._numbers.rpps(self._block, number)

    def target(self, people: Sequence[int]) -> str:
        """Path and query of INT_R01 for ``people``."""
        return self._target(INT_R01, map(self.identifier, people))

    def first_target(self, search: Search) -> str:
        """Path and query of a search for the first 25 associations or practitioners of its editor."""
        editor = self._editors[search.slug]
        known = chain(editor.associations, (person.id for person in editor.directory))
        return self._target(search, islice(known, ASKED))

    def _target(self, search: Search, identifiers: Iterable[str]) -> str:
        """Path and query of a search for free slots over the next 72 hours."""
        now, zone = self.played.frozen_at, self._editors[search.slug].zone
        assert now
        start, end = (quote(instant(at, zone), safe=":") for at in (now, now + timedelta(hours=_HOURS)))
        tokens = ",".join(f"{search.system}%7C{identifier}" for identifier in identifiers)
        return f"{search.path}?{search.parameters.format(start=start, end=end, identifiers=tokens)}"


def request(target: str) -> bytes:
    """A search as it goes over the wire."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    return f"GET {target} HTTP/1.1\r\n{headers}\r\n".encode("ascii")


_ACCOUNT = dumps(
    described(
        national_id="NATIONAL", technical_id="TECHNICAL", family="FAMILY", given="Sébastien", email="EMAIL", active=True
    ).content
)


def account_request(number: int, family: str) -> bytes:
    """The conditional update of the account of a regulator, numbered from 0, as it goes over the wire."""
    national_id = f"3456780581/{number:08}"
    body = _ACCOUNT
    for gap, value in (
        (b"NATIONAL", national_id),
        (b"TECHNICAL", f"sas-{number}"),
        (b"FAMILY", family),
        (b"EMAIL", f"regulateur-{number}@test.com"),
    ):
        body = body.replace(gap, value.encode("ascii"))
    target = f"/{INT_R01.slug}/fhir/Practitioner?identifier={PRACTITIONER_OID}%7C{national_id}"
    headers = HEADERS | {"Content-Type": "application/fhir+json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"PUT {target} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


def answer(port: int, target: str) -> bytes:
    """The answer of a server to a search."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", target, headers=HEADERS)
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

"""Practitioners made in bulk: the people of a group are computed from its description, one by one and on demand.

Each has a number in the group. The national identifier is a permutation of that number, so a person is found from an
identifier by arithmetic: nothing is stored, and a million people are ready at once. People come from Faker
(``fr_FR``), seeded per person. Identifiers lie in ranges that no real person or company has.
"""

import functools
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from zoneinfo import ZoneInfo

from faker import Faker

from mock_editor.base.data import Commune, communes
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code
from mock_editor.calendars.identifiers import (
    PractitionerIdKind,
    StructureIdKind,
    luhn_digit,
    practitioner_id,
    structure_id,
)
from mock_editor.calendars.model import Calendar, Place, Plan, Practitioner, Specialty

# RPPS of real people begin with 1. Ours begin with this, followed by eight digits and the check digit.
_RPPS_START = "99"
_NUMBERS = 10**8
LARGEST_GROUP = 1_000_000
MOST_GROUPS = 64
_BLOCKS = _NUMBERS // LARGEST_GROUP

_faker = Faker("fr_FR")
_faker_lock = threading.Lock()  # seeding and drawing have to stay together


def zone_of(postal_code: str) -> ZoneInfo | None:
    """The time zone of an overseas postal code whose department is listed, else None."""
    group = communes().get(postal_code[:3])
    return group[0].zone if group and postal_code.startswith("97") else None


class NumberSpace:
    """The RPPS numbers of a scenario's groups: allots a block to each group, and converts both ways.

    A block is derived from the group's name, so a new group does not change the people of the others.
    """

    def __init__(self, seed: str) -> None:
        draw = random.Random(f"{seed}:rpps")
        # A multiplier that is coprime with 10^8 gives a permutation.
        self._multiplier = draw.randrange(10**7, _NUMBERS) // 20 * 20 + 7
        self._inverse = pow(self._multiplier, -1, _NUMBERS)
        self._offset = draw.randrange(_NUMBERS)
        self._seed = seed
        self._taken: set[int] = set()

    def block(self, name: str) -> int:
        """Allots a block to the group ``name``."""
        if len(self._taken) >= MOST_GROUPS:
            raise InvalidValueError(Code.GROUPS_TOO_MANY, most=MOST_GROUPS)
        block = random.Random(f"{self._seed}:{name}").randrange(_BLOCKS)
        while block in self._taken:
            block = (block + 1) % _BLOCKS
        self._taken.add(block)
        return block

    def rpps(self, block: int, number: int) -> str:
        """The RPPS, with its check digit, of a person of a block."""
        body = (self._multiplier * (block * LARGEST_GROUP + number) + self._offset) % _NUMBERS
        bare = f"{_RPPS_START}{body:08}"
        return bare + luhn_digit(bare)

    def locate(self, national_id: str) -> tuple[int, int] | None:
        """The block and number of a prefixed RPPS; None if it is not one of ours."""
        bare = national_id[1:-1]
        ours = len(national_id) == 12 and national_id.isdecimal() and national_id.isascii()
        if not ours or not national_id.startswith("8" + _RPPS_START) or national_id[-1] != luhn_digit(bare):
            return None
        position = (int(bare[len(_RPPS_START) :]) - self._offset) * self._inverse % _NUMBERS
        return divmod(position, LARGEST_GROUP)


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """Describes the people of a group. Shares are in [0, 1]; ``specialties`` and ``plans`` are drawn evenly."""

    name: str
    count: int
    departments: tuple[str, ...]
    specialties: tuple[str, ...]
    plans: tuple[Plan, ...]
    two_places: float
    without_phone: float


class Group:
    """The practitioners of one description, computed on demand."""

    def __init__(self, description: GroupDescription, seed: str, numbers: NumberSpace) -> None:
        self.description = description
        self._editor, self._seed = seed, f"{seed}:{description.name}"
        self._numbers = numbers
        self.block = numbers.block(self._seed)

    def starting(self, number: int) -> Iterator[Practitioner]:
        """The people from this number on."""
        return map(self.practitioner, range(number, self.description.count))

    def practitioner(self, number: int) -> Practitioner:
        """The person with this number, from 0."""
        about, seed = self.description, f"{self._seed}:{number}"
        draw = random.Random(seed)
        with _faker_lock:
            _faker.seed_instance(seed)
            family, given = str(_faker.last_name()), str(_faker.first_name())
            lines = [str(_faker.street_address()), str(_faker.street_address())]
        national_id = practitioner_id(PractitionerIdKind.RPPS, self._numbers.rpps(self.block, number))
        specialty = Specialty(draw.choice(about.specialties), None)
        home = draw.choice(communes()[draw.choice(about.departments)])
        with_phone = draw.random() >= about.without_phone
        places = []
        for rank in range(2 if draw.random() < about.two_places else 1):
            commune = home if rank == 0 else draw.choice(communes()[home.department])
            phone = f"{commune.phone_start}{draw.randrange(10**4):04}"
            key = str(rank + 1)
            plan = draw.choice(about.plans)
            calendar = Calendar(f"{national_id}-{key}", commune.zone, plan, self._seed, self._editor)
            places.append(
                Place(
                    key=key,
                    structure_id=_structure(draw, commune, national_id, rank),
                    location_id=f"{national_id}-{key}",
                    line=lines[rank].replace("\n", " "),
                    postal_code=commune.postal_code,
                    city=commune.name,
                    phone=phone if with_phone else None,
                    calendar=calendar,
                )
            )
        return Practitioner(national_id, family.upper(), given, (specialty,), tuple(places))


def _structure(draw: random.Random, commune: Commune, national_id: str, rank: int) -> str:
    """A structure identifier: mostly SIRET, as in town practices, some FINESS and RPPS-rang."""
    kind = draw.choices(list(StructureIdKind)[:3], weights=(1, 6, 2))[0]
    if kind is StructureIdKind.FINESS:
        start = commune.department if len(commune.department) == 2 else f"97{commune.department[2]:0>2}"
        return structure_id(kind, f"{start}99{draw.randrange(10**9):09}"[:9])
    if kind is StructureIdKind.SIRET:
        siren = f"00{draw.randrange(10**6):06}"  # no company's SIREN begins with 00
        siren += luhn_digit(siren)
        office = f"{siren}{rank + 1:04}"
        return structure_id(kind, office + luhn_digit(office))
    return structure_id(kind, f"{national_id[1:]}{rank + 1:03}")


class ComputedDirectory:
    """An editor's practitioners: those listed in the scenario, and the groups."""

    def __init__(self, listed: Sequence[Practitioner], groups: Sequence[Group], numbers: NumberSpace) -> None:
        self._listed = {practitioner.id: practitioner for practitioner in listed}
        self._groups = {group.block: group for group in groups}
        self._numbers = numbers
        # The same people are asked for often, and each costs some 100 µs. The bound limits memory.
        self._computed = functools.lru_cache(maxsize=4096)(self._compute)

    def __len__(self) -> int:
        return len(self._listed) + sum(group.description.count for group in self._groups.values())

    def __iter__(self) -> Iterator[Practitioner]:
        return self.starting(0)

    def starting(self, position: int) -> Iterator[Practitioner]:
        """The practitioners from a position on. The cost does not depend on the position."""
        yield from islice(self._listed.values(), position, None)
        before = len(self._listed)
        for group in self._groups.values():
            found = group.starting(max(0, position - before))
            # A listed one replaces a computed one with the same identifier.
            yield from (practitioner for practitioner in found if practitioner.id not in self._listed)
            before += group.description.count

    def find(self, national_id: str) -> Practitioner | None:
        """The practitioner with this prefixed national identifier. The cost does not depend on the size."""
        return self._listed.get(national_id) or self._computed(national_id)

    def _compute(self, national_id: str) -> Practitioner | None:
        located = self._numbers.locate(national_id)
        if not located:
            return None
        block, number = located
        group = self._groups.get(block)
        return group.practitioner(number) if group and number < group.description.count else None

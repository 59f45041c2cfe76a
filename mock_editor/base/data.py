"""The files of ``data/``, each read once, here only: communes, departments, specialities (see ``data/README.md``)."""

import csv
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from mock_editor.base.files import folder


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune to consult in, with what goes with its department."""

    name: str
    postal_code: str
    department: str
    zone: ZoneInfo
    phone_start: str


@functools.cache
def communes() -> Mapping[str, Sequence[Commune]]:
    """The communes by department code."""
    departments = {row["department"]: row for row in _rows("departments.csv")}
    by_department: dict[str, list[Commune]] = {}
    for row in _rows("communes.csv"):
        department = departments[row["department"]]
        zone = ZoneInfo(department["timezone"])
        commune = Commune(row["commune"], row["postal_code"], row["department"], zone, department["phone_start"])
        by_department.setdefault(row["department"], []).append(commune)
    return by_department


@functools.cache
def specialties() -> Mapping[str, str]:
    """The labels of specialities by code."""
    return {row["code"]: row["label"] for row in _rows("specialties.csv")}


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (folder("data") / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)

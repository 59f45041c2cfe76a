"""What is doubtful in a scenario that can be played: values that no real editor has, although nothing forbids them."""

from collections.abc import Iterator
from typing import Any

from mock_editor.calendars.identifiers import is_assigned, phone
from mock_editor.calendars.people import specialties
from mock_editor.scenario.reader import Location

# What is wrong in these, is so on purpose.
_ON_PURPOSE = frozenset({"faults", "timelines"})


def doubtful_values(data: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """Where a checked scenario, as plain lists, mappings and texts, or a part of it has such a value, and why."""
    if isinstance(data, list):
        for at, item in enumerate(data):
            yield from doubtful_values(item, (*location, at))
    elif isinstance(data, dict):
        for key, value in data.items():
            if not location and key in _ON_PURPOSE:
                continue
            where = (*location, key)
            if key == "specialties" and isinstance(value, list):
                for at, code in enumerate(value):
                    if code not in specialties():
                        yield (*where, at), f"{code} is no code of the national list (TRE_R38-SpecialiteOrdinale)"
            elif key == "phone" and isinstance(value, str):
                if not is_assigned(phone(value)):
                    yield where, f"no number of the French numbering plan is like {value!r}: the SAS may hide it"
            else:
                yield from doubtful_values(value, where)

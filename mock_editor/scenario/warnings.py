"""What is doubtful in a scenario that can be played: values that no real editor has, although nothing forbids them."""

from collections.abc import Iterator, Mapping
from typing import Any

from mock_editor.base.data import specialties
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.calendars.identifiers import is_assigned, phone
from mock_editor.calendars.model import Plan
from mock_editor.scenario.reader import Location
from mock_editor.settings import Settings

# What is wrong in these, is so on purpose.
_ON_PURPOSE = frozenset({"faults", "timelines"})

# What the SAS asks for at once.
_PRACTITIONERS, _DAYS = 25, 3


def large_calendars(plans: Mapping[str, Plan]) -> Iterator[tuple[Location, Issue]]:
    """Which calendars have more slots than a search answers, unless the settings say otherwise."""
    most = Settings().search_slots
    for name, plan in plans.items():
        openings = [one for day in plan.week for one in day]
        a_day = sum((one.end - one.start) // one.slot_minutes * (1 - one.taken) for one in openings) / 7
        horizon = plan.booking.horizon.days
        asked = (
            (issue(Code.SEARCH_OF_DAYS, days=horizon), a_day * horizon),
            (issue(Code.SEARCH_OF_MANY, owners=_PRACTITIONERS, days=_DAYS), a_day * _DAYS * _PRACTITIONERS),
        )
        for search, found in asked:
            if found > most:
                yield ("calendars", name), issue(Code.SEARCH_LARGE, search=search, found=found, most=most)


def doubtful_values(data: Any, location: Location = ()) -> Iterator[tuple[Location, Issue]]:
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
                        yield (*where, at), issue(Code.SPECIALTY_UNKNOWN, code=code)
            elif key == "phone" and isinstance(value, str):
                if not is_assigned(phone(value)):
                    yield where, issue(Code.UNASSIGNED_NUMBER, number=value)
            else:
                yield from doubtful_values(value, where)

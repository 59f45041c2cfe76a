"""Doubtful values of a scenario that can be played: nothing forbids them, but no real editor has them."""

from collections.abc import Iterator, Mapping
from typing import Any

from mock_editor.base.data import specialties
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.calendars.identifiers import is_assigned, phone
from mock_editor.calendars.model import Plan
from mock_editor.scenario.reader import Location
from mock_editor.settings import Settings

# Wrong values in these sections are wrong on purpose.
_ON_PURPOSE = frozenset({"faults", "timelines"})

# How much the SAS asks for in one search.
_PRACTITIONERS, _DAYS = 25, 3


def large_calendars(plans: Mapping[str, Plan]) -> Iterator[tuple[Location, Issue]]:
    """Calendars that have more slots than a search returns with the default settings."""
    most = Settings().search_slots
    for name, plan in plans.items():
        slots_per_week = sum(
            (opening.end - opening.start) // opening.slot_minutes * (1 - opening.taken)
            for openings in plan.week
            for opening in openings
        )
        slots_per_day = slots_per_week / 7
        horizon = plan.booking.horizon.days
        searches = (
            (issue(Code.SEARCH_OF_DAYS, days=horizon), slots_per_day * horizon),
            (issue(Code.SEARCH_OF_MANY, owners=_PRACTITIONERS, days=_DAYS), slots_per_day * _DAYS * _PRACTITIONERS),
        )
        for search, found in searches:
            if found > most:
                yield ("calendars", name), issue(Code.SEARCH_LARGE, search=search, found=found, most=most)


def doubtful_values(data: Any, location: Location = ()) -> Iterator[tuple[Location, Issue]]:
    """Where a checked scenario, or a part of it, has such values, and why. It is plain lists, mappings and texts."""
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

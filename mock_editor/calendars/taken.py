"""Which slots appointments hold: what the store says, in memory, for the hot path of the searches."""

from collections import defaultdict
from datetime import date, datetime

from mock_editor.calendars.generator import slots_of_day
from mock_editor.calendars.model import Calendar, Slot

# The starts of slots, in UTC, by the key of their calendar.
TakenStarts = dict[str, frozenset[datetime]]


class Taken:
    """The slots that are held, by editor and calendar. ``Appointments`` keeps it true; readers need no lock."""

    def __init__(self) -> None:
        self._editors: defaultdict[str, TakenStarts] = defaultdict(dict)

    def of(self, seed: str) -> TakenStarts:
        """Those of the editor with this seed: the same dictionary each time. A calendar without any is not in it."""
        return self._editors[seed]

    def hold(self, seed: str, calendar: str, starts: frozenset[datetime]) -> None:
        """From now on, exactly these slots of a calendar are held."""
        if starts:
            self._editors[seed][calendar] = starts
        else:
            self._editors[seed].pop(calendar, None)

    def slots_of_day(self, calendar: Calendar, day: date) -> tuple[Slot, ...]:
        """The slots of a day as the generator makes them, those that are held taken too."""
        slots = slots_of_day(calendar, day)
        held = self._editors[calendar.seed].get(calendar.key)
        if not held:
            return slots
        return tuple(slot._replace(taken=True) if slot.start in held else slot for slot in slots)

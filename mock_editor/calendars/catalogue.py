"""The editors of the scenario in play, their calendars, and the slots they offer now."""

from collections.abc import Iterator, Sequence, Set
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR, Clock
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.calendars.availability import Availability, for_whom_and_when
from mock_editor.calendars.model import (
    Association,
    Calendar,
    Editor,
    Place,
    Practitioner,
    Slot,
    SlotType,
    SosPlace,
    Window,
)
from mock_editor.calendars.taken import Taken

_STAMP = "%Y%m%d%H%M"


def stamp(start: datetime) -> str:
    """The part of a slot's id that gives its start: in UTC, because local times occur twice in autumn."""
    return start.strftime(_STAMP)


def read_stamp(text: str) -> datetime:
    """The start that ``stamp`` wrote. Raises ValueError."""
    start = datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    if stamp(start) != text or not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise ValueError(f"not a stamp: {text!r}")
    return start


class OwnedCalendar(NamedTuple):
    """A calendar with its editor, owner and place: a practitioner's at a place, or that of a SOS Médecins place."""

    editor: Editor
    owner: Practitioner | Association
    place: Place | SosPlace

    @property
    def calendar(self) -> Calendar:
        """The calendar itself."""
        return self.place.calendar

    @property
    def key(self) -> str:
        """The key of the calendar, which is the id of its Schedule."""
        return self.place.calendar.key

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the calendar."""
        return self.place.calendar.zone


def calendars_of(editor: Editor, owner: str) -> list[OwnedCalendar]:
    """The calendars of a practitioner or association, by prefixed national identifier; none if it is unknown."""
    if person := editor.directory.find(owner):
        return [OwnedCalendar(editor, person, place) for place in person.places]
    if association := editor.associations.get(owner):
        return [OwnedCalendar(editor, association, place) for place in association.places]
    return []


def find_calendar(editor: Editor, key: str) -> OwnedCalendar | None:
    """The calendar with this key, which consists of the owner's identifier and the place's key."""
    found = calendars_of(editor, key.rpartition("-")[0])
    return next((at for at in found if at.key == key), None)


class Catalogue:
    """What is on offer: editors by slug, slots by calendar. ``taken`` holds the current state of the calendars."""

    def __init__(self, editors: Sequence[Editor], clock: Clock, taken: Taken | None = None) -> None:
        self.editors = {editor.slug: editor for editor in editors}
        self.clock = clock
        self.taken = taken or Taken()

    def editor(self, slug: str) -> Editor:
        """The editor with this slug. Raises 404, which lists the known ones."""
        try:
            return self.editors[slug]
        except KeyError:
            raise refused(Code.EDITOR_NOT_FOUND, name=slug, known=list(self.editors)) from None

    def free_slots(self, calendar: Calendar, window: Window, exposed: Set[SlotType]) -> Iterator[Slot]:
        """The visible slots of a calendar: free, of an exposed type, starting in the window, bookable now."""
        bookable = window.bookable(calendar.plan.booking, self.clock.now())
        for day in bookable.days(calendar.plan.booking, calendar.zone):
            for slot in self.taken.slots_of_day(calendar, date.fromordinal(day)):
                if _visible(slot, exposed) and bookable.first <= slot.start < bookable.after:
                    yield slot

    def availability(self, calendar: Calendar, start: datetime, exposed: Set[SlotType] | None) -> Availability:
        """The slot of a calendar that starts then, and why it is not available now to those who see ``exposed`` types.

        None stands for the practice itself: neither types nor lead times apply to it.
        """
        found = self.taken.standing(calendar).availability(calendar, start)
        return for_whom_and_when(found, exposed, calendar.plan.booking, self.clock.now())

    def free_slot(self, calendar: Calendar, start: datetime, exposed: Set[SlotType]) -> Slot | None:
        """The slot of a calendar that starts then, if it is free and of an exposed type, bookable now or not."""
        slot, why = self.taken.standing(calendar).availability(calendar, start)
        return slot if slot and why is None and not exposed.isdisjoint(slot.shape.types) else None


def _visible(slot: Slot, exposed: Set[SlotType]) -> bool:
    return not slot.taken and not exposed.isdisjoint(slot.shape.types)

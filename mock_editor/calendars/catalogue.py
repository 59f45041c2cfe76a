"""The editors of the scenario in play, and the slots they offer now."""

from collections.abc import Iterator, Sequence, Set
from datetime import date

from mock_editor.base.clock import Clock
from mock_editor.base.errors import NotFoundError
from mock_editor.calendars.generator import slots_of_day
from mock_editor.calendars.model import Calendar, Editor, Slot, SlotType, Window


class Catalogue:
    """What is on offer: editors by slug, free slots by calendar."""

    def __init__(self, editors: Sequence[Editor], clock: Clock) -> None:
        self.editors = {editor.slug: editor for editor in editors}
        self.clock = clock

    def editor(self, slug: str) -> Editor:
        """The editor with this slug. Raises NotFoundError, which names those there are."""
        try:
            return self.editors[slug]
        except KeyError:
            raise NotFoundError(f"No editor {slug!r}; there are: {', '.join(self.editors)}") from None

    def free_slots(self, calendar: Calendar, window: Window, exposed: Set[SlotType]) -> Iterator[Slot]:
        """The slots that the SAS may see: free, of an exposed type, starting in the window, bookable now; in order."""
        bookable = window.bookable(calendar.plan.booking, self.clock.now())
        for day in bookable.days(calendar.plan.booking, calendar.zone):
            for slot in slots_of_day(calendar, date.fromordinal(day)):
                visible = not slot.taken and not exposed.isdisjoint(slot.shape.types)
                if visible and bookable.first <= slot.start < bookable.after:
                    yield slot

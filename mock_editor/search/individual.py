"""INT_R01 and INT_R04: the free slots of practitioners on their own, and those opened to CPTS."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import Editor, Place, Practitioner, Slot, SlotShape
from mock_editor.search import resources
from mock_editor.search.bundle import AskedWindow, Buffer, EntryWriter, bundle, slot_times
from mock_editor.search.query import SlotQuery
from mock_editor.search.slot_searches import INT_R01, INT_R04, SlotSearch


class IndividualWriter:
    """Writes the answers of one editor to ``GET Slot``. ``web`` is its web site."""

    def __init__(self, editor: Editor, entries: EntryWriter, web: str) -> None:
        self._editor = editor
        self._entries = entries
        self._web = web

    def slots(self, query: SlotQuery, practitioners: Sequence[Practitioner], now: datetime, self_link: str) -> bytes:
        """The Bundle of the practitioners' free slots that start in the query's window and can be booked ``now``."""
        search = INT_R04 if query.with_healthcare_service else INT_R01
        entries = self._entries
        located = [(person, place) for person in practitioners for place in person.places]
        found = entries.slots(search, "match", AskedWindow(query.window, now), located, self._slot)
        included: list[Buffer] = []
        shown = iter(found.shown)
        for person in practitioners:
            kept = entries.kept(person.id) or entries.keep(person.id, self._of_practitioner(person))
            any_shown = False
            for rank in range(len(person.places)):
                if next(shown):
                    any_shown = True
                    if query.with_schedule:
                        included.append(kept[1 + 2 * rank])
                    if query.with_role:
                        included.append(kept[2 + 2 * rank])
            if any_shown and query.with_practitioner:
                included.append(kept[0])
        if query.with_healthcare_service:
            for cpts in found.cpts:
                service, organization = entries.kept(cpts) or entries.keep(cpts, self._of_cpts(cpts))
                included.append(service)
                if query.with_organization:
                    included.append(organization)
        written = [] if query.output.count_only else found.entries + included
        return bundle(search.bundle_profile, found.count, self_link, written)

    def slot(self, person: Practitioner, place: Place, slot: Slot) -> Resource:
        """One slot as a resource of its own: of the CPTS profile when it is open to any, else of that of INT_R01."""
        search = INT_R04 if slot.shape.cpts else INT_R01
        times = slot_times(slot.start, slot.end, place.calendar.zone)
        return self._slot(search, person, place, slot.shape, times)

    def _slot(
        self, search: SlotSearch, person: Practitioner, place: Place, shape: SlotShape, times: resources.SlotTimes
    ) -> Resource:
        return resources.slot_of_practitioner(search, self._web, person, place, shape, times)

    def _of_practitioner(self, person: Practitioner) -> Iterator[bytes]:
        """The entries of the practitioner, then for each place of the schedule and the role."""
        yield self._entries.entry(resources.practitioner(person), "include")
        for place in person.places:
            yield self._entries.entry(resources.schedule(person, place), "include")
            yield self._entries.entry(resources.practitioner_role(self._editor, person, place), "include")

    def _of_cpts(self, identifier: str) -> Iterator[bytes]:
        """The entries of a community's care and of the community itself."""
        cpts = self._editor.cpts[identifier]
        yield self._entries.entry(resources.healthcare_service(cpts), "include")
        yield self._entries.entry(resources.cpts_organization(cpts), "include")

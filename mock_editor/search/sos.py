"""The search for free slots of SOS Médecins places: ``GET Schedule`` with ``_has`` and ``_revinclude``."""

from collections.abc import Iterator
from datetime import datetime
from itertools import compress

from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import Association, Editor, Slot, SlotShape, SosPlace
from mock_editor.search import resources
from mock_editor.search.bundle import AskedWindow, Buffer, EntryWriter, bundle, slot_times
from mock_editor.search.query import SosQuery
from mock_editor.search.slot_searches import SOS, SlotSearch


class SosWriter:
    """Writes the answers of one editor to a search for places. ``web`` is its web site."""

    def __init__(self, editor: Editor, entries: EntryWriter, web: str) -> None:
        self._editor = editor
        self._entries = entries
        self._web = web

    def schedules(self, query: SosQuery, now: datetime, self_link: str) -> bytes:
        """The Bundle of the asked associations' calendars with free slots in the window; its total counts the slots.

        A place without any stays out, and so does an association whose places all do.
        """
        entries = self._entries
        known = (self._editor.associations.get(identifier) for identifier in query.identifiers)
        located = [(association, place) for association in filter(None, known) for place in association.places]
        found = entries.slots(SOS, "include", AskedWindow(query.window, now), located, self._slot)
        # A calendar is what the search is for, all else comes along.
        matches: list[Buffer] = []
        included: list[Buffer] = []
        associations: dict[str, Association] = {}
        for association, place in compress(located, found.shown):
            key = place.calendar.key
            schedule, location = entries.kept(key) or entries.keep(key, self._of_place(association, place))
            matches.append(schedule)
            if query.with_location:
                included.append(location)
            associations[association.id] = association
        if query.with_organization:
            for key, association in associations.items():
                included += entries.kept(key) or entries.keep(key, self._of_association(association))
        slots = found.entries if query.with_slots else []
        written = [] if query.output.count_only else matches + slots + included
        return bundle(SOS.bundle_profile, found.count, self_link, written)

    def _of_place(self, association: Association, place: SosPlace) -> Iterator[bytes]:
        """The entries of a place's calendar and of the place itself."""
        yield self._entries.entry(resources.sos_schedule(place), "match")
        yield self._entries.entry(resources.sos_location(self._editor, association, place), "include")

    def _of_association(self, association: Association) -> Iterator[bytes]:
        yield self._entries.entry(resources.sos_organization(association), "include")

    def slot(self, association: Association, place: SosPlace, slot: Slot) -> Resource:
        """One slot as a resource of its own."""
        return self._slot(SOS, association, place, slot.shape, slot_times(slot.start, slot.end, place.calendar.zone))

    def _slot(
        self, _: SlotSearch, association: Association, place: SosPlace, shape: SlotShape, times: resources.SlotTimes
    ) -> Resource:
        return resources.slot_of_sos_place(self._web, association, place, shape, times)

"""The search for free slots of SOS Médecins places: ``GET Schedule`` with ``_has`` and ``_revinclude``."""

from datetime import datetime

from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import Association, Editor, Slot, SlotShape, SosPlace
from mock_editor.search import resources
from mock_editor.search.bundle import AskedWindow, Buffer, EntryWriter, FoundSlots, bundle, slot_times
from mock_editor.search.flows import SOS, Flow
from mock_editor.search.query import SosQuery


class SosWriter:
    """Writes the answers of one editor to a search for places. ``web`` is where its agendas are."""

    def __init__(self, editor: Editor, entries: EntryWriter, web: str) -> None:
        self._editor = editor
        self._entries = entries
        self._web = web

    def schedules(self, query: SosQuery, now: datetime, self_link: str) -> bytes:
        """The Bundle of the asked associations' calendars with free slots in the window; its total counts the slots.

        A place without any stays out, and so does an association whose places all do.
        """
        entries = self._entries
        asked = AskedWindow(query.window, now)
        found = FoundSlots(0, [], {})
        matches: list[Buffer] = []
        included: list[Buffer] = []
        known = (self._editor.associations.get(identifier) for identifier in query.identifiers)
        for association in filter(None, known):
            before = found.count
            for place in association.places:
                if not entries.add_slots(found, asked, SOS, "include", association, place, self._slot):
                    continue
                # A calendar is what the search is for, all else comes along.
                calendar, location = f"calendar {place.calendar.key}", f"place {place.calendar.key}"
                matches += entries.kept(calendar) or entries.keep(calendar, "match", [resources.sos_schedule(place)])
                if query.with_location:
                    included += entries.kept(location) or entries.keep(
                        location, "include", [resources.sos_location(self._editor, association, place)]
                    )
            if query.with_organization and found.count > before:
                included += entries.kept(association.id) or entries.keep(
                    association.id, "include", [resources.sos_organization(association)]
                )
        slots = found.entries if query.with_slots else []
        told = [] if query.output.count_only else matches + slots + included
        return bundle(SOS.bundle_profile, found.count, self_link, told)

    def slot(self, association: Association, place: SosPlace, slot: Slot) -> Resource:
        """One slot as a resource of its own."""
        return self._slot(SOS, association, place, slot.shape, slot_times(slot.start, slot.end, place.calendar.zone))

    def _slot(
        self, _: Flow, association: Association, place: SosPlace, shape: SlotShape, times: resources.SlotTimes
    ) -> Resource:
        return resources.slot_of_sos_place(self._web, association, place, shape, times)

"""The search for free slots of SOS Médecins places: ``GET Schedule`` with ``_has`` and ``_revinclude``."""

from datetime import datetime
from itertools import compress

from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import Association, Editor, Slot, SlotShape, SosPlace
from mock_editor.search import resources
from mock_editor.search.bundle import AskedWindow, Buffer, EntryWriter, bundle, slot_times
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
        known = (self._editor.associations.get(identifier) for identifier in query.identifiers)
        located = [(association, place) for association in filter(None, known) for place in association.places]
        found = entries.slots(SOS, "include", AskedWindow(query.window, now), located, self._slot)
        # A calendar is what the search is for, all else comes along.
        matches: list[Buffer] = []
        included: list[Buffer] = []
        associations: dict[str, Association] = {}
        for association, place in compress(located, found.shown):
            key = place.calendar.key
            matches += entries.kept(key) or entries.keep(key, "match", [resources.sos_schedule(place)])
            if query.with_location:
                key = f"place {key}"
                included += entries.kept(key) or entries.keep(
                    key, "include", [resources.sos_location(self._editor, association, place)]
                )
            if query.with_organization:
                associations[association.id] = association
        for key, association in associations.items():
            included += entries.kept(key) or entries.keep(key, "include", [resources.sos_organization(association)])
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

"""The search for free slots of SOS Médecins places: ``GET Schedule`` with ``_has`` and ``_revinclude``."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import Association, Editor, Slot, SosPlace
from mock_editor.search import resources
from mock_editor.search.bundle import AskedWindow, EntryWriter, FoundSlots, bundle, slot_times
from mock_editor.search.flows import SOS
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
        asked = AskedWindow(query.window, now)
        found = FoundSlots(0, [], {})
        matches: list[bytes] = []
        included: list[bytes] = []
        known = (self._editor.associations.get(identifier) for identifier in query.identifiers)
        for association in filter(None, known):
            before = found.count
            for place in association.places:
                describe = partial(resources.slot_of_sos_place, self._web, association, place)
                if not self._entries.add_slots(found, SOS, "include", place.calendar, asked, describe):
                    continue
                # A calendar is what the search is for, all else comes along.
                matches += self._entries.companions(
                    f"schedule {place.calendar.key}", "match", partial(_schedule, place)
                )
                if query.with_location:
                    describe_place = partial(self._location, association, place)
                    included += self._entries.companions(f"place {place.calendar.key}", "include", describe_place)
            if found.count > before and query.with_organization:
                included += self._entries.companions(association.id, "include", partial(_organization, association))
        slots = found.entries if query.with_slots else []
        entries = [] if query.output.count_only else matches + slots + included
        return bundle(SOS.bundle_profile, found.count, self_link, entries)

    def slot(self, association: Association, place: SosPlace, slot: Slot) -> Resource:
        """One slot as a resource of its own."""
        times = slot_times(place.calendar, slot)
        return resources.slot_of_sos_place(self._web, association, place, slot.shape, times)

    def _location(self, association: Association, place: SosPlace) -> Iterator[Resource]:
        yield resources.sos_location(self._editor, association, place)


def _schedule(place: SosPlace) -> Iterator[Resource]:
    yield resources.sos_schedule(place)


def _organization(association: Association) -> Iterator[Resource]:
    yield resources.sos_organization(association)

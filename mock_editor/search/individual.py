"""INT_R01 and INT_R04: the free slots of practitioners on their own, and those opened to CPTS."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import Cpts, Editor, Place, Practitioner, Slot
from mock_editor.search import resources
from mock_editor.search.bundle import AskedWindow, EntryWriter, FoundSlots, bundle, slot_times
from mock_editor.search.flows import INT_R01, INT_R04
from mock_editor.search.query import SlotQuery


class IndividualWriter:
    """Writes the answers of one editor to ``GET Slot``. ``web`` is where its agendas are."""

    def __init__(self, editor: Editor, entries: EntryWriter, web: str) -> None:
        self._editor = editor
        self._entries = entries
        self._web = web

    def slots(self, query: SlotQuery, practitioners: Sequence[Practitioner], now: datetime, self_link: str) -> bytes:
        """The Bundle of the practitioners' free slots that start in the query's window and can be booked ``now``."""
        flow = INT_R04 if query.with_healthcare_service else INT_R01
        asked = AskedWindow(query.window, now)
        found = FoundSlots(0, [], {})
        included: list[bytes] = []
        for person in practitioners:
            alone, schedules, roles = self._companions(person)
            before = found.count
            for rank, place in enumerate(person.places):
                describe = partial(resources.slot_of_practitioner, flow, self._web, person, place)
                if self._entries.add_slots(found, flow, "match", place.calendar, asked, describe):
                    if query.with_schedule:
                        included.append(schedules[rank])
                    if query.with_role:
                        included.append(roles[rank])
            if found.count > before and query.with_practitioner:
                included.append(alone)
        if query.with_healthcare_service:
            for cpts in found.cpts.values():
                service, organization = self._entries.companions(f"cpts {cpts.id}", "include", partial(_of_cpts, cpts))
                included.append(service)
                if query.with_organization:
                    included.append(organization)
        entries = [] if query.output.count_only else found.entries + included
        return bundle(flow.bundle_profile, found.count, self_link, entries)

    def slot(self, person: Practitioner, place: Place, slot: Slot) -> Resource:
        """One slot as a resource of its own: of the CPTS profile when it is open to any, else of that of INT_R01."""
        flow = INT_R04 if slot.shape.cpts else INT_R01
        times = slot_times(place.calendar, slot)
        return resources.slot_of_practitioner(flow, self._web, person, place, slot.shape, times)

    def _companions(self, person: Practitioner) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
        """The entries of the practitioner, of the schedules and of the roles at each place."""
        places = len(person.places)
        alone, *by_place = self._entries.companions(person.id, "include", partial(self._of_practitioner, person))
        return alone, tuple(by_place[:places]), tuple(by_place[places:])

    def _of_practitioner(self, person: Practitioner) -> Iterator[Resource]:
        yield resources.practitioner(person)
        yield from (resources.schedule(person, place) for place in person.places)
        yield from (resources.practitioner_role(self._editor, person, place) for place in person.places)


def _of_cpts(cpts: Cpts) -> tuple[Resource, Resource]:
    return resources.healthcare_service(cpts), resources.cpts_organization(cpts)

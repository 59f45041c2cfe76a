"""Slots and resources -> the bytes of searchset Bundles, for every kind of calendar.

Each resource is described once, as a dictionary (``resources.py``). For a search it is turned into bytes once, slots by
calendar and run of days, and kept; an answer is those pieces joined. Serialising 375 entries anew costs 3.3 ms, the
join some 20 µs.
"""

import functools
import re
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import accumulate
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from mock_editor.base.cache import ByteCache
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.fhir import Resource, dumps, instant
from mock_editor.base.issues import Code
from mock_editor.base.once import Once
from mock_editor.calendars.catalogue import stamp
from mock_editor.calendars.model import Booking, Calendar, Editor, Place, Plan, Slot, SlotShape, SosPlace, Window
from mock_editor.calendars.taken import AS_MADE, Standing, Taken
from mock_editor.search.resources import SlotTimes
from mock_editor.search.slot_searches import SlotSearch
from mock_editor.settings import Settings

_CACHE_BYTES = 64 * 1024 * 1024
# What a cached piece holds besides its bytes: objects, key, offsets. Rounded up from measurements.
_OVERHEAD = 600
_OVERHEAD_PER_SLOT = 120
# How many runs are rendered at once, and how many seconds a search waits for its own at most.
_AT_ONCE, _PATIENCE = 4, 30.0
# More slots than a run can have outside of the window: on its first and last day, and in the night before.
_OUTSIDE = 1000

# Stand for the times of a slot in its template. They hold NUL, which no text of a scenario does and JSON escapes.
_MARKS = SlotTimes("\x00stamp\x00", "\x00start\x00", "\x00end\x00")
_MARK = re.compile(rb"\\u0000(\w+)\\u0000")

Buffer = bytes | memoryview
Owner = TypeVar("Owner")
Located = TypeVar("Located", Place, SosPlace)


class Most(NamedTuple):
    """How many slots, and how many bytes, a search answers."""

    slots: int = Settings().search_slots
    bytes: int = Settings().search_bytes

    def refusal(self) -> EditorError:
        """400 for a search that finds more."""
        return refused(Code.SEARCH_TOO_LARGE, slots=self.slots, bytes=self.bytes)


@dataclass(frozen=True, slots=True)
class RunSlots:
    """The free slots of a calendar in a run of days as Bundle entries, each behind a comma.

    ``starts`` are POSIX timestamps, in order; ``edges`` cut ``data`` into the entries; ``cpts`` are the ids of
    communities, each with the positions of the slots that are open to it.
    """

    starts: tuple[float, ...]
    edges: tuple[int, ...]
    data: memoryview
    cpts: tuple[tuple[str, list[int]], ...]


@dataclass(slots=True)
class FoundSlots:
    """Free slots of places: how many, their entries, which places have any, and ids of communities, in order."""

    count: int
    entries: list[Buffer]
    shown: list[bool]
    cpts: dict[str, None]


class AskedWindow:
    """The window of a search, as each calendar's plan lets it be booked now."""

    def __init__(self, window: Window, now: datetime) -> None:
        self._window = window
        self._now = now
        self._known: dict[tuple[Booking, int], tuple[float, float, int, int]] = {}

    def of(self, plan: Plan, zone: ZoneInfo) -> tuple[float, float, int, int]:
        """From when on and before when slots have to start (timestamps), and on which days their openings begin: the
        ordinal of the first one, and how many."""
        key = plan.booking, id(zone)
        known = self._known.get(key)
        if known is None:
            bookable = self._window.bookable(plan.booking, self._now)
            days = bookable.days(plan.booking, zone)
            known = bookable.first.timestamp(), bookable.after.timestamp(), days.start, len(days)
            self._known[key] = known
        return known


class EntryWriter:
    """Writes Bundle entries of an editor whose FHIR base is ``base``, and keeps them. A search has ``most`` slots."""

    def __init__(self, editor: Editor, base: str, taken: Taken, most: Most | None = None) -> None:
        self._base = base
        self._most = most or Most()
        self._standings = taken.of(editor.seed)
        self._runs: ByteCache[RunSlots] = ByteCache(_CACHE_BYTES)
        # The keys of runs that are too large to be answered.
        self._oversized: ByteCache[bool] = ByteCache(_CACHE_BYTES // 64)
        self._rendering: Once[RunSlots] = Once(_AT_ONCE, _PATIENCE)
        self._companions: ByteCache[tuple[bytes, ...]] = ByteCache(_CACHE_BYTES // 8)
        self.kept = self._companions.get

    def entry(self, resource: Resource, mode: str) -> bytes:
        """A resource as an entry, behind a comma. ``mode`` is ``match`` or ``include``."""
        url = f"{self._base}/{resource['resourceType']}/{resource['id']}"
        return b"," + dumps({"fullUrl": url, "resource": resource, "search": {"mode": mode}})

    def keep(self, key: str, entries: Iterable[bytes]) -> tuple[bytes, ...]:
        """Keeps entries that do not change with time; ``kept(key)`` finds them again."""
        made = tuple(entries)
        return self._companions.put(key, made, sum(map(len, made)) + _OVERHEAD)

    def slots(
        self,
        search: SlotSearch,
        mode: str,
        asked: AskedWindow,
        located: Iterable[tuple[Owner, Located]],
        describe: Callable[[SlotSearch, Owner, Located, SlotShape, SlotTimes], Resource],
    ) -> FoundSlots:
        """The free slots of places, each with its owner, in the window. A flat loop: it is the hottest of all.

        Raises 400 for more than may be answered, 503 where too many are searched for the first time.
        """
        found = FoundSlots(0, [], [], {})
        kept_run = self._runs.get
        standing_of = self._standings.get
        profile = search.slot_profile
        plan = zone = None
        begin = end = 0.0
        day = days = 0
        for owner, place in located:
            calendar = place.calendar
            if calendar.plan is not plan or calendar.zone is not zone:
                plan, zone = calendar.plan, calendar.zone
                begin, end, day, days = asked.of(plan, zone)
            # A run is good as long as the calendar stands as it did.
            standing = standing_of(calendar.key)
            key = (profile, calendar.key, day, days, standing)
            run = kept_run(key)
            if run is None:
                self._check(found)
                render = partial(
                    self._render,
                    *(key, standing, search, mode, calendar, day, days, partial(describe, search, owner, place)),
                )
                run = self._rendering.do(key, partial(self._known, key), render)
            starts = run.starts
            first, after = bisect_left(starts, begin), bisect_left(starts, end)
            found.shown.append(first < after)
            if first < after:
                found.count += after - first
                found.entries.append(run.data[run.edges[first] : run.edges[after]])
                for cpts, positions in run.cpts:
                    next_one = bisect_left(positions, first)
                    if next_one < len(positions) and positions[next_one] < after:
                        found.cpts[cpts] = None
        if found.count > self._most.slots:
            raise self._most.refusal()
        return found

    def _check(self, found: FoundSlots) -> None:
        """Raises 400 when there are too many already, so that no more are rendered."""
        if found.count > self._most.slots or sum(map(len, found.entries)) > self._most.bytes:
            raise self._most.refusal()

    def _known(self, key: Hashable) -> RunSlots | None:
        """The run that is kept. Raises 400 for one that was found to be too large."""
        if self._oversized.get(key):
            raise self._most.refusal()
        return self._runs.get(key)

    def _render(
        self,
        key: Hashable,
        standing: Standing | None,
        search: SlotSearch,
        mode: str,
        calendar: Calendar,
        day: int,
        days: int,
        describe: Callable[[SlotShape, SlotTimes], Resource],
    ) -> RunSlots:
        # As the key says, even if the calendar changes meanwhile: the run is kept for that.
        standing = standing or AS_MADE
        templates: dict[int, list[bytes]] = {}
        shown: list[Slot] = []
        pieces: list[bytes] = []
        size = 0
        for ordinal in range(day, day + days):
            for slot in standing.slots_of_day(calendar, date.fromordinal(ordinal)):
                if slot.taken or search.exposed.isdisjoint(slot.shape.types):
                    continue
                template = templates.get(id(slot.shape))
                if template is None:
                    # Every second part is the name of a mark.
                    template = _MARK.split(self.entry(describe(slot.shape, _MARKS), mode))
                    templates[id(slot.shape)] = template
                times = _written_times(slot.start, slot.end, calendar.zone)
                piece = template.copy()
                piece[1::2] = [times[name] for name in template[1::2]]
                shown.append(slot)
                pieces.append(b"".join(piece))
                size += len(pieces[-1])
            # The window may leave out some of the first and last ones; without these, too, there would be too many.
            outside = min(len(pieces), _OUTSIDE)
            left = Most(len(pieces) - outside, size - outside * len(pieces[-1]) if pieces else 0)
            if left.slots > self._most.slots or left.bytes > self._most.bytes:
                self._oversized.put(key, item=True, weight=_OVERHEAD)
                raise self._most.refusal()
        cpts: dict[str, list[int]] = {}
        for position, slot in enumerate(shown):
            for one in slot.shape.cpts:
                cpts.setdefault(one.id, []).append(position)
        run = RunSlots(
            tuple(slot.start.timestamp() for slot in shown),
            tuple(accumulate(map(len, pieces), initial=0)),
            memoryview(b"".join(pieces)),
            tuple(cpts.items()),
        )
        weight = len(run.data) + len(shown) * _OVERHEAD_PER_SLOT + _OVERHEAD
        return self._runs.put(key, run, weight)


def slot_times(start: datetime, end: datetime, zone: ZoneInfo) -> SlotTimes:
    """The times of a slot as they are written, in the zone of its calendar."""
    return SlotTimes(stamp(start), instant(start, zone), instant(end, zone))


@functools.lru_cache(maxsize=4096)  # calendars of one plan have their slots at the same times
def _written_times(start: datetime, end: datetime, zone: ZoneInfo) -> dict[bytes, bytes]:
    """The same as bytes, by the name of their mark."""
    times = slot_times(start, end, zone)
    return {name.encode(): str(getattr(times, name)).encode() for name in SlotTimes.__slots__}


def bundle(profile: str, total: int, self_link: str, entries: Sequence[Buffer]) -> bytes:
    """A searchset Bundle. Each entry stands behind a comma, as ``EntryWriter`` makes them."""
    head = dumps(
        {
            "resourceType": "Bundle",
            "meta": {"profile": [profile]},
            "type": "searchset",
            "total": total,
            "link": [{"relation": "self", "url": self_link}],
        }
    )
    if not entries:
        return head
    # The first entry's comma goes.
    return b"".join((head[:-1], b',"entry":[', entries[0][1:], *entries[1:], b"]}"))

"""Rules for what people open and close by hand while the simulator runs: slots, days, absences, extra openings.

Overrides change what the scenario offers (``taken.Overlay`` gives their order of precedence). They never change
existing appointments. The tables are in ``override_rows``.
"""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from sqlite_utils import Database

from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code, issue
from mock_editor.base.store import Store
from mock_editor.calendars import following
from mock_editor.calendars import override_rows as rows
from mock_editor.calendars.appointments import held
from mock_editor.calendars.availability import Unavailable, refusal
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, calendars_of, find_calendar
from mock_editor.calendars.generator import times_of
from mock_editor.calendars.overlays import Overlays, ReadOpening, fits
from mock_editor.calendars.override_rows import AbsenceRow, DayRow, ExtraRow, Override, OverrideKind, Section, SlotRow
from mock_editor.calendars.taken import Standing

LONGEST_ABSENCE = 3660  # days
# How many existing ones a refusal lists.
_NAMED = 12


class Overrides:
    """What is opened and closed by hand in the calendars of a catalogue. ``follow`` updates the catalogue's ``taken``.

    Calendars are given by key, owners by prefixed national identifier, slots by start. Every operation raises 404 for
    an unknown editor, calendar, owner or slot, and 422 for days that cannot be simulated.
    """

    def __init__(self, store: Store, catalogue: Catalogue, read_opening: ReadOpening) -> None:
        self._store = store
        self._catalogue = catalogue
        self._taken = catalogue.taken
        self._read_opening = read_opening
        self._overlays = Overlays(catalogue, read_opening)
        self._follower = following.Follower(store, self._everything, self._look)

    # --- slots

    def close_slot(self, editor: str, calendar: str, start: datetime) -> Override:
        """Closes a slot, so that it is no longer offered."""
        return self._set_slot(self._calendar(editor, calendar), start, is_open=False)

    def open_slot(self, editor: str, calendar: str, start: datetime) -> Override:
        """Makes a slot free, whatever the scenario, its day or an absence says. Raises 409 if it is held."""
        return self._set_slot(self._calendar(editor, calendar), start, is_open=True)

    def forget_slot(self, editor: str, calendar: str, start: datetime) -> None:
        """Undoes ``open_slot`` and ``close_slot``."""
        at, start = self._calendar(editor, calendar), _instant(start)
        with self._store.writing() as db:
            if not rows.delete_slot(db, editor, calendar, start):
                self._expect_slot(db, at, start)
            following.note(db, editor, calendar)
        self._follow_own()

    def _set_slot(self, at: OwnedCalendar, start: datetime, *, is_open: bool) -> Override:
        start, editor, calendar = _instant(start), at.editor.slug, at.key
        with self._store.writing() as db:
            self._expect_slot(db, at, start)
            if is_open and start in held(db, editor, calendar):
                raise refused(Code.SLOT_HELD, calendar=calendar, start=start, local=start.astimezone(at.zone))
            row = SlotRow(calendar, start, is_open)
            rows.put_slot(db, editor, row)
            following.note(db, editor, calendar)
        self._follow_own()
        return row.override(at)

    def _expect_slot(self, db: Database, at: OwnedCalendar, start: datetime) -> None:
        """Raises 404, which lists the slots around, when no slot starts then."""
        standing, zone = Standing(overlay=self._overlays.read(db, at)), at.zone
        if standing.availability(at.calendar, start).slot:
            return
        local = start.astimezone(zone)
        days = (local.date() - timedelta(days=1), local.date())
        slots = (slot for day in days for slot in standing.slots_of_day(at.calendar, day))
        nearest = sorted(sorted(slot.start for slot in slots), key=lambda other: abs(other - start))[:_NAMED]
        starts = [other.astimezone(zone).isoformat(timespec="minutes") for other in sorted(nearest)]
        there = issue(Code.SLOTS_AROUND, starts=starts) if starts else issue(Code.NO_SLOT_THAT_DAY)
        raise refused(Code.SLOT_NOT_THERE, calendar=at.key, start=local, there=there)

    # --- days

    def close_day(self, editor: str, calendar: str, day: date) -> Override:
        """Closes a day: the openings that begin on it are no longer offered."""
        return self._set_day(self._calendar(editor, calendar), day, is_open=False)

    def open_day(self, editor: str, calendar: str, day: date) -> Override:
        """Makes every slot of a day's openings free, except those that appointments hold.

        Raises 404 when no opening begins that day, 409 when an extra opening overlaps another one.
        """
        return self._set_day(self._calendar(editor, calendar), day, is_open=True)

    def forget_day(self, editor: str, calendar: str, day: date) -> None:
        """Undoes ``open_day`` and ``close_day``. Slots that were opened or closed one by one stay so.

        Raises 409 when an extra opening overlaps the hours that would come back.
        """
        at = self._calendar(editor, calendar)
        with self._store.writing() as db:
            with self._nothing_hidden(db, [at]):
                rows.delete_day(db, editor, calendar, _playable(day))
            following.note(db, editor, calendar)
        self._follow_own()

    def _set_day(self, at: OwnedCalendar, day: date, *, is_open: bool) -> Override:
        _playable(day)
        editor, calendar = at.editor.slug, at.key
        with self._store.writing() as db:
            if is_open and not Standing(overlay=self._overlays.read(db, at)).slots_of_day(at.calendar, day):
                raise refused(Code.NO_OPENING_THAT_DAY, calendar=calendar, day=day)
            row = DayRow(calendar, day, is_open, rows.last_extra(db, editor))
            with self._nothing_hidden(db, [at]):
                rows.put_day(db, editor, row)
            following.note(db, editor, calendar)
        self._follow_own()
        return row.override(at)

    # --- absences

    def absent(self, editor: str, owner: str, first: date, last: date) -> Override:
        """Closes all calendars of a practitioner or an association from one day to another, both included.

        Exceptional and extra openings stay on offer, as in an absence of the scenario.
        """
        found = self._calendars(editor, owner)
        if not 0 <= (_playable(last) - _playable(first)).days < LONGEST_ABSENCE:
            raise refused(Code.ABSENCE_LENGTH, most=LONGEST_ABSENCE, first=first, last=last)
        with self._store.writing() as db:
            row = rows.add_absence(db, editor, owner, first, last)
            _note_each(db, found)
        self._follow_own()
        return row.override()

    def end_absence(self, editor: str, identifier: str) -> None:
        """Removes an absence entered by hand. Raises 409 when an extra opening overlaps hours of its days."""
        known = self._catalogue.editor(editor)
        with self._store.writing() as db:
            row = _named(editor, OverrideKind.ABSENCE, rows.absences(db, editor), identifier)
            found = calendars_of(known, row.owner)
            with self._nothing_hidden(db, found):
                rows.delete(db, editor, row)
            _note_each(db, found)
        self._follow_own()

    # --- extra openings

    def add_extra(self, editor: str, calendar: str, day: date, section: Section) -> Override:
        """Adds an opening to a calendar on one day. ``section`` is one of a scenario's ``exceptional_openings`` without
        its date.

        It may overlap hours of the scenario that a closed day or an absence covers. Raises 422 when the section is
        invalid or overlaps other openings, 409 when an existing appointment lies across its slots.
        """
        at = self._calendar(editor, calendar)
        _playable(day)
        openings = self._read_opening(at, section)
        with self._store.writing() as db:
            overlay, slots = self._overlays.read(db, at), times_of(openings, at.zone, day)
            if not fits(at, day, openings, overlay.extra.get(day, ()), overlay):
                raise refused(Code.OVERLAPS_OPENING, calendar=calendar, day=day)
            for slot in Standing(overlay=overlay).slots_of_day(at.calendar, day):
                if overlay.slots.get(slot.start) and any(start < slot.end and slot.start < end for start, end in slots):
                    local = slot.start.astimezone(at.zone)
                    raise refused(Code.OVERLAPS_OPENED_SLOT, start=slot.start, local=local)
            if not slots:
                raise refused(Code.NO_SLOT_FITS_CLOCKS, day=day)
            for start, end in held(db, editor, calendar).items():
                if any(start < slot[1] and slot[0] < end and (start, end) != slot for slot in slots):
                    raise refused(Code.APPOINTMENT_ACROSS, start=start, local=start.astimezone(at.zone))
            row = rows.add_extra(db, editor, calendar, day, section)
            # Overrides of slots at these times were about the slots that the new ones replace.
            rows.delete_slots(db, editor, calendar, (start for start, _ in slots))
            following.note(db, editor, calendar)
        self._follow_own()
        return row.override(at, again=overlay.days.get(day) is False)

    def remove_extra(self, editor: str, identifier: str) -> None:
        """Removes an extra opening and the overrides of its slots. Its appointments stay."""
        known = self._catalogue.editor(editor)
        with self._store.writing() as db:
            row = _named(editor, OverrideKind.EXTRA, rows.extra_openings(db, editor), identifier)
            rows.delete(db, editor, row)
            if at := find_calendar(known, row.calendar):
                # A later opening of that day may have slots at the same times.
                times = times_of(self._overlays.openings(editor, row.calendar, row.section), at.zone, row.day)
                rows.delete_slots(db, editor, row.calendar, (start for start, _ in times))
            following.note(db, editor, row.calendar)
        self._follow_own()

    # --- all of them

    def of(self, editor: str, *, calendar: str | None = None, owner: str | None = None) -> list[Override]:
        """The overrides at an editor, in one calendar, or in the calendars of one owner.

        Absences are always included. The order is: slots, days, absences, extra openings, each sorted.
        """
        known, keys = self._catalogue.editor(editor), self._keys(editor, calendar, owner)
        if calendar is not None:
            owner = calendar.rpartition("-")[0]
        with self._store.reading() as db:
            slots = [row for key in keys for row in rows.slots(db, editor, key)]
            days = [row for key in keys for row in rows.days(db, editor, key)]
            extra = [row for key in keys for row in rows.extra_openings(db, editor, key)]
            absences = rows.absences(db, editor, owner)
        extra.sort(key=lambda row: row.number)
        at_key = functools.cache(functools.partial(find_calendar, known))
        closed = {(row.calendar, row.day): row.extra for row in days if not row.open}
        return [
            *(row.override(at) for row in slots if (at := at_key(row.calendar))),
            *(row.override(at) for row in days if (at := at_key(row.calendar))),
            *(row.override() for row in absences),
            *(
                row.override(at, again=row.number > closed.get((row.calendar, row.day), row.number))
                for row in extra
                if (at := at_key(row.calendar))
            ),
        ]

    def _keys(self, editor: str, calendar: str | None, owner: str | None) -> Sequence[str | None]:
        """The calendars whose overrides are wanted; None stands for all of an editor."""
        if calendar is not None:
            return [self._calendar(editor, calendar).key]
        return [None] if owner is None else sorted(at.key for at in self._calendars(editor, owner))

    def reset(self, db: Database) -> None:
        """Deletes every override. Call ``follow`` after the transaction."""
        rows.delete_all(db)
        following.note_all(db)

    def check(self, db: Database, editor: str, calendar: str, start: datetime) -> None:
        """Raises 409 when a slot is not on offer, by the store in this transaction. Appointments are not looked at."""
        at = find_calendar(self._catalogue.editor(editor), calendar)
        if at is None:
            raise refusal(Unavailable.NO_SLOT)
        if why := Standing(overlay=self._overlays.read(db, at)).availability(at.calendar, start).why:
            raise refusal(why)

    # --- what is in memory

    def _follow_own(self) -> None:
        """Follows what was just written here. The write has succeeded, so a failed read is not its error."""
        with contextlib.suppress(EditorError):  # the regular look for changes tries again
            self.follow()

    def follow(self) -> None:
        """Updates what is in memory. Cheap when nothing has changed."""
        self._follower.follow()

    def _everything(self, db: Database) -> Iterator[tuple[str, str]]:
        yield from rows.calendars(db)
        editors = self._catalogue.editors
        for slug, owner in rows.absent_owners(db):
            if slug in editors:
                yield from ((slug, at.key) for at in calendars_of(editors[slug], owner))
        for slug, editor in editors.items():
            yield from ((slug, calendar) for calendar in list(self._taken.of(editor.seed)))

    def _look(self, db: Database, slug: str, calendar: str) -> None:
        editor = self._catalogue.editors.get(slug)
        if editor and (at := find_calendar(editor, calendar)):
            self._taken.lay(editor.seed, calendar, self._overlays.read(db, at))

    @contextlib.contextmanager
    def _nothing_hidden(self, db: Database, found: list[OwnedCalendar]) -> Iterator[None]:
        """Raises 409 when the block brings back hours that overlap an extra opening: that one would disappear."""
        before = [self._overlays.read(db, at).extra for at in found]
        yield
        for at, extra_before in zip(found, before, strict=True):
            extra_now = self._overlays.read(db, at).extra
            hidden = next((day for day in extra_before if extra_before[day] != extra_now.get(day)), None)
            if hidden:
                raise refused(Code.EXTRA_HIDDEN, calendar=at.key, day=hidden)

    # --- finding

    def _calendar(self, slug: str, calendar: str) -> OwnedCalendar:
        editor = self._catalogue.editor(slug)
        if found := find_calendar(editor, calendar):
            return found
        others = [at.key for at in calendars_of(editor, calendar.rpartition("-")[0])]
        there = issue(Code.CALENDARS_THERE, known=others) if others else issue(Code.HOW_TO_NAME_CALENDARS)
        raise refused(Code.CALENDAR_AMONG_NONE, calendar=calendar[:100], editor=slug, there=there)

    def _calendars(self, slug: str, owner: str) -> list[OwnedCalendar]:
        if found := calendars_of(self._catalogue.editor(slug), owner):
            return found
        raise refused(Code.OWNER_UNKNOWN_AT, editor=slug, owner=owner[:100])


def _playable(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise refused(Code.DAYS_OF_YEARS, first=FIRST_YEAR, last=LAST_YEAR, day=day)
    return day


def _instant(start: datetime) -> datetime:
    if start.tzinfo is None:
        raise refused(Code.SLOT_START_OFFSET, start=start)
    _playable(start)
    return start.astimezone(UTC)


def _note_each(db: Database, found: list[OwnedCalendar]) -> None:
    for at in found:
        following.note(db, at.editor.slug, at.key)


Numbered = TypeVar("Numbered", AbsenceRow, ExtraRow)


def _named(editor: str, kind: OverrideKind, found: Sequence[Numbered], identifier: str) -> Numbered:
    """The row with this id. Raises 404, which lists the latest ones."""
    row = next((row for row in found if row.id == identifier), None)
    if row is None:
        last = [row.id for row in found[-_NAMED:]]
        code = Code.CHANGE_NOT_FOUND if last else Code.CHANGE_NOT_FOUND_ANY
        raise refused(code, kind=kind.value, name=identifier[:100], editor=editor, known=last)
    return row

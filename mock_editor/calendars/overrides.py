"""What people open and close by hand while the simulator runs: slots, days, absences, extra openings. All their SQL.

It lies over what the scenario makes of a calendar (``taken.Overlay`` says what stands before what). Appointments that
exist are never touched by it.
"""

import contextlib
import functools
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlite_utils import Database

from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR
from mock_editor.base.errors import EditorError, Issue, NotFoundError
from mock_editor.base.store import Store
from mock_editor.calendars import following
from mock_editor.calendars.appointments import held
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, calendars_of, find_calendar
from mock_editor.calendars.generator import times_of
from mock_editor.calendars.model import Absence, Opening, Slot, overlap
from mock_editor.calendars.taken import Overlay, Standing

# Instants are in UTC, days local. The numbers count what was ever made, so that no id is given twice. `extra` is the
# last number of an extra opening when a day was opened or closed: what comes later is not meant.
SCHEMA = """
create table if not exists slot_overrides (
    editor text not null, calendar text not null, start text not null, open integer not null,
    primary key (editor, calendar, start)) strict;
create table if not exists day_overrides (
    editor text not null, calendar text not null, day text not null, open integer not null, extra integer not null,
    primary key (editor, calendar, day)) strict;
create table if not exists absences (
    editor text not null, number integer not null, owner text not null, first text not null, last text not null,
    primary key (editor, number)) strict;
create index if not exists absences_of on absences (editor, owner);
create table if not exists extra_openings (
    editor text not null, number integer not null, calendar text not null, day text not null, section text not null,
    primary key (editor, number)) strict;
create index if not exists extra_openings_of on extra_openings (editor, calendar);
create table if not exists override_numbers (
    editor text not null, kind text not null, last integer not null, primary key (editor, kind)) strict
"""
_TABLES = ("slot_overrides", "day_overrides", "absences", "extra_openings", "override_numbers")
LONGEST_ABSENCE = 3660
_NAMED = 12  # of what there is, as many are told

_log = logging.getLogger(__name__)

Section = Mapping[str, Any]
# Turns the section of an extra opening, as a scenario writes it, into openings. Raises 422.
ReadOpening = Callable[[OwnedCalendar, Section], tuple[Opening, ...]]


class OverrideKind(StrEnum):
    """What an override is about."""

    SLOT = "slot"
    DAY = "day"
    ABSENCE = "absence"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One thing that was opened or closed by hand, from the local day ``first`` to ``last``, both included.

    Absences and extra openings have an ``id``; an absence has no ``calendar``: it is of all those of its owner. A slot
    has its ``start`` (UTC), an extra opening its ``section`` as it was given; ``again``: it opens a closed day.
    """

    kind: OverrideKind
    open: bool
    owner: str
    calendar: str | None
    id: str | None = None
    first: date
    last: date
    start: datetime | None = None
    section: Section | None = None
    again: bool = False


class Overrides:
    """What is opened and closed by hand in the calendars of a catalogue, whose ``taken`` follows: see ``follow``.

    Every operation raises NotFoundError for an editor, a calendar (by key), an owner (by prefixed national identifier)
    or a slot (by start) that is not there, and 422 for days that cannot be played.
    """

    def __init__(self, store: Store, catalogue: Catalogue, read_opening: ReadOpening) -> None:
        self._store = store
        self._catalogue = catalogue
        self._taken = catalogue.taken
        self._read_opening = read_opening
        # The same openings each time: what is kept of a calendar then stays good.
        self._openings = functools.lru_cache(maxsize=1024)(self._read)
        self._follower = following.Follower(store, self._everything, self._look)

    # --- slots

    def close_slot(self, editor: str, calendar: str, start: datetime) -> Override:
        """Takes a slot off the offer."""
        return self._set_slot(self._calendar(editor, calendar), start, is_open=False)

    def open_slot(self, editor: str, calendar: str, start: datetime) -> Override:
        """Makes a slot free, whatever the scenario, its day or an absence says. Raises 409 if it is held."""
        return self._set_slot(self._calendar(editor, calendar), start, is_open=True)

    def forget_slot(self, editor: str, calendar: str, start: datetime) -> None:
        """Has a slot be as it would be without ``open_slot`` and ``close_slot``."""
        at, start = self._calendar(editor, calendar), _instant(start)
        with self._store.writing() as db:
            query = "delete from slot_overrides where editor = ? and calendar = ? and start = ?"
            if not db.execute(query, [editor, calendar, start.isoformat()]).rowcount:
                self._slot(db, at, start)
            following.note(db, editor, calendar)
        self._follow_own()

    def _set_slot(self, at: OwnedCalendar, start: datetime, *, is_open: bool) -> Override:
        start, editor, calendar = _instant(start), at.editor.slug, at.key
        with self._store.writing() as db:
            self._slot(db, at, start)
            if is_open and start in held(db, editor, calendar):
                text = f"An appointment holds the slot of {calendar} that starts at {start.isoformat()}"
                raise EditorError(409, [Issue("conflict", text)])
            row = {"editor": editor, "calendar": calendar, "start": start.isoformat(), "open": int(is_open)}
            db.table("slot_overrides").upsert(row, pk=("editor", "calendar", "start"))
            following.note(db, editor, calendar)
        self._follow_own()
        return _of_slot(at, start, is_open)

    def _slot(self, db: Database, at: OwnedCalendar, start: datetime) -> Slot:
        """A slot with what the store says by hand of it, appointments aside. Raises NotFoundError."""
        standing, zone = Standing(overlay=self._overlay(db, at)), at.zone
        if found := standing.slot(at.calendar, start):
            return found
        local = start.astimezone(zone)
        days = (local.date() - timedelta(days=1), local.date())
        slots = (slot for day in days for slot in standing.slots_of_day(at.calendar, day))
        nearest = sorted(sorted(slot.start for slot in slots), key=lambda other: abs(other - start))[:_NAMED]
        starts = ", ".join(other.astimezone(zone).isoformat(timespec="minutes") for other in sorted(nearest))
        there = f"around there, slots start at {starts}" if starts else "nor does any on that day"
        raise NotFoundError(f"No slot of {at.key} starts at {local.isoformat()}; {there}")

    # --- days

    def close_day(self, editor: str, calendar: str, day: date) -> Override:
        """Takes the openings that begin on a day off the offer."""
        return self._set_day(self._calendar(editor, calendar), day, is_open=False)

    def open_day(self, editor: str, calendar: str, day: date) -> Override:
        """Makes every slot of a day's openings free, but those that appointments hold.

        Raises NotFoundError when no opening begins that day, 409 when an extra one lies over the hours of another.
        """
        return self._set_day(self._calendar(editor, calendar), day, is_open=True)

    def forget_day(self, editor: str, calendar: str, day: date) -> None:
        """Has a day be as it would be without ``open_day`` and ``close_day``; its slots that were set alone stay so.

        Raises 409 when an extra opening lies over the hours that would be back.
        """
        at = self._calendar(editor, calendar)
        with self._store.writing() as db:
            row = [editor, calendar, _playable(day).isoformat()]
            with self._nothing_hidden(db, [at]):
                db.execute("delete from day_overrides where editor = ? and calendar = ? and day = ?", row)
            following.note(db, editor, calendar)
        self._follow_own()

    def _set_day(self, at: OwnedCalendar, day: date, *, is_open: bool) -> Override:
        _playable(day)
        editor, calendar = at.editor.slug, at.key
        with self._store.writing() as db:
            if is_open and not Standing(overlay=self._overlay(db, at)).slots_of_day(at.calendar, day):
                raise NotFoundError(f"No opening of {calendar} begins on {day}; an extra opening gives that day slots")
            row = {"editor": editor, "calendar": calendar, "day": day.isoformat(), "open": int(is_open)}
            with self._nothing_hidden(db, [at]):
                last = _last_number(db, editor, OverrideKind.EXTRA)
                db.table("day_overrides").upsert(row | {"extra": last}, pk=("editor", "calendar", "day"))
            following.note(db, editor, calendar)
        self._follow_own()
        return _of_day(at, day, is_open)

    # --- absences

    def absent(self, editor: str, owner: str, first: date, last: date) -> Override:
        """Closes all calendars of a practitioner or an association from day to day, both included.

        Exceptional and extra openings are kept, as in an absence of the scenario.
        """
        found = self._calendars(editor, owner)
        if not 0 <= (_playable(last) - _playable(first)).days < LONGEST_ABSENCE:
            raise _refused(f"An absence is of 1 to {LONGEST_ABSENCE} days, not from {first} to {last}")
        with self._store.writing() as db:
            number = _next_number(db, editor, OverrideKind.ABSENCE)
            row = {"editor": editor, "number": number, "owner": owner}
            db.table("absences").insert(row | {"first": first.isoformat(), "last": last.isoformat()})
            _note_each(db, found)
        self._follow_own()
        return _of_absence(number, owner, first, last)

    def end_absence(self, editor: str, identifier: str) -> None:
        """Forgets an absence that was given by hand. Raises 409 when an extra opening lies over hours of its days."""
        known = self._catalogue.editor(editor)
        with self._store.writing() as db:
            query = "select owner from absences where editor = ? and 'absence-' || number = ?"
            found = [
                at
                for (owner,) in db.execute(query, [editor, identifier]).fetchall()
                for at in calendars_of(known, owner)
            ]
            with self._nothing_hidden(db, found):
                _removed(db, editor, OverrideKind.ABSENCE, identifier, "absences", "owner")
            _note_each(db, found)
        self._follow_own()

    # --- extra openings

    def add_extra(self, editor: str, calendar: str, day: date, section: Section) -> Override:
        """Opens a calendar once more on a day, as one of a scenario's ``exceptional_openings`` without its date would.

        It may lie over hours of the scenario that a closed day or an absence covers. Raises 422 when the section is not
        sound or overlaps with other openings; 409 when an appointment of before lies across its slots.
        """
        at = self._calendar(editor, calendar)
        _playable(day)
        openings = self._read_opening(at, section)
        with self._store.writing() as db:
            overlay, slots = self._overlay(db, at), times_of(openings, at.zone, day)
            if not _fits(at, day, openings, overlay.extra.get(day, ()), overlay):
                raise _refused(f"It overlaps with another opening of {calendar} on {day}, or with the night before")
            for slot in Standing(overlay=overlay).slots_of_day(at.calendar, day):
                if overlay.slots.get(slot.start) and any(start < slot.end and slot.start < end for start, end in slots):
                    raise _refused(f"It overlaps with the slot at {slot.start.isoformat()}, which was opened by hand")
            if not slots:
                raise _refused(f"On {day} the clocks change, and no slot fits in")
            for start, end in held(db, editor, calendar).items():
                if any(start < slot[1] and slot[0] < end and (start, end) != slot for slot in slots):
                    text = f"The appointment at {start.isoformat()} lies across slots of this opening"
                    raise EditorError(409, [Issue("conflict", text)])
            number = _next_number(db, editor, OverrideKind.EXTRA)
            text = json.dumps(dict(section), ensure_ascii=False)
            row = {"editor": editor, "number": number, "calendar": calendar, "day": day.isoformat(), "section": text}
            db.table("extra_openings").insert(row)
            # What was said of slots at these times was said of others, in whose place these are.
            _forget_slots(db, editor, calendar, slots)
            following.note(db, editor, calendar)
        self._follow_own()
        return _of_extra(number, at, day, text, again=overlay.days.get(day) is False)

    def remove_extra(self, editor: str, identifier: str) -> None:
        """Takes an extra opening away, and what was said by hand of its slots. Its appointments stay."""
        known = self._catalogue.editor(editor)
        with self._store.writing() as db:
            columns = "calendar", "day", "section"
            removed = _removed(db, editor, OverrideKind.EXTRA, identifier, "extra_openings", *columns)
            calendar, day, section = removed
            if at := find_calendar(known, calendar):
                # Another opening of that day may have its slots at the same times later.
                openings = self._sound(editor, calendar, section)
                _forget_slots(db, editor, calendar, times_of(openings, at.zone, date.fromisoformat(day)))
            following.note(db, editor, calendar)
        self._follow_own()

    # --- all of them

    def of(self, editor: str, *, calendar: str | None = None, owner: str | None = None) -> list[Override]:
        """What is opened and closed by hand: at an editor, in a calendar, or in those of an owner.

        With a calendar or an owner, absences are among it. Slots, days, absences, extra openings, each in order.
        """
        known = self._catalogue.editor(editor)
        if calendar is not None:
            kept = {self._calendar(editor, calendar).calendar.key}
            owner = calendar.rpartition("-")[0]
        elif owner is not None:
            kept = {at.key for at in self._calendars(editor, owner)}

        found: list[Override] = []
        with self._store.reading() as db:
            by_start = "select calendar, start, open from slot_overrides where editor = ? order by calendar, start"
            slots = db.execute(by_start, [editor]).fetchall()
            by_day = "select calendar, day, open, extra from day_overrides where editor = ? order by calendar, day"
            days = db.execute(by_day, [editor]).fetchall()
            by_number = "select number, owner, first, last from absences where editor = ? order by number"
            absences = db.execute(by_number, [editor]).fetchall()
            by_number = "select number, calendar, day, section from extra_openings where editor = ? order by number"
            extra = db.execute(by_number, [editor]).fetchall()
        wanted = functools.cache(lambda key: find_calendar(known, key) if owner is None or key in kept else None)
        found += [_of_slot(at, datetime.fromisoformat(s), bool(o)) for key, s, o in slots if (at := wanted(key))]
        found += [_of_day(at, date.fromisoformat(day), bool(o)) for key, day, o, _ in days if (at := wanted(key))]
        found += [
            _of_absence(number, absent, date.fromisoformat(first), date.fromisoformat(last))
            for number, absent, first, last in absences
            if owner in (None, absent)
        ]
        closed = {(key, day): last for key, day, is_open, last in days if not is_open}
        found += [
            _of_extra(number, at, date.fromisoformat(day), text, again=number > closed.get((key, day), number))
            for number, key, day, text in extra
            if (at := wanted(key))
        ]
        return found

    def reset(self, db: Database) -> None:
        """Forgets everything that was opened and closed by hand. ``follow`` is for after the transaction."""
        for table in _TABLES:
            db.execute(f"delete from {table}")  # noqa: S608 - names of ours
        following.note_all(db)

    def check(self, db: Database, editor: str, calendar: str, start: datetime) -> None:
        """Raises 409 when a slot is not on offer, as the store says in this very transaction, appointments aside."""
        at = find_calendar(self._catalogue.editor(editor), calendar)
        slot = at and Standing(overlay=self._overlay(db, at)).slot(at.calendar, start)
        if slot is None or slot.taken:
            raise EditorError(409, [Issue("conflict", "This slot has been closed")])

    # --- what is in memory

    def _follow_own(self) -> None:
        """Follows what was just written here. It has happened: that it cannot be read again now is no error of it."""
        with contextlib.suppress(EditorError):  # what looks for changes does it once more
            self.follow()

    def follow(self) -> None:
        """Brings what is in memory up to date. Cheap when there is nothing new."""
        self._follower.follow()

    def _everything(self, db: Database) -> Iterator[tuple[str, str]]:
        for table in ("slot_overrides", "day_overrides", "extra_openings"):
            yield from db.execute(f"select distinct editor, calendar from {table}").fetchall()  # noqa: S608
        editors = self._catalogue.editors
        for slug, owner in db.execute("select distinct editor, owner from absences").fetchall():
            if slug in editors:
                yield from ((slug, at.key) for at in calendars_of(editors[slug], owner))
        for slug, editor in editors.items():
            yield from ((slug, calendar) for calendar in list(self._taken.of(editor.seed)))

    def _look(self, db: Database, slug: str, calendar: str) -> None:
        editor = self._catalogue.editors.get(slug)
        if editor and (at := find_calendar(editor, calendar)):
            self._taken.lay(editor.seed, calendar, self._overlay(db, at))

    def _overlay(self, db: Database, at: OwnedCalendar) -> Overlay:
        """What the store says of a calendar."""
        one = [at.editor.slug, at.key]
        query = "select start, open from slot_overrides where editor = ? and calendar = ?"
        slots = {datetime.fromisoformat(start): bool(is_open) for start, is_open in db.execute(query, one)}
        query = "select day, open, extra from day_overrides where editor = ? and calendar = ?"
        rows = {date.fromisoformat(day): (bool(is_open), extra) for day, is_open, extra in db.execute(query, one)}
        query = "select first, last from absences where editor = ? and owner = ? order by number"
        absences = tuple(
            Absence(date.fromisoformat(first), date.fromisoformat(last), yearly=False)
            for first, last in db.execute(query, [at.editor.slug, at.owner.id])
        )
        extra: dict[date, tuple[Opening, ...]] = {}
        again: dict[date, tuple[Opening, ...]] = {}
        overlay = Overlay(slots, {day: is_open for day, (is_open, _) in rows.items()}, absences, extra, again)
        query = "select number, day, section from extra_openings where editor = ? and calendar = ? order by number"
        for number, text, section in db.execute(query, one):
            day = date.fromisoformat(text)
            openings, others = self._sound(at.editor.slug, at.key, section), extra.get(day, ())
            # Of a scenario that has changed since.
            if _fits(at, day, openings, others, overlay):
                extra[day] = (*others, *openings)
                is_open, last = rows.get(day, (True, 0))
                if not is_open and number > last:
                    again[day] = (*again.get(day, ()), *openings)
            else:
                _log.warning("An extra opening of %s on %s overlaps now, and is left out", at.key, day)
        return overlay

    @contextlib.contextmanager
    def _nothing_hidden(self, db: Database, found: list[OwnedCalendar]) -> Iterator[None]:
        """Raises 409 when what is done in here brings hours back over which an extra opening lies: it would be gone."""
        before = [self._overlay(db, at).extra for at in found]
        yield
        for at, seen in zip(found, before, strict=True):
            now = self._overlay(db, at).extra
            gone = next((day for day in seen if seen[day] != now.get(day)), None)
            if gone:
                text = f"An extra opening of {at.key} on {gone} lies over these hours; take it back first"
                raise EditorError(409, [Issue("conflict", text)])

    def _sound(self, editor: str, calendar: str, section: str) -> tuple[Opening, ...]:
        """The openings of a section in the store; none, when the scenario in play has no longer what it names."""
        try:
            return self._openings(editor, calendar, section)
        except EditorError as error:
            _log.warning("An extra opening of %s is left out: %s", calendar, error)
            return ()

    def _read(self, editor: str, calendar: str, section: str) -> tuple[Opening, ...]:
        return self._read_opening(self._calendar(editor, calendar), json.loads(section))

    # --- finding

    def _calendar(self, slug: str, calendar: str) -> OwnedCalendar:
        editor = self._catalogue.editor(slug)
        if found := find_calendar(editor, calendar):
            return found
        others = [at.key for at in calendars_of(editor, calendar.rpartition("-")[0])]
        there = f"there are: {', '.join(others)}" if others else _how_to_name("-<key of the place>")
        raise NotFoundError(f"No calendar {calendar[:100]!r} at {slug}; {there}")

    def _calendars(self, slug: str, owner: str) -> list[OwnedCalendar]:
        if found := calendars_of(self._catalogue.editor(slug), owner):
            return found
        raise NotFoundError(f"Nobody at {slug} is {owner[:100]!r}; {_how_to_name('')}")


def _how_to_name(rest: str) -> str:
    what = "a calendar is named like its Schedule" if rest else "expected"
    return f"{what}: <national identifier of the practitioner, or SIRET of the association, with its prefix>{rest}"


def _fits(
    at: OwnedCalendar, day: date, openings: tuple[Opening, ...], others: tuple[Opening, ...], overlay: Overlay
) -> bool:
    """Whether extra openings of a day overlap neither with others that are on offer nor with each other."""
    there = (*_on_offer(at, day, overlay), *others, *openings)
    # Those of a night stay slots of the day before, closed or not.
    return not overlap([(-1, at.calendar.plan.openings(day - timedelta(days=1))), (0, there)])


def _on_offer(at: OwnedCalendar, day: date, overlay: Overlay) -> tuple[Opening, ...]:
    """The openings of the scenario on a day, but for those that are closed by hand."""
    plan = at.calendar.plan
    if not overlay.covers(day):
        return plan.openings(day)
    return plan.exceptional.get(day, ()) if overlay.days.get(day) is None else ()


def _forget_slots(db: Database, editor: str, calendar: str, slots: Iterable[tuple[datetime, datetime]]) -> None:
    query = "delete from slot_overrides where editor = ? and calendar = ? and start = ?"
    for start, _ in slots:
        db.execute(query, [editor, calendar, start.isoformat()])


def _playable(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _refused(f"Days are from the year {FIRST_YEAR} to {LAST_YEAR}, not {day}")
    return day


def _instant(start: datetime) -> datetime:
    if start.tzinfo is None:
        raise _refused(f"The start of a slot needs its offset: {start.isoformat()}")
    _playable(start)
    return start.astimezone(UTC)


def _refused(text: str) -> EditorError:
    return EditorError(422, [Issue("business-rule", text)])


def _note_each(db: Database, found: list[OwnedCalendar]) -> None:
    for at in found:
        following.note(db, at.editor.slug, at.key)


def _last_number(db: Database, editor: str, kind: OverrideKind) -> int:
    query = "select coalesce(max(last), 0) from override_numbers where editor = ? and kind = ?"
    [(number,)] = db.execute(query, [editor, kind.value]).fetchall()
    return int(number)


def _next_number(db: Database, editor: str, kind: OverrideKind) -> int:
    query = """insert into override_numbers values (?, ?, 1)
        on conflict do update set last = last + 1 returning last"""
    [(number,)] = db.execute(query, [editor, kind.value]).fetchall()
    return int(number)


def _removed(
    db: Database, editor: str, kind: OverrideKind, identifier: str, table: str, *columns: str
) -> tuple[str, ...]:
    """Deletes what has this id, and returns columns of it. Raises NotFoundError."""
    query = f"select number, {', '.join(columns)} from {table} where editor = ? order by number"  # noqa: S608
    rows = {f"{kind.value}-{number}": (number, *rest) for number, *rest in db.execute(query, [editor])}
    if identifier not in rows:
        last = ", ".join(list(rows)[-_NAMED:])
        raise NotFoundError(f"No {kind.value} {identifier[:100]!r} at {editor}; there are: {last or 'none'}")
    number, *rest = rows[identifier]
    db.execute(f"delete from {table} where editor = ? and number = ?", [editor, number])  # noqa: S608
    return tuple(rest)


# --- rows as records


def _of_slot(at: OwnedCalendar, start: datetime, is_open: bool) -> Override:
    day = start.astimezone(at.zone).date()
    return Override(
        kind=OverrideKind.SLOT,
        open=is_open,
        owner=at.owner.id,
        calendar=at.key,
        first=day,
        last=day,
        start=start,
    )


def _of_day(at: OwnedCalendar, day: date, is_open: bool) -> Override:
    return Override(kind=OverrideKind.DAY, open=is_open, owner=at.owner.id, calendar=at.key, first=day, last=day)


def _of_absence(number: int, owner: str, first: date, last: date) -> Override:
    kind = OverrideKind.ABSENCE
    return Override(kind=kind, open=False, owner=owner, calendar=None, id=f"{kind}-{number}", first=first, last=last)


def _of_extra(number: int, at: OwnedCalendar, day: date, section: str, *, again: bool) -> Override:
    return Override(
        kind=OverrideKind.EXTRA,
        open=True,
        owner=at.owner.id,
        calendar=at.key,
        id=f"{OverrideKind.EXTRA}-{number}",
        first=day,
        last=day,
        section=json.loads(section),
        again=again,
    )

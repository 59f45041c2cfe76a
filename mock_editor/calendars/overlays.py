"""Overlays of calendars, built from the rows of what was opened and closed by hand."""

import functools
import json
import logging
from collections.abc import Callable
from datetime import date, timedelta

from sqlite_utils import Database

from mock_editor.base.errors import EditorError
from mock_editor.calendars import override_rows as rows
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, find_calendar
from mock_editor.calendars.model import Absence, Opening, overlap
from mock_editor.calendars.override_rows import Section
from mock_editor.calendars.taken import Overlay

_log = logging.getLogger(__name__)

# Turns the section of an extra opening, written as in a scenario, into openings. Raises 422.
ReadOpening = Callable[[OwnedCalendar, Section], tuple[Opening, ...]]


class Overlays:
    """Reads overlays. ``read_opening`` turns the section of an extra opening into openings."""

    def __init__(self, catalogue: Catalogue, read_opening: ReadOpening) -> None:
        self._catalogue = catalogue
        self._read_opening = read_opening
        # The same objects each time, so that cached slots of a calendar stay valid.
        self._openings = functools.lru_cache(maxsize=1024)(self._parsed)

    def read(self, db: Database, at: OwnedCalendar) -> Overlay:
        """The overlay of a calendar, as the store has it."""
        editor = at.editor.slug
        slots = {row.start: row.open for row in rows.slots(db, editor, at.key)}
        days = {row.day: row for row in rows.days(db, editor, at.key)}
        absences = tuple(Absence(row.first, row.last, yearly=False) for row in rows.absences(db, editor, at.owner.id))
        extra: dict[date, tuple[Opening, ...]] = {}
        again: dict[date, tuple[Opening, ...]] = {}
        overlay = Overlay(slots, {day: row.open for day, row in days.items()}, absences, extra, again)
        for row in rows.extra_openings(db, editor, at.key):
            openings, others = self.openings(editor, at.key, row.section), extra.get(row.day, ())
            # One that does not fit was made before the scenario changed.
            if fits(at, row.day, openings, others, overlay):
                extra[row.day] = (*others, *openings)
                of_day = days.get(row.day)
                if of_day and not of_day.open and row.number > of_day.extra:
                    again[row.day] = (*again.get(row.day, ()), *openings)
            else:
                _log.warning("An extra opening of %s on %s overlaps now, and is left out", at.key, row.day)
        return overlay

    def openings(self, editor: str, calendar: str, section: str) -> tuple[Opening, ...]:
        """The openings of a stored section; none when the scenario no longer has what the section names."""
        try:
            return self._openings(editor, calendar, section)
        except EditorError as error:
            _log.warning("An extra opening of %s is left out: %s", calendar, error)
            return ()

    def _parsed(self, editor: str, calendar: str, section: str) -> tuple[Opening, ...]:
        at = find_calendar(self._catalogue.editor(editor), calendar)
        return self._read_opening(at, json.loads(section)) if at else ()


def fits(
    at: OwnedCalendar, day: date, openings: tuple[Opening, ...], others: tuple[Opening, ...], overlay: Overlay
) -> bool:
    """Whether extra openings of a day overlap neither with each other nor with others on offer."""
    of_day = (*_on_offer(at, day, overlay), *others, *openings)
    # Slots of a night belong to the day before, closed or not.
    return not overlap([(-1, at.calendar.plan.openings(day - timedelta(days=1))), (0, of_day)])


def _on_offer(at: OwnedCalendar, day: date, overlay: Overlay) -> tuple[Opening, ...]:
    """The openings of the scenario on a day, except those closed by hand."""
    plan = at.calendar.plan
    if not overlay.covers(day):
        return plan.openings(day)
    return plan.exceptional.get(day, ()) if overlay.days.get(day) is None else ()

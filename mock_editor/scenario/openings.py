"""Makes openings of the sections of a calendar, and of those that people add by hand at run time."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mock_editor.base.issues import Code, Issue, issue
from mock_editor.calendars.catalogue import OwnedCalendar
from mock_editor.calendars.model import (
    AppointmentType,
    ConsultationType,
    Cpts,
    Opening,
    Plan,
    SlotMix,
    SlotShape,
    SlotType,
    Specialty,
)
from mock_editor.scenario.check import check_extra_opening, refused
from mock_editor.scenario.reader import Location
from mock_editor.scenario.schema import (
    CalendarSection,
    OpeningSection,
    ShapeSection,
)

_DEFAULTS = ShapeSection(
    slot_types=[SlotType.PUBLIC],
    consultation_types=[ConsultationType.AMB],
    reasons=[],
    appointment_type=AppointmentType.ROUTINE,
)


class Openings:
    """Makes openings. ``cpts`` are by their key; ``problem`` is called with problems that the schema cannot see."""

    def __init__(self, cpts: Mapping[str, Cpts], problem: Callable[[Location, Issue], None]) -> None:
        self._cpts = cpts
        self._problem = problem

    def made(self, calendar: CalendarSection, section: OpeningSection, location: Location) -> list[Opening]:
        """The openings of a section of a calendar."""
        minutes = section.slot_minutes or calendar.slot_minutes
        taken = calendar.taken if section.taken is None else section.taken
        # What an opening says about its own slots replaces the calendar's mix.
        has_shape = any(getattr(section, name) is not None for name in ShapeSection.model_fields)
        mix = section.mix or (None if has_shape else calendar.mix)
        if mix:
            shares = [(item.share, self._shape(location, item, section, calendar, _DEFAULTS)) for item in mix]
        else:
            shares = [(1.0, self._shape(location, section, calendar, _DEFAULTS))]
        for at, (start, end) in enumerate(section.hours):
            if end - start < minutes:
                self._problem((*location, "hours", at), issue(Code.NO_SLOT_FITS, minutes=minutes))
        return [Opening(start, end, minutes, taken, SlotMix(shares)) for start, end in section.hours]

    def _shape(self, location: Location, *sections: ShapeSection) -> SlotShape:
        """A shape. Each attribute has the first value that one of the sections gives."""

        def first(name: str) -> Any:
            return next((value for section in sections if (value := getattr(section, name)) is not None), None)

        types = tuple(slot_type for slot_type in SlotType if slot_type in first("slot_types"))
        cpts: list[Cpts] = []
        if SlotType.CPTS in types:
            keys = first("cpts") or []
            if not keys:
                self._problem(location, issue(Code.CPTS_KEY_MISSING))
            for key in keys:
                if key in self._cpts:
                    cpts.append(self._cpts[key])
                else:
                    self._problem(location, issue(Code.CPTS_UNKNOWN, key=key, known=list(self._cpts)))
        coded, texts = first("specialties"), first("other_specialties")
        return SlotShape(
            types=types,
            consultation_types=tuple(first("consultation_types")),
            reasons=tuple(first("reasons")),
            appointment_type=first("appointment_type"),
            cpts=tuple(cpts),
            specialties=None if coded is None and texts is None else specialties_of(coded or [], texts or []),
        )


@dataclass(frozen=True, slots=True)
class ExtraOpenings:
    """Reads openings that people add by hand: a section of ``exceptional_openings`` without its date."""

    cpts: Mapping[str, Cpts]
    calendars: Mapping[Plan, CalendarSection]

    def read(self, at: OwnedCalendar, section: Mapping[str, Any]) -> tuple[Opening, ...]:
        """The openings of a section. The calendar has what the section leaves out. Raises EditorError (422)."""
        problems: list[tuple[Location, Issue]] = []
        openings = Openings(self.cpts, lambda *problem: problems.append(problem))
        made = openings.made(self.calendars[at.calendar.plan], check_extra_opening(section), ())
        editor = at.editor
        if not editor.cpts and any(shape.cpts for opening in made for shape in opening.mix.shapes):
            # The editor's CapabilityStatement says that it has no such slots.
            problems.append((("slot_types",), issue(Code.OPENS_NOTHING_TO_CPTS, editor=editor.slug)))
        if problems:
            raise refused(problems)
        return tuple(made)


def specialties_of(coded: Iterable[str], texts: Iterable[str]) -> tuple[Specialty, ...]:
    """Specialities of the national list, then those that are text only."""
    return (*(Specialty(code, None) for code in coded), *(Specialty(None, text) for text in texts))

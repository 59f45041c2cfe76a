"""Calendars: their slots, and what is opened and closed in them by hand."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from mock_editor.admin.operation import Control, Example, Instant, Line, Model, operation
from mock_editor.admin.operations.accounts import EditorSlug
from mock_editor.admin.practice import read_slot
from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import Page
from mock_editor.booking.week import place_name, title
from mock_editor.calendars.availability import Unavailable
from mock_editor.calendars.catalogue import OwnedCalendar, calendars_of, find_calendar, stamp
from mock_editor.calendars.model import (
    AppointmentType,
    Association,
    ConsultationType,
    Practitioner,
    Slot,
    SlotType,
)
from mock_editor.calendars.override_rows import Override, OverrideKind
from mock_editor.calendars.owners import MOST_SEARCHED, OwnerFilter, owners

CalendarKey = Annotated[Line, Field(description="Key of the calendar, as the id of its `Schedule`")]
OwnerId = Annotated[
    Line, Field(description="Prefixed national identifier of a practitioner, or of a SOS Médecins association")
]
SlotId = Annotated[Line, Field(description="Id of the slot, as in the answer to a search")]
Day = Annotated[
    date,
    Field(ge=date(FIRST_YEAR, 1, 2), le=date(LAST_YEAR, 12, 30), description="A day where the calendar is"),
]
OverrideId = Annotated[Line, Field(description="Its `id`")]
_NOTHING_THERE = "There is no such editor or calendar"
_CALENDAR = {"editor": "agenda-ville", "calendar": "810100050075-1"}
_OWNER = {"owner": "810100050075", "first": "2026-12-21", "last": "2026-12-31"}


class WantedState(StrEnum):
    """What is wanted of a slot or a day: on offer, not on offer, or as the scenario has it."""

    OPEN = "open"
    CLOSED = "closed"
    SCENARIO = "scenario"


class SlotState(StrEnum):
    """How a slot stands: free, or why it is not."""

    FREE = "free"
    TAKEN = "taken"
    CLOSED = "closed"
    APPOINTMENT = "appointment"


_STATES = {
    None: SlotState.FREE,
    Unavailable.BOOKED: SlotState.APPOINTMENT,
    Unavailable.TAKEN: SlotState.TAKEN,
    Unavailable.CLOSED: SlotState.CLOSED,
    Unavailable.DAY_CLOSED: SlotState.CLOSED,
    Unavailable.ABSENT: SlotState.CLOSED,
}


class Calendar(Model):
    """A calendar: an agenda of somebody at one place."""

    editor: str
    calendar: str
    owner: str
    name: Annotated[str, Field(description="Whose it is")]
    place: str
    timezone: str


class CalendarList(Model):
    """Calendars, by owner."""

    calendars: list[Calendar]


class CalendarQuery(Model):
    """Which calendars are asked for."""

    editor: Annotated[EditorSlug | None, Field(description="Only those of this editor")] = None
    owner: Annotated[OwnerId | None, Field(description="Only those of this practitioner or association")] = None
    text: Annotated[
        Line | None,
        Field(
            description="Only those of owners with these words in their names and cities, in any case and accents, "
            f"among the first {MOST_SEARCHED} of an editor; or of the owner with that identifier"
        ),
    ] = None
    limit: Annotated[
        int, Field(ge=1, le=1000, description="Of how many practitioners and associations at each editor, at most")
    ] = 20
    page: Annotated[int, Field(ge=1, le=1_000_000, description="Which page of `limit` owners each, from 1")] = 1


class CalendarSlot(Model):
    """A slot of a calendar. ``taken``: so the scenario has it; ``appointment``: one made here holds it."""

    slot: Annotated[str, Field(description="Its id in searches")]
    start: Instant
    end: Instant
    state: SlotState
    slot_types: list[SlotType]
    consultation_types: list[ConsultationType]
    appointment_type: AppointmentType
    reasons: list[str]


class CalendarSlots(Model):
    """The slots of the openings that begin on a day, all of them: free or not, shown to the SAS or not."""

    slots: list[CalendarSlot]


class WhichDay(Model):
    """Which day is asked for."""

    day: Day


class Wanted(Model):
    """What is wanted."""

    state: WantedState


class Change(Model):
    """Something that was opened or closed by hand."""

    kind: OverrideKind
    open: bool
    id: Annotated[str | None, Field(description="Of absences and extra openings, to take them back")]
    owner: str
    calendar: Annotated[str | None, Field(description="An absence is of all calendars of its owner")]
    first: date
    last: date
    slot: Annotated[str | None, Field(description="Id of the slot, if it is about one")]
    opening: Annotated[dict[str, Any] | None, Field(description="An extra opening, as it was given")]


class Changes(Model):
    """What was opened and closed by hand."""

    changes: list[Change]


class ChangeFilter(Model):
    """Which changes are asked for."""

    calendar: Annotated[Line | None, Field(description="Only those of this calendar")] = None
    owner: Annotated[Line | None, Field(description="Only those of this practitioner or association")] = None


class Absence(Model):
    """Days without the openings of the scenario, both included."""

    owner: OwnerId
    first: Day
    last: Day


class ExtraOpening(Model):
    """Hours of one day besides those of the scenario; what is left out is as in the calendar's description."""

    day: Day
    hours: Annotated[list[Line], Field(min_length=1, max_length=20, description="Like `14:00-18:00`, within the day")]
    slot_minutes: Annotated[int | None, Field(ge=5, le=720)] = None
    slot_types: list[SlotType] | None = None
    consultation_types: list[ConsultationType] | None = None
    appointment_type: AppointmentType | None = None
    reasons: list[Line] | None = None
    cpts: Annotated[list[Line] | None, Field(description="Keys of CPTS in the scenario, for slot type CPTS")] = None
    specialties: list[Line] | None = None
    taken: Annotated[float | None, Field(ge=0, le=1, description="Share of slots that are taken already")] = None


@operation(
    "GET",
    "/calendars",
    "calendar list",
    "List calendars",
    refusals={404: "There is no such editor, or nobody with that identifier there"},
    examples=[
        Example("The first ones of every editor", query={"limit": 2}),
        Example("Those of a practitioner", query={"editor": "agenda-ville", "owner": "810100050075"}),
        Example("By a name, the first page", query={"text": "briand", "limit": 1}),
        Example("Of nobody", query={"owner": "810000000000"}, status=404),
    ],
)
def list_calendars(control: Control, query: CalendarQuery) -> CalendarList:
    """The calendars that the scenario in play describes."""
    catalogue = control.world.catalogue
    editors = [catalogue.editor(query.editor)] if query.editor else list(catalogue.editors.values())
    if query.owner and not any(calendars_of(editor, query.owner) for editor in editors):
        raise refused(Code.OWNER_NOT_FOUND, owner=query.owner, editors=[one.slug for one in editors])
    page = Page(query.limit, query.page)
    found = [
        at
        for editor in editors
        for kind in (Practitioner, Association)
        for owner in owners(editor, OwnerFilter(kind, query.owner, query.text), page).items
        for at in calendars_of(editor, owner.id)
    ]
    return CalendarList(calendars=[_described(at) for at in found])


@operation(
    "GET",
    "/calendars/{editor}/{calendar}/slots",
    "calendar slots",
    "Show the slots of a day",
    refusals={404: _NOTHING_THERE},
    examples=[
        Example("A day", path=_CALENDAR, query={"day": "2026-11-20"}),
        Example("A day that is none", path=_CALENDAR, query={"day": "2026-11-31"}, status=422),
    ],
)
def show_slots(control: Control, editor: EditorSlug, calendar: CalendarKey, query: WhichDay) -> CalendarSlots:
    """The slots of the openings that begin on a day: free or not, and those that the SAS never sees too."""
    at = _calendar(control, editor, calendar)
    found = control.world.catalogue.taken.standing(at.calendar).day(at.calendar, query.day)
    return CalendarSlots(slots=[_shown(calendar, slot, why) for slot, why in found])


@operation(
    "PUT",
    "/calendars/{editor}/slots/{slot}",
    "calendar set-slot",
    "Open or close a slot",
    refusals={404: "There is no such editor, calendar or slot", 409: "An appointment holds the slot"},
    examples=[
        Example(
            "Not on offer any more",
            path={"editor": "agenda-ville", "slot": "810100050075-1-202611200715"},
            body={"state": "closed"},
        ),
        Example(
            "As the scenario has it",
            path={"editor": "agenda-ville", "slot": "810100050075-1-202611200715"},
            body={"state": "scenario"},
        ),
        Example(
            "None",
            path={"editor": "agenda-ville", "slot": "810100050075-1-202611200716"},
            body={"state": "open"},
            status=404,
        ),
    ],
)
def set_slot(control: Control, editor: EditorSlug, slot: SlotId, body: Wanted) -> None:
    """Puts a slot on offer or takes it off, whatever its day, an absence or the scenario says; or forgets that."""
    overrides = control.world.overrides
    try:
        calendar, start = read_slot(slot)
    except ValueError:
        raise refused(Code.SLOT_ID_UNKNOWN, slot=slot) from None
    control.world.catalogue.editor(editor)
    change = {
        WantedState.OPEN: overrides.open_slot,
        WantedState.CLOSED: overrides.close_slot,
        WantedState.SCENARIO: overrides.forget_slot,
    }
    change[body.state](editor, calendar, start)


@operation(
    "PUT",
    "/calendars/{editor}/{calendar}/days/{day}",
    "calendar set-day",
    "Open or close a day",
    refusals={
        404: f"{_NOTHING_THERE}, or no opening begins on that day",
        409: "An extra opening lies over hours that would be back",
    },
    examples=[
        Example("A day off", path=_CALENDAR | {"day": "2026-11-20"}, body={"state": "closed"}),
        Example("Every slot free", path=_CALENDAR | {"day": "2026-11-20"}, body={"state": "open"}),
        Example("As the scenario has it", path=_CALENDAR | {"day": "2026-11-20"}, body={"state": "scenario"}),
    ],
)
def set_day(control: Control, editor: EditorSlug, calendar: CalendarKey, day: Day, body: Wanted) -> None:
    """Puts all slots of a day on offer (but those that appointments hold), or takes them all off; or forgets that."""
    overrides = control.world.overrides
    change = {
        WantedState.OPEN: overrides.open_day,
        WantedState.CLOSED: overrides.close_day,
        WantedState.SCENARIO: overrides.forget_day,
    }
    change[body.state](editor, calendar, day)


@operation(
    "GET",
    "/calendars/{editor}/changes",
    "calendar changes",
    "List what was opened and closed by hand",
    refusals={404: "There is no such editor, calendar or owner"},
    examples=[Example("At an editor", path={"editor": "agenda-ville"})],
)
def list_changes(control: Control, editor: EditorSlug, query: ChangeFilter) -> Changes:
    """What was opened and closed by hand at an editor: slots, days, absences, extra openings."""
    found = control.world.overrides.of(editor, calendar=query.calendar, owner=query.owner)
    return Changes(changes=[_change(one) for one in found])


@operation(
    "POST",
    "/calendars/{editor}/absences",
    "calendar absent",
    "Have somebody be absent",
    status=201,
    refusals={404: "There is no such editor, or nobody with that identifier"},
    examples=[
        Example("Over the holidays", path={"editor": "agenda-ville"}, body=_OWNER),
        Example("To a day before", path={"editor": "agenda-ville"}, body=_OWNER | {"last": "2026-01-01"}, status=422),
    ],
)
def add_absence(control: Control, editor: EditorSlug, body: Absence) -> Change:
    """Closes all calendars of a practitioner or an association from day to day; exceptional openings are kept."""
    return _change(control.world.overrides.absent(editor, body.owner, body.first, body.last))


@operation(
    "DELETE",
    "/calendars/{editor}/absences/{identifier}",
    "calendar end-absence",
    "Take an absence back",
    refusals={
        404: "There is no such editor or absence",
        409: "An extra opening lies over hours that would be back",
    },
    examples=[Example("One that there is not", path={"editor": "agenda-ville", "identifier": "99"}, status=404)],
)
def end_absence(control: Control, editor: EditorSlug, identifier: OverrideId) -> None:
    """Forgets an absence that was given by hand."""
    control.world.overrides.end_absence(editor, identifier)


@operation(
    "POST",
    "/calendars/{editor}/{calendar}/openings",
    "calendar extra",
    "Open a calendar once more",
    status=201,
    refusals={404: _NOTHING_THERE, 409: "An appointment lies across its slots"},
    examples=[
        Example(
            "A Sunday evening",
            path=_CALENDAR,
            body={"day": "2026-11-22", "hours": ["21:00-23:00"], "slot_minutes": 30, "slot_types": ["SNP"]},
        ),
        Example("Hours that are none", path=_CALENDAR, body={"day": "2026-11-22", "hours": ["noon"]}, status=422),
    ],
)
def add_opening(control: Control, editor: EditorSlug, calendar: CalendarKey, body: ExtraOpening) -> Change:
    """Gives a calendar hours of one day besides those of the scenario; they may not overlap with others.

    On a day that was closed by hand, or in an absence, they may lie over those that this covers.
    """
    section = body.model_dump(mode="json", exclude={"day"}, exclude_none=True)
    return _change(control.world.overrides.add_extra(editor, calendar, body.day, section))


@operation(
    "DELETE",
    "/calendars/{editor}/openings/{identifier}",
    "calendar remove-extra",
    "Take an extra opening back",
    refusals={404: "There is no such editor or opening"},
    examples=[Example("One that there is not", path={"editor": "agenda-ville", "identifier": "99"}, status=404)],
)
def remove_opening(control: Control, editor: EditorSlug, identifier: OverrideId) -> None:
    """Takes an extra opening away; appointments in it stay."""
    control.world.overrides.remove_extra(editor, identifier)


def _calendar(control: Control, editor: str, calendar: str) -> OwnedCalendar:
    found = find_calendar(control.world.catalogue.editor(editor), calendar)
    if found is None:
        raise refused(Code.CALENDAR_NOT_FOUND, calendar=calendar, editor=editor)
    return found


def _described(at: OwnedCalendar) -> Calendar:
    return Calendar(
        editor=at.editor.slug,
        calendar=at.key,
        owner=at.owner.id,
        name=title(at),
        place=place_name(at),
        timezone=at.zone.key,
    )


def _shown(calendar: str, slot: Slot, why: Unavailable | None) -> CalendarSlot:
    return CalendarSlot(
        slot=f"{calendar}-{stamp(slot.start)}",
        start=slot.start,
        end=slot.end,
        state=_STATES[why],
        slot_types=list(slot.shape.types),
        consultation_types=list(slot.shape.consultation_types),
        appointment_type=slot.shape.appointment_type,
        reasons=list(slot.shape.reasons),
    )


def _change(one: Override) -> Change:
    return Change(
        kind=one.kind,
        open=one.open,
        id=one.id,
        owner=one.owner,
        calendar=one.calendar,
        first=one.first,
        last=one.last,
        slot=f"{one.calendar}-{stamp(one.start)}" if one.start else None,
        opening=dict(one.section) if one.section is not None else None,
    )

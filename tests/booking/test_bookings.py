"""Taking and moving slots without a session: by the practice itself, or as a regulator of the SAS."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Code
from mock_editor.base.store import Store
from mock_editor.booking.bookings import Bookings
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, calendars_of
from mock_editor.calendars.generator import slots_of_day
from mock_editor.calendars.model import (
    Appointment,
    AppointmentStatus,
    AppointmentType,
    RegulatorId,
    Slot,
    SlotType,
)
from mock_editor.calendars.overrides import Overrides
from mock_editor.notifications.model import NotificationState
from mock_editor.scenario import LoadedScenario
from mock_editor.world.tables import tables
from tests.booking.conftest import AGENDA, Browser
from tests.conftest import GUIDE_THOMAS, NOW, playing

REGULATOR = RegulatorId("urn:oid:1.2.250.1.71.4.2.1", "3456780581/11242343")
SATURDAY = date(2026, 11, 21)
HOUSE = "334173748400020"
HIDDEN = frozenset({SlotType.OWN_PATIENTS, SlotType.PRIVATE, SlotType.STRUCTURE})


class Practice:
    """The rules over a scenario, and what the SAS is told."""

    def __init__(self, played: LoadedScenario, folder: Path, now: datetime = NOW) -> None:
        self.catalogue = Catalogue(played.editors, Clock(now))
        self.store = Store(folder / "state.db", tables())
        self.told: list[Appointment] = []
        self.overrides = Overrides(self.store, self.catalogue, played.extra_openings.read)
        self.appointments = Appointments(
            self.store,
            self.catalogue.editors,
            self.catalogue.taken,
            lambda _, one: self.told.append(one) if one.sas else None,
            self.overrides.check,
        )
        self.bookings = Bookings(self.catalogue, self.appointments)

    def take(
        self, at: OwnedCalendar, start: datetime, regulator: RegulatorId | None = None, **more: str
    ) -> Appointment:
        values = {"booker": "x", "patient": "Fictif", "reason": ""} | more
        return self.bookings.take(at, start, regulator=regulator, **values)

    def slots(self, of: Callable[[Slot], bool], day: date = SATURDAY) -> list[tuple[OwnedCalendar, Slot]]:
        """Free slots of a day, anywhere in a scenario."""
        return [
            (at, slot)
            for editor in self.catalogue.editors.values()
            for owner in (*(person.id for person in editor.directory), *editor.associations)
            for at in calendars_of(editor, owner)
            for slot in slots_of_day(at.calendar, day)
            if not slot.taken and of(slot)
        ]


@pytest.fixture
def practice(played: LoadedScenario, tmp_path: Path) -> Practice:
    return Practice(played, tmp_path)


@pytest.mark.parametrize("kind", list(SlotType))
def test_the_practice_takes_slots_of_every_type(practice: Practice, kind: SlotType) -> None:
    at, slot = practice.slots(lambda slot: kind in slot.shape.types)[0]
    made = practice.take(at, slot.start, patient="  Fictif Zoé ", reason=" Toux ")
    assert made == practice.appointments.read(at.editor.slug, made.id)
    assert (made.start, made.end, made.patient, made.reason) == (slot.start, slot.end, "Fictif Zoé", "Toux")
    assert (made.regulator, made.booker, made.status) == (None, "x", AppointmentStatus.BOOKED)
    assert practice.told == []
    with pytest.raises(EditorError) as refused:
        practice.take(at, slot.start)
    assert (refused.value.status, refused.value.issues[0].code) == (409, Code.SLOT_BOOKED)


@pytest.mark.parametrize("kind", list(SlotType))
def test_a_regulator_takes_what_regulators_see(practice: Practice, kind: SlotType) -> None:
    found = practice.slots(
        lambda slot: slot.shape.types == (kind,) and slot.shape.appointment_type is AppointmentType.ROUTINE
    )
    at, slot = next((at, slot) for at, slot in found if at.editor.slug != "agenda-sos")
    if kind in HIDDEN:
        with pytest.raises(EditorError) as refused:
            practice.take(at, slot.start, REGULATOR)
        assert refused.value.issues[0].code is Code.SLOT_NOT_FOR_THEM
        assert practice.told == []
    else:
        made = practice.take(at, slot.start, REGULATOR, booker="account")
        assert (made.regulator, made.booker) == (REGULATOR, "account")
        assert practice.told == [made]


def test_at_sos_a_regulator_takes_public_and_snp_slots(practice: Practice) -> None:
    at = calendars_of(practice.catalogue.editors["agenda-sos"], HOUSE)[0]
    for kind in (SlotType.PUBLIC, SlotType.SNP):
        slot = next(s for s in slots_of_day(at.calendar, SATURDAY) if not s.taken and s.shape.types == (kind,))
        made = practice.take(at, slot.start, REGULATOR)
        assert (made.sos, made.status, made.practitioner) == (True, AppointmentStatus.PENDING, None)
    practice.overrides.add_extra(
        "agenda-sos", at.calendar.key, SATURDAY, {"hours": ["05:00-06:00"], "slot_types": ["PRO"], "taken": 0}
    )
    start = datetime(2026, 11, 21, 4, tzinfo=UTC)
    with pytest.raises(EditorError):
        practice.take(at, start, REGULATOR)
    assert practice.take(at, start).start == start


@pytest.mark.parametrize(
    ("shift", "practice_may", "regulator_may"),
    [
        (timedelta(days=-60), True, False),  # beyond the horizon
        (timedelta(minutes=-5), True, True),
        (timedelta(0), True, True),
        (timedelta(minutes=1), True, False),  # it has begun
        (timedelta(minutes=14), True, False),
        (timedelta(minutes=15), False, False),  # it is over
        (timedelta(days=1), False, False),
    ],
)
def test_when_a_slot_may_be_taken(
    played: LoadedScenario, tmp_path: Path, shift: timedelta, practice_may: bool, regulator_may: bool
) -> None:
    one = Practice(played, tmp_path)
    at = calendars_of(one.catalogue.editors["agenda-ville"], GUIDE_THOMAS)[0]
    slot = next(
        slot for slot in slots_of_day(at.calendar, SATURDAY) if not slot.taken and SlotType.PUBLIC in slot.shape.types
    )
    assert slot.end - slot.start == timedelta(minutes=15)
    why = Code.SLOT_TOO_FAR if shift < timedelta(days=-28) else Code.SLOT_PAST
    for regulator, may in ((REGULATOR, regulator_may), (None, practice_may)):
        one = Practice(played, tmp_path, slot.start + shift)
        if may:
            made = one.take(at, slot.start, regulator)
            one.bookings.cancel(made)
        else:
            with pytest.raises(EditorError) as refused:
                one.take(at, slot.start, regulator)
            assert (refused.value.status, refused.value.issues[0].code) == (409, why)


def test_a_walk_in_slot_is_for_the_practice_to_fill(practice: Practice) -> None:
    at, slot = practice.slots(lambda slot: slot.shape.appointment_type is AppointmentType.WALKIN)[0]
    with pytest.raises(EditorError) as refused:
        practice.take(at, slot.start, REGULATOR)
    assert refused.value.issues[0].code is Code.SLOT_WALK_IN
    assert practice.take(at, slot.start).start == slot.start


@pytest.mark.parametrize("regulator", [None, REGULATOR])
@pytest.mark.parametrize("patient", ["", "   "])
def test_a_patient_has_a_name(practice: Practice, regulator: RegulatorId | None, patient: str) -> None:
    at, slot = practice.slots(lambda slot: slot.shape.types == (SlotType.PUBLIC,))[0]
    with pytest.raises(EditorError) as refused:
        practice.take(at, slot.start, regulator, patient=patient)
    assert refused.value.status == 422
    assert practice.appointments.of(at.editor.slug) == []


def test_the_practice_moves_to_a_slot_that_nobody_else_sees(practice: Practice) -> None:
    at, slot = practice.slots(lambda slot: slot.shape.types == (SlotType.PUBLIC,))[0]
    made = practice.take(at, slot.start, REGULATOR)
    far = SATURDAY + timedelta(days=100)
    to, hidden = practice.slots(lambda slot: slot.shape.types == (SlotType.PRIVATE,), far)[0]
    with pytest.raises(EditorError):
        practice.bookings.move(made, to, hidden.start, frozenset(SlotType))  # beyond the horizon
    moved = practice.bookings.move(made, to, hidden.start, None)
    assert (moved.calendar, moved.start, moved.regulator) == (to.calendar.key, hidden.start, REGULATOR)
    assert practice.told == [made, moved]
    # Its slot is free again.
    assert practice.take(at, slot.start).start == slot.start


# --- what is opened and closed by hand


def test_slots_are_booked_as_they_were_opened_and_closed(practice: Practice) -> None:
    at = calendars_of(practice.catalogue.editors["agenda-ville"], GUIDE_THOMAS)[0]
    key = at.calendar.key
    slots = [slot for slot in slots_of_day(at.calendar, SATURDAY) if SlotType.PUBLIC in slot.shape.types]
    drawn = next(slot for slot in slots if slot.taken)
    free = [slot for slot in slots if not slot.taken]
    for regulator in (None, REGULATOR):
        with pytest.raises(EditorError) as refused:
            practice.take(at, drawn.start, regulator)
        assert refused.value.issues[0].code is Code.SLOT_TAKEN
    practice.overrides.open_slot("agenda-ville", key, drawn.start)
    made = practice.take(at, drawn.start, REGULATOR)
    practice.overrides.close_slot("agenda-ville", key, free[0].start)
    practice.overrides.close_day("agenda-ville", key, SATURDAY + timedelta(days=1))
    sunday = next(slot for slot in slots_of_day(at.calendar, SATURDAY + timedelta(days=1)) if not slot.taken)
    for start, why in ((free[0].start, Code.SLOT_CLOSED), (sunday.start, Code.SLOT_DAY_CLOSED)):
        for regulator in (None, REGULATOR):
            with pytest.raises(EditorError) as refused:
                practice.take(at, start, regulator)
            assert refused.value.issues[0].code is why
        with pytest.raises(EditorError) as refused:
            practice.bookings.move(made, at, start, None)
        assert refused.value.issues[0].code is why
    # An appointment stays where it is when all around it closes, and may be moved away.
    practice.overrides.absent("agenda-ville", GUIDE_THOMAS, SATURDAY, SATURDAY)
    practice.overrides.close_slot("agenda-ville", key, drawn.start)
    assert practice.appointments.read("agenda-ville", made.id) == made
    practice.overrides.open_slot("agenda-ville", key, free[1].start)
    assert practice.bookings.move(made, at, free[1].start, None).start == free[1].start


def test_a_slot_that_was_closed_meanwhile_is_refused_as_such(played: LoadedScenario, tmp_path: Path) -> None:
    one, late = Practice(played, tmp_path), Practice(played, tmp_path)
    at, slot = late.slots(lambda slot: slot.shape.types == (SlotType.PUBLIC,))[0]
    one.overrides.close_slot(at.editor.slug, at.calendar.key, slot.start)
    assert late.bookings.bookable_slot(at, slot.start, frozenset(SlotType)) == slot
    with pytest.raises(EditorError) as refused:
        late.take(at, slot.start, REGULATOR)
    assert (refused.value.status, refused.value.issues[0].code) == (409, Code.SLOT_CLOSED)
    assert late.told == []


def test_pages_show_and_book_what_was_opened(played: LoadedScenario, clock: Clock, tmp_path: Path) -> None:
    played_now = playing(played, clock, tmp_path)
    browser = Browser(played_now.app)
    browser.visit()
    before = browser.links("/reserver")
    overrides = played_now.world.overrides
    overrides.absent("agenda-ville", GUIDE_THOMAS, NOW.date(), NOW.date() + timedelta(days=28))
    browser.open(AGENDA)
    assert browser.links("/reserver") == []
    overrides.open_day("agenda-ville", f"{GUIDE_THOMAS}-1", SATURDAY)
    browser.open(AGENDA)
    assert len(before) > len(browser.links("/reserver")) > 0
    assert browser.book(patient="Ouvert")
    booked = played_now.world.appointments.of("agenda-ville")
    assert [one.start.date() for one in booked] == [SATURDAY]


def test_the_sas_is_told_of_what_a_regulator_took(played: LoadedScenario, clock: Clock, tmp_path: Path) -> None:
    world = playing(played, clock, tmp_path).world
    at = calendars_of(world.catalogue.editor("agenda-ville"), GUIDE_THOMAS)[0]
    first, second, *_ = [
        slot for slot in slots_of_day(at.calendar, SATURDAY) if not slot.taken and SlotType.PUBLIC in slot.shape.types
    ]
    values = {"booker": "x", "patient": "Fictif", "reason": ""}
    world.bookings.take(at, first.start, regulator=None, **values)
    assert world.notifications.counts() == {}
    world.bookings.take(at, second.start, regulator=REGULATOR, **values)
    assert world.notifications.counts() == {NotificationState.WAITING: 1}

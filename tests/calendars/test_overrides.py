"""What people open and close by hand: what stands before what, what is refused, and how it is kept and followed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.base.store import Store
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue, find_calendar
from mock_editor.calendars.generator import slots_of_day
from mock_editor.calendars.model import AppointmentStatus, ConsultationType, Slot, SlotType, Window, start_of_day
from mock_editor.calendars.override_rows import Override, OverrideKind
from mock_editor.calendars.overrides import Overrides
from mock_editor.scenario import LoadedScenario
from mock_editor.world.tables import tables
from tests.calendars.test_appointments import appointment
from tests.conftest import NOW

DOCTOR, HOUSE = "899000000010", "300000000000011"
FREE, FULL, NIGHTS, SOS = f"{DOCTOR}-1", f"{DOCTOR}-2", f"{DOCTOR}-3", f"{HOUSE}-1"
MONDAY, SATURDAY, SUNDAY = date(2026, 11, 23), date(2026, 11, 21), date(2026, 11, 22)
ADDRESS = "structure: {siret: '00000000000001'}, address: {line: 1 rue, postal_code: '33000', city: BORDEAUX}"
TEXT = f"""
name: mains
title: Ouvrir et fermer à la main
seed: s
cpts:
  nord: {{finess: "950047225"}}
  sud: {{finess: "950046227"}}
calendars:
  libre:
    slot_minutes: 60
    slot_types: [PUBLIC, CPTS]
    cpts: [nord]
    week: [{{days: [mon, tue, wed, thu, fri], hours: ["09:00-12:00"]}}]
    exceptional_openings: [{{date: 2026-11-24, hours: ["14:00-16:00"]}}]
    absences: [{{from: 2026-12-24, to: 2026-12-26}}]
  complet:
    slot_minutes: 60
    taken: 1
    week: [{{days: [mon], hours: ["09:00-12:00"]}}]
  nuits:
    slot_minutes: 120
    taken: 0.5
    reasons: [Nuit]
    week: [{{days: [sat], hours: ["20:00-04:00"], taken: 0}}]
editors:
  - slug: one
    name: One
    identifier_system: urn:oid:1.2.3
    practitioners:
      - rpps: "{DOCTOR[1:]}"
        family: A
        specialties: [SM54]
        places:
          - {{calendar: libre, {ADDRESS}}}
          - {{calendar: complet, {ADDRESS}}}
          - {{calendar: nuits, {ADDRESS}}}
  - slug: other
    name: Other
    identifier_system: urn:oid:1.2.4
    associations:
      - siret: "{HOUSE[1:]}"
        name: SOS
        places: [{{name: A, calendar: nuits, {ADDRESS}}}]
"""


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> LoadedScenario:
    path = tmp_path_factory.mktemp("scenario") / "mains.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return scenario.load(path)


class Worker:
    """What one worker has: a store of its own on the file that all share, and what it knows of the calendars."""

    def __init__(self, folder: Path, played: LoadedScenario) -> None:
        self.store = Store(folder / "state.db", tables())
        self.catalogue = Catalogue(played.editors, Clock(NOW))
        self.overrides = Overrides(self.store, self.catalogue, played.extra_openings.read)
        taken = self.catalogue.taken
        self.appointments = Appointments(self.store, self.catalogue.editors, taken, check=self.overrides.check)
        self.follow()

    def follow(self) -> None:
        self.appointments.follow()
        self.overrides.follow()

    def reset(self) -> None:
        with self.store.writing() as db:
            self.overrides.reset(db)
        self.overrides.follow()

    def book(self, start: datetime, calendar: str = FREE, hours: int = 1) -> str:
        end = start + timedelta(hours=hours)
        made = appointment(editor="one", calendar=calendar, start=start, end=end, regulator=None)
        return self.appointments.add(made).id

    def slots(self, calendar: str, day: date) -> list[Slot]:
        """The free slots that start on a local day, as a search finds them."""
        editor = self.catalogue.editors["one" if calendar.startswith(DOCTOR) else "other"]
        found = find_calendar(editor, calendar)
        assert found
        window = Window(start_of_day(day, found.calendar.zone), start_of_day(day + timedelta(1), found.calendar.zone))
        return list(self.catalogue.free_slots(found.calendar, window, frozenset(SlotType)))

    def free(self, calendar: str = FREE, day: date = MONDAY) -> str:
        """At which hours slots are free that start on a day, in local time."""
        return " ".join(str((slot.start + timedelta(hours=1)).hour) for slot in self.slots(calendar, day))


@pytest.fixture
def worker(tmp_path: Path, by_hand: LoadedScenario) -> Callable[[], Worker]:
    return lambda: Worker(tmp_path, by_hand)


@pytest.fixture
def one(worker: Callable[[], Worker]) -> Worker:
    return worker()


def at(hour: int, day: date = MONDAY) -> datetime:
    """An hour in Paris, in winter."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour - 1)


def carry_out(one: Worker, order: str) -> Override | None:
    """``close slot 10``, ``open day``, ``absent``…, on that Monday."""
    verb, _, rest = order.partition(" ")
    what, _, hour = rest.partition(" ")
    for calendar in (FREE, FULL):
        if what == "slot":
            getattr(one.overrides, f"{verb}_slot")("one", calendar, at(int(hour)))
        elif what == "day":
            getattr(one.overrides, f"{verb}_day")("one", calendar, MONDAY)
    if verb == "absent":
        return one.overrides.absent("one", DOCTOR, MONDAY, MONDAY)
    if verb == "back":
        one.overrides.end_absence("one", "absence-1")
    return None


# What is ordered, then the hours that are free in a calendar that is free, and in one that is full.
PRECEDENCE = [
    ("", "9 10 11", ""),
    ("close slot 10", "9 11", ""),
    ("open slot 10", "9 10 11", "10"),
    ("close slot 10, open slot 10", "9 10 11", "10"),
    ("open slot 10, close slot 10", "9 11", ""),
    ("close slot 10, forget slot 10", "9 10 11", ""),
    ("open slot 10, forget slot 10", "9 10 11", ""),
    ("close day", "", ""),
    ("open day", "9 10 11", "9 10 11"),
    ("open day, close day", "", ""),
    ("close day, forget day", "9 10 11", ""),
    ("open day, forget day", "9 10 11", ""),
    ("close day, open slot 10", "10", "10"),
    ("open slot 10, close day", "10", "10"),
    ("open day, close slot 10", "9 11", "9 11"),
    ("close slot 10, open day", "9 11", "9 11"),
    ("close day, open slot 10, forget slot 10", "", ""),
    ("close day, open slot 10, forget day", "9 10 11", "10"),
    ("absent", "", ""),
    ("absent, open slot 10", "10", "10"),
    ("absent, open day", "9 10 11", "9 10 11"),
    ("open day, absent", "9 10 11", "9 10 11"),
    ("absent, open day, close slot 10", "9 11", "9 11"),
    ("absent, open day, forget day", "", ""),
    ("absent, close day, back", "", ""),
    ("absent, back", "9 10 11", ""),
    ("absent, absent, back", "", ""),
]


@pytest.mark.parametrize(("orders", "free", "full"), PRECEDENCE)
def test_a_slot_stands_before_its_day_and_a_day_before_an_absence(
    worker: Callable[[], Worker], orders: str, free: str, full: str
) -> None:
    one = worker()
    for order in filter(None, orders.split(", ")):
        carry_out(one, order)
    assert (one.free(FREE), one.free(FULL)) == (free, full)
    # In another process, and after a restart.
    assert (worker().free(FREE), worker().free(FULL)) == (free, full)
    # Nothing but that day.
    assert one.free(FREE, MONDAY + timedelta(2)) == "9 10 11"


def test_a_night_belongs_to_the_day_it_begins(one: Worker) -> None:
    assert (one.free(NIGHTS, SATURDAY), one.free(NIGHTS, SUNDAY)) == ("20 22", "0 2")
    one.overrides.close_day("one", NIGHTS, SUNDAY)
    assert (one.free(NIGHTS, SATURDAY), one.free(NIGHTS, SUNDAY)) == ("20 22", "0 2")
    one.overrides.close_slot("one", NIGHTS, at(2, SUNDAY))
    assert (one.free(NIGHTS, SATURDAY), one.free(NIGHTS, SUNDAY)) == ("20 22", "0")
    one.overrides.close_day("one", NIGHTS, SATURDAY)
    one.overrides.open_slot("one", NIGHTS, at(0, SUNDAY))
    assert (one.free(NIGHTS, SATURDAY), one.free(NIGHTS, SUNDAY)) == ("", "0")


def test_an_absence_is_of_all_calendars_from_day_to_day(one: Worker) -> None:
    one.overrides.absent("one", DOCTOR, MONDAY - timedelta(2), MONDAY + timedelta(1))
    assert [one.free(NIGHTS, day) for day in (SATURDAY, SUNDAY)] == ["", ""]
    # Exceptional openings are kept, as in an absence of the scenario.
    assert [one.free(FREE, MONDAY + timedelta(n)) for n in (-3, 0, 1, 2)] == ["9 10 11", "", "14 15", "9 10 11"]


def test_an_association_is_absent_too(one: Worker) -> None:
    assert one.free(SOS, SATURDAY) == "20 22"
    one.overrides.absent("other", HOUSE, SATURDAY, SATURDAY)
    assert one.free(SOS, SATURDAY) == one.free(SOS, SUNDAY) == ""
    assert one.free(NIGHTS, SATURDAY) == "20 22"


def test_what_an_appointment_holds_is_never_free(one: Worker) -> None:
    kept = one.book(at(10))
    for order in ("close day", "open day"):
        carry_out(one, order)
    assert one.free() == "9 11"
    with pytest.raises(EditorError, match="409: An appointment holds the slot"):
        one.overrides.open_slot("one", FREE, at(10))
    one.overrides.close_slot("one", FREE, at(10))
    assert one.appointments.read("one", kept).status is AppointmentStatus.BOOKED
    cancel(one, kept)
    assert one.free() == "9 11"
    one.overrides.open_slot("one", FREE, at(10))
    assert one.free() == "9 10 11"


def cancel(one: Worker, identifier: str) -> None:
    one.appointments.change("one", identifier, lambda old: _cancelled(old))


def _cancelled(old: Any) -> Any:
    return appointment(**{name: getattr(old, name) for name in old.__slots__} | {"status": AppointmentStatus.CANCELLED})


# --- extra openings


def test_an_extra_opening_is_written_as_in_a_scenario(one: Worker) -> None:
    section = {
        "hours": ["13:00-14:30", "22:30-24:00"],
        "slot_minutes": 30,
        "slot_types": ["SNP", "CPTS"],
        "consultation_types": ["VR"],
        "reasons": ["Grippe"],
        "appointment_type": "WALKIN",
        "cpts": ["sud"],
        "specialties": ["SM26"],
        "taken": 0,
    }
    made = one.overrides.add_extra("one", FREE, MONDAY, section)
    assert (made.id, made.first, made.calendar, made.owner, made.section) == ("extra-1", MONDAY, FREE, DOCTOR, section)
    slots = one.slots(FREE, MONDAY)[3:]
    assert [slot.start for slot in slots] == [at(13) + timedelta(minutes=30 * n) for n in (0, 1, 2, 19, 20, 21)]
    shape = slots[0].shape
    assert (shape.types, shape.consultation_types) == ((SlotType.SNP, SlotType.CPTS), (ConsultationType.VR,))
    assert [cpts.id for cpts in shape.cpts] == ["1950046227"]
    one.overrides.remove_extra("one", "extra-1")
    assert one.free() == "9 10 11"


def test_what_an_extra_opening_leaves_out_is_as_its_calendar_has_it(one: Worker) -> None:
    one.overrides.add_extra("one", NIGHTS, MONDAY, {"hours": ["00:00-24:00"]})
    found = find_calendar(one.catalogue.editors["one"], NIGHTS)
    assert found
    slots = one.catalogue.taken.slots_of_day(found.calendar, MONDAY)
    assert len(slots) == 12
    assert 0 < sum(slot.taken for slot in slots) < 12
    assert {(slot.end - slot.start, slot.shape.reasons) for slot in slots} == {(timedelta(hours=2), ("Nuit",))}


def test_an_extra_opening_leaves_the_draws_of_the_day_as_they_were(one: Worker, by_hand: LoadedScenario) -> None:
    (calendar,) = [
        place.calendar for association in by_hand.editors[1].associations.values() for place in association.places
    ]
    one.overrides.add_extra("other", SOS, MONDAY, {"hours": ["10:00-18:00"], "slot_minutes": 5})
    before = one.catalogue.taken.slots_of_day(calendar, MONDAY)
    for hours in ("00:00-10:00", "18:00-24:00"):
        one.overrides.add_extra("other", SOS, MONDAY, {"hours": [hours], "slot_minutes": 5})
    after = one.catalogue.taken.slots_of_day(calendar, MONDAY)
    assert len(after) == 3 * len(before) == 288
    assert [slot for slot in after if slot in before] == list(before)
    assert list(after) == sorted(after, key=lambda slot: slot.start)


def test_extra_openings_are_opened_and_closed_like_others_but_kept_in_an_absence(one: Worker) -> None:
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-16:00"]})
    one.overrides.absent("one", DOCTOR, MONDAY, MONDAY)
    assert one.free() == "14 15"
    one.overrides.close_slot("one", FREE, at(14))
    assert one.free() == "15"
    one.overrides.close_day("one", FREE, MONDAY)
    assert one.free() == ""
    one.overrides.open_day("one", FREE, MONDAY)
    assert one.free() == "9 10 11 15"
    # With the opening goes what was said of its slots.
    one.overrides.remove_extra("one", "extra-1")
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-16:00"]})
    assert one.free() == "9 10 11 14 15"


def test_hours_of_a_closed_day_can_be_opened_again(one: Worker) -> None:
    one.overrides.close_slot("one", FREE, at(9))
    one.overrides.close_day("one", FREE, MONDAY)
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["09:00-10:00", "14:00-15:00"]})
    assert one.free() == "9 14"
    # In other steps than the scenario's.
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["10:30-11:30"], "slot_minutes": 30})
    assert one.free() == "9 10 11 14"
    half = timedelta(minutes=30)
    assert [slot.start for slot in one.slots(FREE, MONDAY)] == [at(9), at(10) + half, at(11), at(14)]
    with pytest.raises(EditorError, match="422: It overlaps with another opening"):
        one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["11:00-12:00"]})
    # What would be back would lie under them.
    for change in (one.overrides.forget_day, one.overrides.open_day):
        with pytest.raises(EditorError, match=r"409: An extra opening of .* on 2026-11-23 lies over these hours"):
            change("one", FREE, MONDAY)
    assert one.free() == "9 10 11 14"
    # Closed once more, they are closed too.
    one.overrides.close_day("one", FREE, MONDAY)
    assert one.free() == ""
    for number in (1, 2):
        one.overrides.remove_extra("one", f"extra-{number}")
    one.overrides.forget_day("one", FREE, MONDAY)
    assert one.free() == "9 10 11"


def test_hours_of_an_absence_can_be_opened_again(one: Worker) -> None:
    one.overrides.absent("one", DOCTOR, MONDAY, MONDAY)
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["09:30-10:30"]})
    assert [slot.start for slot in one.slots(FREE, MONDAY)] == [at(9) + timedelta(minutes=30)]
    with pytest.raises(EditorError, match=r"409: An extra opening of .* on 2026-11-23 lies over these hours"):
        one.overrides.end_absence("one", "absence-1")
    one.overrides.remove_extra("one", "extra-1")
    one.overrides.end_absence("one", "absence-1")
    assert one.free() == "9 10 11"


def test_a_slot_that_was_opened_on_a_closed_day_is_not_laid_over(one: Worker) -> None:
    one.overrides.close_day("one", FREE, MONDAY)
    one.overrides.open_slot("one", FREE, at(10))
    with pytest.raises(EditorError, match="422: It overlaps with the slot at 2026-11-23T09:00"):
        one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["09:30-10:30"]})
    assert one.free() == "10"


@pytest.mark.parametrize(
    ("calendar", "day", "section", "text"),
    [
        (FREE, MONDAY, {"hours": ["11:30-12:30"]}, "overlaps with another opening"),
        (FREE, MONDAY, {"hours": ["12:00-14:00", "13:00-15:00"]}, "overlaps with another opening"),
        (FREE, MONDAY + timedelta(1), {"hours": ["15:00-17:00"]}, "overlaps with another opening"),
        (FREE, MONDAY, {"hours": ["17:30-19:00"]}, "overlaps with another opening"),
        (NIGHTS, SUNDAY, {"hours": ["03:00-05:00"]}, "the night before"),
        (FREE, MONDAY, {"hours": ["14:00-14:30"]}, "hours.0: no slot of 60 minutes fits in"),
        (FREE, MONDAY, {"hours": ["20:00-02:00"]}, "a night is two openings"),
        (FREE, MONDAY, {"hours": ["8-9"]}, "hours.0: expected hours such as"),
        (FREE, MONDAY, {"hours": []}, "hours: "),
        (FREE, MONDAY, {}, "hours: missing"),
        (FREE, MONDAY, {"hours": ["14:00-15:00"], "date": "2026-11-23"}, "date: unknown key; expected: slot_types"),
        (FREE, MONDAY, {"hours": ["14:00-15:00"], "mix": [{"share": 1, "x": 1}]}, r"mix.0.x: unknown key; .*share"),
        (FREE, MONDAY, {"hours": ["14:00-15:00"], "slot_types": ["PUBIC"]}, "slot_types.0: "),
        (FREE, MONDAY, {"hours": ["14:00-15:00"], "cpts": ["est"]}, "no CPTS 'est'; there are: nord, sud"),
        (FREE, MONDAY, {"hours": ["14:00-15:00"], "reasons": ["a\0b"]}, "control character"),
        (FREE, MONDAY, {"hours": ["14:00-15:00"], "taken": 2}, "taken: "),
        (
            SOS,
            MONDAY,
            {"hours": ["14:00-17:00"], "slot_types": ["CPTS"], "cpts": ["sud"]},
            "other opens no slots to CP",
        ),
        (FREE, date(2027, 3, 28), {"hours": ["02:00-03:00"]}, "the clocks change"),
        (FREE, date(2201, 1, 1), {"hours": ["14:00-15:00"]}, "1900 to 2200"),
    ],
)
def test_an_extra_opening_that_cannot_be(
    one: Worker, calendar: str, day: date, section: dict[str, Any], text: str
) -> None:
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["17:00-18:00"]})
    editor = "one" if calendar.startswith(DOCTOR) else "other"
    with pytest.raises(EditorError, match=text) as refused:
        one.overrides.add_extra(editor, calendar, day, section)
    assert refused.value.status == 422
    assert len(one.overrides.of("one")) == 1
    assert one.overrides.of("other") == []


def test_an_appointment_of_a_removed_opening_is_not_laid_over(one: Worker) -> None:
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-16:00"]})
    kept = one.book(at(14))
    one.overrides.remove_extra("one", "extra-1")
    assert one.appointments.read("one", kept).status is AppointmentStatus.BOOKED
    with pytest.raises(EditorError, match="409: The appointment at 2026-11-23T13:00:00"):
        one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:30-16:30"]})
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-16:00"]})
    assert one.free() == "9 10 11 15"


def test_an_absence_of_the_scenario_leaves_room_for_an_extra_opening(one: Worker) -> None:
    christmas = date(2026, 12, 24)
    with pytest.raises(EditorError, match=r"^404: No opening of .* begins on 2026-12-24; an extra opening gives"):
        one.overrides.open_day("one", FREE, christmas)
    one.overrides.add_extra("one", FREE, christmas, {"hours": ["10:00-11:00"]})
    found = find_calendar(one.catalogue.editors["one"], FREE)
    assert found
    assert [slot.start for slot in one.catalogue.taken.slots_of_day(found.calendar, christmas)] == [at(10, christmas)]
    assert slots_of_day(found.calendar, christmas) == ()


# --- what is not there, and days that cannot be


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (lambda o: o.close_slot("x", FREE, at(9)), "No editor 'x'; there are: one, other"),
        (
            lambda o: o.open_day("other", FREE, MONDAY),
            "No calendar '899000000010-1' at other; a calendar is named like",
        ),
        (lambda o: o.close_day("one", f"{DOCTOR}-9", MONDAY), f"there are: {FREE}, {FULL}, {NIGHTS}"),
        (lambda o: o.forget_day("one", "", MONDAY), "No calendar ''"),
        (lambda o: o.close_slot("one", FREE, at(13)), r"starts at 2026-11-23T13:00:00\+01:00; around there, .*T11:00"),
        (lambda o: o.open_slot("one", FREE, at(9) + timedelta(seconds=1)), "starts at 2026-11-23T09:00:01"),
        (lambda o: o.forget_slot("one", FREE, at(9, SUNDAY)), "nor does any on that day"),
        (lambda o: o.absent("one", HOUSE, MONDAY, MONDAY), f"Nobody at one is '{HOUSE}'; expected: <national"),
        (lambda o: o.end_absence("one", "absence-1"), "No absence 'absence-1' at one; there are: none"),
        (lambda o: o.remove_extra("one", "1"), "No extra '1' at one"),
        (lambda o: o.add_extra("one", "a-1", MONDAY, {}), "No calendar 'a-1'"),
        (lambda o: o.of("x"), "No editor"),
        (lambda o: o.of("one", calendar=SOS), "No calendar"),
        (lambda o: o.of("one", owner="nobody"), "Nobody at one"),
    ],
)
def test_what_is_not_there_is_told(one: Worker, operation: Callable[[Overrides], object], text: str) -> None:
    with pytest.raises(EditorError, match=rf"^404: .*{text}"):
        operation(one.overrides)
    assert one.overrides.of("one") == []


@pytest.mark.parametrize(
    "operation",
    [
        lambda o: o.close_day("one", FREE, date(1899, 12, 31)),
        lambda o: o.forget_day("one", FREE, date.max),
        lambda o: o.close_slot("one", FREE, datetime.min.replace(tzinfo=UTC)),
        lambda o: o.close_slot("one", FREE, datetime(2026, 11, 23, 9)),  # noqa: DTZ001 - without an offset
        lambda o: o.absent("one", DOCTOR, MONDAY, SUNDAY),
        lambda o: o.absent("one", DOCTOR, MONDAY, MONDAY + timedelta(3660)),
        lambda o: o.absent("one", DOCTOR, date.min, date.max),
    ],
)
def test_days_that_cannot_be_are_refused(one: Worker, operation: Callable[[Overrides], object]) -> None:
    with pytest.raises(EditorError) as refused:
        operation(one.overrides)
    assert refused.value.status == 422


def test_the_first_and_the_last_day_can_be(one: Worker) -> None:
    for day in (date(1900, 1, 1), date(2200, 12, 31)):
        one.overrides.close_day("one", FREE, day)
        one.overrides.add_extra("one", FREE, day, {"hours": ["23:00-24:00"]})
    one.overrides.absent("one", DOCTOR, MONDAY, MONDAY + timedelta(3659))


# --- rows


def test_all_is_listed(one: Worker) -> None:
    carry_out(one, "close slot 10")
    carry_out(one, "close day")
    one.overrides.absent("one", DOCTOR, SUNDAY, MONDAY)
    one.overrides.add_extra("one", NIGHTS, MONDAY, {"hours": ["10:00-12:00"]})
    listed = one.overrides.of("one")
    assert [(found.kind.value, found.calendar, found.id) for found in listed] == [
        ("slot", FREE, None),
        ("slot", FULL, None),
        ("day", FREE, None),
        ("day", FULL, None),
        ("absence", None, "absence-1"),
        ("extra", NIGHTS, "extra-1"),
    ]
    assert listed[0] == Override(
        kind=OverrideKind.SLOT, open=False, owner=DOCTOR, calendar=FREE, first=MONDAY, last=MONDAY, start=at(10)
    )
    assert one.overrides.of("one", owner=DOCTOR) == listed
    assert one.overrides.of("one", calendar=FREE) == [listed[0], listed[2], listed[4]]
    assert one.overrides.of("other") == one.overrides.of("other", owner=HOUSE) == []


def test_the_same_requests_get_the_same_ids_and_no_id_comes_twice(one: Worker) -> None:
    for _ in range(2):
        for number in (1, 2, 3):
            made = one.overrides.absent("one", DOCTOR, MONDAY, MONDAY)
            assert made.id == f"absence-{number}"
            one.overrides.end_absence("one", made.id)
        assert one.overrides.of("one") == []
        one.reset()


def test_a_reset_forgets_all_and_leaves_the_appointments(worker: Callable[[], Worker]) -> None:
    one, other = worker(), worker()
    one.book(at(9))
    carry_out(one, "close slot 10")
    one.overrides.absent("one", DOCTOR, MONDAY, MONDAY)
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-16:00"]})
    one.overrides.close_day("one", NIGHTS, SATURDAY)
    other.follow()
    assert (other.free(), other.free(NIGHTS, SATURDAY)) == ("14 15", "")
    one.reset()
    other.follow()
    for each in (one, other, worker()):
        assert (each.free(), each.free(NIGHTS, SATURDAY)) == ("10 11", "20 22")
        assert each.overrides.of("one") == []


def test_another_worker_follows(worker: Callable[[], Worker]) -> None:
    one, other = worker(), worker()
    orders = ["open day", "close slot 10", "absent", "close day", "back", "forget day", "forget slot 10"]
    for order in orders:
        carry_out(one, order)
        before = other.free(FREE), other.free(FULL)
        other.follow()
        assert (other.free(FREE), other.free(FULL)) == (one.free(FREE), one.free(FULL)), order
        carry_out(other, "close slot 9")
        carry_out(other, "forget slot 9")
        one.follow()
        assert (one.free(FREE), one.free(FULL)) == (other.free(FREE), other.free(FULL)), (order, before)
    extra = one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-15:00"]})
    assert other.free() == "9 10 11"
    other.follow()
    assert other.free() == "9 10 11 14"
    other.overrides.remove_extra("one", str(extra.id))
    one.follow()
    assert one.free() == "9 10 11"


def test_a_calendar_that_is_as_before_is_the_same_value(one: Worker) -> None:
    carry_out(one, "close slot 10")
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-15:00"]})
    known = one.catalogue.taken.of(one.catalogue.editors["one"].seed)
    standing = known[FREE]
    one.overrides.close_slot("one", NIGHTS, at(20, SATURDAY))
    carry_out(one, "close slot 10")
    with one.store.writing() as db:
        one.appointments.reset(db)
    one.follow()
    assert known[FREE] is standing
    one.overrides.remove_extra("one", "extra-1")
    carry_out(one, "forget slot 10")
    assert FREE not in known


def test_what_a_changed_scenario_no_longer_holds_is_left_out(tmp_path: Path, by_hand: LoadedScenario) -> None:
    one = Worker(tmp_path, by_hand)
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-15:00"], "cpts": ["sud"], "slot_types": ["CPTS"]})
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["15:00-16:00"]})
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["16:00-17:00"]})
    one.overrides.close_slot("one", NIGHTS, at(20, SATURDAY))
    text = TEXT.replace('  sud: {finess: "950046227"}\n', "").replace("2026-11-24", "2026-11-28")
    text = text.replace('12:00"]}]\n    exc', '15:30"]}]\n    exc')
    (tmp_path / "changed.yaml").write_text(text.replace(f"          - {{calendar: nuits, {ADDRESS}}}\n", "", 1))
    changed = Worker(tmp_path, scenario.load(tmp_path / "changed.yaml"))
    assert changed.free() == "9 10 11 12 13 14 16"
    assert len(changed.overrides.of("one")) == 3
    # It is there again with the scenario of before.
    assert Worker(tmp_path, by_hand).free() == "9 10 11 14 15 16"


# --- races


def test_a_slot_that_another_worker_has_closed_is_not_taken(worker: Callable[[], Worker]) -> None:
    one, late = worker(), worker()
    moved = late.book(at(9))
    one.overrides.close_slot("one", FREE, at(10))
    # It has not heard of it yet.
    assert late.free() == "10 11"
    with pytest.raises(EditorError, match="409: This slot was closed by hand"):
        late.book(at(10))
    with pytest.raises(EditorError, match="409"):
        late.appointments.change("one", moved, lambda old: _moved(old, at(10)))
    assert late.appointments.read("one", moved).start == at(9)
    one.overrides.open_slot("one", FREE, at(10))
    late.book(at(10))


def _moved(old: Any, start: datetime) -> Any:
    changes = {"start": start, "end": start + timedelta(hours=1)}
    return appointment(**{name: getattr(old, name) for name in old.__slots__} | changes)


def test_a_slot_of_an_opening_that_another_worker_has_removed_is_not_taken(worker: Callable[[], Worker]) -> None:
    one, late = worker(), worker()
    one.overrides.add_extra("one", FREE, MONDAY, {"hours": ["14:00-16:00"]})
    late.follow()
    one.overrides.remove_extra("one", "extra-1")
    assert late.free() == "9 10 11 14 15"
    with pytest.raises(EditorError, match="409"):
        late.book(at(14))


def test_of_booking_and_closing_at_once_each_leaves_a_sound_state(worker: Callable[[], Worker]) -> None:
    workers = [worker() for _ in range(4)]

    def act(number: int) -> int:
        one = workers[number % 4]
        try:
            if number % 2:
                one.overrides.close_slot("one", FREE, at(10))
            else:
                one.book(at(10))
        except EditorError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(act, range(16)))
    assert set(done[1::2]) == {200}
    assert set(done[::2]) <= {200, 409}
    assert len(workers[0].appointments.of("one")) == done[::2].count(200) <= 1
    for each in workers:
        each.follow()
        assert each.free() == "9 11"

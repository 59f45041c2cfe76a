"""What was opened and closed by hand, as searches and reads see it."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.base.fhir import Resource
from mock_editor.base.store import Store
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.availability import Unavailable
from mock_editor.calendars.catalogue import Catalogue, OwnedCalendar, calendars_of, stamp
from mock_editor.calendars.generator import slots_of_day, times_of
from mock_editor.calendars.model import Editor, Slot, SlotShape, Window, start_of_day
from mock_editor.calendars.override_rows import Override, OverrideKind
from mock_editor.calendars.overrides import Overrides
from mock_editor.scenario import LoadedScenario
from mock_editor.search.bundle import AskedWindow, EntryWriter
from mock_editor.search.resources import SlotTimes
from mock_editor.search.slot_searches import INT_R01, INT_R04, SOS, SlotSearch
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.tables import tables
from mock_editor.world.world import StatePart
from tests.calendars.test_appointments import appointment
from tests.conftest import GUIDE_THOMAS, NOW, WITH_CPTS, json_of, of_type, playing, slot_search, sos_search

SATURDAY, SUNDAY = date(2026, 11, 21), date(2026, 11, 22)
FORET, HOUSE = "810002909371", "334173748400020"


class Surface(NamedTuple):
    """A way to search for the slots of an owner. ``types`` are such as it shows."""

    editor: str
    owner: str
    url: str
    types: list[str]


SURFACES = {
    "INT_R01": Surface("agenda-ville", GUIDE_THOMAS, slot_search([GUIDE_THOMAS]), ["PUBLIC"]),
    "INT_R04": Surface("agenda-cpts", FORET, slot_search([FORET], editor="agenda-cpts", extra=WITH_CPTS), ["CPTS"]),
    "SOS": Surface("agenda-sos", HOUSE, sos_search([HOUSE]), ["PUBLIC", "SNP"]),
}


class Site:
    """A simulator as a client of one surface sees it, and as somebody who opens and closes by hand."""

    def __init__(self, played: Simulator, surface: Surface) -> None:
        self.simulator = played
        self.client: FlaskClient = played.app.test_client()
        self.surface = surface
        self.overrides: Overrides = played.world.overrides

    def search(self) -> dict[str, Any]:
        answer = self.client.get(self.surface.url)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = json_of(answer)
        return found

    def slots(self) -> dict[str, dict[str, Any]]:
        """The slots that a search finds, by id."""
        return {slot["id"]: slot for slot in of_type(self.search(), "Slot")}

    def read(self, identifier: str) -> int:
        return self.client.get(f"/{self.surface.editor}/fhir/Slot/{identifier}").status_code

    @property
    def first(self) -> OwnedCalendar:
        """The first calendar of the owner."""
        return calendars_of(self.simulator.world.catalogue.editor(self.surface.editor), self.surface.owner)[0]


@pytest.fixture(params=SURFACES)
def site(request: pytest.FixtureRequest, played: LoadedScenario, clock: Clock, tmp_path: Path) -> Site:
    return Site(playing(played, clock, tmp_path), SURFACES[request.param])


def split(identifier: str) -> tuple[str, datetime]:
    """The calendar and the start of a slot's id."""
    calendar, _, text = identifier.rpartition("-")
    return calendar, datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC)


def on(day: date, slots: dict[str, Any], calendar: str) -> set[str]:
    """Those of a calendar that start on a day, in Paris; in these scenarios no opening of these runs past midnight."""
    midnight = start_of_day(day, ZoneInfo("Europe/Paris"))
    return {one for one in slots if split(one)[0] == calendar and 0 <= (split(one)[1] - midnight).days < 1}


def test_a_slot_is_closed_and_as_before(site: Site) -> None:
    before = site.search()
    identifier = next(iter(site.slots()))
    site.overrides.close_slot(site.surface.editor, *split(identifier))
    assert site.slots().keys() == {slot["id"] for slot in of_type(before, "Slot")} - {identifier}
    assert site.search()["total"] == before["total"] - 1
    assert site.read(identifier) == 404
    site.overrides.forget_slot(site.surface.editor, *split(identifier))
    assert site.search() == before
    assert site.read(identifier) == 200


def test_a_slot_that_was_drawn_as_taken_is_opened(site: Site) -> None:
    calendar, before = site.first.calendar, site.slots()
    drawn = [slot for slot in slots_of_day(calendar, SATURDAY) if slot.taken and shown(slot, site)]
    identifier = f"{calendar.key}-{stamp(drawn[0].start)}"
    assert identifier not in before
    assert site.read(identifier) == 404
    site.overrides.open_slot(site.surface.editor, calendar.key, drawn[0].start)
    assert site.slots().keys() == before.keys() | {identifier}
    assert site.read(identifier) == 200


def shown(slot: Slot, site: Site) -> bool:
    """Whether a slot is of a type that a surface shows."""
    flow = {"agenda-ville": INT_R01, "agenda-cpts": INT_R04, "agenda-sos": SOS}[site.surface.editor]
    return not flow.exposed.isdisjoint(slot.shape.types)


def test_a_day_is_closed_opened_and_as_before(site: Site) -> None:
    calendar, before = site.first.calendar, site.search()
    of_before = site.slots()
    site.overrides.close_day(site.surface.editor, calendar.key, SATURDAY)
    assert on(SATURDAY, of_before, calendar.key)
    assert site.slots().keys() == of_before.keys() - on(SATURDAY, of_before, calendar.key)
    site.overrides.open_day(site.surface.editor, calendar.key, SATURDAY)
    expected = {f"{calendar.key}-{stamp(slot.start)}" for slot in slots_of_day(calendar, SATURDAY) if shown(slot, site)}
    assert on(SATURDAY, site.slots(), calendar.key) == expected
    site.overrides.forget_day(site.surface.editor, calendar.key, SATURDAY)
    assert site.search() == before


def test_hours_of_a_closed_day_that_are_opened_again_are_found(site: Site) -> None:
    surface, calendar = site.surface, site.first.calendar
    site.overrides.close_day(surface.editor, calendar.key, SATURDAY)
    before = site.slots()
    hours: dict[str, Any] = {"hours": ["10:00-11:00"], "slot_minutes": 30, "slot_types": surface.types[:1], "taken": 0}
    if surface.types == ["CPTS"]:
        hours["cpts"] = ["val-d-oise"]
    site.overrides.add_extra(surface.editor, calendar.key, SATURDAY, hours)
    starts = {split(one)[1].isoformat() for one in site.slots().keys() - before.keys()}
    assert starts == {"2026-11-21T09:00:00+00:00", "2026-11-21T09:30:00+00:00"}


def test_whoever_is_absent_offers_nothing(site: Site) -> None:
    before = site.search()
    absence = site.overrides.absent(site.surface.editor, site.surface.owner, NOW.date(), SUNDAY)
    gone = site.search()
    assert (gone["total"], gone.get("entry", [])) == (0, [])
    site.overrides.end_absence(site.surface.editor, str(absence.id))
    assert site.search() == before


def test_an_extra_opening_is_shown_as_it_is_described(site: Site) -> None:
    before, calendar = site.search(), site.first.calendar
    of_before = site.slots()
    section = {
        "hours": ["05:00-06:00"],
        "slot_minutes": 30,
        "slot_types": site.surface.types,
        "cpts": ["val-d-oise"],
        "reasons": ["Épidémie"],
        "consultation_types": ["VR"],
        "taken": 0,
    }
    made = site.overrides.add_extra(site.surface.editor, calendar.key, SUNDAY, section)
    new = {identifier: slot for identifier, slot in site.slots().items() if identifier not in of_before}
    assert [slot["start"] for slot in new.values()] == [
        "2026-11-22T05:00:00.000+01:00",
        "2026-11-22T05:30:00.000+01:00",
    ]
    for identifier, slot in new.items():
        assert [one["code"] for one in slot["meta"]["security"]] == sorted(site.surface.types)
        assert slot["serviceType"][0]["coding"][0]["code"] == "VR"
        assert site.read(identifier) == 200
    if site.surface.editor == "agenda-cpts":
        # It comes with a community that no other of the slots is open to.
        organizations = [one["id"] for one in of_type(site.search(), "Organization")]
        assert "1950046227" in organizations
        assert "1950046227" not in [one["id"] for one in of_type(before, "Organization")]
        assert site.client.get("/agenda-cpts/fhir/Organization/1950046227").status_code == 200
    site.overrides.remove_extra(site.surface.editor, str(made.id))
    assert site.search() == before


def test_a_reset_of_the_calendars_puts_everything_back(site: Site) -> None:
    before, calendar = site.search(), site.first.calendar
    site.overrides.absent(site.surface.editor, site.surface.owner, NOW.date(), SATURDAY)
    site.overrides.open_day(site.surface.editor, calendar.key, SUNDAY)
    site.overrides.add_extra(site.surface.editor, calendar.key, SUNDAY, {"hours": ["05:00-07:00"]})
    site.simulator.reset({StatePart.APPOINTMENTS})
    assert site.search() != before
    site.simulator.reset({StatePart.CALENDARS})
    assert site.search() == before


def test_what_changes_while_a_search_is_written_is_not_kept_for_before(played: LoadedScenario, tmp_path: Path) -> None:
    simulator = World(played, tmp_path)
    editor = simulator.catalogue.editor("agenda-ville")
    (at,) = [one for one in calendars_of(editor, GUIDE_THOMAS) if one.place.key == "1"]
    writer = EntryWriter(editor, "https://lga.example", simulator.catalogue.taken)

    def closing(*about: Any) -> Resource:
        for shift in range(4):
            simulator.overrides.close_day("agenda-ville", at.calendar.key, NOW.date() + timedelta(days=shift))
        return described(*about)

    expected = plain(simulator.catalogue, INT_R01, [at])
    writer.slots(INT_R01, "match", AskedWindow(WINDOW, NOW), located([at]), closing)
    assert written(writer, INT_R01, [at]) == plain(simulator.catalogue, INT_R01, [at]) != expected
    for shift in range(4):
        simulator.overrides.forget_day("agenda-ville", at.calendar.key, NOW.date() + timedelta(days=shift))
    assert written(writer, INT_R01, [at]) == expected


# --- the hot path and the plain one, whatever is opened and closed


class World:
    """The editors of a scenario with a store, without the web."""

    def __init__(self, played: LoadedScenario, folder: Path) -> None:
        store = Store(folder / "state.db", tables())
        self.catalogue = Catalogue(played.editors, Clock(NOW))
        self.overrides = Overrides(store, self.catalogue, played.extra_openings.read)
        self.appointments = Appointments(
            store, self.catalogue.editors, self.catalogue.taken, check=self.overrides.check
        )


ASKED = [
    ("agenda-ville", [GUIDE_THOMAS, "810002673899"], INT_R01),
    ("agenda-cpts", [FORET, "899000000218"], INT_R04),
    ("agenda-sos", [HOUSE, "392080466300010"], SOS),
]
WINDOW = Window(NOW, NOW + timedelta(days=4))


def described(_: SlotSearch, __: object, place: Any, ___: SlotShape, times: SlotTimes) -> Resource:
    return {"resourceType": "Slot", "id": f"{place.calendar.key}-{times.stamp}"}


def located(asked: Sequence[OwnedCalendar]) -> Sequence[tuple[Any, Any]]:
    """Owners and places, of people and associations alike."""
    return [(at.owner, at.place) for at in asked]


def written(writer: EntryWriter, flow: SlotSearch, asked: Sequence[OwnedCalendar]) -> list[str]:
    """The ids of the slots that the hot path finds."""
    found = writer.slots(flow, "match", AskedWindow(WINDOW, NOW), located(asked), described)
    entries = json.loads(b"[" + b"".join(map(bytes, found.entries))[1:] + b"]")
    assert len(entries) == found.count
    return [entry["resource"]["id"] for entry in entries]


def plain(catalogue: Catalogue, flow: SlotSearch, asked: Sequence[OwnedCalendar]) -> list[str]:
    """The same by the plain path."""
    return [
        f"{at.calendar.key}-{stamp(slot.start)}"
        for at in asked
        for slot in catalogue.free_slots(at.calendar, WINDOW, frozenset(flow.exposed))
    ]


def decided(
    catalogue: Catalogue, flow: SlotSearch, asked: Sequence[OwnedCalendar], reasons: set[Unavailable | None]
) -> list[str]:
    """The same, slot by slot; notes why the others are not found."""
    found = []
    for at in asked:
        standing, zone = catalogue.taken.standing(at.calendar), at.zone
        days = [WINDOW.first.astimezone(zone).date() + timedelta(days=shift) for shift in range(-1, 6)]
        starts = sorted(slot.start for day in days for slot, _ in standing.day(at.calendar, day))
        for start in starts:
            slot, why = catalogue.availability(at.calendar, start, flow.exposed)
            assert slot
            assert slot.start == start
            reasons.add(why)
            if why is None and WINDOW.first <= start < WINDOW.after:
                found.append(f"{at.key}-{stamp(start)}")
    return found


def told(simulator: World, flow: SlotSearch, asked: Sequence[OwnedCalendar], read: Callable[..., Any]) -> list[str]:
    """The same once more, by what is listed of overrides and appointments, from the highest down."""
    editor = asked[0].editor.slug
    listed = simulator.overrides.of(editor)
    held = {(one.calendar, one.start) for one in simulator.appointments.of(editor) if one.status.value != "cancelled"}
    return [
        f"{at.calendar.key}-{stamp(slot.start)}"
        for at in asked
        for slot in sorted(free_as_listed(at, listed, held, read), key=lambda slot: slot.start)
        if not flow.exposed.isdisjoint(slot.shape.types)
        and WINDOW.bookable(at.calendar.plan.booking, NOW).first <= slot.start < WINDOW.after
    ]


def free_as_listed(
    at: OwnedCalendar, listed: Sequence[Override], held: set[Any], read: Callable[..., Any]
) -> Iterator[Slot]:
    calendar = at.calendar
    mine = [one for one in listed if one.calendar == calendar.key]
    slots = {one.start: one.open for one in mine if one.kind is OverrideKind.SLOT}
    days = {one.first: one.open for one in mine if one.kind is OverrideKind.DAY}
    away = [one for one in listed if one.kind is OverrideKind.ABSENCE and one.owner == at.owner.id]
    for number in range(-1, 6):
        day = NOW.date() + timedelta(days=number)
        extra = [
            opening
            for one in mine
            if one.kind is OverrideKind.EXTRA and one.first == day
            for opening in read(at, one.section)
        ]
        again = times_of(
            [
                opening
                for one in mine
                if one.kind is OverrideKind.EXTRA and one.first == day and one.again
                for opening in read(at, one.section)
            ],
            calendar.zone,
            day,
        )
        special = times_of([*calendar.plan.exceptional.get(day, ()), *extra], calendar.zone, day)
        for slot in slots_of_day(calendar, day, extra):
            absent = any(one.first <= day <= one.last for one in away) and (slot.start, slot.end) not in special
            drawn = not slot.taken and not absent
            of_day = drawn if (slot.start, slot.end) in again else days.get(day, drawn)
            if (calendar.key, slot.start) not in held and slots.get(slot.start, of_day):
                yield slot


def change(simulator: World, editor: Editor, asked: Sequence[OwnedCalendar], draw: random.Random) -> None:
    """One thing that people do, anywhere in the calendars asked for."""
    at = draw.choice(asked)
    slug, key = editor.slug, at.calendar.key
    day = NOW.date() + timedelta(days=draw.randrange(5))
    slots = simulator.catalogue.taken.slots_of_day(at.calendar, day)
    overrides, start = simulator.overrides, draw.choice(slots).start if slots else NOW
    ids = {kind: [one.id for one in overrides.of(slug) if one.kind is kind] for kind in OverrideKind}
    section = {"hours": [f"{draw.randrange(0, 12):02}:00-{draw.randrange(12, 24):02}:30"], "slot_minutes": 10}
    todo = draw.choice(
        list[Callable[[], object]](
            [
                *(partial(getattr(overrides, f"{verb}_slot"), slug, key, start) for verb in 3 * VERBS),
                *(partial(getattr(overrides, f"{verb}_day"), slug, key, day) for verb in VERBS),
                lambda: overrides.absent(slug, at.owner.id, day, day + timedelta(days=draw.randrange(3))),
                *2 * [lambda: overrides.end_absence(slug, str(draw.choice(ids[OverrideKind.ABSENCE] or ["none"])))],
                lambda: overrides.add_extra(slug, key, day, section),
                lambda: overrides.add_extra(slug, key, day, {"hours": ["05:00-06:00"], "slot_types": ["PUBLIC"]}),
                lambda: overrides.remove_extra(slug, str(draw.choice(ids[OverrideKind.EXTRA] or ["none"]))),
                lambda: simulator.appointments.add(
                    appointment(
                        editor=slug, calendar=key, start=start, end=start + timedelta(minutes=5), regulator=None
                    )
                ),
            ]
        )
    )
    with suppress(EditorError):
        todo()


VERBS = ["close", "open", "forget"]


@pytest.mark.parametrize(("editor", "owners", "flow"), ASKED, ids=[editor for editor, _, _ in ASKED])
@pytest.mark.parametrize("seed", range(4))
def test_the_hot_path_finds_what_the_plain_one_finds(
    played: LoadedScenario, tmp_path: Path, editor: str, owners: list[str], flow: SlotSearch, seed: int
) -> None:
    simulator, draw = World(played, tmp_path), random.Random(f"{seed} {editor}")
    known = simulator.catalogue.editor(editor)
    asked = [at for owner in owners for at in calendars_of(known, owner)]
    writer = EntryWriter(known, "https://lga.example", simulator.catalogue.taken)
    answers, reasons = set(), set[Unavailable | None]()
    for _ in range(80):
        change(simulator, known, asked, draw)
        found = written(writer, flow, asked)
        assert found == plain(simulator.catalogue, flow, asked)
        assert found == told(simulator, flow, asked, played.extra_openings.read)
        assert found == decided(simulator.catalogue, flow, asked, reasons)
        answers.add(tuple(found))
    # The draws did something.
    assert len(answers) > 15
    by_hand = {Unavailable.CLOSED, Unavailable.DAY_CLOSED, Unavailable.ABSENT}
    assert reasons >= {None, Unavailable.PAST, Unavailable.TAKEN, *by_hand}
    again = World(played, tmp_path)
    again.appointments.follow()
    again.overrides.follow()
    assert plain(again.catalogue, flow, asked) == found

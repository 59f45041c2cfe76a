"""Appointments in the store, and the slots that they hold in memory."""

from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mock_editor.base.errors import EditorError
from mock_editor.base.listings import EVERYTHING, Page
from mock_editor.base.store import Store
from mock_editor.calendars.appointments import AppointmentFilter, Appointments
from mock_editor.calendars.model import Appointment, AppointmentStatus, Editor, RegulatorId
from mock_editor.calendars.taken import AS_MADE, Taken
from mock_editor.scenario import LoadedScenario
from mock_editor.world.tables import tables
from tests.conftest import NOW

KEY = "810100050075-1"


class Process:
    """What one worker has: a store of its own on the file that all share, and the slots that it knows as taken."""

    def __init__(self, folder: Path, editor: Editor) -> None:
        self.taken = Taken()
        self.editor = editor
        self.store = Store(folder / "state.db", tables())
        self.appointments = Appointments(self.store, {editor.slug: editor}, self.taken)
        self.appointments.follow()

    def reset(self) -> None:
        with self.store.writing() as db:
            self.appointments.reset(db)
        self.appointments.follow()

    def held(self, calendar: str = KEY) -> Set[object]:
        return self.taken.of(self.editor.seed).get(calendar, AS_MADE).held


@pytest.fixture
def process(tmp_path: Path, editor: Editor) -> Callable[[], Process]:
    return lambda: Process(tmp_path, editor)


def appointment(**changes: object) -> Appointment:
    made = Appointment(
        id="",
        editor="agenda-ville",
        calendar=KEY,
        start=NOW,
        end=NOW + timedelta(minutes=15),
        status=AppointmentStatus.BOOKED,
        created=NOW,
        updated=NOW,
        regulator=RegulatorId("urn:oid:1.2.250.1.71.4.2.1", "3456780581/11242343|b"),
        booker="b",
        sos=False,
        practitioner="810100050075",
        patient="Fictif",
        reason="",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_what_is_kept_is_what_was_given(process: Callable[[], Process]) -> None:
    one = process()
    kept = one.appointments.add(appointment())
    assert kept == appointment(id=kept.id)
    assert process().appointments.read("agenda-ville", kept.id) == kept
    assert one.appointments.of("agenda-ville", "b") == one.appointments.of("agenda-ville") == [kept]
    assert one.appointments.of("agenda-ville", "c") == []


def test_the_same_appointments_get_the_same_ids(process: Callable[[], Process]) -> None:
    one = process()
    first = one.appointments.add(appointment()).id
    one.reset()
    assert one.appointments.add(appointment()).id == first
    assert one.appointments.add(appointment(start=NOW + timedelta(hours=1))).id != first


def test_of_many_at_once_one_gets_the_slot(process: Callable[[], Process]) -> None:
    workers = [process(), process()]

    def book(number: int) -> bool:
        try:
            workers[number % 2].appointments.add(appointment(booker=str(number)))
        except EditorError as error:
            return error.status != 409
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(book, range(40))) == 1


def test_slots_are_held_and_given_back(process: Callable[[], Process]) -> None:
    one = process()
    later = NOW + timedelta(hours=2)
    kept = one.appointments.add(appointment())
    assert one.held() == {NOW}
    one.appointments.change("agenda-ville", kept.id, lambda old: replace(old, start=later, calendar="x-1"))
    assert (one.held(), one.held("x-1")) == (set(), {later})
    for status in AppointmentStatus:
        one.appointments.change("agenda-ville", kept.id, partial(replace, status=status))
        assert bool(one.held("x-1")) is (status is not AppointmentStatus.CANCELLED)


def test_an_edit_that_fails_changes_nothing(process: Callable[[], Process]) -> None:
    one = process()
    kept = one.appointments.add(appointment())
    other = one.appointments.add(appointment(start=NOW + timedelta(hours=1)))
    with pytest.raises(EditorError):
        one.appointments.change("agenda-ville", other.id, lambda old: replace(old, start=NOW))
    assert one.appointments.of("agenda-ville") == [kept, other]


def test_another_worker_follows(process: Callable[[], Process]) -> None:
    one, other = process(), process()
    kept = one.appointments.add(appointment())
    assert other.held() == frozenset()
    other.appointments.follow()
    assert other.held() == {NOW}
    one.appointments.change("agenda-ville", kept.id, lambda old: replace(old, status=AppointmentStatus.CANCELLED))
    other.appointments.follow()
    assert other.held() == frozenset()


def test_another_worker_follows_a_reset(process: Callable[[], Process]) -> None:
    one, other = process(), process()
    one.appointments.add(appointment())
    other.appointments.follow()
    one.reset()
    one.appointments.add(appointment(calendar="x-1"))
    other.appointments.follow()
    assert (other.held(), other.held("x-1")) == (set(), {NOW})


def test_a_worker_that_starts_knows_all(process: Callable[[], Process]) -> None:
    process().appointments.add(appointment())
    assert process().held() == {NOW}


def test_appointments_of_editors_that_are_not_played_are_left_alone(
    process: Callable[[], Process], played: LoadedScenario, tmp_path: Path
) -> None:
    process().appointments.add(appointment())
    assert Process(tmp_path, played.editors[1]).held() == frozenset()
    assert process().held() == {NOW}


def test_a_list_is_filtered_and_comes_in_pages(process: Callable[[], Process]) -> None:
    one = process()
    later = {"start": NOW + timedelta(hours=2), "end": NOW + timedelta(hours=3)}
    first = one.appointments.add(appointment(patient="Zoé Fictif", practitioner="810000000001"))
    second = one.appointments.add(appointment(calendar="x-2", regulator=None, sos=True))
    third = one.appointments.add(appointment(**later))

    def found(page: Page = EVERYTHING, **wanted: Any) -> list[Appointment]:
        items, total = one.appointments.listing(AppointmentFilter(["agenda-ville"], **wanted), page)
        assert total == len(one.appointments.listing(AppointmentFilter(["agenda-ville"], **wanted)).items)
        return list(items)

    # Made at one instant: the last to come first, then the first that was made.
    assert found() == [third, first, second]
    assert found(Page(2)) == [third, first]
    assert found(Page(2, 2)) == [second]
    assert found(Page(2, 3)) == []
    assert found(text="ZOE fictif") == found(practitioner="810000000001") == [first]
    assert found(sas=False) == found(sos=True) == [second]
    assert found(since=later["start"]) == [third]
    assert found(until=later["start"]) == [first, second]
    assert found(since=later["start"] - timedelta(microseconds=1)) == [third]
    assert found(until=later["start"] + timedelta(microseconds=1)) == found()
    assert found(status=AppointmentStatus.CANCELLED) == []
    assert one.appointments.listing(AppointmentFilter(["other"])) == ([], 0)

"""Appointments that are over by themselves."""

from datetime import timedelta
from pathlib import Path

import pytest

from mock_editor.base.clock import Clock
from mock_editor.base.store import Store
from mock_editor.booking.bookings import Bookings
from mock_editor.booking.endings import Endings, Shares
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import AppointmentStatus
from mock_editor.scenario import LoadedScenario
from mock_editor.world.tables import tables
from tests.calendars.test_appointments import appointment
from tests.conftest import NOW

END = timedelta(minutes=15)


class Side:
    """An editor with a hundred appointments, from now on, an hour each; the clock stands where it is told."""

    def __init__(self, played: LoadedScenario, folder: Path, at: timedelta, shares: Shares) -> None:
        clock = Clock(NOW + at)
        catalogue = Catalogue(played.editors, clock)
        self.appointments = Appointments(Store(folder / "state.db", tables()), catalogue.editors, catalogue.taken)
        bookings = Bookings(catalogue, self.appointments)
        self.endings = Endings(clock, catalogue.editors, self.appointments, bookings, {"agenda-ville": shares})

    def book(self) -> None:
        for hour in range(100):
            start = NOW + timedelta(hours=hour)
            self.appointments.add(appointment(start=start, end=start + END))

    def counts(self) -> dict[str, int]:
        found = [one.status.value for one in self.appointments.of("agenda-ville")]
        return {status: found.count(status) for status in sorted(set(found))}


def side(played: LoadedScenario, folder: Path, hours: float, fulfilled: float, noshow: float) -> Side:
    return Side(played, folder, timedelta(hours=hours), Shares(fulfilled, noshow))


def test_only_what_is_over_is_noted(played: LoadedScenario, tmp_path: Path) -> None:
    one = side(played, tmp_path, 9.25, 1, 0)
    one.book()
    assert one.endings.note() == 10
    assert one.counts() == {"booked": 90, "fulfilled": 10}
    assert one.endings.note() == 0


def test_shares_are_drawn_from_the_seed(played: LoadedScenario, tmp_path: Path) -> None:
    runs = []
    for name in "ab":
        (tmp_path / name).mkdir()
        one = side(played, tmp_path / name, 1000, 0.6, 0.3)
        one.book()
        one.endings.note()
        runs.append([found.status for found in one.appointments.of("agenda-ville")])
        counts = one.counts()
        assert 45 <= counts["fulfilled"] <= 75
        assert 17 <= counts["noshow"] <= 43
        assert counts["booked"] > 0
    assert runs[0] == runs[1]


@pytest.mark.parametrize("status", [AppointmentStatus.CANCELLED, AppointmentStatus.PENDING, AppointmentStatus.NOSHOW])
def test_what_has_its_state_keeps_it(played: LoadedScenario, tmp_path: Path, status: AppointmentStatus) -> None:
    one = side(played, tmp_path, 1000, 1, 0)
    one.appointments.add(appointment(status=status))
    assert one.endings.note() == 0
    assert one.counts() == {status.value: 1}


def test_an_editor_without_shares_notes_nothing(played: LoadedScenario, tmp_path: Path) -> None:
    one = side(played, tmp_path, 1000, 0, 0)
    one.book()
    assert one.endings.note() == 0

"""The clock: each course by arithmetic on the real instants around a call, never by waiting."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mock_editor.base.clock import FASTEST, REAL, Clock, Course, Mode, frozen

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def clock_with(course: Course) -> Clock:
    clock = Clock()
    clock.follow(course)
    return clock


def test_it_is_real_unless_told_otherwise() -> None:
    clock = Clock()
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.course.mode is Mode.REAL


def test_frozen_it_stands_still() -> None:
    clock = clock_with(frozen(NOW))
    assert clock.now() == clock.now() == NOW
    assert clock.course.mode is Mode.FROZEN


def test_an_instant_is_told_in_utc_whatever_its_offset() -> None:
    clock = clock_with(frozen(NOW.astimezone(timezone(timedelta(hours=4)))))
    assert clock.now() == NOW
    assert clock.now().utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("rate", "mode"), [(1.0, Mode.SHIFTED), (60.0, Mode.SCALED), (0.5, Mode.SCALED), (FASTEST, Mode.SCALED)]
)
def test_it_runs_from_an_instant_at_a_rate(rate: float, mode: Mode) -> None:
    began = datetime.now(UTC) - HOUR
    clock = clock_with(Course(began, NOW, rate))
    before = datetime.now(UTC)
    told = clock.now()
    after = datetime.now(UTC)
    assert NOW + (before - began) * rate <= told <= NOW + (after - began) * rate
    assert clock.course.mode is mode


def test_advanced_it_keeps_its_rate() -> None:
    still = clock_with(frozen(NOW))
    still.follow(still.advanced(HOUR))
    assert (still.now(), still.course.mode) == (NOW + HOUR, Mode.FROZEN)
    real = Clock()
    real.follow(real.advanced(-HOUR))
    assert abs(datetime.now(UTC) - HOUR - real.now()) < timedelta(minutes=1)
    assert real.course.mode is Mode.SHIFTED


def test_another_rate_begins_where_it_is() -> None:
    clock = clock_with(frozen(NOW))
    clock.follow(clock.at_rate(1))
    assert timedelta() <= clock.now() - NOW < timedelta(minutes=1)
    clock.follow(clock.at_rate(0))
    stopped = clock.now()
    assert clock.now() == stopped
    clock.follow(clock.at_rate(2, at=NOW - HOUR))
    assert timedelta() <= clock.now() - (NOW - HOUR) < timedelta(minutes=1)


def test_a_real_clock_that_is_put_back_does_not_take_it_before_its_beginning() -> None:
    assert clock_with(Course(datetime.now(UTC) + HOUR, NOW, 10)).now() == NOW


def test_it_stands_still_at_the_end_of_what_can_be_played() -> None:
    clock = clock_with(Course(datetime.now(UTC) - HOUR, datetime(2200, 12, 31, 23, tzinfo=UTC), FASTEST))
    assert clock.now() == datetime(2200, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "make",
    [
        lambda: frozen(NOW.replace(tzinfo=None)),
        lambda: frozen(NOW.replace(year=1899)),
        lambda: frozen(NOW.replace(year=2201)),
        lambda: Course(NOW, NOW, -1),
        lambda: Course(NOW, NOW, FASTEST + 1),
        lambda: Course(NOW, NOW, float("nan")),
        lambda: clock_with(frozen(NOW)).advanced(timedelta(days=365 * 200)),
        lambda: clock_with(frozen(NOW)).advanced(timedelta(days=999_999_999)),
        lambda: Clock(NOW.replace(tzinfo=None)),
    ],
)
def test_what_cannot_be_played_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"expected|calendar"):
        make()


def test_real_time_is_real_again() -> None:
    clock = clock_with(frozen(NOW))
    clock.follow(Course(REAL.since, REAL.at, 1.0))
    assert clock.course is REAL

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Booking, Calendar, Opening, Plan, SlotMix, SlotShape, SlotType, Window
from tests.calendars.test_generator import PUBLIC

NOW = datetime(2026, 11, 20, 8, 10, tzinfo=UTC)
EVER = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
PRIVATE = SlotShape((SlotType.PRIVATE,), PUBLIC.consultation_types, (), PUBLIC.appointment_type)


def starts(lead: timedelta, horizon: timedelta, window: Window = EVER, shape: SlotShape = PUBLIC) -> list[datetime]:
    """When the free slots of a calendar start that is open round the clock, an hour each."""
    opening = Opening(0, 24 * 60, 60, 0.0, SlotMix([(1, shape)]))
    plan = Plan(((opening,),) * 7, {}, (), Booking(lead, horizon, overnight=False))
    calendar = Calendar("c-1", ZoneInfo("Europe/Paris"), plan, "seed", "seed")
    found = Catalogue([], Clock(NOW)).free_slots(calendar, window, frozenset({SlotType.PUBLIC}))
    return [slot.start for slot in found]


def test_no_slot_is_offered_before_now_nor_beyond_the_horizon() -> None:
    found = starts(timedelta(), timedelta(days=2))
    assert found[0] == datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    assert found[-1] == datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    assert len(found) == 48


def test_a_lead_time_keeps_the_next_slots_back() -> None:
    assert starts(timedelta(minutes=50), timedelta(days=1))[0] == datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    assert starts(timedelta(minutes=51), timedelta(days=1))[0] == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def test_the_end_of_the_window_is_not_in_it() -> None:
    window = Window(NOW, datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
    assert starts(timedelta(), timedelta(days=1), window) == [datetime(2026, 11, 20, 9, 0, tzinfo=UTC)]


@pytest.mark.parametrize(
    "window",
    [Window(NOW, NOW), Window(NOW + timedelta(days=3), NOW + timedelta(days=4)), Window(EVER.first, NOW)],
)
def test_an_empty_past_or_too_distant_window_holds_nothing(window: Window) -> None:
    assert starts(timedelta(), timedelta(days=2), window) == []


def test_slots_of_other_types_are_not_offered() -> None:
    assert starts(timedelta(), timedelta(days=2), shape=PRIVATE) == []


def test_an_unknown_editor_is_refused() -> None:
    with pytest.raises(EditorError, match=r"^404: No editor 'x'"):
        Catalogue([], Clock(NOW)).editor("x")

"""What the console reads of the outbox."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlite_utils import Database

from mock_editor.base.clock import Clock
from mock_editor.base.issues import Issue
from mock_editor.base.listings import Page
from mock_editor.base.store import Store
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.model import Appointment, AppointmentStatus
from mock_editor.calendars.taken import Taken
from mock_editor.notifications.model import (
    Attempt,
    Claimed,
    NotificationFilter,
    NotificationState,
    NotificationSummary,
    RuleDraws,
)
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.outcomes import answered, failed
from mock_editor.notifications.repository import NotificationRepository
from mock_editor.scenario import LoadedScenario
from mock_editor.world.tables import tables
from tests.calendars.test_appointments import appointment
from tests.conftest import NOW

VILLE, SOS = "agenda-ville", "agenda-sos"
LATER = timedelta(hours=1)


class Side:
    """The appointments of a few editors and their outbox, without a sender."""

    def __init__(self, folder: Path, played: LoadedScenario) -> None:
        self.store = Store(folder / "state.db", tables())
        editors = {editor.slug: editor for editor in played.editors}
        self.outbox = Outbox(self.store, Clock(NOW), editors)
        self.notifications = NotificationRepository(self.store)
        self.appointments = Appointments(self.store, editors, Taken(), self.outbox.add)

    def book(self, hours: int = 0, editor: str = VILLE) -> Appointment:
        start = NOW + timedelta(hours=hours)
        return self.appointments.add(appointment(editor=editor, start=start, end=start + timedelta(minutes=15)))

    def cancel(self, of: Appointment) -> None:
        self.appointments.change(of.editor, of.id, lambda old: replace(old, status=AppointmentStatus.CANCELLED))

    def try_next(
        self, state: NotificationState, status: int | None, result: Issue | None = None, wait: timedelta = timedelta()
    ) -> None:
        """What a sender does: takes what is due first, and notes what came of it."""
        [claimed] = self.outbox.claim(1, 60)
        attempt = Attempt(claimed.method, status, 0.5, result or answered(status or 0), "")
        self.outbox.finish(claimed, attempt, state, wait=wait, unsure=False)


@pytest.fixture
def side(tmp_path: Path, played: LoadedScenario) -> Iterator[Side]:
    made = Side(tmp_path, played)
    yield made
    made.store.close()


def list_(
    side: Side, editor: str | None = None, state: NotificationState | None = None
) -> Sequence[NotificationSummary]:
    return side.notifications.listing(NotificationFilter(editor, state), Page(10)).items


def test_nothing_yet(side: Side) -> None:
    assert list_(side) == []
    assert side.notifications.counts() == {}


def test_the_newest_comes_first_with_all_that_is_shown(side: Side) -> None:
    first = side.book()
    side.try_next(NotificationState.WAITING, 503, wait=LATER)
    side.cancel(first)
    second = side.book(1)
    newest, held, waits = list_(side)
    assert [one.id for one in (waits, held, newest)] == [1, 2, 3]
    assert waits[1:6] == (VILLE, first.id, NotificationState.WAITING, NOW, NOW + LATER)
    assert waits.created.tzinfo == datetime.now(UTC).tzinfo
    assert waits[7:] == (False, 1, 503, answered(503))
    assert held[7:] == (True, 0, None, None)
    assert newest[7:] == (False, 0, None, None)
    assert newest.appointment == second.id
    assert [body.count('"status":"cancelled"') for body in (waits.body, held.body)] == [0, 1]


class Overtaken:
    """A store of which somebody else writes to the file before this process does, once it has looked."""

    def __init__(self, store: Store, others: Callable[[], object]) -> None:
        self._store = store
        self._others = others
        self.reading = store.reading

    @contextmanager
    def writing(self) -> Iterator[Database]:
        self._others()
        with self._store.writing() as db:
            yield db


def test_who_is_first_after_a_start_keeps_what_it_has_taken(side: Side, tmp_path: Path, played: LoadedScenario) -> None:
    side.book()
    with closing(Store(tmp_path / "state.db", tables())) as store:
        taken: list[Claimed] = []
        overtaken = Overtaken(store, lambda: taken.extend(side.outbox.claim(1, 60)))
        late = Outbox(overtaken, Clock(NOW), {one.slug: one for one in played.editors})  # type: ignore[arg-type]
        assert late.claim(1, 60) == []
    assert len(taken) == 1


def test_the_last_of_several_attempts_is_told(side: Side) -> None:
    side.book()
    side.try_next(NotificationState.WAITING, None, failed(requests.ReadTimeout("x")))
    side.try_next(NotificationState.WAITING, 429)
    side.try_next(NotificationState.REFUSED, 422)
    [one] = list_(side)
    assert (one.state, one.attempts, one.status, one.result) == (NotificationState.REFUSED, 3, 422, answered(422))
    # Sent again, it keeps them.
    assert side.outbox.replay() == 1
    side.try_next(NotificationState.ACCEPTED, 201)
    [one] = list_(side)
    assert (one.state, one.attempts, one.status) == (NotificationState.ACCEPTED, 4, 201)


def test_what_failed_on_tls_counts_for_nothing_once_a_rule_has_held_it_back(side: Side) -> None:
    side.book()
    for _ in range(3):
        side.try_next(NotificationState.TLS_FAILED, None, failed(requests.exceptions.SSLError("x")))
    [claimed] = side.outbox.claim(1, 60)
    assert (claimed.tls_failed, claimed.attempts) == (True, 3)
    side.outbox.holds.hold(claimed, "{}", RuleDraws(1), wait=timedelta())
    [claimed] = side.outbox.claim(1, 60)
    assert (claimed.tls_failed, claimed.attempts) == (False, 0)
    side.outbox.holds.hold(claimed, "{}", RuleDraws(1), wait=timedelta())
    side.try_next(NotificationState.WAITING, 503)
    [claimed] = side.outbox.claim(1, 60)
    assert claimed.attempts == 1


@pytest.mark.parametrize("end", [NotificationState.ACCEPTED, NotificationState.REFUSED, NotificationState.GIVEN_UP])
def test_one_that_came_to_an_end_holds_up_nothing(side: Side, end: NotificationState) -> None:
    made = side.book()
    side.cancel(made)
    side.try_next(end, None, failed(ValueError("x")))
    assert [one.held for one in list_(side)] == [False, False]


def test_by_a_text_in_what_is_sent_or_answered(side: Side) -> None:
    first, second = side.book(), side.book(1)
    [claimed] = side.outbox.claim(1, 60)
    attempt = Attempt(claimed.method, 422, 0.5, answered(422), '{"diagnostics": "RPPS non référencé"}')
    side.outbox.finish(claimed, attempt, NotificationState.REFUSED, wait=timedelta(), unsure=False)

    def found(text: str) -> list[int]:
        return [one.id for one in side.notifications.listing(NotificationFilter(text=text)).items]

    assert found(first.id.upper()) == [1]
    assert found(second.id) == [2]
    assert found('"status":"BOOKED"') == [2, 1]
    assert found("rpps non reference") == [1]
    assert found("no such thing") == []


def test_pages_of_the_list(side: Side) -> None:
    for hour in range(5):
        side.book(hour)
    pages = [side.notifications.listing(NotificationFilter(VILLE), Page(2, number)) for number in (1, 2, 3, 4)]
    assert [[one.id for one in page.items] for page in pages] == [[5, 4], [3, 2], [1], []]
    assert [page.total for page in pages] == [5] * 4


def test_by_editor_and_state(side: Side) -> None:
    side.book()
    side.try_next(NotificationState.REFUSED, 422)
    side.book(1)
    side.book(2, SOS)
    assert side.notifications.counts() == {NotificationState.WAITING: 2, NotificationState.REFUSED: 1}
    assert side.notifications.counts(VILLE) == {NotificationState.WAITING: 1, NotificationState.REFUSED: 1}
    assert side.notifications.counts(SOS) == {NotificationState.WAITING: 1}
    assert side.notifications.counts("nowhere") == {}

    def found(editor: str | None = None, state: NotificationState | None = None) -> list[int]:
        return [one.id for one in list_(side, editor, state)]

    assert found() == [3, 2, 1]
    assert found(VILLE) == [2, 1]
    assert found(SOS) == [3]
    assert found(state=NotificationState.WAITING) == [3, 2]
    assert found(VILLE, NotificationState.WAITING) == [2]
    assert found(SOS, NotificationState.REFUSED) == found("nowhere") == []
    assert [one.id for one in side.notifications.listing(NotificationFilter(), Page(2)).items] == [3, 2]

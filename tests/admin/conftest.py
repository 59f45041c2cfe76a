"""A world of its own for each test, its console, a sender that does as told, and the state that examples begin with."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mock_editor.admin.operations.accounts import MERCIER
from mock_editor.base.clock import Clock
from mock_editor.base.issues import Issue
from mock_editor.base.store import Store
from mock_editor.notifications import outcomes
from mock_editor.notifications.model import Attempt, NotificationState
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.repository import NotificationRepository
from mock_editor.scenario import LoadedScenario
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.tables import tables
from tests.admin.console_browser import Console
from tests.booking.conftest import AGENDA, Browser
from tests.conftest import NOW, matched

# What the examples begin with: two appointments, one through the SAS, which has refused to hear of it.
TAKEN = {
    "editor": "agenda-ville",
    "slot": "810100050075-1-202611200715",
    "account": MERCIER,
    "patient": "Zoé Fictif",
    "reason": "Fièvre",
}
AT_SOS = {"editor": "agenda-sos", "slot": "334173748400020-1-202611200730"}


class Played:
    """What a sender does to the outbox of the application, in the same file, at once and as it is told."""

    def __init__(self, folder: Path, scenario: LoadedScenario) -> None:
        self.store = Store(folder / "state.db", tables())
        self.outbox = Outbox(self.store, Clock(NOW), {editor.slug: editor for editor in scenario.editors})
        self.notifications = NotificationRepository(self.store)

    def attempt(
        self,
        state: NotificationState,
        status: int | None = None,
        result: Issue | None = None,
        answer: object = "",
        wait: timedelta = timedelta(),
    ) -> int:
        """One attempt of what is due first."""
        [claimed] = self.outbox.claim(1, 60)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        attempt = Attempt(claimed.method, status, 0.012, result or outcomes.answered(status or 0), text)
        self.outbox.finish(claimed, attempt, state, wait=wait, unsure=status is None or status >= 500)
        return claimed.id


@pytest.fixture
def app(simulator: Simulator) -> Flask:
    found: Flask = simulator.app
    return found


@pytest.fixture
def sender(simulator: Simulator, tmp_path: Path, played: LoadedScenario) -> Iterator[Played]:
    assert simulator
    made = Played(tmp_path, played)
    yield made
    made.store.close()


@pytest.fixture
def prepared(client: FlaskClient, sender: Played) -> FlaskClient:
    """A client of a world in which something has happened."""
    for body in (TAKEN, AT_SOS):
        made = client.post("/_admin/appointments", json=body)
        assert made.status_code == 201, made.text
    assert sender.attempt(NotificationState.REFUSED, 422) == 1
    return client


@pytest.fixture
def console(app: Flask) -> Console:
    return Console(app)


@pytest.fixture
def book(app: Flask) -> Callable[..., str]:
    """Somebody books, without an account; returns the appointment's page in the console."""

    def one(agenda: str = AGENDA, *, patient: str = "Fictif", rank: int = 0) -> str:
        browser = Browser(app)
        browser.visit(agenda)
        editor, identifier = matched(r"^/(.+)/rendez-vous/(.+)$", browser.book(rank, patient)).groups()
        return f"/_console/rendez-vous/{editor}/{identifier}"

    return one

"""Everything that one process plays and keeps, without the web: what the surfaces of ``app.py`` share."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from mock_editor.accounts import regulators
from mock_editor.accounts.regulators import Regulators
from mock_editor.base import keys
from mock_editor.base.clock import Clock
from mock_editor.base.keys import Keys
from mock_editor.base.store import Store
from mock_editor.booking import sessions
from mock_editor.booking.bookings import Bookings
from mock_editor.booking.endings import Endings, Shares
from mock_editor.booking.sessions import Sessions
from mock_editor.calendars import appointments
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.taken import Taken
from mock_editor.notifications import outbox
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.sender import Sender, Target
from mock_editor.scenario import LoadedScenario
from mock_editor.settings import Settings

# The tables of every feature on the editors' side.
SCHEMAS = (keys.SCHEMA, regulators.SCHEMA, appointments.SCHEMA, sessions.SCHEMA, outbox.SCHEMA)


class Simulator:
    """A scenario that is played: its editors, and the state of each. Clients reach it under ``public_url``."""

    def __init__(
        self, settings: Settings, played: LoadedScenario, *, public_url: str, clock: Clock, store: Store
    ) -> None:
        self.settings = settings
        self.played = played
        self.public_url = public_url
        self.clock = clock
        self.store = store
        taken = Taken()
        self.catalogue = Catalogue(played.editors, clock, taken)
        editors = self.catalogue.editors
        self.outbox = Outbox(store, clock, editors)
        self.appointments = Appointments(store, editors, taken, self.outbox.add)
        self.accounts = Regulators(store, clock, editors, declared=played.accounts, follow_email=settings.follow_email)
        self.bookings = Bookings(self.catalogue, self.appointments)
        self.sessions = Sessions(store, clock)
        self.keys = Keys(store)
        # The web side makes it: what it sends to may be in this process.
        self.sender: Sender | None = None
        self._resets: list[Callable[[], None]] = []
        shares = {slug: Shares(one.fulfilled, one.noshow) for slug, one in played.endings.items()}
        self.endings = Endings(clock, editors, self.appointments, self.bookings, shares)

        self.accounts.declare()
        self.appointments.follow()
        store.on_change(self.appointments.follow)

    def targets(self) -> dict[str, Target]:
        """Where each editor sends its notifications: as the scenario says, else as the settings do."""
        settings = self.settings
        url = f"{self.public_url}/_sas/fhir" if settings.sas_url == "embedded" else settings.sas_url
        common = Target(
            url,
            settings.sas_certificate,
            settings.sas_key,
            settings.sas_authority,
            settings.sas_connect_timeout,
            settings.sas_answer_timeout,
            settings.sas_tries,
            settings.sas_first_wait,
            settings.sas_longest_wait,
        )
        found = {}
        for slug in self.catalogue.editors:
            own = self.played.notifications.get(slug)
            changes: dict[str, Any] = own.model_dump(exclude_none=True) if own else {}
            values = {field.name: getattr(common, field.name) for field in fields(Target)} | changes
            files = {name: Path(values[name]) for name in ("certificate", "key", "authority") if values[name]}
            found[slug] = Target(**values | files)
        return found

    def start(self) -> None:
        """Starts what runs in the background of a process that serves."""
        self.store.watch()
        self.endings.start()
        if self.sender and self.settings.deliver:
            self.sender.start()

    def on_reset(self, also: Callable[[], None]) -> None:
        """Has ``also`` called by ``reset``."""
        self._resets.append(also)

    def reset(self) -> None:
        """Puts the whole state back to what the scenario says."""
        self.sessions.reset()
        self.outbox.reset()
        self.appointments.reset()
        self.accounts.reset()
        for also in self._resets:
            also()

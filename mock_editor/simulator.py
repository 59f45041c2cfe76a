"""Everything that one process plays and keeps, without the web: what the surfaces of ``app.py`` share."""

from collections.abc import Callable, Set
from dataclasses import fields
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from threading import Thread
from typing import Any

from sqlite_utils import Database

from mock_editor.accounts import tables as account_tables
from mock_editor.accounts.log_in import LogIn
from mock_editor.accounts.provisioning import Provisioning
from mock_editor.accounts.repository import AccountRepository
from mock_editor.accounts.staff import Staff
from mock_editor.base import controls, keys
from mock_editor.base.clock import Clock
from mock_editor.base.keys import Keys
from mock_editor.base.store import Store
from mock_editor.booking import sessions
from mock_editor.booking.bookings import Bookings
from mock_editor.booking.endings import Endings, Shares
from mock_editor.booking.sessions import Sessions
from mock_editor.calendars import appointments, following, override_rows
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.overrides import Overrides
from mock_editor.calendars.taken import Taken
from mock_editor.notifications import tables as notification_tables
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.repository import NotificationRepository
from mock_editor.notifications.sender import Sender
from mock_editor.notifications.target import Target
from mock_editor.notifications.tls import Identity, TlsFileError
from mock_editor.scenario import LoadedScenario
from mock_editor.settings import Settings, SettingsError

# The tables of every feature on the editors' side.
SCHEMAS = (
    controls.SCHEMA,
    keys.SCHEMA,
    account_tables.SCHEMA,
    following.SCHEMA,
    appointments.SCHEMA,
    override_rows.SCHEMA,
    sessions.SCHEMA,
    notification_tables.SCHEMA,
)


class Part(StrEnum):
    """A part of the state that can be put back by itself.

    With the accounts go the sessions of the web sites, with the appointments what the SAS was told of them. Of the
    calendars, it is what was opened and closed by hand.
    """

    ACCOUNTS = "accounts"
    APPOINTMENTS = "appointments"
    CALENDARS = "calendars"


def check_files(settings: Settings) -> None:
    """Raises SettingsError for files that TLS with the SAS, or the bench's with editors, cannot be made of.

    A scenario's are checked with it.
    """
    identities = {
        "sas": Identity(settings.sas_certificate, settings.sas_key, settings.sas_authority),
        "bench": Identity(settings.bench_certificate, settings.bench_key, settings.bench_authority),
    }
    for whose, identity in identities.items():
        try:
            identity.context()
        except TlsFileError as error:
            raise SettingsError(f"--{whose}-{error.name}: {error}") from None
        if identity.key and not identity.certificate:
            raise SettingsError(f"--{whose}-key: expected --{whose}-certificate too")


class Simulator:
    """A scenario that is played: its editors, and the state of each. Browsers reach it under ``public_url``, FHIR
    clients under ``fhir_url``.

    The constructor leaves the store alone: see ``follow``. ``outcomes`` is the same store for what comes of attempts
    that were begun before another world took over the state.
    """

    def __init__(
        self,
        settings: Settings,
        played: LoadedScenario,
        *,
        public_url: str,
        fhir_url: str,
        clock: Clock,
        store: Store,
        outcomes: Store | None = None,
    ) -> None:
        self.settings = settings
        self.played = played
        self.public_url = public_url
        self.fhir_url = fhir_url
        self.clock = clock
        self.store = store
        taken = Taken()
        self.catalogue = Catalogue(played.editors, clock, taken)
        editors = self.catalogue.editors
        self.outbox = Outbox(store, clock, editors, outcomes)
        self.notifications = NotificationRepository(store)
        self.overrides = Overrides(store, self.catalogue, played.extra_openings.read)
        self.appointments = Appointments(store, editors, taken, self.outbox.add, self.overrides.check)
        self.accounts = AccountRepository(store)
        self.provisioning = Provisioning(
            store, clock, editors, declared=played.accounts, follow_email=settings.follow_email
        )
        self.log_in = LogIn(store, clock, editors)
        self.staff = Staff(store, self.provisioning, self.log_in)
        self.bookings = Bookings(self.catalogue, self.appointments)
        self.sessions = Sessions(store, clock)
        self.keys = Keys(store)
        # The web side makes it: what it sends to may be in this process.
        self.sender: Sender | None = None
        self._sending: Thread | None = None
        self._also: list[tuple[Part, Callable[[Database], None]]] = []
        self._also_back: list[Callable[[Database, timedelta], None]] = []
        shares = {slug: Shares(one.fulfilled, one.noshow) for slug, one in played.endings.items()}
        self.endings = Endings(clock, editors, self.appointments, self.bookings, shares)

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
            settings.sas_tls_minimum,
        )
        found = {}
        for slug in self.catalogue.editors:
            own = self.played.notifications.get(slug)
            changes: dict[str, Any] = own.model_dump(exclude_none=True) if own else {}
            if "certificate" in changes:
                # With a key of its own, or in the same file.
                changes = {"key": None} | changes
            values = {field.name: getattr(common, field.name) for field in fields(Target)} | changes
            files = {name: Path(values[name]) for name in ("certificate", "key", "authority") if values[name]}
            found[slug] = Target(**values | files)
        return found

    # --- in the background of a process that serves

    def prepare(self) -> None:
        """Begins the threads that this takes, so that ``start`` cannot fail; ``stop`` ends them. Raises 503."""
        self.endings.prepare()
        if self.sender and self.settings.deliver:
            self._sending = self.sender.prepare()

    def start(self) -> None:
        """Begins to note what is over, and to send. Raises 503, unless ``prepare`` was called before."""
        self.prepare()
        self.endings.start()
        if self.sender and self.settings.deliver:
            self.sender.start()

    def stop(self, *, wait: bool = False) -> None:
        """Ends that; what is on its way comes to its end, for which one may wait."""
        self.endings.stop()
        if self.sender:
            self.sender.stop()
        if self._sending and wait:
            self._sending.join()

    def wake(self) -> None:
        """Looks at once at what may be due: the clock runs differently."""
        self.endings.wake()
        if self.sender:
            self.sender.wake()

    def follow(self) -> None:
        """Brings what is in memory up to date with the store. Cheap when there is nothing new."""
        self.appointments.follow()
        self.overrides.follow()
        if self.sender:
            self.sender.wake()

    # --- the state

    def on_reset(self, part: Part, also: Callable[[Database], None]) -> None:
        """Has ``also`` called when that part is reset, in the same transaction."""
        self._also.append((part, also))

    def on_set_back(self, also: Callable[[Database, timedelta], None]) -> None:
        """Has ``also`` called when the clock is set back, in the same transaction, with by how much."""
        self._also_back.append(also)

    def set_back(self, db: Database, by: timedelta) -> None:
        """Sets all that waits for an instant back with the clock."""
        for also in (self.sessions.set_back, self.log_in.set_back, self.outbox.set_back, *self._also_back):
            also(db, by)

    def reset(self, db: Database, parts: Set[Part]) -> None:
        """Puts parts of the state back to what the scenario says. ``follow`` is for afterwards."""
        if Part.ACCOUNTS in parts:
            self.sessions.reset(db)
            self.provisioning.reset(db)
        if Part.APPOINTMENTS in parts:
            self.outbox.reset(db)
            self.appointments.reset(db)
        if Part.CALENDARS in parts:
            self.overrides.reset(db)
        for part, also in self._also:
            if part in parts:
                also(db)

"""What is played: one object that owns the editors of a scenario, the bench, and the state of both."""

import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar
from wsgiref.types import WSGIApplication

from sqlite_utils import Database
from werkzeug.exceptions import NotFound

from mock_editor.accounts import capabilities
from mock_editor.accounts.log_in import LogIn
from mock_editor.accounts.provisioning import Provisioning
from mock_editor.accounts.repository import AccountRepository
from mock_editor.accounts.staff import Staff
from mock_editor.base.clock import Clock
from mock_editor.base.errors import reason_of
from mock_editor.base.generations import Turn
from mock_editor.base.in_process import InProcessAdapter
from mock_editor.base.issues import Code
from mock_editor.base.keys import Keys
from mock_editor.base.paths import Surface
from mock_editor.base.store import Store
from mock_editor.base.waits import Waits
from mock_editor.base.worlds import WORLD, Urls
from mock_editor.bench.idp.people import Person
from mock_editor.bench.idp.provider import Provider
from mock_editor.bench.idp.site import ProviderSite
from mock_editor.bench.idp.store import ProviderStore
from mock_editor.bench.platform.accounts import Peer
from mock_editor.bench.platform.calls import TlsFiles
from mock_editor.bench.platform.directory import Directory
from mock_editor.bench.platform.platform import Platform
from mock_editor.bench.platform.store import PlatformStore
from mock_editor.bench.receiver.received import Inbox
from mock_editor.bench.receiver.receiver import Receiver
from mock_editor.booking.bookings import Bookings
from mock_editor.booking.endings import Endings, Shares
from mock_editor.booking.sessions import Sessions
from mock_editor.booking.site import WebSite
from mock_editor.booking.sso import IdentityProvider
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.overrides import Overrides
from mock_editor.calendars.taken import Taken
from mock_editor.faults.engine import FaultEngine
from mock_editor.journal.journal import Journal
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.repository import NotificationRepository
from mock_editor.notifications.sender import Sender
from mock_editor.notifications.target import Target
from mock_editor.notifications.tls import Identity, TlsFileError
from mock_editor.scenario import LoadedScenario
from mock_editor.search.bundle import Most
from mock_editor.search.searches import Searches
from mock_editor.settings import Settings, SettingsError
from mock_editor.world import bench

Kind = TypeVar("Kind")


class StatePart(StrEnum):
    """A part of the state that can be reset by itself.

    Sessions of the web sites go with the accounts, notifications with the appointments. The part of the calendars is
    what was opened and closed by hand.
    """

    ACCOUNTS = "accounts"
    APPOINTMENTS = "appointments"
    CALENDARS = "calendars"
    CLOCK = "clock"
    FAULTS = "faults"
    JOURNAL = "journal"


# The parts that a world has. The others belong to the process that plays it.
OF_WORLD = frozenset({StatePart.ACCOUNTS, StatePart.APPOINTMENTS, StatePart.CALENDARS})


def check_files(settings: Settings) -> None:
    """Raises SettingsError if TLS with the SAS, or of the bench with editors, cannot work with the files that are set.

    The files of a scenario are checked when it is read.
    """
    identities = {
        "sas": Identity(settings.sas_certificate, settings.sas_key, settings.sas_authority),
        "bench": Identity(settings.bench_certificate, settings.bench_key, settings.bench_authority),
    }
    for whose, identity in identities.items():
        try:
            identity.context()
        except TlsFileError as error:
            raise SettingsError(Code.SETTING_WRONG, name=f"--{whose}-{error.name}", reason=reason_of(error)) from None
        if identity.key and not identity.certificate:
            raise SettingsError(Code.SETTING_KEY_ALONE, name=f"--{whose}-key", other=f"--{whose}-certificate")


@dataclass(frozen=True, slots=True)
class Process:
    """What all worlds of a process share.

    ``application`` answers calls of a world to its own process, where the editors and the bench are. It is None in a
    process that only sends. Views get ``parts`` as they are.
    """

    clock: Clock
    store: Store
    journal: Journal
    waits: Waits
    faults: FaultEngine
    application: WSGIApplication | None
    parts: Sequence[object] = ()


class World:
    """A scenario that is played: its editors, the bench, and the state of both. Browsers reach it under the public
    URL of ``urls``, FHIR clients under the other one.

    The constructor changes neither the store nor any other object; ``follow`` reads the store. A world may write until
    its ``turn`` is over. Results of attempts to send are written for as long as the state lasts, even if another world
    has taken it over.
    """

    def __init__(
        self,
        settings: Settings,
        scenario: LoadedScenario,
        *,
        urls: Urls,
        process: Process,
        turn: Turn,
    ) -> None:
        self.settings = settings
        self.scenario = scenario
        self.public_url, self.fhir_url = urls
        self.clock = clock = process.clock
        self.turn = turn
        self.store = store = process.store.guarded(turn.check)
        taken = Taken()
        self.catalogue = Catalogue(scenario.editors, clock, taken)
        editors = self.catalogue.editors
        self.outbox = Outbox(store, clock, editors, process.store.guarded(turn.check_state))
        self.notifications = NotificationRepository(store)
        self.overrides = Overrides(store, self.catalogue, scenario.extra_openings.read)
        self.appointments = Appointments(store, editors, taken, self.outbox.add, self.overrides.check)
        self.accounts = AccountRepository(store)
        self.provisioning = Provisioning(
            store, clock, editors, declared=scenario.accounts, follow_email=settings.follow_email
        )
        self.log_in = LogIn(store, clock, editors)
        self.staff = Staff(store, self.provisioning, self.log_in)
        self.bookings = Bookings(self.catalogue, self.appointments)
        self.sessions = Sessions(store, clock)
        self.keys = Keys(store)
        shares = {slug: Shares(section.fulfilled, section.noshow) for slug, section in scenario.endings.items()}
        self.endings = Endings(clock, editors, self.appointments, self.bookings, shares)
        most = Most(settings.search_slots, settings.search_bytes)
        searches = Searches(
            self.catalogue, self.public_url, self.fhir_url, capabilities.SUPPORTED, capabilities.FOLLOWS, most
        )
        # This world answers its own calls to the process, even when another one is played by then.
        here = InProcessAdapter(process.application or NotFound(), self.public_url, {WORLD: self})
        self.sender = Sender(
            self.outbox,
            editors,
            self.targets(),
            parallel=settings.sas_parallel,
            embedded={f"{self.public_url}/_sas/": here} if process.application else {},
            journal=process.journal,
            faults=process.faults,
        )
        # The bench.
        self._provider_store = ProviderStore(store)
        self._inbox = Inbox(store, clock.now)
        self._platform_store = PlatformStore(store, clock.now)
        self._parts: dict[type, Any] = {
            type(part): part
            for part in (
                self,
                settings,
                urls,
                scenario,
                store,
                clock,
                process.journal,
                process.waits,
                process.faults,
                *process.parts,
                here,
                self.keys,
                self.catalogue,
                searches,
                self.accounts,
                self.provisioning,
                self.log_in,
                self.staff,
                self.appointments,
                self.overrides,
                self.bookings,
                self.sessions,
                self._web_site(process.journal, here),
                self.outbox,
                self.notifications,
                self._inbox,
                *self._bench(process.waits, here),
            )
        }

    def part(self, kind: type[Kind]) -> Kind:
        """The part of a class; views get it by ``of_world(kind)``. Raises KeyError for a class that no part has."""
        found: Kind = self._parts[kind]
        return found

    def _bench(self, waits: Waits, here: InProcessAdapter) -> Iterator[object]:
        """The parts of the bench."""
        settings, editors, body_timeout = self.settings, self.catalogue.editors, self.settings.body_timeout
        clients = bench.registrations(settings, self.public_url, editors)
        provider = Provider(self.people, clients, f"{self.public_url}/{Surface.IDP}", self._provider_store, time.time)
        yield ProviderSite(provider, self.public_url, here, body_timeout)
        directory = Directory(partial(bench.registers, self.scenario.editors))
        base = f"{self.public_url}/{Surface.SAS}/fhir"
        yield Receiver(self._inbox, base, self.clock.now, waits, directory, self.people, body_timeout)
        yield Platform(
            public_url=self.public_url,
            store=self._platform_store,
            keys=self.keys,
            now=self.clock.now,
            waits=waits,
            directory=directory,
            peers=[
                Peer(editor.slug, editor.name, f"{self.fhir_url}/{editor.slug}/fhir") for editor in editors.values()
            ],
            people=self.people,
            provider=here,
            files=TlsFiles(settings.bench_certificate, settings.bench_key, settings.bench_authority),
            body_timeout=body_timeout,
        )

    def _web_site(self, journal: Journal, here: InProcessAdapter) -> WebSite:
        """What the pages of the editors need."""
        return WebSite(
            self.settings,
            self.public_url,
            self.catalogue,
            self.accounts,
            self.log_in,
            self.appointments,
            self.bookings,
            self.sessions,
            self._identity_provider(journal, here),
            self.keys,
        )

    def _identity_provider(self, journal: Journal, here: InProcessAdapter) -> IdentityProvider | None:
        """Where regulators sign in: at the embedded provider, at that of the settings, or nowhere."""
        settings = self.settings
        # The embedded provider is of no use if browsers cannot reach its pages.
        if settings.oidc_issuer == "none" or (settings.oidc_issuer == "embedded" and not settings.shows_bench):
            return None
        if settings.oidc_issuer == "embedded":
            return IdentityProvider(f"{self.public_url}/_idp", settings, journal, here)
        return IdentityProvider(settings.oidc_issuer, settings, journal)

    def people(self) -> list[Person]:
        """Who may sign in at the bench's identity provider."""
        return bench.known_people(self.scenario, self.accounts)

    def targets(self) -> dict[str, Target]:
        """Where each editor sends its notifications: what the scenario says comes before the settings."""
        differences = {
            slug: section.model_dump(exclude_none=True) for slug, section in self.scenario.notifications.items()
        }
        return {
            slug: Target.of(self.settings, self.public_url, differences.get(slug, {}))
            for slug in self.catalogue.editors
        }

    # --- in the background of a process that serves

    def prepare(self) -> None:
        """Begins the threads that ``start`` needs, so that it cannot fail; ``stop`` ends them. Raises 503."""
        self.endings.prepare()
        if self.settings.deliver:
            self.sender.prepare()

    def start(self) -> None:
        """Begins to end appointments that are over, and to send. Raises 503 unless ``prepare`` was called before."""
        self.prepare()
        self.endings.start()
        if self.settings.deliver:
            self.sender.start()

    def stop(self, *, wait: bool = False) -> None:
        """Stops both. Attempts that have begun are completed; with ``wait``, this returns after them."""
        self.endings.stop()
        self.sender.stop()
        if wait:
            self.sender.join()

    def wake(self) -> None:
        """Looks at once for what is due, because the clock runs differently."""
        self.endings.wake()
        self.sender.wake()

    def follow(self) -> None:
        """Updates what is in memory from the store. Cheap when there is nothing new."""
        self.appointments.follow()
        self.overrides.follow()
        self.sender.wake()

    # --- the state

    def set_back(self, db: Database, by: timedelta) -> None:
        """Moves every instant that something waits for back by as much as the clock was set back."""
        for part in (self.sessions, self.log_in, self.outbox, self._platform_store):
            part.set_back(db, by)

    def reset(self, db: Database, parts: Set[StatePart]) -> None:
        """Resets parts of the state to what the scenario says. The caller calls ``follow`` afterwards."""
        state: dict[StatePart, Sequence[Callable[[Database], None]]] = {
            StatePart.ACCOUNTS: (
                self.sessions.reset,
                self.provisioning.reset,
                self._provider_store.reset,
                self._platform_store.reset,
            ),
            StatePart.APPOINTMENTS: (self.outbox.reset, self.appointments.reset, self._inbox.reset),
            StatePart.CALENDARS: (self.overrides.reset,),
        }
        for part, resets in state.items():
            for reset in resets if part in parts else ():
                reset(db)

"""What most tests share: a fixed clock, the default scenario in memory, and a search written as the SAS writes it."""

import functools
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from mock_editor import scenario
from mock_editor.app import make_simulator
from mock_editor.base.clock import Clock, Mode
from mock_editor.base.store import Store
from mock_editor.base.worlds import WORLD
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Editor
from mock_editor.journal.tables import JournalFile
from mock_editor.settings import Settings
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.tables import tables
from tests.fast import Fast

_compile_builder = Rule._compile_builder


def _compile_builder_when_used(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
    """What makes the URLs of a rule. Compiled for every rule, it is three quarters of the time an application takes to
    make, and tests make thousands.
    """

    @functools.cache
    def compiled() -> Callable[..., Any]:
        return _compile_builder(rule, append_unknown)

    return lambda _, *values, **more: compiled()(rule, *values, **more)


Rule._compile_builder = _compile_builder_when_used  # type: ignore[method-assign,assignment]

_SLOW = ("wire", "browser", "shared", "slow")
# Files that open sockets, start processes or take long.
_SLOW_FILES = frozenset(
    f"{name}.py"
    for name in (
        *("admin/test_console_faults", "admin/test_faults", "admin/test_framework", "admin/test_openapi"),
        *("admin/test_operations", "accounts/test_rules", "base/test_client", "base/test_deadlines", "base/test_http"),
        *("base/test_waits", "base/test_words", "bench/test_idp", "bench/test_platform", "bench/test_receiver"),
        *("booking/test_certified", "commands/test_loading", "faults/test_conformance", "faults/test_middleware"),
        *("journal/test_journal", "journal/test_metrics", "journal/test_outgoing", "journal/test_redaction"),
        *("notifications/test_faults", "notifications/test_sender", "notifications/test_tls", "scenarios/test_all"),
        *("scenarios/test_chaos", "search/test_any_query", "search/test_large_searches", "search/test_overrides"),
        *("test_growth", "test_health", "test_main", "test_simulator", "test_snapshots", "tls/test_certificates"),
        *("tls/test_samples", "tls/test_server"),
    )
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only tests that need no socket, browser, process or time")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("fast"):
        config.pluginmanager.register(Fast())


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.relative_to(Path(__file__).parent).as_posix() in _SLOW_FILES:
        item.add_marker("slow")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, so that at the end no process is left alone with one of them."""
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in _SLOW))


NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)  # a Friday, 08:00 in Paris
PUBLIC_URL = "https://lga.example"
SYSTEM = "urn:oid:1.2.250.1.71.4.2.1"
STRUCTURE_SYSTEM = "urn:oid:1.2.250.1.71.4.2.2"
# What makes a slot search one of INT_R04.
WITH_CPTS = "&_include=Slot:service-type-reference&_include:iterate=HealthcareService:organization"
GUIDE_THOMAS = "810100050075"
GUIDE_MARCEL = "810002673899"


def slot_search(
    identifiers: Sequence[str],
    *,
    start: str = "2026-11-20T08:00:00.000+01:00",
    end: str = "2026-11-22T23:59:59.999+01:00",
    editor: str = "agenda-ville",
    extra: str = "",
) -> str:
    """The path and query of a slot search, encoded as little as the SAS does it."""
    tokens = ",".join(f"{SYSTEM}|{identifier}" for identifier in identifiers)
    return (
        f"/{editor}/fhir/Slot?_include=Slot:schedule&_include:iterate=Schedule:actor&status=free"
        f"&start=ge{start}&start=le{end}&schedule.actor:Practitioner.identifier={tokens}{extra}"
    )


def sos_search(
    identifiers: Sequence[str],
    *,
    start: str = "2026-11-20T08:00:00.000+01:00",
    end: str = "2026-11-22T23:59:59.999+01:00",
    editor: str = "agenda-sos",
    extra: str = "",
) -> str:
    """The path and query of a search for SOS Médecins places."""
    tokens = ",".join(f"{STRUCTURE_SYSTEM}|{identifier}" for identifier in identifiers)
    return (
        f"/{editor}/fhir/Schedule?_revinclude=Slot:schedule&_include=Schedule:actor:Location"
        f"&_include:iterate=Location:organization&_has:Slot:schedule:start=ge{start}&_has:Slot:schedule:start=le{end}"
        f"&_has:Slot:schedule:status=free&actor:Location.organization.identifier={tokens}{extra}"
    )


def json_of(answer: TestResponse) -> Any:
    """The JSON that an answer carries. There has to be some."""
    content = answer.json
    assert content is not None, answer
    return content


def pieces_of(answer: TestResponse) -> Generator[bytes, None, None]:
    """An answer as it comes, for those that go on; asked for with ``buffered=False``."""
    return cast("Generator[bytes, None, None]", iter(answer.response))


def matched(pattern: str, text: str, flags: int = 0) -> "re.Match[str]":
    """What matches first in a text. There has to be something."""
    found = re.search(pattern, text, flags)
    assert found, f"{pattern} is not in {text}"
    return found


def of_type(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The resources of one type in a Bundle."""
    return [entry["resource"] for entry in bundle.get("entry", []) if entry["resource"]["resourceType"] == kind]


def application(
    played: scenario.LoadedScenario, clock: Clock, folder: Path, public_url: str = PUBLIC_URL, **settings: str
) -> Flask:
    """The application that plays a scenario; its state is kept in ``folder``, and found there again."""
    app: Flask = playing(played, clock, folder, public_url, **settings).app
    return app


def playing(
    played: scenario.LoadedScenario, clock: Clock, folder: Path, public_url: str = PUBLIC_URL, **settings: str
) -> Simulator:
    """What plays a scenario, and another one if asked to."""
    at = {"now": clock.now().isoformat()} if clock.course.mode is Mode.FROZEN else {}
    parsed = Settings.from_env({}, **at | settings)
    store, journal_store = Store(folder / "state.db", tables()), JournalFile(folder / "state.journal.db")
    made = make_simulator(parsed, played, public_url=public_url, store=store, journal_store=journal_store)
    made.app.wsgi_app = _InPlay(made)
    return made


class _InPlay:
    """An application for clients that call it without a server: in the world in play, unless they name one."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._behind: WSGIApplication = simulator.app.wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.setdefault(WORLD, self._simulator.world)
        return self._behind(environ, start_response)


@pytest.fixture(scope="session")
def played() -> scenario.LoadedScenario:
    """The default scenario."""
    return scenario.load(scenario.find("decouverte"))


@pytest.fixture
def simulator(played: scenario.LoadedScenario, clock: Clock, tmp_path: Path) -> Simulator:
    """What plays the default scenario."""
    return playing(played, clock, tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def editor(played: scenario.LoadedScenario) -> Editor:
    return played.editors[0]


@pytest.fixture
def catalogue(played: scenario.LoadedScenario, clock: Clock) -> Catalogue:
    return Catalogue(played.editors, clock)


@pytest.fixture
def app(played: scenario.LoadedScenario, clock: Clock, tmp_path: Path) -> Flask:
    return application(played, clock, tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def search(client: FlaskClient) -> Callable[..., dict[str, Any]]:
    """Searches and returns the Bundle."""

    def run(identifiers: Sequence[str], **options: str) -> dict[str, Any]:
        response = client.get(slot_search(identifiers, **options))
        assert response.status_code == 200, response.text
        bundle: dict[str, Any] = json_of(response)
        return bundle

    return run


@pytest.fixture
def write_scenario(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a scenario file."""

    def write(text: str) -> Path:
        path = tmp_path / "scenario.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write

"""What commands that play a scenario have in common: options for settings, the scenario, the database files."""

import contextlib
import dataclasses
import logging
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from mock_editor import scenario
from mock_editor.base.errors import reason_of
from mock_editor.base.issues import Code, issue
from mock_editor.base.store import Store, StoreError
from mock_editor.base.words import english
from mock_editor.commands.failures import Failure
from mock_editor.journal.tables import JournalFile
from mock_editor.scenario import ScenarioError, Script
from mock_editor.settings import PREFIX, SWITCH, Settings, SettingsError
from mock_editor.simulator.simulator import Simulator, checked
from mock_editor.tls.validity import ending
from mock_editor.world.tables import tables
from mock_editor.world.world import check_files

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_log = logging.getLogger(__name__)
Command = TypeVar("Command", bound=Callable[..., Any])

_SECRETS = [PREFIX + field.name.upper() for field in dataclasses.fields(Settings) if field.metadata["secret"]]
EPILOG = "\b\nFrom the environment only, or from a file that the same with _FILE names:\n  " + "\n  ".join(_SECRETS)


def settings_options(command: Command) -> Command:
    """Adds an option for every setting that is not secret. Settings checks their texts, like the environment's."""
    for field in reversed(dataclasses.fields(Settings)):
        if field.metadata["secret"]:
            continue
        default = field.metadata["default"]
        help_text = field.metadata["help"] + (f" [default: {default}]" if default is not None else "")
        # A switch without a value is on.
        switch: dict[str, Any] = {"is_flag": False, "flag_value": "on"} if field.metadata["metavar"] == SWITCH else {}
        command = click.option(
            "--" + field.name.replace("_", "-"),
            field.name,
            metavar=field.metadata["metavar"],
            help=f"{help_text} [env: {PREFIX}{field.name.upper()}]",
            **switch,
        )(command)
    return command


def read_settings(options: dict[str, str | None]) -> Settings:
    """The settings of options and environment, with their certificate files checked. Raises Failure."""
    try:
        settings = Settings.from_env(os.environ, **options)
        check_files(settings)
    except SettingsError as error:
        raise Failure(error.issue) from None
    return settings


def load_scenario(name: str) -> scenario.LoadedScenario:
    """The scenario of a file or of a shipped name, checked down to its FHIR resources. Raises Failure.

    Its warnings go to standard error.
    """
    try:
        path = scenario.find(name)
        loaded = checked(Script.read(path))
    except ScenarioError as error:
        source = error.source
        problems = (
            issue(Code.SCENARIO_PROBLEM, problem.where(source), what=problem.what) for problem in error.problems
        )
        raise Failure(*problems) from None
    for warning in loaded.warnings:
        notice = issue(Code.SCENARIO_WARNING, warning.where(loaded.script.source), what=warning.what)
        click.echo(english(notice), err=True)
    return loaded


@contextlib.contextmanager
def open_stores(settings: Settings) -> Iterator[tuple[Store, JournalFile]]:
    """The store in the file of the settings and the journal beside it, or both in files that are removed at the end.

    Raises Failure.
    """
    # Signals may not interrupt a start, or files would be left behind: the server handles them afterwards.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    path = settings.database
    with contextlib.ExitStack() as stack:
        in_file = path is not None
        if path is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mock-editor-"))) / "state.db"
        try:
            # The remaining threads are for requests that write nothing.
            state = Store(path, tables(), writers=max(1, settings.threads * 3 // 4))
            path = path.with_suffix(f".journal{path.suffix}")
            journal = JournalFile(path)
        except StoreError as error:
            raise Failure(issue(Code.DATABASE_FILE, str(path), reason=reason_of(error))) from None
        if in_file:
            stack.callback(journal.settle)
            stack.callback(state.settle)
        yield state, journal


def warn_of_expiry(simulator: Simulator) -> None:
    """Logs which certificates of the simulator end soon."""
    settings, targets = simulator.settings, simulator.world.targets().values()
    files = [settings.tls_cert, settings.bench_certificate, *(target.certificate for target in targets)]
    for expiry in ending(filter(None, files), datetime.now(UTC)):
        _log.warning("%s", english(expiry))

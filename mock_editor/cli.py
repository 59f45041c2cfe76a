"""The command ``mock-editor``."""

import contextlib
import dataclasses
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from mock_editor import __version__, scenario, wsgi
from mock_editor.app import SCHEMAS, create_app, make_sender
from mock_editor.base.clock import Clock
from mock_editor.base.store import Store, StoreError
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.scenario import ScenarioError
from mock_editor.search import conformance
from mock_editor.search.examples import examples
from mock_editor.settings import PREFIX, Settings, SettingsError
from mock_editor.simulator import Simulator

_STOP = (signal.SIGTERM, signal.SIGINT)
Command = TypeVar("Command", bound=Callable[..., Any])


class _Refusal(click.ClickException):
    """What stops a command: said in a line (a scenario: in one per problem), without a traceback."""

    exit_code = 2


def main() -> None:
    """Runs the command line; every refusal is text on standard error and a non-zero exit code."""
    try:
        sys.exit(commands.main(prog_name="mock-editor", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"mock-editor: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)


def _settings_options(command: Command) -> Command:
    """An option for every setting; texts are checked by Settings, as those of the environment are."""
    for field in reversed(dataclasses.fields(Settings)):
        default = field.metadata["default"]
        help_text = field.metadata["help"] + (f" [default: {default}]" if default is not None else "")
        command = click.option(
            "--" + field.name.replace("_", "-"),
            field.name,
            metavar=field.metadata["metavar"],
            help=f"{help_text} [env: {PREFIX}{field.name.upper()}]",
        )(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """Plays the agenda editors (LGA) that the SAS platform talks to."""


@commands.command()
@_settings_options
def serve(**options: str | None) -> None:
    """Start the simulator; stop it with Ctrl-C or SIGTERM."""
    try:
        settings = Settings.from_env(os.environ, **options)
    except SettingsError as error:
        raise _Refusal(str(error)) from None
    played = _load(settings.scenario)
    try:
        clock = Clock(settings.now or played.frozen_at)
    except ValueError as error:
        raise _Refusal(f"--now: {error}") from None
    try:
        listener = wsgi.open_listener(settings.host, settings.port)
    except OSError as error:
        # The text of create_server repeats the address.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise _Refusal(f"cannot listen on {settings.host}:{settings.port}: {reason}") from None
    local_url = _local_url(settings.host, listener.getsockname()[1])
    public_url = settings.public_url or local_url

    def announce() -> None:
        catalogue = Catalogue(played.editors, clock)
        known = "" if public_url == local_url else f", known as {public_url}"
        click.echo(f"mock_editor {__version__} plays {played.name} ({played.title}) on {local_url}{known}\n")
        for editor in played.editors:
            base = f"{public_url}/{editor.slug}/fhir"
            click.echo(f"{editor.name}\n  {base}")
            searches = list(examples(catalogue, editor, base))
            for purpose, url in searches:
                click.echo(f"  # {purpose}\n  curl '{url}'")
            click.echo("" if searches else "  no slot is free in the next three days\n")

    with _store(settings.database) as store:
        simulator = Simulator(settings, played, public_url=public_url, clock=clock, store=store)
        app = create_app(simulator)
        store.close()  # the workers are about to be forked
        wsgi.run(app, listener, settings, announce, simulator.start)


@contextlib.contextmanager
def _store(path: Path | None) -> Iterator[Store]:
    """The store in the file ``path``, or in one that is gone at the end."""
    with contextlib.ExitStack() as stack:
        if path is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mock-editor-"))) / "state.db"
        try:
            yield Store(path, SCHEMAS)
        except StoreError as error:
            raise _Refusal(f"{path}: {error}") from None


@commands.command()
@_settings_options
def deliver(**options: str | None) -> None:
    """Send the notifications of a database, apart from the simulator that fills it (serve --deliver off)."""
    try:
        settings = Settings.from_env(os.environ, **options)
    except SettingsError as error:
        raise _Refusal(str(error)) from None
    if settings.database is None:
        raise _Refusal("--database: deliver needs the file that the simulator keeps its state in")
    if settings.sas_url == "embedded" and settings.public_url is None:
        raise _Refusal("--sas-url: deliver needs the URL of the SAS (or --public-url, for the simulator's own)")
    played = _load(settings.scenario)
    clock = Clock(settings.now or played.frozen_at)
    with _store(settings.database) as store:
        simulator = Simulator(settings, played, public_url=settings.public_url or "", clock=clock, store=store)
        sender = make_sender(simulator)
        # Before the threads begin, which inherit it: the signals are for this one only.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        click.echo(f"mock_editor {__version__} delivers the notifications of {settings.database}; Ctrl-C stops it")
        store.on_change(sender.wake)
        store.watch()
        sending = sender.start()
        signal.sigwait(_STOP)
        sender.stop()
        sending.join()


@commands.command()
@click.argument("names", nargs=-1, required=True, metavar="SCENARIO...")
def check(names: tuple[str, ...]) -> None:
    """Check scenario files, or shipped scenarios by name, without starting anything."""
    wrong = []
    for name in names:
        try:
            played = _load(name)
        except _Refusal as error:
            wrong.append(error.message)
        else:
            people = sum(len(editor.directory) for editor in played.editors)
            associations = sum(len(editor.associations) for editor in played.editors)
            click.echo(
                f"{name}: ok, {len(played.editors)} editor(s), {people} practitioner(s), {associations} association(s)"
            )
    if wrong:
        raise _Refusal("wrong scenario\n" + "\n".join(wrong))


def _load(name: str) -> scenario.LoadedScenario:
    """The scenario of a file or of a shipped name, checked to its FHIR resources."""
    try:
        path = scenario.find(name)
        played = scenario.load(path)
    except ScenarioError as error:
        raise _Refusal(str(error)) from None
    problems = [problem for editor in played.editors for problem in conformance.problems(editor)]
    if problems:
        raise _Refusal("\n".join(f"{path}: {problem}" for problem in problems))
    return played


def _local_url(host: str, port: int) -> str:
    """The URL of a listener for a client on this machine, when no public one is set."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared with
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

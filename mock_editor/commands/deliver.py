"""``mock-editor deliver``."""

import dataclasses
import signal

import click

from mock_editor import __version__
from mock_editor.app import make_simulator
from mock_editor.base.issues import Code, issue
from mock_editor.commands.failures import Failure
from mock_editor.commands.starting import (
    EPILOG,
    STOP_SIGNALS,
    load_scenario,
    open_stores,
    read_settings,
    settings_options,
    warn_of_expiry,
)


@click.command(epilog=EPILOG)
@settings_options
def deliver(**options: str | None) -> None:
    """Send the notifications of a database, apart from the simulator that fills it (serve --deliver off)."""
    settings = read_settings(options)
    if settings.database is None:
        raise Failure(issue(Code.DELIVER_DATABASE))
    if settings.sas_url == "embedded" and settings.public_url is None:
        raise Failure(issue(Code.DELIVER_SAS_URL))
    loaded = load_scenario(settings.scenario)
    with open_stores(settings) as (store, journal_store):
        simulator = make_simulator(
            dataclasses.replace(settings, deliver=True),
            loaded,
            public_url=settings.public_url or "",
            store=store,
            journal_store=journal_store,
            serves=False,
        )
        click.echo(f"mock_editor {__version__} delivers the notifications of {settings.database}; Ctrl-C stops it")
        simulator.start()
        warn_of_expiry(simulator)
        signal.sigwait(STOP_SIGNALS)
        simulator.stop()
        simulator.journal.writer.close()

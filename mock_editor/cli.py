"""The command ``mock-editor``."""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from mock_editor import __version__
from mock_editor.base import logs
from mock_editor.base.errors import EditorError
from mock_editor.base.missing import package_missing
from mock_editor.base.words import english, in_english
from mock_editor.commands import remote
from mock_editor.commands.description import shipped
from mock_editor.settings import unknown

# Commands that take long to import, with their modules. The function in the module has the name of the command.
_HEAVY = {name: f"mock_editor.commands.{name}" for name in ("certs", "check", "deliver", "serve")}


class LazyGroup(click.Group):
    """A group that imports some of its commands only when they are called, or when help lists them."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported if need be."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        try:
            module = importlib.import_module(self._lazy[cmd_name])
        except ImportError as error:
            sys.exit(package_missing(error))
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=LazyGroup, lazy=_HEAVY, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """Plays the agenda editors (LGA) that the SAS platform talks to."""
    for problem in unknown(os.environ):
        click.echo(f"mock-editor: {logs.visible(english(problem))}", err=True)


remote.add_to(commands, shipped())


def main() -> None:
    """Runs the command line. Every refusal is text on standard error and a non-zero exit code."""
    logs.configure()
    try:
        sys.exit(commands.main(prog_name="mock-editor", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"mock-editor: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except EditorError as error:
        # During a start: the database does not work, or the system gives no threads.
        click.echo(f"mock-editor: {in_english(error)}", err=True)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)

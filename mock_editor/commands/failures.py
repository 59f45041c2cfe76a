"""Errors that end a command early: one line per issue on standard error, without a traceback."""

import click

from mock_editor.base.issues import Issue
from mock_editor.base.words import english


class Failure(click.ClickException):
    """The command cannot do what it was asked: its input is wrong, or something that it needs is missing."""

    exit_code = 2

    def __init__(self, *issues: Issue) -> None:
        super().__init__("\n".join(map(english, issues)))
        self.issues = issues


class Refused(click.ClickException):
    """The simulator refuses a call; its own words say why."""

    exit_code = 1

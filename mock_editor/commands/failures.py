"""What ends a command early: said in a line on standard error, without a traceback."""

import click


class Failure(click.ClickException):
    """The command cannot do what it was asked: wrong input, or something it needs is missing."""

    exit_code = 2


class Refused(click.ClickException):
    """The simulator that was called refuses."""

    exit_code = 1

"""Commands that look into a running simulator and change it: one for each operation of its admin API."""

import shlex
from collections.abc import Sequence
from typing import Any

import click
import orjson
import yaml

from mock_editor.base.issues import Code, issue
from mock_editor.base.words import english
from mock_editor.commands.calls import SWITCH, call
from mock_editor.commands.description import Description, Option
from mock_editor.settings import PREFIX, URL_VARIABLE

_DEFAULT_URL = "http://127.0.0.1:8000"
_FROM_ELSEWHERE = f"From another machine:\n  {PREFIX}ADMIN_TOKEN, or {PREFIX}ADMIN_TOKEN_FILE, holds the token."


def add_to(commands: click.Group, operations: Sequence[Description]) -> None:
    """Adds a command for every operation, in groups by their first word."""
    for operation in operations:
        first, *others = operation.command
        if not others:
            commands.add_command(_command(first, operation))
            continue
        group = commands.commands.get(first) or click.Group(first, help=operation.group)
        assert isinstance(group, click.Group), first  # noqa: S101 - a name cannot be a command and a group
        commands.add_command(group)
        group.add_command(_command(" ".join(others), operation))


def _command(name: str, operation: Description) -> click.Command:
    parameters: list[click.Parameter] = [
        click.Argument([argument.name], metavar=argument.name.upper()) for argument in operation.arguments
    ]
    if operation.body == "file":
        parameters.append(click.Argument(["file"], type=click.File("rb"), metavar="FILE"))
    parameters += [_option(option) for option in operation.options]
    if operation.answers == "download":
        text = "File to write; - is standard output.  [default: -]"
        parameters.append(click.Option(["--output"], metavar="FILE", default="-", help=text))
    parameters.append(
        click.Option(
            ["--url"], metavar="URL", envvar=URL_VARIABLE, default=_DEFAULT_URL, show_default=True, show_envvar=True,
            help="Where the simulator is.",
        )
    )  # fmt: skip
    described = [argument for argument in operation.arguments if argument.description]
    places = "\n".join(f"{argument.name.upper()}: {argument.description}" for argument in described)
    line = shlex.join(["mock-editor", *operation.command, *operation.example])

    def run(url: str, output: str = "-", file: Any = None, **values: Any) -> None:
        call(operation, url, output, file, values)

    return click.Command(
        name,
        callback=run,
        params=parameters,
        help="\n\n".join([operation.description, *(["\b\n" + places] if places else [])]),
        short_help=operation.summary,
        epilog=f"\b\nExample:\n  {line}\n\n\b\n{_FROM_ELSEWHERE}",
    )


def _option(option: Option) -> click.Option:
    kind, metavar = _type(option)
    return click.Option(
        [f"--{option.name.replace('_', '-')}", option.name],
        type=kind,
        metavar=metavar,
        multiple=option.repeats,
        required=option.required,
        help=option.description.replace("`", "") + (" (empty: none)" if option.clears else ""),
    )


def _type(option: Option) -> tuple[click.ParamType[Any], str | None]:
    match option.type:
        case "choice":
            return click.Choice(option.choices), None
        case "boolean":
            return click.Choice(list(SWITCH)), None
        case "instant":
            return click.STRING, "INSTANT"
        case "integer":
            return click.INT, "N"
        case "number":
            return click.FLOAT, "NUMBER"
        case "text":
            return click.STRING, "TEXT"
        case "json":
            return _JsonText(), "JSON|@FILE"


class _JsonText(click.ParamType[Any]):
    """A value of any shape, as JSON, or ``@FILE``: a file that holds it as YAML or JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            if value.startswith("@"):
                with click.open_file(value[1:], "rb") as file:
                    # There and back: what JSON does not have is refused here.
                    value = orjson.dumps(yaml.safe_load(file))
            return orjson.loads(value)
        except (OSError, yaml.YAMLError, ValueError, orjson.JSONEncodeError) as error:
            self.fail(english(issue(Code.EXPECTED_JSON, reason=str(error))), param, ctx)

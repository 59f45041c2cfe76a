"""Commands that look into a running simulator and change it: one for each operation of its admin API."""

import math
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any
from urllib.parse import quote

import click
import orjson
import requests
import yaml
from requests import PreparedRequest, Response

from mock_editor.admin.operation import JSON, Answers, Example, Operation, Parameter, parameters
from mock_editor.admin.operations import OPERATIONS
from mock_editor.base import client
from mock_editor.base.files import OWN_MODE
from mock_editor.base.logs import visible
from mock_editor.settings import PREFIX, URL_VARIABLE, SettingsError, secret

_DEFAULT_URL = "http://127.0.0.1:8000"
# Some operations wait; what is written down piece by piece has no end that would be known.
_LIMITS = client.Limits(5, 600, 256 * 1024 * 1024)
_ENDLESS = client.Limits(5, math.inf, math.inf)
_SWITCH = {"on": True, "off": False}
_FROM_ELSEWHERE = f"From another machine:\n  {PREFIX}ADMIN_TOKEN, or {PREFIX}ADMIN_TOKEN_FILE, holds the token."
_LONGEST = 300


class _Refused(click.ClickException):
    """What the simulator does not do."""

    exit_code = 1


class _Unreachable(click.ClickException):
    """That no simulator answers."""

    exit_code = 2


def add_to(commands: click.Group, operations: Sequence[Operation] = OPERATIONS) -> None:
    """Adds a command for every operation, in groups by their first word."""
    for operation in operations:
        first, *others = operation.command.split()
        if not others:
            commands.add_command(_command(first, operation))
            continue
        group = commands.commands.get(first) or click.Group(first, help=operation.tag_description)
        assert isinstance(group, click.Group), first  # noqa: S101 - one command cannot be a group too
        commands.add_command(group)
        group.add_command(_command(" ".join(others), operation))


def _command(name: str, operation: Operation) -> click.Command:
    places = parameters(operation.place)
    found: list[click.Parameter] = [click.Argument([one.name], metavar=one.name.upper()) for one in places]
    if operation.body and not operation.json_body:
        found.append(click.Argument(["file"], type=click.File("rb"), metavar="FILE"))
    found += [_option(one, may_go=_may_go(operation, one)) for one in _fields(operation)]
    if operation.answers is Answers.DOWNLOAD:
        text = "File to write; - is standard output.  [default: -]"
        found.append(click.Option(["--output"], metavar="FILE", default="-", help=text))
    found.append(
        click.Option(
            ["--url"], metavar="URL", envvar=URL_VARIABLE, default=_DEFAULT_URL, show_default=True, show_envvar=True,
            help="Where the simulator is.",
        )
    )  # fmt: skip
    told = "\n".join(f"{one.name.upper()}: {one.description}" for one in places if one.description)
    help_text = "\n\n".join([operation.description, *(["\b\n" + told] if told else [])])
    line = shlex.join(["mock-editor", *operation.command.split(), *arguments(operation, operation.examples[0])])
    return click.Command(
        name,
        callback=_callback(operation),
        params=found,
        help=help_text,
        short_help=operation.summary,
        epilog=f"\b\nExample:\n  {line}\n\n\b\n{_FROM_ELSEWHERE}",
    )


def _token() -> str | None:
    """What the simulator asks of other machines; no option, which a list of processes would show. Raises UsageError."""
    try:
        token = secret("admin_token", os.environ)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    # It has to stand in a header.
    if token and not re.fullmatch("[!-~]+", token):
        raise click.UsageError(f"{PREFIX}ADMIN_TOKEN: expected letters, digits and signs")
    return token


def _fields(operation: Operation) -> list[Parameter]:
    """What becomes an option: query parameters and fields of a JSON body."""
    models = (operation.query, operation.json_body)
    return [one for model in models if model for one in parameters(model)]


def _may_go(operation: Operation, field: Parameter) -> bool:
    """Whether it may be taken away: an empty text stands for null then."""
    return operation.method == "PATCH" and field.nullable and field.kind == "string"


def _option(field: Parameter, *, may_go: bool) -> click.Option:
    kind, metavar = _type(field)
    emptied = " (empty: none)" if may_go else ""
    return click.Option(
        [_flag(field), field.name],
        type=kind,
        metavar=metavar,
        multiple=_repeats(field),
        required=field.required,
        help=field.description.replace("`", "") + emptied,
    )


def _type(field: Parameter) -> tuple[click.ParamType[Any], str | None]:
    if "enum" in field.schema:
        return click.Choice(field.schema["enum"]), None
    if _repeats(field):
        items = field.schema["items"]
        return (click.Choice(items["enum"]), None) if "enum" in items else (click.STRING, "TEXT")
    if field.kind == "boolean":
        return click.Choice(list(_SWITCH)), None
    if field.schema.get("format") == "date-time":
        return click.STRING, "INSTANT"
    types: Mapping[str, tuple[click.ParamType[Any], str]] = {
        "integer": (click.INT, "N"),
        "number": (click.FLOAT, "NUMBER"),
        "string": (click.STRING, "TEXT"),
    }
    return types.get(field.kind, (_JsonText(), "JSON|@FILE"))


def _repeats(field: Parameter) -> bool:
    """Whether it is a list of texts: an option that may be repeated."""
    return field.schema.get("type") == "array" and field.schema.get("items", {}).get("type") == "string"


def _flag(field: Parameter) -> str:
    return "--" + field.name.replace("_", "-")


class _JsonText(click.ParamType[Any]):
    """A value of any shape, as JSON, or ``@FILE``: a file in which it is written as YAML or JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            if value.startswith("@"):
                with click.open_file(value[1:], "rb") as file:
                    # There and back: what JSON does not have is refused here.
                    value = orjson.dumps(yaml.safe_load(file))
            return orjson.loads(value)
        except (OSError, yaml.YAMLError, ValueError, orjson.JSONEncodeError) as error:
            self.fail(f"neither JSON nor @ and a file in YAML: {error}", param, ctx)


def arguments(operation: Operation, example: Example) -> list[str]:
    """What follows a command to do what an example does; a body that is a file is told to be in ``FILE``."""
    found = [str(example.path[one.name]) for one in parameters(operation.place)]
    if operation.body and not operation.json_body:
        found.append("FILE")
    values = {**example.query, **(example.body if operation.json_body and example.body else {})}
    for field in _fields(operation):
        if field.name in values:
            value = values[field.name]
            texts = value if _repeats(field) else [_written(value)]
            found += [text for one in texts for text in (_flag(field), one)]
    return found


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


# --- doing it


def _callback(operation: Operation) -> Callable[..., None]:
    def run(url: str, output: str = "-", file: Any = None, **values: Any) -> None:
        try:
            with _send(operation, url, _token(), file, values) as response:
                if not response.ok or response.is_redirect:
                    raise _Refused(_for_terminal(_problem(response)))
                _show(operation, response, output)
        except requests.RequestException as error:
            raise _Unreachable(_reason(error, url)) from None

    return run


def _send(operation: Operation, url: str, token: str | None, file: Any, values: dict[str, Any]) -> Response:
    given = {field.name: value for field in _fields(operation) if _is_given(value := values[field.name])}
    for field in _fields(operation):
        if field.kind == "boolean" and field.name in given:
            given[field.name] = _SWITCH[given[field.name]]
        elif _may_go(operation, field) and given.get(field.name) == "":
            given[field.name] = None
    query_names = {one.name for one in parameters(operation.query)} if operation.query else set()
    query = {name: _in_query(value) for name, value in given.items() if name in query_names}
    body = {name: value for name, value in given.items() if name not in query_names}
    content = file or (orjson.dumps(body) if body or operation.body_required else None)
    headers = {"Accept": f"{operation.produces[0]}, application/problem+json" if operation.produces else "*/*"}
    if content is not None:
        headers["Content-Type"] = operation.accepts[0] if operation.accepts else JSON
    places = {one.name: quote(values[one.name], safe="") for one in parameters(operation.place)}

    def sign(request: PreparedRequest) -> PreparedRequest:
        # As a function it stands before what ~/.netrc may say about that machine.
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    limits = _LIMITS if operation.answers is Answers.JSON else _ENDLESS
    with client.equip(requests.Session(), limits) as session:
        return session.request(
            operation.method,
            f"{url.rstrip('/')}/_admin{operation.path.format(**places)}",
            params=query,
            data=content,
            headers=headers,
            auth=sign,
            stream=True,
            allow_redirects=False,
        )


def _is_given(value: Any) -> bool:
    return value is not None and value != ()


def _in_query(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _show(operation: Operation, response: Response, output: str) -> None:
    if operation.answers is Answers.JSON:
        click.echo(_for_terminal(orjson.dumps(orjson.loads(response.content), option=orjson.OPT_INDENT_2).decode()))
    elif operation.answers is Answers.STREAM:
        for line in response.iter_lines(chunk_size=None):
            if line:
                click.echo(visible(line.decode("utf-8", "replace")))
    elif operation.answers is Answers.DOWNLOAD:
        with _target(output) as target:
            for piece in response.iter_content(chunk_size=65536):
                target.write(piece)


def _target(output: str) -> AbstractContextManager[IO[Any]]:
    """Where a download goes: a file of its owner's only, because a snapshot holds passwords. Raises UsageError."""
    if output == "-":
        return click.open_file(output, "wb")
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWN_MODE)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, OWN_MODE)
        return os.fdopen(descriptor, "wb")
    except OSError as error:
        raise click.UsageError(f"--output: {output}: {error.strerror}") from None


def _for_terminal(text: str) -> str:
    """The same for a terminal: what others have sent to the simulator may be in it."""
    return "\n".join(map(visible, text.split("\n")))


def _problem(response: Response) -> str:
    """What a refusal says: its title and detail, and every single fault if there are several."""
    try:
        problem = orjson.loads(response.content)
        return "\n".join(_lines(problem))
    except (ValueError, KeyError, TypeError):
        # Not from a simulator.
        told = response.headers.get("Location") or " ".join(response.text.split())[:_LONGEST]
        return f"{response.url} answers {response.status_code} {response.reason}{_by_proxy(response.url)}: {told}"


def _lines(problem: dict[str, Any]) -> Iterator[str]:
    errors = problem["errors"]
    if len(errors) > 1:
        yield problem["title"]
        yield from (f"  {one['where']}: {one['what']}" for one in errors)
    else:
        yield f"{problem['title']}: {problem['detail']}"


def _by_proxy(url: str) -> str:
    proxy = client.proxy_of(url)
    return f" through the proxy {proxy} (see HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY)" if proxy else ""


def _reason(error: requests.RequestException, url: str) -> str:
    by = _by_proxy(url)
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer from {url}{by} in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"{url} broke off its answer{by}"
    if isinstance(error, requests.ConnectionError):
        return f"no simulator answers at {url}{by or ' (see --url)'}"
    return f"--url: {str(error)[:_LONGEST]}{by}"

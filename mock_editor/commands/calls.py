"""Calling an operation of a running simulator and printing what it answers."""

import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import IO, Any
from urllib.parse import quote

import click
import orjson
import requests
from requests import PreparedRequest, Response

from mock_editor.base import client
from mock_editor.base.errors import reason_of
from mock_editor.base.files import OWN_MODE
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.logs import visible
from mock_editor.base.words import english
from mock_editor.commands.description import Description, Option
from mock_editor.commands.failures import Failure, Refused
from mock_editor.settings import PREFIX, SettingsError, secret

# Some operations wait, and streams have no known end.
_LIMITS = client.Limits(5, 600, 256 * 1024 * 1024)
_ENDLESS = client.Limits(5, math.inf, math.inf)
_LONGEST = 300
SWITCH = {"on": True, "off": False}


def call(operation: Description, url: str, output: str, file: Any, values: dict[str, Any]) -> None:
    """Calls an operation with the values of a command line. Raises Refused, Failure and UsageError."""
    try:
        with _send(operation, url, _token(), file, values) as response:
            if not response.ok or response.is_redirect:
                raise Refused(_for_terminal(_problem(response)))
            _show(operation, response, output)
    except requests.RequestException as error:
        raise Failure(_reason(error, url)) from None


def _token() -> str | None:
    """The token that the simulator asks of other machines; an option would show in process lists. Raises UsageError."""
    try:
        token = secret("admin_token", os.environ)
    except SettingsError as error:
        raise click.UsageError(english(error.issue)) from None
    # It has to fit into a header.
    if token and not re.fullmatch("[!-~]+", token):
        raise click.UsageError(english(issue(Code.TOKEN_SIGNS, variable=f"{PREFIX}ADMIN_TOKEN")))
    return token


def _send(operation: Description, url: str, token: str | None, file: Any, values: dict[str, Any]) -> Response:
    given = [option for option in operation.options if values[option.name] not in (None, ())]
    sent = {option.name: _value(option, values[option.name]) for option in given}
    query = {option.name: _in_query(sent[option.name]) for option in given if option.place == "query"}
    body = {option.name: sent[option.name] for option in given if option.place == "body"}
    content = file or (orjson.dumps(body) if body or operation.body_required else None)
    headers = {"Accept": operation.accept}
    if content is not None:
        headers["Content-Type"] = operation.content_type
    places = {argument.name: quote(values[argument.name], safe="") for argument in operation.arguments}

    def sign(request: PreparedRequest) -> PreparedRequest:
        # As a function, it has precedence over what ~/.netrc may say about that machine.
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    limits = _LIMITS if operation.answers == "json" else _ENDLESS
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


def _value(option: Option, given: Any) -> Any:
    if option.type == "boolean":
        return SWITCH[given]
    return None if option.clears and given == "" else given


def _in_query(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _show(operation: Description, response: Response, output: str) -> None:
    if operation.answers == "json":
        click.echo(_for_terminal(orjson.dumps(orjson.loads(response.content), option=orjson.OPT_INDENT_2).decode()))
    elif operation.answers == "stream":
        for line in response.iter_lines(chunk_size=None):
            if line:
                click.echo(visible(line.decode("utf-8", "replace")))
    elif operation.answers == "download":
        with _target(output) as target:
            for piece in response.iter_content(chunk_size=65536):
                target.write(piece)


def _target(output: str) -> AbstractContextManager[IO[Any]]:
    """Where a download goes: a file for its owner only, because a snapshot holds passwords. Raises UsageError."""
    if output == "-":
        return click.open_file(output, "wb")
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWN_MODE)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, OWN_MODE)
        return os.fdopen(descriptor, "wb")
    except OSError as error:
        wrong = issue(Code.OUTPUT_UNWRITABLE, path=output, reason=reason_of(error))
        raise click.UsageError(english(wrong)) from None


def _for_terminal(text: str) -> str:
    """Makes a text safe for a terminal: it may contain what others have sent to the simulator."""
    return "\n".join(map(visible, text.split("\n")))


def _problem(response: Response) -> str:
    """The text of a refusal: its title and detail, and each issue if there are several."""
    try:
        problem = orjson.loads(response.content)
        return "\n".join(_lines(problem))
    except (ValueError, KeyError, TypeError):
        # The answer is not from a simulator.
        text = response.headers.get("Location") or " ".join(response.text.split())[:_LONGEST]
        answer = f"{response.status_code} {response.reason}"
        return english(issue(Code.NO_SIMULATOR, url=response.url, answer=answer, proxy=_proxy(response.url), text=text))


def _lines(problem: dict[str, Any]) -> Iterator[str]:
    errors = problem["errors"]
    if len(errors) > 1:
        yield problem["title"]
        yield from (f"  {error['where']}: {error['what']}" for error in errors)
    else:
        yield f"{problem['title']}: {problem['detail']}"


def _proxy(url: str) -> Issue | str:
    """The proxy by which a URL is called, to be added to a message; empty without one."""
    proxy = client.proxy_of(url)
    return issue(Code.THROUGH_PROXY, proxy=proxy) if proxy else ""


def _reason(error: requests.RequestException, url: str) -> Issue:
    proxy = _proxy(url)
    if client.timed_out(error):
        return issue(Code.SIMULATOR_TIMEOUT, url=url, proxy=proxy)
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return issue(Code.SIMULATOR_BROKE_OFF, url=url, proxy=proxy)
    if isinstance(error, requests.ConnectionError):
        return issue(Code.SIMULATOR_UNREACHABLE, url=url, hint=proxy or issue(Code.SEE_URL))
    return issue(Code.CALL_IMPOSSIBLE, reason=str(error)[:_LONGEST], proxy=proxy)

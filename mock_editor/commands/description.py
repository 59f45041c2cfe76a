"""The operations of a running simulator as commands need them: data that ``generate.py`` writes and the package ships.

The commands are made from it alone, so they load neither the models of the operations nor the server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import orjson

FILE = "operations.json"


@dataclass(frozen=True, slots=True)
class Argument:
    """A part of the path that is an argument."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Option:
    """A query parameter or a field of a JSON body. ``clears``: an empty text stands for null."""

    name: str
    place: Literal["query", "body"]
    type: Literal["boolean", "choice", "instant", "integer", "json", "number", "text"]
    choices: Sequence[str]
    required: bool
    repeats: bool
    clears: bool
    description: str


@dataclass(frozen=True, slots=True)
class Description:
    """An operation: its command, its call, and what comes back.

    ``body`` says what is sent: a file that the caller names, or JSON made from options.
    """

    command: Sequence[str]
    group: str
    summary: str
    description: str
    example: Sequence[str]
    method: str
    path: str
    arguments: Sequence[Argument]
    options: Sequence[Option]
    body: Literal["file", "json", "none"]
    body_required: bool
    content_type: str
    accept: str
    answers: Literal["download", "json", "nothing", "stream"]


def read(content: bytes) -> list[Description]:
    """The descriptions that ``generate.py`` has written."""
    return [_read(operation) for operation in orjson.loads(content)]


def shipped() -> list[Description]:
    """The descriptions of all operations of this version."""
    return read((resources.files("mock_editor.commands") / FILE).read_bytes())


def _read(operation: dict[str, Any]) -> Description:
    arguments = [Argument(**argument) for argument in operation["arguments"]]
    options = [Option(**option) for option in operation["options"]]
    return Description(**operation | {"arguments": arguments, "options": options})

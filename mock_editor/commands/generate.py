"""``python -m mock_editor.commands.generate``: writes the file from which the commands are made.

Run it (``make generated``) when an operation of the admin API has changed; a test tells when the file is stale.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import orjson

from mock_editor.admin.operation import JSON, Example, Operation, Parameter, parameters
from mock_editor.admin.operations import OPERATIONS
from mock_editor.commands.description import FILE, Argument, Description, Option

_TYPES: dict[str, Literal["boolean", "integer", "number", "text"]] = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "string": "text",
}


def describe(operation: Operation) -> Description:
    """What commands need to know of an operation."""
    return Description(
        command=operation.command.split(),
        group=operation.tag_description,
        summary=operation.summary,
        description=operation.description,
        example=arguments(operation, operation.examples[0]),
        method=operation.method,
        path=operation.path,
        arguments=[Argument(parameter.name, parameter.description) for parameter in parameters(operation.place)],
        options=_options(operation),
        body="json" if operation.json_body else "file" if operation.body else "none",
        body_required=operation.body_required,
        content_type=operation.accepts[0] if operation.accepts else JSON,
        accept=f"{operation.produces[0]}, application/problem+json" if operation.produces else "*/*",
        answers=operation.answers.value,
    )


def content(operations: Sequence[Operation] = OPERATIONS) -> bytes:
    """The content of the file."""
    return orjson.dumps([describe(operation) for operation in operations], option=orjson.OPT_INDENT_2) + b"\n"


def arguments(operation: Operation, example: Example) -> list[str]:
    """The arguments with which a command does what an example does; ``FILE`` stands for a body that is a file."""
    command = [str(example.path[parameter.name]) for parameter in parameters(operation.place)]
    if operation.body and not operation.json_body:
        command.append("FILE")
    values = {**example.query, **(example.body if operation.json_body and example.body else {})}
    for option in _options(operation):
        if option.name in values:
            value = values[option.name]
            texts = value if option.repeats else [_text(value)]
            command += [text for value in texts for text in (f"--{option.name.replace('_', '-')}", value)]
    return command


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _options(operation: Operation) -> list[Option]:
    query = [_option(operation, "query", option) for option in (parameters(operation.query) if operation.query else ())]
    body = operation.json_body
    return query + [_option(operation, "body", option) for option in (parameters(body) if body else ())]


def _option(operation: Operation, place: Literal["query", "body"], field: Parameter) -> Option:
    repeats = field.schema.get("type") == "array" and field.schema.get("items", {}).get("type") == "string"
    choices = field.schema.get("enum") or (field.schema["items"].get("enum") if repeats else None) or []
    return Option(
        name=field.name,
        place=place,
        type=_type(field, bool(choices), repeats),
        choices=choices,
        required=field.required,
        repeats=repeats,
        clears=operation.method == "PATCH" and field.nullable and field.kind == "string",
        description=field.description,
    )


def _type(
    field: Parameter, chosen: bool, repeats: bool
) -> Literal["boolean", "choice", "instant", "integer", "json", "number", "text"]:
    if chosen:
        return "choice"
    if repeats:
        return "text"
    if field.schema.get("format") == "date-time":
        return "instant"
    return _TYPES.get(field.kind, "json")


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_bytes(content())

"""What was typed into a form, as the JSON that an operation takes.

Names of fields are paths: ``body.at``, ``body.steps.0.at``, ``query.keep_state``, ``path.editor``. What each text
becomes is in the JSON schema of the operation's models:

- a blank text is left out; in a field whose name ends with ``!`` it says null, or the empty text where null is none;
- a list takes every value of a field of its name, and of each value every line; a list of objects ``….0.…``,
  ``….1.…``, without those that are blank;
- an object or a list of objects may be typed as JSON, in one field;
- an instant without an offset, as ``datetime-local`` gives it, is one of the zone of the page.

What a text cannot become stays a text: the operation's own check says what is wrong with it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel

from mock_editor.admin.operation import Operation
from mock_editor.base.schemas import Schema, meant, schema_of, takes_null

# The values of each field of a form, in order.
Typed = Mapping[str, Sequence[str]]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")
_PLAIN = frozenset({"string", "integer", "number", "boolean"})
_MEANS_BLANK = "!"


def place_of(typed: Typed) -> dict[str, str]:
    """The parameters of the path."""
    return {name.removeprefix("path."): values[-1] for name, values in typed.items() if name.startswith("path.")}


def query_of(operation: Operation, typed: Typed, zone: ZoneInfo) -> dict[str, str]:
    """The parameters of the query, as texts."""
    found = {name.removeprefix("query."): values for name, values in typed.items() if name.startswith("query.")}
    return flat(operation.query, found, zone) if operation.query else {}


def flat(model: type[BaseModel], typed: Typed, zone: ZoneInfo) -> dict[str, str]:
    """The parameters of a query as texts, without blank ones; ``typed`` by the names of the model's fields."""
    own = schema_of(model).get("properties", {})
    texts = {name: values[-1].strip() for name, values in typed.items() if values[-1].strip()}
    instants = {name for name in texts if meant(own.get(name, {})).get("format") == "date-time"}
    return {name: _instant(text, zone) if name in instants else text for name, text in texts.items()}


def body_of(operation: Operation, typed: Typed, zone: ZoneInfo) -> bytes:
    """The JSON body."""
    model = operation.json_body
    if model is None:
        return "".join(typed.get("body", ())).encode()
    tree: dict[str, Any] = {}
    for name, values in typed.items():
        if name.startswith("body."):
            _put(tree, name.removeprefix("body.").split("."), values)
    return orjson.dumps(_value(tree, schema_of(model), zone))


def _put(tree: dict[str, Any], parts: list[str], values: Sequence[str]) -> None:
    for part in parts[:-1]:
        found = tree.setdefault(part, {})
        if not isinstance(found, dict):
            # `body.a` and `body.a.b`: the first one wins, and is told to be wrong if it is.
            return
        tree = found
    tree.setdefault(parts[-1], values)


# --- values


class _Left(Exception):  # noqa: N818 - not an error
    """A field that was left blank."""


def _value(found: Any, schema: Schema, zone: ZoneInfo) -> Any:
    """What a part of the form says. Raises _Left."""
    schema = _meant(schema, found)
    if isinstance(found, dict):
        return _inside(found, schema, zone)
    kind = schema.get("type")
    items = meant(schema.get("items", {}))
    if kind == "array" and items.get("type") in _PLAIN:
        lines = [line.strip() for text in found for line in text.splitlines() if line.strip()]
        if not lines:
            raise _Left
        return [_plain(line, items, zone) for line in lines]
    text = found[-1].strip()
    if not text:
        raise _Left
    if kind not in ("array", "object"):
        return _plain(text, schema, zone)
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _inside(found: Mapping[str, Any], schema: Schema, zone: ZoneInfo) -> Any:
    """An object, or the members of a list."""
    if schema.get("type") == "array":
        members = [found[key] for key in sorted(found, key=lambda key: (len(key), key))]
        some = (_member(one, schema.get("items", {}), zone) for one in members)
        return [one for one in some if one not in ({}, None)]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    made = {}
    for key, value in found.items():
        name = key.removesuffix(_MEANS_BLANK)
        own = properties.get(name, others if isinstance(others, dict) else {})
        try:
            made[name] = _value(value, own, zone)
        except _Left:
            if name != key:
                made[name] = None if takes_null(own) else ""
    return made


def _member(found: Any, schema: Schema, zone: ZoneInfo) -> Any:
    """One of a list; None or nothing in it for one that was left blank."""
    try:
        return _value(found, schema, zone)
    except _Left:
        return None


def _meant(schema: Schema, found: Any) -> Schema:
    """The schema of a part of the form: of several the one whose tag stands in it, or the first."""
    union = schema.get("discriminator")
    tag = found.get(union["propertyName"], [""])[-1] if union and isinstance(found, dict) else None
    return meant(schema, tag)


def _plain(text: str, schema: Schema, zone: ZoneInfo) -> Any:
    kind = schema.get("type")
    if kind in ("integer", "number") and _NUMBER.fullmatch(text):
        return orjson.loads(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return _instant(text, zone) if schema.get("format") == "date-time" else text


def _instant(text: str, zone: ZoneInfo) -> str:
    """With an offset, if it has none."""
    if not _LOCAL.fullmatch(text):
        return text
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    except ValueError:
        return text

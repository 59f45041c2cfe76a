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
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel

from mock_editor.admin.operation import Operation

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
    schema = _schema(model)
    own, shared = schema.get("properties", {}), schema.get("$defs", {})
    texts = {name: values[-1].strip() for name, values in typed.items() if values[-1].strip()}
    instants = {name for name in texts if _resolved(own.get(name, {}), shared, None)[0].get("format") == "date-time"}
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
    schema = _schema(model)
    return orjson.dumps(_value(tree, schema, schema.get("$defs", {}), zone))


def _put(tree: dict[str, Any], parts: list[str], values: Sequence[str]) -> None:
    for part in parts[:-1]:
        found = tree.setdefault(part, {})
        if not isinstance(found, dict):
            # `body.a` and `body.a.b`: the first one wins, and is told to be wrong if it is.
            return
        tree = found
    tree.setdefault(parts[-1], values)


@cache  # of a few models
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


# --- values


class _Left(Exception):  # noqa: N818 - not an error
    """A field that was left blank."""


def _value(found: Any, schema: Mapping[str, Any], shared: Mapping[str, Any], zone: ZoneInfo) -> Any:
    """What a part of the form says. Raises _Left."""
    schema, _ = _resolved(schema, shared, found)
    if isinstance(found, dict):
        return _inside(found, schema, shared, zone)
    kind = schema.get("type")
    items = _resolved(schema.get("items", {}), shared, None)[0]
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


def _inside(found: Mapping[str, Any], schema: Mapping[str, Any], shared: Mapping[str, Any], zone: ZoneInfo) -> Any:
    """An object, or the members of a list."""
    if schema.get("type") == "array":
        members = [found[key] for key in sorted(found, key=lambda key: (len(key), key))]
        some = (_member(one, schema.get("items", {}), shared, zone) for one in members)
        return [one for one in some if one not in ({}, None)]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    made = {}
    for key, value in found.items():
        name = key.removesuffix(_MEANS_BLANK)
        own = properties.get(name, others if isinstance(others, dict) else {})
        try:
            made[name] = _value(value, own, shared, zone)
        except _Left:
            if name != key:
                made[name] = None if _resolved(own, shared, None)[1] else ""
    return made


def _member(found: Any, schema: Mapping[str, Any], shared: Mapping[str, Any], zone: ZoneInfo) -> Any:
    """One of a list; None or nothing in it for one that was left blank."""
    try:
        return _value(found, schema, shared, zone)
    except _Left:
        return None


def _resolved(schema: Mapping[str, Any], shared: Mapping[str, Any], found: Any) -> tuple[Mapping[str, Any], bool]:
    """A schema with what it refers to, of several the one that is meant; and whether it takes null."""
    nullable = False
    while True:
        if "$ref" in schema:
            schema = shared[schema["$ref"].rpartition("/")[2]]
        elif "discriminator" in schema:
            named = schema["discriminator"]
            chosen = found.get(named["propertyName"], [""]) if isinstance(found, dict) else [""]
            schema = {"$ref": named["mapping"].get(chosen[-1], "")} if chosen[-1] in named["mapping"] else {}
        elif "anyOf" in schema:
            some = [one for one in schema["anyOf"] if one.get("type") != "null"]
            nullable = nullable or len(some) < len(schema["anyOf"])
            schema = some[0] if some else {}
        else:
            return schema, nullable


def _plain(text: str, schema: Mapping[str, Any], zone: ZoneInfo) -> Any:
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

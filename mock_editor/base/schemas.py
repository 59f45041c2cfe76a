"""Reading the JSON schemas of models: what a value may be at a place, whatever is written by reference.

The admin API's parameters, the console's forms, the catalogue of faults and the words of refusals ask here.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

# A JSON schema whose references are resolved, without titles, which say nothing that names do not.
Schema = Mapping[str, Any]


@cache  # of a few models
def schema_of(model: type[BaseModel]) -> Schema:
    """The schema of what a model takes."""
    written = model.model_json_schema()
    whole: Schema = _resolved(
        {key: value for key, value in written.items() if key != "$defs"}, written.get("$defs", {})
    )
    return whole


def alternatives(schema: Schema) -> Sequence[Schema]:
    """What a value may be, apart from null."""
    options = schema.get("anyOf") or schema.get("oneOf")
    return [option for option in options if option.get("type") != "null"] if options else [schema]


def takes_null(schema: Schema) -> bool:
    """Whether null is a value."""
    return {"type": "null"} in schema.get("anyOf", ()) or schema.get("type") == "null"


def meant(schema: Schema, tag: object = None) -> Schema:
    """The schema of a value that may be several things: the one of a ``tag``, if it is a tagged union, else the first.

    Empty when the tag is none of its own.
    """
    while True:
        options = alternatives(schema)
        if "discriminator" in schema:
            name = schema["discriminator"]["propertyName"]
            return next((option for option in options if option["properties"][name].get("const") == tag), {})
        if not options:
            return {}
        if options[0] is schema:
            return schema
        schema = options[0]


def values(schema: Schema) -> Sequence[Any]:
    """Which values there are, where they are numbered; empty where anything of a type goes."""
    options = alternatives(schema)
    if len(options) == 1:
        return [options[0]["const"]] if "const" in options[0] else options[0].get("enum", ())
    value_lists = [values(option) for option in options]
    return [value for value_list in value_lists for value in value_list] if all(value_lists) else ()


def at(schema: Schema, location: Sequence[int | str]) -> Schema:
    """The schema of the value at a location, as pydantic gives it: tags of unions stand in it. Empty where none is."""
    for part in location:
        union = next((option for option in alternatives(schema) if "discriminator" in option), schema)
        if "discriminator" in union:
            schema = meant(union, part)
        elif isinstance(part, int):
            schema = _having(schema, "items")
        else:
            others = _having(schema, "additionalProperties")
            schema = _having(schema, "properties").get(part) or (others if isinstance(others, dict) else {})
    return schema


def _having(schema: Schema, key: str) -> Any:
    return next((option[key] for option in alternatives(schema) if key in option), {})


def _resolved(schema: Any, shared: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(item, shared) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        # What is said beside a reference is about this place.
        schema = shared[schema["$ref"].rpartition("/")[2]] | {
            key: value for key, value in schema.items() if key != "$ref"
        }
    # A property may be called title.
    titled = isinstance(schema.get("title"), str)
    return {key: _resolved(value, shared) for key, value in schema.items() if not (titled and key == "title")}

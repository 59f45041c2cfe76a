"""The catalogue of the kinds of faults, made from their classes: as data, and as the tables of ``docs/faults.md``.

``python -m mock_editor.faults.catalogue`` writes the tables into that page anew.
"""

import functools
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mock_editor.base.files import folder
from mock_editor.base.schemas import alternatives, schema_of
from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import KINDS
from mock_editor.faults.words import French, Label

BEGIN, END = "<!-- catalogue: begin -->", "<!-- catalogue: end -->"
# A parameter is explained once for a family when at least this many of its kinds have it.
_COMMON = 5


@dataclass(frozen=True, slots=True)
class Described:
    """A kind: what the client sees, and which rule that ``breaks``; ``parameters`` is the JSON schema of an object.

    ``about`` is what all kinds of its module are about. ``french`` and ``labels`` (by parameter) are for screens.
    """

    kind: str
    family: str
    about: str
    flows: tuple[str, ...]
    description: str
    breaks: str
    parameters: Mapping[str, Any]
    french: French
    labels: Mapping[str, Label]


@functools.cache
def catalogue() -> Mapping[str, Described]:
    """All kinds by name, in the order of their list."""
    return {name_of(kind): _described(kind) for kind in KINDS}


def _described(kind: type[Kind]) -> Described:
    schema = schema_of(kind)
    properties = {name: own for name, own in schema["properties"].items() if name != "kind"}
    required = [name for name in schema.get("required", []) if name != "kind"]
    return Described(
        kind=name_of(kind),
        family=kind.family,
        about=(inspect.getdoc(inspect.getmodule(kind)) or "").partition("\n")[0],
        flows=tuple(sorted(kind.flows)),
        description=" ".join((kind.__doc__ or "").split()),
        breaks=kind.breaks,
        parameters={
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
        },
        french=kind.french,
        labels=kind.labels(),
    )


def name_of(kind: type[Kind]) -> str:
    """What a kind is called in rules."""
    return str(kind.model_fields["kind"].default)


# --- as a page


def markdown() -> str:
    """The catalogue as tables, one for each family."""
    families: dict[str, list[Described]] = {}
    for kind in catalogue().values():
        families.setdefault(kind.family, []).append(kind)
    return "\n".join(line for family, kinds in families.items() for line in _table(family, kinds))


def _table(family: str, kinds: Sequence[Described]) -> Iterator[str]:
    yield f"### {'HTTP' if family == 'http' else family.capitalize()}\n"
    yield " ".join(dict.fromkeys(kind.about for kind in kinds)) + "\n"
    [(usual, _)] = Counter(kind.flows for kind in kinds).most_common(1)
    if usual:
        exceptions = "" if all(kind.flows == usual for kind in kinds) else ", unless said otherwise"
        yield f"On {', '.join(usual)}{exceptions}.\n"
    counted = Counter(parameter for kind in kinds for parameter in _parameters(kind))
    common = [parameter for parameter, count in counted.items() if count >= _COMMON]
    if common:
        yield "Parameters of many:\n"
        yield from (f"- {name} {text}" for name, text in common)
        yield ""
    # Slow answers and errors break nothing.
    columns = 4 if any(kind.breaks for kind in kinds) else 3
    yield _row(["Kind", "Parameters", "What the client sees", "What it breaks"][:columns])
    yield "|---" * columns + "|"
    for kind in kinds:
        parameters = sorted(_parameters(kind), key=common.__contains__)
        lines = [name if (name, text) in common else f"{name} {text}" for name, text in parameters]
        flows = "" if kind.flows == usual else f"<br>on {', '.join(kind.flows) or 'all flows'}"
        yield _row([f"`{kind.kind}`{flows}", "<br>".join(lines), kind.description, kind.breaks][:columns])
    yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("``", "`").replace("|", "\\|") for cell in cells) + " |"


def _parameters(kind: Described) -> Iterator[tuple[str, str]]:
    """Its parameters, those that have to be there first, and what there is to say of each."""
    required = kind.parameters.get("required", ())
    for name, schema in sorted(kind.parameters["properties"].items(), key=lambda own: own[0] not in required):
        types = [_type(schema)]
        if name in required:
            types.append("required")
        elif schema.get("default") not in (None, "", []):
            types.append(f"default {_value(schema['default'])}")
        description = str(schema.get("description", "")).rstrip(".")
        yield f"`{name}`", f"({', '.join(types)})" + (f": {description}" if description else "")


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_type, alternatives(schema)))
    if "enum" in schema:
        return ", ".join(map(_value, schema["enum"]))
    if "const" in schema:
        return _value(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return {"integer": "whole number", "string": "text", "boolean": "true or false", "object": "mapping"}.get(
        schema.get("type", ""), "number"
    ) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {_value(schema[key])}" for key, sign in signs.items() if key in schema]
    return " " + " and ".join(bounds) if bounds else ""


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:,.12g}".replace(",", "\u202f")
    return f"`{value}`"


def with_tables(page: str) -> str:
    """The page with the catalogue as it is now. Raises ValueError where it has no room for it."""
    replaced = re.subn(
        f"({re.escape(BEGIN)}\n).*(\n{re.escape(END)})", lambda at: at[1] + markdown() + at[2], page, flags=re.S
    )
    if replaced[1] != 1:
        raise ValueError(f"expected {BEGIN} and {END} once, each in a line of its own")
    return replaced[0]


if __name__ == "__main__":
    path = folder("docs") / "faults.md"
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")

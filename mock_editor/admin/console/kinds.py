"""Kinds of faults on screens: the fields of a form for their parameters, and what a kind does, in a line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mock_editor.base.schemas import meant, takes_null
from mock_editor.faults.catalogue import catalogue
from mock_editor.faults.kind import Kind
from mock_editor.faults.words import Label, inline


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kind, for a form. ``shape``: "number", "text", "check", "choice" or "json".

    ``value`` is what its field shows at first; ``limits`` are attributes of the field; ``options`` what a choice has.
    """

    name: str
    label: str
    hint: str
    shape: str
    value: Any
    limits: Mapping[str, Any]
    options: Sequence[tuple[str, str]] = ()


def parameters(kind: str, values: Mapping[str, Any] | None = None) -> list[Parameter]:
    """Those of a kind, the required ones first, with the values of an existing rule, or those that are usual."""
    described = catalogue()[kind]
    required = described.parameters.get("required", ())
    own = sorted(described.parameters["properties"].items(), key=lambda one: one[0] not in required)
    return [_parameter(name, schema, described.labels[name], name in required, values) for name, schema in own]


def summary(kind: Kind) -> str:
    """What a kind does, in a line: « Retard constant (retard : 3 s) »."""
    labels = kind.labels()
    values = kind.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
    said = [_setting(labels[name], value) for name, value in values.items()]
    return f"{kind.french.title} ({', '.join(said)})" if said else kind.french.title


def _setting(label: Label, value: Any) -> str:
    text, unit = inline(label.of_field), label.unit
    if value is True:
        return text
    shown = label.values.get(value, value) if isinstance(value, str) else _plain(value)
    return f"{text} : {shown}{f' {unit}' if unit and ' ' not in unit else ''}"


def _plain(value: Any) -> str:
    """As French people write it: 0,5."""
    if isinstance(value, dict):
        return ", ".join(f"{key} % : {_plain(one)} s" for key, one in value.items())
    if isinstance(value, bool):
        return "oui" if value else "non"
    return f"{value:.12g}".replace(".", ",")


def _parameter(
    name: str, schema: Mapping[str, Any], label: Label, required: bool, values: Mapping[str, Any] | None
) -> Parameter:
    own = meant(schema)
    usual = schema.get("default") if label.proposed is None else label.proposed
    value = values.get(name) if values is not None else usual
    limits: dict[str, Any] = {"required": True} if required else {}
    options: list[tuple[str, str]] = []
    match own:
        case {"enum": found}:
            shape = "choice"
            options = [("", "–")] if takes_null(schema) else []
            options += [(one, label.values.get(one, one)) for one in found]
        case {"type": "boolean"}:
            shape = "check"
        case {"type": "object"}:
            shape, value = "json", json.dumps(value)
        case {"type": "integer" | "number" as number}:
            shape = "number"
            limits |= {"step": "1" if number == "integer" else "any"}
            limits |= {"min": own.get("minimum", own.get("exclusiveMinimum"))}
            limits |= {"max": own.get("maximum", own.get("exclusiveMaximum"))}
        case _:
            shape = "text"
            limits |= {"maxlength": own.get("maxLength")}
    limits = {key: _field(one) for key, one in limits.items() if one is not None}
    shown = f"{label.of_field} ({label.unit})" if label.unit else label.of_field
    return Parameter(name, shown, label.hint, shape, _field(value), limits, options)


def _field(value: Any) -> Any:
    """A number as a field writes it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value

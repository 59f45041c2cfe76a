"""What is wrong with data that pydantic checks, as issues: by types and values, never by texts."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ErrorType

from mock_editor.base import schemas
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code, DataCode, Issue, issue

Location = tuple[int | str, ...]

_MISSING = frozenset(
    {"missing", "missing_argument", "missing_keyword_only_argument", "missing_positional_only_argument"}
)
_DATA_CODES = {
    error_type: DataCode(f"pydantic.{error_type}", "required" if error_type in _MISSING else "structure")
    for error_type in get_args(ErrorType)
}
# Types of error whose words name Python types when the data is already parsed, unlike those for JSON.
_NAMES_PYTHON = frozenset(
    {
        "counter_type", "dataclass_type", "deque_type", "dict_type", "frozen_dict_type", "frozen_set_type",
        "arguments_type", "iterable_type", "list_type", "model_attributes_type", "model_type", "named_tuple_type",
        "none_required", "ordered_dict_type", "set_type", "time_delta_parsing", "time_delta_type", "tuple_type",
    }
)  # fmt: skip
_PYTHON_CODES = {name: DataCode(f"pydantic.python.{name}") for name in _NAMES_PYTHON}
# By key: the keys are the types of the errors that our validators raise.
_CODES: Mapping[str, Code | DataCode] = {
    code.value: code for code in (*Code, *_DATA_CODES.values(), *_PYTHON_CODES.values())
}
_OTHER, _OTHER_MISSING = DataCode("pydantic.other"), DataCode("pydantic.other", "required")
# The value that decides the plural.
_COUNTED = ("min_length", "max_length", "max_digits", "decimal_places", "whole_digits")


class Finding(NamedTuple):
    """One error that pydantic found: where in the data, its type, and its values.

    ``message`` is the text of pydantic, or of a library that has its own types of error.
    """

    location: Location
    type: str
    context: Mapping[str, Any]
    message: str = ""


def invalid(code: Code | DataCode, **values: object) -> PydanticCustomError:
    """A code and its values as an error of pydantic, for an error that is put together again elsewhere."""
    # The type is the code's key; the words are made from it and the values, wherever the error ends up.
    return PydanticCustomError(code.value, code.value, dict(values) or None)


def findings(error: ValidationError) -> list[Finding]:
    """Everything that pydantic found."""
    errors = error.errors(include_url=False, include_input=False)
    return [Finding(detail["loc"], detail["type"], detail.get("ctx", {}), detail["msg"]) for detail in errors]


def issues(error: ValidationError, model: type[BaseModel], *, json: bool = True) -> Iterator[Issue]:
    """What is wrong with data for a model, as issues without places; ``json``: it was checked as JSON.

    They are in the order of ``findings``.
    """
    schema = schemas.schema_of(model)
    return (described(finding, schemas.at(schema, finding.location), json=json) for finding in findings(error))


def described(finding: Finding, schema: schemas.Schema | None = None, *, json: bool = True) -> Issue:
    """A finding as an issue, without its place; ``schema`` is that of the value."""
    carried = finding.context.get("error")
    if isinstance(carried, InvalidValueError):
        return carried.issue
    if finding.type in _CODES:
        return issue(_CODES[finding.type], **finding.context)
    # fhir.resources has its own types of error; one has the name of a type of pydantic.
    if finding.type not in _DATA_CODES or "field" in finding.context:
        return issue(_OTHER_MISSING if finding.type.endswith(".missing") else _OTHER, error=finding.message)
    code = _DATA_CODES[finding.type] if json else _PYTHON_CODES.get(finding.type, _DATA_CODES[finding.type])
    given = {name: _as_written(value) for name, value in finding.context.items()}
    for name in _COUNTED:
        if name in given:
            given["count"] = given[name]
    if "expected" in given:
        # pydantic gives the choices as a text, with an English "or".
        given["choices"] = [repr(choice) for choice in schemas.values(schema or {})] or given["expected"]
    return issue(code, **given)


def _as_written(value: object) -> object:
    """A number as pydantic writes it: without a fraction if it has none, and never with an exponent."""
    if not isinstance(value, float):
        return str(value) if isinstance(value, Exception) else value
    return int(value) if value.is_integer() else f"{Decimal(repr(value)):f}"

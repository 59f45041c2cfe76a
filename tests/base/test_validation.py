"""What pydantic finds wrong is told by type and values, in pydantic's own English and in French."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError, create_model
from pydantic_core import PydanticKnownError
from pydantic_core._pydantic_core import list_all_errors

from mock_editor.base import validation
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code
from mock_editor.base.validation import Finding, described, findings, invalid, issues
from mock_editor.base.words import english, french

ERRORS: dict[str, Any] = {one["type"]: one for one in list_all_errors()}
# For each name in a message, a value that stands out.
SAMPLES: dict[str, Any] = {
    "gt": 1, "ge": 2.0, "lt": 0.5, "le": 1e-7, "multiple_of": 5, "min_length": 1, "max_length": 2, "actual_length": 3,
    "max_digits": 1, "decimal_places": 2, "whole_digits": 3, "expected": "'a' or 'b'", "tz_expected": 0,
    "tz_actual": 60, "expected_version": 4, "field_type": "List",
}  # fmt: skip


def sampled(kind: str) -> dict[str, Any]:
    return {name: SAMPLES.get(name, name) for name in ERRORS[kind].get("example_context") or {}}


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_of_pydantic_is_told_in_its_own_words(kind: str) -> None:
    context = sampled(kind)
    if kind in ("value_error", "assertion_error"):
        context = {"error": ValueError("what is wrong")}
    said = PydanticKnownError(kind, context).message().removeprefix("Value error, ")  # type: ignore[arg-type]
    assert english(described(Finding((), kind, context), json=False)) == said


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_of_pydantic_has_french_words_for_json_and_for_python(kind: str) -> None:
    for json in (False, True):
        said = french(described(Finding((), kind, sampled(kind)), json=json))
        assert said
        assert "{" not in said


def test_the_errors_whose_words_name_types_of_python_are_known() -> None:
    assert {kind for kind, one in ERRORS.items() if "message_template_json" in one} == validation._NAMES_PYTHON


def _unlike_two(value: int) -> int:
    if value == 2:
        raise invalid(Code.BODY_TOO_LARGE, limit=value)
    if value == 4:
        raise InvalidValueError(Code.BODY_TOO_LARGE, limit=value)
    if value == 3:
        raise ValueError("not three")
    return value


class Inner(BaseModel):
    kind: Literal["inner"]
    size: Annotated[float, Field(gt=0.0, le=1e9)]


class Other(BaseModel):
    kind: Literal["other"]


class Sample(BaseModel, extra="forbid"):
    number: Annotated[int, AfterValidator(_unlike_two)] = 1
    direction: Literal["in", "out"] | None = None
    names: Annotated[list[str], Field(min_length=1, max_length=2)] = ["x"]
    parts: list[Annotated[Inner | Other, Field(discriminator="kind")]] = []
    more: dict[str, Annotated[str, Field(max_length=1)]] = {}


DATA = [
    '{"number": 2}',
    '{"number": 3}',
    '{"number": "x"}',
    '{"number": 1.5}',
    '{"direction": "up"}',
    '{"names": []}',
    '{"names": ["a", "b", "c"]}',
    '{"names": "a"}',
    '{"names": [1]}',
    '{"parts": [{"kind": "inner", "size": 0}]}',
    '{"parts": [{"kind": "inner", "size": 1e10}]}',
    '{"parts": [{"kind": "inner"}]}',
    '{"parts": [{"kind": "none"}]}',
    '{"parts": [{}]}',
    '{"parts": [5]}',
    '{"more": {"a": "bb"}}',
    '{"more": []}',
    '{"unknown": 1}',
    "[]",
    "{",
]


@pytest.mark.parametrize("data", DATA)
def test_issues_are_told_in_the_words_of_pydantic(data: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Sample.model_validate_json(data)
    said = [one["msg"].removeprefix("Value error, ") for one in raised.value.errors()]
    found = list(issues(raised.value, Sample))
    expected = ["The body is larger than 2 bytes" if one == Code.BODY_TOO_LARGE.value else one for one in said]
    assert [english(one) for one in found] == expected
    assert [one.location for one in findings(raised.value)] == [one["loc"] for one in raised.value.errors()]


def test_choices_are_told_in_french_without_an_english_or() -> None:
    with pytest.raises(ValidationError) as raised:
        Sample.model_validate({"direction": "up"})
    [found] = issues(raised.value, Sample, json=False)
    assert english(found) == "Input should be 'in' or 'out'"
    assert french(found) == "valeurs possibles : 'in', 'out'"


@pytest.mark.parametrize("number", [2, 4])
def test_what_validators_raise_keeps_its_code_and_values(number: int) -> None:
    with pytest.raises(ValidationError) as raised:
        Sample(number=number)
    [found] = issues(raised.value, Sample)
    assert (found.code, found.values) == (Code.BODY_TOO_LARGE, {"limit": number})


def test_numbers_are_written_as_pydantic_writes_them() -> None:
    for most in (0.0, 0.5, 1e9, 1e21, 1e-7, 123456.789):
        model = create_model("Numbers", number=(Annotated[float, Field(gt=most)], ...))
        with pytest.raises(ValidationError) as raised:
            model(number=-1)
        [found] = issues(raised.value, model)
        assert english(found) == raised.value.errors()[0]["msg"]

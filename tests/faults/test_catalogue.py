"""The catalogue of the kinds of faults, as data and as a page."""

import re

import pytest
from jsonschema import Draft202012Validator

from mock_editor.base.files import folder
from mock_editor.base.flows import Flow
from mock_editor.faults.catalogue import BEGIN, END, Described, catalogue, markdown, with_tables
from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import KINDS

PAGE = folder("docs") / "faults.md"


def test_every_kind_is_in_it_once() -> None:
    names = [one.kind for one in catalogue().values()]
    assert len(names) == len(KINDS)
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@pytest.mark.parametrize("one", catalogue().values(), ids=lambda one: one.kind)
def test_each_says_what_there_is_to_know(one: Described) -> None:
    assert one.description.endswith(".")
    assert one.about.endswith(".")
    assert set(one.flows) <= set(Flow)
    Draft202012Validator.check_schema(dict(one.parameters))
    properties = one.parameters["properties"]
    assert "kind" not in properties
    assert "$ref" not in str(properties)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_its_defaults_fit_its_schema(kind: type[Kind]) -> None:
    [one] = [one for one in catalogue().values() if one.kind == kind.model_fields["kind"].default]
    defaults = {name: own["default"] for name, own in one.parameters["properties"].items() if "default" in own}
    given = {name: value for name, value in defaults.items() if value is not None}
    problems = [error.message for error in Draft202012Validator({**one.parameters, "required": []}).iter_errors(given)]
    assert problems == []


def test_the_page_has_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page, "python -m mock_editor.faults.catalogue writes it anew"


def test_the_page_has_a_row_for_every_kind_with_every_parameter() -> None:
    rows = {}
    for line in markdown().splitlines():
        if found := re.match(r"\| `([a-z0-9-]+)`", line):
            rows[found[1]] = line
    assert sorted(rows) == sorted(one.kind for one in catalogue().values())
    for one in catalogue().values():
        cells = re.split(r"(?<!\\)\|", rows[one.kind])
        assert len(cells) in (5, 6), rows[one.kind]
        assert all(f"`{name}`" in cells[2] for name in one.parameters["properties"])


def test_a_page_without_room_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="expected <!-- catalogue: begin -->"):
        with_tables("# Faults\n")


def test_only_what_is_between_the_marks_changes() -> None:
    found = with_tables(f"Before\n{BEGIN}\nold \\1 | rows\n{END}\nAfter\n")
    assert found == f"Before\n{BEGIN}\n{markdown()}\n{END}\nAfter\n"

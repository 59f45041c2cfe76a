"""Pages and text search, as the lists of all features use them."""

import sqlite3
from dataclasses import dataclass

import pytest

from mock_editor.base import listings
from mock_editor.base.listings import LIMIT, Page, plain, says, where


@pytest.fixture
def people() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    listings.prepare(connection)
    connection.execute("create table people (name text, remark text)")
    names = [("Élodie Nuñez", None), ("Zoé Straße", "à rappeler"), ("Max Müller", "")]
    connection.executemany("insert into people values (?, ?)", names)
    return connection


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("elodie", ["Élodie Nuñez"]),
        ("ÉLODIE NUN", ["Élodie Nuñez"]),
        ("STRASSE", ["Zoé Straße"]),
        ("A RAPPELER", ["Zoé Straße"]),
        ("é", ["Élodie Nuñez", "Zoé Straße", "Max Müller"]),
        ("nuñez\nzoé", []),
        ("%", []),
    ],
)
def test_a_text_is_found_whatever_its_case_and_accents(people: sqlite3.Connection, text: str, found: list[str]) -> None:
    rows = people.execute(f"select name from people where {says('name', 'remark')}", {"text": text})  # noqa: S608 - words of ours
    assert [name for (name,) in rows] == found


@pytest.mark.parametrize(
    ("page", "found"),
    [(Page(), [0, 1, 2, 3, 4]), (Page(2), [0, 1]), (Page(2, 3), [4]), (Page(2, 4), []), (Page(1000, 1_000_000), [])],
)
def test_a_page_is_so_many_items_after_those_before(page: Page, found: list[int]) -> None:
    connection = sqlite3.connect(":memory:")
    rows = connection.execute(f"select value from json_each('[0,1,2,3,4]') {LIMIT}", page.values)  # noqa: S608 - likewise
    assert [number for (number,) in rows] == found


@dataclass(frozen=True)
class _Filters:
    name: str | None = None
    old: bool | None = None


def test_only_filters_that_are_given_count() -> None:
    conditions = {"name": "name = :name", "old": "old = :old"}
    assert where(_Filters(), conditions) == ("true", {})
    assert where(_Filters(old=False), conditions) == ("old = :old", {"old": False})
    assert where(_Filters("x", True), conditions) == ("name = :name and old = :old", {"name": "x", "old": True})


def test_signs_are_compared_without_case_and_accents() -> None:
    assert plain("CŒUR Été ﬁn Ⅳ") == "cœur ete fin iv"

"""Whoever runs the simulator reads French: no refusal comes to a screen in English."""

import re
from collections.abc import Mapping

import pytest
from flask import Flask

from mock_editor.admin.operation import Operation
from mock_editor.admin.operations import OPERATIONS
from tests.admin.console_browser import Console, words
from tests.base.test_words import ENGLISH_WORDS
from tests.booking.conftest import Browser
from tests.conftest import matched

ACTIONS = {one.id: one for one in OPERATIONS if one.method != "GET"}
PAGES = (
    "", "visite", "agendas", "comptes", "rendez-vous", "notifications", "journal", "pannes", "pannes/genres",
    "scenario", "scenario/essai", "horloge",
)  # fmt: skip
# What hardly any field takes.
WRONG = ("", "x", "-1", "[]", '{"a": 1}', "2026-13-45", "y" * 300, "\x07")
# What is said to be wrong, and at which field.
SAID = re.compile(r'<(\w+) class="(?:alert|invalid-feedback)[^"]*"[^>]*>(.*?)</\1>', re.DOTALL)


def told(console: Console) -> list[str]:
    return [words(found[2]) for found in SAID.finditer(console.page.text)]


def path_of(operation: Operation, value: str) -> dict[str, str]:
    return {f"path.{name}": value for name in operation.place.model_fields}


def body_of(operation: Operation, value: str) -> dict[str, str]:
    if operation.json_body:
        return {f"body.{name}": value for name in operation.json_body.model_fields}
    return {"body": value} if operation.body else {}


def key(console: Console) -> Mapping[str, str]:
    console.open("/_console/pannes")
    return {"jeton": console.page.text.split('name="jeton" value="')[1].partition('"')[0], "vers": "/_console/pannes"}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_refused_action_is_told_in_french(console: Console, name: str) -> None:
    operation, shared = ACTIONS[name], key(console)
    for value in WRONG:
        path = path_of(operation, value or "x")
        for place in (path, path | {"path.editor": "agenda-ville"} if "path.editor" in path else path):
            console.post(f"/_console/faire/{name}", **shared, **place, **body_of(operation, value))
            if console.page.status_code >= 400:
                said = told(console)
                assert said
                assert [one for one in said if ENGLISH_WORDS.search(one)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_in_french(console: Console, page: str) -> None:
    console.open(f"/_console/{page}")
    read = re.sub(
        r"<(pre|code|textarea|script|style)\b.*?</\1>|<[^>]*font-monospace.*?</",
        " ",
        console.page.text,
        flags=re.DOTALL,
    )
    assert console.page.status_code == 200
    assert ENGLISH_WORDS.findall(words(read)) == []


@pytest.mark.parametrize(
    "path",
    [
        "agendas/agenda-ville/x", "agendas/nulle-part/x", "agendas?editeur=nulle-part", "comptes/agenda-ville/x",
        "comptes?editeur=nulle-part", "rendez-vous/agenda-ville/x", "rendez-vous/agenda-ville/x/deplacer",
        "rendez-vous?etat=x", "journal/99", "journal?status=x&since=x&min_ms=-1&after=-1", "pannes/regle/x",
        "pannes/nouvelle?genre=x", "scenario/texte?nom=x", "fichier/x", "x",
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_told_in_french(console: Console, path: str) -> None:
    console.open(f"/_console/{path}")
    assert console.page.status_code >= 400
    assert ENGLISH_WORDS.findall(words(matched("<main.*", console.page.text, re.DOTALL)[0])) == []


def test_a_site_refuses_in_french(app: Flask) -> None:
    browser = Browser(app)
    for path in ("/agenda-ville/agenda?origin=x", "/nulle-part/agenda", "/_sas/x", "/_idp/x"):
        page = browser.client.get(path, headers={"Accept": "text/html"})
        assert page.status_code >= 400, path
        assert ENGLISH_WORDS.findall(words(page.text)) == [], path

"""Each code has its words in every language, and its values at each place where it is raised."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import pytest
from babel.messages.catalog import Message

import mock_editor
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code, Term, issue
from mock_editor.base.words import Language, catalogue, english, french, french_page, say

PACKAGE = Path(mock_editor.__file__).parent
CATALOGUES = {language: catalogue(language) for language in Language}
# What makes an issue of a code and its values; a parameter's has its name too.
MAKERS: dict[str, set[str]] = {
    "CertificatesError": set(),
    "InvalidValueError": set(),
    "SettingsError": set(),
    "TlsError": set(),
    "invalid": set(),
    "issue": set(),
    "refused": set(),
    "wrong": {"name"},
}


def strings(message: Message | None) -> tuple[str, ...]:
    if message is None:
        return ()
    return (message.string or "",) if isinstance(message.string, str | None) else tuple(message.string)


def named(text: str) -> set[str]:
    """The values that a message names."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


class Made(NamedTuple):
    """A place in the package where an issue of a code is made."""

    where: str
    code: Code
    values: set[str]


def made() -> Iterator[Made]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            maker = _maker(node)
            if not (isinstance(node, ast.Call) and maker in MAKERS):
                continue
            if any(keyword.arg is None for keyword in node.keywords):
                continue
            # `Code.A if … else Code.B` names two.
            for one in ast.walk(node.args[0]):
                if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "Code":
                    place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                    yield Made(place, Code[one.attr], MAKERS[maker] | {str(keyword.arg) for keyword in node.keywords})


def _maker(node: ast.AST) -> str:
    """What a node calls: the name of a function or a method."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("code", Code)
def test_every_code_has_words(code: Code, language: Language) -> None:
    found = strings(CATALOGUES[language].get(code.value))
    assert found
    assert all(found), f"{code.value}: no words in {language.value}"


def test_every_code_is_raised_with_the_values_that_its_words_name() -> None:
    missing = [
        f"{one.where}: {one.code.name} without {name}"
        for one in made()
        for language in Language
        for text in strings(CATALOGUES[language].get(one.code.value))
        for name in sorted(named(text) - one.values - {"place"})
    ]
    assert missing == []


@pytest.mark.parametrize("language", Language)
def test_no_words_are_left_over(language: Language) -> None:
    keys = {code.value for code in Code}
    # What has a context, and errors of pydantic, are no codes of ours.
    ids = [one.id[0] if isinstance(one.id, tuple) else one.id for one in CATALOGUES[language] if not one.context]
    assert [one for one in ids if one and one not in keys and not str(one).startswith("pydantic.")] == []


def test_words_are_those_of_the_reader() -> None:
    wrong = issue(Code.BODY_TOO_LARGE, limit=1000)
    assert english(wrong) == "The body is larger than 1000 bytes"
    assert french(wrong) == "La demande est trop volumineuse : 1000 octets au plus."


def test_a_page_has_the_title_of_its_code_or_else_of_its_status() -> None:
    assert french_page(refused(Code.FORM_EXPIRED))[0] == "Formulaire expiré"
    assert french_page(refused(Code.BODY_CUT)) == (
        "Demande mal formée",
        "La demande a été interrompue avant sa fin.",
    )
    assert french_page(EditorError(418, [issue(Code.BODY_CUT)]))[0] == "Demande mal formée"


def test_values_are_written_as_a_language_writes_them() -> None:
    at = datetime(2026, 11, 30, 8, 5, tzinfo=UTC)
    values = {"reason": at}
    assert say(Language.ENGLISH, "no-more-threads", values).endswith(": 2026-11-30T08:05:00+00:00")
    assert say(Language.FRENCH, "no-more-threads", values).endswith(" : 30/11/2026 à 08:05")
    assert say(Language.FRENCH, "no-more-threads", {"reason": date(2026, 11, 30)}).endswith(" : 30/11/2026")
    assert say(Language.ENGLISH, "no-more-threads", {"reason": ["b", issue(Code.BODY_CUT)]}).endswith(
        ": b, The body was cut short"
    )
    assert say(Language.FRENCH, "no-more-threads", {"reason": Term("title", "404")}).endswith(": Page introuvable")


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        say(Language.ENGLISH, "body-too-large", {})


# --- what is said in full

# Words that English sentences have, and French ones have not.
ENGLISH_WORDS = re.compile(
    r"(?<!-)\b(the|of|is|are|was|were|has|have|should|must|cannot|expected|with|that|which|this|its|there|and)\b"
)


class Anything:
    """A value for any message, however it formats its values."""

    def __format__(self, spec: str) -> str:
        return "…"

    def __str__(self) -> str:
        return "…"

    __repr__ = __str__


def said(language: Language, message: Message, count: int) -> str:
    key = message.id[0] if isinstance(message.id, tuple) else message.id
    names = {name for text in strings(message) for name in named(text)}
    values: dict[str, object] = {name: Anything() for name in names} | {"count": count}
    return say(language, str(key), values, message.context)


@pytest.mark.parametrize("language", Language)
def test_every_message_can_be_said_of_one_and_of_several(language: Language) -> None:
    for message in CATALOGUES[language]:
        if message.id:
            for count in (0, 1, 2):
                assert said(language, message, count)


def test_screens_speak_french() -> None:
    spoken = [said(Language.FRENCH, message, 2) for message in CATALOGUES[Language.FRENCH] if message.id]
    assert [one for one in spoken if ENGLISH_WORDS.search(one)] == []

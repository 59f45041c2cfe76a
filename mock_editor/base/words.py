"""The words for codes, in the reader's language: English for programs and commands, French for screens.

Each language has one gettext catalogue, ``locales/<language>/LC_MESSAGES/messages.po``. Its message ids are the keys of
codes; names in braces are values (``str.format``). A message with a context says something else of the same key: its
``title`` on a page, the name of a ``field``. A plural is chosen by the value ``count``.
"""

import contextlib
import gettext
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum, StrEnum
from functools import cache
from importlib import resources
from io import BytesIO, StringIO
from string import Formatter
from typing import Any, Protocol

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from mock_editor.base.issues import Issue, Named, Term


class Language(StrEnum):
    """A language that there is a catalogue of."""

    ENGLISH = "en"
    FRENCH = "fr"


class Refusal(Protocol):
    """What is shown: ``EditorError``, which itself has its words from here."""

    status: int
    issues: Sequence[Issue]


def english(issue: Issue) -> str:
    """What is wrong, for programs, their authors and commands."""
    return _sentence(issue, Language.ENGLISH)


def french(issue: Issue) -> str:
    """What is wrong, for people at a screen."""
    return _sentence(issue, Language.FRENCH)


def french_detail(issue: Issue) -> str:
    """Everything known about what went wrong; ``french`` is short enough for a list."""
    try:
        return _sentence(issue, Language.FRENCH, "detail")
    except KeyError:
        return _sentence(issue, Language.FRENCH)


def in_english(error: Refusal) -> str:
    """Everything that is wrong, in a line."""
    return "; ".join(map(english, error.issues))


def in_french(error: Refusal) -> str:
    """Everything that is wrong, in a line, for people at a screen."""
    return " ; ".join(map(french, error.issues))


def french_page(error: Refusal) -> tuple[str, str]:
    """The heading and the text of a page that shows a refusal: those of its code, or else of its status."""
    first = error.issues[0]
    keys = [first.code.value, str(error.status), "400"]
    title = next(filter(None, (word(Language.FRENCH, Term("title", key)) for key in keys)))
    return title, in_french(error)


def has_title(error: Refusal) -> bool:
    """Whether a refusal has words of its own for a screen: one issue, whose code has a title."""
    first, *others = error.issues
    return not others and word(Language.FRENCH, Term("title", first.code.value)) is not None


def say(language: Language, key: str, values: Mapping[str, object], context: str | None = None) -> str:
    """The words of a key with their values. Raises KeyError when there are none, or a value is missing."""
    return _Words(language).vformat(_template(language, key, values, context), (), values)


def word(language: Language, term: Term) -> str | None:
    """The words of a term; None when the catalogue has none."""
    try:
        return _template(language, term.key, {}, term.context)
    except KeyError:
        return None


def catalogue(language: Language) -> Catalog:
    """All messages of a language, for checks of the catalogue."""
    path = resources.files("mock_editor") / "locales" / language.value / "LC_MESSAGES" / "messages.po"
    return read_po(StringIO(path.read_text(encoding="utf-8")), locale=language.value, abort_invalid=True)


class _NoWords(gettext.NullTranslations):
    """The result for a key that a catalogue does not have."""

    def gettext(self, message: str) -> str:
        raise KeyError(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:  # noqa: ARG002 - of gettext
        raise KeyError(msgid1)

    def pgettext(self, context: str, message: str) -> str:
        raise KeyError(f"{context}: {message}")

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:  # noqa: ARG002 - of gettext
        raise KeyError(f"{context}: {msgid1}")


@cache
def _translations(language: Language) -> gettext.GNUTranslations:
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    translations = gettext.GNUTranslations(compiled)
    translations.add_fallback(_NoWords())
    return translations


def _template(language: Language, key: str, values: Mapping[str, object], context: str | None) -> str:
    """Raises KeyError."""
    words, count = _translations(language), values.get("count")
    if isinstance(count, int):
        # Most messages with a number read the same with any.
        with contextlib.suppress(KeyError):
            return words.npgettext(context, key, key, count) if context else words.ngettext(key, key, count)
    return words.pgettext(context, key) if context else words.gettext(key)


def _sentence(issue: Issue, language: Language, context: str | None = None) -> str:
    return say(language, issue.code.value, {"place": issue.place, **issue.values}, context)


class _Words(Formatter):
    """Formats values as one language writes them."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        """A value in words."""
        if isinstance(value, Issue):
            return english(value) if self._language is Language.ENGLISH else french(value)
        if isinstance(value, Named):
            return value.french if self._language is Language.FRENCH else value.english
        if isinstance(value, Term):
            return word(self._language, value) or value.key
        if isinstance(value, datetime | date) and not format_spec:
            return _moment(value, self._language)
        if isinstance(value, list | tuple | set | frozenset):
            members = sorted(value) if isinstance(value, set | frozenset) else value
            return ", ".join(self.format_field(member, "") for member in members)
        return str(format(value.value if isinstance(value, Enum) else value, format_spec))


def _moment(moment: date, language: Language) -> str:
    if language is Language.ENGLISH:
        return moment.isoformat()
    return f"{moment:%d/%m/%Y à %H:%M}" if isinstance(moment, datetime) else f"{moment:%d/%m/%Y}"

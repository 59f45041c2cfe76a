"""What the lists of all features share: which page of one is wanted, and what a text is looked for in.

A repository takes one frozen dataclass of filters, a field of None counting for nothing, and a ``Page``.
"""

import sqlite3
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

# At the end of a query; its parameters are those of ``Page.values``.
LIMIT = "limit :limit offset :skipped"


# As good as no limit.
UNLIMITED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: page ``number``, counted from 1, of ``limit`` items each."""

    limit: int = UNLIMITED
    number: int = 1

    @property
    def skipped(self) -> int:
        """How many items come before it."""
        return (self.number - 1) * self.limit

    @property
    def values(self) -> dict[str, int]:
        """The parameters of ``LIMIT``."""
        return self.after(0, 0)

    def after(self, seen: int, taken: int) -> dict[str, int]:
        """Those for one more part of the list, when ``seen`` items come before it and ``taken`` of them are in."""
        return {"limit": self.limit - taken, "skipped": max(self.skipped - seen, 0)}


EVERYTHING = Page()


class Listing(NamedTuple, Generic[Item]):
    """A page of a list, and how many items the whole list has."""

    items: Sequence[Item]
    total: int


def where(filters: object, conditions: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The condition in SQL, and its parameters: those of ``conditions`` whose field in ``filters`` is given."""
    values = {name: value for name in conditions if (value := getattr(filters, name)) is not None}
    return " and ".join(conditions[name] for name in values) or "true", values


def says(*columns: str) -> str:
    """The condition in SQL that one of these columns has the parameter ``text`` in it, in whatever case and accents."""
    texts = " || char(10) || ".join(f"coalesce({column}, '')" for column in columns)
    return f"instr(plain({texts}), plain(:text))"


def plain(text: str) -> str:
    """A text without case and accents, which is how people look for it."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", text).translate(_UNACCENTED).casefold()


class _Unaccented(dict[int, int | None]):
    """For ``str.translate``: leaves combining marks out. Each sign is looked up once, as a list may be long."""

    def __missing__(self, sign: int) -> int | None:
        self[sign] = None if unicodedata.combining(chr(sign)) else sign
        return self[sign]


_UNACCENTED = _Unaccented()


def prepare(connection: sqlite3.Connection) -> None:
    """Gives a connection the function that ``says`` calls."""
    connection.create_function("plain", 1, plain, deterministic=True)

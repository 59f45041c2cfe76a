"""Which entries are wanted: the filter that every list uses, with its page, and its form in SQL."""

import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from mock_editor.base.flows import Flow
from mock_editor.journal.tables import milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Selects entries that match everything given here. Raises ValueError for a value that makes no sense.

    ``status`` is exact ("201"), a class ("4xx") or "none"; ``path`` is the beginning of the path; ``contains`` is text
    in the decoded URL or in a body; ``since`` (included) and ``until`` (excluded) are real times.

    Lists give at most ``limit`` entries, the newest first unless ``oldest_first``. ``after`` and ``before`` are ids;
    they lead to the next page. As ids only grow, a page stays the same when new entries come.
    """

    editor: str | None = None
    flow: Flow | None = None
    direction: str | None = None
    method: str | None = None
    status: str | None = None
    path: str | None = None
    contains: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    before: int | None = None
    min_ms: float | None = None
    limit: int = 50
    oldest_first: bool = False

    def __post_init__(self) -> None:
        if self.status is not None and not re.fullmatch(r"[1-9][0-9]{2}|[1-9]xx|none", self.status):
            raise ValueError("expected a status (201), a class of statuses (4xx) or none")
        if self.direction not in (None, "in", "out"):
            raise ValueError("expected the direction in or out")
        if any(at is not None and at.tzinfo is None for at in (self.since, self.until)):
            raise ValueError("expected a time with an offset")

    def where(self) -> tuple[str, dict[str, Any]]:
        """The condition in SQL, and its parameters."""
        values: dict[str, Any] = {
            "editor": self.editor, "flow": self.flow, "direction": self.direction, "method": self.method,
            "path": self.path, "min_ms": self.min_ms, "since": self.since and milliseconds(self.since),
            "until": self.until and milliseconds(self.until), "after": self.after, "before": self.before,
            "contains": self.contains.encode("utf-8", "replace") if self.contains else None,
        }  # fmt: skip
        parts = [_CONDITIONS[name] for name, value in values.items() if value is not None]
        if self.status == "none":
            parts.append("status is null")
        elif self.status:
            low = int(self.status.replace("x", "0"))
            values |= {"low": low, "high": low + (99 if "x" in self.status else 0)}
            parts.append("status between :low and :high")
        return " and ".join(parts) or "true", values

    def page(self) -> tuple[str, dict[str, Any]]:
        """The condition, the order and the limit in SQL, and the parameters of all three."""
        where, values = self.where()
        order = "asc" if self.oldest_first else "desc"
        return f"{where} order by id {order} limit :limit", values | {"limit": self.limit}


_CONDITIONS = {
    "editor": "editor = :editor",
    "flow": "flow = :flow",
    "direction": "direction = :direction",
    "method": "method = :method",
    "path": "substr(path, 1, length(:path)) = :path",
    "min_ms": "duration >= :min_ms",
    "since": "time >= :since",
    "until": "time < :until",
    "after": "id > :after",
    "before": "id < :before",
    "contains": "(instr(request_body, :contains) or instr(answer_body, :contains) or instr(decoded(url), :contains))",
}


def prepare(connection: sqlite3.Connection) -> None:
    """Adds the SQL function that a condition calls to a connection."""
    connection.create_function("decoded", 1, _decoded, deterministic=True)


def _decoded(url: str) -> bytes:
    return unquote_plus(url, errors="replace").encode("utf-8", "replace")

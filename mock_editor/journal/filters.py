"""Which entries are meant: the filters that a question may have, and what they are in SQL."""

import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from mock_editor.base.flows import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which entries are meant: those that fulfil all that is given. Raises ValueError for what cannot be.

    ``status`` is exact ("201"), a class ("4xx") or "none"; ``path`` the beginning of the path; ``contains`` stands
    in the decoded URL or in a body; ``since`` (included) and ``until`` (excluded) are real times; ``after`` is an id.
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
    min_ms: float | None = None

    def __post_init__(self) -> None:
        if self.status is not None and not re.fullmatch(r"[1-9][0-9]{2}|[1-9]xx|none", self.status):
            raise ValueError("expected a status (201), a class of statuses (4xx) or none")
        if self.direction not in (None, "in", "out"):
            raise ValueError("expected the direction in or out")
        if any(at is not None and at.tzinfo is None for at in (self.since, self.until)):
            raise ValueError("expected a time with an offset")

    def where(self, *, after: int | None = None) -> tuple[str, dict[str, Any]]:
        """The condition in SQL, and its parameters; ``after`` in place of the own one."""
        values: dict[str, Any] = {
            "editor": self.editor, "flow": self.flow, "direction": self.direction, "method": self.method,
            "path": self.path, "min_ms": self.min_ms, "since": self.since and milliseconds(self.since),
            "until": self.until and milliseconds(self.until), "after": self.after if after is None else after,
            "contains": self.contains or None, "status": None,
        }  # fmt: skip
        if values["contains"]:
            values["contains"] = values["contains"].encode("utf-8", "replace")
        parts = [_CONDITIONS[name] for name, value in values.items() if value is not None]
        if self.status == "none":
            parts.append("status is null")
        elif self.status:
            low = int(self.status.replace("x", "0"))
            values |= {"low": low, "high": low + (99 if "x" in self.status else 0)}
            parts.append("status between :low and :high")
        return " and ".join(parts) or "true", values


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
    "contains": "(instr(request_body, :contains) or instr(answer_body, :contains) or instr(decoded(url), :contains))",
}


def prepare(connection: sqlite3.Connection) -> None:
    """Gives a connection the function that a condition calls."""
    connection.create_function("decoded", 1, _decoded, deterministic=True)


def _decoded(url: str) -> bytes:
    return unquote_plus(url, errors="replace").encode("utf-8", "replace")


def milliseconds(at: datetime) -> int:
    """How the journal writes an instant: since 1970."""
    return int(at.timestamp() * 1000)

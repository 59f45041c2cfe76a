"""Reads the answers of editors. Nothing in them can be relied on."""

from typing import Any

import orjson

from mock_editor.base.issues import Code, Issue, issue
from mock_editor.bench.platform.calls import CallResult

_LONGEST = 600


def json_of(body: bytes) -> Any:
    """The JSON of an answer; None for anything else."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def refusal(result: CallResult) -> Issue:
    """The words of an unsuccessful answer, with its possible cause."""
    stated = _stated(result.body)
    return issue(Code.EDITOR_REFUSED_UNKNOWN, said=stated) if result.anonymous else stated


def _stated(body: bytes) -> Issue:
    """The text of an OperationOutcome, or the beginning of any other body."""
    outcome = mapping(json_of(body))
    lines = []
    for entry in mappings(outcome.get("issue")):
        where = [place for place in sequence(entry.get("expression")) if isinstance(place, str)]
        words = text(entry.get("diagnostics")) or text(mapping(entry.get("details")).get("text"))
        line = words or text(entry.get("code"))
        # Most editors already name the place in the text.
        lines.append(f"{where[0]} : {line}" if where and where[0] not in line else line)
    if outcome.get("resourceType") == "OperationOutcome" and lines:
        return issue(Code.EDITOR_REFUSED, said=" ; ".join(lines)[:_LONGEST])
    begin = body[:_LONGEST].decode("utf-8", "replace").strip()
    return issue(Code.EDITOR_REFUSED_OTHERWISE, said=begin) if begin else issue(Code.EDITOR_REFUSED_SILENTLY)


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [item for item in sequence(value) if isinstance(item, dict)]


def text(value: Any) -> str:
    """``value`` if it is a text, else an empty one."""
    return value.strip() if isinstance(value, str) else ""

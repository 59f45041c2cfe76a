"""Reading what editors answer, whatever that is: nothing in it may be relied on."""

from typing import Any

import orjson

from mock_editor.bench.platform.calls import CallResult

_LONGEST = 600


def json_of(body: bytes) -> Any:
    """The JSON of an answer; None for anything else."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def refusal(result: CallResult) -> str:
    """What is said by an answer that is no success, with what may have led to it."""
    return " ; ".join(filter(None, [_outcome_text(result.body), result.hint]))


def _outcome_text(body: bytes) -> str:
    """What an OperationOutcome says, or the beginning of whatever else stands in its place."""
    outcome = mapping(json_of(body))
    lines = []
    for issue in mappings(outcome.get("issue")):
        where = [one for one in sequence(issue.get("expression")) if isinstance(one, str)]
        said = text(issue.get("diagnostics")) or text(mapping(issue.get("details")).get("text"))
        line = said or text(issue.get("code"))
        # Most editors have the place in the text already.
        lines.append(f"{where[0]} : {line}" if where and where[0] not in line else line)
    if outcome.get("resourceType") == "OperationOutcome" and lines:
        return " ; ".join(lines)[:_LONGEST]
    begin = body[:_LONGEST].decode("utf-8", "replace").strip()
    return f"réponse sans OperationOutcome : {begin}" if begin else "réponse sans OperationOutcome, vide"


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [one for one in sequence(value) if isinstance(one, dict)]


def text(value: Any) -> str:
    """``value`` if it is a text, else an empty one."""
    return value.strip() if isinstance(value, str) else ""

"""Errors that a client gets to see: an HTTP status and what is wrong where.

They are raised anywhere and rendered in one place (``web/refusals.py``): as an OperationOutcome on FHIR paths, as a
problem document (RFC 9457) elsewhere. The server renders with the same functions what it refuses before the
application sees it (``server/``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mock_editor.base.issues import Code, Issue
from mock_editor.base.words import english, in_english

# The first are enough, where a megabyte of mistakes was sent.
MOST_ISSUES = 50


@dataclass(eq=False)
class EditorError(Exception):
    """A refusal with its HTTP status, at least one issue, and headers that the status asks for."""

    status: int
    issues: Sequence[Issue]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        # For logs and tracebacks.
        return f"{self.status}: {in_english(self)}"


def refused(
    code: Code, place: str | None = None, /, *, headers: Mapping[str, str] | None = None, **values: object
) -> EditorError:
    """The refusal for one thing that is wrong, to be raised. Its words name ``values``."""
    return EditorError(code.status, [Issue(code, place, values)], headers or {})


class InvalidValueError(ValueError):
    """A value that cannot be taken: what is wrong with it, for a caller who knows where it stands.

    Raised by what reads values of any origin. In a validator of pydantic it does as well (``validation.py``).
    """

    def __init__(self, code: Code, /, **values: object) -> None:
        self.issue = Issue(code, None, values)
        super().__init__(self.issue)

    def __str__(self) -> str:
        # For logs and tracebacks.
        return english(self.issue)

    def at(self, place: str) -> EditorError:
        """The refusal of a request that has the value at ``place``, to be raised."""
        return EditorError(self.issue.code.status, [replace(self.issue, place=place)])


def reason_of(error: Exception) -> Issue | str:
    """Why something failed, as a value of an issue: ours as data, the system's and a library's in its own words."""
    if isinstance(error, InvalidValueError):
        return error.issue
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


class BadRequestError(EditorError):
    """400: the request cannot be understood."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__(400, issues)

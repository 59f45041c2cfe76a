"""Errors that a client gets to see: an HTTP status and what is wrong where.

They are raised anywhere and rendered in one place (``app.py``): as an OperationOutcome on FHIR paths, as a
problem document (RFC 9457) elsewhere. The server renders with the same functions what it refuses before the
application sees it (``server/``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# The first are enough, where a megabyte of mistakes was sent.
MOST_ISSUES = 50


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong, or, with another severity, to be told.

    ``code`` is a FHIR issue type; ``expression`` the FHIRPath of a body's element, if any.
    """

    code: str
    diagnostics: str
    expression: str | None = None
    severity: str = "error"


@dataclass(eq=False)
class EditorError(Exception):
    """A refusal with its HTTP status, at least one issue, and headers that the status asks for."""

    status: int
    issues: Sequence[Issue]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status}: {self.text}"

    @property
    def text(self) -> str:
        """What is wrong, in a line."""
        return "; ".join(issue.diagnostics for issue in self.issues)


class BadRequestError(EditorError):
    """400: the request cannot be understood."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__(400, issues)


class NotFoundError(EditorError):
    """404: no such editor, resource or path."""

    def __init__(self, diagnostics: str) -> None:
        super().__init__(404, [Issue("not-found", diagnostics)])

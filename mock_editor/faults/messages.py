"""What a fault works on: a request, and the response that it passes on, changes, or withholds.

The same contract holds for requests that come in and those that go out: ``apply(request, proceed)`` of a kind returns
the response, and may call ``proceed`` for the right one; or it raises CloseConnection. Only ``delivery.py`` touches the
socket.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from mock_editor.base.fhir import dumps
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.faults.wire import WHOLE, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to an editor, or from an editor to the SAS, to which a rule applies.

    ``draw`` is seeded for this rule and this request. ``wait`` holds the request for so many seconds, or shorter when
    the rule goes; it raises what ends the request when the client has left or the simulator stops. ``url`` is path and
    query, ``zone`` that of the editor. ``tally`` returns how many requests of the editor the rule has applied such a
    kind to in the current period of so many seconds of the simulator's clock, this one included.
    """

    editor: str | None
    flow: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    zone: ZoneInfo = DEFAULT_ZONE
    draw: random.Random
    wait: Callable[[float], None]
    tally: Callable[[float], int] = lambda _: 1


@dataclass(frozen=True, slots=True)
class Response:
    """A response before it is sent; ``wire`` says how to send it wrongly, if at all."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    wire: Wire = WHOLE

    def with_body(self, body: bytes, content_type: str | None = None) -> "Response":
        """A copy with another body, and the length of that body."""
        headers = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        if content_type is not None:
            headers = [(name, value) for name, value in headers if name.lower() != "content-type"]
            headers.append(("Content-Type", content_type))
        return replace(self, headers=(*headers, ("Content-Length", str(len(body)))), body=body)

    def header(self, name: str) -> str:
        """The value of a header; empty when there is none."""
        return next((value for other, value in self.headers if other.lower() == name.lower()), "")


@dataclass(eq=False)
class CloseConnection(Exception):  # noqa: N818 - not an error: it is what was asked for
    """Instead of a response: ``sent`` is sent as it is, then the connection ends, with a reset or properly."""

    reset: bool = False
    sent: bytes = field(default=b"")


Proceed = Callable[[], Response]


def outcome(issue_type: str, text: str) -> bytes:
    """An OperationOutcome with one error, in the words that a rule gives the editor; see ``base/fhir.py`` for ours."""
    issue = {"severity": "error", "code": issue_type, "diagnostics": text}
    return dumps({"resourceType": "OperationOutcome", "issue": [issue]})

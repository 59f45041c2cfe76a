"""What the journal takes down, and what it answers with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Issue

# Of a longer body than is kept, this much is: of a search's answer, it is the Bundle with its links and some of the
# first entry. Each byte has its cost, and nobody can make much of a body that is cut.
_BEGINNING = 2048
# Upper bounds in seconds of the classes of the latency histogram; above the last one, there is one more.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True, kw_only=True)
class ExchangeRecord:
    """An exchange as it happened, secrets included. Bodies are what was kept of them, sizes those of the whole.

    ``origin`` is where it was received (``https://lga.example:8443``), if it was; ``began`` is in seconds since 1970,
    ``seconds`` is how long it took until the answer was complete. The writer notes the ``id`` that it got, and in
    ``taken`` that a change comes too late to go along.
    """

    began: float
    clock: datetime
    direction: str
    editor: str | None
    flow: Flow
    method: str
    url: str
    origin: str = ""
    seconds: float = 0.0
    status: int | None = None
    peer: str | None = None
    certificate: str | None = None
    request_headers: Sequence[tuple[str, str]] = ()
    request_body: bytes = b""
    request_size: int = 0
    answer_headers: Sequence[tuple[str, str]] = ()
    answer_body: bytes = b""
    answer_size: int = 0
    error: Issue | None = None
    rule: AppliedRule | None = None
    id: int = 0
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An exchange as the journal shows it. ``time`` is real, ``clock`` the simulator's; ``duration`` in milliseconds.

    A body may be shorter than its size: then it is the beginning. Without a ``status``, ``error`` tells why; with one,
    why the answer did not arrive whole.
    """

    id: int
    time: datetime
    clock: datetime
    duration: float
    direction: str
    origin: str
    editor: str | None
    flow: Flow
    method: str
    status: int | None
    error: Issue | None
    rule: AppliedRule | None
    peer: str | None
    certificate: str | None
    request_size: int
    answer_size: int
    path: str
    url: str
    request_headers: Sequence[tuple[str, str]]
    answer_headers: Sequence[tuple[str, str]]
    request_body: bytes
    answer_body: bytes


class EntrySummary(NamedTuple):
    """An entry in a list, without heads and bodies; see Entry."""

    id: int
    time: datetime
    clock: datetime
    duration: float
    direction: str
    editor: str | None
    flow: Flow
    method: str
    status: int | None
    error: Issue | None
    rule: AppliedRule | None
    peer: str | None
    certificate: str | None
    url: str


class Answered(NamedTuple):
    """What an editor has answered: when that was asked (milliseconds since 1970), and how long it took (likewise)."""

    editor: str
    time: int
    duration: float
    status: int | None


class Tally(NamedTuple):
    """The exchanges of a flow, and on how many of them a fault has acted."""

    flow: Flow
    exchanges: int
    with_faults: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the journal keeps at most. A body that is longer than ``body`` is not kept whole, but its beginning is."""

    entries: int
    bytes: int
    age: timedelta
    body: int

    def bytes_of(self, size: int) -> int:
        """How many bytes of a body of ``size`` bytes are kept."""
        return size if size <= self.body else min(self.body, _BEGINNING)


class Count(NamedTuple):
    """The exchanges with one combination of labels since the journal was begun; ``editor`` may be empty."""

    direction: str
    editor: str
    flow: str
    status: str
    requests: int
    seconds: float


class Latencies(NamedTuple):
    """How many exchanges fell into one class of the histogram, see BUCKETS."""

    direction: str
    editor: str
    flow: str
    bucket: int
    requests: int


@dataclass(slots=True)
class Totals:
    """Sums that would cost a scan: the last id given, the entries there are, their bytes, and exchanges lost."""

    sequence: int
    entries: int
    bytes: int
    lost: int

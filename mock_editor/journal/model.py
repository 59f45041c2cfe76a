"""What the journal records, and what its readers get."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Issue

# When a body is too long to be kept whole, this many bytes are kept. For a search's answer, they hold the Bundle with
# its links and a part of the first entry. Each byte has its cost, and a cut body is of little use.
_BEGINNING = 2048
# Upper bounds of the buckets of the latency histogram, in seconds; one more bucket is above the last bound.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True, kw_only=True)
class ExchangeRecord:
    """An exchange as it happened, secrets included. Bodies may be cut; sizes are those of the whole bodies.

    ``origin`` is where it was received (``https://lga.example:8443``), for one that came in. ``began`` is in seconds
    since 1970; ``seconds`` is the time until the answer was complete. The writer sets ``id``, and ``taken`` once it
    has read the exchange: a later change needs a write of its own.
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

    A body shorter than its size is only the beginning. ``error`` tells why there is no ``status`` or, if there is one,
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
    """What an editor answered, when it was asked (milliseconds since 1970), and the duration in milliseconds."""

    editor: str
    time: int
    duration: float
    status: int | None


class Tally(NamedTuple):
    """How many exchanges a flow had, and on how many of them a fault acted."""

    flow: Flow
    exchanges: int
    with_faults: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the journal keeps at most. Only the beginning is kept of a body longer than ``body``."""

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
    """How many exchanges fell into one bucket of the histogram, see BUCKETS."""

    direction: str
    editor: str
    flow: str
    bucket: int
    requests: int


@dataclass(slots=True)
class Totals:
    """Sums that would cost a scan: the last id given, the number of entries, their bytes, and the exchanges lost."""

    sequence: int
    entries: int
    bytes: int
    lost: int

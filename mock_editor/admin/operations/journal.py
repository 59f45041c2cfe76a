"""The journal: every exchange with an editor, in and out."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Annotated, Literal

from flask import request
from pydantic import Field

from mock_editor import __version__
from mock_editor.admin.operation import JSON, Control, Download, Example, Instant, Line, Model, operation
from mock_editor.base.errors import refused
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code
from mock_editor.base.waits import Hold
from mock_editor.journal import har
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.model import Entry, EntrySummary

_LONGEST_WAIT = 600.0
_NO_EDITOR = {404: "There is no such editor"}
Number = Annotated[int, Field(ge=1, le=2**53, description="Number of the exchange")]


class Filter(Model):
    """Which exchanges are asked for: those for which all of this holds."""

    editor: Annotated[Line | None, Field(description="Only those with this editor")] = None
    flow: Annotated[Flow | None, Field(description="Only those of this flow")] = None
    direction: Annotated[Literal["in", "out"] | None, Field(description="Received, or sent by the simulator")] = None
    method: Annotated[Line | None, Field(description="Only those with this method")] = None
    status: Annotated[
        str | None,
        Field(pattern=r"^([1-5][0-9]{2}|[1-5]xx|none)$", description="Like `201`, `4xx`; `none`: without an answer"),
    ] = None
    path: Annotated[Line | None, Field(description="Only those whose path begins so")] = None
    contains: Annotated[
        Line | None, Field(description="Only those with this text in the URL, or in what is kept of a body")
    ] = None
    since: Annotated[Instant | None, Field(description="Only those that began then or later, in real time")] = None
    until: Annotated[Instant | None, Field(description="Only those that began before, in real time")] = None
    after: Annotated[int | None, Field(ge=0, le=2**53, description="Only those with a higher number")] = None
    min_ms: Annotated[float | None, Field(ge=0, le=1e9, description="Only those that took so long, in ms")] = None

    def wanted(self) -> EntryFilter:
        """The same as the journal takes it."""
        return EntryFilter(**{name: getattr(self, name) for name in Filter.model_fields})


def _wanted(control: Control, query: Filter) -> EntryFilter:
    """The same as the journal takes it. Raises 404 for an editor that neither the scenario nor the journal knows."""
    editors, journal = control.world.catalogue.editors, control.simulator.journal
    # It may be one of a scenario that was played before.
    if query.editor and query.editor not in editors and not journal.count(EntryFilter(editor=query.editor)):
        control.world.catalogue.editor(query.editor)
    return query.wanted()


class Page(Filter):
    """Which exchanges are asked for, and how many of them."""

    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most")] = 50
    order: Annotated[Literal["newest", "oldest"], Field(description="Which come first")] = "newest"
    before: Annotated[int | None, Field(ge=0, le=2**53, description="Only those with a lower number")] = None

    def wanted(self) -> EntryFilter:
        """The same as the journal takes it."""
        oldest_first = self.order == "oldest"
        return replace(super().wanted(), before=self.before, limit=self.limit, oldest_first=oldest_first)


class Awaited(Filter):
    """Which exchanges are waited for, how many of them, and how long."""

    count: Annotated[int, Field(ge=1, le=1_000_000, description="How many there have to be")] = 1
    timeout: Annotated[float, Field(ge=0, le=_LONGEST_WAIT, description="Seconds to wait at most")] = 10.0


class Head(Model):
    """A header."""

    name: str
    value: str


class Message(Model):
    """A request or an answer."""

    headers: list[Head]
    size: Annotated[int, Field(description="Bytes of the whole body")]
    cut: Annotated[bool, Field(description="Whether the journal holds but the beginning of the body")]
    encoding: Annotated[str | None, Field(description="`base64` for a body that is no UTF-8")]
    body: str


class Summary(Model):
    """An exchange in the list. ``time`` is real, ``clock`` the simulator's."""

    id: int
    time: Instant
    clock: Instant
    direction: Literal["in", "out"]
    editor: str | None
    flow: Flow
    method: str
    url: str
    status: Annotated[int | None, Field(description="None when there was no answer: `error` tells why")]
    duration: Annotated[float, Field(description="Milliseconds until the answer was complete")]
    peer: Annotated[str | None, Field(description="Address and port of the other side")]
    certificate: Annotated[str | None, Field(description="Subject of its certificate")]
    error: Annotated[str | None, Field(description="Why there is no answer, or not all of it")]
    rule: Annotated[str | None, Field(description="The fault rule that acted on it")]


class Exchange(Summary):
    """An exchange with its heads and what the journal holds of its bodies."""

    request: Message
    answer: Message


class Summaries(Model):
    """Exchanges."""

    entries: list[Summary]


class Count(Model):
    """How many exchanges there are."""

    count: int


@operation(
    "GET",
    "/journal",
    "journal list",
    "List exchanges",
    refusals=_NO_EDITOR,
    examples=[
        Example("The last ones"),
        Example("Refused accounts", query={"flow": "INT_R02", "status": "4xx"}),
        Example("What is no status", query={"status": "bad"}, status=422),
    ],
)
def list_journal(control: Control, query: Page) -> Summaries:
    """The exchanges that the journal holds, without heads and bodies."""
    found = control.simulator.journal.summaries(_wanted(control, query))
    return Summaries(entries=[_summary(entry) for entry in found])


@operation(
    "GET",
    "/journal/{number}",
    "journal show",
    "Show an exchange",
    refusals={404: "There is no such exchange, or not any more"},
    examples=[Example("One that there is not", path={"number": 1_000_000}, status=404)],
)
def show_exchange(control: Control, number: Number) -> Exchange:
    """An exchange with its heads and what the journal holds of its bodies, without secrets."""
    return shown(kept(control, number))


def kept(control: Control, number: int) -> Entry:
    """The entry of an exchange. Raises 404."""
    found = control.simulator.journal.get(number)
    if found is None:
        raise refused(Code.EXCHANGE_NOT_FOUND, number=number)
    return found


@operation(
    "GET",
    "/journal/count",
    "journal count",
    "Count exchanges",
    refusals=_NO_EDITOR,
    examples=[
        Example(
            "How often a regulator was provisioned",
            query={"flow": "INT_R02", "contains": "3456780581/11242343", "since": "2026-11-20T08:00:00+01:00"},
        )
    ],
)
def count_journal(control: Control, query: Filter) -> Count:
    """How many exchanges the journal holds of those that are asked for."""
    return Count(count=control.simulator.journal.count(_wanted(control, query)))


@operation(
    "GET",
    "/journal/wait",
    "journal wait",
    "Wait until there are so many exchanges",
    refusals=_NO_EDITOR | {409: "The time is over, and there are not so many", 503: "Too many requests wait already"},
    examples=[
        Example("A notification that does not come", query={"flow": "INT_R03", "count": 1, "timeout": 0.0}, status=409)
    ],
)
def wait_for_journal(control: Control, query: Awaited) -> Count:
    """Answers as soon as the journal holds as many exchanges as wanted of those that are asked for.

    With a timeout of 0 it is an assertion.
    """
    wanted = _wanted(control, query)
    with control.simulator.waits.hold(request.environ) as hold:
        reached = control.simulator.journal.wait(wanted, query.count, query.timeout, hold)
    if reached < query.count:
        raise refused(Code.STILL_WAITING, reached=reached, seconds=query.timeout, expected=query.count)
    return Count(count=reached)


@operation(
    "GET",
    "/journal/stream",
    "journal follow",
    "Follow exchanges as they come",
    refusals=_NO_EDITOR | {503: "Too many requests wait already"},
    examples=[Example("What is refused", query={"status": "4xx"})],
)
def follow_journal(control: Control, query: Filter) -> Iterator[Exchange | None]:
    """Exchanges as they come: from now on, or after a number.

    Server-sent events carry the number as their id; `Last-Event-ID` goes on from there.
    """
    wanted = _wanted(control, query)
    if request.method == "HEAD":
        return iter(())
    last = request.headers.get("Last-Event-ID", "")
    after = int(last) if last.isascii() and last.isdecimal() and len(last) < 16 else query.after
    hold = control.simulator.waits.hold(request.environ)
    return _Live(control.simulator.journal.follow(wanted, hold, after), hold)


class _Live(Iterator[Exchange | None]):
    """Exchanges as they come. A class, because a generator that never began does not end what it holds."""

    def __init__(self, entries: Generator[Entry | None], hold: Hold) -> None:
        self._entries = entries
        self._hold = hold
        self._begun = False

    def __next__(self) -> Exchange | None:
        if not self._begun:
            # The head of an answer goes with its first piece: whoever listens is to know that it has begun.
            self._begun = True
            return None
        one = next(self._entries)
        return shown(one) if one else None

    def close(self) -> None:
        """Nobody listens any more."""
        self._entries.close()
        self._hold.close()


@operation(
    "GET",
    "/journal/har",
    "journal har",
    "Export exchanges as HAR 1.2",
    refusals=_NO_EDITOR,
    produces=[JSON],
    examples=[Example("Everything")],
)
def export_har(control: Control, query: Filter) -> Download:
    """The exchanges that are asked for as a HAR 1.2 file, the oldest first. Tools of browsers open it."""
    found = control.simulator.journal.export(_wanted(control, query))
    return Download("mock-editor.har", har.as_har(found, version=__version__))


@operation(
    "GET",
    "/journal/ndjson",
    "journal ndjson",
    "Export exchanges line by line",
    refusals=_NO_EDITOR,
    produces=["application/x-ndjson"],
    examples=[Example("Everything")],
)
def export_lines(control: Control, query: Filter) -> Download:
    """The exchanges that are asked for, one JSON object a line, the oldest first."""
    return Download("mock-editor.ndjson", har.as_lines(control.simulator.journal.export(_wanted(control, query))))


@operation("DELETE", "/journal", "journal clear", "Forget all exchanges", examples=[Example("All of them")])
def clear_journal(control: Control) -> None:
    """Empties the journal. Numbers go on where they were."""
    control.simulator.journal.clear()


def _summary(entry: EntrySummary) -> Summary:
    return Summary.model_validate(har.summary(entry), strict=False)


def shown(one: Entry) -> Exchange:
    """An entry as the API shows it."""
    return Exchange.model_validate(har.as_json(one), strict=False)

"""The dashboard: how every editor is doing, at a glance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from flask import Response

from mock_editor.admin.console import live
from mock_editor.admin.console.charts import Chart
from mock_editor.admin.console.clock import MODES
from mock_editor.admin.console.context import Console, Route
from mock_editor.admin.console.kinds import summary
from mock_editor.admin.console.shown_notifications import FAILED
from mock_editor.admin.operations.clock import show_clock
from mock_editor.admin.operations.faults import Fault, list_faults
from mock_editor.base.processes import runs
from mock_editor.calendars.model import Editor
from mock_editor.journal.journal import Journal
from mock_editor.journal.model import BUCKETS, Answered
from mock_editor.notifications.model import OPEN_STATES

# Minutes that the charts go back, and those of which rates and latencies are told.
_BACK, _LATELY = 30, 5
# The last so many entries are looked at: more than the journal keeps, unless it is set to keep more.
_MOST = 20_000
# Seconds between two looks; and milliseconds from which on an editor is slow.
_PACE, _SLOW = 2.0, 1000.0
_STATUSES = (
    ("ok", "2xx"),
    ("moved", "3xx"),
    ("refused", "4xx"),
    ("failed", "5xx"),
    ("none", "sans réponse"),
)


@dataclass(frozen=True, slots=True)
class Doing:
    """How an editor is doing. ``rate`` is in calls per minute, latencies are in milliseconds; None without calls."""

    editor: Editor
    holds: str
    faults: Sequence[str]
    rate: float
    median: float | None
    slowest: float | None

    @property
    def slow(self) -> bool:
        """Whether it takes long to answer."""
        return self.slowest is not None and self.slowest >= _SLOW


def home(console: Console) -> Response:
    return console.show("accueil.html", played=console.world.scenario, now=_drawn(console))


def home_live(console: Console) -> Response:
    return live.stream(console, partial(_drawn, console), pace=_PACE)


def _drawn(console: Console) -> str:
    now = datetime.now(UTC)
    answered = console.simulator.journal.entries.answered(now - timedelta(minutes=_BACK), _MOST)
    faults = [one for one in list_faults.run(console.control).faults if one.in_force]
    counts, clock = console.world.notifications.counts(), show_clock.run(console.control)
    oldest = console.simulator.journal.entries.oldest()
    return console.drawn(
        "accueil_direct.html",
        editors=[_doing(one, answered, faults, now) for one in console.world.catalogue.editors.values()],
        lately=_LATELY,
        faults=faults,
        summary=summary,
        names={one.slug: one.name for one in console.world.catalogue.editors.values()},
        clock=clock,
        mode=MODES[clock.mode][0],
        open=sum(count for state, count in counts.items() if state in OPEN_STATES),
        failed=sum(count for state, count in counts.items() if state in FAILED),
        paused=console.world.outbox.paused(),
        waiting=_waiting(console.simulator.journal),
        statuses=_by_minute(answered, now, console.zone),
        latencies=_by_latency(console.simulator.journal),
        since=oldest if oldest and oldest > now - timedelta(minutes=_BACK) else None,
    )


def _doing(editor: Editor, answered: Sequence[Answered], faults: Sequence[Fault], now: datetime) -> Doing:
    first = (now - timedelta(minutes=_LATELY)).timestamp() * 1000
    times = sorted(one.duration for one in answered if one.editor == editor.slug and one.time >= first)
    acting = [one.rule.name for one in faults if not one.rule.editors or editor.slug in one.rule.editors]
    return Doing(editor, _holds(editor), acting, len(times) / _LATELY, _quantile(times, 0.5), _quantile(times, 0.95))


def _holds(editor: Editor) -> str:
    """Which kinds of calendars it has."""
    people, places = len(editor.directory), len(editor.associations)
    parts = [
        f"{people} praticien{'s' if people > 1 else ''}" if people else "",
        f"{len(editor.cpts)} CPTS" if editor.cpts else "",
        f"{places} association{'s' if places > 1 else ''} SOS Médecins" if places else "",
    ]
    return ", ".join(filter(None, parts))


def _quantile(times: Sequence[float], share: float) -> float | None:
    """The time within which that share of the calls was answered; ``times`` are in order."""
    return times[math.ceil(share * len(times)) - 1] if times else None


def _waiting(journal: Journal) -> int:
    """How many requests wait on purpose, of all processes that are there."""
    return sum(count for pid, count in journal.entries.processes().items() if runs(pid))


def _by_minute(answered: Sequence[Answered], now: datetime, zone: ZoneInfo) -> Chart:
    this = int(now.timestamp()) // 60
    minutes = range(this - _BACK + 1, this + 1)
    columns = [[0] * len(_STATUSES) for _ in minutes]
    for one in answered:
        at = one.time // 60_000 - minutes.start
        if 0 <= at < len(columns):
            kind = one.status // 100 - 2 if one.status and 200 <= one.status < 600 else len(_STATUSES) - 1
            columns[at][kind] += 1
    names = [f"{datetime.fromtimestamp(60 * minute, zone):%H:%M}" for minute in minutes]
    total = sum(map(sum, columns))
    return Chart(
        "Réponses par minute, selon leur statut",
        f"{total} réponse{'s' if total > 1 else ''} des logiciels au cours des {_BACK} dernières minutes.",
        _STATUSES,
        names,
        [name if minute % 5 == 0 else "" for name, minute in zip(names, minutes, strict=True)],
        columns,
    )


def _by_latency(journal: Journal) -> Chart:
    counts = [0] * (len(BUCKETS) + 1)
    for one in journal.entries.latencies():
        if one.direction == "in" and one.editor:
            counts[one.bucket] += one.requests
    bounds = [_duration(1000 * bound) for bound in BUCKETS]
    names = [*(f"jusqu’à {bound}" for bound in bounds), f"plus de {bounds[-1]}"]
    total = sum(counts)
    return Chart(
        "Durées des réponses",
        f"{total} réponse{'s' if total > 1 else ''} des logiciels depuis que le journal existe.",
        [("took", "réponses")],
        names,
        [bound if at % 3 == 0 else "" for at, bound in enumerate([*bounds, f"> {bounds[-1]}"])],
        [[count] for count in counts],
    )


def _duration(milliseconds: float) -> str:
    """« 2,5 ms », « 10 s »."""
    value, unit = (milliseconds, "ms") if milliseconds < 1000 else (milliseconds / 1000, "s")
    return f"{value:g} {unit}".replace(".", ",")


ROUTES = (
    Route("/", home),
    Route("/direct", home_live),
)

"""How the benchmarks measure: rounds in which the sides take turns, and ratios round by round."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

from benchmarks import load
from benchmarks.load import Load
from benchmarks.servers import Server, running
from benchmarks.workload import Workload

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured; ``cold`` is the number of searches of a round for people whom nobody asked for before."""

    rounds: int
    seconds: float
    cold: int
    many: int
    calls: int


NORMAL = Effort(rounds=7, seconds=2.5, cold=50, many=100_000, calls=400)
QUICK = Effort(rounds=3, seconds=0.4, cold=15, many=5_000, calls=100)


def simulator(workload: Workload) -> AbstractContextManager[Server]:
    frozen_at = workload.played.frozen_at
    assert frozen_at
    options = ("--scenario", str(workload.file), "--port", "0", "--now", frozen_at.isoformat())
    return running("mock_editor", "serve", *options)


def measured_load(server: Server, requests: Iterator[bytes], **how: Any) -> Load:
    measured = load.run(server.port, requests, **how)
    if measured.errors:
        raise RuntimeError(f"{measured.errors} wrong answers")
    return measured


def in_turns(sides: Iterable[Item], rounds: int) -> Iterator[Item]:
    """Every side once per round, in an order that turns round: what disturbs the machine then hits all sides alike."""
    order = list(sides)
    for _ in range(rounds):
        yield from order
        order.reverse()


def ratios_of(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Round by round: what disturbs the machine lasts longer than a round, and then cancels out."""
    return [one / other for one, other in zip(ours, others, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median and, in brackets, the lowest and highest."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"

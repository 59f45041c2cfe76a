"""A simulator that is killed again and again loses no notification, doubles none, and keeps their order."""

from pathlib import Path

import pytest

from tests.wire.crashes import Run

pytestmark = pytest.mark.wire


@pytest.mark.parametrize("workers", [2, 3])
def test_kills_lose_nothing_and_double_nothing(tmp_path: Path, workers: int) -> None:
    counts = Run(tmp_path, kills=3, appointments=60, workers=workers).run()
    print(counts)
    assert counts.faults == []
    assert counts.killed + counts.killed_while_starting == 3
    assert counts.appointments >= 60

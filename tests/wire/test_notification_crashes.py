"""A simulator that is killed again and again loses no notification, doubles none, and keeps their order."""

from pathlib import Path

import pytest

from tests.wire.crashes import Run

pytestmark = pytest.mark.wire


def test_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    counts = Run(tmp_path, kills=5, appointments=60).run()
    print(counts)
    assert counts.faults == []
    assert counts.killed + counts.killed_while_starting == 5
    assert counts.appointments >= 60

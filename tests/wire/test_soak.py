"""Nothing of a state that was replaced is left, whoever was writing: in the tables, or at the SAS."""

from pathlib import Path

import pytest

from tests.wire.soak import Run

pytestmark = pytest.mark.wire


@pytest.mark.parametrize("workers", [1, 2])
def test_what_takes_the_place_of_a_state_leaves_nothing_of_it(tmp_path: Path, workers: int) -> None:
    counts = Run(tmp_path, workers, changes=5).run()
    print(counts)
    assert counts.faults == []
    assert set(counts.changes) == {"load", "restore", "reset"}

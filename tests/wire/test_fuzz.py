"""Whatever is sent, the simulator answers it or closes, soon and in the right form, and is afterwards as it was."""

from pathlib import Path

import pytest

from tests.wire.fuzz import Run

pytestmark = pytest.mark.wire


def test_whatever_is_sent_breaks_nothing(tmp_path: Path) -> None:
    counts = Run(tmp_path, requests=500, connections=100).run()
    print(counts)
    assert counts.failures == []
    assert counts.journalled > 150
    # Most of what is tried is understood by somebody: it gets past the server, and much of it is done.
    statuses = {status for _, status in counts.answers}
    assert statuses >= {"200", "201", "204", "303", "400", "404", "405", "409", "415", "422"}
    assert {kind for kind, _ in counts.connections} == {"hello", "random", "smuggling", "strange", "garbled"}

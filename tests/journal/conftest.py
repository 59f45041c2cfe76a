"""Journals in files of their own, each with its writer, and exchanges to put into them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mock_editor.base.flows import Flow
from mock_editor.journal.journal import Journal
from mock_editor.journal.model import ExchangeRecord, Limits
from mock_editor.journal.tables import JournalFile

CLOCK = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
BEGAN = datetime(2027, 3, 1, 12, 0, tzinfo=UTC).timestamp()

MakeJournal = Callable[..., Journal]


def limits(**changed: Any) -> Limits:
    usual: dict[str, Any] = {"entries": 1000, "bytes": 10_000_000, "age": timedelta(days=36500), "body": 1000}
    return Limits(**usual | changed)


def exchange(**changed: Any) -> ExchangeRecord:
    """A search that was answered; without bodies unless they are given."""
    usual: dict[str, Any] = {
        "began": BEGAN, "clock": CLOCK, "direction": "in", "editor": "agenda-ville", "flow": Flow.INT_R01,
        "method": "GET", "url": "/agenda-ville/fhir/Slot?status=free", "seconds": 0.002, "status": 200,
        "peer": "127.0.0.1:4000", "origin": "https://lga.example:8443",
    }  # fmt: skip
    for side in ("request", "answer"):
        usual[f"{side}_size"] = len(changed.get(f"{side}_body", b""))
    return ExchangeRecord(**usual | changed)


@pytest.fixture
def make_journal(tmp_path: Path) -> Iterator[MakeJournal]:
    """Makes journals on one file, as processes have them."""
    made: list[Journal] = []

    def make(keep: bool = True, workers: int = 1, **changed: Any) -> Journal:
        made.append(
            Journal(JournalFile(tmp_path / "journal.db"), lambda: CLOCK, limits(**changed), keep, workers=workers)
        )
        return made[-1]

    yield make
    for journal in made:
        journal.writer.close()


@pytest.fixture
def journal(make_journal: MakeJournal) -> Journal:
    return make_journal()

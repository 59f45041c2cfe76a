"""The end of certificates is told while there is time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mock_editor.base.words import english
from mock_editor.tls import samples, validity

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


def ending(files: list[Path], now: datetime) -> list[str]:
    return [english(issue) for issue in validity.ending(files, now)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    samples.init(folder, days=365, now=NOW)
    return folder


def test_what_ends_within_a_month_is_told_and_what_has_ended(made: Path) -> None:
    server = made / "server.pem"
    told = f"{server}: the certificate {{}}; renew it, or nobody takes it"
    assert ending([server], NOW + timedelta(days=334)) == []
    assert ending([server, server], NOW + timedelta(days=336)) == [told.format("ends on 2027-11-20, in 29 days")]
    assert ending([server], NOW + timedelta(days=365)) == [told.format("has ended on 2027-11-20")]


def test_the_first_to_end_of_a_chain_counts(made: Path, tmp_path: Path) -> None:
    samples.init(tmp_path, days=20, now=NOW)
    chain = tmp_path / "chain.pem"
    parts = (made / "server.pem", made / "server.key.pem", tmp_path / "server.pem")
    chain.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert ["in 20 days" in line for line in ending([chain], NOW)] == [True]


def test_what_cannot_be_read_is_not_told_here(made: Path, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    assert ending([tmp_path / "none.pem", tmp_path / "missing.pem", made / "server.key.pem", made], NOW) == []

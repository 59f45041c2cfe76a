"""Every shipped scenario, found by its file's name."""

from pathlib import Path

import pytest

from mock_editor import scenario


@pytest.mark.parametrize("path", scenario.shipped(), ids=lambda path: path.stem)
def test_it_loads_twice_alike_and_bears_its_file_name(path: Path) -> None:
    first, second = scenario.load(path), scenario.load(path)
    assert first.name == path.stem
    for one, other in zip(first.editors, second.editors, strict=True):
        assert [person.id for person in one.directory] == [person.id for person in other.directory]

"""Every Bundle of the shipped scenarios, and of 200 random searches of each kind, is FHIR and follows the guide."""

import functools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask.testing import FlaskClient

from mock_editor import scenario
from mock_editor.base.clock import Clock, frozen
from mock_editor.base.codes import BUNDLE_PROFILE
from mock_editor.search.query import MOST_IDENTIFIERS
from tests.conftest import NOW, WITH_CPTS, application, playing, slot_search, sos_search
from tests.validation.guide import errors_of, needs_validator

RANDOM_SEARCHES = 200


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of search: how it is asked for, and whom one may ask an editor of the default scenario about."""

    name: str
    editor: int
    query: Callable[..., str]
    options: dict[str, str]

    def identifiers(self, loaded: scenario.LoadedScenario, editor: int) -> list[str]:
        played = loaded.editors[editor]
        if self.query is sos_search:
            return list(played.associations)
        return [person.id for person in played.directory] if played.cpts or not self.options else []


BundlesOf = Callable[[Kind], list[Path]]
KINDS = [
    Kind("r01", 0, slot_search, {}),
    Kind("r04", 1, slot_search, {"extra": WITH_CPTS}),
    Kind("sos", 2, sos_search, {}),
]


def every_search(kind: Kind, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The answers about everybody in every shipped scenario, at its time or that of the tests."""
    for path in scenario.shipped():
        loaded = scenario.load(path)
        now = loaded.frozen_at or NOW
        client = application(loaded, Clock(now), folder).test_client()
        window = {"start": now.isoformat(), "end": (now + timedelta(days=1)).isoformat()}
        for at, editor in enumerate(loaded.editors):
            # People of a group are alike: one request for them is enough, but in the scenario that has all the cases.
            identifiers = kind.identifiers(loaded, at)[: None if loaded.name == "decouverte" else MOST_IDENTIFIERS]
            for first in range(0, len(identifiers), MOST_IDENTIFIERS):
                asked = identifiers[first : first + MOST_IDENTIFIERS]
                query = kind.query(asked, editor=editor.slug, **window, **kind.options)
                yield f"{path.stem}-{editor.slug}-{first}", client.get(query).data


def random_searches(kind: Kind, loaded: scenario.LoadedScenario, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Searches about a few in a window somewhere in a year, asked at some time of it."""
    draw = random.Random(f"random searches {kind.name}")
    identifiers = kind.identifiers(loaded, kind.editor)
    slug = loaded.editors[kind.editor].slug
    simulator = playing(loaded, Clock(NOW), folder)
    for number in range(RANDOM_SEARCHES):
        now = NOW + timedelta(minutes=draw.randrange(366 * 24 * 60))
        start = now + timedelta(minutes=draw.randrange(-600, 5000))
        end = start + timedelta(minutes=draw.randrange(10, 400))
        asked = draw.sample(identifiers, draw.randint(1, 3))
        query = kind.query(asked, editor=slug, start=start.isoformat(), end=end.isoformat(), **kind.options)
        simulator.clock.follow(frozen(now))
        yield f"random-{number}", simulator.app.test_client().get(query).data


@pytest.fixture(scope="module")
def bundles_of(played: scenario.LoadedScenario, tmp_path_factory: pytest.TempPathFactory) -> BundlesOf:
    """The files of a kind, made once; a parametrised fixture would be made anew for each test, in random order."""

    @functools.cache
    def made(kind: Kind) -> list[Path]:
        folder = tmp_path_factory.mktemp("bundles")
        files = []
        for name, data in (*every_search(kind, folder), *random_searches(kind, played, folder)):
            files.append(folder / f"{name}.json")
            files[-1].write_bytes(data)
        return files

    return made


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def bundles(request: pytest.FixtureRequest, bundles_of: BundlesOf) -> list[Path]:
    return bundles_of(request.param)


def with_entries(files: Sequence[Path]) -> list[Path]:
    return [path for path in files if json.loads(path.read_bytes())["total"]]


def test_the_searches_find_something(bundles: list[Path]) -> None:
    assert RANDOM_SEARCHES / 2 < len(with_entries(bundles)) < len(bundles)


def test_bundles_are_fhir(bundles: list[Path]) -> None:
    for path in bundles:
        Bundle.model_validate_json(path.read_bytes())


@pytest.mark.shared
@pytest.mark.timeout(600)
@needs_validator
def test_bundles_follow_the_guide(bundles: list[Path]) -> None:
    # The profiles for CPTS and SOS Médecins want entries; an empty answer has none, as the guide's FAQ wants.
    without = [path for path in bundles if json.loads(path.read_bytes())["meta"]["profile"] == [BUNDLE_PROFILE]]
    assert errors_of(sorted({*with_entries(bundles), *without})) == []


def others(client: FlaskClient) -> dict[str, tuple[type[Any], bytes]]:
    """What is answered besides search Bundles."""
    return {
        "metadata": (CapabilityStatement, client.get("/agenda-ville/fhir/metadata").data),
        "refusal": (OperationOutcome, client.get("/agenda-ville/fhir/Slot").data),
        "empty": (Bundle, client.get("/agenda-ville/fhir/Schedule?actor=Practitioner/none").data),
        "practitioners": (
            Bundle,
            client.get("/agenda-ville/fhir/Practitioner?identifier=urn:oid:1.2.250.1.71.4.2.1|810100050075").data,
        ),
        "organizations": (
            Bundle,
            client.get("/agenda-cpts/fhir/Organization?identifier=urn:oid:1.2.250.1.71.4.2.2|1950047225").data,
        ),
    }


def test_other_answers_are_fhir(client: FlaskClient) -> None:
    for model, data in others(client).values():
        model.model_validate_json(data)


@pytest.mark.shared
@needs_validator
def test_other_answers_follow_the_guide(client: FlaskClient, tmp_path: Path) -> None:
    files = []
    for name, (_, data) in others(client).items():
        files.append(tmp_path / f"{name}.json")
        files[-1].write_bytes(data)
    assert [error for error in errors_of(files) if "not referenced by any entry" not in error] == []

"""Every Bundle of the shipped scenarios, and of 200 random searches, is valid: fhir.resources and the guide."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask.testing import FlaskClient

from mock_editor import scenario
from mock_editor.app import create_app
from mock_editor.base.clock import Clock
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.search.query import MOST_IDENTIFIERS
from tests.conftest import NOW, PUBLIC_URL, slot_search
from tests.validation.guide import errors_of, needs_validator

RANDOM_SEARCHES = 200


def client_of(loaded: scenario.LoadedScenario, clock: Clock) -> FlaskClient:
    catalogue = Catalogue(loaded.editors, clock)
    return create_app(catalogue, scenario=loaded.name, public_url=PUBLIC_URL, body_timeout=5).test_client()


def every_search() -> Iterator[tuple[str, bytes]]:
    """The answer for everybody in every shipped scenario, at the time of the tests."""
    for path in scenario.shipped():
        loaded = scenario.load(path)
        client = client_of(loaded, Clock(loaded.frozen_at or NOW))
        for editor in loaded.editors:
            identifiers = [person.id for person in editor.directory]
            for at in range(0, len(identifiers), MOST_IDENTIFIERS):
                query = slot_search(identifiers[at : at + MOST_IDENTIFIERS], editor=editor.slug)
                yield f"{path.stem}-{editor.slug}-{at}", client.get(query).data


def random_searches(loaded: scenario.LoadedScenario) -> Iterator[tuple[str, bytes]]:
    """Searches of a few people in a window somewhere in a year, asked at some time of it."""
    draw = random.Random("random searches")
    identifiers = [person.id for person in loaded.editors[0].directory]
    for number in range(RANDOM_SEARCHES):
        now = NOW + timedelta(minutes=draw.randrange(366 * 24 * 60))
        start = now + timedelta(minutes=draw.randrange(-600, 5000))
        end = start + timedelta(minutes=draw.randrange(10, 1500))
        query = slot_search(draw.sample(identifiers, draw.randint(1, 4)), start=start.isoformat(), end=end.isoformat())
        yield f"random-{number}", client_of(loaded, Clock(now)).get(query).data


@pytest.fixture(scope="module")
def bundles(played: scenario.LoadedScenario, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    files = []
    for name, data in (*every_search(), *random_searches(played)):
        files.append(folder / f"{name}.json")
        files[-1].write_bytes(data)
    return files


def test_the_searches_find_something(bundles: list[Path]) -> None:
    totals = [json.loads(path.read_bytes())["total"] for path in bundles]
    assert sum(total > 0 for total in totals) > RANDOM_SEARCHES / 2
    assert 0 in totals


def test_bundles_are_fhir(bundles: list[Path]) -> None:
    for path in bundles:
        Bundle.model_validate_json(path.read_bytes())


@pytest.mark.shared
@needs_validator
def test_bundles_follow_the_guide(bundles: list[Path]) -> None:
    assert errors_of(bundles) == []


def others(client: FlaskClient) -> dict[str, tuple[type[Any], bytes]]:
    """What is answered besides search Bundles."""
    return {
        "metadata": (CapabilityStatement, client.get("/agenda-ville/fhir/metadata").data),
        "refusal": (OperationOutcome, client.get("/agenda-ville/fhir/Slot").data),
        "schedules": (Bundle, client.get("/agenda-ville/fhir/Schedule?actor=Practitioner/none").data),
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
    assert errors_of(files) == []

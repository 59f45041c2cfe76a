"""Regulator accounts against the published guide: its examples, and what its profile says of our rules' cases."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from mock_editor.base import codes
from tests.accounts.conftest import BASE, NATIONAL, expressions
from tests.accounts.test_rules import SOUND, UNSOUND, changed
from tests.conftest import json_of
from tests.validation.guide import SHARED, VERSIONS, errors_of, needs_validator

pytestmark = pytest.mark.shared

EXAMPLES = [
    path for version in VERSIONS for path in sorted((SHARED / "ig" / version / "example").glob("Practitioner-*Regul*"))
]
# The example of 1.1.0 names a structure as the system of a national identifier; 1.2.0 has it mended.
MISTAKEN = ("1.1.0", "Practitioner-ExamplePractitionerRegul1.json")

# What INT_R02 wants beyond the profile, whose slices are open and whose telecom may be missing.
NOT_IN_THE_PROFILE = {
    "an identifier of a third system alone",
    "both types at once",
    "no telecom",
    "the same third identifier twice",
    "wrong system for the type",
}


@pytest.mark.skipif(not EXAMPLES, reason="needs the guide in ../shared/ig")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_the_guides_examples(client: FlaskClient, path: Path) -> None:
    body = json.loads(path.read_bytes())
    answer = client.put(f"{BASE}?identifier={NATIONAL}|unknown", json=body)
    if (path.parents[1].name, path.name) == MISTAKEN:
        assert answer.status_code == 422
        assert expressions(answer) == ["Practitioner.identifier[0].system", "Practitioner.identifier"]
        return
    assert answer.status_code == 201
    kept = {name: value for name, value in json_of(answer).items() if name not in ("id", "meta")}
    assert kept == {name: value for name, value in body.items() if name not in ("id", "meta")}
    assert json_of(answer)["meta"].get("source") == body["meta"].get("source")


@needs_validator
def test_what_is_stored_follows_the_profile(client: FlaskClient, tmp_path: Path) -> None:
    files = []
    for at, (name, change) in enumerate(SOUND.items()):
        body = changed(change)
        for one in body["identifier"]:
            one["value"] += f"-{at}"
        body["telecom"] = [telecom | {"value": f"{at}-{telecom['value']}"} for telecom in body["telecom"]]
        answer = client.post(BASE, json=body)
        assert answer.status_code == 201, answer.text
        files.append(tmp_path / f"{name}.json")
        files[-1].write_bytes(answer.data)
    assert errors_of(files) == []


@needs_validator
def test_what_is_refused_breaks_the_profile(tmp_path: Path) -> None:
    files = {}
    for name, (change, _, _) in UNSOUND.items():
        body = changed(change)
        body["meta"] = {"profile": [codes.REGULATOR_PROFILE], **body["meta"]}
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(json.dumps(body))
    found = errors_of(list(files.values()))
    for version in VERSIONS:
        blamed = {name for name, path in files.items() if any(e.startswith(f"{version} {path.name} ") for e in found)}
        assert set(files) - blamed == NOT_IN_THE_PROFILE

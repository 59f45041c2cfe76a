"""Whatever the document allows, and much that it does not, is answered as it says: requests made by schemathesis."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from mock_editor.admin.operation import Answers, Operation
from mock_editor.admin.operations import OPERATIONS
from mock_editor.base.clock import Clock
from mock_editor.scenario import LoadedScenario
from tests.admin.conftest import AT_SOS, TAKEN
from tests.conftest import NOW, playing

# Not those that answer for as long as somebody listens: nobody here would stop. Tests of their own ask them.
# Nor that which may wait for ten minutes, and would.
ENDING = [one for one in OPERATIONS if one.answers is not Answers.STREAM and one.id != "waitForJournal"]
# Where nothing can be given, nothing can be given wrong.
CASES = [(one, GenerationMode.POSITIVE) for one in ENDING]
CASES += [(one, GenerationMode.NEGATIVE) for one in ENDING if one.query or one.body or "{" in one.path]
# Not that acceptable data are accepted: a slot, an account, an instant have to be there besides being well written.
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
)


@pytest.fixture(scope="module")
def document(played: LoadedScenario, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """That of a world in which something has happened, and in which everything goes on happening."""
    folder: Path = tmp_path_factory.mktemp("openapi")
    simulator = playing(played, Clock(NOW), folder, "http://localhost")
    client = simulator.app.test_client()
    for body in (TAKEN, AT_SOS):
        assert client.post("/_admin/appointments", json=body).status_code == 201

    def from_here(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # No server stands before it to say so. Asked of the simulator: one of the operations loads another scenario.
        return simulator({**environ, "REMOTE_ADDR": "127.0.0.1"}, start_response)

    return schemathesis.openapi.from_wsgi("/_admin/openapi.json", from_here)


@pytest.mark.parametrize(("operation", "mode"), CASES, ids=lambda one: getattr(one, "id", None) or one.value)
def test_every_answer_is_in_the_document(document: Any, operation: Operation, mode: GenerationMode) -> None:
    described = document[f"/_admin{operation.path}"][operation.method]

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    ask()

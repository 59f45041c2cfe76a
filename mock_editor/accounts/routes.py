"""The endpoints of INT_R02: ``/<editor>/fhir/Practitioner``."""

from uuid import UUID

from flask import Blueprint, Response, request

from mock_editor.accounts import payload
from mock_editor.accounts.model import Outcome, Saved
from mock_editor.accounts.payload import KIND, Regulator, Token
from mock_editor.accounts.provisioning import Provisioning
from mock_editor.accounts.repository import AccountRepository
from mock_editor.base import fhir
from mock_editor.base.codes import JSON_BODIES
from mock_editor.base.errors import Issue
from mock_editor.base.fhir_bodies import asked_identifier, refuse_conditional_create
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.base.preconditions import Preconditions
from mock_editor.calendars.catalogue import Catalogue


def blueprint(
    catalogue: Catalogue,
    accounts: AccountRepository,
    provisioning: Provisioning,
    fhir_url: str,
    body_timeout: float,
) -> Blueprint:
    """The endpoints. A client has ``body_timeout`` seconds to send a body."""
    bp = Blueprint("accounts", __name__, url_prefix="/<editor>/fhir")

    def asked(editor: str) -> Parameters:
        """What every request brings. Raises 404 for an unknown editor, 406 for XML."""
        catalogue.editor(editor)
        parameters = Parameters(request.query_string)
        fhir.check_acceptable(request.headers.get("Accept", ""), parameters.all("_format"))
        return parameters

    def body() -> Regulator:
        expect_media_type(request.headers, JSON_BODIES)
        return payload.read(read_body(request.environ, seconds=body_timeout))

    def answer(editor: str, parameters: Parameters, saved: Saved, regulator: Regulator) -> Response:
        status = 201 if saved.outcome is Outcome.CREATED else 200
        headers = {"Location": f"{fhir_url}/{editor}/fhir/{KIND}/{saved.account.id}", **saved.account.current.headers}
        wanted = fhir.preferred_return(request.headers.get("Prefer", ""))
        if wanted == "minimal":
            return Response(status=status, headers=headers)
        resource = saved.account.resource if wanted == "representation" else _outcome(saved, regulator)
        return fhir.response(fhir.dumps(resource), status, pretty=wants_pretty(parameters), headers=headers)

    @bp.post(f"/{KIND}")
    def create(editor: str) -> Response:
        parameters = asked(editor)
        refuse_conditional_create(request.headers)
        regulator = body()
        return answer(editor, parameters, provisioning.create(editor, regulator), regulator)

    @bp.put(f"/{KIND}")
    def put(editor: str) -> Response:
        parameters = asked(editor)
        token = Token(*asked_identifier(parameters, alone=True))
        regulator = body()
        saved = provisioning.put(editor, token, regulator, Preconditions.of(request.headers))
        return answer(editor, parameters, saved, regulator)

    @bp.put(f"/{KIND}/<identifier>")
    def update(editor: str, identifier: str) -> Response:
        parameters, regulator = asked(editor), body()
        saved = provisioning.update(editor, identifier, regulator, Preconditions.of(request.headers))
        return answer(editor, parameters, saved, regulator)

    # Ids of accounts are UUIDs, those of practitioners with calendars are not: the two worlds share a path, no more.
    @bp.get(f"/{KIND}/<uuid:identifier>")
    def read(editor: str, identifier: UUID) -> Response:
        parameters = asked(editor)
        account = accounts.read(editor, str(identifier))
        headers = account.current.headers
        if Preconditions.of(request.headers).has(account.current):
            return Response(status=304, headers=headers)
        return fhir.response(fhir.dumps(account.resource), pretty=wants_pretty(parameters), headers=headers)

    return bp


def _outcome(saved: Saved, regulator: Regulator) -> fhir.Resource:
    """What ``Prefer: return=OperationOutcome`` gets; it tells what was left aside, too."""
    text = f"{KIND}/{saved.account.id}: {saved.outcome.value}, version {saved.account.version}"
    ignored = (Issue("not-supported", f"{path}: unknown, ignored", path, "warning") for path in regulator.ignored)
    return fhir.operation_outcome([Issue("informational", text, severity="information"), *ignored])

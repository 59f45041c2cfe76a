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
from mock_editor.base.fhir_bodies import asked_identifier, refuse_conditional_create
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.issues import Code, Issue, Term
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.base.preconditions import Preconditions
from mock_editor.base.worlds import Urls, of_world
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.settings import Settings


def blueprint() -> Blueprint:
    """The endpoints; the accounts are those of the world of each request."""
    bp = Blueprint("accounts", __name__, url_prefix="/<editor>/fhir")
    bp.add_url_rule(f"/{KIND}", view_func=create, methods=["POST"])
    bp.add_url_rule(f"/{KIND}", view_func=put, methods=["PUT"])
    bp.add_url_rule(f"/{KIND}/<identifier>", view_func=update, methods=["PUT"])
    # Ids of accounts are UUIDs, ids of practitioners with calendars are not. Nothing else tells them apart here.
    bp.add_url_rule(f"/{KIND}/<uuid:identifier>", view_func=read)
    return bp


def create(editor: str) -> Response:
    """Makes an account."""
    parameters = _parameters(editor)
    refuse_conditional_create(request.headers)
    regulator = _body()
    return _answer(editor, parameters, of_world(Provisioning).create(editor, regulator), regulator)


def put(editor: str) -> Response:
    """Makes or updates the account with an identifier."""
    parameters = _parameters(editor)
    token = Token(*asked_identifier(parameters, alone=True))
    regulator = _body()
    saved = of_world(Provisioning).put(editor, token, regulator, Preconditions.of(request.headers))
    return _answer(editor, parameters, saved, regulator)


def update(editor: str, identifier: str) -> Response:
    """Updates an account by its id."""
    parameters, regulator = _parameters(editor), _body()
    saved = of_world(Provisioning).update(editor, identifier, regulator, Preconditions.of(request.headers))
    return _answer(editor, parameters, saved, regulator)


def read(editor: str, identifier: UUID) -> Response:
    """An account by its id."""
    parameters = _parameters(editor)
    account = of_world(AccountRepository).read(editor, str(identifier))
    headers = account.current.headers
    if Preconditions.of(request.headers).has(account.current):
        return Response(status=304, headers=headers)
    return fhir.response(fhir.dumps(account.resource), pretty=wants_pretty(parameters), headers=headers)


def _parameters(editor: str) -> Parameters:
    """The parameters of a request. Raises 404 for an unknown editor, 406 for XML."""
    of_world(Catalogue).editor(editor)
    parameters = Parameters(request.query_string)
    fhir.check_acceptable(request.headers.get("Accept", ""), parameters.all("_format"))
    return parameters


def _body() -> Regulator:
    expect_media_type(request.headers, JSON_BODIES)
    return payload.read(read_body(request.environ, seconds=of_world(Settings).body_timeout))


def _answer(editor: str, parameters: Parameters, saved: Saved, regulator: Regulator) -> Response:
    status = 201 if saved.outcome is Outcome.CREATED else 200
    location = f"{of_world(Urls).fhir}/{editor}/fhir/{KIND}/{saved.account.id}"
    headers = {"Location": location, **saved.account.current.headers}
    wanted = fhir.preferred_return(request.headers.get("Prefer", ""))
    if wanted == "minimal":
        return Response(status=status, headers=headers)
    resource = saved.account.resource if wanted == "representation" else _outcome(saved, regulator)
    return fhir.response(fhir.dumps(resource), status, pretty=wants_pretty(parameters), headers=headers)


def _outcome(saved: Saved, regulator: Regulator) -> fhir.Resource:
    """The answer to ``Prefer: return=OperationOutcome``; it also says what was ignored."""
    values = {
        "account": f"{KIND}/{saved.account.id}",
        "outcome": Term("outcome", saved.outcome.value),
        "version": saved.account.version,
    }
    ignored = (Issue(Code.ELEMENT_IGNORED, path, severity="warning") for path in regulator.ignored)
    return fhir.operation_outcome([Issue(Code.ACCOUNT_SAVED, values=values, severity="information"), *ignored])

"""The endpoints of INT_R02: ``/<editor>/fhir/Practitioner``."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.http import http_date

from mock_editor.accounts import payload
from mock_editor.accounts.payload import KIND, Regulator, Token
from mock_editor.accounts.regulators import Account, Outcome, Regulators, Saved
from mock_editor.base import fhir
from mock_editor.base.codes import JSON_BODIES
from mock_editor.base.errors import Issue
from mock_editor.base.fhir_bodies import asked_identifier
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.calendars.catalogue import Catalogue


def blueprint(catalogue: Catalogue, regulators: Regulators, fhir_url: str, body_timeout: float) -> Blueprint:
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
        headers = {"Location": f"{fhir_url}/{editor}/fhir/{KIND}/{saved.account.id}", **_version(saved.account)}
        wanted = fhir.preferred_return(request.headers.get("Prefer", ""))
        if wanted == "minimal":
            return Response(status=status, headers=headers)
        resource = saved.account.resource if wanted == "representation" else _outcome(saved, regulator)
        return fhir.response(fhir.dumps(resource), status, pretty=wants_pretty(parameters), headers=headers)

    @bp.post(f"/{KIND}")
    def create(editor: str) -> Response:
        parameters, regulator = asked(editor), body()
        return answer(editor, parameters, regulators.create(editor, regulator), regulator)

    @bp.put(f"/{KIND}")
    def put(editor: str) -> Response:
        parameters = asked(editor)
        token = _identifier(parameters)
        regulator = body()
        return answer(editor, parameters, regulators.put(editor, token, regulator, _if_match()), regulator)

    @bp.put(f"/{KIND}/<identifier>")
    def update(editor: str, identifier: str) -> Response:
        parameters, regulator = asked(editor), body()
        return answer(editor, parameters, regulators.update(editor, identifier, regulator, _if_match()), regulator)

    # Ids of accounts are UUIDs, those of practitioners with calendars are not: the two worlds share a path, no more.
    @bp.get(f"/{KIND}/<uuid:identifier>")
    def read(editor: str, identifier: UUID) -> Response:
        parameters = asked(editor)
        account = regulators.read(editor, str(identifier))
        pretty = wants_pretty(parameters)
        return fhir.response(fhir.dumps(account.resource), pretty=pretty, headers=_version(account))

    return bp


def _identifier(parameters: Parameters) -> Token:
    """The identifier of a conditional update. Raises 400."""
    if fhir.prefers_strict(request.headers.get("Prefer", "")):
        parameters.refuse_unknown(("identifier",))
    return Token(*asked_identifier(parameters))


def _if_match() -> str | None:
    """The version that a client means to replace: ``W/"2"`` is what we send, quotes alone and none are understood."""
    text = request.headers.get("If-Match", "").strip()
    return text.removeprefix("W/").strip('"') or None


def _version(account: Account) -> Mapping[str, str]:
    return {
        "ETag": f'W/"{account.version}"',
        "Last-Modified": http_date(datetime.fromisoformat(account.updated)),
    }


def _outcome(saved: Saved, regulator: Regulator) -> fhir.Resource:
    """What ``Prefer: return=OperationOutcome`` gets; it tells what was left aside, too."""
    text = f"{KIND}/{saved.account.id}: {saved.outcome.value}, version {saved.account.version}"
    ignored = (Issue("not-supported", f"{path}: unknown, ignored", path, "warning") for path in regulator.ignored)
    return fhir.operation_outcome([Issue("informational", text, severity="information"), *ignored])

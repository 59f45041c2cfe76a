"""The endpoints under ``/_admin``, for clients of this machine only."""

from flask import Blueprint, Response, jsonify, request

from mock_editor.accounts.regulators import Regulators
from mock_editor.admin import operations
from mock_editor.admin.guard import only_from_here
from mock_editor.booking.sessions import Sessions
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue


def blueprint(
    catalogue: Catalogue, regulators: Regulators, appointments: Appointments, sessions: Sessions
) -> Blueprint:
    """The endpoints."""
    bp = Blueprint("admin", __name__, url_prefix="/_admin")
    bp.before_request(only_from_here)

    @bp.get("/accounts")
    def accounts() -> Response:
        """The regulators' accounts, with their passwords; of one editor with ``?editor=``."""
        slug = request.args.get("editor")
        slugs = [catalogue.editor(slug).slug] if slug else list(catalogue.editors)
        return jsonify(
            accounts=[
                {
                    "editor": one,
                    "id": account.id,
                    "active": account.active,
                    "password": account.password,
                    "resource": account.resource,
                }
                for one in slugs
                for account in regulators.all(one)
            ]
        )

    @bp.post("/reset")
    def reset() -> Response:
        """Puts the state back to what the scenario says."""
        operations.reset(regulators, appointments, sessions)
        return Response(status=204)

    return bp

"""The endpoints under ``/_admin``, for clients of this machine only."""

from flask import Blueprint, Response, jsonify, request

from mock_editor.admin.guard import only_from_here
from mock_editor.simulator import Simulator


def blueprint(simulator: Simulator) -> Blueprint:
    """The endpoints."""
    bp = Blueprint("admin", __name__, url_prefix="/_admin")
    bp.before_request(only_from_here)

    @bp.get("/accounts")
    def accounts() -> Response:
        """The regulators' accounts, with their passwords; of one editor with ``?editor=``."""
        slug = request.args.get("editor")
        catalogue = simulator.catalogue
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
                for account in simulator.accounts.all(one)
            ]
        )

    @bp.post("/reset")
    def reset() -> Response:
        """Puts the state back to what the scenario says."""
        simulator.reset()
        return Response(status=204)

    return bp

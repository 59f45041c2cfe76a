"""The endpoints under ``/_admin``. Only for clients of this machine: what they tell and do is not for everybody."""

import ipaddress

from flask import Blueprint, Response, jsonify, request

from mock_editor.accounts.regulators import Regulators
from mock_editor.base.errors import EditorError, Issue
from mock_editor.booking.sessions import Sessions
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.catalogue import Catalogue


def blueprint(
    catalogue: Catalogue, regulators: Regulators, appointments: Appointments, sessions: Sessions
) -> Blueprint:
    """The endpoints."""
    bp = Blueprint("admin", __name__, url_prefix="/_admin")
    bp.before_request(_only_from_here)

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
        sessions.reset()
        appointments.reset()
        regulators.reset()
        return Response(status=204)

    return bp


def _only_from_here() -> None:
    """Raises 403 for another machine, and for a page of another site in a browser of this one."""
    address = request.remote_addr
    if not address or not ipaddress.ip_address(address).is_loopback:
        raise EditorError(403, [Issue("forbidden", "Only for clients on the simulator's own machine")])
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise EditorError(403, [Issue("forbidden", "Not for pages of other sites")])

"""What all mistakes in notifications share: the Appointment is read once, spoilt, and written again."""

import random
from typing import ClassVar

import orjson

from mock_editor.base.fhir import Resource, dumps
from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Proceed, Request, Response

BOTH_PROFILES = "FrAppointmentSAS and sas-sos-appointment"


class PayloadKind(Kind):
    """A mistake in what an editor sends to the SAS: the sender asks ``spoil`` for the body, and gets its answer."""

    family: ClassVar[str] = "payload"
    flows: ClassVar[frozenset[str]] = frozenset({"INT_R03"})

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the request is what is spoilt
        """The answer of the SAS."""
        return proceed()

    def spoil(self, body: bytes, draw: random.Random) -> bytes:
        """The body to send instead; the same when it is no Appointment or has nothing to spoil."""
        try:
            read = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        if not isinstance(read, dict) or read.get("resourceType") != "Appointment":
            return body
        right = dumps(read)
        self.change_drawn(read, draw)
        spoilt = dumps(read)
        return body if spoilt == right else spoilt

    def change_drawn(self, appointment: Resource, draw: random.Random) -> None:  # noqa: ARG002 - for kinds that draw
        """Makes the mistake in place: by ``change``, unless something is drawn for it."""
        self.change(appointment)

    def change(self, appointment: Resource) -> None:
        """Makes the mistake in place."""
        raise NotImplementedError

"""What the pages show of received appointments, in French."""

from dataclasses import dataclass
from datetime import datetime

import orjson

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.bench.receiver.payload import moment, regulator_of
from mock_editor.bench.receiver.received import ReceivedAppointment

_STATUSES = {
    "pending": "En attente d’un médecin",
    "booked": "Confirmé",
    "fulfilled": "Honoré",
    "noshow": "Non honoré",
    "cancelled": "Annulé",
}
_REGULATORS = {codes.PRACTITIONER_OID: "national", codes.SAS_OID: "technique SAS"}


@dataclass(frozen=True, slots=True)
class Row:
    """An appointment in a list. ``practitioners`` is empty while it is not known who consults."""

    id: str
    start: str
    end: str
    status: str
    state: str
    kind: str
    editor: str
    identifier: str
    practitioners: list[str]
    regulator: str
    regulator_kind: str
    first: str
    changed: str
    versions: int


def row(appointment: ReceivedAppointment) -> Row:
    """The row of an appointment."""
    content = appointment.content
    [identifier] = content["identifier"]
    regulator = regulator_of(content)
    actors = (participant.get("actor", {}) for participant in content["participant"])
    return Row(
        id=appointment.id,
        start=_as_sent(content["start"]),
        end=_as_sent(content["end"]),
        status=content["status"],
        state=_STATUSES[content["status"]],
        kind="SOS Médecins" if codes.SOS_APPOINTMENT_PROFILE in content["meta"]["profile"] else "PS ou CPTS",
        editor=identifier["system"],
        identifier=identifier["value"],
        practitioners=[actor["identifier"]["value"] for actor in actors if "identifier" in actor],
        regulator=regulator["value"],
        regulator_kind=_REGULATORS[regulator["system"]],
        first=here(appointment.first),
        changed=here(appointment.changed),
        versions=appointment.version,
    )


def status(content: Resource) -> str:
    """The state of the appointment in a version."""
    return _STATUSES[content["status"]]


def interval(content: Resource) -> str:
    """The time of the appointment in a version."""
    return f"Du {_as_sent(content['start'])} au {_as_sent(content['end'])}"


def here(received: datetime) -> str:
    """When something came, in French time."""
    return f"{received.astimezone(DEFAULT_ZONE):%d/%m/%Y à %H:%M:%S}"


def text(content: Resource) -> str:
    """A resource as indented text."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _as_sent(when: str) -> str:
    """A time of a notification, with the offset that the editor gave it."""
    at = moment(when)
    return f"{at:%d/%m/%Y à %H:%M} (UTC{at.isoformat()[-6:]})" if at else when

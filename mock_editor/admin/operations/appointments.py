"""Appointments, and what practices do to them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, PrivateAttr, model_validator

from mock_editor.admin.operation import (
    Control,
    Example,
    Instant,
    Line,
    Model,
    PageNumber,
    Remark,
    SearchText,
    operation,
)
from mock_editor.admin.operations import notifications
from mock_editor.admin.operations.accounts import MERCIER, NO_EDITOR, EditorSlug, named
from mock_editor.admin.operations.notifications import Notification
from mock_editor.admin.practice import PlacedAppointment, Practice, read_slot
from mock_editor.base.errors import InvalidValueError, refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import Page
from mock_editor.calendars import model
from mock_editor.calendars.appointments import AppointmentFilter
from mock_editor.calendars.catalogue import stamp
from mock_editor.calendars.model import AppointmentStatus

AppointmentId = Annotated[Line, Field(description="Id of the appointment")]

_FIRST = {"editor": "agenda-ville", "appointment": "e70b449c-1ccc-5847-a724-480aac5e77e7"}
_TAKEN = {
    "editor": "agenda-ville",
    "id": _FIRST["appointment"],
    "status": "booked",
    "calendar": "810100050075-1",
    "slot": "810100050075-1-202611200715",
    "start": "2026-11-20T07:15:00Z",
    "end": "2026-11-20T07:30:00Z",
    "practitioner": "810100050075",
    "sos": False,
    "sas": True,
    "regulator": "urn:oid:1.2.250.1.71.4.2.1|3339900018/00000001",
    "booker": MERCIER,
    "patient": "Zoé Fictif",
    "reason": "Fièvre",
    "created": "2026-11-20T07:00:00Z",
    "updated": "2026-11-20T07:00:00Z",
}
_LATER = {"slot": "810100050075-1-202611200745", "start": "2026-11-20T07:45:00Z", "end": "2026-11-20T08:00:00Z"}
_SECOND = {**_TAKEN, **_LATER, "id": "01e305cd-fa54-52fa-8f77-dfc6aa57ca03"}
_AT_PRACTICE = {"sas": False, "regulator": None, "booker": "practice", "reason": ""}
_SOS = {"editor": "agenda-sos", "appointment": "f41316c1-0a37-57cf-83ca-d455622d9262"}
_MISSING = Example("One that there is not", path={"editor": "agenda-ville", "appointment": "x"}, status=404)
_NO_SUCH = "There is no such editor, or appointment there"
_CLOSED = "The state of the appointment does not allow it any more"
_NO_SLOT = "No free slot starts there at that time, or it cannot be booked"


class Appointment(Model):
    """An appointment."""

    editor: str
    id: str
    status: AppointmentStatus
    calendar: str
    slot: Annotated[str, Field(description="Id of the slot that it holds, as in answers to searches")]
    start: Instant
    end: Instant
    practitioner: Annotated[
        str | None, Field(description="Prefixed national identifier of who sees the patient, if that is known")
    ]
    sos: Annotated[bool, Field(description="Whether it is at a place of SOS Médecins")]
    sas: Annotated[bool, Field(description="Whether it was taken through the SAS, which is told of it")]
    regulator: Annotated[str | None, Field(description="Who took it through the SAS, as `system|value`")]
    booker: Annotated[str, Field(description="Who took it: id of an account, `visit-…` of a visitor, or `practice`")]
    patient: str
    reason: str
    created: Instant
    updated: Instant


class AppointmentSheet(Appointment):
    """An appointment with what the SAS is told of it."""

    notifications: list[Notification]


class AppointmentList(Model):
    """The last appointments that were made, the very last first."""

    appointments: list[Appointment]
    total: Annotated[int, Field(description="How many there are, with those beyond the limit")]


class AppointmentQuery(Model):
    """Which appointments are asked for: those for which all of this holds."""

    editor: Annotated[Line | None, Field(description="Only those at this editor")] = None
    status: Annotated[AppointmentStatus | None, Field(description="Only those with this status")] = None
    practitioner: Annotated[Line | None, Field(description="Only those of this prefixed national identifier")] = None
    sas: Annotated[bool | None, Field(description="Only those taken through the SAS, or only the others")] = None
    since: Annotated[Instant | None, Field(description="Only those that start then or later")] = None
    until: Annotated[Instant | None, Field(description="Only those that start before then")] = None
    text: SearchText | None = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most")] = 100
    page: PageNumber = 1


class Where(Model):
    """A slot: by its id, or by its calendar and its start."""

    slot: Annotated[Line | None, Field(description="Id of the slot, as in answers to searches")] = None
    calendar: Annotated[Line | None, Field(description="Id of the calendar, as in `Schedule/<id>`")] = None
    start: Annotated[Instant | None, Field(description="When the slot starts")] = None

    _place: tuple[str | None, datetime] = PrivateAttr()

    @property
    def place(self) -> tuple[str | None, datetime]:
        """Its calendar, if one is named, and its start."""
        return self._place

    @model_validator(mode="after")
    def _one_way(self) -> "Where":
        if self.slot is not None and self.calendar is None and self.start is None:
            self._place = read_slot(self.slot)
        elif self.slot is None and self.start is not None:
            self._place = self.calendar, self.start
        else:
            raise InvalidValueError(Code.SLOT_OR_START)
        return self


class Creation(Where):
    """An appointment to be made."""

    editor: EditorSlug
    account: Annotated[
        Line | None,
        Field(
            description="Id of an active account there, or an identifier of its holder: as that regulator, through the "
            "SAS. Without: at the practice"
        ),
    ] = None
    patient: Annotated[Line, Field(description="Name of the patient, an invented one")] = "Patient Fictif"
    reason: Remark = ""


class Coming(Model):
    """Whether the patient came."""

    honoured: bool


class Assignment(Model):
    """Who sees the patient."""

    practitioner: Annotated[Line, Field(description="RPPS or ADELI of the practitioner, with or without its prefix")]


@operation(
    "GET",
    "/appointments",
    "appointment list",
    "List appointments",
    refusals={404: "There is no such editor"},
    examples=[
        Example("The last ones"),
        Example(
            "By a text, the first page",
            query={"text": "zoe fictif", "limit": 1},
            answer={"appointments": [_TAKEN], "total": 1},
        ),
        Example(
            "What is to come through the SAS",
            query={"sas": True, "since": "2026-11-20T08:00:00+01:00"},
            answer={"appointments": [_TAKEN], "total": 1},
        ),
        Example("Of an editor that there is not", query={"editor": "nulle-part"}, status=404, answer=NO_EDITOR),
    ],
)
def list_appointments(control: Control, query: AppointmentQuery) -> AppointmentList:
    """The appointments that were made, the very last first."""
    catalogue = control.world.catalogue
    editors = [catalogue.editor(query.editor).slug] if query.editor else list(catalogue.editors)
    wanted = AppointmentFilter(
        editors,
        query.status,
        query.practitioner,
        query.sas,
        since=query.since,
        until=query.until,
        text=query.text,
    )
    found = control.world.appointments.listing(wanted, Page(query.limit, query.page))
    return AppointmentList(appointments=[shown(one) for one in found.items], total=found.total)


@operation(
    "GET",
    "/appointments/{editor}/{appointment}",
    "appointment show",
    "Show an appointment",
    refusals={404: _NO_SUCH},
    examples=[Example("One that was taken through the SAS", path=_FIRST), _MISSING],
)
def show_appointment(control: Control, editor: EditorSlug, appointment: AppointmentId) -> AppointmentSheet:
    """An appointment with the notifications that the SAS gets of it, and every attempt to send them."""
    found = Practice(control.world).find(editor, appointment).appointment
    sent = control.world.notifications.of(found.editor, found.id)
    return AppointmentSheet(**dict(shown(found)), notifications=[notifications.shown(one) for one in sent])


@operation(
    "POST",
    "/appointments",
    "appointment create",
    "Make an appointment",
    status=201,
    refusals={404: "There is no such editor, calendar or account", 409: f"{_NO_SLOT}; or the account cannot be used"},
    examples=[
        Example(
            "At the practice: the SAS is not told",
            body={"editor": "agenda-ville", "slot": _LATER["slot"], "patient": "Zoé Fictif"},
            answer={**_SECOND, **_AT_PRACTICE},
        ),
        Example(
            "Through the SAS, by a regulator",
            body={
                "editor": "agenda-ville",
                "calendar": "810100050075-1",
                "start": "2026-11-20T08:45:00+01:00",
                "account": MERCIER,
                "patient": "Zoé Fictif",
                "reason": "Fièvre",
            },
            answer=_SECOND,
        ),
        Example("In a slot that is taken", body={"editor": "agenda-ville", "slot": _TAKEN["slot"]}, status=409),
    ],
)
def create_appointment(control: Control, body: Creation) -> Appointment:
    """Takes a free slot for a patient.

    With an account, it is taken by that regulator through the SAS, which is told of it: a slot that the SAS
    may see, and that can be booked now. Without, it is taken at the practice: any free slot, of any type, however soon.
    """
    editor = control.world.catalogue.editor(body.editor)
    account = named(control, editor.slug, body.account) if body.account else None
    key, start = body.place
    if key is None:
        raise refused(Code.REQUIRED_WITH_START, "body.calendar")
    practice = Practice(control.world)
    return shown(practice.take(editor, key, start, account, patient=body.patient, reason=body.reason))


@operation(
    "POST",
    "/appointments/{editor}/{appointment}/move",
    "appointment move",
    "Move an appointment to another slot",
    refusals={404: f"{_NO_SUCH}; or it cannot go to that calendar", 409: f"{_CLOSED}; or: {_NO_SLOT}"},
    examples=[
        Example("To another slot", path=_FIRST, body={"slot": _LATER["slot"]}, answer={**_TAKEN, **_LATER}),
        Example(
            "In the same calendar",
            path=_FIRST,
            body={"start": "2026-11-20T08:45:00+01:00"},
            answer={**_TAKEN, **_LATER},
        ),
    ],
)
def move_appointment(control: Control, editor: EditorSlug, appointment: AppointmentId, body: Where) -> Appointment:
    """Moves an appointment to another slot, of its own calendar unless another is named.

    As the practice does: to any free slot, of any type, however soon. An association of SOS Médecins keeps its
    patients, and takes none.
    """
    key, start = body.place
    practice = Practice(control.world)
    return shown(practice.move(practice.find(editor, appointment), key, start))


@operation(
    "POST",
    "/appointments/{editor}/{appointment}/cancel",
    "appointment cancel",
    "Cancel an appointment",
    refusals={404: _NO_SUCH, 409: _CLOSED},
    examples=[Example("One that is to come", path=_FIRST, answer={**_TAKEN, "status": "cancelled"}), _MISSING],
)
def cancel_appointment(control: Control, editor: EditorSlug, appointment: AppointmentId) -> Appointment:
    """Cancels an appointment that is still to come; its slot is free again."""
    return shown(control.world.bookings.cancel(_find(control, editor, appointment).appointment))


@operation(
    "POST",
    "/appointments/{editor}/{appointment}/assign",
    "appointment assign",
    "Say who sees a patient of SOS Médecins",
    refusals={404: _NO_SUCH, 409: f"{_CLOSED}; or it is not with SOS Médecins"},
    examples=[
        Example(
            "By RPPS",
            path=_SOS,
            body={"practitioner": "10100050075"},
        ),
        Example("One that is not with SOS Médecins", path=_FIRST, body={"practitioner": "10100050075"}, status=409),
    ],
)
def assign_appointment(
    control: Control, editor: EditorSlug, appointment: AppointmentId, body: Assignment
) -> Appointment:
    """Says which practitioner sees the patient of an appointment with SOS Médecins, known to the editor or not."""
    return shown(Practice(control.world).assign(_find(control, editor, appointment), body.practitioner))


@operation(
    "POST",
    "/appointments/{editor}/{appointment}/close",
    "appointment close",
    "Note whether the patient came",
    refusals={404: _NO_SUCH, 409: _CLOSED},
    examples=[
        Example("The patient came", path=_FIRST, body={"honoured": True}, answer={**_TAKEN, "status": "fulfilled"}),
        Example("The patient did not", path=_FIRST, body={"honoured": False}, answer={**_TAKEN, "status": "noshow"}),
    ],
)
def close_appointment(control: Control, editor: EditorSlug, appointment: AppointmentId, body: Coming) -> Appointment:
    """Notes whether the patient came; it may be noted otherwise later."""
    found = _find(control, editor, appointment).appointment
    return shown(control.world.bookings.close(found, honoured=body.honoured))


def _find(control: Control, editor: str, appointment: str) -> PlacedAppointment:
    return Practice(control.world).find(editor, appointment)


def shown(one: model.Appointment) -> Appointment:
    """An appointment as it is told."""
    return Appointment(
        editor=one.editor,
        id=one.id,
        status=one.status,
        calendar=one.calendar,
        slot=f"{one.calendar}-{stamp(one.start)}",
        start=one.start,
        end=one.end,
        practitioner=one.practitioner,
        sos=one.sos,
        sas=one.sas,
        regulator="|".join(one.regulator) if one.regulator else None,
        booker=one.booker,
        patient=one.patient,
        reason=one.reason,
        created=one.created,
        updated=one.updated,
    )

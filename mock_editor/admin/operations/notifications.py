"""What the SAS is told of appointments (INT_R03)."""

from typing import Annotated, Any

import orjson
from pydantic import Field

from mock_editor.admin.operation import (
    Control,
    Example,
    Instant,
    Line,
    Model,
    PageNumber,
    SearchText,
    operation,
)
from mock_editor.admin.operations.accounts import NO_EDITOR
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import Page
from mock_editor.base.words import english
from mock_editor.notifications import model
from mock_editor.notifications.model import NotificationFilter, NotificationState

Number = Annotated[int, Field(ge=1, le=2**53, description="Number of the notification")]


class Attempt(Model):
    """An attempt to send a notification."""

    at: Instant
    method: str
    status: Annotated[int | None, Field(description="HTTP status of the answer, if there was one")]
    seconds: Annotated[float, Field(description="How long it took")]
    result: Annotated[str, Field(description="What came of it, in words")]
    answer: Annotated[str, Field(description="The beginning of the answer's body")]


class NotificationSummary(Model):
    """A notification in a list."""

    id: int
    editor: str
    appointment: str
    state: NotificationState
    created: Instant
    due: Annotated[Instant, Field(description="When it is, or was, to be sent")]
    attempts: Annotated[int, Field(description="How often it was tried")]
    held: Annotated[bool, Field(description="Whether an earlier one of the same appointment has to be settled first")]
    status: Annotated[int | None, Field(description="HTTP status of the last answer, if there was one")]
    result: Annotated[str | None, Field(description="What came of the last attempt, in words")]


class Notification(Model):
    """A notification with its body and its attempts."""

    id: int
    editor: str
    appointment: str
    state: NotificationState
    created: Instant
    due: Annotated[Instant, Field(description="When it is, or was, to be sent")]
    body: Annotated[dict[str, Any], Field(description="What is sent, a FHIR Appointment")]
    attempts: list[Attempt]


class NotificationList(Model):
    """Notifications, newest first."""

    notifications: list[NotificationSummary]
    paused: Annotated[bool, Field(description="Whether nothing is sent for now")]


class NotificationQuery(Model):
    """Which notifications are asked for: those for which all of this holds."""

    editor: Annotated[Line | None, Field(description="Only those of this editor")] = None
    state: Annotated[NotificationState | None, Field(description="Only those in this state")] = None
    appointment: Annotated[Line | None, Field(description="Only those of the appointment with this id")] = None
    text: SearchText | None = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most")] = 100
    page: PageNumber = 1


class Count(Model):
    """How many it were."""

    count: int


_APPOINTMENT = "e70b449c-1ccc-5847-a724-480aac5e77e7"
_REFUSED = {
    "id": 1,
    "editor": "agenda-ville",
    "appointment": _APPOINTMENT,
    "state": "refused",
    "created": "2026-11-20T07:00:00Z",
    "due": "2026-11-20T07:00:00Z",
}
_BODY = {"resourceType": "Appointment", "status": "booked", "start": "2026-11-20T08:15:00.000+01:00"}
_ATTEMPT = {
    "at": "2026-11-20T07:00:00Z",
    "method": "POST",
    "status": 422,
    "seconds": 0.012,
    "result": "HTTP 422",
    "answer": "",
}


@operation(
    "GET",
    "/notifications",
    "notification list",
    "List notifications",
    refusals={404: "There is no such editor"},
    examples=[
        Example("The last ones"),
        Example(
            "What the SAS refused",
            query={"state": "refused", "limit": 10},
            answer={
                "notifications": [{**_REFUSED, "attempts": 1, "held": False, "status": 422, "result": "HTTP 422"}],
                "paused": False,
            },
        ),
        Example("Of an editor that there is not", query={"editor": "nulle-part"}, status=404, answer=NO_EDITOR),
    ],
)
def list_notifications(control: Control, query: NotificationQuery) -> NotificationList:
    """What the SAS is told of appointments that were taken through it, newest first."""
    if query.editor:
        control.world.catalogue.editor(query.editor)
    wanted = NotificationFilter(query.editor, query.state, query.appointment, query.text)
    found = control.world.notifications.listing(wanted, Page(query.limit, query.page)).items
    paused = control.world.outbox.paused()
    return NotificationList(notifications=[_summary(one) for one in found], paused=paused)


@operation(
    "GET",
    "/notifications/{number}",
    "notification show",
    "Show a notification",
    refusals={404: "There is no such notification"},
    examples=[
        Example("A notification", path={"number": 1}, answer={**_REFUSED, "body": _BODY, "attempts": [_ATTEMPT]}),
        Example("One that there is not", path={"number": 99}, status=404),
    ],
)
def show_notification(control: Control, number: Number) -> Notification:
    """A notification with its body and all attempts to send it."""
    return shown(_find(control, number))


@operation(
    "POST",
    "/notifications/{number}/replay",
    "notification replay",
    "Send a notification again",
    refusals={
        404: "There is no such notification",
        409: "It has not failed, or a later one of its appointment was sent",
    },
    examples=[
        Example(
            "One that was refused",
            path={"number": 1},
            answer={**_REFUSED, "state": "waiting", "body": _BODY, "attempts": [_ATTEMPT]},
        ),
        Example("One that there is not", path={"number": 99}, status=404),
    ],
)
def replay_notification(control: Control, number: Number) -> Notification:
    """Has a notification sent again that was refused, given up, or failed on TLS."""
    _find(control, number)
    control.world.outbox.replay(number)
    control.world.wake()
    return shown(_find(control, number))


@operation(
    "POST",
    "/notifications/replay",
    "notification replay-all",
    "Send everything again that failed",
    examples=[Example("Everything", answer={"count": 1})],
)
def replay_notifications(control: Control) -> Count:
    """Has all notifications of all editors sent again that were refused, given up, or failed on TLS.

    Not those after which the SAS has accepted a later one of the same appointment.
    """
    count = control.world.outbox.replay()
    control.world.wake()
    return Count(count=count)


class Sending(Model):
    """Whether notifications are sent."""

    paused: bool


@operation("POST", "/notifications/pause", "notification pause", "Send nothing", examples=[Example("From now on")])
def pause_notifications(control: Control) -> Sending:
    """Has nothing sent by any worker until further notice; what is on its way goes on."""
    return _sending(control, paused=True)


@operation("POST", "/notifications/resume", "notification resume", "Send again", examples=[Example("From now on")])
def resume_notifications(control: Control) -> Sending:
    """Has notifications sent again, those that have waited at once."""
    return _sending(control, paused=False)


def _sending(control: Control, *, paused: bool) -> Sending:
    control.world.outbox.pause(paused=paused)
    control.world.wake()
    return Sending(paused=paused)


def _find(control: Control, number: int) -> model.Notification:
    found = control.world.notifications.find(number)
    if found is None:
        raise refused(Code.NOTIFICATION_NOT_FOUND, number=number)
    return found


def shown(one: model.Notification) -> Notification:
    """A notification as the API shows it."""
    return Notification(
        id=one.id,
        editor=one.editor,
        appointment=one.appointment,
        state=one.state,
        created=one.created,
        due=one.due,
        body=orjson.loads(one.body),
        attempts=[_attempt(at, attempt) for at, attempt in one.attempts],
    )


def _attempt(at: Instant, attempt: model.Attempt) -> Attempt:
    return Attempt(
        at=at,
        method=attempt.method,
        status=attempt.status,
        seconds=attempt.seconds,
        result=english(attempt.result),
        answer=attempt.answer,
    )


def _summary(one: model.NotificationSummary) -> NotificationSummary:
    return NotificationSummary(
        id=one.id,
        editor=one.editor,
        appointment=one.appointment,
        state=one.state,
        created=one.created,
        due=one.due,
        attempts=one.attempts,
        held=one.held,
        status=one.status,
        result=english(one.result) if one.result else None,
    )

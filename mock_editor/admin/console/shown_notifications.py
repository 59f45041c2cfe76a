"""What the console shows of notifications (INT_R03), in French.

``notifications/outbox.py`` has the last word on what may be sent again; this says when the console offers it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from mock_editor.base.listings import Page
from mock_editor.base.words import french, french_detail
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.booking.week import STATUSES, moment
from mock_editor.calendars.model import AppointmentStatus, Editor
from mock_editor.notifications.model import (
    OPEN_STATES,
    Attempt,
    Notification,
    NotificationFilter,
    NotificationState,
    NotificationSummary,
)
from mock_editor.notifications.outbox import Outbox
from mock_editor.world.world import World

STATES = {
    NotificationState.WAITING: "En attente",
    NotificationState.SENDING: "En cours",
    NotificationState.TLS_FAILED: "Échec TLS",
    NotificationState.ACCEPTED: "Acceptée",
    NotificationState.REFUSED: "Refusée",
    NotificationState.GIVEN_UP: "Abandonnée",
}
FAILED = frozenset({NotificationState.REFUSED, NotificationState.GIVEN_UP, NotificationState.TLS_FAILED})

# Where the scenario no longer has the editor.


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A notification in the list. ``editor`` is None when the scenario has lost it; ``announced`` is the status that it
    brings;
    ``again``: it can be sent again."""

    id: int
    editor: Editor | None
    slug: str
    appointment: str
    when: str
    announced: str
    state: NotificationState
    created: str
    following: str
    attempts: int
    result: str
    again: bool

    @property
    def failed(self) -> bool:
        """Whether it came to no good end."""
        return self.state in FAILED


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """An attempt; ``detail`` is what was noted of one without an answer, ``issues`` what an OperationOutcome says."""

    at: str
    method: str
    status: int | None
    seconds: str
    result: str
    detail: str
    issues: Sequence[str]
    answer: str


@dataclass(frozen=True, slots=True)
class NotificationSheet:
    """A notification on the page of its appointment; ``replaced`` by a later one that the SAS has accepted."""

    id: int
    announced: str
    state: NotificationState
    created: str
    following: str
    body: str
    attempts: Sequence[ShownAttempt]
    replaced: bool

    @property
    def failed(self) -> bool:
        """Whether it came to no good end."""
        return self.state in FAILED

    @property
    def again(self) -> bool:
        """Whether it can be sent again."""
        return self.failed and not self.replaced

    @property
    def received(self) -> str:
        """The id that the SAS has given the appointment, if an answer tells it; else nothing."""
        found = (_resource(one.answer, "Appointment").get("id") for one in reversed(self.attempts))
        return next((one for one in found if isinstance(one, str)), "")


class ShownNotifications:
    """The notifications of every editor."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._outbox: Outbox = world.outbox
        self._notifications = world.notifications
        self._editors: Mapping[str, Editor] = world.catalogue.editors

    def counts(self, editor: str | None = None) -> dict[NotificationState, int]:
        """How many there are in every state; of one editor, if it is named."""
        found = self._notifications.counts(editor)
        return {state: found.get(state, 0) for state in STATES}

    def latest(self, most: int, editor: str | None, state: NotificationState | None) -> list[NotificationRow]:
        """The last ones, newest first."""
        found = self._notifications.listing(NotificationFilter(editor, state), Page(most)).items
        different = {id(one.result): one.result for one in found if one.result}
        results = {key: french(result) for key, result in different.items()}
        rows = []
        for one in found:
            zone, body = self._zone(one.editor), orjson.loads(one.body)
            rows.append(
                NotificationRow(
                    one.id,
                    self._editors.get(one.editor),
                    one.editor,
                    one.appointment,
                    moment(datetime.fromisoformat(body["start"]), zone),
                    _announced(body),
                    one.state,
                    _stamp(one.created, zone),
                    self._following(one.state, one.due, zone, held=one.held),
                    one.attempts,
                    results.get(id(one.result), ""),
                    one.state in FAILED and not self._replaced(one),
                )
            )
        return rows

    def of(self, editor: str, appointment: str) -> list[NotificationSheet]:
        """Those of an appointment, in order."""
        found = self._notifications.of(editor, appointment)
        return [self._sheet(one, found[:rank], found[rank + 1 :]) for rank, one in enumerate(found)]

    def _sheet(self, one: Notification, before: list[Notification], after: list[Notification]) -> NotificationSheet:
        zone, body = self._zone(one.editor), orjson.loads(one.body)
        held = any(other.state in OPEN_STATES for other in before)
        return NotificationSheet(
            one.id,
            _announced(body),
            one.state,
            _stamp(one.created, zone),
            self._following(one.state, one.due, zone, held=held),
            orjson.dumps(body, option=orjson.OPT_INDENT_2).decode(),
            [_try(attempt, _stamp(at, zone)) for at, attempt in one.attempts],
            any(other.state is NotificationState.ACCEPTED for other in after),
        )

    def _replaced(self, one: NotificationSummary) -> bool:
        """Whether the SAS has accepted a later one of the same appointment."""
        accepted = NotificationFilter(one.editor, NotificationState.ACCEPTED, one.appointment)
        found = self._notifications.listing(accepted, Page(1)).items
        return any(other.id > one.id for other in found)

    def _zone(self, editor: str) -> ZoneInfo:
        return self._editors[editor].zone if editor in self._editors else DEFAULT_ZONE

    def _following(self, state: NotificationState, due: datetime, zone: ZoneInfo, *, held: bool) -> str:
        """When one that waits is tried next; empty for others."""
        if state not in (NotificationState.WAITING, NotificationState.TLS_FAILED):
            return ""
        if held:
            return "après la précédente"
        return _stamp(due, zone) if due > self._world.clock.now() else "dès que possible"


def _announced(body: dict[str, Any]) -> str:
    """The status that a notification brings to the SAS."""
    return STATUSES[AppointmentStatus(body["status"])]


def _stamp(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%d/%m/%Y à %H:%M:%S}"


def _try(attempt: Attempt, at: str) -> ShownAttempt:
    return ShownAttempt(
        at,
        attempt.method,
        attempt.status,
        f"{attempt.seconds:.3f} s".replace(".", ","),
        french(attempt.result),
        french_detail(attempt.result) if attempt.status is None else "",
        _issues(attempt.answer),
        attempt.answer,
    )


def _issues(answer: str) -> list[str]:
    """What an OperationOutcome says; nothing for any other answer."""
    issues = _resource(answer, "OperationOutcome").get("issue")
    found = (_text(one) for one in (issues if isinstance(issues, list) else []))
    return [text for text in found if text]


def _resource(answer: str, kind: str) -> dict[str, Any]:
    """An answer that is a FHIR resource of a kind; an empty one for any other, which may be anything."""
    try:
        found = orjson.loads(answer)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("resourceType") == kind else {}


def _text(issue: Any) -> str:
    """The diagnostics of an issue, or else its details."""
    if not isinstance(issue, dict):
        return ""
    details = issue.get("details")
    texts = (issue.get("diagnostics"), details.get("text") if isinstance(details, dict) else None)
    return next((text for text in texts if isinstance(text, str)), "")

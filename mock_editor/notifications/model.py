"""A notification, its state, and the attempts to send it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.issues import Issue


class NotificationState(StrEnum):
    """The state of a notification.

    TLS_FAILED also waits, and is never given up: wrong certificates are not the notification's fault.
    """

    WAITING = "waiting"
    SENDING = "sending"
    TLS_FAILED = "tls failed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    GIVEN_UP = "given up"


OPEN_STATES = frozenset({NotificationState.WAITING, NotificationState.SENDING, NotificationState.TLS_FAILED})


class Attempt(NamedTuple):
    """One attempt: its method, the status of the answer (None: no answer), how long it took, and its result."""

    method: str
    status: int | None
    seconds: float
    result: Issue
    answer: str


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification with its attempts, and when each was made."""

    id: int
    editor: str
    appointment: str
    state: NotificationState
    created: datetime
    due: datetime
    body: str
    attempts: Sequence[tuple[datetime, Attempt]]


class NotificationSummary(NamedTuple):
    """A notification in a list. ``held`` means that an earlier one of the same appointment is still open.

    ``attempts`` is their number; ``status`` and ``result`` are those of the last one.
    """

    id: int
    editor: str
    appointment: str
    state: NotificationState
    created: datetime
    due: datetime
    body: str
    held: bool
    attempts: int
    status: int | None
    result: Issue | None


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """Which notifications are listed: those that match everything given here.

    ``text`` is looked for in the appointment's id, in what is sent, and in the answers.
    """

    editor: str | None = None
    state: NotificationState | None = None
    appointment: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many notifications of an editor are in a state, and when the oldest of them was made."""

    editor: str
    state: NotificationState
    count: int
    oldest: datetime


# --- what a process works on


class RuleDraws(NamedTuple):
    """What a rule drew and counted for a notification that it holds back, so that it can continue in the same way."""

    seed: int
    tallies: Sequence[int] = ()


class Copy(NamedTuple):
    """Marks a notification that is sent again although it was accepted, because a rule was ``applied``."""

    id: int
    applied: AppliedRule
    method: str
    content_type: str
    lease: float


class Claimed(NamedTuple):
    """A notification that this process is to send now.

    ``rule`` (as JSON) has held it back, and acts again with ``draws`` if there are any. ``passes``: an earlier one of
    the same appointment waits until this one is sent. ``tls_failed``: the last attempt failed on TLS. ``unsure``: the
    SAS may have taken it without our knowledge.
    """

    id: int
    editor: str
    appointment: str
    body: bytes
    attempts: int
    creates: bool
    unsure: bool
    rule: str | None = None
    draws: RuleDraws | None = None
    passes: bool = False
    tls_failed: bool = False
    copy: Copy | None = None

    @property
    def method(self) -> str:
        """A create whose fate is unknown is repeated as an update; the SAS treats that as a create if needed."""
        if self.copy:
            return self.copy.method
        return "POST" if self.creates and not self.unsure else "PUT"

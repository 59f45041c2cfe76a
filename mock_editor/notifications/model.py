"""What a notification is, where it stands, and what is known of the attempts to send it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.issues import Issue


class NotificationState(StrEnum):
    """Where a notification stands.

    TLS_FAILED waits too, and is never given up: it is not the notification's fault that certificates are wrong.
    """

    WAITING = "waiting"
    SENDING = "sending"
    TLS_FAILED = "tls failed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    GIVEN_UP = "given up"


OPEN_STATES = frozenset({NotificationState.WAITING, NotificationState.SENDING, NotificationState.TLS_FAILED})


class Attempt(NamedTuple):
    """One attempt: by which method, what was answered (None: nothing), how long it took, and what became of it."""

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
    """A notification in a list. ``held``: an earlier one of the same appointment is still open.

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
    """Which notifications a list is about: those for which all that is given holds.

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
    """What a rule has drawn and counted for a notification that it holds back, so that it goes on in the same way."""

    seed: int
    tallies: Sequence[int] = ()


class Copy(NamedTuple):
    """Marks what is sent again although it was accepted, because a rule was ``applied``."""

    id: int
    applied: AppliedRule
    method: str
    content_type: str
    lease: float


class Claimed(NamedTuple):
    """A notification that this process is to send now.

    ``rule`` (as JSON) has held it back, and acts again with ``draws`` if there are any. ``passes``: an earlier one of
    the same appointment waits until this one is through. ``tls_failed``: the last attempt failed on TLS. ``unsure``:
    the SAS may have taken it without our knowing.
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
        """A create whose fate is unknown is repeated as an update, which the SAS takes for a create if need be."""
        if self.copy:
            return self.copy.method
        return "POST" if self.creates and not self.unsure else "PUT"

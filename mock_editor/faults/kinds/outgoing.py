"""Notifications (INT_R03) that are not sent when, in which order or as often as they should be.

These kinds say what is to be done, as a plan; the outbox carries it out, because it has to outlive a process. Their
times are by the simulator's clock, like those of retries.
"""

import random
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code
from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Proceed, Request, Response
from mock_editor.faults.words import French, Label

_LONGEST = 10_000_000
_IN_ORDER = "INT_R03: the SAS learns of each state at once"


@dataclass(frozen=True, slots=True)
class Later:
    """Sent after so many seconds; with ``passed``, or as soon as the following one of the appointment is through."""

    seconds: float
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Never sent; the editor believes that it was ``accepted``, or gives it up."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class Again:
    """Once accepted, sent so many times more, each so many seconds after the one before."""

    times: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stale:
    """Once accepted, and when nothing newer is left to send, an older state is: the ``first`` or the last before it."""

    first: bool
    seconds: float


Plan = Later | Lost | Again | Stale


class OutgoingKind(Kind):
    """A mistake in when and how often an editor sends: the sender asks for its plan, and gets the answer of the SAS."""

    family: ClassVar[str] = "outgoing"
    flows: ClassVar[frozenset[str]] = frozenset({"INT_R03"})

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the plan is what it does
        """The answer of the SAS."""
        return proceed()

    def plan(self, draw: random.Random) -> Plan:
        """What is to be done with a notification."""
        raise NotImplementedError


class NotificationDelay(OutgoingKind):
    """The notification is sent later than it could be, once; the next one of its appointment waits for it."""

    kind: Literal["notification-delay"] = "notification-delay"
    french: ClassVar[French] = French(
        "Notification tardive",
        "La notification part plus tard qu’elle ne pourrait ; la suivante du même rendez-vous l’attend.",
    )
    breaks: ClassVar[str] = _IN_ORDER
    seconds: Annotated[float, Label("Retard", "s", "à l’horloge du simulateur")] = Field(
        60, ge=0, le=_LONGEST, description="How much later, by the simulator's clock."
    )
    most: Annotated[float | None, Label("Jusqu’à", "s", "durée tirée au sort entre les deux", alternative=True)] = (
        Field(None, ge=0, le=_LONGEST, description="Instead: drawn between `seconds` and this.")
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.most is not None and self.most < self.seconds:
            raise InvalidValueError(
                Code.FAULT_PARAMETER_BELOW, first=self.parameter("most"), second=self.parameter("seconds")
            )
        return self

    def plan(self, draw: random.Random) -> Plan:
        """Later."""
        return Later(self.seconds if self.most is None else draw.uniform(self.seconds, self.most))


class NotificationDrop(OutgoingKind):
    """The notification is never sent."""

    kind: Literal["notification-drop"] = "notification-drop"
    french: ClassVar[French] = French("Notification perdue", "La notification n’est jamais envoyée.")
    breaks: ClassVar[str] = _IN_ORDER
    pretend: Annotated[
        Literal["accepted", "given-up"],
        Label("Le logiciel croit qu’elle est", values={"accepted": "acceptée", "given-up": "abandonnée"}),
    ] = Field("accepted", description="What the editor believes: accepted, so that it is lost for good, or given up.")

    def plan(self, draw: random.Random) -> Plan:  # noqa: ARG002 - nothing is drawn
        """Never."""
        return Lost(self.pretend == "accepted")


class NotificationDuplicate(OutgoingKind):
    """The notification is sent again, just as it was, although it was accepted; the next one waits for that."""

    kind: Literal["notification-duplicate"] = "notification-duplicate"
    french: ClassVar[French] = French(
        "Notification répétée", "La notification repart telle quelle, bien qu’elle ait été acceptée."
    )
    breaks: ClassVar[str] = "INT_R03: each state once, and an appointment is created once"
    times: Annotated[int, Label("Répétitions", "fois", "en plus de l’envoi normal")] = Field(
        1, ge=1, le=100, description="How many times more."
    )
    seconds: Annotated[float, Label("Entre deux envois", "s", "à l’horloge du simulateur")] = Field(
        0, ge=0, le=_LONGEST, description="Between two of them, by the simulator's clock."
    )

    def plan(self, draw: random.Random) -> Plan:  # noqa: ARG002 - nothing is drawn
        """Again."""
        return Again(self.times, self.seconds)


class NotificationReorder(OutgoingKind):
    """The notification is sent after the next one of its appointment."""

    kind: Literal["notification-reorder"] = "notification-reorder"
    french: ClassVar[French] = French(
        "Notifications en désordre", "La notification part après la suivante du même rendez-vous."
    )
    breaks: ClassVar[str] = "INT_R03: the states of an appointment in their order"
    seconds: Annotated[float, Label("Attendre la suivante", "s", "à l’horloge du simulateur")] = Field(
        60, ge=0, le=_LONGEST, description="How long it waits for a next one, by the simulator's clock."
    )

    def plan(self, draw: random.Random) -> Plan:  # noqa: ARG002 - nothing is drawn
        """After the next."""
        return Later(self.seconds, passed=True)


class NotificationStale(OutgoingKind):
    """When the newest state of an appointment has been accepted, an old one is sent again, as an update."""

    kind: Literal["notification-stale"] = "notification-stale"
    french: ClassVar[French] = French(
        "Notification périmée",
        "Une fois le dernier état accepté, un ancien état est envoyé de nouveau, comme une mise à jour.",
    )
    breaks: ClassVar[str] = "INT_R03: the SAS holds the state in which the appointment is"
    state: Annotated[
        Literal["previous", "first"], Label("Ancien état", values={"previous": "le précédent", "first": "le premier"})
    ] = Field("previous", description="Which of the older states.")
    seconds: Annotated[float, Label("Retard", "s", "à l’horloge du simulateur")] = Field(
        0, ge=0, le=_LONGEST, description="How much later, by the simulator's clock."
    )

    def plan(self, draw: random.Random) -> Plan:  # noqa: ARG002 - nothing is drawn
        """An older one, last."""
        return Stale(self.state == "first", self.seconds)

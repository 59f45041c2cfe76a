"""What a fault rule makes of one notification: how it goes out, if it does. Nothing is sent here.

Seen from an editor's side, its own message is the request. So kinds act on it as they do on an answer that an editor
sends: a body that they spoil is that of the request, a connection that they cut breaks off in the request. A kind that
answers by itself answers in place of the SAS, to which nothing is sent then, unless the kind has it done first.

No thread waits for a kind that waits: the notification is held back in the outbox, and all is done again when its time
has come. The draws are the same then, because the seed is kept, and so are the tallies.
"""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from mock_editor.base.applied_rules import AppliedRule, RuleOutcome
from mock_editor.base.flows import Flow
from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds.outgoing import Again, Later, Lost, OutgoingKind, Plan, Stale
from mock_editor.faults.kinds.payload.notification import PayloadKind
from mock_editor.faults.messages import CloseConnection, Proceed, Request, Response
from mock_editor.faults.wire import WHOLE, Wire
from mock_editor.notifications.model import RuleDraws

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A notification as it would be sent; ``url`` is path and query."""

    editor: str
    zone: ZoneInfo
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ActingRule:
    """A rule that acts on a notification: for the first time, or again after it has held it back."""

    rule: str  # as JSON
    applied: AppliedRule
    kinds: Sequence[Kind]
    draws: RuleDraws
    tally: Callable[[float], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How a notification goes out. ``later`` and ``waits`` (real seconds) come first, ``plans`` once it is accepted.

    ``lost``: not at all; ``answer``: not either, and this is what comes back; ``closed``: not it, but other bytes;
    ``first``: it goes out before such an answer or such an end, and what the SAS says is not heard.
    """

    rule: str
    applied: AppliedRule
    draws: RuleDraws
    headers: Mapping[str, str]
    body: bytes
    later: Later | None = None
    waits: float = 0.0
    lost: Lost | None = None
    answer: Response | None = None
    closed: CloseConnection | None = None
    first: bool = False
    wire: Wire = WHOLE
    plans: Sequence[Again | Stale] = ()

    @property
    def seconds(self) -> float:
        """How long sending it takes."""
        pace = self.wire.pace
        return -(-len(self.body) // pace.size) * pace.seconds if pace else 0.0


def effect_of(rule: ActingRule, request: OutgoingRequest, now: datetime) -> Effect:
    """What becomes of a request. When a kind fails, the right one goes out, and the log and the journal tell."""
    try:
        return _Application(rule, request).effect(now)
    except Exception as error:
        _log.exception("A fault failed (%s), the right notification goes out", rule.applied)
        applied = replace(rule.applied, outcome=RuleOutcome.FAILED, error=type(error).__name__)
        return Effect(rule=rule.rule, applied=applied, draws=rule.draws, headers=request.headers, body=request.body)


class _Application:
    """One rule applied to one notification."""

    def __init__(self, rule: ActingRule, request: OutgoingRequest) -> None:
        self._rule = rule
        self._request = request
        self._draw = random.Random(rule.draws.seed)
        self._tallies: list[int] = []
        self._waits = 0.0
        self._proceeded = False

    def effect(self, now: datetime) -> Effect:
        """How the notification goes out. Raises whatever a kind raises."""
        plans: list[Plan] = [kind.plan(self._draw) for kind in self._rule.kinds if isinstance(kind, OutgoingKind)]
        body = self._request.body
        for kind in self._rule.kinds:
            if isinstance(kind, PayloadKind):
                body = kind.spoil(body, self._draw)
        answer, closed = self._sent(body, now)
        # What is made of the request has its headers still, whatever is wrong with it.
        sent = answer if answer and answer.header("Accept") else None
        return Effect(
            rule=self._rule.rule,
            applied=self._rule.applied,
            draws=RuleDraws(self._rule.draws.seed, self._tallies),
            headers=_headers(self._request, sent),
            body=sent.body if sent else body,
            later=next((plan for plan in plans if isinstance(plan, Later)), None),
            waits=self._waits,
            lost=next((plan for plan in plans if isinstance(plan, Lost)), None),
            answer=None if sent else answer,
            closed=closed,
            first=self._proceeded and not sent,
            wire=sent.wire if sent else WHOLE,
            plans=[plan for plan in plans if isinstance(plan, Again | Stale)],
        )

    def _sent(self, body: bytes, now: datetime) -> tuple[Response | None, CloseConnection | None]:
        """What the kinds make of the request, as if it were an answer, or what they answer themselves."""
        request = self._request
        exchange = Request(
            editor=request.editor,
            flow=Flow.INT_R03,
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=body,
            now=now,
            zone=request.zone,
            draw=self._draw,
            wait=self._wait,
            tally=self._tally,
        )
        proceed: Proceed = partial(self._proceed, body)
        for kind in reversed(self._rule.kinds):
            proceed = partial(kind.apply, exchange, proceed)
        try:
            return proceed(), None
        except CloseConnection as closed:
            return None, closed

    def _proceed(self, body: bytes) -> Response:
        # The status is what a right answer would have, in case that a kind looks at it.
        status = 201 if self._request.method == "POST" else 200
        self._proceeded = True
        return Response(status, tuple(self._request.headers.items()), b"").with_body(body)

    def _wait(self, seconds: float) -> None:
        self._waits += max(seconds, 0.0)

    def _tally(self, seconds: float) -> int:
        number = len(self._tallies)
        known = self._rule.draws.tallies
        self._tallies.append(known[number] if number < len(known) else self._rule.tally(seconds))
        return self._tallies[-1]


def _headers(request: OutgoingRequest, sent: Response | None) -> Mapping[str, str]:
    content_type = sent.header("Content-Type") if sent else ""
    return {**request.headers, "Content-Type": content_type} if content_type else request.headers

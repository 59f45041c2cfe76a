"""The effect of a fault rule on one notification: how it is sent, if at all. Nothing is sent here.

For an editor, its own message is the request. Kinds act on it as they act on an editor's answer elsewhere: they spoil
the body of the request, or cut the connection within the request. A kind that answers by itself answers in place of
the SAS; then nothing is sent to the SAS, unless the kind calls ``proceed`` first.

No thread waits for a kind that waits: the notification is held back in the outbox, and everything is done again when
its time has come. The draws are then the same, because the seed and the tallies are kept.
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
    """A notification as it would be sent without faults; ``url`` is path and query."""

    editor: str
    zone: ZoneInfo
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ActingRule:
    """A rule that acts on a notification: for the first time, or again after holding it back."""

    rule: str  # as JSON
    applied: AppliedRule
    kinds: Sequence[Kind]
    draws: RuleDraws
    tally: Callable[[float], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How a notification is sent. ``later`` and ``waits`` (real seconds) come first, ``plans`` once it is accepted.

    ``lost``: it is never sent. ``answer``: it is not sent, and this answer comes back. ``closed``: other bytes are sent
    instead. ``first``: it is sent before such an answer or end, and the answer of the SAS is ignored.
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
    """The effect on a request. When a kind fails, the right request is sent, and the log and the journal say so."""
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
        """How the notification is sent. Raises whatever a kind raises."""
        plans: list[Plan] = [kind.plan(self._draw) for kind in self._rule.kinds if isinstance(kind, OutgoingKind)]
        body = self._request.body
        for kind in self._rule.kinds:
            if isinstance(kind, PayloadKind):
                body = kind.spoil(body, self._draw)
        answer, closed = self._sent(body, now)
        # The spoilt request keeps its headers, whatever else is wrong with it.
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
        """The request as changed by the kinds, which treat it like an answer; or their own answer."""
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
        # The status is that of a right answer, in case a kind looks at it.
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

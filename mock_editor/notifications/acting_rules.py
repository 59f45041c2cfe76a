"""Which fault rule acts on a notification about to be sent; ``rule_effects.py`` works out its effect."""

import logging
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.errors import EditorError
from mock_editor.base.flows import Flow
from mock_editor.calendars.model import Editor
from mock_editor.faults.engine import FaultEngine
from mock_editor.faults.rules import Rule
from mock_editor.notifications.model import Claimed, RuleDraws
from mock_editor.notifications.rule_effects import ActingRule, Effect, OutgoingRequest, effect_of

_SEED_BITS = 62

_log = logging.getLogger(__name__)


class ActingRules:
    """The rules of an engine that act on the notifications of ``editors``; no rules without an engine."""

    def __init__(self, engine: FaultEngine | None, editors: Mapping[str, Editor]) -> None:
        self._engine = engine
        self._editors = editors

    def effect(self, claimed: Claimed, url: str, headers: Mapping[str, str]) -> Effect | None:
        """The effect of a rule on a notification to ``url``; None if no rule acts. A copy is sent unchanged."""
        if self._engine is None or claimed.copy:
            return None
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        zone = self._editors[claimed.editor].zone
        request = OutgoingRequest(claimed.editor, zone, claimed.method, path, headers, claimed.body)
        rule = self._again(claimed) if claimed.draws else self._match(self._engine, request)
        return effect_of(rule, request, self._engine.now()) if rule else None

    def in_force(self) -> dict[str, Rule]:
        """The rules in force, by their name in the outbox."""
        return {rule.model_dump_json(): rule for rule in self._engine.in_force()} if self._engine else {}

    def _match(self, engine: FaultEngine, request: OutgoingRequest) -> ActingRule | None:
        try:
            acting = engine.match(
                direction="out",
                editor=request.editor,
                flow=Flow.INT_R03,
                method=request.method,
                url=request.url,
                header={name.lower(): value for name, value in request.headers.items()}.get,
                body=lambda: request.body,
                zone=request.zone,
            )
        except EditorError as error:
            _log.warning("No rule acts, because the counts cannot be kept: %s", error)
            return None
        if acting is None:
            return None
        draws = RuleDraws(acting.draw.getrandbits(_SEED_BITS))
        tally = partial(acting.tally, request.editor)
        return ActingRule(acting.rule.model_dump_json(), acting.applied, acting.kinds, draws, tally)

    def _again(self, claimed: Claimed) -> ActingRule | None:
        """The rule that held the notification back; None if it is no longer in force."""
        rule = self.in_force().get(claimed.rule or "")
        if rule is None or claimed.rule is None or claimed.draws is None:
            return None
        kinds = [kind for kind in rule.do if not kind.flows or Flow.INT_R03 in kind.flows]
        applied = AppliedRule(rule.name, tuple(kind.name for kind in kinds))
        # The rule's conditions were met when it held the notification back.
        return ActingRule(claimed.rule, applied, kinds, claimed.draws, lambda _: 1)

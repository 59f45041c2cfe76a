"""Which fault rule acted in an exchange, and what came of it: as data, for the journal and the outbox."""

from dataclasses import asdict, dataclass
from enum import StrEnum

import orjson

from mock_editor.base.words import Language, say


class RuleOutcome(StrEnum):
    """What came of a rule."""

    ACTED = "acted"
    # A kind had a bug, so that the right response went out.
    FAILED = "failed"
    # There was no place to wait.
    REFUSED = "refused"
    # The simulator stopped during the wait.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class AppliedRule:
    """A rule with the names of its kinds that acted; ``error`` is the type of the exception if one failed."""

    name: str
    kinds: tuple[str, ...]
    outcome: RuleOutcome = RuleOutcome.ACTED
    error: str = ""

    def __str__(self) -> str:
        # For logs.
        return self.english

    @property
    def english(self) -> str:
        """What acted and what came of it, in a line, for programs."""
        return self._line(Language.ENGLISH)

    @property
    def french(self) -> str:
        """What acted and what came of it, in a line, for screens."""
        return self._line(Language.FRENCH)

    @property
    def french_outcome(self) -> str:
        """What came of it, for screens; empty when it acted as it should."""
        return self._outcome(Language.FRENCH)

    def _line(self, language: Language) -> str:
        outcome = self._outcome(language)
        return f"{self.name}: {', '.join(self.kinds)}" + (f" ({outcome})" if outcome else "")

    def _outcome(self, language: Language) -> str:
        if self.outcome is RuleOutcome.ACTED:
            return ""
        return say(language, self.outcome.value, {"error": self.error}, "rule")

    def as_text(self) -> str:
        """As a column holds it."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> "AppliedRule":
        """What ``as_text`` wrote. Raises ValueError, KeyError or TypeError for anything else."""
        data = orjson.loads(text)
        return cls(str(data["name"]), tuple(map(str, data["kinds"])), RuleOutcome(data["outcome"]), data["error"])

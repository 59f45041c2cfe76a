"""The SAS as the target of an editor's notifications."""

from dataclasses import dataclass
from pathlib import Path

from mock_editor.base.client import Limits
from mock_editor.notifications.tls import Identity

LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """Where the notifications of an editor go, and how patiently. Times are in seconds.

    ``certificate``, ``key``, ``authority`` and ``tls_minimum`` are those of an Identity. The first retry comes after
    ``first_wait``, each later one after twice as long, up to ``longest_wait``; after ``tries`` attempts it is given up.
    """

    url: str
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    connect_timeout: float = 3.0
    answer_timeout: float = 10.0
    tries: int = 12
    first_wait: float = 1.0
    longest_wait: float = 300.0
    tls_minimum: str = "1.2"

    @property
    def identity(self) -> Identity:
        """What TLS with it is made of."""
        return Identity(self.certificate, self.key, self.authority, self.tls_minimum)

    @property
    def limits(self) -> Limits:
        """What an attempt may take. Of an answer, only the start is read."""
        return Limits(self.connect_timeout, self.answer_timeout, 2 * LARGEST_ANSWER)

"""The SAS as the target of an editor's notifications."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mock_editor.base import sas_target
from mock_editor.base.client import Limits
from mock_editor.base.sas_target import TlsVersion
from mock_editor.notifications.tls import Identity
from mock_editor.settings import Settings

LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """Where the notifications of an editor go, and how patiently. Times are in seconds; ``sas_target`` has the bounds.

    ``certificate``, ``key``, ``authority`` and ``tls_minimum`` are those of an Identity. The first retry comes after
    ``first_wait``, each later one after twice as long, up to ``longest_wait``; after ``tries`` attempts it is given up.
    """

    url: str
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    connect_timeout: float = sas_target.CONNECT_TIMEOUT.default
    answer_timeout: float = sas_target.ANSWER_TIMEOUT.default
    tries: int = sas_target.TRIES.default
    first_wait: float = sas_target.FIRST_WAIT.default
    longest_wait: float = sas_target.LONGEST_WAIT.default
    tls_minimum: TlsVersion = sas_target.TLS_MINIMUM

    @classmethod
    def of(cls, settings: Settings, public_url: str, own: Mapping[str, Any]) -> "Target":
        """The target of an editor: as in the settings, except for what it has of its ``own``."""
        values = {field.name: getattr(settings, f"sas_{field.name}") for field in fields(cls)}
        if settings.sas_url == "embedded":
            values["url"] = f"{public_url}/_sas/fhir"
        if "certificate" in own:
            # With a key of its own, or in the same file.
            values["key"] = None
        values |= own
        return cls(
            **values | {name: Path(values[name]) for name in ("certificate", "key", "authority") if values[name]}
        )

    @property
    def identity(self) -> Identity:
        """What TLS with this target needs."""
        return Identity(self.certificate, self.key, self.authority, self.tls_minimum)

    @property
    def limits(self) -> Limits:
        """The limits of an attempt. Only the start of an answer is read."""
        return Limits(self.connect_timeout, self.answer_timeout, 2 * LARGEST_ANSWER)

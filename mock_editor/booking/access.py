"""Who may see and do what on an editor's web site.

The regulator's level exists only in a session that was opened from the SAS, with ``origin=sas…`` in the URL (the
guide's page on regulator accounts).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from mock_editor.base.errors import refused
from mock_editor.base.globs import matches
from mock_editor.base.issues import Code
from mock_editor.calendars.catalogue import OwnedCalendar
from mock_editor.calendars.model import Association, SlotType

_PUBLIC = frozenset({SlotType.PUBLIC})
_REGULATOR = frozenset({SlotType.PUBLIC, SlotType.PRO, SlotType.SNP, SlotType.CPTS})
_REGULATOR_AT_SOS = frozenset({SlotType.PUBLIC, SlotType.SNP})


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor's session: without an account, or with one, signed in directly or through the SAS."""

    key: str
    editor: str
    account: str | None
    sas: bool

    @property
    def booker(self) -> str:
        """Who owns the appointments made in this session."""
        return self.account or f"visit-{self.key[:32]}"

    def exposed(self, at: OwnedCalendar) -> frozenset[SlotType]:
        """The types of slot that a calendar shows in this session."""
        if not self.sas:
            return _PUBLIC
        return _REGULATOR_AT_SOS if isinstance(at.owner, Association) else _REGULATOR


def origins(raw_query: bytes) -> list[str]:
    """Every value of ``origin`` in a query string as received.

    Some clients append ``?origin=`` to a URL that already has a query, so a second ``?`` separates like ``&``.
    """
    parts = re.split(r"[&?]", raw_query.decode("utf-8", "replace"))
    pairs = (part.partition("=") for part in parts)
    return [unquote_plus(value, errors="replace").strip() for name, _, value in pairs if name == "origin"]


def accepted_origin(found: Sequence[str], accepted: Iterable[str]) -> str:
    """The first value of ``found`` that opens the regulator's level; ``*`` in ``accepted`` matches anything.

    Raises 400 when there is none.
    """
    for origin in found:
        if any(matches(pattern, origin) for pattern in accepted):
            return origin
    raise refused(Code.ORIGIN_UNKNOWN, origins=[origin[:40] for origin in found[:3]])

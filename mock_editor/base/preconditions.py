"""Conditional requests: ``If-Match`` and its relatives.

Source: RFC 9110, 13.1 and 13.2, and FHIR R4 http ("conditional read", "managing resource contention"). FHIR's tags are
weak (``W/"2"`` is version 2), and weak tags count in ``If-Match`` too.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from werkzeug.datastructures import Headers
from werkzeug.http import http_date, parse_date

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code

# Our own tags hold no comma, so a list may be split at commas. A client may leave out the quotes.
_TAG = re.compile(r'(?:[Ww]/)?("?)([^",\s]+)\1')


class Current(NamedTuple):
    """The current state: the resource's reference as ``name``, its version, and when it changed last."""

    name: str
    version: int
    changed: datetime

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell a client."""
        return {"ETag": f'W/"{self.version}"', "Last-Modified": http_date(self.changed)}


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditional headers of a request as received; None for those that are missing."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_unmodified_since: str | None = None
    if_modified_since: str | None = None

    @classmethod
    def of(cls, headers: Headers) -> "Preconditions":
        """The conditions in ``headers``; a blank one counts as missing."""
        names = "If-Match", "If-None-Match", "If-Unmodified-Since", "If-Modified-Since"
        return cls(*(headers.get(name, "").strip() or None for name in names))

    def check(self, current: Current | None) -> None:
        """Raises 412 unless ``current`` (None: nothing exists) is what the client means to replace."""
        if self.if_match is not None:
            if not _names(self.if_match, current):
                raise _refusal("If-Match", self.if_match, current)
        elif self.if_unmodified_since is not None:
            since = parse_date(self.if_unmodified_since)
            # A header without a valid date is ignored.
            if since and current and current.changed.replace(microsecond=0) > since:
                raise _refusal("If-Unmodified-Since", self.if_unmodified_since, current)
        if self.if_none_match is not None and _names(self.if_none_match, current):
            raise _refusal("If-None-Match", self.if_none_match, current)

    def has(self, current: Current) -> bool:
        """Whether a reader already has ``current``, so that 304 is enough. Raises 412 as ``check`` does."""
        Preconditions(self.if_match, None, self.if_unmodified_since).check(current)
        if self.if_none_match is not None:
            return _names(self.if_none_match, current)
        since = parse_date(self.if_modified_since)
        return since is not None and current.changed.replace(microsecond=0) <= since


def _names(tags: str, current: Current | None) -> bool:
    """Whether a list of tags, or ``*``, includes the tag of ``current``."""
    if current is None:
        return False
    found = (_TAG.fullmatch(tag.strip()) for tag in tags.split(","))
    return tags == "*" or str(current.version) in {tag[2] for tag in found if tag}


def _refusal(header: str, text: str, current: Current | None) -> EditorError:
    if current is None:
        return refused(Code.PRECONDITION_NOTHING, header=header, found=text[:100])
    at = http_date(current.changed)
    return refused(
        Code.PRECONDITION, header=header, found=text[:100], name=current.name, version=current.version, changed=at
    )

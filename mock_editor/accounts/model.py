"""A regulator's account, what a request did to it, and which accounts are listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from mock_editor.accounts.payload import KIND, Token, token_of
from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.base.preconditions import Current
from mock_editor.calendars.model import RegulatorId


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is stored. ``updated`` and ``terms_accepted`` are FHIR instants.

    ``content`` is the resource as it was sent. ``locked_until``: the account accepts no password before that instant
    (ISO 8601), which may be past.
    """

    editor: str
    id: str
    version: int
    updated: str
    active: bool
    content: Resource
    password: str
    terms_accepted: str | None = None
    locked_until: str | None = None

    @property
    def name(self) -> str:
        """First and last name, as on a screen."""
        name = self.content["name"][0]
        return f"{name['given'][0]} {name['family']}"

    @property
    def email(self) -> str:
        """The address, as it was sent."""
        address: str = self.content["telecom"][0]["value"]
        return address

    @property
    def tokens(self) -> list[Token]:
        """The identifiers, in the form in which they are compared."""
        return [token_of(identifier) for identifier in self.content.get("identifier", ())]

    @property
    def regulator(self) -> RegulatorId | None:
        """How the SAS knows the holder: by the national identifier, if there is one."""
        tokens = {token.system: token for token in self.tokens}
        found = tokens.get(codes.PRACTITIONER_OID) or tokens.get(codes.SAS_OID)
        return RegulatorId(*found) if found else None

    @property
    def current(self) -> Current:
        """Which version of the account this is."""
        return Current(f"{KIND}/{self.id}", self.version, datetime.fromisoformat(self.updated))

    @property
    def resource(self) -> Resource:
        """The account on the wire. The password is never part of it."""
        meta = self.content.get("meta", {}) | {
            "versionId": str(self.version),
            "lastUpdated": self.updated,
            "profile": [codes.REGULATOR_PROFILE],
        }
        return {"resourceType": KIND, "id": self.id, "meta": meta} | {
            name: value for name, value in self.content.items() if name not in ("resourceType", "meta")
        }


class Outcome(Enum):
    """What a request did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Saved(NamedTuple):
    """The account after a request, and what the request did."""

    account: Account
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts are listed: those of ``editors`` that match everything given here.

    ``identifier`` is ``system|value`` or a bare value; ``email`` is compared without case; ``text`` is looked for in
    names, e-mail, identifiers and id.
    """

    editors: Sequence[str]
    active: bool | None = None
    identifier: str | None = None
    email: str | None = None
    text: str | None = None

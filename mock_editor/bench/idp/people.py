"""Who may sign in."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody fictitious who signs in. ``key`` is unique; the ids are those that INT_R02 gives to the editors."""

    key: str
    family: str
    given: str
    email: str
    national_id: str | None = None
    technical_id: str | None = None

    @property
    def name(self) -> str:
        """The name on screens."""
        return f"{self.given} {self.family}"

    def answers_to(self, hint: str) -> bool:
        """Whether ``login_hint`` means this person."""
        names = (self.key, self.email, self.national_id, self.technical_id)
        return hint.strip().casefold() in {name.casefold() for name in names if name}

    def claims(self) -> dict[str, Any]:
        """The claims for clients; Pro Santé Connect has the national identifier in ``SubjectNameID``."""
        return {
            "sub": self.technical_id or self.national_id or self.key,
            **({"SubjectNameID": self.national_id} if self.national_id else {}),
            "preferred_username": self.national_id or self.technical_id or self.key,
            "email": self.email,
            "email_verified": True,
            "given_name": self.given,
            "family_name": self.family,
            "name": self.name,
        }

"""An editor's own login: passwords, the lock after wrong ones, and the acceptance of the terms."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlite_utils import Database

from mock_editor.accounts import tables
from mock_editor.accounts.drawing import password as drawn_password
from mock_editor.accounts.model import Account
from mock_editor.accounts.payload import email_key
from mock_editor.base.clock import Clock
from mock_editor.base.fhir import instant
from mock_editor.base.instants import set_back
from mock_editor.base.store import Store
from mock_editor.calendars.model import Editor

_UPDATE = "update accounts set {} where editor = :editor and id = :id"
_UNLOCKED = "failures = 0, locked_until = null"


class LogInResult(NamedTuple):
    """The result of an attempt to log in: the account, or the end of its lock, or neither."""

    account: Account | None
    locked_until: datetime | None


class LogIn:
    """The login of every editor's web site."""

    def __init__(self, store: Store, clock: Clock, editors: Mapping[str, Editor]) -> None:
        self._store = store
        self._clock = clock
        self._editors = editors

    def attempt(self, editor: str, email: str, password: str, *, tries: int, lock: timedelta) -> LogInResult:
        """Tries a password. After ``tries`` wrong ones in a row, the account accepts none for a while."""
        with self._store.writing() as db:
            now = self._clock.now()
            identifier = tables.preferred(tables.holders_of_emails(db, editor, [email_key(email)]))
            if identifier is None:
                return LogInResult(None, None)
            query = "select failures, locked_until, password from accounts where editor = ? and id = ?"
            [(failures, text, expected)] = db.execute(query, [editor, identifier])
            locked_until = datetime.fromisoformat(text) if text else None
            if locked_until and locked_until > now:
                return LogInResult(None, locked_until)
            right = secrets.compare_digest(password.strip().encode(), expected.encode())
            failures = 0 if right else failures + 1
            locked_until = now + lock if failures >= tries else None
            _update(
                db, editor, identifier, "failures = :failures, locked_until = :until",
                failures=0 if locked_until else failures, until=locked_until.isoformat() if locked_until else None,
            )  # fmt: skip
            return LogInResult(tables.find(db, editor, identifier) if right else None, locked_until)

    def renew_password(self, editor: str, email: str) -> None:
        """Gives the accounts with an e-mail a new password and unlocks them; does nothing for an unknown e-mail."""
        with self._store.writing() as db:
            for holder in tables.holders_of_emails(db, editor, [email_key(email)]):
                query = "select number, passwords + 1 from accounts where editor = ? and id = ?"
                [(number, count)] = db.execute(query, [editor, holder.account])
                password = drawn_password(self._editors[editor], number, count)
                change = f"password = :password, passwords = :count, {_UNLOCKED}"
                _update(db, editor, holder.account, change, password=password, count=count)

    def accept_terms(self, editor: str, identifier: str) -> None:
        """Notes when the editor's terms were accepted, unless they already were."""
        with self._store.writing() as db:
            self.set_terms(db, editor, identifier, accepted=True)

    # --- in the transaction of a caller

    def set_password(self, db: Database, editor: str, identifier: str, password: str) -> None:
        """Gives an account this password."""
        _update(db, editor, identifier, "password = :password", password=password)

    def unlock(self, db: Database, editor: str, identifier: str) -> None:
        """Makes an account accept passwords again."""
        _update(db, editor, identifier, _UNLOCKED)

    def set_terms(self, db: Database, editor: str, identifier: str, *, accepted: bool) -> None:
        """Notes that the editor's terms are accepted, from now on unless they already were; or that they are not."""
        now = instant(self._clock.now(), self._editors[editor].zone)
        change = "terms_accepted = coalesce(terms_accepted, :now)" if accepted else "terms_accepted = null"
        _update(db, editor, identifier, change, now=now)

    def set_back(self, db: Database, by: timedelta) -> None:
        """Moves the ends of locks back with the clock."""
        set_back(db, "accounts", "locked_until", by)


def _update(db: Database, editor: str, identifier: str, change: str, **values: str | int | None) -> None:
    db.execute(_UPDATE.format(change), {"editor": editor, "id": identifier, **values})

"""INT_R02: accounts as the SAS creates and updates them.

Rules (docs/accounts.md): an identifier belongs to one account, an e-mail to one *active* account. Active accounts are
preferred; giving an identifier to another account takes it from an inactive holder. There is no delete.
"""

import contextlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sqlite_utils import Database

from mock_editor.accounts import drawing, tables
from mock_editor.accounts.model import Account, Outcome, Saved
from mock_editor.accounts.payload import KIND, Regulator, Token, token_of
from mock_editor.accounts.tables import Holder, holders_of_emails, holders_of_identifiers
from mock_editor.base.clock import Clock
from mock_editor.base.errors import MOST_ISSUES, EditorError, refused
from mock_editor.base.fhir import instant
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.preconditions import Preconditions
from mock_editor.base.store import Store
from mock_editor.calendars.model import Editor


class Provisioning:
    """Creates and updates the accounts of every editor.

    ``declared`` are the accounts of the scenario, by editor. With ``follow_email``, an update that finds no account by
    identifier goes to the account with its e-mail; otherwise it creates one or is refused.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        editors: Mapping[str, Editor],
        *,
        declared: Mapping[str, Sequence[Regulator]],
        follow_email: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._editors = editors
        self._declared = declared
        self._follow_email = follow_email

    # --- requests

    def create(self, editor: str, regulator: Regulator) -> Saved:
        """Creates an account. Raises 422 when an active account has its identifier or e-mail."""
        with self._store.writing() as db:
            return self.save(db, editor, None, regulator)

    def update(self, editor: str, identifier: str, regulator: Regulator, conditions: Preconditions) -> Saved:
        """Updates the account with this id.

        Raises 412 unless ``conditions`` hold for it, 422, and 405 for an unknown id, as FHIR requires of servers that
        give the ids.
        """
        with self._store.writing() as db:
            account = tables.find(db, editor, identifier)
            if account is None:
                named = f"{KIND}/{identifier[:100]}"
                raise refused(Code.ACCOUNT_NOT_MADE_BY_ID, headers={"Allow": "GET, HEAD"}, account=named)
            conditions.check(account.current)
            return self.save(db, editor, account, regulator)

    def put(self, editor: str, asked: Token, regulator: Regulator, conditions: Preconditions) -> Saved:
        """Creates or updates: the account that has the identifier ``asked``; else one of the body's identifiers; else,
        if that is wanted, the body's e-mail; else a new one.

        Raises 412 for several matches, or unless ``conditions`` hold for the one, 422.
        """
        with self._store.writing() as db:
            steps = self._matches(db, editor, asked, regulator)
            account = next((match for step in steps if (match := _only(db, editor, step))), None)
            conditions.check(account.current if account else None)
            return self.save(db, editor, account, regulator)

    def _matches(self, db: Database, editor: str, asked: Token, regulator: Regulator) -> Iterator[list[Holder]]:
        """The results of each step of matching; a later step counts only when the earlier ones found nothing."""
        yield holders_of_identifiers(db, editor, [asked])
        yield holders_of_identifiers(db, editor, regulator.identifiers)
        if self._follow_email:
            yield holders_of_emails(db, editor, regulator.emails)

    # --- the accounts of the scenario

    def reset(self, db: Database) -> None:
        """Deletes every account and creates those of the scenario."""
        for table in tables.TABLES:
            db.execute(f"delete from {table}")  # noqa: S608 - names of ours
        self.declare(db)

    def declare(self, db: Database) -> None:
        """Creates the scenario's accounts that were never created, unless others have taken their place."""
        for editor, regulators in self._declared.items():
            for regulator in regulators:
                key = "|".join(next(iter(regulator.identifiers)))
                made = db.execute("select 1 from accounts where editor = ? and declared = ?", [editor, key]).fetchone()
                if not made:
                    with contextlib.suppress(EditorError):
                        self.save(db, editor, None, regulator, declared=key)

    # --- writing

    def save(
        self, db: Database, editor: str, account: Account | None, regulator: Regulator, declared: str | None = None
    ) -> Saved:
        """Writes ``regulator`` into ``account``, or into a new one. Raises 422 for what other accounts have."""
        if account and account.content == regulator.content:
            return Saved(account, Outcome.UNCHANGED)
        own_id = account.id if account else None
        by_identifiers, by_emails = (
            [holder for holder in holders if holder.account != own_id]
            for holders in (
                holders_of_identifiers(db, editor, regulator.identifiers),
                holders_of_emails(db, editor, regulator.emails),
            )
        )
        if conflicts := _conflicts(regulator, by_identifiers, by_emails):
            raise EditorError(422, conflicts)
        updated = instant(self._clock.now(), self._editors[editor].zone)
        for inactive in {holder.account for holder in by_identifiers}:
            _take_from(db, editor, inactive, regulator.identifiers, updated)
        if account is None:
            return Saved(self._insert(db, editor, updated, regulator, declared), Outcome.CREATED)
        saved = replace(
            account, version=account.version + 1, updated=updated, active=regulator.active, content=regulator.content
        )
        tables.update(db, account, saved)
        return Saved(saved, Outcome.UPDATED)

    def _insert(self, db: Database, editor: str, updated: str, regulator: Regulator, declared: str | None) -> Account:
        number = tables.next_number(db, editor)
        account = Account(
            editor=editor,
            id=drawing.account_id(self._editors[editor], number),
            version=1,
            updated=updated,
            active=regulator.active,
            content=regulator.content,
            password=drawing.password(self._editors[editor], number, 1),
        )
        tables.insert(db, account, number, declared)
        return account


def _only(db: Database, editor: str, holders: Iterable[Holder]) -> Account | None:
    """The account that a step of matching leads to: the active one, if there is one. Raises 412 for several."""
    matches = {holder.account: holder.active for holder in holders}
    candidates = [account for account, active in matches.items() if active] or list(matches)
    if len(candidates) > 1:
        raise refused(Code.ACCOUNTS_MATCH, accounts=[f"{KIND}/{account}" for account in candidates[:5]])
    return tables.find(db, editor, candidates[0]) if candidates else None


def _conflicts(regulator: Regulator, by_identifiers: Iterable[Holder], by_emails: Iterable[Holder]) -> list[Issue]:
    """The identifiers and e-mails of ``regulator`` that other active accounts have."""
    issues = []
    for holder in by_identifiers:
        if holder.active and isinstance(holder.key, Token):
            place, named = regulator.identifiers[holder.key], "|".join(holder.key)
            account = f"{KIND}/{holder.account}"
            issues.append(issue(Code.ACCOUNT_IDENTIFIER_TAKEN, place, identifier=named, account=account))
    for holder in by_emails:
        if holder.active and isinstance(holder.key, str):
            place, account = regulator.emails[holder.key], f"{KIND}/{holder.account}"
            issues.append(issue(Code.ACCOUNT_EMAIL_TAKEN, place, email=holder.key, account=account))
    return issues[:MOST_ISSUES]


def _take_from(db: Database, editor: str, identifier: str, tokens: Container[Token], updated: str) -> None:
    """Takes identifiers from an inactive account, because another account gets them."""
    [holder] = tables.select(db, "where a.editor = ? and a.id = ?", [editor, identifier])
    remaining = [identifier for identifier in holder.content["identifier"] if token_of(identifier) not in tokens]
    content = holder.content | {"identifier": remaining}
    if not remaining:
        del content["identifier"]
    tables.update(db, holder, replace(holder, version=holder.version + 1, updated=updated, content=content))

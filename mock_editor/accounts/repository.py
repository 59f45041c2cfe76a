"""Reads and lists the accounts of every editor."""

from collections.abc import Iterable

from mock_editor.accounts import tables
from mock_editor.accounts.model import Account, AccountFilter
from mock_editor.accounts.payload import KIND, Token, email_key
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import EVERYTHING, LIMIT, Listing, Page, says, where
from mock_editor.base.store import Store

_NAME = "(a.content ->> '$.name[0].given[0]') || ' ' || (a.content ->> '$.name[0].family')"
_IDENTIFIERS = "select 1 from account_identifiers i where i.editor = a.editor and i.account = a.id"
_SAYS = says(_NAME, "a.content ->> '$.telecom[0].value'", "a.id")
_EMAILS = "select 1 from account_emails e where e.editor = a.editor and e.account = a.id"
_CONDITIONS = {
    "active": "a.active = :active",
    "identifier": f"exists ({_IDENTIFIERS} and :identifier in (i.value, i.system || '|' || i.value))",
    "email": f"exists ({_EMAILS} and e.email = :email)",
    "text": f"({_SAYS} or exists ({_IDENTIFIERS} and {says('i.value')}))",
}


class AccountRepository:
    """The accounts in a store. Everything raises 503 when the store cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, editor: str, identifier: str) -> Account | None:
        """The account with this id, if there is one."""
        with self._store.reading() as db:
            return tables.find(db, editor, identifier)

    def read(self, editor: str, identifier: str) -> Account:
        """The account with this id. Raises 404."""
        account = self.find(editor, identifier)
        if account is None:
            raise refused(Code.ACCOUNT_UNKNOWN, account=f"{KIND}/{identifier[:100]}")
        return account

    def listing(
        self, wanted: AccountFilter, page: Page = EVERYTHING, *, newest_first: bool = False
    ) -> Listing[Account]:
        """A page of accounts, by editor and in order of creation, or in reverse."""
        condition, values = where(wanted, _CONDITIONS)
        if wanted.email is not None:
            values["email"] = email_key(wanted.email)
        count = f"select count(*) from accounts a where a.editor = :editor and {condition}"  # noqa: S608 - words of ours
        rest = f"where a.editor = :editor and {condition} order by a.number {'desc' if newest_first else ''} {LIMIT}"
        accounts: list[Account] = []
        total = 0
        with self._store.reading() as db:
            # One editor after the other, so that the order is that of an index.
            for editor in wanted.editors:
                values["editor"] = editor
                part = page.after(total, len(accounts))
                accounts += tables.select(db, rest, values | part)
                [(matching,)] = db.execute(count, values)
                total += matching
        return Listing(accounts, total)

    def identify(self, editor: str, tokens: Iterable[Token], emails: Iterable[str]) -> Account | None:
        """The account of somebody who is known by these identifiers and e-mails: the first that is active, else the
        first at all."""
        with self._store.reading() as db:
            by_identifiers = tables.holders_of_identifiers(db, editor, tokens)
            by_emails = tables.holders_of_emails(db, editor, map(email_key, emails))
            found = tables.preferred([*by_identifiers, *by_emails])
            return tables.find(db, editor, found) if found else None

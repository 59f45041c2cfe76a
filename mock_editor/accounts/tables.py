"""The tables of accounts: their rows, and the keys that lead to an account.

Identifiers and e-mails have a table each, derived from the account's content. Their indexes keep the rules of INT_R02
even when requests race: an identifier belongs to one account, an e-mail to one *active* account.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import orjson
from sqlite_utils import Database

from mock_editor.accounts.model import Account
from mock_editor.accounts.payload import Token, email_key

# `number` counts the accounts of an editor from 1; `passwords` counts the passwords that an account has had; `declared`
# names the account of the scenario that this one was made from.
SCHEMA = """
create table if not exists accounts (
    editor text not null, id text not null, number integer not null, version integer not null, updated text not null,
    active integer not null, content text not null, password text not null, terms_accepted text, declared text,
    passwords integer not null default 1, failures integer not null default 0, locked_until text,
    primary key (editor, id), unique (editor, number)) strict;
create table if not exists account_identifiers (
    editor text not null, system text not null, value text not null, account text not null,
    primary key (editor, system, value),
    foreign key (editor, account) references accounts (editor, id)) strict;
create index if not exists account_identifiers_of on account_identifiers (editor, account);
create table if not exists account_emails (
    editor text not null, email text not null, account text not null, active integer not null,
    primary key (editor, email, account),
    foreign key (editor, account) references accounts (editor, id)) strict;
create index if not exists account_emails_of on account_emails (editor, account);
create unique index if not exists account_emails_active on account_emails (editor, email) where active = 1
"""
# In an order in which they can be emptied.
TABLES = ("account_emails", "account_identifiers", "accounts")
_COLUMNS = [field.name for field in fields(Account)]
_SELECT = f"select {', '.join(f'a.{column}' for column in _COLUMNS)} from accounts a"  # noqa: S608 - names of ours


# --- rows


def select(db: Database, rest: str, parameters: Sequence[Any] | dict[str, Any]) -> list[Account]:
    """The accounts (``a`` in SQL) that match ``rest``, the end of a query."""
    return [_account(row) for row in db.execute(f"{_SELECT} {rest}", parameters)]


def find(db: Database, editor: str, identifier: str) -> Account | None:
    """The account with this id, if there is one."""
    return next(iter(select(db, "where a.editor = ? and a.id = ?", [editor, identifier])), None)


def next_number(db: Database, editor: str) -> int:
    """The number of the next account of an editor."""
    [(number,)] = db.execute("select coalesce(max(number), 0) + 1 from accounts where editor = ?", [editor])
    return int(number)


def insert(db: Database, account: Account, number: int, declared: str | None) -> None:
    """Writes a new account and its keys."""
    db.table("accounts").insert(_row(account) | {"number": number, "declared": declared})
    _insert_keys(db, account)


def update(db: Database, before: Account, after: Account) -> None:
    """Writes what INT_R02 says of an account, and its keys if they have changed."""
    db.execute(
        "update accounts set version = :version, updated = :updated, active = :active, content = :content "
        "where editor = :editor and id = :id",
        _row(after),
    )
    if _keys(before) != _keys(after):
        for table in ("account_identifiers", "account_emails"):
            db.execute(f"delete from {table} where editor = ? and account = ?", [after.editor, after.id])  # noqa: S608 - names of ours
        _insert_keys(db, after)


def _row(account: Account) -> dict[str, Any]:
    # Not `asdict`, which copies the whole content.
    row = {column: getattr(account, column) for column in _COLUMNS}
    return row | {"content": orjson.dumps(account.content).decode()}


def _account(row: Sequence[Any]) -> Account:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Account(**values | {"active": bool(values["active"]), "content": orjson.loads(values["content"])})


def _keys(account: Account) -> tuple[set[Token], set[str], bool]:
    """The keys that lead to an account: identifiers, e-mails, and whether the account is active."""
    return set(account.tokens), {email_key(telecom["value"]) for telecom in account.content["telecom"]}, account.active


def _insert_keys(db: Database, account: Account) -> None:
    identifiers, emails, active = _keys(account)
    owner = {"editor": account.editor, "account": account.id}
    db.table("account_identifiers").insert_all(token._asdict() | owner for token in identifiers)
    db.table("account_emails").insert_all({"email": email, "active": active} | owner for email in emails)


# --- holders of identifiers and e-mails


class Holder(NamedTuple):
    """An account that has an identifier or an e-mail."""

    key: Token | str
    account: str
    active: bool


# A list of keys is passed as one JSON text: there may be more keys than a statement has parameters.
_BY_IDENTIFIERS = """
select i.system, i.value, a.id, a.active from json_each(?) asked
join account_identifiers i on i.editor = ? and i.system = asked.value ->> 0 and i.value = asked.value ->> 1
join accounts a on a.editor = i.editor and a.id = i.account order by asked.key
"""
_BY_EMAILS = """
select e.email, e.account, e.active from json_each(?) asked
join account_emails e on e.editor = ? and e.email = asked.value order by asked.key
"""


def holders_of_identifiers(db: Database, editor: str, tokens: Iterable[Token]) -> list[Holder]:
    """The accounts that have one of these identifiers, in their order."""
    rows = db.execute(_BY_IDENTIFIERS, [orjson.dumps([[*token] for token in tokens]).decode(), editor])
    return [Holder(Token(system, value), account, bool(active)) for system, value, account, active in rows]


def holders_of_emails(db: Database, editor: str, emails: Iterable[str]) -> list[Holder]:
    """The accounts that have one of these e-mails (``email_key``), in their order."""
    rows = db.execute(_BY_EMAILS, [orjson.dumps(list(emails)).decode(), editor])
    return [Holder(email, account, bool(active)) for email, account, active in rows]


def preferred(holders: Iterable[Holder]) -> str | None:
    """The account to prefer among several: the first active one, otherwise the first."""
    found = list(holders)
    active = (holder for holder in found if holder.active)
    best = next(active, next(iter(found), None))
    return best.account if best else None

"""The accounts of regulators: found, created, updated. All SQL of INT_R02 stands here.

Rules (SPEC of INT_R02): an identifier belongs to one account, an e-mail to one *active* account. Active accounts are
preferred; giving an identifier to another account takes it from an inactive holder. There is no delete.
"""

import random
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, NamedTuple

import orjson
from sqlite_utils import Database

from mock_editor.accounts.payload import KIND, Regulator, Token, token_of
from mock_editor.base import codes
from mock_editor.base.clock import Clock
from mock_editor.base.errors import MOST_ISSUES, EditorError, Issue, NotFoundError
from mock_editor.base.fhir import Resource, instant
from mock_editor.base.store import Store
from mock_editor.calendars.model import Editor

# `number` counts the accounts of an editor from 1; `declared` names the one of the scenario that this was made from.
SCHEMA = """
create table if not exists accounts (
    editor text not null, id text not null, number integer not null, version integer not null, updated text not null,
    active integer not null, content text not null, password text not null, declared text,
    primary key (editor, id)) strict;
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
_TABLES = ("account_emails", "account_identifiers", "accounts")
_SELECT = "select id, version, updated, active, content, password from accounts"

# Read aloud and typed by trainees: without what is easily mistaken.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PASSWORD_GROUPS, _PASSWORD_GROUP = 3, 4
_NAMESPACE = uuid.UUID("6f2d3c1e-8f0b-5b43-9a51-2d7c0d1c5a10")


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is stored; ``updated`` is a FHIR instant."""

    id: str
    version: int
    updated: str
    active: bool
    content: Resource
    password: str

    @property
    def resource(self) -> Resource:
        """The account on the wire. The password never is."""
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


class Regulators:
    """The accounts of every editor.

    ``declared`` are those that the scenario brings, by editor. With ``follow_email``, an update that finds no account
    by an identifier is about the account with its e-mail; without, it creates one or is refused.
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

    # --- reading

    def read(self, editor: str, identifier: str) -> Account:
        """The account with this id. Raises NotFoundError."""
        with self._store.reading() as db:
            account = _account(db, editor, identifier)
        if account is None:
            raise NotFoundError(f"{KIND}/{identifier[:100]} is not known")
        return account

    def all(self, editor: str) -> list[Account]:
        """Every account of an editor, in the order of their creation."""
        with self._store.reading() as db:
            return _accounts(db, "where editor = ? order by number", [editor])

    # --- writing

    def create(self, editor: str, regulator: Regulator) -> Saved:
        """A new account. Raises 422 when an active one has its identifier or e-mail."""
        with self._store.writing() as db:
            return self._save(db, editor, None, regulator)

    def update(self, editor: str, identifier: str, regulator: Regulator, version: str | None) -> Saved:
        """The account with this id, as it is from now on.

        ``version`` is the one that the client means to replace, if it says so (If-Match). Raises 412 for another one,
        422, and 405 for an unknown id, as FHIR does where the server gives the ids.
        """
        with self._store.writing() as db:
            account = _account(db, editor, identifier)
            if account is None:
                text = (
                    f"{KIND}/{identifier[:100]} is no account, and the server gives the ids: POST, or PUT ?identifier="
                )
                raise EditorError(405, [Issue("not-supported", text)], {"Allow": "GET, HEAD"})
            _check_version(account, version)
            return self._save(db, editor, account, regulator)

    def put(self, editor: str, asked: Token, regulator: Regulator, version: str | None) -> Saved:
        """Creates or updates: the account that has the identifier ``asked``; else one of the body's identifiers; else,
        if that is wanted, the body's e-mail; else a new one.

        Raises 412 for several matches or another ``version``, 422.
        """
        with self._store.writing() as db:
            steps = [_holders(db, editor, [asked]), _holders(db, editor, regulator.identifiers)]
            if self._follow_email:
                steps.append(_owners(db, editor, regulator.emails))
            account = next((found for matches in steps if (found := _only(matches))), None)
            _check_version(account, version)
            return self._save(db, editor, account, regulator)

    def declare(self) -> None:
        """Makes the accounts of the scenario that were never made, unless others have taken their place."""
        with self._store.writing() as db:
            self._declare(db)

    def reset(self) -> None:
        """Forgets every account and makes those of the scenario."""
        with self._store.writing() as db:
            for table in _TABLES:
                db.execute(f"delete from {table}")  # noqa: S608 - names of ours
            self._declare(db)

    def _declare(self, db: Database) -> None:
        for editor, regulators in self._declared.items():
            for regulator in regulators:
                key = "|".join(next(iter(regulator.identifiers)))
                made = db.execute("select 1 from accounts where editor = ? and declared = ?", [editor, key]).fetchone()
                if not made and not _conflicts(db, editor, None, regulator):
                    self._save(db, editor, None, regulator, declared=key)

    def _save(
        self, db: Database, editor: str, account: Account | None, regulator: Regulator, declared: str | None = None
    ) -> Saved:
        """Writes what ``regulator`` says into ``account``, or into a new one."""
        if account and account.content == regulator.content:
            return Saved(account, Outcome.UNCHANGED)
        if conflicts := _conflicts(db, editor, account, regulator):
            raise EditorError(422, conflicts)
        updated = instant(self._clock.now(), self._editors[editor].zone)
        for holder in _holders(db, editor, regulator.identifiers):
            if not account or holder.id != account.id:
                _take_from(db, editor, holder, regulator.identifiers, updated)
        if account:
            saved = replace(
                account,
                version=account.version + 1,
                updated=updated,
                active=regulator.active,
                content=regulator.content,
            )
            _write(db, editor, saved)
        else:
            saved = self._insert(db, editor, updated, regulator, declared)
        for table in ("account_identifiers", "account_emails"):
            db.execute(f"delete from {table} where editor = ? and account = ?", [editor, saved.id])  # noqa: S608
        of = {"editor": editor, "account": saved.id}
        db.table("account_identifiers").insert_all(token._asdict() | of for token in regulator.identifiers)
        db.table("account_emails").insert_all(
            {"email": email, "active": regulator.active} | of for email in regulator.emails
        )
        return Saved(saved, Outcome.UPDATED if account else Outcome.CREATED)

    def _insert(self, db: Database, editor: str, updated: str, regulator: Regulator, declared: str | None) -> Account:
        """A row for a new account. Id and password are drawn, so that the same requests give the same accounts."""
        [(number,)] = db.execute("select count(*) + 1 from accounts where editor = ?", [editor])
        seed = f"{self._editors[editor].seed}:account:{number}"
        draw = random.Random(seed)
        groups = ("".join(draw.choices(_LETTERS, k=_PASSWORD_GROUP)) for _ in range(_PASSWORD_GROUPS))
        account = Account(
            id=str(uuid.uuid5(_NAMESPACE, seed)),
            version=1,
            updated=updated,
            active=regulator.active,
            content=regulator.content,
            password="-".join(groups),
        )
        db.table("accounts").insert(_row(account) | {"editor": editor, "number": number, "declared": declared})
        return account


# --- rows


def _row(account: Account) -> dict[str, Any]:
    # Not `asdict`, which copies the whole content.
    row = {field.name: getattr(account, field.name) for field in fields(account)}
    return row | {"content": orjson.dumps(account.content).decode()}


def _write(db: Database, editor: str, account: Account) -> None:
    row = _row(account)
    db.table("accounts").update((editor, row.pop("id")), row)


def _accounts(db: Database, where: str, parameters: Sequence[str]) -> list[Account]:
    rows = db.execute(f"{_SELECT} {where}", parameters)
    return [
        Account(identifier, version, updated, bool(active), orjson.loads(content), password)
        for identifier, version, updated, active, content, password in rows
    ]


def _account(db: Database, editor: str, identifier: str) -> Account | None:
    return next(iter(_accounts(db, "where editor = ? and id = ?", [editor, identifier])), None)


# --- who has what


def _holders(db: Database, editor: str, tokens: Iterable[Token]) -> list[Account]:
    """The accounts that have one of ``tokens``, each once."""
    found: dict[str, Account] = {}
    of = "select account from account_identifiers where editor = ? and system = ? and value = ?"
    for token in tokens:
        owned = _accounts(db, f"where editor = ? and id in ({of})", [editor, editor, *token])
        found |= {account.id: account for account in owned}
    return list(found.values())


def _owners(db: Database, editor: str, emails: Iterable[str]) -> list[Account]:
    """The accounts that have one of ``emails``, each once."""
    found: dict[str, Account] = {}
    of = "select account from account_emails where editor = ? and email = ?"
    for email in emails:
        owned = _accounts(db, f"where editor = ? and id in ({of})", [editor, editor, email])
        found |= {account.id: account for account in owned}
    return list(found.values())


def _only(matches: Sequence[Account]) -> Account | None:
    """The account that a step of matching leads to: the active one, if there is one. Raises 412 for several."""
    candidates = [account for account in matches if account.active] or matches
    if len(candidates) > 1:
        ids = ", ".join(f"{KIND}/{account.id}" for account in candidates[:5])
        raise EditorError(412, [Issue("multiple-matches", f"Several accounts match: {ids}")])
    return candidates[0] if candidates else None


def _conflicts(db: Database, editor: str, account: Account | None, regulator: Regulator) -> list[Issue]:
    """What of ``regulator`` another active account has."""
    issues: list[Issue] = []
    for token, path in regulator.identifiers.items():
        for holder in _others(_holders(db, editor, [token]), account):
            text = f"{path}: {'|'.join(token)} is an identifier of another active account, {KIND}/{holder.id}"
            issues.append(Issue("duplicate", text, path))
    for email, path in regulator.emails.items():
        for owner in _others(_owners(db, editor, [email]), account):
            text = f"{path}: {email} is the e-mail of another active account, {KIND}/{owner.id}"
            issues.append(Issue("duplicate", text, path))
    return issues[:MOST_ISSUES]


def _others(accounts: Iterable[Account], account: Account | None) -> Iterator[Account]:
    return (one for one in accounts if one.active and (account is None or one.id != account.id))


def _take_from(db: Database, editor: str, holder: Account, tokens: Container[Token], updated: str) -> None:
    """Takes identifiers from an inactive account, as they are given to another."""
    left = [identifier for identifier in holder.content["identifier"] if token_of(identifier) not in tokens]
    content = holder.content | {"identifier": left}
    if not left:
        del content["identifier"]
    _write(db, editor, replace(holder, version=holder.version + 1, updated=updated, content=content))
    for token in {token_of(identifier) for identifier in holder.content["identifier"]}:
        if token in tokens:
            db.table("account_identifiers").delete((editor, *token))


def _check_version(account: Account | None, version: str | None) -> None:
    """Raises 412 unless the client means the version that there is (If-Match)."""
    if version is not None and (account is None or version not in ("*", str(account.version))):
        found = f"version {account.version} of {KIND}/{account.id}" if account else "no such account"
        raise EditorError(412, [Issue("conflict", f"If-Match: expected version {version[:40]}, there is {found}")])

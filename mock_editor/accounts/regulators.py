"""The accounts of regulators: found, created, updated. All SQL of INT_R02 stands here.

Rules of INT_R02 (docs/accounts.md): an identifier belongs to one account, an e-mail to one *active* account. Active
accounts are preferred; giving an identifier to another account takes it from an inactive holder. There is no delete.
"""

import contextlib
import random
import secrets
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

import orjson
from sqlite_utils import Database

from mock_editor.accounts.payload import KIND, Changes, Regulator, Token, edited, email_key, token_of
from mock_editor.base import codes
from mock_editor.base.clock import Clock
from mock_editor.base.errors import MOST_ISSUES, EditorError, Issue, NotFoundError
from mock_editor.base.fhir import Resource, instant
from mock_editor.base.instants import set_back
from mock_editor.base.preconditions import Current, Preconditions
from mock_editor.base.store import Store
from mock_editor.calendars.model import Editor, RegulatorId

# `number` counts the accounts of an editor from 1, `passwords` those that an account has had; `declared` names the
# account of the scenario that this was made from.
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
_TABLES = ("account_emails", "account_identifiers", "accounts")
_SELECT = "select id, version, updated, active, content, password, terms_accepted, locked_until from accounts"
# Whether an account says a text of itself, or has it in an identifier.
_SAYS = (
    "instr(lower((content ->> '$.name[0].given[0]') || ' ' || (content ->> '$.name[0].family') || char(10) || "
    "(content ->> '$.telecom[0].value') || char(10) || id), lower(?))"
)
_HAS = "i.editor = a.editor and i.account = a.id and instr(lower(i.value), lower(?))"

# Read aloud and typed by trainees: without what is easily mistaken.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PASSWORD_GROUPS, _PASSWORD_GROUP = 3, 4
_NAMESPACE = uuid.UUID("6f2d3c1e-8f0b-5b43-9a51-2d7c0d1c5a10")


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is stored; ``updated`` is a FHIR instant, and so is ``terms_accepted``, once they are.

    ``locked_until``: it takes no password before that instant (ISO 8601), if it did not pass already.
    """

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
    def regulator(self) -> RegulatorId | None:
        """How the SAS knows its holder: by the national identifier, if there is one."""
        tokens = {token.system: token for token in map(token_of, self.content.get("identifier", ()))}
        found = tokens.get(codes.PRACTITIONER_OID) or tokens.get(codes.SAS_OID)
        return RegulatorId(*found) if found else None

    @property
    def current(self) -> Current:
        """Which version of it this is."""
        return Current(f"{KIND}/{self.id}", self.version, datetime.fromisoformat(self.updated))

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


class LogIn(NamedTuple):
    """What came of a try with a password: the account, or until when it is locked, or neither."""

    account: Account | None
    locked_until: datetime | None


class _Holding(NamedTuple):
    """That an account has an identifier, or an e-mail."""

    key: Token | str
    account: str
    active: bool


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

    def find(self, editor: str, identifier: str) -> Account | None:
        """The account with this id, if there is one."""
        with self._store.reading() as db:
            return _account(db, editor, identifier)

    def read(self, editor: str, identifier: str) -> Account:
        """The account with this id. Raises NotFoundError."""
        account = self.find(editor, identifier)
        if account is None:
            raise NotFoundError(f"{KIND}/{identifier[:100]} is not known")
        return account

    def all(self, editor: str) -> list[Account]:
        """Every account of an editor, in the order of their creation."""
        with self._store.reading() as db:
            return _accounts(db, "where editor = ? order by number", [editor])

    def page(
        self, editor: str, most: int, skipped: int = 0, *, active: bool | None = None, text: str = ""
    ) -> tuple[list[Account], int]:
        """Accounts of an editor, the last created first: ``most`` after so many others, and how many there are in all.

        Only active ones, or only the others, and those with a text in their name, e-mail, identifiers or id, if that is
        given.
        """
        where = "where editor = ?"
        values: list[Any] = [editor]
        if active is not None:
            where += " and active = ?"
            values.append(int(active))
        if text:
            where += f" and ({_SAYS} or exists (select 1 from account_identifiers i where {_HAS}))"  # noqa: S608 - words of ours
            values += [text, text]
        with self._store.reading() as db:
            [(total,)] = db.execute(f"select count(*) from accounts a {where}", values)  # noqa: S608 - words of ours
            order = "order by number desc limit ? offset ?"
            return _accounts(db, f"a {where} {order}", [*values, most, skipped]), total

    # --- writing

    def create(self, editor: str, regulator: Regulator) -> Saved:
        """A new account. Raises 422 when an active one has its identifier or e-mail."""
        with self._store.writing() as db:
            return self._save(db, editor, None, regulator)

    def update(self, editor: str, identifier: str, regulator: Regulator, conditions: Preconditions) -> Saved:
        """The account with this id, as it is from now on.

        Raises 412 unless ``conditions`` hold for it, 422, and 405 for an unknown id, as FHIR does where the server
        gives the ids.
        """
        with self._store.writing() as db:
            account = _account(db, editor, identifier)
            if account is None:
                text = (
                    f"{KIND}/{identifier[:100]} is no account, and the server gives the ids: POST, or PUT ?identifier="
                )
                raise EditorError(405, [Issue("not-supported", text)], {"Allow": "GET, HEAD"})
            conditions.check(account.current)
            return self._save(db, editor, account, regulator)

    def put(self, editor: str, asked: Token, regulator: Regulator, conditions: Preconditions) -> Saved:
        """Creates or updates: the account that has the identifier ``asked``; else one of the body's identifiers; else,
        if that is wanted, the body's e-mail; else a new one.

        Raises 412 for several matches, or unless ``conditions`` hold for the one, 422.
        """
        with self._store.writing() as db:
            steps = self._matches(db, editor, asked, regulator)
            account = next((found for step in steps if (found := _only(db, editor, step))), None)
            conditions.check(account.current if account else None)
            return self._save(db, editor, account, regulator)

    def _matches(self, db: Database, editor: str, asked: Token, regulator: Regulator) -> Iterator[list[_Holding]]:
        """What each step of matching finds; a later one only counts when those before found nothing."""
        yield _holdings(db, editor, [asked])
        yield _holdings(db, editor, regulator.identifiers)
        if self._follow_email:
            yield _ownings(db, editor, regulator.emails)

    def edit(
        self,
        editor: str,
        identifier: str,
        changes: Changes,
        *,
        password: str | None = None,
        unlock: bool = False,
        terms: bool | None = None,
    ) -> Account:
        """Corrects an account at the editor, by the same rules as INT_R02; ``terms`` is whether they are accepted.

        Raises NotFoundError, 400, 422.
        """
        with self._store.writing() as db:
            account = _account(db, editor, identifier)
            if account is None:
                raise NotFoundError(f"No account {identifier[:100]!r}")
            if changes:
                self._save(db, editor, account, edited(account.content, changes))
            key = {"editor": editor, "id": identifier}
            if password is not None:
                statement = "update accounts set password = :password where editor = :editor and id = :id"
                db.execute(statement, key | {"password": password})
            if unlock:
                statement = "update accounts set failures = 0, locked_until = null where editor = :editor and id = :id"
                db.execute(statement, key)
            if terms is not None:
                accepted = "coalesce(terms_accepted, :now)" if terms else "null"
                statement = f"update accounts set terms_accepted = {accepted} where editor = :editor and id = :id"  # noqa: S608
                db.execute(statement, key | {"now": instant(self._clock.now(), self._editors[editor].zone)})
            [edited_account] = _accounts(db, "where editor = ? and id = ?", [editor, identifier])
            return edited_account

    def reset(self, db: Database) -> None:
        """Forgets every account and makes those of the scenario."""
        for table in _TABLES:
            db.execute(f"delete from {table}")  # noqa: S608 - names of ours
        self.declare(db)

    def declare(self, db: Database) -> None:
        """Makes the accounts of the scenario that were never made, unless others have taken their place."""
        for editor, regulators in self._declared.items():
            for regulator in regulators:
                key = "|".join(next(iter(regulator.identifiers)))
                made = db.execute("select 1 from accounts where editor = ? and declared = ?", [editor, key]).fetchone()
                if not made:
                    with contextlib.suppress(EditorError):
                        self._save(db, editor, None, regulator, declared=key)

    def _save(
        self, db: Database, editor: str, account: Account | None, regulator: Regulator, declared: str | None = None
    ) -> Saved:
        """Writes what ``regulator`` says into ``account``, or into a new one."""
        if account and account.content == regulator.content:
            return Saved(account, Outcome.UNCHANGED)
        own_id = account.id if account else None
        holdings = [one for one in _holdings(db, editor, regulator.identifiers) if one.account != own_id]
        ownings = [one for one in _ownings(db, editor, regulator.emails) if one.account != own_id]
        if conflicts := _conflicts(regulator, holdings, ownings):
            raise EditorError(422, conflicts)
        updated = instant(self._clock.now(), self._editors[editor].zone)
        for holder in {one.account for one in holdings}:
            _take_from(db, editor, holder, regulator.identifiers, updated)
        if account is None:
            return Saved(self._insert(db, editor, updated, regulator, declared), Outcome.CREATED)
        saved = replace(
            account, version=account.version + 1, updated=updated, active=regulator.active, content=regulator.content
        )
        _write(db, editor, saved)
        if _keys(account) != _keys(saved):
            for table in ("account_identifiers", "account_emails"):
                db.execute(f"delete from {table} where editor = ? and account = ?", [editor, saved.id])  # noqa: S608
            _write_keys(db, editor, saved)
        return Saved(saved, Outcome.UPDATED)

    def _insert(self, db: Database, editor: str, updated: str, regulator: Regulator, declared: str | None) -> Account:
        """A row for a new account. Id and password are drawn, so that the same requests give the same accounts."""
        [(number,)] = db.execute("select coalesce(max(number), 0) + 1 from accounts where editor = ?", [editor])
        seed = self._account_seed(editor, number)
        account = Account(
            id=str(uuid.uuid5(_NAMESPACE, seed)),
            version=1,
            updated=updated,
            active=regulator.active,
            content=regulator.content,
            password=_password(seed, 1),
        )
        db.table("accounts").insert(_row(account) | {"editor": editor, "number": number, "declared": declared})
        _write_keys(db, editor, account)
        return account

    def _account_seed(self, editor: str, number: int) -> str:
        return f"{self._editors[editor].seed}:account:{number}"

    # --- what the editor's web site asks

    def identify(self, editor: str, tokens: Iterable[Token], emails: Iterable[str]) -> Account | None:
        """The account of somebody who is known by these identifiers and e-mails: the first that is active, else the
        first at all."""
        with self._store.reading() as db:
            found = [*_holdings(db, editor, tokens), *_ownings(db, editor, map(email_key, emails))]
            best = next((one for one in found if one.active), next(iter(found), None))
            return _account(db, editor, best.account) if best else None

    def log_in(self, editor: str, email: str, password: str, *, tries: int, lock: timedelta) -> LogIn:
        """Tries a password. After ``tries`` wrong ones in a row, the account takes none for a while."""
        with self._store.writing() as db:
            now = self._clock.now()
            found = _ownings(db, editor, [email_key(email)])
            best = next((one for one in found if one.active), next(iter(found), None))
            if best is None:
                return LogIn(None, None)
            where = "editor = ? and id = ?"
            key = [editor, best.account]
            query = f"select failures, locked_until, password from accounts where {where}"  # noqa: S608
            [(failures, text, expected)] = db.execute(query, key)
            locked_until = datetime.fromisoformat(text) if text else None
            if locked_until and locked_until > now:
                return LogIn(None, locked_until)
            right = secrets.compare_digest(password.strip().encode(), expected.encode())
            failures = 0 if right else failures + 1
            locked_until = now + lock if failures >= tries else None
            db.execute(
                f"update accounts set failures = ?, locked_until = ? where {where}",  # noqa: S608
                [0 if locked_until else failures, locked_until and locked_until.isoformat(), *key],
            )
            return LogIn(_account(db, editor, best.account) if right else None, locked_until)

    def set_back(self, db: Database, by: timedelta) -> None:
        """Sets back with the clock until when accounts are locked."""
        set_back(db, "accounts", "locked_until", by)

    def accept_terms(self, editor: str, identifier: str) -> None:
        """Notes when the editor's terms were accepted: once."""
        now = instant(self._clock.now(), self._editors[editor].zone)
        with self._store.writing() as db:
            db.execute(
                "update accounts set terms_accepted = ? where editor = ? and id = ? and terms_accepted is null",
                [now, editor, identifier],
            )

    def renew_password(self, editor: str, email: str) -> None:
        """Gives a new password to the accounts with an e-mail, and lets them try again; nothing for an unknown one."""
        with self._store.writing() as db:
            for found in _ownings(db, editor, [email_key(email)]):
                query = "select number, passwords + 1 from accounts where editor = ? and id = ?"
                [(number, count)] = db.execute(query, [editor, found.account])
                password = _password(self._account_seed(editor, number), count)
                db.execute(
                    "update accounts set password = ?, passwords = ?, failures = 0, locked_until = null "
                    "where editor = ? and id = ?",
                    [password, count, editor, found.account],
                )


def _password(seed: str, count: int) -> str:
    """The password number ``count`` of an account."""
    draw = random.Random(f"{seed}:password:{count}")
    return "-".join("".join(draw.choices(_LETTERS, k=_PASSWORD_GROUP)) for _ in range(_PASSWORD_GROUPS))


# --- rows


def _row(account: Account) -> dict[str, Any]:
    # Not `asdict`, which copies the whole content.
    row = {field.name: getattr(account, field.name) for field in fields(account)}
    return row | {"content": orjson.dumps(account.content).decode()}


def _write(db: Database, editor: str, account: Account) -> None:
    columns = "version = :version, updated = :updated, active = :active, content = :content, password = :password"
    db.execute(
        f"update accounts set {columns} where editor = :editor and id = :id",  # noqa: S608 - names of ours
        _row(account) | {"editor": editor},
    )


def _keys(account: Account) -> tuple[set[Token], set[str], bool]:
    """What an account is found by: identifiers, e-mails, and whether they are those of an active one."""
    identifiers = {token_of(identifier) for identifier in account.content.get("identifier", ())}
    return identifiers, {email_key(one["value"]) for one in account.content["telecom"]}, account.active


def _write_keys(db: Database, editor: str, account: Account) -> None:
    identifiers, emails, active = _keys(account)
    of = {"editor": editor, "account": account.id}
    db.table("account_identifiers").insert_all(token._asdict() | of for token in identifiers)
    db.table("account_emails").insert_all({"email": email, "active": active} | of for email in emails)


def _accounts(db: Database, where: str, parameters: Sequence[Any]) -> list[Account]:
    rows = db.execute(f"{_SELECT} {where}", parameters)
    return [
        Account(identifier, version, updated, bool(active), orjson.loads(content), *rest)
        for identifier, version, updated, active, content, *rest in rows
    ]


def _account(db: Database, editor: str, identifier: str) -> Account | None:
    return next(iter(_accounts(db, "where editor = ? and id = ?", [editor, identifier])), None)


# --- who has what


# A list of keys goes in as one JSON text: there may be more of them than a statement has parameters.
_HOLDINGS = """
select i.system, i.value, a.id, a.active from json_each(?) asked
join account_identifiers i on i.editor = ? and i.system = asked.value ->> 0 and i.value = asked.value ->> 1
join accounts a on a.editor = i.editor and a.id = i.account order by asked.key
"""
_OWNINGS = """
select e.email, e.account, e.active from json_each(?) asked
join account_emails e on e.editor = ? and e.email = asked.value order by asked.key
"""


def _holdings(db: Database, editor: str, tokens: Iterable[Token]) -> list[_Holding]:
    rows = db.execute(_HOLDINGS, [orjson.dumps([[*token] for token in tokens]).decode(), editor])
    return [_Holding(Token(system, value), account, bool(active)) for system, value, account, active in rows]


def _ownings(db: Database, editor: str, emails: Iterable[str]) -> list[_Holding]:
    rows = db.execute(_OWNINGS, [orjson.dumps(list(emails)).decode(), editor])
    return [_Holding(email, account, bool(active)) for email, account, active in rows]


def _only(db: Database, editor: str, found: Iterable[_Holding]) -> Account | None:
    """The account that a step of matching leads to: the active one, if there is one. Raises 412 for several."""
    matches = {one.account: one.active for one in found}
    candidates = [account for account, active in matches.items() if active] or list(matches)
    if len(candidates) > 1:
        ids = ", ".join(f"{KIND}/{account}" for account in candidates[:5])
        raise EditorError(412, [Issue("multiple-matches", f"Several accounts match: {ids}")])
    return _account(db, editor, candidates[0]) if candidates else None


def _conflicts(regulator: Regulator, holdings: Iterable[_Holding], ownings: Iterable[_Holding]) -> list[Issue]:
    """What of ``regulator`` other accounts have, if they are active."""
    issues = [
        _taken(regulator.identifiers[one.key], f"{'|'.join(one.key)} is an identifier", one.account)
        for one in holdings
        if one.active and isinstance(one.key, Token)
    ]
    issues += [
        _taken(regulator.emails[one.key], f"{one.key} is the e-mail", one.account)
        for one in ownings
        if one.active and isinstance(one.key, str)
    ]
    return issues[:MOST_ISSUES]


def _taken(path: str, what: str, account: str) -> Issue:
    return Issue("duplicate", f"{path}: {what} of another active account, {KIND}/{account}", path)


def _take_from(db: Database, editor: str, identifier: str, tokens: Container[Token], updated: str) -> None:
    """Takes identifiers from an inactive account, as they are given to another."""
    [holder] = _accounts(db, "where editor = ? and id = ?", [editor, identifier])
    kept = [one for one in holder.content["identifier"] if token_of(one) not in tokens]
    content = holder.content | {"identifier": kept}
    if not kept:
        del content["identifier"]
    left = replace(holder, version=holder.version + 1, updated=updated, content=content)
    _write(db, editor, left)
    for token in _keys(holder)[0] - _keys(left)[0]:
        db.table("account_identifiers").delete((editor, *token))

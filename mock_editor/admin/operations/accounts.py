"""The accounts of regulators (INT_R02)."""

from typing import Annotated, Any, cast

from pydantic import Field

from mock_editor.accounts import model
from mock_editor.accounts.model import AccountFilter
from mock_editor.accounts.payload import Changes
from mock_editor.admin.operation import Control, Example, Line, Model, PageNumber, SearchText, operation
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.listings import UNLIMITED, Page

EditorSlug = Annotated[Line, Field(description="Slug of the editor, the first part of its URLs")]
AccountId = Annotated[Line, Field(description="Id of the account, as in `Practitioner/<id>`")]


class Account(Model):
    """An account of a regulator at an editor."""

    editor: str
    id: str
    active: bool
    password: Annotated[str, Field(description="Of the editor's own login")]
    version: Annotated[int, Field(description="Counts the changes, from 1")]
    updated: Annotated[str, Field(description="When it was last changed, as a FHIR instant")]
    locked_until: Annotated[str | None, Field(description="It took no password before then: too many were wrong")]
    terms_accepted: Annotated[str | None, Field(description="When the editor's terms were accepted, if they were")]
    resource: Annotated[dict[str, Any], Field(description="The account on the wire, a FHIR Practitioner")]


class Accounts(Model):
    """Accounts, by editor and in the order of their creation."""

    accounts: list[Account]


class AccountQuery(Model):
    """Which accounts are asked for: those for which all of this holds."""

    editor: Annotated[Line | None, Field(description="Only those of this editor")] = None
    active: Annotated[bool | None, Field(description="Only active ones, or only the others")] = None
    identifier: Annotated[Line | None, Field(description="Only that with this identifier: `system|value`, or bare")] = (
        None
    )
    email: Annotated[Line | None, Field(description="Only those with this e-mail, in whatever case")] = None
    text: SearchText | None = None
    limit: Annotated[int | None, Field(ge=1, le=1000, description="How many at most; all without it")] = None
    page: PageNumber = 1


MERCIER = "1b4c08bb-c41b-511a-bd65-cb87f194f187"
_PLACE = {"editor": "agenda-ville", "account": MERCIER}
_MERCIER = {
    "editor": "agenda-ville",
    "id": MERCIER,
    "active": True,
    "password": "83nc-58s5-6ez7",
    "version": 1,
    "updated": "2026-11-20T08:00:00.000+01:00",
    "locked_until": None,
    "terms_accepted": None,
    "resource": {"resourceType": "Practitioner", "id": MERCIER, "active": True},
}
_WITHDRAWN = {
    **_MERCIER,
    "active": False,
    "version": 2,
    "resource": {"resourceType": "Practitioner", "id": MERCIER, "active": False},
}
NO_EDITOR = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "No editor 'nulle-part'; there are: agenda-ville, agenda-cpts, agenda-sos",
    "errors": [],
}


@operation(
    "GET",
    "/accounts",
    "account list",
    "List accounts",
    refusals={404: "There is no such editor"},
    examples=[
        Example("All of them"),
        Example("Those at an editor that can be used", query={"editor": "agenda-ville", "active": True}),
        Example(
            "By an e-mail, at one editor",
            query={"editor": "agenda-ville", "email": "solene.mercier@regulation.example"},
            answer={"accounts": [_MERCIER]},
        ),
        Example("By a text, the first page", query={"text": "mercier", "limit": 1}, answer={"accounts": [_MERCIER]}),
        Example("At an editor that there is not", query={"editor": "nulle-part"}, status=404, answer=NO_EDITOR),
    ],
)
def list_accounts(control: Control, query: AccountQuery) -> Accounts:
    """The regulators' accounts at every editor, with the passwords of the editors' own login."""
    catalogue = control.world.catalogue
    slugs = [catalogue.editor(query.editor).slug] if query.editor else list(catalogue.editors)
    wanted = AccountFilter(slugs, query.active, query.identifier, query.email, query.text)
    found = control.world.accounts.listing(wanted, Page(query.limit or UNLIMITED, query.page))
    return Accounts(accounts=[shown(account) for account in found.items])


@operation(
    "GET",
    "/accounts/{editor}/{account}",
    "account show",
    "Show an account",
    refusals={404: "There is no such editor, or account there"},
    examples=[
        Example("An account", path=_PLACE, answer=_MERCIER),
        Example("One that there is not", path={"editor": "agenda-ville", "account": "x"}, status=404),
    ],
)
def show_account(control: Control, editor: EditorSlug, account: AccountId) -> Account:
    """An account, with the password of the editor's own login."""
    slug = control.world.catalogue.editor(editor).slug
    return shown(control.world.accounts.read(slug, account))


class Edit(Model):
    """What is to be different; what is left out stays. An identifier of null goes."""

    active: bool | None = None
    family: Line | None = None
    given: Line | None = None
    email: Line | None = None
    national_id: Line | None = None
    technical_id: Line | None = None
    password: Annotated[
        str | None, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$", description="Of the editor's own login")
    ] = None
    unlock: Annotated[bool, Field(description="Whether a locked account takes passwords again")] = False
    terms: Annotated[bool | None, Field(description="Whether the editor's terms are accepted; if not, it asks")] = None


# Of these, null says something.
_IDENTIFIERS = frozenset({"national_id", "technical_id"})


@operation(
    "PATCH",
    "/accounts/{editor}/{account}",
    "account edit",
    "Edit an account",
    refusals={404: "There is no such editor, or account there"},
    examples=[
        Example("Withdrawn", path=_PLACE, body={"active": False}, answer=_WITHDRAWN),
        Example("With a known password", path=_PLACE, body={"password": "secret-a-retenir"}),
        Example("Who is asked again to accept the terms", path=_PLACE, body={"terms": False}),
        Example("Without any identifier", path=_PLACE, body={"national_id": None, "technical_id": None}, status=422),
    ],
)
def edit_account(control: Control, editor: EditorSlug, account: AccountId, body: Edit) -> Account:
    """Corrects an account as the editor's staff would, by the rules of INT_R02: the SAS is not told."""
    slug = control.world.catalogue.editor(editor).slug
    given = body.model_dump(exclude_unset=True, exclude={"password", "unlock", "terms"})
    changes = cast(Changes, {name: one for name, one in given.items() if one is not None or name in _IDENTIFIERS})
    edited = control.world.staff.edit(
        slug, account, changes, password=body.password, unlock=body.unlock, terms=body.terms
    )
    return shown(edited)


def named(control: Control, editor: str, name: str) -> model.Account:
    """An account by its id, or by an identifier of its holder: ``system|value``, or bare. Raises 404."""
    accounts = control.world.accounts
    if found := accounts.find(editor, name):
        return found
    # A withdrawn account may have the identifier too.
    for active in (True, False):
        if found := next(iter(accounts.listing(AccountFilter([editor], active, identifier=name), Page(1)).items), None):
            return found
    raise refused(Code.ACCOUNT_NOT_FOUND, editor=editor, name=name)


def shown(account: model.Account) -> Account:
    """An account as the API shows it."""
    return Account(
        editor=account.editor,
        id=account.id,
        active=account.active,
        password=account.password,
        version=account.version,
        updated=account.updated,
        terms_accepted=account.terms_accepted,
        locked_until=account.locked_until,
        resource=account.resource,
    )

"""Corrections of accounts by the editor's staff, whom the admin API and the console play."""

from mock_editor.accounts import tables
from mock_editor.accounts.log_in import LogIn
from mock_editor.accounts.model import Account
from mock_editor.accounts.payload import Changes, edited
from mock_editor.accounts.provisioning import Provisioning
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code
from mock_editor.base.store import Store


class Staff:
    """The staff of every editor, who correct accounts without the SAS."""

    def __init__(self, store: Store, provisioning: Provisioning, log_in: LogIn) -> None:
        self._store = store
        self._provisioning = provisioning
        self._log_in = log_in

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
        """Corrects an account by the rules of INT_R02; ``terms`` is whether the editor's terms are accepted.

        Raises 404, 400, 422.
        """
        with self._store.writing() as db:
            account = tables.find(db, editor, identifier)
            if account is None:
                raise refused(Code.ACCOUNT_ID_NOT_FOUND, account=identifier[:100])
            if changes:
                self._provisioning.save(db, editor, account, edited(account.content, changes))
            if password is not None:
                self._log_in.set_password(db, editor, identifier, password)
            if unlock:
                self._log_in.unlock(db, editor, identifier)
            if terms is not None:
                self._log_in.set_terms(db, editor, identifier, accepted=terms)
            [corrected] = tables.select(db, "where a.editor = ? and a.id = ?", [editor, identifier])
            return corrected

"""Secrets that all workers share and that survive a restart with the same database."""

from collections.abc import Callable

from mock_editor.base.store import Store

SCHEMA = "create table if not exists keys (name text primary key, value text not null) strict"


class Keys:
    """The secrets, by name. Nothing is read before the first use, because a connection must not survive a fork.

    They belong to no world: a page may need one while another scenario is being loaded.
    """

    def __init__(self, store: Store) -> None:
        self._store = store.unguarded()
        self._known: dict[str, str] = {}

    def get(self, name: str, make: Callable[[], str]) -> str:
        """The secret with this name, created if there is none. Raises 503."""
        if name not in self._known:
            with self._store.reading() as db:
                row = db.execute("select value from keys where name = ?", [name]).fetchone()
            if not row:
                value = make()
                with self._store.writing() as db:
                    # Another worker may have been first.
                    db.execute("insert or ignore into keys values (?, ?)", [name, value])
                    row = db.execute("select value from keys where name = ?", [name]).fetchone()
            self._known[name] = row[0]
        return self._known[name]

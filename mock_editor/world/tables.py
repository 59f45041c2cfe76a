"""The tables of the run-time state. Each feature declares its own; this module gathers them."""

from mock_editor.accounts import tables as accounts
from mock_editor.base import controls, generations, keys
from mock_editor.bench.idp import store as idp
from mock_editor.bench.platform import store as platform
from mock_editor.bench.receiver import received
from mock_editor.booking import sessions
from mock_editor.calendars import appointments, following, override_rows
from mock_editor.faults import store as faults
from mock_editor.notifications import tables as notifications


def tables() -> tuple[str, ...]:
    """The SQL that creates them. Its order is part of the version of a file: a change makes old files unreadable."""
    return (
        controls.SCHEMA,
        keys.SCHEMA,
        accounts.SCHEMA,
        following.SCHEMA,
        appointments.SCHEMA,
        override_rows.SCHEMA,
        sessions.SCHEMA,
        notifications.SCHEMA,
        generations.SCHEMA,
        faults.SCHEMA,
        idp.SCHEMA,
        platform.SCHEMA,
        received.SCHEMA,
    )

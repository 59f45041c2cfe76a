"""The tables of notifications, and how an attempt is noted.

Instants are ISO 8601 in UTC, by the simulator's clock. A lease is in the machine's monotonic time, which nobody can
set: it guards against processes that die. Rules use it too, to hold back what waits in real time.
"""

from datetime import datetime

from sqlite_utils import Database

from mock_editor.base.issues import as_text
from mock_editor.notifications.model import Attempt

# `unsure`: an attempt was made, and nobody knows whether the SAS took it. `rule` (as JSON) held it back last; `draws`
# (see RuleDraws) remain until it has been sent after that; `passed`: the next one is to be sent first. A copy is still
# to be sent `rest` times, `apart` seconds from each other; `last` ones are sent when nothing of their appointment is
# open. The `result` of an attempt is an issue: its code and values, in JSON.
SCHEMA = """
create table if not exists notifications (
    id integer primary key autoincrement, editor text not null, appointment text not null, creates integer not null,
    body text not null, state text not null, created text not null, due text not null, attempts integer not null,
    unsure integer not null, lease real, rule text, draws text, passed integer not null default 0) strict;
create index if not exists notifications_open on notifications (editor, due)
    where state in ('waiting', 'sending', 'tls failed');
create index if not exists notifications_of on notifications (editor, appointment, id);
create index if not exists notifications_held on notifications (rule) where draws is not null;
create table if not exists notification_attempts (
    id integer primary key autoincrement, notification integer not null references notifications (id), at text not null,
    method text not null, status integer, seconds real not null, result text not null, answer text not null) strict;
create index if not exists notification_attempts_of on notification_attempts (notification);
create table if not exists notification_copies (
    id integer primary key autoincrement, notification integer not null references notifications (id),
    editor text not null, appointment text not null, rule text not null, applied text not null, method text not null,
    content_type text not null, body blob not null, last integer not null, rest integer not null, apart real not null,
    due text not null, lease real) strict;
create index if not exists notification_copies_of on notification_copies (editor, appointment)
"""
# As in the index: SQLite recognises the same condition only if it is written out.
OPEN = "('waiting', 'sending', 'tls failed')"
_LONGEST_ANSWER = 10_000


def note_attempt(db: Database, notification: int, attempt: Attempt, now: datetime) -> None:
    """Writes down an attempt, unless a reset has deleted the notification."""
    method, status, seconds, result, answer = attempt
    db.execute(
        "insert into notification_attempts (notification, at, method, status, seconds, result, answer) "
        "select id, ?, ?, ?, ?, ?, ? from notifications where id = ?",
        [now.isoformat(), method, status, seconds, as_text(result), answer[:_LONGEST_ANSWER], notification],
    )

"""The real server around a small application that is recorded: prints its port. Asked for ``/_admin``, it tells."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mock_editor.base.errors import EditorError
from mock_editor.base.http import read_body
from mock_editor.base.waits import Waits
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.har import as_json
from mock_editor.journal.journal import Journal
from mock_editor.journal.middleware import JournalMiddleware
from mock_editor.journal.tables import JournalFile
from mock_editor.server import running
from mock_editor.settings import Settings
from tests.journal.conftest import CLOCK, limits

PIECE = b"x" * 100_000
SETTINGS = Settings.from_env(os.environ)
WAITS = Waits(6)
STORE = JournalFile(Path(sys.argv[1]))
JOURNAL = Journal(STORE, lambda: CLOCK, limits(entries=100_000), workers=SETTINGS.workers)


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    status, body = "200 OK", b"ok"
    match environ["PATH_INFO"].split("/")[1:]:
        case ["e", "pieces"]:
            start_response(status, [])
            return (PIECE for _ in range(200))
        case ["e", "big"]:
            body = PIECE * 200
        case ["e", "body"]:
            body = read_body(environ, seconds=1)
        case ["e", "fail"]:
            raise KeyError("inside")
        case ["e", "wait"]:
            try:
                with WAITS.hold(environ) as hold:
                    body = hold.sleep(20).name.encode()
            except EditorError as error:
                status, body = f"{error.status} No", str(error).encode()
        case ["e", "follow"]:
            hold = WAITS.hold(environ)
            start_response(status, [])
            entries = JOURNAL.follow(EntryFilter(), hold)
            return _Stream((json.dumps(as_json(one)).encode() + b"\n" if one else b"\n" for one in entries), hold)
        case ["_health"]:
            body = json.dumps({"waiting": WAITS.waiting}).encode()
        case ["_admin"]:
            body = json.dumps([as_json(entry) for entry in JOURNAL.find(EntryFilter(limit=100))]).encode()
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]


class _Stream:
    def __init__(self, lines: Iterable[bytes], hold: Any) -> None:
        self._lines, self.close = lines, hold.close

    def __iter__(self) -> Any:
        return iter(self._lines)


if __name__ == "__main__":
    recorder = JournalMiddleware(app, JOURNAL.writer, lambda: ["e"])
    listener = running.open_listener(SETTINGS.host, SETTINGS.port)
    port = listener.getsockname()[1]
    STORE.close()
    running.run(
        recorder,
        listener,
        SETTINGS,
        on_ready=lambda: print(port, flush=True),
        on_start=JOURNAL.start,
        on_stop=WAITS.stop,
        on_exit=JOURNAL.writer.close,
        on_refusal=recorder.refused,
    )

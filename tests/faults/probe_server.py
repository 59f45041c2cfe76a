"""The real server around a small editor on which faults act, and its journal: prints its port.

``POST /_admin`` takes what is to be done, as JSON; ``GET /_admin`` tells what there is.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from mock_editor.base import controls
from mock_editor.base.http import read_body
from mock_editor.base.store import Store
from mock_editor.base.waits import Waits
from mock_editor.faults import store as fault_store
from mock_editor.faults.engine import FaultEngine
from mock_editor.faults.middleware import FaultMiddleware
from mock_editor.faults.rules import Rule
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.har import as_json
from mock_editor.journal.journal import Journal
from mock_editor.journal.middleware import JournalMiddleware
from mock_editor.journal.tables import JournalFile
from mock_editor.server import running
from mock_editor.settings import Settings
from tests.journal.conftest import CLOCK, limits

BODY = json.dumps({"resourceType": "Bundle", "entry": ["é" * 10] * 40}, ensure_ascii=False).encode()
EDITORS = {"e": SimpleNamespace(zone=ZoneInfo("Europe/Paris"))}


class Probe:
    """All that a process of it has; its files are in ``folder``."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.waits = Waits(settings.threads - max(1, settings.threads // 20))
        self.store = Store(folder / "state.db", (controls.SCHEMA, fault_store.SCHEMA))
        self.faults = FaultEngine(self.store, lambda: CLOCK)
        self.faults.play((), (), "seed")
        file = JournalFile(folder / "journal.db")
        self.journal = Journal(file, lambda: CLOCK, limits(entries=100_000), workers=settings.workers)
        front = FaultMiddleware(self.app, self.faults, self.waits, lambda: EDITORS, settings.body_timeout)
        self.recorder = JournalMiddleware(front, self.journal.writer, lambda: EDITORS)
        # The workers are about to be forked.
        self.store.close()
        file.close()

    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, body = "200 OK", BODY
        match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
            case _, "/_health":
                body = b"well"
            case "POST", "/_admin":
                for what, value in json.loads(read_body(environ, seconds=1)).items():
                    self.order(what, value)
            case "GET", "/_admin":
                body = json.dumps(self.known()).encode()
            case "POST", _:
                body = read_body(environ, seconds=1)
        start_response(status, [("Content-Type", "application/fhir+json"), ("Content-Length", str(len(body)))])
        return [body]

    def order(self, what: str, value: Any) -> None:
        match what:
            case "put":
                self.faults.put(Rule.model_validate(value))
            case "off":
                self.faults.switch(value, on=False)
            case "clear":
                self.faults.clear()

    def known(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "waiting": self.waits.waiting,
            "uses": self.faults.uses(),
            "journal": [as_json(entry) for entry in self.journal.find(EntryFilter(limit=50))],
        }

    def start(self) -> None:
        self.journal.start()
        self.store.on_change(self.faults.follow)
        self.store.watch()


def main() -> None:
    settings = Settings.from_env(os.environ)
    probe = Probe(settings, Path(sys.argv[1]))
    listener = running.open_listener(settings.host, settings.port)
    port = listener.getsockname()[1]
    running.run(
        probe.recorder,
        listener,
        settings,
        on_ready=lambda: print(port, flush=True),
        on_start=probe.start,
        on_stop=probe.waits.stop,
        on_exit=probe.journal.writer.close,
        on_refusal=probe.recorder.refused,
    )


if __name__ == "__main__":
    main()

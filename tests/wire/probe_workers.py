"""The real server with workers that do at their start what a file says: the second argument. The first is their count.

They tell that they start in the file ``starts`` beside it.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Code, issue
from mock_editor.server import running
from mock_editor.settings import Settings

SETTINGS = Settings.from_env({}, port="0", threads="4", workers=sys.argv[1])
FILE = Path(sys.argv[2])


def app(_: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]


def begin() -> None:
    with FILE.with_name("starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    match FILE.read_text():
        case "refuse":
            raise EditorError(503, [issue(Code.NO_MORE_THREADS, reason="locked")])
        case "fail":
            raise ValueError("a mistake")
        case "die":
            threading.Timer(0.05, os._exit, [7]).start()


if __name__ == "__main__":
    listener = running.open_listener(SETTINGS.host, SETTINGS.port)
    port = listener.getsockname()[1]
    running.run(app, listener, SETTINGS, lambda: print(port, flush=True), begin)

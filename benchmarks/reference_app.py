"""The yardstick: a Flask application that has its answers as bytes in memory, under the simulator's own server.

For accounts, it is the least that keeps what it is sent: a row in SQLite, with the simulator's own safety.

``python -m benchmarks.reference_app FOLDER`` serves the files of FOLDER, each under its path, on a free port.
"""

import sqlite3
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import orjson
from flask import Flask, Response, request

from mock_editor.base.codes import FHIR_JSON
from mock_editor.server import running
from mock_editor.settings import Settings


def create_app(bodies: Mapping[str, bytes], file: Path | None = None) -> Flask:
    """Answers with the body of the asked path, whatever the query. Paths are without the first slash.

    What is put is kept in the SQLite ``file`` under its query, and sent back.
    """
    app = Flask(__name__, static_folder=None)
    lock = threading.Lock()
    connections: list[sqlite3.Connection] = []

    def connection() -> sqlite3.Connection:
        if not connections:
            assert file
            connections.append(sqlite3.connect(file, isolation_level=None, check_same_thread=False))
            connections[0].execute("pragma journal_mode = wal")
            connections[0].execute("pragma synchronous = normal")
            connections[0].execute("create table if not exists kept (query text primary key, body blob)")
        return connections[0]

    @app.put("/<path:path>")
    def keep(path: str) -> Response:
        body = request.get_data()
        orjson.loads(body)
        with lock:
            connection().execute(
                "insert or replace into kept values (?, ?)", (path + request.query_string.decode(), body)
            )
        return Response(body, content_type=FHIR_JSON)

    @app.get("/<path:path>")
    def answer(path: str) -> Response:
        return Response(bodies[path], content_type=FHIR_JSON)

    return app


def main() -> None:
    """Serves with the default settings, as the simulator does."""
    settings = Settings(port=0)
    listener = running.open_listener(settings.host, settings.port)
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    folder = Path(sys.argv[1])
    files = (file for file in folder.rglob("*") if file.is_file())
    bodies = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    app = create_app(bodies, folder.with_suffix(".db"))
    running.run(app, listener, settings, lambda: print(f"reference on {url}", flush=True))


if __name__ == "__main__":
    main()

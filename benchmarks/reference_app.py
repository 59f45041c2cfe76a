"""The yardstick: a Flask application that has its answers as bytes in memory, under the simulator's own server.

``python -m benchmarks.reference_app FOLDER`` serves the files of FOLDER, each under its path, on a free port.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from flask import Flask, Response

from mock_editor import wsgi
from mock_editor.base.codes import FHIR_JSON
from mock_editor.settings import Settings


def create_app(bodies: Mapping[str, bytes]) -> Flask:
    """Answers with the body of the asked path, whatever the query. Paths are without the first slash."""
    app = Flask(__name__, static_folder=None)

    @app.get("/<path:path>")
    def answer(path: str) -> Response:
        return Response(bodies[path], content_type=FHIR_JSON)

    return app


def main() -> None:
    """Serves with the default settings, as the simulator does."""
    settings = Settings(port=0)
    listener = wsgi.open_listener(settings.host, settings.port)
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    folder = Path(sys.argv[1])
    files = (file for file in folder.rglob("*") if file.is_file())
    app = create_app({file.relative_to(folder).as_posix(): file.read_bytes() for file in files})
    wsgi.run(app, listener, settings, lambda: print(f"reference on {url}", flush=True))


if __name__ == "__main__":
    main()

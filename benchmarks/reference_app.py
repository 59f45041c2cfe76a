"""The yardstick: a Flask application that answers every path with the same bytes, under the simulator's own server.

``python -m benchmarks.reference_app FILE`` serves the bytes of FILE on a free port.
"""

import sys
from pathlib import Path

from flask import Flask, Response

from mock_editor import wsgi
from mock_editor.base.codes import FHIR_JSON
from mock_editor.settings import Settings


def create_app(body: bytes) -> Flask:
    """Answers ``body`` to everything."""
    app = Flask(__name__, static_folder=None)

    @app.get("/")
    @app.get("/<path:_>")
    def answer(_: str = "") -> Response:
        return Response(body, content_type=FHIR_JSON)

    return app


def main() -> None:
    """Serves with the default settings, as the simulator does."""
    settings = Settings(port=0)
    listener = wsgi.open_listener(settings.host, settings.port)
    url = f"http://{settings.host}:{listener.getsockname()[1]}"
    app = create_app(Path(sys.argv[1]).read_bytes())
    wsgi.run(app, listener, settings, lambda: print(f"reference on {url}", flush=True))


if __name__ == "__main__":
    main()

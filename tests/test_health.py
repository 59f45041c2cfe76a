"""The image's health check: where it asks, and what it takes for trouble."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mock_editor.health import trouble


class Answer(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/_health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        yield str(server.server_port)
        server.shutdown()


def test_it_asks_where_the_simulator_listens(port: str) -> None:
    anywhere = {"MOCK_EDITOR_HOST": "0.0.0.0"}  # noqa: S104 - nobody binds to it
    assert trouble(["mock-editor", "serve"], anywhere | {"MOCK_EDITOR_PORT": port}) is None
    other = anywhere | {"MOCK_EDITOR_PORT": "1"}
    assert trouble(["mock-editor", "serve", "--port", "2", "--port", port], other) is None
    assert trouble(["mock-editor", "serve", f"--port={port}", "--host", "127.0.0.1"], {}) is None
    assert trouble(["mock-editor", "serve", "--port", port], {"MOCK_EDITOR_PORT": "tcp://10.0.0.1:8000"}) is None


def test_variables_that_other_options_complete_or_replace_are_no_trouble(port: str) -> None:
    words = ["mock-editor", "serve", "--port", port, "--tls-port", "8443", "--now", "2026-11-20T08:00:00+01:00"]
    assert trouble(words, {"MOCK_EDITOR_TLS_CERT": __file__, "MOCK_EDITOR_NOW": "tomorrow"}) is None
    secret = {"MOCK_EDITOR_ADMIN_TOKEN_FILE": "/nowhere"}
    assert trouble(["mock-editor", "serve", "--port", port], secret) is None


def test_who_only_delivers_is_not_asked() -> None:
    assert trouble(["mock-editor", "deliver", "--database", "/data/state.db"], {"MOCK_EDITOR_PORT": "1"}) is None
    assert trouble(["mock-editor", "serve", "--scenario", "deliver"], {"MOCK_EDITOR_PORT": "1"})


def test_what_is_wrong_is_told(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "refused" in str(trouble(["mock-editor", "serve", "--port", "1"], {}))
    assert "--port: expected a whole number" in str(trouble(["mock-editor", "serve", "--port", "x"], {}))
    monkeypatch.setattr(Answer, "status", 503)
    assert trouble(["mock-editor", "serve", "--port", port], {}) == "answered with 503"

"""What those who stand around the application know of an exchange, and where they leave it for each other.

Below these names in the WSGI environment: with TLS, the client's certificate (DER; empty if it has none), those above
it that came with it (DER; None if only the handshake knew them), then the first in words; the rule that made a fault;
how the connection ended, if that was not the client's doing; the error with which a request is to be refused.
"""

from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

TLS, CHAIN, CERTIFICATE = "mock_editor.tls", "mock_editor.chain", "mock_editor.certificate"
RULE, ENDED, REFUSED = "mock_editor.rule", "mock_editor.ended", "mock_editor.refused"


def received_url(environ: WSGIEnvironment, query: str) -> str:
    """Path and query as they were received. A test client gives the path alone, or neither."""
    url: str = environ.get("RAW_URI") or quote(environ["PATH_INFO"].encode("latin-1", "replace"))
    return f"{url}?{query}" if query and "?" not in url else url

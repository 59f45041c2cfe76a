"""What those who stand around the application know of an exchange, and where they leave it for each other.

Below these names in the WSGI environment: with TLS, the client's certificate (DER; empty if it has none), those above
it that came with it (DER; None if only the handshake knew them), then the first in words; the rule that acted (an
AppliedRule); how the connection ended, if that was not the client's doing (an Issue); the error with which a request is
to be refused; what is called with how the connection ends, just before a fault ends it.
"""

import re
from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

TLS, CHAIN, CERTIFICATE = "mock_editor.tls", "mock_editor.chain", "mock_editor.certificate"
RULE, ENDED, REFUSED = "mock_editor.rule", "mock_editor.ended", "mock_editor.refused"
ENDING = "mock_editor.ending"
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


def received_at(environ: WSGIEnvironment) -> str:
    """Scheme, host and port under which a client has reached us: as it says, or as the listener is bound."""
    host = environ.get("HTTP_HOST", "")
    if not _HOST.fullmatch(host):
        host = f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '80')}"
    return f"{environ.get('wsgi.url_scheme', 'http')}://{host}"


def received_url(environ: WSGIEnvironment, query: str) -> str:
    """Path and query as they were received. A test client gives the path alone, or neither."""
    url: str = environ.get("RAW_URI") or quote(environ["PATH_INFO"].encode("latin-1", "replace"))
    return f"{url}?{query}" if query and "?" not in url else url

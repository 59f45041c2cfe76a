"""Pages of other sites: a browser sends for them what it would send for ours, cookies and all.

Browsers say of which site the page is: by Fetch Metadata (``Sec-Fetch-Site``), and those without it by ``Origin``
(RFC 6454, 7; with every form that is posted), or by ``Referer``. Programs say nothing.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers

from mock_editor.base.addresses import is_loopback, names_this_machine, read_address, split_host
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code

# Requests that change nothing, whoever makes them (RFC 9110, 9.2.1).
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Media types that a page of any site may send unasked (Fetch: CORS-safelisted), as forms do.
SENT_UNASKED = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_PORTS = {"http": 80, "https": 443}


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


def refuse_foreign(headers: Headers, peer: str, public_url: str) -> None:
    """Raises 403 for what a page of another site has the browser at ``peer`` send.

    Ours are under ``public_url``, and under the ``Host`` of the request. That must be an address, if the browser is on
    this machine: any site may have its own name resolved to a loopback address (DNS rebinding).
    """
    foreign = headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if foreign or not all(_ours(headers[one], headers, peer, public_url) for one in _TOLD if one in headers):
        raise refused(Code.FOREIGN_SITE)


_TOLD = ("Origin", "Referer")


def _ours(url: str, headers: Headers, peer: str, public_url: str) -> bool:
    origin, public = _origin(url), _origin(public_url)
    # "null" is none: that of a page in a sandbox, say.
    if origin is None or origin == public:
        return origin is not None
    if public and origin[1:] == public[1:]:
        return False
    asked = headers.get("Host", "")
    host = split_host(asked)
    if host is None or (is_loopback(peer) and not names_this_machine(asked) and not read_address(host[0])):
        return False
    return (host[0], host[1] or _PORTS[origin.scheme]) == origin[1:]


def _origin(url: str) -> _Origin | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return _Origin(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])

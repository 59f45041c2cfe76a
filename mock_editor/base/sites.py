"""Protects against pages of other sites, for which a browser sends requests with our cookies.

Browsers say which site a page belongs to: with Fetch Metadata (``Sec-Fetch-Site``), older ones with ``Origin`` (RFC
6454, 7; sent with every posted form) or ``Referer``. Programs that are no browsers send none of these.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers

from mock_editor.base.addresses import is_loopback, names_this_machine, read_address, split_host
from mock_editor.base.errors import refused
from mock_editor.base.issues import Code

# Requests that change nothing, whoever makes them (RFC 9110, 9.2.1).
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Media types that a page of any site may send without a preflight, as forms do (Fetch: CORS-safelisted).
SENT_UNASKED = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_PORTS = {"http": 80, "https": 443}


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


def refuse_foreign(headers: Headers, peer: str, public_url: str) -> None:
    """Raises 403 for a request that a page of another site makes the browser at ``peer`` send.

    Our pages are under ``public_url`` and under the ``Host`` of the request. If the browser is on this machine, that
    ``Host`` must be an address: any site can make its own name resolve to a loopback address (DNS rebinding).
    """
    foreign = headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if foreign or not all(_ours(headers[header], headers, peer, public_url) for header in _TOLD if header in headers):
        raise refused(Code.FOREIGN_SITE)


_TOLD = ("Origin", "Referer")


def _ours(url: str, headers: Headers, peer: str, public_url: str) -> bool:
    origin, public = _origin(url), _origin(public_url)
    # "null" is the origin of a page in a sandbox, for instance, and none of ours.
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

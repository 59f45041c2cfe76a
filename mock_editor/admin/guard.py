"""Who may see and change the simulator's state: clients of its own machine, and from elsewhere those with the token.

A request is from here if its peer is, nothing says that a proxy has passed it on, and it was sent to a name of this
machine: a page of another site may have had its own name resolved to this address (DNS rebinding).
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
import time
from collections import deque

from flask import request

from mock_editor.base.errors import EditorError, Issue

_PASSED_ON = ("forwarded", "x-forwarded-", "x-real-ip", "via")
COOKIE = "acces"
LIFETIME = 12 * 3600  # seconds: a duty
# Wrong tokens that an address has, in so many seconds.
_TRIES, _WHILE = 20, 60
# Addresses that are remembered, so that many of them cannot fill the memory.
_MOST_ADDRESSES = 1000


class Guard:
    """Keeps out who has no access. Without a ``token``, that is everybody from elsewhere."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._failures: dict[str, deque[float]] = {}
        self._counting = threading.Lock()

    def expect_token(self) -> None:
        """Raises 403 where no token gives access from elsewhere."""
        if self._token is None:
            raise EditorError(403, [Issue("forbidden", "Only for clients on the simulator's own machine")])

    def only_with_access(self) -> None:
        """Raises 401 or 403 for a program without access, 429 for one that guesses. To be called before a request."""
        credentials = request.headers.get("Authorization", "")
        scheme, _, given = credentials.partition(" ")
        if scheme.lower() == "bearer":
            if not self.knows(given.strip()):
                raise self._unauthorized("The token is wrong")
            # Whoever has it may be anywhere; a browser does not send it on its own.
            return
        if from_here():
            not_for_other_sites()
        else:
            self.expect_token()
            raise self._unauthorized("From another machine this wants the token, as Authorization: Bearer")

    def _unauthorized(self, text: str) -> EditorError:
        return EditorError(401, [Issue("login", text)], {"WWW-Authenticate": 'Bearer realm="mock-editor"'})

    def knows(self, given: str) -> bool:
        """Whether that is the token. Raises 429 for an address that has tried too many others."""
        now, peer = time.monotonic(), request.remote_addr or ""
        with self._counting:
            failures = self._failures.get(peer, deque())
            while failures and failures[0] < now - _WHILE:
                failures.popleft()
            if len(failures) >= _TRIES:
                text = f"More than {_TRIES} wrong tokens within {_WHILE} s"
                raise EditorError(429, [Issue("throttled", text)], {"Retry-After": str(_WHILE)})
            # A header may hold any bytes, and is text here.
            right = self._token is not None and secrets.compare_digest(_bytes(given), _bytes(self._token))
            if not right:
                failures.append(now)
                if peer not in self._failures and len(self._failures) >= _MOST_ADDRESSES:
                    del self._failures[next(iter(self._failures))]
                self._failures[peer] = failures
        return right

    # --- browsers

    def admits_browser(self) -> bool:
        """Whether a browser may see the console. Raises 403 for a page of another site."""
        if not from_here() and not self._admitted(request.cookies.get(COOKIE, "")):
            return False
        not_for_other_sites()
        return True

    def pass_for_browser(self, now: float | None = None) -> str:
        """What the cookie of somebody who knows the token holds: until when, and that we say so.

        ``now`` is in seconds since 1970, of real time: browsers have no other.
        """
        until = str(int(time.time() if now is None else now) + LIFETIME)
        return f"{until}.{self._signature(until)}"

    def _admitted(self, cookie: str) -> bool:
        until, _, signature = cookie.partition(".")
        if self._token is None or not re.fullmatch("[0-9]{1,12}", until):
            return False
        right = secrets.compare_digest(_bytes(signature), _bytes(self._signature(until)))
        return right and time.time() < int(until)

    def _signature(self, until: str) -> str:
        return hmac.new(_bytes(self._token or ""), f"console until {until}".encode(), hashlib.sha256).hexdigest()


def from_here() -> bool:
    """Whether the request comes from this machine, by no proxy, and was meant for it."""
    passed_on = any(name.lower().startswith(_PASSED_ON) for name in request.headers.keys())  # noqa: SIM118 - pairs
    host = request.headers.get("Host")
    return not passed_on and _loopback(request.remote_addr or "") and (not host or names_this_machine(host))


def not_for_other_sites() -> None:
    """Raises 403 for a page of another site in a browser that has access."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise EditorError(403, [Issue("forbidden", "Not for pages of other sites")])


def names_this_machine(host: str) -> bool:
    """Whether a host, with or without a port, is this machine for everybody who says so."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::[0-9]{0,5})?", host)
    if not found:
        return False
    name = found[1] or found[2]
    return name.lower().rstrip(".") == "localhost" or _loopback(name)


def _loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # One that listens on all addresses of both kinds sees 127.0.0.1 so.
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

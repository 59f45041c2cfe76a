"""Who may see and change the simulator's state: clients of its own machine, and from elsewhere those with the token."""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from flask import request

from mock_editor.base.addresses import Networks, is_loopback, names_this_machine
from mock_editor.base.errors import refused
from mock_editor.base.exchanges import TLS
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.sites import refuse_foreign

# How headers begin that say who the client of a proxy is, or that there is one.
_PASSED_ON = (
    "ali-cdn-", "cdn-loop", "cf-", "client-cert", "client-ip", "fastly-", "forwarded", "front-end-https",
    "proxy-client-ip", "ssl-", "true-client-ip", "via", "wl-proxy-", "x-amzn-", "x-appengine-", "x-arr-", "x-azure-",
    "x-client-cert", "x-client-ip", "x-cloud-trace", "x-cluster-", "x-envoy-", "x-forward", "x-host",
    "x-original-", "x-originating-", "x-proxy", "x-real-", "x-remote-", "x-ssl-",
)  # fmt: skip
COOKIE = "acces"
LIFETIME = 12 * 3600  # seconds: a duty
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mock-editor"'}
# Of the wrong tokens that an address has sent in so many seconds, some are free: people mistype. Each of the others
# waits twice as long as the one before, in seconds.
_WHILE, _FREE, _SHORTEST, _LONGEST = 60, 5, 0.25, 2.0
# Wrong tokens that wait at once in a process: each holds a thread.
_MOST_WAITING = 16
# Addresses that are remembered, and wrong tokens of each, so that many of them cannot fill the memory.
_MOST_ADDRESSES, _MOST_FAILURES = 1000, 20


class Guard:
    """Keeps out who has no access. Without a ``token``, that is everybody from elsewhere.

    What comes from ``proxies`` is never from this machine. ``pause`` has the request at hand wait, in seconds.
    """

    def __init__(
        self,
        token: str | None,
        public_url: str,
        proxies: Sequence[str] = (),
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._token = token
        self._public_url = public_url
        self._proxies = Networks(proxies)
        self._pause = pause
        self._failures: dict[str, deque[float]] = {}
        self._counting = threading.Lock()
        self._waiting = threading.Semaphore(_MOST_WAITING)

    def expect_token(self) -> None:
        """Raises 403 where no token gives access from elsewhere."""
        if self._token is None:
            raise refused(Code.ONLY_THIS_MACHINE)

    def only_with_access(self) -> None:
        """Raises 401 or 403 for a program without access, 429 for one that guesses. To be called before a request."""
        credentials = request.headers.get("Authorization", "")
        scheme, _, given = credentials.partition(" ")
        if scheme.lower() == "bearer":
            if not self.knows(given.strip()):
                raise refused(Code.TOKEN_WRONG, headers=_CHALLENGE)
            # Whoever has it may be anywhere; a browser does not send it on its own.
            return
        if why := self._why_not_from_here():
            self.expect_token()
            raise refused(Code.TOKEN_WANTED, headers=_CHALLENGE, reason=why)
        self._not_for_other_sites()

    def knows(self, given: str) -> bool:
        """Whether that is the token. It is told at once; that it is not, the later the more often an address was wrong.

        Nobody is locked out by the mistakes of others, with whom they may share a proxy's address. Raises 429 for a
        wrong one, when too many wait already.
        """
        # A header may hold any bytes, and is text here.
        if self._token is not None and secrets.compare_digest(_bytes(given), _bytes(self._token)):
            return True
        seconds = self._penalty(request.remote_addr or "", time.monotonic())
        if seconds and not self._waiting.acquire(blocking=False):
            raise refused(Code.TOKENS_TOO_MANY, headers={"Retry-After": "2"})
        if seconds:
            try:
                self._pause(seconds)
            finally:
                self._waiting.release()
        return False

    def _penalty(self, peer: str, now: float) -> float:
        """How long one more wrong token of an address waits."""
        with self._counting:
            failures = self._failures.pop(peer, None) or deque(maxlen=_MOST_FAILURES)
            while failures and failures[0] < now - _WHILE:
                failures.popleft()
            if len(self._failures) >= _MOST_ADDRESSES:
                del self._failures[next(iter(self._failures))]
            # The last one comes last: whoever was not seen for longest is forgotten first.
            self._failures[peer] = failures
            failures.append(now)
            costly = len(failures) - _FREE
        return min(_SHORTEST * 2 ** (costly - 1), _LONGEST) if costly > 0 else 0

    # --- from where

    def from_here(self) -> bool:
        """Whether the request comes from this machine, by no proxy, and was meant for it."""
        return self._why_not_from_here() is None

    def _why_not_from_here(self) -> Issue | None:
        """What says that a request is not of a client of this machine. The one place where that is decided.

        A proxy on this machine looks like such a client. It is known by the settings, by what it adds, or by its
        HTTP/1.0: nginx speaks that where it is not told otherwise, and no client in use does. One that is silent, and
        speaks HTTP/1.1 with a ``Host`` of this machine, has to be named in the settings.
        """
        environ, peer, host = request.environ, request.remote_addr or "", request.headers.get("Host", "")
        if not is_loopback(peer):
            return issue(Code.FROM_ANOTHER_MACHINE)
        if peer in self._proxies:
            return issue(Code.FROM_A_PROXY)
        for name in request.headers.keys():  # noqa: SIM118 - pairs
            if name.lower().startswith(_PASSED_ON):
                return issue(Code.PASSED_ON, header=name)
        if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
            return issue(Code.NOT_HTTP_1_1)
        # With a whole URL, whose host counts instead of the header (RFC 9112, 3.2.2), or by TLS.
        if not environ.get("RAW_URI", "/").startswith("/") or TLS in environ:
            return issue(Code.MADE_FOR_A_PROXY)
        # A page of another site may have had its own name resolved to this address (DNS rebinding).
        if not names_this_machine(host):
            return issue(Code.HOST_NOT_THIS_MACHINE)
        return None

    def _not_for_other_sites(self) -> None:
        """Raises 403 for a page of another site in a browser that has access."""
        refuse_foreign(request.headers, request.remote_addr or "", self._public_url)

    # --- browsers

    def admits_browser(self) -> bool:
        """Whether a browser may see the console. Raises 403 for a page of another site."""
        if not self.from_here() and not self._admitted(request.cookies.get(COOKIE, "")):
            return False
        self._not_for_other_sites()
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


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

"""The one way out: every call that this process makes to another one goes by a session of ``requests`` made here.

A time-out of requests starts again with each piece that arrives, so a peer that sends a byte now and then holds a
thread for ever. Here a call has ``Limits``: seconds to connect (look up the name, try each address, TLS), seconds for
everything after that, and a size. The sockets enforce them: each knows its deadline and gives every read and write the
time that is left. http.client and urllib3 limit heads and the framing of chunks.

Interim responses (1xx) are skipped, as RFC 9110, 15.2 requires; http.client only skips 100.
"""

import contextlib
import errno
import http.client
import math
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from mock_editor.base.addresses import is_loopback, names_this_machine
from mock_editor.base.issues import Issue

# Interim responses before the final one. No honest server sends more.
_MOST_INTERIM = 50
# Even without a deadline, an answer is given up after this many seconds of silence.
_LONGEST_SILENCE = 600.0

S = TypeVar("S", bound=requests.Session)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take: seconds to connect, seconds from then to the end of the answer, and bytes of the
    decompressed body. ``math.inf`` means no limit."""

    connect: float = 3.0
    answer: float = 10.0
    size: float = 1024 * 1024


class TooLargeError(RequestException):
    """An answer is larger than allowed."""


def session(limits: Limits, context: ssl.SSLContext | None = None) -> requests.Session:
    """A session that ignores the environment of this process: no proxies, no authorities, no ``.netrc``."""
    plain = requests.Session()
    plain.trust_env = False
    return equip(plain, limits, context)


def equip(session: S, limits: Limits, context: ssl.SSLContext | None = None) -> S:
    """Sends all calls of a session through this module. With ``context``, nothing else counts for TLS.

    A call's own ``timeout`` (seconds to connect, seconds for the answer) replaces that of ``limits``. Whether the
    session reads the environment is its own choice (``trust_env``), but calls to this machine never use a proxy.
    """
    for prefix in ("http://", "https://"):
        session.mount(prefix, Network(limits, context))
    return session


_bound: ContextVar[float] = ContextVar("bound", default=math.inf)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Gives all calls that this thread begins in the block ``seconds`` in total."""
    before = _bound.set(min(_bound.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _bound.reset(before)


def prolong(seconds: float) -> None:
    """Extends the deadline of the current call, while its body is being sent, by time that we spent ourselves."""
    call = _call.get(None)
    if call and call.sock:
        call.sock.until += seconds


class CallEndedError(requests.ConnectionError):
    """A call that ended for a reason that we know ourselves; ``issue`` says which."""

    def __init__(self, why: Issue) -> None:
        super().__init__(why.code.value)
        self.issue = why


def never_sent(error: RequestException) -> bool:
    """Whether a call certainly ended before any part of the request was sent."""
    return isinstance(cause_of(error), NewConnectionError | ConnectTimeoutError)


def cause_of(error: BaseException) -> object:
    """What requests has wrapped, without urllib3's text with the whole URL in it; None if there is nothing."""
    cause = error.args[0] if error.args else None
    return cause.reason if isinstance(cause, MaxRetryError) else cause


def host_unknown(error: BaseException) -> bool:
    """Whether a call ended because no host has that name."""
    return isinstance(cause_of(error), NameResolutionError)


def nobody_listens(error: BaseException) -> bool:
    """Whether a call ended because its connection was refused."""
    cause = cause_of(error)
    return isinstance(cause, NewConnectionError) and isinstance(cause.__cause__, ConnectionRefusedError)


def timed_out(error: BaseException) -> bool:
    """Whether a call ended because something took too long, however urllib3 and requests have wrapped that."""
    if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
        return True
    inner = [error.reason] if isinstance(error, MaxRetryError) else error.args
    return any(
        timed_out(inner_error) for inner_error in (error.__cause__, *inner) if isinstance(inner_error, BaseException)
    )


def tls_error(error: object) -> ssl.SSLError | None:
    """The error of OpenSSL that urllib3 and requests have wrapped; None for any other error."""
    while isinstance(error, Exception):
        if isinstance(error, ssl.SSLError):
            return error
        error = error.reason if isinstance(error, MaxRetryError) else next(iter(error.args), None)
    return None


# --- deadlines of a call and its sockets


class _Call:
    """The call that a thread is making: its deadline to connect, and the one that its connection gets then."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bound = _bound.get()
        self.connect_until = min(time.monotonic() + limits.connect, self._bound)
        self.sock: _Timed | None = None

    def begin(self, sock: Any) -> None:
        """Starts the time for the answer, on an open connection."""
        # TLS inside the TLS of a proxy has no socket of its own.
        self.sock = sock if isinstance(sock, _Timed) else sock.socket
        self.sock.until = min(time.monotonic() + self._limits.answer, self._bound)


_call: ContextVar[_Call | None] = ContextVar("call", default=None)


class _Timed(socket.socket):
    """A socket with a deadline (``time.monotonic``) for everything it does."""

    until = math.inf

    def _brace(self) -> None:
        seconds_left = self.until - time.monotonic()
        if seconds_left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(min(seconds_left, _LONGEST_SILENCE))

    def connect(self, address: Any) -> None:
        """As for any socket, before the deadline; the methods below likewise."""
        self._brace()
        super().connect(address)

    def send(self, *args: Any) -> int:
        """See ``connect``."""
        self._brace()
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        """See ``connect``."""
        self._brace()
        super().sendall(*args)

    def recv(self, *args: Any) -> bytes:
        """See ``connect``."""
        self._brace()
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        """See ``connect``."""
        self._brace()
        return super().recv_into(*args)


class _TimedTls(_Timed, ssl.SSLSocket):
    """The same under TLS. It also reads why the peer has closed the connection.

    Under TLS 1.3, the peer may refuse our certificate and close before the request is sent.
    """

    def getpeername(self) -> Any:
        """Raises OSError when the peer is gone. Before the handshake, ``ssl`` would leave the socket open then."""
        try:
            return super().getpeername()
        except OSError as error:
            if self.version():
                raise
            self.close()
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error

    def do_handshake(self, block: bool = False) -> None:
        """Shakes hands before the deadline to connect, if this thread makes a call."""
        if call := _call.get():
            self.until = call.connect_until
        self._brace()
        super().do_handshake(block)

    def send(self, *args: Any) -> int:
        """Raises SSLError with the peer's last alert, if that is why nothing can be sent."""
        try:
            return super().send(*args)
        except TimeoutError:
            raise
        except OSError:
            self._hear()
            raise

    def _hear(self) -> None:
        try:
            self.recv(1)
        except ssl.SSLError as said:
            if "ALERT" in (said.reason or ""):
                raise
        except OSError:
            pass


class _Lookups:
    """Looks up names, each in a thread that can be left behind, because a lookup cannot be cancelled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Future[list[Any]]] = {}

    def addresses(self, host: str, port: int, seconds: float) -> list[Any]:
        """The result of ``socket.getaddrinfo``. Raises OSError, also when the lookup takes too long."""
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except UnicodeError:
            # A label is empty or too long. The URL may come from somebody else.
            raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
        except socket.gaierror:
            pass  # not a numeric address
        with self._lock:
            lookup = self._running.get((host, port)) or self._begin(host, port)
        return lookup.result(max(seconds, 0))

    def _begin(self, host: str, port: int) -> Future[list[Any]]:
        lookup: Future[list[Any]] = Future()
        looking = threading.Thread(target=self._look, args=(host, port, lookup), name="lookup", daemon=True)
        try:
            looking.start()
        except RuntimeError as error:
            raise OSError(str(error)) from None
        self._running[host, port] = lookup
        return lookup

    def _look(self, host: str, port: int, lookup: Future[list[Any]]) -> None:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as error:
            lookup.set_exception(error)
        else:
            lookup.set_result(addresses)
        with self._lock:
            self._running.pop((host, port), None)


_lookups = _Lookups()


def _connected(host: str, port: int, until: float) -> _Timed:
    """Connects to one of the host's addresses; each gets its share of the time left. Raises OSError."""
    addresses = _lookups.addresses(host, port, until - time.monotonic())
    for addresses_left, (family, kind, protocol, _, address) in zip(
        range(len(addresses), 0, -1), addresses, strict=True
    ):
        sock = _Timed(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            now = time.monotonic()
            sock.until = now + (until - now) / addresses_left
            sock.connect(address)
        except OSError:
            sock.close()
            if addresses_left == 1:
                raise
        else:
            sock.until = until
            return sock
    raise OSError("the name has no address")


@contextlib.contextmanager
def connection(url: str, limits: Limits, context: ssl.SSLContext | None = None) -> Iterator[_Timed]:
    """A connection to the host of a URL, not for HTTP; the caller may move ``until``. Raises OSError."""
    parts = urlsplit(url)
    call = _Call(limits)
    before = _call.set(call)
    try:
        port = parts.port or (443 if context else 80)
        sock = _connected(parts.hostname or "", port, call.connect_until)
        with sock:
            if context:
                secured = _timed(context).wrap_socket(sock, server_hostname=parts.hostname)
            with secured if context else contextlib.nullcontext(sock) as opened:
                call.begin(opened)
                yield opened  # type: ignore[misc]
    finally:
        _call.reset(before)


# --- the same for urllib3


class _Final(http.client.HTTPResponse):
    """A response that skips interim ones."""

    def _read_status(self) -> Any:
        for _ in range(_MOST_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            # We never ask to switch protocols, and what follows would not be HTTP.
            if status == http.client.SWITCHING_PROTOCOLS:
                raise http.client.BadStatusLine(f"{version} {status} {reason}")
            if status >= http.client.OK:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {_MOST_INTERIM} interim answers")


class _Timely(HTTPConnection):
    """What both kinds of connection share: they follow the deadlines of the call of their thread."""

    response_class = _Final

    def _new_conn(self) -> socket.socket:
        call = _call.get()
        assert call, "made outside of Network.send"  # noqa: S101
        try:
            sock = _connected(self._dns_host, self.port, call.connect_until)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return sock

    def connect(self) -> None:
        """Connects before the deadline of the call."""
        try:
            super().connect()
        except ssl.SSLError:
            raise
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error
        self._begin()

    def request(self, *args: Any, **how: Any) -> None:
        """Sends a request and starts the time for its answer."""
        if self.sock:
            self._begin()
        super().request(*args, **how)

    def _begin(self) -> None:
        call = _call.get()
        assert call, "used outside of Network.send"  # noqa: S101
        call.begin(self.sock)


class _TimelyTls(_Timely, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timely


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimelyTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class Network(HTTPAdapter):
    """Carries the calls of a session over the network, within ``limits``."""

    def __init__(self, limits: Limits, context: ssl.SSLContext | None = None) -> None:
        super().__init__(max_retries=0)
        self._limits = limits
        self._context = _timed(context) if context else None
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **how: Any) -> Any:
        """See HTTPAdapter: calls through a proxy have the same limits."""
        manager = super().proxy_manager_for(proxy, **how)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """See HTTPAdapter: the key of the pool. Everything about certificates is in a context."""
        host, _ = super().build_connection_pool_key_attributes(request, verify=True)
        if host["scheme"] != "https":
            return host, {}
        return host, {"ssl_context": self._context or _context_for(verify, cert)}

    def cert_verify(self, *_: Any) -> None:
        """Nothing: the context does."""

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """The answer. Its body is read later, within the same limits. Raises RequestException."""
        limits = self._limits
        if timeout is not None:
            connect, answer = timeout if isinstance(timeout, tuple) else (timeout, timeout)
            limits = Limits(connect, answer, limits.size)
        before = _call.set(_Call(limits))
        try:
            # The loopback address of a proxy would not be ours.
            by = None if _is_here(urlsplit(request.url or "").hostname or "") else proxies
            response = super().send(request, stream, None, verify, cert, by)
        finally:
            _call.reset(before)
        response.raw.stream = partial(_counted, response.raw, response.raw.stream, limits.size)  # type: ignore[method-assign]
        return response


def _context_for(verify: Any, cert: Any) -> ssl.SSLContext:
    """The settings of a session for certificates as a context. Raises OSError for files that cannot be used."""
    files = [] if isinstance(verify, bool) else [verify]
    files += [cert] if isinstance(cert, str) else cert or ()
    # A file that is replaced is read again.
    return _kept_context(verify, cert, *(Path(file).stat().st_mtime_ns for file in files))


@lru_cache(32)
def _kept_context(verify: Any, cert: Any, *_: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        authority = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
        context.load_verify_locations(**{"capath" if Path(authority).is_dir() else "cafile": authority})
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*([cert] if isinstance(cert, str) else cert))
    return _timed(context)


def _is_here(host: str) -> bool:
    return host.rstrip(".").endswith(".localhost") or is_loopback(host) or names_this_machine(host)


def proxy_of(url: str) -> str | None:
    """The proxy that a session with ``trust_env`` uses for a URL, without user and password; None if it uses none."""
    parts = urlsplit(url)
    if _is_here(parts.hostname or ""):
        return None
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    scheme, mark, rest = proxy.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _timed(context: ssl.SSLContext) -> ssl.SSLContext:
    context.sslsocket_class = _TimedTls
    return context


def _counted(raw: Any, stream: Any, most: float, *args: Any, **how: Any) -> Iterator[bytes]:
    """The pieces of a body, up to ``most`` bytes."""
    size = 0
    for piece in stream(*args, **how):
        size += len(piece)
        if size > most:
            # The unread rest makes the connection useless.
            raw.close()
            raise TooLargeError(f"the answer has more than {most:.0f} bytes")
        yield piece

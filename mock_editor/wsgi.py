"""The server: gunicorn without its command line, and a threaded worker that no client can stall.

What stock gunicorn lacks and this mends (it overrides internals, hence the pin below 28): deadlines for a request's
head and for taking an answer, closing without stalling the accept loop, a quick stop, refusals as OperationOutcome, a
second listener, with TLS, beside one without, and workers that go on when one of them cannot start.
"""

import contextlib
import errno
import mmap
import os
import resource
import selectors
import signal
import socket
import ssl
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication

from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.http import errors, wsgi
from gunicorn.workers.gthread import TConn, ThreadWorker

from mock_editor.base import logs
from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.database import begin_request
from mock_editor.base.deadlines import Deadlines
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.exchanges import CHAIN, TLS
from mock_editor.base.fhir import dumps, operation_outcome
from mock_editor.base.http import PROTECTION
from mock_editor.base.restarts import Restarts
from mock_editor.base.threads import Pool, start
from mock_editor.journal import redaction
from mock_editor.settings import Settings
from mock_editor.tls.server import TlsServer, reason, say_goodbye

_BACKLOG = 2048
_LINE_LIMIT = _FIELD_LIMIT = 8190
_PROTECTION = "".join(f"{name}: {value}\r\n" for name, value in PROTECTION)
_FIELDS_LIMIT = 100

# Seconds that running requests get when the server stops: less than gunicorn's kill, which comes without a word.
_GRACE = 4.0
_KILL_AFTER = 5
_ORPHAN_GRACE = 0.5

# How long bytes are still taken from a client after our FIN, so that it reads our answer instead of a reset; and after
# an answer that leaves a body unread, so that its connection can be kept.
_LINGER_SECONDS = 2.0
_DRAIN_SECONDS = 5.0

# How long the last words of a worker may take.
_LAST_SECONDS = 1.0

_DAY = 86_400.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_MOMENT = struct.Struct("d")


# Called with the client's address, method and URL (empty when they could not be read), status and body of the answer
# (None and empty when a handshake failed), and what was wrong.
Refused = Callable[[str, str, str, str, int | None, bytes, str], None]


class _Hooks(NamedTuple):
    """What is called, see ``run``."""

    on_stop: Callable[[], None]
    on_leave: Callable[[], None]
    on_refusal: Refused | None
    daily: Callable[[], None]


class Secured(NamedTuple):
    """A second listener, and what speaks TLS with those who connect to it."""

    listener: socket.socket
    server: TlsServer


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError.

    gunicorn's own way of binding tries five times, a second apart, and logs each failure.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name such as localhost may stand for both: most clients try IPv4.
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)


def run(
    app: WSGIApplication,
    listener: socket.socket,
    settings: Settings,
    on_ready: Callable[[], None],
    in_worker: Callable[[], None] = lambda: None,
    *,
    on_stop: Callable[[], None] = lambda: None,
    on_leave: Callable[[], None] = lambda: None,
    on_refusal: Refused | None = None,
    secured: Secured | None = None,
    daily: Callable[[], None] = lambda: None,
) -> None:
    """Serves ``app`` on ``listener``, which it takes over, until a signal; then leaves with SystemExit.

    It is also served on the one that is ``secured``, which it takes over too. There, the WSGI environment tells the
    client's certificate (base/exchanges.py).

    ``on_ready`` is called once, in the master, when connections are accepted, ``in_worker`` at the start of each
    worker. ``app`` is forked with the workers: what does not survive a fork (SQLite connections) it must open on first
    use, and threads of its own begin in ``in_worker``.

    ``daily`` is called in the master, at the start and then once a day.

    In each worker, ``on_stop`` is called when it begins to stop: requests that wait on purpose are to be woken then.
    ``on_leave`` is called when it ends, and may take a second. ``on_refusal`` is told what the server answers itself,
    before the answer is sent.
    """
    # One descriptor per connection: the usual soft limit of 1024 is below the connections we allow.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listeners = [listener, *([secured.listener] if secured else [])]
    tls = _Tls(secured.listener.getsockname(), secured.server) if secured else None
    options = {
        "worker_class": Worker,
        "bind": [f"fd://{one.detach()}" for one in listeners],
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_connections": settings.connections,
        "keepalive": settings.keepalive,
        "limit_request_line": _LINE_LIMIT,
        "limit_request_fields": _FIELDS_LIMIT,
        "limit_request_field_size": _FIELD_LIMIT,
        # Of the main loop's heartbeat, not of a request.
        "timeout": 120,
        "graceful_timeout": _KILL_AFTER,
        # By default, a local client could set SCRIPT_NAME and the scheme by headers; our URLs come from the settings.
        "forwarded_allow_ips": "",
        "control_socket_disable": True,
        "proc_name": "mock-editor",
        "loglevel": "warning",
        "logconfig_dict": logs.CONFIG,
        "when_ready": lambda _: on_ready(),
        "post_worker_init": lambda _: in_worker(),
        "worker_exit": _leave,
        "child_exit": _Master.ended,
    }
    _Server(app, settings, options, _Hooks(on_stop, on_leave, on_refusal, daily), tls).run()


class _Tls(NamedTuple):
    """The address of the listener with TLS, and what speaks it."""

    address: Any
    server: TlsServer


def _leave(_: Any, worker: Any) -> None:
    """Ends a worker at once: Python itself would wait for every thread of the pool."""
    # gunicorn also calls this in the master, for a worker that it finds gone.
    if worker.pid == os.getpid():
        ending = sys.exc_info()[1]
        # In a thread, because it may hang, and gunicorn's kill comes soon.
        try:
            start("last", worker.app.hooks.on_leave).join(_LAST_SECONDS)
        except EditorError:
            worker.app.hooks.on_leave()
        os._exit(ending.code if isinstance(ending, SystemExit) and isinstance(ending.code, int) else 1)


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn's idea of an application: the configuration and the WSGI callable."""

    def __init__(
        self, app: WSGIApplication, settings: Settings, options: dict[str, Any], hooks: _Hooks, tls: _Tls | None
    ) -> None:
        self._app, self.settings, self._options, self.hooks, self.tls = app, settings, options, hooks, tls
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return self._app

    def run(self) -> None:
        _Master(self).run()


class _Master(Arbiter):  # type: ignore[misc]
    """The parent of the workers. A second Ctrl-C while it stops ends it at once (gunicorn's "quick shutdown")."""

    # Stock SIGINT cuts running requests; Ctrl-C is to stop like SIGTERM. So is a terminal that closes: there is no
    # configuration file to be read again.
    handle_int = handle_hup = Arbiter.handle_term

    # Stock ends the whole server for one worker that leaves with one of these codes: here, none does.
    WORKER_BOOT_ERROR = APP_LOAD_ERROR = -1

    def __init__(self, app: _Server) -> None:
        super().__init__(app)
        self._restarts = Restarts()
        self._has_served = self._stopping = False
        self._refused_starts = 0
        self._next_day = time.monotonic()

    def manage_workers(self) -> None:
        super().manage_workers()
        if time.monotonic() >= self._next_day:
            self._next_day += _DAY
            try:
                self.app.hooks.daily()
            except Exception:
                self.log.exception("What is done once a day failed")  # it is no reason to end the server

    def init_signals(self) -> None:
        super().init_signals()
        # Whoever has us run may have kept them back until there was somebody to take them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_STOP_SIGNALS, signal.SIGHUP))

    def stop(self, graceful: bool = True) -> None:
        self._stopping = True
        super().stop(graceful)

    def spawn_workers(self) -> None:
        if not self._restarts.pause:
            super().spawn_workers()

    def spawn_worker(self) -> Any:
        # A signal between the fork and the worker's own handlers would be lost, and the stop take until the kill.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        try:
            return super().spawn_worker()
        except (OSError, MemoryError) as error:
            # The system gives no more processes, or files.
            self._missed(None, _why(error))
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)

    def ended(self, worker: "Worker") -> None:
        """Called for each worker that has ended."""
        if not self._stopping:
            self._missed(worker.report.served, worker.report.why)

    def _missed(self, served: float | None, why: str) -> None:
        """Has a worker that is not there be replaced, sooner or later; or ends a server that could never start.

        Raises HaltServer.
        """
        self._has_served |= served is not None or any(one.report.served is not None for one in self.WORKERS.values())
        if not self._has_served and why:
            self._refused_starts += 1
            if self._refused_starts >= self.num_workers:
                raise HaltServer(f"the server cannot start: {why}", 1)
        self._restarts.ended(served)
        pause = self._restarts.pause
        if pause:
            what = "could not start" if served is None else f"has ended {served:.1f} s after its start"
            text = "A worker %s%s; %d others go on, and it is tried again in %.1f s"
            self.log.warning(text, what, f": {why}" if why else "", len(self.WORKERS), pause)


class _Report:
    """What its parent gets to know of a worker that has ended, in memory that both share."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)

    def serves(self) -> None:
        """Says that the worker answers requests from now on."""
        _MOMENT.pack_into(self._shared, 0, time.monotonic())

    def fails(self, why: str) -> None:
        """Says why it cannot start."""
        text = why.encode("utf-8", "replace")[: mmap.PAGESIZE - _MOMENT.size]
        self._shared[_MOMENT.size : _MOMENT.size + len(text)] = text

    @property
    def served(self) -> float | None:
        """For how many seconds it has answered requests by now; None if it never did."""
        [since] = _MOMENT.unpack_from(self._shared)
        return time.monotonic() - since if since else None

    @property
    def why(self) -> str:
        """Why it could not start; empty if it did not say."""
        return self._shared[_MOMENT.size :].rstrip(b"\0").decode("utf-8", "replace")


class _Connection(TConn):  # type: ignore[misc]
    """One client's connection, from accept to close.

    For TLS, ``sock`` is the wrapped one from the start: stock wraps it in ``init``, which leaves whoever watches it
    with a socket that has no descriptor any more.
    """

    # With TLS, the client's certificate in DER: None until hands are shaken, empty if it has none; and those above it.
    certificate: bytes | None = None
    chain: Sequence[bytes] | None = ()
    # A deadline shut its reading side: "the end" read from it is ours, not the client's.
    cut = False


class _Response(wsgi.Response):  # type: ignore[misc]
    """An answer on its way out. The client has ``seconds`` to take each piece."""

    def __init__(self, req: Any, sock: socket.socket, cfg: Any, seconds: float) -> None:
        super().__init__(req, sock, cfg)
        self._seconds = seconds

    def default_headers(self) -> list[str]:
        # Nobody's business what serves: scanners look for it, and real editors are something else.
        return [line for line in super().default_headers() if not line.startswith("Server:")]

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        super().process_headers(headers)
        # Stock drops this header, and then keeps the connection.
        if any(name.lower() == "connection" and value.strip().lower() == "close" for name, value in headers):
            self.force_close()

    def write(self, arg: bytes) -> None:
        with _taking(self.sock, self._seconds):
            super().write(arg)

    def close(self) -> None:
        with _taking(self.sock, self._seconds):
            super().close()


@contextlib.contextmanager
def _taking(sock: socket.socket, seconds: float) -> Iterator[None]:
    """Gives the client ``seconds`` for each call that sends. Raises EPIPE when it does not take it, or is gone."""
    sock.settimeout(seconds)
    try:
        yield
    except OSError as error:
        # The system would go on offering what is left for minutes: closing is to reset.
        _reset(sock)
        raise BrokenPipeError(errno.EPIPE, "The client does not take the answer") from error
    finally:
        sock.settimeout(None)


def _reset(sock: socket.socket) -> None:
    """Has the connection end with a reset when it is closed, and with nothing of what was not sent yet."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _decrypted(sock: socket.socket) -> int:
    """How many bytes TLS has that the system does not show any more."""
    return sock.pending() if isinstance(sock, ssl.SSLSocket) else 0


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process with one loop, which only waits on sockets, and a pool of threads, one per request being handled.

    A connection is at any moment either with a thread, or with the loop in one of three queues, each in the order of
    its time-outs: waiting for its first request, kept for a next one, or lingering after our end of it was closed.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.report = _Report()  # before the fork

    def init_process(self) -> None:
        try:
            self.settings: Settings = self.app.settings
            self.lingering_conns: deque[_Connection] = deque()
            self.deadlines = Deadlines()
            self.deadlines.start()
            super().init_process()
        except Exception as error:
            if not self.booted:
                self.report.fails(_why(error))
                # What is wrong outside is said in a line, by the parent; a mistake of ours with its traceback.
                if isinstance(error, EditorError | OSError | MemoryError):
                    sys.exit(1)
            raise

    def get_thread_pool(self) -> Pool:
        return Pool(self.cfg.threads, "request")

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGINT, self.handle_exit)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)

    # --- the loop

    def run(self) -> None:
        self.report.serves()
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        while self.alive and self.is_parent_alive():
            self.notify()
            self.set_accept_enabled(self.nr_conns < self.worker_connections)
            self.wait_for_and_dispatch_events(timeout=1.0)
            self._close_expired(time.monotonic())
        self._stop()

    def _stop(self) -> None:
        """Lets running requests finish, for a while; everything else ends now."""
        until = time.monotonic() + (_GRACE if self.is_parent_alive() else _ORPHAN_GRACE)
        self.alive = False
        # Not in handle_exit, where a lock may be held.
        self.app.hooks.on_stop()
        self.wait_for_and_dispatch_events(timeout=0)  # a request that is already there still gets its answer
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        self._close_expired(float("inf"))
        while self.nr_conns > len(self.lingering_conns) and time.monotonic() < until:
            self.wait_for_and_dispatch_events(timeout=until - time.monotonic())

    def accept(self, listener: Any) -> None:
        """Leaves a new connection to the poller: stock waits for its first byte in a thread of the pool."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # Stock lets the worker die of it. As many connections as now is what this process can hold.
                self.worker_connections = max(self.nr_conns, 1)
                self.log.warning("No more descriptors: %d connections at most from now on", self.worker_connections)
            return
        address = listener.getsockname()
        if self.app.tls and address == self.app.tls.address:
            try:
                sock = self.app.tls.server.wrap(sock)
            except OSError:
                sock.close()  # it is gone already
                return
        self.nr_conns += 1
        conn = _Connection(self.cfg, sock, client, address)
        self._park(conn, self.pending_conns, self.settings.header_timeout, self.on_pending_socket_readable)

    def enqueue_req(self, conn: _Connection) -> None:
        self.tpool.submit(self._serve, conn)

    def finish_request(self, conn: _Connection, reusable: bool) -> None:
        """Takes a connection back from its thread."""
        if not reusable or not self.alive:
            self._linger(conn)
        elif conn.parser is None:
            # Hands are shaken, which was not the request yet.
            self._park(conn, self.pending_conns, self.settings.header_timeout, self.on_pending_socket_readable)
        elif conn.parser.unreader.buf.getvalue() or _decrypted(conn.sock):
            self.enqueue_req(conn)  # the next request has been read with the last one: the poller would not see it
        else:
            self._park(conn, self.keepalived_conns, self.cfg.keepalive, self.on_client_socket_readable)

    def _park(self, conn: _Connection, queue: Any, seconds: float, on_readable: Callable[..., None]) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + seconds
        queue.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(on_readable, conn))

    def _linger(self, conn: _Connection) -> None:
        """Sends FIN, then waits for the client's: closing on unread bytes resets, and may take our answer with it.

        Stock does this on the loop too, but blocking: three clients that do not close stall everyone for 6 s.
        """
        if conn.certificate is not None:
            say_goodbye(conn.sock)
        try:
            socket.socket.shutdown(conn.sock, socket.SHUT_WR)
        except OSError:
            self._forget(conn)
            return
        self._park(conn, self.lingering_conns, _LINGER_SECONDS, self._drain)
        if conn.cut:
            self.poller.unregister(conn.sock)  # it would be readable, with nothing to read, all the time

    def _drain(self, conn: _Connection, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if socket.socket.recv(sock, 64 * 1024):
                return
        self.poller.unregister(sock)
        self.lingering_conns.remove(conn)
        self._forget(conn)

    def _close_expired(self, now: float) -> None:
        for queue in (self.pending_conns, self.keepalived_conns, self.lingering_conns):
            while queue and queue[0].timeout <= now:
                conn = queue.popleft()
                with contextlib.suppress(KeyError):
                    self.poller.unregister(conn.sock)
                if conn.certificate is not None and queue is not self.lingering_conns:
                    say_goodbye(conn.sock)
                self._forget(conn)

    def _forget(self, conn: _Connection) -> None:
        """The one place where a connection ends, so that it is counted once."""
        self.nr_conns -= 1
        conn.close()

    # --- in a thread of the pool

    def _serve(self, conn: _Connection) -> None:
        reusable = False
        try:
            reusable = self.handle(conn)
        finally:
            self.method_queue.defer(self.finish_request, conn, reusable)

    def handle(self, conn: _Connection) -> bool:
        """Handles the next request of a connection; says whether it may bring another."""
        req = None
        try:
            if isinstance(conn.sock, ssl.SSLSocket) and conn.certificate is None:
                self._shake_hands(conn)
                if not _decrypted(conn.sock):
                    return True
            req = self._read_head(conn)
            return self.handle_request(req, conn) and self._read_rest(conn)
        except StopIteration:
            self.log.debug("The client has ended the connection")
        except OSError as error:
            self.log.debug("The connection broke: %s", error)
        except Exception as error:
            self.handle_error(req, conn.sock, conn.client, error, told=False)
        return False

    def _shake_hands(self, conn: _Connection) -> None:
        """Begins to speak TLS. Raises OSError, and StopIteration for a client that has left without a word."""
        # Whoever only looks if somebody listens, as load balancers do, fails at nothing.
        if not socket.socket.recv(conn.sock, 1, socket.MSG_PEEK):
            raise StopIteration
        conn.sock.setblocking(True)
        seconds = self.settings.header_timeout
        try:
            with self.deadlines.watch(conn.sock, seconds) as watch:
                conn.certificate, conn.chain = self.app.tls.server.shake_hands(conn.sock)
        except OSError as error:
            text = f"it did not end within {seconds:g} s" if watch.expired else reason(error)
            told = f"The TLS handshake failed: {text}"
            self.log.warning("%s: %s", conn.client[0], told)
            if self.app.hooks.on_refusal:
                self.app.hooks.on_refusal(_peer(conn.client), _origin(conn.sock), "", "", None, b"", told)
            raise

    def _read_head(self, conn: _Connection) -> Any:
        """The next request, its body still unread.

        Raises StopIteration when there is none, OSError when the connection broke, 408 when it takes too long and
        gunicorn's ParseException when it cannot be.
        """
        conn.sock.setblocking(True)
        seconds = self.settings.header_timeout
        with self.deadlines.watch(conn.sock, seconds) as watch:
            try:
                conn.init()
                req = next(conn.parser)
            except (StopIteration, OSError):
                if not watch.expired:
                    raise
        if watch.expired:
            conn.cut = True
            raise EditorError(408, [Issue("timeout", f"The head of the request did not arrive within {seconds:g} s")])
        return req

    def handle_request(self, req: Any, conn: _Connection) -> bool:
        """Has the application answer; says whether the connection may be kept."""
        begin_request()
        seconds = self.settings.write_timeout
        with _taking(conn.sock, seconds):  # it may send "100 Continue"
            resp, environ = wsgi.create(
                req, conn.sock, conn.client, conn.server, self.cfg, response_class=_Response, response_args=(seconds,)
            )
        environ["wsgi.multithread"] = True
        # Flask finds its way so: whoever stands before it, and lets in by the path, has to see the same one.
        environ["PATH_INFO"] = f"/{environ['PATH_INFO'].lstrip('/')}"
        if conn.certificate is not None:
            environ["wsgi.url_scheme"], environ[TLS], environ[CHAIN] = "https", conn.certificate, conn.chain
        environ["mock_editor.deadlines"] = self.deadlines
        try:
            self._answer(environ, resp)
        except (BrokenPipeError, ConnectionResetError, errors.NoMoreData):
            raise  # the client's, where any other OSError is the application's: it could not open a file, say
        except Exception as error:
            if not resp.headers_sent:
                self.handle_error(req, conn.sock, conn.client, error)
            else:
                url = redaction.url(req.uri, fhir=False)
                self.log.error("Failed in the middle of answering %s %s", req.method, url, exc_info=error)
            return False
        finally:
            # read_body shuts the reading side before such an answer.
            conn.cut = resp.status is not None and resp.status_code == HTTPStatus.REQUEST_TIMEOUT
        return not resp.should_close()

    def _answer(self, environ: dict[str, Any], resp: _Response) -> None:
        pieces = self.wsgi(environ, resp.start_response)
        # Asked now, because stock tells a client to go on when the stop comes while the application works.
        if not self.alive or len(self.keepalived_conns) >= self.max_keepalived:
            resp.force_close()
        try:
            for piece in pieces:
                resp.write(piece)
            resp.close()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _read_rest(self, conn: _Connection) -> bool:
        """Reads past what the application left of the body; says whether that worked (64 kB at most)."""
        try:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + _DRAIN_SECONDS))
        except errors.ParseException:
            return False  # the request has its answer: no second one

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception, *, told: bool = True) -> None:
        """Answers with an OperationOutcome what did not reach the application, or what it failed on.

        ``told`` says that the application has seen the request, and whoever stands around it knows what came of it.
        """
        status, issues = _refusal(exc)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            url = redaction.url(getattr(req, "uri", "?"), fhir=False)
            self.log.error("Failed on %s %s", getattr(req, "method", "?"), url, exc_info=exc)
        else:
            self.log.warning("Refused a request of %s: %d, %s", addr[0], status, issues[0].diagnostics)
        body = dumps(operation_outcome(issues))
        if self.app.hooks.on_refusal and not told:
            method, url = getattr(req, "method", ""), getattr(req, "uri", "")
            self.app.hooks.on_refusal(_peer(addr), _origin(client), method, url, status, body, issues[0].diagnostics)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {util.http_date()}\r\nConnection: close\r\n"
            f"Content-Type: {FHIR_JSON}\r\nContent-Length: {len(body)}\r\n{_PROTECTION}\r\n"
        )
        with contextlib.suppress(BrokenPipeError), _taking(client, self.settings.write_timeout):
            client.sendall(head.encode("ascii") + (b"" if getattr(req, "method", "") == "HEAD" else body))


def _peer(address: Any) -> str:
    return f"{address[0]}:{address[1]}"


def _origin(sock: socket.socket) -> str:
    """Where a connection came in, as a URL; empty when that is not known any more."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return ""
    scheme = "https" if isinstance(sock, ssl.SSLSocket) else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _why(error: Exception) -> str:
    return error.text if isinstance(error, EditorError) else f"{type(error).__name__}: {error}"


def _refusal(error: Exception) -> tuple[int, list[Issue]]:
    """The status and the words for what went wrong."""
    match error:
        case EditorError():
            return error.status, list(error.issues)
        case errors.LimitRequestLine():
            return 414, [Issue("too-long", f"The request line is longer than {_LINE_LIMIT} bytes")]
        case errors.LimitRequestHeaders():
            text = f"There are more than {_FIELDS_LIMIT} headers, or one is longer than {_FIELD_LIMIT} bytes"
            return 431, [Issue("too-long", text)]
        case errors.UnsupportedTransferCoding():
            return 501, [Issue("not-supported", str(error)[:200])]
        case errors.ExpectationFailed():
            return 417, [Issue("not-supported", str(error)[:200])]
        # Headers of our own answer: not the client's fault, though gunicorn derives them from those that are.
        case errors.InvalidResponseHeader() | errors.InvalidResponseHeaderName():
            return 500, [Issue("exception", "The simulator made an answer that cannot be sent")]
        case errors.ParseException():
            return 400, [Issue("structure", str(error)[:200])]
        case _:
            return 500, [Issue("exception", "The simulator failed on this request; its log says why")]

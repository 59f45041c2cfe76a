"""Starting the server: its listeners, gunicorn's configuration, and the parent that keeps workers running."""

import contextlib
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from mock_editor.base import logs
from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Issue
from mock_editor.base.restarts import Restarts
from mock_editor.base.threads import start
from mock_editor.server.loop import KILL_MARGIN, STOP_SIGNALS
from mock_editor.server.refusals import FIELD_LIMIT, FIELDS_LIMIT, LINE_LIMIT, reason
from mock_editor.server.worker import Worker
from mock_editor.settings import Settings
from mock_editor.tls.server import TlsServer

_BACKLOG = 2048
# Seconds that ``on_exit`` may take.
_EXIT_SECONDS = 1.0
_DAY = 86_400.0

# Called with the client's address, the origin of the listener, the method and URL (empty if unreadable), the status and
# body of the answer (None and empty when a handshake failed), and what was wrong.
OnRefusal = Callable[[str, str, str, str, int | None, bytes, Issue], None]


class _Hooks(NamedTuple):
    """What is called, see ``run``."""

    on_stop: Callable[[], None]
    on_exit: Callable[[], None]
    on_refusal: OnRefusal | None
    daily: Callable[[], None]


class SecureListener(NamedTuple):
    """A second listener, and what speaks TLS with the clients that connect to it."""

    listener: socket.socket
    server: TlsServer


class _Tls(NamedTuple):
    """The address of the listener with TLS, and what speaks it."""

    address: Any
    server: TlsServer


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError.

    gunicorn's own way of binding tries five times, a second apart, and logs each failure.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name such as localhost may stand for both families: most clients try IPv4.
    family, _, _, _, address = min(addresses, key=lambda info: info[0] != socket.AF_INET)
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)


def run(
    app: WSGIApplication,
    listener: socket.socket,
    settings: Settings,
    on_ready: Callable[[], None],
    on_start: Callable[[], None] = lambda: None,
    *,
    on_stop: Callable[[], None] = lambda: None,
    on_exit: Callable[[], None] = lambda: None,
    on_refusal: OnRefusal | None = None,
    secure: SecureListener | None = None,
    daily: Callable[[], None] = lambda: None,
    grace: int = 4,
) -> None:
    """Serves ``app`` on ``listener``, which it takes over, until a signal; then leaves with SystemExit.

    The listener of ``secure`` is taken over and served too. There, the WSGI environment holds the client's certificate
    (base/exchanges.py).

    In the parent, ``on_ready`` is called once, when connections are accepted, and ``daily`` at the start and then once
    a day. ``app`` is forked with the workers: it must open what does not survive a fork (SQLite connections) on first
    use, and start its threads in ``on_start``.

    In each worker, ``on_start`` is called at the start; ``on_stop`` when it begins to stop: requests that wait on
    purpose are to be woken then; ``on_exit`` when it ends, which may take a second. ``on_refusal`` is called with what
    the server answers by itself, before the answer is sent. ``grace`` is how many seconds running requests get then.
    """
    # One descriptor per connection: the usual soft limit of 1024 is below the connections that we allow.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listeners = [listener, *([secure.listener] if secure else [])]
    tls = _Tls(secure.listener.getsockname(), secure.server) if secure else None
    options = {
        "worker_class": Worker,
        "bind": [f"fd://{listener.detach()}" for listener in listeners],
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_connections": settings.connections,
        "keepalive": settings.keepalive,
        "limit_request_line": LINE_LIMIT,
        "limit_request_fields": FIELDS_LIMIT,
        "limit_request_field_size": FIELD_LIMIT,
        # Of the main loop's heartbeat, not of a request.
        "timeout": 120,
        # Then gunicorn kills a worker, without warning.
        "graceful_timeout": grace + KILL_MARGIN,
        # By default, a local client could set SCRIPT_NAME and the scheme by headers; our URLs come from the settings.
        "forwarded_allow_ips": "",
        "control_socket_disable": True,
        "proc_name": "mock-editor",
        "loglevel": "warning",
        "logconfig_dict": logs.CONFIG,
        "when_ready": lambda _: on_ready(),
        "post_worker_init": lambda _: on_start(),
        "worker_exit": _exit,
        "child_exit": _Arbiter.worker_ended,
    }
    _Application(app, settings, options, _Hooks(on_stop, on_exit, on_refusal, daily), tls).run()


def _exit(_: Any, worker: Any) -> None:
    """Ends a worker at once: Python itself would wait for every thread of the pool."""
    # gunicorn also calls this in the parent, for a worker that has gone.
    if worker.pid == os.getpid():
        ending = sys.exc_info()[1]
        # In a thread, because it may hang, and gunicorn's kill comes soon.
        try:
            start("exit", worker.app.hooks.on_exit).join(_EXIT_SECONDS)
        except EditorError:
            worker.app.hooks.on_exit()
        os._exit(ending.code if isinstance(ending, SystemExit) and isinstance(ending.code, int) else 1)


class _Application(BaseApplication):  # type: ignore[misc]
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
        _Arbiter(self).run()


class _Arbiter(Arbiter):  # type: ignore[misc]
    """The parent of the workers. A second Ctrl-C during the stop ends it at once (gunicorn's "quick shutdown")."""

    # Stock SIGINT cuts running requests; here Ctrl-C stops like SIGTERM. So does a terminal that closes: there is no
    # configuration file to read again.
    handle_int = handle_hup = Arbiter.handle_term

    # Stock ends the whole server when one worker exits with one of these codes: here, no worker does.
    WORKER_BOOT_ERROR = APP_LOAD_ERROR = -1

    def __init__(self, app: _Application) -> None:
        super().__init__(app)
        self._restarts = Restarts()
        self._has_served = self._stopping = False
        self._failed_starts = 0
        self._next_day = time.monotonic()

    def manage_workers(self) -> None:
        super().manage_workers()
        if time.monotonic() >= self._next_day:
            self._next_day += _DAY
            try:
                self.app.hooks.daily()
            except Exception:
                self.log.exception("What is done once a day failed")  # no reason to end the server

    def init_signals(self) -> None:
        super().init_signals()
        # The process that started us may have blocked them until there was somebody to take them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOP_SIGNALS, signal.SIGHUP))

    def stop(self, graceful: bool = True) -> None:
        self._stopping = True
        super().stop(graceful)

    def spawn_workers(self) -> None:
        if not self._restarts.pause:
            super().spawn_workers()

    def spawn_worker(self) -> Any:
        # A signal between the fork and the worker's own handlers would be lost, and the stop would last until the kill.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            return super().spawn_worker()
        except (OSError, MemoryError) as error:
            # The system gives no more processes, or files.
            self._worker_missing(None, reason(error))
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def worker_ended(self, worker: Worker) -> None:
        """Called for each worker that has ended."""
        if not self._stopping:
            self._worker_missing(worker.status.served, worker.status.reason)

    def _worker_missing(self, served: float | None, why: str) -> None:
        """Plans when a missing worker is replaced; ends a server of which no worker could ever start.

        Raises HaltServer.
        """
        others = self.WORKERS.values()
        self._has_served |= served is not None or any(worker.status.served is not None for worker in others)
        if not self._has_served and why:
            self._failed_starts += 1
            if self._failed_starts >= self.num_workers:
                raise HaltServer(f"the server cannot start: {why}", 1)
        self._restarts.ended(served)
        pause = self._restarts.pause
        if pause:
            what = "could not start" if served is None else f"has ended {served:.1f} s after its start"
            text = "A worker %s%s; %d others go on, and it is tried again in %.1f s"
            self.log.warning(text, what, f": {why}" if why else "", len(self.WORKERS), pause)

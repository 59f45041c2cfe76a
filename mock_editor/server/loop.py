"""The worker's main loop: it only waits on sockets, and hands requests to a pool of threads."""

import contextlib
import errno
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from mock_editor.base.deadlines import Deadlines
from mock_editor.base.errors import EditorError
from mock_editor.base.threads import Pool
from mock_editor.server.connections import Connection, decrypted
from mock_editor.server.refusals import reason
from mock_editor.server.status import WorkerStatus
from mock_editor.settings import Settings
from mock_editor.tls.server import say_goodbye

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

# Seconds between the end of a worker's patience with running requests, and gunicorn's kill.
KILL_MARGIN = 1
# A worker without a parent stops sooner.
_ORPHAN_GRACE = 0.5

# How long bytes are still taken from a client after our FIN, so that it reads our answer and not a reset.
_LINGER_SECONDS = 2.0


class PollingWorker(ThreadWorker):  # type: ignore[misc]
    """A process with one loop, which only waits on sockets, and a pool of threads, one per request being handled.

    A connection is at any moment either with a thread, or with the loop in one of three queues, each in the order of
    its deadlines: waiting for its first request, kept alive for the next one, or lingering after we closed our end.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.status = WorkerStatus()  # before the fork

    def init_process(self) -> None:
        try:
            self.settings: Settings = self.app.settings
            self.lingering_conns: deque[Connection] = deque()
            self.deadlines = Deadlines()
            self.deadlines.start()
            super().init_process()
        except Exception as error:
            if not self.booted:
                self.status.fails(reason(error))
                # The parent reports trouble with the system in one line; a mistake of ours shows its traceback.
                if isinstance(error, EditorError | OSError | MemoryError):
                    sys.exit(1)
            raise

    def get_thread_pool(self) -> Pool:
        return Pool(self.cfg.threads, "request")

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGINT, self.handle_exit)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def run(self) -> None:
        self.status.serves()
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        while self.alive and self.is_parent_alive():
            self.notify()
            self.set_accept_enabled(self.nr_conns < self.worker_connections)
            self.wait_for_and_dispatch_events(timeout=1.0)
            self._close_expired(time.monotonic())
        self._stop()

    def _stop(self) -> None:
        """Lets running requests finish, for a while; everything else ends now."""
        until = time.monotonic() + (
            self.cfg.graceful_timeout - KILL_MARGIN if self.is_parent_alive() else _ORPHAN_GRACE
        )
        self.alive = False
        # Not in handle_exit, where a lock may be held.
        self.app.hooks.on_stop()
        self.wait_for_and_dispatch_events(timeout=0)  # a request that has already arrived still gets its answer
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
                # Stock lets the worker die of it. This process can hold as many connections as it has now.
                self.worker_connections = max(self.nr_conns, 1)
                self.log.warning("No more descriptors: %d connections at most from now on", self.worker_connections)
            return
        address = listener.getsockname()
        if self.app.tls and address == self.app.tls.address:
            try:
                sock = self.app.tls.server.wrap(sock)
            except OSError:
                sock.close()  # the client has already gone
                return
        self.nr_conns += 1
        conn = Connection(self.cfg, sock, client, address)
        self._await_bytes(conn, self.pending_conns, self.settings.header_timeout, self.on_pending_socket_readable)

    def enqueue_req(self, conn: Connection) -> None:
        self.tpool.submit(self._run_in_thread, conn)

    def _run_in_thread(self, conn: Connection) -> None:
        reusable = False
        try:
            reusable = self.handle(conn)
        finally:
            self.method_queue.defer(self.finish_request, conn, reusable)

    def finish_request(self, conn: Connection, reusable: bool) -> None:
        """Takes a connection back from its thread."""
        if not reusable or not self.alive:
            self._linger(conn)
        elif conn.parser is None:
            # The handshake is done; the request is still to come.
            self._await_bytes(conn, self.pending_conns, self.settings.header_timeout, self.on_pending_socket_readable)
        elif conn.parser.unreader.buf.getvalue() or decrypted(conn.sock):
            self.enqueue_req(conn)  # the next request was read with the last one: the poller would not see it
        else:
            self._await_bytes(conn, self.keepalived_conns, self.cfg.keepalive, self.on_client_socket_readable)

    def _await_bytes(self, conn: Connection, queue: Any, seconds: float, on_readable: Callable[..., None]) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + seconds
        queue.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(on_readable, conn))

    def _linger(self, conn: Connection) -> None:
        """Sends FIN, then waits for the client's: closing on unread bytes resets, and may take our answer with it.

        Stock does this on the loop too, but blocking: three clients that do not close stall everyone for 6 s.
        """
        if conn.certificate is not None:
            say_goodbye(conn.sock)
        try:
            socket.socket.shutdown(conn.sock, socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        self._await_bytes(conn, self.lingering_conns, _LINGER_SECONDS, self._drain)
        if conn.cut:
            self.poller.unregister(conn.sock)  # it would be readable all the time, with nothing to read

    def _drain(self, conn: Connection, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if socket.socket.recv(sock, 64 * 1024):
                return
        self.poller.unregister(sock)
        self.lingering_conns.remove(conn)
        self._close(conn)

    def _close_expired(self, now: float) -> None:
        for queue in (self.pending_conns, self.keepalived_conns, self.lingering_conns):
            while queue and queue[0].timeout <= now:
                conn = queue.popleft()
                with contextlib.suppress(KeyError):
                    self.poller.unregister(conn.sock)
                if conn.certificate is not None and queue is not self.lingering_conns:
                    say_goodbye(conn.sock)
                self._close(conn)

    def _close(self, conn: Connection) -> None:
        """Ends a connection. Nothing else does, so that each is counted once."""
        self.nr_conns -= 1
        conn.close()

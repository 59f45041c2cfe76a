"""An HTTP/1.1 load client that costs little: one thread, raw sockets kept alive, one buffer for all answers."""

import contextlib
import re
import selectors
import socket
import ssl
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

_BUFFER = 1024 * 1024
_LARGEST_HEAD = 16 * 1024
_PATIENCE = 60.0  # seconds without any byte from the server
_HEAD = re.compile(rb"HTTP/1\.1 20[01] .*?\r\nContent-Length: *(\d+)\r\n", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Load:
    """What one run measured. ``received`` counts the bytes of the bodies, latencies are in milliseconds.

    ``busy`` is the share of the time that the client itself computed: well below 1, it was not the bottleneck.
    """

    answers: int
    received: int
    errors: int
    per_second: float
    p50: float
    p99: float
    busy: float


class _Connection:
    """One connection and the answer that is arriving on it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sent_at = 0.0
        self.size = 0  # of the answer's body
        self._head = b""
        self._missing = -1

    def ask(self, request: bytes) -> None:
        """Sends a request; it has to fit in the socket's buffer, which is far larger."""
        self._head, self._missing = b"", -1
        self.sent_at = time.perf_counter()
        if self.sock.send(request) != len(request):
            raise ConnectionError("the server does not take the request")

    def take(self, buffer: memoryview, size: int | None) -> bool:
        """Takes what has arrived; says whether the answer is complete. Raises ConnectionError for a wrong one."""
        try:
            received = self.sock.recv_into(buffer)
        except ssl.SSLWantReadError:
            return False  # what has arrived is no whole record, or none of the answer
        if not received:
            raise ConnectionError("the server has closed the connection")
        if self._missing >= 0:
            self._missing -= received
        else:
            before = len(self._head)
            self._head += buffer[: min(received, _LARGEST_HEAD)]
            end = self._head.find(b"\r\n\r\n") + 4
            if end < 4 and len(self._head) < _LARGEST_HEAD:
                return False
            found = _HEAD.match(self._head, 0, end)
            self.size = int(found[1]) if found else -1
            if self.size < 0 or (size is not None and self.size != size):
                raise ConnectionError(f"wrong answer: {self._head[:300]!r}")
            self._missing = self.size - (before + received - end)
        if self._missing < 0:
            raise ConnectionError("more bytes than announced")
        return self._missing == 0


def run(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int = 1,
    seconds: float = 600.0,
    size: int | None = None,
    context: ssl.SSLContext | None = None,
) -> Load:
    """Sends ``requests`` to a server on this machine until they or the ``seconds`` are used up; with TLS by a context.

    Every connection sends the next request when its last answer is complete. An answer other than 200 or 201, or
    not of ``size`` bytes, is an error and ends its connection. Raises TimeoutError when the server falls silent.
    """
    buffer = memoryview(bytearray(_BUFFER))
    latencies: list[float] = []
    received = errors = 0
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        waiting = []
        for _ in range(connections):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), _PATIENCE))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                sock = stack.enter_context(context.wrap_socket(sock, server_hostname="127.0.0.1"))
            sock.setblocking(False)
            waiting.append(_Connection(sock))
        computed, begin = time.process_time(), time.perf_counter()
        for connection in waiting:
            if request := next(requests, None):
                selector.register(connection.sock, selectors.EVENT_READ, connection)
                connection.ask(request)
        finish = begin
        while selector.get_map():
            events = selector.select(_PATIENCE)
            if not events:
                raise TimeoutError(f"nothing from the server for {_PATIENCE:g} s")
            for key, _ in events:
                connection = key.data
                try:
                    if not connection.take(buffer, size):
                        continue
                    finish = time.perf_counter()
                    latencies.append(finish - connection.sent_at)
                    received += connection.size
                    request = next(requests, None) if finish - begin < seconds else None
                    if request:
                        connection.ask(request)
                    else:
                        selector.unregister(connection.sock)
                except OSError as error:
                    print(f"error: {error}")
                    errors += 1
                    selector.unregister(connection.sock)
        busy = time.process_time() - computed
    if len(latencies) < 2:
        raise ConnectionError(f"{len(latencies)} answers: nothing to measure")
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    elapsed = finish - begin
    return Load(
        len(latencies), received, errors, len(latencies) / elapsed, cuts[49] * 1e3, cuts[98] * 1e3, busy / elapsed
    )

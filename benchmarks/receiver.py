"""``python -m benchmarks.receiver STATUS``: answers whatever is posted or put, at once, and tells when it came.

A SAS that costs next to nothing: raw sockets, one thread. ``GET /N`` answers with a JSON list: when each request was
there as a whole, on the clock of ``time.perf_counter``, from the one numbered N on.
"""

import json
import re
import selectors
import socket
import sys
import time

_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)
_ASKED = re.compile(rb"GET /(\d+) ")


class _Connection:
    """One client's connection; ``status`` is what it is answered."""

    def __init__(self, sock: socket.socket, status: int, arrivals: list[float]) -> None:
        self._sock = sock
        self._arrivals = arrivals
        self._answer = _written(status, b"{}")
        self._buffer = b""

    def take(self) -> bool:
        """Takes what has come, and answers what is complete; says whether the connection goes on."""
        try:
            received = self._sock.recv(65536)
            self._buffer += received
            while (end := self._buffer.find(b"\r\n\r\n") + 4) >= 4:
                length = _LENGTH.search(self._buffer, 0, end)
                end += int(length[1]) if length else 0
                if len(self._buffer) < end:
                    break
                self._sock.sendall(self._answered())
                self._buffer = self._buffer[end:]
        except OSError:
            return False
        return bool(received)

    def close(self) -> None:
        """Ends it."""
        self._sock.close()

    def _answered(self) -> bytes:
        if asked := _ASKED.match(self._buffer):
            return _written(200, json.dumps(self._arrivals[int(asked[1]) :]).encode())
        self._arrivals.append(time.perf_counter())
        return self._answer


def _written(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Told\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def main() -> None:
    """Serves on a free port until killed."""
    status, arrivals = int(sys.argv[1]), list[float]()
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        print(f"receiver on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    sock, _ = listener.accept()
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(sock, selectors.EVENT_READ, _Connection(sock, status, arrivals))
                elif not key.data.take():
                    selector.unregister(key.fileobj)
                    key.data.close()


if __name__ == "__main__":
    main()

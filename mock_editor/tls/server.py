"""The server's side of TLS: its context, and handshakes."""

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.sockets import reset_on_close
from mock_editor.tls.certificates import MOST_CLIENTS, MOST_IN_CHAIN
from mock_editor.tls.errors import HandshakeRefusedError, TlsError, reason_of
from mock_editor.tls.trust import WatchedFile

_log = logging.getLogger(__name__)

# While this is on, the system keeps what is written to itself.
_HOLD_BACK: int | None = getattr(socket, "TCP_CORK", None)
_PROTOCOLS = ["http/1.1"]
# How long a session can be resumed, in seconds, and how many tickets for that a handshake gives (TLS 1.3).
_SESSION_SECONDS = 3600
_TICKETS = 1

Chain = tuple[bytes, ...]


class TlsServer:
    """Speaks TLS 1.2 and 1.3 with clients, and asks for a certificate of ``authorities``, which is optional.

    Before the handshake ends, ``refusal`` gets the certificate (empty without one) and the chain that came with it, in
    DER; if it returns why the client is refused, the connection is reset. ``now`` is in seconds. Raises TlsError.

    Sessions are resumed with the context that they began with, and a resumed handshake checks nothing again. So a
    context is used for an hour at most, and replaced as soon as a file has changed. All workers share the first one;
    later, each process has its own.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path | None,
        authorities: Path,
        *,
        refusal: Callable[[bytes, Sequence[bytes] | None], Issue | None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refusal = refusal
        self._now = now
        self._certificate, self._key, self._authorities = certificate, key, authorities
        self._files = [WatchedFile(file) for file in (certificate, key, authorities) if file]
        self._making = threading.Lock()
        self._context = self._make_context()
        self._until = now() + _SESSION_SECONDS
        self._chains: dict[bytes, Chain] = {}

    def _make_context(self) -> ssl.SSLContext:
        """A context. Raises TlsError."""
        certificate, key, authorities = self._certificate, self._key, self._authorities
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.num_tickets = _TICKETS
        context.verify_mode = ssl.CERT_OPTIONAL if self._refusal is None else ssl.CERT_REQUIRED
        context.set_alpn_protocols(_PROTOCOLS)
        # A client that ends without a TLS alert, or is cut off by a deadline, still gets an answer: HTTP notices by
        # itself when a request is not complete.
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            files = [str(file) for file in (certificate, key) if file]
            raise TlsError(Code.TLS_FILES, files=files, reason=reason_of(error)) from None
        try:
            context.load_verify_locations(authorities)
        except OSError as error:
            raise TlsError(Code.TLS_FILES, files=[str(authorities)], reason=reason_of(error)) from None
        return context

    def _current(self) -> ssl.SSLContext:
        """The context of new connections. If files cannot be read, the log says so, and the old ones still count."""
        with self._making:
            changed = [file for file in self._files if file.changed()]
            if changed or self._now() >= self._until:
                try:
                    self._context = self._make_context()
                except TlsError as error:
                    _log.warning("Certificate and authorities stay as they were: %s", error)
                self._until = self._now() + _SESSION_SECONDS
            return self._context

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """Wraps a connection that has just been accepted; the handshake is still to come. Raises OSError."""
        return self._current().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def shake_hands(self, sock: ssl.SSLSocket) -> tuple[bytes, Chain | None]:
        """Returns the client's certificate, empty if it has none, and the chain that came with it, in DER.

        The chain is None for a session that began in another worker. Raises OSError, HandshakeRefusedError among them.
        """
        if self._refusal is None:
            sock.do_handshake()
            return self._presented(sock)
        # With TLS 1.2, the last message is ours: a client that is refused must not get it.
        sock.setblocking(False)
        readable = select.poll()
        readable.register(sock, select.POLLIN)
        while True:
            _hold_back(sock, True)
            try:
                sock.do_handshake()
                break
            except ssl.SSLWantReadError:
                _hold_back(sock, False)
                readable.poll()
            except OSError:
                # Otherwise the alert for the client would stay in the system for a while.
                _hold_back(sock, False)
                raise
        certificate, chain = self._presented(sock)
        try:
            wrong = self._refusal(certificate, chain)
        except ValueError as error:
            wrong = issue(Code.CERTIFICATE_UNREADABLE, reason=str(error))
        if wrong:
            reset_on_close(sock)
            sock.close()
            raise HandshakeRefusedError(wrong)
        _hold_back(sock, False)
        sock.setblocking(True)
        return certificate, chain

    def _presented(self, sock: ssl.SSLSocket) -> tuple[bytes, Chain | None]:
        certificate = sock.getpeercert(binary_form=True) or b""
        if certificate and not sock.session_reused:
            chain = _sent(sock)
            # A resumed session does not bring the chain again. Dictionaries keep their order, and these operations are
            # atomic: several handshakes end at the same time.
            if self._chains.pop(certificate, None) is None and len(self._chains) >= MOST_CLIENTS:
                self._chains.pop(next(iter(self._chains), b""), None)
            self._chains[certificate] = chain
            return certificate, chain
        return certificate, self._chains.get(certificate)


def _sent(sock: ssl.SSLSocket) -> Chain:
    """The certificates that a client has sent besides its own, in DER."""
    if hasattr(sock, "get_unverified_chain"):  # from Python 3.13 on
        certificates = sock.get_unverified_chain()
    else:
        inner: Any = sock._sslobj  # type: ignore[attr-defined]
        certificates = [
            ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in inner.get_unverified_chain() or ()
        ]
    return tuple(certificates[1 : 1 + MOST_IN_CHAIN])


def _hold_back(sock: socket.socket, on: bool) -> None:
    if _HOLD_BACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _HOLD_BACK, on)


def _no_password() -> str:
    raise InvalidValueError(Code.TLS_KEY_ENCRYPTED)


def say_goodbye(sock: ssl.SSLSocket) -> None:
    """Tells the client that nothing more will come, without waiting for its answer."""
    sock.setblocking(False)
    # The client has not closed its side yet, or has gone.
    with contextlib.suppress(OSError, ValueError):
        sock.unwrap()

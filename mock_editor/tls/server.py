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

from mock_editor.base.sockets import reset_on_close
from mock_editor.tls.certificates import MOST_OTHERS, TlsError, Watched

_log = logging.getLogger(__name__)

# What is written stays in the system until this is taken off.
_HOLD_BACK: int | None = getattr(socket, "TCP_CORK", None)
_PROTOCOLS = ["http/1.1"]
# How long a session can be taken up again, in seconds, and how many tickets for that a handshake gives (TLS 1.3).
_SESSION_SECONDS = 3600
_TICKETS = 1
# Clients of whom is remembered what came with their certificates: a session that is taken up again does not bring it.
_MOST_CLIENTS = 1000

Chain = tuple[bytes, ...]


class RefusedError(OSError):
    """A client that is refused in the handshake: says why, and what it has presented."""


class TlsServer:
    """Speaks TLS 1.2 and 1.3 with clients, and asks for a certificate of ``authorities``, which they need not have.

    ``refusal`` is asked before the handshake ends, with the certificate (empty without one) and those that came with
    it, in DER; if it answers why a client is refused, the connection is reset. ``now`` is in seconds. Raises TlsError.

    A context is what sessions are taken up again with, without another look at what the handshake has found out. So
    it is for an hour, and there is a new one from the moment when a file has changed: one for each process, where the
    first was for all workers.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path | None,
        authorities: Path,
        *,
        refusal: Callable[[bytes, Sequence[bytes] | None], str | None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refusal = refusal
        self._now = now
        self._certificate, self._key, self._authorities = certificate, key, authorities
        self._files = [Watched(one) for one in (certificate, key, authorities) if one]
        self._making = threading.Lock()
        self._context = self._made()
        self._until = now() + _SESSION_SECONDS
        self._chains: dict[bytes, Chain] = {}

    def _made(self) -> ssl.SSLContext:
        """A context. Raises TlsError."""
        certificate, key, authorities = self._certificate, self._key, self._authorities
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.num_tickets = _TICKETS
        context.verify_mode = ssl.CERT_OPTIONAL if self._refusal is None else ssl.CERT_REQUIRED
        context.set_alpn_protocols(_PROTOCOLS)
        # A client that ends without a word, or whom a deadline cuts off, still gets an answer: that a request is not
        # whole, HTTP knows itself.
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            name = f"{certificate}, {key}" if key else str(certificate)
            raise TlsError(f"{name}: {reason(error)}") from None
        try:
            context.load_verify_locations(authorities)
        except OSError as error:
            raise TlsError(f"{authorities}: {reason(error)}") from None
        return context

    def _current(self) -> ssl.SSLContext:
        """The context of new connections. Files that cannot be read are told in the log, and the old ones count on."""
        with self._making:
            changed = [one for one in self._files if one.changed()]
            if changed or self._now() >= self._until:
                try:
                    self._context = self._made()
                except TlsError as error:
                    _log.warning("Certificate and authorities stay as they were: %s", error)
                self._until = self._now() + _SESSION_SECONDS
            return self._context

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """A connection that has just been accepted; the handshake is still to come. Raises OSError."""
        return self._current().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def shake_hands(self, sock: ssl.SSLSocket) -> tuple[bytes, Chain | None]:
        """Returns the client's certificate, empty if it has none, and those above it that came with it, in DER.

        They are None for a session that was begun in another worker. Raises OSError, of which RefusedError.
        """
        if self._refusal is None:
            sock.do_handshake()
            return self._shown(sock)
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
                # What the client is told then would stay in the system for a while.
                _hold_back(sock, False)
                raise
        shown, others = self._shown(sock)
        try:
            wrong = self._refusal(shown, others)
        except ValueError as error:
            wrong = f"The client certificate cannot be read: {error}"
        if wrong:
            reset_on_close(sock)
            sock.close()
            raise RefusedError(wrong)
        _hold_back(sock, False)
        sock.setblocking(True)
        return shown, others

    def _shown(self, sock: ssl.SSLSocket) -> tuple[bytes, Chain | None]:
        shown = sock.getpeercert(binary_form=True) or b""
        if shown and not sock.session_reused:
            others = _sent(sock)
            # Dictionaries keep their order, and these operations are atomic: several handshakes end at once.
            if self._chains.pop(shown, None) is None and len(self._chains) >= _MOST_CLIENTS:
                self._chains.pop(next(iter(self._chains), b""), None)
            self._chains[shown] = others
            return shown, others
        return shown, self._chains.get(shown)


def _sent(sock: ssl.SSLSocket) -> Chain:
    """What a client has sent beside its own certificate, in DER."""
    if hasattr(sock, "get_unverified_chain"):  # from Python 3.13 on
        found = sock.get_unverified_chain()
    else:
        inner: Any = sock._sslobj  # type: ignore[attr-defined]
        found = [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner.get_unverified_chain() or ()]
    return tuple(found[1 : 1 + MOST_OTHERS])


def _hold_back(sock: socket.socket, on: bool) -> None:
    if _HOLD_BACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _HOLD_BACK, on)


def _no_password() -> str:
    raise ValueError("the key is encrypted: it has to be without a pass phrase")


def reason(error: Exception) -> str:
    """What went wrong with a handshake or a file, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def say_goodbye(sock: ssl.SSLSocket) -> None:
    """Tells the client that nothing more comes, without waiting for it."""
    sock.setblocking(False)
    # It has not said so itself yet, or is gone.
    with contextlib.suppress(OSError, ValueError):
        sock.unwrap()

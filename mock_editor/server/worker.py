"""What a worker's threads do: the handshake, the head of a request, the application's answer, and refusals."""

import contextlib
import socket
import ssl
import time
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors, wsgi

from mock_editor.base.database import begin_request
from mock_editor.base.errors import refused
from mock_editor.base.exchanges import CHAIN, TLS
from mock_editor.base.fhir import dumps, operation_outcome
from mock_editor.base.issues import Code, issue
from mock_editor.base.words import english
from mock_editor.journal import redaction
from mock_editor.server.connections import Connection, TimedResponse, decrypted, origin, peer, sending_within
from mock_editor.server.loop import PollingWorker
from mock_editor.server.refusals import head_of, refusal
from mock_editor.tls.errors import reason_of

# How long the rest of a body is read after an answer that left it unread, so that the connection can be kept.
_DRAIN_SECONDS = 5.0


class Worker(PollingWorker):
    """Handles requests; all of its methods run in a thread of the pool."""

    def handle(self, conn: Connection) -> bool:
        """Handles the next request of a connection; returns whether the connection may bring another."""
        req = None
        try:
            if isinstance(conn.sock, ssl.SSLSocket) and conn.certificate is None:
                self._shake_hands(conn)
                if not decrypted(conn.sock):
                    return True
            req = self._read_head(conn)
            return self.handle_request(req, conn) and self._read_rest(conn)
        except StopIteration:
            self.log.debug("The client has ended the connection")
        except OSError as error:
            self.log.debug("The connection broke: %s", error)
        except Exception as error:
            self.handle_error(req, conn.sock, conn.client, error, reached_app=False)
        return False

    def _shake_hands(self, conn: Connection) -> None:
        """Does the TLS handshake. Raises OSError, and StopIteration for a client that has left without a byte."""
        # Load balancers connect only to see whether somebody listens: that is no failure.
        if not socket.socket.recv(conn.sock, 1, socket.MSG_PEEK):
            raise StopIteration
        conn.sock.setblocking(True)
        seconds = self.settings.header_timeout
        try:
            with self.deadlines.watch(conn.sock, seconds) as watch:
                conn.certificate, conn.chain = self.app.tls.server.shake_hands(conn.sock)
        except OSError as error:
            failure = issue(Code.HANDSHAKE_FAILED, reason=reason_of(error))
            if watch.expired:
                failure = issue(Code.HANDSHAKE_TIMEOUT, seconds=seconds)
            self.log.warning("%s: %s", conn.client[0], english(failure))
            if self.app.hooks.on_refusal:
                self.app.hooks.on_refusal(peer(conn.client), origin(conn.sock), "", "", None, b"", failure)
            raise

    def _read_head(self, conn: Connection) -> Any:
        """The next request, its body still unread.

        Raises StopIteration when there is none, OSError when the connection broke, 408 when it takes too long and
        gunicorn's ParseException when it is malformed.
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
            raise refused(Code.HEAD_TIMEOUT, seconds=seconds)
        return req

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Lets the application answer; returns whether the connection may be kept."""
        begin_request()
        seconds = self.settings.write_timeout
        with sending_within(conn.sock, seconds):  # it may send "100 Continue"
            resp, environ = wsgi.create(
                req,
                conn.sock,
                conn.client,
                conn.server,
                self.cfg,
                response_class=TimedResponse,
                response_args=(seconds,),
            )
        environ["wsgi.multithread"] = True
        # Flask sees the path with one slash; middleware that decides by the path has to see the same one.
        environ["PATH_INFO"] = f"/{environ['PATH_INFO'].lstrip('/')}"
        if conn.certificate is not None:
            environ["wsgi.url_scheme"], environ[TLS], environ[CHAIN] = "https", conn.certificate, conn.chain
        environ["mock_editor.deadlines"] = self.deadlines
        try:
            self._answer(environ, resp)
        except (BrokenPipeError, ConnectionResetError, errors.NoMoreData):
            raise  # the client's doing; any other OSError is the application's, which could not open a file, say
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

    def _answer(self, environ: dict[str, Any], resp: TimedResponse) -> None:
        pieces = self.wsgi(environ, resp.start_response)
        # Asked now: when a stop comes while the application works, stock still tells the client to go on.
        if not self.alive or len(self.keepalived_conns) >= self.max_keepalived:
            resp.force_close()
        try:
            for piece in pieces:
                resp.write(piece)
            resp.close()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _read_rest(self, conn: Connection) -> bool:
        """Reads what the application left of the body (64 kB at most); returns whether that worked."""
        try:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + _DRAIN_SECONDS))
        except errors.ParseException:
            return False  # the request has been answered: no second answer

    def handle_error(
        self, req: Any, client: socket.socket, addr: Any, exc: Exception, *, reached_app: bool = True
    ) -> None:
        """Answers with an OperationOutcome what did not reach the application, or what it failed on.

        If the request ``reached_app``, the journal around the application knows about it already.
        """
        error = refusal(exc)
        status, first = error.status, error.issues[0]
        method, url = getattr(req, "method", ""), getattr(req, "uri", "")
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("Failed on %s %s", method or "?", redaction.url(url or "?", fhir=False), exc_info=exc)
        else:
            self.log.warning("Refused a request of %s: %d, %s", addr[0], status, english(first))
        body = dumps(operation_outcome(error.issues))
        if self.app.hooks.on_refusal and not reached_app:
            self.app.hooks.on_refusal(peer(addr), origin(client), method, url, status, body, first)
        with contextlib.suppress(BrokenPipeError), sending_within(client, self.settings.write_timeout):
            client.sendall(head_of(status, body) + (b"" if method == "HEAD" else body))

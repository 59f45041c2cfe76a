"""Calls from the platform to the editors: over the network, in parallel, each with a total time limit."""

import functools
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.exceptions import ChunkedEncodingError

from mock_editor.base import client
from mock_editor.base.fhir import Resource, dumps
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.base.threads import Pool

# Searches running at the same time, in one process.
_PARALLEL = 32
_LARGEST = 32 * 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call. Without an answer ``status`` is None, and ``trouble`` says why.

    ``anonymous``: it may have been refused because we have no certificate to show.
    """

    status: int | None
    body: bytes
    seconds: float
    trouble: Issue | None = None
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The certificate, key and trusted authorities: PEM files. Without ``authority``, the usual authorities."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None


class EditorClient:
    """Makes calls, each limited to ``seconds`` in total, from connecting to the end of the answer."""

    def __init__(self, seconds: float, files: TlsFiles) -> None:
        self.seconds = seconds
        self._files = files

    def call(self, method: str, url: str, body: Resource | None = None) -> CallResult:
        """Makes a call. Faults of the editor or the network are returned, never raised."""
        begin = time.monotonic()
        status, trouble, received = None, None, b""
        try:
            with client.within(self.seconds), self._session() as session:
                answer = session.request(
                    method,
                    url,
                    data=dumps(body) if body else None,
                    # The old spelling: this is what the platform sends.
                    headers={"Accept": "application/json+fhir"}
                    | ({"Content-Type": "application/json+fhir; charset=utf-8"} if body else {}),
                    allow_redirects=False,
                )
                status, received = answer.status_code, answer.content
        except (requests.RequestException, OSError, ValueError) as error:
            trouble = _failure(error, self.seconds)
        anonymous = status == 403 and url.startswith("https:") and not self._files.certificate
        return CallResult(status, received, time.monotonic() - begin, trouble, anonymous)

    def _session(self) -> requests.Session:
        session = client.session(client.Limits(self.seconds, self.seconds, _LARGEST))
        files = self._files
        if files.certificate:
            session.cert = (str(files.certificate), str(files.key)) if files.key else str(files.certificate)
        if files.authority:
            session.verify = str(files.authority)
        return session


def begin(work: Callable[..., T], *arguments: Any) -> "Future[T]":
    """Runs a search as soon as there is room."""
    return _pool().submit(work, *arguments)


def _failure(error: Exception, seconds: float) -> Issue:
    """Why there is no answer."""
    reason = str(client.cause_of(error) or error)[:300]
    if isinstance(error, client.TooLargeError):
        return issue(Code.EDITOR_ANSWER_TOO_LARGE, megabytes=_LARGEST // 1024 // 1024)
    if client.timed_out(error):
        return issue(Code.EDITOR_LATE, seconds=f"{seconds:g}".replace(".", ","))
    if tls := client.tls_error(error):
        unknown = isinstance(tls, ssl.SSLCertVerificationError)
        return issue(Code.EDITOR_CERTIFICATE if unknown else Code.EDITOR_TLS, reason=reason)
    if isinstance(error, ChunkedEncodingError):
        return issue(Code.EDITOR_ANSWER_CUT, reason=reason)
    if client.host_unknown(error):
        return issue(Code.EDITOR_HOST_UNKNOWN)
    if client.nobody_listens(error):
        return issue(Code.EDITOR_NOBODY_LISTENS)
    if isinstance(error, requests.ConnectionError):
        return issue(Code.EDITOR_CONNECTION_BROKEN, reason=reason)
    return issue(Code.EDITOR_ANSWER_UNREADABLE, reason=reason)


_lock = threading.Lock()


@functools.cache
def _made() -> Pool:
    return Pool(_PARALLEL, "platform")


def _pool() -> Pool:
    """The pool of this process. It is made at the first call: threads do not survive a fork."""
    with _lock:
        return _made()

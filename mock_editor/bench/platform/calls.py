"""Calls to the editors as the platform makes them: over the network, at once, each with the time that it has in all."""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectionError, ConnectTimeout, ReadTimeout, SSLError  # noqa: A004
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from mock_editor.base.deadlines import Deadlines, Watch
from mock_editor.base.fhir import Resource, dumps

# Searches under way at once, in one process.
_PARALLEL = 32
_LARGEST = 32 * 1024 * 1024
_PIECE = 64 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call. Without an answer ``status`` is None, and ``trouble`` tells why in French.

    ``hint`` is what may have led to a refusal on our side, in French too.
    """

    status: int | None
    body: bytes
    seconds: float
    trouble: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the platform shows to editors, and whom it trusts: PEM files. Without ``authority``, whom everybody does."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None


class Caller:
    """Makes calls that have ``seconds`` each, in all, to connect and to be answered."""

    def __init__(self, seconds: float, identity: Identity) -> None:
        self.seconds = seconds
        self._identity = identity

    def call(self, method: str, url: str, body: Resource | None = None) -> Outcome:
        """Makes a call. It never raises what is the editor's fault, or the network's."""
        begin = time.monotonic()
        status, trouble, received = None, "", b""
        with _limited(self.seconds) as limit, self._session() as session:
            try:
                with session.request(
                    method,
                    url,
                    data=dumps(body) if body else None,
                    # The old spelling: this is what the platform sends.
                    headers={"Accept": "application/json+fhir"}
                    | ({"Content-Type": "application/json+fhir; charset=utf-8"} if body else {}),
                    timeout=self.seconds,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    received = _read(answer)
                    status = answer.status_code
            except (requests.RequestException, OSError, ValueError) as error:
                trouble = _in_french(error, self.seconds)
            # What the deadline has cut short may look like a whole answer, or like any failure.
            if limit.over:
                status, received, trouble = None, b"", _late(self.seconds)
        anonymous = status == 403 and url.startswith("https:") and not self._identity.certificate
        hint = "le banc n’a pas de certificat à présenter (--bench-certificate)" if anonymous else ""
        return Outcome(status, received, time.monotonic() - begin, trouble, hint)

    def _session(self) -> requests.Session:
        session = requests.Session()
        # Nothing of this process's surroundings: proxies, certificates.
        session.trust_env = False
        session.mount("http://", _Adapter())
        session.mount("https://", _Adapter())
        identity = self._identity
        if identity.certificate:
            files = (str(identity.certificate), str(identity.key)) if identity.key else str(identity.certificate)
            session.cert = files
        if identity.authority:
            session.verify = str(identity.authority)
        return session


def begin(work: Callable[..., T], *arguments: Any) -> "Future[T]":
    """Has a search done as soon as there is room."""
    return _machinery().pool.submit(work, *arguments)


def _read(answer: requests.Response) -> bytes:
    pieces, size = [], 0
    for piece in answer.iter_content(_PIECE):
        size += len(piece)
        if size > _LARGEST:
            raise ValueError(f"réponse de plus de {_LARGEST // 1024 // 1024} Mo")
        pieces.append(piece)
    return b"".join(pieces)


def _late(seconds: float) -> str:
    return f"délai dépassé : pas de réponse complète en {seconds:g} s".replace(".", ",")


def _in_french(error: Exception, seconds: float) -> str:
    """Why there is no answer."""
    # urllib3 wraps what happened, after a text with the whole URL in it.
    cause = error.args[0] if error.args else error
    detail = str(getattr(cause, "reason", cause))[:300]
    # SSLError and ConnectTimeout are a ConnectionError too.
    match error:
        case ConnectTimeout() | ReadTimeout():
            return _late(seconds)
        case SSLError() if "CERTIFICATE_VERIFY_FAILED" in detail:
            return f"échec de TLS : le banc n’accepte pas le certificat de l’éditeur (--bench-authority) : {detail}"
        case SSLError():
            return f"échec de TLS : {detail}"
        case ChunkedEncodingError():
            return f"réponse interrompue avant sa fin : {detail}"
        case ConnectionError() if "timed out" in detail:
            return _late(seconds)
        case ConnectionError() if "refused" in detail:
            return "connexion refusée : personne n’écoute à cette adresse"
        case ConnectionError() if "resolve" in detail:
            return "nom de serveur inconnu"
        case ConnectionError():
            return f"connexion rompue sans réponse : {detail}"
    return f"réponse illisible : {detail}"


# --- deadlines of whole calls: a time-out of a socket begins anew with each piece


class _Machinery:
    """What a process has once. Nothing begins before the first call: threads do not survive a fork."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="platform")
        self.deadlines = Deadlines()
        self.deadlines.start()


_lock = threading.Lock()


@functools.cache
def _made() -> _Machinery:
    return _Machinery()


def _machinery() -> _Machinery:
    with _lock:
        return _made()


class _Limit:
    """The time that the call of this thread has, and the watches on the connections that it has opened."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._watches: list[Watch] = []

    @property
    def over(self) -> bool:
        """Whether a connection was cut short."""
        return any(watch.expired for watch in self._watches)

    def guard(self, sock: Any) -> None:
        """Has the reading from a connection end in time."""
        self._watches.append(_machinery().deadlines.watch(sock, self._until - time.monotonic()))

    def cancel(self) -> None:
        """Lets go of the connections."""
        for watch in self._watches:
            watch.cancel()


_current = threading.local()


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[_Limit]:
    limit = _current.limit = _Limit(seconds)
    try:
        yield limit
    finally:
        limit.cancel()


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _current.limit.guard(self.sock)


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _current.limit.guard(self.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def __init__(self) -> None:
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

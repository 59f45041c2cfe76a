"""Calls to the editors as the platform makes them: over the network, at once, each with the time that it has in all."""

import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.exceptions import ChunkedEncodingError, ConnectionError, ConnectTimeout, ReadTimeout, SSLError  # noqa: A004

from mock_editor.base import client
from mock_editor.base.fhir import Resource, dumps
from mock_editor.base.threads import Pool

# Searches under way at once, in one process.
_PARALLEL = 32
_LARGEST = 32 * 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of a call. Without an answer ``status`` is None, and ``trouble`` tells why in French.

    ``hint`` is what may have led to a refusal on our side, in French too.
    """

    status: int | None
    body: bytes
    seconds: float
    trouble: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What the platform shows to editors, and whom it trusts: PEM files. Without ``authority``, whom everybody does."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None


class EditorClient:
    """Makes calls that have ``seconds`` each, in all, to connect and to be answered."""

    def __init__(self, seconds: float, files: TlsFiles) -> None:
        self.seconds = seconds
        self._files = files

    def call(self, method: str, url: str, body: Resource | None = None) -> CallResult:
        """Makes a call. It never raises what is the editor's fault, or the network's."""
        begin = time.monotonic()
        status, trouble, received = None, "", b""
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
            trouble = _in_french(error, self.seconds)
        anonymous = status == 403 and url.startswith("https:") and not self._files.certificate
        hint = "le banc n’a pas de certificat à présenter (--bench-certificate)" if anonymous else ""
        return CallResult(status, received, time.monotonic() - begin, trouble, hint)

    def _session(self) -> requests.Session:
        session = client.session(client.Limits(self.seconds, self.seconds, _LARGEST))
        files = self._files
        if files.certificate:
            session.cert = (str(files.certificate), str(files.key)) if files.key else str(files.certificate)
        if files.authority:
            session.verify = str(files.authority)
        return session


def begin(work: Callable[..., T], *arguments: Any) -> "Future[T]":
    """Has a search done as soon as there is room."""
    return _pool().submit(work, *arguments)


def _late(seconds: float) -> str:
    return f"délai dépassé : pas de réponse complète en {seconds:g} s".replace(".", ",")


def _in_french(error: Exception, seconds: float) -> str:
    """Why there is no answer."""
    # urllib3 wraps what happened, after a text with the whole URL in it.
    cause = error.args[0] if error.args else error
    detail = str(getattr(cause, "reason", cause))[:300]
    # SSLError and ConnectTimeout are a ConnectionError too.
    match error:
        case client.TooLargeError():
            return f"réponse de plus de {_LARGEST // 1024 // 1024} Mo"
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


_lock = threading.Lock()


@functools.cache
def _made() -> Pool:
    return Pool(_PARALLEL, "platform")


def _pool() -> Pool:
    """The one of this process. It begins with the first call: threads do not survive a fork."""
    with _lock:
        return _made()

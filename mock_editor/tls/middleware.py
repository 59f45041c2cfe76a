"""Stands between the journal and the faults, and says which requests may come in by which listener.

What is refused is still answered by the application, past the faults: it knows in which form.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from mock_editor.base.addresses import Networks
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.exchanges import CERTIFICATE, CHAIN, REFUSED, TLS
from mock_editor.base.paths import Surface, classify
from mock_editor.tls.certificates import Certificate, Gate, from_header, is_authority, read_certificate


class Proxies:
    """Those who end TLS before us, at ``networks``, and pass the client's certificate in ``header``.

    Those above it come in the same header, or in one whose name goes on with ``-Chain`` (RFC 9440).
    """

    def __init__(self, header: str, networks: Sequence[str]) -> None:
        self._header = header
        self._key = f"HTTP_{header.upper().replace('-', '_')}"
        self._networks = Networks(networks)

    def passed(self, environ: WSGIEnvironment) -> tuple[Certificate, Sequence[bytes]] | None:
        """The certificate that came with a request, and those above it, in DER. Raises 403."""
        text = environ.get(self._key)
        if not text:
            return None
        peer = environ.get("REMOTE_ADDR", "")
        if peer not in self._networks:
            raise _forbidden(f"{self._header} counts only when it comes from a known proxy, and {peer} is none")
        try:
            first, *others = _known(text)
            if above := environ.get(f"{self._key}_CHAIN"):
                others += _known(above)
            shown = read_certificate(first)
        except ValueError as error:
            raise _forbidden(f"{self._header} holds no certificate that can be read: {error}") from None
        # Those of two clients: the proxy has added its own to what its client sent, instead of replacing it.
        if not all(map(is_authority, others)):
            raise _forbidden(f"{self._header} holds a second certificate that is no authority's")
        return shown, tuple(others)


class Doors:
    """A WSGI application before the one ``behind``. Refusals are answered by ``simulator``.

    With a ``gate``, FHIR paths want an accepted certificate, unless ``plain_fhir`` lets them in without TLS. The
    surfaces ``closed`` (first parts of paths) are not there.
    """

    def __init__(
        self,
        behind: WSGIApplication,
        simulator: WSGIApplication,
        *,
        gate: Gate | None = None,
        plain_fhir: bool = False,
        proxies: Proxies | None = None,
        closed: Collection[Surface] = (),
        elsewhere: str | None = None,
    ) -> None:
        self._behind = behind
        self._simulator = simulator
        self._gate = gate
        self._plain_fhir = plain_fhir
        self._proxies = proxies
        self._closed = closed
        self._elsewhere = elsewhere
        self._open = gate is None and not closed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # On this machine and without certificates, everything comes in: a search should not pay for the rest.
        if self._open and TLS not in environ:
            return self._behind(environ, start_response)
        try:
            self._check(environ)
        except EditorError as error:
            environ[REFUSED] = error
            return self._simulator(environ, start_response)
        return self._behind(environ, start_response)

    def _check(self, environ: WSGIEnvironment) -> None:
        meaning, der = classify(environ["PATH_INFO"]), environ.get(TLS)
        fhir = meaning.fhir and meaning.editor
        if der is not None and not fhir:
            raise EditorError(
                404, [Issue("not-found", "With mutual TLS, only FHIR paths are served: /<editor>/fhir/…")]
            )
        if meaning.surface in self._closed:
            raise EditorError(404, [Issue("not-found", "This is switched off here (--with-bench switches it on)")])
        if not fhir or self._gate is None:
            return
        shown, others = self._shown(environ, der)
        if shown:
            environ[CERTIFICATE] = str(shown)
        elif der is None and self._plain_fhir:
            return
        wrong = self._gate.refusal(shown, meaning.editor, others)
        if wrong:
            where = f"; the FHIR paths are at {self._elsewhere}" if der is None and self._elsewhere else ""
            raise _forbidden(wrong + where)

    def _shown(self, environ: WSGIEnvironment, der: bytes | None) -> tuple[Certificate | None, Sequence[bytes] | None]:
        if der is None:
            return (self._proxies and self._proxies.passed(environ)) or (None, ())
        try:
            return read_certificate(der) if der else None, environ.get(CHAIN, ())
        except ValueError as error:
            raise _forbidden(f"The client certificate cannot be read: {error}") from None


# A client comes again and again with the same.
_known = lru_cache(maxsize=100)(from_header)


def _forbidden(text: str) -> EditorError:
    return EditorError(403, [Issue("forbidden", text)])

"""Decides which requests are served on which listener; it stands between the journal and the faults.

What is refused is still answered by the application, past the faults, because it knows in which form.
"""

from collections.abc import Collection, Iterable, Sequence
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from mock_editor.base.errors import EditorError, refused
from mock_editor.base.exchanges import CERTIFICATE, CHAIN, REFUSED, TLS
from mock_editor.base.issues import Code, issue
from mock_editor.base.paths import Surface, classify
from mock_editor.tls.certificates import Certificate, read_certificate
from mock_editor.tls.forwarded import CertificateProxies
from mock_editor.tls.policy import ClientPolicy


class AccessMiddleware:
    """A WSGI application before the one ``behind``. ``refusing`` answers what is refused.

    With a ``policy``, FHIR paths want an accepted certificate, unless ``plain_fhir`` serves them without TLS too. The
    ``closed`` surfaces are not served. ``fhir_url`` is where FHIR paths are, if that is another listener.
    """

    def __init__(
        self,
        behind: WSGIApplication,
        refusing: WSGIApplication,
        *,
        policy: ClientPolicy | None = None,
        plain_fhir: bool = False,
        proxies: CertificateProxies | None = None,
        closed: Collection[Surface] = (),
        fhir_url: str | None = None,
    ) -> None:
        self._behind = behind
        self._refusing = refusing
        self._policy = policy
        self._plain_fhir = plain_fhir
        self._proxies = proxies
        self._closed = closed
        self._fhir_url = fhir_url
        self._open = policy is None and not closed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # On this machine and without certificates, everything is served: a search should not pay for the rest.
        if self._open and TLS not in environ:
            return self._behind(environ, start_response)
        try:
            self._check(environ)
        except EditorError as error:
            environ[REFUSED] = error
            return self._refusing(environ, start_response)
        return self._behind(environ, start_response)

    def _check(self, environ: WSGIEnvironment) -> None:
        meaning, der = classify(environ["PATH_INFO"]), environ.get(TLS)
        fhir = meaning.fhir and meaning.editor
        if der is not None and not fhir:
            raise refused(Code.TLS_FHIR_ONLY)
        if meaning.surface in self._closed:
            raise refused(Code.SURFACE_CLOSED)
        if not fhir or self._policy is None:
            return
        certificate, chain = self._presented(environ, der)
        if certificate:
            environ[CERTIFICATE] = str(certificate)
        elif der is None and self._plain_fhir:
            return
        wrong = self._policy.refusal(certificate, meaning.editor, chain)
        if wrong and der is None and self._fhir_url:
            wrong = issue(Code.FHIR_ELSEWHERE, reason=wrong, url=self._fhir_url)
        if wrong:
            raise EditorError(wrong.code.status, [wrong])

    def _presented(
        self, environ: WSGIEnvironment, der: bytes | None
    ) -> tuple[Certificate | None, Sequence[bytes] | None]:
        """The client's certificate, and the chain that came with it."""
        if der is None:
            return (self._proxies and self._proxies.passed(environ)) or (None, ())
        try:
            return read_certificate(der) if der else None, environ.get(CHAIN, ())
        except ValueError as error:
            raise refused(Code.CERTIFICATE_UNREADABLE, reason=str(error)) from None

"""What all pages for people share: their headers, refusals in French, and forms that only our own pages send."""

import secrets
from collections.abc import Callable

from flask import Response, g, request

from mock_editor.base import codes
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.parameters import Parameters

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
# For pages with scripts, of ours as all else; Bootstrap's style sheet has its marks as data.
HEADERS_WITH_SCRIPTS = HEADERS | {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
_LARGEST = 20_000
_COOKIE, _FIELD = "formulaire", "jeton"

# What people are told of a refusal that is written for developers: a title, a text.
_REFUSALS = {
    400: ("Demande mal formée", "Le logiciel n’a pas compris cette demande."),
    403: ("Accès refusé", "Cette page n’est pas accessible d’ici."),
    404: ("Page introuvable", "Cette page n’existe pas, ou n’existe plus."),
    405: ("Action impossible", "Cette adresse existe, mais pas pour ce qui lui est demandé."),
    408: ("Demande trop lente", "La demande n’est pas arrivée à temps."),
    413: ("Demande trop volumineuse", "La demande est trop volumineuse."),
    415: ("Demande mal formée", "La demande n’a pas le format d’un formulaire."),
    500: ("Erreur du simulateur", "Le simulateur a échoué sur cette demande ; son journal en dit plus."),
    503: ("Service indisponible", "Le simulateur est momentanément indisponible. Réessayez dans un instant."),
}
_EXPIRED = (
    "Formulaire expiré",
    "Ce formulaire n’est pas, ou n’est plus, valable. Revenez à la page précédente et rechargez-la.",
)


class ForeignFormError(EditorError):
    """400: a form that no page of ours has shown to this browser, or not lately."""

    def __init__(self) -> None:
        super().__init__(400, [Issue("security", "The form does not bring back what the cookie holds")])


def in_french(error: EditorError) -> tuple[str, str]:
    """What a page says of a refusal: title and text."""
    if isinstance(error, ForeignFormError):
        return _EXPIRED
    return _REFUSALS.get(error.status, _REFUSALS[400])


class Forms:
    """The forms of some pages. Each brings back, as ``jeton``, what a cookie holds and no other site knows.

    A client has ``seconds`` to send one.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds

    def key(self) -> str:
        """What the forms of the page in the making have to bring back."""
        if "form_key" not in g:
            g.form_key = request.cookies.get(_COOKIE) or secrets.token_urlsafe(24)
        key: str = g.form_key
        return key

    def remember(self, response: Response, *, path: str, secure: bool) -> None:
        """Sets the cookie, for the pages below ``path``, when the page has forms and the browser has none yet."""
        if "form_key" in g and g.form_key != request.cookies.get(_COOKIE):
            response.set_cookie(_COOKIE, g.form_key, path=path, secure=secure, httponly=True, samesite="Lax")

    def read(self) -> Callable[[str], str]:
        """The fields of the form that was posted. Raises 400 (ForeignFormError among them), 408, 413, 415."""
        expect_media_type(request.headers, (codes.FORM,))
        parameters = Parameters(read_body(request.environ, seconds=self._seconds, limit=_LARGEST))
        sent, expected = parameters.one(_FIELD) or "", request.cookies.get(_COOKIE) or ""
        if not expected or not secrets.compare_digest(sent.encode(), expected.encode()):
            raise ForeignFormError
        return lambda name: (parameters.one(name) or "").strip()

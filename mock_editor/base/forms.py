"""What all pages for people share: their headers, and forms that only our own pages send."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Response, g, request

from mock_editor.base import codes
from mock_editor.base.errors import refused
from mock_editor.base.http import PROTECTION, expect_media_type, read_body
from mock_editor.base.issues import Code
from mock_editor.base.keys import Keys
from mock_editor.base.parameters import Parameters

HEADERS = {
    **dict(PROTECTION),
    "Cache-Control": "no-store",
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
_MARK = "."
_NONCE = re.compile("[A-Za-z0-9_-]{32}")


class Forms:
    """The forms of the pages of a ``scope``. Each sends back, as ``jeton``, a token that no other site knows.

    A cookie holds a number for the browser, one for all scopes. What a form brings back is made of it, of the scope and
    of whose page it is (``owner``), with a key of this simulator: so neither a form of somebody else's page does, nor a
    cookie that was planted. The cookie's name is that of the public URL, because browsers tell apart neither ports nor,
    in some ways, paths; for HTTPS (``secure``) nobody but our own host can set it (``__Host-``: RFC 6265bis, 4.1.3).

    A client has ``seconds`` to send a form.
    """

    def __init__(
        self,
        scope: str,
        keys: Keys,
        public_url: str,
        *,
        seconds: float,
        owner: Callable[[], str] = str,
        secure: Callable[[], bool] | None = None,
    ) -> None:
        self._scope, self._keys, self._owner, self._seconds = scope, keys, owner, seconds
        public = urlsplit(public_url)
        self._name = f"{_COOKIE}-{hashlib.sha256(public_url.encode()).hexdigest()[:8]}"
        self._path = f"{public.path}/"
        self._secure = secure or (lambda: public.scheme == "https")

    def key(self) -> str:
        """The token for the forms of the current page."""
        if "form_nonce" not in g:
            g.form_nonce = self._held() or secrets.token_urlsafe(24)
        return f"{self._of_browser(g.form_nonce)}{_MARK}{self._of_owner(g.form_nonce)}"

    def remember(self, response: Response) -> None:
        """Sets the cookie, when the page has forms and the browser has none yet."""
        if "form_nonce" in g and g.form_nonce != self._held():
            name, path = self._cookie()
            response.set_cookie(name, g.form_nonce, path=path, secure=self._secure(), httponly=True, samesite="Lax")

    def check(self, sent: str, *, anybodys: bool = False) -> None:
        """Whether ``sent`` is what a form of ours brings back from this browser's owner, or ``anybodys`` in it.

        Raises 400 or 403.
        """
        held = self._held()
        browser, _, owner = sent.partition(_MARK)
        if held is None or not _same(browser, self._of_browser(held)):
            raise refused(Code.FORM_EXPIRED)
        if not anybodys and not _same(owner, self._of_owner(held)):
            raise refused(Code.FORM_OF_ANOTHER)

    def read(self, *, anybodys: bool = False) -> Callable[[str], str]:
        """The fields of the posted form; ``anybodys``: the form does the same for whichever person.

        Raises 400, 403, 408, 413, 415.
        """
        expect_media_type(request.headers, (codes.FORM,))
        parameters = Parameters(read_body(request.environ, seconds=self._seconds, limit=_LARGEST))
        self.check(parameters.one(_FIELD) or "", anybodys=anybodys)
        return lambda name: (parameters.one(name) or "").strip()

    def _cookie(self) -> tuple[str, str]:
        """Its name and path. That with the prefix has to be for the whole host."""
        return (f"__Host-{self._name}", "/") if self._secure() else (self._name, self._path)

    def _held(self) -> str | None:
        """The value of the browser's cookie, if it can be ours."""
        nonce = request.cookies.get(self._cookie()[0], "")
        return nonce if _NONCE.fullmatch(nonce) else None

    def _of_browser(self, nonce: str) -> str:
        return self._made(self._scope, nonce)

    def _of_owner(self, nonce: str) -> str:
        return self._made(self._scope, nonce, self._owner())

    def _made(self, *parts: str) -> str:
        secret = self._keys.get("forms", lambda: secrets.token_hex(32))
        return hmac.new(secret.encode(), "\0".join(parts).encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _same(sent: str, expected: str) -> bool:
    return secrets.compare_digest(sent.encode("utf-8", "replace"), expected.encode())

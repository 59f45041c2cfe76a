"""Client certificates that a proxy passes on in a header, because it ends TLS before us."""

import base64
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import unquote
from wsgiref.types import WSGIEnvironment

from mock_editor.base.addresses import Networks
from mock_editor.base.errors import InvalidValueError, refused
from mock_editor.base.issues import Code
from mock_editor.tls.certificates import MOST_IN_CHAIN, Certificate, is_authority, read_certificate
from mock_editor.tls.errors import reason_of

_PEM_LINE = re.compile("-----(?:BEGIN|END)[ +]CERTIFICATE-----")
# How a header in Envoy's format begins.
_ENVOY = re.compile("(?i)(?:by|hash|cert|chain|subject|uri|dns)=")


class CertificateProxies:
    """Proxies at ``networks`` that end TLS and pass the client's certificate on in ``header``.

    Its chain comes in the same header, or in one whose name continues with ``-Chain`` (RFC 9440).
    """

    def __init__(self, header: str, networks: Sequence[str]) -> None:
        self._header = header
        self._key = f"HTTP_{header.upper().replace('-', '_')}"
        self._networks = Networks(networks)

    def passed(self, environ: WSGIEnvironment) -> tuple[Certificate, Sequence[bytes]] | None:
        """The certificate that came with a request, and its chain in DER. Raises 403."""
        text = environ.get(self._key)
        if not text:
            return None
        peer = environ.get("REMOTE_ADDR", "")
        if peer not in self._networks:
            raise refused(Code.FORWARDED_BY_STRANGER, header=self._header, peer=peer)
        try:
            first, *chain = _known(text)
            if above := environ.get(f"{self._key}_CHAIN"):
                chain += _known(above)
            certificate = read_certificate(first)
        except ValueError as error:
            raise refused(Code.FORWARDED_UNREADABLE, header=self._header, reason=reason_of(error)) from None
        # They are of two clients: the proxy has added its header to the one that its client sent.
        if not all(map(is_authority, chain)):
            raise refused(Code.FORWARDED_TWICE, header=self._header)
        return certificate, tuple(chain)


def from_header(text: str) -> list[bytes]:
    """The certificates, in DER, that a proxy writes into a header: the client's, then its chain if it is there.

    Raises InvalidValueError. Understood are PEM, and DER in Base64; with or without URL escapes, the first and last
    lines of PEM, and line ends; concatenated or separated by commas. That is what nginx, HAProxy, Traefik, AWS and RFC
    9440 write. And Envoy's ``x-forwarded-client-cert``, whose last element is about the proxy's own client; those
    before it are what that client says.
    """
    certificates: list[bytes] = []
    if _ENVOY.match(text.lstrip()):
        *_, last = _elements(text)
        own, chain = (_decoded(last.get(name, "")) for name in ("cert", "chain"))
        certificates = [*own, *(der for der in chain if der not in own)]
    else:
        certificates = _decoded(text)
    if not certificates:
        raise InvalidValueError(Code.FORWARDED_EMPTY)
    return certificates


def _elements(text: str) -> Iterator[dict[str, str]]:
    """The elements of a header in Envoy's format: pairs separated by ``;``, elements by ``,``; values may be quoted."""
    element: dict[str, str] = {}
    word: list[str] = []
    name, quoted, escaped = "", False, False
    for sign in f"{text},":
        if escaped:
            word.append(sign)
            escaped = False
        elif quoted and sign == "\\":
            escaped = True
        elif sign == '"':
            quoted = not quoted
        elif quoted or sign not in ";,=" or (sign == "=" and name):
            word.append(sign)
        elif sign == "=":
            name, word = "".join(word).strip().lower(), []
        else:
            if name:
                element.setdefault(name, "".join(word))
            name, word = "", []
            if sign == ",":
                yield element
                element = {}
    if quoted:
        raise InvalidValueError(Code.FORWARDED_QUOTE)


def _decoded(text: str) -> list[bytes]:
    """The certificates of a text in PEM or in Base64, with or without escapes. Raises InvalidValueError."""
    certificates: list[bytes] = []
    for piece in _PEM_LINE.sub(",", unquote(text) if "%" in text else text).split(","):
        if coded := "".join(piece.split()).strip(":"):
            try:
                content = base64.b64decode(coded, validate=True)
            except ValueError:
                raise InvalidValueError(Code.FORWARDED_ENCODING) from None
            for der in _split(content):
                if len(certificates) > MOST_IN_CHAIN:
                    raise InvalidValueError(Code.FORWARDED_TOO_MANY, most=1 + MOST_IN_CHAIN)
                certificates.append(der)
    return certificates


def _split(content: bytes) -> Iterator[bytes]:
    """Concatenated certificates, split by the length at the beginning of each (X.690, 8.1.3)."""
    at = 0
    while at < len(content):
        head = int.from_bytes(content[at + 1 : at + 2], "big")
        digits = head & 0x7F if head & 0x80 else 0
        size = 2 + digits + (int.from_bytes(content[at + 2 : at + 2 + digits], "big") if digits else head)
        yield content[at : at + size]
        at += size


# A client comes again and again with the same certificate.
_known = lru_cache(maxsize=100)(from_header)

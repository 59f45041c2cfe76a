"""What the journal never holds: passwords, keys, tokens, cookies. Each is replaced by ``***``.

On FHIR paths ``code`` and ``state`` are what FHIR means by them; elsewhere they are those of OpenID Connect. A body
that was cut is treated as if its last word went on: no half of a secret is left.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_plus

MASK = "***"
_MASK = MASK.encode()

Headers = Sequence[tuple[str, str]]

# Names are compared in lower case and without `_` and `-`: `access_token`, `accessToken` and `Access-Token` are one.
_ENDINGS = ("password", "passwd", "passphrase", "pwd", "motdepasse", "secret", "token", "jeton", "apikey", "assertion")
_ALWAYS = frozenset({"idtokenhint", "samlresponse", "samlrequest", "privatekey"})
# `demande` is what the provider's page brings back: it can be read, and holds state and nonce.
_OUTSIDE_FHIR = frozenset({"code", "codeverifier", "state", "nonce", "demande", "sessionstate"})

_SECRET_HEADERS = frozenset({"proxyauthorization", "xapikey", "xauthorization", "xadminkey"})
# Its name has the beginning of the state in it.
_FLOW_COOKIE = "sso-"

# The same names as patterns, for text without a structure.
_NAME = (
    rb"[a-z0-9_-]*(?:password|passwd|passphrase|pwd|mot[_-]?de[_-]?passe|secret|token|jeton|api[_-]?key|assertion)"
    rb"|id[_-]?token[_-]?hint|saml(?:response|request)|private[_-]?key"
)
_NAME_OUTSIDE_FHIR = _NAME + rb"|code|code[_-]?verifier|state|nonce|demande|session[_-]?state"
# Of a cut body: its last attribute may be the value of an input whose name was still to come.
_INPUT = re.compile(rb"""<input\b(?:[^>"']|"[^"]*"?|'[^']*'?)*>?""", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"""([a-z-]+)\s*=\s*("[^"]*"?|'[^']*'?|[^\s>"']+)""", re.IGNORECASE)
# What a page shows: an element that says that it holds a secret, or "Mot de passe : …".
_SHOWN = re.compile(
    rb"""(<\w+\b[^>]*?\b(?:class|id|data-[\w-]+)\s*=\s*["'][^"'>]*(?:secret|password|mot[-_]de[-_]passe)[^"'>]*["']"""
    rb"""[^>]*>)([^<]+)""",
    re.IGNORECASE,
)
_SHOWN_LABEL = re.compile(rb"""(<(?:label|h\d|th|dt|legend)\b[^>]*)""", re.IGNORECASE)
_SPACE = rb"(?:\s|&nbsp;|\xc2\xa0|\xe2\x80\xaf)"
_TOLD = re.compile(
    rb"(mot de passe(?: provisoire)?(?: est)?" + _SPACE + rb"*:" + _SPACE + rb"*(?:<[^>]*>\s*)*)([^\s<]+)",
    re.IGNORECASE,
)
_JWT = re.compile(rb"eyJ[\w-]{4,}(?:\.[\w-]*)+")
_CUT_JWT = re.compile(rb"ey(?:J[\w-]*)?$")
_CREDENTIALS = re.compile(rb"""(://)[^/\s"'<>@?#\\]+@""")
_CUT_CREDENTIALS = re.compile(rb"""(://)[^/\s"'<>@?#\\:]+:[^/\s"'<>@?#\\]*$""")
# In a URL inside of a URL, all signs are escaped, perhaps twice.
_INSIDE = r"(?:(?<![\w.-])|(?<=%3[fF])|(?<=%26)|(?<=%253[fF])|(?<=%2526))"
_SPECIAL = re.compile(r"[?#]|%(?:25)*3d", re.IGNORECASE)
_PARAMETER = re.compile(r"([?&#]|^)([^=?&#]*)=([^?&#]*)")


def _nested(names: bytes) -> "re.Pattern[bytes]":
    return re.compile(
        _INSIDE.encode() + rb"(" + names + rb")(%(?:25)*3d)((?:(?!%(?:25)*26)[^&\s\"'<>#])*)", re.IGNORECASE
    )


def _loose(names: bytes) -> "re.Pattern[bytes]":
    value = rb"""=(\\+"[^"\\]*|"[^"]*|'[^']*|[^&\s"'<>#]+)"""
    return re.compile(_INSIDE.encode() + rb"(" + names + rb")" + value, re.IGNORECASE)


def _member(names: bytes) -> "re.Pattern[bytes]":
    return re.compile(rb"(\\*\")(" + names + rb")\\*\"\s*:\s*", re.IGNORECASE)


class _Rules:
    """The names and patterns of one world: FHIR, or all the rest."""

    def __init__(self, exact: frozenset[str], names: bytes) -> None:
        self._exact = exact
        # Names come from outside, so what is remembered of them is bounded.
        self.harmless: set[str] = set()
        self.nested, self.loose, self.member = _nested(names), _loose(names), _member(names)

    def secret(self, name: str) -> bool:
        """Whether the value of a parameter or member with this name is a secret."""
        plain = unquote_plus(name).strip().lower().replace("_", "").replace("-", "")
        if plain in self._exact or plain.endswith(_ENDINGS):
            return True
        if len(self.harmless) < 2000 and len(name) < 100:
            self.harmless.add(name)
        return False


_FHIR = _Rules(_ALWAYS, _NAME)
_OTHER = _Rules(_ALWAYS | _OUTSIDE_FHIR, _NAME_OUTSIDE_FHIR)


def url(text: str, *, fhir: bool) -> str:
    """A URL, or the path and query of one. One without secrets is returned as the same object."""
    rules = _FHIR if fhir else _OTHER
    _, mark, query = text.partition("?")
    # One rare sign is found ten times faster than two of which the first is frequent.
    suspicious = (
        ("J" in text and "eyJ" in text)
        or ("D" in query and "3D" in query)
        or "3d" in query
        or "@" in text
        or "#" in text
        or "?" in query
    )
    if mark and not suspicious:
        # The usual case is a search with a list of identifiers: neither patterns nor decoding.
        for part in query.split("&"):
            name = part.partition("=")[0]
            if name not in rules.harmless and rules.secret(name):
                suspicious = True
    if not suspicious:
        return text
    return _plain(_parameters(text, rules).encode("utf-8", "replace"), rules).decode("utf-8", "replace")


def _parameters(text: str, rules: _Rules) -> str:
    def masked(found: "re.Match[str]") -> str:
        mark, name, value = found.groups()
        return f"{mark}{name}={MASK if value and rules.secret(name) else value}"

    return _PARAMETER.sub(masked, text)


def _plain(text: bytes, rules: _Rules) -> bytes:
    """Text without a structure that we know."""
    text = rules.nested.sub(rb"\1\2" + _MASK, text)
    if b"eyJ" in text:
        text = _JWT.sub(_MASK, text)
    if b"@" in text:
        text = _CREDENTIALS.sub(rb"\1" + _MASK + b"@", text)
    return text


def text(told: str) -> str:
    """A message, e.g. of an error that quotes a URL."""
    masked = _OTHER.loose.sub(rb"\1=" + _MASK, told.encode("utf-8", "replace"))
    return _plain(_members(masked, _OTHER), _OTHER).decode("utf-8", "replace")


# Most headers come again and again.
_seen: dict[tuple[str, str], tuple[str, str]] = {}


def headers(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of a request or an answer."""
    masked = []
    for pair in pairs:
        known = _seen.get(pair)
        if known is None:
            known = (pair[0], _header(*pair))
            if known == pair and len(_seen) < 2000 and len(pair[1]) < 200:
                _seen[pair] = known
        masked.append(known)
    return masked


def _header(name: str, value: str) -> str:
    plain = name.lower().replace("-", "").replace("_", "")
    if plain == "cookie":
        return "; ".join(_cookie(part) for part in value.split(";"))
    if plain == "setcookie":
        cookie, mark, attributes = value.partition(";")
        return _cookie(cookie) + mark + attributes
    if plain == "authorization":
        # The scheme tells what a client tries.
        scheme, mark, _ = value.partition(" ")
        return f"{scheme} {MASK}" if mark else MASK
    if plain in _SECRET_HEADERS or plain.endswith(_ENDINGS):
        return MASK
    if "=" in value or "eyJ" in value or "@" in value:
        value = _parameters(value, _OTHER)
        value = text(value)
    return value


def _cookie(part: str) -> str:
    name, mark, value = part.strip().partition("=")
    if not mark:
        return MASK
    if name.startswith(_FLOW_COOKIE):
        name = _FLOW_COOKIE + MASK
    return f"{name}={MASK if value.strip() else ''}"


def body(content: bytes, media_type: str, *, fhir: bool, cut: bool) -> bytes:
    """The body of a request or an answer, or the beginning of one that was ``cut``."""
    if not content:
        return content
    rules = _FHIR if fhir else _OTHER
    if "x-www-form-urlencoded" in media_type.lower():
        content = _parameters(content.decode("latin-1"), rules).encode("latin-1")
    if b"<input" in content or b"<INPUT" in content:
        content = _INPUT.sub(lambda found: _input(found[0], cut and found.end() == len(content)), content)
    if b"<" in content:
        content = _SHOWN.sub(_shown, content)
        content = _TOLD.sub(rb"\1" + _MASK, content)
    content = _plain(rules.loose.sub(rb"\1=" + _MASK, _members(content, rules)), rules)
    return _CUT_CREDENTIALS.sub(rb"\1" + _MASK, _CUT_JWT.sub(_MASK, content)) if cut else content


def _input(tag: bytes, cut: bool) -> bytes:
    found = {name.lower(): value.strip(b"\"'") for name, value in _ATTRIBUTE.findall(tag)}
    name = found.get(b"name", b"").decode("latin-1")
    if found.get(b"type", b"").lower() != b"password" and not _OTHER.secret(name) and not cut:
        return tag

    def masked(attribute: "re.Match[bytes]") -> bytes:
        return attribute[1] + b'="' + _MASK + b'"' if attribute[1].lower() == b"value" else attribute[0]

    return _ATTRIBUTE.sub(masked, tag)


def _shown(found: "re.Match[bytes]") -> bytes:
    whole: bytes = found[0]
    return whole if _SHOWN_LABEL.match(whole) or not found[2].strip() else found[1] + _MASK


def _members(text: bytes, rules: _Rules) -> bytes:
    """JSON with the values of secret members replaced, whatever they are; it need not be whole."""
    if b'"' not in text:
        return text
    kept, at = [], 0
    for found in rules.member.finditer(text):
        if found.start() < at:
            continue  # within a value that is gone
        kept += [text[at : found.end()], found[1] + _MASK + found[1]]
        at = _end_of_value(text, found.end(), found[1])
    return b"".join([*kept, text[at:]]) if kept else text


_WORD = re.compile(rb"[^\s,}\]]*")


def _end_of_value(text: bytes, at: int, quote: bytes) -> int:
    """Where the JSON value ends that begins at ``at``: at the end of the text, if it was cut."""
    depth = 0
    while at < len(text):
        if text.startswith(quote, at):
            at = _end_of_string(text, at + len(quote), quote)
        elif text[at] in b"[{":
            depth += 1
            at += 1
        elif text[at] in b"]}":
            depth -= 1
            at += 1
        elif depth:
            at += 1
        else:
            found = _WORD.match(text, at)
            return found.end() if found else at
        if depth <= 0:
            return at
    return at


def _end_of_string(text: bytes, at: int, quote: bytes) -> int:
    if quote != b'"':  # JSON within a string of JSON
        end = text.find(quote, at)
        return len(text) if end < 0 else end + len(quote)
    while at < len(text):
        if text[at] == 0x5C:
            at += 2
        elif text[at] == 0x22:
            return at + 1
        else:
            at += 1
    return len(text)

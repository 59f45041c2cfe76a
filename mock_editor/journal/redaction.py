"""What the journal never holds: passwords, keys, tokens, cookies. Each is replaced by ``***``.

A secret is recognised by its name, however that is escaped (see ``layers``), or by its own form: ``Bearer …``, a JWT,
a password in a URL. On FHIR paths ``code`` and ``state`` have their meaning in FHIR; elsewhere, that in OpenID
Connect. A cut body is treated as if its last word went on, so that no half of a secret remains.

Strangers choose these texts, so everything here takes time linear in their length: no pattern can begin at many
places and run far from each.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import unquote_plus

from mock_editor.journal.layers import Layer, layers

MASK = "***"
_MASK = MASK.encode()

Headers = Sequence[tuple[str, str]]

# --- names, in lower case; `access_token`, `accessToken` and `Access-Token` are one

_SEP = rb"[ ._+-]?"
# Their value may be anything, even several words.
_STRONG = (
    rb"pass(?:word|wd|phrase|code)|pwd|mot" + _SEP + rb"de" + _SEP + rb"passe|secret|credentials?|authorization|cookie"
    rb"|(?:api|access|account|admin|auth|client|encryption|functions|license|master|private|secret|shared|signing"
    rb"|subscription)" + _SEP + rb"key"
)
_WORDS = (
    rb"token|jeton|assertion|jwt|dpop|saml" + _SEP + rb"(?:request|response)|id" + _SEP + rb"token" + _SEP + rb"hint"
)
# `password2`, `passwordConfirm`, "mot de passe provisoire est :".
_TAIL = (
    rb"(?:" + _SEP + rb"(?:[0-9]{1,3}|confirm[a-z]{0,5}|confirmation|hash|new|old|repeat|value|again|provisoire))?"
    rb"(?: est| is)?"
)
# `demande` is what the provider's page sends back: anybody can read it, and it holds state and nonce.
_OUTSIDE_FHIR = (
    rb"(?:(?:authorization|auth|device|user)" + _SEP + rb")?code|code" + _SEP + rb"verifier|state|nonce|demande"
    rb"|session" + _SEP + rb"state"
)
# A text without any of these has no such name. Looking for them is much faster than matching the patterns.
_STEMS = (
    b"pass", b"pwd", b"secret", b"credential", b"authorization", b"cookie", b"key", b"token", b"jeton", b"assertion",
    b"jwt", b"dpop", b"saml",
)  # fmt: skip
_STEMS_OUTSIDE_FHIR = (b"code", b"state", b"nonce", b"demande")
_SHORT = 100  # characters of a name that are looked at

# --- values

_SCHEMES = rb"(?:bearer|basic|dpop|negotiate|ntlm|digest)"
_SCHEME = re.compile(rb"(?<![a-z0-9_-])" + _SCHEMES + rb"[ +\t]+([a-z0-9._~+/-]+=*)")
_WITH_SCHEME = re.compile(_SCHEMES + rb"[ +\t]+")
_SCHEME_STEMS = (b"bearer", b"basic", b"dpop", b"negotiate", b"ntlm", b"digest")
_LONG = 20  # more letters than a word of a language has, about
# Headers that name the wanted scheme and hold no secret.
_CHALLENGES = frozenset({"wwwauthenticate", "proxyauthenticate"})
# The base64url form of `{"`, or of `{` and a space.
_JWT = re.compile(rb"e(?:y[A-DI-L]|w[k-r0-3])[\w-]*(?:\.[\w-]*)*")
_JWT_LEAST = 7  # characters of its first part
_IN_JWT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
_USER = re.compile(rb"""://([^/\s"'<>@?#\\]+)@""")
_CUT_USER = re.compile(rb"""://([^/\s"'<>@?#\\:]+:[^/\s"'<>@?#\\]*)$""")

_QUOTES = b"\"'`"
_WORD_END = re.compile(rb"[\s,}\]]")
_TAGS = re.compile(rb"(?:\s*<[^<>]*>)*\s*")
_TEXT_END = re.compile(rb"[\r\n<\"]")
_WORDS_OF_LINE = re.compile(rb"([^\s<\"]+)(?:[ \t]+[^\s<\"]+)?")
_LINE_END = re.compile(rb"[ \t.]*(?:[\r\n<\"]|\Z)")
_NESTING = re.compile(rb"[\"{}\[\]]")

# --- pages

_TAG = re.compile(rb"<([a-z][\w:.-]*)")
_ATTRIBUTE = re.compile(rb"""\s*(?:([^\s=<>"'/]+)(?:\s*=\s*("[^"]*"?|'[^']*'?|[^\s>"']+))?|[/="'])""")
_VALUES = (b"value", b"content")
# An element marks its text as a secret by one of these; the text of a label is no secret.
_TELLING = re.compile(rb"class|id|data-.*", re.DOTALL)
_NAMING = (b"name", b"key", b"property")
_SHOWN = re.compile(rb"secret|password|mot[-_]de[-_]passe")
_NOT_SHOWN = re.compile(
    rb"label|h\d|th|dt|legend|a|button|form|fieldset|select|iframe|script|style|input|meta|link|img|br|hr|param"
)
_PART = re.compile(rb"\r?\n--")
_PART_NAME = re.compile(rb"[; ]name=(?:\"([^\"\r\n]*)|([^\s;\"]+))")
# `{"name": "password", "value": "…"}`, and the other way round.
_NAMED = re.compile(
    rb"\"(?:name|key|header|field|param)\"\s*:\s*\"([^\"\\]{1,100})\"\s*,\s*\"(?:value|content)[a-z]{0,20}(\")\s*:\s*"
)
_NAMED_AFTER = re.compile(
    rb"\"(?:value|content)[a-z]{0,20}\"\s*:\s*\"((?:[^\"\\]|\\.)*)\"\s*,\s*\"(?:name|key|header|field|param)\"\s*:\s*"
    rb"\"([^\"\\]{1,100})\"",
    re.DOTALL,
)


class _Name(NamedTuple):
    """The name of a secret: the mark between it and the value, how often the mark is escaped, and the name's quote."""

    mark: bytes
    depth: int
    quote: int


class _Form(Enum):
    """How a value without quotes ends: at a separator of parameters, or at the end of a word."""

    URL = auto()
    FORM = auto()
    TEXT = auto()


_ENDS = {
    _Form.URL: re.compile(rb"[&#]"),
    _Form.FORM: re.compile(rb"&"),
    _Form.TEXT: re.compile(rb"[&\s\"'<>#]"),
}


class _Secret(NamedTuple):
    """Where a secret stands. ``quote`` is the position of the quote to put around its replacement, if it needs one."""

    begin: int
    end: int
    quote: int = -1


class _Rules:
    """Which names mean secrets: on FHIR paths, or everywhere else."""

    def __init__(self, exact: bytes, stems: Sequence[bytes]) -> None:
        self.stems = stems
        # Clients choose the names, so only so many are remembered.
        self.harmless: set[str] = set()
        own = rb"|(?P<exact>(?<![a-z0-9_.-])(?:" + exact + rb"))" if exact else rb"|(?P<exact>(?!))"
        name = rb"(?:(?:(?P<strong>" + _STRONG + rb")|" + _WORDS + rb")" + _TAIL + own + rb")"
        self._end = re.compile(name + rb"\Z")
        self.named = re.compile(name + rb"\]?(?P<quote>[\"'`]?)\s*(?P<mark>=>?|:)\s*")

    def secret(self, name: bytes) -> bool:
        """Whether the value under this name, in lower case, is a secret."""
        return self._end.search(name[-_SHORT:]) is not None

    def has_stem(self, low: bytes) -> bool:
        """Whether there may be such a name in a text, in lower case."""
        return any(stem in low for stem in self.stems)


_FHIR = _Rules(b"", _STEMS)
_OTHER = _Rules(_OUTSIDE_FHIR, (*_STEMS, *_STEMS_OUTSIDE_FHIR))


# --- what others call


def url(text: str, *, fhir: bool) -> str:
    """A URL, or its path and query, without secrets. If it has none, the same object is returned."""
    rules = _FHIR if fhir else _OTHER
    path, mark, query = text.partition("?")
    # Looking for one rare character is ten times faster than for two of which the first is common.
    suspicious = (
        ("J" in text and "eyJ" in text)
        or ("D" in query and "3D" in query)
        or ("2" in query and "%22" in query)
        or "3d" in query
        or '"' in query
        or "\\" in text
        or "@" in text
        or "#" in text
        or "=" in path
        or "?" in query
        or ";" in query
        or "earer" in query
        or "asic" in query
    )
    if mark and not suspicious:
        # The usual case is a search with a list of identifiers: neither patterns nor decoding.
        for part in query.split("&"):
            name = part.partition("=")[0]
            if name not in rules.harmless and _is_secret(name, rules):
                suspicious = True
    if not suspicious:
        return text
    whole = text.encode("utf-8", "replace")
    masked = _masked(whole, rules, _Form.URL)
    return text if masked is whole else masked.decode("utf-8", "replace")


def _is_secret(name: str, rules: _Rules) -> bool:
    plain = unquote_plus(name).strip().lower().encode("utf-8", "replace")
    if rules.secret(plain):
        return True
    if len(rules.harmless) < 2000 and len(name) < _SHORT:
        rules.harmless.add(name)
    return False


def text(written: str) -> str:
    """A message, e.g. of an error that quotes a URL."""
    return _masked(written.encode("utf-8", "replace"), _OTHER, _Form.TEXT).decode("utf-8", "replace")


# Most headers repeat.
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
    secret = plain != "authorization" and _OTHER.secret(name.lower().encode("utf-8", "replace"))
    whole = value.encode("utf-8", "replace")
    # The scheme shows what a client tries; in a header, whatever follows it is a secret.
    scheme = _WITH_SCHEME.match(whole.lower())
    if scheme and not secret and plain not in _CHALLENGES:
        return f"{value[: scheme.end()].strip()} {MASK}"
    if secret or plain == "authorization":
        return MASK
    return _masked(whole, _OTHER, _Form.TEXT).decode("utf-8", "replace")


# The names of the cookies that remember a sign-in contain the beginning of the state.
_FLOW_COOKIE = re.compile(r"((?:__(?:Host|Secure)-)?sso-)")


def _cookie(part: str) -> str:
    name, mark, value = part.strip().partition("=")
    if not mark:
        return MASK
    if found := _FLOW_COOKIE.match(name):
        name = found[0] + MASK
    return f"{name}={MASK if value.strip() else ''}"


def body(content: bytes, media_type: str, *, fhir: bool, cut: bool) -> bytes:
    """The body of a request or an answer, or the beginning of one that was ``cut``."""
    if not content:
        return content
    kind = media_type.lower()
    form = _Form.FORM if "x-www-form-urlencoded" in kind else _Form.TEXT
    return _masked(content, _FHIR if fhir else _OTHER, form, cut=cut, parts="multipart/" in kind)


# --- how secrets are found


def _masked(text: bytes, rules: _Rules, form: _Form, *, cut: bool = False, parts: bool = False) -> bytes:
    """A text without its secrets; the same object if it has none."""
    replacements: list[tuple[int, int, bytes]] = []
    for layer in layers(text):
        origin = layer.origin
        for begin, end, quote in _secrets(layer, rules, form, cut=cut, parts=parts):
            sign = text[origin(quote) : origin(quote + 1)] if quote >= 0 else b""
            replacements.append((origin(begin), origin(end), sign + _MASK + sign))
    return _replaced(text, replacements) if replacements else text


def _replaced(text: bytes, replacements: list[tuple[int, int, bytes]]) -> bytes:
    # Where several overlap, the replacement of the first and longest counts.
    replacements.sort(key=lambda replacement: (replacement[0], -replacement[1]))
    pieces: list[bytes] = []
    at = 0
    for begin, end, by in replacements:
        if begin >= at:
            pieces += [text[at:begin], by]
        at = max(at, end)
    return b"".join([*pieces, text[at:]])


def _secrets(layer: Layer, rules: _Rules, form: _Form, *, cut: bool, parts: bool) -> Iterator[_Secret]:
    low = layer.low
    if rules.has_stem(low):
        yield from _named(layer, rules, form)
        yield from _pairs(layer, rules)
        if parts:
            yield from _parts(low, rules)
    if b"<" in low and (cut or rules.has_stem(low)):
        yield from _pages(layer, cut=cut)
    yield from _formed(layer, cut=cut)


def _named(layer: Layer, rules: _Rules, form: _Form) -> Iterator[_Secret]:
    """Values that follow a name."""
    at = prose = 0
    for found in rules.named.finditer(layer.low):
        if found.start() < at:
            continue  # within a value already replaced
        name = _Name(
            mark=found["mark"],
            depth=layer.depth(found.start("mark")),
            quote=found.start("quote") if found["quote"] else -1,
        )
        secret = _value(layer, name, found.end(), form)
        if secret is None and found["strong"] is not None:
            secret = _rest_of_line(layer, found.end())
        elif secret is None and found["exact"] is None and found.end() >= prose:
            secret, prose = _words(layer, found.end())
        if secret and secret.begin < secret.end:
            yield secret
            at = secret.end


def _value(layer: Layer, name: _Name, at: int, form: _Form) -> _Secret | None:
    """The value that begins at ``at``; None where it has neither quotes nor a name in quotes nor a sign before it."""
    start = layer.text[at : at + 1]
    if name.mark == b"=" and form is not _Form.TEXT:
        return _Secret(at, _end_of_words(layer, at, name.depth, form))
    if start and start in _QUOTES:
        return _Secret(at + 1, _end_of_string(layer, at))
    if name.mark == b"=":
        scheme = _WITH_SCHEME.match(layer.low, at)
        return _Secret(at, _end_of_words(layer, scheme.end() if scheme else at, name.depth, form))
    return _Secret(at, _end_of_json(layer, at), name.quote) if name.quote >= 0 else None


def _end_of_words(layer: Layer, at: int, depth: int, form: _Form) -> int:
    """Where a value without quotes ends: what is escaped more often than the sign before it belongs to it."""
    ends = (end.start() for end in _ENDS[form].finditer(layer.text, at))
    return next((end for end in ends if layer.depth(end) <= depth), len(layer.text))


def _end_of_string(layer: Layer, at: int) -> int:
    """Where the string that begins with the quote at ``at`` ends: before a quote that is escaped no more often."""
    text, depth = layer.text, layer.depth(at)
    quote, end = text[at : at + 1], at
    while (end := text.find(quote, end + 1)) >= 0:
        own = layer.depth(end)
        if own > depth:
            continue
        before = end
        while before > at + 1 and text[before - 1] == 0x5C and layer.depth(before - 1) <= own:
            before -= 1
        if (end - before) % 2 == 0:
            return end
    return len(text)


def _end_of_json(layer: Layer, at: int) -> int:
    """Where a JSON value that is not a string ends: at the end of the text, if it was cut."""
    text = layer.text
    if text[at : at + 1] not in (b"{", b"["):
        found = _WORD_END.search(text, at)
        return found.start() if found else len(text)
    depth, begin = 0, at
    while found := _NESTING.search(text, begin):
        begin = found.end()
        if found[0] == b'"':
            begin = _end_of_string(layer, found.start()) + 1
        else:
            depth += 1 if found[0] in (b"{", b"[") else -1
            if depth == 0:
                return begin
    return len(text)


def _after_tags(layer: Layer, at: int) -> int:
    tags = _TAGS.match(layer.text, at)
    return tags.end() if tags else at


def _rest_of_line(layer: Layer, at: int) -> _Secret:
    """What stands after "password:"."""
    begin = _after_tags(layer, at)
    end = _TEXT_END.search(layer.text, begin)
    return _Secret(begin, end.start() if end else len(layer.text))


def _words(layer: Layer, at: int) -> tuple[_Secret | None, int]:
    """The text after "token:" if it is a word or two, and not a sentence, as after "invalid_token:".

    Also returns the position up to which the answer stays the same.
    """
    words = _WORDS_OF_LINE.match(layer.text, _after_tags(layer, at))
    if not words:
        return None, at
    alone = _LINE_END.match(layer.text, words.end())
    return (_Secret(*words.span()) if alone else None), words.end(1)


def _pairs(layer: Layer, rules: _Rules) -> Iterator[_Secret]:
    """Values whose name is the value of the member before, or after."""
    low, at = layer.low, 0
    for found in _NAMED.finditer(low):
        # Not within a value already replaced: one that never ends would be read to the end again and again.
        if found.start() >= at and rules.secret(found[1]):
            name = _Name(b":", layer.depth(found.start(2)), found.start(2))
            secret = _value(layer, name, found.end(), _Form.TEXT)
            if secret:
                yield secret
                at = secret.end
    for found in _NAMED_AFTER.finditer(low):
        if rules.secret(found[2]):
            yield _Secret(*found.span(1))


def _parts(low: bytes, rules: _Rules) -> Iterator[_Secret]:
    """Values in the parts of a multipart form."""
    ends = [found.span() for found in _PART.finditer(low)]
    begins = [0, *(end for _, end in ends)]
    for begin, (end, _) in zip(begins, [*ends, (len(low), 0)], strict=True):
        line = b"\r\n\r\n" if b"\r\n\r\n" in low[begin:end] else b"\n\n"
        head, mark, value = low[begin:end].partition(line)
        name = _PART_NAME.search(head)
        if mark and value and name and rules.secret(name[1] or name[2] or b""):
            yield _Secret(begin + len(head) + len(mark), end)


def _pages(layer: Layer, *, cut: bool) -> Iterator[_Secret]:
    """The attributes and texts of HTML elements that are marked as secret."""
    low, whole = layer.low, len(layer.low.rstrip())
    at = 0
    while tag := _TAG.search(low, at):
        attributes: list[tuple[bytes, bytes, int, int]] = []
        at = tag.end()
        while (found := _ATTRIBUTE.match(low, at)) and found.end() > at:
            at = found.end()
            if found[2]:
                begin, end = found.span(2)
                quote = low[begin : begin + 1]
                if quote in (b'"', b"'"):
                    begin, end = begin + 1, end - (end > begin + 1 and low[end - 1 : end] == quote)
                attributes.append((found[1], low[begin:end], begin, end))
        named = any(
            (name in _NAMING and _OTHER.secret(value)) or (name == b"type" and value == b"password")
            for name, value, _, _ in attributes
        )
        # In a cut body, the last attribute may be the value of an input whose name is cut off.
        element = tag[1].rpartition(b":")[2]
        if named or _FHIR.secret(element) or (cut and at >= whole):
            yield from (_Secret(begin, end) for name, _, begin, end in attributes if name in _VALUES and begin < end)
        if low[at : at + 1] != b">" or low[at - 1 : at] == b"/":
            continue
        at += 1
        if _FHIR.secret(element):
            end = low.find(b"</", at)
        elif (named or any(_TELLING.fullmatch(name) and _SHOWN.search(value) for name, value, _, _ in attributes)) and (
            not _NOT_SHOWN.fullmatch(element)
        ):
            end = low.find(b"<", at)
        else:
            continue
        end = len(low) if end < 0 else end
        if low[at:end].strip():
            yield _Secret(at, end)
        at = end


def _formed(layer: Layer, *, cut: bool) -> Iterator[_Secret]:
    """Values that look like secrets, whatever they are called."""
    text, low = layer.text, layer.low
    if any(scheme in low for scheme in _SCHEME_STEMS):
        for found in _SCHEME.finditer(low):
            if (cut and found.end() == len(low)) or _is_credential(layer, found):
                yield _Secret(*found.span(1))
    for found in _JWT.finditer(text):
        begin = found.start()
        if not text.startswith(b"eyJ", begin) and begin and text[begin - 1] in _IN_JWT:
            begin = text.find(b"eyJ", begin, found.end())  # the rest of a word
        first, dot, _ = text[max(begin, 0) : found.end()].partition(b".")
        if begin >= 0 and dot and len(first) >= _JWT_LEAST:
            yield _Secret(begin, found.end())
    if b"@" in text:
        yield from (_Secret(*found.span(1)) for found in _USER.finditer(text))
    if cut:
        begin = len(text.rstrip(_IN_JWT))
        if text.startswith((b"ey", b"ew"), begin):
            yield _Secret(begin, len(text))
        if user := _CUT_USER.match(text, max(text.rfind(b"://"), 0)):
            yield _Secret(*user.span(1))


def _is_credential(layer: Layer, found: "re.Match[bytes]") -> bool:
    """Whether the text after "Bearer" or "Basic" is a secret, not a parameter of a challenge, nor prose."""
    text = layer.text
    begin, end = found.span(1)
    after = text[end : end + 1]
    if text[end - 1 : end] == b"=" and after and after in _QUOTES:
        return False
    word = text[begin:end].rstrip(b".")
    if len(word) >= _LONG or not word.isalpha() or not (word[1:].islower() or len(word) == 1):
        return True
    before = text[max(found.start() - _LONG, 0) : found.start()].rstrip(b" ")[-1:]
    return (not before or before in b"\"'`:=\n") and (not after or after in b"\"'`\r\n<")

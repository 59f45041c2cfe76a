"""Requests, and what can be wrong with them.

Whatever is drawn comes from a generator that is given, so that it comes again.
"""

import copy
import gzip
import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from tests.conftest import GUIDE_THOMAS

VILLE, CPTS, SOS = "agenda-ville", "agenda-cpts", "agenda-sos"
STRUCTURE = "334173748400020"


def _words(text: str) -> list[str]:
    return text.split()


class Escaped(str):
    """A text that goes on its way as it is, because its escapes are what is tried."""

    __slots__ = ()


NASTY: Sequence[str] = (
    *_words("0 -1 +1 1_000 0x10 1e400 -0.0 NaN Infinity true null [] {} . .. / * $ % | || , ,,, ' \" \\,"),
    *("", " ", " 1 ", "\x00", "a\x00b", "\n", "a\r\nX-Injected: 1", "\x1b[2J", "\x7f", "\u2028", "\ufeff", "\ud800"),
    *("٣", "²", "１２", "é", "e\u0301", "ﬁ", "𝔘", "a|b|c", "a,b", "' or '1'='1", '"><script>fuzz</script>', '{"a": 1}'),
    *("{{7*7}}", "{% raw %}", "%s", "${x}", "../../etc/passwd", "//x.example", "http://[::1", "http://x.example:99999/"),
    *("http://é.example", "javascript:alert(1)", "A" * 300, "A" * 5000, "é" * 1500, "9" * 30, "9" * 400, "9" * 5000),
    *("," * 3000, "a|b," * 600, "(" * 2000, str(uuid.UUID(int=0)), f"{{{uuid.UUID(int=1)}}}"),
    # Dates and starts of slots.
    *_words("0001-01-01 0000-00-00 9999-12-31 ge0001-01-01 le9999-12-31T23:59:60Z ge2026-02-30 ge ge99999-01-01"),
    *_words("9999-12-31T23:59:59.999999999+14:00 0001-01-01T00:00:00-14:00 2026-11-20T24:00:00Z 2026-10-25T02:30:00"),
    *_words("ge2026 le2026-11 gt2026 eq2026-11-20 2026-W47-5 sa1 999999999999 202613010000 000101010000 999912312359"),
    "2026-11-20T08:00:00 01:00",
    *map(Escaped, _words("% %zz %u0041 %00 %0a%0d %c0%af %ed%a0%80 %ff %f8%88%80%80%80 %2525 + %0D%0AX-Injected:1")),
)  # fmt: skip
NASTY_JSON: Sequence[Any] = (
    *(None, True, False, 0, -1, 1.5, 2**53 + 1, 2**64, 10**400, 1e308, float("nan"), float("-inf"), [], {}, [[]]),
    *([None], {"": ""}, {"__proto__": {}}, {"extension": [{}]}, {"reference": "Patient/1"}, [{}] * 300, ["x"] * 3000),
)
# What texts of the API are often about.
WORDS: Sequence[str] = (
    *(VILLE, CPTS, SOS, GUIDE_THOMAS, f"{GUIDE_THOMAS}-1", f"{GUIDE_THOMAS}-1-202611200745", STRUCTURE),
    *_words("2026-11-20 2026-12-24 2026-11-20T08:00:00+01:00 2026-11-21T00:00:00Z 08:00-12:00 22:00-06:00 INT_R01 GET"),
    *_words("decouverte exemples-guide 4xx 200 open SNP lent /agenda x@regulation.example"),
)


@dataclass
class Request:
    """A request in the making.

    ``surface`` says how it is to be refused, ``waits`` that it is answered late on purpose, ``wild`` that its very
    frame was touched. The body is ``content`` (JSON), ``form`` or ``data``; ``legal`` are characters not to be escaped.
    """

    surface: str
    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: Any = None
    form: list[tuple[str, str]] | None = None
    data: bytes | None = None
    waits: bool = False
    wild: bool = False
    version: str = "HTTP/1.1"
    host: Sequence[str] = ("127.0.0.1",)
    framing: str = "length"
    legal: str = ""

    @classmethod
    def of(cls, surface: str, method: str, url: str, **more: Any) -> "Request":
        """A request of a path with its query, which may be encoded as little as the SAS does it."""
        path, _, query = url.partition("?")
        pairs = [part.partition("=") for part in query.split("&") if part]
        return cls(surface, method, path, [(unquote_plus(name), unquote(text)) for name, _, text in pairs], **more)

    def body(self) -> bytes | None:
        if self.data is not None:
            return self.data
        if self.form is not None:
            return self._encoded(self.form).encode()
        return None if self.content is None else json.dumps(self.content).encode()

    def raw(self) -> bytes:
        """The bytes that are sent."""
        target = self.path + ("?" + self._encoded(self.query) if self.query else "")
        body = self.body()
        sent = body or b""
        headers = [*(("Host", one) for one in self.host), ("Connection", "close"), *self.headers]
        if self.framing == "chunked":
            headers.append(("Transfer-Encoding", "chunked"))
            pieces = [sent[at : at + 1000] for at in range(0, len(sent), 1000)]
            sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        elif self.framing != "length":
            headers.append(("Content-Length", self.framing))
        elif body is not None:
            headers.append(("Content-Length", str(len(sent))))
        head = f"{self.method} {target} {self.version}\r\n" + "".join(f"{name}: {text}\r\n" for name, text in headers)
        return head.encode("utf-8", "surrogatepass") + b"\r\n" + sent

    def _encoded(self, pairs: Sequence[tuple[str, str]]) -> str:
        def one(text: str) -> str:
            return text if isinstance(text, Escaped) else quote(text, safe=self.legal, errors="surrogatepass")

        return "&".join(f"{one(name)}={one(text)}" for name, text in pairs)


# --- one thing of a request that is wrong


def _parameter(one: Request, draw: random.Random) -> None:
    """A parameter of the query, or a field of the form."""
    pairs = one.form if one.form and draw.random() < 0.8 else one.query
    at = draw.randrange(len(pairs)) if pairs else 0
    match draw.randrange(9) if pairs else draw.randrange(3):
        case 0:
            pairs.append((draw.choice(_words("_format _pretty _count _summary _elements x")), draw.choice(NASTY)))
        case 1:
            pairs.append((draw.choice(NASTY), draw.choice(NASTY)))
        case 2:
            if draw.random() < 0.3:
                pairs += [(f"p{number}", "1") for number in range(draw.choice((190, 300, 4000)))]
        case 3:
            del pairs[at]
        case 4:
            pairs.insert(at, pairs[at])
        case 5:
            name, text = pairs[at]
            pairs[at] = (draw.choice((name.upper(), f"{name}:exact", draw.choice(NASTY))), text)
        case 6:
            pairs[at] = (pairs[at][0], pairs[at][1] + draw.choice(NASTY))
        case _:
            pairs[at] = (pairs[at][0], draw.choice((*NASTY, *WORDS)))


def _element(one: Request, draw: random.Random) -> None:
    """An element of a JSON body, somewhere in it."""
    places = list(_places(one.content))
    if not places:
        return
    node, key = draw.choice(places)
    match draw.randrange(7):
        case 0:
            del node[key]
        case 1 if isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        case 1 | 2 if isinstance(node, dict):
            node[draw.choice((*NASTY, "extension", "resourceType", "id", "_active"))] = node.pop(key)
        case 3:
            node[key] = [node[key]] if draw.random() < 0.5 else {"value": node[key]}
        case 4:
            node[key] = copy.deepcopy(draw.choice(NASTY_JSON))
        case _:
            node[key] = draw.choice((*NASTY, *WORDS))


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every element of a JSON value, as what it is in and its name or number there."""
    if isinstance(node, dict | list):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key
            yield from _places(node[key])


def _bytes(one: Request, draw: random.Random) -> None:
    """The bytes of the body, whatever they mean."""
    body = one.body()
    if body is None:
        return
    deep = draw.choice((50, 300, 10_000, 100_000))
    at = draw.randrange(len(body) + 1)
    changed = (
        *(body[:at], body[at:], body + body, body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :], b"", b"null"),
        *(b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep, b'{"extension":[' * deep + b"]}" * deep),
        *(b"\xef\xbb\xbf" + body, body.decode("latin-1").encode("utf-16"), b"\x00" * 100, gzip.compress(body, mtime=0)),
        *(body.replace(b":", b": NaN,", 1), body.replace(b'"', b'"\\ud800', 1), b"1e999999", b"9" * 6000),
        *(body + b" " * 70_000, b'{"a":1,"a":2}', body.replace(b"{", b'{"resourceType":"Bundle",', 1), b"&" * 5000),
        *(b"=" * 300, b"a=%&b=%zz&c=%c0%af", b"x" * 1_000_001),
    )
    one.data = draw.choice(changed)


HEADERS: Sequence[tuple[str, Sequence[str]]] = (
    ("Accept", ("application/fhir+xml", "text/html", "*/*;q=0", "application/json;q=0.0, */*", ",;,=", "a" * 4000)),
    ("Accept", ("text/event-stream", "application/x-ndjson;q=NaN", '"', "application/fhir+json; fhirVersion=9")),
    ("Content-Type", ("", "text/xml", "application/json; charset=utf-16", "application/fhir+json;charset=x", '"')),
    ("Content-Type", ("multipart/form-data; boundary=x", "multipart/form-data", ";", "application/json, x")),
    ("Content-Encoding", ("gzip", "br", "identity", "x" * 100, "gzip, gzip")),
    ("Prefer", ("handling=strict", "return=minimal", "return=OperationOutcome", "return=x", ";;==", "=" * 3000)),
    ("Cookie", ("agenda=x", "formulaire-0a1b", "=", ";" * 500, 'agenda="\\042\\777"', "mock_idp=a.b.c", "console=9.9")),
    ("Cookie", ("agenda=%00; sso-x=%zz", "agenda=" + "A" * 5000, "formulaire-0a1b=£; jeton=£", '"; $Version=1')),
    ("Authorization", ("Basic", "Basic !!!", "Basic Og==", "Basic w6k6w6k=", "Basic ££", "Bearer x.y", "Bearer £")),
    ("Authorization", ("Digest a=b", "x" * 4000, "", "£", "Bearer", "Basic " + "=" * 50)),
    ("If-Match", ('W/"1"', "*", '"', 'W/"99999999999999999999"', "²", "W/")),
    ("If-None-Match", ("*", '"x"')),
    ("If-Modified-Since", ("x", "Thu, 01 Jan 1970 00:00:00 GMT")),
    ("Range", ("bytes=0-0", "bytes=9-1", "bytes=" + "0-," * 900)),
    ("Last-Event-ID", ("-1", "²", "9" * 15, "x")),
    ("If-None-Exist", ("identifier=x", "")),
    ("Sec-Fetch-Site", ("cross-site", "none", "x")),
    ("Origin", ("null", "http://x.example")),
    ("Referer", ("", "%", "http://x.example/£")),
    ("User-Agent", ("", "\x80\xff", "x" * 5000)),
    ("X-HTTP-Method-Override", ("PUT",)),
    ("Accept-Language", ("en", "x" * 2000)),
)


def _header(one: Request, draw: random.Random) -> None:
    """A header that the application reads."""
    name, texts = draw.choice(HEADERS)
    one.headers = [pair for pair in one.headers if pair[0] != name]
    one.headers.append((name, draw.choice(texts)))
    if draw.random() < 0.1:
        one.headers.append(one.headers[-1])
        one.wild = True


def _segment(one: Request, draw: random.Random) -> None:
    """A part of the path behind its first two, which tell of what surface it is."""
    parts = one.path.split("/")
    if len(parts) > 3:
        text = draw.choice((*NASTY, *WORDS))
        escaped = text if isinstance(text, Escaped) else quote(text, safe="", errors="surrogatepass")
        parts[draw.randrange(3, len(parts))] = escaped
        one.path = "/".join(parts)


def _escapes(one: Request, draw: random.Random) -> None:
    """What is escaped: as little as the SAS does it, or less than anybody should."""
    one.legal = draw.choice(("|:,/+@", "/:?", "!$&'()*+,;=:@/?|[]{}^`"))


_TAME: Sequence[Callable[[Request, random.Random], None]] = (
    *([_parameter] * 4), *([_element] * 3), _bytes, *([_header] * 2), *([_segment] * 2), _escapes,
)  # fmt: skip

# --- its frame: what the server and the router read before anybody else

# Without DELETE, which would empty the journal.
_METHODS = (*_words("BREW get HEAD OPTIONS TRACE PATCH PUT POST CONNECT PRI É"), "A" * 200)
_VERSIONS = (*_words("HTTP/1.0 HTTP/0.9 HTTP/2.0 HTTP/1.10 http/1.1 HTTPS/1"), "", "HTTP/1.1 x")
_PARTS = (*_words(". .. %2e%2e %2f ;x=1 %00 % %zz %c0%af é \\ %5c fhir"), "", "a" * 9000)
_PREFIXES = _words("//x.example http://x.example http://127.0.0.1:1 * ? # /; x.example:80 http://")
_LENGTHS = ("-1", "1x", "0", "3", "9999999", "1_0", "+5", "٣", "5, 5", "", "0x5")
_HOSTS = ((), ("a", "b"), ("",), ("a" * 7000,), ("x@y/z?q",), ("[::1",), ("é.example:99999",), (".a..b.",))
_PROXIES = _words(
    "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host Forwarded X-Script-Name SCRIPT_NAME Via X-Real-IP"
)
_NAMES = ("X\x00", "X Y", "X:", "", "é", *_words("Content-Length Transfer-Encoding Expect Upgrade TE Trailer X_Y"))
_TEXTS = ("x", "100-continue", "gzip, chunked", "chunked", "\x00", "a\rX-Injected: 1", "\n folded", "0", "h2c", "é")


def _wildly(one: Request, draw: random.Random) -> None:
    one.wild = True
    match draw.randrange(9):
        case 0:
            one.method = draw.choice(_METHODS)
        case 1:
            one.version = draw.choice(_VERSIONS)
        case 2:
            parts = one.path.split("/")
            parts.insert(draw.randrange(1, len(parts)), draw.choice(_PARTS))
            one.path = "/".join(parts)
        case 3:
            one.path = draw.choice(_PREFIXES) + one.path
        case 4:
            one.framing = draw.choice(("chunked", *_LENGTHS))
        case 5:
            one.host = draw.choice(_HOSTS)
        case 6:
            one.headers.append((draw.choice(_PROXIES), draw.choice(("", "x", "'", "a" * 8000, "é"))))
        case 7:
            one.headers += [(f"X-{number}", "1") for number in range(draw.choice((80, 150)))]
        case _:
            one.headers.append((draw.choice(_NAMES), draw.choice(_TEXTS)))


def changed(sound: Request, draw: random.Random) -> Request:
    """A copy of a request with a few things wrong; now and then with none."""
    one = copy.deepcopy(sound)
    if draw.random() < 0.95:
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            draw.choice(_TAME)(one, draw)
        if draw.random() < 0.2:
            _wildly(one, draw)
    return one


# --- bytes that are hardly HTTP

_GET = b"GET /agenda-ville/fhir/metadata HTTP/1.1\r\nHost: x\r\n"
_POST = (
    b"POST /agenda-ville/fhir/Slot/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
)
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_SECOND = b"GET /agenda-ville/fhir/metadata?smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
# Each can be read in two ways, and a proxy may choose the other one: the second request must never be answered.
SMUGGLING: Sequence[bytes] = (
    _POST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(_SECOND) + 5) + _SECOND,
    _POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n%x\r\n" % len(_SECOND)
    + _SECOND
    + b"\r\n0\r\n\r\n",
    _POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(_SECOND) + _SECOND,
    _POST + b"Content-Length: 0, %d\r\n\r\n" % len(_SECOND) + _SECOND,
    _POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _SECOND,
    *(
        _POST + header + b"\r\n\r\n0\r\n\r\n" + _SECOND
        for header in (
            *(b"Transfer-Encoding : chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\x0bchunked"),
            *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"X: y\nTransfer-Encoding: chunked"),
            *(b"Transfer-Encoding: identity, chunked, identity", b"Transfer-Encoding: chunked, chunked"),
            *(b"Transfer-Encoding:\r\n chunked", b"Transfer_Encoding: chunked", b"Content-Length: +0"),
            *(b"Content-Length: 0x0", b"Content-Length: -0", b"Content-Length: 0\r\n 5", b"Content-Length:\x000"),
            *(b"Content-Length: \xd9\xa0", b"Content-Length: 0_0"),
        )
    ),
    *(
        _CHUNKED + size + b"\r\n\r\n" + _SECOND
        for size in (
            *(b"-1", b"0x0", b"+0", b"0_0", b"0 0", b"g", b"", b"\xd9\xa0", b"0\n"),
            *(b"f" * 40, b"0" * 9000 + b"g"),
        )
    ),
)
STRANGE: Sequence[bytes] = (
    *(b"", b"\r\n", b"\r\n" * 500, b"\n", b"\x00", b"GET", b"GET /", b"GET /\r\n", b"A" * 100_000),
    *(b"GET / HTTP/0.9\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 20_000)),
    b"GET / HTTP/1.1\r\n" + b"a" * 70_000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03" + bytes(240),  # the beginning of TLS
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + _GET + b"\r\n",
    b"GET http://x.example/agenda-ville/fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x.example:443 HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    (_GET + b"\r\n") * 5,
    (_GET + b"\r\n") * 3 + b"garbage\r\n\r\n",
    _GET.replace(b"\r\n", b"\n") + b"\n",
    *(
        _GET + b"X: a\r\n b\r\n\tc\r\n\r\n",
        _GET + b"X: a\rX-Injected: 1\r\n\r\n",
        _GET + b"X\r\n\r\n",
        _GET + b": x\r\n\r\n",
    ),
    _GET + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    _GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    _GET + b"Cookie: %s\r\n\r\n" % (b"a=b;" * 1500),
    *(_POST + b"Content-Length: 5\r\n\r\nab", _POST + b"Content-Length: 99999999999999999999\r\n\r\nab"),
    *(_CHUNKED + b"5\r\nab", _CHUNKED + b"5;ext=%s\r\nabcde\r\n0\r\n\r\n" % (b"x" * 20_000)),
    *(_CHUNKED + b"5;\x00\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n", _CHUNKED + b"1\r\na\r\n" * 3000 + b"0\r\n\r\n"),
)
_SPECIAL = (
    *(b"\r\n", b"\n", b"\r", b"\x00", b"\r\n ", b" ", b":", b"\x0b", b"\x80", b"%", b"\t", b"\r\n\r\n"),
    b"\r\nX-Injected: 1\r\n",
)


def garbled(raw: bytes, draw: random.Random) -> bytes:
    """A request after a few accidents, mostly of its head."""
    for _ in range(draw.randint(1, 4)):
        reach = max(raw.find(b"\r\n\r\n") + 4, 4) if draw.random() < 0.8 else len(raw) + 1
        low, high = sorted((draw.randrange(reach), draw.randrange(reach)))
        match draw.randrange(6):
            case 0:
                raw = raw[:low] + bytes([draw.randrange(256)]) + raw[low + 1 :]
            case 1:
                raw = raw[:high]
            case 2:
                raw = raw[:high] + raw[low:]
            case 3:
                raw = raw[:low] + raw[high:]
            case 4:
                raw = raw.replace(b"\r\n", b"\n", draw.choice((1, 99)))
            case _:
                raw = raw[:low] + draw.choice(_SPECIAL) + raw[low:]
    return raw

"""A text with its escapes removed layer by layer: percent signs, backslashes, HTML entities, nested in any order.

The format of a stranger's text is unknown: a form in JSON in a URL, or something that only looks like one. So a search
goes through the text as it came and through each layer below its escapes. A layer knows where in the original text
each of its characters came from. All of this takes time linear in the length of the text.
"""

import html
import re
from array import array
from collections.abc import Iterator, Sequence

# The last two are spaces that do not break, as UTF-8; a zero is half of a letter in UTF-16.
_ESCAPE = re.compile(
    rb"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\(.)|%u([0-9a-fA-F]{4})|%((?:25)*[0-9a-fA-F]{2})"
    rb"|&(#[0-9]{1,7};?|#[xX][0-9a-fA-F]{1,6};?|[a-zA-Z]{2,10};)|(\x00)|\xc2\xa0|\xe2\x80\xaf",
    re.DOTALL,
)
_QUOTES = (b'"', b"'", b"`")
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
# Stands for a character outside ASCII: no name of a secret has one.
_OTHER = b"\x80"
# Deeper than any client has been seen to go.
_MOST = 6


class Layer:
    """A text; for each byte, its position in the original text and how often it was escaped there."""

    def __init__(self, text: bytes, starts: Sequence[int] | None = None, depths: bytearray | None = None) -> None:
        self.text, self.low = text, text.lower()
        self._starts, self._depths = starts, depths

    def depth(self, at: int) -> int:
        """How often the byte at this position was escaped."""
        return self._depths[at] if self._depths else 0

    def origin(self, at: int) -> int:
        """Where the byte at this position began in the original text; the end maps to the end."""
        return self._starts[at] if self._starts else at

    def below(self) -> "Layer | None":
        """The text without its outermost escapes; None if it has none."""
        found = _ESCAPE.search(self.text)
        if not found:
            return None
        text, starts, depths = bytearray(), array("L"), bytearray()
        end = 0
        for found in _ESCAPE.finditer(self.text):
            self._copy(end, found.start(), text, starts, depths)
            begin, end = found.span()
            sign, deeper = self._sign(found)
            if sign is None:  # no escape after all
                self._copy(begin, end, text, starts, depths)
            elif sign:
                text += sign
                starts.append(self.origin(begin))
                depths.append(min(self.depth(begin) + deeper, 255))
        self._copy(end, len(self.text), text, starts, depths)
        starts.append(self.origin(len(self.text)))
        return Layer(bytes(text), starts, depths)

    def _copy(self, begin: int, end: int, text: bytearray, starts: "array[int]", depths: bytearray) -> None:
        text += self.text[begin:end]
        starts.extend(self._starts[begin:end] if self._starts else range(begin, end))
        depths += self._depths[begin:end] if self._depths else bytes(end - begin)

    def _sign(self, found: "re.Match[bytes]") -> tuple[bytes | None, int]:
        """What an escape stands for, and how many levels it adds."""
        wide, narrow, letter, old, percent, entity, zero = found.groups()
        if letter:
            # Where the quote is less deep than the backslash, it ends what the backslash belongs to.
            if letter in _QUOTES and self.depth(found.end() - 1) < self.depth(found.start()):
                return None, 0
            return _LETTERS.get(letter, letter), 1
        if percent:
            return _ascii(int(percent[-2:], 16)), len(percent) // 2
        if entity:
            sign = html.unescape(found[0].decode())
            if len(sign) > 1:
                return None, 0
            # In a page, it separates as the bare one does.
            return (b" " if sign == "\xa0" else _ascii(ord(sign))), int(sign != "&")
        if zero:
            return b"", 0
        code = wide or narrow or old
        return (_ascii(int(code, 16)), 1) if code else (b" ", 0)


def _ascii(code: int) -> bytes:
    return bytes([code]) if code < 0x80 else _OTHER


def layers(text: bytes) -> Iterator[Layer]:
    """The original text, then each layer below."""
    layer: Layer | None = Layer(text)
    for _ in range(_MOST):
        if layer is None:
            return
        yield layer
        layer = layer.below()

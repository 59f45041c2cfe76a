"""The parameters of a request, as its raw query has them.

The SAS and people's tools do not always encode: `+` may come as a space, `|` raw, a space after a comma.
"""

from collections.abc import Collection, Iterable
from urllib.parse import unquote_plus

from mock_editor.base.errors import MOST_ISSUES, refused
from mock_editor.base.issues import Code, Issue

_MOST_PARAMETERS = 200
_RESULT_PARAMETERS = frozenset({"_count", "_format", "_pretty", "_summary"})


def _decoded(text: str) -> str:
    """A part of a query without its escapes.

    Written out because it is in the hot path: ``parse_qsl`` takes 15 µs for a usual search, ``Parameters`` 8 with this.
    """
    # Escapes are decoded one by one, and a list of 25 identifiers has 25 of these.
    text = text.replace("%7C", "|")
    return unquote_plus(text, errors="replace") if "%" in text or "+" in text else text


class Parameters:
    """The parameters of one request, and what is wrong with those looked at so far."""

    def __init__(self, encoded: bytes) -> None:
        parts = encoded.decode("utf-8", "replace").split("&")
        if len(parts) > _MOST_PARAMETERS:
            raise refused(Code.QUERY_TOO_LONG, most=_MOST_PARAMETERS)
        self._values: dict[str, list[str]] = {}
        for part in filter(None, parts):
            name, _, value = part.partition("=")
            self._values.setdefault(_decoded(name), []).append(_decoded(value))
        self.issues: list[Issue] = []

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be repeated."""
        return self._values.get(name, [])

    def names(self) -> Iterable[str]:
        """The names of all parameters."""
        return self._values

    def one(self, name: str, *, required: bool = False) -> str | None:
        """The value of a parameter that stands at most once; a blank one counts as missing."""
        values = self.all(name)
        if len(values) > 1:
            self.wrong(Code.PARAMETER_REPEATED, name, count=len(values))
            return None
        if not values or not values[0].strip():
            if required:
                self.wrong(Code.PARAMETER_MISSING, name)
            return None
        return values[0]

    def wrong(self, code: Code, name: str, /, **values: object) -> None:
        """Notes one thing wrong with a parameter; the first are enough, where a megabyte of them was sent."""
        if len(self.issues) < MOST_ISSUES:
            self.issues.append(Issue(code, None, {"name": name[:100], **values}))

    def refuse_unknown(self, known: Collection[str], code: Code = Code.PARAMETER_REFUSED_STRICTLY) -> None:
        """Notes each parameter that is not ``known`` as an error: elsewhere they are left aside."""
        for name in self._values:
            if name not in known and name not in _RESULT_PARAMETERS:
                self.wrong(code, name)


def wants_pretty(parameters: Parameters) -> bool:
    """Whether indented JSON is asked for."""
    return parameters.one("_pretty") == "true"

"""What reads a stranger's text takes time in proportion to its length, however that text is made.

Times are compared with each other only, sixteen times the text against once: what is linear takes about 16 times as
long, what is quadratic 256 times.
"""

import contextlib
import gc
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mock_editor.accounts import payload as accounts
from mock_editor.admin.console import context, words
from mock_editor.base import fhir, flows, globs, logs
from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Code, issue
from mock_editor.bench.platform import directory
from mock_editor.bench.receiver import payload as received
from mock_editor.booking import access
from mock_editor.calendars import identifiers
from mock_editor.journal import redaction

_SHORT, _FACTOR, _MOST = 2_000, 16, 64
# Shorter ones are as long as the clock, and all that happens beside them.
_MEASURABLE = 0.000_3
_ZONE = ZoneInfo("Europe/Paris")

# A beginning, what is repeated until the text is so long, and an end.
HOSTILE = [
    ("", "<a", ' id="' + "secret" * 200),
    ("<a", ' id="secret"', ""),
    ("", '<a id="secret', ""),
    ("", "<input", ""),
    ("", '<input "', ""),
    ("<a ", "'\"", ""),
    ("<a ", "b=", ""),
    ("", "<token>", ""),
    ("", "<p class=secret>", ""),
    ("", "<a x='", ""),
    ("", "mot de passe :<a ", ""),
    ("mot de passe :", "<a>", "<"),
    ("mot de passe ", " ", "x"),
    ("", "token", ""),
    ("", "token ", ""),
    ("", "token:", ""),
    ("", "token=", ""),
    ("", "token:a ", "\n"),
    ("", '"token":', ""),
    ("", '"token":"', ""),
    ("", '"token":[', ""),
    ("", '"token":{"', ""),
    ("", '\\"token\\":\\"', ""),
    ("", '{"name":"password","value":[', ""),
    ("", '{"name":"password","value":{"', ""),
    ("", '{\\"name\\":\\"password\\",\\"value\\":[', ""),
    ("", '{"value":"a","name":"password"', ""),
    ("", "Bearer abc, ", ""),
    ("", "%22token%22%3A%22", ""),
    ("", "a-_", "="),
    ("", "password%3D", ""),
    ("", "code%253D", "&"),
    ("", "eyJ", "!"),
    ("", "eyA-", "!"),
    ("", "eyJa.", "!"),
    ("", "xeyJ", "."),
    ("", "bearer ", "!"),
    ("bearer", " ", "!"),
    ("bearer", "+", "!"),
    ("", "://a", ""),
    ("://", "a:", ""),
    ("", "://a:", ""),
    ("", "%25", "zz"),
    ("%", "25", "zz"),
    ("", "%", ""),
    ("", "\\", '"'),
    ("", '\\"', ""),
    ("", '\\\\\\"', "\\"),
    ('"password":"', '\\"', ""),
    ("", "&amp;", "quot;"),
    ("", "&", ""),
    ("", "&#", ""),
    ("", '"name":', ""),
    ("", '"name":"token","value":', ""),
    ("", '"value":"', ""),
    ('"value":"', "\\", ""),
    ('"value":"', "ab", '","name"'),
    ("", '\r\n--a; name="token"', ""),
    ("", '\r\n--; name="token"\r\n\r\n', ""),
    ("", "\x00", ""),
    ("", "\xa0", ""),
    ("", "(", ""),
    ("", "[", ""),
    ("", '{"a":', ""),
    ("", "a,", ""),
    ("", "a;q=0.", ""),
    ("", ';Cert="', ""),
    ("", "/Patient", ""),
    ("urn:oid:1", ".1", "!"),
    ("", "-----BEGIN CERTIFICATE-----", ""),
    ("", "?origin=", ""),
    ("", "1", "x"),
    ("", " ", "x"),
    ("2026-11-20T", "0", ""),
]


def _quietly(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def reading(text: str) -> None:
        with contextlib.suppress(EditorError, ValueError):
            read(text)

    return reading


def _body(media_type: str, *, fhir: bool, cut: bool) -> Callable[[str], Any]:
    return lambda text: redaction.body(text.encode("latin-1"), media_type, fhir=fhir, cut=cut)


READERS: dict[str, Callable[[str], Any]] = {
    "redaction.url": lambda text: redaction.url(f"/e/x?{text}", fhir=False),
    "redaction.url of FHIR": lambda text: redaction.url(f"/e/fhir/Slot?a=@&{text}", fhir=True),
    "redaction.text": redaction.text,
    "redaction.headers": lambda text: redaction.headers([("X-Some", text), ("Cookie", text), (text, text)]),
    "redaction.body of a page": _body("text/html", fhir=False, cut=True),
    "redaction.body of a form": _body("application/x-www-form-urlencoded", fhir=False, cut=False),
    "redaction.body of parts": _body("multipart/form-data; boundary=a", fhir=False, cut=True),
    "redaction.body of FHIR": _body("application/fhir+json", fhir=True, cut=True),
    "flow_of": lambda text: flows.flow_of("POST", "/e/fhir/Slot/_search", text, {"e"}, text.encode()),
    "legal_query": lambda text: fhir.legal_query(text.encode()),
    "check_acceptable": lambda text: fhir.check_acceptable(text, ()),
    "preferred_return": fhir.preferred_return,
    "parse_date": lambda text: fhir.parse_date(text, _ZONE),
    "split_list": fhir.split_list,
    "account": lambda text: accounts.read(text.encode()),
    "account with it inside": lambda text: accounts.regulator(
        {"resourceType": "Practitioner", "identifier": [{"system": text, "value": text}], "name": [{"text": text}]}
    ),
    "email_key": accounts.email_key,
    "notification": lambda text: received.read(text.encode()),
    "notification with it inside": lambda text: received.read(
        json.dumps({"resourceType": "Appointment", "comment": text, "id": text}).encode()
    ),
    "phone": identifiers.phone,
    "practitioner_id": lambda text: identifiers.practitioner_id(identifiers.PractitionerIdKind.RPPS, text),
    "origins": lambda text: access.origins(text.encode()),
    "accepted_origin": lambda text: access.accepted_origin([text], ["*a*a*a*a*a*a*b", "[a]*"]),
    "visible": logs.visible,
    "plain": directory.plain,
    "inside": lambda text: context.inside(f"/_console/{text}"),
    "number": context.number,
    "where": lambda text: words.where(issue(Code.GIVEN_TWICE, text)),
}


def _seconds(read: Callable[[str], Any], text: str) -> float:
    """Of this thread alone: others may be busy."""
    begin = time.thread_time()
    read(text)
    return time.thread_time() - begin


def _grows_as_it_should(read: Callable[[str], Any], short: str, long: str) -> bool:
    """Tried again when it does not look so: something else may have come in between."""
    return any(_seconds(read, long) < _MOST * max(_seconds(read, short), _MEASURABLE) for _ in range(4))


def _made(made: tuple[str, str, str], size: int) -> str:
    begin, part, end = made
    return begin + part * (size // len(part)) + end


@pytest.mark.parametrize("reader", READERS)
def test_the_time_grows_with_the_text_and_no_faster(reader: str) -> None:
    read = _quietly(READERS[reader])
    gc.disable()
    try:
        for made in HOSTILE:
            assert _grows_as_it_should(read, _made(made, _SHORT), _made(made, _FACTOR * _SHORT)), made
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True), ("a", "a", True), ("a", "ab", False), ("*", "", True), ("*", "a\nb", True), ("a*", "a", True),
        ("a*b", "ab", True), ("a*b", "acb", True), ("a*b", "acbd", False), ("a*a", "a", False), ("*a*", "bab", True),
        ("*ab*ba*", "aba", False), ("*ab*ba*", "abba", True), ("a?c", "abc", False), ("[a]", "a", False),
        ("**", "x", True), ("a*b*c", "abbc", True), ("a*bc*c", "abc", False), ("*.*", "a.b", True), (".*", "x", False),
    ],
)  # fmt: skip
def test_a_star_stands_for_anything(pattern: str, text: str, matches: bool) -> None:
    assert globs.matches(pattern, text) is matches


def test_patterns_with_many_stars_take_no_longer() -> None:
    for stars in (1, 40):
        pattern = "*a" * stars + "b"
        assert _grows_as_it_should(partial(globs.matches, pattern), "a" * _SHORT, "a" * _FACTOR * _SHORT)

"""Reads a request's body within a size and a deadline, whatever the client does.

Flask's ``MAX_CONTENT_LENGTH`` cuts a chunked body silently, and a read has no deadline of its own, so bytes are counted
and timed here. The server (``server/``) provides the deadlines; with a test client, nothing is timed.
"""

import contextlib
from collections.abc import Collection
from typing import Any

from gunicorn.http.errors import ParseException
from werkzeug.datastructures import Headers
from werkzeug.http import parse_date, parse_options_header

from mock_editor.base.deadlines import Deadlines
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.issues import Code, Issue, issue

MAX_BODY = 1_000_000
# Headers of every answer that sets no others: no sniffing of types, no framing, no scripts.
PROTECTION = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # Not "no-referrer": browsers would then send "Origin: null" with our own forms too.
    ("Referrer-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"),
)
_PIECE = 64 * 1024


def expect_media_type(headers: Headers, allowed: Collection[str]) -> None:
    """Raises 415 unless ``headers`` announce an uncompressed body of one of the ``allowed`` media types."""
    media_type = parse_options_header(headers.get("Content-Type", ""))[0]
    if media_type.lower() not in allowed:
        raise refused(Code.MEDIA_TYPE, expected=" or ".join(sorted(allowed)), found=media_type[:100])
    encoding = headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        raise refused(Code.CONTENT_ENCODING, found=encoding[:60])


def ignore_absurd_dates(environ: dict[str, Any]) -> None:
    """Removes conditions whose date is invalid from a request (RFC 9110, 13.1.3): Werkzeug would fail on them."""
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"):
        try:
            parse_date(environ.get(name))
        except ArithmeticError:
            del environ[name]


def read_body(environ: dict[str, Any], *, seconds: float, limit: int = MAX_BODY) -> bytes:
    """The whole body. Raises 413 above ``limit`` bytes, 408 after ``seconds``, 400 when it is cut or malformed."""
    declared = environ.get("CONTENT_LENGTH") or ""
    expected = int(declared) if declared.isdecimal() else None
    if expected is not None and expected > limit:
        raise _too_large(limit)
    deadlines: Deadlines | None = environ.get("mock_editor.deadlines")
    watch = deadlines.watch(environ["gunicorn.socket"], seconds) if deadlines else None
    with watch or contextlib.nullcontext():
        body, wrong = _collect(environ["wsgi.input"], limit)
    if watch and watch.expired:
        raise _refusal(issue(Code.BODY_TIMEOUT, seconds=seconds))
    if wrong:
        raise _refusal(wrong)
    if expected is not None and len(body) < expected:
        raise _refusal(issue(Code.BODY_SHORT, size=len(body), expected=expected))
    return body


def _collect(stream: Any, limit: int) -> tuple[bytes, Issue | None]:
    """The body, or what is wrong with it. Raises 413 above ``limit`` bytes."""
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := stream.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
    except ParseException as error:
        return b"", issue(Code.BODY_CHUNKS_MALFORMED, reason=str(error)[:200])
    except OSError:
        # gunicorn's NoMoreData is one. The others mean a broken connection, on which nobody reads the answer.
        return b"", issue(Code.BODY_CUT)
    return b"".join(pieces), None


def _too_large(limit: int) -> EditorError:
    return _refusal(issue(Code.BODY_TOO_LARGE, limit=limit))


def _refusal(wrong: Issue) -> EditorError:
    # The unread rest of the body makes the connection useless.
    return EditorError(wrong.code.status, [wrong], {"Connection": "close"})

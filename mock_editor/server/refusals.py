"""What the server refuses by itself, before the application sees it: the status, the issues and the answer."""

from collections.abc import Sequence
from http import HTTPStatus

from gunicorn import util
from gunicorn.http import errors

from mock_editor.base import issues as data
from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.http import PROTECTION
from mock_editor.base.words import in_english

# Bytes of the request line and of one header, and how many headers.
LINE_LIMIT = FIELD_LIMIT = 8190
FIELDS_LIMIT = 100

_PROTECTION = "".join(f"{name}: {value}\r\n" for name, value in PROTECTION)


def reason(error: Exception) -> str:
    """Why a worker cannot start, for its parent's log."""
    return in_english(error) if isinstance(error, EditorError) else f"{type(error).__name__}: {error}"


def refusal(error: Exception) -> tuple[int, Sequence[Issue | data.Issue]]:
    """The status and the issues for what went wrong."""
    match error:
        case EditorError():
            return error.status, error.issues
        case errors.LimitRequestLine():
            return 414, [Issue("too-long", f"The request line is longer than {LINE_LIMIT} bytes")]
        case errors.LimitRequestHeaders():
            text = f"There are more than {FIELDS_LIMIT} headers, or one is longer than {FIELD_LIMIT} bytes"
            return 431, [Issue("too-long", text)]
        case errors.UnsupportedTransferCoding():
            return 501, [Issue("not-supported", str(error)[:200])]
        case errors.ExpectationFailed():
            return 417, [Issue("not-supported", str(error)[:200])]
        # Headers of our own answer: not the client's fault, although gunicorn derives them from errors that are.
        case errors.InvalidResponseHeader() | errors.InvalidResponseHeaderName():
            return 500, [Issue("exception", "The simulator made an answer that cannot be sent")]
        case errors.ParseException():
            return 400, [Issue("structure", str(error)[:200])]
        case _:
            return 500, [Issue("exception", "The simulator failed on this request; its log says why")]


def head_of(status: int, body: bytes) -> bytes:
    """The status line and headers of an answer with ``body``, after which the connection ends."""
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {util.http_date()}\r\nConnection: close\r\n"
        f"Content-Type: {FHIR_JSON}\r\nContent-Length: {len(body)}\r\n{_PROTECTION}\r\n"
    ).encode("ascii")

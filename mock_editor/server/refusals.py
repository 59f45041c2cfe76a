"""What the server refuses by itself, before the application sees it: the status, the issues and the answer."""

from http import HTTPStatus

from gunicorn import util
from gunicorn.http import errors

from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.http import PROTECTION
from mock_editor.base.issues import Code
from mock_editor.base.words import in_english

# Bytes of the request line and of one header, and how many headers.
LINE_LIMIT = FIELD_LIMIT = 8190
FIELDS_LIMIT = 100
# Characters of what gunicorn says about a malformed request.
_LONGEST = 200

_PROTECTION = "".join(f"{name}: {value}\r\n" for name, value in PROTECTION)


def reason(error: Exception) -> str:
    """Why a worker cannot start, for its parent's log."""
    return in_english(error) if isinstance(error, EditorError) else f"{type(error).__name__}: {error}"


def refusal(error: Exception) -> EditorError:
    """The refusal that tells a client what went wrong."""
    match error:
        case EditorError():
            return error
        case errors.LimitRequestLine():
            return refused(Code.REQUEST_LINE_TOO_LONG, size=LINE_LIMIT)
        case errors.LimitRequestHeaders():
            return refused(Code.HEADERS_TOO_LONG, count=FIELDS_LIMIT, size=FIELD_LIMIT)
        case errors.UnsupportedTransferCoding():
            return refused(Code.TRANSFER_CODING, reason=str(error)[:_LONGEST])
        case errors.ExpectationFailed():
            return refused(Code.EXPECTATION, reason=str(error)[:_LONGEST])
        # Headers of our own answer: not the client's fault, although gunicorn derives them from errors that are.
        case errors.InvalidResponseHeader() | errors.InvalidResponseHeaderName():
            return refused(Code.ANSWER_UNSENDABLE)
        case errors.ParseException():
            return refused(Code.REQUEST_MALFORMED, reason=str(error)[:_LONGEST])
        case _:
            return refused(Code.REQUEST_FAILED)


def head_of(status: int, body: bytes) -> bytes:
    """The status line and headers of an answer with ``body``, after which the connection ends."""
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {util.http_date()}\r\nConnection: close\r\n"
        f"Content-Type: {FHIR_JSON}\r\nContent-Length: {len(body)}\r\n{_PROTECTION}\r\n"
    ).encode("ascii")

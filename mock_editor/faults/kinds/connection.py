"""Editors whose connection ends before the answer does, or on which something else than an answer comes."""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import CloseConnection, Proceed, Request, Response
from mock_editor.faults.wire import Cut

_HTTP = "RFC 9112"
# A chunk whose size is none, as no chunk of a right answer could be.
_NO_CHUNK = b"not-a-size\r\nthis is no chunk\r\n"


class _ConnectionKind(Kind):
    """The connection ends."""

    family: ClassVar[str] = "connection"

    done_first: bool = Field(False, description="The editor does what is asked before the connection ends.")


class ConnectionClosed(_ConnectionKind):
    """The connection is closed (FIN) before any byte of an answer; some clients then send the request again."""

    kind: Literal["connection-closed"] = "connection-closed"
    breaks: ClassVar[str] = f"{_HTTP}, section 9.3: each request has an answer"

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - there is no answer
        """No answer."""
        if self.done_first:
            proceed()
        raise CloseConnection


class ConnectionReset(_ConnectionKind):
    """The connection is reset (RST): before any byte, inside the headers, or in the middle of the body."""

    kind: Literal["connection-reset"] = "connection-reset"
    breaks: ClassVar[str] = f"{_HTTP}, section 9.3: each request has an answer"
    where: Literal["start", "headers", "body"] = "start"
    share: float = Field(0.5, gt=0, lt=1, description="How large a part of the headers, or of the body, is sent.")

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, of which a part is sent, or none."""
        if self.where == "start":
            if self.done_first:
                proceed()
            raise CloseConnection(reset=True)
        return _cut(proceed(), Cut(in_head=self.where == "headers", share=self.share, reset=True))


class TruncatedBody(Kind):
    """The connection is closed in the middle of the body, of which Content-Length tells the whole."""

    kind: Literal["truncated-body"] = "truncated-body"
    family: ClassVar[str] = "connection"
    breaks: ClassVar[str] = f"{_HTTP}, section 8: a body has the length that is told"
    share: float = Field(0.5, ge=0, lt=1, description="How large a part of the body is sent.")

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, of which a part is sent."""
        return _cut(proceed(), Cut(share=self.share))


class Garbage(_ConnectionKind):
    """Bytes that are no HTTP come instead of an answer, then the connection is closed."""

    kind: Literal["garbage"] = "garbage"
    breaks: ClassVar[str] = f"{_HTTP}, section 4: the status line"
    size: int = Field(200, ge=1, le=1_000_000, description="How many bytes.")

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """No answer, but bytes that are drawn."""
        if self.done_first:
            proceed()
        raise CloseConnection(sent=request.draw.randbytes(self.size))


class MalformedChunk(Kind):
    """The body comes in chunks, until one has a size that is no number; then the connection is closed."""

    kind: Literal["malformed-chunk"] = "malformed-chunk"
    family: ClassVar[str] = "connection"
    breaks: ClassVar[str] = f"{_HTTP}, section 7.1: the size of a chunk is a hexadecimal number"
    share: float = Field(0.5, ge=0, lt=1, description="How large a part of the body comes before.")

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, of which a part is sent."""
        return _cut(proceed(), Cut(share=self.share, last=_NO_CHUNK, chunked=True))


def _cut(response: Response, cut: Cut) -> Response:
    return replace(response, wire=replace(response.wire, cut=cut))

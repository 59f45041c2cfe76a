"""Editors whose connection ends before the answer does, or on which something else than an answer comes."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import CloseConnection, Proceed, Request, Response
from mock_editor.faults.wire import Cut
from mock_editor.faults.words import DONE_FIRST, French, Label

_HTTP = "RFC 9112"
# A chunk whose size is none, as no chunk of a right answer could be.
_NO_CHUNK = b"not-a-size\r\nthis is no chunk\r\n"


class _ConnectionKind(Kind):
    """The connection ends."""

    family: ClassVar[str] = "connection"

    done_first: Annotated[bool, DONE_FIRST] = Field(
        False, description="The editor carries out the request before the connection ends."
    )


class ConnectionClosed(_ConnectionKind):
    """The connection is closed (FIN) before any byte of an answer; some clients then send the request again."""

    kind: Literal["connection-closed"] = "connection-closed"
    french: ClassVar[French] = French(
        "Connexion fermée", "La connexion se ferme avant toute réponse ; certains clients renvoient alors la requête."
    )
    breaks: ClassVar[str] = f"{_HTTP}, section 9.3: each request has an answer"

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - there is no answer
        """No answer."""
        if self.done_first:
            proceed()
        raise CloseConnection


class ConnectionReset(_ConnectionKind):
    """The connection is reset (RST): before any byte, inside the headers, or in the middle of the body."""

    kind: Literal["connection-reset"] = "connection-reset"
    french: ClassVar[French] = French(
        "Connexion coupée net",
        "La connexion est réinitialisée : tout de suite, dans l’en-tête ou au milieu du contenu.",
    )
    breaks: ClassVar[str] = f"{_HTTP}, section 9.3: each request has an answer"
    where: Annotated[
        Literal["start", "headers", "body"],
        Label("Où", values={"start": "tout de suite", "headers": "dans l’en-tête", "body": "au milieu du contenu"}),
    ] = "start"
    share: Annotated[float, Label("Part envoyée", "0 à 1", "de l’en-tête ou du contenu")] = Field(
        0.5, gt=0, lt=1, description="The share of the headers, or of the body, that is sent."
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, cut or not sent at all."""
        if self.where == "start":
            if self.done_first:
                proceed()
            raise CloseConnection(reset=True)
        return _cut(proceed(), Cut(in_head=self.where == "headers", share=self.share, reset=True))


class TruncatedBody(Kind):
    """The connection is closed in the middle of the body; Content-Length declares all of it."""

    kind: Literal["truncated-body"] = "truncated-body"
    french: ClassVar[French] = French(
        "Réponse interrompue", "La connexion se ferme au milieu du contenu, alors que sa longueur totale est annoncée."
    )
    family: ClassVar[str] = "connection"
    breaks: ClassVar[str] = f"{_HTTP}, section 8: a body has its declared length"
    share: Annotated[float, Label("Part envoyée", "0 à 1")] = Field(
        0.5, ge=0, lt=1, description="The share of the body that is sent."
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, cut."""
        return _cut(proceed(), Cut(share=self.share))


class Garbage(_ConnectionKind):
    """Bytes that are not HTTP come instead of an answer, then the connection is closed."""

    kind: Literal["garbage"] = "garbage"
    french: ClassVar[French] = French(
        "Octets sans queue ni tête", "Des octets qui ne sont pas du HTTP, puis la connexion se ferme."
    )
    breaks: ClassVar[str] = f"{_HTTP}, section 4: the status line"
    size: Annotated[int, Label("Taille", "octets")] = Field(200, ge=1, le=1_000_000, description="How many bytes.")

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """No answer, but bytes that are drawn."""
        if self.done_first:
            proceed()
        raise CloseConnection(sent=request.draw.randbytes(self.size))


class MalformedChunk(Kind):
    """The body comes in chunks, until the size of one is not a number; then the connection is closed."""

    kind: Literal["malformed-chunk"] = "malformed-chunk"
    french: ClassVar[French] = French(
        "Morceau mal annoncé", "Le contenu arrive par morceaux, jusqu’à ce que la taille de l’un ne soit pas un nombre."
    )
    family: ClassVar[str] = "connection"
    breaks: ClassVar[str] = f"{_HTTP}, section 7.1: the size of a chunk is a hexadecimal number"
    share: Annotated[float, Label("Part envoyée avant", "0 à 1")] = Field(
        0.5, ge=0, lt=1, description="The share of the body that comes before."
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, cut."""
        return _cut(proceed(), Cut(share=self.share, last=_NO_CHUNK, chunked=True))


def _cut(response: Response, cut: Cut) -> Response:
    return replace(response, wire=replace(response.wire, cut=cut))

"""Editors that answer with an error: any status, now and then, in turns, or beyond a quota."""

import math
import re
from http import HTTPStatus
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.flows import Flow
from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds.body import HtmlPage
from mock_editor.faults.messages import Proceed, Request, Response, outcome
from mock_editor.faults.words import DONE_FIRST, French, Label

_Code = Annotated[int, Field(ge=200, le=599), Label("Statut HTTP")]
_RetryAfter = Annotated[int, Field(ge=0, le=86_400)]
_MINUTE = 60.0
# What people see: there, an error is a page.
_PAGES = frozenset({Flow.WEB, Flow.SSO, Flow.IDP})
# FHIR issue types; others are processing below 500, exception from there on.
_ISSUES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    408: "timeout",
    409: "conflict",
    410: "deleted",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "business-rule",
    429: "throttled",
    503: "transient",
    504: "timeout",
}

_Body = Literal["operation-outcome", "html", "text", "empty"]


def _error(
    request: Request,
    code: int,
    text: str,
    body: _Body | None = None,
    content_type: str | None = None,
    retry_after_seconds: int | None = None,
) -> Response:
    """A response with that status; by default a page where people look, elsewhere an OperationOutcome."""
    body = body or ("html" if request.flow in _PAGES else "operation-outcome")
    if body == "html":
        content, usual = HtmlPage(title=text).page()
        written = content.encode()
    elif body == "operation-outcome":
        written, usual = outcome(_ISSUES.get(code, "processing" if code < 500 else "exception"), text), FHIR_JSON
    else:
        written, usual = text.encode() if body == "text" else b"", "text/plain; charset=utf-8"
    headers = () if retry_after_seconds is None else (("Retry-After", str(retry_after_seconds)),)
    declared = content_type or (usual if written else None)
    return Response(code, headers, b"").with_body(written, declared)


class Status(Kind):
    """The answer has the given status, with a correct OperationOutcome or another body.

    204, 205 and 304 have none (RFC 9110).
    """

    kind: Literal["status"] = "status"
    french: ClassVar[French] = French(
        "Statut imposé", "La réponse a le statut choisi, avec un OperationOutcome correct ou un autre contenu."
    )
    family: ClassVar[str] = "http"
    code: _Code = 500
    body: Annotated[
        _Body | None,
        Label(
            "Contenu",
            hint="sur les pages web, du HTML si rien n’est choisi",
            values={"operation-outcome": "OperationOutcome", "html": "page HTML", "text": "texte", "empty": "vide"},
        ),
    ] = Field(None, description="An OperationOutcome unless another is named; on web pages, HTML.")
    text: Annotated[str, Label("Texte", hint="sinon le nom du statut")] = Field(
        "", max_length=1000, description="What it says; by default the name of the status."
    )
    content_type: Annotated[str | None, Label("Type de contenu annoncé", hint="même faux ; sinon celui du contenu")] = (
        Field(
            None,
            pattern=r"^[!-~]+/[ -~]+$",
            description="The declared one, even if wrong, instead of that of the body.",
        )
    )
    retry_after_seconds: Annotated[_RetryAfter | None, Label("Retry-After", "s", "pour un 429 ou un 503")] = Field(
        None, description="Retry-After, meant for 429 and 503."
    )
    done_first: Annotated[bool, DONE_FIRST] = Field(
        False, description="The editor carries out the request nevertheless."
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """The error; what the editor answers is dropped."""
        if self.done_first:
            proceed()
        text = self.text or _name(self.code)
        return _error(request, self.code, text, self.body, self.content_type, self.retry_after_seconds)


class Flapping(Kind):
    """The editor works for a while, then answers with errors for a while, and so on, by the simulator's clock."""

    kind: Literal["flapping"] = "flapping"
    french: ClassVar[French] = French(
        "Panne à éclipses", "Le logiciel va bien un moment, échoue un moment, et ainsi de suite."
    )
    family: ClassVar[str] = "http"
    up_seconds: Annotated[
        float, Label("Durée de bon fonctionnement", "s", "les périodes se comptent depuis minuit UTC")
    ] = Field(30.0, gt=0, le=86_400, description="How long it works; periods begin at midnight UTC.")
    down_seconds: Annotated[float, Label("Durée des pannes", "s")] = Field(30.0, gt=0, le=86_400)
    code: _Code = 503
    retry_after: Annotated[bool, Label("Annoncer quand revenir (Retry-After)")] = Field(
        True, description="Whether Retry-After says when it works again."
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """The right answer, or the error."""
        passed = request.now.timestamp() % 86_400 % (self.up_seconds + self.down_seconds)
        if passed < self.up_seconds:
            return proceed()
        seconds_left = math.ceil(self.up_seconds + self.down_seconds - passed)
        return _error(
            request, self.code, _name(self.code), retry_after_seconds=seconds_left if self.retry_after else None
        )


class Quota(Kind):
    """Each editor answers a number of requests per minute of the simulator's clock, then 429 until the next minute."""

    kind: Literal["quota"] = "quota"
    french: ClassVar[French] = French(
        "Quota par minute", "Au-delà de tant de requêtes par minute, le logiciel refuse (429)."
    )
    family: ClassVar[str] = "http"
    per_minute: Annotated[
        int, Label("Requêtes par minute", hint="de l’horloge du simulateur, par logiciel", proposed=10)
    ] = Field(ge=0, le=1_000_000)
    code: _Code = 429
    retry_after: Annotated[bool, Label("Annoncer quand revenir (Retry-After)")] = Field(
        True, description="Whether Retry-After says when the next minute begins."
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """The right answer, or the error."""
        if request.tally(_MINUTE) <= self.per_minute:
            return proceed()
        seconds_left = math.ceil(_MINUTE - request.now.timestamp() % _MINUTE)
        text = f"More than {self.per_minute} requests in this minute"
        return _error(request, self.code, text, retry_after_seconds=seconds_left if self.retry_after else None)


def _name(code: int) -> str:
    try:
        return re.sub("[<>&]", "", HTTPStatus(code).phrase)
    except ValueError:
        return f"Status {code}"

"""Refusals as problem documents (RFC 9457), in English: ``/_admin`` is for programs and their authors."""

from http import HTTPStatus
from typing import Annotated

from flask import Response
from pydantic import Field

from mock_editor.admin.operation import Model
from mock_editor.base.codes import PROBLEM_JSON
from mock_editor.base.errors import EditorError
from mock_editor.base.words import english


class Fault(Model):
    """One thing wrong with a request, and where that is."""

    where: Annotated[str, Field(description="Like `body.at`, `query.limit`, `path.editor`")]
    what: str


class Problem(Model):
    """A refusal."""

    type: Annotated[str, Field(description="`about:blank`: the status says it all")]
    title: Annotated[str, Field(description="The status in words")]
    status: int
    detail: Annotated[str, Field(description="What is wrong, for people")]
    errors: Annotated[list[Fault], Field(description="What is wrong with which part of the request; may be empty")]


def response(error: EditorError) -> Response:
    """The answer that tells of a refusal."""
    faults = [Fault(where=one.place, what=english(one)) for one in error.issues if one.place]
    told = (f"{one.place}: {english(one)}" if one.place else english(one) for one in error.issues)
    title = HTTPStatus(error.status).phrase
    problem = Problem(type="about:blank", title=title, status=error.status, detail="; ".join(told), errors=faults)
    return Response(problem.model_dump_json(), error.status, error.headers, content_type=PROBLEM_JSON)

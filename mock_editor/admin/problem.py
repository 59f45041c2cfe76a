"""Refusals as problem documents (RFC 9457), in English: ``/_admin`` is for programs and their authors."""

from http import HTTPStatus
from typing import Annotated

from flask import Response
from pydantic import Field

from mock_editor.admin.operation import Model
from mock_editor.base.codes import PROBLEM_JSON
from mock_editor.base.errors import EditorError, Issue
from mock_editor.base.words import english
from mock_editor.booking.access import PageError


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


# What the rules of bookings and appointments say to people, by its title.
_IN_ENGLISH = {
    "Agenda disparu": "The scenario no longer has the calendar of this appointment",
    "Agenda introuvable": "This appointment cannot go to that calendar",
    "Affectation impossible": "Only an appointment with a SOS Médecins association is assigned to a practitioner",
    "Compte inactif": "This account is not active",
    "Compte sans identifiant": "This account has no identifier by which the SAS knows its holder",
    "Créneau déjà pris": "No free slot starts there at that time: it is taken, or there never was one",
    "Créneau passé": "This slot cannot be booked any more, or not yet",
    "Créneau sans rendez-vous": "This slot is without booking: patients just come",
    "Identifiant incorrect": "Not the identifier of a practitioner: expected an RPPS (11 digits) or an ADELI (9 "
    "characters), with or without its prefix",
    "Nom du patient manquant": "The name of the patient is missing",
    "Rendez-vous clos": "The state of this appointment does not allow that any more",
}


def in_english(error: PageError) -> EditorError:
    """The refusal of a page as one for programs."""
    code = "not-found" if error.status == 404 else "conflict" if error.status == 409 else "invalid"
    return EditorError(error.status, [Issue(code, _IN_ENGLISH.get(error.title, error.text))])


def response(error: EditorError) -> Response:
    """The answer that tells of a refusal."""
    faults = [Fault(where=one.place, what=english(one)) for one in error.issues if one.place]
    told = (f"{one.place}: {english(one)}" if one.place else english(one) for one in error.issues)
    title = HTTPStatus(error.status).phrase
    problem = Problem(type="about:blank", title=title, status=error.status, detail="; ".join(told), errors=faults)
    return Response(problem.model_dump_json(), error.status, error.headers, content_type=PROBLEM_JSON)

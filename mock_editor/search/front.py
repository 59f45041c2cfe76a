"""Answers the slot searches of the SAS before Flask sees them.

They are most of the traffic, and Flask's own share of a request is as large as the search's. Whatever is posted or
unusual goes on to Flask, which does the same; what is refused, too, with the refusal, so that it is not tried twice.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.errors import EditorError
from mock_editor.base.exchanges import REFUSED
from mock_editor.base.http import PROTECTION
from mock_editor.base.paths import classify
from mock_editor.base.worlds import world_of
from mock_editor.search.searches import SearchAnswer, Searches

_SEARCHES = {"Slot": Searches.slots, "Schedule": Searches.schedules}


class SearchMiddleware:
    """A WSGI application in front of another one. What it answers is that of the world of each request."""

    def __init__(self, behind: WSGIApplication) -> None:
        self._behind = behind

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ours = environ["REQUEST_METHOD"] == "GET" and REFUSED not in environ
        answer = self._answer(environ) if ours else None
        if answer is None or answer.pretty:
            return self._behind(environ, start_response)
        start_response("200 OK", [("Content-Type", FHIR_JSON), ("Content-Length", str(len(answer.body))), *PROTECTION])
        return [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> SearchAnswer | None:
        """The answer to ``/<editor>/fhir/<kind>``, with or without a slash at the end, if it is one of ours."""
        meaning = classify(environ["PATH_INFO"])
        if not (meaning.fhir and meaning.editor and meaning.kind in _SEARCHES) or meaning.rest:
            return None
        try:
            searches = world_of(environ).part(Searches)
            return _SEARCHES[meaning.kind](searches, searches.asked(meaning.editor, environ))
        except EditorError as error:
            environ[REFUSED] = error
            return None

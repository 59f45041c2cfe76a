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
from mock_editor.search.searches import Answer, Searches


class SearchFront:
    """A WSGI application in front of another one."""

    def __init__(self, behind: WSGIApplication, searches: Searches) -> None:
        self._behind = behind
        self._searches = searches
        self._kinds = {"Slot": searches.slots, "Schedule": searches.schedules}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        ours = environ["REQUEST_METHOD"] == "GET" and REFUSED not in environ
        answer = self._answer(environ) if ours else None
        if answer is None or answer.pretty:
            return self._behind(environ, start_response)
        start_response("200 OK", [("Content-Type", FHIR_JSON), ("Content-Length", str(len(answer.body))), *PROTECTION])
        return [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> Answer | None:
        """The answer to ``/<editor>/fhir/<kind>``, with or without a slash at the end, if it is one of ours."""
        meaning = classify(environ["PATH_INFO"])
        if not (meaning.fhir and meaning.editor and meaning.kind in self._kinds) or meaning.rest:
            return None
        try:
            return self._kinds[meaning.kind](self._searches.asked(meaning.editor, environ))
        except EditorError as error:
            environ[REFUSED] = error
            return None

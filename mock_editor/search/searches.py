"""What an editor answers to each request: no web framework, so that ``front`` and ``routes`` give the same answers."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mock_editor.base import fhir
from mock_editor.base.capabilities import Supported
from mock_editor.base.codes import BUNDLE_PROFILE
from mock_editor.base.fhir import Resource
from mock_editor.base.parameters import Parameters, wants_pretty
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Editor
from mock_editor.search import plain, query
from mock_editor.search.bundle import EntryWriter, Most, bundle
from mock_editor.search.capabilities import capability_statement
from mock_editor.search.individual import IndividualWriter
from mock_editor.search.reads import Reader
from mock_editor.search.sos import SosWriter


class SearchedEditor:
    """An editor and what answers for it."""

    def __init__(self, catalogue: Catalogue, editor: Editor, base: str, web: str, most: Most) -> None:
        self.editor = editor
        self.base = base
        self.entries = EntryWriter(editor, self.base, catalogue.taken, most)
        self.individual = IndividualWriter(editor, self.entries, web)
        self.sos = SosWriter(editor, self.entries, web)
        self.reader = Reader(catalogue, editor, {base, f"{web}/fhir"}, self.individual, self.sos)


class SearchRequest(NamedTuple):
    """What every request brings: whom it asks, with which parameters, the link to itself, and how strict to be."""

    searched: SearchedEditor
    parameters: Parameters
    link: str
    strict: bool


class SearchAnswer(NamedTuple):
    """The body of a 200, and whether it is wanted indented."""

    body: bytes
    pretty: bool


class Searches:
    """The searches and reads of the editors of ``catalogue``, which clients reach under ``fhir_url``, browsers under
    ``public_url``.

    ``also`` and ``follows`` are what other features add to the CapabilityStatement. A search answers ``most``.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        public_url: str,
        fhir_url: str,
        also: Mapping[str, Supported] = MappingProxyType({}),
        follows: tuple[str, ...] = (),
        most: Most | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._also, self._follows = also, follows
        self._fhir_url = fhir_url
        self._most = most or Most()
        editors = catalogue.editors.items()
        self._searched = {
            slug: SearchedEditor(catalogue, editor, f"{fhir_url}/{slug}/fhir", f"{public_url}/{slug}", self._most)
            for slug, editor in editors
        }

    def asked(self, editor: str, environ: dict[str, Any], form: bytes = b"") -> SearchRequest:
        """Reads a request; ``form`` is what a posted one brings. Raises 404 for an unknown editor, 406 for XML."""
        self._catalogue.editor(editor)
        raw: bytes = environ["QUERY_STRING"].encode("latin-1")
        if form:
            raw = raw + b"&" + form if raw else form
        parameters = Parameters(raw)
        fhir.check_acceptable(environ.get("HTTP_ACCEPT", ""), parameters.all("_format"))
        link = self._fhir_url + environ["PATH_INFO"].partition("/_search")[0]
        if raw:
            link = f"{link}?{fhir.legal_query(raw)}"
        return SearchRequest(
            self._searched[editor], parameters, link, fhir.prefers_strict(environ.get("HTTP_PREFER", ""))
        )

    def slots(self, it: SearchRequest) -> SearchAnswer:
        """``Slot``: INT_R01 and INT_R04."""
        wanted = query.slot_query(it.parameters, it.searched.editor.zone, strict=it.strict)
        found = [*filter(None, map(it.searched.editor.directory.find, wanted.identifiers))]
        body = it.searched.individual.slots(wanted, found, self._catalogue.clock.now(), it.link)
        return self._bounded(SearchAnswer(body, wanted.output.pretty))

    def schedules(self, it: SearchRequest) -> SearchAnswer:
        """``Schedule``: the places of SOS Médecins, or the calendars of an actor."""
        # Both kinds of filter together are refused, as one would be left aside.
        if not it.parameters.all(query.SOS_IDENTIFIER) and plain.asks_for_actor(it.parameters):
            return self._plain(it, it.searched.reader.schedules)
        wanted = query.sos_query(it.parameters, it.searched.editor.zone, strict=it.strict)
        body = it.searched.sos.schedules(wanted, self._catalogue.clock.now(), it.link)
        return self._bounded(SearchAnswer(body, wanted.output.pretty))

    def _bounded(self, answer: SearchAnswer) -> SearchAnswer:
        if len(answer.body) > self._most.bytes:
            raise self._most.refusal()
        return answer

    def practitioners(self, it: SearchRequest) -> SearchAnswer:
        """``Practitioner?identifier=``."""
        return self._plain(it, it.searched.reader.practitioners)

    def locations(self, it: SearchRequest) -> SearchAnswer:
        """``Location?organization=``."""
        return self._plain(it, it.searched.reader.locations)

    def organizations(self, it: SearchRequest) -> SearchAnswer:
        """``Organization?identifier=``."""
        return self._plain(it, it.searched.reader.organizations)

    def metadata(self, it: SearchRequest) -> SearchAnswer:
        """The CapabilityStatement."""
        now = self._catalogue.clock.now()
        statement = capability_statement(it.searched.editor, it.searched.base, now, self._also, self._follows)
        return SearchAnswer(fhir.dumps(statement), wants_pretty(it.parameters))

    def read(self, it: SearchRequest, kind: str, identifier: str) -> SearchAnswer:
        """``<kind>/<identifier>``."""
        return SearchAnswer(fhir.dumps(it.searched.reader.read(kind, identifier)), wants_pretty(it.parameters))

    def _plain(self, it: SearchRequest, search: Callable[..., list[Resource]]) -> SearchAnswer:
        """A search that lists whole resources, all of them matches."""
        wanted = query.output(it.parameters)
        found = search(it.parameters, strict=it.strict)
        entries = [] if wanted.count_only else [it.searched.entries.entry(resource, "match") for resource in found]
        return SearchAnswer(bundle(BUNDLE_PROFILE, len(found), it.link, entries), wanted.pretty)

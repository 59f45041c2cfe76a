"""Reads by id, and the plain searches that the guide's CapabilityStatements declare."""

from collections.abc import Callable, Iterator

from mock_editor.base.codes import PRACTITIONER_OID, STRUCTURE_OID
from mock_editor.base.errors import NotFoundError
from mock_editor.base.fhir import Resource, refuse, split_list
from mock_editor.base.parameters import Parameters
from mock_editor.calendars.catalogue import Catalogue, agenda, read_stamp
from mock_editor.calendars.model import Association, Editor, Place, Practitioner, SosPlace
from mock_editor.search import resources
from mock_editor.search.flows import INT_R04, SOS
from mock_editor.search.individual import IndividualWriter
from mock_editor.search.query import national_identifiers
from mock_editor.search.sos import SosWriter

ACTOR = "actor"
IDENTIFIER = "identifier"
ORGANIZATION = "organization"


class Reader:
    """Finds single resources of one editor, and lists of them."""

    def __init__(self, catalogue: Catalogue, editor: Editor, individual: IndividualWriter, sos: SosWriter) -> None:
        self._catalogue = catalogue
        self._editor = editor
        self._individual = individual
        self._sos = sos
        self._reads: dict[str, Callable[[str], Resource | None]] = {
            "Practitioner": self._practitioner,
            "PractitionerRole": self._role,
            "Schedule": self._schedule,
            "Slot": self._slot,
            "HealthcareService": self._healthcare_service,
            "Location": self._location,
            "Organization": self._organization,
        }

    def read(self, kind: str, identifier: str) -> Resource:
        """The resource ``kind``/``identifier``, as a Bundle's fullUrl names it. Raises NotFoundError."""
        if kind not in self._reads:
            raise NotFoundError(f"Resource type {kind[:60]!r} is not supported; see metadata")
        found = self._reads[kind](identifier)
        if found is None:
            raise NotFoundError(f"{kind}/{identifier[:100]} is not known")
        return found

    def _practitioner(self, identifier: str) -> Resource | None:
        person = self._editor.directory.find(identifier)
        return resources.practitioner(person) if person else None

    def _role(self, identifier: str) -> Resource | None:
        at = self._place(identifier)
        return resources.practitioner_role(self._editor, *at) if at else None

    def _schedule(self, identifier: str) -> Resource | None:
        if at := self._place(identifier):
            return resources.schedule(*at)
        sos = self._sos_place(identifier)
        return resources.sos_schedule(sos[1]) if sos else None

    def _location(self, identifier: str) -> Resource | None:
        sos = self._sos_place(identifier)
        return resources.sos_location(self._editor, *sos) if sos else None

    def _organization(self, identifier: str) -> Resource | None:
        if association := self._editor.associations.get(identifier):
            return resources.sos_organization(association)
        cpts = self._editor.cpts.get(identifier)
        return resources.cpts_organization(cpts) if cpts else None

    def _healthcare_service(self, identifier: str) -> Resource | None:
        cpts = self._editor.cpts.get(identifier)
        return resources.healthcare_service(cpts) if cpts else None

    def _slot(self, identifier: str) -> Resource | None:
        calendar_key, _, stamp = identifier.rpartition("-")
        try:
            start = read_stamp(stamp)
            if at := self._place(calendar_key):
                slot = self._catalogue.free_slot(at[1].calendar, start, INT_R04.exposed)
                return self._individual.slot(*at, slot) if slot else None
            if sos := self._sos_place(calendar_key):
                slot = self._catalogue.free_slot(sos[1].calendar, start, SOS.exposed)
                return self._sos.slot(*sos, slot) if slot else None
        except ValueError:
            return None
        return None

    def _place(self, calendar_key: str) -> tuple[Practitioner, Place] | None:
        found = agenda(self._editor, calendar_key)
        if found and isinstance(found.owner, Practitioner) and isinstance(found.place, Place):
            return found.owner, found.place
        return None

    def _sos_place(self, calendar_key: str) -> tuple[Association, SosPlace] | None:
        found = agenda(self._editor, calendar_key)
        if found and isinstance(found.owner, Association) and isinstance(found.place, SosPlace):
            return found.owner, found.place
        return None

    # --- plain searches

    def practitioners(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Practitioner?identifier=``: practitioners with calendars; a regulator's account never shows here."""
        if strict:
            parameters.refuse_unknown((IDENTIFIER,))
        identifiers = national_identifiers(parameters, IDENTIFIER, PRACTITIONER_OID)
        refuse(parameters.issues)
        return [found for identifier in identifiers if (found := self._practitioner(identifier))]

    def schedules(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Schedule?actor=``: the calendars of a practitioner, of one at a place, or of a SOS Médecins place."""
        if strict:
            parameters.refuse_unknown((ACTOR,))
        found: dict[str, Resource] = {}
        for kind, identifier in _references(parameters, ACTOR, ("Practitioner", "PractitionerRole", "Location")):
            keys = [identifier]
            if kind == "Practitioner":
                person = self._editor.directory.find(identifier)
                keys = [place.calendar.key for place in person.places] if person else []
            elif (kind == "Location") != (self._sos_place(identifier) is not None):
                keys = []
            found |= {key: schedule for key in keys if (schedule := self._schedule(key))}
        refuse(parameters.issues)
        return list(found.values())

    def locations(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Location?organization=``: the places of SOS Médecins associations."""
        if strict:
            parameters.refuse_unknown((ORGANIZATION,))
        asked = dict.fromkeys(identifier for _, identifier in _references(parameters, ORGANIZATION, ("Organization",)))
        refuse(parameters.issues)
        known = filter(None, map(self._editor.associations.get, asked))
        return [resources.sos_location(self._editor, one, place) for one in known for place in one.places]

    def organizations(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Organization?identifier=``: SOS Médecins associations and CPTS, by national identifier."""
        if strict:
            parameters.refuse_unknown((IDENTIFIER,))
        identifiers = national_identifiers(parameters, IDENTIFIER, STRUCTURE_OID)
        refuse(parameters.issues)
        return [found for identifier in identifiers if (found := self._organization(identifier))]


def _references(parameters: Parameters, name: str, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The type and id of each reference of a required list, absolute or relative; notes what is wrong with them."""
    text = parameters.one(name, required=True)
    for reference in split_list(text) if text else ():
        path, _, identifier = reference.rpartition("/")
        kind = path.rpartition("/")[2]
        if kind in kinds and identifier:
            yield kind, identifier
        else:
            expected = " or ".join(f"{one}/<id>" for one in kinds)
            parameters.wrong(name, f"expected {expected}, not {reference[:100]!r}")

"""Reads by id, and the plain searches that the guide's CapabilityStatements declare."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from mock_editor.base.codes import PRACTITIONER_OID, STRUCTURE_OID
from mock_editor.base.errors import refused
from mock_editor.base.fhir import Resource, refuse
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.calendars.catalogue import Catalogue, find_calendar, read_stamp
from mock_editor.calendars.model import Association, Editor, Place, Practitioner, SosPlace
from mock_editor.search import plain, resources
from mock_editor.search.individual import IndividualWriter
from mock_editor.search.plain import Reference
from mock_editor.search.slot_searches import INT_R04, SOS
from mock_editor.search.sos import SosWriter

Asked = TypeVar("Asked", Reference, str | None)

# Searches have no pages.
_MOST_FOUND = 1000


class Reader:
    """Finds single resources of one editor, and lists of them. Its FHIR base is known under the URLs ``bases``."""

    def __init__(
        self,
        catalogue: Catalogue,
        editor: Editor,
        bases: Collection[str],
        individual: IndividualWriter,
        sos: SosWriter,
    ) -> None:
        self._catalogue = catalogue
        self._editor = editor
        self._bases = bases
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
        """The resource ``kind``/``identifier``, as a Bundle's fullUrl names it. Raises 404."""
        if kind not in self._reads:
            raise refused(Code.RESOURCE_TYPE_NOT_READ, kind=kind[:60])
        found = self._reads[kind](identifier)
        if found is None:
            raise refused(Code.RESOURCE_NOT_FOUND, kind=kind, id=identifier[:100])
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
        found = find_calendar(self._editor, calendar_key)
        if found and isinstance(found.owner, Practitioner) and isinstance(found.place, Place):
            return found.owner, found.place
        return None

    def _sos_place(self, calendar_key: str) -> tuple[Association, SosPlace] | None:
        found = find_calendar(self._editor, calendar_key)
        if found and isinstance(found.owner, Association) and isinstance(found.place, SosPlace):
            return found.owner, found.place
        return None

    # --- plain searches

    def practitioners(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Practitioner?identifier=``: practitioners with calendars; a regulator's account never shows here."""
        plain.check_filters(parameters, "Practitioner", plain.IDENTIFIER, strict=strict)
        asked = plain.identifiers(parameters, PRACTITIONER_OID)
        directory = self._editor.directory
        if len(directory) > _MOST_FOUND and any(None in alternatives for alternatives in asked):
            parameters.wrong(Code.SEARCH_ALL_OF_TOO_MANY, plain.IDENTIFIER, count=len(directory), most=_MOST_FOUND)
        refuse(parameters.issues)

        def found(identifier: str | None) -> Iterator[Resource | None]:
            return (
                map(resources.practitioner, directory) if identifier is None else iter([self._practitioner(identifier)])
            )

        return _in_all(asked, found)

    def organizations(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Organization?identifier=``: SOS Médecins associations and CPTS, by national identifier."""
        plain.check_filters(parameters, "Organization", plain.IDENTIFIER, strict=strict)
        asked = plain.identifiers(parameters, STRUCTURE_OID)
        refuse(parameters.issues)

        def found(identifier: str | None) -> Iterator[Resource | None]:
            everybody = [*self._editor.associations, *self._editor.cpts] if identifier is None else [identifier]
            return map(self._organization, everybody)

        return _in_all(asked, found)

    def schedules(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Schedule?actor=``: the calendars of a practitioner, of one at a place, or of a SOS Médecins place."""
        plain.check_filters(parameters, "Schedule", plain.ACTOR, strict=strict)
        asked = plain.references(parameters, plain.ACTOR, self._bases)
        refuse(parameters.issues)

        def found(actor: Reference) -> Iterator[Resource | None]:
            if "Practitioner" in actor.kinds:
                person = self._editor.directory.find(actor.id)
                yield from (resources.schedule(person, place) for place in person.places) if person else ()
            at_sos = self._sos_place(actor.id) is not None
            if ("Location" if at_sos else "PractitionerRole") in actor.kinds:
                yield self._schedule(actor.id)

        return _in_all(asked, found)

    def locations(self, parameters: Parameters, *, strict: bool) -> list[Resource]:
        """``Location?organization=``: the places of SOS Médecins associations."""
        plain.check_filters(parameters, "Location", plain.ORGANIZATION, strict=strict)
        asked = plain.references(parameters, plain.ORGANIZATION, self._bases)
        refuse(parameters.issues)

        def found(organization: Reference) -> Iterator[Resource | None]:
            if organization.kinds and (association := self._editor.associations.get(organization.id)):
                yield from (resources.sos_location(self._editor, association, place) for place in association.places)

        return _in_all(asked, found)


def _in_all(asked: Iterable[Iterable[Asked]], found: Callable[[Asked], Iterable[Resource | None]]) -> list[Resource]:
    """What is found for one alternative at least of each criterion, once each."""
    matches = [{one["id"]: one for each in alternatives for one in found(each) if one} for alternatives in asked]
    return [one for key, one in matches[0].items() if all(key in others for others in matches)]

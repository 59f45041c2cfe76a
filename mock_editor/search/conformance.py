"""Checks what a scenario makes an editor say against the FHIR models, before anybody asks.

The models (fhir.resources) check and never write: serialising through them costs fifty times the join of ready pieces,
and they rewrite instants.
"""

from collections.abc import Iterator
from itertools import islice

from fhir.resources.R4B.healthcareservice import HealthcareService as HealthcareServiceModel
from fhir.resources.R4B.location import Location as LocationModel
from fhir.resources.R4B.organization import Organization as OrganizationModel
from fhir.resources.R4B.practitioner import Practitioner as PractitionerModel
from fhir.resources.R4B.practitionerrole import PractitionerRole as PractitionerRoleModel
from fhir.resources.R4B.schedule import Schedule as ScheduleModel
from fhir.resources.R4B.slot import Slot as SlotModel
from pydantic import BaseModel, ValidationError

from mock_editor.base.fhir import Resource
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.calendars.model import Calendar, Editor, SlotShape
from mock_editor.search import resources
from mock_editor.search.slot_searches import INT_R01, INT_R04

_MODELS: dict[str, type[BaseModel]] = {
    "HealthcareService": HealthcareServiceModel,
    "Location": LocationModel,
    "Organization": OrganizationModel,
    "Practitioner": PractitionerModel,
    "PractitionerRole": PractitionerRoleModel,
    "Schedule": ScheduleModel,
    "Slot": SlotModel,
}
# Those written out come first; of people made in bulk, a few stand for all.
_PEOPLE_CHECKED = 200
_TIMES = resources.SlotTimes("202611200700", "2026-11-20T08:00:00.000+01:00", "2026-11-20T08:20:00.000+01:00")
_WEB = "https://lga.example"


def problems(editor: Editor) -> list[Issue]:
    """What the resources of an editor break of FHIR R4, an issue each; nothing when all is well."""
    found = []
    for resource in _resources(editor):
        try:
            _MODELS[resource["resourceType"]].model_validate(resource)
        except ValidationError as error:
            detail = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            named = f"{resource['resourceType']}/{resource['id']}"
            found.append(issue(Code.NOT_FHIR, editor=editor.slug, resource=named, detail=detail))
    return found


def _resources(editor: Editor) -> Iterator[Resource]:
    for person in islice(editor.directory, _PEOPLE_CHECKED):
        yield resources.practitioner(person)
        for place in person.places:
            yield resources.schedule(person, place)
            yield resources.practitioner_role(editor, person, place)
            for shape in _shapes(place.calendar):
                for search in (INT_R01, INT_R04):
                    if not search.exposed.isdisjoint(shape.types):
                        yield resources.slot_of_practitioner(search, _WEB, person, place, shape, _TIMES)
    for cpts in editor.cpts.values():
        yield resources.healthcare_service(cpts)
        yield resources.cpts_organization(cpts)
    for association in editor.associations.values():
        yield resources.sos_organization(association)
        for sos_place in association.places:
            yield resources.sos_schedule(sos_place)
            yield resources.sos_location(editor, association, sos_place)
            for shape in _shapes(sos_place.calendar):
                yield resources.slot_of_sos_place(_WEB, association, sos_place, shape, _TIMES)


def _shapes(calendar: Calendar) -> set[SlotShape]:
    days = (*calendar.plan.week, *calendar.plan.exceptional.values())
    return {shape for day in days for opening in day for shape in opening.mix.shapes}

"""Checks what a scenario makes an editor say against the FHIR models, before anybody asks.

The models (fhir.resources) check and never write: serialising through them costs fifty times the join of ready pieces,
and they rewrite instants.
"""

from collections.abc import Iterator
from itertools import islice

from fhir.resources.R4B.practitioner import Practitioner as PractitionerModel
from fhir.resources.R4B.practitionerrole import PractitionerRole as PractitionerRoleModel
from fhir.resources.R4B.schedule import Schedule as ScheduleModel
from fhir.resources.R4B.slot import Slot as SlotModel
from pydantic import BaseModel, ValidationError

from mock_editor.base.fhir import Resource
from mock_editor.calendars.model import Editor, Practitioner
from mock_editor.search import resources

_MODELS: dict[str, type[BaseModel]] = {
    "Practitioner": PractitionerModel,
    "PractitionerRole": PractitionerRoleModel,
    "Schedule": ScheduleModel,
    "Slot": SlotModel,
}
# Those written out come first; of people made in bulk, a few stand for all.
_PEOPLE_CHECKED = 200


def problems(editor: Editor) -> list[str]:
    """What the resources of an editor break of FHIR R4, a line each; nothing when all is well."""
    found = []
    for person in islice(editor.directory, _PEOPLE_CHECKED):
        for resource in _resources(editor, person):
            try:
                _MODELS[resource["resourceType"]].model_validate(resource)
            except ValidationError as error:
                detail = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
                found.append(f"{editor.slug}: {resource['resourceType']} of {person.id}: {detail}")
    return found


def _resources(editor: Editor, person: Practitioner) -> Iterator[Resource]:
    yield resources.practitioner(person)
    for place in person.places:
        yield resources.schedule(person, place)
        yield resources.practitioner_role(editor, person, place)
        plan = place.calendar.plan
        openings = {opening for day in (*plan.week, *plan.exceptional.values()) for opening in day}
        for shape in {shape for opening in openings for shape in opening.mix.shapes}:
            yield resources.slot(
                person,
                place,
                shape,
                identifier="example",
                start="2026-11-20T08:00:00.000+01:00",
                end="2026-11-20T08:20:00.000+01:00",
                agenda_url="https://lga.example/agenda",
            )

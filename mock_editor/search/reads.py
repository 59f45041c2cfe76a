"""Reads by id, and the plain searches that the guide's CapabilityStatements declare."""

from datetime import timedelta

from mock_editor.base.errors import NotFoundError
from mock_editor.base.fhir import Resource, refuse, split_list
from mock_editor.calendars.generator import slots_of_day
from mock_editor.calendars.model import Editor, Place, Practitioner
from mock_editor.search import resources
from mock_editor.search.bundle import BundleWriter
from mock_editor.search.query import Parameters, national_identifiers

ACTOR = "actor"
IDENTIFIER = "identifier"


def read(editor: Editor, writer: BundleWriter, kind: str, identifier: str) -> Resource:
    """The resource ``kind``/``identifier``, as a Bundle's fullUrl names it. Raises NotFoundError."""
    found: Resource | None = None
    if kind == "Practitioner":
        practitioner = editor.directory.find(identifier)
        found = resources.practitioner(practitioner) if practitioner else None
    elif kind == "Schedule":
        at = _place(editor, identifier)
        found = resources.schedule(*at) if at else None
    elif kind == "PractitionerRole":
        at = _place(editor, identifier)
        found = resources.practitioner_role(editor, *at) if at else None
    elif kind == "Slot":
        found = _slot(editor, writer, identifier)
    else:
        raise NotFoundError(f"Resource type {kind[:60]!r} is not supported; see metadata")
    if found is None:
        raise NotFoundError(f"{kind}/{identifier[:100]} is not known")
    return found


def _place(editor: Editor, calendar_key: str) -> tuple[Practitioner, Place] | None:
    practitioner = editor.directory.find(calendar_key.rpartition("-")[0])
    for place in practitioner.places if practitioner else ():
        if practitioner and place.calendar.key == calendar_key:
            return practitioner, place
    return None


def _slot(editor: Editor, writer: BundleWriter, identifier: str) -> Resource | None:
    calendar_key, _, stamp = identifier.rpartition("-")
    at = _place(editor, calendar_key)
    try:
        start = resources.read_stamp(stamp)
        local_day = start.astimezone(at[1].calendar.zone).date() if at else None
    except (ValueError, OverflowError):
        return None
    if not at or not local_day or resources.stamp(start) != stamp:
        return None
    # A slot of the night belongs to the opening that began the day before.
    for day in (local_day, local_day - timedelta(days=1)):
        for slot in slots_of_day(at[1].calendar, day):
            if slot.start == start and not slot.taken and slot.shape.exposed:
                return writer.slot(*at, slot)
    return None


def practitioners(editor: Editor, parameters: Parameters, *, strict: bool) -> list[Resource]:
    """``GET Practitioner?identifier=``: practitioners with calendars; a regulator's account never shows here."""
    if strict:
        parameters.refuse_unknown((IDENTIFIER,))
    identifiers = national_identifiers(parameters, IDENTIFIER)
    refuse(parameters.issues)
    found = (editor.directory.find(identifier) for identifier in identifiers)
    return [resources.practitioner(practitioner) for practitioner in found if practitioner]


def schedules(editor: Editor, parameters: Parameters, *, strict: bool) -> list[Resource]:
    """``GET Schedule?actor=``: the calendars of a practitioner, or the one of a practitioner at a place."""
    if strict:
        parameters.refuse_unknown((ACTOR,))
    text = parameters.one(ACTOR, required=True)
    found: dict[str, Resource] = {}
    for reference in split_list(text) if text else ():
        kind, _, identifier = reference.rpartition("/")
        kind = kind.rpartition("/")[2]  # an absolute reference serves as well
        if kind not in ("Practitioner", "PractitionerRole"):
            parameters.wrong(ACTOR, f"expected Practitioner/<id> or PractitionerRole/<id>, not {reference[:100]!r}")
        person = editor.directory.find(identifier if kind == "Practitioner" else identifier.rpartition("-")[0])
        for place in person.places if person else ():
            if person and (kind == "Practitioner" or place.calendar.key == identifier):
                found[place.calendar.key] = resources.schedule(person, place)
    refuse(parameters.issues)
    return list(found.values())

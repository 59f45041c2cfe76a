"""Searches that return slots right now, ready to paste: one for each kind of calendar that an editor keeps."""

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from itertools import islice
from urllib.parse import quote

from mock_editor.base.codes import PRACTITIONER_OID, STRUCTURE_OID
from mock_editor.base.fhir import instant
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Calendar, Editor, SlotType, Window
from mock_editor.search.query import IDENTIFIER, SOS_IDENTIFIER, SOS_START, SOS_STATUS, START, STATUS
from mock_editor.search.slot_searches import INT_R01, SOS

_LOOKED_AT = 300  # practitioners tried
_SHOWN = 3
_CPTS = frozenset({SlotType.CPTS})


def examples(catalogue: Catalogue, editor: Editor, base: str) -> Iterator[tuple[str, str]]:
    """Searches over today, tomorrow and the day after, as the SAS asks: what for, and the URL under ``base``."""
    now = catalogue.clock.now()
    today = now.astimezone(editor.zone).date()
    last = datetime.combine(today + timedelta(days=2), time(23, 59, 59, 999000), editor.zone)
    window = Window(now, last)
    start, end = f"ge{instant(now, editor.zone)}", f"le{instant(last, editor.zone)}"

    def free(calendars: Iterable[Calendar], exposed: frozenset[SlotType]) -> bool:
        return any(next(catalogue.free_slots(calendar, window, exposed), None) for calendar in calendars)

    def practitioners(exposed: frozenset[SlotType]) -> list[str]:
        tried = islice(editor.directory, _LOOKED_AT)
        found = (person.id for person in tried if free((place.calendar for place in person.places), exposed))
        return list(islice(found, _SHOWN))

    def slot_search(found: list[str], *includes: tuple[str, str]) -> str:
        tokens = ",".join(f"{PRACTITIONER_OID}|{identifier}" for identifier in found)
        asked = (("_include", "Slot:schedule"), ("_include:iterate", "Schedule:actor"), *includes)
        return _url(f"{base}/Slot", *asked, (STATUS, "free"), (START, start), (START, end), (IDENTIFIER, tokens))

    if found := practitioners(INT_R01.exposed):
        yield "INT_R01, practitioners on their own", slot_search(found)
    if found := practitioners(_CPTS):
        service, organization = "Slot:service-type-reference", "HealthcareService:organization"
        yield "INT_R04, with CPTS", slot_search(found, ("_include", service), ("_include:iterate", organization))
    places = {one.id: [place.calendar for place in one.places] for one in editor.associations.values()}
    if found := [identifier for identifier, calendars in places.items() if free(calendars, SOS.exposed)][:_SHOWN]:
        yield (
            "SOS Médecins",
            _url(
                f"{base}/Schedule",
                ("_revinclude", "Slot:schedule"),
                ("_include", "Schedule:actor:Location"),
                ("_include:iterate", "Location:organization"),
                (SOS_START, start),
                (SOS_START, end),
                (SOS_STATUS, "free"),
                (SOS_IDENTIFIER, ",".join(f"{STRUCTURE_OID}|{identifier}" for identifier in found)),
            ),
        )


def _url(path: str, *parameters: tuple[str, str]) -> str:
    return f"{path}?" + "&".join(f"{name}={quote(value, safe=':,')}" for name, value in parameters)

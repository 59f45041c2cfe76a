"""Slots whose dates are written wrongly, are missing, or lie where no slot was asked for."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mock_editor.base.clock import LAST_YEAR
from mock_editor.base.fhir import Resource, parse_date
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.faults.kinds.conformance.searchset import Searchset, SomeMistake
from mock_editor.faults.words import French, Label

_FORM = "INT_R01, INT_R04 and SOS Médecins, Slot.start and end: YYYY-MM-DDTHH:MM:SS.sss±HH:MM"
# The zone of dates without an offset, and of nearly all agendas.
_BOUNDS = ("start", "_has:Slot:schedule:start")
_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")
# The day on which summer time begins has 23 hours; counted like this, days are never too few.
_DAY = timedelta(hours=23)


def _start(slot: Resource) -> datetime | None:
    """When a slot starts, however that is written."""
    if "start" not in slot:
        return None
    read = datetime.fromisoformat(slot["start"])
    return read if read.tzinfo else read.replace(tzinfo=DEFAULT_ZONE)


def _written(moment: datetime, like: str) -> str:
    """A date in the form of another one, which may be one that another kind of mistake has written."""
    text = moment.isoformat(timespec="milliseconds" if "." in like else "seconds")
    return re.sub(r"\+00:00$", "Z", text) if like.endswith("Z") else text


def _moved(text: str, days: int) -> str:
    """The same time of day some days later, in the same form; an offset of Paris follows summer time."""
    was = datetime.fromisoformat(text)
    moved = (was.date() + timedelta(days=days)).isoformat() + text[10:]
    if was.utcoffset() != was.replace(tzinfo=DEFAULT_ZONE).utcoffset():
        return moved
    return _OFFSET.sub(datetime.fromisoformat(moved).replace(tzinfo=DEFAULT_ZONE).isoformat()[-6:], moved)


class _Rewritten(SomeMistake):
    """The dates of a slot in another form."""

    breaks: ClassVar[str] = _FORM

    def rewritten(self, text: str) -> str:
        """A date in that form."""
        raise NotImplementedError

    def change(self, resource: Resource) -> None:
        """Rewrites both."""
        for member in ("start", "end"):
            if member in resource:
                resource[member] = self.rewritten(resource[member])


class DatesWithoutOffset(_Rewritten):
    """Dates have no offset; the browser takes them for its own time."""

    kind: Literal["dates-without-offset"] = "dates-without-offset"
    french: ClassVar[French] = French(
        "Dates sans fuseau", "Les dates n’ont pas de décalage horaire ; le navigateur les prend pour son heure locale."
    )
    breaks: ClassVar[str] = f"FHIR R4, instant: with an offset; {_FORM}"

    def rewritten(self, text: str) -> str:
        """The local time alone."""
        return _OFFSET.sub("", text)


class DatesInUtc(_Rewritten):
    """Dates are in UTC and end in Z."""

    kind: Literal["dates-in-utc"] = "dates-in-utc"
    french: ClassVar[French] = French("Dates en UTC", "Les dates sont en UTC et se terminent par Z.")

    def rewritten(self, text: str) -> str:
        """The same instant."""
        read = datetime.fromisoformat(text)
        return _written(read.astimezone(UTC), like=f"{text}Z") if read.tzinfo else text


class DatesToTheSecond(_Rewritten):
    """Dates have no fraction of a second."""

    kind: Literal["dates-to-the-second"] = "dates-to-the-second"
    french: ClassVar[French] = French("Dates à la seconde", "Les dates n’ont pas de fraction de seconde.")

    def rewritten(self, text: str) -> str:
        """The same without its decimals."""
        return re.sub(r"\.\d+", "", text)


class StartMissing(SomeMistake):
    """Slots have no start; the SAS then takes them to be now."""

    kind: Literal["start-missing"] = "start-missing"
    french: ClassVar[French] = French(
        "Début absent", "Les créneaux n’ont pas de début ; le SAS les prend pour maintenant."
    )
    breaks: ClassVar[str] = "FHIR R4, Slot.start: exactly one"

    def change(self, resource: Resource) -> None:
        """Takes it off."""
        resource.pop("start", None)


class EndMissing(SomeMistake):
    """Slots have no end; the SAS then takes them to end now."""

    kind: Literal["end-missing"] = "end-missing"
    french: ClassVar[French] = French(
        "Fin absente", "Les créneaux n’ont pas de fin ; pour le SAS, ils finissent maintenant."
    )
    breaks: ClassVar[str] = "FHIR R4, Slot.end: exactly one"

    def change(self, resource: Resource) -> None:
        """Takes it off."""
        resource.pop("end", None)


class EndBeforeStart(SomeMistake):
    """Slots end before they start, by their own length; the SAS shows them as ending the next day."""

    kind: Literal["end-before-start"] = "end-before-start"
    french: ClassVar[French] = French(
        "Fin avant le début",
        "Les créneaux finissent avant de commencer ; le SAS les affiche comme finissant le lendemain.",
    )
    breaks: ClassVar[str] = "INT_R01, INT_R04 and SOS Médecins, Slot: start before end"

    def change(self, resource: Resource) -> None:
        """Turns the duration round."""
        if "start" in resource and "end" in resource:
            start, end = datetime.fromisoformat(resource["start"]), datetime.fromisoformat(resource["end"])
            if start < end:
                resource["end"] = _written(start - (end - start), like=resource["end"])


class _Moved(SomeMistake):
    """Slots on other days than they are, at the same time of day."""

    def days(self, searchset: Searchset) -> Callable[[datetime], int]:
        """By how many days a slot is moved, from its start."""
        raise NotImplementedError

    def changer(self, searchset: Searchset) -> Callable[[Resource], None]:
        """What moves a slot."""
        days = self.days(searchset)

        def change(slot: Resource) -> None:
            start = _start(slot)
            by = days(start) if start else 0
            for member in ("start", "end"):
                if by and member in slot:
                    slot[member] = _moved(slot[member], by)

        return change


def _starts(searchset: Searchset) -> list[datetime]:
    return [start for slot in searchset.resources("Slot") if (start := _start(slot))]


class SlotsInThePast(_Moved):
    """Slots are over: they start some days earlier, so many that all of them lie before now."""

    kind: Literal["slots-in-the-past"] = "slots-in-the-past"
    french: ClassVar[French] = French(
        "Créneaux passés", "Les créneaux commencent quelques jours plus tôt : ils sont passés."
    )
    breaks: ClassVar[str] = "INT_R01, INT_R04 and SOS Médecins, Slot.start: inside the asked window, never before now"

    def days(self, searchset: Searchset) -> Callable[[datetime], int]:
        """Back by the same number for all, so that no two of them meet."""
        last = max(_starts(searchset), default=searchset.request.now)
        back = max(0, (last - searchset.request.now) // _DAY) + 1
        return lambda _: -back


class SlotsOutsideWindow(_Moved):
    """Slots start after the requested window: some days later, so many that all of them do.

    After a window without an end (``le9999-12-31``) there is nothing: the answer stays right.
    """

    kind: Literal["slots-outside-window"] = "slots-outside-window"
    french: ClassVar[French] = French(
        "Créneaux hors période", "Les créneaux commencent quelques jours après la période demandée."
    )
    breaks: ClassVar[str] = "INT_R01, INT_R04 and SOS Médecins, Slot.start: inside the asked window (start=le…)"
    more: Annotated[int, Label("Décalage supplémentaire", "jours")] = Field(
        0, ge=0, le=3650, description="How many days later in addition."
    )

    def days(self, searchset: Searchset) -> Callable[[datetime], int]:
        """On by the same number for all, so that no two of them meet."""
        end = _window_end(searchset)
        if end is None or end.year > LAST_YEAR:
            return lambda _: 0
        on = max(0, (end - min(_starts(searchset), default=end)) // _DAY) + 1 + self.more
        return lambda _: on


def _window_end(searchset: Searchset) -> datetime | None:
    """When the asked window ends, if the search has one."""
    asked = searchset.asked()
    bounds = (value for name in _BOUNDS for value in asked.all(name))
    ends = [value.removeprefix("le") for value in bounds if value.startswith("le")]
    try:
        return parse_date(ends[0], DEFAULT_ZONE).after if ends else None
    except ValueError:
        return None


class SlotsNextMonth(_Moved):
    """Slots start one month later, on the same day of the month; the SAS compares only that, and shows them as today's.

    A month without such a day is skipped.
    """

    kind: Literal["slots-next-month"] = "slots-next-month"
    french: ClassVar[French] = French(
        "Créneaux du mois suivant",
        "Les créneaux commencent un mois plus tard, le même jour du mois ; le SAS les affiche comme d’aujourd’hui.",
    )
    breaks: ClassVar[str] = "INT_R01, INT_R04 and SOS Médecins, Slot.start: inside the asked window (start=le…)"

    def days(self, searchset: Searchset) -> Callable[[datetime], int]:  # noqa: ARG002 - the slot's own day counts
        """To the next day of that number."""
        return _to_next_month


def _to_next_month(start: datetime) -> int:
    day = start.date() + timedelta(days=1)
    while day.day != start.day:
        day += timedelta(days=1)
    return (day - start.date()).days

"""Slots, calendars and places that are attached to the wrong one, to none, or that nobody asked for."""

from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, Literal

import orjson
from pydantic import Field

from mock_editor.base import codes
from mock_editor.base.fhir import Resource, dumps
from mock_editor.faults.kinds.conformance.searchset import (
    INDIVIDUAL,
    Mistake,
    Searchset,
    SomeMistake,
    parts,
    reference_to,
)
from mock_editor.faults.words import French, Label

_ONE_SCHEDULE = "INT_R01: one Schedule per place of a practitioner, with that place's slots only"
_SOS = frozenset({"SOS"})


def _actor(schedule: Resource, resource_type: str) -> str | None:
    """The reference of a Schedule's first actor of a type."""
    references = (actor.get("reference", "") for actor in schedule.get("actor", []))
    return next((reference for reference in references if reference.startswith(f"{resource_type}/")), None)


def _schedules_by_practitioner(searchset: Searchset) -> dict[str | None, list[Resource]]:
    schedules: dict[str | None, list[Resource]] = {}
    for schedule in searchset.resources("Schedule"):
        schedules.setdefault(_actor(schedule, "Practitioner"), []).append(schedule)
    return schedules


class _Reattached(SomeMistake):
    """Slots on another Schedule than theirs."""

    def moves(self, searchset: Searchset) -> dict[str, str]:
        """Which Schedule's slots go to which other one, by reference."""
        raise NotImplementedError

    def changer(self, searchset: Searchset) -> Callable[[Resource], None]:
        """What attaches a slot elsewhere."""
        moves = self.moves(searchset)

        def change(slot: Resource) -> None:
            schedule = slot["schedule"]
            schedule["reference"] = moves.get(schedule["reference"], schedule["reference"])

        return change


def _to_the_first(schedules: Sequence[Resource]) -> dict[str, str]:
    return {reference_to(other): reference_to(schedules[0]) for other in schedules[1:]}


class SecondPlaceOnFirstSchedule(_Reattached):
    """The slots of a practitioner's other places are on the Schedule of the first; their own Schedules are empty."""

    kind: Literal["second-place-on-first-schedule"] = "second-place-on-first-schedule"
    french: ClassVar[French] = French(
        "Second lieu sur le premier", "Les créneaux des autres lieux d’un praticien sont dans l’agenda du premier."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = _ONE_SCHEDULE

    def moves(self, searchset: Searchset) -> dict[str, str]:
        """From a practitioner's other Schedules to the first."""
        moves: dict[str, str] = {}
        for schedules in _schedules_by_practitioner(searchset).values():
            moves |= _to_the_first(schedules)
        return moves


class OneScheduleForTwoPlaces(Mistake):
    """A practitioner with several places has one Schedule, with a PractitionerRole for each; all slots are on it."""

    kind: Literal["one-schedule-for-two-places"] = "one-schedule-for-two-places"
    french: ClassVar[French] = French(
        "Un agenda pour deux lieux", "Un praticien à plusieurs lieux n’a qu’un agenda, qui porte tous ses créneaux."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = f"{_ONE_SCHEDULE}; Schedule.actor: one Practitioner and one PractitionerRole"

    def spoil(self, searchset: Searchset) -> None:
        """Merges the Schedules of each practitioner."""
        moves: dict[str, str] = {}
        for schedules in _schedules_by_practitioner(searchset).values():
            moves |= _to_the_first(schedules)
            for other in schedules[1:]:
                schedules[0]["actor"] += [actor for actor in other["actor"] if actor not in schedules[0]["actor"]]
        searchset.entries = [entry for entry in searchset.entries if reference_to(entry["resource"]) not in moves]
        for slot in searchset.resources("Slot"):
            schedule = slot["schedule"]
            schedule["reference"] = moves.get(schedule["reference"], schedule["reference"])


def _to_the_next(schedules: Sequence[Resource]) -> dict[str, str]:
    """Round in a ring, so that each has slots, and none its own."""
    names = [reference_to(schedule) for schedule in schedules]
    return dict(zip(names, [*names[1:], *names[:1]], strict=True))


class SlotsOfAnotherPractitioner(_Reattached):
    """The slots of each practitioner are on the Schedule of the next one, those of the last on the first's."""

    kind: Literal["slots-of-another-practitioner"] = "slots-of-another-practitioner"
    french: ClassVar[French] = French(
        "Créneaux d’un autre praticien", "Les créneaux de chaque praticien sont dans l’agenda du suivant."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "INT_R01, Slot.schedule: the Schedule of the practitioner whose slot it is"

    def moves(self, searchset: Searchset) -> dict[str, str]:
        """From every Schedule of a practitioner to the first one of the next."""
        owned = [*_schedules_by_practitioner(searchset).values()]
        ring = _to_the_next([schedules[0] for schedules in owned])
        return {
            reference_to(schedule): ring[reference_to(schedules[0])] for schedules in owned for schedule in schedules
        }


class SlotsOfAnotherPlace(_Reattached):
    """The slots of each SOS Médecins place are on the Schedule of the next one, those of the last on the first's."""

    kind: Literal["slots-of-another-place"] = "slots-of-another-place"
    french: ClassVar[French] = French(
        "Créneaux d’un autre lieu", "Les créneaux de chaque lieu SOS Médecins sont dans l’agenda du suivant."
    )
    flows: ClassVar[frozenset[str]] = _SOS
    breaks: ClassVar[str] = "SOS Médecins, Slot.schedule: the one Schedule of the place whose slot it is"

    def moves(self, searchset: Searchset) -> dict[str, str]:
        """From each Schedule to the next."""
        return _to_the_next(searchset.resources("Schedule"))


class UnresolvableReference(SomeMistake):
    """Slots lead to a Schedule that is not in the Bundle."""

    kind: Literal["unresolvable-reference"] = "unresolvable-reference"
    french: ClassVar[French] = French(
        "Agenda introuvable", "Les créneaux mènent à un Schedule qui n’est pas dans la réponse."
    )
    breaks: ClassVar[str] = "_include=Slot:schedule, _revinclude=Slot:schedule: every reference resolves in the Bundle"

    def change(self, resource: Resource) -> None:
        """Refers to one that does not exist."""
        resource["schedule"]["reference"] = f"{resource['schedule']['reference']}-inconnu"


class LocationNotContained(SomeMistake):
    """Places are not inside their PractitionerRole: they have entries of their own, or are nowhere at all."""

    kind: Literal["location-not-contained"] = "location-not-contained"
    french: ClassVar[French] = French(
        "Lieu mal rangé", "Les lieux ne sont pas dans leur PractitionerRole : ils sont à part, ou nulle part."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "FrPractitionerRoleExerciceAgregateur, PractitionerRole.contained: the one Location"
    where: Annotated[Literal["entry", "nowhere"], Label("Où", values={"entry": "à part", "nowhere": "nulle part"})] = (
        "entry"
    )

    def spoil(self, searchset: Searchset) -> None:
        """Takes the places out of the roles, and lets each follow its role as an entry."""
        with_places = [entry for entry in searchset.entries if entry["resource"].get("contained")]
        spoilt = {id(entry) for entry in self.chosen(with_places, searchset)}
        entries = []
        for entry in searchset.entries:
            entries.append(entry)
            if id(entry) in spoilt:
                role = entry["resource"]
                (place,) = role.pop("contained")
                place["id"] = role["id"]
                role["location"] = [{"reference": reference_to(place)}]
                if self.where == "entry":
                    base = entry["fullUrl"].removesuffix(reference_to(role))
                    entries.append({**entry, "fullUrl": base + reference_to(place), "resource": place})
        searchset.entries = entries


class UnaskedPractitioner(Mistake):
    """A practitioner that nobody asked for is in the answer: a copy of its first place under another name and id."""

    kind: Literal["unasked-practitioner"] = "unasked-practitioner"
    french: ClassVar[French] = French(
        "Praticien non demandé", "Un praticien que personne n’a demandé figure dans la réponse."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "INT_R01, schedule.actor:Practitioner.identifier: only slots of the practitioners asked for"
    identifier: Annotated[str, Label("Identifiant, avec préfixe")] = Field(
        "899999999990", pattern=r"^(8[0-9]{11}|0[0-9A-Z]{9})$", description="Prefixed."
    )
    family_name: Annotated[str, Label("Nom")] = Field("IMPREVU", min_length=1)
    slots: Annotated[int, Label("Créneaux", hint="au plus")] = Field(
        1, ge=1, description="How many slots it has at most."
    )

    def spoil(self, searchset: Searchset) -> None:
        """Copies what belongs to one Schedule with everything that is told after the practitioner's id."""
        entries = searchset.entries
        slots = [entry for entry in entries if entry["resource"]["resourceType"] == "Slot"]
        schedule = slots and searchset.find(slots[0]["resource"]["schedule"]["reference"])
        if not schedule:
            return
        its = reference_to(schedule["resource"])
        own_slots = [entry for entry in slots if entry["resource"]["schedule"]["reference"] == its][: self.slots]
        actors = [
            searchset.find(_actor(schedule["resource"], resource_type) or "")
            for resource_type in ("PractitionerRole", "Practitioner")
        ]
        person = actors[-1]
        if person is None or searchset.find(f"Practitioner/{self.identifier}"):
            return
        others = self._renamed([schedule, *filter(None, actors)], person["resource"]["id"])
        at = entries.index(slots[-1]) + 1
        searchset.entries = [*entries[:at], *self._renamed(own_slots, person["resource"]["id"]), *entries[at:], *others]

    def _renamed(self, entries: list[Resource], identifier: str) -> list[Resource]:
        text = dumps({"entry": entries}).replace(identifier.encode(), self.identifier.encode())
        renamed: list[Resource] = orjson.loads(text)["entry"]
        for part in parts(renamed):
            if part.get("system") == codes.PRACTITIONER_OID:
                part["value"] = self.identifier
            if "family" in part:
                part["family"] = self.family_name
        return renamed

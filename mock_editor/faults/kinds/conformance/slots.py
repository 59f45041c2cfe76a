"""Slots that say too little, or say it wrongly: types, specialities, consultations, link, status."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mock_editor.base import codes
from mock_editor.base.data import specialties
from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.conformance.searchset import INDIVIDUAL, Searchset, SomeMistake, keep
from mock_editor.faults.words import French, Label


def _coded(concept: Resource, system: str) -> str | None:
    """The code that a CodeableConcept has in a system, if any."""
    return next((coding.get("code") for coding in concept.get("coding", []) if coding.get("system") == system), None)


# --- whom it is for, and what for


class SlotTypeMissing(SomeMistake):
    """Slots do not say whom they are for: no PUBLIC, PRO, SNP or CPTS."""

    kind: Literal["slot-type-missing"] = "slot-type-missing"
    french: ClassVar[French] = French(
        "Type de créneau absent", "Les créneaux ne disent pas pour qui ils sont (PUBLIC, PRO…)."
    )
    breaks: ClassVar[str] = "INT_R01, INT_R04 and SOS Médecins, Slot.meta.security: at least one type of slot"

    def change(self, resource: Resource) -> None:
        """Takes them off."""
        resource["meta"].pop("security", None)


class SlotTypeOfAnotherFlow(SomeMistake):
    """Slots have a type that does not belong here: CPTS in INT_R01, PRO in SOS Médecins."""

    kind: Literal["slot-type-of-another-flow"] = "slot-type-of-another-flow"
    french: ClassVar[French] = French(
        "Type de créneau d’un autre flux",
        "Les créneaux ont un type qui n’a rien à faire là : CPTS dans INT_R01, PRO chez SOS Médecins.",
    )
    flows: ClassVar[frozenset[str]] = frozenset({"INT_R01", "SOS"})
    breaks: ClassVar[str] = (
        "FrSlotAgregateur and sas-sos-slot-aggregator, Slot.meta.security: required bindings "
        "(PUBLIC, PRO, SNP; PUBLIC, SNP)"
    )

    def changer(self, searchset: Searchset) -> Callable[[Resource], None]:
        """What puts the type in place of the right ones."""
        code = {"INT_R01": "CPTS", "SOS": "PRO"}.get(searchset.request.flow)

        def change(slot: Resource) -> None:
            if code is not None:
                slot["meta"]["security"] = [{"system": codes.SLOT_TYPE, "code": code}]

        return change


class SpecialtyMissing(SomeMistake):
    """Slots have no speciality."""

    kind: Literal["specialty-missing"] = "specialty-missing"
    french: ClassVar[French] = French("Spécialité absente", "Les créneaux n’ont pas de spécialité.")
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "INT_R01, Slot.specialty: those of the practitioner, one at least"

    def change(self, resource: Resource) -> None:
        """Takes them off."""
        resource.pop("specialty", None)


class SpecialtyAsText(SomeMistake):
    """Slots have the label of their specialities as text, although there is a code."""

    kind: Literal["specialty-as-text"] = "specialty-as-text"
    french: ClassVar[French] = French(
        "Spécialité en texte", "La spécialité est écrite en texte, bien qu’un code existe."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "FrSlotAgregateur, Slot.specialty: required binding (TRE_R38)"

    def change(self, resource: Resource) -> None:
        """Puts labels in place of codes."""
        for concept in resource.get("specialty", []):
            code = _coded(concept, codes.SPECIALTY)
            if code is not None:
                del concept["coding"]
                concept["text"] = specialties().get(code, code)


class ConsultationTypeMissing(SomeMistake):
    """Slots do not say where the consultation takes place: no AMB, HH or VR."""

    kind: Literal["consultation-type-missing"] = "consultation-type-missing"
    french: ClassVar[French] = French(
        "Type de consultation absent", "Les créneaux ne disent pas où a lieu la consultation (AMB, HH, VR)."
    )
    breaks: ClassVar[str] = "INT_R01 and SOS Médecins, Slot.serviceType: one concept per type of consultation"

    def change(self, resource: Resource) -> None:
        """Takes them off."""
        keep(resource, "serviceType", lambda concept: _coded(concept, codes.ACT_CODE) is None)


_CONSULTATIONS = {"AMB": "Consultation au cabinet", "HH": "Visite à domicile", "VR": "Téléconsultation"}


class ConsultationTypeUncoded(SomeMistake):
    """Slots have their type of consultation as text only, where it passes for a reason."""

    kind: Literal["consultation-type-uncoded"] = "consultation-type-uncoded"
    french: ClassVar[French] = French(
        "Type de consultation en texte", "Le type de consultation n’a pas de code ; il passe pour un motif."
    )
    breaks: ClassVar[str] = "INT_R01 and SOS Médecins, Slot.serviceType.coding: AMB, HH or VR of v3-ActCode"

    def change(self, resource: Resource) -> None:
        """Puts texts in place of codes."""
        for concept in resource.get("serviceType", []):
            code = _coded(concept, codes.ACT_CODE)
            if code is not None:
                del concept["coding"]
                concept["text"] = _CONSULTATIONS.get(code, code)


class ConsultationTypeUnknown(SomeMistake):
    """Slots have a type of consultation with a code that the SAS does not know, and shows as none."""

    kind: Literal["consultation-type-unknown"] = "consultation-type-unknown"
    french: ClassVar[French] = French(
        "Type de consultation inconnu", "Le type de consultation a un code que le SAS ne connaît pas, et n’affiche pas."
    )
    breaks: ClassVar[str] = "INT_R01 and SOS Médecins, Slot.serviceType.coding.code: AMB, HH or VR"
    code: Annotated[str, Label("Code")] = Field("CABINET", min_length=1)

    def change(self, resource: Resource) -> None:
        """Puts the code in place of theirs."""
        for concept in resource.get("serviceType", []):
            for coding in concept.get("coding", []):
                if coding.get("system") == codes.ACT_CODE:
                    coding["code"] = self.code


class ReasonsMissing(SomeMistake):
    """Slots do not say which reasons they are for."""

    kind: Literal["reasons-missing"] = "reasons-missing"
    french: ClassVar[French] = French("Motifs absents", "Les créneaux ne disent pas pour quels motifs ils sont.")
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "INT_R01, Slot.serviceType: one concept with text per reason"

    def change(self, resource: Resource) -> None:
        """Takes them off."""
        keep(resource, "serviceType", lambda concept: "coding" in concept)


class AppointmentTypeMissing(SomeMistake):
    """Slots do not say whether they are booked (ROUTINE) or walked into (WALKIN)."""

    kind: Literal["appointment-type-missing"] = "appointment-type-missing"
    french: ClassVar[French] = French(
        "Type de rendez-vous absent", "Les créneaux ne disent pas s’ils se réservent (ROUTINE) ou non (WALKIN)."
    )
    breaks: ClassVar[str] = "INT_R01 and SOS Médecins, Slot.appointmentType: ROUTINE or WALKIN"

    def change(self, resource: Resource) -> None:
        """Takes it off."""
        resource.pop("appointmentType", None)


class SlotsNotFree(SomeMistake):
    """Slots that are not free are among those found, and say so."""

    kind: Literal["slots-not-free"] = "slots-not-free"
    french: ClassVar[French] = French(
        "Créneaux non libres", "Des créneaux qui ne sont pas libres figurent dans la réponse, et le disent."
    )
    breaks: ClassVar[str] = "FrSlotAgregateur, sas-cpts- and sas-sos-slot-aggregator, Slot.status: free"
    status: Annotated[Literal["busy", "busy-unavailable", "busy-tentative", "entered-in-error"], Label("Statut")] = (
        "busy"
    )

    def change(self, resource: Resource) -> None:
        """Puts the status in place of theirs."""
        resource["status"] = self.status


# --- the link that the SAS opens


class CommentMissing(SomeMistake):
    """Slots have no link to an agenda."""

    kind: Literal["comment-missing"] = "comment-missing"
    french: ClassVar[French] = French("Lien absent", "Les créneaux n’ont pas de lien vers un agenda.")
    breaks: ClassVar[str] = "INT_R01 and SOS Médecins, Slot.comment: the URL of the agenda"

    def change(self, resource: Resource) -> None:
        """Takes it off."""
        resource.pop("comment", None)


class CommentBlank(SomeMistake):
    """Slots have an empty link to an agenda; the SAS then shows the time without one."""

    kind: Literal["comment-blank"] = "comment-blank"
    french: ClassVar[French] = French(
        "Lien vide", "Le lien vers l’agenda est vide ; le SAS affiche alors l’heure sans lien."
    )
    breaks: ClassVar[str] = "FHIR R4, string: never empty; INT_R01 and SOS Médecins, Slot.comment: an URL"
    text: Annotated[str, Label("Texte")] = Field(
        "", pattern=r"^\s*$", description="What the link is: nothing, or blanks."
    )

    def change(self, resource: Resource) -> None:
        """Empties it."""
        resource["comment"] = self.text


class CommentIsSlotUrl(SomeMistake):
    """Slots link to themselves instead of to the practitioner's agenda."""

    kind: Literal["comment-is-slot-url"] = "comment-is-slot-url"
    french: ClassVar[French] = French(
        "Lien vers le créneau", "Le lien mène au créneau au lieu de l’agenda du praticien."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "INT_R01, Slot.comment: the URL of the practitioner's agenda, not of the slot"

    def change(self, resource: Resource) -> None:
        """Adds the slot to the link, as SOS Médecins places rightly do."""
        link = resource.get("comment")
        if link and "creneau=" not in link:
            stamp = resource["id"].rpartition("-")[2]
            resource["comment"] = f"{link}{'&' if '?' in link else '?'}creneau={stamp}"

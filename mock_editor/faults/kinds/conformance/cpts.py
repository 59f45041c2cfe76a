"""Slots that are opened to professional communities (CPTS) and do not say so rightly."""

from typing import Annotated, ClassVar, Literal

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.conformance.searchset import Mistake, Searchset, SomeMistake, keep
from mock_editor.faults.words import French, Label

_R04 = frozenset({"INT_R04"})


def _is_cpts(concept: Resource) -> bool:
    return any(coding.get("code") == codes.CPTS_CATEGORY for coding in concept.get("coding", []))


class CptsServiceTypeMissing(SomeMistake):
    """Slots are opened to CPTS without saying which: no service type 604."""

    kind: Literal["cpts-service-type-missing"] = "cpts-service-type-missing"
    french: ClassVar[French] = French(
        "CPTS non nommée", "Des créneaux sont ouverts aux CPTS sans dire auxquelles : il manque le type de service 604."
    )
    flows: ClassVar[frozenset[str]] = _R04
    breaks: ClassVar[str] = "INT_R04, Slot.serviceType (sas-cpts-slot-aggregator): one concept 604 per CPTS"

    def change(self, resource: Resource) -> None:
        """Takes them off."""
        keep(resource, "serviceType", lambda concept: not _is_cpts(concept))


class CptsReferenceMissing(SomeMistake):
    """Slots opened to CPTS have their service type 604 without the extension that leads to the community."""

    kind: Literal["cpts-reference-missing"] = "cpts-reference-missing"
    french: ClassVar[French] = French(
        "CPTS sans référence", "Le type de service 604 est là, sans l’extension qui mène à la CPTS."
    )
    flows: ClassVar[frozenset[str]] = _R04
    breaks: ClassVar[str] = "sas-cpts-slot-aggregator, Slot.serviceType:referencecpts.extension: exactly one"

    def change(self, resource: Resource) -> None:
        """Takes it off."""
        for concept in filter(_is_cpts, resource.get("serviceType", [])):
            concept.pop("extension", None)


class CptsShowsOnlyOne(SomeMistake):
    """Slots shared by two CPTS show only the first."""

    kind: Literal["cpts-shows-only-one"] = "cpts-shows-only-one"
    french: ClassVar[French] = French(
        "Une seule CPTS sur deux", "Les créneaux partagés par deux CPTS n’affichent que la première."
    )
    flows: ClassVar[frozenset[str]] = _R04
    breaks: ClassVar[str] = "INT_R04, Slot.serviceType: one concept 604 for each CPTS that the slot is opened to"

    def change(self, resource: Resource) -> None:
        """Takes the others off."""
        others = [concept for concept in resource.get("serviceType", []) if _is_cpts(concept)][1:]
        keep(resource, "serviceType", lambda concept: not any(concept is other for other in others))


_SPELLINGS = {
    "short": "https://mos.esante.gouv.fr/NOS/TRE_R66-CategorieEtablissement",
    "doubled": "https://mos.esante.gouv.fr/NOS/TRE_R66-CategorieEtablissement/TRE_R66-CategorieEtablissement",
}


class CptsCodeSystem(SomeMistake):
    """Slots opened to CPTS spell the system of 604 in another way, which the guide has too."""

    kind: Literal["cpts-code-system"] = "cpts-code-system"
    french: ClassVar[French] = French(
        "Système du code 604 mal écrit",
        "Le système du code 604 est écrit d’une autre façon, vue elle aussi dans le guide.",
    )
    flows: ClassVar[frozenset[str]] = _R04
    breaks: ClassVar[str] = "sas-cpts-slot-aggregator, Slot.serviceType:referencecpts: …/FHIR/TRE-R66-…, required"
    spelling: Annotated[
        Literal["short", "doubled"], Label("Écriture", values={"short": "abrégée", "doubled": "doublée"})
    ] = "short"

    def change(self, resource: Resource) -> None:
        """Respells it."""
        for concept in filter(_is_cpts, resource.get("serviceType", [])):
            for coding in concept["coding"]:
                coding["system"] = _SPELLINGS[self.spelling]


class _EntriesMissing(Mistake):
    """The entries of one type are not in the Bundle."""

    flows: ClassVar[frozenset[str]] = _R04
    missing: ClassVar[str]

    def spoil(self, searchset: Searchset) -> None:
        """Takes them out."""
        searchset.entries = [entry for entry in searchset.entries if entry["resource"]["resourceType"] != self.missing]


class CptsWithoutHealthcareService(_EntriesMissing):
    """Slots lead to a HealthcareService that is not in the Bundle."""

    kind: Literal["cpts-without-healthcare-service"] = "cpts-without-healthcare-service"
    french: ClassVar[French] = French(
        "CPTS sans HealthcareService", "Les créneaux mènent à un HealthcareService qui n’est pas dans la réponse."
    )
    breaks: ClassVar[str] = "INT_R04, _include=Slot:service-type-reference: the HealthcareService of each CPTS"
    missing: ClassVar[str] = "HealthcareService"


class CptsWithoutOrganization(_EntriesMissing):
    """A HealthcareService leads to an Organization that is not in the Bundle."""

    kind: Literal["cpts-without-organization"] = "cpts-without-organization"
    french: ClassVar[French] = French(
        "CPTS sans Organization", "Un HealthcareService mène à une Organization qui n’est pas dans la réponse."
    )
    breaks: ClassVar[str] = "INT_R04, _include:iterate=HealthcareService:organization: the Organization of each CPTS"
    missing: ClassVar[str] = "Organization"

"""Mistakes in the Bundle as such: what it claims, counts and repeats, and what stands in place of an empty one."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.conformance.searchset import (
    Mistake,
    Repeated,
    Searchset,
    SomeMistake,
    read_searchset,
    reference_to,
)
from mock_editor.faults.messages import Proceed, Request, Response, outcome
from mock_editor.faults.words import French, Label

_EMPTY = "FHIR R4 search and the guide's FAQ: a search that finds nothing is a 200 with an empty Bundle"

# --- nothing found


class _InsteadOfEmpty(Mistake):
    """An error where nothing was found."""

    breaks: ClassVar[str] = _EMPTY

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, unless it is an empty one."""
        response = proceed()
        bundle = read_searchset(response)
        if bundle is None or bundle.get("entry") or bundle.get("total"):
            return response
        status, issue_type, text = self.error()
        return replace(response, status=status).with_body(outcome(issue_type, text), FHIR_JSON)

    def error(self) -> tuple[int, str, str]:
        """The status, the FHIR issue type and the text of the error."""
        raise NotImplementedError


class NotFoundInsteadOfEmpty(_InsteadOfEmpty):
    """A search that finds nothing is answered with 404."""

    kind: Literal["not-found-instead-of-empty"] = "not-found-instead-of-empty"
    french: ClassVar[French] = French(
        "404 au lieu de vide", "Une recherche qui ne trouve rien reçoit un 404 au lieu d’une liste vide."
    )

    def error(self) -> tuple[int, str, str]:
        """404."""
        return 404, "not-found", "Aucun créneau trouvé"


class ErrorInsteadOfEmpty(_InsteadOfEmpty):
    """A search that finds nothing is answered with a server error, or another error."""

    kind: Literal["error-instead-of-empty"] = "error-instead-of-empty"
    french: ClassVar[French] = French(
        "Erreur au lieu de vide", "Une recherche qui ne trouve rien reçoit une erreur au lieu d’une liste vide."
    )
    status: Annotated[int, Label("Statut HTTP")] = Field(500, ge=400, le=599)
    text: Annotated[str, Label("Texte")] = Field("Erreur interne", min_length=1)

    def error(self) -> tuple[int, str, str]:
        """The status asked for."""
        return self.status, "exception", self.text


# --- what it claims


class WrongTotal(Mistake):
    """``total`` is not the number of slots."""

    kind: Literal["wrong-total"] = "wrong-total"
    french: ClassVar[French] = French("Total faux", "Le total annoncé n’est pas le nombre de créneaux.")
    breaks: ClassVar[str] = "FHIR R4, Bundle.total: the number of matches; here that of the slots"
    by: Annotated[int, Label("Écart du total", hint="ajouté au total, qui ne descend pas sous zéro")] = Field(
        1, description="How much is added to it; it never falls below 0."
    )

    def spoil(self, searchset: Searchset) -> None:
        """Adds to it."""
        if "total" in searchset.bundle:
            searchset.bundle["total"] = max(0, searchset.bundle["total"] + self.by)


class SelfLinkDiffers(Mistake):
    """The self link is not the request: it has lost its query, or has the address of the server behind the proxy."""

    kind: Literal["self-link-differs"] = "self-link-differs"
    french: ClassVar[French] = French(
        "Lien « self » faux", "Le lien « self » n’est pas la requête : sans ses paramètres, ou à une adresse interne."
    )
    breaks: ClassVar[str] = "FHIR R4 search, Bundle.link self: the request as it was understood, at the public address"
    how: Annotated[
        Literal["without-query", "internal-address"],
        Label("Défaut", values={"without-query": "sans les paramètres", "internal-address": "adresse interne"}),
    ] = "without-query"

    def spoil(self, searchset: Searchset) -> None:
        """Changes it."""
        for link in searchset.bundle.get("link", []):
            if link.get("relation") == "self":
                parts = urlsplit(link["url"])
                if self.how == "without-query":
                    link["url"] = link["url"].partition("?")[0]
                else:
                    link["url"] = urlunsplit(parts._replace(scheme="http", netloc="10.0.0.12:8080"))


_PROFILES = (
    "http://sas.fr/fhir/StructureDefinition/",
    "https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/",
)


class WrongProfile(SomeMistake):
    """Resources claim a profile that does not exist: the right name under the other of the guide's two addresses."""

    kind: Literal["wrong-profile"] = "wrong-profile"
    french: ClassVar[French] = French(
        "Profil faux",
        "Les ressources annoncent un profil qui n’existe pas : le bon nom, sous l’autre adresse du guide.",
    )
    breaks: ClassVar[str] = "The guide's profiles, meta.profile: exactly one, as it is published"
    resource: Annotated[
        Literal[
            "Bundle",
            "Slot",
            "Schedule",
            "Practitioner",
            "PractitionerRole",
            "Location",
            "HealthcareService",
            "Organization",
        ],
        Label("Ressources"),
    ] = Field("Slot", description="Which ones; a Location only where it is an entry of its own.")
    profile: Annotated[str | None, Label("Profil annoncé", hint="l’URL ; sinon l’autre adresse du guide")] = Field(
        None, min_length=1, description="Another URL to claim instead."
    )

    def spoil(self, searchset: Searchset) -> None:
        """Changes the claims."""
        if self.resource == "Bundle":
            self.change(searchset.bundle)
        else:
            super().spoil(searchset)

    def concerns(self, resource: Resource) -> bool:
        """Those of the type asked for."""
        return bool(resource["resourceType"] == self.resource)

    def change(self, resource: Resource) -> None:
        """Replaces every claim."""
        resource["meta"]["profile"] = [
            self.profile or _elsewhere(profile) for profile in resource["meta"].get("profile", [])
        ]


def _elsewhere(profile: str) -> str:
    for here, there in (_PROFILES, _PROFILES[::-1]):
        if profile.startswith(here):
            return there + profile.removeprefix(here)
    return profile


# --- what no element may be

_EMPTIES: dict[str, tuple[str, Any]] = {
    "string": ("language", ""),
    "list": ("extension", []),
    "object": ("text", {}),
    "null": ("implicitRules", None),
}


class EmptyElements(SomeMistake):
    """Resources carry an optional element without a value: an empty text, list or object, or null."""

    kind: Literal["empty-elements"] = "empty-elements"
    french: ClassVar[French] = French(
        "Éléments vides",
        "Les ressources portent un élément facultatif sans valeur : texte, liste ou objet vide, ou null.",
    )
    breaks: ClassVar[str] = "FHIR R4 JSON: an element without a value is left out, never empty"
    types: ClassVar[frozenset[str]] = frozenset()
    value: Annotated[
        Literal["string", "list", "object", "null"],
        Label(
            "Valeur vide", values={"string": "texte vide", "list": "liste vide", "object": "objet vide", "null": "null"}
        ),
    ] = "string"

    def change(self, resource: Resource) -> None:
        """Adds the element."""
        member, value = _EMPTIES[self.value]
        resource.setdefault(member, value)


# --- what comes twice


class SameSlotTwice(Repeated):
    """Slots come twice, the second time under another id: same Schedule, same times."""

    kind: Literal["same-slot-twice"] = "same-slot-twice"
    french: ClassVar[French] = French(
        "Créneau en double", "Les créneaux figurent deux fois, la seconde sous un autre identifiant technique."
    )
    breaks: ClassVar[str] = "INT_R01, INT_R04 and SOS Médecins: a free slot is one Slot"

    def repetition(self, entry: Resource) -> Resource:
        """With another id."""
        entry["resource"]["id"] += "-bis"
        entry["fullUrl"] += "-bis"
        return entry


class SameEntryTwice(Repeated):
    """Resources come twice with the same id, the second time under another fullUrl."""

    kind: Literal["same-entry-twice"] = "same-entry-twice"
    french: ClassVar[French] = French(
        "Ressource en double", "Les ressources figurent deux fois avec le même identifiant, sous deux adresses."
    )
    breaks: ClassVar[str] = "FHIR R4 search: no resource twice in a searchset; Bundle.entry.fullUrl is its one address"
    types: ClassVar[frozenset[str]] = frozenset()

    def repetition(self, entry: Resource) -> Resource:
        """At another base."""
        name = reference_to(entry["resource"])
        entry["fullUrl"] = entry["fullUrl"].removesuffix(name) + f"r4/{name}"
        return entry

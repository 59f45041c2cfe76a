"""Wrong identifiers and phones of practitioners, structures and places."""

import re
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.faults.kinds.conformance.searchset import INDIVIDUAL, SomeMistake, parts
from mock_editor.faults.words import French, Label

_PRACTITIONER = re.compile("8[0-9]{11}|0[0-9A-Z]{9}")
_FINESS = re.compile("1[0-9A-Z]{9}")
_STRUCTURE = re.compile(f"{_FINESS.pattern}|[34][0-9]{{14}}|0[0-9A-Z]{{11,13}}")
_PHONE = re.compile(r"\+(33|262|590|594|596)([0-9]{9})")


def _rewrite(resource: Resource, system: str, form: re.Pattern[str], rewritten: Callable[[str], str]) -> None:
    """Rewrites the identifiers of a system, wherever they stand, that have the right form."""
    for part in parts(resource):
        value = part.get("value")
        if part.get("system") == system and isinstance(value, str) and form.fullmatch(value):
            part["value"] = rewritten(value)


def _without_prefix(value: str) -> str:
    return value[1:]


class PractitionerIdWithoutPrefix(SomeMistake):
    """Practitioners have their bare RPPS or ADELI number: the prefix 8 or 0 is missing."""

    kind: Literal["practitioner-id-without-prefix"] = "practitioner-id-without-prefix"
    french: ClassVar[French] = French(
        "Praticien sans préfixe", "Le numéro RPPS ou ADELI des praticiens est nu : il manque le préfixe 8 ou 0."
    )
    flows: ClassVar[frozenset[str]] = INDIVIDUAL
    breaks: ClassVar[str] = "INT_R01, Practitioner.identifier.value: 8 + RPPS or 0 + ADELI"
    types: ClassVar[frozenset[str]] = frozenset({"Practitioner"})

    def change(self, resource: Resource) -> None:
        """Takes the prefix off."""
        _rewrite(resource, codes.PRACTITIONER_OID, _PRACTITIONER, _without_prefix)


class _StructureMistake(SomeMistake):
    """A mistake in what tells structures and places."""

    types: ClassVar[frozenset[str]] = frozenset({"PractitionerRole", "Organization", "Location"})


class StructureIdWithoutPrefix(_StructureMistake):
    """Structures have their bare FINESS, SIRET, RPPS-rang or ADELI-rang number: the prefix digit is missing."""

    kind: Literal["structure-id-without-prefix"] = "structure-id-without-prefix"
    french: ClassVar[French] = French(
        "Structure sans préfixe",
        "Le numéro FINESS, SIRET, RPPS-rang ou ADELI-rang des structures est nu : il manque le préfixe.",
    )
    breaks: ClassVar[str] = (
        "INT_R01, PractitionerRole.organization.identifier.value: 1 + FINESS, 3 + SIRET, 4 + RPPS-rang; "
        "invariants FINESS (sas-cpts-organization-aggregator) and SIRET (sas-sos-organization-aggregator)"
    )

    def change(self, resource: Resource) -> None:
        """Takes the prefix off."""
        _rewrite(resource, codes.STRUCTURE_OID, _STRUCTURE, _without_prefix)


class StructureIdOfAnotherKind(_StructureMistake):
    """Structures have a well-formed identifier of the wrong kind: a SIRET for a FINESS, a FINESS for others.

    The number is invented, the same one in every answer.
    """

    kind: Literal["structure-id-of-another-kind"] = "structure-id-of-another-kind"
    french: ClassVar[French] = French(
        "Structure d’une autre sorte",
        "L’identifiant des structures est bien formé mais d’une autre sorte : un SIRET pour un FINESS, par exemple.",
    )
    breaks: ClassVar[str] = (
        "INT_R01, PractitionerRole.organization.identifier.value: FINESS where there is one, else SIRET, else "
        "RPPS-rang; invariants FINESS (sas-cpts-organization-aggregator) and SIRET (sas-sos-organization-aggregator)"
    )

    def change(self, resource: Resource) -> None:
        """Puts another number in its place."""
        _rewrite(resource, codes.STRUCTURE_OID, _STRUCTURE, _of_another_kind)


def _of_another_kind(value: str) -> str:
    if not _FINESS.fullmatch(value):
        return "1" + value[-9:]
    digits = re.sub("[^0-9]", "0", value[1:]) + "0001"
    # SIRET end in a Luhn digit; the identifier is to be wrong in its kind only.
    luhn = sum(sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(reversed(digits)))
    return f"3{digits}{-luhn % 10}"


class PhoneNotInternational(_StructureMistake):
    """Phones are written as people write them, not as +33 and nine digits; the SAS hides a number that it cannot read.

    ``form``: 0561855977, 05 61 85 59 77, 05.61.85.59.77, 0033561855977, or +330561855977.
    """

    kind: Literal["phone-not-international"] = "phone-not-international"
    french: ClassVar[French] = French(
        "Téléphone non international",
        "Les téléphones ne sont pas écrits +33 suivi de neuf chiffres ; le SAS masque ceux qu’il ne sait pas lire.",
    )
    breaks: ClassVar[str] = "INT_R01 and SOS Médecins, telecom.value: +33 (or an overseas code) and nine digits"
    form: Annotated[
        Literal["national", "spaced", "dotted", "double-zero", "trunk-zero"],
        Label(
            "Forme",
            values={
                "national": "0561855977",
                "spaced": "05 61 85 59 77",
                "dotted": "05.61.85.59.77",
                "double-zero": "0033561855977",
                "trunk-zero": "+330561855977",
            },
        ),
    ] = "national"

    def change(self, resource: Resource) -> None:
        """Rewrites every phone."""
        for part in parts(resource):
            value = part.get("value")
            if part.get("system") == "phone" and isinstance(value, str) and (found := _PHONE.fullmatch(value)):
                part["value"] = _written(self.form, *found.groups())


def _written(form: str, country: str, digits: str) -> str:
    match form:
        case "spaced" | "dotted":
            return (" " if form == "spaced" else ".").join(re.findall("..", f"0{digits}"))
        case "double-zero":
            return f"00{country}{digits}"
        case "trunk-zero":
            return f"+{country}0{digits}"
        case _:
            return f"0{digits}"

"""National identifiers and phone numbers, brought to the form that the guide wants on the wire.

An editor's own data may hold them with or without prefix, with spaces, with a leading zero. Source: the guide's pages
on INT_R01 (prefixes of PS and structure identifiers, phone format).
"""

import re
from enum import StrEnum


class PractitionerIdKind(StrEnum):
    """Kinds of national practitioner identifier."""

    RPPS = "rpps"
    ADELI = "adeli"


class StructureIdKind(StrEnum):
    """Kinds of national structure identifier, in the order in which the guide prefers them."""

    FINESS = "finess"
    SIRET = "siret"
    RPPS_RANG = "rpps_rang"
    ADELI_RANG = "adeli_rang"


# kind -> (prefix on the wire, pattern without it, how to say it)
_PRACTITIONER = {
    PractitionerIdKind.RPPS: ("8", r"[0-9]{11}", "11 digits"),
    PractitionerIdKind.ADELI: ("0", r"[0-9A-Z]{9}", "9 characters"),
}
_STRUCTURE = {
    StructureIdKind.FINESS: ("1", r"[0-9A-Z]{9}", "9 characters"),
    StructureIdKind.SIRET: ("3", r"[0-9]{14}", "14 digits"),
    StructureIdKind.RPPS_RANG: ("4", r"[0-9]{14}", "14 digits"),
    # An ADELI number followed by the rank of the place.
    StructureIdKind.ADELI_RANG: ("0", r"[0-9A-Z]{11,13}", "11 to 13 characters"),
}


def _prefixed(value: str, rule: tuple[str, str, str]) -> str:
    prefix, pattern, wording = rule
    bare = re.sub(r"\s", "", value)
    if re.fullmatch(pattern, bare):
        return prefix + bare
    if re.fullmatch(prefix + pattern, bare):
        return bare
    raise ValueError(f"expected {wording}, or the same after the prefix {prefix}")


def practitioner_id(kind: PractitionerIdKind, value: str) -> str:
    """The national identifier of a practitioner, prefixed: ``8`` + RPPS or ``0`` + ADELI. Raises ValueError."""
    return _prefixed(value, _PRACTITIONER[kind])


def structure_id(kind: StructureIdKind, value: str) -> str:
    """The national identifier of a structure, prefixed by the digit of its kind. Raises ValueError."""
    return _prefixed(value, _STRUCTURE[kind])


# First digits of a national number -> country code. Overseas departments have their own.
_OVERSEAS = {
    "0262": "262", "0263": "262", "0269": "262", "0639": "262", "0692": "262", "0693": "262",
    "0590": "590", "0690": "590", "0691": "590",
    "0594": "594", "0694": "594",
    "0596": "596", "0696": "596", "0697": "596",
}  # fmt: skip


def phone(value: str) -> str:
    """A phone number as ``+33``, ``+262``, ``+590``, ``+594`` or ``+596`` and 9 digits. Raises ValueError."""
    bare = re.sub(r"[\s.\-/]", "", value).replace("(0)", "")
    if bare.startswith("00"):
        bare = "+" + bare[2:]
    found = re.fullmatch(r"\+(33|262|590|594|596)0?([0-9]{9})", bare)
    if found and not (found[1] == "33" and found[2].startswith("0")):
        return f"+{found[1]}{found[2]}"
    if re.fullmatch(r"0[1-9][0-9]{8}", bare):
        return f"+{_OVERSEAS.get(bare[:4], '33')}{bare[1:]}"
    raise ValueError(
        "expected a French phone number: ten digits from 0, or +33, +262, +590, +594, +596 and nine digits"
    )


def luhn_digit(digits: str) -> str:
    """The check digit that completes ``digits`` (RPPS, SIREN, SIRET)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if position % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return str(-total % 10)

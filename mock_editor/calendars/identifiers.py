"""National identifiers and phone numbers, converted to the form that the guide requires on the wire.

An editor's own data may hold them with or without prefix, with spaces, with a leading zero. Source: the guide's pages
on INT_R01 (prefixes of PS and structure identifiers, phone format).
"""

import contextlib
import re
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumber

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code, Term


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


_FORM = "identifier form"
# kind -> (prefix on the wire, pattern without the prefix, its name in messages)
_PRACTITIONER = {
    PractitionerIdKind.RPPS: ("8", r"[0-9]{11}", Term(_FORM, "11-digits")),
    PractitionerIdKind.ADELI: ("0", r"[0-9A-Z]{9}", Term(_FORM, "9-characters")),
}
_STRUCTURE = {
    StructureIdKind.FINESS: ("1", r"[0-9A-Z]{9}", Term(_FORM, "9-characters")),
    StructureIdKind.SIRET: ("3", r"[0-9]{14}", Term(_FORM, "14-digits")),
    StructureIdKind.RPPS_RANG: ("4", r"[0-9]{14}", Term(_FORM, "14-digits")),
    # An ADELI number followed by the rank of the place.
    StructureIdKind.ADELI_RANG: ("0", r"[0-9A-Z]{11,13}", Term(_FORM, "11-13-characters")),
}


def _prefixed(value: str, rule: tuple[str, str, Term]) -> str:
    prefix, pattern, form = rule
    bare = re.sub(r"\s", "", value)
    if re.fullmatch(pattern, bare):
        return prefix + bare
    if re.fullmatch(prefix + pattern, bare):
        return bare
    raise InvalidValueError(Code.IDENTIFIER_MALFORMED, form=form, prefix=prefix)


def practitioner_id(kind: PractitionerIdKind, value: str) -> str:
    """The national identifier of a practitioner, prefixed: ``8`` + RPPS or ``0`` + ADELI. Raises InvalidValueError."""
    return _prefixed(value, _PRACTITIONER[kind])


def structure_id(kind: StructureIdKind, value: str) -> str:
    """The national identifier of a structure, prefixed by the digit of its kind. Raises InvalidValueError."""
    return _prefixed(value, _STRUCTURE[kind])


def read_practitioner_id(typed: str) -> str | None:
    """The prefixed identifier of a practitioner; None if the text is not an identifier."""
    for kind in PractitionerIdKind:
        with contextlib.suppress(ValueError):
            return practitioner_id(kind, typed.upper())
    return None


# Country codes of the French numbering plan. A number that is valid under several of them is overseas: metropolitan
# France leaves those ranges to the departments. La Réunion comes first. Guyane comes last, as its range 09 76 covers
# ranges of the others.
_METROPOLITAN = 33
_OVERSEAS = (262, 590, 596, 594)
# Reserved for works of fiction (ARCEP, décision 2018-0881). The other reserved ranges are valid for libphonenumber.
_FICTION = re.compile(r"\+3363998[0-9]{4}")


def phone(value: str) -> str:
    """A phone number as ``+33``, ``+262``, ``+590``, ``+594`` or ``+596`` and 9 digits. Raises InvalidValueError.

    The range of a number gives its country code (libphonenumber), unless the text has a country code with that range.
    """
    bare = re.sub(r"[\s.\-/]", "", value).replace("(0)", "")
    if bare.startswith("00"):
        bare = "+" + bare[2:]
    found = re.fullmatch(r"(?:\+(33|262|590|594|596)0?|0)([1-9][0-9]{8})", bare)
    if not found:
        raise InvalidValueError(Code.PHONE_EXPECTED)
    digits = found[2]
    given = int(found[1] or _METROPOLITAN)
    # Special numbers (08) are the same everywhere.
    likely = (given, *_OVERSEAS) if found[1] or digits.startswith("8") else (*_OVERSEAS, given)
    code = next((country for country in (*likely, _METROPOLITAN) if _is_valid(country, digits)), given)
    return f"+{code}{digits}"


def is_assigned(number: str) -> bool:
    """Whether a number, as ``phone`` writes it, is in a range that is assigned, or reserved for works of fiction."""
    return _is_valid(int(number[1:-9]), number[-9:]) or _FICTION.fullmatch(number) is not None


def _is_valid(code: int, digits: str) -> bool:
    return phonenumbers.is_valid_number(PhoneNumber(country_code=code, national_number=int(digits)))


def luhn_digit(digits: str) -> str:
    """The check digit that completes ``digits`` (RPPS, SIREN, SIRET)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if position % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return str(-total % 10)

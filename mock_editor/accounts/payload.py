"""Reads the body of an INT_R02 request: JSON -> ``Regulator``, or a refusal that lists everything wrong.

In two steps: what is not a FHIR ``Practitioner`` is a 400; one that breaks a rule of the profile
``FrPractitionerRegul`` is a 422. Source: the profile, and the guide's page on regulator accounts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from fhir.resources.R4B.practitioner import Practitioner as PractitionerModel

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.base.fhir_bodies import items, not_one_of, parse, refuse, structure
from mock_editor.base.issues import Code, Issue, Term, issue

KIND = "Practitioner"

# The kinds of identifier by system: the type that has to come with it, and its name.
_IDENTIFIER_TYPES = {
    codes.PRACTITIONER_OID: ("IDNPS", Term("identifier", "national")),
    codes.SAS_OID: ("INTRN", Term("identifier", "technical")),
}
_SYSTEM_OF_TYPE = {code: system for system, (code, _) in _IDENTIFIER_TYPES.items()}
_SYSTEMS = {"national": codes.PRACTITIONER_OID, "technical": codes.SAS_OID}
_TYPES = {kind: _IDENTIFIER_TYPES[system][0] for kind, system in _SYSTEMS.items()}

# Required bindings of FHIR R4 that the models leave open.
_CODES: Mapping[tuple[str, str], frozenset[str]] = {
    ("identifier", "use"): codes.IDENTIFIER_USES,
    ("name", "use"): frozenset({"usual", "official", "temp", "nickname", "anonymous", "old", "maiden"}),
    ("telecom", "use"): frozenset({"home", "work", "temp", "old", "mobile"}),
}
_GENDERS = frozenset({"male", "female", "other", "unknown"})


class Token(NamedTuple):
    """An identifier as it is compared. Nothing is assumed about the shape of the value."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Regulator:
    """What a sound body says of a regulator.

    ``content`` is the resource as it was sent, without what is empty, unknown to FHIR or for the server to say.
    ``identifiers`` and ``emails`` are as they are compared, each with the FHIRPath of where it stands.
    """

    content: Resource
    active: bool
    identifiers: Mapping[Token, str]
    emails: Mapping[str, str]
    ignored: Sequence[str] = ()


def read(body: bytes) -> Regulator:
    """The regulator that a body describes. Raises 400 or 422 with every problem found."""
    return regulator(parse(body))


def regulator(document: Any) -> Regulator:
    """The regulator that a parsed body describes. Raises 400 or 422 with every problem found."""
    cleaned, ignored = structure(document, KIND, PractitionerModel, _unlike_json)
    refuse(422, _violations(cleaned))
    return Regulator(
        content=cleaned,
        active=cleaned["active"],
        identifiers={token_of(item): path for path, item in items(cleaned, "identifier", KIND)},
        emails={email_key(item["value"]): path for path, item in items(cleaned, "telecom", KIND)},
        ignored=ignored,
    )


def described(
    *, national_id: str | None, technical_id: str | None, family: str, given: str, email: str, active: bool
) -> Regulator:
    """The regulator that a request with these elements would describe."""
    return regulator(
        {
            "resourceType": KIND,
            "meta": {"source": codes.SAS_OID},
            "identifier": _identifiers([(codes.PRACTITIONER_OID, national_id), (codes.SAS_OID, technical_id)]),
            "active": active,
            "name": [{"family": family, "given": [given]}],
            "telecom": [{"system": "email", "value": email}],
        }
    )


class Changes(TypedDict, total=False):
    """Changes to a regulator's account; an identifier of None is removed."""

    active: bool
    family: str
    given: str
    email: str
    national_id: str | None
    technical_id: str | None


def edited(content: Resource, changes: Changes) -> Regulator:
    """The regulator of an account after a correction by the editor's staff. Raises 400 or 422 with every problem."""
    name = content["name"][0]
    new = content | {
        "active": changes.get("active", content["active"]),
        "name": [
            name | {"family": changes.get("family", name["family"]), "given": [changes.get("given", name["given"][0])]},
            *content["name"][1:],
        ],
        "identifier": content.get("identifier", []),
    }
    if "email" in changes:
        new["telecom"] = [content["telecom"][0] | {"value": changes["email"]}, *content["telecom"][1:]]
    values = {codes.PRACTITIONER_OID: changes.get("national_id"), codes.SAS_OID: changes.get("technical_id")}
    for key, system in (("national_id", codes.PRACTITIONER_OID), ("technical_id", codes.SAS_OID)):
        if key in changes:
            others = [identifier for identifier in new["identifier"] if identifier["system"] != system]
            new["identifier"] = [*others, *_identifiers([(system, values[system])])]
    return regulator(new)


def _identifiers(values: Sequence[tuple[str, str | None]]) -> list[Resource]:
    """The identifiers that have a value, each with the type of its system."""
    return [
        {
            "type": {"coding": [{"system": codes.FR_V2_0203, "code": _IDENTIFIER_TYPES[system][0]}]},
            "system": system,
            "value": value,
        }
        for system, value in values
        if value
    ]


def token_of(identifier: Resource) -> Token:
    """An Identifier in the form in which it is compared."""
    return Token(identifier["system"], identifier["value"].strip())


def email_key(address: str) -> str:
    """An e-mail address in the form in which it is compared: without case."""
    return address.strip().casefold()


# --- first step: FHIR


def _unlike_json(cleaned: Resource) -> Iterator[Issue]:
    """What the model accepts but FHIR JSON does not allow: "true" and 1 for true."""
    if not isinstance(cleaned.get("active", True), bool):
        yield issue(Code.ELEMENT_BOOLEAN, f"{KIND}.active")


# --- second step: the profile


def _violations(resource: Resource) -> Iterator[Issue]:
    """What ``resource`` breaks of the profile, each with its place."""
    source = resource.get("meta", {}).get("source")
    if source not in (None, codes.SAS_OID):
        yield issue(Code.ELEMENT_EXPECTED, f"{KIND}.meta.source", expected=codes.SAS_OID, found=source[:100])
    yield from _identifier_violations(resource)
    if "active" not in resource:
        yield issue(Code.ACCOUNT_ACTIVE_MISSING, f"{KIND}.active")
    if "name" not in resource:
        yield issue(Code.ACCOUNT_NAME_MISSING, f"{KIND}.name")
    for path, name in items(resource, "name", KIND):
        for part in ("family", "given"):
            if part not in name:
                yield issue(Code.ELEMENT_REQUIRED, f"{path}.{part}")
        for part in ("given", "prefix"):
            if len(name.get(part, ())) > 1:
                yield issue(Code.ELEMENT_AT_MOST_ONE, f"{path}.{part}")
    if "telecom" not in resource:
        yield issue(Code.ACCOUNT_EMAIL_MISSING, f"{KIND}.telecom")
    for path, telecom in items(resource, "telecom", KIND):
        system = telecom.get("system")
        if system is None:
            yield issue(Code.ACCOUNT_TELECOM_SYSTEM_MISSING, f"{path}.system")
        elif system != "email":
            yield issue(Code.ELEMENT_EXPECTED, f"{path}.system", expected="email", found=system[:60])
        if "value" not in telecom:
            yield issue(Code.ACCOUNT_EMAIL_MISSING, f"{path}.value")
    for (element, part), allowed in _CODES.items():
        for path, item in items(resource, element, KIND):
            if part in item and item[part] not in allowed:
                yield not_one_of(allowed, item[part], f"{path}.{part}")
    if resource.get("gender", "unknown") not in _GENDERS:
        yield not_one_of(_GENDERS, resource["gender"], f"{KIND}.gender")


def _identifier_violations(resource: Resource) -> Iterator[Issue]:
    systems: set[str] = set()
    tokens: set[Token] = set()
    for path, identifier in items(resource, "identifier", KIND):
        system, value = identifier.get("system"), identifier.get("value")
        if system is None:
            yield issue(Code.ACCOUNT_IDENTIFIER_SYSTEM_MISSING, f"{path}.system", **_SYSTEMS)
        if value is None:
            yield issue(Code.ELEMENT_REQUIRED, f"{path}.value")
        yield from _type_violations(path, identifier, system)
        if system is None:
            continue
        if system in _IDENTIFIER_TYPES and system in systems:
            kind = _IDENTIFIER_TYPES[system][1]
            yield issue(Code.ACCOUNT_IDENTIFIERS_OF_A_KIND, path, kind=kind, system=system)
        elif value is not None and token_of(identifier) in tokens:
            yield issue(Code.ACCOUNT_IDENTIFIER_TWICE, path)
        systems.add(system)
        if value is not None:
            tokens.add(token_of(identifier))
    if systems.isdisjoint(_IDENTIFIER_TYPES):
        yield issue(Code.ACCOUNT_IDENTIFIER_MISSING, f"{KIND}.identifier", **_SYSTEMS)


def _type_violations(path: str, identifier: Resource, system: str | None) -> Iterator[Issue]:
    """Where type and system of an identifier do not agree. One of a system unknown to the guide may have any type."""
    if "type" not in identifier:
        yield issue(Code.ACCOUNT_IDENTIFIER_TYPE_MISSING, f"{path}.type", types=codes.FR_V2_0203, **_TYPES)
        return
    codings = identifier["type"].get("coding", ())
    ours = {coding.get("code") for coding in codings if coding.get("system") == codes.FR_V2_0203}
    types = ours & _SYSTEM_OF_TYPE.keys()
    if system in _IDENTIFIER_TYPES:
        code, kind = _IDENTIFIER_TYPES[system]
        if types != {code}:
            values = {"kind": kind, "system": system, "code": code, "types": codes.FR_V2_0203}
            yield issue(Code.ACCOUNT_IDENTIFIER_TYPE, f"{path}.type", **values)
    elif system is not None and types:
        yield _wrong_system(sorted(types), system, f"{path}.system")


def _wrong_system(types: Sequence[str], system: str, path: str) -> Issue:
    """The issue that an identifier of our types has another system."""
    found = system[:100]
    if len(types) == 1:
        expected = _SYSTEM_OF_TYPE[types[0]]
        return issue(Code.ACCOUNT_IDENTIFIER_SYSTEM, path, type=types[0], expected=expected, found=found)
    first, second = types
    return issue(
        Code.ACCOUNT_IDENTIFIER_SYSTEMS,
        path,
        first_type=first,
        second_type=second,
        first=_SYSTEM_OF_TYPE[first],
        second=_SYSTEM_OF_TYPE[second],
        found=found,
    )

"""Reads a notification of INT_R03: JSON -> ``IncomingAppointment``, or a refusal that lists everything wrong.

In two steps: what is not a FHIR ``Appointment`` is a 400; one that breaks a rule of the flow, or of the profile that it
claims (``FrAppointmentSAS``, ``sas-sos-appointment``), is a 422. Source: both profiles, and the guide on INT_R03.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir.resources.R4B.appointment import Appointment as AppointmentModel

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.base.fhir_bodies import items, not_one_of, parse, refuse, step, structure
from mock_editor.base.issues import Code, Issue, issue

KIND = "Appointment"
_PROFILES = (codes.APPOINTMENT_PROFILE, codes.SOS_APPOINTMENT_PROFILE)
_STATUSES = frozenset({"booked", "fulfilled", "noshow", "cancelled"})
_SOS_STATUSES = _STATUSES | {"pending"}
# An appointment may end like this before SOS Médecins has said who consults.
_ENDED_WITHOUT = frozenset({"cancelled", "noshow"})
_MOMENTS = ("start", "end", "created")
_PARTICIPANT_REQUIRED = frozenset({"required", "optional", "information-only"})

# Type of an identifier by its system.
_REGULATOR_TYPES = {codes.PRACTITIONER_OID: "IDNPS", codes.SAS_OID: "INTRN"}
_PRACTITIONER_TYPES = {codes.PRACTITIONER_OID: "IDNPS"}
_PRACTITIONER_ID = re.compile("8[0-9]{11}|0[0-9A-Z]{9}")
_EDITOR_SYSTEM = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+|https?://[^\s/?#]\S*")

# How patients can be recognised: by the type of a resource or of a reference's target, or by their national identifier
# (INS: NIR and NIA, including those for tests and demonstrations).
_PATIENTS = frozenset({"Patient", "RelatedPerson"})
_TO_PATIENT = re.compile(r"(.*/)?(Patient|RelatedPerson)([/?].*)?", re.DOTALL)
_PATIENT_SYSTEMS = frozenset(f"urn:oid:1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))


@dataclass(frozen=True, slots=True)
class IncomingAppointment:
    """An appointment as a valid body describes it.

    ``content`` is the resource as it was sent, without what is empty, unknown to FHIR or for the server to say.
    ``system`` and ``value`` identify the appointment; ``place`` is the FHIRPath of where they stand.
    """

    content: Resource
    system: str
    value: str
    place: str
    ignored: Sequence[str] = ()


def read(body: bytes) -> IncomingAppointment:
    """The notification in a body. Raises 400 or 422 with every problem found."""
    document = parse(body)
    cleaned, ignored = structure(document, KIND, AppointmentModel, _unlike_json)
    # Patients are looked for in what was sent: they may stand where FHIR has no element.
    refuse(422, itertools.chain(_violations(cleaned), _patients(document)))
    [(place, identifier)] = items(cleaned, "identifier", KIND)
    return IncomingAppointment(cleaned, identifier["system"].strip(), identifier["value"].strip(), place, ignored)


def moment(text: str) -> datetime | None:
    """A FHIR instant, or a dateTime that is as precise and has an offset. None for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def regulator_of(resource: Resource) -> Resource:
    """The identifier of the regulator in a valid resource."""
    operator = next(
        extension for extension in resource["extension"] if extension.get("url") == codes.APPOINTMENT_OPERATOR
    )
    identifier: Resource = operator["valueReference"]["identifier"]
    return identifier


# --- first step: FHIR


def _unlike_json(cleaned: Resource) -> Iterator[Issue]:
    """What the model accepts but FHIR JSON does not allow: a number of seconds as an instant."""
    for name in _MOMENTS:
        if type(cleaned.get(name)) in (int, float):
            yield issue(Code.APPOINTMENT_TIME_NO_TEXT, f"{KIND}.{name}")


# --- second step: the flow and the profile


def _violations(resource: Resource) -> Iterator[Issue]:
    """What ``resource`` breaks of the rules, each with its place.

    If it claims neither profile, whatever either of them allows is accepted.
    """
    profiles = resource.get("meta", {}).get("profile", ())
    claimed = profiles[0] if len(profiles) == 1 else None
    if claimed not in _PROFILES:
        yield _profile_violation(profiles, claimed)
    sos = claimed != codes.APPOINTMENT_PROFILE
    yield from _operator_violations(resource, alone=claimed == codes.SOS_APPOINTMENT_PROFILE)
    yield from _own_identifier_violations(resource)
    status, statuses = resource.get("status"), _SOS_STATUSES if sos else _STATUSES
    if status not in statuses:
        yield not_one_of(statuses, str(status), f"{KIND}.status")
    if "cancelationReason" in resource and status not in ("cancelled", "noshow"):
        yield issue(Code.APPOINTMENT_CANCELATION_REASON, f"{KIND}.cancelationReason")
    yield from _moment_violations(resource)
    yield from _participant_violations(resource, sos=sos)


def _profile_violation(profiles: Sequence[str], claimed: str | None) -> Issue:
    place, allowed = f"{KIND}.meta.profile", _either(_PROFILES)
    if claimed:
        return issue(Code.APPOINTMENT_PROFILE_OTHER, place, allowed=allowed, found=str(claimed)[:100])
    code = Code.APPOINTMENT_PROFILES_SEVERAL if profiles else Code.APPOINTMENT_PROFILE_MISSING
    return issue(code, place, allowed=allowed, number=len(profiles))


def _either(values: Iterable[str]) -> object:
    """One of these, in words."""
    first, *others = values
    return issue(Code.EITHER, first=first, second=others[0]) if others else first


def _operator_violations(resource: Resource, *, alone: bool) -> Iterator[Issue]:
    """Exactly one extension that names the regulator; with ``alone``, no other."""
    operators = []
    for path, extension in items(resource, "extension", KIND):
        if extension.get("url") == codes.APPOINTMENT_OPERATOR:
            operators.append((path, extension))
            if len(operators) > 1:
                yield issue(Code.APPOINTMENT_OPERATORS_SEVERAL, path)
        elif alone:
            yield issue(Code.APPOINTMENT_EXTENSION, path)
    if not operators:
        yield issue(Code.APPOINTMENT_OPERATOR_MISSING, f"{KIND}.extension", url=codes.APPOINTMENT_OPERATOR)
        return
    path, operator = operators[0]
    if "extension" in operator:
        yield issue(Code.APPOINTMENT_OPERATOR_EXTENSION, f"{path}.extension")
    identifier = operator.get("valueReference", {}).get("identifier")
    if identifier is None:
        yield issue(Code.APPOINTMENT_REGULATOR_MISSING, f"{path}.value.identifier")
    else:
        yield from _identifier_violations(identifier, f"{path}.value.identifier", _REGULATOR_TYPES)


def _identifier_violations(identifier: Resource, path: str, types: Mapping[str, str]) -> Iterator[Issue]:
    """An identifier of one of the systems of ``types``, and with the type that goes with it."""
    system = identifier.get("system")
    if system is None:
        yield issue(Code.APPOINTMENT_SYSTEM_MISSING, f"{path}.system", systems=_either(types))
    elif system not in types:
        yield issue(Code.ELEMENT_EXPECTED, f"{path}.system", expected=_either(types), found=system[:100])
    if "value" not in identifier:
        yield issue(Code.ELEMENT_REQUIRED, f"{path}.value")
    expected = [code for known, code in types.items() if known == system] or list(types.values())
    codings = list(items(identifier.get("type", {}), "coding", f"{path}.type"))
    if len(codings) != 1:
        code = Code.APPOINTMENT_CODINGS_SEVERAL if codings else Code.APPOINTMENT_CODING_MISSING
        values = {"types": _either(expected), "system": codes.FR_V2_0203, "number": len(codings)}
        yield issue(code, f"{path}.type.coding", **values)
    for at, coding in codings[:1]:
        if coding.get("system") != codes.FR_V2_0203:
            yield issue(Code.APPOINTMENT_EXPECTED, f"{at}.system", expected=codes.FR_V2_0203)
        if coding.get("code") not in expected:
            yield issue(Code.APPOINTMENT_EXPECTED, f"{at}.code", expected=_either(expected))
    yield from _use_violations(identifier, path)


def _own_identifier_violations(resource: Resource) -> Iterator[Issue]:
    """Exactly one identifier, of the editor."""
    identifiers = list(items(resource, "identifier", KIND))
    if not identifiers:
        yield issue(Code.APPOINTMENT_IDENTIFIER_MISSING, f"{KIND}.identifier")
    for path, _ in identifiers[1:]:
        yield issue(Code.APPOINTMENT_IDENTIFIERS_SEVERAL, path)
    for path, identifier in identifiers[:1]:
        system = identifier.get("system")
        if system is None:
            yield issue(Code.APPOINTMENT_EDITOR_MISSING, f"{path}.system")
        elif not _EDITOR_SYSTEM.fullmatch(system.strip()):
            yield issue(Code.APPOINTMENT_EDITOR, f"{path}.system", found=system[:100])
        if "value" not in identifier:
            yield issue(Code.APPOINTMENT_VALUE_MISSING, f"{path}.value")
        yield from _use_violations(identifier, path)


def _use_violations(identifier: Resource, path: str) -> Iterator[Issue]:
    # A required binding of FHIR R4 that the models leave open, like that of participant.required.
    if "use" in identifier and identifier["use"] not in codes.IDENTIFIER_USES:
        yield not_one_of(codes.IDENTIFIER_USES, identifier["use"], f"{path}.use")


def _moment_violations(resource: Resource) -> Iterator[Issue]:
    for name in _MOMENTS:
        text = resource.get(name)
        if text is None:
            yield issue(Code.APPOINTMENT_TIME_MISSING, f"{KIND}.{name}")
        elif moment(text) is None:
            yield issue(Code.APPOINTMENT_TIME, f"{KIND}.{name}", found=text[:60])
    start, end = (moment(resource.get(name, "")) for name in ("start", "end"))
    if start and end and not start < end:
        yield issue(Code.APPOINTMENT_END, f"{KIND}.end")


def _participant_violations(resource: Resource, *, sos: bool) -> Iterator[Issue]:
    """Who consults; for SOS Médecins, that this is not known yet."""
    for path, participant in items(resource, "participant", KIND):
        if participant.get("required", "required") not in _PARTICIPANT_REQUIRED:
            yield not_one_of(_PARTICIPANT_REQUIRED, participant["required"], f"{path}.required")
        actor = participant.get("actor", {})
        if _is_patient(actor):
            continue
        administrative, pending = _is_administrative(participant), sos and resource.get("status") == "pending"
        unknown = pending or (sos and administrative and resource.get("status") in _ENDED_WITHOUT)
        if pending and not administrative:
            yield issue(Code.APPOINTMENT_PENDING_TYPE, f"{path}.type", system=codes.PARTICIPATION_TYPE)
        status, expected = participant.get("status"), "needs-action" if unknown else "accepted"
        if status != expected:
            yield issue(Code.ELEMENT_EXPECTED, f"{path}.status", expected=expected, found=str(status)[:60])
        identifier, at = actor.get("identifier"), f"{path}.actor.identifier"
        if identifier is not None:
            yield from _identifier_violations(identifier, at, _PRACTITIONER_TYPES)
            value = identifier.get("value", "").strip()
            if value and not _PRACTITIONER_ID.fullmatch(value):
                yield issue(Code.APPOINTMENT_PRACTITIONER, f"{at}.value", found=value[:60])
        elif not unknown:
            yield issue(Code.APPOINTMENT_PRACTITIONER_MISSING, at)


def _is_administrative(participant: Resource) -> bool:
    codings = (coding for concept in participant.get("type", ()) for coding in concept.get("coding", ()))
    return any(coding.get("system") == codes.PARTICIPATION_TYPE and coding.get("code") == "ADM" for coding in codings)


# --- no patient data


def _patients(document: Resource) -> Iterator[Issue]:
    """The places that mention a patient, in the order of the body. There is no recursion, so any nesting works."""
    pending: list[tuple[Any, str]] = [(document, KIND)]
    while pending:
        value, path = pending.pop()
        if isinstance(value, list):
            inner = [(item, f"{path}[{at}]") for at, item in enumerate(value)]
        elif _is_patient(value):
            yield issue(Code.APPOINTMENT_OF_PATIENT, path)
            continue
        else:
            inner = [(item, step(path, name)) for name, item in value.items()]
        pending += [item for item in reversed(inner) if isinstance(item[0], dict | list)]


def _is_patient(value: Resource) -> bool:
    """Whether an object is a patient, refers to one, or identifies one."""
    texts = {name: inner.strip() for name, inner in value.items() if isinstance(inner, str)}
    return (
        texts.get("resourceType") in _PATIENTS
        # A type may be the URL of its definition.
        or texts.get("type", "").rpartition("/")[2] in _PATIENTS
        or _TO_PATIENT.fullmatch(texts.get("reference", "")) is not None
        or texts.get("system") in _PATIENT_SYSTEMS
    )

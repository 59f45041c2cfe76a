"""What a notification of INT_R03 says: JSON -> ``Notification``, or a refusal that tells all that is wrong.

In two steps: what is no FHIR ``Appointment`` is a 400; one that breaks a rule of the flow, or of the profile that it
claims (``FrAppointmentSAS``, ``sas-sos-appointment``), is a 422. Source: both profiles, and the guide on INT_R03.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir.resources.R4B.appointment import Appointment as AppointmentModel

from mock_editor.base import codes
from mock_editor.base import issues as data
from mock_editor.base.errors import Issue
from mock_editor.base.fhir import Resource
from mock_editor.base.fhir_bodies import issue, items, not_one_of, parse, refuse, step, structure

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

# How patients show: by the type of a resource or of what a reference means, or by their national identifier (INS: NIR
# and NIA, those for tests and demonstrations).
_PATIENTS = frozenset({"Patient", "RelatedPerson"})
_TO_PATIENT = re.compile(r"(.*/)?(Patient|RelatedPerson)([/?].*)?", re.DOTALL)
_PATIENT_SYSTEMS = frozenset(f"urn:oid:1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))


@dataclass(frozen=True, slots=True)
class Notification:
    """What a sound body says of an appointment.

    ``content`` is the resource as it was sent, without what is empty, unknown to FHIR or for the server to say.
    ``system`` and ``value`` identify the appointment; ``place`` is the FHIRPath of where they stand.
    """

    content: Resource
    system: str
    value: str
    place: str
    ignored: Sequence[str] = ()


def read(body: bytes) -> Notification:
    """The notification that a body is. Raises 400 or 422 with every problem found."""
    document = parse(body)
    cleaned, ignored = structure(document, KIND, AppointmentModel, _unlike_json)
    # Patients are looked for in what was sent: they may stand where FHIR has no element.
    refuse(422, itertools.chain(_violations(cleaned), _patients(document)))
    [(place, identifier)] = items(cleaned, "identifier", KIND)
    return Notification(cleaned, identifier["system"].strip(), identifier["value"].strip(), place, ignored)


def moment(text: str) -> datetime | None:
    """A FHIR instant, or a dateTime if it says as much: with an offset. None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def regulator_of(resource: Resource) -> Resource:
    """The identifier of the regulator of a sound resource."""
    operator = next(one for one in resource["extension"] if one.get("url") == codes.APPOINTMENT_OPERATOR)
    identifier: Resource = operator["valueReference"]["identifier"]
    return identifier


# --- first step: FHIR


def _unlike_json(cleaned: Resource) -> Iterator[Issue | data.Issue]:
    """What the model takes, and JSON for FHIR does not allow: the number of seconds for an instant."""
    for name in _MOMENTS:
        if type(cleaned.get(name)) in (int, float):
            yield issue("structure", f"{KIND}.{name}", "expected a text such as 2026-11-20T09:00:00.000+01:00")


# --- second step: the flow and the profile


def _violations(resource: Resource) -> Iterator[Issue | data.Issue]:
    """What ``resource`` breaks of the rules, each with its place.

    Where it claims neither profile, it may be what either allows.
    """
    profiles = resource.get("meta", {}).get("profile", ())
    claimed = profiles[0] if len(profiles) == 1 else None
    if claimed not in _PROFILES:
        found = f", not {str(claimed)[:100]!r}" if claimed else f", there are {len(profiles)}"
        code = "value" if profiles else "required"
        yield issue(code, f"{KIND}.meta.profile", f"expected exactly one of {' or '.join(_PROFILES)}{found}")
    sos = claimed != codes.APPOINTMENT_PROFILE
    yield from _operator_violations(resource, alone=claimed == codes.SOS_APPOINTMENT_PROFILE)
    yield from _own_identifier_violations(resource)
    status, statuses = resource.get("status"), _SOS_STATUSES if sos else _STATUSES
    if status not in statuses:
        yield not_one_of(statuses, str(status), f"{KIND}.status")
    if "cancelationReason" in resource and status not in ("cancelled", "noshow"):
        yield issue("invariant", f"{KIND}.cancelationReason", "only for cancelled and noshow (app-4)")
    yield from _moment_violations(resource)
    yield from _participant_violations(resource, sos=sos)


def _operator_violations(resource: Resource, *, alone: bool) -> Iterator[Issue | data.Issue]:
    """Exactly one extension that names the regulator; with ``alone``, no other."""
    operators = []
    for path, extension in items(resource, "extension", KIND):
        if extension.get("url") == codes.APPOINTMENT_OPERATOR:
            operators.append((path, extension))
            if len(operators) > 1:
                yield issue("structure", path, "exactly one FrAppointmentOperator is allowed")
        elif alone:
            yield issue("structure", path, "the profile allows no extension besides FrAppointmentOperator")
    if not operators:
        yield issue("required", f"{KIND}.extension", f"required: the regulator, in {codes.APPOINTMENT_OPERATOR}")
        return
    path, operator = operators[0]
    if "extension" in operator:
        yield issue("structure", f"{path}.extension", "not allowed in FrAppointmentOperator")
    identifier = operator.get("valueReference", {}).get("identifier")
    if identifier is None:
        yield issue("required", f"{path}.value.identifier", "required: the regulator, as INT_R02 names them")
    else:
        yield from _identifier_violations(identifier, f"{path}.value.identifier", _REGULATOR_TYPES)


def _identifier_violations(identifier: Resource, path: str, types: Mapping[str, str]) -> Iterator[Issue | data.Issue]:
    """An identifier of one of the systems of ``types``, and with the type that goes with it."""
    system = identifier.get("system")
    if system is None:
        yield issue("required", f"{path}.system", f"required: {' or '.join(types)}")
    elif system not in types:
        yield issue("value", f"{path}.system", f"expected {' or '.join(types)}, not {system[:100]!r}")
    if "value" not in identifier:
        yield issue("required", f"{path}.value", "required")
    expected = [code for known, code in types.items() if known == system] or list(types.values())
    codings = list(items(identifier.get("type", {}), "coding", f"{path}.type"))
    if len(codings) != 1:
        text = f"expected exactly one coding, {' or '.join(expected)} of {codes.FR_V2_0203}, there are {len(codings)}"
        yield issue("structure" if codings else "required", f"{path}.type.coding", text)
    for at, coding in codings[:1]:
        if coding.get("system") != codes.FR_V2_0203:
            yield issue("value", f"{at}.system", f"expected {codes.FR_V2_0203}")
        if coding.get("code") not in expected:
            yield issue("value", f"{at}.code", f"expected {' or '.join(expected)}")
    yield from _use_violations(identifier, path)


def _own_identifier_violations(resource: Resource) -> Iterator[Issue | data.Issue]:
    """Exactly one identifier, of the editor."""
    found = list(items(resource, "identifier", KIND))
    if not found:
        yield issue("required", f"{KIND}.identifier", "required: system of the editor, unique value")
    for path, _ in found[1:]:
        yield issue("structure", path, "exactly one identifier is allowed")
    for path, identifier in found[:1]:
        system = identifier.get("system")
        if system is None:
            yield issue("required", f"{path}.system", "required: OID or URL of the editor")
        elif not _EDITOR_SYSTEM.fullmatch(system.strip()):
            yield issue("value", f"{path}.system", f"expected urn:oid:… or an http(s) URL, not {system[:100]!r}")
        if "value" not in identifier:
            yield issue("required", f"{path}.value", "required: unique, such as a UUID")
        yield from _use_violations(identifier, path)


def _use_violations(identifier: Resource, path: str) -> Iterator[Issue | data.Issue]:
    # A required binding of FHIR R4 that the models leave open, like that of participant.required.
    if "use" in identifier and identifier["use"] not in codes.IDENTIFIER_USES:
        yield not_one_of(codes.IDENTIFIER_USES, identifier["use"], f"{path}.use")


def _moment_violations(resource: Resource) -> Iterator[Issue | data.Issue]:
    for name in _MOMENTS:
        text = resource.get(name)
        if text is None:
            yield issue("required", f"{KIND}.{name}", "required, with an offset")
        elif moment(text) is None:
            yield issue("value", f"{KIND}.{name}", f"expected a time with an offset, not {text[:60]!r}")
    start, end = (moment(resource.get(name, "")) for name in ("start", "end"))
    if start and end and not start < end:
        yield issue("invariant", f"{KIND}.end", "expected to be after start")


def _participant_violations(resource: Resource, *, sos: bool) -> Iterator[Issue | data.Issue]:
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
            yield issue("required", f"{path}.type", f"required while pending: ADM of {codes.PARTICIPATION_TYPE}")
        status, expected = participant.get("status"), "needs-action" if unknown else "accepted"
        if status != expected:
            yield issue("value", f"{path}.status", f"expected {expected}, not {str(status)[:60]!r}")
        identifier, at = actor.get("identifier"), f"{path}.actor.identifier"
        if identifier is not None:
            yield from _identifier_violations(identifier, at, _PRACTITIONER_TYPES)
            value = identifier.get("value", "").strip()
            if value and not _PRACTITIONER_ID.fullmatch(value):
                yield issue("value", f"{at}.value", f"expected 8 and an RPPS, or 0 and an ADELI, not {value[:60]!r}")
        elif not unknown:
            yield issue("required", at, "required: the practitioner, by national identifier")


def _is_administrative(participant: Resource) -> bool:
    codings = (coding for concept in participant.get("type", ()) for coding in concept.get("coding", ()))
    return any(one.get("system") == codes.PARTICIPATION_TYPE and one.get("code") == "ADM" for one in codings)


# --- no patient data


def _patients(document: Resource) -> Iterator[Issue | data.Issue]:
    """Where something is said of a patient, in the order of the body. Any nesting will do: there is no recursion."""
    left: list[tuple[Any, str]] = [(document, KIND)]
    while left:
        value, path = left.pop()
        if isinstance(value, list):
            inner = [(item, f"{path}[{at}]") for at, item in enumerate(value)]
        elif _is_patient(value):
            yield issue("business-rule", path, "data of a patient, which may not leave the editor")
            continue
        else:
            inner = [(item, step(path, name)) for name, item in value.items()]
        left += [one for one in reversed(inner) if isinstance(one[0], dict | list)]


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

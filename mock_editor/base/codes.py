"""OIDs, code systems, profile URLs and media types, as the guide (``ans.fhir.fr.sas``) writes them."""

from typing import Final

# --- national identifiers
PRACTITIONER_OID: Final = "urn:oid:1.2.250.1.71.4.2.1"
STRUCTURE_OID: Final = "urn:oid:1.2.250.1.71.4.2.2"

# --- code systems
FR_V2_0203: Final = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203"
FR_LOCATION_IDENTIFIER_TYPE: Final = "http://interopsante.org/fhir/CodeSystem/fr-location-identifier-type"
SLOT_TYPE: Final = "https://mos.esante.gouv.fr/NOS/TRE_R314-TypeCreneau/FHIR/TRE-R314-TypeCreneau"
SPECIALTY: Final = "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
APPOINTMENT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v2-0276"
SLOT_STATUS: Final = "http://hl7.org/fhir/slotstatus"

# --- profiles of the slot search for practitioners on their own (INT_R01)
BUNDLE_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/BundleAgregateur"
SLOT_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrSlotAgregateur"
SCHEDULE_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrScheduleAgregateur"
PRACTITIONER_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrPractitionerAgregateur"
PRACTITIONER_ROLE_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrPractitionerRoleExerciceAgregateur"
LOCATION_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrLocationAgregateur"

# --- capability statements that an editor follows
CAPABILITIES_INDIVIDUAL: Final = (
    "https://interop.esante.gouv.fr/ig/fhir/sas/CapabilityStatement/SAS-GestionnaireAgenda-PsIndiv"
)

# --- FHIR value sets that parameters are checked against
SLOT_STATUSES: Final = frozenset({"busy", "free", "busy-unavailable", "busy-tentative", "entered-in-error"})

# --- media types
FHIR_JSON: Final = "application/fhir+json; charset=utf-8"
PROBLEM_JSON: Final = "application/problem+json; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded"
# The SAS sends the old spelling `json+fhir`; people's tools send the others.
ACCEPTED_JSON: Final = frozenset({"application/fhir+json", "application/json+fhir", "application/json", "text/json"})

"""OIDs, code systems, profile URLs and media types, as the guide (``ans.fhir.fr.sas``) writes them."""

from typing import Final

# --- national identifiers
PRACTITIONER_OID: Final = "urn:oid:1.2.250.1.71.4.2.1"
STRUCTURE_OID: Final = "urn:oid:1.2.250.1.71.4.2.2"

# --- the SAS: the source of accounts, and the system of its technical identifiers
SAS_OID: Final = "urn:oid:1.2.250.1.213.3.6"

# --- code systems
ESTABLISHMENT_CATEGORY: Final = (
    "https://mos.esante.gouv.fr/NOS/TRE_R66-CategorieEtablissement/FHIR/TRE-R66-CategorieEtablissement"
)
FR_CORE_V2_0203: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
FR_V2_0203: Final = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203"
FR_LOCATION_IDENTIFIER_TYPE: Final = "http://interopsante.org/fhir/CodeSystem/fr-location-identifier-type"
SLOT_TYPE: Final = "https://mos.esante.gouv.fr/NOS/TRE_R314-TypeCreneau/FHIR/TRE-R314-TypeCreneau"
SPECIALTY: Final = "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
APPOINTMENT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v2-0276"
PARTICIPATION_TYPE: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
SLOT_STATUS: Final = "http://hl7.org/fhir/slotstatus"

# --- profiles of the slot search for practitioners on their own (INT_R01)
BUNDLE_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/BundleAgregateur"
SLOT_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrSlotAgregateur"
SCHEDULE_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrScheduleAgregateur"
PRACTITIONER_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrPractitionerAgregateur"
PRACTITIONER_ROLE_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrPractitionerRoleExerciceAgregateur"
LOCATION_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrLocationAgregateur"

_SAS: Final = "https://interop.esante.gouv.fr/ig/fhir/sas"

# --- profiles of slots opened to CPTS (INT_R04)
CPTS_BUNDLE_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-cpts-bundle-aggregator"
CPTS_SLOT_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-cpts-slot-aggregator"
CPTS_HEALTHCARE_SERVICE_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-cpts-healthcareservice-aggregator"
CPTS_ORGANIZATION_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-cpts-organization-aggregator"
SLOT_SERVICE_EXTENSION: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Slot.serviceType"
CPTS_CATEGORY: Final = "604"

# --- profiles of the search for SOS Médecins places
SOS_BUNDLE_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-sos-bundle-aggregator"
SOS_SLOT_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-sos-slot-aggregator"
SOS_SCHEDULE_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-sos-schedule-aggregator"
SOS_LOCATION_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-sos-location-aggregator"
SOS_ORGANIZATION_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-sos-organization-aggregator"

# --- profile of regulator accounts (INT_R02)
REGULATOR_PROFILE: Final = f"{_SAS}/StructureDefinition/FrPractitionerRegul"

# --- profiles of appointment notifications (INT_R03): practitioners and CPTS, SOS Médecins
APPOINTMENT_PROFILE: Final = "http://sas.fr/fhir/StructureDefinition/FrAppointmentSAS"
SOS_APPOINTMENT_PROFILE: Final = f"{_SAS}/StructureDefinition/sas-sos-appointment"
APPOINTMENT_OPERATOR: Final = "http://interopsante.org/fhir/StructureDefinition/FrAppointmentOperator"

# --- capability statements that an editor follows: by kind of calendar that it keeps, and for the accounts
CAPABILITIES_INDIVIDUAL: Final = f"{_SAS}/CapabilityStatement/SAS-GestionnaireAgenda-PsIndiv"
CAPABILITIES_CPTS: Final = f"{_SAS}/CapabilityStatement/SAS-GestionnaireAgenda-CPTS"
CAPABILITIES_SOS: Final = f"{_SAS}/CapabilityStatement/SAS-GestionnaireAgenda-SOS"
CAPABILITIES_ACCOUNTS: Final = f"{_SAS}/CapabilityStatement/SAS-GestionnaireStructure"

# --- capability statements that the SAS follows, where it receives appointments
CAPABILITIES_APPOINTMENTS: Final = f"{_SAS}/CapabilityStatement/SAS-GestionnaireAgenda-RDVpsindiv"
CAPABILITIES_SOS_APPOINTMENTS: Final = f"{_SAS}/CapabilityStatement/SAS-GestionnaireAgenda-RDVSOS"

# --- FHIR value sets that parameters and bodies are checked against
IDENTIFIER_USES: Final = frozenset({"usual", "official", "temp", "secondary", "old"})
SLOT_STATUSES: Final = frozenset({"busy", "free", "busy-unavailable", "busy-tentative", "entered-in-error"})

# --- media types
FHIR_JSON: Final = "application/fhir+json; charset=utf-8"
PROBLEM_JSON: Final = "application/problem+json; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded"
# The SAS sends the old spelling `json+fhir`; people's tools send the others.
JSON_BODIES: Final = frozenset({"application/fhir+json", "application/json+fhir", "application/json"})
ACCEPTED_JSON: Final = JSON_BODIES | {"text/json"}

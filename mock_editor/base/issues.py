"""What may be wrong, as data: a code from one list, values, a place. The words are made at the edge (``words.py``).

To add one: a member of ``Code`` in the section of its feature, and its words in each catalogue under ``locales/``. A
test tells when words or values are missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple, Self

import orjson


class Code(Enum):
    """What may be wrong: its key in the catalogues, the HTTP status and the FHIR issue type that go with it."""

    status: int
    type: str

    def __new__(cls, key: str, status: int, type_: str) -> Self:
        """A member whose value is its key."""
        self = object.__new__(cls)
        self._value_ = key
        self.status, self.type = status, type_
        return self

    # --- HTTP
    BODY_CUT = "body-cut", 400, "incomplete"
    BODY_CHUNKS_MALFORMED = "body-chunks-malformed", 400, "structure"
    BODY_SHORT = "body-short", 400, "incomplete"
    BODY_TIMEOUT = "body-timeout", 408, "timeout"
    BODY_TOO_LARGE = "body-too-large", 413, "too-long"
    CONTENT_ENCODING = "content-encoding", 415, "not-supported"
    HTTP_ERROR = "http-error", 400, "invalid"
    INTERNAL = "internal", 500, "exception"
    MEDIA_TYPE = "media-type", 415, "not-supported"
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, "not-supported"
    NOT_ACCEPTABLE = "not-acceptable", 406, "not-supported"
    NOT_JSON = "not-json", 400, "structure"
    NOT_UTF8 = "not-utf8", 400, "structure"
    NO_SUCH_PATH = "no-such-path", 404, "not-found"
    PRECONDITION = "precondition", 412, "conflict"
    PRECONDITION_NOTHING = "precondition-nothing", 412, "conflict"

    # --- FHIR bodies
    ELEMENT_REQUIRED = "element-required", 400, "required"
    ELEMENT_AT_MOST_ONE = "element-at-most-one", 400, "structure"
    ELEMENT_BOOLEAN = "element-boolean", 400, "structure"
    ELEMENT_EXPECTED = "element-expected", 400, "value"
    ELEMENT_IGNORED = "element-ignored", 200, "not-supported"
    BODY_NOT_JSON = "body-not-json", 400, "structure"
    CODE_NOT_ONE_OF = "code-not-one-of", 400, "code-invalid"
    CONDITIONAL_CREATE = "conditional-create", 400, "not-supported"
    CONTROL_CHARACTERS = "control-characters", 400, "structure"
    ELEMENT = "element", 400, "structure"
    ELEMENT_MISSING = "element-missing", 400, "required"
    OBJECT_EXPECTED = "object-expected", 400, "structure"
    RESOURCE_TYPE = "resource-type", 400, "structure"
    RESOURCE_TYPE_UNKNOWN = "resource-type-unknown", 400, "structure"
    TOO_DEEP = "too-deep", 400, "too-costly"
    TYPE_NAME_EXPECTED = "type-name-expected", 400, "structure"

    # --- what everybody shares
    FORM_EXPIRED = "form-expired", 400, "security"
    FORM_OF_ANOTHER = "form-of-another", 403, "security"
    FOREIGN_SITE = "foreign-site", 403, "forbidden"
    INSTANT_EXPECTED = "instant-expected", 422, "value"
    INSTANT_OUT_OF_RANGE = "instant-out-of-range", 422, "value"
    OUT_OF_ANY_CALENDAR = "out-of-any-calendar", 422, "value"
    RATE_OUT_OF_RANGE = "rate-out-of-range", 422, "value"
    CONNECTIONS_UNWATCHED = "connections-unwatched", 503, "throttled"
    NO_MORE_THREADS = "no-more-threads", 503, "transient"
    STOPPING = "stopping", 503, "throttled"
    UNKNOWN_CODE = "unknown-code", 500, "exception"
    TOO_MANY_WAITING = "too-many-waiting", 503, "throttled"

    # --- the server
    ANSWER_UNSENDABLE = "answer-unsendable", 500, "exception"
    EXPECTATION = "expectation", 417, "not-supported"
    HEAD_TIMEOUT = "head-timeout", 408, "timeout"
    HEADERS_TOO_LONG = "headers-too-long", 431, "too-long"
    REQUEST_FAILED = "request-failed", 500, "exception"
    REQUEST_LINE_TOO_LONG = "request-line-too-long", 414, "too-long"
    REQUEST_MALFORMED = "request-malformed", 400, "structure"
    TRANSFER_CODING = "transfer-coding", 501, "not-supported"

    # --- TLS
    CERTS_AUTHORITY_EXPIRED = "certs-authority-expired", 0, "expired"
    CERTS_DAYS = "certs-days", 0, "invalid"
    CERTS_EXIST = "certs-exist", 0, "duplicate"
    CERTS_ISSUER = "certs-issuer", 0, "invalid"
    CERTS_NAME = "certs-name", 0, "invalid"
    CERTS_NAMES = "certs-names", 0, "too-long"
    CERTS_NOT_OURS = "certs-not-ours", 0, "invalid"
    CERTS_NO_CERTIFICATE = "certs-no-certificate", 0, "invalid"
    CERTS_NO_FILE = "certs-no-file", 0, "invalid"
    CERTS_NO_FOLDER = "certs-no-folder", 0, "invalid"
    CERTS_NO_KEY = "certs-no-key", 0, "invalid"
    CERTS_NO_LIST = "certs-no-list", 0, "invalid"
    CERTS_UNREVOKED = "certs-unrevoked", 0, "exception"
    CERTS_UNWRITABLE = "certs-unwritable", 0, "exception"
    CERTIFICATE_CN = "certificate-cn", 403, "forbidden"
    CERTIFICATE_ENDED = "certificate-ended", 0, "expired"
    CERTIFICATE_ENDS = "certificate-ends", 0, "expired"
    CERTIFICATE_EXPIRED = "certificate-expired", 403, "forbidden"
    CERTIFICATE_MISSING = "certificate-missing", 403, "forbidden"
    CERTIFICATE_NOT_FOR_CLIENTS = "certificate-not-for-clients", 403, "forbidden"
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid", 403, "forbidden"
    CERTIFICATE_OU = "certificate-ou", 403, "forbidden"
    CERTIFICATE_REFUSED = "certificate-refused", 403, "forbidden"
    CERTIFICATE_REVOKED = "certificate-revoked", 403, "forbidden"
    CERTIFICATE_UNREADABLE = "certificate-unreadable", 403, "forbidden"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted", 403, "forbidden"
    FHIR_ELSEWHERE = "fhir-elsewhere", 403, "forbidden"
    FORWARDED_BY_STRANGER = "forwarded-by-stranger", 403, "forbidden"
    FORWARDED_EMPTY = "forwarded-empty", 403, "forbidden"
    FORWARDED_ENCODING = "forwarded-encoding", 403, "forbidden"
    FORWARDED_QUOTE = "forwarded-quote", 403, "forbidden"
    FORWARDED_TOO_MANY = "forwarded-too-many", 403, "forbidden"
    FORWARDED_TWICE = "forwarded-twice", 403, "forbidden"
    FORWARDED_UNREADABLE = "forwarded-unreadable", 403, "forbidden"
    SURFACE_CLOSED = "surface-closed", 404, "not-found"
    TLS_AUTHORITIES = "tls-authorities", 0, "invalid"
    TLS_FHIR_ONLY = "tls-fhir-only", 404, "not-found"
    TLS_FILES = "tls-files", 0, "invalid"
    TLS_KEY_ENCRYPTED = "tls-key-encrypted", 0, "invalid"
    TLS_PORT_NEEDS = "tls-port-needs", 0, "required"
    TLS_REVOCATION_LIST = "tls-revocation-list", 0, "invalid"
    TLS_REVOCATION_LIST_SIGNATURE = "tls-revocation-list-signature", 0, "invalid"

    # --- the store, snapshots and scenarios
    PROCESSES_BEHIND = "processes-behind", 503, "transient"
    GENERATION_OVER = "generation-over", 503, "transient"
    SCENARIO_WITHOUT_FILE = "scenario-without-file", 409, "conflict"
    ACCOUNT_TAKEN = "scenario-account-taken", 422, "invalid"
    ALIAS_ENDLESS = "yaml-alias-endless", 422, "invalid"
    CALENDAR_OF_SCENARIO_UNKNOWN = "scenario-calendar-unknown", 422, "invalid"
    CERTIFICATE_EXPECTED = "certificate-expected", 422, "invalid"
    CONTROL_CHARACTER = "control-character", 422, "invalid"
    CPTS_DIGITS = "cpts-digits", 422, "invalid"
    CPTS_KEY_MISSING = "cpts-key-missing", 422, "invalid"
    CPTS_UNKNOWN = "cpts-unknown", 422, "invalid"
    DATE_OF_SCENARIO = "scenario-date", 422, "invalid"
    DAYS_ALIKE = "days-alike", 422, "invalid"
    DAY_EXPECTED = "day-expected", 422, "invalid"
    DEPARTMENT_UNKNOWN = "department-unknown", 422, "invalid"
    EDITOR_OF_SCENARIO_UNKNOWN = "scenario-editor-unknown", 422, "invalid"
    FILE_OUTSIDE = "scenario-file-outside", 422, "invalid"
    FILE_UNREADABLE = "scenario-file-unreadable", 422, "invalid"
    FILE_MISSING = "scenario-file-missing", 422, "invalid"
    GROUPS_TOO_MANY = "groups-too-many", 422, "invalid"
    HOURS_EXPECTED = "scenario-hours-expected", 422, "invalid"
    HOURS_OF_ONE_DAY = "hours-of-one-day", 422, "invalid"
    IDENTIFIER_MALFORMED = "identifier-malformed", 422, "invalid"
    IDENTIFIER_OF_KIND = "identifier-of-kind", 422, "invalid"
    IDENTIFIERS_EXPECTED = "identifiers-expected", 422, "invalid"
    MAPPING_KEY = "yaml-key", 422, "invalid"
    KEY_TWICE = "yaml-key-twice", 422, "invalid"
    NATIONAL_NEEDS_STRUCTURE = "national-needs-structure", 422, "invalid"
    NESTED_TOO_DEEP = "nested-too-deep", 422, "invalid"
    NOT_ALONE = "slot-types-not-alone", 422, "invalid"
    NOT_FHIR = "scenario-not-fhir", 422, "invalid"
    NOT_YAML = "not-yaml", 422, "invalid"
    NO_RULE_YET = "no-rule-yet", 422, "invalid"
    NO_SLOT_FITS = "no-slot-fits", 422, "invalid"
    OPENINGS_OVERLAP = "scenario-openings-overlap", 422, "invalid"
    OPENINGS_OVERLAP_ON = "scenario-openings-overlap-on", 422, "invalid"
    PHONE_EXPECTED = "phone-expected", 422, "invalid"
    REGULATOR_UNKNOWN = "regulator-unknown", 422, "invalid"
    RPPS_OR_ADELI = "rpps-or-adeli", 422, "invalid"
    RULE_NOT_YET = "rule-not-yet", 422, "invalid"
    SCENARIO_EMPTY = "scenario-empty", 422, "invalid"
    SCENARIO_FILE_LARGE = "scenario-file-large", 422, "invalid"
    SCENARIO_FILE_UNREADABLE = "scenario-unreadable", 422, "invalid"
    SCENARIO_KEY_MISSING = "scenario-key-missing", 422, "invalid"
    SCENARIO_KEY_UNKNOWN = "scenario-key-unknown", 422, "invalid"
    SCENARIO_NAME_UNKNOWN = "scenario-name-unknown", 422, "invalid"
    SCENARIO_PART = "scenario-part", 422, "invalid"
    SEARCH_LARGE = "search-large", 422, "invalid"
    SEARCH_OF_DAYS = "search-of-days", 422, "invalid"
    SEARCH_OF_MANY = "search-of-many", 422, "invalid"
    SHARES_OVER_ONE = "shares-over-one", 422, "invalid"
    SPECIALTY_UNKNOWN = "specialty-unknown", 422, "invalid"
    STANDS_TWICE = "stands-twice", 422, "invalid"
    STRUCTURE_ID_EXPECTED = "structure-id-expected", 422, "invalid"
    TEXT_HAS_CONTROL = "text-has-control", 422, "invalid"
    TIME_ZONE_EXPECTED = "time-zone-expected", 422, "invalid"
    TO_BEFORE_FROM = "to-before-from", 422, "invalid"
    UNASSIGNED_NUMBER = "unassigned-number", 422, "invalid"
    VALUE_TWICE = "value-twice", 422, "invalid"
    DATABASE_BUSY_READING = "database-busy-reading", 503, "transient"
    DATABASE_BUSY_WRITING = "database-busy-writing", 503, "transient"
    DATABASE_GONE = "database-gone", 503, "transient"
    DATABASE_NOT_RENEWED = "database-not-renewed", 503, "transient"
    DATABASE_QUEUE_FULL = "database-queue-full", 503, "transient"
    DATABASE_UNUSABLE = "database-unusable", 503, "transient"
    FILE_BESIDE_CHANGED = "file-beside-changed", 503, "transient"
    FILE_CUT = "file-cut", 503, "transient"
    FILE_GONE = "file-gone", 503, "transient"
    FILE_IS_NO_DATABASE = "file-is-no-database", 422, "invalid"
    FILE_REPLACED = "file-replaced", 503, "transient"
    STORE_OF_ANOTHER_PROGRAM = "store-of-another-program", 422, "invalid"
    STORE_OF_ANOTHER_VERSION = "store-of-another-version", 422, "invalid"
    SNAPSHOT_SCENARIO = "snapshot-scenario", 422, "invalid"
    SNAPSHOT_DAMAGED = "snapshot-damaged", 422, "invalid"
    SNAPSHOT_NOT_SAVED = "snapshot-not-saved", 422, "invalid"
    SNAPSHOT_OF_ANOTHER_VERSION = "snapshot-of-another-version", 422, "invalid"
    SNAPSHOT_OTHER_ROWS = "snapshot-other-rows", 422, "invalid"
    SNAPSHOT_OTHER_TABLES = "snapshot-other-tables", 422, "invalid"
    SNAPSHOT_ROWS_ALONE = "snapshot-rows-alone", 422, "invalid"
    SNAPSHOT_ROWS_CONTRADICT = "snapshot-rows-contradict", 422, "invalid"
    SNAPSHOT_SENSELESS = "snapshot-senseless", 422, "invalid"
    SNAPSHOT_VALUE = "snapshot-value", 422, "invalid"
    SNAPSHOT_VALUE_OF_ROW = "snapshot-value-of-row", 422, "invalid"
    SAVED_BOOLEAN = "saved-boolean", 422, "value"
    SAVED_DAY = "saved-day", 422, "value"
    SAVED_DAY_YEARS = "saved-day-years", 422, "value"
    SAVED_FILE = "saved-file", 422, "value"
    SAVED_FLAG = "saved-flag", 422, "value"
    SAVED_INSTANT_OFFSET = "saved-instant-offset", 422, "value"
    SAVED_INSTANT_UTC = "saved-instant-utc", 422, "value"
    SAVED_INSTANT_YEARS = "saved-instant-years", 422, "value"
    SAVED_ISSUE = "saved-issue", 422, "value"
    SAVED_LENGTH = "saved-length", 422, "value"
    SAVED_NAME = "saved-name", 422, "value"
    SAVED_NUMBER = "saved-number", 422, "value"
    SAVED_OBJECT = "saved-object", 422, "value"
    SAVED_ONE_OF = "saved-one-of", 422, "value"
    SAVED_PERSON = "saved-person", 422, "value"
    SAVED_REGULATOR = "saved-regulator", 422, "value"
    SAVED_SCENARIO = "saved-scenario", 422, "value"
    SAVED_SCENARIO_TEXTS = "saved-scenario-texts", 422, "value"
    SAVED_TALLIES = "saved-tallies", 422, "value"
    SAVED_TEXT = "saved-text", 422, "value"
    SAVED_WHOLE = "saved-whole", 422, "value"

    # --- calendars
    ABSENCE_LENGTH = "absence-length", 422, "business-rule"
    APPOINTMENT_ACROSS = "appointment-across", 409, "conflict"
    APPOINTMENT_NOT_FOUND = "appointment-not-found", 404, "not-found"
    CALENDARS_THERE = "calendars-there", 404, "not-found"
    CALENDAR_AMONG_NONE = "calendar-among-none", 404, "not-found"
    CHANGE_NOT_FOUND = "change-not-found", 404, "not-found"
    CHANGE_NOT_FOUND_ANY = "change-not-found-any", 404, "not-found"
    DAYS_OF_YEARS = "days-of-years", 422, "business-rule"
    EDITOR_NOT_FOUND = "editor-not-found", 404, "not-found"
    EXTRA_HIDDEN = "extra-hidden", 409, "conflict"
    HOW_TO_NAME_CALENDARS = "how-to-name-calendars", 404, "not-found"
    NO_OPENING_THAT_DAY = "no-opening-that-day", 404, "not-found"
    NO_SLOT_FITS_CLOCKS = "no-slot-fits-clocks", 422, "business-rule"
    NO_SLOT_THAT_DAY = "no-slot-that-day", 404, "not-found"
    OPENS_NOTHING_TO_CPTS = "opens-nothing-to-cpts", 422, "invalid"
    OVERLAPS_OPENED_SLOT = "overlaps-opened-slot", 422, "business-rule"
    OVERLAPS_OPENING = "overlaps-opening", 422, "business-rule"
    OWNER_UNKNOWN_AT = "owner-unknown-at", 404, "not-found"
    SLOTS_AROUND = "slots-around", 404, "not-found"
    SLOT_HELD = "slot-held", 409, "conflict"
    SLOT_NOT_THERE = "slot-not-there", 404, "not-found"
    SLOT_START_OFFSET = "slot-start-offset", 422, "business-rule"
    SLOT_NO_SLOT = "slot-no-slot", 409, "conflict"
    SLOT_NOT_FOR_THEM = "slot-not-for-them", 409, "conflict"
    SLOT_BOOKED = "slot-booked", 409, "conflict"
    SLOT_CLOSED = "slot-closed", 409, "conflict"
    SLOT_DAY_CLOSED = "slot-day-closed", 409, "conflict"
    SLOT_TAKEN = "slot-taken", 409, "conflict"
    SLOT_ABSENT = "slot-absent", 409, "conflict"
    SLOT_PAST = "slot-past", 409, "conflict"
    SLOT_TOO_SOON = "slot-too-soon", 409, "conflict"
    SLOT_TOO_FAR = "slot-too-far", 409, "conflict"
    SLOT_WALK_IN = "slot-walk-in", 409, "conflict"
    PATIENT_NAME_MISSING = "patient-name-missing", 422, "invalid"
    APPOINTMENT_CLOSED = "appointment-closed", 409, "conflict"
    APPOINTMENT_NOT_MOVABLE = "appointment-not-movable", 409, "conflict"
    CALENDAR_LOST = "calendar-lost", 409, "conflict"
    CALENDAR_NOT_SUITABLE = "calendar-not-suitable", 404, "not-found"
    ASSIGNMENT_NOT_SOS = "assignment-not-sos", 409, "conflict"
    PRACTITIONER_ID_WRONG = "practitioner-id-wrong", 422, "invalid"
    BOOKER_INACTIVE = "booker-inactive", 409, "conflict"
    BOOKER_UNKNOWN_TO_SAS = "booker-unknown-to-sas", 409, "conflict"
    # --- the journal
    # What became of an exchange that did not end well: no status goes with it.
    APPLICATION_FAILED = "application-failed", 0, "exception"
    CALL_FAILED = "call-failed", 0, "transient"
    CLIENT_LEFT = "client-left", 0, "incomplete"
    CONNECTION_ENDED = "connection-ended", 0, "incomplete"
    CONNECTION_ENDED_AFTER = "connection-ended-after", 0, "incomplete"
    BODY_ENDED_IN_CHUNK = "body-ended-in-chunk", 0, "incomplete"
    BODY_ENDED = "body-ended", 0, "incomplete"
    BODY_STOPPED = "body-stopped", 0, "incomplete"
    HANDSHAKE_FAILED = "handshake-failed", 0, "security"
    HANDSHAKE_TIMEOUT = "handshake-timeout", 0, "timeout"
    HEAD_ENDED = "head-ended", 0, "incomplete"

    # --- faults
    FAULT_FLOW = "fault-flow", 422, "invalid"
    FAULT_HAS_NO_PARAMETERS = "fault-has-no-parameters", 422, "invalid"
    FAULT_HOURS = "fault-hours", 422, "invalid"
    FAULT_INSTANT = "fault-instant", 422, "invalid"
    FAULT_KIND_EXPECTED = "fault-kind-expected", 422, "invalid"
    FAULT_KIND_FLOWS = "fault-kind-flows", 422, "invalid"
    FAULT_KIND_UNKNOWN = "fault-kind-unknown", 422, "invalid"
    FAULT_OF_KIND = "fault-of-kind", 422, "invalid"
    FAULT_PARAMETERS_BOTH = "fault-parameters-both", 422, "invalid"
    FAULT_PARAMETERS_EITHER = "fault-parameters-either", 422, "invalid"
    FAULT_PARAMETER_BELOW = "fault-parameter-below", 422, "invalid"
    FAULT_PARAMETER_UNKNOWN = "fault-parameter-unknown", 422, "invalid"
    FAULT_PERCENTILES = "fault-percentiles", 422, "invalid"
    FAULT_RULES_TOO_MANY = "fault-rules-too-many", 422, "too-costly"
    FAULT_RULE_UNKNOWN = "fault-rule-unknown", 404, "not-found"
    FAULT_UNTIL = "fault-until", 422, "invalid"
    FAULT_YEAR = "fault-year", 422, "invalid"
    TIMELINE_ORDER = "timeline-order", 422, "invalid"

    # --- searches
    TOO_MANY_SEARCHES = "too-many-searches", 503, "throttled"
    QUERY_TOO_LONG = "query-too-long", 400, "too-costly"
    PARAMETER_REPEATED = "parameter-repeated", 400, "invalid"
    PARAMETER_MISSING = "parameter-missing", 400, "required"
    PARAMETER_REFUSED_STRICTLY = "parameter-refused-strictly", 400, "not-supported"
    PARAMETER_BESIDE_IDENTIFIER = "parameter-beside-identifier", 400, "not-supported"
    PARAMETER_CHOICE = "parameter-choice", 400, "invalid"
    PARAMETER_NOT_WHOLE = "parameter-not-whole", 400, "invalid"
    ONE_TOKEN = "one-token", 400, "invalid"
    TOKEN_EXPECTED = "token-expected", 400, "invalid"
    DATE_EXPECTED = "date-expected", 400, "invalid"
    DATE_IMPOSSIBLE = "date-impossible", 400, "invalid"
    SEARCH_DATE = "search-date", 400, "invalid"
    SEARCH_BOUND = "search-bound", 400, "invalid"
    SEARCH_BOUND_TWICE = "search-bound-twice", 400, "invalid"
    SEARCH_BOUND_MISSING = "search-bound-missing", 400, "required"
    SEARCH_BOUNDS_REVERSED = "search-bounds-reversed", 400, "invalid"
    SEARCH_STATUS = "search-status", 400, "invalid"
    SEARCH_INCLUDE = "search-include", 400, "not-supported"
    SEARCH_TOO_MANY_IDENTIFIERS = "search-too-many-identifiers", 400, "too-costly"
    SEARCH_IDENTIFIER = "search-identifier", 400, "invalid"
    SEARCH_SIRET = "search-siret", 400, "invalid"
    SEARCH_FILTER_AT_SOS = "search-filter-at-sos", 400, "not-supported"
    SEARCH_FILTER = "search-filter", 400, "not-supported"
    SEARCH_TOKEN = "search-token", 400, "invalid"
    SEARCH_REFERENCE = "search-reference", 400, "invalid"
    SEARCH_TOO_MANY = "search-too-many", 400, "too-costly"
    SEARCH_ALL_OF_TOO_MANY = "search-all-of-too-many", 400, "too-costly"
    SEARCH_TOO_LARGE = "search-too-large", 400, "too-costly"
    RESOURCE_TYPE_NOT_READ = "resource-type-not-read", 404, "not-found"
    RESOURCE_NOT_FOUND = "resource-not-found", 404, "not-found"

    # --- accounts
    ACCOUNT_ACTIVE_MISSING = "account-active-missing", 422, "required"
    ACCOUNT_EMAIL_MISSING = "account-email-missing", 422, "required"
    ACCOUNT_EMAIL_TAKEN = "account-email-taken", 422, "duplicate"
    ACCOUNT_ID_NOT_FOUND = "account-id-not-found", 404, "not-found"
    ACCOUNT_IDENTIFIER_MISSING = "account-identifier-missing", 422, "required"
    ACCOUNT_IDENTIFIER_SYSTEM = "account-identifier-system", 422, "value"
    ACCOUNT_IDENTIFIER_SYSTEM_MISSING = "account-identifier-system-missing", 422, "required"
    ACCOUNT_IDENTIFIER_SYSTEMS = "account-identifier-systems", 422, "value"
    ACCOUNT_IDENTIFIER_TAKEN = "account-identifier-taken", 422, "duplicate"
    ACCOUNT_IDENTIFIER_TWICE = "account-identifier-twice", 422, "duplicate"
    ACCOUNT_IDENTIFIER_TYPE = "account-identifier-type", 422, "value"
    ACCOUNT_IDENTIFIER_TYPE_MISSING = "account-identifier-type-missing", 422, "required"
    ACCOUNT_IDENTIFIERS_OF_A_KIND = "account-identifiers-of-a-kind", 422, "structure"
    ACCOUNT_NAME_MISSING = "account-name-missing", 422, "required"
    ACCOUNT_NOT_MADE_BY_ID = "account-not-made-by-id", 405, "not-supported"
    ACCOUNT_SAVED = "account-saved", 200, "informational"
    ACCOUNT_TELECOM_SYSTEM_MISSING = "account-telecom-system-missing", 422, "required"
    ACCOUNT_UNKNOWN = "account-unknown", 404, "not-found"
    ACCOUNTS_MATCH = "accounts-match", 412, "multiple-matches"

    # --- notifications
    NOTIFICATION_NOT_FAILED = "notification-not-failed", 409, "conflict"
    TLS_FILE_ENCRYPTED = "tls-file-encrypted", 422, "invalid"
    TLS_FILE_NO_CERTIFICATE = "tls-file-no-certificate", 422, "invalid"
    TLS_FILE_OTHER_KEY = "tls-file-other-key", 422, "invalid"
    TLS_FILE_UNREADABLE = "tls-file-unreadable", 422, "invalid"
    TLS_FILE_UNUSABLE = "tls-file-unusable", 422, "invalid"
    TLS_FILE_WITHOUT = "tls-file-without", 422, "invalid"
    # What became of an attempt to send one: no status goes with it.
    RETRY_AFTER = "retry-after", 0, "informational"
    RETRY_AFTER_PAST = "retry-after-past", 0, "informational"
    RETRY_AFTER_TOO_LONG = "retry-after-too-long", 0, "informational"
    RETRY_AFTER_UNREADABLE = "retry-after-unreadable", 0, "informational"
    SENDING_ANSWERED = "sending-answered", 0, "informational"
    SENDING_ANSWERED_ODDLY = "sending-answered-oddly", 0, "informational"
    SENDING_ANSWER_CUT = "sending-answer-cut", 0, "incomplete"
    SENDING_BY_RULE = "sending-by-rule", 0, "informational"
    SENDING_CLOSED = "sending-closed", 0, "incomplete"
    SENDING_CONNECT_TIMEOUT = "sending-connect-timeout", 0, "timeout"
    SENDING_FAILED = "sending-failed", 0, "exception"
    SENDING_LOST = "sending-lost", 0, "transient"
    SENDING_NO_ANSWER = "sending-no-answer", 0, "timeout"
    SENDING_NO_CONNECTION = "sending-no-connection", 0, "transient"
    SENDING_NO_TLS = "sending-no-tls", 0, "security"
    SENDING_NO_TLS_CONNECTION = "sending-no-tls-connection", 0, "security"
    SENDING_PUT_OFF = "sending-put-off", 0, "transient"
    SENDING_RESET = "sending-reset", 0, "incomplete"
    SENDING_RULE = "sending-rule", 0, "informational"
    SENDING_RULE_FAILED = "sending-rule-failed", 0, "exception"
    SENDING_STOPPED = "sending-stopped", 0, "transient"
    SENDING_TLS_CERTIFICATE = "sending-tls-certificate", 0, "security"
    SENDING_TLS_FILE = "sending-tls-file", 0, "security"
    SENDING_TLS_HANDSHAKE = "sending-tls-handshake", 0, "security"
    SENDING_TLS_REFUSED = "sending-tls-refused", 0, "security"
    SENDING_TLS_VERSION = "sending-tls-version", 0, "security"

    # --- web sites
    ACCESS_WITHDRAWN = "access-withdrawn", 403, "forbidden"
    SITE_ACCOUNT_UNKNOWN = "site-account-unknown", 403, "forbidden"
    SIGN_IN_REFUSED = "sign-in-refused", 403, "login"
    SIGN_IN_FAILED = "sign-in-failed", 502, "transient"
    NO_IDENTITY_PROVIDER = "no-identity-provider", 404, "not-found"
    SIGN_IN_NOT_EXPECTED = "sign-in-not-expected", 400, "security"
    SIGN_IN_TARGET_TOO_LONG = "sign-in-target-too-long", 400, "too-long"
    ORIGIN_UNKNOWN = "origin-unknown", 400, "security"
    TERMS_DECLINED = "terms-declined", 403, "forbidden"
    CALENDAR_NOT_ON_SITE = "calendar-not-on-site", 404, "not-found"
    APPOINTMENT_NOT_THEIRS = "appointment-not-theirs", 404, "not-found"
    SLOT_NOT_CHOSEN = "slot-not-chosen", 400, "required"
    PROVIDER_SAYS = "provider-says", 502, "transient"
    PROVIDER_SAYS_ONLY = "provider-says-only", 502, "transient"
    PROVIDER_CALL_FAILED = "provider-call-failed", 502, "transient"
    PROVIDER_ANSWER_UNREADABLE = "provider-answer-unreadable", 502, "transient"
    PROVIDER_NOT_OBJECT = "provider-not-object", 502, "transient"
    PROVIDER_ISSUER = "provider-issuer", 502, "transient"
    PROVIDER_METADATA_LACKS = "provider-metadata-lacks", 502, "transient"
    PROVIDER_KEYS_MISSING = "provider-keys-missing", 502, "transient"
    PROVIDER_KEYS_UNREADABLE = "provider-keys-unreadable", 502, "transient"
    PROVIDER_AUTHENTICATION = "provider-authentication", 502, "transient"
    SIGN_IN_OF_ANOTHER_ISSUER = "sign-in-of-another-issuer", 502, "transient"
    SIGN_IN_EMPTY = "sign-in-empty", 502, "transient"
    SIGN_IN_WITHOUT_ID_TOKEN = "sign-in-without-id-token", 502, "transient"
    SIGN_IN_WITHOUT_BEARER = "sign-in-without-bearer", 502, "transient"
    USERINFO_SUBJECT = "userinfo-subject", 502, "transient"
    TOKEN_NOT_ACCEPTED = "token-not-accepted", 502, "transient"
    TOKEN_ALGORITHM = "token-algorithm", 502, "transient"
    TOKEN_SIGNATURE = "token-signature", 502, "transient"
    TOKEN_CLAIM_NO_TEXT = "token-claim-no-text", 502, "transient"
    TOKEN_WITHOUT_PARTY = "token-without-party", 502, "transient"
    TOKEN_OF_ANOTHER_CLIENT = "token-of-another-client", 502, "transient"
    LOGOUT_TOKEN_WRONG = "logout-token-wrong", 400, "invalid"
    LOGOUT_TOKEN_EVENTS = "logout-token-events", 400, "invalid"
    LOGOUT_TOKEN_NONCE = "logout-token-nonce", 400, "invalid"
    LOGOUT_TOKEN_ABOUT_NOBODY = "logout-token-about-nobody", 400, "invalid"
    LOGOUT_TOKEN_USED = "logout-token-used", 400, "invalid"
    PROVIDER_STATUS = "provider-status", 502, "transient"
    PASSWORD_LOCKED = "password-locked", 403, "throttled"
    PASSWORD_WRONG = "password-wrong", 403, "login"
    # --- the bench
    SAS_SIGN_IN_DENIED = "sas-sign-in-denied", 403, "forbidden"
    SAS_SIGN_IN_FAILED = "sas-sign-in-failed", 502, "transient"
    SAS_SIGN_IN_UNEXPECTED = "sas-sign-in-unexpected", 400, "security"
    SAS_SIGN_IN_WITHDRAWN = "sas-sign-in-withdrawn", 403, "forbidden"
    APPOINTMENT_CANCELATION_REASON = "appointment-cancelation-reason", 422, "invariant"
    APPOINTMENT_CODING_MISSING = "appointment-coding-missing", 422, "required"
    APPOINTMENT_CODINGS_SEVERAL = "appointment-codings-several", 422, "structure"
    APPOINTMENT_CREATED = "appointment-created", 422, "business-rule"
    APPOINTMENT_EDITOR = "appointment-editor", 422, "value"
    APPOINTMENT_EDITOR_MISSING = "appointment-editor-missing", 422, "required"
    APPOINTMENT_END = "appointment-end", 422, "invariant"
    APPOINTMENT_EXPECTED = "appointment-expected", 422, "value"
    APPOINTMENT_EXTENSION = "appointment-extension", 422, "structure"
    APPOINTMENT_IDENTIFIER_MISSING = "appointment-identifier-missing", 422, "required"
    APPOINTMENT_IDENTIFIERS_SEVERAL = "appointment-identifiers-several", 422, "structure"
    APPOINTMENT_KNOWN = "appointment-known", 422, "duplicate"
    APPOINTMENT_NO_VERSION = "appointment-no-version", 404, "not-found"
    APPOINTMENT_NOT_MADE_BY_ID = "appointment-not-made-by-id", 405, "not-supported"
    APPOINTMENT_OF_PATIENT = "appointment-of-patient", 422, "business-rule"
    APPOINTMENT_OPERATOR_EXTENSION = "appointment-operator-extension", 422, "structure"
    APPOINTMENT_OPERATOR_MISSING = "appointment-operator-missing", 422, "required"
    APPOINTMENT_OPERATORS_SEVERAL = "appointment-operators-several", 422, "structure"
    APPOINTMENT_OTHER = "appointment-other", 422, "business-rule"
    APPOINTMENT_OTHER_IN_URL = "appointment-other-in-url", 422, "value"
    APPOINTMENT_PENDING_TYPE = "appointment-pending-type", 422, "required"
    APPOINTMENT_PRACTITIONER = "appointment-practitioner", 422, "value"
    APPOINTMENT_PRACTITIONER_MISSING = "appointment-practitioner-missing", 422, "required"
    APPOINTMENT_PROFILE_MISSING = "appointment-profile-missing", 422, "required"
    APPOINTMENT_PROFILE_OTHER = "appointment-profile-other", 422, "value"
    APPOINTMENT_PROFILES_SEVERAL = "appointment-profiles-several", 422, "value"
    APPOINTMENT_REGULATOR_MISSING = "appointment-regulator-missing", 422, "required"
    APPOINTMENT_SAVED = "appointment-saved", 200, "informational"
    APPOINTMENT_SYSTEM_MISSING = "appointment-system-missing", 422, "required"
    APPOINTMENT_TIME = "appointment-time", 422, "value"
    APPOINTMENT_TIME_MISSING = "appointment-time-missing", 422, "required"
    APPOINTMENT_TIME_NO_TEXT = "appointment-time-no-text", 400, "structure"
    APPOINTMENT_UNKNOWN = "appointment-unknown", 404, "not-found"
    APPOINTMENT_VALUE_MISSING = "appointment-value-missing", 422, "required"
    EITHER = "either", 0, "informational"
    LOGOUT_TOKEN = "logout-token", 400, "invalid"
    NOBODY_SIGNED_IN = "nobody-signed-in", 403, "login"
    OFFER_UNKNOWN = "offer-unknown", 400, "value"
    SAS_REGULATOR_UNKNOWN = "sas-regulator-unknown", 404, "not-found"
    # What became of a call to an editor: no status goes with it.
    EDITOR_ANSWER_CUT = "editor-answer-cut", 0, "incomplete"
    EDITOR_ANSWER_NOT_JSON = "editor-answer-not-json", 0, "structure"
    EDITOR_ANSWER_TOO_LARGE = "editor-answer-too-large", 0, "too-long"
    EDITOR_ANSWER_UNREADABLE = "editor-answer-unreadable", 0, "structure"
    EDITOR_CERTIFICATE = "editor-certificate", 0, "security"
    EDITOR_CONNECTION_BROKEN = "editor-connection-broken", 0, "transient"
    EDITOR_HOST_UNKNOWN = "editor-host-unknown", 0, "transient"
    EDITOR_LATE = "editor-late", 0, "timeout"
    EDITOR_NOBODY_LISTENS = "editor-nobody-listens", 0, "transient"
    EDITOR_REFUSED = "editor-refused", 0, "informational"
    EDITOR_REFUSED_OTHERWISE = "editor-refused-otherwise", 0, "informational"
    EDITOR_REFUSED_SILENTLY = "editor-refused-silently", 0, "informational"
    EDITOR_REFUSED_UNKNOWN = "editor-refused-unknown", 0, "informational"
    EDITOR_TLS = "editor-tls", 0, "security"
    # The identity provider: what a client is told has a name of OAuth 2.0 besides.
    OIDC_PARAMETER = "oidc-parameter", 400, "invalid"
    OIDC_RESPONSE_TYPE_MISSING = "oidc-response-type-missing", 400, "invalid"
    OIDC_RESPONSE_TYPE = "oidc-response-type", 400, "invalid"
    OIDC_RESPONSE_MODE = "oidc-response-mode", 400, "invalid"
    OIDC_SCOPE = "oidc-scope", 400, "invalid"
    OIDC_CHALLENGE = "oidc-challenge", 400, "invalid"
    OIDC_PROMPT = "oidc-prompt", 400, "invalid"
    OIDC_MAX_AGE = "oidc-max-age", 400, "invalid"
    OIDC_LOGIN_REQUIRED = "oidc-login-required", 400, "invalid"
    OIDC_GRANT_TYPE = "oidc-grant-type", 400, "invalid"
    OIDC_GRANT_INCOMPLETE = "oidc-grant-incomplete", 400, "invalid"
    OIDC_CODE = "oidc-code", 400, "invalid"
    OIDC_CODE_OF_ANOTHER = "oidc-code-of-another", 400, "invalid"
    OIDC_VERIFIER = "oidc-verifier", 400, "invalid"
    OIDC_TOKEN = "oidc-token", 401, "invalid"
    OIDC_CLIENT = "oidc-client", 400, "invalid"
    OIDC_REDIRECT_URI = "oidc-redirect-uri", 400, "invalid"
    OIDC_REDIRECT_URI_UNKNOWN = "oidc-redirect-uri-unknown", 400, "invalid"
    OIDC_NOBODY_CHOSEN = "oidc-nobody-chosen", 400, "invalid"
    OIDC_REQUEST_EXPIRED = "oidc-request-expired", 400, "invalid"
    OIDC_CLIENT_MISSING = "oidc-client-missing", 401, "invalid"
    OIDC_CLIENT_TWICE = "oidc-client-twice", 400, "invalid"
    OIDC_BODY_LATE = "oidc-body-late", 408, "invalid"
    OIDC_BODY_TOO_LARGE = "oidc-body-too-large", 413, "invalid"
    OIDC_NO_FORM = "oidc-no-form", 415, "invalid"
    OIDC_UNAVAILABLE = "oidc-unavailable", 503, "invalid"
    OIDC_MALFORMED = "oidc-malformed", 400, "invalid"

    # --- the admin API and the console
    FROM_ANOTHER_MACHINE = "from-another-machine", 403, "forbidden"
    FROM_A_PROXY = "from-a-proxy", 403, "forbidden"
    HOST_NOT_THIS_MACHINE = "host-not-this-machine", 403, "forbidden"
    MADE_FOR_A_PROXY = "made-for-a-proxy", 403, "forbidden"
    NOT_HTTP_1_1 = "not-http-1-1", 403, "forbidden"
    PASSED_ON = "passed-on", 403, "forbidden"
    ACCOUNT_NOT_FOUND = "account-not-found", 404, "not-found"
    BODY_UNEXPECTED = "body-unexpected", 400, "invalid"
    CALENDAR_NOT_FOUND = "calendar-not-found", 404, "not-found"
    CALENDAR_UNKNOWN = "calendar-unknown", 404, "not-found"
    EXCHANGE_NOT_FOUND = "exchange-not-found", 404, "not-found"
    FIELDS_TOO_MANY = "fields-too-many", 400, "too-costly"
    FILE_NOT_OF_SCENARIOS = "file-not-of-scenarios", 409, "conflict"
    GIVEN_TWICE = "given-twice", 400, "invalid"
    NOT_A_FORM = "not-a-form", 400, "structure"
    NOTIFICATION_NOT_FOUND = "notification-not-found", 404, "not-found"
    NO_SUCH_PAGE = "no-such-page", 404, "not-found"
    NO_TIMELINES = "no-timelines", 404, "not-found"
    ONLY_THIS_MACHINE = "only-this-machine", 403, "forbidden"
    OWNER_NOT_FOUND = "owner-not-found", 404, "not-found"
    PARAMETERS_TOO_MANY = "parameters-too-many", 400, "invalid"
    REQUIRED_WITH_START = "required-with-start", 422, "required"
    RULE_EDITOR_UNKNOWN = "rule-editor-unknown", 422, "invalid"
    RULE_EXISTS = "rule-exists", 409, "conflict"
    RULE_NAMED_OTHERWISE = "rule-named-otherwise", 422, "invalid"
    RULE_NOT_FOUND = "rule-not-found", 404, "not-found"
    SCENARIO_NOT_FOUND = "scenario-not-found", 404, "not-found"
    SLOT_ID_MALFORMED = "slot-id-malformed", 422, "invalid"
    SLOT_ID_UNKNOWN = "slot-id-unknown", 404, "not-found"
    SLOT_OR_START = "slot-or-start", 422, "invalid"
    STILL_WAITING = "still-waiting", 409, "conflict"
    TIMELINE_NOT_FOUND = "timeline-not-found", 404, "not-found"
    TOKENS_TOO_MANY = "tokens-too-many", 429, "throttled"
    TOKEN_WANTED = "token-wanted", 401, "login"
    TOKEN_WRONG = "token-wrong", 401, "login"
    CLOCK_AMOUNT_OR_TO = "clock-amount-or-to", 422, "invalid"
    CONSOLE_ACCESS_ENDED = "console-access-ended", 403, "forbidden"
    CHANGE_NOT_FOR_SOS = "change-not-for-sos", 409, "conflict"
    PRACTITIONER_NOT_KNOWN = "practitioner-not-known", 404, "not-found"

    # --- settings and commands: they have no HTTP status
    CALL_IMPOSSIBLE = "call-impossible", 0, "invalid"
    CANNOT_LISTEN = "cannot-listen", 0, "exception"
    DATABASE_FILE = "database-file", 0, "invalid"
    DELIVER_DATABASE = "deliver-database", 0, "required"
    DELIVER_SAS_URL = "deliver-sas-url", 0, "required"
    EXPECTED_EXISTING_FILE = "expected-existing-file", 0, "invalid"
    EXPECTED_FILE = "expected-file", 0, "invalid"
    EXPECTED_HEADER_NAME = "expected-header-name", 0, "invalid"
    EXPECTED_INSTANT = "expected-instant", 0, "invalid"
    EXPECTED_JSON = "expected-json", 0, "invalid"
    EXPECTED_SECONDS = "expected-seconds", 0, "invalid"
    EXPECTED_SECONDS_UP_TO = "expected-seconds-up-to", 0, "invalid"
    EXPECTED_SWITCH = "expected-switch", 0, "invalid"
    EXPECTED_TLS_VERSION = "expected-tls-version", 0, "invalid"
    EXPECTED_TOKEN = "expected-token", 0, "invalid"
    EXPECTED_URL = "expected-url", 0, "invalid"
    EXPECTED_URLS = "expected-urls", 0, "invalid"
    EXPECTED_VALUE = "expected-value", 0, "required"
    EXPECTED_WHOLE_NUMBER = "expected-whole-number", 0, "invalid"
    EXPECTED_WORDS = "expected-words", 0, "required"
    NO_SIMULATOR = "no-simulator", 0, "invalid"
    NO_SUCH_FOLDER = "no-such-folder", 0, "not-found"
    OUTPUT_UNWRITABLE = "output-unwritable", 0, "exception"
    SCENARIO_PROBLEM = "scenario-problem", 0, "invalid"
    SCENARIO_WARNING = "scenario-warning", 0, "informational"
    SCENARIO_WRONG = "scenario-wrong", 0, "invalid"
    SEE_URL = "see-url", 0, "informational"
    SETTING_CONNECTIONS = "setting-connections", 0, "invalid"
    SETTING_INVALID = "setting-invalid", 0, "invalid"
    SETTING_KEY_ALONE = "setting-key-alone", 0, "required"
    SETTING_NEEDS_TLS = "setting-needs-tls", 0, "required"
    SETTING_NEEDS_TLS_PORT = "setting-needs-tls-port", 0, "required"
    SETTING_PAIR = "setting-pair", 0, "required"
    SETTING_SECRET_ENCODING = "setting-secret-encoding", 0, "invalid"
    SETTING_SECRET_TWICE = "setting-secret-twice", 0, "invalid"
    SETTING_SECRET_UNREADABLE = "setting-secret-unreadable", 0, "exception"
    SETTING_UNKNOWN = "setting-unknown", 0, "informational"
    SETTING_WRONG = "setting-wrong", 0, "invalid"
    SIMULATOR_BROKE_OFF = "simulator-broke-off", 0, "transient"
    SIMULATOR_TIMEOUT = "simulator-timeout", 0, "timeout"
    SIMULATOR_UNREACHABLE = "simulator-unreachable", 0, "transient"
    THROUGH_PROXY = "through-proxy", 0, "informational"
    TOKEN_SIGNS = "token-signs", 0, "invalid"


@dataclass(frozen=True, slots=True)
class DataCode:
    """What pydantic may find wrong with data; there is one for each of its error types (``validation.py``)."""

    value: str
    type: str = "structure"
    status: int = 422


class Term(NamedTuple):
    """A value that has words of its own in each catalogue, under ``context``: a field, a state."""

    context: str
    key: str


class Named(NamedTuple):
    """A value that brings its own words, because they stand with what it names."""

    english: str
    french: str


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong, or, with another severity, something to know.

    ``place`` is the FHIRPath of a body's element, or where a request or a file has it. A value may be a text, a number,
    a date, a list of texts, a Term, Named, or an Issue; its words are those of the reader's language.
    """

    code: Code | DataCode
    place: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    severity: str = "error"

    @property
    def type(self) -> str:
        """The FHIR issue type."""
        return self.code.type


def issue(code: Code | DataCode, place: str | None = None, /, **values: object) -> Issue:
    """The issue of a code at a place; ``values`` are those that its words name."""
    return Issue(code, place, values)


# --- kept in tables

_CODES: Mapping[str, Code] = {code.value: code for code in Code}


def as_text(problem: Issue) -> str:
    """An issue as tables keep it: its code and values in JSON, which ``from_text`` reads."""
    return orjson.dumps(_data(problem)).decode()


def from_text(text: str) -> Issue:
    """The issue that was kept. One whose code there is no longer says its key, and no more."""
    return _from_data(orjson.loads(text))


def _data(problem: Issue) -> dict[str, Any]:
    values = {name: _plain(value) for name, value in problem.values.items()}
    return {"code": problem.code.value, "place": problem.place, "values": values}


def _plain(value: object) -> Any:
    """A value as JSON has it. What has words of its own stays apart from texts, in an object."""
    if isinstance(value, Issue):
        return {"issue": _data(value)}
    if isinstance(value, Term):
        return {"term": [*value]}
    if isinstance(value, date):
        return {"at": value.isoformat()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, list | tuple):
        return [*map(_plain, value)]
    return value.value if isinstance(value, Enum) else value


def _from_data(data: Mapping[str, Any]) -> Issue:
    try:
        code = _CODES[data["code"]]
    except KeyError:
        return issue(Code.UNKNOWN_CODE, code=data["code"])
    return Issue(code, data["place"], {name: _valued(value) for name, value in data["values"].items()})


def _valued(value: Any) -> Any:
    match value:
        case {"issue": data}:
            return _from_data(data)
        case {"term": [context, key]}:
            return Term(context, key)
        case {"at": at}:
            return datetime.fromisoformat(at) if "T" in at else date.fromisoformat(at)
        case list():
            return [*map(_valued, value)]
    return value

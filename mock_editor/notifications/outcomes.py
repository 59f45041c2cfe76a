"""The result of an attempt, as data: issues, whose words are made where somebody reads them.

In the French catalogue, a result without an answer has two texts: a short one for lists and, with the context
``detail``, a full one.
"""

import ssl

from requests.exceptions import ChunkedEncodingError, ConnectTimeout, ReadTimeout, SSLError
from requests.exceptions import ConnectionError as NoConnectionError

from mock_editor.base.applied_rules import AppliedRule, RuleOutcome
from mock_editor.base.client import CallEndedError, tls_error
from mock_editor.base.issues import Code, Issue, Term, issue
from mock_editor.notifications.tls import Identity, TlsFileError

# The meaning of answers that the class of the status does not tell.
_MEANINGS = {408: "too-slow", 425: "too-soon", 429: "too-many"}
_MEANINGS_BY_CLASS = {2: "accepted", 3: "redirected", 4: "refused", 5: "failed"}

# OpenSSL's codes for what is wrong with a certificate (X509_V_ERR_…).
_FLAWS = {
    2: "unknown-authority",
    9: "not-yet-valid",
    10: "expired",
    18: "self-signed",
    19: "self-signed-authority",
    20: "unknown-authority",
    21: "unknown-authority",
    26: "not-for-servers",
    62: "other-name",
    64: "other-address",
}
# OpenSSL's names for the alerts of the other side in the handshake. Under TLS 1.3, they come with the answer.
_REFUSALS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "required",
    "TLSV1_ALERT_UNKNOWN_CA": "unknown-authority",
    "SSLV3_ALERT_BAD_CERTIFICATE": "bad",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "unsupported",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "unexplained",
    "TLSV1_ALERT_ACCESS_DENIED": "access-denied",
}
_TOO_OLD = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION"})
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST"})


def answered(status: int, rule: AppliedRule | None = None) -> Issue:
    """The SAS answered; ``rule`` acted on the attempt, if there is one."""
    if meaning := _MEANINGS.get(status) or _MEANINGS_BY_CLASS.get(status // 100):
        answer = issue(Code.SENDING_ANSWERED, status=status, meaning=Term("answer", meaning))
    else:
        answer = issue(Code.SENDING_ANSWERED_ODDLY, status=status)
    return issue(Code.SENDING_BY_RULE, answer=answer, rule=rule_acted(rule)) if rule else answer


def rule_acted(rule: AppliedRule) -> Issue:
    """A rule that acted on an attempt, or failed to."""
    if rule.outcome is RuleOutcome.ACTED:
        return issue(Code.SENDING_RULE, name=rule.name, kinds=[*rule.kinds])
    return issue(Code.SENDING_RULE_FAILED, name=rule.name, kinds=[*rule.kinds], error=rule.error)


def asked_to_wait(answer: Issue, retry: Issue) -> Issue:
    """The SAS answered with a ``Retry-After``; ``retry`` says what it asks for."""
    return issue(Code.SENDING_PUT_OFF, answer=answer, retry=retry)


def failed(error: Exception) -> Issue:
    """No answer, and why: as we know it ourselves, or in a library's words."""
    reason = f"{type(error).__name__}: {str(error)[:500]}"
    match error:
        case CallEndedError():
            return error.issue
        case ConnectTimeout():
            return issue(Code.SENDING_CONNECT_TIMEOUT, reason=reason)
        case SSLError():
            return issue(Code.SENDING_NO_TLS_CONNECTION, reason=reason)
        case ReadTimeout():
            return issue(Code.SENDING_NO_ANSWER, reason=reason)
        case ChunkedEncodingError():
            return issue(Code.SENDING_ANSWER_CUT, reason=reason)
        case NoConnectionError():
            return issue(Code.SENDING_NO_CONNECTION, reason=reason)
    return issue(Code.SENDING_FAILED, reason=reason)


def unusable_file(error: TlsFileError) -> Issue:
    """Nothing was sent, because a file for TLS cannot be used."""
    return issue(Code.SENDING_TLS_FILE, file=Term("TLS file", error.name), problem=error.issue)


def tls_failure(error: Exception, identity: Identity) -> Issue | None:
    """What is wrong with certificates or versions; None for any other error.

    In each of these cases the request was not taken: either side refuses the connection itself.
    """
    found = tls_error(error)
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        flaw = Term("certificate of the SAS", _FLAWS.get(found.verify_code, "invalid"))
        return issue(Code.SENDING_TLS_CERTIFICATE, flaw=flaw, reason=found.verify_message.rstrip("."))
    presented = "certificate" if identity.certificate else "no-certificate"
    if found.reason in _REFUSALS:
        ours, why = Term("refused by the SAS", presented), Term("refusal by the SAS", _REFUSALS[found.reason])
        return issue(Code.SENDING_TLS_REFUSED, ours=ours, why=why, reason=found.reason)
    if found.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":
        return issue(Code.SENDING_TLS_HANDSHAKE, why=Term("failed handshake", presented), reason=found.reason)
    if found.reason in _TOO_OLD:
        return issue(Code.SENDING_TLS_VERSION, minimum=identity.minimum, reason=found.reason)
    if found.reason in _NO_TLS:
        return issue(Code.SENDING_NO_TLS, reason=found.reason)
    return None

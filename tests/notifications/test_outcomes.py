"""What became of attempts: the data, and its words for programs and for people."""

import ssl

import pytest
import requests

from mock_editor.base.applied_rules import AppliedRule, RuleOutcome
from mock_editor.base.issues import Issue, as_text, from_text
from mock_editor.base.words import english, french, french_detail
from mock_editor.notifications import outcomes
from mock_editor.notifications.tls import Identity


def untrusted(code: int, message: str) -> requests.exceptions.SSLError:
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_code, error.verify_message = code, message
    return requests.exceptions.SSLError(error)


def alert(reason: str) -> requests.exceptions.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return requests.exceptions.SSLError(error)


@pytest.mark.parametrize(
    ("error", "in_english", "in_french"),
    [
        (
            untrusted(10, "certificate has expired"),
            "the certificate of the SAS is refused: it has expired, or that of its authority has "
            "(certificate has expired)",
            "certificat du SAS refusé : il a expiré, ou celui de son autorité",
        ),
        (
            untrusted(99, "odd."),
            "the certificate of the SAS is refused: it is not valid (odd)",
            "certificat du SAS refusé : il n’est pas valable",
        ),
        (
            alert("SSLV3_ALERT_CERTIFICATE_REVOKED"),
            "the SAS refuses the editor, which shows no certificate: it is revoked (SSLV3_ALERT_CERTIFICATE_REVOKED)",
            "le SAS refuse l’éditeur, qui ne montre aucun certificat : il est révoqué",
        ),
        (
            alert("SSLV3_ALERT_HANDSHAKE_FAILURE"),
            "the SAS refuses the handshake: it may require a certificate, or there is no common cipher "
            "(SSLV3_ALERT_HANDSHAKE_FAILURE)",
            "le SAS refuse la négociation TLS : il exige peut-être un certificat, ou aucun chiffrement n’est commun",
        ),
        (
            alert("UNSUPPORTED_PROTOCOL"),
            "the version is too old: the SAS does not speak TLS 1.2 or later (UNSUPPORTED_PROTOCOL)",
            "version de TLS trop ancienne : le SAS ne parle pas TLS 1.2 ou plus",
        ),
        (
            alert("WRONG_VERSION_NUMBER"),
            "the server does not speak TLS at this address (WRONG_VERSION_NUMBER)",
            "le serveur ne parle pas TLS à cette adresse",
        ),
    ],
)
def test_a_failure_of_tls_is_told_in_both_languages(
    error: requests.exceptions.SSLError, in_english: str, in_french: str
) -> None:
    found = outcomes.tls_failure(error, Identity())
    assert found is not None
    assert (english(found), french(found)) == (f"TLS: {in_english}", in_french)
    # All that is known: the short text, with what OpenSSL says.
    assert french_detail(found) == f"TLS: {in_french} ({found.values['reason']})"


def test_other_errors_are_none_of_tls() -> None:
    assert outcomes.tls_failure(requests.ReadTimeout("x"), Identity()) is None
    assert outcomes.tls_failure(alert("INTERNAL_ERROR"), Identity()) is None


@pytest.mark.parametrize(
    ("result", "in_english", "in_french"),
    [
        (outcomes.answered(201), "HTTP 201", "HTTP 201, acceptée"),
        (
            outcomes.answered(418, AppliedRule("r", ("status",))),
            "HTTP 418, by the rule r: status",
            "HTTP 418, refusée par le SAS",
        ),
        (
            outcomes.answered(201, AppliedRule("r", ("a", "b"), RuleOutcome.FAILED, "KeyError")),
            "HTTP 201, by the rule r: a, b (failed: KeyError)",
            "HTTP 201, acceptée",
        ),
        (outcomes.answered(700), "HTTP 700", "HTTP 700"),
        (outcomes.failed(requests.ReadTimeout("late")), "ReadTimeout: late", "pas de réponse à temps"),
        (outcomes.failed(ZeroDivisionError("odd")), "ZeroDivisionError: odd", "échec technique"),
    ],
)
def test_results_are_kept_as_data_and_told_at_the_edge(result: Issue, in_english: str, in_french: str) -> None:
    kept = from_text(as_text(result))
    assert kept == result
    assert (english(kept), french(kept)) == (in_english, in_french)

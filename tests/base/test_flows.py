"""Which editor and flow a request is of, as the routes have it."""

import pytest

from mock_editor.base.flows import Flow, flow_of

CPTS = "_include=Slot:service-type-reference&_include:iterate=HealthcareService:organization"


@pytest.mark.parametrize(
    ("method", "target", "flow"),
    [
        ("GET", "/e/fhir/Slot?status=free", Flow.INT_R01),
        ("GET", "/e/fhir/Slot/?status=free", Flow.INT_R01),
        ("GET", "/e/fhir/Slot", Flow.INT_R01),
        ("POST", "/e/fhir/Slot/_search", Flow.INT_R01),
        ("GET", f"/e/fhir/Slot?status=free&{CPTS}", Flow.INT_R04),
        ("GET", "/e/fhir/Slot?_include=Slot%3Aservice-type-reference", Flow.INT_R04),
        ("GET", "/e/fhir/Slot?_include%3Aiterate=Slot%3aservice-type-reference%3AHealthcareService", Flow.INT_R04),
        ("POST", f"/e/fhir/Slot/_search?{CPTS}", Flow.INT_R04),
        ("GET", "/e/fhir/Slot?_revinclude=Slot:service-type-reference", Flow.INT_R01),
        ("GET", "/e/fhir/Slot/8101-1-20261120T0800", Flow.READ),
        ("GET", "/e/fhir/Schedule?x=y", Flow.SOS),
        ("POST", "/e/fhir/Schedule/_search", Flow.SOS),
        ("GET", "/e/fhir/Schedule/1", Flow.READ),
        ("POST", "/e/fhir/Practitioner", Flow.INT_R02),
        ("PUT", "/e/fhir/Practitioner?identifier=a", Flow.INT_R02),
        ("PUT", "/e/fhir/Practitioner/7", Flow.INT_R02),
        ("GET", "/e/fhir/Practitioner/7", Flow.READ),
        ("POST", "/e/fhir/Practitioner/_search", Flow.READ),
        ("GET", "/e/fhir/metadata", Flow.METADATA),
        ("GET", "/e/fhir/Location/7", Flow.READ),
        ("GET", "/e/sso/retour?code=a&state=b", Flow.SSO),
        ("GET", "/e/agenda/8101?lieu=1&origin=sas", Flow.WEB),
        ("POST", "/e/connexion", Flow.WEB),
        ("GET", "/e/cgu", Flow.WEB),
        ("GET", "/e/", Flow.WEB),
    ],
)
def test_requests_to_an_editor(method: str, target: str, flow: Flow) -> None:
    path, _, query = target.partition("?")
    assert flow_of(method, path, query, {"e"}) == ("e", flow)


@pytest.mark.parametrize(
    ("path", "flow"),
    [
        ("/_sas/fhir/Appointment", Flow.SAS),
        ("/_idp/token", Flow.IDP),
        ("/", Flow.OTHER),
        ("", Flow.OTHER),
        ("/nobody/fhir/Slot", Flow.OTHER),
    ],
)
def test_what_is_of_no_editor(path: str, flow: Flow) -> None:
    assert flow_of("GET", path, "", {"e"}) == (None, flow)


def test_the_body_of_a_posted_search_tells_int_r04_too() -> None:
    form = b"status=free&_include=Slot%3Aservice-type-reference"
    assert flow_of("POST", "/e/fhir/Slot/_search", "", {"e"}, form) == ("e", Flow.INT_R04)

import pytest

from mock_editor.base.paths import PathMeaning, Surface, classify


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("/e/fhir/Slot", PathMeaning(Surface.EDITOR, "e", True, "Slot", "")),
        ("/e/fhir/Slot/", PathMeaning(Surface.EDITOR, "e", True, "Slot", "")),
        ("/e/fhir/Slot//", PathMeaning(Surface.EDITOR, "e", True, "Slot", "/")),
        ("/e/fhir/Slot/_search", PathMeaning(Surface.EDITOR, "e", True, "Slot", "_search")),
        ("/e/fhir/Practitioner/7/x", PathMeaning(Surface.EDITOR, "e", True, "Practitioner", "7/x")),
        ("/e/fhir", PathMeaning(Surface.EDITOR, "e", True, "", "")),
        ("/e/fhirs/Slot", PathMeaning(Surface.EDITOR, "e", False, "fhirs", "Slot")),
        ("/e/agenda/8101", PathMeaning(Surface.EDITOR, "e", False, "agenda", "8101")),
        ("/e/sso/retour", PathMeaning(Surface.EDITOR, "e", False, "sso", "retour")),
        ("/e", PathMeaning(Surface.EDITOR, "e", False, "", "")),
        ("/_sas/fhir/Appointment/7", PathMeaning(Surface.SAS, "", True, "Appointment", "7")),
        ("/_sas/rendez-vous/7/a/b", PathMeaning(Surface.SAS, "", False, "rendez-vous", "7/a/b")),
        ("/_idp/token", PathMeaning(Surface.IDP, "", False, "token", "")),
        ("/_admin/journal/7", PathMeaning(Surface.ADMIN, "", False, "journal", "7")),
        ("/_console/", PathMeaning(Surface.CONSOLE, "", False, "", "")),
        ("/_health", PathMeaning(Surface.HEALTH, "", False, "", "")),
        ("/_metrics", PathMeaning(Surface.METRICS, "", False, "", "")),
        ("/_static/live.js", PathMeaning(Surface.STATIC, "", False, "live.js", "")),
        ("/favicon.ico", PathMeaning(Surface.STATIC, "", False, "", "")),
        ("/_other/fhir/Slot", PathMeaning(Surface.NONE, "", True, "Slot", "")),
        ("//fhir/Slot", PathMeaning(Surface.NONE, "", False, "fhir", "Slot")),
        ("/", PathMeaning(Surface.NONE, "", False, "", "")),
        ("", PathMeaning(Surface.NONE, "", False, "", "")),
        ("*", PathMeaning(Surface.NONE, "", False, "", "")),
    ],
)
def test_what_a_path_means(path: str, meaning: PathMeaning) -> None:
    assert classify(path) == meaning


@pytest.mark.parametrize(
    ("path", "posted"),
    [
        ("/e/fhir/Slot/_search", True),
        ("/e/fhir/Slot/_search/", True),
        ("/e/fhir/Slot", False),
        ("/e/recherche/_search", False),
    ],
)
def test_a_posted_search(path: str, posted: bool) -> None:
    assert classify(path).posted_search is posted

"""The platform before the editors of a running simulator: signing in, searching, faults, the journal."""

import re
from pathlib import Path

import pytest
import requests

from mock_editor.base import codes
from mock_editor.tls.samples import init
from tests.bench.conftest import Visitor, text
from tests.conftest import NOW
from tests.wire.conftest import Serve
from tests.wire.tls import listening

pytestmark = pytest.mark.wire

EDITORS = ("agenda-ville", "agenda-cpts", "agenda-sos")


def test_signing_in_has_the_platform_tell_every_editor(visitor: Visitor) -> None:
    """Nobody knows her before."""
    assert visitor.sign_in("vasseur").count("créé 20/11/2026 à 08:00:00") == len(EDITORS)
    assert visitor.heading == "Recherche de créneaux"
    told = visitor.journal(flow="INT_R02")
    assert sorted(one["editor"] for one in told) == sorted(EDITORS)
    assert {(one["method"], one["status"]) for one in told} == {("PUT", 201)}
    body = visitor.sent(told[0]["id"])
    assert body["meta"] == {"source": codes.SAS_OID, "profile": [codes.REGULATOR_PROFILE]}
    assert (body["active"], body["name"]) == (True, [{"family": "VASSEUR", "given": ["Loïc"]}])

    # Again, it is an update.
    visitor.press("Se déconnecter")
    assert "Se connecter" in text(visitor.html)
    assert visitor.sign_in("vasseur").count("mis à jour") == len(EDITORS)
    assert len(visitor.journal(flow="INT_R02")) == 2 * len(EDITORS)


def test_signing_out_ends_the_session_at_the_provider_too(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.press("Se déconnecter")
    visitor.go("/_sas/connexion")
    assert "/_idp/authorize" in visitor.at


def test_an_editor_that_refuses_an_account_says_why(visitor: Visitor) -> None:
    visitor.rule(flows=["INT_R02"], editors=["agenda-cpts"], do=[{"kind": "status", "code": 422}])
    page = visitor.sign_in("vasseur")
    assert page.count("créé") == 2
    assert "Agenda CPTS refusé (HTTP 422)" in page


@pytest.mark.parametrize(
    ("query", "flow", "batches", "editor"),
    [
        # All practitioners of the scenario, and those that consult in Rennes.
        ("offre=ps", "INT_R01", 2, "Agenda Ville"),
        ("offre=ps&territoire=35", "INT_R01", 1, "Agenda Ville"),
        ("offre=cpts&territoire=Cergy", "INT_R04", 1, "Agenda CPTS"),
        ("offre=sos&territoire=33", "SOS", 1, "Agenda SOS"),
    ],
)
def test_every_editor_is_asked_and_right_answers_break_no_rule(
    visitor: Visitor, query: str, flow: str, batches: int, editor: str
) -> None:
    visitor.sign_in()
    page = visitor.go(f"/_sas/recherche?{query}&complet=oui")
    assert "Recherche terminée" in page
    assert re.search(rf"{editor} {flow}, \d+ identifiants? : [1-9]\d* créneaux", page)
    assert "enfreinte" not in page
    assert "non rapproché" not in page
    asked = visitor.journal(flow=flow)
    assert {one["editor"] for one in asked} == set(EDITORS)
    assert len(asked) == batches * len(EDITORS)
    system = codes.STRUCTURE_OID if flow == "SOS" else codes.PRACTITIONER_OID
    assert max(one["url"].count(system) for one in asked) <= 25
    assert {one["status"] for one in asked} == {200}

    # The next time only whoever had slots is asked for those.
    visitor.go(f"/_sas/recherche?{query}&complet=oui")
    again = visitor.journal(flow=flow)[len(asked) :]
    known = {editor: sum(one["url"].count(system) for one in again if one["editor"] == editor) for editor in EDITORS}
    assert sum(known.values()) < sum(one["url"].count(system) for one in asked)


def test_slots_of_cpts_name_the_community(visitor: Visitor) -> None:
    visitor.sign_in()
    page = visitor.go("/_sas/recherche?territoire=Cergy&offre=cpts&complet=oui")
    assert "CPTS au cabinet CPTS AXE MAJEUR" in page


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ({"kind": "status", "code": 503}, r"HTTP 503 en"),
        ({"kind": "connection-reset"}, r"pas de réponse en \d,\d\d s connexion rompue sans réponse"),
        ({"kind": "truncated-body"}, r"pas de réponse en \d,\d\d s réponse interrompue avant sa fin"),
        ({"kind": "slots-not-free"}, r"Les créneaux sont libres\. entry\[\d+\]\.resource\.status"),
        ({"kind": "wrong-total"}, r"« total » est le nombre de créneaux\. Bundle\.total : \d+, pour \d+ créneau"),
        ({"kind": "comment-blank"}, r"n’est pas une adresse"),
        ({"kind": "unasked-practitioner"}, r"n’a pas été demandé"),
    ],
)
def test_what_goes_wrong_is_told(visitor: Visitor, kind: dict[str, object], shown: str) -> None:
    visitor.sign_in()
    visitor.rule(flows=["INT_R01"], editors=["agenda-ville"], do=[kind])
    page = visitor.go("/_sas/recherche?territoire=Rennes&offre=ps&complet=oui")
    assert visitor.status == 200
    assert re.search(shown, page), page
    # The others answer all the same.
    assert re.search(r"Agenda SOS INT_R01, \d+ identifiants : 0 créneau en", page)


def test_a_withdrawn_regulator_gets_in_nowhere_until_brought_back(visitor: Visitor) -> None:
    visitor.sign_in("vasseur")
    visitor.go("/_sas/regulateurs")
    page = visitor.press("Retirer Loïc VASSEUR")
    assert "Loïc VASSEUR habilitation retirée" in page
    told = visitor.journal(flow="INT_R02")[-3:]
    assert {visitor.sent(one["id"])["active"] for one in told} == {False}
    assert {one["editor"] for one in told} == set(EDITORS)

    assert "Se connecter" in visitor.go("/_sas/")
    visitor.go("/_sas/connexion")
    assert (visitor.status, visitor.heading) == (403, "Accès retiré")
    assert len(visitor.journal(flow="INT_R02")) == 6

    visitor.go("/_sas/regulateurs")
    page = visitor.press("Rétablir Loïc VASSEUR")
    assert "habilitation retirée" not in page
    visitor.go("/_sas/connexion")
    assert (visitor.status, visitor.heading) == (200, "Recherche de créneaux")


def test_a_call_from_an_lrm_leads_through_signing_in_to_results(visitor: Visitor) -> None:
    visitor.go("/_sas/lrm?territoire=Saint-Malo&specialite=SM54&offre=ps")
    [address] = re.findall(r'<pre tabindex="0">(.*?)</pre>', visitor.html)
    path = address.replace("&amp;", "&").removeprefix(visitor.url)
    visitor.sign_in(path=path)
    assert visitor.heading == "Résultats de la recherche"
    assert visitor.at == f"{visitor.url}/_sas/recherche?territoire=Saint-Malo&specialite=SM54&offre=ps"
    page = visitor.go(path + "&complet=oui")
    assert "PS à titre individuel · Saint-Malo · " in page


def test_a_reset_signs_everybody_out_and_forgets_who_is_known(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.go("/_sas/recherche?territoire=35&complet=oui")
    requests.post(f"{visitor.url}/_admin/reset", timeout=20).raise_for_status()
    assert "Se connecter" in visitor.go("/_sas/")
    assert "mis à jour" not in visitor.go("/_sas/regulateurs")
    # Nor is anybody signed in at the identity provider any more.
    visitor.go("/_sas/connexion")
    assert "/_idp/authorize?" in visitor.at
    visitor.sign_in()
    visitor.go("/_sas/recherche?territoire=35&complet=oui")
    assert {one["editor"] for one in visitor.journal(flow="INT_R01")} == set(EDITORS)


def test_nobody_signs_in_who_refuses(visitor: Visitor) -> None:
    visitor.go("/_sas/connexion")
    asked = re.findall(r'name="demande" value="([^"]*)"', visitor.html)[0]
    answer = visitor.session.post(f"{visitor.url}/_idp/connexion", data={"demande": asked, "refus": "1"}, timeout=20)
    assert (answer.status_code, "Connexion refusée" in answer.text) == (403, True)


# --- mutual TLS


def test_with_mutual_tls_editors_see_the_certificate_of_the_platform(serve: Serve, tmp_path: Path) -> None:
    init(tmp_path / "tls")
    folder = tmp_path / "tls"
    identity = ("--bench-certificate", "sas.pem", "--bench-key", "sas.key.pem", "--bench-authority", "authority.pem")
    options = [str(folder / one) if one.endswith(".pem") else one for one in identity]
    visitor = Visitor(serve("--now", NOW.isoformat(), *listening(folder), *options))
    assert visitor.sign_in("vasseur").count("créé") == len(EDITORS)
    page = visitor.go("/_sas/recherche?territoire=Rennes&complet=oui")
    assert re.search(r"Agenda Ville INT_R01, \d+ identifiants : [1-9]\d* créneaux", page)
    assert "enfreinte" not in page
    assert "GET https://" in page
    told = visitor.journal(flow="INT_R01")
    assert all("CN=sas.example" in one["certificate"] for one in told)


def test_without_a_certificate_the_page_says_why_editors_refuse(serve: Serve, tmp_path: Path) -> None:
    init(tmp_path / "tls")
    folder = tmp_path / "tls"
    authority = ("--bench-authority", str(folder / "authority.pem"))
    visitor = Visitor(serve("--now", NOW.isoformat(), *listening(folder), *authority))
    page = visitor.sign_in()
    assert page.count("refusé (HTTP 403)") == page.count("(--bench-certificate)") == len(EDITORS)
    page = visitor.go("/_sas/recherche?territoire=Rennes&complet=oui")
    assert page.count("HTTP 403") == page.count("(--bench-certificate)") == len(EDITORS)


def test_an_editor_whose_certificate_is_of_nobody_known_is_not_told_anything(serve: Serve, tmp_path: Path) -> None:
    init(tmp_path / "tls")
    visitor = Visitor(serve("--now", NOW.isoformat(), *listening(tmp_path / "tls")))
    page = visitor.sign_in()
    assert page.count("échec de TLS") == page.count("(--bench-authority)") == len(EDITORS)

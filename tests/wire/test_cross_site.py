"""Pages of other sites in a browser that reaches the simulator: they change nothing, whatever the browser is."""

import re
from collections.abc import Iterator, Mapping

import pytest
import requests
from flask import Flask

from tests.conftest import GUIDE_THOMAS
from tests.wire.conftest import Serve, Simulator, form_key

pytestmark = pytest.mark.wire

FORM = "application/x-www-form-urlencoded"
AGENDA = f"/agenda-ville/agenda/{GUIDE_THOMAS}"
FOREIGN: list[Mapping[str, str]] = [
    {"Origin": "https://pirate.example"},
    {"Origin": "null"},
    {"Referer": "https://pirate.example/page"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost:1", "Sec-Fetch-Site": "same-site"},
]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("simulator")
    one = Simulator(folder, log=folder / "log")
    yield one
    assert one.stop()[0] == 0


def sign_in(simulator: Simulator) -> tuple[requests.Session, str]:
    """Somebody on the page where the identity provider asks who is there, and its demand."""
    requests.post(f"{simulator.url}/_admin/reset", timeout=20).raise_for_status()
    browser = requests.Session()
    page = browser.get(f"{simulator.url}{AGENDA}?lieu=1&origin=sas", timeout=20)
    return browser, re.findall('name="demande" value="([^"]*)"', page.text)[0]


@pytest.mark.parametrize("headers", FOREIGN)
def test_the_admin_api_is_not_for_pages_of_other_sites(simulator: Simulator, headers: Mapping[str, str]) -> None:
    requests.post(f"{simulator.url}/_admin/clock/freeze", json={"at": "2026-11-20T08:00:00Z"}, timeout=20)
    for content in ({}, {"Content-Type": "text/plain"}, {"Content-Type": FORM}, {"Content-Type": "application/json"}):
        for path in ("reset", "clock/real"):
            answer = requests.post(f"{simulator.url}/_admin/{path}", headers={**headers, **content}, timeout=20)
            assert answer.status_code == 403
            assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert requests.get(f"{simulator.url}/_admin/clock", timeout=20).json()["now"].startswith("2026-11-20T08:00:00")


@pytest.mark.parametrize("kind", ["text/plain", FORM, "multipart/form-data; boundary=x"])
def test_the_admin_api_takes_no_form_from_whoever_says_nothing_of_a_site(simulator: Simulator, kind: str) -> None:
    for body in (b"", b"{}", b"a=b"):
        answer = requests.post(f"{simulator.url}/_admin/reset", data=body, headers={"Content-Type": kind}, timeout=20)
        assert answer.status_code == 415
        assert "expected application/json" in answer.json()["detail"]


def test_programs_that_say_nothing_change_what_they_like(simulator: Simulator) -> None:
    for own in ({}, {"Origin": simulator.url}, {"Referer": f"{simulator.url}/_console/"}, {"Sec-Fetch-Site": "none"}):
        assert requests.post(f"{simulator.url}/_admin/reset", headers=own, timeout=20).status_code == 204
        sent = requests.post(f"{simulator.url}/_admin/reset", json={}, headers=own, timeout=20)
        assert sent.status_code == 204


@pytest.mark.parametrize("headers", FOREIGN)
def test_nobody_is_signed_in_by_another_site(simulator: Simulator, headers: Mapping[str, str]) -> None:
    browser, demand = sign_in(simulator)
    fields = {"demande": demand, "personne": "mercier"}
    refused = browser.post(f"{simulator.url}/_idp/connexion", data=fields, headers=headers, timeout=20)
    assert refused.status_code == 403
    assert "mock_idp" not in browser.cookies
    own = {"Origin": simulator.url, "Accept": "text/html"}
    shown = browser.post(f"{simulator.url}/_idp/connexion", data=fields, headers=own, timeout=20)
    assert "Conditions générales" in shown.text
    terms = {"accepter": "1", "jeton": form_key(shown.text)}
    for extra, status in ((headers, 403), (own, 303)):
        answer = browser.post(
            f"{simulator.url}/agenda-ville/cgu", data=terms, headers=extra, allow_redirects=False, timeout=20
        )
        assert answer.status_code == status
    told = browser.post(f"{simulator.url}/agenda-ville/deconnexion", headers={**headers, "Accept": "text/html"})
    assert (told.status_code, "<h1>Demande d’un autre site</h1>" in told.text) == (403, True)


@pytest.mark.parametrize("headers", FOREIGN)
def test_no_path_that_changes_something_takes_what_another_site_sends(app: Flask, headers: Mapping[str, str]) -> None:
    client, tried = app.test_client(), set()
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: "agenda-ville" if name[1] == "editor" else "1", rule.rule)
            answer = client.open(path, method=method, headers=headers)
            if "/fhir/" in path:
                # No page can send JSON to another site unasked.
                assert client.open(path, method=method, content_type="text/plain").status_code in (400, 405, 415)
            elif path not in ("/_idp/authorize", "/_idp/token", "/_idp/userinfo", "/_idp/deconnexion"):
                assert answer.status_code == 403, (method, path)
                tried.add(path.split("/")[1])
    assert tried >= {"_admin", "_console", "_sas", "_idp", "agenda-ville"}


def test_a_browser_gets_one_cookie_for_the_forms_of_all_pages(simulator: Simulator) -> None:
    browser = requests.Session()
    for path in ("/_console/", "/agenda-ville/connexion", "/agenda-sos/connexion", "/_sas/regulateurs"):
        browser.get(f"{simulator.url}{path}", timeout=20).raise_for_status()
    assert [re.sub("[0-9a-f]{8}$", "#", name) for name in browser.cookies.keys()] == ["formulaire-#"]  # noqa: SIM118


def test_a_cookie_that_somebody_else_has_planted_opens_no_form(simulator: Simulator) -> None:
    browser = requests.Session()
    page = browser.get(f"{simulator.url}/agenda-ville/connexion", timeout=20)
    [name] = browser.cookies.keys()
    visit = f"{simulator.url}/agenda-ville/visite"
    stranger = form_key(requests.get(f"{simulator.url}/agenda-ville/connexion", timeout=20).text)
    for key in (browser.cookies[name], stranger):
        assert browser.post(visit, data={"jeton": key}, allow_redirects=False, timeout=20).status_code == 400
    planted = {"Cookie": f"{name}={'x' * 32}"}
    assert requests.post(visit, data={"jeton": "x" * 32}, headers=planted, timeout=20).status_code == 400
    sent = browser.post(visit, data={"jeton": form_key(page.text)}, allow_redirects=False, timeout=20)
    assert sent.status_code == 303


def test_simulators_on_other_ports_do_not_undo_each_others_forms(simulator: Simulator, serve: Serve) -> None:
    other, browser = serve(), requests.Session()
    keys = {}
    for one in (simulator, other, simulator):
        keys[one.url] = form_key(browser.get(f"{one.url}/_console/", timeout=20).text)
    for url, key in keys.items():
        data = {"jeton": key, "vers": "/_console/"}
        sent = browser.post(f"{url}/_console/faire/reset", data=data, allow_redirects=False, timeout=20)
        assert sent.status_code == 303

"""The platform in a real browser: the whole way from signing in to an appointment that has come back."""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import OpenPage, Site, accept_terms, choose, confirm, enter, go, led, press, tab_to, title
from tests.browser.test_layout import Album
from tests.wire.conftest import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser


@pytest.fixture
def album() -> Album:
    return Album()


def sign_in(page: "Page", site: Site, name: str = "Solène MERCIER") -> None:
    go(page, f"{site.url}/_sas/")
    press(page, "Se connecter", "link")
    choose(page, name)
    assert title(page) == "Recherche de créneaux"


def search(page: "Page", territory: str, offer: str = "PS à titre individuel") -> None:
    page.get_by_label("Territoire").fill(territory)
    page.get_by_role("radio", name=offer).check()
    press(page, "Rechercher")


def over(page: "Page") -> "Locator":
    found = page.get_by_text("Recherche terminée")
    found.wait_for()
    return found


def follow(page: "Page", link: "Locator") -> "Page":
    """The new tab that a link opens."""
    with page.context.expect_page() as opened:
        link.click()
    return opened.value


def test_from_signing_in_to_the_appointment_that_comes_back(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    hosts = set()
    page.context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    sign_in(page, site)
    assert page.get_by_text("mis à jour").count() == 3
    received = page.context.new_page()
    go(received, f"{site.url}/_sas/rendez-vous")
    assert received.get_by_text("Aucun rendez-vous reçu.").is_visible()

    page.bring_to_front()
    search(page, "Rennes")
    over(page)
    first = page.get_by_role("link", name=re.compile("^Réserver à ")).first
    assert "origin=sas" in (first.get_attribute("href") or "")
    agenda = follow(page, first)
    # No login: the session at the identity provider is that of the platform.
    # The editor does not learn where its visitor comes from.
    assert agenda.evaluate("document.referrer") == ""
    accept_terms(agenda)
    assert agenda.get_by_text("Régulateur SAS").is_visible()
    assert urlsplit(agenda.evaluate("document.referrer")).path == "/agenda-ville/cgu"
    led(agenda, agenda.get_by_role("link", name=re.compile("^Réserver ")).first.click)
    confirm(agenda)
    assert agenda.get_by_role("status").inner_text() == "Le rendez-vous est pris."

    # By itself, without anybody reloading the page.
    received.bring_to_front()
    row = received.get_by_role("row").filter(has_text="Confirmé")
    row.wait_for()
    agenda.bring_to_front()
    press(agenda, "Annuler le rendez-vous")
    received.bring_to_front()
    received.get_by_role("row").filter(has_text="Annulé").wait_for()
    led(received, received.get_by_role("row").get_by_role("link").click)
    assert received.get_by_role("heading", level=2).all_inner_texts() == [
        "Version 2 (actuelle) : Annulé",
        "Version 1 : Confirmé",
    ]
    received.get_by_text("Message au LRM (INT_L02)").first.click()
    assert received.get_by_text('"method": "UpdateAppointment"').is_visible()
    assert hosts == {urlsplit(site.url).netloc}


def test_a_search_is_over_when_all_have_answered(site: Site, open_page: OpenPage) -> None:
    """A browser would open the stream again, and the search begin anew."""
    page = open_page()
    page.add_init_script(
        "window.sources = []; window.EventSource = class extends EventSource {"
        "  constructor(url) { super(url); window.sources.push(this); } };"
    )
    sign_in(page, site)
    search(page, "Rennes")
    over(page)
    assert eventually(lambda: page.evaluate("window.sources.map(one => one.readyState)") == [2])  # closed
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("window.sources.length") == 1


def test_without_scripts_everything_works(site: Site, open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    sign_in(page, site)
    page.get_by_label("Territoire").fill("Rennes")
    page.get_by_role("button", name="Rechercher").click()
    page.wait_for_url("**complet=oui**")
    assert over(page).is_visible()
    assert page.get_by_role("link", name=re.compile("^Réserver à ")).count() > 20
    go(page, f"{site.url}/_sas/regulateurs")
    press(page, "Retirer Solène MERCIER")
    assert page.get_by_text("habilitation retirée").is_visible()
    press(page, "Rétablir Solène MERCIER")
    assert page.get_by_text("habilitation retirée").count() == 0


def test_everything_can_be_done_with_the_keyboard(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, f"{site.url}/_sas/")
    tab_to(page, "Se connecter")
    enter(page)
    choose(page, "Solène MERCIER")
    tab_to(page, "Territoire")
    page.keyboard.type("35000")
    tab_to(page, "Rechercher")
    enter(page)
    over(page)
    tab_to(page, "Réserver à")
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    assert "origin=sas" in opened.value.url or "/cgu" in opened.value.url


def test_the_pages_fit_the_screen(site: Site, album: Album, open_page: OpenPage) -> None:
    page = album.follow(open_page())
    go(page, f"{site.url}/_sas/")
    album.look(page, "sas-accueil")
    sign_in(page, site)
    album.look(page, "sas-recherche")
    for name, offer, territory in (
        ("ps", "PS à titre individuel", "Rennes"),
        ("cpts", "PS en CPTS", "95"),
        ("sos", "SOS Médecins", "33"),
    ):
        go(page, f"{site.url}/_sas/")
        search(page, territory, offer)
        over(page)
        album.look(page, f"sas-{name}")
    rule = {"flows": ["INT_R01"], "editors": ["agenda-ville"], "do": [{"kind": "slots-not-free"}]}
    page.request.put(f"{site.url}/_admin/faults/a", data=rule)
    rule = {"flows": ["INT_R01"], "editors": ["agenda-sos"], "do": [{"kind": "status", "code": 503}]}
    page.request.put(f"{site.url}/_admin/faults/b", data=rule)
    go(page, f"{site.url}/_sas/recherche?territoire=Rennes&complet=oui")
    page.get_by_text("règle enfreinte").click()
    page.get_by_text("Requête envoyée").first.click()
    album.look(page, "sas-faults")
    go(page, f"{site.url}/_sas/recherche?territoire=ailleurs&complet=oui")
    album.look(page, "sas-nobody")

    agenda = page.context.new_page()
    go(agenda, site.link() + "&origin=sas")
    accept_terms(agenda)
    led(agenda, agenda.get_by_role("link", name=re.compile("^Réserver ")).first.click)
    confirm(agenda)
    page.bring_to_front()
    go(page, f"{site.url}/_sas/rendez-vous")
    page.get_by_role("row").filter(has_text="Confirmé").wait_for()
    album.look(page, "sas-rendez-vous")
    led(page, page.get_by_role("row").get_by_role("link").click)
    page.get_by_text("Message au LRM (INT_L02)").click()
    album.look(page, "sas-fiche")

    go(page, f"{site.url}/_sas/regulateurs")
    press(page, "Retirer Garance TESSIER")
    album.look(page, "sas-regulateurs")
    go(page, f"{site.url}/_sas/lrm?territoire=Rennes&specialite=SM54&offre=ps")
    album.look(page, "sas-lrm")
    go(page, f"{site.url}/_sas/connexion/retour?state=x")
    album.look(page, "400-sas")
    go(page, f"{site.url}/_sas/rendez-vous/none")
    album.look(page, "404-sas")
    assert album.wrong == []

"""Faults, the scenario and the clock in the console: by keyboard only, live, on a narrow and on a wide screen."""

import re
from typing import TYPE_CHECKING

import pytest
import requests

from tests.browser.conftest import NOW, OpenPage, Served, Site, enter, go, led, press, tab_to, title
from tests.browser.test_layout import Album

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FAULTS, SCENARIO, CLOCK = (f"/_console/{one}" for one in ("pannes", "scenario", "horloge"))


def open_at(open_page: OpenPage, url: str) -> "Page":
    page = open_page()
    go(page, url)
    return page


def admin(site: Site, method: str, path: str, **options: object) -> requests.Response:
    answer = requests.request(method, f"{site.url}/_admin{path}", timeout=20, **options)  # type: ignore[arg-type]
    answer.raise_for_status()
    return answer


def play(site: Site, scenario: str) -> None:
    """Has a server of the test's own play another scenario, at the same time."""
    admin(site, "PUT", "/scenario", json={"name": scenario})
    admin(site, "POST", "/clock/freeze", json={"at": NOW})


def test_a_rule_is_added_by_keyboard_only(site: Site, open_page: OpenPage) -> None:
    page = open_at(open_page, site.url + FAULTS)
    tab_to(page, "Ajouter une panne")
    enter(page)
    tab_to(page, "Chercher")
    page.keyboard.type("retard constant")
    enter(page)
    tab_to(page, "Retard constant")
    enter(page)
    tab_to(page, "Nom de la panne")
    page.keyboard.press("Control+A")
    page.keyboard.type("au-clavier")
    tab_to(page, "Retard (s)")
    page.keyboard.press("Control+A")
    page.keyboard.type("1.5")
    tab_to(page, "Agenda Ville")
    page.keyboard.press("Space")
    enter(page)
    assert title(page) == "Pannes"
    assert page.get_by_role("status").inner_text() == "La panne « au-clavier » est créée."
    rule = admin(site, "GET", "/faults/au-clavier").json()["rule"]
    assert (rule["editors"], rule["do"][0]["seconds"]) == (["agenda-ville"], 1.5)
    tab_to(page, "Désactiver")
    enter(page)
    assert page.get_by_role("row", name=re.compile("au-clavier")).get_by_text("désactivée").is_visible()


def test_counts_move_by_themselves(site: Site, open_page: OpenPage) -> None:
    admin(site, "PUT", "/faults/douce", json={"flows": ["INT_R01"], "do": [{"kind": "latency", "seconds": 0}]})
    page = open_at(open_page, site.url + FAULTS)
    row = page.get_by_role("row", name=re.compile("^douce"))
    assert row.locator('[data-label="Touchés"]').inner_text() == "0"
    site.slots()
    row.locator('[data-label="Touchés"]', has_text="1").wait_for()


def test_the_progress_of_a_timeline_moves(serve: Served, open_page: OpenPage) -> None:
    site = serve()
    play(site, "chaos-editeur-mort")
    page = open_at(open_page, site.url + FAULTS)
    press(page, "Démarrer panne-de-dix-minutes")
    bar = page.get_by_role("progressbar")
    assert bar.evaluate("one => one.value") == 0
    admin(site, "POST", "/clock/advance", json={"seconds": 90})
    page.locator('progress[value="90.0"]').wait_for()
    assert "la suivante dans 3 min 30 s, la dernière dans 8 min 30 s" in page.locator(".timeline").inner_text()
    admin(site, "POST", "/clock/run", json={"rate": 100})
    page.get_by_text("Dernière étape passée").wait_for()
    assert page.locator("[aria-current=step]").inner_text().startswith("10 min")
    press(page, "Arrêter panne-de-dix-minutes")
    assert page.get_by_role("progressbar").count() == 0


def test_the_clock_ticks_on_its_page(site: Site, open_page: OpenPage) -> None:
    page = open_at(open_page, site.url + CLOCK)
    assert page.locator(".clock-now").inner_text() == "08:00:00"
    press(page, "1 h d’avance")
    assert page.locator(".clock-now").inner_text() == "09:00:00"
    admin(site, "POST", "/clock/run", json={"rate": 3600})
    page.locator(".clock-now", has_text=re.compile("^1[0-9]:")).wait_for()


def test_a_kept_state_is_chosen_before_a_scenario_is_loaded(site: Site, open_page: OpenPage) -> None:
    page = open_at(open_page, site.url + SCENARIO)
    row = page.get_by_role("row", name=re.compile("^decouverte"))
    row.get_by_label("Garder l’état").check()
    row.locator("summary").click()
    led(page, lambda: row.get_by_role("button", name=re.compile("^Confirmer")).click())
    assert page.get_by_role("status").inner_text() == "Le scénario « decouverte » est en jeu."


def test_pages_fit_narrow_and_wide_screens(serve: Served, open_page: OpenPage) -> None:
    site, album = serve(), Album()
    play(site, "chaos-erreurs-faq")
    page = album.follow(open_page())

    def look(path: str, name: str) -> None:
        go(page, site.url + path)
        album.look(page, name)

    look(FAULTS, "pannes")
    look(f"{FAULTS}?editeur=agenda-faq", "pannes-d-un-logiciel")
    look(f"{FAULTS}/genres", "pannes-genres")
    look(f"{FAULTS}/nouvelle?genre=status", "pannes-nouvelle")
    page.get_by_label("Nom de la panne").fill("tout-a-la-fois")
    page.get_by_label("Un effet de plus").select_option("genre=phone-not-international")
    press(page, "Ajouter cet effet")
    album.look(page, "pannes-deux-effets")
    press(page, "Ajouter cette panne")
    album.look(page, "409-pannes-refusee")
    look(f"{FAULTS}/regle/tout-a-la-fois", "pannes-regle")
    look(SCENARIO, "scenario")
    look(f"{SCENARIO}/texte", "scenario-texte")
    look(f"{SCENARIO}/essai", "scenario-essai")
    page.get_by_label("Scénario, en YAML").fill("name: essai\ntitel: Une faute\n" + 40 * "longue-" + ": x\n")
    press(page, "Vérifier")
    album.look(page, "422-scenario-essai-faux")
    look(CLOCK, "horloge")
    press(page, "Avancer")
    album.look(page, "422-horloge-refusee")
    play(site, "chaos-editeur-mort")
    admin(site, "POST", "/timelines/panne-de-dix-minutes/start")
    admin(site, "POST", "/clock/advance", json={"minutes": 6})
    look(FAULTS, "pannes-deroule")
    look(f"{FAULTS}/regle/temoin-lent", "pannes-regle-de-deroule")
    assert album.wrong == []

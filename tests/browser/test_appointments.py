"""Taking, moving and cancelling appointments on the pages."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import (
    FORET,
    MERCIER,
    RENNES,
    THOMAS,
    OpenPage,
    Site,
    arrive,
    badges,
    book,
    confirm,
    enter,
    go,
    led,
    press,
    shown_starts,
    slots,
    start_of,
    tab_to,
    title,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

GONE = "Ce créneau n’est plus libre : quelqu’un d’autre vient de le prendre."


def test_of_two_browsers_that_confirm_the_same_slot_one_wins(site: Site, open_page: OpenPage) -> None:
    first, second = open_page(), open_page()
    arrive(first, site.link())
    arrive(second, site.link(), "roussel")
    for page in (first, second):
        led(page, slots(page).first.click)
    assert first.url == second.url
    assert confirm(second).status == 200
    assert title(second) == "Rendez-vous"
    assert confirm(first).status == 409
    assert title(first) == "Créneau déjà pris"
    assert first.get_by_text(GONE).is_visible()


def test_the_slot_asked_for_is_shown_or_said_to_be_gone(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link())
    led(page, slots(page).first.click)
    press(page, "Choisir un autre créneau", "link")
    asked = page.locator(".slot.asked")
    assert asked.count() == 1
    url = page.url
    led(page, asked.get_by_role("link").click)
    confirm(page)
    go(page, url)
    assert page.locator(".slot.asked").count() == 0
    assert page.get_by_role("alert").inner_text() == "Le créneau demandé n’est plus libre. En voici d’autres."


def test_a_form_opened_twice_by_the_same_person_takes_one_slot(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link())
    found = site.starts()
    tab = page.context.new_page()
    go(tab, site.link())
    led(tab, slots(tab).first.click)
    start = book(page)
    assert confirm(tab).status == 409
    # Going back does not lead to a form either.
    answer = page.go_back()
    assert answer
    assert answer.status == 409
    assert site.starts() == found - {start}


def test_a_cancelled_appointment_gives_its_slot_back(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link())
    found = site.starts()
    start = book(page)
    assert site.starts() == found - {start}
    own = page.url
    press(page, "Annuler le rendez-vous")
    assert page.locator(".state").inner_text() == "Annulé"
    assert page.get_by_role("link", name="Déplacer").count() == 0
    assert page.get_by_role("button", name="Annuler le rendez-vous").count() == 0
    assert site.starts() == found
    go(page, site.link())
    assert shown_starts(page) == found
    go(page, own)
    assert page.locator(".state").inner_text() == "Annulé"


def test_a_moved_appointment_gives_the_old_slot_back_and_takes_the_new_one(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link())
    found = site.starts()
    old = book(page)
    reference = page.locator(".reference").inner_text()
    press(page, "Déplacer", "link")
    assert title(page) == "Déplacer un rendez-vous"
    choice = page.get_by_role("button", name=re.compile("^Choisir ")).last
    new = start_of(choice.inner_text())
    led(page, choice.click)
    assert page.locator(".reference").inner_text() == reference
    assert start_of(page.locator("dl").inner_text()) == new
    assert site.starts() == found - {new}
    assert new != old


def test_moving_to_a_slot_that_was_just_taken_changes_nothing(site: Site, open_page: OpenPage) -> None:
    first, second = open_page(), open_page()
    arrive(first, site.link())
    found = site.starts()
    old = book(first)
    own = first.url
    press(first, "Déplacer", "link")
    arrive(second, site.link(), "roussel")
    taken = book(second)
    choice = first.get_by_role("button", name=re.compile("^Choisir ")).first
    assert start_of(choice.inner_text()) == taken
    assert led(first, choice.click).status == 409
    assert first.get_by_text(GONE).is_visible()
    go(first, own)
    assert start_of(first.locator("dl").inner_text()) == old
    assert site.starts() == found - {old, taken}


def test_an_appointment_may_be_moved_to_another_week(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link())
    found = site.starts()
    book(page)
    press(page, "Déplacer", "link")
    press(page, "Semaine suivante →", "link")
    assert title(page) == "Déplacer un rendez-vous"
    choice = page.get_by_role("button", name=re.compile("^Choisir ")).first
    new = start_of(choice.inner_text())
    led(page, choice.click)
    assert start_of(page.locator("dl").inner_text()) == new
    assert site.starts() == found


def test_a_private_person_books_a_public_slot_without_an_account(site: Site, open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    go(page, site.link())
    press(page, "Continuer sans compte")
    assert page.url == site.link()
    found = site.starts()
    assert shown_starts(page) == site.starts(public=True)
    assert badges(page) == set()
    start = book(page, "Particulier-Fictif")
    assert page.get_by_text("sans passer par le SAS").is_visible()
    assert site.starts() == found - {start}
    # Nobody else sees it, with or without an account.
    go(other, site.link())
    press(other, "Continuer sans compte")
    assert go(other, page.url).status == 404
    arrive(other, site.link())
    assert go(other, page.url).status == 404


def test_a_regulator_books_a_cpts_slot_and_the_public_never_sees_one(site: Site, open_page: OpenPage) -> None:
    page, private = open_page(), open_page()
    link, found = site.link(FORET, "agenda-cpts"), site.starts(FORET, "agenda-cpts")
    arrive(page, link)
    assert shown_starts(page) == found
    kept = page.locator(".slot").filter(has=page.get_by_text("CPTS", exact=True))
    kept = kept.filter(has_not=page.get_by_text("Grand public")).first.get_by_role("link")
    start = start_of(kept.inner_text())
    go(private, link)
    press(private, "Continuer sans compte")
    assert shown_starts(private) == site.starts(FORET, "agenda-cpts", public=True)
    assert start not in shown_starts(private)
    led(page, kept.click)
    confirm(page)
    assert site.starts(FORET, "agenda-cpts") == found - {start}


def test_an_appointment_at_sos_medecins_waits_for_a_doctor(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link(RENNES, "agenda-sos"))
    before = len(site.slots(RENNES, "agenda-sos"))
    book(page)
    assert page.locator(".state").inner_text() == "En attente d’un médecin"
    assert len(site.slots(RENNES, "agenda-sos")) == before - 1


def test_the_two_places_of_a_practitioner_have_agendas_of_their_own(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link(THOMAS))
    first = shown_starts(page)
    press(page, "30 rue Mme DELMAS", "link")
    assert first | shown_starts(page) == site.starts(THOMAS)
    book(page)
    assert page.get_by_text("30 rue Mme DELMAS").is_visible()


def test_somebody_else_s_appointment_looks_like_one_that_does_not_exist(site: Site, open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    arrive(page, site.link())
    book(page)
    arrive(other, site.link(), "roussel")
    told = []
    for url in (page.url, f"{site.url}/agenda-ville/rendez-vous/00000000-0000-0000-0000-000000000000"):
        assert go(other, url).status == 404
        told.append(other.locator("main").inner_text())
    assert told[0] == told[1]


# --- keys only, and no JavaScript


def test_from_the_login_page_to_an_appointment_with_the_keyboard_alone(site: Site, open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    go(page, site.link())
    tab_to(page, "Adresse e-mail")
    page.keyboard.type(MERCIER)
    tab_to(page, "Mot de passe")
    page.keyboard.type(site.account(MERCIER)["password"])
    tab_to(page, "Se connecter")
    enter(page)
    tab_to(page, "J’accepte les conditions")
    enter(page)
    book_with_keys(site, page)


def test_from_the_sas_to_an_appointment_with_the_keyboard_alone(site: Site, open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    go(page, site.link() + "&origin=sas")
    tab_to(page, "Solène MERCIER")  # the first of them; arrows lead on
    page.keyboard.press("ArrowDown")
    tab_to(page, "Se connecter")
    enter(page)
    assert page.get_by_text("Idriss ROUSSEL Régulateur SAS").is_visible()
    tab_to(page, "J’accepte les conditions")
    enter(page)
    book_with_keys(site, page)


def book_with_keys(site: Site, page: "Page") -> None:
    found = site.starts()
    start = start_of(tab_to(page, "Réserver"))
    enter(page)
    tab_to(page, "Nom du patient")
    page.keyboard.type("Fictive")
    tab_to(page, "Prénom du patient")
    page.keyboard.type("Camille")
    # Enter in a field sends its form.
    enter(page)
    assert page.get_by_role("status").inner_text() == "Le rendez-vous est pris."
    assert page.get_by_text("Camille Fictive").is_visible()
    assert site.starts() == found - {start}

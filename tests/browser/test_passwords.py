"""The editor's own login page, and what it gives: never the regulator's level."""

import pytest

from tests.browser.conftest import (
    MERCIER,
    TESSIER,
    OpenPage,
    Site,
    accept_terms,
    arrive,
    at_provider,
    badges,
    book,
    go,
    log_in,
    press,
    shown_starts,
    title,
)

pytestmark = pytest.mark.browser

WRONG = "Adresse e-mail ou mot de passe incorrect."
LOCKED = "Trop d’essais : ce compte est verrouillé jusqu’à 08:15."


def password(site: Site, email: str = MERCIER) -> str:
    found: str = site.account(email)["password"]
    return found


def test_without_origin_the_same_account_sees_public_slots_only(site: Site, open_page: OpenPage) -> None:
    regulator, page = open_page(), open_page()
    arrive(regulator, site.link())
    assert badges(regulator) == {"Grand public", "Professionnels", "SNP (SAS)"}
    assert shown_starts(regulator) == site.starts()

    go(page, site.link())
    assert not at_provider(page)
    log_in(page, MERCIER, password(site))
    assert page.url == site.link()
    assert page.get_by_text("Solène MERCIER").is_visible()
    assert not page.get_by_text("Régulateur SAS").is_visible()
    assert badges(page) == set()
    assert shown_starts(page) == site.starts(public=True) < site.starts()


def test_a_kept_slot_cannot_be_booked_without_the_regulator_s_level(site: Site, open_page: OpenPage) -> None:
    regulator, page = open_page(), open_page()
    arrive(regulator, site.link())
    kept = regulator.locator(".slot", has=regulator.get_by_text("SNP (SAS)")).first.get_by_role("link")
    url = site.url + (kept.get_attribute("href") or "")
    assert go(regulator, url).status == 200
    go(page, url)
    log_in(page, MERCIER, password(site))
    assert go(page, url).status == 409
    assert title(page) == "Créneau réservé à d’autres"


def test_an_appointment_taken_through_the_sas_is_not_shown_without_it(site: Site, open_page: OpenPage) -> None:
    regulator, page = open_page(), open_page()
    arrive(regulator, site.link())
    book(regulator, "Patiente-Fictive")
    own = regulator.url
    press(regulator, "Mes rendez-vous", "link")
    assert regulator.get_by_text("Patiente-Fictive").is_visible()

    go(page, site.link())
    log_in(page, MERCIER, password(site))
    press(page, "Mes rendez-vous", "link")
    assert page.get_by_text("Patiente-Fictive").count() == 0
    assert go(page, own).status == 404


def test_a_password_given_by_a_regulator_who_is_there_takes_the_level_away(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link())
    go(page, f"{site.url}/agenda-ville/connexion")
    log_in(page, MERCIER, password(site))
    go(page, site.link())
    assert badges(page) == set()
    go(page, site.link() + "&origin=sas")  # the provider still knows who it is
    assert "SNP (SAS)" in badges(page)


def test_a_withdrawn_account_takes_no_password(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, site.link())
    assert log_in(page, TESSIER, password(site, TESSIER)).status == 403
    assert title(page) == "Accès retiré"


def test_five_wrong_passwords_lock_the_account_for_a_while(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, site.link())
    for told in [WRONG] * 4 + [LOCKED]:
        assert log_in(page, MERCIER, "wrong").status == 403
        assert page.get_by_role("alert").inner_text() == told
    # From now on not even the right one, in another browser either.
    other = open_page()
    go(other, site.link())
    assert log_in(other, MERCIER, password(site)).status == 403
    assert other.get_by_role("alert").inner_text() == LOCKED
    go(other, site.link())
    assert title(other) == "Connexion"


def test_a_forgotten_password_is_renewed_even_for_a_locked_account(site: Site, open_page: OpenPage) -> None:
    page, old = open_page(), password(site)
    go(page, site.link())
    for _ in range(5):
        log_in(page, MERCIER, "wrong")
    press(page, "Mot de passe oublié", "link")
    page.get_by_label("Adresse e-mail").fill(MERCIER)
    press(page, "Renouveler le mot de passe")
    new = password(site)
    assert new != old
    press(page, "Se connecter", "link")
    assert log_in(page, MERCIER, old).status == 403
    assert log_in(page, MERCIER, new).status == 200
    assert accept_terms(page).status == 200


def test_renewing_the_password_of_nobody_tells_nothing(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    told = []
    for email in (MERCIER, "nobody@regulation.example"):
        go(page, f"{site.url}/agenda-ville/mot-de-passe-oublie")
        page.get_by_label("Adresse e-mail").fill(email)
        assert press(page, "Renouveler le mot de passe").status == 200
        told.append(page.locator("main").inner_text())
    assert told[0] == told[1]


def test_refusing_the_terms_ends_the_session(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, site.link())
    log_in(page, MERCIER, password(site))
    assert press(page, "Je refuse").status == 403
    assert title(page) == "Conditions refusées"
    go(page, site.link())
    assert title(page) == "Connexion"


def test_who_logs_out_is_out(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    arrive(page, site.link())
    press(page, "Se déconnecter")
    assert title(page) == "Vous êtes déconnecté"
    go(page, site.link())
    assert title(page) == "Connexion"

"""From a link of the SAS to an agenda, through the embedded identity provider."""

import re
from functools import partial
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
import requests

from tests.browser.conftest import (
    FORET,
    KEPT,
    KERVELLA,
    MERCIER,
    RENNES,
    ROUSSEL,
    THOMAS,
    OpenPage,
    Site,
    accept_terms,
    at_provider,
    badges,
    book,
    choose,
    come_from_sas,
    confirm,
    go,
    led,
    log_in,
    press,
    redirects,
    return_url,
    shown_starts,
    slots,
    title,
    told,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_regulator_gets_from_a_link_of_the_sas_to_a_confirmed_appointment(site: Site, open_page: OpenPage) -> None:
    link = site.link() + "&origin=sas"
    found = site.starts()
    page = open_page()

    answer = go(page, link)
    assert at_provider(page)
    assert redirects(answer) <= 3
    choose(page, "Solène MERCIER")
    assert accept_terms(page).url == link
    assert title(page) == "Agenda : Dr Maëlys KERVELLA"
    assert page.get_by_text("Régulateur SAS").is_visible()
    assert shown_starts(page) == found

    start = book(page)
    assert page.get_by_text("par un régulateur, depuis le SAS").is_visible()
    assert site.starts() == found - {start}
    go(page, link)
    assert shown_starts(page) == found - {start}


@pytest.mark.parametrize("editor", ["agenda-ville", "agenda-cpts", "agenda-sos"])
def test_the_login_page_is_at_most_three_redirects_away_and_needs_no_cookie(site: Site, editor: str) -> None:
    owner = {"agenda-ville": KERVELLA, "agenda-cpts": FORET, "agenda-sos": RENNES}[editor]
    url = site.link(owner, editor) + "&origin=sas"
    for _ in range(4):
        answer = requests.get(url, allow_redirects=False, timeout=20)  # without what the last one set
        assert answer.headers["Content-Type"].startswith("text/html")
        if answer.status_code == 200:
            break
        url = requests.compat.urljoin(url, answer.headers["Location"])
    assert answer.status_code == 200
    assert "tenant lieu de Pro Sant" in answer.text


@pytest.mark.parametrize(("owner", "editor"), [(FORET, "agenda-cpts"), (RENNES, "agenda-sos")])
def test_a_second_editor_asks_for_no_login_but_for_its_own_terms(
    site: Site, open_page: OpenPage, owner: str, editor: str
) -> None:
    page = open_page()
    come_from_sas(page, site.link())
    link = site.link(owner, editor) + "&origin=sas"
    tab = page.context.new_page()
    go(tab, link)
    assert accept_terms(tab).url == link
    assert tab.get_by_text("Solène MERCIER").is_visible()
    assert "SNP (SAS)" in badges(tab)
    book(tab)
    go(tab, link)
    assert title(tab).startswith("Agenda : ")  # the terms were accepted once and for all
    go(page, site.link())
    assert title(page) == "Agenda : Dr Maëlys KERVELLA"  # the first session is another one, and still there


def test_a_regulator_is_known_by_the_technical_identifier_too(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    come_from_sas(page, site.link(), "Idriss ROUSSEL")
    assert page.get_by_text("Idriss ROUSSEL").is_visible()
    assert badges(page) & set(KEPT)


@pytest.mark.parametrize(
    ("name", "heading", "text"),
    [
        ("Loïc VASSEUR", "Compte inconnu", "Aucun compte ne correspond à votre identité"),
        ("Garance TESSIER", "Accès retiré", "Votre habilitation a été retirée"),
    ],
)
def test_who_has_no_account_is_told_so_and_gets_nowhere(
    site: Site, open_page: OpenPage, name: str, heading: str, text: str
) -> None:
    page = open_page()
    go(page, site.link() + "&origin=sas")
    assert choose(page, name).status == 403
    assert title(page) == heading
    assert page.get_by_text(text).is_visible()
    go(page, site.link())
    assert title(page) == "Connexion"
    assert go(page, site.link() + "&origin=sas").status == 403  # the provider knows who it is


def test_a_regulator_withdrawn_by_the_sas_is_out_at_the_next_click(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    come_from_sas(page, site.link(THOMAS), "Idriss ROUSSEL")
    site.update(ROUSSEL, active=False)
    assert press(page, "Mes rendez-vous", "link").status == 403
    assert title(page) == "Accès retiré"
    go(page, site.link())
    assert title(page) == "Connexion"
    assert go(page, site.link() + "&origin=sas").status == 403

    site.update(ROUSSEL, active=True)
    go(page, site.link() + "&origin=sas")
    assert title(page) == "Agenda : Dr Maëlys KERVELLA"


def test_a_regulator_withdrawn_with_a_form_open_books_nothing(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    come_from_sas(page, site.link())
    found = site.starts()
    led(page, slots(page).first.click)
    page.get_by_label("Nom du patient", exact=True).fill("Fictif")
    site.update(MERCIER, active=False)
    assert press(page, "Confirmer le rendez-vous").status == 403
    assert title(page) == "Accès retiré"
    assert site.starts() == found


@pytest.mark.parametrize(
    "origin",
    [
        "&origin=sas-preprod",
        "?origin=sas-preprod",
        "&origin=sas&origin=sas-preprod",
        "&origin=sas?origin=sas",
        "&origin=elsewhere&origin=sas",
        "&origin=&origin=sas-rui-ovh",
    ],
)
def test_the_origin_is_found_however_it_was_appended(site: Site, open_page: OpenPage, origin: str) -> None:
    # The second place of a practitioner: what is appended must not change which agenda is meant.
    link = next(one["comment"] for one in site.slots(THOMAS) if one["comment"].endswith("lieu=2"))
    page = open_page()
    come_from_sas(page, link, origin=origin)
    assert page.url == link + origin
    assert page.get_by_role("link", name="30 rue Mme DELMAS").get_attribute("aria-current") == "page"
    assert "Professionnels" in badges(page)


@pytest.mark.parametrize("origin", ["elsewhere", "", "SAS", "sas2", "xsas", "sas%00", "<b>sas</b>", "%FF"])
def test_an_unknown_origin_is_refused_with_a_page(site: Site, origin: str) -> None:
    with requests.Session() as session:
        answer = session.get(f"{site.link()}&origin={origin}", timeout=20)
        assert told(answer) == (400, "Origine inconnue")
        assert "<b>" not in answer.text
        assert told(session.get(site.link(), timeout=20)) == (200, "Connexion")


def test_refusing_at_the_provider_leads_to_a_page_that_says_so(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, site.link() + "&origin=sas")
    assert press(page, "Refuser et revenir à l’application").status == 403
    assert title(page) == "Authentification refusée"
    go(page, site.link() + "&origin=sas")
    choose(page, "Solène MERCIER")
    assert title(page) == "Conditions générales d’utilisation"


@pytest.mark.parametrize("tamper", ["changed", "cut", "missing"])
def test_a_return_with_another_state_gives_no_access(site: Site, open_page: OpenPage, tamper: str) -> None:
    page = open_page()
    go(page, site.link() + "&origin=sas")
    back = return_url(page)
    changed = {
        "changed": re.sub(r"(?<=[?&]state=)([^&]+)[^&]", r"\1~", back),
        "cut": re.sub(r"(?<=[?&]state=)([^&]{16})[^&]*", r"\1", back),
        "missing": re.sub(r"state=[^&]*&?", "", back),
    }[tamper]
    assert changed != back
    assert go(page, changed).status == 400
    assert title(page) == "Connexion interrompue"
    go(page, site.link())
    assert title(page) == "Connexion"
    # With the right state it would have been good.
    go(page, back)
    assert title(page) == "Conditions générales d’utilisation"


def test_a_return_is_good_once_and_only_in_the_browser_that_left(site: Site, open_page: OpenPage) -> None:
    page, other = open_page(), open_page()
    go(page, site.link() + "&origin=sas")
    back = return_url(page)
    assert go(other, back).status == 400
    assert title(other) == "Connexion interrompue"
    assert go(page, back).status == 200
    assert go(page, back).status == 400


def test_two_slots_opened_at_once_in_two_tabs_both_arrive(site: Site, open_page: OpenPage) -> None:
    first = open_page()
    second = first.context.new_page()
    links = [site.link() + "&origin=sas", site.link(THOMAS) + "&origin=sas"]
    for page, link in zip((first, second), links, strict=True):
        go(page, link)
    choose(first, "Solène MERCIER")
    assert accept_terms(first).url == links[0]
    assert choose(second, "Solène MERCIER").url == links[1]
    for page in (first, second):
        assert "SNP (SAS)" in badges(page)
        book(page)


def under_way(session: requests.Session) -> list[str]:
    """The cookies of sign-ins that are not finished."""
    return [one.name for one in session.cookies if one.name.startswith("sso-")]


def demand(answer: requests.Response) -> str:
    """What a page of the provider brings back."""
    found = re.search(r'name="demande" value="([^"]*)"', answer.text)
    assert found, answer.text
    return found[1]


def test_of_many_sign_ins_that_were_left_unfinished_the_last_few_are_kept(site: Site) -> None:
    url = f"{site.url}/_idp/connexion"
    with requests.Session() as session:
        pages = [session.get(site.link(THOMAS) + "&origin=sas", timeout=20) for _ in range(40)]
        assert [page.status_code for page in pages] == [200] * 40
        assert len(under_way(session)) == 5
        for page in pages[-5:]:
            answer = session.post(url, data={"demande": demand(page), "personne": "mercier"}, timeout=20)
            assert told(answer) == (200, "Conditions générales d’utilisation")
        assert under_way(session) == []
        forgotten = session.post(url, data={"demande": demand(pages[0]), "personne": "mercier"}, timeout=20)
        assert told(forgotten) == (400, "Connexion interrompue")


@pytest.mark.parametrize("length", [0, 400, 900], ids="and {} signs more".format)
def test_tabs_that_are_all_restored_at_once_do_not_fill_a_browser_with_cookies(site: Site, length: int) -> None:
    # Such as nothing can be compressed of.
    more = Random(1).randbytes(length).hex()[:length]
    link = site.link(THOMAS) + "&origin=sas" + (f"&suivi={more}" if more else "")
    with requests.Session() as session:
        # None of these requests has a cookie of the others.
        for answer in [requests.get(link, allow_redirects=False, timeout=20) for _ in range(60)]:
            session.cookies.update(answer.cookies)
        assert len(under_way(session)) <= 16
        assert told(session.get(site.link(), timeout=20)) == (200, "Connexion")
        session.get(link, timeout=20)
        assert len(under_way(session)) == 5


@pytest.mark.parametrize(("fields", "status"), [({"refus": "1"}, 403), ({"personne": "vasseur"}, 403)])
def test_a_sign_in_that_fails_leaves_no_cookie(site: Site, fields: dict[str, str], status: int) -> None:
    with requests.Session() as session:
        page = session.get(site.link() + "&origin=sas", timeout=20)
        assert len(under_way(session)) == 1
        answer = session.post(f"{site.url}/_idp/connexion", data={"demande": demand(page)} | fields, timeout=20)
        assert answer.status_code == status
        assert under_way(session) == []


def test_an_address_that_no_cookie_holds_is_refused_with_a_page(site: Site) -> None:
    more = "".join(f"&a{number}={number * 7919}" for number in range(300))
    answer = requests.get(f"{site.link()}&origin=sas{more}", timeout=20)
    assert told(answer) == (400, "Adresse trop longue")


def test_the_embedded_provider_sends_nobody_elsewhere(site: Site) -> None:
    ours = f"{site.url}/agenda-ville/sso/retour"
    for client, uri, status in (
        ("agenda-ville", ours, 200),
        ("agenda-cpts", ours, 400),
        ("agenda-ville", "http://elsewhere.example/", 400),
        ("sas", f"{site.url}/_sas/connexion/retour", 200),
        ("sas", ours, 400),
    ):
        asked = {"client_id": client, "redirect_uri": uri, "response_type": "code", "scope": "openid"}
        answer = requests.get(f"{site.url}/_idp/authorize", params=asked, allow_redirects=False, timeout=20)
        assert answer.status_code == status, (client, uri)


# --- whoever is there


def test_whoever_comes_after_somebody_else_is_who_they_are(site: Site, open_page: OpenPage) -> None:
    page, link = open_page(), site.link() + "&origin=sas"
    go(page, f"{site.url}/_sas/connexion")
    choose(page, "Solène MERCIER")
    go(page, link)
    accept_terms(page)
    left_open = page.context.new_page()
    go(left_open, site.link())
    assert left_open.get_by_text("Solène MERCIER Régulateur SAS").is_visible()

    go(page, f"{site.url}/_sas/")
    press(page, "Se déconnecter")
    # Her session at the editor has ended with the one that it came from.
    go(left_open, site.link())
    assert title(left_open) == "Connexion"
    go(page, f"{site.url}/_sas/connexion")
    choose(page, "Idriss ROUSSEL")
    go(page, link)
    accept_terms(page)
    assert page.url == link
    assert page.get_by_text("Idriss ROUSSEL Régulateur SAS").is_visible()
    book(page)
    told = requests.get(f"{site.url}/_admin/appointments", timeout=20).json()["appointments"]
    regulators = {one["regulator"] for one in told if one["regulator"]}
    assert regulators == {"urn:oid:1.2.250.1.213.3.6|7d0a2f6e-5a0b-4c1c-9f5e-0d6b3f1c2a01"}


def test_a_provider_that_knows_somebody_else_by_now_has_the_last_word(site: Site, open_page: OpenPage) -> None:
    page, link = open_page(), site.link() + "&origin=sas"
    come_from_sas(page, site.link())
    # Not through the platform: at the provider itself, which the editor is told nothing by.
    page.context.clear_cookies(name="mock_idp")
    go(page, link)
    assert at_provider(page)
    choose(page, "Idriss ROUSSEL")
    accept_terms(page)
    assert page.get_by_text("Idriss ROUSSEL Régulateur SAS").is_visible()


@pytest.mark.parametrize("name", ["Loïc VASSEUR", "Garance TESSIER"])
def test_who_may_not_in_does_not_find_the_session_of_another_either(site: Site, open_page: OpenPage, name: str) -> None:
    page = open_page()
    come_from_sas(page, site.link())
    page.context.clear_cookies(name="mock_idp")
    go(page, site.link() + "&origin=sas")
    assert choose(page, name).status == 403
    go(page, site.link())
    assert title(page) == "Connexion"


def test_who_refuses_at_the_provider_does_not_either(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    come_from_sas(page, site.link())
    page.context.clear_cookies(name="mock_idp")
    go(page, site.link() + "&origin=sas")
    assert press(page, "Refuser et revenir à l’application").status == 403
    go(page, site.link())
    assert title(page) == "Connexion"


def test_the_provider_is_asked_at_each_arrival_and_at_no_other_click(site: Site, open_page: OpenPage) -> None:
    page, link = open_page(), site.link() + "&origin=sas"
    come_from_sas(page, site.link())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/_idp/" in request.url else None)
    for _ in range(2):
        answer = go(page, link)
        assert answer.status == 200
        assert page.url == link
        assert redirects(answer) == 3
        assert len(asked) == 1
        asked.clear()
    # Signs that a browser leaves as they are are escaped on the way.
    assert redirects(go(page, f"{link}&x=a|b")) == 3
    asked.clear()
    book(page)
    press(page, "Mes rendez-vous", "link")
    press(page, "Agendas", "link")
    assert asked == []


def test_two_pages_of_one_person_are_arrived_at_at_once(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    come_from_sas(page, site.link())
    links = [site.link() + "&origin=sas", site.link(THOMAS) + "&origin=sas"]
    with requests.Session() as tabs:
        for one in page.context.cookies():
            tabs.cookies.set(one["name"], one["value"], domain="127.0.0.1", path=one["path"])
        step = partial(tabs.get, allow_redirects=False, timeout=20)
        # Each tab is as far as the other: at the provider, back from it, on its page.
        asked = [step(link).headers["Location"] for link in links]
        back = [step(url).headers["Location"] for url in asked]
        arrived = [step(url).headers["Location"] for url in back]
        assert [step(urljoin(links[0], url)).status_code for url in arrived] == [200, 200]
        # And what was open before is still theirs.
        go(page, site.link())
        assert page.get_by_text("Solène MERCIER Régulateur SAS").is_visible()


def test_signing_out_of_the_platform_ends_the_sessions_of_every_editor_that_came_from_it(
    site: Site, open_page: OpenPage
) -> None:
    page = open_page()
    go(page, f"{site.url}/_sas/connexion")
    choose(page, "Solène MERCIER")
    links = [site.link(), site.link(FORET, "agenda-cpts"), site.link(RENNES, "agenda-sos")]
    for link in links:
        go(page, link + "&origin=sas")
        accept_terms(page)
    other = open_page()
    come_from_other_browser = site.link()
    go(other, come_from_other_browser + "&origin=sas")
    choose(other, "Solène MERCIER")

    go(page, f"{site.url}/_sas/")
    press(page, "Se déconnecter")
    for link in links:
        go(page, link)
        assert title(page) == "Connexion"
    # That of her other browser has another session at the provider.
    go(other, come_from_other_browser)
    assert other.get_by_text("Solène MERCIER Régulateur SAS").is_visible()


def test_the_platform_does_not_keep_whom_the_provider_has_let_go(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, f"{site.url}/_sas/connexion")
    choose(page, "Solène MERCIER")
    go(page, f"{site.url}/_sas/")
    assert page.get_by_text("Solène MERCIER").first.is_visible()
    # At the provider itself, somewhere else.
    go(page.context.new_page(), f"{site.url}/_idp/deconnexion")
    go(page, f"{site.url}/_sas/")
    assert page.get_by_text("Solène MERCIER").count() == 0
    for token in ("", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
        answer = requests.post(f"{site.url}/_sas/connexion/fin", data={"logout_token": token}, timeout=20)
        assert answer.status_code == 400


def as_somebody_else(page: "Page", site: Site) -> None:
    """In a second tab, Idriss Roussel comes after Solène Mercier."""
    tab = page.context.new_page()
    page.context.clear_cookies(name="mock_idp")
    go(tab, site.link() + "&origin=sas")
    choose(tab, "Idriss ROUSSEL")
    if title(tab) == "Conditions générales d’utilisation":
        accept_terms(tab)
    assert tab.get_by_text("Idriss ROUSSEL Régulateur SAS").is_visible()


def refused_as_of_another(page: "Page", name: str) -> None:
    assert press(page, re.compile(name)).status == 403
    assert title(page) == "Formulaire d’une autre session"
    assert page.get_by_text("rien n’a été enregistré").is_visible()


def test_a_form_of_somebody_else_books_moves_and_cancels_nothing(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    come_from_sas(page, site.link(THOMAS))
    book(page)
    cancelling, moving, booking = page, page.context.new_page(), page.context.new_page()
    go(moving, page.url)
    press(moving, "Déplacer", "link")
    go(booking, site.link(THOMAS))
    led(booking, slots(booking).first.click)
    booking.get_by_label("Nom du patient", exact=True).fill("Fictif")
    before = requests.get(f"{site.url}/_admin/appointments", timeout=20).json()["appointments"]

    as_somebody_else(page, site)
    refused_as_of_another(booking, "Confirmer le rendez-vous")
    refused_as_of_another(cancelling, "Annuler le rendez-vous")
    led(moving, moving.get_by_role("button", name=re.compile("^Choisir")).first.click)
    assert title(moving) == "Formulaire d’une autre session"
    assert requests.get(f"{site.url}/_admin/appointments", timeout=20).json()["appointments"] == before


def test_nobody_accepts_the_terms_for_somebody_else(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, site.link() + "&origin=sas")
    choose(page, "Solène MERCIER")
    as_somebody_else(page, site)
    refused_as_of_another(page, "J’accepte les conditions")
    assert not site.account(MERCIER)["terms_accepted"]


def test_a_form_that_was_opened_without_the_level_is_not_sent_with_it(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, site.link())
    log_in(page, MERCIER, site.account(MERCIER)["password"])
    accept_terms(page)
    led(page, slots(page).first.click)
    page.get_by_label("Nom du patient", exact=True).fill("Fictif")
    tab = page.context.new_page()
    go(tab, site.link() + "&origin=sas")
    choose(tab, "Solène MERCIER")
    refused_as_of_another(page, "Confirmer le rendez-vous")


def test_a_form_stays_good_for_the_same_person_who_comes_again(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    come_from_sas(page, site.link(THOMAS))
    led(page, slots(page).first.click)
    tab = page.context.new_page()
    go(tab, site.link() + "&origin=sas")
    assert tab.get_by_text("Solène MERCIER Régulateur SAS").is_visible()
    assert confirm(page).status == 200
    # And whoever wants to leave is let go from any page.
    as_somebody_else(page, site)
    press(page, "Se déconnecter")
    assert title(page) == "Vous êtes déconnecté"

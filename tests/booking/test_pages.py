"""The web site of an editor as browsers see it: who gets in, what is shown, what is done with appointments."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from mock_editor.base.clock import Clock
from mock_editor.scenario import LoadedScenario
from tests.accounts.conftest import NATIONAL, TECHNICAL, regulator
from tests.booking.conftest import AGENDA, MERCIER, ROUSSEL, TESSIER, VASSEUR, Browser
from tests.conftest import GUIDE_THOMAS, NOW, PUBLIC_URL, application, json_of, of_type, sos_search

Search = Callable[..., dict[str, Any]]
NewBrowser = Callable[[], Browser]
ACCOUNT = "/agenda-ville/fhir/Practitioner"
BADGES = ("Grand public", "Professionnels", "SNP (SAS)")


def password(client: FlaskClient, email: str, editor: str = "agenda-ville") -> str:
    told = json_of(client.get(f"/_admin/accounts?editor={editor}"))["accounts"]
    found: str = next(one["password"] for one in told if one["resource"]["telecom"][0]["value"] == email)
    return found


def slot_ids(bundle: dict[str, Any]) -> set[str]:
    return {slot["id"] for slot in of_type(bundle, "Slot")}


# --- coming from the SAS


def test_from_a_slot_of_a_search_to_a_booked_appointment(browser: Browser, search: Search) -> None:
    before = search([GUIDE_THOMAS])
    comment = of_type(before, "Slot")[0]["comment"]
    browser.open(f"{comment}&origin=sas")
    assert [url.partition("?")[0] for url in browser.visited] == [
        comment.partition("?")[0],
        f"{PUBLIC_URL}/_idp/authorize",
    ]
    browser.choose(MERCIER)
    assert browser.title == "Conditions générales d’utilisation"
    browser.send("/cgu", accepter="1")
    assert browser.visited[-1] == f"{comment}&origin=sas".removeprefix(PUBLIC_URL)
    assert "Régulateur SAS" in browser.page.text
    browser.book()
    assert "par un régulateur, depuis le SAS" in browser.page.text
    gone = slot_ids(before) - slot_ids(search([GUIDE_THOMAS]))
    assert len(gone) == 1


@pytest.mark.parametrize(
    "more", ["&origin=sas-preprod", "?origin=sas-rui", "&origin=sas&origin=sas", "&x=1&origin=x&origin=sas"]
)
def test_however_the_origin_is_appended(browser: Browser, more: str) -> None:
    browser.open(AGENDA + more)
    browser.choose(MERCIER)
    browser.send("/cgu", accepter="1")
    assert browser.title == "Agenda : Dr Sébastien THOMAS"
    assert "Régulateur SAS" in browser.page.text


def test_a_second_editor_asks_nothing_but_its_terms(browser: Browser) -> None:
    browser.arrive()
    browser.open("/agenda-cpts/agenda/810002909371?lieu=1&origin=sas")
    assert browser.title == "Conditions générales d’utilisation"
    browser.send("/cgu", accepter="1")
    assert "Pierre FORET" in browser.title
    browser.open("/agenda-ville/agenda/810100050075?lieu=2&origin=sas")
    assert "Sébastien THOMAS" in browser.title


def test_the_technical_identifier_leads_to_the_account_as_well(browser: Browser) -> None:
    browser.arrive(ROUSSEL)
    assert "Idriss ROUSSEL" in browser.page.text


def test_so_does_the_e_mail(browser: Browser, client: FlaskClient) -> None:
    body = regulator((NATIONAL, "x/1"), family="VASSEUR", given="Loïc", email="Loic.Vasseur@Regulation.example")
    assert client.post(ACCOUNT, json=body).status_code == 201
    browser.arrive(VASSEUR)
    assert "Loïc VASSEUR" in browser.page.text


def test_whoever_got_an_account_can_sign_in_at_the_provider(browser: Browser, client: FlaskClient) -> None:
    made = client.post(
        ACCOUNT, json=regulator((TECHNICAL, "new-1"), family="PETIT", given="Alix", email="alix@test.com")
    )
    browser.arrive(json_of(made)["id"])
    assert "Alix PETIT" in browser.page.text


@pytest.mark.parametrize(("person", "title"), [(VASSEUR, "Compte inconnu"), (TESSIER, "Accès retiré")])
def test_without_an_active_account_there_is_no_access(browser: Browser, person: str, title: str) -> None:
    browser.open(f"{AGENDA}&origin=sas")
    browser.choose(person)
    assert (browser.page.status_code, browser.title) == (403, title)
    browser.open(AGENDA)
    assert browser.title == "Connexion"


def test_withdrawal_ends_the_session_at_the_next_click(browser: Browser, client: FlaskClient) -> None:
    browser.arrive()
    own = (NATIONAL, "3339900018/00000001")
    body = regulator(own, family="MERCIER", given="Solène", email="solene.mercier@regulation.example", active=False)
    assert client.put(f"{ACCOUNT}?identifier={'|'.join(own)}", json=body).status_code == 200
    browser.open(AGENDA)
    assert (browser.page.status_code, browser.title) == (403, "Accès retiré")
    browser.open(AGENDA)
    assert browser.title == "Connexion"


def test_an_unknown_origin_is_a_400(browser: Browser) -> None:
    assert browser.open(f"{AGENDA}&origin=<b>").status_code == 400
    assert browser.title == "Origine inconnue"
    assert "<b>" not in browser.page.text


def test_refusing_at_the_provider_is_a_403(browser: Browser) -> None:
    browser.open(f"{AGENDA}&origin=sas")
    browser.send("/_idp/connexion", refus="1")
    assert (browser.page.status_code, browser.title) == (403, "Authentification refusée")


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x&code=x", "?state={state}x&code=x", "?state=é&code=x"])
def test_a_return_that_nobody_waits_for_is_a_400(browser: Browser, query: str) -> None:
    browser.open(f"{AGENDA}&origin=sas")
    state = browser.visited[-1].partition("state=")[2].partition("&")[0]
    browser.open("/agenda-ville/sso/retour" + query.format(state=state))
    assert (browser.page.status_code, browser.title) == (400, "Connexion interrompue")


def test_the_answer_for_another_browser_is_refused(browser: Browser, new_browser: NewBrowser) -> None:
    other = new_browser()
    other.open(f"{AGENDA}&origin=sas")
    answer = other.client.post("/_idp/connexion", data={"demande": _demand(other), "personne": MERCIER})
    browser.open(answer.headers["Location"])
    assert (browser.page.status_code, browser.title) == (400, "Connexion interrompue")


def _demand(browser: Browser) -> str:
    return html.unescape(browser.page.text.split('name="demande" value="')[1].partition('"')[0])


def test_two_slots_opened_at_once_both_arrive(browser: Browser) -> None:
    browser.open(f"{AGENDA}&origin=sas")
    first = _demand(browser)
    browser.open("/agenda-ville/agenda/810002673899?lieu=1&origin=sas")
    for demand, place in ((first, "810100050075"), (_demand(browser), "810002673899")):
        answer = browser.client.post("/_idp/connexion", data={"demande": demand, "personne": MERCIER})
        browser.open(answer.headers["Location"])
        if browser.title.startswith("Conditions"):
            browser.send("/cgu", accepter="1")
        assert place in browser.visited[-1]


def test_refused_terms_end_the_session(browser: Browser) -> None:
    browser.open(f"{AGENDA}&origin=sas")
    browser.choose(MERCIER)
    browser.send("/cgu", refuser="1")
    assert (browser.page.status_code, browser.title) == (403, "Conditions refusées")
    assert browser.open(AGENDA).status_code == 200
    assert browser.title == "Connexion"


def test_terms_are_accepted_once_with_their_date(browser: Browser, new_browser: NewBrowser) -> None:
    browser.arrive()
    again = new_browser()
    again.open(f"{AGENDA}&origin=sas")
    again.choose(MERCIER)
    assert again.title.startswith("Agenda")


# --- signing in directly


def sign_in(browser: Browser, client: FlaskClient, *, email: str = "solene.mercier@regulation.example") -> None:
    browser.open(AGENDA)
    browser.send("/connexion", email=email, mot_de_passe=password(client, "solene.mercier@regulation.example"))


def test_the_same_account_without_the_sas_sees_public_slots_only(
    browser: Browser, new_browser: NewBrowser, client: FlaskClient
) -> None:
    browser.arrive()
    seen = {badge: browser.page.text.count(f">{badge}<") for badge in BADGES}
    assert all(seen.values())
    direct = new_browser()
    sign_in(direct, client, email=" Solene.Mercier@regulation.EXAMPLE")
    assert direct.title.startswith("Agenda")
    assert not any(badge in direct.page.text for badge in (*BADGES, "Régulateur SAS"))
    assert len(direct.links("/reserver")) == seen["Grand public"]


def test_a_direct_session_becomes_a_regulators_one_only_through_the_provider(
    browser: Browser, client: FlaskClient
) -> None:
    sign_in(browser, client)
    browser.send("/cgu", accepter="1")
    assert "Régulateur SAS" not in browser.page.text
    browser.open(f"{AGENDA}&origin=sas")
    assert "/_idp/authorize" in browser.visited[-1]


def test_a_forged_origin_in_the_login_form_gives_nothing(browser: Browser, client: FlaskClient) -> None:
    browser.open(AGENDA)
    browser.send(
        "/connexion",
        email="solene.mercier@regulation.example",
        mot_de_passe=password(client, "solene.mercier@regulation.example"),
        origine="sas",
    )
    browser.send("/cgu", accepter="1")
    assert browser.title.startswith("Agenda")
    assert "Régulateur SAS" not in browser.page.text


def test_five_wrong_passwords_lock_the_account_for_a_while(
    played: LoadedScenario, client: FlaskClient, tmp_path: Path
) -> None:
    right = password(client, "solene.mercier@regulation.example")
    browser = Browser(application(played, Clock(NOW), tmp_path))
    browser.open(AGENDA)
    for attempt in range(1, 6):
        browser.send("/connexion", email="solene.mercier@regulation.example", mot_de_passe="x")
        assert browser.page.status_code == 403
        assert ("verrouillé jusqu’à 08:15" in browser.page.text) is (attempt == 5)
    browser.send("/connexion", email="solene.mercier@regulation.example", mot_de_passe=right)
    assert "verrouillé jusqu’à 08:15" in browser.page.text
    later = Browser(application(played, Clock(NOW + timedelta(minutes=15)), tmp_path))
    later.open(AGENDA)
    later.send("/connexion", email="solene.mercier@regulation.example", mot_de_passe=right)
    assert later.page.status_code == 200


def test_a_right_password_forgets_the_wrong_ones(new_browser: NewBrowser, client: FlaskClient) -> None:
    for _ in range(3):
        other = new_browser()
        other.open(AGENDA)
        for _ in range(4):
            other.send("/connexion", email="solene.mercier@regulation.example", mot_de_passe="x")
        sign_in(other, client)
        assert other.page.status_code == 200


def test_a_forgotten_password_is_replaced(browser: Browser, client: FlaskClient) -> None:
    before = password(client, "solene.mercier@regulation.example")
    browser.open("/agenda-ville/mot-de-passe-oublie")
    browser.send("/mot-de-passe-oublie", email="solene.mercier@regulation.example")
    known = browser.page.text
    browser.open("/agenda-ville/mot-de-passe-oublie")
    browser.send("/mot-de-passe-oublie", email="nobody@regulation.example")
    assert browser.page.text == known  # nobody learns who has an account
    assert password(client, "solene.mercier@regulation.example") != before
    sign_in(browser, client)
    assert browser.page.status_code == 200


def test_a_withdrawn_account_cannot_sign_in_directly(browser: Browser, client: FlaskClient) -> None:
    browser.open(AGENDA)
    email = "garance.tessier@regulation.example"
    browser.send("/connexion", email=email, mot_de_passe=password(client, email))
    assert (browser.page.status_code, browser.title) == (403, "Accès retiré")


def test_without_a_provider_a_password_opens_the_regulators_level_with_an_origin_only(
    played: LoadedScenario, clock: Clock, tmp_path: Path, client: FlaskClient
) -> None:
    app = application(played, clock, tmp_path, oidc_issuer="none")
    for more, level in (("&origin=sas", True), ("", False)):
        browser = Browser(app)
        browser.open(AGENDA + more)
        assert browser.title == "Connexion"
        secret = password(client, "solene.mercier@regulation.example")
        browser.send("/connexion", email="solene.mercier@regulation.example", mot_de_passe=secret)
        if browser.title.startswith("Conditions"):
            browser.send("/cgu", accepter="1")
        assert ("Régulateur SAS" in browser.page.text) is level
    browser.send("/deconnexion")
    browser.open(AGENDA)
    browser.send("/connexion", email="solene.mercier@regulation.example", mot_de_passe=secret, origine="doctolib")
    assert browser.page.status_code == 400


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/agenda-sos/agenda",
        "/agenda-ville",
        "/agenda-ville/\\evil.example",
        "/agenda-ville/x\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
    ],
)
def test_signing_in_leads_nowhere_else(browser: Browser, target: str) -> None:
    browser.open(AGENDA)
    browser.send("/visite", suite=target)
    assert browser.title == "Mes rendez-vous"


def test_a_session_ends_after_a_duty(played: LoadedScenario, browser: Browser, tmp_path: Path) -> None:
    browser.arrive()
    later = application(played, Clock(NOW + timedelta(hours=12)), tmp_path).test_client()
    for cookie in (browser.client._cookies or {}).values():
        later.set_cookie(cookie.key, cookie.value, path=cookie.path)
    answer = later.get(AGENDA)
    assert "/connexion" in answer.headers["Location"]


# --- appointments


def test_two_people_want_one_slot(browser: Browser, new_browser: NewBrowser) -> None:
    browser.arrive()
    other = new_browser()
    other.open(f"{AGENDA}&origin=sas")
    other.choose(MERCIER)
    for one in (browser, other):
        one.open(one.links("/reserver")[0])
    browser.send("/reserver", nom="Un")
    other.send("/reserver", nom="Deux")
    assert browser.title == "Rendez-vous"
    assert (other.page.status_code, other.title) == (409, "Créneau déjà pris")


def test_cancelling_gives_the_slot_back(browser: Browser, search: Search) -> None:
    before = slot_ids(search([GUIDE_THOMAS]))
    browser.arrive()
    browser.book()
    assert slot_ids(search([GUIDE_THOMAS])) != before
    browser.send("/annuler")
    assert "Annulé" in browser.page.text
    assert "/annuler" not in browser.page.text
    assert slot_ids(search([GUIDE_THOMAS])) == before


def test_moving_gives_the_old_slot_back_and_takes_the_new_one(browser: Browser, search: Search) -> None:
    before = slot_ids(search([GUIDE_THOMAS]))
    browser.arrive()
    page = browser.book()
    [first] = before - slot_ids(search([GUIDE_THOMAS]))
    browser.open(browser.links("/deplacer")[0])
    browser.send("/deplacer")  # the first one there is
    assert browser.visited[-1] == page
    [second] = before - slot_ids(search([GUIDE_THOMAS]))
    assert second != first
    browser.open(page)
    browser.send("/annuler")
    browser.client.post(f"{page}/deplacer", data={"jeton": _form_key(browser), "creneau": first.rpartition("-")[2]})
    assert slot_ids(search([GUIDE_THOMAS])) == before


def _form_key(browser: Browser) -> str:
    return browser.page.text.split('name="jeton" value="')[1].partition('"')[0]


def test_an_appointment_is_nobody_elses(browser: Browser, new_browser: NewBrowser, client: FlaskClient) -> None:
    browser.arrive()
    page = browser.book()
    direct, stranger = new_browser(), new_browser()
    sign_in(direct, client)  # the same account, but not through the SAS
    stranger.visit()
    for one in (direct, stranger):
        assert one.open(page).status_code == 404
        assert page not in one.open("/agenda-ville/rendez-vous").text
        sent = one.client.post(f"{page}/annuler", data={"jeton": _form_key(one)})
        assert sent.status_code == 404
    assert page in browser.open("/agenda-ville/rendez-vous").text


def test_a_private_person_books_without_the_sas(browser: Browser) -> None:
    browser.visit()
    assert browser.title.startswith("Agenda")
    browser.book()
    assert "sans passer par le SAS" in browser.page.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"nom": ""}, 422),
        ({"nom": "A", "creneau": ""}, 400),
        ({"nom": "A", "creneau": "202611"}, 400),
        ({"nom": "A", "creneau": "202611200001"}, 409),
        ({"nom": "A", "creneau": "999912312359"}, 400),
        ({"nom": "A", "lieu": "9"}, 404),
    ],
)
def test_a_booking_that_cannot_be(browser: Browser, fields: dict[str, str], status: int) -> None:
    browser.visit()
    browser.open(browser.links("/reserver")[0])
    browser.send("/reserver", **fields)
    assert browser.page.status_code == status


def test_a_private_person_cannot_book_what_is_not_public(browser: Browser, new_browser: NewBrowser) -> None:
    regulators = new_browser()
    regulators.arrive()
    browser.visit()
    hidden = set(regulators.links("/reserver")) - set(browser.links("/reserver"))
    assert hidden
    for link in hidden:
        assert browser.open(link).status_code == 409


def test_a_slot_without_appointment_is_shown_and_not_booked(browser: Browser) -> None:
    browser.visit("/agenda-ville/agenda/899000000069?lieu=1")
    assert "sans rendez-vous" in browser.page.text
    assert browser.links("/reserver") == []
    stamp = datetime(2026, 11, 20, 8, tzinfo=UTC).strftime("%Y%m%d%H%M")
    assert browser.open(f"/agenda-ville/agenda/899000000069/reserver?lieu=1&creneau={stamp}").status_code == 409
    assert browser.title == "Créneau sans rendez-vous"


def test_a_place_of_sos_medecins_says_later_who_consults(browser: Browser, client: FlaskClient) -> None:
    found = of_type(json_of(client.get(sos_search(["334173748400020"]))), "Slot")
    browser.open(f"{found[0]['comment']}&origin=sas")
    browser.choose(MERCIER)
    browser.send("/cgu", accepter="1")
    assert 'class="slot asked"' in browser.page.text
    browser.book()
    assert "En attente d’un médecin" in browser.page.text
    assert len(of_type(json_of(client.get(sos_search(["334173748400020"]))), "Slot")) == len(found) - 1


def test_a_slot_that_is_gone_is_said_so(browser: Browser, client: FlaskClient) -> None:
    found = of_type(json_of(client.get(sos_search(["334173748400020"]))), "Slot")
    browser.open(f"{found[0]['comment']}&origin=sas")
    browser.choose(MERCIER)
    browser.send("/cgu", accepter="1")
    browser.book()
    browser.open(found[0]["comment"])
    assert "n’est plus libre" in browser.page.text


# --- weeks


def test_weeks_go_as_far_as_the_calendar_does(browser: Browser) -> None:
    browser.visit()
    seen = []
    while links := [link for link in browser.links("semaine=") if link not in seen]:
        seen.append(links[-1])
        assert browser.open(links[-1]).status_code == 200
        assert len(seen) < 10
    assert 3 < len(seen) < 10
    for odd in ("9999-12-31", "0001-01-01", "hier", ""):
        assert browser.open(f"{AGENDA}&semaine={odd}").status_code == 200


# --- safety


def test_a_form_of_another_site_is_refused(browser: Browser) -> None:
    browser.arrive()
    link = browser.links("/reserver")[0]
    browser.open(link)
    for key in ("", "x", "é"):
        browser.send("/reserver", nom="A", jeton=key)
        assert (browser.page.status_code, browser.title) == (400, "Formulaire expiré")
        browser.open(link)


def test_cookies_and_headers(browser: Browser) -> None:
    browser.arrive()
    answer = browser.client.get(AGENDA)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Referrer-Policy"] == "same-origin"
    fresh = browser.client.application.test_client()
    cookies = fresh.get("/agenda-ville/connexion").headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert {"HttpOnly", "SameSite=Lax", "Secure", "Path=/"} <= set(cookie.split("; "))
        assert re.match("__Host-formulaire-[0-9a-f]{8}=", cookie)


def test_every_value_is_escaped(browser: Browser) -> None:
    browser.visit()
    browser.book(patient="<script>alert(1)</script>")
    assert "<script>" not in browser.page.text
    assert "&lt;script&gt;" in browser.page.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/agenda-ville/agenda/899999999999?lieu=1", 404),
        ("/agenda-ville/agenda/810100050075?lieu=77", 404),
        ("/agenda-ville/rendez-vous/inconnu", 404),
        ("/agenda-ville/agenda/%0A%00é?lieu=1", 404),
        (f"{AGENDA}&" + "&".join("abc" * 100), 400),
    ],
)
def test_what_is_not_there_is_a_page_in_french(browser: Browser, path: str, status: int) -> None:
    browser.visit()
    answer = browser.open(path)
    assert answer.status_code == status
    assert answer.content_type == "text/html; charset=utf-8"
    assert '<html lang="fr">' in answer.text


def test_links_begin_with_the_path_of_the_public_url(played: LoadedScenario, clock: Clock, tmp_path: Path) -> None:
    client = application(played, clock, tmp_path, "https://proxy.example/simulateur").test_client()
    answer = client.get(AGENDA)
    assert answer.headers["Location"].startswith("/simulateur/agenda-ville/connexion?suite=/simulateur/agenda-ville/")
    page = client.get("/agenda-ville/connexion")
    assert 'action="/simulateur/agenda-ville/connexion"' in page.text
    assert "Path=/;" in page.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/agenda-ville/nulle/part", 404),
        ("GET", "/nulle-part", 404),
        ("GET", "/nulle-part/agenda/1?lieu=1", 404),
        ("GET", "/agenda-ville/visite", 405),
    ],
)
def test_lost_people_get_a_page_and_programs_a_problem(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    page = client.open(path, method=method, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.content_type) == (status, "text/html; charset=utf-8")
    assert '<html lang="fr">' in page.text
    problem = client.open(path, method=method)
    assert (problem.status_code, problem.content_type.partition(";")[0]) == (status, "application/problem+json")


def test_an_editor_has_an_entry(browser: Browser) -> None:
    browser.open("/agenda-ville/")
    assert browser.title == "Connexion"
    browser.send("/visite")
    assert browser.title == "Agendas"

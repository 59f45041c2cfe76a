"""The console as a browser of the simulator's machine sees it: the state, and what practitioners do to appointments."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mock_editor.base import forms
from mock_editor.base.clock import Clock
from mock_editor.scenario import LoadedScenario
from tests.accounts.conftest import NATIONAL, regulator
from tests.admin.console_browser import Console, text
from tests.booking.conftest import MERCIER, Browser
from tests.conftest import GUIDE_MARCEL, NOW, PUBLIC_URL, application, json_of, matched

HOME, ACCOUNTS, DIARY = "/_console/", "/_console/comptes", "/_console/rendez-vous"
SOS_AGENDA = "/agenda-sos/agenda/334173748400020?lieu=1"
UNKNOWN = f"{DIARY}/agenda-ville/00000000-0000-0000-0000-000000000000"
Book = Callable[..., str]


def state(console: Console) -> str:
    return matched(r'class="state [^>]*>([^<]*)<', console.page.text)[1]


def operations(console: Console) -> list[str]:
    """What is offered on an appointment's page."""
    part = console.page.text.partition("Du côté du praticien")[2].partition("Notifications au SAS")[0]
    return [html.unescape(one) for one in re.findall(r'<(?:button|a) class="btn[^>]*>([^<]*)</', part)]


def slots(console: Console) -> list[str]:
    return re.findall(r'name="body.slot" value="([^"]*)"', console.page.text)


def move(console: Console, slot: str) -> TestResponse:
    """Chooses a slot on the page for that."""
    target, _, data = console.form("moveAppointment")
    return console.post(target, **data | {"body.slot": slot})


def key(console: Console) -> str:
    return console.page.text.split('name="jeton" value="')[1].partition('"')[0]


# --- the simulator


def test_the_root_leads_to_the_console(console: Console) -> None:
    assert console.client.get("/").status_code == 302
    console.open("/")
    assert (console.visited[-1], console.page.status_code, console.title) == (HOME, 200, "Tableau de bord")
    assert "Toutes les personnes et données sont fictives" in console.page.text


def test_links_begin_with_the_path_of_the_public_url(played: LoadedScenario, tmp_path: Path) -> None:
    client = application(played, Clock(NOW), tmp_path, "https://lga.example/essai").test_client()
    assert client.get("/").headers["Location"] == "/essai/_console/"
    page = client.get(HOME)
    assert 'href="/essai/_console/comptes?editeur=agenda-ville"' in page.text
    assert 'href="https://lga.example/essai/agenda-ville/agenda"' in page.text
    cookie = page.headers["Set-Cookie"]
    assert "Path=/essai/;" in cookie
    assert "Secure" not in cookie


def test_home_shows_scenario_and_editors(console: Console, played: LoadedScenario) -> None:
    told = text(console.open(HOME))
    assert f"Scénario {played.name} : {played.title}" in told
    assert "Horloge (figée) vendredi 20 novembre 2026 à 08:00" in told
    for editor, holds in (("ville", "41 praticiens"), ("cpts", "5 praticiens, 3 CPTS"), ("sos", "4 associations SOS")):
        row = told.partition(f"Agenda {editor.upper() if editor != 'ville' else 'Ville'} ")[2]
        assert row.startswith(holds)
        assert f"normal 0,0 – – {PUBLIC_URL}/ agenda-{editor}/fhir" in row
        for link in (f"/agenda-{editor}/agenda", f"/agenda-{editor}/fhir/metadata"):
            [found] = console.links(link)
            assert found == PUBLIC_URL + link


def test_every_link_of_home_leads_somewhere(console: Console) -> None:
    console.open(HOME)
    for link in console.links("/"):
        assert Browser(console.client.application).open(link).status_code == 200, link


def test_a_reset_wants_a_confirmation(console: Console, client: FlaskClient, book: Book) -> None:
    client.post("/agenda-ville/fhir/Practitioner", json=regulator((NATIONAL, "x/1")))
    appointment = book()
    console.open(HOME)
    assert console.form("reset")[1] == "Remettre à zéro Confirmer : Remettre à zéro"
    console.act("reset")
    assert (console.visited[-1], console.told) == (HOME, "Le simulateur est remis à zéro.")
    assert len(json_of(client.get("/_admin/accounts?editor=agenda-ville"))["accounts"]) == 3
    assert console.open(appointment).status_code == 404
    assert "Aucun rendez-vous." in text(console.open(DIARY))


# --- accounts


def test_accounts_are_listed_with_their_passwords(console: Console, client: FlaskClient) -> None:
    told = text(console.open(ACCOUNTS))
    for account in json_of(client.get("/_admin/accounts"))["accounts"]:
        assert account["password"] in told
    assert "Solène MERCIER solene.mercier@regulation.example 3339900018/00000001 national active non acceptées" in told
    assert "7d0a2f6e-5a0b-4c1c-9f5e-0d6b3f1c2a01 technique SAS" in told
    assert "3339900018/00000003 national retirée" in told


def test_a_new_password_and_accepted_terms_show(console: Console, app: Flask, client: FlaskClient) -> None:
    def password() -> str:
        found: str = json_of(client.get("/_admin/accounts?editor=agenda-ville"))["accounts"][0]["password"]
        return found

    old, site = password(), Browser(app)
    site.arrive(MERCIER)
    site.open("/agenda-ville/mot-de-passe-oublie")
    site.send("/mot-de-passe-oublie", email="solene.mercier@regulation.example")
    told = text(console.open(f"{ACCOUNTS}?editeur=agenda-ville"))
    assert f"acceptées Montrer le mot de passe de Solène MERCIER {password()}" in told
    assert old not in told


def test_accounts_of_one_editor(console: Console) -> None:
    told = text(console.open(f"{ACCOUNTS}?editeur=agenda-cpts"))
    assert "Garance TESSIER" in told
    assert "Idriss ROUSSEL" not in told


def test_what_the_sas_sent_is_escaped(console: Console, client: FlaskClient) -> None:
    body = regulator((NATIONAL, '"><i>1'), family="<script>alert(1)</script>", given="<i>")
    assert client.post("/agenda-ville/fhir/Practitioner", json=body).status_code == 201
    page = console.open(ACCOUNTS).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page
    assert "<i>" not in page


# --- appointments


def test_the_last_taken_comes_first(played: LoadedScenario, tmp_path: Path) -> None:
    class Ticking(Clock):
        frozen = NOW

        def now(self) -> datetime:
            return self.frozen

    clock = Ticking()
    app = application(played, clock, tmp_path)
    made = []
    for rank in (4, 0):
        browser = Browser(app)
        browser.visit()
        made.append(browser.book(rank).rpartition("/")[2])
        clock.frozen += timedelta(minutes=1)
    console = Console(app)
    console.open(DIARY)
    assert [link.rpartition("/")[2] for link in console.links(f"{DIARY}/")] == made[::-1]


def test_names_of_patients_are_escaped(console: Console, book: Book) -> None:
    appointment = book(patient='<b>O\'Neil & "fils"</b>')
    for page in (DIARY, appointment, f"{appointment}/deplacer", f"{appointment}/praticien"):
        assert "<b>" not in console.open(page).text, page
        assert '<b>O\'Neil & "fils"</b>' in html.unescape(console.page.text), page


def test_what_is_offered_follows_the_state(console: Console, book: Book) -> None:
    change, outcomes, cancel = ["Déplacer", "Changer de praticien"], ["Honoré", "Non honoré"], "Annuler le rendez-vous"
    console.open(book())
    assert (state(console), operations(console)) == ("Confirmé", [*change, *outcomes, cancel])
    console.act("closeAppointment", "Honoré")
    assert (state(console), operations(console)) == ("Honoré", ["Non honoré"])
    console.act("closeAppointment", "Non honoré")
    assert (state(console), operations(console)) == ("Non honoré", ["Honoré"])
    console.open(book())
    console.act("cancelAppointment")
    assert (state(console), operations(console)) == ("Annulé", [])
    console.open(book(SOS_AGENDA))
    assert operations(console) == ["Affecter un médecin", "Déplacer", cancel]
    console.act("assignAppointment", practitioner="10100050075")
    assert operations(console) == ["Affecter un médecin", "Déplacer", *outcomes, cancel]


def test_an_action_ends_on_the_page_of_the_appointment(console: Console, book: Book) -> None:
    appointment = book()
    console.open(appointment)
    target, _, data = console.form("cancelAppointment")
    sent = console.client.post(target, data=data)
    assert (sent.status_code, sent.headers["Location"]) == (303, appointment)
    assert "Le rendez-vous est annulé." in console.open(appointment).text
    # It is told once.
    assert "Le rendez-vous est annulé." not in console.open(appointment).text


def test_move_to_another_slot(console: Console, book: Book) -> None:
    appointment = book()
    console.open(appointment)
    before = text(console.page)
    console.open(f"{appointment}/deplacer")
    # All types that may be exposed, which a visitor does not see.
    assert {"Grand public", "Professionnels", "SNP (SAS)"} <= set(
        re.findall(r'class="type">([^<]*)<', console.page.text)
    )
    chosen = slots(console)[7]
    move(console, chosen)
    assert console.visited[-1] == appointment
    assert text(console.page) != before
    assert state(console) == "Confirmé"
    console.open(f"{appointment}/deplacer")
    assert chosen not in slots(console)


def test_move_to_another_week_and_place(console: Console, book: Book) -> None:
    appointment = book()
    console.open(f"{appointment}/deplacer")
    assert "Semaine du 16 au 22 novembre 2026" in text(console.page)
    place = next(link for link in console.links("agenda=810100050075-2"))
    console.open(place)
    [following] = console.links("semaine=2026-11-23")
    console.open(following)
    move(console, slots(console)[0])
    told = text(console.page)
    assert "lundi 23 novembre 2026" in told
    assert "30 rue Mme DELMAS" in told


def test_another_practitioner_from_the_directory(console: Console, book: Book) -> None:
    appointment = book()
    console.open(f"{appointment}/praticien")
    links = console.links("/deplacer")
    assert len(links) == 40
    assert not any("810100050075" in link for link in links)
    console.open(next(link for link in links if GUIDE_MARCEL in link))
    assert console.title == "Changer de praticien"
    move(console, slots(console)[0])
    told = text(console.page)
    assert "Avec Dr Guillaume MARCEL" in told
    assert f"Praticien Guillaume MARCEL {GUIDE_MARCEL}" in told
    assert state(console) == "Confirmé"


@pytest.mark.parametrize("typed", ["10002673899", "810002673899", " 8 10002 673899 "])
def test_another_practitioner_by_identifier(console: Console, book: Book, typed: str) -> None:
    console.open(f"{book()}/praticien")
    console.send("/praticien", identifiant=typed)
    assert console.visited[-1].endswith(f"/deplacer?agenda={GUIDE_MARCEL}-1")
    assert "Agenda : Dr Guillaume MARCEL" in text(console.page)


@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        ("", 422, "Indiquez un RPPS"),
        ("1234", 422, "Indiquez un RPPS"),
        ('"><i>', 422, "Indiquez un RPPS"),
        ("99999999999", 404, "Ce logiciel ne connaît pas ce praticien."),
    ],
)
def test_a_practitioner_who_is_not_found(console: Console, book: Book, typed: str, status: int, told: str) -> None:
    console.open(f"{book()}/praticien")
    console.send("/praticien", identifiant=typed)
    assert console.page.status_code == status
    assert told in text(console.page)
    assert f'value="{html.escape(typed)}"'.replace("&quot;", "&#34;") in console.page.text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("10100050075", "810100050075"), ("810100050075", "810100050075"), ("359900017", "0359900017"), ("0a1", None)],
)
def test_assigning_a_practitioner(console: Console, book: Book, typed: str, kept: str | None) -> None:
    appointment = book(SOS_AGENDA)
    console.open(appointment)
    assert "Praticien pas encore affecté" in text(console.page)
    console.act("assignAppointment", practitioner=typed)
    assert console.page.status_code == (200 if kept else 422)
    assert f"Praticien {kept or 'pas encore affecté'} " in text(console.open(appointment))
    assert state(console) == ("Confirmé" if kept else "En attente d’un médecin")


def test_an_association_keeps_its_patients(console: Console, book: Book) -> None:
    appointment = book(SOS_AGENDA)
    console.open(f"{appointment}/deplacer")
    assert console.links("agenda=334173748400020-2")
    assert console.open(f"{appointment}/deplacer?agenda=392080466300010-1").status_code == 404
    assert console.open(f"{appointment}/praticien").status_code == 409
    console.open(f"{appointment}/deplacer?agenda=334173748400020-2")
    move(console, slots(console)[0])
    assert "Rennes Cleunay" in text(console.page)


# --- refusals


def test_refused_actions(console: Console, book: Book) -> None:
    cancelled, held, sos = book(), book(rank=1), book(SOS_AGENDA)
    console.open(f"{cancelled}/deplacer")
    free = slots(console)
    console.open(cancelled)
    console.act("cancelAppointment")
    console.open(held)
    token = {"jeton": key(console)}

    def path(page: str) -> dict[str, str]:
        editor, identifier = page.split("/")[-2:]
        return token | {"path.editor": editor, "path.appointment": identifier, "vers": page}

    taken = "810100050075-1-202611200003"
    cases = [
        ("cancelAppointment", cancelled, {}, 409, "Rendez-vous clos"),
        ("closeAppointment", cancelled, {"body.honoured": "false"}, 409, "Rendez-vous clos"),
        ("moveAppointment", cancelled, {"body.slot": free[0]}, 409, "Rendez-vous clos"),
        ("closeAppointment", sos, {"body.honoured": "true"}, 409, "Rendez-vous clos"),
        ("assignAppointment", held, {"body.practitioner": "10100050075"}, 409, "Affectation impossible"),
        ("closeAppointment", held, {"body.honoured": "x"}, 422, "body.honoured : oui ou non est attendu"),
        ("closeAppointment", held, {}, 422, "body.honoured : à remplir"),
        ("moveAppointment", held, {}, 422, "un créneau est attendu, ou un début avec son agenda"),
        ("moveAppointment", held, {"body.slot": "x-999912312359"}, 422, "ce n’est pas la référence d’un créneau"),
        ("moveAppointment", held, {"body.slot": taken}, 409, "Créneau introuvable"),
        ("moveAppointment", held, {"body.slot": "x-1-202611200715"}, 404, "Agenda introuvable"),
        ("cancelAppointment", UNKNOWN, {}, 404, "Page introuvable"),
        ("cancelAppointment", f"{DIARY}/nulle-part/x", {}, 404, "Page introuvable"),
    ]
    for operation, page, fields, status, told in cases:
        console.post(f"/_console/faire/{operation}", **path(page) | fields)
        assert console.page.status_code == status, (operation, fields)
        assert told in console.told, (operation, fields)
    for url, status, title in (
        (f"{cancelled}/praticien", 409, "Rendez-vous clos"),
        (f"{sos}/praticien", 409, "Changement impossible"),
    ):
        console.post(url, **token | {"identifiant": "10002673899"})
        assert (console.page.status_code, console.title) == (status, title)
    for url in (f"{cancelled}/deplacer", f"{cancelled}/praticien"):
        assert (console.open(url).status_code, console.title) == (409, "Rendez-vous clos")
        assert console.links(cancelled)


def test_two_who_choose_the_same_slot(console: Console, app: Flask, book: Book) -> None:
    first, second, other = book(), book(rank=1), Console(app)
    console.open(f"{first}/deplacer")
    other.open(f"{second}/deplacer")
    chosen = slots(console)[5]
    move(console, chosen)
    move(other, chosen)
    assert (other.page.status_code, other.title) == (409, "Rendez-vous de Zoé Fictif")
    assert other.told.startswith("Créneau déjà pris Ce créneau n’est plus libre")


def test_an_agenda_that_the_scenario_has_lost(played: LoadedScenario, tmp_path: Path) -> None:
    made = Browser(application(played, Clock(NOW), tmp_path))
    made.visit()
    appointment = f"{DIARY}/agenda-ville/{made.book().rpartition('/')[2]}"
    empty = replace(played.editors[0], directory=played.editors[2].directory)
    changed = replace(played, editors=(empty, *played.editors[1:]))
    console = Console(application(changed, Clock(NOW), tmp_path))
    assert "agenda disparu" in text(console.open(DIARY))
    console.open(appointment)
    assert operations(console) == ["Honoré", "Non honoré", "Annuler le rendez-vous"]
    assert console.open(f"{appointment}/deplacer").status_code == 409
    assert console.title == "Agenda disparu"
    console.open(appointment)
    console.act("cancelAppointment")
    assert state(console) == "Annulé"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (UNKNOWN, 404),
        (f"{UNKNOWN}/deplacer", 404),
        (f"{DIARY}/nulle-part/x", 404),
        (f"{DIARY}/agenda-ville/%00%ff'", 404),
        (f"{DIARY}?editeur=nulle-part", 404),
        (f"{ACCOUNTS}?editeur=%ff", 404),
        ("/_console/agenda", 404),
        ("/_console/nulle/part", 404),
        ("/_console/faire/reset", 404),
        ("/_console/fichier/reset", 404),
        (f"{DIARY}?{'&'.join('a' * 300)}", 400),
    ],
)
def test_pages_that_are_not_there(console: Console, url: str, status: int) -> None:
    page = console.open(url)
    assert page.status_code == status
    assert console.title in ("Page introuvable", "Demande mal formée")
    assert "simulateur" in page.text


@pytest.mark.parametrize("query", ["semaine=9999-12-31", "semaine=0001-01-01", "semaine=x", "agenda=&semaine="])
def test_any_week_is_shown(console: Console, book: Book, query: str) -> None:
    assert console.open(f"{book()}/deplacer?{query}").status_code == 200


def test_forms_of_other_sites_are_refused(console: Console, app: Flask, book: Book) -> None:
    appointment = book()
    elsewhere = Console(app)
    elsewhere.open(HOME)
    editor, identifier = appointment.split("/")[-2:]
    fields = {"path.editor": editor, "path.appointment": identifier, "identifiant": "10002673899"}
    for url in ("/_console/faire/reset", "/_console/faire/cancelAppointment", f"{appointment}/praticien"):
        for client, token in (
            (app.test_client(), ""),
            (app.test_client(), key(elsewhere)),
            (elsewhere.client, ""),
            (elsewhere.client, "é"),
        ):
            answer = client.post(url, data={"jeton": token} | fields)
            assert answer.status_code == 400, url
            assert "Formulaire expiré" in answer.text
    assert console.open(appointment).status_code == 200
    assert state(console) == "Confirmé"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"a" * 3_000_000, "application/x-www-form-urlencoded", 413),
        (b"&a=" * 600, "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"", "multipart/form-data", 400),
        (b"--x\r\n\r\n--", "multipart/form-data; boundary=x", 400),
        (
            b"--x\r\nContent-Disposition: form-data; name=jeton\r\n\r\n\xff\r\n--x--",
            "multipart/form-data; boundary=x",
            400,
        ),
    ],
)
def test_bodies_that_are_no_form(client: FlaskClient, body: bytes, kind: str, status: int) -> None:
    answer = client.post("/_console/faire/reset", data=body, content_type=kind)
    assert answer.status_code == status
    assert re.search("<h1>(Demande|Formulaire)", answer.text)


def test_only_for_browsers_of_this_machine(client: FlaskClient) -> None:
    for url in (HOME, ACCOUNTS, DIARY, UNKNOWN, "/_console/acces", "/_console/nulle-part"):
        for address in ("192.0.2.7", "2001:db8::7", ""):
            far = client.get(url, environ_overrides={"REMOTE_ADDR": address})
            assert (far.status_code, far.mimetype) == (403, "text/html")
        foreign = client.get(url, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        assert "Accès refusé" in foreign.text
        assert "Set-Cookie" not in foreign.headers
    page = client.get(HOME, environ_overrides={"REMOTE_ADDR": "::1"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert page.status_code == 200
    refused = client.post("/_console/faire/reset", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert refused.status_code == 403


def test_headers_keep_pages_to_themselves(client: FlaskClient) -> None:
    assert "HttpOnly; Path=/; SameSite=Lax" in client.get(HOME).headers["Set-Cookie"]
    for url in (HOME, UNKNOWN, "/_console/static/console.css"):
        with client.get(url) as page:
            assert forms.HEADERS_WITH_SCRIPTS.items() <= dict(page.headers).items(), url

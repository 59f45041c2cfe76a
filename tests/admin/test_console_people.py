"""The console's regulators and appointments: finding one, all that is known of it, and what can be done."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client

from mock_editor.admin.operations.accounts import MERCIER
from mock_editor.app import from_inside
from mock_editor.simulator.simulator import Simulator
from tests.accounts.conftest import NATIONAL, regulator
from tests.admin.conftest import AT_SOS, TAKEN, Played
from tests.admin.console_browser import Console, text, words
from tests.booking import conftest as site
from tests.conftest import GUIDE_MARCEL, json_of, matched

ACCOUNTS, DIARY = "/_console/comptes", "/_console/rendez-vous"
ACCOUNT = f"{ACCOUNTS}/agenda-ville/{MERCIER}"
SOS_AGENDA = "/agenda-sos/agenda/334173748400020?lieu=1"
UNKNOWN = f"{DIARY}/agenda-ville/00000000-0000-0000-0000-000000000000"
MINE = "urn:oid:1.2.250.1.71.4.2.1|x/1"
Book = Callable[..., str]


def make(client: FlaskClient, sas: Client | None = None, **changes: Any) -> dict[str, Any]:
    """Creates an account at agenda-sos as the SAS does; returns it as the admin API has it."""
    answer = (sas or client).post("/agenda-sos/fhir/Practitioner", json=regulator((NATIONAL, "x/1"), **changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = json_of(client.get("/_admin/accounts?editor=agenda-sos"))["accounts"][-1]
    return found


def rows(console: Console) -> list[str]:
    """The rows of the page's tables, as they are read."""
    bodies = re.findall(r"<tbody.*?</tbody>", console.page.text, re.DOTALL)
    return [words(row) for body in bodies for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]


# --- accounts


def test_accounts_are_listed_with_their_passwords(console: Console, client: FlaskClient) -> None:
    found = text(console.open(ACCOUNTS))
    for account in json_of(client.get("/_admin/accounts"))["accounts"]:
        assert account["password"] in found
    assert (
        "Solène MERCIER solene.mercier@regulation.example 3339900018/00000001 national active non acceptées "
        "Montrer le mot de passe de Solène MERCIER 83nc-58s5-6ez7"
    ) in found
    assert "7d0a2f6e-5a0b-4c1c-9f5e-0d6b3f1c2a01 technique SAS" in found
    assert "3339900018/00000003 national retirée" in found
    # It takes a click to see one.
    assert len(re.findall("<details><summary>Montrer", console.page.text)) == 6


def test_accounts_are_filtered_by_editor_and_state(console: Console) -> None:
    found = text(console.open(f"{ACCOUNTS}?editeur=agenda-cpts"))
    assert "Garance TESSIER" in found
    assert "Idriss ROUSSEL" not in found
    console.open(f"{ACCOUNTS}?habilitation=retire")
    assert [row.split()[1] for row in rows(console)] == ["TESSIER", "TESSIER"]
    console.open(console.links("habilitation=actif")[0])
    assert "TESSIER" not in text(console.page)
    assert console.open(f"{ACCOUNTS}?habilitation=x").status_code == 404
    assert console.open(f"{ACCOUNTS}?editeur=%ff").status_code == 404


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("mercier", ["MERCIER"] * 3),
        ("Solène MERCIER", ["MERCIER"] * 3),
        ("IDRISS.ROUSSEL", ["ROUSSEL"]),
        ("7d0a2f6e", ["ROUSSEL"]),
        (MERCIER, ["MERCIER"]),
        ("00000003", ["TESSIER"] * 2),
        ("family", []),
        ("%", []),
        ("1.2.250", []),
    ],
)
def test_accounts_are_found_by_what_people_know_of_them(console: Console, asked: str, found: list[str]) -> None:
    console.open(f"{ACCOUNTS}?q={asked.replace('%', '%25')}")
    assert [row.split()[1] for row in rows(console)] == found
    assert f'value="{asked}"' in console.page.text


def test_accounts_come_in_pages(console: Console, client: FlaskClient) -> None:
    for number in range(120):
        body = regulator((NATIONAL, f"x/{number}"), email=f"r{number}@test.com")
        assert client.post("/agenda-sos/fhir/Practitioner", json=body).status_code == 201
    shown = text(console.open(ACCOUNTS))
    assert "Les 121 comptes de Agenda SOS , dont voici les 20 derniers créés." in shown
    seen = []
    console.open(console.links("editeur=agenda-sos")[-1])
    for _ in range(2):
        seen += rows(console)
        console.open(console.links("page=")[-1])
    seen += rows(console)
    assert "Page suivante" not in console.page.text
    assert [matched(r" r(\d+)@", row)[1] for row in seen[:-1]] == [str(number) for number in range(120)][::-1]
    assert "Solène MERCIER" in seen[-1]
    console.open(f"{ACCOUNTS}?editeur=agenda-sos&q=r11")
    assert len(rows(console)) == 11


def test_what_the_sas_sent_is_escaped(console: Console, client: FlaskClient) -> None:
    made = make(client, family="<script>alert(1)</script>", given="<i>")
    for url in (ACCOUNTS, f"{ACCOUNTS}/agenda-sos/{made['id']}"):
        page = console.open(url).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>" not in page
        assert "<i>" not in page


def test_an_account_shows_all_that_is_known_of_it(console: Console, client: FlaskClient) -> None:
    console.open(ACCOUNTS)
    console.open(console.links(ACCOUNT)[0])
    assert console.title == "Solène MERCIER"
    shown = text(console.page)
    for said in (
        "Habilitation active Accès Depuis le SAS : tous les créneaux qui peuvent être exposés.",
        "E-mail solene.mercier@regulation.example Identifiants 3339900018/00000001 national",
        "Mot de passe Montrer 83nc-58s5-6ez7 Verrou aucun Conditions pas encore acceptées",
        f"Référence Practitioner/{MERCIER} Aucun rendez-vous pris avec ce compte.",
        "Aucun appel INT_R02 dans le journal : le compte est celui du scénario",
        '"resourceType": "Practitioner"',
    ):
        assert said in shown
    client.post("/_admin/appointments", json=TAKEN)
    console.open(ACCOUNT)
    console.open(console.links("/rendez-vous?")[0])
    assert len(rows(console)) == 1


def test_terms_and_locks_show(console: Console, app: Flask) -> None:
    browser = site.Browser(app)
    browser.arrive(site.MERCIER)
    for _ in range(5):
        other = site.Browser(app)
        other.open("/agenda-ville/connexion")
        other.send("/connexion", email="solene.mercier@regulation.example", **{"mot-de-passe": "x", "password": "x"})
    shown = text(console.open(ACCOUNT))
    assert "Conditions acceptées vendredi 20 novembre 2026 à 08:00" in shown
    assert "Verrou verrouillé jusqu’au vendredi 20 novembre 2026" in shown
    assert "active verrouillé acceptées" in text(console.open(ACCOUNTS))
    console.open(ACCOUNT)
    console.act("editAccount", "Déverrouiller")
    assert "Verrou aucun" in text(console.page)


def test_terms_are_asked_for_again_and_accepted_by_the_staff(console: Console, app: Flask) -> None:
    browser = site.Browser(app)
    browser.arrive(site.MERCIER)
    console.open(ACCOUNT)
    console.act("editAccount", "Redemander les conditions")
    assert "Conditions pas encore acceptées" in text(console.page)
    browser.open(site.AGENDA)
    assert browser.title == "Conditions générales d’utilisation"
    console.act("editAccount", "Accepter les conditions")
    assert "Conditions acceptées vendredi 20 novembre 2026 à 08:00" in text(console.page)
    browser.open(site.AGENDA)
    assert browser.title == "Agenda : Dr Sébastien THOMAS"


def test_the_history_tells_what_the_sas_did(console: Console, client: FlaskClient, simulator: Simulator) -> None:
    sas = Client(from_inside(simulator, simulator.app))
    made = make(client, sas)
    url = f"/agenda-sos/fhir/Practitioner?identifier={MINE}"
    body = regulator((NATIONAL, "x/1"))
    minimal = {"Prefer": "return=minimal"}
    for changes, headers, status in (
        ({"active": True}, {}, 200),
        ({"name": [body["name"][0] | {"family": "AUTRE"}]}, minimal, 200),
        ({"active": False}, minimal, 200),
        ({"active": False}, {}, 200),
        ({"active": True}, {}, 200),
        ({"name": []}, {}, 422),
    ):
        assert sas.put(url, json=body | changes, headers=headers).status_code == status
    # Somebody else, whose request only mentions the same value.
    assert sas.post("/agenda-sos/fhir/Practitioner", json=regulator((NATIONAL, "x/12"), email="b@test.com"))
    console.open(f"{ACCOUNTS}/agenda-sos/{made['id']}")
    told = [re.sub(r" \d\d/.*?,\d{3} ", " ", row) for row in rows(console)]
    put, post = "PUT /agenda-sos/fhir/Practitioner", "POST /agenda-sos/fhir/Practitioner"
    assert [re.sub(r"^\d+ ", "", one) for one in told] == [
        f"Refusé {put} 422",
        f"Rétabli {put} 200",
        f"Sans changement {put} 200",
        f"Retiré {put} 200",
        f"Modifié {put} 200",
        f"Sans changement {put} 200",
        f"Créé {post} 201",
    ]
    for link in console.links("/_console/journal"):
        assert Console(console.client.application).open(link).status_code == 200


def test_a_corrected_account_is_told(console: Console, client: FlaskClient) -> None:
    console.open(ACCOUNT)
    console.act("editAccount", "Enregistrer", family="MERCIER-DUPONT", password="secret-a-retenir")  # noqa: S106
    assert console.told == "Le compte est modifié."
    assert console.title == "Solène MERCIER-DUPONT"
    assert "secret-a-retenir" in text(console.page)
    account = json_of(client.get(f"/_admin/accounts/agenda-ville/{MERCIER}"))
    assert (account["password"], account["version"]) == ("secret-a-retenir", 2)
    # Saved once more as it is, nothing is different.
    console.act("editAccount", "Enregistrer")
    assert client.get(f"/_admin/accounts/agenda-ville/{MERCIER}").json == account
    console.act("editAccount", "Retirer")
    assert "Habilitation retirée Accès Aucun" in text(console.page)
    console.act("editAccount", "Rétablir")
    assert "Habilitation active" in text(console.page)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"email": "idriss.roussel@regulation.example"}, "idriss.roussel@regulation.example"),
        ({"national_id!": "", "technical_id!": ""}, "MERCIER"),
        ({"password": "é"}, "é"),
    ],
)
def test_a_correction_that_is_refused_changes_nothing(
    console: Console, client: FlaskClient, fields: dict[str, str], said: str
) -> None:
    before = client.get(f"/_admin/accounts/agenda-ville/{MERCIER}").json
    console.open(ACCOUNT)
    console.act("editAccount", "Enregistrer", **fields)
    assert console.page.status_code == 422
    assert console.told.startswith("Saisie refusée")
    assert f'value="{said}"' in console.page.text
    assert client.get(f"/_admin/accounts/agenda-ville/{MERCIER}").json == before


@pytest.mark.parametrize(
    "url", [f"{ACCOUNTS}/agenda-ville/x", f"{ACCOUNTS}/nulle-part/x", f"{ACCOUNTS}/agenda-sos/{MERCIER}"]
)
def test_accounts_that_are_not_there(console: Console, url: str) -> None:
    assert console.open(url).status_code == 404
    assert console.title == "Page introuvable"


# --- the list of appointments


def test_appointments_are_filtered(console: Console, client: FlaskClient, book: Book) -> None:
    assert "Aucun rendez-vous." in text(console.open(DIARY))
    sas = json_of(client.post("/_admin/appointments", json=TAKEN))["id"]
    sos = json_of(client.post("/_admin/appointments", json=AT_SOS | {"patient": "TROIS"}))["id"]
    visit = book(patient="UN").rpartition("/")[2]
    client.post(f"/_admin/appointments/agenda-ville/{sas}/cancel")

    def found(query: str) -> set[str]:
        console.open(f"{DIARY}?{query}")
        return {link.rpartition("/")[2] for link in console.links(f"{DIARY}/")}

    assert found("") == {sas, sos, visit}
    for said in (
        "Zoé Fictif Dr Sébastien THOMAS 1 rue Mme DELMAS, 47000 AGEN Agenda Ville depuis le SAS par Solène MERCIER",
        "hors SAS par un visiteur du site Confirmé",
        "hors SAS par la permanence En attente d’un médecin",
    ):
        assert said in text(console.page)
    for query, expected in {
        "editeur=agenda-ville": {sas, visit},
        "etat=cancelled": {sas},
        "etat=booked": {visit},
        "genre=sas": {sas},
        "genre=hors-sas": {sos, visit},
        "genre=sos": {sos},
        "genre=hors-sas&editeur=agenda-ville&etat=booked": {visit},
        "q=trois": {sos},
        "q=Fièvre": {sas},
        f"q={sas}": {sas},
        f"q={MERCIER}": {sas},
        "q=3339900018": {sas},
        "q=810100050075": {sas, visit},
        "q=trois&genre=sas": set(),
        "q=%25": set(),
        "page=2": set(),
        "page=x": {sas, sos, visit},
    }.items():
        assert found(query) == expected, query
    # A filter keeps the others.
    console.open(f"{DIARY}?etat=booked&q=un&genre=hors-sas&editeur=agenda-ville")
    assert f"{DIARY}?editeur=agenda-ville&etat=cancelled&genre=hors-sas&q=un" in console.links(DIARY)
    assert f"{DIARY}?editeur=agenda-sos&etat=booked&genre=hors-sas&q=un" in console.links(DIARY)
    for query in ("etat=x", "genre=x", "editeur=x", "etat=%ff"):
        assert console.open(f"{DIARY}?{query}").status_code == 404


def test_appointments_come_in_pages_the_last_first(console: Console, client: FlaskClient) -> None:
    made = []
    for day in ("2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24"):
        slots = json_of(client.get(f"/_admin/calendars/agenda-ville/810100050075-1/slots?day={day}"))["slots"]
        for slot in (one["slot"] for one in slots if one["state"] == "free"):
            answer = client.post("/_admin/appointments", json={"editor": "agenda-ville", "slot": slot})
            made.append(json_of(answer)["id"])
    seen = []
    console.open(DIARY)
    assert f"{len(made)} rendez-vous, le dernier pris en premier." in text(console.page)
    for _ in range(len(made) // 50 + 1):
        seen += [link.rpartition("/")[2] for link in console.links(f"{DIARY}/")]
        if following := [link for link in console.links("page=") if "Page suivante" in console.page.text]:
            console.open(following[-1])
    assert seen == made[::-1]


# --- an appointment


def test_who_took_it(console: Console, client: FlaskClient, book: Book) -> None:
    assert "Pris hors SAS, par un visiteur du site, le 20/11/2026" in text(console.open(book()))
    made = json_of(client.post("/_admin/appointments", json=TAKEN))["id"]
    shown = text(console.open(f"{DIARY}/agenda-ville/{made}"))
    assert "Pris depuis le SAS, par Solène MERCIER (solene.mercier@regulation.example)" in shown
    assert console.open(console.links(ACCOUNT)[0]).status_code == 200


def test_what_happened_is_told_with_its_notifications(console: Console, client: FlaskClient, sender: Played) -> None:
    assert sender
    made = json_of(client.post("/_admin/appointments", json=TAKEN))["id"]
    base = f"/_admin/appointments/agenda-ville/{made}"
    for do, body in (
        ("move", {"slot": "810100050075-1-202611200745"}),
        ("move", {"calendar": f"{GUIDE_MARCEL}-1", "start": "2026-11-20T10:00:00+01:00"}),
        ("close", {"honoured": False}),
        ("close", {"honoured": True}),
    ):
        assert client.post(f"{base}/{do}", json=body).status_code == 200
    console.open(f"{DIARY}/agenda-ville/{made}")
    titles = [words(one) for one in re.findall(r"<h3>(.*?)</h3>", console.page.text)]
    assert titles == [
        "1. Pris, vendredi 20 novembre 2026 à 08:15",
        "2. Déplacé, vendredi 20 novembre 2026 à 08:45",
        "3. Déplacé, vendredi 20 novembre 2026 à 10:00",
        "4. Non honoré, vendredi 20 novembre 2026 à 10:00",
        "5. Honoré, vendredi 20 novembre 2026 à 10:00",
    ]
    assert text(console.page).count("Contenu transmis {") == 5


def test_a_doctor_who_is_assigned_is_told(console: Console, client: FlaskClient) -> None:
    sos = {**AT_SOS, "account": "3339900018/00000001"}
    made = json_of(client.post("/_admin/appointments", json=sos))["id"]
    for rpps in ("10100050075", "10002673899"):
        client.post(f"/_admin/appointments/agenda-sos/{made}/assign", json={"practitioner": rpps})
    client.post(f"/_admin/appointments/agenda-sos/{made}/cancel")
    console.open(f"{DIARY}/agenda-sos/{made}")
    titles = [words(one).partition(",")[0] for one in re.findall(r"<h3>(.*?)</h3>", console.page.text)]
    assert titles == ["1. Pris", "2. Médecin affecté", "3. Changé de praticien ou de lieu", "4. Annulé"]


def test_what_was_sent_is_linked(console: Console, client: FlaskClient, simulator: Simulator) -> None:
    made = json_of(client.post("/_admin/appointments", json=TAKEN))["id"]
    console.open(f"{DIARY}/agenda-ville/{made}")
    assert "Le journal n’a pas d’envoi au sujet de ce rendez-vous." in text(console.page)
    simulator.world.start()
    wait = client.get(f"/_admin/journal/wait?flow=INT_R03&contains={made}&count=1")
    assert wait.status_code == 200
    simulator.world.stop(wait=True)
    console.open(f"{DIARY}/agenda-ville/{made}")
    [link, *_] = console.links("/_console/journal/")
    assert made in console.open(link).text
    console.open(f"{DIARY}/agenda-ville/{made}")
    [agenda] = console.links("/_console/agendas/agenda-ville/")
    assert "Fiche du rendez-vous" in text(console.open(agenda))

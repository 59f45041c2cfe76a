"""The console's pages on notifications (INT_R03), in every state that these may be in."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from flask import Flask

from mock_editor.admin.console.shown_notifications import STATES
from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.clock import Clock
from mock_editor.base.issues import Code, Issue, Term, issue
from mock_editor.notifications.model import NotificationState as State
from mock_editor.notifications.outcomes import failed, rule_acted
from mock_editor.scenario import LoadedScenario
from mock_editor.simulator.simulator import Simulator
from tests.admin.conftest import Played
from tests.admin.console_browser import Console, text
from tests.admin.test_console import DIARY, HOME, SOS_AGENDA, key
from tests.booking.conftest import AGENDA, Browser
from tests.conftest import NOW, PUBLIC_URL, application, matched, pieces_of
from tests.wire.conftest import eventually

LIST = "/_console/notifications"
Book = Callable[..., str]
EXPIRED = issue(Code.SENDING_TLS_CERTIFICATE, flaw=Term("certificate of the SAS", "expired"), reason="expired")
LOST = issue(Code.SENDING_LOST, rule=rule_acted(AppliedRule("r", ("notification-drop",))))
REFUSAL = {
    "resourceType": "OperationOutcome",
    "issue": [
        {"severity": "error", "code": "value", "diagnostics": "Le RPPS <b>n'est pas</b> connu"},
        {"severity": "error", "code": "value", "details": {"text": "Sans diagnostics"}},
        {"severity": "error", "code": "value"},
    ],
}


@pytest.fixture
def book(app: Flask) -> Book:
    """A regulator books through the SAS; returns the appointment's page in the console."""
    browser = Browser(app)

    def one(agenda: str = AGENDA, rank: int = 0) -> str:
        browser.open(f"{agenda}&origin=sas")
        if "/authorize" in browser.visited[-1]:
            browser.choose("mercier" if agenda is AGENDA else "roussel")
        if browser.title.startswith("Conditions"):
            browser.send("/cgu", accepter="1")
        editor, identifier = matched(r"^/(.+)/rendez-vous/(.+)$", browser.book(rank)).groups()
        return f"{DIARY}/{editor}/{identifier}"

    return one


def filters(console: Console) -> list[tuple[str, str]]:
    """The states with their counts, as the list offers them."""
    return re.findall(r">([^<]*) : (\d+)</a>", console.page.text.partition('aria-label="États"')[2])


def shown(console: Console) -> str:
    return text(console.page).partition("Notifications au SAS")[2]


def buttons(console: Console) -> list[str]:
    found = re.findall(r"<button[^>]*>(.*?)</button>", console.page.text, re.DOTALL)
    return [one for one in (re.sub("<.*?>", "", one) for one in found) if one.startswith("Renvoyer")]


def shown_of(console: Console, appointment: str) -> str:
    console.open(appointment)
    return shown(console)


def buttons_of(console: Console, page: str) -> list[str]:
    console.open(page)
    return buttons(console)


def key_of(console: Console, page: str) -> str:
    console.open(page)
    return key(console)


# --- the list


def test_nothing_yet(console: Console) -> None:
    assert console.open(LIST).status_code == 200
    assert console.title == "Notifications"
    assert text(console.page).endswith("Aucune notification.")
    assert filters(console) == [("Tous les états", "0"), *((label, "0") for label in STATES.values())]
    assert buttons(console) == []


def test_every_state_is_counted_and_shown(console: Console, book: Book, sender: Played) -> None:
    accepted, refused, given_up, waits, sending, new = (book() for _ in range(6))
    sender.attempt(State.ACCEPTED, 201)
    sender.attempt(State.REFUSED, 422, answer=REFUSAL)
    sender.attempt(State.GIVEN_UP, None, failed(requests.ConnectionError("[Errno 111] refused")))
    sender.attempt(State.WAITING, 503, wait=timedelta(minutes=5))
    sender.outbox.claim(1, 60)
    console.open(LIST)
    assert filters(console) == [
        ("Tous les états", "6"),
        ("En attente", "2"),
        ("En cours", "1"),
        ("Échec TLS", "0"),
        ("Acceptée", "1"),
        ("Refusée", "1"),
        ("Abandonnée", "1"),
    ]
    rows = re.findall(r"<tr>(.*?)</tr>", console.page.text.partition("<tbody>")[2], re.DOTALL)
    told = [" ".join(html.unescape(re.sub("<[^>]*>", " ", row)).split()) for row in rows]
    created = "Confirmé Agenda Ville {} 20/11/2026 à 08:00:00 {}"
    ends = [
        created.format("En attente", "dès que possible 0 –"),
        created.format("En cours", "– 0 –"),
        created.format("En attente", "20/11/2026 à 08:05:00 1 HTTP 503, erreur du SAS"),
        created.format("Abandonnée", "– 1 connexion impossible ou coupée Renvoyer la notification 3"),
        created.format("Refusée", "– 1 HTTP 422, refusée par le SAS Renvoyer la notification 2"),
        created.format("Acceptée", "– 1 HTTP 201, acceptée"),
    ]
    pages = (new, sending, waits, given_up, refused, accepted)
    for row, page, end in zip(told, pages, ends, strict=True):
        assert re.match(r"vendredi 20 novembre 2026 à \d\d:\d\d ", row), row
        assert row.endswith(f"{page.rpartition('/')[2]} {end}")
    links = [link.partition("#") for link in console.links(f"{DIARY}/")]
    assert [(page, anchor) for page, _, anchor in links] == [
        (page, f"notification-{6 - rank}") for rank, page in enumerate(pages)
    ]
    for page, _, anchor in links:
        assert f'id="{anchor}"' in console.open(page).text


def test_one_behind_another_waits_for_it(console: Console, book: Book, sender: Played) -> None:
    appointment = book()
    sender.attempt(State.WAITING, 429, wait=timedelta(minutes=5))
    console.open(appointment)
    console.act("cancelAppointment")
    assert "Annulé État En attente Créée 20/11/2026 à 08:00:00 Prochain essai après la précédente" in shown(console)
    told = text(console.open(LIST))
    assert "Annulé Agenda Ville En attente 20/11/2026 à 08:00:00 après la précédente 0 –" in told
    assert "20/11/2026 à 08:05:00 1 HTTP 429, trop de demandes" in told


def test_filters_by_editor_and_state(console: Console, book: Book, sender: Played) -> None:
    ville = book()
    sender.attempt(State.REFUSED, 422)
    other, sos = book(), book(SOS_AGENDA)

    def found(url: str) -> list[str]:
        console.open(url)
        return [link.partition("#")[0] for link in console.links(f"{DIARY}/")]

    assert found(LIST) == [sos, other, ville]
    assert "En attente d’un médecin Agenda SOS" in text(console.page)
    assert found(f"{LIST}?editeur=agenda-ville") == [other, ville]
    assert filters(console)[:2] == [("Tous les états", "2"), ("En attente", "1")]
    # A filter keeps the other one.
    [both] = console.links("etat=refused")
    assert found(both) == [ville]
    assert f"{LIST}?editeur=agenda-ville" in console.links(LIST)
    [elsewhere] = (link for link in console.links("editeur=agenda-sos") if "refused" in link)
    assert found(elsewhere) == []
    assert "Aucune notification." in text(console.page)
    [state] = (link for link in console.links("etat=refused") if "editeur" not in link)
    assert found(state) == [ville]
    current = re.findall(r'aria-current="page" href="[^"]*">([^<]*)<', console.page.text.partition("<main")[2])
    assert current == ["Tous les logiciels", "Refusée : 1"]


def test_only_the_last_of_many_are_listed(console: Console, book: Book, sender: Played) -> None:
    book()
    columns = "editor, appointment, creates, body, state, created, due, attempts, unsure"
    with sender.store.writing() as db:
        copy = f"insert into notifications ({columns}) select {columns} from notifications where id = 1"  # noqa: S608
        for _ in range(204):
            db.execute(copy)
    sender.attempt(State.REFUSED, 422)
    told = text(console.open(LIST))
    assert "Les 100 dernières, sur 205." in told
    assert len(console.links(f"{DIARY}/")) == 100
    assert "Les 100 dernières, sur 204." in text(console.open(f"{LIST}?etat=waiting"))
    assert "La dernière en premier." in text(console.open(f"{LIST}?etat=refused"))


def test_an_editor_that_the_scenario_has_lost(played: LoadedScenario, tmp_path: Path) -> None:
    made = Browser(application(played, Clock(NOW), tmp_path))
    made.arrive()
    made.book()
    console = Console(application(replace(played, editors=played.editors[1:]), Clock(NOW), tmp_path))
    assert "agenda-ville que le scénario n’a plus En attente" in text(console.open(LIST))
    assert console.links(f"{DIARY}/") == []


@pytest.mark.parametrize(
    "url", [f"{LIST}?editeur=nulle-part", f"{LIST}?etat=x", f"{LIST}?etat=%ff", f"{LIST}/renvoyer"]
)
def test_lists_that_are_not_there(console: Console, url: str) -> None:
    assert console.open(url).status_code == 404
    assert console.title == "Page introuvable"


# --- an appointment


def test_an_appointment_that_the_sas_does_not_know(console: Console, app: Flask) -> None:
    visitor = Browser(app)
    visitor.visit()
    console.open(f"{DIARY}/agenda-ville/{visitor.book().rpartition('/')[2]}")
    assert shown(console).startswith(" Ce rendez-vous n’a pas été pris depuis le SAS, qui n’en sait rien.")


def test_attempts_in_order(console: Console, book: Book, sender: Played) -> None:
    appointment = book()
    assert "Pas encore d’essai." in shown_of(console, appointment)
    timeout = "ReadTimeout: Read timed out. (read timeout=10.0)"
    sender.attempt(State.WAITING, None, failed(requests.ReadTimeout("Read timed out. (read timeout=10.0)")))
    sender.attempt(State.WAITING, 503, answer="<html>Panne</html>")
    sender.attempt(State.REFUSED, 422, answer=REFUSAL)
    console.open(appointment)
    console.act("cancelAppointment")
    told = shown(console)
    at = "20/11/2026 à 08:00:00"
    expected = [
        "1. Pris, vendredi 20 novembre 2026 à",
        f"Annonce Confirmé État Refusée Créée {at}",
        f"{at} POST aucun 0,012 s pas de réponse à temps Détail {timeout}",
        f"{at} PUT 503 0,012 s HTTP 503, erreur du SAS Réponse <html>Panne</html>",
        f"{at} PUT 422 0,012 s HTTP 422, refusée par le SAS "
        f"Le RPPS <b>n'est pas</b> connu Sans diagnostics Réponse {json.dumps(REFUSAL)}",
        "Contenu transmis {",
        "Renvoyer la notification 1",
        "2. Annulé, vendredi 20 novembre 2026 à",
        f"Annonce Annulé État En attente Créée {at} Prochain essai dès que possible",
        "Pas encore d’essai.",
    ]
    places = [told.index(part) for part in expected]
    assert places == sorted(places)
    for tag in ("<b>", "<html>Panne", "<script>"):
        assert tag not in console.page.text


def test_the_body_is_shown_as_it_was_sent(console: Console, book: Book, sender: Played) -> None:
    console.open(book())
    [block] = re.findall(r"<pre[^>]*>\n(.*?)</pre>", console.page.text, re.DOTALL)
    [claimed] = sender.outbox.claim(1, 60)
    assert "&#34;resourceType&#34;" in block
    assert html.unescape(block) == json.dumps(json.loads(claimed.body), indent=2, ensure_ascii=False)


@pytest.mark.parametrize(
    "answer",
    [
        "null",
        "{",
        "[]",
        "[" * 5000,
        '{"resourceType":"OperationOutcome"}',
        '{"resourceType":"OperationOutcome","issue":{"diagnostics":"x"}}',
        '{"resourceType":"OperationOutcome","issue":[1,null,{"diagnostics":{}},{"details":[]},{"details":{"text":2}}]}',
        '{"resourceType":"Appointment","issue":[{"diagnostics":"x"}]}',
        "\x00\ufffd</pre><script>alert(1)</script>",
    ],
)
def test_any_answer_is_shown(console: Console, book: Book, sender: Played, answer: str) -> None:
    appointment = book()
    sender.attempt(State.REFUSED, 400, answer=answer)
    assert console.open(appointment).status_code == 200
    assert "HTTP 400, refusée par le SAS Réponse" in shown(console)
    assert "<script>" not in console.page.text


@pytest.mark.parametrize(
    ("status", "result", "told"),
    [
        (200, None, "HTTP 200, acceptée"),
        (302, None, "HTTP 302, redirection, qui n’est pas suivie"),
        (408, None, "HTTP 408, demande trop lente"),
        (425, None, "HTTP 425, trop tôt"),
        (101, None, "HTTP 101"),
        (None, failed(requests.ConnectTimeout("x")), "connexion trop lente"),
        (None, failed(requests.exceptions.ProxyError("x")), "connexion impossible ou coupée"),
        (None, failed(requests.exceptions.SSLError("x")), "connexion TLS refusée"),
        (None, failed(requests.exceptions.ChunkedEncodingError("x")), "réponse coupée"),
        (None, EXPIRED, "certificat du SAS refusé : il a expiré, ou celui de son autorité"),
        (None, LOST, "perdue par une règle de panne"),
        (None, failed(requests.exceptions.InvalidURL("x")), "échec technique"),
    ],
)
def test_results_in_french(
    console: Console, book: Book, sender: Played, status: int | None, result: Issue | None, told: str
) -> None:
    appointment = book()
    sender.attempt(State.WAITING, status, result)
    assert text(console.open(LIST)).endswith(f"1 {told}")
    assert f"0,012 s {told}" in shown_of(console, appointment)


# --- sending again


def test_one_is_sent_again(console: Console, book: Book, sender: Played) -> None:
    appointment = book()
    number = sender.attempt(State.REFUSED, 422)
    console.open(appointment)
    target, _, data = console.form("replayNotification")
    sent = console.client.post(target, data=data)
    assert (sent.status_code, sent.headers["Location"]) == (303, f"{appointment}#notification-{number}")
    console.open(appointment)
    assert "État En attente" in shown(console)
    assert buttons(console) == []
    assert sender.attempt(State.ACCEPTED, 200) == number
    assert shown_of(console, appointment).count("0,012 s") == 2


def test_what_is_offered_follows_the_state(console: Console, book: Book, sender: Played) -> None:
    appointment = book()
    assert buttons_of(console, appointment) == []
    sender.attempt(State.GIVEN_UP, 503)
    assert buttons_of(console, appointment) == ["Renvoyer la notification 1"]
    console.act("cancelAppointment")
    assert buttons(console) == ["Renvoyer la notification 1"]
    sender.attempt(State.ACCEPTED, 200)
    # The SAS would fall back to the older state.
    assert buttons_of(console, appointment) == []
    assert shown(console).count("Inutile : le SAS a accepté une notification plus récente.") == 1


def test_one_that_cannot_be_sent_again(console: Console, book: Book, sender: Played) -> None:
    first = book()
    book()
    refused = sender.attempt(State.REFUSED, 422)
    other = sender.attempt(State.ACCEPTED, 201)
    console.open(first)
    token = key(console)
    console.act("cancelAppointment")
    sender.attempt(State.ACCEPTED, 200)
    cases = [
        (str(refused), 409, "Action impossible"),
        (str(other), 409, "Action impossible"),
        ("99", 404, "Page introuvable"),
        ("", 422, "numéro : un nombre entier est attendu"),
        (f"0{refused}", 422, "numéro"),
        ("9" * 400, 422, "numéro"),
    ]
    for number, status, told in cases:
        fields = {"jeton": token, "vers": first, "path.number": number}
        console.post("/_console/faire/replayNotification", **fields)
        assert (console.page.status_code, console.title) == (status, "Rendez-vous de Zoé Fictif"), number
        assert told in console.told, number


def test_what_is_sent_again_arrives(console: Console, book: Book, sender: Played, simulator: Simulator) -> None:
    appointment = book()
    sender.attempt(State.REFUSED, 422)
    simulator.world.start()
    console.open(appointment)
    console.act("replayNotification")
    assert eventually(lambda: "acceptée" in shown_of(console, appointment))
    simulator.world.stop(wait=True)


def test_a_store_that_cannot_be_written_is_no_conflict(
    console: Console, book: Book, sender: Played, simulator: Simulator
) -> None:
    appointment = book()
    sender.attempt(State.REFUSED, 422)
    console.open(appointment)
    with simulator.store.writing() as db:
        db.execute("pragma query_only = on")
    console.act("replayNotification")
    assert console.page.status_code == 503
    assert console.told.startswith("Service indisponible")


def test_all_are_sent_again(console: Console, book: Book, sender: Played) -> None:
    replaced = book()
    for _ in range(3):
        book()
    sender.attempt(State.REFUSED, 422)
    sender.attempt(State.GIVEN_UP, 503)
    sender.attempt(State.REFUSED, 404)
    sender.attempt(State.ACCEPTED, 201)
    console.open(replaced)
    console.act("cancelAppointment")
    sender.attempt(State.ACCEPTED, 201)
    # Whatever the list shows.
    console.open(f"{LIST}?editeur=agenda-sos&etat=accepted")
    assert buttons(console) == ["Renvoyer tout ce qui a été refusé ou abandonné"]
    console.act("replayNotifications")
    assert "2 notifications repartent vers le SAS." in text(console.page)
    assert sender.notifications.counts() == {
        State.WAITING: 2,
        State.ACCEPTED: 2,
        State.REFUSED: 1,
    }
    console.act("replayNotifications")
    assert "Aucune notification à renvoyer." in text(console.page)
    sender.attempt(State.REFUSED, 422)
    console.open(LIST)
    console.act("replayNotifications")
    assert "1 notification repart vers le SAS." in text(console.page)


def test_forms_of_other_sites_are_refused(console: Console, app: Flask, book: Book, sender: Played) -> None:
    book()
    number = sender.attempt(State.REFUSED, 422)
    for operation in ("replayNotification", "replayNotifications"):
        url, fields = f"/_console/faire/{operation}", {"path.number": str(number)}
        answer = app.test_client().post(url, data={"jeton": key_of(console, HOME)} | fields)
        assert answer.status_code == 400
        assert "Formulaire expiré" in answer.text
        far = console.client.post(url, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
        assert far.status_code == 403
    assert console.client.get(LIST, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 403
    assert sender.notifications.counts() == {State.REFUSED: 1}


# --- home


def test_home_tells_what_waits_and_what_failed(console: Console, book: Book, sender: Played) -> None:
    assert "Notifications au SAS 0 en attente, 0 en échec" in text(console.open(HOME))
    assert LIST in console.links(LIST)
    for _ in range(3):
        book()
    sender.attempt(State.ACCEPTED, 201)
    sender.attempt(State.REFUSED, 422)
    assert "Notifications au SAS 1 en attente, 1 en échec" in text(console.open(HOME))
    console.act("reset")
    assert "Notifications au SAS 0 en attente, 0 en échec" in text(console.page)
    assert "Aucune notification." in text(console.open(LIST))


def test_every_page_leads_to_the_bench_if_it_is_on(console: Console, played: LoadedScenario, tmp_path: Path) -> None:
    console.open(HOME)
    assert console.links("/_sas/") == [f"{PUBLIC_URL}/_sas/"]
    assert console.open(console.links("/_sas/")[0]).status_code == 200
    folder = tmp_path / "other"
    folder.mkdir()
    without = Console(application(played, Clock(NOW), folder, with_bench="off"))
    without.open(HOME)
    assert without.links("/_sas/") == []


# --- the list as it changes


def test_one_is_sent_again_from_the_list(console: Console, book: Book, sender: Played) -> None:
    first, _ = book(), book()
    sender.attempt(State.REFUSED, 422)
    sender.attempt(State.GIVEN_UP, 503)
    console.open(f"{LIST}?etat=refused")
    assert buttons(console) == ["Renvoyer tout ce qui a été refusé ou abandonné", "Renvoyer la notification 1"]
    console.act("replayNotification")
    assert console.told == "La notification repart vers le SAS."
    assert console.visited[-1] == f"{LIST}?etat=refused"
    assert filters(console)[1] == ("En attente", "1")
    sender.attempt(State.REFUSED, 422)
    console.open(first)
    console.act("cancelAppointment")
    sender.attempt(State.ACCEPTED, 200)
    # The SAS would fall back to the older state.
    console.open(LIST)
    assert buttons(console) == ["Renvoyer tout ce qui a été refusé ou abandonné", "Renvoyer la notification 2"]


def test_one_that_tls_has_stopped_is_shown_and_sent_again(console: Console, book: Book, sender: Played) -> None:
    appointment = book()
    sender.attempt(
        State.TLS_FAILED, None, failed(requests.exceptions.SSLError("bad certificate")), wait=timedelta(minutes=1)
    )
    console.open(f"{LIST}?etat=tls failed")
    assert ("Échec TLS", "1") in filters(console)
    assert "Échec TLS 20/11/2026 à 08:00:00 20/11/2026 à 08:01:00 1 connexion TLS refusée" in text(console.page)
    assert "État Échec TLS" in shown_of(console, appointment)
    console.act("replayNotification")
    assert "État En attente" in shown(console)


def test_sending_is_suspended_and_goes_on(console: Console, book: Book, sender: Played) -> None:
    book()
    console.open(f"{LIST}?editeur=agenda-ville")
    console.act("pauseNotifications")
    assert console.told == "L’envoi des notifications est suspendu."
    assert console.visited[-1] == f"{LIST}?editeur=agenda-ville"
    assert "L’envoi est suspendu, pour tous les logiciels" in text(console.page)
    assert sender.outbox.claim(1, 60) == []
    console.act("resumeNotifications")
    assert console.told == "L’envoi des notifications reprend."
    assert len(sender.outbox.claim(1, 60)) == 1


def test_the_list_is_a_stream_too(console: Console, book: Book, sender: Played) -> None:
    console.open(f"{LIST}?editeur=agenda-ville")
    [live] = re.findall('data-live="([^"]*)"', console.page.text)
    assert live == f"{LIST}/direct?editeur=agenda-ville"
    answer = console.client.get(live)
    with answer:
        assert answer.mimetype == "text/event-stream"
        pieces = pieces_of(answer)
        assert "Aucune notification." in next(pieces).decode()
        book()
        piece = next(one for one in pieces if one.startswith(b"data:")).decode()
        assert "En attente : 1" in piece
        # A form leads to the page, and not to the stream.
        assert f'name="vers" value="{LIST}?editeur=agenda-ville"' in piece
    assert sender
    assert console.open(f"{LIST}/direct?editeur=x").status_code == 404

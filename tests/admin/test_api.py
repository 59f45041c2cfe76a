"""What the operations on accounts, appointments and notifications do, and what they make of odd requests."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mock_editor.admin.operations.accounts import MERCIER
from mock_editor.calendars.catalogue import stamp
from mock_editor.calendars.model import SlotType, Window
from mock_editor.notifications.model import NotificationState
from mock_editor.simulator.simulator import Simulator
from tests.admin.conftest import AT_SOS, TAKEN, Played
from tests.conftest import GUIDE_THOMAS, NOW, json_of, slot_search

ACCOUNTS, APPOINTMENTS, NOTIFICATIONS = "/_admin/accounts", "/_admin/appointments", "/_admin/notifications"
TESSIER = "0f7f2109-e226-56f8-81cc-7ebf7a1872d3"  # whose account is withdrawn
CALENDAR = f"{GUIDE_THOMAS}-1"
FREE = [f"{CALENDAR}-{start}" for start in ("202611200745", "202611200700")]
Listed = Callable[[str], list[Any]]


@pytest.fixture
def listed(client: FlaskClient) -> Listed:
    """The ids on a list of appointments."""

    def ids(query: str = "") -> list[Any]:
        answer = client.get(f"{APPOINTMENTS}?{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in json_of(answer)["appointments"]]

    return ids


def make(client: FlaskClient, **changes: Any) -> TestResponse:
    return client.post(APPOINTMENTS, json={"editor": "agenda-ville", "slot": FREE[0], **changes})


def faults(answer: TestResponse) -> list[str]:
    """Where a problem document says that something is wrong."""
    assert answer.content_type.startswith("application/problem+json"), answer.text
    return [one["where"] for one in json_of(answer)["errors"]]


# --- accounts


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 6),
        ("editor=agenda-ville", 3),
        ("active=true", 4),
        ("active=false&editor=agenda-ville", 1),
        ("editor=agenda-ville&email=SOLENE.Mercier@regulation.example", 1),
        ("email=solene.mercier@regulation.example", 3),
        ("identifier=3339900018/00000001&editor=agenda-ville", 1),
        ("identifier=urn:oid:1.2.250.1.71.4.2.1|3339900018/00000001&editor=agenda-ville", 1),
        ("identifier=3339900018", 0),
        ("email=personne@regulation.example", 0),
        ("text=SOLÉNE%20merci", 3),
        ("text=solene.mercier@&editor=agenda-ville", 1),
        ("text=3339900018/00000001&editor=agenda-ville&active=true", 1),
        ("text=9018/00000001&active=false", 0),
        (f"text={MERCIER}", 1),
        ("limit=2", 2),
        ("limit=2&page=3", 2),
        ("limit=2&page=4", 0),
        ("page=2", 0),
    ],
)
def test_accounts_are_found(client: FlaskClient, query: str, count: int) -> None:
    found = json_of(client.get(f"{ACCOUNTS}?{query}"))["accounts"]
    assert len(found) == count


def test_accounts_come_in_pages_over_all_editors(client: FlaskClient) -> None:
    every = json_of(client.get(ACCOUNTS))["accounts"]
    pages = [json_of(client.get(f"{ACCOUNTS}?limit=2&page={number}"))["accounts"] for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [2, 2, 2, 0]
    assert [account for page in pages for account in page] == every
    assert client.get(f"{ACCOUNTS}?limit=0").status_code == 422
    assert client.get(f"{ACCOUNTS}?page=0").status_code == 422


def test_an_account_tells_its_version_and_terms(client: FlaskClient, simulator: Simulator) -> None:
    simulator.world.log_in.accept_terms("agenda-ville", MERCIER)
    told = json_of(client.get(f"{ACCOUNTS}/agenda-ville/{MERCIER}"))
    assert (told["version"], told["terms_accepted"]) == (1, "2026-11-20T08:00:00.000+01:00")
    assert client.get(f"{ACCOUNTS}/agenda-sos/{MERCIER}").status_code == 404
    assert client.get(f"{ACCOUNTS}/nulle-part/{MERCIER}").status_code == 404


# --- appointments


def test_one_at_the_practice_holds_its_slot_and_the_sas_is_not_told(client: FlaskClient) -> None:
    before = client.get(slot_search([GUIDE_THOMAS])).text
    assert f'"{FREE[0]}"' in before
    made = make(client)
    assert made.status_code == 201
    assert (json_of(made)["sas"], json_of(made)["booker"], json_of(made)["status"]) == (False, "practice", "booked")
    assert f'"{FREE[0]}"' not in client.get(slot_search([GUIDE_THOMAS])).text
    assert client.get(NOTIFICATIONS).json == {"notifications": [], "paused": False}
    assert make(client).status_code == 409


def test_one_through_the_sas_is_told(client: FlaskClient) -> None:
    made = json_of(make(client, account=MERCIER))
    assert (made["sas"], made["booker"]) == (True, MERCIER)
    sheet = json_of(client.get(f"{APPOINTMENTS}/agenda-ville/{made['id']}"))
    [told] = sheet.pop("notifications")
    assert sheet == made
    assert (told["state"], told["body"]["status"], told["attempts"]) == ("waiting", "booked", [])


def test_the_practice_books_what_it_shows_to_nobody(client: FlaskClient, simulator: Simulator) -> None:
    """A slot for a practitioner's own patients."""
    slot = own_patients_slot(simulator)
    assert make(client, slot=slot, account=MERCIER).status_code == 409
    assert make(client, slot=slot).status_code == 201


def own_patients_slot(simulator: Simulator) -> str:
    """The first that is free and for own patients only."""
    catalogue = simulator.world.catalogue
    window = Window(NOW, NOW + timedelta(days=3))
    for practitioner in catalogue.editor("agenda-ville").directory:
        for place in practitioner.places:
            for slot in catalogue.free_slots(place.calendar, window, frozenset({SlotType.OWN_PATIENTS})):
                if slot.shape.types == (SlotType.OWN_PATIENTS,):
                    return f"{place.calendar.key}-{stamp(slot.start)}"
    raise AssertionError("no slot for own patients")


@pytest.mark.parametrize(
    ("changes", "status", "where"),
    [
        ({"editor": "nulle-part"}, 404, []),
        ({"account": "x"}, 404, []),
        ({"account": TESSIER}, 409, []),
        ({"slot": "899000009999-1-202611200745"}, 404, []),
        ({"slot": f"{CALENDAR}-202611200746"}, 409, []),
        ({"slot": f"{CALENDAR}-202611190745"}, 409, []),
        ({"slot": "x"}, 422, ["body"]),
        ({"slot": f"{CALENDAR}-202613200745"}, 422, ["body"]),
        ({"slot": f"{CALENDAR}-9"}, 422, ["body"]),
        ({"slot": ""}, 422, ["body.slot"]),
        ({"slot": None}, 422, ["body"]),
        ({"calendar": CALENDAR}, 422, ["body"]),
        ({"slot": None, "start": "2026-11-20T07:45:00Z"}, 422, ["body.calendar"]),
        ({"slot": None, "calendar": CALENDAR, "start": "2026-11-20T07:45:00"}, 422, ["body.start"]),
        ({"slot": None, "calendar": CALENDAR, "start": "2026-11-20"}, 422, ["body.start"]),
        ({"slot": None, "calendar": CALENDAR, "start": 1795000000}, 422, ["body.start"]),
        ({"slot": None, "calendar": CALENDAR, "start": "2026-13-45T07:45:00Z"}, 422, ["body.start"]),
        ({"slot": None, "calendar": CALENDAR, "start": "0001-01-01T00:00:00+14:00"}, 422, ["body.start"]),
        ({"slot": None, "calendar": CALENDAR, "start": "9999-12-31T23:59:59-14:00"}, 422, ["body.start"]),
        ({"patient": ""}, 422, ["body.patient"]),
        ({"patient": "  "}, 422, []),
        ({"patient": "A\u0000B"}, 422, ["body.patient"]),
        ({"patient": "A\n"}, 422, ["body.patient"]),
        ({"patient": "A" * 201}, 422, ["body.patient"]),
        ({"patient": 3, "reason": True, "x": 1}, 422, ["body.patient", "body.reason", "body.x"]),
    ],
)
def test_appointments_that_cannot_be_made(
    client: FlaskClient, listed: Listed, changes: dict[str, Any], status: int, where: list[str]
) -> None:
    refused = make(client, **changes)
    assert (refused.status_code, faults(refused)) == (status, where), refused.text
    assert listed("") == []


def test_a_slot_may_be_named_by_calendar_and_start(client: FlaskClient) -> None:
    made = json_of(make(client, slot=None, calendar=CALENDAR, start="2026-11-20T08:45:00.000+01:00"))
    assert (made["slot"], made["start"]) == (FREE[0], "2026-11-20T07:45:00Z")


def test_the_life_of_an_appointment(client: FlaskClient) -> None:
    url = f"{APPOINTMENTS}/agenda-ville/{json_of(make(client))['id']}"
    assert json_of(client.post(f"{url}/move", json={"slot": FREE[1]}))["slot"] == FREE[1]
    assert json_of(client.post(f"{url}/move", json={"start": "2026-11-20T08:45:00+01:00"}))["slot"] == FREE[0]
    assert client.post(f"{url}/move", json={"slot": "334173748400020-1-202611200730"}).status_code == 404
    assert client.post(f"{url}/assign", json={"practitioner": GUIDE_THOMAS}).status_code == 409
    assert json_of(client.post(f"{url}/close", json={"honoured": False}))["status"] == "noshow"
    assert json_of(client.post(f"{url}/close", json={"honoured": True}))["status"] == "fulfilled"
    for operation in ("move", "cancel"):
        body = {"json": {"slot": FREE[1]}} if operation == "move" else {}
        refused = client.post(f"{url}/{operation}", **body)
        assert (refused.status_code, json_of(refused)["detail"]) == (
            409,
            "The state of this appointment does not allow that any more",
        )


def test_a_cancelled_one_leaves_its_slot_to_others(client: FlaskClient) -> None:
    url = f"{APPOINTMENTS}/agenda-ville/{json_of(make(client))['id']}"
    assert json_of(client.post(f"{url}/cancel"))["status"] == "cancelled"
    assert client.post(f"{url}/cancel").status_code == 409
    assert make(client).status_code == 201


@pytest.mark.parametrize("typed", ["10100050075", "810100050075", " 10100050075"])
def test_sos_medecins_says_who_comes(prepared: FlaskClient, typed: str) -> None:
    [made] = json_of(prepared.get(f"{APPOINTMENTS}?editor=agenda-sos"))["appointments"]
    url = f"{APPOINTMENTS}/agenda-sos/{made['id']}/assign"
    assert prepared.post(url, json={"practitioner": "12"}).status_code == 422
    told = json_of(prepared.post(url, json={"practitioner": typed}))
    assert (told["status"], told["practitioner"]) == ("booked", GUIDE_THOMAS)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("editor=agenda-ville", 2),
        ("sas=true", 1),
        ("sas=false", 2),
        ("status=pending", 1),
        ("status=cancelled", 0),
        (f"practitioner={GUIDE_THOMAS}", 2),
        ("since=2026-11-20T08:30:00%2B01:00", 2),
        ("since=2026-11-20T08:30:00+01:00", 2),  # a plus in a query is a space
        ("until=2026-11-20T08:30:00%2B01:00", 1),
        ("since=2026-11-20T07:15:00Z&until=2026-11-20T07:30:00Z", 1),
        ("limit=1", 1),
    ],
)
def test_appointments_are_found(prepared: FlaskClient, listed: Listed, query: str, count: int) -> None:
    make(prepared)
    assert len(listed(query)) == count
    assert json_of(prepared.get(f"{APPOINTMENTS}?{query}"))["total"] == (3 if query == "limit=1" else count)


# --- notifications


def test_notifications_are_found(prepared: FlaskClient, sender: Played) -> None:
    first = json_of(prepared.get(f"{APPOINTMENTS}?sas=true"))["appointments"][0]["id"]
    second = json_of(make(prepared, account=MERCIER))["id"]
    prepared.post(f"{APPOINTMENTS}/agenda-ville/{second}/cancel")
    sender.attempt(NotificationState.ACCEPTED, 201)

    def numbers(query: str) -> list[int]:
        return [one["id"] for one in json_of(prepared.get(f"{NOTIFICATIONS}?{query}"))["notifications"]]

    assert numbers("") == [3, 2, 1]
    assert numbers("limit=1") == [3]
    assert numbers("editor=agenda-sos") == []
    assert numbers("state=refused") == [1]
    assert numbers(f"appointment={first}") == [1]
    assert numbers(f"appointment={second}&limit=1") == [3]
    assert numbers("appointment=x") == []


def test_one_is_sent_again_once(prepared: FlaskClient, sender: Played) -> None:
    again = prepared.post(f"{NOTIFICATIONS}/1/replay")
    assert (again.status_code, json_of(again)["state"], len(json_of(again)["attempts"])) == (200, "waiting", 1)
    assert prepared.post(f"{NOTIFICATIONS}/1/replay").status_code == 409
    sender.attempt(NotificationState.ACCEPTED, 200)
    told = json_of(prepared.get(f"{NOTIFICATIONS}/1"))
    assert (told["state"], [one["status"] for one in told["attempts"]]) == ("accepted", [422, 200])
    assert prepared.post(f"{NOTIFICATIONS}/replay").json == {"count": 0}


@pytest.mark.parametrize(("number", "status"), [("2", 404), ("0", 422), ("01", 422), ("x", 422), ("9" * 30, 422)])
def test_numbers_that_are_none(prepared: FlaskClient, number: str, status: int) -> None:
    assert prepared.get(f"{NOTIFICATIONS}/{number}").status_code == status
    assert prepared.post(f"{NOTIFICATIONS}/{number}/replay").status_code == status


# --- everything


def test_a_reset_forgets(prepared: FlaskClient, listed: Listed) -> None:
    assert len(listed("")) == 2
    assert prepared.post("/_admin/reset").status_code == 204
    assert listed("") == []
    assert prepared.get(NOTIFICATIONS).json == {"notifications": [], "paused": False}
    # The same again: the same ids.
    for body in (TAKEN, AT_SOS):
        assert prepared.post(APPOINTMENTS, json=body).status_code == 201


@pytest.mark.parametrize(
    ("query", "status", "where"),
    [
        ("editor=agenda-ville&editor=agenda-ville", 400, ["query.editor"]),
        ("sas=true&sas=false", 400, ["query.sas"]),
        ("editor=%ff", 400, ["query"]),
        ("&".join(f"x{n}=1" for n in range(300)), 400, ["query"]),
        ("x=1", 422, ["query.x"]),
        ("editor=", 422, ["query.editor"]),
        ("editor", 422, ["query.editor"]),
        ("editor=a%00b", 422, ["query.editor"]),
        ("editor=a%0a", 422, ["query.editor"]),
        ("sas=yes", 422, ["query.sas"]),
        ("sas=1", 422, ["query.sas"]),
        ("limit=0", 422, ["query.limit"]),
        ("limit=1001", 422, ["query.limit"]),
        ("limit=1.0", 422, ["query.limit"]),
        ("limit=1_0", 422, ["query.limit"]),
        ("limit=%2010", 422, ["query.limit"]),
        ("limit=%D9%A3", 422, ["query.limit"]),
        ("limit=" + "9" * 5000, 422, ["query.limit"]),
        ("limit=NaN", 422, ["query.limit"]),
        ("status=lost", 422, ["query.status"]),
        ("since=0", 422, ["query.since"]),
        ("since=2026-11-20T08:00:00", 422, ["query.since"]),
        ("since=2026-11-20T08:00:00%2B99:99", 422, ["query.since"]),
        ("limit=x&sas=x&y=1", 422, ["query.sas", "query.limit", "query.y"]),
    ],
)
def test_queries_that_are_not_accepted(client: FlaskClient, query: str, status: int, where: list[str]) -> None:
    refused = client.get(f"{APPOINTMENTS}?{query}")
    assert (refused.status_code, faults(refused)) == (status, where), refused.text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"{'editor': 1}", "application/json", 400),
        (b'{"editor": NaN}', "application/json", 400),
        (b'{"editor": 1e999}', "application/json", 400),
        (b'{"editor": "\xff"}', "application/json", 400),
        (b'{"editor": "\\ud800"}', "application/json", 400),
        ("\ufeff{}".encode(), "application/json", 400),
        ("{}".encode("utf-16"), "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "application/json", 422),
        (b'{"editor": ' + b"9" * 400 + b"}", "application/json", 400),
        (b'{"editor": ' + b"9" * 30 + b"}", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'"x"', "application/json", 422),
        (b"{}", "application/json; charset=utf-8", 422),
        (b"{}", "", 415),
        (b"{}", "text/plain", 415),
        (b"editor=x", "application/x-www-form-urlencoded", 415),
        (b"a" * 1_000_001, "application/json", 413),
    ],
)
def test_bodies_that_are_not_accepted(client: FlaskClient, body: bytes, kind: str, status: int) -> None:
    refused = client.post(APPOINTMENTS, data=body, content_type=kind)
    assert refused.status_code == status, refused.text
    assert refused.content_type.startswith("application/problem+json")
    assert len(refused.data) < 20_000


def test_a_compressed_body_is_not_understood(client: FlaskClient) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert client.post(APPOINTMENTS, json={}, headers=headers).status_code == 415


def test_a_body_where_there_is_none_to_be(client: FlaskClient) -> None:
    assert client.post("/_admin/notifications/replay", json={}).status_code == 400
    assert client.open(ACCOUNTS, method="GET", data=b"x").status_code == 400


@pytest.mark.parametrize(
    "path", ["/agenda-ville/%00", "/agenda-ville/%ff", "/%ff/x", "/agenda-ville/" + "x" * 300, "/agenda-ville/a%0Ab"]
)
def test_paths_that_are_none(client: FlaskClient, path: str) -> None:
    for url in (f"{APPOINTMENTS}{path}", f"{ACCOUNTS}{path}"):
        refused = client.get(url)
        assert refused.status_code in (404, 422)
        assert refused.content_type.startswith("application/problem+json")


def test_another_method_is_told_which_there_are(client: FlaskClient) -> None:
    refused = client.delete(APPOINTMENTS)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, POST")


def test_nothing_is_kept_by_caches(client: FlaskClient) -> None:
    for url in (ACCOUNTS, "/_admin/openapi.json", f"{ACCOUNTS}?x=1"):
        assert client.get(url).headers["Cache-Control"] == "no-store"

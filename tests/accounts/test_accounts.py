"""The life of accounts over HTTP: whom a request is about, what it changes, and what it may not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mock_editor.base import codes
from mock_editor.base.clock import Clock
from mock_editor.scenario import LoadedScenario
from tests.accounts.conftest import BASE, NATIONAL, TECHNICAL, Put, Resource, expressions, identifier, regulator
from tests.conftest import GUIDE_THOMAS, NOW, PUBLIC_URL, application, json_of

Post = Callable[..., TestResponse]
Accounts = Callable[[], list[Resource]]

T = (TECHNICAL, "1ef1c748-01a3-6180-b098-73283ce4e5b1")
N = (NATIONAL, "3456780581/11242343")
OTHER = (NATIONAL, "3456780581/55555555")


def id_of(answer: TestResponse) -> str:
    assert answer.status_code in (200, 201), answer.text
    return answer.headers["Location"].rpartition("/")[2]


def path_of(answer: TestResponse) -> str:
    return answer.headers["Location"].removeprefix(PUBLIC_URL)


# --- what is answered


def test_a_creation_tells_where_the_account_is(post: Post, client: FlaskClient) -> None:
    created = post(regulator(N))
    assert created.status_code == 201
    assert created.headers["Location"].startswith(f"{PUBLIC_URL}{BASE}/")
    assert created.headers["ETag"] == 'W/"1"'
    assert created.headers["Last-Modified"] == "Fri, 20 Nov 2026 07:00:00 GMT"
    assert created.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert created.json == regulator(N) | {
        "id": id_of(created),
        "meta": {
            "source": codes.SAS_OID,
            "versionId": "1",
            "lastUpdated": "2026-11-20T08:00:00.000+01:00",
            "profile": [codes.REGULATOR_PROFILE],
        },
    }
    read = client.get(path_of(created))
    assert (read.status_code, read.json) == (200, created.json)
    assert read.headers["ETag"] == 'W/"1"'


@pytest.mark.parametrize("prefer", ["return=minimal", "handling=strict; return=minimal", 'return="minimal"'])
def test_prefer_minimal_brings_no_body(post: Post, prefer: str) -> None:
    answer = post(regulator(), Prefer=prefer)
    assert (answer.status_code, answer.data) == (201, b"")
    assert {"Location", "ETag", "Last-Modified"} <= set(answer.headers.keys())


def test_prefer_outcome_tells_what_was_left_aside(put: Put) -> None:
    body = regulator() | {"colour": "blue", "telecom": [{}, {"system": "email", "value": "a@b.c", "smell": 1}]}
    answer = put(N, body, Prefer="return=OperationOutcome")
    assert answer.status_code == 201
    assert [(i["severity"], i["code"]) for i in json_of(answer)["issue"]] == [
        ("information", "informational"),
        ("warning", "not-supported"),
        ("warning", "not-supported"),
    ]
    assert expressions(answer) == ["Practitioner.telecom[1].smell", "Practitioner.colour"]


def test_pretty(post: Post) -> None:
    assert post(regulator(), base=f"{BASE}?_pretty=true").text.startswith("{\n")


def test_no_answer_holds_the_password(post: Post, put: Put, client: FlaskClient, accounts: Accounts) -> None:
    created = post(regulator(N))
    [account] = accounts()
    assert len(account["password"]) == 14
    answers = [created, put(N, regulator(N)), client.get(path_of(created)), put(OTHER, regulator(OTHER))]
    for answer in answers:
        assert account["password"] not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "", {"GET", "HEAD", "POST", "PUT"}),
        ("PATCH", "", {"GET", "HEAD", "POST", "PUT"}),
        ("DELETE", "?identifier=a|b", {"GET", "HEAD", "POST", "PUT"}),
        ("DELETE", "/6f2d3c1e-8f0b-4b43-9a51-2d7c0d1c5a10", {"GET", "HEAD", "PUT"}),
        ("POST", "/6f2d3c1e-8f0b-4b43-9a51-2d7c0d1c5a10", {"GET", "HEAD", "PUT"}),
    ],
)
def test_other_methods_are_a_405(client: FlaskClient, method: str, path: str, allowed: set[str]) -> None:
    answer = client.open(BASE + path, method=method)
    assert answer.status_code == 405
    assert json_of(answer)["resourceType"] == "OperationOutcome"
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_unknown_editors_and_accounts_are_a_404(client: FlaskClient, post: Post) -> None:
    assert post(regulator(), base="/nulle-part/fhir/Practitioner").status_code == 404
    assert client.get(f"{BASE}/6f2d3c1e-8f0b-4b43-9a51-2d7c0d1c5a10").status_code == 404


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "required parameter, missing"),
        ("?identifier=", "required parameter, missing"),
        ("?identifier=a|b&identifier=a|b", "given 2 times"),
        ("?identifier=11242343", "expected <system>|<value>"),
        ("?identifier=|11242343", "expected <system>|<value>"),
        (f"?identifier={NATIONAL}|", "expected <system>|<value>"),
        (f"?identifier={NATIONAL}|11242343,urn:x|y", "not a list"),
    ],
)
def test_a_conditional_update_needs_one_whole_identifier(client: FlaskClient, query: str, text: str) -> None:
    answer = client.put(BASE + query, json=regulator())
    assert answer.status_code == 400
    assert text in json_of(answer)["issue"][0]["diagnostics"]


@pytest.mark.parametrize("more", ["family=DURAND", "name=x", "identifier:of-type=a|b|c", "_id=1", "active=true"])
def test_a_conditional_update_is_by_identifier_alone(
    client: FlaskClient, put: Put, accounts: Accounts, more: str
) -> None:
    put(N, regulator(N))
    before = accounts()
    answer = client.put(f"{BASE}?identifier={'|'.join(N)}&{more}", json=regulator(N, family="Autre"))
    assert answer.status_code == 400
    assert [issue["code"] for issue in json_of(answer)["issue"]] == ["not-supported"]
    assert f"'{more.partition('=')[0]}'" in json_of(answer)["issue"][0]["diagnostics"]
    assert accounts() == before


def test_how_the_answer_is_wanted_is_no_criterion(client: FlaskClient) -> None:
    url = f"{BASE}?identifier={'|'.join(N)}&_format=json&_pretty=true"
    assert client.put(url, json=regulator(N)).status_code == 201


def test_metadata_says_who_gives_the_ids(client: FlaskClient, put: Put) -> None:
    statement = json_of(client.get("/agenda-ville/fhir/metadata"))
    CapabilityStatement.model_validate(statement)
    [told] = [one for one in statement["rest"][0]["resource"] if one["type"] == "Practitioner"]
    # FHIR R4: whether a PUT to an id that is not there creates it; the guide says true.
    created = client.put(f"{BASE}/6f2d3c1e-8f0b-4b43-9a51-2d7c0d1c5a10", json=regulator(N)).status_code == 201
    assert told["updateCreate"] == created
    assert "updateCreate" in told["documentation"]
    assert told["conditionalUpdate"] == (put(N, regulator(N)).status_code == 201)
    assert told["conditionalCreate"] is False


def test_a_conditional_create_is_refused_instead_of_creating(post: Post, accounts: Accounts) -> None:
    answer = post(regulator(N), **{"If-None-Exist": f"identifier={'|'.join(N)}"})
    assert answer.status_code == 400
    assert "If-None-Exist" in json_of(answer)["issue"][0]["diagnostics"]
    assert accounts() == []


@pytest.mark.parametrize(
    "query",
    [
        "urn:oid:1.2.250.1.71.4.2.1|3456780581/11242343",
        "urn:oid:1.2.250.1.71.4.2.1%7C3456780581%2F11242343",
        "urn%3Aoid%3A1.2.250.1.71.4.2.1|3456780581/11242343",
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_way_of_writing_the_same_identifier(client: FlaskClient, post: Post, query: str, slash: str) -> None:
    created = post(regulator(N))
    answer = client.put(f"{BASE}{slash}?identifier={query}", json=regulator(N, family="Autre"))
    assert answer.status_code == 200
    assert id_of(answer) == id_of(created)


@pytest.mark.parametrize("value", ["a,b", "a|b", "a b", "é", "a\\b", "50%"])
def test_no_value_is_too_odd(client: FlaskClient, value: str) -> None:
    odd = (NATIONAL, value)
    for written in (value, value.replace("\\", "\\\\").replace(",", "\\,").replace("|", "\\|")):
        answer = client.put(BASE, query_string={"identifier": f"{NATIONAL}|{written}"}, json=regulator(odd))
        assert answer.status_code in (200, 201)
    assert (
        json_of(client.get("/_admin/accounts?editor=agenda-ville"))["accounts"][-1]["resource"]["meta"]["versionId"]
        == "1"
    )


# --- whom a request is about


def test_an_update_changes_any_element_and_keeps_the_id(put: Put, client: FlaskClient) -> None:
    created = put(T, regulator(T))
    steps = [
        put(T, regulator(N)),
        put(N, regulator(N, family="Nouveau")),
        put(N, regulator(N, family="Nouveau", email="autre@test.com")),
        put(N, regulator(N, family="Nouveau", email="autre@test.com", active=False)),
        put(N, regulator(N, family="Nouveau", email="autre@test.com")),
    ]
    assert [(step.status_code, id_of(step)) for step in steps] == [(200, id_of(created))] * 5
    assert [step.headers["ETag"] for step in steps] == [f'W/"{n}"' for n in range(2, 7)]
    told = json_of(client.get(path_of(created)))
    assert told["identifier"] == [identifier(*N)]
    assert told["name"][0]["family"] == "Nouveau"
    assert told["telecom"][0]["value"] == "autre@test.com"


def test_the_same_again_changes_nothing(put: Put, accounts: Accounts) -> None:
    first, second = put(N, regulator(N)), put(N, regulator(N))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["ETag"] == 'W/"1"'
    assert second.json == first.json
    assert len(accounts()) == 1


def test_an_unknown_identifier_leads_to_the_account_of_the_bodys_identifier(put: Put) -> None:
    created = put(N, regulator(N))
    answer = put(T, regulator(T, N))
    assert (answer.status_code, id_of(answer)) == (200, id_of(created))


def test_then_to_that_of_the_e_mail_whatever_its_case(put: Put) -> None:
    created = put(T, regulator(T, email="Sebastien.LORIDON@test.com"))
    answer = put(N, regulator(N, email="sebastien.loridon@Test.com "))
    assert (answer.status_code, id_of(answer)) == (200, id_of(created))
    assert json_of(answer)["identifier"] == [identifier(*N)]


def test_several_matches_are_a_412(put: Put, accounts: Accounts) -> None:
    put(T, regulator(T, email="a@test.com"))
    put(N, regulator(N, email="b@test.com"))
    before = accounts()
    answer = put((TECHNICAL, "unknown"), regulator(T, N, email="c@test.com"))
    assert answer.status_code == 412
    assert json_of(answer)["issue"][0]["code"] == "multiple-matches"
    assert accounts() == before


def test_inactive_accounts_match_only_when_no_active_one_does(put: Put) -> None:
    withdrawn = put(T, regulator(T, active=False))
    active = put(N, regulator(N, email="b@test.com"))
    # The body's identifiers belong to both.
    answer = put((TECHNICAL, "unknown"), regulator(T, N, email="b@test.com"))
    assert (answer.status_code, id_of(answer)) == (200, id_of(active))
    # By e-mail, the inactive one is all there is.
    assert id_of(put(OTHER, regulator(OTHER))) == id_of(withdrawn)


def test_two_inactive_accounts_with_one_e_mail_are_a_412(post: Post, put: Put) -> None:
    for own in (T, N):
        assert post(regulator(own, active=False)).status_code == 201
    assert put(OTHER, regulator(OTHER)).status_code == 412


def test_creation_never_follows_anything(post: Post) -> None:
    withdrawn = post(regulator(N, active=False))
    again = post(regulator(N))
    assert again.status_code == 201
    assert id_of(again) != id_of(withdrawn)


def test_without_follow_email_an_update_creates_or_is_refused(
    played: LoadedScenario, clock: Clock, tmp_path: Path
) -> None:
    client = application(played, clock, tmp_path, follow_email="off").test_client()

    def put(asked: tuple[str, str], body: Resource) -> TestResponse:
        return client.put(BASE, query_string={"identifier": "|".join(asked)}, json=body)

    first = put(T, regulator(T))
    assert put(N, regulator(N)).status_code == 422
    assert id_of(put((TECHNICAL, "unknown"), regulator(T))) == id_of(first)
    put(T, regulator(T, active=False))
    assert put(N, regulator(N)).status_code == 201


def test_an_update_by_id(put: Put, client: FlaskClient) -> None:
    created = put(N, regulator(N))
    answer = client.put(path_of(created), json=regulator(T, family="X") | {"id": "something-else"})
    assert (answer.status_code, id_of(answer)) == (200, id_of(created))
    assert json_of(answer)["identifier"] == [identifier(*T)]


@pytest.mark.parametrize("unknown", ["6f2d3c1e-8f0b-4b43-9a51-2d7c0d1c5a10", "ExamplePractitionerRegul1", GUIDE_THOMAS])
def test_an_unknown_id_is_a_405_as_the_server_gives_the_ids(
    client: FlaskClient, accounts: Accounts, unknown: str
) -> None:
    answer = client.put(f"{BASE}/{unknown}", json=regulator(N))
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert accounts() == []


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('W/"1"', 200),
        ('w/"1"', 200),
        ('"1"', 200),
        ("1", 200),
        ("*", 200),
        ('W/"2", W/"1"', 200),
        ('"9","1"', 200),
        (', W/"1" ,', 200),
        ('W/"2"', 412),
        ('W/"2", W/"3"', 412),
        ('W/"01"', 412),
        ('"*"', 412),
        ('"1', 412),
        ('"1,2"', 412),
        ("x", 412),
        (",", 412),
    ],
)
def test_if_match_protects_from_lost_updates(put: Put, client: FlaskClient, if_match: str, status: int) -> None:
    created = put(N, regulator(N))
    answer = client.put(path_of(created), json=regulator(N, family="X"), headers={"If-Match": if_match})
    assert answer.status_code == status
    assert put(OTHER, regulator(OTHER, email="o@test.com"), **{"If-Match": if_match}).status_code == 412


@pytest.mark.parametrize(
    ("if_none_match", "known", "unknown"),
    [("*", 412, 201), ('W/"1"', 412, 201), ('W/"7", "1"', 412, 201), ('W/"9"', 200, 201), ('"*"', 200, 201)],
)
def test_if_none_match_refuses_what_is_there(
    put: Put, client: FlaskClient, accounts: Accounts, if_none_match: str, known: int, unknown: int
) -> None:
    headers = {"If-None-Match": if_none_match}
    created = put(N, regulator(N), **headers)
    assert created.status_code == unknown
    for answer in (
        put(N, regulator(N, family="X"), **headers),
        client.put(path_of(created), json=regulator(N, family="X"), headers=headers),
    ):
        assert answer.status_code == known
    assert [one["resource"]["name"][0]["family"] for one in accounts()] == ["Loridon" if known == 412 else "X"]


def test_if_unmodified_since_counts_where_there_is_no_if_match(put: Put, client: FlaskClient) -> None:
    created = put(N, regulator(N))
    changed = created.headers["Last-Modified"]
    earlier = "Thu, 19 Nov 2026 07:00:00 GMT"
    path = path_of(created)

    def update(family: str, **headers: str) -> int:
        return client.put(path, json=regulator(N, family=family), headers=headers).status_code

    assert update("A", **{"If-Unmodified-Since": earlier}) == 412
    assert update("B", **{"If-Unmodified-Since": changed}) == 200
    assert update("C", **{"If-Unmodified-Since": "yesterday"}) == 200
    assert update("D", **{"If-Unmodified-Since": earlier, "If-Match": 'W/"3"'}) == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": 'W/"1"'}, 304),
        ({"If-None-Match": '"7", "1"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": 'W/"2"'}, 200),
        ({"If-Modified-Since": "Fri, 20 Nov 2026 07:00:00 GMT"}, 304),
        ({"If-Modified-Since": "Fri, 20 Nov 2026 06:59:59 GMT"}, 200),
        ({"If-Modified-Since": "x"}, 200),
        ({"If-Modified-Since": "Fri, 20 Nov 2026 07:00:00 GMT", "If-None-Match": 'W/"2"'}, 200),
        ({"If-Match": 'W/"2"'}, 412),
        ({"If-Match": 'W/"1"'}, 200),
    ],
)
def test_a_reader_who_has_it_is_told_so(
    put: Put, client: FlaskClient, method: str, headers: dict[str, str], status: int
) -> None:
    created = put(N, regulator(N))
    answer = client.open(path_of(created), method=method, headers=headers)
    assert answer.status_code == status
    if status == 304:
        assert answer.data == b""
        assert answer.headers["ETag"] == 'W/"1"'
        assert "Content-Type" not in answer.headers


# --- what may not be


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize(
    ("body", "place"),
    [
        (regulator(N, email="new@test.com"), "identifier[0]"),
        (regulator(OTHER, email="A@TEST.com"), "telecom[0]"),
        (regulator(T, N, email="new@test.com"), "identifier[1]"),
    ],
)
def test_what_an_active_account_has_nobody_else_gets(
    post: Post, put: Put, accounts: Accounts, body: Resource, place: str, active: bool
) -> None:
    put(N, regulator(N, email="a@test.com"))
    put((TECHNICAL, "b"), regulator((TECHNICAL, "b"), email="b@test.com"))
    before = accounts()
    body = body | {"active": active}
    for answer in (put((TECHNICAL, "b"), body), post(body)):
        assert answer.status_code == 422
        assert [issue["code"] for issue in json_of(answer)["issue"]] == ["duplicate"]
        assert expressions(answer) == [f"Practitioner.{place}"]
        assert accounts() == before


def test_both_conflicts_are_told_at_once(post: Post) -> None:
    post(regulator(N))
    assert expressions(post(regulator(N))) == ["Practitioner.identifier[0]", "Practitioner.telecom[0]"]


def test_the_identifier_of_a_withdrawn_account_may_be_given_to_another(
    put: Put, post: Post, client: FlaskClient
) -> None:
    old = put(T, regulator(T, N, email="a@test.com"))
    assert put(T, regulator(T, N, email="a@test.com", active=False)).status_code == 200
    new = post(regulator(N, email="b@test.com"))
    assert new.status_code == 201
    assert json_of(client.get(path_of(old)))["identifier"] == [identifier(*T)]
    assert client.get(path_of(old)).headers["ETag"] == 'W/"3"'
    # From now on it leads to the new one, and the old one cannot have it back.
    assert id_of(put(N, regulator(N, email="c@test.com"))) == id_of(new)
    assert put(T, regulator(T, N, email="a@test.com")).status_code == 422
    assert id_of(put(T, regulator(T, email="a@test.com"))) == id_of(old)


def test_an_account_may_lose_its_last_identifier(put: Put, post: Post, client: FlaskClient) -> None:
    old = put(N, regulator(N, active=False))
    post(regulator(N, email="b@test.com"))
    assert "identifier" not in json_of(client.get(path_of(old)))
    assert client.put(path_of(old), json=regulator(OTHER)).status_code == 200


def test_an_e_mail_may_be_shared_with_withdrawn_accounts_only(post: Post, put: Put) -> None:
    assert post(regulator(T, active=False)).status_code == 201
    assert post(regulator(N)).status_code == 201
    assert put(T, regulator(T)).status_code == 422
    assert put(T, regulator(T, active=False)).status_code == 200


def test_editors_know_nothing_of_each_other(put: Put) -> None:
    here = put(N, regulator(N))
    there = put(N, regulator(N), base="/agenda-sos/fhir/Practitioner")
    assert (here.status_code, there.status_code) == (201, 201)
    assert id_of(here) != id_of(there)


# --- two worlds


def test_accounts_and_practitioners_with_calendars_never_meet(
    client: FlaskClient, put: Put, search: Callable[..., Resource]
) -> None:
    thomas = (NATIONAL, GUIDE_THOMAS)
    before = search([GUIDE_THOMAS])
    plain = f"{BASE}?identifier={NATIONAL}|"
    created = put(thomas, regulator(thomas, family="X"))
    assert created.status_code == 201
    assert json_of(client.get(plain + GUIDE_THOMAS))["entry"][0]["resource"]["id"] == GUIDE_THOMAS
    assert json_of(client.get(f"{BASE}/{GUIDE_THOMAS}"))["name"][0]["family"] == "THOMAS"
    assert search([GUIDE_THOMAS]) == before
    put(N, regulator(N, email="n@test.com"))
    assert json_of(client.get(plain + N[1]))["total"] == 0


# --- a scenario's accounts, repetition


def test_the_scenarios_accounts_are_there_from_the_start(client: FlaskClient) -> None:
    told = json_of(client.get("/_admin/accounts?editor=agenda-ville"))["accounts"]
    assert [(one["resource"]["name"][0]["family"], one["active"]) for one in told] == [
        ("MERCIER", True),
        ("ROUSSEL", True),
        ("TESSIER", False),
    ]
    others = [one["editor"] for one in json_of(client.get("/_admin/accounts"))["accounts"]][3:]
    assert others == ["agenda-cpts", "agenda-cpts", "agenda-sos"]


def test_they_are_made_once(played: LoadedScenario, clock: Clock, tmp_path: Path, put: Put) -> None:
    withdrawn = (NATIONAL, "3339900018/00000001")
    put(withdrawn, regulator((TECHNICAL, "x"), email="solene.mercier@regulation.example", active=False))
    again = application(played, clock, tmp_path).test_client()
    told = json_of(again.get("/_admin/accounts?editor=agenda-ville"))["accounts"]
    assert len(told) == 3
    assert told[0]["active"] is False


def test_the_same_requests_make_the_same_accounts(played: LoadedScenario, tmp_path: Path) -> None:
    runs = []
    for name in "ab":
        (tmp_path / name).mkdir()
        client = application(played, Clock(NOW), tmp_path / name).test_client()
        client.post(BASE, json=regulator(N))
        runs.append(client.get("/_admin/accounts").json)
    assert runs[0] == runs[1]


def test_admin_is_for_this_machine(client: FlaskClient) -> None:
    for path, method in (("accounts", "GET"), ("reset", "POST")):
        url = f"/_admin/{path}"
        far = client.open(url, method=method, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
        foreign = client.open(url, method=method, headers={"Sec-Fetch-Site": "cross-site"})
        assert [far.status_code, foreign.status_code] == [403, 403]
        assert far.content_type.startswith("application/problem+json")
    assert client.get("/_admin/accounts?editor=nulle-part").status_code == 404


# --- the whole life, as docs/accounts.md tells it


def life(put: Put, post: Post) -> list[tuple[int, str]]:
    """Status of each step, and the kind of its issues."""
    email, changed = "camille.durand@test.com", "camille.martin@test.com"
    steps = [
        post(regulator(T, family="DURAND", given="Camille", email=email)),
        put(T, regulator(T, N, family="DURAND", given="Camille", email=email)),
        put(N, regulator(T, N, family="MARTIN", given="Camille", email=email)),
        put(N, regulator(T, N, family="MARTIN", given="Camille", email=changed)),
        put(N, regulator(T, N, family="MARTIN", given="Camille", email=changed, active=False)),
        put(N, regulator(T, N, family="MARTIN", given="Camille", email=changed)),
        put(N, regulator(T, N, family="MARTIN", given="Camille", email=changed, active=False)),
        post(regulator(N, family="PETIT", given="Alix", email="alix.petit@test.com")),
    ]
    return [(step.status_code, ",".join(expressions(step) if step.status_code >= 400 else ())) for step in steps]


def test_a_whole_life_twice_after_a_reset_and_once_without(
    put: Put, post: Post, client: FlaskClient, accounts: Accounts
) -> None:
    expected = [(201, ""), *[(200, "")] * 6, (201, "")]
    assert life(put, post) == expected
    first = accounts()
    assert [one["active"] for one in first] == [False, True]
    assert client.post("/_admin/reset").status_code == 204
    assert accounts() == []
    assert life(put, post) == expected
    assert accounts() == first
    # Without a reset, the national identifier is Alix PETIT's, who is active.
    assert life(put, post) == [
        (201, ""),
        (422, "Practitioner.identifier[1]"),
        (422, "Practitioner.identifier[0],Practitioner.telecom[0]"),
        (422, "Practitioner.identifier[0]"),
        (422, "Practitioner.identifier[0]"),
        (422, "Practitioner.identifier[0]"),
        (422, "Practitioner.identifier[0]"),
        (422, "Practitioner.identifier[0],Practitioner.telecom[0]"),
    ]

"""The platform before editors that answer in every way; they are on real sockets."""

import ast
import contextlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_editor.base import codes
from mock_editor.base.store import Store
from mock_editor.base.words import Language, catalogue
from mock_editor.bench.idp.people import Person
from mock_editor.bench.platform import search, view
from mock_editor.bench.platform.accounts import Peer, regulator
from mock_editor.bench.platform.checks import model
from mock_editor.bench.platform.checks.model import AnswerBundle, SearchRequest
from mock_editor.bench.platform.checks.violations import CHECKS, Violation, violations
from mock_editor.bench.platform.directory import Directory, Listed, Offer, Site
from mock_editor.bench.platform.place_results import link
from mock_editor.bench.platform.search import search_url
from mock_editor.bench.platform.store import LIFETIME, PlatformStore
from tests.bench.conftest import BRIAND, MARC, RENEE, Peers, Platform, answering, platform_app, text
from tests.conftest import NOW, pieces_of
from tests.validation.guide import errors_of, needs_validator

Make = Callable[..., Platform]
AGENDA = "https://agenda.example/briand?lieu=1"


def outcome(diagnostics: str, **issue: Any) -> bytes:
    told = {"severity": "error", "code": "invalid", "diagnostics": diagnostics} | issue
    return json.dumps({"resourceType": "OperationOutcome", "issue": [told]}).encode()


def entry(resource: dict[str, Any], mode: str = "include") -> dict[str, Any]:
    url = f"https://agenda.example/fhir/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def slot(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A right one of Anna Briand; with None, an element is left out."""
    told = {
        "resourceType": "Slot",
        "id": f"s{number}",
        "meta": {"profile": [codes.SLOT_PROFILE], "security": [{"system": codes.SLOT_TYPE, "code": "PUBLIC"}]},
        "serviceType": [{"coding": [{"system": codes.ACT_CODE, "code": "AMB"}]}, {"text": "Vaccination"}],
        "specialty": [{"coding": [{"system": codes.SPECIALTY, "code": "SM54"}]}],
        "appointmentType": {"coding": [{"system": codes.APPOINTMENT_REASON, "code": "ROUTINE"}]},
        "schedule": {"reference": "Schedule/a"},
        "status": "free",
        "start": f"2026-11-20T{8 + number:02}:30:00.000+01:00",
        "end": f"2026-11-20T{8 + number:02}:45:00.000+01:00",
        "comment": AGENDA,
    } | changes
    return {name: value for name, value in told.items() if value is not None}


def identifier(kind: str, system: str, value: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": codes.FR_V2_0203, "code": kind}]}, "system": system, "value": value}


def bundle(url: str, *slots: dict[str, Any], place: dict[str, Any] | None = None, **role: Any) -> dict[str, Any]:
    """The right answer with these slots; ``place`` and ``role`` change where they are."""
    address = {"line": ["1 rue Fictive"], "city": "RENNES", "postalCode": "35000"} | (place or {})
    location_type = {"coding": [{"system": codes.FR_LOCATION_IDENTIFIER_TYPE, "code": "INTRN"}]}
    location = {
        "resourceType": "Location",
        "id": "l",
        "meta": {"profile": [codes.LOCATION_PROFILE]},
        "identifier": [{"type": location_type, "system": "urn:oid:1.2.3", "value": "1"}],
        "address": address,
    }
    others = [
        {
            "resourceType": "Schedule",
            "id": "a",
            "meta": {"profile": [codes.SCHEDULE_PROFILE]},
            "actor": [{"reference": f"Practitioner/{BRIAND.id}"}, {"reference": "PractitionerRole/r"}],
        },
        {
            "resourceType": "Practitioner",
            "id": BRIAND.id,
            "meta": {"profile": [codes.PRACTITIONER_PROFILE]},
            "identifier": [identifier("IDNPS", codes.PRACTITIONER_OID, BRIAND.id)],
            "name": [{"family": "BRIAND", "given": ["Anna"]}],
        },
        {
            "resourceType": "PractitionerRole",
            "id": "r",
            "meta": {"profile": [codes.PRACTITIONER_ROLE_PROFILE]},
            "contained": [location],
            "practitioner": {"reference": f"Practitioner/{BRIAND.id}"},
            "organization": {"identifier": identifier("IDNST", codes.STRUCTURE_OID, "1810004421")},
            "location": [{"reference": "#l"}],
        }
        | role,
    ]
    entries = [*(entry(one, "match") for one in slots), *map(entry, others if slots else [])]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [codes.BUNDLE_PROFILE]},
        "type": "searchset",
        "total": len(slots),
        "link": [{"relation": "self", "url": url}],
    } | ({"entry": entries} if entries else {})


def offering(editors: Peers, *slots: dict[str, Any], **where: Any) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answers a search with these."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        told = bundle(editors.url + handler.path, *slots, **where)
        answering(200, json.dumps(told).encode())(handler)

    return answer


@pytest.fixture
def searched(editors: Peers, platform_of: Make) -> Callable[..., str]:
    """What is read when the one editor answers a search with these slots."""

    def search(*slots: dict[str, Any], **where: Any) -> str:
        editors.answers["ville"] = offering(editors, *slots, **where)
        return platform_of(editors.peer("ville")).search()

    return search


# --- what an editor answers


def test_a_right_answer_is_shown_as_it_is(searched: Callable[..., str]) -> None:
    page = searched(slot(1), slot(2, start="2026-11-21T09:00:00.000+01:00", end="2026-11-21T09:15:00.000+01:00"))
    assert "Recherche terminée : 2 créneaux dans 1 lieu." in page
    assert re.search(r"Ville INT_R01, 1 identifiant : 2 créneaux en \d+,\d\d s", page)
    assert "règle" not in page
    assert "Anna BRIAND Médecine générale 1 rue Fictive, 35000 RENNES" in page
    assert "Répondu par Ville ; rapproché de l’annuaire par : identifiant de structure" in page
    today, tomorrow, after = re.split(r"Demain|Après-demain", page.partition("Aujourd’hui")[2])
    assert "vendredi 20/11 Réserver à 09:30 jusqu’à – 09:45 PUBLIC au cabinet Vaccination" in today
    assert "samedi 21/11 Réserver à 09:00 jusqu’à – 09:15" in tomorrow
    assert "dimanche 22/11 Aucun créneau" in after


def test_a_search_that_finds_nothing_is_no_failure(searched: Callable[..., str]) -> None:
    page = searched()
    assert "Recherche terminée : 0 créneau dans 0 lieu." in page
    assert "règle" not in page
    assert "Sans créneau : 1 Anna BRIAND, RENNES" in page


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, outcome("Parameter 'start': missing"), "HTTP 400 en 0,00 s Parameter 'start': missing"),
        (
            422,
            outcome("interdit", expression=["Slot.start"], details={"text": "x"}),
            "HTTP 422 en 0,00 s Slot.start : interdit",
        ),
        (500, outcome("", details={"text": "en détail"}), "HTTP 500 en 0,00 s en détail"),
        (503, b"<h1>Panne</h1>", "HTTP 503 en 0,00 s réponse sans OperationOutcome : <h1>Panne</h1>"),
        (404, b"", "HTTP 404 en 0,00 s réponse sans OperationOutcome, vide"),
        (302, b"", "HTTP 302 en 0,00 s réponse sans OperationOutcome, vide"),
        (200, b"<Bundle/>", "HTTP 200 en 0,00 s réponse illisible 1 règle enfreinte La réponse est du JSON."),
    ],
)
def test_an_answer_that_is_none_says_why(
    editors: Peers, platform_of: Make, status: int, body: bytes, expected: str
) -> None:
    editors.answers["ville"] = answering(status, body)
    page = platform_of(editors.peer("ville")).search()
    assert expected in re.sub(r"en \d+,\d\d s", "en 0,00 s", page)
    assert "0 créneau dans 0 lieu" in page


def test_an_editor_that_says_nothing_is_given_up_after_its_time(
    platform_of: Make, silent: Peer, editors: Peers
) -> None:
    editors.answers["ville"] = offering(editors, slot())
    page = platform_of(silent, editors.peer("ville"), seconds=1.5).search()
    assert re.search(r"Muet INT_R01, 1 identifiant : pas de réponse en \d,\d\d s délai dépassé : pas de réponse", page)
    assert "pas de réponse complète en 1,5 s" in page
    assert "1 créneau dans 1 lieu" in page


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n"])
def test_an_editor_that_drips_has_no_more_time_than_others(editors: Peers, platform_of: Make, head: bytes) -> None:
    """A time-out of each piece would wait for ever."""
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                handler.wfile.write(b"X: y\r\n")

    editors.answers["ville"] = drip
    try:
        page = platform_of(editors.peer("ville"), seconds=0.5).search()
    finally:
        over.set()
    assert re.search(r"pas de réponse en \d,\d\d s délai dépassé", page)


def test_a_connection_that_breaks_says_how(editors: Peers, platform_of: Make) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    editors.answers |= {"coupe": cut, "rien": lambda _: None}
    with_nobody = Peer("absent", "Absent", "http://127.0.0.1:1/absent/fhir")
    page = platform_of(editors.peer("coupe"), editors.peer("rien"), with_nobody).search()
    assert "réponse interrompue avant sa fin" in page
    assert "connexion rompue sans réponse" in page
    assert "connexion refusée : personne n’écoute à cette adresse" in page


def test_a_wrong_answer_is_shown_with_the_rules_that_it_breaks(searched: Callable[..., str]) -> None:
    page = searched(slot(1, status="busy", comment="agenda"), slot(2, start=None))
    assert "2 créneaux dans 1 lieu" in page
    assert "4 règles enfreintes" in page
    for line in (
        "Bundle.entry[1].resource.start : élément obligatoire, absent",
        "Les créneaux sont libres. entry[0].resource.status (Slot/s1) : « busy » au lieu de « free »",
        "entry[0].resource.comment (Slot/s1) : « agenda » n’est pas une adresse",
        "Un créneau a un début, puis une fin. entry[1].resource (Slot/s2) : de (rien) à",
    ):
        assert line in page


# --- what the front end makes of wrong data


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        # Days are told by their number in the month.
        ({"start": "2026-12-20T09:30:00.000+01:00", "end": "2026-12-20T09:45:00.000+01:00"}, "Réserver à 09:30"),
        ({"start": None}, "Réserver à 08:00 jusqu’à – 09:45"),
        ({"end": None, "start": "2026-11-20T07:00:00.000+01:00"}, "Réserver à 07:00 jusqu’à – 08:00"),
        ({"end": "2026-11-20T09:00:00.000+01:00"}, "09:30 jusqu’à – 09:00 (lendemain)"),
        ({"start": "2026-11-20T09:30:00", "end": "2026-11-20T09:45:00"}, "Réserver à 09:30 jusqu’à – 09:45"),
        ({"start": "2026-11-20T08:30:00Z", "end": "2026-11-20T08:45:00Z"}, "Réserver à 09:30 jusqu’à – 09:45"),
        ({"start": "2026-11-20T12:30:00.000+04:00", "end": "2026-11-20T12:45:00.000+04:00"}, "Réserver à 12:30"),
        ({"end": "9999-12-31T23:59:59.000Z"}, "vendredi 20/11 Réserver à 09:30"),
        ({"comment": " "}, "vendredi 20/11 09:30 jusqu’à"),
        ({"comment": None}, "vendredi 20/11 09:30 jusqu’à"),
        ({"comment": "javascript:alert(1)"}, "vendredi 20/11 09:30 jusqu’à"),
        ({"appointmentType": {"coding": [{"code": "WALKIN"}]}}, "20/11 09:30 jusqu’à – 09:45 PUBLIC sans rendez-vous"),
        ({"serviceType": [{"coding": [{"system": codes.ACT_CODE, "code": "EMER"}]}]}, "– 09:45 PUBLIC Demain"),
        ({"serviceType": "x", "meta": [], "appointmentType": 3, "schedule": {"reference": 4}}, "Nom absent"),
    ],
)
def test_wrong_slots_look_as_they_do_on_the_platform(
    searched: Callable[..., str], changes: dict[str, Any], shown: str
) -> None:
    assert shown in searched(slot(1, **changes))


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00.000+14:00",
        "9999-12-31T23:59:59.999-12:00",
        "100000000000000000000-01-01T00:00:00.000+01:00",
        "2026-11-20T08:00:00.000+99:99",
        "2026-11-20T08:00:00.99999999999999999999+23:59",
        1e308,
        10**20,
    ],
)
@pytest.mark.parametrize("element", ["start", "end"])
def test_a_slot_at_no_moment_of_a_calendar_fails_nothing(
    searched: Callable[..., str], element: str, moment: object
) -> None:
    assert "Recherche terminée" in searched(slot(1, **{element: moment}), slot(2))


def test_a_slot_of_another_day_is_not_shown_but_counted(searched: Callable[..., str]) -> None:
    page = searched(slot(1), slot(2, start="2026-11-25T09:00:00.000+01:00", end="2026-11-25T09:15:00.000+01:00"))
    assert "1 créneau d’un autre jour, non affiché" in page
    assert "Recherche terminée : 1 créneau dans 1 lieu." in page


@pytest.mark.parametrize(
    ("where", "matched"),
    [
        ({}, "identifiant de structure"),
        ({"organization": {}}, "adresse"),
        ({"organization": {}, "place": {"line": ["1, RUE FICTIVE"]}}, "adresse"),
        ({"organization": {}, "place": {"line": ["2 rue Autre"]}}, None),
        (
            {
                "organization": {},
                "place": {"line": ["2 rue Autre"]},
                "telecom": [{"system": "phone", "value": "+33261910001"}],
            },
            "téléphone",
        ),
    ],
)
def test_a_place_is_found_in_the_directory(searched: Callable[..., str], where: Any, matched: str | None) -> None:
    page = searched(slot(), **where)
    assert "Anna BRIAND" in page
    assert (f"par : {matched}" if matched else "lieu non rapproché de l’annuaire") in page


def test_two_places_of_one_structure_are_told_apart_by_address(editors: Peers, platform_of: Make) -> None:
    [site] = BRIAND.sites
    second = Site("", site.structure, "9 rue Seconde", "35000", "RENNES", None)
    listed = Listed(BRIAND.id, BRIAND.family, BRIAND.given, {}, [second, site])
    editors.answers["ville"] = offering(editors, slot())
    page = platform_of(editors.peer("ville"), listed=[listed]).search()
    assert "1 rue Fictive, 35000 RENNES" in page
    assert "par : identifiant de structure et adresse" in page


def test_an_invalid_phone_is_hidden(searched: Callable[..., str]) -> None:
    assert "35000 RENNES +33261910001 Répondu" in searched(slot())
    page = searched(slot(), telecom=[{"system": "phone", "value": "0261910001"}])
    assert "35000 RENNES Répondu" in page
    assert "« 0261910001 », +33 et neuf chiffres" in page


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("https://a.example/?x=1", "https://a.example/?x=1&origin=sas"),
        ("http://a.example/", "http://a.example/?origin=sas"),
        ("ftp://a.example/", ""),
        ("", ""),
    ],
)
def test_a_link_says_that_it_comes_from_the_sas(comment: str, expected: str) -> None:
    assert link(comment) == expected


# --- checks


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ASKED = SearchRequest("INT_R01", search_url(Offer.INDIVIDUAL, "https://agenda.example/fhir", [BRIAND.id], NOW), NOW)


def test_a_right_answer_breaks_no_rule() -> None:
    assert violations(bundle(ASKED.url, slot(1), slot(2)), ASKED) == []
    assert violations(bundle(ASKED.url), ASKED) == []


def test_the_actors_of_an_agenda_have_no_order() -> None:
    told = bundle(ASKED.url, slot(1))
    [schedule] = [one["resource"] for one in told["entry"] if one["resource"]["resourceType"] == "Schedule"]
    schedule["actor"].reverse()
    assert violations(told, ASKED) == []


@pytest.mark.parametrize(
    ("flow", "kind", "broken"),
    [("SOS", "WALKIN", False), ("SOS", "ROUTINE", True), ("INT_R01", "WALKIN", True)],
)
def test_only_places_of_sos_medecins_may_have_walk_ins_without_an_address(flow: str, kind: str, broken: bool) -> None:
    free = slot(1, comment=None, appointmentType={"coding": [{"code": kind}]})
    told = AnswerBundle({"resourceType": "Bundle", "entry": [{"resource": free}]})
    assert bool(list(CHECKS["links"](told, replace(ASKED, flow=flow)))) is broken


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_json_is_told_to_be_wrong_and_nothing_fails(data: st.DataObject) -> None:
    """One element of a right answer, wherever it is, is replaced by anything."""
    right = bundle(ASKED.url, slot(1), slot(2))
    spoilt = json.loads(json.dumps(right))
    at: Any = spoilt
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.integers(0, 3)) == 0:
            break
        at = at[key]
    at[key] = data.draw(JSON)
    found = violations(spoilt, ASKED)
    for one in found:
        assert view.rule(one)
        assert all(map(view.finding, one.findings))
        assert 0 < len(one.findings) <= one.count
    kept = ("text", "family", "given", "city", "line", "postalCode", "value", "id", "system", "code", "mode", "type")
    if spoilt != right and key not in kept and not isinstance(key, int):
        assert found or isinstance(at[key], str)


@pytest.mark.parametrize("told", [None, [], "x", 3, {}, {"resourceType": "Patient"}, json.loads("[" * 900 + "]" * 900)])
def test_what_is_no_bundle_is_told_to_be_none(told: Any) -> None:
    [wrong] = [one for one in violations(told, ASKED) if one.rule == "structure"]
    assert wrong.findings[0].key == "not-a-bundle"


def test_an_answer_that_is_wrong_everywhere_is_told_with_its_first_places() -> None:
    many = [slot(1, id=f"s{number}", status="busy") for number in range(50)]
    [busy] = [one for one in violations(bundle(ASKED.url, *many), ASKED) if one.rule == "free"]
    assert (busy.count, len(busy.findings)) == (50, 20)


def test_there_is_a_sentence_for_each_check() -> None:
    assert len(CHECKS) == 20
    rules = [Violation(name, [], 0) for name in (*CHECKS, "structure", "json")]
    assert all(view.rule(rule).endswith(".") for rule in rules)


def test_there_are_words_for_each_finding() -> None:
    """Every key that a check names, wherever it stands in its source, is in the catalogue, and nothing else."""
    paths = [*Path(model.__file__).parent.glob("*.py"), Path(search.__file__)]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    known = {str(one.id) for one in catalogue(Language.FRENCH) if one.context == "finding"}
    named = {
        node.value
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    families = {"form": ("practitioner", "structure", "phone"), "twice": ("url", "resource", "slot")}
    named |= {f"{family}-{kind}" for family, kinds in families.items() for kind in kinds}
    assert known <= named
    made = {
        str(key.value)
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "finding"
        for key in ast.walk(node.args[1])
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and not key.value.endswith("-")
    }
    assert made <= known


# --- what is asked


def test_a_request_is_that_of_the_guide() -> None:
    def asked(offer: Offer) -> list[tuple[str, str]]:
        url = urlsplit(search_url(offer, "https://e.example/fhir", ["1", "2"], NOW))
        assert url.path == ("/fhir/Schedule" if offer is Offer.SOS else "/fhir/Slot")
        return parse_qsl(url.query, strict_parsing=True)

    window = [("start", "ge2026-11-20T08:00:00.000+01:00"), ("start", "le2026-11-22T23:59:59.999+01:00")]
    practitioners = f"{codes.PRACTITIONER_OID}|1,{codes.PRACTITIONER_OID}|2"
    individual = [("_include", "Slot:schedule"), ("_include:iterate", "Schedule:actor")]
    rest = [*window, ("status", "free"), ("schedule.actor:Practitioner.identifier", practitioners)]
    cpts = [
        ("_include", "Slot:service-type-reference"),
        ("_include:iterate", "HealthcareService:organization"),
    ]
    assert asked(Offer.INDIVIDUAL) == individual + rest
    assert asked(Offer.CPTS) == individual + cpts + rest
    assert asked(Offer.SOS) == [
        ("_revinclude", "Slot:schedule"),
        ("_include", "Schedule:actor:Location"),
        ("_include:iterate", "Location:organization"),
        *((f"_has:Slot:schedule:{name}", value) for name, value in [*window, ("status", "free")]),
        ("actor:Location.organization.identifier", f"{codes.STRUCTURE_OID}|1,{codes.STRUCTURE_OID}|2"),
    ]


def test_the_window_ends_with_the_third_day_when_clocks_change() -> None:
    asked = SearchRequest(
        "INT_R01", search_url(Offer.INDIVIDUAL, "https://e.example", ["1"], NOW - timedelta(days=27)), NOW
    )
    assert asked.bound("ge").isoformat() == "2026-10-24T09:00:00+02:00"
    assert asked.bound("le").isoformat() == "2026-10-26T23:59:59.999000+01:00"


def people(count: int) -> list[Listed]:
    return [Listed(f"8{number:011}", f"N{number:03}", "A", {}, BRIAND.sites) for number in range(count)]


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (25, [25]), (26, [25, 1]), (60, [25, 25, 10]), (101, [25] * 4)])
def test_many_are_asked_for_in_batches(editors: Peers, platform_of: Make, count: int, sizes: list[int]) -> None:
    editors.answers["ville"] = offering(editors)
    page = platform_of(editors.peer("ville"), listed=people(count)).search()
    found = [path.count(codes.PRACTITIONER_OID) for _, path, _ in editors.requests]
    assert sorted(found, reverse=True) == sizes
    assert ("101 correspondent dans l’annuaire ; les 100 premiers sont demandés." in page) == (count > 100)


def test_who_has_answered_with_slots_is_asked_alone_from_then_on(editors: Peers, platform_of: Make) -> None:
    editors.answers |= {"ville": offering(editors, slot()), "autre": offering(editors)}
    platform = platform_of(editors.peer("ville"), editors.peer("autre"), listed=[BRIAND, *people(1)])
    platform.search()
    assert sorted(path.split("/")[1] for _, path, _ in editors.requests) == ["autre", "ville"]
    editors.requests.clear()
    platform.search()
    asked = {path.split("/")[1]: BRIAND.id in path for _, path, _ in editors.requests}
    assert asked == {"ville": True, "autre": False}


@pytest.mark.parametrize(
    "query", ["territoire=%00", "territoire=%FF%FE", "specialite='\"<b>", f"territoire={'x' * 3000}", "=&&"]
)
def test_strange_parameters_are_taken_as_they_are(platform_of: Make, query: str) -> None:
    platform = platform_of()
    for path in ("recherche?complet=oui&", "recherche?", "lrm?"):
        answer = platform.client.get(f"/_sas/{path}{query}")
        assert answer.status_code == 200
        assert "<b>" not in answer.text


def test_nobody_is_asked_for_nobody(editors: Peers, platform_of: Make) -> None:
    page = platform_of(editors.peer("ville")).search("territoire=Nulle-Part")
    assert "Personne ne correspond dans l’annuaire de la plateforme." in page
    assert editors.requests == []


def test_a_search_that_makes_no_sense_is_refused(platform_of: Make) -> None:
    platform = platform_of()
    for path in (
        *(f"/_sas/{page}?offre=x" for page in ("recherche", "recherche/flux", "lrm/recherche", "lrm")),
        "/_sas/recherche?territoire=a&territoire=b",
        "/_sas/recherche?offre=ps&offre=ps",
    ):
        answer = platform.client.get(path)
        assert (answer.status_code, "Demande mal formée" in answer.text) == (400, True)


# --- as they come


def test_answers_are_shown_as_they_come(editors: Peers, platform_of: Make) -> None:
    """The second editor answers when the first one's slots have been seen."""
    seen = threading.Event()

    def late(handler: BaseHTTPRequestHandler) -> None:
        assert seen.wait(10)
        offering(editors, slot(2))(handler)

    editors.answers |= {"vite": offering(editors, slot(1)), "tard": late}
    platform = platform_of(editors.peer("vite"), editors.peer("tard"), seconds=10)
    page = platform.client.get("/_sas/recherche?territoire=35").text
    address = re.findall(r'data-live="([^"]*)"', page)[0].replace("&amp;", "&")
    assert "Interrogation des éditeurs…" in page
    assert editors.requests == []

    pieces = pieces_of(platform.client.get(address, buffered=False))
    read = ""
    while "1 créneau dans 1 lieu" not in read:
        read = text(next(pieces).decode())
    assert "1 réponse sur 2" in read
    assert "Tard INT_R01, 1 identifiant : en attente" in " ".join(read.replace("data:", "").split())
    seen.set()
    *_, last, end = pieces
    assert "Recherche terminée : 2 créneaux dans 2 lieux." in " ".join(text(last.decode()).replace("data:", "").split())
    assert end == b"event: end\ndata:\n\n"


def test_a_browser_that_leaves_has_nobody_else_asked(editors: Peers, platform_of: Make) -> None:
    """More requests than there is room for: those that wait are dropped."""
    over = threading.Event()
    editors.answers = {"ville": lambda _: [over.wait(10)].clear()}
    many = [editors.peer("ville")] * 10
    platform = platform_of(*many, listed=people(100), seconds=10)
    pieces = pieces_of(platform.client.get("/_sas/recherche/flux", buffered=False))
    next(pieces)
    pieces.close()
    over.set()
    platform_of(Peer("absent", "Absent", "http://127.0.0.1:1/fhir")).search()
    assert len(editors.requests) < 40


def test_a_regulator_signs_in_while_searches_wait_for_a_silent_editor(editors: Peers, platform_of: Make) -> None:
    over = threading.Event()
    ended: list[bool] = []
    editors.answers["muet"] = lambda _: ended.append(over.wait(5))
    editors.answers["ville"] = answering(200, b"{}")
    platform = platform_of(*[editors.peer("muet")] * 10, listed=people(100), seconds=20)
    pieces = pieces_of(platform.client.get("/_sas/recherche/flux", buffered=False))
    next(pieces)
    assert platform_of(editors.peer("ville")).send("/_sas/regulateurs/renee/retablissement").status_code == 303
    assert (ended, [path for method, path, _ in editors.requests if method == "PUT"] != []) == ([], True)
    pieces.close()
    over.set()


def test_without_scripts_the_page_leads_to_the_whole_one(platform_of: Make) -> None:
    page = platform_of().client.get("/_sas/recherche?territoire=Rennes&specialite=SM54").text
    [address] = re.findall(r'<noscript><meta http-equiv="refresh" content="0; url=([^"]*)"></noscript>', page)
    assert address.replace("&amp;", "&") == "/_sas/recherche?complet=oui&territoire=Rennes&specialite=SM54&offre=ps"


# --- the directory


def test_who_is_in_the_directory_is_found_by_place_and_speciality() -> None:
    site, other = BRIAND.sites[0], Site("", "3", "x", "97400", "Saint-Denis", None)
    listed = [
        BRIAND,
        Listed("2", "B", "", {"SM40": "Autre"}, [site]),
        Listed("1", "Éa", "", {"SM54": "Médecine générale"}, [other]),
        # At another editor too.
        Listed("1", "Éa", "", {}, [other, site]),
    ]
    directory = Directory(lambda: (listed, [Listed("3", "SOS", "", {}, [other])]))

    def found(offer: Offer = Offer.INDIVIDUAL, territory: str = "", specialty: str = "") -> list[str]:
        return [one.id for one in directory.find(offer, territory, specialty)]

    assert found() == [BRIAND.id, "2", "1"]
    for territory in ("35", "35000", "rennes", " RENNES "):
        assert found(territory=territory) == [BRIAND.id, "2", "1"]
    for territory in ("974", "97400", "saint denis", "SAINT-DENIS"):
        assert found(territory=territory) == ["1"]
    assert found(territory="97") == []
    assert found(specialty="SM54") == [BRIAND.id, "1"]
    assert found(Offer.SOS, "974", "SM54") == ["3"]
    assert directory.specialties == {"SM40": "Autre", "SM54": "Médecine générale"}
    assert directory.territories[:2] == ["35", "974"]


# --- regulators


@pytest.mark.shared
@needs_validator
def test_a_regulator_is_one_for_the_independent_validator(tmp_path: Any) -> None:
    files = []
    for name, person, active in (("renee", RENEE, True), ("marc", MARC, False)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(regulator(person, active=active) | {"id": "1"}))
    assert errors_of(files) == []


def test_a_withdrawal_is_told_to_every_editor_at_once(editors: Peers, platform_of: Make) -> None:
    editors.answers |= {"ville": answering(200, b"{}"), "autre": answering(422, outcome("déjà pris"))}
    platform = platform_of(editors.peer("ville"), editors.peer("autre"))
    assert platform.page("/_sas/").count("jamais transmis") == 2
    assert platform.send("/_sas/regulateurs/renee/retrait").status_code == 303
    told = {path: json.loads(body) for method, path, body in editors.requests if method == "PUT"}
    query = "identifier=urn:oid:1.2.250.1.71.4.2.1%7C3456780581%2F11242343"
    assert told.keys() == {f"/{one}/fhir/Practitioner?{query}" for one in ("ville", "autre")}
    assert [*told.values()] == [regulator(RENEE, active=False)] * 2
    page = platform.page("/_sas/regulateurs")
    assert "Renée Régulateur habilitation retirée" in page
    assert "Ville retiré" in page
    assert "Autre refusé (HTTP 422)" in page
    assert "déjà pris" in page
    # And signed out.
    assert "Se connecter" in platform.page("/_sas/")
    editors.requests.clear()
    platform.send("/_sas/regulateurs/renee/retablissement")
    assert {json.loads(body)["active"] for _, _, body in editors.requests} == {True}
    assert "Ville mis à jour" in platform.page("/_sas/regulateurs")


def test_a_load_test_of_regulators_is_shown_in_part(platform_of: Make) -> None:
    many = [Person(f"p{number}", "N", f"A{number}", "a@b.example", f"{number}") for number in range(101)]
    page = platform_of(people=many).page("/_sas/regulateurs")
    assert "Les 100 premiers, sur 101." in page
    assert "A99 N" in page
    assert "A100 N" not in page


def test_who_has_no_national_identifier_is_told_by_the_technical_one(editors: Peers, platform_of: Make) -> None:
    editors.answers["ville"] = answering(201, b"{}")
    platform_of(editors.peer("ville")).send("/_sas/regulateurs/marc/retablissement")
    [(_, path, body)] = editors.requests
    assert path.endswith(f"identifier=urn:oid:1.2.250.1.213.3.6%7C{MARC.technical_id}")
    assert json.loads(body)["identifier"][0]["type"]["coding"][0]["code"] == "INTRN"


def test_forms_of_other_sites_do_nothing(editors: Peers, platform_of: Make) -> None:
    platform = platform_of(editors.peer("ville"))
    for path in ("/_sas/regulateurs/renee/retrait", "/_sas/regulateurs/renee/retablissement", "/_sas/deconnexion"):
        assert platform.client.post(path, data={"jeton": "x"}).status_code == 400
    assert editors.requests == []
    assert platform.send("/_sas/regulateurs/inconnu/retrait").status_code == 404


def test_sessions_follow_the_clock_and_end_with_a_reset(store: Store) -> None:
    now = [NOW]
    state = PlatformStore(store, lambda: now[0])
    cookie = state.open(RENEE)
    assert state.session(cookie) == RENEE
    assert state.session(cookie + "x") is state.session(None) is None
    now[0] += LIFETIME
    assert state.session(cookie) is None
    cookie = state.open(RENEE)
    state.withdraw(MARC.key)
    late = state.open(MARC)
    assert state.session(late) is None
    state.learn([("1", "ville")])
    with store.writing() as db:
        state.reset(db)
    assert state.session(cookie) is None
    assert (state.withdrawn(), state.known(["1"])) == (set(), {"1": set()})


# --- pages


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/_console/",
        "/_sas/\\evil",
        "/_sas/\nx",
        "/_sas/é",
        "",
        "x",
        f"/_sas/{'x' * 3000}",
    ],
)
def test_signing_in_leads_to_our_own_pages_only(platform_of: Make, target: str) -> None:
    answer = platform_of().client.get("/_sas/connexion", query_string={"suite": target})
    assert (answer.status_code, answer.location) == (303, "/_sas/")


def test_who_is_not_signed_in_is_led_there_and_back(store: Store) -> None:
    client = platform_app(store).test_client()
    answer = client.get("/_sas/recherche?territoire=35&offre=sos")
    assert answer.location == "/_sas/connexion?suite=/_sas/recherche?territoire%3D35%26offre%3Dsos"
    assert client.get(answer.location).location.startswith("https://sas.example/_idp/authorize?response_type=code&")
    assert client.get("/_sas/recherche/flux").status_code == 403
    prefixed = platform_app(store, "https://sas.example/banc").test_client()
    answer = prefixed.get("/_sas/recherche", base_url="https://sas.example/banc")
    assert answer.location == "/banc/_sas/connexion?suite=/banc/_sas/recherche"
    assert (
        prefixed.get(answer.location.removeprefix("/banc"), base_url="https://sas.example/banc")
        .headers["Set-Cookie"]
        .endswith("Path=/banc/_sas; SameSite=Lax")
    )


def test_an_answer_of_the_provider_that_was_not_asked_for_is_refused(store: Store) -> None:
    client = platform_app(store).test_client()
    client.get("/_sas/connexion")
    for query in ("", "?code=x", "?state=x&code=y", "?state=%00"):
        assert client.get(f"/_sas/connexion/retour{query}").status_code == 400


def test_every_page_needs_nothing_from_elsewhere_and_links_to_the_console(platform_of: Make) -> None:
    platform = platform_of()
    for path in ("", "recherche", "regulateurs", "lrm?offre=sos", "rendez-vous"):
        answer = platform.client.get(f"/_sas/{path}")
        assert answer.status_code == 200
        assert re.findall(r'(?:src|href|action)="(?!/)[^"]*', answer.text) == []
        assert 'href="/_console/"' in answer.text
        assert "Banc : joue la plateforme SAS" in answer.text
        assert "Toutes les personnes et données sont fictives." in answer.text
        assert "Renée Régulateur" in answer.text
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert platform.client.head(f"/_sas/{path}").status_code == 200


def test_an_address_for_lrms_is_put_together(platform_of: Make) -> None:
    page = platform_of().page("/_sas/lrm?territoire=Saint-Malo&specialite=SM54&offre=cpts")
    assert f"{'https://sas.example'}/_sas/lrm/recherche?territoire=Saint-Malo&specialite=SM54&offre=cpts" in page
    assert "Adresse à appeler" not in platform_of().page("/_sas/lrm")

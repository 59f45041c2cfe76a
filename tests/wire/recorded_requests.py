"""The requests of ``recorded.py``, in order. They speak the wire only, so that any version can be asked."""

import json
import ssl
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.wire.recorded import GLANCE, NOW, TLS_URL, Browser, Client, environment, server

VILLE, CPTS, SOS = "agenda-ville", "agenda-cpts", "agenda-sos"
THOMAS, MARCEL, STRUCTURE = "810100050075", "810002673899", "334173748400020"
MERCIER = "1b4c08bb-c41b-511a-bd65-cb87f194f187"
PRACTITIONER_OID, STRUCTURE_OID = "urn:oid:1.2.250.1.71.4.2.1", "urn:oid:1.2.250.1.71.4.2.2"
SAS_OID = "urn:oid:1.2.250.1.213.3.6"
FHIR_JSON = "application/fhir+json"
WITH_CPTS = "&_include=Slot:service-type-reference&_include:iterate=HealthcareService:organization"
DAYS = ("2026-11-20T08:00:00.000+01:00", "2026-11-22T23:59:59.999+01:00")
NOON = ("2026-11-20T11:30:00.000+01:00", "2026-11-20T14:00:00.000+01:00")
EVENING = ("2026-11-20T18:30:00.000+01:00", "2026-11-20T20:20:00.000+01:00")

Json = dict[str, Any]


def slots(
    *identifiers: str,
    editor: str = VILLE,
    start: str = DAYS[0],
    end: str = DAYS[1],
    extra: str = "",
    status: str = "free",
) -> str:
    tokens = ",".join(f"{PRACTITIONER_OID}|{one}" for one in identifiers)
    return (
        f"/{editor}/fhir/Slot?_include=Slot:schedule&_include:iterate=Schedule:actor&status={status}"
        f"&start=ge{start}&start=le{end}&schedule.actor:Practitioner.identifier={tokens}{extra}"
    )


def places(*identifiers: str, editor: str = SOS, start: str = DAYS[0], end: str = DAYS[1], extra: str = "") -> str:
    tokens = ",".join(f"{STRUCTURE_OID}|{one}" for one in identifiers)
    return (
        f"/{editor}/fhir/Schedule?_revinclude=Slot:schedule&_include=Schedule:actor:Location"
        f"&_include:iterate=Location:organization&_has:Slot:schedule:start=ge{start}&_has:Slot:schedule:start=le{end}"
        f"&_has:Slot:schedule:status=free&actor:Location.organization.identifier={tokens}{extra}"
    )


SEARCHES = {
    "r01": slots(THOMAS, MARCEL, "0359900017", start=NOON[0], end=NOON[1]),
    "r01 of one": slots(MARCEL, start=NOON[0], end=NOON[1]),
    "r01 of nobody": slots("899000009994"),
    "r04": slots(
        "810002909371", "899000000218", "899000000226", editor=CPTS, start=NOON[0], end=NOON[1], extra=WITH_CPTS
    ),
    "r04 of nobody": slots("899000009994", editor=CPTS, extra=WITH_CPTS),
    "sos": places(STRUCTURE, "300000101600013", start=EVENING[0], end=EVENING[1]),
    "sos of nobody": places("300000102400017"),
    "guide r01": slots(
        THOMAS, MARCEL, editor="agenda-ps", start="2021-11-04T14:19:35.760+00:00", end="2021-11-06T23:59:59.999+00:00"
    ),
    "guide r04": slots(
        "810002909371", editor="agenda-cpts-2", start="2024-06-12T10:00:00.000+02:00",
        end="2024-06-14T23:59:59.999+02:00", extra=WITH_CPTS,
    ),
    "guide sos": places(
        STRUCTURE, "392080466300010", start="2023-08-18T08:00:00.000+02:00", end="2023-08-20T23:59:59.999+02:00"
    ),
}  # fmt: skip


def record(python: str) -> list[dict[str, str]]:
    """All answers, of a plain simulator and of one with mutual TLS."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server(python, folder, "--with-bench", "on") as (port, _):
            client = Client(port)
            for part in _PARTS:
                client.part = part.__name__.strip("_")
                part(client)
        client.records += _mutual_tls(python, folder)
    return client.records


def _searches(client: Client) -> None:
    for url in list(SEARCHES.values())[:7]:
        client.ask("GET", url)
    for extra in (
        "&_count=5", "&_count=0", "&_summary=count", "&_count=-1", "&_count=x", "&_pretty=true", "&_format=json",
        "&_format=xml", "&_elements=id", "&_sort=start", "&unknown=1", "&_has:Slot:schedule:status=free",
        "&schedule.actor:Practitioner.name=x", "&start=ge2026-13-01", "&status:not=busy", "&_include=Slot:other",
        "&_lastUpdated=ge2020", "&service-type=x", "&appointment-type=WALKIN", "&specialty=SM54", "&_summary=x",
    ):  # fmt: skip
        client.ask("GET", slots(MARCEL, start=NOON[0], end=NOON[1], extra=extra))
        client.ask("GET", places(STRUCTURE, start=EVENING[0], end=EVENING[1], extra=extra))
    for url in (
        slots(), slots("x"), slots(THOMAS, status="busy"), slots(THOMAS, status="free,busy"), slots(THOMAS, start="x"),
        slots(THOMAS, start=DAYS[1], end=DAYS[0]), slots(THOMAS, end="2026-11-22"), slots(THOMAS, start="2026"),
        slots(THOMAS, end="2199-01-01T00:00:00Z"), slots(THOMAS, start="2026-11-20T08:00:00"), slots(*[THOMAS] * 60),
        f"/{VILLE}/fhir/Slot", f"/{VILLE}/fhir/Slot?status=free", f"/{VILLE}/fhir/Slot?start=ge2026-11-20",
        f"/{VILLE}/fhir/Slot?schedule=Schedule/{THOMAS}-1&start=ge2026-11-20&start=le2026-11-21&status=free",
        f"/{VILLE}/fhir/Slot?schedule=Schedule/{THOMAS}-9&start=ge2026-11-20&start=le2026-11-21",
        f"/{VILLE}/fhir/Slot?schedule.actor:Practitioner.identifier={THOMAS}&status=free", "/nulle-part/fhir/Slot",
        slots(THOMAS).replace("Practitioner.identifier", "Patient.identifier"),
        slots(THOMAS).replace("schedule.actor:Practitioner", "schedule.actor"),
        places("x"), places(), places(STRUCTURE, start="x"), places(STRUCTURE[1:]), places(STRUCTURE, editor=VILLE),
        f"/{SOS}/fhir/Schedule", f"/{SOS}/fhir/Schedule?actor:Location.organization.identifier={STRUCTURE}",
        f"/{VILLE}/fhir/Slot?%zz=%ff&start=%00", f"/{VILLE}/fhir/Slot?a=1&a=2&&=&b",
    ):  # fmt: skip
        client.ask("GET", url)
    path, _, query = SEARCHES["r01"].partition("?")
    encoded = {"Content-Type": "application/x-www-form-urlencoded"}
    client.ask("POST", f"{path}/_search", data=query.encode(), headers=encoded)
    client.ask("POST", f"{path}/_search?{query}", data=b"", headers=encoded)
    client.ask("POST", f"{path}/_search", data=b"status=busy", headers=encoded)
    client.ask("POST", f"{path}/_search", content={})
    strict = {"Prefer": "handling=strict"}
    client.ask("GET", slots(MARCEL, extra="&_include=Slot:other&unknown=1"), headers=strict)
    client.ask("GET", SEARCHES["r01 of one"], headers=strict)
    for accept in ("application/fhir+xml", "text/html", "application/json", "*/*;q=0", "application/fhir+json;q=0.5"):
        client.ask("GET", SEARCHES["r01 of one"], headers={"Accept": accept})
    client.ask("GET", SEARCHES["r01 of one"], headers={"Accept-Encoding": "gzip"})
    client.ask("HEAD", SEARCHES["r01 of one"])


def _reads(client: Client) -> None:
    for slug in (VILLE, CPTS, SOS):
        client.ask("GET", f"/{slug}/fhir/metadata")
        client.ask("GET", f"/{slug}/fhir/metadata?mode=terminology")
    seen: dict[str, str] = {}
    for name in ("r01", "r04", "sos"):
        for entry in client.ask("GET", SEARCHES[name], quiet=True).json()["entry"]:
            seen.setdefault(f"{name} {entry['resource']['resourceType']}", entry["fullUrl"])
    for url in seen.values():
        client.ask("GET", url)
    tag = {"If-None-Match": 'W/"1"'}
    client.ask("GET", seen["r01 Slot"], headers=tag)
    for path in (
        "Slot/x", "Slot/810100050075-1-202611200716", "Practitioner/899000009994", f"Practitioner/{MERCIER}",
        "Practitioner/00000000-0000-0000-0000-000000000000", "Schedule/x", "Location/x", "Organization/x", "Patient",
        "Patient/1", "HealthcareService/x", "PractitionerRole/x", "Appointment", "", "metadata/x", "Slot/a/b/c", "$x",
        f"Practitioner?identifier={PRACTITIONER_OID}|{THOMAS}", f"Practitioner?identifier={THOMAS}",
        "Practitioner?name=x", f"Schedule?actor=Practitioner/{THOMAS}", f"Schedule?actor.identifier={THOMAS}",
        f"Location?organization=Organization/{STRUCTURE}", f"Organization?identifier={STRUCTURE}",
        f"PractitionerRole?practitioner=Practitioner/{THOMAS}", "PractitionerRole?specialty=SM54&_count=2",
        f"Practitioner?_id={THOMAS}", f"Practitioner?_id={THOMAS}&_elements=name",
        "Practitioner?_count=1&_summary=true",
        "Organization?name=x", "Practitioner?identifier:exact=x", "Practitioner?active=true&_count=0",
    ):  # fmt: skip
        client.ask("GET", f"/{VILLE}/fhir/{path}")
    client.ask("GET", f"/{SOS}/fhir/Organization?identifier={STRUCTURE}")
    client.ask("GET", f"/{SOS}/fhir/Location?organization=Organization/{STRUCTURE}")
    for method in ("DELETE", "PATCH", "PUT", "OPTIONS", "POST"):
        client.ask(method, f"/{VILLE}/fhir/Slot")
        client.ask(method, f"/{VILLE}/fhir/Slot/x")


def _identifier(system: str, code: str, value: str) -> Json:
    coding = {"system": "http://interopsante.org/fhir/CodeSystem/fr-v2-0203", "code": code}
    return {"type": {"coding": [coding]}, "system": system, "value": value}


NATIONAL = _identifier(PRACTITIONER_OID, "IDNPS", "3456780581/11242343")
TECHNICAL = _identifier(SAS_OID, "INTRN", "1ef1c748-01a3-6180-b098-73283ce4e5b1")


def _regulator(*identifiers: Json, **changes: Any) -> Json:
    profile = "https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrPractitionerRegul"
    sound = {
        "resourceType": "Practitioner",
        "meta": {"source": SAS_OID, "profile": [profile]},
        "identifier": [*(identifiers or (NATIONAL,))],
        "active": True,
        "name": [{"family": "Loridon", "given": ["Sébastien"]}],
        "telecom": [{"system": "email", "value": "sebastien.loridon@test.com"}],
    } | changes
    return {name: value for name, value in sound.items() if value is not None}


def _accounts(client: Client) -> None:
    base = f"/{VILLE}/fhir/Practitioner"
    by_national, by_technical = (f"{base}?identifier={one['system']}|{one['value']}" for one in (NATIONAL, TECHNICAL))

    def put(url: str, content: Any, **headers: str) -> None:
        client.ask("PUT", url, content, headers={name.replace("_", "-"): text for name, text in headers.items()})

    put(by_national, _regulator())
    put(by_national, _regulator())
    put(by_national, _regulator(NATIONAL, TECHNICAL))
    put(by_technical, _regulator(NATIONAL, TECHNICAL, name=[{"family": "Loridon", "given": ["Anne", "Marie"]}]))
    put(by_national, _regulator(NATIONAL, TECHNICAL, active=False))
    put(by_national, _regulator(NATIONAL, TECHNICAL))
    for prefer in ("return=minimal", "return=representation", "return=OperationOutcome", "return=x"):
        put(by_national, _regulator(NATIONAL, TECHNICAL, unknown="x"), Prefer=prefer)
    for tag in ('W/"1"', 'W/"99"', "*", "x", 'W/"8", W/"9", W/"10"'):
        put(by_national, _regulator(NATIONAL, TECHNICAL), If_Match=tag)
        put(by_national, _regulator(NATIONAL, TECHNICAL), If_None_Match=tag)
    put(by_national, _regulator(NATIONAL, TECHNICAL), If_Unmodified_Since="Fri, 20 Nov 2026 07:00:00 GMT")
    put(by_national, _regulator(NATIONAL, TECHNICAL), If_Unmodified_Since="Fri, 20 Nov 2020 07:00:00 GMT")
    other = _identifier(PRACTITIONER_OID, "IDNPS", "3456780581/11242344")
    client.ask("POST", base, _regulator(other, telecom=[{"system": "email", "value": "autre@test.example"}]))
    client.ask("POST", base, _regulator(other))
    client.ask("POST", base, _regulator(), headers={"If-None-Exist": "identifier=x"})
    put(by_national, _regulator(other))
    put(by_national, _regulator(NATIONAL, other))
    put(f"{base}?identifier={PRACTITIONER_OID}|0/0", _regulator(_identifier(PRACTITIONER_OID, "IDNPS", "0/0")))
    put(base, _regulator())
    put(f"{base}/{MERCIER}", _regulator())
    put(f"{base}/{MERCIER}", _regulator(id=MERCIER))
    put(f"{base}/00000000-0000-0000-0000-000000000000", _regulator())
    put(f"{base}/x", _regulator())
    for query in (
        "identifier=x",
        "identifier=|",
        "identifier=a|b&identifier=a|b",
        "name=x",
        "identifier=a|b&name=x",
        "",
    ):
        put(f"{base}?{query}", _regulator())
    for changes in _WRONG_REGULATORS:
        put(by_national, _regulator(**changes))
    put(by_national, _regulator(NATIONAL, NATIONAL))
    put(by_national, _regulator(NATIONAL | {"system": "urn:x"}))
    put(by_national, _regulator({"value": "x"}))
    put(by_national, _regulator(NATIONAL | {"type": {"coding": [{"code": "RPPS"}]}}))
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"a":1,"a":2}',
        b"{}",
        b"[" * 100 + b"]" * 100,
        b"x" * 1_100_000,
    ):
        client.ask("PUT", by_national, data=body, headers={"Content-Type": FHIR_JSON})
    for kind in ("text/plain", "application/xml", "", "application/fhir+json; charset=utf-16", "application/json"):
        client.ask("PUT", by_national, data=json.dumps(_regulator()).encode(), headers={"Content-Type": kind})
    client.ask("PUT", by_national, data=b"{}", headers={"Content-Type": FHIR_JSON, "Content-Encoding": "gzip"})
    listed = client.ask("GET", f"/_admin/accounts?editor={VILLE}", quiet=True).json()["accounts"]
    for account in listed:
        client.ask("GET", f"{base}/{account['id']}")
    client.ask("GET", f"{base}/{MERCIER}", headers={"If-None-Match": 'W/"1"'})
    client.ask("GET", f"{base}/{MERCIER}", headers={"If-Modified-Since": "Fri, 20 Nov 2026 07:00:00 GMT"})
    client.ask("GET", f"{base}?email=sebastien.loridon@test.com")


_WRONG_REGULATORS: Sequence[Json] = (
    {"name": []}, {"name": None}, {"name": [{"given": ["x"]}]}, {"name": "x"}, {"name": [{"family": ""}]},
    {"telecom": None}, {"telecom": [{"system": "phone", "value": "0102030405"}]}, {"active": None}, {"active": "oui"},
    {"telecom": [{"system": "email", "value": "x"}]}, {"telecom": [{"system": "email", "value": "a@b.c"}] * 2},
    {"identifier": None}, {"identifier": {}}, {"resourceType": "Patient"}, {"resourceType": None}, {"meta": None},
    {"meta": {"source": "x"}}, {"meta": {"profile": ["urn:x"]}}, {"gender": "x"}, {"birthDate": "hier"},
    {"x": {"y": 1}},
    {"extension": [{}]}, {"name": [{"family": "X" * 2000, "given": ["Y"]}]}, {"telecom": [{"system": "email"}]},
)  # fmt: skip


# --- an editor's web site


def _sso(client: Client) -> None:
    mercier = Browser()
    _come_from_sas(client, mercier, f"/{VILLE}/agenda/{THOMAS}?lieu=1")
    client.send(mercier, f"/{VILLE}/cgu", suite="x")
    client.land(mercier, client.send(mercier, f"/{VILLE}/cgu", accepter="1", suite=mercier.field("suite")))
    _book(client, mercier, VILLE, THOMAS)
    _book(client, mercier, VILLE, THOMAS, nom="")
    client.follow(mercier, f"/{VILLE}/agenda/{MARCEL}?lieu=1&origin=sas")
    for query in (
        "origin=x",
        "origin=sas-33&lieu=2",
        "lieu=9",
        "semaine=x",
        "semaine=2027-01-01",
        "creneau=x",
        "lieu=x",
    ):
        client.ask("GET", f"/{VILLE}/agenda/{THOMAS}?{query}", browser=mercier)
    for person in ("roussel", "tessier", "vasseur", "loridon", "x"):
        browser = Browser()
        _come_from_sas(client, browser, f"/{VILLE}/agenda/{THOMAS}?lieu=1", person)
        if "cgu" in browser.page.body:
            client.land(browser, client.send(browser, f"/{VILLE}/cgu", accepter="1", suite=browser.field("suite")))
    sos = Browser()
    _come_from_sas(client, sos, f"/{SOS}/agenda/{STRUCTURE}?lieu=1")
    client.land(sos, client.send(sos, f"/{SOS}/cgu", accepter="1", suite=sos.field("suite")))
    _book(client, sos, SOS, STRUCTURE)
    for url in (f"/{VILLE}/sso/retour", f"/{VILLE}/sso/retour?state=x&code=y&iss=z", f"/{VILLE}/sso/retour?error=x"):
        client.ask("GET", url, browser=Browser())
    for token in ("", "x", "eyJhbGciOiJSUzI1NiJ9.e30.x"):
        client.ask("POST", f"/{VILLE}/sso/deconnexion", form={"logout_token": token})
    client.ask("GET", f"/{VILLE}/sso/deconnexion")
    client.follow(mercier, f"/{VILLE}/rendez-vous")
    client.land(mercier, client.send(mercier, f"/{VILLE}/deconnexion"))


def _come_from_sas(client: Client, browser: Browser, url: str, person: str = "mercier") -> None:
    client.follow(browser, f"{url}{'&' if '?' in url else '?'}origin=sas")
    if demand := browser.field("demande"):
        form = {"demande": demand, "personne": person}
        client.land(browser, client.ask("POST", "/_idp/connexion", form=form, browser=browser))


def _book(client: Client, browser: Browser, slug: str, owner: str, **fields: str) -> None:
    """Books the first slot of an agenda, moves the appointment, cancels it."""
    agenda = f"/{slug}/agenda/{owner}"
    client.follow(browser, f"{agenda}?lieu=1")
    client.follow(browser, browser.link("/reserver?"))
    form = {"lieu": browser.field("lieu"), "creneau": browser.field("creneau"), "nom": "FICTIF", "prenom": "Zoé"}
    booked = client.send(browser, f"{agenda}/reserver", **form | {"motif": "Fièvre"} | fields)
    client.settle()
    if booked.status == 303:
        client.land(browser, booked)
        own = booked.header("Location").partition("?")[0]
        client.send(browser, f"{agenda}/reserver", **form)  # what is no longer free
        client.follow(browser, f"/{slug}/rendez-vous")
        client.follow(browser, f"{own}/deplacer")
        found = browser.field("creneau")
        client.land(browser, client.send(browser, f"{own}/deplacer", creneau=found))
        client.settle()
        client.send(browser, f"{own}/deplacer", creneau="x")
        client.follow(browser, own)
        client.land(browser, client.send(browser, f"{own}/annuler"))
        client.settle()
        client.send(browser, f"{own}/annuler")
        client.send(browser, f"{own}/deplacer", creneau=found)
        client.follow(browser, own)


def _visitors(client: Client) -> None:
    visitor = Browser()
    client.follow(visitor, f"/{VILLE}/connexion")
    client.land(visitor, client.send(visitor, f"/{VILLE}/visite", suite=f"/{VILLE}/agenda/{MARCEL}"))
    _book(client, visitor, VILLE, MARCEL)
    for path in ("/", "/agenda", "/agenda?q=x", "/mot-de-passe-oublie", "/cgu", "/rendez-vous/x", "/x", "/agenda/x"):
        client.ask("GET", f"/{VILLE}{path}", browser=visitor)
    client.send(visitor, f"/{VILLE}/agenda/{MARCEL}/reserver", lieu="1", creneau="202611200716", nom="X")
    client.send(visitor, f"/{VILLE}/agenda/{MARCEL}/reserver", lieu="x", creneau="y", nom="X")
    client.ask("POST", f"/{VILLE}/agenda/{MARCEL}/reserver", form={"jeton": "faux"}, browser=visitor)
    client.ask("POST", f"/{VILLE}/agenda/{MARCEL}/reserver", content={}, browser=visitor)
    client.follow(visitor, f"/{VILLE}/mot-de-passe-oublie")
    client.land(visitor, client.send(visitor, f"/{VILLE}/mot-de-passe-oublie", email="x@test.example"))
    regulator = Browser()
    account = client.ask("GET", f"/_admin/accounts/{VILLE}/{MERCIER}", quiet=True).json()
    email = "solene.mercier@regulation.example"
    client.follow(regulator, f"/{VILLE}/connexion?origine=sas&suite=/{VILLE}/agenda")
    for password in ("faux", "", account["password"]):
        sent = client.send(regulator, f"/{VILLE}/connexion", email=email, mot_de_passe=password, origine="sas")
        client.land(regulator, sent)
    client.follow(regulator, f"/{VILLE}/rendez-vous")
    for _ in range(6):
        locked = Browser()
        client.ask("GET", f"/{VILLE}/connexion", browser=locked, quiet=True)
        client.send(locked, f"/{VILLE}/connexion", email="idriss.roussel@regulation.example", mot_de_passe="faux")
    client.ask("POST", f"/{VILLE}/connexion", form={"email": email}, browser=Browser())
    foreign = {"Origin": "https://pirate.example"}
    client.ask("POST", f"/{VILLE}/visite", form={}, headers=foreign, browser=Browser())
    client.ask("GET", "/nulle-part/agenda", browser=visitor)
    client.ask("GET", f"/{VILLE}/static/x.css")


def _provider(client: Client) -> None:
    client.ask("GET", "/_idp/.well-known/openid-configuration")
    client.ask("GET", "/_idp/jwks")
    known = f"client_id={VILLE}&redirect_uri={quote('http://127.0.0.1:8000')}/{VILLE}/sso/retour"
    for query in (
        "", "client_id=x", "client_id=x&redirect_uri=http://x.example/", known, f"{known}&response_type=token",
        f"{known}&response_type=code", f"{known}&response_type=code&scope=openid&state=s&nonce=n",
        f"{known}&response_type=code&scope=openid&prompt=none", f"{known}&response_type=code&scope=openid&max_age=x",
        f"{known}&response_type=code&scope=openid&code_challenge=x&code_challenge_method=plain",
        f"{known}&response_type=code&scope=openid&request=x",
        f"{known}&response_type=code&scope=openid&response_mode=x",
    ):  # fmt: skip
        client.ask("GET", f"/_idp/authorize?{query}", browser=Browser())
    for form in (
        {}, {"grant_type": "x"}, {"grant_type": "authorization_code"},
        {"grant_type": "authorization_code", "code": "x", "client_id": VILLE, "redirect_uri": "x"},
        {"grant_type": "authorization_code", "code": "x", "client_id": VILLE, "client_secret": "s"},
    ):  # fmt: skip
        client.ask("POST", "/_idp/token", form=form)
    client.ask("POST", "/_idp/token", content={})
    client.ask("GET", "/_idp/token")
    client.ask("POST", "/_idp/connexion", form={"demande": "x", "personne": "mercier"}, browser=Browser())
    for authorization in ("", "Bearer x", "Basic x"):
        client.ask("GET", "/_idp/userinfo", headers={"Authorization": authorization})
    client.ask("GET", "/_idp/deconnexion", browser=Browser())
    client.ask("GET", "/_idp/deconnexion?post_logout_redirect_uri=http://x.example&state=s", browser=Browser())
    client.ask("GET", "/_idp/x")


# --- the SAS's side


def _appointment(value: str = "b6e39355-8a61-4556-b340-36f7b95fec6a", **changes: Any) -> Json:
    operator = {
        "url": "http://interopsante.org/fhir/StructureDefinition/FrAppointmentOperator",
        "valueReference": {"identifier": NATIONAL},
    }
    known = _identifier(PRACTITIONER_OID, "IDNPS", THOMAS)
    sound = {
        "resourceType": "Appointment",
        "meta": {"profile": ["http://sas.fr/fhir/StructureDefinition/FrAppointmentSAS"]},
        "extension": [operator],
        "identifier": [{"system": "urn:oid:1.2.3.4", "value": value}],
        "status": "booked",
        "start": "2026-11-20T14:00:00.000+01:00",
        "end": "2026-11-20T14:15:00.000+01:00",
        "created": "2026-11-20T08:00:00.000+01:00",
        "participant": [{"actor": {"identifier": known}, "status": "accepted"}],
    } | changes
    return {name: content for name, content in sound.items() if content is not None}


_WRONG_APPOINTMENTS: Sequence[Json] = (
    {"meta": None}, {"meta": {"profile": ["urn:x"]}}, {"extension": None}, {"extension": [{"url": "urn:x"}]},
    {"identifier": None}, {"identifier": [{"value": "x"}]}, {"identifier": [{"system": "urn:x"}]}, {"status": None},
    {"status": "confirmed"}, {"status": "pending"}, {"start": None}, {"end": None}, {"created": None},
    {"start": "x"},
    {"start": "2026-11-20T14:00:00"}, {"end": "2026-11-20T13:00:00.000+01:00"}, {"participant": None},
    {"comment": ""},
    {"participant": []}, {"participant": [{"status": "accepted"}]}, {"participant": [{"actor": {}, "status": "x"}]},
    {"resourceType": "Slot"}, {"patientInstruction": "x"}, {"contained": [{"resourceType": "Patient", "id": "p"}]},
)  # fmt: skip


def _receiver(client: Client) -> None:
    base = "/_sas/fhir/Appointment"
    conditional = f"{base}?identifier=urn:oid:1.2.3.4|b6e39355-8a61-4556-b340-36f7b95fec6a"
    client.ask("GET", "/_sas/fhir/metadata")
    made = client.ask("POST", base, _appointment())
    client.ask("POST", base, _appointment())
    place = f"{base}/{made.json()['id']}"
    client.ask("PUT", conditional, _appointment(status="cancelled"))
    client.ask("PUT", place, _appointment(status="fulfilled"))
    client.ask("PUT", f"{base}?identifier=urn:oid:1.2.3.4|other", _appointment("other"))
    client.ask("PUT", f"{base}?identifier=x", _appointment())
    client.ask("PUT", base, _appointment())
    client.ask("PUT", f"{base}/x", _appointment())
    for changes in _WRONG_APPOINTMENTS:
        client.ask("POST", base, _appointment("wrong", **changes))
    for body in (b"", b"{", b"[]", b'{"a":1,"a":2}'):
        client.ask("POST", base, data=body, headers={"Content-Type": FHIR_JSON})
    client.ask("POST", base, data=b"{}", headers={"Content-Type": "text/plain"})
    for url in (base, conditional, place, f"{base}/x", f"{base}?status=booked", f"{base}?_count=1", "/_sas/fhir/Slot"):
        client.ask("GET", url)
    client.ask("GET", place, headers={"If-None-Match": 'W/"3"'})
    client.ask("DELETE", place)


def _bench(client: Client) -> None:
    sas = Browser()
    client.ask("GET", "/_sas/", browser=sas)
    client.follow(sas, "/_sas/connexion")
    form = {"demande": sas.field("demande"), "personne": "vasseur"}
    client.land(sas, client.ask("POST", "/_idp/connexion", form=form, browser=sas))
    if key := sas.field("jeton"):
        client.land(sas, client.ask("POST", "/_sas/connexion/fin", form={"jeton": key}, browser=sas))
    client.follow(sas, "/_sas/")
    for path in ("recherche", "lrm", "lrm?territoire=x", "regulateurs", "rendez-vous", "rendez-vous/x", "x"):
        client.follow(sas, f"/_sas/{path}")
    listed = client.ask("GET", "/_sas/fhir/Appointment", quiet=True).json()["entry"]
    for entry in listed[:3]:
        client.follow(sas, f"/_sas/rendez-vous/{entry['resource']['id']}")
        client.ask("GET", f"/_sas/rendez-vous/{entry['resource']['id']}/versions/1/lrm.json")
    client.ask("GET", "/_sas/rendez-vous/flux", until=b"\n\n", browser=sas)
    client.written("rendez-vous/flux")
    client.follow(sas, "/_sas/recherche?offre=x")
    client.ask("POST", "/_sas/regulateurs/x/retrait", form={"jeton": "x"}, browser=sas)
    client.follow(sas, "/_sas/regulateurs")
    client.land(sas, client.send(sas, "/_sas/deconnexion"))
    client.ask("GET", "/_sas/connexion/retour?state=x", browser=Browser())
    client.ask("GET", "/_sas/recherche?offre=ps", browser=Browser())
    client.ask("GET", "/_sas/recherche/flux?offre=ps", browser=Browser())


# --- control at run time


def _admin(client: Client) -> None:
    for method, path, content in _OPERATIONS:
        client.ask(method, f"/_admin{path}", content)
        if "appointments" in path or "replay" in path:
            client.settle()
    for name in ("appointment", "notification", "journal"):
        listed = client.ask("GET", f"/_admin/{name}s".replace("journals", "journal"), quiet=True).json()
        for one in next(iter(content for content in listed.values() if isinstance(content, list)))[:3]:
            place = f"{one['editor']}/{one['id']}" if name == "appointment" else one["id"]
            client.ask("GET", f"/_admin/{name}s/{place}".replace("journals", "journal"))
    snapshot = client.ask("GET", "/_admin/snapshot", quiet=True)
    client.ask("GET", "/_admin/snapshot")
    assert snapshot.status == 200
    for body, kind in (
        (b"x", "application/octet-stream"),
        (b"", "application/octet-stream"),
        (b"{}", "application/json"),
    ):
        client.ask("PUT", "/_admin/snapshot", data=body, headers={"Content-Type": kind})
    yaml = {"Content-Type": "application/yaml"}
    for text in _SCENARIOS:
        client.ask("POST", "/_admin/scenario/check", data=text.encode(), headers=yaml)
    client.ask("PUT", "/_admin/scenario/text?source=essai.yaml", data=_SCENARIOS[0].encode(), headers=yaml)
    client.ask("PUT", "/_admin/scenario/text", data=_SCENARIOS[-1].encode(), headers=yaml)
    client.ask("GET", "/_admin/scenario")
    client.ask("GET", "/_admin/scenario/text")
    client.ask("GET", "/essai/fhir/metadata")
    client.ask("PUT", "/_admin/scenario", {"name": "decouverte"})
    client.ask("POST", "/_admin/clock/freeze", {"at": NOW})
    for headers in (
        {"Origin": "https://pirate.example"}, {"Host": "pirate.example"}, {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
    ):  # fmt: skip
        client.ask("POST", "/_admin/notifications/resume", data=b"", headers=headers)
        client.ask("GET", "/_admin/clock", headers=headers)
    for body in (b"{", b"[]", b"null", b'{"a":1,"a":1}', b"\xff"):
        client.ask("POST", "/_admin/faults", data=body, headers={"Content-Type": "application/json"})
    client.ask("POST", "/_admin/faults", data=b"x" * 2_000_000, headers={"Content-Type": "application/json"})
    for path in ("/openapi.json", "/x", "", "/accounts/x"):
        client.ask("GET", f"/_admin{path}")
    client.ask("DELETE", "/_admin/clock")
    client.ask("PATCH", "/_admin/journal")


_AT = {"editor": VILLE, "slot": f"{THOMAS}-1-202611200715"}
_CUT = {"flows": ["INT_R01"], "do": [{"kind": "cut-body", "share": 0.5}]}
_RULES: Sequence[Json] = (
    {}, {"name": "x"}, {"name": "x", "do": []}, {"name": "X y", **_CUT}, {"name": "x", "do": [{"kind": "lenteur"}]},
    {"name": "x", "do": [{"kind": "latency"}]}, {"name": "x", "do": [{"kind": "latency", "seconds": -1}]},
    {"name": "x", "do": [{"kind": "latency", "seconds": "x"}]}, {"name": "x", "do": [{"kind": "status", "code": 99}]},
    {"name": "x", "do": [{"kind": "latency-uniform", "most_seconds": 1, "least_seconds": 2}]},
    {"name": "x", "do": [{"kind": "status", "code": 503, "x": 1}]},
    {"name": "x", "flows": ["INT_R99"], "do": _CUT["do"]},
    {"name": "x", "editors": ["nulle-part"], "do": _CUT["do"]}, {"name": "x", "probability": 2, "do": _CUT["do"]},
    {"name": "x", "do": [{"kind": "truncated-body"}, {"kind": "cut-body"}]}, {"name": "x", "do": "cut-body"},
    {"name": "x", "do": [{"kind": "status"}, {"kind": "connection-reset"}]}, {"name": "x", "count": 0, **_CUT},
    {"name": "x", "flows": ["INT_R03"], "do": [{"kind": "cut-body"}]}, {"name": "x", "after": -1, **_CUT},
    {"name": "x", "flows": ["INT_R01"], "do": [{"kind": "notification-drop"}]},
    {"name": "x", "clients": ["x/y"], **_CUT},
    {"name": "x", "do": [{"kind": "latency-percentiles", "seconds_at": {"50": 2, "90": 1}}]},
    {"do": [{"kind": "hang"}]},
    {"name": "x", "do": [{"kind": "slow-body"}]}, {"name": "x", "do": [{"kind": "cut-body", "share": 0.5, "size": 3}]},
    {"name": "x", "do": [{"kind": "html-page", "status": 200, "title": ""}]}, {"name": "x", "method": "GET", **_CUT},
    {"name": "x", "do": [{"kind": "latency-lognormal", "median_seconds": 2, "p95_seconds": 1}]}, {"name": 1, **_CUT},
)  # fmt: skip
_OPERATIONS: Sequence[tuple[str, str, Any]] = (
    ("GET", "/accounts", None), ("GET", f"/accounts?editor={VILLE}&active=true", None),
    ("GET", f"/accounts?editor={VILLE}&email=solene.mercier@regulation.example", None),
    ("GET", "/accounts?editor=nulle-part", None), ("GET", "/accounts?limit=0", None),
    ("GET", "/accounts?limit=1", None),
    ("GET", "/accounts?active=peut-etre", None), ("GET", "/accounts?x=1", None),
    ("GET", "/accounts?identifier=x", None),
    ("GET", f"/accounts/{VILLE}/{MERCIER}", None), ("GET", f"/accounts/{VILLE}/x", None),
    ("GET", f"/accounts/{VILLE}/3456780581%2F11242343", None),
    ("PATCH", f"/accounts/{VILLE}/{MERCIER}", {"active": False}),
    ("PATCH", f"/accounts/{VILLE}/{MERCIER}", {"active": True, "password": "secret-a-retenir", "terms": False}),
    ("PATCH", f"/accounts/{VILLE}/{MERCIER}", {"national_id": None, "technical_id": None}),
    ("PATCH", f"/accounts/{VILLE}/{MERCIER}", {"national_id": "3456780581/11242343"}),
    ("PATCH", f"/accounts/{VILLE}/{MERCIER}", {"email": "sebastien.loridon@test.com"}),
    ("PATCH", f"/accounts/{VILLE}/{MERCIER}", {"email": "x", "password": "x", "active": "x"}),
    ("PATCH", f"/accounts/{VILLE}/{MERCIER}", {}), ("PATCH", f"/accounts/{VILLE}/x", {"active": False}),
    ("POST", "/appointments", _AT | {"account": MERCIER, "patient": "Zoé Fictif", "reason": "Fièvre"}),
    ("POST", "/appointments", _AT), ("POST", "/appointments", {}), ("POST", "/appointments", {"editor": VILLE}),
    ("POST", "/appointments", {"editor": VILLE, "slot": f"{THOMAS}-1-202611200716", "patient": "X"}),
    ("POST", "/appointments", {"editor": VILLE, "slot": "x", "patient": "X"}),
    ("POST", "/appointments", {"editor": VILLE, "slot": f"{THOMAS}-1-202601200715", "patient": "X"}),
    ("POST", "/appointments", {"editor": VILLE, "slot": f"{THOMAS}-1-202711200715", "patient": "X"}),
    ("POST", "/appointments", {"editor": "nulle-part", "slot": "x", "patient": "X"}),
    ("POST", "/appointments", _AT | {"account": "x"}), ("POST", "/appointments", _AT | {"patient": "X" * 3000}),
    ("POST", "/appointments", {"editor": VILLE, "calendar": f"{THOMAS}-1", "start": "2026-11-20T08:45:00+01:00"}),
    ("POST", "/appointments", {"editor": VILLE, "calendar": f"{THOMAS}-1", "start": "x"}),
    ("POST", "/appointments", {"editor": SOS, "slot": f"{STRUCTURE}-1-202611200730", "patient": "X"}),
    ("GET", "/appointments", None), ("GET", f"/appointments?editor={VILLE}&sas=true", None),
    ("GET", "/appointments?since=2026-11-20T08:00:00%2B01:00&status=booked", None),
    ("GET", "/appointments?status=x", None), ("GET", "/appointments?editor=nulle-part", None),
    ("GET", f"/appointments/{VILLE}/x", None),
    ("POST", f"/appointments/{VILLE}/x/cancel", None), ("POST", f"/appointments/{VILLE}/x/move", {"slot": "x"}),
    ("POST", f"/appointments/{VILLE}/x/assign", {"practitioner": "10100050075"}),
    ("POST", f"/appointments/{VILLE}/x/close", {"honoured": True}), ("POST", f"/appointments/{VILLE}/x/close", {}),
    ("GET", "/calendars?limit=2", None), ("GET", f"/calendars?editor={VILLE}&owner={THOMAS}", None),
    ("GET", "/calendars?owner=810000000000", None), ("GET", "/calendars?limit=x", None),
    ("GET", f"/calendars/{VILLE}/{THOMAS}-1/slots?day=2026-11-20", None),
    ("GET", f"/calendars/{VILLE}/{THOMAS}-1/slots?day=2026-11-31", None),
    ("GET", f"/calendars/{VILLE}/{THOMAS}-1/slots", None), ("GET", f"/calendars/{VILLE}/x/slots?day=2026-11-20", None),
    ("PUT", f"/calendars/{VILLE}/slots/{THOMAS}-1-202611200745", {"state": "closed"}),
    ("POST", "/appointments", {"editor": VILLE, "slot": f"{THOMAS}-1-202611200745", "patient": "X"}),
    ("PUT", f"/calendars/{VILLE}/slots/{THOMAS}-1-202611200745", {"state": "x"}),
    ("PUT", f"/calendars/{VILLE}/slots/{THOMAS}-1-202611200716", {"state": "open"}),
    ("PUT", f"/calendars/{VILLE}/slots/x", {"state": "open"}),
    ("PUT", f"/calendars/{VILLE}/{THOMAS}-1/days/2026-11-23", {"state": "closed"}),
    ("POST", "/appointments", {"editor": VILLE, "slot": f"{THOMAS}-1-202611230745", "patient": "X"}),
    ("PUT", f"/calendars/{VILLE}/{THOMAS}-1/days/2026-11-23", {"state": "open"}),
    ("PUT", f"/calendars/{VILLE}/{THOMAS}-1/days/x", {"state": "open"}),
    ("GET", f"/calendars/{VILLE}/changes", None), ("GET", "/calendars/nulle-part/changes", None),
    ("POST", f"/calendars/{VILLE}/absences", {"owner": THOMAS, "first": "2026-12-21", "last": "2026-12-31"}),
    ("POST", f"/calendars/{VILLE}/absences", {"owner": THOMAS, "first": "2026-12-21", "last": "2026-01-01"}),
    ("POST", f"/calendars/{VILLE}/absences", {"owner": "x", "first": "2026-12-21", "last": "2026-12-31"}),
    ("POST", f"/calendars/{VILLE}/absences", {"owner": THOMAS}), ("DELETE", f"/calendars/{VILLE}/absences/1", None),
    ("DELETE", f"/calendars/{VILLE}/absences/99", None), ("DELETE", f"/calendars/{VILLE}/absences/x", None),
    (
        "POST", f"/calendars/{VILLE}/{THOMAS}-1/openings",
        {"day": "2026-11-22", "hours": ["21:00-23:00"], "slot_minutes": 30, "slot_types": ["SNP"]},
    ),
    ("POST", f"/calendars/{VILLE}/{THOMAS}-1/openings", {"day": "2026-11-22", "hours": ["noon"]}),
    ("POST", f"/calendars/{VILLE}/{THOMAS}-1/openings", {"day": "2026-11-22", "hours": ["21:00-22:00", "21:30-23:00"]}),
    ("POST", f"/calendars/{VILLE}/{THOMAS}-1/openings", {"day": "2026-11-22", "hours": [], "slot_types": ["X"]}),
    ("GET", f"/calendars/{VILLE}/changes", None), ("DELETE", f"/calendars/{VILLE}/openings/1", None),
    ("DELETE", f"/calendars/{VILLE}/openings/99", None),
    ("GET", "/clock", None), ("POST", "/clock/freeze", None), ("POST", "/clock/freeze", {"at": "2300-01-01T00:00:00Z"}),
    ("POST", "/clock/freeze", {"at": "x"}), ("POST", "/clock/freeze", {"x": 1}), ("POST", "/clock/run", {"rate": -1}),
    ("POST", "/clock/advance", {"days": 1, "hours": 12}), ("POST", "/clock/advance", {"hours": -1}),
    ("POST", "/clock/advance", {}), ("POST", "/clock/advance", {"to": "2026-11-23T09:00:00+01:00"}),
    ("POST", "/clock/advance", {"to": "2026-11-20T09:00:00+01:00"}), ("POST", "/clock/run", {"rate": "x"}),
    ("POST", "/clock/freeze", {"at": NOW}),
    ("GET", "/faults", None), ("POST", "/faults", {"name": "lent", **_CUT}),
    ("POST", "/faults", {"name": "lent", **_CUT}),
    *(("POST", "/faults", rule) for rule in _RULES), ("GET", "/faults", None), ("GET", "/faults/lent", None),
    ("GET", "/faults/x", None), ("PUT", "/faults/lent", _CUT), ("PUT", "/faults/Très%20lent", _CUT),
    ("PUT", "/faults/lent", {"name": "autre", **_CUT}), ("POST", "/faults/lent/off", None),
    ("POST", "/faults/lent/on", None), ("POST", "/faults/x/on", None), ("POST", "/faults/x/off", None),
    ("DELETE", "/faults/lent", None), ("DELETE", "/faults/lent", None), ("DELETE", "/faults", None),
    ("GET", "/faults/kinds", None), ("GET", "/faults/kinds?kind=cut-body", None),
    ("GET", "/faults/kinds?family=body", None),
    ("GET", "/faults/kinds?flow=INT_R03", None), ("GET", "/faults/kinds?kind=x&family=y", None),
    ("GET", "/timelines", None),
    ("POST", "/timelines", {"name": "essai", "steps": [{"at": 0, "add": [{"name": "a", **_CUT}]}, {"at": 60}]}),
    ("GET", "/timelines", None), ("GET", "/faults", None),
    ("POST", "/timelines", {"name": "retour", "steps": [{"at": 60}, {"at": 0}]}),
    ("POST", "/timelines", {"name": "x", "steps": []}), ("POST", "/timelines", {"steps": [{"at": -1}]}),
    ("POST", "/timelines", {"name": "x", "steps": [{"at": 0, "remove": ["x"]}]}),
    ("POST", "/timelines/x/start", None), ("POST", "/timelines/stop", None),
    ("GET", "/journal/count", None), ("GET", "/journal/count?flow=INT_R02&contains=3456780581/11242343", None),
    ("GET", "/journal/count?since=x", None), ("GET", "/journal?status=bad", None),
    ("GET", "/journal?flow=INT_R99", None),
    ("GET", "/journal?limit=3", None), ("GET", "/journal?flow=INT_R02&status=4xx&limit=5", None),
    ("GET", "/journal?order=oldest&limit=5&method=PUT", None), ("GET", "/journal?editor=nulle-part", None),
    ("GET", "/journal/1000000", None), ("GET", "/journal/x", None), ("GET", "/journal/1", None),
    ("GET", "/journal/wait?flow=INT_R01&count=1&timeout=0", None),
    ("GET", "/journal/wait?flow=INT_R04&contains=rien&count=1&timeout=0", None),
    ("GET", "/journal/wait?timeout=x", None), ("GET", "/journal/har?flow=INT_R03&limit=2", None),
    ("GET", "/journal/ndjson?flow=INT_R03&limit=2", None),
    ("GET", "/notifications", None), ("GET", "/notifications?state=refused&limit=10", None),
    ("GET", "/notifications?state=x", None), ("GET", "/notifications?editor=nulle-part", None),
    ("GET", "/notifications/1", None), ("GET", "/notifications/999", None), ("GET", "/notifications/x", None),
    ("POST", "/notifications/1/replay", None), ("POST", "/notifications/999/replay", None),
    ("POST", "/notifications/replay", None), ("POST", "/notifications/replay?state=x", None),
    ("POST", "/notifications/pause", None), ("POST", "/notifications/resume", None),
    ("GET", "/scenarios", None), ("GET", "/scenarios/exemples-guide", None), ("GET", "/scenarios/nulle-part", None),
    ("GET", "/scenario", None), ("GET", "/scenario/text", None), ("PUT", "/scenario", {"name": "nulle-part"}),
    ("PUT", "/scenario", {}), ("PUT", "/scenario", {"name": "../etc/passwd"}), ("POST", "/scenario/reload", {"x": 1}),
    ("POST", "/scenario/reload", {"keep_state": True}), ("POST", "/clock/freeze", {"at": NOW}),
    ("POST", "/reset", {"parts": ["everything"]}), ("POST", "/reset", {"parts": []}),
    ("POST", "/reset", {"parts": ["notifications"]}),
)  # fmt: skip
_SCENARIOS: Sequence[str] = (
    """name: essai
title: Essai
seed: "1"
timezone: Europe/Paris
calendars:
  ouvert: {week: [{days: [mon, tue, wed, thu, fri, sat, sun], hours: ["08:00-12:00"]}]}
editors:
  - slug: essai
    name: Essai
    identifier_system: urn:oid:1.2.250.1.999.1.1
    groups: [{name: ville, count: 3, departments: ["33"], specialties: [SM54], calendars: [ouvert]}]
""",
    "name: essai\n# …", "", "[]", "a: b: c", "name: x\nname: y\n", "- 1\n", "name: [\n", "inconnu: 1\nname: x\n",
    "name: x\ntitle: y\nseed: '1'\ntimezone: Mars/Phobos\neditors: []\n",
    "name: x\ntitle: y\nseed: '1'\neditors: [{slug: _x, name: y}]\n",
    "name: x\ncalendars: {c: {slot_minutes: 7, week: [{days: [lun], hours: ['25:00-26:00']}], taken: 2}}\n",
)  # fmt: skip


def _console(client: Client) -> None:
    client.ask("POST", "/_admin/appointments", _AT | {"account": MERCIER, "patient": "Zoé Fictif"}, quiet=True)
    client.settle()
    staff = Browser()
    for path in (
        "", "comptes", f"comptes?editeur={VILLE}", "comptes?q=mercier", f"comptes/{VILLE}/{MERCIER}",
        f"comptes/{VILLE}/x",
        "rendez-vous", "rendez-vous?statut=x", f"rendez-vous/{VILLE}/x", "agendas", f"agendas/{VILLE}/{THOMAS}-1",
        f"agendas/{VILLE}/{THOMAS}-1?semaine=2026-11-27", f"agendas/{VILLE}/x", "notifications", "notifications?etat=x",
        "notifications/1", "notifications/999", "pannes", "pannes/genres", "pannes/genres?famille=body",
        "pannes/nouvelle",
        "pannes/nouvelle?genre=cut-body", "pannes/nouvelle?genre=x", "pannes/regle/x", "horloge", "scenario",
        "scenario/texte", "scenario/essai", "visite", "journal", "journal?statut=4xx", "journal?flux=x", "journal/1",
        "journal/x", "journal?texte=mercier", "acces", "x", "fichier/exportHar?flow=INT_R03", "fichier/x",
        "fichier/showScenarioText",
    ):  # fmt: skip
        client.ask("GET", f"/_console/{path}", browser=staff)
    for path in ("", "/scenario", "/pannes", "/horloge", "/visite", "/notifications", "/journal"):
        client.ask("GET", f"/_console{path}/direct", browser=Browser(), until=b"\n\n")
    appointment = client.ask("GET", "/_admin/appointments", quiet=True).json()["appointments"][0]["id"]
    own = f"rendez-vous/{VILLE}/{appointment}"
    for path in (own, f"{own}/deplacer", f"{own}/deplacer?agenda={MARCEL}-1", f"{own}/praticien", f"{own}/x"):
        client.ask("GET", f"/_console/{path}", browser=staff)
    client.follow(staff, "/_console/horloge")
    before = {"vers": "/_console/horloge"}
    for action, fields in _ACTIONS:
        client.ask("POST", "/_admin/clock/freeze", {"at": NOW}, quiet=True)
        client.follow(staff, "/_console/pannes")
        client.land(staff, client.send(staff, f"/_console/faire/{action}", **{**before, **fields}))
    for action in ("moveAppointment", "closeAppointment", "cancelAppointment", "cancelAppointment"):
        client.follow(staff, f"/_console/{own}")
        fields = {"path.editor": VILLE, "path.appointment": appointment, "body.honoured": "true"}
        fields |= {"body.slot": f"{THOMAS}-1-202611200745"} if action == "moveAppointment" else {}
        client.land(staff, client.send(staff, f"/_console/faire/{action}", **{**before, **fields}))
        client.settle()
    client.ask("POST", "/_console/faire/freezeClock", form={"jeton": "x"}, browser=staff)
    client.ask("POST", "/_console/faire/freezeClock", form={}, headers={"Origin": "https://x.example"}, browser=staff)
    client.ask("POST", "/_console/faire/freezeClock", content={}, browser=staff)
    client.ask("POST", "/_console/acces", form={"acces": "x"}, browser=staff)
    client.ask("POST", "/_console/quitter", form={}, browser=staff)
    client.ask("POST", "/_admin/reset", quiet=True)
    client.ask("POST", "/_admin/clock/freeze", {"at": NOW}, quiet=True)


_ACTIONS: Sequence[tuple[str, Mapping[str, str]]] = (
    ("freezeClock", {"body.at": "2026-11-20T08:00"}), ("freezeClock", {"body.at": "x"}),
    ("advanceClock", {"body.hours": "1"}),
    ("advanceClock", {"body.hours": "x"}), ("advanceClock", {}), ("runClock", {"body.rate": "x"}), ("x", {}),
    ("addFault", {"body.name": "lent", "body.do.0.kind": "latency", "body.do.0.seconds": "0.1"}),
    ("addFault", {"body.name": "lent"}),
    ("addFault", {"body.name": "X y", "body.do.0.kind": "x"}),
    ("addFault", {"body.name": "a", "body.do.0.kind": "latency"}),
    (
        "addFault",
        {
            "body.name": "b", "body.do.0.kind": "latency-uniform",
            "body.do.0.most_seconds": "1", "body.do.0.least_seconds": "2",
        },
    ),
    ("switchFaultOff", {"path.name": "lent"}), ("switchFaultOff", {"path.name": "x"}),
    ("removeFault", {"path.name": "lent"}),
    ("clearFaults", {}), ("startTimeline", {"path.name": "x"}), ("playTimeline", {"body.name": "x"}),
    ("stopTimeline", {}),
    ("editAccount", {"path.editor": VILLE, "path.account": MERCIER, "body.active": "false"}),
    ("editAccount", {"path.editor": VILLE, "path.account": MERCIER, "body.email": "x"}),
    ("editAccount", {"path.editor": VILLE, "path.account": "x"}),
    ("createAppointment", {"body.editor": VILLE, "body.slot": f"{THOMAS}-1-202611200716", "body.patient": "X"}),
    ("createAppointment", {"body.editor": VILLE}),
    ("setSlot", {"path.editor": VILLE, "path.slot": "x", "body.state": "closed"}),
    ("setSlot", {"path.editor": VILLE, "path.slot": f"{THOMAS}-1-202611200815", "body.state": "closed"}),
    (
        "setDay",
        {"path.editor": VILLE, "path.calendar": f"{THOMAS}-1", "path.day": "2026-11-24", "body.state": "closed"},
    ),
    ("addAbsence", {"path.editor": VILLE, "body.owner": THOMAS, "body.first": "2026-12-21", "body.last": "2026-12-01"}),
    (
        "addOpening",
        {"path.editor": VILLE, "path.calendar": f"{THOMAS}-1", "body.day": "2026-11-22", "body.hours": "midi"},
    ),
    ("endAbsence", {"path.editor": VILLE, "path.identifier": "99"}), ("replayNotification", {"path.number": "999"}),
    ("replayNotifications", {}), ("pauseNotifications", {}), ("resumeNotifications", {}),
    ("loadScenario", {"body.name": "nulle-part"}), ("checkScenario", {"body": "name: x"}),
    ("sendScenario", {"body": "x"}),
    ("reset", {"body.parts": "x"}), ("clearJournal", {}),
)  # fmt: skip


# --- faults on demand


def _faults(client: Client) -> None:
    """Every kind at work; those of time only as short as they may be."""
    client.ask("POST", "/_admin/clock/freeze", {"at": NOW}, quiet=True)
    for search, kind in (*_IN_ANSWERS, *_ON_THE_WAY):
        _spoilt(client, search, kind)
    client.ask("GET", "/_admin/journal?limit=3&flow=INT_R01")
    client.ask("PUT", "/_admin/faults/spoilt", {"do": [{"kind": "hang"}]})
    client.raw(f"GET {SEARCHES['r01 of one']} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), patience=GLANCE)
    client.ask("PUT", "/_admin/faults/spoilt", {"do": [{"kind": "quota", "per_minute": 1}]})
    for _ in range(3):
        client.ask("GET", SEARCHES["r01 of one"])
    for rule in (
        {"flows": ["INT_R02"], "do": [{"kind": "status", "code": 422}]},
        {"flows": ["web"], "do": [{"kind": "html-page"}]},
        {"flows": ["web"], "do": [{"kind": "status", "code": 503}]},
        {"flows": ["sso"], "do": [{"kind": "status", "code": 503}]},
    ):
        client.ask("PUT", "/_admin/faults/spoilt", rule)
        client.ask("PUT", f"/{VILLE}/fhir/Practitioner?identifier=a|b", _regulator())
        client.ask("GET", f"/{VILLE}/connexion", browser=Browser())
    client.ask("DELETE", "/_admin/faults")
    client.ask("PUT", "/_admin/scenario", {"name": "exemples-guide"})
    for search in ("guide r01", "guide r04", "guide sos"):
        client.ask("GET", SEARCHES[search])
    for search, kind in _IN_THE_GUIDE:
        _spoilt(client, search, kind)
    client.ask("PUT", "/_admin/scenario", {"name": "decouverte"})
    client.ask("POST", "/_admin/clock/freeze", {"at": NOW})


def _spoilt(client: Client, search: str, kind: Json) -> None:
    client.ask("PUT", "/_admin/faults/spoilt", {"do": [kind]})
    client.ask("GET", SEARCHES[search])


def _notifications(client: Client) -> None:
    """Every kind that spoils a notification, or changes when it goes out."""
    for kind in (*_IN_NOTIFICATIONS, *_OF_NOTIFICATIONS):
        client.ask("POST", "/_admin/reset", quiet=True)
        client.ask("POST", "/_admin/clock/freeze", {"at": NOW}, quiet=True)
        client.ask("PUT", "/_admin/faults/spoilt", {"flows": ["INT_R03"], "do": [kind]})
        client.ask("POST", "/_admin/appointments", _AT | {"account": MERCIER, "patient": "Zoé Fictif"})
        if kind["kind"] == "notification-duplicate":
            client.ask("GET", "/_admin/journal/wait?flow=INT_R03&count=2&timeout=30", quiet=True)
        client.settle()
        client.ask("GET", "/_admin/notifications")
        client.ask("GET", "/_admin/notifications/1")
        client.ask("GET", "/_sas/fhir/Appointment")
        for way in ("INT_R03", "sas"):
            for one in client.ask("GET", f"/_admin/journal?flow={way}&limit=5", quiet=True).json()["entries"]:
                client.ask("GET", f"/_admin/journal/{one['id']}")
    client.ask("POST", "/_admin/reset", quiet=True)
    client.ask("POST", "/_admin/clock/freeze", {"at": NOW}, quiet=True)


_IN_ANSWERS: Sequence[tuple[str, Json]] = (
    ("r01", {"kind": "practitioner-id-without-prefix"}),
    ("r01", {"kind": "structure-id-without-prefix"}),
    ("r04", {"kind": "structure-id-without-prefix"}),
    ("sos", {"kind": "structure-id-without-prefix"}),
    ("r01", {"kind": "structure-id-of-another-kind"}),
    ("r04", {"kind": "structure-id-of-another-kind"}),
    ("sos", {"kind": "structure-id-of-another-kind"}),
    ("r01", {"kind": "phone-not-international"}),
    ("r04", {"form": "spaced", "kind": "phone-not-international"}),
    ("sos", {"form": "trunk-zero", "kind": "phone-not-international"}),
    ("r01", {"kind": "slot-type-missing"}),
    ("sos", {"kind": "slot-type-missing"}),
    ("r01 of one", {"kind": "slot-type-of-another-flow"}),
    ("r01", {"kind": "specialty-missing"}),
    ("r01", {"kind": "specialty-as-text"}),
    ("r01", {"kind": "consultation-type-missing"}),
    ("r01", {"kind": "consultation-type-uncoded"}),
    ("r01", {"kind": "consultation-type-unknown"}),
    ("sos", {"code": "EMER", "kind": "consultation-type-unknown"}),
    ("r01", {"kind": "reasons-missing"}),
    ("r01", {"kind": "appointment-type-missing"}),
    ("r01", {"kind": "slots-not-free"}),
    ("sos", {"status": "entered-in-error", "kind": "slots-not-free"}),
    ("r01", {"kind": "comment-missing"}),
    ("sos", {"kind": "comment-missing"}),
    ("r01", {"kind": "comment-blank"}),
    ("r01", {"text": "  ", "kind": "comment-blank"}),
    ("r01", {"kind": "comment-is-slot-url"}),
    ("r04", {"kind": "cpts-service-type-missing"}),
    ("r04", {"kind": "cpts-reference-missing"}),
    ("r04", {"kind": "cpts-without-healthcare-service"}),
    ("r04", {"kind": "cpts-without-organization"}),
    ("r04", {"kind": "cpts-code-system"}),
    ("r04", {"spelling": "doubled", "kind": "cpts-code-system"}),
    ("r01", {"kind": "dates-without-offset"}),
    ("r01", {"kind": "dates-in-utc"}),
    ("r01", {"kind": "dates-to-the-second"}),
    ("r01", {"kind": "start-missing"}),
    ("sos", {"kind": "end-missing"}),
    ("r01", {"kind": "end-before-start"}),
    ("r01", {"kind": "slots-in-the-past"}),
    ("r01", {"kind": "slots-outside-window"}),
    ("sos", {"more": 10, "kind": "slots-outside-window"}),
    ("r01", {"kind": "slots-next-month"}),
    ("r01", {"kind": "second-place-on-first-schedule"}),
    ("r01", {"kind": "one-schedule-for-two-places"}),
    ("r01", {"kind": "slots-of-another-practitioner"}),
    ("sos", {"kind": "slots-of-another-place"}),
    ("r01", {"kind": "unresolvable-reference"}),
    ("r01", {"kind": "location-not-contained"}),
    ("r01", {"where": "nowhere", "kind": "location-not-contained"}),
    ("r01", {"kind": "unasked-practitioner"}),
    ("r04", {"slots": 5, "kind": "unasked-practitioner"}),
    ("r01", {"kind": "wrong-total"}),
    ("r01 of nobody", {"by": 7, "kind": "wrong-total"}),
    ("r01", {"kind": "self-link-differs"}),
    ("r01 of nobody", {"how": "internal-address", "kind": "self-link-differs"}),
    ("r01", {"kind": "wrong-profile"}),
    ("sos", {"resource": "Location", "kind": "wrong-profile"}),
    ("r04", {"resource": "Bundle", "profile": "http://sas.fr/Bundle", "kind": "wrong-profile"}),
    ("sos", {"kind": "empty-elements"}),
    ("sos", {"value": "list", "kind": "empty-elements"}),
    ("sos", {"value": "object", "kind": "empty-elements"}),
    ("sos", {"value": "None", "kind": "empty-elements"}),
    ("r01", {"kind": "same-slot-twice"}),
    ("r04", {"kind": "same-entry-twice"}),
    ("r01 of nobody", {"kind": "not-found-instead-of-empty"}),
    ("r04 of nobody", {"kind": "error-instead-of-empty"}),
    ("sos of nobody", {"kind": "error-instead-of-empty", "status": 404, "text": "x"}),
    ("r01", {"kind": "malformed-json"}),
    ("r01", {"kind": "cut-body"}),
    ("r01", {"kind": "wrong-encoding"}),
    ("r01", {"kind": "byte-order-mark"}),
    ("r01 of one", {"kind": "xml-body"}),
    ("r01", {"kind": "duplicated-entry"}),
    ("r01", {"kind": "duplicated-member"}),
    ("r01 of one", {"kind": "huge-body", "size": 20000}),
    ("r01", {"kind": "empty-body"}),
    ("r01", {"kind": "html-page"}),
    ("r01", {"kind": "plain-text"}),
)
_IN_THE_GUIDE: Sequence[tuple[str, Json]] = (
    ("guide sos", {"kind": "slot-type-of-another-flow"}),
    ("guide r04", {"kind": "cpts-shows-only-one"}),
)
_ON_THE_WAY: Sequence[tuple[str, Json]] = (
    ("r01 of one", {"kind": "latency", "seconds": 0.05}),
    ("r01 of one", {"kind": "latency", "seconds": 0.05, "done_first": True}),
    ("r01 of one", {"kind": "latency-uniform", "most_seconds": 0.05}),
    ("r01 of one", {"kind": "latency-normal", "mean_seconds": 0.05, "deviation_seconds": 0.01, "most_seconds": 0.1}),
    ("r01 of one", {"kind": "latency-lognormal", "median_seconds": 0.02, "p95_seconds": 0.05, "most_seconds": 0.1}),
    ("r01 of one", {"kind": "latency-exponential", "mean_seconds": 0.02, "most_seconds": 0.05}),
    ("r01 of one", {"kind": "latency-percentiles", "seconds_at": {"50": 0.01, "100": 0.05}}),
    ("r01 of one", {"kind": "slow-body", "seconds": 0.1, "pieces": 4}),
    ("r01 of one", {"kind": "status"}),
    ("r01 of one", {"kind": "status", "code": 429, "retry_after_seconds": 5}),
    ("r01 of one", {"kind": "status", "code": 404, "body": "html", "text": "Absent"}),
    ("r01 of one", {"kind": "status", "code": 502, "body": "text", "content_type": "text/x"}),
    ("r01 of one", {"kind": "status", "code": 204}),
    ("r01 of one", {"kind": "flapping", "up_seconds": 0.001, "down_seconds": 100000}),
    ("r01 of one", {"kind": "connection-closed"}),
    ("r01 of one", {"kind": "connection-closed", "done_first": True}),
    ("r01 of one", {"kind": "connection-reset"}),
    ("r01 of one", {"kind": "connection-reset", "where": "body", "share": 0.5}),
    ("r01 of one", {"kind": "truncated-body"}),
    ("r01 of one", {"kind": "garbage", "size": 50}),
    ("r01 of one", {"kind": "malformed-chunk"}),
)
_IN_NOTIFICATIONS: Sequence[Json] = (
    {"kind": "appointment-profile-missing"},
    {"kind": "appointment-profile-wrong"},
    {"kind": "appointment-identifier-missing"},
    {"kind": "appointment-identifier-without-system"},
    {"kind": "appointment-identifier-twice"},
    {"kind": "appointment-identifier-changes"},
    {"kind": "appointment-operator-missing"},
    {"kind": "appointment-operator-url"},
    {"kind": "appointment-operator-twice"},
    {"kind": "appointment-operator-type"},
    {"kind": "appointment-operator-by-reference"},
    {"kind": "appointment-status-missing"},
    {"kind": "appointment-status-unknown"},
    {"kind": "appointment-start-missing"},
    {"kind": "appointment-end-missing"},
    {"kind": "appointment-created-missing"},
    {"kind": "appointment-created-changes"},
    {"kind": "appointment-dates-without-offset"},
    {"kind": "appointment-end-before-start"},
    {"kind": "appointment-participant-missing"},
    {"kind": "appointment-participant-status"},
    {"kind": "appointment-practitioner-without-prefix"},
    {"kind": "appointment-practitioner-system"},
    {"kind": "appointment-practitioner-type"},
    {"kind": "appointment-patient-data"},
    {"kind": "appointment-empty-element"},
)
_OF_NOTIFICATIONS: Sequence[Json] = (
    {"kind": "notification-delay"},
    {"kind": "notification-drop"},
    {"kind": "notification-drop", "pretend": "given up"},
    {"kind": "notification-duplicate"},
    {"kind": "notification-reorder"},
    {"kind": "notification-stale"},
    {"kind": "status", "code": 503},
    {"kind": "status", "code": 422, "done_first": True},
    {"kind": "connection-reset"},
    {"kind": "connection-closed", "done_first": True},
)


# --- the server itself


def _own_pages(client: Client) -> None:
    for url in (
        "/_health",
        "/_ready",
        "/",
        "/ailleurs",
        "/_static/erreur.css",
        "/_static/x",
        "//x",
        "/%2e%2e/x",
        "/_x",
    ):
        client.ask("GET", url)
        client.ask("GET", url, browser=Browser())
    for method in ("POST", "DELETE", "HEAD", "OPTIONS", "BREW"):
        client.ask(method, "/_health")
        client.ask(method, "/", browser=Browser())
    client.ask("POST", "/_admin/journal/clear", quiet=True)
    client.ask("GET", "/_metrics")


def _malformed(client: Client) -> None:
    for sent in _RAW:
        client.raw(sent)


_GET = f"GET /{VILLE}/fhir/metadata HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n".encode()
_POST = f"POST /{VILLE}/fhir/Slot/_search HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n".encode()
_CHUNKED = _POST + b"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
_LAST = b"GET /_health HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: close\r\n\r\n"
_RAW: Sequence[bytes] = (
    b"GET\r\n\r\n", b"GET /\r\n\r\n", b"\x00\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n",
    b"x" * 9000,
    b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 20_000), b"GET / HTTP/1.1\r\n" + b"a" * 70_000, b"GET / HTTP/3.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03" + bytes(240),
    b"CONNECT x.example:443 HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET http://x.example/agenda-ville/fhir/metadata HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    _GET + b"X\r\n\r\n", _GET + b": x\r\n\r\n", _GET + b"X: a\r\n b\r\n\r\n", _GET + b"X: a\rY: 1\r\n\r\n",
    _GET + b"X Y: a\r\n\r\n", _GET + b"X: %s\r\n\r\n" % (b"a" * 9000), _GET + b"X: 1\r\n" * 200 + b"\r\n",
    _POST + b"Content-Length: -1\r\n\r\n", _POST + b"Content-Length: x\r\n\r\n", _POST + b"Content-Length: +1\r\n\r\na",
    _POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", _POST + b"Transfer-Encoding: x\r\n\r\n",
    _POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    _POST + b"Content-Length: 9\r\n\r\n" * 2,
    _POST + b"Content-Length: 99999999999\r\n\r\nab", _CHUNKED + b"x\r\n\r\n", _CHUNKED + b"-1\r\n\r\n",
    _CHUNKED + b"5\r\nabcdeXX0\r\n\r\n", _CHUNKED + b"f" * 40 + b"\r\n", _GET * 1 + b"\r\n" + _LAST, _LAST,
    _GET + b"Host: y\r\n\r\n", b"GET /_health HTTP/1.1\r\n\r\n", b"GET /_health HTTP/1.0\r\n\r\n",
    b"get /_health HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /_health\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    _GET + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", _GET + b"Expect: x\r\n\r\n",
    b"\r\n\r\n" + _LAST, _LAST.replace(b"\r\n", b"\n"), _POST + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\na",
)  # fmt: skip


# --- mutual TLS


def _mutual_tls(python: str, folder: Path) -> list[dict[str, str]]:
    pki = folder / "pki"
    made = [python, "-m", "mock_editor", "certs", "init", str(pki)]
    subprocess.run(made, check=True, cwd=folder, env=environment(), stdout=subprocess.DEVNULL)
    options = ["--tls-port", "0", "--tls-cert", str(pki / "server.pem"), "--tls-key", str(pki / "server.key.pem")]
    options += ["--tls-client-ca", str(pki / "authority.pem"), "--tls-crl", str(pki / "authority.crl.pem")]
    options += ["--tls-client-cn", "sas.example", "--tls-client-ou", "SAS", "--tls-public-url", TLS_URL]
    with server(python, folder, *options) as (port, tls_port):
        client = Client(port)
        client.part = "mutual_tls"
        for name in (None, *sorted(one.name[: -len(".key.pem")] for one in pki.glob("sas*.key.pem"))):
            context = ssl.create_default_context(cafile=str(pki / "authority.pem"))
            if name:
                context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key.pem")
            client.part = f"mutual_tls of {name}"
            for url in (SEARCHES["r01"], SEARCHES["sos"], "/_health", f"/{VILLE}/connexion", "/_admin/clock", "/x"):
                client.ask("GET", url, tls=(tls_port, context))
        client.part = "mutual_tls of the plain port"
        for url in (SEARCHES["r01"], f"/{VILLE}/connexion", "/_health", "/_console/", f"/{VILLE}/fhir/x"):
            client.ask("GET", url)
    return client.records


_PARTS = (
    _own_pages, _searches, _reads, _accounts, _sso, _visitors, _provider, _receiver, _bench, _admin, _console, _faults,
    _notifications, _malformed, _own_pages,
)  # fmt: skip

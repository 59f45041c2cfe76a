"""Sends a simulator requests that are more or less wrong, and looks whether each is answered as it should be.

``python -m tests.wire.fuzz --requests 20000 --connections 5000`` by hand; the tests run a short one. Requests are made
of sound ones; connections carry bytes that are hardly HTTP, some of them to the port for TLS, after a handshake or in
its place. Each is drawn from its number and the seed alone, so ``--first`` sends it again; only what the server draws
itself (sessions, ports) and what TLS does (keys, random numbers) differ.
"""

import argparse
import contextlib
import html
import json
import random
import re
import socket
import ssl
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

import requests

from mock_editor.admin.operation import Answers, Operation
from mock_editor.admin.operations import OPERATIONS
from mock_editor.base import codes
from mock_editor.tls import samples
from tests.accounts.conftest import regulator
from tests.admin.conftest import AT_SOS, TAKEN
from tests.conftest import GUIDE_MARCEL, GUIDE_THOMAS, SYSTEM, WITH_CPTS, slot_search, sos_search
from tests.wire.conftest import Server, eventually, form_key
from tests.wire.crashes import Process
from tests.wire.mutations import CPTS, SMUGGLING, SOS, STRANGE, STRUCTURE, VILLE, WORDS, Request, changed, garbled
from tests.wire.tls import listening, showing

NOW = "2026-11-20T08:00:00+01:00"
CLIENT = {"client_id": "fuzz", "redirect_uri": "http://client.example/retour"}  # of the identity provider
SEARCHES = (slot_search((GUIDE_THOMAS, GUIDE_MARCEL), extra=WITH_CPTS), sos_search((STRUCTURE,)))

# After so many all is put back as it was, so that the later ones meet as much as the first.
BATCH = 100
CLIENTS, STRANGERS = 8, 48
MOST_LINKS = 40  # that are looked for on pages
# How often a request is of which surface.
SHARES = {"fhir": 10, "admin": 7, "page": 6, "client": 2, "other": 1, "file": 0.2}
# Seconds without an answer that make a hang; and for how long one is listened to that waits on purpose.
PATIENCE, GLANCE = 10.0, 0.3
# Deadlines short enough to be waited for. The clock stands, so that a search can be repeated to the byte.
OPTIONS = {
    "now": NOW, "header_timeout": "1", "body_timeout": "1", "write_timeout": "5", "keepalive": "1",
    "oidc_issuer": "embedded",
}  # fmt: skip


# --- a simulator to which something has happened

_ACCEPT = (("Accept", "text/html,*/*;q=0.8"),)


@dataclass(frozen=True)
class Known:
    """What a simulator knows at the beginning, as far as requests speak of it."""

    resources: Sequence[str]  # paths
    appointments: Mapping[str, str]  # ids, by editor
    notified: dict[str, Any]  # an appointment at the SAS
    account: str
    sessions: Mapping[str, str]  # of the web site, by editor
    provider: str  # the session there
    demand: str  # to the provider
    token: str  # of the provider
    kinds: Sequence[dict[str, Any]]  # of faults
    links: Sequence[str]  # of the pages for those who run the simulator
    forms: Mapping[str, dict[str, str]]  # there: their fields, by where they are sent
    snapshot: bytes
    tls_port: int
    browser: str  # a cookie, which the forms of one browser belong to
    keys: Mapping[tuple[str, str], str]  # what they bring back: by the first part of a path, and the session's cookie

    def page(self, url: str, session: str = "") -> "Request":
        """A page, as a browser asks for it."""
        surface = "file" if "/static/" in url or url.startswith("/_static/") else "page"
        return Request.of(surface, "GET", url, headers=[*_ACCEPT, ("Cookie", self._cookies(session))])

    def form(self, path: str, session: str = "", surface: str = "page", **fields: str) -> "Request":
        """A form of one of our pages, with what a page of ours has it bring back."""
        headers = [*_ACCEPT, ("Content-Type", codes.FORM), ("Cookie", self._cookies(session))]
        key = self.keys.get((path.split("/")[1], session), "none")
        return Request(surface, "POST", path, headers=headers, form=[*({"jeton": key} | fields).items()])

    def _cookies(self, session: str) -> str:
        return "; ".join(filter(None, [session, self.browser]))


class Journalled(NamedTuple):
    """What the journal has: ids that requests bore, and URLs."""

    ids: Sequence[str]
    urls: Sequence[str]


class Scene:
    """A simulator as it is when requests come, to be found so again."""

    def __init__(self, url: str) -> None:
        self._url = url
        for body in (TAKEN, AT_SOS):
            self._send("POST", "/appointments", json=body)
        assert eventually(lambda: self._get("/_admin/notifications/1").json()["state"] == "accepted")
        self._found = {search: self._get(search).content for search in SEARCHES}
        self.known = self._look()
        self.put_back()

    def put_back(self) -> Journalled:
        """Undoes what was done. Raises when that fails, or when something is not as it was."""
        assert self._get("/_health").json()["status"] == "ok"
        self._send("POST", "/timelines/stop")
        self._send("DELETE", "/faults")
        journalled = self._journalled()
        assert b"mock_editor_" in self._get("/_metrics").content
        self._send("PUT", "/scenario", json={"name": "decouverte"})
        self._send("POST", "/clock/freeze", json={"at": NOW})
        self._send("PUT", "/snapshot", data=self.known.snapshot, headers={"Content-Type": "application/octet-stream"})
        self._send("POST", "/notifications/resume")
        for search, content in self._found.items():
            assert self._get(search).content == content, f"another answer to {search}"
        self._send("DELETE", "/journal")
        return journalled

    def _journalled(self) -> Journalled:
        listed = self._get("/_admin/journal?limit=1000").json()["entries"]
        lines = [json.loads(line) for line in self._get("/_admin/journal/ndjson").content.splitlines()]
        har = self._get("/_admin/journal/har").json()["log"]["entries"]
        assert len(listed) <= len(lines) <= len(har)  # notifications go on meanwhile
        heads = [head for one in lines for head in one["request"]["headers"]]
        return Journalled(
            [one["value"] for one in heads if one["name"] == "X-Request-Id"], [one["url"] for one in lines]
        )

    def _look(self) -> Known:
        sessions, keys = {}, {}
        browser = requests.Session()
        for first, url in ((VILLE, f"/{VILLE}/connexion"), (SOS, f"/{SOS}/connexion"), ("_console", "/_console/")):
            keys[first, ""] = form_key(browser.get(self._url + url, timeout=PATIENCE).text)
        [[name, value]] = browser.cookies.items()
        keys["_sas", ""] = form_key(browser.get(f"{self._url}/_sas/regulateurs", timeout=PATIENCE).text)
        for slug, owner in ((VILLE, GUIDE_THOMAS), (SOS, STRUCTURE)):
            sessions[slug], provider, demand = self._sign_in(slug, owner)
            cookies = {name: value, "agenda": sessions[slug]}
            page = requests.get(f"{self._url}/{slug}/rendez-vous", cookies=cookies, timeout=PATIENCE)
            keys[slug, f"agenda={sessions[slug]}"] = form_key(page.text)
        assert all(keys.values())
        bundles = [json.loads(content) for content in self._found.values()]
        entries = [entry for bundle in bundles for entry in bundle["entry"]]
        # One of each type.
        resources = {one["resource"]["resourceType"]: urlsplit(one["fullUrl"]).path for one in entries}
        links, forms = self._crawl("/_console/", "/_sas/rendez-vous")
        return Known(
            resources=[*resources.values()],
            appointments={one["editor"]: one["id"] for one in self._get("/_admin/appointments").json()["appointments"]},
            notified=self._get("/_sas/fhir/Appointment").json()["entry"][0]["resource"],
            account=self._get(f"/_admin/accounts?editor={VILLE}").json()["accounts"][0]["id"],
            sessions=sessions,
            provider=provider,
            demand=demand,
            token=self._token(provider),
            kinds=self._get("/_admin/faults/kinds").json()["kinds"],
            links=links,
            forms=forms,
            snapshot=self._get("/_admin/snapshot").content,
            tls_port=urlsplit(bundles[0]["link"][0]["url"]).port,
            browser=f"{name}={value}",
            keys=keys,
        )

    def _sign_in(self, slug: str, owner: str) -> tuple[str, str, str]:
        """Comes from the SAS to an editor; returns the session there, that of the provider, and the demand to it."""
        with requests.Session() as browser:
            page = browser.get(f"{self._url}/{slug}/agenda/{owner}?origin=sas", timeout=PATIENCE)
            demand = html.unescape(re.findall(r'name="demande" value="([^"]*)"', page.text)[0])
            data = {"demande": demand, "personne": "mercier"}
            page = browser.post(f"{self._url}/_idp/connexion", data=data, timeout=PATIENCE)
            data = {"accepter": "1", "jeton": re.findall(r'name="jeton" value="([^"]*)"', page.text)[0]}
            browser.post(f"{self._url}/{slug}/cgu", data=data, timeout=PATIENCE).raise_for_status()
            return browser.cookies["agenda"], browser.cookies["mock_idp"], demand

    def _crawl(self, *starts: str) -> tuple[Sequence[str], Mapping[str, dict[str, str]]]:
        """Links and forms of all pages that these lead to: one of each that differ by more than a number."""
        links, forms, left = {_shape(url): url for url in starts}, {}, [*starts]
        while left and len(links) < MOST_LINKS:
            answer = requests.get(self._url + left.pop(0), timeout=PATIENCE, stream=True)
            with answer:
                if answer.headers.get("Content-Type", "").startswith("text/html"):
                    page = html.unescape(answer.text)
                    for url in re.findall('href="(/_(?:console|sas)/[^"#]*)', page):
                        if _shape(url) not in links:
                            links[_shape(url)] = url
                            left.append(url)
                    for action, inside in re.findall(_FORM, page):
                        fields = re.findall('<(?:input|select|textarea|button) ([^>]*name="[^>]*)>', inside)
                        forms[_shape(action)] = action, dict(map(_field, fields))
                        forms[_shape(action)][1].pop("jeton", None)
        return [*links.values()], dict(forms.values())

    def _token(self, provider: str) -> str:
        asked = urlencode(CLIENT | {"response_type": "code", "scope": "openid"})
        with requests.Session() as client:
            url, cookie = f"{self._url}/_idp/authorize?{asked}", {"Cookie": f"mock_idp={provider}"}
            back = client.get(url, headers=cookie, allow_redirects=False, timeout=PATIENCE).headers["Location"]
            code = unquote(re.findall("code=([^&]*)", back)[0])
            data = CLIENT | {"grant_type": "authorization_code", "code": code}
            token: str = client.post(f"{self._url}/_idp/token", data=data, timeout=PATIENCE).json()["access_token"]
            return token

    def _get(self, path: str) -> requests.Response:
        answer = requests.get(self._url + path, timeout=PATIENCE)
        answer.raise_for_status()
        return answer

    def _send(self, method: str, path: str, **more: Any) -> None:
        answer = requests.request(method, f"{self._url}/_admin{path}", timeout=PATIENCE, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"


_FORM = '(?s)<form (?=[^>]*method="post")[^>]*action="(/_(?:console|sas)/[^"]*)"[^>]*>(.*?)</form>'


def _shape(url: str) -> str:
    """A URL without what may differ from one page to another of the same kind."""
    path, _, query = url.partition("?")
    names = {part.partition("=")[0] for part in query.split("&")}
    return re.sub("[0-9a-f]{8}-[0-9a-f-]+|[0-9]+|agenda-[a-z]+", "#", path) + "&".join(sorted(names))


def _field(attributes: str) -> tuple[str, str]:
    """Name and value of a field of a form."""
    found = dict(re.findall('(name|value)="([^"]*)"', attributes))
    return found["name"], found.get("value", "1")


# --- sound requests


def sound(known: Known) -> Mapping[str, Sequence[Request]]:
    """Requests that are understood, by the act that they are part of: see ``Run.request``."""
    everyday = [*_searches(known), *_accounts(known), *_web(known), *_console(known), *_receiver(known), *_idp(known)]
    everyday += [
        Request("other", "GET", "/_health"),
        Request("other", "GET", "/_metrics"),
        known.page("/"),
        known.page("/ailleurs"),
    ]
    everyday += [Request("admin", "GET", "/_admin/openapi.json"), Request("file", "GET", "/_static/erreur.css")]
    acts: dict[str, list[Request]] = {"everyday": everyday, "faults": [], "stage": [*_stage(known)]}
    for path, fields in known.forms.items():
        acts["faults" if re.search("(?i)fault|panne|timeline", path) else "stage"].append(known.form(path, **fields))
    for operation in OPERATIONS:
        acts[_act(operation)] += _operation(operation)
    for kind in known.kinds:
        does = {"kind": kind["kind"], **_sample(kind["parameters"], random.Random(kind["kind"]))}
        rule = {"name": "lent", "do": [does]}
        acts["faults"].append(_json("admin", "POST", "/_admin/faults", rule))
        timeline = {"name": "minute", "steps": [{"at": 0, "add": [rule]}]}
        acts["faults"].append(_json("admin", "POST", "/_admin/timelines", timeline))
    return acts


def _act(operation: Operation) -> str:
    if operation.method == "GET" or operation.id == "checkScenario":
        return "everyday"
    if operation.tag == "faults":
        return "faults"
    everything = operation.tag in ("clock", "scenarios", "state")
    return "stage" if everything or operation.id in ("clearJournal", "pauseNotifications") else "everyday"


def _json(surface: str, method: str, url: str, content: Any, media_type: str = "application/json") -> Request:
    return Request.of(surface, method, url, headers=[("Content-Type", media_type)], content=content)


def _searches(known: Known) -> Iterator[Request]:
    people = (GUIDE_THOMAS, GUIDE_MARCEL, "0359900017")
    for slug in (VILLE, CPTS, SOS):
        yield Request("fhir", "GET", f"/{slug}/fhir/metadata")
        urls = [
            slot_search(people, editor=slug),
            slot_search(people[:1], editor=slug, extra="&_count=5&_pretty=true"),
            slot_search(people, editor=slug, extra=WITH_CPTS),
            sos_search((STRUCTURE, "392080466300010"), editor=slug),
        ] * 3  # they are most of what comes
        urls += [
            f"/{slug}/fhir/Practitioner?identifier={SYSTEM}|{GUIDE_THOMAS}",
            f"/{slug}/fhir/Schedule?actor=Practitioner/{GUIDE_THOMAS}",
            f"/{slug}/fhir/Location?organization=Organization/{STRUCTURE}",
            f"/{slug}/fhir/Organization?identifier={STRUCTURE}",
        ]
        for url in urls:
            asked = Request.of("fhir", "GET", url)
            yield asked
            headers = [("Content-Type", codes.FORM)]
            yield Request("fhir", "POST", f"{asked.path}/_search", headers=headers, form=asked.query)
    for path in known.resources:
        yield Request("fhir", "GET", path)


def _accounts(known: Known) -> Iterator[Request]:
    national, technical = (codes.PRACTITIONER_OID, "3456780581/11242343"), (codes.SAS_OID, str(uuid.UUID(int=7)))
    for slug in (VILLE, SOS):
        base = f"/{slug}/fhir/Practitioner"
        for number, identifiers in enumerate(((national,), (technical,), (national, technical))):
            body = regulator(*identifiers, email=f"fuzz-{number}@test.example")
            yield _json("fhir", "POST", base, body, "application/fhir+json")
            yield _json("fhir", "PUT", f"{base}?identifier={'|'.join(identifiers[0])}", body)
            yield _json("fhir", "PUT", f"{base}/{known.account}", body)
        yield Request("fhir", "GET", f"{base}/{known.account}")


def _web(known: Known) -> Iterator[Request]:
    for slug, owner in ((VILLE, GUIDE_THOMAS), (SOS, STRUCTURE)):
        session = f"agenda={known.sessions[slug]}"
        agenda, own = f"/{slug}/agenda/{owner}", f"/{slug}/rendez-vous/{known.appointments[slug]}"
        for path in ("/", "/connexion?suite=/x&origine=sas", "/mot-de-passe-oublie", "/cgu?suite=/x", "/agenda"):
            yield known.page(f"/{slug}{path}", session)
        for url in (own, f"/{slug}/rendez-vous", f"{own}/deplacer?semaine=2026-11-27"):
            yield known.page(url, session)
        yield known.page(f"{agenda}?lieu=1&creneau=202611200745&semaine=2026-11-20", session)
        yield known.page(f"{agenda}/reserver?lieu=1&creneau=202611200745", session)
        for _ in range(2):
            patient = {"nom": "FICTIF", "prenom": "Zoé", "motif": "Fièvre"}
            yield known.form(f"{agenda}/reserver", session, lieu="1", creneau="202611200745", **patient)
            yield known.form(f"{own}/deplacer", session, creneau="202611200800")
        yield known.form(f"{own}/annuler", session)
        # Without the session, which would soon have ended.
        yield known.page(f"{agenda}?lieu=1&origin=sas")
        yield known.page(f"/{slug}/sso/retour?state=x&code=y&iss=z", "sso-x=abc")
        inside = f"/{slug}/agenda"
        identity = {"email": "solene.mercier@regulation.example", "mot_de_passe": "x"}
        yield known.form(f"/{slug}/connexion", **identity, suite=inside, origine="sas")
        yield known.form(f"/{slug}/visite", suite=inside)
        yield known.form(f"/{slug}/cgu", accepter="1", suite=inside)
        yield known.form(f"/{slug}/mot-de-passe-oublie", email="x@test.example")
        yield known.form(f"/{slug}/deconnexion")
        told = [("logout_token", "eyJhbGciOiJSUzI1NiJ9.e30.x")]
        yield Request("client", "POST", f"/{slug}/sso/deconnexion", headers=[("Content-Type", codes.FORM)], form=told)


def _console(known: Known) -> Iterator[Request]:
    for url in known.links:
        yield known.page(url)
    for page in ("", "/scenario", "/pannes", "/horloge", "/visite", "/notifications", "/journal"):
        stream = known.page(f"/_console{page}/direct")
        stream.waits = True
        yield stream
    for slug, appointment in known.appointments.items():
        base = f"/_console/rendez-vous/{slug}/{appointment}"
        yield known.page(f"{base}/deplacer?agenda={GUIDE_THOMAS}-1&semaine=2026-11-27")
        yield known.form(f"{base}/praticien", identifiant="10002673899")
    yield known.form("/_console/acces", acces="x", vers="/_console/comptes")
    yield known.form("/_console/quitter")


def _receiver(known: Known) -> Iterator[Request]:
    base, told = "/_sas/fhir/Appointment", known.notified
    identifier = told["identifier"][0]
    conditional = f"{base}?identifier={identifier['system']}|{identifier['value']}"
    other = told | {"identifier": [identifier | {"value": str(uuid.UUID(int=3))}]}
    for _ in range(3):
        yield _json("fhir", "POST", base, other, "application/fhir+json")
        yield _json("fhir", "PUT", conditional, told)
        yield _json("fhir", "PUT", f"{base}/{told['id']}", told)
    for url in (base, conditional, f"{base}/{told['id']}", "/_sas/fhir/metadata"):
        yield Request.of("fhir", "GET", url)
    yield known.page("/_sas/rendez-vous")
    yield known.page(f"/_sas/rendez-vous/{told['id']}")


def _idp(known: Known) -> Iterator[Request]:
    session = f"mock_idp={known.provider}"
    demand = CLIENT | {
        "response_type": "code", "scope": "openid email", "state": "s", "nonce": "n", "prompt": "login", "max_age": "5",
        "login_hint": "mercier", "code_challenge": "x" * 43, "code_challenge_method": "S256", "response_mode": "query",
    }  # fmt: skip
    grant = CLIENT | {"grant_type": "authorization_code", "code": "x", "client_secret": "s", "code_verifier": "v" * 43}
    yield Request("client", "GET", "/_idp/.well-known/openid-configuration")
    yield Request("client", "GET", "/_idp/jwks")
    for _ in range(2):
        yield known.page(f"/_idp/authorize?{urlencode(demand)}", session)
        yield known.form("/_idp/authorize", session, **demand)
        yield known.form("/_idp/connexion", session, demande=known.demand, personne="mercier")
        # Without the session, which would have ended.
        yield known.page("/_idp/deconnexion?post_logout_redirect_uri=http://127.0.0.1/x&state=s")
        yield known.form("/_idp/token", "", "client", **grant)
    for authorization in (f"Bearer {known.token}", "Basic ZnV6ejpz"):
        yield Request("client", "GET", "/_idp/userinfo", headers=[("Authorization", authorization)])


def _stage(known: Known) -> Iterator[Request]:
    octets = [("Content-Type", "application/octet-stream")]
    yield Request("admin", "PUT", "/_admin/snapshot", headers=octets, data=known.snapshot)
    for name in ("decouverte", "exemples-guide"):
        yield _json("admin", "PUT", "/_admin/scenario", {"name": name})


def _operation(operation: Operation) -> Iterator[Request]:
    """The examples of an operation, and more of what its models allow."""
    draw = random.Random(operation.id)
    model = operation.json_body
    for example in operation.examples:
        path = operation.path.format(**{name: quote(str(value), safe="") for name, value in example.path.items()})
        for turn in range(3):
            query, content = dict(example.query), example.body
            if turn and operation.query:
                query |= _sample(operation.query.model_json_schema(), draw)
            if turn and model:
                content = {**(content or {}), **_sample(model.model_json_schema(), draw)}
            made = Request("admin", operation.method, f"/_admin{path}")
            made.query = [(name, json.dumps(one) if isinstance(one, bool) else str(one)) for name, one in query.items()]
            made.waits = operation.answers is Answers.STREAM or operation.id == "waitForJournal"
            if operation.body and content is not None:
                made.headers.append(("Content-Type", operation.accepts[0]))
                made.content = content if model else None
                made.data = content.encode() if isinstance(content, str) else content if not model else None
            yield made


def _sample(schema: Mapping[str, Any], draw: random.Random, shared: Mapping[str, Any] | None = None) -> Any:
    """Something that a JSON schema allows, but for the patterns of its texts."""
    shared = schema.get("$defs", {}) if shared is None else shared
    if "$ref" in schema:
        return _sample(shared[schema["$ref"].rpartition("/")[2]], draw, shared)
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return _sample(draw.choice(several), draw, shared)
    if "const" in schema or "enum" in schema:
        return draw.choice(schema.get("enum") or [schema["const"]])
    match schema.get("type"):
        case "object":
            needed, fields = schema.get("required", ()), schema.get("properties", {})
            chosen = [name for name in fields if name in needed or draw.random() < 0.3]
            return {name: _sample(fields[name], draw, shared) for name in chosen}
        case "array":
            return [_sample(schema.get("items", {}), draw, shared) for _ in range(draw.randint(0, 3))]
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 1000)
            return draw.choice((low, high, 1, draw.randint(int(low), int(high))))
        case "boolean":
            return draw.random() < 0.5
        case "null":
            return None
        case _:
            return draw.choice(WORDS)


# --- answers


class Answer(NamedTuple):
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


def ask(port: int, raw: bytes, method: str, patience: float) -> Answer:
    """Sends a request on a connection of its own.

    Raises TimeoutError for a hang, OSError or HTTPException when there is no answer, or not all of it.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        # Refused before all of it was sent: the answer says why.
        with contextlib.suppress(ConnectionError):
            sock.sendall(raw)
        sock.settimeout(patience)
        with HTTPResponse(sock, method=method) as response:
            response.begin()
            headers = {name.lower(): text for name, text in response.getheaders()}
            return Answer(response.status, headers, response.read())


def converse(port: int, raw: bytes, draw: random.Random, context: ssl.SSLContext | None = None) -> bytes:
    """Sends bytes in one or two pieces; returns all that comes back. Raises TimeoutError for a hang."""
    end, received = time.monotonic() + PATIENCE, b""
    cut = draw.randrange(len(raw) + 1) if draw.random() < 0.3 else 0
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        if context:
            # With TLS 1.3, who is refused learns it afterwards.
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname="127.0.0.1"))
        stack.enter_context(contextlib.suppress(ConnectionError, ssl.SSLError))  # to reset is an answer, too
        for piece in filter(None, (raw[:cut], raw[cut:])):
            sock.sendall(piece)
        ending = draw.random()
        if ending < 0.1:
            return b""  # gone before there is an answer
        if ending < 0.7 and not context:
            sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(65536):
            received += piece
            if time.monotonic() > end:
                raise TimeoutError(f"still answering after {PATIENCE:g} s")
    return received


def client_hello(context: ssl.SSLContext) -> bytes:
    """What a client of TLS says first."""
    said = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    return said.read()


def wrong(one: Request, answer: Answer, act: str) -> str | None:
    """What must not be so of an answer, in words."""
    status, body = answer.status, answer.body
    location = answer.headers.get("location", "")
    if status >= 500 and not (status in (501, 505) and one.wild) and not (status == 503 and act == "stage"):
        return f"status {status}"
    if "x-injected" in answer.headers or not location.isascii() or not location.isprintable():
        return "a header that the request made"
    if b"Traceback (most recent" in body or (answer.media_type == "text/html" and b"<script>fuzz" in body):
        return "a body that was not meant"
    needed = {401: "www-authenticate", 405: "allow"}.get(status)
    if needed and needed not in answer.headers:
        return f"{status} without {needed}"
    if one.method == "HEAD" or status == 204 or 300 <= status < 400 or one.surface == "file":
        return None
    content = None
    try:
        text = body.decode()
        if answer.media_type.endswith(("/json", "+json")) and body:
            content = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        # Some downloads are no text.
        return None if answer.media_type == "application/octet-stream" else f"a body that cannot be read: {error}"
    if status >= 400:
        return _refused_wrongly(one, answer, text, content)
    resource = not body or (isinstance(content, dict) and "resourceType" in content)
    return None if resource or one.surface != "fhir" or one.wild else "no resource"


def _no_number(text: str) -> None:
    raise ValueError(f"{text} in JSON")


def _refused_wrongly(one: Request, answer: Answer, text: str, content: Any) -> str | None:
    fields = content if isinstance(content, dict) else {}
    looks = {
        "fhir": fields.get("resourceType") == "OperationOutcome" and _tells(fields.get("issue")),
        "admin": answer.media_type == "application/problem+json" and _is_problem(fields, answer.status),
        "page": answer.media_type == "text/html" and '<html lang="fr">' in text and "<h1" in text,
        "client": {"error", "error_description"} <= fields.keys(),
    }
    # What the server itself refuses is an OperationOutcome; those who want no page may get something else.
    page = any(name == "Accept" and "text/html" in accepted for name, accepted in one.headers)
    free = one.wild or one.surface == "other" or (one.surface in ("page", "client") and not page)
    early = answer.status in (414, 431) and looks["fhir"]
    if any(looks.values()) if free else (looks[one.surface] or early):
        return None
    return f"not how a refusal looks on a path of kind {one.surface!r}"


def _tells(issues: Any) -> bool:
    return bool(issues) and all(one["severity"] and one["code"] and one["diagnostics"] for one in issues)


def _is_problem(fields: Mapping[str, Any], status: int) -> bool:
    return fields.get("status") == status and all(fields.get(name) for name in ("type", "title", "detail"))


# --- a run

# An alert, and the answer to a hello.
_TLS_RECORDS = (0x15, 0x16)
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) [A-Za-z' -]+\r\n")


@dataclass
class Counts:
    """What came back: statuses by surface, and by kind of connection; and what must not happen, in words."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    connections: Counter[tuple[str, str]] = field(default_factory=Counter)
    journalled: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = []
        for counter in (self.answers, self.connections):
            for kind in sorted({kind for kind, _ in counter}):
                own = {what: count for (other, what), count in sorted(counter.items()) if other == kind}
                told = ", ".join(f"{count} × {what}" for what, count in own.items())
                rows.append(f"{kind:10} {sum(own.values()):6}: {told}")
        rows.append(
            f"{self.journalled} of the requests are in the journal; the slowest answer took {self.slowest:.1f} s"
        )
        rows.append(f"{len(self.failures)} failures in {self.seconds:.0f} s\n")
        return "\n".join(rows)


class Run:
    """A simulator, all that is sent to it, and what is looked at in between. Failures are printed as they happen."""

    def __init__(self, folder: Path, requests: int, connections: int, *, seed: int = 1, first: int = 0) -> None:
        self._folder = folder
        self._requests = range(first, first + requests)
        self._connections = range(first, first + connections)
        self._seed = seed
        self._noted: set[str] = set()  # ids that the journal has to have
        self._seconds: list[float] = []  # that answers took
        self.counts = Counts()

    def run(self) -> Counts:
        begin = time.monotonic()
        pki = self._folder / "pki"
        samples.init(pki)
        self._tls = {
            "secure": showing(pki),
            "unknown": showing(pki, "sas-other-authority"),
            "nobody": showing(pki, None),
        }
        options = (*listening(pki), "--plain-fhir", "on", "--idp-redirect-uris", CLIENT["redirect_uri"])
        process = Process(self._folder, "simulator", *options, database=str(self._folder / "state.db"), **OPTIONS)
        try:
            url = process.url()
            self._server = Server(process.process, urlsplit(url).port or 0, process.log)
            self._scene = Scene(url)
            self._tls_port = self._scene.known.tls_port
            workers = self._server.workers()
            self._sound = sound(self._scene.known)
            with ThreadPoolExecutor(CLIENTS) as clients:
                for batch in _batches(self._requests):
                    self.counts.answers.update(clients.map(self._ask, batch))
                    self._settle(f"--first {batch[0]} --requests {len(batch)} --connections 0")
            with ThreadPoolExecutor(STRANGERS) as strangers:
                for batch in _batches(self._connections):
                    for kind, statuses in strangers.map(self._converse, batch):
                        self.counts.connections.update((kind, one) for one in statuses)
                    self._settle(f"--first {batch[0]} --requests 0 --connections {len(batch)}")
            if self._server.workers() != workers:
                self._fail("a worker has died", "", b"", self._server.log()[-3000:])
        finally:
            process.stop()
        self.counts.seconds, self.counts.slowest = time.monotonic() - begin, max(self._seconds, default=0)
        return self.counts

    def request(self, number: int) -> tuple[str, Request]:
        """A request, and the act that it is part of.

        Faults, which may break anything, come in an act of their own; what puts another scenario into play, or another
        state, comes with everyday requests.
        """
        act = {3: "faults", 4: "stage"}.get(number // BATCH % 10, "everyday")
        draw = random.Random(f"{self._seed}-{number}")
        pool = self._sound["everyday" if act == "stage" and draw.random() < 0.5 else act]
        surfaces = [name for name in SHARES if any(one.surface == name for one in pool)]
        [surface] = draw.choices(surfaces, [SHARES[name] for name in surfaces])
        one = changed(draw.choice([one for one in pool if one.surface == surface]), draw)
        one.headers.append(("X-Request-Id", f"fuzz-{number}"))
        return act, one

    def connection(self, number: int) -> tuple[str, bytes, random.Random]:
        """Of what kind the bytes are that a connection carries, what they are, and what draws how they are sent.

        Those of the kind ``hello`` are in place of a handshake.
        """
        draw = random.Random(f"{self._seed}-connection-{number}")
        if number % 10 == 0:
            return "hello", garbled(client_hello(self._tls["secure"]), draw), draw
        kind = draw.choice(("random", "smuggling", "smuggling", "strange", "strange", *["garbled"] * 5))
        if kind == "random":
            return kind, draw.randbytes(draw.choice((1, 20, 500, 20_000))), draw
        if kind != "garbled":
            return kind, draw.choice(SMUGGLING if kind == "smuggling" else STRANGE), draw
        plain = [one.raw() for one in self._sound["everyday"] if not one.waits]
        return kind, garbled(draw.choice((draw.choice(plain), draw.choice(plain), draw.choice(STRANGE))), draw), draw

    def _ask(self, number: int) -> tuple[str, str]:
        """Sends a request; returns what kind it was of, and what came of it."""
        act, one = self.request(number)
        raw, begin = one.raw(), time.monotonic()
        again = f"--first {number} --requests 1 --connections 0"
        try:
            answer = ask(self._server.port, raw, one.method, GLANCE if one.waits else PATIENCE)
        except (OSError, HTTPException) as error:
            if one.waits and isinstance(error, TimeoutError):
                return one.surface, "waits"
            self._fail(f"no answer: {error!r}", again, raw, "")
            return one.surface, "none"
        self._seconds.append(time.monotonic() - begin)
        # What the server itself refuses is in the journal without its headers; and an act may empty the journal.
        if act == "everyday" and one.surface == "fhir" and not one.wild and answer.status not in (414, 431):
            self._noted.add(f"fuzz-{number}")
        if what := wrong(one, answer, act):
            self._fail(what, again, raw, f"{answer.status} {answer.headers}\n{answer.body[:1500]!r}")
        return one.surface, str(answer.status)

    def _converse(self, number: int) -> tuple[str, list[str]]:
        """Sends bytes; returns what kind they were of, and the statuses that came back."""
        kind, raw, draw = self.connection(number)
        again = f"--first {number} --requests 0 --connections 1"
        who = {1: "secure", 2: "secure", 3: "unknown", 4: "nobody"}.get(number % 10)
        port = self._tls_port if who or kind == "hello" else self._server.port
        try:
            received = converse(port, raw, draw, self._tls[who] if who else None)
        except OSError as error:
            self._fail(f"neither answered nor closed, or not even reached: {error!r}", again, raw, "")
            return kind, ["none"]
        if kind == "hello":
            if received and received[0] not in _TLS_RECORDS:
                self._fail("no answer that should be", again, raw, repr(received[:3000]))
            return kind, ["answered" if received else "closed"]
        statuses = [one.decode() for one in _STATUS_LINE.findall(received)]
        if "500" in statuses or b"\nX-Injected" in received or not (received + b"HTTP/1.").startswith(b"HTTP/1."):
            self._fail("no answer that should be", again, raw, repr(received[:3000]))
        return kind, statuses or ["closed"]

    def _settle(self, again: str) -> None:
        """Looks at what a batch has left behind, and puts everything back."""
        try:
            journalled = self._scene.put_back()
        except (AssertionError, requests.RequestException, ValueError, KeyError) as error:
            self._fail(f"not as it was: {error!r}", again, b"", self._server.log()[-3000:])
            return
        seen = Counter(one for one in journalled.ids if one.startswith("fuzz-"))
        self.counts.journalled += len(seen)
        if twice := [one for one, count in seen.items() if count > 1]:
            self._fail(f"more than once in the journal: {twice}", again, b"", "")
        if missing := self._noted - seen.keys():
            self._fail(f"not in the journal: {missing}", again, b"", "")
        self._noted.clear()
        if smuggled := [one for one in journalled.urls if "smuggled" in one]:
            self._fail(f"a request in another one was answered: {smuggled}", again, b"", "")
        log = self._server.log()
        if found := re.search("Traceback|Failed (on|in)", log):
            self._fail("an error in the log", again, b"", log[max(0, found.start() - 300) :][:6000])
        self._server.log_file.write_bytes(b"")

    def _fail(self, what: str, again: str, sent: bytes, answer: str) -> None:
        self.counts.failures.append(what)
        print(
            f"\n{what}\nagain: python -m tests.wire.fuzz --seed {self._seed} {again}",
            f"sent: {sent[:3000]!r}{f' and {len(sent) - 3000} bytes' if len(sent) > 3000 else ''}",
            f"answer: {answer}",
            sep="\n",
            flush=True,
        )


def _batches(numbers: range) -> Iterator[range]:
    """Runs of numbers, each of one act."""
    at = numbers.start
    while at < numbers.stop:
        end = min(at - at % BATCH + BATCH, numbers.stop)
        yield range(at, end)
        at = end


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.wire.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = Run(Path(folder), options.requests, options.connections, seed=options.seed, first=options.first).run()
    print(counts)
    sys.exit(bool(counts.failures))


if __name__ == "__main__":
    main()

"""The embedded identity provider, as browsers and clients meet it."""

import base64
import hashlib
import html
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from authlib.integrations.flask_client import OAuth
from flask import Flask, request
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.serving import make_server
from werkzeug.test import TestResponse
from werkzeug.wsgi import get_input_stream

from mock_editor.base import keys
from mock_editor.base.in_process import InProcessAdapter
from mock_editor.base.store import Store
from mock_editor.bench.idp.clients import Registration
from mock_editor.bench.idp.people import Person
from mock_editor.bench.idp.provider import Provider
from mock_editor.bench.idp.routes import bp
from mock_editor.bench.idp.site import ProviderSite
from mock_editor.bench.idp.store import SCHEMA, ProviderStore
from tests.bench.conftest import in_world
from tests.conftest import json_of

PUBLIC_URL = "https://lga.example"
ISSUER = f"{PUBLIC_URL}/_idp"
CALLBACK = "https://editor.example/sso?from=idp"
FORM = "application/x-www-form-urlencoded"
SENTENCE = (
    b"Simulateur tenant lieu de Pro Sant&eacute; Connect du Minist&egrave;re de la Sant&eacute; "
    b"et de la pr&eacute;vention"
)
RENEE = Person("renee", "Régulateur", "Renée", "renee@sas.example", "899700123456")
MARC = Person("marc", "<b>Martin</b>", "Marc", "marc@sas.example", None, "3f2504e0-4f89-11d3")
ZOE = Person("zoe", "Zola", "Zoé", "zoe@sas.example")
PEOPLE = (RENEE, MARC, ZOE)
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "agenda",
    "redirect_uri": CALLBACK,
    "scope": "openid profile",
    "state": "st&te=é",
    "nonce": "n-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


class Time:
    """The time of a test, which passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = time.time()

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def worker(tmp_path: Path, now: Time) -> Iterator[Callable[..., FlaskClient]]:
    """Makes a browser before a worker process of its own; all workers share a file."""
    stores: list[Store] = []

    def make(
        people: tuple[Person, ...] = PEOPLE,
        public_url: str = PUBLIC_URL,
        clients: Sequence[Registration] = (Registration(None, CALLBACK),),
        told: Flask | None = None,
    ) -> FlaskClient:
        stores.append(Store(tmp_path / "state.db", [SCHEMA, keys.SCHEMA]))
        app = Flask(__name__)
        to_clients = InProcessAdapter(told or app, public_url)
        app.register_blueprint(bp)
        provider = Provider(lambda: people, clients, f"{public_url}/_idp", ProviderStore(stores[-1]), now)
        in_world(app, ProviderSite(provider, public_url, to_clients, 5))
        app.url_map.strict_slashes = False
        return app.test_client()

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def browser(worker: Callable[..., FlaskClient]) -> FlaskClient:
    return worker()


def ask(browser: FlaskClient, **changes: str | None) -> TestResponse:
    """An authentication request, with parameters changed, added or (None) left out."""
    parameters = {name: value for name, value in (ASKED | changes).items() if value is not None}
    return browser.get("/_idp/authorize", query_string=urlencode(parameters), base_url=PUBLIC_URL)


def hidden(page: str) -> str:
    """The signed demand that a page carries."""
    [demand] = set(re.findall(r'name="demande" value="([^"]+)"', page))
    return html.unescape(demand)


def post(browser: FlaskClient, path: str, fields: dict[str, str], **options: Any) -> TestResponse:
    return browser.post(f"/_idp/{path}", data=fields, base_url=PUBLIC_URL, **options)


def choose(browser: FlaskClient, page: TestResponse, person: Person = RENEE) -> TestResponse:
    assert page.status_code == 200, page.text
    return post(browser, "connexion", {"demande": hidden(page.text), "personne": person.key})


def answered(response: TestResponse) -> dict[str, str]:
    """What a redirect brings to the client."""
    assert response.status_code == 303, response.text
    assert response.location.startswith(f"{CALLBACK}&")
    return dict(parse_qsl(urlsplit(response.location).query))


def code_of(browser: FlaskClient, person: Person = RENEE, **changes: str | None) -> str:
    return answered(choose(browser, ask(browser, **{"prompt": "login"} | changes), person))["code"]


def redeem(browser: FlaskClient, code: str | None, **changes: str | None) -> TestResponse:
    fields: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "client_id": "agenda",
        "code_verifier": VERIFIER,
    } | changes
    return post(browser, "token", {name: value for name, value in fields.items() if value is not None})


def claims_of(browser: FlaskClient, id_token: str) -> dict[str, Any]:
    """The claims of an id_token, whose signature is checked."""
    keys = KeySet.import_key_set(browser.get("/_idp/jwks").get_json())
    return jwt.decode(id_token, keys, algorithms=["RS256"]).claims


def userinfo(browser: FlaskClient, token: str) -> TestResponse:
    return browser.get("/_idp/userinfo", headers={"Authorization": f"Bearer {token}"})


# --- the whole flow


@pytest.fixture
def provider_url(tmp_path: Path) -> Iterator[str]:
    """The provider on a socket, in real time."""
    app = Flask(__name__)

    def limited(environ: dict[str, Any], start_response: Any) -> Any:
        # Unlike gunicorn, this server leaves it to the application to stop at Content-Length.
        environ["wsgi.input"] = get_input_stream(environ)
        return app(environ, start_response)

    server = make_server("127.0.0.1", 0, limited, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    store = Store(tmp_path / "state.db", [SCHEMA, keys.SCHEMA])
    clients = [Registration(None, "http://editor.example/sso")]
    there = InProcessAdapter(app, url)
    app.register_blueprint(bp)
    provider = Provider(lambda: PEOPLE, clients, f"{url}/_idp", ProviderStore(store), time.time)
    in_world(app, ProviderSite(provider, url, there, 5))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
    store.close()


def relying_party(provider_url: str, client_id: str) -> FlaskClient:
    """An application that signs people in with Authlib, as an editor does."""
    app = Flask(__name__)
    app.secret_key = "of a test"  # noqa: S105
    app.config["SESSION_COOKIE_NAME"] = client_id
    clients: Any = OAuth(app)
    idp = clients.register(
        "idp",
        client_id=client_id,
        client_secret="any",  # noqa: S106
        server_metadata_url=f"{provider_url}/_idp/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
    )

    @app.get("/")
    def sign_in() -> Any:
        return idp.authorize_redirect("http://editor.example/sso")

    @app.get("/sso")
    def back() -> Any:
        token = idp.authorize_access_token()
        return {"id_token": token["userinfo"], "userinfo": idp.userinfo(token=token)}

    return app.test_client()


def test_authlib_signs_somebody_in_and_a_second_editor_asks_nothing(provider_url: str) -> None:
    first, second = relying_party(provider_url, "first"), relying_party(provider_url, "second")
    with requests.Session() as chrome:
        page = chrome.get(first.get("http://editor.example/").location)
        assert page.status_code == 200
        chosen = {"demande": hidden(page.text), "personne": RENEE.key}
        sent_back = chrome.post(f"{provider_url}/_idp/connexion", chosen, allow_redirects=False)
        told = json_of(first.get(sent_back.headers["Location"]))
        assert told["id_token"]["SubjectNameID"] == told["userinfo"]["SubjectNameID"] == RENEE.national_id
        assert told["id_token"]["aud"] == "first"

        sent_back = chrome.get(second.get("http://editor.example/").location, allow_redirects=False)
        assert sent_back.status_code == 303
        told = json_of(second.get(sent_back.headers["Location"]))
        assert told["id_token"]["SubjectNameID"] == RENEE.national_id
        assert told["id_token"]["aud"] == "second"


# --- what is told about people


@pytest.mark.parametrize(
    ("person", "sub", "username"),
    [(RENEE, "899700123456", "899700123456"), (MARC, "3f2504e0-4f89-11d3", "3f2504e0-4f89-11d3"), (ZOE, "zoe", "zoe")],
    ids=lambda value: getattr(value, "key", ""),
)
def test_claims(browser: FlaskClient, now: Time, person: Person, sub: str, username: str) -> None:
    tokens = redeem(browser, code_of(browser, person)).get_json()
    told = userinfo(browser, tokens["access_token"]).get_json()
    expected = {
        "sub": sub,
        "preferred_username": username,
        "email": person.email,
        "email_verified": True,
        "given_name": person.given,
        "family_name": person.family,
        "name": f"{person.given} {person.family}",
    }
    assert told == expected | ({"SubjectNameID": person.national_id} if person.national_id else {})
    claims = claims_of(browser, tokens["id_token"])
    issued = int(now())
    assert claims.pop("at_hash")
    assert claims.pop("sid")
    assert claims == told | {
        "iss": ISSUER,
        "aud": "agenda",
        "iat": issued,
        "exp": issued + 3600,
        "auth_time": issued,
        "nonce": "n-1",
        "amr": ["user"],
    }
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 3600, "openid profile")


def test_both_identifiers_are_told() -> None:
    both = Person("x", "F", "G", "x@sas.example", "8997", "tech")
    assert {"sub": "tech", "SubjectNameID": "8997", "preferred_username": "8997"}.items() <= both.claims().items()


def test_without_nonce_there_is_none(browser: FlaskClient) -> None:
    tokens = redeem(browser, code_of(browser, nonce=None)).get_json()
    assert "nonce" not in claims_of(browser, tokens["id_token"])


def test_discovery_names_what_there_is(browser: FlaskClient) -> None:
    told = browser.get("/_idp/.well-known/openid-configuration").get_json()
    assert told["issuer"] == ISSUER
    paths = {
        "authorization_endpoint": "authorize",
        "token_endpoint": "token",
        "userinfo_endpoint": "userinfo",
        "jwks_uri": "jwks",
        "end_session_endpoint": "deconnexion",
    }
    assert {name: told[name] for name in paths} == {name: f"{ISSUER}/{path}" for name, path in paths.items()}
    assert told["response_types_supported"] == ["code"]
    assert told["subject_types_supported"] == ["public"]
    assert told["id_token_signing_alg_values_supported"] == ["RS256"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert set(told["token_endpoint_auth_methods_supported"]) == {"client_secret_basic", "client_secret_post", "none"}
    assert told["request_uri_parameter_supported"] is False
    tokens = redeem(browser, code_of(browser)).get_json()
    assert set(claims_of(browser, tokens["id_token"])) <= set(told["claims_supported"])


def test_the_published_key_is_public(browser: FlaskClient) -> None:
    [key] = browser.get("/_idp/jwks").get_json()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


# --- the page


def test_the_page_is_shown_at_once_and_is_safe(browser: FlaskClient) -> None:
    page = ask(browser)
    assert page.status_code == 200
    assert page.content_type == "text/html; charset=utf-8"
    assert "Set-Cookie" not in page.headers
    assert page.data.count(SENTENCE) == 1
    assert '<html lang="fr">' in page.text
    assert "&lt;b&gt;Martin" in page.text
    assert "<b>Martin" not in page.text
    assert "<script" not in page.text
    for text in (RENEE.name, RENEE.email, "899700123456", "3f2504e0-4f89-11d3", "agenda", "editor.example"):
        assert text in page.text
    # The way out comes first.
    assert page.text.index("Refuser") < page.text.index(RENEE.name)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("hint", ["marc", "MARC@sas.example", " 3f2504e0-4f89-11d3 "])
def test_login_hint_preselects(browser: FlaskClient, hint: str) -> None:
    page = ask(browser, login_hint=hint).text
    assert re.findall(r'value="(\w+)" required checked', page) == ["marc"]
    assert re.findall(r'name="personne" value="(\w+)"', page) == ["marc", "renee", "zoe"]


def test_an_unknown_login_hint_preselects_nobody(browser: FlaskClient) -> None:
    assert "checked>" not in ask(browser, login_hint="nobody").text


def test_the_page_says_when_there_is_nobody(worker: Callable[..., FlaskClient]) -> None:
    page = ask(worker(people=()))
    assert page.status_code == 200
    assert "Personne ne peut se connecter" in page.text
    assert page.data.count(SENTENCE) == 1


def test_the_request_may_be_posted(browser: FlaskClient) -> None:
    assert answered(choose(browser, post(browser, "authorize", ASKED)))["state"] == ASKED["state"]


def test_refusing_goes_back_with_an_error(browser: FlaskClient) -> None:
    response = post(browser, "connexion", {"demande": hidden(ask(browser).text), "refus": "1"})
    told = answered(response)
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", ASKED["state"], ISSUER)
    assert "Set-Cookie" not in response.headers


def test_a_page_that_is_too_old_is_refused(browser: FlaskClient, now: Time) -> None:
    page = ask(browser)
    now.seconds += 1800
    response = choose(browser, page)
    assert response.status_code == 400
    assert "expiré" in response.text


@pytest.mark.parametrize("fields", [{}, {"personne": "nobody"}, {"personne": ""}])
def test_a_choice_of_nobody_is_refused(browser: FlaskClient, fields: dict[str, str]) -> None:
    response = post(browser, "connexion", {"demande": hidden(ask(browser).text)} | fields)
    assert response.status_code == 400
    assert "Aucune identité" in response.text
    assert "Set-Cookie" not in response.headers


def test_a_tampered_demand_is_refused(browser: FlaskClient) -> None:
    demand = hidden(ask(browser).text)
    session = choose(browser, ask(browser)).headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    for wrong in (f"{demand}x", demand[1:], demand[::-1], "", "é", "a.b.c", session):
        response = post(browser, "connexion", {"demande": wrong, "personne": "renee"})
        assert response.status_code == 400
        assert "Location" not in response.headers


# --- the session


def test_the_cookie_is_kept_from_others(browser: FlaskClient) -> None:
    _, *attributes = choose(browser, ask(browser)).headers["Set-Cookie"].split("; ")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/_idp", "Max-Age=28800"} <= set(attributes)


def test_the_cookie_of_a_plain_http_simulator_is_not_secure(worker: Callable[..., FlaskClient]) -> None:
    browser = worker(public_url="http://lga.example")
    assert "Secure" not in choose(browser, ask(browser)).headers["Set-Cookie"]


def test_a_session_asks_nothing_for_eight_hours(browser: FlaskClient, now: Time) -> None:
    choose(browser, ask(browser))
    signed_in = int(now())
    now.seconds += 8 * 3600 - 2
    code = answered(ask(browser, client_id="another", prompt="none"))["code"]
    tokens = redeem(browser, code, client_id="another").get_json()
    assert claims_of(browser, tokens["id_token"])["auth_time"] == signed_in
    now.seconds += 2
    assert ask(browser).status_code == 200


def test_prompt_none_without_a_session_is_an_error(browser: FlaskClient) -> None:
    told = answered(ask(browser, prompt="none"))
    assert (told["error"], told["state"]) == ("login_required", ASKED["state"])


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_a_prompt_asks_again(browser: FlaskClient, prompt: str) -> None:
    choose(browser, ask(browser))
    assert ask(browser, prompt=prompt).status_code == 200


def test_max_age_asks_again(browser: FlaskClient, now: Time) -> None:
    choose(browser, ask(browser))
    now.seconds += 100
    assert answered(ask(browser, max_age="200"))["code"]
    assert ask(browser, max_age="50").status_code == 200
    assert ask(browser, max_age="0").status_code == 200
    assert answered(ask(browser, max_age="50", prompt="none"))["error"] == "login_required"


def test_a_tampered_cookie_is_no_session(browser: FlaskClient) -> None:
    choose(browser, ask(browser))
    cookie = browser.get_cookie("mock_idp", "lga.example", "/_idp")
    assert cookie
    for wrong in (f"{cookie.value}x", "x", "", "é", "a.b", hidden(ask(browser, prompt="login").text)):
        browser.set_cookie("mock_idp", wrong, domain="lga.example", path="/_idp")
        assert ask(browser).status_code == 200
    browser.set_cookie("mock_idp", cookie.value, domain="lga.example", path="/_idp")
    assert ask(browser).status_code == 303


def test_somebody_who_is_no_more_is_not_signed_in(worker: Callable[..., FlaskClient]) -> None:
    before, after = worker(), worker(people=(MARC,))
    code = code_of(before)
    token = redeem(before, code_of(before)).get_json()["access_token"]
    cookie = before.get_cookie("mock_idp", "lga.example", "/_idp")
    assert cookie
    after.set_cookie("mock_idp", cookie.value, domain="lga.example", path="/_idp")
    assert ask(after).status_code == 200
    assert redeem(after, code).get_json()["error"] == "invalid_grant"
    assert userinfo(after, token).status_code == 401


def test_a_reset_ends_every_session_and_code(worker: Callable[..., FlaskClient], tmp_path: Path) -> None:
    browser = worker()
    code = code_of(browser)
    cookie = browser.get_cookie("mock_idp", "lga.example", "/_idp")
    assert cookie
    store = Store(tmp_path / "state.db", [SCHEMA, keys.SCHEMA])
    for _ in range(2):
        with store.writing() as db:
            ProviderStore(store).reset(db)
        for other in (browser, worker()):
            other.set_cookie("mock_idp", cookie.value, domain="lga.example", path="/_idp")
            assert ask(other).status_code == 200
    store.close()
    assert redeem(browser, code).get_json()["error"] == "invalid_grant"
    choose(browser, ask(browser))
    assert answered(ask(browser))["code"]


def test_signing_out_ends_the_session(browser: FlaskClient) -> None:
    choose(browser, ask(browser))
    page = browser.get("/_idp/deconnexion", base_url=PUBLIC_URL)
    assert "Vous êtes déconnecté" in page.text
    assert ask(browser).status_code == 200


def test_signing_out_goes_back_to_us_only(browser: FlaskClient) -> None:
    def leave(url: str) -> TestResponse:
        fields = {"post_logout_redirect_uri": url, "state": "s"}
        by_post = post(browser, "deconnexion", fields)
        by_get = browser.get("/_idp/deconnexion", query_string=fields)
        assert by_get.headers.get("Location") == by_post.headers.get("Location")
        return by_get

    assert leave(f"{PUBLIC_URL}/agenda").location == f"{PUBLIC_URL}/agenda?state=s"
    assert leave(f"{PUBLIC_URL}:443/agenda?a=b").location == f"{PUBLIC_URL}:443/agenda?a=b&state=s"
    for url in (
        "https://evil.example/",
        "https://lga.example.evil.example/",
        "https://lga.example@evil.example/",
        "http://lga.example/",
        "https://lga.example:8443/",
        "//lga.example/",
        "/agenda",
        "https:lga.example",
        "https://lga.example\\@evil.example/",
        "javascript:alert(1)",
        "",
    ):
        response = leave(url)
        assert response.status_code == 200, url
        assert "Location" not in response.headers


# --- clients are told that a session has ended

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Told:
    """Clients of the provider, and the logout tokens that they got, by path."""

    def __init__(self, status: int = 200) -> None:
        self.app = Flask("clients")
        self.tokens: list[tuple[str, str]] = []

        @self.app.post("/<client>/logout")
        def logout(client: str) -> Any:
            self.tokens.append((client, request.form["logout_token"]))
            return "", status


EDITORS = [Registration(name, f"{PUBLIC_URL}/{name}/back", f"{PUBLIC_URL}/{name}/logout") for name in ("a", "b", "c")]


def enter(browser: FlaskClient, client: str, person: Person | None = None) -> dict[str, Any]:
    """Signs in at a client; returns what its ID token says."""
    there = {"client_id": client, "redirect_uri": f"{PUBLIC_URL}/{client}/back"}
    answer = ask(browser, **there)
    if person:
        answer = choose(browser, answer if answer.status_code == 200 else ask(browser, prompt="login", **there), person)
    code = dict(parse_qsl(urlsplit(answer.location).query))["code"]
    return claims_of(browser, redeem(browser, code, **there).get_json()["id_token"])


def test_whoever_signs_out_is_signed_out_where_they_were(worker: Callable[..., FlaskClient], now: Time) -> None:
    told = Told()
    browser, other = (worker(clients=EDITORS, told=told.app) for _ in range(2))
    known = enter(browser, "a", RENEE)
    assert enter(browser, "b")["sid"] == known["sid"]
    assert enter(other, "c", RENEE)["sid"] != known["sid"]
    browser.get("/_idp/deconnexion", base_url=PUBLIC_URL)
    assert [client for client, _ in told.tokens] == ["a", "b"]
    for client, token in told.tokens:
        claims = claims_of(browser, token)
        assert claims.pop("jti")
        issued = int(now())
        assert claims == {
            "iss": ISSUER,
            "aud": client,
            "iat": issued,
            "exp": issued + 120,
            "events": {EVENT: {}},
            "sub": known["sub"],
            "sid": known["sid"],
        }
    # Once.
    browser.get("/_idp/deconnexion", base_url=PUBLIC_URL)
    assert len(told.tokens) == 2


def test_a_session_that_another_takes_the_place_of_has_ended(worker: Callable[..., FlaskClient]) -> None:
    told = Told()
    browser = worker(clients=EDITORS, told=told.app)
    before = enter(browser, "a", RENEE)
    # She has to say again who she is, and is the same.
    assert enter(browser, "b", RENEE)["sid"] == before["sid"]
    assert told.tokens == []
    after = enter(browser, "b", MARC)
    assert after["sid"] != before["sid"]
    assert {claims_of(browser, token)["sid"] for _, token in told.tokens} == {before["sid"]}


def test_a_client_that_takes_no_logout_keeps_nobody_from_signing_out(worker: Callable[..., FlaskClient]) -> None:
    told = Told(status=500)
    browser = worker(clients=EDITORS, told=told.app)
    enter(browser, "a", RENEE)
    enter(browser, "b")
    assert browser.get("/_idp/deconnexion", base_url=PUBLIC_URL).status_code == 200
    assert len(told.tokens) == 2
    assert ask(browser, client_id="a", redirect_uri=f"{PUBLIC_URL}/a/back").status_code == 200


def test_a_cookie_and_a_code_end_with_the_session(browser: FlaskClient, worker: Callable[..., FlaskClient]) -> None:
    code = code_of(browser)
    cookie = browser.get_cookie("mock_idp", "lga.example", "/_idp")
    browser.get("/_idp/deconnexion", base_url=PUBLIC_URL)
    assert redeem(browser, code).get_json()["error"] == "invalid_grant"
    other = worker()
    assert cookie
    other.set_cookie("mock_idp", cookie.value, domain="lga.example", path="/_idp")
    assert ask(other).status_code == 200


# --- codes


def test_a_code_is_good_once(browser: FlaskClient) -> None:
    code = code_of(browser)
    assert redeem(browser, code).status_code == 200
    again = redeem(browser, code)
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_grant")
    assert again.headers["Cache-Control"] == "no-store"


def test_a_code_expires(browser: FlaskClient, now: Time) -> None:
    early, late = code_of(browser), code_of(browser)
    now.seconds += 58
    assert redeem(browser, early).status_code == 200
    now.seconds += 2
    assert redeem(browser, late).get_json()["error"] == "invalid_grant"


def test_expired_codes_are_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "codes.db", [SCHEMA, keys.SCHEMA])
    state = ProviderStore(store)
    for second in range(10):
        state.keep({}, now=second, seconds=3)
    with store.reading() as db:
        [(count,)] = db.execute("select count(*) from idp_codes")
    store.close()
    assert count == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"redirect_uri": f"{CALLBACK}/"},
        {"code_verifier": "x" * 43},
        {"code_verifier": "é" * 43},
        {"code_verifier": None},
        {"code_verifier": CHALLENGE},
    ],
    ids=str,
)
def test_a_code_is_bound_to_its_request(browser: FlaskClient, changes: dict[str, str | None]) -> None:
    code = code_of(browser)
    response = redeem(browser, code, **changes)
    assert (response.status_code, response.get_json()["error"]) == (400, "invalid_grant")
    # Whoever it was, the code has been seen by somebody whom it is not for.
    assert redeem(browser, code).status_code == 400


def test_pkce_is_not_required_and_not_pretended(browser: FlaskClient) -> None:
    without: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    assert redeem(browser, code_of(browser, RENEE, **without), code_verifier=None).status_code == 200
    assert redeem(browser, code_of(browser, RENEE, **without)).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize("client_id", ["agenda", "a+b", "https://x.example/?a=%41", "é", "a:b"])
def test_clients_authenticate_as_they_like(browser: FlaskClient, client_id: str) -> None:
    def basic(name: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:any".encode()).decode()}

    ways: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"client_id": client_id}, {}),
        ({"client_id": client_id, "client_secret": "any"}, {}),
        ({}, basic(urlencode({"": client_id})[1:])),
        ({"client_id": client_id}, basic(urlencode({"": client_id})[1:])),
    ]
    # A client that does not encode its id; a colon it has to.
    if ":" not in client_id:
        ways.append(({}, basic(client_id)))
    for fields, headers in ways:
        code = code_of(browser, client_id=client_id)
        fields = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER} | fields
        response = post(browser, "token", fields | {"code": code}, headers=headers)
        assert response.status_code == 200, (fields, response.text)
        assert claims_of(browser, response.get_json()["id_token"])["aud"] == client_id


# --- access tokens


def test_access_tokens_expire_and_nothing_else_passes_for_one(browser: FlaskClient, now: Time) -> None:
    tokens = redeem(browser, code_of(browser)).get_json()
    token = tokens["access_token"]
    cookie = browser.get_cookie("mock_idp", "lga.example", "/_idp")
    assert cookie
    assert userinfo(browser, token).status_code == 200
    posted = browser.post("/_idp/userinfo", headers={"Authorization": f"bearer {token}"})
    assert posted.get_json()["email"] == RENEE.email
    for wrong in (f"{token}x", token[1:], tokens["id_token"], cookie.value, "x", "é"):
        response = userinfo(browser, wrong)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    now.seconds += 3600
    assert userinfo(browser, token).status_code == 401


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Basic ££", "Bearer a=b", "x y z", "Digest a=b,"]
)
def test_userinfo_wants_a_token(browser: FlaskClient, header: str | None) -> None:
    response = browser.get("/_idp/userinfo", headers={} if header is None else {"Authorization": header})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.headers["Cache-Control"] == "no-store"


# --- several workers


def test_workers_agree(worker: Callable[..., FlaskClient]) -> None:
    one, other = worker(), worker()
    code = code_of(one)
    tokens = redeem(other, code).get_json()
    assert claims_of(one, tokens["id_token"])["email"] == RENEE.email
    assert redeem(one, code).status_code == 400
    assert userinfo(one, tokens["access_token"]).status_code == 200
    assert choose(other, ask(one, prompt="login")).status_code == 303
    cookie = one.get_cookie("mock_idp", "lga.example", "/_idp")
    third = worker()
    assert cookie
    third.set_cookie("mock_idp", cookie.value, domain="lga.example", path="/_idp")
    assert answered(ask(third))["code"]


def test_workers_that_start_together_make_one_key(worker: Callable[..., FlaskClient]) -> None:
    workers = [worker() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(lambda one: one.get("/_idp/jwks").data, workers))
    assert len(set(keys)) == 1


def test_of_twenty_who_redeem_a_code_one_succeeds(worker: Callable[..., FlaskClient]) -> None:
    workers = [worker(), worker()]
    code = code_of(workers[0])
    together = threading.Barrier(20)

    def attempt(number: int) -> int:
        client = workers[number % 2].application.test_client()
        together.wait(30)
        return redeem(client, code).status_code

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(attempt, range(20))) == [200] + [400] * 19


# --- what is wrong


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        " ",
        "/sso",
        "editor.example/sso",
        "//editor.example/sso",
        "https:/sso",
        "https://",
        "https:///sso",
        "ftp://editor.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://editor.example/#part",
        "https://editor.example/#",
        "https://user@editor.example/",
        "https://editor.example:0/",
        "https://editor.example:99999/",
        "https://editor.example:x/",
        "https://[::1/",
        "https://[x]/",
        "https://a..b/",
        f"https://{'a' * 64}.example/",
        "https://editor.example/\r\nX: y",
        " https://editor.example/",
        "https://editor.example\\@evil.example/",
        "https://éditeur.example/",
        "https://editor.example/\x00",
    ],
)
def test_a_wrong_redirect_uri_is_a_page(browser: FlaskClient, uri: str | None) -> None:
    for response in (ask(browser, redirect_uri=uri), ask(browser, redirect_uri=uri, prompt="none", scope=None)):
        assert response.status_code == 400
        assert "redirect_uri" in response.text
        assert response.content_type == "text/html; charset=utf-8"
        assert "Location" not in response.headers


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:5000/cb",
        "http://[::1]:5000/cb",
        "http://127.0.0.1",
        "https://editor.example./?",
        "https://editor.example/%zz?a=%C3%A9",
        f"https://editor.example/{'a' * 20000}",
    ],
    ids=lambda uri: uri[:40],
)
def test_a_right_redirect_uri_is_kept_as_it_is(worker: Callable[..., FlaskClient], uri: str) -> None:
    response = ask(worker(clients=[Registration(None, uri)]), redirect_uri=uri, prompt="none")
    assert response.status_code == 303
    assert response.location.startswith(f"{uri}{'&' if '?' in uri else '?'}error=login_required&")


@pytest.mark.parametrize(
    ("client_id", "uri", "known"),
    [
        ("a", f"{PUBLIC_URL}/a/back", True),
        ("anybody", CALLBACK, True),
        ("a", CALLBACK, True),
        ("b", f"{PUBLIC_URL}/a/back", False),
        ("anybody", f"{PUBLIC_URL}/a/back", False),
        ("a", f"{PUBLIC_URL}/a/back/", False),
        ("a", f"{PUBLIC_URL}/a/back?x=y", False),
        ("a", f"{PUBLIC_URL}/a/back/../logout", False),
        ("a", f"{PUBLIC_URL}:443/a/back", False),
        ("a", f"{PUBLIC_URL.replace('lga', 'LGA')}/a/back", False),
        ("a", f"{PUBLIC_URL}/a/%62ack", False),
        ("a", "https://evil.example/", False),
        ("a", "https://lga.example.evil.example/a/back", False),
        ("anybody", f"{CALLBACK}&more", False),
    ],
)
def test_people_are_sent_back_to_those_that_are_known(
    worker: Callable[..., FlaskClient], client_id: str, uri: str, known: bool
) -> None:
    browser = worker(clients=[*EDITORS, Registration(None, CALLBACK)])
    # Neither with a code nor with an error.
    for changes in ({}, {"prompt": "none"}, {"scope": ""}):
        answer = ask(browser, client_id=client_id, redirect_uri=uri, **changes)
        assert (answer.status_code in (200, 303)) is known
        if not known:
            assert answer.status_code == 400
            assert "--idp-redirect-uris" in answer.text
            assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid2"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "maybe"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "9" * 5000}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "https://x.example/"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
    ids=str,
)
def test_a_wrong_request_goes_back_to_the_client(
    browser: FlaskClient, changes: dict[str, str | None], error: str
) -> None:
    told = answered(ask(browser, **changes))
    assert (told["error"], told["state"]) == (error, ASKED["state"])
    assert re.fullmatch(r"[ !#-\[\]-~]+", told["error_description"])  # RFC 6749, 4.1.2.1


@pytest.mark.parametrize("name", ["state", "nonce", "scope", "prompt", "code_challenge", "response_type"])
def test_a_parameter_may_not_be_repeated(browser: FlaskClient, name: str) -> None:
    query = f"{urlencode(ASKED)}&{name}=login&{name}=login"
    assert answered(browser.get(f"/_idp/authorize?{query}"))["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_client_may_not_be_two(browser: FlaskClient, name: str) -> None:
    query = f"{urlencode(ASKED)}&{name}=https://evil.example/"
    assert browser.get(f"/_idp/authorize?{query}").status_code == 400


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"grant_type": None}, "invalid_request", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type", 400),
        ({"code": None}, "invalid_request", 400),
        ({"code": ""}, "invalid_request", 400),
        ({"code": "x"}, "invalid_grant", 400),
        ({"code": "\x00é'; drop table idp_codes"}, "invalid_grant", 400),
        ({"redirect_uri": None}, "invalid_request", 400),
        ({"client_id": None}, "invalid_client", 401),
        ({"client_id": " "}, "invalid_client", 401),
    ],
    ids=str,
)
def test_a_wrong_token_request(browser: FlaskClient, changes: dict[str, str | None], error: str, status: int) -> None:
    fields = {"code": "x"} | changes
    response = redeem(browser, fields.pop("code"), **fields)
    assert (response.status_code, response.get_json()["error"]) == (status, error)
    assert response.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("Basic", "invalid_client"),
        ("Basic !!!", "invalid_client"),
        ("Basic ££", "invalid_client"),
        ("Basic w6k=", "invalid_request"),
        ("Basic /w==", "invalid_client"),
        ("Basic OmE=", "invalid_client"),
        ("Bearer x", "invalid_client"),
        ("é", "invalid_client"),
        ("Basic b3RoZXI6eA==", "invalid_request"),  # other:x, and client_id=agenda
    ],
)
def test_a_wrong_authentication_of_a_client(browser: FlaskClient, header: str, error: str) -> None:
    fields = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK, "client_id": "agenda"}
    response = post(browser, "token", fields, headers={"Authorization": header})
    assert response.get_json()["error"] == error


_BODIES: list[tuple[bytes, str, int]] = [
    (b"", FORM, 400),
    (b"{}", "application/json", 415),
    (b"x", "", 415),
    (b"x", "multipart/form-data; boundary=", 415),
    (b"\xff\xfe=%ff&%=&=&&;" * 9, FORM, 400),
    (b"a=" + b"x" * 100_000, FORM, 413),
    (b"&".join(b"a%d=b" % number for number in range(300)), FORM, 400),
]


@pytest.mark.parametrize(("body", "media_type", "status"), _BODIES, ids=range(len(_BODIES)))
def test_bodies_that_make_no_sense_are_refused(browser: FlaskClient, body: bytes, media_type: str, status: int) -> None:
    headers = {"Content-Type": media_type}
    for path in ("authorize", "connexion"):
        response = browser.post(f"/_idp/{path}", data=body, headers=headers)
        assert (response.status_code, response.content_type) == (status, "text/html; charset=utf-8")
        assert '<html lang="fr">' in response.text
    response = browser.post("/_idp/token", data=body, headers=headers)
    assert response.status_code in (status, 401)
    assert response.get_json()["error"] in ("invalid_request", "invalid_client")


@pytest.mark.parametrize("path", ["authorize", "connexion", "deconnexion", "token", "userinfo", "jwks"])
def test_nothing_is_an_error_of_ours(browser: FlaskClient, path: str) -> None:
    asked = urlencode(ASKED)
    for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"):
        for query in ("", "%", "%ff=%ff", "a=b&a=b", "\x00", "&".join(["a=b"] * 300), "[]=%00&x[=1", asked):
            for target in (f"/_idp/{path}?{query}", f"/_idp/{path}/?{asked}&{query}"):
                response = browser.open(target, method=method, headers={"Cookie": 'mock_idp="\\777'})
                assert response.status_code < 500, (method, target)
                assert response.content_type


def test_a_database_that_is_out_of_order_is_told(worker: Callable[..., FlaskClient], tmp_path: Path) -> None:
    browser = worker()
    for file in tmp_path.iterdir():
        file.unlink()
    tmp_path.joinpath("state.db").mkdir()
    page = ask(browser)
    assert page.status_code == 503
    assert "momentanément indisponible" in page.text
    told = redeem(browser, "x")
    assert (told.status_code, told.get_json()["error"]) == (503, "temporarily_unavailable")

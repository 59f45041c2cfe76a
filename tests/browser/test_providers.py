"""Identity providers that are not ours: one of strangers, none, and those that fail."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
import requests
from joserfc import jws, jwt
from joserfc.jwk import RSAKey
from joserfc.registry import HeaderParameter

from mock_editor.base.client import within
from mock_editor.booking.sso import IdentityProvider, ProviderError
from mock_editor.settings import Settings
from tests.browser.conftest import (
    FORET,
    MERCIER,
    OpenPage,
    Served,
    Site,
    accept_terms,
    badges,
    book,
    go,
    log_in,
    press,
    running,
    title,
    told,
)
from tests.wire.conftest import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# The regulators as a provider knows them that has other names for things: what each of them is recognised by.
STRANGERS = [
    {"sub": "7d0a2f6e-5a0b-4c1c-9f5e-0d6b3f1c2a01"},
    {"sub": "by-national-id", "rpps": "3339900018/00000001"},
    {"sub": "by-e-mail", "mail": MERCIER},
    {"sub": "known-to-nobody", "rpps": "3339900018/00000004", "email": MERCIER},
]


class Stranger:
    """A provider that other people wrote, in a process of its own."""

    def __init__(self, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        users = [f"--user-claims={json.dumps(one)}" for one in STRANGERS]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *users],
                stdout=output,
                stderr=output,
                # It refuses plain http otherwise.
                env=os.environ | {"AUTHLIB_INSECURE_TRANSPORT": "1"},
            )
        self.url = f"http://127.0.0.1:{port}"
        assert eventually(self.answers, 20), log.read_text()

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/.well-known/openid-configuration", timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    pytest.importorskip("oidc_provider_mock")
    stranger = Stranger(tmp_path_factory.mktemp("stranger") / "log")
    yield stranger
    stranger.stop()


SECRET: dict[str, Any] = {"MOCK_EDITOR_OIDC_CLIENT_SECRET": "anything"}


def options(issuer: str) -> list[str]:
    """How a server is told of a provider."""
    return [
        *("--oidc-issuer", issuer),
        *("--oidc-national-id-claims", "rpps", "--oidc-email-claims", "mail"),
    ]


@pytest.fixture(scope="module")
def with_stranger(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("with-stranger"), *options(stranger.url), **SECRET) as site:
        yield site


@pytest.mark.parametrize(
    ("sub", "name"),
    [
        ("7d0a2f6e-5a0b-4c1c-9f5e-0d6b3f1c2a01", "Idriss ROUSSEL"),
        ("by-national-id", "Solène MERCIER"),
        ("by-e-mail", "Solène MERCIER"),
    ],
)
def test_a_regulator_signs_in_at_a_provider_of_strangers(
    with_stranger: Site, stranger: Stranger, open_page: OpenPage, sub: str, name: str
) -> None:
    with_stranger.reset()
    page, link = open_page(), with_stranger.link() + "&origin=sas"
    go(page, link)
    assert page.url.startswith(stranger.url)
    press(page, sub)
    assert accept_terms(page).url == link
    assert page.get_by_text(f"{name} Régulateur SAS").is_visible()
    assert "SNP (SAS)" in badges(page)
    book(page)


def test_claims_that_the_settings_do_not_name_let_nobody_in(with_stranger: Site, open_page: OpenPage) -> None:
    page = open_page()
    go(page, with_stranger.link() + "&origin=sas")
    assert press(page, "known-to-nobody").status == 403
    assert title(page) == "Compte inconnu"


def test_refusing_at_a_provider_of_strangers_leads_to_a_page_that_says_so(
    with_stranger: Site, open_page: OpenPage
) -> None:
    page = open_page()
    go(page, with_stranger.link() + "&origin=sas")
    # 400, not 403: this one forgets to send the state back, so its answer could be anybody's.
    assert press(page, "Deny").status == 400
    assert title(page) == "Connexion interrompue"
    go(page, with_stranger.link())
    assert title(page) == "Connexion"


def test_a_provider_that_is_down_gets_a_page(serve: Served, tmp_path: Path, open_page: OpenPage) -> None:
    pytest.importorskip("oidc_provider_mock")
    stranger = Stranger(tmp_path / "log")
    try:
        site = serve(*options(stranger.url), **SECRET)
        page = open_page()
        go(page, site.link() + "&origin=sas")
        # It dies between the two halves of the sign-in.
        answer = requests.post(page.url, data={"sub": "by-e-mail"}, allow_redirects=False, timeout=20)
    finally:
        stranger.stop()
    assert go(page, answer.headers["Location"]).status == 502
    refused(page, site)
    # And to a server that had never asked it for anything, it was never there.
    other = serve(*options(stranger.url), **SECRET)
    assert go(page, other.link() + "&origin=sas").status == 502
    refused(page, other)


def refused(page: "Page", site: Site) -> None:
    """There is a page in French, and no access."""
    assert title(page) == "Authentification impossible"
    assert page.get_by_text("Le fournisseur d’identité n’a pas répondu comme attendu.").is_visible()
    go(page, site.link())
    assert title(page) == "Connexion"


# --- providers that answer rubbish

HTML = (200, "text/html", b"<h1>Maintenance</h1>")


@cache
def key(_: str) -> RSAKey:
    """A key by a name of its own; they all have the same id."""
    return RSAKey.generate_key(2048, {"kid": "one"})


class Impostor:
    """Plays a provider whose answers can be changed one by one; it lets everybody in without asking."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.changes: dict[str, Any] = {}
        self.nonce = ""
        self.credentials: dict[str, str | None] = {}  # that it was shown last, by the last part of the path
        # What it says comes in pieces of so many bytes, until it is over.
        self.piece, self.over = 10_000_000, threading.Event()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, str, bytes] | str:
        """Status, media type and body; or where to redirect to."""
        page = path.rpartition("/")[2]
        if page in self.changes:
            changed: tuple[int, str, bytes] = self.changes[page]
            return changed
        if page == "authorize":
            self.nonce = query["nonce"]
            brings = {"code": "c"} | self.changes.get("brings", {})
            return f"{query['redirect_uri']}?{urlencode(brings | {'state': query['state']})}"
        told: dict[str, dict[str, Any]] = {
            "openid-configuration": {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "jwks_uri": f"{self.url}/jwks",
            }
            | self.changes.get("says", {}),
            "jwks": {"keys": [*self.changes.get("other keys", []), key("its own").as_dict(private=False)]},
            "token": {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token()}
            | self.changes.get("lifetime", {}),
            "userinfo": {"sub": "s", "mail": MERCIER} | self.changes.get("about", {}),
        }
        return (200, "application/json", json.dumps(told[page]).encode()) if page in told else (404, "text/plain", b"")

    def id_token(self) -> str:
        claims = {
            "iss": self.url,
            "sub": "s",
            "aud": "agenda-ville",
            "exp": int(time.time()) + 60,
            "nonce": self.nonce,
        } | self.changes.get("claims", {})
        if self.changes.get("unsigned"):
            return "eyJhbGciOiJub25lIn0." + jwt.encode({"alg": "RS256"}, claims, key("its own")).split(".")[1] + "."
        header = {"alg": "RS256", "kid": "one"} | self.changes.get("header", {})
        signer = key(self.changes.get("key", "its own"))
        known = jws.JWSRegistry({"odd": HeaderParameter("Known here only", "bool")}, strict_check_header=False)
        return jwt.encode(header, claims, signer, registry=known)


@contextmanager
def impostor() -> Iterator[Impostor]:
    """Runs one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            played.credentials[asked.path.rpartition("/")[2]] = self.headers.get("Authorization")
            answer = played.answer(asked.path, dict(parse_qsl(asked.query)))
            if isinstance(answer, str):
                self.send_response(303)
                self.send_header("Location", answer)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status, media_type, body = answer
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for start in range(0, len(body), played.piece):
                if start and played.over.wait(0.05):
                    return
                self.wfile.write(body[start : start + played.piece])

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    played = Impostor(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield played
    finally:
        played.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def rubbish(**answers: Any) -> dict[str, Any]:
    """Answers in place of the sound ones: bodies of JSON, or whole."""
    return {one: (200, "application/json", body) if isinstance(body, bytes) else body for one, body in answers.items()}


BEFORE: dict[str, dict[str, Any]] = {
    "configuration is a list": {"openid-configuration": b"[]"},
    "configuration is a page": {"openid-configuration": HTML},
    "configuration is empty": {"openid-configuration": b"{}"},
    "configuration fails": {"openid-configuration": (500, "application/json", b"{}")},
    "configuration is too large": {"openid-configuration": b" " * 2_000_000 + b"{}"},
    "configuration of another": {"openid-configuration": b'{"issuer": "http://elsewhere.example"}'},
    "keys are a list": {"jwks": b"[]"},
    "keys are a page": {"jwks": HTML},
    "keys are no keys": {"jwks": b'{"keys": [1, null, {"kty": "no"}]}'},
}
AFTER: dict[str, dict[str, Any]] = {
    "token is a page": {"token": HTML},
    "token is a list": {"token": b"[]"},
    "token is an error": {"token": (400, "application/json", b'{"error": "invalid_grant"}')},
    "token without ID token": {"token": b'{"access_token": "a", "token_type": "Bearer"}'},
    "ID token is a number": {"token": b'{"access_token": "a", "token_type": "Bearer", "id_token": 1}'},
    "ID token is no token": {"token": b'{"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"}'},
    "ID token with another key": {"key": "nobody's"},
    "ID token that has to be understood otherwise": {"header": {"crit": ["odd"], "odd": True}},
    "ID token unsigned": {"unsigned": True},
    "ID token for another client": {"claims": {"aud": "agenda-cpts"}},
    "ID token of another issuer": {"claims": {"iss": "http://elsewhere.example"}},
    "ID token for several, given to nobody": {"claims": {"aud": ["agenda-ville", "agenda-cpts"]}},
    "ID token given to another client": {"claims": {"azp": "agenda-cpts"}},
    "ID token for several, given to another": {
        "claims": {"aud": ["agenda-ville", "agenda-cpts"], "azp": "agenda-cpts"}
    },
    "ID token for another sign-in": {"claims": {"nonce": "another"}},
    "ID token that is over": {"claims": {"exp": 1_000_000_000}},
    "ID token about nobody": {"claims": {"sub": None}},
    "answer of another issuer": {"brings": {"iss": "http://elsewhere.example"}},
    "answer without a code": {"brings": {"code": ""}},
    "token that expires in no time that can be": {"lifetime": {"expires_in": 1e400}},
    "token of a type that is none": {"lifetime": {"token_type": 1}},
    "token is too large": {"token": b"{}" + b" " * 2_000_000},
    "token is nested without end": {"token": b"[" * 200_000},
    "ID token with a time that cannot be": {"claims": {"exp": "soon"}},
    "userinfo is a page": {"userinfo": HTML},
    "userinfo is a list": {"userinfo": b"[]"},
    "userinfo about somebody else": {"about": {"sub": "other"}},
}

Imposed = tuple[Impostor, Site]


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imposed]:
    """A provider, and a server that never gets to know how it is configured."""
    with impostor() as played, running(tmp_path_factory.mktemp("unknown"), *options(played.url), **SECRET) as site:
        yield played, site


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imposed]:
    """A provider, and a server that can go as far as asking it for tokens."""
    folder = tmp_path_factory.mktemp("known")
    with impostor() as played, running(folder, *options(played.url), log=folder / "log", **SECRET) as site:
        yield played, site


@pytest.mark.parametrize("changes", [pytest.param(rubbish(**BEFORE[one]), id=one) for one in BEFORE])
def test_without_a_sound_configuration_nobody_is_sent_to_a_provider(unknown: Imposed, changes: dict[str, Any]) -> None:
    played, site = unknown
    played.changes = changes
    assert not attempt(site).history


@pytest.mark.parametrize("changes", [pytest.param(rubbish(**AFTER[one]), id=one) for one in AFTER])
def test_who_comes_back_with_rubbish_gets_a_page_and_no_access(known: Imposed, changes: dict[str, Any]) -> None:
    played, site = known
    played.changes = changes
    assert "/sso/retour?" in attempt(site).url


def test_a_provider_that_names_itself_is_not_answered_for_without_its_name() -> None:
    with impostor() as played:
        played.changes = {"says": {"authorization_response_iss_parameter_supported": True}}
        read = Settings.from_env(SECRET, oidc_issuer=played.url, oidc_email_claims="mail")
        provider, back = IdentityProvider(read.oidc_issuer, read), f"{played.url}/retour"
        url, flow = provider.begin("agenda-ville", back, "/")
        requests.get(url, allow_redirects=False, timeout=20)
        with pytest.raises(ProviderError, match="of the issuer 'None'"):
            provider.finish("agenda-ville", back, flow, {"code": "c"})
        assert provider.finish("agenda-ville", back, flow, {"code": "c", "iss": played.url}).emails == [MERCIER]


def test_the_provider_is_shown_what_it_gave_out_and_no_password_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with impostor() as played:
        read = Settings.from_env(SECRET, oidc_issuer=played.url, oidc_email_claims="mail")
        provider, back = IdentityProvider(read.oidc_issuer, read), f"{played.url}/retour"
        url, flow = provider.begin("agenda-ville", back, "/")
        requests.get(url, allow_redirects=False, timeout=20)
        assert provider.finish("agenda-ville", back, flow, {"code": "c"}).emails == [MERCIER]
        shown = played.credentials
        assert (shown["userinfo"], shown["jwks"], shown["openid-configuration"]) == ("Bearer a", None, None)
        assert shown["token"] == f"Basic {base64.b64encode(b'agenda-ville:anything').decode()}"


@pytest.mark.parametrize(
    "header",
    [{"x5c": ["MIIC" * 500] * 3, "x5t": "AA"}, {"signer": "lga", "exp": 1, "sub": None}, {"typ": "at+jwt", "cty": "x"}],
    ids=["certificates", "nobody knows", "a type"],
)
def test_a_token_is_read_whatever_else_its_header_tells(known: Imposed, header: dict[str, Any]) -> None:
    played, site = known
    site.reset()
    played.changes = {"header": header}
    assert told(arrival(site)) == (200, "Conditions générales d’utilisation")


def attempt(site: Site) -> requests.Response:
    """What somebody gets to see who comes from the SAS; not with a browser, because there are many ways to fail."""
    with requests.Session() as session:
        answer = session.get(site.link() + "&origin=sas", timeout=20)
        assert told(answer) == (502, "Authentification impossible")
        assert told(session.get(site.link(), timeout=20)) == (200, "Connexion")
    return answer


@pytest.mark.parametrize("page", ["openid-configuration", "jwks", "token", "userinfo"])
def test_a_provider_that_dribbles_is_not_waited_for(page: str) -> None:
    with impostor() as played:
        read = Settings.from_env(SECRET, oidc_issuer=played.url, oidc_email_claims="mail")
        provider = IdentityProvider(read.oidc_issuer, read)
        # It would drip for longer than there is time, while no single read waits.
        slow = json.dumps(json.loads(played.answer(f"/{page}", {})[2]) | {"x": "x" * 100_000}).encode()
        attempt: Callable[[], object] = partial(provider.begin, "agenda-ville", f"{played.url}/retour", "/")
        if page in ("token", "userinfo"):
            url, flow = provider.begin("agenda-ville", f"{played.url}/retour", "/")
            requests.get(url, allow_redirects=False, timeout=20)
            attempt = partial(provider.finish, "agenda-ville", f"{played.url}/retour", flow, {"code": "c"})
        played.changes, played.piece = rubbish(**{page: slow}), 2000
        began = time.monotonic()
        # Less than what a browser's request gives it, so that the test is short.
        with pytest.raises(ProviderError) as raised, within(0.3):
            attempt()
        assert "timed out" in str(raised.value).lower()
        assert time.monotonic() - began < 20


def test_a_logout_counts_for_all_editors_that_are_one_client(tmp_path: Path) -> None:
    with impostor() as played:
        named = ("--oidc-client-id", "lga")
        with running(tmp_path, *options(played.url), *named, log=tmp_path / "log", **SECRET) as site:
            played.changes = {"claims": {"aud": "lga", "sid": "one"}}
            links = site.link(), site.link(FORET, "agenda-cpts")
            with requests.Session() as session:
                for link in links:
                    assert told(session.get(link + "&origin=sas", timeout=20))[1].startswith("Conditions")
                assert log_out(site, logout_token(played, aud="lga")).status_code == 200
                for link in links:
                    assert told(session.get(link, timeout=20)) == (200, "Connexion")


@pytest.mark.parametrize(
    "seconds",
    [
        None,
        3600,
        60,
    ],
)
def test_the_same_provider_lets_people_in_when_nothing_is_wrong(
    known: Imposed, open_page: OpenPage, seconds: int | None
) -> None:
    (played, site), page = known, open_page()
    site.reset()
    played.changes = {"lifetime": {"expires_in": seconds} if seconds else {}}
    go(page, site.link() + "&origin=sas")
    accept_terms(page)
    assert page.get_by_text("Solène MERCIER Régulateur SAS").is_visible()


def test_claims_of_strange_types_are_those_of_nobody(known: Imposed, open_page: OpenPage) -> None:
    (played, site), page = known, open_page()
    played.changes = {"about": {"mail": [MERCIER, "other@x.example"], "rpps": {"value": "3339900018/00000001"}}}
    assert go(page, site.link() + "&origin=sas").status == 403
    assert title(page) == "Compte inconnu"


@pytest.mark.parametrize("verified", [False, "false", 0, 1, 1.0, None, "", [], [False], [1], "TRUE?", 2])
def test_an_address_that_the_provider_has_not_verified_is_nobody_s(known: Imposed, verified: object) -> None:
    played, site = known
    played.changes = {"about": {"email_verified": verified}}
    assert told(arrival(site)) == (403, "Compte inconnu")


@pytest.mark.parametrize(
    "about",
    [
        {"email_verified": True},
        {"email_verified": "true"},
        {"email_verified": [True]},
        {"mail": [MERCIER], "email_verified": ["true"]},
        {"mail": None, "rpps": ["3339900018/00000001"]},
    ],
    ids=str,
)
def test_a_claim_with_one_value_counts_however_it_is_written(known: Imposed, about: dict[str, Any]) -> None:
    played, site = known
    site.reset()
    played.changes = {"about": about}
    assert told(arrival(site)) == (200, "Conditions générales d’utilisation")


def arrival(site: Site) -> requests.Response:
    """What somebody gets to see who comes from the SAS, in a browser of their own."""
    with requests.Session() as session:
        return session.get(site.link() + "&origin=sas", timeout=20)


@pytest.mark.parametrize(
    "error",
    ["temporarily_unavailable", "server_error", "invalid_scope", "unauthorized_client", "invalid_request", "new_error"],
)
def test_an_outage_of_the_provider_or_a_wrong_configuration_is_told_as_such(known: Imposed, error: str) -> None:
    played, site = known
    played.changes = {"brings": {"code": "", "error": error, "error_description": "<b>Why</b>"}}
    answer = attempt(site)
    assert f"Détail : {error} (&lt;b&gt;Why&lt;/b&gt;)" in answer.text
    assert f"The identity provider fails: {error} (<b>Why</b>)" in site.simulator.log()


def test_so_are_the_errors_of_the_other_endpoints(known: Imposed) -> None:
    played, site = known
    refusal = b'{"error": "invalid_client", "error_description": "Unknown client"}'
    played.changes = {"token": (401, "application/json", refusal)}
    assert "Détail : invalid_client (Unknown client)" in attempt(site).text
    played.changes = {"userinfo": (503, "text/html", b"")}
    assert "503" in attempt(site).text


@pytest.mark.parametrize("error", ["access_denied", "login_required", "interaction_required", "consent_required"])
def test_a_refusal_of_the_provider_is_told_as_such(known: Imposed, error: str) -> None:
    played, site = known
    played.changes = {"brings": {"code": "", "error": error}}
    assert told(arrival(site)) == (403, "Authentification refusée")


def test_keys_that_cannot_be_read_are_left_alone(known: Imposed) -> None:
    played, site = known
    site.reset()
    odd: list[Any] = [
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "one"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "one"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "one"},
        {"kty": "RSA", "kid": "one"},
        {"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "one"},
        {"kty": "oct", "k": "AAAA", "kid": "one"},
        key("its own").as_dict(private=False) | {"use": "enc"},
        key("its own").as_dict(private=False) | {"use": "else"},
        key("another").as_dict(private=False) | {"kid": 1},
        key("another").as_dict(private=False),
        {"kty": ["RSA"]},
        {},
        None,
        1,
        [],
    ]
    played.changes = {"other keys": odd}
    # So that the set is fetched again, with these in it.
    played.changes["key"] = "third"
    assert told(arrival(site)) == (502, "Authentification impossible")
    del played.changes["key"]
    assert told(arrival(site)) == (200, "Conditions générales d’utilisation")


def test_an_id_token_for_several_that_was_given_to_us_is_good(known: Imposed) -> None:
    played, site = known
    site.reset()
    played.changes = {"claims": {"aud": ["agenda-cpts", "agenda-ville"], "azp": "agenda-ville"}}
    assert told(arrival(site)) == (200, "Conditions générales d’utilisation")


def test_a_provider_that_changes_its_keys_is_still_trusted(known: Imposed, open_page: OpenPage) -> None:
    (played, site), page = known, open_page()
    site.reset()
    played.changes = {}
    go(page, site.link() + "&origin=sas")
    accept_terms(page)
    new = {"keys": [key("another").as_dict(private=False)]}
    played.changes = rubbish(jwks=json.dumps(new).encode()) | {"key": "another"}
    page = open_page()
    go(page, site.link() + "&origin=sas")
    assert page.get_by_text("Solène MERCIER Régulateur SAS").is_visible()


# --- the provider ends sessions

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def signed_in(played: Impostor, site: Site, **claims: Any) -> requests.Session:
    """The browser of somebody who came from the SAS, of a session that the provider describes like this."""
    played.changes = {"claims": claims}
    session = requests.Session()
    page = session.get(site.link() + "&origin=sas", timeout=20)
    if told(page)[1].startswith("Conditions"):
        form_key = page.text.split('name="jeton" value="')[1].partition('"')[0]
        session.post(page.url, data={"jeton": form_key, "accepter": "1"}, timeout=20)
    assert is_in(session, site)
    return session


def is_in(session: requests.Session, site: Site) -> bool:
    return "Régulateur SAS" in session.get(site.link(), timeout=20).text


def logout_token(played: Impostor, *, name: str = "its own", **changes: Any) -> str:
    """What the provider sends when a session ends; claims that are None are left out."""
    now = int(time.time())
    claims = {
        "iss": played.url,
        "aud": "agenda-ville",
        "iat": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
        "events": {EVENT: {}},
        "sub": "s",
        "sid": "one",
    } | changes
    sound = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one", "typ": "logout+jwt"}, sound, key(name))


def log_out(site: Site, token: str, editor: str = "agenda-ville") -> requests.Response:
    return requests.post(f"{site.url}/{editor}/sso/deconnexion", data={"logout_token": token}, timeout=20)


def test_sessions_end_with_those_at_the_provider(known: Imposed) -> None:
    played, site = known
    site.reset()
    first, second = signed_in(played, site, sid="one"), signed_in(played, site, sid="two")
    answer = log_out(site, logout_token(played))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert not is_in(first, site)
    assert is_in(second, site)
    # Of a person as such: all.
    third = signed_in(played, site, sid="three")
    assert log_out(site, logout_token(played, sid=None)).status_code == 200
    assert not is_in(second, site)
    assert not is_in(third, site)


@pytest.mark.parametrize(
    ("sid", "changes", "ended"),
    [
        ("one", {"sub": None}, True),
        ("one", {"sub": "else"}, False),
        ("one", {"sid": "two"}, False),
        ("one", {"aud": ["agenda-cpts", "agenda-ville"]}, True),
        (None, {}, True),  # whose session the provider gave no name
        (None, {"sub": None}, False),
    ],
    ids=str,
)
def test_only_the_sessions_that_are_meant_end(
    known: Imposed, sid: str | None, changes: dict[str, Any], ended: bool
) -> None:
    played, site = known
    site.reset()
    session = signed_in(played, site, **({"sid": sid} if sid else {}))
    assert log_out(site, logout_token(played, **changes)).status_code == 200
    assert is_in(session, site) is not ended


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://elsewhere.example"},
        {"aud": "agenda-cpts"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": 10**400},
        {"iat": None},
        {"iat": 10_000_000_000},
        {"jti": None},
        {"events": None},
        {"events": []},
        {"events": {EVENT: True}},
        {"events": {"http://schemas.openid.net/event/else": {}}},
        {"nonce": "n"},
        {"sub": None, "sid": None},
        {"sub": 1},
        {"sid": ["one"]},
        {"name": "nobody's"},
    ],
    ids=str,
)
def test_a_logout_token_that_is_not_sound_ends_nothing(known: Imposed, changes: dict[str, Any]) -> None:
    played, site = known
    site.reset()
    session = signed_in(played, site, sid="one")
    answer = log_out(site, logout_token(played, **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert is_in(session, site)


def test_neither_does_an_id_token_nor_what_is_no_token_nor_one_that_was_used(known: Imposed) -> None:
    played, site = known
    site.reset()
    used = logout_token(played)
    assert log_out(site, used).status_code == 200
    session = signed_in(played, site, sid="one")
    for token in (used, played.id_token(), "", "a.b.c", "é", "eyJhbGciOiJub25lIn0.e30."):
        answer = log_out(site, token)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert answer.headers["Cache-Control"] == "no-store"
    assert requests.post(f"{site.url}/agenda-ville/sso/deconnexion", json={}, timeout=20).status_code == 415
    assert is_in(session, site)


# --- no provider at all


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("alone"), "--oidc-issuer", "none") as site:
        yield site


@pytest.mark.parametrize("origin", ["&origin=sas", "?origin=sas-preprod"])
def test_without_a_provider_a_password_gives_the_level_to_who_comes_from_the_sas(
    alone: Site, open_page: OpenPage, origin: str
) -> None:
    alone.reset()
    page, link = open_page(), alone.link() + origin
    go(page, link)
    assert page.get_by_text("Vous venez du SAS").is_visible()
    assert page.get_by_role("button", name="Continuer sans compte").count() == 0
    log_in(page, MERCIER, alone.account(MERCIER)["password"])
    assert accept_terms(page).url == link
    assert page.get_by_text("Solène MERCIER Régulateur SAS").is_visible()
    assert "SNP (SAS)" in badges(page)
    book(page)
    assert page.get_by_text("par un régulateur, depuis le SAS").is_visible()


def test_without_a_provider_and_without_origin_a_password_gives_no_level(alone: Site, open_page: OpenPage) -> None:
    alone.reset()
    page = open_page()
    go(page, alone.link())
    log_in(page, MERCIER, alone.account(MERCIER)["password"])
    accept_terms(page)
    assert page.get_by_text("Solène MERCIER").is_visible()
    assert badges(page) == set()
    # It comes with the link of the SAS, and only with a password given again.
    go(page, alone.link() + "&origin=sas")
    log_in(page, MERCIER, alone.account(MERCIER)["password"])
    assert "SNP (SAS)" in badges(page)


def test_without_a_provider_a_wrong_password_does_not_lose_the_way(alone: Site, open_page: OpenPage) -> None:
    alone.reset()
    page, link = open_page(), alone.link() + "&origin=sas"
    go(page, link)
    assert log_in(page, MERCIER, "wrong").status == 403
    assert page.get_by_text("Vous venez du SAS").is_visible()
    log_in(page, MERCIER, alone.account(MERCIER)["password"])
    assert accept_terms(page).url == link


@pytest.mark.parametrize("origin", ["", "elsewhere"])
def test_without_a_provider_the_level_is_not_for_who_writes_an_origin_into_the_form(
    alone: Site, open_page: OpenPage, origin: str
) -> None:
    alone.reset()
    page = open_page()
    suite = quote(alone.link().removeprefix(alone.url))
    go(page, f"{alone.url}/agenda-ville/connexion?suite={suite}&origine={origin}")
    log_in(page, MERCIER, alone.account(MERCIER)["password"])
    go(page, alone.link())
    assert page.get_by_text("Régulateur SAS").count() == 0
    assert badges(page) == set()


def test_with_a_provider_an_origin_in_the_form_gives_nothing(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    suite = quote(site.link().removeprefix(site.url))
    go(page, f"{site.url}/agenda-ville/connexion?suite={suite}&origine=sas")
    log_in(page, MERCIER, site.account(MERCIER)["password"])
    assert accept_terms(page).url == site.link()
    assert badges(page) == set()
    assert page.get_by_text("Régulateur SAS").count() == 0

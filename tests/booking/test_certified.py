"""Signing in at a certified provider (``oidc-provider`` of npm), in the ways in which real ones are set up.

``make oidc-provider`` installs it; where it or Node is missing, these are skipped.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from mock_editor.booking.sso import Identified, IdentityProvider, ProviderError
from mock_editor.settings import Settings
from tests.browser.conftest import MERCIER, Site, running
from tests.wire.conftest import eventually

FOLDER = Path(__file__).parents[2] / "var" / "oidc-provider"
BACK = "http://editor.example/agenda-ville/sso/retour"
RPPS = "3339900018/00000001"
ACCOUNTS = {"s-1": {"rpps": RPPS, "email": MERCIER, "email_verified": True}, "s-2": {"rpps": ["899700000002"]}}
SECRET = "a secret+of/the=client%41:with what has to be encoded"  # noqa: S105 - of these tests
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})


class Certified:
    """The process; it plays any number of providers."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                ["node", str(Path(__file__).with_name("provider.mjs")), str(FOLDER)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout
        port = self.process.stdout.readline().strip()
        assert port, log.read_text()
        self.url = f"http://127.0.0.1:{port}"

    def make(
        self, path: str, *keys: Key, issuer: str | None = None, published: list[Any] | None = None, **client: Any
    ) -> str:
        """Makes a provider with one client, or another one in its place; returns its issuer."""
        known = {
            "client_id": "agenda-ville",
            "client_secret": SECRET,
            "redirect_uris": [BACK],
            "id_token_signed_response_alg": "RS256",
        } | client
        algorithms = ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256"]
        told = {
            "path": path,
            "issuer": path if issuer is None else issuer,
            "accounts": ACCOUNTS,
            "keys": {"keys": published} if published else None,
            "config": {
                "clients": [{name: value for name, value in known.items() if value is not None}],
                "clientAuthMethods": [known.get("token_endpoint_auth_method", "client_secret_basic")],
                "enabledJWA": {"idTokenSigningAlgValues": algorithms, "userinfoSigningAlgValues": algorithms},
                "jwks": {"keys": [one.as_dict(private=True) for one in keys or (RSA,)]},
            },
        }
        answer = requests.post(self.url, json=told, timeout=20)
        assert answer.ok, answer.text
        return answer.text


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    version = (
        subprocess.run(["node", "--version"], capture_output=True, text=True).stdout if shutil.which("node") else ""
    )
    if not version or int(re.findall(r"\d+", version)[0]) < 20:
        pytest.skip(f"there is no Node of version 20 or later on this machine {version}")
    if not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("oidc-provider is not installed: make oidc-provider")
    made = Certified(tmp_path_factory.mktemp("certified") / "log")
    yield made
    made.process.kill()
    made.process.communicate()


def client_of(issuer: str, **settings: Any) -> IdentityProvider:
    """An editor's side."""
    given = {"oidc_issuer": issuer, "oidc_national_id_claims": "rpps", "oidc_scope": "openid profile email"} | settings
    environment = {"MOCK_EDITOR_OIDC_CLIENT_SECRET": SECRET}
    read = Settings.from_env(environment, **given)
    return IdentityProvider(read.oidc_issuer, read)


def sign_in(provider: IdentityProvider, login: str = "s-1", browser: requests.Session | None = None) -> Identified:
    """Goes to the provider with a browser, and comes back."""
    url, flow = provider.begin("agenda-ville", BACK, "/")
    answer = through(browser or requests.Session(), url, login)
    back = answer.headers["Location"]
    assert back.startswith(f"{BACK}?"), (answer.status_code, answer.text)
    return provider.finish("agenda-ville", BACK, flow, dict(parse_qsl(urlsplit(back).query)))


def through(browser: requests.Session, url: str, login: str) -> requests.Response:
    """Follows a provider until it sends the browser back to its client; says who is there where it asks."""
    for _ in range(8):
        answer = browser.get(url, allow_redirects=False, timeout=20)
        if answer.status_code == 200 and "/interaction/" in url:
            answer = browser.post(url, data={"login": login}, allow_redirects=False, timeout=20)
        url = urljoin(url, answer.headers.get("Location", ""))
        if "/sso/retour" in url or not answer.is_redirect:
            return answer
    raise AssertionError(f"too many redirects: {url}")


@pytest.mark.parametrize(
    "method",
    ["client_secret_basic", "client_secret_post", "client_secret_jwt"],
    ids=["in the header", "in the body", "by a signature"],
)
def test_the_client_authenticates_as_the_provider_takes_it(certified: Certified, method: str) -> None:
    issuer = certified.make(f"/{method}", token_endpoint_auth_method=method)
    found = sign_in(client_of(issuer))
    assert found.national_ids == [RPPS]
    assert found.emails == [MERCIER]
    assert found.subject == "s-1"


def test_a_provider_that_takes_no_way_that_we_know_is_told_apart(certified: Certified) -> None:
    key: dict[str, Any] = {"jwks": {"keys": [RSA.as_dict(private=False)]}}
    issuer = certified.make("/by-key", token_endpoint_auth_method="private_key_jwt", **key)  # noqa: S106 - a method
    with pytest.raises(ProviderError, match="the token endpoint takes private_key_jwt") as raised:
        sign_in(client_of(issuer))
    assert not raised.value.refused


@pytest.mark.parametrize(
    ("path", "issuer"),
    [("/", "/"), ("/realms/sas", "/realms/sas"), ("/slash/", "/slash/"), ("/", "")],
    ids=["a slash", "a path", "a path and a slash", "a port alone"],
)
@pytest.mark.parametrize("configured", ["as it is", "with the slash changed"])
def test_the_issuer_is_what_the_provider_publishes(
    certified: Certified, path: str, issuer: str, configured: str
) -> None:
    published = certified.make(path, issuer=issuer)
    assert published == certified.url + issuer
    changed = published.rstrip("/") if published.endswith("/") else f"{published}/"
    found = sign_in(client_of(published if configured == "as it is" else changed))
    assert found.subject == "s-1"


KEYS: dict[str, Key] = {
    "RS256": RSA,
    "PS256": RSA,
    "ES256": ECKey.generate_key("P-256", {"kid": "p256"}),
    "ES384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "ES512": ECKey.generate_key("P-521", {"kid": "p521"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "eddsa"}),
    "HS256": RSA,
}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the runner has filters of its own
@pytest.mark.parametrize("signed", ["id_token", "userinfo"])
@pytest.mark.parametrize("algorithm", KEYS)
def test_whatever_signs_is_believed(certified: Certified, algorithm: str, signed: str) -> None:
    key = KEYS[algorithm]
    keys = (key,) if key is RSA else (key, RSA)
    settings: dict[str, Any] = {f"{signed}_signed_response_alg": algorithm}
    settings |= {"client_secret": SECRET} if algorithm != "HS256" else {}
    issuer = certified.make(f"/{algorithm}-{signed}", *keys, **settings)
    found = sign_in(client_of(issuer))
    assert (found.national_ids, found.emails) == ([RPPS], [MERCIER])


def test_a_client_without_a_secret_has_none_to_show(certified: Certified) -> None:
    issuer = certified.make("/public", token_endpoint_auth_method="none", client_secret=None)  # noqa: S106 - none
    read = Settings.from_env({}, oidc_issuer=issuer, oidc_national_id_claims="rpps")
    assert sign_in(IdentityProvider(read.oidc_issuer, read)).subject == "s-1"


def test_a_wrong_secret_is_told_as_what_it_is(certified: Certified) -> None:
    issuer = certified.make("/wrong", client_secret="another")  # noqa: S106 - of this test
    with pytest.raises(ProviderError, match=r"^invalid_client") as raised:
        sign_in(client_of(issuer))
    assert not raised.value.refused


def test_who_says_no_is_refused_and_a_wrong_scope_is_not(certified: Certified) -> None:
    issuer = certified.make("/errors")
    with pytest.raises(ProviderError, match=r"^access_denied") as raised:
        sign_in(client_of(issuer), login="")
    assert raised.value.refused
    issuer = certified.make("/scopes", scope="openid")
    with pytest.raises(ProviderError, match=r"^invalid_scope") as raised:
        sign_in(client_of(issuer))
    assert not raised.value.refused


def test_keys_change_among_others_that_nobody_can_read(certified: Certified) -> None:
    odd = [
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "odd"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "new"},
        {"kty": "RSA", "kid": "new"},
        RSAKey.generate_key(2048, {"kid": "new", "use": "enc"}).as_dict(private=False),
    ]
    provider = client_of(certified.make("/rotation", published=[*odd, RSA.as_dict(private=False)]))
    assert sign_in(provider).subject == "s-1"
    new = JWKRegistry.generate_key("RSA", 2048, {"kid": "new"})
    certified.make("/rotation", new, published=[*odd, RSA.as_dict(private=False), new.as_dict(private=False)])
    assert sign_in(provider).subject == "s-1"


# --- with editors that run


@pytest.fixture(scope="module")
def with_certified(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    folder = tmp_path_factory.mktemp("with-certified")
    issuer = f"{certified.url}/sas/"
    options = ("--oidc-issuer", issuer, "--oidc-national-id-claims", "rpps")
    with running(folder, *options, log=folder / "log", MOCK_EDITOR_OIDC_CLIENT_SECRET=SECRET) as site:
        back = f"{site.url}/agenda-ville/sso"
        certified.make(
            "/sas/",
            redirect_uris=[f"{back}/retour"],
            backchannel_logout_uri=f"{back}/deconnexion",
            backchannel_logout_session_required=True,
            post_logout_redirect_uris=[f"{site.url}/_sas/"],
        )
        yield site, issuer


def arrive(browser: requests.Session, site: Site, login: str = "s-1") -> str:
    """Comes from the SAS and does what is asked; returns the page."""
    answer = through(browser, site.link() + "&origin=sas", login)
    page = browser.get(answer.headers["Location"], timeout=20)
    if "Conditions générales" in page.text:
        key = re.search(r'name="jeton" value="([^"]*)"', page.text)
        assert key
        page = browser.post(page.url, data={"jeton": key[1], "accepter": "1"}, timeout=20)
    return page.text


def sign_out(browser: requests.Session, issuer: str) -> None:
    """At the provider: RP-initiated logout."""
    page = browser.get(f"{issuer}session/end", params={"client_id": "agenda-ville"}, timeout=20)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    action = re.search(r'action="([^"]*)"', page.text)
    assert action, page.text
    browser.post(action[1], data=fields | {"logout": "yes"}, timeout=20).raise_for_status()


def test_signing_out_at_the_provider_ends_the_session_of_the_editor(
    certified: Certified, with_certified: tuple[Site, str]
) -> None:
    site, issuer = with_certified
    with requests.Session() as browser, requests.Session() as other:
        for one in (browser, other):
            assert "Solène MERCIER" in arrive(one, site)
        sign_out(browser, issuer)

        def is_out() -> bool:
            return "Régulateur SAS" not in browser.get(site.link(), timeout=20).text

        assert eventually(is_out, 20), certified.log.read_text()
        assert "Régulateur SAS" in other.get(site.link(), timeout=20).text


def test_the_next_person_at_the_provider_is_the_next_one_at_the_editor(with_certified: tuple[Site, str]) -> None:
    site, issuer = with_certified
    with requests.Session() as browser:
        assert "Solène MERCIER" in arrive(browser, site)
        # Without being asked: the provider knows her.
        assert "Solène MERCIER" in arrive(browser, site, login="nobody")
        sign_out(browser, issuer)
        # Whom no editor knows.
        assert "Aucun compte ne correspond" in arrive(browser, site, login="s-2")
        assert "Régulateur SAS" not in browser.get(site.link(), timeout=20).text

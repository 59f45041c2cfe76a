"""Who gets in: programs and browsers of this machine, and from elsewhere those with the token."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.http import parse_cookie
from werkzeug.test import TestResponse

from mock_editor.admin import guard
from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.scenario import LoadedScenario
from tests.conftest import NOW, PUBLIC_URL, application, json_of, matched

TOKEN = "jeton-de-seize-signes-au-moins"  # noqa: S105 - of these tests only
ACCOUNTS, HOME, ACCESS = "/_admin/accounts", "/_console/", "/_console/acces"
FAR = {"REMOTE_ADDR": "192.0.2.7"}
HERE = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture
def app(played: LoadedScenario, tmp_path: Path) -> Flask:
    return application(played, Clock(NOW), tmp_path, admin_token=TOKEN)


@pytest.fixture
def tokenless(played: LoadedScenario, tmp_path: Path) -> FlaskClient:
    folder = tmp_path / "tokenless"
    folder.mkdir()
    return application(played, Clock(NOW), folder).test_client()


def status(client: FlaskClient, peer: str, headers: dict[str, str], url: str = ACCOUNTS) -> int:
    return client.get(url, environ_overrides={"REMOTE_ADDR": peer}, headers=headers).status_code


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.:80", "127.0.0.1", "127.0.0.1:8000", "127.8.8.8", "[::1]:8000"]
)
def test_this_machine_needs_no_token(client: FlaskClient, peer: str, host: str) -> None:
    for site in ({}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}):
        assert status(client, peer, {"Host": host, **site}) == 200
        assert status(client, peer, {"Host": host, **site}, HOME) == 200


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "2001:db8::7", "fe80::1%eth0", "::ffff:192.0.2.7", ""])
def test_other_machines_do(client: FlaskClient, tokenless: FlaskClient, peer: str) -> None:
    assert status(client, peer, {}) == 401
    assert status(client, peer, {"Host": "127.0.0.1"}) == 401
    assert status(client, peer, {"Authorization": f"Bearer {TOKEN}"}) == 200
    assert status(client, peer, {}, HOME) == 303
    assert status(tokenless, peer, {}) == 403
    assert status(tokenless, peer, {}, HOME) == 403
    assert status(tokenless, peer, {}, ACCESS) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": ""},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-Ip": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"X-Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-Client-Cert": "Hash=0"},
        {"X-Original-Url": "/"},
        {"X-Client-Cert": "x"},
        {"X-Client-Ip": "127.0.0.1"},
        {"True-Client-Ip": "127.0.0.1"},
        {"Cf-Connecting-Ip": "127.0.0.1"},
        {"X-Envoy-External-Address": "127.0.0.1"},
        {"X-Amzn-Trace-Id": "Root=1"},
        {"Host": ""},
        {"Host": "127.1"},
        {"Host": "0.0.0.0"},  # noqa: S104 - what browsers may be led to
        {"Host": "localhost,lga.example"},
        {"Host": "lga.example,localhost"},
        {"Host": "localhost localhost"},
        {"Host": "lga.example"},
        {"Host": "localhost.lga.example"},
        {"Host": "127.0.0.1.lga.example"},
        {"Host": "127.0.0.1@lga.example"},
        {"Host": "192.0.2.1"},
        {"Host": "[::2]"},
        {"Host": "::1"},
        {"Host": "[::1"},
        {"Host": "localhost:80:80"},
    ],
)
def test_what_was_passed_on_or_meant_for_another_name_is_not_from_here(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    assert status(client, "127.0.0.1", headers) == 401
    assert status(client, "127.0.0.1", headers, HOME) == 303
    assert status(client, "127.0.0.1", {**headers, "Authorization": f"bearer  {TOKEN} "}) == 200


@pytest.mark.parametrize(
    "environ",
    [
        {"SERVER_PROTOCOL": "HTTP/1.0"},
        {"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_HOST": "127.0.0.1:8000"},
        {"RAW_URI": "http://lga.example/_admin/accounts"},
        {"RAW_URI": "http://localhost/_admin/accounts"},
        {"mock_editor.tls": b""},
        {"REMOTE_ADDR": "127.0.0.9"},
        {"REMOTE_ADDR": "::ffff:127.0.0.9"},
    ],
)
def test_what_a_proxy_may_have_passed_on_is_not_from_here(
    played: LoadedScenario, tmp_path: Path, environ: dict[str, str]
) -> None:
    client = application(played, Clock(NOW), tmp_path, admin_token=TOKEN, proxies="127.0.0.9,10.0.0.0/8").test_client()
    for url, refused in ((ACCOUNTS, 401), ("/_metrics", 401), (HOME, 303)):
        assert client.get(url, environ_overrides=environ).status_code == refused
        assert client.get(url).status_code == 200
    given = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get(ACCOUNTS, environ_overrides=environ, headers=given).status_code == 200


def test_it_is_told_why_the_token_is_wanted(client: FlaskClient) -> None:
    told = json_of(client.get(ACCOUNTS, headers={"X-Forwarded-For": "192.0.2.7"}))["detail"]
    assert told.endswith("because a proxy has passed it on (X-Forwarded-For)")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "x"])
def test_pages_of_other_sites_get_nothing(client: FlaskClient, site: str) -> None:
    assert status(client, "127.0.0.1", {"Sec-Fetch-Site": site}) == 403
    assert status(client, "127.0.0.1", {"Sec-Fetch-Site": site}, HOME) == 403
    # No browser sends the token on its own.
    assert status(client, "127.0.0.1", {"Sec-Fetch-Site": site, "Authorization": f"Bearer {TOKEN}"}) == 200


@pytest.mark.parametrize("given", ["", "x", TOKEN[:-1], f"{TOKEN}x", "é", "\udcff", "jeton", "🔑", "a" * 5000])
@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.7"])
def test_a_wrong_token_is_refused_wherever_it_comes_from(client: FlaskClient, peer: str, given: str) -> None:
    answer = client.get(ACCOUNTS, environ_overrides={"REMOTE_ADDR": peer, "HTTP_AUTHORIZATION": f"Bearer {given}"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="mock-editor"'
    assert answer.content_type.startswith("application/problem+json")
    assert TOKEN not in answer.text


def test_another_scheme_is_no_token(client: FlaskClient) -> None:
    assert status(client, "127.0.0.1", {"Authorization": f"Basic {TOKEN}"}) == 200
    assert status(client, "192.0.2.7", {"Authorization": f"Basic {TOKEN}"}) == 401
    assert status(client, "192.0.2.7", {"Authorization": TOKEN}) == 401


def test_wrong_tokens_wait_longer_and_longer_and_the_right_one_never_does() -> None:
    waited: list[float] = []
    keeper, app = guard.Guard(TOKEN, PUBLIC_URL, pause=waited.append), Flask(__name__)

    def tried(peer: str, token: str) -> bool:
        with app.test_request_context(environ_base={"REMOTE_ADDR": peer}):
            return keeper.knows(token)

    assert not any(tried("192.0.2.7", "faux") for _ in range(30))
    assert waited == [0.25, 0.5, 1, *[2] * 22]
    # Behind the same proxy, everybody has the same address.
    assert tried("192.0.2.7", TOKEN)
    assert not tried("192.0.2.8", "faux")
    assert len(waited) == 25
    for number in range(2000):
        tried(f"10.0.{number // 250}.{number % 250}", "faux")
    assert len(keeper._failures) == 1000


def test_wrong_tokens_hold_few_requests() -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def pause(_: float) -> None:
        entered.release()
        leave.wait(20)

    keeper, app = guard.Guard(TOKEN, PUBLIC_URL, pause=pause), Flask(__name__)

    def tried(token: str) -> bool:
        with app.test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.7"}):
            return keeper.knows(token)

    assert not any(tried("faux") for _ in range(5))
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(tried, "faux") for _ in range(16)]
        assert all(entered.acquire(timeout=20) for _ in waiting)
        with pytest.raises(EditorError) as refused:
            tried("faux")
        assert (refused.value.status, tried(TOKEN)) == (429, True)
        leave.set()
        assert not any(one.result(20) for one in waiting)
    assert not tried("faux")


def test_every_refusal_is_a_problem_document_whatever_is_accepted(client: FlaskClient) -> None:
    html = {"Accept": "text/html"}
    for answer in (
        client.get(ACCOUNTS, environ_overrides=FAR, headers=html),
        client.get(ACCOUNTS, headers={**html, "Sec-Fetch-Site": "cross-site"}),
        client.get("/_admin/nulle-part", headers=html),
        client.get("/_admin", headers=html),
        client.delete(ACCOUNTS, headers=html),
        client.options(ACCOUNTS, headers=html),
        client.get(f"{ACCOUNTS}?limit=x", headers=html),
    ):
        assert answer.content_type.startswith("application/problem+json"), answer.request.path
        assert json_of(answer).keys() == {"type", "title", "status", "detail", "errors"}
        assert json_of(answer)["status"] == answer.status_code


# --- browsers from elsewhere


def jeton(page: TestResponse) -> str:
    return matched(r'name="jeton" value="([^"]*)"', page.text)[1]


def enter(client: FlaskClient, token: str, target: str = HOME) -> TestResponse:
    page = client.get(ACCESS, environ_overrides=FAR)
    data = {"jeton": jeton(page), "acces": token, "vers": target}
    return client.post(ACCESS, data=data, environ_overrides=FAR)


def test_a_browser_from_elsewhere_is_sent_to_the_access_page_and_back(client: FlaskClient) -> None:
    wanted = "/_console/rendez-vous?editeur=agenda-ville"
    sent = client.get(wanted, environ_overrides=FAR)
    assert sent.status_code == 303
    page = client.get(sent.headers["Location"], environ_overrides=FAR)
    assert page.status_code == 200
    assert "<h1>Accès à la console</h1>" in page.text
    with client.get("/_console/static/console.css", environ_overrides=FAR) as style:
        assert style.status_code == 200
    target = matched(r'name="vers" value="([^"]*)"', page.text)[1]
    entered = enter(client, TOKEN, target)
    assert (entered.status_code, entered.headers["Location"]) == (303, wanted)
    shown = client.get(wanted, environ_overrides=FAR)
    assert shown.status_code == 200
    assert "Quitter" in shown.text


def test_the_cookie_tells_nothing_of_the_token(client: FlaskClient) -> None:
    cookie = enter(client, f" {TOKEN} ").headers["Set-Cookie"]
    assert TOKEN not in cookie
    for part in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/_console", "Max-Age=43200"):
        assert part in cookie
    # It opens the console only, and no page of another site may use it.
    assert client.get(ACCOUNTS, environ_overrides=FAR).status_code == 401
    assert status(client, "192.0.2.7", {"Sec-Fetch-Site": "cross-site"}, HOME) == 403


def test_over_plain_http_the_cookie_is_not_secure(played: LoadedScenario, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    client = application(played, Clock(NOW), folder, "http://lga.example/lga", admin_token=TOKEN).test_client()
    page = client.get("/_console/", environ_overrides=FAR)
    assert page.headers["Location"] == "/lga/_console/acces?vers=/_console/"
    page = client.get(ACCESS, environ_overrides=FAR)
    # A browser keeps it for /lga, which a proxy takes off.
    [(name, held)] = parse_cookie(page.headers["Set-Cookie"].partition(";")[0]).items()
    client.set_cookie(name, held, path="/_console")
    entered = client.post(ACCESS, data={"jeton": jeton(page), "acces": TOKEN}, environ_overrides=FAR)
    assert entered.headers["Location"] == "/lga/_console/"
    assert "Secure" not in entered.headers["Set-Cookie"]
    assert "Path=/lga/_console" in entered.headers["Set-Cookie"]


@pytest.mark.parametrize("given", ["", "faux", "é", f"{TOKEN}x"])
def test_a_wrong_token_is_told_in_french(client: FlaskClient, given: str) -> None:
    page = enter(client, given, "/_console/comptes")
    assert page.status_code == 403
    assert "Ce jeton d’accès n’est pas le bon." in page.text
    assert 'name="vers" value="/_console/comptes"' in page.text
    assert client.get(HOME, environ_overrides=FAR).status_code == 303


def test_whoever_has_guessed_comes_in_with_the_right_one(client: FlaskClient) -> None:
    for _ in range(6):
        assert enter(client, "faux").status_code == 403
    assert enter(client, TOKEN).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://pirate.example/_console/",
        "//pirate.example",
        "/\\pirate.example",
        "/agenda-ville/agenda",
        "/_console",
        "/_console/\r\nSet-Cookie: x=y",
        "/_console/é",
        "",
    ],
)
def test_the_access_page_leads_to_the_console_only(client: FlaskClient, target: str) -> None:
    entered = enter(client, TOKEN, target)
    assert (entered.status_code, entered.headers["Location"]) == (303, HOME)


@pytest.mark.parametrize("spoiled", ["", "x", "9999999999", "9999999999.", "9999999999.é", ".", "9" * 40 + ".x"])
def test_a_cookie_of_ones_own_making_opens_nothing(client: FlaskClient, spoiled: str) -> None:
    client.set_cookie(guard.COOKIE, spoiled, path="/_console")
    assert client.get(HOME, environ_overrides=FAR).status_code == 303


def test_a_cookie_lasts_as_long_as_it_says(client: FlaskClient) -> None:
    cookie = parse_cookie(enter(client, TOKEN).headers["Set-Cookie"])[guard.COOKIE]
    until, _, signature = cookie.partition(".")
    for made_longer in (f"{int(until) + 1}.{signature}", f"0{until}.{signature}"):
        client.set_cookie(guard.COOKIE, made_longer, path="/_console")
        assert client.get(HOME, environ_overrides=FAR).status_code == 303


def test_a_cookie_that_is_over_opens_nothing(client: FlaskClient) -> None:
    client.set_cookie(guard.COOKIE, guard.Guard(TOKEN, PUBLIC_URL).pass_for_browser(now=0), path="/_console")
    assert client.get(HOME, environ_overrides=FAR).status_code == 303
    client.set_cookie(guard.COOKIE, guard.Guard(TOKEN, PUBLIC_URL).pass_for_browser(), path="/_console")
    assert client.get(HOME, environ_overrides=FAR).status_code == 200


def test_the_cookie_of_another_token_opens_nothing(client: FlaskClient) -> None:
    client.set_cookie(guard.COOKIE, guard.Guard(f"{TOKEN}x", PUBLIC_URL).pass_for_browser(), path="/_console")
    assert client.get(HOME, environ_overrides=FAR).status_code == 303


def test_leaving_ends_it(client: FlaskClient) -> None:
    enter(client, TOKEN)
    page = client.get(HOME, environ_overrides=FAR)
    left = client.post("/_console/quitter", data={"jeton": jeton(page)}, environ_overrides=FAR)
    assert (left.status_code, left.headers["Location"]) == (303, ACCESS)
    assert client.get(HOME, environ_overrides=FAR).status_code == 303


def test_here_there_is_nothing_to_leave(client: FlaskClient) -> None:
    assert "Quitter" not in client.get(HOME, environ_overrides=HERE).text


@pytest.mark.parametrize("url", ["/_console/remise-a-zero", "/_console/notifications/renvoyer", "/_console/nulle-part"])
def test_without_access_nothing_is_done(client: FlaskClient, url: str) -> None:
    refused = client.post(url, data={"confirmer": "1"}, environ_overrides=FAR)
    assert refused.status_code in (403, 405)
    assert client.get("/_console/rendez-vous/agenda-ville/x", environ_overrides=FAR).status_code == 303

"""No secret gets into the journal, wherever it stands, and what is none stays readable."""

import html
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.base.flows import Flow
from mock_editor.journal import redaction
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.journal import Journal
from mock_editor.journal.middleware import JournalMiddleware
from tests.booking.conftest import AGENDA, Browser
from tests.conftest import PUBLIC_URL, WITH_CPTS, application, slot_search
from tests.journal.conftest import MakeJournal, exchange
from tests.wire.conftest import eventually

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJl-_x"
FORM, JSON, HTML = "application/x-www-form-urlencoded", "application/json", "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/e/sso/retour?code=S3CRET&state=S3CRET&iss=x", "/e/sso/retour?code=***&state=***&iss=x"),
        ("/e/sso/retour?iss=x&CODE=S3CRET", "/e/sso/retour?iss=x&CODE=***"),
        ("/e/agenda?origin=sas?access_token=S3CRET", "/e/agenda?origin=sas?access_token=***"),
        ("/e/x#id_token=S3CRET&a=b", "/e/x#id_token=***&a=b"),
        ("/e/x?suite=%2Fe%2Fsso%3Fcode%3DS3CRET%26a%3D1", "/e/x?suite=%2Fe%2Fsso%3Fcode%3D***%26a%3D1"),
        ("/e/x?suite=%252Fe%253Ftoken%253DS3CRET%2526a%253D1", "/e/x?suite=%252Fe%253Ftoken%253D***%2526a%253D1"),
        ("/e/x?mot%5Fde%5Fpasse=S3CRET", "/e/x?mot%5Fde%5Fpasse=***"),
        ("/e/x?newPassword=S3CRET&Client-Secret=S3CRET", "/e/x?newPassword=***&Client-Secret=***"),
        (f"/e/x?hint={JWT}&a=b", "/e/x?hint=***&a=b"),
        ("https://me:S3CRET@sas.example/fhir?a=b", "https://***@sas.example/fhir?a=b"),
        ("/e/x?nonce=S3CRET&code_verifier=S3CRET&code_challenge=ok",
         "/e/x?nonce=***&code_verifier=***&code_challenge=ok"),
        ("/e/x?jeton=", "/e/x?jeton="),
        ("/e/agenda/810?lieu=1&origin=sas&creneau=a", "/e/agenda/810?lieu=1&origin=sas&creneau=a"),
        ("/e/x?postcode=69&statement=a&country_code=fr", "/e/x?postcode=69&statement=a&country_code=fr"),
    ],
)  # fmt: skip
def test_urls(url: str, shown: str) -> None:
    assert redaction.url(url, fhir=False) == shown


def test_in_a_fhir_url_code_and_state_are_no_secrets_but_tokens_are() -> None:
    url = "/e/fhir/Slot?code=http%3A//x%7CA&state=69&access_token=S3CRET"
    assert redaction.url(url, fhir=True) == "/e/fhir/Slot?code=http%3A//x%7CA&state=69&access_token=***"


def test_a_usual_search_is_left_as_it_is() -> None:
    url = slot_search(["810100050075"] * 25, extra=WITH_CPTS)
    assert redaction.url(url, fhir=True) is url


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Bearer S3CRET", "Bearer ***"),
        ("authorization", "Basic UzNDUkVU", "Basic ***"),
        ("Authorization", "S3CRET", "***"),
        ("Proxy-Authorization", "Basic UzNDUkVU", "***"),
        ("Cookie", "agenda=S3CRET; formulaire=S3CRET", "agenda=***; formulaire=***"),
        ("Cookie", "S3CRET", "***"),
        ("Cookie", "sso-0123456789abcdef=S3CRET", "sso-***=***"),
        ("Set-Cookie", "agenda=S3CRET; Path=/e/; HttpOnly", "agenda=***; Path=/e/; HttpOnly"),
        ("Set-Cookie", "agenda=; Max-Age=0", "agenda=; Max-Age=0"),
        ("X-Api-Key", "S3CRET", "***"),
        ("X-Auth-Token", "S3CRET", "***"),
        ("X-Csrf-Token", "S3CRET", "***"),
        ("Location", "https://idp/authorize?client_id=e&state=S3CRET&nonce=S3CRET",
         "https://idp/authorize?client_id=e&state=***&nonce=***"),
        ("Referer", "https://lga/e/sso/retour?code=S3CRET", "https://lga/e/sso/retour?code=***"),
        ("Location", "https://me:S3CRET@lga/x", "https://***@lga/x"),
        ("X-Debug", f"got {JWT}", "got ***"),
        ("Content-Type", "application/fhir+json; charset=utf-8", "application/fhir+json; charset=utf-8"),
        ("WWW-Authenticate", 'Bearer error="invalid_token"', 'Bearer error="invalid_token"'),
        ("User-Agent", "curl/8 (me@example.org)", "curl/8 (me@example.org)"),
        ("Accept", "text/html, */*; q=0.9", "text/html, */*; q=0.9"),
    ],
)  # fmt: skip
def test_headers(name: str, value: str, shown: str) -> None:
    for _ in range(2):
        assert redaction.headers([(name, value)]) == [(name, shown)]


@pytest.mark.parametrize(
    ("media_type", "body", "shown"),
    [
        (FORM, "email=a%40b.fr&mot_de_passe=S3CRET&jeton=S3CRET", "email=a%40b.fr&mot_de_passe=***&jeton=***"),
        (FORM, "mot_de_passe=a;S3CRET'S3CRET\"S3CRET S3CRET&a=b", "mot_de_passe=***&a=b"),
        (FORM, "demande=S3CRET&personne=mercier", "demande=***&personne=mercier"),
        (FORM, "grant_type=authorization_code&code=S3CRET&code_verifier=S3CRET",
         "grant_type=authorization_code&code=***&code_verifier=***"),
        (FORM, "client_assertion_type=x&client_assertion=S3CRET&SAMLResponse=S3CRET",
         "client_assertion_type=x&client_assertion=***&SAMLResponse=***"),
        (JSON, '{"access_token":"S3CRET","token_type":"Bearer","expires_in":60}',
         '{"access_token":"***","token_type":"Bearer","expires_in":60}'),
        (JSON, '{ "password" : "S3\\"CRET" , "a": 1}', '{ "password" : "***" , "a": 1}'),
        (JSON, '{"secret": 12345, "a": [{"refreshToken":"S3CRET"}]}',
         '{"secret": "***", "a": [{"refreshToken":"***"}]}'),
        (JSON, '{"secret": ["S3CRET", {"b": "]}S3CRET"}], "a": 1}', '{"secret": "***", "a": 1}'),
        (JSON, '{"log": "{\\"token\\": \\"S3CRET\\", \\"a\\": 1}"}', '{"log": "{\\"token\\": \\"***\\", \\"a\\": 1}"}'),
        (JSON, '{"code":"S3CRET","state":"S3CRET","nonce":"S3CRET"}', '{"code":"***","state":"***","nonce":"***"}'),
        (JSON, '{"response_types_supported":["code"],"token_endpoint":"https://x/token"}',
         '{"response_types_supported":["code"],"token_endpoint":"https://x/token"}'),
        (JSON, f'{{"note":"{JWT}"}}', '{"note":"***"}'),
        ("text/plain", "failed: GET https://x/?token=S3CRET refused", "failed: GET https://x/?token=*** refused"),
        ("text/plain", "proxy http://me:S3CRET@proxy:3128", "proxy http://***@proxy:3128"),
        (HTML, '<input type="hidden" name="jeton" value="S3CRET">', '<input type="hidden" name="jeton" value="***">'),
        (HTML, '<input value="S3CRET" type=hidden name=jeton>', '<input value="***" type=hidden name=jeton>'),
        (HTML, "<INPUT VALUE='S3>CRET' NAME='demande'>", "<INPUT VALUE='***' NAME='demande'>"),
        (HTML, '<input type="password" name="x" value="S3CRET">', '<input type="password" name="x" value="***">'),
        (HTML, '<input type="hidden" name="creneau" value="20261120">',
         '<input type="hidden" name="creneau" value="20261120">'),
        (HTML, '<label for="mot_de_passe">Mot de passe</label><input id="mot_de_passe" name="mot_de_passe">',
         '<label for="mot_de_passe">Mot de passe</label><input id="mot_de_passe" name="mot_de_passe">'),
        (HTML, "<p>Nouveau mot de passe&nbsp;: <strong>S3CRET</strong></p>",
         "<p>Nouveau mot de passe&nbsp;: <strong>***</strong></p>"),
        (HTML, '<output class="password">S3CRET</output>', '<output class="password">***</output>'),
        (HTML, "<p>Adresse e-mail ou mot de passe incorrect.</p>", "<p>Adresse e-mail ou mot de passe incorrect.</p>"),
        (HTML, '<a href="/_idp/authorize?a=b&amp;state=S3CRET&amp;c=d">',
         '<a href="/_idp/authorize?a=b&amp;state=***&amp;c=d">'),
    ],
)  # fmt: skip
def test_bodies(media_type: str, body: str, shown: str) -> None:
    assert redaction.body(body.encode(), media_type, fhir=False, cut=False).decode() == shown


def test_fhir_keeps_its_codes_and_loses_tokens() -> None:
    body = (
        '{"resourceType":"Slot","serviceType":[{"coding":[{"system":"s","code":"PUBLIC"}]}],"state":"69",'
        '"code":{"text":"x"},"password":"S3CRET","link":[{"url":"https://x/Slot?code=a&token=S3CRET"}],"n":"'
        + JWT
        + '"}'
    )
    shown = body.replace("S3CRET", "***").replace(JWT, "***")
    assert redaction.body(body.encode(), "application/fhir+json", fhir=True, cut=False).decode() == shown


@pytest.mark.parametrize(
    ("media_type", "body", "shown"),
    [
        (JSON, r'{"pass\u0077ord":"S3CRET","a":1}', r'{"pass\u0077ord":"***","a":1}'),
        (JSON, r'{"\u0070\u0061ssword" : 12345}', r'{"\u0070\u0061ssword" : "***"}'),
        (JSON, r'{"a":"{\"b\":\"{\\\"to\\u006ben\\\":\\\"S3CRET\\\",\\\"c\\\":1}\"}"}',
         r'{"a":"{\"b\":\"{\\\"to\\u006ben\\\":\\\"***\\\",\\\"c\\\":1}\"}"}'),
        (JSON, r'{"password":"a\\","b":"shown"}', r'{"password":"***","b":"shown"}'),
        (JSON, r'{"a":"x\\","token":"S3CRET"}', r'{"a":"x\\","token":"***"}'),
        (JSON, r'{"a":"C:\\x\token=S3CRET"}', r'{"a":"C:\\x\token=***"}'),
        (JSON, '{"authorization":"S3CRET","Cookie":"S3CRET","apiKey":"S3CRET","credentials":["S3CRET"]}',
         '{"authorization":"***","Cookie":"***","apiKey":"***","credentials":"***"}'),
        (JSON, '{"name":"password","value":"S3CRET"}', '{"name":"password","value":"***"}'),
        (JSON, '{"name":"password","valueInteger": 1234 }', '{"name":"password","valueInteger": "***" }'),
        (JSON, '{"value":"S3CRET","name":"password"}', '{"value":"***","name":"password"}'),
        (JSON, '{"password2":"S3CRET","passwordConfirm":"S3CRET"}', '{"password2":"***","passwordConfirm":"***"}'),
        (JSON, '{"note":"Bearer S3CRET"}', '{"note":"Bearer ***"}'),
        (JSON, '{"note":"authorization: Basic UzNDUkVU"}', '{"note":"authorization: ***"}'),
        (JSON, '{"url":"https://x/?%61ccess_token=S3CRET%26S3CRET&b=c"}', '{"url":"https://x/?%61ccess_token=***&b=c"}'),
        ("text/plain", "Authorization: Bearer S3CRET\nb: c", "Authorization: ***\nb: c"),
        ("text/plain", "curl -H 'X-Some: Bearer S3CRET-1' x", "curl -H 'X-Some: Bearer ***' x"),
        ("text/plain", "password: S3CRET S3CRET\nb", "password: ***\nb"),
        ("text/plain", "invalid_token: The token is not known here", "invalid_token: The token is not known here"),
        ("text/plain", "Bearer authentication is needed, Basic too", "Bearer authentication is needed, Basic too"),
        ("text/plain", "moneyBack.js, journeyAgent.new", "moneyBack.js, journeyAgent.new"),
        (FORM, "p%61ssword=S3CRET&user%5Bpassword%5D=S3CRET&a=b", "p%61ssword=***&user%5Bpassword%5D=***&a=b"),
        (FORM, "data=%7B%22password%22%3A%22S3%26CRET%22%7D&a=b", "data=%7B%22password%22%3A%22***%22%7D&a=b"),
        (FORM, "suite=%2Fe%3Fauthorization%3DS3CRET%26a%3Db", "suite=%2Fe%3Fauthorization%3D***%26a%3Db"),
        (HTML, '<input name="mot&#95;de_passe" value="S3CRET">', '<input name="mot&#95;de_passe" value="***">'),
        (HTML, '<div data-x="{&quot;token&quot;:&quot;S3CRET&quot;,&quot;a&quot;:1}">',
         '<div data-x="{&quot;token&quot;:&quot;***&quot;,&quot;a&quot;:1}">'),
        (HTML, '<meta name="csrf-token" content="S3CRET">', '<meta name="csrf-token" content="***">'),
        (HTML, '<input name="jeton" value="S3&quot;CRET">', '<input name="jeton" value="***">'),
        ("application/xml", '<a password="S3CRET"><b:Password T="x">S3CRET</b:Password><c>d</c></a>',
         '<a password="***"><b:Password T="x">***</b:Password><c>d</c></a>'),
        ("application/xml", "<clientSecret><![CDATA[S3CRET]]></clientSecret>", "<clientSecret>***</clientSecret>"),
        ("application/xml", '<entry key="password">S3CRET</entry>', '<entry key="password">***</entry>'),
        ("application/xml", '<password value="S3CRET"/><code value="shown"/>',
         '<password value="***"/><code value="shown"/>'),
        ("multipart/form-data; boundary=x",
         '--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nS3CRET\r\n--x\r\nContent-Disposition: '
         'form-data; name="a"\r\n\r\nb\r\n--x--',
         '--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n***\r\n--x\r\nContent-Disposition: '
         'form-data; name="a"\r\n\r\nb\r\n--x--'),
    ],
)  # fmt: skip
def test_names_are_known_however_they_are_written(media_type: str, body: str, shown: str) -> None:
    assert redaction.body(body.encode(), media_type, fhir=False, cut=False).decode() == shown


def test_a_body_in_utf_16_keeps_no_secret() -> None:
    body = '{"password":"S3CRET","a":"b"}'.encode("utf-16-le")
    shown = redaction.body(body, JSON, fhir=True, cut=False)
    assert b"S\x003" not in shown
    assert "a".encode("utf-16-le") in shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("X-Forwarded-Authorization", "Bearer S3CRET", "***"),
        ("X-Some", "Bearer S3CRET", "Bearer ***"),
        ("X-Some", "bearer  s", "bearer ***"),
        ("X-Original-Auth", "DPoP S3CRET", "DPoP ***"),
        ("DPoP", "S3CRET", "***"),
        ("Authorization", "my S3CRET", "***"),
        ("Ocp-Apim-Subscription-Key", "S3CRET", "***"),
        ("Idempotency-Key", "shown", "shown"),
        ("X-Json", '{"pass\\u0077ord":"S3CRET"}', '{"pass\\u0077ord":"***"}'),
        ("Referer", "https://x/?%61uthorization=S3CRET&a=b", "https://x/?%61uthorization=***&a=b"),
        ("WWW-Authenticate", 'Basic realm="x"', 'Basic realm="x"'),
        ("Cookie", "__Host-sso-0123=S3CRET", "__Host-sso-***=***"),
    ],
)
def test_headers_keep_no_secret_whatever_they_are_called(name: str, value: str, shown: str) -> None:
    assert redaction.headers([(name, value)]) == [(name, shown)]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/e/fhir/Slot?authorization=S3CRET&a=b", "/e/fhir/Slot?authorization=***&a=b"),
        ("/e/fhir/Slot?%61uthorization=Bearer%20S3CRET&a=b", "/e/fhir/Slot?%61uthorization=***&a=b"),
        ("/e/fhir/Slot?x=Bearer%20S3CRET.1&a=b", "/e/fhir/Slot?x=Bearer%20***&a=b"),
        ("/e/fhir/Slot?x=Bearer+S3CRET.1&a=b", "/e/fhir/Slot?x=Bearer+***&a=b"),
        ("/e/fhir/Slot?password=a?S3CRET&a=b", "/e/fhir/Slot?password=***&a=b"),
        ("/e/fhir/Slot?a=b;access_token=S3CRET", "/e/fhir/Slot?a=b;access_token=***"),
        ("/e/fhir/Slot;token=S3CRET?a=b", "/e/fhir/Slot;token=***"),
        ("/e/fhir/Slot?x=%7B%22secret%22%3A%22S3CRET%22%7D", "/e/fhir/Slot?x=%7B%22secret%22%3A%22***%22%7D"),
        ("/e/fhir/Slot?DPoP=S3CRET&api_key=S3CRET", "/e/fhir/Slot?DPoP=***&api_key=***"),
    ],
)  # fmt: skip
def test_fhir_urls_keep_no_secret(url: str, shown: str) -> None:
    assert redaction.url(url, fhir=True) == shown


def test_what_is_compressed_or_claims_to_be_fhir_keeps_no_secret(journal: Journal) -> None:
    compressed = zlib.compress(b'{"password":"S3CRET"}')
    journal.writer.record(exchange(request_body=compressed, request_headers=[("Content-Encoding", "deflate")]))
    journal.writer.record(exchange(url="/_idp/authorize?x=/fhir/&code=S3CRET&state=S3CRET", flow=Flow.IDP, status=302))
    assert [entry.request_body for entry in journal.find(EntryFilter(limit=2))] == [b"", b"***"]
    assert journal.find(EntryFilter(limit=1))[0].url == "/_idp/authorize?x=/fhir/&code=***&state=***"


@pytest.mark.parametrize(
    "body",
    [
        '{"pass\\u0077ord": "S3CRETS3CRET", "b": 2}',
        '{"a": "{\\"password\\": \\"S3CRETS3CRET\\"}"}',
        '{"note": "Bearer S3CRETS3CRET"}',
        '{"name": "password", "value": "S3CRETS3CRET"}',
        "<Password>S3CRETS3CRET</Password>",
        "a=%7B%22token%22%3A%22S3CRETS3CRET%22%7D",
        "--x\r\nContent-Disposition: form-data; name=jeton\r\n\r\nS3CRETS3CRET\r\n--x--",
    ],
)
def test_wherever_an_escaped_body_is_cut_no_half_of_a_secret_is_left(body: str) -> None:
    for end in range(len(body) + 1):
        shown = redaction.body(body[:end].encode(), "multipart/form-data; boundary=x", fhir=False, cut=True)
        assert b"S3" not in shown, (body[:end], shown)


@pytest.mark.parametrize("media_type", [FORM, JSON, HTML, "text/plain"])
@pytest.mark.parametrize(
    "body",
    [
        "a=1&mot_de_passe=S3CRETS3CRET&b=2",
        '{"a": 1, "password": "S3CRET\\"S3CRET", "b": 2}',
        '{"secret": {"x": ["S3CRETS3CRET"]}, "b": 2}',
        '<form><input type="hidden" value="S3CRETS3CRET" name="jeton"><p>',
        '<form><input type="hidden" name="jeton" value="S3CRETS3CRET"><p>',
        "x http://me:S3CRETS3CRET@proxy:3128 y",
        "mot de passe : <b>S3CRETS3CRET</b> y",
    ],
)
def test_wherever_a_body_is_cut_no_half_of_a_secret_is_left(media_type: str, body: str) -> None:
    for end in range(len(body) + 1):
        shown = redaction.body(body[:end].encode(), media_type, fhir=False, cut=True)
        assert b"S3" not in shown, (body[:end], shown)


def test_wherever_a_token_is_cut_no_half_of_it_is_left() -> None:
    body = f'{{"note":"{JWT}"}}'
    for end in range(len(body)):
        shown = redaction.body(body[:end].encode(), JSON, fhir=True, cut=True)
        assert b"eyJ" not in shown
        assert b"c2ln" not in shown


@pytest.mark.parametrize(
    "noise", [b"\xff\xfe<input" * 50, b'"' * 5000, b"<" * 5000, b"://" * 3000, b"\\" * 5000 + b'"']
)
def test_odd_bodies_take_no_time_and_raise_nothing(noise: bytes) -> None:
    for media_type in (FORM, JSON, HTML):
        redaction.body(noise, media_type, fhir=False, cut=True)


def test_long_words_take_little_time() -> None:
    redaction.body(b"a-_" * 100_000, "text/plain", fhir=False, cut=True)


# --- the whole flows


class _Secrets(list[str]):
    """Strings that may not be found."""

    def of(self, texts: Iterable[str]) -> None:
        self.extend(text for text in texts if len(text) > 7)


@pytest.fixture
def walked(
    played: scenario.LoadedScenario, clock: Clock, tmp_path: Path, make_journal: MakeJournal
) -> tuple[Any, Any, _Secrets]:
    """An application around which everything is recorded, and the secrets that pass."""
    app = application(played, clock, tmp_path, journal_body="1000000")
    journal = make_journal(body=1_000_000)
    secrets = _Secrets()
    slugs = {editor.slug for editor in played.editors}
    recorder = JournalMiddleware(app.wsgi_app, journal.writer, lambda: slugs)

    def listening(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        secrets.of(re.findall(r"=([^;]+)", environ.get("HTTP_COOKIE", "")))
        secrets.of(re.findall(r"(?:code|state|nonce|code_verifier)=([^&]+)", environ["QUERY_STRING"]))

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            for name, value in headers:
                if name == "Set-Cookie":
                    secrets.of(re.findall(r"^[^=]+=([^;]+)", value))
                if name == "Location":
                    secrets.of(re.findall(r"(?:code|state|nonce)=([^&]+)", value))
            return start_response(status, headers, *more)

        whole = b"".join(recorder(environ, start))
        if environ["PATH_INFO"] == "/_idp/token":
            secrets.of(re.findall(r'"(?:access|id)_token":"([^"]+)"', whole.decode()))
        return [whole]

    app.wsgi_app = listening  # type: ignore[method-assign]
    return app, journal, secrets


def test_nothing_secret_of_the_whole_flows_is_in_the_file(walked: tuple[Any, Any, _Secrets], tmp_path: Path) -> None:
    app, journal, secrets = walked
    browser = Browser(app)

    def pages_secrets() -> None:
        found = re.findall(r'name="(?:jeton|demande)" value="([^"]+)"', browser.page.text)
        secrets.of(map(html.unescape, found))
        secrets.of(quote(html.unescape(one)) for one in found)

    # From the SAS, through the identity provider, to an appointment.
    browser.open(f"{AGENDA}&origin=sas")
    pages_secrets()
    browser.choose("mercier")
    pages_secrets()
    browser.send("/cgu", accepter="1")
    pages_secrets()
    browser.book()
    pages_secrets()
    # With a password that is wrong, and through a forgotten one.
    other = Browser(app)
    other.open("/agenda-ville/connexion")
    other.send("/connexion", email="julie.mercier@test.example", mot_de_passe="Un-Mot-De-Passe-Faux")
    secrets.append("Un-Mot-De-Passe-Faux")
    other.open("/agenda-ville/mot-de-passe-oublie")
    other.send("/mot-de-passe-oublie", email="julie.mercier@test.example")
    # With the right one.
    simple = other.client
    accounts = _accounts(simple)
    assert accounts
    secrets.extend(password for _, password in accounts)
    other.open("/agenda-ville/connexion")
    other.send("/connexion", email=accounts[0][0], mot_de_passe=accounts[0][1])
    simple.get(
        "/agenda-ville/fhir/metadata", headers={"Authorization": f"Bearer {JWT}", "X-Api-Key": "une-cle-secrete"}
    )
    simple.get(f"/agenda-ville/fhir/Slot?access_token={JWT}&status=free")
    simple.post(
        "/_idp/token", data={"code": "un-code-secret", "client_id": "e", "client_secret": "un-secret-du-client"}
    )
    secrets += [JWT, "une-cle-secrete", "un-code-secret", "un-secret-du-client"]

    assert journal.writer.flush(10)
    flows = {entry.flow for entry in journal.export(EntryFilter())}
    assert flows >= {Flow.WEB, Flow.SSO, Flow.IDP, Flow.METADATA, Flow.INT_R01}
    assert len(set(secrets)) > 15

    def written() -> bytes:
        """Both journals: this one, and that of the application, which knows what it asked of the provider."""
        return b"".join(file.read_bytes() for file in tmp_path.glob("*journal.db*"))

    assert eventually(lambda: written().count(b"/_idp/userinfo") > 1)
    assert b"mot_de_passe=***" in written()
    assert [secret for secret in set(secrets) if secret.encode() in written()] == []


def _accounts(client: Any) -> list[tuple[str, str]]:
    """E-mail and password of each account at the editor: of the admin API, which is not recorded."""
    found = client.get("/_admin/accounts?editor=agenda-ville").json["accounts"]
    emails = [
        next(contact["value"] for contact in account["resource"]["telecom"] if contact["system"] == "email")
        for account in found
    ]
    return list(zip(emails, (account["password"] for account in found), strict=True))


def test_what_looks_at_the_simulator_is_not_recorded(walked: tuple[Any, Any, _Secrets]) -> None:
    app, journal, _ = walked
    for path in ("/_health", "/_admin/accounts", "/_console/", "/favicon.ico"):
        app.test_client().get(path)
    assert journal.count(EntryFilter()) == 0


def test_the_journal_knows_the_public_url_only_as_it_was_called(walked: tuple[Any, Any, _Secrets]) -> None:
    app, journal, _ = walked
    app.test_client().get("/agenda-ville/fhir/metadata?a=b%7Cc", base_url=PUBLIC_URL)
    [entry] = journal.find(EntryFilter(limit=2))
    assert (entry.url, entry.flow, entry.editor) == (
        "/agenda-ville/fhir/metadata?a=b%7Cc", Flow.METADATA, "agenda-ville",
    )  # fmt: skip

"""Who gets what on the two listeners, with certificates of ``mock-editor certs`` and of the ``openssl`` command."""

import functools
import re
import socket
import ssl
import subprocess
import sys
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from mock_editor.accounts.payload import described
from mock_editor.tls import samples
from tests.conftest import GUIDE_THOMAS, slot_search
from tests.wire.conftest import Serve, Simulator, eventually, run
from tests.wire.tls import (
    METADATA,
    NAMES,
    TLS_1_2,
    TLS_1_3,
    Answer,
    ask,
    asked,
    connected,
    connection_to,
    get,
    listening,
    made_by_openssl,
    needs_openssl,
    secured,
    showing,
)

pytestmark = pytest.mark.wire

NOW = "2026-11-20T08:00:00+01:00"
VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
AT_CPTS, AT_SOS = ("/agenda-cpts/fhir/metadata", "/agenda-sos/fhir/metadata")
# What is accepted where; two of the editors have names of their own.
ACCEPTED = ("--tls-client-cn", "another.example, sas.example", "--tls-client-ou", "another, SAS")
OWN_NAMES = {"agenda-cpts": "client_cn: [other.example]", "agenda-sos": "client_ou: [OTHER]"}


@pytest.fixture(scope="module")
def openssl_made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """The same of OpenSSL, made once."""
    return functools.cache(lambda: made_by_openssl(tmp_path_factory.mktemp("openssl") / "certs"))


# Not for the module: tests come in any order, and each change of the parameter would start the servers anew.
@pytest.fixture(params=["init", pytest.param("openssl", marks=needs_openssl)])
def pki(request: pytest.FixtureRequest, made: Path, openssl_made: Callable[[], Path]) -> Path:
    """Certificates of both makings."""
    return made if request.param == "init" else openssl_made()


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default one, in which two editors accept other clients."""
    text = Path("scenarios/decouverte.yaml").read_text()
    for slug, names in OWN_NAMES.items():
        text = text.replace(f"  - slug: {slug}\n", f"  - slug: {slug}\n    tls: {{{names}}}\n")
    path = tmp_path_factory.mktemp("scenario") / "own-names.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Simulator]]:
    """Starts simulators for all tests of this module."""
    running: list[Simulator] = []

    def start_one(*options: str) -> Simulator:
        folder = tmp_path_factory.mktemp("simulator")
        running.append(Simulator(folder, "--now", NOW, *options, log=folder / "log"))
        return running[-1]

    yield start_one
    said = [one.stop() for one in running]
    assert [code for code, _ in said] == [0] * len(said)
    assert not any("Traceback" in text for _, text in said)


@pytest.fixture(scope="module")
def shared(start: Callable[..., Simulator]) -> Callable[..., Simulator]:
    """One for each set of options."""
    return functools.cache(start)


@pytest.fixture
def simulator(shared: Callable[..., Simulator], pki: Path, scenario: Path) -> Simulator:
    return shared("--scenario", str(scenario), "--header-timeout", "2", *listening(pki, *ACCEPTED))


@pytest.fixture
def strict(shared: Callable[..., Simulator], pki: Path) -> Simulator:
    return shared("--tls-strict", *listening(pki, *ACCEPTED))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    target = tmp_path / "certs"
    target.mkdir()
    for file in made.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def journal(simulator: Simulator, query: str = "") -> list[dict[str, Any]]:
    answer = requests.get(f"{simulator.url}/_admin/journal?{query}", timeout=10)
    assert answer.ok, answer.text
    return list(answer.json()["entries"])


def only_entry(simulator: Simulator) -> dict[str, Any]:
    """What is in the journal; a client learns of a failed handshake before."""
    assert eventually(lambda: journal(simulator))
    [entry] = journal(simulator)
    return entry


def clear_journal(simulator: Simulator) -> None:
    assert requests.delete(f"{simulator.url}/_admin/journal", timeout=10).ok


def serial(path: Path) -> str:
    return f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:X}"


def met(url: str, context: ssl.SSLContext, *, ask_first: bool = True) -> tuple[str, BaseException | None]:
    """How far a client comes, and what stops it: the handshake, the first read, or nothing."""
    try:
        sock = secured(url, context)
    except OSError as error:
        return "handshake", error
    with sock:
        try:
            if ask_first:
                sock.sendall(get())
            return ("answer", None) if sock.recv(1) else ("read", None)
        except OSError as error:
            return "read", error


# --- versions


@VERSIONS
def test_an_accepted_client_is_answered(simulator: Simulator, pki: Path, version: ssl.TLSVersion) -> None:
    answer = ask(simulator.fhir_url, METADATA, showing(pki, version=version))
    assert (answer.status, answer.version) == (200, {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[version])
    assert answer.json["resourceType"] == "CapabilityStatement"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused_in_the_handshake(simulator: Simulator, pki: Path, version: ssl.TLSVersion) -> None:
    if not {ssl.TLSVersion.TLSv1: ssl.HAS_TLSv1, ssl.TLSVersion.TLSv1_1: ssl.HAS_TLSv1_1}[version]:
        pytest.skip("this OpenSSL was built without it")
    context = showing(pki)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    how_far, error = met(simulator.fhir_url, context)
    if isinstance(error, ssl.SSLError) and error.reason == "NO_PROTOCOLS_AVAILABLE":
        pytest.skip("this OpenSSL is configured not to offer it")
    assert isinstance(error, ssl.SSLError)
    assert (how_far, error.reason) == ("handshake", "TLSV1_ALERT_PROTOCOL_VERSION")


# --- the two listeners


def test_plain_http_on_the_tls_port_gets_no_answer_and_does_no_harm(simulator: Simulator, pki: Path) -> None:
    clear_journal(simulator)
    for said in (get(), b"\0" * 1000, b"\x16\x03\x01\x10\x00" + b"x" * 4096, b"\x16\x03\x01\x10\x00" + b"x" * 30):
        with connected(simulator.fhir_url) as sock:
            sock.sendall(said)
            received = b"".join(iter(lambda: sock.recv(4096), b""))
        # An alert at most.
        assert len(received) <= 7
        assert b"HTTP" not in received
    assert ask(simulator.fhir_url, METADATA, showing(pki)).status == 200
    told = [entry["error"] for entry in journal(simulator, "order=oldest") if entry["status"] is None]
    assert len(told) == 4
    assert told[0] == "The TLS handshake failed: http request"
    assert told[-1] == "The TLS handshake failed: it did not end within 2 s"


@pytest.mark.parametrize("path", [METADATA, "/agenda-ville/fhir", "/agenda-ville/fhir/Slot?status=free", AT_SOS])
def test_the_plain_listener_refuses_fhir_paths_and_says_where_they_are(simulator: Simulator, path: str) -> None:
    answer = ask(simulator.url, path)
    assert answer.status == 403
    assert answer.diagnostics == (
        "No client certificate was presented, and this asks for one (mutual TLS); "
        f"the FHIR paths are at {simulator.fhir_url}"
    )
    assert ask(simulator.url, path, headers={"X-Client-Cert": "x", "X-Forwarded-Proto": "https"}).status == 403


def test_plain_fhir_lets_them_in(serve: Serve, made: Path) -> None:
    simulator = serve("--plain-fhir", *listening(made))
    assert ask(simulator.url).status == 200
    assert ask(simulator.fhir_url, METADATA, showing(made)).status == 200
    assert ask(simulator.fhir_url, METADATA, showing(made, None)).status == 403


# The web framework takes each of them for the same path.
SPELLINGS = ("//{}", "///{}", "/%2F{}", "%2F{}?://", "{}?://", "http://x//{}", "http://x/{}")


def told(url: str, target: str, context: ssl.SSLContext | None = None) -> bytes:
    """What a request for a target gets, as it is: clients put paths in order."""
    with secured(url, context) if context else connected(url) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(4096), b""))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_path_gets_past_the_certificate(simulator: Simulator, pki: Path, spelling: str) -> None:
    target = spelling.format(METADATA[1:])
    clear_journal(simulator)
    assert told(simulator.url, target).startswith(b"HTTP/1.1 403 ")
    assert told(simulator.fhir_url, target, showing(pki, "sas-wrong-ou")).startswith(b"HTTP/1.1 403 ")
    assert told(simulator.fhir_url, target, showing(pki)).startswith(b"HTTP/1.1 200 ")
    assert [one["editor"] for one in journal(simulator)] == ["agenda-ville"] * 3


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_looking_is_not_taken_down_however_its_path_is_spelt(simulator: Simulator, spelling: str) -> None:
    clear_journal(simulator)
    told(simulator.url, spelling.format("_admin/journal"))
    assert journal(simulator) == []


OTHER_SURFACES = (
    "/", "/_console/", "/_admin", "/_admin/journal", "/_sas/fhir/metadata", "/_idp/.well-known/openid-configuration",
    "/_health", "/_metrics", "/_static/x.css", "/agenda-ville/", "/agenda-ville/agenda/x", "/agenda-ville/fhirx",
    "/agenda-ville//fhir/metadata", "/x/../_health", "/agenda-ville/fhir%2Fmetadatax",
)  # fmt: skip


@pytest.mark.parametrize("path", OTHER_SURFACES)
def test_the_tls_listener_serves_fhir_paths_only(simulator: Simulator, pki: Path, path: str) -> None:
    answer = ask(simulator.fhir_url, path, showing(pki))
    assert answer.status == 404


@pytest.mark.parametrize("target", ["*", "x", "http://x", "http://x/_health", "//"])
@pytest.mark.parametrize("secure", [False, True])
def test_a_target_that_is_no_path_is_answered(simulator: Simulator, pki: Path, target: str, secure: bool) -> None:
    url = simulator.fhir_url if secure else simulator.url
    sock = secured(url, showing(pki)) if secure else connected(url)
    with sock:
        sock.sendall(f"OPTIONS {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert re.match(rb"HTTP/1\.1 40[045] ", received), received
    assert b"\r\nServer:" not in received


@pytest.mark.parametrize(
    ("said", "status"),
    [(b"GET /x HTTP/9\r\n\r\n", 400), (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414), (b"\0\0\r\n\r\n", 400)],
)
@pytest.mark.parametrize("secure", [False, True])
def test_what_the_server_refuses_itself_names_no_server(
    simulator: Simulator, pki: Path, secure: bool, said: bytes, status: int
) -> None:
    url = simulator.fhir_url if secure else simulator.url
    sock = secured(url, showing(pki)) if secure else connected(url)
    with sock:
        sock.sendall(said)
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nServer:" not in received
    assert b'"OperationOutcome"' in received


# --- who is refused, and how


@VERSIONS
@pytest.mark.parametrize(
    ("name", "expected", "presented"),
    [
        (None, "No client certificate was presented", ()),
        ("sas-wrong-cn", "its CN is none of those accepted (another.example, sas.example)", ("CN=other.example",)),
        ("sas-wrong-ou", "none of its OU is accepted (another, SAS)", ("CN=sas.example", "OU=OTHER")),
        ("sas-revoked", "it is revoked", ("CN=sas.example", "OU=SAS")),
    ],
)
def test_a_403_names_the_failed_check_and_what_was_presented(
    simulator: Simulator, pki: Path, version: ssl.TLSVersion, name: str | None, expected: str, presented: tuple[str]
) -> None:
    answer = ask(simulator.fhir_url, METADATA, showing(pki, name, version))
    assert (answer.status, answer.version) == (403, {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[version])
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    assert answer.json["issue"][0]["code"] == "forbidden"
    assert expected in answer.diagnostics
    _, _, shown = answer.diagnostics.partition("; presented: ")
    for one in (*presented, f"serial {serial(pki / f'{name}.pem')}", "issued by") if name else ():
        assert one in shown


ALERTS = {
    "sas-expired": "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "sas-not-yet-valid": "SSLV3_ALERT_BAD_CERTIFICATE",
    "sas-other-authority": "TLSV1_ALERT_UNKNOWN_CA",
}
REASONS = {
    "sas-expired": "certificate has expired",
    "sas-not-yet-valid": "certificate is not yet valid",
    "sas-other-authority": "unable to get local issuer certificate",
}


@VERSIONS
@pytest.mark.parametrize("ask_first", [False, True], ids=["silent", "asking"])
@pytest.mark.parametrize("name", ALERTS)
def test_what_no_authority_vouches_for_fails_in_the_handshake(
    simulator: Simulator, pki: Path, version: ssl.TLSVersion, name: str, ask_first: bool
) -> None:
    clear_journal(simulator)
    how_far, error = met(simulator.fhir_url, showing(pki, name, version), ask_first=ask_first)
    assert how_far == ("handshake" if version is TLS_1_2 else "read")
    assert isinstance(error, ssl.SSLError)
    assert error.reason == ALERTS[name]
    entry = only_entry(simulator)
    assert (entry["status"], entry["method"]) == (None, "")
    assert entry["error"] == f"The TLS handshake failed: certificate verify failed: {REASONS[name]}"


@needs_openssl
@VERSIONS
def test_an_intermediate_authority_that_the_client_sends_is_followed(
    simulator: Simulator, pki: Path, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    if not (pki / "intermediate.pem").exists():
        pytest.skip("none was made")
    assert ask(simulator.fhir_url, METADATA, showing(pki, "sas-by-intermediate", version)).status == 200
    leaf = x509.load_pem_x509_certificate((pki / "sas-by-intermediate.pem").read_bytes())
    (tmp_path / "alone.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    context = showing(pki, None, version)
    context.load_cert_chain(tmp_path / "alone.pem", pki / "sas-by-intermediate.key.pem")
    assert met(simulator.fhir_url, context)[0] != "answer"


@needs_openssl
@pytest.mark.parametrize(("name", "status"), [("sas-several-ou", 200), ("sas-without-ou", 403), ("sas-long-s", 403)])
def test_one_of_several_ou_is_enough_and_none_is_not_nor_a_name_that_only_looks_alike(
    simulator: Simulator, pki: Path, name: str, status: int
) -> None:
    if not (pki / f"{name}.pem").exists():
        pytest.skip("none was made")
    assert ask(simulator.fhir_url, METADATA, showing(pki, name)).status == status


@pytest.mark.parametrize(("path", "accepted"), [(METADATA, "sas"), (AT_CPTS, "sas-wrong-cn"), (AT_SOS, "sas-wrong-ou")])
def test_editors_accept_names_of_their_own(simulator: Simulator, pki: Path, path: str, accepted: str) -> None:
    names = ("sas", "sas-wrong-cn", "sas-wrong-ou")
    found = {name: ask(simulator.fhir_url, path, showing(pki, name)).status for name in names}
    assert found == {name: 200 if name == accepted else 403 for name in names}
    assert ask(simulator.fhir_url, path, showing(pki, "sas-revoked")).status == 403


def test_an_editor_that_is_not_there_is_a_404_for_an_accepted_client_only(simulator: Simulator, pki: Path) -> None:
    path = "/nulle-part/fhir/metadata"
    assert ask(simulator.fhir_url, path, showing(pki)).status == 404
    assert ask(simulator.fhir_url, path, showing(pki, "sas-wrong-cn")).status == 403


# --- strictly


REFUSED = (None, "sas-wrong-cn", "sas-wrong-ou", "sas-revoked", *ALERTS)


@VERSIONS
@pytest.mark.parametrize("name", REFUSED)
def test_strictly_a_refused_client_gets_no_answer_at_all(
    strict: Simulator, pki: Path, version: ssl.TLSVersion, name: str | None
) -> None:
    context = showing(pki, name, version)
    # Whoever wins a race wins it at some time.
    found = {met(strict.fhir_url, context)[0] for _ in range(50)}
    assert found == ({"handshake"} if version is TLS_1_2 else {"read"})


@VERSIONS
def test_strictly_an_accepted_client_is_answered(strict: Simulator, pki: Path, version: ssl.TLSVersion) -> None:
    context = showing(pki, version=version)
    assert {ask(strict.fhir_url, METADATA, context).status for _ in range(50)} == {200}


def test_strictly_the_journal_says_who_was_refused_and_why(strict: Simulator, pki: Path) -> None:
    clear_journal(strict)
    met(strict.fhir_url, showing(pki, "sas-wrong-cn"))
    entry = only_entry(strict)
    assert entry["status"] is None
    assert "The TLS handshake failed: The client certificate is refused: its CN" in entry["error"]
    assert f"serial {serial(pki / 'sas-wrong-cn.pem')}" in entry["error"]


def test_strictly_a_client_of_one_editor_comes_in_and_gets_a_403_at_others(
    serve: Serve, made: Path, scenario: Path
) -> None:
    simulator = serve("--tls-strict", "--scenario", str(scenario), *listening(made, *ACCEPTED))
    for name, path in (("sas-wrong-cn", AT_CPTS), ("sas-wrong-ou", AT_SOS)):
        assert ask(simulator.fhir_url, path, showing(made, name)).status == 200
        assert ask(simulator.fhir_url, METADATA, showing(made, name)).status == 403
    # Neither CN nor OU: of no editor.
    assert met(simulator.fhir_url, showing(made, "editor"))[0] != "answer"


# --- revocation


def replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


def test_a_new_list_counts_at_once_on_a_kept_connection_too(serve: Serve, folder: Path) -> None:
    simulator = serve(*listening(folder))
    crl = folder / "authority.crl.pem"
    before = crl.read_bytes()
    kept = connection_to(simulator.fhir_url, showing(folder))
    assert asked(kept).status == 200
    sock = kept.sock
    samples.revoke(folder, folder / "sas.pem")
    answer = asked(kept)
    assert (answer.status, "it is revoked" in answer.diagnostics) == (403, True)
    assert ask(simulator.fhir_url, METADATA, showing(folder)).status == 403
    replace(crl, before)
    assert asked(kept).status == 200
    assert kept.sock is sock
    kept.close()


@VERSIONS
def test_an_authority_that_is_withdrawn_counts_no_more_on_kept_and_resumed_connections(
    serve: Serve, folder: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    simulator = serve(*listening(folder))
    authority, context = folder / "authority.pem", showing(folder, version=version)
    before = authority.read_bytes()
    kept = connection_to(simulator.fhir_url, context)
    assert asked(kept).status == 200
    assert isinstance(kept.sock, ssl.SSLSocket)
    sock, session = kept.sock, kept.sock.session
    samples.init(tmp_path / "other")
    replace(authority, (tmp_path / "other" / "authority.pem").read_bytes())
    answer = asked(kept)
    assert (answer.status, "it is of no authority that is trusted" in answer.diagnostics) == (403, True)
    # With TLS 1.3, a client learns it from its first read.
    with pytest.raises(OSError), secured(simulator.fhir_url, context, session=session) as again:  # noqa: PT011, PT012
        assert not again.session_reused
        again.sendall(get())
        if not again.recv(1):
            raise ConnectionResetError
    replace(authority, before)
    assert asked(kept).status == 200
    assert kept.sock is sock
    kept.close()
    assert ask(simulator.fhir_url, METADATA, context).status == 200


def short_lived(folder: Path, seconds: float) -> ssl.SSLContext:
    """A client of the authority of ``folder`` whose certificate is good for so long."""
    issuer: Any = load_pem_private_key((folder / "authority.key.pem").read_bytes(), None)
    authority = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
    like = x509.load_pem_x509_certificate((folder / "sas.pem").read_bytes())
    builder = x509.CertificateBuilder(
        authority.subject,
        like.subject,
        like.public_key(),
        x509.random_serial_number(),
        like.not_valid_before_utc,
        datetime.now(UTC) + timedelta(seconds=seconds),
        list(like.extensions),
    )
    (folder / "short.pem").write_bytes(builder.sign(issuer, SHA256()).public_bytes(Encoding.PEM))
    (folder / "short.key.pem").write_bytes((folder / "sas.key.pem").read_bytes())
    return showing(folder, "short")


def test_a_certificate_that_expires_counts_no_more_on_kept_and_resumed_connections(serve: Serve, folder: Path) -> None:
    simulator = serve(*listening(folder))
    for seconds in (2.5, 10, 40, 160):
        context = short_lived(folder, seconds)
        kept = connection_to(simulator.fhir_url, context)
        try:
            good = asked(kept).status == 200
        except OSError:  # a handshake that took longer than that
            good = False
        if good:
            break
        kept.close()
    assert isinstance(kept.sock, ssl.SSLSocket)
    sock, session = kept.sock, kept.sock.session
    assert eventually(lambda: asked(kept).status == 403, 2 * seconds + 20)
    assert "it has expired on " in asked(kept).diagnostics
    assert kept.sock is sock
    kept.close()
    with secured(simulator.fhir_url, context, session=session) as again:
        assert again.session_reused
        again.sendall(get(METADATA, "Connection: close"))
        received = b"".join(iter(lambda: again.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 403 ")
    assert b"it has expired on " in received


@pytest.mark.parametrize("broken", [b"", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", b"\0" * 100])
def test_a_broken_list_leaves_the_old_one_and_is_told_in_the_log(serve: Serve, folder: Path, broken: bytes) -> None:
    simulator = serve(*listening(folder))
    replace(folder / "authority.crl.pem", broken)
    assert ask(simulator.fhir_url, METADATA, showing(folder, "sas-revoked")).status == 403
    assert ask(simulator.fhir_url, METADATA, showing(folder)).status == 200
    (folder / "authority.crl.pem").unlink()
    assert ask(simulator.fhir_url, METADATA, showing(folder, "sas-revoked")).status == 403
    code, said = simulator.stop()
    assert code == 0
    assert said.count("The revoked certificates stay as they were: ") == 2
    assert "Traceback" not in said


def test_a_list_in_der_counts(serve: Serve, folder: Path) -> None:
    crl = folder / "authority.crl.pem"
    crl.write_bytes(x509.load_pem_x509_crl(crl.read_bytes()).public_bytes(Encoding.DER))
    simulator = serve(*listening(folder))
    assert ask(simulator.fhir_url, METADATA, showing(folder, "sas-revoked")).status == 403
    assert ask(simulator.fhir_url, METADATA, showing(folder)).status == 200


def test_a_list_of_another_authority_is_refused_at_the_start_and_later(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    samples.init(tmp_path / "stranger")
    foreign = (tmp_path / "stranger" / "authority.crl.pem").read_bytes()
    simulator = serve(*listening(folder))
    replace(folder / "authority.crl.pem", foreign)
    assert ask(simulator.fhir_url, METADATA, showing(folder, "sas-revoked")).status == 403
    assert "not signed by an authority that is trusted" in simulator.stop()[1]
    done = run("serve", "--port", "0", *listening(folder))
    assert done.returncode == 2
    crl = folder / "authority.crl.pem"
    assert done.stderr == f"mock-editor: {crl}: not signed by an authority that is trusted\n"


# --- what answers and the journal say


def test_fhir_answers_name_the_https_url_and_links_for_browsers_the_plain_one(simulator: Simulator, pki: Path) -> None:
    context = showing(pki)
    path = slot_search([GUIDE_THOMAS])
    bundle = ask(simulator.fhir_url, path.replace("|", "%7C"), context).json
    base = f"{simulator.fhir_url}/agenda-ville/fhir"
    assert bundle["entry"]
    assert [link["url"] for link in bundle["link"]] == [simulator.fhir_url + path.replace("|", "%7C")]
    assert all(entry["fullUrl"].startswith(f"{base}/") for entry in bundle["entry"])
    comments = [one["resource"]["comment"] for one in bundle["entry"] if "comment" in one["resource"]]
    assert comments
    assert all(f"{simulator.url}/agenda-ville/" in comment and "https:" not in comment for comment in comments)
    assert ask(simulator.fhir_url, METADATA, context).json["implementation"]["url"] == base


def created(url: str, context: ssl.SSLContext | None) -> Answer:
    path = "/agenda-ville/fhir/Practitioner?identifier=urn:oid:1.2.250.1.71.4.2.1%7C3456780581/11242343"
    account = described(
        national_id="3456780581/11242343",
        technical_id=None,
        family="ESSAI",
        given="Camille",
        email="camille.essai@test.com",
        active=True,
    )
    return ask(url, path, context, method="PUT", body=account.content)


def test_the_location_of_an_account_is_the_https_url(simulator: Simulator, pki: Path) -> None:
    answer = created(simulator.fhir_url, showing(pki))
    assert answer.status == 201, answer.body
    assert answer.headers["Location"].startswith(f"{simulator.fhir_url}/agenda-ville/fhir/Practitioner/")


def test_a_public_tls_url_is_what_answers_name(serve: Serve, made: Path) -> None:
    options = ("--tls-public-url", "https://lga.example/sas", "--public-url", "http://agenda.example")
    simulator = serve("--plain-fhir", "--now", NOW, *options, *listening(made))
    assert simulator.fhir_url == "https://lga.example/sas"
    bundle = ask(simulator.url, slot_search([GUIDE_THOMAS])).json
    assert bundle["link"][0]["url"].startswith("https://lga.example/sas/agenda-ville/fhir/Slot?")
    assert {entry["fullUrl"].partition("/agenda-ville/")[0] for entry in bundle["entry"]} == {"https://lga.example/sas"}
    slots = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Slot"]
    assert all("http://agenda.example/agenda-ville/" in one["comment"] for one in slots)
    assert created(simulator.url, None).headers["Location"].startswith("https://lga.example/sas/agenda-ville/fhir/")


@pytest.mark.parametrize("name", ["sas", "sas-wrong-cn", "sas-revoked"])
def test_the_journal_tells_the_caller(simulator: Simulator, pki: Path, name: str) -> None:
    clear_journal(simulator)
    status = ask(simulator.fhir_url, METADATA, showing(pki, name)).status
    [entry] = journal(simulator)
    found = requests.get(f"{simulator.url}/_admin/journal/{entry['id']}", timeout=10).json()
    cn = {"sas-wrong-cn": "other.example"}.get(name, "sas.example")
    assert found["status"] == status
    assert found["certificate"].startswith(f"CN={cn}, OU=SAS, serial {serial(pki / f'{name}.pem')}, issued by ")


def test_the_journal_tells_no_caller_where_none_has_shown_itself(simulator: Simulator, pki: Path) -> None:
    clear_journal(simulator)
    ask(simulator.fhir_url, METADATA, showing(pki, None))
    [entry] = journal(simulator)
    assert requests.get(f"{simulator.url}/_admin/journal/{entry['id']}", timeout=10).json()["certificate"] is None


# --- behind a proxy


def der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


HEADERS: dict[str, Callable[[Path], str]] = {
    "nginx": lambda path: quote(path.read_text(), safe=""),
    "HAProxy": lambda path: b64encode(der(path)).decode(),
    "RFC 9440": lambda path: f":{b64encode(der(path)).decode()}:",
    "Envoy": lambda path: (
        f'By=spiffe://x;Hash={"0" * 64};Cert="{quote(path.read_text(), safe="")}";Subject="CN=sas.example";URI='
    ),
    "Traefik": lambda path: "".join(path.read_text().splitlines()[1:-1]),
}
PROXY = "127.0.0.3"
BEHIND = ("--certificate-header", "X-Client-Cert", "--certificate-proxies", f"{PROXY}, 10.0.0.0/8")


@pytest.fixture
def behind(shared: Callable[..., Simulator], pki: Path) -> Simulator:
    crl, authorities = str(pki / "authority.crl.pem"), str(pki / "authority.pem")
    return shared(*BEHIND, *ACCEPTED, "--tls-client-ca", authorities, "--tls-crl", crl)


def passed(simulator: Simulator, text: str, *, source: str = PROXY) -> Answer:
    return ask(simulator.url, source=source, headers={"X-Client-Cert": text})


@pytest.mark.parametrize("proxy", HEADERS)
@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("sas", 200, ""),
        ("sas-wrong-cn", 403, "its CN is none of those accepted"),
        ("sas-wrong-ou", 403, "none of its OU is accepted"),
        ("sas-revoked", 403, "it is revoked"),
        ("sas-expired", 403, "it has expired on "),
        ("sas-not-yet-valid", 403, "it is not valid before "),
        ("sas-other-authority", 403, "it is of no authority that is trusted"),
    ],
)
def test_a_certificate_that_a_proxy_passes_is_checked(
    behind: Simulator, pki: Path, proxy: str, name: str, status: int, expected: str
) -> None:
    answer = passed(behind, HEADERS[proxy](pki / f"{name}.pem"))
    assert answer.status == status
    if expected:
        assert expected in answer.diagnostics
        assert f"serial {serial(pki / f'{name}.pem')}" in answer.diagnostics


def test_the_header_counts_from_known_proxies_only(behind: Simulator, pki: Path) -> None:
    answer = passed(behind, HEADERS["nginx"](pki / "sas.pem"), source="127.0.0.2")
    assert answer.status == 403
    assert answer.diagnostics == "X-Client-Cert counts only when it comes from a known proxy, and 127.0.0.2 is none"


@pytest.mark.parametrize("text", ["", "   ", "::", "%", "%00%FF", "garbage", "AAAA", "MIIB" * 200, "é" * 10, 'Cert="'])
def test_a_header_without_a_certificate_is_a_403(behind: Simulator, text: str) -> None:
    answer = passed(behind, text)
    assert answer.status == 403
    assert "certificate" in answer.diagnostics


def test_what_stands_twice_in_the_header_is_a_403(behind: Simulator, pki: Path) -> None:
    """As behind a proxy that adds its header to that of a client who made one up."""
    for one in (HEADERS["HAProxy"], HEADERS["RFC 9440"]):
        assert passed(behind, ", ".join([one(pki / "sas.pem")] * 2)).status == 403


def test_a_certificate_with_a_changed_byte_is_never_a_failure_of_ours(behind: Simulator, made: Path) -> None:
    right = der(made / "sas.pem")
    for at in range(0, len(right), 7):
        wrong = bytearray(right)
        wrong[at] ^= 0x55
        assert passed(behind, b64encode(wrong).decode()).status == 403, at


def test_behind_a_proxy_the_journal_tells_the_caller_too(behind: Simulator, pki: Path) -> None:
    clear_journal(behind)
    passed(behind, HEADERS["HAProxy"](pki / "sas.pem"))
    [entry] = journal(behind)
    found = requests.get(f"{behind.url}/_admin/journal/{entry['id']}", timeout=10).json()
    assert found["certificate"].startswith(f"CN=sas.example, OU=SAS, serial {serial(pki / 'sas.pem')}")


def test_a_listener_of_both_families_knows_a_proxy_by_its_ipv4_address(serve: Serve, made: Path) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6 beside IPv4")
    simulator = serve("--host", "::", *BEHIND, *NAMES)
    url = simulator.url.replace("[::1]", "127.0.0.1")
    header = {"X-Client-Cert": HEADERS["nginx"](made / "sas.pem")}
    assert ask(url, headers=header, source=PROXY).status == 200
    assert ask(url, headers=header, source="127.0.0.2").status == 403


# --- wrong options


def encrypted(path: Path) -> None:
    key: Any = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))


WRONG: dict[str, tuple[dict[str, str | None], str]] = {
    "no certificate": ({"--tls-cert": None}, "--tls-port: needs --tls-cert and --tls-client-ca"),
    "no authorities": ({"--tls-client-ca": None, "--tls-crl": None}, "--tls-port: needs --tls-cert and"),
    "no key": ({"--tls-key": None}, "{}/server.pem: "),
    "another's key": ({"--tls-key": "{}/sas.key.pem"}, "{}/server.pem, {}/sas.key.pem: key values mismatch"),
    "a key as certificate": ({"--tls-cert": "{}/sas.key.pem"}, "{}/sas.key.pem, {}/server.key.pem: "),
    "no PEM as authorities": ({"--tls-client-ca": "{}/sas.p12"}, "{}/sas.p12: "),
    "no list": ({"--tls-crl": "{}/sas.pem"}, "{}/sas.pem: not a list of revoked certificates: "),
    "what cannot be read": ({"--tls-cert": "/proc/self/mem"}, "/proc/self/mem, {}/server.key.pem: "),
    "unreadable authorities": ({"--tls-client-ca": "/proc/self/mem"}, "/proc/self/mem: "),
    "an unreadable list": ({"--tls-crl": "/proc/self/mem"}, "/proc/self/mem: not a list of revoked certificates: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_said_in_a_line(made: Path, case: str) -> None:
    changes, expected = WRONG[case]
    given = listening(made)
    options: dict[str, str | None] = dict(zip(given[::2], given[1::2], strict=True))
    options |= {name: value.format(made) if value else None for name, value in changes.items()}
    done = run("serve", "--port", "0", *(word for name, value in options.items() if value for word in (name, value)))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert expected.replace("{}", str(made)) in done.stderr


def test_an_encrypted_key_is_refused_without_asking_for_its_pass_phrase(folder: Path) -> None:
    encrypted(folder / "server.key.pem")
    words = [sys.executable, "-m", "mock_editor", "serve", "--port", "0", *listening(folder)]
    # A terminal of its own, where OpenSSL would ask.
    terminal = f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({words!r})))"
    done = subprocess.run(
        [sys.executable, "-c", terminal], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "the key is encrypted: it has to be without a pass phrase" in done.stdout
    assert "Enter" not in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("secure", [False, True])
def test_a_port_in_use_is_said_in_a_line(simulator: Simulator, made: Path, secure: bool) -> None:
    port = (simulator.fhir_url if secure else simulator.url).rpartition(":")[2]
    options = listening(made)
    done = run("serve", "--port", "0", *(options[0], port, *options[2:]))
    assert done.returncode == 2
    assert done.stderr == f"mock-editor: cannot listen on 127.0.0.1:{port}: Address already in use\n"


# --- the bench


PAGE = {"Accept": "text/html"}


def test_other_machines_see_the_bench_only_when_told(serve: Serve) -> None:
    closed = serve("--host", "0.0.0.0").url  # noqa: S104 - what is tried
    for path in ("/_sas/", "/_sas/rendez-vous", "/_sas/static/sas.css", "/_idp/authorize", "/_idp/", "/_idp/x"):
        answer = ask(closed, path, headers=PAGE)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8"), path
        assert '<html lang="fr"' in answer.body.decode()
    text = "This is switched off here (--with-bench switches it on)"
    answer = ask(closed, "/_sas/fhir/metadata")
    assert (answer.status, answer.diagnostics) == (404, text)
    for path in ("/_idp/.well-known/openid-configuration", "/_idp/x", "/_sas/x"):
        answer = ask(closed, path)
        assert (answer.status, text in answer.body.decode()) == (404, True), path
        assert "json" in answer.headers["Content-Type"]
    assert ask(closed, "/_health").status == ask(closed, METADATA).status == 200


def test_other_machines_see_the_bench_when_told(serve: Serve) -> None:
    shown = serve("--host", "0.0.0.0", "--with-bench").url  # noqa: S104 - what is tried
    for path in ("/_sas/fhir/metadata", "/_sas/rendez-vous", "/_idp/.well-known/openid-configuration"):
        assert ask(shown, path).status == 200, path


def test_this_machine_sees_the_bench_unless_told_otherwise(serve: Serve) -> None:
    assert ask(serve().url, "/_sas/fhir/metadata").status == 200
    closed = serve("--with-bench", "off").url
    for target in ("/%5Fsas/fhir/metadata", *(spelling.format("_sas/fhir/metadata") for spelling in SPELLINGS)):
        assert told(closed, target).startswith(b"HTTP/1.1 404 "), target

"""Notifications over TLS: whom the editor trusts, what it shows, and what it says of a connection that cannot be."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mock_editor.base.words import french, french_detail
from mock_editor.calendars.model import Appointment, AppointmentStatus, Editor
from mock_editor.notifications.model import Notification, NotificationFilter
from mock_editor.notifications.target import Target
from mock_editor.notifications.tls import Identity, TlsFileError
from mock_editor.settings import Settings, SettingsError
from mock_editor.world.world import check_files
from tests.notifications.conftest import Sas, Side
from tests.notifications.test_faults import kind, rule
from tests.wire.conftest import eventually

V1_1, V1_2, V1_3 = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    """An authority that the other side does not know."""
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    """What an editor has: the authority, and a certificate of it with its key."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    show(tmp_path, authority)
    return tmp_path


def show(folder: Path, issuer: trustme.CA, **dates: Any) -> None:
    """Puts the certificate that an editor shows into its file."""
    issuer.issue_cert("lga.example", **dates).private_key_and_cert_chain_pem.write_to_path(str(folder / "editor.pem"))


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - YEAR, now + YEAR)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    path.write_bytes(pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def pem(key: ec.EllipticCurvePrivateKey, pass_phrase: bytes | None = None) -> bytes:
    protection = serialization.BestAvailableEncryption(pass_phrase) if pass_phrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def server(issuer: trustme.CA, *names: str, clients: trustme.CA | None = None, **dates: Any) -> ssl.SSLContext:
    """How a SAS speaks TLS; with ``clients``, only to those whose certificate is of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert(*(names or ("127.0.0.1",)), **dates).configure_cert(context)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
    return context


def only(version: ssl.TLSVersion, context: ssl.SSLContext) -> ssl.SSLContext:
    if version is V1_1:
        # Its signatures are below what OpenSSL accepts by default.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.options &= ~ssl.OP_NO_TLSv1_1
    context.minimum_version = context.maximum_version = version
    return context


class Lines:
    """Editors' sides against SAS that speak TLS."""

    def __init__(self, folder: Path, editor: Editor) -> None:
        self._folder = folder
        self._editor = editor
        self._made: list[Side | Sas] = []

    def sas(self, context: ssl.SSLContext, script: list[str] | None = None) -> Sas:
        made = Sas(tls=context, script=script or [])
        self._made.append(made)
        return made

    def side(
        self, sas: Sas, *, host: str = "127.0.0.1", shows: bool = True, minimum: Literal["1.2", "1.3"] = "1.2"
    ) -> Side:
        own = self._folder / "editor.pem" if shows else None
        url, authority = sas.url.replace("127.0.0.1", host), self._folder / "authority.pem"
        target = Target(
            url, own, None, authority, 30, 30, tries=3, first_wait=0.02, longest_wait=0.1, tls_minimum=minimum
        )
        side = Side(self._folder, self._editor, target)
        self._made.insert(0, side)
        return side

    def end(self) -> None:
        for one in self._made:
            one.stop() if isinstance(one, Side) else one.close()


@pytest.fixture
def lines(folder: Path, editor: Editor) -> Iterator[Lines]:
    made = Lines(folder, editor)
    yield made
    made.end()


def failed(side: Side, made: Appointment) -> Notification:
    """The notification of an appointment, once it has failed more often than other ones may."""
    assert eventually(lambda: len(side.told(made)[0].attempts) > 4, 60), side.told(made)[0]
    assert eventually(lambda: side.told(made)[0].state == "tls failed")
    return side.told(made)[0]


@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_with_the_right_certificates_it_is_accepted(
    lines: Lines, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    sas = lines.sas(only(version, server(authority, clients=authority)))
    one = lines.side(sas, minimum="1.3" if version is V1_3 else "1.2")
    made, also = one.book(), one.book(1)
    one.send()
    assert one.settled(2)
    assert [one.told(each)[0].state for each in (made, also)] == ["accepted", "accepted"]
    assert sas.creates == 2


def bad_sas(case: str, authority: trustme.CA, stranger: trustme.CA, folder: Path) -> ssl.SSLContext:
    now = datetime.now(UTC)
    match case:
        case "unknown":
            return server(stranger)
        case "expired":
            return server(authority, not_before=now - 2 * YEAR, not_after=now - YEAR)
        case "early":
            return server(authority, not_before=now + YEAR, not_after=now + 2 * YEAR)
        case "name" | "address":
            return server(authority, "sas.example")
        case _:
            return self_signed(folder)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("unknown", "certificat du SAS refusé : son autorité est inconnue (unable to get local issuer certificate)"),
        ("expired", "certificat du SAS refusé : il a expiré, ou celui de son autorité (certificate has expired)"),
        (
            "early",
            "certificat du SAS refusé : il n’est pas encore valable, ou celui de son autorité "
            "(certificate is not yet valid)",
        ),
        (
            "name",
            "certificat du SAS refusé : il n’est pas à ce nom "
            "(Hostname mismatch, certificate is not valid for 'localhost')",
        ),
        (
            "address",
            "certificat du SAS refusé : il n’est pas à cette adresse "
            "(IP address mismatch, certificate is not valid for '127.0.0.1')",
        ),
        (
            "self-signed",
            "certificat du SAS refusé : il est auto-signé, et n’est pas de ceux auxquels l’éditeur fait confiance "
            "(self-signed certificate)",
        ),
    ],
)
def test_a_sas_that_is_not_trusted_is_told_nothing(
    lines: Lines, authority: trustme.CA, stranger: trustme.CA, folder: Path, case: str, text: str
) -> None:
    sas = lines.sas(bad_sas(case, authority, stranger, folder))
    one = lines.side(sas, host="localhost" if case == "name" else "127.0.0.1")
    made = one.book()
    one.send()
    told = failed(one, made)
    assert {french_detail(attempt.result) for _, attempt in told.attempts} == {f"TLS: {text}"}
    # It certainly never left: every attempt is still a create.
    assert {attempt.method for _, attempt in told.attempts} == {"POST"}
    assert sas.received == []
    assert [entry.id for entry in one.notifications.listing(NotificationFilter(state=told.state)).items] == [told.id]


def refusing(case: str, authority: trustme.CA, stranger: trustme.CA, folder: Path) -> ssl.SSLContext:
    """A SAS that does not accept what the editor shows."""
    now = datetime.now(UTC)
    if case == "unknown":
        return server(authority, clients=stranger)
    if case == "expired":
        show(folder, authority, not_before=now - 2 * YEAR, not_after=now - YEAR)
    return server(authority, clients=authority)


@pytest.mark.parametrize("version", [V1_2, V1_3])
@pytest.mark.parametrize(
    ("case", "texts"),
    [
        (
            "none",
            {
                V1_2: "le SAS refuse la négociation TLS : il exige peut-être un certificat, "
                "ou aucun chiffrement n’est commun (SSLV3_ALERT_HANDSHAKE_FAILURE)",
                V1_3: "le SAS refuse l’éditeur, qui ne montre aucun certificat : il en exige un "
                "(TLSV13_ALERT_CERTIFICATE_REQUIRED)",
            },
        ),
        (
            "unknown",
            dict.fromkeys(
                (V1_2, V1_3),
                "le SAS refuse notre certificat : il n’en connaît pas l’autorité (TLSV1_ALERT_UNKNOWN_CA)",
            ),
        ),
        (
            "expired",
            dict.fromkeys(
                (V1_2, V1_3),
                "le SAS refuse notre certificat : il a expiré, ou n’est pas encore valable "
                "(SSLV3_ALERT_CERTIFICATE_EXPIRED)",
            ),
        ),
    ],
)
def test_a_certificate_that_the_sas_refuses_is_told(
    lines: Lines,
    authority: trustme.CA,
    stranger: trustme.CA,
    folder: Path,
    case: str,
    texts: dict[ssl.TLSVersion, str],
    version: ssl.TLSVersion,
) -> None:
    sas = lines.sas(only(version, refusing(case, authority, stranger, folder)))
    one = lines.side(sas, shows=case != "none")
    made = one.book()
    one.send()
    told = failed(one, made)
    assert {french_detail(attempt.result) for _, attempt in told.attempts} == {f"TLS: {texts[version]}"}
    assert {attempt.method for _, attempt in told.attempts} == {"POST"}
    assert sas.received == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("version", "minimum"), [(V1_2, "1.3"), (V1_1, "1.2")])
def test_a_sas_with_too_old_a_version_is_told_nothing(
    lines: Lines, authority: trustme.CA, version: ssl.TLSVersion, minimum: Literal["1.2", "1.3"]
) -> None:
    if version is V1_1 and not ssl.HAS_TLSv1_1:
        pytest.skip("this OpenSSL does not speak TLS 1.1")
    sas = lines.sas(only(version, server(authority)))
    one = lines.side(sas, minimum=minimum)
    made = one.book()
    one.send()
    told = failed(one, made)
    text = f"version de TLS trop ancienne : le SAS ne parle pas TLS {minimum} ou plus (TLSV1_ALERT_PROTOCOL_VERSION)"
    assert {french_detail(attempt.result) for _, attempt in told.attempts} == {f"TLS: {text}"}
    assert sas.received == []


class Silent(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_server_without_tls_is_told_as_such(lines: Lines, authority: trustme.CA) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        sas = lines.sas(server(authority))
        sas.port = plain.server_port
        one = lines.side(sas)
        made = one.book()
        one.send()
        told = failed(one, made)
        plain.shutdown()
    assert "le serveur ne parle pas TLS à cette adresse" in french(told.attempts[0][1].result)


def test_it_goes_on_when_the_sas_has_mended_its_certificate(
    lines: Lines, authority: trustme.CA, stranger: trustme.CA
) -> None:
    sas = lines.sas(server(stranger))
    one = lines.side(sas)
    made = one.book()
    one.send()
    failed(one, made)
    # The tries that did not reach it do not count: it may put it off as often as ever.
    sas.script += ["503", "503"]
    sas.tls = server(authority)
    assert one.settled(1)
    told = one.told(made)[0]
    assert told.state == "accepted"
    assert [attempt.status for _, attempt in told.attempts][-3:] == [503, 503, 201]
    assert [request.method for request in sas.received] == ["POST", "PUT", "PUT"]


def test_after_that_it_is_given_up_as_any_other(lines: Lines, authority: trustme.CA, stranger: trustme.CA) -> None:
    sas = lines.sas(server(stranger), script=["503"] * 9)
    one = lines.side(sas)
    made = one.book()
    one.send()
    failed(one, made)
    sas.tls = server(authority)
    assert one.settled(1)
    assert one.told(made)[0].state == "given up"
    assert len(sas.received) == 3


def test_it_goes_on_when_the_editor_has_a_better_certificate(
    lines: Lines, authority: trustme.CA, stranger: trustme.CA, folder: Path
) -> None:
    show(folder, stranger)
    one = lines.side(lines.sas(server(authority, clients=authority)))
    made = one.book()
    one.send()
    failed(one, made)
    (folder / "editor.pem").write_text("half of it")
    assert eventually(lambda: "fichier inutilisable" in french(one.told(made)[0].attempts[-1][1].result))
    show(folder, authority)
    assert one.settled(1)
    assert one.told(made)[0].state == "accepted"


def test_it_can_be_sent_again_at_once(lines: Lines, authority: trustme.CA, stranger: trustme.CA) -> None:
    sas = lines.sas(server(stranger))
    one = lines.side(sas)
    made = one.book()
    one.send()
    told = failed(one, made)
    sas.tls = server(authority)
    assert one.outbox.replay(told.id) == 1
    assert one.settled(1)


def test_later_ones_of_the_appointment_wait_for_it(lines: Lines, authority: trustme.CA, stranger: trustme.CA) -> None:
    sas = lines.sas(server(stranger))
    one = lines.side(sas)
    made = one.book()
    one.change(made, status=AppointmentStatus.CANCELLED)
    one.send()
    failed(one, made)
    assert [each.state for each in one.told(made)] == ["tls failed", "waiting"]
    sas.tls = server(authority)
    assert one.settled(2)
    assert [request.method for request in sas.received] == ["POST", "PUT"]


def test_what_a_rule_would_cut_off_needs_a_trusted_sas_too(
    lines: Lines, authority: trustme.CA, stranger: trustme.CA
) -> None:
    sas = lines.sas(server(stranger))
    one = lines.side(sas)
    one.faults.put(rule(kind("cut-body", share=0.5), uses=1))
    made = one.book()
    one.send()
    assert "son autorité est inconnue" in french(failed(one, made).attempts[0][1].result)
    sas.tls = server(authority)
    assert one.settled(1)


# --- the files


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_files_that_cannot_be_used_are_told(folder: Path, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("lga.example")
    certificate = written(folder, "certificate.pem", leaf.cert_chain_pems[0].bytes())
    key = written(folder, "key.pem", leaf.private_key_pem.bytes())
    other = written(folder, "other.pem", pem(ec.generate_private_key(ec.SECP256R1())))
    encrypted = written(folder, "encrypted.pem", pem(ec.generate_private_key(ec.SECP256R1()), b"secret"))
    torn = written(folder, "torn.pem", leaf.private_key_pem.bytes()[:80])
    empty = written(folder, "empty.pem", b"")
    half = written(folder, "half.pem", leaf.cert_chain_pems[0].bytes()[:200])
    gone = folder / "gone.pem"
    Identity(certificate, key).context()
    cases: list[tuple[Identity, str, str]] = [
        (Identity(certificate), "certificate", f"{certificate}: holds no private key in PEM"),
        (Identity(certificate, other), "key", f"{other}: the key is not that of the certificate in {certificate}"),
        (Identity(certificate, encrypted), "key", f"{encrypted}: the key is encrypted; expected one without"),
        (Identity(certificate, torn), "certificate", f"{certificate}: cannot be used with the key in {torn}: "),
        (Identity(certificate, gone), "key", f"{gone}: cannot be read: No such file or directory"),
        (Identity(gone, key), "certificate", f"{gone}: cannot be read: No such file or directory"),
        (Identity(certificate, folder), "key", f"{folder}: cannot be read: Is a directory"),
        (Identity(empty, key), "certificate", f"{empty}: holds no certificate in PEM"),
        (Identity(half, key), "certificate", f"{half}: cannot be used with the key in {key}: "),
        (Identity(authority=empty), "authority", f"{empty}: holds no certificate in PEM"),
        (Identity(authority=half), "authority", f"{half}: holds no certificate that can be read"),
    ]
    for identity, name, text in cases:
        with pytest.raises(TlsFileError) as refused:
            identity.context()
        assert (refused.value.name, str(refused.value)[: len(text)]) == (name, text)


@pytest.mark.parametrize("whose", ["sas", "bench"])
def test_settings_with_such_files_are_refused(folder: Path, whose: str) -> None:
    empty, variable = written(folder, "empty.pem", b""), f"MOCK_EDITOR_{whose.upper()}"
    with pytest.raises(SettingsError, match=f"--{whose}-authority: {empty}: holds no certificate in PEM"):
        check_files(Settings.from_env({f"{variable}_AUTHORITY": str(empty)}))
    with pytest.raises(SettingsError, match=f"--{whose}-key: expected --{whose}-certificate too"):
        check_files(Settings.from_env({f"{variable}_KEY": str(folder / "editor.pem")}))
    check_files(Settings.from_env({f"{variable}_CERTIFICATE": str(folder / "editor.pem")}))

"""The throw-away certificates: as OpenSSL and real handshakes take them, and how they get onto the disk."""

import contextlib
import dataclasses
import os
import resource
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from mock_editor.settings import Settings
from mock_editor.tls import samples
from mock_editor.tls.files import CertificatesError

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
NAMES = ("LGA.test", "mock_editor", "192.0.2.7", "2001:db8::7", "localhost")
# What OpenSSL says of each: 0 is good. Of those with a wrong name only their readers think badly.
VERDICTS = {
    "sas": 0,
    "sas-wrong-cn": 0,
    "sas-wrong-ou": 0,
    "editor": 0,
    "sas-not-yet-valid": 9,
    "sas-expired": 10,
    "sas-other-authority": 20,
    "sas-revoked": 23,
}
WRONG_NAMES = [
    "a b", "", "-a", "a-", "a..b", "a.", "*.lga.test", "é.fr", "a\n", "x" * 64, "x." * 127 + "x",
    "1.2.3", "999.1.1.1", "12", "10.0.0.0/8", "[::1]", "fe80::1%eth0", "https://lga.test", "lga.test:443",
]  # fmt: skip
NOBODY = 65534

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl is not there")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``init`` leaves it; only to be read. Its certificates are of today, because OpenSSL's clock is."""
    folder = tmp_path_factory.mktemp("made") / "certs"
    samples.init(folder, NAMES)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return shutil.copytree(made, tmp_path / "certs")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=60)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def revocations(folder: Path) -> tuple[int, list[int]]:
    """Number of the list in ``folder``, and the serial numbers that are in it."""
    listed = x509.load_pem_x509_crl((folder / "authority.crl.pem").read_bytes())
    number = listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, [one.serial_number for one in listed]


def contents(folder: Path) -> dict[str, bytes | None]:
    return {path.name: None if path.is_dir() else path.read_bytes() for path in folder.iterdir()}


def set_is_whole(folder: Path) -> bool:
    """Whether the certificates and the keys in ``folder`` are of one making."""
    authority = certificate(folder / "authority.pem")
    for name in ("server", *VERDICTS):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key.pem")
        if name != "sas-other-authority":
            certificate(folder / f"{name}.pem").verify_directly_issued_by(authority)
    return certificate(folder / "sas-revoked.pem").serial_number in revocations(folder)[1]


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[ssl.SSLError | None, ...]:
    """What server and client say against the other's certificate, in a handshake with the server ``name``."""

    def side(sock: socket.socket, wrap: Callable[[socket.socket], ssl.SSLSocket]) -> ssl.SSLError | None:
        sock.settimeout(30)
        with sock:
            try:
                # With TLS 1.3, the client learns the server's verdict only when it reads.
                with wrap(sock) as wrapped:
                    wrapped.sendall(b".")
                    wrapped.recv(1)
            except ssl.SSLError as error:
                return error
            except OSError:
                return None  # the other one has left
        return None

    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(side, ours, lambda sock: server.wrap_socket(sock, server_side=True))
        called = side(theirs, lambda sock: client.wrap_socket(sock, server_hostname=name))
        return serving.result(), called


def server_context(folder: Path, *, lists: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key.pem")
    context.load_verify_locations(folder / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if lists:
        context.load_verify_locations(folder / "authority.crl.pem")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def client_context(folder: Path, name: str, *, trusted: str = "authority") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / f"{trusted}.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key.pem")
    return context


# What others make of them


@needs_openssl
@pytest.mark.parametrize("name", VERDICTS)
def test_openssl_takes_the_good_clients_only(made: Path, name: str) -> None:
    said = openssl(
        *("verify", "-x509_strict", "-crl_check", "-purpose", "sslclient"),
        *("-CAfile", made / "authority.pem", "-CRLfile", made / "authority.crl.pem", made / f"{name}.pem"),
    )
    if VERDICTS[name]:
        assert f"error {VERDICTS[name]} at 0 depth" in said.stderr
    else:
        assert said.stdout.endswith("OK\n"), said.stderr


@needs_openssl
def test_openssl_takes_what_the_other_authority_issued_for_that_one(made: Path) -> None:
    trusted = ("-CAfile", made / "other-authority.pem")
    assert openssl("verify", "-x509_strict", *trusted, made / "sas-other-authority.pem").returncode == 0
    assert openssl("verify", "-x509_strict", *trusted, made / "sas.pem").returncode != 0


@needs_openssl
def test_openssl_takes_neither_client_nor_server_for_the_other(made: Path) -> None:
    for name, purpose, good in [("server", "sslserver", 0), ("server", "sslclient", 2), ("sas", "sslserver", 2)]:
        said = openssl("verify", "-purpose", purpose, "-CAfile", made / "authority.pem", made / f"{name}.pem")
        assert said.returncode == good, (name, purpose, said.stderr)


@needs_openssl
@pytest.mark.parametrize("name", ["server", *VERDICTS])
def test_openssl_reads_the_pkcs12_files(made: Path, name: str) -> None:
    file = ("pkcs12", "-in", made / f"{name}.p12")
    opened = openssl(*file, "-passin", f"pass:{samples.P12_PASSWORD}", "-noenc")
    assert opened.returncode == 0, opened.stderr
    assert (made / f"{name}.key.pem").read_text() in opened.stdout
    assert (made / f"{name}.pem").read_text() in opened.stdout
    authority = "other-authority" if name == "sas-other-authority" else "authority"
    assert (made / f"{authority}.pem").read_text() in opened.stdout
    assert openssl(*file, "-passin", "pass:other", "-noenc").returncode != 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", VERDICTS)
def test_a_server_takes_the_good_clients_only(made: Path, name: str, version: ssl.TLSVersion) -> None:
    server = server_context(made)
    server.minimum_version = server.maximum_version = version
    against, _ = shake_hands(server, client_context(made, name), "localhost")
    assert getattr(against, "verify_code", 0) == VERDICTS[name]
    assert (against is None) == (VERDICTS[name] == 0)


def test_a_server_without_the_list_takes_the_revoked_one(made: Path) -> None:
    server = server_context(made, lists=False)
    assert shake_hands(server, client_context(made, "sas-revoked"), "localhost") == (None, None)


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "::1", "lga.test", "mock_editor", "192.0.2.7", "2001:db8::7"]
)
def test_the_server_is_who_it_is_asked_for(made: Path, name: str) -> None:
    assert shake_hands(server_context(made), client_context(made, "sas"), name) == (None, None)


@pytest.mark.parametrize("name", ["www.lga.test", "192.0.2.8", "example.org"])
def test_the_server_is_nobody_else(made: Path, name: str) -> None:
    _, against = shake_hands(server_context(made), client_context(made, "sas"), name)
    assert isinstance(against, ssl.SSLCertVerificationError)
    assert "mismatch" in against.verify_message


def test_who_trusts_the_other_authority_only_does_not_take_the_server(made: Path) -> None:
    client = client_context(made, "sas", trusted="other-authority")
    _, against = shake_hands(server_context(made), client, "localhost")
    assert isinstance(against, ssl.SSLCertVerificationError)
    assert against.verify_code in (19, 20)


# What they say


@pytest.mark.parametrize(
    ("name", "right"),
    [
        *((name, (True, True)) for name in VERDICTS if name not in ("sas-wrong-cn", "sas-wrong-ou", "editor")),
        ("sas-wrong-cn", (False, True)),
        ("sas-wrong-ou", (True, False)),
        ("editor", (False, False)),
    ],
)
def test_clients_are_wrong_in_one_thing_each(made: Path, name: str, right: tuple[bool, bool]) -> None:
    subject = certificate(made / f"{name}.pem").subject
    [cn] = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    [ou] = subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert (cn.value == samples.SAS_COMMON_NAME, ou.value == samples.SAS_UNIT) == right


def test_dates_count_from_now_with_a_day_for_clocks_that_are_slow(tmp_path: Path) -> None:
    samples.init(tmp_path / "certs", days=30, now=NOW)
    day = timedelta(days=1)
    spans = {
        name: (one.not_valid_before_utc - NOW, one.not_valid_after_utc - NOW)
        for name in ("server", "authority", *VERDICTS)
        for one in [certificate(tmp_path / "certs" / f"{name}.pem")]
    }
    assert spans.pop("sas-expired") == (-32 * day, -1 * day)
    assert spans.pop("sas-not-yet-valid") == (30 * day, 61 * day)
    assert spans.pop("authority") == (-32 * day, 61 * day)
    assert set(spans.values()) == {(-1 * day, 30 * day)}
    listed = x509.load_pem_x509_crl((tmp_path / "certs" / "authority.crl.pem").read_bytes())
    assert listed.next_update_utc == NOW + 61 * day
    assert "from 2026-11-19 to 2026-12-20" in (tmp_path / "certs" / "README.md").read_text()


def test_each_says_what_it_may_do(made: Path) -> None:
    authority = certificate(made / "authority.pem").extensions
    for name in ("authority", "other-authority", "server", *VERDICTS):
        extensions = certificate(made / f"{name}.pem").extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        issues = name.endswith("authority") and not name.startswith("sas")
        assert basic.critical
        assert usage.critical
        assert basic.value.ca == usage.value.key_cert_sign == usage.value.crl_sign == issues
        assert basic.value.path_length == (0 if issues else None)
        assert usage.value.digital_signature != issues
        assert usage.value.key_encipherment == (name == "server")
        if name not in ("other-authority", "sas-other-authority"):
            issuer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
            own = authority.get_extension_for_class(x509.SubjectKeyIdentifier).value
            assert issuer.key_identifier == own.key_identifier
    assert revocations(made) == (1, [certificate(made / "sas-revoked.pem").serial_number])


def test_serial_numbers_are_drawn(made: Path, tmp_path: Path) -> None:
    samples.init(tmp_path / "certs")
    certificates = [*made.glob("*.pem"), *(tmp_path / "certs").glob("*.pem")]
    certificates = [path for path in certificates if path.name.count(".") == 1]
    serials = {certificate(path).serial_number for path in certificates}
    assert len(serials) == len(certificates) == 22
    assert min(serials).bit_length() > 64


def test_the_server_has_each_name_once(made: Path) -> None:
    names = certificate(made / "server.pem").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "lga.test", "mock_editor"]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"]


def test_the_readme_names_what_is_there(made: Path) -> None:
    text = (made / "README.md").read_text()
    assert f"password: `{samples.P12_PASSWORD}`" in text
    assert "protect nothing" in text
    assert f"--tls-client-cn {samples.SAS_COMMON_NAME} --tls-client-ou {samples.SAS_UNIT}" in text
    assert all(f"| `{name}` |" in text for name in VERDICTS)
    words = {word.strip("`|,.:") for word in text.split()}
    files = {word for word in words if word.endswith((".pem", ".p12")) and "NAME" not in word and "$" not in word}
    # What is to be made with the last commands is not there.
    assert files - {"more.pem", "more.key.pem"} <= set(contents(made))
    assert {"authority.crl.pem", "server.key.pem", "editor.pem", "sas.key.pem"} <= files


def test_the_readme_starts_the_simulator_with_options_that_there_are(made: Path) -> None:
    _, _, start = (made / "README.md").read_text().partition("## Start")
    start, _, _ = start.partition("## Call")
    options = {word.strip("`,") for word in start.split() if word.strip("`").startswith("--")}
    assert len(options) == 8 + 3 + 3
    assert options <= {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Settings)}


# On the disk


def test_only_the_owner_reads_keys(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        files = samples.init(tmp_path / "new" / "certs")
    finally:
        os.umask(former)
    folder = tmp_path / "new" / "certs"
    assert sorted(files) == sorted(folder.iterdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    secret = {name for name in modes if name.endswith((".key.pem", ".p12"))}
    assert len(secret) == 11 + 9
    assert {modes[name] for name in secret} == {0o600}
    assert {mode for name, mode in modes.items() if name not in secret} == {0o644}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "sas.pem").write_text("mine")
    (tmp_path / "README.md").symlink_to("nowhere")
    with pytest.raises(CertificatesError, match=r"has already sas\.pem, README\.md; --force replaces them$"):
        samples.init(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "sas.pem"]
    assert (tmp_path / "sas.pem").read_text() == "mine"


def test_a_folder_with_other_files_is_filled_and_keeps_them_and_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    (tmp_path / "mine.pem").write_text("mine")
    samples.init(tmp_path)
    assert set_is_whole(tmp_path)
    assert (tmp_path / "mine.pem").read_text() == "mine"
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_force_replaces_what_is_ours_and_leaves_the_rest(folder: Path) -> None:
    before = contents(folder)
    (folder / "mine.pem").write_text("mine")
    (folder / "sas.pem").unlink()
    (folder / "server.key.pem").chmod(0o644)
    samples.init(folder, force=True)
    after = contents(folder)
    assert after.pop("mine.pem") == b"mine"
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)
    assert set_is_whole(folder)
    assert stat.S_IMODE((folder / "server.key.pem").stat().st_mode) == 0o600


def test_renewing_replaces_only_what_ends_soon(tmp_path: Path) -> None:
    now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert samples.init(tmp_path, days=365, renew=30, now=now)
    before = contents(tmp_path)
    assert samples.init(tmp_path, renew=30, now=now + timedelta(days=334)) == []
    assert contents(tmp_path) == before
    assert samples.init(tmp_path, renew=30, now=now + timedelta(days=336))
    assert set_is_whole(tmp_path)
    assert all(contents(tmp_path)[name] != content for name, content in before.items())


def test_renewing_leaves_alone_what_was_not_made_here(tmp_path: Path, folder: Path) -> None:
    samples.init(tmp_path)
    (folder / "server.pem").write_bytes((tmp_path / "server.pem").read_bytes())
    before = contents(folder)
    with pytest.raises(CertificatesError, match="was not made here"):
        samples.init(folder, renew=4000)
    (folder / "server.pem").unlink()
    with pytest.raises(CertificatesError, match="has already"):
        samples.init(folder, renew=30)
    assert contents(folder) == {name: content for name, content in before.items() if name != "server.pem"}


def test_a_folder_in_the_place_of_a_file_is_left_alone_with_all_others(folder: Path) -> None:
    (folder / "server.p12").unlink()
    (folder / "server.p12").mkdir()
    before = contents(folder)
    with pytest.raises(CertificatesError, match=r"server\.p12 is a folder, expected a file$"):
        samples.init(folder, force=True)
    assert contents(folder) == before


@contextlib.contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """No file can grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_leaves_nothing_half_made(tmp_path: Path, folder: Path) -> None:
    before = contents(folder)
    # Enough for the authority's certificate, not for a PKCS#12 file.
    with disk_full_after(2500):
        with pytest.raises(CertificatesError, match=r"^cannot write to .*/new: File too large$"):
            samples.init(tmp_path / "new")
        with pytest.raises(CertificatesError, match="File too large"):
            samples.init(folder, force=True)
    assert not (tmp_path / "new").exists()
    assert contents(folder) == before


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@needs_root
def test_what_was_replaced_before_a_failure_is_put_back(made: Path, open_folder: Path) -> None:
    for path in made.iterdir():
        shutil.copy(path, open_folder)
        os.chown(open_folder / path.name, NOBODY, NOBODY)
    (open_folder / "sas-expired.p12").unlink()
    # One that only root can move away, in the middle; one is missing and would come first.
    os.chown(open_folder / "editor.pem", 0, 0)
    open_folder.chmod(0o1777)
    before = contents(open_folder)
    with nobody(), pytest.raises(CertificatesError, match="Operation not permitted"):
        samples.init(open_folder, force=True)
    assert contents(open_folder) == before


@needs_root
def test_a_folder_without_the_right_to_write_is_told(open_folder: Path) -> None:
    with nobody(), pytest.raises(CertificatesError, match=rf"^cannot write to {open_folder}: Permission denied$"):
        samples.init(open_folder)
    with nobody(), pytest.raises(CertificatesError, match="Permission denied"):
        samples.init(open_folder / "new")
    assert contents(open_folder) == {}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "certs").write_text("mine")
    with pytest.raises(CertificatesError, match=r"certs is a file, expected a folder$"):
        samples.init(tmp_path / "certs", force=True)
    with pytest.raises(CertificatesError, match=r"Not a directory$"):
        samples.init(tmp_path / "certs" / "more")
    assert (tmp_path / "certs").read_text() == "mine"


def test_of_two_at_once_one_is_refused(tmp_path: Path) -> None:
    def outcome(_: int) -> str:
        try:
            samples.init(tmp_path / "certs")
        except CertificatesError as error:
            return str(error)
        return "made"

    with ThreadPoolExecutor(2) as threads:
        first, second = sorted(threads.map(outcome, range(2)))
    assert "has already authority.pem, " in first
    assert second == "made"
    assert set_is_whole(tmp_path / "certs")


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_wrong_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CertificatesError, match=r'^bad name ".*": expected a host name or an IP address$'):
        samples.init(tmp_path / "certs", ["lga.test", name])
    assert not (tmp_path / "certs").exists()


def test_too_many_names_and_days_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CertificatesError, match=r"^101 names: expected 100 at most$"):
        samples.init(tmp_path / "certs", [f"lga{number}.test" for number in range(101)])
    for days in (0, 3651):
        with pytest.raises(CertificatesError, match=rf"^{days} days: expected 1 to 3650$"):
            samples.init(tmp_path / "certs", days=days)
    assert not (tmp_path / "certs").exists()


# Revoking


def test_one_more_is_revoked_and_the_others_stay_so(folder: Path) -> None:
    assert shake_hands(server_context(folder), client_context(folder, "sas"), "localhost") == (None, None)
    samples.revoke(folder, folder / "sas.pem")
    samples.revoke(folder, folder / "editor.pem")
    serials = [certificate(folder / f"{name}.pem").serial_number for name in ("sas-revoked", "sas", "editor")]
    assert revocations(folder) == (3, serials)
    for name, code in [("sas", 23), ("sas-revoked", 23), ("editor", 23), ("sas-wrong-cn", 0)]:
        against, _ = shake_hands(server_context(folder), client_context(folder, name), "localhost")
        assert getattr(against, "verify_code", 0) == code, name


def test_the_list_is_the_only_file_that_changes(folder: Path) -> None:
    before = contents(folder)
    samples.revoke(folder, folder / "sas.pem")
    after = contents(folder)
    assert after.pop("authority.crl.pem") != before.pop("authority.crl.pem")
    assert after == before


def test_revoking_twice_changes_nothing(folder: Path) -> None:
    before = contents(folder)
    samples.revoke(folder, folder / "sas-revoked.pem")
    assert contents(folder) == before


def test_the_day_of_a_revocation_is_kept(folder: Path) -> None:
    samples.revoke(folder, folder / "sas.pem", now=NOW)
    samples.revoke(folder, folder / "editor.pem", now=NOW + timedelta(days=9))
    listed = x509.load_pem_x509_crl((folder / "authority.crl.pem").read_bytes())
    since = {one.serial_number: one.revocation_date_utc for one in listed}
    assert since[certificate(folder / "sas.pem").serial_number] == NOW - timedelta(days=1)
    assert listed.last_update_utc == NOW + timedelta(days=8)


def test_revocations_at_once_are_all_kept(folder: Path) -> None:
    names = ["sas", "sas-wrong-cn", "sas-wrong-ou", "sas-expired", "editor", "server"]
    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(lambda name: samples.revoke(folder, folder / f"{name}.pem"), names))
    number, serials = revocations(folder)
    assert number == 1 + len(names)
    assert {certificate(folder / f"{name}.pem").serial_number for name in names} < set(serials)


def test_a_list_that_cannot_be_written_stays(folder: Path) -> None:
    before = contents(folder)
    with disk_full_after(100), pytest.raises(CertificatesError, match=r"File too large$"):
        samples.revoke(folder, folder / "sas.pem")
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("sas-other-authority.pem", "was not issued by .*authority.pem$"),
        ("authority.pem", "was not issued by .*authority.pem$"),
        ("sas.key.pem", "sas.key.pem is not a certificate in PEM$"),
        ("sas.p12", "sas.p12 is not a certificate in PEM$"),
        ("nowhere.pem", "nowhere.pem: No such file or directory$"),
        (".", "Is a directory$"),
    ],
)
def test_what_cannot_be_revoked_is_told(folder: Path, name: str, refusal: str) -> None:
    before = contents(folder)
    with pytest.raises(CertificatesError, match=refusal):
        samples.revoke(folder, folder / name)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("file", "content", "refusal"),
    [
        ("authority.pem", b"no", "authority.pem is not a certificate in PEM$"),
        ("authority.key.pem", b"no", "authority.key.pem is not an RSA key in PEM, without password$"),
        ("authority.crl.pem", b"no", "authority.crl.pem is not a revocation list in PEM, with a number$"),
        ("authority.crl.pem", None, "authority.crl.pem: No such file or directory$"),
    ],
)
def test_what_is_missing_for_revoking_is_told(folder: Path, file: str, content: bytes | None, refusal: str) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(CertificatesError, match=refusal):
        samples.revoke(folder, folder / "sas.pem")


def test_an_authority_that_is_over_revokes_nothing(folder: Path) -> None:
    with pytest.raises(CertificatesError, match=r"authority.pem is no longer valid$"):
        samples.revoke(folder, folder / "sas.pem", now=datetime.now(UTC) + timedelta(days=800))


def test_a_folder_that_is_not_there_is_not_made_for_revoking(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CertificatesError, match=r"nowhere: No such file or directory$"):
        samples.revoke(tmp_path / "nowhere", folder / "sas.pem")
    assert not (tmp_path / "nowhere").exists()

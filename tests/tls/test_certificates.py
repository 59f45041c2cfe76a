"""AcceptedNames, forms of headers, chains and lists of revoked certificates, with certificates made for each case."""

import contextlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mock_editor.base.issues import Issue
from mock_editor.base.words import english
from mock_editor.settings import Settings, SettingsError
from mock_editor.tls.certificates import Certificate, read_certificate
from mock_editor.tls.errors import TlsError
from mock_editor.tls.forwarded import from_header
from mock_editor.tls.policy import AcceptedNames, ClientPolicy
from mock_editor.tls.trust import RevocationLists, TrustStore

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(eq=False)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def read(self) -> Certificate:
        return read_certificate(self.der)


def make(
    *names: tuple[x509.ObjectIdentifier, str],
    by: Made | None = None,
    authority: bool | None = False,
    below: int | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
    since: datetime = NOW - DAY,
    until: datetime = NOW + DAY,
    serial: int | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
) -> Made:
    """One issued ``by`` another, or by itself; ``authority`` is what its basic constraints say, if it has any."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=below), critical=True)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return Made(builder.sign(by.key if by else key, hashes.SHA256()), key)


def cn(text: str) -> tuple[x509.ObjectIdentifier, str]:
    return NameOID.COMMON_NAME, text


def ou(text: str) -> tuple[x509.ObjectIdentifier, str]:
    return NameOID.ORGANIZATIONAL_UNIT_NAME, text


ROOT = make(cn("Racine"), authority=True)


def file_of(folder: Path, *made: Made) -> Path:
    path = folder / "authorities.pem"
    path.write_text("".join(one.pem for one in made))
    return path


def words(issue: Issue | None) -> str | None:
    return english(issue) if issue else None


# --- names


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        (AcceptedNames(), True),
        (AcceptedNames(["sas.example"]), True),
        (AcceptedNames(["x", "sas.example"]), True),
        (AcceptedNames(["SAS.EXAMPLE"]), False),
        (AcceptedNames(["\u017fas.example"]), False),
        (AcceptedNames(["sas.example\u200b"]), False),
        (AcceptedNames(["sas.example "]), False),
        (AcceptedNames(["sas"]), False),
        (AcceptedNames(["*.example"]), False),
        (AcceptedNames(None, ["Second"]), True),
        (AcceptedNames(None, ["second"]), False),
        (AcceptedNames(None, ["\u017fecond"]), False),
        (AcceptedNames(None, ["Régulation"]), True),
        (AcceptedNames(None, ["Re\u0301gulation"]), False),
        (AcceptedNames(None, ["First, Second"]), False),
        (AcceptedNames(["sas.example"], ["x"]), False),
        (AcceptedNames(["x"], ["Second"]), False),
    ],
)
def test_the_cn_and_one_ou_have_to_be_accepted(names: AcceptedNames, accepted: bool) -> None:
    shown = make(ou("First"), ou("Second"), ou("Régulation"), cn("sas.example")).read
    assert (names.refusal(shown) is None) is accepted


def test_of_several_cn_the_last_counts() -> None:
    shown = make(cn("sas.example"), cn("other.example")).read
    assert AcceptedNames(["other.example"]).refusal(shown) is None
    assert AcceptedNames(["sas.example"]).refusal(shown)


def test_a_certificate_without_names_meets_none() -> None:
    shown = make((NameOID.ORGANIZATION_NAME, "sas.example")).read
    assert words(AcceptedNames(["sas.example"]).refusal(shown)) == "its CN is none of those accepted (sas.example)"
    assert words(AcceptedNames(None, ["SAS"]).refusal(shown)) == "none of its OU is accepted (SAS)"
    assert AcceptedNames().refusal(shown) is None


def test_its_words_fit_in_a_line_whatever_its_names() -> None:
    told = str(make(cn("a\r\nSet-Cookie: x\x1b[31m\u202e"), ou("b\0c"), by=ROOT, serial=0xAB).read)
    assert told == "CN=a??Set-Cookie: x?[31m?, OU=b?c, serial AB, issued by CN=Racine"


def test_an_editor_has_names_of_its_own() -> None:
    of_editors = {"other": AcceptedNames(["other.example"])}
    policy = ClientPolicy(AcceptedNames(["sas.example"]), lambda: of_editors, now=lambda: NOW)
    sas, other, nobody = (make(cn(name)).read for name in ("sas.example", "other.example", "x"))
    assert policy.refusal(sas, "one") is None
    assert policy.refusal(other, "other") is None
    assert policy.refusal(sas, "other")
    assert policy.refusal(other, "one")
    everywhere = [policy.refusal_everywhere(shown) for shown in (sas, other, nobody, None)]
    assert [each is None for each in everywhere] == [True, True, False, False]


# --- headers


FORMS: dict[str, Callable[[Made], str]] = {
    "PEM with escapes": lambda one: quote(one.pem, safe=""),
    "PEM with some escapes": lambda one: quote(one.pem, safe="/=+"),
    "PEM with tabs": lambda one: one.pem.strip().replace("\n", "\n\t"),
    "PEM with spaces": lambda one: one.pem.replace("\n", " "),
    "PEM without line ends": lambda one: one.pem.replace("\n", ""),
    "DER in Base64": lambda one: b64encode(one.der).decode(),
    "RFC 9440": lambda one: f":{b64encode(one.der).decode()}:",
    "Envoy": lambda one: f'Hash=00;Cert="{quote(one.pem, safe="")}";Subject="CN=x;Cert=y"',
    "Envoy, first": lambda one: f'Cert="{quote(one.pem, safe="")}"',
}


@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_is_read_as_proxies_write_it(form: str) -> None:
    for _ in range(20):
        made = make(cn("sas.example"), by=ROOT)
        assert from_header(FORMS[form](made)) == [made.der]


def bare(one: Made) -> str:
    return "".join(one.pem.splitlines()[1:-1])


# As proxies write a client's certificate with those above it.
CHAINS: dict[str, Callable[[Sequence[Made]], str]] = {
    "AWS": lambda chain: quote("".join(one.pem for one in chain), safe="+=/"),
    "Traefik": lambda chain: ",".join(map(bare, chain)),
    "Traefik, escaped": lambda chain: quote(",".join(map(bare, chain)), safe=""),
    "escaped as a form": lambda chain: quote_plus("".join(one.pem for one in chain)),
    "HAProxy": lambda chain: b64encode(b"".join(one.der for one in chain)).decode(),
    "RFC 9440": lambda chain: ", ".join(f":{b64encode(one.der).decode()}:" for one in chain),
    "Envoy": lambda chain: (
        f'By=spiffe://a;Hash=00;Cert="{quote(chain[0].pem, safe="")}";'
        f'Chain="{quote("".join(one.pem for one in chain), safe="")}";Subject="O=\\"x\\",CN=a;b=c";URI=spiffe://b'
    ),
    "Envoy, the chain alone": lambda chain: f'Chain="{quote("".join(one.pem for one in chain), safe="")}"',
    "Envoy, behind another": lambda chain: (
        f'By=spiffe://a;Cert="{quote(ROOT.pem, safe="")}";Subject="CN=a,O=b",'
        f'Hash=00;Chain="{quote("".join(one.pem for one in chain), safe="")}"'
    ),
}


@pytest.mark.parametrize("form", CHAINS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_chain_is_read_as_proxies_write_it(form: str, count: int) -> None:
    made = chain([(True, None)] * count)[::-1]
    made = [make(cn("sas.example"), by=made[0]), *made]
    assert from_header(CHAINS[form](made)) == [one.der for one in made]


@pytest.mark.parametrize(
    "text",
    [
        'Cert="',
        'Hash=00;Cert="x',
        "Hash=00;Subject=x",
        'Cert="AAAA",Hash=00',
        "AAAA," * 20,
        b64encode(ROOT.der * 12).decode(),
    ],
)
def test_what_is_malformed_or_too_much_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|missing|neither|more than"):
        from_header(text)


@pytest.mark.parametrize(
    "part",
    ["-----BEGIN ", "-----BEGIN CERTIFICATE-----", '\\"', 'Cert="', "Cert=", "%2", ":,", '";Cert="', "AA", "=;,"],
)
@pytest.mark.parametrize("before", ["", 'Cert="', "Hash="])
def test_reading_takes_time_that_grows_with_the_length_only(before: str, part: str) -> None:
    # What took the square of it would take minutes.
    with contextlib.suppress(ValueError):
        from_header(before + part * (200_000 // len(part)))


@pytest.mark.parametrize(
    "text", ["x", "é", "%E9", "-----BEGIN CERTIFICATE-----", "AAAA", ":AAAA:", 'Cert=""', "A" * 9000]
)
def test_anything_else_is_no_certificate(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words differ
        read_certificate(from_header(text)[0])


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_byte_that_is_changed_breaks_the_reading(tmp_path: Path) -> None:
    made, authorities = make(cn("sas.example"), ou("SAS"), by=ROOT), TrustStore(file_of(tmp_path, ROOT))
    right, signed = made.der, made.certificate.tbs_certificate_bytes
    for at in range(len(right)):
        for change in (0x01, 0x80, 0xFF):
            wrong = bytearray(right)
            wrong[at] ^= change
            try:
                shown = read_certificate(bytes(wrong))
            except ValueError:
                continue
            # A signature can be written in more than one way; what it stands for cannot.
            assert authorities.refusal(shown, NOW) or shown.parsed.tbs_certificate_bytes == signed, at


# --- authorities


def refusal(folder: Path, shown: Made, *authorities: Made, now: datetime = NOW) -> str | None:
    return words(TrustStore(file_of(folder, *authorities)).refusal(shown.read, now))


STRANGER = "it is of no authority that is trusted"


def chain(limits: Sequence[tuple[bool | None, int | None]]) -> list[Made]:
    """Authorities, from a root on, each issued by the one before, with these basic constraints."""
    made: list[Made] = []
    for number, (authority, below) in enumerate(limits):
        by = made[-1] if made else None
        made.append(make(cn(f"Autorité {number}"), by=by, authority=authority, below=below))
    return made


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_intermediate_authorities_are_followed_in_any_order(tmp_path: Path, count: int) -> None:
    authorities = chain([(True, None)] * count)
    shown = make(cn("sas.example"), by=authorities[-1])
    assert refusal(tmp_path, shown, *authorities) is None
    assert refusal(tmp_path, shown, *reversed(authorities)) is None
    for missing in range(count):
        assert refusal(tmp_path, shown, ROOT, *authorities[:missing], *authorities[missing + 1 :]) == STRANGER


@pytest.mark.parametrize(
    ("limits", "trusted"),
    [
        ([(True, 1), (True, 0)], True),
        ([(True, None), (True, None), (True, 0)], True),
        ([(True, 0), (True, None)], False),
        ([(True, 1), (True, None), (True, None)], False),
        ([(True, None), (False, None)], False),
        ([(True, None), (None, None)], False),
        ([(False, None)], False),
        ([(None, None)], False),
    ],
)
def test_basic_constraints_say_who_may_issue(
    tmp_path: Path, limits: list[tuple[bool | None, int | None]], trusted: bool
) -> None:
    authorities = chain(limits)
    shown = make(cn("sas.example"), by=authorities[-1])
    assert (refusal(tmp_path, shown, *authorities) is None) is trusted


def test_a_name_alone_makes_no_authority(tmp_path: Path) -> None:
    impostor = make(cn("Racine"), authority=True)
    assert refusal(tmp_path, make(cn("sas.example"), by=impostor), ROOT) == STRANGER
    assert refusal(tmp_path, impostor, ROOT) == STRANGER


def test_a_certificate_of_its_own_counts_if_it_is_trusted_itself(tmp_path: Path) -> None:
    alone = make(cn("sas.example"))
    assert refusal(tmp_path, alone, ROOT) == STRANGER
    assert refusal(tmp_path, alone, ROOT, alone) is None


def test_dates_count_up_to_the_root(tmp_path: Path) -> None:
    shown = make(cn("sas.example"), by=ROOT)
    assert refusal(tmp_path, shown, ROOT, now=NOW + 2 * DAY) == "it has expired on 2026-11-21T07:00:00Z"
    assert refusal(tmp_path, shown, ROOT, now=NOW - 2 * DAY) == "it is not valid before 2026-11-19T07:00:00Z"
    old = make(cn("Vieille"), authority=True, until=NOW - timedelta(hours=1))
    shown = make(cn("sas.example"), by=old)
    assert refusal(tmp_path, shown, old) == "its authority has expired on 2026-11-20T06:00:00Z"


def test_an_authority_that_was_renewed_counts_beside_its_old_self(tmp_path: Path) -> None:
    old = make(cn("Renouvelée"), authority=True, until=NOW - timedelta(hours=1))
    new = make(cn("Renouvelée"), authority=True, key=old.key)
    shown = make(cn("sas.example"), by=old)
    assert refusal(tmp_path, shown, old, new) is None
    assert refusal(tmp_path, shown, new, old) is None


def test_authorities_that_issue_each_other_lead_nowhere(tmp_path: Path) -> None:
    one, other = make(cn("Une"), authority=True), make(cn("Autre"), authority=True)
    crossed = make(cn("Une"), by=other, authority=True, key=one.key)
    back = make(cn("Autre"), by=one, authority=True, key=other.key)
    assert refusal(tmp_path, make(cn("sas.example"), by=one), crossed, back) == STRANGER


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_authorities_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(content)
    with pytest.raises(TlsError, match=str(path)):
        TrustStore(path)


def usage(**what: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    others = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: what.get(name, False) for name in (*names, *others)})


CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@pytest.mark.parametrize(
    ("extensions", "accepted"),
    [
        ([], True),
        ([usage(digital_signature=True)], True),
        ([usage(key_agreement=True)], True),
        ([usage(key_encipherment=True)], False),
        ([usage(key_cert_sign=True)], False),
        ([x509.ExtendedKeyUsage([CLIENT])], True),
        ([x509.ExtendedKeyUsage([SERVER, CLIENT])], True),
        ([x509.ExtendedKeyUsage([SERVER])], False),
        ([usage(digital_signature=True), x509.ExtendedKeyUsage([SERVER])], False),
        # That has to be understood, and is not.
        ([x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")], False),
    ],
)
def test_a_certificate_has_to_be_for_clients(
    tmp_path: Path, extensions: Sequence[x509.ExtensionType], accepted: bool
) -> None:
    shown = make(cn("sas.example"), by=ROOT, extensions=extensions)
    for authorities in (None, TrustStore(file_of(tmp_path, ROOT))):
        wrong = ClientPolicy(AcceptedNames(), trust_store=authorities, now=lambda: NOW).refusal(shown.read, None)
        assert (wrong is None) is accepted
        assert accepted or "it is not made for clients (key usage, extended key usage)" in str(words(wrong))


@pytest.mark.parametrize(
    ("extensions", "trusted"),
    [
        ([usage(key_cert_sign=True)], True),
        ([usage(crl_sign=True)], False),
        ([usage(key_cert_sign=True), x509.ExtendedKeyUsage([SERVER])], False),
    ],
)
def test_an_authority_has_to_be_for_those_of_clients(
    tmp_path: Path, extensions: Sequence[x509.ExtensionType], trusted: bool
) -> None:
    authority = make(cn("Autorité"), authority=True, extensions=extensions)
    assert refusal(tmp_path, make(cn("sas.example"), by=authority), authority) == (None if trusted else STRANGER)


def test_dates_count_without_authorities_too() -> None:
    moments = iter([NOW, NOW + 2 * DAY, NOW - 2 * DAY])
    policy = ClientPolicy(AcceptedNames(), now=lambda: next(moments))
    shown = make(cn("sas.example")).read
    assert policy.refusal(shown, None) is None
    assert "it has expired on 2026-11-21T07:00:00Z" in str(words(policy.refusal(shown, None)))
    assert "it is not valid before 2026-11-19T07:00:00Z" in str(words(policy.refusal(shown, None)))


def test_authorities_that_came_with_it_are_followed_and_looked_at(tmp_path: Path) -> None:
    inter = make(cn("Fille"), by=ROOT, authority=True, serial=7, until=NOW + timedelta(hours=1))
    shown = make(cn("sas.example"), by=inter).read
    crl = tmp_path / "crl"
    crl.write_bytes(listed(ROOT, 1).public_bytes(Encoding.PEM))
    moment = [NOW]
    authorities = TrustStore(file_of(tmp_path, ROOT))
    policy = ClientPolicy(AcceptedNames(), dict, RevocationLists(crl, authorities), authorities, lambda: moment[0])
    assert STRANGER in str(words(policy.refusal(shown, None)))
    assert policy.refusal(shown, None, [inter.der]) is None
    assert policy.refusal(shown, None, [b"garbage", inter.der]) is None
    # A handshake has followed them.
    assert policy.refusal(shown, None, None) is None
    moment[0] += timedelta(hours=2)
    assert "its authority has expired on" in str(words(policy.refusal(shown, None, [inter.der])))
    moment[0] = NOW
    crl.write_bytes(listed(ROOT, 7).public_bytes(Encoding.PEM))
    assert "its authority is revoked" in str(words(policy.refusal(shown, None, [inter.der])))


def test_authorities_are_read_again_when_their_file_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = make(cn("Autre"), authority=True)
    path = file_of(tmp_path, ROOT)
    policy = ClientPolicy(AcceptedNames(), trust_store=TrustStore(path), now=lambda: NOW)
    one, two = make(cn("a"), by=ROOT).read, make(cn("b"), by=other).read

    def accepted() -> tuple[bool, bool]:
        return policy.refusal(one, None) is None, policy.refusal(two, None) is None

    assert accepted() == (True, False)
    path.write_text(other.pem)
    assert accepted() == (False, True)
    # What a handshake has found out is not believed any more.
    assert STRANGER in str(words(policy.refusal(one, None, None)))
    path.write_text("half a")
    assert accepted() == (False, True)
    assert caplog.text.count("The authorities stay as they were") == 1
    path.write_text(ROOT.pem + other.pem)
    assert accepted() == (True, True)


def test_authorities_of_one_name_that_issue_each_other_cost_little(tmp_path: Path) -> None:
    key = ROOT.key
    many = [make(cn("Racine"), by=make(cn("Racine"), key=key), authority=True, key=key).der for _ in range(10)]
    shown = make(cn("sas.example"), by=make(cn("Racine"), key=key)).read
    # All ways through ten of them are millions.
    trusted = TrustStore(file_of(tmp_path, make(cn("Autre"), authority=True)))
    assert words(trusted.refusal(shown, NOW, many)) == STRANGER


# --- lists of revoked certificates


def listed(by: Made, *serials: int, next_update: datetime = NOW + 3650 * DAY) -> x509.CertificateRevocationList:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(NOW - 9 * DAY)
        .next_update(next_update)
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(by.key, hashes.SHA256())


def test_lists_of_several_authorities_stand_in_one_file(tmp_path: Path) -> None:
    other = make(cn("Autre"), authority=True)
    path = tmp_path / "crl.pem"
    lists = (listed(ROOT, 1, 2), listed(other, 3))
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in lists))
    revoked = RevocationLists(path, TrustStore(file_of(tmp_path, ROOT, other)))
    found = {(by, n) for by in (ROOT, other) for n in (1, 2, 3, 4) if make(cn("x"), by=by, serial=n).read in revoked}
    assert found == {(ROOT, 1), (ROOT, 2), (other, 3)}


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_list_is_read_again_when_its_file_changes(
    tmp_path: Path, encoding: Encoding, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "crl"
    path.write_bytes(listed(ROOT, 1).public_bytes(encoding))
    revoked = RevocationLists(path, TrustStore(file_of(tmp_path, ROOT)))
    one, two = (make(cn("x"), by=ROOT, serial=n).read for n in (1, 2))
    assert (one in revoked, two in revoked) == (True, False)
    path.write_bytes(listed(ROOT, 2, 3).public_bytes(encoding))
    assert (one in revoked, two in revoked) == (False, True)
    assert caplog.text == ""
    path.write_bytes(b"half a")
    assert (one in revoked, two in revoked) == (False, True)
    path.write_bytes(listed(make(cn("Racine"), authority=True), 1).public_bytes(encoding))
    assert (one in revoked, two in revoked) == (False, True)
    path.unlink()
    assert (one in revoked, two in revoked) == (False, True)
    assert caplog.text.count("The revoked certificates stay as they were") == 3
    path.write_bytes(listed(ROOT).public_bytes(encoding))
    assert (one in revoked, two in revoked) == (False, False)


def test_a_list_of_an_authority_that_comes_later_counts_then(tmp_path: Path) -> None:
    other = make(cn("Autre"), authority=True)
    crl, path = tmp_path / "crl", file_of(tmp_path, ROOT)
    crl.write_bytes(listed(ROOT).public_bytes(Encoding.PEM))
    authorities = TrustStore(path)
    policy = ClientPolicy(AcceptedNames(), dict, RevocationLists(crl, authorities), authorities, lambda: NOW)
    shown = make(cn("sas.example"), by=ROOT, serial=5).read
    lists = (listed(ROOT, 5), listed(other))
    crl.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in lists))
    assert policy.refusal(shown, None) is None
    path.write_text(ROOT.pem + other.pem)
    assert "it is revoked" in str(words(policy.refusal(shown, None)))


def test_a_list_that_was_to_be_renewed_counts_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "crl"
    path.write_bytes(listed(ROOT, 1, next_update=datetime.now(UTC) - DAY).public_bytes(Encoding.PEM))
    assert make(cn("x"), by=ROOT, serial=1).read in RevocationLists(path, TrustStore(file_of(tmp_path, ROOT)))
    assert "was to be renewed on" in caplog.text


def test_without_authorities_whoever_signed_a_list_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "crl"
    path.write_bytes(listed(ROOT, 1).public_bytes(Encoding.PEM))
    assert make(cn("x"), by=ROOT, serial=1).read in RevocationLists(path, None)


# --- settings


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"tls_port": "0", "tls_cert": "/nowhere/x.pem"},
            "--tls-cert: expected a file that exists (got '/nowhere/x.pem')",
        ),
        ({"tls_port": "0", "tls_crl": "/nowhere/x.pem"}, "--tls-crl: expected a file that exists"),
        ({"tls_port": "0", "tls_key": "x" * 300}, "--tls-key: File name too long (got 'xxx"),
        ({"tls_strict": "on"}, "--tls-strict: counts only with --tls-port"),
        ({"plain_fhir": "on"}, "--plain-fhir: counts only with --tls-port or --certificate-header"),
        ({"certificate_header": "X"}, "neither counts without the other"),
        ({"certificate_proxies": "::1"}, "neither counts without the other"),
        ({"certificate_header": "X:", "certificate_proxies": "::1"}, "expected the name of a header"),
        ({"certificate_header": "X", "certificate_proxies": "10.0.0.1/8"}, "--certificate-proxies: "),
        (
            {"certificate_header": "X", "certificate_proxies": "::1", "tls_strict": "on"},
            "--tls-strict: counts only with --tls-port",
        ),
    ],
)
def test_settings_that_make_no_sense_are_told(options: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({}, **options)
    assert expected in str(error.value)

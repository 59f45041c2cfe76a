"""Clients of a simulator's TLS port, and certificates that the ``openssl`` command makes for them."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPMessage, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
METADATA = "/agenda-ville/fhir/metadata"


def listening(folder: Path, *names: str) -> tuple[str, ...]:
    """Options of a simulator with a TLS port, and certificates of ``folder``; ``names`` are options for those of CN
    and OU that it accepts.
    """
    options = {
        "--tls-port": "0",
        "--tls-cert": folder / "server.pem",
        "--tls-key": folder / "server.key.pem",
        "--tls-client-ca": folder / "authority.pem",
        "--tls-crl": folder / "authority.crl.pem",
    }
    return (*(str(word) for pair in options.items() for word in pair), *(names or NAMES))


NAMES = ("--tls-client-cn", "sas.example", "--tls-client-ou", "SAS")


def showing(folder: Path, name: str | None = "sas", version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """What a client of ``folder`` speaks with: its certificate, and one version of TLS if that is told."""
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    if version:
        context.minimum_version = context.maximum_version = version
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key.pem")
    return context


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes
    version: str | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def diagnostics(self) -> str:
        """The words of a refusal in FHIR."""
        assert self.json["resourceType"] == "OperationOutcome"
        return str(self.json["issue"][0]["diagnostics"])


def connection_to(url: str, context: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> HTTPConnection:
    """One that can be kept; ``source`` is the client's address."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    assert host
    if context:
        return HTTPSConnection(host, port, context=context, timeout=20, source_address=(source, 0))
    return HTTPConnection(host, port, timeout=20, source_address=(source, 0))


def asked(
    connection: HTTPConnection,
    path: str = METADATA,
    *,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """The answer to a request on a connection that goes on."""
    content = None if body is None else json.dumps(body)
    typed = {} if body is None else {"Content-Type": "application/fhir+json"}
    connection.request(method, path, content, {**typed, **(headers or {})})
    version = connection.sock.version() if isinstance(connection.sock, ssl.SSLSocket) else None
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read(), version)
    assert "Server" not in answer.headers
    return answer


def ask(
    url: str, path: str = METADATA, context: ssl.SSLContext | None = None, *, source: str = "127.0.0.1", **request: Any
) -> Answer:
    """The answer to a request on a connection of its own."""
    connection = connection_to(url, context, source)
    try:
        return asked(connection, path, **request)
    finally:
        connection.close()


def connected(url: str, receive_buffer: int = 0) -> socket.socket:
    """A connection on which nothing was said yet."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(20)
    try:
        sock.connect((urlsplit(url).hostname, urlsplit(url).port))
    except BaseException:
        sock.close()
        raise
    return sock


def secured(url: str, context: ssl.SSLContext, receive_buffer: int = 0, **how: Any) -> ssl.SSLSocket:
    """A connection after the handshake; its sudden end raises."""
    sock = connected(url, receive_buffer)
    try:
        return context.wrap_socket(sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False, **how)
    except BaseException:
        sock.close()
        raise


def get(path: str = METADATA, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


# --- certificates of OpenSSL

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl is not there")

_CONFIGURATION = """\
[ca]
default_ca = authority
[authority]
certificate = authority.pem
private_key = authority.key.pem
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
default_days = 30
default_crl_days = 30
policy = anything
[anything]
organizationalUnitName = optional
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[client]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[server]
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
extendedKeyUsage = serverAuth
"""
_SAS = "/OU=SAS/CN=sas.example"


def made_by_openssl(folder: Path) -> Path:
    """Fills ``folder`` with certificates under the names that ``mock-editor certs init`` gives them, and some more."""
    folder.mkdir()
    (folder / "openssl.cnf").write_text(_CONFIGURATION)
    (folder / "index.txt").touch()
    now = datetime.now(UTC)

    def openssl(*words: str) -> None:
        done = subprocess.run(
            ["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr

    def new(name: str, subject: str, *words: str, key: str = "ec:prime256v1") -> None:
        kind, _, size = key.partition(":")
        kinds = ("ec", "-pkeyopt", f"ec_paramgen_curve:{size}") if kind == "ec" else (key,)
        openssl(
            "req", "-config", "openssl.cnf", "-newkey", *kinds, "-nodes", "-subj", subject, "-utf8",
            "-keyout", f"{name}.key.pem", *words,
        )  # fmt: skip

    def root(name: str, subject: str) -> None:
        new(name, subject, "-x509", "-days", "30", "-extensions", "root", "-out", f"{name}.pem")

    def issue(name: str, subject: str, extensions: str = "client", *words: str, key: str = "ec:prime256v1") -> None:
        new(name, subject, "-out", f"{name}.csr", key=key)
        openssl(
            "ca", "-config", "openssl.cnf", "-batch", "-notext", "-preserveDN", "-extensions", extensions,
            "-in", f"{name}.csr", "-out", f"{name}.pem", *words,
        )  # fmt: skip

    def issue_by(authority: str, name: str, subject: str) -> None:
        new(name, subject, "-out", f"{name}.csr")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key.pem",
            "-days", "30", "-extfile", "openssl.cnf", "-extensions", "client", "-out", f"{name}.pem",
        )  # fmt: skip

    def day(days: int) -> str:
        return f"{now + timedelta(days=days):%Y%m%d%H%M%SZ}"

    root("authority", "/O=Tests/CN=Autorité racine")
    root("other-authority", "/O=Tests/CN=Autre autorité")
    issue("server", "/CN=localhost", "server", key="rsa:2048")
    issue("sas", _SAS)
    issue("sas-wrong-cn", "/OU=SAS/CN=other.example")
    issue("sas-wrong-ou", "/OU=OTHER/CN=sas.example")
    issue("sas-several-ou", "/OU=318751275100020/OU=SAS/OU=Régulation/CN=sas.example")
    issue("sas-long-s", "/OU=SAS/CN=\u017fas.example")
    issue("sas-without-ou", "/CN=sas.example")
    issue("sas-revoked", _SAS, key="rsa:2048")
    issue("sas-expired", _SAS, "client", "-startdate", day(-20), "-enddate", day(-1))
    issue("sas-not-yet-valid", _SAS, "client", "-startdate", day(1), "-enddate", day(20))
    issue_by("other-authority", "sas-other-authority", _SAS)
    issue("intermediate", "/CN=Autorité fille", "root")
    issue_by("intermediate", "sas-by-intermediate", _SAS)
    with (folder / "sas-by-intermediate.pem").open("a") as chain:
        chain.write((folder / "intermediate.pem").read_text())
    openssl("ca", "-config", "openssl.cnf", "-revoke", "sas-revoked.pem")
    openssl("ca", "-config", "openssl.cnf", "-gencrl", "-out", "authority.crl.pem")
    return folder

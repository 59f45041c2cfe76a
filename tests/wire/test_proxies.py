"""Real proxies before the simulator that end TLS, configured as docs/tls.md says."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.wire.conftest import Simulator, eventually, read_all
from tests.wire.tls import METADATA, showing

pytestmark = pytest.mark.wire

OPTIONS = ("--certificate-header", "X-Client-Cert", "--certificate-proxies", "127.0.0.1")
ACCEPTED = ("--tls-client-cn", "sas.example", "--tls-client-ou", "SAS")
# What stands around the lines of the documentation.
NGINX = """
user root; daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}
http {{
  access_log off; {temporary}
  server {{
    listen unix:{folder}/socket ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key.pem;
    location / {{ {lines} }}
  }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 20s
frontend sas
  {lines}
  default_backend simulator
backend simulator
  server simulator {address}
"""


def documented(language: str, **places: str) -> str:
    """The lines of a block of the documentation, with other places."""
    [lines] = re.findall(f"```{language}\n(.*?)```", Path("docs/tls.md").read_text(encoding="utf-8"), re.DOTALL)
    for place, other in places.items():
        assert place in lines
        lines = lines.replace(place, other)
    return str(lines)


def nginx(folder: Path, pki: Path, address: str) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    # What is about TLS stands before the location, whose block cannot have it.
    lines = documented("nginx", **{"/etc/nginx/authority.pem": f"{pki}/authority.pem", "127.0.0.1:8000": address})
    of_server, of_location = lines.partition("proxy_set_header")[::2]
    text = NGINX.format(
        folder=folder,
        pki=pki,
        temporary=" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds),
        lines=f"proxy_set_header{of_location}",
    ).replace("    location /", f"    {of_server}\n    location /")
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]


def haproxy(folder: Path, pki: Path, address: str) -> list[str]:
    both = folder / "server.pem"
    both.write_text((pki / "server.pem").read_text() + (pki / "server.key.pem").read_text())
    places = {
        "bind :443": f"bind {folder}/socket",
        "/etc/haproxy/server.pem": str(both),
        "/etc/haproxy/authority.pem": f"{pki}/authority.pem",
    }
    (folder / "haproxy.cfg").write_text(HAPROXY.format(lines=documented("haproxy", **places), address=address))
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


PROXIES: dict[str, Callable[[Path, Path, str], list[str]]] = {"nginx": nginx, "haproxy": haproxy}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("simulator")
    files = ("--tls-client-ca", str(made / "authority.pem"), "--tls-crl", str(made / "authority.crl.pem"))
    one = Simulator(folder, *OPTIONS, *ACCEPTED, *files, log=folder / "log")
    yield one
    code, said = one.stop()
    assert (code, "Traceback" in said) == (0, False)


@contextmanager
def running(name: str, pki: Path, simulator: Simulator, folder: Path) -> Iterator[Path]:
    """A proxy; the path of the socket on which it listens."""
    if shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") is None:
        pytest.skip(f"{name} is not there")
    command = PROXIES[name](folder, pki, simulator.url.removeprefix("http://"))
    with (folder / "said").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            place = folder / "socket"
            assert eventually(lambda: place.exists() or process.poll() is not None)
            assert process.poll() is None, (folder / "said").read_text()
            yield place
        finally:
            process.terminate()


def answer(place: Path, context: ssl.SSLContext, head: str = "") -> str:
    """What a client of the proxy gets."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(place))
        with context.wrap_socket(sock, server_hostname="localhost") as secure:
            secure.sendall(f"GET {METADATA} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n".encode())
            return read_all(secure).decode()


@pytest.mark.parametrize("name", PROXIES)
def test_the_simulator_checks_what_a_proxy_passes(name: str, made: Path, simulator: Simulator, tmp_path: Path) -> None:
    with running(name, made, simulator, tmp_path) as place:
        assert "200" in answer(place, showing(made)).split("\r\n")[0]
        for client, reason in {
            "sas-wrong-cn": "its CN is none of those accepted (sas.example); presented: CN=",
            "sas-wrong-ou": "none of its OU is accepted (SAS)",
            "sas-revoked": "it is revoked",
            None: "No client certificate was presented",
        }.items():
            refused = answer(place, showing(made, client))
            assert " 403 " in refused.split("\r\n")[0]
            assert reason in refused
        # Nobody comes in with a header of one's own.
        forged = "X-Client-Cert: " + "".join((made / "sas.pem").read_text().splitlines()[1:-1]) + "\r\n"
        assert "No client certificate was presented" in answer(place, showing(made, None), forged)
        # Authorities and dates are the proxy's matter, each in its way.
        for client in ("sas-expired", "sas-not-yet-valid", "sas-other-authority"):
            try:
                said = answer(place, showing(made, client))
            except (ssl.SSLError, ConnectionError):
                continue
            assert " 400 " in said.split("\r\n")[0]

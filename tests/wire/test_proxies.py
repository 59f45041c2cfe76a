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
from tests.wire.tls import METADATA, ask, showing

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
    {lines}
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


def nginx(folder: Path, pki: Path, address: str, careless: bool) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines = documented("nginx", **{"/etc/nginx/authority.pem": f"{pki}/authority.pem", "127.0.0.1:8000": address})
    text = NGINX.format(
        folder=folder,
        pki=pki,
        temporary=" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds),
        lines=f"location / {{ proxy_pass http://{address}; }}" if careless else lines,
    )
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]


def haproxy(folder: Path, pki: Path, address: str, careless: bool) -> list[str]:
    both = folder / "server.pem"
    both.write_text((pki / "server.pem").read_text() + (pki / "server.key.pem").read_text())
    places = {
        "bind :443": f"bind {folder}/socket",
        "/etc/haproxy/server.pem": str(both),
        "/etc/haproxy/authority.pem": f"{pki}/authority.pem",
    }
    lines = documented("haproxy", **places)
    if careless:
        lines = lines.splitlines()[0]
    (folder / "haproxy.cfg").write_text(HAPROXY.format(lines=lines, address=address))
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


PROXIES: dict[str, Callable[[Path, Path, str, bool], list[str]]] = {"nginx": nginx, "haproxy": haproxy}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("simulator")
    files = ("--tls-client-ca", str(made / "authority.pem"), "--tls-crl", str(made / "authority.crl.pem"))
    one = Simulator(folder, *OPTIONS, *ACCEPTED, *files, log=folder / "log")
    yield one
    code, said = one.stop()
    assert (code, "Traceback" in said) == (0, False)


@contextmanager
def running(name: str, pki: Path, simulator: Simulator, folder: Path, *, careless: bool = False) -> Iterator[Path]:
    """A proxy; the path of the socket on which it listens. One that is ``careless`` passes on all and says nothing."""
    if shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") is None:
        pytest.skip(f"{name} is not there")
    command = PROXIES[name](folder, pki, simulator.url.removeprefix("http://"), careless)
    with (folder / "said").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            place = folder / "socket"
            assert eventually(lambda: listens(place) or process.poll() is not None)
            assert process.poll() is None, (folder / "said").read_text()
            yield place
        finally:
            process.terminate()


def listens(place: Path) -> bool:
    """Whether connections are accepted: the socket's file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(place)) == 0


def answer(
    place: Path, context: ssl.SSLContext, head: str = "", *, asked: str = f"GET {METADATA}", host: str = "localhost"
) -> str:
    """What a client of the proxy gets."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(place))
        with context.wrap_socket(sock, server_hostname="localhost") as secure:
            secure.sendall(f"{asked} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n".encode())
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


# What a stranger may ask for, and be given nowhere but on the simulator's own machine.
KEPT = [
    "GET /_admin/accounts",
    "POST /_admin/reset",
    "GET /_admin/openapi.json",
    "GET /_console/",
    "GET /_console/acces",
    "GET /_sas/",
    "GET /_sas/fhir/metadata",
    "GET /_idp/.well-known/openid-configuration",
    "GET /_metrics",
    "GET /_health",
    "GET /",
    "GET //_admin/accounts",
    "GET /%5fadmin/accounts",
    "GET /%2f_admin/accounts",
    "GET /agenda-ville/fhir/../../_admin/accounts",
    "GET /agenda-ville/fhir/%2e%2e/%2e%2e/_admin/accounts",
    "GET /x/..%2f_admin%2faccounts",
]
HOSTS = ["localhost", "localhost:8000", "127.0.0.1", "[::1]", "lga.example"]


def status(said: str) -> int:
    return int(said.split()[1])


@pytest.mark.parametrize("name", PROXIES)
def test_what_the_examples_pass_on_is_what_clients_are_to_reach(
    name: str, made: Path, simulator: Simulator, tmp_path: Path
) -> None:
    with running(name, made, simulator, tmp_path) as place:
        for client in ("sas", None):
            for asked in KEPT:
                for host in HOSTS:
                    said = answer(place, showing(made, client), asked=asked, host=host)
                    assert status(said) in (400, 403, 404), (asked, host)
                    assert "_admin/openapi.json" not in said or "No such path" in said
        for asked in ("GET /agenda-ville/connexion", "GET /_static/erreur.css", "GET /agenda-ville/static/agenda.css"):
            assert status(answer(place, showing(made, None), asked=asked)) == 200
        # Forms are sent from there: this one is refused for want of its key only.
        for origin, refused in (("https://localhost", 400), ("https://pirate.example", 403), ("null", 403)):
            head = f"Origin: {origin}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n"
            assert status(answer(place, showing(made, None), head, asked="POST /agenda-ville/visite")) == refused
        assert "accounts" in ask(simulator.url, "/_admin/accounts", source="127.0.0.2").json


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_that_is_named_is_nobody_of_this_machine_whatever_it_passes_on(
    name: str, made: Path, simulator: Simulator, tmp_path: Path
) -> None:
    with running(name, made, simulator, tmp_path, careless=True) as place:
        for asked in KEPT:
            for host in HOSTS:
                said = answer(place, showing(made, None), asked=asked, host=host)
                open_to_all = asked in ("GET /_health", "GET /", "GET /_console/acces")
                assert status(said) in ((200, 302, 303) if open_to_all else (303, 400, 401, 403, 404)), (asked, host)
                assert '"password":' not in said
                assert '"issuer"' not in said


def test_a_proxy_that_nobody_has_named_is_known_by_how_nginx_speaks(
    made: Path, tmp_path: Path, serve: Callable[..., Simulator]
) -> None:
    simulator = serve()
    assert ask(simulator.url, "/_admin/accounts").status == 200
    with running("nginx", made, simulator, tmp_path, careless=True) as place:
        for host in HOSTS:
            for asked in ("GET /_admin/accounts", "POST /_admin/reset", "GET /_metrics"):
                said = answer(place, showing(made, None), asked=asked, host=host)
                assert (status(said), "a proxy may have passed it on" in said) == (401, True)

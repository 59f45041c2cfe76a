"""Sends a simulator a fixed list of requests and writes down every answer, so that two versions can be compared.

``python -m tests.wire.recorded FILE`` records; ``--python PATH`` names the interpreter whose ``mock_editor`` is meant.
``python -m tests.wire.recorded --compare BEFORE AFTER`` prints what differs; ``--pages`` compares the texts of pages
too. The requests are in ``recorded_requests.py``. The clock stands and identifiers come from the scenario's seed, so
that two runs of the same code write the same file; what is drawn at random or measured is masked, see ``_MASKS``.
"""

import argparse
import difflib
import html
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

NOW = "2026-11-20T08:00:00+01:00"
PUBLIC_URL = "http://127.0.0.1:8000"
TLS_URL = "https://localhost:8443"
PATIENCE = 60.0  # seconds until a server counts as hanging
GLANCE = 1.0  # seconds for which nothing comes where nothing is to come

# What is random, or measured. The shorter this list, the more is compared.
_MASKS: Sequence[tuple[str, str]] = (
    (r"(?m)^(Date: ).*", r"\1…"),
    # Cookies: what they are worth, but not that they are taken back; some end by the real clock.
    (r"(?m)^(Set-Cookie: [^=]+=)[^;\s]+", r"\1…"),
    (r"(?m)^(Set-Cookie: sso-)[\w-]+", r"\1…"),
    (r"(?m)^(Set-Cookie: .*Expires=)[^;]+", r"\1…"),
    (r"(?m)^(mock_editor_\w+_seconds_(?:bucket|sum)\{.*\} ).*", r"\1…"),
    (r'(name="jeton" value=")[^"]*', r"\1…"),
    (r'(name="demande" value=")[^"]*', r"\1…"),
    # OpenID Connect: what the two sides draw, and what they sign.
    (r"([?&;](?:state|nonce|code|code_challenge|sid)=)[\w.%-]+", r"\1…"),
    (r'("(?:iat|exp|auth_time|kid|n)": ?"?)[\w.-]+', r"\1…"),
    # When, for how long, from which port and in which browser something happened.
    (r'(\\?"(?:time|real|startedDateTime)\\?": ?\\?")[^"\\]*', r"\1…"),
    (r'("(?:duration|time|wait|send|receive)": ?)\d[\d.e-]*', r"\1…"),
    (r'("_?peer": ?"127\.0\.0\.1:)\d+', r"\1…"),
    (r"(visit-)[0-9a-f]{32}", r"\1…"),
    (r"\d\d/\d\d/\d{4} à \d\d:\d\d:\d\d,\d{3}(, [\d,]+ m?s(?=<))?", "…"),
    (r"(Heure réelle : )[^<]+", r"\1…"),
    (r'(data-label="(?:Appels|Durée|95 %)[^>]*>(?:<span[^>]*>)?)[^<]*', r"\1…"),
    (r"(?s)(<figure class=.chart.>).*?(</figure>)", r"\1…\2"),
    (r"(Le journal ne remonte qu’à )[\d:]+", r"\1…"),
    (r"(<dt>Autre côté</dt><dd[^>]*>127\.0\.0\.1:)\d+", r"\1…"),
    (r"(<dt>Durée</dt><dd>|…, )[\d,]+ m?s(?=<)", r"\1…"),
    (r'("seconds": ?)[\d.e-]+(?=,\s*"result")', r"\1…"),
    (r"(?<= serial )[0-9A-F]+", "…"),
    (r"(class=.state )(?:good|bad)(.>)(?:lent|normal)(?=<)", r"\1…\2…"),
    # Where the package lies, and since when.
    (r'("source": ?")[^"]*(?=/scenarios/)', r"\1…"),
    (r"(?m)^(Last-Modified: )(?!Fri, 20 Nov 2026 ).*", r"\1…"),
    (r'(?m)^(ETag: )"\d.*', r"\1…"),
    # How long a notification waits before it goes out again is drawn.
    (r'("due": ?"[^"]*)\.\d+Z', r"\1…"),
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "…"),
    (r'("access_token":")[^"]*', r"\1…"),
)


@dataclass
class Answer:
    """What came back on a connection: head and body as texts, and how the connection ended."""

    head: str
    body: str
    end: str

    @property
    def status(self) -> int:
        found = re.match(r"HTTP/1\.1 (\d{3})", self.head)
        return int(found[1]) if found else 0

    def header(self, name: str) -> str:
        found = re.search(rf"(?mi)^{name}: (.*?)\r?$", self.head)
        return found[1] if found else ""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Browser:
    """Somebody's cookies, and the page that they see."""

    cookies: dict[str, str] = field(default_factory=dict)
    page: Answer = field(default_factory=lambda: Answer("", "", ""))

    def field(self, name: str) -> str:
        """A field of the page's forms."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page.body)
        return html.unescape(found[1]) if found else ""

    def link(self, part: str, rank: int = 0) -> str:
        """Where a link of the page leads whose URL has this part."""
        links = [html.unescape(url) for url in re.findall(r'href="([^"]*)"', self.page.body)]
        found = [url for url in links if part in url]
        return found[rank] if found else f"/no-link-to{part}"

    def keep(self, answer: Answer) -> None:
        self.page = answer
        for name, value in re.findall(r"(?mi)^Set-Cookie: ([^=]+)=([^;\r\n]*)", answer.head):
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value


class Client:
    """Sends requests, each on a connection of its own, and keeps what came back."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.part = ""
        self.records: list[dict[str, str]] = []

    def ask(
        self,
        method: str,
        url: str,
        content: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        data: bytes | None = None,
        browser: Browser | None = None,
        until: bytes = b"",
        quiet: bool = False,
        tls: tuple[int, ssl.SSLContext] | None = None,
    ) -> Answer:
        """One request. ``content`` is sent as JSON; ``until`` is where an answer that never ends is left."""
        url = url.removeprefix(PUBLIC_URL)
        sent = {"Host": urlsplit(TLS_URL if tls else PUBLIC_URL).netloc, "Connection": "close"}
        if browser and browser.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        if browser:
            sent["Accept"] = "text/html,*/*;q=0.8"
        if content is not None:
            sent["Content-Type"], data = "application/json", json.dumps(content, ensure_ascii=False).encode()
        if form is not None:
            sent["Content-Type"], data = "application/x-www-form-urlencoded", urlencode(form).encode()
        if data is not None or method in ("POST", "PUT", "PATCH"):
            sent["Content-Length"] = str(len(data or b""))
        sent |= headers or {}
        head = f"{method} {url} HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in sent.items())
        answer = self.raw(head.encode() + b"\r\n" + (data or b""), until=until, quiet=quiet, tls=tls)
        if browser:
            browser.keep(answer)
        return answer

    def follow(self, browser: Browser, url: str) -> Answer:
        """A page and wherever it sends the browser."""
        answer = self.ask("GET", url, browser=browser)
        return self.land(browser, answer)

    def land(self, browser: Browser, answer: Answer) -> Answer:
        for _ in range(8):
            if answer.status not in (302, 303):
                break
            answer = self.ask("GET", answer.header("Location"), browser=browser)
        return answer

    def send(self, browser: Browser, url: str, **fields: str) -> Answer:
        """A form of the page that the browser shows."""
        return self.ask("POST", url, form={"jeton": browser.field("jeton")} | fields, browser=browser)

    def raw(
        self,
        sent: bytes,
        *,
        until: bytes = b"",
        quiet: bool = False,
        patience: float = PATIENCE,
        tls: tuple[int, ssl.SSLContext] | None = None,
    ) -> Answer:
        """Bytes, and all that comes back for them."""
        received, end = b"", "closed"
        sock = socket.create_connection(("127.0.0.1", tls[0] if tls else self.port), timeout=PATIENCE)
        try:
            if tls:
                sock = tls[1].wrap_socket(sock, server_hostname="localhost")
            with suppress(ConnectionError):  # refused before all of it was sent: the answer says why
                sock.sendall(sent)
            sock.settimeout(patience)
            while not (until and until in received) and (piece := sock.recv(65536)):
                received += piece
        except TimeoutError:
            end = "waits"
        except ssl.SSLError as error:
            end = f"TLS: {error.reason}"
        except ConnectionError:
            end = "reset"
        finally:
            sock.close()
        if until and until in received:
            received, end = received[: received.index(until) + len(until)], "left"
        head, _, body = received.partition(b"\r\n\r\n")
        answer = Answer(_text(head), _text(body), end)
        if not quiet:
            self._record(sent, answer, len(body))
        return answer

    def settle(self) -> None:
        """Waits until no notification is on its way, nor due."""
        for _ in range(int(PATIENCE / 0.05)):
            now = self.ask("GET", "/_admin/clock", quiet=True).json()["now"]
            found = self.ask("GET", "/_admin/notifications?limit=500", quiet=True).json()["notifications"]
            due = [one for one in found if one["state"] == "waiting" and one["due"].rstrip("Z") <= now.rstrip("Z")]
            if not due and not any(one["state"] == "sending" for one in found):
                return
            threading.Event().wait(0.05)
        raise AssertionError(f"still on its way: {found}")

    def written(self, what: str) -> None:
        """Waits until the journal has an exchange that is written when the server notices that its client has left."""
        found = self.ask("GET", f"/_admin/journal/wait?contains={what}&timeout=30", quiet=True)
        assert found.status == 200, found

    def _record(self, sent: bytes, answer: Answer, size: int) -> None:
        request = _text(sent.partition(b"\r\n\r\n")[0]).splitlines()
        asked = {"part": self.part, "request": masked(request[0][:500] if request else "")}
        received = answer.body.replace(f"127.0.0.1:{self.port}", "127.0.0.1:PORT")
        body = "…" if answer.header("Content-Type") == "application/octet-stream" else masked(received)
        if "\nTransfer-Encoding: chunked" in answer.head and body != answer.body:
            body = re.sub(r"(?m)^[0-9A-F]+\r$", "…\r", body)
        # A length that is right is noted as right: that of what is masked may differ.
        head = re.sub(rf"(?m)^(Content-Length: ){size}(?=\r?$)", rf"\g<1>{len(body)}", answer.head)
        self.records.append(asked | {"head": masked(head), "body": body, "end": answer.end})


def masked(text: str) -> str:
    for pattern, mask in _MASKS:
        text = re.sub(pattern, mask, text)
    return text


def _text(data: bytes) -> str:
    """Bytes as a text that JSON can carry; what is not UTF-8 is escaped."""
    return data.decode("utf-8", "backslashreplace")


# --- the server


def environment() -> dict[str, str]:
    """Without settings of ours, proxies, or a way to another package than that of the interpreter."""
    ours = ("MOCK_EDITOR_", "PYTHONPATH")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return {name: text for name, text in kept.items() if not name.lower().endswith("_proxy")} | {
        "PYTHONUNBUFFERED": "1"
    }


@contextmanager
def server(python: str, folder: Path, *options: str) -> Iterator[tuple[int, int]]:
    """A simulator with one worker; gives its port, and that for TLS, if there is one."""
    command = [python, "-m", "mock_editor", "serve", "--port", "0", "--workers", "1", "--now", NOW]
    command += ["--public-url", PUBLIC_URL, "--database", str(folder / "state.db"), *options]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        yield _ports(process)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    if "Traceback" in (said := (folder / "log").read_text()):
        print(said, file=sys.stderr)


def _ports(process: "subprocess.Popen[str]") -> tuple[int, int]:
    """Those that a process listens on, the plain one first, once it answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        found = sorted(_listening(process.pid))
        plain = [port for port in found if _answers(port)]
        if plain:
            return plain[0], next((port for port in found if port != plain[0]), 0)
        threading.Event().wait(0.1)
    raise AssertionError("the server has not started")


def _listening(pid: int) -> Iterator[int]:
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(str(descriptor.readlink()))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            yield int(fields[1].rpartition(":")[2], 16)


def _answers(port: int) -> bool:
    try:
        head = Client(port).ask("GET", "/_health", quiet=True).head
    except OSError:
        return False
    return head.startswith("HTTP/1.1 ")


# --- comparing


def read(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def compare(before: Path, after: Path, *, pages: bool) -> int:
    """Prints what differs; returns how many answers do."""
    old, new = read(before), read(after)
    different = 0
    for number, (first, second) in enumerate(zip(old, new, strict=False)):
        lines = [*difflib.unified_diff(_lines(first, pages), _lines(second, pages), lineterm="", n=0)][2:]
        if lines:
            different += 1
            print(f"\n{number}: {first['part']}: {first['request']}")
            print("\n".join(f"  {line[:400]}" for line in lines if not line.startswith("@@")))
    if len(old) != len(new):
        different += 1
        print(f"{len(old)} answers before, {len(new)} after")
    print(f"{different} of {len(old)} answers differ")
    return different


def _lines(record: Mapping[str, str], pages: bool) -> list[str]:
    head, body = record["head"], record["body"]
    if not pages and re.search(r"(?mi)^content-type: text/(html|event-stream)", head):
        head, body = re.sub(r"(?mi)^content-length: .*", "", head), ""
    with suppress(ValueError):
        # Only to show it: order and spaces are compared in the text itself.
        body = json.dumps(json.loads(body), indent=1, ensure_ascii=False) + f"\n{body}" if body else ""
    return [record["request"], record["end"], *head.splitlines(), *body.splitlines()]


def main() -> None:
    from tests.wire import recorded_requests

    parser = argparse.ArgumentParser(prog="python -m tests.wire.recorded", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--python", default=sys.executable, help="interpreter whose mock_editor is recorded")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--pages", action="store_true", help="compare texts of pages too")
    options = parser.parse_args()
    if options.compare:
        sys.exit(bool(compare(*options.files, pages=options.pages)))
    [file] = options.files
    records = recorded_requests.record(options.python)
    file.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), "utf-8")
    print(f"{len(records)} answers")


if __name__ == "__main__":
    main()

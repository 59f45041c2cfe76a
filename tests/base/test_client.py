"""The client for calls to others, against peers on real sockets that take their time, or say too much."""

import gc
import gzip
import math
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import trustme

from mock_editor.base import client
from mock_editor.base.client import Limits, TooLargeError, never_sent, timed_out, tls_error
from mock_editor.base.sockets import reset_on_close

# Drips would go on for so long: a call that ends by its deadline is far from it on any machine.
LONG = 60.0
HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nok"
OVER = threading.Event()
Say = Callable[[socket.socket], None]


class Peer:
    """Hears one request on each connection, and then does what ``say`` does; with ``early``, without hearing any."""

    def __init__(self, say: Say, tls: ssl.SSLContext | None = None, *, early: bool = False) -> None:
        self._say, self._tls, self._early = say, tls, early
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.heard: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[sock], daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with sock:
                while self._early or (piece := sock.recv(65536)):
                    if not self._early:
                        self.heard.append(piece)
                    self._say(sock)
                    if self._early:
                        return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(say: bytes | Say, *args: ssl.SSLContext, early: bool = False) -> Peer:
        made.append(Peer((lambda sock: sock.sendall(say)) if isinstance(say, bytes) else say, *args, early=early))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def dripping(*before: bytes, drop: bytes = b"x") -> Say:
    """Says something at once, and then a drop every now and then: no single read waits for long."""

    def say(sock: socket.socket) -> None:
        until = time.monotonic() + LONG
        for piece in before:
            sock.sendall(piece)
        while time.monotonic() < until and not OVER.wait(0.05):
            sock.sendall(drop)

    return say


def called(peer: Peer, limits: Limits, **how: object) -> tuple[requests.RequestException | None, float]:
    """What a call raises, and how long it takes."""
    begin = time.monotonic()
    with client.session(limits) as session:
        try:
            session.get(peer.url, **how)  # type: ignore[arg-type]
        except requests.RequestException as error:
            return error, time.monotonic() - begin
    return None, time.monotonic() - begin


DRIPS = {
    "a head": dripping(b"HTTP/1.1 201 Cre"),
    "headers": dripping(HEAD, drop=b"X: y\r\n"),
    "a header": dripping(HEAD + b"X: "),
    "a body": dripping(HEAD + b"Content-Length: 100000\r\n\r\n"),
    "a body without an end": dripping(HEAD + b"\r\n"),
    "chunks": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", drop=b"1\r\nx\r\n"),
    "the size of a chunk": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", drop=b"0"),
    "interim answers": dripping(drop=b"HTTP/1.1 103 Early Hints\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS.keys())
def test_whatever_drips_is_cut_at_the_total(peer: Callable[..., Peer], drip: Say) -> None:
    error, seconds = called(peer(drip), Limits(answer=0.4))
    assert error
    assert "timed out" in str(error)
    assert timed_out(error)
    assert not never_sent(error)
    assert seconds < LONG / 3


def test_a_handshake_that_drips_is_cut_before_anything_is_sent(
    peer: Callable[..., Peer], authority: trustme.CA
) -> None:
    # The beginning of a ServerHello that is never whole.
    slow = peer(dripping(b"\x16\x03\x03\x20\x00\x02\x00\x1f\xfc", drop=b"\x00"), early=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    begin = time.monotonic()
    with (
        client.session(Limits(connect=0.4), context) as session,
        pytest.raises(requests.ConnectTimeout) as late,
    ):
        session.get(slow.url.replace("http:", "https:"))
    assert never_sent(late.value)
    assert timed_out(late.value)
    assert time.monotonic() - begin < LONG / 3


def test_under_tls_too(peer: Callable[..., Peer], authority: trustme.CA) -> None:
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    with client.session(Limits(answer=0.4), ours) as session:
        begin = time.monotonic()
        for drip in (dripping(HEAD, drop=b"X: y\r\n"), dripping(HEAD + b"Content-Length: 100000\r\n\r\n")):
            with pytest.raises(requests.RequestException, match="timed out"):
                session.get(peer(drip, theirs).url)
        assert time.monotonic() - begin < LONG / 3
        assert session.get(peer(WHOLE, theirs).url).text == "ok"


def refusing(context: ssl.SSLContext, *, heard: bool, reset: bool) -> Say:
    """Refuses the certificate of TLS 1.3 when the request is coming already, or before; the connection ends at once."""

    def say(sock: socket.socket) -> None:
        came, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(came, going, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                sock.sendall(going.read())
                came.write(sock.recv(65536))
            except ssl.SSLError:
                break
        if heard:
            sock.recv(100_000)
        sock.sendall(going.read())
        if reset:
            reset_on_close(sock)

    return say


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(("heard", "size"), [(False, 0), (False, 20_000_000), (True, 20_000_000)])
def test_a_refusal_is_heard_whenever_it_comes(
    peer: Callable[..., Peer], authority: trustme.CA, heard: bool, reset: bool, size: int
) -> None:
    """Under TLS 1.3 it comes with the end of the connection, before the request is out, or after."""
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    theirs.verify_mode = ssl.CERT_REQUIRED
    theirs.minimum_version = ssl.TLSVersion.TLSv1_3
    authority.configure_trust(ours)
    one = peer(refusing(theirs, heard=heard, reset=reset), early=True)
    with client.session(Limits(connect=LONG, answer=LONG), ours) as session:
        for _ in range(5):
            with pytest.raises(requests.exceptions.SSLError) as refused:
                session.post(one.url.replace("http:", "https:"), data=b"x" * size)
            said = tls_error(refused.value)
            assert said
            assert said.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def test_a_name_that_nobody_answers_for_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup cannot be ended, so it goes on without us; those who ask meanwhile wait for the same one."""
    asked, answered, find = [], threading.Event(), socket.getaddrinfo

    def never(host: str, *args: Any, flags: int = 0, **how: Any) -> object:
        if flags:
            return find(host, *args, **how | {"flags": flags})
        asked.append(host)
        answered.wait(LONG)
        raise socket.gaierror(socket.EAI_AGAIN, "no server answers")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    begin = time.monotonic()
    with client.session(Limits(connect=0.2)) as session:
        for _ in range(3):
            with pytest.raises(requests.ConnectTimeout) as late:
                session.get("http://sas.example/")
            assert never_sent(late.value)
    assert time.monotonic() - begin < LONG / 3
    assert asked == ["sas.example"]
    answered.set()


@pytest.mark.parametrize("host", ["a" * 70, "sas..example", f"{'a' * 70}.example"])
def test_what_is_no_name_at_all_is_an_address_that_leads_nowhere(host: str) -> None:
    """A peer may have told it: where a redirect leads, the token endpoint of a provider."""
    with client.session(Limits()) as session, pytest.raises(requests.ConnectionError) as error:
        session.get(f"http://{host}/")
    assert never_sent(error.value)
    assert not timed_out(error.value)
    with pytest.raises(OSError, match="no name"), client.connection(f"http://{host}/", Limits()):
        pass


def test_a_second_address_has_its_turn(monkeypatch: pytest.MonkeyPatch, peer: Callable[..., Peer]) -> None:
    """The first address of a name may lead nowhere: it does not take all the time."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(full.getsockname())
    right = peer(WHOLE).url.removeprefix("http://127.0.0.1:").rstrip("/")
    addresses = [full.getsockname(), ("127.0.0.1", int(right))]
    find = socket.getaddrinfo

    def both(host: str, *args: Any, flags: int = 0, **how: Any) -> object:
        if flags:
            return find(host, *args, **how | {"flags": flags})
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with client.session(Limits(connect=4)) as session:
        assert session.get("http://two.example/").text == "ok"
    for one in (full, *waiting):
        one.close()


def test_several_calls_may_have_a_total_together(peer: Callable[..., Peer]) -> None:
    slow, quick = peer(dripping(HEAD)), peer(WHOLE)
    begin = time.monotonic()
    with client.session(Limits(answer=LONG)) as session, client.within(0.4):
        assert session.get(quick.url).text == "ok"
        for _ in range(3):
            with pytest.raises(requests.RequestException, match="timed out"):
                session.get(slow.url)
    assert time.monotonic() - begin < LONG / 3
    with client.session(Limits(answer=LONG)) as session:
        assert session.get(quick.url).text == "ok"


def test_a_kept_connection_has_the_whole_time_again(peer: Callable[..., Peer]) -> None:
    one = peer(WHOLE)
    with client.session(Limits(answer=0.5)) as session:
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            assert session.get(one.url).text == "ok"
            OVER.wait(0.1)


# --- sizes

MOST = 100_000
LARGE = {
    "announced": HEAD + b"Content-Length: 300000000\r\n\r\n",
    "to the end": HEAD + b"\r\n",
    "packed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
    "a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n11E1A300\r\n",
}
# What is no body, and has no end.
BESIDES = {
    "the status line": b"HTTP/1.1 201 ",
    "a header": HEAD + b"X: ",
    "the size of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "a trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
}


@pytest.mark.parametrize("case", LARGE | BESIDES)
def test_an_answer_that_is_too_large_is_not_read(peer: Callable[..., Peer], case: str) -> None:
    sent: list[Any] = []

    def say(sock: socket.socket) -> None:
        if case == "packed":
            packed = gzip.compress(bytes(300_000_000), 1)
            sock.sendall(LARGE[case] % (len(packed), packed))
            return
        sock.sendall((LARGE | BESIDES)[case])
        while sum(sent) < 300_000_000:
            sent.append(sock.send(b"0" * 65536))

    error, _ = called(peer(say), Limits(answer=LONG, size=MOST))
    if case in BESIDES:
        assert "exceeded maximum allowed length" in str(error) or "got more than 65536 bytes" in str(error)
    else:
        assert isinstance(error, TooLargeError)
    assert sum(sent) < 30_000_000


def test_what_is_just_as_large_as_it_may_be_is_read(peer: Callable[..., Peer]) -> None:
    for framed in (
        HEAD + b"Content-Length: %d\r\n\r\n%s" % (MOST, b"x" * MOST),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * MOST + b"0\r\n\r\n",
    ):
        with client.session(Limits(answer=LONG, size=MOST)) as session:
            assert session.get(peer(framed).url).text == "x" * MOST


# --- interim answers

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
CONTINUE, PROCESSING = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n"
UNKNOWN = b"HTTP/1.1 199 \r\n\r\n"


@pytest.mark.parametrize(
    "interim",
    [
        [HINTS],
        [PROCESSING],
        [CONTINUE],
        [UNKNOWN],
        [CONTINUE, PROCESSING, HINTS, PROCESSING],
        [HINTS] * 40,
    ],
    ids=len,
)
@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_only_the_final_status_counts(peer: Callable[..., Peer], interim: list[bytes], pause: float) -> None:
    def say(sock: socket.socket) -> None:
        for one in interim:
            sock.sendall(one)
            OVER.wait(pause)
        sock.sendall(WHOLE)

    one = peer(say)
    with client.session(Limits(answer=LONG)) as session:
        for _ in range(2):
            answer = session.post(one.url, data=b"x")
            assert (answer.status_code, answer.text, answer.headers["Content-Length"]) == (201, "ok", "2")
            assert "Link" not in answer.headers


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_interim_answers_have_an_end(peer: Callable[..., Peer], pause: float) -> None:
    def say(sock: socket.socket) -> None:
        while not OVER.wait(pause):
            sock.sendall(HINTS)

    error, seconds = called(peer(say), Limits(answer=LONG))
    assert "more than 50 interim answers" in str(error)
    assert seconds < LONG / 3


def test_a_switch_of_protocols_that_nobody_asked_for_is_no_answer(peer: Callable[..., Peer]) -> None:
    error, _ = called(peer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), Limits())
    assert isinstance(error, requests.ConnectionError)
    assert "101" in str(error)


# --- proxies


def test_this_machine_is_reached_without_a_proxy(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    here, proxy = peer(WHOLE), peer(WHOLE)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with client.equip(requests.Session(), Limits()) as session:
        session.get(here.url)
        session.get(here.url.replace("127.0.0.1", "localhost"))
        assert proxy.heard == []
        session.get("http://sas.example/")
        assert proxy.heard[0].startswith(b"GET http://sas.example/ HTTP/1.1\r\n")
    with client.session(Limits()) as session, pytest.raises(requests.ConnectionError):
        session.get("http://sas.invalid/")
    assert len(proxy.heard) == 1


def test_what_goes_by_a_proxy_has_the_same_limits(peer: Callable[..., Peer]) -> None:
    proxies = {"http": peer(dripping(HEAD)).url, "https": peer(dripping(b"HTTP/1.1 200 OK\r\n")).url}
    with client.session(Limits(connect=0.4, answer=0.4)) as session:
        begin = time.monotonic()
        for scheme in ("http", "https"):
            with pytest.raises(requests.RequestException, match="timed out"):
                session.get(f"{scheme}://sas.example/", proxies=proxies)
        assert time.monotonic() - begin < LONG / 3


def test_what_has_no_end_may_have_no_limits(peer: Callable[..., Peer]) -> None:
    with client.session(Limits(answer=math.inf, size=math.inf)) as session:
        assert session.get(peer(WHOLE).url).text == "ok"


class Late(ssl.SSLContext):
    """Begins with TLS when the other side is gone."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **how: Any) -> ssl.SSLSocket:
        waiting = select.poll()
        waiting.register(sock, 0)  # for its end alone
        assert waiting.poll()
        return super().wrap_socket(sock, *args, **how)


def test_a_peer_that_is_gone_before_tls_begins_leaves_nothing_open() -> None:
    """A socket that is left open is a warning, and so an error here."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def end() -> None:
            sock, _ = listening.accept()
            reset_on_close(sock)
            sock.close()

        ending = threading.Thread(target=end)
        ending.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
        with (
            client.session(Limits(), Late(ssl.PROTOCOL_TLS_CLIENT)) as session,
            pytest.raises(requests.ConnectionError),
        ):
            session.get(url, timeout=LONG)
        ending.join()
    gc.collect()

"""Sends notifications (INT_R03): claims what is due, posts it in parallel, and decides what an answer means.

Sent or not is a question of its own: a create that may have arrived is repeated as ``PUT ?identifier=``, which the SAS
takes for an update, or for a create if it never came.
"""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import requests
from requests import RequestException, Response, Session
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as TlsError

from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.flows import Flow
from mock_editor.calendars.model import Editor
from mock_editor.journal.journal import Journal
from mock_editor.journal.outgoing import record_with, sent_by
from mock_editor.notifications.outbox import Attempt, Claimed, Outbox, State

# How often the outbox is looked at when nobody says that there is something in it.
_LOOK = 0.25
# A SAS that has put us off so often in a row gets one at a time, so many seconds after the last, until it takes one: a
# backlog that goes round would slow down this process's searches, and one that waits for silence keep every thread.
_IN_A_ROW = 8
_REST = 0.02
_LARGEST_ANSWER = 64 * 1024
# Answers that mean: later. After 408 and those from 500 on, a proxy may have passed the request on.
_LATER, _LATER_UNSURE = frozenset({425, 429}), frozenset({408})
_LONGEST_WAIT = timedelta(days=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the notifications of an editor go, and how patiently. Times are in seconds.

    ``certificate`` (with its key, in one PEM file or two) is shown to the SAS, ``authority`` a PEM file of those that
    are trusted instead of the system's. The first retry comes after ``first_wait``, each later one after twice as
    long, up to ``longest_wait``; after ``tries`` attempts it is given up.
    """

    url: str
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    connect_timeout: float = 3.0
    answer_timeout: float = 10.0
    tries: int = 12
    first_wait: float = 1.0
    longest_wait: float = 300.0


class _Verdict(NamedTuple):
    """What came of an attempt: ``state`` WAITING stands for: again; ``unsure``: it may have been taken."""

    attempt: Attempt
    state: State
    unsure: bool = False
    wait: timedelta | None = None


class _Pace:
    """How much one SAS gets at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._put_off = self._going = 0
        self._rests_until = 0.0

    def room(self, free: int) -> int:
        """How many of ``free`` may go to it now."""
        with self._lock:
            if self._put_off < _IN_A_ROW:
                return free
            return 0 if self._going or time.monotonic() < self._rests_until else 1

    def begin(self) -> None:
        """Notes that an attempt begins."""
        with self._lock:
            self._going += 1

    def end(self, *, put_off: bool) -> None:
        """Notes that one has ended."""
        with self._lock:
            self._going -= 1
            self._put_off = self._put_off + 1 if put_off else 0
            self._rests_until = time.monotonic() + _REST


class Sender:
    """Sends what is in the outbox to the ``targets`` of its editors, in threads of its own.

    ``embedded`` carries what goes to a receiver in this very process; ``journal`` takes down what is sent.
    """

    def __init__(
        self,
        outbox: Outbox,
        editors: Mapping[str, Editor],
        targets: Mapping[str, Target],
        *,
        parallel: int,
        embedded: Mapping[str, BaseAdapter] | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._outbox = outbox
        self._editors = editors
        self._targets = targets
        self._parallel = parallel
        self._embedded = embedded or {}
        self._journal = journal
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._idle = threading.Semaphore(parallel)
        self._sessions = threading.local()
        self._paces = {target: _Pace() for target in targets.values()}
        # Longer than any attempt takes: the deadline of an answer and that of a connection.
        longest = max((one.connect_timeout + one.answer_timeout for one in targets.values()), default=0.0)
        self._lease = longest + 5.0

    def wake(self) -> None:
        """Says that there may be something to send."""
        self._woken.set()

    def start(self) -> threading.Thread:
        """Sends from now on, in the background, for as long as the process lives or until ``stop``."""
        thread = threading.Thread(target=self.run, name="notifications", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Ends ``run`` when what is on its way has come to an end."""
        self._stopped.set()
        self._woken.set()

    def run(self) -> None:
        """Sends until ``stop``."""
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="notification") as pool:
            while not self._stopped.is_set():
                self._woken.clear()
                try:
                    busy = self._round(pool)
                except Exception:
                    _log.exception("The outbox cannot be looked at")
                    busy = False
                # The end of an attempt wakes us, but its SAS may have to rest first.
                if not busy and self._woken.wait(_LOOK):
                    self._stopped.wait(_REST)

    def _round(self, pool: ThreadPoolExecutor) -> bool:
        """Claims as much as can be sent at once, and has it sent; says whether there was anything."""
        self._idle.acquire()
        free = 1
        while free < self._parallel and self._idle.acquire(blocking=False):
            free += 1
        claimed: list[Claimed] = []
        try:
            room = {slug: self._paces[target].room(free) for slug, target in self._targets.items()}
            claimed = self._outbox.claim(free, self._lease, room)
        finally:
            for _ in range(free - len(claimed)):
                self._idle.release()
        for one in claimed:
            self._paces[self._targets[one.editor]].begin()
            pool.submit(self._deliver, one)
        return bool(claimed)

    def _deliver(self, claimed: Claimed) -> None:
        target, put_off = self._targets[claimed.editor], True
        try:
            verdict = self._attempt(claimed, target)
            put_off = verdict.state is State.WAITING
            state, wait = verdict.state, timedelta()
            if state is State.WAITING and claimed.attempts + 1 >= target.tries:
                state = State.GIVEN_UP
            elif state is State.WAITING:
                wait = max(verdict.wait or timedelta(), _backoff(claimed, target))
            self._outbox.finish(claimed, verdict.attempt, state, wait=wait, unsure=verdict.unsure)
        except Exception:
            # Its lease runs out, and it is tried again.
            _log.exception("Notification %d failed", claimed.id)
        finally:
            self._paces[target].end(put_off=put_off)
            self._idle.release()
            self._woken.set()

    # --- one attempt

    def _attempt(self, claimed: Claimed, target: Target) -> _Verdict:
        url = f"{target.url}/Appointment"
        if claimed.method == "PUT":
            system = self._editors[claimed.editor].identifier_system
            url = f"{url}?identifier={quote(system, safe=':/')}%7C{quote(claimed.appointment)}"
        begin = time.monotonic()

        def attempt(result: str, status: int | None = None, answer: str = "") -> Attempt:
            return Attempt(claimed.method, status, round(time.monotonic() - begin, 3), result, answer)

        try:
            with (
                sent_by(claimed.editor, Flow.INT_R03),
                self._session(target).request(
                    claimed.method,
                    url,
                    data=claimed.body,
                    headers={"Content-Type": FHIR_JSON, "Accept": "application/fhir+json"},
                    timeout=(target.connect_timeout, target.answer_timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                answer = _answer(response, begin + target.connect_timeout + target.answer_timeout)
        except RequestException as error:
            sent = not _never_sent(error)
            unsure = claimed.unsure or sent
            return _Verdict(attempt(_reason(error)), State.WAITING, unsure)
        status = response.status_code
        tried = attempt(f"HTTP {status}", status, answer)
        if 200 <= status < 300:
            return _Verdict(tried, State.ACCEPTED)
        later = status in _LATER or status in _LATER_UNSURE or status >= 500
        if not later:
            return _Verdict(tried, State.REFUSED)
        unsure = claimed.unsure or status not in _LATER
        wait = _retry_after(response.headers.get("Retry-After"))
        return _Verdict(tried, State.WAITING, unsure, wait)

    def _session(self, target: Target) -> Session:
        """A session of this thread, whose connections are used again."""
        sessions: dict[Target, Session] = self._sessions.__dict__.setdefault("by_target", {})
        if target not in sessions:
            session = requests.Session()
            # Settings of the process, not of the editor that is played: proxies, certificates.
            session.trust_env = False
            session.verify = str(target.authority) if target.authority else True
            if target.certificate:
                session.cert = (str(target.certificate), str(target.key)) if target.key else str(target.certificate)
            session.mount("https://", HTTPAdapter(max_retries=0))
            session.mount("http://", HTTPAdapter(max_retries=0))
            for prefix, adapter in self._embedded.items():
                session.mount(prefix, adapter)
            if self._journal:
                record_with(session, self._journal, flow=Flow.INT_R03)
            sessions[target] = session
        return sessions[target]


def _answer(response: Response, until: float) -> str:
    """The start of an answer, as far as it comes, and in time: the status alone decides."""
    received = b""
    with contextlib.suppress(RequestException):
        for piece in response.iter_content(4096):
            received += piece
            if len(received) > _LARGEST_ANSWER or time.monotonic() > until:
                break
    return received.decode("utf-8", "replace")


def _never_sent(error: RequestException) -> bool:
    """Whether an attempt certainly ended before the request was out."""
    cause: object = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return isinstance(cause, NewConnectionError | ConnectTimeoutError | TlsError)


def _reason(error: RequestException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:500]}"


def _backoff(claimed: Claimed, target: Target) -> timedelta:
    """Twice as long each time, shortened by up to half: drawn, so that a run can be repeated."""
    longest = min(target.first_wait * 2**claimed.attempts, target.longest_wait)
    draw = random.Random(f"{claimed.editor}:{claimed.appointment}:{claimed.id}:{claimed.attempts}").random()
    return timedelta(seconds=longest * (1 - draw / 2))


def _retry_after(text: str | None) -> timedelta | None:
    """What ``Retry-After`` asks for: seconds, or a date, which is in real time; None for what makes no sense."""
    if not text:
        return None
    if text.strip().isdecimal() and text.isascii():
        return min(timedelta(seconds=int(text.strip()[:9])), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - datetime.now(UTC), timedelta()), _LONGEST_WAIT)

"""Sends notifications (INT_R03): claims what is due, posts it in parallel, and decides what an answer means.

Sent or not is a question of its own: a create that may have arrived is repeated as ``PUT ?identifier=``, which the SAS
takes for an update, or for a create if it never came.

Fault rules act in ``_way``, once for each attempt; ``faulted.py`` says what they make of it.
"""

import contextlib
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from requests import ConnectionError as BrokenError
from requests import RequestException, Response, Session
from requests.adapters import BaseAdapter

from mock_editor.base import client
from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.database import OverError, begin_task
from mock_editor.base.errors import EditorError
from mock_editor.base.flows import Flow
from mock_editor.base.threads import Pool, start
from mock_editor.calendars.model import Editor
from mock_editor.faults.engine import FaultEngine
from mock_editor.faults.rules import Rule
from mock_editor.journal.journal import Journal
from mock_editor.journal.outgoing import record_with, sent_by
from mock_editor.notifications.broken import Breaking, Dropped, sending
from mock_editor.notifications.faulted import Deed, OutgoingRequest, Way, way
from mock_editor.notifications.outbox import OPEN_STATES, Attempt, Claimed, Held, Outbox, State, Then
from mock_editor.notifications.tls import Identity, TlsFileError, trouble

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
# What a rule has sent bit by bit has threads of its own, so many. Those that find none free come again after so long.
_SLOW, _SLOW_AGAIN = 16, 1.0
_SEED_BITS = 62

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the notifications of an editor go, and how patiently. Times are in seconds.

    ``certificate``, ``key``, ``authority`` and ``tls_minimum`` are those of an Identity. The first retry comes after
    ``first_wait``, each later one after twice as long, up to ``longest_wait``; after ``tries`` attempts it is given up.
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
    tls_minimum: str = "1.2"

    @property
    def identity(self) -> Identity:
        """What TLS with it is made of."""
        return Identity(self.certificate, self.key, self.authority, self.tls_minimum)

    @property
    def limits(self) -> client.Limits:
        """What an attempt may take. Of an answer, only the start is read."""
        return client.Limits(self.connect_timeout, self.answer_timeout, 2 * _LARGEST_ANSWER)


class _Verdict(NamedTuple):
    """What came of an attempt: WAITING and TLS_FAILED stand for: again; ``unsure``: it may have been taken."""

    attempt: Attempt
    state: State
    unsure: bool = False
    wait: timedelta | None = None


class _Pace:
    """How much one SAS gets at once, which ``editors`` send to."""

    def __init__(self, editors: Sequence[str]) -> None:
        self.editors = editors
        self._lock = threading.Lock()
        self._put_off = self._going = 0
        self._rests_until = 0.0

    @property
    def further(self) -> int:
        """How many are on their way to it, beside a first one."""
        return max(self._going - 1, 0)

    def room(self, shared: int) -> int:
        """How many may go to it now: a first one, and of ``shared`` ones that are for all."""
        with self._lock:
            first = 0 if self._going else 1
            if self._put_off < _IN_A_ROW:
                return first + shared
            return 0 if time.monotonic() < self._rests_until else first

    def begin(self) -> None:
        """Notes that an attempt begins."""
        with self._lock:
            self._going += 1

    def end(self, *, put_off: bool | None) -> None:
        """Notes that one has ended; ``put_off`` is None when the SAS had nothing to do with it."""
        with self._lock:
            self._going -= 1
            if put_off is not None:
                self._put_off = self._put_off + 1 if put_off else 0
                self._rests_until = time.monotonic() + _REST


class Sender:
    """Sends what is in the outbox to the ``targets`` of its editors, in threads of its own.

    ``embedded`` carries what goes to a receiver in this very process; ``journal`` takes down what is sent; ``faults``
    are those that act on it.
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
        faults: FaultEngine | None = None,
    ) -> None:
        self._outbox = outbox
        self._editors = editors
        self._targets = targets
        self._embedded = embedded or {}
        self._journal = journal
        self._faults = faults
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._slow = threading.Semaphore(_SLOW)
        self._sessions = threading.local()
        self._contexts: dict[Identity, ssl.SSLContext] = {}
        self._paces = {
            target: _Pace([slug for slug, its in targets.items() if its == target]) for target in targets.values()
        }
        # One thread is kept for each SAS: one that is slow takes none from the others.
        self._parallel = max(parallel, len(self._paces))
        self._shared = self._parallel - len(self._paces)
        self._idle = threading.Semaphore(self._parallel)
        # Longer than any attempt takes: the deadline of an answer and that of a connection.
        longest = max((one.connect_timeout + one.answer_timeout for one in targets.values()), default=0.0)
        self._lease = longest + 5.0

    def wake(self) -> None:
        """Says that there may be something to send."""
        self._woken.set()

    def prepare(self) -> threading.Thread:
        """Begins the threads that are needed, which do nothing before ``start``. Raises 503."""
        if self._thread is None:
            with contextlib.ExitStack() as begun:
                slow = begun.enter_context(Pool(_SLOW, "slow-notification"))
                pool = begun.enter_context(Pool(self._parallel, "notification"))
                self._thread = start("notifications", self._run, pool, slow)
                begun.pop_all()
        return self._thread

    def start(self) -> threading.Thread:
        """Sends from now on, in the background, for as long as the process lives or until ``stop``. Raises 503."""
        thread = self.prepare()
        self._started.set()
        return thread

    def stop(self) -> None:
        """Ends that when what is on its way has come to an end."""
        self._stopped.set()
        self._started.set()
        self._woken.set()

    def _run(self, pool: Pool, slow: Pool) -> None:
        self._started.wait()
        # The second one ends first: its threads give the other one work.
        with slow, pool:
            while not self._stopped.is_set():
                self._woken.clear()
                try:
                    self._release()
                    busy = self._round(pool, slow)
                except Exception as error:
                    self._failed("The outbox cannot be looked at", error)
                    busy = False
                # The end of an attempt wakes us, but its SAS may have to rest first.
                if not busy and self._woken.wait(_LOOK):
                    self._stopped.wait(_REST)

    def _round(self, pool: Pool, slow: Pool) -> bool:
        """Claims as much as can be sent at once, and has it sent; says whether there was anything."""
        self._idle.acquire()
        free = 1
        while free < self._parallel and self._idle.acquire(blocking=False):
            free += 1
        began = time.monotonic()
        found = 0
        try:
            for pace in self._paces.values():
                shared = max(self._shared - sum(one.further for one in self._paces.values()), 0)
                most = min(pace.room(shared), free - found)
                for claimed in self._outbox.claim(most, self._lease, dict.fromkeys(pace.editors, most)):
                    found += 1
                    pace.begin()
                    pool.submit(self._deliver, claimed, slow, began)
        finally:
            for _ in range(free - found):
                self._idle.release()
        return bool(found)

    def _deliver(self, claimed: Claimed, slow: Pool, began: float) -> None:
        begin_task(began)
        target = self._targets[claimed.editor]
        put_off: bool | None = True
        try:
            found = self._way(claimed, target)
            if found and self._holds(claimed, found):
                put_off = None
            elif found and found.seconds:
                put_off = None
                self._send_slowly(claimed, target, found, slow, began)
            else:
                put_off = self._send(claimed, target, found)
        except Exception as error:
            # Its lease runs out, and it is tried again.
            self._failed(f"Notification {claimed.id} failed", error)
        finally:
            self._paces[target].end(put_off=put_off)
            self._idle.release()
            self._woken.set()

    def _send(self, claimed: Claimed, target: Target, found: Way | None) -> bool:
        """Makes an attempt and notes it; says whether we were put off."""
        try:
            verdict = self._attempt(claimed, target, found)
        except Exception as error:
            # An attempt it was, whatever has gone wrong about it: it has to come to an end like others.
            _log.exception("Notification %d failed", claimed.id)
            verdict = _Verdict(Attempt(claimed.method, None, 0.0, _reason(error), ""), State.WAITING, unsure=True)
        put_off = verdict.state in OPEN_STATES
        if claimed.copy:
            self._note(partial(self._outbox.copied, claimed, verdict.attempt))
            return put_off
        state, wait = verdict.state, timedelta()
        # As long as TLS fails, the SAS has not seen it: it is not given up, and has all its tries afterwards.
        first = claimed.tls_failed and state is not State.TLS_FAILED
        before = 0 if first else claimed.attempts
        if state is State.WAITING and before + 1 >= target.tries:
            state = State.GIVEN_UP
        elif put_off:
            wait = max(verdict.wait or timedelta(), _backoff(claimed, before, target))
        then = None
        if found and found.plans and not found.lost:
            content_type = found.headers["Content-Type"]
            then = Then(found.rule, found.name, content_type, found.body, found.plans)
        self._note(
            partial(
                self._outbox.finish,
                claimed,
                verdict.attempt,
                state,
                wait=wait,
                unsure=verdict.unsure,
                first=first,
                then=then,
            )
        )
        return put_off

    def _note(self, note: Callable[[], None]) -> None:
        """Writes down what came of an attempt, or it would be made again; as long as its lease may hold."""
        until = time.monotonic() + self._lease
        while True:
            try:
                note()
                return
            except EditorError:
                # Not when another world is in play: then it is nobody's business any more.
                if time.monotonic() > until or self._stopped.wait(_LOOK):
                    raise

    def _failed(self, text: str, error: Exception) -> None:
        """Has the log tell of it: with its traceback, unless the store was out of order; not when its world is over."""
        if not isinstance(error, EditorError):
            _log.error(text, exc_info=error)
        elif not isinstance(error, OverError):
            _log.warning("%s: %s", text, error)

    # --- what rules do

    def _way(self, claimed: Claimed, target: Target) -> Way | None:
        """How a rule has it sent, if one acts."""
        if self._faults is None or claimed.copy:
            return None
        editor = self._editors[claimed.editor]
        parts = urlsplit(self._url(claimed, target))
        url = f"{parts.path}?{parts.query}" if parts.query else parts.path
        request = OutgoingRequest(claimed.editor, editor.zone, claimed.method, url, _headers(), claimed.body)
        deed = self._again(claimed) if claimed.held else self._match(request)
        return way(deed, request, self._faults.now()) if deed else None

    def _match(self, request: OutgoingRequest) -> Deed | None:
        if self._faults is None:
            return None
        try:
            acting = self._faults.match(
                direction="out",
                editor=request.editor,
                flow=Flow.INT_R03,
                method=request.method,
                url=request.url,
                header={name.lower(): value for name, value in request.headers.items()}.get,
                body=lambda: request.body,
                zone=request.zone,
            )
        except EditorError as error:
            _log.warning("No rule acts, because the counts cannot be kept: %s", error)
            return None
        if acting is None:
            return None
        held = Held(acting.draw.getrandbits(_SEED_BITS))
        tally = partial(acting.tally, request.editor)
        return Deed(acting.rule.model_dump_json(), acting.name, acting.kinds, held, tally)

    def _again(self, claimed: Claimed) -> Deed | None:
        """The rule that held it back; None when that has gone in the meantime."""
        rule = self._rules().get(claimed.rule or "")
        if rule is None or claimed.rule is None or claimed.held is None:
            return None
        kinds = [kind for kind in rule.do if not kind.flows or Flow.INT_R03 in kind.flows]
        name = f"{rule.name}: {', '.join(kind.name for kind in kinds)}"
        # It had all that it asks for when it held it back.
        return Deed(claimed.rule, name, kinds, claimed.held, lambda _: 1)

    def _rules(self) -> dict[str, Rule]:
        """Those in force, by what the outbox calls them."""
        return {rule.model_dump_json(): rule for rule in self._faults.in_force()} if self._faults else {}

    def _holds(self, claimed: Claimed, found: Way) -> bool:
        """Holds it back, if it has to wait first; once for each rule, and not for what passes another one."""
        if claimed.held:
            return False
        later = found.later
        if later and (claimed.rule == found.rule or (later.passed and claimed.passes)):
            later = None
        if later is None and not found.waits:
            return False
        wait = timedelta(seconds=later.seconds if later else 0)
        passed = later is not None and later.passed
        self._outbox.hold(claimed, found.rule, found.held, wait=wait, real=found.waits, passed=passed)
        return True

    def _release(self) -> None:
        """Has what rules hold back go when they do."""
        if self._faults and (holders := self._outbox.holders()):
            for rule in holders - self._rules().keys():
                self._outbox.release(rule)

    def _send_slowly(self, claimed: Claimed, target: Target, found: Way, slow: Pool, began: float) -> None:
        """Sends it bit by bit, which may take minutes, apart from the others."""
        if not self._slow.acquire(blocking=False):
            self._outbox.hold(claimed, found.rule, found.held, wait=timedelta(), real=_SLOW_AGAIN)
            return

        def send() -> None:
            begin_task(began)
            try:
                self._send(claimed, target, found)
            except Exception as error:
                self._failed(f"Notification {claimed.id} failed", error)
            finally:
                self._slow.release()
                self._woken.set()

        try:
            self._outbox.extend(claimed, found.seconds + self._lease)
            slow.submit(send)
        except BaseException:
            self._slow.release()
            raise

    def _pause(self, rule: str, seconds: float) -> None:
        """Waits between two pieces, as long as the rule is in force. Raises RequestException when the process stops."""
        until = time.monotonic() + seconds
        with contextlib.suppress(EditorError):  # the store is out of order: no time for faults
            while (left := until - time.monotonic()) > 0 and rule in self._rules():
                if self._stopped.wait(min(left, _LOOK)):
                    raise BrokenError("the simulator stops")

    # --- one attempt

    def _url(self, claimed: Claimed, target: Target) -> str:
        url = f"{target.url}/Appointment"
        if claimed.method == "PUT":
            system = self._editors[claimed.editor].identifier_system
            url = f"{url}?identifier={quote(system, safe=':/')}%7C{quote(claimed.appointment)}"
        return url

    def _attempt(self, claimed: Claimed, target: Target, found: Way | None) -> _Verdict:
        begin = time.monotonic()
        acting = found.name if found else claimed.copy.acting if claimed.copy else None
        headers = found.headers if found else _headers(claimed.copy.content_type if claimed.copy else FHIR_JSON)

        def attempt(result: str, status: int | None = None, answer: str = "") -> Attempt:
            return Attempt(claimed.method, status, round(time.monotonic() - begin, 3), result, answer)

        try:
            with (
                sent_by(claimed.editor, Flow.INT_R03, acting),
                sending(found, partial(self._pause, found.rule if found else "")),
                self._session(target).request(
                    claimed.method,
                    self._url(claimed, target),
                    data=found.body if found else claimed.body,
                    headers=dict(headers),
                    timeout=(target.connect_timeout, target.answer_timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                answer = _answer(response)
        except Dropped as error:
            accepted = found is not None and found.lost is not None and found.lost.accepted
            state = State.ACCEPTED if accepted else State.GIVEN_UP
            return _Verdict(attempt(_reason(error)), state, claimed.unsure)
        except TlsFileError as error:
            result = f"TLS: fichier inutilisable pour TLS, {error.name} ({error})"
            return _Verdict(attempt(result), State.TLS_FAILED, claimed.unsure)
        except RequestException as error:
            if text := trouble(error, target.identity):
                # Somebody may mend it by another file in the place of one.
                self._contexts.pop(target.identity, None)
                return _Verdict(attempt(f"TLS: {text}"), State.TLS_FAILED, claimed.unsure)
            sent = not client.never_sent(error)
            unsure = claimed.unsure or sent
            return _Verdict(attempt(_reason(error)), State.WAITING, unsure)
        status = response.status_code
        result = f"HTTP {status}, by the rule {acting}" if acting else f"HTTP {status}"
        tried = attempt(result, status, answer)
        if 200 <= status < 300:
            return _Verdict(tried, State.ACCEPTED)
        later = status in _LATER or status in _LATER_UNSURE or status >= 500
        if not later:
            return _Verdict(tried, State.REFUSED)
        unsure = claimed.unsure or status not in _LATER
        wait, note = _retry_after(response.headers.get("Retry-After"))
        return _Verdict(attempt(result + note, status, answer), State.WAITING, unsure, wait)

    def _session(self, target: Target) -> Session:
        """A session of this thread, whose connections are used again. Raises TlsFileError."""
        sessions: dict[Target, tuple[ssl.SSLContext | None, Session]] = self._sessions.__dict__.setdefault("all", {})
        context = self._context(target.identity) if target.url.startswith("https:") else None
        known, session = sessions.get(target, (None, None))
        if session is None or known is not context:
            if session:
                session.close()
            # Settings of the process are not those of the editor that is played: proxies, certificates.
            session = client.session(target.limits, context)
            for prefix, adapter in session.adapters.items():
                session.adapters[prefix] = Breaking(adapter, context=context)
            for prefix, adapter in self._embedded.items():
                session.mount(prefix, Breaking(adapter, network=False))
            if self._journal:
                record_with(session, self._journal.writer, flow=Flow.INT_R03)
            sessions[target] = context, session
        return session

    def _context(self, identity: Identity) -> ssl.SSLContext:
        """The one that all threads share, as long as it serves. Raises TlsFileError."""
        found = self._contexts.get(identity)
        # Two threads may make one each, of which one is kept: setdefault is atomic.
        return found or self._contexts.setdefault(identity, identity.context())


def _headers(content_type: str = FHIR_JSON) -> Mapping[str, str]:
    return {"Content-Type": content_type, "Accept": "application/fhir+json"}


def _answer(response: Response) -> str:
    """The start of an answer, as far as it comes in time: the status alone decides."""
    received = b""
    with contextlib.suppress(RequestException):
        for piece in response.iter_content(4096):
            received += piece
            if len(received) > _LARGEST_ANSWER:
                break
    return received.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:500]}"


def _backoff(claimed: Claimed, before: int, target: Target) -> timedelta:
    """Twice as long each time, after so many ``before``, shortened by up to half: drawn, so that a run can be
    repeated."""
    longest = min(target.first_wait * 2.0 ** min(before, 30), target.longest_wait)
    draw = random.Random(f"{claimed.editor}:{claimed.appointment}:{claimed.id}:{before}").random()
    return timedelta(seconds=longest * (1 - draw / 2))


def _retry_after(text: str | None) -> tuple[timedelta | None, str]:
    """What ``Retry-After`` asks for: seconds, or a date, which is in real time. None for what makes no sense; and what
    there is to note about it."""
    if text is None:
        return None, ""
    text = text.strip()
    shown = f"Retry-After: {text[:60]}{'…' if len(text) > 60 else ''}"
    try:
        asked = float(text) if text.isascii() and text.isdecimal() else _until(text)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return None, f" ({shown}: not readable)"
    if asked < 0:
        return None, f" ({shown}: in the past)"
    longest = _LONGEST_WAIT.total_seconds()
    return timedelta(seconds=min(asked, longest)), f" ({shown})" if asked <= longest else f" ({shown}: too long)"


def _until(date: str) -> float:
    """Seconds from now to a date of HTTP. Raises ValueError, TypeError, LookupError or ArithmeticError."""
    until = parsedate_to_datetime(date)
    return ((until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()

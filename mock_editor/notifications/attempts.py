"""One attempt to send a notification, and what its answer means.

It may stay unknown whether a notification arrived. A create that may have arrived is repeated as ``PUT ?identifier=``,
which the SAS treats as an update, or as a create if the first one never arrived.
"""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote

from requests import RequestException, Response, Session
from requests.adapters import BaseAdapter

from mock_editor.base import client
from mock_editor.base.codes import FHIR_JSON
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.calendars.model import Editor
from mock_editor.journal.journal import Journal
from mock_editor.journal.outgoing import record_with, sent_by
from mock_editor.notifications import outcomes
from mock_editor.notifications.faulty_adapter import DroppedError, FaultyAdapter, sending_with
from mock_editor.notifications.model import Attempt, Claimed, NotificationState
from mock_editor.notifications.rule_effects import Effect
from mock_editor.notifications.target import LARGEST_ANSWER, Target
from mock_editor.notifications.tls import Identity, TlsFileError

# Answers that mean "later". With 408, or 500 and above, a proxy may have passed the request on.
_LATER, _LATER_UNSURE = frozenset({425, 429}), frozenset({408})
_LONGEST_WAIT = timedelta(days=1)
# Characters of a header that are noted.
_LONGEST_SHOWN = 60


class Verdict(NamedTuple):
    """An attempt and what follows from it.

    WAITING and TLS_FAILED mean that it is tried again, after ``wait`` if the SAS asked for that. ``unsure``: the SAS
    may have taken the notification.
    """

    attempt: Attempt
    state: NotificationState
    unsure: bool = False
    wait: timedelta | None = None


class Attempts:
    """Makes attempts, with a session for each thread and target.

    ``embedded`` carries what goes to a receiver in this process; ``journal`` records what is sent.
    """

    def __init__(
        self, editors: Mapping[str, Editor], embedded: Mapping[str, BaseAdapter] | None, journal: Journal | None
    ) -> None:
        self._editors = editors
        self._embedded = embedded or {}
        self._journal = journal
        self._sessions = threading.local()
        self._contexts: dict[Identity, ssl.SSLContext] = {}

    def url(self, claimed: Claimed, target: Target) -> str:
        """Where a notification goes."""
        url = f"{target.url}/Appointment"
        if claimed.method == "PUT":
            system = self._editors[claimed.editor].identifier_system
            url = f"{url}?identifier={quote(system, safe=':/')}%7C{quote(claimed.appointment)}"
        return url

    def make(self, claimed: Claimed, target: Target, effect: Effect | None, pause: Callable[[float], None]) -> Verdict:
        """Sends a notification, with the effect of a rule if one acts; ``pause`` waits between two pieces of it."""
        begin = time.monotonic()
        applied = effect.applied if effect else claimed.copy.applied if claimed.copy else None

        def attempt(result: Issue, status: int | None = None, answer: str = "") -> Attempt:
            return Attempt(claimed.method, status, round(time.monotonic() - begin, 3), result, answer)

        try:
            with sent_by(claimed.editor, Flow.INT_R03, applied), sending_with(effect, pause):
                status, retry_after, answer = self._send(claimed, target, effect)
        except DroppedError as error:
            accepted = effect is not None and effect.lost is not None and effect.lost.accepted
            state = NotificationState.ACCEPTED if accepted else NotificationState.GIVEN_UP
            return Verdict(attempt(outcomes.failed(error)), state, claimed.unsure)
        except TlsFileError as error:
            return Verdict(attempt(outcomes.unusable_file(error)), NotificationState.TLS_FAILED, claimed.unsure)
        except RequestException as error:
            if failure := outcomes.tls_failure(error, target.identity):
                # Replacing the file may mend it.
                self._contexts.pop(target.identity, None)
                return Verdict(attempt(failure), NotificationState.TLS_FAILED, claimed.unsure)
            sent = not client.never_sent(error)
            return Verdict(attempt(outcomes.failed(error)), NotificationState.WAITING, claimed.unsure or sent)
        result = outcomes.answered(status, applied)
        state = _state(status)
        if state is not NotificationState.WAITING:
            return Verdict(attempt(result, status, answer), state)
        wait, retry = _retry_after(retry_after)
        result = outcomes.asked_to_wait(result, retry) if retry else result
        unsure = claimed.unsure or status not in _LATER
        return Verdict(attempt(result, status, answer), state, unsure, wait)

    def _send(self, claimed: Claimed, target: Target, effect: Effect | None) -> tuple[int, str | None, str]:
        """The status of the answer, its ``Retry-After`` and its start. Raises RequestException and TlsFileError."""
        sent_headers = effect.headers if effect else headers(claimed.copy.content_type if claimed.copy else FHIR_JSON)
        with self._session(target).request(
            claimed.method,
            self.url(claimed, target),
            data=effect.body if effect else claimed.body,
            headers=dict(sent_headers),
            timeout=(target.connect_timeout, target.answer_timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            return response.status_code, response.headers.get("Retry-After"), _answer(response)

    def _session(self, target: Target) -> Session:
        """A session of this thread; its connections are reused. Raises TlsFileError."""
        sessions: dict[Target, tuple[ssl.SSLContext | None, Session]] = self._sessions.__dict__.setdefault("all", {})
        context = self._context(target.identity) if target.url.startswith("https:") else None
        known, session = sessions.get(target, (None, None))
        if session is None or known is not context:
            if session:
                session.close()
            # The proxies and certificates of this process are not those of the played editor.
            session = client.session(target.limits, context)
            for prefix, adapter in session.adapters.items():
                session.adapters[prefix] = FaultyAdapter(adapter, context=context)
            for prefix, adapter in self._embedded.items():
                session.mount(prefix, FaultyAdapter(adapter, network=False))
            if self._journal:
                record_with(session, self._journal.writer, flow=Flow.INT_R03)
            sessions[target] = context, session
        return session

    def _context(self, identity: Identity) -> ssl.SSLContext:
        """The TLS context that all threads share while its files are unchanged. Raises TlsFileError."""
        found = self._contexts.get(identity)
        # Two threads may each make one, but only one is kept: setdefault is atomic.
        return found or self._contexts.setdefault(identity, identity.context())


def _state(status: int) -> NotificationState:
    """What an answer means for a notification."""
    if 200 <= status < 300:
        return NotificationState.ACCEPTED
    later = status in _LATER or status in _LATER_UNSURE or status >= 500
    return NotificationState.WAITING if later else NotificationState.REFUSED


def headers(content_type: str = FHIR_JSON) -> Mapping[str, str]:
    """The headers of a notification."""
    return {"Content-Type": content_type, "Accept": "application/fhir+json"}


def _answer(response: Response) -> str:
    """The start of an answer, as far as it arrives in time; only the status matters."""
    received = b""
    with contextlib.suppress(RequestException):
        for piece in response.iter_content(4096):
            received += piece
            if len(received) > LARGEST_ANSWER:
                break
    return received.decode("utf-8", "replace")


def _retry_after(text: str | None) -> tuple[timedelta | None, Issue | None]:
    """The wait that ``Retry-After`` asks for, as seconds or as a date in real time; None if it makes no sense.

    Also returns a note about the header, if there is one.
    """
    if text is None:
        return None, None
    text = text.strip()
    excerpt = f"{text[:_LONGEST_SHOWN]}{'…' if len(text) > _LONGEST_SHOWN else ''}"
    try:
        asked = float(text) if text.isascii() and text.isdecimal() else _until(text)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return None, issue(Code.RETRY_AFTER_UNREADABLE, text=excerpt)
    if asked < 0:
        return None, issue(Code.RETRY_AFTER_PAST, text=excerpt)
    longest = _LONGEST_WAIT.total_seconds()
    if asked > longest:
        return _LONGEST_WAIT, issue(Code.RETRY_AFTER_TOO_LONG, text=excerpt)
    return timedelta(seconds=asked), issue(Code.RETRY_AFTER, text=excerpt)


def _until(date: str) -> float:
    """Seconds from now to an HTTP date. Raises ValueError, TypeError, LookupError or ArithmeticError."""
    until = parsedate_to_datetime(date)
    return ((until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()

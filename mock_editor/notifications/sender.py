"""Sends notifications (INT_R03): claims those that are due; threads make the attempts."""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from requests.adapters import BaseAdapter

from mock_editor.base.client import CallEndedError
from mock_editor.base.database import begin_task
from mock_editor.base.errors import EditorError
from mock_editor.base.generations import OverError
from mock_editor.base.issues import Code, issue
from mock_editor.base.threads import Pool, start
from mock_editor.calendars.model import Editor
from mock_editor.faults.engine import FaultEngine
from mock_editor.journal.journal import Journal
from mock_editor.notifications.acting_rules import ActingRules
from mock_editor.notifications.attempts import Attempts, Verdict, headers
from mock_editor.notifications.holds import Resending
from mock_editor.notifications.model import OPEN_STATES, Attempt, Claimed, NotificationState
from mock_editor.notifications.outbox import Outbox
from mock_editor.notifications.outcomes import failed
from mock_editor.notifications.pacing import REST, Pacing
from mock_editor.notifications.rule_effects import Effect
from mock_editor.notifications.target import Target

# Seconds between two looks at the outbox when nobody reports something new.
_LOOK = 0.25
# Notifications that a rule sends bit by bit have this many threads of their own. If none is free, they wait this long.
_SLOW, _SLOW_AGAIN = 16, 1.0

_log = logging.getLogger(__name__)


class Sender:
    """Sends the outbox to the ``targets`` of its editors, in threads of its own.

    ``embedded`` carries what goes to a receiver in this process; ``journal`` records what is sent; the rules of
    ``faults`` act on it.
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
        self._targets = targets
        self._attempts = Attempts(editors, embedded, journal)
        self._faults = faults
        self._rules = ActingRules(faults, editors)
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._slow = threading.Semaphore(_SLOW)
        self._pacing = {
            target: Pacing([slug for slug, its in targets.items() if its == target]) for target in targets.values()
        }
        # One thread is reserved for each SAS, so that a slow one does not block the others.
        self._parallel = max(parallel, len(self._pacing))
        self._shared = self._parallel - len(self._pacing)
        self._idle = threading.Semaphore(self._parallel)
        # Longer than any attempt: the deadlines of the connection and of the answer.
        longest = max((target.connect_timeout + target.answer_timeout for target in targets.values()), default=0.0)
        self._lease = longest + 5.0

    def wake(self) -> None:
        """Says that there may be something to send."""
        self._woken.set()

    def prepare(self) -> threading.Thread:
        """Creates the threads; they do nothing before ``start``. Raises 503."""
        if self._thread is None:
            with contextlib.ExitStack() as begun:
                slow = begun.enter_context(Pool(_SLOW, "slow-notification"))
                pool = begun.enter_context(Pool(self._parallel, "notification"))
                self._thread = start("notifications", self._run, pool, slow)
                begun.pop_all()
        return self._thread

    def start(self) -> threading.Thread:
        """Sends in the background from now on, until ``stop`` or the end of the process. Raises 503."""
        thread = self.prepare()
        self._started.set()
        return thread

    def stop(self) -> None:
        """Stops sending once the running attempts have ended."""
        self._stopped.set()
        self._started.set()
        self._woken.set()

    def join(self) -> None:
        """Waits until everything has ended after ``stop``."""
        if self._thread:
            self._thread.join()

    # --- rounds

    def _run(self, pool: Pool, slow: Pool) -> None:
        self._started.wait()
        # The second pool ends first: its threads give work to the other.
        with slow, pool:
            while not self._stopped.is_set():
                self._woken.clear()
                try:
                    self._release()
                    busy = self._round(pool, slow)
                except Exception as error:
                    self._failed("The outbox cannot be looked at", error)
                    busy = False
                # The end of an attempt wakes this thread, but the SAS may need a rest first.
                if not busy and self._woken.wait(_LOOK):
                    self._stopped.wait(REST)

    def _round(self, pool: Pool, slow: Pool) -> bool:
        """Claims as much as can be sent at once, and hands it to the threads; returns whether there was anything."""
        self._idle.acquire()
        free = 1
        while free < self._parallel and self._idle.acquire(blocking=False):
            free += 1
        began = time.monotonic()
        taken = 0
        try:
            for pacing in self._pacing.values():
                shared = max(self._shared - sum(other.further for other in self._pacing.values()), 0)
                most = min(pacing.room(shared), free - taken)
                for claimed in self._outbox.claim(most, self._lease, dict.fromkeys(pacing.editors, most)):
                    taken += 1
                    pacing.begin()
                    pool.submit(self._deliver, claimed, slow, began)
        finally:
            for _ in range(free - taken):
                self._idle.release()
        return bool(taken)

    def _release(self) -> None:
        """Releases what is held back by rules that are no longer in force."""
        if self._faults and (holding := self._outbox.holds.rules()):
            for rule in holding - self._rules.in_force().keys():
                self._outbox.holds.release(rule)

    # --- one notification

    def _deliver(self, claimed: Claimed, slow: Pool, began: float) -> None:
        begin_task(began)
        target = self._targets[claimed.editor]
        put_off: bool | None = True
        try:
            effect = self._rules.effect(claimed, self._attempts.url(claimed, target), headers())
            if effect and self._holds_back(claimed, effect):
                put_off = None
            elif effect and effect.seconds:
                put_off = None
                self._send_slowly(claimed, target, effect, slow, began)
            else:
                put_off = self._send(claimed, target, effect)
        except Exception as error:
            # The lease runs out, and the notification is tried again.
            self._failed(f"Notification {claimed.id} failed", error)
        finally:
            self._pacing[target].end(put_off=put_off)
            self._idle.release()
            self._woken.set()

    def _send(self, claimed: Claimed, target: Target, effect: Effect | None) -> bool:
        """Makes an attempt and notes it; returns whether the SAS has put us off."""
        verdict = self._attempt(claimed, target, effect)
        put_off = verdict.state in OPEN_STATES
        if claimed.copy:
            self._note(partial(self._outbox.holds.finish_copy, claimed, verdict.attempt))
            return put_off
        state, wait = verdict.state, timedelta()
        # While TLS fails, the SAS has not seen it: it is not given up, and has all its tries afterwards.
        first = claimed.tls_failed and state is not NotificationState.TLS_FAILED
        before = 0 if first else claimed.attempts
        if state is NotificationState.WAITING and before + 1 >= target.tries:
            state = NotificationState.GIVEN_UP
        elif put_off:
            wait = max(verdict.wait or timedelta(), _backoff(claimed, before, target))
        self._note(
            partial(
                self._outbox.finish,
                claimed,
                verdict.attempt,
                state,
                wait=wait,
                unsure=verdict.unsure,
                first=first,
                resending=_resending(effect),
            )
        )
        return put_off

    def _attempt(self, claimed: Claimed, target: Target, effect: Effect | None) -> Verdict:
        try:
            return self._attempts.make(claimed, target, effect, partial(self._pause, effect.rule if effect else ""))
        except Exception as error:
            # It was an attempt, whatever went wrong, and has to end like any other.
            _log.exception("Notification %d failed", claimed.id)
            attempt = Attempt(claimed.method, None, 0.0, failed(error), "")
            return Verdict(attempt, NotificationState.WAITING, unsure=True)

    def _note(self, note: Callable[[], None]) -> None:
        """Writes down the result of an attempt, trying for as long as the lease may hold; or it would be repeated."""
        until = time.monotonic() + self._lease
        while True:
            try:
                note()
                return
            except EditorError:
                # Not when another world is in play: the result no longer matters.
                if time.monotonic() > until or self._stopped.wait(_LOOK):
                    raise

    def _failed(self, text: str, error: Exception) -> None:
        """Logs an error, with its traceback unless the store was out of order; not when its world is over."""
        if not isinstance(error, EditorError):
            _log.error(text, exc_info=error)
        elif not isinstance(error, OverError):
            _log.warning("%s: %s", text, error)

    # --- with a rule

    def _holds_back(self, claimed: Claimed, effect: Effect) -> bool:
        """Holds a notification back if it has to wait first; once per rule, and not if another waits for it."""
        if claimed.draws:
            return False
        later = effect.later
        if later and (claimed.rule == effect.rule or (later.passed and claimed.passes)):
            later = None
        if later is None and not effect.waits:
            return False
        wait = timedelta(seconds=later.seconds if later else 0)
        passed = later is not None and later.passed
        self._outbox.holds.hold(claimed, effect.rule, effect.draws, wait=wait, real=effect.waits, passed=passed)
        return True

    def _send_slowly(self, claimed: Claimed, target: Target, effect: Effect, slow: Pool, began: float) -> None:
        """Sends a notification bit by bit in another pool, as this may take minutes."""
        if not self._slow.acquire(blocking=False):
            self._outbox.holds.hold(claimed, effect.rule, effect.draws, wait=timedelta(), real=_SLOW_AGAIN)
            return

        def send() -> None:
            begin_task(began)
            try:
                self._send(claimed, target, effect)
            except Exception as error:
                self._failed(f"Notification {claimed.id} failed", error)
            finally:
                self._slow.release()
                self._woken.set()

        try:
            self._outbox.extend(claimed, effect.seconds + self._lease)
            slow.submit(send)
        except BaseException:
            self._slow.release()
            raise

    def _pause(self, rule: str, seconds: float) -> None:
        """Waits between two pieces while the rule is in force. Raises RequestException when the process stops."""
        until = time.monotonic() + seconds
        with contextlib.suppress(EditorError):  # the store is out of order: no time for faults
            while (seconds_left := until - time.monotonic()) > 0 and rule in self._rules.in_force():
                if self._stopped.wait(min(seconds_left, _LOOK)):
                    raise CallEndedError(issue(Code.SENDING_STOPPED))


def _resending(effect: Effect | None) -> Resending | None:
    """The copies that a rule sends once the notification is accepted."""
    if effect is None or not effect.plans or effect.lost:
        return None
    return Resending(effect.rule, effect.applied, effect.headers["Content-Type"], effect.body, effect.plans)


def _backoff(claimed: Claimed, before: int, target: Target) -> timedelta:
    """The wait after so many attempts ``before``: twice as long each time, shortened by up to half. The cut is drawn,
    so that a run can be repeated."""
    longest = min(target.first_wait * 2.0 ** min(before, 30), target.longest_wait)
    draw = random.Random(f"{claimed.editor}:{claimed.appointment}:{claimed.id}:{before}").random()
    return timedelta(seconds=longest * (1 - draw / 2))

"""Sends notifications (INT_R03): claims what is due, and has threads make the attempts."""

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

# How often the outbox is looked at when nobody says that there is something in it.
_LOOK = 0.25
# What a rule has sent bit by bit has threads of its own, so many. Those that find none free come again after so long.
_SLOW, _SLOW_AGAIN = 16, 1.0

_log = logging.getLogger(__name__)


class Sender:
    """Sends what is in the outbox to the ``targets`` of its editors, in threads of its own.

    ``embedded`` carries what goes to a receiver in this very process; ``journal`` takes down what is sent; the rules of
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
        # One thread is kept for each SAS: one that is slow takes none from the others.
        self._parallel = max(parallel, len(self._pacing))
        self._shared = self._parallel - len(self._pacing)
        self._idle = threading.Semaphore(self._parallel)
        # Longer than any attempt takes: the deadline of an answer and that of a connection.
        longest = max((target.connect_timeout + target.answer_timeout for target in targets.values()), default=0.0)
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

    def join(self) -> None:
        """Waits until what ``stop`` has ended has come to its end."""
        if self._thread:
            self._thread.join()

    # --- rounds

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
                    self._stopped.wait(REST)

    def _round(self, pool: Pool, slow: Pool) -> bool:
        """Claims as much as can be sent at once, and has it sent; says whether there was anything."""
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
        """Lets go what is held back by rules that are no longer in force."""
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
            # Its lease runs out, and it is tried again.
            self._failed(f"Notification {claimed.id} failed", error)
        finally:
            self._pacing[target].end(put_off=put_off)
            self._idle.release()
            self._woken.set()

    def _send(self, claimed: Claimed, target: Target, effect: Effect | None) -> bool:
        """Makes an attempt and notes it; says whether the SAS has put us off."""
        verdict = self._attempt(claimed, target, effect)
        put_off = verdict.state in OPEN_STATES
        if claimed.copy:
            self._note(partial(self._outbox.holds.finish_copy, claimed, verdict.attempt))
            return put_off
        state, wait = verdict.state, timedelta()
        # As long as TLS fails, the SAS has not seen it: it is not given up, and has all its tries afterwards.
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
            # An attempt it was, whatever has gone wrong about it: it has to come to an end like others.
            _log.exception("Notification %d failed", claimed.id)
            attempt = Attempt(claimed.method, None, 0.0, failed(error), "")
            return Verdict(attempt, NotificationState.WAITING, unsure=True)

    def _note(self, note: Callable[[], None]) -> None:
        """Writes down the result of an attempt, or it would be made again; as long as its lease may hold."""
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
        """Logs an error: with its traceback, unless the store was out of order; not when its world is over."""
        if not isinstance(error, EditorError):
            _log.error(text, exc_info=error)
        elif not isinstance(error, OverError):
            _log.warning("%s: %s", text, error)

    # --- with a rule

    def _holds_back(self, claimed: Claimed, effect: Effect) -> bool:
        """Holds it back, if it has to wait first; once for each rule, and not for what passes another one."""
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
        """Sends it bit by bit, which may take minutes, apart from the others."""
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
        """Waits between two pieces, as long as the rule is in force. Raises RequestException when the process stops."""
        until = time.monotonic() + seconds
        with contextlib.suppress(EditorError):  # the store is out of order: no time for faults
            while (seconds_left := until - time.monotonic()) > 0 and rule in self._rules.in_force():
                if self._stopped.wait(min(seconds_left, _LOOK)):
                    raise CallEndedError(issue(Code.SENDING_STOPPED))


def _resending(effect: Effect | None) -> Resending | None:
    """What a rule has sent again once the notification is accepted."""
    if effect is None or not effect.plans or effect.lost:
        return None
    return Resending(effect.rule, effect.applied, effect.headers["Content-Type"], effect.body, effect.plans)


def _backoff(claimed: Claimed, before: int, target: Target) -> timedelta:
    """Twice as long each time, after so many ``before``, shortened by up to half: drawn, so that a run can be
    repeated."""
    longest = min(target.first_wait * 2.0 ** min(before, 30), target.longest_wait)
    draw = random.Random(f"{claimed.editor}:{claimed.appointment}:{claimed.id}:{before}").random()
    return timedelta(seconds=longest * (1 - draw / 2))

"""Marks appointments that are over as honoured or not, by the scenario's shares and seed."""

import contextlib
import logging
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from mock_editor.base import threads
from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.booking.bookings import Bookings
from mock_editor.calendars.appointments import Appointments
from mock_editor.calendars.model import Editor

_LOOK = 1.0  # seconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of an editor's appointments marked as honoured, or not, at their end. The rest is unchanged."""

    fulfilled: float
    noshow: float


class Endings:
    """Marks appointments once they are over by the simulator's clock."""

    def __init__(
        self,
        clock: Clock,
        editors: Mapping[str, Editor],
        appointments: Appointments,
        bookings: Bookings,
        shares: Mapping[str, Shares],
    ) -> None:
        self._clock = clock
        self._editors = editors
        self._appointments = appointments
        self._bookings = bookings
        self._shares = shares
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._woken = threading.Event()
        self._stopped = threading.Event()

    def note(self) -> int:
        """Marks all appointments that are over; returns how many. Several processes may do so at once."""
        noted = 0
        for slug, shares in self._shares.items():
            for appointment in self._appointments.over(slug, self._clock.now()):
                draw = random.Random(f"{self._editors[slug].seed}:{appointment.id}:ending").random()
                if draw >= shares.fulfilled + shares.noshow:
                    continue
                # Another process, or somebody at the console, may have been faster.
                with contextlib.suppress(EditorError):
                    self._bookings.close(appointment, honoured=draw < shares.fulfilled, only_booked=True)
                    noted += 1
        return noted

    def prepare(self) -> None:
        """Starts the thread, which does nothing before ``start``. Raises 503."""
        if self._shares and self._thread is None:
            self._thread = threads.start("endings", self._run)

    def start(self) -> None:
        """Marks appointments in the background from now on, until ``stop`` or the end of the process."""
        self.prepare()
        self._started.set()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self._started.set()
        self._woken.set()

    def wake(self) -> None:
        """Looks at once: the clock has changed, so some appointments may be over."""
        self._woken.set()

    def _run(self) -> None:
        self._started.wait()
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self.note()
            except Exception:
                _log.exception("Appointments that are over cannot be noted")
            self._woken.wait(_LOOK)

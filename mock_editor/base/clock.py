"""The one clock: everything that depends on time asks it, so that a run can be frozen, moved and repeated.

It is a line between real and simulated time. Protocol times (OpenID Connect, leases of processes) stay real: other
programs compare them with their own.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code

# Around the instant there has to be room for windows, horizons and offsets.
FIRST_YEAR, LAST_YEAR = 1900, 2200
_LAST = datetime(LAST_YEAR, 12, 31, 23, 59, 59, tzinfo=UTC)
FASTEST = 100_000.0


class Mode(StrEnum):
    """How a clock runs, in a word."""

    REAL = "real"
    SHIFTED = "shifted"
    FROZEN = "frozen"
    SCALED = "scaled"


@dataclass(frozen=True, slots=True)
class Course:
    """How simulated time runs: at the real instant ``since`` it was ``at``, and each real second brings ``rate``.

    Both are aware, in UTC. Raises InvalidValueError for what cannot be played.
    """

    since: datetime
    at: datetime
    rate: float

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or not FIRST_YEAR <= self.at.astimezone(UTC).year <= LAST_YEAR:
            raise InvalidValueError(Code.INSTANT_OUT_OF_RANGE, first=FIRST_YEAR, last=LAST_YEAR)
        if not (math.isfinite(self.rate) and 0 <= self.rate <= FASTEST):
            raise InvalidValueError(Code.RATE_OUT_OF_RANGE, most=FASTEST)

    @property
    def mode(self) -> Mode:
        """What to call it."""
        if self.rate == 0:
            return Mode.FROZEN
        if self.rate != 1:
            return Mode.SCALED
        return Mode.REAL if self.at == self.since else Mode.SHIFTED

    def instant(self, real: datetime) -> datetime:
        """The simulated instant, in UTC, at a real one. Beyond the last year that can be played, it stands still."""
        passed = (real - self.since).total_seconds() * self.rate
        seconds_left = (_LAST - self.at).total_seconds()
        # A real clock that is put back must not take the simulated one before its beginning.
        return self.at.astimezone(UTC) + timedelta(seconds=min(max(passed, 0.0), max(seconds_left, 0.0)))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REAL = Course(_EPOCH, _EPOCH, 1.0)


class Clock:
    """Tells the time. It is real until another course is followed; ``frozen_at`` is the usual other one."""

    def __init__(self, frozen_at: datetime | None = None) -> None:
        self.course = REAL
        self._frozen: datetime | None = None
        if frozen_at is not None:
            self.follow(frozen(frozen_at))

    def follow(self, course: Course) -> None:
        """Runs as ``course`` says from now on."""
        self.course = REAL if course.mode is Mode.REAL else course
        self._frozen = course.at.astimezone(UTC) if course.rate == 0 else None

    def now(self) -> datetime:
        """The present instant, aware, in UTC. Beyond the last year that can be played, it stands still."""
        # In the hot path, and most tests freeze it. Read once: another thread may let it run in between.
        at = self._frozen
        if at is not None:
            return at
        real, course = datetime.now(UTC), self.course
        return real if course is REAL else course.instant(real)

    # --- other courses; each begins where the clock is now, unless it says otherwise

    def at_rate(self, rate: float, at: datetime | None = None) -> Course:
        """From ``at`` on, each real second brings ``rate`` simulated ones; 0 freezes. Raises InvalidValueError."""
        real = datetime.now(UTC)
        return Course(real, at or self.course.instant(real), rate)

    def advanced(self, by: timedelta) -> Course:
        """As it runs now, but ``by`` later, or earlier. Raises InvalidValueError."""
        real = datetime.now(UTC)
        try:
            return Course(real, self.course.instant(real) + by, self.course.rate)
        except OverflowError:
            raise InvalidValueError(Code.OUT_OF_ANY_CALENDAR) from None


def frozen(at: datetime) -> Course:
    """Stands still. Raises InvalidValueError for an instant that cannot be played."""
    return Course(_EPOCH, at, 0.0)

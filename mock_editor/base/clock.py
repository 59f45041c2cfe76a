"""The one clock: everything that depends on time asks it, so that a run can be frozen and repeated."""

from datetime import UTC, datetime

# Around the instant there has to be room for windows, horizons and offsets.
FIRST_YEAR, LAST_YEAR = 1900, 2200


class Clock:
    """Tells the time: real, or frozen at an instant. Raises ValueError for an instant that cannot be played."""

    def __init__(self, frozen_at: datetime | None = None) -> None:
        if frozen_at is not None and (frozen_at.tzinfo is None or not FIRST_YEAR <= frozen_at.year <= LAST_YEAR):
            raise ValueError(f"expected an instant with an offset, from {FIRST_YEAR} to {LAST_YEAR}")
        self._frozen_at = frozen_at.astimezone(UTC) if frozen_at else None

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return self._frozen_at or datetime.now(UTC)

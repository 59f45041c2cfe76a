"""The one clock: everything that depends on time asks it, so that a run can be frozen and repeated."""

from datetime import UTC, datetime


class Clock:
    """Tells the time: real, or frozen at an instant."""

    def __init__(self, frozen_at: datetime | None = None) -> None:
        if frozen_at is not None and frozen_at.tzinfo is None:
            raise ValueError("a frozen clock needs an instant with an offset")
        self._frozen_at = frozen_at.astimezone(UTC) if frozen_at else None

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return self._frozen_at or datetime.now(UTC)

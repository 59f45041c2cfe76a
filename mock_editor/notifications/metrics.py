"""Metrics of the notifications: how many there are, and how long the oldest has been waiting."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import Metric

from mock_editor.journal.metrics import gauge
from mock_editor.notifications.model import OPEN_STATES
from mock_editor.notifications.repository import NotificationRepository


def gauges(notifications: NotificationRepository, now: datetime) -> Iterator[Metric]:
    """The metrics at a moment of the simulator's clock. Raises 503."""
    depths = notifications.depths()
    counts = [((depth.editor, depth.state), depth.count) for depth in depths]
    yield gauge("mock_editor_notifications", "Notifications (INT_R03), by state.", ["editor", "state"], counts)
    waiting = [depth for depth in depths if depth.state in OPEN_STATES]
    ages = {
        depth.editor: max((now - other.oldest).total_seconds() for other in waiting if other.editor == depth.editor)
        for depth in waiting
    }
    yield gauge(
        "mock_editor_notification_oldest_seconds",
        "Age of the oldest notification that is not settled, by the simulator's clock.",
        ["editor"],
        # After the clock was set back, some were made in what is now the future.
        [((editor,), max(age, 0.0)) for editor, age in ages.items()],
    )

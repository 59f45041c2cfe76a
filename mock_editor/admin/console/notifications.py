"""What the SAS is told of appointments (INT_R03): how far each notification got, and having it sent again."""

from flask import Response, url_for

from mock_editor.admin.console import live
from mock_editor.admin.console.context import Console, Route, chosen
from mock_editor.admin.console.shown_notifications import FAILED, STATES, ShownNotifications
from mock_editor.notifications.model import NotificationState

_ROWS = 100


def outbox(console: Console) -> Response:
    slug, state = _asked(console)
    stream = url_for("console.outbox_live", editeur=slug, etat=state and state.value)
    return console.show(
        "notifications.html",
        editors=console.world.catalogue.editors.values(),
        chosen=slug,
        state=state,
        stream=stream,
        now=_drawn(console, slug, state),
    )


def outbox_live(console: Console) -> Response:
    slug, state = _asked(console)
    return live.stream(console, lambda: _drawn(console, slug, state))


def _asked(console: Console) -> tuple[str | None, NotificationState | None]:
    slug, _ = console.asked_editors()
    return slug, chosen(console.asked().one("etat"), NotificationState)


def _drawn(console: Console, slug: str | None, state: NotificationState | None) -> str:
    notifications = ShownNotifications(console.world)
    every, counts = notifications.counts(), notifications.counts(slug)
    # The page itself, whose form would else lead to the stream.
    here = console.to("outbox", editeur=slug, etat=state and state.value)
    return console.drawn(
        "notifications_direct.html",
        chosen=slug,
        states=STATES,
        state=state,
        counts=counts,
        found=notifications.latest(_ROWS, slug, state),
        total=counts[state] if state else sum(counts.values()),
        failed=sum(every[one] for one in FAILED),
        paused=console.world.outbox.paused(),
        here=here,
    )


ROUTES = (
    Route("/notifications", outbox),
    Route("/notifications/direct", outbox_live),
)

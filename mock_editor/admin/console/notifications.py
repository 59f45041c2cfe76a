"""What the SAS is told of appointments (INT_R03): how far each notification got, and having it sent again."""

from flask import Response, url_for

from mock_editor.admin.console import live
from mock_editor.admin.console.context import Console, chosen
from mock_editor.admin.console.shown_notifications import FAILED, STATES, ShownNotifications
from mock_editor.notifications.model import NotificationState

_ROWS = 100


def add(console: Console) -> None:
    """The list of notifications, and what changes of it."""
    bp, world = console.blueprint, console.world
    notifications = ShownNotifications(world)

    @bp.get("/notifications")
    def outbox() -> Response:
        slug, state = asked()
        stream = url_for("console.outbox_live", editeur=slug, etat=state and state.value)
        return console.show(
            "notifications.html",
            editors=world.catalogue.editors.values(),
            chosen=slug,
            state=state,
            stream=stream,
            now=drawn(slug, state),
        )

    @bp.get("/notifications/direct")
    def outbox_live() -> Response:
        slug, state = asked()
        return live.stream(console, lambda: drawn(slug, state))

    def asked() -> tuple[str | None, NotificationState | None]:
        slug, _ = console.asked_editors()
        return slug, chosen(console.asked().one("etat"), NotificationState)

    def drawn(slug: str | None, state: NotificationState | None) -> str:
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
            paused=world.outbox.paused(),
            here=here,
        )

"""The clients to which people are sent back after signing in: nobody else gets a code."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registration:
    """An address at which a client gets its answers; ``client_id`` is None where any client may use it.

    The client is told at ``logout_uri``, if it has one, that a session has ended (Back-Channel Logout 1.0).
    """

    client_id: str | None
    redirect_uri: str
    logout_uri: str | None = None


def registered(known: Iterable[Registration], client_id: str, redirect_uri: str) -> Registration | None:
    """The registration that a request means. Addresses are compared to the letter (RFC 9700, 2.1)."""
    return next(
        (client for client in known if client.redirect_uri == redirect_uri and client.client_id in (None, client_id)),
        None,
    )

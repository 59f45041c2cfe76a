"""The identity provider of a world, as its endpoints need it."""

from dataclasses import dataclass

from requests.adapters import BaseAdapter

from mock_editor.bench.idp.provider import Provider


@dataclass(frozen=True, slots=True)
class ProviderSite:
    """What the endpoints of a world have: its provider, and how clients are told that a session has ended.

    ``to_clients`` carries what is for clients below ``public_url``. Whoever sends a body has ``body_timeout`` seconds.
    """

    provider: Provider
    public_url: str
    to_clients: BaseAdapter
    body_timeout: float

"""The identity provider of a world, as its endpoints need it."""

from dataclasses import dataclass

from requests.adapters import BaseAdapter

from mock_editor.bench.idp.provider import Provider


@dataclass(frozen=True, slots=True)
class ProviderSite:
    """What the endpoints of a world need: its provider, and the way to tell clients that a session has ended.

    ``to_clients`` carries calls to clients below ``public_url``. A client has ``body_timeout`` seconds to send a body.
    """

    provider: Provider
    public_url: str
    to_clients: BaseAdapter
    body_timeout: float

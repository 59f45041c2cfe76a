"""Addresses and names of machines, as clients and proxies write them."""

import ipaddress
import re
from collections.abc import Sequence

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\],\s]+))(?::([0-9]{0,5}))?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def read_address(text: str) -> Address | None:
    """The address of a peer. A listener for IPv4 and IPv6 writes an IPv4 address as an IPv6 one; this undoes it."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(text: str) -> bool:
    """Whether a peer with this address is this machine."""
    address = read_address(text)
    return address is not None and address.is_loopback


def split_host(host: str) -> tuple[str, int | None] | None:
    """The name, in lower case, and the port of a ``Host``; None if it is malformed."""
    found = _HOST.fullmatch(host)
    return ((found[1] or found[2]).lower(), int(found[3]) if found[3] else None) if found else None


def names_this_machine(host: str) -> bool:
    """Whether a host, with or without a port, means this machine, whoever asks."""
    found = split_host(host)
    return found is not None and (found[0].rstrip(".") == "localhost" or is_loopback(found[0]))


class Networks:
    """Addresses and networks of machines. Raises ValueError."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(text) for text in texts]

    def __contains__(self, peer: str) -> bool:
        address = read_address(peer)
        return address is not None and any(address in network for network in self._networks)


def local_url(host: str, port: int, scheme: str = "http") -> str:
    """The URL under which a client on this machine reaches a listener on ``host``."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared with
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"

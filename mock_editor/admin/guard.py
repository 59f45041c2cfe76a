"""Who may see and change the simulator's state: clients of its own machine, what it tells is not for everybody."""

import ipaddress

from flask import request

from mock_editor.base.errors import EditorError, Issue


def only_from_here() -> None:
    """Raises 403 for another machine, and for a page of another site in a browser of this one."""
    address = request.remote_addr
    if not address or not ipaddress.ip_address(address).is_loopback:
        raise EditorError(403, [Issue("forbidden", "Only for clients on the simulator's own machine")])
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise EditorError(403, [Issue("forbidden", "Not for pages of other sites")])

"""Which requests of a browser are those of our own pages."""

import pytest
from werkzeug.datastructures import Headers

from mock_editor.base.errors import EditorError
from mock_editor.base.sites import refuse_foreign

PUBLIC = "https://lga.example/essai"
HERE, FAR = "127.0.0.1", "192.0.2.7"


def foreign(peer: str, **headers: str) -> bool:
    try:
        refuse_foreign(Headers({name.replace("_", "-"): value for name, value in headers.items()}), peer, PUBLIC)
    except EditorError:
        return True
    return False


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "lga.example"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "https://lga.example"},
        {"Origin": "https://lga.example:443", "Host": "127.0.0.1:8000"},
        {"Origin": "https://LGA.example"},
        {"Referer": "https://lga.example/essai/agenda-ville/connexion?suite=/x"},
        {"Origin": "http://localhost:8000", "Host": "localhost:8000"},
        {"Origin": "http://localhost:8000", "Host": "LOCALHOST:8000", "Referer": "http://localhost:8000/_console/"},
        {"Origin": "http://localhost", "Host": "localhost"},
        {"Origin": "http://localhost", "Host": "localhost:80"},
        {"Origin": "http://127.0.0.1:8000", "Host": "127.0.0.1:8000"},
        {"Origin": "http://[::1]:8000", "Host": "[::1]:8000"},
        {"Origin": "http://192.0.2.1:8000", "Host": "192.0.2.1:8000"},
    ],
)
@pytest.mark.parametrize("peer", [HERE, FAR, "::1", ""])
def test_our_own_pages_and_programs(headers: dict[str, str], peer: str) -> None:
    assert not foreign(peer, **headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "x"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://pirate.example"},
        {"Origin": "https://lga.example.pirate.example"},
        {"Origin": "https://lga.example:8443"},
        {"Origin": "http://lga.example"},
        {"Origin": "http://lga.example:443", "Host": "lga.example:443"},
        {"Origin": "https://lga.example@pirate.example"},
        {"Origin": "https://lga.example, https://pirate.example"},
        {"Origin": "https://[lga.example"},
        {"Origin": "http://localhost:99999", "Host": "localhost:99999"},
        {"Origin": "chrome-extension://localhost", "Host": "localhost"},
        {"Referer": "https://pirate.example/lga.example"},
        {"Referer": "about:blank"},
        {"Origin": "https://lga.example", "Referer": "https://pirate.example/"},
        {"Origin": "https://pirate.example", "Sec_Fetch_Site": "same-origin"},
        # Another program of the same machine.
        {"Origin": "http://localhost:9999", "Host": "localhost:8000"},
        {"Origin": "http://localhost", "Host": "localhost:8000"},
        {"Origin": "http://127.0.0.1:8000", "Host": "localhost:8000"},
        {"Origin": "http://localhost:8000", "Host": "localhost:8000,pirate.example"},
    ],
)
@pytest.mark.parametrize("peer", [HERE, FAR])
def test_pages_of_other_sites(headers: dict[str, str], peer: str) -> None:
    assert foreign(peer, **headers)


def test_a_name_that_was_resolved_to_this_machine_is_not_ours() -> None:
    rebound = {"Origin": "http://pirate.example:8000", "Host": "pirate.example:8000", "Sec_Fetch_Site": "same-origin"}
    for peer in (HERE, "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        assert foreign(peer, **rebound)
    # From another machine it is a name that somebody has given to the simulator.
    assert not foreign(FAR, **rebound)

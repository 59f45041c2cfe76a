"""A browser that has a page of another site open beside the simulator's."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests

from tests.browser.conftest import OpenPage, Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PIRATE = """<!doctype html><title>pirate</title>
<form method="post" enctype="text/plain" action="{url}/_admin/clock/real"><button>admin</button></form>
<form method="post" action="{url}/_console/faire/realClock"><button>console</button></form>
<form method="post" action="{url}/agenda-ville/visite"><button>site</button></form>
<form method="post" action="{url}/_sas/regulateurs/mercier/retrait"><button>sas</button></form>
<form method="post" action="{url}/_idp/connexion"><button>idp</button></form>"""


@pytest.fixture
def pirate(site: Site) -> Iterator[str]:
    """The URL of a page of another program on this machine."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PIRATE.format(url=site.url).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def send(page: "Page", button: str) -> int:
    with page.expect_navigation() as going:
        page.get_by_role("button", name=button, exact=True).click()
    answer = going.value
    assert answer
    return answer.status


def test_its_forms_change_nothing(site: Site, open_page: OpenPage, pirate: str) -> None:
    page = open_page()
    # The browser has cookies of the simulator.
    page.goto(f"{site.url}/_console/")
    before = requests.get(f"{site.url}/_admin/clock", timeout=20).json()["mode"]
    for button in ("admin", "console", "site", "sas", "idp"):
        page.goto(pirate)
        assert send(page, button) == 403, button
    assert requests.get(f"{site.url}/_admin/clock", timeout=20).json()["mode"] == before


def test_a_browser_says_of_our_own_forms_where_they_are_from(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(f"{site.url}/agenda-ville/connexion")
    with page.expect_request(lambda one: one.method == "POST") as sending:
        page.get_by_role("button", name="Continuer sans compte").click()
    # With the referrer policy "no-referrer" it would be "null".
    assert sending.value.all_headers()["origin"] == site.url

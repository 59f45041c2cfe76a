"""Every page of the site and of the provider, on a narrow and on a wide screen."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import (
    FORET,
    MERCIER,
    RENNES,
    THOMAS,
    OpenPage,
    Site,
    accept_terms,
    arrive,
    book,
    choose,
    confirm,
    go,
    led,
    log_in,
    press,
    slots,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

pytestmark = pytest.mark.browser

WALK_IN, FULL, TWO_CPTS = "899000000069", "899000000077", "899000000218"
WIDTHS = (360, 1280)
LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafewarenwohl"


# The accessibility checker, which `make test` gets from npm.
AXE = Path(__file__).parents[2] / "var" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
FAULTS = """
async () => (await axe.run()).violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.target.join(" ")).slice(0, 5).join(", ")}`)
"""


class Album:
    """Looks at pages and remembers what is wrong with them; keeps pictures in the folder SCREENSHOTS, if it is set."""

    def __init__(self) -> None:
        self.status = 0
        self.wrong: list[str] = []
        self.hosts: set[str] = set()

    def follow(self, page: "Page") -> "Page":
        """Lists what the browser complains of, such as a style that the page's own policy forbids."""
        page.on("console", lambda told: self.complain(page.url, told.type, told.text))
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self.ask(request.url))
        page.on("response", self.arrived)
        return page

    def ask(self, url: str) -> None:
        self.hosts.add(urlsplit(url).netloc)
        if len(self.hosts) > 1:
            self.wrong.append(f"another host: {url}")

    def arrived(self, response: "Response") -> None:
        if response.request.is_navigation_request():
            self.status = response.status

    def complain(self, url: str, kind: str, text: str) -> None:
        # Chromium notes there, too, that a page has a status of 400 or more, as those of refusals have.
        if kind == "error" and "the server responded with a status of" not in text:
            self.wrong.append(f"{url}: {text}")

    def look(self, page: "Page", name: str) -> None:
        """``name`` begins with the status that the page is expected to have, unless that is 200."""
        root = page.locator("html")
        expected = int(name[:3]) if name[0].isdigit() else 200
        checks = {
            f"status {self.status}": self.status == expected,
            "not French": root.get_attribute("lang") == "fr",
            "not one heading of level 1": page.get_by_role("heading", level=1).count() == 1,
            "no style": page.locator("main").evaluate("one => getComputedStyle(one).paddingTop") != "0px",
            "no title": bool(page.title()),
        }
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            checks[f"wider than {width} px"] = root.evaluate("one => one.scrollWidth <= one.clientWidth")
            if folder := os.environ.get("SCREENSHOTS"):
                page.screenshot(path=Path(folder) / f"{width}-{name}.png", full_page=True)
        self.wrong += [f"{name}: {wrong}" for wrong, fine in checks.items() if not fine]
        if AXE.exists():
            # Not by a script element, which the pages' own policy forbids.
            page.evaluate(AXE.read_text(encoding="utf-8"))
            self.wrong += [f"{name}: {fault}" for fault in page.evaluate(FAULTS)]


@pytest.fixture
def album() -> Album:
    return Album()


@pytest.fixture
def page(album: Album, open_page: OpenPage) -> "Page":
    return album.follow(open_page())


def test_the_pages_of_a_regulator_fit_the_screen(site: Site, album: Album, page: "Page", open_page: OpenPage) -> None:
    go(page, site.link(THOMAS) + "&origin=sas")
    album.look(page, "idp-connexion")
    choose(page, "Solène MERCIER")
    album.look(page, "cgu")
    accept_terms(page)
    album.look(page, "agenda-two-places")
    press(page, "Semaine suivante →", "link")
    album.look(page, "agenda-next-week")
    press(page, "Agendas", "link")
    album.look(page, "annuaire")
    for name, owner in {"walk-in": WALK_IN, "full": FULL}.items():
        go(page, f"{site.url}/agenda-ville/agenda/{owner}")
        album.look(page, f"agenda-{name}")

    go(page, site.link() + "&origin=sas")
    url = page.url
    first = slots(page).first
    led(page, first.click)
    album.look(page, "reserver")
    other = open_page()
    arrive(other, url.removesuffix("&origin=sas"), "roussel")
    book(other)
    confirm(page)
    album.look(page, "409-taken")
    go(page, url)
    book(page, LONG)
    album.look(page, "fiche-new")
    own = page.url
    press(page, "Déplacer", "link")
    album.look(page, "deplacer")
    go(page, own)
    press(page, "Annuler le rendez-vous")
    album.look(page, "fiche-cancelled")
    go(page, url)
    book(page, "Fictif")
    press(page, "Mes rendez-vous", "link")
    album.look(page, "rendez-vous")
    go(page, f"{site.url}/agenda-ville/rendez-vous/none")
    album.look(page, "404-rendez-vous")
    go(page, f"{site.url}/agenda-ville/agenda/none")
    album.look(page, "404-agenda")
    go(page, f"{url}&creneau=202611200700")
    album.look(page, "agenda-missing")
    led(page, slots(page).first.click)
    press(page, "Choisir un autre créneau", "link")
    album.look(page, "agenda-asked")

    for name, editor, owner in (("cpts", "agenda-cpts", FORET), ("sos", "agenda-sos", RENNES)):
        go(page, site.link(owner, editor) + "&origin=sas")
        accept_terms(page)
        album.look(page, f"{name}-agenda")
        book(page)
        album.look(page, f"{name}-fiche")
        press(page, "Agendas", "link")
        album.look(page, f"{name}-annuaire")
    go(page, site.slots(TWO_CPTS, "agenda-cpts")[-1]["comment"])
    album.look(page, "cpts-two")

    press(page, "Se déconnecter")
    album.look(page, "deconnexion")
    assert album.wrong == []


def test_the_pages_of_others_fit_the_screen(site: Site, album: Album, page: "Page") -> None:
    go(page, site.link(THOMAS))
    album.look(page, "connexion")
    log_in(page, MERCIER, "wrong")
    album.look(page, "403-connexion")
    press(page, "Mot de passe oublié", "link")
    album.look(page, "oublie")
    page.get_by_label("Adresse e-mail").fill(MERCIER)
    press(page, "Renouveler le mot de passe")
    album.look(page, "oublie-done")
    go(page, f"{site.url}/agenda-ville/connexion?origine=sas")
    album.look(page, "connexion-sas")
    go(page, site.link())
    press(page, "Continuer sans compte")
    album.look(page, "agenda-public")
    press(page, "Mes rendez-vous", "link")
    album.look(page, "rendez-vous-none")
    go(page, site.link())
    led(page, slots(page).first.click)
    album.look(page, "reserver-public")
    confirm(page)
    album.look(page, "fiche-public")

    go(page, site.link() + "&origin=elsewhere")
    album.look(page, "400-origin")
    go(page, f"{site.url}/agenda-ville/sso/retour?state=x&code=y")
    album.look(page, "400-state")
    go(page, site.link() + "&origin=sas")
    choose(page, "Loïc VASSEUR")
    album.look(page, "403-unknown")
    go(page, f"{site.url}/_idp/deconnexion")
    album.look(page, "idp-deconnexion")
    go(page, f"{site.url}/_idp/authorize")
    album.look(page, "400-idp")
    assert album.wrong == []


def test_the_page_of_an_editor_that_does_not_exist_fits_the_screen(site: Site, album: Album, page: "Page") -> None:
    assert go(page, f"{site.url}/nowhere/connexion").status == 404
    album.look(page, "404-editor")
    assert album.wrong == []


def test_the_accessibility_checker_sees_what_is_wrong(album: Album, page: "Page", site: Site) -> None:
    """So that nobody takes an album without complaints for more than it is."""
    if not AXE.exists():
        pytest.skip("axe-core is not in var/axe: `make axe` gets it with npm")
    go(page, f"{site.url}/_console/visite")
    page.evaluate("document.querySelector('main').innerHTML += '<img src=\"data:,\"><input>'")
    album.look(page, "visite")
    assert [one.split(":")[1].strip() for one in album.wrong] == ["image-alt", "label"]

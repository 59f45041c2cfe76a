"""The guided tour, as the guide for trainers tells it; with SCREENSHOTS=docs/images, its pictures are made anew."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage, Served, Site, accept_terms, choose, confirm, go, led, press, title
from tests.browser.test_layout import Album

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

GUIDE = Path(__file__).parents[2] / "docs" / "guide-formateur.md"
STEPS = [
    "Découvrir les logiciels joués",
    "Se connecter comme régulatrice",
    "Voir les comptes créés",
    "Chercher un créneau",
    "Rendre un éditeur lent, et chercher encore",
    "Réserver chez l’éditeur",
    "Voir le rendez-vous du côté de l’éditeur",
    "Voir le rendez-vous du côté du SAS",
]


@pytest.fixture
def demonstration(serve: Served) -> Site:
    return serve("--scenario", "demonstration")


@pytest.fixture
def album() -> Iterator[Album]:
    """What is wrong with any page on the way is a failure."""
    looked = Album()
    yield looked
    assert looked.wrong == []


def done(page: "Page", site: Site) -> list[int]:
    """The steps that the page of the tour says are done."""
    go(page, f"{site.url}/_console/visite")
    steps = page.get_by_role("heading", level=2).all_inner_texts()
    assert [re.sub(r"^Étape \d : | fait$", "", one) for one in steps] == STEPS
    return [number for number, one in enumerate(steps, 1) if one.endswith("fait")]


def picture(page: "Page", name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.set_viewport_size({"width": 1200, "height": 800})
        page.screenshot(path=Path(folder) / f"visite-{name}.png")


def search(page: "Page") -> None:
    page.get_by_label("Territoire").fill("Bordeaux")
    press(page, "Rechercher")
    page.get_by_text("Recherche terminée").wait_for()


def test_the_tour_ends_with_an_appointment_at_the_sas(demonstration: Site, open_page: OpenPage, album: Album) -> None:
    site, page = demonstration, album.follow(open_page())
    assert done(page, site) == []
    picture(page, "0")
    album.look(page, "visite")

    press(page, "Ouvrir le tableau de bord", "link")
    assert page.get_by_text("Doc Océan").first.is_visible()
    picture(page, "1")

    assert done(page, site) == []
    press(page, "Ouvrir le banc SAS", "link")
    press(page, "Se connecter", "link")
    choose(page, "Marianne CASTEL")
    assert page.get_by_text("créé").count() >= 4
    picture(page, "2")

    assert done(page, site) == [2]
    press(page, "Ouvrir les régulateurs", "link")
    assert page.get_by_text("CASTEL").count() >= 4
    picture(page, "3")

    assert done(page, site) == [2]
    press(page, "Ouvrir la recherche", "link")
    search(page)
    assert page.get_by_role("link", name=re.compile("^Réserver à ")).count() > 20
    picture(page, "4")
    album.look(page, "visite-recherche")

    assert done(page, site) == [2, 4]
    press(page, "Ouvrir les pannes", "link")
    press(page, "Activer doc-ocean-lent")
    picture(page, "5")
    go(page, f"{site.url}/_sas/")
    search(page)
    assert page.get_by_text("7 s").first.is_visible()

    assert done(page, site) == [2, 4, 5]
    press(page, "Revenir à la recherche", "link")
    search(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("^Réserver à ")).first.click()
    agenda = album.follow(opened.value)
    accept_terms(agenda)
    led(agenda, agenda.get_by_role("link", name=re.compile("^Réserver ")).first.click)
    confirm(agenda)
    assert agenda.get_by_role("status").inner_text() == "Le rendez-vous est pris."
    picture(agenda, "6")

    page.bring_to_front()
    go(page, f"{site.url}/_sas/rendez-vous")
    page.get_by_role("row").filter(has_text="Confirmé").wait_for()
    assert done(page, site) == [2, 4, 5, 6, 8]
    press(page, re.compile("^Ouvrir les rendez-vous$"), "link")
    led(page, page.get_by_role("row").get_by_role("link").first.click)
    picture(page, "7")
    album.look(page, "visite-fiche")
    press(page, "ce que le banc SAS a reçu", "link")
    received = page.url

    done(page, site)
    press(page, "Ouvrir les rendez-vous reçus", "link")
    led(page, page.get_by_role("row").get_by_role("link").first.click)
    assert page.get_by_text("Confirmé").first.is_visible()
    assert page.url == received
    picture(page, "8")

    done(page, site)
    press(page, "Recommencer la visite")
    assert done(page, site) == []
    go(page, f"{site.url}/_sas/rendez-vous")
    assert page.get_by_text("Aucun rendez-vous reçu.").is_visible()
    go(page, f"{site.url}/_console/comptes")
    assert page.get_by_text("CASTEL").count() == 0


def test_the_guide_tells_every_step_with_its_picture() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert re.findall(r"^## Étape \d : (.*)$", text, re.MULTILINE) == STEPS
    pictures = re.findall(r"!\[[^\]]+\]\((images/[^)]+)\)", text)
    assert len(pictures) > len(STEPS)
    assert all((GUIDE.parent / one).is_file() for one in pictures)


def test_the_page_opens_where_the_bench_is_off(serve: Served, open_page: OpenPage) -> None:
    site = serve("--with-bench", "off")
    page = open_page()
    go(page, f"{site.url}/_console/visite")
    assert title(page) == "Visite guidée"
    assert page.get_by_text("Le banc est coupé").is_visible()
